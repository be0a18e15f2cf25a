/* noise: a bijection, dense, positive where promised, the same bytes by every way of making them.
 */
#include "bundle/bundle.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define SEED "00112233445566778899aabbccddeeff"

static PtNoise make(uint64_t floats, uint64_t halves, uint64_t brains, uint64_t doubles) {
  PtNoise noise;
  GError *error = NULL;
  bool ok = pt_noise_init(&noise, SEED, floats, halves, brains, doubles, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  return noise;
}

/* Every position of the smallest file: finite, normal, moderate, distinct (as the inverse finds
 * each). */
static void test_bijection_exhaustive(void) {
  PtNoise noise = make(1 << 21, 0, 0, 0);
  const size_t count = 1 << 21;
  g_autofree float *values = g_new(float, count);
  g_autofree uint64_t *positions = g_new(uint64_t, count);
  pt_noise_fill(&noise, 0, count, values);
  pt_noise_positions(&noise, values, count, positions);
  size_t negative = 0;
  for (size_t i = 0; i < count; i++) {
    g_assert_cmpuint(positions[i], ==, i);
    float size = fabsf(values[i]);
    if (i < count / 2) {
      g_assert_true(size >= 1.0f / 256 && size < 1);
      negative += values[i] < 0;
    } else {
      g_assert_true(values[i] >= 1 && values[i] < 4);
    }
  }
  g_assert_cmpuint(negative, ==, count / 4);
}

static void test_bijection_sampled(void) {
  for (unsigned log = 22; log <= 30; log++) {
    PtNoise noise = make(UINT64_C(1) << log, 0, 0, 0);
    uint64_t step = noise.floats / 9973 + 1;
    for (uint64_t i = 0; i < noise.floats; i += step) {
      float value = pt_noise_at(&noise, i);
      g_assert_true(isnormal(value) && fabsf(value) < 16);
      g_assert_true(i < noise.floats / 2 || value > 0);
      g_assert_cmpuint(pt_noise_position(&noise, value), ==, i);
    }
    g_assert_cmpuint(pt_noise_position(&noise, pt_noise_at(&noise, noise.floats - 1)), ==,
                     noise.floats - 1);
  }
}

/* What is no value of the file has no position; where one is given, it is the right one. */
static void test_position_of_others(void) {
  const float others[] = {0,     -0.0f, NAN,   INFINITY, -INFINITY, 1e-40f, -1,
                          -2.5f, 16,    1e30f, 1e-30f,   5e-39f,    -3.9f};
  for (unsigned log = 21; log <= 30; log++) {
    PtNoise noise = make(UINT64_C(1) << log, 0, 0, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
      g_assert_cmpuint(pt_noise_position(&noise, others[i]), ==, UINT64_MAX);
    g_autoptr(GRand) rand = g_rand_new_with_seed(log);
    size_t found = 0;
    for (int i = 0; i < 20000; i++) {
      uint32_t bits = g_rand_int(rand);
      float value;
      memcpy(&value, &bits, 4);
      uint64_t at = pt_noise_position(&noise, value);
      if (at == UINT64_MAX)
        continue;
      found++;
      g_assert_true(at < noise.floats && pt_noise_at(&noise, at) == value);
    }
    /* as many of 2^32 patterns as the file has values */
    double expected = 20000 * (double)noise.floats / 4294967296.0;
    g_assert_cmpfloat(fabs((double)found - expected), <, 6 * sqrt(expected) + 6);
  }
}

/* Neighbours are not alike: correlation of values one apart, and of all bits, near none. */
static void test_looks_random(void) {
  PtNoise noise = make(1 << 22, 0, 0, 0);
  const size_t count = 1 << 20;
  g_autofree float *v = g_new(float, count);
  pt_noise_fill(&noise, 12345, count, v);
  for (size_t lag = 1; lag <= 64; lag *= 2) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i + lag < count; i++) {
      sum += v[i] * v[i + lag];
      squares += v[i] * v[i];
    }
    g_assert_cmpfloat(fabs(sum / squares), <, 0.01);
  }
  size_t ones[32] = {0};
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, v + i, 4);
    for (unsigned b = 0; b < 32; b++)
      ones[b] += bits >> b & 1;
  }
  for (unsigned b = 0; b < 26; b++) /* fraction and the low bits of the exponent */
    g_assert_cmpfloat(fabs((double)ones[b] / (double)count - 0.5), <, b < 23 ? 0.01 : 0.13);
}

static void test_sections(void) {
  PtNoise noise = make(1 << 21, 4096, 1024, 2048);
  g_assert_cmpuint(pt_noise_file_size(&noise), ==, (4u << 21) + 8192 + 2048 + 16384);
  g_autofree uint16_t *halves = g_new(uint16_t, 4096);
  g_assert_true(pt_noise_bytes(&noise, pt_noise_halves_offset(&noise), 8192, halves));
  g_autoptr(GHashTable) distinct = g_hash_table_new(NULL, NULL);
  for (size_t i = 0; i < 4096; i++) {
    unsigned exponent = halves[i] >> 10 & 31;
    g_assert_cmpuint(exponent, >=, i < 2048 ? 7 : 15);
    g_assert_cmpuint(exponent, <=, i < 2048 ? 14 : 18);
    if (i >= 2048)
      g_assert_cmpuint(halves[i] >> 15, ==, 0);
    g_hash_table_add(distinct, GUINT_TO_POINTER((guint)halves[i] + 1));
  }
  g_assert_cmpuint(g_hash_table_size(distinct), >, 2500);
  g_autofree uint16_t *brains = g_new(uint16_t, 1024);
  g_assert_true(pt_noise_bytes(&noise, pt_noise_brains_offset(&noise), 2048, brains));
  for (size_t i = 0; i < 1024; i++) {
    unsigned exponent = brains[i] >> 7 & 255;
    g_assert_cmpuint(exponent, >=, i < 512 ? 119 : 127);
    g_assert_cmpuint(exponent, <=, i < 512 ? 126 : 130);
  }
  g_autofree double *doubles = g_new(double, 2048);
  g_assert_true(pt_noise_bytes(&noise, pt_noise_doubles_offset(&noise), 16384, doubles));
  for (size_t i = 0; i < 2048; i++) {
    g_assert_cmpuint(pt_noise_position_double(&noise, doubles[i]), ==, i);
    g_assert_true(i < 1024 ? fabs(doubles[i]) < 1 : doubles[i] >= 1 && doubles[i] < 16);
  }
  g_assert_cmpuint(pt_noise_position_double(&noise, 0.5), ==, UINT64_MAX);
  g_assert_cmpuint(pt_noise_position_double(&noise, NAN), ==, UINT64_MAX);
}

