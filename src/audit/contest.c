/* contest.c: every adversary against every target. Families are dealt into folds; an adversary
 * meets a target after training on the targets of the other folds, and its scores are calibrated,
 * and stacked, by what it scored on those. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

static void deal(PtContest *c, uint32_t folds) {
  uint32_t n = c->targets->len;
  g_autofree uint32_t *family = g_new(uint32_t, (gsize)n + 1);
  for (guint i = 0; i < n; i++)
    family[i] = ((const PtCase *)c->targets->pdata[i])->family;
  c->n_folds = pt_deal(family, n, folds, c->fold);
}

static bool can_play(const PtContest *c, const PtAdversary *a) {
  for (guint i = 0; i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    for (guint k = 0; k < t->sights->len; k++) {
      const PtSight *v = t->sights->pdata[k];
      if ((a->needs_files && !v->has_file) || (a->needs_answers && !v->has_answer))
        return false;
    }
  }
  return true;
}

static void hide(const PtCase *t, PtCase *blind) {
  *blind = *t;
  blind->real = NULL;
}

typedef struct Playing {
  PtContest *contest;
  const PtAdversary *adversary;
  double **scores;
} Playing;

static void play_fold(size_t fold, void *data) {
  const Playing *p = data;
  PtContest *c = p->contest;
  const PtAdversary *a = p->adversary;
  double **scores = p->scores;
  g_autoptr(GPtrArray) others = g_ptr_array_new();
  for (guint i = 0; i < c->targets->len; i++)
    if (c->fold[i] != fold || c->n_folds == 1)
      g_ptr_array_add(others, c->targets->pdata[i]);
  PtTraining training = {.targets = others,
                         .seed = pt_seed_derive(&c->seed, a->name, fold),
                         .threads = c->threads,
                         .progress = c->progress};
  void *state = a->train ? a->train(&training) : NULL;
  for (guint i = 0; i < c->targets->len; i++)
    if (c->fold[i] == fold) {
      PtCase blind;
      hide(c->targets->pdata[i], &blind);
      a->score(state, &blind, scores[i]);
    }
  if (a->tuples && c->states)
    c->states[fold] = state;
  else if (a->free && state)
    a->free(state);
}

/* ---- the stack: all that the others say, weighed -----------------------------------------------
 */
static void deviations(const double *s, uint32_t n, float *z) {
  double mean = 0, square = 0;
  for (uint32_t i = 0; i < n; i++)
    mean += s[i] / n;
  for (uint32_t i = 0; i < n; i++)
    square += (s[i] - mean) * (s[i] - mean) / n;
  double scale = square > 1e-18 ? 1 / sqrt(square) : 0;
  for (uint32_t i = 0; i < n; i++)
    z[i] = (float)((s[i] - mean) * scale);
}

static void stack_rows(const PtContest *c, uint32_t i, uint32_t b, uint32_t rows, float *z) {
  const PtCase *t = c->targets->pdata[i];
  uint32_t n = t->buckets[b].n;
  for (uint32_t a = 0; a < rows; a++)
    deviations(c->rows[a].scores[i] + t->buckets[b].first, n, z + (gsize)a * n);
}

/* On all cases but those of fold `except`. */
static void fit_stack(const PtContest *c, uint32_t rows, uint32_t except, double *w) {
  PtLogit *logit = pt_logit_new(rows);
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(float));
  for (guint i = 0; i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    for (uint32_t b = 0; c->fold[i] != except && b < t->n_buckets; b++) {
      uint32_t n = t->buckets[b].n;
      g_array_set_size(room, n * rows);
      float *z = (float *)(void *)room->data;
      stack_rows(c, i, b, rows, z);
      pt_logit_begin(logit);
      for (uint32_t k = 0; k < n; k++) {
        pt_logit_row(logit);
        for (uint32_t a = 0; a < rows; a++)
          pt_logit_put(logit, a, z[(gsize)a * n + k]);
      }
      pt_logit_end(logit, t->real[b]);
    }
  }
  (void)pt_logit_fit(logit, 0.03, w);
  pt_logit_free(logit);
}

void pt_contest_weigh(const PtContest *c, uint32_t i, const double *w, uint32_t rows, double *out) {
  const PtCase *t = c->targets->pdata[i];
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(float));
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    uint32_t n = t->buckets[b].n;
    g_array_set_size(room, n * rows);
    float *z = (float *)(void *)room->data;
    stack_rows(c, i, b, rows, z);
    for (uint32_t k = 0; k < n; k++) {
      double sum = 0;
      for (uint32_t a = 0; a < rows; a++)
        sum += w[a] * (double)z[(gsize)a * n + k];
      out[t->buckets[b].first + k] = sum;
    }
  }
}

