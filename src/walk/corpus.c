/* corpus: pieces of public models, cut as obfuscation cuts, at several sizes. */
#include "walk/walk_private.h"

#include "onnx/onnx.h"
#include "partition/partition.h"
#include "runtime/runtime.h"

#define MAX_REAL_BYTES                                                                             \
  2048 /* of a constant that stays: larger tables are not worth their place                        \
        */
#define MAX_PIECE_NODES 128

void pt_walk_piece_free(void *data) {
  PtWalkPiece *p = data;
  pt_walk_state_free(p->state);
  pt_walk_face_free(p->face);
  pt_graph_unref(p->graph);
  g_free(p);
}

bool pt_walk_piece_read(PtWalkLibrary *library, PtWalkPiece *p, const char **why) {
  p->face = pt_walk_face_new(library, p->graph);
  p->state = pt_walk_read(library, p->face, p->graph, NULL, why);
  return p->state != NULL;
}

/* Known operators, known types, constants small; at least one tensor of floats. */
static bool is_worth_keeping(const PtGraph *g) {
  bool floats = false;
  g_autofree PtRole *roles = pt_roles(g);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtValue *value = pt_value(g, v);
    const PtTensor *c = value->constant;
    if (c && (c->strings || (roles[v] == PT_ROLE_REAL && (c->size > MAX_REAL_BYTES || !c->data))))
      return false;
    if (c)
      continue;
    if (value->type.kind != PT_TYPE_TENSOR || value->type.rank < 0 ||
        value->type.rank > PT_WALK_RANK)
      return false;
    floats |= pt_dtype_is_float(value->type.dtype) && value->type.rank > 1;
  }
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
    if (!pt_op_of(pt_node(g, n)) || pt_op_of(pt_node(g, n))->op_class == PT_CLASS_CONTROL)
      return false;
  return floats && pt_graph_n_nodes(g) >= 2 && pt_graph_n_nodes(g) <= MAX_PIECE_NODES;
}

typedef struct Cutting {
  GPtrArray *pieces;
  uint32_t model, cut; /* cut: number of the cut */
  unsigned threads;
  GHashTable *seen; /* canonical hash -> PtWalkPiece of this model */
} Cutting;

static bool stays(const PtGraph *graph, PtValueId value, void *roles) {
  (void)graph;
  return ((const PtRole *)roles)[value] == PT_ROLE_REAL;
}

static void add_piece(Cutting *c, PtGraph *graph) {
  if (!is_worth_keeping(graph))
    return;
  g_autofree PtRole *roles = pt_roles(graph);
  uint64_t hash = pt_graph_canonical(graph, stays, roles, NULL);
  PtWalkPiece *p = g_hash_table_lookup(c->seen, &hash);
  if (p) {
    p->count++;
    p->cuts |= 1u << c->cut;
    return;
  }
  p = g_new0(PtWalkPiece, 1);
  p->graph = pt_graph_ref(graph);
  p->model = c->model;
  p->count = 1;
  p->cuts = 1u << c->cut;
  g_hash_table_insert(c->seen, g_memdup2(&hash, sizeof hash), p);
  g_ptr_array_add(c->pieces, p);
}

static bool cut_once(Cutting *c, PtGraph *g, uint32_t n, const char *text, GError **error) {
  PtSeed seed;
  pt_seed_init(&seed, text);
  PtPartitionOptions options = {.n = n, .threads = c->threads};
  g_autoptr(PtPartition) parts = pt_partition(g, &options, &seed, error);
  for (uint32_t i = 0; parts && i < parts->pieces->len; i++) {
    g_autoptr(PtGraph) piece = pt_graph_extract(g, parts->pieces->pdata[i], NULL);
    add_piece(c, piece);
  }
  c->cut++;
  return parts != NULL;
}

static bool cut_model(Cutting *c, const char *path, GError **error) {
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_MAP, .allow_empty = true};
  g_autoptr(PtGraph) g = pt_onnx_read(path, &options, error);
  if (!g || !pt_runtime_infer_types(g, error) || !pt_runtime_fold(g, error))
    return false;
  uint32_t n = pt_graph_n_nodes(g);
  return cut_once(c, g, 0, "corpus", error) && cut_once(c, g, 0, "corpus 2", error) &&
         (n < 24 || cut_once(c, g, n / 8, "corpus", error)) &&
         (n < 48 || cut_once(c, g, n / 24, "corpus", error));
}

static bool is_excluded(const char *const *exclude, const char *name) {
  for (; exclude && *exclude; exclude++)
    if (g_str_equal(*exclude, name))
      return true;
  return false;
}

GPtrArray *pt_walk_cut(const PtWalkTrainOptions *options, GPtrArray *names, GError **error) {
  g_autoptr(GPtrArray) files = pt_dir_list(options->folder, ".onnx", error);
  if (!files)
    return NULL;
  g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(pt_walk_piece_free);
  for (guint i = 0; i < files->len; i++) {
    const char *file = files->pdata[i];
    g_autofree char *name = g_strndup(file, strlen(file) - 5);
    g_autofree char *path = g_build_filename(options->folder, file, NULL);
    if (is_excluded(options->exclude, name))
      continue;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    Cutting c = {.pieces = pieces, .model = names->len, .threads = options->threads, .seen = seen};
    if (!cut_model(&c, path, error))
      return NULL;
    g_ptr_array_add(names, g_steal_pointer(&name));
    pt_progress(&options->progress, "cutting models", i + 1, files->len);
  }
  if (pieces->len == 0) {
    g_set_error(error, PT_WALK_ERROR, PT_ERR_INPUT, "%s has no ONNX model to learn from.",
                options->folder);
    return NULL;
  }
  return g_steal_pointer(&pieces);
}
