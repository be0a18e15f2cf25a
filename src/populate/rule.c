/* rule: the type that an operator makes of its operands' types; rule_z3.c says the same to Z3. */
#include "populate/populate_private.h"

int32_t pt_finite_derived(int32_t from, int64_t a, int64_t b) {
  uint64_t h = pt_hash_mix(pt_hash_mix((uint64_t)(int64_t)from, (uint64_t)a), (uint64_t)b);
  return -2 - (int32_t)(pt_hash_mix(h, 0xd341) & 0x3fffffff);
}

bool pt_finite_is_data(const PtFiniteType *t) {
  return t->rank >= 2 && (t->dtype == PT_FLOAT || t->dtype == PT_FLOAT16 || t->dtype == PT_DOUBLE ||
                          t->dtype == PT_BFLOAT16);
}

static PtFiniteType like(const PtFiniteType *x, int32_t rank) {
  return (PtFiniteType){.dtype = x->dtype, .rank = (int8_t)rank};
}

/* ---- elementwise ------------------------------------------------------------------------------
 */
static bool apply_same(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                       uint32_t n, PtFiniteType *out) {
  (void)op, (void)width, (void)n;
  *out = *in[0];
  return true;
}

static bool merge(int32_t a, int32_t b, int32_t *out) {
  if (a != b && a != 1 && b != 1)
    return false;
  *out = a == 1 ? b : a;
  return true;
}

/* Axes from the end, from `first` on; missing ones are 1. */
static bool broadcast(const PtFiniteType *a, const PtFiniteType *b, int32_t first,
                      PtFiniteType *out) {
  for (int32_t i = first; i <= out->rank; i++) {
    int32_t da = i <= a->rank ? a->dims[a->rank - i] : 1;
    int32_t db = i <= b->rank ? b->dims[b->rank - i] : 1;
    if (!merge(da, db, &out->dims[out->rank - i]))
      return false;
  }
  return true;
}

static bool apply_binary(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                         uint32_t n, PtFiniteType *out) {
  (void)op, (void)width, (void)n;
  *out = like(in[0], MAX(in[0]->rank, in[1]->rank));
  return in[0]->dtype == in[1]->dtype && broadcast(in[0], in[1], 1, out);
}

/* ---- windows ----------------------------------------------------------------------------------
 */
int32_t pt_operator_window(const PtOperator *op, int32_t i, int32_t size) {
  int64_t pad = op->pads[i] + op->pads[i + op->n_space];
  int64_t reach = (int64_t)op->dilations[i] * (op->kernel[i] - 1), stride = op->strides[i];
  if (op->rule == PT_RULE_POOL &&
      (op->pads[i] >= op->kernel[i] || op->pads[i + op->n_space] >= op->kernel[i]))
    return 0;
  if (size < 0)
    return stride == 1 && pad == reach
               ? size
               : pt_finite_derived(size, pad - reach, stride * 2 + op->ceil_mode);
  int64_t room = size + pad - reach - 1;
  if (room < 0)
    return 0;
  int64_t steps = op->ceil_mode ? (room + stride - 1) / stride : room / stride;
  if (op->ceil_mode && steps * stride >= size + op->pads[i])
    steps--; /* a window that starts in the padding behind is left out */
  return steps + 1 > INT32_MAX ? 0 : (int32_t)steps + 1;
}

static bool apply_window(const PtOperator *op, const PtFiniteType *x, PtFiniteType *out) {
  *out = like(x, x->rank);
  out->dims[0] = x->dims[0];
  for (int32_t i = 0; i < op->n_space; i++)
    if ((out->dims[2 + i] = pt_operator_window(op, i, x->dims[2 + i])) == 0)
      return false;
  return true;
}

