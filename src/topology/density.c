/* density: ESTIMATEDENSITY of Alg. 1. */
#include "topology/topology.h"

#include <math.h>

struct PtDensity {
  uint32_t n;
  PtTopologyFeatures *points;
  double width[PT_N_FEATURES]; /* of the kernel; 0: the feature does not vary */
  double scale;                /* 1 / (n * product of sqrt(2 pi) width) */
};

PtDensity *pt_density_new(const PtTopologyFeatures *points, uint32_t n) {
  PtDensity *d = g_new0(PtDensity, 1);
  d->n = n;
  d->points = g_memdup2(points, n * sizeof *points);
  double mean[PT_N_FEATURES] = {0}, spread[PT_N_FEATURES] = {0};
  int varying = 0;
  for (int j = 0; j < PT_N_FEATURES; j++) {
    for (uint32_t i = 0; i < n; i++)
      mean[j] += points[i].x[j] / n;
    for (uint32_t i = 0; i < n; i++)
      spread[j] += (points[i].x[j] - mean[j]) * (points[i].x[j] - mean[j]);
    spread[j] = n > 1 ? sqrt(spread[j] / (n - 1)) : 0;
    varying += spread[j] > 1e-9;
  }
  d->scale = n > 0 ? 1.0 / n : 0;
  for (int j = 0; j < PT_N_FEATURES; j++)
    if (spread[j] > 1e-9) {
      d->width[j] = spread[j] * pow(n, -1.0 / (varying + 4)); /* Scott's rule */
      d->scale /= sqrt(2 * G_PI) * d->width[j];
    }
  return d;
}

void pt_density_free(PtDensity *density) {
  if (!density)
    return;
  g_free(density->points);
  g_free(density);
}

double pt_density_at(const PtDensity *density, const PtTopologyFeatures *x) {
  double sum = 0;
  for (uint32_t i = 0; i < density->n; i++) {
    double squares = 0;
    for (int j = 0; j < PT_N_FEATURES; j++) {
      double away =
          density->width[j] > 0 ? (x->x[j] - density->points[i].x[j]) / density->width[j] : 0;
      squares += away * away;
    }
    sum += exp(-squares / 2);
  }
  return sum * density->scale;
}
