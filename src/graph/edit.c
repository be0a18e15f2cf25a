/* Compacting, copying, removing what nobody uses. */
#include "graph/graph.h"

#include <string.h>

uint32_t pt_graph_remove_unused(PtGraph *g) {
  uint32_t n = g->nodes->len, removed = 0;
  g_autoptr(PtUses) uses = pt_uses_new(g);
  g_autofree uint32_t *left = g_new0(uint32_t, (gsize)g->values->len + 1);
  for (PtValueId v = 0; v < g->values->len; v++)
    left[v] = pt_uses_count(uses, v);
  for (guint i = 0; i < g->outputs->len; i++)
    left[pt_graph_output(g, i)]++;
  g_autoptr(GArray) queue = g_array_new(FALSE, FALSE, sizeof(PtNodeId));
  for (PtNodeId i = n; i-- > 0;)
    g_array_append_val(queue, i);
  for (guint q = 0; q < queue->len; q++) {
    PtNodeId id = g_array_index(queue, PtNodeId, q);
    PtNode *node = pt_node(g, id);
    bool used = node->dead;
    for (uint32_t k = 0; k < node->n_outputs && !used; k++)
      used = node->outputs[k] != PT_NONE && left[node->outputs[k]] > 0;
    if (used)
      continue;
    node->dead = true;
    removed++;
    /* one decrement a distinct value, as pt_uses counts */
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
      PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
      if (v == PT_NONE || !g_hash_table_add(seen, GUINT_TO_POINTER(v + 1)))
        continue;
      PtNodeId p = pt_value(g, v)->producer;
      if (--left[v] == 0 && p != PT_NONE)
        g_array_append_val(queue, p);
    }
  }
  return removed;
}

static void renumber(PtValueId *ids, uint32_t count, const PtValueId *map) {
  for (uint32_t i = 0; i < count; i++)
    if (ids[i] != PT_NONE)
      ids[i] = map[ids[i]];
}

static void renumber_nested(PtNode *n, const PtValueId *map) {
  for (uint32_t a = 0; a < n->n_attrs; a++) {
    const PtAttr *attr = &n->attrs[a];
    if (attr->kind != PT_ATTR_GRAPH && attr->kind != PT_ATTR_GRAPHS)
      continue;
    for (uint32_t k = 0; k < attr->count; k++) {
      PtGraph *nested = attr->as.graphs[k];
      for (PtValueId v = 0; v < nested->values->len; v++)
        if (pt_value(nested, v)->outer != PT_NONE)
          pt_value(nested, v)->outer = map[pt_value(nested, v)->outer];
    }
  }
}

void pt_graph_compact(PtGraph *g) {
  g_autofree bool *keep = g_new0(bool, (gsize)g->values->len + 1);
  g_autofree PtValueId *map = g_new(PtValueId, (gsize)g->values->len + 1);
  for (PtNodeId i = 0; i < g->nodes->len; i++) {
    const PtNode *n = pt_node(g, i);
    if (n->dead)
      continue;
    for (uint32_t k = 0; k < n->n_inputs; k++)
      if (n->inputs[k] != PT_NONE)
        keep[n->inputs[k]] = true;
    for (uint32_t k = 0; k < n->n_captures; k++)
      keep[n->captures[k]] = true;
    for (uint32_t k = 0; k < n->n_outputs; k++)
      if (n->outputs[k] != PT_NONE)
        keep[n->outputs[k]] = true;
  }
  for (guint i = 0; i < g->inputs->len; i++)
    keep[pt_graph_input(g, i)] = true;
  for (guint i = 0; i < g->outputs->len; i++)
    keep[pt_graph_output(g, i)] = true;

  uint32_t n_values = 0;
  g_hash_table_remove_all(g->names);
  for (PtValueId v = 0; v < g->values->len; v++) {
    map[v] = keep[v] ? n_values : PT_NONE;
    if (!keep[v])
      continue;
    *pt_value(g, n_values) = *pt_value(g, v);
    PtValue *value = pt_value(g, n_values++);
    value->producer = PT_NONE;
    g_hash_table_insert(g->names, (void *)(uintptr_t)value->name, GUINT_TO_POINTER(n_values));
  }
  g_array_set_size(g->values, n_values);

  uint32_t n_nodes = 0;
  for (PtNodeId i = 0; i < g->nodes->len; i++) {
    PtNode *n = pt_node(g, i);
    if (n->dead)
      continue;
    renumber(n->inputs, n->n_inputs, map);
    renumber(n->outputs, n->n_outputs, map);
    renumber(n->captures, n->n_captures, map);
    if (n->n_captures)
      renumber_nested(n, map);
    for (uint32_t k = 0; k < n->n_outputs; k++)
      if (n->outputs[k] != PT_NONE) {
        pt_value(g, n->outputs[k])->producer = n_nodes;
        pt_value(g, n->outputs[k])->output = k;
      }
    *pt_node(g, n_nodes++) = *n;
  }
  g_array_set_size(g->nodes, n_nodes);
  renumber((PtValueId *)(void *)g->inputs->data, g->inputs->len, map);
  renumber((PtValueId *)(void *)g->outputs->data, g->outputs->len, map);
}

/* Shared by copy and extract: values first, then nodes through the map. */
static void add_value_like(PtGraph *to, const PtGraph *from, PtValueId v, PtValueId *map) {
  if (map[v] != PT_NONE)
    return;
  const PtValue *old = pt_value(from, v);
  map[v] = pt_graph_add_value(to, old->name);
  PtValue *new = pt_value(to, map[v]);
  new->type = pt_type_copy(to, &old->type);
  new->constant = old->constant; /* the source graph is held */
}

