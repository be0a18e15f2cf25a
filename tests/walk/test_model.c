/* The trained file is hostile input; the solver finds the minimum; the same seed gives the same
 * sentinels on any number of threads; near-twins are mirrored. */
#include "runtime/runtime.h"
#include "walk/walk_private.h"

#include <math.h>

/* ---- the solver
 * ---------------------------------------------------------------------------------------- */
/* At the minimum the gradient is zero: w = 2 c sum x / (1 + exp(w x)). */
static void test_logistic(void) {
  g_autoptr(PtPairs) pairs = pt_pairs_new();
  PtSeed seed;
  pt_seed_init(&seed, "logistic");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  enum { ROWS = 200, COLUMNS = 12 };
  for (int r = 0; r < ROWS; r++) {
    for (uint32_t c = 0; c < COLUMNS; c++)
      if (pt_rng_below(rng, 2))
        pt_pairs_add(pairs, c, (float)(pt_rng_normal(rng) + 0.1 * c));
    pt_pairs_end_row(pairs);
  }
  double w[COLUMNS], c = 0.3, gradient[COLUMNS];
  pt_pairs_fit(pairs, NULL, c, w);
  memcpy(gradient, w, sizeof w);
  for (uint32_t r = 0; r < ROWS; r++) {
    double pull = 2 * c / (1 + exp(pt_pairs_dot(pairs, r, w)));
    uint32_t from = g_array_index(pairs->start, uint32_t, r);
    for (uint32_t i = from; i < g_array_index(pairs->start, uint32_t, r + 1); i++)
      gradient[g_array_index(pairs->column, uint32_t, i)] -=
          pull * (double)g_array_index(pairs->value, float, i);
  }
  for (uint32_t i = 0; i < COLUMNS; i++)
    g_assert_cmpfloat(fabs(gradient[i]), <, 0.1);
  g_assert_cmpfloat(w[COLUMNS - 1], >, 0.5);
}

/* ---- the file
 * ------------------------------------------------------------------------------------------ */
static void check_refused(const char *folder, const void *data, size_t size, PtErrorCode code) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_build_filename(folder, "walk.bin", NULL);
  g_assert_true(pt_file_write(path, 0644, data, size, NULL));
  g_assert_null(pt_walk_model_open(path, &error));
  g_assert_nonnull(error);
  g_assert_cmpint(error->code, ==, code);
}

static void test_file(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *shipped = g_build_filename(g_getenv("PT_TEST_SOURCE"), "data", "walk.bin", NULL);
  g_autofree char *folder = pt_dir_make_temp("walk", &error);
  g_autoptr(GBytes) file = pt_file_map(shipped, 1 << 28, &error);
  g_assert_no_error(error);
  gsize size;
  const uint8_t *data = g_bytes_get_data(file, &size);
  g_autofree uint8_t *copy = g_memdup2(data, size);
  check_refused(folder, copy, 7, PT_ERR_INPUT);
  check_refused(folder, copy, 30, PT_ERR_INPUT);
  check_refused(folder, copy, size / 2, PT_ERR_INPUT);
  copy[7]++; /* version */
  check_refused(folder, copy, size, PT_ERR_INPUT);
  copy[7]--;
  for (int field = 0; field < 3; field++) { /* models, pieces, weights */
    uint8_t old = copy[8 + 4 * field];
    copy[8 + 4 * field] = field == 0 ? 1 : (uint8_t)(old + 1);
    if (field == 0)
      memset(copy + 9, 0, 3);
    check_refused(folder, copy, size, PT_ERR_INPUT);
    memcpy(copy + 8, data + 8, 12);
  }
  g_assert_null(pt_walk_model_open("/nonexistent/walk.bin", &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  pt_dir_remove(folder);
}

/* ---- buckets
 * ------------------------------------------------------------------------------------------- */
/* x -> Conv -> BatchNormalization -> Relu -> Conv -> BatchNormalization, + x -> Relu */
static PtValueId weight(PtGraph *g, uint32_t rank, const int64_t *dims) {
  PtValueId v = pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, rank, dims, NULL));
  pt_value(g, v)->type = pt_type_of_constant(g, pt_value(g, v)->constant);
  return v;
}

