/* infer_move: output types of operators that move data. */
#include "walk/walk_private.h"

static PtWalkType like(const PtWalkType *x, int32_t rank) {
  return (PtWalkType){.dtype = x->dtype, .rank = (int8_t)rank};
}

static bool infer_transpose(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                            PtWalkType *out) {
  (void)width;
  if (in[0]->rank != t->n_perm)
    return false;
  *out = like(in[0], t->n_perm);
  for (int32_t i = 0; i < t->n_perm; i++)
    out->dims[i] = in[0]->dims[t->perm[i]];
  return true;
}

static bool infer_reduce(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                         PtWalkType *out) {
  const PtWalkType *x = in[0];
  int32_t at = 0;
  (void)width;
  if (x->rank < PT_WALK_RANK && t->axes >> x->rank)
    return false;
  *out = like(x, 0);
  for (int32_t i = 0; i < x->rank; i++)
    if (!(t->axes >> i & 1))
      out->dims[at++] = x->dims[i];
    else if (t->keep)
      out->dims[at++] = 1;
  out->rank = (int8_t)at;
  return true;
}

static bool infer_concat(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                         PtWalkType *out) {
  int64_t total = 0;
  int32_t axis = t->axis;
  (void)width;
  *out = *in[0];
  if (axis >= out->rank)
    return false;
  for (uint32_t i = 0; i < t->n_data; i++) {
    const PtWalkType *x = in[i];
    if (x->rank != out->rank || x->dtype != out->dtype)
      return false;
    for (int32_t d = 0; d < x->rank; d++)
      if (d != axis && x->dims[d] != out->dims[d])
        return false;
    if (x->dims[axis] < 0)
      total = -1;
    else if (total >= 0)
      total += x->dims[axis];
  }
  if (total > INT32_MAX)
    return false;
  if (total < 0) {
    int32_t code = axis;
    for (uint32_t i = 0; i < t->n_data; i++)
      code = pt_walk_derived(code, in[i]->dims[axis], i);
    total = code;
  }
  out->dims[axis] = (int32_t)total;
  return true;
}

static bool infer_flatten(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                          PtWalkType *out) {
  const PtWalkType *x = in[0];
  (void)width;
  if (t->axis > x->rank)
    return false;
  *out = like(x, 2);
  for (int32_t half = 0; half < 2; half++) {
    int64_t product = 1;
    int32_t code = 0, lone = 0, n = 0;
    for (int32_t i = half ? t->axis : 0; i < (half ? x->rank : t->axis); i++) {
      code = pt_walk_derived(code, x->dims[i], i);
      if (x->dims[i] == 1)
        continue;
      n++, lone = x->dims[i];
      product = x->dims[i] < 0 || product < 0 ? -1 : product * x->dims[i];
      if (product > INT32_MAX)
        return false;
    }
    out->dims[half] = n == 1 ? lone : product < 0 ? code : (int32_t)product;
  }
  return true;
}

/* ---- steered by numbers
 * --------------------------------------------------------------------------------------- */
static bool infer_reshape(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                          PtWalkType *out) {
  int64_t target[PT_WALK_RANK];
  PtSteer again[PT_WALK_RANK];
  uint32_t n = (uint32_t)t->slots[1].dims[0];
  (void)width;
  return pt_steer_numbers(&t->slots[1], in[0], target) &&
         pt_steer_reshape(in[0], target, n, out, again) &&
         pt_steer_same(again, t->slots[1].steer, n);
}

/* What is left of an axis. */
static int64_t slice_size(int64_t size, int64_t start, int64_t end, int64_t step) {
  start = start < 0 ? start + size : start;
  end = end < 0 && end >= -size ? end + size : end;
  if (step > 0) {
    start = CLAMP(start, 0, size), end = CLAMP(end, 0, size);
    return end <= start ? 0 : (end - start - 1) / step + 1;
  }
  start = CLAMP(start, -1, size - 1), end = CLAMP(end, -1, size - 1);
  return start <= end ? 0 : (start - end - 1) / -step + 1;
}

static int64_t list_at(const PtWalkTemplate *t, uint32_t slot, int64_t i, int64_t otherwise) {
  int64_t list[PT_WALK_RANK];
  if (slot >= t->n_slots || t->slots[slot].kind != PT_SLOT_REAL)
    return otherwise;
  return pt_tensor_ints(t->slots[slot].real, list, PT_WALK_RANK) > i ? list[i] : otherwise;
}

static bool infer_slice(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                        PtWalkType *out) {
  int64_t starts[PT_WALK_RANK], ends[PT_WALK_RANK];
  const PtWalkType *x = in[0];
  uint32_t seen = 0;
  (void)width;
  if (!pt_steer_numbers(&t->slots[1], x, starts) || !pt_steer_numbers(&t->slots[2], x, ends))
    return false;
  *out = *x;
  for (int32_t i = 0; i < t->slots[1].dims[0]; i++) {
    int64_t axis = list_at(t, 3, i, i), step = list_at(t, 4, i, 1);
    axis = axis < 0 ? axis + x->rank : axis;
    if (axis < 0 || axis >= x->rank || (seen >> axis & 1) || step == 0 || step < -INT32_MAX)
      return false;
    seen |= 1u << axis;
    PtSteer start = pt_steer_place(x, (int32_t)axis, starts[i]);
    PtSteer end = pt_steer_place(x, (int32_t)axis, ends[i]);
    if (!pt_steer_same(&start, &t->slots[1].steer[i], 1) ||
        !pt_steer_same(&end, &t->slots[2].steer[i], 1))
      return false;
    int64_t size = x->dims[axis];
    if (starts[i] == 0 && ends[i] >= INT32_MAX && step == 1)
      continue;
    int64_t left = size < 0 ? 1 : slice_size(size, starts[i], ends[i], step);
    if (left < 1)
      return false;
    out->dims[axis] =
        size < 0 ? pt_walk_derived((int32_t)size, starts[i] * 131 + step, ends[i]) : (int32_t)left;
  }
  return true;
}

