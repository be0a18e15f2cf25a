/* The optimize room's inside: a run, one candidate, an outside program. */
#ifndef PT_OPTIMIZE_PRIVATE_H
#define PT_OPTIMIZE_PRIVATE_H

#include "bundle/bundle.h"
#include "graph/graph.h"
#include "optimize/optimize.h"
#include "runtime/runtime.h"

/* A tool's answer may not be larger than this many times what it was sent (plus a floor). */
#define PT_ANSWER_NODES_FACTOR 20
#define PT_ANSWER_NODES_FLOOR 10000

typedef struct PtOptimizeRun {
  const char *bundle; /* folder, has noise.bin */
  const char *out;    /* folder */
  const PtNoise *noise;
  char **command; /* argv with {in} and {out}; NULL: ONNX Runtime in this process */
  PtLevel level;
  bool native;
  double timeout; /* seconds for an outside program */
} PtOptimizeRun;

/* One candidate from bundle to OUT/ID.onnx. `scratch`: a folder of this worker alone; for outside
 * programs it has its own copy of noise.bin. *bytes receives the size of what was written. */
bool pt_optimize_candidate(const PtOptimizeRun *run, const PtCandidate *candidate,
                           const char *scratch, uint64_t *bytes, GError **error);
/* True if OUT/ID.onnx is there and can be read as an answer. */
bool pt_optimize_is_done(const PtOptimizeRun *run, const PtCandidate *candidate);

/* Splits a command line as a shell would, without one. PT_ERR_USAGE without {in} and {out},
 * PT_ERR_ENVIRONMENT when the program is not there. */
char **pt_outside_parse(const char *command, GError **error);
/* Runs it in a process group of its own; everything in it is killed after `timeout` seconds.
 * PT_ERR_LIMIT: time is up; PT_ERR_REFUSED: it failed, with the last line of its stderr. */
bool pt_outside_run(char *const *command, const char *in, const char *out, double timeout,
                    GError **error);

#endif
