/* edit_change: nodes taken out and replaced, and edits that keep every value as it is. */
#include "sentinel/sentinel_private.h"

#include <string.h>

typedef bool (*Try)(PtDraft *draft, PtNodeId node);

static bool at_random_node(PtDraft *d, Try try_node) {
  uint32_t n = pt_graph_n_nodes(d->graph);
  if (n == 0)
    return false;
  uint32_t start = (uint32_t)pt_rng_below(d->rng, n);
  g_autofree bool *fixed = pt_find_fixed(d->graph);
  for (uint32_t i = 0; i < n; i++) {
    const PtNode *node = pt_node(d->graph, (start + i) % n);
    if (node->dead || node->n_outputs == 0 || node->outputs[0] == PT_NONE ||
        fixed[node->outputs[0]])
      continue;
    if (try_node(d, (start + i) % n))
      return true;
  }
  return false;
}

static bool is_float_value(const PtDraft *d, PtValueId v) {
  const PtType *t = &pt_value(d->graph, v)->type;
  return t->kind == PT_TYPE_TENSOR && t->dtype == d->dtype && t->rank >= 2;
}

/* ---- taking out
 * ------------------------------------------------------------------------------------------ */
static bool take_out(PtDraft *d, PtNodeId id) {
  PtGraph *g = d->graph;
  const PtNode *node = pt_node(g, id);
  if (node->n_outputs != 1 || node->n_captures > 0 || !is_float_value(d, node->outputs[0]))
    return false;
  PtValueId y = node->outputs[0];
  uint32_t start = (uint32_t)pt_rng_below(d->rng, MAX(node->n_inputs, 1));
  for (uint32_t k = 0; k < node->n_inputs; k++) {
    PtValueId x = node->inputs[(start + k) % node->n_inputs];
    if (x == PT_NONE || pt_value(g, x)->constant || pt_is_cast(d, x) ||
        !pt_type_equal(pt_draft_type(d, x), pt_draft_type(d, y)))
      continue;
    if (pt_graph_is_output(g, y) &&
        (pt_value(g, x)->producer == PT_NONE || pt_graph_is_output(g, x)))
      continue;
    pt_graph_replace_value(g, y, x);
    return true;
  }
  return false;
}

bool pt_edit_remove(PtDraft *draft) {
  return at_random_node(draft, take_out);
}

/* ---- replacing
 * ------------------------------------------------------------------------------------------- */
/* A node like `id` with another operator or other inputs takes its place. */
static bool put_instead(PtDraft *d, PtNodeId id, const char *op, const PtValueId *in,
                        uint32_t n_inputs, const PtAttrSpec *attrs, uint32_t n_attrs) {
  PtGraph *g = d->graph;
  PtValueId y = pt_node(g, id)->outputs[0];
  PtType was = *pt_draft_type(d, y);
  if (!g_hash_table_contains(d->style->likes, op) && pt_rng_below(d->rng, 20) > 0)
    return false;
  PtValueId z = pt_draft_op(d, op, in, n_inputs, attrs, n_attrs);
  if (z == PT_NONE || !pt_type_equal(pt_draft_type(d, z), &was))
    return false;
  pt_graph_replace_value(g, y, z);
  return true;
}

/* Sigmoid and Tanh gate; the others are a matter of habit. */
static bool is_habit(const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  return op && op->op_class == PT_CLASS_ACTIVATION && op->domain[0] == '\0' &&
         node->n_outputs == 1 && !g_str_equal(op->name, "Sigmoid") &&
         !g_str_equal(op->name, "Tanh");
}

static bool in_style(const PtStyle *s, const char *op) {
  for (uint32_t i = 0; i < s->n_activations; i++)
    if (g_str_equal(s->activation[i], op))
      return true;
  return g_str_equal(op, "Clip") && s->clips;
}

