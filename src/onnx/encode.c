/* A PtGraph as protobuf-c structures that only point at its names and data, so that a model of any
 * size costs the size of its structure. Only what is allowed is ever put in: names, types,
 * attributes, tensors. */
#include "onnx/onnx_private.h"

#include <string.h>

#define NEW(encoder, Type, init)                                                                   \
  ({                                                                                               \
    Type *fresh_ = pt_arena_alloc((encoder)->arena, sizeof(Type));                                 \
    init(fresh_);                                                                                  \
    fresh_;                                                                                        \
  })
#define NEW_ARRAY(encoder, Type, count) pt_arena_new_array((encoder)->arena, Type, (count))

static char *text(const char *string) {
  return (char *)(uintptr_t)(string ? string : "");
}

static ProtobufCBinaryData binary(GBytes *bytes) {
  size_t size;
  const void *data = g_bytes_get_data(bytes, &size);
  return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
}

/* ---- types --------------------------------------------------------------------------------------
 */

static Onnx__TypeProto *opaque_type(PtEncoder *encoder, const uint8_t *data, size_t size,
                                    GError **error) {
  Onnx__TypeProto *type = onnx__type_proto__unpack(NULL, size, data);
  if (!type)
    g_set_error(error, PT_ONNX_ERROR, PT_ERR_INTERNAL,
                "a type of the graph is no serialized TypeProto");
  else
    g_ptr_array_add(encoder->types, type);
  return type;
}

static Onnx__TypeProto *tensor_type(PtEncoder *encoder, const PtType *type) {
  Onnx__TypeProto *proto = NEW(encoder, Onnx__TypeProto, onnx__type_proto__init);
  Onnx__TypeProto__Tensor *tensor =
      NEW(encoder, Onnx__TypeProto__Tensor, onnx__type_proto__tensor__init);
  proto->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  proto->tensor_type = tensor;
  tensor->has_elem_type = true;
  tensor->elem_type = type->dtype;
  if (type->rank < 0)
    return proto;
  Onnx__TensorShapeProto *shape =
      NEW(encoder, Onnx__TensorShapeProto, onnx__tensor_shape_proto__init);
  tensor->shape = shape;
  shape->n_dim = (size_t)type->rank;
  shape->dim = NEW_ARRAY(encoder, Onnx__TensorShapeProto__Dimension *, shape->n_dim);
  for (size_t i = 0; i < shape->n_dim; i++) {
    Onnx__TensorShapeProto__Dimension *dim =
        NEW(encoder, Onnx__TensorShapeProto__Dimension, onnx__tensor_shape_proto__dimension__init);
    shape->dim[i] = dim;
    if (type->dims[i].size >= 0) {
      dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
      dim->dim_value = type->dims[i].size;
    } else if (type->dims[i].symbol) {
      dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      dim->dim_param = text(type->dims[i].symbol);
    }
  }
  return proto;
}

static Onnx__ValueInfoProto *value_info(PtEncoder *encoder, const PtValue *value, GError **error) {
  Onnx__ValueInfoProto *info = NEW(encoder, Onnx__ValueInfoProto, onnx__value_info_proto__init);
  info->name = text(value->name);
  if (value->type.kind == PT_TYPE_TENSOR)
    info->type = tensor_type(encoder, &value->type);
  else if (value->type.kind == PT_TYPE_OPAQUE &&
           !(info->type = opaque_type(encoder, value->type.opaque, value->type.opaque_size, error)))
    return NULL;
  return info;
}

/* ---- tensors ------------------------------------------------------------------------------------
 */

static void add_entry(PtEncoder *encoder, Onnx__TensorProto *proto, const char *key,
                      const char *value) {
  Onnx__StringStringEntryProto *entry =
      NEW(encoder, Onnx__StringStringEntryProto, onnx__string_string_entry_proto__init);
  entry->key = text(key);
  entry->value = pt_arena_copy(encoder->arena, value, strlen(value) + 1);
  proto->external_data[proto->n_external_data++] = entry;
}

