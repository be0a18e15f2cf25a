/* habits: attributes that say what is so anyway. Exporters differ in which of them they write, so a
 * sentinel writes those that the model's own nodes have, and no others. */
#include "sentinel/sentinel_private.h"

#include <string.h>

typedef struct Neutral {
  const char *op, *name;
  PtAttrKind kind;
  int64_t value; /* INT; every one of INTS */
  int64_t since; /* the opset that brought the attribute, 1: always there */
} Neutral;

static const Neutral neutral[] = {
    {"Reshape", "allowzero", PT_ATTR_INT, 0, 14},
    {"BatchNormalization", "training_mode", PT_ATTR_INT, 0, 14},
    {"BatchNormalization", "momentum", PT_ATTR_FLOAT, 0, 1},
    {"MaxPool", "ceil_mode", PT_ATTR_INT, 0, 10},
    {"MaxPool", "storage_order", PT_ATTR_INT, 0, 8},
    {"MaxPool", "dilations", PT_ATTR_INTS, 1, 10},
    {"MaxPool", "pads", PT_ATTR_INTS, 0, 1},
    {"MaxPool", "auto_pad", PT_ATTR_STRING, 0, 1},
    {"AveragePool", "ceil_mode", PT_ATTR_INT, 0, 10},
    {"AveragePool", "count_include_pad", PT_ATTR_INT, 0, 7},
    {"AveragePool", "dilations", PT_ATTR_INTS, 1, 19},
    {"AveragePool", "pads", PT_ATTR_INTS, 0, 1},
    {"AveragePool", "auto_pad", PT_ATTR_STRING, 0, 1},
    {"Conv", "auto_pad", PT_ATTR_STRING, 0, 1},
    {"Conv", "dilations", PT_ATTR_INTS, 1, 1},
    {"Conv", "group", PT_ATTR_INT, 1, 1},
    {"Conv", "strides", PT_ATTR_INTS, 1, 1},
    {"Conv", "pads", PT_ATTR_INTS, 0, 1},
    {"Gemm", "transA", PT_ATTR_INT, 0, 1},
    {"Gemm", "transB", PT_ATTR_INT, 0, 1},
    {"Gather", "axis", PT_ATTR_INT, 0, 1},
    {"Shape", "start", PT_ATTR_INT, 0, 15},
    {"Cast", "saturate", PT_ATTR_INT, 1, 19},
    {"LayerNormalization", "stash_type", PT_ATTR_INT, 1, 17},
    {"Reduce", "keepdims", PT_ATTR_INT, 1, 1},
    {"ReduceSum", "noop_with_empty_axes", PT_ATTR_INT, 0, 13},
    {"Reduce", "noop_with_empty_axes", PT_ATTR_INT, 0, 18},
};

static const Neutral *find(const char *op, const char *name) {
  for (size_t i = 0; i < G_N_ELEMENTS(neutral); i++)
    if (g_str_equal(neutral[i].name, name) &&
        (g_str_equal(neutral[i].op, op) ||
         (g_str_equal(neutral[i].op, "Reduce") && g_str_has_prefix(op, "Reduce"))))
      return &neutral[i];
  return NULL;
}

static bool says_nothing(const Neutral *n, const PtAttr *attr) {
  if (!n || attr->kind != n->kind)
    return false;
  switch (attr->kind) {
  case PT_ATTR_FLOAT:
    return true;
  case PT_ATTR_INT:
    return attr->as.ints[0] == n->value;
  case PT_ATTR_INTS:
    for (uint32_t i = 0; i < attr->count; i++)
      if (attr->as.ints[i] != n->value)
        return false;
    return true;
  case PT_ATTR_STRING: {
    gsize size;
    const char *text = g_bytes_get_data(attr->as.strings[0], &size);
    return size == 6 && memcmp(text, "NOTSET", 6) == 0;
  }
  default:
    return false;
  }
}

bool pt_attr_fits(const PtNode *node, const PtAttr *attr, int64_t opset, bool *drop) {
  const Neutral *n = node->domain[0] == '\0' ? find(node->op_type, attr->name) : NULL;
  *drop = n && n->since > opset;
  return !*drop || says_nothing(n, attr);
}

void pt_drop_attr_at(PtNode *node, uint32_t at) {
  memmove(&node->attrs[at], &node->attrs[at + 1], sizeof(PtAttr) * (node->n_attrs - at - 1));
  node->n_attrs--;
}

/* INTS that the template has for two axes may be wanted for one. */
static void add_like(PtGraph *g, PtNodeId id, const Neutral *n, const PtAttr *from, uint32_t axes) {
  if (from->kind != PT_ATTR_INTS) {
    pt_node_add_attr_copy(g, id, from, NULL);
    return;
  }
  int64_t values[2 * PT_FACE_RANK];
  uint32_t count = g_str_equal(n->name, "pads") ? 2 * axes : axes;
  for (uint32_t i = 0; i < count; i++)
    values[i] = n->value;
  pt_node_set_ints(g, id, n->name, values, count);
}

static void fit_node(PtGraph *g, PtNodeId id, const PtNode *like) {
  for (uint32_t a = pt_node(g, id)->n_attrs; a-- > 0;) {
    PtNode *node = pt_node(g, id);
    const PtAttr *attr = &node->attrs[a];
    if (!pt_node_attr(like, attr->name) && says_nothing(find(node->op_type, attr->name), attr))
      pt_drop_attr_at(node, a);
  }
  int32_t rank = pt_value(g, pt_node(g, id)->inputs[0])->type.rank;
  uint32_t axes = rank > 2 && rank <= PT_FACE_RANK ? (uint32_t)rank - 2 : 0;
  for (uint32_t a = 0; a < like->n_attrs; a++) {
    const Neutral *n = find(like->op_type, like->attrs[a].name);
    bool auto_pads = pt_node_attr(pt_node(g, id), "auto_pad") && n && g_str_equal(n->name, "pads");
    if (n && !auto_pads && !pt_node_attr(pt_node(g, id), n->name) &&
        (axes > 0 || n->kind != PT_ATTR_INTS) &&
        (n->kind == PT_ATTR_FLOAT || n->kind == PT_ATTR_INTS || says_nothing(n, &like->attrs[a])))
      add_like(g, id, n, &like->attrs[a], axes);
  }
  double epsilon = pt_node_float(like, "epsilon", -1);
  if (epsilon > 0 && pt_node_attr(pt_node(g, id), "epsilon"))
    pt_node_set_float(g, id, "epsilon", (float)epsilon);
}

static bool find_any(const char *op) {
  for (size_t i = 0; i < G_N_ELEMENTS(neutral); i++)
    if (g_str_has_prefix(op, neutral[i].op))
      return true;
  return false;
}

void pt_keep_habits(PtGraph *graph, const PtStyle *style) {
  for (PtNodeId id = 0; id < pt_graph_n_nodes(graph); id++) {
    const PtNode *node = pt_node(graph, id);
    const PtNode *like =
        node->domain[0] == '\0' ? g_hash_table_lookup(style->likes, node->op_type) : NULL;
    if (like && node->n_inputs > 0 && node->inputs[0] != PT_NONE && find_any(node->op_type))
      fit_node(graph, id, like);
  }
}
