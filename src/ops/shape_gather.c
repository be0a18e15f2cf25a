/* shape_gather: operators that pick elements by index or by rank. */
#include "ops/shape.h"

PT_RULE(pt_shape_gather) {
  const PtType *x = pt_shape_in(node, inputs, 0), *index = pt_shape_in(node, inputs, 1);
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, -1);
  if (x->rank < 0 || !pt_shape_ranked(index))
    return true;
  int64_t axis = pt_axis(pt_node_int(node, "axis", 0), x->rank);
  if (axis < 0 || x->rank + index->rank - 1 > PT_MAX_RANK)
    return false;
  PtDim dims[PT_MAX_RANK];
  int32_t rank = 0;
  for (int32_t i = 0; i < x->rank; i++) {
    if (i != axis)
      dims[rank++] = x->dims[i];
    else
      for (int32_t j = 0; j < index->rank; j++)
        dims[rank++] = index->dims[j];
  }
  outputs[0] = pt_type_tensor(graph, x->dtype, rank, dims);
  return true;
}

PT_RULE(pt_shape_gather_elements) {
  (void)graph;
  const PtType *x = pt_shape_in(node, inputs, 0), *index = pt_shape_in(node, inputs, 1);
  if (!x || !index)
    return true;
  if (x->rank >= 0 && index->rank >= 0 && x->rank != index->rank)
    return false;
  outputs[0] = *index;
  outputs[0].dtype = x->dtype;
  return true;
}

PT_RULE(pt_shape_gather_nd) {
  const PtType *x = pt_shape_in(node, inputs, 0), *index = pt_shape_in(node, inputs, 1);
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, -1);
  if (x->rank < 0 || !pt_shape_ranked(index) || index->rank < 1)
    return true;
  int64_t batch = pt_node_int(node, "batch_dims", 0), depth = index->dims[index->rank - 1].size;
  if (depth < 0)
    return true;
  if (batch < 0 || batch + depth > x->rank ||
      index->rank - 1 + x->rank - batch - depth > PT_MAX_RANK)
    return false;
  PtDim dims[PT_MAX_RANK];
  int32_t rank = 0;
  for (int32_t i = 0; i + 1 < index->rank; i++)
    dims[rank++] = index->dims[i];
  for (int64_t i = batch + depth; i < x->rank; i++)
    dims[rank++] = x->dims[i];
  outputs[0] = pt_type_tensor(graph, x->dtype, rank, dims);
  return true;
}

PT_RULE(pt_shape_top_k) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  if (!x)
    return true;
  int64_t k = pt_node_int(node, "k", -1);
  if (k < 0 && pt_shape_ints(graph, node, 1, &k, 1) != 1)
    k = -1;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  if (x->rank >= 0) {
    int64_t axis = pt_axis(pt_node_int(node, "axis", -1), x->rank);
    if (axis < 0)
      return false;
    memcpy(outputs[0].dims, x->dims, sizeof(PtDim) * (size_t)x->rank);
    outputs[0].dims[axis] = pt_dim_of(k);
  }
  if (node->n_outputs > 1) {
    outputs[1] = outputs[0];
    outputs[1].dtype = PT_INT64;
  }
  return true;
}
