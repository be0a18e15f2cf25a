/* What a candidate's trial finds: a sentinel may do what its real piece does, and nothing worse. */
#include "obfuscate/obfuscate_private.h"
#include "runtime/runtime.h"

static PtNoise noise;
static GBytes *noise_bytes;

/* Over float32[4,8]: two nodes, the second with a scalar where it takes one. */
static PtCandidateFile *candidate(const char *first, const char *second, float scalar) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtDim dims[] = {{4, NULL}, {8, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 2, dims);
  pt_graph_set_opset(g, "", 17);
  g->ir_version = 8;
  PtValueId x = pt_graph_add_input(g, "x", &type);
  PtValueId in[] = {first ? pt_graph_add_op(g, first, &x, 1) : x, PT_NONE};
  bool binary = g_str_equal(second, "Mul") || g_str_equal(second, "Add");
  if (binary)
    in[1] = pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &scalar));
  PtValueId out = pt_graph_add_op(g, second, in, binary ? 2 : 1);
  pt_value(g, out)->type = type;
  pt_graph_add_output(g, out);
  PtSeed seed;
  pt_seed_init(&seed, "trial");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "scrub", 0);
  GError *error = NULL;
  PtCandidateFile *file = pt_candidate_encode(g, NULL, g, &noise, rng, &error);
  g_assert_no_error(error);
  g_assert_nonnull(file->sent);
  return file;
}

static bool passes_in(double growth, PtCandidateFile *real, PtCandidateFile *sentinel) {
  PtSeed seed;
  pt_seed_init(&seed, "inputs");
  g_autoptr(PtTrial) trial = pt_trial_new(real, noise_bytes, NULL, growth, &seed);
  bool ok = pt_trial_passes(trial, sentinel);
  pt_candidate_file_free(real);
  pt_candidate_file_free(sentinel);
  return ok;
}

static bool passes(PtCandidateFile *real, PtCandidateFile *sentinel) {
  return passes_in(1, real, sentinel);
}

/* What some piece of the model does to sizes, any sentinel may. */
static void test_growth(void) {
  g_assert_false(passes_in(1, candidate("Sigmoid", "Add", 1), candidate("Relu", "Mul", 100)));
  g_assert_true(passes_in(60, candidate("Sigmoid", "Add", 1), candidate("Relu", "Mul", 100)));
  g_assert_false(passes_in(60, candidate("Sigmoid", "Add", 1), candidate("Relu", "Mul", 3000)));
}

static void test_marks(void) {
  g_assert_true(passes(candidate("Sigmoid", "Add", 1), candidate("Relu", "Mul", 2)));
  g_assert_false(passes(candidate("Sigmoid", "Add", 1), candidate(NULL, "Sqrt", 0)));
  g_assert_false(passes(candidate("Sigmoid", "Add", 1), candidate(NULL, "Mul", 0)));
  g_assert_false(passes(candidate("Sigmoid", "Add", 1), candidate(NULL, "Identity", 0)));
  g_assert_false(passes(candidate("Sigmoid", "Add", 1), candidate("Relu", "Mul", 1000)));
  g_assert_false(passes(candidate("Sigmoid", "Add", 1), candidate(NULL, "Exp", 0)));
  g_assert_false(passes(candidate("Sigmoid", "Add", 1), candidate(NULL, "NoSuchOperator", 0)));
}

/* The real piece must not be alone with what marks others. */
static void test_like_the_real_one(void) {
  g_assert_true(passes(candidate(NULL, "Sqrt", 0), candidate(NULL, "Log", 0)));
  g_assert_true(passes(candidate(NULL, "Mul", 0), candidate("Relu", "Mul", 0)));
  g_assert_true(passes(candidate(NULL, "Identity", 0), candidate("Identity", "Identity", 0)));
  g_assert_false(passes(candidate(NULL, "Identity", 0), candidate(NULL, "Sqrt", 0)));
  g_assert_true(passes(candidate(NULL, "Sqrt", 0), candidate("Relu", "Mul", 2)));
}

/* One 3x3 convolution over 8x8, from 4 channels to `width`. */
static PtEffort effort(int64_t width) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtDim in[] = {{1, NULL}, {4, NULL}, {8, NULL}, {8, NULL}},
        out[] = {{1, NULL}, {width, NULL}, {8, NULL}, {8, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 4, in);
  const int64_t shape[] = {width, 4, 3, 3};
  PtValueId read[] = {pt_graph_add_input(g, "x", &type),
                      pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, 4, shape, NULL))};
  PtValueId made = pt_graph_add_op(g, "Conv", read, 2);
  pt_value(g, made)->type = pt_type_tensor(g, PT_FLOAT, 4, out);
  return pt_effort_of(g);
}

