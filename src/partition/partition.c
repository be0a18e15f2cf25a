/* partition: the stages in order. */
#include "partition/partition_private.h"

G_DEFINE_QUARK(pt - partition - error - quark, pt_partition_error)

/* Values that must not cross a border: sequences and the like always; values without a known type,
 * unless hardly any is known (then nothing was inferred, and pieces are not meant to be run). */
static void join_uncuttable(const PtWork *w, PtQuotient *q) {
  const PtGraph *g = w->graph;
  uint32_t known = 0, unknown = 0;
  g_autoptr(GArray) set = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  for (uint32_t v = 0; v < pt_graph_n_values(g); v++)
    if (pt_value(g, v)->producer != PT_NONE)
      *(pt_value(g, v)->type.kind == PT_TYPE_UNKNOWN ? &unknown : &known) += 1;
  for (uint32_t v = 0; v < pt_graph_n_values(g); v++) {
    const PtValue *value = pt_value(g, v);
    bool opaque = value->type.kind == PT_TYPE_OPAQUE;
    bool vague = value->type.kind == PT_TYPE_UNKNOWN && known > unknown;
    if (!(opaque || vague) || value->producer == PT_NONE || w->item[value->producer] == PT_NONE)
      continue;
    g_array_set_size(set, 0);
    g_array_append_val(set, w->item[value->producer]);
    for (uint32_t u = w->uses->start[v]; u < w->uses->start[v + 1]; u++)
      if (w->item[w->uses->node[u]] != PT_NONE)
        g_array_append_val(set, w->item[w->uses->node[u]]);
    pt_quotient_merge_set(q, (uint32_t *)(void *)set->data, set->len, PT_NONE, PT_NO_BUDGET);
  }
}

/* Values of unknown rank: not cut where that keeps pieces of a reasonable size. */
static void join_rankless(const PtWork *w, PtQuotient *q, uint32_t cap) {
  for (uint32_t e = 0; e < w->edges->len; e++) {
    PtWorkEdge edge = g_array_index(w->edges, PtWorkEdge, e);
    const PtNode *node = pt_node(w->graph, w->node[edge.src]);
    for (uint32_t k = 0; k < node->n_outputs; k++) {
      const PtType *type =
          node->outputs[k] == PT_NONE ? NULL : &pt_value(w->graph, node->outputs[k])->type;
      if (type && type->kind == PT_TYPE_TENSOR && type->rank < 0)
        pt_quotient_merge_set(q, (uint32_t[]){edge.src, edge.dst}, 2, cap, 4096);
    }
  }
}

/* steers[v]: a shape or an index depends on v's data, directly or through cheap operators on
 * integers and a few numbers. */
static bool *find_steering(const PtWork *w) {
  const PtGraph *g = w->graph;
  bool *steers = g_new0(bool, pt_graph_n_values(g) + 1);
  for (uint32_t r = w->n_live; r-- > 0;) {
    const PtNode *node = pt_node(g, w->order[r]);
    const PtOp *op = pt_op_of(node);
    bool passes = false;
    for (uint32_t k = 0; k < node->n_outputs; k++)
      passes |= node->outputs[k] != PT_NONE && steers[node->outputs[k]];
    for (uint32_t k = 0; op && k < node->n_inputs; k++) {
      PtValueId v = node->inputs[k];
      if (v == PT_NONE || (op->flags & PT_OP_SHAPE_ONLY))
        continue;
      const PtType *type = &pt_value(g, v)->type;
      int64_t count = pt_type_count(type);
      steers[v] |= (k < 32 && (op->steering >> k & 1)) ||
                   (passes && (op->flags & PT_OP_CHEAP) &&
                    (pt_dtype_is_integer(type->dtype) || (count >= 0 && count <= 16)));
    }
  }
  return steers;
}

/* Shapes and indices that are no clones stay inside a piece where it does not get too large: at a
 * border they would tell much, and no random input could stand for them. */
