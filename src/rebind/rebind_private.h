/* rebind, inside: dense arrays, forms (the few operators that are evaluated natively), expressions
 * over the candidate's weights, and the context of one pt_rebind_explain. */
#ifndef PT_REBIND_PRIVATE_H
#define PT_REBIND_PRIVATE_H

#include "rebind/rebind.h"

#define PT_MAX_RANK 8
/* Marks derivation nodes: bind evaluates nodes whose names start so, and no others. */
#define PT_REBIND_NODE "pt_rebind_"
/* Largest distance, in units of the last place, at which a formula still counts as the optimizer's
 * own. */
#define PT_REBIND_ULPS 4
/* The same for what sums many products (a MatMul of constants), against the largest magnitude: the
 * order of adding depends on the kernel, and that on the machine and on where the data lies. */
#define PT_REBIND_SLACK 1e-5
/* A derivation may make this many elements for each of its inputs' (relative position tables gather
 * a few rows often), and this many more; beyond that it is an attack on memory. */
#define PT_REBIND_GROWTH 16
#define PT_REBIND_MARGIN ((size_t)1 << 20)

/* ---- dense arrays (dense.c)
 * ---------------------------------------------------------------------- */
typedef struct PtDense {
  PtDtype dtype;
  uint32_t rank;
  int64_t dims[PT_MAX_RANK];
  size_t count, size;
  const uint8_t *data; /* [size] little-endian; NULL: only the type is known */
  uint8_t *owned;      /* data where it is ours (g_free), else NULL */
} PtDense;
/* False where rank, a dimension or the product is out of bounds; count and size are set, data is
 * not. */
bool pt_dense_shape(PtDense *dense, PtDtype dtype, uint32_t rank, const int64_t *dims);
/* Allocates; false when there is no memory. */
bool pt_dense_alloc(PtDense *dense);
void pt_dense_clear(PtDense *dense);
/* Borrows the tensor's data (which may be NULL); false where the rank is over PT_MAX_RANK or
 * strings. */
bool pt_dense_of_tensor(PtDense *dense, const PtTensor *tensor);

/* out[i] = in[i] over a box of up to PT_MAX_RANK axes; strides in elements of `element` bytes (1,
 * 2, 4, 8, 16). */
typedef struct PtBox {
  uint32_t rank;
  int64_t dims[PT_MAX_RANK], out[PT_MAX_RANK], in[PT_MAX_RANK];
} PtBox;
void pt_box_copy(const PtBox *box, size_t element, uint8_t *out, const uint8_t *in,
                 unsigned threads);
void pt_strides(uint32_t rank, const int64_t *dims, int64_t *strides);

float pt_half_to_float(uint16_t half);
uint16_t pt_half_of_float(float value);
float pt_brain_to_float(uint16_t brain);
uint16_t pt_brain_of_float(float value);
/* Element i as a double: float formats of 16 bits up, integers of 8 bits up, bool; NAN for the
 * rest. */
double pt_dense_at(PtDtype dtype, const uint8_t *data, size_t i);
/* Rounds to the dtype (float formats of 16 bits up). */
double pt_round_to(PtDtype dtype, double value);
/* Distance in units of the last place of `dtype`, 0 for equal; UINT32_MAX where a sign or NaN
 * differs. */
uint32_t pt_ulps(PtDtype dtype, double a, double b);

/* ---- forms (form.c, arith.c)
 * --------------------------------------------------------------------- */
typedef enum {
  PT_FORM_NONE, /* not native */
  PT_FORM_ADD,
  PT_FORM_SUB,
  PT_FORM_MUL,
  PT_FORM_DIV,
  PT_FORM_SQRT,
  PT_FORM_NEG,
  PT_FORM_RECIPROCAL,
  PT_FORM_CAST,
  PT_FORM_RESHAPE,
  PT_FORM_TRANSPOSE,
  PT_FORM_SLICE,
  PT_FORM_EXPAND,
  PT_FORM_PAD,
  PT_FORM_CONCAT
} PtFormOp;

