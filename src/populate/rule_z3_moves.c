/* rule_z3_moves: rules of operators that move data, as constraints. */
#include "populate/populate_private.h"

/* ---- moves of data ----------------------------------------------------------------------------
 */
Z3_ast pt_constrain_transpose(const PtSite *s) {
  PtEncoder *e = s->e;
  int32_t n = s->op->n_perm;
  PtTerms all = pt_terms(e);
  pt_same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, pt_has_rank(e, s->in[0], n));
  pt_terms_add(&all, pt_has_rank(e, s->out, n));
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
  pt_terms_add(&all, pt_has_rank(e, s->out, at));
  for (; at < e->sizes.rank; at++)
    pt_terms_add(&all, pt_z3_eq(e, s->out->dim[at], one));
  return pt_terms_and(&all);
}

Z3_ast pt_constrain_reduce(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  pt_same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, pt_by_rank(s, 2, reduced));
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
    pt_same_axes(&all, s->in[i], s->out, 1u << at);
    pt_terms_add(&all, pt_is_known(e, s->in[i]->dim[at]));
  }
  pt_terms_add(&all, sum_of_all(s, at));
  return pt_terms_and(&all);
}

Z3_ast pt_constrain_concat(const PtSite *s) {
  PtTerms all = pt_terms(s->e);
  for (uint32_t i = 0; i < s->n_in; i++) {
    pt_same_dtype(&all, s->in[i], s->out);
    pt_terms_add(&all, pt_z3_eq(s->e, s->in[i]->rank, s->out->rank));
  }
  pt_terms_add(&all, pt_by_rank(s, s->op->axis + 1, joined));
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
  pt_same_dtype(&all, s->in[0], s->out);
  pt_terms_add(&all, pt_has_rank(e, s->out, 2));
  for (int32_t i = 2; i < e->sizes.rank; i++)
    pt_terms_add(&all, pt_z3_eq(e, s->out->dim[i], e->size[e->sizes.one]));
  pt_terms_add(&all, pt_by_rank(s, 2, flattened));
  return pt_terms_and(&all);
}
