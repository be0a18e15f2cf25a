/* Rebinding against ONNX Runtime: pieces of every kind that its fusions know, at every level; the
 * bound constants are what it makes of the real weights, bit by bit, and the outputs are the
 * piece's. */
#include "onnx/onnx.h"
#include "pieces.h"
#include "way.h"

#include <math.h>
#include <string.h>

static const struct {
  PtLevel level;
  bool native;
} levels[] = {{PT_LEVEL_NONE, false},
              {PT_LEVEL_BASIC, false},
              {PT_LEVEL_EXTENDED, false},
              {PT_LEVEL_ALL, false},
              {PT_LEVEL_ALL, true}};

/* The explained answer is a model of its own: it runs on noise.bin, and does what the candidate
 * does. */
static void run_on_noise(const PtWay *way) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_build_filename(way->folder, "explained.onnx", NULL);
  PtSessionOptions options = {.level = PT_LEVEL_NONE, .folder = way->folder};
  g_autoptr(PtSession) a = pt_session_new_file(way->path, &options, &error);
  g_assert_no_error(error);
  g_autoptr(PtSession) b = pt_session_new_file(path, &options, &error);
  g_assert_no_error(error);
  PtSeed seed;
  pt_seed_init(&seed, "noise");
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(way->candidate, &seed, 2, &error);
  g_assert_no_error(error);
  g_autofree PtArray **in_a = pt_session_order_inputs(a, way->candidate, inputs, &error);
  g_autofree PtArray **in_b = pt_session_order_inputs(b, way->candidate, inputs, &error);
  g_autoptr(GPtrArray) out_a = pt_session_run(a, in_a, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) out_b = pt_session_run(b, in_b, &error);
  g_assert_no_error(error);
  for (guint i = 0; i < out_a->len; i++)
    g_assert_cmpfloat(pt_array_difference(out_a->pdata[i], out_b->pdata[i]), <, 1e-3);
}

/* Takes the graph. Returns how many derivations all levels needed together. */
static uint32_t check_all(PtGraph *graph, double tolerance) {
  g_autoptr(PtGraph) piece = graph;
  g_autoptr(GError) error = NULL;
  PtWay way;
  uint32_t derivations = 0;
  pt_way_open(&way, piece, NULL, &error);
  g_assert_no_error(error);
  for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
    PtWayReport report = {0};
    g_autoptr(PtGraph) answer =
        pt_way_optimize(&way, false, levels[i].level, levels[i].native, &error);
    g_assert_no_error(error);
    g_autoptr(PtGraph) bound = pt_way_rebind(&way, answer, NULL, &report, &error);
    g_assert_no_error(error);
    g_assert_true(pt_graph_check(bound, &error));
    g_autoptr(PtGraph) reference =
        pt_way_optimize(&way, true, levels[i].level, levels[i].native, &error);
    g_assert_no_error(error);
    pt_way_compare_constants(bound, reference, &report, true);
    g_assert_cmpuint(report.near, ==, 0);
    g_assert_cmpuint(report.absent, ==, 0);
    g_assert_cmpuint(report.bytes, <, 1 << 16);
    g_assert_cmpuint(pt_graph_n_nodes(bound), ==, pt_graph_n_nodes(reference));
    pt_way_compare_outputs(&way, bound, &report, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(report.difference, <, tolerance);
    run_on_noise(&way);
    derivations += report.derivations;
  }
  pt_way_close(&way);
  return derivations;
}

static PtGraph *image(PtValueId *x, int64_t channels) {
  PtGraph *g = pt_piece_graph(17);
  *x = pt_piece_input(g, PT_FLOAT, DIMS(1, channels, 6, 6));
  return g;
}

/* ---- convolutions
 * --------------------------------------------------------------------------------- */
static void test_conv_norm(void) {
  static const struct {
    int64_t in, out, groups, kernel;
    bool bias;
  } cases[] = {{3, 24, 1, 3, false},  {16, 32, 1, 3, true}, {24, 24, 24, 3, false},
               {24, 24, 24, 3, true}, {32, 48, 4, 1, true}, {64, 64, 2, 3, false},
               {20, 20, 1, 1, true},  {5, 7, 1, 5, true}};
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    PtValueId x;
    PtGraph *g = image(&x, cases[i].in);
    x = pt_piece_conv(g, x, cases[i].out, cases[i].in, cases[i].groups, cases[i].kernel,
                      cases[i].bias);
    x = pt_piece_op(g, "Relu", pt_piece_norm(g, x, cases[i].out), PT_NONE);
    pt_piece_finish(g, x);
    g_assert_cmpuint(check_all(g, 1e-5), >, 0);
  }
}

