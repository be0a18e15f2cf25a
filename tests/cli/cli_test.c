/* cli_test.c: runs the built executable and looks at what it says. */
#include "cli_test.h"
#include "base/base.h"

#include <string.h>
#include <sys/wait.h>

static char *folder;

const char *test_folder(void) {
  if (!folder) {
    GError *error = NULL;
    folder = pt_dir_make_temp("proteus-test", &error);
    g_assert_no_error(error);
  }
  return folder;
}

void test_folder_remove(void) {
  if (folder)
    pt_dir_remove(folder);
  g_clear_pointer(&folder, g_free);
}

char *test_path(const char *name) {
  return g_build_filename(test_folder(), name, NULL);
}

void test_add_model(const char *name) {
  g_autofree char *from = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", name, NULL);
  g_autofree char *models = test_path("models"), *to = g_build_filename(models, name, NULL);
  g_autofree char *data = NULL;
  gsize size;
  g_assert_true(pt_dir_make(models, NULL));
  g_assert_true(g_file_get_contents(from, &data, &size, NULL));
  g_assert_true(g_file_set_contents(to, data, (gssize)size, NULL));
}

guint test_count_files(const char *path) {
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  guint count = 0;
  while (dir && g_dir_read_name(dir))
    count++;
  return count;
}

Ran *ran_argv(const char *const *arguments, GSpawnChildSetupFunc setup, gpointer data) {
  const char *proteus = g_getenv("PT_TEST_PROTEUS");
  g_assert_nonnull(proteus);
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_ptr_array_add(argv, (gpointer)proteus);
  for (size_t i = 0; arguments[i]; i++)
    g_ptr_array_add(argv, (gpointer)arguments[i]);
  g_ptr_array_add(argv, NULL);
  Ran *r = g_new0(Ran, 1);
  GError *error = NULL;
  int status = 0;
  g_spawn_sync(test_folder(), (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, setup, data, &r->out,
               &r->err, &status, &error);
  g_assert_no_error(error);
  r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  g_test_message("%s %s: %d: %s", arguments[0], arguments[0] ? arguments[1] : "", r->status,
                 r->err);
  return r;
}

Ran *ran(const char *first, ...) {
  g_autoptr(GPtrArray) arguments = g_ptr_array_new();
  va_list list;
  va_start(list, first);
  for (const char *a = first; a; a = va_arg(list, const char *))
    g_ptr_array_add(arguments, (gpointer)a);
  va_end(list);
  g_ptr_array_add(arguments, NULL);
  return ran_argv((const char *const *)arguments->pdata, NULL, NULL);
}

void ran_free(Ran *r) {
  if (!r)
    return;
  g_free(r->out);
  g_free(r->err);
  g_free(r);
}

void assert_refused(const Ran *r, int status, ...) {
  g_assert_cmpint(r->status, ==, status);
  g_assert_true(g_str_has_prefix(r->err, "proteus: "));
  g_assert_true(g_str_has_suffix(r->err, "\n"));
  g_assert_true(strchr(r->err, '\n') == r->err + strlen(r->err) - 1);
  va_list words;
  va_start(words, status);
  for (const char *word = va_arg(words, const char *); word; word = va_arg(words, const char *))
    if (!strstr(r->err, word))
      g_error("'%s' is not in: %s", word, r->err);
  va_end(words);
}

json_t *assert_json(const Ran *r) {
  json_error_t problem;
  json_t *json = json_loads(r->out, 0, &problem);
  if (!json_is_object(json))
    g_error("no JSON object: %s: %s", problem.text, r->out);
  return json;
}