static PtValueId like(PtGraph *g, PtValueId x, PtValueId of) {
  PtType t = pt_type_copy(g, &pt_value(g, of)->type);
  pt_value(g, x)->type = t;
  return x;
}

static PtValueId conv_norm(PtGraph *g, PtValueId x, int64_t c) {
  int64_t kernel[4] = {c, c, 3, 3}, channels[1] = {c}, pads[4] = {1, 1, 1, 1};
  PtValueId y = like(g, pt_graph_add_op(g, "Conv", (PtValueId[]){x, weight(g, 4, kernel)}, 2), x);
  pt_node_set_ints(g, pt_value(g, y)->producer, "pads", pads, 4);
  PtValueId in[5] = {y};
  for (int i = 1; i < 5; i++)
    in[i] = weight(g, 1, channels);
  return like(g, pt_graph_add_op(g, "BatchNormalization", in, 5), x);
}

static PtGraph *block(int64_t c, int64_t size, uint32_t convs) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  g->ir_version = 8;
  PtDim d[4] = {{1, NULL}, {c, NULL}, {size, NULL}, {size, NULL}};
  PtType t = pt_type_tensor(g, PT_FLOAT, 4, d);
  PtValueId x = pt_graph_add_input(g, "x", &t), y = x;
  for (uint32_t i = 0; i < convs; i++) {
    y = conv_norm(g, y, c);
    if (i + 1 < convs)
      y = like(g, pt_graph_add_op(g, "Relu", &y, 1), x);
  }
  y = like(g, pt_graph_add_op(g, "Add", (PtValueId[]){y, x}, 2), x);
  pt_graph_add_output(g, like(g, pt_graph_add_op(g, "Relu", &y, 1), x));
  return g;
}

static uint64_t looks_of(PtWalkModel *m, PtGraph *g) {
  PtWalkFace *face = pt_walk_face_new(m->library, g);
  PtWalkState *s = pt_walk_read(m->library, face, g, NULL, NULL);
  g_assert_nonnull(s);
  uint64_t h = pt_walk_looks(s);
  pt_walk_state_free(s);
  pt_walk_face_free(face);
  return h;
}

static GArray *all_looks(PtWalkModel *m, GPtrArray *pieces, unsigned threads) {
  PtSeed seed;
  pt_seed_init(&seed, "threads");
  PtWalkOptions options = {.k = 6, .steps = 800, .threads = threads};
  GArray *all = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(PtWalkBuckets) b = pt_walk_buckets_new(m, pieces, &options, &seed);
  for (guint i = 0; i < pieces->len; i++) {
    PtWalkStats stats = pt_walk_buckets_stats(b, i);
    g_assert_true(stats.walked);
    g_assert_cmpuint(stats.made, ==, 6);
    g_assert_cmpuint(stats.leader, ==, i == 2 ? 0 : i);
    g_autoptr(PtGraph) real = pt_walk_buckets_real(b, i, NULL);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    uint64_t h = looks_of(m, real);
    g_hash_table_add(seen, g_memdup2(&h, sizeof h));
    for (uint32_t j = 0; j < stats.made; j++) {
      g_autoptr(PtGraph) g = pt_walk_buckets_sentinel(b, i, j);
      h = looks_of(m, g);
      g_assert_true(g_hash_table_add(seen, g_memdup2(&h, sizeof h))); /* none like another */
      g_array_append_val(all, h);
    }
  }
  return all;
}

