/* guide: the types that a piece with this interface can get to, and what operators lead from each
 * to which; made once for all topologies of a bucket. */
#include "populate/populate_private.h"

#include <math.h>

#define TYPES_MAX 512

/* ---- types as numbers -------------------------------------------------------------------------
 */
static uint32_t slot_of(const PtPopulateGuide *g, const PtFiniteType *t) {
  uint32_t at = (uint32_t)pt_hash64(t, sizeof *t, 0) & (2 * g->room - 1);
  while (g->slot[at] && memcmp(&g->type[g->slot[at] - 1], t, sizeof *t) != 0)
    at = (at + 1) & (2 * g->room - 1);
  return at;
}

uint32_t pt_guide_find(const PtPopulateGuide *g, const PtFiniteType *t) {
  return g->slot[slot_of(g, t)] - 1; /* 0 - 1: UINT32_MAX */
}

static void add_type(PtPopulateGuide *g, const PtFiniteType *t) {
  uint32_t at = slot_of(g, t);
  if (g->slot[at] || g->n_types == g->room || !pt_domain_hold(&g->sizes, t))
    return;
  g->type[g->n_types] = *t;
  g->slot[at] = ++g->n_types;
}

/* ---- what leads where -------------------------------------------------------------------------
 */
static void add_moves(PtPopulateGuide *g, const PtPopulateProblem *p, const PtLikelihood *l,
                      uint32_t from) {
  const PtFiniteType x = g->type[from], *in = &x;
  for (uint32_t o = 0; o < p->n_operators; o++) {
    const PtOperator *op = &p->operators[o];
    guint first = g->moves->len;
    double all = 0;
    if (op->n_in != 1)
      continue;
    int32_t width = x.rank < 2 ? 0 : x.dims[op->rule == PT_RULE_CONV ? 1 : x.rank - 1];
    for (uint32_t k = 0; k < (op->dense ? p->n_widths : 1); k++) {
      PtGuideMove m = {.op = o, .width = op->dense ? p->widths[k] : 0, .odds = 1};
      PtFiniteType out;
      if (!pt_operator_apply(op, m.width, &in, 1, &out))
        continue;
      add_type(g, &out);
      m.to = pt_guide_find(g, &out);
      if (op->dense && l)
        m.odds = exp(pt_likelihood_log_width(l, width, m.width));
      all += m.odds;
      if (m.to != UINT32_MAX)
        g_array_append_val(g->moves, m);
    }
    for (guint i = first; i < g->moves->len; i++)
      g_array_index(g->moves, PtGuideMove, i).odds /= all;
  }
}

static void add_join(const PtPopulateGuide *g, GArray *to, uint32_t from, uint32_t op,
                     const PtFiniteType *a, const PtFiniteType *b, double odds) {
  PtFiniteType out;
  if (!pt_operator_apply(&g->operators[op], 0, (const PtFiniteType *[]){a, b}, 2, &out))
    return;
  PtGuideJoin join = {from, pt_guide_find(g, &out), odds * g->prior[op]};
  if (join.to != UINT32_MAX)
    g_array_append_val(to, join);
}

static int by_types(const void *a, const void *b) {
  const PtGuideJoin *x = a, *y = b;
  return x->from != y->from ? (x->from < y->from ? -1 : 1)
         : x->to != y->to   ? (x->to < y->to ? -1 : 1)
                            : 0;
}

/* One for each pair of types; which operators it was does not matter. */
static void merge_joins(GArray *joins) {
  PtGuideJoin *all = (PtGuideJoin *)(void *)joins->data;
  guint n = 0;
  g_array_sort(joins, by_types); /* stable: sums do not depend on the machine */
  for (guint i = 0; i < joins->len; i++)
    if (n > 0 && by_types(&all[n - 1], &all[i]) == 0)
      all[n - 1].odds += all[i].odds;
    else
      all[n++] = all[i];
  g_array_set_size(joins, n);
}

