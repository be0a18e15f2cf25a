/* Constants that equal an expression of the library, as it is or seen through a reshape, a
 * transpose, zero padding, a slice or a concatenation; and sums, differences, products and
 * quotients of two. Elements are compared before anything is evaluated whole, and everything is
 * compared before it is believed. */
#include "rebind/rebind_private.h"

#include <math.h>
#include <string.h>

#define MAX_PERM_RANK 5
#define SAMPLES 24
#define MAX_PAIRS 20000000
#define MAX_PARTS 16

/* ---- verification
 * -------------------------------------------------------------------------------- */
/* slack: an absolute difference that counts as PT_REBIND_ULPS. */
static bool near(const PtDense *target, size_t i, double value, double slack, uint32_t *worst) {
  double own = pt_dense_at(target->dtype, target->data, i);
  uint32_t ulps = pt_ulps(target->dtype, own, pt_round_to(target->dtype, value));
  if (ulps > PT_REBIND_ULPS && fabs(own - value) <= slack)
    ulps = PT_REBIND_ULPS;
  *worst = MAX(*worst, ulps);
  return ulps <= PT_REBIND_ULPS;
}

/* For rough expressions; there are none before the runtime has folded. */
static double slack_of(const PtRebind *r, const PtDense *target) {
  double most = 0;
  if (!r->through_runtime || !pt_dtype_is_float(target->dtype) || pt_dtype_bits(target->dtype) < 16)
    return 0;
  for (size_t i = 0; i < target->count; i++)
    most = MAX(most, fabs(pt_dense_at(target->dtype, target->data, i)));
  return isfinite(most) ? PT_REBIND_SLACK * most : 0;
}

static size_t sample_index(size_t count, size_t k) {
  if (k < 2)
    return k ? count - 1 : 0;
  return (size_t)(((unsigned __int128)pt_hash_mix(k, count) * count) >> 64);
}

static uint32_t compare_all(const PtDense *target, const PtDense *other, double slack) {
  if (target->dtype != other->dtype || target->count != other->count)
    return UINT32_MAX;
  if (target->size == 0 || memcmp(target->data, other->data, target->size) == 0)
    return 0;
  if (pt_dtype_bits(target->dtype) < 8)
    return UINT32_MAX;
  uint32_t worst = 0;
  for (size_t i = 0; i < target->count; i++)
    if (!near(target, i, pt_dense_at(other->dtype, other->data, i), slack, &worst))
      return UINT32_MAX;
  return worst;
}

static uint32_t verify(PtRebind *r, const PtDense *target, PtExpr *e, double slack) {
  uint32_t worst = 0;
  if (!e || e->type.count != target->count || e->type.dtype != target->dtype)
    return UINT32_MAX;
  if (pt_dtype_bits(target->dtype) >= 8 && e->kind != PT_EXPR_NODE)
    for (size_t k = 0; k < SAMPLES && target->count > 0; k++) {
      size_t i = sample_index(target->count, k);
      if (!near(target, i, pt_expr_at(r, e, i), slack, &worst))
        return UINT32_MAX;
    }
  PtDense all;
  if (!pt_expr_eval(r, e, &all))
    return UINT32_MAX;
  worst = compare_all(target, &all, slack);
  pt_dense_clear(&all);
  return worst;
}

uint32_t pt_rebind_verify(PtRebind *r, const PtDense *target, PtExpr *e) {
  return verify(r, target, e, e && e->rough ? slack_of(r, target) : 0);
}

/* The best hypothesis so far; bit-identical ends the search. */
typedef struct {
  PtRebind *r;
  const PtDense *target;
  PtExpr *best;
  uint32_t ulps;
  double slack; /* of rough expressions */
} Search;

static bool agrees(const Search *s, size_t i, double value, const PtExpr *e) {
  uint32_t worst = 0;
  return near(s->target, i, value, e->rough ? s->slack : 0, &worst);
}

