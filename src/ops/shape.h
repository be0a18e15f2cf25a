/* shape: the shape rules that table.c's rows name, by family (shape_*.c); private to ops. */
#ifndef PT_OPS_SHAPE_H
#define PT_OPS_SHAPE_H

#include "ops/ops.h"

#define pt_shape_arg_reduce NULL
#define pt_shape_attention NULL
#define pt_shape_broadcast NULL
#define pt_shape_broadcast_first NULL
#define pt_shape_cast NULL
#define pt_shape_compare NULL
#define pt_shape_concat NULL
#define pt_shape_constant NULL
#define pt_shape_constant_of_shape NULL
#define pt_shape_conv NULL
#define pt_shape_conv_transpose NULL
#define pt_shape_depth_to_space NULL
#define pt_shape_dequantize NULL
#define pt_shape_dropout NULL
#define pt_shape_dynamic_quantize NULL
#define pt_shape_einsum NULL
#define pt_shape_expand NULL
#define pt_shape_flatten NULL
#define pt_shape_gather NULL
#define pt_shape_gather_elements NULL
#define pt_shape_gather_nd NULL
#define pt_shape_gemm NULL
#define pt_shape_global_pool NULL
#define pt_shape_grid_sample NULL
#define pt_shape_layer_norm NULL
#define pt_shape_like NULL
#define pt_shape_matmul NULL
#define pt_shape_matmul_dequantized NULL
#define pt_shape_matmul_nbits NULL
#define pt_shape_multi_head NULL
#define pt_shape_non_zero NULL
#define pt_shape_norm NULL
#define pt_shape_one_hot NULL
#define pt_shape_pad NULL
#define pt_shape_pool NULL
#define pt_shape_predicate NULL
#define pt_shape_qlinear_binary NULL
#define pt_shape_qlinear_conv NULL
#define pt_shape_qlinear_matmul NULL
#define pt_shape_quantize NULL
#define pt_shape_random NULL
#define pt_shape_range NULL
#define pt_shape_recurrent NULL
#define pt_shape_reduce NULL
#define pt_shape_reshape NULL
#define pt_shape_resize NULL
#define pt_shape_same NULL
#define pt_shape_shape NULL
#define pt_shape_size NULL
#define pt_shape_slice NULL
#define pt_shape_space_to_depth NULL
#define pt_shape_split NULL
#define pt_shape_squeeze NULL
#define pt_shape_tile NULL
#define pt_shape_top_k NULL
#define pt_shape_transpose NULL
#define pt_shape_unsqueeze NULL
#define pt_shape_where NULL

#endif