static void test_effort(void) {
  PtEffort small = effort(16), large = effort(1 << 20);
  g_assert_cmpfloat(small.work, ==, 16 * 64 * 36);
  g_assert_cmpfloat(small.space, ==, 16 * 64);
  g_assert_true(pt_effort_fits(&large, &small));
  g_assert_false(pt_effort_fits(&small, &large));
  g_autoptr(GPtrArray) none = g_ptr_array_new();
  g_assert_cmpfloat(pt_effort_of_largest(none).work, ==, 0);
  PtEffort half = {large.work / 2, large.space / 2};
  g_assert_true(pt_effort_fits(&half, &large));
}

/* Halved, doubled and joined to itself: runs only where the sizes, which are free, are even. */
static PtGraph *even_only(void) {
  PtGraph *g = pt_graph_new();
  PtDim dims[] = {{-1, "batch"}, {3, NULL}, {-1, "height"}, {-1, "width"}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 4, dims);
  const int64_t two[] = {2, 2}, four = 4;
  const float scales[] = {1, 1, 2, 2};
  pt_graph_set_opset(g, "", 17);
  PtValueId x = pt_graph_add_input(g, "x", &type), half = pt_graph_add_op(g, "AveragePool", &x, 1);
  pt_node_set_ints(g, 0, "kernel_shape", two, 2);
  pt_node_set_ints(g, 0, "strides", two, 2);
  PtValueId resize[] = {
      half, PT_NONE,
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 1, &four, scales))};
  PtValueId join[] = {x, pt_graph_add_op(g, "Resize", resize, 3)};
  PtValueId out = pt_graph_add_op(g, "Concat", join, 2);
  pt_node_set_int(g, 2, "axis", 1);
  pt_value(g, out)->type = pt_type_tensor(
      g, PT_FLOAT, 4, (PtDim[]){{-1, "batch"}, {6, NULL}, {-1, "height"}, {-1, "width"}});
  pt_graph_add_output(g, pt_graph_add_op(g, "Relu", &out, 1));
  return g;
}

static void test_context(void) {
  g_autoptr(PtGraph) model = even_only();
  GError *error = NULL;
  pt_runtime_infer_types(model, &error);
  g_assert_no_error(error);
  g_autoptr(PtGraph) real = pt_graph_new();
  PtValueId read = pt_node(model, 3)->inputs[0],
            x = pt_graph_add_input(real, "x", &pt_value(model, read)->type);
  pt_graph_add_output(real, pt_graph_add_op(real, "Relu", &x, 1));
  g_autofree PtValueId *stands = g_new(PtValueId, pt_graph_n_values(real));
  for (PtValueId v = 0; v < pt_graph_n_values(real); v++)
    stands[v] = v == x ? read : PT_NONE;
  PtBucket bucket = {.real = real, .model_value = stands};
  g_autoptr(GPtrArray) buckets = g_ptr_array_new();
  g_ptr_array_add(buckets, &bucket);
  PtSeed seed;
  pt_seed_init(&seed, "context");
  PtContext *context = pt_context_new(model, buckets, &noise, noise_bytes, &seed);
  g_autoptr(GPtrArray) inputs = pt_context_inputs(context, real, stands);
  g_assert_nonnull(inputs);
  g_assert_cmpuint(inputs->len, ==, 1);
  pt_context_free(context);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  GError *error = NULL;
  if (!pt_runtime_load(&error))
    return g_print("1..0 # SKIP %s\n", error->message), 0;
  PtNoiseNeed need = {0};
  bool ok = pt_noise_init_for(&noise, "00000000000000000000000000000000", &need, &error);
  g_assert_true(ok);
  noise_bytes = g_bytes_new_static("", 0);
  g_test_add_func("/obfuscate/trial/marks", test_marks);
  g_test_add_func("/obfuscate/trial/growth", test_growth);
  g_test_add_func("/obfuscate/trial/like-the-real-one", test_like_the_real_one);
  g_test_add_func("/obfuscate/trial/effort", test_effort);
  g_test_add_func("/obfuscate/trial/context", test_context);
  int status = g_test_run();
  g_bytes_unref(noise_bytes);
  return status;
}
