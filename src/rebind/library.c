/* Every constant of the candidate as an expression: its weights, its real constants, and what folds
 * from them. */
#include "rebind/rebind_private.h"

#include <string.h>

#define SETTLE (1u << 20) /* elements of a real constant that is evaluated at once */

static gint by_offset(gconstpointer a, gconstpointer b) {
  const PtWeight *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void keep(PtRebind *r, PtExpr *e, const PtDense *all) {
  e->type.data = all->data;
  if (all->owned) {
    e->type.owned = NULL;
    g_ptr_array_add(r->kept, all->owned);
  }
}

static void add_constant(PtRebind *r, PtValueId v, const PtTensor *tensor) {
  PtExpr *e;
  if (tensor->location && !tensor->data) {
    e = pt_expr_source(r, tensor->dtype, tensor->rank, tensor->dims, tensor->offset);
    if (e) {
      PtWeight weight = {tensor->offset, tensor->size, e};
      g_array_append_val(r->weights, weight);
    }
  } else {
    e = pt_expr_real(r, tensor);
    if (e)
      g_ptr_array_add(r->reals, e);
  }
  r->of_value[v] = e;
}

/* A size that is known before running. */
static void add_shape(PtRebind *r, const PtNode *node) {
  const PtType *type = &pt_value(r->candidate, node->inputs[0])->type;
  if (!pt_type_is_static(type) || type->rank > PT_MAX_RANK)
    return;
  int64_t sizes[PT_MAX_RANK], n = type->rank;
  int64_t first = pt_node_int(node, "start", 0), last = pt_node_int(node, "end", n);
  first = CLAMP(first < 0 ? first + n : first, 0, n);
  last = CLAMP(last < 0 ? last + n : last, first, n);
  for (int64_t i = first; i < last; i++)
    sizes[i - first] = type->dims[i].size;
  bool size = g_str_equal(node->op_type, "Size");
  int64_t dims = last - first, total = pt_type_count(type);
  PtTensor *tensor = pt_arena_alloc(r->arena, sizeof *tensor);
  *tensor = (PtTensor){.dtype = PT_INT64, .rank = size ? 0 : 1, .count = size ? 1 : (size_t)dims};
  tensor->dims = pt_arena_copy(r->arena, &dims, sizeof dims);
  tensor->size = tensor->count * 8;
  tensor->data = pt_arena_copy(r->arena, size ? &total : sizes, MAX(tensor->size, 8));
  r->of_value[node->outputs[0]] = pt_expr_real(r, tensor);
}

static bool has_growth_room(const PtNode *node, const PtDense *inputs, size_t bound) {
  size_t sum = PT_REBIND_MARGIN;
  for (uint32_t i = 0; i < node->n_inputs; i++)
    sum = pt_size_add(sum, pt_size_mul(inputs[i].count, PT_REBIND_GROWTH));
  return bound <= sum;
}

/* Through the runtime: the results are kept, as nothing says how to get at one element. */
static void add_node(PtRebind *r, PtNodeId id, PtExpr *const *inputs, bool noisy, uint32_t depth) {
  const PtNode *node = pt_node(r->candidate, id);
  g_autofree PtDense *dense = g_new0(PtDense, node->n_inputs);
  g_autofree PtDense *results = g_new0(PtDense, node->n_outputs);
  for (uint32_t i = 0; i < node->n_inputs; i++)
    if (inputs[i])
      dense[i] = inputs[i]->type;
  bool ok = has_growth_room(node, dense, pt_rebind_node_growth(node, dense));
  for (uint32_t i = 0; i < node->n_inputs && ok; i++)
    ok = !inputs[i] || pt_expr_eval(r, inputs[i], &dense[i]);
  ok = ok && pt_rebind_node_eval(r->candidate, node, dense, results, NULL);
  for (uint32_t i = 0; i < node->n_inputs; i++)
    pt_dense_clear(&dense[i]);
  for (uint32_t i = 0; i < node->n_outputs && ok; i++) {
    PtExpr *e = pt_arena_alloc(r->arena, sizeof *e);
    *e = (PtExpr){.kind = PT_EXPR_NODE,
                  .noisy = noisy,
                  .rough = true,
                  .depth = depth,
                  .type = results[i],
                  .node = id,
                  .output = i,
                  .emitted = PT_NONE};
    e->inputs = pt_arena_copy(r->arena, inputs, node->n_inputs * sizeof *inputs);
    e->n_inputs = node->n_inputs;
    keep(r, e, &results[i]);
    g_ptr_array_add(noisy ? r->library : r->reals, e);
    if (node->outputs[i] != PT_NONE)
      r->of_value[node->outputs[i]] = e;
  }
}

static void add_fold(PtRebind *r, PtNodeId id) {
  const PtNode *node = pt_node(r->candidate, id);
  if (node->domain[0] == '\0' && node->n_inputs == 1 && node->inputs[0] != PT_NONE &&
      (g_str_equal(node->op_type, "Shape") || g_str_equal(node->op_type, "Size"))) {
    add_shape(r, node);
    return;
  }
  if (node->n_inputs == 0 || node->n_outputs == 0 || node->n_captures > 0)
    return;
  g_autofree PtExpr **inputs = g_new0(PtExpr *, node->n_inputs);
  g_autofree PtDense *dense = g_new0(PtDense, node->n_inputs);
  bool noisy = false;
  uint32_t depth = 0, n_data;
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    if (node->inputs[i] == PT_NONE)
      continue;
    inputs[i] = r->of_value[node->inputs[i]];
    if (!inputs[i])
      return;
    dense[i] = inputs[i]->type;
    noisy |= inputs[i]->noisy;
    depth = MAX(depth, inputs[i]->depth + 1);
  }
  PtForm form;
  PtExpr *e = NULL;
  if (pt_form_of_node(r->candidate, node, dense, &form, &n_data))
    e = form.op == PT_FORM_RESHAPE ? pt_expr_reshape(r, inputs[0], form.rank, form.dims)
                                   : pt_expr_of_form(r, &form, inputs, n_data);
  if (!e) {
    if (r->through_runtime)
      add_node(r, id, inputs, noisy, depth);
    return;
  }
  PtDense all;
  if (!noisy && !e->type.data && e->type.count <= SETTLE && pt_expr_eval(r, e, &all))
    keep(r, e, &all);
  r->of_value[node->outputs[0]] = e;
  g_ptr_array_add(noisy ? r->library : r->reals, e);
}

