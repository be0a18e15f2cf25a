/* draw_graph.c: one candidate in Graphviz's language: what a person needs to see of it. */
#include "report/draw_private.h"

#include "ops/ops.h"

#include <string.h>

#define MAX_LABEL 200 /* bytes of one line; what is longer is cut */

/* ---- colours
 * ----------------------------------------------------------------------------------------- */
static const struct {
  const char *name, *colour;
} families[] = {{"convolution", "#a6cee3"},        {"matrix product", "#b2df8a"},
                {"pooling, reduction", "#cab2d6"}, {"normalization", "#fdbf6f"},
                {"activation", "#fb9a99"},         {"elementwise", "#ffef9f"},
                {"moves data", "#e0e0e0"},         {"recurrent", "#8dd3c7"},
                {"quantization", "#d9a066"},       {"other", "#ffffff"}};

static const char *colour_of(const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  switch (op ? op->op_class : PT_CLASS_OTHER) {
  case PT_CLASS_CONV:
    return families[0].colour;
  case PT_CLASS_LINEAR:
    return families[1].colour;
  case PT_CLASS_POOL:
  case PT_CLASS_REDUCE:
    return families[2].colour;
  case PT_CLASS_NORM:
    return families[3].colour;
  case PT_CLASS_ACTIVATION:
  case PT_CLASS_SOFTMAX:
    return families[4].colour;
  case PT_CLASS_UNARY:
  case PT_CLASS_BINARY:
  case PT_CLASS_COMPARE:
    return families[5].colour;
  case PT_CLASS_MOVE:
  case PT_CLASS_SHAPE:
  case PT_CLASS_CONSTANT:
    return families[6].colour;
  case PT_CLASS_RECURRENT:
    return families[7].colour;
  case PT_CLASS_QUANT:
    return families[8].colour;
  default:
    return families[9].colour;
  }
}

bool pt_draw_legend(uint32_t i, const char **name, const char **colour) {
  if (i >= G_N_ELEMENTS(families))
    return false;
  *name = families[i].name;
  *colour = families[i].colour;
  return true;
}

/* ---- labels
 * ------------------------------------------------------------------------------------------ */
/* Inside a quoted string of Graphviz: whatever a file has for a name. */
static void add_escaped(GString *out, const char *text) {
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  size_t done = 0;
  for (const char *p = valid; *p && done < MAX_LABEL; p = g_utf8_next_char(p), done++) {
    gunichar c = g_utf8_get_char(p);
    if (c == '"' || c == '\\')
      g_string_append_c(out, '\\');
    g_string_append_unichar(out, c < 32 ? ' ' : c);
  }
}

static void add_dims(GString *out, const int64_t *dims, uint32_t rank, const char *between) {
  for (uint32_t i = 0; i < rank; i++)
    g_string_append_printf(out, "%s%" G_GINT64_FORMAT, i ? between : "", dims[i]);
}

static bool all_equal(const int64_t *v, uint32_t n) {
  for (uint32_t i = 1; i < n; i++)
    if (v[i] != v[0])
      return false;
  return true;
}

/* A quantized weight's way to its reader: as little to see as the weight itself. */
static bool is_weight(const PtGraph *g, const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  if (!op || op->op_class != PT_CLASS_QUANT)
    return false;
  for (uint32_t i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PT_NONE && !pt_value(g, node->inputs[i])->constant)
      return false;
  for (uint32_t i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PT_NONE && pt_graph_is_output(g, node->outputs[i]))
      return false;
  return true;
}

/* The weight that it reads at `input`, quantized or not; NULL if that is no constant. */
static const PtTensor *weight_of(const PtGraph *g, const PtNode *node, uint32_t input) {
  PtValueId v = input < node->n_inputs ? node->inputs[input] : PT_NONE;
  if (v == PT_NONE)
    return NULL;
  PtNodeId from = pt_value(g, v)->producer;
  if (from != PT_NONE && is_weight(g, pt_node(g, from)) && pt_node(g, from)->n_inputs > 0)
    v = pt_node(g, from)->inputs[0];
  return v == PT_NONE ? NULL : pt_value(g, v)->constant;
}

