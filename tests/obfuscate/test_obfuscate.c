/* obfuscate: bundles of real models, and every way of refusing. */
#include "check.h"

#include "base/base.h"
#include "bundle/bundle.h"
#include "obfuscate/obfuscate.h"
#include "onnx/onnx.h"
#include "runtime/runtime.h"
#include "sentinel/sentinel.h"
#include "walk/walk.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char *folder, *cell; /* cell: a small model with equal pieces */

static char *at(const char *name) {
  return g_build_filename(folder, name, NULL);
}

static void test_model(const void *name) {
  g_autofree char *own = at("model");
  g_assert_cmpint(g_mkdir(own, 0755), ==, 0);
  g_autofree char *model = check_fill(own, name);
  check_model(folder, model, 0, 2, true);
  pt_dir_remove(own);
}

static void test_one_file(void) {
  check_model(folder, cell, 1, 0, true);
}

/* ---- determinism
 * ----------------------------------------------------------------------------------------- */
static void obfuscate(const char *bundle, const char *secret, const char *seed, unsigned threads) {
  const PtObfuscateOptions options = {
      .model = cell, .bundle = bundle, .secret = secret, .k = 2, .seed = seed, .threads = threads};
  PtObfuscateReport report;
  GError *error = NULL;
  g_assert_true(pt_obfuscate(&options, &report, &error));
  g_assert_no_error(error);
}

static char *digest(const char *bundle, const char *secret) {
  g_autoptr(GString) all = g_string_new(NULL);
  g_autoptr(GPtrArray) names = pt_dir_list(bundle, NULL, NULL);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename(bundle, g_ptr_array_index(names, i), NULL);
    g_autofree char *sha256 = pt_sha256_file(path, NULL);
    g_string_append_printf(all, "%s %s\n", (char *)g_ptr_array_index(names, i), sha256);
  }
  g_autofree char *sha256 = pt_sha256_file(secret, NULL);
  g_string_append(all, sha256);
  return g_string_free(g_steal_pointer(&all), FALSE);
}

static void test_same_bytes(void) {
  const char *seeds[] = {"a", "a", "b", NULL, NULL};
  char *digests[5];
  for (int i = 0; i < 5; i++) {
    g_autofree char *bundle = at("same"), *secret = at("same.secret");
    obfuscate(bundle, secret, seeds[i], i == 0 ? 1 : 3);
    digests[i] = digest(bundle, secret);
    pt_dir_remove(bundle);
    g_unlink(secret);
  }
  g_assert_cmpstr(digests[0], ==, digests[1]);
  g_assert_cmpstr(digests[0], !=, digests[2]);
  g_assert_cmpstr(digests[3], !=, digests[4]);
  for (int i = 0; i < 5; i++)
    g_free(digests[i]);
}

/* Walks too short to find sentinels: what is modified in their place is written like all others, so
 * that reading it as the walk does and writing it again changes nothing. */
static void test_one_hand(void) {
  g_autofree char *bundle = at("hand"), *secret = at("hand.secret");
  const PtObfuscateOptions options = {
      .model = cell, .bundle = bundle, .secret = secret, .k = 4, .steps = 1, .seed = "a"};
  PtObfuscateReport report;
  GError *error = NULL;
  g_assert_true(pt_obfuscate(&options, &report, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(report.modified, >, report.buckets);
  g_autoptr(PtWalkModel) model = pt_walk_model_open(NULL, &error);
  g_assert_no_error(error);
  g_autoptr(PtManifest) manifest = pt_manifest_read(bundle, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) names = pt_dir_list(bundle, ".onnx", NULL);
  PtSeed seed;
  pt_seed_init(&seed, "hand");
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename(bundle, names->pdata[i], NULL);
    PtOnnxReadOptions reading = {.external = PT_EXTERNAL_MAP};
    g_autoptr(PtGraph) g = pt_onnx_read(path, &reading, &error);
    g_assert_no_error(error);
    g_assert_true(pt_runtime_infer_types(g, &error));
    const char *why = NULL;
    g_autoptr(PtGraph) again = pt_walk_normal_form(model, g, NULL, &why);
    g_assert_cmpstr(why, ==, NULL);
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", i);
    g_autoptr(PtGraph) sent = pt_scrub(again, &manifest->noise, rng, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(pt_sentinel_hash(sent), ==, pt_sentinel_hash(g));
  }
  pt_dir_remove(bundle);
}

static void test_empty_folder_and_modes(void) {
  g_autofree char *bundle = at("empty"), *secret = at("empty.secret");
  g_assert_cmpint(g_mkdir(bundle, 0755), ==, 0);
  obfuscate(bundle, secret, "a", 2);
  struct stat info;
  g_assert_cmpint(stat(secret, &info), ==, 0);
  g_assert_cmpint(info.st_mode & 07777, ==, 0600);
  pt_dir_remove(bundle);
  g_unlink(secret);
}

/* ---- refusals
 * -------------------------------------------------------------------------------------------- */
/* Refused with this code, and nothing was made. */
static void refused(const PtObfuscateOptions *options, GQuark domain, int code) {
  bool folder_was = options->bundle && g_file_test(options->bundle, G_FILE_TEST_EXISTS);
  bool secret_was = options->secret && g_file_test(options->secret, G_FILE_TEST_EXISTS);
  g_autoptr(GPtrArray) before = pt_dir_list(folder, NULL, NULL);
  GError *error = NULL;
  PtObfuscateReport report;
  g_assert_false(pt_obfuscate(options, &report, &error));
  g_assert_error(error, domain, code);
  g_clear_error(&error);
  if (options->bundle)
    g_assert_true(folder_was == g_file_test(options->bundle, G_FILE_TEST_EXISTS));
  if (options->secret)
    g_assert_true(secret_was == g_file_test(options->secret, G_FILE_TEST_EXISTS));
  g_autoptr(GPtrArray) after = pt_dir_list(folder, NULL, NULL);
  g_assert_cmpuint(before->len, ==, after->len);
}

static void test_usage(void) {
  g_autofree char *bundle = at("b"), *secret = at("s"), *inside = at("b/s"), *file = at("file"),
                  *full = at("full"), *nowhere = at("no/where"), *in_full = at("full/x");
  g_assert_true(g_file_set_contents(file, "x", 1, NULL));
  g_assert_cmpint(g_mkdir(full, 0755), ==, 0);
  g_assert_true(g_file_set_contents(in_full, "x", 1, NULL));
  PtObfuscateOptions good = {.model = cell, .bundle = bundle, .secret = secret}, o = good;
  o.model = NULL;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.bundle = NULL;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.secret = NULL;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.k = 1000000;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.mode = "magic";
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.secret = file;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.bundle = file;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.bundle = full;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.secret = inside;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_USAGE);
  o = good, o.bundle = nowhere;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_IO);
  o = good, o.secret = nowhere;
  refused(&o, PT_OBFUSCATE_ERROR, PT_ERR_IO);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "x"); /* not overwritten */
  g_unlink(file);
  pt_dir_remove(full);
}