/* An operator with its parameters resolved against its inputs' shapes. */
typedef struct PtForm {
  PtFormOp op;
  PtDtype dtype;             /* of the result */
  uint32_t rank;             /* of the result */
  int64_t dims[PT_MAX_RANK]; /* of the result */
  int64_t a[PT_MAX_RANK];    /* perm; starts; zeros before (Pad); a[0] the axis (Concat) */
  int64_t b[PT_MAX_RANK];    /* steps */
} PtForm;
static inline bool pt_form_is_binary(PtFormOp op) {
  return op >= PT_FORM_ADD && op <= PT_FORM_DIV;
}
static inline bool pt_form_is_unary(PtFormOp op) {
  return op >= PT_FORM_SQRT && op <= PT_FORM_CAST;
}
bool pt_form_arithmetic(PtFormOp op, const PtDense *a, const PtDense *b, PtForm *form);
bool pt_form_cast(const PtDense *in, PtDtype to, PtForm *form);
bool pt_form_reshape(const PtDense *in, uint32_t rank, const int64_t *dims, PtForm *form);
bool pt_form_transpose(const PtDense *in, const int64_t *perm, PtForm *form);
/* starts and counts for each axis; steps NULL: ones. */
bool pt_form_slice(const PtDense *in, const int64_t *starts, const int64_t *counts,
                   const int64_t *steps, PtForm *form);
bool pt_form_expand(const PtDense *in, uint32_t rank, const int64_t *dims, PtForm *form);
bool pt_form_pad(const PtDense *in, const int64_t *before, const int64_t *dims, PtForm *form);
bool pt_form_concat(const PtDense *in, uint32_t n, int64_t axis, PtForm *form);
/* The form of a standard node; inputs[i].data is needed of those that steer. False: not native.
 * n_data receives how many leading inputs carry data (the rest steer). */
bool pt_form_of_node(const PtGraph *graph, const PtNode *node, const PtDense *inputs, PtForm *form,
                     uint32_t *n_data);
/* Evaluates; inputs are borrowed, but an owned one may be taken over (its `owned` is NULL then). */
bool pt_form_eval(const PtForm *form, PtDense *inputs, uint32_t n_inputs, unsigned threads,
                  PtDense *out);
bool pt_arith_eval(const PtForm *form, PtDense *inputs, unsigned threads, PtDense *out);
double pt_arith_at(PtFormOp op, PtDtype dtype, double a, double b);

/* ---- other operators, through the runtime (node.c)
 * ------------------------------------------------ */
/* An upper bound of the elements of each output of a node that may be folded; SIZE_MAX: not one of
 * those. */
size_t pt_rebind_node_growth(const PtNode *node, const PtDense *inputs);
/* Evaluates one node on dense inputs; outputs[n_outputs] are owned. */
bool pt_rebind_node_eval(const PtGraph *graph, const PtNode *node, const PtDense *inputs,
                         PtDense *outputs, GError **error);

/* ---- expressions (expr.c)
 * ------------------------------------------------------------------------- */
typedef enum { PT_EXPR_SOURCE, PT_EXPR_REAL, PT_EXPR_FORM, PT_EXPR_NODE } PtExprKind;
typedef struct PtExpr PtExpr;
struct PtExpr {
  PtExprKind kind;
  bool noisy; /* depends on a weight */
  bool rough; /* the runtime computed part of it: sums come out in another order elsewhere */
  uint32_t depth;
  PtDense type;    /* dtype and shape; data: of a real constant, or once evaluated and kept */
  uint64_t offset; /* SOURCE: byte in noise.bin */
  PtForm form;     /* FORM */
  PtExpr **inputs; /* [n_inputs], NULL where left out */
  uint32_t n_inputs;
  PtNodeId node;     /* NODE: of the candidate */
  uint32_t output;   /* NODE */
  PtValueId emitted; /* in the optimized graph, PT_NONE before */
  double first;      /* element 0, once asked for */
  bool has_first;
};

/* A weight of the candidate. */
typedef struct PtWeight {
  uint64_t offset, size; /* bytes in noise.bin */
  PtExpr *expr;
} PtWeight;

typedef struct PtRebind {
  PtGraph *optimized;
  const PtGraph *candidate;
  const PtNoise *noise;
  PtArena *arena;
  unsigned threads;
  bool through_runtime; /* fold what is not native, too */
  PtExpr **of_value;    /* [values of the candidate] NULL where not constant */
  GArray *weights;      /* PtWeight by offset */
  GPtrArray *library;   /* PtExpr: what a constant may equal, likely ones first */
  GPtrArray *reals;     /* PtExpr: constants that hold no weight */
  GPtrArray *kept;      /* buffers that expressions point into (g_free) */
  GHashTable *sources;  /* emitted external constants: key text -> value id + 1 */
} PtRebind;

