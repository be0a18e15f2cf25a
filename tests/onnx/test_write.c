/* Writing: where weights go, what is refused, that nothing is left half-written. */
#include "make.h"
#include "same.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

enum { LARGE = 3000 }; /* floats of the larger constant */

/* y = (x + large) + small, with an empty list of strings as attribute, and a string constant that
 * comes out */
static PtGraph *sample(void) {
  PtGraph *graph = pt_graph_new();
  pt_graph_set_opset(graph, "", 17);
  g_autofree float *values = g_new(float, LARGE);
  for (int i = 0; i < LARGE; i++)
    values[i] = (float)i;
  const int64_t dims[1] = {LARGE}, one[1] = {1};
  const PtDim symbolic[1] = {{-1, "N"}};
  const PtType type = pt_type_tensor(graph, PT_FLOAT, 1, symbolic);
  const PtValueId x = pt_graph_add_input(graph, "x", &type);
  const PtValueId large =
      pt_graph_add_constant(graph, "large", pt_graph_tensor_copy(graph, PT_FLOAT, 1, dims, values));
  const PtValueId small = pt_graph_add_constant(
      graph, "small", pt_graph_tensor_copy(graph, PT_FLOAT, 1, one, values + 7));
  const PtValueId first[2] = {x, large};
  const PtValueId sum = pt_graph_add_op(graph, "Add", first, 2);
  const PtValueId second[2] = {sum, small};
  const PtValueId y = pt_graph_add_op(graph, "Add", second, 2);
  pt_node_set_string(graph, 1, "note", "text");
  pt_graph_add_output(graph, y);
  return graph;
}

typedef struct Place {
  char *folder, *path, *data;
} Place;
static Place place_new(void) {
  g_autoptr(GError) error = NULL;
  Place place = {.folder = pt_dir_make_temp("onnx-write", &error)};
  g_assert_no_error(error);
  place.path = g_build_filename(place.folder, "m.onnx", NULL);
  place.data = g_build_filename(place.folder, "m.onnx.data", NULL);
  return place;
}
static void place_clear(Place *place) {
  pt_dir_remove(place->folder);
  g_free(place->folder);
  g_free(place->path);
  g_free(place->data);
}

static uint32_t count_files(const Place *place) {
  g_autoptr(GPtrArray) names = pt_dir_list(place->folder, NULL, NULL);
  return names->len;
}

static void test_one_file(void) {
  Place place = place_new();
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = sample();
  graph->name = "main";
  g_assert_true(pt_onnx_write(graph, place.path, NULL, &error));
  g_assert_cmpuint(count_files(&place), ==, 1);
  g_autoptr(PtGraph) again = pt_onnx_read(place.path, NULL, &error);
  g_assert_no_error(error);
  graph->ir_version = again->ir_version;
  pt_assert_same(graph, again);
  /* over the file that is being read from */
  g_assert_true(pt_onnx_write(again, place.path, NULL, &error));
  g_autoptr(PtGraph) third = pt_onnx_read(place.path, NULL, &error);
  pt_assert_same(again, third);
  place_clear(&place);
}

static void read_back_external(const Place *place, const PtGraph *graph) {
  g_autoptr(GError) error = NULL;
  g_assert_cmpuint(count_files(place), ==, 2);
  const PtOnnxReadOptions named = {.external = PT_EXTERNAL_NAMED, .external_name = "m.onnx.data"};
  g_autoptr(PtGraph) names = pt_onnx_read(place->path, &named, &error);
  g_assert_no_error(error);
  const PtTensor *large = pt_value(names, pt_graph_find(names, "large"))->constant;
  g_assert_cmpstr(large->location, ==, "m.onnx.data");
  g_assert_cmpuint(large->offset % 64, ==, 0);
  g_assert_nonnull(pt_value(names, pt_graph_find(names, "small"))->constant->data);
  g_autoptr(PtGraph) mapped = pt_onnx_read(place->path, NULL, &error);
  g_assert_no_error(error);
  pt_assert_same(graph, mapped);
}

