/* array.c: tensors that own their data, and how far two of them are apart. */
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

PtArray *pt_array_new(PtDtype dtype, uint32_t rank, const int64_t *dims) {
  if (rank > G_N_ELEMENTS(((PtArray *)0)->dims) || pt_dtype_bits(dtype) == 0)
    return NULL;
  size_t count = 1;
  for (uint32_t i = 0; i < rank; i++) {
    if (dims[i] < 0)
      return NULL;
    count = pt_size_mul(count, (size_t)dims[i]);
  }
  size_t size = pt_dtype_size(dtype, count);
  if (count > PTRDIFF_MAX || size > PTRDIFF_MAX)
    return NULL;
  void *data = size ? g_try_malloc0(size) : NULL;
  if (size && !data)
    return NULL;
  PtArray *array = g_new0(PtArray, 1);
  array->dtype = dtype;
  array->rank = rank;
  if (rank)
    memcpy(array->dims, dims, rank * sizeof *dims);
  array->count = count;
  array->size = size;
  array->data = data;
  return array;
}

void pt_array_free(PtArray *array) {
  if (!array)
    return;
  g_free(array->data);
  g_free(array);
}

static float half_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 0x3FF;
  if (exponent == 0)
    return (sign ? -1.f : 1.f) * ldexpf((float)mantissa, -24);
  uint32_t bits = exponent == 31 ? sign | 0x7F800000 | mantissa << 13
                                 : sign | (exponent + 112) << 23 | mantissa << 13;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* Element i as a double; the smaller float formats and packed integers compare by their bits
 * elsewhere. */
static bool element(const PtArray *array, size_t i, double *out) {
  const void *data = array->data;
  switch (array->dtype) {
  case PT_FLOAT:
    *out = ((const float *)data)[i];
    return true;
  case PT_DOUBLE:
    *out = ((const double *)data)[i];
    return true;
  case PT_FLOAT16:
    *out = half_to_float(((const uint16_t *)data)[i]);
    return true;
  case PT_BFLOAT16: {
    uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    *out = f;
    return true;
  }
  case PT_INT64:
    *out = (double)((const int64_t *)data)[i];
    return true;
  case PT_INT32:
    *out = ((const int32_t *)data)[i];
    return true;
  case PT_INT16:
    *out = ((const int16_t *)data)[i];
    return true;
  case PT_INT8:
    *out = ((const int8_t *)data)[i];
    return true;
  case PT_UINT64:
    *out = (double)((const uint64_t *)data)[i];
    return true;
  case PT_UINT32:
    *out = ((const uint32_t *)data)[i];
    return true;
  case PT_UINT16:
    *out = ((const uint16_t *)data)[i];
    return true;
  case PT_UINT8:
  case PT_BOOL:
    *out = ((const uint8_t *)data)[i];
    return true;
  default:
    return false;
  }
}

typedef struct Gap {
  double worst, largest; /* difference; size of a finite element of the reference */
} Gap;

/* False: the elements are infinitely far apart. */
static bool widen(Gap *gap, double x, double y) {
  double size = fabs(x), apart = fabs(x - y);
  if (size > gap->largest && size < INFINITY)
    gap->largest = size;
  if (x == y || (isnan(x) && isnan(y)))
    return true;
  gap->worst = MAX(gap->worst, apart);
  return apart < INFINITY;
}

static double relative(const Gap *gap) {
  return gap->worst / MAX(gap->largest, 1e-6);
}

static double difference_f32(const float *a, const float *b, size_t count) {
  Gap gap = {0};
  for (size_t i = 0; i < count; i++)
    if (!widen(&gap, a[i], b[i]))
      return INFINITY;
  return relative(&gap);
}

double pt_array_difference(const PtArray *reference, const PtArray *other) {
  if (!reference || !other)
    return reference == other ? 0 : INFINITY;
  if (reference->dtype != other->dtype || reference->rank != other->rank ||
      (reference->rank &&
       memcmp(reference->dims, other->dims, reference->rank * sizeof reference->dims[0]) != 0))
    return INFINITY;
  if (reference->count == 0)
    return 0;
  if (reference->dtype == PT_FLOAT)
    return difference_f32(reference->data, other->data, reference->count);
  Gap gap = {0};
  for (size_t i = 0; i < reference->count; i++) {
    double x, y;
    if (!element(reference, i, &x) || !element(other, i, &y))
      return memcmp(reference->data, other->data, reference->size) == 0 ? 0 : INFINITY;
    if (!widen(&gap, x, y))
      return INFINITY;
  }
  return relative(&gap);
}