static void test_write_equals_bytes(void) {
  PtNoise noise = make(1 << 21, 1000, 500, 250);
  g_autofree char *folder = pt_dir_make_temp("noise", NULL);
  g_autofree char *path = g_build_filename(folder, PT_NOISE_FILE, NULL);
  GError *error = NULL;
  for (unsigned threads = 1; threads <= 3; threads++) {
    g_assert_true(pt_noise_write(&noise, path, threads, &error));
    g_assert_no_error(error);
    g_autofree char *text = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &text, &size, NULL));
    g_assert_cmpuint(size, ==, pt_noise_file_size(&noise));
    g_autofree uint8_t *all = g_malloc(size);
    g_assert_true(pt_noise_bytes(&noise, 0, size, all));
    g_assert_cmpint(memcmp(all, text, size), ==, 0);
    g_autoptr(GRand) rand = g_rand_new_with_seed(threads);
    uint8_t slice[700];
    for (int i = 0; i < 3000; i++) {
      size_t want = (size_t)g_rand_int_range(rand, 0, 700);
      uint64_t at = (uint64_t)g_rand_int_range(rand, 0, (gint32)(i % 2 ? size : 5000));
      at = i % 2 ? at : size - at;
      g_assert_true(pt_noise_bytes(&noise, at, want, slice) == (at + want <= size));
      if (at + want <= size)
        g_assert_cmpint(memcmp(slice, text + at, want), ==, 0);
    }
  }
  g_autofree char *nowhere = g_build_filename(folder, "missing", "x", NULL);
  g_assert_false(pt_noise_write(&noise, nowhere, 1, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  g_clear_error(&error);
  pt_dir_remove(folder);
}

/* The format is stable: other people's generators make these bytes (docs/noise.md). */
static void test_known_values(void) {
  PtNoise noise = make(1 << 21, 0, 0, 0);
  uint32_t bits[4];
  float values[4] = {pt_noise_at(&noise, 0), pt_noise_at(&noise, 1), pt_noise_at(&noise, 1 << 20),
                     pt_noise_at(&noise, (1 << 21) - 1)};
  memcpy(bits, values, sizeof bits);
  g_assert_cmphex(bits[0], ==, 0x3c2f9983);
  g_assert_cmphex(bits[1], ==, 0xbd7d2756);
  g_assert_cmphex(bits[2], ==, 0x40584f06);
  g_assert_cmphex(bits[3], ==, 0x405c8a2b);
}

static void refused(const char *seed, uint64_t floats, uint64_t halves, int code) {
  PtNoise noise;
  GError *error = NULL;
  g_assert_false(pt_noise_init(&noise, seed, floats, halves, 0, 0, &error));
  g_assert_error(error, PT_BUNDLE_ERROR, code);
  g_clear_error(&error);
}

static void test_refusals(void) {
  refused(NULL, 1 << 21, 0, PT_ERR_INPUT);
  refused("00", 1 << 21, 0, PT_ERR_INPUT);
  refused("00112233445566778899AABBCCDDEEFF", 1 << 21, 0, PT_ERR_INPUT);
  refused(SEED "0", 1 << 21, 0, PT_ERR_INPUT);
  refused(SEED, 1 << 20, 0, PT_ERR_INPUT);
  refused(SEED, (1 << 21) + 4, 0, PT_ERR_INPUT);
  refused(SEED, 0, 0, PT_ERR_INPUT);
  refused(SEED, 1 << 21, 6, PT_ERR_INPUT);
  refused(SEED, UINT64_C(1) << 31, 0, PT_ERR_LIMIT);
  refused(SEED, 1 << 21, UINT64_C(1) << 60, PT_ERR_LIMIT);
  PtNoise noise = make(1 << 21, 0, 0, 0);
  uint8_t byte;
  g_assert_false(pt_noise_bytes(&noise, UINT64_MAX, 1, &byte));
  g_assert_false(pt_noise_bytes(&noise, 4 << 21, 1, &byte));
  g_assert_false(pt_noise_bytes(&noise, 0, SIZE_MAX, &byte));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/noise/bijection/exhaustive", test_bijection_exhaustive);
  g_test_add_func("/noise/bijection/sampled", test_bijection_sampled);
  g_test_add_func("/noise/position-of-others", test_position_of_others);
  g_test_add_func("/noise/looks-random", test_looks_random);
  g_test_add_func("/noise/sections", test_sections);
  g_test_add_func("/noise/write-equals-bytes", test_write_equals_bytes);
  g_test_add_func("/noise/known-values", test_known_values);
  g_test_add_func("/noise/refusals", test_refusals);
  return g_test_run();
}
