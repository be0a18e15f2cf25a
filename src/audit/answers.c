/* answers.c: what an optimizer makes of a candidate, which every optimizer sees for nothing: what
 * ONNX Runtime folds, fuses, drops and leaves, counted in its answer; clocks are not asked. */
#include "audit/audit_private.h"

#include "onnx/onnx.h"
#include "runtime/runtime.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define SMALL ((size_t)1 << 16) /* bytes; larger weights are zeros, which no optimizer looks at */
#define ZEROS "zeros"
#define WEIGHTS "weights" /* of answers: a way to nowhere */
static const char magic[8] = {'P', 'T', 'A', 'N', 'S', 'W', 0, 1};

const char *const pt_answer_number_names[PT_ANSWER_NUMBERS] = {
    "refused",       "nodes left",     "share of nodes left", "nodes folded",
    "nodes fused",   "new operators",  "kinds left",          "moves left",
    "moves dropped", "constants left", "weights left",        "weights grown",
    "work left",     "share of work",  "depth left",          "copies left"};
enum {
  REFUSED,
  LEFT,
  LEFT_SHARE,
  FOLDED,
  FUSED,
  NEW,
  KINDS,
  MOVES,
  MOVES_GONE,
  CONSTANTS,
  WEIGHTS_LEFT,
  WEIGHTS_GROWN,
  WORK,
  WORK_SHARE,
  DEPTH,
  COPIES
};

/* ---- before ---------------------------------------------------------------------------------- */
/* Nodes that depend on constants alone: any optimizer computes them. */
static uint32_t foldable(const PtGraph *g) {
  uint32_t n = pt_graph_n_nodes(g), count = 0;
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)n + 1);
  g_autofree bool *fixed = g_new0(bool, (gsize)n + 1);
  if (!pt_graph_toposort(g, order, NULL))
    return 0;
  for (uint32_t i = 0; i < n; i++) {
    const PtNode *node = pt_node(g, order[i]);
    bool all = node->n_captures == 0;
    for (uint32_t k = 0; all && k < node->n_inputs; k++) {
      const PtValue *v = node->inputs[k] == PT_NONE ? NULL : pt_value(g, node->inputs[k]);
      all = !v || v->constant || (v->producer != PT_NONE && fixed[v->producer]);
    }
    count += fixed[order[i]] = all;
  }
  return count;
}

/* The candidate with weights: small ones are the bundle's noise, as they may decide something. */
static PtGraph *with_weights(const PtGraph *graph, const PtNoise *noise, GPtrArray *held) {
  PtGraph *g = pt_graph_copy(graph);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtTensor *c = pt_value(g, v)->constant;
    if (!c || !c->location)
      continue;
    PtTensor *t = pt_graph_tensor(g, c->dtype, c->rank, c->dims, NULL);
    if (c->size <= SMALL && noise) {
      void *data = g_malloc0(c->size + 1);
      g_ptr_array_add(held, data);
      (void)pt_noise_bytes(noise, c->offset, c->size, data);
      t->data = data;
    } else {
      t->location = ZEROS;
      t->offset = 0;
    }
    pt_value(g, v)->constant = t;
  }
  return g;
}

/* ---- after ----------------------------------------------------------------------------------- */
static bool moves_only(const char *op) {
  static const char *const moves[] = {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten",
                                      "Identity",  "Cast",    "Expand",  NULL};
  return g_strv_contains(moves, op);
}

typedef struct Count {
  double nodes, moves, copies, work, weights, constants, deep, kinds;
  GHashTable *ops; /* uint64_t of an operator -> itself */
} Count;

static Count count(const PtGraph *g, const PtSight *s) {
  Count c = {.nodes = s->n, .ops = g_hash_table_new(NULL, NULL)};
  g_autofree uint32_t *depth = g_new0(uint32_t, (gsize)s->n + 1);
  for (uint32_t i = 0; i < pt_graph_n_nodes(g); i++) {
    c.moves += moves_only(pt_node(g, i)->op_type);
    c.copies += g_str_equal(pt_node(g, i)->op_type, "Identity");
  }
  for (uint32_t i = 0; i < s->n; i++) {
    const PtSightNode *x = &s->nodes[i];
    depth[i] = 1;
    for (uint32_t k = 0; k < x->n_in; k++)
      if (s->refs[x->in + k] >= 0)
        depth[i] = MAX(depth[i], depth[s->refs[x->in + k]] + 1);
    c.deep = MAX(c.deep, depth[i]);
    c.work += x->work;
    g_hash_table_add(c.ops, GSIZE_TO_POINTER((gsize)x->op));
  }
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    if (pt_value(g, v)->constant) {
      c.constants++;
      c.weights += (double)pt_value(g, v)->constant->count;
    }
  c.kinds = g_hash_table_size(c.ops);
  return c;
}

