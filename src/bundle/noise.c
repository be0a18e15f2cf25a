/* noise.c: noise.bin, an invertible function of the position (docs/noise.md has it in ten lines of
 * Python). */
#include "bundle/bundle.h"

#include <sodium.h>
#include <string.h>

G_DEFINE_QUARK(pt - bundle - error - quark, pt_bundle_error)

#define ROUNDS 4
#define MIN_FLOATS (UINT64_C(1) << 21)
#define MAX_FLOATS (UINT64_C(1) << 30)
#define MAX_ELEMENTS (UINT64_C(1) << 40)
/* Odd, near 2^23 / golden ratio: spreads a short mantissa over all 23 bits, one to one. */
#define SPREAD UINT32_C(0x4F1BBD)
#define FRACTION UINT32_C(0x7FFFFF)

/* ---- the bijection of m bits -------------------------------------------------------------------
 * x = x * odd + key, x ^= x >> ceil(m/2), four times; m <= 29, so 32 bits are enough. */
typedef struct Half {
  uint32_t multiply[ROUNDS], inverse[ROUNDS], add[ROUNDS];
  uint32_t mask, low, binades; /* low: mask of the bits that fill the fraction; binades - 1 */
  unsigned shift, fraction;    /* fraction: how many bits of the position it holds */
  uint32_t above;              /* positive: binades from here on lie below the signed ones */
} Half;

/* Newton's iteration doubles the correct bits; an odd number is its own inverse to 3 bits. */
static uint32_t inverse_of_odd(uint32_t odd) {
  uint32_t x = odd;
  for (int i = 0; i < 4; i++)
    x *= 2 - odd * x;
  return x;
}

/* Signed: one bit of sign, three or more of binade; positive: one or more of binade; the rest is
 * fraction. */
static Half half_of(const PtNoise *noise, bool positive) {
  unsigned m = noise->bits, exponent = positive ? MAX(1, (int)m - 23) : MAX(3, (int)m - 24);
  Half half = {.mask = (UINT32_C(1) << m) - 1, .shift = (m + 1) / 2};
  half.fraction = m - exponent - (positive ? 0 : 1);
  half.low = (UINT32_C(1) << half.fraction) - 1;
  half.binades = (UINT32_C(1) << exponent) - 1;
  for (unsigned r = 0; r < ROUNDS; r++) {
    half.multiply[r] = (uint32_t)noise->key[positive ? r + ROUNDS : r] | 1;
    half.add[r] = (uint32_t)noise->key[positive ? r : r + ROUNDS];
    half.inverse[r] = inverse_of_odd(half.multiply[r]);
  }
  /* The first binade below the signed half's, as if it followed [8,16). */
  half.above = UINT32_C(1) << MAX(3, (int)m - 24);
  return half;
}

static inline uint32_t permute(const Half *half, uint32_t x) {
  for (unsigned r = 0; r < ROUNDS; r++) {
    x = (x * half->multiply[r] + half->add[r]) & half->mask;
    x ^= x >> half->shift;
  }
  return x;
}

static inline uint32_t unpermute(const Half *half, uint32_t x) {
  for (unsigned r = ROUNDS; r-- > 0;) {
    x ^= x >> half->shift; /* the shift is at least m/2: once undoes it */
    x = ((x - half->add[r]) * half->inverse[r]) & half->mask;
  }
  return x;
}

/* ---- float32: the permuted position is sign, binade and fraction
 * ----------------------------------- */
/* Any sign: [1/2,1), [1/4,1/2), ... downwards. */
static inline uint32_t signed_bits(const Half *half, uint32_t i) {
  uint32_t y = permute(half, i), high = y >> half->fraction;
  uint32_t fraction = ((y & half->low) * SPREAD) & FRACTION;
  uint32_t sign = high > half->binades;
  return sign << 31 | (126 - (high & half->binades)) << 23 | fraction;
}

/* Positive: [1,2), [2,4), [4,8), [8,16), and where these do not do, on below the signed half's
 * smallest. */
