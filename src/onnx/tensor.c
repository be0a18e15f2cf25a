/* TensorProto to PtTensor: what the file claims is checked against what it holds before anything is
 * allocated. */
#include "onnx/onnx_private.h"

#include <string.h>

static const uint8_t no_elements[1];

static bool header_is_valid(PtReader *reader, const Onnx__TensorProto *proto, const char *what,
                            GError **error) {
  if (!proto->has_data_type || proto->data_type <= PT_DTYPE_UNDEFINED ||
      proto->data_type >= PT_DTYPE_COUNT)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s has the unknown element type %d", what,
                        proto->has_data_type ? proto->data_type : 0);
  for (size_t i = 0; i < proto->n_dims; i++)
    if (proto->dims[i] < 0)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s has a negative size", what);
  if (proto->segment)
    return pt_onnx_fail(reader, error, PT_ERR_UNSUPPORTED,
                        "%s is stored in segments; save the model again without them", what);
  return true;
}

/* A tensor without its elements; NULL with an error. */
static PtTensor *header(PtReader *reader, PtGraph *graph, const Onnx__TensorProto *proto,
                        const char *what, GError **error) {
  if (!header_is_valid(reader, proto, what, error))
    return NULL;
  PtTensor *tensor =
      pt_graph_tensor(graph, (PtDtype)proto->data_type, (uint32_t)proto->n_dims, proto->dims, NULL);
  if (tensor && tensor->count <= INT64_MAX / 16)
    return tensor;
  pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s has more elements than memory can hold", what);
  return NULL;
}

/* The typed field that the element type is stored in, and how many entries it needs for `count`
 * elements. */
typedef enum { IN_FLOAT, IN_INT32, IN_INT64, IN_DOUBLE, IN_UINT64, IN_STRING } Storage;
static Storage storage(PtDtype dtype) {
  switch (dtype) {
  case PT_FLOAT:
  case PT_COMPLEX64:
    return IN_FLOAT;
  case PT_DOUBLE:
  case PT_COMPLEX128:
    return IN_DOUBLE;
  case PT_INT64:
    return IN_INT64;
  case PT_UINT32:
  case PT_UINT64:
    return IN_UINT64;
  case PT_STRING:
    return IN_STRING;
  default:
    return IN_INT32;
  }
}

static size_t entries_needed(PtDtype dtype, size_t count, size_t size) {
  if (dtype == PT_COMPLEX64 || dtype == PT_COMPLEX128)
    return 2 * count;
  return pt_dtype_bits(dtype) < 8 && dtype != PT_STRING ? size : count; /* below a byte: packed */
}

static size_t entries(const Onnx__TensorProto *proto, Storage in) {
  switch (in) {
  case IN_FLOAT:
    return proto->n_float_data;
  case IN_INT32:
    return proto->n_int32_data;
  case IN_INT64:
    return proto->n_int64_data;
  case IN_DOUBLE:
    return proto->n_double_data;
  case IN_UINT64:
    return proto->n_uint64_data;
  default:
    return proto->n_string_data;
  }
}

static void fill_strings(PtGraph *graph, const Onnx__TensorProto *proto, PtTensor *tensor) {
  GBytes **strings = pt_arena_new_array(graph->arena, GBytes *, proto->n_string_data);
  for (size_t i = 0; i < proto->n_string_data; i++) {
    strings[i] = g_bytes_new(proto->string_data[i].data, proto->string_data[i].len);
    pt_graph_hold(graph, strings[i], (GDestroyNotify)g_bytes_unref);
  }
  tensor->strings = strings;
}

static void fill_int32(const Onnx__TensorProto *proto, unsigned bytes, uint8_t *out) {
  for (size_t i = 0; i < proto->n_int32_data; i++) {
    const uint32_t value = (uint32_t)proto->int32_data[i];
    for (unsigned b = 0; b < bytes; b++)
      out[i * bytes + b] = (uint8_t)(value >> (8 * b));
  }
}

