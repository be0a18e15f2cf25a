/* topology: the shapes of pieces, without their operators (paper 4.1.2, "Topology Selection").
 * In: pieces (graphs) to learn from, a real piece to hide.  Out: their features; a GraphRNN trained
 * on them (data/topology.bin, hostile input when read); directed acyclic graphs whose features lie
 * around a real piece's, with room for its interface (Alg. 1, Alg. 3).
 * Never touches: what an operator is, types of values, ONNX. */
#ifndef PT_TOPOLOGY_H
#define PT_TOPOLOGY_H

#include "graph/graph.h"

#define PT_TOPOLOGY_ERROR (pt_topology_error_quark())
GQuark pt_topology_error_quark(void);

/* ---- topologies ------------------------------------------------------------------------------ */
typedef struct PtEdge {
  uint32_t from, to;
} PtEdge;
/* A DAG in topological numbering. Read as undirected where a feature or GraphRNN asks for it. */
typedef struct PtTopology {
  uint32_t n;    /* nodes, numbered 0..n-1 */
  GArray *edges; /* PtEdge, from < to < n, sorted by (from, to), unique */
} PtTopology;
PtTopology *pt_topology_new(uint32_t n);
PtTopology *pt_topology_copy(const PtTopology *topology);
void pt_topology_free(PtTopology *topology);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtTopology, pt_topology_free)
static inline PtEdge pt_topology_edge(const PtTopology *t, uint32_t i) {
  return g_array_index(t->edges, PtEdge, i);
}
/* from != to, in any order: stored from the smaller to the larger; call pt_topology_sort after the
 * last. */
void pt_topology_add(PtTopology *topology, uint32_t from, uint32_t to);
/* Sorts edges and drops repeated ones. */
void pt_topology_sort(PtTopology *topology);
/* The invariants above hold. For tests. */
bool pt_topology_check(const PtTopology *topology);
/* Nodes of the piece in a topological order; an edge where one reads what another computes, once a
 * pair; constants and the piece's inputs are none. NULL if the graph has a cycle. */
PtTopology *pt_topology_of_graph(const PtGraph *piece);
/* Nodes without edges in, without edges out. */
uint32_t pt_topology_sources(const PtTopology *topology);
uint32_t pt_topology_sinks(const PtTopology *topology);

/* ---- features (Alg. 1) ----------------------------------------------------------------------- */
typedef enum {
  PT_FEATURE_DEGREE,     /* average degree, 2 edges / nodes */
  PT_FEATURE_CLUSTERING, /* average clustering coefficient; 0 for nodes of degree below 2 */
  PT_FEATURE_DIAMETER,   /* longest shortest path within a component, in edges */
  PT_FEATURE_SIZE,       /* nodes */
  PT_N_FEATURES
} PtFeature;
extern const char *const pt_feature_names[PT_N_FEATURES]; /* "average degree", ... */
typedef struct PtTopologyFeatures {
  double x[PT_N_FEATURES];
} PtTopologyFeatures;
/* COMPUTEFEATURES, of the undirected graph. O(nodes * edges). */
PtTopologyFeatures pt_topology_features(const PtTopology *topology);

/* ESTIMATEDENSITY: a Gaussian kernel density over features, one bandwidth a feature (Scott's rule);
 * a feature that does not vary is left out. */
typedef struct PtDensity PtDensity;
PtDensity *pt_density_new(const PtTopologyFeatures *points, uint32_t n);
void pt_density_free(PtDensity *density);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtDensity, pt_density_free)
double pt_density_at(const PtDensity *density, const PtTopologyFeatures *x);

/* ---- Alg. 3 ---------------------------------------------------------------------------------- */
/* INDUCEORIENTATION: numbers the nodes of an undirected graph breadth-first from an end of a
 * diameter (further components follow in the same way); each edge goes from the earlier to the
 * later. The result is a DAG in topological numbering. Deterministic. */
PtTopology *pt_topology_induce_orientation(const PtTopology *undirected);

/* ---- the trained generator ------------------------------------------------------------------ */
/* GraphRNN (You et al., 2018) and how often each size occurred. Immutable: any number of threads.
 */
typedef struct PtTopologyModel PtTopologyModel;
/* NULL path: the one shipped (found as data files are). Hostile input: PT_ERR_IO, PT_ERR_INPUT;
 * PT_ERR_ENVIRONMENT: none is found. */
PtTopologyModel *pt_topology_model_open(const char *path, GError **error);
bool pt_topology_model_write(const PtTopologyModel *model, const char *path, GError **error);
void pt_topology_model_free(PtTopologyModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtTopologyModel, pt_topology_model_free)

