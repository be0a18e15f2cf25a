/* generate: sentinels from the paper's generator: topologies around the real piece's (Alg. 1, 3),
 * operators assigned to them (Alg. 2). Mode random: the same with opcodes at random, the paper's
 * baseline. What cannot be found so comes from the walk. */
#include "sentinel/sentinel_private.h"

#include "topology/topology.h"
#include "walk/walk.h"

#define ROUNDS 3       /* until a bucket is full */
#define SOLUTIONS 2    /* of a topology, of which the likeliest is taken */
#define RLIMIT 4000000 /* of a query: tenths of a second */
#define PATIENCE 400   /* queries a topology */
#define BREADTH 5      /* proposals whose operators a node may have; more in later rounds */

typedef struct Bucket {
  PtWalkOutline outline;
  PtTopology *real;
  GPtrArray *topologies; /* PtTopology */
  PtWalkMade **tried;    /* [k] of the round under way */
  GPtrArray *made;       /* PtWalkMade, distinct */
  GHashTable *looks;     /* of these and of the real piece */
} Bucket;

struct PtSentinelGenerator {
  PtWalkModel *model;
  PtWalkMaker *maker;
  PtTopologyModel *topologies;
  PtSentinelWalk *walk; /* for those that are missing, or NULL */
  GPtrArray *reals;     /* borrowed graphs */
  PtSentinelMode mode;
  uint32_t k, round;
  PtSeed seed;
  PtProgress progress;
  Bucket *buckets;
  GMutex lock;
  uint64_t done;
};
typedef struct PtSentinelGenerator Making;

/* ---- topologies -------------------------------------------------------------------------------
 */
/* Edges into nodes that no operator has so many operands for are taken out, rather those from nodes
 * that others read, too. */
static void limit_degrees(PtTopology *t, uint64_t arities, PtRng *rng) {
  for (uint32_t i = 0; i < t->n; i++)
    for (;;) {
      g_autofree uint32_t *out = g_new0(uint32_t, t->n + 1);
      g_autofree double *odds = g_new0(double, t->edges->len + 1);
      uint32_t in = 0;
      for (uint32_t e = 0; e < t->edges->len; e++) {
        out[pt_topology_edge(t, e).from]++;
        in += pt_topology_edge(t, e).to == i;
      }
      if (in <= 1 || (in < 64 && arities >> in & 1))
        break;
      for (uint32_t e = 0; e < t->edges->len; e++)
        if (pt_topology_edge(t, e).to == i)
          odds[e] = out[pt_topology_edge(t, e).from] > 1 ? 1 : 1e-3;
      g_array_remove_index(t->edges, (guint)pt_rng_weighted(rng, odds, t->edges->len));
    }
}

/* For pieces that are larger than what the model can draw: the real piece's with some edges led
 * elsewhere. */
static PtTopology *perturbed(const PtTopology *real, PtRng *rng) {
  PtTopology *t = pt_topology_copy(real);
  for (uint32_t times = 1 + real->edges->len / 8; times > 0 && t->edges->len > 0; times--) {
    PtEdge *e = &g_array_index(t->edges, PtEdge, pt_rng_below(rng, t->edges->len));
    e->from = (uint32_t)pt_rng_below(rng, e->to);
  }
  pt_topology_sort(t);
  return t;
}

static void draw_topologies(size_t index, void *data) {
  Making *m = data;
  Bucket *b = &m->buckets[index];
  g_autoptr(PtRng) rng = pt_rng_new(&m->seed, "topologies", index);
  if (b->outline.n == 0)
    return;
  b->real = pt_topology_new(b->outline.n);
  for (guint i = 0; i < b->outline.arcs->len; i++) {
    const PtArc *arc = &g_array_index(b->outline.arcs, PtArc, i);
    pt_topology_add(b->real, arc->from, arc->to);
  }
  pt_topology_sort(b->real);
  uint32_t count = m->k + m->k / 2 + 1;
  if (!pt_topology_sample(m->topologies, b->real, count, b->outline.n_inputs, b->outline.n_outputs,
                          rng, b->topologies, NULL))
    for (uint32_t i = 0; i < count; i++)
      g_ptr_array_add(b->topologies, perturbed(b->real, rng));
  for (guint i = 0; i < b->topologies->len; i++) {
    limit_degrees(b->topologies->pdata[i], b->outline.arities, rng);
    pt_topology_adjust(b->topologies->pdata[i], b->outline.n_outputs, b->outline.n, rng);
    limit_degrees(b->topologies->pdata[i], b->outline.arities, rng);
  }
  g_mutex_lock(&m->lock);
  pt_progress(&m->progress, "drawing topologies", ++m->done, m->reals->len);
  g_mutex_unlock(&m->lock);
}