static bool set_activation(PtDraft *d, PtNodeId id, const char *to) {
  PtValueId x = pt_node(d->graph, id)->inputs[0];
  if (g_str_equal(to, pt_node(d->graph, id)->op_type) ||
      (g_str_equal(to, "HardSwish") && d->opset < 14))
    return false;
  if (!g_str_equal(to, "Clip"))
    return put_instead(d, id, to, &x, 1, NULL, 0);
  PtValueId y = pt_form_clip(d, x, 0, 6);
  if (y == PT_NONE)
    return false;
  pt_graph_replace_value(d->graph, pt_node(d->graph, id)->outputs[0], y);
  return true;
}

static const char *habitual(PtDraft *d) {
  const PtStyle *s = d->style;
  uint32_t n = s->n_activations + s->clips, i = (uint32_t)pt_rng_below(d->rng, MAX(n, 1));
  const char *to = i < s->n_activations ? s->activation[i] : "Clip";
  return g_str_equal(to, "Sigmoid") || g_str_equal(to, "Tanh") ? NULL : to;
}

/* Mostly to one that the model has; now and then to any usual one. */
static bool swap_activation(PtDraft *d, PtNodeId id) {
  static const char *const usual[] = {"Relu", "LeakyRelu", "HardSwish", "Clip", "Elu"};
  if (!is_habit(pt_node(d->graph, id)))
    return false;
  const char *to = habitual(d);
  if (!to || (pt_rng_below(d->rng, 12) == 0))
    to = usual[pt_rng_below(d->rng, G_N_ELEMENTS(usual))];
  return set_activation(d, id, to);
}

void pt_keep_style(PtDraft *draft) {
  for (PtNodeId n = pt_graph_n_nodes(draft->graph); n-- > 0;) {
    const PtNode *node = pt_node(draft->graph, n);
    if (node->dead || !is_habit(node) || in_style(draft->style, node->op_type) ||
        pt_rng_below(draft->rng, 8) == 0)
      continue;
    const char *to = habitual(draft);
    if (to)
      set_activation(draft, n, to);
  }
}

/* Another odd kernel, another grouping, a dilation: the output keeps its size. */
static bool vary_conv(PtDraft *d, PtNodeId id) {
  const PtNode *node = pt_node(d->graph, id);
  if (!pt_op_is(node, "Conv") || !is_float_value(d, node->outputs[0]))
    return false;
  PtValueId x = node->inputs[0];
  const PtType *t = pt_draft_type(d, x), *o = pt_draft_type(d, node->outputs[0]);
  uint32_t n;
  const int64_t *stride = pt_node_ints(node, "strides", &n);
  int64_t s[2] = {n == 2 ? stride[0] : 1, n == 2 ? stride[1] : 1}, c = t->dims[1].size, m;
  if (t->rank != 4 || c <= 0 || (m = o->dims[1].size) <= 0)
    return false;
  static const int64_t kernels[] = {1, 3, 5, 7};
  int64_t k = kernels[pt_rng_below(d->rng, 4)],
          dilation = k > 1 && pt_rng_below(d->rng, 5) == 0 ? 2 : 1;
  int64_t group = pt_node_int(node, "group", 1), p = dilation * (k / 2);
  if (pt_rng_below(d->rng, 3) == 0)
    group = group > 1 ? 1 : c == m && k > 1 ? c : c % 4 == 0 && m % 4 == 0 ? 4 : 1;
  int64_t dims[4] = {m, c / group, k, k}, ks[2] = {k, k}, pads[4] = {p, p, p, p},
          ds[2] = {dilation, dilation};
  PtValueId in[3] = {x, pt_draft_weight(d, 4, dims),
                     node->n_inputs > 2 ? node->inputs[2] : PT_NONE};
  if (in[1] == PT_NONE)
    return false;
  PtAttrSpec attrs[] = {PT_INTS_ATTR("dilations", ds, 2), PT_INT_ATTR("group", group),
                        PT_INTS_ATTR("kernel_shape", ks, 2), PT_INTS_ATTR("pads", pads, 4),
                        PT_INTS_ATTR("strides", s, 2)};
  return put_instead(d, id, "Conv", in, in[2] == PT_NONE ? 2 : 3, attrs, 5);
}