static void join_steering(const PtWork *w, PtQuotient *q, uint32_t cap) {
  g_autofree bool *steers = find_steering(w);
  g_autoptr(GArray) set = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  for (uint32_t i = 0; i < w->n_items; i++) {
    const PtNode *node = pt_node(w->graph, w->node[i]);
    for (uint32_t k = 0; k < node->n_outputs; k++) {
      PtValueId v = node->outputs[k];
      if (v == PT_NONE || !steers[v])
        continue;
      g_array_set_size(set, 0);
      g_array_append_val(set, i);
      for (uint32_t u = w->uses->start[v]; u < w->uses->start[v + 1]; u++)
        if (w->item[w->uses->node[u]] != PT_NONE)
          g_array_append_val(set, w->item[w->uses->node[u]]);
      pt_quotient_merge_set(q, (uint32_t *)(void *)set->data, set->len, cap, 4096);
    }
  }
}

static PtQuotient *compact(const PtWork *w, PtQuotient *q, uint32_t *of) {
  PtQuotient *atoms = pt_quotient_compact(q, of);
  pt_work_weigh(w, of, atoms->n, atoms->size); /* what its items share is its own now */
  return atoms;
}

/* Clusters that stay together: what cannot be cut, then what fuses, as far as n pieces are left. */
static PtQuotient *make_atoms(const PtWork *w, const PtPartitionOptions *options, uint32_t *of) {
  g_autofree uint32_t *size = g_new(uint32_t, w->n_items + 1);
  for (uint32_t i = 0; i < w->n_items; i++)
    of[i] = i;
  pt_work_weigh(w, of, w->n_items, size);
  g_autoptr(PtQuotient) bare = pt_quotient_new(w->n_items, size, w->sig,
                                               (PtWorkEdge *)(void *)w->edges->data, w->edges->len);
  join_uncuttable(w, bare);
  double mean = options->n ? (double)w->n_live / options->n : PT_AUTO_SIZE;
  uint32_t cap = (uint32_t)MIN(2 * mean, 1e9);
  for (; cap > 1 && bare->alive > options->n; cap = cap > 16 ? cap * 3 / 4 : cap - 1) {
    g_autoptr(PtQuotient) q = pt_quotient_copy(bare);
    join_steering(w, q, cap < PT_AUTO_LEAST ? cap : MAX(cap, 2 * PT_AUTO_MOST));
    join_rankless(w, q, cap);
    if (!options->plain)
      pt_fuse(w, q, cap);
    if (q->alive >= options->n)
      return compact(w, q, of);
  }
  return compact(w, bare, of);
}

PtPartition *pt_partition(const PtGraph *graph, const PtPartitionOptions *options,
                          const PtSeed *seed, GError **error) {
  static const PtPartitionOptions defaults;
  if (!options)
    options = &defaults;
  g_autoptr(PtWork) work = pt_work_new(graph, error);
  if (!work)
    return NULL;
  if (options->n > work->n_live) {
    g_set_error(error, PT_PARTITION_ERROR, PT_ERR_USAGE,
                "%u pieces were asked for, but the model has %u nodes: ask for fewer, or leave the "
                "number out",
                options->n, work->n_live);
    return NULL;
  }
  g_autofree uint32_t *atom = g_new(uint32_t, work->n_items + 1);
  g_autofree uint32_t *piece = g_new(uint32_t, work->n_items + 1);
  g_autoptr(PtQuotient) q = make_atoms(work, options, atom);
  uint32_t count = pt_contract(q, options->n, options, seed, piece);
  g_autofree uint32_t *of = g_new(uint32_t, work->n_items + 1);
  for (uint32_t i = 0; i < work->n_items; i++)
    of[i] = piece[atom[i]];
  return pt_pieces_make(work, of, count, options->threads);
}

GPtrArray *pt_partition_distinct(PtGraph *graph, const PtPartition *partition) {
  GPtrArray *distinct = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  for (uint32_t i = 0; i < partition->pieces->len; i++)
    if (partition->group[i] == distinct->len)
      g_ptr_array_add(distinct,
                      pt_graph_extract(graph, g_ptr_array_index(partition->pieces, i), NULL));
  return distinct;
}