/* Five steps behind one convolution. */
static void test_conv_chain(void) {
  PtValueId x;
  PtGraph *g = image(&x, 16);
  x = pt_piece_conv(g, x, 24, 16, 1, 3, false);
  x = pt_piece_op(g, "Mul", x, pt_piece_weight(g, PT_FLOAT, false, DIMS(24, 1, 1)), PT_NONE);
  x = pt_piece_op(g, "Add", x, pt_piece_weight(g, PT_FLOAT, false, DIMS(1, 24, 1, 1)), PT_NONE);
  x = pt_piece_norm(g, x, 24);
  x = pt_piece_op(g, "Mul", x, pt_piece_weight(g, PT_FLOAT, false, DIMS(1, 24, 1, 1)), PT_NONE);
  x = pt_piece_op(g, "Add", x, pt_piece_weight(g, PT_FLOAT, false, DIMS(24, 1, 1)), PT_NONE);
  pt_piece_finish(g, pt_piece_op(g, "Relu", x, PT_NONE));
  g_assert_cmpuint(check_all(g, 1e-5), >, 0);
}

static void test_conv_scalar(void) {
  PtValueId x;
  PtGraph *g = image(&x, 16);
  x = pt_piece_conv(g, x, 16, 16, 1, 1, true);
  x = pt_piece_op(g, "Mul", x, pt_piece_scalar(g, 0.3f), PT_NONE);
  pt_piece_finish(g, pt_piece_op(g, "Relu", x, PT_NONE));
  check_all(g, 1e-5);
}

static void test_conv_rank(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(1, 8, 10));
  PtValueId w = pt_piece_weight(g, PT_FLOAT, false, DIMS(12, 8, 3));
  x = pt_piece_norm(g, pt_piece_op(g, "Conv", x, w, PT_NONE), 12);
  pt_piece_finish(g, x);
  check_all(g, 1e-5);
  g = pt_piece_graph(17);
  x = pt_piece_input(g, PT_FLOAT, DIMS(1, 4, 4, 4, 4));
  w = pt_piece_weight(g, PT_FLOAT, false, DIMS(6, 4, 2, 2, 2));
  x = pt_piece_norm(g, pt_piece_op(g, "Conv", x, w, PT_NONE), 6);
  pt_piece_finish(g, x);
  check_all(g, 1e-5);
}

static void test_conv_transpose(void) {
  for (int64_t groups = 1; groups <= 2; groups++) {
    PtValueId x;
    PtGraph *g = image(&x, 16);
    PtValueId w = pt_piece_weight(g, PT_FLOAT, false, DIMS(16, 24 / groups, 2, 2));
    PtValueId b = pt_piece_weight(g, PT_FLOAT, false, DIMS(24));
    x = pt_piece_op(g, "ConvTranspose", x, w, b, PT_NONE);
    pt_node_set_int(g, pt_piece_node(g, x), "group", groups);
    x = pt_piece_norm(g, x, 24);
    pt_piece_finish(g, x);
    check_all(g, 1e-5);
  }
}

/* BatchNormalization on its own becomes a depthwise convolution in the blocked layout. */
static void test_norm_alone(void) {
  PtValueId x;
  PtGraph *g = image(&x, 16);
  x = pt_piece_conv(g, x, 24, 16, 1, 3, true);
  PtValueId pooled = pt_piece_op(g, "MaxPool", x, PT_NONE);
  pt_node_set_ints(g, pt_piece_node(g, pooled), "kernel_shape", (int64_t[]){2, 2}, 2);
  x = pt_piece_op(g, "Relu", pt_piece_norm(g, pooled, 24), PT_NONE);
  x = pt_piece_conv(g, x, 32, 24, 1, 1, true);
  pt_piece_finish(g, x);
  check_all(g, 1e-5);
}

