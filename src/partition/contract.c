/* contract: the paper's Karger-Stein contraction (4.1.1): many trials (race.c), the smallest spread
 * of sizes wins.  A trial is O(edges log edges) while degrees are bounded. */
#include "partition/race_private.h"

#include <math.h>
#include <string.h>

#define TRIALS_WORK 6000000 /* entries into races, all trials together */
#define SEARCH_BUDGET 500   /* edges looked at to see that a merge makes no cycle; else it waits */

/* ---- a trial --------------------------------------------------------------------------------- */
static void contract_within(PtTrial *t, PtRule rule) {
  pt_race(t, rule);
  if (t->q->alive <= t->n)
    return;
  uint32_t before = t->q->alive;
  pt_pack_siblings(t, rule);
  if (t->q->alive < before)
    pt_race(t, rule);
}

/* Exactly n: sizes may grow step by step. Mirrored to the end, sizes double at every step, which
 * suits few trials; so most mirror only while clusters are small beside the pieces. */
static void contract_to(PtTrial *t, double mean, double start, double mirrored) {
  static const double factors[] = {1, 1.15, 1.3, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10};
  if (mirrored < 1)
    pt_race(t, (PtRule){(uint32_t)lround(MAX(mean * mirrored, 2)), false});
  t->mirror &= mirrored >= 1;
  for (size_t i = 0; i < G_N_ELEMENTS(factors) && t->q->alive > t->n; i++)
    contract_within(t, (PtRule){(uint32_t)lround(MAX(mean * start * factors[i], 2)), false});
  do {
    while (t->q->alive > t->n && pt_race(t, (PtRule){UINT32_MAX, false}))
      ;
    t->budget = t->budget == PT_NO_BUDGET ? 0 : PT_NO_BUDGET;
  } while (t->budget && t->q->alive > t->n);
  if (t->q->alive > t->n)
    pt_join_apart(t);
}

static void contract_auto(PtTrial *t, uint32_t first) {
  t->n = 1;
  pt_race(t, (PtRule){first, false});
  pt_race(t, (PtRule){PT_AUTO_MOST, false});
  pt_pack_siblings(t, (PtRule){PT_AUTO_MOST, true});
  pt_race(t, (PtRule){PT_AUTO_MOST + PT_AUTO_LEAST, true});
}

/* ---- choosing -------------------------------------------------------------------------------- */
typedef struct Trials {
  const PtQuotient *q;
  const PtPartitionOptions *options;
  const PtSeed *seed;
  uint32_t n;
  uint64_t total; /* owned nodes */
  GMutex lock;
  double best;              /* score */
  size_t best_index, first; /* first: added to the index of a task */
  uint32_t *of;             /* [q->n] of the best */
  uint32_t count;           /* its pieces */
  uint64_t work;            /* of the first trial */
} Trials;

static int compare_u64(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint32_t distinct(const PtQuotient *q, const uint32_t *of, uint32_t count) {
  g_autofree uint64_t *hash = g_new(uint64_t, count + 1);
  uint32_t kinds = 0;
  pt_quotient_structure(q, of, count, hash);
  qsort(hash, count, sizeof *hash, compare_u64);
  for (uint32_t i = 0; i < count; i++)
    kinds += i == 0 || hash[i] != hash[i - 1];
  return kinds;
}

/* Items whose values leave their pieces. */
static uint32_t borders(const PtQuotient *q, const uint32_t *of) {
  uint32_t count = 0, last = PT_NONE;
  for (uint32_t e = 0; e < q->m; e++) /* sorted by src */
    if (of[q->edges[e].src] != of[q->edges[e].dst] && q->edges[e].src != last) {
      last = q->edges[e].src;
      count++;
    }
  return count;
}

/* The paper's standard deviation, over the mean; to which -n auto adds how far sizes are from its
 * range and aim, and the fusion-aware mode the part of pieces that are equal to no other, and
 * borders. Smaller is better. */
static double score(const Trials *s, const uint32_t *of, uint32_t count) {
  g_autofree uint32_t *size = g_new0(uint32_t, count + 1);
  double mean = (double)s->total / count, squares = 0, outside = 0, missed = 0;
  for (uint32_t i = 0; i < s->q->n; i++)
    size[of[i]] += s->q->size[i];
  for (uint32_t i = 0; i < count; i++) {
    squares += (size[i] - mean) * (size[i] - mean);
    outside += pt_size_misses(size[i]) > 0;
    missed += pt_size_misses(size[i]);
  }
  double result = sqrt(squares / count) / mean;
  if (!s->n)
    result +=
        4 * missed / (double)s->total + 0.3 * outside / count + 0.02 * fabs(mean - PT_AUTO_SIZE);
  if (!s->options->plain)
    result +=
        (s->n ? 0.5 : 1) * (0.5 * distinct(s->q, of, count) + 0.1 * borders(s->q, of)) / count;
  return result;
}

static void run_trial(size_t index, void *data) {
  Trials *s = data;
  index += s->first;
  g_autoptr(PtQuotient) q = pt_quotient_copy(s->q);
  g_autoptr(PtRng) rng = pt_rng_new(s->seed, "partition trial", index);
  g_autofree double *time = g_new(double, q->m + 1);
  g_autofree uint32_t *of = g_new(uint32_t, q->n + 1);
  g_autoptr(GArray) around = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  PtTrial t = {.q = q,
               .time = time,
               .around = around,
               .salt = pt_rng_u64(rng),
               .sharpness = 1.0 + (double)(index % 3),
               .mirror = !s->options->plain,
               .budget = SEARCH_BUDGET,
               .n = s->n};
  if (s->n)
    contract_to(&t, (double)s->total / s->n, 1.1 + 0.1 * (double)(index / 3 % 4),
                index % 2   ? 0.5
                : index % 4 ? 0.25
                            : 1);
  else
    contract_auto(&t, PT_AUTO_SIZE + (uint32_t)(index / 3 % 5));
  g_free(t.heap);
  pt_quotient_number(q, of);
  double result = score(s, of, q->alive);
  g_mutex_lock(&s->lock);
  if (index == 0)
    s->work = t.work;
  if (!s->of || result < s->best || (result == s->best && index < s->best_index)) {
    g_free(s->of);
    s->of = g_steal_pointer(&of);
    s->count = q->alive;
    s->best = result;
    s->best_index = index;
  }
  g_mutex_unlock(&s->lock);
}

uint32_t pt_contract(const PtQuotient *q, uint32_t n, const PtPartitionOptions *options,
                     const PtSeed *seed, uint32_t *of) {
  if (q->n == 0)
    return 0;
  if (n == 1) {
    memset(of, 0, q->n * sizeof *of);
    return 1;
  }
  Trials s = {.q = q, .options = options, .seed = seed, .n = n};
  for (uint32_t i = 0; i < q->n; i++)
    s.total += q->size[i];
  g_mutex_init(&s.lock);
  /* the first tells how many more fit: by its work, not by time, so that the result stays the same
   */
  run_trial(0, &s);
  size_t trials = options->trials ? options->trials : CLAMP(TRIALS_WORK / (s.work + 1), 6, 300);
  s.first = 1;
  pt_parallel_for(trials - 1, options->threads, run_trial, &s);
  g_mutex_clear(&s.lock);
  memcpy(of, s.of, q->n * sizeof *of);
  g_free(s.of);
  return s.count;
}