static bool swap_pool(PtDraft *d, PtNodeId id) {
  const PtNode *node = pt_node(d->graph, id);
  bool max = pt_op_is(node, "MaxPool");
  PtValueId x = node->n_inputs ? node->inputs[0] : PT_NONE;
  if (pt_op_is(node, "GlobalAveragePool"))
    return put_instead(d, id, "GlobalMaxPool", &x, 1, NULL, 0);
  if ((!max && !pt_op_is(node, "AveragePool")) || node->n_outputs != 1 ||
      pt_node_int(node, "ceil_mode", 0))
    return false;
  PtAttrSpec attrs[3];
  uint32_t n = 0, count;
  static const char *const names[] = {"kernel_shape", "pads", "strides"};
  for (int i = 0; i < 3; i++) {
    const int64_t *v = pt_node_ints(node, names[i], &count);
    if (v)
      attrs[n++] = (PtAttrSpec)PT_INTS_ATTR(names[i], v, count);
  }
  return put_instead(d, id, max ? "AveragePool" : "MaxPool", &x, 1, attrs, n);
}

static bool swap_binary(PtDraft *d, PtNodeId id) {
  const PtNode *node = pt_node(d->graph, id);
  bool adds = pt_op_is(node, "Add"), multiplies = pt_op_is(node, "Mul"),
       subtracts = pt_op_is(node, "Sub");
  if ((!adds && !multiplies && !subtracts) || !is_float_value(d, node->outputs[0]))
    return false;
  PtValueId in[2] = {node->inputs[0], node->inputs[1]};
  if (!pt_rng_below(d->rng, 2)) {
    PtValueId swap = in[0];
    in[0] = in[1], in[1] = swap;
  }
  static const char *const to[] = {"Add", "Mul", "Sub", "Max"};
  const char *op = to[pt_rng_below(d->rng, 4)];
  return !g_str_equal(op, node->op_type) && put_instead(d, id, op, in, 2, NULL, 0);
}

/* An operand of an elementwise node is read from another place of the same type, earlier in the
 * order. */
static bool rewire(PtDraft *d, PtNodeId id) {
  PtGraph *g = d->graph;
  PtNode *node = pt_node(g, id);
  const PtOp *op = pt_op_of(node);
  if (!op || op->op_class != PT_CLASS_BINARY || node->n_inputs != 2)
    return false;
  uint32_t slot = (uint32_t)pt_rng_below(d->rng, 2), n = pt_graph_n_values(g), count = 0;
  PtValueId old = node->inputs[slot];
  if (old == PT_NONE || pt_value(g, old)->constant || !is_float_value(d, old) || pt_is_cast(d, old))
    return false;
  g_autofree PtValueId *others = g_new(PtValueId, n + 1);
  for (PtValueId v = 0; v < n; v++) {
    const PtValue *value = pt_value(g, v);
    bool earlier = value->is_input || (value->producer != PT_NONE && value->producer < id);
    if (v != old && v != node->inputs[1 - slot] && !pt_is_cast(d, v) && !value->constant &&
        earlier && pt_type_equal(&value->type, pt_draft_type(d, old)))
      others[count++] = v;
  }
  if (count == 0)
    return false;
  node->inputs[slot] = others[pt_rng_below(d->rng, count)];
  return true;
}

