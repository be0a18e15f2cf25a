/* graphrnn: the network, its loss and its gradient. */
#include "topology/graphrnn.h"

#include <string.h>

PtGraphRnn *pt_graphrnn_new(const PtRnnShape *shape, PtRng *rng) {
  PtGraphRnn *net = g_new0(PtGraphRnn, 1);
  net->shape = *shape;
  net->params = pt_params_new();
  net->embed = pt_linear_new(net->params, 2 * shape->look_back + PT_PLACE, shape->embedding, rng);
  net->nodes = pt_gru_new(net->params, shape->embedding, shape->nodes, rng);
  net->begin = pt_linear_new(net->params, shape->nodes, shape->edges, rng);
  net->edges = pt_gru_new(net->params, PT_EDGE_IN, shape->edges, rng);
  net->out = pt_linear_new(net->params, shape->edges, PT_N_SYMBOLS, rng);
  return net;
}

void pt_graphrnn_free(PtGraphRnn *net) {
  if (!net)
    return;
  pt_params_free(net->params);
  g_free(net);
}

/* ---- a batch: how rows of graphs lie in matrices ----------------------------------------------
 */
typedef struct Batch {
  PtRows **graphs; /* [count] largest first */
  uint32_t count, rows;
  /* Over nodes: step t predicts row t + 1 of the graphs that have one. */
  uint32_t *node_rows; /* [steps] */
  PtSteps node_steps;
  uint32_t *node_at; /* [steps + 1] first row of a step */
  /* Over edges: its rows are those of the nodes from the last step to the first, as later rows are
   * longer. */
  uint32_t *edge_rows; /* [look_back] */
  PtSteps edge_steps;
  uint32_t cells;
} Batch;

static int larger_first(const void *a, const void *b, void *unused) {
  (void)unused;
  uint32_t x = (*(PtRows *const *)a)->n, y = (*(PtRows *const *)b)->n;
  return x > y ? -1 : x < y;
}

static void batch_clear(Batch *b) {
  g_free(b->graphs);
  g_free(b->node_rows);
  g_free(b->node_at);
  g_free(b->edge_rows);
}

static void batch_init(Batch *b, PtRows *const *graphs, uint32_t count, uint32_t look_back) {
  b->graphs = g_memdup2(graphs, count * sizeof *graphs);
  b->count = count;
  g_qsort_with_data(b->graphs, (gint)count, sizeof *graphs, larger_first, NULL);
  uint32_t steps = count > 0 ? MAX(b->graphs[0]->n, 1) - 1 : 0;
  b->node_rows = g_new0(uint32_t, steps + 1);
  b->node_at = g_new0(uint32_t, steps + 1);
  b->edge_rows = g_new0(uint32_t, look_back + 1);
  for (uint32_t t = 0; t < steps; t++) {
    while (b->node_rows[t] < count && b->graphs[b->node_rows[t]]->n > t + 1)
      b->node_rows[t]++;
    b->node_at[t + 1] = b->node_at[t] + b->node_rows[t];
    for (uint32_t k = 0; k < look_back && k <= t; k++)
      b->edge_rows[k] += b->node_rows[t];
  }
  b->rows = b->node_at[steps];
  b->node_steps = (PtSteps){steps, b->node_rows};
  b->edge_steps = (PtSteps){MIN(steps, look_back), b->edge_rows};
  for (uint32_t k = 0; k < b->edge_steps.count; k++)
    b->cells += b->edge_rows[k];
}

static void node_inputs(const Batch *b, PtMatrix *x, uint32_t cols) {
  pt_matrix_resize(x, b->rows, cols);
  for (uint32_t t = 0; t < b->node_steps.count; t++)
    for (uint32_t g = 0; g < b->node_rows[t]; g++)
      pt_row_input(b->graphs[g], t, pt_matrix_row(x, b->node_at[t] + g));
}

/* Rows of the nodes in the order of the edges' batch, and back. */
static void reorder(const Batch *b, const PtMatrix *from, bool back, PtMatrix *to) {
  uint32_t at = 0;
  pt_matrix_resize(to, from->rows, from->cols);
  for (uint32_t t = b->node_steps.count; t-- > 0; at += b->node_rows[t])
    memcpy(pt_matrix_row(to, back ? b->node_at[t] : at),
           pt_matrix_row(from, back ? at : b->node_at[t]),
           (size_t)b->node_rows[t] * from->cols * sizeof(float));
}

