/* axes: which axes of a piece's values have to be of one size: elementwise operands, what a
 * depthwise convolution passes, what a transpose moves. Where a weight decides the size of a class,
 * that class is free. */
#include "sentinel/sentinel_private.h"

static uint32_t find(PtAxes *a, uint32_t v) {
  while (a->parent[v] != v)
    v = a->parent[v] = a->parent[a->parent[v]];
  return v;
}

uint32_t pt_axes_root(PtAxes *axes, PtValueId value, int32_t axis) {
  return find(axes, axes->start[value] + (uint32_t)axis);
}

typedef struct View {
  PtAxes *axes;
  const PtGraph *graph;
} View;

static const PtType *type_of(const View *w, PtValueId v) {
  if (v == PT_NONE)
    return NULL;
  const PtType *t = &pt_value(w->graph, v)->type;
  return t->kind == PT_TYPE_TENSOR && t->rank >= 0 && t->rank <= PT_FACE_RANK ? t : NULL;
}

static void join(View *w, PtValueId a, int32_t i, PtValueId b, int32_t j) {
  const PtType *ta = type_of(w, a), *tb = type_of(w, b);
  if (!ta || !tb || i < 0 || j < 0 || i >= ta->rank || j >= tb->rank)
    return;
  if (ta->dims[i].size != tb->dims[j].size)
    return; /* padded, cut or broadcast: not the same axis */
  uint32_t x = pt_axes_root(w->axes, a, i), y = pt_axes_root(w->axes, b, j);
  if (x == y)
    return;
  w->axes->parent[y] = x;
  w->axes->free[x] |= w->axes->free[y];
}

static void set_free(View *w, PtValueId v, int32_t axis) {
  const PtType *t = type_of(w, v);
  if (t && axis >= 0 && axis < t->rank)
    w->axes->free[pt_axes_root(w->axes, v, axis)] = true;
}

/* Aligned at the end, as broadcasting does; sizes of one do not bind. */
static void join_aligned(View *w, PtValueId a, PtValueId b) {
  const PtType *ta = type_of(w, a), *tb = type_of(w, b);
  if (!ta || !tb)
    return;
  for (int32_t k = 1; k <= MIN(ta->rank, tb->rank); k++)
    if (ta->dims[ta->rank - k].size != 1)
      join(w, a, ta->rank - k, b, tb->rank - k);
}

static void join_same(View *w, PtValueId a, PtValueId b, int32_t axes) {
  const PtType *t = type_of(w, a);
  for (int32_t i = 0; t && i < MIN(axes, t->rank); i++)
    join(w, a, i, b, i);
}

int pt_dim_groups(const PtType *in, const PtType *out, PtDimGroup *groups) {
  int32_t i = 0, j = 0;
  int n = 0;
  while (i < in->rank || j < out->rank) {
    if (n == PT_FACE_RANK * 2)
      return -1;
    PtDimGroup g = {.in = i, .in_end = i, .out = j, .out_end = j};
    int64_t a = 1, b = 1;
    if (i < in->rank)
      a = in->dims[i].size, g.in_end = ++i;
    if (j < out->rank)
      b = out->dims[j].size, g.out_end = ++j;
    while (a != b) {
      if (a < 0 || b < 0 || (a < b ? i >= in->rank : j >= out->rank))
        return -1;
      if (a < b)
        a = in->dims[i].size < 0 ? -2 : a * in->dims[i].size, g.in_end = ++i;
      else
        b = out->dims[j].size < 0 ? -2 : b * out->dims[j].size, g.out_end = ++j;
    }
    groups[n++] = g;
  }
  return n;
}

static void join_reshape(View *w, PtValueId in, PtValueId out) {
  PtDimGroup groups[PT_FACE_RANK * 2];
  const PtType *a = type_of(w, in), *b = type_of(w, out);
  int n = a && b ? pt_dim_groups(a, b, groups) : 0;
  for (int i = 0; i < n; i++)
    if (groups[i].in_end - groups[i].in == 1 && groups[i].out_end - groups[i].out == 1)
      join(w, in, groups[i].in, out, groups[i].out);
}

static bool is_constant(const View *w, PtValueId v) {
  return v == PT_NONE || pt_value(w->graph, v)->constant;
}

static void join_conv(View *w, const PtNode *node, PtValueId x, PtValueId y) {
  const PtType *t = type_of(w, x), *o = type_of(w, y);
  join(w, x, 0, y, 0);
  if (!t || !o || t->rank < 3)
    return;
  int64_t group = pt_node_int(node, "group", 1);
  if (group > 1 && group == t->dims[1].size && group == o->dims[1].size)
    join(w, x, 1, y, 1);
  else
    set_free(w, y, 1);
  for (int32_t i = 2; i < t->rank; i++)
    join(w, x, i, y, i);
}

