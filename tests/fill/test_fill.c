/* Seeded weights: ranges by role, the same bytes however the work is cut, errors. */
#include "fill/fill.h"

#include "fill/fill_private.h"

#include <math.h>
#include <string.h>

#define SIZES(...)                                                                                 \
  (const int64_t[]) {                                                                              \
    __VA_ARGS__                                                                                    \
  }

static PtValueId weight(PtGraph *g, PtDtype dtype, uint32_t rank, const int64_t *sizes) {
  return pt_graph_add_constant(g, NULL, pt_graph_tensor(g, dtype, rank, sizes, NULL));
}

typedef struct Net {
  PtGraph *graph;
  PtValueId w, bias, scale, var, table, tied, expanded;
} Net;

/* Conv, BatchNormalization with a variance behind Identity and Expand, an embedding that is the
 * head's weight too. */
static Net net(void) {
  Net n = {.graph = pt_graph_new()};
  PtGraph *g = n.graph;
  pt_graph_set_opset(g, "", 17);
  PtDim dims[4] = {{1, NULL}, {64, NULL}, {8, NULL}, {8, NULL}};
  PtType t = pt_type_tensor(g, PT_FLOAT, 4, dims);
  PtValueId x = pt_graph_add_input(g, "x", &t);
  n.w = weight(g, PT_FLOAT, 4, SIZES(256, 64, 3, 3));
  n.bias = weight(g, PT_FLOAT, 1, SIZES(256));
  n.scale = weight(g, PT_FLOAT, 1, SIZES(256));
  n.var = weight(g, PT_FLOAT, 1, SIZES(256));
  n.expanded = weight(g, PT_FLOAT, 1, SIZES(1));
  PtValueId conv = pt_graph_add_op(g, "Conv", (PtValueId[]){x, n.w, n.bias}, 3);
  PtValueId var = pt_graph_add_op(g, "Identity", &n.var, 1);
  PtValueId to = pt_graph_add_ints(g, SIZES(256), 1);
  var = pt_graph_add_op(g, "Expand", (PtValueId[]){var, to}, 2);
  PtValueId bn = pt_graph_add_op(g, "BatchNormalization",
                                 (PtValueId[]){conv, n.scale, n.bias, n.bias, var}, 5);
  pt_graph_add_output(g, pt_graph_add_op(g, "Relu", &bn, 1));
  n.tied = weight(g, PT_FLOAT16, 2, SIZES(1000, 64));
  PtValueId ids = pt_graph_add_ints(g, SIZES(1, 2, 3), 3);
  PtValueId rows = pt_graph_add_op(g, "Gather", (PtValueId[]){n.tied, ids}, 2);
  PtValueId turned = pt_graph_add_op(g, "Transpose", &n.tied, 1);
  pt_graph_add_output(g, pt_graph_add_op(g, "MatMul", (PtValueId[]){rows, turned}, 2));
  return n;
}

static void stats(const PtGraph *g, PtValueId v, double *mean, double *low, double *high) {
  const PtTensor *t = pt_value(g, v)->constant;
  *mean = 0, *low = INFINITY, *high = -INFINITY;
  g_assert_nonnull(t->data);
  for (size_t i = 0; i < t->count; i++) {
    double f = pt_tensor_float_at(t, i);
    g_assert_true(isfinite(f));
    *mean += f / (double)t->count;
    *low = MIN(*low, f), *high = MAX(*high, f);
  }
}

