/* Dtypes, types, and reading small constants. */
#include "graph/graph.h"

#include <math.h>
#include <string.h>

static const struct {
  const char *name;
  uint8_t bits;
  bool is_float, is_integer;
} dtypes[PT_DTYPE_COUNT] = {
    [PT_DTYPE_UNDEFINED] = {"undefined", 0, false, false},
    [PT_FLOAT] = {"float32", 32, true, false},
    [PT_UINT8] = {"uint8", 8, false, true},
    [PT_INT8] = {"int8", 8, false, true},
    [PT_UINT16] = {"uint16", 16, false, true},
    [PT_INT16] = {"int16", 16, false, true},
    [PT_INT32] = {"int32", 32, false, true},
    [PT_INT64] = {"int64", 64, false, true},
    [PT_STRING] = {"string", 0, false, false},
    [PT_BOOL] = {"bool", 8, false, false},
    [PT_FLOAT16] = {"float16", 16, true, false},
    [PT_DOUBLE] = {"float64", 64, true, false},
    [PT_UINT32] = {"uint32", 32, false, true},
    [PT_UINT64] = {"uint64", 64, false, true},
    [PT_COMPLEX64] = {"complex64", 64, false, false},
    [PT_COMPLEX128] = {"complex128", 128, false, false},
    [PT_BFLOAT16] = {"bfloat16", 16, true, false},
    [PT_FLOAT8E4M3FN] = {"float8e4m3fn", 8, true, false},
    [PT_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8, true, false},
    [PT_FLOAT8E5M2] = {"float8e5m2", 8, true, false},
    [PT_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8, true, false},
    [PT_UINT4] = {"uint4", 4, false, true},
    [PT_INT4] = {"int4", 4, false, true},
    [PT_FLOAT4E2M1] = {"float4e2m1", 4, true, false},
    [PT_FLOAT8E8M0] = {"float8e8m0", 8, true, false},
    [PT_UINT2] = {"uint2", 2, false, true},
    [PT_INT2] = {"int2", 2, false, true},
};

static bool known(PtDtype d) {
  return (unsigned)d < PT_DTYPE_COUNT;
}
const char *pt_dtype_name(PtDtype d) {
  return known(d) ? dtypes[d].name : "unknown";
}
unsigned pt_dtype_bits(PtDtype d) {
  return known(d) ? dtypes[d].bits : 0;
}
bool pt_dtype_is_float(PtDtype d) {
  return known(d) && dtypes[d].is_float;
}
bool pt_dtype_is_integer(PtDtype d) {
  return known(d) && dtypes[d].is_integer;
}

size_t pt_dtype_size(PtDtype dtype, size_t count) {
  unsigned bits = pt_dtype_bits(dtype);
  if (bits >= 8)
    return pt_size_mul(count, bits / 8);
  if (bits == 0)
    return 0;
  size_t per_byte = 8 / bits;
  return count / per_byte + (count % per_byte != 0);
}

PtType pt_type_tensor(PtGraph *g, PtDtype dtype, int32_t rank, const PtDim *dims) {
  PtType t = {.kind = PT_TYPE_TENSOR, .dtype = dtype, .rank = rank};
  if (rank > 0) {
    t.dims = pt_arena_new_array(g->arena, PtDim, (size_t)rank);
    for (int32_t i = 0; i < rank; i++)
      t.dims[i] = (PtDim){dims[i].size, pt_arena_string(g->arena, dims[i].symbol)};
  }
  return t;
}

PtType pt_type_copy(PtGraph *g, const PtType *type) {
  PtType t = *type;
  if (type->kind == PT_TYPE_TENSOR)
    return pt_type_tensor(g, type->dtype, type->rank, type->dims);
  t.dims = NULL;
  if (type->opaque)
    t.opaque = pt_arena_copy(g->arena, type->opaque, type->opaque_size);
  return t;
}

