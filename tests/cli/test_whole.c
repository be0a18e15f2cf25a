/* test_whole.c: the commands after one another on a real model, their JSON, and what an interrupt
 * leaves. */
#include "base/base.h"
#include "cli_test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *corpus(const char *name) {
  const char *source = g_getenv("PT_TEST_SOURCE");
  g_assert_nonnull(source);
  return g_build_filename(source, "corpus", name, NULL);
}

/* squeezenet.onnx in the folder. */
static void fill(void) {
  g_autofree char *model = test_path("squeezenet.onnx"), *skeleton = corpus("squeezenet1_1.onnx");
  if (g_file_test(model, G_FILE_TEST_EXISTS))
    return;
  g_autoptr(Ran) r = ran("fill", skeleton, "-o", "squeezenet.onnx", "--json", NULL);
  g_assert_cmpint(r->status, ==, 0);
  json_t *json = assert_json(r);
  g_assert_cmpint((int)json_integer_value(json_object_get(json, "bytes")), >, 4000000);
  json_decref(json);
}

static int number(const json_t *json, const char *key) {
  const json_t *value = json_object_get(json, key);
  g_assert_true(json_is_integer(value));
  return (int)json_integer_value(value);
}

static void test_steps(void) {
  fill();
  g_autoptr(Ran) a = ran("obfuscate", "squeezenet.onnx", "--bundle", "bundle", "--secret", "secret",
                         "-k", "0", "-n", "5", "--seed", "7", "--json", NULL);
  g_assert_cmpint(a->status, ==, 0);
  g_assert_cmpstr(a->err, ==, "");
  json_t *json = assert_json(a);
  g_assert_cmpint(number(json, "pieces"), ==, 5);
  g_assert_cmpint(number(json, "missing"), ==, 0);
  int candidates = number(json, "candidates"), nodes = number(json, "nodes");
  json_decref(json);

  struct stat info;
  g_autofree char *secret = test_path("secret");
  g_assert_cmpint(stat(secret, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0600);

  g_autoptr(Ran) b = ran("optimize", "bundle", "--out", "answers", "--json", "-j", "2", NULL);
  g_assert_cmpint(b->status, ==, 0);
  json = assert_json(b);
  g_assert_cmpint(number(json, "done"), ==, candidates);
  g_assert_cmpuint(json_array_size(json_object_get(json, "failures")), ==, 0);
  json_decref(json);

  g_autoptr(Ran) c = ran("deobfuscate", "answers", "--secret", "secret", "--model",
                         "squeezenet.onnx", "-o", "fast.onnx", "--json", NULL);
  g_assert_cmpint(c->status, ==, 0);
  json = assert_json(c);
  g_assert_cmpint(number(json, "pieces"), ==, 5);
  g_assert_cmpint(number(json, "optimized"), ==, 5);
  g_assert_cmpint(number(json, "nodes_before"), ==, nodes);
  g_assert_cmpint(number(json, "nodes_after"), <, nodes);
  g_assert_cmpuint(json_array_size(json_object_get(json, "fallbacks")), ==, 0);
  json_decref(json);

  g_autoptr(Ran) d = ran("verify", "squeezenet.onnx", "fast.onnx", "--runs", "2", "--json", NULL);
  g_assert_cmpint(d->status, ==, 0);
  json = assert_json(d);
  g_assert_true(json_is_true(json_object_get(json, "equal")));
  g_assert_cmpint(number(json, "runs"), ==, 2);
  json_decref(json);

  g_autoptr(Ran) e =
      ran("bench", "squeezenet.onnx", "fast.onnx", "--iterations", "2", "--twice", "--json", NULL);
  g_assert_cmpint(e->status, ==, 0);
  json = assert_json(e);
  g_assert_cmpuint(json_array_size(json_object_get(json, "rows")), ==, 4);
  g_assert_true(json_is_real(json_object_get(json, "slowdown")));
  json_decref(json);

  static const char *const things[][2] = {{"squeezenet.onnx", "model"},
                                          {"bundle", "bundle"},
                                          {"answers", "answers"},
                                          {"secret", "secret"},
                                          {"fast.onnx", "model"}};
  for (size_t i = 0; i < G_N_ELEMENTS(things); i++) {
    g_autoptr(Ran) r = ran("inspect", things[i][0], "--json", NULL);
    g_assert_cmpint(r->status, ==, 0);
    json = assert_json(r);
    g_assert_cmpstr(json_string_value(json_object_get(json, "kind")), ==, things[i][1]);
    json_decref(json);
    g_autoptr(Ran) text = ran("inspect", things[i][0], NULL);
    g_assert_true(g_str_has_prefix(text->out, things[i][1]));
  }
}

/* Results for people name the files and say what to type next. */
static void test_text(void) {
  fill();
  g_autoptr(Ran) a =
      ran("obfuscate", "squeezenet.onnx", "--bundle", "b", "--secret", "s", "-k", "0", NULL);
  g_assert_nonnull(strstr(a->out, "proteus optimize b --out"));
  g_autoptr(Ran) b = ran("optimize", "b", "--out", "a", NULL);
  g_assert_nonnull(strstr(b->out, "proteus deobfuscate a --secret"));
  g_autoptr(Ran) c =
      ran("deobfuscate", "a", "--secret", "s", "--model", "squeezenet.onnx", "-o", "o.onnx", NULL);
  g_assert_nonnull(strstr(c->out, "proteus bench squeezenet.onnx o.onnx"));
  g_autoptr(Ran) d = ran("verify", "squeezenet.onnx", "o.onnx", NULL);
  g_assert_true(g_str_has_prefix(d->out, "equal"));
  g_autoptr(Ran) e = ran("bench", "squeezenet.onnx", "o.onnx", "--iterations", "1", NULL);
  g_assert_nonnull(strstr(e->out, "best attainable"));
  g_assert_nonnull(strstr(e->out, "slowdown"));
}

static void test_same_bytes(void) {
  fill();
  g_autofree char *first = NULL, *second = NULL;
  for (int i = 0; i < 2; i++) {
    g_autoptr(Ran) r = ran("obfuscate", "squeezenet.onnx", "--bundle", i ? "t1" : "t0", "--secret",
                           i ? "u1" : "u0", "-k", "0", "--seed", "same", "--quiet", NULL);
    g_assert_cmpint(r->status, ==, 0);
    g_assert_cmpstr(r->out, ==, "");
    g_assert_cmpstr(r->err, ==, "");
  }
  g_autofree char *a = g_build_filename(test_folder(), "t0", "manifest.json", NULL);
  g_autofree char *b = g_build_filename(test_folder(), "t1", "manifest.json", NULL);
  g_assert_true(g_file_get_contents(a, &first, NULL, NULL));
  g_assert_true(g_file_get_contents(b, &second, NULL, NULL));
  g_assert_cmpstr(first, ==, second); /* it has the sha256 of every candidate */
}

static void test_run(void) {
  fill();
  g_autoptr(Ran) r = ran("run", "squeezenet.onnx", "-o", "run.onnx", "-k", "0", "-n", "auto",
                         "--target", "native", "--keep", "kept", "--json", NULL);
  g_assert_cmpint(r->status, ==, 0);
  json_t *json = assert_json(r);
  const json_t *verify = json_object_get(json, "verify");
  g_assert_true(json_is_true(json_object_get(verify, "equal")));
  const json_t *whole = json_object_get(json, "deobfuscate");
  g_assert_cmpint(number(whole, "optimized"), ==, number(whole, "pieces"));
  json_decref(json);
  g_autofree char *kept = test_path("kept");
  g_assert_cmpuint(test_count_files(kept), ==, 3);
  /* what was kept is not written over */
  g_autoptr(Ran) again =
      ran("run", "squeezenet.onnx", "-o", "run.onnx", "-k", "0", "--keep", "kept", NULL);
  assert_refused(again, 3, "kept", NULL);
  g_assert_cmpuint(test_count_files(kept), ==, 3);
  g_autoptr(Ran) text = ran("run", "squeezenet.onnx", "-o", "run.onnx", "-k", "0", NULL);
  g_assert_cmpint(text->status, ==, 0);
  g_assert_nonnull(strstr(text->out, "verified"));
  g_assert_nonnull(strstr(text->out, "proteus bench squeezenet.onnx run.onnx"));
}

static void test_differs(void) {
  fill();
  g_autofree char *skeleton = corpus("squeezenet1_1.onnx");
  g_autoptr(Ran) f = ran("fill", skeleton, "-o", "seeded.onnx", "--seed", "another", "-q", NULL);
  g_assert_cmpint(f->status, ==, 0);
  g_autoptr(Ran) r = ran("verify", "squeezenet.onnx", "seeded.onnx", "--json", NULL);
  g_assert_cmpint(r->status, ==, 1);
  json_t *json = assert_json(r);
  g_assert_true(json_is_false(json_object_get(json, "equal")));
  json_decref(json);
  g_autoptr(Ran) wide = ran("verify", "squeezenet.onnx", "seeded.onnx", "--tolerance", "1e9", NULL);
  g_assert_cmpint(wide->status, ==, 0);
}

/* ---- interrupts ---- */
static GPid start(const char *const *arguments, const char *temporary) {
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_ptr_array_add(argv, (gpointer)g_getenv("PT_TEST_PROTEUS"));
  for (size_t i = 0; arguments[i]; i++)
    g_ptr_array_add(argv, (gpointer)arguments[i]);
  g_ptr_array_add(argv, NULL);
  g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "TMPDIR", temporary, TRUE);
  GPid pid = 0;
  GError *error = NULL;
  g_spawn_async(test_folder(), (char **)argv->pdata, environment,
                G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &pid, &error);
  g_assert_no_error(error);
  return pid;
}

