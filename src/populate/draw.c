/* draw: assignments drawn node by node that fit by themselves: each operator by its likelihood
 * times how well what it makes leads to the outputs, and to what it is joined with (a Doob
 * transform of the chain of opcodes). Z3 is for where this ends nowhere. */
#include "populate/draw.h"

#include <math.h>

#define STEPS 5     /* nodes drawn, for each there is */
#define SHRINKS 1.5 /* log2 of the odds lost with each doubling over the outputs' bound */

typedef struct PtDrawer Drawing;

/* ---- outputs ----------------------------------------------------------------------------------
 */
static bool want(Drawing *d, uint32_t o, uint32_t node) {
  int32_t t = (int32_t)pt_guide_find(d->g, &d->e->p->outputs[o].type);
  d->outputs[o] = node;
  if (d->goal[node] >= 0 && d->goal[node] != t)
    return false;
  const PtSize *most = &d->e->p->outputs[o].most;
  if (d->goal[node] < 0)
    d->most[node] = *most;
  d->most[node].once = MIN(d->most[node].once, most->once);
  d->most[node].times = MIN(d->most[node].times, most->times);
  d->goal[node] = t;
  return t >= 0;
}

/* Nodes that nobody reads are outputs, those that are left any others. */
static bool place_outputs(Drawing *d) {
  const PtPopulateProblem *p = d->e->p;
  g_autofree bool *placed = g_new0(bool, p->n_outputs + 1), *used = g_new0(bool, p->n + 1);
  g_autofree double *odds = g_new0(double, MAX(p->n, p->n_outputs) + 1);
  for (uint32_t i = 0; i < p->n; i++)
    d->goal[i] = -1;
  for (uint32_t i = p->n; i-- > 0;) { /* the last have the least choice */
    if (!d->e->nodes[i].sink)
      continue;
    for (uint32_t o = 0; o < p->n_outputs; o++)
      odds[o] = !placed[o] && p->outputs[o].before > i;
    size_t o = pt_rng_weighted(d->rng, odds, p->n_outputs);
    if (o == p->n_outputs || !want(d, (uint32_t)o, i))
      return false;
    placed[o] = used[i] = true;
  }
  for (uint32_t o = 0; o < p->n_outputs; o++) {
    if (placed[o])
      continue;
    for (uint32_t i = 0; i < p->n; i++)
      odds[i] = i >= p->outputs[o].before ? 0 : !used[i] ? 1 : p->outputs[o].shared ? 0.2 : 0;
    size_t i = pt_rng_weighted(d->rng, odds, p->n);
    if (i == p->n || !want(d, o, (uint32_t)i))
      return false;
    used[i] = true;
  }
  return true;
}

/* ---- one node ---------------------------------------------------------------------------------
 */
static uint64_t token_of(const Drawing *d, int32_t ref) {
  return ref < 0 ? PT_TOKEN_INPUT : d->e->p->operators[d->s->nodes[ref].op].token;
}

static uint64_t token_before(const Drawing *d, int32_t ref) {
  return ref < 0 || d->s->nodes[ref].n_in == 0 ? PT_TOKEN_INPUT
                                               : token_of(d, d->s->refs[d->s->nodes[ref].in]);
}

static bool is_allowed(const Drawing *d, const PtOperator *op, const int32_t *refs, uint32_t n) {
  bool ok = op->n_in ? op->n_in == n : n >= 2;
  for (uint32_t k = 0; ok && op->needs >> k; k++)
    ok = !(op->needs >> k & 1) || (k < n && refs[k] >= 0 && d->positive[refs[k]]);
  for (uint32_t k = 0; ok && op->rule == PT_RULE_TABLE && k < n; k++)
    ok = op->anchor[k] < 0 || refs[k] == -1 - op->anchor[k];
  return ok;
}

