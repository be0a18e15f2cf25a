/* template_rule: which rule a node has, and how its constants follow from its input. */
#include "walk/template.h"

/* Each size of the weight is 1 or that of the input's axis, aligned at the end. */
static bool slot_trailing(PtReader *r, PtWalkSlot *slot) {
  if (slot->kind != PT_SLOT_WEIGHT)
    return true;
  if ((int32_t)slot->rank > r->in.rank || slot->dtype != r->in.dtype)
    return false;
  slot->dtype = 0;
  for (uint32_t d = 0; d < slot->rank; d++) {
    int32_t from_end = (int32_t)(slot->rank - d), size = r->in.dims[r->in.rank - from_end];
    if (slot->dims[d] == size && size > 1)
      slot->dims[d] = PT_DIM_AXIS - from_end;
    else if (slot->dims[d] != 1)
      return false;
  }
  return true;
}

static bool slot_channel(PtReader *r, PtWalkSlot *slot) {
  if (slot->kind != PT_SLOT_WEIGHT)
    return true;
  if (r->in.rank < 2 || slot->rank != 1 || slot->dims[0] != r->in.dims[1] ||
      slot->dtype != r->in.dtype)
    return false;
  slot->dtype = 0;
  slot->dims[0] = PT_DIM_CHANNEL;
  return true;
}

/* ---- rules, a reader a kind
 * -------------------------------------------------------------------------- */
static bool read_clip(PtReader *r) {
  PtWalkTemplate *t = r->t;
  t->limits = true;
  t->since = 7, t->until = INT64_MAX;
  if (pt_reader_opset(r) >= 11)
    return t->n_slots >= 1 && (t->n_slots < 2 || t->slots[1].kind != PT_SLOT_DATA) &&
           (t->n_slots < 3 || t->slots[2].kind != PT_SLOT_DATA);
  static const char *const names[] = {NULL, "min", "max"};
  t->slots = g_renew(PtWalkSlot, t->slots, 3);
  memset(t->slots + 1, 0, 2 * sizeof *t->slots);
  t->n_slots = 1;
  for (uint32_t i = 1; i < 3; i++) {
    const PtAttr *a = pt_node_attr(r->node, names[i]);
    if (!a || a->kind != PT_ATTR_FLOAT)
      continue;
    if (r->in.dtype != PT_FLOAT)
      return false;
    t->slots[i] = (PtWalkSlot){.kind = PT_SLOT_REAL};
    t->slots[i].real = pt_graph_tensor_copy(r->library->store, PT_FLOAT, 0, NULL, a->as.floats);
    t->n_slots = i + 1;
    pt_reader_drop(r, names[i]);
  }
  return true;
}

static bool read_norm(PtReader *r) {
  PtWalkTemplate *t = r->t;
  bool layer = g_str_equal(t->op, "LayerNormalization") || g_str_equal(t->op, "RMSNormalization") ||
               g_str_equal(t->op, "SimplifiedLayerNormalization");
  if (g_str_equal(t->op, "BatchNormalization")) {
    if (pt_node_int(r->node, "training_mode", 0))
      return false;
    t->n_outputs = 1;
    pt_reader_drop(r, "momentum");
    pt_reader_drop(r, "training_mode");
    pt_reader_drop(r, "spatial");
    pt_reader_drop(r, "is_test");
  }
  if (layer) {
    pt_reader_set(r, "axis", pt_reader_axis(r, "axis", -1) - r->in.rank);
    t->n_outputs = 1;
  }
  for (uint32_t i = 1; i < t->n_slots; i++)
    if (!(layer ? slot_trailing : slot_channel)(r, &t->slots[i]) ||
        (!layer && t->slots[i].kind == PT_SLOT_REAL)) /* one number is for one channel only */
      return false;
  return true;
}

static bool read_same(PtReader *r) {
  PtWalkTemplate *t = r->t;
  const PtOp *op = pt_op_of(r->node);
  t->kind = PT_WALK_SAME;
  if (g_str_equal(t->op, "Clip"))
    return read_clip(r);
  if (g_str_equal(t->op, "Dropout")) {
    const PtTensor *mode = pt_reader_constant(r, 2);
    if (r->node->n_inputs > 2 && r->node->inputs[2] != PT_NONE &&
        (!mode || !mode->data || mode->data[0]))
      return false;
    t->n_slots = t->n_outputs = 1;
    t->since = 7, t->until = INT64_MAX;
    pt_reader_drop(r, "ratio");
    pt_reader_drop(r, "seed");
    return true;
  }
  if (op->op_class == PT_CLASS_SOFTMAX) {
    int64_t axis = pt_reader_axis(r, "axis", pt_reader_opset(r) >= 13 ? -1 : 1);
    bool last = axis == r->in.rank - 1;
    if (!last)
      pt_walk_form_range("Softmax", pt_reader_opset(r), &t->since, &t->until);
    if (!last && pt_reader_opset(r) < 13)
      return false;
    pt_reader_set(r, "axis", axis - r->in.rank);
    t->axis = (int32_t)(axis - r->in.rank);
    t->since = last ? 11 : 13, t->until = INT64_MAX;
    return pt_reader_opset(r) >= 11;
  }
  if (op->op_class == PT_CLASS_NORM)
    return read_norm(r);
  for (uint32_t i = 0; i < t->n_slots; i++)
    if (!slot_trailing(r, &t->slots[i]) ||
        (t->slots[i].kind == PT_SLOT_REAL && t->slots[i].real->count != 1))
      return false;
  return true;
}

