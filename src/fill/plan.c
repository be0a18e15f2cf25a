/* plan: what each empty constant is for, found by following it forward through operators that only
 * move data to the first one that computes with it; and the range of values that keeps what comes
 * out of that one of moderate size. */
#include "fill/fill_private.h"

#include "ops/ops.h"

#include <math.h>

/* What a constant is for; where it is used twice the larger one counts. */
typedef enum { USE_NONE, USE_SMALL, USE_TABLE, USE_SCALE, USE_MATRIX, USE_POSITIVE } Use;

typedef struct Finding {
  Use use;
  double fan_in,
      gain; /* matrices: elements summed for one output; wanted variance out over variance in */
} Finding;

typedef struct Plan {
  PtGraph *graph;
  PtUses *uses;
  bool *fixed; /* [n_values] follows from constants alone */
} Plan;

static void take(Finding *into, Finding f) {
  if (f.use > into->use || (f.use == into->use && f.fan_in > into->fan_in))
    *into = f;
}

/* ---- how large the output of a linear operator should be
 * ----------------------------------------- */
static const char *const shrinking[] = {"Sigmoid", "Tanh", "HardSigmoid", "Softsign"};

static bool is_one_of(const PtNode *node, const char *const *names, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (pt_op_is(node, names[i]))
      return true;
  return false;
}

/* Follows the output of a convolution or product to what reads it: an activation that drops half of
 * it wants twice the variance, a branch that joins a residual a quarter, so that depth does not add
 * up. */
static PtNodeId only_reader(const Plan *p, PtValueId v, bool *several) {
  PtNodeId reader = PT_NONE;
  *several = false;
  for (uint32_t u = p->uses->start[v]; u < p->uses->start[v + 1]; u++) {
    const PtOp *op = pt_op_of(pt_node(p->graph, p->uses->node[u]));
    if (op && (op->flags & PT_OP_SHAPE_ONLY))
      continue;
    /* x * sigmoid(x) is an activation in two nodes */
    *several |= reader != PT_NONE;
    if (reader == PT_NONE || (op && op->op_class == PT_CLASS_ACTIVATION))
      reader = p->uses->node[u];
  }
  return reader;
}

static bool joins_other(const Plan *p, const PtNode *node, PtValueId v) {
  for (uint32_t i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PT_NONE && node->inputs[i] != v && !p->fixed[node->inputs[i]])
      return true;
  return false;
}

static double gain_after(const Plan *p, PtValueId v) {
  for (int step = 0; step < 8 && v != PT_NONE; step++) {
    bool several;
    PtNodeId reader = only_reader(p, v, &several);
    const PtNode *node = reader == PT_NONE ? NULL : pt_node(p->graph, reader);
    const PtOp *op = node ? pt_op_of(node) : NULL;
    if (!op || node->n_outputs == 0)
      return 1.0;
    if (op->op_class == PT_CLASS_ACTIVATION)
      return !several && is_one_of(node, shrinking, G_N_ELEMENTS(shrinking)) ? 1.0 : 2.0;
    if (several)
      return 1.0;
    if (op->op_class == PT_CLASS_BINARY && joins_other(p, node, v))
      return pt_op_is(node, "Add") || pt_op_is(node, "Sum") ? 0.25 : 1.0;
    if (op->op_class != PT_CLASS_BINARY && op->op_class != PT_CLASS_NORM &&
        !(op->flags & PT_OP_PASSES))
      return 1.0;
    v = node->outputs[0];
  }
  return 1.0;
}

/* ---- one use
 * --------------------------------------------------------------------------------------- */
static Finding matrix(const Plan *p, const PtNode *node, double fan_in) {
  return (Finding){USE_MATRIX, MAX(fan_in, 1), gain_after(p, node->outputs[0])};
}

static double dim(const PtType *t, int32_t i) {
  if (i < 0)
    i += t->rank;
  return i >= 0 && i < t->rank && t->dims[i].size > 0 ? (double)t->dims[i].size : 1;
}

