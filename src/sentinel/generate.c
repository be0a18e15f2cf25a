/* generate: sentinels from the paper's generator: topologies around the real piece's (Alg. 1, 3),
 * operators assigned to them (Alg. 2). Mode random: the same with opcodes at random, the paper's
 * baseline. What cannot be found so comes from the walk. */
#include "sentinel/sentinel_private.h"

#include "topology/topology.h"
#include "walk/walk.h"

#define DRAWN_ROUNDS 3 /* until a bucket has what it needs and spares: without Z3 */
#define ROUNDS 6       /* with Z3, until it has what it needs */
#define MORE_ROUNDS 64 /* of those that are asked for later */
#define OVER 1.5       /* topologies a sentinel: the likeliest are taken */
#define WORK 640    /* solutions of a topology times its nodes, of which the likeliest is taken */
#define LEAST 4     /* however many nodes */
#define MOST 64     /* and however few */
#define KEPT 4.0    /* of these solutions: the likeliest may be there already */
#define SOLUTIONS 2 /* with Z3 */
#define DRAWS 12    /* before, and in mode random */
#define RLIMIT 1000000 /* of a query: tenths of a second */
#define PATIENCE 400   /* queries a topology */
#define TRIES 2        /* of Z3 in a round and bucket; none found, none is tried in the next */
#define BREADTH 5      /* proposals whose operators a node may have; more in later rounds */

typedef struct Tried {
  PtWalkMade *made; /* or NULL */
  double logprob;
} Tried;

typedef struct Bucket {
  PtWalkOutline outline;
  PtTopology *real;
  GPtrArray *topologies; /* PtTopology */
  Tried *tried;          /* [tries] of the round under way */
  GPtrArray *made;       /* PtWalkMade, distinct */
  GHashTable *looks;     /* of these and of the real piece */
  bool in_vain;          /* Z3 found nothing */
  GHashTable *written;   /* hashes of graphs that went out, likewise */
  uint32_t later;        /* rounds of those asked for later */
} Bucket;

struct PtSentinelGenerator {
  PtWalkModel *model;
  PtWalkMaker *maker;
  PtTopologyModel *topologies;
  PtSentinelWalk *walk; /* for those that are missing, or NULL */
  GPtrArray *reals;     /* borrowed graphs */
  PtScalars *scalars;
  PtSentinelMode mode;
  uint32_t k, wanted, tries, round; /* tries: topologies of a round */
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

/* What stays stands between what is replaced. */
static void stage(const Making *m, uint32_t index, PtTopology *t, PtRng *rng) {
  g_autoptr(GArray) from = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  g_autoptr(GArray) before = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  bool within = false;
  pt_walk_maker_border(m->maker, index, t->n, from, before);
  for (guint i = 0; i < from->len; i++)
    within |= g_array_index(from, uint32_t, i) > 0;
  for (guint i = 0; i < before->len; i++)
    within |= g_array_index(before, uint32_t, i) < t->n;
  if (within)
    pt_topology_stage(t, (const uint32_t *)(const void *)from->data, from->len,
                      (const uint32_t *)(const void *)before->data, before->len, rng);
}

static void draw_topologies(size_t index, void *data) {
  Making *m = data;
  Bucket *b = &m->buckets[index];
  g_autoptr(PtRng) rng = pt_rng_new(&m->seed, "topologies", index);
  if (b->outline.n == 0)
    return;
  pt_walk_maker_guide(m->maker, (uint32_t)index, m->mode == PT_MODE_RANDOM);
  b->real = pt_topology_new(b->outline.n);
  for (guint i = 0; i < b->outline.arcs->len; i++) {
    const PtArc *arc = &g_array_index(b->outline.arcs, PtArc, i);
    pt_topology_add(b->real, arc->from, arc->to);
  }
  pt_topology_sort(b->real);
  uint32_t count = m->tries + m->wanted / 2 + 1;
  if (!pt_topology_sample(m->topologies, b->real, count, b->outline.n_inputs, b->outline.n_outputs,
                          rng, b->topologies, NULL))
    for (uint32_t i = 0; i < count; i++)
      g_ptr_array_add(b->topologies, perturbed(b->real, rng));
  for (guint i = 0; i < b->topologies->len; i++) {
    limit_degrees(b->topologies->pdata[i], b->outline.arities, rng);
    pt_topology_adjust(b->topologies->pdata[i], b->outline.n_outputs, b->outline.n, rng);
    limit_degrees(b->topologies->pdata[i], b->outline.arities, rng);
    stage(m, (uint32_t)index, b->topologies->pdata[i], rng);
  }
  g_mutex_lock(&m->lock);
  pt_progress(&m->progress, "drawing topologies", ++m->done, m->reals->len);
  g_mutex_unlock(&m->lock);
}

/* ---- operators --------------------------------------------------------------------------------
 */
static Tried fill(const Making *m, uint32_t i, uint32_t topology, bool with_z3, PtRng *rng) {
  const Bucket *b = &m->buckets[i];
  const PtTopology *t = b->topologies->pdata[topology % b->topologies->len];
  g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)pt_walk_made_free);
  bool at_random = m->mode == PT_MODE_RANDOM;
  bool many = !at_random && !with_z3;
  uint32_t solutions = at_random ? 1 : many ? CLAMP(WORK / MAX(t->n, 1), LEAST, MOST) : SOLUTIONS;
  PtPopulateOptions options = {.max_solns = solutions,
                               .pct = MIN(KEPT / solutions, 1),
                               .rlimit = at_random ? RLIMIT / 8 : RLIMIT,
                               .patience = PATIENCE,
                               .draws = many ? 2 * solutions : DRAWS,
                               .only_draws = !with_z3,
                               .least = 1,
                               .likelihood = at_random ? NULL : pt_walk_maker_likelihood(m->maker),
                               .breadth =
                                   BREADTH * (MAX(m->round, DRAWN_ROUNDS) - DRAWN_ROUNDS + 1)};
  PtPopulateStats stats = {0};
  G_STATIC_ASSERT(sizeof(PtArc) == sizeof(PtEdge));
  (void)pt_walk_maker_fill(m->maker, i, t->n, (const PtArc *)(const void *)t->edges->data,
                           t->edges->len, &options, rng, found, &stats, NULL);
  for (guint k = 0; k < found->len; k++) {
    uint64_t looks = pt_walk_made_looks(found->pdata[k]);
    if (!g_hash_table_contains(b->looks, &looks))
      return (Tried){g_steal_pointer(&found->pdata[k]), stats.best};
  }
  return (Tried){0};
}

