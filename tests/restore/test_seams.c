/* test_seams.c: mending keeps what a graph computes and leaves fewer reorders.
 * Each graph is built with reorders as they stand at the seams of spliced pieces, run by ONNX
 * Runtime before and after. */
#include "restore/restore.h"
#include "runtime/runtime.h"

#include <string.h>

#define NCHWC "com.microsoft.nchwc"

typedef struct Net {
  PtGraph *graph;
  PtRng *rng;
  PtValueId x;
} Net;

static PtType float4(PtGraph *g, int64_t n, int64_t c, int64_t h, int64_t w) {
  PtDim dims[4] = {{.size = n}, {.size = c}, {.size = h}, {.size = w}};
  return pt_type_tensor(g, PT_FLOAT, 4, dims);
}

static Net net_new(int64_t channels) {
  Net net = {.graph = pt_graph_new()};
  PtSeed seed;
  pt_seed_init(&seed, "seams");
  net.rng = pt_rng_new(&seed, "weights", 0);
  net.graph->ir_version = 8;
  pt_graph_set_opset(net.graph, "", 17);
  pt_graph_set_opset(net.graph, "com.microsoft", 1);
  pt_graph_set_opset(net.graph, NCHWC, 1);
  PtType type = float4(net.graph, 1, channels, 12, 12);
  net.x = pt_graph_add_input(net.graph, "x", &type);
  return net;
}

static void net_free(Net *net) {
  pt_graph_unref(net->graph);
  pt_rng_free(net->rng);
}

static PtValueId floats(Net *net, uint32_t rank, const int64_t *dims, double least, double most) {
  size_t count = 1;
  for (uint32_t i = 0; i < rank; i++)
    count *= (size_t)dims[i];
  g_autofree float *data = g_new(float, count);
  for (size_t i = 0; i < count; i++)
    data[i] = (float)(least + (most - least) * pt_rng_unit(net->rng));
  return pt_graph_add_constant(net->graph, NULL,
                               pt_graph_tensor_copy(net->graph, PT_FLOAT, rank, dims, data));
}

static PtValueId scalar(Net *net, float value) {
  return pt_graph_add_constant(net->graph, NULL,
                               pt_graph_tensor_copy(net->graph, PT_FLOAT, 0, NULL, &value));
}

static PtValueId node(Net *net, const char *domain, const char *op, uint32_t count,
                      const PtValueId *inputs) {
  PtValueId out = pt_graph_add_value(net->graph, NULL);
  pt_graph_add_node(net->graph, domain, op, inputs, count, &out, 1);
  return out;
}
#define NODE(net, domain, op, ...)                                                                 \
  node(net, domain, op, sizeof((PtValueId[]){__VA_ARGS__}) / sizeof(PtValueId),                    \
       (PtValueId[]){__VA_ARGS__})

static PtNodeId last(const Net *net) {
  return pt_graph_n_nodes(net->graph) - 1;
}

static PtValueId into(Net *net, PtValueId x) {
  return NODE(net, NCHWC, "ReorderInput", x);
}
static PtValueId out_of(Net *net, PtValueId x, int64_t channels) {
  PtValueId out = NODE(net, NCHWC, "ReorderOutput", x);
  pt_node_set_int(net->graph, last(net), "channels", channels);
  return out;
}

static int64_t block(void) {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") ? 16 : 8;
#else
  return 16;
#endif
}
static int64_t padded(int64_t channels) {
  return (channels + block() - 1) / block() * block();
}

/* A blocked 1x1 convolution; weights of padding are zero, as ONNX Runtime makes them. */
static PtValueId conv(Net *net, PtValueId x, int64_t from, int64_t to) {
  int64_t dims[4] = {padded(to), padded(from), 1, 1}, b = block();
  g_autofree float *w = g_new0(float, (size_t)(dims[0] * dims[1]));
  for (int64_t o = 0; o < to; o++)
    for (int64_t i = 0; i < from; i++)
      w[((o / b * (dims[1] / b) + i / b) * b + i % b) * b + o % b] =
          (float)(pt_rng_unit(net->rng) - 0.5);
  g_autofree float *bias = g_new0(float, (size_t)dims[0]);
  for (int64_t o = 0; o < to; o++)
    bias[o] = (float)(pt_rng_unit(net->rng) - 0.5);
  PtGraph *g = net->graph;
  PtValueId inputs[3] = {
      x, pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 4, dims, w)),
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 1, dims, bias))};
  return node(net, NCHWC, "Conv", 3, inputs);
}

