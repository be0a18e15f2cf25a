/* draft: building a sentinel node by node, every value typed as soon as it is there. */
#include "sentinel/sentinel_private.h"

#include <math.h>
#include <string.h>

#define SHARED_BYTES 4096 /* larger tensors are referenced, their graph held */

/* clang-format off */
G_DEFINE_QUARK(pt-sentinel-error-quark, pt_sentinel_error)
/* clang-format on */

const PtType *pt_draft_type(const PtDraft *draft, PtValueId value) {
  return &pt_value(draft->graph, value)->type;
}

bool pt_draft_settle(PtDraft *draft, PtNodeId id) {
  const PtNode *node = pt_node(draft->graph, id);
  g_autofree PtType *types = g_new0(PtType, node->n_outputs + 1);
  if (!pt_op_infer(draft->graph, node, types))
    return false;
  for (uint32_t i = 0; i < node->n_outputs; i++) {
    if (node->outputs[i] == PT_NONE)
      continue;
    if (types[i].kind != PT_TYPE_TENSOR || types[i].rank < 0)
      return false;
    for (int32_t d = 0; d < types[i].rank; d++)
      if (types[i].dims[d].size == 0)
        return false;
    pt_value(draft->graph, node->outputs[i])->type = types[i];
  }
  return true;
}

PtValueId pt_draft_op(PtDraft *draft, const char *op_type, const PtValueId *inputs,
                      uint32_t n_inputs, const PtAttrSpec *attrs, uint32_t n_attrs) {
  PtGraph *g = draft->graph;
  for (uint32_t i = 0; i < n_inputs; i++)
    if (i == 0 && inputs[i] == PT_NONE)
      return PT_NONE;
  PtValueId out = pt_graph_add_op(g, op_type, inputs, n_inputs);
  PtNodeId node = pt_value(g, out)->producer;
  for (uint32_t i = 0; i < n_attrs; i++) {
    const PtAttrSpec *a = &attrs[i];
    if (a->kind == PT_ATTR_INT)
      pt_node_set_int(g, node, a->name, a->i);
    else if (a->kind == PT_ATTR_FLOAT)
      pt_node_set_float(g, node, a->name, (float)a->f);
    else
      pt_node_set_ints(g, node, a->name, a->ints, a->n);
  }
  return pt_draft_settle(draft, node) ? out : PT_NONE;
}

static PtValueId add_constant(PtDraft *draft, PtTensor *tensor) {
  if (!tensor)
    return PT_NONE;
  PtValueId v = pt_graph_add_constant(draft->graph, NULL, tensor);
  pt_value(draft->graph, v)->type = pt_type_of_constant(draft->graph, tensor);
  return v;
}

/* ---- floats of the model's own format
 * ---------------------------------------------------------------- */
static uint16_t half_of(double x) {
  double a = fabs(x);
  uint16_t sign = signbit(x) ? 0x8000 : 0;
  if (isnan(x))
    return 0x7e00;
  if (a >= 65520)
    return (uint16_t)(sign | (isinf(x) ? 0x7c00 : 0x7bff));
  int e;
  double m = frexp(a, &e); /* a = m * 2^e, m in [0.5, 1) */
  if (a == 0 || e < -13)
    return (uint16_t)(sign | (uint16_t)lrint(a * 0x1p24));
  long bits = lrint((m - 0.5) * 2048.0) + ((long)(e + 14) << 10);
  return (uint16_t)(sign | (uint16_t)bits);
}

static void put_float(PtDtype dtype, double x, uint8_t out[8]) {
  float f = (float)x;
  uint32_t u;
  memcpy(&u, &f, 4);
  uint16_t h = dtype == PT_FLOAT16 ? half_of(x) : (uint16_t)(u >> 16);
  if (dtype == PT_FLOAT)
    memcpy(out, &f, 4);
  else if (dtype == PT_DOUBLE)
    memcpy(out, &x, 8);
  else
    memcpy(out, &h, 2);
}

PtValueId pt_draft_scalar(PtDraft *draft, double value) {
  uint8_t bytes[8] = {0};
  put_float(draft->dtype, value, bytes);
  return add_constant(draft, pt_graph_tensor_copy(draft->graph, draft->dtype, 0, NULL, bytes));
}

PtValueId pt_draft_weight(PtDraft *draft, uint32_t rank, const int64_t *dims) {
  size_t count = 1;
  for (uint32_t i = 0; i < rank; i++) {
    if (dims[i] <= 0)
      return PT_NONE;
    count = pt_size_mul(count, (size_t)dims[i]);
  }
  if (count > (size_t)1 << 28) /* a gigabyte for one weight is no natural look-alike */
    return PT_NONE;
  if (count > 1)
    return add_constant(draft, pt_graph_tensor(draft->graph, draft->dtype, rank, dims, NULL));
  uint8_t bytes[8] = {0}; /* single floats stay real, so they need a value */
  put_float(draft->dtype, 0.5 + pt_rng_unit(draft->rng), bytes);
  return add_constant(draft, pt_graph_tensor_copy(draft->graph, draft->dtype, rank, dims, bytes));
}

PtValueId pt_draft_ints(PtDraft *draft, const int64_t *values, uint32_t count) {
  int64_t dims[1] = {count};
  return add_constant(draft, pt_graph_tensor_copy(draft->graph, PT_INT64, 1, dims, values));
}

