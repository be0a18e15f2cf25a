/* rule_z3: each rule as a constraint on Z3's variables; rule.c says the same of given types. Axes
 * are counted from the end here, and those that a value lacks have size 1. */
#include "populate/populate_private.h"

/* ---- formulas ---------------------------------------------------------------------------------
 */
Z3_ast pt_z3_eq(PtEncoder *e, Z3_ast a, Z3_ast b) {
  if (a == b)
    return e->yes;
  if (Z3_is_numeral_ast(e->z3, a) && Z3_is_numeral_ast(e->z3, b))
    return e->no;
  return Z3_mk_eq(e->z3, a, b);
}

void pt_terms_add(PtTerms *t, Z3_ast term) {
  if (term != NULL)
    g_ptr_array_add(t->all, (void *)term);
}

static Z3_ast finish(PtTerms *t, bool conjunction) {
  PtEncoder *e = t->e;
  Z3_ast *all = (Z3_ast *)(void *)t->all->pdata;
  Z3_ast neutral = conjunction ? e->yes : e->no, decides = conjunction ? e->no : e->yes, r = NULL;
  unsigned n = 0;
  for (guint i = 0; i < t->all->len && !r; i++)
    if (all[i] == decides)
      r = decides;
    else if (all[i] != neutral)
      all[n++] = all[i];
  if (!r)
    r = n == 0        ? neutral
        : n == 1      ? all[0]
        : conjunction ? Z3_mk_and(e->z3, n, all)
                      : Z3_mk_or(e->z3, n, all);
  g_ptr_array_unref(t->all);
  t->all = NULL;
  return r;
}

Z3_ast pt_terms_and(PtTerms *t) {
  return finish(t, true);
}

Z3_ast pt_terms_or(PtTerms *t) {
  return finish(t, false);
}

Z3_ast pt_z3_and(PtEncoder *e, Z3_ast a, Z3_ast b) {
  return a == e->no || b == e->yes   ? a
         : b == e->no || a == e->yes ? b
                                     : Z3_mk_and(e->z3, 2, (Z3_ast[]){a, b});
}

Z3_ast pt_z3_or(PtEncoder *e, Z3_ast a, Z3_ast b) {
  return a == e->yes || b == e->no   ? a
         : b == e->yes || a == e->no ? b
                                     : Z3_mk_or(e->z3, 2, (Z3_ast[]){a, b});
}

Z3_ast pt_bundle_is(PtEncoder *e, const PtBundle *b, const PtFiniteType *type) {
  if (!pt_domain_hold(&e->sizes, type))
    return e->no;
  PtTerms all = pt_terms(e);
  pt_terms_add(&all, pt_z3_eq(e, b->dtype, e->dtype[pt_domain_dtype(&e->sizes, type->dtype)]));
  pt_terms_add(&all, pt_z3_eq(e, b->rank, e->rank[type->rank]));
  for (int32_t i = 0; i < e->sizes.rank; i++) {
    int32_t size = i < type->rank ? type->dims[type->rank - 1 - i] : 1;
    pt_terms_add(&all, pt_z3_eq(e, b->dim[i], e->size[pt_domain_find(&e->sizes, size)]));
  }
  return pt_terms_and(&all);
}

Z3_ast pt_bundle_equal(PtEncoder *e, const PtBundle *a, const PtBundle *b) {
  PtTerms all = pt_terms(e);
  pt_terms_add(&all, pt_z3_eq(e, a->dtype, b->dtype));
  pt_terms_add(&all, pt_z3_eq(e, a->rank, b->rank));
  for (int32_t i = 0; i < e->sizes.rank; i++)
    pt_terms_add(&all, pt_z3_eq(e, a->dim[i], b->dim[i]));
  return pt_terms_and(&all);
}

static Z3_ast has_rank(PtEncoder *e, const PtBundle *b, int32_t rank) {
  return rank >= 0 && rank <= e->sizes.rank ? pt_z3_eq(e, b->rank, e->rank[rank]) : e->no;
}

static Z3_ast least_rank(PtEncoder *e, const PtBundle *b, int32_t rank) {
  if (e->reach.only_rank >= 0)
    return e->reach.only_rank >= rank ? e->yes : e->no;
  return rank <= 0              ? e->yes
         : rank > e->sizes.rank ? e->no
                                : Z3_mk_bvuge(e->z3, b->rank, e->rank[rank]);
}

