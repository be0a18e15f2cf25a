/* gru: the gated recurrent unit, a step and whole sequences. */
#include "nn/nn_private.h"

#include <math.h>
#include <string.h>

PtGru pt_gru_new(PtParams *params, uint32_t in, uint32_t hidden, PtRng *rng) {
  double bound = 1 / sqrt(MAX(hidden, 1));
  PtGru l = {.in = in, .hidden = hidden};
  l.w = pt_params_add(params, 3 * hidden, in, bound, rng);
  l.u = pt_params_add(params, 3 * hidden, hidden, bound, rng);
  l.b = pt_params_add(params, 1, 3 * hidden, bound, rng);
  l.c = pt_params_add(params, 1, 3 * hidden, bound, rng);
  return l;
}

/* a [3H] = W x + b, u [3H] = U h + c, g [4H]: r, z, n, u's last third. */
static void step_row(uint32_t H, const float *restrict a, const float *restrict u,
                     const float *restrict old, float *restrict g, float *restrict out) {
  for (uint32_t j = 0; j < 2 * H; j++)
    g[j] = a[j] + u[j];
  pt_sigmoid_row(g, 2 * (size_t)H);
  const size_t h = H;
  float *restrict r = g, *restrict z = g + h, *restrict n = g + 2 * h;
  for (uint32_t j = 0; j < H; j++)
    n[j] = a[2 * H + j] + r[j] * u[2 * H + j];
  pt_tanh_row(n, H);
  memcpy(g + 3 * h, u + 2 * h, h * sizeof(float));
  for (uint32_t j = 0; j < H; j++)
    out[j] = n[j] + z[j] * (old[j] - n[j]);
}

/* from_x [n][3h] = W x + b is given; gates [n][4h] (r, z, n, U_n h + c_n) or NULL. */
static void step(const PtGru *l, const float *p, const PtMatrix *from_x, const PtMatrix *h,
                 PtMatrix *from_h, PtMatrix *gates, PtMatrix *next) {
  uint32_t H = l->hidden;
  PtMatrix u = pt_block(p, l->u, 3 * H, H);
  g_autofree float *scratch = gates ? NULL : g_new(float, 4 * (size_t)H);
  pt_matrix_resize(from_h, h->rows, 3 * H);
  pt_rows_set(from_h, p + l->c);
  pt_matrix_multiply(h, false, &u, true, 1, from_h);
  for (uint32_t i = 0; i < h->rows; i++)
    step_row(H, pt_matrix_row(from_x, i), pt_matrix_row(from_h, i), pt_matrix_row(h, i),
             gates ? pt_matrix_row(gates, i) : scratch, pt_matrix_row(next, i));
}

static void apply_input(const PtGru *l, const float *p, const PtMatrix *x, PtMatrix *from_x) {
  PtMatrix w = pt_block(p, l->w, 3 * l->hidden, l->in);
  pt_matrix_resize(from_x, x->rows, 3 * l->hidden);
  pt_rows_set(from_x, p + l->b);
  pt_matrix_multiply(x, false, &w, true, 1, from_x);
}

void pt_gru_cell(const PtGru *l, const float *p, const PtMatrix *x, const PtMatrix *h,
                 PtMatrix *gates, PtMatrix *next) {
  g_auto(PtMatrix) from_x = {0}, from_h = {0};
  apply_input(l, p, x, &from_x);
  if (gates)
    pt_matrix_resize(gates, x->rows, 4 * l->hidden);
  pt_matrix_resize(next, x->rows, l->hidden);
  step(l, p, &from_x, h, &from_h, gates, next);
}

void pt_gru_forward(const PtGru *l, const float *p, const PtSteps *steps, const PtMatrix *x,
                    const PtMatrix *h0, PtMatrix *gates, PtMatrix *y) {
  g_auto(PtMatrix) from_x = {0}, from_h = {0}, zero = {0};
  apply_input(l, p, x, &from_x);
  pt_matrix_resize(gates, x->rows, 4 * l->hidden);
  pt_matrix_resize(y, x->rows, l->hidden);
  if (!h0 && steps->count > 0)
    pt_matrix_resize(&zero, steps->rows[0], l->hidden);
  uint32_t at = 0, last = 0;
  for (uint32_t t = 0; t < steps->count; t++) {
    uint32_t n = steps->rows[t];
    PtMatrix h = t > 0 ? pt_matrix_rows(y, last, n) : pt_matrix_rows(h0 ? h0 : &zero, 0, n);
    PtMatrix a = pt_matrix_rows(&from_x, at, n), g = pt_matrix_rows(gates, at, n);
    PtMatrix next = pt_matrix_rows(y, at, n);
    step(l, p, &a, &h, &from_h, &g, &next);
    last = at;
    at += n;
  }
}

