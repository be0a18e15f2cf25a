/* Operators that have no form: what may be folded through the runtime, and how large its result can
 * be. */
#include "rebind/rebind_private.h"
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

typedef enum {
  GROW_SAME,
  GROW_BROADCAST,
  GROW_MATMUL,
  GROW_GATHER,
  GROW_SHAPE,  /* input `argument` is the result's shape */
  GROW_FACTOR, /* input `argument` multiplies each axis */
  GROW_PADS,
  GROW_RANGE,
  GROW_RESIZE
} Growth;

/* Pure operators; where a size is made out of a value, the value is a real constant and is read. */
static const struct {
  const char *name;
  Growth growth;
  uint32_t argument;
} rows[] = {
    {"Abs", GROW_SAME, 0},
    {"Acos", GROW_SAME, 0},
    {"Add", GROW_BROADCAST, 0},
    {"And", GROW_BROADCAST, 0},
    {"ArgMax", GROW_SAME, 0},
    {"ArgMin", GROW_SAME, 0},
    {"Asin", GROW_SAME, 0},
    {"Atan", GROW_SAME, 0},
    {"Cast", GROW_SAME, 0},
    {"CastLike", GROW_SAME, 0},
    {"BatchNormalization", GROW_SAME, 0}, /* of a weight: standardized weights */
    {"Ceil", GROW_SAME, 0},
    {"Celu", GROW_SAME, 0},
    {"Clip", GROW_SAME, 0},
    {"Concat", GROW_BROADCAST, 0},
    {"ConstantOfShape", GROW_SHAPE, 0},
    {"Cos", GROW_SAME, 0},
    {"Cosh", GROW_SAME, 0},
    {"CumSum", GROW_SAME, 0},
    {"DepthToSpace", GROW_SAME, 0},
    {"DequantizeLinear", GROW_SAME, 0},
    {"Div", GROW_BROADCAST, 0},
    {"Elu", GROW_SAME, 0},
    {"Equal", GROW_BROADCAST, 0},
    {"Erf", GROW_SAME, 0},
    {"Exp", GROW_SAME, 0},
    {"Expand", GROW_SHAPE, 1},
    {"EyeLike", GROW_SAME, 0},
    {"Flatten", GROW_SAME, 0},
    {"Floor", GROW_SAME, 0},
    {"Gather", GROW_GATHER, 0},
    {"GatherElements", GROW_SAME, 0},
    {"Gelu", GROW_SAME, 0},
    {"Gemm", GROW_MATMUL, 0},
    {"Greater", GROW_BROADCAST, 0},
    {"GreaterOrEqual", GROW_BROADCAST, 0},
    {"HardSigmoid", GROW_SAME, 0},
    {"HardSwish", GROW_SAME, 0},
    {"Identity", GROW_SAME, 0},
    {"InstanceNormalization", GROW_SAME, 0},
    {"IsInf", GROW_SAME, 0},
    {"IsNaN", GROW_SAME, 0},
    {"LayerNormalization", GROW_SAME, 0},
    {"LeakyRelu", GROW_SAME, 0},
    {"Less", GROW_BROADCAST, 0},
    {"LessOrEqual", GROW_BROADCAST, 0},
    {"Log", GROW_SAME, 0},
    {"LogSoftmax", GROW_SAME, 0},
    {"LpNormalization", GROW_SAME, 0},
    {"MatMul", GROW_MATMUL, 0},
    {"Max", GROW_BROADCAST, 0},
    {"Mean", GROW_BROADCAST, 0},
    {"Min", GROW_BROADCAST, 0},
    {"Mish", GROW_SAME, 0},
    {"Mod", GROW_BROADCAST, 0},
    {"Mul", GROW_BROADCAST, 0},
    {"Neg", GROW_SAME, 0},
    {"Not", GROW_SAME, 0},
    {"Or", GROW_BROADCAST, 0},
    {"PRelu", GROW_BROADCAST, 0},
    {"Pad", GROW_PADS, 0},
    {"Pow", GROW_BROADCAST, 0},
    {"QuantizeLinear", GROW_SAME, 0},
    {"Range", GROW_RANGE, 0},
    {"Reciprocal", GROW_SAME, 0},
    {"ReduceL1", GROW_SAME, 0},
    {"ReduceL2", GROW_SAME, 0},
    {"ReduceLogSum", GROW_SAME, 0},
    {"ReduceLogSumExp", GROW_SAME, 0},
    {"ReduceMax", GROW_SAME, 0},
    {"ReduceMean", GROW_SAME, 0},
    {"ReduceMin", GROW_SAME, 0},
    {"ReduceProd", GROW_SAME, 0},
    {"ReduceSum", GROW_SAME, 0},
    {"ReduceSumSquare", GROW_SAME, 0},
    {"Relu", GROW_SAME, 0},
    {"Reshape", GROW_SAME, 0},
    {"Resize", GROW_RESIZE, 0},
    {"Round", GROW_SAME, 0},
    {"ScatterElements", GROW_SAME, 0},
    {"ScatterND", GROW_SAME, 0},
    {"Selu", GROW_SAME, 0},
    {"Sigmoid", GROW_SAME, 0},
    {"Sign", GROW_SAME, 0},
    {"Sin", GROW_SAME, 0},
    {"Sinh", GROW_SAME, 0},
    {"Slice", GROW_SAME, 0},
    {"Softmax", GROW_SAME, 0},
    {"Softplus", GROW_SAME, 0},
    {"Softsign", GROW_SAME, 0},
    {"SpaceToDepth", GROW_SAME, 0},
    {"Split", GROW_SAME, 0},
    {"Sqrt", GROW_SAME, 0},
    {"Squeeze", GROW_SAME, 0},
    {"Sub", GROW_BROADCAST, 0},
    {"Sum", GROW_BROADCAST, 0},
    {"Tan", GROW_SAME, 0},
    {"Tanh", GROW_SAME, 0},
    {"ThresholdedRelu", GROW_SAME, 0},
    {"Tile", GROW_FACTOR, 1},
    {"TopK", GROW_SAME, 0},
    {"Transpose", GROW_SAME, 0},
    {"Trilu", GROW_SAME, 0},
    {"Unsqueeze", GROW_SAME, 0},
    {"Upsample", GROW_FACTOR, 1},
    {"Where", GROW_BROADCAST, 0},
    {"Xor", GROW_BROADCAST, 0},
};

