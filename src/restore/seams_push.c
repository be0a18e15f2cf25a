/* seams_push.c: moves ReorderOutput behind the nodes that read only what is blocked.
 * First the operators that ONNX Runtime itself would take into the layout on the whole graph, by
 * its rules; then some that it would not, kept only where that saves a reorder. */
#include "ops/ops.h"
#include "restore/seams_private.h"

#include <string.h>

/* ---- making a node blocked ---- */
/* The node reads blocked values from now on; its output is reordered back for whoever wants it so.
 */
static void make_blocked(PtSeams *s, PtNodeId node, int64_t channels, int64_t padded,
                         bool optional) {
  PtNode *n = pt_node(s->graph, node);
  PtSeamPush push = {.node = node, .output = n->outputs[0], .optional = optional};
  push.inputs = pt_arena_copy(s->graph->arena, n->inputs, n->n_inputs * sizeof(PtValueId));
  for (uint32_t k = 0; k < n->n_inputs; k++) {
    PtValueId blocked = pt_seam_blocked(s, n->inputs[k]);
    if (blocked != PT_NONE)
      pt_seam_set_input(s, node, k, blocked);
  }
  PtValueId made = pt_seam_add_value(s);
  n = pt_node(s->graph, node);
  n->outputs[0] = made;
  PtValue *value = pt_value(s->graph, made);
  value->producer = node;
  value->output = 0;
  pt_value(s->graph, push.output)->producer = PT_NONE;
  PtSeamValue *out = pt_seam(s, made);
  out->is_blocked = true;
  out->padded = padded;
  out->type = pt_seam(s, push.output)->type;
  if (out->type.kind == PT_TYPE_UNKNOWN)
    out->type = pt_value(s->graph, push.output)->type;
  push.reorder = pt_seam_add_reorder(s, made, push.output, channels);
  g_array_append_val(s->pushes, push);
  s->report.pushed++;
}

static bool only_output(const PtNode *n) {
  for (uint32_t k = 1; k < n->n_outputs; k++)
    if (n->outputs[k] != PT_NONE)
      return false;
  return n->n_outputs > 0 && n->outputs[0] != PT_NONE;
}

static bool all_blocked(const PtSeams *s, const PtNode *n) {
  for (uint32_t k = 0; k < n->n_inputs; k++)
    if (pt_seam_blocked(s, n->inputs[k]) == PT_NONE)
      return false;
  return n->n_inputs > 0;
}

/* The domain of a node becomes the blocked one: kernel_shape, pads and the like mean the same
 * there. */
static void set_domain(PtSeams *s, PtNodeId node) {
  pt_node(s->graph, node)->domain = pt_arena_string(s->graph->arena, PT_NCHWC);
}

/* ---- ONNX Runtime's rules ---- */
static bool same_shapes(const PtSeams *s, const PtNode *n) {
  for (uint32_t k = 1; k < n->n_inputs; k++)
    if (pt_seam(s, n->inputs[k])->channels != pt_seam(s, n->inputs[0])->channels ||
        (n->inputs[k] != n->inputs[0] && !pt_seam_same_shape(s, n->inputs[0], n->inputs[k])))
      return false;
  return true;
}

static bool push_binary(PtSeams *s, PtNodeId node, bool add, bool optional) {
  const PtNode *n = pt_node(s->graph, node);
  if (!all_blocked(s, n) || !same_shapes(s, n))
    return false;
  if (add && pt_seam_fold_add(s, node))
    return true;
  const PtSeamValue *first = pt_seam(s, n->inputs[0]);
  int64_t padded = pt_seam(s, first->blocked - 1)->padded;
  make_blocked(s, node, first->channels, padded, optional);
  return true;
}

static bool push_concat(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  int64_t axis = pt_node_int(n, "axis", 1), sum = 0;
  if ((axis != 1 && axis != -3) || !all_blocked(s, n))
    return false;
  for (uint32_t k = 0; k < n->n_inputs; k++) {
    int64_t channels = pt_seam(s, n->inputs[k])->channels;
    if (channels % s->block != 0 || __builtin_add_overflow(sum, channels, &sum))
      return false;
  }
  make_blocked(s, node, sum, sum, false);
  return true;
}

