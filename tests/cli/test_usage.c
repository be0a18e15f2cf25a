/* test_usage.c: help, options and exit statuses; needs no model. */
#include "cli_test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *const commands[] = {"obfuscate", "optimize", "deobfuscate", "run",  "verify",
                                       "bench",     "fill",     "inspect",     "train"};

static void test_overview(void) {
  static const char *const ways[] = {"--help", "-h", "help"};
  for (size_t w = 0; w < G_N_ELEMENTS(ways); w++) {
    g_autoptr(Ran) r = ran(ways[w], NULL);
    g_assert_cmpint(r->status, ==, 0);
    g_assert_cmpstr(r->err, ==, "");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
      g_assert_nonnull(strstr(r->out, commands[i]));
    g_assert_nonnull(strstr(r->out, "Exit status"));
  }
  g_autoptr(Ran) none = ran(NULL, NULL);
  g_assert_cmpint(none->status, ==, 2);
  g_assert_cmpstr(none->out, ==, "");
  g_assert_nonnull(strstr(none->err, "proteus obfuscate"));
}

static void test_help(void) {
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
    g_autoptr(Ran) a = ran("help", commands[i], NULL);
    g_autoptr(Ran) b = ran(commands[i], "--help", NULL);
    g_assert_cmpint(a->status, ==, 0);
    g_assert_cmpint(b->status, ==, 0);
    g_assert_cmpstr(a->out, ==, b->out);
    g_assert_nonnull(strstr(a->out, "Example"));
    g_assert_nonnull(strstr(a->out, "Exit status: 0"));
    g_assert_nonnull(strstr(a->out, "--json"));
    g_autofree char *use = g_strdup_printf("Usage: proteus %s ", commands[i]);
    g_assert_true(g_str_has_prefix(a->out, use));
    g_auto(GStrv) lines = g_strsplit(a->out, "\n", 0);
    for (size_t j = 0; lines[j]; j++)
      g_assert_cmpuint(strlen(lines[j]), <=, 110);
  }
}

static void test_version(void) {
  g_autoptr(Ran) r = ran("--version", NULL);
  g_assert_cmpint(r->status, ==, 0);
  g_assert_true(g_str_has_prefix(r->out, "proteus "));
  g_autoptr(Ran) j = ran("--version", "--json", NULL);
  json_t *json = assert_json(j);
  g_assert_true(json_is_string(json_object_get(json, "version")));
  json_decref(json);
}

static void test_did_you_mean(void) {
  static const char *const typed[][2] = {
      {"obfuscat", "'obfuscate'"},     {"optimise", "'optimize'"},
      {"verfiy", "'verify'"},          {"rnu", "'run'"},
      {"deobfuscte", "'deobfuscate'"}, {"inspct", "'inspect'"}};
  for (size_t i = 0; i < G_N_ELEMENTS(typed); i++) {
    g_autoptr(Ran) r = ran(typed[i][0], NULL);
    assert_refused(r, 2, "did you mean", typed[i][1], NULL);
  }
  g_autoptr(Ran) far = ran("xyzzy", NULL);
  assert_refused(far, 2, "no command 'xyzzy'", NULL);
  g_assert_null(strstr(far->err, "did you mean"));
  g_autoptr(Ran) help = ran("help", "benhc", NULL);
  assert_refused(help, 2, "'bench'", NULL);
}

