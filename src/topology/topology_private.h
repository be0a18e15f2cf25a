/* What the files of this room share. */
#ifndef PT_TOPOLOGY_PRIVATE_H
#define PT_TOPOLOGY_PRIVATE_H

#include "topology/topology.h"

/* Neighbours of node i in the undirected graph: to[start[i]] .. to[start[i+1]-1], ascending. */
typedef struct PtAdjacency {
  uint32_t n;
  uint32_t *start; /* [n + 1] */
  uint32_t *to;    /* [2 edges] */
} PtAdjacency;
PtAdjacency *pt_adjacency_new(const PtTopology *topology);
void pt_adjacency_free(PtAdjacency *a);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtAdjacency, pt_adjacency_free)
static inline uint32_t pt_adjacency_degree(const PtAdjacency *a, uint32_t i) {
  return a->start[i + 1] - a->start[i];
}
/* Breadth-first from `from`: order receives the nodes reached (returned: how many), distance[n] is
 * set for these and must be UINT32_MAX before for nodes that may be reached. */
uint32_t pt_adjacency_search(const PtAdjacency *a, uint32_t from, uint32_t *order,
                             uint32_t *distance);

#endif
