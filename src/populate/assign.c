/* assign: AssignOperators (paper, Alg. 2), guided: opcodes drawn by likelihood are assumptions, Z3
 * gives up those that do not fit together and fills in the rest. */
#include "populate/populate_private.h"

#include <math.h>

/* clang-format off */
G_DEFINE_QUARK(pt-populate-error-quark, pt_populate_error)
/* clang-format on */

#define NODES_MAX 1024
#define OPERATORS_MAX 4096

/* ---- interruption -----------------------------------------------------------------------------
 */
struct PtPopulateSwitch {
  GMutex lock;
  Z3_context running;
  bool thrown;
};

PtPopulateSwitch *pt_populate_switch_new(void) {
  PtPopulateSwitch *sw = g_new0(PtPopulateSwitch, 1);
  g_mutex_init(&sw->lock);
  return sw;
}

void pt_populate_switch_free(PtPopulateSwitch *sw) {
  if (!sw)
    return;
  g_mutex_clear(&sw->lock);
  g_free(sw);
}

void pt_populate_interrupt(PtPopulateSwitch *sw) {
  g_mutex_lock(&sw->lock);
  sw->thrown = true;
  if (sw->running)
    Z3_interrupt(sw->running);
  g_mutex_unlock(&sw->lock);
}

static void set_running(PtPopulateSwitch *sw, Z3_context z3) {
  if (!sw)
    return;
  g_mutex_lock(&sw->lock);
  sw->running = z3;
  g_mutex_unlock(&sw->lock);
}

static bool is_thrown(PtPopulateSwitch *sw) {
  if (!sw)
    return false;
  g_mutex_lock(&sw->lock);
  bool thrown = sw->thrown;
  g_mutex_unlock(&sw->lock);
  return thrown;
}

/* ---- queries ----------------------------------------------------------------------------------
 */
typedef struct Search {
  PtEncoder e;
  const PtPopulateOptions *options;
  PtRng *rng;
  PtPopulateSwitch *sw;
  PtPopulateStats stats;
  GPtrArray *found; /* PtSolution */
  GHashTable *seen; /* hashes */
  GArray *wishes;
  PtProposal proposal;
} Search;

static Z3_lbool ask(Search *s) {
  g_autoptr(GPtrArray) assumed = g_ptr_array_new();
  for (guint i = 0; i < s->wishes->len; i++)
    g_ptr_array_add(assumed, (void *)g_array_index(s->wishes, PtWish, i).what);
  if (is_thrown(s->sw) || (s->options->patience && s->stats.queries >= s->options->patience))
    return Z3_L_UNDEF;
  s->stats.queries++;
  Z3_lbool answer = Z3_solver_check_assumptions(s->e.z3, s->e.solver, assumed->len,
                                                (Z3_ast *)(void *)assumed->pdata);
  if (Z3_get_error_code(s->e.z3) != Z3_OK)
    s->e.failed = true;
  return s->e.failed ? Z3_L_UNDEF : answer;
}

/* Of the wishes that contradict each other, the cheapest; of many, a few at once. False: none does,
 * there is no solution whatever is wished. */
static bool give_up_some(Search *s) {
  Z3_ast_vector core = Z3_solver_get_unsat_core(s->e.z3, s->e.solver);
  if (!core)
    return false;
  Z3_ast_vector_inc_ref(s->e.z3, core);
  unsigned n = Z3_ast_vector_size(s->e.z3, core);
  for (unsigned times = n ? 1 + n / 8 : 0; times > 0; times--) {
    guint worst = s->wishes->len;
    for (unsigned i = 0; i < n; i++) {
      Z3_ast of = Z3_ast_vector_get(s->e.z3, core, i);
      for (guint k = 0; k < s->wishes->len; k++)
        if (g_array_index(s->wishes, PtWish, k).what == of &&
            (worst == s->wishes->len || g_array_index(s->wishes, PtWish, k).worth <
                                            g_array_index(s->wishes, PtWish, worst).worth))
          worst = k;
    }
    if (worst == s->wishes->len)
      break;
    g_array_remove_index(s->wishes, worst);
    s->stats.dropped++;
  }
  Z3_ast_vector_dec_ref(s->e.z3, core);
  return n > 0;
}

static Z3_lbool ask_until_it_fits(Search *s) {
  Z3_lbool answer;
  while ((answer = ask(s)) == Z3_L_FALSE && give_up_some(s))
    ;
  return answer;
}

/* ---- solutions --------------------------------------------------------------------------------
 */
static bool is_new(Search *s, const PtSolution *solution) {
  uint64_t hash = pt_solution_hash(s->e.p, solution);
  return !g_hash_table_contains(s->seen, &hash);
}

