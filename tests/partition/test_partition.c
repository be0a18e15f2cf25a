/* Partitions of random DAGs: every invariant, exact numbers, determinism. */
#include "partition/partition_private.h"

#include <string.h>

static PtSeed seed_of(uint64_t number) {
  PtSeed seed;
  g_autofree char *text = g_strdup_printf("partition %" G_GUINT64_FORMAT, number);
  pt_seed_init(&seed, text);
  return seed;
}

static PtType vector(PtGraph *g) {
  return pt_type_tensor(g, PT_FLOAT, 1, (PtDim[]){{4, NULL}});
}

/* A random DAG of n nodes, none of them cheap: with long edges, several sources, several outputs.
 */
static PtGraph *random_graph(uint64_t number, uint32_t n) {
  static const char *const ops[] = {"Relu", "Sigmoid", "MatMul", "Softmax"};
  PtGraph *g = pt_graph_new();
  PtSeed seed = seed_of(number);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "graph", 0);
  PtType type = vector(g);
  g_autofree PtValueId *value = g_new(PtValueId, n + 1);
  value[0] = pt_graph_add_input(g, NULL, &type);
  uint32_t reach = 1 + (uint32_t)pt_rng_below(rng, n);
  for (uint32_t i = 1; i <= n; i++) {
    PtValueId in[2];
    for (int k = 0; k < 2; k++)
      in[k] = value[i - 1 - pt_rng_below(rng, MIN(i, reach))];
    uint32_t op = (uint32_t)pt_rng_below(rng, G_N_ELEMENTS(ops));
    value[i] = pt_graph_add_op(g, ops[op], in, op == 2 ? 2 : 1);
    pt_value(g, value[i])->type = type;
    if (pt_rng_below(rng, 10) == 0 || i == n)
      pt_graph_add_output(g, value[i]);
  }
  return g;
}

static PtPartition *cut(const PtGraph *g, uint32_t n, bool plain, unsigned threads, uint64_t seed) {
  g_autoptr(GError) error = NULL;
  PtPartitionOptions options = {.n = n, .plain = plain, .threads = threads, .trials = 7};
  PtSeed s = seed_of(seed);
  PtPartition *p = pt_partition(g, &options, &s, &error);
  g_assert_no_error(error);
  pt_partition_check(g, p, &error);
  g_assert_no_error(error);
  return p;
}

static void test_random(void) {
  for (uint64_t s = 0; s < 60; s++) {
    uint32_t nodes = 1 + (uint32_t)(s * 7 % 90);
    g_autoptr(PtGraph) g = random_graph(s, nodes);
    uint32_t wanted[] = {1, 2, nodes / 3 + 1, nodes};
    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
      if (wanted[i] <= nodes) {
        g_autoptr(PtPartition) p = cut(g, wanted[i], s % 2, 1, s);
        g_assert_cmpuint(p->pieces->len, ==, wanted[i]);
        /* nothing is cloned here: pieces are convex in the plain sense */
        for (uint32_t k = 0; k < p->pieces->len; k++) {
          GArray *list = ((PtPiece *)g_ptr_array_index(p->pieces, k))->nodes;
          g_assert_true(pt_graph_is_convex(g, (PtNodeId *)(void *)list->data, list->len));
        }
      }
    g_autoptr(PtPartition) p = cut(g, 0, s % 2, 1, s);
    g_assert_cmpuint(p->pieces->len, <=, MAX(nodes / 6, 1) + nodes / 4);
  }
}

static void test_usage(void) {
  g_autoptr(PtGraph) g = random_graph(1, 10);
  g_autoptr(GError) error = NULL;
  PtPartitionOptions options = {.n = 11};
  PtSeed seed = seed_of(1);
  g_assert_null(pt_partition(g, &options, &seed, &error));
  g_assert_error(error, PT_PARTITION_ERROR, PT_ERR_USAGE);
}

static void test_empty(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtType type = vector(g);
  pt_graph_add_output(g, pt_graph_add_input(g, NULL, &type));
  g_autoptr(PtPartition) p = cut(g, 0, false, 1, 1);
  g_assert_cmpuint(p->pieces->len, ==, 0);
  g_assert_cmpuint(p->n_groups, ==, 0);
}

/* Nodes that nothing connects. */
static void test_apart(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtType type = vector(g);
  PtValueId x = pt_graph_add_input(g, NULL, &type);
  for (int i = 0; i < 20; i++) {
    PtValueId y = pt_graph_add_op(g, "Relu", &x, 1);
    pt_value(g, y)->type = type;
    pt_graph_add_output(g, y);
  }
  for (uint32_t n = 1; n <= 20; n++) {
    g_autoptr(PtPartition) p = cut(g, n, false, 1, n);
    g_assert_cmpuint(p->pieces->len, ==, n);
    g_assert_cmpfloat(p->deviation, <=, 1.0);
  }
}