static bool infer_split(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                        PtWalkType *out) {
  int32_t n = (int32_t)t->n_outputs, axis = t->axis < 0 ? t->axis + in[0]->rank : t->axis;
  (void)width;
  if (axis < 0 || axis >= in[0]->rank || in[0]->dims[axis] < n || in[0]->dims[axis] % n)
    return false;
  *out = *in[0];
  out->dims[axis] /= n;
  return true;
}

static bool infer_squeeze(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                          PtWalkType *out) {
  const PtWalkType *x = in[0];
  int32_t rank = 0;
  (void)width;
  *out = like(x, 0);
  if (t->axes >> x->rank)
    return false;
  for (int32_t i = 0; i < x->rank; i++)
    if (!(t->axes >> i & 1))
      out->dims[rank++] = x->dims[i];
    else if (x->dims[i] != 1)
      return false;
  out->rank = (int8_t)rank;
  return true;
}

static bool infer_unsqueeze(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                            PtWalkType *out) {
  const PtWalkType *x = in[0];
  int32_t rank = x->rank + __builtin_popcount(t->axes), from = 0;
  (void)width;
  if (rank > PT_WALK_RANK || t->axes >> rank)
    return false;
  *out = like(x, rank);
  for (int32_t i = 0; i < rank; i++)
    out->dims[i] = t->axes >> i & 1 ? 1 : x->dims[from++];
  return true;
}

static bool infer_gather(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                         PtWalkType *out) {
  const PtWalkType *x = in[0];
  const PtTensor *index = t->slots[1].real;
  int32_t axis = t->axis, rank = x->rank - 1 + (int32_t)index->rank;
  (void)width;
  if (axis >= x->rank || rank > PT_WALK_RANK || t->highest >= x->dims[axis] ||
      -t->lowest > x->dims[axis])
    return false;
  *out = like(x, rank);
  for (int32_t i = 0; i < rank; i++) {
    int32_t at = i - axis;
    out->dims[i] = at < 0                      ? x->dims[i]
                   : at < (int32_t)index->rank ? (int32_t)index->dims[at]
                                               : x->dims[i - (int32_t)index->rank + 1];
  }
  return true;
}

static bool infer_expand(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                         PtWalkType *out) {
  int64_t target[PT_WALK_RANK];
  const PtWalkType *x = in[0];
  int32_t n = (int32_t)pt_tensor_ints(t->slots[1].real, target, PT_WALK_RANK);
  (void)width;
  *out = like(x, MAX(n, x->rank));
  for (int32_t i = 1; i <= out->rank; i++) {
    int32_t size = i <= x->rank ? x->dims[x->rank - i] : 1;
    int64_t to = i <= n ? target[n - i] : 1;
    if (to != 1 && size != 1 && to != size)
      return false;
    out->dims[out->rank - i] = to == 1 ? size : (int32_t)to;
  }
  return true;
}

static bool infer_pad(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                      PtWalkType *out) {
  int64_t pads[2 * PT_WALK_RANK];
  const PtWalkType *x = in[0];
  (void)width;
  if (pt_tensor_ints(t->slots[1].real, pads, G_N_ELEMENTS(pads)) != 2 * (int64_t)x->rank ||
      (t->n_slots > 2 && t->slots[2].real && t->slots[2].real->dtype != x->dtype))
    return false;
  *out = *x;
  for (int32_t i = 0; i < x->rank; i++) {
    int64_t before = pads[i], behind = pads[i + x->rank], size = x->dims[i];
    if (before == 0 && behind == 0)
      continue;
    if (size < 0 || before < -size || behind < -size || before > 65536 || behind > 65536 ||
        size + before + behind < 1 || size + before + behind > INT32_MAX ||
        (!t->keep && (before >= size || behind >= size)))
      return false; /* keep: filled with a constant, not with what is there */
    out->dims[i] = (int32_t)(size + before + behind);
  }
  return true;
}

static bool infer_cast(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                       PtWalkType *out) {
  (void)width;
  *out = *in[0];
  out->dtype = t->to;
  return true;
}

const PtWalkRule pt_walk_move_rules[PT_WALK_KINDS] = {
    [PT_WALK_TRANSPOSE] = infer_transpose, [PT_WALK_REDUCE] = infer_reduce,
    [PT_WALK_CONCAT] = infer_concat,       [PT_WALK_FLATTEN] = infer_flatten,
    [PT_WALK_RESHAPE] = infer_reshape,     [PT_WALK_SLICE] = infer_slice,
    [PT_WALK_SPLIT] = infer_split,         [PT_WALK_SQUEEZE] = infer_squeeze,
    [PT_WALK_UNSQUEEZE] = infer_unsqueeze, [PT_WALK_GATHER] = infer_gather,
    [PT_WALK_EXPAND] = infer_expand,       [PT_WALK_PAD] = infer_pad,
    [PT_WALK_CAST] = infer_cast,
};