static size_t grow_broadcast(const PtNode *node, const PtDense *inputs) {
  size_t count = 1, sum = 0;
  uint32_t rank = 0;
  for (uint32_t k = 0; k < node->n_inputs; k++) {
    rank = MAX(rank, inputs[k].rank);
    sum = pt_size_add(sum, inputs[k].count);
  }
  for (uint32_t i = 0; i < rank; i++) {
    int64_t widest = 0;
    for (uint32_t k = 0; k < node->n_inputs; k++)
      widest = MAX(widest, i < inputs[k].rank ? inputs[k].dims[inputs[k].rank - 1 - i] : 1);
    count = pt_size_mul(count, (size_t)widest);
  }
  return g_str_equal(node->op_type, "Concat") ? sum : count;
}

/* rows x columns x batches of both sides, of which broadcasting makes no more */
static size_t grow_matmul(const PtNode *node, const PtDense *inputs) {
  const PtDense *a = &inputs[0], *b = &inputs[1];
  if (a->rank == 0 || b->rank == 0)
    return SIZE_MAX;
  bool a_first = a->rank > 1 && pt_node_int(node, "transA", 0) != 0;
  bool b_first = b->rank > 1 && pt_node_int(node, "transB", 0) == 0;
  int64_t inner = a->dims[a->rank - (a_first ? 2 : 1)];
  if (inner != b->dims[b->rank - (b_first ? 2 : 1)])
    return SIZE_MAX;
  return inner == 0 ? SIZE_MAX : pt_size_mul(a->count / (size_t)inner, b->count / (size_t)inner);
}

/* The product of a steering input's elements, each at least 1 and rounded up; SIZE_MAX where it is
 * not known. */
static size_t product_of(const PtNode *node, const PtDense *inputs, uint32_t index) {
  size_t product = 1;
  if (index >= node->n_inputs || !inputs[index].data ||
      inputs[index].count > (size_t)2 * PT_MAX_RANK)
    return SIZE_MAX;
  for (size_t i = 0; i < inputs[index].count; i++) {
    double x = pt_dense_at(inputs[index].dtype, inputs[index].data, i);
    if (!(x < 1e15))
      return SIZE_MAX;
    product = pt_size_mul(product, x <= 1 ? 1 : (size_t)x + (x > floor(x)));
  }
  return product;
}

static size_t grow_pads(const PtNode *node, const PtDense *inputs) {
  const PtDense *in = &inputs[0], *pads = &inputs[1];
  size_t count = 1;
  if (node->n_inputs < 2 || !pads->data || pads->count != 2 * (size_t)in->rank ||
      node->n_inputs > 3)
    return SIZE_MAX;
  for (uint32_t i = 0; i < in->rank; i++) {
    double size = (double)in->dims[i] + fabs(pt_dense_at(pads->dtype, pads->data, i)) +
                  fabs(pt_dense_at(pads->dtype, pads->data, i + in->rank));
    if (!(size < 1e15))
      return SIZE_MAX;
    count = pt_size_mul(count, (size_t)size);
  }
  return count;
}

static size_t grow_range(const PtNode *node, const PtDense *inputs) {
  double x[3];
  for (uint32_t i = 0; i < 3; i++) {
    if (i >= node->n_inputs || !inputs[i].data || inputs[i].count != 1)
      return SIZE_MAX;
    x[i] = pt_dense_at(inputs[i].dtype, inputs[i].data, 0);
  }
  double count = (x[1] - x[0]) / x[2];
  return !(count < 1e15) ? SIZE_MAX : count <= 0 ? 0 : (size_t)count + 1;
}