/* x [cells][PT_EDGE_IN] and what is to be predicted. Rows are taken from the last to the first, and
 * their edges from the degrees with them. */
static void edge_inputs(const Batch *b, uint32_t look_back, PtMatrix *x, uint32_t *symbols) {
  g_autofree uint32_t *at = g_new0(uint32_t, look_back + 1);
  pt_matrix_resize(x, b->cells, PT_EDGE_IN);
  for (uint32_t k = 1; k < b->edge_steps.count; k++)
    at[k] = at[k - 1] + b->edge_rows[k - 1];
  for (uint32_t g = 0; g < b->count; g++)
    for (uint32_t i = 0; i < b->graphs[g]->n; i++)
      pt_rows_count(b->graphs[g], i, 1);
  for (uint32_t t = b->node_steps.count; t-- > 0;)
    for (uint32_t g = 0; g < b->node_rows[t]; g++) {
      PtRows *rows = b->graphs[g];
      pt_rows_count(rows, t + 1, -1);
      for (uint32_t k = 0; k < look_back && k <= t; k++) {
        pt_edge_input(rows, t + 1, k, pt_matrix_row(x, at[k]));
        symbols[at[k]++] = pt_rows_at(rows, t + 1)[k];
      }
    }
}

/* ---- loss -------------------------------------------------------------------------------------
 */
typedef struct Run {
  PtMatrix x, e, node_gates, y, h0, begun, edge_x, edge_gates, edge_y, logits; /* forward */
  PtMatrix dlogits, dedge_y, dbegun, dh0, dy, de;                              /* backward */
} Run;

static void run_clear(Run *r) {
  PtMatrix *all = (PtMatrix *)r;
  for (size_t i = 0; i < sizeof *r / sizeof *all; i++)
    pt_matrix_clear(&all[i]);
}

static void forward(const PtGraphRnn *net, const Batch *b, Run *r) {
  const float *p = net->params->value;
  pt_linear_forward(&net->embed, p, &r->x, &r->e);
  pt_relu(&r->e);
  pt_gru_forward(&net->nodes, p, &b->node_steps, &r->e, NULL, &r->node_gates, &r->y);
  reorder(b, &r->y, false, &r->h0);
  pt_linear_forward(&net->begin, p, &r->h0, &r->begun);
  pt_gru_forward(&net->edges, p, &b->edge_steps, &r->edge_x, &r->begun, &r->edge_gates, &r->edge_y);
  pt_linear_forward(&net->out, p, &r->edge_y, &r->logits);
}

static void backward(const PtGraphRnn *net, const Batch *b, Run *r, float *gradient) {
  const float *p = net->params->value;
  pt_linear_backward(&net->out, p, &r->edge_y, &r->dlogits, gradient, &r->dedge_y);
  pt_gru_backward(&net->edges, p, &b->edge_steps, &r->edge_x, &r->begun, &r->edge_gates, &r->edge_y,
                  &r->dedge_y, gradient, NULL, &r->dbegun);
  pt_linear_backward(&net->begin, p, &r->h0, &r->dbegun, gradient, &r->dh0);
  reorder(b, &r->dh0, true, &r->dy);
  pt_gru_backward(&net->nodes, p, &b->node_steps, &r->e, NULL, &r->node_gates, &r->y, &r->dy,
                  gradient, &r->de, NULL);
  pt_relu_backward(&r->e, &r->de);
  pt_linear_backward(&net->embed, p, &r->x, &r->de, gradient, NULL);
}

double pt_graphrnn_loss(const PtGraphRnn *net, PtRows *const *graphs, uint32_t count,
                        float *gradient, uint64_t *cells) {
  Batch b = {0};
  Run r = {0};
  double loss = 0;
  batch_init(&b, graphs, count, net->shape.look_back);
  if (b.cells > 0) {
    g_autofree uint32_t *symbols = g_new(uint32_t, b.cells);
    node_inputs(&b, &r.x, net->embed.in);
    edge_inputs(&b, net->shape.look_back, &r.edge_x, symbols);
    forward(net, &b, &r);
    loss = pt_loss_softmax(&r.logits, symbols, NULL, gradient ? &r.dlogits : NULL);
    if (gradient)
      backward(net, &b, &r, gradient);
    *cells += b.cells;
  }
  run_clear(&r);
  batch_clear(&b);
  return loss;
}
