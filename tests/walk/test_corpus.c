/* On real models: every piece goes to a state and back as an equal graph, by a fixed point of the
 * normal form; and every sentinel is a model that loads with full optimization and keeps the
 * interface. Which models: WALK_MODELS (all: those of the corpus). */
#include "onnx/onnx.h"
#include "partition/partition.h"
#include "runtime/runtime.h"
#include "walk/walk_private.h"

static PtWalkModel *model;
static uint32_t all_made, all_refused;

static GPtrArray *cut(const char *path) {
  g_autoptr(GError) error = NULL;
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_MAP, .allow_empty = true};
  g_autoptr(PtGraph) g = pt_onnx_read(path, &options, &error);
  g_assert_no_error(error);
  g_assert_true(pt_runtime_infer_types(g, &error));
  g_assert_true(pt_runtime_fold(g, &error));
  PtSeed seed;
  pt_seed_init(&seed, "test");
  PtPartitionOptions how = {.n = 0};
  g_autoptr(PtPartition) parts = pt_partition(g, &how, &seed, &error);
  g_assert_no_error(error);
  return pt_partition_distinct(g, parts);
}

static bool stays(const PtGraph *graph, PtValueId value, void *roles) {
  (void)graph;
  return ((const PtRole *)roles)[value] == PT_ROLE_REAL;
}

static uint64_t canonical(const PtGraph *g) {
  g_autofree PtRole *roles = pt_roles(g);
  return pt_graph_canonical(g, stays, roles, NULL);
}

/* The normal form of a normal form is itself; it has the interface, the operators, and every weight
 * of the piece. */
static void check_normal_form(PtGraph *piece) {
  g_autoptr(GError) error = NULL;
  g_autofree PtValueId *origin = NULL;
  const char *why = NULL;
  g_autoptr(PtGraph) once = pt_walk_normal_form(model, piece, &origin, &why);
  if (!once) {
    g_test_message("not walked: %s", why);
    return;
  }
  g_assert_true(pt_graph_check(once, &error));
  g_assert_cmpuint(pt_graph_n_nodes(once), ==, pt_graph_n_nodes(piece));
  for (uint32_t i = 0; i < piece->inputs->len; i++)
    g_assert_cmpuint(origin[pt_graph_input(once, i)], ==, pt_graph_input(piece, i));
  for (uint32_t i = 0; i < piece->outputs->len; i++)
    g_assert_cmpuint(origin[pt_graph_output(once, i)], ==, pt_graph_output(piece, i));
  for (PtValueId v = 0; v < pt_graph_n_values(once); v++) {
    const PtTensor *c = pt_value(once, v)->constant;
    if (c && origin[v] != PT_NONE)
      g_assert_cmpuint(c->count, ==, pt_value(piece, origin[v])->constant->count);
    if (c && pt_tensor_is_empty(c)) /* a weight: its own */
      g_assert_cmpuint(origin[v], !=, PT_NONE);
  }
  g_autoptr(PtGraph) twice = pt_walk_normal_form(model, once, NULL, NULL);
  g_assert_nonnull(twice);
  g_assert_cmpuint(canonical(once), ==, canonical(twice));
}

/* Weights as inputs: nothing has to be made up, and the runtime sees every shape. False where a
 * weight came to steer an index, and where ONNX Runtime's own optimizer breaks the graph (it does
 * so on half-made normalizations): the sentinel room and the trial leave these out. */
static bool check_loads(PtGraph *g, const PtGraph *real, const char *name) {
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_graph_check(g, &error));
  g_autofree PtRole *roles = pt_roles(g);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtValue *value = pt_value(g, v);
    if (!value->constant || !pt_tensor_is_empty(value->constant))
      continue;
    if (roles[v] == PT_ROLE_REAL)
      return false;
    value->constant = NULL;
    value->is_input = true;
    g_array_append_val(g->inputs, v);
  }
  PtSessionOptions options = {.level = PT_LEVEL_ALL, .native = true, .threads = 1};
  g_autoptr(PtSession) session = pt_session_new(g, &options, &error);
  if (!session) {
    options.level = PT_LEVEL_NONE;
    g_clear_error(&error);
    session = pt_session_new(g, &options, &error);
    if (!session)
      g_error("%s: %s", name, error->message);
    return false;
  }
  g_assert_cmpuint(pt_session_n_outputs(session), ==, real->outputs->len);
  g_autoptr(PtGraph) types = pt_graph_new();
  for (uint32_t i = 0; i < real->outputs->len; i++) {
    PtType got, want = pt_value(real, pt_graph_output(real, i))->type;
    g_assert_true(pt_session_output_type(session, i, types, &got, &error));
    g_assert_cmpint(got.dtype, ==, want.dtype);
    for (int32_t d = 0; d < want.rank && got.rank == want.rank; d++)
      if (got.dims[d].size >= 0 && want.dims[d].size >= 0)
        g_assert_cmpint(got.dims[d].size, ==, want.dims[d].size);
  }
  return true;
}

static void test_model(const void *data) {
  g_autofree char *path = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", data, NULL);
  g_autoptr(GPtrArray) pieces = cut(path);
  PtSeed seed;
  pt_seed_init(&seed, data);
  for (guint i = 0; i < pieces->len; i++)
    check_normal_form(pieces->pdata[i]);
  PtWalkOptions options = {.k = 3, .steps = 500};
  g_autoptr(PtWalkBuckets) buckets = pt_walk_buckets_new(model, pieces, &options, &seed);
  uint32_t walked = 0, made = 0, refused = 0;
  for (guint i = 0; i < pieces->len; i++) {
    PtWalkStats stats = pt_walk_buckets_stats(buckets, i);
    walked += stats.walked;
    made += stats.made;
    for (uint32_t j = 0; j < stats.made; j++) {
      g_autoptr(PtGraph) g = pt_walk_buckets_sentinel(buckets, i, j);
      g_assert_nonnull(g);
      refused += !check_loads(g, pieces->pdata[i], data);
    }
  }
  g_test_message("%u of %u pieces walked, %u of %u sentinels", walked, pieces->len, made,
                 3 * pieces->len);
  all_made += made;
  all_refused += refused;
  g_assert_cmpuint(made * 10, >=, walked * 3 * 7); /* the rest is filled by the sentinel room */
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  g_test_init(&argc, &argv, NULL);
  if (!pt_runtime_load(&error))
    return g_print("1..0 # SKIP %s\n", error->message), 0;
  model = pt_walk_model_open(NULL, &error);
  g_assert_no_error(error);
  const char *only = WALK_MODELS;
  g_autofree char *folder = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", NULL);
  g_autoptr(GPtrArray) files = pt_dir_list(folder, ".onnx", &error);
  for (guint i = 0; i < files->len; i++) {
    g_autofree char *name = g_strconcat("/walk/corpus/", files->pdata[i], NULL);
    if (!*only || strstr(only, files->pdata[i]))
      g_test_add_data_func(name, files->pdata[i], test_model);
  }
  int failed = g_test_run();
  g_assert_cmpuint(all_refused * 100, <=, all_made);
  pt_walk_model_free(model);
  return failed;
}
