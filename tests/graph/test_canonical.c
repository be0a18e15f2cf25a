/* The canonical hash and order, and the exact comparison, on made-up graphs. */
#include "graph/graph.h"

#include <string.h>

enum { NONE, RENAMED, OTHER_ATTR, OTHER_WIRE, OTHER_REAL, OTHER_WEIGHT, OTHER_SHAPE, UNTIED };

static bool is_real(const PtGraph *graph, PtValueId value, void *data) {
  (void)data;
  return pt_value(graph, value)->constant->count == 1;
}

/* x -> two equal branches Conv(w1), Conv(w2) -> Add -> Mul(scalar) -> y, and Conv(w1) of the sum.
 */
static PtGraph *make(bool backwards, int change) {
  PtGraph *g = pt_graph_new();
  PtDim dims[4] = {{-1, change == RENAMED ? "other" : "batch"},
                   {change == OTHER_SHAPE ? 4 : 8, NULL},
                   {5, NULL},
                   {5, NULL}};
  int64_t w_dims[4] = {8, 8, 1, change == OTHER_WEIGHT ? 3 : 1}, scalar_dims[1] = {1};
  float scalar = change == OTHER_REAL ? 2.0f : 3.0f;
  float weight[8 * 8 * 3] = {0};
  weight[0] = change == RENAMED ? 9.0f : 1.0f; /* a weight's data does not count */
  PtType type = pt_type_tensor(g, PT_FLOAT, 4, dims);
  PtValueId x = pt_graph_add_input(g, change == RENAMED ? "in" : "x", &type);
  PtValueId w[2], s;
  s = pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 1, scalar_dims, &scalar));
  for (int i = 0; i < 2; i++)
    w[i] = pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 4, w_dims, weight));
  PtValueId out[5];
  for (int i = 0; i < 5; i++) {
    out[i] = pt_graph_add_value(g, NULL);
    pt_value(g, out[i])->type = type;
  }
  PtValueId left[2] = {x, w[backwards]}, right[2] = {x, w[!backwards]}, sum[2] = {out[0], out[1]},
            mul[2] = {out[2], s}, last[2] = {change == OTHER_WIRE ? out[2] : out[3], w[0]};
  if (backwards) { /* the branches change places on the way in, but w1 still feeds the first */
    left[1] = w[0];
    right[1] = w[1];
  }
  if (change == UNTIED)
    last[1] = w[1];
  PtNodeId conv[3];
  if (backwards)
    conv[1] = pt_graph_add_node(g, "", "Conv", right, 2, &out[1], 1);
  conv[0] = pt_graph_add_node(g, "", "Conv", left, 2, &out[0], 1);
  if (!backwards)
    conv[1] = pt_graph_add_node(g, "", "Conv", right, 2, &out[1], 1);
  pt_graph_add_node(g, "", "Add", sum, 2, &out[2], 1);
  pt_graph_add_node(g, "", "Mul", mul, 2, &out[3], 1);
  conv[2] = pt_graph_add_node(g, "", "Conv", last, 2, &out[4], 1);
  for (int i = 0; i < 3; i++) {
    pt_node_set_int(g, conv[i], backwards ? "group" : "other", 1);
    pt_node_set_int(g, conv[i], backwards ? "other" : "group", 1);
  }
  if (change == OTHER_ATTR)
    pt_node_set_int(g, conv[2], "group", 2);
  pt_graph_add_output(g, out[3]);
  pt_graph_add_output(g, out[4]);
  return g;
}

static bool same(const PtGraph *a, const PtGraph *b, bool *hashes) {
  PtNodeId order_a[64], order_b[64];
  uint64_t ha = pt_graph_canonical(a, is_real, NULL, order_a);
  uint64_t hb = pt_graph_canonical(b, is_real, NULL, order_b);
  g_assert_cmpuint(ha, !=, 0);
  g_assert_cmpuint(ha, ==, pt_graph_canonical(a, is_real, NULL, NULL));
  *hashes = ha == hb;
  return pt_graph_equal(a, order_a, b, order_b, is_real, NULL);
}

static void test_equal(void) {
  bool hashes;
  g_autoptr(PtGraph) a = make(false, NONE);
  g_autoptr(PtGraph) b = make(true, NONE);
  g_autoptr(PtGraph) c = make(true, RENAMED);
  g_assert_true(same(a, b, &hashes) && hashes);
  g_assert_true(same(a, c, &hashes) && hashes);
}

