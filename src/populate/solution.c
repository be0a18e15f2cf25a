/* solution: an assignment, out of Z3's models and back into formulas; how likely it is. */
#include "populate/populate_private.h"

#include <math.h>

/* ---- models -----------------------------------------------------------------------------------
 */
static uint32_t value_of(PtEncoder *e, Z3_model model, Z3_ast var) {
  Z3_ast value = NULL;
  unsigned n = 0;
  const bool known = Z3_model_eval(e->z3, model, var, true, &value) && value;
  if (known && Z3_get_bool_value(e->z3, value) != Z3_L_UNDEF)
    n = Z3_get_bool_value(e->z3, value) == Z3_L_TRUE;
  else if (!known || !Z3_get_numeral_uint(e->z3, value, &n))
    e->failed = true;
  return n;
}

static PtFiniteType type_of(PtEncoder *e, Z3_model model, const PtBundle *b) {
  PtFiniteType t = {0};
  uint32_t dtype = value_of(e, model, b->dtype), rank = value_of(e, model, b->rank);
  if (dtype >= e->sizes.n_dtypes || rank > (uint32_t)e->sizes.rank) {
    e->failed = true;
    return t;
  }
  t.dtype = e->sizes.dtype[dtype];
  t.rank = (int8_t)rank;
  for (int32_t i = 0; i < t.rank; i++) {
    uint32_t size = value_of(e, model, b->dim[t.rank - 1 - i]);
    e->failed |= size >= e->sizes.n;
    t.dims[i] = size < e->sizes.n ? e->sizes.size[size] : 0;
  }
  return t;
}

uint32_t pt_solution_refs(const PtPopulateProblem *p) {
  uint32_t refs = p->n_arcs + 2 * p->n + p->n_inputs;
  for (uint32_t i = 0; i < p->n_many; i++)
    refs += p->many[i];
  return refs;
}

PtSolution *pt_solution_new(const PtPopulateProblem *p) {
  PtSolution *s = g_new0(PtSolution, 1);
  s->n = p->n;
  s->nodes = g_new0(PtAssigned, s->n + 1);
  s->refs = g_new0(int32_t, pt_solution_refs(p) + 1);
  s->outputs = g_new0(uint32_t, p->n_outputs + 1);
  return s;
}

void pt_solution_free(PtSolution *s) {
  if (!s)
    return;
  g_free(s->nodes);
  g_free(s->refs);
  g_free(s->outputs);
  g_free(s);
}

static void read_node(PtEncoder *e, Z3_model model, PtSolution *s, uint32_t i, uint32_t *at) {
  const PtNodeVars *v = &e->nodes[i];
  PtAssigned *a = &s->nodes[i];
  uint32_t op = value_of(e, model, v->op);
  if (op >= e->p->n_operators) {
    e->failed = true;
    return;
  }
  *a = (PtAssigned){.op = e->order[op], .in = *at, .type = type_of(e, model, &v->type)};
  const PtOperator *o = &e->p->operators[a->op];
  if (o->dense)
    a->width = e->sizes.size[MIN(value_of(e, model, v->width), e->sizes.n - 1)];
  for (uint32_t k = 0; k < v->n_preds; k++)
    s->refs[(*at)++] = (int32_t)v->preds[k];
  for (uint32_t k = 0; k < 2; k++) {
    uint32_t in = v->input[k] ? value_of(e, model, v->input[k]) : 0;
    if (in > 0)
      s->refs[(*at)++] = -(int32_t)in;
  }
  a->n_in = *at - a->in;
  if (pt_operator_turns(o) && a->n_in == 2 && value_of(e, model, v->swap)) {
    int32_t first = s->refs[a->in];
    s->refs[a->in] = s->refs[a->in + 1];
    s->refs[a->in + 1] = first;
  }
}

