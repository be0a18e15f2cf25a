/* tuples.c: the law of whole tuples, one candidate of each bucket: what each says by itself, and
 * how much pairs look like one model's. Counted by going through all, or drawn: particles that
 * start where pairs do not count yet, and are weighed, dealt anew and moved (Gibbs) while they come
 * to count (annealed importance sampling with resampling). */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

#define STEPS 400       /* from one strength to the next, at most */
#define SPREAD 0.5      /* a step leaves so much of the particles' effective number */
#define SETTLE 6        /* sweeps at each strength, of which marginals are the mean */
#define MOST_TUPLES 1e7 /* that are gone through */

static uint32_t size_of(const PtTuples *t) {
  const PtCaseBucket *last = t->n ? &t->buckets[t->n - 1] : NULL;
  return last ? last->first + last->n : 0;
}

static double pair_of(const PtTuples *t, uint32_t a, uint32_t b) {
  return (double)t->pair[(gsize)a * size_of(t) + b];
}

/* What counts more with the strength; x: candidates. */
static double energy(const PtTuples *t, const uint32_t *x) {
  double sum = 0;
  for (uint32_t b = 0; b < t->n; b++) {
    sum += t->alone[x[b]];
    for (uint32_t c = 0; c < b && t->pair; c++)
      sum += pair_of(t, x[b], x[c]);
  }
  return sum;
}

static double base_of(const PtTuples *t, const uint32_t *x) {
  double sum = 0;
  for (uint32_t b = 0; b < t->n; b++)
    sum += t->base[x[b]];
  return sum;
}

/* ---- all of them ----------------------------------------------------------------------------- */
typedef struct Sum {
  double most, sum; /* log of the sum: most + log(sum) */
} Sum;

static void add(Sum *s, double x) {
  if (x > s->most) {
    s->sum = s->sum * exp(s->most - x) + 1;
    s->most = x;
  } else
    s->sum += exp(x - s->most);
}
static double log_of(const Sum *s) {
  return s->most + log(s->sum);
}

static bool next_tuple(const PtTuples *t, uint32_t *x) {
  for (uint32_t b = 0; b < t->n; b++) {
    if (++x[b] < t->buckets[b].first + t->buckets[b].n)
      return true;
    x[b] = t->buckets[b].first;
  }
  return false;
}

bool pt_tuples_exact(const PtTuples *t, const uint32_t *tuple, double strength, double *log_share,
                     double *marginals) {
  double count = 1;
  for (uint32_t b = 0; b < t->n; b++)
    count *= t->buckets[b].n;
  if (count > MOST_TUPLES)
    return false;
  uint32_t size = size_of(t);
  g_autofree uint32_t *x = g_new(uint32_t, (gsize)t->n + 1);
  g_autofree Sum *of = g_new0(Sum, (gsize)size + 1);
  Sum all = {-INFINITY, 0};
  for (uint32_t i = 0; i < size; i++)
    of[i] = all;
  for (uint32_t b = 0; b < t->n; b++)
    x[b] = t->buckets[b].first;
  do {
    double p = base_of(t, x) + strength * energy(t, x);
    add(&all, p);
    for (uint32_t b = 0; b < t->n; b++)
      add(&of[x[b]], p);
  } while (next_tuple(t, x));
  if (tuple)
    *log_share = base_of(t, tuple) + strength * energy(t, tuple) - log_of(&all);
  for (uint32_t i = 0; marginals && i < size; i++)
    marginals[i] = exp(log_of(&of[i]) - log_of(&all));
  return true;
}

/* ---- drawn ----------------------------------------------------------------------------------- */
typedef struct Cloud {
  const PtTuples *t;
  uint32_t n, size, room;  /* particles; candidates; of the largest bucket */
  uint32_t *x;             /* [n][buckets] candidates */
  double *energy, *weight; /* [n]; weights sum up to 1 */
  double *odds;            /* [room] */
  PtRng *rng;
} Cloud;

/* odds[bucket's n] of a bucket, the others as they are; sums up to 1. */
static void conditional(const Cloud *c, const uint32_t *x, uint32_t b, double s, double *out) {
  const PtTuples *t = c->t;
  uint32_t n = t->buckets[b].n, first = t->buckets[b].first;
  double most = -INFINITY, sum = 0;
  for (uint32_t i = 0; i < n; i++)
    out[i] = t->alone[first + i];
  for (uint32_t o = 0; o < t->n && s > 0 && t->pair; o++) {
    const float *row = t->pair + (gsize)x[o] * c->size + first;
    for (uint32_t i = 0; o != b && i < n; i++)
      out[i] += (double)row[i];
  }
  for (uint32_t i = 0; i < n; i++) {
    out[i] = t->base[first + i] + s * out[i];
    most = MAX(most, out[i]);
  }
  for (uint32_t i = 0; i < n; i++)
    sum += out[i] = exp(out[i] - most);
  for (uint32_t i = 0; i < n; i++)
    out[i] /= sum;
}

static uint32_t draw(Cloud *c, const double *odds, uint32_t n) {
  double u = pt_rng_unit(c->rng);
  for (uint32_t i = 0; i + 1 < n; i++)
    if ((u -= odds[i]) < 0)
      return i;
  return n - 1;
}

