/* Writes expressions as standard nodes, marked by name, over external slices of noise.bin. */
#include "bundle/bundle.h"
#include "rebind/rebind_private.h"

#include <string.h>

/* Indices and the like, which the candidate has too. */
#define MAX_REAL_BYTES (1u << 26)

static bool emit_error(GError **error, const char *why) {
  g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED, "a derivation cannot be written: %s", why);
  return false;
}

static PtValueId emit_source(PtRebind *r, const PtExpr *e) {
  PtGraph *g = r->optimized;
  g_autoptr(GString) key = g_string_new(NULL);
  g_string_printf(key, "%d@%" G_GUINT64_FORMAT, (int)e->type.dtype, e->offset);
  for (uint32_t i = 0; i < e->type.rank; i++)
    g_string_append_printf(key, ",%" G_GINT64_FORMAT, e->type.dims[i]);
  gpointer known = g_hash_table_lookup(r->sources, key->str);
  if (known)
    return GPOINTER_TO_UINT(known) - 1;
  PtTensor *tensor = pt_graph_tensor(g, e->type.dtype, e->type.rank, e->type.dims, NULL);
  if (!tensor)
    return PT_NONE;
  tensor->location = pt_arena_string(g->arena, PT_NOISE_FILE);
  tensor->offset = e->offset;
  PtValueId value = pt_graph_add_constant(g, NULL, tensor);
  g_hash_table_insert(r->sources, g_strdup(key->str), GUINT_TO_POINTER(value + 1));
  return value;
}

static PtValueId emit_expr(PtRebind *r, PtExpr *e, PtValueId out, GError **error);

/* ONNX Runtime wants names of nodes to differ. */
static void mark(PtGraph *g, PtNodeId id) {
  char name[32];
  g_snprintf(name, sizeof name, PT_REBIND_NODE "%u", id);
  pt_node(g, id)->name = pt_arena_string(g->arena, name);
}

/* The node's output is `out`, or a fresh value where that is PT_NONE. */
static PtValueId add_marked(PtRebind *r, const char *op, const PtValueId *inputs, uint32_t n,
                            PtValueId out, PtNodeId *id) {
  PtGraph *g = r->optimized;
  if (out == PT_NONE)
    out = pt_graph_add_value(g, NULL);
  *id = pt_graph_add_node(g, "", op, inputs, n, &out, 1);
  mark(g, *id);
  return out;
}

static PtValueId emit_slice(PtRebind *r, const PtExpr *e, PtValueId in, PtValueId out) {
  PtGraph *g = r->optimized;
  const PtForm *form = &e->form;
  int64_t starts[PT_MAX_RANK], ends[PT_MAX_RANK], axes[PT_MAX_RANK], steps[PT_MAX_RANK];
  uint32_t n = 0;
  bool stepped = false;
  for (uint32_t i = 0; i < form->rank; i++) {
    if (form->dims[i] == e->inputs[0]->type.dims[i] && form->b[i] == 1)
      continue;
    axes[n] = i;
    starts[n] = form->a[i];
    steps[n] = form->b[i];
    stepped |= steps[n] != 1;
    ends[n] = form->a[i] + (form->dims[i] - 1) * form->b[i] + (form->b[i] > 0 ? 1 : -1);
    if (ends[n] < 0)
      ends[n] = INT64_MIN + 1; /* past the front */
    n++;
  }
  PtNodeId id;
  if (pt_graph_opset(g, "") >= 10) {
    PtValueId inputs[5] = {in, pt_graph_add_ints(g, starts, n), pt_graph_add_ints(g, ends, n),
                           pt_graph_add_ints(g, axes, n), PT_NONE};
    if (stepped)
      inputs[4] = pt_graph_add_ints(g, steps, n);
    return add_marked(r, "Slice", inputs, stepped ? 5 : 4, out, &id);
  }
  if (stepped)
    return PT_NONE;
  out = add_marked(r, "Slice", &in, 1, out, &id);
  pt_node_set_ints(g, id, "axes", axes, n);
  pt_node_set_ints(g, id, "ends", ends, n);
  pt_node_set_ints(g, id, "starts", starts, n);
  return out;
}

