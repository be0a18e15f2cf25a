/* pt_bench: rows, histograms and errors; times themselves are the machine's. */
#include "bench/bench.h"
#include "onnx/onnx.h"

#include <math.h>
#include <string.h>

static char *folder;

/* y = relu(x w + 1) + relu(x), x float32[n, 64] */
static char *write_model(const char *name, const char *input) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = pt_graph_new();
  graph->ir_version = 8;
  pt_graph_set_opset(graph, "", 17);
  PtDim dims[] = {{-1, "n"}, {64, NULL}};
  PtType type = pt_type_tensor(graph, PT_FLOAT, 2, dims);
  g_autofree float *data = g_new0(float, 64 * 64);
  PtValueId x = pt_graph_add_input(graph, input, &type);
  PtValueId w = pt_graph_add_constant(
      graph, "w", pt_graph_tensor_copy(graph, PT_FLOAT, 2, (const int64_t[]){64, 64}, data));
  PtValueId b = pt_graph_add_constant(
      graph, "b", pt_graph_tensor_copy(graph, PT_FLOAT, 1, (const int64_t[]){64}, data));
  PtValueId m = pt_graph_add_op(graph, "MatMul", (const PtValueId[]){x, w}, 2);
  PtValueId s = pt_graph_add_op(graph, "Add", (const PtValueId[]){m, b}, 2);
  PtValueId r = pt_graph_add_op(graph, "Relu", &s, 1);
  PtValueId q = pt_graph_add_op(graph, "Relu", &x, 1);
  PtValueId y = pt_graph_add_op(graph, "Sub", (const PtValueId[]){r, q}, 2);
  pt_value(graph, y)->type = type;
  pt_graph_add_output(graph, y);
  char *path = g_build_filename(folder, name, NULL);
  pt_onnx_write(graph, path, NULL, &error);
  g_assert_no_error(error);
  return path;
}

static void test_rows(void) {
  static const char *const names[] = {"unoptimized", "best attainable", "best attainable (again)",
                                      "proteus"};
  g_autoptr(GError) error = NULL;
  g_autofree char *model = write_model("model.onnx", "x");
  PtBenchOptions options = {
      .model = model, .result = model, .iterations = 30, .loads = 3, .twice = true};
  PtBenchReport report;
  g_assert_true(pt_bench(&options, &report, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(report.rows->len, ==, G_N_ELEMENTS(names));
  for (guint i = 0; i < report.rows->len; i++) {
    const PtBenchRow *row = report.rows->pdata[i];
    g_assert_cmpstr(row->name, ==, names[i]);
    g_assert_cmpfloat(row->low, >, 0);
    g_assert_cmpfloat(row->mean, >, 0);
    g_assert_cmpfloat(row->low, <=, row->high);
  }
  /* The result is the unoptimized model here: five nodes; the optimizer makes Gemm of MatMul and
   * Add, and fuses more. */
  const PtBenchRow *first = report.rows->pdata[0], *best = report.rows->pdata[1],
                   *last = report.rows->pdata[3];
  g_assert_cmpuint(first->nodes, ==, 5);
  g_assert_cmpuint(last->nodes, ==, 5);
  g_assert_cmpuint(best->nodes, <, 5);
  g_assert_cmpuint(first->histogram->len, ==, 4);
  g_assert_cmpstr(first->histogram->pdata[0], ==, "Relu 2");
  g_assert_cmpstr(first->histogram->pdata[1], ==, "Add 1");
  g_assert_true(isfinite(report.slowdown));
  g_assert_true(isfinite(report.noise));
  pt_bench_report_clear(&report);
}

static void test_without_result(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *model = write_model("model.onnx", "x");
  PtBenchOptions options = {
      .model = model, .iterations = 5, .level = "basic", .target = "native", .threads = 2};
  PtBenchReport report;
  g_assert_true(pt_bench(&options, &report, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(report.rows->len, ==, 2);
  g_assert_true(isnan(report.slowdown));
  g_assert_true(isnan(report.noise));
  pt_bench_report_clear(&report);
}

static void test_errors(void) {
  g_autofree char *model = write_model("model.onnx", "x");
  g_autofree char *other = write_model("other.onnx", "z");
  const struct {
    PtBenchOptions options;
    int code;
  } cases[] = {
      {{.model = "/nonexistent.onnx"}, PT_ERR_IO},
      {{.model = model, .result = "/nonexistent.onnx"}, PT_ERR_IO},
      {{.model = model, .result = other}, PT_ERR_MISMATCH},
      {{.model = model, .level = "extreme"}, PT_ERR_USAGE},
      {{.model = model, .target = "elsewhere"}, PT_ERR_USAGE},
      {{.model = model, .iterations = UINT32_MAX}, PT_ERR_USAGE},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    PtBenchReport report;
    PtBenchOptions options = cases[i].options;
    if (!options.iterations)
      options.iterations = 2;
    g_assert_false(pt_bench(&options, &report, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(error->code, ==, cases[i].code);
    g_assert_null(report.rows);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = pt_dir_make_temp("bench", NULL);
  g_test_add_func("/bench/rows", test_rows);
  g_test_add_func("/bench/without-result", test_without_result);
  g_test_add_func("/bench/errors", test_errors);
  int result = g_test_run();
  pt_dir_remove(folder);
  g_free(folder);
  return result;
}