/* The target's shape is put on the expression. True once it is bit-identical. */
static bool propose(Search *s, PtExpr *e) {
  e = pt_expr_reshape(s->r, e, s->target->rank, s->target->dims);
  uint32_t ulps = e ? verify(s->r, s->target, e, e->rough ? s->slack : 0) : UINT32_MAX;
  if (ulps < s->ulps) {
    s->best = e;
    s->ulps = ulps;
  }
  return s->ulps == 0;
}

/* ---- views
 * --------------------------------------------------------------------------------------- */
static bool next_permutation(int64_t *p, uint32_t n) {
  uint32_t i = n - 1, j = n - 1;
  while (i > 0 && p[i - 1] >= p[i])
    i--;
  if (i == 0)
    return false;
  while (p[j] <= p[i - 1])
    j--;
  int64_t t = p[i - 1];
  p[i - 1] = p[j];
  p[j] = t;
  for (j = n - 1; i < j; i++, j--) {
    t = p[i];
    p[i] = p[j];
    p[j] = t;
  }
  return true;
}

/* Whether a few elements agree with the expression under the permutation; builds nothing. */
static bool permuted_sample(Search *s, PtExpr *e, const int64_t *perm) {
  int64_t strides[PT_MAX_RANK];
  uint32_t rank = e->type.rank;
  pt_strides(rank, e->type.dims, strides);
  for (size_t k = 1; k < 8; k++) {
    size_t i = sample_index(e->type.count, k), rest = i, from = 0;
    for (uint32_t a = rank; a-- > 0;) {
      size_t size = (size_t)e->type.dims[perm[a]];
      from += rest % size * (size_t)strides[perm[a]];
      rest /= size;
    }
    if (!agrees(s, i, pt_expr_at(s->r, e, from), e))
      return false;
  }
  return true;
}

/* The same elements in another order of axes. */
static bool try_permutations(Search *s, PtExpr *e) {
  int64_t perm[PT_MAX_RANK] = {0}, dims[PT_MAX_RANK];
  uint32_t rank = 0;
  for (uint32_t i = 0; i < e->type.rank; i++)
    if (e->type.dims[i] != 1)
      dims[rank++] = e->type.dims[i];
  if (rank > MAX_PERM_RANK)
    return false;
  PtExpr *plain = pt_expr_reshape(s->r, e, rank, dims);
  for (uint32_t i = 0; i < rank; i++)
    perm[i] = i;
  do {
    if (permuted_sample(s, plain, perm) && propose(s, pt_expr_transpose(s->r, plain, perm)))
      return true;
  } while (rank > 1 && next_permutation(perm, rank));
  return false;
}

/* The elements with zeros behind them on any axis, or repeated. */
static bool try_larger(Search *s, PtExpr *e) {
  const PtDense *t = s->target;
  int64_t zero[PT_MAX_RANK] = {0}, dims[PT_MAX_RANK];
  uint32_t rank = e->type.rank;
  if (rank > t->rank)
    return false;
  for (uint32_t lead = 0; lead <= t->rank - rank; lead++) { /* where the expression's axes start */
    bool pads = true, repeats = true;
    for (uint32_t i = 0; i < t->rank; i++) {
      dims[i] = i < lead || i >= lead + rank ? 1 : e->type.dims[i - lead];
      pads &= dims[i] <= t->dims[i];
      repeats &= dims[i] == 1 || dims[i] == t->dims[i];
    }
    PtExpr *view = pads || repeats ? pt_expr_reshape(s->r, e, t->rank, dims) : NULL;
    if (repeats && propose(s, pt_expr_expand(s->r, view, t->rank, t->dims)))
      return true;
    if (pads && propose(s, pt_expr_pad(s->r, view, zero, t->dims)))
      return true;
  }
  return false;
}

