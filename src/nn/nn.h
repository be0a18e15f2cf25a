/* nn: layers with forward and backward passes on OpenBLAS, for the topology model and the audit.
 * In: float32 row-major matrices, graphs as compressed rows, parameters as one flat vector.
 * Out: activations, losses, gradients, Adam steps; parameters as bytes and back (hostile input).
 * No tape: a caller runs forward, then the backward calls in reverse order. BLAS runs on one
 * thread; callers split a batch into parts whose number does not depend on the threads, give each
 * its own gradient, and sum them in order.
 * Never touches: files, ONNX, what the numbers mean. */
#ifndef PT_NN_H
#define PT_NN_H

#include "base/base.h"

#define PT_NN_ERROR (pt_nn_error_quark())
GQuark pt_nn_error_quark(void);

/* ---- matrices -------------------------------------------------------------------------------- */
typedef struct PtMatrix {
  uint32_t rows, cols;
  float *data; /* [rows][cols] */
  size_t room; /* floats allocated; 0: a view that owns nothing */
} PtMatrix;
/* Start from {0}. Sets the size, all zero; keeps the memory where it suffices. */
void pt_matrix_resize(PtMatrix *m, uint32_t rows, uint32_t cols);
void pt_matrix_clear(PtMatrix *m);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PtMatrix, pt_matrix_clear)
/* Rows from..from+count-1, borrowed. */
PtMatrix pt_matrix_rows(const PtMatrix *m, uint32_t from, uint32_t count);
static inline float *pt_matrix_row(const PtMatrix *m, uint32_t row) {
  return m->data + (size_t)row * m->cols;
}
/* c = a b + keep c, a and b transposed on demand. Sizes must agree. */
void pt_matrix_multiply(const PtMatrix *a, bool transpose_a, const PtMatrix *b, bool transpose_b,
                        float keep, PtMatrix *c);

/* ---- parameters ------------------------------------------------------------------------------
 * All weights of a network in one vector, so that gradients, Adam's moments and files are plain
 * vectors of the same length. Layers hold places in it. */
typedef struct PtParams {
  size_t size;
  float *value;             /* [size] */
  float *moment1, *moment2; /* [size] Adam's */
  uint64_t steps;           /* of Adam so far */
  uint64_t layout;          /* hash of the sizes added, in order */
} PtParams;
PtParams *pt_params_new(void);
void pt_params_free(PtParams *params);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtParams, pt_params_free)
/* Place of a new [rows][cols] block, uniform in [-bound, bound]; bound 0: zeros, rng may be NULL.
 */
size_t pt_params_add(PtParams *params, uint32_t rows, uint32_t cols, double bound, PtRng *rng);
/* [size] zeros for a gradient; caller frees. */
float *pt_params_gradient(const PtParams *params);

typedef struct PtAdam {
  double rate;         /* 0: 1e-3 */
  double beta1, beta2; /* 0: 0.9, 0.999 */
  double epsilon;      /* 0: 1e-8 */
  double weight_decay; /* added to the gradient times the value, as torch.optim.Adam does */
  double clip;         /* largest norm of the gradient; 0: none */
} PtAdam;
/* One step along `gradient` [size]. */
void pt_params_adam(PtParams *params, const float *gradient, const PtAdam *adam);

/* Appends the values (and Adam's state if `state`) to out. */
void pt_params_write(const PtParams *params, bool state, GByteArray *out);
/* Into parameters of the same layout. Hostile input: PT_ERR_INPUT if it is too short, of another
 * layout, or holds what is no finite number; params are then unchanged. *used: bytes taken. */
bool pt_params_read(PtParams *params, const uint8_t *data, size_t size, size_t *used,
                    GError **error);

/* ---- layers ----------------------------------------------------------------------------------
 * forward: fills the output. backward: adds to `gradient` (same layout as the parameters) and,
 * where dx is not NULL, sets dx. `p` is params->value. Initial weights as PyTorch's defaults. */

/* y [n][out] = x [n][in] W^T + b */
typedef struct PtLinear {
  uint32_t in, out;
  size_t w, b; /* places of [out][in], [out] */
} PtLinear;
PtLinear pt_linear_new(PtParams *params, uint32_t in, uint32_t out, PtRng *rng);
void pt_linear_forward(const PtLinear *l, const float *p, const PtMatrix *x, PtMatrix *y);
void pt_linear_backward(const PtLinear *l, const float *p, const PtMatrix *x, const PtMatrix *dy,
                        float *gradient, PtMatrix *dx);

/* In place; backward takes the output y and turns dy into dx in place. */
void pt_relu(PtMatrix *y);
void pt_relu_backward(const PtMatrix *y, PtMatrix *dy);
void pt_sigmoid(PtMatrix *y);
void pt_sigmoid_backward(const PtMatrix *y, PtMatrix *dy);
void pt_tanh(PtMatrix *y);
void pt_tanh_backward(const PtMatrix *y, PtMatrix *dy);

