/* whole.c: the honest search space: how likely the real tuple is among all of them, when each
 * candidate counts as all adversaries weigh it and each pair as much as it looks like one model's.
 */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

#define PARTICLES 256
#define EVEN 0.01 /* of the posterior is even over tuples */
#define FLOOR 1e-6

static const double strengths[] = {0, 0.25, 0.5, 0.75, 1, 1.5, 2};
enum { STRENGTHS = G_N_ELEMENTS(strengths) };

/* What one case's real tuple and candidates get at each strength. */
typedef struct Laws {
  double log_share[STRENGTHS];
  double *marginals; /* [STRENGTHS][candidates] */
} Laws;

static void draw_laws(const PtAdversary *a, const void *state, const PtCase *t, const double *base,
                      const PtCalibration *how, unsigned threads, Laws *out) {
  PtTuples tuples;
  gsize size = t->sights->len;
  g_autofree uint32_t *real = g_new(uint32_t, (gsize)t->n_buckets + 1);
  PtCase blind = *t;
  blind.real = NULL;
  out->marginals = g_new0(double, STRENGTHS *size + 1);
  if (!a->tuples(state, &blind, threads, &tuples))
    tuples = (PtTuples){t->n_buckets, t->buckets, g_new0(double, size + 1),
                        g_new0(double, size + 1), NULL};
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    uint32_t first = t->buckets[b].first;
    pt_posterior(how, base + first, t->buckets[b].n, tuples.base + first);
    for (uint32_t i = first; i < first + t->buckets[b].n; i++)
      tuples.base[i] = log(tuples.base[i]);
  }
  PtTupleDraw draw = {
      .strengths = strengths, .n_strengths = tuples.pair ? STRENGTHS : 1, .particles = PARTICLES};
  pt_seed_init(&draw.seed, "whole");
  pt_tuples_real(t, real);
  pt_tuples_draw(&tuples, real, &draw, out->log_share, out->marginals);
  for (uint32_t s = draw.n_strengths; s < STRENGTHS; s++) { /* no pairs: nothing changes */
    out->log_share[s] = out->log_share[0];
    memcpy(out->marginals + s * size, out->marginals, size * sizeof(double));
  }
  pt_tuples_clear(&tuples);
}

/* Bits of the real tuple, dealt to buckets as their own bits are. */
static void results(const PtCase *t, const Laws *l, uint32_t s, double *scores,
                    PtBucketResult *out) {
  static const PtCalibration as_it_is = {1, false};
  double best = 0, sum = 0;
  for (guint i = 0; i < t->sights->len; i++)
    scores[i] = log(l->marginals[s * t->sights->len + i] + FLOOR);
  pt_results(t, scores, &as_it_is, out);
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    best += log2(t->buckets[b].n);
    sum += out[b].bits;
  }
  double bits = -(MAX(l->log_share[s] + log(1 - EVEN), log(EVEN) - best * M_LN2)) / M_LN2;
  for (uint32_t b = 0; b < t->n_buckets; b++)
    out[b].bits *= sum > 0 ? bits / sum : 1;
}

static uint32_t choose(const PtContest *c, const Laws *laws, uint32_t except) {
  double sum[STRENGTHS] = {0};
  uint32_t best = 0;
  for (guint i = 0; i < c->targets->len; i++)
    for (uint32_t s = 0; c->fold[i] != except && s < STRENGTHS; s++)
      sum[s] += laws[i].log_share[s];
  for (uint32_t s = 1; s < STRENGTHS; s++)
    if (sum[s] > sum[best] + (best ? 0 : 1e-3 * c->targets->len))
      best = s;
  return best;
}

typedef struct Weighing {
  const PtContest *c;
  const PtAdversary *adversary;
  double **base;
  const PtCalibration *how; /* [folds] */
  Laws *laws;
} Weighing;

static void weigh_task(size_t i, void *data) {
  const Weighing *w = data;
  uint32_t fold = w->c->fold[i];
  draw_laws(w->adversary, w->c->states[fold], w->c->targets->pdata[i], w->base[i], &w->how[fold], 1,
            &w->laws[i]);
}

void pt_contest_whole(PtContest *c, const PtAdversary *adversary, uint32_t rows) {
  guint n = c->targets->len;
  g_autoptr(GPtrArray) base = g_ptr_array_new_with_free_func(g_free);
  g_autofree PtCalibration *how = g_new0(PtCalibration, (gsize)c->n_folds + 1);
  g_autofree Laws *laws = g_new0(Laws, (gsize)n + 1);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add(base,
                    g_new0(double, (gsize)((const PtCase *)c->targets->pdata[i])->sights->len + 1));
  double **scores = (double **)base->pdata;
  pt_contest_stack_others(c, rows, scores);
  for (uint32_t fold = 0; fold < c->n_folds; fold++)
    how[fold] = pt_contest_calibrate(c, scores, fold);
  Weighing w = {c, adversary, scores, how, laws};
  pt_parallel_for(n, c->threads, weigh_task, &w);
  PtContestRow *row = pt_contest_add_row(c, PT_WHOLE_NAME, PT_WHOLE_LOOKS, PT_WHOLE_REMEDY);
  for (guint i = 0; i < n; i++)
    results(c->targets->pdata[i], &laws[i], choose(c, laws, c->fold[i]), row->scores[i],
            row->results[i]);
  c->whole = (PtWhole){.how = pt_contest_calibrate(c, scores, PT_NONE),
                       .strength = strengths[choose(c, laws, PT_NONE)]};
  for (guint i = 0; i < n; i++)
    g_free(laws[i].marginals);
}

void pt_whole_hear(PtContest *c, const PtAdversary *adversary, const void *state,
                   const PtWhole *whole, const double *base) {
  const PtCase *t = c->targets->pdata[0];
  Laws laws;
  uint32_t s = 0;
  while (s + 1 < STRENGTHS && strengths[s] < whole->strength)
    s++;
  draw_laws(adversary, state, t, base, &whole->how, 0, &laws);
  PtContestRow *row = pt_contest_add_row(c, PT_WHOLE_NAME, PT_WHOLE_LOOKS, PT_WHOLE_REMEDY);
  results(t, &laws, s, row->scores[0], row->results[0]);
  g_free(laws.marginals);
}
