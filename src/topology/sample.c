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
  beta.x[PT_FEATURE_DEGREE] = MAX(0.2, 4 / real->x[PT_FEATURE_SIZE]); /* two edges */
  beta.x[PT_FEATURE_CLUSTERING] = MAX(0.1, real->x[PT_FEATURE_CLUSTERING]);
  beta.x[PT_FEATURE_DIAMETER] = MAX(3, real->x[PT_FEATURE_DIAMETER] / 2);
  beta.x[PT_FEATURE_SIZE] = MAX(4, real->x[PT_FEATURE_SIZE] / 2);
  return beta;
}

/* What a sentinel may look like: Alg. 1's window, and as many sources and sinks as the real piece:
 * they follow from the interface, which the whole bucket shares. */
typedef struct Bounds {
  PtWindow window;
  double sources[2], sinks[2]; /* least, most */
} Bounds;

typedef struct Member {
  PtTopology *topology; /* owned */
  uint32_t sources, sinks;
} Member;

typedef struct Pool {
  GArray *members;  /* Member */
  GArray *features; /* PtTopologyFeatures, of each */
  uint32_t n_outputs, max_sources;
  bool by_density; /* members weigh 1/p, as in the paper; else all the same */
} Pool;

static void widen(Bounds *b) {
  for (int j = 0; j < PT_N_FEATURES; j++) {
    double more = (b->window.high.x[j] - b->window.low.x[j]) / 4;
    b->window.low.x[j] -= more;
    b->window.high.x[j] += more;
  }
  for (int side = 0; side < 2; side++) {
    b->sources[side] += side ? 0.5 : -0.5; /* one more or fewer at every second time */
    b->sinks[side] += side ? 0.5 : -0.5;
  }
}

static Bounds bounds_of(const PtTopology *real, PtRng *rng) {
  PtTopologyFeatures features = pt_topology_features(real), beta = default_beta(&features);
  Bounds b = {.window = pt_topology_window(&features, &beta, rng)};
  b.sources[0] = b.sources[1] = pt_topology_sources(real);
  b.sinks[0] = b.sinks[1] = pt_topology_sinks(real);
  return b;
}

static bool is_within(const Pool *pool, guint i, const Bounds *b) {
  const Member *m = &g_array_index(pool->members, Member, i);
  return is_inside(&b->window, &g_array_index(pool->features, PtTopologyFeatures, i)) &&
         m->sources >= b->sources[0] && m->sources <= b->sources[1] && m->sinks >= b->sinks[0] &&
         m->sinks <= b->sinks[1];
}

/* Odds of the sizes low..high: as often as among the pieces learned, smoothed as these are few. */
static double *size_odds(const PtTopologyModel *model, uint32_t low, uint32_t high) {
  double *odds = g_new(double, high - low + 1);
  for (uint32_t n = low; n <= high; n++) {
    odds[n - low] = 1e-6;
    for (uint32_t m = 1; m < model->n_sizes; m++) {
      double away = ((double)m - n) / (1 + 0.1 * m);
      odds[n - low] += model->sizes[m] * exp(-away * away / 2);
    }
  }
  return odds;
}

static void add_to_pool(Pool *pool, const PtTopologyModel *model, const PtWindow *w, PtRng *rng) {
  uint32_t sizes[POOL];
  double most = pt_topology_max_size(model);
  uint32_t low = (uint32_t)CLAMP(ceil(w->low.x[PT_FEATURE_SIZE]), 1, most);
  uint32_t high = (uint32_t)CLAMP(floor(w->high.x[PT_FEATURE_SIZE]), low, most);
  g_autofree double *odds = size_odds(model, low, high);
  for (uint32_t i = 0; i < POOL; i++) /* evenly where 1/p divides the odds out anyway */
    sizes[i] = low + (uint32_t)(pool->by_density ? pt_rng_below(rng, high - low + 1)
                                                 : pt_rng_weighted(rng, odds, high - low + 1));
  g_autoptr(GPtrArray) drawn = g_ptr_array_new();
  pt_topology_draw(model, sizes, POOL, false, rng, drawn);
  for (guint i = 0; i < drawn->len; i++) {
    PtTopology *t = drawn->pdata[i];
    pt_topology_adjust(t, pool->n_outputs, pool->max_sources, rng);
    PtTopologyFeatures x = pt_topology_features(t);
    Member m = {t, pt_topology_sources(t), pt_topology_sinks(t)};
    g_array_append_val(pool->features, x);
    g_array_append_val(pool->members, m);
  }
}

