/* The graph itself: arena, values, nodes, building. */
#include "graph/graph.h"

#include <string.h>

G_DEFINE_QUARK(pt - graph - error - quark, pt_graph_error)

typedef struct {
  void *owner;
  GDestroyNotify release;
} Held;

static void held_free(void *data) {
  Held *held = data;
  held->release(held->owner);
  g_free(held);
}

PtGraph *pt_graph_new(void) {
  PtGraph *g = g_new0(PtGraph, 1);
  g->refs = 1;
  g->arena = pt_arena_new();
  g->name = "";
  g->ir_version = 8;
  g->opsets = g_array_new(FALSE, TRUE, sizeof(PtOpset));
  g->values = g_array_new(FALSE, TRUE, sizeof(PtValue));
  g->nodes = g_array_new(FALSE, TRUE, sizeof(PtNode));
  g->inputs = g_array_new(FALSE, TRUE, sizeof(PtValueId));
  g->outputs = g_array_new(FALSE, TRUE, sizeof(PtValueId));
  g->names = g_hash_table_new(g_str_hash, g_str_equal);
  g->held = g_ptr_array_new_with_free_func(held_free);
  return g;
}

PtGraph *pt_graph_new_nested(PtGraph *parent) {
  PtGraph *g = pt_graph_new();
  g->parent = parent;
  g->ir_version = parent->ir_version;
  pt_graph_hold(parent, g, (GDestroyNotify)pt_graph_unref);
  return g;
}

PtGraph *pt_graph_ref(PtGraph *graph) {
  g_atomic_int_inc(&graph->refs);
  return graph;
}

void pt_graph_unref(PtGraph *graph) {
  if (!graph || !g_atomic_int_dec_and_test(&graph->refs))
    return;
  g_array_unref(graph->opsets);
  g_array_unref(graph->values);
  g_array_unref(graph->nodes);
  g_array_unref(graph->inputs);
  g_array_unref(graph->outputs);
  g_hash_table_unref(graph->names);
  g_ptr_array_unref(graph->held);
  pt_arena_free(graph->arena);
  g_free(graph);
}

void pt_graph_hold(PtGraph *graph, void *owner, GDestroyNotify release) {
  Held *held = g_new(Held, 1);
  *held = (Held){owner, release};
  g_ptr_array_add(graph->held, held);
}

/* ---- values ------------------------------------------------------------------------------------
 */

static const char *fresh_name(PtGraph *g) {
  for (guint n = g->values->len;; n++) {
    char text[24];
    g_snprintf(text, sizeof text, "v%u", n);
    if (!g_hash_table_contains(g->names, text))
      return pt_arena_string(g->arena, text);
  }
}

PtValueId pt_graph_add_value(PtGraph *g, const char *name) {
  name = name ? pt_arena_string(g->arena, name) : fresh_name(g);
  if (!name[0] || g_hash_table_contains(g->names, name))
    return PT_NONE;
  PtValueId id = g->values->len;
  g_hash_table_insert(g->names, (void *)(uintptr_t)name, GUINT_TO_POINTER(id + 1));
  PtValue v = {.name = name, .producer = PT_NONE, .outer = PT_NONE};
  v.type.rank = -1;
  g_array_append_val(g->values, v);
  return id;
}

PtValueId pt_graph_find(const PtGraph *g, const char *name) {
  void *id = g_hash_table_lookup(g->names, name);
  return id ? GPOINTER_TO_UINT(id) - 1 : PT_NONE;
}

PtValueId pt_graph_add_input(PtGraph *g, const char *name, const PtType *type) {
  PtValueId id = pt_graph_add_value(g, name);
  if (id == PT_NONE)
    return PT_NONE;
  if (type)
    pt_value(g, id)->type = pt_type_copy(g, type);
  pt_value(g, id)->is_input = true;
  g_array_append_val(g->inputs, id);
  return id;
}

