/* The formulas that fusions follow. From every linear operator with constant weights, walk forward
 * through what optimizers fold into it (BatchNormalization, Mul, Div, Add, Sub), and note weights
 * and bias after each step, computed as ONNX Runtime does: var + eps, sqrt, gamma / that, W * s, (b
 * - mean) * s + beta; every operation rounds once. */
#include "ops/ops.h"
#include "rebind/rebind_private.h"

#include <string.h>

#define MAX_STEPS 8 /* nodes passed, transparent ones too */
#define MAX_LIBRARY 200000

/* y = W x + b with `channels` outputs along an axis of W. */
typedef struct {
  PtExpr *weight; /* NULL: none */
  PtExpr *bias;   /* NULL: none yet */
  int64_t channels;
  uint32_t axis;  /* of W that the channels run along */
  int64_t groups; /* ConvTranspose: W's axis holds channels / groups */
} Linear;

typedef struct {
  PtRebind *r;
  PtUses *uses;
} Walk;

static PtExpr *constant_of(PtRebind *r, const PtNode *node, uint32_t i) {
  if (i >= node->n_inputs || node->inputs[i] == PT_NONE)
    return NULL;
  return r->of_value[node->inputs[i]];
}

static void note(PtRebind *r, PtExpr *e) {
  if (e && e->noisy && r->library->len < MAX_LIBRARY)
    g_ptr_array_add(r->library, e);
}

static void note_linear(PtRebind *r, const Linear *l) {
  note(r, l->weight);
  note(r, l->bias);
}

/* A vector over the channels, or a single value. */
static bool fits(const Linear *l, const PtExpr *c) {
  return c && ((int64_t)c->type.count == l->channels || c->type.count == 1);
}

static PtExpr *as_vector(PtRebind *r, PtExpr *c) {
  int64_t n = c ? (int64_t)c->type.count : 0;
  return pt_expr_reshape(r, c, 1, &n);
}

/* W op c, c along W's channels. */
static PtExpr *scaled(PtRebind *r, const Linear *l, PtFormOp op, PtExpr *c) {
  PtExpr *w = l->weight;
  if (!w || !c)
    return NULL;
  int64_t dims[PT_MAX_RANK + 1], along[PT_MAX_RANK + 1];
  uint32_t rank = w->type.rank, axis = l->axis;
  if (c->type.count == 1)
    return pt_expr_arithmetic(r, op, w, pt_expr_reshape(r, c, 0, NULL));
  memcpy(dims, w->type.dims, sizeof w->type.dims);
  if (l->groups > 1) { /* [in, out/g, ...] as [g, in/g, out/g, ...] */
    if (rank + 1 > PT_MAX_RANK || axis != 1 || dims[0] % l->groups)
      return NULL;
    memmove(dims + 1, dims, rank * sizeof *dims);
    dims[0] = l->groups;
    dims[1] /= l->groups;
    rank++;
  }
  for (uint32_t i = 0; i < rank; i++)
    along[i] = 1;
  along[l->groups > 1 ? 2 : axis] = l->channels / l->groups;
  if (l->groups > 1)
    along[0] = l->groups;
  PtExpr *view = pt_expr_reshape(r, w, rank, dims);
  PtExpr *product = pt_expr_arithmetic(r, op, view, pt_expr_reshape(r, c, rank, along));
  return pt_expr_reshape(r, product, w->type.rank, w->type.dims);
}

/* var + eps in float32 also for 16-bit weights, as the optimizer's epsilon is a float. */
static PtExpr *deviation(PtRebind *r, PtExpr *variance, double epsilon) {
  PtDtype dtype = variance->type.dtype;
  PtDtype wide = dtype == PT_DOUBLE ? PT_DOUBLE : PT_FLOAT;
  PtExpr *sum = pt_expr_arithmetic(r, PT_FORM_ADD, pt_expr_cast(r, variance, wide),
                                   pt_expr_scalar(r, wide, epsilon));
  return pt_expr_arithmetic(r, PT_FORM_SQRT, pt_expr_cast(r, sum, dtype), NULL);
}

typedef struct {
  PtExpr *gamma, *beta, *mean, *deviation, *scale;
} Norm;

static bool norm_of(PtRebind *r, const PtNode *node, Norm *n) {
  if (!pt_op_is(node, "BatchNormalization"))
    return false;
  PtExpr *variance = as_vector(r, constant_of(r, node, 4));
  n->gamma = as_vector(r, constant_of(r, node, 1));
  n->beta = as_vector(r, constant_of(r, node, 2));
  n->mean = as_vector(r, constant_of(r, node, 3));
  if (!variance || !n->gamma || !n->beta || !n->mean)
    return false;
  n->deviation = deviation(r, variance, pt_node_float(node, "epsilon", (double)1e-5f));
  n->scale = pt_expr_arithmetic(r, PT_FORM_DIV, n->gamma, n->deviation);
  return n->scale != NULL;
}

