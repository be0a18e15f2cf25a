#include "make.h"
#include "same.h"

#include <string.h>

#define NEW(make, Type, init)                                                                      \
  ({                                                                                               \
    Type *fresh_ = pt_arena_alloc((make)->arena, sizeof(Type));                                    \
    init(fresh_);                                                                                  \
    fresh_;                                                                                        \
  })

static char *keep(Make *make, const char *text) {
  return (char *)(uintptr_t)pt_arena_string(make->arena, text);
}

Make *make_new(int64_t ir, int64_t opset) {
  Make *make = g_new0(Make, 1);
  make->arena = pt_arena_new();
  make->model = NEW(make, Onnx__ModelProto, onnx__model_proto__init);
  make->model->has_ir_version = true;
  make->model->ir_version = ir;
  make->graph = make->model->graph = make_graph(make, "main");
  if (opset)
    make_import(make, "", opset);
  return make;
}

void make_free(Make *make) {
  pt_arena_free(make->arena);
  g_free(make);
}

GBytes *make_pack(const Make *make) {
  const size_t size = onnx__model_proto__get_packed_size(make->model);
  uint8_t *data = g_malloc(size + 1);
  onnx__model_proto__pack(make->model, data);
  return g_bytes_new_take(data, size);
}

void make_append_pointer(Make *make, size_t *n, void ***array, void *item) {
  void **grown = pt_arena_new_array(make->arena, void *, *n + 1);
  if (*n)
    memcpy(grown, *array, *n * sizeof *grown);
  grown[(*n)++] = item;
  *array = grown;
}

static void split(Make *make, const char *names, size_t *n, char ***array) {
  g_auto(GStrv) parts = g_strsplit(names, ",", -1);
  for (char **part = parts; *part; part++)
    make_append_pointer(make, n, (void ***)(void *)array, keep(make, *part));
}

Onnx__GraphProto *make_graph(Make *make, const char *name) {
  Onnx__GraphProto *graph = NEW(make, Onnx__GraphProto, onnx__graph_proto__init);
  graph->name = keep(make, name);
  return graph;
}

Onnx__NodeProto *make_loose_node(Make *make, const char *op, const char *inputs,
                                 const char *outputs) {
  Onnx__NodeProto *node = NEW(make, Onnx__NodeProto, onnx__node_proto__init);
  const char *colon = strchr(op, ':'); /* "domain:Op" */
  g_autofree char *domain = colon ? g_strndup(op, colon - op) : NULL;
  node->domain = domain ? keep(make, domain) : NULL;
  node->op_type = keep(make, colon ? colon + 1 : op);
  split(make, inputs, &node->n_input, &node->input);
  split(make, outputs, &node->n_output, &node->output);
  return node;
}

Onnx__NodeProto *make_node(Make *make, Onnx__GraphProto *graph, const char *op, const char *inputs,
                           const char *outputs) {
  Onnx__NodeProto *node = make_loose_node(make, op, inputs, outputs);
  make_append(make, graph, node, node);
  return node;
}

Onnx__AttributeProto *make_attr(Make *make, Onnx__NodeProto *node, const char *name, int32_t type) {
  Onnx__AttributeProto *attr = NEW(make, Onnx__AttributeProto, onnx__attribute_proto__init);
  attr->name = keep(make, name);
  attr->has_type = type != 0;
  attr->type = type;
  if (node)
    make_append(make, node, attribute, attr);
  return attr;
}

void make_attr_int(Make *make, Onnx__NodeProto *node, const char *name, int64_t value) {
  Onnx__AttributeProto *attr = make_attr(make, node, name, PT_ATTR_INT);
  attr->has_i = true;
  attr->i = value;
}

void make_attr_float(Make *make, Onnx__NodeProto *node, const char *name, float value) {
  Onnx__AttributeProto *attr = make_attr(make, node, name, PT_ATTR_FLOAT);
  attr->has_f = true;
  attr->f = value;
}

void make_attr_ref(Make *make, Onnx__NodeProto *node, const char *name, int32_t type,
                   const char *ref) {
  make_attr(make, node, name, type)->ref_attr_name = keep(make, ref);
}

void make_attr_graph(Make *make, Onnx__NodeProto *node, const char *name, Onnx__GraphProto *graph) {
  make_attr(make, node, name, PT_ATTR_GRAPH)->g = graph;
}

void make_attr_tensor(Make *make, Onnx__NodeProto *node, const char *name, Onnx__TensorProto *t) {
  make_attr(make, node, name, PT_ATTR_TENSOR)->t = t;
}

Onnx__TensorProto *make_tensor(Make *make, const char *name, int32_t dtype, int64_t count,
                               const void *raw, size_t size) {
  Onnx__TensorProto *t = NEW(make, Onnx__TensorProto, onnx__tensor_proto__init);
  t->name = keep(make, name);
  t->has_data_type = true;
  t->data_type = dtype;
  t->n_dims = 1;
  t->dims = pt_arena_copy(make->arena, &count, sizeof count);
  t->has_raw_data = raw != NULL;
  if (raw)
    t->raw_data = (ProtobufCBinaryData){size, pt_arena_copy(make->arena, raw, size)};
  return t;
}

Onnx__TensorProto *make_init(Make *make, Onnx__GraphProto *graph, const char *name, int32_t dtype,
                             int64_t count, const void *raw, size_t size) {
  Onnx__TensorProto *t = make_tensor(make, name, dtype, count, raw, size);
  make_append(make, graph, initializer, t);
  return t;
}

