/* The optimizer's side on a small bundle: levels, outside programs, resume, shards, broken
 * candidates. */
#include "onnx/onnx.h"
#include "optimize/optimize_private.h"

#include <glib/gstdio.h>
#include <string.h>

#define SEED "00112233445566778899aabbccddeeff"
#define CANDIDATES 5

typedef struct Bundle {
  char *folder, *bundle, *out;
  PtManifest *manifest;
} Bundle;

static PtValueId external(PtGraph *g, const char *name, uint32_t rank, const int64_t *dims,
                          uint64_t offset) {
  PtTensor *t = pt_graph_tensor(g, PT_FLOAT, rank, dims, NULL);
  t->location = PT_NOISE_FILE;
  t->offset = offset;
  return pt_graph_add_constant(g, name, t);
}

/* Conv, BatchNormalization, Relu: folds at every level */
static PtGraph *candidate(uint32_t i) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType type =
      pt_type_tensor(g, PT_FLOAT, 4, (const PtDim[]){{1, NULL}, {4, NULL}, {8, NULL}, {8, NULL}});
  PtValueId x = pt_graph_add_input(g, "v0", &type);
  PtValueId conv[2] = {x, external(g, "w1", 4, (const int64_t[]){4, 4, 1, 1}, 400 * i)};
  PtValueId c = pt_graph_add_op(g, "Conv", conv, 2);
  uint64_t positive = UINT64_C(4) << 20; /* the second half of 2^21 floats */
  const int64_t four[] = {4};
  PtValueId norm[5] = {
      c, external(g, "w2", 1, four, 64 + 400 * i), external(g, "v3", 1, four, 80 + 400 * i),
      external(g, "w4", 1, four, 96 + 400 * i), external(g, "v5", 1, four, positive + 16 * i)};
  PtValueId n = pt_graph_add_op(g, "BatchNormalization", norm, 5);
  PtValueId y = pt_graph_add_op(g, "Relu", &n, 1);
  pt_value(g, y)->type = pt_type_copy(g, &type);
  pt_graph_add_output(g, y);
  return g;
}

static void bundle_init(Bundle *b) {
  g_autoptr(GError) error = NULL;
  b->folder = pt_dir_make_temp("proteus-test", &error);
  b->bundle = g_build_filename(b->folder, "bundle", NULL);
  b->out = g_build_filename(b->folder, "optimized", NULL);
  b->manifest = pt_manifest_new();
  g_assert_true(pt_dir_make(b->bundle, &error));
  g_assert_true(pt_noise_init(&b->manifest->noise, SEED, 1 << 21, 0, 0, 0, &error));
  for (uint32_t i = 0; i < CANDIDATES; i++) {
    g_autoptr(PtGraph) g = candidate(i);
    g_autofree char *id = g_strdup_printf("%032x", 0xabc0 + i);
    g_autofree char *path = g_strdup_printf("%s/%s.onnx", b->bundle, id);
    g_assert_true(pt_onnx_write(g, path, NULL, &error));
    g_autofree char *sha256 = pt_sha256_file(path, &error);
    pt_manifest_add(b->manifest, id, sha256);
  }
  g_assert_true(pt_manifest_write(b->manifest, b->bundle, &error));
  g_assert_no_error(error);
}

static void bundle_clear(Bundle *b) {
  pt_dir_remove(b->folder);
  pt_manifest_free(b->manifest);
  g_free(b->folder);
  g_free(b->bundle);
  g_free(b->out);
}

static const char *id_of(const Bundle *b, uint32_t i) {
  return ((PtCandidate *)g_ptr_array_index(b->manifest->candidates, i))->id;
}

static char *sent(const Bundle *b, uint32_t i) {
  return g_strdup_printf("%s/%s.onnx", b->bundle, id_of(b, i));
}

static char *answer(const Bundle *b, uint32_t i) {
  return g_strdup_printf("%s/%s.onnx", b->out, id_of(b, i));
}

static PtOptimizeOptions options_of(const Bundle *b) {
  return (PtOptimizeOptions){.bundle = b->bundle, .out = b->out, .jobs = 2};
}

