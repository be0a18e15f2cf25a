/* walked: the walk's sentinels, judged. */
#include "sentinel/sentinel_private.h"

#include "walk/walk.h"

struct PtSentinelWalk {
  PtWalkModel *model;
  PtWalkBuckets *buckets;
  GPtrArray *reals; /* borrowed graphs */
  PtScalars *scalars;
  PtSeed seed;
};

PtSentinelWalk *pt_sentinel_walk_new(GPtrArray *reals, const char *path, uint32_t k, uint32_t steps,
                                     const PtSeed *seed, unsigned threads,
                                     const PtProgress *progress, GError **error) {
  PtWalkModel *model = pt_walk_model_open(path, error);
  if (!model)
    return NULL;
  PtSentinelWalk *walk = g_new0(PtSentinelWalk, 1);
  PtWalkOptions options = {.k = k, .steps = steps, .threads = threads};
  if (progress)
    options.progress = *progress;
  walk->model = model;
  walk->reals = g_ptr_array_ref(reals);
  walk->scalars = pt_scalars_new(reals);
  walk->seed = *seed;
  walk->buckets = pt_walk_buckets_new(model, reals, &options, seed);
  return walk;
}

void pt_sentinel_walk_free(PtSentinelWalk *walk) {
  if (!walk)
    return;
  pt_walk_buckets_free(walk->buckets);
  pt_walk_model_free(walk->model);
  g_ptr_array_unref(walk->reals);
  pt_scalars_free(walk->scalars);
  g_free(walk);
}

PtGraph *pt_sentinel_walk_real(const PtSentinelWalk *walk, uint32_t i, PtValueId **origin) {
  return pt_walk_buckets_real(walk->buckets, i, origin);
}

PtGraph *pt_sentinel_walk_normal(const PtSentinelWalk *walk, PtGraph *piece) {
  return pt_walk_normal_form(walk->model, piece, NULL, NULL);
}

/* An index or a size that a weight decides: noise would choose it. */
static bool weights_steer(const PtGraph *g) {
  g_autofree bool *fixed = pt_find_fixed(g);
  g_autofree PtRole *roles = pt_roles(g);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtTensor *t = pt_value(g, v)->constant;
    if (t && fixed[v] && pt_dtype_is_float(t->dtype) && t->count > 1 && roles[v] != PT_ROLE_REAL)
      return true;
  }
  return false;
}

bool pt_sentinel_walk_make(const PtSentinelWalk *walk, uint32_t i, GPtrArray *out, uint32_t *made,
                           GError **error) {
  (void)error;
  PtWalkStats stats = pt_walk_buckets_stats(walk->buckets, i);
  *made = 0;
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr(PtGraph) real = pt_walk_buckets_real(walk->buckets, i, NULL);
  PtJudge judge = {real ? real : walk->reals->pdata[i], seen, UINT64_MAX};
  uint64_t own = pt_sentinel_hash(judge.real);
  g_hash_table_add(seen, g_memdup2(&own, sizeof own));
  bool may_steer = weights_steer(judge.real);
  for (uint32_t j = 0; j < stats.made; j++) {
    g_autoptr(PtGraph) g = pt_walk_buckets_sentinel(walk->buckets, i, j);
    g_autoptr(PtRng) rng = pt_rng_new(&walk->seed, "scalars", (uint64_t)i << 32 | j);
    if (g)
      pt_scalars_mend(walk->scalars, g, rng);
    if (!g || (!may_steer && weights_steer(g)) || !pt_judge(&judge, g))
      continue;
    g_ptr_array_add(out, g_steal_pointer(&g));
    ++*made;
  }
  return true;
}
