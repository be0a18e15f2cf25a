/* Uses, topological order, invariants. */
#include "graph/graph.h"

#include <string.h>

/* As below for nodes with very many inputs, which a hostile file may have: no quadratic scan. */
static void each_use_of_many(const PtNode *n, void (*visit)(PtValueId, void *), void *data) {
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  for (uint32_t k = 0; k < n->n_inputs + n->n_captures; k++) {
    const PtValueId v = k < n->n_inputs ? n->inputs[k] : n->captures[k - n->n_inputs];
    if (v != PT_NONE && g_hash_table_add(seen, GUINT_TO_POINTER(v + 1)))
      visit(v, data);
  }
}

static void each_use(const PtNode *n, void (*visit)(PtValueId, void *), void *data) {
  if (n->n_inputs > 256) {
    each_use_of_many(n, visit, data);
    return;
  }
  for (uint32_t k = 0; k < n->n_inputs; k++) {
    bool again = n->inputs[k] == PT_NONE;
    for (uint32_t j = 0; j < k && !again; j++)
      again = n->inputs[j] == n->inputs[k];
    if (!again)
      visit(n->inputs[k], data);
  }
  for (uint32_t k = 0; k < n->n_captures; k++) {
    bool again = false;
    for (uint32_t j = 0; j < n->n_inputs && !again; j++)
      again = n->inputs[j] == n->captures[k];
    if (!again)
      visit(n->captures[k], data);
  }
}

typedef struct {
  PtUses *uses;
  PtNodeId node;
} Filler;

static void count_use(PtValueId v, void *data) {
  ((PtUses *)data)->start[v + 1]++;
}

static void put_use(PtValueId v, void *data) {
  Filler *f = data;
  f->uses->node[f->uses->start[v]++] = f->node;
}

PtUses *pt_uses_new(const PtGraph *g) {
  PtUses *u = g_new0(PtUses, 1);
  uint32_t n = g->values->len;
  u->start = g_new0(uint32_t, (gsize)n + 2);
  for (PtNodeId i = 0; i < g->nodes->len; i++)
    if (!pt_node(g, i)->dead)
      each_use(pt_node(g, i), count_use, u);
  for (uint32_t v = 0; v < n; v++)
    u->start[v + 1] += u->start[v];
  u->node = g_new(PtNodeId, (gsize)u->start[n] + 1);
  for (PtNodeId i = 0; i < g->nodes->len; i++) {
    Filler f = {u, i};
    if (!pt_node(g, i)->dead)
      each_use(pt_node(g, i), put_use, &f);
  }
  /* filling moved every start to its end */
  memmove(u->start + 1, u->start, n * sizeof *u->start);
  u->start[0] = 0;
  return u;
}

void pt_uses_free(PtUses *u) {
  if (!u)
    return;
  g_free(u->start);
  g_free(u->node);
  g_free(u);
}

typedef struct {
  const PtGraph *graph;
  uint32_t missing;
} Counter;

static void count_missing(PtValueId v, void *data) {
  Counter *c = data;
  PtNodeId p = pt_value(c->graph, v)->producer;
  if (p != PT_NONE && !pt_node(c->graph, p)->dead)
    c->missing++;
}

/* A binary heap of node ids keeps the order that of the file where it is free. */
static void heap_push(PtNodeId *heap, uint32_t *size, PtNodeId id) {
  uint32_t i = (*size)++;
  for (; i > 0 && heap[(i - 1) / 2] > id; i = (i - 1) / 2)
    heap[i] = heap[(i - 1) / 2];
  heap[i] = id;
}