static void test_different(void) {
  static const int changes[] = {OTHER_ATTR,   OTHER_WIRE,  OTHER_REAL,
                                OTHER_WEIGHT, OTHER_SHAPE, UNTIED};
  for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
    bool hashes;
    g_autoptr(PtGraph) a = make(false, NONE);
    g_autoptr(PtGraph) b = make(i % 2, changes[i]);
    g_assert_false(same(a, b, &hashes));
    g_assert_false(hashes);
  }
}

/* Equality must not trust the orders: with a wrong one it says no. */
static void test_wrong_order(void) {
  g_autoptr(PtGraph) a = make(false, NONE);
  PtNodeId order[8], wrong[8];
  pt_graph_canonical(a, is_real, NULL, order);
  memcpy(wrong, order, sizeof wrong);
  wrong[0] = order[1];
  wrong[1] = order[0];
  g_assert_true(pt_graph_equal(a, order, a, order, is_real, NULL));
  g_assert_false(pt_graph_equal(a, order, a, wrong, is_real, NULL));
}

/* A random DAG built under a permutation of its nodes; `ops` few, so that ties are many. */
static PtGraph *random_graph(uint64_t seed_number, uint32_t n, PtRng *shuffle) {
  static const char *const ops[] = {"Relu", "Sigmoid", "Add", "Concat"};
  PtGraph *g = pt_graph_new();
  PtSeed seed;
  g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, seed_number);
  pt_seed_init(&seed, text);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "graph", 0);
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, (PtDim[]){{4, NULL}});
  PtValueId x = pt_graph_add_input(g, NULL, &type);
  g_autofree PtValueId *out = g_new(PtValueId, n);
  g_autofree uint32_t *in = g_new(uint32_t, 2 * n);
  g_autofree uint32_t *op = g_new(uint32_t, n);
  g_autofree uint32_t *order = g_new(uint32_t, n);
  for (uint32_t i = 0; i < n; i++) {
    op[i] = (uint32_t)pt_rng_below(rng, G_N_ELEMENTS(ops));
    for (int k = 0; k < 2; k++) /* n: the graph's input */
      in[2 * i + k] = i == 0 || pt_rng_below(rng, 4) == 0 ? n : (uint32_t)pt_rng_below(rng, i);
    order[i] = i;
  }
  if (shuffle)
    pt_rng_shuffle(shuffle, order, n, sizeof *order);
  for (uint32_t i = 0; i < n; i++) {
    out[order[i]] = pt_graph_add_value(g, NULL);
    pt_value(g, out[order[i]])->type = type;
  }
  for (uint32_t i = 0; i < n; i++) {
    uint32_t k = order[i];
    PtValueId inputs[2] = {in[2 * k] == n ? x : out[in[2 * k]],
                           in[2 * k + 1] == n ? x : out[in[2 * k + 1]]};
    pt_graph_add_node(g, "", ops[op[k]], inputs, op[k] < 2 ? 1 : 2, &out[k], 1);
  }
  for (uint32_t i = 0; i < n; i += 3)
    pt_graph_add_output(g, out[i]);
  return g;
}

static void test_random(void) {
  PtSeed seed;
  pt_seed_init(&seed, "shuffle");
  for (uint64_t s = 0; s < 60; s++) {
    bool hashes;
    uint32_t n = 2 + (uint32_t)(s % 40);
    g_autoptr(PtRng) shuffle = pt_rng_new(&seed, "order", s);
    g_autoptr(PtGraph) a = random_graph(s, n, NULL);
    g_autoptr(PtGraph) b = random_graph(s, n, shuffle);
    g_autoptr(PtGraph) other = random_graph(s + 1000, n, NULL);
    g_assert_true(same(a, b, &hashes) && hashes);
    g_assert_cmpint(same(a, other, &hashes), ==, hashes);
  }
}

/* The order is topological, whatever the order of the nodes. */
static void test_topological(void) {
  PtSeed seed;
  pt_seed_init(&seed, "shuffle");
  g_autoptr(PtRng) shuffle = pt_rng_new(&seed, "order", 0);
  g_autoptr(PtGraph) g = random_graph(5, 50, shuffle);
  PtNodeId order[50];
  bool done[50] = {false};
  pt_graph_canonical(g, NULL, NULL, order);
  for (int i = 0; i < 50; i++) {
    const PtNode *node = pt_node(g, order[i]);
    for (uint32_t k = 0; k < node->n_inputs; k++) {
      PtNodeId p = pt_value(g, node->inputs[k])->producer;
      g_assert_true(p == PT_NONE || done[p]);
    }
    g_assert_false(done[order[i]]);
    done[order[i]] = true;
  }
}

