/* inputs: which nodes read which inputs of the piece. */
#include "populate/populate_private.h"

#define AGAIN 1e-6     /* odds of an input that others read already */
#define TOGETHER 1e-2  /* likewise, of one that is read with many others */
#define BESIDE_TWO 0.1 /* odds of a node that reads several others, too, to read many inputs */

PtProposal pt_proposal_new(const PtPopulateProblem *p) {
  return (PtProposal){g_new0(uint32_t, p->n + 1), g_new0(int32_t, p->n + 1),
                      g_new0(uint32_t, 2 * p->n + 2), g_new0(GArray *, p->n + 1), p->n};
}

static void forget_inputs(PtProposal *p) {
  memset(p->input, 0, (2 * p->n + 2) * sizeof *p->input);
  for (uint32_t i = 0; i < p->n; i++)
    if (p->more[i])
      g_array_unref(g_steal_pointer(&p->more[i]));
}

void pt_proposal_clear(PtProposal *p) {
  forget_inputs(p);
  g_free(p->op);
  g_free(p->width);
  g_free(p->input);
  g_free(p->more);
}

/* A number of an input that node i may read, of those not placed yet if there is one; 0: none. */
static uint32_t pick_input(const PtPopulateProblem *p, PtRng *rng, uint32_t i, bool *placed) {
  g_autofree double *odds = g_new0(double, p->n_inputs + 1);
  for (uint32_t k = 0; k < p->n_inputs; k++)
    odds[k] = p->inputs[k].from > i ? 0 : placed[k] ? AGAIN : 1;
  size_t k = pt_rng_weighted(rng, odds, p->n_inputs);
  if (k == p->n_inputs)
    return 0;
  placed[k] = true;
  return (uint32_t)k + 1;
}

/* ---- many -------------------------------------------------------------------------------------
 */
static bool has_arity(const PtPopulateProblem *p, uint32_t n) {
  for (uint32_t o = 0; o < p->n_operators; o++)
    if (p->operators[o].n_in == n || (n >= 2 && p->operators[o].n_in == 0))
      return true;
  return false;
}

/* Parts of one whole. */
static bool go_together(const PtPopulateProblem *p, const PtFiniteType *a, const PtFiniteType *b) {
  PtFiniteType out;
  for (uint32_t o = 0; o < p->n_operators; o++) {
    PtOperator any = p->operators[o];
    any.n_in = 0;
    if (any.rule == PT_RULE_CONCAT &&
        pt_operator_apply(&any, 0, (const PtFiniteType *[]){a, b}, 2, &out))
      return true;
  }
  return false;
}