static PtExpr *in_dtype(Search *s, PtExpr *e) {
  if (e->type.dtype == s->target->dtype)
    return e;
  bool small = e->type.dtype == PT_FLOAT16 || e->type.dtype == PT_BFLOAT16;
  bool to_small = s->target->dtype == PT_FLOAT16 || s->target->dtype == PT_BFLOAT16;
  if ((small && s->target->dtype == PT_FLOAT) || (to_small && e->type.dtype == PT_FLOAT) ||
      (e->type.dtype == PT_DOUBLE && s->target->dtype == PT_FLOAT))
    return pt_expr_cast(s->r, e, s->target->dtype);
  return NULL;
}

/* Every view keeps element 0, so most expressions fall out here. */
static bool starts_alike(Search *s, PtExpr *e) {
  return s->target->count > 0 && e->type.count > 0 && agrees(s, 0, pt_expr_first(s->r, e), e);
}

static bool try_views(Search *s, PtExpr *e) {
  if (pt_dtype_bits(s->target->dtype) < 8)
    return e->type.dtype == s->target->dtype && e->type.count == s->target->count && propose(s, e);
  if (e->type.count > s->target->count || !starts_alike(s, e) || !(e = in_dtype(s, e)))
    return false;
  if (e->type.count == s->target->count)
    return propose(s, e) || try_permutations(s, e);
  return try_larger(s, e);
}

/* ---- parts
 * --------------------------------------------------------------------------------------- */
/* A run of one axis of a larger expression. */
static bool try_slices(Search *s, PtExpr *e) {
  const PtDense *t = s->target;
  if (e->type.rank != t->rank || e->type.count <= t->count || !(e = in_dtype(s, e)))
    return false;
  uint32_t axis = PT_MAX_RANK, differing = 0;
  for (uint32_t i = 0; i < t->rank; i++)
    if (e->type.dims[i] != t->dims[i]) {
      axis = i;
      differing++;
    }
  if (differing != 1 || e->type.dims[axis] < t->dims[axis])
    return false;
  int64_t strides[PT_MAX_RANK], starts[PT_MAX_RANK] = {0};
  pt_strides(e->type.rank, e->type.dims, strides);
  for (int64_t at = 0; at <= e->type.dims[axis] - t->dims[axis]; at++) {
    if (!agrees(s, 0, pt_expr_at(s->r, e, (size_t)(at * strides[axis])), e))
      continue;
    starts[axis] = at;
    if (propose(s, pt_expr_slice(s->r, e, starts, t->dims)))
      return true;
  }
  return false;
}

/* Whether `e` sits in the target at `at` of `axis`: a few elements only. */
static bool part_sample(Search *s, PtExpr *e, uint32_t axis, int64_t at) {
  const PtDense *t = s->target;
  int64_t strides[PT_MAX_RANK];
  pt_strides(t->rank, t->dims, strides);
  for (size_t k = 0; k < 8; k++) {
    size_t i = sample_index(e->type.count, k), rest = i, to = (size_t)(at * strides[axis]);
    for (uint32_t a = t->rank; a-- > 0;) {
      to += rest % (size_t)e->type.dims[a] * (size_t)strides[a];
      rest /= (size_t)e->type.dims[a];
    }
    if (!agrees(s, to, pt_expr_at(s->r, e, i), e))
      return false;
  }
  return true;
}

static PtExpr *find_part(Search *s, uint32_t axis, int64_t at) {
  const PtDense *t = s->target;
  for (guint k = 0; k < s->r->library->len; k++) {
    PtExpr *e = g_ptr_array_index(s->r->library, k);
    bool fits = e->type.rank == t->rank && e->type.count > 0;
    for (uint32_t i = 0; i < t->rank && fits; i++)
      fits = i == axis ? e->type.dims[i] <= t->dims[i] - at : e->type.dims[i] == t->dims[i];
    if (fits && (e = in_dtype(s, e)) && part_sample(s, e, axis, at))
      return e;
  }
  return NULL;
}