/* Many symmetric branches: ties are broken alike. */
static PtGraph *fan(uint32_t branches, bool backwards) {
  PtGraph *g = pt_graph_new();
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, (PtDim[]){{4, NULL}});
  PtValueId x = pt_graph_add_input(g, NULL, &type);
  for (uint32_t i = 0; i < branches; i++) {
    PtValueId mid = pt_graph_add_value(g, NULL), end = pt_graph_add_value(g, NULL);
    pt_value(g, end)->type = type;
    if (backwards)
      pt_graph_add_node(g, "", "Sigmoid", &mid, 1, &end, 1);
    pt_graph_add_node(g, "", "Relu", &x, 1, &mid, 1);
    if (!backwards)
      pt_graph_add_node(g, "", "Sigmoid", &mid, 1, &end, 1);
    pt_graph_add_output(g, end);
  }
  return g;
}

static void test_ties(void) {
  bool hashes;
  g_autoptr(PtGraph) a = fan(24, false);
  g_autoptr(PtGraph) b = fan(24, true);
  g_autoptr(PtGraph) c = fan(23, true);
  g_assert_true(same(a, b, &hashes) && hashes);
  g_assert_false(same(a, c, &hashes));
  g_assert_false(hashes);
}

/* Very many leaves of two equal inputs, in any order, with weights of their own or one that two
 * share: a tie is broken at once only where nothing tells its nodes apart. */
static PtGraph *leaves(const uint32_t *order, uint32_t n, bool shared) {
  PtGraph *g = pt_graph_new();
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, (PtDim[]){{4, NULL}});
  PtValueId x[2], weight[40];
  for (int i = 0; i < 2; i++)
    x[i] = pt_graph_add_input(g, NULL, &type);
  for (uint32_t i = 0; i < n; i++)
    weight[i] =
        shared && i >= n - 2
            ? weight[i - 2]
            : pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, 1, (int64_t[]){4}, NULL));
  for (uint32_t i = 0; i < n; i++) {
    PtValueId in[2] = {x[order[i] % 2], weight[order[i]]};
    PtValueId end = pt_graph_add_op(g, "Mul", in, 2);
    pt_value(g, end)->type = type;
    pt_graph_add_output(g, end);
  }
  return g;
}

static void test_leaves(void) {
  enum { N = 40 };
  PtSeed seed;
  pt_seed_init(&seed, "leaves");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  uint32_t plain[N], order[N];
  for (uint32_t i = 0; i < N; i++)
    plain[i] = order[i] = i;
  for (uint32_t i = N; i > 1; i--) {
    uint32_t k = (uint32_t)pt_rng_below(rng, i), t = order[k];
    order[k] = order[i - 1];
    order[i - 1] = t;
  }
  for (int shared = 0; shared < 2; shared++) {
    bool hashes;
    g_autoptr(PtGraph) a = leaves(plain, N, shared);
    g_autoptr(PtGraph) b = leaves(order, N, shared);
    g_autoptr(PtGraph) c = leaves(order, N, !shared);
    g_assert_true(same(a, b, &hashes) && hashes);
    g_assert_false(same(a, c, &hashes));
    g_assert_false(hashes);
  }
}