PtSolution *pt_encoder_read(PtEncoder *e, Z3_model model) {
  PtSolution *s = pt_solution_new(e->p);
  uint32_t at = 0;
  for (uint32_t i = 0; i < s->n; i++)
    read_node(e, model, s, i, &at);
  for (uint32_t o = 0; o < e->p->n_outputs; o++)
    s->outputs[o] = value_of(e, model, e->output[o]);
  if (e->failed)
    g_clear_pointer(&s, pt_solution_free);
  return s;
}

void pt_encoder_says(PtEncoder *e, const PtSolution *s, PtTerms *terms) {
  for (uint32_t i = 0; i < s->n; i++) {
    const PtNodeVars *v = &e->nodes[i];
    const PtAssigned *a = &s->nodes[i];
    const PtOperator *o = &e->p->operators[a->op];
    pt_terms_add(terms, pt_z3_eq(e, v->op, pt_z3_number(e, e->of_op, e->place[a->op])));
    if (o->dense)
      pt_terms_add(terms, pt_z3_eq(e, v->width, e->size[pt_domain_find(&e->sizes, a->width)]));
    const int32_t *refs = s->refs + a->in;
    uint32_t inputs = 0;
    bool turned = false;
    if (pt_operator_turns(o) && a->n_in == 2) { /* as a node's slots have them, or the other way */
      turned = v->n_preds ? refs[0] != (int32_t)v->preds[0] : refs[0] < refs[1];
      pt_terms_add(terms, turned ? v->swap : Z3_mk_not(e->z3, v->swap));
    }
    for (uint32_t k = 0; k < a->n_in; k++) {
      int32_t r = refs[turned ? a->n_in - 1 - k : k];
      if (r >= 0)
        continue;
      uint32_t slot = v->first ? inputs++ : 1;
      pt_terms_add(terms, pt_z3_eq(e, v->input[slot], pt_z3_number(e, e->of_input, (uint32_t)-r)));
    }
    if (v->second && a->n_in == v->n_preds + v->first)
      pt_terms_add(terms, pt_z3_eq(e, v->input[1], pt_z3_number(e, e->of_input, 0)));
  }
  for (uint32_t o = 0; o < e->p->n_outputs; o++)
    pt_terms_add(terms, pt_z3_eq(e, e->output[o], pt_z3_number(e, e->of_node, s->outputs[o])));
}

void pt_encoder_block(PtEncoder *e, const PtSolution *s) {
  for (uint32_t i = 0; i < s->n; i++)
    if (s->nodes[i].n_in > e->nodes[i].n_preds + e->nodes[i].first + e->nodes[i].second)
      return;
  PtTerms says = pt_terms(e);
  pt_encoder_says(e, s, &says);
  pt_claim(e, Z3_mk_not(e->z3, pt_terms_and(&says)));
}

/* ---- likelihood -------------------------------------------------------------------------
 */
static uint64_t token_in(const PtPopulateProblem *p, const PtSolution *s, int32_t ref) {
  return ref < 0 ? PT_TOKEN_INPUT : p->operators[s->nodes[ref].op].token;
}

static uint64_t token_behind(const PtPopulateProblem *p, const PtSolution *s, int32_t ref) {
  return ref < 0 || s->nodes[ref].n_in == 0 ? PT_TOKEN_INPUT
                                            : token_in(p, s, s->refs[s->nodes[ref].in]);
}

/* The mean over the paths into it. */
static double node_logprob(const PtPopulateProblem *p, const PtLikelihood *l, const PtSolution *s,
                           uint32_t i, uint64_t token) {
  const PtAssigned *a = &s->nodes[i];
  double sum = 0;
  for (uint32_t k = 0; k < a->n_in; k++) {
    int32_t r = s->refs[a->in + k];
    sum += pt_likelihood_log(l, token_behind(p, s, r), token_in(p, s, r), token);
  }
  return a->n_in ? sum / a->n_in : 0;
}