/* ---- operators --------------------------------------------------------------------------------
 */
static void assign(size_t index, void *data) {
  Making *m = data;
  Bucket *b = &m->buckets[index / m->k];
  uint32_t slot = (uint32_t)(index % m->k);
  if (b->tried && b->made->len + slot < m->k && b->topologies->len > 0) {
    g_autoptr(PtRng) rng = pt_rng_new(&m->seed, "operators", index * ROUNDS + m->round);
    const PtTopology *t = b->topologies->pdata[(slot + m->round * m->k) % b->topologies->len];
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)pt_walk_made_free);
    PtPopulateOptions options = {.max_solns = m->mode == PT_MODE_RANDOM ? 1 : SOLUTIONS,
                                 .pct = 1,
                                 .rlimit = m->mode == PT_MODE_RANDOM ? RLIMIT / 8 : RLIMIT,
                                 .patience = PATIENCE,
                                 .breadth = BREADTH * (m->round + 1)};
    if (m->mode == PT_MODE_GENERATE)
      options.likelihood = pt_walk_maker_likelihood(m->maker);
    G_STATIC_ASSERT(sizeof(PtArc) == sizeof(PtEdge));
    (void)pt_walk_maker_fill(m->maker, (uint32_t)(index / m->k), t->n,
                             (const PtArc *)(const void *)t->edges->data, t->edges->len, &options,
                             rng, found, NULL, NULL);
    for (guint i = 0; i < found->len && !b->tried[slot]; i++) {
      uint64_t looks = pt_walk_made_looks(found->pdata[i]);
      if (!g_hash_table_contains(b->looks, &looks))
        b->tried[slot] = g_steal_pointer(&found->pdata[i]);
    }
  }
  g_mutex_lock(&m->lock);
  pt_progress(&m->progress, "assigning operators", ++m->done, (uint64_t)m->reals->len * m->k);
  g_mutex_unlock(&m->lock);
}

static void take(Bucket *b, uint32_t k) {
  for (uint32_t j = 0; j < k; j++) {
    PtWalkMade *made = g_steal_pointer(&b->tried[j]);
    if (!made)
      continue;
    uint64_t looks = pt_walk_made_looks(made);
    if (g_hash_table_add(b->looks, g_memdup2(&looks, sizeof looks)))
      g_ptr_array_add(b->made, made);
    else
      pt_walk_made_free(made);
  }
}

/* ---- the whole --------------------------------------------------------------------------------
 */
static void begin_bucket(Making *m, uint32_t i) {
  Bucket *b = &m->buckets[i];
  uint64_t looks = pt_walk_maker_looks(m->maker, i);
  pt_walk_maker_outline(m->maker, i, &b->outline);
  b->topologies = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  b->tried = g_new0(PtWalkMade *, m->k + 1);
  b->made = g_ptr_array_new_with_free_func((GDestroyNotify)pt_walk_made_free);
  b->looks = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  g_hash_table_add(b->looks, g_memdup2(&looks, sizeof looks));
}

static bool any_missing(const Making *m) {
  for (guint i = 0; i < m->reals->len; i++)
    if (m->buckets[i].made->len < m->k)
      return true;
  return false;
}