void pt_contest_stack(const PtContest *c, uint32_t rows, double *w) {
  if (rows)
    fit_stack(c, rows, PT_NONE, w);
}

void pt_contest_stack_others(const PtContest *c, uint32_t rows, double **scores) {
  g_autofree double *w = g_new0(double, (gsize)rows + 1);
  for (uint32_t fold = 0; fold < c->n_folds; fold++) {
    memset(w, 0, rows * sizeof *w);
    fit_stack(c, rows, fold, w);
    for (guint i = 0; i < c->targets->len; i++)
      if (c->fold[i] == fold)
        pt_contest_weigh(c, i, w, rows, scores[i]);
  }
}

/* ---- results --------------------------------------------------------------------------------- */
PtCalibration pt_contest_calibrate(const PtContest *c, double **scores, uint32_t except) {
  g_autoptr(GPtrArray) targets = g_ptr_array_new(), known = g_ptr_array_new();
  for (guint i = 0; i < c->targets->len; i++)
    if (c->fold[i] != except || c->n_folds == 1) {
      g_ptr_array_add(targets, c->targets->pdata[i]);
      g_ptr_array_add(known, scores[i]);
    }
  return pt_calibrate(targets, known);
}

static void calibrate(PtContest *c, PtContestRow *row) {
  for (uint32_t fold = 0; fold < c->n_folds; fold++) {
    PtCalibration how = pt_contest_calibrate(c, row->scores, fold);
    for (guint i = 0; i < c->targets->len; i++)
      if (c->fold[i] == fold)
        pt_results(c->targets->pdata[i], row->scores[i], &how, row->results[i]);
  }
}

PtContestRow *pt_contest_add_row(PtContest *c, const char *name, const char *looks,
                                 const char *remedy) {
  guint n = c->targets->len;
  PtContestRow *row = &c->rows[c->n_rows++];
  *row = (PtContestRow){
      name, looks, remedy, g_new0(double *, (gsize)n + 1), g_new0(PtBucketResult *, (gsize)n + 1),
      0};
  for (guint i = 0; i < n; i++) {
    const PtCase *t = c->targets->pdata[i];
    row->scores[i] = g_new0(double, (gsize)t->sights->len + 1);
    row->results[i] = g_new0(PtBucketResult, (gsize)t->n_buckets + 1);
  }
  return row;
}

PtContest *pt_contest_bare(GPtrArray *cases, uint32_t rows) {
  PtContest *c = g_new0(PtContest, 1);
  c->targets = g_ptr_array_ref(cases);
  c->fold = g_new0(uint32_t, (gsize)cases->len + 1);
  c->rows = g_new0(PtContestRow, (gsize)rows + 1);
  c->n_folds = 1;
  return c;
}

PtContest *pt_contest_new(GPtrArray *targets, const PtContestOptions *options, const PtSeed *seed) {
  uint32_t n = 0;
  while (pt_adversaries[n])
    n++;
  PtContest *c = pt_contest_bare(targets, n + 2);
  c->seed = *seed;
  c->threads = options->threads;
  c->progress = options->progress;
  deal(c, options->folds);
  for (uint32_t a = 0; a < n; a++) {
    const PtAdversary *adversary = pt_adversaries[a];
    if ((options->only && !g_strv_contains(options->only, adversary->name)) ||
        (options->quick && adversary->heavy) || !can_play(c, adversary))
      continue;
    PtContestRow *row = pt_contest_add_row(c, adversary->name, adversary->looks, adversary->remedy);
    if (adversary->tuples)
      c->states = g_new0(void *, (gsize)c->n_folds + 1);
    double start = pt_clock();
    Playing playing = {c, adversary, row->scores};
    pt_progress(&c->progress, adversary->name, a, n);
    pt_parallel_for(c->n_folds, c->threads, play_fold, &playing);
    calibrate(c, row);
    row->seconds = pt_clock() - start;
  }
  if (c->n_rows > 1 && c->n_folds > 1) {
    uint32_t rows = c->n_rows;
    PtContestRow *row = pt_contest_add_row(c, PT_STACK_NAME, PT_STACK_LOOKS, PT_STACK_REMEDY);
    pt_contest_stack_others(c, rows, row->scores);
    calibrate(c, row);
    pt_progress(&c->progress, PT_WHOLE_NAME, n, n);
    if (c->states)
      pt_contest_whole(c, &pt_adversary_tuples, rows - 1);
  }
  return c;
}

