/* On state spaces small enough to enumerate: every outcome of every move, with its odds by the code
 * that draws it, satisfies detailed balance for pi; and a long chain is distributed as pi. */
#include "walk/walk_private.h"

#include <math.h>

typedef struct World {
  PtWalkLibrary *library;
  PtGraph *graph;
  PtWalkFace *face;
  PtWalkState *start;
  PtWalkHabits *habits;
  PtWalkEnergy energy;
  GPtrArray *states; /* PtWalkState, one a class */
  GHashTable *index; /* hash -> index + 1 */
} World;

static PtType image(PtGraph *g, int64_t channels) {
  PtDim d[4] = {{1, NULL}, {channels, NULL}, {6, NULL}, {6, NULL}};
  return pt_type_tensor(g, PT_FLOAT, 4, d);
}

static PtValueId sized(PtGraph *g, PtValueId v, int32_t rank, const int64_t *sizes) {
  PtDim d[4] = {{0}};
  for (int32_t i = 0; i < rank; i++)
    d[i].size = sizes[i];
  pt_value(g, v)->type = pt_type_tensor(g, PT_FLOAT, rank, d);
  return v;
}

static PtValueId typed(PtGraph *g, PtValueId v, int64_t channels) {
  PtType t = image(g, channels);
  pt_value(g, v)->type = t;
  return v;
}

static PtValueId conv(PtGraph *g, PtValueId x, int64_t in, int64_t out) {
  int64_t dims[4] = {out, in, 1, 1};
  PtValueId w = pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, 4, dims, NULL));
  pt_value(g, w)->type = pt_type_of_constant(g, pt_value(g, w)->constant);
  return typed(g, pt_graph_add_op(g, "Conv", (PtValueId[]){x, w}, 2), out);
}

static PtValueId unary(PtGraph *g, const char *op, PtValueId x, int64_t channels) {
  return typed(g, pt_graph_add_op(g, op, &x, 1), channels);
}

static PtGraph *new_graph(PtValueId *x) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType t = image(g, 4);
  *x = pt_graph_add_input(g, "x", &t);
  return g;
}

/* x -> Relu -> Add(., x) -> out, and a Sigmoid */
static PtGraph *joins_graph(void) {
  PtValueId x;
  PtGraph *g = new_graph(&x);
  PtValueId r = unary(g, "Relu", x, 4);
  PtValueId a = typed(g, pt_graph_add_op(g, "Add", (PtValueId[]){r, x}, 2), 4);
  pt_graph_add_output(g, unary(g, "Sigmoid", a, 4));
  return g;
}

/* x -> Conv 8 -> Relu -> Conv 4 */
static PtGraph *widths_graph(void) {
  PtValueId x;
  PtGraph *g = new_graph(&x);
  PtValueId c = unary(g, "Relu", conv(g, x, 4, 8), 8);
  pt_graph_add_output(g, conv(g, c, 8, 4));
  return g;
}

/* Two inputs, two outputs, a product of both: orders and automorphisms of several kinds. */
static PtGraph *two_graph(void) {
  PtValueId x;
  PtGraph *g = new_graph(&x);
  PtType t = image(g, 4);
  PtValueId y = pt_graph_add_input(g, "y", &t);
  PtValueId a = typed(g, pt_graph_add_op(g, "Add", (PtValueId[]){x, y}, 2), 4);
  pt_graph_add_output(g, a);
  pt_graph_add_output(g, typed(g, pt_graph_add_op(g, "Mul", (PtValueId[]){x, a}, 2), 4));
  return g;
}

/* x -> Reshape to heads -> Transpose, and what of it is cut out and put back. */
static PtGraph *heads_graph(void) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtDim d[3] = {{1, NULL}, {2, NULL}, {8, NULL}};
  PtType t = pt_type_tensor(g, PT_FLOAT, 3, d);
  PtValueId x = pt_graph_add_input(g, "x", &t);
  PtValueId split = pt_graph_add_ints(g, (int64_t[]){1, 2, 2, 4}, 4);
  PtValueId merge = pt_graph_add_ints(g, (int64_t[]){0, 0, -1}, 3);
  PtValueId w =
      pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, 2, (int64_t[]){8, 8}, NULL));
  pt_value(g, w)->type = pt_type_of_constant(g, pt_value(g, w)->constant);
  PtValueId m =
      sized(g, pt_graph_add_op(g, "MatMul", (PtValueId[]){x, w}, 2), 3, (int64_t[]){1, 2, 8});
  PtValueId h = sized(g, pt_graph_add_op(g, "Reshape", (PtValueId[]){m, split}, 2), 4,
                      (int64_t[]){1, 2, 2, 4});
  PtValueId back =
      sized(g, pt_graph_add_op(g, "Reshape", (PtValueId[]){h, merge}, 2), 3, (int64_t[]){1, 2, 8});
  pt_graph_add_output(g, back);
  return g;
}

