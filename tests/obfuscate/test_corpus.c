/* The whole corpus: every bundle loads and tells nothing. */
#include "check.h"

#include "base/base.h"

#include <glib/gstdio.h>
#include <string.h>

static char *folder;

static void test_model(const void *name) {
  g_autofree char *model = check_fill(folder, name);
  check_model(folder, model, 0, 3, false);
  g_unlink(model);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = pt_dir_make_temp("obfuscate", NULL);
  g_autofree char *corpus = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", NULL);
  g_autoptr(GPtrArray) names = pt_dir_list(corpus, ".onnx", NULL);
  for (guint i = 0; i < names->len; i++) {
    char *name = g_ptr_array_index(names, i);
    name[strlen(name) - 5] = '\0';
    g_autofree char *path = g_strconcat("/obfuscate/corpus/", name, NULL);
    g_test_add_data_func(path, name, test_model);
  }
  int status = g_test_run();
  pt_dir_remove(folder);
  g_free(folder);
  return status;
}