/* Two places of one graph: inputs and outputs correspond after canonicalization. */
static void test_pieces(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, (PtDim[]){{4, NULL}});
  PtValueId x[4], mid[4], end[4];
  for (int i = 0; i < 4; i++)
    x[i] = pt_graph_add_input(g, NULL, &type);
  g_autoptr(PtPiece) first = pt_piece_new();
  g_autoptr(PtPiece) second = pt_piece_new();
  PtPiece *piece[2] = {first, second};
  for (int p = 0; p < 2; p++) {
    for (int i = 0; i < 2; i++) {
      mid[2 * p + i] = pt_graph_add_value(g, NULL);
      end[2 * p + i] = pt_graph_add_value(g, NULL);
      pt_value(g, end[2 * p + i])->type = type;
    }
    /* Sub(Relu(a), Sigmoid(b)) -> two outputs; the second time the nodes are in another order */
    for (int i = 0; i < 2; i++) {
      int k = p == 0 ? i : 1 - i;
      PtNodeId id =
          pt_graph_add_node(g, "", k ? "Sigmoid" : "Relu", &x[2 * p + k], 1, &mid[2 * p + k], 1);
      g_array_append_val(piece[p]->nodes, id);
    }
    for (int i = 0; i < 2; i++) {
      int k = p == 0 ? i : 1 - i;
      PtValueId in[2] = {mid[2 * p + k], mid[2 * p + 1 - k]};
      PtNodeId id = pt_graph_add_node(g, "", "Sub", in, 2, &end[2 * p + k], 1);
      g_array_append_val(piece[p]->nodes, id);
      g_array_append_val(piece[p]->outputs, end[2 * p + k]);
    }
    pt_piece_canonicalize(g, piece[p], is_real, NULL);
  }
  g_assert_cmpuint(piece[0]->hash, ==, piece[1]->hash);
  g_assert_true(pt_piece_equal(g, piece[0], g, piece[1], is_real, NULL));
  g_assert_cmpuint(piece[0]->inputs->len, ==, 2);
  for (uint32_t i = 0; i < 2; i++) {
    PtValueId a = g_array_index(piece[0]->inputs, PtValueId, i);
    PtValueId b = g_array_index(piece[1]->inputs, PtValueId, i);
    g_assert_cmpuint(a == x[0], ==, b == x[2]);
    a = g_array_index(piece[0]->outputs, PtValueId, i);
    b = g_array_index(piece[1]->outputs, PtValueId, i);
    g_assert_cmpuint(a == end[0], ==, b == end[2]);
  }
}

/* If with a branch that adds a captured value; the branches differ by a constant. */
static PtGraph *with_branches(float constant, bool other_capture) {
  PtGraph *g = pt_graph_new();
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, (PtDim[]){{1, NULL}});
  PtType cond = pt_type_tensor(g, PT_BOOL, 0, NULL);
  PtValueId c = pt_graph_add_input(g, NULL, &cond);
  PtValueId x = pt_graph_add_input(g, NULL, &type), y = pt_graph_add_input(g, NULL, &type);
  PtValueId relu = pt_graph_add_op(g, "Relu", &x, 1), out = pt_graph_add_value(g, NULL);
  pt_value(g, out)->type = type;
  PtNodeId node = pt_graph_add_node(g, "", "If", &c, 1, &out, 1);
  PtGraph *nested = pt_graph_new_nested(g);
  int64_t dims[1] = {1};
  PtValueId outer = pt_graph_add_value(nested, NULL);
  pt_value(nested, outer)->outer = other_capture ? y : relu;
  PtValueId in[2] = {
      outer, pt_graph_add_constant(nested, NULL,
                                   pt_graph_tensor_copy(nested, PT_FLOAT, 1, dims, &constant))};
  pt_graph_add_output(nested, pt_graph_add_op(nested, "Add", in, 2));
  PtAttr attr = {.name = "then_branch", .kind = PT_ATTR_GRAPH, .count = 1, .as.graphs = &nested};
  g_autofree PtValueId *map = g_new(PtValueId, pt_graph_n_values(g));
  for (uint32_t i = 0; i < pt_graph_n_values(g); i++)
    map[i] = i;
  pt_node_add_attr_copy(g, node, &attr, map);
  pt_graph_refresh_captures(g);
  pt_graph_add_output(g, out);
  return g;
}

static void test_nested(void) {
  bool hashes;
  g_autoptr(PtGraph) a = with_branches(1.0f, false);
  g_autoptr(PtGraph) b = with_branches(1.0f, false);
  g_autoptr(PtGraph) c = with_branches(2.0f, false);
  g_autoptr(PtGraph) d = with_branches(1.0f, true);
  g_assert_true(same(a, b, &hashes) && hashes);
  g_assert_false(same(a, c, &hashes));
  g_assert_false(hashes);
  g_assert_false(same(a, d, &hashes));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/canonical/equal", test_equal);
  g_test_add_func("/canonical/different", test_different);
  g_test_add_func("/canonical/wrong-order", test_wrong_order);
  g_test_add_func("/canonical/random", test_random);
  g_test_add_func("/canonical/topological", test_topological);
  g_test_add_func("/canonical/ties", test_ties);
  g_test_add_func("/canonical/leaves", test_leaves);
  g_test_add_func("/canonical/pieces", test_pieces);
  g_test_add_func("/canonical/nested", test_nested);
  return g_test_run();
}
