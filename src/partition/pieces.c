/* pieces: from clusters to pieces: clones, borders, canonical order, groups of equal ones. */
#include "partition/partition_private.h"

#include <math.h>

typedef struct Maker {
  const PtWork *work;
  const uint32_t *of; /* [n_items] */
  GPtrArray *pieces;
  uint32_t *made_in; /* [n_values] the piece whose item makes it; PT_NONE for side nodes' values */
  bool *crosses;     /* [n_values] another piece needs it */
} Maker;

static int compare_rank(gconstpointer a, gconstpointer b, gpointer data) {
  const uint32_t *rank = data;
  uint32_t x = rank[*(const PtNodeId *)a], y = rank[*(const PtNodeId *)b];
  return x < y ? -1 : x > y;
}

/* Adds what side nodes the piece's items need. last[node] == piece + 1: already there. */
static void add_clones(Maker *m, uint32_t index, uint32_t *last) {
  const PtWork *w = m->work;
  PtPiece *piece = g_ptr_array_index(m->pieces, index);
  for (uint32_t i = 0; i < piece->nodes->len; i++) { /* grows */
    const PtNode *node = pt_node(w->graph, g_array_index(piece->nodes, PtNodeId, i));
    for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
      PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
      PtNodeId p = v == PT_NONE ? PT_NONE : pt_value(w->graph, v)->producer;
      if (p != PT_NONE && w->side[p] && last[p] != index + 1) {
        last[p] = index + 1;
        g_array_append_val(piece->nodes, p);
      }
    }
  }
  g_array_sort_with_data(piece->nodes, compare_rank, w->rank);
}

static void mark_crossing(Maker *m, uint32_t index) {
  const PtWork *w = m->work;
  PtPiece *piece = g_ptr_array_index(m->pieces, index);
  for (uint32_t i = 0; i < piece->nodes->len; i++) {
    const PtNode *node = pt_node(w->graph, g_array_index(piece->nodes, PtNodeId, i));
    for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
      PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
      if (v != PT_NONE && m->made_in[v] != PT_NONE && m->made_in[v] != index)
        m->crosses[v] = true;
    }
  }
}

static void add_outputs(Maker *m, uint32_t index) {
  const PtWork *w = m->work;
  PtPiece *piece = g_ptr_array_index(m->pieces, index);
  for (uint32_t i = 0; i < piece->nodes->len; i++) {
    const PtNode *node = pt_node(w->graph, g_array_index(piece->nodes, PtNodeId, i));
    for (uint32_t k = 0; k < node->n_outputs; k++) {
      PtValueId v = node->outputs[k];
      if (v != PT_NONE && m->made_in[v] == index && (m->crosses[v] || w->is_output[v]))
        g_array_append_val(piece->outputs, v);
    }
  }
}

static void fill_pieces(Maker *m, uint32_t count) {
  const PtWork *w = m->work;
  uint32_t n_values = pt_graph_n_values(w->graph);
  g_autofree uint32_t *last = g_new0(uint32_t, pt_graph_n_nodes(w->graph) + 1);
  m->made_in = g_new(uint32_t, n_values + 1);
  m->crosses = g_new0(bool, n_values + 1);
  for (uint32_t v = 0; v < n_values; v++) {
    PtNodeId p = pt_value(w->graph, v)->producer;
    m->made_in[v] = p == PT_NONE || w->item[p] == PT_NONE ? PT_NONE : m->of[w->item[p]];
  }
  for (uint32_t i = 0; i < count; i++)
    g_ptr_array_add(m->pieces, pt_piece_new());
  for (uint32_t i = 0; i < w->n_items; i++) {
    PtPiece *piece = g_ptr_array_index(m->pieces, m->of[i]);
    g_array_append_val(piece->nodes, w->node[i]);
  }
  for (uint32_t i = 0; i < count; i++)
    add_clones(m, i, last);
  for (uint32_t i = 0; i < count; i++)
    mark_crossing(m, i);
  for (uint32_t i = 0; i < count; i++)
    add_outputs(m, i);
  g_free(m->made_in);
  g_free(m->crosses);
}

static void canonicalize_piece(size_t index, void *data) {
  Maker *m = data;
  pt_piece_canonicalize(m->work->graph, g_ptr_array_index(m->pieces, index), pt_work_is_real,
                        (void *)(uintptr_t)m->work);
}

/* group[i] by first occurrence; candidates by hash, decided by comparison. */
static uint32_t group_pieces(const PtWork *w, GPtrArray *pieces, uint32_t *group) {
  g_autoptr(GHashTable) heads = g_hash_table_new(g_int64_hash, g_int64_equal);
  g_autofree uint32_t *next =
      g_new(uint32_t, pieces->len + 1); /* first of another group, same hash */
  uint32_t groups = 0;
  for (uint32_t i = 0; i < pieces->len; i++) {
    PtPiece *piece = g_ptr_array_index(pieces, i);
    gpointer found = g_hash_table_lookup(heads, &piece->hash);
    uint32_t first = found ? GPOINTER_TO_UINT(found) - 1 : PT_NONE, k = first;
    while (k != PT_NONE && !pt_piece_equal(w->graph, piece, w->graph, g_ptr_array_index(pieces, k),
                                           pt_work_is_real, (void *)(uintptr_t)w))
      k = next[k];
    if (k != PT_NONE) {
      group[i] = group[k];
      continue;
    }
    group[i] = groups++;
    next[i] = first;
    g_hash_table_insert(heads, &piece->hash, GUINT_TO_POINTER(i + 1));
  }
  return groups;
}

/* Over nodes that are in one piece only. */
static double size_deviation(const PtWork *w, GPtrArray *pieces) {
  g_autofree uint32_t *times = g_new0(uint32_t, pt_graph_n_nodes(w->graph) + 1);
  double sum = 0, squares = 0;
  for (uint32_t i = 0; i < pieces->len; i++) {
    GArray *nodes = ((PtPiece *)g_ptr_array_index(pieces, i))->nodes;
    for (uint32_t k = 0; k < nodes->len; k++)
      times[g_array_index(nodes, PtNodeId, k)]++;
  }
  for (uint32_t i = 0; i < pieces->len; i++) {
    GArray *nodes = ((PtPiece *)g_ptr_array_index(pieces, i))->nodes;
    double size = 0;
    for (uint32_t k = 0; k < nodes->len; k++)
      size += times[g_array_index(nodes, PtNodeId, k)] == 1;
    sum += size;
    squares += size * size;
  }
  if (pieces->len == 0)
    return 0;
  double mean = sum / pieces->len;
  return sqrt(MAX(squares / pieces->len - mean * mean, 0));
}

PtPartition *pt_pieces_make(const PtWork *work, const uint32_t *of, uint32_t count,
                            unsigned threads) {
  PtPartition *p = g_new0(PtPartition, 1);
  p->pieces = g_ptr_array_new_with_free_func((GDestroyNotify)pt_piece_free);
  p->group = g_new0(uint32_t, count + 1);
  Maker m = {.work = work, .of = of, .pieces = p->pieces};
  fill_pieces(&m, count);
  pt_parallel_for(count, threads, canonicalize_piece, &m);
  p->n_groups = group_pieces(work, p->pieces, p->group);
  p->deviation = size_deviation(work, p->pieces);
  return p;
}

void pt_partition_free(PtPartition *p) {
  if (!p)
    return;
  g_ptr_array_unref(p->pieces);
  g_free(p->group);
  g_free(p);
}
