/* The whole way on real models: fill, obfuscate, optimize, deobfuscate, verify; no piece falls
 * back. */
#include "onnx/onnx.h"
#include "optimize/optimize.h"
#include "places.h"
#include "restore/restore_private.h"

#include <string.h>

typedef struct Way {
  const char *model, *level, *target;
  uint32_t n;
  bool dense; /* answers as a bare loop over the files gives them: weights and all */
} Way;

typedef struct Paths {
  char *folder, *skeleton, *model, *bundle, *secret, *answers, *out;
} Paths;

static void paths_init(Paths *p, const char *model) {
  const char *source = g_getenv("PT_TEST_SOURCE");
  g_autoptr(GError) error = NULL;
  p->folder = pt_dir_make_temp("proteus-way", &error);
  g_assert_no_error(error);
  g_autofree char *file = g_strconcat(model, ".onnx", NULL);
  p->skeleton = g_build_filename(source ? source : PT_SOURCE_DIR, "corpus", file, NULL);
  p->model = g_build_filename(p->folder, "model.onnx", NULL);
  p->bundle = g_build_filename(p->folder, "bundle", NULL);
  p->secret = g_build_filename(p->folder, "model.secret", NULL);
  p->answers = g_build_filename(p->folder, "optimized", NULL);
  p->out = g_build_filename(p->folder, "out.onnx", NULL);
}

static void paths_clear(Paths *p) {
  pt_dir_remove(p->folder);
  g_free(p->folder);
  g_free(p->skeleton);
  g_free(p->model);
  g_free(p->bundle);
  g_free(p->secret);
  g_free(p->answers);
  g_free(p->out);
}

static void obfuscate(const Paths *p, uint32_t n) {
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_fill_file(p->skeleton, p->model, "1", 0, &error));
  PtObfuscateOptions options = {
      .model = p->model, .bundle = p->bundle, .secret = p->secret, .n = n, .seed = "1"};
  options.k = n == 1 ? 0 : 2;
  PtObfuscateReport report;
  pt_obfuscate(&options, &report, &error);
  g_assert_no_error(error);
}

static void optimize(const Paths *p, const Way *way) {
  g_autoptr(GError) error = NULL;
  PtOptimizeOptions options = {
      .bundle = p->bundle, .out = p->answers, .level = way->level, .target = way->target};
  PtOptimizeReport report;
  pt_optimize(&options, &report, &error);
  g_assert_no_error(error);
  for (guint i = 0; i < report.failures->len; i++)
    g_test_message("%s", ((PtFailure *)g_ptr_array_index(report.failures, i))->why);
  g_assert_cmpuint(report.failed, ==, 0);
  g_assert_cmpuint(report.bytes, <, 65536 * (uint64_t)report.candidates);
  pt_optimize_report_clear(&report);
}

/* What people do who have no Proteus: load each file, save it optimized. */
static void optimize_dense(const Paths *p) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtManifest) manifest = pt_manifest_read(p->bundle, &error);
  g_assert_no_error(error);
  g_assert_true(pt_dir_make(p->answers, &error));
  for (guint i = 0; i < manifest->candidates->len; i++) {
    const char *file = ((PtCandidate *)g_ptr_array_index(manifest->candidates, i))->file;
    g_autofree char *in = g_build_filename(p->bundle, file, NULL);
    g_autofree char *out = g_build_filename(p->answers, file, NULL);
    PtSessionOptions options = {.level = PT_LEVEL_ALL, .save_path = out};
    pt_session_free(pt_session_new_file(in, &options, &error));
    g_assert_no_error(error);
  }
}

static void restore(const Paths *p) {
  g_autoptr(GError) error = NULL;
  PtDeobfuscateOptions options = {
      .optimized = p->answers, .secret = p->secret, .model = p->model, .out = p->out};
  PtDeobfuscateReport report;
  pt_deobfuscate(&options, &report, &error);
  g_assert_no_error(error);
  for (guint i = 0; i < report.fallbacks->len; i++)
    g_test_message("%s", ((PtFallback *)g_ptr_array_index(report.fallbacks, i))->why);
  g_assert_cmpuint(report.fallbacks->len, ==, 0);
  g_assert_cmpuint(report.optimized, ==, report.pieces);
  g_assert_cmpfloat(report.difference, <=, 1e-4);
  pt_deobfuscate_report_clear(&report);
}

static void test_way(gconstpointer data) {
  const Way *way = data;
  Paths p;
  paths_init(&p, way->model);
  obfuscate(&p, way->n);
  if (way->dense)
    optimize_dense(&p);
  else
    optimize(&p, way);
  restore(&p);
  g_autoptr(GError) error = NULL;
  PtVerifyReport verify;
  pt_verify(p.model, p.out, 2, "2", 0, &verify, &error);
  g_assert_no_error(error);
  g_assert_true(verify.equal);
  pt_verify_report_clear(&verify);
  paths_clear(&p);
}

int main(int argc, char **argv) {
  static const char *const models[] = {"squeezenet1_1", "resnet18",    "mobilenet_v2",
                                       "bilstm",        "nats_cell_a", "distilbert_dynamic"};
  static const char *const settings[][2] = {
      {"basic", "portable"}, {"extended", "portable"}, {"all", "portable"}, {"all", "native"}};
  static Way ways[G_N_ELEMENTS(models) * (G_N_ELEMENTS(settings) + 2)];
  size_t n = 0;
  for (size_t m = 0; m < G_N_ELEMENTS(models); m++) {
    for (size_t s = 0; s < G_N_ELEMENTS(settings); s++)
      ways[n++] = (Way){models[m], settings[s][0], settings[s][1], 0, false};
    ways[n++] = (Way){models[m], "all", "portable", 1, false};
    ways[n++] = (Way){models[m], "dense", "portable", 0, true};
  }
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf("/restore/way/%s/%s-%s%s", ways[i].model, ways[i].level,
                                            ways[i].target, ways[i].n == 1 ? "-whole" : "");
    g_test_add_data_func(name, &ways[i], test_way);
  }
  return g_test_run();
}
