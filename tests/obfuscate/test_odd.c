/* Models that are not plain float32 chains: half and double weights, quantized ones, branches,
 * strings. */
#include "check.h"

#include "base/base.h"
#include "bundle/bundle.h"
#include "onnx/onnx.h"

#include <glib/gstdio.h>
#include <string.h>

static char *folder;

static PtType matrix(PtGraph *g, PtDtype dtype, int64_t rows, const char *symbol, int64_t columns) {
  PtDim dims[2] = {{rows, symbol}, {columns, NULL}};
  return pt_type_tensor(g, dtype, 2, dims);
}

/* Values around 0.1 to 1, all different, in any float format; bytes 1, 2, 3 ... otherwise. */
static PtValueId weight(PtGraph *g, const char *name, PtDtype dtype, int64_t rows,
                        int64_t columns) {
  int64_t dims[2] = {rows, columns};
  size_t size = pt_dtype_size(dtype, (size_t)(rows * columns));
  g_autofree uint8_t *data = g_malloc(size);
  for (int64_t i = 0; i < rows * columns; i++) {
    float value = 0.1f + 0.013f * (float)i;
    double wide = value;
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint16_t half = (uint16_t)(((bits >> 16) & 0x8000) | ((((bits >> 23) & 255) - 112) << 10) |
                               (bits >> 13 & 1023));
    if (dtype == PT_FLOAT)
      memcpy(data + 4 * i, &value, 4);
    else if (dtype == PT_DOUBLE)
      memcpy(data + 8 * i, &wide, 8);
    else if (dtype == PT_FLOAT16)
      memcpy(data + 2 * i, &half, 2);
    else
      data[i] = (uint8_t)(i * 37 + 11);
  }
  return pt_graph_add_constant(g, name, pt_graph_tensor_copy(g, dtype, 2, dims, data));
}

static PtValueId op(PtGraph *g, const char *type, const char *out, PtValueId a, PtValueId b) {
  PtValueId in[2] = {a, b}, v = pt_graph_add_value(g, out);
  PtNodeId node = pt_graph_add_node(g, "", type, in, b == PT_NONE ? 1 : 2, &v, 1);
  pt_node(g, node)->name = pt_arena_string(g->arena, pt_value(g, v)->name);
  return v;
}

static PtGraph *start(int64_t opset, PtDtype dtype, PtValueId *in) {
  PtGraph *g = pt_graph_new();
  g->name = "secret_graph";
  g->ir_version = 10;
  pt_graph_set_opset(g, "", opset);
  PtType x = matrix(g, dtype, -1, "secret_batch", 4);
  *in = pt_graph_add_input(g, "secret_input", &x);
  return g;
}

static char *finish(PtGraph *g, PtValueId out, PtDtype dtype, int64_t columns) {
  pt_value(g, out)->type = matrix(g, dtype, -1, "secret_batch", columns);
  pt_graph_add_output(g, out);
  char *path = g_build_filename(folder, "model.onnx", NULL);
  GError *error = NULL;
  bool ok = pt_onnx_write(g, path, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  pt_graph_unref(g);
  return path;
}

static void check_and_remove(char *path) {
  check_model(folder, path, 0, 0, true);
  g_unlink(path);
  g_free(path);
}

static void test_floats(const void *data) {
  PtDtype dtype = (PtDtype)GPOINTER_TO_INT(data);
  PtValueId in;
  PtGraph *g = start(17, dtype, &in);
  PtValueId y = op(g, "MatMul", "secret_y", in, weight(g, "secret_w", dtype, 4, 6));
  y = op(g, "Add", "secret_z", y, weight(g, "secret_b", dtype, 1, 6));
  y = op(g, "Div", "secret_d", y, weight(g, "secret_v", dtype, 1, 6));
  check_and_remove(finish(g, op(g, "Relu", "secret_r", y, PT_NONE), dtype, 6));
}

static void test_quantized(void) {
  PtValueId in;
  PtGraph *g = start(17, PT_FLOAT, &in);
  float scale = 0.05f;
  PtValueId s =
      pt_graph_add_constant(g, "secret_s", pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &scale));
  PtValueId w = op(g, "DequantizeLinear", "secret_dq", weight(g, "secret_q", PT_INT8, 4, 6), s);
  check_and_remove(finish(g, op(g, "MatMul", "secret_y", in, w), PT_FLOAT, 6));
}

