/* sight.c: a candidate as an adversary reads it: operators, attributes, wiring, shapes; no names.
 */
#include "audit/audit_private.h"

#include "ops/ops.h"
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

#define SMALL_CONSTANT 64 /* elements; larger ones are weights or tables */

/* ---- sparse vectors -------------------------------------------------------------------------- */
void pt_sparse_clear(PtSparse *s) {
  g_free(s->id);
  g_free(s->count);
  *s = (PtSparse){0};
}

static int by_id(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

PtSparse pt_sparse_of(uint64_t *ids, uint32_t n) {
  PtSparse s = {0, g_new(uint64_t, n + 1), g_new(float, n + 1)};
  if (n)
    qsort(ids, n, sizeof *ids, by_id);
  for (uint32_t i = 0; i < n; i++) {
    if (s.n && s.id[s.n - 1] == ids[i])
      s.count[s.n - 1] += 1;
    else {
      s.id[s.n] = ids[i];
      s.count[s.n++] = 1;
    }
  }
  return s;
}

static double square(const PtSparse *s) {
  double sum = 0;
  for (uint32_t i = 0; i < s->n; i++)
    sum += (double)s->count[i] * (double)s->count[i];
  return sum;
}

double pt_sparse_cosine(const PtSparse *a, const PtSparse *b) {
  double dot = 0, norm = sqrt(square(a) * square(b));
  for (uint32_t i = 0, k = 0; i < a->n && k < b->n;) {
    if (a->id[i] == b->id[k])
      dot += (double)a->count[i++] * (double)b->count[k++];
    else if (a->id[i] < b->id[k])
      i++;
    else
      k++;
  }
  return norm > 0 ? dot / norm : a->n == b->n;
}

/* ---- types ----------------------------------------------------------------------------------- */
static bool all_known(const PtGraph *g) {
  for (uint32_t i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *node = pt_node(g, i);
    for (uint32_t k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] != PT_NONE &&
          pt_value(g, node->outputs[k])->type.kind == PT_TYPE_UNKNOWN)
        return false;
  }
  return true;
}

bool pt_sight_types(PtGraph *g, GError **error) {
  uint32_t n = pt_graph_n_nodes(g);
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)n + 1);
  g_autoptr(GArray) types = g_array_new(FALSE, TRUE, sizeof(PtType));
  if (!pt_graph_toposort(g, order, error))
    return false;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtValue *value = pt_value(g, v);
    if (value->constant && value->type.kind == PT_TYPE_UNKNOWN)
      value->type = pt_type_of_constant(g, value->constant);
  }
  for (uint32_t i = 0; i < n; i++) {
    const PtNode *node = pt_node(g, order[i]);
    g_array_set_size(types, node->n_outputs);
    PtType *found = (PtType *)(void *)types->data;
    if (node->n_outputs == 0 || !pt_op_infer(g, node, found))
      continue;
    for (uint32_t k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] != PT_NONE &&
          pt_value(g, node->outputs[k])->type.kind == PT_TYPE_UNKNOWN)
        pt_value(g, node->outputs[k])->type = found[k];
  }
  return all_known(g) || pt_runtime_infer_types(g, error);
}

/* ---- nodes ----------------------------------------------------------------------------------- */
static uint64_t text(const char *s) {
  return pt_hash64(s, strlen(s), 1);
}

uint64_t pt_sight_operator(const char *name) {
  return text(name);
}

/* Width and the rest of a tensor's sizes, its first axis apart. */
static void sizes(const PtType *t, int32_t *width, int64_t *area) {
  int32_t channel = t->rank >= 4 ? 1 : t->rank - 1;
  *width = 0;
  *area = 1;
  if (t->kind != PT_TYPE_TENSOR || t->rank < 1)
    return;
  *width = (int32_t)CLAMP(t->dims[channel].size, -1, INT32_MAX);
  for (int32_t i = 1; i < t->rank; i++)
    if (i != channel && t->dims[i].size > 0 && *area < INT64_C(1) << 40)
      *area *= t->dims[i].size;
}

static uint64_t attr_hash(const PtAttr *a) {
  uint64_t h = pt_hash_mix(text(a->name), a->kind);
  switch (a->kind) {
  case PT_ATTR_FLOAT:
  case PT_ATTR_FLOATS:
    return pt_hash64(a->as.floats, a->count * sizeof *a->as.floats, h);
  case PT_ATTR_INT:
  case PT_ATTR_INTS:
    return pt_hash64(a->as.ints, a->count * sizeof *a->as.ints, h);
  case PT_ATTR_STRING:
  case PT_ATTR_STRINGS:
    for (uint32_t i = 0; i < a->count; i++) {
      gsize size;
      const void *data = g_bytes_get_data(a->as.strings[i], &size);
      h = pt_hash64(data, size, h);
    }
    return h;
  default:
    return pt_hash_mix(h, a->count);
  }
}

