/* Expressions over the candidate's weights: built with shapes checked, read element by element, or
 * evaluated whole. */
#include "rebind/rebind_private.h"

#include <math.h>
#include <string.h>

#define MAX_DEPTH 64

static PtExpr *expr_new(PtRebind *r, PtExprKind kind) {
  PtExpr *e = pt_arena_alloc(r->arena, sizeof *e);
  e->kind = kind;
  e->emitted = PT_NONE;
  return e;
}

PtExpr *pt_expr_source(PtRebind *r, PtDtype dtype, uint32_t rank, const int64_t *dims,
                       uint64_t offset) {
  PtDense type;
  if (!pt_dense_shape(&type, dtype, rank, dims))
    return NULL;
  PtExpr *e = expr_new(r, PT_EXPR_SOURCE);
  e->type = type;
  e->offset = offset;
  e->noisy = true;
  return e;
}

PtExpr *pt_expr_real(PtRebind *r, const PtTensor *tensor) {
  PtDense type;
  if (!pt_dense_of_tensor(&type, tensor) || (!type.data && type.count > 0))
    return NULL;
  PtExpr *e = expr_new(r, PT_EXPR_REAL);
  e->type = type;
  return e;
}

PtExpr *pt_expr_scalar(PtRebind *r, PtDtype dtype, double value) {
  PtExpr *e = expr_new(r, PT_EXPR_REAL);
  if (!pt_dense_shape(&e->type, dtype, 0, NULL))
    return NULL;
  uint8_t *data = pt_arena_alloc(r->arena, 8);
  float f = (float)value;
  uint16_t h = dtype == PT_BFLOAT16 ? pt_brain_of_float(f) : pt_half_of_float(f);
  memcpy(data,
         dtype == PT_DOUBLE  ? (void *)&value
         : dtype == PT_FLOAT ? (void *)&f
                             : (void *)&h,
         dtype == PT_DOUBLE  ? 8
         : dtype == PT_FLOAT ? 4
                             : 2);
  e->type.data = data;
  return e;
}

PtExpr *pt_expr_of_form(PtRebind *r, const PtForm *form, PtExpr *const *inputs, uint32_t n_inputs) {
  uint32_t depth = 0;
  bool noisy = false, rough = false;
  for (uint32_t i = 0; i < n_inputs; i++) {
    depth = MAX(depth, inputs[i]->depth + 1);
    noisy |= inputs[i]->noisy;
    rough |= inputs[i]->rough;
  }
  if (depth > MAX_DEPTH)
    return NULL;
  PtExpr *e = expr_new(r, PT_EXPR_FORM);
  if (!pt_dense_shape(&e->type, form->dtype, form->rank, form->dims))
    return NULL;
  e->form = *form;
  e->inputs = pt_arena_copy(r->arena, inputs, n_inputs * sizeof *inputs);
  e->n_inputs = n_inputs;
  e->noisy = noisy;
  e->rough = rough;
  e->depth = depth;
  return e;
}

PtExpr *pt_expr_arithmetic(PtRebind *r, PtFormOp op, PtExpr *a, PtExpr *b) {
  PtForm form = {0};
  bool binary = pt_form_is_binary(op);
  if (!a || (binary && !b) || !pt_form_arithmetic(op, &a->type, binary ? &b->type : NULL, &form))
    return NULL;
  return pt_expr_of_form(r, &form, (PtExpr *[]){a, b}, binary ? 2 : 1);
}

PtExpr *pt_expr_cast(PtRebind *r, PtExpr *in, PtDtype to) {
  PtForm form = {0};
  if (in && in->type.dtype == to)
    return in;
  return in && pt_form_cast(&in->type, to, &form) ? pt_expr_of_form(r, &form, &in, 1) : NULL;
}

PtExpr *pt_expr_reshape(PtRebind *r, PtExpr *in, uint32_t rank, const int64_t *dims) {
  PtForm form = {0};
  if (!in || !pt_form_reshape(&in->type, rank, dims, &form))
    return NULL;
  if (in->type.rank == rank && (rank == 0 || memcmp(in->type.dims, dims, rank * sizeof *dims) == 0))
    return in;
  if (in->kind == PT_EXPR_SOURCE)
    return pt_expr_source(r, in->type.dtype, rank, dims, in->offset);
  if (in->kind == PT_EXPR_FORM && in->form.op == PT_FORM_RESHAPE)
    return pt_expr_reshape(r, in->inputs[0], rank, dims);
  return pt_expr_of_form(r, &form, &in, 1);
}