static size_t grow_gather(const PtNode *node, const PtDense *inputs) {
  int64_t axis = pt_node_int(node, "axis", 0);
  axis += axis < 0 ? inputs[0].rank : 0;
  if (node->n_inputs < 2 || axis < 0 || axis >= inputs[0].rank)
    return SIZE_MAX;
  int64_t size = inputs[0].dims[axis];
  return size ? pt_size_mul(inputs[0].count / (size_t)size, inputs[1].count) : 0;
}

/* By sizes (input 3) of the last axes, or by scales (input 2; input 1 in its first version). */
static size_t grow_resize(const PtNode *node, const PtDense *inputs) {
  if (node->n_inputs > 3)
    return pt_node_attr(node, "axes") ? pt_size_mul(inputs[0].count, product_of(node, inputs, 3))
                                      : product_of(node, inputs, 3);
  return pt_size_mul(inputs[0].count, product_of(node, inputs, node->n_inputs - 1));
}

static size_t grow_by(const PtNode *node, const PtDense *inputs, Growth growth, uint32_t argument) {
  size_t widest = 0;
  for (uint32_t i = 0; i < node->n_inputs; i++)
    widest = MAX(widest, inputs[i].count);
  switch (growth) {
  case GROW_BROADCAST:
    return grow_broadcast(node, inputs);
  case GROW_MATMUL:
    return node->n_inputs < 2 ? SIZE_MAX : grow_matmul(node, inputs);
  case GROW_GATHER:
    return grow_gather(node, inputs);
  case GROW_SHAPE:
    return pt_size_mul(product_of(node, inputs, argument), argument ? inputs[0].count : 1);
  case GROW_FACTOR:
    return pt_size_mul(product_of(node, inputs, argument), inputs[0].count);
  case GROW_PADS:
    return grow_pads(node, inputs);
  case GROW_RANGE:
    return grow_range(node, inputs);
  case GROW_RESIZE:
    return node->n_inputs < 2 ? SIZE_MAX : grow_resize(node, inputs);
  default:
    return widest;
  }
}

size_t pt_rebind_node_growth(const PtNode *node, const PtDense *inputs) {
  if (node->domain[0] || node->n_inputs == 0 || node->n_captures > 0)
    return SIZE_MAX;
  for (uint32_t i = 0; i < node->n_attrs; i++)
    if (node->attrs[i].kind == PT_ATTR_GRAPH || node->attrs[i].kind == PT_ATTR_GRAPHS)
      return SIZE_MAX;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
    if (g_str_equal(rows[i].name, node->op_type))
      return grow_by(node, inputs, rows[i].growth, rows[i].argument);
  return SIZE_MAX;
}

static void copy_opsets(PtGraph *to, const PtGraph *from) {
  to->ir_version = from->ir_version;
  while (from->parent)
    from = from->parent;
  for (uint32_t i = 0; i < from->opsets->len; i++) {
    const PtOpset *opset = &g_array_index(from->opsets, PtOpset, i);
    if (opset->domain[0] == '\0')
      pt_graph_set_opset(to, opset->domain, opset->version);
  }
}

bool pt_rebind_node_eval(const PtGraph *graph, const PtNode *node, const PtDense *inputs,
                         PtDense *outputs, GError **error) {
  g_autoptr(PtGraph) small = pt_graph_new();
  copy_opsets(small, graph);
  PtValueId *ids = g_new(PtValueId, node->n_inputs + node->n_outputs), *outs = ids + node->n_inputs;
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    ids[i] = PT_NONE;
    if (node->inputs[i] != PT_NONE)
      ids[i] = pt_graph_add_constant(
          small, NULL,
          pt_graph_tensor(small, inputs[i].dtype, inputs[i].rank, inputs[i].dims, inputs[i].data));
  }
  for (uint32_t i = 0; i < node->n_outputs; i++) {
    outs[i] = pt_graph_add_value(small, NULL);
    pt_graph_add_output(small, outs[i]);
  }
  PtNodeId copy = pt_graph_add_node(small, node->domain, node->op_type, ids, node->n_inputs, outs,
                                    node->n_outputs);
  for (uint32_t i = 0; i < node->n_attrs; i++)
    pt_node_add_attr_copy(small, copy, &node->attrs[i], NULL);
  g_free(ids);
  g_autoptr(GPtrArray) arrays = pt_runtime_evaluate(small, error);
  if (!arrays)
    return false;
  for (uint32_t i = 0; i < node->n_outputs; i++) {
    PtArray *array = i < arrays->len ? g_ptr_array_index(arrays, i) : NULL;
    memset(&outputs[i], 0, sizeof outputs[i]);
    if (!array || !pt_dense_shape(&outputs[i], array->dtype, array->rank, array->dims) ||
        outputs[i].size != array->size || !pt_dense_alloc(&outputs[i])) {
      for (uint32_t k = 0; k <= i; k++)
        pt_dense_clear(&outputs[k]);
      g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED,
                  "the result of constant operator %s cannot be held", node->op_type);
      return false;
    }
    if (array->size)
      memcpy(outputs[i].owned, array->data, array->size);
  }
  return true;
}
