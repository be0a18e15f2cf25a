/* encode: a problem as Z3's variables and constraints (Alg. 2, GENERATERULESET), and back. */
#include "populate/populate_private.h"

/* ---- variables --------------------------------------------------------------------------------
 */
Z3_ast pt_z3_var(PtEncoder *e, Z3_sort sort) {
  return Z3_mk_const(e->z3, Z3_mk_int_symbol(e->z3, (int)e->fresh++), sort);
}

Z3_ast pt_z3_number(PtEncoder *e, Z3_sort sort, uint32_t value) {
  return Z3_mk_unsigned_int(e->z3, value, sort);
}

PtBundle pt_bundle_new(PtEncoder *e) {
  const PtReach *r = &e->reach;
  PtBundle b;
  b.dtype = r->only_dtype != UINT32_MAX ? e->dtype[r->only_dtype] : pt_z3_var(e, e->of_dtype);
  b.rank = r->only_rank >= 0 ? e->rank[r->only_rank] : pt_z3_var(e, e->of_rank);
  for (int32_t i = 0; i < e->sizes.rank; i++)
    b.dim[i] = r->only[i] != UINT32_MAX ? e->size[r->only[i]] : pt_z3_var(e, e->of_size);
  return b;
}

void pt_claim(PtEncoder *e, Z3_ast formula) {
  if (formula == e->yes)
    return;
  Z3_solver_assert(e->z3, e->solver, formula);
}

static Z3_ast implies(PtEncoder *e, Z3_ast a, Z3_ast b) {
  return b == e->yes || a == e->no ? e->yes
         : a == e->yes             ? b
         : b == e->no              ? Z3_mk_not(e->z3, a)
                                   : Z3_mk_implies(e->z3, a, b);
}

/* A name for a formula, to assume it by. */
Z3_ast pt_z3_literal(PtEncoder *e, Z3_ast formula) {
  if (!e->literals)
    e->literals = g_hash_table_new(NULL, NULL);
  Z3_ast known = g_hash_table_lookup(e->literals, formula);
  if (known)
    return known;
  Z3_ast name = pt_z3_var(e, Z3_mk_bool_sort(e->z3));
  pt_claim(e, implies(e, name, formula));
  g_hash_table_insert(e->literals, formula, name);
  return name;
}

static unsigned bits_for(uint32_t n) {
  unsigned bits = 1;
  while (n > 1u << bits)
    bits++;
  return bits;
}

static void at_most(PtEncoder *e, Z3_ast var, Z3_sort sort, uint32_t most) {
  if (most + 1 < 1u << Z3_get_bv_sort_size(e->z3, sort))
    pt_claim(e, Z3_mk_bvule(e->z3, var, pt_z3_number(e, sort, most)));
}

static void make_numbers(PtEncoder *e) {
  const PtDomain *d = &e->sizes;
  e->of_dtype = Z3_mk_bv_sort(e->z3, bits_for(d->n_dtypes));
  e->of_rank = Z3_mk_bv_sort(e->z3, bits_for((uint32_t)d->rank + 1));
  e->of_size = Z3_mk_bv_sort(e->z3, bits_for(d->n));
  e->of_op = Z3_mk_bv_sort(e->z3, bits_for(e->p->n_operators));
  e->of_node = Z3_mk_bv_sort(e->z3, bits_for(e->p->n));
  e->of_input = Z3_mk_bv_sort(e->z3, bits_for(e->p->n_inputs + 1));
  for (uint32_t i = 0; i < d->n; i++)
    e->size[i] = pt_z3_number(e, e->of_size, i);
  for (uint32_t i = 0; i < d->n_dtypes; i++)
    e->dtype[i] = pt_z3_number(e, e->of_dtype, i);
  for (uint32_t i = 0; i <= (uint32_t)d->rank; i++)
    e->rank[i] = pt_z3_number(e, e->of_rank, i);
  e->yes = Z3_mk_true(e->z3);
  e->no = Z3_mk_false(e->z3);
}

