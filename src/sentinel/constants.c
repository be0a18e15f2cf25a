/* constants: a donor's weight for inputs of other sizes. */
#include "sentinel/sentinel_private.h"

#include <string.h>

typedef struct Ask {
  PtDraft *draft;
  const PtGraph *donor;
  const PtNode *node;
  uint32_t slot;
  const PtValueId *inputs; /* [n_inputs] of the draft, PT_NONE where not there yet */
  const PtTensor *old;
  int64_t width; /* of the output axis that the weight decides, -1: as the donor has it */
  int64_t dims[PT_FACE_RANK];
} Ask;

static const PtType *new_type(const Ask *a, uint32_t slot) {
  return slot < a->node->n_inputs && a->inputs[slot] != PT_NONE
             ? pt_draft_type(a->draft, a->inputs[slot])
             : NULL;
}
static const PtType *old_type(const Ask *a, uint32_t slot) {
  return slot < a->node->n_inputs && a->node->inputs[slot] != PT_NONE
             ? &pt_value(a->donor, a->node->inputs[slot])->type
             : NULL;
}

static int64_t dim(const PtType *t, int32_t i) {
  if (!t)
    return -1;
  if (i < 0)
    i += t->rank;
  return i >= 0 && i < t->rank ? t->dims[i].size : -1;
}

/* Dense, grouped and depthwise stay what they are: a depthwise convolution has as many groups as
 * channels, a grouped one keeps the channels a group. */
static bool conv_dims(Ask *a) {
  const PtType *x = new_type(a, 0), *was = old_type(a, 0);
  if (a->slot == 2) {
    a->dims[0] = dim(new_type(a, 1), 0);
    return a->old->rank == 1;
  }
  int64_t group = pt_node_int(a->node, "group", 1), in = dim(x, 1), old_in = dim(was, 1);
  int64_t out = a->width > 0 ? a->width : a->old->dims[0];
  if (a->slot != 1 || in <= 0 || old_in <= 0)
    return false;
  if (group == 1) {
    a->dims[0] = out, a->dims[1] = in;
    return true;
  }
  int64_t a_group = a->old->dims[1];
  if (group == old_in) {
    a->dims[0] = in * (a->old->dims[0] / old_in), a->dims[1] = 1;
    return true;
  }
  if (in % a_group != 0 || out % (in / a_group) != 0)
    return false;
  a->dims[0] = out, a->dims[1] = a_group;
  return true;
}

static bool gemm_dims(Ask *a) {
  bool trans_a = pt_node_int(a->node, "transA", 0) != 0,
       trans_b = pt_node_int(a->node, "transB", 0) != 0;
  if (a->slot == 1) {
    a->dims[trans_b ? 1 : 0] = dim(new_type(a, 0), trans_a ? 0 : 1);
    a->dims[trans_b ? 0 : 1] = a->width > 0 ? a->width : a->old->dims[trans_b ? 0 : 1];
    return true;
  }
  if (a->slot != 2)
    return false;
  int64_t now = dim(new_type(a, 1), trans_b ? 0 : 1), was = dim(old_type(a, 1), trans_b ? 0 : 1);
  if (a->old->dims[a->old->rank - 1] == was)
    a->dims[a->old->rank - 1] = now;
  return true;
}

static bool matmul_dims(Ask *a) {
  uint32_t r = a->old->rank;
  if (a->slot == 0) {
    a->dims[r - 1] = dim(new_type(a, 1), -2);
    return r >= 2;
  }
  if (r == 1)
    a->dims[0] = dim(new_type(a, 0), -1);
  else {
    a->dims[r - 2] = dim(new_type(a, 0), -1);
    if (a->width > 0)
      a->dims[r - 1] = a->width;
  }
  return true;
}