/* Codes of unknown sizes come before 1, larger known ones behind it. */
static Z3_ast at_least(PtEncoder *e, Z3_ast dim, uint32_t index) {
  unsigned is;
  if (index == 0)
    return e->yes;
  if (index >= e->sizes.n)
    return e->no;
  if (Z3_is_numeral_ast(e->z3, dim) && Z3_get_numeral_uint(e->z3, dim, &is))
    return is >= index ? e->yes : e->no;
  return Z3_mk_bvuge(e->z3, dim, e->size[index]);
}

static Z3_ast is_known(PtEncoder *e, Z3_ast dim) {
  return at_least(e, dim, e->sizes.one);
}

static Z3_ast is_large(PtEncoder *e, Z3_ast dim) {
  return at_least(e, dim, e->sizes.one + 1);
}

/* For each rank from `least` on: the value has it and what `of` says then holds. */
typedef Z3_ast (*OfRank)(const PtSite *site, int32_t rank);
static Z3_ast by_rank(const PtSite *s, int32_t least, OfRank of) {
  PtEncoder *e = s->e;
  PtTerms any = pt_terms(e);
  for (int32_t rank = least; rank <= e->sizes.rank; rank++)
    pt_terms_add(&any, pt_z3_and(e, has_rank(e, s->in[0], rank), of(s, rank)));
  return pt_terms_or(&any);
}

static void same_axes(PtTerms *all, const PtBundle *a, const PtBundle *b, uint32_t but) {
  for (int32_t i = 0; i < all->e->sizes.rank; i++)
    if (!(but >> i & 1))
      pt_terms_add(all, pt_z3_eq(all->e, a->dim[i], b->dim[i]));
}

static void same_dtype(PtTerms *all, const PtBundle *a, const PtBundle *b) {
  pt_terms_add(all, pt_z3_eq(all->e, a->dtype, b->dtype));
}

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
  same_dtype(all, a, b);
  same_dtype(all, a, s->out);
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
  pt_terms_add(all, has_rank(e, s->in[0], n + 2));
  pt_terms_add(all, has_rank(e, s->out, n + 2));
  same_dtype(all, s->in[0], s->out);
  if (n + 2 > e->sizes.rank)
    return;
  for (int32_t i = 0; i < n; i++)
    pt_terms_add(all, through_window(s, i));
  same_axes(all, s->in[0], s->out, (1u << (n + 1)) - 1);
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
  pt_terms_add(&all, is_known(e, in));
  pt_terms_add(&all, pt_z3_eq(e, out, s->op->dense ? s->width : in));
  if (groups == 0)
    pt_terms_add(&all, is_large(e, in));
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
  same_axes(&all, s->in[0], s->out, (1u << (rank - 2)) - 1);
  return pt_terms_and(&all);
}

Z3_ast pt_constrain_global_pool(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, pt_z3_eq(s->e, s->in[0]->rank, s->out->rank));
  pt_terms_add(&all, by_rank(s, 3, pooled));
  return pt_terms_and(&all);
}

/* ---- products ---------------------------------------------------------------------------------
 */
Z3_ast pt_constrain_linear(const PtSite *s) {
  PtEncoder *e = s->e;
  PtTerms all = pt_terms(e);
  same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, pt_z3_eq(e, s->in[0]->rank, s->out->rank));
  pt_terms_add(&all, s->op->two_d ? has_rank(e, s->in[0], 2) : e->yes);
  pt_terms_add(&all, is_known(e, s->in[0]->dim[0]));
  pt_terms_add(&all, pt_z3_eq(e, s->out->dim[0], s->width));
  same_axes(&all, s->in[0], s->out, 1);
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

/* ---- moves of data ----------------------------------------------------------------------------
 */
Z3_ast pt_constrain_transpose(const PtSite *s) {
  PtEncoder *e = s->e;
  int32_t n = s->op->n_perm;
  PtTerms all = pt_terms(e);
  same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, has_rank(e, s->in[0], n));
  pt_terms_add(&all, has_rank(e, s->out, n));
  for (int32_t i = 0; i < n && n <= e->sizes.rank; i++)
    pt_terms_add(&all, pt_z3_eq(e, s->out->dim[n - 1 - i], s->in[0]->dim[n - 1 - s->op->perm[i]]));
  for (int32_t i = n; i < e->sizes.rank; i++)
    pt_terms_add(&all, pt_z3_eq(e, s->out->dim[i], e->size[e->sizes.one]));
  return pt_terms_and(&all);
}