static PtExpr *binary(PtRebind *r, PtFormOp op, PtExpr *a, PtExpr *b) {
  return pt_expr_arithmetic(r, op, a, b);
}

static Linear after_norm(PtRebind *r, const Linear *l, const Norm *n) {
  Linear next = *l;
  next.weight = scaled(r, l, PT_FORM_MUL, n->scale);
  PtExpr *shift = l->bias ? binary(r, PT_FORM_SUB, l->bias, n->mean) : n->mean;
  shift = binary(r, PT_FORM_MUL, shift, n->scale);
  next.bias =
      l->bias ? binary(r, PT_FORM_ADD, shift, n->beta) : binary(r, PT_FORM_SUB, n->beta, shift);
  note_linear(r, &next);
  /* the same in other orders of rounding: other optimizers' */
  PtExpr *inverse = pt_expr_arithmetic(r, PT_FORM_RECIPROCAL, n->deviation, NULL);
  PtExpr *other = binary(r, PT_FORM_MUL, n->gamma, inverse);
  note(r, scaled(r, l, PT_FORM_MUL, other));
  note(r, binary(r, PT_FORM_SUB, n->beta, binary(r, PT_FORM_MUL, n->mean, other)));
  if (l->bias) {
    PtExpr *moved = binary(r, PT_FORM_SUB, n->beta, binary(r, PT_FORM_MUL, n->mean, n->scale));
    note(r, binary(r, PT_FORM_ADD, binary(r, PT_FORM_MUL, l->bias, n->scale), moved));
    note(r,
         binary(r, PT_FORM_ADD,
                binary(r, PT_FORM_MUL, binary(r, PT_FORM_SUB, l->bias, n->mean), other), n->beta));
  }
  return next;
}

/* y op c (or c op y); false where that is no longer W x + b of the same W's shape. */
static bool after_constant(PtRebind *r, const Linear *l, const char *op, bool first, PtExpr *c,
                           Linear *next) {
  *next = *l;
  if (!fits(l, c))
    return false;
  c = as_vector(r, c);
  if (g_str_equal(op, "Mul") || (g_str_equal(op, "Div") && first)) {
    PtFormOp form = op[0] == 'M' ? PT_FORM_MUL : PT_FORM_DIV;
    next->weight = scaled(r, l, form, c);
    next->bias = l->bias ? binary(r, form, l->bias, c) : NULL;
    if (form == PT_FORM_DIV)
      note(r, scaled(r, l, PT_FORM_MUL, pt_expr_arithmetic(r, PT_FORM_RECIPROCAL, c, NULL)));
    return true;
  }
  if (g_str_equal(op, "Add")) {
    next->bias = l->bias ? binary(r, PT_FORM_ADD, l->bias, c) : c;
    return true;
  }
  if (g_str_equal(op, "Sub") && first) {
    next->bias =
        l->bias ? binary(r, PT_FORM_SUB, l->bias, c) : pt_expr_arithmetic(r, PT_FORM_NEG, c, NULL);
    return true;
  }
  return false;
}

static bool is_transparent(const PtNode *node) {
  static const char *const names[] = {"Identity", "Dropout",   "Reshape", "Transpose",
                                      "Squeeze",  "Unsqueeze", "Flatten", "Cast"};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    if (pt_op_is(node, names[i]))
      return true;
  return false;
}

static void follow(Walk *walk, PtValueId value, const Linear *l, uint32_t steps) {
  PtRebind *r = walk->r;
  if (steps == MAX_STEPS || value == PT_NONE || r->library->len >= MAX_LIBRARY)
    return;
  for (uint32_t i = walk->uses->start[value]; i < walk->uses->start[value + 1]; i++) {
    const PtNode *node = pt_node(r->candidate, walk->uses->node[i]);
    if (node->n_outputs == 0 || node->n_inputs == 0 || node->domain[0])
      continue;
    Norm norm;
    Linear next;
    if (node->inputs[0] == value && is_transparent(node))
      follow(walk, node->outputs[0], l, steps + 1);
    else if (node->inputs[0] == value && norm_of(r, node, &norm)) {
      if (!fits(l, norm.scale) || !fits(l, norm.beta) || !fits(l, norm.mean))
        continue;
      next = after_norm(r, l, &norm);
      follow(walk, node->outputs[0], &next, steps + 1);
    } else if (node->n_inputs == 2) {
      bool first = node->inputs[0] == value;
      if (!after_constant(r, l, node->op_type, first, constant_of(r, node, first ? 1 : 0), &next))
        continue;
      note_linear(r, &next);
      follow(walk, node->outputs[0], &next, steps + 1);
    }
  }
}

/* ---- where walks start
 * ---------------------------------------------------------------------------- */