static void test_external(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = sample();
  graph->name = "main";
  Place place = place_new();
  const PtOnnxWriteOptions threshold = {.external_threshold = 1000};
  g_assert_true(pt_onnx_write(graph, place.path, &threshold, &error));
  read_back_external(&place, graph);
  place_clear(&place);
  /* and by itself when the message would be too large */
  place = place_new();
  g_assert_true(pt_onnx_write_limited(graph, place.path, NULL, 5000, &error));
  read_back_external(&place, graph);
  place_clear(&place);
  place = place_new();
  g_assert_false(pt_onnx_write_limited(graph, place.path, NULL, 50, &error));
  g_assert_error(error, PT_ONNX_ERROR, PT_ERR_LIMIT);
  g_assert_cmpuint(count_files(&place), ==, 0);
  place_clear(&place);
}

static void test_many_external(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = sample();
  graph->name = "main";
  Place place = place_new();
  static uint8_t page[2 << 20];
  memset(page, 5, sizeof page);
  const int64_t dims[3] = {1, sizeof page, 77};
  for (int i = 0; i < 3; i++) {
    char name[2] = {(char)('a' + i), 0};
    PtTensor *t = pt_graph_tensor(graph, PT_UINT8, 1, &dims[i], page);
    pt_graph_add_output(graph, pt_graph_add_constant(graph, name, t));
  }
  const PtOnnxWriteOptions threshold = {.external_threshold = 1};
  g_assert_true(pt_onnx_write(graph, place.path, &threshold, &error));
  g_autoptr(PtGraph) again = pt_onnx_read(place.path, NULL, &error);
  g_assert_no_error(error);
  pt_assert_same(graph, again);
  const PtOnnxReadOptions named = {.external = PT_EXTERNAL_NAMED, .external_name = "m.onnx.data"};
  g_autoptr(PtGraph) names = pt_onnx_read(place.path, &named, &error);
  g_assert_cmpuint(pt_value(names, pt_graph_find(names, "b"))->constant->offset % 4096, ==, 0);
  place_clear(&place);
}

/* What the runtime room asks for: large tensors stay where they are and are handed over. */
static void test_bytes_external(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = sample();
  g_autoptr(GArray) external = NULL;
  const PtOnnxWriteOptions options = {.external_threshold = 1000, .external_location = "in-memory"};
  g_autoptr(GBytes) bytes = pt_onnx_write_bytes(graph, &options, &external, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_bytes_get_size(bytes), <, 1000);
  g_assert_cmpuint(external->len, ==, 1);
  g_assert_cmpuint(g_array_index(external, PtValueId, 0), ==, pt_graph_find(graph, "large"));
  const PtOnnxReadOptions named = {.external = PT_EXTERNAL_NAMED, .external_name = "in-memory"};
  g_autoptr(PtGraph) again = pt_onnx_read_bytes(bytes, "bytes", NULL, &named, &error);
  g_assert_no_error(error);
  const PtTensor *large = pt_value(again, pt_graph_find(again, "large"))->constant;
  g_assert_cmpuint(large->offset, ==, 0);
  g_assert_cmpuint(large->size, ==, LARGE * sizeof(float));
  /* without a location everything is inside */
  g_autoptr(GArray) none = NULL;
  g_autoptr(GBytes) whole = pt_onnx_write_bytes(graph, NULL, &none, &error);
  g_assert_cmpuint(none->len, ==, 0);
  g_assert_cmpuint(g_bytes_get_size(whole), >, LARGE * sizeof(float));
}

