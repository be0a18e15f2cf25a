/* pt_verify: equal, different, and everything between. */
#include "onnx/onnx.h"
#include "proteus/proteus.h"
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

typedef struct {
  char *folder;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  (void)data;
  f->folder = pt_dir_make_temp("verify", NULL);
  g_assert_nonnull(f->folder);
}

static void tear_down(Fixture *f, gconstpointer data) {
  (void)data;
  pt_dir_remove(f->folder);
  g_free(f->folder);
}

static PtGraph *new_graph(void) {
  PtGraph *graph = pt_graph_new();
  graph->ir_version = 8;
  pt_graph_set_opset(graph, "", 17);
  return graph;
}

/* Writes `graph`, drops it, and returns the path. */
static char *write_graph(const Fixture *f, const char *name, PtGraph *graph) {
  g_autoptr(GError) error = NULL;
  char *path = g_build_filename(f->folder, name, NULL);
  pt_onnx_write(graph, path, NULL, &error);
  g_assert_no_error(error);
  pt_graph_unref(graph);
  return path;
}

/* y = op(x * scale), x float32[n, 3] with n symbolic */
static PtGraph *scaled(const char *input, const char *op, float scale) {
  PtGraph *graph = new_graph();
  PtDim dims[] = {{-1, "n"}, {3, NULL}};
  PtType type = pt_type_tensor(graph, PT_FLOAT, 2, dims);
  PtValueId x = pt_graph_add_input(graph, input, &type);
  PtValueId s =
      pt_graph_add_constant(graph, "s", pt_graph_tensor_copy(graph, PT_FLOAT, 0, NULL, &scale));
  PtValueId m = pt_graph_add_op(graph, "Mul", (const PtValueId[]){x, s}, 2);
  PtValueId y = pt_graph_add_value(graph, "y");
  pt_graph_add_node(graph, "", op, &m, 1, &y, 1);
  pt_value(graph, y)->type = type;
  pt_graph_add_output(graph, y);
  return graph;
}

static void check(const char *a, const char *b, double tolerance, bool equal, double difference,
                  const char *worst) {
  g_autoptr(GError) error = NULL;
  PtVerifyReport report;
  g_assert_true(pt_verify(a, b, 4, NULL, tolerance, &report, &error));
  g_assert_no_error(error);
  g_assert_cmpint(report.equal, ==, equal);
  if (isinf(difference))
    g_assert_true(isinf(report.difference));
  else
    g_assert_cmpfloat_with_epsilon(report.difference, difference, 1e-4);
  if (!strstr(report.worst, worst))
    g_error("%s does not say %s", report.worst, worst);
  pt_verify_report_clear(&report);
}

static void test_equal(Fixture *f, gconstpointer data) {
  (void)data;
  g_autofree char *a = write_graph(f, "a.onnx", scaled("x", "Tanh", 1));
  g_autofree char *same = write_graph(f, "same.onnx", scaled("x", "Tanh", 1));
  PtVerifyReport report;
  g_assert_true(pt_verify(a, same, 0, "seed", 0, &report, NULL));
  g_assert_true(report.equal);
  g_assert_cmpfloat(report.difference, ==, 0);
  g_assert_cmpuint(report.runs, ==, 3);
  g_assert_cmpuint(report.outputs, ==, 1);
  g_assert_cmpstr(report.worst, ==, "y");
  pt_verify_report_clear(&report);
}

static void test_different(Fixture *f, gconstpointer data) {
  (void)data;
  g_autofree char *a = write_graph(f, "a.onnx", scaled("x", "Identity", 1));
  g_autofree char *off = write_graph(f, "off.onnx", scaled("x", "Identity", 1.01f));
  g_autofree char *other = write_graph(f, "other.onnx", scaled("x", "Exp", 1));
  check(a, off, 0, false, 0.01, "y");
  check(a, off, 0.02, true, 0.01, "y");
  PtVerifyReport report;
  g_assert_true(pt_verify(a, other, 0, NULL, 0, &report, NULL));
  g_assert_false(report.equal);
  pt_verify_report_clear(&report);
}

/* Logarithms of negative numbers: not a number on both sides is the same; on one side it is not. */
static void test_nan(Fixture *f, gconstpointer data) {
  (void)data;
  g_autofree char *a = write_graph(f, "a.onnx", scaled("x", "Log", 1));
  g_autofree char *b = write_graph(f, "b.onnx", scaled("x", "Log", 1));
  g_autofree char *c = write_graph(f, "c.onnx", scaled("x", "Log", -1));
  check(a, b, 0, true, 0, "y");
  check(a, c, 0, false, INFINITY, "y");
}

