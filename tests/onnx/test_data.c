/* Tensors: every element type in raw and typed fields, what stays in the mapping, and external
 * data. */
#include "make.h"
#include "same.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* The initializer "w", an output too so that it is kept. */
static Onnx__TensorProto *weight(Make *make, int32_t dtype, int64_t count, const void *raw,
                                 size_t size) {
  make_output(make, make->graph, "w", 0, NULL);
  return make_init(make, make->graph, "w", dtype, count, raw, size);
}

static const PtTensor *read_weight(PtGraph *graph) {
  g_assert_cmpuint(pt_graph_n_values(graph), ==, 1);
  return pt_value(graph, 0)->constant;
}

/* ---- typed fields -------------------------------------------------------------------------------
 */

#define KEEP(make, array) pt_arena_copy((make)->arena, array, sizeof array)

/* Three elements (four where they are packed) of each type: what typed fields hold, and what they
 * mean. */
static void fill_typed(Make *make, Onnx__TensorProto *t, int32_t dtype) {
  static float floats[6] = {1, -2, 0.5f, 7, 8, 9};
  static double doubles[6] = {1, -2, 0.5, 7, 8, 9};
  static int64_t longs[3] = {INT64_MIN, -1, 5};
  static uint64_t unsigned_longs[3] = {1, UINT32_MAX, 7};
  static int32_t ints[3] = {1, 0, 0x81}, packed[2] = {0x21, 0x03};
  switch (dtype) {
  case PT_FLOAT:
  case PT_COMPLEX64:
    t->n_float_data = dtype == PT_FLOAT ? 3 : 6;
    t->float_data = floats;
    return;
  case PT_DOUBLE:
  case PT_COMPLEX128:
    t->n_double_data = dtype == PT_DOUBLE ? 3 : 6;
    t->double_data = doubles;
    return;
  case PT_INT64:
    t->n_int64_data = 3;
    t->int64_data = longs;
    return;
  case PT_UINT32:
  case PT_UINT64:
    t->n_uint64_data = 3;
    t->uint64_data = unsigned_longs;
    return;
  case PT_UINT4:
  case PT_INT4:
  case PT_FLOAT4E2M1:
    t->n_int32_data = 2;
    t->int32_data = packed;
    return;
  case PT_UINT2:
  case PT_INT2:
    t->n_int32_data = 1;
    t->int32_data = packed;
    return;
  default:
    t->n_int32_data = 3;
    t->int32_data = KEEP(make, ints);
  }
}

static void test_typed(void) {
  for (int32_t dtype = 1; dtype < PT_DTYPE_COUNT; dtype++) {
    if (dtype == PT_STRING)
      continue;
    g_autoptr(Make) make = make_new(13, 26), raw = make_new(13, 26);
    fill_typed(make, weight(make, dtype, 3, NULL, 0), dtype);
    g_autoptr(PtGraph) graph = make_read(make, NULL);
    const PtTensor *t = read_weight(graph);
    g_assert_cmpuint(t->size, ==, pt_dtype_size((PtDtype)dtype, 3));
    g_assert_nonnull(t->data);
    /* the same as raw data is the same tensor */
    weight(raw, dtype, 3, t->data, t->size);
    g_autoptr(PtGraph) other = make_read(raw, NULL);
    pt_assert_same_tensor(t, read_weight(other));
  }
}

static void check_bytes(int32_t dtype, const void *expected, size_t size) {
  g_autoptr(Make) make = make_new(13, 26);
  fill_typed(make, weight(make, dtype, 3, NULL, 0), dtype);
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  const PtTensor *t = read_weight(graph);
  g_assert_cmpuint(t->size, ==, size);
  g_assert_cmpint(memcmp(t->data, expected, size), ==, 0);
}

