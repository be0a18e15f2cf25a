/* sage: GraphSAGE's convolution with the mean over neighbours. */
#include "nn/nn_private.h"

#include <math.h>
#include <string.h>

PtSage pt_sage_new(PtParams *params, uint32_t in, uint32_t out, PtRng *rng) {
  double bound = 1 / sqrt(MAX(in, 1));
  PtSage l = {.in = in, .out = out};
  l.self = pt_params_add(params, out, in, bound, rng);
  l.neigh = pt_params_add(params, out, in, bound, rng);
  l.b = pt_params_add(params, 1, out, bound, rng);
  return l;
}

void pt_sage_forward(const PtSage *l, const float *p, const PtNeighbours *graph, const PtMatrix *x,
                     PtMatrix *mean, PtMatrix *y) {
  PtMatrix self = pt_block(p, l->self, l->out, l->in);
  PtMatrix neigh = pt_block(p, l->neigh, l->out, l->in);
  pt_matrix_resize(mean, x->rows, x->cols);
  for (uint32_t i = 0; i < graph->n; i++) {
    float *to = pt_matrix_row(mean, i);
    float share = 1 / (float)MAX(graph->start[i + 1] - graph->start[i], 1);
    for (uint32_t e = graph->start[i]; e < graph->start[i + 1]; e++) {
      const float *from = pt_matrix_row(x, graph->to[e]);
      for (uint32_t j = 0; j < x->cols; j++)
        to[j] += share * from[j];
    }
  }
  pt_matrix_resize(y, x->rows, l->out);
  pt_rows_set(y, p + l->b);
  pt_matrix_multiply(x, false, &self, true, 1, y);
  pt_matrix_multiply(mean, false, &neigh, true, 1, y);
}

void pt_sage_backward(const PtSage *l, const float *p, const PtNeighbours *graph, const PtMatrix *x,
                      const PtMatrix *mean, const PtMatrix *dy, float *gradient, PtMatrix *dx) {
  PtMatrix self = pt_block(p, l->self, l->out, l->in);
  PtMatrix neigh = pt_block(p, l->neigh, l->out, l->in);
  PtMatrix dself = pt_block(gradient, l->self, l->out, l->in);
  PtMatrix dneigh = pt_block(gradient, l->neigh, l->out, l->in);
  pt_matrix_multiply(dy, true, x, false, 1, &dself);
  pt_matrix_multiply(dy, true, mean, false, 1, &dneigh);
  pt_rows_sum(dy, gradient + l->b);
  if (!dx)
    return;
  g_auto(PtMatrix) dmean = {0};
  pt_matrix_resize(&dmean, x->rows, l->in);
  pt_matrix_multiply(dy, false, &neigh, false, 0, &dmean);
  pt_matrix_resize(dx, x->rows, l->in);
  pt_matrix_multiply(dy, false, &self, false, 0, dx);
  for (uint32_t i = 0; i < graph->n; i++) {
    const float *from = pt_matrix_row(&dmean, i);
    float share = 1 / (float)MAX(graph->start[i + 1] - graph->start[i], 1);
    for (uint32_t e = graph->start[i]; e < graph->start[i + 1]; e++) {
      float *to = pt_matrix_row(dx, graph->to[e]);
      for (uint32_t j = 0; j < l->in; j++)
        to[j] += share * from[j];
    }
  }
}
