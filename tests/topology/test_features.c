/* Features against values worked out by hand, the density against its formula, Alg. 3. */
#include "topology/topology_private.h"

#include <math.h>

/* Edges as pairs, ended by {0, 0}. */
static PtTopology *graph(uint32_t n, const uint32_t (*edges)[2]) {
  PtTopology *t = pt_topology_new(n);
  for (; (*edges)[0] || (*edges)[1]; edges++)
    pt_topology_add(t, (*edges)[0], (*edges)[1]);
  pt_topology_sort(t);
  g_assert_true(pt_topology_check(t));
  return t;
}

static void check(uint32_t n, const uint32_t (*edges)[2], double degree, double clustering,
                  double diameter) {
  g_autoptr(PtTopology) t = graph(n, edges);
  PtTopologyFeatures f = pt_topology_features(t);
  g_assert_cmpfloat_with_epsilon(f.x[PT_FEATURE_DEGREE], degree, 1e-12);
  g_assert_cmpfloat_with_epsilon(f.x[PT_FEATURE_CLUSTERING], clustering, 1e-12);
  g_assert_cmpfloat_with_epsilon(f.x[PT_FEATURE_DIAMETER], diameter, 1e-12);
  g_assert_cmpfloat_with_epsilon(f.x[PT_FEATURE_SIZE], n, 1e-12);
}

static void test_features(void) {
  static const uint32_t none[][2] = {{0, 0}}, chain[][2] = {{0, 1}, {1, 2}, {2, 3}, {0, 0}},
                        triangle[][2] = {{0, 1}, {1, 2}, {0, 2}, {0, 0}},
                        cycle[][2] = {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {0, 4}, {0, 0}},
                        full[][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}, {0, 0}},
                        twice[][2] = {{0, 1}, {1, 0}, {0, 1}, {0, 0}},
                        apart[][2] = {{0, 1}, {1, 2}, {3, 4}, {0, 0}},
                        /* a triangle 0 1 2 with a tail 2 3 4: 1, 1, 1/3, 0, 0 */
      tail[][2] = {{0, 1}, {0, 2}, {1, 2}, {2, 3}, {3, 4}, {0, 0}};
  check(1, none, 0, 0, 0);
  check(4, chain, 1.5, 0, 3);
  check(3, triangle, 2, 1, 1);
  check(5, cycle, 2, 0, 2);
  check(4, full, 3, 1, 1);
  check(2, twice, 1, 0, 1);
  check(5, apart, 1.2, 0, 2);
  check(5, tail, 2, (1 + 1 + 1.0 / 3) / 5, 3);
}

static void test_of_graph(void) {
  /* x -> Relu -> a; Add(a, a) -> b; Mul(a, b) -> c, nodes entered in another order than they run */
  g_autoptr(PtGraph) g = pt_graph_new();
  PtValueId x = pt_graph_add_value(g, "x");
  pt_value(g, x)->is_input = true;
  g_array_append_val(g->inputs, x);
  PtValueId a = pt_graph_add_value(g, "a"), b = pt_graph_add_value(g, "b");
  PtValueId c = pt_graph_add_value(g, "c");
  pt_graph_add_node(g, "", "Mul", (PtValueId[]){a, b}, 2, &c, 1);
  pt_graph_add_node(g, "", "Add", (PtValueId[]){a, a}, 2, &b, 1);
  pt_graph_add_node(g, "", "Relu", &x, 1, &a, 1);
  pt_graph_add_output(g, c);
  g_autoptr(PtTopology) t = pt_topology_of_graph(g);
  g_assert_true(pt_topology_check(t));
  g_assert_cmpuint(t->n, ==, 3);
  g_assert_cmpuint(t->edges->len, ==, 3);
  g_assert_cmpuint(pt_topology_sources(t), ==, 1);
  g_assert_cmpuint(pt_topology_sinks(t), ==, 1);
  g_assert_cmpuint(pt_topology_edge(t, 2).from, ==, 1);
}

static double gauss(double away, double width) {
  return exp(-away * away / (2 * width * width)) / (sqrt(2 * G_PI) * width);
}

static void test_density(void) {
  /* two features vary: Scott's factor is n^(-1/6) */
  static const PtTopologyFeatures points[] = {{{1, 0, 3, 5}}, {{2, 0, 3, 6}}, {{3, 0, 3, 10}}};
  double factor = pow(3, -1.0 / 6), width0 = factor, width3 = factor * sqrt(7);
  g_autoptr(PtDensity) d = pt_density_new(points, 3);
  PtTopologyFeatures at = {{1.5, 0, 3, 7}};
  double expected = 0;
  for (int i = 0; i < 3; i++)
    expected += gauss(1.5 - points[i].x[0], width0) * gauss(7 - points[i].x[3], width3) / 3;
  g_assert_cmpfloat_with_epsilon(pt_density_at(d, &at), expected, 1e-12);
  /* it sums to one over the plane */
  double sum = 0;
  for (double x = -6; x < 10; x += 0.25)
    for (double y = -12; y < 28; y += 0.5) {
      PtTopologyFeatures f = {{x, 0, 3, y}};
      sum += pt_density_at(d, &f) * 0.25 * 0.5;
    }
  g_assert_cmpfloat_with_epsilon(sum, 1, 1e-3);
}

/* Random graphs, many with several components: the result is a DAG with the same undirected
 * features, it begins at an end of a diameter, and each component has one source. */
static void test_orientation(void) {
  PtSeed seed;
  pt_seed_init(&seed, "orientation");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  for (int times = 0; times < 300; times++) {
    uint32_t n = 1 + (uint32_t)pt_rng_below(rng, 20);
    g_autoptr(PtTopology) t = pt_topology_new(n);
    for (uint64_t e = pt_rng_below(rng, 2 * n); n > 1 && e > 0; e--) {
      uint32_t a = (uint32_t)pt_rng_below(rng, n), b = (uint32_t)pt_rng_below(rng, n);
      if (a != b)
        pt_topology_add(t, a, b);
    }
    pt_topology_sort(t);
    g_autoptr(PtTopology) d = pt_topology_induce_orientation(t);
    g_assert_true(pt_topology_check(d)); /* every edge from the earlier to the later: no cycle */
    PtTopologyFeatures f = pt_topology_features(t), g = pt_topology_features(d);
    for (int j = 0; j < PT_N_FEATURES; j++)
      g_assert_cmpfloat_with_epsilon(f.x[j], g.x[j], 1e-12);
    g_autoptr(PtAdjacency) a = pt_adjacency_new(d);
    g_autofree uint32_t *order = g_new(uint32_t, n), *distance = g_new(uint32_t, n);
    uint32_t components = 0, longest = 0;
    for (uint32_t i = 0; i < n; i++)
      distance[i] = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++)
      if (distance[i] == UINT32_MAX) {
        uint32_t reached = pt_adjacency_search(a, i, order, distance);
        components++;
        longest = MAX(longest, distance[order[reached - 1]]); /* i begins its component */
        for (uint32_t k = 0; k < reached; k++)                /* numbered breadth-first */
          g_assert_cmpuint(order[k], ==, i + k);
      }
    g_assert_cmpuint(longest, ==, (uint32_t)f.x[PT_FEATURE_DIAMETER]);
    g_assert_cmpuint(pt_topology_sources(d), ==, components);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/topology/features", test_features);
  g_test_add_func("/topology/of-graph", test_of_graph);
  g_test_add_func("/topology/density", test_density);
  g_test_add_func("/topology/orientation", test_orientation);
  return g_test_run();
}