static bool try_concat(Search *s) {
  const PtDense *t = s->target;
  for (uint32_t axis = 0; axis < t->rank; axis++) {
    PtExpr *parts[MAX_PARTS];
    uint32_t n = 0;
    int64_t at = 0;
    while (at < t->dims[axis] && n < MAX_PARTS && (parts[n] = find_part(s, axis, at)))
      at += parts[n++]->type.dims[axis];
    if (at == t->dims[axis] && n > 1 && propose(s, pt_expr_concat(s->r, parts, n, axis)))
      return true;
  }
  return false;
}

static PtExpr *search_done(const Search *s, uint32_t *ulps) {
  *ulps = s->ulps;
  return s->best;
}

PtExpr *pt_rebind_match(PtRebind *r, const PtDense *target, bool thorough, uint32_t *ulps) {
  Search s = {r, target, NULL, PT_REBIND_ULPS + 1, slack_of(r, target)};
  for (guint i = 0; i < r->library->len; i++)
    if (try_views(&s, g_ptr_array_index(r->library, i)))
      return search_done(&s, ulps);
  if (s.best || !thorough || pt_dtype_bits(target->dtype) < 8 || target->count < 2)
    return search_done(&s, ulps);
  for (guint i = 0; i < r->library->len; i++)
    if (try_slices(&s, g_ptr_array_index(r->library, i)))
      return search_done(&s, ulps);
  try_concat(&s);
  return search_done(&s, ulps);
}

/* ---- pairs
 * --------------------------------------------------------------------------------------- */
/* The smaller operand, seen so that it broadcasts to the larger: as it is, or along any one axis.
 */
static bool try_pair(Search *s, PtFormOp op, PtExpr *a, PtExpr *b) {
  bool b_small = b->type.count <= a->type.count;
  PtExpr *large = b_small ? a : b, *small = b_small ? b : a;
  if (propose(s, pt_expr_arithmetic(s->r, op, a, b)))
    return true;
  for (uint32_t axis = 0; axis < large->type.rank; axis++) {
    if (large->type.dims[axis] != (int64_t)small->type.count || small->type.count < 2)
      continue;
    int64_t dims[PT_MAX_RANK];
    for (uint32_t i = 0; i < large->type.rank; i++)
      dims[i] = i == axis ? large->type.dims[i] : 1;
    PtExpr *view = pt_expr_reshape(s->r, small, large->type.rank, dims);
    if (propose(s, pt_expr_arithmetic(s->r, op, b_small ? a : view, b_small ? view : b)))
      return true;
  }
  return false;
}

PtExpr *pt_rebind_match_pairs(PtRebind *r, const PtDense *target, uint32_t *ulps) {
  Search s = {r, target, NULL, PT_REBIND_ULPS + 1, slack_of(r, target)};
  g_autoptr(GPtrArray) operands = g_ptr_array_new();
  for (guint i = 0; i < r->library->len + r->reals->len; i++) {
    PtExpr *e = i < r->library->len ? g_ptr_array_index(r->library, i)
                                    : g_ptr_array_index(r->reals, i - r->library->len);
    if (e->type.dtype == target->dtype && e->type.count > 0 && target->count % e->type.count == 0)
      g_ptr_array_add(operands, e);
  }
  uint64_t tried = 0;
  for (guint i = 0; i < operands->len; i++)
    for (guint k = 0; k < operands->len && tried < MAX_PAIRS; k++, tried++) {
      PtExpr *a = g_ptr_array_index(operands, i), *b = g_ptr_array_index(operands, k);
      if ((!a->noisy && !b->noisy) ||
          (a->type.count != target->count && b->type.count != target->count))
        continue;
      for (PtFormOp op = PT_FORM_ADD; op <= PT_FORM_DIV; op++) {
        double x = pt_arith_at(op, target->dtype, pt_expr_first(r, a), pt_expr_first(r, b));
        if (agrees(&s, 0, x, a->rough ? a : b) && try_pair(&s, op, a, b))
          return search_done(&s, ulps);
      }
    }
  return search_done(&s, ulps);
}
