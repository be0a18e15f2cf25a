/* restore: puts the model back together (paper 4.3): check, rebind, splice, mend seams, verify.
 * In: the model, the secret, the optimizer's answer, which is hostile.  Out: the optimized model; a
 * report, piece by piece. A piece that is missing, refused or wrong falls back to the original.
 * Never touches: the bundle folder (the secret has what is needed). */
#ifndef PT_RESTORE_H
#define PT_RESTORE_H
#include "graph/graph.h"
#include "partition/partition.h"
#include "proteus/proteus.h"
#define PT_RESTORE_ERROR (pt_restore_error_quark())
GQuark pt_restore_error_quark(void);

/* Cancels, pushes and folds NCHWc reorders at the seams of a spliced graph (types needed). Local;
 * keeps outputs equal. */
typedef struct PtSeamReport {
  uint32_t cancelled, pushed, folded;
} PtSeamReport;
bool pt_mend_seams(PtGraph *graph, PtSeamReport *report, GError **error);

/* Splices pieces into one graph. pieces[i] replaces model nodes of partition piece i; its inputs
 * and outputs correspond in order to the piece's. The result has the model's inputs, outputs,
 * names, order and symbols; internal names never collide; opset imports are merged (PT_ERR_MISMATCH
 * if two versions of a domain cannot be). */
typedef struct PtSpliced {
  PtGraph *graph;           /* the optimized piece, or the extracted original */
  const PtValueId *inputs;  /* [graph inputs] values of the model */
  const PtValueId *outputs; /* [graph outputs] */
} PtSpliced;
PtGraph *pt_splice(PtGraph *model, const PtSpliced *pieces, uint32_t count, GError **error);
#endif