/* Slice, Pad and Expand changed their form from one operator set to the next. */
static void test_opsets(void) {
  static const int64_t versions[] = {7, 8, 9, 10, 11, 13, 15, 18, 21, 23};
  for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
    PtGraph *g = pt_piece_graph(versions[i]);
    PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(1, 3, 6, 6));
    x = pt_piece_norm(g, pt_piece_conv(g, x, 24, 3, 1, 3, true), 24);
    x = pt_piece_conv(g, pt_piece_op(g, "Relu", x, PT_NONE), 20, 24, 1, 1, true);
    PtValueId row = pt_piece_weight(g, PT_FLOAT, false, DIMS(1, 1, 1, 6));
    PtValueId tiled =
        pt_piece_op(g, "Tile", row, pt_graph_add_ints(g, (int64_t[]){1, 20, 6, 1}, 4), PT_NONE);
    x = pt_piece_op(g, "Mul", x, tiled, PT_NONE);
    PtValueId table = pt_piece_weight(g, PT_FLOAT, false, DIMS(1, 20, 9, 9)), part;
    const int64_t from[4] = {0, 0, 2, 1}, to[4] = {1, 20, 8, 7};
    if (versions[i] >= 10)
      part = pt_piece_op(g, "Slice", table, pt_graph_add_ints(g, from, 4),
                         pt_graph_add_ints(g, to, 4), PT_NONE);
    else {
      part = pt_piece_op(g, "Slice", table, PT_NONE);
      pt_node_set_ints(g, pt_piece_node(g, part), "starts", from, 4);
      pt_node_set_ints(g, pt_piece_node(g, part), "ends", to, 4);
    }
    pt_piece_finish(g, pt_piece_op(g, "Add", x, part, PT_NONE));
    g_assert_cmpuint(check_all(g, 1e-5), >, 0);
  }
}

/* ---- products
 * ------------------------------------------------------------------------------------- */
static void test_matmul(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(5, 12));
  PtValueId w = pt_piece_weight(g, PT_FLOAT, false, DIMS(12, 20));
  x = pt_piece_op(g, "Add", pt_piece_op(g, "MatMul", x, w, PT_NONE),
                  pt_piece_weight(g, PT_FLOAT, false, DIMS(20)), PT_NONE);
  x = pt_piece_norm(g, x, 20);
  pt_piece_finish(g, x);
  check_all(g, 1e-5);
  g = pt_piece_graph(17);
  x = pt_piece_input(g, PT_FLOAT, DIMS(5, 12));
  w = pt_piece_weight(g, PT_FLOAT, false, DIMS(12, 20));
  x = pt_piece_norm(g, pt_piece_op(g, "MatMul", x, w, PT_NONE), 20);
  pt_piece_finish(g, x);
  g_assert_cmpuint(check_all(g, 1e-5), >, 0);
}

static void test_gemm(void) {
  PtGraph *g = pt_piece_graph(13);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(5, 12));
  PtValueId w = pt_piece_weight(g, PT_FLOAT, false, DIMS(20, 12));
  PtValueId b = pt_piece_weight(g, PT_FLOAT, false, DIMS(20));
  x = pt_piece_op(g, "Gemm", x, w, b, PT_NONE);
  pt_node_set_int(g, pt_piece_node(g, x), "transB", 1);
  pt_node_set_float(g, pt_piece_node(g, x), "alpha", 0.5f);
  x = pt_piece_op(g, "Relu", x, PT_NONE);
  x = pt_piece_op(
      g, "Mul",
      pt_piece_op(g, "MatMul", x, pt_piece_weight(g, PT_FLOAT, false, DIMS(20, 8)), PT_NONE),
      pt_piece_scalar(g, 0.125f), PT_NONE);
  pt_piece_finish(g, x);
  check_all(g, 1e-5);
}

static void test_layer_norm(void) {
  PtGraph *g = pt_piece_graph(13);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(1, 5, 16));
  PtValueId mean = pt_piece_op(g, "ReduceMean", x, PT_NONE);
  pt_node_set_ints(g, pt_piece_node(g, mean), "axes", (int64_t[]){-1}, 1);
  PtValueId centred = pt_piece_op(g, "Sub", x, mean, PT_NONE);
  PtValueId square = pt_piece_op(g, "Pow", centred, pt_piece_scalar(g, 2), PT_NONE);
  PtValueId var = pt_piece_op(g, "ReduceMean", square, PT_NONE);
  pt_node_set_ints(g, pt_piece_node(g, var), "axes", (int64_t[]){-1}, 1);
  PtValueId dev = pt_piece_op(
      g, "Sqrt", pt_piece_op(g, "Add", var, pt_piece_scalar(g, 1e-5f), PT_NONE), PT_NONE);
  PtValueId y = pt_piece_op(g, "Div", centred, dev, PT_NONE);
  y = pt_piece_op(g, "Mul", y, pt_piece_weight(g, PT_FLOAT, false, DIMS(16)), PT_NONE);
  y = pt_piece_op(g, "Add", y, pt_piece_weight(g, PT_FLOAT, false, DIMS(16)), PT_NONE);
  y = pt_piece_op(g, "MatMul", y, pt_piece_weight(g, PT_FLOAT, false, DIMS(16, 24)), PT_NONE);
  y = pt_piece_op(g, "Add", y, pt_piece_weight(g, PT_FLOAT, false, DIMS(24)), PT_NONE);
  pt_piece_finish(g, y);
  check_all(g, 1e-5);
}