/* Parts of an axis, by two outputs of one node and by a fraction of its size. */
static PtGraph *parts_graph(void) {
  PtGraph *g = pt_graph_new();
  const int64_t half[] = {1, 2, 4};
  pt_graph_set_opset(g, "", 17);
  PtDim d[3] = {{1, NULL}, {2, NULL}, {8, NULL}};
  PtType t = pt_type_tensor(g, PT_FLOAT, 3, d);
  PtValueId x = pt_graph_add_input(g, "x", &t), part[2];
  PtValueId sizes = pt_graph_add_ints(g, (int64_t[]){4, 4}, 2);
  PtValueId from = pt_graph_add_ints(g, (int64_t[]){4}, 1);
  PtValueId to = pt_graph_add_ints(g, (int64_t[]){INT64_MAX}, 1);
  PtValueId axis = pt_graph_add_ints(g, (int64_t[]){2}, 1);
  for (uint32_t i = 0; i < 2; i++)
    part[i] = sized(g, pt_graph_add_value(g, NULL), 3, half);
  PtNodeId split = pt_graph_add_node(g, "", "Split", (PtValueId[]){x, sizes}, 2, part, 2);
  pt_node_set_int(g, split, "axis", 2);
  PtValueId cut =
      sized(g, pt_graph_add_op(g, "Slice", (PtValueId[]){x, from, to, axis}, 4), 3, half);
  PtValueId mul = sized(g, pt_graph_add_op(g, "Mul", (PtValueId[]){part[0], cut}, 2), 3, half);
  pt_graph_add_output(g,
                      sized(g, pt_graph_add_op(g, "Add", (PtValueId[]){mul, part[1]}, 2), 3, half));
  return g;
}

/* Any weights will do, if they tell states apart. */
static void make_energy(World *w, const PtWalkState *s) {
  PtFeatures f = {0};
  pt_features_make(&f, s);
  for (uint32_t i = 0; i < f.n; i++)
    *pt_map64_at(&w->energy.weights, f.id[i]) = (double)(f.id[i] >> 20 & 255) / 400 - 0.4;
  pt_features_clear(&f);
}

static World *world_new(PtGraph *graph, uint32_t most) {
  World *w = g_new0(World, 1);
  w->graph = graph;
  w->library = pt_walk_library_new();
  w->face = pt_walk_face_new(w->library, graph);
  w->start = pt_walk_read(w->library, w->face, graph, NULL, NULL);
  g_assert_nonnull(w->start);
  w->face->most = most;
  g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(PtHabitCount));
  pt_habits_count(counts, w->library, w->start, 1);
  w->habits = pt_habits_new(w->library, counts, 0);
  w->habits->literal = 1;
  make_energy(w, w->start);
  w->states = g_ptr_array_new_with_free_func((GDestroyNotify)pt_walk_state_free);
  w->index = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  return w;
}

static void world_free(World *w) {
  g_ptr_array_unref(w->states);
  g_hash_table_unref(w->index);
  pt_energy_clear(&w->energy);
  pt_habits_free(w->habits);
  pt_walk_state_free(w->start);
  pt_walk_face_free(w->face);
  pt_walk_library_free(w->library);
  pt_graph_unref(w->graph);
  g_free(w);
}

static uint32_t class_of(World *w, const PtWalkState *s) {
  uint64_t h = pt_walk_hash(s);
  uint32_t i = GPOINTER_TO_UINT(g_hash_table_lookup(w->index, &h));
  if (i)
    return i - 1;
  g_ptr_array_add(w->states, pt_walk_state_copy(s));
  g_hash_table_insert(w->index, g_memdup2(&h, sizeof h), GUINT_TO_POINTER(w->states->len));
  return w->states->len - 1;
}

/* ---- automorphisms, by trying every order of nodes
 * ------------------------------------------------- */
static bool maps(const PtWalkState *s, const uint32_t *to) {
#define IMAGE(r) ((r) < 0 ? (r) : (PtWalkRef)(to[(r) >> 3] << 3 | ((r)&7)))
  for (uint32_t i = 0; i < s->face->n_out; i++)
    if (IMAGE(s->outs[i]) != s->outs[i])
      return false;
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *a = &s->nodes[i], *b = &s->nodes[to[i]];
    if (a->template != b->template || a->width != b->width || a->n_in != b->n_in)
      return false;
    for (uint32_t k = 0; k < a->n_in; k++)
      if (IMAGE(s->refs[a->in + k]) != s->refs[b->in + k])
        return false;
  }
  return true;
