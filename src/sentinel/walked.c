/* walked: the walk's sentinels, judged. */
#include "sentinel/sentinel_private.h"

#include "walk/walk.h"

struct PtSentinelWalk {
  PtWalkModel *model;
  PtWalkBuckets *buckets;
  GPtrArray *reals; /* borrowed graphs */
  uint32_t k;
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
  walk->buckets = pt_walk_buckets_new(model, reals, &options, seed);
  return walk;
}

void pt_sentinel_walk_free(PtSentinelWalk *walk) {
  if (!walk)
    return;
  pt_walk_buckets_free(walk->buckets);
  pt_walk_model_free(walk->model);
  g_ptr_array_unref(walk->reals);
  g_free(walk);
}

PtGraph *pt_sentinel_walk_real(const PtSentinelWalk *walk, uint32_t i, PtValueId **origin) {
  return pt_walk_buckets_real(walk->buckets, i, origin);
}

/* Where the walk found fewer than k: a piece that it cannot read, or one that leaves little room. */
static bool fill(const PtSentinelWalk *walk, uint32_t i, PtCorpus *corpus, PtRng *rng,
                 GHashTable *seen, GPtrArray *out, uint32_t *made, GError **error) {
  g_autoptr(GPtrArray) more = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  uint32_t count = 0;
  g_autoptr(GPtrArray) siblings = g_ptr_array_new();
  for (guint k = 0; k < walk->reals->len; k++)
    if (k != i)
      g_ptr_array_add(siblings, walk->reals->pdata[k]);
  if (!pt_sentinel_make(PT_MODE_MODIFY, walk->reals->pdata[i], siblings, corpus, walk->k - *made, rng,
                        more, &count, error))
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
    if (!g || !pt_judge(&judge, g))
      continue;
    g_ptr_array_add(out, g_steal_pointer(&g));
    ++*made;
  }
  return *made >= walk->k || fill(walk, i, corpus, rng, seen, out, made, error);
}
