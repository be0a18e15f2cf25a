#include "common.h"

#include "fill/fill.h"

GPtrArray *test_pieces(const char *model, uint32_t n) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", model, NULL);
  PtOnnxReadOptions options = {.allow_empty = true};
  g_autoptr(PtGraph) g = pt_onnx_read(path, &options, &error);
  g_assert_no_error(error);
  pt_runtime_infer_types(g, &error);
  g_assert_no_error(error);
  PtSeed seed;
  pt_seed_init(&seed, "1");
  PtPartitionOptions how = {.n = n};
  g_autoptr(PtPartition) parts = pt_partition(g, &how, &seed, &error);
  g_assert_no_error(error);
  GPtrArray *pieces = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  for (uint32_t i = 0; i < parts->pieces->len; i++)
    if (parts->group[i] == pieces->len)
      g_ptr_array_add(pieces, pt_graph_extract(g, parts->pieces->pdata[i], NULL));
  return pieces;
}

static void same_interface(PtGraph *s, PtGraph *real, const char *what) {
  g_assert_cmpuint(s->inputs->len, ==, real->inputs->len);
  g_assert_cmpuint(s->outputs->len, ==, real->outputs->len);
  for (uint32_t i = 0; i < s->inputs->len + s->outputs->len; i++) {
    bool in = i < s->inputs->len;
    uint32_t k = in ? i : i - s->inputs->len;
    const PtType *a = &pt_value(s, in ? pt_graph_input(s, k) : pt_graph_output(s, k))->type;
    const PtType *b =
        &pt_value(real, in ? pt_graph_input(real, k) : pt_graph_output(real, k))->type;
    if (!pt_type_equal(a, b)) {
      g_autofree char *x = pt_type_text(a), *y = pt_type_text(b);
      g_error("%s: interface %s is not %s", what, x, y);
    }
  }
}

void test_sentinel(PtGraph *s, PtGraph *real, const char *what) {
  g_autoptr(GError) error = NULL;
  pt_graph_check(s, &error);
  g_assert_no_error(error);
  same_interface(s, real, what);
  g_assert_cmpint(s->ir_version, ==, real->ir_version);
  g_assert_cmpuint(s->opsets->len, ==, real->opsets->len);
  for (uint32_t i = 0; i < s->opsets->len; i++) {
    const PtOpset *o = &g_array_index(s->opsets, PtOpset, i);
    g_assert_cmpint(o->version, ==, pt_graph_opset(real, o->domain));
  }
  g_autoptr(PtUses) uses = pt_uses_new(s);
  for (uint32_t i = 0; i < s->inputs->len; i++)
    if (pt_uses_count(uses, pt_graph_input(s, i)) == 0)
      g_error("%s: input %u is not used", what, i);
  g_autofree PtRole *roles = pt_roles(s);
  for (PtValueId v = 0; v < pt_graph_n_values(s); v++) {
    const PtTensor *t = pt_value(s, v)->constant;
    if (t && roles[v] != PT_ROLE_REAL)
      g_assert_null(t->data);
    if (t && roles[v] == PT_ROLE_REAL)
      g_assert_false(pt_tensor_is_empty(t));
  }
  for (PtNodeId n = 0; n < pt_graph_n_nodes(s); n++)
    g_assert_nonnull(pt_op_of(pt_node(s, n)));
}

void test_distinct(GPtrArray *sentinels, PtGraph *real) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  uint64_t hash = pt_sentinel_hash(real);
  g_hash_table_add(seen, g_memdup2(&hash, sizeof hash));
  for (uint32_t i = 0; i < sentinels->len; i++) {
    hash = pt_sentinel_hash(sentinels->pdata[i]);
    g_assert_true(g_hash_table_add(seen, g_memdup2(&hash, sizeof hash)));
  }
}

/* A copy with weights: the caller's keeps its empty ones. */
static PtGraph *filled(PtGraph *s, const PtSeed *seed) {
  g_autoptr(GError) error = NULL;
  PtGraph *g = pt_rebuild(s, false);
  pt_fill(g, seed, 1, &error);
  g_assert_no_error(error);
  return g;
}

static PtSession *load(PtGraph *g, PtLevel level, GError **error) {
  PtSessionOptions options = {.level = level, .threads = 1};
  return pt_session_new(g, &options, error);
}

void test_sentinel_runs(PtGraph *s, PtLevel level, bool run, const char *what) {
  g_autoptr(GError) error = NULL;
  PtSeed seed;
  pt_seed_init(&seed, "7");
  g_autoptr(PtGraph) g = filled(s, &seed);
  g_autoptr(PtSession) session = load(g, level, &error);
  if (!session)
    g_error("%s: does not load: %s", what, error->message);
  if (!run)
    return;
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(g, &seed, 16, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) outputs = pt_session_run(session, (PtArray *const *)inputs->pdata, &error);
  if (!outputs)
    g_error("%s: does not run: %s", what, error->message);
}

bool test_sentinel_optimizes(PtGraph *s) {
  PtSeed seed;
  pt_seed_init(&seed, "7");
  g_autoptr(PtGraph) g = filled(s, &seed);
  g_autoptr(PtSession) session = load(g, PT_LEVEL_ALL, NULL);
  return session != NULL;
}