static void test_layout(void) {
  check_bytes(PT_FLOAT, (float[]){1, -2, 0.5f}, 12);
  check_bytes(PT_DOUBLE, (double[]){1, -2, 0.5}, 24);
  check_bytes(PT_INT64, (int64_t[]){INT64_MIN, -1, 5}, 24);
  check_bytes(PT_UINT32, (uint32_t[]){1, UINT32_MAX, 7}, 12);
  check_bytes(PT_UINT64, (uint64_t[]){1, UINT32_MAX, 7}, 24);
  check_bytes(PT_INT32, (int32_t[]){1, 0, 0x81}, 12);
  check_bytes(PT_FLOAT16, (uint16_t[]){1, 0, 0x81}, 6);
  check_bytes(PT_BFLOAT16, (uint16_t[]){1, 0, 0x81}, 6);
  check_bytes(PT_INT16, (int16_t[]){1, 0, 0x81}, 6);
  check_bytes(PT_UINT8, (uint8_t[]){1, 0, 0x81}, 3);
  check_bytes(PT_INT8, (uint8_t[]){1, 0, 0x81}, 3);
  check_bytes(PT_FLOAT8E5M2, (uint8_t[]){1, 0, 0x81}, 3);
  check_bytes(PT_INT4, (uint8_t[]){0x21, 0x03}, 2);
  check_bytes(PT_UINT2, (uint8_t[]){0x21}, 1);
  check_bytes(PT_COMPLEX64, (float[]){1, -2, 0.5f, 7, 8, 9}, 24);
}

static void test_half_values(void) {
  static int32_t half[2] = {0x3C00, 0xC000}, brain[2] = {0x3F80, 0xC000};
  for (int i = 0; i < 2; i++) {
    g_autoptr(Make) make = make_new(8, 17);
    Onnx__TensorProto *t = weight(make, i ? PT_BFLOAT16 : PT_FLOAT16, 2, NULL, 0);
    t->n_int32_data = 2;
    t->int32_data = i ? brain : half;
    g_autoptr(PtGraph) graph = make_read(make, NULL);
    g_assert_cmpfloat(pt_tensor_float_at(read_weight(graph), 0), ==, 1.0);
    g_assert_cmpfloat(pt_tensor_float_at(read_weight(graph), 1), ==, -2.0);
  }
}

static void test_strings(void) {
  g_autoptr(Make) make = make_new(8, 17);
  static uint8_t bytes[3] = {0xFF, 0, 'x'}; /* any bytes */
  ProtobufCBinaryData strings[2] = {{3, bytes}, {0, NULL}};
  Onnx__TensorProto *t = weight(make, PT_STRING, 2, NULL, 0);
  t->n_string_data = 2;
  t->string_data = strings;
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  const PtTensor *w = read_weight(graph);
  g_assert_cmpuint(g_bytes_get_size(w->strings[0]), ==, 3);
  g_assert_cmpuint(g_bytes_get_size(w->strings[1]), ==, 0);
  t->n_string_data = 1;
  make_fails(make, NULL, PT_ERR_INPUT, "1 values where its shape needs 2");
}

static void test_no_elements(void) {
  for (int i = 0; i < 2; i++) { /* with and without an empty raw_data */
    g_autoptr(Make) make = make_new(8, 17);
    weight(make, PT_FLOAT, 0, i ? "" : NULL, 0);
    g_autoptr(PtGraph) graph = make_read(make, NULL);
    g_assert_cmpuint(read_weight(graph)->count, ==, 0);
    g_assert_false(pt_tensor_is_empty(read_weight(graph)));
  }
  const PtOnnxReadOptions skeleton = {.allow_empty = true};
  g_autoptr(Make) empty = make_new(8, 17);
  weight(empty, PT_FLOAT16, 10, NULL, 0);
  g_autoptr(PtGraph) graph = make_read(empty, &skeleton);
  g_assert_true(pt_tensor_is_empty(read_weight(graph)));
  g_autoptr(Make) ints = make_new(8, 17);
  weight(ints, PT_INT32, 10, NULL, 0);
  make_fails(ints, &skeleton, PT_ERR_INPUT, "no data");
}

