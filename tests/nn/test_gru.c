/* A packed GRU, its gradients and one Adam step against PyTorch's figures (gru_fixture.py). */
#include "nn/nn.h"

#include "gru_fixture.h"

#include <math.h>

enum { IN = 3, HIDDEN = 4 };

static void wave(float *out, size_t n, double phase) {
  for (size_t i = 0; i < n; i++)
    out[i] = (float)(0.5 * sin(0.37 * (double)i + phase));
}

static void check(const float *got, const float *expected, size_t n) {
  for (size_t i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon((double)got[i], (double)expected[i], 2e-6);
}

static void test_against_pytorch(void) {
  const uint32_t rows[] = {3, 3, 2, 1};
  const PtSteps steps = {4, rows};
  PtSeed seed;
  pt_seed_init(&seed, "gru");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  g_autoptr(PtParams) params = pt_params_new();
  PtGru gru = pt_gru_new(params, IN, HIDDEN, rng);
  wave(params->value, params->size, 1);
  g_auto(PtMatrix) x = {0}, h0 = {0}, y = {0}, gates = {0}, dy = {0}, dx = {0}, dh0 = {0};
  pt_matrix_resize(&x, 9, IN);
  pt_matrix_resize(&h0, 3, HIDDEN);
  pt_matrix_resize(&dy, 9, HIDDEN);
  wave(x.data, G_N_ELEMENTS(expected_dx), 2);
  wave(h0.data, G_N_ELEMENTS(expected_dh0), 3);
  wave(dy.data, G_N_ELEMENTS(expected_y), 4);
  pt_gru_forward(&gru, params->value, &steps, &x, &h0, &gates, &y);
  g_assert_cmpuint(y.rows * y.cols, ==, G_N_ELEMENTS(expected_y));
  check(y.data, expected_y, G_N_ELEMENTS(expected_y));
  g_autofree float *gradient = pt_params_gradient(params);
  pt_gru_backward(&gru, params->value, &steps, &x, &h0, &gates, &y, &dy, gradient, &dx, &dh0);
  g_assert_cmpuint(params->size, ==, G_N_ELEMENTS(expected_gradient));
  check(gradient, expected_gradient, params->size);
  check(dx.data, expected_dx, G_N_ELEMENTS(expected_dx));
  check(dh0.data, expected_dh0, G_N_ELEMENTS(expected_dh0));
  PtAdam adam = {.rate = 0.01, .weight_decay = 0.1};
  pt_params_adam(params, gradient, &adam);
  check(params->value, expected_after_adam, params->size);

  /* a step at a time gives the same */
  wave(params->value, params->size, 1);
  g_auto(PtMatrix) next = {0};
  PtMatrix first = pt_matrix_rows(&x, 0, 3), second = pt_matrix_rows(&x, 3, 3);
  g_auto(PtMatrix) after = {0};
  pt_gru_cell(&gru, params->value, &first, &h0, NULL, &next);
  check(next.data, expected_y, 3 * HIDDEN);
  pt_gru_cell(&gru, params->value, &second, &next, NULL, &after);
  check(after.data, expected_y + 3 * HIDDEN, 3 * HIDDEN);
}

/* Bias correction and decay over many steps: Adam finds the minimum of a bowl. */
static void test_adam_descends(void) {
  g_autoptr(PtParams) params = pt_params_new();
  size_t at = pt_params_add(params, 1, 2, 0, NULL);
  g_assert_cmpuint(at, ==, 0);
  for (int i = 0; i < 2000; i++) {
    float gradient[2] = {2 * (params->value[0] - 3), 200 * (params->value[1] + 1)};
    PtAdam adam = {.rate = 0.01, .clip = 50};
    pt_params_adam(params, gradient, &adam);
  }
  g_assert_cmpfloat_with_epsilon((double)params->value[0], 3, 1e-2);
  g_assert_cmpfloat_with_epsilon((double)params->value[1], -1, 1e-2);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/nn/gru/against-pytorch", test_against_pytorch);
  g_test_add_func("/nn/adam/descends", test_adam_descends);
  return g_test_run();
}