static bool apply_conv(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                       uint32_t n, PtFiniteType *out) {
  const PtFiniteType *x = in[0];
  int32_t groups = op->groups;
  (void)n;
  if (x->rank != op->n_space + 2 || x->dims[1] < 1 || !apply_window(op, x, out))
    return false;
  out->dims[1] = op->dense ? width : x->dims[1];
  if (groups == 0)
    return x->dims[1] > 1;
  /* a group a channel is another operator */
  return width > 0 && x->dims[1] % groups == 0 && width % groups == 0 &&
         (groups == 1 || x->dims[1] != groups || width != groups);
}

static bool apply_pool(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                       uint32_t n, PtFiniteType *out) {
  (void)width, (void)n;
  if (in[0]->rank != op->n_space + 2 || !apply_window(op, in[0], out))
    return false;
  out->dims[1] = in[0]->dims[1];
  return true;
}

static bool apply_global_pool(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                              uint32_t n, PtFiniteType *out) {
  (void)op, (void)width, (void)n;
  *out = *in[0];
  for (int32_t i = 2; i < out->rank; i++)
    out->dims[i] = 1;
  return out->rank > 2;
}

/* ---- products ---------------------------------------------------------------------------------
 */
static bool apply_linear(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                         uint32_t n, PtFiniteType *out) {
  const PtFiniteType *x = in[0];
  (void)n;
  if ((op->two_d && x->rank != 2) || x->dims[x->rank - 1] < 1 || width < 1)
    return false;
  *out = *x;
  out->dims[x->rank - 1] = width;
  return true;
}

static bool apply_matmul(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                         uint32_t n, PtFiniteType *out) {
  const PtFiniteType *a = in[0], *b = in[1];
  (void)op, (void)width, (void)n;
  if (a->dtype != b->dtype || a->dims[a->rank - 1] != b->dims[b->rank - 2])
    return false;
  *out = like(a, MAX(a->rank, b->rank));
  out->dims[out->rank - 2] = a->dims[a->rank - 2];
  out->dims[out->rank - 1] = b->dims[b->rank - 1];
  return broadcast(a, b, 3, out);
}

/* ---- moves of data ----------------------------------------------------------------------------
 */
static bool apply_transpose(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                            uint32_t n, PtFiniteType *out) {
  (void)width, (void)n;
  if (in[0]->rank != op->n_perm)
    return false;
  *out = like(in[0], op->n_perm);
  for (int32_t i = 0; i < op->n_perm; i++)
    out->dims[i] = in[0]->dims[op->perm[i]];
  return true;
}

static bool apply_reduce(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                         uint32_t n, PtFiniteType *out) {
  const PtFiniteType *x = in[0];
  int32_t at = 0;
  (void)width, (void)n;
  if (op->axes >> x->rank)
    return false;
  *out = like(x, 0);
  for (int32_t i = 0; i < x->rank; i++)
    if (!(op->axes >> i & 1))
      out->dims[at++] = x->dims[i];
    else if (op->keep)
      out->dims[at++] = 1;
  out->rank = (int8_t)at;
  return true;
}

static bool apply_concat(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                         uint32_t n, PtFiniteType *out) {
  int64_t total = 0;
  int32_t axis = op->axis;
  (void)width;
  *out = *in[0];
  if (n < 2 || axis >= out->rank)
    return false;
  for (uint32_t i = 0; i < n; i++) {
    const PtFiniteType *x = in[i];
    if (x->rank != out->rank || x->dtype != out->dtype)
      return false;
    for (int32_t d = 0; d < x->rank; d++)
      if (d != axis && x->dims[d] != out->dims[d])
        return false;
    if (x->dims[axis] < 0)
      return false; /* an unknown sum is no type that anything else has */
    total += x->dims[axis];
  }
  out->dims[axis] = (int32_t)MIN(total, INT32_MAX);
  return total <= INT32_MAX;
}

/* The product of known sizes, or the only one that is not 1; 0: it cannot be told. */
int32_t pt_finite_product(const int32_t *dims, int32_t n) {
  int64_t product = 1;
  int32_t lone = 1, others = 0;
  for (int32_t i = 0; i < n; i++) {
    if (dims[i] == 1)
      continue;
    others++, lone = dims[i];
    product = dims[i] < 0 || product < 0 ? -1 : product * dims[i];
    if (product > INT32_MAX)
      return 0;
  }
  return others <= 1 ? lone : product < 0 ? 0 : (int32_t)product;
}

