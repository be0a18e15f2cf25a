/* infer: output types, one rule a kind; small and without allocation, as every step of a walk asks
 * for all of a state's. */
#include "walk/walk_private.h"

static PtWalkType like(const PtWalkType *x, int32_t rank) {
  return (PtWalkType){.dtype = x->dtype, .rank = (int8_t)rank};
}

/* ---- constants fit
 * ------------------------------------------------------------------------------------ */
static bool slot_fits(const PtWalkTemplate *t, const PtWalkSlot *s, const PtWalkType *x) {
  if (s->kind == PT_SLOT_REAL)
    return !pt_dtype_is_float(s->real->dtype) ||
           (s->real->dtype == x->dtype && (t->limits || (int32_t)s->real->rank <= x->rank));
  if (s->kind != PT_SLOT_WEIGHT)
    return true;
  if ((int32_t)s->rank > x->rank)
    return false;
  for (uint32_t d = 0; d < s->rank; d++) {
    int32_t code = s->dims[d];
    if ((code == PT_DIM_CHANNEL || code == PT_DIM_PER_GROUP) && (x->rank < 2 || x->dims[1] < 1))
      return false;
    if (code <= PT_DIM_AXIS) {
      int32_t axis = x->rank - (PT_DIM_AXIS - code);
      if (axis < 0 || x->dims[axis] < 1)
        return false;
    }
  }
  return true;
}

static bool infer_same(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                       PtWalkType *out) {
  (void)width;
  const PtWalkType *x = in[0];
  if (t->axis < 0 && x->rank < -t->axis)
    return false;
  for (uint32_t i = 0; i < t->n_slots; i++)
    if (!slot_fits(t, &t->slots[i], x))
      return false;
  *out = *x;
  return true;
}

static bool merge(int32_t a, int32_t b, int32_t *out) {
  if (a == b || b == 1)
    *out = a;
  else if (a == 1)
    *out = b;
  else
    return false;
  return true;
}

static bool infer_binary(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                         PtWalkType *out) {
  const PtWalkType *a = in[0], *b = in[1];
  (void)t, (void)width;
  if (a->dtype != b->dtype)
    return false;
  *out = like(a, MAX(a->rank, b->rank));
  for (int32_t i = 1; i <= out->rank; i++) {
    int32_t da = i <= a->rank ? a->dims[a->rank - i] : 1;
    int32_t db = i <= b->rank ? b->dims[b->rank - i] : 1;
    if (!merge(da, db, &out->dims[out->rank - i]))
      return false;
  }
  return true;
}

/* ---- windows
 * ------------------------------------------------------------------------------------------- */
static bool infer_space(const PtWalkTemplate *t, const PtWalkType *x, PtWalkType *out) {
  for (int32_t i = 0; i < t->n_space; i++) {
    int64_t pad = t->pads[i] + t->pads[i + t->n_space], size = x->dims[2 + i];
    int64_t reach = (int64_t)t->dilations[i] * (t->kernel[i] - 1);
    if (t->kind == PT_WALK_POOL &&
        (t->pads[i] >= t->kernel[i] || t->pads[i + t->n_space] >= t->kernel[i]))
      return false;
    if (size < 0) {
      if (t->strides[i] == 1 && pad == reach)
        out->dims[2 + i] = (int32_t)size;
      else
        out->dims[2 + i] =
            pt_walk_derived((int32_t)size, pad - reach, t->strides[i] * 2 + t->ceil_mode);
      continue;
    }
    int64_t room = size + pad - reach - 1;
    if (room < 0)
      return false;
    int64_t steps =
        t->ceil_mode ? (room + t->strides[i] - 1) / t->strides[i] : room / t->strides[i];
    if (t->ceil_mode && steps * t->strides[i] >= size + t->pads[i])
      steps--; /* a window that starts in the padding behind is left out */
    if (steps + 1 > INT32_MAX)
      return false;
    out->dims[2 + i] = (int32_t)steps + 1;
  }
  return true;
}

static bool infer_conv(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                       PtWalkType *out) {
  const PtWalkType *x = in[0];
  if (x->rank != t->n_space + 2 || x->dims[1] < 1)
    return false;
  *out = like(x, x->rank);
  out->dims[0] = x->dims[0];
  if (t->groups > 1 && (x->dims[1] % t->groups || width % t->groups))
    return false;
  if (t->groups && width < 1)
    return false;
  if (t->groups == 0 && x->dims[1] < 2)
    return false;
  /* a group a channel is another template */
  if (t->groups > 1 && x->dims[1] == t->groups && width == t->groups)
    return false;
  out->dims[1] = t->groups ? width : x->dims[1];
  return infer_space(t, x, out);
}

