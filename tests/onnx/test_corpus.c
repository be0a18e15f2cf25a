/* Every model of the corpus goes in, out and in again, and is the same. */
#include "same.h"

static const PtOnnxReadOptions skeleton = {.allow_empty = true};
static const PtOnnxWriteOptions all_types = {.all_types = true};

static PtGraph *read_ok(const char *path) {
  g_autoptr(GError) error = NULL;
  PtGraph *graph = pt_onnx_read(path, &skeleton, &error);
  g_assert_no_error(error);
  g_assert_nonnull(graph);
  return graph;
}

static void test_round_trip(gconstpointer data) {
  const char *path = data;
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = pt_dir_make_temp("onnx-corpus", &error);
  g_assert_no_error(error);
  g_autofree char *copy = g_build_filename(folder, "copy.onnx", NULL);
  g_autoptr(PtGraph) first = read_ok(path);
  g_assert_true(pt_graph_check(first, &error));
  g_assert_cmpuint(pt_graph_n_nodes(first), >, 10);
  for (PtNodeId i = 0; i < pt_graph_n_nodes(first); i++)
    g_assert_cmpstr(pt_node(first, i)->op_type, !=, "Constant");
  g_assert_true(pt_onnx_write(first, copy, &all_types, &error));
  g_assert_no_error(error);
  g_autoptr(PtGraph) second = read_ok(copy);
  pt_assert_same(first, second);
  /* the same graph is the same bytes, and those of write_bytes */
  g_autoptr(GBytes) one = pt_onnx_write_bytes(first, &all_types, NULL, &error);
  g_autoptr(GBytes) two = pt_onnx_write_bytes(second, &all_types, NULL, &error);
  g_autoptr(GBytes) file = pt_file_map(copy, PTRDIFF_MAX, &error);
  g_assert_true(g_bytes_equal(one, file));
  g_assert_true(g_bytes_equal(one, two));
  pt_dir_remove(folder);
}

static void test_empty_refused(gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_assert_null(pt_onnx_read(data, NULL, &error));
  g_assert_error(error, PT_ONNX_ERROR, PT_ERR_INPUT);
  g_assert_nonnull(strstr(error->message, "proteus fill"));
  g_assert_nonnull(strstr(error->message, data));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_autoptr(GPtrArray) paths = pt_corpus_paths();
  g_assert_cmpuint(paths->len, >=, 40);
  for (guint i = 0; i < paths->len; i++) {
    g_autofree char *base = g_path_get_basename(paths->pdata[i]);
    g_autofree char *name = g_strconcat("/onnx/corpus/", base, NULL);
    g_autofree char *refused = g_strconcat("/onnx/corpus-refused/", base, NULL);
    g_test_add_data_func(name, paths->pdata[i], test_round_trip);
    g_test_add_data_func(refused, paths->pdata[i], test_empty_refused);
  }
  return g_test_run();
}
