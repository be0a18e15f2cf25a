/* Alg. 1 on a small pool: the window's place is even, its weights are 1/p, members are drawn by
 * them; a shape is adjusted to an interface; the shipped model gives what was asked for. */
#include "topology/topology.h"

#include <math.h>

static PtRng *rng_new(const char *text) {
  PtSeed seed;
  pt_seed_init(&seed, text);
  return pt_rng_new(&seed, "test", 0);
}

static void test_window(void) {
  g_autoptr(PtRng) rng = rng_new("window");
  const PtTopologyFeatures real = {{2, 0.5, 6, 12}}, beta = {{0.5, 0.25, 3, 8}};
  uint32_t tenth[10] = {0};
  for (int i = 0; i < 20000; i++) {
    PtWindow w = pt_topology_window(&real, &beta, rng);
    for (int j = 0; j < PT_N_FEATURES; j++) {
      g_assert_cmpfloat_with_epsilon(w.high.x[j] - w.low.x[j], beta.x[j], 1e-12);
      g_assert_cmpfloat(w.low.x[j], <=, real.x[j]);
      g_assert_cmpfloat(w.high.x[j], >=, real.x[j]);
    }
    tenth[(int)((real.x[3] - w.low.x[3]) / beta.x[3] * 10)]++;
  }
  for (int i = 0; i < 10; i++) /* five standard deviations around 2000 */
    g_assert_cmpfloat(fabs(tenth[i] - 2000.0), <, 5 * sqrt(2000 * 0.9));
}

static PtTopology *chain(uint32_t n) {
  PtTopology *t = pt_topology_new(n);
  for (uint32_t i = 1; i < n; i++)
    pt_topology_add(t, i - 1, i);
  return t;
}

/* Chains of 3 (four of them), 4, 5 and 9 nodes; a window from 2.5 to 6.5 nodes. */
static void test_weights(void) {
  static const uint32_t sizes[] = {3, 3, 3, 3, 4, 5, 9};
  enum { N = G_N_ELEMENTS(sizes), TIMES = 20000 };
  g_autoptr(PtRng) rng = rng_new("weights");
  g_autoptr(GPtrArray) pool = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  PtTopologyFeatures x[N];
  double weights[N], total = 0, drawn[10] = {0};
  for (int i = 0; i < N; i++) {
    g_ptr_array_add(pool, chain(sizes[i]));
    x[i] = pt_topology_features(pool->pdata[i]);
  }
  const PtWindow window = {{{-9, -9, -9, 2.5}}, {{9, 9, 9, 6.5}}};
  g_autoptr(PtDensity) p = pt_density_new(x, N);
  pt_topology_weights(p, x, N, &window, weights);
  for (int i = 0; i < N; i++) {
    double expected = sizes[i] <= 6 ? 1 / pt_density_at(p, &x[i]) : 0;
    g_assert_cmpfloat_with_epsilon(weights[i], expected, 1e-12);
    total += weights[i];
  }
  g_assert_cmpfloat(weights[5], >, 1.5 * weights[0]); /* the rare weigh more */
  for (int i = 0; i < TIMES; i++) {
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
    g_assert_cmpuint(pt_sample_topologies(&window, pool, 1, rng, out), ==, 1);
    drawn[((PtTopology *)out->pdata[0])->n]++;
  }
  for (int i = 3; i < N; i++) {
    double odds = (i == 3 ? 4 : 1) * weights[i] / total;
    g_assert_cmpfloat(fabs(drawn[sizes[i]] - TIMES * odds), <=,
                      5 * sqrt(TIMES * odds * (1 - odds)));
  }
  /* without replacement: all six of the window, no more */
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  g_assert_cmpuint(pt_sample_topologies(&window, pool, 20, rng, all), ==, 6);
}

static void test_adjust(void) {
  g_autoptr(PtRng) rng = rng_new("adjust");
  for (int times = 0; times < 2000; times++) {
    uint32_t n = 1 + (uint32_t)pt_rng_below(rng, 15), sinks = 1 + (uint32_t)pt_rng_below(rng, 3);
    uint32_t sources = 1 + (uint32_t)pt_rng_below(rng, 3);
    g_autoptr(PtTopology) t = pt_topology_new(n);
    for (uint64_t e = pt_rng_below(rng, 2 * n); n > 1 && e > 0; e--) {
      uint32_t a = (uint32_t)pt_rng_below(rng, n), b = (uint32_t)pt_rng_below(rng, n);
      if (a != b)
        pt_topology_add(t, a, b);
    }
    pt_topology_sort(t);
    bool fits = pt_topology_sinks(t) <= sinks && pt_topology_sources(t) <= sources;
    guint edges = t->edges->len;
    pt_topology_adjust(t, sinks, sources, rng);
    g_assert_true(pt_topology_check(t));
    g_assert_cmpuint(pt_topology_sinks(t), <=, sinks);
    g_assert_cmpuint(pt_topology_sources(t), <=, sources);
    g_assert_true(!fits || t->edges->len == edges); /* what fits stays */
  }
}

static uint64_t hash_of(const GPtrArray *topologies) {
  uint64_t h = 0;
  for (guint i = 0; i < topologies->len; i++) {
    const PtTopology *t = topologies->pdata[i];
    h = pt_hash64(t->edges->data, t->edges->len * sizeof(PtEdge), pt_hash_mix(h, t->n));
  }
  return h;
}