/* ---- the mapping --------------------------------------------------------------------------------
 */

static bool lies_in(GBytes *bytes, const PtTensor *t) {
  gsize size;
  const uint8_t *base = g_bytes_get_data(bytes, &size);
  return t->data >= base && t->data + t->size <= base + size;
}

static void test_mapped(void) {
  g_autoptr(GError) error = NULL;
  enum { N = 300 }; /* 1200 bytes: over the threshold */
  float values[N];
  for (int i = 0; i < N; i++)
    values[i] = (float)i - 7.5f;
  for (int kind = 0; kind < 3; kind++) {
    g_autoptr(Make) make = make_new(8, 17);
    Onnx__TensorProto *t;
    if (kind < 2) { /* raw data, and packed float_data, which is laid out alike */
      t = weight(make, PT_FLOAT, N, kind ? NULL : values, kind ? 0 : sizeof values);
      t->n_float_data = kind ? N : 0;
      t->float_data = values;
    } else { /* in an attribute of a node in a nested graph */
      Onnx__GraphProto *inner = make_graph(make, "inner");
      make_attr_tensor(make, make_node(make, inner, "Constant", "", "c"), "value",
                       make_tensor(make, "", PT_FLOAT, N, values, sizeof values));
      make_output(make, inner, "c", PT_FLOAT, "300");
      make_attr_graph(make, make_node(make, make->graph, "Wrap", "", "y"), "body", inner);
    }
    g_autoptr(GBytes) bytes = make_pack(make);
    PtGraph *graph = pt_onnx_read_bytes(bytes, "mapped", NULL, NULL, &error);
    g_assert_no_error(error);
    const PtTensor *w = pt_value(graph, pt_graph_find(graph, kind < 2 ? "w" : "c"))->constant;
    g_assert_true(lies_in(bytes, w));
    g_assert_cmpint(memcmp(w->data, values, sizeof values), ==, 0);
    pt_graph_unref(graph);
  }
}

/* ---- external data ------------------------------------------------------------------------------
 */

typedef struct Folder {
  char *base, *models; /* models is inside base */
} Folder;

static void folder_init(Folder *folder) {
  g_autoptr(GError) error = NULL;
  folder->base = pt_dir_make_temp("onnx-external", &error);
  g_assert_no_error(error);
  folder->models = g_build_filename(folder->base, "models", NULL);
  g_autofree char *sub = g_build_filename(folder->models, "sub", NULL);
  g_assert_true(pt_dir_make(sub, &error));
  const float values[4] = {1, 2, 3, 4};
  const char *names[] = {"models/w.bin", "models/sub/w.bin", "outside.bin", NULL};
  for (int i = 0; names[i]; i++) {
    g_autofree char *path = g_build_filename(folder->base, names[i], NULL);
    g_assert_true(g_file_set_contents(path, (const char *)values, sizeof values, &error));
  }
  g_autofree char *leaving = g_build_filename(folder->models, "leaving.bin", NULL);
  g_autofree char *staying = g_build_filename(folder->models, "staying.bin", NULL);
  g_assert_cmpint(symlink("../outside.bin", leaving), ==, 0);
  g_assert_cmpint(symlink("sub/w.bin", staying), ==, 0);
}

static void folder_clear(Folder *folder) {
  pt_dir_remove(folder->base);
  g_free(folder->base);
  g_free(folder->models);
}

static PtGraph *read_external(const Folder *folder, const char *location, const char *offset,
                              const char *length, const PtOnnxReadOptions *options,
                              GError **error) {
  g_autoptr(Make) make = make_new(8, 17);
  make_external(make, weight(make, PT_FLOAT, 2, NULL, 0), location, offset, length);
  g_autoptr(GBytes) bytes = make_pack(make);
  return pt_onnx_read_bytes(bytes, "made.onnx", folder->models, options, error);
}

