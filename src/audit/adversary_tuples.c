/* adversary_tuples.c: the whole model at once: a tuple has a candidate of each bucket, and is the
 * likelier the more its pairs look like one model's. How much each likeness counts is learned on
 * other models by pseudo-likelihood: which candidate of a bucket suits the real pieces of the
 * others? How much all of it counts, by what the law of whole tuples then says of held-out models'
 * real ones. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

#define L2 0.02
#define TUNING 48   /* particles */
#define SCORING 256 /* likewise */
#define LEAST 1e-3  /* nats a bucket that held-out models must gain */
#define MOST 8000   /* candidates: the matrix of pairs has their square */
#define FLOOR 1e-4

/* With one candidate of each other bucket; with all of them. */
enum { COLUMNS = 2 * PT_LIKENESS };

static const double strengths[] = {0, 0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.4, 2};

typedef struct Coherence {
  double pair[PT_LIKENESS], alone[PT_LIKENESS]; /* weights */
  double strength;
} Coherence;

/* Pairs are not independent evidence: between their sum and their mean. */
static float scale_of(const PtCase *t) {
  return t->n_buckets > 1 ? 1 / sqrtf((float)(t->n_buckets - 1)) : 0;
}

/* ---- what is learned from -------------------------------------------------------------------- */
typedef struct Design {
  const PtCase *t;
  const PtLikeness *l;
  float *rows;
} Design;

/* rows of a bucket's candidates [COLUMNS]: likeness to the real pieces of the other buckets, summed
 * up; mean likeness to their candidates, summed up. */
static void design_bucket(size_t b, void *data) {
  const Design *d = data;
  const PtCase *t = d->t;
  float one[PT_LIKENESS];
  PtDesk *desk = pt_desk_new(d->l);
  for (uint32_t i = t->buckets[b].first; i < t->buckets[b].first + t->buckets[b].n; i++) {
    float *row = d->rows + (gsize)i * COLUMNS;
    for (uint32_t c = 0; c < t->n_buckets; c++)
      for (uint32_t k = 0; c != b && k < t->buckets[c].n; k++) {
        float n = (float)t->buckets[c].n;
        pt_likeness(desk, i, t->buckets[c].first + k, one);
        for (uint32_t f = 0; f < PT_LIKENESS; f++) {
          row[f] += k == t->real[c] ? one[f] : 0;
          row[PT_LIKENESS + f] += one[f] / n;
        }
      }
    for (uint32_t f = 0; f < COLUMNS; f++)
      row[f] *= scale_of(t);
  }
  pt_desk_free(desk);
}

static float *design(const PtCase *t) {
  float *rows = g_new0(float, (gsize)t->sights->len *COLUMNS + 1);
  PtLikeness *l = pt_likeness_new(t);
  Design d = {t, l, rows};
  pt_parallel_for(t->n_buckets, 0, design_bucket, &d);
  pt_likeness_free(l);
  return rows;
}

static void design_task(size_t i, void *data) {
  const PtCase *t = ((GPtrArray *)data)->pdata[i];
  g_mutex_lock(&t->alike->lock);
  if (!t->alike->rows)
    t->alike->rows = design(t);
  g_mutex_unlock(&t->alike->lock);
}

/* Deviations of the columns within buckets, over all cases. */
static void spread(GPtrArray *cases, double *deviation) {
  double count = 0;
  memset(deviation, 0, COLUMNS * sizeof *deviation);
  for (guint i = 0; i < cases->len; i++) {
    const PtCase *t = cases->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++, count++) {
      const float *rows = t->alike->rows + (gsize)t->buckets[b].first * COLUMNS;
      double n = t->buckets[b].n;
      for (uint32_t f = 0; f < COLUMNS; f++) {
        double mean = 0, square = 0;
        for (uint32_t k = 0; k < t->buckets[b].n; k++)
          mean += (double)rows[k * COLUMNS + f] / n;
        for (uint32_t k = 0; k < t->buckets[b].n; k++) {
          double d = (double)rows[k * COLUMNS + f] - mean;
          square += d * d / n;
        }
        deviation[f] += square;
      }
    }
  }
  for (uint32_t f = 0; f < COLUMNS; f++)
    deviation[f] = count > 0 ? sqrt(deviation[f] / count) : 0;
}

