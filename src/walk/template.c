/* template: a node as an operator with its attributes complete, and how its constants follow from
 * its inputs and its width. Nodes without a rule become opaque: valid where their input types are
 * those observed. */
#include "walk/walk_private.h"

typedef struct Reader {
  PtWalkLibrary *library;
  const PtNodeView *view;
  const PtNode *node;
  PtWalkTemplate *t;
  PtWalkType in; /* first data input */
  int32_t width;
} Reader;

static const PtTensor *constant_at(const Reader *r, uint32_t i) {
  const PtNode *n = r->node;
  return i < n->n_inputs && n->inputs[i] != PT_NONE
             ? pt_value(r->view->graph, n->inputs[i])->constant
             : NULL;
}

/* ---- slots
 * ------------------------------------------------------------------------------------------- */
/* Inputs left out at the end say nothing. */
static uint32_t n_written(const PtNode *node) {
  uint32_t n = node->n_inputs;
  while (n > 0 && node->inputs[n - 1] == PT_NONE)
    n--;
  return n;
}

static const PtTensor *keep_tensor(PtWalkLibrary *l, const PtTensor *from) {
  PtTensor *t = pt_graph_tensor(l->store, from->dtype, from->rank, from->dims, NULL);
  if (!t)
    return NULL;
  if (from->data)
    t->data = pt_arena_copy(l->store->arena, from->data, from->size);
  t->strings = from->strings; /* the source graph is held */
  return t;
}

/* Literal: constants as they are. False: one that has to stay has no data, or is too large. */
static bool read_slots(Reader *r) {
  const PtNode *n = r->node;
  PtWalkTemplate *t = r->t;
  t->n_slots = n_written(n);
  t->slots = g_new0(PtWalkSlot, t->n_slots + 1);
  for (uint32_t i = 0; i < t->n_slots; i++) {
    PtWalkSlot *slot = &t->slots[i];
    const PtTensor *c = constant_at(r, i);
    if (n->inputs[i] == PT_NONE)
      continue;
    if (!c) {
      slot->kind = PT_SLOT_DATA;
      t->n_data++;
      continue;
    }
    if (r->view->roles[n->inputs[i]] == PT_ROLE_REAL || c->rank > PT_WALK_RANK || c->strings) {
      slot->kind = PT_SLOT_REAL;
      slot->real = c; /* copied when the template is kept */
      if (c->strings || c->location)
        t->source = r->view->graph;
      continue;
    }
    slot->kind = PT_SLOT_WEIGHT;
    slot->dtype = (uint8_t)c->dtype;
    slot->rank = c->rank;
    for (uint32_t d = 0; d < c->rank; d++) {
      if (c->dims[d] > INT32_MAX)
        return false;
      slot->dims[d] = (int32_t)c->dims[d];
    }
  }
  return true;
}