static void start(Walk *walk, const PtNode *node, PtExpr *weight, PtExpr *bias, uint32_t axis,
                  int64_t groups) {
  Linear l = {weight, as_vector(walk->r, bias), 0, axis, groups};
  if (weight && (axis >= weight->type.rank || groups < 1))
    return;
  l.channels = weight ? weight->type.dims[axis] * groups : bias ? (int64_t)bias->type.count : 0;
  if (l.bias && !fits(&l, l.bias))
    return;
  follow(walk, node->outputs[0], &l, 0);
}

static void start_gemm(Walk *walk, const PtNode *node) {
  PtRebind *r = walk->r;
  PtExpr *w = constant_of(r, node, 1), *b = constant_of(r, node, 2);
  if (!w || (node->n_inputs > 2 && node->inputs[2] != PT_NONE && !b))
    return;
  double alpha = pt_node_float(node, "alpha", 1), beta = pt_node_float(node, "beta", 1);
  uint32_t axis = pt_node_int(node, "transB", 0) ? 0 : 1;
  if (alpha != 1) {
    w = binary(r, PT_FORM_MUL, w, pt_expr_scalar(r, w->type.dtype, alpha));
    note(r, w);
  }
  if (b && beta != 1) {
    b = binary(r, PT_FORM_MUL, b, pt_expr_scalar(r, b->type.dtype, beta));
    note(r, b);
  }
  start(walk, node, w, b, axis, 1);
}

/* Operators that end in a scale and a shift of their own. */
static void start_scale(Walk *walk, const PtNode *node) {
  PtRebind *r = walk->r;
  PtExpr *scale = as_vector(r, constant_of(r, node, 1)), *shift = constant_of(r, node, 2);
  if (scale && (node->n_inputs < 3 || node->inputs[2] == PT_NONE || shift))
    start(walk, node, scale, shift, 0, 1);
}

static void start_constant(Walk *walk, const PtNode *node) {
  PtRebind *r = walk->r;
  for (uint32_t i = 0; i < 2; i++) {
    PtExpr *c = constant_of(r, node, i);
    Linear none = {NULL, NULL, c ? (int64_t)c->type.count : 0, 0, 1}, next;
    if (!c || constant_of(r, node, 1 - i) || node->inputs[1 - i] == PT_NONE)
      continue;
    if (pt_op_is(node, "Mul"))
      none.weight = as_vector(r, c);
    else if (!after_constant(r, &none, node->op_type, i == 1, c, &next))
      continue;
    else
      none = next;
    follow(walk, node->outputs[0], &none, 0);
  }
}

static void start_node(Walk *walk, const PtNode *node) {
  PtRebind *r = walk->r;
  PtExpr *w = constant_of(r, node, 1);
  Norm norm;
  bool bias_known = node->n_inputs < 3 || node->inputs[2] == PT_NONE || constant_of(r, node, 2);
  if (pt_op_is(node, "Conv") && w && bias_known)
    start(walk, node, w, constant_of(r, node, 2), 0, 1);
  else if (pt_op_is(node, "ConvTranspose") && w && bias_known)
    start(walk, node, w, constant_of(r, node, 2), 1, pt_node_int(node, "group", 1));
  else if (pt_op_is(node, "Gemm"))
    start_gemm(walk, node);
  else if ((pt_op_is(node, "MatMul") && w && w->type.rank >= 2) ||
           (pt_op_is(node, "Gather") && (w = constant_of(r, node, 0)) && w->type.rank >= 1))
    start(walk, node, w, NULL, w->type.rank - 1, 1);
  else if (pt_op_is(node, "MatMul") && (w = constant_of(r, node, 0)) && w->type.rank >= 2)
    start(walk, node, w, NULL, w->type.rank - 2, 1);
  else if (norm_of(r, node, &norm)) {
    Linear l = {norm.scale, NULL, (int64_t)norm.scale->type.count, 0, 1};
    l.bias = binary(r, PT_FORM_SUB, norm.beta, binary(r, PT_FORM_MUL, norm.mean, norm.scale));
    note_linear(r, &l);
    follow(walk, node->outputs[0], &l, 0);
  } else if (pt_op_is(node, "LayerNormalization") || pt_op_is(node, "InstanceNormalization") ||
             pt_op_is(node, "GroupNormalization"))
    start_scale(walk, node);
  else if (node->n_inputs == 2 &&
           (pt_op_is(node, "Mul") || pt_op_is(node, "Add") || pt_op_is(node, "Sub")))
    start_constant(walk, node);
}

void pt_rebind_walk(PtRebind *r) {
  g_autoptr(PtUses) uses = pt_uses_new(r->candidate);
  Walk walk = {r, uses};
  for (PtNodeId id = 0; id < pt_graph_n_nodes(r->candidate); id++) {
    const PtNode *node = pt_node(r->candidate, id);
    if (!node->dead && node->n_outputs > 0 && node->n_inputs > 0)
      start_node(&walk, node);
  }
}