static inline uint32_t positive_bits(const Half *half, uint32_t i) {
  uint32_t y = permute(half, i), high = y >> half->fraction;
  uint32_t fraction = ((y & half->low) * SPREAD) & FRACTION;
  uint32_t exponent = high < 4 ? 127 + high : 130 - half->above - high;
  return exponent << 23 | fraction;
}

void pt_noise_fill(const PtNoise *noise, uint64_t first, size_t count, float *out) {
  const uint64_t middle = noise->floats / 2;
  const Half any = half_of(noise, false), positive = half_of(noise, true);
  size_t n_any = first < middle ? MIN(count, middle - first) : 0;
  for (size_t j = 0; j < n_any; j++) {
    uint32_t bits = signed_bits(&any, (uint32_t)(first + j));
    memcpy(out + j, &bits, 4);
  }
  uint32_t base = (uint32_t)(first - middle);
  for (size_t j = n_any; j < count; j++) {
    uint32_t bits = positive_bits(&positive, base + (uint32_t)j);
    memcpy(out + j, &bits, 4);
  }
}

float pt_noise_at(const PtNoise *noise, uint64_t i) {
  float value;
  pt_noise_fill(noise, i, 1, &value);
  return value;
}

static inline uint64_t position(const PtNoise *noise, const Half *any, const Half *positive,
                                uint32_t spread_inverse, uint32_t bits) {
  uint32_t sign = bits >> 31, exponent = bits >> 23 & 0xFF, high;
  bool large = exponent >= 127, is_signed = !large && exponent + any->binades >= 126;
  const Half *half = is_signed ? any : positive;
  if (is_signed) {
    high = (126 - exponent) | sign * (any->binades + 1);
  } else {
    high = large ? exponent - 127 : 130 - positive->above - exponent;
    if (sign || high > positive->binades || large != (high < 4))
      return UINT64_MAX;
  }
  uint32_t low = ((bits & FRACTION) * spread_inverse) & FRACTION;
  if (low > half->low)
    return UINT64_MAX;
  return (is_signed ? 0 : noise->floats / 2) + unpermute(half, high << half->fraction | low);
}

void pt_noise_positions(const PtNoise *noise, const float *values, size_t count, uint64_t *out) {
  const Half any = half_of(noise, false), positive = half_of(noise, true);
  const uint32_t spread_inverse = inverse_of_odd(SPREAD);
  for (size_t j = 0; j < count; j++) {
    uint32_t bits;
    memcpy(&bits, values + j, 4);
    out[j] = position(noise, &any, &positive, spread_inverse, bits);
  }
}

uint64_t pt_noise_position(const PtNoise *noise, float value) {
  uint64_t i;
  pt_noise_positions(noise, &value, 1, &i);
  return i;
}

/* ---- the sections behind it
 * -------------------------------------------------------------------------- */
/* 64 well mixed bits of an element's position in its section; the section's number keeps them
 * apart. */
static inline uint64_t mix(const PtNoise *noise, unsigned section, uint64_t i) {
  uint64_t x = (i ^ noise->key[section]) * (noise->key[section + 1] | 1);
  x ^= x >> 32;
  x *= UINT64_C(0x9E3779B97F4A7C15);
  return x ^ x >> 29;
}

/* Signed: [2^-8,1), positive: [1,16). */
static inline uint16_t half_bits(const PtNoise *noise, uint64_t i) {
  uint64_t x = mix(noise, 1, i);
  uint32_t fraction = x & 0x3FF, high = (uint32_t)(x >> 10);
  uint32_t bits = i < noise->halves / 2 ? (high & 8) << 12 | (14 - (high & 7)) << 10 | fraction
                                        : (15 + (high & 3)) << 10 | fraction;
  return (uint16_t)bits;
}

static inline uint16_t brain_bits(const PtNoise *noise, uint64_t i) {
  uint64_t x = mix(noise, 3, i);
  uint32_t fraction = x & 0x7F, high = (uint32_t)(x >> 7);
  uint32_t bits = i < noise->brains / 2 ? (high & 8) << 12 | (126 - (high & 7)) << 7 | fraction
                                        : (127 + (high & 3)) << 7 | fraction;
  return (uint16_t)bits;
}