typedef struct PtTopologyTrainOptions {
  const char *seed;       /* NULL: "proteus" */
  uint32_t epochs;        /* 0: the default */
  unsigned threads;       /* 0: all; the result does not depend on it */
  const char *checkpoint; /* file written after every epoch, or NULL */
  bool resume;            /* from the checkpoint, if it is there */
  PtProgress progress;
} PtTopologyTrainOptions;
typedef struct PtTopologyEpoch {
  double train, unseen; /* cross-entropy in nats a node; one topology in sixteen is held out */
} PtTopologyEpoch;
/* topologies: PtTopology, at least two. epochs (or NULL): GArray of PtTopologyEpoch, one an epoch,
 * those before a resumption included. Killed and resumed gives the same model as uninterrupted;
 * PT_ERR_MISMATCH if the checkpoint is of another training. */
PtTopologyModel *pt_topology_train(const GPtrArray *topologies,
                                   const PtTopologyTrainOptions *options, GArray *epochs,
                                   GError **error);

/* ---- drawing ----------------------------------------------------------------------------------
 */
/* Appends `count` PtTopology to out: graphs of GraphRNN with sizes[i] nodes (NULL: sizes as often
 * as among the pieces learned). induced: directions by Alg. 3; else those that the network gives,
 * which it learned along with the edges. */
void pt_topology_draw(const PtTopologyModel *model, const uint32_t *sizes, uint32_t count,
                      bool induced, PtRng *rng, GPtrArray *out);
/* The largest size that can be asked for. */
uint32_t pt_topology_max_size(const PtTopologyModel *model);

/* Adds edges so that a piece with this interface can have this shape: sinks <= n_outputs, as what
 * nobody reads is an output; sources <= max_sources, those that have nothing but inputs to read. */
void pt_topology_adjust(PtTopology *topology, uint32_t n_outputs, uint32_t max_sources, PtRng *rng);

/* Numbers the nodes anew where the interface comes and goes within the piece: input k is there for
 * nodes from[k] on, output k is made by a node before[k] (n: any). Sources come as late and sinks
 * as early as that; a sink that is late for every output gets a reader. */
void pt_topology_stage(PtTopology *topology, const uint32_t *from, uint32_t n_from,
                       const uint32_t *before, uint32_t n_before, PtRng *rng);

/* Alg. 1, lines 2-8: the window of width beta that holds the real piece's features at an even
 * place. */
typedef struct PtWindow {
  PtTopologyFeatures low, high;
} PtWindow;
PtWindow pt_topology_window(const PtTopologyFeatures *real, const PtTopologyFeatures *beta,
                            PtRng *rng);
/* Alg. 1, lines 15-17: weights[i] = 1 / p(x_i) in the window, 0 outside. */
void pt_topology_weights(const PtDensity *p, const PtTopologyFeatures *x, uint32_t n,
                         const PtWindow *window, double *weights);
/* SAMPLETOPOLOGIES: appends up to `count` copies of members of the pool (PtTopology, DAGs), drawn
 * without replacement by their weights. Returns how many. */
uint32_t pt_sample_topologies(const PtWindow *window, const GPtrArray *pool, uint32_t count,
                              PtRng *rng, GPtrArray *out);

/* All of it: appends `count` DAGs around the real piece's features: a pool drawn at the window's
 * sizes, adjusted to the interface, sampled. The window is widened where too few fall into it (a
 * few nodes allow few shapes, which then repeat). PT_ERR_LIMIT: the piece is larger than what the
 * model can draw; PT_ERR_USAGE: it is empty. Deterministic in rng. */
bool pt_topology_sample(const PtTopologyModel *model, const PtTopology *real, uint32_t count,
                        uint32_t n_inputs, uint32_t n_outputs, PtRng *rng, GPtrArray *out,
                        GError **error);
/* by_density: members of the window are drawn by 1/p, the paper's weights, which make the features
 * even over the window. Without, which is what pt_topology_sample does, they keep the pool's
 * density: if real pieces have it too, then the real piece and its sentinels have one law, given
 * the window; with the paper's weights the candidate of the highest density is the likeliest to be
 * real (docs/topology.md has the measurement). */
bool pt_topology_sample_by(const PtTopologyModel *model, const PtTopology *real, uint32_t count,
                           uint32_t n_inputs, uint32_t n_outputs, bool by_density, PtRng *rng,
                           GPtrArray *out, GError **error);

#endif
