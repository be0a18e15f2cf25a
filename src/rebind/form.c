/* Forms: the shapes of the few operators that derivations are made of, and their evaluation. */
#include "rebind/rebind_private.h"

#include <string.h>

static bool form_finish(PtForm *form, PtFormOp op, PtDtype dtype, uint32_t rank,
                        const int64_t *dims) {
  PtDense shape;
  if (!pt_dense_shape(&shape, dtype, rank, dims))
    return false;
  form->op = op;
  form->dtype = dtype;
  form->rank = rank;
  if (rank > 0)
    memmove(form->dims, dims, rank * sizeof *dims);
  return true;
}

static bool is_computed(PtDtype dtype) {
  return dtype == PT_FLOAT || dtype == PT_DOUBLE || dtype == PT_FLOAT16 || dtype == PT_BFLOAT16;
}

bool pt_form_arithmetic(PtFormOp op, const PtDense *a, const PtDense *b, PtForm *form) {
  if (!is_computed(a->dtype))
    return false;
  if (!pt_form_is_binary(op))
    return form_finish(form, op, a->dtype, a->rank, a->dims);
  if (b->dtype != a->dtype)
    return false;
  uint32_t rank = MAX(a->rank, b->rank);
  int64_t dims[PT_MAX_RANK] = {0};
  for (uint32_t i = 0; i < rank; i++) {
    int64_t x = i + a->rank < rank ? 1 : a->dims[i + a->rank - rank];
    int64_t y = i + b->rank < rank ? 1 : b->dims[i + b->rank - rank];
    if (x != y && x != 1 && y != 1)
      return false;
    dims[i] = x == 1 ? y : x;
  }
  return form_finish(form, op, a->dtype, rank, dims);
}

bool pt_form_cast(const PtDense *in, PtDtype to, PtForm *form) {
  unsigned bits = pt_dtype_bits(in->dtype);
  return is_computed(to) &&
         (is_computed(in->dtype) || (pt_dtype_is_integer(in->dtype) && bits >= 8)) &&
         form_finish(form, PT_FORM_CAST, to, in->rank, in->dims);
}

bool pt_form_reshape(const PtDense *in, uint32_t rank, const int64_t *dims, PtForm *form) {
  PtDense shape;
  return pt_dense_shape(&shape, in->dtype, rank, dims) && shape.count == in->count &&
         form_finish(form, PT_FORM_RESHAPE, in->dtype, rank, dims);
}

/* Elements that can be moved one by one. */
static bool is_movable(PtDtype dtype) {
  return pt_dtype_bits(dtype) >= 8;
}

bool pt_form_transpose(const PtDense *in, const int64_t *perm, PtForm *form) {
  int64_t dims[PT_MAX_RANK] = {0};
  uint32_t seen = 0;
  for (uint32_t i = 0; i < in->rank; i++) {
    if (perm[i] < 0 || perm[i] >= in->rank)
      return false;
    seen |= 1u << perm[i];
    dims[i] = in->dims[perm[i]];
  }
  if (seen != (1u << in->rank) - 1 || !is_movable(in->dtype))
    return false;
  memcpy(form->a, perm, in->rank * sizeof *perm);
  return form_finish(form, PT_FORM_TRANSPOSE, in->dtype, in->rank, dims);
}

bool pt_form_slice(const PtDense *in, const int64_t *starts, const int64_t *counts,
                   const int64_t *steps, PtForm *form) {
  if (!is_movable(in->dtype))
    return false;
  for (uint32_t i = 0; i < in->rank; i++) {
    int64_t step = steps ? steps[i] : 1, span;
    if (counts[i] < 0 || counts[i] > in->dims[i] || step == 0)
      return false;
    if (counts[i] > 0) {
      if (starts[i] < 0 || starts[i] >= in->dims[i] ||
          __builtin_mul_overflow(counts[i] - 1, step, &span) ||
          __builtin_add_overflow(span, starts[i], &span) || span < 0 || span >= in->dims[i])
        return false;
    }
    form->a[i] = starts[i];
    form->b[i] = step;
  }
  return form_finish(form, PT_FORM_SLICE, in->dtype, in->rank, counts);
}

bool pt_form_expand(const PtDense *in, uint32_t rank, const int64_t *dims, PtForm *form) {
  if (!is_movable(in->dtype) || rank < in->rank || rank > PT_MAX_RANK)
    return false;
  for (uint32_t i = 0; i < in->rank; i++)
    if (in->dims[i] != 1 && in->dims[i] != dims[i + rank - in->rank])
      return false;
  return form_finish(form, PT_FORM_EXPAND, in->dtype, rank, dims);
}

