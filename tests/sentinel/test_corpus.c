/* The corpus file: every piece reads, is what its index says; damaged files are refused; building
 * is deterministic. */
#include "common.h"

#include <glib/gstdio.h>
#include <string.h>

static void test_shipped(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtCorpus) corpus = pt_corpus_open(NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(pt_corpus_size(corpus), >, 1500);
  for (uint32_t i = 0; i < pt_corpus_size(corpus); i++) {
    PtGraph *g = pt_corpus_piece(corpus, i, &error);
    g_assert_no_error(error);
    g_assert_true(g == pt_corpus_piece(corpus, i, NULL));
    PtFace face;
    g_assert_true(pt_face_of(g, &face));
    const PtFace *index = pt_corpus_face(corpus, i);
    g_assert_cmpuint(face.n_nodes, ==, index->n_nodes);
    g_assert_cmpmem(face.slot, sizeof face.slot, index->slot, sizeof index->slot);
    g_autofree PtRole *roles = pt_roles(g);
    for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
      const PtValue *value = pt_value(g, v);
      g_assert_cmpint(value->type.kind, ==, PT_TYPE_TENSOR);
      if (value->constant && roles[v] != PT_ROLE_REAL)
        g_assert_null(value->constant->data);
    }
  }
}

static void expect_refused(const char *path, const void *data, size_t size, int code) {
  g_autoptr(GError) error = NULL;
  g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
  g_assert_null(pt_corpus_open(path, &error));
  g_assert_nonnull(error);
  g_assert_cmpint(error->code, ==, code);
  g_assert_nonnull(strstr(error->message, path));
}

static void test_damaged(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = pt_dir_make_temp("corpus", &error);
  g_autofree char *path = g_build_filename(folder, "pieces.bin", NULL);
  g_autofree char *shipped =
      g_build_filename(g_getenv("PT_TEST_SOURCE"), "data", "pieces.bin", NULL);
  g_autofree char *data = NULL;
  gsize size;
  g_assert_null(pt_corpus_open(path, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  g_assert_true(g_file_get_contents(shipped, &data, &size, NULL));
  for (gsize cut = 9; cut < size; cut = cut * 3 + 1)
    expect_refused(path, data, cut, PT_ERR_INPUT);
  expect_refused(path, "a text that is no corpus", 24, PT_ERR_INPUT);
  data[8]++;
  expect_refused(path, data, size, PT_ERR_INPUT);
  data[8]--;
  data[16]++; /* one piece more than there are */
  expect_refused(path, data, size, PT_ERR_INPUT);
  pt_dir_remove(folder);
}

static void test_build(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = pt_dir_make_temp("corpus", &error);
  g_autofree char *one = g_build_filename(folder, "one.bin", NULL);
  g_autofree char *two = g_build_filename(folder, "two.bin", NULL);
  g_assert_false(pt_corpus_build(folder, NULL, one, 1, NULL, &error));
  g_assert_error(error, PT_SENTINEL_ERROR, PT_ERR_INPUT);
  g_clear_error(&error);
  g_assert_false(g_file_test(one, G_FILE_TEST_EXISTS));
  g_autofree char *model =
      g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", "resnet18.onnx", NULL);
  g_autofree char *copy = g_build_filename(folder, "a.onnx", NULL), *data = NULL, *again = NULL;
  gsize size, size_again;
  g_assert_true(g_file_get_contents(model, &data, &size, NULL));
  g_assert_true(g_file_set_contents(copy, data, (gssize)size, NULL));
  g_clear_pointer(&data, g_free);
  pt_corpus_build(folder, NULL, one, 1, NULL, &error);
  g_assert_no_error(error);
  pt_corpus_build(folder, NULL, two, 3, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(g_file_get_contents(one, &data, &size, NULL));
  g_assert_true(g_file_get_contents(two, &again, &size_again, NULL));
  g_assert_cmpmem(data, (int)size, again, (int)size_again);
  g_autoptr(PtCorpus) corpus = pt_corpus_open(one, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(pt_corpus_size(corpus), >, 8);
  const char *const exclude[] = {"b", "a", NULL}; /* all there is */
  pt_corpus_build(folder, exclude, one, 1, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(PtCorpus) none = pt_corpus_open(one, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(pt_corpus_size(none), ==, 0);
  pt_dir_remove(folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/corpus/shipped", test_shipped);
  g_test_add_func("/corpus/damaged", test_damaged);
  g_test_add_func("/corpus/build", test_build);
  return g_test_run();
}
