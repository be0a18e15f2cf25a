/* template_move: operators that move data, and reductions. */
#include "walk/template.h"

bool pt_read_transpose(PtReader *r) {
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
  if (!t->axes_since || t->n_data != 1 || t->slots[0].kind != PT_SLOT_DATA)
    return false;
  int64_t axes[PT_WALK_RANK] = {0}, n = 0;
  uint32_t count = 0;
  const int64_t *attr = pt_node_ints(r->node, "axes", &count);
  const PtTensor *input = pt_reader_constant(r, 1);
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
  pt_reader_set(r, "keepdims", t->keep);
  pt_reader_drop(r, "axes");
  pt_reader_drop(r, "noop_with_empty_axes");
  t->axes_input = true;
  t->n_slots = 1;
  t->since = 7, t->until = INT64_MAX;
  return true;
}

bool pt_read_concat(PtReader *r) {
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_CONCAT;
  int64_t axis = pt_reader_axis(r, "axis", 1);
  if (t->n_data != t->n_slots || axis < 0 || axis >= r->in.rank)
    return false;
  t->axis = (int32_t)axis;
  pt_reader_set(r, "axis", axis);
  return true;
}

bool pt_read_flatten(PtReader *r) {
  r->t->kind = PT_WALK_FLATTEN;
  int64_t axis = pt_reader_axis(r, "axis", 1);
  if (axis < 0 || axis > r->in.rank)
    return false;
  r->t->axis = (int32_t)axis;
  pt_reader_set(r, "axis", axis);
  return true;
}
