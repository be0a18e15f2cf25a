/* Modes generate and random on real models' pieces: valid, the piece's interface, distinct, made by
 * the generator where it can, with what the model has; the same for any number of threads. */
#include "common.h"

typedef struct Tally {
  uint32_t wanted, made, walked, nodes, normalizations;
  double likeness; /* of operators, to the real pieces */
} Tally;

static PtSentinelGenerator *begin(PtSentinelMode mode, GPtrArray *pieces, uint32_t k,
                                  const char *seed_text, unsigned threads) {
  g_autoptr(GError) error = NULL;
  PtSeed seed;
  pt_seed_init(&seed, seed_text);
  PtSentinelGenerator *g =
      pt_sentinel_generator_new(mode, pieces, k, 0, &seed, threads, NULL, &error);
  g_assert_no_error(error);
  return g;
}

static GPtrArray *make(PtSentinelGenerator *g, uint32_t i, Tally *tally) {
  g_autoptr(GError) error = NULL;
  GPtrArray *out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  uint32_t made = 0, walked = 0;
  g_assert_true(pt_sentinel_generator_make(g, i, out, &made, &walked, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(made, ==, out->len);
  tally->made += made;
  tally->walked += walked;
  return out;
}

static void count_operators(GHashTable *counts, const PtGraph *g) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const char *op = g_intern_string(pt_node(g, i)->op_type);
    g_hash_table_insert(counts, (void *)(uintptr_t)op,
                        GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(counts, op)) + 1));
  }
}

/* Of the operators of the real pieces and of the sentinels: the square of the cosine. */
static double likeness(GHashTable *x, GHashTable *y) {
  double xy = 0, xx = 0, yy = 0;
  GHashTableIter iter;
  void *key, *value;
  g_hash_table_iter_init(&iter, x);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    double n = GPOINTER_TO_UINT(value);
    xy += n * GPOINTER_TO_UINT(g_hash_table_lookup(y, key));
    xx += n * n;
  }
  g_hash_table_iter_init(&iter, y);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    double n = GPOINTER_TO_UINT(value);
    yy += n * n;
  }
  return xx > 0 && yy > 0 ? xy * xy / (xx * yy) : 0;
}

/* Scale and offset are as many numbers as there are channels: GroupNormalization of one group is
 * exported with a scale of one number, which fits one channel only, and does not run with more. */
static uint32_t check_normalizations(const PtGraph *g, const char *what) {
  uint32_t found = 0;
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *node = pt_node(g, i);
    if (!pt_op_is(node, "InstanceNormalization"))
      continue;
    int64_t channels = pt_value(g, node->inputs[0])->type.dims[1].size;
    for (uint32_t k = 1; k < 3; k++) {
      const PtTensor *t = pt_value(g, node->inputs[k])->constant;
      if (t && channels >= 0 && t->dims[0] != channels)
        g_error("%s: %d numbers for %d channels", what, (int)t->dims[0], (int)channels);
    }
    found++;
  }
  return found;
}

/* most: so many of its pieces, evenly spread; 0: all. */
static Tally check_model(const char *model, PtSentinelMode mode, uint32_t most, uint32_t k) {
  g_autoptr(GPtrArray) pieces = test_pieces(model, 0);
  g_autoptr(PtSentinelGenerator) g = begin(mode, pieces, k, "1", 0);
  Tally tally = {0};
  g_autoptr(GHashTable) theirs = g_hash_table_new(NULL, NULL), ours = g_hash_table_new(NULL, NULL);
  uint32_t step = most && pieces->len > most ? (pieces->len + most - 1) / most : 1;
  for (uint32_t p = 0; p < pieces->len; p += step) {
    uint32_t before = tally.walked;
    g_autoptr(GPtrArray) out = make(g, p, &tally);
    uint32_t generated = out->len - (tally.walked - before); /* the walk's come last */
    tally.wanted += k;
    g_autoptr(PtGraph) real = pt_sentinel_generator_real(g, p, NULL);
    test_distinct(out, real ? real : pieces->pdata[p]);
    g_assert_cmpuint(out->len, <=, k);
    count_operators(theirs, pieces->pdata[p]);
    for (uint32_t i = 0; i < out->len; i++) {
      g_autofree char *what = g_strdup_printf("%s, piece %u, sentinel %u", model, p, i);
      test_sentinel(out->pdata[i], pieces->pdata[p], what);
      if (i < generated)
        tally.normalizations += check_normalizations(out->pdata[i], what);
      if (i < generated)
        count_operators(ours, out->pdata[i]);
      tally.nodes += pt_graph_n_nodes(out->pdata[i]);
      if (i % 3 == p % 3)
        test_sentinel_runs(out->pdata[i], PT_LEVEL_NONE, false, what);
    }
  }
  tally.likeness = likeness(theirs, ours);
  g_test_message("%s, %s: %u wanted, %u made, %u of them walked, %.1f nodes, likeness %.3f", model,
                 mode == PT_MODE_RANDOM ? "random" : "generate", tally.wanted, tally.made,
                 tally.walked, (double)tally.nodes / MAX(tally.made, 1), tally.likeness);
  return tally;
}

