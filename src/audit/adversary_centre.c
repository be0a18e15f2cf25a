/* adversary_centre.c: where in its bucket is a candidate? Sentinels made from the real piece lie
 * around it; sentinels made from one another leave it at the edge. */
#include "audit/audit_private.h"

#include <math.h>

/* Mean Weisfeiler-Lehman similarity to the others. */
static void similarity(const PtCase *t, double sign, double *out) {
  for (uint32_t b = 0; b < t->n_buckets; b++)
    for (uint32_t i = 0; i < t->buckets[b].n; i++)
      out[t->buckets[b].first + i] = 0;
  for (uint32_t b = 0; b < t->n_buckets; b++)
    for (uint32_t i = 0; i < t->buckets[b].n; i++)
      for (uint32_t k = 0; k < i; k++) {
        double s =
            sign *
            pt_sparse_cosine(&pt_case_sight(t, b, i)->labels, &pt_case_sight(t, b, k)->labels) /
            (t->buckets[b].n - 1);
        out[t->buckets[b].first + i] += s;
        out[t->buckets[b].first + k] += s;
      }
}

static void score_centre(const void *state, const PtCase *t, double *out) {
  (void)state;
  similarity(t, 1, out);
}

static void score_edge(const void *state, const PtCase *t, double *out) {
  (void)state;
  similarity(t, -1, out);
}

/* The features of Alg. 1: average degree, clustering, diameter, size; in deviations. */
static void statistics(const PtCase *t, double sign, double *out) {
  static const uint32_t of[] = {4, 5, 3, 0};
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    uint32_t n = t->buckets[b].n;
    double *s = out + t->buckets[b].first;
    for (uint32_t i = 0; i < n; i++)
      s[i] = 0;
    for (size_t f = 0; f < G_N_ELEMENTS(of); f++) {
      double mean = 0, square = 0;
      for (uint32_t i = 0; i < n; i++)
        mean += pt_case_sight(t, b, i)->numbers[of[f]] / n;
      for (uint32_t i = 0; i < n; i++) {
        double d = pt_case_sight(t, b, i)->numbers[of[f]] - mean;
        square += d * d / n;
      }
      for (uint32_t i = 0; square > 1e-12 && i < n; i++) {
        double d = pt_case_sight(t, b, i)->numbers[of[f]] - mean;
        s[i] += d * d / square;
      }
    }
    for (uint32_t i = 0; i < n; i++)
      s[i] = -sign * sqrt(s[i]);
  }
}

static void score_statistics_centre(const void *state, const PtCase *t, double *out) {
  (void)state;
  statistics(t, 1, out);
}

static void score_statistics_edge(const void *state, const PtCase *t, double *out) {
  (void)state;
  statistics(t, -1, out);
}

const PtAdversary pt_adversary_centre = {
    .name = "centre",
    .looks = "the candidate most like the others of its bucket (Weisfeiler-Lehman kernel)",
    .remedy = PT_REMEDY_WALK,
    .score = score_centre};
const PtAdversary pt_adversary_edge = {
    .name = "edge",
    .looks = "the candidate least like the others of its bucket (Weisfeiler-Lehman kernel)",
    .remedy = "sentinels resemble one another more than the real piece: a larger n, so that pieces "
              "are plainer",
    .score = score_edge};
const PtAdversary pt_adversary_statistics_centre = {
    .name = "statistics-centre",
    .looks = "the candidate nearest to the bucket's mean degree, clustering, diameter and size",
    .remedy = "more variety of sizes among sentinels (mode walk)",
    .score = score_statistics_centre};
const PtAdversary pt_adversary_statistics_edge = {
    .name = "statistics-edge",
    .looks = "the candidate farthest from the bucket's mean degree, clustering, diameter and size",
    .remedy = "another n: the real piece's shape is rare among those that are generated",
    .score = score_statistics_edge};