bool pt_edit_replace(PtDraft *draft) {
  static const Try kinds[] = {swap_activation, vary_conv,   vary_conv,
                              swap_pool,       swap_binary, rewire};
  uint32_t start = (uint32_t)pt_rng_below(draft->rng, G_N_ELEMENTS(kinds));
  for (uint32_t i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (at_random_node(draft, kinds[(start + i) % G_N_ELEMENTS(kinds)]))
      return true;
  return false;
}

/* ---- keeping every value
 * ----------------------------------------------------------------------------------- */
static PtValueId raw_op(PtDraft *d, const char *op, const PtValueId *in, uint32_t n,
                        const PtType *type) {
  PtValueId y = pt_graph_add_op(d->graph, op, in, n);
  pt_value(d->graph, y)->type = *type;
  return y;
}

static PtValueId cast(PtDraft *d, PtValueId x, PtDtype to) {
  PtType t = *pt_draft_type(d, x);
  t.dtype = to;
  PtValueId y = raw_op(d, "Cast", &x, 1, &t);
  pt_node_set_int(d->graph, pt_value(d->graph, y)->producer, "to", to);
  return y;
}

static PtValueId int_scalar(PtDraft *d, PtDtype dtype, int64_t value) {
  int32_t narrow = (int32_t)value;
  const void *data = dtype == PT_INT64 ? (const void *)&value : (const void *)&narrow;
  PtTensor *t = pt_graph_tensor_copy(d->graph, dtype, 0, NULL, data);
  PtValueId v = pt_graph_add_constant(d->graph, NULL, t);
  pt_value(d->graph, v)->type = pt_type_of_constant(d->graph, t);
  return v;
}

static PtValueId there_and_back(PtDraft *d, PtValueId x, const PtType *t) {
  int64_t axis = t->rank > 0 ? (int64_t)pt_rng_below(d->rng, (uint64_t)t->rank + 1) : 0;
  if (t->rank < 0)
    return raw_op(d, "Identity", &x, 1, t);
  PtValueId y = pt_form_axes(d, "Unsqueeze", x, &axis, 1);
  y = y == PT_NONE ? y : pt_form_axes(d, "Squeeze", y, &axis, 1);
  if (y != PT_NONE)
    pt_value(d->graph, y)->type = *t;
  return y;
}

/* x + 0, x * 1, max(x, x): what a size or a mask can go through unharmed. */
static PtValueId neutral(PtDraft *d, PtValueId x, const PtType *t) {
  bool whole = t->dtype == PT_INT64 || t->dtype == PT_INT32;
  PtValueId twice[2] = {x, x};
  switch (pt_rng_below(d->rng, whole || t->dtype == PT_BOOL ? 6 : 2)) {
  case 0:
    return there_and_back(d, x, t);
  case 1:
    return raw_op(d, "Identity", &x, 1, t);
  case 2:
    if (t->dtype == PT_BOOL)
      return raw_op(d, "And", twice, 2, t);
    twice[1] = int_scalar(d, t->dtype, 0);
    return raw_op(d, "Add", twice, 2, t);
  case 3:
    if (t->dtype == PT_BOOL)
      return raw_op(d, "Or", twice, 2, t);
    twice[1] = int_scalar(d, t->dtype, 1);
    return raw_op(d, pt_rng_below(d->rng, 2) ? "Mul" : "Div", twice, 2, t);
  case 4:
    if (t->dtype == PT_BOOL) {
      PtValueId y = raw_op(d, "Not", &x, 1, t);
      return raw_op(d, "Not", &y, 1, t);
    }
    twice[1] = int_scalar(d, t->dtype, 0);
    return raw_op(d, "Sub", twice, 2, t);
  default:
    return cast(d, cast(d, x, t->dtype == PT_INT64 ? PT_INT32 : PT_INT64), t->dtype);
  }
}

bool pt_edit_neutral(PtDraft *draft) {
  PtGraph *g = draft->graph;
  uint32_t n = pt_graph_n_values(g), count = 0;
  g_autofree PtValueId *sites = g_new(PtValueId, n + 1);
  for (PtValueId v = 0; v < n; v++)
    if (!pt_value(g, v)->constant && pt_value(g, v)->type.kind == PT_TYPE_TENSOR)
      sites[count++] = v;
  if (count == 0)
    return false;
  PtValueId v = sites[pt_rng_below(draft->rng, count)];
  PtType was = *pt_draft_type(draft, v);
  PtValueId w = PT_NONE;
  for (int tries = 0; tries < 6; tries++) { /* rather with operators that the model has */
    uint32_t before = pt_graph_n_nodes(g);
    PtValueId place = pt_splice_begin(draft, v);
    w = neutral(draft, v, &was);
    bool keep = w != PT_NONE && (tries == 5 || pt_style_strange(draft->style, g, before) == 0);
    pt_splice_end(draft, place, keep ? w : v);
    if (keep)
      return true;
  }
  return false;
}