/* Aligned at the end with the other operand: where the sizes were equal they stay equal. */
static bool aligned_dims(Ask *a) {
  uint32_t other = 0;
  while (other < a->node->n_inputs && (other == a->slot || !new_type(a, other)))
    other++;
  const PtType *now = new_type(a, other), *was = old_type(a, other);
  if (!now || !was || was->kind != PT_TYPE_TENSOR || now->rank != was->rank)
    return false;
  int32_t rank = (int32_t)a->old->rank;
  for (int32_t k = 1; k <= MIN(rank, now->rank); k++) {
    int64_t *d = &a->dims[rank - k];
    if (*d != 1 && *d == dim(was, -k))
      *d = dim(now, -k);
  }
  return true;
}

static bool concat_dims(Ask *a) {
  uint32_t other = 0;
  while (other < a->node->n_inputs && (other == a->slot || !new_type(a, other)))
    other++;
  const PtType *now = new_type(a, other);
  if (!now || now->rank != (int32_t)a->old->rank)
    return false;
  int64_t axis = pt_node_int(a->node, "axis", 0);
  axis = axis < 0 ? axis + now->rank : axis;
  for (int32_t i = 0; i < now->rank; i++)
    if (i != axis)
      a->dims[i] = dim(now, i);
  return true;
}

static bool wanted_dims(Ask *a, const PtOp *op) {
  const PtNode *node = a->node;
  if (op->op_class == PT_CLASS_CONV)
    return conv_dims(a);
  if (pt_op_is(node, "Gemm"))
    return gemm_dims(a);
  if (pt_op_is(node, "MatMul"))
    return matmul_dims(a);
  if (pt_op_is(node, "BatchNormalization") || pt_op_is(node, "InstanceNormalization")) {
    a->dims[0] = dim(new_type(a, 0), 1);
    return true;
  }
  if (op->op_class == PT_CLASS_RECURRENT) {
    if (a->slot == 1)
      a->dims[2] = dim(new_type(a, 0), 2);
    return true;
  }
  if (pt_op_is(node, "Gather") && a->slot == 0) {
    bool by_rows = pt_node_int(node, "axis", 0) == 0;
    if (a->width > 0 && a->old->rank == 2 && by_rows)
      a->dims[1] = a->width;
    if (a->draft->rows > 0 && by_rows && node->inputs[1] != PT_NONE &&
        !pt_value(a->donor, node->inputs[1])->constant)
      a->dims[0] = MAX(a->draft->rows, a->dims[0]);
    return true;
  }
  if (pt_op_is(node, "Concat"))
    return concat_dims(a);
  if (op->op_class == PT_CLASS_BINARY || op->op_class == PT_CLASS_COMPARE ||
      op->op_class == PT_CLASS_NORM || pt_op_is(node, "PRelu"))
    return aligned_dims(a);
  return true; /* as the donor has it; the shape rule has the last word */
}

static bool same_dims(const PtType *t, const Ask *a) {
  if (t->rank != (int32_t)a->old->rank)
    return false;
  for (int32_t i = 0; i < t->rank; i++)
    if (t->dims[i].size != a->dims[i])
      return false;
  return true;
}

PtValueId pt_constant_for(PtDraft *draft, const PtGraph *donor, const PtRole *roles,
                          const PtNode *node, uint32_t slot, const PtValueId *inputs, int64_t width,
                          PtValueId known) {
  PtValueId v = node->inputs[slot];
  const PtOp *op = pt_op_of(node);
  Ask a = {draft, donor, node, slot, inputs, pt_value(donor, v)->constant, width, {0}};
  if (!op || a.old->rank > PT_FACE_RANK)
    return PT_NONE;
  memcpy(a.dims, a.old->dims, sizeof(int64_t) * a.old->rank);
  bool weight = roles[v] != PT_ROLE_REAL && pt_dtype_is_float(a.old->dtype);
  if (weight && !wanted_dims(&a, op))
    return PT_NONE;
  if (known != PT_NONE && same_dims(pt_draft_type(draft, known), &a))
    return known;
  if (weight)
    return pt_draft_weight(draft, a.old->rank, a.dims);
  PtTensor *t = pt_draft_tensor_like(draft, a.old);
  if (!t)
    return PT_NONE;
  PtValueId added = pt_graph_add_constant(draft->graph, NULL, t);
  pt_value(draft->graph, added)->type = pt_type_of_constant(draft->graph, t);
  return added;
}