/* ---- nodes ------------------------------------------------------------------------------------
 */
static void find_preds(PtEncoder *e) {
  const PtPopulateProblem *p = e->p;
  uint32_t at = 0;
  e->nodes = g_new0(PtNodeVars, p->n + 1);
  e->preds = g_new0(uint32_t, p->n_arcs + 1);
  for (uint32_t i = 0; i < p->n; i++)
    e->nodes[i].sink = true;
  for (uint32_t i = 0; i < p->n; i++) {
    PtNodeVars *v = &e->nodes[i];
    v->preds = e->preds + at;
    for (uint32_t a = 0; a < p->n_arcs; a++)
      if (p->arcs[a].to == i) {
        e->preds[at++] = p->arcs[a].from;
        v->n_preds++;
        e->nodes[p->arcs[a].from].sink = false;
      }
    v->first = v->n_preds == 0;
    v->second = v->n_preds <= 1 && p->n_inputs > 0;
  }
}

/* A node without predecessors reads an input of the piece, and maybe another; one with a single
 * predecessor may read one beside it. */
static void make_node(PtEncoder *e, uint32_t i) {
  PtNodeVars *v = &e->nodes[i];
  v->op = pt_z3_var(e, e->of_op);
  v->width = pt_z3_var(e, e->of_size);
  v->swap = pt_z3_var(e, Z3_mk_bool_sort(e->z3));
  v->type = pt_bundle_new(e);
  v->positive = pt_z3_var(e, Z3_mk_bool_sort(e->z3));
  for (uint32_t k = 0; k < 2; k++) {
    if (!(k == 0 ? v->first : v->second))
      continue;
    v->input[k] = pt_z3_var(e, e->of_input);
    v->slot[k] = pt_bundle_new(e);
    at_most(e, v->input[k], e->of_input, e->p->n_inputs);
    if (k == 0)
      pt_claim(e, Z3_mk_not(e->z3, pt_z3_eq(e, v->input[0], pt_z3_number(e, e->of_input, 0))));
    else if (v->first) /* two inputs in one order; `swap` has the other */
      pt_claim(e, Z3_mk_or(e->z3, 2,
                           (Z3_ast[]){pt_z3_eq(e, v->input[1], pt_z3_number(e, e->of_input, 0)),
                                      Z3_mk_bvule(e->z3, v->input[0], v->input[1])}));
    for (uint32_t in = 0; in < e->p->n_inputs; in++) {
      const PtPopulateInput *input = &e->p->inputs[in];
      pt_claim(e, implies(e, pt_z3_eq(e, v->input[k], pt_z3_number(e, e->of_input, in + 1)),
                          input->from > i ? e->no : pt_bundle_is(e, &v->slot[k], &input->type)));
    }
  }
}

/* NULL: none of them is allowed here. */
static Z3_ast within(PtEncoder *e, const PtNodeVars *v, const PtEffect *f) {
  PtTerms any = pt_terms(e);
  for (uint32_t k = f->first, end; k < f->first + f->n; k = end + 1) { /* in runs */
    for (end = k; end < f->first + f->n && (!v->allowed || v->allowed[e->order[end]]);)
      end++;
    if (end == k)
      continue;
    Z3_ast low = pt_z3_number(e, e->of_op, k), high = pt_z3_number(e, e->of_op, end - 1);
    pt_terms_add(&any, end - k == 1 ? pt_z3_eq(e, v->op, low)
                                    : Z3_mk_and(e->z3, 2,
                                                (Z3_ast[]){Z3_mk_bvuge(e->z3, v->op, low),
                                                           Z3_mk_bvule(e->z3, v->op, high)}));
  }
  bool none = any.all->len == 0;
  Z3_ast is = pt_terms_or(&any);
  return none ? NULL : is;
}

