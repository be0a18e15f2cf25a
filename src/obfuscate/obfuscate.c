/* obfuscate.c: the owner's first step: read, type, cut, and the rest (pieces.c). */
#include "obfuscate/obfuscate_private.h"

#include "onnx/onnx.h"
#include "runtime/runtime.h"

#define MAX_SENTINELS 10000

static bool check_options(const PtObfuscateOptions *options, GError **error) {
  const char *what = !options->model              ? "a model"
                     : !options->bundle           ? "a folder for the bundle"
                     : !options->secret           ? "a file for the secret"
                     : options->k > MAX_SENTINELS ? "at most 10000 sentinels a bucket"
                                                  : NULL;
  if (what)
    g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_USAGE, "obfuscate needs %s", what);
  return !what;
}

/* The file's hash takes as long as all the rest: it runs beside it. */
typedef struct Hashing {
  const char *path;
  GError *error;
} Hashing;

static void *hash_file(void *data) {
  Hashing *hashing = data;
  return pt_sha256_file(hashing->path, &hashing->error);
}

static PtPartition *cut(PtGraph *model, const PtObfuscateOptions *options, const PtSeed *seed,
                        GError **error) {
  pt_progress(&options->progress, "inferring types", 0, 0);
  if (!pt_runtime_infer_types(model, error))
    return NULL;
  PtPartitionOptions how = {.n = options->n, .plain = options->plain, .threads = options->threads};
  pt_progress(&options->progress, "cutting", 0, 0);
  return pt_partition(model, &how, seed, error);
}

static bool obfuscate_model(PtGraph *model, GThread *hasher, Hashing *hashing,
                            const PtObfuscateOptions *options, PtObfuscateReport *report,
                            GError **error) {
  PtSeed seed;
  pt_seed_init(&seed, options->seed);
  g_autoptr(PtPartition) partition = cut(model, options, &seed, error);
  g_autoptr(PtCorpus) corpus = NULL;
  bool ok = partition && (options->k == 0 || (corpus = pt_corpus_open(options->corpus, error)));
  g_autofree char *sha256 = g_thread_join(hasher);
  if (!ok) {
    g_clear_error(&hashing->error);
    return false;
  }
  if (!sha256) {
    g_propagate_error(error, hashing->error);
    return false;
  }
  return pt_obfuscate_pieces(model, partition, sha256, options, &seed, corpus, report, error);
}

bool pt_obfuscate(const PtObfuscateOptions *options, PtObfuscateReport *report, GError **error) {
  double start = pt_clock();
  PtSite site;
  if (!check_options(options, error) || !pt_site_check(&site, options, error))
    return false;
  pt_progress(&options->progress, "reading the model", 0, 0);
  g_autoptr(PtGraph) model = pt_onnx_read(options->model, NULL, error);
  if (!model)
    return false;
  Hashing hashing = {.path = options->model};
  GThread *hasher = g_thread_new("hash", hash_file, &hashing);
  if (!obfuscate_model(model, hasher, &hashing, options, report, error))
    return false;
  report->seconds = pt_clock() - start;
  return true;
}