/* One value read by very many nodes, all read by one: the branches are no crumbs, and time stays
 * low. */
static void test_star(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  enum { BRANCHES = 2000 };
  PtType type = vector(g);
  PtValueId x = pt_graph_add_input(g, NULL, &type), end[BRANCHES];
  x = pt_graph_add_op(g, "Softmax", &x, 1);
  pt_value(g, x)->type = type;
  for (int i = 0; i < BRANCHES; i++) {
    end[i] = pt_graph_add_op(g, i % 3 ? "Softmax" : "LRN", &x, 1);
    pt_value(g, end[i])->type = type;
  }
  PtValueId sum = pt_graph_add_op(g, "Concat", end, BRANCHES);
  pt_value(g, sum)->type = type;
  pt_graph_add_output(g, sum);
  for (uint32_t n = 0; n <= 20; n += 20) {
    g_autoptr(PtPartition) p = cut(g, n, false, 1, 1);
    double mean = (BRANCHES + 2.0) / p->pieces->len;
    g_assert_cmpfloat(p->deviation, <, mean / 2);
    if (n)
      g_assert_cmpuint(p->pieces->len, ==, n);
    else
      g_assert_cmpfloat_with_epsilon(mean, 12.5, 4.5);
  }
}

static bool same(const PtPartition *a, const PtPartition *b) {
  if (a->pieces->len != b->pieces->len || a->n_groups != b->n_groups)
    return false;
  for (uint32_t i = 0; i < a->pieces->len; i++) {
    const PtPiece *x = g_ptr_array_index(a->pieces, i), *y = g_ptr_array_index(b->pieces, i);
    if (a->group[i] != b->group[i] || x->hash != y->hash || x->nodes->len != y->nodes->len ||
        memcmp(x->nodes->data, y->nodes->data, x->nodes->len * sizeof(PtNodeId)) != 0)
      return false;
  }
  return true;
}

static void test_deterministic(void) {
  g_autoptr(PtGraph) g = random_graph(3, 150);
  for (uint32_t n = 0; n <= 12; n += 6) {
    g_autoptr(PtPartition) once = cut(g, n, false, 1, 5);
    g_autoptr(PtPartition) again = cut(g, n, false, 1, 5);
    g_autoptr(PtPartition) threads = cut(g, n, false, 4, 5);
    g_autoptr(PtPartition) other = cut(g, n, false, 1, 6);
    g_assert_true(same(once, again));
    g_assert_true(same(once, threads));
    g_assert_false(same(once, other));
  }
}

/* Repeated blocks are cut alike, and equal pieces correspond position by position. */
static void test_mirrored(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtType type = vector(g);
  PtValueId x = pt_graph_add_input(g, NULL, &type);
  for (int block = 0; block < 12; block++) {
    PtValueId skip = x;
    for (int i = 0; i < 11; i++) {
      static const char *const ops[] = {"Sigmoid", "MatMul", "Softmax", "Relu"};
      PtValueId in[2] = {x, skip};
      x = pt_graph_add_op(g, ops[(i * i) % 4], in, (i * i) % 4 == 1 ? 2 : 1);
      pt_value(g, x)->type = type;
    }
  }
  pt_graph_add_output(g, x);
  g_autoptr(PtPartition) p = cut(g, 0, false, 2, 1);
  g_autoptr(PtPartition) plain = cut(g, 0, true, 2, 1);
  g_assert_cmpuint(p->n_groups, <=, 3);
  g_assert_cmpuint(plain->n_groups, >, p->n_groups);
  for (uint32_t i = 0; i < p->pieces->len; i++)
    for (uint32_t k = 0; k < i; k++) {
      const PtPiece *a = g_ptr_array_index(p->pieces, i), *b = g_ptr_array_index(p->pieces, k);
      g_assert_cmpint(p->group[i] == p->group[k], ==, pt_piece_equal(g, a, g, b, NULL, NULL));
      if (p->group[i] != p->group[k])
        continue;
      for (uint32_t t = 0; t < a->nodes->len; t++)
        g_assert_cmpstr(pt_node(g, g_array_index(a->nodes, PtNodeId, t))->op_type, ==,
                        pt_node(g, g_array_index(b->nodes, PtNodeId, t))->op_type);
    }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/partition/random", test_random);
  g_test_add_func("/partition/usage", test_usage);
  g_test_add_func("/partition/empty", test_empty);
  g_test_add_func("/partition/apart", test_apart);
  g_test_add_func("/partition/star", test_star);
  g_test_add_func("/partition/deterministic", test_deterministic);
  g_test_add_func("/partition/mirrored", test_mirrored);
  return g_test_run();
}
