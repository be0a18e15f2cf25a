/* measure.c: one measure for all adversaries: calibrated posteriors and what they leave. */
#include "audit/audit_private.h"

#include <math.h>

#define EVEN 0.01 /* of the posterior is even, so that no single mistake counts without bound */

void pt_posterior(const PtCalibration *how, const double *scores, uint32_t n, double *out) {
  double mean = 0, square = 0, most = -INFINITY, sum = 0;
  for (uint32_t i = 0; i < n; i++)
    mean += scores[i] / n;
  for (uint32_t i = 0; i < n; i++)
    square += (scores[i] - mean) * (scores[i] - mean) / n;
  double scale = how->standard ? (square > 1e-18 ? how->t / sqrt(square) : 0) : how->t;
  for (uint32_t i = 0; i < n; i++)
    most = MAX(most, scale * (scores[i] - mean));
  for (uint32_t i = 0; i < n; i++)
    sum += out[i] = exp(scale * (scores[i] - mean) - most);
  for (uint32_t i = 0; i < n; i++)
    out[i] = (1 - EVEN) * out[i] / sum + EVEN / n;
}

/* ---- calibration ----------------------------------------------------------------------------- */
static double log_loss(GPtrArray *targets, GPtrArray *scores, const PtCalibration *how) {
  double loss = 0, count = 0;
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint i = 0; i < targets->len; i++) {
    const PtCase *t = targets->pdata[i];
    const double *s = scores->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      g_array_set_size(room, t->buckets[b].n);
      double *p = (double *)(void *)room->data;
      pt_posterior(how, s + t->buckets[b].first, t->buckets[b].n, p);
      loss -= log(p[t->real[b]]);
      count++;
    }
  }
  return count > 0 ? loss / count : 0;
}

/* Mean deviation of scores within buckets. */
static double spread(GPtrArray *targets, GPtrArray *scores) {
  double sum = 0, count = 0;
  for (guint i = 0; i < targets->len; i++) {
    const PtCase *t = targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      const double *s = (const double *)scores->pdata[i] + t->buckets[b].first;
      double mean = 0, square = 0, n = t->buckets[b].n;
      for (uint32_t k = 0; k < t->buckets[b].n; k++)
        mean += s[k] / n;
      for (uint32_t k = 0; k < t->buckets[b].n; k++)
        square += (s[k] - mean) * (s[k] - mean) / n;
      sum += sqrt(square);
      count++;
    }
  }
  return count > 0 && sum > 0 ? sum / count : 1;
}

/* Log loss is convex in t but for the even part: a grid in octaves, then a finer one. */
PtCalibration pt_calibrate(GPtrArray *targets, GPtrArray *scores) {
  PtCalibration best = {0, true};
  double least = log_loss(targets, scores, &best) - 1e-4; /* no t for nothing */
  double unit = 1 / spread(targets, scores);
  for (int standard = 1; standard >= 0; standard--)
    for (int octave = -20; octave <= 20; octave++) {
      PtCalibration one = {exp2(octave / 4.0) * (standard ? 1 : unit), standard == 1};
      double loss = log_loss(targets, scores, &one);
      if (loss < least) {
        least = loss;
        best = one;
      }
    }
  return best;
}

/* ---- results --------------------------------------------------------------------------------- */
void pt_results(const PtCase *t, const double *scores, const PtCalibration *how,
                PtBucketResult *out) {
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(double));
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    uint32_t n = t->buckets[b].n, above = 0, same = 0;
    const double *s = scores + t->buckets[b].first, real = s[t->real[b]];
    g_array_set_size(room, n);
    double *p = (double *)(void *)room->data;
    pt_posterior(how, s, n, p);
    for (uint32_t k = 0; k < n; k++)
      if (k != t->real[b]) {
        above += s[k] > real;
        same += s[k] == real;
      }
    uint64_t dice = pt_hash_mix(pt_hash_mix(t->model, t->seed), pt_hash_mix(b, above * 64 + same));
    double u = (double)(dice >> 11) * 0x1p-53;
    out[b] = (PtBucketResult){.place = (above + u * (same + 1)) / n,
                              .posterior = p[t->real[b]],
                              .bits = -log2(p[t->real[b]]),
                              .rank = n > 1 ? (above + same / 2.0) / (n - 1) : 0.5,
                              .first = above ? 0 : 1.0 / (same + 1),
                              .n = n};
  }
}

double pt_area(const PtBucketResult *r, uint32_t n) {
  double below = 0, pairs = 0;
  for (uint32_t i = 0; i < n; i++) {
    below += (1 - r[i].rank) * (r[i].n - 1);
    pairs += r[i].n - 1;
  }
  return pairs > 0 ? below / pairs : 0.5;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

double pt_rank_test(const PtBucketResult *r, uint32_t n) {
  double sum = 0, distance = 0, p_distance = 0;
  if (n == 0)
    return 1;
  g_autofree double *place = g_new(double, n);
  for (uint32_t i = 0; i < n; i++)
    sum += (place[i] = r[i].place) - 0.5;
  double p_mean = erfc(fabs(sum) / sqrt(n / 12.0) / sqrt(2));
  qsort(place, n, sizeof *place, by_value);
  for (uint32_t i = 0; i < n; i++)
    distance = MAX(distance, MAX((i + 1.0) / n - place[i], place[i] - (double)i / n));
  double x = distance * (sqrt(n) + 0.12 + 0.11 / sqrt(n));
  for (int k = 1; k < 40; k++)
    p_distance += 2 * (k % 2 ? 1 : -1) * exp(-2.0 * k * k * x * x);
  return MIN(1, 2 * MIN(p_mean, x < 0.2 ? 1 : MAX(p_distance, 0)));
}

PtReduction pt_reduction(const PtCase *t, const double *scores, double n, double k) {
  double least = INFINITY, beyond = 0, sentinels = 0;
  for (uint32_t b = 0; b < t->n_buckets; b++)
    least = MIN(least, scores[t->buckets[b].first + t->real[b]]);
  for (uint32_t b = 0; b < t->n_buckets; b++)
    for (uint32_t i = 0; i < t->buckets[b].n; i++)
      if (i != t->real[b]) {
        beyond += scores[t->buckets[b].first + i] < least;
        sentinels++;
      }
  double beta = sentinels > 0 ? beyond / sentinels : 0;
  return (PtReduction){beta, 1 - least, n * log10(1 + (1 - beta) * k)};
}
