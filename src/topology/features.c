/* features: COMPUTEFEATURES of Alg. 1, and the neighbours that they are computed from. */
#include "topology/topology_private.h"

#include <string.h>

const char *const pt_feature_names[PT_N_FEATURES] = {
    [PT_FEATURE_DEGREE] = "average degree",
    [PT_FEATURE_CLUSTERING] = "clustering coefficient",
    [PT_FEATURE_DIAMETER] = "diameter",
    [PT_FEATURE_SIZE] = "size",
};

PtAdjacency *pt_adjacency_new(const PtTopology *topology) {
  PtAdjacency *a = g_new0(PtAdjacency, 1);
  uint32_t n = a->n = topology->n;
  a->start = g_new0(uint32_t, n + 2);
  a->to = g_new(uint32_t, 2 * (size_t)topology->edges->len + 1);
  uint32_t *count = a->start + 1;
  for (uint32_t i = 0; i < topology->edges->len; i++) {
    PtEdge e = pt_topology_edge(topology, i);
    count[e.from]++;
    count[e.to]++;
  }
  for (uint32_t i = 0; i < n; i++)
    a->start[i + 1] += a->start[i];
  /* Edges are sorted by their earlier end: all of a node's earlier neighbours come before its later
   * ones, each part ascending. */
  g_autofree uint32_t *at = g_memdup2(a->start, (n + 1) * sizeof *at);
  for (uint32_t i = 0; i < topology->edges->len; i++) {
    PtEdge e = pt_topology_edge(topology, i);
    a->to[at[e.to]++] = e.from;
  }
  for (uint32_t i = 0; i < topology->edges->len; i++) {
    PtEdge e = pt_topology_edge(topology, i);
    a->to[at[e.from]++] = e.to;
  }
  return a;
}

void pt_adjacency_free(PtAdjacency *a) {
  if (!a)
    return;
  g_free(a->start);
  g_free(a->to);
  g_free(a);
}

uint32_t pt_adjacency_search(const PtAdjacency *a, uint32_t from, uint32_t *order,
                             uint32_t *distance) {
  uint32_t reached = 1;
  order[0] = from;
  distance[from] = 0;
  for (uint32_t next = 0; next < reached; next++) {
    uint32_t i = order[next];
    for (uint32_t e = a->start[i]; e < a->start[i + 1]; e++)
      if (distance[a->to[e]] == UINT32_MAX) {
        distance[a->to[e]] = distance[i] + 1;
        order[reached++] = a->to[e];
      }
  }
  return reached;
}

static double clustering(const PtAdjacency *a) {
  g_autofree bool *near = g_new0(bool, a->n + 1);
  double sum = 0;
  for (uint32_t i = 0; i < a->n; i++) {
    uint32_t degree = pt_adjacency_degree(a, i), ends = 0;
    if (degree < 2)
      continue;
    for (uint32_t e = a->start[i]; e < a->start[i + 1]; e++)
      near[a->to[e]] = true;
    for (uint32_t e = a->start[i]; e < a->start[i + 1]; e++)
      for (uint32_t f = a->start[a->to[e]]; f < a->start[a->to[e] + 1]; f++)
        ends += near[a->to[f]];
    for (uint32_t e = a->start[i]; e < a->start[i + 1]; e++)
      near[a->to[e]] = false;
    sum += (double)ends / ((double)degree * (degree - 1));
  }
  return a->n > 0 ? sum / a->n : 0;
}

static uint32_t diameter(const PtAdjacency *a) {
  g_autofree uint32_t *order = g_new(uint32_t, a->n + 1), *distance = g_new(uint32_t, a->n + 1);
  uint32_t longest = 0;
  for (uint32_t i = 0; i < a->n; i++) {
    memset(distance, 0xFF, a->n * sizeof *distance);
    uint32_t reached = pt_adjacency_search(a, i, order, distance);
    longest = MAX(longest, distance[order[reached - 1]]);
  }
  return longest;
}

PtTopologyFeatures pt_topology_features(const PtTopology *topology) {
  g_autoptr(PtAdjacency) a = pt_adjacency_new(topology);
  PtTopologyFeatures f;
  f.x[PT_FEATURE_DEGREE] = topology->n > 0 ? 2.0 * topology->edges->len / topology->n : 0;
  f.x[PT_FEATURE_CLUSTERING] = clustering(a);
  f.x[PT_FEATURE_DIAMETER] = diameter(a);
  f.x[PT_FEATURE_SIZE] = topology->n;
  return f;
}
