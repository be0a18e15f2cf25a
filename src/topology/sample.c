/* sample: Alg. 1 of the paper, and what is around it: a pool from GraphRNN, the interface. */
#include "topology/model.h"

#include <math.h>
#include <string.h>

enum {
  POOL = 256,   /* graphs drawn at a time */
  CHUNK = 64,   /* of these, as many go through the network together */
  ROUNDS = 12,  /* pools at most */
  ENOUGH = 3,   /* members of the window for each one wanted */
  PATIENCE = 2, /* pools before the window is widened */
};

/* ---- Alg. 1 -----------------------------------------------------------------------------------
 */
PtWindow pt_topology_window(const PtTopologyFeatures *real, const PtTopologyFeatures *beta,
                            PtRng *rng) {
  PtWindow w;
  for (int j = 0; j < PT_N_FEATURES; j++) {
    double alpha = pt_rng_unit(rng) * beta->x[j]; /* alpha ~ Unif([0, beta]) */
    w.low.x[j] = real->x[j] - alpha;
    w.high.x[j] = w.low.x[j] + beta->x[j];
  }
  return w;
}

static bool is_inside(const PtWindow *w, const PtTopologyFeatures *x) {
  for (int j = 0; j < PT_N_FEATURES; j++)
    if (!(x->x[j] >= w->low.x[j] && x->x[j] <= w->high.x[j]))
      return false;
  return true;
}

void pt_topology_weights(const PtDensity *p, const PtTopologyFeatures *x, uint32_t n,
                         const PtWindow *window, double *weights) {
  for (uint32_t i = 0; i < n; i++)
    weights[i] = is_inside(window, &x[i]) ? 1 / pt_density_at(p, &x[i]) : 0;
}

uint32_t pt_sample_topologies(const PtWindow *window, const GPtrArray *pool, uint32_t count,
                              PtRng *rng, GPtrArray *out) {
  g_autofree PtTopologyFeatures *x = g_new(PtTopologyFeatures, pool->len + 1);
  g_autofree double *weights = g_new(double, pool->len + 1);
  for (guint i = 0; i < pool->len; i++)
    x[i] = pt_topology_features(pool->pdata[i]);
  g_autoptr(PtDensity) p = pt_density_new(x, pool->len);
  pt_topology_weights(p, x, pool->len, window, weights);
  for (uint32_t drawn = 0; drawn < count; drawn++) {
    size_t i = pt_rng_weighted(rng, weights, pool->len);
    if (i == pool->len)
      return drawn;
    g_ptr_array_add(out, pt_topology_copy(pool->pdata[i]));
    weights[i] = 0;
  }
  return count;
}

/* ---- drawing ----------------------------------------------------------------------------------
 */
void pt_topology_draw(const PtTopologyModel *model, const uint32_t *sizes, uint32_t count,
                      bool induced, PtRng *rng, GPtrArray *out) {
  PtSeed seed;
  g_autofree double *odds = g_new(double, model->n_sizes);
  g_autofree uint32_t *own = g_new(uint32_t, count + 1);
  for (uint32_t i = 0; i < model->n_sizes; i++)
    odds[i] = model->sizes[i];
  for (uint32_t i = 0; i < count; i++)
    own[i] = sizes ? sizes[i] : (uint32_t)pt_rng_weighted(rng, odds, model->n_sizes);
  pt_rng_bytes(rng, seed.key, sizeof seed.key);
  for (uint32_t at = 0; at < count; at += CHUNK) {
    PtRows *rows[CHUNK];
    uint32_t n = MIN(CHUNK, count - at);
    PtSeed below = pt_seed_derive(&seed, "chunk", at);
    pt_graphrnn_draw(model->net, own + at, n, &below, rows);
    for (uint32_t i = 0; i < n; i++) {
      if (induced) {
        g_autoptr(PtTopology) undirected = pt_rows_undirected(rows[i]);
        g_ptr_array_add(out, pt_topology_induce_orientation(undirected));
      } else
        g_ptr_array_add(out, pt_rows_directed(rows[i]));
      pt_rows_free(rows[i]);
    }
  }
}

/* ---- all of it --------------------------------------------------------------------------------
 */
/* As far from the real piece as its sentinels may be. */
static PtTopologyFeatures default_beta(const PtTopologyFeatures *real) {
  PtTopologyFeatures beta;
  beta.x[PT_FEATURE_DEGREE] = 0.5;
  beta.x[PT_FEATURE_CLUSTERING] = MAX(0.1, real->x[PT_FEATURE_CLUSTERING]);
  beta.x[PT_FEATURE_DIAMETER] = MAX(3, real->x[PT_FEATURE_DIAMETER] / 2);
  beta.x[PT_FEATURE_SIZE] = MAX(4, real->x[PT_FEATURE_SIZE] / 2);
  return beta;
}

