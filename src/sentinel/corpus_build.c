/* corpus_build: cuts every model of a folder as obfuscation does, at several sizes, and keeps each
 * distinct piece once. */
#include "sentinel/corpus_private.h"

#include "onnx/onnx.h"
#include "partition/partition.h"
#include "runtime/runtime.h"

#include <string.h>

#define MAX_REAL_BYTES                                                                             \
  2048 /* of one constant that stays real: larger tables are not worth their place */
#define MAX_PIECE_NODES 256

typedef struct Build {
  GByteArray *faces, *sizes, *pieces;
  GHashTable *seen;
  uint32_t n;
} Build;

static bool is_worth_keeping(const PtGraph *g) {
  bool floats = false;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtValue *value = pt_value(g, v);
    const PtType *t = &value->type;
    if (value->constant) {
      if ((value->constant->data && value->constant->size > MAX_REAL_BYTES) ||
          value->constant->strings)
        return false;
      continue;
    }
    if (t->kind != PT_TYPE_TENSOR || t->rank < 0 || t->rank > PT_FACE_RANK)
      return false;
    floats |= pt_dtype_is_float(t->dtype) && t->rank > 1;
  }
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
    if (!pt_op_of(pt_node(g, n)) || pt_op_of(pt_node(g, n))->op_class == PT_CLASS_CONTROL)
      return false;
  return floats && pt_graph_n_nodes(g) >= 2 && pt_graph_n_nodes(g) <= MAX_PIECE_NODES;
}

static bool add_piece(Build *b, const PtGraph *extracted, GError **error) {
  g_autoptr(PtGraph) g = pt_rebuild(extracted, true);
  PtFace face;
  if (!g || !is_worth_keeping(g) || !pt_face_of(g, &face))
    return true;
  face.hash = pt_sentinel_hash(g);
  if (g_hash_table_contains(b->seen, &face.hash))
    return true;
  PtOnnxWriteOptions options = {.all_types = true};
  g_autoptr(GBytes) bytes = pt_onnx_write_bytes(g, &options, NULL, error);
  if (!bytes)
    return false;
  g_hash_table_add(b->seen, g_memdup2(&face.hash, sizeof face.hash));
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  uint32_t size32 = (uint32_t)size;
  g_byte_array_append(b->faces, (const uint8_t *)&face, sizeof face);
  g_byte_array_append(b->sizes, (const uint8_t *)&size32, sizeof size32);
  g_byte_array_append(b->pieces, data, (guint)size);
  b->n++;
  return true;
}

/* Small, usual and large pieces: who asks for an unusual -n finds donors too. */
static bool cut_model(Build *b, PtGraph *g, unsigned threads, GError **error) {
  uint32_t n = pt_graph_n_nodes(g);
  const uint32_t wanted[] = {0, n / 7, n / 24, n / 48};
  PtSeed seed;
  pt_seed_init(&seed, "corpus");
  for (size_t w = 0; w < G_N_ELEMENTS(wanted); w++) {
    if (w > 0 && wanted[w] < 2)
      continue;
    PtPartitionOptions options = {.n = wanted[w], .threads = threads};
    g_autoptr(PtPartition) parts = pt_partition(g, &options, &seed, error);
    if (!parts)
      return false;
    uint32_t next = 0;
    for (uint32_t i = 0; i < parts->pieces->len; i++) {
      if (parts->group[i] != next) /* seen: groups are numbered by first occurrence */
        continue;
      next++;
      g_autoptr(PtGraph) piece = pt_graph_extract(g, parts->pieces->pdata[i], NULL);
      if (!add_piece(b, piece, error))
        return false;
    }
  }
  return true;
}

static bool write_corpus(const Build *b, const char *path, GError **error) {
  g_autoptr(GByteArray) raw = g_byte_array_new();
  g_byte_array_append(raw, b->faces->data, b->faces->len);
  g_byte_array_append(raw, b->sizes->data, b->sizes->len);
  g_byte_array_append(raw, b->pieces->data, b->pieces->len);
  g_autoptr(GBytes) packed = pt_data_pack(raw->data, raw->len, SIZE_MAX);
  if (!packed) {
    g_set_error(error, PT_SENTINEL_ERROR, PT_ERR_INTERNAL,
                "The corpus for %s cannot be compressed.", path);
    return false;
  }
  PtCorpusHead head = {.version = PT_CORPUS_VERSION, .face_size = sizeof(PtFace), .n = b->n};
  memcpy(head.magic, PT_CORPUS_MAGIC, 8);
  gsize size;
  const void *data = g_bytes_get_data(packed, &size);
  g_autoptr(PtFileWriter) writer = pt_file_writer_new(path, 0644, error);
  return writer && pt_file_writer_write(writer, &head, sizeof head, error) &&
         pt_file_writer_write(writer, data, size, error) && pt_file_writer_commit(writer, error);
}

static bool is_excluded(const char *name, const char *const *exclude) {
  g_autofree char *stem = g_strndup(name, strlen(name) - strlen(".onnx"));
  return exclude && g_strv_contains(exclude, stem);
}

bool pt_corpus_build(const char *folder, const char *const *exclude, const char *path,
                     unsigned threads, const PtProgress *progress, GError **error) {
  g_autoptr(GPtrArray) names = pt_dir_list(folder, ".onnx", error);
  if (!names)
    return false;
  if (names->len == 0) {
    g_set_error(error, PT_SENTINEL_ERROR, PT_ERR_INPUT, "%s has no .onnx file to learn from.",
                folder);
    return false;
  }
  Build b = {
      .faces = g_byte_array_new(), .sizes = g_byte_array_new(), .pieces = g_byte_array_new()};
  b.seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  bool ok = true;
  for (uint32_t i = 0; ok && i < names->len; i++) {
    if (is_excluded(names->pdata[i], exclude))
      continue;
    g_autofree char *model = g_build_filename(folder, names->pdata[i], NULL);
    PtOnnxReadOptions options = {.external = PT_EXTERNAL_MAP, .allow_empty = true};
    g_autoptr(PtGraph) g = pt_onnx_read(model, &options, error);
    ok = g && pt_runtime_infer_types(g, error) && pt_runtime_fold(g, error) &&
         cut_model(&b, g, threads, error);
    pt_progress(progress, "learning from models", i + 1, names->len);
  }
  ok = ok && write_corpus(&b, path, error);
  g_byte_array_unref(b.faces);
  g_byte_array_unref(b.sizes);
  g_byte_array_unref(b.pieces);
  g_hash_table_unref(b.seen);
  return ok;
}
