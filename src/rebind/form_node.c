/* Forms from standard nodes: attributes or steering inputs, as the operator set's version has them.
 */
#include "rebind/rebind_private.h"

#include <string.h>

/* Up to PT_MAX_RANK integers of a steering input; -1 where it is none. */
static int read_ints(const PtDense *in, int64_t *out) {
  if (!in->data || in->count > PT_MAX_RANK || in->rank > 1 ||
      (in->dtype != PT_INT64 && in->dtype != PT_INT32))
    return -1;
  for (size_t i = 0; i < in->count; i++) {
    if (in->dtype == PT_INT64)
      memcpy(&out[i], in->data + i * 8, 8);
    else {
      int32_t x;
      memcpy(&x, in->data + i * 4, 4);
      out[i] = x;
    }
  }
  return (int)in->count;
}

/* Integers of attribute `name`, or of input `index` where the attribute is absent. -1: neither; -2:
 * unusable. */
static int node_ints(const PtNode *node, const PtDense *inputs, const char *name, uint32_t index,
                     int64_t *out) {
  uint32_t count;
  const int64_t *ints = pt_node_ints(node, name, &count);
  if (ints) {
    if (count > PT_MAX_RANK)
      return -2;
    memcpy(out, ints, count * sizeof *ints);
    return (int)count;
  }
  if (index >= node->n_inputs || node->inputs[index] == PT_NONE)
    return -1;
  int n = read_ints(&inputs[index], out);
  return n < 0 ? -2 : n;
}

static bool node_reshape(const PtNode *node, const PtDense *inputs, PtForm *form) {
  int64_t dims[PT_MAX_RANK];
  int n = node_ints(node, inputs, "shape", 1, dims), hole = -1;
  if (n < 0)
    return false;
  size_t known = 1;
  bool keep_zero = pt_node_int(node, "allowzero", 0) != 0;
  for (int i = 0; i < n; i++) {
    if (dims[i] == 0 && !keep_zero) {
      if ((uint32_t)i >= inputs[0].rank)
        return false;
      dims[i] = inputs[0].dims[i];
    }
    if (dims[i] == -1) {
      if (hole >= 0)
        return false;
      hole = i;
    } else if (dims[i] < 0)
      return false;
    else
      known = pt_size_mul(known, (size_t)dims[i]);
  }
  if (hole >= 0) {
    if (known == 0 || inputs[0].count % known)
      return false;
    dims[hole] = (int64_t)(inputs[0].count / known);
  }
  return pt_form_reshape(&inputs[0], (uint32_t)n, dims, form);
}

/* Squeeze, Unsqueeze, Flatten: reshapes by axes. */
static bool node_axes(const PtNode *node, const PtDense *inputs, PtForm *form) {
  const PtDense *in = &inputs[0];
  int64_t axes[PT_MAX_RANK], dims[PT_MAX_RANK];
  uint32_t rank = 0, marked = 0;
  if (g_str_equal(node->op_type, "Flatten")) {
    int64_t axis = pt_node_int(node, "axis", 1);
    axis += axis < 0 ? in->rank : 0;
    if (axis < 0 || axis > in->rank)
      return false;
    dims[0] = dims[1] = 1;
    for (uint32_t i = 0; i < in->rank; i++)
      dims[i >= axis] *= in->dims[i];
    return pt_form_reshape(in, 2, dims, form);
  }
  bool add = g_str_equal(node->op_type, "Unsqueeze");
  int n = node_ints(node, inputs, "axes", 1, axes);
  if (n < 0 && (add || n == -2))
    return false;
  uint32_t whole = add ? in->rank + (uint32_t)n : in->rank;
  if (whole > PT_MAX_RANK)
    return false;
  for (int i = 0; i < n; i++) {
    int64_t axis = axes[i] + (axes[i] < 0 ? whole : 0);
    if (axis < 0 || axis >= whole || marked & (1u << axis))
      return false;
    marked |= 1u << axis;
  }
  for (uint32_t i = 0, from = 0; i < whole; i++) {
    bool mark = n < 0 ? in->dims[i] == 1 : (marked & (1u << i)) != 0;
    if (add)
      dims[rank++] = mark ? 1 : in->dims[from++];
    else if (!mark)
      dims[rank++] = in->dims[i];
    else if (in->dims[i] != 1)
      return false;
  }
  return pt_form_reshape(in, rank, dims, form);
}

