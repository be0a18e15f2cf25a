/* steer: numbers that steer an operator, as they follow from its input: a target of Reshape as the
 * input's axes kept, merged and split, with heads or channels fixed; places of Slice as fractions.
 * What is read from a node depends on its input only, so that a template stands for what its own
 * written form is read as. */
#include "walk/walk_private.h"

#define MAX_SIZE INT32_MAX

static PtSteer fixed(int64_t value) {
  return (PtSteer){.kind = PT_STEER_FIXED, .value = value};
}

static PtSteer of_axes(uint32_t axis, uint32_t n, uint32_t times, int64_t over) {
  return (PtSteer){.kind = PT_STEER_SIZE,
                   .axis = (uint8_t)axis,
                   .n = (uint8_t)n,
                   .times = (uint8_t)times,
                   .value = over};
}

/* ---- numbers ----------------------------------------------------------------------------------
 */
static bool size_of(const PtSteer *s, const PtWalkType *x, int64_t *size) {
  int64_t product = s->times;
  for (int32_t a = s->axis; a < s->axis + s->n; a++) {
    if (a >= x->rank || x->dims[a] < 1 ||
        __builtin_mul_overflow(product, (int64_t)x->dims[a], &product))
      return false;
  }
  if (s->value < 1 || product % s->value || product / s->value > MAX_SIZE)
    return false;
  *size = product / s->value;
  return true;
}

bool pt_steer_numbers(const PtWalkSlot *slot, const PtWalkType *x, int64_t *numbers) {
  for (int32_t i = 0; i < slot->dims[0]; i++) {
    const PtSteer *s = &slot->steer[i];
    numbers[i] = s->kind == PT_STEER_COPY ? 0 : s->kind == PT_STEER_REST ? -1 : s->value;
    if (s->kind == PT_STEER_SIZE && !size_of(s, x, &numbers[i]))
      return false;
  }
  return true;
}

PtSteer pt_steer_place(const PtWalkType *x, int32_t axis, int64_t place) {
  int64_t size = x->dims[axis];
  if (size > 0 && place == size)
    return of_axes((uint32_t)axis, 1, 1, 1);
  for (uint32_t over = 2; size >= 8 && place > 0 && place < size && over <= 4; over++)
    for (uint32_t times = 1; times < over; times++)
      if (place * over == size * times)
        return of_axes((uint32_t)axis, 1, times, over);
  return fixed(place);
}

/* ---- reshape ----------------------------------------------------------------------------------
 */
typedef struct Product { /* of sizes: the known ones, and codes of the others */
  int64_t known;
  int32_t codes[PT_WALK_RANK];
  uint32_t n;
} Product;

static bool multiply(Product *p, int32_t size) {
  if (size < 0)
    p->codes[p->n++] = size;
  else if (size == 0 || __builtin_mul_overflow(p->known, (int64_t)size, &p->known))
    return false;
  return true;
}

static bool cancel(Product *p, const Product *by) {
  for (uint32_t i = 0; i < by->n; i++) {
    uint32_t k = 0;
    while (k < p->n && p->codes[k] != by->codes[i])
      k++;
    if (k == p->n)
      return false;
    p->codes[k] = p->codes[--p->n];
  }
  if (p->known % by->known)
    return false;
  p->known /= by->known;
  return true;
}

static bool rest_of(const Product *p, int32_t *size) {
  if (p->n == 0) {
    *size = (int32_t)p->known;
    return p->known <= MAX_SIZE;
  }
  *size = p->codes[0];
  if (p->n == 1 && p->known == 1)
    return true;
  uint64_t all = 0; /* whatever their order */
  for (uint32_t i = 0; i < p->n; i++)
    all += pt_hash_mix((uint64_t)(int64_t)p->codes[i], 0x9e5);
  *size = pt_walk_derived((int32_t)(all & 0x7fffffff), p->known, p->n);
  return true;
}

static bool target_type(const PtWalkType *x, const int64_t *target, uint32_t n, PtWalkType *out) {
  Product all = {.known = 1}, given = {.known = 1};
  int32_t rest = -1;
  *out = (PtWalkType){.dtype = x->dtype, .rank = (int8_t)n};
  for (int32_t i = 0; i < x->rank; i++)
    if (!multiply(&all, x->dims[i]))
      return false;
  for (uint32_t i = 0; i < n; i++) {
    if (target[i] < -1 || target[i] > MAX_SIZE || (target[i] == 0 && (int32_t)i >= x->rank) ||
        (target[i] == -1 && rest >= 0))
      return false;
    if (target[i] == -1) {
      rest = (int32_t)i;
      continue;
    }
    out->dims[i] = target[i] ? (int32_t)target[i] : x->dims[i];
    if (!multiply(&given, out->dims[i]))
      return false;
  }
  if (!cancel(&all, &given))
    return false;
  return rest >= 0 ? rest_of(&all, &out->dims[rest]) : all.n == 0 && all.known == 1;
}

/* Of an axis split in m, the part that follows from the axis: heads of a fixed size, windows of a
 * fixed size, or what two to four groups leave. */
static uint32_t free_part(const PtWalkType *out, uint32_t from, uint32_t m) {
  int32_t first = out->dims[from], last = out->dims[from + m - 1];
  if (m > 2)
    return first <= 4;
  if (last <= 16 || (last <= 128 && last % 8 == 0))
    return 0;
  return first <= 4;
}

/* Axes [i, i + n) of the input are the sizes [k, k + m) that come out. */
static void set_group(uint32_t i, uint32_t n, const PtWalkType *out, uint32_t k, uint32_t m,
                      PtSteer *steer) {
  int64_t others = 1;
  bool all_fixed = true;
  for (uint32_t a = k; a < k + m; a++)
    all_fixed &= steer[a].kind == PT_STEER_FIXED;
  uint32_t at = k + (m > 1 ? free_part(out, k, m) : 0);
  for (uint32_t a = k; a < k + m; a++)
    others *= a == at ? 1 : out->dims[a];
  if (all_fixed)
    steer[at] = of_axes(i, n, 1, others);
}

bool pt_steer_reshape(const PtWalkType *x, const int64_t *target, uint32_t n, PtWalkType *out,
                      PtSteer *steer) {
  uint32_t i = 0, k = 0, rank = (uint32_t)x->rank;
  if (n > PT_WALK_RANK || !target_type(x, target, n, out))
    return false;
  for (uint32_t a = 0; a < n; a++)
    steer[a] = target[a] == 0    ? (PtSteer){.kind = PT_STEER_COPY}
               : target[a] == -1 ? (PtSteer){.kind = PT_STEER_REST}
                                 : fixed(target[a]);
  while (i < rank && k < n) {
    int64_t in = x->dims[i], to = out->dims[k];
    uint32_t end_in = i + 1, end = k + 1;
    if (in != to && (in == 1 || to == 1)) {
      i += to != 1;
      k += to == 1;
      continue;
    }
    while (in > 0 && to > 0 && in != to) {
      if (in < to ? end_in == rank || x->dims[end_in] < 0 : end == n || out->dims[end] < 0)
        return true;
      if (in < to)
        in *= x->dims[end_in++];
      else
        to *= out->dims[end++];
    }
    if (in != to)
      return true; /* sizes that are not known: what is behind stays as it is written */
    if (in > 0)
      set_group(i, end_in - i, out, k, end - k, steer);
    i = end_in;
    k = end;
  }
  return true;
}
