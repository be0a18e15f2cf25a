/* shape_linear: convolution, pooling, matrix products. */
#include "ops/shape.h"

/* ---- windows
 * ------------------------------------------------------------------------------------- */
typedef struct Window {
  uint32_t n_kernel, n_strides, n_pads, n_dilations;
  const int64_t *kernel, *strides, *pads, *dilations;
  int same; /* SAME_UPPER or SAME_LOWER */
  bool valid, ceil;
} Window;

static void window_read(const PtNode *node, Window *w) {
  w->kernel = pt_node_ints(node, "kernel_shape", &w->n_kernel);
  w->strides = pt_node_ints(node, "strides", &w->n_strides);
  w->pads = pt_node_ints(node, "pads", &w->n_pads);
  w->dilations = pt_node_ints(node, "dilations", &w->n_dilations);
  w->same = pt_node_string_is(node, "auto_pad", "SAME_UPPER") ||
            pt_node_string_is(node, "auto_pad", "SAME_LOWER");
  w->valid = pt_node_string_is(node, "auto_pad", "VALID");
  w->ceil = pt_node_int(node, "ceil_mode", 0) != 0;
}

/* One spatial size through a window: -1 unknown, -2 invalid. */
static int64_t window_out(const Window *w, uint32_t axis, uint32_t axes, int64_t size,
                          int64_t kernel) {
  int64_t stride = axis < w->n_strides ? w->strides[axis] : 1;
  int64_t dilation = axis < w->n_dilations ? w->dilations[axis] : 1;
  if (stride < 1 || dilation < 1 || kernel == 0 || stride > INT32_MAX || dilation > INT32_MAX ||
      kernel > INT32_MAX || size > INT64_MAX / 4)
    return -2;
  if (size < 0)
    return -1;
  if (w->same)
    return (size + stride - 1) / stride;
  if (kernel < 0)
    return -1;
  int64_t head = 0, tail = 0;
  if (!w->valid && w->n_pads == 2 * axes) {
    head = w->pads[axis];
    tail = w->pads[axis + axes];
    if (ABS(head) > INT32_MAX || ABS(tail) > INT32_MAX)
      return -2;
  }
  int64_t room = size + head + tail - ((kernel - 1) * dilation + 1);
  if (room < 0)
    return -2;
  if (!w->ceil)
    return room / stride + 1;
  int64_t out = (room + stride - 1) / stride + 1;
  /* the last window starts inside the input */
  return (out - 1) * stride >= size + head ? out - 1 : out;
}

static bool windows(PtType *out, const PtNode *node, const PtType *x, const PtType *weight) {
  Window w;
  window_read(node, &w);
  uint32_t axes = (uint32_t)x->rank - 2;
  if (w.kernel && w.n_kernel != axes)
    return false;
  for (uint32_t a = 0; a < axes; a++) {
    int64_t kernel = w.kernel                  ? w.kernel[a]
                     : pt_shape_ranked(weight) ? weight->dims[a + 2].size
                                               : -1;
    int64_t size = window_out(&w, a, axes, x->dims[a + 2].size, kernel);
    if (size == -2)
      return false;
    out->dims[a + 2] = pt_dim_of(size);
  }
  return true;
}

static bool conv(PtGraph *graph, const PtNode *node, const PtType *x, const PtType *weight,
                 PtDtype dtype, PtType *out) {
  if (!x)
    return true;
  if (!pt_shape_ranked(x)) {
    *out = pt_shape_new(graph, dtype, -1);
    return true;
  }
  if (x->rank < 3 || (pt_shape_ranked(weight) && weight->rank != x->rank))
    return false;
  *out = pt_shape_new(graph, dtype, x->rank);
  out->dims[0] = x->dims[0];
  if (pt_shape_ranked(weight)) {
    int64_t group = pt_node_int(node, "group", 1), in = weight->dims[1].size;
    if (group < 1 || (in >= 0 && x->dims[1].size >= 0 && in * group != x->dims[1].size) ||
        (weight->dims[0].size >= 0 && weight->dims[0].size % group != 0))
      return false;
    out->dims[1] = weight->dims[0];
  }
  return windows(out, node, x, weight);
}