static void expect_done(const PtOptimizeOptions *options, uint32_t done, uint32_t skipped,
                        uint32_t failed, PtOptimizeReport *report) {
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_optimize(options, report, &error));
  g_assert_no_error(error);
  for (guint i = 0; i < report->failures->len; i++)
    g_test_message("%s", ((PtFailure *)g_ptr_array_index(report->failures, i))->why);
  g_assert_cmpuint(report->done, ==, done);
  g_assert_cmpuint(report->skipped, ==, skipped);
  g_assert_cmpuint(report->failed, ==, failed);
  g_assert_cmpuint(report->failures->len, ==, failed);
}

/* Valid, of the same interface, small, without a weight of its own. */
static void expect_answer(const Bundle *b, uint32_t i) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path = answer(b, i);
  PtOnnxReadOptions read = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  g_autoptr(PtGraph) g = pt_onnx_read(path, &read, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g->inputs->len, ==, 1);
  g_assert_cmpuint(g->outputs->len, ==, 1);
  uint32_t slices = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtTensor *t = pt_value(g, v)->constant;
    slices += t && t->location;
    g_assert_true(!t || t->location || !pt_dtype_is_float(t->dtype) || t->count == 1);
  }
  g_assert_cmpuint(slices, ==, 5);
}

static void test_level(gconstpointer data) {
  const char *const *what = data;
  Bundle b;
  bundle_init(&b);
  PtOptimizeOptions options = options_of(&b);
  options.level = what[0];
  options.target = what[1];
  PtOptimizeReport report;
  expect_done(&options, CANDIDATES, 0, 0, &report);
  g_assert_cmpuint(report.candidates, ==, CANDIDATES);
  g_assert_cmpuint(report.bytes, >, 0);
  g_assert_cmpuint(report.bytes, <, CANDIDATES * 8192);
  for (uint32_t i = 0; i < CANDIDATES; i++)
    expect_answer(&b, i);
  pt_optimize_report_clear(&report);
  PtTarget target;
  bool found;
  g_assert_true(pt_target_read(b.out, &target, &found, NULL));
  g_assert_true(found);
  g_assert_cmpstr(target.level, ==, what[0]);
  g_assert_cmpstr(target.target, ==, what[1]);
  int64_t block = -1;
  g_assert_true(pt_target_block(&block, NULL));
  g_assert_true(block == 0 || block == 4 || block == 8 || block == 16);
  g_assert_cmpint(target.block, ==,
                  g_str_equal(what[0], "all") && g_str_equal(what[1], "native") ? block : 0);
  pt_target_clear(&target);
  g_autoptr(GPtrArray) files = pt_dir_list(b.out, NULL, NULL);
  g_assert_cmpuint(files->len, ==, CANDIDATES + 1);
  bundle_clear(&b);
}

static const char *failure_of(const PtOptimizeReport *report, guint i) {
  return ((PtFailure *)g_ptr_array_index(report->failures, i))->why;
}

static void expect_mismatch(const Bundle *b, const char *file, const char *part) {
  PtOptimizeOptions options = options_of(b);
  PtOptimizeReport report;
  g_autoptr(GError) error = NULL;
  g_assert_false(pt_optimize(&options, &report, &error));
  g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_MISMATCH);
  g_assert_nonnull(strstr(error->message, file));
  g_assert_nonnull(strstr(error->message, part));
  g_assert_false(g_file_test(b->out, G_FILE_TEST_EXISTS));
}

/* A bundle that is not the one that was made is refused before anything is written. */
static void test_not_whole(void) {
  Bundle b;
  bundle_init(&b);
  g_autofree char *first = sent(&b, 0), *second = sent(&b, 1), *copy = NULL, *other = NULL;
  gsize size, other_size;
  g_assert_true(g_file_get_contents(first, &copy, &size, NULL));
  g_assert_true(g_file_get_contents(second, &other, &other_size, NULL));
  copy[size / 2] ^= 1;
  g_assert_true(g_file_set_contents(first, copy, (gssize)size, NULL));
  expect_mismatch(&b, first, "sha256 differs");
  copy[size / 2] ^= 1;
  g_assert_true(g_file_set_contents(first, copy, (gssize)size, NULL));
  g_unlink(second);
  expect_mismatch(&b, second, "the bundle's manifest lists it");
  g_assert_true(g_file_set_contents(second, other, (gssize)other_size, NULL));
  g_autofree char *more = g_build_filename(b.bundle, "ffff.onnx", NULL);
  g_assert_true(g_file_set_contents(more, "x", 1, NULL));
  expect_mismatch(&b, more, "not in the bundle's manifest");
  g_unlink(more);
  PtOptimizeOptions options = options_of(&b);
  PtOptimizeReport report;
  expect_done(&options, CANDIDATES, 0, 0, &report);
  pt_optimize_report_clear(&report);
  bundle_clear(&b);
}

