/* recombine.h: a model made of one candidate a bucket, as whoever has the bundle might try. */
#ifndef PT_TEST_OBFUSCATE_RECOMBINE_H
#define PT_TEST_OBFUSCATE_RECOMBINE_H

#include "bundle/bundle.h"
#include "runtime/runtime.h"

typedef struct PtRecombination {
  PtGraph *model;     /* as it was read, with types */
  const char *bundle; /* folder */
  const PtSecret *secret;
} PtRecombination;

/* choice[bucket]: index into its candidates. The secret says how pieces are wired; kept pieces are
 * the model's own. NULL: a candidate cannot be read. */
PtGraph *pt_recombine(const PtRecombination *of, const uint32_t *choice, GError **error);
/* A random choice, all candidates as likely. */
void pt_recombine_draw(const PtSecret *secret, PtRng *rng, uint32_t *choice);
typedef struct PtRecombined {
  bool loads, runs, finite;
} PtRecombined;
/* At this level, on the model's random inputs, which may be NULL: it is only loaded. */
PtRecombined pt_recombine_try(const PtRecombination *of, PtGraph *graph, PtLevel level,
                              const GPtrArray *inputs, GError **error);

#endif