/* Interrupts once a name with this prefix is there; true if the process was still running. */
static bool interrupt_when(GPid pid, const char *folder, const char *prefix, int number_) {
  int status = 0;
  for (double begun = pt_clock(); pt_clock() - begun < 60;) {
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
      if (g_str_has_prefix(name, prefix)) {
        kill(pid, number_);
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        if (WIFEXITED(status)) {
          g_assert_cmpint(WEXITSTATUS(status), ==, 0); /* it was done already */
          return false;
        }
        g_assert_cmpint(WTERMSIG(status), ==, number_);
        return true;
      }
    if (waitpid(pid, &status, WNOHANG) == pid)
      return false;
    g_usleep(200);
  }
  g_assert_not_reached();
}

static void test_interrupt_file(void) {
  g_autofree char *skeleton = corpus("gpt2.onnx");
  g_autofree char *folder = test_path("interrupted");
  g_assert_true(pt_dir_make(folder, NULL));
  const char *const arguments[] = {"fill", skeleton, "-o", "interrupted/gpt2.onnx", NULL};
  static const int signals[] = {SIGINT, SIGTERM};
  for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
    bool hit = interrupt_when(start(arguments, folder), folder, "gpt2.onnx.", signals[i]);
    g_test_message("%s", hit ? "interrupted" : "was done before");
    g_assert_cmpuint(test_count_files(folder), ==, hit ? 0 : 1);
    g_autofree char *made = g_build_filename(folder, "gpt2.onnx", NULL);
    remove(made);
  }
}

