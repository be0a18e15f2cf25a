/* loss: sums and their gradients; the sums in double, as batches are long. */
#include "nn/nn.h"

#include <math.h>

static float weight_of(const float *weight, uint32_t row) {
  return weight ? weight[row] : 1;
}

double pt_loss_squared(const PtMatrix *y, const float *target, const float *weight, PtMatrix *dy) {
  double sum = 0;
  if (dy)
    pt_matrix_resize(dy, y->rows, y->cols);
  for (uint32_t i = 0; i < y->rows; i++) {
    float w = weight_of(weight, i);
    for (uint32_t j = 0; j < y->cols; j++) {
      size_t k = (size_t)i * y->cols + j;
      float d = y->data[k] - target[k];
      sum += (double)w * (double)d * (double)d;
      if (dy)
        dy->data[k] = 2 * w * d;
    }
  }
  return sum;
}

double pt_loss_logistic(const PtMatrix *logits, const float *target, const float *weight,
                        PtMatrix *dlogits) {
  double sum = 0;
  if (dlogits)
    pt_matrix_resize(dlogits, logits->rows, logits->cols);
  for (uint32_t i = 0; i < logits->rows; i++) {
    float w = weight_of(weight, i);
    for (uint32_t j = 0; j < logits->cols; j++) {
      size_t k = (size_t)i * logits->cols + j;
      double x = (double)logits->data[k], t = (double)target[k];
      /* log(1 + e^x) - t x without overflow */
      sum += (double)w * (MAX(x, 0) + log1p(exp(-fabs(x))) - t * x);
      if (dlogits)
        dlogits->data[k] = (float)((double)w * (1 / (1 + exp(-x)) - t));
    }
  }
  return sum;
}

double pt_loss_softmax(const PtMatrix *logits, const uint32_t *class, const float *weight,
                       PtMatrix *dlogits) {
  double sum = 0;
  if (dlogits)
    pt_matrix_resize(dlogits, logits->rows, logits->cols);
  for (uint32_t i = 0; i < logits->rows; i++) {
    const float *x = pt_matrix_row(logits, i);
    double w = (double)weight_of(weight, i), top = (double)x[0], total = 0;
    for (uint32_t j = 1; j < logits->cols; j++)
      top = MAX(top, (double)x[j]);
    for (uint32_t j = 0; j < logits->cols; j++)
      total += exp((double)x[j] - top);
    sum += w * (top + log(total) - (double)x[class[i]]);
    for (uint32_t j = 0; dlogits && j < logits->cols; j++)
      pt_matrix_row(dlogits, i)[j] =
          (float)(w * (exp((double)x[j] - top) / total - (j == class[i] ? 1 : 0)));
  }
  return sum;
}