static Finding linear_use(const Plan *p, const PtNode *node, uint32_t input, const PtType *t) {
  bool gemm = strstr(node->op_type, "Gemm") != NULL;
  if (input >= 2 || t->rank < 1)
    return (Finding){.use = USE_SMALL};
  bool transposed = pt_node_int(node, input ? "transB" : "transA", 0) != 0;
  if (pt_op_is(node, "Einsum"))
    return matrix(p, node,
                  t->rank > 1 ? dim(t, 0) * dim(t, 1) / MIN(dim(t, 0), dim(t, 1)) : dim(t, 0));
  if (t->rank == 1)
    return matrix(p, node, dim(t, 0));
  if (input == 0)
    return matrix(p, node, dim(t, transposed ? -2 : -1));
  return matrix(p, node, gemm ? dim(t, transposed ? 1 : 0) : dim(t, transposed ? -1 : -2));
}

static Finding conv_use(const Plan *p, const PtNode *node, uint32_t input, const PtType *t) {
  if (input != 1)
    return (Finding){.use = USE_SMALL};
  double fan_in = 1;
  bool transpose = strstr(node->op_type, "Transpose") != NULL;
  for (int32_t i = 0; i < t->rank; i++)
    if (i != (transpose ? 1 : 0))
      fan_in *= dim(t, i);
  if (transpose) { /* each output sums kernel / stride taps of the group's channels */
    uint32_t n;
    const int64_t *strides = pt_node_ints(node, "strides", &n);
    fan_in /= (double)MAX(pt_node_int(node, "group", 1), 1);
    for (uint32_t i = 0; i < n; i++)
      fan_in /= (double)MAX(strides[i], 1);
  }
  return matrix(p, node, fan_in);
}

static Finding norm_use(const PtNode *node, uint32_t input) {
  if (g_str_has_prefix(node->op_type, "Embed"))
    return (Finding){.use = input < 5 ? USE_TABLE : input == 5 ? USE_SCALE : USE_SMALL};
  uint32_t scale = g_str_has_prefix(node->op_type, "Skip") ? 2 : 1;
  if (pt_op_is(node, "BatchNormalization") && input == 4)
    return (Finding){.use = USE_POSITIVE};
  return (Finding){.use = input == scale ? USE_SCALE : USE_SMALL};
}

static bool all_fixed(const Plan *p, const PtNode *node) {
  for (uint32_t i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PT_NONE && !p->fixed[node->inputs[i]])
      return false;
  return true;
}

static void follow(const Plan *p, PtValueId value, const PtType *type, int depth, Finding *out);

/* Computed from constants only, such as a weight's normalization: the operand as large as the
 * result is the weight, the smaller one scales it. */
static void binary_use(const Plan *p, const PtNode *node, const PtType *t, int depth,
                       Finding *out) {
  const PtType *result = &pt_value(p->graph, node->outputs[0])->type;
  bool multiplies = pt_op_is(node, "Mul") || pt_op_is(node, "Div");
  if (all_fixed(p, node) && (!multiplies || pt_type_count(result) == pt_type_count(t))) {
    follow(p, node->outputs[0], result, depth, out);
    return;
  }
  take(out, (Finding){.use = multiplies || pt_op_is(node, "Pow") ? USE_SCALE : USE_SMALL});
}

static void one_use(const Plan *p, const PtNode *node, uint32_t input, const PtType *t, int depth,
                    Finding *out) {
  const PtOp *op = pt_op_of(node);
  if (!op) {
    take(out, (Finding){.use = USE_SMALL});
    return;
  }
  switch (op->op_class) {
  case PT_CLASS_CONV:
    take(out, conv_use(p, node, input, t));
    return;
  case PT_CLASS_LINEAR:
    take(out, linear_use(p, node, input, t));
    return;
  case PT_CLASS_NORM:
    take(out, norm_use(node, input));
    return;
  case PT_CLASS_RECURRENT:
    take(out, input == 1 || input == 2 ? (Finding){USE_MATRIX, dim(t, -1), 1.0}
                                       : (Finding){.use = USE_SMALL});
    return;
  case PT_CLASS_BINARY:
    binary_use(p, node, t, depth, out);
    return;
  default:
    break;
  }
  if ((strstr(node->op_type, "Gather") && input == 0) || pt_op_is(node, "PRelu"))
    take(out, (Finding){.use = USE_TABLE});
  else if (op->flags & (PT_OP_PASSES | PT_OP_ELEMENTWISE))
    for (uint32_t i = 0; i < node->n_outputs; i++) {
      if (node->outputs[i] == PT_NONE)
        continue;
      const PtType *result = &pt_value(p->graph, node->outputs[i])->type;
      follow(p, node->outputs[i], pt_type_is_static(result) ? result : t, depth, out);
    }
  else
    take(out, (Finding){.use = USE_SMALL});
}

