/* Between draw.c and future.c. */
#ifndef PT_POPULATE_DRAW_H
#define PT_POPULATE_DRAW_H

#include "populate/populate_private.h"

#define PT_OPERANDS 64

struct PtDrawer {
  const PtEncoder *e;
  const PtPopulateGuide *g;
  const PtLikelihood *l;
  PtRng *rng;
  PtProposal at;         /* inputs of nodes */
  uint32_t *read, *from; /* arcs by their source: from[read[i] .. read[i + 1]) */
  int32_t *goal;         /* [n] type that an output wants of the node, -1: none */
  uint32_t *outputs;     /* [n_outputs] node of each */
  double *future;        /* [n][n_types] of what comes after a value of a type here; largest 1 */
  bool *stale;           /* [n] future has to be made anew */
  bool *done;            /* [n] */
  PtSolution *s;
  uint32_t n_refs;
  bool *positive; /* [n] */
  PtSize *size;   /* [n] */
  PtSize *most;   /* [n] where it is an output */
  PtSize any;     /* the largest that an output may be */
  double *odds;   /* [moves or operators] */
};
/* In the order of slots: predecessors, then inputs; many inputs come first. */
uint32_t pt_drawer_operands(const PtDrawer *d, uint32_t i, int32_t *refs);
/* NULL: not known yet. */
const PtFiniteType *pt_drawer_type(const PtDrawer *d, int32_t ref);
void pt_make_future(PtDrawer *d, uint32_t i);
/* Futures that depend on whether node i is drawn, and as what. */
void pt_spoil_around(PtDrawer *d, uint32_t i);

#endif