void pt_rebind_library(PtRebind *r) {
  const PtGraph *g = r->candidate;
  r->of_value = pt_arena_new_array(r->arena, PtExpr *, MAX(pt_graph_n_values(g), 1));
  g_array_set_size(r->weights, 0);
  g_ptr_array_set_size(r->library, 0);
  g_ptr_array_set_size(r->reals, 0);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    if (pt_value(g, v)->constant && !pt_value(g, v)->is_input)
      add_constant(r, v, pt_value(g, v)->constant);
  g_array_sort(r->weights, by_offset);
  g_autofree PtNodeId *order = g_new(PtNodeId, MAX(pt_graph_n_nodes(g), 1));
  if (pt_graph_toposort(g, order, NULL))
    for (uint32_t i = 0; i < pt_graph_n_nodes(g); i++)
      if (!pt_node(g, order[i])->dead)
        add_fold(r, order[i]);
  g_autoptr(GPtrArray) folds = g_steal_pointer(&r->library);
  r->library = g_ptr_array_new();
  pt_rebind_walk(r); /* formulas first: they are what optimizers make */
  for (guint i = 0; i < folds->len; i++)
    g_ptr_array_add(r->library, g_ptr_array_index(folds, i));
  for (guint i = 0; i < r->weights->len; i++)
    g_ptr_array_add(r->library, g_array_index(r->weights, PtWeight, i).expr);
}
