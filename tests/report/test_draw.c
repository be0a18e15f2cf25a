/* Pictures of buckets: what is in them, what marks the real piece, and what is refused. */
#include "bundle/bundle.h"
#include "onnx/onnx.h"
#include "report/draw_private.h"

#include <glib/gstdio.h>
#include <string.h>

#define REAL "00000000000000000000000000000001"
#define OTHER "00000000000000000000000000000002"

static char *folder, *secret_path;

/* A convolution, with noise for weights, and a node of `op`. */
static void write_candidate(const char *id, const char *op) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtDim dims[] = {{1, NULL}, {3, NULL}, {8, NULL}, {8, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 4, dims);
  const int64_t shape[] = {3, 3, 1, 1};
  const float data[9] = {1};
  pt_graph_set_opset(g, "", 17);
  g->ir_version = 8;
  PtValueId in[] = {
      pt_graph_add_input(g, "i0", &type),
      pt_graph_add_constant(g, "c0", pt_graph_tensor_copy(g, PT_FLOAT, 4, shape, data))};
  PtValueId conv = pt_graph_add_op(g, "Conv", in, 2);
  const int64_t kernel[] = {1, 1}, strides[] = {2, 2};
  pt_node_set_ints(g, 0, "kernel_shape", kernel, 2);
  pt_node_set_ints(g, 0, "strides", strides, 2);
  PtValueId out = pt_graph_add_op(g, op, &conv, 1);
  pt_value(g, out)->type = type;
  pt_graph_add_output(g, out);
  g_autofree char *name = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(folder, name, NULL);
  GError *error = NULL;
  pt_onnx_write(g, path, NULL, &error);
  g_assert_no_error(error);
}

static void write_secret(void) {
  g_autoptr(PtSecret) secret = pt_secret_new();
  secret->model_sha256 = g_strnfill(64, 'a');
  memset(secret->noise_seed, '0', 32);
  secret->floats = 1 << 22;
  PtSecretBucket *bucket = pt_secret_bucket_new();
  bucket->real = g_strdup(REAL);
  g_ptr_array_add(bucket->candidates, g_strdup(REAL));
  g_ptr_array_add(bucket->candidates, g_strdup(OTHER));
  g_ptr_array_add(bucket->members, pt_member_new());
  g_ptr_array_add(secret->buckets, bucket);
  GError *error = NULL;
  pt_secret_write(secret, secret_path, &error);
  g_assert_no_error(error);
}

static char *draw(const char *name, uint32_t bucket, bool blind, GError **error) {
  g_autofree char *out = g_build_filename(folder, name, NULL);
  const PtDrawOptions options = {
      .bundle = folder, .secret = secret_path, .out = out, .bucket = bucket, .blind = blind};
  PtDrawReport report;
  char *text = NULL;
  if (!pt_draw_sentinels(&options, &report, error))
    return NULL;
  g_assert_cmpuint(report.buckets, ==, 1);
  g_assert_cmpuint(report.candidates, ==, 2);
  g_assert_true(g_file_get_contents(out, &text, NULL, NULL));
  return text;
}

static guint count(const char *text, const char *word) {
  guint n = 0;
  for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
    n++;
  return n;
}

static void test_dot(void) {
  GError *error = NULL;
  g_autofree char *marked = draw("a.dot", 0, false, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(count(marked, "digraph {"), ==, 2);
  g_assert_cmpuint(count(marked, "Conv 1×1 3→3 /2"), ==, 2);
  g_assert_cmpuint(count(marked, "in float32[1,3,8,8]"), ==, 2);
  g_assert_cmpuint(count(marked, "(real)"), ==, 1);
  g_assert_cmpuint(count(marked, "i0 -> n0"), ==, 2);
  g_assert_cmpuint(count(marked, "n0 -> n1"), ==, 2);
  g_assert_cmpuint(count(marked, "n1 -> o0"), ==, 2);
  g_autofree char *blind = draw("b.dot", 1, true, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(count(blind, "real"), ==, 0);
}

/* An operator may have any name. */
static void test_names(void) {
  GError *error = NULL;
  write_candidate(OTHER, "A\"];evil\\");
  g_autofree char *text = draw("c.dot", 0, false, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(count(text, "A\\\"];evil\\\\"), ==, 1);
  write_candidate(OTHER, "Sigmoid");
}

static void test_pictures(void) {
  GError *error = NULL;
  g_autofree char *program = g_find_program_in_path("dot");
  if (!program) {
    g_test_skip("there is no dot");
    return;
  }
  g_autofree char *svg = draw("a.svg", 0, false, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(count(svg, "<svg"), ==, 3);
  g_assert_cmpuint(count(svg, "</svg>"), ==, 3);
  g_assert_cmpuint(count(svg, "class=\"real\""), ==, 1);
  g_autofree char *blind = draw("b.svg", 0, true, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(count(blind, "real"), ==, 0);
  g_autofree char *html = draw("a.html", 0, true, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(count(html, "<section>"), ==, 1);
  g_assert_cmpuint(count(html, "checked>"), ==, 0);
}

static void test_refused(void) {
  GError *error = NULL;
  g_assert_null(draw("a.svg", 2, false, &error));
  g_assert_error(error, PT_REPORT_ERROR, PT_ERR_USAGE);
  g_clear_error(&error);
  g_assert_null(draw("a.png", 0, false, &error));
  g_assert_error(error, PT_REPORT_ERROR, PT_ERR_USAGE);
  g_clear_error(&error);
  g_autofree char *path = g_strdup(g_getenv("PATH"));
  g_setenv("PATH", folder, TRUE);
  g_assert_null(draw("a.svg", 0, false, &error));
  g_assert_error(error, PT_REPORT_ERROR, PT_ERR_ENVIRONMENT);
  g_clear_error(&error);
  g_setenv("PATH", path, TRUE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = pt_dir_make_temp("draw", NULL);
  secret_path = g_build_filename(folder, "secret", NULL);
  write_candidate(REAL, "Relu");
  write_candidate(OTHER, "Sigmoid");
  write_secret();
  g_test_add_func("/report/draw/dot", test_dot);
  g_test_add_func("/report/draw/names", test_names);
  g_test_add_func("/report/draw/pictures", test_pictures);
  g_test_add_func("/report/draw/refused", test_refused);
  int status = g_test_run();
  pt_dir_remove(folder);
  g_free(secret_path);
  g_free(folder);
  return status;
}