static double likelihood_of(const Drawing *d, const PtOperator *op, const int32_t *refs, uint32_t n,
                            bool end) {
  double p = 0;
  if (!d->l)
    return 1;
  for (uint32_t k = 0; k < n; k++)
    p += exp(pt_likelihood_log(d->l, token_before(d, refs[k]), token_of(d, refs[k]), op->token));
  if (end)
    p *= exp(pt_likelihood_log(d->l, token_of(d, refs[0]), op->token, PT_TOKEN_END));
  return p * op->weight;
}

static PtSize size_made(const Drawing *d, const PtOperator *op, const int32_t *refs, uint32_t n) {
  const PtFiniteType *in[PT_OPERANDS];
  PtSize size[PT_OPERANDS];
  for (uint32_t k = 0; k < n; k++) {
    in[k] = pt_drawer_type(d, refs[k]);
    size[k] = refs[k] < 0 ? d->e->p->inputs[-1 - refs[k]].size : d->size[refs[k]];
  }
  return pt_operator_size(op, in, size, n);
}

/* Outputs that are too large are out of the question; before them, what is large has to shrink. */
static double odds_of_size(const Drawing *d, uint32_t i, const PtOperator *op, const int32_t *refs,
                           uint32_t n) {
  PtSize size = size_made(d, op, refs, n), most = d->goal[i] >= 0 ? d->most[i] : d->any;
  double over = size.once - most.once, steep = size.times - size.once - most.times;
  if (over <= 0 && steep <= 0)
    return 1;
  return d->goal[i] >= 0 ? 0 : exp2(-SHRINKS * (MAX(over, 0) + MAX(steep, 0)));
}

static bool gives_positive(const Drawing *d, const PtOperator *op, const int32_t *refs,
                           uint32_t n) {
  bool all = op->gives != PT_SIGN_ANY;
  for (uint32_t k = 0; k < n && op->gives == PT_SIGN_KEEPS; k++)
    all &= refs[k] >= 0 && d->positive[refs[k]];
  return all;
}

static void put(Drawing *d, uint32_t i, uint32_t op, int32_t width, const int32_t *refs, uint32_t n,
                const PtFiniteType *type) {
  d->s->nodes[i] =
      (PtAssigned){.op = op, .width = width, .in = d->n_refs, .n_in = n, .type = *type};
  for (uint32_t k = 0; k < n; k++)
    d->s->refs[d->n_refs++] = refs[k];
  d->size[i] = size_made(d, &d->e->p->operators[op], refs, n);
  d->positive[i] = gives_positive(d, &d->e->p->operators[op], refs, n);
  d->done[i] = true;
}

/* Reads one value: what leads where is known beforehand. */
static bool draw_single(Drawing *d, uint32_t i, int32_t ref) {
  const PtPopulateProblem *p = d->e->p;
  const PtPopulateGuide *g = d->g;
  const double *future = d->future + (size_t)i * g->n_types;
  uint32_t from = pt_guide_find(g, pt_drawer_type(d, ref)), last = UINT32_MAX;
  if (from == UINT32_MAX)
    return false;
  double of_last = 0;
  uint32_t n = g->first[from + 1] - g->first[from];
  const PtGuideMove *moves = &g_array_index(g->moves, PtGuideMove, g->first[from]);
  for (uint32_t k = 0; k < n; k++) {
    if (moves[k].op != last) {
      const PtOperator *op = &p->operators[last = moves[k].op];
      of_last = is_allowed(d, op, &ref, 1) ? likelihood_of(d, op, &ref, 1, d->goal[i] >= 0) *
                                                 odds_of_size(d, i, op, &ref, 1)
                                           : 0;
    }
    d->odds[k] = of_last * moves[k].odds * future[moves[k].to];
  }
  size_t k = pt_rng_weighted(d->rng, d->odds, n);
  if (k == n)
    return false;
  put(d, i, moves[k].op, moves[k].width, &ref, 1, &g->type[moves[k].to]);
  return true;
}

