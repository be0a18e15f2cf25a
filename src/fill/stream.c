/* stream: a counter-based generator: element i of a stream does not depend on the others, so
 * threads may share a tensor. */
#include "fill/fill_private.h"

#include <string.h>

static inline uint64_t mix(uint64_t key, uint64_t counter) {
  uint64_t x = key + counter * UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
  return x ^ x >> 31;
}

/* In [-1, 1), 24 bits: two elements a draw. */
static inline float unit(uint64_t key, size_t i) {
  uint32_t bits = (uint32_t)(mix(key, i >> 1) >> (i & 1 ? 32 : 0));
  return (float)(int32_t)(bits >> 8) * 0x1p-23f - 1.0f;
}

static void fill_floats(uint64_t key, PtFillPlan plan, size_t first, size_t count, float *out) {
  size_t i = 0;
  if (first & 1 && count > 0)
    out[i++] = plan.center + plan.spread * unit(key, first);
  for (; i + 1 < count; i += 2) {
    uint64_t x = mix(key, (first + i) >> 1);
    out[i] = plan.center + plan.spread * ((float)(int32_t)((uint32_t)x >> 8) * 0x1p-23f - 1.0f);
    out[i + 1] = plan.center + plan.spread * ((float)(int32_t)(x >> 40) * 0x1p-23f - 1.0f);
  }
  for (; i < count; i++)
    out[i] = plan.center + plan.spread * unit(key, first + i);
}

static uint16_t to_bfloat(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return (uint16_t)((u + 0x8000) >> 16);
}

/* Round to nearest; what is too small becomes zero's neighbour, nothing here is too large. */
static uint16_t to_half(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  uint32_t sign = u >> 16 & 0x8000, rest = (u & 0x7fffffff) + 0x1000;
  if (rest >= 0x47800000)
    return (uint16_t)(sign | 0x7bff);
  if (rest < 0x38800000)
    return (uint16_t)(sign | (uint32_t)((f < 0 ? -f : f) * 0x1p24f));
  return (uint16_t)(sign | ((rest - 0x38000000) >> 13));
}

/* Small formats take random bits of moderate size. */
static uint8_t small_bits(PtDtype dtype, uint64_t x) {
  switch (dtype) {
  case PT_FLOAT8E8M0:
    return (uint8_t)(120 + x % 8);
  case PT_FLOAT4E2M1:
    return (uint8_t)x;
  default:
    return (uint8_t)(x & 0xbf) ? (uint8_t)(x & 0xbf) : 1;
  }
}

void pt_fill_block(PtDtype dtype, uint64_t key, PtFillPlan plan, size_t first, size_t count,
                   void *out) {
  if (dtype == PT_FLOAT) {
    fill_floats(key, plan, first, count, out);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    float f = plan.center + plan.spread * unit(key, first + i);
    if (dtype == PT_DOUBLE)
      ((double *)out)[i] = (double)f;
    else if (dtype == PT_FLOAT16)
      ((uint16_t *)out)[i] = to_half(f);
    else if (dtype == PT_BFLOAT16)
      ((uint16_t *)out)[i] = to_bfloat(f);
    else if (dtype == PT_FLOAT4E2M1) {
      if (!((first + i) & 1))
        ((uint8_t *)out)[i / 2] = small_bits(dtype, mix(key, first + i));
    } else
      ((uint8_t *)out)[i] = small_bits(dtype, mix(key, first + i));
  }
}