bool pt_type_equal(const PtType *a, const PtType *b) {
  if (a->kind != b->kind)
    return false;
  if (a->kind == PT_TYPE_OPAQUE)
    return a->opaque_size == b->opaque_size && memcmp(a->opaque, b->opaque, a->opaque_size) == 0;
  if (a->kind == PT_TYPE_UNKNOWN)
    return true;
  if (a->dtype != b->dtype || a->rank != b->rank)
    return false;
  for (int32_t i = 0; i < a->rank; i++)
    if (a->dims[i].size != b->dims[i].size ||
        (a->dims[i].size < 0 && g_strcmp0(a->dims[i].symbol, b->dims[i].symbol) != 0))
      return false;
  return true;
}

bool pt_type_is_static(const PtType *type) {
  if (type->kind != PT_TYPE_TENSOR || type->rank < 0)
    return false;
  for (int32_t i = 0; i < type->rank; i++)
    if (type->dims[i].size < 0)
      return false;
  return true;
}

int64_t pt_type_count(const PtType *type) {
  if (!pt_type_is_static(type))
    return -1;
  int64_t count = 1;
  for (int32_t i = 0; i < type->rank; i++)
    if (__builtin_mul_overflow(count, type->dims[i].size, &count))
      return -1;
  return count;
}

char *pt_type_text(const PtType *type) {
  if (type->kind != PT_TYPE_TENSOR)
    return g_strdup(type->kind == PT_TYPE_OPAQUE ? "opaque" : "unknown");
  GString *s = g_string_new(pt_dtype_name(type->dtype));
  if (type->rank < 0) {
    g_string_append(s, "[...]");
    return g_string_free(s, FALSE);
  }
  g_string_append_c(s, '[');
  for (int32_t i = 0; i < type->rank; i++) {
    if (i)
      g_string_append_c(s, ',');
    if (type->dims[i].size >= 0)
      g_string_append_printf(s, "%" G_GINT64_FORMAT, type->dims[i].size);
    else
      g_string_append(s, type->dims[i].symbol ? type->dims[i].symbol : "?");
  }
  g_string_append_c(s, ']');
  return g_string_free(s, FALSE);
}

int64_t pt_tensor_ints(const PtTensor *t, int64_t *out, size_t max) {
  if (!t->data || t->count > max)
    return t->count == 0 ? 0 : -1;
  for (size_t i = 0; i < t->count; i++) {
    int64_t v8;
    int32_t v4;
    switch (t->dtype) {
    case PT_INT64:
      memcpy(&v8, t->data + 8 * i, 8);
      out[i] = v8;
      break;
    case PT_INT32:
      memcpy(&v4, t->data + 4 * i, 4);
      out[i] = v4;
      break;
    case PT_INT8:
      out[i] = (int8_t)t->data[i];
      break;
    case PT_UINT8:
    case PT_BOOL:
      out[i] = t->data[i];
      break;
    default:
      return -1;
    }
  }
  return (int64_t)t->count;
}

static double half_to_double(uint16_t h) {
  int exponent = h >> 10 & 31;
  double mantissa = h & 1023;
  double v = exponent == 0    ? ldexp(mantissa, -24)
             : exponent == 31 ? (mantissa != 0 ? NAN : INFINITY)
                              : ldexp(mantissa + 1024, exponent - 25);
  return h >> 15 ? -v : v;
}

double pt_tensor_float_at(const PtTensor *t, size_t i) {
  if (!t->data || i >= t->count)
    return NAN;
  uint16_t h;
  uint32_t word;
  float f;
  double d;
  switch (t->dtype) {
  case PT_FLOAT:
    memcpy(&f, t->data + 4 * i, 4);
    return f;
  case PT_DOUBLE:
    memcpy(&d, t->data + 8 * i, 8);
    return d;
  case PT_FLOAT16:
    memcpy(&h, t->data + 2 * i, 2);
    return half_to_double(h);
  case PT_BFLOAT16:
    memcpy(&h, t->data + 2 * i, 2);
    word = (uint32_t)h << 16;
    memcpy(&f, &word, 4);
    return f;
  default:
    return NAN;
  }
}
