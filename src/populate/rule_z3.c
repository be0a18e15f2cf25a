/* rule_z3: each rule as a constraint on Z3's variables; rule.c says the same of given types. Axes
 * are counted from the end here, and those that a value lacks have size 1. */
#include "populate/populate_private.h"

/* ---- elementwise ------------------------------------------------------------------------------
 */
Z3_ast pt_constrain_same(const PtSite *s) {
  return pt_bundle_equal(s->e, s->in[0], s->out);
}

static Z3_ast merged(PtEncoder *e, Z3_ast a, Z3_ast b, Z3_ast out) {
  Z3_ast one = e->size[e->sizes.one];
  Z3_ast is_a = pt_z3_or(e, pt_z3_eq(e, a, b), pt_z3_eq(e, b, one));
  return pt_z3_or(e, pt_z3_and(e, pt_z3_eq(e, out, a), is_a),
                  pt_z3_and(e, pt_z3_eq(e, out, b), pt_z3_eq(e, a, one)));
}

static void broadcast(PtTerms *all, const PtSite *s, int32_t first) {
  PtEncoder *e = s->e;
  const PtBundle *a = s->in[0], *b = s->in[1];
  pt_same_dtype(all, a, b);
  pt_same_dtype(all, a, s->out);
  if (e->reach.only_rank < 0)
    pt_terms_add(
        all, pt_z3_eq(e, s->out->rank,
                      Z3_mk_ite(e->z3, Z3_mk_bvuge(e->z3, a->rank, b->rank), a->rank, b->rank)));
  for (int32_t i = first; i < e->sizes.rank; i++)
    pt_terms_add(all, merged(e, a->dim[i], b->dim[i], s->out->dim[i]));
}

Z3_ast pt_constrain_binary(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  broadcast(&all, s, 0);
  return pt_terms_and(&all);
}

/* ---- windows ----------------------------------------------------------------------------------
 */
/* What the window makes of each size that its axis may have. */
static Z3_ast through_window(const PtSite *s, int32_t i) {
  PtEncoder *e = s->e;
  int32_t at = s->op->n_space - 1 - i;
  Z3_ast in = s->in[0]->dim[at], out = s->out->dim[at];
  PtTerms any = pt_terms(e), kept = pt_terms(e);
  bool all_kept = true;
  for (uint32_t from = 0; from < e->sizes.n; from++) {
    if (!e->reach.size[at][from])
      continue;
    int32_t size = pt_operator_window(s->op, i, e->sizes.size[from]);
    uint32_t to = size ? pt_domain_find(&e->sizes, size) : UINT32_MAX;
    all_kept &= to == from;
    if (to == from)
      pt_terms_add(&kept, pt_z3_eq(e, in, e->size[from]));
    else if (to != UINT32_MAX)
      pt_terms_add(&any,
                   pt_z3_and(e, pt_z3_eq(e, in, e->size[from]), pt_z3_eq(e, out, e->size[to])));
  }
  Z3_ast some = pt_terms_or(&kept), same = pt_z3_eq(e, in, out);
  pt_terms_add(&any, all_kept ? same : pt_z3_and(e, same, some));
  return pt_terms_or(&any);
}

static void window(PtTerms *all, const PtSite *s) {
  PtEncoder *e = s->e;
  int32_t n = s->op->n_space;
  pt_terms_add(all, pt_has_rank(e, s->in[0], n + 2));
  pt_terms_add(all, pt_has_rank(e, s->out, n + 2));
  pt_same_dtype(all, s->in[0], s->out);
  if (n + 2 > e->sizes.rank)
    return;
  for (int32_t i = 0; i < n; i++)
    pt_terms_add(all, through_window(s, i));
  pt_same_axes(all, s->in[0], s->out, (1u << (n + 1)) - 1);
}

static Z3_ast divisible(PtEncoder *e, const PtSite *s, Z3_ast dim, int32_t but) {
  PtTerms any = pt_terms(e);
  for (uint32_t i = e->sizes.one; i < e->sizes.n; i++)
    if (e->reach.size[s->op->n_space][i] && e->sizes.size[i] % s->op->groups == 0 &&
        e->sizes.size[i] != but)
      pt_terms_add(&any, pt_z3_eq(e, dim, e->size[i]));
  return pt_terms_or(&any);
}

