/* test_audit.c: the audit as people call it: what is refused and how; one bundle as text, JSON and
 * a page; nothing of the model's own names gets out. */
#include "base/base.h"
#include "cli_test.h"

#include <string.h>
#include <sys/stat.h>

static char *corpus(const char *name) {
  return g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", name, NULL);
}

static void test_usage(void) {
  static const char *const bad[][9] = {
      {"audit", NULL},
      {"audit", "--bundle", "b", NULL},
      {"audit", "--bundle", "b", "--secret", "s", "--table", "paper", NULL},
      {"audit", "--table", "paper", "--quiz", "q.html", NULL},
      {"audit", "--table", "figure", NULL},
      {"audit", "--table", "all", "--mode", "magic", NULL},
      {"audit", "--table", "all", "-k", "0", NULL},
      {"audit", "--table", "all", "-n", "x", NULL},
      {"audit", "--table", "all", "--seeds", "0", NULL},
      {"audit", "--table", "all", "--seeds", "-5", NULL},
      {"audit", "--table", "all", "--folds", "1", NULL},
      {"audit", "--table", "all", "-j", "0", NULL},
      {"audit", "--table", "all", "--svg", "s.svg", NULL},
      {"audit", "--table", "all", "--html", "s.html", NULL},
      {"audit", "--no-such-thing", NULL},
      {"audit", "what", NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(Ran) r = ran_argv(bad[i], NULL, NULL);
    assert_refused(r, 2, NULL);
    g_assert_cmpstr(r->out, ==, "");
  }
  g_autoptr(Ran) help = ran("audit", "--help", NULL);
  g_assert_cmpint(help->status, ==, 0);
  static const char *const words[] = {"--bundle", "--table", "--quiz",  "--learn",    "--seeds",
                                      "--json",   "sweep",   "Example", "Exit status"};
  for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
    g_assert_nonnull(strstr(help->out, words[i]));
}

static void test_nothing_there(void) {
  g_autoptr(Ran) bundle = ran("audit", "--bundle", "nowhere", "--secret", "none", NULL);
  assert_refused(bundle, 3, "none", NULL);
  g_autoptr(Ran) folder = ran("audit", "--table", "paper", "--corpus", "nowhere", NULL);
  assert_refused(folder, 3, "nowhere", NULL);
  g_autofree char *empty = test_path("empty");
  g_assert_true(pt_dir_make(empty, NULL));
  g_autoptr(Ran) none = ran("audit", "--quiz", "q.html", "--corpus", "empty", "--json", NULL);
  g_assert_cmpint(none->status, ==, 3);
  json_t *json = assert_json(none);
  g_assert_nonnull(json_object_get(json, "error"));
  json_decref(json);
}

/* ---- one bundle ------------------------------------------------------------------------------ */
static void hide(const char *bundle, const char *secret) {
  g_autofree char *model = test_path("m.onnx"), *skeleton = corpus("squeezenet1_1.onnx");
  if (!g_file_test(model, G_FILE_TEST_EXISTS)) {
    g_autoptr(Ran) fill = ran("fill", skeleton, "-o", "m.onnx", NULL);
    g_assert_cmpint(fill->status, ==, 0);
  }
  g_autoptr(Ran) r = ran("obfuscate", "m.onnx", "--bundle", bundle, "--secret", secret, "-n", "3",
                         "-k", "3", "--steps", "60", "--seed", bundle, NULL);
  g_assert_cmpint(r->status, ==, 0);
}

static double real_of(const json_t *o, const char *key) {
  const json_t *value = json_object_get(o, key);
  g_assert_true(json_is_number(value));
  return json_number_value(value);
}

/* Names of the model's nodes and tensors, as its file has them. */
static void no_names(const char *text) {
  static const char *const names[] = {"features.0",   "squeeze",   "expand1x1",
                                      "classifier.1", "/features", "/classifier"};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_null(strstr(text, names[i]));
}

static void test_bundle(void) {
  hide("bundle", "secret");
  g_autoptr(Ran) r =
      ran("audit", "--bundle", "bundle", "--secret", "secret", "--html", "a.html", "--json", NULL);
  g_assert_cmpint(r->status, ==, 0);
  g_assert_cmpstr(r->err, ==, "");
  json_t *json = assert_json(r);
  const json_t *adversaries = json_object_get(json, "adversaries"),
               *buckets = json_object_get(json, "buckets");
  g_assert_cmpuint(json_array_size(adversaries), >, 15);
  for (size_t i = 0; i < json_array_size(adversaries); i++) {
    const json_t *one = json_array_get(adversaries, i);
    g_assert_true(json_is_string(json_object_get(one, "adversary")));
    double kept = real_of(one, "kept"), area = real_of(one, "area");
    g_assert_true(kept >= 0 && kept <= 1 && area >= 0 && area <= 1);
  }
  g_assert_cmpuint(json_array_size(buckets), >=, 1);
  for (size_t i = 0; i < json_array_size(buckets); i++) {
    const json_t *one = json_array_get(buckets, i);
    g_autofree char *file =
        g_strdup_printf("bundle/%s.onnx", json_string_value(json_object_get(one, "real")));
    g_autofree char *path = test_path(file);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_cmpuint(json_array_size(json_object_get(one, "why")), >=, 1);
  }
  g_assert_true(json_is_string(json_object_get(json, "most_dangerous")));
  g_assert_true(json_is_string(json_object_get(json, "advice")));
  json_decref(json);
  no_names(r->out);

  g_autofree char *path = test_path("a.html"), *page = NULL;
  struct stat info;
  g_assert_true(g_file_get_contents(path, &page, NULL, NULL));
  g_assert_cmpint(stat(path, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
  g_assert_nonnull(strstr(page, "Audit of bundle"));
  g_assert_null(strstr(page, test_folder())); /* nor paths */
  no_names(page);
  g_autofree char *dot = g_find_program_in_path("dot");
  g_assert_nonnull(strstr(page, dot ? ", sentinel</text>" : "No pictures"));

  g_autoptr(Ran) again = ran("audit", "--bundle", "bundle", "--secret", "secret", "--model",
                             "somewhere/mine.onnx", "-j", "1", NULL);
  g_assert_cmpint(again->status, ==, 0);
  g_assert_nonnull(strstr(again->out, "The most dangerous is"));
  g_assert_nonnull(strstr(again->out, "Weakest buckets"));
  no_names(again->out);
}

static void test_refused(void) {
  hide("bundle2", "secret2");
  g_autoptr(Ran) other = ran("audit", "--bundle", "bundle", "--secret", "secret2", NULL);
  assert_refused(other, 3, "secret2", NULL);
  g_autofree char *damaged = test_path("damaged.bin"), *shipped = NULL;
  g_autofree char *source = g_build_filename(g_getenv("PT_TEST_SOURCE"), "data", "audit.bin", NULL);
  gsize size;
  g_assert_true(g_file_get_contents(source, &shipped, &size, NULL));
  g_assert_true(g_file_set_contents(damaged, shipped, (gssize)size / 2, NULL));
  g_autoptr(Ran) half = ran("audit", "--bundle", "bundle", "--secret", "secret", "--adversaries",
                            "damaged.bin", NULL);
  assert_refused(half, 3, "damaged.bin", NULL);
  g_autoptr(Ran) full =
      ran("audit", "--bundle", "bundle", "--secret", "secret", "--html", "nowhere/a.html", NULL);
  assert_refused(full, 3, "nowhere", NULL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cli/audit/usage", test_usage);
  g_test_add_func("/cli/audit/nothing-there", test_nothing_there);
  g_test_add_func("/cli/audit/bundle", test_bundle);
  g_test_add_func("/cli/audit/refused", test_refused);
  int status = g_test_run();
  test_folder_remove();
  return status;
}