static int by_number(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

/* `count` inputs that some operator joins, those that nobody reads yet rather. */
static GArray *pick_many(const PtPopulateProblem *p, PtRng *rng, uint32_t node, uint32_t count,
                         const bool *placed) {
  GArray *many = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  g_autofree double *odds = g_new0(double, p->n_inputs + 1);
  for (uint32_t k = 0; k < p->n_inputs; k++)
    odds[k] = p->inputs[k].from > node ? 0 : placed[k] ? AGAIN : 1;
  size_t first = pt_rng_weighted(rng, odds, p->n_inputs);
  for (uint32_t k = 0; first < p->n_inputs && k < p->n_inputs; k++) {
    bool together = odds[k] > 0 && go_together(p, &p->inputs[first].type, &p->inputs[k].type);
    odds[k] = !together ? 0 : placed[k] ? TOGETHER : 1;
  }
  while (many->len < count) {
    size_t k = pt_rng_weighted(rng, odds, p->n_inputs);
    if (k == p->n_inputs)
      break;
    uint32_t number = (uint32_t)k + 1;
    g_array_append_val(many, number);
    odds[k] = 0;
  }
  g_array_sort(many, by_number);
  return many;
}

/* A node with about so many operands. */
static bool read_many(const PtEncoder *e, PtRng *rng, PtProposal *to, uint32_t operands,
                      bool *placed) {
  const PtPopulateProblem *p = e->p;
  g_autofree double *odds = g_new0(double, p->n + 1);
  for (uint32_t i = 0; i < p->n; i++)
    odds[i] = to->more[i] || e->nodes[i].n_preds + 3 > operands ? 0
              : e->nodes[i].n_preds <= 1                        ? 1
                                                                : BESIDE_TWO;
  size_t i = pt_rng_weighted(rng, odds, p->n);
  if (i >= p->n)
    return false;
  uint32_t n_preds = e->nodes[i].n_preds;
  g_autoptr(GArray) many = pick_many(p, rng, (uint32_t)i, operands - n_preds, placed);
  while (many->len >= 3 && !has_arity(p, n_preds + many->len))
    g_array_remove_index(many, (guint)pt_rng_below(rng, many->len));
  if (many->len < 3)
    return false;
  for (guint k = 0; k < many->len; k++)
    placed[g_array_index(many, uint32_t, k) - 1] = true;
  to->more[i] = g_steal_pointer(&many);
  return true;
}

/* What is left over: beside others of its kind. */
static void add_left(const PtEncoder *e, PtRng *rng, PtProposal *to, uint32_t input, bool *placed) {
  const PtPopulateProblem *p = e->p;
  g_autofree double *odds = g_new0(double, p->n + 1);
  for (uint32_t i = p->inputs[input].from; i < p->n; i++) {
    const GArray *more = to->more[i];
    odds[i] = more && has_arity(p, e->nodes[i].n_preds + more->len + 1) &&
              go_together(p, &p->inputs[g_array_index(more, uint32_t, 0) - 1].type,
                          &p->inputs[input].type);
  }
  size_t i = pt_rng_weighted(rng, odds, p->n);
  uint32_t number = input + 1;
  if (i >= p->n)
    return;
  g_array_append_val(to->more[i], number);
  g_array_sort(to->more[i], by_number);
  placed[input] = true;
}

/* ---- all of them ------------------------------------------------------------------------------
 */
/* Beside what it reads. Two inputs of one node stand in one order. */
static void set_second(PtProposal *to, uint32_t i, uint32_t number) {
  uint32_t *slot = &to->input[2 * (size_t)i];
  slot[1] = number;
  if (slot[1] && slot[0] > slot[1]) {
    uint32_t first = slot[0];
    slot[0] = slot[1];
    slot[1] = first;
  }
}

/* Any node that has room for it. */
static bool place_second(const PtEncoder *e, PtRng *rng, PtProposal *to, uint32_t input,
                         double *odds) {
  const PtPopulateProblem *p = e->p;
  for (uint32_t i = 0; i < p->n; i++)
    odds[i] = i >= p->inputs[input].from && e->nodes[i].second && !to->more[i] &&
              to->input[2 * i + 1] == 0;
  size_t i = pt_rng_weighted(rng, odds, p->n);
  if (i < p->n)
    set_second(to, (uint32_t)i, input + 1);
  return i < p->n;
}

/* Those that come last have the least choice. */
static void place_left(const PtEncoder *e, PtRng *rng, bool many, PtProposal *to, bool *placed,
                       uint32_t *extra) {
  const PtPopulateProblem *p = e->p;
  g_autofree double *odds = g_new0(double, p->n + 1);
  for (;;) {
    uint32_t last = p->n_inputs, n = 0;
    for (uint32_t k = 0; k < p->n_inputs; k++) {
      bool later = last == p->n_inputs || p->inputs[k].from > p->inputs[last].from;
      if (placed[k] || (!later && p->inputs[k].from < p->inputs[last].from))
        continue;
      n = later ? 1 : n + 1;
      if (later || pt_rng_below(rng, n) == 0)
        last = k;
    }
    if (last == p->n_inputs)
      return;
    placed[last] = true;
    if (place_second(e, rng, to, last, odds))
      *extra -= *extra > 0;
    else if (many)
      add_left(e, rng, to, last, placed);
  }
}

void pt_place_inputs(const PtEncoder *e, PtRng *rng, bool many, PtProposal *to) {
  const PtPopulateProblem *p = e->p;
  g_autofree bool *placed = g_new0(bool, p->n_inputs + 1);
  g_autoptr(GArray) second = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  uint32_t extra = p->extra;
  forget_inputs(to);
  for (uint32_t k = 0; k < p->n_inputs; k++)
    placed[k] = p->inputs[k].optional;
  for (uint32_t k = 0; many && k < p->n_many; k++)
    if (read_many(e, rng, to, p->many[k], placed))
      extra -= extra > 0;
  for (uint32_t i = 0; i < p->n; i++)
    if (e->nodes[i].first && !to->more[i])
      to->input[2 * (size_t)i] = pick_input(p, rng, i, placed);
  place_left(e, rng, many, to, placed, &extra);
  for (uint32_t i = 0; i < p->n; i++)
    if (e->nodes[i].second && !to->more[i] && to->input[2 * i + 1] == 0)
      g_array_append_val(second, i);
  pt_rng_shuffle(rng, second->data, second->len, sizeof(uint32_t));
  for (guint k = 0; k < second->len && k < extra; k++) {
    uint32_t i = g_array_index(second, uint32_t, k);
    set_second(to, i, pick_input(p, rng, i, placed));
  }
}

bool pt_inputs_have_room(const PtEncoder *e) {
  uint32_t slots = 0, wanted = 0;
  for (uint32_t i = 0; i < e->p->n; i++)
    slots += e->nodes[i].first + e->nodes[i].second;
  for (uint32_t k = 0; k < e->p->n_inputs; k++)
    wanted += !e->p->inputs[k].optional;
  return wanted <= slots;
}