PT_RULE(pt_shape_conv) {
  const PtType *x = pt_shape_in(node, inputs, 0), *w = pt_shape_in(node, inputs, 1);
  const PtType *bias = pt_shape_in(node, inputs, 2);
  bool integer = pt_op_is(node, "ConvInteger");
  if (!integer && pt_op_is(node, "Conv") && pt_shape_ranked(bias) && pt_shape_ranked(w)) {
    PtDim unused;
    if (bias->rank != 1 || w->rank < 1 || !pt_dim_merge(bias->dims[0], w->dims[0], &unused))
      return false;
  }
  return conv(graph, node, x, w, integer ? PT_INT32 : x ? x->dtype : PT_DTYPE_UNDEFINED, outputs);
}

PT_RULE(pt_shape_qlinear_conv) {
  const PtType *zero = pt_shape_in(node, inputs, 7);
  return conv(graph, node, pt_shape_in(node, inputs, 0), pt_shape_in(node, inputs, 3),
              zero ? zero->dtype : PT_UINT8, outputs);
}

PT_RULE(pt_shape_conv_transpose) {
  const PtType *x = pt_shape_in(node, inputs, 0), *weight = pt_shape_in(node, inputs, 1);
  if (!pt_shape_ranked(x) || !pt_shape_ranked(weight)) {
    if (x)
      *outputs = pt_shape_new(graph, x->dtype, x->rank);
    return true;
  }
  if (x->rank < 3 || weight->rank != x->rank)
    return false;
  *outputs = pt_shape_new(graph, x->dtype, x->rank);
  outputs->dims[0] = x->dims[0];
  int64_t group = pt_node_int(node, "group", 1);
  if (weight->dims[1].size >= 0)
    outputs->dims[1] = pt_dim_of(weight->dims[1].size * group);
  Window w;
  window_read(node, &w);
  uint32_t axes = (uint32_t)x->rank - 2, n_extra, n_shape;
  const int64_t *extra = pt_node_ints(node, "output_padding", &n_extra);
  const int64_t *shape = pt_node_ints(node, "output_shape", &n_shape);
  for (uint32_t a = 0; a < axes; a++) {
    int64_t kernel = a < w.n_kernel ? w.kernel[a] : weight->dims[a + 2].size;
    int64_t stride = a < w.n_strides ? w.strides[a] : 1, size = x->dims[a + 2].size;
    int64_t dilation = a < w.n_dilations ? w.dilations[a] : 1;
    int64_t pads = w.n_pads == 2 * axes && !w.valid ? w.pads[a] + w.pads[a + axes] : 0;
    if (a < n_shape)
      outputs->dims[a + 2] = pt_dim_of(shape[a]);
    else if (size >= 0 && w.same)
      outputs->dims[a + 2] = pt_dim_of(size * stride);
    else if (size >= 0 && kernel >= 0)
      outputs->dims[a + 2] = pt_dim_of(stride * (size - 1) + (a < n_extra ? extra[a] : 0) +
                                       (kernel - 1) * dilation + 1 - pads);
  }
  return true;
}

PT_RULE(pt_shape_pool) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  if (x->rank >= 0) {
    if (x->rank < 3 || !pt_node_attr(node, "kernel_shape"))
      return false;
    outputs[0].dims[0] = x->dims[0];
    outputs[0].dims[1] = x->dims[1];
    if (!windows(outputs, node, x, NULL))
      return false;
  }
  if (node->n_outputs > 1) {
    outputs[1] = outputs[0];
    outputs[1].dtype = PT_INT64;
  }
  return true;
}

PT_RULE(pt_shape_global_pool) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  if (!x)
    return true;
  if (x->rank >= 0 && x->rank < 3)
    return false;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  for (int32_t i = 0; i < x->rank; i++)
    outputs[0].dims[i] = i < 2 ? x->dims[i] : pt_dim_of(1);
  return true;
}

/* ---- matrix products
 * ------------------------------------------------------------------------------ */
