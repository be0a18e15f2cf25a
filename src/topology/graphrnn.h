/* graphrnn: the network of You et al. (2018) and what it reads. Private to the room.
 * A graph is a sequence of rows, one a node in breadth-first order; row i says for each of the
 * look_back nodes before i, nearest first, whether there is an edge and which way it goes. A GRU
 * over nodes gives the state from which a GRU over edges reads off a row. Two steps beyond the
 * paper: edges have directions (the undirected graph is there for who ignores them), and the number
 * of nodes is an input, so that a pool can be drawn at the sizes that Alg. 1's window allows. */
#ifndef PT_GRAPHRNN_H
#define PT_GRAPHRNN_H

#include "nn/nn.h"
#include "topology/topology_private.h"

typedef enum { PT_EDGE_NONE, PT_EDGE_FORWARD, PT_EDGE_BACKWARD, PT_N_SYMBOLS } PtSymbol;

/* A graph as rows. */
typedef struct PtRows {
  uint32_t n, look_back;
  uint8_t *symbol;  /* [n][look_back] of PtSymbol: [i][k] is the edge between i and i - 1 - k,
                       FORWARD from the earlier to the later */
  uint16_t *degree; /* [n][2] edges in and out so far, by the rows that were counted */
} PtRows;
PtRows *pt_rows_new(uint32_t n, uint32_t look_back);
void pt_rows_free(PtRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtRows, pt_rows_free)
static inline uint8_t *pt_rows_at(const PtRows *r, uint32_t i) {
  return r->symbol + (size_t)i * r->look_back;
}
/* order[n]: breadth-first from a random source of the DAG, neighbours in random order; further
 * components follow. */
void pt_breadth_first(const PtTopology *t, const PtAdjacency *a, PtRng *rng, uint32_t *order);
/* In that order; edges that reach further back are left out. */
PtRows *pt_rows_of(const PtTopology *t, PtRng *rng, uint32_t look_back);
/* The look-back that holds all but one in a thousand of the edges, over a few orders a graph. */
uint32_t pt_look_back(const GPtrArray *topologies, PtRng *rng);
/* The DAG that the directions give; they must be without a cycle. */
PtTopology *pt_rows_directed(const PtRows *rows);
/* The undirected graph, each edge from the earlier row. */
PtTopology *pt_rows_undirected(const PtRows *rows);

typedef struct PtRnnShape {
  uint32_t look_back;
  uint32_t embedding, nodes, edges; /* widths: of an embedded row, of the two GRUs' states */
} PtRnnShape;

typedef struct PtGraphRnn {
  PtRnnShape shape;
  PtParams *params;
  PtLinear embed; /* a row and the place -> embedding, ReLU */
  PtGru nodes;
  PtLinear begin; /* a node's state -> the first state of its row */
  PtGru edges;
  PtLinear out; /* -> logits [PT_N_SYMBOLS] */
} PtGraphRnn;
PtGraphRnn *pt_graphrnn_new(const PtRnnShape *shape, PtRng *rng);
void pt_graphrnn_free(PtGraphRnn *net);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtGraphRnn, pt_graphrnn_free)

/* Summed cross-entropy of the rows under teacher forcing; its gradient is added, unless NULL.
 * *cells: symbols predicted, added. */
double pt_graphrnn_loss(const PtGraphRnn *net, PtRows *const *graphs, uint32_t count,
                        float *gradient, uint64_t *cells);
/* Draws a graph of sizes[i] >= 1 nodes for each i, from streams of `seed`; acyclic. */
void pt_graphrnn_draw(const PtGraphRnn *net, const uint32_t *sizes, uint32_t count,
                      const PtSeed *seed, PtRows **out);

/* What the GRU over nodes is told of row i: the row and how far the graph is. */
enum { PT_PLACE = 3 };
void pt_row_input(const PtRows *rows, uint32_t i, float *out); /* [2 look_back + PT_PLACE] */
/* What the GRU over edges is told before symbol k of row i: the symbol before it, and how many
 * edges the node in question has so far (without which it would have to remember all of them). */
enum { PT_EDGE_IN = 6 };
void pt_edge_input(const PtRows *rows, uint32_t i, uint32_t k, float *out); /* [PT_EDGE_IN] */
/* Row i's edges into the degrees (by 1), or out of them (by -1). */
void pt_rows_count(PtRows *rows, uint32_t i, int by);

#endif
