/* External data: a name, an offset and a length that a hostile file chose. Only files inside the
 * model's folder are mapped, each once; a location is otherwise kept as a name, and only the one
 * the caller expects. */
#include "onnx/onnx_private.h"

#include <stdlib.h>
#include <string.h>

typedef struct Place {
  const char *location;
  uint64_t offset, length;
  bool has_length;
} Place;

static bool parse_place(PtReader *reader, const Onnx__TensorProto *proto, Place *place,
                        const char *what, GError **error) {
  *place = (Place){0};
  for (size_t i = 0; i < proto->n_external_data; i++) {
    const char *key = proto->external_data[i]->key, *value = proto->external_data[i]->value;
    const bool is_length = g_strcmp0(key, "length") == 0;
    if (g_strcmp0(key, "location") == 0) {
      place->location = value;
    } else if (is_length || g_strcmp0(key, "offset") == 0) {
      uint64_t number;
      if (!pt_parse_whole(value, INT64_MAX, &number))
        return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s: its external %s is not a number",
                            what, key);
      *(is_length ? &place->length : &place->offset) = number;
      place->has_length |= is_length;
    } /* checksum, basepath and unknown keys: ignored, as ONNX Runtime does */
  }
  if (!place->location || !place->location[0])
    return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s is external and names no file", what);
  return true;
}

static bool inside(const char *location) {
  if (g_path_is_absolute(location))
    return false;
  g_auto(GStrv) parts = g_strsplit(location, "/", -1);
  for (char **part = parts; *part; part++)
    if (g_str_equal(*part, ".."))
      return false;
  return true;
}

/* The mapping of `location`, owned by reader->files. */
static GBytes *map_file(PtReader *reader, const char *location, const char *what, GError **error) {
  if (!inside(location) || !reader->folder) {
    pt_onnx_fail(
        reader, error, PT_ERR_INPUT,
        "%s has its data in '%s', outside the model's folder; put the file beside the model", what,
        location);
    return NULL;
  }
  if (!reader->real_folder)
    reader->real_folder = realpath(reader->folder[0] ? reader->folder : ".", NULL);
  g_autofree char *joined =
      g_build_filename(reader->folder[0] ? reader->folder : ".", location, NULL);
  char *path = realpath(joined, NULL); /* follows links, so the check below sees where they lead */
  if (!path || !reader->real_folder) {
    pt_onnx_fail(reader, error, PT_ERR_IO,
                 "%s has its data in '%s', which is missing; put the file beside the model", what,
                 location);
    free(path);
    return NULL;
  }
  const size_t n = strlen(reader->real_folder);
  const bool root = n == 1; /* "/" */
  GBytes *bytes = NULL;
  if (strncmp(path, reader->real_folder, n) != 0 || (!root && path[n] != '/')) {
    pt_onnx_fail(
        reader, error, PT_ERR_INPUT,
        "%s has its data in '%s', a link that leaves the model's folder; copy the file there", what,
        location);
  } else if (!(bytes = g_hash_table_lookup(reader->files, path))) {
    bytes = pt_file_map(path, PTRDIFF_MAX, error);
    if (bytes)
      g_hash_table_insert(reader->files, g_strdup(path), bytes);
    else
      g_prefix_error(error, "%s: data of %s: ", reader->label, what);
  }
  free(path);
  return bytes;
}

bool pt_onnx_external(PtReader *reader, PtGraph *graph, const Onnx__TensorProto *proto,
                      PtTensor *tensor, const char *what, GError **error) {
  Place place;
  if (!parse_place(reader, proto, &place, what, error))
    return false;
  if (reader->options.external == PT_EXTERNAL_REFUSE)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s has its data in another file, which is not allowed here", what);
  if (place.has_length && place.length != tensor->size)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s has %" G_GUINT64_FORMAT
                        " bytes of external data where its shape needs %zu",
                        what, place.length, tensor->size);
  if (reader->options.external == PT_EXTERNAL_NAMED) {
    if (g_strcmp0(place.location, reader->options.external_name) != 0)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s has its data in '%s', not in '%s'", what,
                          place.location, reader->options.external_name);
    if (place.offset > INT64_MAX - tensor->size)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s: its external offset is too large",
                          what);
    tensor->location = pt_arena_string(graph->arena, place.location);
    tensor->offset = place.offset;
    return true;
  }
  if (tensor->count == 0) {
    tensor->data = (const uint8_t *)"";
    return true;
  }
  GBytes *bytes = map_file(reader, place.location, what, error);
  if (!bytes)
    return false;
  size_t size;
  const uint8_t *base = g_bytes_get_data(bytes, &size);
  if (place.offset > size || tensor->size > size - place.offset)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s ends behind the end of '%s', which has %zu bytes; copy that file again",
                        what, place.location, size);
  tensor->data = base + place.offset;
  return true;
}
