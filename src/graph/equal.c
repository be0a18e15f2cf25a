/* equal: the exact comparison behind a canonical hash: two sets of nodes, position by position. */
#include "graph/canonical_private.h"

#include <string.h>

/* What has been matched so far. Keys and values are ids + 1 or symbols of the two sides. */
typedef struct Match {
  const PtView *a, *b;
  uint32_t *to_b, *to_a;             /* local values, PT_NONE where not matched yet */
  GHashTable *symbol_ab, *symbol_ba; /* const char * -> const char * */
} Match;

static bool symbols_match(Match *m, const char *a, const char *b) {
  if (!a || !b)
    return a == b;
  const char *seen_b = g_hash_table_lookup(m->symbol_ab, a);
  const char *seen_a = g_hash_table_lookup(m->symbol_ba, b);
  if (!seen_a && !seen_b) {
    g_hash_table_insert(m->symbol_ab, (gpointer)a, (gpointer)b);
    g_hash_table_insert(m->symbol_ba, (gpointer)b, (gpointer)a);
    return true;
  }
  return seen_a && seen_b && g_str_equal(seen_b, b);
}

static bool types_match(Match *m, const PtType *a, const PtType *b) {
  if (a->kind != b->kind)
    return false;
  if (a->kind == PT_TYPE_OPAQUE)
    return a->opaque_size == b->opaque_size &&
           (a->opaque_size == 0 || memcmp(a->opaque, b->opaque, a->opaque_size) == 0);
  if (a->kind != PT_TYPE_TENSOR)
    return true;
  if (a->dtype != b->dtype || a->rank != b->rank)
    return false;
  for (int32_t i = 0; i < a->rank; i++)
    if (a->dims[i].size != b->dims[i].size ||
        (a->dims[i].size < 0 && !symbols_match(m, a->dims[i].symbol, b->dims[i].symbol)))
      return false;
  return true;
}

static uint32_t mapped_outer(const Match *m, PtValueId outer) {
  for (uint32_t i = 0; i < m->a->n_values; i++)
    if (m->a->values[i] == outer)
      return m->to_b[i] == PT_NONE ? PT_NONE : m->b->values[m->to_b[i]];
  return PT_NONE;
}

/* up: [values of the parent of a] its value in the parent of b, or NULL at the first level. */
static bool nested_equal(Match *m, const PtGraph *a, const PtGraph *b, const PtValueId *up);

static bool attrs_equal(Match *m, const PtNode *a, const PtNode *b, const PtValueId *up);

static bool nested_value(Match *m, const PtGraph *a, PtValueId va, const PtGraph *b, PtValueId vb,
                         const PtValueId *up, PtValueId *map) {
  if (va == PT_NONE || vb == PT_NONE)
    return va == vb;
  if (map[va] != PT_NONE)
    return map[va] == vb;
  const PtValue *x = pt_value(a, va), *y = pt_value(b, vb);
  if ((x->producer == PT_NONE) != (y->producer == PT_NONE) || !x->constant != !y->constant ||
      (x->outer == PT_NONE) != (y->outer == PT_NONE))
    return false;
  if (x->constant && !pt_tensor_equal(x->constant, y->constant, true))
    return false;
  if (x->outer != PT_NONE && (up ? up[x->outer] : mapped_outer(m, x->outer)) != y->outer)
    return false;
  map[va] = vb;
  return true;
}

static bool nested_node(Match *m, const PtGraph *a, const PtNode *x, const PtGraph *b,
                        const PtNode *y, const PtValueId *up, PtValueId *map) {
  if (!g_str_equal(x->op_type, y->op_type) || !g_str_equal(x->domain, y->domain) ||
      x->n_inputs != y->n_inputs || x->n_outputs != y->n_outputs || x->n_captures != y->n_captures)
    return false;
  for (uint32_t i = 0; i < x->n_inputs; i++)
    if (!nested_value(m, a, x->inputs[i], b, y->inputs[i], up, map))
      return false;
  for (uint32_t i = 0; i < x->n_captures; i++)
    if (!nested_value(m, a, x->captures[i], b, y->captures[i], up, map))
      return false;
  if (!attrs_equal(m, x, y, map))
    return false;
  for (uint32_t i = 0; i < x->n_outputs; i++)
    if (!nested_value(m, a, x->outputs[i], b, y->outputs[i], up, map))
      return false;
  return true;
}