static bool matmul(PtGraph *graph, PtDtype dtype, const PtType *a, const PtType *b, bool trans_a,
                   bool trans_b, PtType *out) {
  if (!pt_shape_ranked(a) || !pt_shape_ranked(b)) {
    *out = pt_shape_new(graph, dtype, -1);
    return true;
  }
  if (a->rank == 0 || b->rank == 0)
    return false;
  PtDim da[PT_MAX_RANK + 1], db[PT_MAX_RANK + 1], inner;
  PtType pa = *a, pb = *b, lead_a, lead_b, lead;
  pa.dims = da, pb.dims = db;
  da[0] = pt_dim_of(1);
  memcpy(da + (a->rank == 1), a->dims, sizeof(PtDim) * (size_t)a->rank);
  memcpy(db, b->dims, sizeof(PtDim) * (size_t)b->rank);
  if (a->rank == 1)
    pa.rank = 2;
  if (b->rank == 1) {
    db[1] = pt_dim_of(1);
    pb.rank = 2;
  }
  int32_t ra = pa.rank, rb = pb.rank;
  PtDim rows = da[ra - (trans_a ? 1 : 2)], ka = da[ra - (trans_a ? 2 : 1)];
  PtDim columns = db[rb - (trans_b ? 2 : 1)], kb = db[rb - (trans_b ? 1 : 2)];
  if (!pt_dim_merge(ka, kb, &inner))
    return false;
  lead_a = pa, lead_b = pb;
  lead_a.rank = ra - 2, lead_b.rank = rb - 2;
  if (!pt_dims_broadcast(graph, dtype, &lead_a, &lead_b, &lead))
    return false;
  int32_t rank = lead.rank + (a->rank > 1) + (b->rank > 1), at = lead.rank;
  *out = pt_shape_new(graph, dtype, rank);
  for (int32_t i = 0; i < lead.rank; i++)
    out->dims[i] = lead.dims[i];
  if (a->rank > 1)
    out->dims[at++] = rows;
  if (b->rank > 1)
    out->dims[at] = columns;
  return true;
}

PT_RULE(pt_shape_matmul) {
  const PtType *a = pt_shape_in(node, inputs, 0), *b = pt_shape_in(node, inputs, 1);
  if (!a || !b)
    return true;
  bool integer = pt_op_is(node, "MatMulInteger") || g_str_equal(node->op_type, "MatMulInteger16");
  if (pt_op_is(node, "MatMul") && a->dtype != b->dtype)
    return false;
  if (pt_node_int(node, "transBatchA", 0) || pt_node_int(node, "transBatchB", 0)) {
    outputs[0] = pt_shape_new(graph, a->dtype, -1);
    return true;
  }
  return matmul(graph, integer ? PT_INT32 : a->dtype, a, b, pt_node_int(node, "transA", 0) != 0,
                pt_node_int(node, "transB", 0) != 0, outputs);
}

PT_RULE(pt_shape_qlinear_matmul) {
  const PtType *a = pt_shape_in(node, inputs, 0), *b = pt_shape_in(node, inputs, 3);
  const PtType *zero = pt_shape_in(node, inputs, 7);
  return !a || !b || matmul(graph, zero ? zero->dtype : a->dtype, a, b, false, false, outputs);
}

PT_RULE(pt_shape_matmul_dequantized) {
  const PtType *a = pt_shape_in(node, inputs, 0), *b = pt_shape_in(node, inputs, 1);
  return !a || !b || matmul(graph, PT_FLOAT, a, b, false, false, outputs);
}

PT_RULE(pt_shape_matmul_nbits) {
  const PtType *a = pt_shape_in(node, inputs, 0);
  if (!a)
    return true;
  outputs[0] = pt_shape_new(graph, a->dtype, a->rank);
  for (int32_t i = 0; i < a->rank; i++)
    outputs[0].dims[i] = i + 1 < a->rank ? a->dims[i] : pt_dim_of(pt_node_int(node, "N", -1));
  return true;
}

PT_RULE(pt_shape_gemm) {
  const PtType *a = pt_shape_in(node, inputs, 0), *b = pt_shape_in(node, inputs, 1);
  const PtType *c = pt_shape_in(node, inputs, 2);
  PtType unused;
  if (!a || !b)
    return true;
  if ((a->rank >= 0 && a->rank != 2) || (b->rank >= 0 && b->rank != 2) || a->dtype != b->dtype)
    return false;
  if (!matmul(graph, a->dtype, a, b, pt_node_int(node, "transA", 0) != 0,
              pt_node_int(node, "transB", 0) != 0, outputs))
    return false;
  if (outputs[0].rank < 0)
    outputs[0] = pt_shape_new(graph, a->dtype, 2);
  return !pt_shape_ranked(c) ||
         (c->rank <= 2 && pt_dims_broadcast(graph, a->dtype, &outputs[0], c, &unused));
}
