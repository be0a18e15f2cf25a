/* operators: the library's templates as operators for room populate, those that suit a piece. */
#include "walk/maker.h"

#include <math.h>

#define PER_TOKEN 3 /* variants of one operator */
#define OPERATORS 64
#define ANY_OPERATORS 256
#define ROWS 64 /* of operators that are known by types alone */
#define TYPES 48
#define SIZES 40
#define RARE 0.002 /* of all uses: rarer ones are left to who has them */
#define OWN 4.0    /* an operator seen in the model counts as so many in the corpus */

/* ---- a template as an operator ----------------------------------------------------------------
 */
/* False: it can be given no weights that the rule knows of. */
static bool add_weight(PtOperator *op, const PtWalkSlot *slot) {
  uint16_t sizes = 0;
  bool large = false;
  op->least_rank = (uint8_t)MAX(op->least_rank, slot->rank);
  for (uint32_t d = 0; d < slot->rank; d++) {
    int32_t code = slot->dims[d];
    if (code >= 0)
      large |= code > 1;
    else if (code == PT_DIM_WIDTH)
      sizes |= PT_SIZE_WIDTH;
    else if (code == PT_DIM_CHANNEL || code == PT_DIM_PER_GROUP) {
      sizes |= code == PT_DIM_CHANNEL ? PT_SIZE_CHANNEL : PT_SIZE_PER_GROUP;
      op->known_channel = true;
    } else {
      int32_t from_end = PT_DIM_AXIS - code - 1;
      if (from_end < 0 || from_end >= PT_WALK_RANK)
        return false;
      sizes |= (uint16_t)(1u << from_end);
      op->known |= (uint8_t)(1u << from_end);
    }
  }
  if (large)
    return true;
  if (op->n_weights == PT_OPERATOR_WEIGHTS)
    return false;
  op->weights[op->n_weights++] = sizes;
  return true;
}

static bool add_slots(PtOperator *op, const PtWalkTemplate *t) {
  for (uint32_t i = 0; i < t->n_slots; i++) {
    const PtWalkSlot *slot = &t->slots[i];
    if (slot->kind == PT_SLOT_REAL && pt_dtype_is_float(slot->real->dtype)) {
      op->dtype = (uint8_t)slot->real->dtype;
      if (!t->limits)
        op->least_rank = (uint8_t)MAX(op->least_rank, slot->real->rank);
    }
    if (slot->kind == PT_SLOT_WEIGHT && !add_weight(op, slot))
      return false;
  }
  return true;
}

static bool commutes(const PtWalkTemplate *t) {
  static const char *const ops[] = {"Add", "Mul", "Max", "Min", "Sum", "Mean", "Concat"};
  for (size_t i = 0; i < G_N_ELEMENTS(ops); i++)
    if (g_str_equal(t->op, ops[i]))
      return true;
  return false;
}

static void add_attributes(PtOperator *op, const PtWalkTemplate *t) {
  op->n_space = op->rule == PT_RULE_CONV || op->rule == PT_RULE_POOL ? t->n_space : 0;
  memcpy(op->kernel, t->kernel, sizeof op->kernel);
  memcpy(op->strides, t->strides, sizeof op->strides);
  memcpy(op->dilations, t->dilations, sizeof op->dilations);
  memcpy(op->pads, t->pads, sizeof op->pads);
  memcpy(op->perm, t->perm, sizeof op->perm);
  op->n_perm = t->n_perm;
  op->ceil_mode = t->ceil_mode;
  op->groups = t->groups;
  op->axes = t->axes;
  op->axis = t->axis;
  op->keep = t->keep;
  op->two_d = op->rule == PT_RULE_LINEAR && g_str_equal(t->op, "Gemm");
  if (op->rule == PT_RULE_SAME && t->axis < 0)
    op->least_rank = (uint8_t)MAX(op->least_rank, -t->axis);
}

