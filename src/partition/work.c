/* work: what is contracted.  Shapes, masks that depend on shapes only, and chains of constants are
 * set aside: they are cloned into the pieces that use them, so that no piece has an index or a
 * shape for an input, which would tell more than a tensor does and which no random input could
 * stand for. */
#include "partition/partition_private.h"

#include <string.h>

#define MAX_CLONE_ELEMENTS ((int64_t)1 << 20)

bool pt_work_is_real(const PtGraph *graph, PtValueId value, void *work) {
  (void)graph;
  return ((const PtWork *)work)->role[value] == PT_ROLE_REAL;
}

bool *pt_output_flags(const PtGraph *graph) {
  bool *flags = g_new0(bool, pt_graph_n_values(graph) + 1);
  for (uint32_t i = 0; i < graph->outputs->len; i++)
    flags[pt_graph_output(graph, i)] = true;
  return flags;
}

bool pt_node_may_be_cloned(const PtGraph *graph, const PtNode *node, const bool *is_output) {
  const PtOp *op = pt_op_of(node);
  if (!op || !(op->flags & (PT_OP_CHEAP | PT_OP_SHAPE_ONLY)) || (op->flags & PT_OP_RANDOM) ||
      node->n_captures > 0)
    return false;
  for (uint32_t i = 0; i < node->n_attrs; i++)
    if (node->attrs[i].kind == PT_ATTR_GRAPH || node->attrs[i].kind == PT_ATTR_GRAPHS)
      return false;
  for (uint32_t i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PT_NONE &&
        (is_output[node->outputs[i]] ||
         pt_value(graph, node->outputs[i])->type.kind == PT_TYPE_OPAQUE))
      return false;
  return true;
}

/* Inputs of which only the shape or the dtype is read. */
static bool reads_shape_only(const PtNode *node, uint32_t input) {
  const PtOp *op = pt_op_of(node);
  return (op->flags & PT_OP_SHAPE_ONLY) || (input == 1 && pt_op_is(node, "CastLike"));
}

/* born[v]: computed from shapes (1) or from constants alone (2); 0: neither. */
static uint8_t side_kind(const PtWork *w, const PtNode *node, const uint8_t *born) {
  if (!pt_node_may_be_cloned(w->graph, node, w->is_output))
    return 0;
  uint8_t kind = 2;
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    if (node->inputs[i] == PT_NONE || pt_value(w->graph, node->inputs[i])->constant)
      continue;
    const bool by_shape = reads_shape_only(node, i);
    if (!by_shape && !born[node->inputs[i]])
      return 0;
    if (by_shape || born[node->inputs[i]] == 1)
      kind = 1;
  }
  if (kind == 2)
    return 2;
  for (uint32_t i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PT_NONE &&
        pt_type_count(&pt_value(w->graph, node->outputs[i])->type) > MAX_CLONE_ELEMENTS)
      return 0;
  return 1;
}

bool pt_work_closure(const PtWork *w, PtNodeId start, uint32_t most, GArray *out) {
  uint32_t first = out->len, next = first;
  if (w->side[start])
    g_array_append_val(out, start);
  PtNodeId id = start;
  for (;;) {
    const PtNode *node = pt_node(w->graph, id);
    for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
      PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
      PtNodeId p = v == PT_NONE ? PT_NONE : pt_value(w->graph, v)->producer;
      if (p == PT_NONE || !w->side[p])
        continue;
      uint32_t i = first;
      while (i < out->len && g_array_index(out, PtNodeId, i) != p)
        i++;
      if (i < out->len)
        continue;
      if (out->len - first >= most)
        return false;
      g_array_append_val(out, p);
    }
    if (w->side[start] && next == first)
      next++; /* the start itself is done */
    if (next >= out->len)
      return true;
    id = g_array_index(out, PtNodeId, next++);
  }
}

/* Side nodes in topological order; then those that no item uses become items again. */
static void find_sides(PtWork *w) {
  g_autofree uint8_t *born = g_new0(uint8_t, pt_graph_n_values(w->graph) + 1);
  g_autoptr(GArray) chain = g_array_new(FALSE, FALSE, sizeof(PtNodeId));
  for (uint32_t r = 0; r < w->n_live; r++) {
    PtNodeId id = w->order[r];
    const PtNode *node = pt_node(w->graph, id);
    uint8_t kind = side_kind(w, node, born);
    if (!kind)
      continue;
    w->side[id] = true;
    g_array_set_size(chain, 0);
    if (!pt_work_closure(w, id, PT_CLONE_MOST, chain)) {
      w->side[id] = false;
      continue;
    }
    for (uint32_t i = 0; i < node->n_outputs; i++)
      if (node->outputs[i] != PT_NONE)
        born[node->outputs[i]] = kind;
  }
  for (uint32_t r = 0; r < w->n_live; r++) {
    const PtNode *node = pt_node(w->graph, w->order[r]);
    uint32_t users = 0;
    for (uint32_t i = 0; i < node->n_outputs; i++)
      users += node->outputs[i] == PT_NONE ? 0 : pt_uses_count(w->uses, node->outputs[i]);
    if (users == 0)
      w->side[w->order[r]] = false;
  }
}

static void number_items(PtWork *w) {
  for (uint32_t r = 0; r < w->n_live; r++) {
    PtNodeId id = w->order[r];
    if (w->side[id])
      continue;
    w->item[id] = w->n_items;
    w->node[w->n_items] = id;
    w->sig[w->n_items++] = pt_node_signature(w->graph, id, pt_work_is_real, w);
  }
}

