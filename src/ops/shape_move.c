/* shape_move: operators that move data: reshaping, cutting, joining, padding.
 */
#include "ops/shape.h"

/* The product of sizes, -1 where one is unknown or it overflows. */
static int64_t product(const PtDim *dims, int64_t from, int64_t to) {
  int64_t n = 1;
  for (int64_t i = from; i < to; i++)
    if (dims[i].size < 0 || __builtin_mul_overflow(n, dims[i].size, &n))
      return -1;
  return n;
}

static PtDim dim_sum(PtDim a, PtDim b) {
  int64_t s;
  if (a.size < 0 || b.size < 0 || __builtin_add_overflow(a.size, b.size, &s))
    return pt_dim_of(-1);
  return pt_dim_of(s);
}

PT_RULE(pt_shape_reshape) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t want[PT_MAX_RANK];
  uint32_t count = 0;
  const int64_t *attr = pt_node_ints(node, "shape", &count);
  int n = attr ? (int)MIN(count, PT_MAX_RANK) : pt_shape_ints(graph, node, 1, want, PT_MAX_RANK);
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, n);
  if (n < 0)
    return true;
  if (attr)
    memcpy(want, attr, sizeof *want * (size_t)n);
  const PtTensor *constant =
      attr || node->inputs[1] == PT_NONE ? NULL : pt_value(graph, node->inputs[1])->constant;
  bool exact = attr || constant, zero = pt_node_int(node, "allowzero", 0) != 0;
  int64_t known = 1;
  int free_dim = -1;
  for (int i = 0; i < n; i++) {
    PtDim d = pt_dim_of(want[i]);
    if (want[i] == 0 && !zero && x->rank >= 0) {
      if (i >= x->rank)
        return false;
      d = x->dims[i];
    }
    outputs[0].dims[i] = d;
    if (d.size >= 0 && (known < 0 || __builtin_mul_overflow(known, d.size, &known)))
      known = -1;
    if (d.size < 0)
      free_dim = free_dim == -1 ? i : -2;
  }
  if (x->rank < 0)
    return true;
  int64_t total = product(x->dims, 0, x->rank);
  if (free_dim == -1)
    return total < 0 || known < 0 || total == known;
  if (free_dim >= 0 && total >= 0 && known > 0) {
    if (total % known != 0)
      return false;
    outputs[0].dims[free_dim] = pt_dim_of(total / known);
  } else if (free_dim >= 0 && exact && total < 0 && x->rank > 0 && known > 0) {
    /* one symbol, all else equal: the symbol goes through */
    int64_t others = 1;
    int symbol = -1;
    for (int32_t i = 0; i < x->rank; i++)
      if (x->dims[i].size < 0)
        symbol = symbol == -1 ? i : -2;
      else
        others *= x->dims[i].size;
    if (symbol >= 0 && others == known)
      outputs[0].dims[free_dim] = x->dims[symbol];
  }
  return true;
}

PT_RULE(pt_shape_flatten) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, 2);
  if (x->rank < 0)
    return true;
  int64_t axis = pt_node_int(node, "axis", 1);
  axis = axis < 0 ? axis + x->rank : axis;
  if (axis < 0 || axis > x->rank)
    return false;
  outputs[0].dims[0] = axis == 1 ? x->dims[0] : pt_dim_of(product(x->dims, 0, axis));
  outputs[0].dims[1] =
      axis == x->rank - 1 ? x->dims[axis] : pt_dim_of(product(x->dims, axis, x->rank));
  return true;
}

PT_RULE(pt_shape_transpose) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  uint32_t count, seen = 0;
  const int64_t *perm = pt_node_ints(node, "perm", &count);
  if (perm && x->rank >= 0 && count != (uint32_t)x->rank)
    return false;
  for (int32_t i = 0; i < x->rank; i++) {
    int64_t from = perm ? perm[i] : x->rank - 1 - i;
    if (from < 0 || from >= x->rank || (seen & 1u << from))
      return false;
    seen |= 1u << from;
    outputs[0].dims[i] = x->dims[from];
  }
  return true;
}

PT_RULE(pt_shape_squeeze) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t axes[PT_MAX_RANK];
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, -1);
  if (x->rank < 0)
    return true;
  int n = pt_shape_axes(graph, node, 1, x->rank, axes);
  if (n < 0)
    return n == -1;
  bool drop[PT_MAX_RANK] = {false};
  for (int i = 0; i < n; i++) {
    if (x->dims[axes[i]].size > 1)
      return false;
    drop[axes[i]] = true;
  }
  PtDim dims[PT_MAX_RANK];
  int32_t rank = 0;
  for (int32_t i = 0; i < x->rank; i++) {
    if (n == 0 && x->dims[i].size < 0)
      return true;
    if (!(n == 0 ? x->dims[i].size == 1 : drop[i]))
      dims[rank++] = x->dims[i];
  }
  outputs[0] = pt_type_tensor(graph, x->dtype, rank, dims);
  return true;
}

