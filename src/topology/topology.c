/* topology: the type, and what a piece of a model looks like as one. */
#include "topology/topology.h"

#include <string.h>

G_DEFINE_QUARK(pt - topology - error, pt_topology_error)

PtTopology *pt_topology_new(uint32_t n) {
  PtTopology *t = g_new0(PtTopology, 1);
  t->n = n;
  t->edges = g_array_new(FALSE, FALSE, sizeof(PtEdge));
  return t;
}

PtTopology *pt_topology_copy(const PtTopology *topology) {
  PtTopology *t = pt_topology_new(topology->n);
  g_array_append_vals(t->edges, topology->edges->data, topology->edges->len);
  return t;
}

void pt_topology_free(PtTopology *topology) {
  if (!topology)
    return;
  g_array_unref(topology->edges);
  g_free(topology);
}

void pt_topology_add(PtTopology *topology, uint32_t from, uint32_t to) {
  PtEdge e = {MIN(from, to), MAX(from, to)};
  g_return_if_fail(e.from < e.to && e.to < topology->n);
  g_array_append_val(topology->edges, e);
}

static int by_ends(const void *a, const void *b) {
  const PtEdge *x = a, *y = b;
  if (x->from != y->from)
    return x->from < y->from ? -1 : 1;
  return x->to < y->to ? -1 : x->to > y->to;
}

void pt_topology_sort(PtTopology *topology) {
  GArray *edges = topology->edges;
  g_array_sort(edges, by_ends);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < edges->len; i++) {
    PtEdge e = g_array_index(edges, PtEdge, i);
    if (kept == 0 || by_ends(&g_array_index(edges, PtEdge, kept - 1), &e) != 0)
      g_array_index(edges, PtEdge, kept++) = e;
  }
  g_array_set_size(edges, kept);
}

bool pt_topology_check(const PtTopology *topology) {
  for (uint32_t i = 0; i < topology->edges->len; i++) {
    PtEdge e = pt_topology_edge(topology, i);
    if (e.from >= e.to || e.to >= topology->n)
      return false;
    if (i > 0 && by_ends(&g_array_index(topology->edges, PtEdge, i - 1), &e) >= 0)
      return false;
  }
  return true;
}

PtTopology *pt_topology_of_graph(const PtGraph *piece) {
  uint32_t n = pt_graph_n_nodes(piece);
  g_autofree PtNodeId *order = g_new(PtNodeId, n + 1);
  g_autofree uint32_t *place = g_new(uint32_t, n + 1);
  if (!pt_graph_toposort(piece, order, NULL))
    return NULL;
  for (uint32_t i = 0; i < n; i++)
    place[order[i]] = i;
  PtTopology *t = pt_topology_new(n);
  for (PtNodeId to = 0; to < n; to++) {
    const PtNode *node = pt_node(piece, to);
    for (uint32_t i = 0; i < node->n_inputs + node->n_captures; i++) {
      PtValueId v = i < node->n_inputs ? node->inputs[i] : node->captures[i - node->n_inputs];
      PtNodeId from = v == PT_NONE ? PT_NONE : pt_value(piece, v)->producer;
      if (from != PT_NONE)
        pt_topology_add(t, place[from], place[to]);
    }
  }
  pt_topology_sort(t);
  return t;
}

static uint32_t count_bare(const PtTopology *t, bool sources) {
  g_autofree bool *touched = g_new0(bool, t->n + 1);
  uint32_t bare = t->n;
  for (uint32_t i = 0; i < t->edges->len; i++) {
    PtEdge e = pt_topology_edge(t, i);
    bool *end = &touched[sources ? e.to : e.from];
    bare -= !*end;
    *end = true;
  }
  return bare;
}

uint32_t pt_topology_sources(const PtTopology *topology) {
  return count_bare(topology, true);
}
uint32_t pt_topology_sinks(const PtTopology *topology) {
  return count_bare(topology, false);
}