#define DOUBLE_FRACTION ((UINT64_C(1) << 52) - 1)
static uint64_t inverse_of_odd64(uint64_t odd) {
  uint64_t x = odd;
  for (int i = 0; i < 5; i++)
    x *= 2 - odd * x;
  return x;
}

/* The fraction is a bijection of the position; sign and binade are read off the mixed position. */
static inline uint64_t double_bits(const PtNoise *noise, uint64_t i) {
  uint64_t y = (i * (noise->key[5] | 1) + noise->key[6]) & DOUBLE_FRACTION;
  y ^= y >> 26;
  y = (y * (noise->key[7] | 1)) & DOUBLE_FRACTION;
  uint64_t high = mix(noise, 5, i);
  return i < noise->doubles / 2 ? (high & 8) << 60 | (1022 - (high & 7)) << 52 | y
                                : (1023 + (high & 3)) << 52 | y;
}

uint64_t pt_noise_position_double(const PtNoise *noise, double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  uint64_t y = ((bits & DOUBLE_FRACTION) * inverse_of_odd64(noise->key[7] | 1)) & DOUBLE_FRACTION;
  y ^= y >> 26;
  uint64_t i = ((y - noise->key[6]) * inverse_of_odd64(noise->key[5] | 1)) & DOUBLE_FRACTION;
  return i < noise->doubles && double_bits(noise, i) == bits ? i : UINT64_MAX;
}

uint64_t pt_noise_halves_offset(const PtNoise *noise) {
  return noise->floats * 4;
}
uint64_t pt_noise_brains_offset(const PtNoise *noise) {
  return pt_noise_halves_offset(noise) + noise->halves * 2;
}
uint64_t pt_noise_doubles_offset(const PtNoise *noise) {
  return pt_noise_brains_offset(noise) + noise->brains * 2;
}
uint64_t pt_noise_file_size(const PtNoise *noise) {
  return pt_noise_doubles_offset(noise) + noise->doubles * 8;
}

/* ---- making
 * ------------------------------------------------------------------------------------------ */
bool pt_noise_init(PtNoise *noise, const char *seed, uint64_t floats, uint64_t halves,
                   uint64_t brains, uint64_t doubles, GError **error) {
  memset(noise, 0, sizeof *noise);
  if (!seed || strlen(seed) != 32 || strspn(seed, "0123456789abcdef") != 32) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
                "the noise seed must be 32 lower-case hex digits");
    return false;
  }
  if (floats < MIN_FLOATS || (floats & (floats - 1))) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
                "the noise file's %" G_GUINT64_FORMAT
                " floats are not a power of two of at least 2^21",
                floats);
    return false;
  }
  if (halves % 4 || brains % 4 || doubles % 2) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
                "the noise file's sections for 16 and 64 bits must be even");
    return false;
  }
  if (floats > MAX_FLOATS || halves > MAX_ELEMENTS || brains > MAX_ELEMENTS ||
      doubles > MAX_ELEMENTS) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_LIMIT,
                "a noise file of %" G_GUINT64_FORMAT
                " floats is over the limit of 2^30; cut the model into more pieces (-n)",
                floats);
    return false;
  }
  memcpy(noise->seed, seed, 33);
  noise->floats = floats, noise->halves = halves, noise->brains = brains, noise->doubles = doubles;
  noise->bits = (unsigned)__builtin_ctzll(floats) - 1;
  uint8_t digest[64];
  const char label[] = "proteus-noise";
  crypto_generichash_state state;
  crypto_generichash_init(&state, NULL, 0, sizeof digest);
  crypto_generichash_update(&state, (const uint8_t *)label, sizeof label - 1);
  crypto_generichash_update(&state, (const uint8_t *)seed, 32);
  crypto_generichash_final(&state, digest, sizeof digest);
  for (unsigned i = 0; i < 8; i++) {
    uint64_t key = 0;
    for (unsigned b = 0; b < 8; b++)
      key |= (uint64_t)digest[8 * i + b] << 8 * b;
    noise->key[i] = key;
  }
  return true;
}