/* Each size of the weight is 1 or that of the input's axis, aligned at the end. */
static bool slot_trailing(Reader *r, PtWalkSlot *slot) {
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

static bool slot_channel(Reader *r, PtWalkSlot *slot) {
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
static void set_axis(Reader *r, const char *name, int64_t value) {
  pt_node_set_int(r->library->store, r->t->node, name, value);
}

static void drop_attr(Reader *r, const char *name) {
  pt_walk_drop_attr(pt_node(r->library->store, r->t->node), name);
}

static int64_t axis_of(const Reader *r, const char *name, int64_t fallback) {
  int64_t axis = pt_node_int(r->node, name, fallback);
  return axis < 0 ? axis + r->in.rank : axis;
}

static int64_t opset(const Reader *r) {
  return pt_graph_opset(r->view->graph, "");
}

static bool read_clip(Reader *r) {
  PtWalkTemplate *t = r->t;
  t->limits = true;
  t->since = 7, t->until = INT64_MAX;
  if (opset(r) >= 11)
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
    drop_attr(r, names[i]);
  }
  return true;
}

static bool read_norm(Reader *r) {
  PtWalkTemplate *t = r->t;
  bool layer = g_str_equal(t->op, "LayerNormalization") || g_str_equal(t->op, "RMSNormalization") ||
               g_str_equal(t->op, "SimplifiedLayerNormalization");
  if (g_str_equal(t->op, "BatchNormalization")) {
    if (pt_node_int(r->node, "training_mode", 0))
      return false;
    t->n_outputs = 1;
    drop_attr(r, "momentum");
    drop_attr(r, "training_mode");
    drop_attr(r, "spatial");
    drop_attr(r, "is_test");
  }
  if (layer) {
    set_axis(r, "axis", axis_of(r, "axis", -1) - r->in.rank);
    t->n_outputs = 1;
  }
  for (uint32_t i = 1; i < t->n_slots; i++)
    if (!(layer ? slot_trailing : slot_channel)(r, &t->slots[i]))
      return false;
  return true;
}

static bool read_same(Reader *r) {
  PtWalkTemplate *t = r->t;
  const PtOp *op = pt_op_of(r->node);
  t->kind = PT_WALK_SAME;
  if (g_str_equal(t->op, "Clip"))
    return read_clip(r);
  if (g_str_equal(t->op, "Dropout")) {
    const PtTensor *mode = constant_at(r, 2);
    if (r->node->n_inputs > 2 && r->node->inputs[2] != PT_NONE &&
        (!mode || !mode->data || mode->data[0]))
      return false;
    t->n_slots = t->n_outputs = 1;
    t->since = 7, t->until = INT64_MAX;
    drop_attr(r, "ratio");
    drop_attr(r, "seed");
    return true;
  }
  if (op->op_class == PT_CLASS_SOFTMAX) {
    int64_t axis = axis_of(r, "axis", opset(r) >= 13 ? -1 : 1);
    bool last = axis == r->in.rank - 1;
    if (!last)
      pt_walk_form_range("Softmax", opset(r), &t->since, &t->until);
    if (!last && opset(r) < 13)
      return false;
    set_axis(r, "axis", axis - r->in.rank);
    t->axis = (int32_t)(axis - r->in.rank);
    t->since = last ? 11 : 13, t->until = INT64_MAX;
    return opset(r) >= 11;
  }
  if (op->op_class == PT_CLASS_NORM)
    return read_norm(r);
  for (uint32_t i = 0; i < t->n_slots; i++)
    if (!slot_trailing(r, &t->slots[i]) ||
        (t->slots[i].kind == PT_SLOT_REAL && t->slots[i].real->count != 1))
      return false;
  return true;
}

static bool resolve_pads(Reader *r) {
  PtWalkTemplate *t = r->t;
  bool upper = pt_node_string_is(r->node, "auto_pad", "SAME_UPPER");
  bool lower = pt_node_string_is(r->node, "auto_pad", "SAME_LOWER");
  uint32_t n = 0;
  const int64_t *pads = pt_node_ints(r->node, "pads", &n);
  for (int32_t i = 0; i < t->n_space; i++) {
    if (upper || lower) {
      int32_t size = r->in.dims[2 + i], k = (t->kernel[i] - 1) * t->dilations[i] + 1;
      if (size < 0)
        return false;
      int32_t out = (size + t->strides[i] - 1) / t->strides[i];
      int32_t all = MAX((out - 1) * t->strides[i] + k - size, 0);
      t->pads[i] = upper ? all / 2 : all - all / 2;
      t->pads[i + t->n_space] = all - t->pads[i];
    } else if (n == 2 * (uint32_t)t->n_space && !pt_node_string_is(r->node, "auto_pad", "VALID")) {
      if (pads[i] < 0 || pads[i] > 4096 || pads[i + t->n_space] < 0 || pads[i + t->n_space] > 4096)
        return false;
      t->pads[i] = (int32_t)pads[i];
      t->pads[i + t->n_space] = (int32_t)pads[i + t->n_space];
    }
  }
  return true;
}

static bool read_list(Reader *r, const char *name, int32_t *out) {
  uint32_t n = 0;
  const int64_t *v = pt_node_ints(r->node, name, &n);
  for (int32_t i = 0; i < r->t->n_space; i++) {
    out[i] = 1;
    if (n == 0)
      continue;
    if (n != (uint32_t)r->t->n_space || v[i] < 1 || v[i] > 4096)
      return false;
    out[i] = (int32_t)v[i];
  }
  return true;
}

static void write_list(Reader *r, const char *name, const int32_t *v, int32_t n) {
  int64_t wide[6];
  for (int32_t i = 0; i < n; i++)
    wide[i] = v[i];
  pt_node_set_ints(r->library->store, r->t->node, name, wide, (uint32_t)n);
}

static bool read_window(Reader *r) {
  PtWalkTemplate *t = r->t;
  if (!read_list(r, "strides", t->strides) || !read_list(r, "dilations", t->dilations) ||
      !resolve_pads(r))
    return false;
  drop_attr(r, "auto_pad");
  write_list(r, "kernel_shape", t->kernel, t->n_space);
  write_list(r, "strides", t->strides, t->n_space);
  write_list(r, "dilations", t->dilations, t->n_space);
  write_list(r, "pads", t->pads, 2 * t->n_space);
  return true;
}

static bool read_conv(Reader *r) {
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_CONV;
  PtWalkSlot *w = &t->slots[1];
  if (t->n_data != 1 || t->slots[0].kind != PT_SLOT_DATA || t->n_slots < 2 ||
      w->kind != PT_SLOT_WEIGHT || w->rank < 3 || w->rank > 5 || r->in.rank != (int32_t)w->rank ||
      w->dtype != r->in.dtype)
    return false;
  t->n_space = (int32_t)w->rank - 2;
  int64_t groups = pt_node_int(r->node, "group", 1);
  int32_t in = r->in.dims[1], out = w->dims[0];
  if (groups < 1 || in < 1 || in % groups || w->dims[1] != in / groups || out < 1)
    return false;
  bool depthwise = groups > 1 && groups == in && out == in;
  t->groups = depthwise ? 0 : (int32_t)groups;
  t->dense = !depthwise;
  r->width = depthwise ? 0 : out;
  for (int32_t i = 0; i < t->n_space; i++)
    if ((t->kernel[i] = w->dims[2 + i]) < 1 || w->dims[2 + i] > 4096)
      return false;
  w->dtype = 0;
  w->dims[0] = depthwise ? PT_DIM_CHANNEL : PT_DIM_WIDTH;
  w->dims[1] = depthwise ? 1 : PT_DIM_PER_GROUP;
  if (t->n_slots > 2 && t->slots[2].kind == PT_SLOT_WEIGHT) {
    PtWalkSlot *b = &t->slots[2];
    if (b->rank != 1 || b->dims[0] != out || b->dtype != r->in.dtype)
      return false;
    b->dtype = 0;
    b->dims[0] = w->dims[0];
  } else if (t->n_slots > 2)
    return false; /* one output channel: a single float stays real */
  set_axis(r, "group", groups);
  if (depthwise)
    drop_attr(r, "group");
  return read_window(r);
}

static bool read_pool(Reader *r) {
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_POOL;
  uint32_t n = 0;
  const int64_t *kernel = pt_node_ints(r->node, "kernel_shape", &n);
  if (n < 1 || n > 3 || r->in.rank != (int32_t)n + 2 || t->n_slots != 1 || t->outputs != 1 ||
      !(g_str_equal(t->op, "MaxPool") || g_str_equal(t->op, "AveragePool")))
    return false;
  t->n_outputs = 1;
  t->n_space = (int32_t)n;
  for (uint32_t i = 0; i < n; i++) {
    if (kernel[i] < 1 || kernel[i] > 4096)
      return false;
    t->kernel[i] = (int32_t)kernel[i];
  }
  t->ceil_mode = pt_node_int(r->node, "ceil_mode", 0) != 0;
  drop_attr(r, "storage_order");
  if (!read_window(r))
    return false;
  bool dilated = false;
  for (uint32_t i = 0; i < n; i++)
    dilated |= t->dilations[i] != 1;
  if (!dilated)
    drop_attr(r, "dilations"); /* AveragePool has none before opset 19 */
  t->since = t->ceil_mode || dilated ? 10 : 7;
  if (dilated && g_str_equal(t->op, "AveragePool"))
    t->since = 19;
  if (!t->ceil_mode)
    drop_attr(r, "ceil_mode");
  return true;
}

static bool read_linear(Reader *r) {
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

static bool read_transpose(Reader *r) {
  PtWalkTemplate *t = r->t;
  uint32_t n = 0;
  const int64_t *perm = pt_node_ints(r->node, "perm", &n);
  int64_t wide[PT_WALK_RANK];
  t->kind = PT_WALK_TRANSPOSE;
  if (n && n != (uint32_t)r->in.rank)
    return false;
  t->n_perm = r->in.rank;
  for (int32_t i = 0; i < t->n_perm; i++) {
    wide[i] = n ? perm[i] : t->n_perm - 1 - i;
    if (wide[i] < 0 || wide[i] >= t->n_perm)
      return false;
    t->perm[i] = (int32_t)wide[i];
  }
  pt_node_set_ints(r->library->store, t->node, "perm", wide, (uint32_t)t->n_perm);
  return true;
}

static bool read_reduce(Reader *r) {
  PtWalkTemplate *t = r->t;
  static const struct {
    const char *op;
    int64_t version;
  } since[] = {{"ReduceSum", 13}, {"ReduceMean", 18}, {"ReduceMax", 18}, {"ReduceMin", 18},
               {"ReduceL2", 18},  {"ReduceL1", 18},   {"ReduceProd", 18}};
  t->kind = PT_WALK_REDUCE;
  for (size_t i = 0; i < G_N_ELEMENTS(since); i++)
    if (g_str_equal(t->op, since[i].op))
      t->axes_since = since[i].version;
  if (!t->axes_since || t->n_data != 1 || t->slots[0].kind != PT_SLOT_DATA)
    return false;
  int64_t axes[PT_WALK_RANK] = {0}, n = 0;
  uint32_t count = 0;
  const int64_t *attr = pt_node_ints(r->node, "axes", &count);
  const PtTensor *input = constant_at(r, 1);
  if (attr && count <= PT_WALK_RANK) {
    memcpy(axes, attr, count * sizeof *axes);
    n = count;
  } else if (input)
    n = pt_tensor_ints(input, axes, PT_WALK_RANK);
  if (n < 1 || (t->n_slots > 1 && !input))
    return false; /* all axes: rare, left as it is */
  for (int64_t i = 0; i < n; i++) {
    int64_t a = axes[i] < 0 ? axes[i] + r->in.rank : axes[i];
    if (a < 0 || a >= r->in.rank)
      return false;
    t->axes |= 1u << a;
  }
  t->keep = pt_node_int(r->node, "keepdims", 1) != 0;
  set_axis(r, "keepdims", t->keep);
  drop_attr(r, "axes");
  drop_attr(r, "noop_with_empty_axes");
  t->axes_input = true;
  t->n_slots = 1;
  t->since = 7, t->until = INT64_MAX;
  return true;
}

static bool read_concat(Reader *r) {
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_CONCAT;
  int64_t axis = axis_of(r, "axis", 1);
  if (t->n_data != t->n_slots || axis < 0 || axis >= r->in.rank)
    return false;
  t->axis = (int32_t)axis;
  set_axis(r, "axis", axis);
  return true;
}

static bool read_flatten(Reader *r) {
  r->t->kind = PT_WALK_FLATTEN;
  int64_t axis = axis_of(r, "axis", 1);
  if (axis < 0 || axis > r->in.rank)
    return false;
  r->t->axis = (int32_t)axis;
  set_axis(r, "axis", axis);
  return true;
}

/* The rule that this operator's nodes may have; false: none. */
static bool read_rule(Reader *r) {
  PtWalkTemplate *t = r->t;
  const PtOp *op = pt_op_of(r->node);
  if (!op || t->domain[0] || t->n_data < 1 || t->n_captures || t->outputs != 1 || t->source ||
      (op->flags & PT_OP_RANDOM))
    return false;
  for (uint32_t i = 0; i < r->view->n_in; i++)
    if (!pt_walk_is_data(&r->view->in[i]) || r->view->in[i].dtype != r->in.dtype)
      return false;
  switch (op->op_class) {
  case PT_CLASS_CONV:
    return g_str_equal(t->op, "Conv") && read_conv(r);
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
    return read_pool(r);
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
    return read_reduce(r);
  case PT_CLASS_MOVE:
    if (g_str_equal(t->op, "Identity") && t->n_data == 1) {
      t->kind = PT_WALK_SAME;
      return true;
    }
    return t->n_data >= 1 && ((g_str_equal(t->op, "Transpose") && read_transpose(r)) ||
                              (g_str_equal(t->op, "Concat") && read_concat(r)) ||
                              (g_str_equal(t->op, "Flatten") && read_flatten(r)));
  default:
    return false;
  }
}

/* ---- interning
 * --------------------------------------------------------------------------------------- */
static void key_attr(GByteArray *key, const PtAttr *a) {
  g_byte_array_append(key, (const uint8_t *)a->name, (guint)strlen(a->name) + 1);
  uint32_t head[2] = {a->kind, a->count};
  g_byte_array_append(key, (const uint8_t *)head, sizeof head);
  for (uint32_t i = 0; i < a->count; i++) {
    if (a->kind == PT_ATTR_FLOAT || a->kind == PT_ATTR_FLOATS)
      g_byte_array_append(key, (const uint8_t *)&a->as.floats[i], sizeof(float));
    else if (a->kind == PT_ATTR_INT || a->kind == PT_ATTR_INTS)
      g_byte_array_append(key, (const uint8_t *)&a->as.ints[i], sizeof(int64_t));
    else if (a->kind == PT_ATTR_STRING || a->kind == PT_ATTR_STRINGS || a->kind == PT_ATTR_TYPE) {
      gsize size;
      const void *data = g_bytes_get_data(a->as.strings[i], &size);
      g_byte_array_append(key, (const uint8_t *)&size, sizeof size);
      if (size)
        g_byte_array_append(key, data, (guint)size);
    } else if (a->kind == PT_ATTR_TENSOR || a->kind == PT_ATTR_TENSORS) {
      const PtTensor *t = a->as.tensors[i];
      g_byte_array_append(key, (const uint8_t *)&t->dtype, sizeof t->dtype);
      g_byte_array_append(key, (const uint8_t *)t->dims, (guint)(t->rank * sizeof *t->dims));
      if (t->data)
        g_byte_array_append(key, t->data, (guint)t->size);
    }
  }
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const PtAttr *)a)->name, ((const PtAttr *)b)->name);
}

