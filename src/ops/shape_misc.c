/* shape_misc: reductions, shapes as data, constants made on the fly. */
#include "ops/shape.h"

PT_RULE(pt_shape_reduce) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t axes[PT_MAX_RANK];
  if (!x)
    return true;
  bool keep = pt_node_int(node, "keepdims", 1) != 0;
  outputs[0] = pt_shape_new(graph, x->dtype, keep ? x->rank : -1);
  if (x->rank < 0)
    return true;
  int n = pt_shape_axes(graph, node, 1, x->rank, axes);
  if (n < 0)
    return n == -1;
  if (n == 0 && pt_node_int(node, "noop_with_empty_axes", 0)) {
    outputs[0] = *x;
    return true;
  }
  bool gone[PT_MAX_RANK] = {false};
  for (int i = 0; i < n; i++)
    gone[axes[i]] = true;
  PtDim dims[PT_MAX_RANK];
  int32_t rank = 0;
  for (int32_t i = 0; i < x->rank; i++)
    if (n > 0 && !gone[i])
      dims[rank++] = x->dims[i];
    else if (keep)
      dims[rank++] = pt_dim_of(1);
  outputs[0] = pt_type_tensor(graph, x->dtype, rank, dims);
  return true;
}

PT_RULE(pt_shape_arg_reduce) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  if (!x)
    return true;
  bool keep = pt_node_int(node, "keepdims", 1) != 0;
  if (x->rank < 0) {
    outputs[0] = pt_shape_new(graph, PT_INT64, -1);
    return true;
  }
  int64_t axis = pt_axis(pt_node_int(node, "axis", 0), x->rank);
  if (axis < 0)
    return false;
  PtDim dims[PT_MAX_RANK];
  int32_t rank = 0;
  for (int32_t i = 0; i < x->rank; i++)
    if (i != axis)
      dims[rank++] = x->dims[i];
    else if (keep)
      dims[rank++] = pt_dim_of(1);
  outputs[0] = pt_type_tensor(graph, PT_INT64, rank, dims);
  return true;
}

PT_RULE(pt_shape_shape) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  outputs[0] = pt_shape_new(graph, PT_INT64, 1);
  if (!pt_shape_ranked(x))
    return true;
  int64_t start = pt_node_int(node, "start", 0), end = pt_node_int(node, "end", x->rank);
  start = CLAMP(start < 0 ? start + x->rank : start, 0, x->rank);
  end = CLAMP(end < 0 ? end + x->rank : end, 0, x->rank);
  outputs[0].dims[0] = pt_dim_of(MAX(end - start, 0));
  return true;
}

PT_RULE(pt_shape_size) {
  (void)node, (void)inputs;
  outputs[0] = pt_shape_new(graph, PT_INT64, 0);
  return true;
}

PT_RULE(pt_shape_constant) {
  const PtAttr *attr = pt_node_attr(node, "value");
  (void)inputs;
  if (!attr || attr->kind != PT_ATTR_TENSOR || attr->count != 1)
    return true; /* value_float and its kin are lifted on reading */
  const PtTensor *t = attr->as.tensors[0];
  outputs[0] = pt_shape_new(graph, t->dtype, (int32_t)t->rank);
  for (uint32_t i = 0; i < t->rank; i++)
    outputs[0].dims[i] = pt_dim_of(t->dims[i]);
  return true;
}

PT_RULE(pt_shape_constant_of_shape) {
  int64_t want[PT_MAX_RANK];
  (void)inputs;
  const PtAttr *attr = pt_node_attr(node, "value");
  PtDtype dtype = attr && attr->kind == PT_ATTR_TENSOR ? attr->as.tensors[0]->dtype : PT_FLOAT;
  int n = pt_shape_ints(graph, node, 0, want, PT_MAX_RANK);
  outputs[0] = pt_shape_new(graph, dtype, n);
  for (int i = 0; i < n; i++)
    outputs[0].dims[i] = pt_dim_of(want[i]);
  return true;
}

PT_RULE(pt_shape_range) {
  const PtType *start = pt_shape_in(node, inputs, 0);
  if (!start)
    return true;
  outputs[0] = pt_shape_new(graph, start->dtype, 1);
  int64_t from, to, step;
  /* constants only: a negative step or bound cannot be told from "not known" otherwise */
  const PtTensor *c[3];
  for (uint32_t i = 0; i < 3; i++)
    c[i] = i < node->n_inputs && node->inputs[i] != PT_NONE
               ? pt_value(graph, node->inputs[i])->constant
               : NULL;
  if (!c[0] || !c[1] || !c[2] || pt_tensor_ints(c[0], &from, 1) != 1 ||
      pt_tensor_ints(c[1], &to, 1) != 1 || pt_tensor_ints(c[2], &step, 1) != 1)
    return true;
  if (step == 0)
    return false;
  double n = ((double)to - (double)from) / (double)step;
  int64_t count = n <= 0 ? 0 : (int64_t)n + ((double)(int64_t)n < n);
  outputs[0].dims[0] = pt_dim_of(n < 1e15 ? count : -1);
  return true;
}

PT_RULE(pt_shape_like) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  (void)graph;
  if (!x)
    return true;
  outputs[0] = *x;
  int64_t dtype = pt_node_int(node, "dtype", PT_DTYPE_UNDEFINED);
  if (dtype)
    outputs[0].dtype = (PtDtype)dtype;
  return true;
}

PT_RULE(pt_shape_random) {
  uint32_t n = 0;
  const int64_t *shape = pt_node_ints(node, "shape", &n);
  (void)inputs;
  if (!shape || n > PT_MAX_RANK)
    return false;
  outputs[0] = pt_shape_new(graph, (PtDtype)pt_node_int(node, "dtype", PT_FLOAT), (int32_t)n);
  for (uint32_t i = 0; i < n; i++)
    outputs[0].dims[i] = pt_dim_of(shape[i]);
  return true;
}

PT_RULE(pt_shape_one_hot) {
  const PtType *index = pt_shape_in(node, inputs, 0), *values = pt_shape_in(node, inputs, 2);
  if (!index || !values)
    return true;
  outputs[0] = pt_shape_new(graph, values->dtype, -1);
  if (index->rank < 0 || index->rank + 1 > PT_MAX_RANK)
    return true;
  int64_t axis = pt_axis(pt_node_int(node, "axis", -1), index->rank + 1), depth;
  if (axis < 0)
    return false;
  if (pt_shape_ints(graph, node, 1, &depth, 1) != 1)
    depth = -1;
  outputs[0] = pt_shape_new(graph, values->dtype, index->rank + 1);
  for (int32_t i = 0, from = 0; i <= index->rank; i++)
    outputs[0].dims[i] = i == axis ? pt_dim_of(depth) : index->dims[from++];
  return true;
}

PT_RULE(pt_shape_non_zero) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  outputs[0] = pt_shape_new(graph, PT_INT64, 2);
  if (pt_shape_ranked(x))
    outputs[0].dims[0] = pt_dim_of(MAX(x->rank, 1));
  return true;
}
