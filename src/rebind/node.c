/* Operators that have no form: what may be folded through the runtime, and how large its result can
 * be. */
#include "rebind/rebind_private.h"
#include "runtime/runtime.h"

#include <string.h>

typedef enum { GROW_SAME, GROW_BROADCAST, GROW_MATMUL, GROW_GATHER } Growth;

/* Pure operators whose results are bounded by their inputs' shapes; nothing that makes a size out
 * of a value. */
static const struct {
  const char *name;
  Growth growth;
} rows[] = {
    {"Abs", GROW_SAME},
    {"Add", GROW_BROADCAST},
    {"And", GROW_BROADCAST},
    {"Cast", GROW_SAME},
    {"Ceil", GROW_SAME},
    {"Clip", GROW_SAME},
    {"Concat", GROW_BROADCAST},
    {"Cos", GROW_SAME},
    {"CumSum", GROW_SAME},
    {"DepthToSpace", GROW_SAME},
    {"DequantizeLinear", GROW_SAME},
    {"Div", GROW_BROADCAST},
    {"Equal", GROW_BROADCAST},
    {"Erf", GROW_SAME},
    {"Exp", GROW_SAME},
    {"Floor", GROW_SAME},
    {"Gather", GROW_GATHER},
    {"GatherElements", GROW_SAME},
    {"Gelu", GROW_SAME},
    {"Gemm", GROW_MATMUL},
    {"Greater", GROW_BROADCAST},
    {"GreaterOrEqual", GROW_BROADCAST},
    {"HardSigmoid", GROW_SAME},
    {"HardSwish", GROW_SAME},
    {"Identity", GROW_SAME},
    {"LayerNormalization", GROW_SAME},
    {"Less", GROW_BROADCAST},
    {"LessOrEqual", GROW_BROADCAST},
    {"Log", GROW_SAME},
    {"MatMul", GROW_MATMUL},
    {"Max", GROW_BROADCAST},
    {"Mean", GROW_BROADCAST},
    {"Min", GROW_BROADCAST},
    {"Mod", GROW_BROADCAST},
    {"Mul", GROW_BROADCAST},
    {"Neg", GROW_SAME},
    {"Not", GROW_SAME},
    {"Or", GROW_BROADCAST},
    {"Pow", GROW_BROADCAST},
    {"QuantizeLinear", GROW_SAME},
    {"Reciprocal", GROW_SAME},
    {"ReduceL1", GROW_SAME},
    {"ReduceL2", GROW_SAME},
    {"ReduceLogSumExp", GROW_SAME},
    {"ReduceMax", GROW_SAME},
    {"ReduceMean", GROW_SAME},
    {"ReduceMin", GROW_SAME},
    {"ReduceProd", GROW_SAME},
    {"ReduceSum", GROW_SAME},
    {"ReduceSumSquare", GROW_SAME},
    {"Relu", GROW_SAME},
    {"Reshape", GROW_SAME},
    {"Round", GROW_SAME},
    {"ScatterElements", GROW_SAME},
    {"ScatterND", GROW_SAME},
    {"Sigmoid", GROW_SAME},
    {"Sign", GROW_SAME},
    {"Sin", GROW_SAME},
    {"Slice", GROW_SAME},
    {"Softmax", GROW_SAME},
    {"Softplus", GROW_SAME},
    {"SpaceToDepth", GROW_SAME},
    {"Split", GROW_SAME},
    {"Sqrt", GROW_SAME},
    {"Squeeze", GROW_SAME},
    {"Sub", GROW_BROADCAST},
    {"Sum", GROW_BROADCAST},
    {"Tan", GROW_SAME},
    {"Tanh", GROW_SAME},
    {"Transpose", GROW_SAME},
    {"Trilu", GROW_SAME},
    {"Unsqueeze", GROW_SAME},
    {"Where", GROW_BROADCAST},
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

/* rows x columns x batches, whichever side is transposed */
static size_t grow_matmul(const PtDense *inputs) {
  const PtDense *a = &inputs[0], *b = &inputs[1];
  if (a->rank == 0 || b->rank == 0)
    return SIZE_MAX;
  size_t inner = (size_t)MIN(a->dims[a->rank - 1], b->dims[b->rank - 1]);
  if (b->rank > 1)
    inner = MIN(inner, (size_t)b->dims[b->rank - 2]);
  if (a->rank > 1)
    inner = MIN(inner, (size_t)a->dims[a->rank - 2]);
  if (inner == 0)
    return 0;
  return pt_size_mul(a->count / inner, b->count / inner + 1);
}

size_t pt_rebind_node_growth(const PtGraph *graph, const PtNode *node, const PtDense *inputs) {
  (void)graph;
  if (node->domain[0] || node->n_inputs == 0 || node->n_captures > 0)
    return SIZE_MAX;
  for (uint32_t i = 0; i < node->n_attrs; i++)
    if (node->attrs[i].kind == PT_ATTR_GRAPH || node->attrs[i].kind == PT_ATTR_GRAPHS)
      return SIZE_MAX;
  size_t widest = 0;
  for (uint32_t i = 0; i < node->n_inputs; i++)
    widest = MAX(widest, inputs[i].count);
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    if (!g_str_equal(rows[i].name, node->op_type))
      continue;
    switch (rows[i].growth) {
    case GROW_SAME:
      return widest;
    case GROW_BROADCAST:
      return grow_broadcast(node, inputs);
    case GROW_MATMUL:
      return node->n_inputs < 2 ? SIZE_MAX : grow_matmul(inputs);
    case GROW_GATHER: {
      int64_t axis = pt_node_int(node, "axis", 0);
      axis += axis < 0 ? inputs[0].rank : 0;
      if (node->n_inputs < 2 || axis < 0 || axis >= inputs[0].rank)
        return SIZE_MAX;
      int64_t size = inputs[0].dims[axis];
      return size ? pt_size_mul(inputs[0].count / (size_t)size, inputs[1].count) : 0;
    }
    }
  }
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