static void test_bad_use(void) {
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
    g_autoptr(Ran) unknown = ran(commands[i], "--no-such-thing", NULL);
    assert_refused(unknown, 2, "no-such-thing", commands[i], NULL);
    g_autoptr(Ran) bare = ran(commands[i], NULL);
    assert_refused(bare, 2, commands[i], NULL);
    g_autoptr(Ran) many = ran(commands[i], "a", "b", "c", NULL);
    assert_refused(many, 2, commands[i], NULL);
  }
  static const char *const bad[][12] = {
      {"obfuscate", "m.onnx", "--bundle", "b", NULL},
      {"obfuscate", "m.onnx", "--secret", "s", NULL},
      {"obfuscate", "m.onnx", "--bundle", "b", "--secret", "s", "-n", "0", NULL},
      {"obfuscate", "m.onnx", "--bundle", "b", "--secret", "s", "-n", "4x", NULL},
      {"obfuscate", "m.onnx", "--bundle", "b", "--secret", "s", "-k", "-1", NULL},
      {"obfuscate", "m.onnx", "--bundle", "b", "--secret", "s", "-k", "99999999999999999999", NULL},
      {"obfuscate", "m.onnx", "--bundle", "b", "--secret", "s", "--mode", "magic", NULL},
      {"obfuscate", "m.onnx", "--bundle", "b", "--secret", "b/s", NULL},
      {"obfuscate", "m.onnx", "--bundle", "b", "--secret", "b", NULL},
      {"optimize", "b", NULL},
      {"optimize", "b", "--out", "o", "--level", "99", NULL},
      {"optimize", "b", "--out", "o", "--target", "gpu", NULL},
      {"optimize", "b", "--out", "o", "--shard", "3/2", NULL},
      {"optimize", "b", "--out", "o", "--shard", "0/2", NULL},
      {"optimize", "b", "--out", "o", "--shard", "1/2/3", NULL},
      {"optimize", "b", "--out", "o", "--with", "onnxslim", NULL},
      {"optimize", "b", "--out", "o", "--timeout", "nan", NULL},
      {"optimize", "b", "--out", "o", "-j", "0", NULL},
      {"deobfuscate", "o", "--secret", "s", "--model", "m", NULL},
      {"deobfuscate", "o", "--secret", "s", "-o", "r", NULL},
      {"deobfuscate", "o", "--model", "m", "-o", "r", NULL},
      {"deobfuscate", "o", "--secret", "s", "--model", "m", "-o", "./m", NULL},
      {"deobfuscate", "o", "--secret", "s", "--model", "m", "-o", "r", "--tolerance", "-1", NULL},
      {"run", "m", NULL},
      {"run", "m", "-o", "m", NULL},
      {"verify", "a", "b", "--runs", "0", NULL},
      {"verify", "a", NULL},
      {"bench", "a", "--iterations", "many", NULL},
      {"fill", "a", NULL},
      {"inspect", "b", "--secret", "s", NULL},
      {"inspect", "b", "--blind", NULL},
      {"inspect", "b", "--sentinels", "--secret", "s", NULL},
      {"inspect", "b", "--sentinels", "-o", "p.svg", NULL},
      {"inspect", "b", "--sentinels", "--secret", "s", "-o", "p.svg", "--bucket", "0", NULL},
      {"inspect", "b", "--sentinels", "--secret", "s", "-o", "p.jpg", NULL},
      {"train", "--corpus", "c", NULL},
      {"train", "-o", "c", NULL},
      {"train", "--corpus", "c", "-o", "d", "--epochs", "0", NULL},
      {"verify", "a", "b", "--seed", NULL},
      {"--json", "verify", "a", "b", NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(Ran) r = ran_argv(bad[i], NULL, NULL);
    assert_refused(r, 2, NULL);
    if (strcmp(bad[i][0], "--json") != 0)
      g_assert_cmpstr(r->out, ==, "");
  }
  g_assert_cmpuint(test_count_files(test_folder()), ==, 0);
}

/* Errors are said in JSON, too, in whatever place the option stands. */
static void test_json_errors(void) {
  static const char *const bad[][5] = {{"verify", "--json", "a", NULL},
                                       {"verify", "a", "--json", "--no-such-thing", NULL},
                                       {"inspcet", "--json", NULL}};
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(Ran) r = ran_argv(bad[i], NULL, NULL);
    assert_refused(r, 2, NULL);
    json_t *json = assert_json(r);
    json_t *error = json_object_get(json, "error");
    g_assert_cmpstr(json_string_value(json_object_get(error, "code")), ==, "usage");
    g_assert_cmpint((int)json_integer_value(json_object_get(error, "exit")), ==, 2);
    const char *message = json_string_value(json_object_get(error, "message"));
    g_assert_nonnull(message);
    g_assert_nonnull(strstr(r->err, message));
    json_decref(json);
  }
}

static void to_full_device(gpointer data) {
  (void)data;
  int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (fd >= 0)
    dup2(fd, STDOUT_FILENO);
}

static void test_stdout_full(void) {
  static const char *const arguments[] = {"--version", NULL};
  g_autoptr(Ran) r = ran_argv(arguments, to_full_device, NULL);
  assert_refused(r, 3, "standard output", NULL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cli/overview", test_overview);
  g_test_add_func("/cli/help", test_help);
  g_test_add_func("/cli/version", test_version);
  g_test_add_func("/cli/did-you-mean", test_did_you_mean);
  g_test_add_func("/cli/bad-use", test_bad_use);
  g_test_add_func("/cli/json-errors", test_json_errors);
  g_test_add_func("/cli/stdout-full", test_stdout_full);
  int status = g_test_run();
  test_folder_remove();
  return status;
}
