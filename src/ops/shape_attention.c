/* shape_attention: recurrence and attention. */
#include "ops/shape.h"

/* ---- recurrence, attention
 * -------------------------------------------------------------------------- */
PT_RULE(pt_shape_recurrent) {
  const PtType *x = pt_shape_in(node, inputs, 0), *r = pt_shape_in(node, inputs, 2);
  if (!pt_shape_ranked(x))
    return true;
  if (x->rank != 3 || (pt_shape_ranked(r) && r->rank != 3))
    return false;
  PtDim hidden = pt_dim_of(pt_node_int(node, "hidden_size", -1));
  PtDim directions = pt_dim_of(pt_node_string_is(node, "direction", "bidirectional") ? 2 : 1);
  if (hidden.size < 0 && pt_shape_ranked(r))
    hidden = r->dims[2];
  bool batch_first = pt_node_int(node, "layout", 0) == 1;
  PtDim steps = x->dims[batch_first ? 1 : 0], batch = x->dims[batch_first ? 0 : 1];
  PtDim all[2][4] = {{steps, directions, batch, hidden}, {batch, steps, directions, hidden}};
  PtDim last[2][3] = {{directions, batch, hidden}, {batch, directions, hidden}};
  outputs[0] = pt_type_tensor(graph, x->dtype, 4, all[batch_first]);
  for (uint32_t i = 1; i < node->n_outputs; i++)
    outputs[i] = pt_type_tensor(graph, x->dtype, 3, last[batch_first]);
  return true;
}

/* ai.onnx Attention: [batch, heads, length, size] each, or packed [batch, length, heads * size]. */
PT_RULE(pt_shape_attention) {
  const PtType *q = pt_shape_in(node, inputs, 0), *v = pt_shape_in(node, inputs, 2);
  if (!pt_shape_ranked(q) || !pt_shape_ranked(v) || node->n_outputs > 1)
    return true;
  outputs[0] = pt_shape_new(graph, q->dtype, q->rank);
  for (int32_t i = 0; i + 1 < q->rank; i++)
    outputs[0].dims[i] = q->dims[i];
  int64_t heads = pt_node_int(node, "q_num_heads", 0), kv = pt_node_int(node, "kv_num_heads", 0);
  if (q->rank == 4 && v->rank == 4)
    outputs[0].dims[3] = v->dims[3];
  else if (q->rank == 3 && v->rank == 3 && heads > 0 && kv > 0 && v->dims[2].size >= 0)
    outputs[0].dims[2] = pt_dim_of(v->dims[2].size / kv * heads);
  return true;
}

PT_RULE(pt_shape_multi_head) {
  const PtType *q = pt_shape_in(node, inputs, 0), *v = pt_shape_in(node, inputs, 2);
  if (!pt_shape_ranked(q) || q->rank != 3)
    return true;
  outputs[0] = pt_shape_new(graph, q->dtype, 3);
  outputs[0].dims[0] = q->dims[0];
  outputs[0].dims[1] = q->dims[1];
  if (pt_shape_ranked(v) && v->rank == 3)
    outputs[0].dims[2] = v->dims[2];
  return true;
}