static void test_interrupt_folders(void) {
  fill();
  g_autofree char *folder = test_path("temporary"), *out = test_path("never.onnx");
  g_autofree char *bundle = test_path("never");
  g_assert_true(pt_dir_make(folder, NULL));
  const char *const run[] = {"run", "squeezenet.onnx", "-o", "never.onnx", "-k", "0", NULL};
  if (interrupt_when(start(run, folder), folder, "proteus-run", SIGINT))
    g_assert_false(g_file_test(out, G_FILE_TEST_EXISTS));
  g_assert_cmpuint(test_count_files(folder), ==, 0);
  const char *const obfuscate[] = {"obfuscate", "squeezenet.onnx", "--bundle", "never",
                                   "--secret",  "never.secret",    "-k",       "0",
                                   NULL};
  if (interrupt_when(start(obfuscate, folder), test_folder(), "never", SIGINT))
    g_assert_false(g_file_test(bundle, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cli/whole/steps", test_steps);
  g_test_add_func("/cli/whole/text", test_text);
  g_test_add_func("/cli/whole/same-bytes", test_same_bytes);
  g_test_add_func("/cli/whole/run", test_run);
  g_test_add_func("/cli/whole/differs", test_differs);
  g_test_add_func("/cli/whole/interrupt-file", test_interrupt_file);
  g_test_add_func("/cli/whole/interrupt-folders", test_interrupt_folders);
  int status = g_test_run();
  test_folder_remove();
  return status;
}