static void test_interfaces(Fixture *f, gconstpointer data) {
  (void)data;
  g_autofree char *a = write_graph(f, "a.onnx", scaled("x", "Tanh", 1));
  g_autofree char *named = write_graph(f, "named.onnx", scaled("z", "Tanh", 1));
  PtGraph *graph = scaled("x", "Tanh", 1);
  pt_value(graph, pt_graph_input(graph, 0))->type.dims[1].size = 4;
  pt_value(graph, pt_graph_output(graph, 0))->type.dims[1].size = 4;
  g_autofree char *shaped = write_graph(f, "shaped.onnx", graph);
  graph = scaled("x", "Tanh", 1);
  PtValueId x = pt_graph_input(graph, 0);
  pt_graph_add_output(graph, pt_graph_add_op(graph, "Relu", &x, 1));
  g_autofree char *more = write_graph(f, "more.onnx", graph);
  check(a, named, 0, false, INFINITY, "input 0 is x against z");
  check(a, shaped, 0, false, INFINITY, "float32[n,3] against float32[n,4]");
  check(a, more, 0, false, INFINITY, "1 outputs against 2");
}

/* y = op(w, x), w float32[rows, 3] */
static PtGraph *fixed_rows(int64_t rows) {
  PtGraph *graph = scaled("x", "Identity", 1);
  g_autofree float *w = g_new0(float, 3 * rows);
  PtValueId v = pt_graph_add_constant(
      graph, "w", pt_graph_tensor_copy(graph, PT_FLOAT, 2, (const int64_t[]){rows, 3}, w));
  PtValueId y = pt_graph_output(graph, 0);
  PtNode *last = pt_node(graph, pt_value(graph, y)->producer);
  PtValueId sum = pt_graph_add_op(graph, "Add", (const PtValueId[]){last->inputs[0], v}, 2);
  last = pt_node(graph, pt_value(graph, y)->producer);
  last->inputs[0] = sum;
  return graph;
}

/* The second model runs on one size only. */
static void test_does_not_run(Fixture *f, gconstpointer data) {
  (void)data;
  g_autofree char *a = write_graph(f, "a.onnx", scaled("x", "Identity", 1));
  g_autofree char *b = write_graph(f, "b.onnx", fixed_rows(77));
  check(a, b, 0, false, INFINITY, "does not run");
  /* No size suits the first. */
  g_autoptr(GError) error = NULL;
  PtVerifyReport report;
  g_assert_false(pt_verify(b, a, 0, NULL, 0, &report, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_INPUT);
}

/* Small sizes do not suit a large kernel; larger ones are tried. */
static void test_larger_sizes(Fixture *f, gconstpointer data) {
  (void)data;
  g_autoptr(GError) error = NULL;
  PtGraph *graph = new_graph();
  PtDim in[] = {{1, NULL}, {1, NULL}, {-1, "h"}}, out[] = {{1, NULL}, {1, NULL}, {-1, "o"}};
  PtType in_type = pt_type_tensor(graph, PT_FLOAT, 3, in),
         out_type = pt_type_tensor(graph, PT_FLOAT, 3, out);
  float w[50] = {1};
  PtValueId x = pt_graph_add_input(graph, "x", &in_type);
  PtValueId v = pt_graph_add_constant(
      graph, "w", pt_graph_tensor_copy(graph, PT_FLOAT, 3, (const int64_t[]){1, 1, 50}, w));
  PtValueId y = pt_graph_add_op(graph, "Conv", (const PtValueId[]){x, v}, 2);
  pt_value(graph, y)->type = out_type;
  pt_graph_add_output(graph, y);
  g_autofree char *a = write_graph(f, "a.onnx", graph);
  PtVerifyReport report;
  g_assert_true(pt_verify(a, a, 2, NULL, 0, &report, &error));
  g_assert_no_error(error);
  g_assert_true(report.equal);
  g_assert_cmpuint(report.runs, ==, 2);
  pt_verify_report_clear(&report);
}

static void test_errors(Fixture *f, gconstpointer data) {
  (void)data;
  g_autofree char *a = write_graph(f, "a.onnx", scaled("x", "Tanh", 1));
  g_autofree char *junk = g_build_filename(f->folder, "junk.onnx", NULL);
  g_assert_true(pt_file_write(junk, 0600, "\xff\xff\xff\xff junk", 9, NULL));
  const struct {
    const char *a, *b;
    int code;
  } cases[] = {{"/nonexistent.onnx", a, PT_ERR_IO},
               {a, "/nonexistent.onnx", PT_ERR_IO},
               {a, f->folder, PT_ERR_IO},
               {f->folder, a, PT_ERR_IO},
               {junk, a, PT_ERR_INPUT},
               {a, junk, PT_ERR_INPUT}};
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    PtVerifyReport report;
    g_assert_false(pt_verify(cases[i].a, cases[i].b, 1, NULL, 0, &report, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(error->code, ==, cases[i].code);
    g_assert_null(report.worst);
  }
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("/verify/equal", test_equal);
  ADD("/verify/different", test_different);
  ADD("/verify/nan", test_nan);
  ADD("/verify/interfaces", test_interfaces);
  ADD("/verify/does-not-run", test_does_not_run);
  ADD("/verify/larger-sizes", test_larger_sizes);
  ADD("/verify/errors", test_errors);
  return g_test_run();
}
