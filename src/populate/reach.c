/* reach: what values of a problem may be at all. An outer bound: it may name too much, never too
 * little. */
#include "populate/populate_private.h"

typedef struct Closing {
  PtEncoder *e;
  PtReach *r;
  bool *used; /* [n_operators] some node is allowed it */
  bool changed, dtype[16];
  bool rank[PT_FINITE_RANK + 1];
} Closing;

static void reach(Closing *c, int32_t axis, uint32_t size) {
  if (axis < 0 || axis >= c->e->sizes.rank || size == UINT32_MAX || c->r->size[axis][size])
    return;
  c->r->size[axis][size] = true;
  c->changed = true;
}

static void reach_rank(Closing *c, int32_t rank) {
  if (rank < 0 || rank > c->e->sizes.rank || c->rank[rank])
    return;
  c->rank[rank] = c->changed = true;
}

static void reach_type(Closing *c, const PtFiniteType *t) {
  const PtDomain *d = &c->e->sizes;
  if (!pt_domain_hold(d, t))
    return;
  c->dtype[pt_domain_dtype(d, t->dtype)] = true;
  reach_rank(c, t->rank);
  for (int32_t i = 0; i < d->rank; i++)
    reach(c, i, i < t->rank ? pt_domain_find(d, t->dims[t->rank - 1 - i]) : d->one);
}

static void reach_axis(Closing *c, int32_t to, int32_t from) {
  for (uint32_t i = 0; from >= 0 && from < c->e->sizes.rank && i < c->e->sizes.n; i++)
    if (c->r->size[from][i])
      reach(c, to, i);
}

static void reach_all(Closing *c, int32_t axis) {
  for (uint32_t i = 0; i < c->e->sizes.n; i++)
    reach(c, axis, i);
}

static void windows(Closing *c, const PtOperator *op) {
  const PtDomain *d = &c->e->sizes;
  for (int32_t i = 0; i < op->n_space; i++) {
    int32_t at = op->n_space - 1 - i;
    for (uint32_t k = 0; at < d->rank && k < d->n; k++)
      if (c->r->size[at][k])
        reach(c, at, pt_domain_find(d, pt_operator_window(op, i, d->size[k])));
  }
}

static void widths(Closing *c, int32_t axis) {
  for (uint32_t i = 0; i < c->e->p->n_widths; i++)
    reach(c, axis, pt_domain_find(&c->e->sizes, c->e->p->widths[i]));
}

/* Axes that are left out let those before them move up. */
static void reduction(Closing *c, const PtOperator *op) {
  int32_t n = 0;
  for (uint32_t axes = op->axes; axes; axes &= axes - 1)
    n++;
  for (int32_t i = 0; i < c->e->sizes.rank; i++) {
    reach(c, i, c->e->sizes.one);
    for (int32_t k = i + 1; !op->keep && k < c->e->sizes.rank; k++)
      reach_axis(c, i, k);
  }
  for (int32_t rank = 2; !op->keep && rank <= c->e->sizes.rank; rank++)
    if (c->rank[rank])
      reach_rank(c, rank - n);
}

static void apply(Closing *c, const PtOperator *op) {
  switch (op->rule) {
  case PT_RULE_TABLE:
    reach_type(c, &op->out);
    break;
  case PT_RULE_CONV:
    windows(c, op);
    if (op->dense)
      widths(c, op->n_space);
    break;
  case PT_RULE_POOL:
    windows(c, op);
    break;
  case PT_RULE_GLOBAL_POOL:
    for (int32_t i = 0; i < c->e->sizes.rank - 2; i++)
      reach(c, i, c->e->sizes.one);
    break;
  case PT_RULE_LINEAR:
    widths(c, 0);
    break;
  case PT_RULE_TRANSPOSE:
    for (int32_t i = 0; i < op->n_perm; i++)
      reach_axis(c, op->n_perm - 1 - i, op->n_perm - 1 - op->perm[i]);
    break;
  case PT_RULE_REDUCE:
    reduction(c, op);
    break;
  case PT_RULE_CONCAT:
    for (int32_t rank = op->axis + 1; rank <= c->e->sizes.rank; rank++)
      if (c->rank[rank])
        reach_all(c, rank - 1 - op->axis);
    break;
  case PT_RULE_FLATTEN:
    reach_rank(c, 2);
    reach_all(c, 0);
    reach_all(c, 1);
    for (int32_t i = 2; i < c->e->sizes.rank; i++)
      reach(c, i, c->e->sizes.one);
    break;
  case PT_RULE_SAME:
  case PT_RULE_BINARY:
  case PT_RULE_MATMUL:
  case PT_RULE_KINDS:
    break;
  }
}

static void find_used(Closing *c) {
  const PtPopulateProblem *p = c->e->p;
  c->used = g_new0(bool, p->n_operators + 1);
  for (uint32_t o = 0; o < p->n_operators; o++) {
    c->used[o] = !c->e->allowed;
    for (uint32_t i = 0; !c->used[o] && i < p->n; i++)
      c->used[o] = c->e->nodes[i].allowed[o];
  }
}

static uint32_t only_of(const bool *set, uint32_t n) {
  uint32_t only = UINT32_MAX;
  for (uint32_t i = 0; i < n; i++)
    if (set[i]) {
      if (only != UINT32_MAX)
        return UINT32_MAX;
      only = i;
    }
  return only;
}

void pt_reach_init(PtEncoder *e) {
  const PtPopulateProblem *p = e->p;
  PtReach *r = &e->reach;
  Closing c = {.e = e, .r = r};
  memset(r, 0, sizeof *r);
  find_used(&c);
  for (uint32_t i = 0; i < p->n_inputs; i++)
    reach_type(&c, &p->inputs[i].type);
  for (uint32_t i = 0; i < p->n_outputs; i++)
    reach_type(&c, &p->outputs[i].type);
  do {
    c.changed = false;
    for (uint32_t o = 0; o < p->n_operators; o++)
      if (c.used[o])
        apply(&c, &p->operators[o]);
  } while (c.changed);
  for (int32_t i = 0; i < e->sizes.rank; i++)
    r->only[i] = only_of(r->size[i], e->sizes.n);
  r->only_dtype = only_of(c.dtype, e->sizes.n_dtypes);
  uint32_t rank = only_of(c.rank, PT_FINITE_RANK + 1);
  r->only_rank = rank == UINT32_MAX ? -1 : (int32_t)rank;
  g_free(c.used);
}
