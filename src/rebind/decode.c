/* Constants that are moved noise: every element says where it came from, so look for a short
 * description of the positions. Flat memory is read as nested arithmetic progressions (any
 * transpose, reshape, block, repetition, slice); where that fails, the array is cut where the
 * positions jump (concatenations, zero padding). */
#include "rebind/rebind_private.h"

#include <string.h>

#define MAX_CUTS 256
#define MAX_LEVELS 6

typedef struct {
  uint32_t weight; /* index in r->weights, PAD for a zero, NOWHERE */
  int64_t index;   /* element of the weight */
} Place;
#define PAD (UINT32_MAX - 1)
#define NOWHERE UINT32_MAX

static Place place_of(PtRebind *r, float value) {
  if (value == 0)
    return (Place){PAD, 0};
  uint64_t at = pt_noise_position(r->noise, value);
  if (at == UINT64_MAX)
    return (Place){NOWHERE, 0};
  at *= 4;
  uint32_t low = 0, high = r->weights->len;
  while (low < high) { /* the last weight that starts at or before `at` */
    uint32_t middle = low + (high - low) / 2;
    if (g_array_index(r->weights, PtWeight, middle).offset <= at)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == 0)
    return (Place){NOWHERE, 0};
  const PtWeight *w = &g_array_index(r->weights, PtWeight, low - 1);
  if (at - w->offset >= w->size || w->expr->type.dtype != PT_FLOAT)
    return (Place){NOWHERE, 0};
  return (Place){low - 1, (int64_t)((at - w->offset) / 4)};
}

static float element(const PtDense *target, int64_t i) {
  float f;
  memcpy(&f, target->data + i * 4, 4);
  return f;
}

/* Nested progressions, innermost first: element sum(i_k * unit_k) is at start + sum(i_k * step_k).
 */
typedef struct {
  uint32_t weight, levels;
  int64_t start, size[MAX_LEVELS], step[MAX_LEVELS];
} Progression;

static bool find_progression(PtRebind *r, const PtDense *target, Progression *p) {
  Place first = place_of(r, element(target, 0));
  int64_t count = (int64_t)target->count, unit = 1;
  *p = (Progression){.weight = first.weight, .start = first.index};
  if (first.weight >= PAD)
    return false;
  while (unit < count) {
    if (p->levels == MAX_LEVELS || count % unit)
      return false;
    Place next = place_of(r, element(target, unit));
    if (next.weight != first.weight)
      return false;
    int64_t step = next.index - first.index, n = 2;
    for (; n < count / unit; n++) {
      next = place_of(r, element(target, n * unit));
      if (next.weight != first.weight || next.index != first.index + n * step)
        break;
    }
    p->size[p->levels] = n;
    p->step[p->levels++] = step;
    unit *= n;
  }
  return unit == count;
}

/* Levels with a step, by growing step. */
static uint32_t sort_levels(const Progression *p, uint32_t *order) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < p->levels; i++) {
    if (p->step[i] == 0)
      continue;
    uint32_t at = n++;
    for (; at > 0 && p->step[order[at - 1]] > p->step[i]; at--)
      order[at] = order[at - 1];
    order[at] = i;
  }
  return n;
}

/* The weight seen as a box whose axes are the progression's steps, sliced. from: first element of
 * the box. */
