/* Dense arrays, copies between strided boxes, and the 16-bit float formats. */
#include "rebind/rebind_private.h"

#include <math.h>
#include <string.h>

bool pt_dense_shape(PtDense *dense, PtDtype dtype, uint32_t rank, const int64_t *dims) {
  memset(dense, 0, sizeof *dense);
  if (rank > PT_MAX_RANK)
    return false;
  dense->dtype = dtype;
  dense->rank = rank;
  dense->count = 1;
  for (uint32_t i = 0; i < rank; i++) {
    if (dims[i] < 0)
      return false;
    dense->dims[i] = dims[i];
    dense->count = pt_size_mul(dense->count, (size_t)dims[i]);
  }
  dense->size = pt_dtype_size(dtype, dense->count);
  return dense->count <= SIZE_MAX / 32 && dense->size <= SIZE_MAX / 4;
}

bool pt_dense_alloc(PtDense *dense) {
  dense->owned = g_try_malloc(dense->size ? dense->size : 1);
  dense->data = dense->owned;
  return dense->owned != NULL;
}

void pt_dense_clear(PtDense *dense) {
  g_free(dense->owned);
  dense->owned = NULL;
  dense->data = NULL;
}

bool pt_dense_of_tensor(PtDense *dense, const PtTensor *tensor) {
  if (!pt_dense_shape(dense, tensor->dtype, tensor->rank, tensor->dims) || tensor->strings)
    return false;
  dense->data = tensor->data;
  return true;
}

void pt_strides(uint32_t rank, const int64_t *dims, int64_t *strides) {
  int64_t stride = 1;
  for (uint32_t i = rank; i-- > 0;) {
    strides[i] = stride;
    stride *= dims[i];
  }
}

/* ---- copies -------------------------------------------------------------------------------------
 */
/* Drops axes of one element and merges neighbours that both sides step through evenly. */
static PtBox box_simplify(const PtBox *box) {
  PtBox s = {0};
  for (uint32_t i = 0; i < box->rank; i++) {
    if (box->dims[i] == 1)
      continue;
    uint32_t last = s.rank - 1;
    if (s.rank > 0 && s.out[last] == box->out[i] * box->dims[i] &&
        s.in[last] == box->in[i] * box->dims[i]) {
      s.dims[last] *= box->dims[i];
      s.out[last] = box->out[i];
      s.in[last] = box->in[i];
      continue;
    }
    s.dims[s.rank] = box->dims[i];
    s.out[s.rank] = box->out[i];
    s.in[s.rank++] = box->in[i];
  }
  while (s.rank < 2) { /* at least two axes, so that the loops below need no cases */
    memmove(s.dims + 1, s.dims, sizeof s.dims - sizeof s.dims[0]);
    memmove(s.out + 1, s.out, sizeof s.out - sizeof s.out[0]);
    memmove(s.in + 1, s.in, sizeof s.in - sizeof s.in[0]);
    s.dims[0] = 1;
    s.out[0] = s.in[0] = 0;
    if (++s.rank == 1)
      s.out[0] = s.in[0] = 1;
  }
  return s;
}

/* One 2-D job: rows of axis `row`, columns of axis `column`, both strided. */
static void copy_plane(size_t element, uint8_t *out, int64_t out_row, int64_t out_column,
                       const uint8_t *in, int64_t in_row, int64_t in_column, int64_t rows,
                       int64_t columns) {
  if (out_column == 1 && in_column == 1) {
    for (int64_t r = 0; r < rows; r++)
      memcpy(out + r * out_row * (int64_t)element, in + r * in_row * (int64_t)element,
             (size_t)columns * element);
    return;
  }
  /* weights lie in a mapped file, at any address */
#define PLANE(TYPE)                                                                                \
  typedef TYPE loose_##TYPE __attribute__((aligned(1), may_alias));                                \
  for (int64_t c0 = 0; c0 < columns; c0 += 32) {                                                   \
    int64_t c1 = MIN(c0 + 32, columns);                                                            \
    for (int64_t r = 0; r < rows; r++) {                                                           \
      TYPE *o = (TYPE *)(void *)out + r * out_row;                                                 \
      const loose_##TYPE *s = (const loose_##TYPE *)(const void *)in + r * in_row;                 \
      for (int64_t c = c0; c < c1; c++)                                                            \
        o[c * out_column] = s[c * in_column];                                                      \
    }                                                                                              \
  }
  switch (element) {
  case 1: {
    PLANE(uint8_t)
    break;
  }
  case 2: {
    PLANE(uint16_t)
    break;
  }
  case 4: {
    PLANE(uint32_t)
    break;
  }
  case 8: {
    PLANE(uint64_t)
    break;
  }
  default:
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = 0; c < columns; c++)
        memcpy(out + (r * out_row + c * out_column) * (int64_t)element,
               in + (r * in_row + c * in_column) * (int64_t)element, element);
  }