static PtValueId normalize(Net *net, PtValueId x, int64_t channels) {
  PtValueId scale = floats(net, 1, &channels, 0.5, 1.5), bias = floats(net, 1, &channels, -1, 1),
            mean = floats(net, 1, &channels, -1, 1), variance = floats(net, 1, &channels, 0.5, 2);
  PtValueId out = NODE(net, "", "BatchNormalization", x, scale, bias, mean, variance);
  pt_node_set_float(net->graph, last(net), "epsilon", 0.001f);
  return out;
}

/* A convolution between reorders, as one piece would have it. */
static PtValueId piece(Net *net, PtValueId x, int64_t from, int64_t to) {
  return out_of(net, conv(net, into(net, x), from, to), to);
}

static void output(Net *net, PtValueId v) {
  pt_graph_add_output(net->graph, v);
}

static uint32_t count(const PtGraph *g, const char *domain, const char *op) {
  uint32_t n = 0;
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++)
    n += g_str_equal(pt_node(g, i)->op_type, op) && g_str_equal(pt_node(g, i)->domain, domain);
  return n;
}

static GPtrArray *run(const PtGraph *g) {
  GError *error = NULL;
  PtSeed seed;
  pt_seed_init(&seed, "inputs");
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(g, &seed, 2, &error);
  g_assert_no_error(error);
  PtSessionOptions options = {.level = PT_LEVEL_NONE};
  g_autoptr(PtSession) session = pt_session_new(g, &options, &error);
  g_assert_no_error(error);
  GPtrArray *outputs = pt_session_run(session, (PtArray *const *)inputs->pdata, &error);
  g_assert_no_error(error);
  return outputs;
}

/* Mends a copy, which must be sound and compute the same; caller unrefs. */
static PtGraph *mended(const Net *net, PtSeamReport *report) {
  GError *error = NULL;
  PtGraph *copy = pt_graph_copy(net->graph);
  g_assert_true(pt_mend_seams(copy, report, &error));
  g_assert_no_error(error);
  g_assert_true(pt_graph_check(copy, &error));
  g_assert_no_error(error);
  g_autoptr(GPtrArray) before = run(net->graph);
  g_autoptr(GPtrArray) after = run(copy);
  g_assert_cmpuint(before->len, ==, after->len);
  for (guint i = 0; i < before->len; i++) {
    g_assert_cmpfloat(pt_array_difference(before->pdata[i], after->pdata[i]), <, 1e-5);
    g_assert_cmpstr(pt_value(net->graph, pt_graph_output(net->graph, i))->name, ==,
                    pt_value(copy, pt_graph_output(copy, i))->name);
  }
  return copy;
}

#define REORDERS(g, in, out)                                                                       \
  g_assert_cmpuint(count(g, NCHWC, "ReorderInput"), ==, (in));                                     \
  g_assert_cmpuint(count(g, NCHWC, "ReorderOutput"), ==, (out))

static bool has_activation(const PtGraph *g, const char *name) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++)
    if (pt_node_string_is(pt_node(g, i), "activation", name))
      return true;
  return false;
}

/* ---- cancelling ---------------------------------------------------------------------------------
 */
static void test_cancel(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32), b = piece(&net, a, 32, 48), c = piece(&net, a, 32, 16);
  output(&net, b);
  output(&net, c);
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  g_assert_cmpuint(report.cancelled, ==, 2);
  REORDERS(g, 1, 2);
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 6);
  net_free(&net);
}

/* The border is an output, too: its reorder stays, for that alone. */
static void test_cancel_output(void) {
  Net net = net_new(24);
  PtValueId a = piece(&net, net.x, 24, 24);
  output(&net, a);
  output(&net, piece(&net, a, 24, 40));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 2);
  net_free(&net);
}

/* Two pieces that read the same input share its reorder. */
static void test_share(void) {
  Net net = net_new(32);
  output(&net, NODE(&net, "", "Sub", piece(&net, net.x, 32, 32), piece(&net, net.x, 32, 32)));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 1); /* behind Sub one reorder does for two */
  net_free(&net);
}

/* ---- folding ---- */
static void test_residual(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32), b = piece(&net, a, 32, 32);
  PtValueId sum = NODE(&net, "", "Add", b, a), relu = NODE(&net, "", "Relu", sum);
  output(&net, piece(&net, relu, 32, 16));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 1);
  g_assert_cmpuint(report.folded, ==, 2);
  g_assert_cmpuint(count(g, "", "Add"), ==, 0);
  g_assert_true(has_activation(g, "Relu"));
  net_free(&net);
}