static bool push_pool(PtSeams *s, PtNodeId node, bool average) {
  const PtNode *n = pt_node(s->graph, node);
  int64_t channels = pt_seam(s, n->inputs[0])->channels;
  if (n->n_inputs != 1 || channels % s->block != 0)
    return false;
  if (average && pt_graph_opset(s->graph, "") >= 19) {
    /* since then it may be dilated, and rounding up means something else */
    uint32_t count;
    const int64_t *dilations = pt_node_ints(n, "dilations", &count);
    for (uint32_t i = 0; i < count; i++)
      if (dilations[i] != 1)
        return false;
    if (pt_node_int(n, "ceil_mode", 0))
      return false;
  }
  make_blocked(s, node, channels, channels, false);
  set_domain(s, node);
  return true;
}

static bool push_activation(PtSeams *s, PtNodeId node, bool optional) {
  if (pt_seam_fold_activation(s, node))
    return true;
  const PtSeamValue *in = pt_seam(s, pt_node(s->graph, node)->inputs[0]);
  make_blocked(s, node, in->channels, pt_seam(s, in->blocked - 1)->padded, optional);
  return true;
}

/* Transpose to NHWC: the reorder can do that itself. */
static bool push_transpose(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  uint32_t count;
  const int64_t *perm = pt_node_ints(n, "perm", &count);
  if (count != 4 || perm[0] != 0 || perm[1] != 2 || perm[2] != 3 || perm[3] != 1)
    return false;
  PtValueId blocked = pt_seam_blocked(s, n->inputs[0]), output = n->outputs[0];
  int64_t channels = pt_seam(s, n->inputs[0])->channels;
  pt_seam_kill(s, node);
  PtNodeId reorder =
      pt_graph_add_node(s->graph, PT_NCHWC, "ReorderOutput", &blocked, 1, &output, 1);
  pt_node_set_int(s->graph, reorder, "channels", channels);
  pt_node_set_int(s->graph, reorder, "channels_last", 1);
  pt_seam(s, blocked)->uses++;
  pt_seam(s, blocked)->reorders++;
  s->report.pushed++;
  return true;
}

/* ---- Resize ---- */
static bool resize_is_blockable(const PtNode *n) {
  static const char *const strange[] = {
      "axes", "antialias", "keep_aspect_ratio_policy", "exclude_outside", "extrapolation_value",
      NULL};
  for (size_t i = 0; strange[i]; i++)
    if (pt_node_attr(n, strange[i]) && pt_node_int(n, strange[i], 1) != 0)
      return false;
  bool nearest = !pt_node_attr(n, "mode") || pt_node_string_is(n, "mode", "nearest");
  if (nearest)
    return pt_node_string_is(n, "coordinate_transformation_mode", "asymmetric") &&
           pt_node_string_is(n, "nearest_mode", "floor");
  return pt_node_string_is(n, "mode", "linear") &&
         (pt_node_string_is(n, "coordinate_transformation_mode", "asymmetric") ||
          pt_node_string_is(n, "coordinate_transformation_mode", "align_corners") ||
          pt_node_string_is(n, "coordinate_transformation_mode", "half_pixel"));
}

/* Whole factors by which a Resize of opset 11 or later enlarges; false if they are not whole or not
 * known. */