static void refer(PtEncoder *encoder, Onnx__TensorProto *proto, const char *location,
                  uint64_t offset, uint64_t length) {
  char number[24];
  proto->has_data_location = true;
  proto->data_location = PT_PB_EXTERNAL;
  proto->external_data = NEW_ARRAY(encoder, Onnx__StringStringEntryProto *, 3);
  add_entry(encoder, proto, "location", location);
  g_snprintf(number, sizeof number, "%" G_GUINT64_FORMAT, offset);
  add_entry(encoder, proto, "offset", number);
  g_snprintf(number, sizeof number, "%" G_GUINT64_FORMAT, length);
  add_entry(encoder, proto, "length", number);
}

/* Large tensors begin at a page, so that readers can map them; small ones at a cache line. */
static uint64_t place(PtEncoder *encoder, size_t size) {
  const uint64_t align = size >= (UINT64_C(1) << 20) ? 4096 : 64;
  const uint64_t offset = (encoder->offset + align - 1) / align * align;
  if (encoder->in_memory)
    return 0;
  encoder->offset = offset + size;
  return offset;
}

/* `id`: the constant of the main graph that this is, which may leave the message; PT_NONE: it may
 * not. */
static Onnx__TensorProto *tensor(PtEncoder *encoder, const PtTensor *t, const char *name,
                                 PtValueId id) {
  Onnx__TensorProto *proto = NEW(encoder, Onnx__TensorProto, onnx__tensor_proto__init);
  proto->name = name ? text(name) : NULL;
  proto->has_data_type = true;
  proto->data_type = t->dtype;
  proto->n_dims = t->rank;
  proto->dims = (int64_t *)(uintptr_t)t->dims;
  if (t->dtype == PT_STRING) {
    proto->n_string_data = t->strings ? t->count : 0;
    proto->string_data = NEW_ARRAY(encoder, ProtobufCBinaryData, proto->n_string_data);
    for (size_t i = 0; i < proto->n_string_data; i++)
      proto->string_data[i] = binary(t->strings[i]);
  } else if (t->location) {
    refer(encoder, proto, t->location, t->offset, t->size);
  } else if (t->data && encoder->location && id != PT_NONE && t->size > 0 &&
             t->size >= encoder->threshold) {
    const uint64_t offset = place(encoder, t->size);
    refer(encoder, proto, encoder->location, offset, t->size);
    g_array_append_val(encoder->external, id);
    g_array_append_val(encoder->offsets, offset);
  } else if (t->data || t->count == 0) {
    proto->has_raw_data = true;
    proto->raw_data = (ProtobufCBinaryData){t->size, (uint8_t *)(uintptr_t)t->data};
  }
  return proto;
}

/* ---- nodes --------------------------------------------------------------------------------------
 */

static Onnx__GraphProto *graph_proto(PtEncoder *encoder, const PtGraph *graph, GError **error);

static bool attribute_list(PtEncoder *encoder, const PtAttr *a, Onnx__AttributeProto *proto,
                           GError **error) {
  switch (a->kind) {
  case PT_ATTR_FLOATS:
    proto->n_floats = a->count;
    proto->floats = (float *)(uintptr_t)a->as.floats;
    return true;
  case PT_ATTR_INTS:
    proto->n_ints = a->count;
    proto->ints = (int64_t *)(uintptr_t)a->as.ints;
    return true;
  case PT_ATTR_STRINGS:
    proto->n_strings = a->count;
    proto->strings = NEW_ARRAY(encoder, ProtobufCBinaryData, a->count);
    for (uint32_t i = 0; i < a->count; i++)
      proto->strings[i] = binary(a->as.strings[i]);
    return true;
  case PT_ATTR_TENSORS:
    proto->n_tensors = a->count;
    proto->tensors = NEW_ARRAY(encoder, Onnx__TensorProto *, a->count);
    for (uint32_t i = 0; i < a->count; i++)
      proto->tensors[i] = tensor(encoder, a->as.tensors[i], NULL, PT_NONE);
    return true;
  case PT_ATTR_GRAPHS:
    proto->n_graphs = a->count;
    proto->graphs = NEW_ARRAY(encoder, Onnx__GraphProto *, a->count);
    for (uint32_t i = 0; i < a->count; i++)
      if (!(proto->graphs[i] = graph_proto(encoder, a->as.graphs[i], error)))
        return false;
    return true;
  default:
    g_set_error(error, PT_ONNX_ERROR, PT_ERR_INTERNAL, "attribute '%s' is of no known kind",
                a->name);
    return false;
  }
}

