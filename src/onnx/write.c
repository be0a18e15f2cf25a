/* The way out: the message is streamed piece by piece, weights from where they lie. */
#include "onnx/onnx_private.h"

#include <string.h>

static const PtOnnxWriteOptions defaults;

static void encoder_init(PtEncoder *encoder, const PtOnnxWriteOptions *options,
                         const char *location, uint64_t threshold) {
  *encoder = (PtEncoder){.options = options, .location = location, .threshold = threshold};
  encoder->arena = pt_arena_new();
  encoder->external = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  encoder->offsets = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  encoder->types = g_ptr_array_new();
}

static void encoder_clear(PtEncoder *encoder) {
  for (guint i = 0; i < encoder->types->len; i++)
    onnx__type_proto__free_unpacked(encoder->types->pdata[i], NULL);
  g_ptr_array_unref(encoder->types);
  g_array_unref(encoder->external);
  g_array_unref(encoder->offsets);
  pt_arena_free(encoder->arena);
}

/* ---- files --------------------------------------------------------------------------------------
 */

typedef struct Stream {
  ProtobufCBuffer base;
  PtFileWriter *writer;
  GError *error;
} Stream;

static void stream_append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data) {
  Stream *stream = (Stream *)buffer;
  if (!stream->error)
    pt_file_writer_write(stream->writer, data, size, &stream->error);
}

static bool write_model(const Onnx__ModelProto *model, const char *path, PtFileWriter **writer,
                        GError **error) {
  *writer = pt_file_writer_new(path, 0644, error);
  if (!*writer)
    return false;
  Stream stream = {.base = {stream_append}, .writer = *writer};
  onnx__model_proto__pack_to_buffer(model, &stream.base);
  if (stream.error)
    g_propagate_error(error, stream.error);
  return !stream.error;
}

static bool write_data(const PtEncoder *encoder, const PtGraph *graph, const char *path,
                       PtFileWriter **writer, GError **error) {
  static const uint8_t zeros[4096];
  *writer = pt_file_writer_new(path, 0644, error);
  if (!*writer)
    return false;
  for (guint i = 0; i < encoder->external->len; i++) {
    const PtTensor *t = pt_value(graph, g_array_index(encoder->external, PtValueId, i))->constant;
    const uint64_t offset = g_array_index(encoder->offsets, uint64_t, i);
    const size_t gap = offset - pt_file_writer_offset(*writer); /* below one page, see place() */
    if (!pt_file_writer_write(*writer, zeros, gap, error) ||
        !pt_file_writer_write(*writer, t->data, t->size, error))
      return false;
  }
  return true;
}

/* Both files are complete under temporary names before either gets its own. */
static bool write_files(const PtEncoder *encoder, const PtGraph *graph,
                        const Onnx__ModelProto *model, const char *path, GError **error) {
  g_autoptr(PtFileWriter) file = NULL, data = NULL;
  g_autofree char *data_path = g_strconcat(path, ".data", NULL);
  if (encoder->external->len && !write_data(encoder, graph, data_path, &data, error))
    return false;
  return write_model(model, path, &file, error) && (!data || pt_file_writer_commit(data, error)) &&
         pt_file_writer_commit(file, error);
}

bool pt_onnx_write_limited(const PtGraph *graph, const char *path,
                           const PtOnnxWriteOptions *options, uint64_t limit, GError **error) {
  if (!options)
    options = &defaults;
  g_autofree char *base = g_path_get_basename(path);
  g_autofree char *location = g_strconcat(base, ".data", NULL);
  uint64_t threshold = options->external_threshold;
  /* The second time only when the whole would pass protobuf's 2 GB. */
  for (int attempt = 0; attempt < 2; attempt++, threshold = PT_ONNX_MAPPED_MIN) {
    PtEncoder encoder;
    encoder_init(&encoder, options, threshold ? location : NULL, threshold);
    const Onnx__ModelProto *model = pt_onnx_encode(&encoder, graph, error);
    const bool fits = model && onnx__model_proto__get_packed_size(model) <= limit;
    const bool ok = fits && write_files(&encoder, graph, model, path, error);
    encoder_clear(&encoder);
    if (!model || fits)
      return ok;
  }
  g_set_error(error, PT_ONNX_ERROR, PT_ERR_LIMIT,
              "%s: the model would be larger than 2 GB even without its weights", path);
  return false;
}

bool pt_onnx_write(const PtGraph *graph, const char *path, const PtOnnxWriteOptions *options,
                   GError **error) {
  return pt_onnx_write_limited(graph, path, options, PT_ONNX_MAX_BYTES, error);
}

/* ---- memory -------------------------------------------------------------------------------------
 */

GBytes *pt_onnx_write_bytes(const PtGraph *graph, const PtOnnxWriteOptions *options,
                            GArray **external, GError **error) {
  if (!options)
    options = &defaults;
  const uint64_t threshold = options->external_location ? MAX(options->external_threshold, 1) : 0;
  PtEncoder encoder;
  encoder_init(&encoder, options, options->external_location, threshold);
  encoder.in_memory = true;
  GBytes *bytes = NULL;
  const Onnx__ModelProto *model = pt_onnx_encode(&encoder, graph, error);
  const size_t size = model ? onnx__model_proto__get_packed_size(model) : 0;
  if (model && size > PT_ONNX_MAX_BYTES) {
    g_set_error(
        error, PT_ONNX_ERROR, PT_ERR_LIMIT,
        "a model of %zu bytes does not fit protobuf's 2 GB; hand its weights over separately",
        size);
  } else if (model) {
    uint8_t *data = g_try_malloc(size + 1);
    if (data) {
      onnx__model_proto__pack(model, data);
      bytes = g_bytes_new_take(data, size);
    } else {
      g_set_error(error, PT_ONNX_ERROR, PT_ERR_LIMIT, "there is no memory for a model of %zu bytes",
                  size);
    }
  }
  if (bytes && external)
    *external = g_array_ref(encoder.external);
  else if (external)
    *external = NULL;
  encoder_clear(&encoder);
  return bytes;
}