PtExpr *pt_expr_transpose(PtRebind *r, PtExpr *in, const int64_t *perm) {
  PtForm form = {0};
  if (!in || !pt_form_transpose(&in->type, perm, &form))
    return NULL;
  bool same = true;
  for (uint32_t i = 0; i < in->type.rank; i++)
    same &= perm[i] == i;
  return same ? in : pt_expr_of_form(r, &form, &in, 1);
}

PtExpr *pt_expr_slice(PtRebind *r, PtExpr *in, const int64_t *starts, const int64_t *counts) {
  PtForm form = {0};
  if (!in || !pt_form_slice(&in->type, starts, counts, NULL, &form))
    return NULL;
  if (memcmp(in->type.dims, counts, in->type.rank * sizeof *counts) == 0)
    return in;
  return pt_expr_of_form(r, &form, &in, 1);
}

PtExpr *pt_expr_expand(PtRebind *r, PtExpr *in, uint32_t rank, const int64_t *dims) {
  PtForm form = {0};
  return in && pt_form_expand(&in->type, rank, dims, &form) ? pt_expr_of_form(r, &form, &in, 1)
                                                            : NULL;
}

PtExpr *pt_expr_pad(PtRebind *r, PtExpr *in, const int64_t *before, const int64_t *dims) {
  PtForm form = {0};
  if (!in || !pt_form_pad(&in->type, before, dims, &form))
    return NULL;
  if (memcmp(in->type.dims, dims, in->type.rank * sizeof *dims) == 0)
    return in;
  return pt_expr_of_form(r, &form, &in, 1);
}

PtExpr *pt_expr_concat(PtRebind *r, PtExpr *const *inputs, uint32_t n, int64_t axis) {
  g_autofree PtDense *types = g_new0(PtDense, n);
  for (uint32_t i = 0; i < n; i++) {
    if (!inputs[i])
      return NULL;
    types[i] = inputs[i]->type;
  }
  PtForm form = {0};
  return pt_form_concat(types, n, axis, &form) ? pt_expr_of_form(r, &form, inputs, n) : NULL;
}

/* ---- one element
 * --------------------------------------------------------------------------------- */
static double source_at(PtRebind *r, const PtExpr *e, size_t i) {
  uint64_t floats = r->noise->floats;
  if (e->type.dtype == PT_FLOAT && e->offset % 4 == 0 && e->offset / 4 < floats &&
      i < floats - e->offset / 4)
    return (double)pt_noise_at(r->noise, e->offset / 4 + i);
  unsigned bits = pt_dtype_bits(e->type.dtype);
  uint8_t data[16];
  if (bits < 8 || !pt_noise_bytes(r->noise, e->offset + i * (bits / 8), bits / 8, data))
    return NAN;
  return pt_dense_at(e->type.dtype, data, 0);
}

/* The flat index into `in` of element `at` of the form's result, as broadcast. */
static size_t broadcast_index(const PtForm *form, const PtDense *in, const int64_t *at) {
  size_t index = 0;
  for (uint32_t i = 0; i < in->rank; i++) {
    int64_t x = in->dims[i] == 1 ? 0 : at[i + form->rank - in->rank];
    index = index * (size_t)in->dims[i] + (size_t)x;
  }
  return index;
}

static double move_at(PtRebind *r, const PtExpr *e, int64_t *at) {
  const PtForm *form = &e->form;
  PtExpr *in = e->inputs[0];
  int64_t from[PT_MAX_RANK];
  if (form->op == PT_FORM_EXPAND)
    return pt_expr_at(r, in, broadcast_index(form, &in->type, at));
  memcpy(from, at, sizeof from);
  if (form->op == PT_FORM_CONCAT) {
    int64_t axis = form->a[0];
    for (uint32_t k = 0; from[axis] >= in->type.dims[axis] && k + 1 < e->n_inputs;
         in = e->inputs[++k])
      from[axis] -= in->type.dims[axis];
  }
  for (uint32_t i = 0; i < form->rank; i++) {
    if (form->op == PT_FORM_TRANSPOSE)
      from[form->a[i]] = at[i];
    else if (form->op == PT_FORM_SLICE)
      from[i] = form->a[i] + at[i] * form->b[i];
    else if (form->op == PT_FORM_PAD) {
      from[i] = at[i] - form->a[i];
      if (from[i] < 0 || from[i] >= in->type.dims[i])
        return 0;
    }
  }
  size_t index = 0;
  for (uint32_t i = 0; i < in->type.rank; i++)
    index = index * (size_t)in->type.dims[i] + (size_t)from[i];
  return pt_expr_at(r, in, index);
}

