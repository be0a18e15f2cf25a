/* fold: nodes that compute shapes, indices and masks from sizes that are known and from constants
 * become constants, as any optimizer would make them. */
#include "runtime/runtime_private.h"

#include "ops/ops.h"

#define MAX_ELEMENTS 1024 /* of a value that becomes a constant */

typedef struct Folding {
  PtGraph *graph, *small;
  PtValueId *in_small; /* [n_values] PT_NONE: not known */
} Folding;

/* Whole numbers and truths; floats one by one, as a size on the way through a square root. */
static bool is_small(PtDtype dtype, uint64_t count) {
  bool whole = pt_dtype_is_integer(dtype) || dtype == PT_BOOL;
  return count > 0 && count <= (whole ? MAX_ELEMENTS : pt_dtype_is_float(dtype) ? 1 : 0);
}

static bool is_known_size(const PtType *t) {
  uint64_t count = 1;
  if (t->kind != PT_TYPE_TENSOR || t->rank < 0)
    return false;
  for (int32_t i = 0; i < t->rank; i++)
    if (t->dims[i].size < 0 || __builtin_mul_overflow(count, (uint64_t)t->dims[i].size, &count))
      return false;
  return is_small(t->dtype, count);
}

static bool add_shape(Folding *f, const PtNode *n) {
  const PtType *t = &pt_value(f->graph, n->inputs[0])->type;
  int64_t sizes[16];
  if (t->kind != PT_TYPE_TENSOR || t->rank < 1 || t->rank > 16)
    return false;
  int64_t start = pt_node_int(n, "start", 0), end = pt_node_int(n, "end", t->rank), count = 0;
  start = CLAMP(start < 0 ? start + t->rank : start, 0, t->rank);
  end = CLAMP(end < 0 ? end + t->rank : end, 0, t->rank);
  for (int64_t i = start; i < end; i++)
    if ((sizes[count++] = t->dims[i].size) < 0)
      return false;
  f->in_small[n->outputs[0]] = pt_graph_add_ints(f->small, sizes, (size_t)count);
  return true;
}

/* The value in the small graph; PT_NONE: not known. */
static PtValueId known(Folding *f, PtValueId v) {
  const PtTensor *c = pt_value(f->graph, v)->constant;
  if (f->in_small[v] == PT_NONE && c && c->data && !c->strings && is_small(c->dtype, c->count)) {
    PtTensor *copy = pt_arena_copy(f->small->arena, c, sizeof *c);
    f->in_small[v] = pt_graph_add_constant(f->small, NULL, copy);
  }
  return f->in_small[v];
}

static bool add_node(Folding *f, const PtNode *n) {
  const PtOp *op = pt_op_of(n);
  PtValueId inputs[16], outputs[8];
  if (!op || n->domain[0] || (op->flags & PT_OP_RANDOM) || op->op_class == PT_CLASS_CONTROL ||
      n->n_captures || n->n_inputs > 16 || n->n_outputs > 8)
    return false;
  for (uint32_t i = 0; i < n->n_outputs; i++)
    if (n->outputs[i] == PT_NONE || !is_known_size(&pt_value(f->graph, n->outputs[i])->type) ||
        pt_graph_is_output(f->graph, n->outputs[i]))
      return false;
  if (g_str_equal(n->op_type, "Shape"))
    return add_shape(f, n);
  for (uint32_t i = 0; i < n->n_inputs; i++) {
    inputs[i] = n->inputs[i] == PT_NONE ? PT_NONE : known(f, n->inputs[i]);
    if (n->inputs[i] != PT_NONE && inputs[i] == PT_NONE)
      return false;
  }
  for (uint32_t i = 0; i < n->n_outputs; i++)
    f->in_small[n->outputs[i]] = outputs[i] = pt_graph_add_value(f->small, NULL);
  PtNodeId made =
      pt_graph_add_node(f->small, "", n->op_type, inputs, n->n_inputs, outputs, n->n_outputs);
  for (uint32_t i = 0; i < n->n_attrs; i++)
    pt_node_add_attr_copy(f->small, made, &n->attrs[i], NULL);
  return true;
}

/* Values that nodes which stay read, as outputs of the small graph. */
static GArray *wanted(Folding *f, const bool *folds) {
  PtGraph *g = f->graph;
  GArray *values = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  g_autofree bool *seen = g_new0(bool, pt_graph_n_values(g) + 1);
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *n = pt_node(g, i);
    for (uint32_t k = 0; !folds[i] && k < n->n_inputs + n->n_captures; k++) {
      PtValueId v = k < n->n_inputs ? n->inputs[k] : n->captures[k - n->n_inputs];
      if (v == PT_NONE || seen[v] || pt_value(g, v)->constant || f->in_small[v] == PT_NONE)
        continue;
      seen[v] = true;
      g_array_append_val(values, v);
      pt_graph_add_output(f->small, f->in_small[v]);
    }
  }
  return values;
}

/* Sizes that a file states need not be those that come out. */
static bool is_as_typed(const PtArray *a, const PtType *t) {
  if (!a || !a->data || a->dtype != t->dtype || (int32_t)a->rank != t->rank)
    return false;
  for (int32_t i = 0; i < t->rank; i++)
    if (a->dims[i] != t->dims[i].size)
      return false;
  return true;
}

bool pt_runtime_fold(PtGraph *graph, GError **error) {
  uint32_t n = pt_graph_n_nodes(graph), n_values = pt_graph_n_values(graph), found = 0;
  g_autofree PtNodeId *order = g_new(PtNodeId, n + 1);
  g_autofree bool *folds = g_new0(bool, n + 1);
  g_autoptr(PtGraph) small = pt_graph_new();
  Folding f = {.graph = graph, .small = small, .in_small = g_new(PtValueId, n_values + 1)};
  if (!pt_graph_toposort(graph, order, error)) {
    g_free(f.in_small);
    return false;
  }
  memset(f.in_small, 0xff, (n_values + 1) * sizeof *f.in_small);
  pt_graph_set_opset(small, "", pt_graph_opset(graph, ""));
  small->ir_version = graph->ir_version;
  for (uint32_t i = 0; i < n; i++)
    found += folds[order[i]] = add_node(&f, pt_node(graph, order[i]));
  g_autoptr(GArray) values = wanted(&f, folds);
  g_free(f.in_small);
  if (found == 0 || values->len == 0)
    return true;
  g_autoptr(GPtrArray) arrays = pt_runtime_evaluate(small, NULL);
  if (!arrays)
    return true; /* an operator that this runtime lacks: the model stays as it is */
  for (guint i = 0; i < values->len; i++)
    if (!is_as_typed(arrays->pdata[i], &pt_value(graph, g_array_index(values, PtValueId, i))->type))
      return true;
  for (guint i = 0; i < values->len; i++) {
    const PtArray *a = arrays->pdata[i];
    PtValueId v = g_array_index(values, PtValueId, i);
    PtTensor *t = pt_graph_tensor_copy(graph, a->dtype, a->rank, a->dims, a->data);
    PtValueId c = pt_graph_add_constant(graph, NULL, t);
    pt_value(graph, c)->type = pt_type_copy(graph, &pt_value(graph, v)->type);
    pt_graph_replace_value(graph, v, c);
  }
  (void)pt_graph_remove_unused(graph);
  pt_graph_compact(graph);
  return true;
}