static PtSolution *solution_copy(const PtEncoder *e, const PtSolution *s) {
  PtSolution *c = g_new0(PtSolution, 1);
  *c = *s;
  c->nodes = g_memdup2(s->nodes, (s->n + 1) * sizeof *s->nodes);
  c->refs = g_memdup2(s->refs, (pt_solution_refs(e->p) + 1) * sizeof *s->refs);
  c->outputs = g_memdup2(s->outputs, (e->p->n_outputs + 1) * sizeof *s->outputs);
  return c;
}

/* What Z3 left to chance is drawn anew where that changes no type; if that was there before, it
 * stays as Z3 had it. */
static PtSolution *take_solution(Search *s) {
  Z3_model model = Z3_solver_get_model(s->e.z3, s->e.solver);
  if (!model) {
    s->e.failed = true;
    return NULL;
  }
  Z3_model_inc_ref(s->e.z3, model);
  PtSolution *found = pt_encoder_read(&s->e, model);
  Z3_model_dec_ref(s->e.z3, model);
  if (found && s->options->likelihood && !s->options->plain) {
    PtSolution *refined = solution_copy(&s->e, found);
    pt_refine(&s->e, s->options->likelihood, s->rng, refined);
    if (is_new(s, refined)) {
      pt_solution_free(found);
      found = refined;
    } else
      pt_solution_free(refined);
  }
  return found;
}

static void take(Search *s, PtSolution *found) {
  uint64_t hash = pt_solution_hash(s->e.p, found);
  g_hash_table_add(s->seen, g_memdup2(&hash, sizeof hash));
  if (pt_solution_keeps_size(s->e.p, found))
    g_ptr_array_add(s->found, found);
  else {
    s->stats.large++;
    pt_solution_free(found);
  }
}

/* Without Z3, as many as come out. */
static void draw(Search *s) {
  const PtPopulateOptions *o = s->options;
  if (!o->guide || o->draws == 0)
    return;
  PtDrawer *drawer = pt_drawer_new(&s->e, o->guide, o->likelihood, s->rng);
  for (uint32_t i = 0; i < o->draws && s->found->len < o->max_solns; i++) {
    PtSolution *found = pt_drawer_draw(drawer);
    if (found && is_new(s, found)) {
      s->stats.drawn++;
      take(s, found);
    } else
      pt_solution_free(found);
  }
  pt_drawer_free(drawer);
}

/* Alg. 2: loop until no new solutions or maximum reached. */
static void search(Search *s) {
  const PtPopulateOptions *o = s->options;
  for (guint i = 0; i < s->found->len; i++)
    pt_encoder_block(&s->e, s->found->pdata[i]);
  Z3_lbool any = ask(s); /* nothing is wished: whether there is a solution at all */
  if (any != Z3_L_TRUE) {
    s->stats.end = any == Z3_L_FALSE ? PT_POPULATE_COMPLETE : PT_POPULATE_LIMIT;
    return;
  }
  while (s->found->len < o->max_solns) {
    g_array_set_size(s->wishes, 0);
    if (!o->plain) {
      pt_propose(&s->e, o->likelihood, s->rng, &s->proposal);
      pt_wish(&s->e, &s->proposal, s->rng, s->wishes);
    }
    Z3_lbool answer = ask_until_it_fits(s);
    if (answer != Z3_L_TRUE) {
      s->stats.end = answer == Z3_L_FALSE ? PT_POPULATE_COMPLETE : PT_POPULATE_LIMIT;
      return;
    }
    PtSolution *found = take_solution(s);
    if (!found)
      return;
    found->logprob = pt_solution_logprob(s->e.p, o->likelihood, found);
    pt_encoder_block(&s->e, found); /* prevent it from being returned again */
    take(s, found);
  }
}

static int by_logprob(const void *a, const void *b) {
  const PtSolution *x = *(const PtSolution *const *)a, *y = *(const PtSolution *const *)b;
  return x->logprob > y->logprob ? -1 : x->logprob < y->logprob;
}

static void keep_likeliest(Search *s, GPtrArray *out) {
  s->stats.solutions = s->found->len;
  double keep = s->found->len * CLAMP(s->options->pct, 0, 1);
  guint n = MIN((guint)(keep + 0.999999), s->found->len);
  if (s->options->likelihood)
    g_ptr_array_sort(s->found, by_logprob); /* stable: merge sort */
  s->stats.best = n ? ((const PtSolution *)s->found->pdata[0])->logprob : -INFINITY;
  for (guint i = 0; i < n; i++)
    g_ptr_array_add(out, s->found->pdata[i]);
  for (guint i = n; i < s->found->len; i++)
    pt_solution_free(s->found->pdata[i]);
}

/* ---- the whole --------------------------------------------------------------------------------
 */