double pt_expr_at(PtRebind *r, PtExpr *e, size_t i) {
  if (!e || i >= e->type.count)
    return NAN;
  if (e->type.data)
    return pt_dense_at(e->type.dtype, e->type.data, i);
  if (e->kind == PT_EXPR_SOURCE)
    return source_at(r, e, i);
  if (e->kind != PT_EXPR_FORM)
    return NAN;
  const PtForm *form = &e->form;
  if (form->op == PT_FORM_RESHAPE)
    return pt_expr_at(r, e->inputs[0], i);
  int64_t at[PT_MAX_RANK] = {0};
  size_t rest = i;
  for (uint32_t k = form->rank; k-- > 0;) {
    at[k] = (int64_t)(rest % (size_t)form->dims[k]);
    rest /= (size_t)form->dims[k];
  }
  if (!pt_form_is_binary(form->op) && !pt_form_is_unary(form->op))
    return move_at(r, e, at);
  double a = pt_expr_at(r, e->inputs[0], broadcast_index(form, &e->inputs[0]->type, at)), b = 0;
  if (e->n_inputs > 1)
    b = pt_expr_at(r, e->inputs[1], broadcast_index(form, &e->inputs[1]->type, at));
  return pt_arith_at(form->op, form->dtype, a, b);
}

double pt_expr_first(PtRebind *r, PtExpr *e) {
  if (!e->has_first) {
    e->first = pt_expr_at(r, e, 0);
    e->has_first = true;
  }
  return e->first;
}

/* ---- all elements
 * -------------------------------------------------------------------------------- */
typedef struct {
  const PtNoise *noise;
  uint64_t first;
  size_t count;
  float *out;
} FillJob;
#define FILL 262144

static void fill_task(size_t index, void *data) {
  const FillJob *job = data;
  size_t from = index * FILL;
  pt_noise_fill(job->noise, job->first + from, MIN(FILL, job->count - from), job->out + from);
}

static bool source_eval(PtRebind *r, const PtExpr *e, PtDense *out) {
  *out = e->type;
  if (!pt_dense_alloc(out))
    return false;
  uint64_t floats = r->noise->floats;
  if (e->type.dtype == PT_FLOAT && e->offset % 4 == 0 && e->offset / 4 < floats &&
      e->type.count <= floats - e->offset / 4) {
    FillJob job = {r->noise, e->offset / 4, e->type.count, (float *)(void *)out->owned};
    pt_parallel_for((job.count + FILL - 1) / FILL, job.count > FILL ? r->threads : 1, fill_task,
                    &job);
    return true;
  }
  return out->size == 0 || pt_noise_bytes(r->noise, e->offset, out->size, out->owned);
}

static bool node_eval(PtRebind *r, PtExpr *e, PtDense *out) {
  const PtNode *node = pt_node(r->candidate, e->node);
  g_autofree PtDense *inputs = g_new0(PtDense, node->n_inputs);
  g_autofree PtDense *outputs = g_new0(PtDense, node->n_outputs);
  bool ok = true;
  for (uint32_t i = 0; i < node->n_inputs && ok; i++)
    ok = !e->inputs[i] || pt_expr_eval(r, e->inputs[i], &inputs[i]);
  ok = ok && pt_rebind_node_eval(r->candidate, node, inputs, outputs, NULL);
  for (uint32_t i = 0; i < node->n_inputs; i++)
    pt_dense_clear(&inputs[i]);
  for (uint32_t i = 0; i < node->n_outputs && ok; i++) {
    if (i == e->output)
      *out = outputs[i];
    else
      pt_dense_clear(&outputs[i]);
  }
  return ok;
}

bool pt_expr_eval(PtRebind *r, PtExpr *e, PtDense *out) {
  *out = e->type;
  if (e->type.data || e->type.count == 0)
    return true;
  if (e->kind == PT_EXPR_SOURCE)
    return source_eval(r, e, out);
  if (e->kind == PT_EXPR_NODE)
    return node_eval(r, e, out);
  if (e->kind != PT_EXPR_FORM)
    return false;
  g_autofree PtDense *inputs = g_new0(PtDense, e->n_inputs);
  bool ok = true;
  for (uint32_t i = 0; i < e->n_inputs && ok; i++)
    ok = pt_expr_eval(r, e->inputs[i], &inputs[i]);
  ok = ok && pt_form_eval(&e->form, inputs, e->n_inputs, r->threads, out);
  for (uint32_t i = 0; i < e->n_inputs; i++)
    pt_dense_clear(&inputs[i]);
  return ok;
}
