/* infer: one node's output types from its inputs' types, by its row's shape rule. */
#include "ops/ops.h"

PtType pt_type_of_constant(PtGraph *graph, const PtTensor *tensor) {
  PtDim *dims = pt_arena_new_array(graph->arena, PtDim, MAX(tensor->rank, 1));
  for (uint32_t i = 0; i < tensor->rank; i++)
    dims[i].size = tensor->dims[i];
  return (PtType){
      .kind = PT_TYPE_TENSOR, .dtype = tensor->dtype, .rank = (int32_t)tensor->rank, .dims = dims};
}

bool pt_op_infer(PtGraph *graph, const PtNode *node, PtType *outputs) {
  const PtOp *op = pt_op_of(node);
  for (uint32_t i = 0; i < node->n_outputs; i++)
    outputs[i] = (PtType){.kind = PT_TYPE_UNKNOWN};
  if (!op)
    return true;
  if (node->n_inputs < op->min_inputs || (op->max_inputs != 255 && node->n_inputs > op->max_inputs))
    return false;
  if (!op->shape)
    return true;
  const PtType *few[8],
      **inputs = node->n_inputs <= 8 ? few : g_new(const PtType *, node->n_inputs);
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtValue *v = node->inputs[i] == PT_NONE ? NULL : pt_value(graph, node->inputs[i]);
    if (v && v->constant && v->type.kind == PT_TYPE_UNKNOWN)
      v->type = pt_type_of_constant(graph, v->constant);
    inputs[i] = v ? &v->type : NULL;
  }
  bool valid = op->shape(graph, node, inputs, outputs);
  if (inputs != few)
    g_free(inputs);
  return valid;
}