static void join_matmul(View *w, const PtNode *node, PtValueId y) {
  PtValueId a = node->inputs[0], b = node->inputs[1];
  const PtType *ta = type_of(w, a), *tb = type_of(w, b), *ty = type_of(w, y);
  if (!ta || !tb || !ty || ta->rank < 2 || tb->rank < 2)
    return;
  bool gemm = pt_op_is(node, "Gemm");
  int32_t rows = ta->rank - (gemm && pt_node_int(node, "transA", 0) ? 1 : 2);
  if (is_constant(w, b))
    set_free(w, y, ty->rank - 1);
  else {
    join(w, b, tb->rank - 1, y, ty->rank - 1);
    join(w, a, ta->rank - 1, b, tb->rank - 2);
  }
  join(w, a, rows, y, ty->rank - 2);
  for (int32_t k = 3; k <= ty->rank; k++) {
    if (k <= ta->rank)
      join(w, a, ta->rank - k, y, ty->rank - k);
    if (k <= tb->rank)
      join(w, b, tb->rank - k, y, ty->rank - k);
  }
}

static void join_gather(View *w, const PtNode *node, PtValueId y) {
  const PtType *t = type_of(w, node->inputs[0]), *index = type_of(w, node->inputs[1]);
  if (!t || !index)
    return;
  int64_t axis = pt_node_int(node, "axis", 0);
  int32_t at = (int32_t)(axis < 0 ? axis + t->rank : axis);
  for (int32_t i = 0; i < t->rank; i++)
    if (i != at)
      join(w, node->inputs[0], i, y, i < at ? i : i + index->rank - 1);
  for (int32_t i = 0; i < index->rank; i++)
    join(w, node->inputs[1], i, y, at + i);
  if (is_constant(w, node->inputs[0]) && pt_dtype_is_float(t->dtype))
    for (int32_t i = 0; i < t->rank; i++)
      if (i != at)
        set_free(w, y, i < at ? i : i + index->rank - 1);
}

static void join_transpose(View *w, const PtNode *node, PtValueId x, PtValueId y) {
  const PtType *t = type_of(w, x);
  uint32_t n;
  const int64_t *perm = pt_node_ints(node, "perm", &n);
  for (int32_t i = 0; t && i < t->rank; i++)
    join(w, x, perm && i < (int32_t)n ? (int32_t)perm[i] : t->rank - 1 - i, y, i);
}

static void join_node(View *w, const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  PtValueId y = node->n_outputs ? node->outputs[0] : PT_NONE;
  if (!op || y == PT_NONE || node->n_inputs == 0 || node->inputs[0] == PT_NONE)
    return;
  PtValueId x = node->inputs[0];
  if (op->op_class == PT_CLASS_CONV)
    join_conv(w, node, x, y);
  else if ((pt_op_is(node, "MatMul") || pt_op_is(node, "Gemm")) && node->n_inputs > 1)
    join_matmul(w, node, y);
  else if (pt_op_is(node, "Transpose"))
    join_transpose(w, node, x, y);
  else if (pt_op_is(node, "Gather"))
    join_gather(w, node, y);
  else if (pt_op_is(node, "Reshape") || pt_op_is(node, "Flatten") || pt_op_is(node, "Squeeze") ||
           pt_op_is(node, "Unsqueeze"))
    join_reshape(w, x, y);
  else if (op->op_class == PT_CLASS_BINARY || op->op_class == PT_CLASS_COMPARE)
    for (uint32_t i = 0; i < node->n_inputs; i++)
      if (node->inputs[i] != PT_NONE)
        join_aligned(w, y, node->inputs[i]);
      else
        continue;
  else if (pt_op_is(node, "Concat") || pt_op_is(node, "Split"))
    for (uint32_t i = 0; i < node->n_inputs + node->n_outputs; i++) {
      PtValueId v = i < node->n_inputs ? node->inputs[i] : node->outputs[i - node->n_inputs];
      if (v != PT_NONE)
        join_same(w, x, v, PT_FACE_RANK);
    }
  else if (op->op_class != PT_CLASS_SHAPE && op->op_class != PT_CLASS_CONSTANT)
    join_same(w, x, y, PT_FACE_RANK);
}

PtAxes *pt_axes_new(const PtGraph *graph) {
  PtAxes *a = g_new0(PtAxes, 1);
  uint32_t n = pt_graph_n_values(graph), total = 0;
  a->start = g_new(uint32_t, n + 1);
  for (PtValueId v = 0; v < n; v++) {
    const PtType *t = &pt_value(graph, v)->type;
    a->start[v] = total;
    if (t->kind == PT_TYPE_TENSOR && t->rank > 0 && t->rank <= PT_FACE_RANK)
      total += (uint32_t)t->rank;
  }
  a->start[n] = total;
  a->parent = g_new(uint32_t, total + 1);
  a->free = g_new0(bool, total + 1);
  for (uint32_t i = 0; i < total; i++)
    a->parent[i] = i;
  View w = {a, graph};
  for (PtNodeId i = 0; i < pt_graph_n_nodes(graph); i++)
    join_node(&w, pt_node(graph, i));
  return a;
}

void pt_axes_free(PtAxes *axes) {
  if (!axes)
    return;
  g_free(axes->start);
  g_free(axes->parent);
  g_free(axes->free);
  g_free(axes);
}
