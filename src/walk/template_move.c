/* template_move: operators that move data, and reductions. */
#include "walk/template.h"

static bool read_transpose(PtReader *r) {
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

/* Axes as bits, from the attribute or a constant input; `rank`: of what they are axes of, plus how
 * many there are if `more`. */
static bool read_axes(PtReader *r, int32_t rank, bool more) {
  PtWalkTemplate *t = r->t;
  int64_t axes[PT_WALK_RANK] = {0}, n = 0;
  uint32_t count = 0;
  const int64_t *attr = pt_node_ints(r->node, "axes", &count);
  const PtTensor *input = pt_reader_constant(r, 1);
  if (attr && count <= PT_WALK_RANK) {
    memcpy(axes, attr, count * sizeof *axes);
    n = count;
  } else if (input)
    n = pt_tensor_ints(input, axes, PT_WALK_RANK);
  if (n < 1 || (t->n_slots > 1 && !input) || t->n_data != 1 || t->slots[0].kind != PT_SLOT_DATA)
    return false; /* all axes: rare, left as it is */
  rank += more ? (int32_t)n : 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank || rank > PT_WALK_RANK || (more && t->axes >> axis & 1))
      return false;
    t->axes |= 1u << axis;
  }
  pt_reader_drop(r, "axes");
  t->axes_input = true;
  t->n_slots = 1;
  t->since = 7, t->until = INT64_MAX;
  return true;
}

bool pt_read_reduce(PtReader *r) {
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
  if (!t->axes_since || !read_axes(r, r->in.rank, false))
    return false;
  t->keep = pt_node_int(r->node, "keepdims", 1) != 0;
  pt_reader_set(r, "keepdims", t->keep);
  pt_reader_drop(r, "noop_with_empty_axes");
  return true;
}

static bool read_concat(PtReader *r) {
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_CONCAT;
  int64_t axis = pt_reader_axis(r, "axis", 1);
  if (t->n_data != t->n_slots || axis < 0 || axis >= r->in.rank)
    return false;
  t->axis = (int32_t)axis;
  pt_reader_set(r, "axis", axis);
  return true;
}

static bool read_flatten(PtReader *r) {
  r->t->kind = PT_WALK_FLATTEN;
  int64_t axis = pt_reader_axis(r, "axis", 1);
  if (axis < 0 || axis > r->in.rank)
    return false;
  r->t->axis = (int32_t)axis;
  pt_reader_set(r, "axis", axis);
  return true;
}

/* ---- steered by numbers -----------------------------------------------------------------------
 */
/* The numbers at input i; how many, -1 if they are not known or too many. The slot holds how they
 * follow from the input from now on. */
static int64_t take_numbers(PtReader *r, uint32_t i, int64_t *numbers) {
  const PtTensor *c = pt_reader_constant(r, i);
  if (!c || i >= r->t->n_slots || r->t->slots[i].kind != PT_SLOT_REAL || !c->data || c->rank != 1)
    return -1;
  int64_t n = pt_tensor_ints(c, numbers, PT_WALK_RANK);
  if (n < 1)
    return -1;
  r->t->slots[i] = (PtWalkSlot){.kind = PT_SLOT_STEER, .dtype = (uint8_t)c->dtype, .rank = 1};
  r->t->slots[i].dims[0] = (int32_t)n;
  return n;
}

static bool read_reshape(PtReader *r) {
  int64_t target[PT_WALK_RANK];
  PtWalkType out;
  r->t->kind = PT_WALK_RESHAPE;
  int64_t n = r->t->n_slots == 2 ? take_numbers(r, 1, target) : -1;
  return n > 0 && !pt_node_int(r->node, "allowzero", 0) &&
         pt_steer_reshape(&r->in, target, (uint32_t)n, &out, r->t->slots[1].steer);
}

static bool read_slice(PtReader *r) {
  PtWalkTemplate *t = r->t;
  int64_t starts[PT_WALK_RANK], ends[PT_WALK_RANK], axes[PT_WALK_RANK];
  t->kind = PT_WALK_SLICE;
  int64_t n = t->n_slots >= 3 ? take_numbers(r, 1, starts) : -1;
  if (n < 1 || take_numbers(r, 2, ends) != n)
    return false;
  for (uint32_t i = 3; i < t->n_slots; i++)
    if (t->slots[i].kind == PT_SLOT_REAL
            ? !t->slots[i].real->data || pt_tensor_ints(t->slots[i].real, axes, PT_WALK_RANK) != n
            : t->slots[i].kind != PT_SLOT_NONE)
      return false;
  for (int64_t i = 0; i < n; i++)
    axes[i] = i;
  if (t->n_slots > 3 && t->slots[3].kind == PT_SLOT_REAL)
    (void)pt_tensor_ints(t->slots[3].real, axes, PT_WALK_RANK);
  for (int64_t i = 0; i < n; i++) {
    int64_t axis = axes[i] < 0 ? axes[i] + r->in.rank : axes[i];
    if (axis < 0 || axis >= r->in.rank)
      return false;
    t->slots[1].steer[i] = pt_steer_place(&r->in, (int32_t)axis, starts[i]);
    t->slots[2].steer[i] = pt_steer_place(&r->in, (int32_t)axis, ends[i]);
  }
  return true;
}

