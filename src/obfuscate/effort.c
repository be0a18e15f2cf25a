/* effort.c: how much a candidate has to compute, and to hold. */
#include "obfuscate/obfuscate_private.h"

#include "ops/ops.h"

#define FACTOR 8.0      /* times the largest piece's */
#define LEAST_WORK 1e8  /* multiplications that any piece may have */
#define LEAST_SPACE 4e6 /* elements of a value, likewise */

/* Unknown sizes count as one. */
static double elements(const PtType *type) {
  double count = 1;
  for (int32_t i = 0; type->kind == PT_TYPE_TENSOR && i < type->rank; i++)
    count *= (double)MAX(type->dims[i].size, 1);
  return count;
}

/* What an element of its result takes: a filter of a convolution, a row of a matrix. */
static double per_element(const PtGraph *g, const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  if (!op || node->n_inputs < 2 || node->inputs[1] == PT_NONE || node->inputs[0] == PT_NONE)
    return 1;
  const PtType *a = &pt_value(g, node->inputs[0])->type;
  const PtTensor *w = pt_value(g, node->inputs[1])->constant;
  if (op->op_class == PT_CLASS_CONV && w && w->rank > 0 && w->dims[0] > 0)
    return (double)w->count / (double)w->dims[0];
  if (op->op_class == PT_CLASS_LINEAR && a->kind == PT_TYPE_TENSOR && a->rank > 0)
    return (double)MAX(a->dims[a->rank - 1].size, 1);
  return 1;
}

PtEffort pt_effort_of(const PtGraph *g) {
  PtEffort effort = {0};
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *node = pt_node(g, i);
    if (node->n_outputs == 0 || node->outputs[0] == PT_NONE)
      continue;
    double made = elements(&pt_value(g, node->outputs[0])->type);
    effort.work += made * per_element(g, node);
    effort.space = MAX(effort.space, made);
  }
  return effort;
}

PtEffort pt_effort_of_largest(const GPtrArray *graphs) {
  PtEffort largest = {0};
  for (guint i = 0; i < graphs->len; i++) {
    PtEffort effort = pt_effort_of(graphs->pdata[i]);
    largest.work = MAX(largest.work, effort.work);
    largest.space = MAX(largest.space, effort.space);
  }
  return largest;
}

bool pt_effort_fits(const PtEffort *largest, const PtEffort *sentinel) {
  return sentinel->work <= MAX(FACTOR * largest->work, LEAST_WORK) &&
         sentinel->space <= MAX(FACTOR * largest->space, LEAST_SPACE);
}
