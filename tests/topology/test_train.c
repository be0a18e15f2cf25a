/* GraphRNN: its gradient against differences, cycles learned by heart and drawn again, the same
 * file at any number of threads and after a resumption, hostile files. */
#include "topology/model.h"

#include <math.h>
#include <string.h>

static PtTopology *cycle(uint32_t n) {
  PtTopology *t = pt_topology_new(n);
  for (uint32_t i = 1; i < n; i++)
    pt_topology_add(t, i - 1, i);
  if (n > 2)
    pt_topology_add(t, 0, n - 1);
  pt_topology_sort(t);
  return t;
}

static GPtrArray *cycles(uint32_t from, uint32_t to, uint32_t times) {
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  for (uint32_t i = 0; i < times; i++)
    for (uint32_t n = from; n <= to; n++)
      g_ptr_array_add(all, cycle(n));
  return all;
}

static PtRng *rng_new(const char *text) {
  PtSeed seed;
  pt_seed_init(&seed, text);
  return pt_rng_new(&seed, "test", 0);
}

/* ---- the network ------------------------------------------------------------------------------
 */
static void test_gradient(void) {
  g_autoptr(PtRng) rng = rng_new("gradient");
  const PtRnnShape shape = {.look_back = 3, .embedding = 4, .nodes = 5, .edges = 3};
  g_autoptr(PtGraphRnn) net = pt_graphrnn_new(&shape, rng);
  g_autoptr(GPtrArray) graphs = cycles(1, 6, 1);
  PtRows *rows[6];
  for (int i = 0; i < 6; i++)
    rows[i] = pt_rows_of(graphs->pdata[i], rng, 3);
  g_autofree float *gradient = pt_params_gradient(net->params);
  uint64_t cells = 0;
  pt_graphrnn_loss(net, rows, 6, gradient, &cells);
  g_assert_cmpuint(cells, ==, 0 + 1 + 3 + 6 + 9 + 12); /* 1 + 2 + 3 + 3 + ... a graph */
  const float h = 5e-3F;
  for (size_t i = 0; i < net->params->size; i++) {
    float *at = &net->params->value[i], old = *at;
    *at = old + h;
    double up = pt_graphrnn_loss(net, rows, 6, NULL, &cells);
    *at = old - h;
    double down = pt_graphrnn_loss(net, rows, 6, NULL, &cells);
    *at = old;
    double quotient = (up - down) / (2 * (double)h), g = (double)gradient[i];
    if (fabs(quotient - g) > 3e-3 * (1 + fabs(g)))
      g_error("parameter %zu: %g by differences, %g backwards", i, quotient, g);
  }
  /* a graph's loss does not depend on its company */
  double together = pt_graphrnn_loss(net, rows, 6, NULL, &cells), alone = 0;
  for (int i = 0; i < 6; i++)
    alone += pt_graphrnn_loss(net, &rows[i], 1, NULL, &cells);
  g_assert_cmpfloat_with_epsilon(together, alone, 1e-3);
  for (int i = 0; i < 6; i++)
    pt_rows_free(rows[i]);
}

/* Rows hold a graph as it is when the look-back reaches, both directed and not. */
static void test_rows(void) {
  g_autoptr(PtRng) rng = rng_new("rows");
  for (int times = 0; times < 500; times++) {
    uint32_t n = 1 + (uint32_t)pt_rng_below(rng, 15);
    g_autoptr(PtTopology) t = pt_topology_new(n);
    for (uint64_t e = pt_rng_below(rng, 2 * n); n > 1 && e > 0; e--) {
      uint32_t a = (uint32_t)pt_rng_below(rng, n), b = (uint32_t)pt_rng_below(rng, n);
      if (a != b)
        pt_topology_add(t, a, b);
    }
    pt_topology_sort(t);
    g_autoptr(PtRows) rows = pt_rows_of(t, rng, 16);
    g_autoptr(PtTopology) directed = pt_rows_directed(rows), flat = pt_rows_undirected(rows);
    g_assert_true(pt_topology_check(directed) && pt_topology_check(flat));
    g_assert_cmpuint(pt_topology_sources(directed), ==, pt_topology_sources(t));
    g_assert_cmpuint(pt_topology_sinks(directed), ==, pt_topology_sinks(t));
    PtTopologyFeatures f = pt_topology_features(t), g = pt_topology_features(flat);
    PtTopologyFeatures d = pt_topology_features(directed);
    for (int j = 0; j < PT_N_FEATURES; j++) {
      g_assert_cmpfloat_with_epsilon(f.x[j], g.x[j], 1e-12);
      g_assert_cmpfloat_with_epsilon(f.x[j], d.x[j], 1e-12);
    }
  }
}

