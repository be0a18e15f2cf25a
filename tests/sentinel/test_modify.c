/* Sentinels of real models' pieces: valid, the piece's interface, distinct, the same for the same
 * seed. */
#include "common.h"

static GPtrArray *make(PtGraph *real, GPtrArray *siblings, PtCorpus *corpus, uint32_t k,
                       const char *seed_text) {
  g_autoptr(GError) error = NULL;
  GPtrArray *out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  PtSeed seed;
  pt_seed_init(&seed, seed_text);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  uint32_t made;
  pt_sentinel_make(PT_MODE_MODIFY, real, siblings, corpus, k, rng, out, &made, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(made, ==, k);
  g_assert_cmpuint(out->len, ==, k);
  return out;
}

/* every_run: one sentinel in so many is run, and loaded at all optimizations; the rest are only
 * checked. */
static void check_model(const char *model, uint32_t n, uint32_t k, uint32_t every_piece,
                        uint32_t every_run) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtCorpus) corpus = pt_corpus_open(NULL, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) pieces = test_pieces(model, n);
  uint32_t runs = 0, nodes = 0, total = 0, broken = 0;
  for (uint32_t p = 0; p < pieces->len; p += every_piece) {
    PtGraph *real = pieces->pdata[p];
    g_autoptr(GPtrArray) out = make(real, pieces, corpus, k, "1");
    test_distinct(out, real);
    for (uint32_t i = 0; i < out->len; i++) {
      g_autofree char *what = g_strdup_printf("%s, piece %u, sentinel %u", model, p, i);
      test_sentinel(out->pdata[i], real, what);
      nodes += pt_graph_n_nodes(out->pdata[i]);
      total++;
      if (i % every_run != p % every_run)
        continue;
      test_sentinel_runs(out->pdata[i], PT_LEVEL_NONE, true, what);
      broken += !test_sentinel_optimizes(out->pdata[i]);
      runs++;
    }
  }
  g_test_message("%s: %u sentinels, %.1f nodes, %u run, %u not optimized", model, total,
                 (double)nodes / total, runs, broken);
  g_assert_cmpuint(broken * 50, <=, runs + 49); /* one, or one in fifty */
}

#ifndef PT_SENTINEL_ALL
static void test_resnet(void) {
  check_model("resnet50.onnx", 0, 20, 3, 5);
}
static void test_bert(void) {
  check_model("bert_base.onnx", 0, 20, 2, 5);
}
static void test_dynamic(void) {
  check_model("distilbert_dynamic.onnx", 0, 20, 2, 4);
}
static void test_dynamo(void) {
  check_model("resnet50_dynamo.onnx", 0, 10, 4, 5);
}
static void test_recurrent(void) {
  check_model("bilstm.onnx", 0, 20, 1, 4);
}
static void test_large_pieces(void) {
  check_model("mobilenet_v2.onnx", 3, 8, 1, 4);
}
static void test_whole(void) {
  check_model("squeezenet1_1.onnx", 1, 6, 1, 3);
}

static void test_deterministic(void) {
  g_autoptr(PtCorpus) corpus = pt_corpus_open(NULL, NULL);
  g_autoptr(GPtrArray) pieces = test_pieces("resnet18.onnx", 0);
  g_autoptr(GPtrArray) a = make(pieces->pdata[1], pieces, corpus, 8, "1");
  g_autoptr(GPtrArray) b = make(pieces->pdata[1], pieces, corpus, 8, "1");
  g_autoptr(GPtrArray) c = make(pieces->pdata[1], pieces, corpus, 8, "2");
  uint32_t same = 0;
  for (uint32_t i = 0; i < a->len; i++) {
    g_autoptr(GBytes) x = pt_onnx_write_bytes(a->pdata[i], &(PtOnnxWriteOptions){0}, NULL, NULL);
    g_autoptr(GBytes) y = pt_onnx_write_bytes(b->pdata[i], &(PtOnnxWriteOptions){0}, NULL, NULL);
    g_autoptr(GBytes) z = pt_onnx_write_bytes(c->pdata[i], &(PtOnnxWriteOptions){0}, NULL, NULL);
    g_assert_true(g_bytes_equal(x, y));
    same += g_bytes_equal(x, z);
  }
  g_assert_cmpuint(same, <, a->len);
}

