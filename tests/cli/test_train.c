/* test_train.c: the generator from two models: resumed after a kill it has the same bytes, at any
 * number of threads; obfuscate takes it; what is off is refused. */
#include "base/base.h"
#include "cli_test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EPOCHS "6"
static const char *const files[] = {"pieces.bin", "topology.bin", "walk.bin", "train.json",
                                    "loss.svg"};

static void assert_same(const char *a, const char *b) {
  for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autofree char *folder_a = test_path(a), *folder_b = test_path(b);
    g_autofree char *one = g_build_filename(folder_a, files[i], NULL);
    g_autofree char *two = g_build_filename(folder_b, files[i], NULL);
    g_autofree char *x = pt_sha256_file(one, NULL), *y = pt_sha256_file(two, NULL);
    g_assert_nonnull(x);
    g_assert_cmpstr(x, ==, y);
  }
}

/* Kills a training as soon as it has a checkpoint. */
static void kill_one(void) {
  g_autofree char *state = test_path("killed/topology.state");
  pid_t pid = fork();
  if (pid == 0) {
    if (chdir(test_folder()) == 0)
      execl(g_getenv("PT_TEST_PROTEUS"), "proteus", "train", "--corpus", "models", "-o", "killed",
            "-x", "mnasnet1_0", "--epochs", EPOCHS, "-j", "1", "--quiet", NULL);
    _exit(127);
  }
  int status;
  while (!g_file_test(state, G_FILE_TEST_EXISTS)) {
    g_assert_cmpint(waitpid(pid, &status, WNOHANG), ==, 0);
    g_usleep(1000);
  }
  kill(pid, SIGKILL);
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
}

static void test_resumed(void) {
  test_add_model("resnet18.onnx");
  test_add_model("squeezenet1_1.onnx");
  test_add_model("mnasnet1_0.onnx");
  g_autoptr(Ran) whole = ran("train", "--corpus", "models", "-o", "whole", "--exclude",
                             "mnasnet1_0", "--epochs", EPOCHS, "-j", "3", "--json", NULL);
  g_assert_cmpint(whole->status, ==, 0);
  json_t *json = assert_json(whole);
  g_assert_cmpint((int)json_integer_value(json_object_get(json, "models")), ==, 2);
  g_assert_cmpint((int)json_integer_value(json_object_get(json, "resumed")), ==, 0);
  json_t *topologies = json_object_get(json, "topologies");
  g_assert_cmpuint(json_array_size(json_object_get(topologies, "learned")), ==, 6);
  g_assert_cmpuint(json_array_size(json_object_get(topologies, "unseen")), ==, 6);
  json_decref(json);
  kill_one();
  g_autoptr(Ran) rest = ran("train", "--corpus", "models", "-o", "killed", "-x", "mnasnet1_0",
                            "--epochs", EPOCHS, "--resume", "--json", NULL);
  g_assert_cmpint(rest->status, ==, 0);
  json = assert_json(rest);
  g_assert_cmpint((int)json_integer_value(json_object_get(json, "resumed")), ==, 1);
  json_decref(json);
  assert_same("whole", "killed");
  /* nothing is left to do */
  g_autoptr(Ran) again = ran("train", "--corpus", "models", "-o", "killed", "-x", "mnasnet1_0",
                             "--epochs", EPOCHS, "--resume", NULL);
  g_assert_cmpint(again->status, ==, 0);
  g_assert_nonnull(strstr(again->out, "of these 3 were there already"));
  assert_same("whole", "killed");
  /* other models */
  g_autoptr(Ran) other = ran("train", "--corpus", "models", "-o", "killed", "--resume", NULL);
  assert_refused(other, 3, "another corpus", NULL);
}

static void test_used(void) {
  g_autofree char *model =
      g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", "squeezenet1_1.onnx", NULL);
  g_autoptr(Ran) filled = ran("fill", model, "-o", "filled.onnx", NULL);
  g_assert_cmpint(filled->status, ==, 0);
  g_autoptr(Ran) good = ran("obfuscate", "filled.onnx", "--bundle", "b", "--secret", "s", "-n", "3",
                            "-k", "2", "--seed", "1", "--generator", "whole", NULL);
  g_assert_cmpint(good->status, ==, 0);
  g_autoptr(Ran) bad = ran("obfuscate", "filled.onnx", "--bundle", "c", "--secret", "t",
                           "--generator", "models", NULL);
  assert_refused(bad, 3, "pieces.bin", NULL);
}

static void test_refused(void) {
  g_autoptr(Ran) typo = ran("train", "--corpus", "models", "-o", "d", "-x", "resnet81", NULL);
  assert_refused(typo, 2, "resnet81", NULL);
  g_autoptr(Ran) none = ran("train", "--corpus", "whole", "-o", "d", NULL);
  assert_refused(none, 3, "whole", NULL);
  g_autofree char *record = test_path("killed/train.json");
  g_assert_true(g_file_set_contents(record, "{\"identity\": 3", -1, NULL));
  g_autoptr(Ran) damaged = ran("train", "--corpus", "models", "-o", "killed", "--resume", NULL);
  assert_refused(damaged, 3, "train.json", NULL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cli/train/resumed", test_resumed);
  g_test_add_func("/cli/train/used", test_used);
  g_test_add_func("/cli/train/refused", test_refused);
  int status = g_test_run();
  test_folder_remove();
  return status;
}