Z3_ast pt_constrain_conv(const PtSite *s) {
  PtEncoder *e = s->e;
  int32_t groups = s->op->groups;
  if (s->op->n_space + 2 > e->sizes.rank)
    return e->no;
  Z3_ast in = s->in[0]->dim[s->op->n_space], out = s->out->dim[s->op->n_space];
  PtTerms all = pt_terms(e);
  window(&all, s);
  pt_terms_add(&all, pt_is_known(e, in));
  pt_terms_add(&all, pt_z3_eq(e, out, s->op->dense ? s->width : in));
  if (groups == 0)
    pt_terms_add(&all, pt_is_large(e, in));
  else if (groups > 1) {
    pt_terms_add(&all, divisible(e, s, in, 0));
    pt_terms_add(&all, divisible(e, s, out, 0));
    pt_terms_add(&all, pt_z3_or(e, divisible(e, s, in, groups), divisible(e, s, out, groups)));
  }
  return pt_terms_and(&all);
}

Z3_ast pt_constrain_pool(const PtSite *s) {
  int32_t n = s->op->n_space;
  PtTerms all = pt_terms(s->e);
  if (n + 2 <= s->e->sizes.rank)
    pt_terms_add(&all, pt_z3_eq(s->e, s->in[0]->dim[n], s->out->dim[n]));
  window(&all, s);
  return pt_terms_and(&all);
}

static Z3_ast pooled(const PtSite *s, int32_t rank) {
  PtEncoder *e = s->e;
  PtTerms all = pt_terms(e);
  for (int32_t i = 0; i < rank - 2; i++)
    pt_terms_add(&all, pt_z3_eq(e, s->out->dim[i], e->size[e->sizes.one]));
  pt_same_axes(&all, s->in[0], s->out, (1u << (rank - 2)) - 1);
  return pt_terms_and(&all);
}

Z3_ast pt_constrain_global_pool(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  pt_same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, pt_z3_eq(s->e, s->in[0]->rank, s->out->rank));
  pt_terms_add(&all, pt_by_rank(s, 3, pooled));
  return pt_terms_and(&all);
}

/* ---- products ---------------------------------------------------------------------------------
 */
Z3_ast pt_constrain_linear(const PtSite *s) {
  PtEncoder *e = s->e;
  PtTerms all = pt_terms(e);
  pt_same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, pt_z3_eq(e, s->in[0]->rank, s->out->rank));
  pt_terms_add(&all, s->op->two_d ? pt_has_rank(e, s->in[0], 2) : e->yes);
  pt_terms_add(&all, pt_is_known(e, s->in[0]->dim[0]));
  pt_terms_add(&all, pt_z3_eq(e, s->out->dim[0], s->width));
  pt_same_axes(&all, s->in[0], s->out, 1);
  return pt_terms_and(&all);
}

Z3_ast pt_constrain_matmul(const PtSite *s) {
  PtEncoder *e = s->e;
  const PtBundle *a = s->in[0], *b = s->in[1];
  PtTerms all = pt_terms(e);
  broadcast(&all, s, 2);
  pt_terms_add(&all, pt_z3_eq(e, a->dim[0], b->dim[1]));
  pt_terms_add(&all, pt_z3_eq(e, a->dim[1], s->out->dim[1]));
  pt_terms_add(&all, pt_z3_eq(e, b->dim[0], s->out->dim[0]));
  return pt_terms_and(&all);
}

/* ---- observed types ---------------------------------------------------------------------------
 */
Z3_ast pt_constrain_table(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  for (uint32_t i = 0; i < s->n_in; i++)
    pt_terms_add(&all, pt_bundle_is(s->e, s->in[i], &s->op->in[i]));
  pt_terms_add(&all, pt_bundle_is(s->e, s->out, &s->op->out));
  return pt_terms_and(&all);
}