static void fill_typed(PtGraph *graph, const Onnx__TensorProto *proto, PtTensor *tensor,
                       Storage in) {
  const void *source = in == IN_FLOAT    ? (const void *)proto->float_data
                       : in == IN_INT64  ? (const void *)proto->int64_data
                       : in == IN_DOUBLE ? (const void *)proto->double_data
                                         : (const void *)proto->uint64_data;
  uint8_t *out = pt_arena_alloc(graph->arena, tensor->size);
  if (in == IN_INT32) {
    fill_int32(proto, MAX(pt_dtype_bits(tensor->dtype) / 8, 1u), out);
  } else if (tensor->dtype == PT_UINT32) {
    for (size_t i = 0; i < tensor->count; i++) {
      const uint32_t value = (uint32_t)proto->uint64_data[i];
      memcpy(out + 4 * i, &value, 4);
    }
  } else {
    memcpy(out, source, tensor->size);
  }
  tensor->data = out;
}

static bool raw(PtReader *reader, PtGraph *graph, const Onnx__TensorProto *proto, PtTensor *tensor,
                const char *what, GError **error) {
  const size_t size = proto->has_mapped_field ? proto->mapped_size : proto->raw_data.len;
  if (tensor->dtype == PT_STRING)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s is of strings, which may not be raw data",
                        what);
  if (size != tensor->size)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s has %zu bytes of data where its shape needs %zu", what, size,
                        tensor->size);
  if (!proto->has_mapped_field) {
    tensor->data = size ? pt_arena_copy(graph->arena, proto->raw_data.data, size) : no_elements;
    return true;
  }
  if (proto->mapped_offset > reader->size || size > reader->size - proto->mapped_offset)
    return pt_onnx_fail(reader, error, PT_ERR_INTERNAL, "%s was lost while reading", what);
  tensor->data = reader->base + proto->mapped_offset;
  return true;
}

static bool no_data(PtReader *reader, const PtTensor *tensor, const char *what, GError **error) {
  if (!pt_dtype_is_float(tensor->dtype))
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s has %zu elements and no data; export it again", what, tensor->count);
  if (!reader->options.allow_empty)
    return pt_onnx_fail(
        reader, error, PT_ERR_INPUT,
        "%s has no data; give the skeleton seeded weights with `proteus fill` first", what);
  return true;
}

PtTensor *pt_onnx_tensor(PtReader *reader, PtGraph *graph, const Onnx__TensorProto *proto,
                         const char *what, GError **error) {
  PtTensor *tensor = header(reader, graph, proto, what, error);
  if (!tensor)
    return NULL;
  const size_t given = proto->n_float_data + proto->n_int32_data + proto->n_string_data +
                       proto->n_int64_data + proto->n_double_data + proto->n_uint64_data;
  const Storage in = storage(tensor->dtype);
  const size_t typed = entries(proto, in);
  /* Packed float_data and double_data that stayed in the mapping are laid out as raw data is. */
  const bool is_raw = proto->has_raw_data || proto->has_mapped_field;
  const uint32_t field = proto->has_mapped_field ? proto->mapped_field : PT_PB_RAW_DATA;
  if (given != typed || (is_raw && given) || (proto->has_raw_data && proto->has_mapped_field) ||
      (field == PT_PB_FLOAT_DATA && in != IN_FLOAT) ||
      (field == PT_PB_DOUBLE_DATA && in != IN_DOUBLE)) {
    pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s has data in a field that is not for %s", what,
                 pt_dtype_name(tensor->dtype));
    return NULL;
  }
  if (!pt_onnx_charge(reader, 1 + typed / 8, error))
    return NULL;
  if (proto->has_data_location && proto->data_location == PT_PB_EXTERNAL) {
    if (is_raw || given || tensor->dtype == PT_STRING) {
      pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s is external and may not have data of its own",
                   what);
      return NULL;
    }
    return pt_onnx_external(reader, graph, proto, tensor, what, error) ? tensor : NULL;
  }
  if (is_raw && (proto->has_mapped_field || proto->raw_data.len || tensor->count == 0))
    return raw(reader, graph, proto, tensor, what, error) ? tensor : NULL;
  if (typed == 0 && tensor->count > 0)
    return no_data(reader, tensor, what, error) ? tensor : NULL;
  if (typed != entries_needed(tensor->dtype, tensor->count, tensor->size)) {
    pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s has %zu values where its shape needs %zu", what,
                 typed, entries_needed(tensor->dtype, tensor->count, tensor->size));
    return NULL;
  }
  if (tensor->dtype == PT_STRING)
    fill_strings(graph, proto, tensor);
  else if (tensor->count == 0)
    tensor->data = no_elements;
  else
    fill_typed(graph, proto, tensor, in);
  return tensor;
}