/* Of one step: dh' into the gradients at the sums W x + b (da) and U h + c (db), and dh' z into dh.
 */
static void step_backward(uint32_t H, const PtMatrix *h, const PtMatrix *gates, const PtMatrix *dy,
                          PtMatrix *da, PtMatrix *db, PtMatrix *dh) {
  for (uint32_t i = 0; i < dy->rows; i++) {
    const float *g = pt_matrix_row(gates, i), *d = pt_matrix_row(dy, i), *old = pt_matrix_row(h, i);
    float *a = pt_matrix_row(da, i), *b = pt_matrix_row(db, i), *to = pt_matrix_row(dh, i);
    for (uint32_t j = 0; j < H; j++) {
      float r = g[j], z = g[H + j], n = g[2 * H + j], un = g[3 * H + j];
      float dn = d[j] * (1 - z) * (1 - n * n);
      a[j] = b[j] = dn * un * r * (1 - r);
      a[H + j] = b[H + j] = d[j] * (old[j] - n) * z * (1 - z);
      a[2 * H + j] = dn;
      b[2 * H + j] = dn * r;
      to[j] = d[j] * z;
    }
  }
}

/* before [all rows][hidden]: the state that each step started from. */
static void states_before(const PtSteps *steps, const PtMatrix *h0, const PtMatrix *y,
                          PtMatrix *before) {
  pt_matrix_resize(before, y->rows, y->cols);
  uint32_t at = 0, last = 0;
  for (uint32_t t = 0; t < steps->count; t++) {
    uint32_t n = steps->rows[t];
    const float *from = t > 0 ? pt_matrix_row(y, last) : h0 ? h0->data : NULL;
    if (from && n > 0)
      memcpy(pt_matrix_row(before, at), from, (size_t)n * y->cols * sizeof(float));
    last = at;
    at += n;
  }
}

/* d [rows][hidden] of step t = dy there + what the next step handed back to its first rows. */
static void gather(const PtMatrix *dy, uint32_t at, uint32_t n, const PtMatrix *back, PtMatrix *d) {
  pt_matrix_resize(d, n, dy->cols);
  memcpy(d->data, pt_matrix_row(dy, at), (size_t)n * dy->cols * sizeof(float));
  for (size_t i = 0, end = (size_t)back->rows * back->cols; i < end; i++)
    d->data[i] += back->data[i];
}

void pt_gru_backward(const PtGru *l, const float *p, const PtSteps *steps, const PtMatrix *x,
                     const PtMatrix *h0, const PtMatrix *gates, const PtMatrix *y,
                     const PtMatrix *dy, float *gradient, PtMatrix *dx, PtMatrix *dh0) {
  uint32_t H = l->hidden, at = x->rows;
  PtMatrix w = pt_block(p, l->w, 3 * H, l->in), u = pt_block(p, l->u, 3 * H, H);
  g_auto(PtMatrix) before = {0}, da = {0}, db = {0}, d = {0}, back = {0};
  states_before(steps, h0, y, &before);
  pt_matrix_resize(&da, x->rows, 3 * H);
  pt_matrix_resize(&db, x->rows, 3 * H);
  for (uint32_t t = steps->count; t-- > 0;) {
    uint32_t n = steps->rows[t];
    at -= n;
    PtMatrix h = pt_matrix_rows(&before, at, n), g = pt_matrix_rows(gates, at, n);
    PtMatrix a = pt_matrix_rows(&da, at, n), b = pt_matrix_rows(&db, at, n);
    gather(dy, at, n, &back, &d);
    pt_matrix_resize(&back, n, H);
    step_backward(H, &h, &g, &d, &a, &b, &back);
    pt_matrix_multiply(&b, false, &u, false, 1, &back);
  }
  PtMatrix dw = pt_block(gradient, l->w, 3 * H, l->in), du = pt_block(gradient, l->u, 3 * H, H);
  pt_matrix_multiply(&da, true, x, false, 1, &dw);
  pt_matrix_multiply(&db, true, &before, false, 1, &du);
  pt_rows_sum(&da, gradient + l->b);
  pt_rows_sum(&db, gradient + l->c);
  if (dx) {
    pt_matrix_resize(dx, x->rows, l->in);
    pt_matrix_multiply(&da, false, &w, false, 0, dx);
  }
  if (dh0) {
    pt_matrix_resize(dh0, back.rows, H);
    if (back.rows > 0)
      memcpy(dh0->data, back.data, (size_t)back.rows * H * sizeof(float));
  }
}
