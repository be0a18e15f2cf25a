/* formula: what the rules in rule_z3*.c are made of. Axes are counted from the end, and those that
 * a value lacks have size 1. */
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

Z3_ast pt_has_rank(PtEncoder *e, const PtBundle *b, int32_t rank) {
  return rank >= 0 && rank <= e->sizes.rank ? pt_z3_eq(e, b->rank, e->rank[rank]) : e->no;
}

Z3_ast pt_least_rank(PtEncoder *e, const PtBundle *b, int32_t rank) {
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

Z3_ast pt_is_known(PtEncoder *e, Z3_ast dim) {
  return at_least(e, dim, e->sizes.one);
}

Z3_ast pt_is_large(PtEncoder *e, Z3_ast dim) {
  return at_least(e, dim, e->sizes.one + 1);
}

/* For each rank from `least` on: the value has it and what `of` says then holds. */
Z3_ast pt_by_rank(const PtSite *s, int32_t least, PtOfRank of) {
  PtEncoder *e = s->e;
  PtTerms any = pt_terms(e);
  for (int32_t rank = least; rank <= e->sizes.rank; rank++)
    pt_terms_add(&any, pt_z3_and(e, pt_has_rank(e, s->in[0], rank), of(s, rank)));
  return pt_terms_or(&any);
}

void pt_same_axes(PtTerms *all, const PtBundle *a, const PtBundle *b, uint32_t but) {
  for (int32_t i = 0; i < all->e->sizes.rank; i++)
    if (!(but >> i & 1))
      pt_terms_add(all, pt_z3_eq(all->e, a->dim[i], b->dim[i]));
}

void pt_same_dtype(PtTerms *all, const PtBundle *a, const PtBundle *b) {
  pt_terms_add(all, pt_z3_eq(all->e, a->dtype, b->dtype));
}