static bool attribute(PtEncoder *encoder, const PtAttr *a, Onnx__AttributeProto *proto,
                      GError **error) {
  ProtobufCBinaryData data;
  proto->name = text(a->name);
  proto->has_type = true;
  proto->type = (int32_t)a->kind;
  switch (a->kind) {
  case PT_ATTR_FLOAT:
    proto->has_f = true;
    proto->f = a->as.floats[0];
    return true;
  case PT_ATTR_INT:
    proto->has_i = true;
    proto->i = a->as.ints[0];
    return true;
  case PT_ATTR_STRING:
    proto->has_s = true;
    proto->s = binary(a->as.strings[0]);
    return true;
  case PT_ATTR_TENSOR:
    proto->t = tensor(encoder, a->as.tensors[0], NULL, PT_NONE);
    return true;
  case PT_ATTR_GRAPH:
    return (proto->g = graph_proto(encoder, a->as.graphs[0], error)) != NULL;
  case PT_ATTR_TYPE:
    data = binary(a->as.strings[0]);
    return (proto->tp = opaque_type(encoder, data.data, data.len, error)) != NULL;
  default:
    return attribute_list(encoder, a, proto, error);
  }
}

/* A captured value goes by the name it has where it is made, whatever the copy here was called:
 * pieces are spliced under new names. */
static const char *name_of(const PtGraph *graph, PtValueId v) {
  while (pt_value(graph, v)->outer != PT_NONE && graph->parent) {
    v = pt_value(graph, v)->outer;
    graph = graph->parent;
  }
  return pt_value(graph, v)->name;
}

static char **value_names(PtEncoder *encoder, const PtGraph *graph, const PtValueId *ids,
                          uint32_t count) {
  char **names = NEW_ARRAY(encoder, char *, count);
  for (uint32_t i = 0; i < count; i++)
    names[i] = text(ids[i] == PT_NONE ? "" : name_of(graph, ids[i]));
  return names;
}

static Onnx__NodeProto *node_proto(PtEncoder *encoder, const PtGraph *graph, const PtNode *node,
                                   GError **error) {
  Onnx__NodeProto *proto = NEW(encoder, Onnx__NodeProto, onnx__node_proto__init);
  proto->n_input = node->n_inputs;
  proto->input = value_names(encoder, graph, node->inputs, node->n_inputs);
  proto->n_output = node->n_outputs;
  proto->output = value_names(encoder, graph, node->outputs, node->n_outputs);
  proto->op_type = text(node->op_type);
  proto->name = node->name && node->name[0] ? text(node->name) : NULL;
  proto->domain = node->domain && node->domain[0] ? text(node->domain) : NULL;
  proto->n_attribute = node->n_attrs;
  proto->attribute = NEW_ARRAY(encoder, Onnx__AttributeProto *, node->n_attrs);
  for (uint32_t i = 0; i < node->n_attrs; i++) {
    proto->attribute[i] = NEW(encoder, Onnx__AttributeProto, onnx__attribute_proto__init);
    if (!attribute(encoder, &node->attrs[i], proto->attribute[i], error))
      return NULL;
  }
  return proto;
}

/* ---- graphs -------------------------------------------------------------------------------------
 */

static Onnx__ValueInfoProto **border(PtEncoder *encoder, const PtGraph *graph, const GArray *ids,
                                     GError **error) {
  Onnx__ValueInfoProto **infos = NEW_ARRAY(encoder, Onnx__ValueInfoProto *, ids->len + 1);
  for (guint i = 0; i < ids->len; i++)
    if (!(infos[i] = value_info(encoder, pt_value(graph, g_array_index(ids, PtValueId, i)), error)))
      return NULL;
  return infos;
}

