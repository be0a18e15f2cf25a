/* What optimizers fuse is found in one piece, whatever the seed; with plain cuts it is not always.
 */
#include "partition/partition_private.h"

typedef struct Builder {
  PtGraph *g;
  PtType type;
  PtValueId x; /* the running value */
} Builder;

static PtValueId constant(Builder *b, uint32_t count) {
  int64_t dims[1] = {count};
  float data[64];
  for (int i = 0; i < 64; i++)
    data[i] = 0.5f;
  return pt_graph_add_constant(b->g, NULL, pt_graph_tensor_copy(b->g, PT_FLOAT, 1, dims, data));
}

static PtValueId op(Builder *b, const char *name, PtValueId x, PtValueId y) {
  PtValueId in[2] = {x, y};
  PtValueId out = pt_graph_add_op(b->g, name, in, y == PT_NONE ? 1 : 2);
  pt_value(b->g, out)->type = b->type;
  return out;
}

static PtValueId conv(Builder *b, PtValueId x) {
  return op(b, "Conv", x, constant(b, 60));
}

static PtValueId batch_norm(Builder *b, PtValueId x) {
  PtValueId in[5] = {x, constant(b, 4), constant(b, 4), constant(b, 4), constant(b, 4)};
  PtValueId out = pt_graph_add_op(b->g, "BatchNormalization", in, 5);
  pt_value(b->g, out)->type = b->type;
  return out;
}

/* Nodes that fuse with nothing. */
static void filler(Builder *b, int count) {
  while (count-- > 0)
    b->x = op(b, "LRN", b->x, PT_NONE);
}

/* ---- patterns: x -> result
 * ------------------------------------------------------------------------ */
static PtValueId conv_norm_relu(Builder *b, PtValueId x) {
  return op(b, "Relu", batch_norm(b, conv(b, x)), PT_NONE);
}

static PtValueId transposed_clip(Builder *b, PtValueId x) {
  return op(b, "Clip", batch_norm(b, op(b, "ConvTranspose", x, constant(b, 60))), PT_NONE);
}

static PtValueId pad_conv(Builder *b, PtValueId x) {
  return conv(b, op(b, "Pad", x, pt_graph_add_ints(b->g, (int64_t[]){1, 1}, 2)));
}

static PtValueId silu(Builder *b, PtValueId x) {
  PtValueId y = batch_norm(b, conv(b, x));
  return op(b, "Mul", y, op(b, "Sigmoid", y, PT_NONE));
}

static PtValueId hard_swish(Builder *b, PtValueId x) {
  PtValueId y = batch_norm(b, conv(b, x));
  return op(b, "Mul", op(b, "HardSigmoid", y, PT_NONE), y);
}

static PtValueId hard_swish_spelled(Builder *b, PtValueId x) {
  PtValueId y = conv(b, x);
  PtValueId gate = op(b, "Clip", op(b, "Add", y, constant(b, 1)), PT_NONE);
  return op(b, "Div", op(b, "Mul", y, gate), constant(b, 1));
}

static PtValueId hard_swish_divided(Builder *b, PtValueId x) {
  PtValueId y = conv(b, x);
  PtValueId gate = op(b, "Clip", op(b, "Add", y, constant(b, 1)), PT_NONE);
  return op(b, "Mul", op(b, "Div", gate, constant(b, 1)), y);
}

static PtValueId quick_gelu(Builder *b, PtValueId x) {
  return op(b, "Mul", x, op(b, "Sigmoid", op(b, "Mul", x, constant(b, 1)), PT_NONE));
}

static PtValueId gemm_relu(Builder *b, PtValueId x) {
  return op(b, "Relu", op(b, "Gemm", x, constant(b, 16)), PT_NONE);
}

static PtValueId linear(Builder *b, PtValueId x) {
  return op(b, "Add", constant(b, 4), op(b, "MatMul", x, constant(b, 16)));
}

static PtValueId layer_norm_of(Builder *b, PtValueId x, bool casts) {
  PtValueId d = op(b, "Sub", x, op(b, "ReduceMean", x, PT_NONE));
  PtValueId wide = casts ? op(b, "Cast", d, PT_NONE) : d;
  PtValueId square = casts ? op(b, "Mul", wide, wide) : op(b, "Pow", wide, constant(b, 1));
  PtValueId variance = op(b, "ReduceMean", square, PT_NONE);
  PtValueId y = op(b, "Div", wide, op(b, "Sqrt", op(b, "Add", variance, constant(b, 1)), PT_NONE));
  if (casts)
    y = op(b, "Cast", y, PT_NONE);
  return op(b, "Add", op(b, "Mul", y, constant(b, 4)), constant(b, 4));
}

static PtValueId layer_norm(Builder *b, PtValueId x) {
  return layer_norm_of(b, x, false);
}

static PtValueId layer_norm_casts(Builder *b, PtValueId x) {
  return layer_norm_of(b, x, true);
}

