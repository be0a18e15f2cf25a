/* What the layers share. */
#ifndef PT_NN_PRIVATE_H
#define PT_NN_PRIVATE_H

#include "nn/nn.h"

/* A block of the parameters (or of a gradient) as a matrix. Nothing is written through the first.
 */
static inline PtMatrix pt_block(const float *p, size_t at, uint32_t rows, uint32_t cols) {
  return (PtMatrix){rows, cols, (float *)(uintptr_t)(p + at), 0};
}
/* y's rows are set to the bias b [y->cols]. */
void pt_rows_set(PtMatrix *y, const float *b);
/* gradient [dy->cols] += sum of dy's rows. */
void pt_rows_sum(const PtMatrix *dy, float *gradient);
/* In place. */
void pt_tanh_row(float *x, size_t n);
void pt_sigmoid_row(float *x, size_t n);

#endif