/* ---- what folds
 * ------------------------------------------------------------------------------------ */
static void test_moved(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(5, 12));
  PtValueId parts[3];
  for (int i = 0; i < 3; i++) {
    PtValueId w = pt_piece_weight(g, PT_FLOAT, false, DIMS(8, 12));
    parts[i] = pt_piece_op(g, "Transpose", w, PT_NONE);
  }
  PtValueId merged = pt_piece_op(g, "Concat", parts[0], parts[1], parts[2], PT_NONE);
  pt_node_set_int(g, pt_piece_node(g, merged), "axis", 1);
  x = pt_piece_op(g, "MatMul", x, merged, PT_NONE);
  PtValueId bias = pt_piece_weight(g, PT_FLOAT, false, DIMS(8));
  PtValueId wide = pt_piece_op(g, "Tile", bias, pt_graph_add_ints(g, (int64_t[]){3}, 1), PT_NONE);
  x = pt_piece_op(g, "Add", x, wide, PT_NONE);
  PtValueId table = pt_piece_weight(g, PT_FLOAT, false, DIMS(7, 24));
  PtValueId rows =
      pt_piece_op(g, "Gather", table, pt_graph_add_ints(g, (int64_t[]){4, 0, 6, 1, 1}, 5), PT_NONE);
  x = pt_piece_op(g, "Add", x, rows, PT_NONE);
  PtValueId from = pt_graph_add_ints(g, (int64_t[]){1}, 1),
            to = pt_graph_add_ints(g, (int64_t[]){6}, 1);
  PtValueId axis = pt_graph_add_ints(g, (int64_t[]){0}, 1);
  x = pt_piece_op(g, "Mul", x, pt_piece_op(g, "Slice", table, from, to, axis, PT_NONE), PT_NONE);
  pt_piece_finish(g, x);
  g_assert_cmpuint(check_all(g, 1e-5), >, 0);
}

/* Folded through the runtime: nothing says how to get at one element. */
static void test_computed(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(5, 12));
  PtValueId a = pt_piece_weight(g, PT_FLOAT, false, DIMS(12, 6));
  PtValueId b = pt_piece_weight(g, PT_FLOAT, false, DIMS(6, 20));
  x = pt_piece_op(g, "MatMul", x, pt_piece_op(g, "MatMul", a, b, PT_NONE), PT_NONE);
  PtValueId c = pt_piece_op(g, "Softmax", pt_piece_weight(g, PT_FLOAT, false, DIMS(20)), PT_NONE);
  x = pt_piece_op(g, "Mul", x, pt_piece_op(g, "Exp", c, PT_NONE), PT_NONE);
  PtValueId sum = pt_piece_op(g, "ReduceSum", pt_piece_weight(g, PT_FLOAT, true, DIMS(9)), PT_NONE);
  x = pt_piece_op(g, "Add", x, sum, PT_NONE); /* one element, made of noise */
  pt_piece_finish(g, x);
  g_assert_cmpuint(check_all(g, 1e-5), >, 0);
}