static PtValueId skip_layer_norm(Builder *b, PtValueId x) {
  PtValueId y = op(b, "Add", op(b, "LRN", x, PT_NONE), constant(b, 4));
  return layer_norm_of(b, op(b, "Add", y, x), false);
}

static PtValueId rms_norm_mul(Builder *b, PtValueId x) {
  PtValueId variance = op(b, "ReduceMean", op(b, "Pow", x, constant(b, 1)), PT_NONE);
  PtValueId root = op(b, "Sqrt", op(b, "Add", variance, constant(b, 1)), PT_NONE);
  return op(b, "Mul", constant(b, 4), op(b, "Mul", x, op(b, "Div", constant(b, 1), root)));
}

static PtValueId rms_norm_reciprocal(Builder *b, PtValueId x) {
  PtValueId variance = op(b, "ReduceMean", op(b, "Mul", x, x), PT_NONE);
  PtValueId root = op(b, "Sqrt", op(b, "Add", variance, constant(b, 1)), PT_NONE);
  return op(b, "Mul", op(b, "Mul", x, op(b, "Reciprocal", root, PT_NONE)), constant(b, 4));
}

static PtValueId gelu(Builder *b, PtValueId x) {
  PtValueId y = op(b, "Add", x, constant(b, 4));
  PtValueId e = op(b, "Erf", op(b, "Div", y, constant(b, 1)), PT_NONE);
  return op(b, "Mul", op(b, "Mul", y, op(b, "Add", e, constant(b, 1))), constant(b, 1));
}

static PtValueId gelu_half_first(Builder *b, PtValueId x) {
  PtValueId e = op(b, "Erf", op(b, "Mul", x, constant(b, 1)), PT_NONE);
  PtValueId half = op(b, "Mul", x, constant(b, 1));
  return op(b, "Mul", half, op(b, "Add", e, constant(b, 1)));
}

static PtValueId tanh_gelu(Builder *b, PtValueId x) {
  PtValueId half = op(b, "Mul", x, constant(b, 1));
  PtValueId cube = op(b, "Mul", op(b, "Pow", x, constant(b, 1)), constant(b, 1));
  PtValueId t = op(b, "Mul", op(b, "Add", x, cube), constant(b, 1));
  return op(b, "Mul", half, op(b, "Add", op(b, "Tanh", t, PT_NONE), constant(b, 1)));
}

static PtValueId fast_gelu(Builder *b, PtValueId x) {
  PtValueId square = op(b, "Mul", op(b, "Mul", x, x), constant(b, 1));
  PtValueId t = op(b, "Mul", op(b, "Mul", x, constant(b, 1)), op(b, "Add", square, constant(b, 1)));
  PtValueId y = op(b, "Mul", op(b, "Add", op(b, "Tanh", t, PT_NONE), constant(b, 1)), x);
  return op(b, "Mul", y, constant(b, 1));
}

static PtValueId scores(Builder *b, PtValueId x) {
  PtValueId k = op(b, "Transpose", x, PT_NONE);
  return op(b, "Div", op(b, "MatMul", x, k), constant(b, 1));
}

static PtValueId attention(Builder *b, PtValueId x) {
  PtValueId s = op(b, "Add", scores(b, x), x);
  return op(b, "MatMul", op(b, "Softmax", s, PT_NONE), x);
}

static PtValueId quantized(Builder *b, PtValueId x) {
  PtValueId w = op(b, "DequantizeLinear", constant(b, 60), constant(b, 1));
  PtValueId y = op(b, "Conv", op(b, "DequantizeLinear", x, constant(b, 1)), w);
  return op(b, "QuantizeLinear", op(b, "Relu", y, PT_NONE), constant(b, 1));
}

static PtValueId slices(Builder *b, PtValueId x) {
  PtValueId in[3][3], out[3];
  for (int i = 0; i < 3; i++) {
    in[i][0] = x;
    in[i][1] = pt_graph_add_ints(b->g, (int64_t[]){i}, 1);
    in[i][2] = pt_graph_add_ints(b->g, (int64_t[]){i + 1}, 1);
    out[i] = pt_graph_add_op(b->g, "Slice", in[i], 3);
    pt_value(b->g, out[i])->type = b->type;
  }
  PtValueId y = pt_graph_add_op(b->g, "Concat", out, 3);
  pt_value(b->g, y)->type = b->type;
  return y;
}

static PtValueId squeeze_excite(Builder *b, PtValueId x) {
  PtValueId s = op(b, "Relu", conv(b, op(b, "GlobalAveragePool", x, PT_NONE)), PT_NONE);
  return op(b, "Mul", x, op(b, "Sigmoid", conv(b, s), PT_NONE));
}

static PtValueId residual(Builder *b, PtValueId x) {
  PtValueId y = op(b, "LRN", x, PT_NONE); /* of another kind: not of the group */
  return op(b, "Relu", op(b, "Add", batch_norm(b, conv(b, y)), x), PT_NONE);
}

