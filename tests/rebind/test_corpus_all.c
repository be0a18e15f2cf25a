/* Every model of the corpus, whole and in pieces, at every level. Takes a while. */
#include "corpus.h"

static void test_whole(const void *file) {
  pt_check_model(file, false, "bean");
}
static void test_pieces(const void *file) {
  pt_check_model(file, true, "bean");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_autofree char *folder = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", NULL);
  GError *error = NULL;
  g_autoptr(GPtrArray) files = pt_dir_list(folder, ".onnx", &error);
  g_assert_no_error(error);
  for (guint i = 0; i < files->len; i++) {
    g_autofree char *whole = g_strdup_printf("/rebind/whole/%s", (char *)files->pdata[i]);
    g_autofree char *pieces = g_strdup_printf("/rebind/pieces/%s", (char *)files->pdata[i]);
    g_test_add_data_func(whole, files->pdata[i], test_whole);
    g_test_add_data_func(pieces, files->pdata[i], test_pieces);
  }
  return g_test_run();
}