static double width_logprob(const PtPopulateProblem *p, const PtLikelihood *l, const PtSolution *s,
                            uint32_t i) {
  const PtAssigned *a = &s->nodes[i];
  if (a->width == 0)
    return 0;
  int32_t r = s->refs[a->in];
  const PtFiniteType *in = r < 0 ? &p->inputs[-1 - r].type : &s->nodes[r].type;
  bool conv = p->operators[a->op].rule == PT_RULE_CONV;
  return pt_likelihood_log_width(l, in->dims[conv ? 1 : in->rank - 1], a->width);
}

double pt_solution_logprob(const PtPopulateProblem *p, const PtLikelihood *l, const PtSolution *s) {
  double sum = 0;
  for (uint32_t i = 0; l && i < s->n; i++)
    sum += node_logprob(p, l, s, i, p->operators[s->nodes[i].op].token) +
           0.5 * width_logprob(p, l, s, i);
  for (uint32_t o = 0; l && o < p->n_outputs; o++) {
    int32_t r = (int32_t)s->outputs[o];
    sum += pt_likelihood_log(l, token_behind(p, s, r), token_in(p, s, r), PT_TOKEN_END);
  }
  return s->n ? sum / s->n : 0;
}

/* Of those that follow it, the likelihood given each alternative. */
static double around(const PtPopulateProblem *p, const PtLikelihood *l, PtSolution *s, uint32_t i,
                     uint32_t op) {
  uint32_t was = s->nodes[i].op;
  s->nodes[i].op = op;
  double sum = node_logprob(p, l, s, i, p->operators[op].token) + log(p->operators[op].weight);
  for (uint32_t k = i + 1; k < s->n; k++)
    for (uint32_t a = 0; a < s->nodes[k].n_in; a++)
      if (s->refs[s->nodes[k].in + a] == (int32_t)i) {
        sum += node_logprob(p, l, s, k, p->operators[s->nodes[k].op].token);
        break;
      }
  for (uint32_t o = 0; o < p->n_outputs; o++)
    if (s->outputs[o] == i)
      sum += pt_likelihood_log(l, token_behind(p, s, (int32_t)i), p->operators[op].token,
                               PT_TOKEN_END);
  s->nodes[i].op = was;
  return sum;
}

void pt_refine(const PtEncoder *e, const PtLikelihood *l, PtRng *rng, PtSolution *s) {
  const PtPopulateProblem *p = e->p;
  g_autofree double *odds = g_new0(double, p->n_operators + 1);
  for (uint32_t sweep = 0; sweep < 2; sweep++)
    for (uint32_t i = 0; i < s->n; i++) {
      const PtEffect *f = &g_array_index(e->effects, PtEffect, e->effect_of[s->nodes[i].op]);
      if (f->n == 1)
        continue;
      double most = -INFINITY;
      for (uint32_t k = 0; k < f->n; k++) {
        odds[k] = around(p, l, s, i, e->order[f->first + k]);
        most = MAX(most, odds[k]);
      }
      for (uint32_t k = 0; k < f->n; k++)
        odds[k] = exp(odds[k] - most);
      s->nodes[i].op = e->order[f->first + pt_rng_weighted(rng, odds, f->n)];
    }
}

uint64_t pt_solution_hash(const PtPopulateProblem *p, const PtSolution *s) {
  uint64_t h = s->n;
  for (uint32_t i = 0; i < s->n; i++) {
    const PtAssigned *a = &s->nodes[i];
    h = pt_hash_mix(pt_hash_mix(h, a->op), pt_hash_mix((uint32_t)a->width, a->n_in));
    for (uint32_t k = 0; k < a->n_in; k++)
      h = pt_hash_mix(h, (uint64_t)(int64_t)s->refs[a->in + k]);
  }
  for (uint32_t o = 0; o < p->n_outputs; o++)
    h = pt_hash_mix(h, s->outputs[o]);
  return h;
}
