/* Which constants hold no weights: what steers, and what the candidate or an optimizer has from
 * real ones. */
#include "rebind/rebind_private.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool is_whole(double x) {
  return x == floor(x) && fabs(x) <= 16777216.0;
}

static bool is_real_scalar(PtRebind *r, PtDtype dtype, double x) {
  for (guint i = 0; i < r->reals->len; i++) {
    PtExpr *e = g_ptr_array_index(r->reals, i);
    if (e->type.count == 1 && pt_dtype_is_float(e->type.dtype) &&
        pt_round_to(dtype, pt_expr_first(r, e)) == x)
      return true;
  }
  return false;
}

/* Numbers that noise does not hit by chance twice: whole ones, the ends of the range, what masks
 * are made of. */
static bool is_steering(PtRebind *r, PtDtype dtype, double x) {
  return is_whole(x) || isinf(x) || fabs(x) == (double)FLT_MAX || fabs(x) == 65504.0 ||
         fabs(x) == DBL_MAX || x == (double)-3.3895313892515355e38f || is_real_scalar(r, dtype, x);
}

#define MAX_SCALARS 64
/* A root, inverse, product or quotient of the candidate's own one-element constants. */
static bool is_of_scalars(PtRebind *r, PtDtype dtype, double x) {
  double scalars[MAX_SCALARS];
  uint32_t n = 0;
  for (guint i = 0; i < r->reals->len && n < MAX_SCALARS; i++) {
    PtExpr *e = g_ptr_array_index(r->reals, i);
    double c = e->type.count == 1 && pt_dtype_is_float(e->type.dtype) ? pt_expr_first(r, e) : NAN;
    bool known = !isfinite(c) || c == 0;
    for (uint32_t k = 0; k < n && !known; k++)
      known = scalars[k] == c;
    if (!known)
      scalars[n++] = c;
  }
  for (uint32_t i = 0; i < n; i++) {
    double c = scalars[i], root = sqrt(fabs(c));
    double derived[] = {1 / c, -c, root, 1 / root, c * c, c / 2, c * 2};
    for (size_t k = 0; k < G_N_ELEMENTS(derived) + 2 * (size_t)n; k++) {
      size_t other = k - G_N_ELEMENTS(derived);
      double value = k < G_N_ELEMENTS(derived) ? derived[k]
                     : other < n               ? c * scalars[other]
                                               : c / scalars[other - n];
      if (pt_ulps(dtype, pt_round_to(dtype, value), x) <= 1)
        return true;
    }
  }
  return false;
}

/* One element that an optimizer computes from real ones: 1/8, sqrt(2/pi), ... */
static bool is_plain_scalar(PtRebind *r, PtDtype dtype, double x) {
  if (is_steering(r, dtype, x))
    return true;
  double size = fabs(x);
  double forms[] = {1 / round(1 / size), sqrt(round(size * size)),
                    1 / sqrt(round(1 / (size * size)))};
  for (size_t i = 0; i < G_N_ELEMENTS(forms);
       i++) /* of whole numbers: the inverse, the root, its inverse */
    if (size <= 65536 && size >= 1.0 / 65536 &&
        pt_ulps(dtype, pt_round_to(dtype, forms[i]), size) <= 1)
      return true;
  for (int64_t power = 10; power <= 1000000000000; power *= 10) { /* up to four digits */
    double whole = round(x * (double)power);
    if (whole != 0 && fabs(whole) <= 9999 && pt_round_to(dtype, whole / (double)power) == x)
      return true;
  }
  return is_of_scalars(r, dtype, x);
}

/* Equal to a constant that holds no weight, whatever its shape. */
bool pt_rebind_is_real(PtRebind *r, const PtDense *d) {
  for (guint i = 0; i < r->reals->len; i++) {
    PtExpr *e = g_ptr_array_index(r->reals, i);
    if (e->type.count == d->count && e->type.dtype == d->dtype && pt_rebind_verify(r, d, e) == 0)
      return true;
  }
  return false;
}

static bool all_steering(PtRebind *r, const PtDense *d) {
  double before = NAN;
  for (size_t i = 0; i < d->count; i++) {
    double x = pt_dense_at(d->dtype, d->data, i);
    if (x != before && !is_steering(r, d->dtype, x))
      return false;
    before = x;
  }
  return true;
}

static bool has_weights_of(PtRebind *r, PtDtype dtype) {
  for (guint i = 0; i < r->weights->len; i++)
    if (g_array_index(r->weights, PtWeight, i).expr->type.dtype == dtype)
      return true;
  return false;
}

static bool is_uniform(const PtDense *d) {
  return d->size > 0 && (d->size == 1 || memcmp(d->data, d->data + 1, d->size - 1) == 0);
}

static bool is_steering_dtype(PtDtype dtype) {
  return dtype == PT_INT64 || dtype == PT_INT32 || dtype == PT_BOOL || dtype == PT_UINT64 ||
         dtype == PT_UINT32 || dtype == PT_STRING;
}

/* PT_JUDGE_REFUSE: needs an explanation or the candidate is refused; PT_JUDGE_EXPLAIN: may have
 * one, else it stays.
 */
PtJudgement pt_rebind_judge(PtRebind *r, const PtTensor *tensor, const PtDense *d) {
  bool is_float = pt_dtype_is_float(tensor->dtype) && pt_dtype_bits(tensor->dtype) >= 16;
  if (tensor->strings || tensor->count == 0)
    return PT_JUDGE_KEEP;
  if (is_float) {
    if (d->count == 1)
      return is_plain_scalar(r, d->dtype, pt_dense_at(d->dtype, d->data, 0)) ? PT_JUDGE_KEEP
                                                                             : PT_JUDGE_REFUSE;
    if (all_steering(r, d))
      return PT_JUDGE_KEEP;
    return PT_JUDGE_REFUSE;
  }
  if (is_steering_dtype(tensor->dtype))
    return has_weights_of(r, tensor->dtype) && d->count > 1 ? PT_JUDGE_EXPLAIN : PT_JUDGE_KEEP;
  return d->count == 1 || is_uniform(d) ? PT_JUDGE_KEEP : PT_JUDGE_REFUSE;
}