static bool node_slice(const PtNode *node, const PtDense *inputs, PtForm *form) {
  const PtDense *in = &inputs[0];
  int64_t starts[PT_MAX_RANK], ends[PT_MAX_RANK], axes[PT_MAX_RANK], steps[PT_MAX_RANK];
  int64_t first[PT_MAX_RANK], count[PT_MAX_RANK], step[PT_MAX_RANK];
  int n = node_ints(node, inputs, "starts", 1, starts);
  if (n < 0 || node_ints(node, inputs, "ends", 2, ends) != n)
    return false;
  int n_axes = node_ints(node, inputs, "axes", 3, axes),
      n_steps = node_ints(node, inputs, "steps", 4, steps);
  if ((n_axes != -1 && n_axes != n) || (n_steps != -1 && n_steps != n) || n > (int)in->rank)
    return false;
  for (uint32_t i = 0; i < in->rank; i++) {
    first[i] = 0;
    count[i] = in->dims[i];
    step[i] = 1;
  }
  for (int i = 0; i < n; i++) {
    int64_t axis = n_axes < 0 ? i : axes[i], s = n_steps < 0 ? 1 : steps[i];
    axis += axis < 0 ? in->rank : 0;
    if (axis < 0 || axis >= in->rank || s == 0 || s == INT64_MIN)
      return false;
    int64_t size = in->dims[axis], a = starts[i], b = ends[i];
    a = a < 0 ? (a < -size ? -1 : a + size) : a;
    b = b < 0 ? (b < -size ? -1 : b + size) : b;
    if (s > 0) {
      a = CLAMP(a, 0, size);
      b = CLAMP(b, 0, size);
      count[axis] = b > a ? (b - a - 1) / s + 1 : 0;
    } else {
      a = CLAMP(a, 0, MAX(size - 1, 0));
      b = CLAMP(b, -1, size - 1);
      count[axis] = a > b && size > 0 ? (a - b - 1) / -s + 1 : 0;
    }
    first[axis] = a;
    step[axis] = s;
  }
  return pt_form_slice(in, first, count, step, form);
}

static bool node_expand(const PtNode *node, const PtDense *inputs, PtForm *form) {
  const PtDense *in = &inputs[0];
  int64_t wanted[PT_MAX_RANK], dims[PT_MAX_RANK];
  int n = node_ints(node, inputs, "shape", 1, wanted);
  if (n < 0)
    return false;
  uint32_t rank = MAX((uint32_t)n, in->rank);
  for (uint32_t i = 0; i < rank; i++) {
    int64_t x = i + in->rank < rank ? 1 : in->dims[i + in->rank - rank];
    int64_t y = i + (uint32_t)n < rank ? 1 : wanted[i + (uint32_t)n - rank];
    dims[i] = x == 1 ? y : x;
    if (y != 1 && y != dims[i])
      return false;
  }
  return pt_form_expand(in, rank, dims, form);
}

/* Native only where axes of one element are repeated. */
static bool node_tile(const PtNode *node, const PtDense *inputs, PtForm *form) {
  const PtDense *in = &inputs[0];
  int64_t repeats[PT_MAX_RANK];
  int n = node_ints(node, inputs, "repeats", 1, repeats);
  if (n < 0 || (uint32_t)n != in->rank)
    return false;
  for (uint32_t i = 0; i < in->rank; i++) {
    if (in->dims[i] != 1 && repeats[i] != 1)
      return false;
    repeats[i] = in->dims[i] == 1 ? repeats[i] : in->dims[i];
  }
  return pt_form_expand(in, in->rank, repeats, form);
}

static bool node_pad(const PtNode *node, const PtDense *inputs, PtForm *form) {
  const PtDense *in = &inputs[0];
  int64_t pads[2 * PT_MAX_RANK], dims[PT_MAX_RANK], axes[PT_MAX_RANK];
  uint32_t count;
  const int64_t *given = pt_node_ints(node, "pads", &count);
  const PtAttr *mode = pt_node_attr(node, "mode");
  if (mode && !pt_node_string_is(node, "mode", "constant"))
    return false;
  if (pt_node_float(node, "value", 0) != 0)
    return false;
  if (!given) {
    if (node->n_inputs < 2 || !inputs[1].data || inputs[1].dtype != PT_INT64)
      return false;
    given = (const int64_t *)(const void *)inputs[1].data;
    count = (uint32_t)MIN(inputs[1].count, 2 * PT_MAX_RANK + 1);
  }
  if (node->n_inputs > 2 && node->inputs[2] != PT_NONE &&
      (!inputs[2].data || inputs[2].count != 1 ||
       pt_dense_at(inputs[2].dtype, inputs[2].data, 0) != 0))
    return false;
  if (node->n_inputs > 3 && node->inputs[3] != PT_NONE)
    return false;
  if (count != 2 * in->rank || node_ints(node, inputs, "axes", 3, axes) != -1)
    return false;
  memcpy(pads, given, count * sizeof *pads);
  for (uint32_t i = 0; i < in->rank; i++)
    if (pads[i] < 0 || pads[i + in->rank] < 0 ||
        __builtin_add_overflow(in->dims[i], pads[i], &dims[i]) ||
        __builtin_add_overflow(dims[i], pads[i + in->rank], &dims[i]))
      return false;
  return pt_form_pad(in, pads, dims, form);
}