void pt_graph_add_output(PtGraph *g, PtValueId value) {
  g_array_append_val(g->outputs, value);
}

PtValueId pt_graph_add_constant(PtGraph *g, const char *name, PtTensor *tensor) {
  PtValueId id = pt_graph_add_value(g, name);
  if (id == PT_NONE)
    return PT_NONE;
  PtValue *v = pt_value(g, id);
  v->constant = tensor;
  PtDim *dims = pt_arena_new_array(g->arena, PtDim, tensor->rank);
  for (uint32_t i = 0; i < tensor->rank; i++)
    dims[i] = (PtDim){tensor->dims[i], NULL};
  v->type = (PtType){PT_TYPE_TENSOR, tensor->dtype, (int32_t)tensor->rank, dims, NULL, 0};
  return id;
}

PtTensor *pt_graph_tensor(PtGraph *g, PtDtype dtype, uint32_t rank, const int64_t *dims,
                          const void *data) {
  size_t count = 1;
  for (uint32_t i = 0; i < rank; i++) {
    if (dims[i] < 0)
      return NULL;
    count = pt_size_mul(count, (size_t)dims[i]);
  }
  size_t size = pt_dtype_size(dtype, count);
  if (count >= SIZE_MAX / 16 || size == SIZE_MAX)
    return NULL;
  PtTensor *t = pt_arena_new_array(g->arena, PtTensor, 1);
  *t = (PtTensor){.dtype = dtype, .rank = rank, .count = count, .size = size, .data = data};
  t->dims = pt_arena_copy(g->arena, dims, rank * sizeof *dims);
  return t;
}

PtTensor *pt_graph_tensor_copy(PtGraph *g, PtDtype dtype, uint32_t rank, const int64_t *dims,
                               const void *data) {
  PtTensor *t = pt_graph_tensor(g, dtype, rank, dims, NULL);
  if (t)
    t->data = pt_arena_copy(g->arena, data, t->size);
  return t;
}

PtValueId pt_graph_add_ints(PtGraph *g, const int64_t *values, size_t count) {
  int64_t dims[1] = {(int64_t)count};
  return pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_INT64, 1, dims, values));
}

/* ---- nodes -------------------------------------------------------------------------------------
 */

PtNodeId pt_graph_add_node(PtGraph *g, const char *domain, const char *op_type,
                           const PtValueId *inputs, uint32_t n_inputs, const PtValueId *outputs,
                           uint32_t n_outputs) {
  PtNodeId id = g->nodes->len;
  PtNode n = {.name = "", .n_inputs = n_inputs, .n_outputs = n_outputs};
  n.domain = pt_arena_string(g->arena, g_strcmp0(domain, "ai.onnx") == 0 || !domain ? "" : domain);
  n.op_type = pt_arena_string(g->arena, op_type);
  n.inputs = pt_arena_copy(g->arena, inputs, n_inputs * sizeof *inputs);
  n.outputs = pt_arena_copy(g->arena, outputs, n_outputs * sizeof *outputs);
  g_array_append_val(g->nodes, n);
  for (uint32_t i = 0; i < n_outputs; i++)
    if (outputs[i] != PT_NONE) {
      pt_value(g, outputs[i])->producer = id;
      pt_value(g, outputs[i])->output = i;
    }
  return id;
}

PtValueId pt_graph_add_op(PtGraph *g, const char *op_type, const PtValueId *inputs,
                          uint32_t n_inputs) {
  PtValueId out = pt_graph_add_value(g, NULL);
  pt_graph_add_node(g, "", op_type, inputs, n_inputs, &out, 1);
  return out;
}

bool pt_graph_is_output(const PtGraph *g, PtValueId value) {
  for (guint i = 0; i < g->outputs->len; i++)
    if (pt_graph_output(g, i) == value)
      return true;
  return false;
}