#undef IMAGE
}

static uint32_t automorphisms(const PtWalkState *s, uint32_t *to, uint32_t n) {
  uint32_t found = 0;
  if (n == s->n)
    return maps(s, to);
  for (uint32_t i = 0; i < s->n; i++) {
    bool taken = false;
    for (uint32_t k = 0; k < n; k++)
      taken |= to[k] == i;
    if (taken)
      continue;
    to[n] = i;
    found += automorphisms(s, to, n + 1);
  }
  return found;
}

static double log_pi(World *w, PtWalker *walker, uint32_t i) {
  uint32_t to[16];
  PtWalkState *s = w->states->pdata[i];
  return pt_walk_log_pi(walker, s) - log(automorphisms(s, to, 0));
}

/* ---- flows
 * ------------------------------------------------------------------------------------------ */
/* Probability of going from class a to class b by moves of a pair, the share of the move included.
 */
typedef struct Flow {
  PtMap64 p; /* by target + 1 */
} Flow;
#define MAX_CLASSES 20000

static double add_flows(World *w, PtWalker *walker, uint32_t move, Flow *flow) {
  g_autoptr(GArray) script = g_array_new(FALSE, FALSE, sizeof(PtWalkChoice));
  walker->dice = (PtWalkDice){.script = script, .odds = 1};
  double total = 0;
  do {
    bool made = pt_walk_propose(walker, move);
    total += walker->dice.odds;
    if (!made || walker->dice.odds == 0)
      continue;
    double gain = pt_walk_log_pi(walker, walker->next) - pt_walk_log_pi(walker, walker->now) +
                  walker->log_ratio;
    uint32_t to = class_of(w, walker->next);
    g_assert_cmpuint(to, <, MAX_CLASSES);
    *pt_map64_at(&flow->p, to + 1) +=
        walker->dice.odds * MIN(1, exp(gain)) * pt_walk_moves[move].weight;
  } while (pt_dice_next(&walker->dice));
  return total;
}

static uint32_t pair_of(const char *name) {
  static const char *const pairs[][2] = {
      {"insert", "delete"}, {"join", "unjoin"}, {"region in", "region out"}};
  for (uint32_t i = 0; i < G_N_ELEMENTS(pairs); i++)
    if (g_str_equal(name, pairs[i][0]) || g_str_equal(name, pairs[i][1]))
      return i + 1;
  return 0;
}

/* All classes that are reached, with the flows of each group of moves. */
static void explore(World *w, Flow ***flows, uint32_t n_groups) {
  class_of(w, w->start);
  for (uint32_t i = 0; i < w->states->len; i++) {
    PtWalker walker;
    pt_walker_init(&walker, w->states->pdata[i], w->habits, &w->energy, NULL);
    flows[i] = g_new0(Flow *, n_groups);
    for (uint32_t m = 0; m < pt_walk_n_moves; m++) {
      uint32_t pair = pair_of(pt_walk_moves[m].name);
      uint32_t group = pair ? pt_walk_n_moves + pair - 1 : m;
      if (!flows[i][group])
        flows[i][group] = g_new0(Flow, 1);
      g_assert_cmpfloat_with_epsilon(add_flows(w, &walker, m, flows[i][group]), 1, 1e-9);
    }
    pt_walker_clear(&walker);
  }
}

static void check_balance(World *w, Flow ***flows, uint32_t n_groups, const double *pi) {
  uint64_t pairs = 0;
  for (uint32_t a = 0; a < w->states->len; a++)
    for (uint32_t g = 0; g < n_groups; g++) {
      const PtMap64 *p = flows[a][g] ? &flows[a][g]->p : NULL;
      for (uint32_t i = 0; p && i < p->size; i++) {
        if (!p->keys[i] || p->values[i] == 0)
          continue;
        uint32_t b = (uint32_t)p->keys[i] - 1;
        double there = exp(pi[a]) * p->values[i];
        double back = exp(pi[b]) * pt_map64_get(&flows[b][g]->p, a + 1, 0);
        g_assert_cmpfloat_with_epsilon(there / MAX(there, back), back / MAX(there, back), 1e-9);
        pairs++;
      }
    }
  g_test_message("%u classes, %" G_GUINT64_FORMAT " flows", w->states->len, pairs);
  g_assert_cmpuint(pairs, >, 2 * w->states->len);
}

static bool is_taken(GHashTable *taken, const PtWalkState *s) {
  uint64_t looks = pt_walk_looks(s);
  return taken && g_hash_table_contains(taken, &looks);
}