/* Branches that capture an input, a value and a weight. */
static void test_branches(void) {
  PtValueId in;
  PtGraph *g = start(17, PT_FLOAT, &in);
  PtDim one[1] = {{1, NULL}};
  PtType flag = pt_type_tensor(g, PT_BOOL, 1, one);
  PtValueId cond = pt_graph_add_input(g, "secret_flag", &flag);
  PtValueId w = weight(g, "secret_w", PT_FLOAT, 1, 4);
  PtValueId r = op(g, "Relu", "secret_r", in, PT_NONE), y = pt_graph_add_value(g, "secret_y");
  PtNodeId node = pt_graph_add_node(g, "", "If", &cond, 1, &y, 1);
  g_autofree PtValueId *identity = g_new(PtValueId, pt_graph_n_values(g));
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    identity[v] = v;
  for (int branch = 0; branch < 2; branch++) {
    g_autoptr(PtGraph) body = pt_graph_new();
    body->parent = g;
    body->name = "secret_body";
    PtValueId a = pt_graph_add_value(body, branch ? "secret_input" : "secret_r");
    PtValueId b = pt_graph_add_value(body, "secret_w");
    pt_value(body, a)->outer = branch ? in : r;
    pt_value(body, b)->outer = w;
    PtValueId out = op(body, branch ? "Add" : "Mul", branch ? "secret_t" : "secret_e", a, b);
    pt_value(body, out)->type = matrix(body, PT_FLOAT, -1, "secret_batch", 4);
    pt_graph_add_output(body, out);
    PtGraph *graphs[1] = {body};
    PtAttr attr = {.name = branch ? "then_branch" : "else_branch",
                   .kind = PT_ATTR_GRAPH,
                   .count = 1,
                   .as.graphs = graphs};
    pt_node_add_attr_copy(g, node, &attr, identity);
  }
  pt_graph_refresh_captures(g);
  check_and_remove(finish(g, op(g, "Tanh", "secret_z", y, PT_NONE), PT_FLOAT, 4));
}

/* A vocabulary cannot go out: that piece stays, the rest goes. Where nothing is left, that is said.
 */
static void test_strings(const void *data) {
  bool alone = data != NULL;
  PtValueId in;
  PtGraph *g = start(17, PT_INT64, &in);
  PtTensor *vocabulary = pt_graph_tensor(g, PT_STRING, 1, (int64_t[]){2}, NULL);
  g_autoptr(GBytes) one = g_bytes_new_static("secret_one", 10);
  g_autoptr(GBytes) two = g_bytes_new_static("secret_two", 10);
  GBytes *words[2] = {one, two};
  vocabulary->strings = words;
  PtValueId v = pt_graph_add_constant(g, "secret_words", vocabulary);
  PtValueId y = op(g, "Gather", "secret_y", v, in);
  if (!alone) {
    PtType x = matrix(g, PT_FLOAT, 2, NULL, 4);
    PtValueId other = pt_graph_add_input(g, "secret_x", &x);
    PtValueId z = op(g, "MatMul", "secret_z", other, weight(g, "secret_w", PT_FLOAT, 4, 6));
    pt_value(g, z)->type = matrix(g, PT_FLOAT, 2, NULL, 6);
    pt_graph_add_output(g, z);
  }
  g_autofree char *path = finish(g, y, PT_STRING, 4);
  g_autofree char *bundle = g_build_filename(folder, "b", NULL);
  g_autofree char *secret_path = g_build_filename(folder, "s", NULL);
  PtObfuscateOptions options = {
      .model = path, .bundle = bundle, .secret = secret_path, .n = alone ? 1 : 2, .seed = "1"};
  PtObfuscateReport report;
  GError *error = NULL;
  bool ok = pt_obfuscate(&options, &report, &error);
  if (alone) {
    g_assert_false(ok);
    g_assert_true(error->code == PT_ERR_UNSUPPORTED);
    g_clear_error(&error);
    g_assert_false(g_file_test(bundle, G_FILE_TEST_EXISTS));
    return;
  }
  g_assert_no_error(error);
  g_assert_cmpuint(report.buckets, ==, 2);
  g_assert_cmpuint(report.candidates, ==, 1);
  g_autoptr(PtSecret) secret = pt_secret_read(secret_path, &error);
  g_assert_no_error(error);
  guint kept = 0;
  for (guint i = 0; i < secret->buckets->len; i++)
    kept += ((PtSecretBucket *)g_ptr_array_index(secret->buckets, i))->kept != NULL;
  g_assert_cmpuint(kept, ==, 1);
  pt_dir_remove(bundle);
  g_unlink(secret_path);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = pt_dir_make_temp("odd", NULL);
  g_test_add_data_func("/odd/float32", GINT_TO_POINTER(PT_FLOAT), test_floats);
  g_test_add_data_func("/odd/float16", GINT_TO_POINTER(PT_FLOAT16), test_floats);
  g_test_add_data_func("/odd/float64", GINT_TO_POINTER(PT_DOUBLE), test_floats);
  g_test_add_func("/odd/quantized", test_quantized);
  g_test_add_func("/odd/branches", test_branches);
  g_test_add_data_func("/odd/strings", NULL, test_strings);
  g_test_add_data_func("/odd/strings-alone", folder, test_strings);
  int status = g_test_run();
  pt_dir_remove(folder);
  g_free(folder);
  return status;
}