static bool read_linear(PtReader *r) {
  PtWalkTemplate *t = r->t;
  bool gemm = g_str_equal(t->op, "Gemm"), trans = pt_node_int(r->node, "transB", 0) != 0;
  t->kind = PT_WALK_LINEAR;
  t->dense = true;
  PtWalkSlot *w = &t->slots[1];
  if (t->n_data != 1 || t->slots[0].kind != PT_SLOT_DATA || t->n_slots < 2 ||
      w->kind != PT_SLOT_WEIGHT || w->rank != 2 || w->dtype != r->in.dtype || r->in.rank < 2 ||
      (gemm && (r->in.rank != 2 || pt_node_int(r->node, "transA", 0))))
    return false;
  int32_t k = r->in.dims[r->in.rank - 1];
  trans = gemm && trans;
  r->width = w->dims[trans ? 0 : 1];
  if (k < 1 || w->dims[trans ? 1 : 0] != k || r->width < 1)
    return false;
  w->dtype = 0;
  w->dims[trans ? 0 : 1] = PT_DIM_WIDTH;
  w->dims[trans ? 1 : 0] = PT_DIM_AXIS - 1;
  if (t->n_slots > 2) {
    PtWalkSlot *b = &t->slots[2];
    if (b->kind != PT_SLOT_WEIGHT || b->rank < 1 || b->rank > 2 ||
        b->dims[b->rank - 1] != r->width || (b->rank == 2 && b->dims[0] != 1) ||
        b->dtype != r->in.dtype)
      return false;
    b->dtype = 0;
    b->dims[b->rank - 1] = PT_DIM_WIDTH;
  }
  if (gemm && t->n_slots < 3)
    t->since = 11;
  return true;
}

/* The rule that this operator's nodes may have; false: none. */
bool pt_read_rule(PtReader *r) {
  PtWalkTemplate *t = r->t;
  const PtOp *op = pt_op_of(r->node);
  if (!op || t->domain[0] || t->n_data < 1 || t->n_captures || t->source ||
      (t->outputs != 1 && !g_str_equal(t->op, "Split")) || (op->flags & PT_OP_RANDOM))
    return false;
  for (uint32_t i = 0; i < r->view->n_in; i++)
    if (!pt_walk_is_data(&r->view->in[i]) || r->view->in[i].dtype != r->in.dtype)
      return false;
  switch (op->op_class) {
  case PT_CLASS_CONV:
    return g_str_equal(t->op, "Conv")
               ? pt_read_conv(r)
               : g_str_equal(t->op, "ConvTranspose") && pt_read_conv_transpose(r);
  case PT_CLASS_LINEAR:
    if (g_str_equal(t->op, "MatMul") && t->n_data == 2) {
      t->kind = PT_WALK_MATMUL;
      return true;
    }
    return (g_str_equal(t->op, "Gemm") || g_str_equal(t->op, "MatMul")) && read_linear(r);
  case PT_CLASS_POOL:
    if (g_str_equal(t->op, "GlobalAveragePool") || g_str_equal(t->op, "GlobalMaxPool")) {
      t->kind = PT_WALK_GLOBAL_POOL;
      return r->in.rank > 2;
    }
    return pt_read_pool(r);
  case PT_CLASS_ACTIVATION:
  case PT_CLASS_UNARY:
  case PT_CLASS_NORM:
  case PT_CLASS_SOFTMAX:
    return t->n_data == 1 && t->slots[0].kind == PT_SLOT_DATA && read_same(r);
  case PT_CLASS_BINARY:
    if (t->n_slots != 2 || g_str_equal(t->op, "Where"))
      return false;
    if (t->n_data == 2) {
      t->kind = PT_WALK_BINARY;
      return true;
    }
    return read_same(r);
  case PT_CLASS_REDUCE:
    return pt_read_reduce(r);
  case PT_CLASS_MOVE:
    return pt_read_move(r);
  default:
    return false;
  }
}