/* Reads several: 2 o + 1 is operator o with its two operands turned. */
static bool draw_join(Drawing *d, uint32_t i, int32_t *refs, uint32_t n) {
  const PtPopulateProblem *p = d->e->p;
  const double *future = d->future + (size_t)i * d->g->n_types;
  const PtFiniteType *in[PT_OPERANDS];
  PtFiniteType out;
  uint32_t n_odds = 2 * p->n_operators;
  memset(d->odds, 0, n_odds * sizeof *d->odds);
  for (uint32_t turned = 0; turned < 2; turned++) {
    int32_t swap = refs[0];
    if (turned && (n != 2 || refs[0] == refs[1]))
      break;
    if (turned)
      refs[0] = refs[1], refs[1] = swap;
    for (uint32_t k = 0; k < n; k++)
      in[k] = pt_drawer_type(d, refs[k]);
    for (uint32_t o = 0; o < p->n_operators; o++) {
      const PtOperator *op = &p->operators[o];
      uint32_t r;
      if (op->dense || (turned && !pt_operator_turns(op)) || !is_allowed(d, op, refs, n) ||
          !pt_operator_apply(op, 0, in, n, &out) || (r = pt_guide_find(d->g, &out)) == UINT32_MAX ||
          future[r] <= 0)
        continue;
      d->odds[2 * o + turned] = future[r] * likelihood_of(d, op, refs, n, d->goal[i] >= 0) *
                                odds_of_size(d, i, op, refs, n) * (pt_operator_turns(op) ? 0.5 : 1);
    }
    if (turned)
      refs[1] = refs[0], refs[0] = swap;
  }
  size_t k = pt_rng_weighted(d->rng, d->odds, n_odds);
  if (k == n_odds)
    return false;
  if (k & 1) {
    int32_t swap = refs[0];
    refs[0] = refs[1], refs[1] = swap;
  }
  for (uint32_t a = 0; a < n; a++)
    in[a] = pt_drawer_type(d, refs[a]);
  (void)pt_operator_apply(&p->operators[k / 2], 0, in, n, &out);
  put(d, i, (uint32_t)k / 2, 0, refs, n, &out);
  return true;
}

/* ---- inputs -----------------------------------------------------------------------------------
 */
static bool reads_all(const Drawing *d) {
  const PtPopulateProblem *p = d->e->p;
  g_autofree bool *read = g_new0(bool, p->n_inputs + 1);
  bool all = true;
  for (uint32_t i = 0; i < 2 * p->n; i++)
    if (d->at.input[i])
      read[d->at.input[i] - 1] = true;
  for (uint32_t i = 0; i < p->n; i++)
    for (guint k = 0; d->at.more[i] && k < d->at.more[i]->len; k++)
      read[g_array_index(d->at.more[i], uint32_t, k) - 1] = true;
  for (uint32_t i = 0; i < p->n_inputs; i++)
    all &= read[i] || p->inputs[i].optional;
  return all;
}

static bool has_room(const Drawing *d) {
  bool room = true;
  for (uint32_t i = 0; i < d->e->p->n; i++)
    room &= d->e->nodes[i].n_preds + 2 + (d->at.more[i] ? d->at.more[i]->len : 0) <= PT_OPERANDS;
  return room;
}

/* ---- the whole --------------------------------------------------------------------------------
 */
static bool draw_node(Drawing *d, uint32_t i) {
  int32_t refs[PT_OPERANDS];
  uint32_t n = pt_drawer_operands(d, i, refs);
  for (uint32_t k = d->e->p->n; k-- > i;)
    if (d->stale[k])
      pt_make_future(d, k);
  if (n == 0 || !(n == 1 ? draw_single(d, i, refs[0]) : draw_join(d, i, refs, n)))
    return false;
  pt_spoil_around(d, i);
  return true;
}

/* Nodes from `to` on are drawn anew. */
static void go_back(Drawing *d, uint32_t from, uint32_t to) {
  if (to < from)
    d->n_refs = d->s->nodes[to].in;
  for (uint32_t i = to; i < from; i++)
    d->done[i] = false;
  for (uint32_t i = to; i < from; i++)
    pt_spoil_around(d, i);
}

