/* Arithmetic, one rounding an operator: what an optimizer's loops compute, and what ONNX Runtime
 * computes. */
#include "rebind/rebind_private.h"

#include <math.h>
#include <string.h>

/* Through double: for float32 and below, double holds more than 2p + 2 bits, so rounding twice is
 * rounding once. */
double pt_arith_at(PtFormOp op, PtDtype dtype, double a, double b) {
  double x = NAN;
  switch (op) {
  case PT_FORM_ADD:
    x = a + b;
    break;
  case PT_FORM_SUB:
    x = a - b;
    break;
  case PT_FORM_MUL:
    x = a * b;
    break;
  case PT_FORM_DIV:
    x = a / b;
    break;
  case PT_FORM_SQRT:
    x = sqrt(a);
    break;
  case PT_FORM_NEG:
    x = -a;
    break;
  case PT_FORM_RECIPROCAL:
    x = 1.0 / a;
    break;
  case PT_FORM_CAST:
    x = a;
    break;
  default:
    break;
  }
  return pt_round_to(dtype, x);
}

/* Weights lie in a mapped file, at any address. */
typedef float LooseFloat __attribute__((aligned(1), may_alias));
typedef double LooseDouble __attribute__((aligned(1), may_alias));
typedef uint16_t LooseSmall __attribute__((aligned(1), may_alias));

#define RUN(TYPE, SA, SB, EXPR)                                                                    \
  do {                                                                                             \
    for (int64_t i = 0; i < n; i++) {                                                              \
      const TYPE x = a[i * (SA)], y = b[i * (SB)];                                                 \
      out[i] = (EXPR);                                                                             \
    }                                                                                              \
  } while (0)
#define STRIDED(TYPE, EXPR)                                                                        \
  do {                                                                                             \
    if (sa == 1 && sb == 1)                                                                        \
      RUN(TYPE, 1, 1, EXPR);                                                                       \
    else if (sa == 1 && sb == 0)                                                                   \
      RUN(TYPE, 1, 0, EXPR);                                                                       \
    else                                                                                           \
      RUN(TYPE, sa, sb, EXPR);                                                                     \
  } while (0)
#define DEFINE_ROW(NAME, TYPE, LOOSE, ROOT)                                                        \
  static void NAME(PtFormOp op, TYPE *out, const LOOSE *a, int64_t sa, const LOOSE *b, int64_t sb, \
                   int64_t n) {                                                                    \
    switch (op) {                                                                                  \
    case PT_FORM_ADD:                                                                              \
      STRIDED(TYPE, x + y);                                                                        \
      break;                                                                                       \
    case PT_FORM_SUB:                                                                              \
      STRIDED(TYPE, x - y);                                                                        \
      break;                                                                                       \
    case PT_FORM_MUL:                                                                              \
      STRIDED(TYPE, x *y);                                                                         \
      break;                                                                                       \
    case PT_FORM_DIV:                                                                              \
      STRIDED(TYPE, x / y);                                                                        \
      break;                                                                                       \
    case PT_FORM_SQRT:                                                                             \
      for (int64_t i = 0; i < n; i++)                                                              \
        out[i] = ROOT(a[i * sa]);                                                                  \
      break;                                                                                       \
    case PT_FORM_NEG:                                                                              \
      for (int64_t i = 0; i < n; i++)                                                              \
        out[i] = -a[i * sa];                                                                       \
      break;                                                                                       \
    default: /* PT_FORM_RECIPROCAL */                                                              \
      for (int64_t i = 0; i < n; i++)                                                              \
        out[i] = 1 / a[i * sa];                                                                    \
      break;                                                                                       \
    }                                                                                              \
  }
DEFINE_ROW(row_float, float, LooseFloat, sqrtf)
DEFINE_ROW(row_double, double, LooseDouble, sqrt)

/* The 16-bit formats compute in float32 and round. */
static void row_small(PtFormOp op, PtDtype dtype, uint16_t *out, const LooseSmall *a, int64_t sa,
                      const LooseSmall *b, int64_t sb, int64_t n) {
  bool half = dtype == PT_FLOAT16;
  for (int64_t i = 0; i < n; i++) {
    float x = half ? pt_half_to_float(a[i * sa]) : pt_brain_to_float(a[i * sa]);
    float y = half ? pt_half_to_float(b[i * sb]) : pt_brain_to_float(b[i * sb]), z;
    row_float(op, &z, &x, 1, &y, 1, 1);
    out[i] = half ? pt_half_of_float(z) : pt_brain_of_float(z);
  }
}

typedef struct {
  PtFormOp op;
  PtDtype dtype;
  uint32_t rank; /* of the outer axes */
  int64_t dims[PT_MAX_RANK], a[PT_MAX_RANK], b[PT_MAX_RANK];
  int64_t n, sa, sb; /* the innermost axis */
  int64_t chunks;    /* the innermost axis is cut in so many */
  uint8_t *out;
  const uint8_t *in_a, *in_b;
} ArithJob;
#define CHUNK 65536