static PtNodeId heap_pop(PtNodeId *heap, uint32_t *size) {
  PtNodeId top = heap[0], last = heap[--*size];
  uint32_t i = 0;
  for (;;) {
    uint32_t child = 2 * i + 1;
    if (child >= *size)
      break;
    if (child + 1 < *size && heap[child + 1] < heap[child])
      child++;
    if (heap[child] >= last)
      break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = last;
  return top;
}

bool pt_graph_toposort(const PtGraph *g, PtNodeId *order, GError **error) {
  uint32_t n = g->nodes->len, done = 0, ready = 0;
  g_autofree uint32_t *missing = g_new0(uint32_t, (gsize)n + 1);
  g_autofree PtNodeId *heap = g_new(PtNodeId, (gsize)n + 1);
  g_autoptr(PtUses) uses = pt_uses_new(g);
  for (PtNodeId i = 0; i < n; i++) {
    Counter c = {g, 0};
    if (!pt_node(g, i)->dead)
      each_use(pt_node(g, i), count_missing, &c);
    missing[i] = c.missing;
    if (c.missing == 0)
      heap_push(heap, &ready, i);
  }
  while (ready > 0) {
    PtNodeId id = heap_pop(heap, &ready);
    order[done++] = id;
    const PtNode *node = pt_node(g, id);
    if (node->dead)
      continue;
    for (uint32_t k = 0; k < node->n_outputs; k++) {
      PtValueId v = node->outputs[k];
      if (v == PT_NONE)
        continue;
      for (uint32_t j = uses->start[v]; j < uses->start[v + 1]; j++)
        if (--missing[uses->node[j]] == 0)
          heap_push(heap, &ready, uses->node[j]);
    }
  }
  if (done == n)
    return true;
  PtNodeId stuck = 0;
  while (missing[stuck] == 0)
    stuck++;
  const PtNode *node = pt_node(g, stuck);
  g_set_error(error, PT_GRAPH_ERROR, PT_ERR_INPUT,
              "the graph has a cycle through or before node %u (%s%s%s): an output feeds back into "
              "its own inputs",
              stuck, node->op_type, node->name[0] ? " " : "", node->name);
  return false;
}

static bool broken(GError **error, const char *what, uint32_t id) {
  g_set_error(error, PT_GRAPH_ERROR, PT_ERR_INTERNAL, "graph invariant broken: %s (%u)", what, id);
  return false;
}

bool pt_graph_check(const PtGraph *g, GError **error) {
  uint32_t n_values = g->values->len, n_nodes = g->nodes->len;
  for (PtNodeId i = 0; i < n_nodes; i++) {
    const PtNode *n = pt_node(g, i);
    for (uint32_t k = 0; k < n->n_inputs; k++)
      if (n->inputs[k] != PT_NONE && n->inputs[k] >= n_values)
        return broken(error, "input id out of range at node", i);
    for (uint32_t k = 0; k < n->n_captures; k++)
      if (n->captures[k] >= n_values)
        return broken(error, "capture id out of range at node", i);
    for (uint32_t k = 0; k < n->n_outputs && !n->dead; k++)
      if (n->outputs[k] != PT_NONE &&
          (n->outputs[k] >= n_values || pt_value(g, n->outputs[k])->producer != i ||
           pt_value(g, n->outputs[k])->output != k))
        return broken(error, "output and producer disagree at node", i);
  }
  for (PtValueId v = 0; v < n_values; v++) {
    const PtValue *value = pt_value(g, v);
    if (!value->name || !value->name[0] || pt_graph_find(g, value->name) != v)
      return broken(error, "name is empty or not unique at value", v);
    if (value->producer != PT_NONE && (value->producer >= n_nodes || value->constant ||
                                       value->is_input || value->outer != PT_NONE))
      return broken(error, "two sources of value", v);
    if (value->outer != PT_NONE && (!g->parent || value->outer >= g->parent->values->len))
      return broken(error, "outer value out of range", v);
  }
  for (guint i = 0; i < g->inputs->len; i++)
    if (pt_graph_input(g, i) >= n_values || !pt_value(g, pt_graph_input(g, i))->is_input)
      return broken(error, "graph input", i);
  for (guint i = 0; i < g->outputs->len; i++)
    if (pt_graph_output(g, i) >= n_values)
      return broken(error, "graph output", i);
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)n_nodes + 1);
  return pt_graph_toposort(g, order, error);
}
