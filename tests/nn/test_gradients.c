/* Every layer's backward pass against central differences of its forward pass, in the parameters
 * and in the input. */
#include "nn/nn.h"

#include <math.h>

/* Something with inputs and parameters whose output is weighed into one number. */
typedef struct Case Case;
struct Case {
  PtParams *params;
  PtMatrix x, y, dy, dx, aux, h0, dh0;
  float *gradient;
  void (*forward)(Case *);
  void (*backward)(Case *); /* dy to dx, gradient */
  PtLinear linear;
  PtGru gru;
  PtSage sage;
  PtEmbedding embedding;
  PtRng *rng;
};

static void fill(PtRng *rng, PtMatrix *m, uint32_t rows, uint32_t cols) {
  pt_matrix_resize(m, rows, cols);
  for (uint32_t i = 0; i < rows * cols; i++)
    m->data[i] = (float)pt_rng_normal(rng);
}

static double weighed(Case *c) {
  double sum = 0;
  c->forward(c);
  for (uint32_t i = 0; i < c->y.rows * c->y.cols; i++)
    sum += (double)c->y.data[i] * (double)c->dy.data[i];
  return sum;
}

/* Rounding leaves about 1e-4 of a difference quotient in floats; a wrong term is far larger. */
static void compare(Case *c, float *at, size_t n, const float *expected, const char *what) {
  const float h = 4e-3F;
  for (size_t i = 0; i < n; i++) {
    float old = at[i];
    at[i] = old + h;
    double up = weighed(c);
    at[i] = old - h;
    double down = weighed(c);
    at[i] = old;
    double quotient = (up - down) / (2 * (double)h), e = (double)expected[i];
    if (fabs(quotient - e) > 2e-3 * (1 + fabs(e)))
      g_error("%s %zu: %g by differences, %g by the backward pass", what, i, quotient, e);
  }
}

static Case *case_new(uint32_t rows, uint32_t cols) {
  Case *c = g_new0(Case, 1);
  PtSeed seed;
  pt_seed_init(&seed, "gradients");
  c->rng = pt_rng_new(&seed, "test", 0);
  c->params = pt_params_new();
  fill(c->rng, &c->x, rows, cols);
  return c;
}

static void check(Case *c) {
  c->forward(c);
  fill(c->rng, &c->dy, c->y.rows, c->y.cols);
  c->gradient = pt_params_gradient(c->params);
  c->forward(c);
  c->backward(c);
  compare(c, c->params->value, c->params->size, c->gradient, "parameter");
  if (c->dx.data)
    compare(c, c->x.data, (size_t)c->x.rows * c->x.cols, c->dx.data, "input");
  if (c->dh0.data)
    compare(c, c->h0.data, (size_t)c->h0.rows * c->h0.cols, c->dh0.data, "state");
  /* a gradient is added to what is there */
  g_autofree float *once = g_memdup2(c->gradient, c->params->size * sizeof(float));
  c->forward(c);
  c->backward(c);
  for (size_t i = 0; i < c->params->size; i++)
    g_assert_cmpfloat_with_epsilon((double)c->gradient[i], 2 * (double)once[i], 1e-4);
  PtMatrix *all[] = {&c->x, &c->y, &c->dy, &c->dx, &c->aux, &c->h0, &c->dh0};
  for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
    pt_matrix_clear(all[i]);
  g_free(c->gradient);
  pt_params_free(c->params);
  pt_rng_free(c->rng);
  g_free(c);
}

static void linear_forward(Case *c) {
  pt_linear_forward(&c->linear, c->params->value, &c->x, &c->y);
}
static void linear_backward(Case *c) {
  pt_linear_backward(&c->linear, c->params->value, &c->x, &c->dy, c->gradient, &c->dx);
}
static void test_linear(void) {
  Case *c = case_new(5, 3);
  c->linear = pt_linear_new(c->params, 3, 4, c->rng);
  c->forward = linear_forward;
  c->backward = linear_backward;
  check(c);
}

typedef struct Activation {
  void (*apply)(PtMatrix *);
  void (*back)(const PtMatrix *, PtMatrix *);
} Activation;
static Activation activation;

static void copy(const PtMatrix *from, PtMatrix *to) {
  pt_matrix_resize(to, from->rows, from->cols);
  for (uint32_t i = 0; i < from->rows * from->cols; i++)
    to->data[i] = from->data[i];
}
static void activation_forward(Case *c) {
  copy(&c->x, &c->y);
  activation.apply(&c->y);
}
static void activation_backward(Case *c) {
  copy(&c->dy, &c->dx);
  activation.back(&c->y, &c->dx);
}
static void test_activation(gconstpointer data) {
  activation = *(const Activation *)data;
  Case *c = case_new(6, 7);
  for (uint32_t i = 0; i < 42; i++) /* ReLU has a kink at 0 */
    if (fabsf(c->x.data[i]) < 0.02F)
      c->x.data[i] = 0.5F;
  c->forward = activation_forward;
  c->backward = activation_backward;
  check(c);
}

static const uint32_t rows_of_steps[] = {3, 3, 2, 1};
static const PtSteps steps = {4, rows_of_steps};
static void gru_forward(Case *c) {
  pt_gru_forward(&c->gru, c->params->value, &steps, &c->x, c->h0.data ? &c->h0 : NULL, &c->aux,
                 &c->y);
}
static void gru_backward(Case *c) {
  pt_gru_backward(&c->gru, c->params->value, &steps, &c->x, c->h0.data ? &c->h0 : NULL, &c->aux,
                  &c->y, &c->dy, c->gradient, &c->dx, c->h0.data ? &c->dh0 : NULL);
}
static void test_gru(gconstpointer with_state) {
  Case *c = case_new(9, 3);
  c->gru = pt_gru_new(c->params, 3, 4, c->rng);
  if (with_state)
    fill(c->rng, &c->h0, 3, 4);
  c->forward = gru_forward;
  c->backward = gru_backward;
  check(c);
}

