/* Every way for a model to be wrong, with its exact code and what the sentence must say. */
#include "make.h"

#include <glib/gstdio.h>
#include <string.h>

static const float two_floats[2] = {1.5f, -2.0f};

/* x -> Relu -> y, float[2] */
static Make *small(void) {
  Make *make = make_new(8, 17);
  make_input(make, make->graph, "x", PT_FLOAT, "2");
  make_output(make, make->graph, "y", PT_FLOAT, "2");
  make_node(make, make->graph, "Relu", "x", "y")->name = (char *)(uintptr_t) "first";
  return make;
}

static void test_structure(void) {
  g_autoptr(Make) good = small();
  g_autoptr(PtGraph) graph = make_read(good, NULL);
  g_assert_cmpuint(pt_graph_n_nodes(graph), ==, 1);

  g_autoptr(Make) no_graph = small();
  no_graph->model->graph = NULL;
  make_fails(no_graph, NULL, PT_ERR_INPUT, "no graph");
  g_autoptr(Make) no_ir = small();
  no_ir->model->has_ir_version = false;
  make_fails(no_ir, NULL, PT_ERR_INPUT, "no IR version");
  g_autoptr(Make) new_ir = small();
  new_ir->model->ir_version = 15;
  make_fails(new_ir, NULL, PT_ERR_UNSUPPORTED, "IR version 15");
  g_autoptr(Make) last_ir = small();
  last_ir->model->ir_version = 14;
  pt_graph_unref(make_read(last_ir, NULL));
}

static void test_opsets(void) {
  const int64_t versions[] = {6, 27, 7, 26};
  for (int i = 0; i < 4; i++) {
    g_autoptr(Make) make = small();
    make->model->opset_import[0]->version = versions[i];
    if (i < 2)
      make_fails(make, NULL, PT_ERR_UNSUPPORTED, "opset");
    else
      pt_graph_unref(make_read(make, NULL));
  }
  g_autoptr(Make) twice = small();
  make_import(twice, "ai.onnx", 16);
  make_fails(twice, NULL, PT_ERR_INPUT, "two versions");
  g_autoptr(Make) none = small();
  none->model->n_opset_import = 0;
  make_fails(none, NULL, PT_ERR_INPUT, "'ai.onnx', which the model does not import");
  g_autoptr(Make) domain = small();
  make_node(domain, domain->graph, "com.microsoft:Gelu", "x", "z");
  make_fails(domain, NULL, PT_ERR_INPUT, "'com.microsoft'");
}

static void test_wiring(void) {
  g_autoptr(Make) missing = small();
  make_node(missing, missing->graph, "Add", "x,ghost", "z")->name = (char *)(uintptr_t) "adder";
  make_fails(missing, NULL, PT_ERR_INPUT, "node 'adder' (Add) reads 'ghost'");
  g_autoptr(Make) cycle = small();
  make_node(cycle, cycle->graph, "Add", "x,b", "a");
  make_node(cycle, cycle->graph, "Neg", "a", "b");
  make_fails(cycle, NULL, PT_ERR_INPUT, "cycle");
  g_autoptr(Make) self = small();
  make_node(self, self->graph, "Neg", "a", "a");
  make_fails(self, NULL, PT_ERR_INPUT, "cycle");
  g_autoptr(Make) producers = small();
  make_node(producers, producers->graph, "Neg", "x", "y");
  make_fails(producers, NULL, PT_ERR_INPUT, "'y' is made twice");
  g_autoptr(Make) over_input = small();
  make_node(over_input, over_input->graph, "Neg", "x", "x");
  make_fails(over_input, NULL, PT_ERR_INPUT, "'x' is made twice");
  g_autoptr(Make) over_init = small();
  make_init(over_init, over_init->graph, "y", PT_FLOAT, 2, two_floats, 8);
  make_fails(over_init, NULL, PT_ERR_INPUT, "'y' is made twice");
  g_autoptr(Make) inits = small();
  make_init(inits, inits->graph, "w", PT_FLOAT, 2, two_floats, 8);
  make_init(inits, inits->graph, "w", PT_FLOAT, 2, two_floats, 8);
  make_fails(inits, NULL, PT_ERR_INPUT, "'w' is made twice");
  g_autoptr(Make) inputs = small();
  make_input(inputs, inputs->graph, "x", PT_FLOAT, "2");
  make_fails(inputs, NULL, PT_ERR_INPUT, "two inputs named 'x'");
  g_autoptr(Make) output = small();
  make_output(output, output->graph, "nowhere", PT_FLOAT, "2");
  make_fails(output, NULL, PT_ERR_INPUT, "graph output 'nowhere'");
  g_autoptr(Make) no_op = small();
  make_node(no_op, no_op->graph, "", "x", "z");
  make_fails(no_op, NULL, PT_ERR_INPUT, "no operator");
  g_autoptr(Make) untyped = small();
  make_input(untyped, untyped->graph, "z", 0, NULL);
  make_fails(untyped, NULL, PT_ERR_INPUT, "graph input 'z' has no type");
  g_autoptr(Make) dtype = small();
  make_input(dtype, dtype->graph, "z", 99, "2");
  make_fails(dtype, NULL, PT_ERR_INPUT, "element type 99");
}