static PtExpr *slice_of(PtRebind *r, const Progression *p, const uint32_t *order, uint32_t n,
                        bool aligned) {
  const PtWeight *w = &g_array_index(r->weights, PtWeight, p->weight);
  int64_t count = (int64_t)w->expr->type.count;
  int64_t dims[MAX_LEVELS + 1], starts[MAX_LEVELS + 1], sizes[MAX_LEVELS + 1];
  int64_t outer = p->step[order[n - 1]], offset = aligned ? p->start % outer : 0;
  int64_t from = p->start - offset, span;
  if (__builtin_mul_overflow(p->size[order[n - 1]], outer, &span) || span > count - from)
    return NULL;
  int64_t rest = offset;
  for (uint32_t k = n;
       k-- > 0;) { /* axis 0 is the outermost; the last has the elements between steps */
    uint32_t axis = n - 1 - k;
    int64_t step = p->step[order[k]], size = p->size[order[k]];
    int64_t radix = k + 1 < n ? p->step[order[k + 1]] / step : size;
    int64_t digit = rest / step;
    if (k + 1 < n && (p->step[order[k + 1]] % step || digit + size > radix))
      return NULL;
    rest %= step;
    dims[axis] = radix;
    starts[axis] = digit;
    sizes[axis] = size;
  }
  uint32_t rank = n;
  if (p->step[order[0]] != 1) {
    dims[rank] = p->step[order[0]];
    starts[rank] = rest;
    sizes[rank++] = 1;
  }
  PtExpr *box = pt_expr_source(r, PT_FLOAT, rank, dims, w->offset + (uint64_t)from * 4);
  return pt_expr_reshape(r, pt_expr_slice(r, box, starts, sizes), n, sizes);
}

static PtExpr *progression_expr(PtRebind *r, const Progression *p, const PtDense *target) {
  uint32_t order[MAX_LEVELS], n = sort_levels(p, order);
  for (uint32_t i = 0; i < p->levels; i++)
    if (p->step[i] < 0)
      return NULL;
  PtExpr *e;
  if (n == 0) {
    const PtWeight *w = &g_array_index(r->weights, PtWeight, p->weight);
    int64_t one = 1;
    e = pt_expr_source(r, PT_FLOAT, 1, &one, w->offset + (uint64_t)p->start * 4);
  } else {
    e = slice_of(r, p, order, n, false);
    if (!e)
      e = slice_of(r, p, order, n, true);
  }
  /* the axes of e are order[n-1] .. order[0]; the target's are levels-1 .. 0 */
  int64_t perm[MAX_LEVELS], dims[MAX_LEVELS];
  uint32_t rank = 0;
  bool repeats = false;
  for (uint32_t i = p->levels; i-- > 0;) {
    repeats |= p->step[i] == 0;
    for (uint32_t k = 0; k < n; k++)
      if (order[k] == i)
        perm[rank++] = n - 1 - k;
  }
  e = n > 0 ? pt_expr_transpose(r, e, perm) : e;
  if (repeats) {
    uint32_t at = 0;
    for (uint32_t i = p->levels; i-- > 0;)
      dims[at++] = p->step[i] == 0 ? 1 : p->size[i];
    e = pt_expr_reshape(r, e, p->levels, dims);
    at = 0;
    for (uint32_t i = p->levels; i-- > 0;)
      dims[at++] = p->size[i];
    e = pt_expr_expand(r, e, p->levels, dims);
  }
  return pt_expr_reshape(r, e, target->rank, target->dims);
}

/* A contiguous run of one weight: by far the most common, so it is tried without decoding. */
static PtExpr *contiguous(PtRebind *r, const PtDense *target) {
  Place first = place_of(r, element(target, 0));
  if (first.weight >= PAD)
    return NULL;
  const PtWeight *w = &g_array_index(r->weights, PtWeight, first.weight);
  if ((int64_t)target->count > (int64_t)w->expr->type.count - first.index)
    return NULL;
  return pt_expr_source(r, PT_FLOAT, target->rank, target->dims,
                        w->offset + (uint64_t)first.index * 4);
}

/* ---- cuts ---------------------------------------------------------------------------------------
 */
/* Where positions jump along `axis`, from the array's first element on: cuts[0] = 0 .. cuts[n] =
 * size. */
static uint32_t find_cuts(PtRebind *r, const PtDense *target, uint32_t axis, int64_t *cuts) {
  int64_t strides[PT_MAX_RANK], step = 0;
  pt_strides(target->rank, target->dims, strides);
  uint32_t n = 0;
  cuts[n++] = 0;
  Place before = place_of(r, element(target, 0));
  bool stepped = false;
  for (int64_t i = 1; i < target->dims[axis]; i++) {
    Place here = place_of(r, element(target, i * strides[axis]));
    bool jump = here.weight != before.weight || here.weight == NOWHERE;
    if (!jump && here.weight != PAD) {
      jump = stepped && here.index - before.index != step;
      step = here.index - before.index;
      stepped = true;
    }
    if (jump) {
      if (n == MAX_CUTS)
        return 0;
      cuts[n++] = i;
      stepped = false;
    }
    before = here;
  }
  cuts[n] = target->dims[axis];
  return n;
}