static Z3_ast reduced(const PtSite *s, int32_t rank) {
  PtEncoder *e = s->e;
  PtTerms all = pt_terms(e);
  Z3_ast one = e->size[e->sizes.one];
  int32_t at = 0;
  if (s->op->axes >> rank)
    pt_terms_add(&all, e->no);
  for (int32_t i = 0; i < rank; i++) {
    bool gone = s->op->axes >> (rank - 1 - i) & 1;
    if (!gone || s->op->keep)
      pt_terms_add(&all, pt_z3_eq(e, s->out->dim[at++], gone ? one : s->in[0]->dim[i]));
  }
  pt_terms_add(&all, has_rank(e, s->out, at));
  for (; at < e->sizes.rank; at++)
    pt_terms_add(&all, pt_z3_eq(e, s->out->dim[at], one));
  return pt_terms_and(&all);
}

Z3_ast pt_constrain_reduce(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, by_rank(s, 2, reduced));
  return pt_terms_and(&all);
}

static Z3_ast sum(PtEncoder *e, int32_t at, Z3_ast a, Z3_ast b, Z3_ast out) {
  const PtDomain *d = &e->sizes;
  PtTerms any = pt_terms(e);
  for (uint32_t i = d->one; i < d->n; i++)
    for (uint32_t k = d->one; k < d->n; k++) {
      uint32_t to = d->size[i] > INT32_MAX - d->size[k]
                        ? UINT32_MAX
                        : pt_domain_find(d, d->size[i] + d->size[k]);
      if (to != UINT32_MAX && e->reach.size[at][i] && e->reach.size[at][k])
        pt_terms_add(&any, pt_z3_and(e, pt_z3_eq(e, a, e->size[i]),
                                     pt_z3_and(e, pt_z3_eq(e, b, e->size[k]),
                                               pt_z3_eq(e, out, e->size[to]))));
    }
  return pt_terms_or(&any);
}

/* The largest that partial sums may reach: they need not be sizes that anything has. */
static Z3_ast sum_of_all(const PtSite *s, int32_t at) {
  PtEncoder *e = s->e;
  if (s->n_in == 2)
    return sum(e, at, s->in[0]->dim[at], s->in[1]->dim[at], s->out->dim[at]);
  Z3_sort wide = Z3_mk_bv_sort(e->z3, 32);
  Z3_ast total = NULL;
  for (uint32_t i = 0; i <= s->n_in; i++) {
    Z3_ast dim = i < s->n_in ? s->in[i]->dim[at] : s->out->dim[at];
    Z3_ast number = pt_z3_number(e, wide, 0);
    for (uint32_t k = e->sizes.one; k < e->sizes.n; k++)
      number = Z3_mk_ite(e->z3, pt_z3_eq(e, dim, e->size[k]),
                         pt_z3_number(e, wide, (uint32_t)e->sizes.size[k]), number);
    if (i == s->n_in)
      return pt_z3_eq(e, total, number);
    total = total ? Z3_mk_bvadd(e->z3, total, number) : number;
  }
  return e->no;
}

static Z3_ast joined(const PtSite *s, int32_t rank) {
  PtEncoder *e = s->e;
  int32_t at = rank - 1 - s->op->axis;
  PtTerms all = pt_terms(e);
  if (at < 0) {
    pt_terms_add(&all, e->no);
    return pt_terms_and(&all);
  }
  for (uint32_t i = 0; i < s->n_in; i++) {
    same_axes(&all, s->in[i], s->out, 1u << at);
    pt_terms_add(&all, is_known(e, s->in[i]->dim[at]));
  }
  pt_terms_add(&all, sum_of_all(s, at));
  return pt_terms_and(&all);
}

Z3_ast pt_constrain_concat(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  for (uint32_t i = 0; i < s->n_in; i++) {
    same_dtype(&all, s->in[i], s->out);
    pt_terms_add(&all, pt_z3_eq(s->e, s->in[i]->rank, s->out->rank));
  }
  pt_terms_add(&all, by_rank(s, s->op->axis + 1, joined));
  return pt_terms_and(&all);
}

/* Every way to write what is left of a size as a product over the axes from `at` on, of which two
 * or more are not 1. */