static void widen(PtWindow *w) {
  for (int j = 0; j < PT_N_FEATURES; j++) {
    double more = (w->high.x[j] - w->low.x[j]) / 4;
    w->low.x[j] -= more;
    w->high.x[j] += more;
  }
}

typedef struct Pool {
  GPtrArray *members; /* PtTopology */
  GArray *features;   /* PtTopologyFeatures */
  uint32_t n_outputs, max_sources;
} Pool;

/* Sizes evenly from the window, as their odds are divided out by 1/p anyway. */
static void add_to_pool(Pool *pool, const PtTopologyModel *model, const PtWindow *w, PtRng *rng) {
  uint32_t sizes[POOL], most = pt_topology_max_size(model);
  double low = MAX(ceil(w->low.x[PT_FEATURE_SIZE]), 1);
  double high = MIN(floor(w->high.x[PT_FEATURE_SIZE]), most);
  for (uint32_t i = 0; i < POOL; i++)
    sizes[i] = (uint32_t)low + (uint32_t)pt_rng_below(rng, (uint64_t)(MAX(high - low, 0)) + 1);
  guint from = pool->members->len;
  pt_topology_draw(model, sizes, POOL, false, rng, pool->members);
  for (guint i = from; i < pool->members->len; i++) {
    PtTopology *t = pool->members->pdata[i];
    pt_topology_adjust(t, pool->n_outputs, pool->max_sources, rng);
    PtTopologyFeatures x = pt_topology_features(t);
    g_array_append_val(pool->features, x);
  }
}

static uint32_t count_inside(const Pool *pool, const PtWindow *w) {
  uint32_t inside = 0;
  for (guint i = 0; i < pool->features->len; i++)
    inside += is_inside(w, &g_array_index(pool->features, PtTopologyFeatures, i));
  return inside;
}

/* Without replacement, until all are drawn; what the window lacks comes from a wider one. */
static void sample_pool(const Pool *pool, const PtWindow *window, uint32_t count, PtRng *rng,
                        GPtrArray *out) {
  const PtTopologyFeatures *x = (const PtTopologyFeatures *)(const void *)pool->features->data;
  uint32_t n = pool->members->len, fresh = n;
  g_autofree double *weights = g_new(double, n + 1);
  g_autofree bool *used = g_new0(bool, n + 1);
  g_autoptr(PtDensity) p = pt_density_new(x, n);
  for (PtWindow w = *window; count > 0; widen(&w)) {
    pt_topology_weights(p, x, n, &w, weights);
    for (uint32_t i = 0; i < n; i++)
      weights[i] = used[i] ? 0 : weights[i];
    for (; count > 0 && fresh > 0; count--, fresh--) {
      size_t i = pt_rng_weighted(rng, weights, n);
      if (i == n)
        break;
      g_ptr_array_add(out, pt_topology_copy(pool->members->pdata[i]));
      weights[i] = 0;
      used[i] = true;
    }
    if (fresh == 0) {
      memset(used, 0, n * sizeof *used);
      fresh = n;
    }
  }
}

bool pt_topology_sample(const PtTopologyModel *model, const PtTopology *real, uint32_t count,
                        uint32_t n_inputs, uint32_t n_outputs, PtRng *rng, GPtrArray *out,
                        GError **error) {
  if (real->n == 0 || real->n > pt_topology_max_size(model)) {
    g_set_error(error, PT_TOPOLOGY_ERROR, real->n == 0 ? PT_ERR_USAGE : PT_ERR_LIMIT,
                "A piece of %u nodes has no sentinels like it; cut the model into more pieces.",
                real->n);
    return false;
  }
  PtTopologyFeatures features = pt_topology_features(real), beta = default_beta(&features);
  PtWindow window = pt_topology_window(&features, &beta, rng);
  Pool pool = {g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free),
               g_array_new(FALSE, FALSE, sizeof(PtTopologyFeatures)), MAX(n_outputs, 1),
               MAX(MAX(n_inputs, 1), pt_topology_sources(real))};
  for (uint32_t round = 0; round < ROUNDS; round++) {
    add_to_pool(&pool, model, &window, rng);
    if (count_inside(&pool, &window) >= ENOUGH * (uint64_t)count)
      break;
    if (round % PATIENCE == PATIENCE - 1)
      widen(&window);
  }
  sample_pool(&pool, &window, count, rng, out);
  g_ptr_array_unref(pool.members);
  g_array_unref(pool.features);
  return true;
}