static void add_node_like(PtGraph *to, const PtGraph *from, PtNodeId id, PtValueId *map) {
  const PtNode *n = pt_node(from, id);
  g_autofree PtValueId *in = g_new(PtValueId, n->n_inputs + 1);
  g_autofree PtValueId *out = g_new(PtValueId, n->n_outputs + 1);
  for (uint32_t k = 0; k < n->n_captures; k++)
    add_value_like(to, from, n->captures[k], map);
  for (uint32_t k = 0; k < n->n_inputs; k++) {
    if (n->inputs[k] != PT_NONE)
      add_value_like(to, from, n->inputs[k], map);
    in[k] = n->inputs[k] == PT_NONE ? PT_NONE : map[n->inputs[k]];
  }
  for (uint32_t k = 0; k < n->n_outputs; k++) {
    if (n->outputs[k] != PT_NONE)
      add_value_like(to, from, n->outputs[k], map);
    out[k] = n->outputs[k] == PT_NONE ? PT_NONE : map[n->outputs[k]];
  }
  PtNodeId added = pt_graph_add_node(to, n->domain, n->op_type, in, n->n_inputs, out, n->n_outputs);
  pt_node(to, added)->name = pt_arena_string(to->arena, n->name);
  pt_node(to, added)->dead = n->dead;
  for (uint32_t a = 0; a < n->n_attrs; a++)
    pt_node_add_attr_copy(to, added, &n->attrs[a], map);
}

static PtGraph *new_like(PtGraph *from) {
  PtGraph *g = pt_graph_new();
  g->name = pt_arena_string(g->arena, from->name);
  g->ir_version = from->ir_version;
  for (guint i = 0; i < from->opsets->len; i++)
    pt_graph_set_opset(g, g_array_index(from->opsets, PtOpset, i).domain,
                       g_array_index(from->opsets, PtOpset, i).version);
  pt_graph_hold(g, pt_graph_ref(from), (GDestroyNotify)pt_graph_unref);
  return g;
}

static PtValueId *new_map(const PtGraph *g) {
  PtValueId *map = g_new(PtValueId, (gsize)g->values->len + 1);
  memset(map, 0xff, ((gsize)g->values->len + 1) * sizeof *map);
  return map;
}

static void add_border(PtGraph *g, const GArray *inputs, const GArray *outputs,
                       const PtValueId *map) {
  for (guint i = 0; i < inputs->len; i++) {
    PtValueId v = map[g_array_index(inputs, PtValueId, i)];
    pt_value(g, v)->is_input = true;
    g_array_append_val(g->inputs, v);
  }
  for (guint i = 0; i < outputs->len; i++)
    g_array_append_val(g->outputs, map[g_array_index(outputs, PtValueId, i)]);
}

PtGraph *pt_graph_copy(const PtGraph *from) {
  PtGraph *source = (PtGraph *)(uintptr_t)from; /* only its reference count changes */
  PtGraph *g = new_like(source);
  g_autofree PtValueId *map = new_map(from);
  for (PtValueId v = 0; v < from->values->len; v++)
    add_value_like(g, from, v, map);
  for (PtNodeId i = 0; i < from->nodes->len; i++)
    add_node_like(g, from, i, map);
  add_border(g, from->inputs, from->outputs, map);
  pt_graph_refresh_captures(g);
  return g;
}

PtPiece *pt_piece_new(void) {
  PtPiece *p = g_new0(PtPiece, 1);
  p->nodes = g_array_new(FALSE, FALSE, sizeof(PtNodeId));
  p->inputs = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  p->outputs = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  return p;
}

void pt_piece_free(PtPiece *p) {
  if (!p)
    return;
  g_array_unref(p->nodes);
  g_array_unref(p->inputs);
  g_array_unref(p->outputs);
  g_free(p);
}

PtGraph *pt_graph_extract(PtGraph *graph, const PtPiece *piece, PtValueId **map_out) {
  PtGraph *g = new_like(graph);
  g_autofree PtValueId *map = new_map(graph);
  for (guint i = 0; i < piece->inputs->len; i++)
    add_value_like(g, graph, g_array_index(piece->inputs, PtValueId, i), map);
  for (guint i = 0; i < piece->nodes->len; i++)
    add_node_like(g, graph, g_array_index(piece->nodes, PtNodeId, i), map);
  add_border(g, piece->inputs, piece->outputs, map);
  pt_graph_refresh_captures(g);
  if (map_out)
    *map_out = g_steal_pointer(&map);
  return g;
}

bool pt_graph_is_convex(const PtGraph *g, const PtNodeId *nodes, uint32_t count) {
  g_autofree uint8_t *mark =
      g_new0(uint8_t, (gsize)g->nodes->len + 1); /* 1 inside, 2 seen outside */
  g_autoptr(PtUses) uses = pt_uses_new(g);
  g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(PtNodeId));
  for (uint32_t i = 0; i < count; i++)
    mark[nodes[i]] = 1;
  g_array_append_vals(stack, nodes, count);
  while (stack->len > 0) {
    PtNodeId id = g_array_index(stack, PtNodeId, stack->len - 1);
    g_array_set_size(stack, stack->len - 1);
    const PtNode *n = pt_node(g, id);
    for (uint32_t k = 0; k < n->n_outputs; k++) {
      PtValueId v = n->outputs[k];
      for (uint32_t j = v == PT_NONE ? 0 : uses->start[v]; v != PT_NONE && j < uses->start[v + 1];
           j++) {
        PtNodeId user = uses->node[j];
        if (mark[user] == 1 && mark[id] == 2)
          return false;
        if (mark[user] == 0) {
          mark[user] = 2;
          g_array_append_val(stack, user);
        }
      }
    }
  }
  return true;
}
