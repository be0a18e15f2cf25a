/* matrix: sizes, views, products. */
#include "nn/nn.h"

#include <cblas.h>
#include <string.h>

void pt_matrix_resize(PtMatrix *m, uint32_t rows, uint32_t cols) {
  size_t size = pt_size_mul(rows, cols);
  if (size > m->room) {
    g_free(m->room ? m->data : NULL);
    m->data = g_new(float, size);
    m->room = size;
  }
  m->rows = rows;
  m->cols = cols;
  if (size > 0)
    memset(m->data, 0, size * sizeof(float));
}

void pt_matrix_clear(PtMatrix *m) {
  if (m->room)
    g_free(m->data);
  *m = (PtMatrix){0};
}

PtMatrix pt_matrix_rows(const PtMatrix *m, uint32_t from, uint32_t count) {
  return (PtMatrix){count, m->cols, pt_matrix_row(m, from), 0};
}

/* The library's own threads would change how sums are split, and so their last bits. */
static void one_thread(void) {
  static gsize done;
  if (g_once_init_enter(&done)) {
    openblas_set_num_threads(1);
    g_once_init_leave(&done, 1);
  }
}

void pt_matrix_multiply(const PtMatrix *a, bool transpose_a, const PtMatrix *b, bool transpose_b,
                        float keep, PtMatrix *c) {
  uint32_t m = transpose_a ? a->cols : a->rows, k = transpose_a ? a->rows : a->cols;
  uint32_t n = transpose_b ? b->rows : b->cols;
  g_return_if_fail(k == (transpose_b ? b->cols : b->rows) && c->rows == m && c->cols == n);
  if (m == 0 || n == 0)
    return;
  one_thread();
  cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
              transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1.0F,
              a->data, (blasint)MAX(a->cols, 1), b->data, (blasint)MAX(b->cols, 1), keep, c->data,
              (blasint)n);
}