static PtBundle chosen(PtEncoder *e, Z3_ast swap, const PtBundle *a, const PtBundle *b) {
  PtBundle r = {.dtype = Z3_mk_ite(e->z3, swap, b->dtype, a->dtype),
                .rank = Z3_mk_ite(e->z3, swap, b->rank, a->rank)};
  for (int32_t i = 0; i < e->sizes.rank; i++)
    r.dim[i] = Z3_mk_ite(e->z3, swap, b->dim[i], a->dim[i]);
  return r;
}

/* Operands that have to be an input of the piece are. `from`: what slot k reads, NULL for a node.
 */
static void anchors(PtEncoder *e, PtTerms *all, const PtOperator *op, const Z3_ast *from,
                    uint32_t n, Z3_ast swap) {
  for (uint32_t k = 0; k < n && op->rule == PT_RULE_TABLE; k++) {
    if (op->anchor[k] < 0)
      continue;
    Z3_ast number = pt_z3_number(e, e->of_input, (uint32_t)op->anchor[k] + 1);
    Z3_ast is = from[k] ? pt_z3_eq(e, from[k], number) : e->no;
    Z3_ast other = n == 2 && from[1 - k] ? pt_z3_eq(e, from[1 - k], number) : e->no;
    pt_terms_add(all, n == 2 ? Z3_mk_ite(e->z3, swap, other, is) : is);
  }
}

typedef struct Arity {
  uint32_t n; /* operands */
  const PtBundle *in[64];
  Z3_ast from[64];     /* the variable of an operand that is an input */
  Z3_ast positive[64]; /* whether the operand is; no for an input */
  Z3_ast when;         /* with as many */
} Arity;

/* Operands that have to be positive are, and what comes out is called so only if it is. */
static void signs(PtEncoder *e, const PtNodeVars *v, const PtOperator *op, const Arity *a,
                  PtTerms *all) {
  PtTerms kept = pt_terms(e);
  for (uint32_t k = 0; k < a->n; k++) {
    pt_terms_add(&kept, a->positive[k]);
    if (k >= 8 || !(op->needs >> k & 1))
      continue;
    pt_terms_add(all, pt_operator_turns(op) && a->positive[k] != a->positive[1 - k]
                          ? Z3_mk_ite(e->z3, v->swap, a->positive[1 - k], a->positive[k])
                          : a->positive[k]);
  }
  Z3_ast keeps = pt_terms_and(&kept);
  pt_terms_add(all, implies(e, v->positive,
                            op->gives == PT_SIGN_POSITIVE ? e->yes
                            : op->gives == PT_SIGN_KEEPS  ? keeps
                                                          : e->no));
}

/* One operator of the effect, on as many operands. */
static void add_effect(PtEncoder *e, const PtNodeVars *v, const PtEffect *f, const Arity *a,
                       PtTerms *any) {
  const PtOperator *op = f->op;
  if (op->n_in ? op->n_in != a->n : a->n < 2)
    return;
  Z3_ast is = within(e, v, f), guard;
  if (!is)
    return;
  guard = pt_z3_var(e, Z3_mk_bool_sort(e->z3));
  PtSite site = {.e = e, .op = op, .n_in = a->n, .out = &v->type, .width = v->width};
  PtBundle turned[2];
  for (uint32_t k = 0; k < a->n; k++)
    site.in[k] = a->in[k];
  const bool turns = a->n == 2 && pt_operator_turns(op);
  if (turns) {
    turned[0] = chosen(e, v->swap, a->in[0], a->in[1]);
    turned[1] = chosen(e, v->swap, a->in[1], a->in[0]);
    site.in[0] = &turned[0];
    site.in[1] = &turned[1];
  }
  PtTerms all = pt_terms(e);
  pt_terms_add(&all, is);
  pt_terms_add(&all, a->when);
  anchors(e, &all, op, a->from, a->n, v->swap);
  pt_terms_add(&all, pt_constrain(&site));
  signs(e, v, op, a, &all);
  /* what has no meaning has one value, or one solution would be several */
  if (!turns)
    pt_terms_add(&all, Z3_mk_not(e->z3, v->swap));
  else if (a->from[0] && a->from[1])
    pt_terms_add(&all, implies(e, pt_z3_eq(e, a->from[0], a->from[1]), Z3_mk_not(e->z3, v->swap)));
  if (op->dense) {
    PtTerms widths = pt_terms(e);
    for (uint32_t i = 0; i < e->p->n_widths; i++)
      pt_terms_add(&widths,
                   pt_z3_eq(e, v->width, e->size[pt_domain_find(&e->sizes, e->p->widths[i])]));
    pt_terms_add(&all, pt_terms_or(&widths));
  } else
    pt_terms_add(&all, pt_z3_eq(e, v->width, e->size[0]));
  Z3_ast meaning = pt_terms_and(&all);
  if (meaning == e->no)
    return;
  pt_claim(e, implies(e, guard, meaning));
  pt_terms_add(any, guard);
}