PT_RULE(pt_shape_unsqueeze) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t axes[PT_MAX_RANK];
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, -1);
  uint32_t count = 0;
  int64_t unused[PT_MAX_RANK];
  if (x->rank < 0)
    return true;
  int more = pt_node_ints(node, "axes", &count)
                 ? (int)count
                 : pt_shape_ints(graph, node, 1, unused, PT_MAX_RANK);
  if (more < 0 || more + x->rank > PT_MAX_RANK)
    return more < 0;
  int n = pt_shape_axes(graph, node, 1, x->rank + more, axes);
  if (n < 0)
    return n == -1;
  bool fresh[PT_MAX_RANK] = {false};
  for (int i = 0; i < n; i++) {
    if (fresh[axes[i]])
      return false;
    fresh[axes[i]] = true;
  }
  PtDim dims[PT_MAX_RANK];
  for (int32_t i = 0, from = 0; i < x->rank + n; i++)
    dims[i] = fresh[i] ? pt_dim_of(1) : x->dims[from++];
  outputs[0] = pt_type_tensor(graph, x->dtype, x->rank + n, dims);
  return true;
}

PT_RULE(pt_shape_expand) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t want[PT_MAX_RANK];
  if (!x)
    return true;
  int n = pt_shape_ints(graph, node, 1, want, PT_MAX_RANK);
  if (n < 0) {
    outputs[0] = pt_shape_new(graph, x->dtype, -1);
    return true;
  }
  PtType target = pt_shape_new(graph, x->dtype, n);
  for (int i = 0; i < n; i++)
    target.dims[i] = pt_dim_of(want[i]);
  return pt_dims_broadcast(graph, x->dtype, x, &target, outputs);
}

PT_RULE(pt_shape_tile) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t repeats[PT_MAX_RANK];
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  int n = pt_shape_ints(graph, node, 1, repeats, PT_MAX_RANK);
  if (x->rank >= 0 && n >= 0 && n != x->rank)
    return false;
  for (int32_t i = 0; n >= 0 && i < x->rank; i++) {
    int64_t size;
    if (repeats[i] == 1)
      outputs[0].dims[i] = x->dims[i];
    else if (x->dims[i].size >= 0 && repeats[i] >= 0 &&
             !__builtin_mul_overflow(x->dims[i].size, repeats[i], &size))
      outputs[0].dims[i] = pt_dim_of(size);
  }
  return true;
}

PT_RULE(pt_shape_concat) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  if (!x || node->n_inputs == 0)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  if (x->rank < 0)
    return true;
  int64_t axis = pt_axis(pt_node_int(node, "axis", 1), x->rank);
  if (axis < 0)
    return false;
  memcpy(outputs[0].dims, x->dims, sizeof(PtDim) * (size_t)x->rank);
  for (uint32_t i = 1; i < node->n_inputs; i++) {
    const PtType *y = pt_shape_in(node, inputs, i);
    if (!pt_shape_ranked(y)) {
      outputs[0].dims[axis] = pt_dim_of(-1);
      continue;
    }
    if (y->rank != x->rank || y->dtype != x->dtype)
      return false;
    for (int32_t d = 0; d < x->rank; d++)
      if (d == axis)
        outputs[0].dims[d] = dim_sum(outputs[0].dims[d], y->dims[d]);
      else if (!pt_dim_merge(outputs[0].dims[d], y->dims[d], &outputs[0].dims[d]))
        return false;
  }
  return true;
}

PT_RULE(pt_shape_split) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  if (!x)
    return true;
  for (uint32_t i = 0; i < node->n_outputs; i++)
    outputs[i] = pt_shape_new(graph, x->dtype, x->rank);
  if (x->rank < 0)
    return true;
  int64_t axis = pt_axis(pt_node_int(node, "axis", 0), x->rank), sizes[PT_MAX_SHAPE_INTS], sum = 0;
  if (axis < 0)
    return false;
  uint32_t count = 0;
  const int64_t *attr = pt_node_ints(node, "split", &count);
  bool given = attr || (node->n_inputs > 1 && node->inputs[1] != PT_NONE);
  int n = attr    ? (int)MIN(count, PT_MAX_SHAPE_INTS)
          : given ? pt_shape_ints(graph, node, 1, sizes, PT_MAX_SHAPE_INTS)
                  : (int)node->n_outputs;
  if (attr)
    memcpy(sizes, attr, sizeof *sizes * (size_t)n);
  if (given && n >= 0 && (uint32_t)n != node->n_outputs)
    return false;
  int64_t size = x->dims[axis].size, parts = node->n_outputs;
  int64_t part = size < 0 || parts == 0 ? -1 : (size + parts - 1) / parts;
  for (uint32_t i = 0; i < node->n_outputs; i++) {
    memcpy(outputs[i].dims, x->dims, sizeof(PtDim) * (size_t)x->rank);
    int64_t this = given ? (n >= 0 ? sizes[i] : -1) : part < 0 ? -1 : MIN(part, size - sum);
    outputs[i].dims[axis] = pt_dim_of(this);
    sum = this < 0 || sum < 0 ? -1 : sum + this;
    if (this < -1 || (!given && this == -1 && part >= 0))
      return false;
  }
  return sum < 0 || size < 0 || sum == size;
}