/* A nested graph that reads the value is followed like the rest, for what its own uses are. */
static void nested_uses(const PtNode *node, PtValueId value, const PtType *type, Finding *out) {
  for (uint32_t a = 0; a < node->n_attrs; a++)
    for (uint32_t i = 0; node->attrs[a].kind == PT_ATTR_GRAPH && i < node->attrs[a].count; i++) {
      PtGraph *nested = node->attrs[a].as.graphs[i];
      Plan inner = {.graph = nested,
                    .uses = pt_uses_new(nested),
                    .fixed = g_new0(bool, pt_graph_n_values(nested) + 1)};
      for (PtValueId v = 0; v < pt_graph_n_values(nested); v++)
        inner.fixed[v] =
            pt_value(nested, v)->constant != NULL || pt_value(nested, v)->outer == value;
      for (PtValueId v = 0; v < pt_graph_n_values(nested); v++)
        if (pt_value(nested, v)->outer == value)
          follow(&inner, v, type, 8, out);
      pt_uses_free(inner.uses);
      g_free(inner.fixed);
    }
}

static void follow(const Plan *p, PtValueId value, const PtType *type, int depth, Finding *out) {
  if (depth == 0)
    return;
  for (uint32_t u = p->uses->start[value]; u < p->uses->start[value + 1]; u++) {
    const PtNode *node = pt_node(p->graph, p->uses->node[u]);
    for (uint32_t i = 0; i < node->n_inputs; i++)
      if (node->inputs[i] == value)
        one_use(p, node, i, type, depth - 1, out);
    if (node->n_captures > 0)
      nested_uses(node, value, type, out);
  }
}

/* ---- the plan
 * -------------------------------------------------------------------------------------- */
static PtFillPlan range_of(Finding f) {
  switch (f.use) {
  case USE_POSITIVE:
    return (PtFillPlan){1.0f, 0.5f};
  case USE_SCALE:
    return (PtFillPlan){1.0f, 0.2f};
  case USE_TABLE:
    return (PtFillPlan){0.0f, 0.5f};
  case USE_MATRIX: /* a uniform distribution's variance is a third of its spread's square */
    return (PtFillPlan){0.0f, (float)sqrt(3.0 * f.gain / f.fan_in)};
  default:
    return (PtFillPlan){0.0f, 0.1f};
  }
}

/* Values that follow from constants alone get their types, so that a weight is followed with its
 * true shape. */
static void find_fixed(Plan *p) {
  PtGraph *g = p->graph;
  PtType types[16];
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    p->fixed[v] = pt_value(g, v)->constant != NULL;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
    const PtNode *node = pt_node(g, n);
    if (node->dead || node->n_inputs == 0 || node->n_outputs > 16 || !all_fixed(p, node))
      continue;
    bool typed = pt_op_infer(g, node, types);
    for (uint32_t i = 0; i < node->n_outputs; i++) {
      if (node->outputs[i] == PT_NONE)
        continue;
      p->fixed[node->outputs[i]] = true;
      PtType *t = &pt_value(g, node->outputs[i])->type;
      if (typed && t->kind == PT_TYPE_UNKNOWN)
        *t = types[i];
    }
  }
}

PtFillPlan *pt_fill_plan(PtGraph *graph) {
  uint32_t n = pt_graph_n_values(graph);
  Plan p = {.graph = graph, .uses = pt_uses_new(graph), .fixed = g_new0(bool, n + 1)};
  find_fixed(&p);
  g_autofree PtRole *roles = pt_roles(graph);
  PtFillPlan *plan = g_new0(PtFillPlan, n + 1);
  for (PtValueId v = 0; v < n; v++) {
    PtTensor *t = pt_value(graph, v)->constant;
    if (!t || !pt_tensor_is_empty(t) || !pt_dtype_is_float(t->dtype))
      continue;
    PtType type = pt_type_of_constant(graph, t);
    Finding f = {.use = USE_NONE};
    if (roles[v] == PT_ROLE_POSITIVE || t->count == 1)
      f.use = USE_POSITIVE;
    else
      follow(&p, v, &type, 16, &f);
    plan[v] = range_of(f);
  }
  pt_uses_free(p.uses);
  g_free(p.fixed);
  return plan;
}