static bool part_of(const PtDense *target, uint32_t axis, int64_t from, int64_t to,
                    unsigned threads, PtDense *part) {
  PtForm form = {0};
  int64_t starts[PT_MAX_RANK] = {0}, counts[PT_MAX_RANK];
  PtDense in = *target;
  in.owned = NULL;
  memcpy(counts, target->dims, sizeof counts);
  starts[axis] = from;
  counts[axis] = to - from;
  return pt_form_slice(&in, starts, counts, NULL, &form) &&
         pt_form_eval(&form, &in, 1, threads, part);
}

static bool is_zero(const PtDense *d) {
  for (size_t i = 0; i < d->count; i++)
    if (element(d, (int64_t)i) != 0)
      return false;
  return true;
}

/* Pads `e` along the axis to `before` zeros in front and `size` in all. */
static PtExpr *pad_axis(PtRebind *r, PtExpr *e, uint32_t axis, int64_t before, int64_t size) {
  if (!e)
    return NULL;
  int64_t at[PT_MAX_RANK] = {0}, dims[PT_MAX_RANK];
  memcpy(dims, e->type.dims, sizeof dims);
  at[axis] = before;
  dims[axis] = size;
  return pt_expr_pad(r, e, at, dims);
}

static PtExpr *decode(PtRebind *r, const PtDense *target, uint32_t depth);

static PtExpr *decode_cut(PtRebind *r, const PtDense *target, uint32_t axis, const int64_t *cuts,
                          uint32_t n, uint32_t depth) {
  PtExpr *parts[MAX_CUTS];
  uint32_t n_parts = 0;
  int64_t zeros = 0; /* in front of the first part */
  for (uint32_t i = 0; i < n; i++) {
    PtDense part;
    if (!part_of(target, axis, cuts[i], cuts[i + 1], r->threads, &part))
      return NULL;
    bool zero = element(&part, 0) == 0 && is_zero(&part);
    PtExpr *e = zero ? NULL : decode(r, &part, depth + 1);
    pt_dense_clear(&part);
    int64_t size = cuts[i + 1] - cuts[i];
    if (zero && n_parts == 0)
      zeros += size;
    else if (zero)
      parts[n_parts - 1] =
          pad_axis(r, parts[n_parts - 1], axis, 0, parts[n_parts - 1]->type.dims[axis] + size);
    else if (!e)
      return NULL;
    else {
      parts[n_parts++] = zeros ? pad_axis(r, e, axis, zeros, zeros + size) : e;
      zeros = 0;
    }
  }
  if (n_parts == 0)
    return NULL;
  return n_parts == 1 ? parts[0] : pt_expr_concat(r, parts, n_parts, axis);
}

static PtExpr *decode(PtRebind *r, const PtDense *target, uint32_t depth) {
  if (target->count == 0 || depth > PT_MAX_RANK)
    return NULL;
  PtExpr *e = contiguous(r, target);
  if (e && pt_rebind_verify(r, target, e) == 0)
    return e;
  Progression p;
  if (find_progression(r, target, &p)) {
    e = progression_expr(r, &p, target);
    if (e && pt_rebind_verify(r, target, e) == 0)
      return e;
  }
  if (place_of(r, element(target, 0)).weight == NOWHERE)
    return NULL;
  for (uint32_t axis = 0; axis < target->rank; axis++) {
    int64_t cuts[MAX_CUTS + 1];
    uint32_t n = target->dims[axis] > 1 ? find_cuts(r, target, axis, cuts) : 0;
    if (n < 2)
      continue;
    return decode_cut(r, target, axis, cuts, n, depth);
  }
  return NULL;
}

PtExpr *pt_rebind_decode(PtRebind *r, const PtDense *target) {
  return target->dtype == PT_FLOAT && r->noise->floats > 0 ? decode(r, target, 0) : NULL;
}