static uint32_t count_within(const Pool *pool, const Bounds *b) {
  uint32_t within = 0;
  for (guint i = 0; i < pool->members->len; i++)
    within += is_within(pool, i, b);
  return within;
}

/* Without replacement, until all are drawn; what the bounds lack comes from wider ones. */
static void sample_pool(const Pool *pool, const Bounds *bounds, uint32_t count, PtRng *rng,
                        GPtrArray *out) {
  const PtTopologyFeatures *x = (const PtTopologyFeatures *)(const void *)pool->features->data;
  uint32_t n = pool->members->len, fresh = n;
  g_autofree double *weights = g_new(double, n + 1);
  g_autofree bool *used = g_new0(bool, n + 1);
  g_autoptr(PtDensity) p = pool->by_density ? pt_density_new(x, n) : NULL;
  for (Bounds b = *bounds; count > 0; widen(&b)) {
    for (uint32_t i = 0; i < n; i++)
      weights[i] = used[i] || !is_within(pool, i, &b) ? 0 : p ? 1 / pt_density_at(p, &x[i]) : 1;
    for (; count > 0 && fresh > 0; count--, fresh--) {
      size_t i = pt_rng_weighted(rng, weights, n);
      if (i == n)
        break;
      g_ptr_array_add(out, pt_topology_copy(g_array_index(pool->members, Member, i).topology));
      weights[i] = 0;
      used[i] = true;
    }
    if (fresh == 0) {
      memset(used, 0, n * sizeof *used);
      fresh = n;
    }
  }
}

static void clear_member(void *data) {
  pt_topology_free(((Member *)data)->topology);
}

bool pt_topology_sample_by(const PtTopologyModel *model, const PtTopology *real, uint32_t count,
                           uint32_t n_inputs, uint32_t n_outputs, bool by_density, PtRng *rng,
                           GPtrArray *out, GError **error) {
  if (real->n == 0 || real->n > pt_topology_max_size(model)) {
    g_set_error(error, PT_TOPOLOGY_ERROR, real->n == 0 ? PT_ERR_USAGE : PT_ERR_LIMIT,
                "A piece of %u nodes has no sentinels like it; cut the model into more pieces.",
                real->n);
    return false;
  }
  Bounds bounds = bounds_of(real, rng);
  Pool pool = {g_array_new(FALSE, FALSE, sizeof(Member)),
               g_array_new(FALSE, FALSE, sizeof(PtTopologyFeatures)), MAX(n_outputs, 1),
               MAX(MAX(n_inputs, 1), pt_topology_sources(real)), by_density};
  g_array_set_clear_func(pool.members, clear_member);
  for (uint32_t round = 0; round < ROUNDS; round++) {
    add_to_pool(&pool, model, &bounds.window, rng);
    if (count_within(&pool, &bounds) >= ENOUGH * (uint64_t)count)
      break;
    if (round % PATIENCE == PATIENCE - 1)
      widen(&bounds);
  }
  sample_pool(&pool, &bounds, count, rng, out);
  g_array_unref(pool.members);
  g_array_unref(pool.features);
  return true;
}

bool pt_topology_sample(const PtTopologyModel *model, const PtTopology *real, uint32_t count,
                        uint32_t n_inputs, uint32_t n_outputs, PtRng *rng, GPtrArray *out,
                        GError **error) {
  return pt_topology_sample_by(model, real, count, n_inputs, n_outputs, false, rng, out, error);
}