static void factors(const PtSite *s, int32_t at, int32_t end, int32_t left, int32_t others,
                    Z3_ast to, Z3_ast out, Z3_ast *so_far, PtTerms *any) {
  PtEncoder *e = s->e;
  const PtDomain *d = &e->sizes;
  if (at == end && left == 1 && others > 1) {
    PtTerms all = pt_terms(e);
    for (int32_t i = 0; i < end; i++)
      pt_terms_add(&all, so_far[i]);
    pt_terms_add(&all, pt_z3_eq(e, out, to));
    pt_terms_add(any, pt_terms_and(&all));
  }
  for (uint32_t i = d->one; at < end && i < d->n && d->size[i] <= left; i++) {
    if (left % d->size[i] || !e->reach.size[at][i])
      continue;
    so_far[at] = pt_z3_eq(e, s->in[0]->dim[at], e->size[i]);
    factors(s, at + 1, end, left / d->size[i], others + (i != d->one), to, out, so_far, any);
  }
  if (at < end)
    so_far[at] = NULL;
}

/* Axes from `first` to before `end`, from the end, become one. */
static Z3_ast product(const PtSite *s, int32_t first, int32_t end, Z3_ast out) {
  PtEncoder *e = s->e;
  const PtDomain *d = &e->sizes;
  const PtBundle *in = s->in[0];
  Z3_ast one = e->size[d->one];
  PtTerms any = pt_terms(e);
  if (first >= end)
    return pt_z3_eq(e, out, one);
  for (int32_t lone = first; lone < end; lone++) {
    PtTerms all = pt_terms(e);
    for (int32_t i = first; i < end; i++)
      pt_terms_add(&all, pt_z3_eq(e, in->dim[i], i == lone ? out : one));
    pt_terms_add(&any, pt_terms_and(&all));
  }
  for (uint32_t to = d->one + 1; to < d->n; to++)
    factors(s, first, end, d->size[to], 0, e->size[to], out, (Z3_ast[PT_FINITE_RANK]){0}, &any);
  return pt_terms_or(&any);
}

static Z3_ast flattened(const PtSite *s, int32_t rank) {
  PtEncoder *e = s->e;
  if (s->op->axis > rank)
    return e->no;
  return pt_z3_and(e, product(s, 0, rank - s->op->axis, s->out->dim[0]),
                   product(s, rank - s->op->axis, rank, s->out->dim[1]));
}

Z3_ast pt_constrain_flatten(const PtSite *s) {
  PtEncoder *e = s->e;
  PtTerms all = pt_terms(e);
  same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, has_rank(e, s->out, 2));
  for (int32_t i = 2; i < e->sizes.rank; i++)
    pt_terms_add(&all, pt_z3_eq(e, s->out->dim[i], e->size[e->sizes.one]));
  pt_terms_add(&all, by_rank(s, 2, flattened));
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
    Z3_ast dim = s->in[0]->dim[rank - 2], holds = what ? is_large(e, dim) : is_known(e, dim);
    if (what == PT_SIZE_PER_GROUP && s->op->groups > 1) {
      PtTerms large = pt_terms(e);
      for (uint32_t i = e->sizes.one; i < e->sizes.n; i++)
        if (e->sizes.size[i] / s->op->groups > 1)
          pt_terms_add(&large, pt_z3_eq(e, dim, e->size[i]));
      holds = pt_terms_or(&large);
    }
    pt_terms_add(&any, pt_z3_and(e, has_rank(e, s->in[0], rank), holds));
  }
  return pt_terms_or(&any);
}

static Z3_ast weight(const PtSite *s, uint16_t sizes) {
  PtEncoder *e = s->e;
  PtTerms any = pt_terms(e);
  for (int32_t i = 0; i < e->sizes.rank; i++)
    if (sizes >> i & 1)
      pt_terms_add(&any, is_large(e, s->in[0]->dim[i]));
  if (sizes & PT_SIZE_CHANNEL)
    pt_terms_add(&any, channel(s, PT_SIZE_CHANNEL));
  if (sizes & PT_SIZE_PER_GROUP)
    pt_terms_add(&any, channel(s, PT_SIZE_PER_GROUP));
  if (sizes & PT_SIZE_WIDTH)
    pt_terms_add(&any, is_large(e, s->width));
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
        pt_terms_add(all, is_known(e, s->in[0]->dim[i]));
    }
  pt_terms_add(all, least_rank(e, s->in[0], rank));
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
  pt_terms_add(all, least_rank(e, b, 2));
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