static GBytes *key_of(const Reader *r) {
  const PtWalkTemplate *t = r->t;
  GByteArray *key = g_byte_array_new();
  PtNode *n = pt_node(r->library->store, t->node);
  if (n->n_attrs > 1)
    qsort(n->attrs, n->n_attrs, sizeof *n->attrs, by_name);
  g_byte_array_append(key, (const uint8_t *)t->op, (guint)strlen(t->op) + 1);
  g_byte_array_append(key, (const uint8_t *)t->domain, (guint)strlen(t->domain) + 1);
  int64_t head[8] = {t->kind,  t->n_slots, t->n_captures, t->n_outputs,
                     t->since, t->until,   t->outputs,    (int64_t)t->axes << 32 | t->groups};
  g_byte_array_append(key, (const uint8_t *)head, sizeof head);
  for (uint32_t i = 0; i < n->n_attrs; i++)
    key_attr(key, &n->attrs[i]);
  for (uint32_t i = 0; i < t->n_slots; i++) {
    const PtWalkSlot *s = &t->slots[i];
    int32_t slot[3] = {s->kind, s->dtype, (int32_t)s->rank};
    g_byte_array_append(key, (const uint8_t *)slot, sizeof slot);
    g_byte_array_append(key, (const uint8_t *)s->dims, sizeof s->dims);
    if (!s->real)
      continue;
    g_byte_array_append(key, (const uint8_t *)&s->real->dtype, sizeof s->real->dtype);
    g_byte_array_append(key, (const uint8_t *)s->real->dims,
                        (guint)(s->real->rank * sizeof *s->real->dims));
    if (s->real->data)
      g_byte_array_append(key, s->real->data, (guint)s->real->size);
  }
  if (t->kind == PT_WALK_OPAQUE) {
    g_byte_array_append(key, (const uint8_t *)t->in,
                        (guint)((t->n_data + t->n_captures) * sizeof *t->in));
    g_byte_array_append(key, (const uint8_t *)t->out, (guint)(t->n_outputs * sizeof *t->out));
  }
  if (t->source) {
    g_byte_array_append(key, (const uint8_t *)&t->source, sizeof t->source);
    g_byte_array_append(key, (const uint8_t *)&t->source_node, sizeof t->source_node);
  }
  return g_byte_array_free_to_bytes(key);
}

