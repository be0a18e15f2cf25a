/* roles: which constants keep their data (DESIGN.md, "Weights never leave"), by walking the graph
 * backward from the inputs that steer shapes and from those that must be positive. */
#include "ops/ops.h"

/* clang-format off */
G_DEFINE_QUARK(pt-ops-error-quark, pt_ops_error)
/* clang-format on */

/* A float tensor larger than this never steers a shape; it is a weight, whatever it feeds. */
#define MAX_STEERING_FLOATS 1024

enum {
  STEERS = 1 << 0,   /* a shape or an index depends on the value's data */
  POSITIVE = 1 << 1, /* has to be positive */
  DATA = 1 << 2,     /* an integer that something reads as a number, not as a quantized weight */
  QUANT = 1 << 3     /* an integer that is a quantized weight */
};

typedef struct Marks {
  const PtGraph *graph;
  uint8_t *mark;    /* [n_values] */
  bool *activation; /* [n_values] computed from float data that runs through the model, not from
                       shapes */
  bool changed;
} Marks;

static void add_mark(Marks *m, PtValueId value, unsigned bits) {
  if (value == PT_NONE || (m->mark[value] & bits) == bits)
    return;
  m->mark[value] |= (uint8_t)bits;
  m->changed = true;
}

/* Walking back from a shape stops where learned weights mix in: they never become real for it.
 * Choices whose result is in range whatever the data are stop it too. */
static bool stops_steering(const PtOp *op) {
  switch (op->op_class) {
  case PT_CLASS_CONV:
  case PT_CLASS_LINEAR:
  case PT_CLASS_RECURRENT:
  case PT_CLASS_NORM:
  case PT_CLASS_QUANT:
  case PT_CLASS_SHAPE:
  case PT_CLASS_SOFTMAX:
    return true;
  default:
    return g_str_equal(op->name, "ArgMax") || g_str_equal(op->name, "ArgMin") ||
           g_str_equal(op->name, "TopK") || g_str_equal(op->name, "NonZero") ||
           g_str_equal(op->name, "NonMaxSuppression");
  }
}

static bool keeps_sign(const PtOp *op) {
  static const char *const names[] = {
      "Add",       "Mul",       "Div",        "Max",        "Sum",       "Mean",
      "Where",     "Concat",    "Sqrt",       "Reciprocal", "ReduceSum", "ReduceMean",
      "ReduceMax", "ReduceMin", "ReduceProd", "Min",        "Pow",       "CumSum"};
  if (op->flags & PT_OP_PASSES)
    return true;
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    if (g_str_equal(op->name, names[i]))
      return true;
  return false;
}

/* Which inputs carry the output's sign: all of an elementwise operator's, the data of one that
 * moves data. */
static bool carries(const PtOp *op, uint32_t input) {
  if (g_str_equal(op->name, "Concat") || (op->flags & PT_OP_ELEMENTWISE))
    return !(op->flags & PT_OP_PASSES) || input == 0 || g_str_equal(op->name, "Concat");
  if (g_str_has_prefix(op->name, "Scatter"))
    return input == 0 || input == 2;
  return input == 0;
}

static bool whole_number_power(const PtGraph *graph, const PtNode *node) {
  const PtTensor *t = node->n_inputs > 1 && node->inputs[1] != PT_NONE
                          ? pt_value(graph, node->inputs[1])->constant
                          : NULL;
  if (!t || t->count != 1)
    return false;
  int64_t whole;
  if (pt_tensor_ints(t, &whole, 1) == 1)
    return true;
  double e = pt_tensor_float_at(t, 0);
  return e == (double)(int64_t)CLAMP(e, -1000, 1000);
}

/* Where activations mix in, biases and scales are learned: a coordinate computed from them is no
 * shape. A float vector that comes in from outside may well be one. */
static bool starts_activation(const PtValue *value) {
  if (value->constant)
    return pt_dtype_is_float(value->constant->dtype) &&
           value->constant->count > MAX_STEERING_FLOATS;
  if (value->producer != PT_NONE)
    return false;
  const PtType *t = &value->type;
  bool whole = t->kind == PT_TYPE_TENSOR && (pt_dtype_is_integer(t->dtype) || t->dtype == PT_BOOL);
  return !whole && !(t->kind == PT_TYPE_TENSOR && (t->rank == 0 || t->rank == 1));
}

static void find_activations(Marks *m) {
  const PtGraph *g = m->graph;
  bool changed;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    m->activation[v] = starts_activation(pt_value(g, v));
  do {
    changed = false;
    for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
      const PtNode *node = pt_node(g, n);
      const PtOp *op = pt_op_of(node);
      bool mixed = !op || (stops_steering(op) && op->op_class != PT_CLASS_SHAPE);
      for (uint32_t i = 0; op && !mixed && !(op->flags & PT_OP_SHAPE_ONLY) && i < node->n_inputs;
           i++)
        mixed = node->inputs[i] != PT_NONE && m->activation[node->inputs[i]] &&
                !(g_str_equal(op->name, "CastLike") && i == 1);
      for (uint32_t i = 0; mixed && !node->dead && i < node->n_outputs; i++)
        if (node->outputs[i] != PT_NONE && !m->activation[node->outputs[i]])
          changed = m->activation[node->outputs[i]] = true;
    }
  } while (changed);
}

