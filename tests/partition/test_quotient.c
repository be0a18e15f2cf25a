/* The quotient: legality of merges against a brute-force reference, and its invariants, on random
 * DAGs. */
#include "partition/partition_private.h"

#define N 24

typedef struct Reference {
  uint32_t n, of[N]; /* cluster of each item */
  bool edge[N][N];   /* between items */
} Reference;

static PtRng *stream(uint64_t index) {
  PtSeed seed;
  pt_seed_init(&seed, "quotient");
  return pt_rng_new(&seed, "test", index);
}

static PtQuotient *random_quotient(PtRng *rng, Reference *ref) {
  uint32_t size[N];
  uint64_t sig[N];
  g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(PtWorkEdge));
  *ref = (Reference){.n = 3 + (uint32_t)pt_rng_below(rng, N - 2)};
  uint32_t density = 2 + (uint32_t)pt_rng_below(rng, 8);
  for (uint32_t i = 0; i < ref->n; i++) {
    ref->of[i] = i;
    size[i] = 1 + (uint32_t)pt_rng_below(rng, 3);
    sig[i] = pt_rng_below(rng, 4);
    for (uint32_t k = i + 1; k < ref->n; k++)
      if (pt_rng_below(rng, density) == 0) {
        PtWorkEdge edge = {i, k, 1};
        g_array_append_val(edges, edge);
        ref->edge[i][k] = true;
      }
  }
  return pt_quotient_new(ref->n, size, sig, (PtWorkEdge *)(void *)edges->data, edges->len);
}

/* reach[x][y]: a path of at least one edge between clusters. */
static void closure(const Reference *ref, bool reach[N][N]) {
  for (uint32_t i = 0; i < N; i++)
    for (uint32_t k = 0; k < N; k++)
      reach[i][k] = false;
  for (uint32_t i = 0; i < ref->n; i++)
    for (uint32_t k = 0; k < ref->n; k++)
      if (ref->edge[i][k] && ref->of[i] != ref->of[k])
        reach[ref->of[i]][ref->of[k]] = true;
  for (uint32_t m = 0; m < N; m++)
    for (uint32_t i = 0; i < N; i++)
      for (uint32_t k = 0; k < N; k++)
        reach[i][k] |= reach[i][m] && reach[m][k];
}

static bool legal(const Reference *ref, uint32_t a, uint32_t b) {
  Reference merged = *ref;
  bool reach[N][N];
  for (uint32_t i = 0; i < ref->n; i++)
    if (merged.of[i] == ref->of[b])
      merged.of[i] = ref->of[a];
  closure(&merged, reach);
  for (uint32_t i = 0; i < N; i++)
    if (reach[i][i])
      return false;
  return true;
}

static void join(Reference *ref, uint32_t a, uint32_t b) {
  uint32_t gone = ref->of[b], kept = ref->of[a];
  for (uint32_t i = 0; i < ref->n; i++)
    if (ref->of[i] == gone)
      ref->of[i] = kept;
}

static void check_agrees(PtQuotient *q, const Reference *ref) {
  uint32_t alive = 0;
  for (uint32_t i = 0; i < ref->n; i++) {
    uint32_t size = 0;
    alive += pt_find(q, i) == i;
    for (uint32_t k = 0; k < ref->n; k++) {
      g_assert_cmpint(pt_find(q, i) == pt_find(q, k), ==, ref->of[i] == ref->of[k]);
      if (ref->edge[i][k] && ref->of[i] != ref->of[k])
        g_assert_cmpuint(q->label[pt_find(q, i)], <, q->label[pt_find(q, k)]);
      if (pt_find(q, k) == i)
        size++;
    }
    g_assert_true(pt_find(q, i) != i || q->size[i] >= size);
  }
  g_assert_cmpuint(alive, ==, q->alive);
  uint32_t listed = 0;
  uint64_t label = 0;
  for (uint32_t x = q->next[q->n]; x != q->n; x = q->next[x], listed++) {
    g_assert_cmpuint(q->label[x], >, label);
    label = q->label[x];
    /* live edges: one a pair of neighbours, none inside */
    bool seen[N] = {false};
    for (uint32_t e = q->out_head[x]; e != PT_NONE; e = q->edges[e].next_out) {
      if (q->edges[e].dead)
        continue;
      uint32_t y = pt_find(q, q->edges[e].dst);
      g_assert_cmpuint(y, !=, x);
      g_assert_false(seen[y]);
      seen[y] = true;
    }
    for (uint32_t i = 0; i < ref->n; i++)
      for (uint32_t k = 0; k < ref->n; k++)
        if (ref->edge[i][k] && pt_find(q, i) == x && pt_find(q, k) != x)
          g_assert_true(seen[pt_find(q, k)]);
  }
  g_assert_cmpuint(listed, ==, q->alive);
}