PtTensor *pt_draft_tensor_like(PtDraft *draft, const PtTensor *from) {
  PtGraph *g = draft->graph;
  if (!pt_dtype_is_float(from->dtype) || from->dtype == draft->dtype)
    return from->data && from->count <= SHARED_BYTES
               ? pt_graph_tensor_copy(g, from->dtype, from->rank, from->dims, from->data)
               : pt_graph_tensor(g, from->dtype, from->rank, from->dims, from->data);
  if (!from->data)
    return pt_graph_tensor(g, draft->dtype, from->rank, from->dims, NULL);
  if (from->count > SHARED_BYTES)
    return NULL;
  size_t size = pt_dtype_size(draft->dtype, 1);
  g_autofree uint8_t *bytes = g_malloc0(size * from->count + 8);
  for (size_t i = 0; i < from->count; i++)
    put_float(draft->dtype, pt_tensor_float_at(from, i), bytes + i * size);
  return pt_graph_tensor_copy(g, draft->dtype, from->rank, from->dims, bytes);
}

/* ---- finishing
 * ------------------------------------------------------------------------------------- */
typedef struct Rebuild {
  const PtGraph *from;
  PtGraph *to;
  PtValueId *map;
  PtRole *roles;
  bool holds;
} Rebuild;

static PtTensor *rebuild_tensor(Rebuild *r, PtValueId v) {
  const PtTensor *t = pt_value(r->from, v)->constant;
  if (r->roles && r->roles[v] != PT_ROLE_REAL)
    return pt_graph_tensor(r->to, t->dtype, t->rank, t->dims, NULL);
  if (t->data && t->size <= SHARED_BYTES)
    return pt_graph_tensor_copy(r->to, t->dtype, t->rank, t->dims, t->data);
  PtTensor *same = pt_arena_copy(r->to->arena, t, sizeof *t);
  same->dims = pt_arena_copy(r->to->arena, t->dims, sizeof(int64_t) * t->rank);
  if (!r->holds && (t->data || t->strings)) {
    pt_graph_hold(r->to, pt_graph_ref((PtGraph *)r->from), (GDestroyNotify)pt_graph_unref);
    r->holds = true;
  }
  return same;
}

static PtValueId rebuild_value(Rebuild *r, PtValueId v) {
  if (v == PT_NONE || r->map[v] != PT_NONE)
    return v == PT_NONE ? PT_NONE : r->map[v];
  const PtValue *value = pt_value(r->from, v);
  r->map[v] = value->constant ? pt_graph_add_constant(r->to, NULL, rebuild_tensor(r, v))
                              : pt_graph_add_value(r->to, NULL);
  pt_value(r->to, r->map[v])->type = pt_type_copy(r->to, &value->type);
  return r->map[v];
}

static void rebuild_node(Rebuild *r, const PtNode *node) {
  g_autofree PtValueId *in = g_new(PtValueId, node->n_inputs + 1);
  g_autofree PtValueId *out = g_new(PtValueId, node->n_outputs + 1);
  for (uint32_t i = 0; i < node->n_captures; i++)
    rebuild_value(r, node->captures[i]);
  for (uint32_t i = 0; i < node->n_inputs; i++)
    in[i] = rebuild_value(r, node->inputs[i]);
  for (uint32_t i = 0; i < node->n_outputs; i++)
    out[i] = rebuild_value(r, node->outputs[i]);
  PtNodeId id = pt_graph_add_node(r->to, node->domain, node->op_type, in, node->n_inputs, out,
                                  node->n_outputs);
  for (uint32_t a = 0; a < node->n_attrs; a++)
    pt_node_add_attr_copy(r->to, id, &node->attrs[a], r->map);
}

PtGraph *pt_rebuild(const PtGraph *graph, bool strip) {
  uint32_t n = pt_graph_n_nodes(graph);
  g_autofree PtNodeId *order = g_new(PtNodeId, n + 1);
  if (!pt_graph_toposort(graph, order, NULL))
    return NULL;
  Rebuild r = {.from = graph, .to = pt_graph_new()};
  r.roles = strip ? pt_roles(graph) : NULL;
  r.map = g_new(PtValueId, pt_graph_n_values(graph) + 1);
  for (PtValueId v = 0; v <= pt_graph_n_values(graph); v++)
    r.map[v] = PT_NONE;
  r.to->ir_version = graph->ir_version;
  for (uint32_t i = 0; i < graph->opsets->len; i++) {
    const PtOpset *o = &g_array_index(graph->opsets, PtOpset, i);
    pt_graph_set_opset(r.to, o->domain, o->version);
  }
  for (uint32_t i = 0; i < graph->inputs->len; i++) {
    PtValueId v = pt_graph_input(graph, i);
    r.map[v] = pt_graph_add_input(r.to, NULL, &pt_value(graph, v)->type);
  }
  for (uint32_t i = 0; i < n; i++)
    if (!pt_node(graph, order[i])->dead)
      rebuild_node(&r, pt_node(graph, order[i]));
  for (uint32_t i = 0; i < graph->outputs->len; i++)
    pt_graph_add_output(r.to, rebuild_value(&r, pt_graph_output(graph, i)));
  pt_graph_refresh_captures(r.to);
  g_free(r.roles);
  g_free(r.map);
  return r.to;
}

bool pt_draft_finish(PtDraft *draft) {
  PtGraph *g = draft->graph;
  pt_graph_remove_unused(g);
  PtGraph *ordered = pt_rebuild(g, false);
  if (!ordered)
    return false;
  pt_graph_unref(g);
  draft->graph = ordered;
  g_autoptr(PtUses) uses = pt_uses_new(ordered);
  for (uint32_t i = 0; i < ordered->inputs->len; i++)
    if (pt_uses_count(uses, pt_graph_input(ordered, i)) == 0)
      return false;
  for (uint32_t i = 0; i < ordered->outputs->len; i++)
    if (pt_value(ordered, pt_graph_output(ordered, i))->producer == PT_NONE)
      return false;
  return true;
}
