/* What src/runtime promises: errors by code, sessions over graphs, types, inputs, differences. */
#include "onnx/onnx.h"
#include "runtime/runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STATIC_TYPE(graph, dtype, ...)                                                             \
  static_type((graph), (dtype), (const int64_t[]){__VA_ARGS__},                                    \
              (int32_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

static PtType static_type(PtGraph *graph, PtDtype dtype, const int64_t *sizes, int32_t rank) {
  PtDim dims[8] = {{0}};
  for (int32_t i = 0; i < rank; i++)
    dims[i].size = sizes[i];
  return pt_type_tensor(graph, dtype, rank, dims);
}

static PtGraph *new_graph(void) {
  PtGraph *graph = pt_graph_new();
  graph->ir_version = 8;
  pt_graph_set_opset(graph, "", 17);
  return graph;
}

static void finish(PtGraph *graph, PtValueId output, PtType type) {
  pt_value(graph, output)->type = type;
  pt_graph_add_output(graph, output);
}

static PtArray *array_of(uint32_t rank, const int64_t *dims, const float *values) {
  PtArray *array = pt_array_new(PT_FLOAT, rank, dims);
  memcpy(array->data, values, array->size);
  return array;
}

/* ---- the library
 * ---------------------------------------------------------------------------------- */

static void test_missing(void) {
  g_autofree char *before = g_strdup(getenv("PROTEUS_ORT_LIB"));
  g_autoptr(GError) error = NULL;
  setenv("PROTEUS_ORT_LIB", "/nonexistent/libonnxruntime.so", 1);
  g_assert_false(pt_runtime_load(&error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_ENVIRONMENT);
  g_assert_nonnull(strstr(error->message, "/nonexistent/libonnxruntime.so"));
  g_assert_null(pt_runtime_version());
  g_clear_error(&error);
  /* A library that is none of ONNX Runtime's. */
  setenv("PROTEUS_ORT_LIB", "libm.so.6", 1);
  g_assert_false(pt_runtime_load(&error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_ENVIRONMENT);
  if (before)
    setenv("PROTEUS_ORT_LIB", before, 1);
  else
    unsetenv("PROTEUS_ORT_LIB");
}

static void test_load(void) {
  g_autoptr(GError) error = NULL;
  unsetenv("ORT_DISABLE_TELEMETRY");
  g_assert_true(pt_runtime_load(&error));
  g_assert_no_error(error);
  g_assert_true(g_str_has_prefix(pt_runtime_version(), "1."));
  g_assert_cmpstr(getenv("ORT_DISABLE_TELEMETRY"), ==, "1");
  g_assert_true(pt_runtime_load(NULL));
}

/* ---- sessions
 * ------------------------------------------------------------------------------------- */

/* y = relu(x w + b) with x [2, n]; w is large enough to be handed over rather than embedded. */
static PtGraph *linear(int64_t n, float *w, float *b) {
  PtGraph *graph = new_graph();
  PtType x_type = STATIC_TYPE(graph, PT_FLOAT, 2, n), y_type = STATIC_TYPE(graph, PT_FLOAT, 2, n);
  PtValueId x = pt_graph_add_input(graph, "x", &x_type);
  PtValueId vw = pt_graph_add_constant(
      graph, "w", pt_graph_tensor(graph, PT_FLOAT, 2, (const int64_t[]){n, n}, w));
  PtValueId vb = pt_graph_add_constant(
      graph, "b", pt_graph_tensor(graph, PT_FLOAT, 1, (const int64_t[]){n}, b));
  PtValueId m = pt_graph_add_op(graph, "MatMul", (const PtValueId[]){x, vw}, 2);
  PtValueId s = pt_graph_add_op(graph, "Add", (const PtValueId[]){m, vb}, 2);
  PtValueId y = pt_graph_add_op(graph, "Relu", &s, 1);
  finish(graph, y, y_type);
  return graph;
}

enum { N = 32 };

static float *diagonal(void) {
  float *w = g_new0(float, N *N);
  for (int i = 0; i < N; i++)
    w[i * N + i] = (float)(i + 1);
  return w;
}

static void check_linear(PtSession *session) {
  g_autoptr(GError) error = NULL;
  float ones[2 * N];
  for (int i = 0; i < 2 * N; i++)
    ones[i] = i < N ? 1 : -1;
  g_autoptr(PtArray) x = array_of(2, (const int64_t[]){2, N}, ones);
  g_autoptr(GPtrArray) out = pt_session_run(session, (PtArray *[]){x}, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(out->len, ==, 1);
  const PtArray *y = out->pdata[0];
  g_assert_cmpuint(y->rank, ==, 2);
  g_assert_cmpint(y->dims[1], ==, N);
  for (int i = 0; i < N; i++) {
    g_assert_cmpfloat(((float *)y->data)[i], ==, (float)(i + 1) + 0.5f);
    g_assert_cmpfloat(((float *)y->data)[N + i], ==, 0);
  }
}

static void test_session(void) {
  g_autoptr(GError) error = NULL;
  g_autofree float *w = diagonal();
  float b[N];
  for (int i = 0; i < N; i++)
    b[i] = 0.5f;
  g_autoptr(PtGraph) graph = linear(N, w, b);
  static const PtLevel levels[] = {PT_LEVEL_NONE, PT_LEVEL_BASIC, PT_LEVEL_EXTENDED, PT_LEVEL_ALL};
  for (size_t i = 0; i < G_N_ELEMENTS(levels); i++)
    for (int native = 0; native < 2; native++) {
      PtSessionOptions options = {
          .level = levels[i], .native = native, .prepack = native, .threads = 1 + (unsigned)native};
      g_autoptr(PtSession) session = pt_session_new(graph, &options, &error);
      g_assert_no_error(error);
      g_assert_cmpuint(pt_session_n_inputs(session), ==, 1);
      g_assert_cmpuint(pt_session_n_outputs(session), ==, 1);
      g_assert_cmpstr(pt_session_input_name(session, 0), ==, "x");
      check_linear(session);
    }
}

/* Level none reads the weights where they lie, so a later change shows. */
static void test_in_place(void) {
  g_autoptr(GError) error = NULL;
  g_autofree float *w = g_new0(float, N *N);
  float b[N];
  for (int i = 0; i < N; i++)
    b[i] = 0.5f;
  g_autoptr(PtGraph) graph = linear(N, w, b);
  g_autoptr(PtSession) session = pt_session_new(graph, NULL, &error);
  g_assert_no_error(error);
  g_autofree float *later = diagonal();
  memcpy(w, later, N * N * sizeof *w);
  check_linear(session);
}

static void test_save(void) {
  g_autoptr(GError) error = NULL;
  g_autofree float *w = diagonal();
  float b[N];
  for (int i = 0; i < N; i++)
    b[i] = 0.5f;
  g_autoptr(PtGraph) graph = linear(N, w, b);
  g_autofree char *folder = pt_dir_make_temp("runtime", &error);
  g_assert_no_error(error);
  for (int external = 0; external < 2; external++) {
    g_autofree char *path = g_build_filename(folder, external ? "e.onnx" : "m.onnx", NULL);
    PtSessionOptions options = {
        .level = PT_LEVEL_ALL, .save_path = path, .save_external = external ? "e.data" : NULL};
    g_autoptr(PtSession) session = pt_session_new(graph, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(pt_session_n_outputs(session), ==, 1);
    g_autoptr(PtSession) again = pt_session_new_file(path, NULL, &error);
    g_assert_no_error(error);
    check_linear(again);
    g_autofree char *data = g_build_filename(folder, "e.data", NULL);
    g_assert_cmpint(g_file_test(data, G_FILE_TEST_EXISTS), ==, external);
  }
  /* A folder that is not there: an error, not a message on stderr. */
  PtSessionOptions nowhere = {.level = PT_LEVEL_ALL, .save_path = "/nonexistent/folder/m.onnx"};
  g_assert_null(pt_session_new(graph, &nowhere, &error));
  g_assert_nonnull(error);
  pt_dir_remove(folder);
}

static void test_refused(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = pt_dir_make_temp("runtime", &error);
  g_autofree char *junk = g_build_filename(folder, "junk.onnx", NULL);
  g_assert_true(pt_file_write(junk, 0600, "not a model at all", 18, &error));
  g_assert_null(pt_session_new_file("/nonexistent.onnx", NULL, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_IO);
  g_clear_error(&error);
  g_assert_null(pt_session_new_file(folder, NULL, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_IO);
  g_clear_error(&error);
  g_assert_null(pt_session_new_file(junk, NULL, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_INPUT);
  g_clear_error(&error);
  /* An operator that nobody knows. */
  g_autoptr(PtGraph) graph = new_graph();
  PtType type = STATIC_TYPE(graph, PT_FLOAT, 2);
  PtValueId x = pt_graph_add_input(graph, "x", &type);
  finish(graph, pt_graph_add_op(graph, "NoSuchOperator", &x, 1), type);
  g_assert_null(pt_session_new(graph, NULL, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_INPUT);
  g_assert_nonnull(strstr(error->message, "NoSuchOperator"));
  g_assert_null(strchr(error->message, '\n'));
  pt_dir_remove(folder);
}

static void test_run_refused(void) {
  g_autoptr(GError) error = NULL;
  g_autofree float *w = diagonal();
  float b[N] = {0};
  g_autoptr(PtGraph) graph = linear(N, w, b);
  g_autoptr(PtSession) session = pt_session_new(graph, NULL, &error);
  g_autoptr(PtArray) wrong = pt_array_new(PT_FLOAT, 2, (const int64_t[]){2, N + 1});
  g_assert_null(pt_session_run(session, (PtArray *[]){wrong}, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_INPUT);
  g_clear_error(&error);
  g_assert_null(pt_session_run(session, (PtArray *[]){NULL}, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_UNSUPPORTED);
  g_clear_error(&error);
  g_assert_true(isnan(pt_session_time(session, (PtArray *[]){wrong}, NULL)));
}

/* Slices of a file in options.folder, as bundles have them. */
static void test_location(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = pt_dir_make_temp("runtime", &error);
  g_autofree char *noise = g_build_filename(folder, "noise.bin", NULL);
  g_autofree float *w = diagonal();
  float padded[3 + N];
  for (int i = 0; i < 3 + N; i++)
    padded[i] = i < 3 ? 7 : 0.5f;
  g_assert_true(pt_file_write(noise, 0600, padded, sizeof padded, &error));
  for (int level = 0; level < 2; level++) {
    g_autoptr(PtGraph) graph = linear(N, w, NULL);
    PtTensor *b = pt_value(graph, pt_graph_find(graph, "b"))->constant;
    b->location = "noise.bin";
    b->offset = 3 * sizeof(float);
    PtSessionOptions options = {.folder = folder, .level = level ? PT_LEVEL_ALL : PT_LEVEL_NONE};
    g_autoptr(PtSession) session = pt_session_new(graph, &options, &error);
    g_assert_no_error(error);
    check_linear(session);
  }
  pt_dir_remove(folder);
}

/* A skeleton runs on zeros. */
static void test_empty(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = linear(N, NULL, NULL);
  for (int level = 0; level < 2; level++) {
    PtSessionOptions options = {.level = level ? PT_LEVEL_ALL : PT_LEVEL_NONE};
    g_autoptr(PtSession) session = pt_session_new(graph, &options, &error);
    g_assert_no_error(error);
    g_autoptr(PtArray) x = pt_array_new(PT_FLOAT, 2, (const int64_t[]){2, N});
    g_autoptr(GPtrArray) out = pt_session_run(session, (PtArray *[]){x}, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(((const float *)((const PtArray *)out->pdata[0])->data)[5], ==, 0);
  }
}

static void test_evaluate(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = new_graph();
  const float values[] = {1, 4, 9};
  PtValueId c = pt_graph_add_constant(
      graph, "c", pt_graph_tensor_copy(graph, PT_FLOAT, 1, (const int64_t[]){3}, values));
  finish(graph, pt_graph_add_op(graph, "Sqrt", &c, 1), STATIC_TYPE(graph, PT_FLOAT, 3));
  g_autoptr(GPtrArray) out = pt_runtime_evaluate(graph, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(out->len, ==, 1);
  const PtArray *y = out->pdata[0];
  g_assert_cmpfloat(((float *)y->data)[2], ==, 3);
  PtType type = STATIC_TYPE(graph, PT_FLOAT, 3);
  pt_graph_add_input(graph, "x", &type);
  g_assert_null(pt_runtime_evaluate(graph, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_USAGE);
}

/* ---- types
 * ----------------------------------------------------------------------------------------- */

static void assert_type(const PtGraph *graph, PtValueId v, const char *expected) {
  g_autofree char *text = pt_type_text(&pt_value(graph, v)->type);
  g_assert_cmpstr(text, ==, expected);
}

static void test_types(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = new_graph();
  PtDim dims[] = {{-1, "batch"}, {3, NULL}, {8, NULL}, {8, NULL}};
  PtType type = pt_type_tensor(graph, PT_FLOAT, 4, dims);
  PtValueId x = pt_graph_add_input(graph, "x", &type);
  PtValueId w = pt_graph_add_constant(
      graph, "w", pt_graph_tensor(graph, PT_FLOAT, 4, (const int64_t[]){16, 3, 3, 3}, NULL));
  PtValueId conv = pt_graph_add_op(graph, "Conv", (const PtValueId[]){x, w}, 2);
  PtValueId shape = pt_graph_add_op(graph, "Shape", &conv, 1);
  const int64_t one = 1;
  PtValueId index = pt_graph_add_constant(
      graph, "i", pt_graph_tensor_copy(graph, PT_INT64, 1, (const int64_t[]){1}, &one));
  PtValueId channels = pt_graph_add_op(graph, "Gather", (const PtValueId[]){shape, index}, 2);
  PtValueId rest = pt_graph_add_ints(graph, (const int64_t[]){-1}, 1);
  PtValueId target = pt_graph_add_op(graph, "Concat", (const PtValueId[]){channels, rest}, 2);
  pt_node_set_int(graph, pt_value(graph, target)->producer, "axis", 0);
  PtValueId y = pt_graph_add_op(graph, "Reshape", (const PtValueId[]){conv, target}, 2);
  pt_graph_add_output(graph, y);
  g_assert_true(pt_runtime_infer_types(graph, &error));
  g_assert_no_error(error);
  assert_type(graph, conv, "float32[batch,16,6,6]");
  assert_type(graph, shape, "int64[4]");
  assert_type(graph, w, "float32[16,3,3,3]");
  g_assert_cmpint(pt_value(graph, y)->type.rank, ==, 2);
  g_assert_cmpint(pt_value(graph, y)->type.dims[0].size, ==, 16);
  g_assert_cmpuint(graph->outputs->len, ==, 1);
  g_assert_cmpuint(graph->inputs->len, ==, 1);
}

static void test_types_refused(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = new_graph();
  PtType a = STATIC_TYPE(graph, PT_FLOAT, 2, 3), b = STATIC_TYPE(graph, PT_FLOAT, 4, 5);
  PtValueId x = pt_graph_add_input(graph, "x", &a), y = pt_graph_add_input(graph, "y", &b);
  pt_graph_add_output(graph, pt_graph_add_op(graph, "MatMul", (const PtValueId[]){x, y}, 2));
  g_assert_false(pt_runtime_infer_types(graph, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_INPUT);
}

/* What is declared stays, what it leaves open is filled in. */
static void test_types_refine(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = new_graph();
  PtDim in[] = {{-1, "n"}, {4, NULL}}, out[] = {{-1, "rows"}, {-1, NULL}};
  PtType x_type = pt_type_tensor(graph, PT_FLOAT, 2, in);
  PtValueId x = pt_graph_add_input(graph, "x", &x_type);
  PtValueId y = pt_graph_add_op(graph, "Relu", &x, 1);
  finish(graph, y, pt_type_tensor(graph, PT_FLOAT, 2, out));
  g_assert_true(pt_runtime_infer_types(graph, &error));
  assert_type(graph, y, "float32[rows,4]");
}

static void test_types_sequence(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = new_graph();
  PtType type = STATIC_TYPE(graph, PT_FLOAT, 4, 2);
  PtValueId x = pt_graph_add_input(graph, "x", &type);
  PtValueId s = pt_graph_add_op(graph, "SplitToSequence", &x, 1);
  const int64_t zero = 0;
  PtValueId at =
      pt_graph_add_constant(graph, "at", pt_graph_tensor_copy(graph, PT_INT64, 0, NULL, &zero));
  PtValueId y = pt_graph_add_op(graph, "SequenceAt", (const PtValueId[]){s, at}, 2);
  finish(graph, y, STATIC_TYPE(graph, PT_FLOAT, 1, 2));
  g_assert_true(pt_runtime_infer_types(graph, &error));
  g_assert_no_error(error);
  const PtType *sequence = &pt_value(graph, s)->type;
  g_assert_cmpint(sequence->kind, ==, PT_TYPE_OPAQUE);
  /* sequence(tensor(float)) */
  static const uint8_t expected[] = {0x22, 6, 0x0A, 4, 0x0A, 2, 0x08, 1};
  g_assert_cmpmem(sequence->opaque, (int)sequence->opaque_size, expected, sizeof expected);
}

/* Every value of every real model gets a dtype and a rank, without weights. */
static void test_types_corpus(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *corpus = g_build_filename(getenv("PT_TEST_SOURCE"), "corpus", NULL);
  g_autoptr(GPtrArray) names = pt_dir_list(corpus, ".onnx", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(names->len, >=, 44);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename(corpus, names->pdata[i], NULL);
    PtOnnxReadOptions options = {.allow_empty = true};
    g_autoptr(PtGraph) graph = pt_onnx_read(path, &options, &error);
    g_assert_no_error(error);
    double start = pt_clock();
    g_assert_true(pt_runtime_infer_types(graph, &error));
    g_assert_no_error(error);
    uint32_t total = 0, ranked = 0, closed = 0;
    for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
      const PtType *type = &pt_value(graph, v)->type;
      if (pt_value(graph, v)->producer == PT_NONE)
        continue;
      total++;
      ranked += type->kind == PT_TYPE_TENSOR && type->rank >= 0;
      closed += pt_type_is_static(type);
    }
    g_test_message("%s: %u values, %u ranked, %u static, %.2f s", (char *)names->pdata[i], total,
                   ranked, closed, pt_clock() - start);
    g_assert_cmpuint(ranked, ==, total);
  }
}

/* ---- inputs
 * ---------------------------------------------------------------------------------------- */

static void test_inputs(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = new_graph();
  PtDim ids_dims[] = {{-1, "batch"}, {-1, "sequence"}};
  PtDim past_dims[] = {{-1, "batch"}, {-1, "sequence + 1"}};
  PtType ids_type = pt_type_tensor(graph, PT_INT64, 2, ids_dims);
  PtType mask_type = pt_type_tensor(graph, PT_INT32, 2, past_dims);
  PtValueId ids = pt_graph_add_input(graph, "a", &ids_type);
  PtValueId mask = pt_graph_add_input(graph, "b", &mask_type);
  PtValueId table = pt_graph_add_constant(
      graph, "t", pt_graph_tensor(graph, PT_FLOAT, 2, (const int64_t[]){5, 4}, NULL));
  PtValueId column = pt_graph_add_ints(graph, (const int64_t[]){-1}, 1);
  /* The index passes through another operator first. */
  PtValueId deeper = pt_graph_add_op(graph, "Unsqueeze", (const PtValueId[]){ids, column}, 2);
  pt_graph_add_output(graph,
                      pt_graph_add_op(graph, "Gather", (const PtValueId[]){table, deeper}, 2));
  PtValueId cast = pt_graph_add_op(graph, "Cast", &mask, 1);
  pt_node_set_int(graph, pt_value(graph, cast)->producer, "to", PT_FLOAT);
  pt_graph_add_output(graph, cast);
  PtSeed seed;
  pt_seed_init(&seed, "inputs");
  g_autoptr(GPtrArray) first = pt_runtime_random_inputs(graph, &seed, 40, &error);
  g_assert_no_error(error);
  const PtArray *a = first->pdata[0], *b = first->pdata[1];
  g_assert_cmpint(a->dims[0], ==, b->dims[0]);
  g_assert_cmpint(a->dims[1], ==, 40);
  g_assert_cmpint(b->dims[1], ==, 41);
  bool varied = false;
  for (size_t i = 0; i < a->count; i++) {
    int64_t id = ((int64_t *)a->data)[i];
    g_assert_cmpint(id, >=, 0);
    g_assert_cmpint(id, <, 5);
    varied = varied || id != ((int64_t *)a->data)[0];
  }
  g_assert_true(varied);
  for (size_t i = 0; i < b->count; i++)
    g_assert_cmpint(((int32_t *)b->data)[i], ==, 1);
  g_autoptr(GPtrArray) again = pt_runtime_random_inputs(graph, &seed, 40, &error);
  g_assert_cmpfloat(pt_array_difference(a, again->pdata[0]), ==, 0);
}

static void test_inputs_shape(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = new_graph();
  PtType x_type = STATIC_TYPE(graph, PT_FLOAT, 6), s_type = STATIC_TYPE(graph, PT_INT64, 2);
  PtValueId x = pt_graph_add_input(graph, "x", &x_type);
  PtValueId s = pt_graph_add_input(graph, "s", &s_type);
  finish(graph, pt_graph_add_op(graph, "Reshape", (const PtValueId[]){x, s}, 2),
         STATIC_TYPE(graph, PT_FLOAT, 2, 3));
  PtSeed seed;
  pt_seed_init(&seed, "inputs");
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(graph, &seed, 4, &error);
  g_assert_no_error(error);
  const int64_t *sizes = ((const PtArray *)inputs->pdata[1])->data;
  g_assert_cmpint(sizes[0], ==, 2);
  g_assert_cmpint(sizes[1], ==, 3);
  PtType strings = pt_type_tensor(graph, PT_STRING, 0, NULL);
  pt_graph_add_input(graph, "text", &strings);
  g_assert_null(pt_runtime_random_inputs(graph, &seed, 4, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_UNSUPPORTED);
}

/* Axes differ from each other; scales are ones; starts and ends take all there is. */
static void test_inputs_steer(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = new_graph();
  PtType x_type = STATIC_TYPE(graph, PT_FLOAT, 1, 2, 6, 6), four = STATIC_TYPE(graph, PT_FLOAT, 4);
  PtType two = STATIC_TYPE(graph, PT_INT64, 2);
  PtValueId x = pt_graph_add_input(graph, "x", &x_type);
  PtValueId scales = pt_graph_add_input(graph, "scales", &four);
  PtValueId starts = pt_graph_add_input(graph, "starts", &two);
  PtValueId ends = pt_graph_add_input(graph, "ends", &two);
  PtValueId axes = pt_graph_add_input(graph, "axes", &two);
  PtValueId big = pt_graph_add_op(graph, "Resize", (const PtValueId[]){x, PT_NONE, scales}, 3);
  PtValueId y = pt_graph_add_op(graph, "Slice", (const PtValueId[]){big, starts, ends, axes}, 4);
  PtDim unknown[4] = {{-1, NULL}, {-1, NULL}, {-1, NULL}, {-1, NULL}};
  finish(graph, y, pt_type_tensor(graph, PT_FLOAT, 4, unknown));
  PtSeed seed;
  pt_seed_init(&seed, "inputs");
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(graph, &seed, 4, &error);
  g_assert_no_error(error);
  g_autoptr(PtSession) session = pt_session_new(graph, NULL, &error);
  g_assert_no_error(error);
  g_autofree PtArray **ordered = pt_session_order_inputs(session, graph, inputs, &error);
  g_autoptr(GPtrArray) out = pt_session_run(session, ordered, &error);
  g_assert_no_error(error);
  const PtArray *result = out->pdata[0];
  g_assert_cmpint(result->dims[0], ==, 1);
  g_assert_cmpint(result->dims[1], ==, 2);
  g_assert_cmpint(result->dims[2], ==, 6);
  /* A session over another model has inputs that this one lacks. */
  g_autoptr(PtGraph) other = new_graph();
  PtType type = STATIC_TYPE(other, PT_FLOAT, 2);
  PtValueId z = pt_graph_add_input(other, "z", &type);
  finish(other, pt_graph_add_op(other, "Relu", &z, 1), type);
  g_autoptr(PtSession) stranger = pt_session_new(other, NULL, &error);
  g_assert_null(pt_session_order_inputs(stranger, graph, inputs, &error));
  g_assert_error(error, PT_RUNTIME_ERROR, PT_ERR_MISMATCH);
}

/* ---- arrays
 * ---------------------------------------------------------------------------------------- */

static void test_arrays(void) {
  g_assert_null(pt_array_new(PT_FLOAT, 2, (const int64_t[]){INT64_MAX, 4}));
  g_assert_null(pt_array_new(PT_FLOAT, 1, (const int64_t[]){-1}));
  g_assert_null(pt_array_new(PT_STRING, 0, NULL));
  g_autoptr(PtArray) none = pt_array_new(PT_FLOAT, 2, (const int64_t[]){0, 4});
  g_assert_null(none->data);
  const int64_t three = 3;
  g_autoptr(PtArray) a = array_of(1, &three, (const float[]){1, -4, NAN});
  g_autoptr(PtArray) b = array_of(1, &three, (const float[]){1, -4.4f, NAN});
  g_autoptr(PtArray) c = array_of(1, &three, (const float[]){1, -4, 0});
  g_autoptr(PtArray) d = pt_array_new(PT_DOUBLE, 1, &three);
  g_autoptr(PtArray) inf = array_of(1, &three, (const float[]){1, -4, INFINITY});
  g_assert_cmpfloat(pt_array_difference(a, a), ==, 0);
  g_assert_cmpfloat_with_epsilon(pt_array_difference(a, b), 0.1, 1e-6);
  g_assert_true(isinf(pt_array_difference(a, c)));
  g_assert_true(isinf(pt_array_difference(c, inf)));
  g_assert_cmpfloat(pt_array_difference(inf, inf), ==, 0);
  g_assert_true(isinf(pt_array_difference(c, d)));
  g_assert_true(isinf(pt_array_difference(c, none)));
  g_autoptr(PtArray) h = pt_array_new(PT_FLOAT16, 1, &three);
  g_autoptr(PtArray) k = pt_array_new(PT_FLOAT16, 1, &three);
  ((uint16_t *)h->data)[0] = 0x3C00; /* 1 */
  ((uint16_t *)k->data)[0] = 0x3800; /* 0.5 */
  g_assert_cmpfloat_with_epsilon(pt_array_difference(h, k), 0.5, 1e-9);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/runtime/missing", test_missing);
  g_test_add_func("/runtime/load", test_load);
  g_test_add_func("/runtime/session", test_session);
  g_test_add_func("/runtime/in-place", test_in_place);
  g_test_add_func("/runtime/save", test_save);
  g_test_add_func("/runtime/refused", test_refused);
  g_test_add_func("/runtime/run-refused", test_run_refused);
  g_test_add_func("/runtime/location", test_location);
  g_test_add_func("/runtime/empty", test_empty);
  g_test_add_func("/runtime/evaluate", test_evaluate);
  g_test_add_func("/runtime/types", test_types);
  g_test_add_func("/runtime/types-refused", test_types_refused);
  g_test_add_func("/runtime/types-refine", test_types_refine);
  g_test_add_func("/runtime/types-sequence", test_types_sequence);
  g_test_add_func("/runtime/types-corpus", test_types_corpus);
  g_test_add_func("/runtime/inputs", test_inputs);
  g_test_add_func("/runtime/inputs-shape", test_inputs_shape);
  g_test_add_func("/runtime/inputs-steer", test_inputs_steer);
  g_test_add_func("/runtime/arrays", test_arrays);
  return g_test_run();
}