/* y [n][dim] = rows ids[0..n-1] of a table [count][dim]; ids < count. Standard normal at first. */
typedef struct PtEmbedding {
  uint32_t count, dim;
  size_t table;
} PtEmbedding;
PtEmbedding pt_embedding_new(PtParams *params, uint32_t count, uint32_t dim, PtRng *rng);
void pt_embedding_forward(const PtEmbedding *l, const float *p, const uint32_t *ids, uint32_t n,
                          PtMatrix *y);
void pt_embedding_backward(const PtEmbedding *l, const uint32_t *ids, const PtMatrix *dy,
                           float *gradient);

/* Gated recurrent unit, PyTorch's form: r, z = sigmoid(..), n = tanh(W x + b + r (U h + c)),
 * h' = (1 - z) n + z h. */
typedef struct PtGru {
  uint32_t in, hidden;
  size_t w, u, b, c; /* places of [3 hidden][in], [3 hidden][hidden], 2 x [3 hidden]: r, z, n */
} PtGru;
PtGru pt_gru_new(PtParams *params, uint32_t in, uint32_t hidden, PtRng *rng);
/* One step for n rows. gates [n][4 hidden] is kept for backward, or NULL. next must not be h. */
void pt_gru_cell(const PtGru *l, const float *p, const PtMatrix *x, const PtMatrix *h,
                 PtMatrix *gates, PtMatrix *next);
/* Sequences of a batch, longest first, packed by time: step t has rows[t] rows (non-increasing),
 * those of the first rows[t] sequences; x [sum rows][in], y [sum rows][hidden].
 * h0 [rows[0]][hidden], or NULL for zeros. */
typedef struct PtSteps {
  uint32_t count;
  const uint32_t *rows; /* [count] */
} PtSteps;
void pt_gru_forward(const PtGru *l, const float *p, const PtSteps *steps, const PtMatrix *x,
                    const PtMatrix *h0, PtMatrix *gates, PtMatrix *y);
/* dy: of all outputs (of the last states too). dx, dh0: set, or NULL. */
void pt_gru_backward(const PtGru *l, const float *p, const PtSteps *steps, const PtMatrix *x,
                     const PtMatrix *h0, const PtMatrix *gates, const PtMatrix *y,
                     const PtMatrix *dy, float *gradient, PtMatrix *dx, PtMatrix *dh0);

/* Neighbours of node i: to[start[i]] .. to[start[i+1] - 1], each < n. */
typedef struct PtNeighbours {
  uint32_t n;
  const uint32_t *start; /* [n + 1] */
  const uint32_t *to;    /* [start[n]] */
} PtNeighbours;
/* GraphSAGE (Hamilton et al., 2017): y = x W_self^T + mean over neighbours of x W_neigh^T + b; the
 * mean over none is zero. */
typedef struct PtSage {
  uint32_t in, out;
  size_t self, neigh, b;
} PtSage;
PtSage pt_sage_new(PtParams *params, uint32_t in, uint32_t out, PtRng *rng);
/* mean [n][in] is kept for backward. */
void pt_sage_forward(const PtSage *l, const float *p, const PtNeighbours *graph, const PtMatrix *x,
                     PtMatrix *mean, PtMatrix *y);
void pt_sage_backward(const PtSage *l, const float *p, const PtNeighbours *graph, const PtMatrix *x,
                      const PtMatrix *mean, const PtMatrix *dy, float *gradient, PtMatrix *dx);

/* y [graphs][d] = mean of rows start[g] .. start[g+1]-1 of x: of the nodes of each graph of a
 * batch. */
void pt_mean_pool(const PtMatrix *x, const uint32_t *start, uint32_t graphs, PtMatrix *y);
void pt_mean_pool_backward(const PtMatrix *dy, const uint32_t *start, uint32_t graphs,
                           PtMatrix *dx);

/* ---- losses ----------------------------------------------------------------------------------
 * Each returns the weighted sum over all entries (rows for softmax) and sets the gradient of that
 * sum, unless NULL. weight: [rows] or NULL for ones. */
double pt_loss_squared(const PtMatrix *y, const float *target, const float *weight, PtMatrix *dy);
/* Binary cross-entropy of logits, target [rows][cols] in 0..1. */
double pt_loss_logistic(const PtMatrix *logits, const float *target, const float *weight,
                        PtMatrix *dlogits);
/* Cross-entropy of logits [rows][classes], class[i] < classes. */
double pt_loss_softmax(const PtMatrix *logits, const uint32_t *class, const float *weight,
                       PtMatrix *dlogits);

#endif