/* ---- signs ------------------------------------------------------------------------------------
 */
/* Of what comes out; operators that are not here may give anything. */
static const struct {
  const char *op;
  PtSign gives;
} signs[] = {
    {"Abs", PT_SIGN_POSITIVE},        {"Exp", PT_SIGN_POSITIVE},
    {"ReduceL1", PT_SIGN_POSITIVE},   {"ReduceL2", PT_SIGN_POSITIVE},
    {"Sigmoid", PT_SIGN_POSITIVE},    {"Softmax", PT_SIGN_POSITIVE},
    {"Softplus", PT_SIGN_POSITIVE},   {"Add", PT_SIGN_KEEPS},
    {"AveragePool", PT_SIGN_KEEPS},   {"Concat", PT_SIGN_KEEPS},
    {"Div", PT_SIGN_KEEPS},           {"Dropout", PT_SIGN_KEEPS},
    {"Erf", PT_SIGN_KEEPS},           {"Expand", PT_SIGN_KEEPS},
    {"Flatten", PT_SIGN_KEEPS},       {"GlobalAveragePool", PT_SIGN_KEEPS},
    {"GlobalMaxPool", PT_SIGN_KEEPS}, {"Identity", PT_SIGN_KEEPS},
    {"Max", PT_SIGN_KEEPS},           {"MaxPool", PT_SIGN_KEEPS},
    {"Min", PT_SIGN_KEEPS},           {"Mul", PT_SIGN_KEEPS},
    {"Reciprocal", PT_SIGN_KEEPS},    {"ReduceMax", PT_SIGN_KEEPS},
    {"ReduceMean", PT_SIGN_KEEPS},    {"ReduceMin", PT_SIGN_KEEPS},
    {"ReduceSum", PT_SIGN_KEEPS},     {"Reshape", PT_SIGN_KEEPS},
    {"Slice", PT_SIGN_KEEPS},         {"Sqrt", PT_SIGN_KEEPS},
    {"Squeeze", PT_SIGN_KEEPS},       {"Sum", PT_SIGN_KEEPS},
    {"Transpose", PT_SIGN_KEEPS},     {"Unsqueeze", PT_SIGN_KEEPS},
};

static bool all_positive(const PtTensor *t) {
  for (size_t i = 0; i < t->count; i++)
    if (!t->data || !(pt_tensor_float_at(t, i) > 0))
      return false;
  return true;
}

/* A constant power: even ones are positive, whole ones take anything. */
static void set_power(PtOperator *op, const PtTensor *power) {
  double p = power->data && power->count == 1 ? pt_tensor_float_at(power, 0) : 0.5;
  bool whole = p >= 1 && p <= 16 && p == (double)(int)p;
  if (whole)
    op->needs = 0;
  op->gives = whole && (int)p % 2 == 0 ? PT_SIGN_POSITIVE : PT_SIGN_KEEPS;
}

/* By the operator's row and its constants: weights may be negative. */
static void set_signs(PtOperator *op, const PtWalkTemplate *t) {
  const PtOp *row = pt_op_find(t->domain, t->op);
  uint32_t data = 0;
  for (size_t i = 0; i < G_N_ELEMENTS(signs) && !t->domain[0]; i++)
    if (g_str_equal(signs[i].op, t->op))
      op->gives = signs[i].gives;
  for (uint32_t i = 0; i < t->n_slots; i++) {
    const PtWalkSlot *slot = &t->slots[i];
    if (slot->kind == PT_SLOT_DATA && data < 8) {
      op->needs = (uint8_t)(op->needs | (row && i < 32 && row->positive >> i & 1 ? 1u << data : 0));
      data++;
    }
    bool negative = slot->kind == PT_SLOT_WEIGHT ||
                    (slot->kind == PT_SLOT_REAL && pt_dtype_is_float(slot->real->dtype) &&
                     !all_positive(slot->real));
    if (negative && op->gives == PT_SIGN_KEEPS)
      op->gives = PT_SIGN_ANY;
  }
  if (g_str_equal(t->op, "Pow") && t->n_slots == 2 && t->slots[1].kind == PT_SLOT_REAL)
    set_power(op, t->slots[1].real);
}