/* Equal parts; their sizes, where they are written, are an attribute before opset 13. */
static bool read_split(PtReader *r) {
  PtWalkTemplate *t = r->t;
  int64_t sizes[PT_WALK_RANK], axis = pt_reader_axis(r, "axis", 0), n = r->node->n_outputs;
  uint32_t count = 0;
  const int64_t *attr = pt_node_ints(r->node, "split", &count);
  t->kind = PT_WALK_SPLIT;
  if (n < 2 || n > PT_WALK_OUTPUTS || axis < 0 || axis >= r->in.rank || r->in.dims[axis] < n ||
      r->in.dims[axis] % n || t->n_slots > 2)
    return false;
  t->n_outputs = (uint32_t)n; /* unused ones, too */
  t->axis = (int32_t)axis;
  pt_reader_set(r, "axis", axis);
  if (attr) {
    if (count != n)
      return false;
    memcpy(sizes, attr, count * sizeof *sizes);
    t->slots = g_renew(PtWalkSlot, t->slots, 3);
    t->slots[1] = (PtWalkSlot){.kind = PT_SLOT_STEER, .dtype = PT_INT64, .rank = 1};
    t->slots[1].dims[0] = (int32_t)n;
    t->n_slots = 2;
    pt_reader_drop(r, "split");
  } else if (t->n_slots == 2 && take_numbers(r, 1, sizes) != n)
    return false;
  for (int64_t i = 0; t->n_slots == 2 && i < n; i++) {
    if (sizes[i] * n != r->in.dims[axis])
      return false;
    t->slots[1].steer[i] =
        (PtSteer){.kind = PT_STEER_SIZE, .axis = (uint8_t)axis, .n = 1, .times = 1, .value = n};
  }
  if (t->n_slots == 2) {
    t->parts = true;
    t->since = 7, t->until = INT64_MAX;
  }
  return true;
}

/* ---- by constants that stay -------------------------------------------------------------------
 */
static bool has_real(const PtReader *r, uint32_t i) {
  return i < r->t->n_slots && r->t->slots[i].kind == PT_SLOT_REAL && r->t->slots[i].real->data;
}

static bool read_gather(PtReader *r) {
  PtWalkTemplate *t = r->t;
  int64_t axis = pt_reader_axis(r, "axis", 0);
  t->kind = PT_WALK_GATHER;
  if (t->n_slots != 2 || !has_real(r, 1) || axis < 0 || axis >= r->in.rank ||
      t->slots[1].real->count < 1 || t->slots[1].real->count > 65536)
    return false;
  const PtTensor *index = t->slots[1].real;
  g_autofree int64_t *at = g_new(int64_t, index->count);
  if (pt_tensor_ints(index, at, index->count) != (int64_t)index->count)
    return false;
  for (size_t i = 0; i < index->count; i++) {
    t->lowest = MIN(t->lowest, at[i]);
    t->highest = MAX(t->highest, at[i]);
  }
  if (t->lowest < -INT32_MAX || t->highest > INT32_MAX)
    return false;
  t->axis = (int32_t)axis;
  pt_reader_set(r, "axis", axis);
  return true;
}

static bool read_expand(PtReader *r) {
  int64_t target[PT_WALK_RANK];
  r->t->kind = PT_WALK_EXPAND;
  int64_t n = r->t->n_slots == 2 && has_real(r, 1)
                  ? pt_tensor_ints(r->t->slots[1].real, target, PT_WALK_RANK)
                  : 0;
  for (int64_t i = 0; i < n; i++)
    if (target[i] < 1 || target[i] > INT32_MAX)
      return false;
  return n > 0;
}

static bool read_pad(PtReader *r) {
  PtWalkTemplate *t = r->t;
  int64_t pads[2 * PT_WALK_RANK];
  t->kind = PT_WALK_PAD;
  t->keep = !pt_node_attr(r->node, "mode") || pt_node_string_is(r->node, "mode", "constant");
  for (uint32_t i = 2; i < t->n_slots; i++)
    if (i > 2 || (t->slots[i].kind != PT_SLOT_NONE && !has_real(r, i)))
      return false;
  return has_real(r, 1) && pt_tensor_ints(t->slots[1].real, pads, G_N_ELEMENTS(pads)) > 0;
}

static bool read_cast(PtReader *r) {
  PtWalkType to = {.rank = 2, .dtype = (uint8_t)pt_node_int(r->node, "to", 0)};
  r->t->kind = PT_WALK_CAST;
  r->t->to = to.dtype;
  return r->t->n_slots == 1 && pt_walk_is_data(&to);
}

static bool read_squeeze(PtReader *r) {
  r->t->kind = PT_WALK_SQUEEZE;
  r->t->axes_since = 13;
  return read_axes(r, r->in.rank, false);
}

static bool read_unsqueeze(PtReader *r) {
  r->t->kind = PT_WALK_UNSQUEEZE;
  r->t->axes_since = 13;
  return read_axes(r, r->in.rank, true);
}

static bool read_identity(PtReader *r) {
  r->t->kind = PT_WALK_SAME;
  return r->t->n_slots == 1;
}

bool pt_read_move(PtReader *r) {
  static const struct {
    const char *op;
    bool (*read)(PtReader *r);
  } readers[] = {
      {"Identity", read_identity}, {"Transpose", read_transpose}, {"Concat", read_concat},
      {"Flatten", read_flatten},   {"Reshape", read_reshape},     {"Slice", read_slice},
      {"Split", read_split},       {"Squeeze", read_squeeze},     {"Unsqueeze", read_unsqueeze},
      {"Gather", read_gather},     {"Expand", read_expand},       {"Pad", read_pad},
      {"Cast", read_cast}};
  bool many = g_str_equal(r->t->op, "Concat");
  if (r->t->n_slots < 1 || r->t->slots[0].kind != PT_SLOT_DATA || (r->t->n_data != 1 && !many))
    return false;
  for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
    if (g_str_equal(r->t->op, readers[i].op))
      return readers[i].read(r);
  return false;
}