static bool joins_two(const PtOperator *op) {
  return !op->dense && (op->n_in == 0 || op->n_in == 2);
}

static GArray *joins_with(const PtPopulateGuide *g, uint32_t with) {
  GArray *joins = g_array_new(FALSE, FALSE, sizeof(PtGuideJoin));
  for (uint32_t t = 0; t < g->n_types; t++)
    for (uint32_t o = 0; o < g->n_operators; o++) {
      if (!joins_two(&g->operators[o]))
        continue;
      add_join(g, joins, t, o, &g->type[t], &g->type[with], 1);
      if (pt_operator_turns(&g->operators[o]))
        add_join(g, joins, t, o, &g->type[with], &g->type[t], 1);
    }
  merge_joins(joins);
  return joins;
}

const GArray *pt_guide_joins(const PtPopulateGuide *g, uint32_t with) {
  GMutex *lock = (GMutex *)&g->lock;
  g_mutex_lock(lock);
  if (!g->joins[with])
    g->joins[with] = joins_with(g, with);
  const GArray *joins = g->joins[with];
  g_mutex_unlock(lock);
  return joins;
}

/* Types that products of two values reach, whatever the other is. */
static void add_products(PtPopulateGuide *g, uint32_t from) {
  for (uint32_t o = 0; o < g->n_operators; o++)
    for (uint32_t with = 0; g->operators[o].rule == PT_RULE_MATMUL && with <= from; with++)
      for (uint32_t turned = 0; turned < 2; turned++) {
        const PtFiniteType *a = &g->type[turned ? with : from], *b = &g->type[turned ? from : with];
        PtFiniteType out;
        if (pt_operator_apply(&g->operators[o], 0, (const PtFiniteType *[]){a, b}, 2, &out))
          add_type(g, &out);
      }
}

/* What a type may be a part of. */
static bool is_part(const PtFiniteType *x, const PtFiniteType *of, int32_t axis) {
  bool part = x->rank == of->rank && x->dtype == of->dtype && axis < x->rank && x->dims[axis] > 0 &&
              x->dims[axis] < of->dims[axis];
  for (int32_t i = 0; part && i < x->rank; i++)
    part = i == axis || x->dims[i] == of->dims[i];
  return part;
}

static void find_wholes(PtPopulateGuide *g) {
  for (uint32_t o = 0; o < g->n_operators; o++)
    for (uint32_t t = 0; g->operators[o].rule == PT_RULE_CONCAT && t < g->n_types; t++)
      for (uint32_t u = 0; u < g->n_types; u++)
        if (is_part(&g->type[t], &g->type[u], g->operators[o].axis)) {
          PtGuideJoin join = {t, u, g->prior[o]};
          g_array_append_val(g->wholes, join);
        }
  merge_joins(g->wholes);
}

/* What becomes of a type in a join whose other side nobody knows yet. */
static void find_alike(PtPopulateGuide *g) {
  for (uint32_t o = 0; o < g->n_operators; o++)
    for (uint32_t t = 0; joins_two(&g->operators[o]) && t < g->n_types; t++) {
      const PtFiniteType *x = &g->type[t];
      if (g->operators[o].rule != PT_RULE_MATMUL && g->operators[o].rule != PT_RULE_CONCAT)
        add_join(g, g->alike, t, o, x, x, 1);
      for (uint32_t u = 0; g->operators[o].rule == PT_RULE_MATMUL && u < g->n_types; u++) {
        add_join(g, g->alike, t, o, x, &g->type[u], 1.0 / g->n_types);
        add_join(g, g->alike, t, o, &g->type[u], x, 1.0 / g->n_types);
      }
    }
  g_array_append_vals(g->alike, g->wholes->data, g->wholes->len);
  merge_joins(g->alike);
}