/* Both convolutions are read elsewhere, too: the Add stays, blocked. */
static void test_residual_used(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32), b = piece(&net, net.x, 32, 32);
  PtValueId sum = NODE(&net, "", "Add", a, b);
  output(&net, piece(&net, sum, 32, 16));
  output(&net, piece(&net, a, 32, 16));
  output(&net, piece(&net, b, 32, 16));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 3);
  g_assert_cmpuint(count(g, "", "Add"), ==, 1);
  g_assert_cmpuint(report.folded, ==, 0);
  net_free(&net);
}

static void test_add_itself(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32);
  output(&net, piece(&net, NODE(&net, "", "Add", a, a), 32, 16));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 1);
  g_assert_cmpuint(count(g, "", "Add"), ==, 1);
  net_free(&net);
}

static void test_activations(void) {
  static const struct {
    const char *op;
    bool folds;
  } cases[] = {{"Relu", true},      {"Sigmoid", true}, {"Tanh", true}, {"HardSigmoid", true},
               {"LeakyRelu", true}, {"Elu", false},    {"Clip", true}, {"Softplus", false},
               {"HardSwish", true}, {"Abs", false}};
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    Net net = net_new(24); /* with padding on either block size's side */
    PtValueId a = piece(&net, net.x, 24, 40);
    PtValueId y = g_str_equal(cases[i].op, "Clip")
                      ? NODE(&net, "", "Clip", a, scalar(&net, -0.25f), scalar(&net, 0.5f))
                      : NODE(&net, "", cases[i].op, a);
    if (g_str_equal(cases[i].op, "LeakyRelu") || g_str_equal(cases[i].op, "HardSigmoid"))
      pt_node_set_float(net.graph, last(&net), "alpha", 0.375f);
    output(&net, piece(&net, y, 40, 24));
    PtSeamReport report;
    g_test_message("%s", cases[i].op);
    g_autoptr(PtGraph) g = mended(&net, &report);
    REORDERS(g, 1, 1);
    g_assert_cmpuint(report.folded, ==, cases[i].folds);
    g_assert_cmpuint(count(g, "", cases[i].op), ==, !cases[i].folds);
    net_free(&net);
  }
}

static void test_silu(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32);
  PtValueId gate = NODE(&net, "", "Sigmoid", a);
  output(&net, piece(&net, NODE(&net, "", "Mul", gate, a), 32, 32));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 1);
  g_assert_cmpuint(count(g, "com.microsoft", "QuickGelu"), ==, 1);
  g_assert_cmpuint(count(g, "", "Sigmoid") + count(g, "", "Mul"), ==, 0);
  net_free(&net);
}

/* ---- BatchNormalization ---- */
static void test_normalization_into_weights(void) {
  Net net = net_new(24);
  PtValueId a = normalize(&net, piece(&net, net.x, 24, 40), 40);
  output(&net, piece(&net, NODE(&net, "", "Relu", a), 40, 16));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 1);
  g_assert_cmpuint(count(g, NCHWC, "Conv"), ==, 2);
  g_assert_true(has_activation(g, "Relu"));
  net_free(&net);
}

/* As in DenseNet: behind a Concat it becomes a convolution of its own, which takes in the Relu. */
static void test_normalization_depthwise(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32), b = piece(&net, net.x, 32, 16);
  PtValueId both = NODE(&net, "", "Concat", a, b);
  pt_node_set_int(net.graph, last(&net), "axis", 1);
  PtValueId relu = NODE(&net, "", "Relu", normalize(&net, both, 48));
  PtValueId c = piece(&net, relu, 48, 16);
  PtValueId all = NODE(&net, "", "Concat", both, c);
  pt_node_set_int(net.graph, last(&net), "axis", 1);
  output(&net, piece(&net, normalize(&net, all, 64), 64, 16));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 1);
  g_assert_cmpuint(count(g, "", "BatchNormalization"), ==, 0);
  g_assert_cmpuint(count(g, NCHWC, "Conv"), ==, 6);
  g_assert_true(has_activation(g, "Relu"));
  net_free(&net);
}