#undef PLANE
}

typedef struct {
  PtBox box; /* the last axis is the column, the one before it the row */
  size_t element;
  uint8_t *out;
  const uint8_t *in;
  int64_t strips; /* of rows */
} CopyJob;
#define STRIP 64

static void copy_task(size_t index, void *data) {
  const CopyJob *job = data;
  const PtBox *box = &job->box;
  int64_t rest = (int64_t)index / job->strips, strip = (int64_t)index % job->strips;
  uint32_t row = box->rank - 2, column = box->rank - 1;
  int64_t out = 0, in = 0;
  for (uint32_t i = row; i-- > 0;) {
    int64_t at = rest % box->dims[i];
    rest /= box->dims[i];
    out += at * box->out[i];
    in += at * box->in[i];
  }
  int64_t first = strip * STRIP, rows = MIN(STRIP, box->dims[row] - first);
  out += first * box->out[row];
  in += first * box->in[row];
  copy_plane(job->element, job->out + out * (int64_t)job->element, box->out[row], box->out[column],
             job->in + in * (int64_t)job->element, box->in[row], box->in[column], rows,
             box->dims[column]);
}

void pt_box_copy(const PtBox *original, size_t element, uint8_t *out, const uint8_t *in,
                 unsigned threads) {
  for (uint32_t i = 0; i < original->rank; i++)
    if (original->dims[i] == 0)
      return;
  CopyJob job = {box_simplify(original), element, out, in, 1};
  PtBox *box = &job.box;
  /* rows: the axis that the source walks fastest, so that a strip of rows stays in the cache */
  uint32_t best = box->rank - 2;
  for (uint32_t i = 0; i + 1 < box->rank; i++)
    if (box->in[i] == 1 && box->in[box->rank - 1] != 1)
      best = i;
#define SWAP(field)                                                                                \
  do {                                                                                             \
    int64_t t = box->field[best];                                                                  \
    box->field[best] = box->field[box->rank - 2];                                                  \
    box->field[box->rank - 2] = t;                                                                 \
  } while (0)
  SWAP(dims);
  SWAP(out);
  SWAP(in);
#undef SWAP
  job.strips = (box->dims[box->rank - 2] + STRIP - 1) / STRIP;
  size_t jobs = (size_t)job.strips,
         total = (size_t)box->dims[box->rank - 1] * (size_t)box->dims[box->rank - 2];
  for (uint32_t i = 0; i + 2 < box->rank; i++) {
    jobs *= (size_t)box->dims[i];
    total *= (size_t)box->dims[i];
  }
  if (total < (1u << 18) || threads == 1) {
    for (size_t i = 0; i < jobs; i++)
      copy_task(i, &job);
    return;
  }
  pt_parallel_for(jobs, threads, copy_task, &job);
}

/* ---- numbers ------------------------------------------------------------------------------------
 */
float pt_half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 31u,
           mantissa = half & 0x3ffu, bits;
  if (exponent == 31)
    bits = sign | 0x7f800000u | (mantissa << 13);
  else if (exponent > 0)
    bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
  else {
    float f = ldexpf((float)mantissa, -24);
    return sign ? -f : f;
  }
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