static bool nested_equal(Match *m, const PtGraph *a, const PtGraph *b, const PtValueId *up) {
  if (a->inputs->len != b->inputs->len || a->outputs->len != b->outputs->len ||
      pt_graph_n_nodes(a) != pt_graph_n_nodes(b))
    return false;
  g_autofree PtValueId *map = g_new(PtValueId, pt_graph_n_values(a) + 1);
  for (uint32_t i = 0; i < pt_graph_n_values(a); i++)
    map[i] = PT_NONE;
  for (uint32_t i = 0; i < a->inputs->len; i++) {
    PtValueId x = pt_graph_input(a, i), y = pt_graph_input(b, i);
    if (!types_match(m, &pt_value(a, x)->type, &pt_value(b, y)->type))
      return false;
    map[x] = y;
  }
  for (uint32_t i = 0; i < pt_graph_n_nodes(a); i++) {
    const PtNode *x = pt_node(a, i), *y = pt_node(b, i);
    if (x->dead != y->dead || (!x->dead && !nested_node(m, a, x, b, y, up, map)))
      return false;
  }
  for (uint32_t i = 0; i < a->outputs->len; i++)
    if (!nested_value(m, a, pt_graph_output(a, i), b, pt_graph_output(b, i), up, map))
      return false;
  return true;
}

static bool attr_equal(Match *m, const PtAttr *a, const PtAttr *b, const PtValueId *up) {
  if (a->kind != PT_ATTR_GRAPH && a->kind != PT_ATTR_GRAPHS)
    return pt_attr_equal(a, b);
  if (a->kind != b->kind || a->count != b->count)
    return false;
  for (uint32_t i = 0; i < a->count; i++)
    if (!nested_equal(m, a->as.graphs[i], b->as.graphs[i], up))
      return false;
  return true;
}

static bool attrs_equal(Match *m, const PtNode *a, const PtNode *b, const PtValueId *up) {
  if (a->n_attrs != b->n_attrs)
    return false;
  for (uint32_t i = 0; i < a->n_attrs; i++) {
    const PtAttr *other = pt_node_attr(b, a->attrs[i].name);
    if (!other || !attr_equal(m, &a->attrs[i], other, up))
      return false;
  }
  return true;
}

/* Matches local value x of a with y of b, or checks that they were. */
static bool values_match(Match *m, uint32_t x, uint32_t y) {
  if (x == PT_NONE || y == PT_NONE)
    return x == y;
  const PtView *a = m->a, *b = m->b;
  if (a->seen[x] != b->seen[y])
    return false;
  const PtValue *va = pt_value(a->graph, a->values[x]), *vb = pt_value(b->graph, b->values[y]);
  if (a->seen[x] == PT_SEEN_REAL && !a->is_output[x] && !b->is_output[y])
    return pt_tensor_equal(va->constant, vb->constant, true);
  if (m->to_b[x] != PT_NONE || m->to_a[y] != PT_NONE)
    return m->to_b[x] == y && m->to_a[y] == x;
  if (a->is_output[x] != b->is_output[y])
    return false;
  if ((a->seen[x] == PT_SEEN_INPUT || a->is_output[x]) && !types_match(m, &va->type, &vb->type))
    return false;
  if (va->constant && a->seen[x] != PT_SEEN_INNER &&
      !pt_tensor_equal(va->constant, vb->constant, a->seen[x] == PT_SEEN_REAL))
    return false;
  m->to_b[x] = y;
  m->to_a[y] = x;
  return true;
}

static bool nodes_match(Match *m, uint32_t i) {
  const PtView *a = m->a, *b = m->b;
  const PtNode *x = pt_node(a->graph, a->nodes[i]), *y = pt_node(b->graph, b->nodes[i]);
  if (!g_str_equal(x->op_type, y->op_type) || !g_str_equal(x->domain, y->domain) ||
      x->n_inputs != y->n_inputs || x->n_outputs != y->n_outputs || x->n_captures != y->n_captures)
    return false;
  uint32_t in = a->in_start[i + 1] - a->in_start[i];
  uint32_t out = a->out_start[i + 1] - a->out_start[i];
  for (uint32_t k = 0; k < in; k++)
    if (!values_match(m, a->in[a->in_start[i] + k], b->in[b->in_start[i] + k]))
      return false;
  for (uint32_t k = 0; k < out; k++)
    if (!values_match(m, a->out[a->out_start[i] + k], b->out[b->out_start[i] + k]))
      return false;
  return attrs_equal(m, x, y, NULL);
}

