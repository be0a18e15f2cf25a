#include "fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#define SEED "00112233445566778899aabbccddeeff"

static PtValueId add_weight(PtGraph *g, PtRng *rng, const char *name) {
  float w[WEIGHT_FLOATS];
  for (size_t i = 0; i < WEIGHT_FLOATS; i++)
    w[i] = 0.1f * (float)pt_rng_normal(rng);
  return pt_graph_add_constant(
      g, name, pt_graph_tensor_copy(g, PT_FLOAT, 4, (const int64_t[]){4, 4, 3, 3}, w));
}

static PtValueId add(PtGraph *g, const char *op, PtValueId a, PtValueId b, const char *name) {
  PtValueId in[2] = {a, b}, out = pt_graph_add_value(g, name);
  PtNodeId n = pt_graph_add_node(g, "", op, in, b == PT_NONE ? 1 : 2, &out, 1);
  if (g_str_equal(op, "Conv"))
    pt_node_set_ints(g, n, "pads", (const int64_t[]){1, 1, 1, 1}, 4);
  return out;
}

/* x -> Conv Relu -> a -> Conv, + a -> b -> Conv Relu -> y */
static PtGraph *make_model(void) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtSeed seed;
  pt_seed_init(&seed, "fixture");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "weights", 0);
  PtType type = pt_type_tensor(g, PT_FLOAT, 4,
                               (const PtDim[]){{-1, "batch"}, {4, NULL}, {8, NULL}, {8, NULL}});
  PtValueId x = pt_graph_add_input(g, "x", &type);
  PtValueId c0 = add(g, "Conv", x, add_weight(g, rng, "w0"), "c0");
  PtValueId a = add(g, "Relu", c0, PT_NONE, "a");
  PtValueId c1 = add(g, "Conv", a, add_weight(g, rng, "w1"), "c1");
  PtValueId b = add(g, "Add", c1, a, "b");
  PtValueId c2 = add(g, "Conv", b, add_weight(g, rng, "w2"), "c2");
  PtValueId y = add(g, "Relu", c2, PT_NONE, "y");
  pt_value(g, y)->type = pt_type_copy(g, &type);
  pt_graph_add_output(g, y);
  return g;
}

static void add_bucket(Fixture *f, uint32_t i) {
  static const char *const borders[PIECES + 1] = {"x", "a", "b", "y"};
  PtSecretBucket *bucket = pt_secret_bucket_new();
  PtMember *member = pt_member_new();
  f->ids[i] = g_strdup_printf("%032x", 0xabc0 + i);
  bucket->real = g_strdup(f->ids[i]);
  g_ptr_array_add(bucket->candidates, g_strdup(f->ids[i]));
  for (uint32_t n = 2 * i; n < 2 * i + 2; n++)
    g_array_append_val(member->nodes, n);
  g_ptr_array_add(member->inputs, g_strdup(borders[i]));
  g_ptr_array_add(member->outputs, g_strdup(borders[i + 1]));
  g_autofree char *original = g_strdup_printf("w%u", i);
  /* slices of one another's length, at odd places */
  pt_member_add_weight(member, "v9", original, 4 + 1000 * i, 4 * WEIGHT_FLOATS, NULL);
  g_ptr_array_add(bucket->members, member);
  g_ptr_array_add(f->kept->buckets, bucket);
}

void fixture_init(Fixture *f) {
  memset(f, 0, sizeof *f);
  g_autoptr(GError) error = NULL;
  f->folder = pt_dir_make_temp("proteus-test", &error);
  g_assert_no_error(error);
  f->model = g_build_filename(f->folder, "model.onnx", NULL);
  f->secret = g_build_filename(f->folder, "model.secret", NULL);
  f->answers = g_build_filename(f->folder, "optimized", NULL);
  f->out = g_build_filename(f->folder, "out.onnx", NULL);
  g_autoptr(PtGraph) model = make_model();
  g_assert_true(pt_onnx_write(model, f->model, NULL, &error));
  f->kept = pt_secret_new();
  f->kept->model_sha256 = pt_sha256_file(f->model, &error);
  strcpy(f->kept->noise_seed, SEED);
  f->kept->floats = 1 << 21;
  for (uint32_t i = 0; i < PIECES; i++)
    add_bucket(f, i);
  g_assert_true(pt_noise_init(&f->noise, SEED, f->kept->floats, 0, 0, 0, &error));
  g_assert_true(pt_secret_write(f->kept, f->secret, &error));
  g_assert_true(pt_dir_make(f->answers, &error));
  fixture_fill(f);
}

void fixture_clear(Fixture *f) {
  pt_dir_remove(f->folder);
  for (uint32_t i = 0; i < PIECES; i++)
    g_free(f->ids[i]);
  pt_secret_free(f->kept);
  g_free(f->folder);
  g_free(f->model);
  g_free(f->secret);
  g_free(f->answers);
  g_free(f->out);
}

char *fixture_answer(const Fixture *f, uint32_t piece) {
  return g_strdup_printf("%s/%s.onnx", f->answers, f->ids[piece]);
}

PtGraph *fixture_candidate(const Fixture *f, uint32_t piece) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) model = pt_onnx_read(f->model, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(pt_runtime_infer_types(model, &error));
  g_autoptr(GPtrArray) places = pt_places_new(model, f->kept, &f->noise, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(places->len, ==, PIECES);
  return pt_place_candidate(g_ptr_array_index(places, piece));
}

void fixture_write_answer(const Fixture *f, uint32_t piece, const PtGraph *graph) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path = fixture_answer(f, piece);
  g_assert_true(pt_onnx_write(graph, path, NULL, &error));
  g_assert_no_error(error);
}

void fixture_fill(const Fixture *f) {
  for (uint32_t i = 0; i < PIECES; i++) {
    g_autoptr(PtGraph) graph = fixture_candidate(f, i);
    fixture_write_answer(f, i, graph);
  }
}

bool fixture_restore(const Fixture *f, PtDeobfuscateReport *report, GError **error) {
  PtDeobfuscateOptions options = {
      .optimized = f->answers, .secret = f->secret, .model = f->model, .out = f->out, .threads = 2};
  return pt_deobfuscate(&options, report, error);
}

void fixture_make_old(PtGraph *g) {
  const int64_t axis = 0;
  PtValueId v = pt_graph_output(g, 0);
  PtValueId up = pt_graph_add_op(g, "Unsqueeze", &v, 1);
  pt_node_set_ints(g, pt_value(g, up)->producer, "axes", &axis, 1);
  PtValueId down = pt_graph_add_op(g, "Squeeze", &up, 1);
  pt_node_set_ints(g, pt_value(g, down)->producer, "axes", &axis, 1);
  pt_value(g, down)->type = pt_type_copy(g, &pt_value(g, v)->type);
  g_array_index(g->outputs, PtValueId, 0) = down;
  pt_graph_set_opset(g, "", 12);
}
