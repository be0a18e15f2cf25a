/* Walks the wire format by protobuf-c's own descriptors before protobuf-c sees a byte, because
 * protobuf-c copies every weight, recurses without a limit, and takes what a hostile file repeats.
 * What comes out is checked: bounds, wire types, depth, number of fields, no unknown field, no
 * singular field twice, text that is UTF-8. */
#include "onnx/onnx_private.h"

#include <inttypes.h>

typedef struct Walk {
  PtReader *reader;
  const uint8_t *base;
  GByteArray *out;
  unsigned max_graphs, max_depth;
  GError **error;
} Walk;

typedef struct Field {
  uint32_t number, wire;
  size_t start, end; /* of the payload; a length prefix is not part of it */
} Field;

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static bool read_varint(const uint8_t *base, size_t *at, size_t end, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
    const uint8_t byte = base[(*at)++];
    if (shift < 64)
      *value |= (uint64_t)(byte & 0x7F) << shift;
    if (!(byte & 0x80))
      return true;
  }
  return false;
}

static void put_varint(GByteArray *out, uint64_t value) {
  uint8_t text[10];
  unsigned n = 0;
  do {
    text[n] = (uint8_t)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
    value >>= 7;
    n++;
  } while (value);
  g_byte_array_append(out, text, n);
}

static bool malformed(Walk *walk, size_t at, const char *why) {
  return pt_onnx_fail(
      walk->reader, walk->error, PT_ERR_INPUT,
      "this is not a complete ONNX model (at byte %zu: %s); export or copy it again", at, why);
}

static bool too_large(Walk *walk) {
  return pt_onnx_fail(walk->reader, walk->error, PT_ERR_LIMIT,
                      "the model without its weights is larger than 2 GB");
}

