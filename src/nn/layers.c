/* layers: linear, activations, embedding, mean over a graph's nodes. */
#include "nn/nn_private.h"

#include <math.h>
#include <string.h>

void pt_rows_set(PtMatrix *y, const float *b) {
  for (uint32_t i = 0; i < y->rows; i++)
    memcpy(pt_matrix_row(y, i), b, y->cols * sizeof(float));
}

void pt_rows_sum(const PtMatrix *dy, float *gradient) {
  for (uint32_t i = 0; i < dy->rows; i++) {
    const float *row = pt_matrix_row(dy, i);
    for (uint32_t j = 0; j < dy->cols; j++)
      gradient[j] += row[j];
  }
}

PtLinear pt_linear_new(PtParams *params, uint32_t in, uint32_t out, PtRng *rng) {
  double bound = 1 / sqrt(MAX(in, 1));
  PtLinear l = {.in = in, .out = out};
  l.w = pt_params_add(params, out, in, bound, rng);
  l.b = pt_params_add(params, 1, out, bound, rng);
  return l;
}

void pt_linear_forward(const PtLinear *l, const float *p, const PtMatrix *x, PtMatrix *y) {
  PtMatrix w = pt_block(p, l->w, l->out, l->in);
  pt_matrix_resize(y, x->rows, l->out);
  pt_rows_set(y, p + l->b);
  pt_matrix_multiply(x, false, &w, true, 1, y);
}

void pt_linear_backward(const PtLinear *l, const float *p, const PtMatrix *x, const PtMatrix *dy,
                        float *gradient, PtMatrix *dx) {
  PtMatrix w = pt_block(p, l->w, l->out, l->in), dw = pt_block(gradient, l->w, l->out, l->in);
  pt_matrix_multiply(dy, true, x, false, 1, &dw);
  pt_rows_sum(dy, gradient + l->b);
  if (!dx)
    return;
  pt_matrix_resize(dx, x->rows, l->in);
  pt_matrix_multiply(dy, false, &w, false, 0, dx);
}

#define FOR_ALL(m, i) for (size_t i = 0, end_ = (size_t)(m)->rows * (m)->cols; i < end_; i++)

void pt_relu(PtMatrix *y) {
  FOR_ALL(y, i) y->data[i] = y->data[i] > 0 ? y->data[i] : 0;
}
void pt_relu_backward(const PtMatrix *y, PtMatrix *dy) {
  FOR_ALL(y, i) dy->data[i] = y->data[i] > 0 ? dy->data[i] : 0;
}
void pt_sigmoid(PtMatrix *y) {
  pt_sigmoid_row(y->data, (size_t)y->rows * y->cols);
}
void pt_sigmoid_backward(const PtMatrix *y, PtMatrix *dy) {
  FOR_ALL(y, i) dy->data[i] *= y->data[i] * (1 - y->data[i]);
}
void pt_tanh(PtMatrix *y) {
  pt_tanh_row(y->data, (size_t)y->rows * y->cols);
}
void pt_tanh_backward(const PtMatrix *y, PtMatrix *dy) {
  FOR_ALL(y, i) dy->data[i] *= 1 - y->data[i] * y->data[i];
}

PtEmbedding pt_embedding_new(PtParams *params, uint32_t count, uint32_t dim, PtRng *rng) {
  PtEmbedding l = {.count = count, .dim = dim};
  l.table = pt_params_add(params, count, dim, 0, NULL);
  for (size_t i = l.table; i < params->size; i++)
    params->value[i] = (float)pt_rng_normal(rng);
  return l;
}

void pt_embedding_forward(const PtEmbedding *l, const float *p, const uint32_t *ids, uint32_t n,
                          PtMatrix *y) {
  pt_matrix_resize(y, n, l->dim);
  for (uint32_t i = 0; i < n; i++)
    memcpy(pt_matrix_row(y, i), p + l->table + (size_t)ids[i] * l->dim, l->dim * sizeof(float));
}

void pt_embedding_backward(const PtEmbedding *l, const uint32_t *ids, const PtMatrix *dy,
                           float *gradient) {
  for (uint32_t i = 0; i < dy->rows; i++) {
    const float *row = pt_matrix_row(dy, i);
    float *to = gradient + l->table + (size_t)ids[i] * l->dim;
    for (uint32_t j = 0; j < l->dim; j++)
      to[j] += row[j];
  }
}

void pt_mean_pool(const PtMatrix *x, const uint32_t *start, uint32_t graphs, PtMatrix *y) {
  pt_matrix_resize(y, graphs, x->cols);
  for (uint32_t g = 0; g < graphs; g++) {
    float share = 1 / (float)MAX(start[g + 1] - start[g], 1), *to = pt_matrix_row(y, g);
    for (uint32_t i = start[g]; i < start[g + 1]; i++)
      for (uint32_t j = 0; j < x->cols; j++)
        to[j] += share * pt_matrix_row(x, i)[j];
  }
}

void pt_mean_pool_backward(const PtMatrix *dy, const uint32_t *start, uint32_t graphs,
                           PtMatrix *dx) {
  pt_matrix_resize(dx, start[graphs], dy->cols);
  for (uint32_t g = 0; g < graphs; g++) {
    float share = 1 / (float)MAX(start[g + 1] - start[g], 1);
    const float *from = pt_matrix_row(dy, g);
    for (uint32_t i = start[g]; i < start[g + 1]; i++)
      for (uint32_t j = 0; j < dy->cols; j++)
        pt_matrix_row(dx, i)[j] = share * from[j];
  }
}