/* ---- growth -----------------------------------------------------------------------------------
 */
/* Noise (docs/noise.md): log2 of the mean of |x|, of any sign and positive. */
#define WEIGHT (-2.4)
#define ROOT_MEAN_SQUARE (-1.7)
#define POSITIVE 1.2

/* gain: log2; where weights or constants decide, set_growth says more. */
static const struct {
  const char *op;
  PtGrowth growth;
  double gain;
} growths[] = {
    {"Add", PT_GROWTH_KEEPS, 0.4},
    {"AveragePool", PT_GROWTH_KEEPS, -0.3},
    {"BatchNormalization", PT_GROWTH_SCALED, ROOT_MEAN_SQUARE - POSITIVE / 2},
    {"Clip", PT_GROWTH_KEEPS, 0},
    {"Conv", PT_GROWTH_LINEAR, ROOT_MEAN_SQUARE},
    {"ConvTranspose", PT_GROWTH_LINEAR, ROOT_MEAN_SQUARE},
    {"Cos", PT_GROWTH_BOUNDED, 0},
    {"Div", PT_GROWTH_QUOTIENT, 1},
    {"Elu", PT_GROWTH_KEEPS, -0.5},
    {"Erf", PT_GROWTH_BOUNDED, 0},
    {"Exp", PT_GROWTH_EXP, 0},
    {"Gelu", PT_GROWTH_KEEPS, -1},
    {"Gemm", PT_GROWTH_LINEAR, ROOT_MEAN_SQUARE},
    {"GlobalAveragePool", PT_GROWTH_KEEPS, -1},
    {"GroupNormalization", PT_GROWTH_FIXED, WEIGHT},
    {"HardSigmoid", PT_GROWTH_FIXED, -1},
    {"HardSwish", PT_GROWTH_KEEPS, -1},
    {"InstanceNormalization", PT_GROWTH_FIXED, WEIGHT},
    {"LayerNormalization", PT_GROWTH_FIXED, WEIGHT},
    {"LpNormalization", PT_GROWTH_FIXED, -2},
    {"MatMul", PT_GROWTH_LINEAR, ROOT_MEAN_SQUARE},
    {"MaxPool", PT_GROWTH_KEEPS, 0.7},
    {"Mul", PT_GROWTH_PRODUCT, 0},
    {"ReduceL1", PT_GROWTH_SUMS, 0},
    {"ReduceL2", PT_GROWTH_SUMS, 0},
    {"ReduceMax", PT_GROWTH_KEEPS, 1},
    {"ReduceMean", PT_GROWTH_KEEPS, 0},
    {"ReduceSum", PT_GROWTH_SUMS, 0},
    {"Relu", PT_GROWTH_KEEPS, -0.7},
    {"Sigmoid", PT_GROWTH_FIXED, -1},
    {"Sin", PT_GROWTH_BOUNDED, 0},
    {"Softmax", PT_GROWTH_SHARES, 0},
    {"Sqrt", PT_GROWTH_POWER, 0.5},
    {"Sub", PT_GROWTH_KEEPS, 0.4},
    {"Tanh", PT_GROWTH_BOUNDED, 0},
};

static double size_of_constant(const PtTensor *t) {
  double sum = 0;
  for (size_t i = 0; t->data && i < t->count; i++)
    sum += fabs(pt_tensor_float_at(t, i));
  return t->count > 0 && sum > 0 ? log2(sum / (double)t->count) : 0;
}