/* On the cases whose fold is not `except`. */
static void fit(GPtrArray *all, const uint32_t *fold, uint32_t except, Coherence *out) {
  g_autoptr(GPtrArray) cases = g_ptr_array_new();
  double deviation[COLUMNS], w[COLUMNS] = {0};
  for (guint i = 0; i < all->len; i++)
    if (fold[i] != except && ((const PtCase *)all->pdata[i])->n_buckets > 1)
      g_ptr_array_add(cases, all->pdata[i]);
  *out = (Coherence){.strength = 1};
  if (cases->len == 0)
    return;
  spread(cases, deviation);
  PtLogit *logit = pt_logit_new(COLUMNS);
  for (guint i = 0; i < cases->len; i++) {
    const PtCase *t = cases->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      const float *rows = t->alike->rows + (gsize)t->buckets[b].first * COLUMNS;
      pt_logit_begin(logit);
      for (uint32_t k = 0; k < t->buckets[b].n; k++) {
        pt_logit_row(logit);
        for (uint32_t f = 0; f < COLUMNS; f++)
          if (deviation[f] > 1e-9)
            pt_logit_put(logit, f, rows[k * COLUMNS + f] / (float)deviation[f]);
      }
      pt_logit_end(logit, t->real[b]);
    }
  }
  (void)pt_logit_fit(logit, L2, w);
  pt_logit_free(logit);
  for (uint32_t f = 0; f < PT_LIKENESS; f++) {
    out->pair[f] = deviation[f] > 1e-9 ? w[f] / deviation[f] : 0;
    out->alone[f] =
        deviation[PT_LIKENESS + f] > 1e-9 ? w[PT_LIKENESS + f] / deviation[PT_LIKENESS + f] : 0;
  }
}

/* ---- the law --------------------------------------------------------------------------------- */
typedef struct Filling {
  const Coherence *c;
  const PtLikeness *l;
  const PtCase *t;
  PtTuples *out;
} Filling;

/* A bucket's rows of the matrix. */
static void fill_bucket(size_t b, void *data) {
  const Filling *f = data;
  const PtCase *t = f->t;
  float one[PT_LIKENESS], scale = scale_of(t) * (float)f->c->strength;
  gsize size = t->sights->len;
  PtDesk *desk = pt_desk_new(f->l);
  for (uint32_t i = t->buckets[b].first; i < t->buckets[b].first + t->buckets[b].n; i++)
    for (uint32_t c = 0; c < t->n_buckets; c++)
      for (uint32_t k = 0; c != b && k < t->buckets[c].n; k++) {
        uint32_t to = t->buckets[c].first + k;
        double pair = 0, alone = 0;
        pt_likeness(desk, i, to, one);
        for (uint32_t x = 0; x < PT_LIKENESS; x++) {
          pair += f->c->pair[x] * (double)one[x];
          alone += f->c->alone[x] * (double)one[x];
        }
        f->out->pair[i * size + to] = scale * (float)pair;
        f->out->alone[i] += (double)scale * alone / t->buckets[c].n;
      }
  pt_desk_free(desk);
}

static bool tuples_of(const void *state, const PtCase *t, unsigned threads, PtTuples *out) {
  const Coherence *c = state;
  gsize size = t->sights->len;
  if (c->strength <= 0 || t->n_buckets < 2 || size > MOST)
    return false;
  *out = (PtTuples){.n = t->n_buckets,
                    .buckets = t->buckets,
                    .base = g_new0(double, size),
                    .alone = g_new0(double, size),
                    .pair = g_new0(float, size *size)};
  PtLikeness *l = pt_likeness_new(t);
  Filling f = {c, l, t, out};
  pt_parallel_for(t->n_buckets, threads, fill_bucket, &f);
  for (gsize i = 0; i < size; i++) /* symmetric to the last bit */
    for (gsize k = 0; k < i; k++)
      out->pair[i * size + k] = out->pair[k * size + i];
  pt_likeness_free(l);
  return true;
}

void pt_tuples_clear(PtTuples *t) {
  g_free(t->base);
  g_free(t->alone);
  g_free(t->pair);
  *t = (PtTuples){0};
}

void pt_tuples_real(const PtCase *t, uint32_t *tuple) {
  for (uint32_t b = 0; b < t->n_buckets; b++)
    tuple[b] = t->buckets[b].first + t->real[b];
}

/* ---- how much it counts ---------------------------------------------------------------------- */
typedef struct Tuning {
  GPtrArray *cases; /* one a model */
  const uint32_t *fold;
  Coherence halves[2];
  double *gain; /* [cases][strengths] nats of the real tuple */
  PtSeed seed;
} Tuning;