/* The piece in another opset and float format: what `transplant` does to a donor, done to the real
 * one. */
static PtGraph *converted(PtGraph *real, int64_t opset, PtDtype dtype) {
  PtStyle style;
  PtSeed seed;
  pt_seed_init(&seed, "1");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "convert", 0);
  pt_style_of(&style, real, NULL);
  g_autoptr(PtGraph) like = pt_rebuild(real, true); /* the wanted interface */
  PtDraft d = {.graph = pt_graph_new(),
               .real = like,
               .dtype = dtype,
               .opset = opset,
               .style = &style,
               .rng = rng};
  uint8_t at[PT_FACE_SLOTS];
  PtValueId outputs[PT_FACE_SLOTS];
  d.graph->ir_version = real->ir_version;
  pt_graph_set_opset(d.graph, "", opset);
  for (uint32_t i = 0; i < real->inputs->len; i++) {
    PtType *t = &pt_value(like, pt_graph_input(like, i))->type;
    t->dtype = pt_dtype_is_float(t->dtype) ? dtype : t->dtype;
    pt_graph_add_input(d.graph, NULL, t);
    at[i] = (uint8_t)i;
  }
  g_autofree PtRole *roles = pt_roles(real);
  bool ok = pt_transplant(&d, real, roles, at, 0, outputs);
  for (uint32_t i = 0; ok && i < real->outputs->len; i++)
    pt_graph_add_output(d.graph, outputs[i]);
  pt_style_clear(&style);
  if (!ok)
    g_clear_pointer(&d.graph, pt_graph_unref);
  return d.graph;
}

static void check_converted(const char *model, int64_t opset, PtDtype dtype, PtLevel level,
                            uint32_t least) {
  g_autoptr(PtCorpus) corpus = pt_corpus_open(NULL, NULL);
  g_autoptr(GPtrArray) pieces = test_pieces(model, 0);
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  for (uint32_t p = 0; p < pieces->len; p++) {
    PtGraph *real = converted(pieces->pdata[p], opset, dtype);
    g_autoptr(GError) error = NULL;
    if (real && pt_runtime_infer_types(real, &error))
      g_ptr_array_add(all, real);
    else
      g_clear_pointer(&real, pt_graph_unref);
    if (error)
      g_test_message("%s, piece %u, opset %d: %s", model, p, (int)opset, error->message);
  }
  g_assert_cmpuint(all->len, >=, least);
  for (uint32_t p = 0; p < all->len; p += 3) {
    g_autoptr(GPtrArray) out = make(all->pdata[p], all, corpus, 10, "1");
    test_distinct(out, all->pdata[p]);
    for (uint32_t i = 0; i < out->len; i++) {
      g_autofree char *what = g_strdup_printf("%s in opset %d, %s, piece %u, sentinel %u", model,
                                              (int)opset, pt_dtype_name(dtype), p, i);
      test_sentinel(out->pdata[i], all->pdata[p], what);
      if (i % 4 == 0)
        test_sentinel_runs(out->pdata[i], level, true, what);
    }
  }
}

static void test_opsets(void) {
  static const int64_t cnn[] = {8, 9, 11, 12, 17, 19, 22}, attention[] = {11, 12, 17, 18, 20, 23};
  for (size_t i = 0; i < G_N_ELEMENTS(cnn); i++)
    check_converted("mobilenet_v2.onnx", cnn[i], PT_FLOAT, PT_LEVEL_NONE, 10);
  for (size_t i = 0; i < G_N_ELEMENTS(attention); i++)
    check_converted("gpt2.onnx", attention[i], PT_FLOAT, PT_LEVEL_NONE, 4);
}

static void test_formats(void) {
  check_converted("resnet18.onnx", 17, PT_FLOAT16, PT_LEVEL_NONE, 4);
  check_converted("gpt2.onnx", 17, PT_FLOAT16, PT_LEVEL_NONE, 4);
  check_converted("gpt2.onnx", 13, PT_DOUBLE, PT_LEVEL_NONE, 4);
}