bool pt_form_pad(const PtDense *in, const int64_t *before, const int64_t *dims, PtForm *form) {
  if (!is_movable(in->dtype))
    return false;
  for (uint32_t i = 0; i < in->rank; i++) {
    if (before[i] < 0 || dims[i] < in->dims[i] || before[i] > dims[i] - in->dims[i])
      return false;
    form->a[i] = before[i];
  }
  return form_finish(form, PT_FORM_PAD, in->dtype, in->rank, dims);
}

bool pt_form_concat(const PtDense *in, uint32_t n, int64_t axis, PtForm *form) {
  if (n == 0 || axis < 0 || axis >= in[0].rank || !is_movable(in[0].dtype))
    return false;
  int64_t dims[PT_MAX_RANK];
  memcpy(dims, in[0].dims, sizeof dims);
  for (uint32_t k = 1; k < n; k++) {
    if (in[k].rank != in[0].rank || in[k].dtype != in[0].dtype)
      return false;
    for (uint32_t i = 0; i < in[0].rank; i++)
      if (i != axis && in[k].dims[i] != dims[i])
        return false;
    if (__builtin_add_overflow(dims[axis], in[k].dims[axis], &dims[axis]))
      return false;
  }
  form->a[0] = axis;
  return form_finish(form, PT_FORM_CONCAT, in[0].dtype, in[0].rank, dims);
}

/* ---- evaluation ---------------------------------------------------------------------------------
 */
static void move_box(const PtForm *form, const PtDense *in, PtBox *box, size_t *from) {
  int64_t own[PT_MAX_RANK];
  pt_strides(in->rank, in->dims, own);
  box->rank = form->rank;
  memcpy(box->dims, form->dims, sizeof box->dims);
  pt_strides(form->rank, form->dims, box->out);
  int64_t base = 0;
  for (uint32_t i = 0; i < form->rank; i++) {
    if (form->op == PT_FORM_TRANSPOSE)
      box->in[i] = own[form->a[i]];
    else if (form->op == PT_FORM_SLICE) {
      box->in[i] = own[i] * form->b[i];
      base += form->dims[i] > 0 ? own[i] * form->a[i] : 0;
    } else { /* PT_FORM_EXPAND */
      uint32_t missing = form->rank - in->rank;
      box->in[i] = i < missing || in->dims[i - missing] == 1 ? 0 : own[i - missing];
    }
  }
  *from = (size_t)base;
}

/* Copies `in` into the box of `out` that starts at `at`. */
static void place(const PtDense *in, PtDense *out, const int64_t *at, unsigned threads) {
  PtBox box = {.rank = in->rank};
  int64_t base = 0;
  size_t element = pt_dtype_bits(in->dtype) / 8;
  memcpy(box.dims, in->dims, sizeof box.dims);
  pt_strides(in->rank, in->dims, box.in);
  pt_strides(out->rank, out->dims, box.out);
  for (uint32_t i = 0; i < in->rank; i++)
    base += at[i] * box.out[i];
  pt_box_copy(&box, element, out->owned + (size_t)base * element, in->data, threads);
}

bool pt_form_eval(const PtForm *form, PtDense *inputs, uint32_t n_inputs, unsigned threads,
                  PtDense *out) {
  if (pt_form_is_binary(form->op) || pt_form_is_unary(form->op))
    return pt_arith_eval(form, inputs, threads, out);
  if (!pt_dense_shape(out, form->dtype, form->rank, form->dims))
    return false;
  if (form->op == PT_FORM_RESHAPE) {
    out->data = inputs[0].data;
    out->owned = inputs[0].owned;
    inputs[0].owned = NULL;
    return true;
  }
  if (!pt_dense_alloc(out))
    return false;
  if (form->op == PT_FORM_PAD) {
    memset(out->owned, 0, out->size);
    place(&inputs[0], out, form->a, threads);
  } else if (form->op == PT_FORM_CONCAT) {
    int64_t at[PT_MAX_RANK] = {0};
    for (uint32_t i = 0; i < n_inputs; i++) {
      place(&inputs[i], out, at, threads);
      at[form->a[0]] += inputs[i].dims[form->a[0]];
    }
  } else {
    PtBox box;
    size_t from, element = pt_dtype_bits(form->dtype) / 8;
    move_box(form, &inputs[0], &box, &from);
    pt_box_copy(&box, element, out->owned, inputs[0].data + from * element, threads);
  }
  return true;
}
