/* forms: operators whose form changed between opsets: axes and sizes that were attributes and
 * became inputs. */
#include "sentinel/sentinel_private.h"

#include <string.h>

/* From which opset on the axes are an input. */
static int64_t axes_are_input_from(const char *op) {
  if (g_str_equal(op, "Squeeze") || g_str_equal(op, "Unsqueeze") || g_str_equal(op, "ReduceSum"))
    return 13;
  return g_str_has_prefix(op, "Reduce") ? 18 : INT64_MAX;
}

static PtValueId emit_axes(PtDraft *draft, const char *op, PtValueId x, const int64_t *axes,
                           uint32_t n, const int64_t *keep) {
  PtAttrSpec attrs[2];
  uint32_t n_attrs = 0;
  PtValueId in[2] = {x, PT_NONE};
  bool input = draft->opset >= axes_are_input_from(op);
  if (keep)
    attrs[n_attrs++] = (PtAttrSpec)PT_INT_ATTR("keepdims", *keep);
  if (n > 0 && input)
    in[1] = pt_draft_ints(draft, axes, n);
  else if (n > 0)
    attrs[n_attrs++] = (PtAttrSpec)PT_INTS_ATTR("axes", axes, n);
  return pt_draft_op(draft, op, in, in[1] == PT_NONE ? 1 : 2, attrs, n_attrs);
}

PtValueId pt_form_reduce(PtDraft *draft, const char *op_type, PtValueId x, const int64_t *axes,
                         uint32_t n, bool keep) {
  int64_t k = keep;
  return emit_axes(draft, op_type, x, axes, n, &k);
}

PtValueId pt_form_axes(PtDraft *draft, const char *op_type, PtValueId x, const int64_t *axes,
                       uint32_t n) {
  return emit_axes(draft, op_type, x, axes, n, NULL);
}

static bool crosses(int64_t from, int64_t to, int64_t at) {
  return (from < at) != (to < at);
}

bool pt_form_same(const PtNode *node, int64_t from, int64_t to) {
  static const struct {
    const char *op;
    int64_t at;
  } changes[] = {{"Split", 13},
                 {"Split", 18},
                 {"Clip", 11},
                 {"Pad", 11},
                 {"Slice", 10},
                 {"Softmax", 13},
                 {"LogSoftmax", 13},
                 {"Hardmax", 13},
                 {"Dropout", 12},
                 {"Resize", 11},
                 {"Upsample", 9},
                 {"TopK", 10},
                 {"GroupNormalization", 21},
                 {"OneHot", 9}};
  if (node->domain[0] != '\0' || from == to)
    return true;
  if (crosses(from, to, axes_are_input_from(node->op_type)))
    return false;
  for (size_t i = 0; i < G_N_ELEMENTS(changes); i++)
    if (g_str_equal(node->op_type, changes[i].op) && crosses(from, to, changes[i].at))
      return false;
  return true;
}

/* An attribute's or constant input's integers; -1 if neither is there, -2 if it is computed. */
static int ints_of(const PtGraph *donor, const PtNode *node, const char *attr, uint32_t input,
                   int64_t *out, int max) {
  uint32_t n;
  const int64_t *a = pt_node_ints(node, attr, &n);
  if (a) {
    if ((int)n > max)
      return -2;
    memcpy(out, a, n * sizeof *a);
    return (int)n;
  }
  if (input >= node->n_inputs || node->inputs[input] == PT_NONE)
    return -1;
  const PtTensor *t = pt_value(donor, node->inputs[input])->constant;
  int got = t ? (int)pt_tensor_ints(t, out, (size_t)max) : -2;
  return got < 0 ? -2 : got;
}

PtValueId pt_form_clip(PtDraft *draft, PtValueId x, double least, double most) {
  if (draft->opset >= 11) {
    PtValueId in[3] = {x, pt_draft_scalar(draft, least), pt_draft_scalar(draft, most)};
    return pt_draft_op(draft, "Clip", in, 3, NULL, 0);
  }
  PtAttrSpec attrs[2] = {PT_FLOAT_ATTR("min", least), PT_FLOAT_ATTR("max", most)};
  return pt_draft_op(draft, "Clip", &x, 1, attrs, 2);
}

static PtValueId convert_clip(PtDraft *draft, const PtGraph *donor, const PtNode *node,
                              PtValueId x) {
  double limit[2] = {-3.402823e38, 3.402823e38};
  for (uint32_t i = 0; i < 2; i++) {
    if (i + 1 < node->n_inputs && node->inputs[i + 1] != PT_NONE) {
      const PtTensor *t = pt_value(donor, node->inputs[i + 1])->constant;
      if (!t || t->count != 1 || !t->data)
        return PT_NONE;
      limit[i] = pt_tensor_float_at(t, 0);
    } else
      limit[i] = pt_node_float(node, i ? "max" : "min", limit[i]);
  }
  return pt_form_clip(draft, x, limit[0], limit[1]);
}

