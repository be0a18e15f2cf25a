/* Filled corpus models run: outputs and every activation finite and of moderate size.
 * PT_FILL_ALL=1: all 44, as the slow suite does; else a few small ones. */
#include "fill/fill.h"
#include "onnx/onnx.h"
#include "runtime/runtime.h"

#include <math.h>

#ifndef PT_FILL_ALL
#define PT_FILL_ALL 0
#endif
#define MASK 1e30 /* attention masks hold the lowest float on purpose */

typedef struct Seen {
  double largest, squares;
  uint64_t count, bad;
} Seen;

static void look(const PtArray *a, Seen *seen) {
  for (size_t i = 0; i < a->count && a->dtype == PT_FLOAT; i++) {
    double x = (double)((const float *)a->data)[i];
    if (!isfinite(x) && !(isinf(x) && x < 0)) /* a mask added to a mask */
      seen->bad++;
    else if (fabs(x) < MASK) {
      seen->largest = MAX(seen->largest, fabs(x));
      seen->squares += x * x;
      seen->count++;
    }
  }
}

static void expose_activations(PtGraph *g) {
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtValue *value = pt_value(g, v);
    if (value->producer != PT_NONE && value->type.kind == PT_TYPE_TENSOR &&
        value->type.dtype == PT_FLOAT && !pt_graph_is_output(g, v))
      pt_graph_add_output(g, v);
  }
}

static void check(const char *path) {
  g_autoptr(GError) error = NULL;
  PtOnnxReadOptions read = {.allow_empty = true};
  g_autoptr(PtGraph) g = pt_onnx_read(path, &read, &error);
  g_assert_no_error(error);
  PtSeed seed;
  pt_seed_init(&seed, "1");
  double start = pt_clock();
  pt_fill(g, &seed, 0, &error);
  g_assert_no_error(error);
  double filled = pt_clock() - start;
  pt_runtime_infer_types(g, &error);
  g_assert_no_error(error);
  uint32_t n_outputs = g->outputs->len;
  expose_activations(g);
  PtSessionOptions options = {.level = PT_LEVEL_NONE, .threads = 2};
  g_autoptr(PtSession) session = pt_session_new(g, &options, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(g, &seed, 16, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) outputs = pt_session_run(session, (PtArray *const *)inputs->pdata, &error);
  g_assert_no_error(error);
  Seen all = {0}, out = {0};
  double worst = 0;
  const char *worst_name = "";
  for (uint32_t i = 0; i < outputs->len; i++) {
    Seen one = {0};
    look(outputs->pdata[i], &one);
    if (one.bad && !all.bad)
      g_test_message("%s: first not finite: %s", path, pt_session_output_name(session, i));
    all.bad += one.bad;
    if (one.largest > worst) {
      worst = one.largest;
      worst_name = pt_session_output_name(session, i);
    }
    if (i < n_outputs)
      look(outputs->pdata[i], &out);
  }
  double rms = sqrt(out.squares / (double)MAX(out.count, 1));
  g_test_message("%s: filled in %.2f s; largest activation %.3g (%s), output rms %.3g", path,
                 filled, worst, worst_name, rms);
  g_assert_cmpuint(all.bad, ==, 0);
  g_assert_cmpfloat(worst, <, 1e5);
  g_assert_cmpfloat(rms, >, 1e-4);
  g_assert_cmpfloat(rms, <, 1e3);
}

static void test_corpus(void) {
  static const char *const few[] = {"resnet18.onnx",   "squeezenet1_1.onnx", "nats_cell_a.onnx",
                                    "mnasnet1_0.onnx", "bilstm.onnx",        NULL};
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", NULL);
  g_autoptr(GPtrArray) names = pt_dir_list(folder, ".onnx", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(names->len, ==, 44);
  const char *only = g_getenv("PT_FILL_ONLY");
  for (uint32_t i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    if (only ? !strstr(name, only) : !PT_FILL_ALL && !g_strv_contains(few, name))
      continue;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    check(path);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/fill/corpus", test_corpus);
  return g_test_run();
}