/* `apart`: how many of the pattern's first nodes need not be with the rest. */
static const struct {
  const char *name;
  PtValueId (*make)(Builder *b, PtValueId x);
  uint32_t apart;
} patterns[] = {
    {"conv-norm-relu", conv_norm_relu, 0},
    {"transposed-clip", transposed_clip, 0},
    {"pad-conv", pad_conv, 0},
    {"silu", silu, 0},
    {"hard-swish", hard_swish, 0},
    {"hard-swish-spelled", hard_swish_spelled, 0},
    {"hard-swish-divided", hard_swish_divided, 0},
    {"quick-gelu", quick_gelu, 0},
    {"gemm-relu", gemm_relu, 0},
    {"linear", linear, 0},
    {"layer-norm", layer_norm, 0},
    {"layer-norm-casts", layer_norm_casts, 0},
    {"skip-layer-norm", skip_layer_norm, 1},
    {"rms-norm-mul", rms_norm_mul, 0},
    {"rms-norm-reciprocal", rms_norm_reciprocal, 0},
    {"gelu", gelu, 0},
    {"gelu-half-first", gelu_half_first, 0},
    {"tanh-gelu", tanh_gelu, 0},
    {"fast-gelu", fast_gelu, 0},
    {"scores", scores, 0},
    {"attention", attention, 0},
    {"quantized", quantized, 0},
    {"slices", slices, 1},
    {"squeeze-excite", squeeze_excite, 0},
    {"residual", residual, 1},
};

/* Seeds, of `tries`, for which the pattern's nodes are in one piece. */
static uint32_t kept_together(size_t pattern, bool plain, uint32_t tries) {
  Builder b = {.g = pt_graph_new()};
  b.type = pt_type_tensor(b.g, PT_FLOAT, 1, (PtDim[]){{4, NULL}});
  b.x = pt_graph_add_input(b.g, NULL, &b.type);
  filler(&b, 17);
  uint32_t first = pt_graph_n_nodes(b.g) + patterns[pattern].apart;
  b.x = patterns[pattern].make(&b, b.x);
  uint32_t last = pt_graph_n_nodes(b.g) - 1, kept = 0;
  if (patterns[pattern].make == slices)
    last--; /* its Concat stands for any user */
  filler(&b, 19);
  pt_graph_add_output(b.g, b.x);
  for (uint32_t s = 0; s < tries; s++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("fuse %u", s);
    PtSeed seed;
    pt_seed_init(&seed, text);
    PtPartitionOptions options = {.plain = plain, .trials = 2, .threads = 1};
    g_autoptr(PtPartition) p = pt_partition(b.g, &options, &seed, &error);
    g_assert_no_error(error);
    pt_partition_check(b.g, p, &error);
    g_assert_no_error(error);
    for (uint32_t i = 0; i < p->pieces->len; i++) {
      GArray *nodes = ((PtPiece *)g_ptr_array_index(p->pieces, i))->nodes;
      uint32_t in = 0;
      for (uint32_t k = 0; k < nodes->len; k++)
        in +=
            g_array_index(nodes, PtNodeId, k) >= first && g_array_index(nodes, PtNodeId, k) <= last;
      kept += in == last - first + 1;
    }
  }
  pt_graph_unref(b.g);
  return kept;
}

static void test_pattern(gconstpointer data) {
  size_t pattern = GPOINTER_TO_SIZE(data);
  g_assert_cmpuint(kept_together(pattern, false, 40), ==, 40);
  g_assert_cmpuint(kept_together(pattern, true, 40), <, 40);
}

/* A pattern larger than twice the average piece is left to chance, and n is exact all the same. */
static void test_cap(void) {
  Builder b = {.g = pt_graph_new()};
  b.type = pt_type_tensor(b.g, PT_FLOAT, 1, (PtDim[]){{4, NULL}});
  b.x = pt_graph_add_input(b.g, NULL, &b.type);
  for (int i = 0; i < 6; i++)
    b.x = conv_norm_relu(&b, layer_norm(&b, b.x));
  pt_graph_add_output(b.g, b.x);
  uint32_t n_nodes = pt_graph_n_nodes(b.g);
  for (uint32_t n = 1; n <= n_nodes; n++) {
    g_autoptr(GError) error = NULL;
    PtSeed seed;
    pt_seed_init(&seed, "cap");
    PtPartitionOptions options = {.n = n, .trials = 3, .threads = 1};
    g_autoptr(PtPartition) p = pt_partition(b.g, &options, &seed, &error);
    g_assert_no_error(error);
    pt_partition_check(b.g, p, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(p->pieces->len, ==, n);
  }
  pt_graph_unref(b.g);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
    g_autofree char *path = g_strdup_printf("/fuse/%s", patterns[i].name);
    g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_pattern);
  }
  g_test_add_func("/fuse/cap", test_cap);
  return g_test_run();
}