static void assign(size_t index, void *data) {
  Making *m = data;
  uint32_t i = (uint32_t)(index / m->tries), slot = (uint32_t)(index % m->tries);
  Bucket *b = &m->buckets[i];
  bool with_z3 = m->round >= DRAWN_ROUNDS;
  uint32_t tasks = (m->wanted - MIN(b->made->len, m->wanted)) * m->tries / m->wanted;
  if (with_z3)
    tasks = b->in_vain ? 0 : MIN(m->k - MIN(b->made->len, m->k), TRIES);
  if (slot < tasks && b->topologies->len > 0) {
    g_autoptr(PtRng) rng = pt_rng_new(&m->seed, "operators", index * ROUNDS + m->round);
    b->tried[slot] = fill(m, i, slot + m->round * m->tries, with_z3, rng);
  }
  g_mutex_lock(&m->lock);
  pt_progress(&m->progress, "assigning operators", ++m->done, (uint64_t)m->reals->len * m->tries);
  g_mutex_unlock(&m->lock);
}

static bool take(Bucket *b, PtWalkMade *made) {
  uint64_t looks = made ? pt_walk_made_looks(made) : 0;
  if (!made)
    return false;
  if (!g_hash_table_add(b->looks, g_memdup2(&looks, sizeof looks))) {
    pt_walk_made_free(made);
    return false;
  }
  g_ptr_array_add(b->made, made);
  return true;
}

static int by_logprob(const void *a, const void *b) {
  const Tried *x = a, *y = b;
  if (!x->made || !y->made)
    return !x->made - !y->made;
  return x->logprob > y->logprob ? -1 : x->logprob < y->logprob;
}

/* The likeliest, as many as are wanted. */
static void take_round(const Making *m, Bucket *b) {
  guint before = b->made->len;
  g_autoptr(GArray) tried = g_array_sized_new(FALSE, FALSE, sizeof(Tried), m->tries);
  g_array_append_vals(tried, b->tried, m->tries);
  g_array_sort(tried, by_logprob); /* stable: merge sort */
  for (uint32_t j = 0; j < m->tries; j++) {
    PtWalkMade *made = g_array_index(tried, Tried, j).made;
    if (b->made->len < m->wanted)
      (void)take(b, made);
    else if (made)
      pt_walk_made_free(made);
    b->tried[j] = (Tried){0};
  }
  b->in_vain |= m->round >= DRAWN_ROUNDS && b->made->len == before && before < m->k;
}

/* ---- the whole --------------------------------------------------------------------------------
 */
static void begin_bucket(Making *m, uint32_t i) {
  Bucket *b = &m->buckets[i];
  uint64_t looks = pt_walk_maker_looks(m->maker, i);
  pt_walk_maker_outline(m->maker, i, &b->outline);
  b->topologies = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  b->tried = g_new0(Tried, m->tries + 1);
  b->made = g_ptr_array_new_with_free_func((GDestroyNotify)pt_walk_made_free);
  b->looks = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  b->written = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  g_hash_table_add(b->looks, g_memdup2(&looks, sizeof looks));
}

static bool any_has_less(const Making *m, uint32_t than) {
  for (guint i = 0; i < m->reals->len; i++)
    if (m->buckets[i].made->len < than)
      return true;
  return false;
}