/* ---- pushing ---- */
static void test_concat_unaligned(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32), b = piece(&net, net.x, 32, 20);
  PtValueId both = NODE(&net, "", "Concat", a, b);
  pt_node_set_int(net.graph, last(&net), "axis", 1);
  output(&net, piece(&net, both, 52, 16));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 2, 3); /* 20 channels are no whole blocks */
  net_free(&net);
}

static void test_pools(void) {
  static const char *const ops[] = {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};
  for (size_t i = 0; i < G_N_ELEMENTS(ops); i++)
    for (int ceil = 0; ceil < 2; ceil++) {
      Net net = net_new(32);
      PtValueId y = NODE(&net, "", ops[i], piece(&net, net.x, 32, 32));
      if (ops[i][0] != 'G') {
        pt_node_set_ints(net.graph, last(&net), "kernel_shape", (int64_t[]){3, 3}, 2);
        pt_node_set_ints(net.graph, last(&net), "strides", (int64_t[]){2, 2}, 2);
        pt_node_set_ints(net.graph, last(&net), "pads", (int64_t[]){0, 0, 1, 1}, 4);
        pt_node_set_int(net.graph, last(&net), "ceil_mode", ceil);
      }
      output(&net, piece(&net, y, 32, 16));
      PtSeamReport report;
      g_autoptr(PtGraph) g = mended(&net, &report);
      REORDERS(g, 1, 1);
      g_assert_cmpuint(count(g, NCHWC, ops[i]), ==, 1);
      net_free(&net);
    }
}

static void test_resize(void) {
  for (int linear = 0; linear < 2; linear++) {
    Net net = net_new(32);
    PtValueId a = piece(&net, net.x, 32, 32);
    static const float scales[] = {1, 1, 2, 3};
    PtValueId s = pt_graph_add_constant(
        net.graph, NULL, pt_graph_tensor_copy(net.graph, PT_FLOAT, 1, (int64_t[]){4}, scales));
    PtValueId y = NODE(&net, "", "Resize", a, PT_NONE, s);
    pt_node_set_string(net.graph, last(&net), "mode", linear ? "linear" : "nearest");
    pt_node_set_string(net.graph, last(&net), "coordinate_transformation_mode",
                       linear ? "half_pixel" : "asymmetric");
    if (!linear)
      pt_node_set_string(net.graph, last(&net), "nearest_mode", "floor");
    output(&net, piece(&net, y, 32, 16));
    PtSeamReport report;
    g_autoptr(PtGraph) g = mended(&net, &report);
    REORDERS(g, 1, 1);
    g_assert_cmpuint(count(g, NCHWC, "Upsample"), ==, 1);
    net_free(&net);
  }
}

static void test_transposes(void) {
  Net net = net_new(32);
  PtType type = float4(net.graph, 1, 12, 12, 32);
  PtValueId nhwc = pt_graph_add_input(net.graph, "nhwc", &type);
  PtValueId nchw = NODE(&net, "", "Transpose", nhwc);
  pt_node_set_ints(net.graph, last(&net), "perm", (int64_t[]){0, 3, 1, 2}, 4);
  PtValueId back = NODE(&net, "", "Transpose", piece(&net, nchw, 32, 48));
  pt_node_set_ints(net.graph, last(&net), "perm", (int64_t[]){0, 2, 3, 1}, 4);
  output(&net, back);
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  g_assert_cmpuint(count(g, "", "Transpose"), ==, 0);
  REORDERS(g, 1, 1);
  net_free(&net);
}

/* A gate of [1,C,1,1] is no blocked operand, whatever its channels. */
static void test_broadcast_stays(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32);
  PtValueId gate = piece(&net, NODE(&net, "", "GlobalAveragePool", a), 32, 32);
  output(&net, piece(&net, NODE(&net, "", "Mul", a, gate), 32, 16));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 2, 3);
  g_assert_cmpuint(count(g, "", "Mul"), ==, 1);
  net_free(&net);
}

/* x * clip(x + 3, 0, 6) / 6, in NCHW even in ONNX Runtime's own layout, costs no reorders here. */
static void test_hard_swish_parts(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32);
  PtValueId b = NODE(&net, "", "Add", a, scalar(&net, 3));
  PtValueId c = NODE(&net, "", "Clip", b, scalar(&net, 0), scalar(&net, 6));
  PtValueId d = NODE(&net, "", "Mul", a, c);
  PtValueId e = NODE(&net, "", "Mul", d, scalar(&net, 1.0f / 6));
  output(&net, piece(&net, e, 32, 16));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 1);
  net_free(&net);
}