/* The next field in [*at, end); moves *at behind it. */
static bool next_field(Walk *walk, size_t *at, size_t end, Field *field) {
  const size_t first = *at;
  uint64_t tag, length;
  if (!read_varint(walk->base, at, end, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
    return malformed(walk, first, "no field begins here");
  field->number = (uint32_t)(tag >> 3);
  field->wire = (uint32_t)(tag & 7);
  field->start = *at;
  switch (field->wire) {
  case WIRE_VARINT:
    if (!read_varint(walk->base, at, end, &length))
      return malformed(walk, first, "a number has no end");
    break;
  case WIRE_64:
  case WIRE_32:
    length = field->wire == WIRE_64 ? 8 : 4;
    if (length > end - *at)
      return malformed(walk, first, "it ends in the middle of a number");
    *at += length;
    break;
  case WIRE_BYTES:
    if (!read_varint(walk->base, at, end, &length))
      return malformed(walk, first, "a length has no end");
    if (length > end - *at)
      return malformed(walk, first, "it ends in the middle of a field");
    field->start = *at;
    *at += length;
    break;
  default:
    return malformed(walk, first, "a field is of a kind that ONNX does not use");
  }
  field->end = *at;
  return true;
}

static uint32_t wire_of(ProtobufCType type) {
  switch (type) {
  case PROTOBUF_C_TYPE_FLOAT:
  case PROTOBUF_C_TYPE_FIXED32:
  case PROTOBUF_C_TYPE_SFIXED32:
    return WIRE_32;
  case PROTOBUF_C_TYPE_DOUBLE:
  case PROTOBUF_C_TYPE_FIXED64:
  case PROTOBUF_C_TYPE_SFIXED64:
    return WIRE_64;
  case PROTOBUF_C_TYPE_STRING:
  case PROTOBUF_C_TYPE_BYTES:
  case PROTOBUF_C_TYPE_MESSAGE:
    return WIRE_BYTES;
  default:
    return WIRE_VARINT;
  }
}

/* What protobuf-c makes of a packed array must be made of whole elements. */
static bool check_packed(Walk *walk, const Field *field, uint32_t wire) {
  const size_t size = field->end - field->start;
  if ((wire == WIRE_32 && size % 4) || (wire == WIRE_64 && size % 8))
    return malformed(walk, field->start, "an array ends in the middle of an element");
  if (wire == WIRE_VARINT && size && (walk->base[field->end - 1] & 0x80))
    return malformed(walk, field->start, "an array ends in the middle of an element");
  return true;
}

static void put_uint(GByteArray *out, uint32_t number, uint64_t value) {
  put_varint(out, (uint64_t)number << 3 | WIRE_VARINT);
  put_varint(out, value);
}

/* True if the field is large data of a tensor; then only its place is written. */
static bool leave_in_mapping(Walk *walk, const ProtobufCMessageDescriptor *type,
                             const Field *field) {
  if (type != &onnx__tensor_proto__descriptor || field->wire != WIRE_BYTES ||
      field->end - field->start < PT_ONNX_MAPPED_MIN)
    return false;
  if (field->number != PT_PB_RAW_DATA && field->number != PT_PB_FLOAT_DATA &&
      field->number != PT_PB_DOUBLE_DATA)
    return false;
  put_uint(walk->out, 536870909, field->number);
  put_uint(walk->out, 536870910, field->start);
  put_uint(walk->out, 536870911, field->end - field->start);
  return true;
}

static bool walk_message(Walk *walk, const ProtobufCMessageDescriptor *type, size_t at, size_t end,
                         unsigned depth, unsigned graphs);

static bool walk_nested(Walk *walk, const ProtobufCMessageDescriptor *type, const Field *field,
                        unsigned depth, unsigned graphs) {
  if (depth >= walk->max_depth || graphs > walk->max_graphs)
    return pt_onnx_fail(walk->reader, walk->error, PT_ERR_LIMIT,
                        "graphs or types are nested more than %u deep", walk->max_graphs);
  /* The length is not known yet: five bytes are kept for it, padded as the encoding allows. */
  const guint hole = walk->out->len;
  g_byte_array_set_size(walk->out, hole + 5);
  if (!walk_message(walk, type, field->start, field->end, depth + 1, graphs))
    return false;
  uint32_t length = walk->out->len - hole - 5;
  for (unsigned i = 0; i < 5; i++, length >>= 7)
    walk->out->data[hole + i] = (uint8_t)((length & 0x7F) | (i < 4 ? 0x80 : 0));
  return true;
}

static bool copy_field(Walk *walk, const ProtobufCFieldDescriptor *known, const Field *field,
                       unsigned depth, unsigned graphs) {
  const uint32_t wire = wire_of(known->type);
  const bool packed =
      field->wire == WIRE_BYTES && wire != WIRE_BYTES && known->label == PROTOBUF_C_LABEL_REPEATED;
  if (field->wire != wire && !packed)
    return malformed(walk, field->start, "a field has another kind of value than ONNX gives it");
  if (packed && !check_packed(walk, field, wire))
    return false;
  const char *text = (const char *)walk->base + field->start;
  const size_t size = field->end - field->start;
  if (known->type == PROTOBUF_C_TYPE_STRING && !g_utf8_validate(text, (gssize)size, NULL))
    return malformed(walk, field->start, "a name is not UTF-8 text");
  put_varint(walk->out, (uint64_t)field->number << 3 | field->wire);
  if (known->type == PROTOBUF_C_TYPE_MESSAGE) {
    const ProtobufCMessageDescriptor *type = known->descriptor;
    return walk_nested(walk, type, field, depth, graphs + (type == &onnx__graph_proto__descriptor));
  }
  if (walk->out->len + (uint64_t)size > PT_ONNX_MAX_BYTES - 64)
    return too_large(walk);
  if (field->wire == WIRE_BYTES)
    put_varint(walk->out, size);
  g_byte_array_append(walk->out, walk->base + field->start, (guint)size);
  return true;
}

static bool walk_message(Walk *walk, const ProtobufCMessageDescriptor *type, size_t at, size_t end,
                         unsigned depth, unsigned graphs) {
  uint64_t seen =
      0; /* singular fields, by position in the descriptor; members of a oneof share the last bit */
  while (at < end) {
    Field field = {0};
    if (!next_field(walk, &at, end, &field) || !pt_onnx_charge(walk->reader, 1, walk->error))
      return false;
    if (walk->out->len > PT_ONNX_MAX_BYTES - 64)
      return too_large(walk);
    if (field.number >= 536870909)
      continue;
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field(type, field.number);
    if (!known)
      continue; /* knowingly: see onnx.proto */
    const bool once = known->label != PROTOBUF_C_LABEL_REPEATED;
    const bool data = leave_in_mapping(walk, type, &field);
    if (once || data) {
      const uint64_t bit = (known->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
                               ? UINT64_C(1) << 63
                               : UINT64_C(1) << (known - type->fields);
      if (seen & bit)
        return malformed(walk, field.start, "a field is there twice");
      seen |= bit;
    }
    if (!data && !copy_field(walk, known, &field, depth, graphs))
      return false;
  }
  return true;
}

GBytes *pt_onnx_slim(PtReader *reader, GError **error) {
  if (reader->size == 0) {
    pt_onnx_fail(reader, error, PT_ERR_INPUT, "the file is empty; export or copy it again");
    return NULL;
  }
  if (reader->size > PT_ONNX_MAX_BYTES ||
      (reader->options.max_bytes && reader->size > reader->options.max_bytes)) {
    pt_onnx_fail(reader, error, PT_ERR_LIMIT,
                 "the file has %zu bytes, which is over the limit of %" PRIu64, reader->size,
                 reader->options.max_bytes ? reader->options.max_bytes : PT_ONNX_MAX_BYTES);
    return NULL;
  }
  Walk walk = {.reader = reader,
               .base = reader->base,
               .out = g_byte_array_new(),
               .max_graphs =
                   reader->options.max_depth + 1, /* the main graph is none of the nested */
               .max_depth = 3 * reader->options.max_depth + 40,
               .error = error};
  if (!walk_message(&walk, &onnx__model_proto__descriptor, 0, reader->size, 0, 0)) {
    g_byte_array_unref(walk.out);
    return NULL;
  }
  return g_byte_array_free_to_bytes(walk.out);
}