static PtValueId emit_pad(PtRebind *r, const PtExpr *e, PtValueId in, PtValueId out) {
  PtGraph *g = r->optimized;
  const PtForm *form = &e->form;
  int64_t pads[2 * PT_MAX_RANK];
  for (uint32_t i = 0; i < form->rank; i++) {
    pads[i] = form->a[i];
    pads[i + form->rank] = form->dims[i] - form->a[i] - e->inputs[0]->type.dims[i];
  }
  PtNodeId id;
  if (pt_graph_opset(g, "") >= 11) {
    PtValueId inputs[2] = {in, pt_graph_add_ints(g, pads, 2 * (size_t)form->rank)};
    return add_marked(r, "Pad", inputs, 2, out, &id);
  }
  out = add_marked(r, "Pad", &in, 1, out, &id);
  pt_node_set_ints(g, id, "pads", pads, 2 * form->rank);
  return out;
}

/* Expand came with opset 8; Tile does the same on axes of one element. */
static PtValueId emit_expand(PtRebind *r, const PtExpr *e, PtValueId in, PtValueId out) {
  PtGraph *g = r->optimized;
  const PtForm *form = &e->form;
  PtNodeId id;
  if (pt_graph_opset(g, "") >= 8) {
    PtValueId inputs[2] = {in, pt_graph_add_ints(g, form->dims, form->rank)};
    return add_marked(r, "Expand", inputs, 2, out, &id);
  }
  int64_t ones[PT_MAX_RANK], repeats[PT_MAX_RANK];
  uint32_t missing = form->rank - e->inputs[0]->type.rank;
  for (uint32_t i = 0; i < form->rank; i++) {
    ones[i] = i < missing ? 1 : e->inputs[0]->type.dims[i - missing];
    repeats[i] = ones[i] == 1 ? form->dims[i] : 1;
  }
  PtValueId inputs[2] = {in, pt_graph_add_ints(g, ones, form->rank)};
  if (missing > 0)
    inputs[0] = add_marked(r, "Reshape", inputs, 2, PT_NONE, &id);
  inputs[1] = pt_graph_add_ints(g, repeats, form->rank);
  return add_marked(r, "Tile", inputs, 2, out, &id);
}

static PtValueId emit_form(PtRebind *r, PtExpr *e, PtValueId out, GError **error) {
  static const char *const arithmetic[] = {[PT_FORM_ADD] = "Add",
                                           [PT_FORM_SUB] = "Sub",
                                           [PT_FORM_MUL] = "Mul",
                                           [PT_FORM_DIV] = "Div",
                                           [PT_FORM_SQRT] = "Sqrt",
                                           [PT_FORM_NEG] = "Neg",
                                           [PT_FORM_RECIPROCAL] = "Reciprocal",
                                           [PT_FORM_CAST] = "Cast"};
  PtGraph *g = r->optimized;
  const PtForm *form = &e->form;
  g_autofree PtValueId *in = g_new(PtValueId, e->n_inputs + 1);
  PtNodeId id;
  if (e->n_inputs == 0 || form->op == PT_FORM_NONE)
    return PT_NONE;
  for (uint32_t i = 0; i < e->n_inputs; i++)
    if ((in[i] = emit_expr(r, e->inputs[i], PT_NONE, error)) == PT_NONE)
      return PT_NONE;
  switch (form->op) {
  case PT_FORM_SLICE:
    return emit_slice(r, e, in[0], out);
  case PT_FORM_PAD:
    return emit_pad(r, e, in[0], out);
  case PT_FORM_EXPAND:
    return emit_expand(r, e, in[0], out);
  case PT_FORM_RESHAPE:
    in[1] = pt_graph_add_ints(g, form->dims, form->rank);
    return add_marked(r, "Reshape", in, 2, out, &id);
  case PT_FORM_TRANSPOSE:
    out = add_marked(r, "Transpose", in, 1, out, &id);
    pt_node_set_ints(g, id, "perm", form->a, form->rank);
    return out;
  case PT_FORM_CONCAT:
    out = add_marked(r, "Concat", in, e->n_inputs, out, &id);
    pt_node_set_int(g, id, "axis", form->a[0]);
    return out;
  default:
    out = add_marked(r, arithmetic[form->op], in, e->n_inputs, out, &id);
    if (form->op == PT_FORM_CAST)
      pt_node_set_int(g, id, "to", form->dtype);
    return out;
  }
}