/* What saves no reorder is left alone, name and all. */
static void test_retract(void) {
  Net net = net_new(32);
  PtValueId a = piece(&net, net.x, 32, 32);
  output(&net, a);
  output(&net, NODE(&net, "", "Relu", a));
  output(&net, NODE(&net, "", "Abs", piece(&net, net.x, 32, 32)));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  REORDERS(g, 1, 2);
  g_assert_cmpuint(report.pushed, ==, 0);
  net_free(&net);
}

/* Zeros around height and width are the convolution's own affair; anything else is not. */
static void test_pad(void) {
  static const int64_t cases[][8] = {{0, 0, 1, 2, 0, 0, 0, 3}, {0, 0, 0, 0, 0, 16, 0, 0}};
  for (size_t i = 0; i < 4; i++) {
    Net net = net_new(32);
    PtValueId pads = pt_graph_add_ints(net.graph, cases[i == 1], 8);
    PtValueId a = i == 3 ? net.x : piece(&net, net.x, 32, 32);
    PtValueId y = NODE(&net, "", "Pad", a, pads, scalar(&net, i == 2 ? 1.0f : 0));
    output(&net, piece(&net, y, i == 1 ? 48 : 32, 16));
    bool folds = i == 0 || i == 3;
    PtSeamReport report;
    g_autoptr(PtGraph) g = mended(&net, &report);
    g_assert_cmpuint(count(g, "", "Pad"), ==, !folds);
    g_assert_cmpuint(report.folded, ==, folds);
    REORDERS(g, folds ? 1u : 2u, folds ? 1u : 2u);
    net_free(&net);
  }
}

/* ---- what must not change ---- */
/* A batch of unknown size: the same symbol on both sides is the same size; two symbols are not. */
static void test_symbols(void) {
  for (int same = 0; same < 2; same++) {
    Net net = net_new(32);
    PtValueId ends[2];
    for (int i = 0; i < 2; i++) {
      PtDim dims[4] = {{.size = -1, .symbol = i && !same ? "other" : "batch"},
                       {.size = 32},
                       {.size = -1, .symbol = "height"},
                       {.size = 8}};
      PtType type = pt_type_tensor(net.graph, PT_FLOAT, 4, dims);
      PtValueId x = pt_graph_add_input(net.graph, i ? "b" : "a", &type);
      PtValueId pool = NODE(&net, "", "MaxPool", piece(&net, x, 32, 32));
      pt_node_set_ints(net.graph, last(&net), "kernel_shape", (int64_t[]){3, 3}, 2);
      pt_node_set_ints(net.graph, last(&net), "strides", (int64_t[]){2, 2}, 2);
      pt_node_set_ints(net.graph, last(&net), "pads", (int64_t[]){1, 1, 1, 1}, 4);
      ends[i] = piece(&net, pool, 32, 32);
    }
    output(&net, piece(&net, NODE(&net, "", "Add", ends[0], ends[1]), 32, 16));
    output(&net, net.x);
    PtSeamReport report;
    g_autoptr(PtGraph) g = mended(&net, &report);
    REORDERS(g, same ? 2u : 3u, same ? 1u : 3u);
    net_free(&net);
  }
}

static void test_nothing_blocked(void) {
  Net net = net_new(8);
  output(&net, NODE(&net, "", "Relu", net.x));
  PtSeamReport report;
  g_autoptr(PtGraph) g = mended(&net, &report);
  g_assert_cmpuint(report.cancelled + report.pushed + report.folded, ==, 0);
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 1);
  net_free(&net);
}

/* Pieces come from others: nodes that lack what they need are passed over. */
static void test_malformed(void) {
  static const char *const ops[] = {"ReorderInput", "ReorderOutput", "Conv",
                                    "MaxPool",      "Upsample",      "Strange"};
  for (size_t i = 0; i < G_N_ELEMENTS(ops); i++)
    for (int shape = 0; shape < 3; shape++) {
      Net net = net_new(32);
      PtGraph *g = net.graph;
      PtValueId inputs[3] = {shape == 1 ? PT_NONE : net.x, PT_NONE, PT_NONE};
      PtValueId out = pt_graph_add_value(g, NULL);
      pt_graph_add_node(g, NCHWC, ops[i], inputs, shape == 0 ? 0 : 3, &out, 1);
      pt_node_set_int(g, last(&net), "channels", shape == 2 ? INT64_MAX : -1);
      output(&net, piece(&net, NODE(&net, "", "Relu", out), 32, 16));
      GError *error = NULL;
      g_assert_true(pt_mend_seams(g, NULL, &error));
      g_assert_no_error(error);
      g_assert_true(pt_graph_check(g, &error));
      g_assert_no_error(error);
      net_free(&net);
    }
}

