/* walked: the walk's sentinels, judged. */
#include "sentinel/sentinel_private.h"

#include "runtime/runtime.h"
#include "walk/walk.h"

#define MAX_ZEROS ((size_t)1 << 20) /* fused constants take time */

struct PtSentinelWalk {
  PtWalkModel *model;
  PtWalkBuckets *buckets;
  GPtrArray *reals; /* borrowed graphs */
  uint32_t k;
  void *zeros; /* [MAX_ZEROS] never written: no page of it is ever its own */
};

PtSentinelWalk *pt_sentinel_walk_new(GPtrArray *reals, const char *path, uint32_t k,
                                     const PtSeed *seed, unsigned threads,
                                     const PtProgress *progress, GError **error) {
  PtWalkModel *model = pt_walk_model_open(path, error);
  if (!model)
    return NULL;
  PtSentinelWalk *walk = g_new0(PtSentinelWalk, 1);
  PtWalkOptions options = {.k = k, .threads = threads};
  if (progress)
    options.progress = *progress;
  walk->model = model;
  walk->reals = g_ptr_array_ref(reals);
  walk->k = k;
  walk->zeros = g_malloc0(MAX_ZEROS);
  walk->buckets = pt_walk_buckets_new(model, reals, &options, seed);
  return walk;
}

void pt_sentinel_walk_free(PtSentinelWalk *walk) {
  if (!walk)
    return;
  pt_walk_buckets_free(walk->buckets);
  pt_walk_model_free(walk->model);
  g_ptr_array_unref(walk->reals);
  g_free(walk->zeros);
  g_free(walk);
}

PtGraph *pt_sentinel_walk_real(const PtSentinelWalk *walk, uint32_t i, PtValueId **origin) {
  return pt_walk_buckets_real(walk->buckets, i, origin);
}

/* Where the walk found fewer than k: a piece that it cannot read, or one that leaves little room.
 */
static bool fill(const PtSentinelWalk *walk, uint32_t i, PtCorpus *corpus, PtRng *rng,
                 GHashTable *seen, GPtrArray *out, uint32_t *made, GError **error) {
  g_autoptr(GPtrArray) more = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  uint32_t count = 0;
  g_autoptr(GPtrArray) siblings = g_ptr_array_new();
  for (guint k = 0; k < walk->reals->len; k++)
    if (k != i)
      g_ptr_array_add(siblings, walk->reals->pdata[k]);
  if (!pt_sentinel_make(PT_MODE_MODIFY, walk->reals->pdata[i], siblings, corpus, walk->k - *made,
                        rng, more, &count, error))
    return false;
  for (guint k = 0; k < more->len; k++) {
    uint64_t hash = pt_sentinel_hash(more->pdata[k]);
    if (g_hash_table_contains(seen, &hash))
      continue;
    g_ptr_array_add(out, pt_graph_ref(more->pdata[k]));
    ++*made;
  }
  return true;
}

/* With full optimization and weights in place, as the optimizer has it: a file that it breaks on
 * would tell. Weights that are too large are inputs. */
static bool survives(const PtSentinelWalk *walk, const PtGraph *graph) {
  g_autoptr(PtGraph) g = pt_graph_copy(graph);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtValue *value = pt_value(g, v);
    if (!value->constant || !pt_tensor_is_empty(value->constant))
      continue;
    if (value->constant->size <= MAX_ZEROS)
      value->constant->data = walk->zeros;
    else {
      value->constant = NULL;
      value->is_input = true;
      g_array_append_val(g->inputs, v);
    }
  }
  PtSessionOptions options = {.level = PT_LEVEL_ALL, .native = true, .threads = 1};
  g_autoptr(PtSession) session = pt_session_new(g, &options, NULL);
  return session != NULL;
}

bool pt_sentinel_walk_make(const PtSentinelWalk *walk, uint32_t i, PtCorpus *corpus, PtRng *rng,
                           GPtrArray *out, uint32_t *made, GError **error) {
  PtWalkStats stats = pt_walk_buckets_stats(walk->buckets, i);
  *made = 0;
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr(PtGraph) real = pt_walk_buckets_real(walk->buckets, i, NULL);
  PtJudge judge = {real ? real : walk->reals->pdata[i], seen, UINT64_MAX};
  uint64_t own = pt_sentinel_hash(judge.real);
  g_hash_table_add(seen, g_memdup2(&own, sizeof own));
  for (uint32_t j = 0; j < stats.made; j++) {
    g_autoptr(PtGraph) g = pt_walk_buckets_sentinel(walk->buckets, i, j);
    if (!g || !pt_judge(&judge, g) || !survives(walk, g))
      continue;
    g_ptr_array_add(out, g_steal_pointer(&g));
    ++*made;
  }
  return *made >= walk->k || fill(walk, i, corpus, rng, seen, out, made, error);
}