/* Rotary tables, weight normalization, interpolated positions: folded from noise by many steps. */
static void test_folded(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(1, 16, 8));
  PtValueId steps = pt_piece_op(g, "Range", pt_piece_scalar(g, 0), pt_piece_scalar(g, 16),
                                pt_piece_scalar(g, 1), PT_NONE);
  PtValueId column =
      pt_piece_op(g, "Reshape", steps, pt_graph_add_ints(g, (int64_t[]){16, 1}, 2), PT_NONE);
  PtValueId angle =
      pt_piece_op(g, "Mul", column, pt_piece_weight(g, PT_FLOAT, true, DIMS(8)), PT_NONE);
  x = pt_piece_op(g, "Mul", x, pt_piece_op(g, "Cos", angle, PT_NONE), PT_NONE);
  PtValueId v = pt_piece_weight(g, PT_FLOAT, false, DIMS(8, 12));
  PtValueId norm = pt_piece_op(g, "ReduceL2", v, PT_NONE);
  pt_node_set_ints(g, pt_piece_node(g, norm), "axes", (int64_t[]){0}, 1);
  PtValueId w = pt_piece_op(g, "Mul", pt_piece_op(g, "Div", v, norm, PT_NONE),
                            pt_piece_weight(g, PT_FLOAT, true, DIMS(1, 12)), PT_NONE);
  x = pt_piece_op(g, "MatMul", x, w, PT_NONE);
  PtValueId table = pt_piece_weight(g, PT_FLOAT, false, DIMS(1, 1, 4, 3));
  PtValueId sizes = pt_graph_add_ints(g, (int64_t[]){1, 1, 16, 12}, 4);
  PtValueId inputs[4] = {table, PT_NONE, PT_NONE, sizes};
  PtValueId grid = pt_graph_add_op(g, "Resize", inputs, 4);
  pt_node_set_string(g, pt_piece_node(g, grid), "mode", "linear");
  PtValueId flat =
      pt_piece_op(g, "Reshape", grid, pt_graph_add_ints(g, (int64_t[]){1, 16, 12}, 3), PT_NONE);
  pt_piece_finish(g, pt_piece_op(g, "Add", x, flat, PT_NONE));
  g_assert_cmpuint(check_all(g, 1e-5), >, 0);
}

/* Standardized weights, as exporters write them: the weight is an image that is normalized. */
static void test_standardized(void) {
  for (int way = 0; way < 2; way++) {
    PtValueId x;
    PtGraph *g = image(&x, 8);
    PtValueId flat = pt_piece_weight(g, PT_FLOAT, false, DIMS(1, 12, 72));
    PtValueId scale = pt_piece_weight(g, PT_FLOAT, true, DIMS(12));
    PtValueId shift = pt_piece_weight(g, PT_FLOAT, false, DIMS(12)), w;
    if (way == 0) {
      const int64_t axes[] = {0, 2};
      PtValueId mean = pt_piece_op(g, "ReduceMean", flat, PT_NONE);
      pt_node_set_ints(g, pt_piece_node(g, mean), "axes", axes, 2);
      PtValueId off = pt_piece_op(g, "Sub", flat, mean, PT_NONE);
      PtValueId spread =
          pt_piece_op(g, "ReduceMean", pt_piece_op(g, "Mul", off, off, PT_NONE), PT_NONE);
      pt_node_set_ints(g, pt_piece_node(g, spread), "axes", axes, 2);
      PtValueId size = pt_graph_add_ints(g, (int64_t[]){12}, 1);
      w = pt_piece_op(g, "BatchNormalization", flat, scale, shift,
                      pt_piece_op(g, "Reshape", mean, size, PT_NONE),
                      pt_piece_op(g, "Reshape", spread, size, PT_NONE), PT_NONE);
    } else
      w = pt_piece_op(g, "InstanceNormalization", flat, scale, shift, PT_NONE);
    w = pt_piece_op(g, "Reshape", w, pt_graph_add_ints(g, (int64_t[]){12, 8, 3, 3}, 4), PT_NONE);
    x = pt_piece_op(g, "Conv", x, w, PT_NONE);
    pt_piece_finish(g, pt_piece_op(g, "Relu", pt_piece_norm(g, x, 12), PT_NONE));
    g_assert_cmpuint(check_all(g, 1e-5), >, 0);
  }
}

/* Products of constants: long sums, which come out in the last places as the kernel adds them. */
static void test_products(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(1, 5, 48));
  PtValueId token = pt_piece_weight(g, PT_FLOAT, false, DIMS(1, 1, 48));
  token =
      pt_piece_op(g, "MatMul", token, pt_piece_weight(g, PT_FLOAT, false, DIMS(48, 1976)), PT_NONE);
  token =
      pt_piece_op(g, "MatMul", token, pt_piece_weight(g, PT_FLOAT, false, DIMS(1976, 48)), PT_NONE);
  x = pt_piece_op(g, "Add", x, pt_piece_op(g, "Tanh", token, PT_NONE), PT_NONE);
  pt_piece_finish(g, pt_piece_op(g, "Sub", x, token, PT_NONE));
  g_assert_cmpuint(check_all(g, 1e-5), >, 0);
}