static bool check(const PtPopulateProblem *p, const PtPopulateOptions *o, GError **error) {
  const char *what = p->n == 0 || p->n_operators == 0 || p->n_outputs == 0
                         ? "it has no nodes, operators or outputs"
                     : o->max_solns == 0 ? "no solution is asked for"
                                         : NULL;
  for (uint32_t i = 0; !what && i < p->n_arcs; i++)
    if (p->arcs[i].from >= p->arcs[i].to || p->arcs[i].to >= p->n)
      what = "an edge does not lead from an earlier to a later node";
  for (uint32_t i = 0; !what && i < p->n_operators; i++)
    if (p->operators[i].rule >= PT_RULE_KINDS || !(p->operators[i].weight > 0) ||
        p->operators[i].n_weights > PT_OPERATOR_WEIGHTS || p->operators[i].n_space > 3)
      what = "an operator's row is out of range";
  if (what)
    g_set_error(error, PT_POPULATE_ERROR, PT_ERR_USAGE, "Operators cannot be assigned: %s.", what);
  else if (p->n > NODES_MAX || p->n_operators > OPERATORS_MAX)
    g_set_error(error, PT_POPULATE_ERROR, PT_ERR_LIMIT,
                "Operators cannot be assigned: more than %d nodes or %d operators.", NODES_MAX,
                OPERATORS_MAX);
  else
    return true;
  return false;
}

static void set_limits(Search *s) {
  Z3_context z3 = s->e.z3;
  Z3_params params = Z3_mk_params(z3);
  Z3_params_inc_ref(z3, params);
  if (s->options->rlimit)
    Z3_params_set_uint(z3, params, Z3_mk_string_symbol(z3, "rlimit"), s->options->rlimit);
  if (s->options->timeout_ms)
    Z3_params_set_uint(z3, params, Z3_mk_string_symbol(z3, "timeout"), s->options->timeout_ms);
  Z3_params_set_bool(z3, params, Z3_mk_string_symbol(z3, "ctrl_c"), false); /* it is not ours */
  Z3_solver_set_params(z3, s->e.solver, params);
  Z3_params_dec_ref(z3, params);
}

static bool run(Search *s) {
  s->wishes = g_array_new(FALSE, FALSE, sizeof(PtWish));
  s->proposal = pt_proposal_new(s->e.p);
  set_limits(s);
  set_running(s->sw, s->e.z3);
  search(s);
  set_running(s->sw, NULL);
  g_array_unref(s->wishes);
  pt_proposal_clear(&s->proposal);
  return !s->e.failed && !is_thrown(s->sw);
}

static void say_why(const Search *s, bool large, GError **error) {
  if (large)
    g_set_error(error, PT_POPULATE_ERROR, PT_ERR_LIMIT,
                "Operators cannot be assigned: there are more than %d sizes, or too many edges "
                "into one node.",
                PT_DOMAIN_MAX);
  else if (is_thrown(s->sw))
    g_set_error(error, PT_POPULATE_ERROR, PT_ERR_CANCELLED,
                "Interrupted while operators were assigned.");
  else
    g_set_error(error, PT_POPULATE_ERROR, PT_ERR_INTERNAL, "Z3 failed: %s.",
                s->e.z3 ? Z3_get_error_msg(s->e.z3, Z3_get_error_code(s->e.z3)) : "no context");
}

/* For what is missing. */
static bool ask_z3(Search *s) {
  const PtPopulateOptions *o = s->options;
  if (!pt_inputs_have_room(&s->e)) {
    s->stats.end = PT_POPULATE_COMPLETE;
    return true;
  }
  if (o->breadth && !o->plain)
    pt_propose_allowed(&s->e, o->likelihood, s->rng, o->breadth);
  pt_reach_init(&s->e);
  return pt_encoder_make(&s->e, (uint32_t)pt_rng_below(s->rng, 1u << 30), !o->likelihood) && run(s);
}

bool pt_populate_assign_operators(const PtPopulateProblem *problem,
                                  const PtPopulateOptions *options, PtRng *rng,
                                  PtPopulateSwitch *sw, GPtrArray *out, PtPopulateStats *stats,
                                  GError **error) {
  Search s = {.options = options, .rng = rng, .sw = sw, .stats.end = PT_POPULATE_FULL};
  bool large = false;
  if (!check(problem, options, error))
    return false;
  s.found = g_ptr_array_new();
  s.seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  bool ok = pt_encoder_init(&s.e, problem, &large);
  if (ok)
    draw(&s);
  if (!options->only_draws && ok &&
      s.found->len < (options->least ? options->least : options->max_solns))
    ok = ask_z3(&s);
  if (ok)
    keep_likeliest(&s, out);
  else {
    for (guint i = 0; i < s.found->len; i++)
      pt_solution_free(s.found->pdata[i]);
    say_why(&s, large, error);
  }
  g_ptr_array_unref(s.found);
  g_hash_table_unref(s.seen);
  if (stats)
    *stats = s.stats;
  pt_encoder_clear(&s.e);
  return ok;
}