PtExpr *pt_expr_source(PtRebind *r, PtDtype dtype, uint32_t rank, const int64_t *dims,
                       uint64_t offset);
PtExpr *pt_expr_real(PtRebind *r, const PtTensor *tensor);
PtExpr *pt_expr_scalar(PtRebind *r, PtDtype dtype, double value);
/* These return NULL where the inputs do not fit (or are NULL). */
PtExpr *pt_expr_of_form(PtRebind *r, const PtForm *form, PtExpr *const *inputs, uint32_t n_inputs);
PtExpr *pt_expr_arithmetic(PtRebind *r, PtFormOp op, PtExpr *a, PtExpr *b);
PtExpr *pt_expr_cast(PtRebind *r, PtExpr *in, PtDtype to);
PtExpr *pt_expr_reshape(PtRebind *r, PtExpr *in, uint32_t rank, const int64_t *dims);
PtExpr *pt_expr_transpose(PtRebind *r, PtExpr *in, const int64_t *perm);
PtExpr *pt_expr_slice(PtRebind *r, PtExpr *in, const int64_t *starts, const int64_t *counts);
PtExpr *pt_expr_expand(PtRebind *r, PtExpr *in, uint32_t rank, const int64_t *dims);
PtExpr *pt_expr_pad(PtRebind *r, PtExpr *in, const int64_t *before, const int64_t *dims);
PtExpr *pt_expr_concat(PtRebind *r, PtExpr *const *inputs, uint32_t n, int64_t axis);
/* One element, rounded to the dtype; NAN where it cannot be had. */
double pt_expr_at(PtRebind *r, PtExpr *expr, size_t i);
double pt_expr_first(PtRebind *r, PtExpr *expr);
/* All elements; false only for want of memory or a failing runtime. out may borrow from the
 * expression. */
bool pt_expr_eval(PtRebind *r, PtExpr *expr, PtDense *out);

/* ---- hypotheses
 * ----------------------------------------------------------------------------------- */
/* library.c: every constant of the candidate, and what folds, as expressions. */
void pt_rebind_library(PtRebind *r);
/* walk.c: the formulas that fusions follow, from every linear operator forward. */
void pt_rebind_walk(PtRebind *r);
/* decode.c: an expression that moves noise; each element of float32 `target` says where it came
 * from. */
PtExpr *pt_rebind_decode(PtRebind *r, const PtDense *target);
/* match.c: an expression of the library under a view; *ulps receives the largest distance (0:
 * bit-identical). Thorough: also
 * slices and concatenations of expressions, which takes a while. */
PtExpr *pt_rebind_match(PtRebind *r, const PtDense *target, bool thorough, uint32_t *ulps);
/* A sum, difference, product or quotient of two of the library. */
PtExpr *pt_rebind_match_pairs(PtRebind *r, const PtDense *target, uint32_t *ulps);
/* Largest distance over all elements; UINT32_MAX where it is over PT_REBIND_ULPS. */
uint32_t pt_rebind_verify(PtRebind *r, const PtDense *target, PtExpr *expr);
/* layout.c: the blocked layouts of ONNX Runtime's NCHWc convolutions. Copies the target back to the
 * plain layout (owned); false where its shape does not allow layout `index`. */
#define PT_LAYOUTS 10
bool pt_rebind_unblock(const PtDense *target, uint32_t index, unsigned threads, PtDense *plain);
/* The plain expression brought into the layout. */
PtExpr *pt_rebind_block(PtRebind *r, PtExpr *plain, uint32_t index);

/* judge.c: REFUSE needs an explanation, or the candidate is refused; EXPLAIN may have one, else it
 * stays. */
typedef enum { PT_JUDGE_KEEP, PT_JUDGE_EXPLAIN, PT_JUDGE_REFUSE } PtJudgement;
PtJudgement pt_rebind_judge(PtRebind *r, const PtTensor *tensor, const PtDense *dense);
/* Equal to a constant of the candidate that holds no weight, or to one folded from such. */
bool pt_rebind_is_real(PtRebind *r, const PtDense *dense);

/* emit.c: writes the expression as nodes whose result is `value`, a constant of the optimized
 * graph. */
bool pt_rebind_emit(PtRebind *r, PtExpr *expr, PtValueId value, GError **error);

#endif