static bool apply_flatten(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                          uint32_t n, PtFiniteType *out) {
  const PtFiniteType *x = in[0];
  (void)width, (void)n;
  if (op->axis > x->rank)
    return false;
  *out = like(x, 2);
  out->dims[0] = pt_finite_product(x->dims, op->axis);
  out->dims[1] = pt_finite_product(x->dims + op->axis, x->rank - op->axis);
  return out->dims[0] && out->dims[1];
}

/* ---- the table --------------------------------------------------------------------------------
 */
static bool apply_table(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                        uint32_t n, PtFiniteType *out) {
  (void)width;
  for (uint32_t i = 0; i < n; i++)
    if (memcmp(in[i], &op->in[i], sizeof *in[i]) != 0)
      return false;
  *out = op->out;
  return true;
}

const PtRule pt_rules[PT_RULE_KINDS] = {
    [PT_RULE_TABLE] = {"table", apply_table, pt_constrain_table},
    [PT_RULE_SAME] = {"same", apply_same, pt_constrain_same},
    [PT_RULE_BINARY] = {"binary", apply_binary, pt_constrain_binary},
    [PT_RULE_CONV] = {"conv", apply_conv, pt_constrain_conv},
    [PT_RULE_POOL] = {"pool", apply_pool, pt_constrain_pool},
    [PT_RULE_GLOBAL_POOL] = {"global pool", apply_global_pool, pt_constrain_global_pool},
    [PT_RULE_LINEAR] = {"linear", apply_linear, pt_constrain_linear},
    [PT_RULE_MATMUL] = {"matmul", apply_matmul, pt_constrain_matmul},
    [PT_RULE_TRANSPOSE] = {"transpose", apply_transpose, pt_constrain_transpose},
    [PT_RULE_REDUCE] = {"reduce", apply_reduce, pt_constrain_reduce},
    [PT_RULE_CONCAT] = {"concat", apply_concat, pt_constrain_concat},
    [PT_RULE_FLATTEN] = {"flatten", apply_flatten, pt_constrain_flatten},
};

/* ---- constants --------------------------------------------------------------------------------
 */
static bool weight_fits(const PtOperator *op, uint16_t sizes, int32_t width,
                        const PtFiniteType *x) {
  for (int32_t i = 0; i < PT_FINITE_RANK; i++)
    if (sizes >> i & 1 && i < x->rank && x->dims[x->rank - 1 - i] > 1)
      return true;
  return (sizes & PT_SIZE_CHANNEL && x->dims[1] > 1) ||
         (sizes & PT_SIZE_PER_GROUP && x->dims[1] / MAX(op->groups, 1) > 1) ||
         (sizes & PT_SIZE_WIDTH && width > 1);
}

static bool constants_fit(const PtOperator *op, int32_t width, const PtFiniteType *x) {
  if (x->rank < op->least_rank || (op->dtype && op->dtype != x->dtype) ||
      (op->known_channel && x->dims[1] < 1))
    return false;
  for (int32_t i = 0; i < PT_FINITE_RANK; i++)
    if (op->known >> i & 1 && (i >= x->rank || x->dims[x->rank - 1 - i] < 1))
      return false;
  for (uint32_t i = 0; i < op->n_weights; i++)
    if (!weight_fits(op, op->weights[i], width, x))
      return false;
  return true;
}

bool pt_operator_apply(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                       uint32_t n_in, PtFiniteType *out) {
  if (op->n_in ? n_in != op->n_in : n_in < 2)
    return false;
  for (uint32_t i = 0; i < n_in && op->rule != PT_RULE_TABLE; i++)
    if (!pt_finite_is_data(in[i]))
      return false;
  return pt_rules[op->rule].apply(op, width, in, n_in, out) &&
         (op->rule == PT_RULE_TABLE || constants_fit(op, width, in[0]));
}