/* BatchNormalization whose parameters are themselves computed. */
static void test_indirect(void) {
  PtValueId x;
  PtGraph *g = image(&x, 16);
  x = pt_piece_conv(g, x, 16, 16, 1, 3, false);
  PtValueId gamma =
      pt_piece_op(g, "Identity", pt_piece_weight(g, PT_FLOAT, true, DIMS(16)), PT_NONE);
  PtValueId beta = pt_piece_op(g, "Reshape", pt_piece_weight(g, PT_FLOAT, false, DIMS(4, 4)),
                               pt_graph_add_ints(g, (int64_t[]){-1}, 1), PT_NONE);
  PtValueId mean = pt_piece_weight(g, PT_FLOAT, false, DIMS(16));
  PtValueId one = pt_piece_weight(g, PT_FLOAT, true, DIMS(1));
  PtValueId var = pt_piece_op(g, "Mul", pt_piece_weight(g, PT_FLOAT, true, DIMS(16)), one, PT_NONE);
  x = pt_piece_op(g, "BatchNormalization", x, gamma, beta, mean, var, PT_NONE);
  pt_piece_finish(g, x);
  g_assert_cmpuint(check_all(g, 1e-5), >, 0);
}

/* ---- other types
 * ----------------------------------------------------------------------------------- */
static void test_small_floats(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT16, DIMS(5, 12));
  PtValueId w = pt_piece_weight(g, PT_FLOAT16, false, DIMS(20, 12));
  x = pt_piece_op(g, "MatMul", x, pt_piece_op(g, "Transpose", w, PT_NONE), PT_NONE);
  x = pt_piece_op(g, "Add", x, pt_piece_weight(g, PT_FLOAT16, false, DIMS(20)), PT_NONE);
  x = pt_piece_op(g, "Relu", x, PT_NONE);
  x = pt_piece_op(g, "MatMul", x, pt_piece_weight(g, PT_FLOAT16, false, DIMS(20, 8)), PT_NONE);
  pt_piece_finish(g, x);
  check_all(g, 1e-2);
  g = pt_piece_graph(17);
  x = pt_piece_input(g, PT_FLOAT16, DIMS(1, 8, 5, 5));
  w = pt_piece_weight(g, PT_FLOAT16, false, DIMS(8, 8, 3, 3));
  x = pt_piece_op(g, "Conv", x, w, pt_piece_weight(g, PT_FLOAT16, false, DIMS(8)), PT_NONE);
  PtValueId p[4];
  for (int i = 0; i < 4; i++)
    p[i] = pt_piece_weight(g, PT_FLOAT16, i % 3 == 0, DIMS(8));
  x = pt_piece_op(g, "BatchNormalization", x, p[0], p[1], p[2], p[3], PT_NONE);
  pt_piece_finish(g, x);
  check_all(g, 1e-2);
}

static void test_double(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_DOUBLE, DIMS(5, 12));
  PtValueId w = pt_piece_weight(g, PT_DOUBLE, false, DIMS(20, 12));
  x = pt_piece_op(g, "MatMul", x, pt_piece_op(g, "Transpose", w, PT_NONE), PT_NONE);
  PtValueId scale = pt_piece_op(g, "Sqrt", pt_piece_weight(g, PT_DOUBLE, true, DIMS(20)), PT_NONE);
  x = pt_piece_op(g, "Mul", x, scale, PT_NONE);
  pt_piece_finish(g, x);
  g_assert_cmpuint(check_all(g, 1e-9), >, 0);
}

static PtValueId dequantized(PtGraph *g, int64_t rows, int64_t columns) {
  PtValueId w = pt_piece_weight(g, PT_INT8, false, DIMS(rows, columns));
  PtValueId scale = pt_piece_weight(g, PT_FLOAT, true, DIMS(columns));
  PtValueId zero = pt_piece_weight(g, PT_INT8, false, DIMS(columns));
  PtValueId v = pt_piece_op(g, "DequantizeLinear", w, scale, zero, PT_NONE);
  pt_node_set_int(g, pt_piece_node(g, v), "axis", 1);
  return v;
}

