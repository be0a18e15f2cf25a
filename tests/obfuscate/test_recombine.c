/* One candidate a bucket, drawn at random and put together as the real model is: it loads, and it
 * runs. So nothing can be excluded by trying what fits what. */
#include "check.h"
#include "recombine.h"

#include "base/base.h"
#include "onnx/onnx.h"

#include <glib/gstdio.h>

#define DRAWS 4

static char *folder;

/* As a file wants it, which onnx.checker looks at. */
static void check_order(const PtGraph *g) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++)
    for (uint32_t k = 0; k < pt_node(g, i)->n_inputs; k++) {
      PtValueId v = pt_node(g, i)->inputs[k];
      PtNodeId from = v == PT_NONE ? PT_NONE : pt_value(g, v)->producer;
      g_assert_true(from == PT_NONE || from < i);
    }
}

static void check_draws(const char *path, const char *mode, uint32_t n) {
  g_autofree char *bundle = g_build_filename(folder, "bundle", NULL),
                  *secret_path = g_build_filename(folder, "secret", NULL);
  const PtObfuscateOptions options = {.model = path,
                                      .bundle = bundle,
                                      .secret = secret_path,
                                      .n = n,
                                      .k = 3,
                                      .seed = "7",
                                      .mode = mode};
  PtObfuscateReport report;
  GError *error = NULL;
  pt_obfuscate(&options, &report, &error);
  g_assert_no_error(error);
  g_autoptr(PtSecret) secret = pt_secret_read(secret_path, &error);
  g_assert_no_error(error);
  g_autoptr(PtGraph) model = pt_onnx_read(path, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(pt_runtime_infer_types(model, &error));
  g_assert_true(pt_runtime_fold(model, &error));
  PtSeed seed;
  pt_seed_init(&seed, "recombine");
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(model, &seed, 2, &error);
  g_assert_no_error(error);
  const PtRecombination of = {model, bundle, secret};
  g_autofree uint32_t *choice = g_new(uint32_t, secret->buckets->len + 1);
  for (uint32_t i = 0; i < DRAWS; i++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "choice", i);
    pt_recombine_draw(secret, rng, choice);
    g_autoptr(PtGraph) graph = pt_recombine(&of, choice, &error);
    g_assert_no_error(error);
    check_order(graph);
    PtLevel level = i % 2 ? PT_LEVEL_ALL : PT_LEVEL_NONE;
    PtRecombined found = pt_recombine_try(&of, graph, level, inputs, &error);
    g_assert_no_error(error);
    g_assert_true(found.loads && found.runs && found.finite);
  }
  pt_dir_remove(bundle);
  g_unlink(secret_path);
}

static void test_model(const void *name) {
  g_autofree char *model = check_fill(folder, name);
  check_draws(model, NULL, 0);
  check_draws(model, "modify", 4);
  g_unlink(model);
}

#ifndef RECOMBINE_MODELS
#define RECOMBINE_MODELS "squeezenet1_1", "nats_cell_a"
#endif

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = pt_dir_make_temp("recombine", NULL);
  static const char *const models[] = {RECOMBINE_MODELS};
  for (size_t i = 0; i < G_N_ELEMENTS(models); i++) {
    g_autofree char *path = g_strconcat("/obfuscate/recombine/", models[i], NULL);
    g_test_add_data_func(path, models[i], test_model);
  }
  int status = g_test_run();
  pt_dir_remove(folder);
  g_free(folder);
  return status;
}