/* One sweep of all; marginals (or NULL) receive `share` of the odds by which was drawn. */
static void sweep(Cloud *c, double s, double share, double *marginals) {
  const PtTuples *t = c->t;
  for (uint32_t p = 0; p < c->n; p++) {
    uint32_t *x = c->x + (gsize)p * t->n;
    for (uint32_t b = 0; b < t->n; b++) {
      uint32_t n = t->buckets[b].n, first = t->buckets[b].first;
      conditional(c, x, b, s, c->odds);
      x[b] = first + draw(c, c->odds, n);
      for (uint32_t i = 0; marginals && i < n; i++)
        marginals[first + i] += share * c->weight[p] * c->odds[i];
    }
    c->energy[p] = energy(t, x);
  }
}

static double effective(const Cloud *c, double by) {
  double most = -INFINITY, sum = 0, square = 0;
  for (uint32_t p = 0; p < c->n; p++)
    most = MAX(most, by * c->energy[p]);
  for (uint32_t p = 0; p < c->n; p++) {
    double w = c->weight[p] * exp(by * c->energy[p] - most);
    sum += w;
    square += w * w;
  }
  return square > 0 ? sum * sum / square : 0;
}

/* As far as the particles stay many; in [0, most]. */
static double stride(const Cloud *c, double most) {
  double least = SPREAD * effective(c, 0), low = 0, high = most;
  if (effective(c, most) >= least)
    return most;
  for (int i = 0; i < 20; i++) {
    double middle = (low + high) / 2;
    *(effective(c, middle) >= least ? &low : &high) = middle;
  }
  return MAX(low, most / STEPS);
}

/* Weighs them; the log of the mean weight. */
static double weigh(Cloud *c, double by) {
  Sum all = {-INFINITY, 0};
  for (uint32_t p = 0; p < c->n; p++)
    if (c->weight[p] > 0)
      add(&all, log(c->weight[p]) + by * c->energy[p]);
  double total = log_of(&all);
  for (uint32_t p = 0; p < c->n; p++)
    c->weight[p] = c->weight[p] > 0 ? exp(log(c->weight[p]) + by * c->energy[p] - total) : 0;
  return total;
}

/* Systematic: each as often as its weight says, up to rounding. */
static void deal_anew(Cloud *c) {
  uint32_t buckets = c->t->n;
  g_autofree uint32_t *old = g_memdup2(c->x, (gsize)c->n * buckets * sizeof *c->x);
  g_autofree double *energies = g_memdup2(c->energy, c->n * sizeof *c->energy);
  double u = pt_rng_unit(c->rng), sum = 0;
  uint32_t from = 0;
  for (uint32_t p = 0; p < c->n; p++) {
    double at = (p + u) / c->n;
    while (from + 1 < c->n && sum + c->weight[from] <= at)
      sum += c->weight[from++];
    memcpy(c->x + (gsize)p * buckets, old + (gsize)from * buckets, buckets * sizeof *old);
    c->energy[p] = energies[from];
  }
  for (uint32_t p = 0; p < c->n; p++)
    c->weight[p] = 1.0 / c->n;
}

static void cloud_init(Cloud *c, const PtTuples *t, uint32_t n, PtRng *rng) {
  *c = (Cloud){.t = t, .n = n, .size = size_of(t), .rng = rng};
  for (uint32_t b = 0; b < t->n; b++)
    c->room = MAX(c->room, t->buckets[b].n);
  c->x = g_new0(uint32_t, (gsize)n * t->n + 1);
  c->energy = g_new0(double, (gsize)n + 1);
  c->weight = g_new0(double, (gsize)n + 1);
  c->odds = g_new0(double, (gsize)c->room + 1);
  for (uint32_t p = 0; p < n; p++) {
    for (uint32_t b = 0; b < t->n; b++)
      c->x[(gsize)p * t->n + b] = t->buckets[b].first;
    c->weight[p] = 1.0 / n;
  }
}

static void cloud_clear(Cloud *c) {
  g_free(c->x);
  g_free(c->energy);
  g_free(c->weight);
  g_free(c->odds);
}

void pt_tuples_draw(const PtTuples *t, const uint32_t *tuple, const PtTupleDraw *how,
                    double *log_share, double *marginals) {
  g_autoptr(PtRng) rng = pt_rng_new(&how->seed, "tuples", 0);
  Cloud c;
  double s = 0, log_z = 0;
  cloud_init(&c, t, MAX(how->particles, 1), rng);
  for (uint32_t b = 0; b < t->n; b++) {
    Sum all = {-INFINITY, 0};
    for (uint32_t i = 0; i < t->buckets[b].n; i++)
      add(&all, t->base[t->buckets[b].first + i]);
    log_z += log_of(&all);
  }
  sweep(&c, 0, 0, NULL); /* exact draws, as nothing hangs on the others yet */
  for (uint32_t k = 0; k < how->n_strengths; k++) {
    double *here = marginals ? marginals + (gsize)k * c.size : NULL;
    while (s < how->strengths[k]) {
      double by = stride(&c, how->strengths[k] - s);
      s = by < how->strengths[k] - s ? s + by : how->strengths[k];
      log_z += weigh(&c, by);
      if (effective(&c, 0) < c.n / 2.0)
        deal_anew(&c);
      sweep(&c, s, 0, NULL);
    }
    if (tuple)
      log_share[k] = MIN(0, base_of(t, tuple) + s * energy(t, tuple) - log_z);
    for (uint32_t i = 0; here && i < c.size; i++)
      here[i] = 0;
    for (uint32_t i = 0; here && i < SETTLE; i++)
      sweep(&c, s, 1.0 / SETTLE, here);
  }
  cloud_clear(&c);
}
