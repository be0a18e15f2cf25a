/* shape: the shape rules that table.c's rows name, by family (shape_*.c), and what they share;
 * private to ops. */
#ifndef PT_OPS_SHAPE_H
#define PT_OPS_SHAPE_H

#include "ops/ops.h"

#define PT_MAX_RANK 16
/* Enough for every shape tensor: rank times two for Pad. */
#define PT_MAX_SHAPE_INTS 64

/* The type of input i if it is a tensor, else NULL. */
const PtType *pt_shape_in(const PtNode *node, const PtType *const *inputs, uint32_t i);
static inline bool pt_shape_ranked(const PtType *t) {
  return t && t->rank >= 0;
}
/* A tensor type of this dtype with `rank` fresh dims, all unknown; rank -1: unknown rank. */
PtType pt_shape_new(PtGraph *graph, PtDtype dtype, int32_t rank);
static inline PtDim pt_dim_of(int64_t size) {
  return (PtDim){.size = size < 0 ? -1 : size};
}
/* Both must hold the same size; the better known one into *out. */
bool pt_dim_merge(PtDim a, PtDim b, PtDim *out);
bool pt_dim_broadcast(PtDim a, PtDim b, PtDim *out);
/* dims of `out` (rank max(a, b)) by numpy's rule. */
bool pt_dims_broadcast(PtGraph *graph, PtDtype dtype, const PtType *a, const PtType *b,
                       PtType *out);
/* pt_op_value of input i of a node; *count 0 and true if it is left out. */
int pt_shape_ints(const PtGraph *graph, const PtNode *node, uint32_t i, int64_t *out, int max);
/* Axes from the attribute or input i, made positive and checked; -1 unknown, -2 invalid, 0 none
 * given. */
int pt_shape_axes(const PtGraph *graph, const PtNode *node, uint32_t i, int32_t rank,
                  int64_t *axes);
/* axis in [-rank, rank) made positive, -1 if out of range. */
static inline int64_t pt_axis(int64_t axis, int64_t rank) {
  if (axis < 0)
    axis += rank;
  return axis >= 0 && axis < rank ? axis : -1;
}

#define PT_RULE(name)                                                                              \
  bool name(PtGraph *graph, const PtNode *node, const PtType *const *inputs, PtType *outputs)

PT_RULE(pt_shape_arg_reduce);
PT_RULE(pt_shape_attention);
PT_RULE(pt_shape_broadcast);
PT_RULE(pt_shape_broadcast_first);
PT_RULE(pt_shape_cast);
PT_RULE(pt_shape_compare);
PT_RULE(pt_shape_concat);
PT_RULE(pt_shape_constant);
PT_RULE(pt_shape_constant_of_shape);
PT_RULE(pt_shape_conv);
PT_RULE(pt_shape_conv_transpose);
PT_RULE(pt_shape_depth_to_space);
PT_RULE(pt_shape_dequantize);
PT_RULE(pt_shape_dropout);
PT_RULE(pt_shape_dynamic_quantize);
PT_RULE(pt_shape_einsum);
PT_RULE(pt_shape_expand);
PT_RULE(pt_shape_flatten);
PT_RULE(pt_shape_gather);
PT_RULE(pt_shape_gather_elements);
PT_RULE(pt_shape_gather_nd);
PT_RULE(pt_shape_gemm);
PT_RULE(pt_shape_global_pool);
PT_RULE(pt_shape_grid_sample);
PT_RULE(pt_shape_layer_norm);
PT_RULE(pt_shape_like);
PT_RULE(pt_shape_matmul);
PT_RULE(pt_shape_matmul_dequantized);
PT_RULE(pt_shape_matmul_nbits);
PT_RULE(pt_shape_multi_head);
PT_RULE(pt_shape_non_zero);
PT_RULE(pt_shape_norm);
PT_RULE(pt_shape_one_hot);
PT_RULE(pt_shape_pad);
PT_RULE(pt_shape_pool);
PT_RULE(pt_shape_predicate);
PT_RULE(pt_shape_qlinear_binary);
PT_RULE(pt_shape_qlinear_conv);
PT_RULE(pt_shape_qlinear_matmul);
PT_RULE(pt_shape_quantize);
PT_RULE(pt_shape_random);
PT_RULE(pt_shape_range);
PT_RULE(pt_shape_recurrent);
PT_RULE(pt_shape_reduce);
PT_RULE(pt_shape_reshape);
PT_RULE(pt_shape_resize);
PT_RULE(pt_shape_same);
PT_RULE(pt_shape_shape);
PT_RULE(pt_shape_size);
PT_RULE(pt_shape_slice);
PT_RULE(pt_shape_space_to_depth);
PT_RULE(pt_shape_split);
PT_RULE(pt_shape_squeeze);
PT_RULE(pt_shape_tile);
PT_RULE(pt_shape_top_k);
PT_RULE(pt_shape_transpose);
PT_RULE(pt_shape_unsqueeze);
PT_RULE(pt_shape_where);

#endif