static void begin(Reader *r) {
  PtWalkTemplate *t = r->t;
  PtGraph *store = r->library->store;
  const PtNode *n = r->node;
  t->op = pt_arena_string(store->arena, n->op_type);
  t->domain = pt_arena_string(store->arena, n->domain);
  t->node = pt_graph_add_node(store, n->domain, n->op_type, NULL, 0, NULL, 0);
  for (uint32_t i = 0; i < n->n_captures; i++)
    t->n_captures += !pt_value(r->view->graph, n->captures[i])->constant;
  t->n_outputs = n->n_outputs;
  while (t->n_outputs > 1 && !(r->view->outputs >> (t->n_outputs - 1) & 1))
    t->n_outputs--; /* unused ones at the end say nothing */
  t->outputs = r->view->outputs;
  t->source_node = r->view->node;
  for (uint32_t i = 0; i < n->n_attrs; i++) {
    const PtAttr *a = &n->attrs[i];
    if (a->kind == PT_ATTR_GRAPH || a->kind == PT_ATTR_GRAPHS)
      t->source = r->view->graph;
    else
      pt_node_add_attr_copy(store, t->node, a, NULL);
  }
  if (n->domain[0] == '\0')
    pt_walk_form_range(n->op_type, opset(r), &t->since, &t->until);
  if (n->domain[0] == '\0')
    pt_walk_drop_later(pt_node(store, t->node), &t->since);
  else
    t->until = INT64_MAX;
}