static void arith_task(size_t index, void *data) {
  const ArithJob *job = data;
  int64_t row = (int64_t)index / job->chunks, first = (int64_t)index % job->chunks * CHUNK;
  int64_t n = MIN(CHUNK, job->n - first), rest = row;
  int64_t a = first * job->sa, b = first * job->sb, out = row * job->n + first;
  for (uint32_t i = job->rank; i-- > 0;) {
    int64_t at = rest % job->dims[i];
    rest /= job->dims[i];
    a += at * job->a[i];
    b += at * job->b[i];
  }
  if (job->dtype == PT_FLOAT)
    row_float(job->op, (float *)(void *)job->out + out,
              (const LooseFloat *)(const void *)job->in_a + a, job->sa,
              (const LooseFloat *)(const void *)job->in_b + b, job->sb, n);
  else if (job->dtype == PT_DOUBLE)
    row_double(job->op, (double *)(void *)job->out + out,
               (const LooseDouble *)(const void *)job->in_a + a, job->sa,
               (const LooseDouble *)(const void *)job->in_b + b, job->sb, n);
  else
    row_small(job->op, job->dtype, (uint16_t *)(void *)job->out + out,
              (const LooseSmall *)(const void *)job->in_a + a, job->sa,
              (const LooseSmall *)(const void *)job->in_b + b, job->sb, n);
}

/* Strides of `in` broadcast to the form's shape. */
static void broadcast_strides(const PtForm *form, const PtDense *in, int64_t *strides) {
  int64_t own[PT_MAX_RANK];
  pt_strides(in->rank, in->dims, own);
  for (uint32_t i = 0; i < form->rank; i++) {
    uint32_t missing = form->rank - in->rank;
    strides[i] = i < missing || in->dims[i - missing] == 1 ? 0 : own[i - missing];
  }
}

/* Merges axes that both inputs step through evenly; the last one becomes the innermost. */
static void arith_merge(ArithJob *job, const PtForm *form, const int64_t *a, const int64_t *b) {
  uint32_t rank = 0;
  for (uint32_t i = 0; i < form->rank; i++) {
    if (form->dims[i] == 1)
      continue;
    if (rank > 0 && job->a[rank - 1] == a[i] * form->dims[i] &&
        job->b[rank - 1] == b[i] * form->dims[i]) {
      job->dims[rank - 1] *= form->dims[i];
      job->a[rank - 1] = a[i];
      job->b[rank - 1] = b[i];
      continue;
    }
    job->dims[rank] = form->dims[i];
    job->a[rank] = a[i];
    job->b[rank++] = b[i];
  }
  job->n = 1;
  if (rank > 0) {
    job->n = job->dims[--rank];
    job->sa = job->a[rank];
    job->sb = job->b[rank];
  }
  job->rank = rank;
}

typedef struct {
  PtDtype from, to;
  size_t count;
  const uint8_t *in;
  uint8_t *out;
} CastJob;

static void cast_task(size_t index, void *data) {
  const CastJob *job = data;
  size_t end = MIN(job->count, (index + 1) * CHUNK);
  if (job->from == PT_FLOAT16 && job->to == PT_FLOAT) { /* the common one */
    for (size_t i = index * CHUNK; i < end; i++)
      ((float *)(void *)job->out)[i] =
          pt_half_to_float(((const uint16_t *)(const void *)job->in)[i]);
    return;
  }
  for (size_t i = index * CHUNK; i < end; i++) {
    double x = pt_dense_at(job->from, job->in, i);
    if (job->to == PT_DOUBLE)
      memcpy(job->out + i * 8, &x, 8);
    else if (job->to == PT_FLOAT) {
      float f = (float)x;
      memcpy(job->out + i * 4, &f, 4);
    } else {
      uint16_t h = job->to == PT_FLOAT16 ? pt_half_of_float((float)x) : pt_brain_of_float((float)x);
      memcpy(job->out + i * 2, &h, 2);
    }
  }
}

bool pt_arith_eval(const PtForm *form, PtDense *inputs, unsigned threads, PtDense *out) {
  if (!pt_dense_shape(out, form->dtype, form->rank, form->dims))
    return false;
  bool same = inputs[0].owned && inputs[0].count == out->count && inputs[0].size == out->size;
  if (form->op == PT_FORM_CAST) {
    if (!pt_dense_alloc(out))
      return false;
    CastJob cast = {inputs[0].dtype, form->dtype, out->count, inputs[0].data, out->owned};
    pt_parallel_for((out->count + CHUNK - 1) / CHUNK, threads, cast_task, &cast);
    return true;
  }
  const PtDense *second = pt_form_is_binary(form->op) ? &inputs[1] : &inputs[0];
  if (!same && !pt_dense_alloc(out))
    return false;
  ArithJob job = {
      .op = form->op, .dtype = form->dtype, .in_a = inputs[0].data, .in_b = second->data};
  int64_t a[PT_MAX_RANK], b[PT_MAX_RANK];
  broadcast_strides(form, &inputs[0], a);
  broadcast_strides(form, second, b);
  arith_merge(&job, form, a, b);
  if (same) { /* element i reads element i of the first input only: in place */
    out->data = out->owned = inputs[0].owned;
    inputs[0].owned = NULL;
  }
  job.out = out->owned;
  if (out->count == 0)
    return true;
  job.chunks = (job.n + CHUNK - 1) / CHUNK;
  size_t jobs = out->count / (size_t)job.n * (size_t)job.chunks;
  if (out->count < (1u << 18) || threads == 1)
    for (size_t i = 0; i < jobs; i++)
      arith_task(i, &job);
  else
    pt_parallel_for(jobs, threads, arith_task, &job);
  return true;
}