/* Pearson's statistic over classes with enough visits, thinned so that visits are nearly
 * independent. taken (or NULL): looks of classes that the chain keeps out of. */
static void check_chain(World *w, const double *pi, uint32_t thin, GHashTable *taken) {
  enum { VISITS = 5000 };
  PtSeed seed;
  pt_seed_init(&seed, "balance");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "chain", 0);
  g_autofree uint32_t *visits = g_new0(uint32_t, w->states->len);
  PtWalker walker;
  double all = 0, rest = 0, statistic = 0;
  uint32_t cells = 0, rest_visits = 0;
  pt_walker_init(&walker, w->start, w->habits, &w->energy, rng);
  walker.taken = taken;
  if (taken)
    pt_walker_run(&walker, 10 * thin); /* it starts among them, and leaves */
  for (uint32_t i = 0; i < VISITS; i++) {
    pt_walker_run(&walker, thin);
    visits[class_of(w, walker.now)]++;
  }
  pt_walker_clear(&walker);
  for (uint32_t i = 0; i < w->states->len; i++)
    all += is_taken(taken, w->states->pdata[i]) ? 0 : exp(pi[i]);
  for (uint32_t i = 0; i < w->states->len; i++) {
    if (is_taken(taken, w->states->pdata[i])) {
      g_assert_cmpuint(visits[i], ==, 0);
      continue;
    }
    double expected = VISITS * exp(pi[i]) / all;
    if (expected < 8) {
      rest += expected;
      rest_visits += visits[i];
      continue;
    }
    statistic += (visits[i] - expected) * (visits[i] - expected) / expected;
    cells++;
  }
  if (rest >= 8) {
    statistic += (rest_visits - rest) * (rest_visits - rest) / rest;
    cells++;
  }
  double normal = (statistic - (cells - 1)) / sqrt(2.0 * (cells - 1));
  g_test_message("chi-square %.1f in %u cells (%.2f sd)", statistic, cells, normal);
  g_assert_cmpuint(cells, >, 4);
  g_assert_cmpfloat(fabs(normal), <, 4);
}

/* thin: steps between visits of a chain, 0: none */
static void check_world(PtGraph *graph, uint32_t most, uint32_t thin) {
  World *w = world_new(graph, most);
  uint32_t n_groups = pt_walk_n_moves + 3;
  g_autofree Flow ***flows = g_new0(Flow **, MAX_CLASSES);
  explore(w, flows, n_groups);
  uint32_t n = w->states->len;
  g_autofree double *pi = g_new(double, n);
  PtWalker walker;
  pt_walker_init(&walker, w->start, w->habits, &w->energy, NULL);
  for (uint32_t i = 0; i < n; i++)
    pi[i] = log_pi(w, &walker, i);
  pt_walker_clear(&walker);
  check_balance(w, flows, n_groups, pi);
  if (thin) {
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    check_chain(w, pi, thin, NULL);
    for (uint32_t i = 0; i < n; i++) { /* the start and every seventh */
      uint64_t looks = pt_walk_looks(w->states->pdata[i]);
      if (i % 7 == 0)
        g_hash_table_add(taken, g_memdup2(&looks, sizeof looks));
    }
    check_chain(w, pi, thin, taken);
  }
  g_assert_cmpuint(w->states->len, ==, n); /* the chain stays among them */
  for (uint32_t i = 0; i < n; i++) {
    for (uint32_t g = 0; g < n_groups; g++)
      if (flows[i][g]) {
        pt_map64_clear(&flows[i][g]->p);
        g_free(flows[i][g]);
      }
    g_free(flows[i]);
  }
  world_free(w);
}

static void test_joins(void) {
  check_world(joins_graph(), 4, 500);
}
static void test_widths(void) {
  check_world(widths_graph(), 3, 500);
}
static void test_heads(void) {
  check_world(heads_graph(), 4, 0);
}
static void test_parts(void) {
  World *w = world_new(parts_graph(), 4); /* all four have a rule */
  for (uint32_t i = 0; i < w->start->n; i++)
    g_assert_cmpint(pt_walk_at(w->start, i)->kind, !=, PT_WALK_OPAQUE);
  world_free(w);
  check_world(parts_graph(), 4, 0);
}
static void test_two(void) {
  check_world(two_graph(), 3, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/walk/balance/joins", test_joins);
  g_test_add_func("/walk/balance/widths", test_widths);
  g_test_add_func("/walk/balance/heads", test_heads);
  g_test_add_func("/walk/balance/parts", test_parts);
  g_test_add_func("/walk/balance/two-inputs", test_two);
  return g_test_run();
}
