/* likelihood: what follows what in real models. */
#include "populate/populate_private.h"

#include <math.h>

#define BACK_OFF 2.0 /* observations that the shorter context is worth */
#define FLOOR 0.05   /* of a token that was never seen */

struct PtLikelihood {
  GHashTable *counts; /* key (uint64_t) -> double, of an event and of its context */
  uint32_t kinds, width_kinds;
};
enum { UNIGRAM = 1, BIGRAM, TRIGRAM, CONTEXT1, CONTEXT2, RATIO, PAIR, PAIR_OF };

PtLikelihood *pt_likelihood_new(void) {
  PtLikelihood *l = g_new0(PtLikelihood, 1);
  l->counts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
  return l;
}

void pt_likelihood_free(PtLikelihood *l) {
  if (!l)
    return;
  g_hash_table_unref(l->counts);
  g_free(l);
}

static uint64_t key_of(uint64_t kind, uint64_t a, uint64_t b, uint64_t c) {
  return pt_hash_mix(pt_hash_mix(pt_hash_mix(kind, a), b), c);
}

/* True if it is new. */
static bool add(PtLikelihood *l, uint64_t key, double count) {
  double *at = g_hash_table_lookup(l->counts, &key);
  if (at) {
    *at += count;
    return false;
  }
  g_hash_table_insert(l->counts, g_memdup2(&key, sizeof key), g_memdup2(&count, sizeof count));
  return true;
}

static double get(const PtLikelihood *l, uint64_t key) {
  const double *at = g_hash_table_lookup(l->counts, &key);
  return at ? *at : 0;
}

void pt_likelihood_add(PtLikelihood *l, uint64_t before2, uint64_t before, uint64_t token,
                       double count) {
  l->kinds += add(l, key_of(UNIGRAM, token, 0, 0), count);
  add(l, key_of(UNIGRAM, 0, 0, 1), count);
  add(l, key_of(BIGRAM, before, token, 0), count);
  add(l, key_of(CONTEXT1, before, 0, 0), count);
  add(l, key_of(TRIGRAM, before2, before, token), count);
  add(l, key_of(CONTEXT2, before2, before, 0), count);
}

double pt_likelihood_log(const PtLikelihood *l, uint64_t before2, uint64_t before, uint64_t token) {
  double p1 = (get(l, key_of(UNIGRAM, token, 0, 0)) + FLOOR) /
              (get(l, key_of(UNIGRAM, 0, 0, 1)) + FLOOR * (l->kinds + 1));
  double p2 = (get(l, key_of(BIGRAM, before, token, 0)) + BACK_OFF * p1) /
              (get(l, key_of(CONTEXT1, before, 0, 0)) + BACK_OFF);
  double p3 = (get(l, key_of(TRIGRAM, before2, before, token)) + BACK_OFF * p2) /
              (get(l, key_of(CONTEXT2, before2, before, 0)) + BACK_OFF);
  return log(p3);
}

/* ---- widths -----------------------------------------------------------------------------------
 */
/* out / in, reduced. */
static uint64_t ratio_of(int32_t in, int32_t out) {
  int32_t a = MAX(in, 1), b = MAX(out, 1);
  while (b) {
    int32_t rest = a % b;
    a = b;
    b = rest;
  }
  return (uint64_t)(uint32_t)(MAX(out, 1) / a) << 32 | (uint32_t)(MAX(in, 1) / a);
}

void pt_likelihood_add_width(PtLikelihood *l, int32_t in, int32_t out, double count) {
  l->width_kinds += add(l, key_of(RATIO, ratio_of(in, out), 0, 0), count);
  add(l, key_of(RATIO, 0, 0, 1), count);
  add(l, key_of(PAIR, (uint32_t)in, (uint32_t)out, 0), count);
  add(l, key_of(PAIR_OF, (uint32_t)in, 0, 0), count);
}

double pt_likelihood_log_width(const PtLikelihood *l, int32_t in, int32_t out) {
  double p1 = (get(l, key_of(RATIO, ratio_of(in, out), 0, 0)) + FLOOR) /
              (get(l, key_of(RATIO, 0, 0, 1)) + FLOOR * (l->width_kinds + 1));
  double p2 = (get(l, key_of(PAIR, (uint32_t)in, (uint32_t)out, 0)) + BACK_OFF * p1) /
              (get(l, key_of(PAIR_OF, (uint32_t)in, 0, 0)) + BACK_OFF);
  return log(p2);
}
