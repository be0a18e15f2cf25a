/* Small graphs with random weights; see pieces.h. */
#include "pieces.h"

#include "runtime/runtime.h"

#include <stdarg.h>
#include <string.h>

PtGraph *pt_piece_graph(int64_t opset) {
  PtGraph *g = pt_graph_new();
  g->ir_version = 8;
  pt_graph_set_opset(g, "", opset);
  return g;
}

static PtType type_of(PtGraph *g, PtDtype dtype, const int64_t *dims, size_t rank) {
  PtDim sizes[8] = {{0}};
  for (size_t i = 0; i < rank; i++)
    sizes[i].size = dims[i];
  return pt_type_tensor(g, dtype, (int32_t)rank, sizes);
}

PtValueId pt_piece_input(PtGraph *g, PtDtype dtype, const int64_t *dims, size_t rank) {
  PtType type = type_of(g, dtype, dims, rank);
  return pt_graph_add_input(g, NULL, &type);
}

/* Half and brain by truncation: only the value matters, not how it was made. */
static uint16_t small_of(PtDtype dtype, float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if (dtype == PT_BFLOAT16)
    return (uint16_t)(bits >> 16);
  return (uint16_t)((bits >> 16 & 0x8000) | (((bits >> 23 & 0xff) - 112) << 10) |
                    (bits >> 13 & 0x3ff));
}

PtValueId pt_piece_weight(PtGraph *g, PtDtype dtype, bool positive, const int64_t *dims,
                          size_t rank) {
  PtSeed seed;
  pt_seed_init(&seed, "weights");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "weight", pt_graph_n_values(g));
  PtTensor *t = pt_graph_tensor(g, dtype, (uint32_t)rank, dims, NULL);
  uint8_t *data = pt_arena_alloc(g->arena, t->size);
  for (size_t i = 0; i < t->count; i++) {
    float f = (float)(positive ? 0.5 + pt_rng_unit(rng) : 2 * pt_rng_unit(rng) - 1);
    f = f < 0 ? f - 0x1p-8f : f + 0x1p-8f; /* no subnormal halves */
    double d = (double)f;
    uint16_t small = small_of(dtype, f);
    uint64_t whole = pt_rng_below(rng, 256);
    const void *from = dtype == PT_FLOAT          ? (void *)&f
                       : dtype == PT_DOUBLE       ? (void *)&d
                       : pt_dtype_is_float(dtype) ? (void *)&small
                                                  : (void *)&whole;
    memcpy(data + i * (pt_dtype_bits(dtype) / 8), from, pt_dtype_bits(dtype) / 8);
  }
  t->data = data;
  return pt_graph_add_constant(g, NULL, t);
}

PtValueId pt_piece_scalar(PtGraph *g, float value) {
  return pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &value));
}

PtValueId pt_piece_op(PtGraph *g, const char *op, ...) {
  PtValueId inputs[16], v;
  uint32_t n = 0;
  va_list list;
  va_start(list, op);
  while ((v = va_arg(list, PtValueId)) != PT_NONE)
    inputs[n++] = v;
  va_end(list);
  return pt_graph_add_op(g, op, inputs, n);
}

PtNodeId pt_piece_node(PtGraph *g, PtValueId value) {
  return pt_value(g, value)->producer;
}

PtValueId pt_piece_norm(PtGraph *g, PtValueId x, int64_t channels) {
  PtValueId gamma = pt_piece_weight(g, PT_FLOAT, true, DIMS(channels));
  PtValueId beta = pt_piece_weight(g, PT_FLOAT, false, DIMS(channels));
  PtValueId mean = pt_piece_weight(g, PT_FLOAT, false, DIMS(channels));
  PtValueId var = pt_piece_weight(g, PT_FLOAT, true, DIMS(channels));
  return pt_piece_op(g, "BatchNormalization", x, gamma, beta, mean, var, PT_NONE);
}

PtValueId pt_piece_conv(PtGraph *g, PtValueId x, int64_t out, int64_t in, int64_t groups,
                        int64_t kernel, bool bias) {
  PtValueId w = pt_piece_weight(g, PT_FLOAT, false, DIMS(out, in / groups, kernel, kernel));
  PtValueId b = bias ? pt_piece_weight(g, PT_FLOAT, false, DIMS(out)) : PT_NONE;
  PtValueId y = pt_piece_op(g, "Conv", x, w, b, PT_NONE);
  PtNodeId node = pt_piece_node(g, y);
  int64_t pads[4] = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  pt_node_set_ints(g, node, "kernel_shape", (int64_t[]){kernel, kernel}, 2);
  pt_node_set_ints(g, node, "pads", pads, 4);
  pt_node_set_int(g, node, "group", groups);
  return y;
}

void pt_piece_finish(PtGraph *g, PtValueId output) {
  GError *error = NULL;
  pt_graph_add_output(g, output);
  pt_runtime_infer_types(g, &error);
  g_assert_no_error(error);
}