/* An untrained network draws anything, but never a cycle of directions. */
static void test_acyclic(void) {
  g_autoptr(PtRng) rng = rng_new("acyclic");
  const PtRnnShape shape = {.look_back = 8, .embedding = 4, .nodes = 4, .edges = 4};
  g_autoptr(PtTopologyModel) model = pt_topology_model_new(&shape, 30, rng);
  g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  uint32_t sizes[200];
  for (uint32_t i = 0; i < G_N_ELEMENTS(sizes); i++)
    sizes[i] = 1 + i / 7;
  for (int induced = 0; induced < 2; induced++)
    pt_topology_draw(model, sizes, G_N_ELEMENTS(sizes), induced, rng, out);
  for (guint i = 0; i < out->len; i++) {
    const PtTopology *t = out->pdata[i];
    g_assert_true(pt_topology_check(t));
    g_assert_cmpuint(t->n, ==, sizes[i % G_N_ELEMENTS(sizes)]);
    if (t->n > 10)
      g_assert_cmpuint(t->edges->len, >, t->n);
  }
}

/* ---- training ---------------------------------------------------------------------------------
 */
static bool is_cycle(const PtTopology *t) {
  PtTopologyFeatures f = pt_topology_features(t);
  g_autoptr(PtAdjacency) a = pt_adjacency_new(t);
  for (uint32_t i = 0; i < t->n; i++)
    if (pt_adjacency_degree(a, i) != 2)
      return false;
  return (uint32_t)f.x[PT_FEATURE_DIAMETER] == t->n / 2;
}