static PtValueId convert_pad(PtDraft *draft, const PtGraph *donor, const PtNode *node,
                             PtValueId x) {
  int64_t pads[2 * PT_FACE_RANK];
  int n = ints_of(donor, node, "pads", 1, pads, 2 * PT_FACE_RANK);
  if (n <= 0 || node->n_inputs > 3 || pt_node_attr(node, "mode"))
    return PT_NONE;
  PtAttrSpec attr = PT_INTS_ATTR("pads", pads, (uint32_t)n);
  PtValueId in[2] = {x, PT_NONE};
  if (draft->opset < 11)
    return pt_draft_op(draft, "Pad", in, 1, &attr, 1);
  in[1] = pt_draft_ints(draft, pads, (uint32_t)n);
  return pt_draft_op(draft, "Pad", in, 2, NULL, 0);
}

/* Softmax over the last axis is the same before and after 13. */
static PtValueId convert_softmax(PtDraft *draft, const PtNode *node, int64_t from, PtValueId x) {
  int32_t rank = pt_draft_type(draft, x)->rank;
  int64_t axis = pt_node_int(node, "axis", from < 13 ? 1 : -1);
  if (axis != -1 && axis != rank - 1)
    return PT_NONE;
  PtAttrSpec attr = PT_INT_ATTR("axis", rank - 1);
  return pt_draft_op(draft, node->op_type, &x, 1, &attr, 1);
}

static bool convert_split(PtDraft *draft, const PtGraph *donor, const PtNode *node, PtValueId x,
                          PtValueId *outputs) {
  int64_t sizes[PT_FACE_RANK * 2], axis = pt_node_int(node, "axis", 0);
  PtGraph *g = draft->graph;
  int n = ints_of(donor, node, "split", 1, sizes, PT_FACE_RANK * 2);
  const PtType *t = pt_draft_type(draft, x);
  int64_t at = axis < 0 ? axis + t->rank : axis;
  if (n == -2 || at < 0 || at >= t->rank || node->n_outputs > PT_FACE_RANK * 2)
    return false;
  if (n == -1) {
    n = (int)node->n_outputs;
    if (t->dims[at].size < 0 || t->dims[at].size % n != 0)
      return false;
    for (int i = 0; i < n; i++)
      sizes[i] = t->dims[at].size / n;
  }
  PtValueId in[2] = {x, PT_NONE};
  if (draft->opset >= 13)
    in[1] = pt_draft_ints(draft, sizes, (uint32_t)n);
  for (uint32_t i = 0; i < node->n_outputs; i++)
    outputs[i] = pt_graph_add_value(g, NULL);
  PtNodeId id =
      pt_graph_add_node(g, "", "Split", in, in[1] == PT_NONE ? 1 : 2, outputs, node->n_outputs);
  pt_node_set_int(g, id, "axis", axis);
  if (draft->opset < 13)
    pt_node_set_ints(g, id, "split", sizes, (uint32_t)n);
  return pt_draft_settle(draft, id);
}

bool pt_form_convert(PtDraft *draft, const PtGraph *donor, const PtNode *node,
                     const PtValueId *inputs, PtValueId *outputs) {
  int64_t from = pt_graph_opset(donor, ""), axes[PT_FACE_RANK * 2];
  const char *op = node->op_type;
  PtValueId x = inputs[0];
  outputs[0] = PT_NONE;
  if (axes_are_input_from(op) != INT64_MAX) {
    int n = ints_of(donor, node, "axes", 1, axes, PT_FACE_RANK * 2);
    int64_t keep = pt_node_int(node, "keepdims", 1);
    if (n != -2 && !pt_node_int(node, "noop_with_empty_axes", 0))
      outputs[0] = emit_axes(draft, op, x, axes, n < 0 ? 0 : (uint32_t)n,
                             g_str_has_prefix(op, "Reduce") ? &keep : NULL);
  } else if (g_str_equal(op, "Clip"))
    outputs[0] = convert_clip(draft, donor, node, x);
  else if (g_str_equal(op, "Pad"))
    outputs[0] = convert_pad(draft, donor, node, x);
  else if (strstr(op, "oftmax"))
    outputs[0] = convert_softmax(draft, node, from, x);
  else if (g_str_equal(op, "Split"))
    return convert_split(draft, donor, node, x, outputs);
  return outputs[0] != PT_NONE;
}
