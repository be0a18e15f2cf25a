/* propose: what a real model would have here: opcodes drawn along the order, each by what comes
 * before it, types followed as far as they go. Z3 makes it fit. */
#include "populate/populate_private.h"

#include <math.h>

#define ASTRAY 0.02 /* odds of an operator before an output that gives another type */
#define OFTEN 0.05  /* of an operator's places, those at a piece's end */
#define RARELY 0.01
#define SHRUNK 0.1 /* odds of a window that makes what no output is as small as */

typedef struct Proposing {
  const PtEncoder *e;
  const PtLikelihood *likelihood;
  PtRng *rng;
  PtProposal *to;
  PtFiniteType *type; /* [n] as proposed, rank -1: not known */
  uint64_t *token;    /* [n] */
  bool *positive;     /* [n] */
  int32_t *before;    /* [n] first operand of each: a node or -1 - input */
  double *odds;       /* [n_operators] */
  int32_t *width;     /* [n_operators] drawn for each */
  int32_t least_space;
} Proposing;

/* ---- operators --------------------------------------------------------------------------------
 */
static uint64_t token_of(const Proposing *w, int32_t ref) {
  return ref < 0 ? PT_TOKEN_INPUT : w->token[ref];
}

static uint64_t token_before(const Proposing *w, int32_t ref) {
  return ref < 0 ? PT_TOKEN_INPUT : token_of(w, w->before[ref]);
}

static bool is_output(const PtPopulateProblem *p, const PtFiniteType *t) {
  for (uint32_t o = 0; o < p->n_outputs; o++)
    if (memcmp(&p->outputs[o].type, t, sizeof *t) == 0)
      return true;
  return false;
}

/* An output but for one size: widths before it can be made to fit. */
static bool is_near_output(const PtPopulateProblem *p, const PtFiniteType *t) {
  for (uint32_t o = 0; o < p->n_outputs; o++) {
    const PtFiniteType *want = &p->outputs[o].type;
    int32_t other = 0;
    for (int32_t i = 0; i < t->rank && i < want->rank; i++)
      other += t->dims[i] != want->dims[i];
    if (want->dtype == t->dtype && want->rank == t->rank && other <= 1)
      return true;
  }
  return false;
}

/* The width that makes an output of it, at the piece's end; else one by what goes in. */
static int32_t draw_width(Proposing *w, const PtOperator *op, const PtFiniteType *const *in,
                          uint32_t n, bool sink) {
  const PtPopulateProblem *p = w->e->p;
  PtFiniteType out;
  double odds[PT_DOMAIN_MAX];
  int32_t from = op->rule == PT_RULE_CONV ? in[0]->dims[1] : in[0]->dims[in[0]->rank - 1];
  if (in[0]->rank < 2 || p->n_widths == 0)
    return 0;
  for (uint32_t i = 0; i < p->n_widths && i < PT_DOMAIN_MAX; i++) {
    odds[i] = !pt_operator_apply(op, p->widths[i], in, n, &out) ? 0
              : w->likelihood ? exp(pt_likelihood_log_width(w->likelihood, from, p->widths[i]))
                              : 1;
    if (sink && w->likelihood && odds[i] > 0 && !is_output(p, &out))
      odds[i] *= ASTRAY;
  }
  size_t at = pt_rng_weighted(w->rng, odds, MIN(p->n_widths, PT_DOMAIN_MAX));
  return at < p->n_widths ? p->widths[at] : 0;
}

static double odds_of(Proposing *w, const PtOperator *op, const int32_t *refs, uint32_t n,
                      const PtFiniteType *out, bool sink) {
  if (!w->likelihood)
    return 1;
  double p = 0;
  for (uint32_t k = 0; k < n; k++)
    p += exp(pt_likelihood_log(w->likelihood, token_before(w, refs[k]), token_of(w, refs[k]),
                               op->token));
  p *= op->weight;
  if (sink) /* and the piece ends with it */
    p *= exp(pt_likelihood_log(w->likelihood, n ? token_of(w, refs[0]) : PT_TOKEN_INPUT, op->token,
                               PT_TOKEN_END));
  if (out && sink && !is_near_output(w->e->p, out))
    p *= ASTRAY;
  if (out && op->n_space && out->dims[2] >= 0 && out->dims[2] < w->least_space)
    p *= SHRUNK;
  return p;
}

/* Operands in the order of slots; whether all their types are known. */
static bool operands(const Proposing *w, uint32_t i, int32_t *refs, const PtFiniteType **in,
                     uint32_t *n) {
  const PtNodeVars *v = &w->e->nodes[i];
  bool known = true;
  *n = 0;
  for (uint32_t k = 0; k < v->n_preds; k++)
    refs[(*n)++] = (int32_t)v->preds[k];
  for (uint32_t k = 0; k < 2; k++)
    if (w->to->input[2 * i + k])
      refs[(*n)++] = -(int32_t)w->to->input[2 * i + k];
  for (uint32_t k = 0; k < *n; k++) {
    in[k] = refs[k] < 0 ? &w->e->p->inputs[-1 - refs[k]].type : &w->type[refs[k]];
    known &= in[k]->rank >= 0;
  }
  return known && *n > 0;
}