static void compare(const PtSight *answer, const PtGraph *g, const PtSight *sight,
                    const PtGraph *was, double *out) {
  Count a = count(g, answer), b = count(was, sight);
  out[LEFT] = a.nodes;
  out[LEFT_SHARE] = a.nodes / MAX(b.nodes, 1);
  out[FOLDED] = foldable(was);
  out[FUSED] = b.nodes - out[FOLDED] - a.nodes;
  for (uint32_t i = 0; i < answer->n; i++)
    out[NEW] += !g_hash_table_contains(b.ops, GSIZE_TO_POINTER((gsize)answer->nodes[i].op));
  out[KINDS] = a.kinds;
  out[MOVES] = a.moves;
  out[MOVES_GONE] = b.moves - a.moves;
  out[CONSTANTS] = a.constants;
  out[WEIGHTS_LEFT] = log2(a.weights + 1);
  out[WEIGHTS_GROWN] = log2((a.weights + 1) / (b.weights + 1));
  out[WORK] = log2(a.work + 1);
  out[WORK_SHARE] = log2((a.work + 1) / (b.work + 1));
  out[DEPTH] = a.deep / MAX(b.deep, 1);
  out[COPIES] = a.copies;
  g_hash_table_unref(a.ops);
  g_hash_table_unref(b.ops);
}

/* The answer's operators and pairs of them. */
static PtSparse operators(const PtSight *s) {
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  for (uint32_t i = 0; i < s->n; i++) {
    const PtSightNode *x = &s->nodes[i];
    g_array_append_val(ids, x->op);
    for (uint32_t k = 0; k < x->n_in; k++) {
      int32_t from = s->refs[x->in + k];
      uint64_t pair = pt_hash_mix(from < 0 ? 1 : s->nodes[from].op, x->op);
      g_array_append_val(ids, pair);
    }
  }
  return pt_sparse_of((uint64_t *)(void *)ids->data, ids->len);
}

static PtGraph *optimize(const PtGraph *graph, const char *folder, size_t i) {
  g_autofree char *name = g_strdup_printf("%zu.onnx", i);
  g_autofree char *path = g_build_filename(folder, name, NULL);
  PtSessionOptions options = {.level = PT_LEVEL_EXTENDED,
                              .folder = folder,
                              .save_path = path,
                              .save_external = WEIGHTS,
                              .threads = 1};
  PtOnnxReadOptions read = {.external = PT_EXTERNAL_NAMED, .external_name = WEIGHTS};
  PtSession *session = pt_session_new(graph, &options, NULL);
  PtGraph *answer = session ? pt_onnx_read(path, &read, NULL) : NULL;
  pt_session_free(session);
  (void)g_unlink(path);
  return answer;
}

void pt_sight_answer(PtSight *sight, const PtGraph *graph, const PtNoise *noise, const char *folder,
                     size_t i) {
  g_autoptr(GPtrArray) held = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(PtGraph) filled = with_weights(graph, noise, held);
  g_autoptr(PtGraph) answer = optimize(filled, folder, i);
  PtSight *seen = answer ? pt_sight_new(answer) : NULL;
  pt_sparse_clear(&sight->answer_ops);
  memset(sight->answer, 0, sizeof sight->answer);
  sight->has_answer = true;
  sight->answer[REFUSED] = seen == NULL;
  if (seen) {
    compare(seen, answer, sight, graph, sight->answer);
    sight->answer_ops = operators(seen);
  }
  pt_sight_free(seen);
}

/* ---- of a bundle ----------------------------------------------------------------------------- */
/* A folder in which answers are written, without their weights. */
char *pt_answers_folder(uint64_t largest, GError **error) {
  char *folder = pt_dir_make_temp("proteus-answers", error);
  g_autofree char *zeros = folder ? g_build_filename(folder, ZEROS, NULL) : NULL;
  g_autofree char *weights = folder ? g_build_filename(folder, WEIGHTS, NULL) : NULL;
  if (!folder)
    return NULL;
  if (pt_file_write(zeros, 0600, "", 0, error)) {
    if (truncate(zeros, (off_t)largest) == 0 && symlink("/dev/null", weights) == 0)
      return folder;
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_IO, "%s cannot be filled: free some space", folder);
  }
  pt_dir_remove(folder);
  g_free(folder);
  return NULL;
}