static void add_roots(PtPopulateGuide *g, const PtPopulateProblem *p) {
  for (uint32_t i = 0; i < p->n_outputs; i++)
    add_type(g, &p->outputs[i].type);
  for (uint32_t i = 0; i < p->n_inputs; i++)
    add_type(g, &p->inputs[i].type);
  for (uint32_t i = 0; i < p->n_types; i++)
    add_type(g, &p->types[i]);
  for (uint32_t o = 0; o < p->n_operators; o++)
    if (p->operators[o].rule == PT_RULE_TABLE) {
      for (uint32_t k = 0; k < p->operators[o].n_in; k++)
        add_type(g, &p->operators[o].in[k]);
      add_type(g, &p->operators[o].out);
    }
}

/* Moves from each type to each other, all operators together. */
static void merge_moves(PtPopulateGuide *g) {
  g_autofree double *to = g_new0(double, g->n_types + 1);
  g->flow_first = g_new0(uint32_t, g->n_types + 1);
  for (uint32_t t = 0; t < g->n_types; t++) {
    g->flow_first[t] = g->flows->len;
    for (uint32_t i = g->first[t]; i < g->first[t + 1]; i++) {
      const PtGuideMove *m = &g_array_index(g->moves, PtGuideMove, i);
      to[m->to] += g->prior[m->op] * m->odds;
    }
    for (uint32_t i = g->first[t]; i < g->first[t + 1]; i++) {
      PtGuideFlow flow = {g_array_index(g->moves, PtGuideMove, i).to, 0};
      flow.odds = to[flow.to];
      to[flow.to] = 0;
      if (flow.odds > 0)
        g_array_append_val(g->flows, flow);
    }
  }
  g->flow_first[g->n_types] = g->flows->len;
}

PtPopulateGuide *pt_populate_guide_new(const PtPopulateProblem *p, const PtLikelihood *l) {
  PtPopulateGuide *g = g_new0(PtPopulateGuide, 1);
  g->room = TYPES_MAX;
  g->type = g_new0(PtFiniteType, g->room);
  g->slot = g_new0(uint32_t, 2 * g->room);
  g->moves = g_array_new(FALSE, FALSE, sizeof(PtGuideMove));
  g->flows = g_array_new(FALSE, FALSE, sizeof(PtGuideFlow));
  g->wholes = g_array_new(FALSE, FALSE, sizeof(PtGuideJoin));
  g->alike = g_array_new(FALSE, FALSE, sizeof(PtGuideJoin));
  g->operators = p->operators;
  g->n_operators = p->n_operators;
  g_mutex_init(&g->lock);
  g->prior = g_new0(double, p->n_operators + 1);
  if (!pt_domain_init(&g->sizes, p)) {
    pt_populate_guide_free(g);
    return NULL;
  }
  for (uint32_t o = 0; o < p->n_operators; o++)
    g->prior[o] =
        l ? p->operators[o].weight * exp(pt_likelihood_log(l, 1, 2, p->operators[o].token)) : 1;
  add_roots(g, p);
  g->first = g_new0(uint32_t, g->room + 1);
  for (uint32_t t = 0; t < g->n_types; t++) { /* the list grows while it is gone through */
    g->first[t] = g->moves->len;
    add_moves(g, p, l, t);
    add_products(g, t);
  }
  g->first[g->n_types] = g->moves->len;
  merge_moves(g);
  g->joins = g_new0(GArray *, g->n_types + 1);
  find_wholes(g);
  find_alike(g);
  return g;
}

void pt_populate_guide_free(PtPopulateGuide *g) {
  if (!g)
    return;
  g_free(g->type);
  g_free(g->slot);
  g_free(g->first);
  g_free(g->flow_first);
  g_free(g->prior);
  g_array_unref(g->moves);
  g_array_unref(g->flows);
  g_array_unref(g->wholes);
  g_array_unref(g->alike);
  for (uint32_t t = 0; g->joins && t < g->n_types; t++)
    if (g->joins[t])
      g_array_unref(g->joins[t]);
  g_free(g->joins);
  g_mutex_clear(&g->lock);
  g_free(g);
}
