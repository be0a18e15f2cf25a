/* Parameters: the same seed gives the same; bytes and back, with and without Adam's state; hostile
 * bytes are refused and change nothing; products agree with plain loops. */
#include "nn/nn.h"

#include <math.h>
#include <string.h>

static PtParams *network(const char *text, uint32_t hidden) {
  PtSeed seed;
  pt_seed_init(&seed, text);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  PtParams *p = pt_params_new();
  pt_linear_new(p, 3, hidden, rng);
  pt_gru_new(p, hidden, 2, rng);
  return p;
}

static void assert_same(const PtParams *a, const PtParams *b) {
  g_assert_cmpuint(a->size, ==, b->size);
  g_assert_true(memcmp(a->value, b->value, a->size * sizeof(float)) == 0);
}

static void step(PtParams *p, float towards) {
  g_autofree float *gradient = pt_params_gradient(p);
  for (size_t i = 0; i < p->size; i++)
    gradient[i] = p->value[i] - towards;
  PtAdam adam = {.rate = 0.01};
  pt_params_adam(p, gradient, &adam);
}

static void test_bytes(void) {
  g_autoptr(PtParams) a = network("a", 4);
  g_autoptr(PtParams) same = network("a", 4);
  g_autoptr(PtParams) b = network("b", 4);
  g_autoptr(GError) error = NULL;
  assert_same(a, same);
  g_assert_true(memcmp(a->value, b->value, a->size * 4) != 0);
  step(a, 1);
  step(a, 1);
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  pt_params_write(a, true, bytes);
  g_byte_array_append(bytes, (const uint8_t *)"rest", 4);
  size_t used;
  g_assert_true(pt_params_read(b, bytes->data, bytes->len, &used, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(used, ==, bytes->len - 4);
  step(a, -1);
  step(b, -1); /* goes on as if it had never been away */
  assert_same(a, b);
  g_autoptr(GByteArray) values = g_byte_array_new();
  pt_params_write(a, false, values);
  g_assert_cmpuint(values->len, <, bytes->len / 2);
  g_assert_true(pt_params_read(same, values->data, values->len, &used, &error));
  assert_same(a, same);
  g_assert_cmpuint(same->steps, ==, 0);
}

static void check_refused(const uint8_t *data, size_t size, uint32_t hidden) {
  g_autoptr(PtParams) p = network("b", hidden);
  g_autoptr(PtParams) before = network("b", hidden);
  g_autoptr(GError) error = NULL;
  g_autofree uint8_t *exact = g_memdup2(data, MAX(size, 1)); /* so that sanitizers see its end */
  size_t used;
  g_assert_false(pt_params_read(p, exact, size, &used, &error));
  g_assert_error(error, PT_NN_ERROR, PT_ERR_INPUT);
  assert_same(p, before);
}

static void test_hostile(void) {
  g_autoptr(PtParams) a = network("a", 4);
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  step(a, 1);
  pt_params_write(a, true, bytes);
  for (size_t size = 0; size < bytes->len; size++)
    check_refused(bytes->data, size, 4);
  check_refused(bytes->data, bytes->len, 5); /* of another network */
  for (int i = 0; i < 24; i++) {             /* magic, layout, size */
    bytes->data[i] ^= 1;
    check_refused(bytes->data, bytes->len, 4);
    bytes->data[i] ^= 1;
  }
  for (int part = 0; part < 3; part++)
    for (int kind = 0; kind < 3; kind++) {
      const float bad[] = {NAN, INFINITY, -1e7F};
      uint8_t *at = bytes->data + 40 + ((size_t)part * a->size + 5) * 4;
      float old;
      memcpy(&old, at, 4);
      memcpy(at, &bad[kind], 4);
      check_refused(bytes->data, bytes->len, 4);
      memcpy(at, &old, 4);
    }
}

static void test_multiply(void) {
  PtSeed seed;
  pt_seed_init(&seed, "multiply");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  for (int form = 0; form < 4; form++) {
    bool ta = form & 1, tb = form & 2;
    g_auto(PtMatrix) a = {0}, b = {0}, c = {0};
    pt_matrix_resize(&a, ta ? 7 : 5, ta ? 5 : 7);
    pt_matrix_resize(&b, tb ? 3 : 7, tb ? 7 : 3);
    pt_matrix_resize(&c, 5, 3);
    for (int i = 0; i < 35; i++)
      a.data[i] = (float)pt_rng_normal(rng);
    for (int i = 0; i < 21; i++)
      b.data[i] = (float)pt_rng_normal(rng);
    for (int i = 0; i < 15; i++)
      c.data[i] = 1;
    pt_matrix_multiply(&a, ta, &b, tb, 2, &c);
    for (uint32_t i = 0; i < 5; i++)
      for (uint32_t j = 0; j < 3; j++) {
        double sum = 2;
        for (uint32_t k = 0; k < 7; k++)
          sum += (double)(ta ? pt_matrix_row(&a, k)[i] : pt_matrix_row(&a, i)[k]) *
                 (double)(tb ? pt_matrix_row(&b, j)[k] : pt_matrix_row(&b, k)[j]);
        g_assert_cmpfloat_with_epsilon((double)pt_matrix_row(&c, i)[j], sum, 1e-5);
      }
  }
}

/* The rational approximations, ends of vectors that fill no register included. */
static void test_curves(void) {
  g_auto(PtMatrix) x = {0}, y = {0};
  pt_matrix_resize(&x, 1, 4001 + 2);
  pt_matrix_resize(&y, 1, x.cols);
  for (uint32_t i = 0; i < x.cols; i++)
    x.data[i] = y.data[i] = ((float)i - 2000) / 100;
  pt_tanh(&x);
  pt_sigmoid(&y);
  for (uint32_t i = 0; i < x.cols; i++) {
    double at = ((double)i - 2000) / 100;
    g_assert_cmpfloat_with_epsilon((double)x.data[i], tanh(at), 6e-7);
    g_assert_cmpfloat_with_epsilon((double)y.data[i], 1 / (1 + exp(-at)), 6e-7);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/nn/params/bytes", test_bytes);
  g_test_add_func("/nn/params/hostile", test_hostile);
  g_test_add_func("/nn/matrix/multiply", test_multiply);
  g_test_add_func("/nn/layers/curves", test_curves);
  return g_test_run();
}
