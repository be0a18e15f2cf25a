/* shape_image: resizing, sampling, space to depth and back. */
#include "ops/shape.h"

#include <math.h>

static PtDim scaled(PtDim d, int64_t times, int64_t by) {
  int64_t n;
  if (d.size < 0 || by <= 0 || __builtin_mul_overflow(d.size, times, &n))
    return pt_dim_of(-1);
  return pt_dim_of(n / by);
}

static bool blocks(PtGraph *graph, const PtNode *node, const PtType *x, bool to_space,
                   PtType *out) {
  int64_t b = pt_node_int(node, "blocksize", 0);
  if (!x)
    return true;
  if (b < 1 || b > 65535 || (x->rank >= 0 && x->rank != 4))
    return false;
  *out = pt_shape_new(graph, x->dtype, 4);
  if (x->rank < 0)
    return true;
  out->dims[0] = x->dims[0];
  out->dims[1] = to_space ? scaled(x->dims[1], 1, b * b) : scaled(x->dims[1], b * b, 1);
  for (int i = 2; i < 4; i++)
    out->dims[i] = to_space ? scaled(x->dims[i], b, 1) : scaled(x->dims[i], 1, b);
  return true;
}
PT_RULE(pt_shape_depth_to_space) {
  return blocks(graph, node, pt_shape_in(node, inputs, 0), true, outputs);
}
PT_RULE(pt_shape_space_to_depth) {
  return blocks(graph, node, pt_shape_in(node, inputs, 0), false, outputs);
}

PT_RULE(pt_shape_grid_sample) {
  const PtType *x = pt_shape_in(node, inputs, 0), *grid = pt_shape_in(node, inputs, 1);
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  if (x->rank < 3 || !pt_shape_ranked(grid))
    return true;
  if (grid->rank != x->rank)
    return false;
  for (int32_t i = 0; i < x->rank; i++)
    outputs[0].dims[i] = i < 2 ? x->dims[i] : grid->dims[i - 1];
  return true;
}

/* Sizes, else scales; axes (opset 18) say which dims they are for. */
PT_RULE(pt_shape_resize) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t axes[PT_MAX_RANK], sizes[PT_MAX_RANK];
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  if (x->rank < 0)
    return true;
  uint32_t n_axes = 0;
  const int64_t *attr = pt_node_ints(node, "axes", &n_axes);
  int n = attr ? (int)n_axes : x->rank;
  if (n > x->rank)
    return false;
  for (int i = 0; i < n; i++)
    if ((axes[i] = pt_axis(attr ? attr[i] : i, x->rank)) < 0)
      return false;
  bool plain = !pt_node_attr(node, "keep_aspect_ratio_policy") ||
               pt_node_string_is(node, "keep_aspect_ratio_policy", "stretch");
  uint32_t at = node->n_inputs > 2 ? 2 : 1;
  const PtTensor *scales = at < node->n_inputs && node->inputs[at] != PT_NONE
                               ? pt_value(graph, node->inputs[at])->constant
                               : NULL;
  const PtAttr *given = pt_node_attr(node, "scales");
  int n_sizes = pt_shape_ints(graph, node, 3, sizes, PT_MAX_RANK);
  bool by_scale = (scales && scales->count == (size_t)n) || (given && given->count == (uint32_t)n);
  if ((n_sizes != n || !plain) && !by_scale)
    return true;
  memcpy(outputs[0].dims, x->dims, sizeof(PtDim) * (size_t)x->rank);
  for (int i = 0; i < n; i++) {
    PtDim *d = &outputs[0].dims[axes[i]];
    if (n_sizes == n) {
      *d = pt_dim_of(sizes[i]);
      continue;
    }
    double s = given ? (double)given->as.floats[i] : pt_tensor_float_at(scales, (size_t)i);
    double size = floor((double)d->size * s);
    if (s == 1.0)
      continue;
    *d = pt_dim_of(d->size < 0 || !(size >= 0 && size < 1e15) ? -1 : (int64_t)size);
  }
  return true;
}