#ifndef PT_SENTINEL_ALL
/* Images, static. */
static void test_images(void) {
  Tally t = check_model("resnet18.onnx", PT_MODE_GENERATE, 0, 3);
  g_assert_cmpfloat(t.likeness, >, 0.85);
  g_assert_cmpuint(t.made, ==, t.wanted);
  g_assert_cmpuint(t.walked * 4, <=, t.made);
}

/* Sequences and attention, dynamic batch and length, integers in between. */
static void test_sequences(void) {
  Tally t = check_model("distilbert_dynamic.onnx", PT_MODE_GENERATE, 0, 1);
  g_assert_cmpuint(t.made * 4, >=, t.wanted * 3);
  g_assert_cmpuint(t.walked * 2, <=, t.made);
}

/* The likelihood does what it is for: opcodes at random look otherwise. Normalizations among them,
 * or it was in vain to check these. */
static void test_random(void) {
  Tally t = check_model("resnet18.onnx", PT_MODE_RANDOM, 0, 4);
  g_assert_cmpuint(t.made, ==, t.wanted);
  g_assert_cmpfloat(t.likeness, <, 0.7);
  g_assert_cmpuint(t.normalizations, >, 0);
}

static void test_same_seed(void) {
  g_autoptr(GPtrArray) pieces = test_pieces("squeezenet1_1.onnx", 0);
  uint32_t differ = 0, n = 0;
  g_autoptr(PtSentinelGenerator) a = begin(PT_MODE_GENERATE, pieces, 2, "1", 1);
  g_autoptr(PtSentinelGenerator) b = begin(PT_MODE_GENERATE, pieces, 2, "1", 3);
  g_autoptr(PtSentinelGenerator) c = begin(PT_MODE_GENERATE, pieces, 2, "2", 2);
  for (uint32_t p = 0; p < pieces->len; p++) {
    Tally tally = {0};
    g_autoptr(GPtrArray) x = make(a, p, &tally), y = make(b, p, &tally), z = make(c, p, &tally);
    g_assert_cmpuint(x->len, ==, y->len);
    for (guint i = 0; i < x->len; i++, n++) {
      g_autoptr(GBytes) bx = pt_onnx_write_bytes(x->pdata[i], NULL, NULL, NULL);
      g_autoptr(GBytes) by = pt_onnx_write_bytes(y->pdata[i], NULL, NULL, NULL);
      g_assert_true(g_bytes_equal(bx, by));
      differ += i < z->len && pt_sentinel_hash(x->pdata[i]) != pt_sentinel_hash(z->pdata[i]);
    }
  }
  g_assert_cmpuint(differ * 2, >, n);
}
#else
static Tally all;

/* A few pieces of every model; bench/populate has the figures of all pieces. */
static void test_all(const void *data) {
  const char *model = data;
  for (PtSentinelMode mode = PT_MODE_GENERATE; mode <= PT_MODE_RANDOM; mode++) {
    Tally t = check_model(model, mode, 3, 1);
    all.wanted += t.wanted;
    all.made += t.made;
    all.walked += t.walked;
  }
}

/* What is missing is filled by modify. */
static void test_total(void) {
  g_test_message("%u wanted, %u made, %u of them walked", all.wanted, all.made, all.walked);
  g_assert_cmpuint(all.made * 4, >=, all.wanted * 3);
  g_assert_cmpuint(all.walked * 2, <=, all.made);
}
#endif

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#ifndef PT_SENTINEL_ALL
  g_test_add_func("/sentinel/generate/images", test_images);
  g_test_add_func("/sentinel/generate/sequences", test_sequences);
  g_test_add_func("/sentinel/generate/random", test_random);
  g_test_add_func("/sentinel/generate/same-seed", test_same_seed);
#else
  g_autofree char *folder = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", NULL);
  g_autoptr(GPtrArray) models = pt_dir_list(folder, ".onnx", NULL);
  for (guint i = 0; i < models->len; i++) {
    g_autofree char *name = g_strdup_printf("/sentinel/generate/%s", (char *)models->pdata[i]);
    g_test_add_data_func_full(name, g_strdup(models->pdata[i]), test_all, g_free);
  }
  g_test_add_func("/sentinel/generate/zz-total", test_total);
#endif
  return g_test_run();
}
