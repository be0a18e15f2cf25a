/* orient: Alg. 3. */
#include "topology/topology_private.h"

#include <string.h>

/* An end of a longest shortest path of the component of `from`: of equals the smallest number. */
static uint32_t end_of_diameter(const PtAdjacency *a, uint32_t from, uint32_t *order,
                                uint32_t *distance) {
  g_autofree uint32_t *members = g_new(uint32_t, a->n);
  memset(distance, 0xFF, a->n * sizeof *distance);
  uint32_t size = pt_adjacency_search(a, from, members, distance), best = from, longest = 0;
  for (uint32_t i = 0; i < size; i++) {
    memset(distance, 0xFF, a->n * sizeof *distance);
    pt_adjacency_search(a, members[i], order, distance);
    uint32_t far = distance[order[size - 1]];
    if (far > longest || (far == longest && members[i] < best)) {
      longest = far;
      best = members[i];
    }
  }
  return best;
}

PtTopology *pt_topology_induce_orientation(const PtTopology *undirected) {
  uint32_t n = undirected->n, placed = 0;
  g_autoptr(PtAdjacency) a = pt_adjacency_new(undirected);
  g_autofree uint32_t *number = g_new(uint32_t, n + 1), *order = g_new(uint32_t, n + 1);
  g_autofree uint32_t *distance = g_new(uint32_t, n + 1);
  memset(number, 0xFF, (n + 1) * sizeof *number);
  for (uint32_t i = 0; i < n; i++) {
    if (number[i] != UINT32_MAX)
      continue;
    uint32_t start = end_of_diameter(a, i, order, distance);
    memset(distance, 0xFF, n * sizeof *distance);
    uint32_t reached = pt_adjacency_search(a, start, order, distance);
    for (uint32_t k = 0; k < reached; k++)
      number[order[k]] = placed++;
  }
  PtTopology *directed = pt_topology_new(n);
  for (uint32_t i = 0; i < undirected->edges->len; i++) {
    PtEdge e = pt_topology_edge(undirected, i);
    pt_topology_add(directed, number[e.from], number[e.to]); /* from the earlier to the later */
  }
  pt_topology_sort(directed);
  return directed;
}