static void test_tensors(void) {
  static const struct {
    int32_t dtype;
    int64_t count;
    size_t size; /* of raw data; SIZE_MAX: none */
    PtErrorCode code;
    const char *part;
  } cases[] = {
      {0, 2, 8, PT_ERR_INPUT, "element type 0"},
      {27, 2, 8, PT_ERR_INPUT, "element type 27"},
      {-1, 2, 8, PT_ERR_INPUT, "element type -1"},
      {PT_FLOAT, 2, 7, PT_ERR_INPUT, "7 bytes of data where its shape needs 8"},
      {PT_FLOAT, 1, 8, PT_ERR_INPUT, "8 bytes"},
      {PT_INT4, 3, 1, PT_ERR_INPUT, "needs 2"},
      {PT_FLOAT, -2, 8, PT_ERR_INPUT, "negative"},
      {PT_FLOAT, INT64_MAX, 8, PT_ERR_INPUT, "more elements than memory"},
      {PT_DOUBLE, INT64_MAX / 4, 8, PT_ERR_INPUT, "more elements than memory"},
      {PT_STRING, 2, 8, PT_ERR_INPUT, "strings"},
      {PT_INT64, 2, SIZE_MAX, PT_ERR_INPUT, "no data"},
      {PT_FLOAT, 2, SIZE_MAX, PT_ERR_INPUT, "proteus fill"},
      {PT_FLOAT16, 2, SIZE_MAX, PT_ERR_INPUT, "proteus fill"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(Make) make = small();
    const bool none = cases[i].size == SIZE_MAX;
    make_init(make, make->graph, "w", cases[i].dtype, cases[i].count, none ? NULL : two_floats,
              none ? 0 : cases[i].size);
    make_node(make, make->graph, "Add", "x,w", "z");
    make_fails(make, NULL, cases[i].code, cases[i].part);
    make_fails(make, NULL, cases[i].code, "initializer 'w'");
  }
}

static void test_tensor_fields(void) {
  float values[3] = {1, 2, 3};
  int32_t ints[2] = {1, 2};
  g_autoptr(Make) both = small();
  Onnx__TensorProto *t = make_init(both, both->graph, "w", PT_FLOAT, 2, two_floats, 8);
  t->n_float_data = 2;
  t->float_data = values;
  make_fails(both, NULL, PT_ERR_INPUT, "not for float32");
  g_autoptr(Make) wrong = small();
  t = make_init(wrong, wrong->graph, "w", PT_FLOAT, 2, NULL, 0);
  t->n_int32_data = 2;
  t->int32_data = ints;
  make_fails(wrong, NULL, PT_ERR_INPUT, "not for float32");
  g_autoptr(Make) count = small();
  t = make_init(count, count->graph, "w", PT_FLOAT, 2, NULL, 0);
  t->n_float_data = 3;
  t->float_data = values;
  make_fails(count, NULL, PT_ERR_INPUT, "3 values where its shape needs 2");
  g_autoptr(Make) segment = small();
  Onnx__TensorProto__Segment part = ONNX__TENSOR_PROTO__SEGMENT__INIT;
  make_init(segment, segment->graph, "w", PT_FLOAT, 2, two_floats, 8)->segment = &part;
  make_fails(segment, NULL, PT_ERR_UNSUPPORTED, "segments");
  g_autoptr(Make) sparse = small();
  Onnx__SparseTensorProto *s = pt_arena_alloc(sparse->arena, sizeof *s);
  onnx__sparse_tensor_proto__init(s);
  make_append(sparse, sparse->graph, sparse_initializer, s);
  make_fails(sparse, NULL, PT_ERR_UNSUPPORTED, "sparse");
  /* large typed data stays in the mapping, and must be of its type there too */
  g_autoptr(Make) large = small();
  float *many = pt_arena_alloc(large->arena, 4000);
  t = make_init(large, large->graph, "w", PT_INT64, 500, NULL, 0);
  t->n_float_data = 1000;
  t->float_data = many;
  make_fails(large, NULL, PT_ERR_INPUT, "not for int64");
}

static void test_attributes(void) {
  g_autoptr(Make) twice = small();
  Onnx__NodeProto *node = make_node(twice, twice->graph, "LeakyRelu", "x", "z");
  make_attr_float(twice, node, "alpha", 1);
  make_attr_float(twice, node, "alpha", 2);
  make_fails(twice, NULL, PT_ERR_INPUT, "attribute 'alpha'");
  g_autoptr(Make) kind = small();
  make_attr(kind, make_node(kind, kind->graph, "LeakyRelu", "x", "z"), "alpha", 77);
  make_fails(kind, NULL, PT_ERR_INPUT, "no value of a known type");
  g_autoptr(Make) tensor = small();
  make_attr(tensor, make_node(tensor, tensor->graph, "Foo", "x", "z"), "t", PT_ATTR_TENSOR);
  make_fails(tensor, NULL, PT_ERR_INPUT, "has no tensor");
  g_autoptr(Make) graph = small();
  make_attr(graph, make_node(graph, graph->graph, "Foo", "x", "z"), "g", PT_ATTR_GRAPH);
  make_fails(graph, NULL, PT_ERR_INPUT, "has no graph");
  g_autoptr(Make) sparse = small();
  make_attr(sparse, make_node(sparse, sparse->graph, "Foo", "x", "z"), "s",
            PT_PB_ATTR_SPARSE_TENSOR);
  make_fails(sparse, NULL, PT_ERR_UNSUPPORTED, "sparse");
  g_autoptr(Make) types = small();
  make_attr(types, make_node(types, types->graph, "Foo", "x", "z"), "t", PT_PB_ATTR_TYPES);
  make_fails(types, NULL, PT_ERR_UNSUPPORTED, "list of types");
  g_autoptr(Make) outside = small();
  make_attr_ref(outside, make_node(outside, outside->graph, "LeakyRelu", "x", "z"), "alpha", 1,
                "a");
  make_fails(outside, NULL, PT_ERR_INPUT, "outside of any function");
  /* Constants */
  g_autoptr(Make) empty = small();
  Onnx__NodeProto *constant = make_node(empty, empty->graph, "Constant", "", "c");
  constant->n_input = 0;
  make_fails(empty, NULL, PT_ERR_INPUT, "exactly one attribute");
  make_attr(empty, constant, "sparse_value", PT_PB_ATTR_SPARSE_TENSOR);
  make_fails(empty, NULL, PT_ERR_UNSUPPORTED, "sparse");
  constant->attribute[0]->name = (char *)(uintptr_t) "other";
  make_fails(empty, NULL, PT_ERR_INPUT, "no value of a constant");
}

/* ---- files and bytes ----------------------------------------------------------------------------
 */

static void file_fails(const char *path, PtErrorCode code) {
  g_autoptr(GError) error = NULL;
  g_assert_null(pt_onnx_read(path, NULL, &error));
  g_assert_nonnull(error);
  g_assert_cmpint(error->code, ==, code);
  g_assert_nonnull(strstr(error->message, path));
}

static void test_files(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = pt_dir_make_temp("onnx-files", &error);
  g_autofree char *path = g_build_filename(folder, "m.onnx", NULL);
  file_fails(path, PT_ERR_IO); /* missing */
  file_fails(folder, PT_ERR_IO);
  g_assert_true(g_file_set_contents(path, "", 0, &error));
  file_fails(path, PT_ERR_INPUT);
  uint8_t noise[4096];
  g_autoptr(GRand) rand = g_rand_new_with_seed(7);
  for (size_t i = 0; i < sizeof noise; i++)
    noise[i] = (uint8_t)g_rand_int(rand);
  g_assert_true(g_file_set_contents(path, (char *)noise, sizeof noise, &error));
  file_fails(path, PT_ERR_INPUT);
  g_assert_true(g_file_set_contents(path, "hello, this is a text\n", -1, &error));
  file_fails(path, PT_ERR_INPUT);
  pt_dir_remove(folder);
}

static void test_truncated(void) {
  g_autoptr(Make) make = small();
  make_init(make, make->graph, "w", PT_FLOAT, 2, two_floats, 8);
  make_node(make, make->graph, "Add", "x,w", "z");
  g_autoptr(GBytes) whole = make_pack(make);
  for (gsize n = 0; n < g_bytes_get_size(whole); n++) {
    g_autoptr(GBytes) part = g_bytes_new_from_bytes(whole, 0, n);
    g_autoptr(GError) error = NULL;
    g_autoptr(PtGraph) graph = pt_onnx_read_bytes(part, "part", NULL, NULL, &error);
    /* fields may end anywhere between two of the model's own: it then lacks what came after */
    if (!graph)
      g_assert_error(error, PT_ONNX_ERROR, PT_ERR_INPUT);
    else
      g_assert_cmpuint(n, >, g_bytes_get_size(whole) / 2);
  }
}

static void wire_fails(const char *hex, PtErrorCode code, const char *part) {
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  for (; hex[0]; hex += hex[2] ? 3 : 2) {
    const uint8_t byte =
        (uint8_t)(g_ascii_xdigit_value(hex[0]) * 16 + g_ascii_xdigit_value(hex[1]));
    g_byte_array_append(bytes, &byte, 1);
  }
  g_autoptr(GBytes) all = g_bytes_new(bytes->data, bytes->len);
  bytes_fail(all, NULL, code, part);
}

static void test_wire(void) {
  wire_fails("00", PT_ERR_INPUT, "no field begins");             /* field 0 */
  wire_fails("0b", PT_ERR_INPUT, "kind that ONNX does not use"); /* a group */
  wire_fails("3d 01 02", PT_ERR_INPUT, "middle of a number");    /* 32 bits, two bytes */
  wire_fails("3a 05 01", PT_ERR_INPUT, "middle of a field");     /* graph of 5 bytes, one there */
  wire_fails("3a ff ff ff ff ff ff ff ff ff 01", PT_ERR_INPUT, "middle of a field");
  wire_fails("08", PT_ERR_INPUT, "no end"); /* IR version cut off */
  wire_fails("08 ff ff ff ff ff ff ff ff ff ff ff 01", PT_ERR_INPUT, "no end");
  wire_fails("0a 00", PT_ERR_INPUT, "another kind of value"); /* IR version as bytes */
  wire_fails("38 01", PT_ERR_INPUT, "another kind of value"); /* graph as a number */
  wire_fails("08 08 08 08", PT_ERR_INPUT, "twice");           /* IR version twice */
  wire_fails("08 08 3a 00 3a 00", PT_ERR_INPUT, "twice");     /* two graphs */
  wire_fails("12 02 c3 28", PT_ERR_INPUT, "not UTF-8");       /* producer name */
  wire_fails("12 02 61 00", PT_ERR_INPUT, "not UTF-8");       /* a NUL in it */
  wire_fails("3a 04 2a 02 22 03", PT_ERR_INPUT,
             "middle of a field"); /* float_data beyond its tensor */
  wire_fails("3a 07 2a 05 22 03 00 00 00", PT_ERR_INPUT, "middle of an element");
  wire_fails("3a 05 2a 03 3a 01 80", PT_ERR_INPUT, "middle of an element");
  /* a place in the mapping is ours to say: in a file it is an unknown field */
  g_autoptr(Make) make = small();
  Onnx__TensorProto *t = make_init(make, make->graph, "w", PT_FLOAT, 2, NULL, 0);
  t->has_mapped_field = t->has_mapped_offset = t->has_mapped_size = true;
  t->mapped_field = PT_PB_RAW_DATA;
  t->mapped_offset = 4;
  t->mapped_size = 8;
  make_fails(make, NULL, PT_ERR_INPUT, "proteus fill");
}

static void test_limits(void) {
  g_autoptr(Make) make = small();
  make_node(make, make->graph, "Neg", "y", "z");
  const PtOnnxReadOptions one_node = {.max_nodes = 1};
  make_fails(make, &one_node, PT_ERR_LIMIT, "more than 1 nodes");
  const PtOnnxReadOptions few_bytes = {.max_bytes = 20};
  make_fails(make, &few_bytes, PT_ERR_LIMIT, "limit of 20");
  /* graphs in graphs: `depth` of them below the main one */
  for (int depth = 1; depth <= 40; depth += 13) {
    g_autoptr(Make) deep = small();
    Onnx__GraphProto *graph = deep->graph;
    for (int i = 0; i < depth; i++) {
      Onnx__GraphProto *inner = make_graph(deep, "g");
      make_attr_graph(deep, make_node(deep, graph, "Wrap", "x", "w"), "body", inner);
      graph->node[graph->n_node - 1]->n_output = 0;
      graph = inner;
    }
    if (depth <= 16)
      pt_graph_unref(make_read(deep, NULL));
    else
      make_fails(deep, NULL, PT_ERR_LIMIT, "nested more than");
    const PtOnnxReadOptions deeper = {.max_depth = 60};
    pt_graph_unref(make_read(deep, &deeper));
  }
  /* types in types */
  g_autoptr(Make) types = small();
  Onnx__TypeProto *type = types->graph->input[0]->type;
  for (int i = 0; i < 500; i++) {
    Onnx__TypeProto *outer = pt_arena_alloc(types->arena, sizeof *outer);
    Onnx__TypeProto__Sequence *sequence = pt_arena_alloc(types->arena, sizeof *sequence);
    onnx__type_proto__init(outer);
    onnx__type_proto__sequence__init(sequence);
    outer->value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    outer->sequence_type = sequence;
    sequence->elem_type = type;
    type = outer;
  }
  types->graph->input[0]->type = type;
  make_fails(types, NULL, PT_ERR_LIMIT, "nested");
}

/* One node with the most inputs there may be, all distinct: read at once, not in quadratic time. */
static void test_wide(void) {
  for (uint32_t n = 65536; n <= 65537; n++) {
    g_autoptr(Make) make = small();
    Onnx__NodeProto *node = make_node(make, make->graph, "Concat", "", "z");
    node->n_input = n;
    node->input = pt_arena_new_array(make->arena, char *, n);
    make->graph->n_initializer = n;
    make->graph->initializer = pt_arena_new_array(make->arena, Onnx__TensorProto *, n);
    for (uint32_t i = 0; i < n; i++) {
      char name[16];
      g_snprintf(name, sizeof name, "w%u", i);
      make->graph->initializer[i] = make_tensor(make, name, PT_FLOAT, 2, two_floats, 8);
      node->input[i] = make->graph->initializer[i]->name;
    }
    const double start = pt_clock();
    if (n > 65536) {
      make_fails(make, NULL, PT_ERR_LIMIT, "more than 65536 inputs");
      continue;
    }
    g_autoptr(GBytes) bytes = make_pack(make);
    g_autoptr(PtGraph) graph = pt_onnx_read_bytes(bytes, "wide", NULL, NULL, NULL);
    g_assert_nonnull(graph);
    g_assert_cmpuint(pt_node(graph, 1)->n_inputs, ==, n);
    g_assert_cmpfloat(pt_clock() - start, <, 20);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/onnx/errors/structure", test_structure);
  g_test_add_func("/onnx/errors/opsets", test_opsets);
  g_test_add_func("/onnx/errors/wiring", test_wiring);
  g_test_add_func("/onnx/errors/tensors", test_tensors);
  g_test_add_func("/onnx/errors/tensor-fields", test_tensor_fields);
  g_test_add_func("/onnx/errors/attributes", test_attributes);
  g_test_add_func("/onnx/errors/files", test_files);
  g_test_add_func("/onnx/errors/truncated", test_truncated);
  g_test_add_func("/onnx/errors/wire", test_wire);
  g_test_add_func("/onnx/errors/limits", test_limits);
  g_test_add_func("/onnx/errors/wide", test_wide);
  return g_test_run();
}