/* A candidate that no tool can read is named, the rest goes on. */
static void test_failures(void) {
  Bundle b;
  bundle_init(&b);
  g_autofree char *broken = sent(&b, 0);
  g_assert_true(g_file_set_contents(broken, "broken", 6, NULL));
  PtCandidate *candidate = g_ptr_array_index(b.manifest->candidates, 0);
  g_free(candidate->sha256);
  candidate->sha256 = pt_sha256_file(broken, NULL);
  g_assert_true(pt_manifest_write(b.manifest, b.bundle, NULL));
  PtOptimizeOptions options = options_of(&b);
  PtOptimizeReport report;
  expect_done(&options, CANDIDATES - 1, 0, 1, &report);
  g_assert_cmpstr(((PtFailure *)g_ptr_array_index(report.failures, 0))->id, ==, id_of(&b, 0));
  g_assert_nonnull(strstr(failure_of(&report, 0), broken));
  pt_optimize_report_clear(&report);
  g_autoptr(GPtrArray) files = pt_dir_list(b.out, ".onnx", NULL);
  g_assert_cmpuint(files->len, ==, CANDIDATES - 1);
  bundle_clear(&b);
}

static void test_resume(void) {
  Bundle b;
  bundle_init(&b);
  PtOptimizeOptions options = options_of(&b);
  PtOptimizeReport report;
  expect_done(&options, CANDIDATES, 0, 0, &report);
  pt_optimize_report_clear(&report);
  g_autofree char *gone = answer(&b, 1), *half = answer(&b, 3);
  g_unlink(gone);
  g_assert_true(g_file_set_contents(half, "half", 4, NULL));
  options.resume = true;
  expect_done(&options, 2, CANDIDATES - 2, 0, &report);
  pt_optimize_report_clear(&report);
  expect_answer(&b, 1);
  expect_answer(&b, 3);
  /* answers of two kinds do not mix */
  options.level = "basic";
  g_autoptr(GError) error = NULL;
  g_assert_false(pt_optimize(&options, &report, &error));
  g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_MISMATCH);
  bundle_clear(&b);
}

static void test_shards(void) {
  Bundle b;
  bundle_init(&b);
  PtOptimizeOptions options = options_of(&b);
  PtOptimizeReport report;
  options.shards = 2;
  options.shard = 2;
  expect_done(&options, CANDIDATES / 2, 0, 0, &report);
  pt_optimize_report_clear(&report);
  options.shard = 1;
  expect_done(&options, CANDIDATES - CANDIDATES / 2, 0, 0, &report);
  pt_optimize_report_clear(&report);
  for (uint32_t i = 0; i < CANDIDATES; i++)
    expect_answer(&b, i);
  options.shard = 3;
  g_autoptr(GError) error = NULL;
  g_assert_false(pt_optimize(&options, &report, &error));
  g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_USAGE);
  bundle_clear(&b);
}

static void test_usage(void) {
  Bundle b;
  bundle_init(&b);
  PtOptimizeOptions bad[] = {options_of(&b), options_of(&b), options_of(&b), options_of(&b)};
  bad[0].level = "most";
  bad[1].target = "moon";
  bad[2].out = b.bundle;
  bad[3].with = "cp {in} there";
  PtOptimizeReport report;
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(pt_optimize(&bad[i], &report, &error));
    g_assert_error(error, PT_OPTIMIZE_ERROR, PT_ERR_USAGE);
  }
  g_autoptr(GError) error = NULL;
  PtOptimizeOptions nowhere = options_of(&b);
  nowhere.bundle = "/nonexistent";
  g_assert_false(pt_optimize(&nowhere, &report, &error));
  g_assert_true(error && error->code == PT_ERR_IO);
  bundle_clear(&b);
}

