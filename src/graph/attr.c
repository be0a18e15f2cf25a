/* Attributes of nodes: reading, setting, copying between graphs. */
#include "graph/graph.h"

#include <string.h>

const PtAttr *pt_node_attr(const PtNode *node, const char *name) {
  for (uint32_t i = 0; i < node->n_attrs; i++)
    if (g_str_equal(node->attrs[i].name, name))
      return &node->attrs[i];
  return NULL;
}

int64_t pt_node_int(const PtNode *node, const char *name, int64_t fallback) {
  const PtAttr *a = pt_node_attr(node, name);
  return a && a->kind == PT_ATTR_INT ? a->as.ints[0] : fallback;
}

double pt_node_float(const PtNode *node, const char *name, double fallback) {
  const PtAttr *a = pt_node_attr(node, name);
  return a && a->kind == PT_ATTR_FLOAT ? (double)a->as.floats[0] : fallback;
}

const int64_t *pt_node_ints(const PtNode *node, const char *name, uint32_t *count) {
  const PtAttr *a = pt_node_attr(node, name);
  bool ok = a && a->kind == PT_ATTR_INTS;
  *count = ok ? a->count : 0;
  return ok ? a->as.ints : NULL;
}

bool pt_node_string_is(const PtNode *node, const char *name, const char *text) {
  const PtAttr *a = pt_node_attr(node, name);
  if (!a || a->kind != PT_ATTR_STRING)
    return false;
  size_t size;
  const void *data = g_bytes_get_data(a->as.strings[0], &size);
  return size == strlen(text) && (size == 0 || memcmp(data, text, size) == 0);
}

bool pt_tensor_equal(const PtTensor *a, const PtTensor *b, bool with_data) {
  if (a == b)
    return true;
  if (a->dtype != b->dtype || a->rank != b->rank || a->count != b->count ||
      (a->rank > 0 && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) != 0))
    return false;
  if (!with_data || a->count == 0)
    return true;
  if (a->strings || b->strings) {
    if (!a->strings || !b->strings)
      return false;
    for (size_t i = 0; i < a->count; i++)
      if (!g_bytes_equal(a->strings[i], b->strings[i]))
        return false;
    return true;
  }
  if (a->data && b->data)
    return a->size == b->size && (a->data == b->data || memcmp(a->data, b->data, a->size) == 0);
  return !a->data && !b->data && a->offset == b->offset && g_strcmp0(a->location, b->location) == 0;
}

bool pt_attr_equal(const PtAttr *a, const PtAttr *b) {
  if (a->kind != b->kind || a->count != b->count)
    return false;
  switch (a->kind) {
  case PT_ATTR_FLOAT:
  case PT_ATTR_FLOATS:
    return a->count == 0 || memcmp(a->as.floats, b->as.floats, a->count * sizeof(float)) == 0;
  case PT_ATTR_INT:
  case PT_ATTR_INTS:
    return a->count == 0 || memcmp(a->as.ints, b->as.ints, a->count * sizeof(int64_t)) == 0;
  case PT_ATTR_STRING:
  case PT_ATTR_STRINGS:
  case PT_ATTR_TYPE:
    for (uint32_t i = 0; i < a->count; i++)
      if (!g_bytes_equal(a->as.strings[i], b->as.strings[i]))
        return false;
    return true;
  case PT_ATTR_TENSOR:
  case PT_ATTR_TENSORS:
    for (uint32_t i = 0; i < a->count; i++)
      if (!pt_tensor_equal(a->as.tensors[i], b->as.tensors[i], true))
        return false;
    return true;
  case PT_ATTR_GRAPH:
  case PT_ATTR_GRAPHS:
    return false;
  }
  return false;
}

/* The attribute of that name, made if it is not there. */
static PtAttr *slot(PtGraph *g, PtNodeId node, const char *name) {
  PtNode *n = pt_node(g, node);
  for (uint32_t i = 0; i < n->n_attrs; i++)
    if (g_str_equal(n->attrs[i].name, name))
      return &n->attrs[i];
  PtAttr *grown = pt_arena_new_array(g->arena, PtAttr, n->n_attrs + 1);
  if (n->n_attrs)
    memcpy(grown, n->attrs, n->n_attrs * sizeof *grown);
  grown[n->n_attrs].name = pt_arena_string(g->arena, name);
  n->attrs = grown;
  return &grown[n->n_attrs++];
}

void pt_node_set_int(PtGraph *g, PtNodeId node, const char *name, int64_t value) {
  PtAttr *a = slot(g, node, name);
  a->kind = PT_ATTR_INT;
  a->count = 1;
  a->as.ints = pt_arena_copy(g->arena, &value, sizeof value);
}

void pt_node_set_float(PtGraph *g, PtNodeId node, const char *name, float value) {
  PtAttr *a = slot(g, node, name);
  a->kind = PT_ATTR_FLOAT;
  a->count = 1;
  a->as.floats = pt_arena_copy(g->arena, &value, sizeof value);
}

void pt_node_set_ints(PtGraph *g, PtNodeId node, const char *name, const int64_t *v, uint32_t n) {
  PtAttr *a = slot(g, node, name);
  a->kind = PT_ATTR_INTS;
  a->count = n;
  a->as.ints = pt_arena_copy(g->arena, v, n * sizeof *v);
}