static void test_only_what_is_allowed(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = sample();
  g_autoptr(GBytes) bytes = pt_onnx_write_bytes(graph, NULL, NULL, &error);
  Onnx__ModelProto *model =
      onnx__model_proto__unpack(NULL, g_bytes_get_size(bytes), g_bytes_get_data(bytes, NULL));
  g_assert_nonnull(model);
  g_assert_null(model->producer_name);
  g_assert_cmpuint(model->graph->n_value_info, ==, 0);
  g_assert_cmpstr(model->graph->name, ==, "graph");
  g_assert_cmpuint(model->graph->node[0]->base.n_unknown_fields, ==, 0);
  onnx__model_proto__free_unpacked(model, NULL);
  const PtOnnxWriteOptions options = {.producer = "somebody", .all_types = true};
  g_autoptr(GBytes) named = pt_onnx_write_bytes(graph, &options, NULL, &error);
  model = onnx__model_proto__unpack(NULL, g_bytes_get_size(named), g_bytes_get_data(named, NULL));
  g_assert_cmpstr(model->producer_name, ==, "somebody");
  onnx__model_proto__free_unpacked(model, NULL);
}

static void test_cannot_write(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = sample();
  Place place = place_new();
  g_autofree char *nowhere = g_build_filename(place.folder, "none", "m.onnx", NULL);
  g_assert_false(pt_onnx_write(graph, nowhere, NULL, &error));
  g_assert_cmpint(error->code, ==, PT_ERR_IO);
  g_clear_error(&error);
  g_assert_false(pt_onnx_write(graph, place.folder, NULL, &error));
  g_assert_cmpint(error->code, ==, PT_ERR_IO);
  g_clear_error(&error);
  /* the data file's name is taken by a folder: the model is not written either */
  g_assert_cmpint(g_mkdir(place.data, 0755), ==, 0);
  const PtOnnxWriteOptions threshold = {.external_threshold = 1000};
  g_assert_false(pt_onnx_write(graph, place.path, &threshold, &error));
  g_assert_cmpint(error->code, ==, PT_ERR_IO);
  g_clear_error(&error);
  g_assert_cmpuint(count_files(&place), ==, 1);
  place_clear(&place);
}

/* A type that is not one cannot come from reading; it is said, not written. */
static void test_broken_type(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = sample();
  PtType *type = &pt_value(graph, 0)->type;
  *type = (PtType){
      .kind = PT_TYPE_OPAQUE, .rank = -1, .opaque = (const uint8_t *)"\xFF", .opaque_size = 1};
  g_assert_null(pt_onnx_write_bytes(graph, NULL, NULL, &error));
  g_assert_error(error, PT_ONNX_ERROR, PT_ERR_INTERNAL);
}

/* A disk that fills, by a limit on the size of files: the old file stays. */
static void test_full_disk(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = sample();
  Place place = place_new();
  g_assert_true(g_file_set_contents(place.path, "old", 3, &error));
  struct rlimit old, small = {4096, 4096};
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
  small.rlim_max = old.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
  const bool written = pt_onnx_write(graph, place.path, NULL, &error);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
  g_assert_false(written);
  g_assert_cmpint(error->code, ==, PT_ERR_IO);
  g_assert_nonnull(strstr(error->message, place.path));
  g_autofree char *left = NULL;
  g_assert_true(g_file_get_contents(place.path, &left, NULL, NULL));
  g_assert_cmpstr(left, ==, "old");
  g_assert_cmpuint(count_files(&place), ==, 1);
  place_clear(&place);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/onnx/write/one-file", test_one_file);
  g_test_add_func("/onnx/write/external", test_external);
  g_test_add_func("/onnx/write/many-external", test_many_external);
  g_test_add_func("/onnx/write/bytes-external", test_bytes_external);
  g_test_add_func("/onnx/write/only-what-is-allowed", test_only_what_is_allowed);
  g_test_add_func("/onnx/write/cannot", test_cannot_write);
  g_test_add_func("/onnx/write/broken-type", test_broken_type);
  g_test_add_func("/onnx/write/full-disk", test_full_disk);
  return g_test_run();
}