/* ---- constants --------------------------------------------------------------------------------
 */
/* What holds of axis 1: PT_SIZE_* to be larger than 1, or 0: known. */
static Z3_ast channel(const PtSite *s, uint16_t what) {
  PtEncoder *e = s->e;
  PtTerms any = pt_terms(e);
  for (int32_t rank = 2; rank <= e->sizes.rank; rank++) {
    Z3_ast dim = s->in[0]->dim[rank - 2], holds = what ? pt_is_large(e, dim) : pt_is_known(e, dim);
    if (what == PT_SIZE_PER_GROUP && s->op->groups > 1) {
      PtTerms large = pt_terms(e);
      for (uint32_t i = e->sizes.one; i < e->sizes.n; i++)
        if (e->sizes.size[i] / s->op->groups > 1)
          pt_terms_add(&large, pt_z3_eq(e, dim, e->size[i]));
      holds = pt_terms_or(&large);
    }
    pt_terms_add(&any, pt_z3_and(e, pt_has_rank(e, s->in[0], rank), holds));
  }
  return pt_terms_or(&any);
}

static Z3_ast weight(const PtSite *s, uint16_t sizes) {
  PtEncoder *e = s->e;
  PtTerms any = pt_terms(e);
  for (int32_t i = 0; i < e->sizes.rank; i++)
    if (sizes >> i & 1)
      pt_terms_add(&any, pt_is_large(e, s->in[0]->dim[i]));
  if (sizes & PT_SIZE_CHANNEL)
    pt_terms_add(&any, channel(s, PT_SIZE_CHANNEL));
  if (sizes & PT_SIZE_PER_GROUP)
    pt_terms_add(&any, channel(s, PT_SIZE_PER_GROUP));
  if (sizes & PT_SIZE_WIDTH)
    pt_terms_add(&any, pt_is_large(e, s->width));
  return pt_terms_or(&any);
}

static void constants(PtTerms *all, const PtSite *s) {
  PtEncoder *e = s->e;
  const PtOperator *op = s->op;
  int32_t rank = MAX(op->least_rank, 2);
  for (int32_t i = 0; i < PT_FINITE_RANK; i++)
    if (op->known >> i & 1) {
      rank = MAX(rank, i + 1);
      if (i < e->sizes.rank)
        pt_terms_add(all, pt_is_known(e, s->in[0]->dim[i]));
    }
  pt_terms_add(all, pt_least_rank(e, s->in[0], rank));
  if (op->known_channel)
    pt_terms_add(all, channel(s, 0));
  for (uint32_t i = 0; i < op->n_weights; i++)
    pt_terms_add(all, weight(s, op->weights[i]));
  if (op->dtype) {
    uint32_t at = pt_domain_dtype(&e->sizes, op->dtype);
    pt_terms_add(all, at == UINT32_MAX ? e->no : pt_z3_eq(e, s->in[0]->dtype, e->dtype[at]));
  }
}

static void is_data(PtTerms *all, const PtBundle *b) {
  PtEncoder *e = all->e;
  PtTerms any = pt_terms(e);
  for (uint32_t i = 0; i < e->sizes.n_dtypes; i++) {
    PtFiniteType t = {.dtype = e->sizes.dtype[i], .rank = 2};
    if (pt_finite_is_data(&t))
      pt_terms_add(&any, pt_z3_eq(e, b->dtype, e->dtype[i]));
  }
  if (any.all->len == e->sizes.n_dtypes)
    pt_terms_add(&any, e->yes);
  pt_terms_add(all, pt_terms_or(&any));
  pt_terms_add(all, pt_least_rank(e, b, 2));
}

Z3_ast pt_constrain(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  for (uint32_t i = 0; i < s->n_in && s->op->rule != PT_RULE_TABLE; i++)
    is_data(&all, s->in[i]);
  if (s->op->rule != PT_RULE_TABLE)
    constants(&all, s);
  pt_terms_add(&all, pt_rules[s->op->rule].constrain(s));
  return pt_terms_and(&all);
}