static void constrain_node(PtEncoder *e, uint32_t i) {
  PtNodeVars *v = &e->nodes[i];
  PtTerms any = pt_terms(e);
  Z3_ast zero = pt_z3_number(e, e->of_input, 0);
  for (uint32_t extra = 0; extra <= v->second; extra++) {
    Arity a = {.n = v->n_preds};
    for (uint32_t k = 0; k < v->n_preds; k++) {
      a.in[k] = &e->nodes[v->preds[k]].type;
      a.positive[k] = e->nodes[v->preds[k]].positive;
    }
    for (uint32_t k = 0; k < 2; k++)
      if (k == 0 ? v->first : extra) {
        a.positive[a.n] = e->no;
        a.from[a.n] = v->input[k];
        a.in[a.n++] = &v->slot[k];
      }
    if (v->second) {
      Z3_ast none = pt_z3_eq(e, v->input[1], zero);
      a.when = extra ? Z3_mk_not(e->z3, none) : none;
    }
    for (uint32_t k = 0; k < e->effects->len; k++)
      add_effect(e, v, &g_array_index(e->effects, PtEffect, k), &a, &any);
  }
  pt_claim(e, pt_terms_or(&any));
}

/* ---- the interface ----------------------------------------------------------------------------
 */
static void read_inputs(PtEncoder *e) {
  for (uint32_t in = 0; in < e->p->n_inputs; in++) {
    PtTerms any = pt_terms(e);
    if (e->p->inputs[in].optional)
      pt_terms_add(&any, e->yes);
    for (uint32_t i = 0; i < e->p->n; i++)
      for (uint32_t k = 0; k < 2; k++)
        if (e->nodes[i].input[k])
          pt_terms_add(&any,
                       pt_z3_eq(e, e->nodes[i].input[k], pt_z3_number(e, e->of_input, in + 1)));
    pt_claim(e, pt_terms_or(&any));
  }
}

/* Two outputs are of different nodes, unless one of them may be shared. */
static void part_outputs(PtEncoder *e) {
  const PtPopulateProblem *p = e->p;
  g_autoptr(GPtrArray) own = g_ptr_array_new();
  for (uint32_t o = 0; o < p->n_outputs; o++)
    if (!p->outputs[o].shared)
      g_ptr_array_add(own, (void *)e->output[o]);
  if (own->len > 1)
    pt_claim(e, Z3_mk_distinct(e->z3, own->len, (Z3_ast *)(void *)own->pdata));
}