/* What a constant beside the data does. */
static void set_growth(PtOperator *op, const PtWalkTemplate *t) {
  for (size_t i = 0; i < G_N_ELEMENTS(growths) && !t->domain[0]; i++)
    if (g_str_equal(growths[i].op, t->op)) {
      op->growth = growths[i].growth;
      op->gain = growths[i].gain;
    }
  if (op->rule == PT_RULE_MATMUL) {
    op->growth = PT_GROWTH_MATMUL;
    op->gain = 0.3;
  }
  for (uint32_t i = 0; i < t->n_slots && t->n_slots == 2 && t->n_data == 1; i++) {
    const PtWalkSlot *slot = &t->slots[i];
    bool real = slot->kind == PT_SLOT_REAL && pt_dtype_is_float(slot->real->dtype);
    double size = real ? size_of_constant(slot->real) : WEIGHT;
    if (!real && slot->kind != PT_SLOT_WEIGHT)
      continue;
    if (g_str_equal(t->op, "Pow") && real) {
      op->growth = PT_GROWTH_POWER;
      op->gain = pt_tensor_float_at(slot->real, 0);
    } else if (op->growth == PT_GROWTH_PRODUCT) {
      op->gain = size;
    } else if (op->growth == PT_GROWTH_QUOTIENT) {
      op->gain = i == 0 ? size : real ? -size : -POSITIVE;
      if (i == 0)
        op->growth = PT_GROWTH_FIXED;
    } else if (g_str_equal(t->op, "Add") || g_str_equal(t->op, "Sub")) {
      op->growth = PT_GROWTH_FLOOR;
      op->gain = size;
    } else if (g_str_equal(t->op, "Min") && real) {
      op->growth = PT_GROWTH_BOUNDED;
      op->gain = size;
    }
  }
}

PtFiniteType pt_finite_of(const PtWalkType *t) {
  PtFiniteType f;
  G_STATIC_ASSERT(sizeof f == sizeof *t && PT_FINITE_RANK == PT_WALK_RANK);
  memcpy(&f, t, sizeof f);
  return f;
}

bool pt_walk_operator(const PtWalkTemplate *t, uint32_t id, PtOperator *op) {
  static const struct {
    bool has;
    PtRuleKind rule;
  } rules[PT_WALK_KINDS] = {
      [PT_WALK_SAME] = {true, PT_RULE_SAME},
      [PT_WALK_BINARY] = {true, PT_RULE_BINARY},
      [PT_WALK_CONV] = {true, PT_RULE_CONV},
      [PT_WALK_POOL] = {true, PT_RULE_POOL},
      [PT_WALK_GLOBAL_POOL] = {true, PT_RULE_GLOBAL_POOL},
      [PT_WALK_LINEAR] = {true, PT_RULE_LINEAR},
      [PT_WALK_MATMUL] = {true, PT_RULE_MATMUL},
      [PT_WALK_TRANSPOSE] = {true, PT_RULE_TRANSPOSE},
      [PT_WALK_REDUCE] = {true, PT_RULE_REDUCE},
      [PT_WALK_CONCAT] = {true, PT_RULE_CONCAT},
      [PT_WALK_FLATTEN] = {true, PT_RULE_FLATTEN},
  };
  if (t->n_captures || t->source || t->outputs != 1 || t->n_data < 1)
    return false;
  *op = (PtOperator){.rule = rules[t->kind].rule,
                     .id = id,
                     .token = t->token,
                     .weight = 1,
                     .n_in = t->n_data,
                     .dense = t->dense,
                     .commutes = commutes(t)};
  set_signs(op, t);
  set_growth(op, t);
  if (rules[t->kind].has) {
    add_attributes(op, t);
    return add_slots(op, t);
  }
  if (t->n_data > PT_OPERATOR_INPUTS || !t->moves_floats)
    return false;
  op->rule = PT_RULE_TABLE;
  op->commutes = op->dense = false;
  op->anchor[0] = -1;
  if (t->kind != PT_WALK_OPAQUE)
    return !t->dense && t->n_data == 1; /* types: those of the piece */
  op->out = pt_finite_of(&t->out[0]);
  bool data = pt_walk_is_data(&t->out[0]);
  for (uint32_t i = 0; i < t->n_data; i++) {
    op->in[i] = pt_finite_of(&t->in[i]);
    op->anchor[i] = -1;
    data &= pt_walk_is_data(&t->in[i]);
  }
  return data;
}

