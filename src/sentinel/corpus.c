/* corpus: the file of public pieces: an index of interfaces, and the pieces as ONNX without
 * weights, all deflated together. "PTPIECES" version n  then, deflated: n faces, n sizes, n pieces.
 * Little-endian, as all this runs on. */
#include "sentinel/corpus_private.h"

#include "onnx/onnx.h"
#include "topology/topology.h"

#include <string.h>

#define MAX_RAW ((size_t)1 << 28)

struct PtCorpus {
  GBytes *raw;
  uint32_t n;
  const PtFace *faces;   /* [n] in raw */
  const uint32_t *sizes; /* [n] in raw */
  uint32_t *offsets;     /* [n] from raw's start */
  PtGraph **pieces;      /* [n], NULL until read */
  GMutex lock;
};

/* clang-format off */
G_STATIC_ASSERT(sizeof(PtFace) % 8 == 0);
/* clang-format on */

static bool damaged(const char *path, GError **error) {
  g_set_error(error, PT_SENTINEL_ERROR, PT_ERR_INPUT,
              "%s is no corpus of pieces of this version; make one with proteus train.", path);
  return false;
}

static bool index_raw(PtCorpus *c, const char *path, GError **error) {
  gsize size;
  const uint8_t *raw = g_bytes_get_data(c->raw, &size);
  uint64_t head = (uint64_t)c->n * (sizeof(PtFace) + sizeof(uint32_t));
  if (head > size)
    return damaged(path, error);
  c->faces = (const PtFace *)(const void *)raw;
  c->sizes = (const uint32_t *)(const void *)(raw + c->n * sizeof(PtFace));
  c->offsets = g_new(uint32_t, c->n + 1);
  c->pieces = g_new0(PtGraph *, c->n + 1);
  for (uint32_t i = 0; i < c->n; i++) {
    c->offsets[i] = (uint32_t)head;
    head += c->sizes[i];
    if (head > size || c->faces[i].n_inputs > PT_FACE_SLOTS ||
        c->faces[i].n_outputs > PT_FACE_SLOTS)
      return damaged(path, error);
    for (int s = 0; s < 2 * PT_FACE_SLOTS; s++)
      if (c->faces[i].slot[s].rank > PT_FACE_RANK)
        return damaged(path, error);
  }
  return true;
}

static GBytes *inflate(GBytes *file, const char *path, uint32_t *n, GError **error) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(file, &size);
  PtCorpusHead head;
  if (size < sizeof head || memcmp(data, PT_CORPUS_MAGIC, 8) != 0) {
    damaged(path, error);
    return NULL;
  }
  memcpy(&head, data, sizeof head);
  GBytes *raw = head.version == PT_CORPUS_VERSION && head.face_size == sizeof(PtFace)
                    ? pt_data_unpack(data + sizeof head, size - sizeof head, MAX_RAW)
                    : NULL;
  *n = head.n;
  if (!raw)
    damaged(path, error);
  return raw;
}

PtCorpus *pt_corpus_open(const char *path, GError **error) {
  g_autofree char *found = NULL;
  g_autoptr(GBytes) file = pt_data_open(path, PT_CORPUS_FILE, "proteus train", MAX_RAW,
                                        PT_SENTINEL_ERROR, &found, error);
  if (!file)
    return NULL;
  PtCorpus *c = g_new0(PtCorpus, 1);
  g_mutex_init(&c->lock);
  c->raw = inflate(file, found, &c->n, error);
  if (c->raw && index_raw(c, found, error))
    return c;
  c->n = 0;
  pt_corpus_free(c);
  return NULL;
}

void pt_corpus_free(PtCorpus *corpus) {
  if (!corpus)
    return;
  for (uint32_t i = 0; corpus->pieces && i < corpus->n; i++)
    pt_graph_unref(corpus->pieces[i]);
  g_free(corpus->pieces);
  g_free(corpus->offsets);
  if (corpus->raw)
    g_bytes_unref(corpus->raw);
  g_mutex_clear(&corpus->lock);
  g_free(corpus);
}

uint32_t pt_corpus_size(const PtCorpus *corpus) {
  return corpus->n;
}
const PtFace *pt_corpus_face(const PtCorpus *corpus, uint32_t i) {
  return &corpus->faces[i];
}

/* Types of constants are set now: later the graph is shared by threads and only read. */
static PtGraph *read_piece(PtCorpus *c, uint32_t i, GError **error) {
  PtOnnxReadOptions options = {
      .external = PT_EXTERNAL_REFUSE, .allow_empty = true, .max_nodes = 4096};
  g_autoptr(GBytes) bytes = g_bytes_new_from_bytes(c->raw, c->offsets[i], c->sizes[i]);
  PtGraph *g = pt_onnx_read_bytes(bytes, PT_CORPUS_FILE, NULL, &options, error);
  for (PtValueId v = 0; g && v < pt_graph_n_values(g); v++) {
    PtValue *value = pt_value(g, v);
    if (value->constant)
      value->type = pt_type_of_constant(g, value->constant);
  }
  return g;
}

PtGraph *pt_corpus_piece(PtCorpus *corpus, uint32_t i, GError **error) {
  g_mutex_lock(&corpus->lock);
  if (!corpus->pieces[i])
    corpus->pieces[i] = read_piece(corpus, i, error);
  PtGraph *piece = corpus->pieces[i];
  g_mutex_unlock(&corpus->lock);
  return piece;
}

GPtrArray *pt_corpus_topologies(PtCorpus *corpus, GError **error) {
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  for (uint32_t i = 0; i < pt_corpus_size(corpus); i++) {
    const PtGraph *piece = pt_corpus_piece(corpus, i, error);
    PtTopology *topology = piece ? pt_topology_of_graph(piece) : NULL;
    if (!topology)
      return NULL; /* the reader refuses cycles, and has said so */
    g_ptr_array_add(all, topology);
  }
  return g_steal_pointer(&all);
}
