/* shape_common: what the shape rules share: dims, broadcasting, the data of small integer values.
 */
#include "ops/shape.h"

const PtType *pt_shape_in(const PtNode *node, const PtType *const *inputs, uint32_t i) {
  if (i >= node->n_inputs || !inputs[i] || inputs[i]->kind != PT_TYPE_TENSOR)
    return NULL;
  return inputs[i]->rank > PT_MAX_RANK ? NULL : inputs[i];
}

PtType pt_shape_new(PtGraph *graph, PtDtype dtype, int32_t rank) {
  PtType t = {.kind = PT_TYPE_TENSOR, .dtype = dtype, .rank = rank};
  if (rank > 0)
    t.dims = pt_arena_new_array(graph->arena, PtDim, (size_t)rank);
  for (int32_t i = 0; i < rank; i++)
    t.dims[i].size = -1;
  return t;
}

static bool same_symbol(PtDim a, PtDim b) {
  return a.symbol && b.symbol && g_str_equal(a.symbol, b.symbol);
}

bool pt_dim_merge(PtDim a, PtDim b, PtDim *out) {
  if (a.size >= 0 && b.size >= 0 && a.size != b.size)
    return false;
  *out = a.size >= 0 ? a : b.size >= 0 ? b : a.symbol ? a : b;
  return true;
}

bool pt_dim_broadcast(PtDim a, PtDim b, PtDim *out) {
  if (a.size >= 0 && b.size >= 0 && a.size != b.size && a.size != 1 && b.size != 1)
    return false;
  if (a.size < 0 && b.size < 0)
    *out = same_symbol(a, b) ? a : pt_dim_of(-1);
  else /* one gives way to anything, an unknown size to any other known one */
    *out = a.size == 1 || (a.size < 0 && b.size != 1) ? b : a;
  return true;
}

bool pt_dims_broadcast(PtGraph *graph, PtDtype dtype, const PtType *a, const PtType *b,
                       PtType *out) {
  if (!pt_shape_ranked(a) || !pt_shape_ranked(b)) {
    *out = pt_shape_new(graph, dtype, -1);
    return true;
  }
  int32_t rank = MAX(a->rank, b->rank);
  PtType t = pt_shape_new(graph, dtype, rank);
  for (int32_t i = 0; i < rank; i++) {
    int32_t ia = i - (rank - a->rank), ib = i - (rank - b->rank);
    PtDim da = ia >= 0 ? a->dims[ia] : pt_dim_of(1), db = ib >= 0 ? b->dims[ib] : pt_dim_of(1);
    if (!pt_dim_broadcast(da, db, &t.dims[i]))
      return false;
  }
  *out = t;
  return true;
}

/* ---- the data of small integer values
 * ------------------------------------------------------------ */
static int value_at(const PtGraph *graph, PtValueId value, int64_t *out, int max, int depth);

static int input_at(const PtGraph *graph, const PtNode *node, uint32_t i, int64_t *out, int max,
                    int depth) {
  return i < node->n_inputs && node->inputs[i] != PT_NONE
             ? value_at(graph, node->inputs[i], out, max, depth)
             : -1;
}

static int eval_shape(const PtGraph *graph, const PtNode *node, int64_t *out, int max) {
  const PtType *t = &pt_value(graph, node->inputs[0])->type;
  if (t->kind != PT_TYPE_TENSOR || t->rank < 0 || t->rank > max)
    return -1;
  int64_t start = pt_node_int(node, "start", 0), end = pt_node_int(node, "end", t->rank);
  start = CLAMP(start < 0 ? start + t->rank : start, 0, t->rank);
  end = CLAMP(end < 0 ? end + t->rank : end, 0, t->rank);
  int n = 0;
  for (int64_t i = start; i < end; i++)
    out[n++] = t->dims[i].size;
  return n;
}

static int eval_gather(const PtGraph *graph, const PtNode *node, int64_t *out, int max, int depth) {
  int64_t data[PT_MAX_SHAPE_INTS], index[PT_MAX_SHAPE_INTS];
  int n = input_at(graph, node, 0, data, PT_MAX_SHAPE_INTS, depth);
  int m = input_at(graph, node, 1, index, MIN(max, PT_MAX_SHAPE_INTS), depth);
  if (n < 0 || m < 0 || pt_node_int(node, "axis", 0) != 0)
    return -1;
  for (int i = 0; i < m; i++) {
    int64_t at = pt_axis(index[i], n);
    if (at < 0)
      return -1;
    out[i] = data[at];
  }
  return m;
}

static int eval_slice(const PtGraph *graph, const PtNode *node, int64_t *out, int max, int depth) {
  int64_t data[PT_MAX_SHAPE_INTS], s, e, step = 1;
  int n = input_at(graph, node, 0, data, PT_MAX_SHAPE_INTS, depth);
  if (n < 0 || input_at(graph, node, 1, &s, 1, depth) != 1 ||
      input_at(graph, node, 2, &e, 1, depth) != 1)
    return -1;
  if (node->n_inputs > 4 && input_at(graph, node, 4, &step, 1, depth) != 1)
    return -1;
  if (step != 1)
    return -1;
  s = CLAMP(s < 0 ? s + n : s, 0, n);
  e = CLAMP(e < 0 ? e + n : e, 0, n);
  int k = 0;
  for (int64_t i = s; i < e && k < max; i++)
    out[k++] = data[i];
  return k;
}

static int eval_concat(const PtGraph *graph, const PtNode *node, int64_t *out, int max, int depth) {
  int n = 0;
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    int m = input_at(graph, node, i, out + n, max - n, depth);
    if (m < 0)
      return -1;
    n += m;
  }
  return n;
}

