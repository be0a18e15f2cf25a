/* adversary_twins.c: models repeat themselves: the candidate that has a near-twin in another bucket
 * is real, if sentinels have none. Where they have, the one without. */
#include "audit/audit_private.h"

typedef struct Looking {
  const PtCase *target;
  const uint32_t *bucket; /* of each candidate */
  double sign, *out;
  bool gap; /* how far the twin stands out of its bucket, not how near it is */
} Looking;

static void look(size_t i, void *data) {
  Looking *l = data;
  const PtCase *t = l->target;
  const PtSight *v = t->sights->pdata[i];
  double sum = 0;
  uint32_t found = 0;
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    if (b == l->bucket[i])
      continue;
    double best = 0, mean = 0;
    for (uint32_t k = 0; k < t->buckets[b].n; k++) {
      double s = pt_sparse_cosine(&v->labels, &pt_case_sight(t, b, k)->labels);
      best = MAX(best, s);
      mean += s / t->buckets[b].n;
    }
    /* the nearest bucket counts most, the others break ties */
    sum += l->gap ? best - mean : best * best * best * best;
    found++;
  }
  l->out[i] = found ? l->sign * sum : 0;
}

static void score(const PtCase *t, double sign, bool gap, double *out) {
  g_autofree uint32_t *bucket = g_new0(uint32_t, (gsize)t->sights->len + 1);
  for (uint32_t b = 0; b < t->n_buckets; b++)
    for (uint32_t i = 0; i < t->buckets[b].n; i++)
      bucket[t->buckets[b].first + i] = b;
  Looking l = {t, bucket, sign, out, gap};
  pt_parallel_for(t->sights->len, 0, look, &l);
}

static void score_near(const void *state, const PtCase *t, double *out) {
  (void)state;
  score(t, 1, false, out);
}

static void score_far(const void *state, const PtCase *t, double *out) {
  (void)state;
  score(t, -1, false, out);
}

static void score_gap(const void *state, const PtCase *t, double *out) {
  (void)state;
  score(t, 1, true, out);
}

const PtAdversary pt_adversary_twin_near = {
    .name = "twin-near",
    .looks = "the candidate most like one of another bucket",
    .remedy = "sentinels share the model's habits too little: mode walk, then " PT_REMEDY_FINER,
    .score = score_near};
const PtAdversary pt_adversary_twin_far = {
    .name = "twin-far",
    .looks = "the candidate least like any of another bucket",
    .remedy = "this piece is unlike the rest of its model: another seed or n cuts it differently",
    .score = score_far};
const PtAdversary pt_adversary_twin_gap = {
    .name = "twin-gap",
    .looks = "the candidate like one candidate of other buckets and unlike the rest of them",
    .remedy = "sentinels share the model's habits too little: mode walk, then " PT_REMEDY_FINER,
    .score = score_gap};