PtSentinelGenerator *pt_sentinel_generator_new(PtSentinelMode mode, GPtrArray *reals, uint32_t k,
                                               const PtSeed *seed, unsigned threads,
                                               const PtProgress *progress, GError **error) {
  PtSentinelGenerator *m = g_new0(PtSentinelGenerator, 1);
  *m = (PtSentinelGenerator){.reals = g_ptr_array_ref(reals), .mode = mode, .k = k};
  g_mutex_init(&m->lock);
  m->seed = pt_seed_derive(seed, "generate", 0);
  if (progress)
    m->progress = *progress;
  if (!(m->topologies = pt_topology_model_open(NULL, error)) ||
      !(m->model = pt_walk_model_open(NULL, error))) {
    pt_sentinel_generator_free(m);
    return NULL;
  }
  m->maker = pt_walk_maker_new(m->model, reals, mode == PT_MODE_RANDOM);
  m->buckets = g_new0(Bucket, reals->len + 1);
  for (uint32_t i = 0; i < reals->len; i++)
    begin_bucket(m, i);
  pt_parallel_for(reals->len, threads, draw_topologies, m);
  for (; m->round < ROUNDS && any_missing(m); m->round++) {
    m->done = 0;
    pt_parallel_for((size_t)reals->len * k, threads, assign, m);
    for (uint32_t i = 0; i < reals->len; i++)
      take(&m->buckets[i], k);
  }
  if (any_missing(m) &&
      !(m->walk = pt_sentinel_walk_new(reals, NULL, k, seed, threads, progress, error))) {
    pt_sentinel_generator_free(m);
    return NULL;
  }
  return m;
}

void pt_sentinel_generator_free(PtSentinelGenerator *m) {
  if (!m)
    return;
  for (guint i = 0; m->buckets && i < m->reals->len; i++) {
    Bucket *b = &m->buckets[i];
    for (uint32_t j = 0; j < m->k; j++)
      pt_walk_made_free(b->tried[j]);
    g_free(b->tried);
    g_array_unref(b->outline.arcs);
    pt_topology_free(b->real);
    g_ptr_array_unref(b->topologies);
    g_ptr_array_unref(b->made);
    g_hash_table_unref(b->looks);
  }
  g_free(m->buckets);
  pt_sentinel_walk_free(m->walk);
  pt_walk_maker_free(m->maker);
  pt_walk_model_free(m->model);
  pt_topology_model_free(m->topologies);
  g_ptr_array_unref(m->reals);
  g_mutex_clear(&m->lock);
  g_free(m);
}

PtGraph *pt_sentinel_generator_real(const PtSentinelGenerator *m, uint32_t i, PtValueId **origin) {
  return pt_walk_maker_real(m->maker, i, origin);
}

bool pt_sentinel_generator_make(const PtSentinelGenerator *m, uint32_t i, GPtrArray *out,
                                uint32_t *made, uint32_t *walked, GError **error) {
  const Bucket *b = &m->buckets[i];
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr(PtGraph) real = pt_walk_maker_real(m->maker, i, NULL);
  PtJudge judge = {real ? real : m->reals->pdata[i], seen, UINT64_MAX};
  uint64_t own = pt_sentinel_hash(judge.real);
  g_hash_table_add(seen, g_memdup2(&own, sizeof own));
  *made = *walked = 0;
  for (guint j = 0; j < b->made->len; j++) {
    g_autoptr(PtGraph) g = pt_walk_maker_write(m->maker, i, b->made->pdata[j]);
    if (!g || !pt_judge(&judge, g))
      continue;
    g_ptr_array_add(out, g_steal_pointer(&g));
    ++*made;
  }
  if (!m->walk || *made >= m->k)
    return true;
  g_autoptr(GPtrArray) more = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  uint32_t count = 0;
  if (!pt_sentinel_walk_make(m->walk, i, more, &count, error))
    return false;
  for (guint j = 0; j < more->len && *made < m->k; j++) {
    uint64_t hash = pt_sentinel_hash(more->pdata[j]);
    if (!g_hash_table_add(seen, g_memdup2(&hash, sizeof hash)))
      continue;
    g_ptr_array_add(out, pt_graph_ref(more->pdata[j]));
    ++*made;
    ++*walked;
  }
  return true;
}