/* Attributes add up, so that their order does not matter; groups by what they are for. */
static void hash_attrs(const PtNode *node, int32_t width_in, PtSightNode *out) {
  for (uint32_t i = 0; i < node->n_attrs; i++) {
    const PtAttr *a = &node->attrs[i];
    uint64_t h = attr_hash(a);
    out->exact += h;
    if (a->kind == PT_ATTR_FLOAT || a->kind == PT_ATTR_FLOATS)
      continue;
    if (a->kind == PT_ATTR_INT && g_str_equal(a->name, "group"))
      h = pt_hash_mix(text("group"), *a->as.ints == 1 ? 1 : *a->as.ints == width_in ? 2 : 3);
    out->token += h;
    if (g_str_equal(a->name, "strides") && a->count && *a->as.ints > 1)
      out->plain += h;
  }
}

static void add_constant(const PtTensor *c, uint32_t slot, PtSightNode *out) {
  out->token += pt_hash_mix(slot, 77);
  out->weights += (double)c->count;
  if (c->count == 1 && c->data && !c->location && pt_dtype_is_float(c->dtype)) {
    out->scalars++;
    out->scalar = pt_hash64(c->data, c->size, 3);
  }
  uint64_t shape = pt_hash64(c->dims, c->rank * sizeof *c->dims, c->rank);
  if (c->rank > 2 && slot == 1) /* a kernel */
    out->plain += pt_hash64(c->dims + 2, (c->rank - 2) * sizeof *c->dims, 9);
  if (c->data && c->count <= SMALL_CONSTANT)
    out->exact += pt_hash_mix(slot, pt_hash64(c->data, c->size, shape));
}

static void read_node(const PtGraph *g, const PtNode *node, const int32_t *maker, PtSight *view,
                      GArray *refs) {
  PtSightNode *out = &view->nodes[view->n++];
  const PtOp *known = pt_op_of(node);
  *out = (PtSightNode){.name = known ? known->name : "other",
                       .op = text(node->op_type),
                       .in = refs->len,
                       .area = 1,
                       .area_in = 1};
  bool first = true;
  for (uint32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] == PT_NONE)
      continue;
    const PtValue *value = pt_value(g, node->inputs[k]);
    if (value->constant) {
      add_constant(value->constant, k, out);
      continue;
    }
    if (first)
      sizes(&value->type, &out->width_in, &out->area_in);
    first = false;
    g_array_append_val(refs, maker[node->inputs[k]]);
  }
  for (uint32_t k = 0; k < node->n_captures; k++)
    if (!pt_value(g, node->captures[k])->constant)
      g_array_append_val(refs, maker[node->captures[k]]);
  out->n_in = refs->len - out->in;
  hash_attrs(node, out->width_in, out);
  out->plain = pt_hash_mix(out->op, out->plain);
  out->token = pt_hash_mix(out->op, out->token);
  out->exact = pt_hash_mix(out->token, out->exact);
  for (uint32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != PT_NONE) {
      const PtType *t = &pt_value(g, node->outputs[k])->type;
      sizes(t, &out->width, &out->area);
      out->rank = t->kind == PT_TYPE_TENSOR ? t->rank : -1;
      out->dtype = (int32_t)t->dtype;
      break;
    }
  out->work = out->weights > 0 ? out->weights * (double)out->area
                               : (double)MAX(out->width, 1) * (double)out->area;
}

static void count_uses(const PtGraph *g, const int32_t *maker, PtSight *view) {
  for (uint32_t i = 0; i < view->n; i++)
    for (uint32_t k = 0; k < view->nodes[i].n_in; k++) {
      int32_t from = view->refs[view->nodes[i].in + k];
      if (from >= 0)
        view->nodes[from].n_uses++;
    }
  for (uint32_t k = 0; k < view->n_outputs; k++) {
    int32_t from = maker[pt_graph_output(g, k)];
    if (from >= 0)
      view->nodes[from].outs++;
  }
}

PtSight *pt_sight_new(const PtGraph *g) {
  uint32_t n = pt_graph_n_nodes(g);
  PtSight *view = g_new0(PtSight, 1);
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)n + 1);
  g_autofree int32_t *maker = g_new0(int32_t, (gsize)pt_graph_n_values(g) + 1);
  GArray *refs = g_array_new(FALSE, FALSE, sizeof(int32_t));
  view->nodes = g_new0(PtSightNode, (gsize)n + 1);
  view->log_pi = NAN;
  view->n_inputs = g->inputs->len;
  view->n_outputs = g->outputs->len;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    maker[v] = -1;
  for (uint32_t i = 0; i < g->inputs->len; i++)
    maker[pt_graph_input(g, i)] = -1 - (int32_t)i;
  if (pt_graph_toposort(g, order, NULL))
    for (uint32_t i = 0; i < n; i++) {
      const PtNode *node = pt_node(g, order[i]);
      for (uint32_t k = 0; k < node->n_outputs; k++)
        if (node->outputs[k] != PT_NONE)
          maker[node->outputs[k]] = (int32_t)i;
      read_node(g, node, maker, view, refs);
    }
  view->refs = (int32_t *)(void *)g_array_free(refs, FALSE);
  count_uses(g, maker, view);
  pt_features_of_sight(view);
  return view;
}

void pt_sight_free(PtSight *view) {
  if (!view)
    return;
  g_free(view->nodes);
  g_free(view->refs);
  pt_sparse_clear(&view->features);
  pt_sparse_clear(&view->plain);
  pt_sparse_clear(&view->labels);
  pt_sparse_clear(&view->answer_ops);
  g_free(view);
}