static void test_external_inside(void) {
  Folder folder;
  folder_init(&folder);
  const char *names[] = {"w.bin", "sub/w.bin", "./w.bin", "staying.bin"};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(PtGraph) graph =
        read_external(&folder, names[i], "4", i % 2 ? "8" : NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(pt_tensor_float_at(read_weight(graph), 0), ==, 2);
    g_assert_null(read_weight(graph)->location);
    g_autoptr(PtGraph) from_start = read_external(&folder, names[i], NULL, NULL, NULL, &error);
    g_assert_cmpfloat(pt_tensor_float_at(read_weight(from_start), 0), ==, 1);
  }
  folder_clear(&folder);
}

static void external_fails(const Folder *folder, const char *location, const char *offset,
                           const char *length, const PtOnnxReadOptions *options, PtErrorCode code,
                           const char *part) {
  g_autoptr(GError) error = NULL;
  g_assert_null(read_external(folder, location, offset, length, options, &error));
  g_assert_nonnull(error);
  if (error->code != (int)code || !strstr(error->message, part) ||
      !strstr(error->message, "initializer 'w'"))
    g_error("expected %d with '%s', got %d: %s", code, part, error->code, error->message);
}

static void test_external_refused(void) {
  Folder folder;
  folder_init(&folder);
  g_autofree char *absolute = g_build_filename(folder.models, "w.bin", NULL);
  external_fails(&folder, absolute, NULL, NULL, NULL, PT_ERR_INPUT, "outside the model's folder");
  external_fails(&folder, "../outside.bin", NULL, NULL, NULL, PT_ERR_INPUT, "outside");
  external_fails(&folder, "sub/../../outside.bin", NULL, NULL, NULL, PT_ERR_INPUT, "outside");
  external_fails(&folder, "sub/../w.bin", NULL, NULL, NULL, PT_ERR_INPUT, "outside");
  external_fails(&folder, "leaving.bin", NULL, NULL, NULL, PT_ERR_INPUT,
                 "leaves the model's folder");
  external_fails(&folder, "missing.bin", NULL, NULL, NULL, PT_ERR_IO, "missing");
  external_fails(&folder, "sub", NULL, NULL, NULL, PT_ERR_IO, "folder");
  external_fails(&folder, "w.bin", "12", NULL, NULL, PT_ERR_INPUT, "ends behind the end");
  external_fails(&folder, "w.bin", "9223372036854775807", NULL, NULL, PT_ERR_INPUT, "ends behind");
  external_fails(&folder, "w.bin", "18446744073709551615", NULL, NULL, PT_ERR_INPUT,
                 "not a number");
  external_fails(&folder, "w.bin", "-4", NULL, NULL, PT_ERR_INPUT, "not a number");
  external_fails(&folder, "w.bin", "4x", NULL, NULL, PT_ERR_INPUT, "not a number");
  external_fails(&folder, "w.bin", "0", "12", NULL, PT_ERR_INPUT, "12 bytes of external data");
  external_fails(&folder, "", "0", "8", NULL, PT_ERR_INPUT, "names no file");
  external_fails(&folder, NULL, "0", "8", NULL, PT_ERR_INPUT, "names no file");
  const PtOnnxReadOptions refuse = {.external = PT_EXTERNAL_REFUSE};
  external_fails(&folder, "w.bin", NULL, NULL, &refuse, PT_ERR_INPUT, "not allowed");
  const Folder none = {NULL, NULL};
  external_fails(&none, "w.bin", NULL, NULL, NULL, PT_ERR_INPUT, "outside");
  g_autoptr(Make) both = make_new(8, 17);
  make_external(both, weight(both, PT_FLOAT, 2, "12345678", 8), "w.bin", NULL, NULL);
  make_fails(both, NULL, PT_ERR_INPUT, "data of its own");
  folder_clear(&folder);
}