/* Where it goes on nowhere, some steps back, and more each time. */
static bool draw_all(Drawing *d) {
  uint32_t n = d->e->p->n, i = 0;
  double back = 2;
  for (uint32_t k = 0; k < n; k++)
    d->stale[k] = true;
  for (uint32_t step = 0; i < n && step < STEPS * n; step++) {
    if (draw_node(d, i)) {
      i++;
      continue;
    }
    if (i == 0)
      return false;
    uint32_t to = i - MIN(i, 1 + (uint32_t)pt_rng_below(d->rng, (uint32_t)back));
    go_back(d, i, to);
    back = MIN(back * 1.3, n);
    i = to;
  }
  memcpy(d->s->outputs, d->outputs, d->e->p->n_outputs * sizeof *d->outputs);
  return i == n;
}

static void find_readers(Drawing *d) {
  const PtPopulateProblem *p = d->e->p;
  d->read = g_new0(uint32_t, p->n + 2);
  d->from = g_new0(uint32_t, p->n_arcs + 1);
  for (uint32_t a = 0; a < p->n_arcs; a++)
    d->read[p->arcs[a].from + 1]++;
  for (uint32_t i = 0; i < p->n; i++)
    d->read[i + 1] += d->read[i];
  g_autofree uint32_t *at = g_memdup2(d->read, (p->n + 1) * sizeof *at);
  for (uint32_t a = 0; a < p->n_arcs; a++)
    d->from[at[p->arcs[a].from]++] = p->arcs[a].to;
}

PtDrawer *pt_drawer_new(const PtEncoder *e, const PtPopulateGuide *guide, const PtLikelihood *l,
                        PtRng *rng) {
  const PtPopulateProblem *p = e->p;
  PtDrawer *d = g_new0(PtDrawer, 1);
  *d = (PtDrawer){.e = e, .g = guide, .l = l, .rng = rng, .at = pt_proposal_new(p)};
  find_readers(d);
  d->goal = g_new0(int32_t, p->n + 1);
  d->outputs = g_new0(uint32_t, p->n_outputs + 1);
  d->future = g_new0(double, (size_t)p->n * guide->n_types + 1);
  d->stale = g_new0(bool, p->n + 1);
  d->done = g_new0(bool, p->n + 1);
  d->positive = g_new0(bool, p->n + 1);
  d->size = g_new0(PtSize, p->n + 1);
  d->most = g_new0(PtSize, p->n + 1);
  d->any = p->outputs[0].most;
  for (uint32_t o = 1; o < p->n_outputs; o++) {
    d->any.once = MAX(d->any.once, p->outputs[o].most.once);
    d->any.times = MAX(d->any.times, p->outputs[o].most.times);
  }
  d->odds = g_new0(double, guide->moves->len + 2 * p->n_operators + 1);
  return d;
}

void pt_drawer_free(PtDrawer *d) {
  pt_proposal_clear(&d->at);
  g_free(d->read);
  g_free(d->from);
  g_free(d->goal);
  g_free(d->outputs);
  g_free(d->future);
  g_free(d->stale);
  g_free(d->done);
  g_free(d->positive);
  g_free(d->size);
  g_free(d->most);
  g_free(d->odds);
  g_free(d);
}

PtSolution *pt_drawer_draw(PtDrawer *d) {
  const PtPopulateProblem *p = d->e->p;
  memset(d->done, 0, p->n * sizeof *d->done);
  d->n_refs = 0;
  d->s = pt_solution_new(p);
  pt_place_inputs(d->e, d->rng, true, &d->at);
  if (!reads_all(d) || !has_room(d) || !place_outputs(d) || !draw_all(d))
    g_clear_pointer(&d->s, pt_solution_free);
  else
    d->s->logprob = pt_solution_logprob(p, d->l, d->s);
  return g_steal_pointer(&d->s);
}