static bool resize_scales(const PtSeams *s, const PtNode *n, int64_t scales[4]) {
  if (n->n_inputs > 3 && n->inputs[3] != PT_NONE) {
    const PtTensor *sizes = pt_value(s->graph, n->inputs[3])->constant;
    int64_t want[4];
    const PtType *in = &pt_seam(s, pt_seam_blocked(s, n->inputs[0]))->type;
    if (!sizes || sizes->dtype != PT_INT64 || pt_tensor_ints(sizes, want, 4) != 4 || in->rank != 4)
      return false;
    for (int i = 0; i < 4; i++) {
      int64_t have = in->dims[i].size;
      if (have <= 0 || want[i] <= 0 || want[i] % have != 0)
        return false;
      scales[i] = want[i] / have;
    }
  } else {
    const PtTensor *t = n->n_inputs > 2 && n->inputs[2] != PT_NONE
                            ? pt_value(s->graph, n->inputs[2])->constant
                            : NULL;
    if (!t || t->dtype != PT_FLOAT || t->count != 4 || !t->data)
      return false;
    for (size_t i = 0; i < 4; i++) {
      double scale = pt_tensor_float_at(t, i);
      if (!(scale >= 1 && scale <= 1024))
        return false;
      scales[i] = (int64_t)scale;
      if ((double)scales[i] != scale)
        return false;
    }
  }
  return scales[0] == 1 && scales[1] == 1;
}

static bool push_resize(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  int64_t scales[4];
  if (pt_graph_opset(s->graph, "") < 11 || !resize_is_blockable(n) || !resize_scales(s, n, scales))
    return false;
  PtGraph *g = s->graph;
  PtValueId x = n->inputs[0], blocked = pt_seam_blocked(s, x), output = n->outputs[0];
  const char *mode = pt_node_string_is(n, "mode", "linear") ? "linear" : NULL;
  const char *transformation =
      pt_node_string_is(n, "coordinate_transformation_mode", "asymmetric")   ? "asymmetric"
      : pt_node_string_is(n, "coordinate_transformation_mode", "half_pixel") ? "half_pixel"
                                                                             : "align_corners";
  PtSeamValue in = *pt_seam(s, x);
  PtType type = pt_value(g, output)->type;
  pt_seam_kill(s, node);
  PtValueId made = pt_seam_add_value(s);
  PtNodeId up = pt_graph_add_node(g, PT_NCHWC, "Upsample", &blocked, 1, &made, 1);
  pt_node_set_ints(g, up, "scales", scales, 4);
  if (mode) {
    pt_node_set_string(g, up, "mode", mode);
    pt_node_set_string(g, up, "coordinate_transformation_mode", transformation);
  }
  pt_seam(s, blocked)->uses++;
  pt_seam(s, made)->is_blocked = true;
  pt_seam(s, made)->padded = pt_seam(s, blocked)->padded;
  pt_seam(s, made)->type = type;
  pt_seam_add_reorder(s, made, output, in.channels);
  s->report.pushed++;
  return true;
}

/* ---- what ONNX Runtime leaves in NCHW ---- */
/* Elementwise, and finite where its input is: padding must not become what zero weights do not
 * silence. */
static bool is_extra_unary(const PtNode *n) {
  static const char *const standard[] = {"Clip",     "LeakyRelu",       "Elu",      "Selu", "Celu",
                                         "Softplus", "Softsign",        "Erf",      "Abs",  "Neg",
                                         "Mish",     "ThresholdedRelu", "Identity", NULL};
  return n->domain[0] == '\0' && g_strv_contains(standard, n->op_type);
}

static bool is_scalar(const PtSeams *s, PtValueId v) {
  const PtTensor *t = v == PT_NONE ? NULL : pt_value(s->graph, v)->constant;
  return t && t->count == 1 && t->rank <= 4 && t->dtype == PT_FLOAT && t->data;
}

static bool push_extra(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  static const char *const pairs[] = {"Sub", "Max", "Min", NULL};
  static const char *const scalars[] = {"Add", "Sub", "Mul", NULL};
  if (n->domain[0] != '\0')
    return false;
  if (is_extra_unary(n)) {
    for (uint32_t k = 1; k < n->n_inputs; k++)
      if (n->inputs[k] != PT_NONE && !is_scalar(s, n->inputs[k]))
        return false;
    return pt_seam_blocked(s, n->inputs[0]) != PT_NONE && push_activation(s, node, true);
  }
  if (g_strv_contains(pairs, n->op_type) && all_blocked(s, n))
    return push_binary(s, node, false, true);
  bool scalar = g_strv_contains(scalars, n->op_type) && n->n_inputs == 2;
  for (uint32_t k = 0; scalar && k < 2; k++)
    if (pt_seam_blocked(s, n->inputs[k]) != PT_NONE && is_scalar(s, n->inputs[1 - k])) {
      const PtSeamValue *in = pt_seam(s, n->inputs[k]);
      make_blocked(s, node, in->channels, pt_seam(s, in->blocked - 1)->padded, true);
      return true;
    }
  return false;
}