static void replace_in_nested(PtGraph *nested, PtValueId from, PtValueId to) {
  for (PtValueId v = 0; v < nested->values->len; v++)
    if (pt_value(nested, v)->outer == from)
      pt_value(nested, v)->outer = to;
}

void pt_graph_replace_value(PtGraph *g, PtValueId from, PtValueId to) {
  for (PtNodeId i = 0; i < g->nodes->len; i++) {
    PtNode *n = pt_node(g, i);
    for (uint32_t k = 0; k < n->n_inputs; k++)
      if (n->inputs[k] == from)
        n->inputs[k] = to;
    bool captured = false;
    for (uint32_t k = 0; k < n->n_captures; k++)
      captured |= n->captures[k] == from;
    if (!captured)
      continue;
    for (uint32_t a = 0; a < n->n_attrs; a++)
      if (n->attrs[a].kind == PT_ATTR_GRAPH || n->attrs[a].kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < n->attrs[a].count; k++)
          replace_in_nested(n->attrs[a].as.graphs[k], from, to);
    for (uint32_t k = 0; k < n->n_captures; k++)
      if (n->captures[k] == from)
        n->captures[k] = to;
  }
  for (guint i = 0; i < g->outputs->len; i++)
    if (pt_graph_output(g, i) == from)
      g_array_index(g->outputs, PtValueId, i) = to;
}

/* ---- captures ----------------------------------------------------------------------------------
 */

static void collect_captures(const PtGraph *nested, GHashTable *seen, GArray *out) {
  for (PtValueId v = 0; v < nested->values->len; v++) {
    PtValueId outer = pt_value(nested, v)->outer;
    if (outer != PT_NONE && g_hash_table_add(seen, GUINT_TO_POINTER(outer + 1)))
      g_array_append_val(out, outer);
  }
}

void pt_graph_refresh_captures(PtGraph *g) {
  for (PtNodeId i = 0; i < g->nodes->len; i++) {
    g_autoptr(GHashTable) seen = NULL;
    g_autoptr(GArray) found = NULL;
    PtNode *n = pt_node(g, i);
    for (uint32_t a = 0; a < n->n_attrs; a++) {
      const PtAttr *attr = &n->attrs[a];
      if (attr->kind != PT_ATTR_GRAPH && attr->kind != PT_ATTR_GRAPHS)
        continue;
      if (!seen) {
        seen = g_hash_table_new(NULL, NULL);
        found = g_array_new(FALSE, FALSE, sizeof(PtValueId));
      }
      /* a deeper graph reaches us through its parent's own outer values */
      for (uint32_t k = 0; k < attr->count; k++) {
        pt_graph_refresh_captures(attr->as.graphs[k]);
        collect_captures(attr->as.graphs[k], seen, found);
      }
    }
    n->n_captures = found ? found->len : 0;
    n->captures =
        found ? pt_arena_copy(g->arena, found->data, found->len * sizeof(PtValueId)) : NULL;
  }
}

/* ---- opsets ------------------------------------------------------------------------------------
 */

void pt_graph_set_opset(PtGraph *g, const char *domain, int64_t version) {
  if (g_str_equal(domain, "ai.onnx"))
    domain = "";
  for (guint i = 0; i < g->opsets->len; i++) {
    PtOpset *o = &g_array_index(g->opsets, PtOpset, i);
    if (g_str_equal(o->domain, domain)) {
      o->version = version;
      return;
    }
  }
  PtOpset o = {pt_arena_string(g->arena, domain), version};
  g_array_append_val(g->opsets, o);
}

int64_t pt_graph_opset(const PtGraph *g, const char *domain) {
  if (g_str_equal(domain, "ai.onnx"))
    domain = "";
  for (; g; g = g->parent)
    for (guint i = 0; i < g->opsets->len; i++) {
      const PtOpset *o = &g_array_index(g->opsets, PtOpset, i);
      if (g_str_equal(o->domain, domain))
        return o->version;
    }
  return -1;
}
