/* Forked workers: one that crashes, hangs or eats memory costs its own item only. */
#include "restore/restore_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ITEMS 12

static bool task(size_t item, double *difference, void *data, GError **error) {
  (void)data;
  *difference = (double)item;
  switch (item) {
  case 2:
    _exit(7);
  case 3:
    kill(getpid(), SIGKILL);
    break;
  case 5:
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_REFUSED, "no, %d", 5);
    return false;
  case 8:
    for (;;)
      g_usleep(1000);
  default:
    break;
  }
  return true;
}

static void test_run(gconstpointer workers) {
  PtVerdict verdicts[ITEMS] = {0};
  PtWorkerLimits limits = {"testing", 0.5, 0};
  pt_worker_run(ITEMS, GPOINTER_TO_UINT(workers), &limits, task, NULL, NULL, verdicts);
  for (size_t i = 0; i < ITEMS; i++) {
    const char *why = i == 2   ? "it ended the program that checked it (status 7)"
                      : i == 3 ? "it ended the program that checked it (signal 9)"
                      : i == 5 ? "no, 5"
                      : i == 8 ? "it took more than 0.5 s to check"
                               : "";
    g_assert_cmpstr(verdicts[i].why, ==, why);
    g_assert_true(verdicts[i].ok == (why[0] == '\0'));
    if (verdicts[i].ok)
      g_assert_cmpfloat(verdicts[i].difference, ==, (double)i);
  }
}

#if !defined(__SANITIZE_ADDRESS__)
static bool eat(size_t item, double *difference, void *data, GError **error) {
  (void)difference, (void)data, (void)error;
  void *memory = item == 1 ? malloc((size_t)1 << 30) : malloc(1 << 20);
  bool granted = memory != NULL;
  free(memory);
  if (!granted)
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_LIMIT, "no memory");
  return granted;
}

static void test_memory(void) {
  PtVerdict verdicts[3] = {0};
  PtWorkerLimits limits = {"testing", 30, (uint64_t)256 << 20};
  pt_worker_run(3, 1, &limits, eat, NULL, NULL, verdicts);
  g_assert_true(verdicts[0].ok && verdicts[2].ok);
  g_assert_false(verdicts[1].ok);
  g_assert_cmpstr(verdicts[1].why, ==, "no memory");
}
#endif

static void test_none(void) {
  PtVerdict none[1] = {0};
  PtWorkerLimits limits = {"testing", 1, 0};
  pt_worker_run(0, 4, &limits, task, NULL, NULL, none);
  g_assert_false(none[0].ok);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_data_func("/restore/worker/one", GUINT_TO_POINTER(1), test_run);
  g_test_add_data_func("/restore/worker/three", GUINT_TO_POINTER(3), test_run);
#if !defined(__SANITIZE_ADDRESS__) /* which needs the address space itself */
  g_test_add_func("/restore/worker/memory", test_memory);
#endif
  g_test_add_func("/restore/worker/none", test_none);
  return g_test_run();
}