static void check_sample_by(const PtTopologyModel *model, const PtTopology *real, uint32_t sinks,
                            bool by_density) {
  uint64_t hash[2];
  for (int again = 0; again < 2; again++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(PtRng) rng = rng_new("sample");
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
    g_assert_true(pt_topology_sample_by(model, real, 20, 1, sinks, by_density, rng, out, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(out->len, ==, 20);
    hash[again] = hash_of(out);
    for (guint i = 0; i < out->len; i++) {
      const PtTopology *t = out->pdata[i];
      g_assert_true(pt_topology_check(t));
      g_assert_cmpuint(t->n, >=, 1);
      g_assert_cmpuint(pt_topology_sinks(t), <=, sinks);
      g_assert_cmpuint(pt_topology_sources(t), <=, MAX(pt_topology_sources(real), 1));
    }
  }
  g_assert_cmpuint(hash[0], ==, hash[1]);
}

static void check_sample(const PtTopologyModel *model, const PtTopology *real, uint32_t sinks) {
  check_sample_by(model, real, sinks, false);
  check_sample_by(model, real, sinks, true);
}

/* Of a usual piece there are enough with its sources, sinks and features; shapes repeat, as
 * they do among real pieces, but are not all the same. */
static void check_company(const PtTopologyModel *model, const PtTopology *real) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtRng) rng = rng_new("company");
  g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  g_autoptr(GHashTable) distinct = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  g_assert_true(pt_topology_sample(model, real, 20, 1, 1, rng, out, &error));
  PtTopologyFeatures own = pt_topology_features(real);
  for (guint i = 0; i < out->len; i++) {
    const PtTopology *t = out->pdata[i];
    PtTopologyFeatures f = pt_topology_features(t);
    g_assert_cmpuint(pt_topology_sources(t), ==, 1);
    g_assert_cmpuint(pt_topology_sinks(t), ==, 1);
    g_assert_cmpfloat(fabs(f.x[PT_FEATURE_SIZE] - own.x[PT_FEATURE_SIZE]), <=, 6);
    g_assert_cmpfloat(fabs(f.x[PT_FEATURE_DEGREE] - own.x[PT_FEATURE_DEGREE]), <=, 0.7);
    uint64_t hash = pt_hash64(t->edges->data, t->edges->len * sizeof(PtEdge), t->n);
    g_hash_table_add(distinct, g_memdup2(&hash, sizeof hash));
  }
  g_assert_cmpuint(g_hash_table_size(distinct), >=, 4);
}

/* What comes late is read late, what goes early is made early, and no sink is too late. */
static void test_stage(void) {
  static const uint32_t from[] = {0, 3}, before[] = {6, 3}, soon[] = {2, 4};
  g_autoptr(PtRng) rng = rng_new("stage");
  for (int i = 0; i < 50; i++) {
    g_autoptr(PtTopology) two = pt_topology_new(6), fork = pt_topology_new(4);
    for (uint32_t k = 0; k < 4; k++)
      pt_topology_add(two, k, k + 2); /* two chains, one place apart */
    pt_topology_sort(two);
    pt_topology_stage(two, from, 2, before, 2, rng);
    g_assert_true(pt_topology_check(two));
    g_assert_cmpuint(two->edges->len, ==, 4);
    for (guint e = 0; e < 4; e++) { /* one after the other */
      g_assert_cmpuint(pt_topology_edge(two, e).from, ==, e + (e >= 2));
      g_assert_cmpuint(pt_topology_edge(two, e).to, ==, e + 1 + (e >= 2));
    }
    pt_topology_add(fork, 0, 1);
    pt_topology_add(fork, 1, 2);
    pt_topology_add(fork, 1, 3);
    pt_topology_sort(fork);
    pt_topology_stage(fork, from, 1, soon, 2, rng);
    g_assert_true(pt_topology_check(fork));
    g_assert_cmpuint(pt_topology_sinks(fork), ==, 1); /* two sinks, but one late output */
  }
}

/* A residual block, a single node, a pair, an odd one: a star. */
static void test_shipped(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path =
      g_build_filename(g_getenv("PT_TEST_SOURCE"), "data", "topology.bin", NULL);
  g_autoptr(PtTopologyModel) model = pt_topology_model_open(path, &error);
  g_assert_no_error(error);
  g_autoptr(PtTopology) block = chain(9), one = chain(1), two = chain(2),
                        star = pt_topology_new(12);
  pt_topology_add(block, 0, 7);
  pt_topology_sort(block);
  for (uint32_t i = 0; i < 11; i++)
    pt_topology_add(star, i, 11);
  check_sample(model, block, 1);
  check_company(model, block);
  check_sample(model, one, 1);
  check_sample(model, two, 1);
  check_sample(model, star, 2);
  g_autoptr(PtTopology) huge = pt_topology_new(100000), empty = pt_topology_new(0);
  g_autoptr(PtRng) rng = rng_new("limits");
  g_autoptr(GPtrArray) out = g_ptr_array_new();
  g_assert_false(pt_topology_sample(model, huge, 1, 1, 1, rng, out, &error));
  g_assert_error(error, PT_TOPOLOGY_ERROR, PT_ERR_LIMIT);
  g_clear_error(&error);
  g_assert_false(pt_topology_sample(model, empty, 1, 1, 1, rng, out, &error));
  g_assert_error(error, PT_TOPOLOGY_ERROR, PT_ERR_USAGE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/topology/sample/window", test_window);
  g_test_add_func("/topology/sample/weights", test_weights);
  g_test_add_func("/topology/sample/adjust", test_adjust);
  g_test_add_func("/topology/sample/stage", test_stage);
  g_test_add_func("/topology/sample/shipped", test_shipped);
  return g_test_run();
}
