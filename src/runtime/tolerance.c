/* tolerance.c: how far two runs of the same model may differ by rounding alone. */
#include "ops/ops.h"
#include "runtime/runtime.h"

/* What rounding alone may do to values of a type. */
static double floor_of_type(const PtType *type, const PtTensor *constant) {
  PtDtype dtype = constant ? constant->dtype : type->kind == PT_TYPE_TENSOR ? type->dtype : 0;
  switch (dtype) {
  case PT_FLOAT16:
    return 1e-2;
  case PT_BFLOAT16:
    return 6e-2;
  case PT_FLOAT8E4M3FN:
  case PT_FLOAT8E4M3FNUZ:
  case PT_FLOAT8E5M2:
  case PT_FLOAT8E5M2FNUZ:
    return 0.2;
  default:
    return 0;
  }
}

double pt_tolerance(double tolerance, const PtGraph *graph) {
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++)
    tolerance =
        MAX(tolerance, floor_of_type(&pt_value(graph, v)->type, pt_value(graph, v)->constant));
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++) {
    const PtNode *node = pt_node(graph, n);
    const PtOp *op = pt_op_of(node);
    if (op && op->op_class == PT_CLASS_QUANT) /* values next to a step fall to either side of it */
      tolerance = MAX(tolerance, 5e-2);
    for (uint32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < node->attrs[a].count; k++)
          tolerance = pt_tolerance(tolerance, node->attrs[a].as.graphs[k]);
  }
  return tolerance;
}
