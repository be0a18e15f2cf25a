/* model: the trained file: "PTWALK" version, then deflated: pieces as ONNX without weights, and the
 * weights of pi. All else follows from the pieces and is counted when the file is opened. */
#include "walk/walk_private.h"

#include "onnx/onnx.h"

#define FILE_NAME "walk.bin"
#define MAX_RAW ((size_t)1 << 28)
#define MAX_PIECES 100000
#define MAX_WEIGHTS (1 << 24)

typedef struct Head {
  char magic[8]; /* "PTWALK\0\1" */
  uint32_t models, pieces, weights, unused;
} Head;
static const char magic[8] = {'P', 'T', 'W', 'A', 'L', 'K', 0, 1};

typedef struct PieceHead {
  uint32_t model, count, size;
} PieceHead;
typedef struct Weight {
  uint64_t id;
  float value;
} __attribute__((packed)) Weight;

/* ---- in memory
 * --------------------------------------------------------------------------------------- */
void pt_walk_model_free(PtWalkModel *m) {
  if (!m)
    return;
  g_ptr_array_unref(m->pieces);
  g_array_unref(m->counts);
  pt_map64_clear(&m->weights);
  pt_map64_clear(&m->shown);
  pt_walk_library_free(m->library);
  g_free(m);
}

static void count_features(PtWalkModel *m) {
  PtFeatures f = {0};
  PtMap64 last = {0}; /* model + 1 that showed it last: pieces of a model follow each other */
  for (guint i = 0; i < m->pieces->len; i++) {
    const PtWalkPiece *p = m->pieces->pdata[i];
    pt_features_make(&f, p->state);
    for (uint32_t k = 0; k < f.n; k++) {
      double *at = pt_map64_at(&last, f.id[k]);
      if (*at != p->model + 1.0)
        ++*pt_map64_at(&m->shown, f.id[k]);
      *at = p->model + 1.0;
    }
  }
  pt_map64_clear(&last);
  pt_features_clear(&f);
}

PtWalkModel *pt_walk_model_new(GPtrArray *pieces, uint32_t n_models) {
  PtWalkModel *m = g_new0(PtWalkModel, 1);
  m->library = pt_walk_library_new();
  m->pieces = g_ptr_array_new_with_free_func(pt_walk_piece_free);
  m->counts = g_array_new(FALSE, FALSE, sizeof(PtHabitCount));
  m->n_models = n_models;
  g_ptr_array_set_free_func(pieces, NULL);
  for (guint i = 0; i < pieces->len; i++) {
    PtWalkPiece *p = pieces->pdata[i];
    if (pt_walk_piece_read(m->library, p, NULL) && pt_walk_settle(p->state))
      g_ptr_array_add(m->pieces, p);
    else
      pt_walk_piece_free(p);
  }
  g_ptr_array_set_size(pieces, 0);
  for (guint i = 0; i < m->pieces->len; i++)
    pt_habits_count(m->counts, m->library, ((PtWalkPiece *)m->pieces->pdata[i])->state, 1);
  count_features(m);
  return m;
}

/* Given the window, no number of nodes in it is likelier than pi says: where it starts is drawn
 * evenly among those that hold the real piece. */
void pt_walk_window(PtWalkFace *face, uint32_t n, PtRng *rng) {
  uint32_t width = n <= 12 ? 6 : n <= 24 ? 8 : n <= 64 ? 12 : n <= 256 ? 24 : 48;
  int64_t first = (int64_t)n - (int64_t)pt_rng_below(rng, width + 1);
  face->least = (uint32_t)MAX(first, 1);
  face->most = (uint32_t)(first + width);
}

/* ---- reading
 * ----------------------------------------------------------------------------------------- */
static bool damaged(const char *path, GError **error) {
  g_set_error(error, PT_WALK_ERROR, PT_ERR_INPUT,
              "%s is no trained generator of this version; make one with proteus train.", path);
  return false;
}

static bool read_pieces(const Head *head, GBytes *raw, size_t *at, GPtrArray *pieces) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(raw, &size);
  PtOnnxReadOptions options = {
      .external = PT_EXTERNAL_REFUSE, .allow_empty = true, .max_nodes = 1024};
  for (uint32_t i = 0; i < head->pieces; i++) {
    PieceHead p;
    if (size - *at < sizeof p)
      return false;
    memcpy(&p, data + *at, sizeof p);
    *at += sizeof p;
    if (p.size > size - *at || p.model >= head->models)
      return false;
    g_autoptr(GBytes) bytes = g_bytes_new_from_bytes(raw, *at, p.size);
    PtGraph *graph = pt_onnx_read_bytes(bytes, FILE_NAME, NULL, &options, NULL);
    if (!graph)
      return false;
    *at += p.size;
    PtWalkPiece *piece = g_new0(PtWalkPiece, 1);
    *piece = (PtWalkPiece){.graph = graph, .model = p.model, .count = p.count};
    g_ptr_array_add(pieces, piece);
  }
  return true;
}