static bool agrees(const PtWalkType *mine, const PtType *seen) {
  if (seen->kind != PT_TYPE_TENSOR || seen->rank < 0)
    return true;
  if (mine->dtype != seen->dtype || mine->rank != seen->rank)
    return false;
  for (int32_t i = 0; i < mine->rank; i++)
    if (seen->dims[i].size >= 0 && mine->dims[i] != seen->dims[i].size)
      return false;
  return true;
}

/* By its rule, if it has one that says what the graph says. */
static bool try_rule(Reader *r, PtWalkType *out) {
  const PtWalkType *in[64];
  if (r->view->n_in > 64 || !read_rule(r))
    return false;
  for (uint32_t i = 0; i < r->view->n_in; i++)
    in[i] = &r->view->in[i];
  r->t->single = r->t->n_data == 1;
  r->t->moves_floats = true;
  r->t->binary = r->t->kind == PT_WALK_BINARY;
  return pt_walk_infer(r->t, r->width, in, out) &&
         agrees(out, &pt_value(r->view->graph, r->node->outputs[0])->type);
}

static void make_opaque(Reader *r, PtWalkType *out) {
  const PtNodeView *v = r->view;
  g_free(r->t->slots);
  *r->t = (PtWalkTemplate){.node = r->t->node};
  pt_node(r->library->store, r->t->node)->dead = true;
  begin(r);
  (void)read_slots(r);
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_OPAQUE;
  t->in = g_new0(PtWalkType, v->n_in + 1);
  if (v->n_in)
    memcpy(t->in, v->in, v->n_in * sizeof *v->in);
  t->out = g_new0(PtWalkType, t->n_outputs + 1);
  for (uint32_t i = 0; i < t->n_outputs; i++) {
    PtValueId o = r->node->outputs[i];
    if (o != PT_NONE && (t->outputs >> i & 1))
      t->out[i] = pt_walk_type_of(r->library, &pt_value(v->graph, o)->type);
  }
  memcpy(out, t->out, t->n_outputs * sizeof *out);
  t->moves_floats = !t->source;
  for (uint32_t i = 0; i < v->n_in; i++)
    t->moves_floats &= pt_walk_is_data(&t->in[i]);
  for (uint32_t i = 0; i < t->n_outputs; i++)
    t->moves_floats &= !(t->outputs >> i & 1) || pt_walk_is_data(&t->out[i]);
  t->single = v->n_in == 1 && t->outputs == 1 && pt_walk_is_data(&v->in[0]) &&
              pt_walk_is_data(&t->out[0]) && !t->source;
}