static bool views_equal(const PtView *a, const PtView *b) {
  if (a->n != b->n)
    return false;
  g_autofree uint32_t *to_b = g_new(uint32_t, a->n_values + 1);
  g_autofree uint32_t *to_a = g_new(uint32_t, b->n_values + 1);
  g_autoptr(GHashTable) ab = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) ba = g_hash_table_new(g_str_hash, g_str_equal);
  memset(to_b, 0xff, (a->n_values + 1) * sizeof *to_b);
  memset(to_a, 0xff, (b->n_values + 1) * sizeof *to_a);
  Match m = {a, b, to_b, to_a, ab, ba};
  for (uint32_t i = 0; i < a->n; i++)
    if (!nodes_match(&m, i))
      return false;
  return true;
}

static bool same_types_outside(const PtGraph *a, const PtView *va, const PtGraph *b,
                               const PtView *vb, GArray *list_a, GArray *list_b) {
  uint64_t sum_a = 0, sum_b = 0;
  if (list_a->len != list_b->len)
    return false;
  for (uint32_t i = 0; i < list_a->len; i++) {
    sum_a += pt_type_hash(&pt_value(a, g_array_index(list_a, PtValueId, i))->type);
    sum_b += pt_type_hash(&pt_value(b, g_array_index(list_b, PtValueId, i))->type);
  }
  uint32_t outer_a = 0, outer_b = 0; /* outputs that no node makes */
  for (uint32_t i = 0; i < va->n_values; i++)
    outer_a += va->is_output[i] && va->producer[i] == PT_NONE;
  for (uint32_t i = 0; i < vb->n_values; i++)
    outer_b += vb->is_output[i] && vb->producer[i] == PT_NONE;
  return sum_a == sum_b && outer_a == outer_b;
}

bool pt_graph_equal(const PtGraph *a, const PtNodeId *order_a, const PtGraph *b,
                    const PtNodeId *order_b, PtConstantIsReal is_real, void *data) {
  uint32_t n_a = 0, n_b = 0;
  for (uint32_t i = 0; i < pt_graph_n_nodes(a); i++)
    n_a += !pt_node(a, i)->dead;
  for (uint32_t i = 0; i < pt_graph_n_nodes(b); i++)
    n_b += !pt_node(b, i)->dead;
  if (n_a != n_b)
    return false;
  g_autoptr(PtView) va = pt_view_new(a, order_a, n_a, (PtValueId *)(void *)a->outputs->data,
                                     a->outputs->len, is_real, data);
  g_autoptr(PtView) vb = pt_view_new(b, order_b, n_b, (PtValueId *)(void *)b->outputs->data,
                                     b->outputs->len, is_real, data);
  return same_types_outside(a, va, b, vb, a->inputs, b->inputs) &&
         same_types_outside(a, va, b, vb, a->outputs, b->outputs) && views_equal(va, vb);
}

bool pt_piece_equal(const PtGraph *graph_a, const PtPiece *a, const PtGraph *graph_b,
                    const PtPiece *b, PtConstantIsReal is_real, void *data) {
  if (a->hash != b->hash || a->nodes->len != b->nodes->len || a->inputs->len != b->inputs->len ||
      a->outputs->len != b->outputs->len)
    return false;
  g_autoptr(PtView) va =
      pt_view_new(graph_a, (PtNodeId *)(void *)a->nodes->data, a->nodes->len,
                  (PtValueId *)(void *)a->outputs->data, a->outputs->len, is_real, data);
  g_autoptr(PtView) vb =
      pt_view_new(graph_b, (PtNodeId *)(void *)b->nodes->data, b->nodes->len,
                  (PtValueId *)(void *)b->outputs->data, b->outputs->len, is_real, data);
  return views_equal(va, vb);
}