static void mark_inputs(Marks *m, const PtNode *node, const PtOp *op, unsigned out) {
  bool condition = g_str_equal(op->name, "Where");
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    unsigned bit = i < 32 ? 1u << i : 0;
    PtValueId v = node->inputs[i];
    if (op->steering & bit)
      add_mark(m, v, STEERS | DATA);
    if ((op->positive & bit) && !(pt_op_is(node, "Pow") && whole_number_power(m->graph, node)))
      add_mark(m, v, POSITIVE);
    if ((out & STEERS) && !stops_steering(op) && !(op->flags & PT_OP_SHAPE_ONLY) &&
        !(g_str_equal(op->name, "CastLike") && i == 1))
      add_mark(m, v, STEERS);
    if ((out & POSITIVE) && keeps_sign(op) && carries(op, i) && !(condition && i == 0))
      add_mark(m, v, POSITIVE);
    if (op->op_class == PT_CLASS_QUANT && (op->weights & bit))
      add_mark(m, v, QUANT);
    else if ((op->flags & PT_OP_PASSES) && carries(op, i))
      add_mark(m, v, out & (DATA | QUANT));
    else
      add_mark(m, v, DATA);
  }
}

static void mark_graph(Marks *m);

/* Nested graphs are walked with the outer marks of the node's outputs; what they capture gets
 * theirs. Carried values of loops: one mark for all, there are few. */
static void mark_nested(Marks *m, const PtNode *node, const PtGraph *nested, unsigned out) {
  Marks inner = {.graph = nested,
                 .mark = g_new0(uint8_t, pt_graph_n_values(nested) + 1),
                 .activation = g_new0(bool, pt_graph_n_values(nested) + 1)};
  find_activations(&inner);
  unsigned carried = out;
  for (int pass = 0; pass < 3; pass++) {
    for (uint32_t i = 0; i < nested->outputs->len; i++)
      add_mark(&inner, pt_graph_output(nested, i), carried);
    if (pt_op_is(node, "Loop") && nested->outputs->len > 0)
      add_mark(&inner, pt_graph_output(nested, 0), STEERS);
    mark_graph(&inner);
    unsigned before = carried;
    for (uint32_t i = 0; i < nested->inputs->len; i++)
      carried |= inner.mark[pt_graph_input(nested, i)];
    if (carried == before)
      break;
  }
  for (uint32_t i = 0; i < node->n_inputs; i++)
    add_mark(m, node->inputs[i], carried);
  for (PtValueId v = 0; v < pt_graph_n_values(nested); v++)
    if (pt_value(nested, v)->outer != PT_NONE)
      add_mark(m, pt_value(nested, v)->outer, inner.mark[v]);
  g_free(inner.mark);
  g_free(inner.activation);
}

static void mark_node(Marks *m, const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  unsigned out = 0;
  for (uint32_t i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PT_NONE)
      out |= m->mark[node->outputs[i]] & ~(m->activation[node->outputs[i]] ? (unsigned)STEERS : 0);
  if (op)
    mark_inputs(m, node, op, out);
  else /* opaque: its integers are read as numbers */
    for (uint32_t i = 0; i < node->n_inputs; i++)
      add_mark(m, node->inputs[i], DATA);
  for (uint32_t a = 0; a < node->n_attrs; a++) {
    const PtAttr *attr = &node->attrs[a];
    if (attr->kind == PT_ATTR_GRAPH || attr->kind == PT_ATTR_GRAPHS)
      for (uint32_t i = 0; i < attr->count; i++)
        mark_nested(m, node, attr->as.graphs[i], out);
  }
}

/* Nodes are in a topological order once read; while edits are under way they may not be, so repeat
 * until nothing changes. */
static void mark_graph(Marks *m) {
  do {
    m->changed = false;
    for (uint32_t n = pt_graph_n_nodes(m->graph); n-- > 0;)
      if (!pt_node(m->graph, n)->dead)
        mark_node(m, pt_node(m->graph, n));
  } while (m->changed);
}

static PtRole role_of(const PtTensor *t, unsigned mark) {
  if (t->count <= 1 || t->dtype == PT_STRING || t->dtype == PT_BOOL)
    return PT_ROLE_REAL;
  if (pt_dtype_is_integer(t->dtype))
    return (mark & QUANT) && !(mark & DATA) ? PT_ROLE_WEIGHT : PT_ROLE_REAL;
  if ((mark & STEERS) && t->count <= MAX_STEERING_FLOATS)
    return PT_ROLE_REAL;
  return mark & POSITIVE ? PT_ROLE_POSITIVE : PT_ROLE_WEIGHT;
}

PtRole *pt_roles(const PtGraph *graph) {
  uint32_t n = pt_graph_n_values(graph);
  Marks m = {.graph = graph, .mark = g_new0(uint8_t, n + 1), .activation = g_new0(bool, n + 1)};
  find_activations(&m);
  for (uint32_t i = 0; i < graph->outputs->len; i++)
    m.mark[pt_graph_output(graph, i)] |= DATA;
  mark_graph(&m);
  PtRole *roles = g_new0(PtRole, n + 1);
  for (PtValueId v = 0; v < n; v++)
    if (pt_value(graph, v)->constant)
      roles[v] = role_of(pt_value(graph, v)->constant, m.mark[v]);
  g_free(m.mark);
  g_free(m.activation);
  return roles;
}