/* 3×3 64→128 /2, depthwise: what tells one convolution from another. */
static void add_window(GString *s, const PtGraph *g, const PtNode *node) {
  uint32_t n;
  const int64_t *v = pt_node_ints(node, "kernel_shape", &n);
  if (v) {
    g_string_append_c(s, ' ');
    add_dims(s, v, n, "×");
  }
  const PtTensor *w = weight_of(g, node, 1);
  int64_t group = pt_node_int(node, "group", 1);
  bool transposed = g_str_equal(node->op_type, "ConvTranspose");
  if (w && w->rank >= 2) {
    int64_t in = transposed ? w->dims[0] : w->dims[1] * group,
            out = transposed ? w->dims[1] * group : w->dims[0];
    g_string_append_printf(s, " %" G_GINT64_FORMAT "→%" G_GINT64_FORMAT, in, out);
    if (group > 1 && group == in)
      g_string_append(s, "\\ndepthwise");
    else if (group > 1)
      g_string_append_printf(s, "\\n%" G_GINT64_FORMAT " groups", group);
  }
  v = pt_node_ints(node, "strides", &n);
  if (v && !(n > 0 && v[0] == 1 && all_equal(v, n))) {
    g_string_append(s, " /");
    add_dims(s, v, all_equal(v, n) ? 1 : n, "×");
  }
  v = pt_node_ints(node, "dilations", &n);
  if (v && n > 0 && !(v[0] == 1 && all_equal(v, n))) {
    g_string_append(s, " dilated ");
    add_dims(s, v, all_equal(v, n) ? 1 : n, "×");
  }
}

static void add_small_attrs(GString *s, const PtNode *node) {
  static const char *const shown[] = {"axis",        "axes", "perm",     "alpha",
                                      "min",         "max",  "keepdims", "blocksize",
                                      "hidden_size", "mode", "equation", "approximate"};
  for (size_t i = 0; i < G_N_ELEMENTS(shown); i++) {
    const PtAttr *a = pt_node_attr(node, shown[i]);
    if (!a)
      continue;
    if (a->kind == PT_ATTR_INT && !g_str_equal(shown[i], "keepdims"))
      g_string_append_printf(s, " %s %" G_GINT64_FORMAT, shown[i], a->as.ints[0]);
    else if (a->kind == PT_ATTR_INTS) {
      g_string_append_printf(s, " ");
      add_dims(s, a->as.ints, MIN(a->count, 8), ",");
    } else if (a->kind == PT_ATTR_FLOAT)
      g_string_append_printf(s, " %s %.4g", shown[i], (double)a->as.floats[0]);
    else if (a->kind == PT_ATTR_STRING) {
      gsize size;
      const char *text = g_bytes_get_data(a->as.strings[0], &size);
      g_autofree char *copy = g_strndup(text ? text : "", MIN(size, 24));
      g_string_append_c(s, ' ');
      add_escaped(s, copy);
    }
  }
}

/* A constant that it reads: its value where it is one number or a few integers, else its shape. */
static void add_constant(GString *s, const PtTensor *t) {
  int64_t v[8];
  if (t->count == 1 && pt_dtype_is_float(t->dtype) && t->data)
    g_string_append_printf(s, " %.4g", pt_tensor_float_at(t, 0));
  else if (!pt_dtype_is_float(t->dtype) && t->count <= 8 && t->data &&
           pt_tensor_ints(t, v, 8) == (int64_t)t->count) {
    g_string_append(s, t->count == 1 ? " " : " (");
    add_dims(s, v, (uint32_t)t->count, ",");
    g_string_append(s, t->count == 1 ? "" : ")");
  } else {
    g_string_append(s, " [");
    add_dims(s, t->dims, t->rank, ",");
    g_string_append(s, "]");
  }
}