static void test_quantized(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(5, 12));
  x = pt_piece_op(g, "MatMul", x, dequantized(g, 12, 20), PT_NONE);
  x = pt_piece_op(g, "Relu", x, PT_NONE);
  PtValueId w = pt_piece_op(g, "Transpose", dequantized(g, 8, 20), PT_NONE);
  x = pt_piece_op(g, "MatMul", x, w, PT_NONE);
  pt_piece_finish(g, x);
  check_all(g, 1e-4);
}

/* ---- damage
 * ---------------------------------------------------------------------------------------- */
/* Answers with bytes changed at random: explained and bound, or refused with one sentence; never a
 * crash. */
static void try_damaged(const PtWay *way, const uint8_t *data, size_t size) {
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  GError *error = NULL;
  g_autoptr(GBytes) bytes = g_bytes_new(data, size);
  g_autoptr(PtGraph) g = pt_onnx_read_bytes(bytes, "damaged", NULL, &options, &error);
  if (g && pt_rebind_explain(g, way->candidate, &way->noise, &error)) {
    g_autoptr(GArray) bindings = pt_way_bindings(way);
    pt_rebind_bind(g, (const PtBinding *)(void *)bindings->data, bindings->len, 1, &error);
  }
  g_assert_true(!error || (error->message && error->message[0]));
  g_clear_error(&error);
}

static void test_damage(void) {
  PtValueId x;
  g_autoptr(PtGraph) g = image(&x, 8);
  x = pt_piece_norm(g, pt_piece_conv(g, x, 12, 8, 1, 3, true), 12);
  PtValueId c = pt_piece_op(g, "Exp", pt_piece_weight(g, PT_FLOAT, false, DIMS(12, 1, 1)), PT_NONE);
  pt_piece_finish(g, pt_piece_op(g, "Div", pt_piece_op(g, "Relu", x, PT_NONE), c, PT_NONE));
  PtWay way;
  PtWayReport report = {0};
  PtSeed seed;
  GError *error = NULL;
  pt_seed_init(&seed, "damage");
  pt_way_open(&way, g, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(PtGraph) answer = pt_way_optimize(&way, false, PT_LEVEL_ALL, true, &error);
  g_assert_no_error(error);
  g_autoptr(GBytes) dense = pt_onnx_write_bytes(answer, NULL, NULL, &error);
  g_autoptr(PtGraph) bound = pt_way_rebind(&way, answer, NULL, &report, &error);
  g_assert_no_error(error);
  g_assert_nonnull(bound);
  g_autofree char *path = g_build_filename(way.folder, "explained.onnx", NULL);
  g_autoptr(GBytes) small = pt_file_map(path, SIZE_MAX, &error);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "damage", 0);
  for (int i = 0; i < 600; i++) {
    gsize size;
    const uint8_t *data = g_bytes_get_data(i % 3 ? small : dense, &size);
    g_autofree uint8_t *copy = g_memdup2(data, size);
    for (uint64_t n = 1 + pt_rng_below(rng, 4); n > 0; n--) {
      uint64_t at = pt_rng_below(rng, size);
      copy[at] = pt_rng_below(rng, 2) ? (uint8_t)pt_rng_below(rng, 256) : (uint8_t)(copy[at] + 1);
    }
    try_damaged(&way, copy, size);
  }
  pt_way_close(&way);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/rebind/conv/norm", test_conv_norm);
  g_test_add_func("/rebind/conv/chain", test_conv_chain);
  g_test_add_func("/rebind/conv/scalar", test_conv_scalar);
  g_test_add_func("/rebind/conv/rank", test_conv_rank);
  g_test_add_func("/rebind/conv/transpose", test_conv_transpose);
  g_test_add_func("/rebind/norm-alone", test_norm_alone);
  g_test_add_func("/rebind/opsets", test_opsets);
  g_test_add_func("/rebind/matmul", test_matmul);
  g_test_add_func("/rebind/gemm", test_gemm);
  g_test_add_func("/rebind/layer-norm", test_layer_norm);
  g_test_add_func("/rebind/moved", test_moved);
  g_test_add_func("/rebind/computed", test_computed);
  g_test_add_func("/rebind/folded", test_folded);
  g_test_add_func("/rebind/standardized", test_standardized);
  g_test_add_func("/rebind/products", test_products);
  g_test_add_func("/rebind/indirect", test_indirect);
  g_test_add_func("/rebind/small-floats", test_small_floats);
  g_test_add_func("/rebind/double", test_double);
  g_test_add_func("/rebind/quantized", test_quantized);
  g_test_add_func("/rebind/damage", test_damage);
  return g_test_run();
}