static bool is_positive(const Proposing *w, int32_t ref) {
  return ref >= 0 && w->positive[ref];
}

static bool is_allowed(const Proposing *w, uint32_t i, uint32_t o, const int32_t *refs,
                       uint32_t n) {
  const PtNodeVars *v = &w->e->nodes[i];
  const PtOperator *op = &w->e->p->operators[o];
  bool ok = (op->n_in ? op->n_in == n : n >= 2) && (!v->allowed || v->allowed[o]);
  for (uint32_t k = 0; ok && op->needs >> k; k++)
    ok = !(op->needs >> k & 1) || (k < n && is_positive(w, refs[k]));
  return ok;
}

static bool gives_positive(const Proposing *w, const PtOperator *op, const int32_t *refs,
                           uint32_t n) {
  bool all = op->gives != PT_SIGN_ANY;
  for (uint32_t k = 0; k < n && op->gives == PT_SIGN_KEEPS; k++)
    all &= is_positive(w, refs[k]);
  return all;
}

/* Where types are not known, by what comes before alone. */
static void propose_blindly(Proposing *w, uint32_t i, const int32_t *refs, uint32_t n) {
  const PtPopulateProblem *p = w->e->p;
  for (uint32_t o = 0; o < p->n_operators; o++) {
    const PtOperator *op = &p->operators[o];
    w->width[o] = op->dense && p->n_widths ? p->widths[pt_rng_below(w->rng, p->n_widths)] : 0;
    w->odds[o] = is_allowed(w, i, o, refs, n) ? odds_of(w, op, refs, n, NULL, false) : 0;
  }
}

static void propose_node(Proposing *w, uint32_t i) {
  const PtPopulateProblem *p = w->e->p;
  const PtNodeVars *v = &w->e->nodes[i];
  const PtFiniteType *in[64];
  PtFiniteType out;
  int32_t refs[64];
  uint32_t n;
  bool known = operands(w, i, refs, in, &n);
  w->type[i].rank = -1;
  w->token[i] = PT_TOKEN_INPUT;
  w->positive[i] = false;
  w->before[i] = n ? refs[0] : -1;
  w->to->op[i] = UINT32_MAX;
  w->to->width[i] = 0;
  for (uint32_t o = 0; known && o < p->n_operators; o++) {
    const PtOperator *op = &p->operators[o];
    w->odds[o] = 0;
    if (!is_allowed(w, i, o, refs, n))
      continue;
    w->width[o] = op->dense ? draw_width(w, op, in, n, v->sink) : 0;
    if (pt_operator_apply(op, w->width[o], in, n, &out) && pt_domain_hold(&w->e->sizes, &out))
      w->odds[o] = odds_of(w, op, refs, n, &out, v->sink);
  }
  size_t o = known ? pt_rng_weighted(w->rng, w->odds, p->n_operators) : p->n_operators;
  known = o < p->n_operators;
  if (!known) {
    propose_blindly(w, i, refs, n);
    o = pt_rng_weighted(w->rng, w->odds, p->n_operators);
    if (o == p->n_operators)
      return;
  }
  if (known)
    (void)pt_operator_apply(&p->operators[o], w->width[o], in, n, &w->type[i]);
  w->token[i] = p->operators[o].token;
  w->positive[i] = gives_positive(w, &p->operators[o], refs, n);
  w->to->op[i] = (uint32_t)o;
  w->to->width[i] = w->width[o];
}

void pt_propose(const PtEncoder *e, const PtLikelihood *likelihood, PtRng *rng,
                PtProposal *proposal) {
  const PtPopulateProblem *p = e->p;
  Proposing w = {.e = e, .likelihood = likelihood, .rng = rng, .to = proposal};
  w.type = g_new0(PtFiniteType, p->n + 1);
  w.token = g_new0(uint64_t, p->n + 1);
  w.positive = g_new0(bool, p->n + 1);
  w.before = g_new0(int32_t, p->n + 1);
  w.odds = g_new0(double, p->n_operators + 1);
  w.width = g_new0(int32_t, p->n_operators + 1);
  w.least_space = INT32_MAX;
  for (uint32_t o = 0; o < p->n_outputs; o++)
    if (p->outputs[o].type.rank >= 3)
      w.least_space = MIN(w.least_space, p->outputs[o].type.dims[2]);
  if (w.least_space == INT32_MAX)
    w.least_space = 0;
  pt_place_inputs(e, rng, false, proposal);
  for (uint32_t i = 0; i < p->n; i++)
    propose_node(&w, i);
  g_free(w.type);
  g_free(w.token);
  g_free(w.positive);
  g_free(w.before);
  g_free(w.odds);
  g_free(w.width);
}

