/* adversary_pi.c: the generator's own likelihood, which whoever has the program has. */
#include "audit/audit_private.h"

#include <math.h>

static void score(const PtCase *t, double sign, double *out) {
  for (guint i = 0; i < t->sights->len; i++) {
    double p = ((const PtSight *)t->sights->pdata[i])->log_pi;
    out[i] = isfinite(p) ? sign * p : 0;
  }
}

static void score_high(const void *state, const PtCase *t, double *out) {
  (void)state;
  score(t, 1, out);
}

static void score_low(const void *state, const PtCase *t, double *out) {
  (void)state;
  score(t, -1, out);
}

const PtAdversary pt_adversary_pi_high = {
    .name = "pi-high",
    .looks = "the candidate likeliest under the generator's own distribution",
    .remedy = "this piece is more typical than its sentinels: " PT_REMEDY_WALK,
    .needs_pi = true,
    .score = score_high};
const PtAdversary pt_adversary_pi_low = {
    .name = "pi-low",
    .looks = "the candidate least likely under the generator's own distribution",
    .remedy = PT_REMEDY_FINER,
    .needs_pi = true,
    .score = score_low};