void make_external(Make *make, Onnx__TensorProto *t, const char *location, const char *offset,
                   const char *length) {
  const char *pairs[3][2] = {{"location", location}, {"offset", offset}, {"length", length}};
  t->has_data_location = true;
  t->data_location = PT_PB_EXTERNAL;
  for (int i = 0; i < 3; i++) {
    if (!pairs[i][1])
      continue;
    Onnx__StringStringEntryProto *entry =
        NEW(make, Onnx__StringStringEntryProto, onnx__string_string_entry_proto__init);
    entry->key = keep(make, pairs[i][0]);
    entry->value = keep(make, pairs[i][1]);
    make_append(make, t, external_data, entry);
  }
}

static Onnx__TensorShapeProto *shape(Make *make, const char *dims) {
  Onnx__TensorShapeProto *shape = NEW(make, Onnx__TensorShapeProto, onnx__tensor_shape_proto__init);
  g_auto(GStrv) parts = g_strsplit(dims, ",", -1);
  for (char **part = parts; *part; part++) {
    Onnx__TensorShapeProto__Dimension *dim =
        NEW(make, Onnx__TensorShapeProto__Dimension, onnx__tensor_shape_proto__dimension__init);
    if (g_ascii_isdigit(**part) || **part == '-') {
      dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
      dim->dim_value = g_ascii_strtoll(*part, NULL, 10);
    } else if (**part != '?') {
      dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      dim->dim_param = keep(make, *part);
    }
    make_append(make, shape, dim, dim);
  }
  return shape;
}

Onnx__ValueInfoProto *make_info(Make *make, const char *name, int32_t dtype, const char *dims) {
  Onnx__ValueInfoProto *info = NEW(make, Onnx__ValueInfoProto, onnx__value_info_proto__init);
  info->name = keep(make, name);
  if (dtype == 0)
    return info;
  info->type = NEW(make, Onnx__TypeProto, onnx__type_proto__init);
  info->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  info->type->tensor_type = NEW(make, Onnx__TypeProto__Tensor, onnx__type_proto__tensor__init);
  info->type->tensor_type->has_elem_type = true;
  info->type->tensor_type->elem_type = dtype;
  info->type->tensor_type->shape = dims ? shape(make, dims) : NULL;
  return info;
}

void make_input(Make *make, Onnx__GraphProto *graph, const char *name, int32_t dtype,
                const char *dims) {
  make_append(make, graph, input, make_info(make, name, dtype, dims));
}

void make_output(Make *make, Onnx__GraphProto *graph, const char *name, int32_t dtype,
                 const char *dims) {
  make_append(make, graph, output, make_info(make, name, dtype, dims));
}

static Onnx__OperatorSetIdProto *import(Make *make, const char *domain, int64_t version) {
  Onnx__OperatorSetIdProto *id =
      NEW(make, Onnx__OperatorSetIdProto, onnx__operator_set_id_proto__init);
  id->domain = keep(make, domain);
  id->has_version = true;
  id->version = version;
  return id;
}

void make_import(Make *make, const char *domain, int64_t version) {
  make_append(make, make->model, opset_import, import(make, domain, version));
}

Onnx__FunctionProto *make_function(Make *make, const char *domain, const char *name,
                                   const char *inputs, const char *outputs, int64_t opset) {
  Onnx__FunctionProto *function = NEW(make, Onnx__FunctionProto, onnx__function_proto__init);
  function->domain = keep(make, domain);
  function->name = keep(make, name);
  split(make, inputs, &function->n_input, &function->input);
  split(make, outputs, &function->n_output, &function->output);
  make_append(make, function, opset_import, import(make, "", opset));
  make_append(make, make->model, functions, function);
  return function;
}

PtGraph *make_read(const Make *make, const PtOnnxReadOptions *options) {
  static const PtOnnxWriteOptions all_types = {.all_types = true};
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = make_pack(make);
  PtGraph *graph = pt_onnx_read_bytes(bytes, "made.onnx", NULL, options, &error);
  g_assert_no_error(error);
  g_assert_nonnull(graph);
  pt_graph_check(graph, &error);
  g_assert_no_error(error);
  g_autoptr(GBytes) written = pt_onnx_write_bytes(graph, &all_types, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(PtGraph) again = pt_onnx_read_bytes(written, "again.onnx", NULL, options, &error);
  g_assert_no_error(error);
  pt_assert_same(graph, again);
  return graph;
}

void bytes_fail(GBytes *bytes, const PtOnnxReadOptions *options, PtErrorCode code,
                const char *part) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) graph = pt_onnx_read_bytes(bytes, "made.onnx", NULL, options, &error);
  g_assert_null(graph);
  g_assert_nonnull(error);
  if (!g_error_matches(error, PT_ONNX_ERROR, (int)code) || !strstr(error->message, part))
    g_error("expected %d with '%s', got %d: %s", code, part, error->code, error->message);
  g_assert_true(g_str_has_prefix(error->message, "made.onnx: "));
  g_assert_null(strchr(error->message, '\n'));
}

void make_fails(const Make *make, const PtOnnxReadOptions *options, PtErrorCode code,
                const char *part) {
  g_autoptr(GBytes) bytes = make_pack(make);
  bytes_fail(bytes, options, code, part);
}
