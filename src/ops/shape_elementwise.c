/* shape_elementwise: same shape in and out, broadcasting, casts, normalizations, quantization. */
#include "ops/shape.h"

PT_RULE(pt_shape_same) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  (void)graph;
  if (x)
    outputs[0] = *x;
  return true;
}

PT_RULE(pt_shape_predicate) {
  pt_shape_same(graph, node, inputs, outputs);
  outputs[0].dtype = PT_BOOL;
  return true;
}

PT_RULE(pt_shape_dropout) {
  pt_shape_same(graph, node, inputs, outputs);
  if (node->n_outputs > 1) {
    outputs[1] = outputs[0];
    outputs[1].dtype = pt_graph_opset(graph, "") >= 10 ? PT_BOOL : outputs[0].dtype;
  }
  return true;
}

static bool broadcast_all(PtGraph *graph, const PtNode *node, const PtType *const *inputs,
                          uint32_t first, bool same_dtype, PtType *out) {
  for (uint32_t i = first; i < node->n_inputs; i++) {
    const PtType *x = pt_shape_in(node, inputs, i);
    if (!x) { /* one unknown: nothing is known but that it is a tensor of the others' dtype */
      *out = (PtType){.kind = PT_TYPE_UNKNOWN};
      return true;
    }
    if (i == first) {
      *out = *x;
      continue;
    }
    if (same_dtype && x->dtype != out->dtype)
      return false;
    PtType a = *out;
    if (!pt_dims_broadcast(graph, a.dtype, &a, x, out))
      return false;
  }
  return true;
}

PT_RULE(pt_shape_broadcast) {
  return broadcast_all(graph, node, inputs, 0, true, outputs);
}

/* Pow's exponent, for one, may be of another dtype. */
PT_RULE(pt_shape_broadcast_first) {
  return broadcast_all(graph, node, inputs, 0, false, outputs);
}

PT_RULE(pt_shape_compare) {
  if (!broadcast_all(graph, node, inputs, 0, true, outputs))
    return false;
  outputs[0].dtype = PT_BOOL;
  return true;
}

PT_RULE(pt_shape_where) {
  const PtType *c = pt_shape_in(node, inputs, 0);
  if (c && c->dtype != PT_BOOL)
    return false;
  if (!broadcast_all(graph, node, inputs, 1, true, outputs))
    return false;
  if (outputs[0].kind != PT_TYPE_TENSOR)
    return true;
  PtType a = outputs[0];
  return pt_dims_broadcast(graph, a.dtype, &a, c, outputs);
}

PT_RULE(pt_shape_cast) {
  pt_shape_same(graph, node, inputs, outputs);
  const PtType *like = pt_shape_in(node, inputs, 1);
  outputs[0].dtype = pt_op_is(node, "CastLike")
                         ? (like ? like->dtype : PT_DTYPE_UNDEFINED)
                         : (PtDtype)pt_node_int(node, "to", PT_DTYPE_UNDEFINED);
  if (outputs[0].dtype == PT_DTYPE_UNDEFINED)
    outputs[0].kind = PT_TYPE_UNKNOWN;
  return true;
}

/* Per-channel parameters have the input's channels. BatchNormalization's further outputs are like
 * its statistics. */
PT_RULE(pt_shape_norm) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  pt_shape_same(graph, node, inputs, outputs);
  bool channels = pt_op_is(node, "BatchNormalization") || pt_op_is(node, "InstanceNormalization");
  for (uint32_t i = 1; channels && i < node->n_inputs; i++) {
    const PtType *p = pt_shape_in(node, inputs, i);
    PtDim merged;
    if (!p || p->rank < 0 || !pt_shape_ranked(x))
      continue;
    if (p->rank != 1 || x->rank < 2 || !pt_dim_merge(x->dims[1], p->dims[0], &merged))
      return false;
  }
  for (uint32_t i = 1; channels && i < node->n_outputs; i++) {
    const PtType *p = pt_shape_in(node, inputs, i < 3 ? i + 2 : 1);
    if (p)
      outputs[i] = *p;
  }
  return true;
}

PT_RULE(pt_shape_layer_norm) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  pt_shape_same(graph, node, inputs, outputs);
  if (!pt_shape_ranked(x))
    return true;
  int64_t axis = pt_axis(pt_node_int(node, "axis", -1), x->rank);
  if (axis < 0)
    return false;
  for (uint32_t i = 1; i < node->n_outputs; i++) {
    outputs[i] = pt_shape_new(graph, PT_FLOAT, x->rank);
    for (int32_t d = 0; d < x->rank; d++)
      outputs[i].dims[d] = d < axis ? x->dims[d] : pt_dim_of(1);
  }
  for (uint32_t i = 1; i < node->n_inputs; i++) {
    const PtType *p = pt_shape_in(node, inputs, i);
    PtType unused;
    if (p && p->rank >= 0 &&
        (p->rank > x->rank || !pt_dims_broadcast(graph, x->dtype, x, p, &unused)))
      return false;
  }
  return true;
}

PT_RULE(pt_shape_quantize) {
  const PtType *zero = pt_shape_in(node, inputs, 2);
  pt_shape_same(graph, node, inputs, outputs);
  int64_t dtype = pt_node_int(node, "output_dtype", PT_DTYPE_UNDEFINED);
  outputs[0].dtype = zero ? zero->dtype : dtype ? (PtDtype)dtype : PT_UINT8;
  return true;
}

PT_RULE(pt_shape_dequantize) {
  const PtType *scale = pt_shape_in(node, inputs, 1);
  pt_shape_same(graph, node, inputs, outputs);
  int64_t dtype = pt_node_int(node, "output_dtype", PT_DTYPE_UNDEFINED);
  outputs[0].dtype = dtype ? (PtDtype)dtype : scale ? scale->dtype : PT_FLOAT;
  return true;
}

PT_RULE(pt_shape_dynamic_quantize) {
  pt_shape_same(graph, node, inputs, outputs);
  outputs[0].dtype = PT_UINT8;
  if (node->n_outputs > 1)
    outputs[1] = pt_shape_new(graph, PT_FLOAT, 0);
  if (node->n_outputs > 2)
    outputs[2] = pt_shape_new(graph, PT_UINT8, 0);
  return true;
}

PT_RULE(pt_shape_qlinear_binary) {
  const PtType *a = pt_shape_in(node, inputs, 0), *b = pt_shape_in(node, inputs, 3);
  return !a || !b || pt_dims_broadcast(graph, a->dtype, a, b, outputs);
}