static void test_overfits(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = cycles(4, 9, 5), out = NULL;
  g_autoptr(GArray) epochs = g_array_new(FALSE, FALSE, sizeof(PtTopologyEpoch));
  PtTopologyTrainOptions options = {.seed = "cycles", .epochs = 250};
  g_autoptr(PtTopologyModel) model = pt_topology_train(all, &options, epochs, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(epochs->len, ==, 250);
  /* One bit a graph cannot be learned: which of the first node's neighbours comes first, the one
   * whose edges go the other way or not. The mean size is 6.5. */
  g_assert_cmpfloat(g_array_index(epochs, PtTopologyEpoch, 249).train, <, 1.2 * G_LN2 / 6.5);
  g_autoptr(PtRng) rng = rng_new("cycles");
  out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  pt_topology_draw(model, NULL, 200, true, rng, out);
  guint right = 0;
  for (guint i = 0; i < out->len; i++)
    right += is_cycle(out->pdata[i]);
  g_assert_cmpuint(right, >, 180);
}

typedef struct Copy {
  const char *from, *to;
  uint64_t when;
} Copy;

static void keep_checkpoint(const char *what, uint64_t done, uint64_t total, void *data) {
  const Copy *copy = data;
  g_autofree char *bytes = NULL;
  gsize size;
  (void)what;
  (void)total;
  if (done != copy->when)
    return;
  g_assert_true(g_file_get_contents(copy->from, &bytes, &size, NULL));
  g_assert_true(g_file_set_contents(copy->to, bytes, (gssize)size, NULL));
}

static GBytes *trained(const PtTopologyTrainOptions *options, const char *path, guint epochs) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = cycles(3, 8, 6);
  g_autoptr(GArray) curve = g_array_new(FALSE, FALSE, sizeof(PtTopologyEpoch));
  g_autoptr(PtTopologyModel) model = pt_topology_train(all, options, curve, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(curve->len, ==, epochs);
  g_assert_true(pt_topology_model_write(model, path, &error));
  return pt_file_map(path, 1 << 26, &error);
}

static void test_resumes(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = pt_dir_make_temp("topology", &error);
  g_autofree char *path = g_build_filename(folder, "topology.bin", NULL);
  g_autofree char *state = g_build_filename(folder, "state", NULL);
  g_autofree char *middle = g_build_filename(folder, "middle", NULL);
  Copy copy = {state, middle, 3};
  PtTopologyTrainOptions options = {.seed = "a",
                                    .epochs = 7,
                                    .threads = 3,
                                    .checkpoint = state,
                                    .resume = true,
                                    .progress = {keep_checkpoint, &copy}};
  g_autoptr(GBytes) whole = trained(&options, path, 7);
  options = (PtTopologyTrainOptions){.seed = "a", .epochs = 7, .threads = 1};
  g_autoptr(GBytes) one_thread = trained(&options, path, 7);
  options.checkpoint = middle;
  options.resume = true;
  g_autoptr(GBytes) resumed = trained(&options, path, 7);
  g_assert_true(g_bytes_equal(whole, one_thread));
  g_assert_true(g_bytes_equal(whole, resumed));
  options.seed = "b";
  options.checkpoint = NULL;
  g_autoptr(GBytes) other = trained(&options, path, 7);
  g_assert_false(g_bytes_equal(whole, other));
  /* a checkpoint of another training, and a hostile one */
  g_autoptr(GPtrArray) all = cycles(3, 8, 6);
  options.checkpoint = middle;
  g_assert_null(pt_topology_train(all, &options, NULL, &error));
  g_assert_error(error, PT_TOPOLOGY_ERROR, PT_ERR_MISMATCH);
  g_clear_error(&error);
  options.seed = "a";
  g_autoptr(GBytes) bytes = pt_file_map(middle, 1 << 26, &error);
  gsize size;
  g_autofree char *data = g_memdup2(g_bytes_get_data(bytes, &size), g_bytes_get_size(bytes));
  const gsize cuts[] = {3, 20, 40, g_bytes_get_size(bytes) / 2, g_bytes_get_size(bytes) - 1};
  for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
    g_assert_true(g_file_set_contents(middle, data, (gssize)cuts[i], NULL));
    g_assert_null(pt_topology_train(all, &options, NULL, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(error->code, ==, PT_ERR_INPUT);
    g_clear_error(&error);
  }
  pt_dir_remove(folder);
}

static void test_refuses(void) {
  g_autoptr(GError) error = NULL;
  PtTopologyTrainOptions options = {.epochs = 1};
  g_autoptr(GPtrArray) none = cycles(1, 2, 1), odd = cycles(3, 4, 1);
  g_assert_null(pt_topology_train(none, &options, NULL, &error));
  g_assert_error(error, PT_TOPOLOGY_ERROR, PT_ERR_INPUT);
  g_clear_error(&error);
  g_ptr_array_add(odd, pt_topology_new(0));
  g_assert_null(pt_topology_train(odd, &options, NULL, &error));
  g_assert_error(error, PT_TOPOLOGY_ERROR, PT_ERR_LIMIT);
}

/* ---- the file ---------------------------------------------------------------------------------
 */
static void check_refused(const char *path, const void *data, size_t size) {
  g_autoptr(GError) error = NULL;
  g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
  g_assert_null(pt_topology_model_open(path, &error));
  g_assert_nonnull(error);
  g_assert_cmpint(error->code, ==, PT_ERR_INPUT);
}

static void test_hostile(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtRng) rng = rng_new("hostile");
  g_autofree char *folder = pt_dir_make_temp("topology", &error);
  g_autofree char *path = g_build_filename(folder, "topology.bin", NULL);
  const PtRnnShape shape = {.look_back = 3, .embedding = 2, .nodes = 2, .edges = 2};
  g_autoptr(PtTopologyModel) small = pt_topology_model_new(&shape, 9, rng);
  small->sizes[3] = 1;
  g_assert_true(pt_topology_model_write(small, path, &error));
  g_autofree char *data = NULL;
  gsize size;
  g_assert_true(g_file_get_contents(path, &data, &size, NULL));
  g_autoptr(PtTopologyModel) again = pt_topology_model_open(path, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(again->sizes[3], ==, 1);
  for (gsize cut = 1; cut < size; cut += cut < 200 ? 1 : 37)
    check_refused(path, data, cut);
  g_autofree char *longer = g_malloc0(size + 1);
  memcpy(longer, data, size);
  check_refused(path, longer, size + 1);
  static const char ones[4] = {'\xff', '\xff', '\xff', '\xff'};
  for (gsize at = 0; at + 4 <= 28; at += 4) { /* magic, shape, sizes: none, absurd */
    memcpy(longer, data, size);
    memset(longer + at, 0, 4);
    check_refused(path, longer, size);
    memcpy(longer + at, ones, 4);
    check_refused(path, longer, size);
  }
  memcpy(longer, data, size);
  memset(longer + 32, 0, 9 * 4); /* no size ever occurred */
  check_refused(path, longer, size);
  for (int times = 0; times < 50; times++) {
    pt_rng_bytes(rng, longer, size);
    memcpy(longer, data, times % 2 ? 32 : 8);
    check_refused(path, longer, size);
  }
  g_assert_null(pt_topology_model_open("/nonexistent/topology.bin", &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  pt_dir_remove(folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/topology/rnn/gradient", test_gradient);
  g_test_add_func("/topology/rnn/rows", test_rows);
  g_test_add_func("/topology/rnn/acyclic", test_acyclic);
  g_test_add_func("/topology/rnn/overfits", test_overfits);
  g_test_add_func("/topology/train/resumes", test_resumes);
  g_test_add_func("/topology/train/refuses", test_refuses);
  g_test_add_func("/topology/model/hostile", test_hostile);
  return g_test_run();
}
