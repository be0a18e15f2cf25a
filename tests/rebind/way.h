/* way: a piece's way through rebinding, for tests and the coverage program: scrubbed, optimized on
 * noise, explained, written, read, bound to the real weights, and compared with what the same
 * optimizer makes of the real weights. */
#ifndef PT_TEST_REBIND_WAY_H
#define PT_TEST_REBIND_WAY_H

#include "bundle/bundle.h"
#include "rebind/rebind.h"
#include "runtime/runtime.h"

typedef struct PtWay {
  PtGraph *piece, *candidate;
  GArray *source; /* PtScrubbed */
  PtNoise noise;
  char *folder; /* candidate.onnx and noise.bin lie here */
  char *path;   /* of candidate.onnx */
} PtWay;

typedef struct PtWayReport {
  uint32_t runs, refused;
  uint32_t constants, derivations; /* of the bound and of the explained graph */
  uint32_t exact, near, absent; /* bound float constants: bit-equal to the optimizer's own, of its
                                   name and close, neither */
  double worst;                 /* relative, of those near */
  double explain_seconds, bind_seconds;
  double difference; /* of outputs: bound against real, pt_array_difference */
  uint64_t bytes;    /* of the explained answer */
} PtWayReport;

/* folder NULL: a temporary one, removed by close. */
bool pt_way_open(PtWay *way, PtGraph *piece, const char *folder, GError **error);
void pt_way_close(PtWay *way);
/* The answer that ONNX Runtime gives: of the candidate, or of its copy with the real weights. */
PtGraph *pt_way_optimize(const PtWay *way, bool real, PtLevel level, bool native, GError **error);
/* Another program: run as COMMAND in out. */
PtGraph *pt_way_command(const PtWay *way, const char *command, GError **error);
PtGraph *pt_way_real(const PtWay *way);
GArray *pt_way_bindings(const PtWay *way); /* PtBinding */
/* Explains, writes, reads, binds; returns the bound graph. explained (or NULL): receives the answer
 * before binding. */
PtGraph *pt_way_rebind(const PtWay *way, PtGraph *answer, PtGraph **explained, PtWayReport *report,
                       GError **error);
void pt_way_compare_constants(const PtGraph *bound, const PtGraph *reference, PtWayReport *report,
                              bool verbose);
/* Runs both on seeded inputs, optimizations off. */
bool pt_way_compare_outputs(const PtWay *way, const PtGraph *bound, PtWayReport *report,
                            GError **error);

#endif