static void test_external_named(void) {
  const Folder none = {NULL, NULL};
  g_autoptr(GError) error = NULL;
  const PtOnnxReadOptions named = {.external = PT_EXTERNAL_NAMED, .external_name = "noise.bin"};
  g_autoptr(PtGraph) graph = read_external(&none, "noise.bin", "6000000000", "8", &named, &error);
  g_assert_no_error(error);
  const PtTensor *w = read_weight(graph);
  g_assert_cmpstr(w->location, ==, "noise.bin");
  g_assert_cmpuint(w->offset, ==, UINT64_C(6000000000));
  g_assert_null(w->data);
  g_assert_false(pt_tensor_is_empty(w));
  external_fails(&none, "other.bin", "0", "8", &named, PT_ERR_INPUT, "not in 'noise.bin'");
  external_fails(&none, "../noise.bin", "0", "8", &named, PT_ERR_INPUT, "not in 'noise.bin'");
  external_fails(&none, "noise.bin", "9223372036854775806", "8", &named, PT_ERR_INPUT, "too large");
  /* and comes out as it went in */
  g_autoptr(GBytes) bytes = pt_onnx_write_bytes(graph, NULL, NULL, &error);
  g_autoptr(PtGraph) again = pt_onnx_read_bytes(bytes, "again", NULL, &named, &error);
  g_assert_no_error(error);
  pt_assert_same(graph, again);
}

/* Beyond 2 GB and 4 GB, in a file that is mostly a hole. */
static void test_external_large(void) {
  Folder folder;
  folder_init(&folder);
  g_autofree char *path = g_build_filename(folder.models, "large.bin", NULL);
  const float values[2] = {8, 9};
  const off_t offset = INT64_C(5000000000);
  const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  g_assert_cmpint(fd, >=, 0);
  if (pwrite(fd, values, sizeof values, offset) == sizeof values) {
    g_autoptr(GError) error = NULL;
    g_autoptr(PtGraph) graph = read_external(&folder, "large.bin", "5000000000", "8", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(pt_tensor_float_at(read_weight(graph), 1), ==, 9);
  } else {
    g_test_skip("the file system has no sparse files of 5 GB");
  }
  close(fd);
  folder_clear(&folder);
}

/* One file for many tensors is mapped once. */
static void test_external_shared(void) {
  Folder folder;
  folder_init(&folder);
  g_autoptr(GError) error = NULL;
  g_autoptr(Make) make = make_new(8, 17);
  for (int i = 0; i < 4; i++) {
    char name[2] = {(char)('a' + i), 0}, offset[2] = {(char)('0' + 2 * i), 0};
    make_external(make, make_init(make, make->graph, name, PT_FLOAT, 2, NULL, 0),
                  i % 2 ? "w.bin" : "./w.bin", offset, NULL);
    make_output(make, make->graph, name, 0, NULL);
  }
  g_autoptr(GBytes) bytes = make_pack(make);
  g_autoptr(PtGraph) graph = pt_onnx_read_bytes(bytes, "made", folder.models, NULL, &error);
  g_assert_no_error(error);
  const uint8_t *first = pt_value(graph, 0)->constant->data;
  for (PtValueId i = 0; i < 4; i++)
    g_assert_true(pt_value(graph, i)->constant->data == first + 2 * i);
  folder_clear(&folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/onnx/data/typed", test_typed);
  g_test_add_func("/onnx/data/layout", test_layout);
  g_test_add_func("/onnx/data/half", test_half_values);
  g_test_add_func("/onnx/data/strings", test_strings);
  g_test_add_func("/onnx/data/no-elements", test_no_elements);
  g_test_add_func("/onnx/data/mapped", test_mapped);
  g_test_add_func("/onnx/external/inside", test_external_inside);
  g_test_add_func("/onnx/external/refused", test_external_refused);
  g_test_add_func("/onnx/external/named", test_external_named);
  g_test_add_func("/onnx/external/large", test_external_large);
  g_test_add_func("/onnx/external/shared", test_external_shared);
  return g_test_run();
}