/* A section of noise.bin: `count` elements of `width` bytes that begin at byte `start`. */
typedef struct Section {
  uint64_t start, count;
  unsigned width, kind; /* 0 floats, 1 halves, 2 brains, 3 doubles */
} Section;

static void section_fill(const PtNoise *noise, const Section *section, uint64_t first, size_t count,
                         void *out) {
  switch (section->kind) {
  case 0:
    pt_noise_fill(noise, first, count, out);
    break;
  case 1:
    for (size_t j = 0; j < count; j++)
      ((uint16_t *)out)[j] = half_bits(noise, first + j);
    break;
  case 2:
    for (size_t j = 0; j < count; j++)
      ((uint16_t *)out)[j] = brain_bits(noise, first + j);
    break;
  default:
    for (size_t j = 0; j < count; j++)
      ((uint64_t *)out)[j] = double_bits(noise, first + j);
  }
}

/* Copies the overlap of [offset, end) with the section, block by block, whole elements at a time.
 */
static void section_bytes(const PtNoise *noise, const Section *section, uint64_t offset,
                          uint64_t end, uint8_t *out) {
  uint64_t from = MAX(offset, section->start);
  uint64_t to = MIN(end, section->start + section->count * section->width);
  uint64_t block[1024];
  const size_t per_block = sizeof block / section->width;
  while (from < to) {
    uint64_t first = (from - section->start) / section->width;
    uint64_t skip = (from - section->start) % section->width;
    size_t count = (size_t)MIN(per_block, (to - section->start - 1) / section->width + 1 - first);
    size_t bytes = (size_t)MIN(count * section->width - skip, to - from);
    section_fill(noise, section, first, count, block);
    memcpy(out + (from - offset), (const uint8_t *)block + skip, bytes);
    from += bytes;
  }
}

bool pt_noise_bytes(const PtNoise *noise, uint64_t offset, size_t size, void *out) {
  uint64_t total = pt_noise_file_size(noise);
  if (offset > total || size > total - offset)
    return false;
  const Section sections[] = {{0, noise->floats, 4, 0},
                              {pt_noise_halves_offset(noise), noise->halves, 2, 1},
                              {pt_noise_brains_offset(noise), noise->brains, 2, 2},
                              {pt_noise_doubles_offset(noise), noise->doubles, 8, 3}};
  for (size_t s = 0; s < G_N_ELEMENTS(sections); s++)
    section_bytes(noise, &sections[s], offset, offset + size, out);
  return true;
}

/* ---- writing: blocks are made in parallel, then written in order
 * ------------------------------------ */
#define BLOCK ((size_t)1 << 20)
typedef struct Batch {
  const PtNoise *noise;
  uint64_t start, total;
  uint8_t *buffer;
} Batch;

static void fill_block(size_t index, void *data) {
  Batch *batch = data;
  uint64_t from = batch->start + index * BLOCK;
  if (from < batch->total)
    (void)pt_noise_bytes(batch->noise, from, (size_t)MIN(BLOCK, batch->total - from),
                         batch->buffer + index * BLOCK);
}

bool pt_noise_write(const PtNoise *noise, const char *path, unsigned threads, GError **error) {
  threads = pt_threads(threads);
  g_autoptr(PtFileWriter) writer = pt_file_writer_new(path, 0644, error);
  if (!writer)
    return false;
  const size_t blocks = (size_t)MIN(threads, 16) * 2;
  g_autofree uint8_t *buffer = g_malloc(blocks * BLOCK);
  Batch batch = {noise, 0, pt_noise_file_size(noise), buffer};
  for (; batch.start < batch.total; batch.start += blocks * BLOCK) {
    pt_parallel_for(blocks, threads, fill_block, &batch);
    size_t size = (size_t)MIN(blocks * BLOCK, batch.total - batch.start);
    if (!pt_file_writer_write(writer, buffer, size, error))
      return false;
  }
  return pt_file_writer_commit(writer, error);
}