static void test_bad_models(void) {
  g_autofree char *bundle = at("b"), *secret = at("s"), *broken = at("broken.onnx"),
                  *none = at("none.onnx");
  PtObfuscateOptions o = {.model = none, .bundle = bundle, .secret = secret};
  refused(&o, PT_BASE_ERROR, PT_ERR_IO);
  o.model = folder;
  refused(&o, PT_BASE_ERROR, PT_ERR_IO);
  o.model = broken;
  g_assert_true(g_file_set_contents(broken, "", 0, NULL));
  refused(&o, PT_BASE_ERROR, PT_ERR_INPUT);
  g_assert_true(g_file_set_contents(broken, "\x08\x08garbage that is no model", 26, NULL));
  refused(&o, PT_ONNX_ERROR, PT_ERR_INPUT);
  g_unlink(broken);
}

/* A disk that fills: files may not grow beyond a size, which write() reports like a full disk. */
static void test_disk_full(void) {
  g_autofree char *bundle = at("b"), *secret = at("s");
  const rlim_t sizes[] = {1 << 20, 500}; /* noise.bin does not fit; no candidate fits */
  struct rlimit before, limit;
  signal(SIGXFSZ, SIG_IGN);
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
  PtObfuscateOptions o = {.model = cell, .bundle = bundle, .secret = secret, .seed = "1"};
  for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
    limit = before;
    limit.rlim_cur = sizes[i];
    GError *error = NULL;
    PtObfuscateReport report;
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    bool ok = pt_obfuscate(&o, &report, &error);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
    g_assert_false(ok);
    g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
    g_clear_error(&error);
    g_assert_false(g_file_test(bundle, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(secret, G_FILE_TEST_EXISTS));
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = pt_dir_make_temp("obfuscate", NULL);
  cell = check_fill(folder, "nats_cell_a");
  g_test_add_data_func("/obfuscate/model/bilstm", "bilstm", test_model);
  g_test_add_data_func("/obfuscate/model/nats-cell", "nats_cell_a", test_model);
  g_test_add_data_func("/obfuscate/model/shufflenet", "shufflenet_v2_x1_0", test_model);
  g_test_add_data_func("/obfuscate/model/resnet50-dynamo", "resnet50_dynamo", test_model);
  g_test_add_func("/obfuscate/one-file", test_one_file);
  g_test_add_func("/obfuscate/same-bytes", test_same_bytes);
  g_test_add_func("/obfuscate/one-hand", test_one_hand);
  g_test_add_func("/obfuscate/empty-folder", test_empty_folder_and_modes);
  g_test_add_func("/obfuscate/refused/usage", test_usage);
  g_test_add_func("/obfuscate/refused/models", test_bad_models);
  g_test_add_func("/obfuscate/refused/disk-full", test_disk_full);
  int status = g_test_run();
  pt_dir_remove(folder);
  g_free(folder);
  g_free(cell);
  return status;
}