static void add_name(GString *out, const PtNode *node) {
  if (node->domain[0] != '\0') {
    add_escaped(out, node->domain);
    g_string_append_c(out, '.');
  }
  add_escaped(out, node->op_type);
}

static void add_label(GString *out, const PtGraph *g, const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  PtOpClass class = op ? op->op_class : PT_CLASS_OTHER;
  add_name(out, node);
  if (class == PT_CLASS_CONV || class == PT_CLASS_POOL)
    add_window(out, g, node);
  else
    add_small_attrs(out, node);
  if (pt_op_is(node, "Cast"))
    g_string_append_printf(out, " %s", pt_dtype_name((PtDtype)pt_node_int(node, "to", 0)));
  if (class == PT_CLASS_CONV || class == PT_CLASS_NORM || class == PT_CLASS_QUANT)
    return; /* a convolution has said it; vectors of normalizations and scales say nothing */
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    const PtTensor *t = node->inputs[i] == PT_NONE ? NULL : pt_value(g, node->inputs[i])->constant;
    if (t)
      add_constant(out, t);
  }
}

/* ---- the graph
 * ---------------------------------------------------------------------------------------- */
static void add_terminal(GString *out, const PtGraph *g, PtValueId v, const char *stem,
                         uint32_t index) {
  g_autofree char *type = pt_type_text(&pt_value(g, v)->type);
  g_string_append_printf(out, "  %s%u [label=\"%s ", stem, index, stem[0] == 'i' ? "in" : "out");
  add_escaped(out, type);
  g_string_append(out, "\", shape=plaintext, style=\"\", fontcolor=\"#1f4e79\"];\n");
}

static void add_edge(GString *out, const PtGraph *g, PtValueId v, const uint32_t *input,
                     const char *to, uint32_t index) {
  if (input[v])
    g_string_append_printf(out, "  i%u -> %s%u;\n", input[v] - 1, to, index);
  else if (pt_value(g, v)->producer != PT_NONE &&
           !is_weight(g, pt_node(g, pt_value(g, v)->producer)))
    g_string_append_printf(out, "  n%u -> %s%u;\n", pt_value(g, v)->producer, to, index);
}

void pt_draw_graph(GString *out, const PtGraph *g, const char *title) {
  g_autofree uint32_t *input = g_new0(uint32_t, (gsize)pt_graph_n_values(g) + 1);
  g_string_append(out, "digraph {\n  graph [ranksep=0.22, nodesep=0.18, margin=0.1, labelloc=t, "
                       "fontname=\"Helvetica\", fontsize=13, label=\"");
  add_escaped(out, title);
  g_string_append(out, "\"];\n  node [shape=box, style=\"filled,rounded\", fontname=\"Helvetica\", "
                       "fontsize=11, height=0.28, width=0.5, margin=\"0.07,0.03\"];\n"
                       "  edge [arrowsize=0.5];\n");
  for (uint32_t i = 0; i < g->inputs->len; i++) {
    add_terminal(out, g, pt_graph_input(g, i), "i", i);
    input[pt_graph_input(g, i)] = i + 1;
  }
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
    const PtNode *node = pt_node(g, n);
    if (is_weight(g, node))
      continue;
    g_string_append_printf(out, "  n%u [fillcolor=\"%s\", label=\"", n, colour_of(node));
    add_label(out, g, node);
    g_string_append(out, "\"];\n");
    for (uint32_t i = 0; i < node->n_inputs + node->n_captures; i++) {
      PtValueId v = i < node->n_inputs ? node->inputs[i] : node->captures[i - node->n_inputs];
      if (v != PT_NONE)
        add_edge(out, g, v, input, "n", n);
    }
  }
  for (uint32_t i = 0; i < g->outputs->len; i++) {
    add_terminal(out, g, pt_graph_output(g, i), "o", i);
    add_edge(out, g, pt_graph_output(g, i), input, "o", i);
  }
  g_string_append(out, "}\n");
}