/* ---- those that suit a piece ------------------------------------------------------------------
 */
void pt_walk_count_uses(GArray *counts, const PtWalkState *s, double times) {
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    if (n->n_in == 0)
      continue;
    while (counts->len <= n->template) {
      PtTemplateUse none = {0};
      g_array_append_val(counts, none);
    }
    PtTemplateUse *use = &g_array_index(counts, PtTemplateUse, n->template);
    int32_t rank = pt_walk_ref_type(s, s->refs[n->in])->rank;
    use->by_rank[CLAMP(rank, 0, PT_WALK_RANK)] += times;
  }
}

typedef struct Ranked {
  uint32_t template;
  double score, own, here;
} Ranked;

static int by_score(const void *a, const void *b) {
  const Ranked *x = a, *y = b; /* all that the piece has comes first, then what the model has */
  if ((x->here > 0) != (y->here > 0))
    return x->here > 0 ? -1 : 1;
  if ((x->own > 0) != (y->own > 0))
    return x->own > 0 ? -1 : 1;
  return x->score > y->score   ? -1
         : x->score < y->score ? 1
                               : x->template <y->template ? -1 : x->template > y->template;
}

static double uses_at(const GArray *counts, uint32_t template, uint32_t ranks) {
  double sum = 0;
  if (template >= counts->len)
    return 0;
  for (int32_t r = 0; r <= PT_WALK_RANK; r++)
    if (ranks >> r & 1)
      sum += g_array_index(counts, PtTemplateUse, template).by_rank[r];
  return sum;
}

static bool of_opset(const PtWalkTemplate *t, int64_t opset) {
  return t->since <= opset && opset <= t->until;
}

/* Weights: shares among those of one token. */
static void share_weights(GArray *operators) {
  PtMap64 all = {0};
  for (guint i = 0; i < operators->len; i++) {
    const PtOperator *op = &g_array_index(operators, PtOperator, i);
    *pt_map64_at(&all, op->token) += op->weight;
  }
  for (guint i = 0; i < operators->len; i++) {
    PtOperator *op = &g_array_index(operators, PtOperator, i);
    op->weight /= pt_map64_get(&all, op->token, op->weight);
  }
  pt_map64_clear(&all);
}

static bool is_by_types(const PtWalkTemplate *t) {
  return t->kind > PT_WALK_FLATTEN;
}

/* ---- operators by the types of a piece --------------------------------------------------------
 */
/* What room populate has no rule for is a row for each type of the piece's values that it takes. */
typedef struct ByType {
  GArray *types; /* PtWalkType: of the piece, and what comes out */
  GArray *sizes; /* int32_t: all there are in them */
  guint rows;
} ByType;

static bool add_sizes(ByType *b, const PtWalkType *t) {
  guint before = b->sizes->len;
  for (int32_t d = 0; d < t->rank; d++) {
    bool known = false;
    for (guint i = 0; i < b->sizes->len; i++)
      known |= g_array_index(b->sizes, int32_t, i) == t->dims[d];
    if (!known)
      g_array_append_val(b->sizes, t->dims[d]);
  }
  bool fits = b->sizes->len <= SIZES;
  if (!fits)
    g_array_set_size(b->sizes, before);
  return fits;
}

/* False: there are enough. */
static bool add_type(ByType *b, const PtWalkType *t) {
  for (guint i = 0; i < b->types->len; i++)
    if (pt_walk_same(&g_array_index(b->types, PtWalkType, i), t))
      return true;
  if (!pt_walk_is_data(t) || b->types->len == TYPES || !add_sizes(b, t))
    return false;
  g_array_append_vals(b->types, t, 1);
  return true;
}

