/* Outside programs: argument splitting, failures, time limits, and what they leave behind. */
#include "optimize/optimize_private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

static void expect_parse(const char *command, PtErrorCode code) {
  g_autoptr(GError) error = NULL;
  g_assert_null(pt_outside_parse(command, &error));
  g_assert_error(error, PT_OPTIMIZE_ERROR, (int)code);
}

static void test_parse(void) {
  expect_parse("cp {in}", PT_ERR_USAGE);
  expect_parse("cp {out}", PT_ERR_USAGE);
  expect_parse("cp 'a {in} {out}", PT_ERR_USAGE);
  expect_parse("", PT_ERR_USAGE);
  expect_parse("no-such-program-here {in} {out}", PT_ERR_ENVIRONMENT);
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) argv = pt_outside_parse("cp --reflink='auto' {in} x{out}", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_strv_length(argv), ==, 4);
  g_assert_cmpstr(argv[1], ==, "--reflink=auto");
}

static bool run(const char *command, const char *in, const char *out, double timeout,
                GError **error) {
  g_auto(GStrv) argv = pt_outside_parse(command, NULL);
  g_assert_nonnull(argv);
  return pt_outside_run(argv, in, out, timeout, error);
}

static void test_run(void) {
  g_autofree char *folder = pt_dir_make_temp("proteus-test", NULL);
  g_autofree char *in = g_build_filename(folder, "a b", NULL); /* no shell: spaces are harmless */
  g_autofree char *out = g_build_filename(folder, "$(x)", NULL);
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_file_write(in, 0644, "hello", 5, NULL));
  g_assert_true(run("cp {in} {out}", in, out, 10, &error));
  g_assert_no_error(error);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(out, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "hello");
  pt_dir_remove(folder);
}

static void test_failure(void) {
  g_autoptr(GError) error = NULL;
  g_assert_false(run("sh -c 'echo first >&2; echo the last words >&2; echo >&2; exit 3' {in} {out}",
                     "i", "o", 10, &error));
  g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_REFUSED);
  g_assert_cmpstr(error->message, ==, "'sh' failed with status 3: the last words");
  g_clear_error(&error);
  g_assert_false(run("sh -c 'kill -9 $$' {in} {out}", "i", "o", 10, &error));
  g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_REFUSED);
  g_assert_cmpstr(error->message, ==, "'sh' was ended by signal 9");
  g_clear_error(&error);
  /* more than a pipe holds, and not text */
  g_assert_false(
      run("sh -c 'head -c 300000 /dev/urandom >&2; echo >&2; echo end >&2; exit 1' {in} {out}", "i",
          "o", 10, &error));
  g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_REFUSED);
  g_assert_true(g_str_has_suffix(error->message, ": end"));
}

static void expect_gone(const char *path) {
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  int pid = atoi(text);
  g_assert_cmpint(pid, >, 1);
  for (int i = 0; i < 200; i++) { /* until whoever adopts it has reaped it */
    g_autofree char *stat = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *line = NULL;
    if (!g_file_get_contents(stat, &line, NULL, NULL) || strstr(line, ") Z "))
      return;
    g_usleep(10000);
  }
  g_assert_not_reached();
}

static void test_timeout(void) {
  g_autofree char *folder = pt_dir_make_temp("proteus-test", NULL);
  g_autofree char *pid = g_build_filename(folder, "pid", NULL);
  g_autoptr(GError) error = NULL;
  double start = pt_clock();
  g_assert_false(
      run("sh -c 'sleep 60 & echo $! >\"$1\"; sleep 60' sh {out} {in}", "i", pid, 0.3, &error));
  g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_LIMIT);
  g_assert_cmpfloat(pt_clock() - start, <, 10);
  expect_gone(pid);
  g_clear_error(&error);
  /* in time, but a child is left behind that keeps stderr open */
  start = pt_clock();
  g_assert_true(run("sh -c 'sleep 60 & echo $! >\"$1\"' sh {out} {in}", "i", pid, 30, &error));
  g_assert_no_error(error);
  g_assert_cmpfloat(pt_clock() - start, <, 10);
  expect_gone(pid);
  pt_dir_remove(folder);
}

static void test_target_file(void) {
  g_autofree char *folder = pt_dir_make_temp("proteus-test", NULL);
  g_autoptr(GError) error = NULL;
  PtTarget read;
  bool found = true;
  g_assert_true(pt_target_read(folder, &read, &found, &error));
  g_assert_false(found);
  PtTarget target = {"ort", "all", "native", "1.32.0", 16};
  g_assert_true(pt_target_write(&target, folder, &error));
  g_assert_true(pt_target_read(folder, &read, &found, &error));
  g_assert_true(found);
  g_assert_cmpstr(read.level, ==, "all");
  g_assert_cmpstr(read.target, ==, "native");
  g_assert_cmpstr(read.ort, ==, "1.32.0");
  g_assert_cmpint(read.block, ==, 16);
  pt_target_clear(&read);
  const char *bad[] = {"{}", "[", "{\"format\":\"proteus-optimized\",\"version\":2,\"block\":8}",
                       "{\"format\":\"proteus-optimized\",\"version\":1,\"block\":-8}",
                       "{\"format\":\"proteus-optimized\",\"version\":1,\"block\":\"8\"}"};
  g_autofree char *path = g_build_filename(folder, PT_TARGET_FILE, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_assert_true(pt_file_write(path, 0644, bad[i], strlen(bad[i]), NULL));
    g_assert_false(pt_target_read(folder, &read, &found, &error));
    g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_INPUT);
    g_clear_error(&error);
  }
  pt_dir_remove(folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/optimize/outside/parse", test_parse);
  g_test_add_func("/optimize/outside/run", test_run);
  g_test_add_func("/optimize/outside/failure", test_failure);
  g_test_add_func("/optimize/outside/timeout", test_timeout);
  g_test_add_func("/optimize/target-file", test_target_file);
  return g_test_run();
}