void pt_contest_free(PtContest *c) {
  if (!c)
    return;
  for (uint32_t a = 0; a < c->n_rows; a++) {
    for (guint i = 0; i < c->targets->len; i++) {
      g_free(c->rows[a].scores[i]);
      g_free(c->rows[a].results[i]);
    }
    g_free(c->rows[a].scores);
    g_free(c->rows[a].results);
  }
  for (uint32_t fold = 0; c->states && fold < c->n_folds; fold++)
    if (c->states[fold])
      pt_adversary_tuples.free(c->states[fold]);
  g_free(c->states);
  g_free(c->rows);
  g_free(c->fold);
  g_ptr_array_unref(c->targets);
  g_free(c);
}

/* ---- summaries ------------------------------------------------------------------------------- */
/* A mean's standard error over groups: the runs of one model; or, over all, the models, as runs of
 * one model are alike; or the seeds. */
enum { AREA, SHARE, FIRST, VALUES };
typedef struct Groups {
  GArray *of;  /* uint32_t: model, or run */
  GArray *sum; /* double: area, share kept, share first, how many */
} Groups;

static void add_run(Groups *g, uint32_t of, const double *values) {
  guint at = 0;
  while (at < g->of->len && g_array_index(g->of, uint32_t, at) != of)
    at++;
  if (at == g->of->len) {
    static const double zeros[VALUES + 1];
    g_array_append_val(g->of, of);
    g_array_append_vals(g->sum, zeros, VALUES + 1);
  }
  double *sum = &g_array_index(g->sum, double, (gsize)(VALUES + 1) * at);
  for (int i = 0; i < VALUES; i++)
    sum[i] += values[i];
  sum[VALUES] += 1;
}

static double error_of(const Groups *g, guint which) {
  double mean = 0, square = 0, n = g->of->len;
  for (guint i = 0; i < g->of->len; i++) {
    const double *sum = &g_array_index(g->sum, double, (gsize)(VALUES + 1) * i);
    mean += sum[which] / sum[VALUES] / n;
    square += sum[which] / sum[VALUES] * (sum[which] / sum[VALUES]) / n;
  }
  return n > 1 ? sqrt(MAX(square - mean * mean, 0) / (n - 1)) : 0;
}

PtSummary pt_contest_summary(const PtContest *c, uint32_t adversary, uint32_t model) {
  const PtContestRow *row = &c->rows[adversary];
  PtSummary s = {0};
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(PtBucketResult)),
                    of = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
                    sum = g_array_new(FALSE, FALSE, sizeof(double)),
                    of_seed = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
                    sum_seed = g_array_new(FALSE, FALSE, sizeof(double));
  Groups groups = {of, sum}, seeds = {of_seed, sum_seed};
  for (guint i = 0; i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    if (model != PT_NONE && t->model != model)
      continue;
    g_array_append_vals(all, row->results[i], t->n_buckets);
    double values[VALUES] = {pt_area(row->results[i], t->n_buckets), 0, 0};
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      const PtBucketResult *r = &row->results[i][b];
      values[SHARE] += r->bits / log2(r->n) / t->n_buckets;
      values[FIRST] += r->first / t->n_buckets;
    }
    add_run(&groups, model == PT_NONE ? t->model : i, values);
    add_run(&seeds, t->seed, values);
    s.runs++;
  }
  const PtBucketResult *r = (const PtBucketResult *)(void *)all->data;
  s.buckets = all->len;
  for (guint i = 0; i < all->len; i++) {
    s.bits += r[i].bits / all->len;
    s.most_bits += log2(r[i].n) / all->len;
    s.first += r[i].first / all->len;
    s.chance += 1.0 / r[i].n / all->len;
  }
  s.area = pt_area(r, all->len);
  s.even = pt_rank_test(r, all->len);
  s.area_error = error_of(&groups, AREA);
  s.bits_error = error_of(&groups, SHARE);
  s.first_error = error_of(&groups, FIRST);
  if (model == PT_NONE) {
    s.area_seeds = error_of(&seeds, AREA);
    s.bits_seeds = error_of(&seeds, SHARE);
  }
  s.bits = MIN(s.bits, s.most_bits);
  s.kept = s.most_bits > 0 ? s.bits / s.most_bits : 1;
  return s;
}