void pt_node_set_floats(PtGraph *g, PtNodeId node, const char *name, const float *v, uint32_t n) {
  PtAttr *a = slot(g, node, name);
  a->kind = PT_ATTR_FLOATS;
  a->count = n;
  a->as.floats = pt_arena_copy(g->arena, v, n * sizeof *v);
}

static GBytes *const *hold_strings(PtGraph *g, GBytes *const *strings, uint32_t count) {
  GBytes **copy = pt_arena_new_array(g->arena, GBytes *, count);
  for (uint32_t i = 0; i < count; i++) {
    copy[i] = strings[i];
    pt_graph_hold_bytes(g, strings[i]);
  }
  return copy;
}

void pt_node_set_string(PtGraph *g, PtNodeId node, const char *name, const char *text) {
  g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
  GBytes *one[1] = {bytes};
  PtAttr *a = slot(g, node, name);
  a->kind = PT_ATTR_STRING;
  a->count = 1;
  a->as.strings = hold_strings(g, one, 1);
}

/* Data is referenced; who calls holds its owner (pt_graph_hold). */
static PtTensor *copy_tensor(PtGraph *g, const PtTensor *t) {
  PtTensor *copy = pt_arena_copy(g->arena, t, sizeof *t);
  copy->dims = pt_arena_copy(g->arena, t->dims, t->rank * sizeof *t->dims);
  copy->location = pt_arena_string(g->arena, t->location);
  if (t->strings)
    copy->strings = hold_strings(g, t->strings, (uint32_t)t->count);
  return copy;
}

static PtGraph *copy_nested(PtGraph *parent, const PtGraph *from, const PtValueId *map) {
  PtGraph *g = pt_graph_new_nested(parent);
  g->name = pt_arena_string(g->arena, from->name);
  g->ir_version = from->ir_version;
  g_autofree PtValueId *inner = g_new(PtValueId, from->values->len + 1);
  for (PtValueId v = 0; v < from->values->len; v++) {
    const PtValue *old = pt_value(from, v);
    inner[v] = pt_graph_add_value(g, old->name);
    PtValue *new = pt_value(g, inner[v]);
    new->type = pt_type_copy(g, &old->type);
    new->is_input = old->is_input;
    if (old->outer != PT_NONE)
      new->outer = map ? map[old->outer] : old->outer;
    if (old->constant)
      new->constant = copy_tensor(g, old->constant);
  }
  for (guint i = 0; i < from->inputs->len; i++)
    g_array_append_val(g->inputs, inner[pt_graph_input(from, i)]);
  for (guint i = 0; i < from->outputs->len; i++)
    g_array_append_val(g->outputs, inner[pt_graph_output(from, i)]);
  for (PtNodeId i = 0; i < from->nodes->len; i++) {
    const PtNode *n = pt_node(from, i);
    g_autofree PtValueId *in = g_new(PtValueId, n->n_inputs + 1);
    g_autofree PtValueId *out = g_new(PtValueId, n->n_outputs + 1);
    for (uint32_t k = 0; k < n->n_inputs; k++)
      in[k] = n->inputs[k] == PT_NONE ? PT_NONE : inner[n->inputs[k]];
    for (uint32_t k = 0; k < n->n_outputs; k++)
      out[k] = n->outputs[k] == PT_NONE ? PT_NONE : inner[n->outputs[k]];
    PtNodeId id = pt_graph_add_node(g, n->domain, n->op_type, in, n->n_inputs, out, n->n_outputs);
    pt_node(g, id)->name = pt_arena_string(g->arena, n->name);
    for (uint32_t a = 0; a < n->n_attrs; a++)
      pt_node_add_attr_copy(g, id, &n->attrs[a], inner);
  }
  pt_graph_refresh_captures(g);
  return g;
}

void pt_node_add_attr_copy(PtGraph *g, PtNodeId node, const PtAttr *attr, const PtValueId *map) {
  PtAttr new = {.kind = attr->kind, .count = attr->count};
  switch (attr->kind) {
  case PT_ATTR_FLOAT:
  case PT_ATTR_FLOATS:
    new.as.floats = pt_arena_copy(g->arena, attr->as.floats, attr->count * sizeof(float));
    break;
  case PT_ATTR_INT:
  case PT_ATTR_INTS:
    new.as.ints = pt_arena_copy(g->arena, attr->as.ints, attr->count * sizeof(int64_t));
    break;
  case PT_ATTR_STRING:
  case PT_ATTR_STRINGS:
  case PT_ATTR_TYPE:
    new.as.strings = hold_strings(g, attr->as.strings, attr->count);
    break;
  case PT_ATTR_TENSOR:
  case PT_ATTR_TENSORS: {
    PtTensor **tensors = pt_arena_new_array(g->arena, PtTensor *, attr->count);
    for (uint32_t i = 0; i < attr->count; i++)
      tensors[i] = copy_tensor(g, attr->as.tensors[i]);
    new.as.tensors = tensors;
    break;
  }
  case PT_ATTR_GRAPH:
  case PT_ATTR_GRAPHS: {
    PtGraph **graphs = pt_arena_new_array(g->arena, PtGraph *, attr->count);
    for (uint32_t i = 0; i < attr->count; i++)
      graphs[i] = copy_nested(g, attr->as.graphs[i], map);
    new.as.graphs = graphs;
    break;
  }
  }
  PtAttr *a = slot(g, node, attr->name);
  new.name = a->name;
  *a = new;
}