static void test_merge(void) {
  for (uint64_t s = 0; s < 300; s++) {
    g_autoptr(PtRng) rng = stream(s);
    Reference ref;
    g_autoptr(PtQuotient) q = random_quotient(rng, &ref);
    for (int i = 0; i < 60; i++) {
      uint32_t a = (uint32_t)pt_rng_below(rng, ref.n), b = (uint32_t)pt_rng_below(rng, ref.n);
      if (ref.of[a] == ref.of[b])
        continue;
      bool expected = legal(&ref, a, b);
      bool merged = pt_quotient_merge(q, a, b, PT_NO_BUDGET) != PT_NONE;
      g_assert_cmpint(merged, ==, expected);
      if (merged)
        join(&ref, a, b);
      check_agrees(q, &ref);
    }
  }
}

/* A budget may say no where the full search says yes, never the other way round. */
static void test_budget(void) {
  uint32_t refused = 0;
  for (uint64_t s = 0; s < 200; s++) {
    g_autoptr(PtRng) rng = stream(1000 + s);
    Reference ref;
    g_autoptr(PtQuotient) q = random_quotient(rng, &ref);
    for (int i = 0; i < 40; i++) {
      uint32_t a = (uint32_t)pt_rng_below(rng, ref.n), b = (uint32_t)pt_rng_below(rng, ref.n);
      if (ref.of[a] == ref.of[b])
        continue;
      bool expected = legal(&ref, a, b);
      if (pt_quotient_merge(q, a, b, 1) != PT_NONE) {
        g_assert_true(expected);
        join(&ref, a, b);
      } else if (expected)
        refused++;
      check_agrees(q, &ref);
    }
  }
  g_assert_cmpuint(refused, >, 0);
}

static void test_merge_set(void) {
  for (uint64_t s = 0; s < 300; s++) {
    g_autoptr(PtRng) rng = stream(2000 + s);
    Reference ref;
    g_autoptr(PtQuotient) q = random_quotient(rng, &ref);
    for (int round = 0; round < 6; round++) {
      uint32_t set[5], count = 1 + (uint32_t)pt_rng_below(rng, 5), size = 0;
      uint32_t cap = 2 + (uint32_t)pt_rng_below(rng, 12);
      for (uint32_t i = 0; i < count; i++)
        set[i] = (uint32_t)pt_rng_below(rng, ref.n);
      bool reach[N][N], in[N] = {false}, closed[N] = {false};
      closure(&ref, reach);
      for (uint32_t i = 0; i < count; i++)
        in[ref.of[set[i]]] = closed[ref.of[set[i]]] = true;
      for (uint32_t x = 0; x < N; x++)
        for (uint32_t a = 0; a < N; a++)
          for (uint32_t b = 0; b < N; b++)
            closed[x] |= in[a] && in[b] && reach[a][x] && reach[x][b];
      uint32_t clusters = 0, first = PT_NONE;
      bool counted[N] = {false};
      for (uint32_t i = 0; i < ref.n; i++)
        if (closed[ref.of[i]] && !counted[ref.of[i]]) {
          counted[ref.of[i]] = true;
          clusters++;
          size += q->size[pt_find(q, i)];
        }
      bool merged = pt_quotient_merge_set(q, set, count, cap, PT_NO_BUDGET);
      g_assert_cmpint(merged, ==, clusters == 1 || size <= cap);
      for (uint32_t i = 0; merged && i < ref.n; i++)
        if (closed[ref.of[i]]) {
          closed[ref.of[i]] = first == PT_NONE;
          if (first == PT_NONE)
            first = i;
        }
      if (merged) {
        /* redo on the reference: everything that was closed is one now */
        bool was[N];
        for (uint32_t i = 0; i < ref.n; i++)
          was[i] = pt_find(q, i) == pt_find(q, set[0]);
        g_assert_cmpuint(q->size[pt_find(q, set[0])], ==, size);
        for (uint32_t i = 0; i < ref.n; i++)
          if (was[i])
            join(&ref, set[0], i);
      }
      check_agrees(q, &ref);
    }
  }
}