/* ---- the door ---- */
static bool push_one_input(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  static const char *const activations[] = {"Relu",      "Sigmoid", "Tanh", "HardSigmoid",
                                            "HardSwish", "Gelu",    NULL};
  static const char *const gelus[] = {"QuickGelu", "Gelu", NULL};
  if (g_str_equal(n->domain, PT_MICROSOFT))
    return n->n_inputs == 1 && g_strv_contains(gelus, n->op_type) &&
           push_activation(s, node, false);
  if (n->domain[0] != '\0')
    return false;
  if (g_strv_contains(activations, n->op_type))
    return push_activation(s, node, false);
  if (pt_op_is(n, "MaxPool") || pt_op_is(n, "GlobalMaxPool") || pt_op_is(n, "GlobalAveragePool"))
    return push_pool(s, node, false);
  if (pt_op_is(n, "AveragePool"))
    return push_pool(s, node, true);
  if (pt_op_is(n, "BatchNormalization"))
    return pt_seam_fold_normalization(s, node);
  if (pt_op_is(n, "Transpose"))
    return push_transpose(s, node);
  return pt_op_is(n, "Resize") && push_resize(s, node);
}

void pt_seam_push(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  bool any = false;
  for (uint32_t k = 0; k < n->n_inputs; k++)
    any |= pt_seam_blocked(s, n->inputs[k]) != PT_NONE;
  if (!any || !only_output(n) || n->n_captures)
    return;
  bool done = false;
  if (pt_op_is(n, "Add") || pt_op_is(n, "Sum"))
    done = push_binary(s, node, true, false);
  else if (pt_op_is(n, "Mul"))
    done = pt_seam_fold_silu(s, node) || push_binary(s, node, false, false);
  else if (pt_op_is(n, "Concat"))
    done = push_concat(s, node);
  else if (pt_seam_blocked(s, n->inputs[0]) != PT_NONE)
    done = push_one_input(s, node);
  if (!done)
    push_extra(s, node);
}

/* ---- taking back ---- */
static bool pays(const PtSeams *s, const PtSeamPush *push, const PtNode *n) {
  uint64_t anew = 0; /* bytes that would have to be reordered for the node as it was */
  for (uint32_t k = 0; k < n->n_inputs; k++) {
    PtValueId x = push->inputs[k];
    if (x != n->inputs[k] && pt_seam(s, x)->uses == 0)
      anew += pt_seam_bytes(s, x);
  }
  uint64_t now = pt_seam_bytes(s, push->output);
  return push->optional ? anew > now : anew >= now;
}

void pt_seam_retract(PtSeams *s) {
  for (guint i = s->pushes->len; i-- > 0;) {
    const PtSeamPush *push = &g_array_index(s->pushes, PtSeamPush, i);
    PtNode *n = pt_node(s->graph, push->node);
    PtValueId made = n->outputs[0];
    bool alone = pt_seam(s, made)->uses == 1 && pt_seam(s, push->output)->uses > 0;
    if (n->dead || g_str_equal(n->domain, PT_NCHWC) || made == push->output || !alone ||
        pt_node(s->graph, push->reorder)->dead || pays(s, push, n))
      continue;
    pt_seam_kill(s, push->reorder);
    for (uint32_t k = 0; k < n->n_inputs; k++)
      if (push->inputs[k] != n->inputs[k])
        pt_seam_set_input(s, push->node, k, push->inputs[k]);
    n->outputs[0] = push->output;
    pt_value(s->graph, push->output)->producer = push->node;
    pt_value(s->graph, push->output)->output = 0;
    pt_value(s->graph, made)->producer = PT_NONE;
    s->report.pushed--;
  }
}
