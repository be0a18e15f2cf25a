/* draw: graphs from the network, many at a time, row by row. */
#include "topology/graphrnn.h"

#include <math.h>
#include <string.h>

/* One graph as it grows. reach[a] has the nodes that paths from a lead to, a among them: an edge
 * that would close a cycle goes the other way. */
typedef struct Growing {
  PtRows *rows;
  PtRng *rng;
  uint64_t *reach; /* [n][words] */
  uint32_t words;
} Growing;

static uint64_t *reach_of(const Growing *g, uint32_t a) {
  return g->reach + (size_t)a * g->words;
}
static bool reaches(const Growing *g, uint32_t a, uint32_t b) {
  return reach_of(g, a)[b / 64] >> (b % 64) & 1;
}

static void connect(Growing *g, uint32_t from, uint32_t to, uint32_t newest) {
  for (uint32_t x = 0; x <= newest; x++)
    if (reaches(g, x, from))
      for (uint32_t w = 0; w < g->words; w++)
        reach_of(g, x)[w] |= reach_of(g, to)[w];
}

/* Symbol k of row i by its logits. A direction that is drawn against the odds makes a source or a
 * sink in the middle of a chain, and what follows cannot mend it: so given that there is an edge,
 * its direction is drawn with squared odds (docs/topology.md has the effect). */
static void choose(Growing *g, uint32_t i, uint32_t k, const float *logits) {
  double top = 0, odds[PT_N_SYMBOLS];
  for (int s = 0; s < PT_N_SYMBOLS; s++)
    top = s == 0 ? (double)logits[0] : MAX(top, (double)logits[s]);
  for (int s = 0; s < PT_N_SYMBOLS; s++)
    odds[s] = exp((double)logits[s] - top);
  double edge = odds[PT_EDGE_FORWARD] + odds[PT_EDGE_BACKWARD];
  double forward = odds[PT_EDGE_FORWARD] * odds[PT_EDGE_FORWARD];
  double backward = odds[PT_EDGE_BACKWARD] * odds[PT_EDGE_BACKWARD];
  if (edge > 0 && forward + backward > 0) {
    odds[PT_EDGE_FORWARD] = edge * forward / (forward + backward);
    odds[PT_EDGE_BACKWARD] = edge * backward / (forward + backward);
  }
  size_t symbol = pt_rng_weighted(g->rng, odds, PT_N_SYMBOLS);
  uint32_t j = i - 1 - k;
  if (symbol == PT_EDGE_FORWARD && reaches(g, i, j))
    symbol = PT_EDGE_BACKWARD;
  else if (symbol == PT_EDGE_BACKWARD && reaches(g, j, i))
    symbol = PT_EDGE_FORWARD;
  pt_rows_at(g->rows, i)[k] = (uint8_t)symbol;
  if (symbol != PT_EDGE_NONE)
    connect(g, symbol == PT_EDGE_FORWARD ? j : i, symbol == PT_EDGE_FORWARD ? i : j, i);
}

/* Row i of the first `count` graphs, whose states over nodes are h. */
static void draw_row(const PtGraphRnn *net, Growing *graphs, uint32_t count, uint32_t i,
                     const PtMatrix *h) {
  const float *p = net->params->value;
  g_auto(PtMatrix) even = {0}, odd = {0}, x = {0}, logits = {0};
  PtMatrix *const state[2] = {&even, &odd};
  pt_linear_forward(&net->begin, p, h, &even);
  for (uint32_t k = 0; k < net->shape.look_back && k < i; k++) {
    pt_matrix_resize(&x, count, PT_EDGE_IN);
    for (uint32_t g = 0; g < count; g++)
      pt_edge_input(graphs[g].rows, i, k, pt_matrix_row(&x, g));
    pt_gru_cell(&net->edges, p, &x, state[k % 2], NULL, state[(k + 1) % 2]);
    pt_linear_forward(&net->out, p, state[(k + 1) % 2], &logits);
    for (uint32_t g = 0; g < count; g++)
      choose(&graphs[g], i, k, pt_matrix_row(&logits, g));
  }
  for (uint32_t g = 0; g < count; g++)
    pt_rows_count(graphs[g].rows, i, 1);
}

static int larger_first(const void *a, const void *b, void *unused) {
  (void)unused;
  uint32_t x = ((const Growing *)a)->rows->n, y = ((const Growing *)b)->rows->n;
  return x > y ? -1 : x < y;
}

void pt_graphrnn_draw(const PtGraphRnn *net, const uint32_t *sizes, uint32_t count,
                      const PtSeed *seed, PtRows **out) {
  const float *p = net->params->value;
  g_autofree Growing *graphs = g_new0(Growing, count + 1);
  for (uint32_t g = 0; g < count; g++) {
    uint32_t n = sizes[g], words = n / 64 + 1;
    graphs[g] = (Growing){pt_rows_new(n, net->shape.look_back), pt_rng_new(seed, "graph", g),
                          g_new0(uint64_t, (size_t)n * words), words};
    for (uint32_t i = 0; i < n; i++)
      reach_of(&graphs[g], i)[i / 64] |= UINT64_C(1) << (i % 64);
    out[g] = graphs[g].rows;
  }
  g_qsort_with_data(graphs, (gint)count, sizeof *graphs, larger_first, NULL);
  g_auto(PtMatrix) even = {0}, odd = {0}, x = {0}, e = {0};
  PtMatrix *const h[2] = {&even, &odd};
  pt_matrix_resize(&even, count, net->shape.nodes);
  uint32_t left = count;
  for (uint32_t i = 1; left > 0; i++) {
    while (left > 0 && graphs[left - 1].rows->n <= i)
      left--;
    pt_matrix_resize(&x, left, net->embed.in);
    for (uint32_t g = 0; g < left; g++)
      pt_row_input(graphs[g].rows, i - 1, pt_matrix_row(&x, g));
    pt_linear_forward(&net->embed, p, &x, &e);
    pt_relu(&e);
    PtMatrix before = pt_matrix_rows(h[(i - 1) % 2], 0, left);
    pt_gru_cell(&net->nodes, p, &e, &before, NULL, h[i % 2]);
    if (left > 0)
      draw_row(net, graphs, left, i, h[i % 2]);
  }
  for (uint32_t g = 0; g < count; g++) {
    pt_rng_free(graphs[g].rng);
    g_free(graphs[g].reach);
  }
}