static void test_buckets(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtWalkModel) m = pt_walk_model_open(NULL, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  g_ptr_array_add(pieces, block(64, 56, 2));
  g_ptr_array_add(pieces, block(64, 56, 3));
  g_ptr_array_add(pieces, block(128, 28, 2)); /* the first one's twin */
  g_autoptr(GArray) one = all_looks(m, pieces, 1), four = all_looks(m, pieces, 4);
  g_assert_cmpmem(one->data, (int)(one->len * sizeof(uint64_t)), four->data,
                  (int)(four->len * sizeof(uint64_t)));
  PtWalkOptions options = {.k = 6, .steps = 800};
  PtSeed seed;
  pt_seed_init(&seed, "threads");
  g_autoptr(PtWalkBuckets) b = pt_walk_buckets_new(m, pieces, &options, &seed);
  for (uint32_t j = 0; j < 6; j++) { /* the j-th of one is the twin of the j-th of the other */
    g_autoptr(PtGraph) x = pt_walk_buckets_sentinel(b, 0, j), y = pt_walk_buckets_sentinel(b, 2, j);
    g_assert_cmpuint(pt_graph_n_nodes(x), ==, pt_graph_n_nodes(y));
    for (uint32_t n = 0; n < pt_graph_n_nodes(x); n++)
      g_assert_cmpstr(pt_node(x, n)->op_type, ==, pt_node(y, n)->op_type);
  }
}

/* ---- familiar features
 * --------------------------------------------------------------------------------------- */
/* However log pi is folded into tables, it is the sum over features of their own weight and that of
 * how familiar they are. */
static void test_known(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtWalkModel) m = pt_walk_model_open(NULL, &error);
  g_assert_no_error(error);
  g_autoptr(PtGraph) other = block(64, 56, 3), like_it = block(64, 56, 2);
  PtMap64 own = {0}, of_model = {0};
  PtFeatures f = {0};
  const PtWalkState *first = ((PtWalkPiece *)m->pieces->pdata[0])->state;
  for (int i = 0; i < 2; i++) {
    PtWalkFace *face = pt_walk_face_new(m->library, i ? other : like_it);
    PtWalkState *s = pt_walk_read(m->library, face, i ? other : like_it, NULL, NULL);
    g_assert_nonnull(s);
    g_autoptr(GArray) counts = pt_features_counted(&f, s);
    pt_walk_known_see(&own, counts);
    pt_walk_state_free(s);
    pt_walk_face_free(face);
  }
  g_autoptr(GArray) counts = pt_features_counted(&f, first);
  pt_walk_known_see(&of_model, counts);
  for (uint32_t n_own = 0; n_own < 3; n_own += 2) {
    PtWalkKnown k = {.models = &m->shown, .own_model = &of_model, .own = &own, .n_own = n_own};
    PtWalkKnown nothing = k;
    nothing.own = NULL;
    PtWalkEnergy all = {0}, base = {0}, over = {0};
    pt_walk_energy_fold(&all, &m->weights, &k);
    pt_walk_energy_fold(&base, &m->weights, &nothing);
    pt_walk_energy_over(&over, &base, &m->weights, &k);
    for (guint i = 0; i < MIN(m->pieces->len, 200); i++) {
      PtWalkPiece *p = m->pieces->pdata[i];
      double want = 0;
      pt_features_make(&f, p->state);
      for (uint32_t a = 0; a < f.n; a++)
        want += pt_map64_get(&m->weights, f.id[a], 0) +
                pt_map64_get(&m->weights, pt_walk_known_of(&k, f.id[a]), 0);
      for (int way = 0; way < 2; way++) {
        PtWalker w;
        pt_walker_init(&w, p->state, NULL, way ? &over : &all, NULL);
        g_assert_cmpfloat_with_epsilon(pt_walk_log_pi(&w, w.now), want, 1e-6);
        pt_walker_clear(&w);
      }
    }
    pt_energy_clear(&all);
    pt_energy_clear(&base);
    pt_energy_clear(&over);
  }
  pt_features_clear(&f);
  pt_map64_clear(&own);
  pt_map64_clear(&of_model);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/walk/model/logistic", test_logistic);
  g_test_add_func("/walk/model/file", test_file);
  g_test_add_func("/walk/model/buckets", test_buckets);
  g_test_add_func("/walk/model/known", test_known);
  return g_test_run();
}