static void make_outputs(PtEncoder *e) {
  const PtPopulateProblem *p = e->p;
  uint32_t sinks = 0;
  bool shared = false;
  for (uint32_t i = 0; i < p->n; i++)
    sinks += e->nodes[i].sink;
  for (uint32_t o = 0; o < p->n_outputs; o++)
    shared |= p->outputs[o].shared;
  e->output = g_new0(Z3_ast, p->n_outputs + 1);
  for (uint32_t o = 0; o < p->n_outputs; o++) {
    PtTerms any = pt_terms(e);
    e->output[o] = pt_z3_var(e, e->of_node);
    for (uint32_t i = 0; i < MIN(p->n, p->outputs[o].before); i++) {
      if (sinks == p->n_outputs && !shared && !e->nodes[i].sink)
        continue;
      Z3_ast is = pt_z3_eq(e, e->output[o], pt_z3_number(e, e->of_node, i));
      pt_claim(e, implies(e, is, pt_bundle_is(e, &e->nodes[i].type, &p->outputs[o].type)));
      pt_terms_add(&any, is);
    }
    pt_claim(e, pt_terms_or(&any));
  }
  part_outputs(e);
  for (uint32_t i = 0; i < p->n; i++) {
    PtTerms any = pt_terms(e);
    for (uint32_t o = 0; e->nodes[i].sink && o < p->n_outputs; o++)
      pt_terms_add(&any, pt_z3_eq(e, e->output[o], pt_z3_number(e, e->of_node, i)));
    Z3_ast is_output = pt_terms_or(&any);
    if (e->nodes[i].sink)
      pt_claim(e, is_output);
  }
}

/* ---- the whole --------------------------------------------------------------------------------
 */
/* Z3's own handler ends the process. */
static void on_error(Z3_context z3, Z3_error_code code) {
  (void)z3, (void)code;
}

bool pt_encoder_init(PtEncoder *e, const PtPopulateProblem *p, bool *large) {
  *e = (PtEncoder){.p = p};
  *large = !pt_domain_init(&e->sizes, p);
  if (*large)
    return false;
  pt_group_effects(e);
  find_preds(e);
  for (uint32_t i = 0; i < p->n; i++)
    if (e->nodes[i].n_preds > 62)
      *large = true;
  return !*large;
}

bool pt_encoder_make(PtEncoder *e, uint32_t seed, bool random_phase) {
  const PtPopulateProblem *p = e->p;
  Z3_config config = Z3_mk_config();
  e->z3 = Z3_mk_context(config);
  Z3_del_config(config);
  if (!e->z3)
    return false;
  Z3_set_error_handler(e->z3, on_error);
  e->solver = Z3_mk_solver_for_logic(e->z3, Z3_mk_string_symbol(e->z3, "QF_FD"));
  if (!e->solver)
    return false;
  Z3_solver_inc_ref(e->z3, e->solver);
  Z3_params params = Z3_mk_params(e->z3);
  Z3_params_inc_ref(e->z3, params);
  Z3_params_set_bool(e->z3, params, Z3_mk_string_symbol(e->z3, "ctrl_c"), false);
  Z3_params_set_uint(e->z3, params, Z3_mk_string_symbol(e->z3, "random_seed"), seed);
  if (random_phase)
    Z3_params_set_symbol(e->z3, params, Z3_mk_string_symbol(e->z3, "phase"),
                         Z3_mk_string_symbol(e->z3, "random"));
  /* thousands of small queries: time spent on simplifying the clauses does not pay */
  Z3_params_set_uint(e->z3, params, Z3_mk_string_symbol(e->z3, "simplify.delay"), 100000);
  Z3_solver_set_params(e->z3, e->solver, params);
  Z3_params_dec_ref(e->z3, params);
  make_numbers(e);
  for (uint32_t i = 0; i < p->n; i++)
    make_node(e, i);
  for (uint32_t i = 0; i < p->n; i++)
    constrain_node(e, i);
  read_inputs(e);
  make_outputs(e);
  return !(e->failed = Z3_get_error_code(e->z3) != Z3_OK);
}

void pt_encoder_clear(PtEncoder *e) {
  if (e->solver)
    Z3_solver_dec_ref(e->z3, e->solver);
  if (e->z3)
    Z3_del_context(e->z3);
  if (e->effects)
    g_array_unref(e->effects);
  g_free(e->order);
  g_free(e->allowed);
  g_free(e->place);
  g_free(e->effect_of);
  g_free(e->nodes);
  g_free(e->preds);
  g_free(e->output);
  if (e->literals)
    g_hash_table_unref(e->literals);
  *e = (PtEncoder){0};
}