static bool read_weights(const Head *head, GBytes *raw, size_t at, PtMap64 *weights) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(raw, &size);
  if (size - at != head->weights * sizeof(Weight))
    return false;
  for (uint32_t i = 0; i < head->weights; i++, at += sizeof(Weight)) {
    Weight w;
    memcpy(&w, data + at, sizeof w);
    if (!(w.value > -1000 && w.value < 1000))
      return false;
    *pt_map64_at(weights, w.id) = (double)w.value;
  }
  return true;
}

static PtWalkModel *model_of(const Head *head, GBytes *raw) {
  g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(pt_walk_piece_free);
  PtMap64 weights = {0};
  size_t at = 0;
  if (!read_pieces(head, raw, &at, pieces) || !read_weights(head, raw, at, &weights)) {
    pt_map64_clear(&weights);
    return NULL;
  }
  PtWalkModel *m = pt_walk_model_new(pieces, head->models);
  m->weights = weights;
  return m;
}

PtWalkModel *pt_walk_model_open(const char *path, GError **error) {
  g_autofree char *found = NULL;
  g_autoptr(GBytes) file =
      pt_data_open(path, FILE_NAME, "proteus train", MAX_RAW, PT_WALK_ERROR, &found, error);
  if (!file)
    return NULL;
  gsize size;
  const uint8_t *data = g_bytes_get_data(file, &size);
  Head head;
  PtWalkModel *m = NULL;
  if (size > sizeof head) {
    memcpy(&head, data, sizeof head);
    bool ours = memcmp(head.magic, magic, sizeof magic) == 0 && head.pieces <= MAX_PIECES &&
                head.weights <= MAX_WEIGHTS;
    g_autoptr(GBytes) raw =
        ours ? pt_data_unpack(data + sizeof head, size - sizeof head, MAX_RAW) : NULL;
    m = raw ? model_of(&head, raw) : NULL;
  }
  if (!m)
    (void)damaged(found, error);
  return m;
}

/* ---- writing
 * ----------------------------------------------------------------------------------------- */
static bool add_piece(GByteArray *raw, const PtWalkPiece *p, GError **error) {
  g_autoptr(PtGraph) normal = pt_walk_write(p->state, p->graph, NULL, NULL);
  if (!normal)
    return true;
  PtOnnxWriteOptions options = {.all_types = true};
  g_autoptr(GBytes) bytes = pt_onnx_write_bytes(normal, &options, NULL, error);
  if (!bytes)
    return false;
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  PieceHead head = {p->model, p->count, (uint32_t)size};
  g_byte_array_append(raw, (const uint8_t *)&head, sizeof head);
  g_byte_array_append(raw, data, (guint)size);
  return true;
}

static int by_id(const void *a, const void *b) {
  Weight x = *(const Weight *)a, y = *(const Weight *)b;
  return x.id < y.id ? -1 : x.id > y.id;
}

static uint32_t add_weights(GByteArray *raw, const PtMap64 *map) {
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Weight));
  for (uint32_t i = 0; i < map->size; i++)
    if (map->keys[i] && (map->values[i] > 1e-3 || map->values[i] < -1e-3)) {
      Weight w = {map->keys[i], (float)map->values[i]};
      g_array_append_val(all, w);
    }
  g_array_sort(all, by_id);
  g_byte_array_append(raw, (const uint8_t *)all->data, (guint)(all->len * sizeof(Weight)));
  return all->len;
}

bool pt_walk_model_write(const PtWalkModel *m, const char *path, GError **error) {
  g_autoptr(GByteArray) raw = g_byte_array_new();
  Head head = {.models = m->n_models, .pieces = m->pieces->len};
  memcpy(head.magic, magic, sizeof magic);
  for (guint i = 0; i < m->pieces->len; i++)
    if (!add_piece(raw, m->pieces->pdata[i], error))
      return false;
  head.weights = add_weights(raw, &m->weights);
  g_autoptr(GBytes) packed = pt_data_pack(raw->data, raw->len, MAX_RAW);
  if (!packed) {
    g_set_error(error, PT_WALK_ERROR, PT_ERR_INTERNAL, "What %s would hold cannot be compressed.",
                path);
    return false;
  }
  gsize size;
  const void *data = g_bytes_get_data(packed, &size);
  g_autoptr(PtFileWriter) writer = pt_file_writer_new(path, 0644, error);
  return writer && pt_file_writer_write(writer, &head, sizeof head, error) &&
         pt_file_writer_write(writer, data, size, error) && pt_file_writer_commit(writer, error);
}