PtSentinelGenerator *pt_sentinel_generator_new(PtSentinelMode mode, GPtrArray *reals, uint32_t k,
                                               uint32_t spare, const PtSeed *seed, unsigned threads,
                                               const PtProgress *progress, GError **error) {
  PtSentinelGenerator *m = g_new0(PtSentinelGenerator, 1);
  *m = (PtSentinelGenerator){
      .reals = g_ptr_array_ref(reals), .mode = mode, .k = k, .wanted = k + spare};
  m->tries = mode == PT_MODE_RANDOM ? m->wanted : (uint32_t)(m->wanted * OVER);
  m->scalars = pt_scalars_new(reals);
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
  for (; m->round < ROUNDS && any_has_less(m, m->round < DRAWN_ROUNDS ? m->wanted : k);
       m->round++) {
    m->done = 0;
    pt_parallel_for((size_t)reals->len * m->tries, threads, assign, m);
    for (uint32_t i = 0; i < reals->len; i++)
      take_round(m, &m->buckets[i]);
  }
  if (any_has_less(m, k) && !(m->walk = pt_sentinel_walk_new(reals, NULL, m->wanted, 0, seed,
                                                             threads, progress, error))) {
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
    g_free(b->tried);
    g_array_unref(b->outline.arcs);
    pt_topology_free(b->real);
    g_ptr_array_unref(b->topologies);
    g_ptr_array_unref(b->made);
    g_hash_table_unref(b->looks);
    g_hash_table_unref(b->written);
  }
  g_free(m->buckets);
  pt_sentinel_walk_free(m->walk);
  pt_walk_maker_free(m->maker);
  pt_walk_model_free(m->model);
  pt_topology_model_free(m->topologies);
  pt_scalars_free(m->scalars);
  g_ptr_array_unref(m->reals);
  g_mutex_clear(&m->lock);
  g_free(m);
}

PtGraph *pt_sentinel_generator_real(const PtSentinelGenerator *m, uint32_t i, PtValueId **origin) {
  return pt_walk_maker_real(m->maker, i, origin);
}

PtGraph *pt_sentinel_generator_normal(const PtSentinelGenerator *m, PtGraph *piece) {
  return pt_walk_normal_form(m->model, piece, NULL, NULL);
}

/* Of those made from the j-th on. */
static void write_from(const Making *m, uint32_t i, guint j, GPtrArray *out) {
  const Bucket *b = &m->buckets[i];
  g_autoptr(PtGraph) real = pt_walk_maker_real(m->maker, i, NULL);
  PtJudge judge = {real ? real : m->reals->pdata[i], b->written, UINT64_MAX};
  uint64_t own = pt_sentinel_hash(judge.real);
  g_hash_table_add(b->written, g_memdup2(&own, sizeof own));
  for (; j < b->made->len; j++) {
    g_autoptr(PtGraph) g = pt_walk_maker_write(m->maker, i, b->made->pdata[j]);
    g_autoptr(PtRng) rng = pt_rng_new(&m->seed, "scalars", (uint64_t)i << 32 | j);
    if (g)
      pt_scalars_mend(m->scalars, g, rng);
    if (g && pt_judge(&judge, g))
      g_ptr_array_add(out, g_steal_pointer(&g));
  }
}

bool pt_sentinel_generator_make(PtSentinelGenerator *m, uint32_t i, GPtrArray *out, uint32_t *made,
                                uint32_t *walked, GError **error) {
  const Bucket *b = &m->buckets[i];
  guint before = out->len;
  write_from(m, i, 0, out);
  *made = out->len - before;
  *walked = 0;
  if (!m->walk || *made >= m->k)
    return true;
  g_autoptr(GPtrArray) more = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  uint32_t count = 0;
  if (!pt_sentinel_walk_make(m->walk, i, more, &count, error))
    return false;
  for (guint j = 0; j < more->len && *made < m->wanted; j++) {
    uint64_t hash = pt_sentinel_hash(more->pdata[j]);
    if (!g_hash_table_add(b->written, g_memdup2(&hash, sizeof hash)))
      continue;
    g_ptr_array_add(out, pt_graph_ref(more->pdata[j]));
    ++*made;
    ++*walked;
  }
  return true;
}

void pt_sentinel_generator_more(PtSentinelGenerator *m, uint32_t i, uint32_t count,
                                GPtrArray *out) {
  Bucket *b = &m->buckets[i];
  guint first = b->made->len;
  for (; b->topologies->len > 0 && b->later < MORE_ROUNDS && b->made->len < first + count;
       b->later++) {
    g_autoptr(PtRng) rng = pt_rng_new(&m->seed, "more operators", (uint64_t)i << 32 | b->later);
    (void)take(b, fill(m, i, b->later, false, rng).made);
  }
  write_from(m, i, first, out);
}