typedef struct Asking {
  PtCase *target;
  PtGraph **graphs; /* [candidates] */
  const PtNoise *noise;
  const char *folder;
} Asking;

static void ask(size_t i, void *data) {
  const Asking *a = data;
  pt_sight_answer(a->target->sights->pdata[i], a->graphs[i], a->noise, a->folder, i);
}

static bool read_graphs(const char *bundle, GPtrArray *ids, PtGraph **graphs, uint64_t *largest,
                        GError **error) {
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  for (guint i = 0; i < ids->len; i++) {
    g_autofree char *name = g_strconcat(ids->pdata[i], ".onnx", NULL);
    g_autofree char *path = g_build_filename(bundle, name, NULL);
    if (!(graphs[i] = pt_onnx_read(path, &options, error)))
      return false;
    for (PtValueId v = 0; v < pt_graph_n_values(graphs[i]); v++) {
      const PtTensor *c = pt_value(graphs[i], v)->constant;
      *largest = MAX(*largest, c && c->location ? c->size : 1);
    }
  }
  return true;
}

static bool make_answers(PtCase *t, const char *bundle, GPtrArray *ids, unsigned threads,
                         GError **error) {
  uint64_t largest = 1;
  g_autoptr(PtManifest) manifest = pt_manifest_read(bundle, error);
  g_autofree PtGraph **graphs = g_new0(PtGraph *, (gsize)ids->len + 1);
  bool ok = manifest && read_graphs(bundle, ids, graphs, &largest, error);
  g_autofree char *folder = ok ? pt_answers_folder(largest, error) : NULL;
  if (folder) {
    Asking asking = {t, graphs, &manifest->noise, folder};
    pt_parallel_for(ids->len, threads, ask, &asking);
    pt_dir_remove(folder);
  }
  for (guint i = 0; i < ids->len; i++)
    if (graphs[i])
      pt_graph_unref(graphs[i]);
  return folder != NULL;
}

/* ---- kept ------------------------------------------------------------------------------------ */
static bool keep(const PtCase *t, const char *path, GError **error) {
  g_autoptr(GByteArray) out = g_byte_array_new();
  pt_put(out, magic, sizeof magic);
  pt_put_u32(out, t->sights->len);
  for (guint i = 0; i < t->sights->len; i++) {
    const PtSight *s = t->sights->pdata[i];
    for (uint32_t f = 0; f < PT_ANSWER_NUMBERS; f++)
      pt_put_double(out, s->answer[f]);
    pt_put_u32(out, s->answer_ops.n);
    pt_put(out, s->answer_ops.id, s->answer_ops.n * sizeof(uint64_t));
    pt_put(out, s->answer_ops.count, s->answer_ops.n * sizeof(float));
  }
  return pt_file_write(path, 0644, out->data, out->len, error);
}

static bool recall(PtCase *t, const char *path) {
  g_autoptr(GBytes) file = pt_file_map(path, SIZE_MAX, NULL);
  gsize size = 0;
  PtReader r = {file ? g_bytes_get_data(file, &size) : NULL, 0, 0, true};
  r.size = size;
  const uint8_t *head = pt_take(&r, sizeof magic);
  if (!head || memcmp(head, magic, sizeof magic) != 0 || pt_take_u32(&r) != t->sights->len)
    return false;
  for (guint i = 0; i < t->sights->len && r.ok; i++) {
    PtSight *s = t->sights->pdata[i];
    for (uint32_t f = 0; f < PT_ANSWER_NUMBERS; f++)
      s->answer[f] = pt_take_double(&r);
    uint32_t n = pt_take_u32(&r);
    const uint8_t *ids = pt_take(&r, n * sizeof(uint64_t));
    const uint8_t *counts = pt_take(&r, n * sizeof(float));
    if (!counts)
      return false;
    pt_sparse_clear(&s->answer_ops);
    s->answer_ops =
        (PtSparse){n, g_memdup2(ids, n * sizeof(uint64_t)), g_memdup2(counts, n * sizeof(float))};
    s->has_answer = true;
  }
  return r.ok && r.at == r.size;
}

bool pt_case_answers(PtCase *t, const char *bundle, GPtrArray *ids, unsigned threads,
                     const char *kept, GError **error) {
  if (kept && recall(t, kept))
    return true;
  return make_answers(t, bundle, ids, threads, error) && (!kept || keep(t, kept, error));
}