/* No corpus, no siblings: the piece's own edits are enough. */
static void test_alone(void) {
  g_autoptr(GPtrArray) pieces = test_pieces("resnet18.onnx", 0);
  g_autoptr(GPtrArray) out = make(pieces->pdata[1], NULL, NULL, 20, "1");
  test_distinct(out, pieces->pdata[1]);
  for (uint32_t i = 0; i < out->len; i++)
    test_sentinel(out->pdata[i], pieces->pdata[1], "alone");
}

/* A piece of sizes only: nothing to transplant, nothing may change what it computes. */
static void test_sizes(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 13);
  PtDim dims[3] = {{-1, "batch"}, {-1, "sequence"}, {768, NULL}}, four = {4, NULL};
  PtType t = pt_type_tensor(g, PT_FLOAT, 3, dims);
  PtValueId x = pt_graph_add_input(g, "x", &t), shape = pt_graph_add_op(g, "Shape", &x, 1);
  PtValueId first = pt_graph_add_ints(g, (int64_t[]){0, 1}, 2),
            rest = pt_graph_add_ints(g, (int64_t[]){12, 64}, 2);
  PtValueId head = pt_graph_add_op(g, "Gather", (PtValueId[]){shape, first}, 2);
  PtValueId all = pt_graph_add_op(g, "Concat", (PtValueId[]){head, rest}, 2);
  pt_node_set_int(g, pt_value(g, all)->producer, "axis", 0);
  pt_graph_add_output(g, all);
  pt_runtime_infer_types(g, NULL);
  pt_value(g, all)->type = pt_type_tensor(g, PT_INT64, 1, &four);
  g_autoptr(GPtrArray) out = make(g, NULL, NULL, 20, "1");
  test_distinct(out, g);
  for (uint32_t i = 0; i < out->len; i++) {
    test_sentinel(out->pdata[i], g, "sizes");
    test_sentinel_runs(out->pdata[i], PT_LEVEL_NONE, true, "sizes");
  }
}

static void test_errors(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) g = pt_graph_new();
  g_autoptr(GPtrArray) out = g_ptr_array_new();
  PtSeed seed;
  pt_seed_init(&seed, "1");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  uint32_t made = 7;
  g_assert_false(pt_sentinel_make(PT_MODE_WALK, g, NULL, NULL, 1, rng, out, &made, &error));
  g_assert_error(error, PT_SENTINEL_ERROR, PT_ERR_UNSUPPORTED);
  g_assert_cmpuint(made, ==, 0);
}
#endif

#ifdef PT_SENTINEL_ALL
static void test_all(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", NULL);
  g_autoptr(GPtrArray) names = pt_dir_list(folder, ".onnx", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(names->len, ==, 44);
  const char *only = g_getenv("PT_SENTINEL_ONLY");
  for (uint32_t i = 0; i < names->len; i++)
    if (!only || strstr(names->pdata[i], only))
      check_model(names->pdata[i], 0, 20, 1, 4);
}
#endif

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#ifdef PT_SENTINEL_ALL
  g_test_add_func("/sentinel/all", test_all);
#else
  g_test_add_func("/sentinel/resnet", test_resnet);
  g_test_add_func("/sentinel/bert", test_bert);
  g_test_add_func("/sentinel/dynamic", test_dynamic);
  g_test_add_func("/sentinel/dynamo", test_dynamo);
  g_test_add_func("/sentinel/recurrent", test_recurrent);
  g_test_add_func("/sentinel/large-pieces", test_large_pieces);
  g_test_add_func("/sentinel/whole", test_whole);
  g_test_add_func("/sentinel/deterministic", test_deterministic);
  g_test_add_func("/sentinel/opsets", test_opsets);
  g_test_add_func("/sentinel/formats", test_formats);
  g_test_add_func("/sentinel/alone", test_alone);
  g_test_add_func("/sentinel/sizes", test_sizes);
  g_test_add_func("/sentinel/errors", test_errors);
#endif
  return g_test_run();
}