static void keep_template(Reader *r) {
  PtWalkTemplate *t = r->t;
  for (uint32_t i = 0; i < t->n_slots; i++)
    if (t->slots[i].real)
      t->slots[i].real = keep_tensor(r->library, t->slots[i].real);
  bool tensors = false;
  for (uint32_t i = 0; i < r->node->n_attrs; i++)
    tensors |=
        r->node->attrs[i].kind == PT_ATTR_TENSOR || r->node->attrs[i].kind == PT_ATTR_TENSORS;
  if (t->source || tensors)
    g_ptr_array_add(r->library->held, pt_graph_ref(r->view->graph));
  pt_walk_name(t, r->library->store);
}

uint32_t pt_walk_template_of(PtWalkLibrary *library, const PtNodeView *view, int32_t *width,
                             PtWalkType *out) {
  Reader r = {.library = library,
              .view = view,
              .node = pt_node(view->graph, view->node),
              .t = g_new0(PtWalkTemplate, 1)};
  if (view->n_in)
    r.in = view->in[0];
  begin(&r);
  if (!read_slots(&r) || !try_rule(&r, out)) {
    r.width = 0;
    make_opaque(&r, out);
  }
  *width = r.width;
  g_autoptr(GBytes) key = key_of(&r);
  uint32_t id = GPOINTER_TO_UINT(g_hash_table_lookup(library->by_key, key));
  if (id) {
    g_free(r.t->slots);
    g_free(r.t->in);
    g_free(r.t->out);
    g_free(r.t);
    return id - 1;
  }
  gsize key_size;
  const void *key_data = g_bytes_get_data(key, &key_size);
  r.t->exact = pt_hash64(key_data, key_size, 8);
  keep_template(&r);
  g_ptr_array_add(library->templates, r.t);
  g_hash_table_insert(library->by_key, g_steal_pointer(&key),
                      GUINT_TO_POINTER(library->templates->len));
  return library->templates->len - 1;
}