uint16_t pt_half_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  uint32_t sign = (bits >> 16) & 0x8000u, rest = bits & 0x7fffffffu;
  if (rest > 0x7f800000u)
    return (uint16_t)(sign | 0x7e00u);
  if (rest >= 0x477ff000u)
    return (uint16_t)(sign | 0x7c00u);
  if (rest < 0x38800000u) { /* subnormal: the sum rounds to nearest even at 2^-24 */
    float f;
    memcpy(&f, &rest, 4);
    f += 0.5f;
    uint32_t b;
    memcpy(&b, &f, 4);
    return (uint16_t)(sign | (b - 0x3f000000u));
  }
  rest += 0xfffu + ((rest >> 13) & 1u);
  return (uint16_t)(sign | ((rest - 0x38000000u) >> 13));
}

float pt_brain_to_float(uint16_t brain) {
  uint32_t bits = (uint32_t)brain << 16;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

uint16_t pt_brain_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return (uint16_t)((bits >> 16) | 0x40u);
  return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

double pt_dense_at(PtDtype dtype, const uint8_t *data, size_t i) {
#define READ(TYPE)                                                                                 \
  do {                                                                                             \
    TYPE x;                                                                                        \
    memcpy(&x, data + i * sizeof x, sizeof x);                                                     \
    return (double)x;                                                                              \
  } while (0)
  uint16_t bits;
  switch (dtype) {
  case PT_FLOAT:
    READ(float);
  case PT_DOUBLE:
    READ(double);
  case PT_FLOAT16:
  case PT_BFLOAT16:
    memcpy(&bits, data + i * 2, 2);
    return (double)(dtype == PT_FLOAT16 ? pt_half_to_float(bits) : pt_brain_to_float(bits));
  case PT_INT8:
    READ(int8_t);
  case PT_UINT8:
  case PT_BOOL:
  case PT_FLOAT8E4M3FN: /* compared, never computed with */
  case PT_FLOAT8E4M3FNUZ:
  case PT_FLOAT8E5M2:
  case PT_FLOAT8E5M2FNUZ:
  case PT_FLOAT8E8M0:
    READ(uint8_t);
  case PT_INT16:
    READ(int16_t);
  case PT_UINT16:
    READ(uint16_t);
  case PT_INT32:
    READ(int32_t);
  case PT_UINT32:
    READ(uint32_t);
  case PT_INT64:
    READ(int64_t);
  case PT_UINT64:
    READ(uint64_t);
  default:
    return NAN;
  }
#undef READ
}

double pt_round_to(PtDtype dtype, double value) {
  switch (dtype) {
  case PT_FLOAT:
    return (double)(float)value;
  case PT_FLOAT16:
    return (double)pt_half_to_float(pt_half_of_float((float)value));
  case PT_BFLOAT16:
    return (double)pt_brain_to_float(pt_brain_of_float((float)value));
  default:
    return value;
  }
}

uint32_t pt_ulps(PtDtype dtype, double a, double b) {
  if (a == b)
    return 0;
  if (!isfinite(a) || !isfinite(b) || (a < 0) != (b < 0))
    return UINT32_MAX;
  uint64_t distance;
  if (dtype == PT_FLOAT) {
    float fa = (float)a, fb = (float)b;
    uint32_t ba, bb;
    memcpy(&ba, &fa, 4);
    memcpy(&bb, &fb, 4);
    distance = ba > bb ? ba - bb : bb - ba;
  } else if (dtype == PT_DOUBLE) {
    uint64_t ba, bb;
    memcpy(&ba, &a, 8);
    memcpy(&bb, &b, 8);
    distance = ba > bb ? ba - bb : bb - ba;
  } else if (dtype == PT_FLOAT16) {
    uint16_t ba = pt_half_of_float((float)a), bb = pt_half_of_float((float)b);
    distance = ba > bb ? ba - bb : bb - ba;
  } else if (dtype == PT_BFLOAT16) {
    uint16_t ba = pt_brain_of_float((float)a), bb = pt_brain_of_float((float)b);
    distance = ba > bb ? ba - bb : bb - ba;
  } else
    return UINT32_MAX;
  return distance > UINT32_MAX ? UINT32_MAX : (uint32_t)distance;
}