static void tune_task(size_t i, void *data) {
  const Tuning *x = data;
  const PtCase *t = x->cases->pdata[i];
  double *gain = x->gain + i * G_N_ELEMENTS(strengths);
  PtTuples tuples;
  if (t->seed != 0 || !tuples_of(&x->halves[x->fold[i]], t, 1, &tuples))
    return;
  g_autofree uint32_t *real = g_new(uint32_t, (gsize)t->n_buckets + 1);
  PtTupleDraw how = {.strengths = strengths,
                     .n_strengths = G_N_ELEMENTS(strengths),
                     .particles = TUNING,
                     .seed = pt_seed_derive(&x->seed, "tune", i)};
  pt_tuples_real(t, real);
  pt_tuples_draw(&tuples, real, &how, gain, NULL);
  pt_tuples_clear(&tuples);
}

static double tune(const PtTraining *training, const uint32_t *fold) {
  GPtrArray *cases = training->targets;
  g_autofree double *gain = g_new0(double, (gsize)cases->len *G_N_ELEMENTS(strengths) + 1);
  Tuning x = {.cases = cases, .fold = fold, .gain = gain, .seed = training->seed};
  double sum[G_N_ELEMENTS(strengths)] = {0}, buckets = 0;
  uint32_t best = 0;
  for (uint32_t half = 0; half < 2; half++)
    fit(cases, fold, half, &x.halves[half]);
  pt_parallel_for(cases->len, training->threads, tune_task, &x);
  for (guint i = 0; i < cases->len; i++) {
    const PtCase *t = cases->pdata[i];
    buckets += t->seed == 0 ? t->n_buckets : 0;
    for (uint32_t s = 0; s < G_N_ELEMENTS(strengths); s++)
      sum[s] += gain[i * G_N_ELEMENTS(strengths) + s];
  }
  for (uint32_t s = 1; s < G_N_ELEMENTS(strengths); s++)
    if (sum[s] > sum[best] + (best ? 0 : LEAST * buckets))
      best = s;
  return strengths[best];
}

/* ---- the adversary --------------------------------------------------------------------------- */
static void *train(const PtTraining *training) {
  GPtrArray *cases = training->targets;
  Coherence *c = g_new0(Coherence, 1);
  g_autofree uint32_t *family = g_new0(uint32_t, (gsize)cases->len + 1),
                      *fold = g_new0(uint32_t, (gsize)cases->len + 1);
  for (guint i = 0; i < cases->len; i++)
    family[i] = ((const PtCase *)cases->pdata[i])->family;
  pt_parallel_for(cases->len, training->threads, design_task, cases);
  bool held_out = pt_deal(family, cases->len, 2, fold) == 2;
  double strength = held_out ? tune(training, fold) : 1;
  fit(cases, fold, PT_NONE, c);
  c->strength = strength;
  return c;
}

static void score(const void *state, const PtCase *t, double *out) {
  static const double one[] = {1};
  PtTuples tuples;
  for (guint i = 0; i < t->sights->len; i++)
    out[i] = 0;
  if (!tuples_of(state, t, 0, &tuples))
    return;
  PtTupleDraw how = {.strengths = one, .n_strengths = 1, .particles = SCORING};
  pt_seed_init(&how.seed, "tuples");
  pt_tuples_draw(&tuples, NULL, &how, NULL, out);
  for (guint i = 0; i < t->sights->len; i++)
    out[i] = log(out[i] + FLOOR);
  pt_tuples_clear(&tuples);
}

static void write_state(const void *state, GByteArray *out) {
  const Coherence *c = state;
  for (uint32_t f = 0; f < PT_LIKENESS; f++) {
    pt_put_double(out, c->pair[f]);
    pt_put_double(out, c->alone[f]);
  }
  pt_put_double(out, c->strength);
}

static void *read_state(PtReader *r) {
  Coherence *c = g_new0(Coherence, 1);
  for (uint32_t f = 0; f < PT_LIKENESS; f++) {
    c->pair[f] = pt_take_double(r);
    c->alone[f] = pt_take_double(r);
    r->ok &= fabs(c->pair[f]) < 1e6 && fabs(c->alone[f]) < 1e6;
  }
  c->strength = pt_take_double(r);
  r->ok &= c->strength >= 0 && c->strength < 1e3;
  if (!r->ok)
    g_clear_pointer(&c, g_free);
  return c;
}

const PtAdversary pt_adversary_tuples = {
    .name = "tuples",
    .looks = "whole models: which candidates of all buckets together look like one model's",
    .remedy = "sentinels share the model's habits too little: mode walk, then " PT_REMEDY_FINER,
    .train = train,
    .score = score,
    .free = g_free,
    .write = write_state,
    .read = read_state,
    .tuples = tuples_of};