static void test_ranges(void) {
  Net n = net();
  g_autoptr(PtGraph) g = n.graph;
  PtSeed seed;
  pt_seed_init(&seed, "7");
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_fill(g, &seed, 1, &error));
  g_assert_no_error(error);
  double mean, low, high, bound = sqrt(3.0 * 2.0 / 576.0);
  stats(g, n.w, &mean, &low, &high);
  g_assert_cmpfloat(fabs(mean), <, 0.01);
  g_assert_cmpfloat(high, >, bound * 0.99);
  g_assert_cmpfloat(high, <=, bound);
  g_assert_cmpfloat(low, >=, -bound);
  stats(g, n.scale, &mean, &low, &high);
  g_assert_cmpfloat(low, >=, 0.8);
  g_assert_cmpfloat(high, <=, 1.2);
  stats(g, n.bias, &mean, &low, &high);
  g_assert_cmpfloat(MAX(-low, high), <=, 0.1);
  stats(g, n.var, &mean, &low, &high);
  g_assert_cmpfloat(low, >=, 0.5);
  g_assert_cmpfloat(high, <=, 1.5);
  stats(g, n.tied, &mean, &low, &high); /* the product counts, not the table */
  g_assert_cmpfloat(high, <, sqrt(3.0 / 64.0) * 1.01);
  g_assert_cmpfloat(high, >, sqrt(3.0 / 64.0) * 0.9);
}

static void assert_same(const void *a, const void *b, size_t size) {
  g_assert_cmpmem(a, (int)size, b, (int)size);
}

static void test_same_bytes(void) {
  PtSeed seed, other;
  pt_seed_init(&seed, "7");
  pt_seed_init(&other, "8");
  Net a = net(), b = net(), c = net();
  g_assert_true(pt_fill(a.graph, &seed, 1, NULL));
  g_assert_true(pt_fill(b.graph, &seed, 7, NULL));
  g_assert_true(pt_fill(c.graph, &other, 1, NULL));
  for (PtValueId v = 0; v < pt_graph_n_values(a.graph); v++) {
    const PtTensor *ta = pt_value(a.graph, v)->constant, *tb = pt_value(b.graph, v)->constant;
    if (ta)
      assert_same(ta->data, tb->data, ta->size);
  }
  const PtTensor *ta = pt_value(a.graph, a.w)->constant, *tc = pt_value(c.graph, c.w)->constant;
  g_assert_cmpint(memcmp(ta->data, tc->data, ta->size), !=, 0);
  pt_graph_unref(a.graph);
  pt_graph_unref(b.graph);
  pt_graph_unref(c.graph);
}

static void test_stream(void) {
  static const PtDtype dtypes[] = {PT_FLOAT, PT_DOUBLE, PT_FLOAT16, PT_BFLOAT16, PT_FLOAT8E4M3FN};
  PtFillPlan plan = {0.0f, 2.0f};
  for (size_t d = 0; d < G_N_ELEMENTS(dtypes); d++) {
    uint8_t whole[8 * 101], parts[8 * 101];
    pt_fill_block(dtypes[d], 42, plan, 0, 101, whole);
    for (size_t at = 0, step = 1; at < 101; at += step, step += 3)
      pt_fill_block(dtypes[d], 42, plan, at, MIN(step, 101 - at),
                    parts + pt_dtype_size(dtypes[d], at));
    assert_same(whole, parts, pt_dtype_size(dtypes[d], 101));
  }
}

static void test_errors(void) {
  PtSeed seed;
  pt_seed_init(&seed, "7");
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) g = pt_graph_new();
  weight(g, PT_INT64, 1, SIZES(4));
  g_assert_false(pt_fill(g, &seed, 1, &error));
  g_assert_error(error, PT_FILL_ERROR, PT_ERR_INPUT);
  g_clear_error(&error);
  g_autoptr(PtGraph) huge = pt_graph_new();
  weight(huge, PT_FLOAT, 2, SIZES(1 << 20, 1 << 20));
  g_assert_false(pt_fill(huge, &seed, 1, &error));
  g_assert_error(error, PT_FILL_ERROR, PT_ERR_LIMIT);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/fill/ranges", test_ranges);
  g_test_add_func("/fill/same-bytes", test_same_bytes);
  g_test_add_func("/fill/stream", test_stream);
  g_test_add_func("/fill/errors", test_errors);
  return g_test_run();
}
