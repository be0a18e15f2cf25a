/* obfuscate.c: the owner's first step: read, type, cut, and the rest (pieces.c). */
#include "obfuscate/obfuscate_private.h"

#include "onnx/onnx.h"
#include "ops/ops.h"
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

/* An exporter names the unknown sizes of outputs anew ("Add_12_dim_1"). Where the operators say
 * that a size is one that has a name already, it gets that name: a border of its own could be met
 * by nothing but the real piece. */
static void settle_symbols(PtGraph *model) {
  uint32_t n = pt_graph_n_nodes(model);
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)n + 1);
  g_autoptr(GArray) types = g_array_new(FALSE, TRUE, sizeof(PtType));
  if (!pt_graph_toposort(model, order, NULL))
    return;
  for (uint32_t i = 0; i < n; i++) {
    const PtNode *node = pt_node(model, order[i]);
    g_array_set_size(types, node->n_outputs);
    PtType *found = (PtType *)(void *)types->data;
    if (node->n_outputs == 0 || !pt_op_infer(model, node, found))
      continue;
    for (uint32_t k = 0; k < node->n_outputs; k++) {
      PtType *type = node->outputs[k] == PT_NONE ? NULL : &pt_value(model, node->outputs[k])->type;
      if (!type || type->kind != PT_TYPE_TENSOR || found[k].kind != PT_TYPE_TENSOR ||
          found[k].rank != type->rank)
        continue;
      for (int32_t d = 0; d < type->rank; d++)
        if (type->dims[d].size < 0 && found[k].dims[d].size < 0 && found[k].dims[d].symbol)
          type->dims[d].symbol = found[k].dims[d].symbol;
    }
  }
}

bool pt_obfuscate_folds(const PtObfuscateOptions *options) {
  return options->k > 0;
}

static PtPartition *cut(PtGraph *model, const PtObfuscateOptions *options, const PtSeed *seed,
                        GError **error) {
  pt_progress(&options->progress, "inferring types", 0, 0);
  if (!pt_runtime_infer_types(model, error) ||
      (pt_obfuscate_folds(options) && !pt_runtime_fold(model, error)))
    return NULL;
  settle_symbols(model);
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