/* 0-1, 0-2, 1-2, 2-3, and 4 alone */
static const uint32_t start[] = {0, 2, 4, 7, 8, 8}, to[] = {1, 2, 0, 2, 0, 1, 3, 2};
static const PtNeighbours graph = {5, start, to};
static void sage_forward(Case *c) {
  pt_sage_forward(&c->sage, c->params->value, &graph, &c->x, &c->aux, &c->y);
}
static void sage_backward(Case *c) {
  pt_sage_backward(&c->sage, c->params->value, &graph, &c->x, &c->aux, &c->dy, c->gradient, &c->dx);
}
static void test_sage(void) {
  Case *c = case_new(5, 3);
  c->sage = pt_sage_new(c->params, 3, 4, c->rng);
  c->forward = sage_forward;
  c->backward = sage_backward;
  check(c);
}

static const uint32_t ids[] = {2, 0, 2, 1, 3};
static void embedding_forward(Case *c) {
  pt_embedding_forward(&c->embedding, c->params->value, ids, 5, &c->y);
}
static void embedding_backward(Case *c) {
  pt_embedding_backward(&c->embedding, ids, &c->dy, c->gradient);
}
static void test_embedding(void) {
  Case *c = case_new(0, 0);
  c->embedding = pt_embedding_new(c->params, 5, 3, c->rng);
  c->forward = embedding_forward;
  c->backward = embedding_backward;
  check(c);
}

static const uint32_t pools[] = {0, 3, 3, 5};
static void pool_forward(Case *c) {
  pt_mean_pool(&c->x, pools, 3, &c->y);
}
static void pool_backward(Case *c) {
  pt_mean_pool_backward(&c->dy, pools, 3, &c->dx);
}
static void test_pool(void) {
  Case *c = case_new(5, 3);
  c->forward = pool_forward;
  c->backward = pool_backward;
  check(c);
}

/* The losses: y is 1 x 1, and what they set is dx for a weight of 1. */
typedef enum { SQUARED, LOGISTIC, SOFTMAX } Loss;
static Loss loss;
static const float targets[] = {0, 1, 0.25F, 1, 0, 0, 1, 1, 0, 0.5F, 1, 0};
static const float weights[] = {1, 0, 2};
static double loss_of(Case *c, PtMatrix *dx) {
  return loss == SQUARED    ? pt_loss_squared(&c->x, targets, weights, dx)
         : loss == LOGISTIC ? pt_loss_logistic(&c->x, targets, weights, dx)
                            : pt_loss_softmax(&c->x, ids + 1, weights, dx);
}
static void loss_forward(Case *c) {
  pt_matrix_resize(&c->y, 1, 1);
  c->y.data[0] = (float)loss_of(c, NULL);
}
static void loss_backward(Case *c) {
  loss_of(c, &c->dx);
  for (uint32_t i = 0; i < 12; i++)
    c->dx.data[i] *= c->dy.data[0];
}
static void test_loss(gconstpointer which) {
  loss = (Loss)GPOINTER_TO_INT(which);
  Case *c = case_new(3, 4);
  c->forward = loss_forward;
  c->backward = loss_backward;
  check(c);
}

/* Logits far out neither overflow nor vanish. */
static void test_loss_extremes(void) {
  float far[] = {1000, -1000, 0}, target[] = {0, 1, 1};
  PtMatrix m = {1, 3, far, 0};
  const uint32_t class = 1;
  g_assert_cmpfloat_with_epsilon(pt_loss_logistic(&m, target, NULL, NULL), 2000 + G_LN2, 1e-9);
  g_assert_cmpfloat_with_epsilon(pt_loss_softmax(&m, &class, NULL, NULL), 2000, 1e-9);
}

int main(int argc, char **argv) {
  static const Activation relu = {pt_relu, pt_relu_backward};
  static const Activation sigmoid = {pt_sigmoid, pt_sigmoid_backward};
  static const Activation tanh_ = {pt_tanh, pt_tanh_backward};
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/nn/gradients/linear", test_linear);
  g_test_add_data_func("/nn/gradients/relu", &relu, test_activation);
  g_test_add_data_func("/nn/gradients/sigmoid", &sigmoid, test_activation);
  g_test_add_data_func("/nn/gradients/tanh", &tanh_, test_activation);
  g_test_add_data_func("/nn/gradients/gru", NULL, test_gru);
  g_test_add_data_func("/nn/gradients/gru-with-state", GINT_TO_POINTER(1), test_gru);
  g_test_add_func("/nn/gradients/sage", test_sage);
  g_test_add_func("/nn/gradients/embedding", test_embedding);
  g_test_add_func("/nn/gradients/mean-pool", test_pool);
  g_test_add_data_func("/nn/gradients/squared", GINT_TO_POINTER(SQUARED), test_loss);
  g_test_add_data_func("/nn/gradients/logistic", GINT_TO_POINTER(LOGISTIC), test_loss);
  g_test_add_data_func("/nn/gradients/softmax", GINT_TO_POINTER(SOFTMAX), test_loss);
  g_test_add_func("/nn/losses/extremes", test_loss_extremes);
  return g_test_run();
}