/* A damaged noise.bin is made again; a whole one is left alone. */
static void test_noise(void) {
  Bundle b;
  bundle_init(&b);
  g_autofree char *path = g_build_filename(b.bundle, PT_NOISE_FILE, NULL);
  g_autofree char *zeros = g_malloc0(pt_noise_file_size(&b.manifest->noise));
  g_assert_true(
      g_file_set_contents(path, zeros, (gssize)pt_noise_file_size(&b.manifest->noise), NULL));
  PtOptimizeOptions options = options_of(&b);
  PtOptimizeReport report;
  expect_done(&options, CANDIDATES, 0, 0, &report);
  pt_optimize_report_clear(&report);
  g_autofree char *made = NULL;
  gsize size;
  g_assert_true(g_file_get_contents(path, &made, &size, NULL));
  float first;
  memcpy(&first, made, sizeof first);
  g_assert_cmpfloat(first, ==, pt_noise_at(&b.manifest->noise, 0));
  bundle_clear(&b);
}

static void test_outside(void) {
  Bundle b;
  bundle_init(&b);
  PtOptimizeOptions options = options_of(&b);
  PtOptimizeReport report;
  options.with = "cp {in} {out}";
  expect_done(&options, CANDIDATES, 0, 0, &report);
  pt_optimize_report_clear(&report);
  for (uint32_t i = 0; i < CANDIDATES; i++)
    expect_answer(&b, i);
  /* it scribbles over what it was given, and leaves things behind: the next candidate is not hurt
   */
  options.with = "sh -c 'cp \"$1\" \"$2\"; d=$(dirname \"$1\"); : >\"$1\"; chmod u+w $d/noise.bin; "
                 "head -c 8388608 /dev/zero >$d/noise.bin.x; mv -f $d/noise.bin.x $d/noise.bin; "
                 "mkdir $d/more; : >$d/more/file' sh {in} {out}";
  options.jobs = 1;
  expect_done(&options, CANDIDATES, 0, 0, &report);
  pt_optimize_report_clear(&report);
  for (uint32_t i = 0; i < CANDIDATES; i++)
    expect_answer(&b, i);
  options.with = "sh -c 'echo no idea >&2; exit 4' {in} {out}";
  expect_done(&options, 0, 0, CANDIDATES, &report);
  g_assert_cmpstr(failure_of(&report, 0), ==, "'sh' failed with status 4: no idea");
  pt_optimize_report_clear(&report);
  options.with = "true {in} {out}";
  expect_done(&options, 0, 0, CANDIDATES, &report);
  g_assert_nonnull(strstr(failure_of(&report, 0), "No such file"));
  pt_optimize_report_clear(&report);
  options.with = "sleep 60 {in} {out}";
  options.timeout = 0.2;
  options.jobs = CANDIDATES;
  double start = pt_clock();
  options.with = "sh -c 'sleep 60' {in} {out}";
  expect_done(&options, 0, 0, CANDIDATES, &report);
  g_assert_cmpfloat(pt_clock() - start, <, 20);
  g_assert_nonnull(strstr(failure_of(&report, 0), "took more than 0.2 s"));
  pt_optimize_report_clear(&report);
  bundle_clear(&b);
}

int main(int argc, char **argv) {
  static const char *const levels[][2] = {
      {"basic", "portable"}, {"extended", "portable"}, {"all", "portable"}, {"all", "native"}};
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
    g_autofree char *name = g_strdup_printf("/optimize/ort/%s-%s", levels[i][0], levels[i][1]);
    g_test_add_data_func(name, levels[i], test_level);
  }
  g_test_add_func("/optimize/failures", test_failures);
  g_test_add_func("/optimize/not-whole", test_not_whole);
  g_test_add_func("/optimize/resume", test_resume);
  g_test_add_func("/optimize/shards", test_shards);
  g_test_add_func("/optimize/usage", test_usage);
  g_test_add_func("/optimize/noise", test_noise);
  g_test_add_func("/optimize/outside-program", test_outside);
  return g_test_run();
}