static bool node_transpose(const PtNode *node, const PtDense *inputs, PtForm *form) {
  int64_t perm[PT_MAX_RANK];
  uint32_t count;
  const int64_t *given = pt_node_ints(node, "perm", &count);
  if (given && count != inputs[0].rank)
    return false;
  for (uint32_t i = 0; i < inputs[0].rank; i++)
    perm[i] = given ? given[i] : inputs[0].rank - 1 - i;
  return pt_form_transpose(&inputs[0], perm, form);
}

static bool node_identity(const PtNode *node, const PtDense *inputs, PtForm *form) {
  (void)node;
  return pt_form_reshape(&inputs[0], inputs[0].rank, inputs[0].dims, form);
}

static bool node_cast(const PtNode *node, const PtDense *inputs, PtForm *form) {
  return pt_form_cast(&inputs[0], (PtDtype)pt_node_int(node, "to", 0), form);
}

static const struct {
  const char *name;
  PtFormOp op; /* arithmetic, or: */
  bool (*resolve)(const PtNode *node, const PtDense *inputs, PtForm *form);
} rows[] = {
    {"Add", PT_FORM_ADD, NULL},
    {"Sub", PT_FORM_SUB, NULL},
    {"Mul", PT_FORM_MUL, NULL},
    {"Div", PT_FORM_DIV, NULL},
    {"Sqrt", PT_FORM_SQRT, NULL},
    {"Neg", PT_FORM_NEG, NULL},
    {"Reciprocal", PT_FORM_RECIPROCAL, NULL},
    {"Cast", PT_FORM_CAST, node_cast},
    {"Reshape", PT_FORM_RESHAPE, node_reshape},
    {"Squeeze", PT_FORM_RESHAPE, node_axes},
    {"Unsqueeze", PT_FORM_RESHAPE, node_axes},
    {"Flatten", PT_FORM_RESHAPE, node_axes},
    {"Identity", PT_FORM_RESHAPE, node_identity},
    {"Transpose", PT_FORM_TRANSPOSE, node_transpose},
    {"Slice", PT_FORM_SLICE, node_slice},
    {"Expand", PT_FORM_EXPAND, node_expand},
    {"Tile", PT_FORM_EXPAND, node_tile},
    {"Pad", PT_FORM_PAD, node_pad},
    {"Concat", PT_FORM_CONCAT, NULL},
};

bool pt_form_of_node(const PtGraph *graph, const PtNode *node, const PtDense *inputs, PtForm *form,
                     uint32_t *n_data) {
  memset(form, 0, sizeof *form);
  if (node->domain[0] || node->n_inputs == 0 || node->n_outputs != 1)
    return false;
  size_t row = 0;
  while (row < G_N_ELEMENTS(rows) && !g_str_equal(rows[row].name, node->op_type))
    row++;
  if (row == G_N_ELEMENTS(rows) || node->inputs[0] == PT_NONE)
    return false;
  PtFormOp op = rows[row].op;
  *n_data = op == PT_FORM_CONCAT ? node->n_inputs : pt_form_is_binary(op) ? 2 : 1;
  if (node->n_inputs < *n_data)
    return false;
  for (uint32_t i = 0; i < *n_data; i++)
    if (node->inputs[i] == PT_NONE)
      return false;
  if (op == PT_FORM_CONCAT) {
    int64_t axis = pt_node_int(node, "axis", 1);
    return pt_form_concat(inputs, node->n_inputs, axis + (axis < 0 ? inputs[0].rank : 0), form);
  }
  if (rows[row].resolve)
    return rows[row].resolve(node, inputs, form);
  /* before opset 7, broadcasting had an attribute */
  if (pt_graph_opset(graph, "") < 7 && pt_form_is_binary(op))
    return false;
  return pt_form_arithmetic(op, &inputs[0], pt_form_is_binary(op) ? &inputs[1] : NULL, form);
}