/* A list expanded along its one axis. */
static int eval_expand(const PtGraph *graph, const PtNode *node, int64_t *out, int max, int depth) {
  int64_t target;
  int n = input_at(graph, node, 0, out, max, depth);
  if (n < 1 || input_at(graph, node, 1, &target, 1, depth) != 1 || target < 1 || target > max)
    return -1;
  if (n != 1 || target == 1)
    return n;
  for (int i = 1; i < target; i++)
    out[i] = out[0];
  return (int)target;
}

static int64_t apply(const char *op, int64_t a, int64_t b) {
  int64_t r;
  if (g_str_equal(op, "Add"))
    return __builtin_add_overflow(a, b, &r) ? -1 : r;
  if (g_str_equal(op, "Sub"))
    return __builtin_sub_overflow(a, b, &r) ? -1 : r;
  if (g_str_equal(op, "Mul"))
    return __builtin_mul_overflow(a, b, &r) ? -1 : r;
  return b > 0 ? a / b : -1;
}

/* Sizes only: a negative operand may mean "not known", so it makes the result unknown. */
static int eval_binary(const PtGraph *graph, const PtNode *node, int64_t *out, int max, int depth) {
  int64_t a[PT_MAX_SHAPE_INTS], b[PT_MAX_SHAPE_INTS];
  int n = input_at(graph, node, 0, a, PT_MAX_SHAPE_INTS, depth);
  int m = input_at(graph, node, 1, b, PT_MAX_SHAPE_INTS, depth);
  if (n < 1 || m < 1 || (n != m && n != 1 && m != 1) || MAX(n, m) > max)
    return -1;
  for (int i = 0; i < MAX(n, m); i++) {
    int64_t x = a[n == 1 ? 0 : i], y = b[m == 1 ? 0 : i];
    out[i] = x < 0 || y < 0 ? -1 : apply(node->op_type, x, y);
  }
  return MAX(n, m);
}

static int eval_node(const PtGraph *graph, const PtNode *node, int64_t *out, int max, int depth) {
  static const char *const same[] = {"Unsqueeze", "Squeeze",  "Cast",
                                     "Identity",  "CastLike", "Reshape"};
  static const char *const binary[] = {"Add", "Sub", "Mul", "Div"};
  if (node->domain[0] != '\0' || node->n_inputs == 0 || node->inputs[0] == PT_NONE)
    return -1;
  if (pt_op_is(node, "Shape"))
    return eval_shape(graph, node, out, max);
  if (pt_op_is(node, "Gather"))
    return eval_gather(graph, node, out, max, depth);
  if (pt_op_is(node, "Slice"))
    return eval_slice(graph, node, out, max, depth);
  if (pt_op_is(node, "Expand"))
    return eval_expand(graph, node, out, max, depth);
  if (pt_op_is(node, "Concat"))
    return eval_concat(graph, node, out, max, depth);
  for (size_t i = 0; i < G_N_ELEMENTS(same); i++)
    if (g_str_equal(node->op_type, same[i]))
      return input_at(graph, node, 0, out, max, depth);
  for (size_t i = 0; i < G_N_ELEMENTS(binary); i++)
    if (g_str_equal(node->op_type, binary[i]))
      return eval_binary(graph, node, out, max, depth);
  return -1;
}

static int value_at(const PtGraph *graph, PtValueId value, int64_t *out, int max, int depth) {
  const PtValue *v = pt_value(graph, value);
  if (v->constant) {
    if (!pt_dtype_is_integer(v->constant->dtype) || v->constant->count > (size_t)max)
      return -1;
    if (v->constant->count == 0)
      return 0;
    return (int)pt_tensor_ints(v->constant, out, (size_t)max);
  }
  if (v->producer != PT_NONE && depth > 0) {
    int n = eval_node(graph, pt_node(graph, v->producer), out, max, depth - 1);
    if (n >= 0)
      return n;
  }
  /* the data is not known, but how many there are may be */
  const PtType *t = &v->type;
  int64_t n = t->kind == PT_TYPE_TENSOR && t->rank == 0   ? 1
              : t->kind == PT_TYPE_TENSOR && t->rank == 1 ? t->dims[0].size
                                                          : -1;
  if (n < 0 || n > max)
    return -1;
  for (int64_t i = 0; i < n; i++)
    out[i] = -1;
  return (int)n;
}

int pt_op_value(const PtGraph *graph, PtValueId value, int64_t *out, int max) {
  return value_at(graph, value, out, max, 12);
}

int pt_shape_ints(const PtGraph *graph, const PtNode *node, uint32_t i, int64_t *out, int max) {
  return input_at(graph, node, i, out, max, 12);
}

int pt_shape_axes(const PtGraph *graph, const PtNode *node, uint32_t i, int32_t rank,
                  int64_t *axes) {
  uint32_t count = 0;
  const int64_t *attr = pt_node_ints(node, "axes", &count);
  int n = (int)count;
  if (attr) {
    if (count > PT_MAX_RANK)
      return -2;
    memcpy(axes, attr, count * sizeof *attr);
  } else if (i < node->n_inputs && node->inputs[i] != PT_NONE) {
    const PtTensor *t = pt_value(graph, node->inputs[i])->constant;
    if (!t)
      return -1;
    n = t->count == 0 ? 0 : (int)pt_tensor_ints(t, axes, PT_MAX_RANK);
    if (n < 0)
      return -2;
  } else
    return 0;
  for (int k = 0; k < n; k++)
    if ((axes[k] = pt_axis(axes[k], rank)) < 0)
      return -2;
  return n;
}