/* Weights said to be of 2^40 channels, or of none, are no ground to allocate on. */
static void test_strange_widths(void) {
  static const int64_t widths[] = {0, 1, INT64_C(1) << 40};
  for (size_t i = 0; i < G_N_ELEMENTS(widths); i++) {
    Net net = net_new(32);
    PtGraph *g = net.graph;
    int64_t dims[4] = {widths[i], 0, 1, 1};
    PtValueId w = pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, 4, dims, NULL));
    PtValueId a = out_of(&net, NODE(&net, NCHWC, "Conv", into(&net, net.x), w), 32);
    output(&net, normalize(&net, a, 32));
    GError *error = NULL;
    g_assert_true(pt_mend_seams(g, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(count(g, "", "BatchNormalization"), ==, 1);
    net_free(&net);
  }
}

/* A cycle is named, not followed. */
static void test_cycle(void) {
  Net net = net_new(32);
  PtGraph *g = net.graph;
  PtValueId a = pt_graph_add_value(g, "a"), b = pt_graph_add_value(g, "b");
  pt_graph_add_node(g, NCHWC, "ReorderInput", &a, 1, &b, 1);
  pt_graph_add_node(g, NCHWC, "ReorderOutput", &b, 1, &a, 1);
  output(&net, a);
  GError *error = NULL;
  g_assert_false(pt_mend_seams(g, NULL, &error));
  g_assert_error(error, PT_GRAPH_ERROR, PT_ERR_INPUT);
  g_clear_error(&error);
  net_free(&net);
}

static void test_large(void) {
  Net net = net_new(32);
  PtValueId x = net.x;
  PtValueId w = conv(&net, into(&net, x), 32, 32);
  PtValueId weight = pt_node(net.graph, last(&net))->inputs[1];
  PtValueId y = out_of(&net, w, 32);
  for (int i = 0; i < 8000; i++) {
    PtValueId z = out_of(&net, NODE(&net, NCHWC, "Conv", into(&net, y), weight), 32);
    y = NODE(&net, "", "Relu", NODE(&net, "", "Add", z, y));
  }
  output(&net, y);
  double start = pt_clock();
  PtSeamReport report;
  GError *error = NULL;
  g_assert_true(pt_mend_seams(net.graph, &report, &error));
  g_assert_no_error(error);
  g_assert_cmpfloat(pt_clock() - start, <,
                    20.0); /* 40,000 nodes: milliseconds, but for sanitizers */
  g_assert_cmpuint(report.cancelled, ==, 8000);
  g_assert_cmpuint(report.folded, ==, 16000);
  REORDERS(net.graph, 1, 1);
  net_free(&net);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  static const struct {
    const char *path;
    void (*test)(void);
  } tests[] = {{"/seams/cancel", test_cancel},
               {"/seams/cancel-output", test_cancel_output},
               {"/seams/share", test_share},
               {"/seams/residual", test_residual},
               {"/seams/residual-used", test_residual_used},
               {"/seams/add-itself", test_add_itself},
               {"/seams/activations", test_activations},
               {"/seams/silu", test_silu},
               {"/seams/normalization-into-weights", test_normalization_into_weights},
               {"/seams/normalization-depthwise", test_normalization_depthwise},
               {"/seams/concat-unaligned", test_concat_unaligned},
               {"/seams/pools", test_pools},
               {"/seams/resize", test_resize},
               {"/seams/transposes", test_transposes},
               {"/seams/broadcast-stays", test_broadcast_stays},
               {"/seams/pad", test_pad},
               {"/seams/hard-swish-parts", test_hard_swish_parts},
               {"/seams/retract", test_retract},
               {"/seams/symbols", test_symbols},
               {"/seams/nothing-blocked", test_nothing_blocked},
               {"/seams/malformed", test_malformed},
               {"/seams/strange-widths", test_strange_widths},
               {"/seams/cycle", test_cycle},
               {"/seams/large", test_large}};
  for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
    g_test_add_func(tests[i].path, tests[i].test);
  return g_test_run();
}