/* A node of the candidate that has no form: copied, so the operator set must mean the same on both
 * sides. */
static PtValueId emit_node(PtRebind *r, PtExpr *e, PtValueId out, GError **error) {
  const PtNode *node = pt_node(r->candidate, e->node);
  if (pt_graph_opset(r->candidate, "") != pt_graph_opset(r->optimized, "")) {
    emit_error(error, "the optimizer changed the operator set's version");
    return PT_NONE;
  }
  g_autofree PtValueId *in = g_new(PtValueId, node->n_inputs);
  g_autofree PtValueId *outs = g_new(PtValueId, node->n_outputs);
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    in[i] = PT_NONE;
    if (e->inputs[i] && (in[i] = emit_expr(r, e->inputs[i], PT_NONE, error)) == PT_NONE)
      return PT_NONE;
  }
  for (uint32_t i = 0; i < node->n_outputs; i++)
    outs[i] = i == e->output && out != PT_NONE ? out : pt_graph_add_value(r->optimized, NULL);
  PtNodeId id =
      pt_graph_add_node(r->optimized, "", node->op_type, in, node->n_inputs, outs, node->n_outputs);
  mark(r->optimized, id);
  for (uint32_t i = 0; i < node->n_attrs; i++)
    pt_node_add_attr_copy(r->optimized, id, &node->attrs[i], NULL);
  return outs[e->output];
}

/* PT_NONE with *error where it cannot be written. */
static PtValueId emit_expr(PtRebind *r, PtExpr *e, PtValueId out, GError **error) {
  if (out == PT_NONE && e->emitted != PT_NONE)
    return e->emitted;
  PtValueId value = PT_NONE;
  PtDense all;
  if (!e->noisy) {
    if (e->type.size <= MAX_REAL_BYTES && pt_expr_eval(r, e, &all)) {
      PtTensor *tensor =
          pt_graph_tensor_copy(r->optimized, all.dtype, all.rank, all.dims, all.data);
      value = tensor ? pt_graph_add_constant(r->optimized, NULL, tensor) : PT_NONE;
      pt_dense_clear(&all);
    }
  } else if (e->kind == PT_EXPR_SOURCE)
    value = emit_source(r, e);
  else if (e->kind == PT_EXPR_FORM)
    value = emit_form(r, e, out, error);
  else
    value = emit_node(r, e, out, error);
  if (value == PT_NONE && (!error || !*error))
    emit_error(error, "an operator has no form in this operator set's version");
  if (out == PT_NONE)
    e->emitted = value;
  return value;
}

bool pt_rebind_emit(PtRebind *r, PtExpr *e, PtValueId value, GError **error) {
  PtGraph *g = r->optimized;
  if (e->kind == PT_EXPR_SOURCE) {
    PtTensor *tensor = pt_graph_tensor(g, e->type.dtype, e->type.rank, e->type.dims, NULL);
    if (!tensor)
      return emit_error(error, "a slice has no valid shape");
    tensor->location = pt_arena_string(g->arena, PT_NOISE_FILE);
    tensor->offset = e->offset;
    pt_value(g, value)->constant = tensor;
    return true;
  }
  PtTensor *before = pt_value(g, value)->constant;
  pt_value(g, value)->constant = NULL;
  GError *inner = NULL;
  if (emit_expr(r, e, value, &inner) == PT_NONE) {
    pt_value(g, value)->constant = before;
    g_propagate_prefixed_error(error, inner, "constant '%s': ", pt_value(g, value)->name);
    return false;
  }
  return true;
}