/* A side node that serves one cluster alone counts with it. */
void pt_work_weigh(const PtWork *w, const uint32_t *of, uint32_t clusters, uint32_t *size) {
  g_autofree uint32_t *owner = g_new(uint32_t, pt_graph_n_nodes(w->graph) + 1);
  memset(size, 0, clusters * sizeof *size);
  for (uint32_t r = w->n_live; r-- > 0;) {
    PtNodeId id = w->order[r];
    const PtNode *node = pt_node(w->graph, id);
    uint32_t one = PT_NONE;
    bool several = false;
    if (!w->side[id])
      one = of[w->item[id]];
    for (uint32_t i = 0; w->side[id] && i < node->n_outputs; i++) {
      PtValueId v = node->outputs[i];
      for (uint32_t u = v == PT_NONE ? 0 : w->uses->start[v];
           v != PT_NONE && u < w->uses->start[v + 1]; u++) {
        uint32_t user = owner[w->uses->node[u]];
        several |= user == PT_NONE || (one != PT_NONE && one != user);
        one = user;
      }
    }
    owner[id] = several ? PT_NONE : one;
    if (owner[id] != PT_NONE)
      size[owner[id]]++;
  }
}

static void add_edge(PtWork *w, PtNodeId from, PtNodeId to, uint64_t port) {
  PtWorkEdge edge = {w->item[from], w->item[to], port};
  g_array_append_val(w->edges, edge);
}

static int compare_edges(gconstpointer a, gconstpointer b) {
  const PtWorkEdge *x = a, *y = b;
  if (x->src != y->src)
    return x->src < y->src ? -1 : 1;
  return x->dst < y->dst ? -1 : x->dst > y->dst;
}

static void edges_into(PtWork *w, PtNodeId to, GArray *chain) {
  g_array_set_size(chain, 0);
  pt_work_closure(w, to, PT_NONE, chain);
  const PtNode *node = pt_node(w->graph, to);
  for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
    PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
    PtNodeId p = v == PT_NONE ? PT_NONE : pt_value(w->graph, v)->producer;
    if (p != PT_NONE && !w->side[p])
      add_edge(w, p, to, pt_hash_mix(pt_value(w->graph, v)->output + 1, k + 1));
  }
  for (uint32_t i = 0; i < chain->len; i++) {
    const PtNode *s = pt_node(w->graph, g_array_index(chain, PtNodeId, i));
    for (uint32_t k = 0; k < s->n_inputs; k++) {
      PtNodeId p = s->inputs[k] == PT_NONE ? PT_NONE : pt_value(w->graph, s->inputs[k])->producer;
      if (p != PT_NONE && !w->side[p])
        add_edge(w, p, to, 1);
    }
  }
}

static void make_edges(PtWork *w) {
  g_autoptr(GArray) chain = g_array_new(FALSE, FALSE, sizeof(PtNodeId));
  w->edges = g_array_new(FALSE, FALSE, sizeof(PtWorkEdge));
  for (uint32_t i = 0; i < w->n_items; i++)
    edges_into(w, w->node[i], chain);
  g_array_sort(w->edges, compare_edges);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < w->edges->len; i++) {
    PtWorkEdge e = g_array_index(w->edges, PtWorkEdge, i);
    PtWorkEdge *last = kept ? &g_array_index(w->edges, PtWorkEdge, kept - 1) : NULL;
    if (last && last->src == e.src && last->dst == e.dst)
      last->ports += e.ports;
    else
      g_array_index(w->edges, PtWorkEdge, kept++) = e;
  }
  g_array_set_size(w->edges, kept);
}

PtWork *pt_work_new(const PtGraph *graph, GError **error) {
  uint32_t n = pt_graph_n_nodes(graph);
  g_autoptr(PtWork) w = g_new0(PtWork, 1);
  w->graph = graph;
  w->order = g_new(PtNodeId, n + 1);
  if (!pt_graph_toposort(graph, w->order, error))
    return NULL;
  w->rank = g_new(uint32_t, n + 1);
  memset(w->rank, 0xff, (n + 1) * sizeof *w->rank);
  for (uint32_t i = 0; i < n; i++)
    if (!pt_node(graph, w->order[i])->dead)
      w->order[w->n_live++] = w->order[i];
  for (uint32_t i = 0; i < w->n_live; i++)
    w->rank[w->order[i]] = i;
  w->uses = pt_uses_new(graph);
  w->role = pt_roles(graph);
  w->is_output = pt_output_flags(graph);
  w->side = g_new0(bool, n + 1);
  w->item = g_new(uint32_t, n + 1);
  memset(w->item, 0xff, (n + 1) * sizeof *w->item);
  w->node = g_new(PtNodeId, w->n_live + 1);
  w->sig = g_new(uint64_t, w->n_live + 1);
  find_sides(w);
  number_items(w);
  make_edges(w);
  return g_steal_pointer(&w);
}

void pt_work_free(PtWork *w) {
  if (!w)
    return;
  pt_uses_free(w->uses);
  g_free(w->role);
  g_free(w->is_output);
  g_free(w->order);
  g_free(w->rank);
  g_free(w->side);
  g_free(w->item);
  g_free(w->node);
  g_free(w->sig);
  if (w->edges)
    g_array_unref(w->edges);
  g_free(w);
}
