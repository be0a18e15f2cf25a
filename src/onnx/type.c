/* TypeProto to PtType: tensors in full, whatever else serialized as it is. */
#include "onnx/onnx_private.h"

static bool tensor_type(PtReader *reader, PtGraph *graph, const Onnx__TypeProto__Tensor *proto,
                        const char *name, PtType *type, GError **error) {
  const int32_t dtype = proto->has_elem_type ? proto->elem_type : 0;
  if (dtype < 0 || dtype >= PT_DTYPE_COUNT)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "the declared type of '%s' has the unknown element type %d", name, dtype);
  if (dtype == PT_DTYPE_UNDEFINED)
    return true; /* as good as undeclared */
  *type = (PtType){.kind = PT_TYPE_TENSOR, .dtype = (PtDtype)dtype, .rank = -1};
  const Onnx__TensorShapeProto *shape = proto->shape;
  if (!shape)
    return true;
  PtDim *dims = pt_arena_new_array(graph->arena, PtDim, shape->n_dim);
  for (size_t i = 0; i < shape->n_dim; i++) {
    const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
    dims[i].size = -1;
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
      dims[i].size = MAX(dim->dim_value, -1); /* exporters write -1 for unknown */
    else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
             dim->dim_param[0])
      dims[i].symbol = pt_arena_string(graph->arena, dim->dim_param);
  }
  type->rank = (int32_t)shape->n_dim;
  type->dims = dims;
  return true;
}

bool pt_onnx_type(PtReader *reader, PtGraph *graph, const Onnx__TypeProto *proto, const char *name,
                  PtType *type, GError **error) {
  *type = (PtType){.kind = PT_TYPE_UNKNOWN, .rank = -1};
  if (!proto || proto->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
    return true;
  if (proto->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
    return tensor_type(reader, graph, proto->tensor_type, name, type, error);
  const size_t size = onnx__type_proto__get_packed_size(proto);
  uint8_t *packed = pt_arena_alloc(graph->arena, size);
  onnx__type_proto__pack(proto, packed);
  *type = (PtType){.kind = PT_TYPE_OPAQUE, .rank = -1, .opaque = packed, .opaque_size = size};
  return true;
}