/* Where what comes out has another rank than what goes in, what leads from one to the other is rare
 * in proposals, but has to be had. */
static bool leads_over(const PtOperator *op) {
  return op->rule == PT_RULE_FLATTEN || op->rule == PT_RULE_GLOBAL_POOL || op->two_d ||
         (op->rule == PT_RULE_REDUCE && !op->keep) ||
         (op->rule == PT_RULE_TABLE && op->in[0].rank != op->out.rank);
}

static bool has_other_rank(const PtPopulateProblem *p) {
  uint32_t in = 0, out = 0;
  for (uint32_t i = 0; i < p->n_inputs; i++)
    in |= 1u << p->inputs[i].type.rank;
  for (uint32_t i = 0; i < p->n_outputs; i++)
    out |= 1u << p->outputs[i].type.rank;
  return (out & ~in) != 0;
}

/* Pieces end where a cut leaves them: with what real ones end with, even where no proposal got
 * there with the right width. */
static void allow_ends(PtEncoder *e, const PtLikelihood *l) {
  const PtPopulateProblem *p = e->p;
  g_autofree bool *may = g_new0(bool, p->n_operators + 1);
  bool any = false;
  for (uint32_t o = 0; o < p->n_operators; o++) {
    double ends = exp(pt_likelihood_log(l, 0, p->operators[o].token, PT_TOKEN_END));
    may[o] = ends >= OFTEN;
    any |= may[o] && p->operators[o].n_in == 1;
    if (ends >= RARELY)
      continue;
    for (uint32_t i = 0; i < p->n; i++)
      if (e->nodes[i].sink)
        e->allowed[(size_t)i * p->n_operators + o] = false;
  }
  for (uint32_t i = 0; i < p->n && any; i++)
    for (uint32_t o = 0; e->nodes[i].sink && o < p->n_operators; o++)
      e->allowed[(size_t)i * p->n_operators + o] |= may[o];
}

void pt_propose_allowed(PtEncoder *e, const PtLikelihood *likelihood, PtRng *rng,
                        uint32_t breadth) {
  const PtPopulateProblem *p = e->p;
  PtProposal proposal = pt_proposal_new(p);
  g_autofree bool *second = g_new0(bool, p->n + 1);
  e->allowed = g_new0(bool, (size_t)p->n * p->n_operators + 1);
  for (uint32_t k = 0; k < breadth; k++) {
    pt_propose(e, likelihood, rng, &proposal);
    for (uint32_t i = 0; i < p->n; i++) {
      if (proposal.op[i] != UINT32_MAX)
        e->allowed[(size_t)i * p->n_operators + proposal.op[i]] = true;
      second[i] |= proposal.input[2 * i + 1] > 0;
    }
  }
  bool over = has_other_rank(p);
  for (uint32_t i = 0; i < p->n; i++) {
    for (uint32_t o = 0; over && o < p->n_operators; o++)
      if (leads_over(&p->operators[o]))
        e->allowed[(size_t)i * p->n_operators + o] = true;
    e->nodes[i].allowed = e->allowed + (size_t)i * p->n_operators;
    e->nodes[i].second &= second[i];
  }
  if (likelihood)
    allow_ends(e, likelihood);
  pt_proposal_clear(&proposal);
}

/* ---- wishes -----------------------------------------------------------------------------------
 */
static void wish(PtEncoder *e, GArray *wishes, PtRng *rng, Z3_ast what, double worth) {
  PtWish it = {pt_z3_literal(e, what), worth + pt_rng_unit(rng)};
  g_array_append_val(wishes, it);
}

void pt_wish(PtEncoder *e, const PtProposal *proposal, PtRng *rng, GArray *wishes) {
  const PtPopulateProblem *p = e->p;
  for (uint32_t i = 0; i < p->n; i++) {
    const PtNodeVars *v = &e->nodes[i];
    const uint32_t *input = proposal->input + 2 * (size_t)i;
    for (uint32_t k = 0; k < 2; k++)
      if (v->input[k])
        wish(e, wishes, rng, pt_z3_eq(e, v->input[k], pt_z3_number(e, e->of_input, input[k])),
             k == 0     ? 0.5
             : input[1] ? 0.3
                        : 2);
    if (proposal->op[i] == UINT32_MAX)
      continue;
    const PtOperator *op = &p->operators[proposal->op[i]];
    wish(e, wishes, rng, pt_z3_eq(e, v->op, pt_z3_number(e, e->of_op, e->place[proposal->op[i]])),
         1);
    if (op->dense)
      wish(e, wishes, rng,
           pt_z3_eq(e, v->width, e->size[pt_domain_find(&e->sizes, proposal->width[i])]), 0.2);
    if (pt_operator_turns(op))
      wish(e, wishes, rng, Z3_mk_not(e->z3, v->swap), 0.1);
  }
}