/* One axis of Slice; -1 where not known. */
static int64_t slice_size(int64_t size, int64_t start, int64_t end, int64_t step) {
  if (step == 0)
    return -2;
  if (size < 0)
    return -1;
  if (start < 0)
    start += size;
  if (end < 0 && end != INT64_MIN)
    end += size;
  if (step > 0) {
    start = CLAMP(start, 0, size), end = CLAMP(end, 0, size);
    return end <= start ? 0 : (end - start + step - 1) / step;
  }
  start = CLAMP(start, 0, size - 1), end = CLAMP(end, -1, size - 1);
  return start <= end ? 0 : step == INT64_MIN ? 1 : (start - end - step - 1) / -step;
}

/* Whether input i's data is known in full: pt_shape_ints alone gives -1 for unknown elements. */
static int slice_list(PtGraph *graph, const PtNode *node, const char *attr, uint32_t i,
                      int64_t *out) {
  uint32_t count = 0;
  const int64_t *a = pt_node_ints(node, attr, &count);
  if (a) {
    if (count > PT_MAX_RANK)
      return -1;
    memcpy(out, a, sizeof *out * count);
    return (int)count;
  }
  if (i >= node->n_inputs || node->inputs[i] == PT_NONE)
    return 0;
  const PtTensor *t = pt_value(graph, node->inputs[i])->constant;
  if (t)
    return t->count <= PT_MAX_RANK ? (int)pt_tensor_ints(t, out, PT_MAX_RANK) : -1;
  int n = pt_shape_ints(graph, node, i, out, PT_MAX_RANK);
  for (int k = 0; k < n; k++)
    if (out[k] < 0)
      return -1;
  return n;
}

PT_RULE(pt_shape_slice) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t starts[PT_MAX_RANK], ends[PT_MAX_RANK], axes[PT_MAX_RANK], steps[PT_MAX_RANK];
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  if (x->rank < 0)
    return true;
  int n = slice_list(graph, node, "starts", 1, starts),
      m = slice_list(graph, node, "ends", 2, ends);
  int a = slice_list(graph, node, "axes", 3, axes), s = slice_list(graph, node, "steps", 4, steps);
  if (a < 0)
    return true;
  memcpy(outputs[0].dims, x->dims, sizeof(PtDim) * (size_t)x->rank);
  int count = a > 0 ? a : n >= 0 ? n : m;
  if (count < 0) { /* no axes, no lengths: any may be cut */
    outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
    return true;
  }
  if ((n >= 0 && n != count) || (m >= 0 && m != count) || count > x->rank)
    return false;
  for (int i = 0; i < count; i++) {
    int64_t axis = pt_axis(a > 0 ? axes[i] : i, x->rank);
    if (axis < 0)
      return false;
    PtDim *d = &outputs[0].dims[axis];
    bool known = n >= 0 && m >= 0 && s >= 0;
    int64_t step = s > i ? steps[i] : 1;
    if (known && starts[i] == 0 && ends[i] >= INT32_MAX && step == 1)
      continue;
    int64_t size = known ? slice_size(d->size, starts[i], ends[i], step) : -1;
    if (size == -2)
      return false;
    *d = pt_dim_of(size);
  }
  return true;
}

PT_RULE(pt_shape_pad) {
  const PtType *x = pt_shape_in(node, inputs, 0);
  int64_t pads[2 * PT_MAX_RANK], axes[PT_MAX_RANK];
  if (!x)
    return true;
  outputs[0] = pt_shape_new(graph, x->dtype, x->rank);
  if (x->rank < 0)
    return true;
  uint32_t count = 0;
  const int64_t *attr = pt_node_ints(node, "pads", &count);
  int n = attr ? (int)MIN(count, 2 * PT_MAX_RANK) : -1;
  if (attr)
    memcpy(pads, attr, sizeof *pads * (size_t)n);
  else if (node->n_inputs > 1 && node->inputs[1] != PT_NONE) {
    const PtTensor *t = pt_value(graph, node->inputs[1])->constant;
    n = t ? (int)pt_tensor_ints(t, pads, G_N_ELEMENTS(pads)) : -1;
  }
  if (n < 0)
    return true;
  int m = pt_shape_axes(graph, node, 3, x->rank, axes);
  if (m < 0)
    return m == -1;
  for (int i = 0; m == 0 && i < x->rank; i++)
    axes[i] = i;
  m = m == 0 ? x->rank : m;
  if (n != 2 * m)
    return false;
  memcpy(outputs[0].dims, x->dims, sizeof(PtDim) * (size_t)x->rank);
  for (int i = 0; i < m; i++) {
    PtDim *d = &outputs[0].dims[axes[i]];
    if (pads[i] == 0 && pads[i + m] == 0)
      continue;
    if (d->size >= 0 && d->size + pads[i] + pads[i + m] < 0)
      return false;
    *d = pt_dim_of(d->size < 0 ? -1 : d->size + pads[i] + pads[i + m]);
  }
  return true;
}