static bool infer_conv_transpose(const PtWalkTemplate *t, int32_t width,
                                 const PtWalkType *const *in, PtWalkType *out) {
  const PtWalkType *x = in[0];
  if (x->rank != t->n_space + 2 || x->dims[1] < 1 || (t->groups && width < 1) ||
      (t->groups == 0 && x->dims[1] < 2) ||
      (t->groups > 1 && (x->dims[1] % t->groups || width % t->groups)) ||
      (t->groups > 1 && x->dims[1] == t->groups && width == t->groups))
    return false;
  *out = like(x, x->rank);
  out->dims[0] = x->dims[0];
  out->dims[1] = t->groups ? width : x->dims[1];
  for (int32_t i = 0; i < t->n_space; i++) {
    int64_t more = (int64_t)t->dilations[i] * (t->kernel[i] - 1) + 1 + t->out_pads[i] - t->pads[i] -
                   t->pads[i + t->n_space];
    int64_t size = (int64_t)t->strides[i] * (x->dims[2 + i] - 1) + more;
    if (x->dims[2 + i] >= 0 && (size < 1 || size > INT32_MAX))
      return false;
    out->dims[2 + i] = x->dims[2 + i] >= 0
                           ? (int32_t)size
                           : pt_walk_derived(x->dims[2 + i], more - t->strides[i], -t->strides[i]);
  }
  return true;
}

static bool infer_pool(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                       PtWalkType *out) {
  const PtWalkType *x = in[0];
  (void)width;
  if (x->rank != t->n_space + 2)
    return false;
  *out = like(x, x->rank);
  out->dims[0] = x->dims[0];
  out->dims[1] = x->dims[1];
  return infer_space(t, x, out);
}

static bool infer_global_pool(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                              PtWalkType *out) {
  const PtWalkType *x = in[0];
  (void)t, (void)width;
  if (x->rank < 3)
    return false;
  *out = *x;
  for (int32_t i = 2; i < x->rank; i++)
    out->dims[i] = 1;
  return true;
}

/* ---- products
 * ------------------------------------------------------------------------------------------ */
static bool infer_linear(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                         PtWalkType *out) {
  const PtWalkType *x = in[0];
  bool gemm = t->op[0] == 'G';
  if (x->rank < 2 || (gemm && x->rank != 2) || x->dims[x->rank - 1] < 1 || width < 1)
    return false;
  *out = *x;
  out->dims[x->rank - 1] = width;
  return true;
}

static bool infer_matmul(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                         PtWalkType *out) {
  const PtWalkType *a = in[0], *b = in[1];
  (void)t, (void)width;
  if (a->rank < 2 || b->rank < 2 || a->dtype != b->dtype ||
      a->dims[a->rank - 1] != b->dims[b->rank - 2])
    return false;
  *out = like(a, MAX(a->rank, b->rank));
  for (int32_t i = 3; i <= out->rank; i++) {
    int32_t da = i <= a->rank ? a->dims[a->rank - i] : 1;
    int32_t db = i <= b->rank ? b->dims[b->rank - i] : 1;
    if (!merge(da, db, &out->dims[out->rank - i]))
      return false;
  }
  out->dims[out->rank - 2] = a->dims[a->rank - 2];
  out->dims[out->rank - 1] = b->dims[b->rank - 1];
  return true;
}

static const PtWalkRule rules[PT_WALK_KINDS] = {
    [PT_WALK_SAME] = infer_same,
    [PT_WALK_BINARY] = infer_binary,
    [PT_WALK_CONV] = infer_conv,
    [PT_WALK_POOL] = infer_pool,
    [PT_WALK_GLOBAL_POOL] = infer_global_pool,
    [PT_WALK_LINEAR] = infer_linear,
    [PT_WALK_MATMUL] = infer_matmul,
    [PT_WALK_CONV_TRANSPOSE] = infer_conv_transpose,
};

/* A single float stays as it is in real pieces, so no weight may be one. */
static bool weights_fit(const PtWalkTemplate *t, int32_t width, const PtWalkType *x) {
  for (uint32_t i = 0; i < t->n_slots; i++) {
    const PtWalkSlot *s = &t->slots[i];
    bool large = s->kind != PT_SLOT_WEIGHT;
    for (uint32_t d = 0; !large && d < s->rank; d++)
      large = pt_walk_slot_size(s->dims[d], t, width, x) > 1;
    if (!large)
      return false;
  }
  return true;
}

bool pt_walk_infer(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                   PtWalkType *out) {
  if (t->kind == PT_WALK_OPAQUE) {
    for (uint32_t i = 0; i < t->n_data + t->n_captures; i++)
      if (!pt_walk_same(in[i], &t->in[i]))
        return false;
    if (t->n_outputs)
      *out = t->out[0];
    return true;
  }
  for (uint32_t i = 0; i < t->n_data; i++)
    if (!pt_walk_is_data(in[i]))
      return false;
  PtWalkRule rule = rules[t->kind] ? rules[t->kind] : pt_walk_move_rules[t->kind];
  return rule(t, width, in, out) && weights_fit(t, width, in[0]);
}

int64_t pt_walk_slot_size(int32_t code, const PtWalkTemplate *t, int32_t width,
                          const PtWalkType *x) {
  if (code >= 0)
    return code;
  if (code == PT_DIM_WIDTH)
    return width;
  if (code == PT_DIM_CHANNEL)
    return x->dims[1];
  if (code == PT_DIM_PER_GROUP)
    return x->dims[1] / MAX(t->groups, 1);
  if (code == PT_DIM_WIDTH_PER_GROUP)
    return width / MAX(t->groups, 1);
  return x->dims[x->rank - (PT_DIM_AXIS - code)];
}