/* A hub's edges are not tidied at each merge: they still say all of its neighbours, and by how many
 * values. */
static void test_hub(void) {
  enum { LEAVES = 3 * PT_HUB_EDGES, ALL = LEAVES + 2 };
  g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(PtWorkEdge));
  uint32_t size[ALL];
  uint64_t sig[ALL] = {0};
  for (uint32_t i = 0; i < ALL; i++)
    size[i] = 1;
  for (uint32_t i = 1; i <= LEAVES; i++) {
    PtWorkEdge pair[2] = {{0, i, 1}, {i, LEAVES + 1, 2}};
    g_array_append_vals(edges, pair, 2);
  }
  g_autoptr(PtQuotient) q =
      pt_quotient_new(ALL, size, sig, (PtWorkEdge *)(void *)edges->data, edges->len);
  for (uint32_t merged = 1; merged < LEAVES; merged++) {
    uint32_t to = merged % 3 ? 0 : LEAVES + 1, at_sink = merged / 3;
    g_assert_cmpuint(pt_quotient_merge(q, 0, LEAVES + 1, PT_NO_BUDGET), ==, PT_NONE);
    g_assert_cmpuint(pt_quotient_merge(q, to, merged, PT_NO_BUDGET), !=, PT_NONE);
    uint32_t hub = pt_find(q, 0), sink = pt_find(q, LEAVES + 1);
    uint64_t to_leaves = 0, to_sink = 0;
    for (uint32_t e = q->out_head[hub]; e != PT_NONE; e = q->edges[e].next_out) {
      uint32_t y = pt_find(q, q->edges[e].dst);
      if (!q->edges[e].dead && y != hub)
        *(y == sink ? &to_sink : &to_leaves) += q->edges[e].ports;
    }
    g_assert_cmpuint(to_leaves, ==, LEAVES - merged);
    g_assert_cmpuint(to_sink, ==, 2 * (merged - at_sink) + at_sink);
  }
  g_assert_cmpuint(pt_quotient_merge(q, 0, LEAVES, PT_NO_BUDGET), !=, PT_NONE);
  g_assert_cmpuint(pt_quotient_merge(q, 0, LEAVES + 1, PT_NO_BUDGET), !=, PT_NONE);
  g_assert_cmpuint(q->alive, ==, 1);
}

/* Moving within the order again and again exhausts the gaps between labels and must renumber. */
static void test_relabel(void) {
  enum { COUNT = 400 };
  uint32_t size[COUNT];
  uint64_t sig[COUNT] = {0};
  g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(PtWorkEdge));
  for (uint32_t i = 0; i < COUNT; i++)
    size[i] = 1;
  for (uint32_t i = 1; i + 1 < COUNT; i++) { /* all between the first and the last, two by two */
    PtWorkEdge edge = {i % 2 ? 0 : i, i % 2 ? i : COUNT - 1, 1};
    g_array_append_val(edges, edge);
  }
  g_autoptr(PtQuotient) q =
      pt_quotient_new(COUNT, size, sig, (PtWorkEdge *)(void *)edges->data, edges->len);
  for (uint32_t i = 0; i + 1 < COUNT; i++)
    q->label[i] = i + 1; /* no gaps at all */
  q->label[COUNT - 1] = COUNT;
  g_assert_cmpuint(pt_quotient_merge(q, 0, COUNT - 1, PT_NO_BUDGET), !=, PT_NONE);
  uint64_t label = 0;
  uint32_t middle = pt_find(q, 0);
  for (uint32_t x = q->next[q->n]; x != q->n; x = q->next[x]) {
    g_assert_cmpuint(q->label[x], >, label);
    label = q->label[x];
    if (x != middle)
      g_assert_cmpint(q->label[x] > q->label[middle], ==, x % 2 == 1);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/quotient/merge", test_merge);
  g_test_add_func("/quotient/budget", test_budget);
  g_test_add_func("/quotient/merge-set", test_merge_set);
  g_test_add_func("/quotient/hub", test_hub);
  g_test_add_func("/quotient/relabel", test_relabel);
  return g_test_run();
}