static bool inner_types(PtEncoder *encoder, const PtGraph *graph, Onnx__GraphProto *proto,
                        GError **error) {
  const uint32_t n = pt_graph_n_values(graph);
  g_autofree bool *is_output = g_new0(bool, (gsize)n + 1);
  for (guint i = 0; i < graph->outputs->len; i++)
    is_output[pt_graph_output(graph, i)] = true;
  proto->value_info = NEW_ARRAY(encoder, Onnx__ValueInfoProto *, n);
  for (PtValueId v = 0; v < n; v++) {
    const PtValue *value = pt_value(graph, v);
    if (value->type.kind == PT_TYPE_UNKNOWN || value->producer == PT_NONE || is_output[v])
      continue;
    if (!(proto->value_info[proto->n_value_info++] = value_info(encoder, value, error)))
      return false;
  }
  return true;
}

static void initializers(PtEncoder *encoder, const PtGraph *graph, Onnx__GraphProto *proto) {
  const uint32_t n = pt_graph_n_values(graph);
  size_t count = 0;
  for (PtValueId v = 0; v < n; v++)
    count += pt_value(graph, v)->constant != NULL;
  proto->initializer = NEW_ARRAY(encoder, Onnx__TensorProto *, count);
  for (PtValueId v = 0; v < n; v++) {
    const PtValue *value = pt_value(graph, v);
    if (value->constant)
      proto->initializer[proto->n_initializer++] =
          tensor(encoder, value->constant, value->name, graph->parent ? PT_NONE : v);
  }
}

static Onnx__GraphProto *graph_proto(PtEncoder *encoder, const PtGraph *graph, GError **error) {
  Onnx__GraphProto *proto = NEW(encoder, Onnx__GraphProto, onnx__graph_proto__init);
  proto->name = text(graph->name && graph->name[0] ? graph->name : "graph");
  initializers(encoder, graph, proto);
  proto->node = NEW_ARRAY(encoder, Onnx__NodeProto *, pt_graph_n_nodes(graph));
  for (PtNodeId i = 0; i < pt_graph_n_nodes(graph); i++) {
    const PtNode *node = pt_node(graph, i);
    if (!node->dead && !(proto->node[proto->n_node++] = node_proto(encoder, graph, node, error)))
      return NULL;
  }
  proto->n_input = graph->inputs->len;
  proto->n_output = graph->outputs->len;
  if (!(proto->input = border(encoder, graph, graph->inputs, error)) ||
      !(proto->output = border(encoder, graph, graph->outputs, error)))
    return NULL;
  if (encoder->options->all_types && !inner_types(encoder, graph, proto, error))
    return NULL;
  return proto;
}

Onnx__ModelProto *pt_onnx_encode(PtEncoder *encoder, const PtGraph *graph, GError **error) {
  Onnx__ModelProto *model = NEW(encoder, Onnx__ModelProto, onnx__model_proto__init);
  model->has_ir_version = true;
  model->ir_version = graph->ir_version;
  if (encoder->options->producer)
    model->producer_name = text(encoder->options->producer);
  model->n_opset_import = graph->opsets->len;
  model->opset_import = NEW_ARRAY(encoder, Onnx__OperatorSetIdProto *, graph->opsets->len);
  for (guint i = 0; i < graph->opsets->len; i++) {
    const PtOpset *opset = &g_array_index(graph->opsets, PtOpset, i);
    Onnx__OperatorSetIdProto *import =
        NEW(encoder, Onnx__OperatorSetIdProto, onnx__operator_set_id_proto__init);
    import->domain = text(opset->domain);
    import->has_version = true;
    import->version = opset->version;
    model->opset_import[i] = import;
  }
  model->graph = graph_proto(encoder, graph, error);
  return model->graph ? model : NULL;
}