static ByType by_type_new(const PtWalkState *s) {
  ByType b = {g_array_new(FALSE, FALSE, sizeof(PtWalkType)),
              g_array_new(FALSE, FALSE, sizeof(int32_t)), 0};
  for (uint32_t i = 0; i < s->face->n_in; i++)
    (void)add_type(&b, &s->face->in[i]);
  for (uint32_t i = 0; i < s->n; i++)
    (void)add_type(&b, &s->nodes[i].type);
  return b;
}

static bool add_sizes_of(ByType *b, const PtWalkTemplate *opaque) {
  bool fits = add_sizes(b, &opaque->out[0]);
  for (uint32_t i = 0; fits && i < opaque->n_data; i++)
    fits = add_sizes(b, &opaque->in[i]);
  return fits;
}

static void add_rows(ByType *b, const PtWalkTemplate *t, PtOperator *op, GArray *operators) {
  guint n = b->types->len;
  for (guint i = 0; i < n && b->rows < ROWS; i++) {
    PtWalkType x = g_array_index(b->types, PtWalkType, i), out;
    if (!pt_walk_infer(t, 0, (const PtWalkType *[]){&x}, &out) || !add_type(b, &out))
      continue;
    op->in[0] = pt_finite_of(&x);
    op->out = pt_finite_of(&out);
    g_array_append_vals(operators, op, 1);
    b->rows++;
  }
}

GArray *pt_walk_operators_for(const PtWalkLibrary *library, const GArray *corpus, const GArray *own,
                              const PtWalkState *piece, uint32_t ranks, bool any) {
  GArray *operators = g_array_new(FALSE, TRUE, sizeof(PtOperator));
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Ranked));
  g_autoptr(GArray) here = g_array_new(FALSE, TRUE, sizeof(PtTemplateUse));
  ByType by_type = by_type_new(piece);
  PtMap64 of_token = {0};
  double uses = 0;
  pt_walk_count_uses(here, piece, 1);
  for (uint32_t i = 0; i < library->templates->len; i++) {
    const PtWalkTemplate *t = pt_walk_template(library, i);
    Ranked r = {i, 0, uses_at(own, i, ranks), uses_at(here, i, ranks)};
    r.score = any ? 1 : uses_at(corpus, i, ranks) + OWN * r.own;
    uses += r.score;
    bool by_types = t->kind == PT_WALK_OPAQUE || is_by_types(t);
    if (r.score > 0 && of_opset(t, piece->face->opset) && (!by_types || r.own > 0))
      g_array_append_val(all, r);
  }
  g_array_sort(all, by_score);
  for (guint i = 0;
       i < all->len && operators->len < (any ? ANY_OPERATORS : OPERATORS) + by_type.rows; i++) {
    const Ranked *r = &g_array_index(all, Ranked, i);
    const PtWalkTemplate *t = pt_walk_template(library, r->template);
    PtOperator op;
    double *seen = pt_map64_at(&of_token, t->token);
    bool rare = any ? *seen >= 1 : *seen >= PER_TOKEN || r->score < RARE * uses;
    if ((rare && (any || r->own == 0)) || !pt_walk_operator(t, r->template, &op))
      continue;
    if (t->kind == PT_WALK_OPAQUE && !add_sizes_of(&by_type, t))
      continue;
    ++*seen;
    op.weight = r->score;
    if (!is_by_types(t))
      g_array_append_val(operators, op);
    else {
      op.rule = PT_RULE_TABLE;
      op.anchor[0] = -1;
      add_rows(&by_type, t, &op, operators);
    }
  }
  pt_map64_clear(&of_token);
  g_array_unref(by_type.types);
  g_array_unref(by_type.sizes);
  share_weights(operators);
  return operators;
}
