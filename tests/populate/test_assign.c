/* Alg. 2: all assignments there are and no other, none twice, the likeliest kept, the same for the
 * same seed, ended by limits and by interruption. */
#include "populate/populate_private.h"

#include <math.h>

#define F(r, ...)                                                                                  \
  {                                                                                                \
    .dtype = PT_FLOAT, .rank = r, .dims = { __VA_ARGS__ }                                          \
  }

static const PtOperator operators[] = {
    {.rule = PT_RULE_SAME, .n_in = 1, .id = 0, .token = 10, .weight = 1},
    {.rule = PT_RULE_SAME, .n_in = 1, .id = 1, .token = 11, .weight = 1},
    {.rule = PT_RULE_LINEAR, .n_in = 1, .id = 2, .token = 12, .weight = 1, .dense = true},
    {.rule = PT_RULE_BINARY, .n_in = 2, .id = 3, .token = 13, .weight = 1, .commutes = true},
    {.rule = PT_RULE_BINARY, .n_in = 2, .id = 4, .token = 14, .weight = 1},
    {.rule = PT_RULE_MATMUL, .n_in = 2, .id = 5, .token = 15, .weight = 1},
    {.rule = PT_RULE_TRANSPOSE,
     .n_in = 1,
     .id = 6,
     .token = 16,
     .weight = 1,
     .n_perm = 2,
     .perm = {1, 0}},
};
static const int32_t widths[] = {4, 8};

/* Two inputs and two outputs; 0 and 1 are both read by 2, 1 by 3. */
static const PtArc arcs[] = {{0, 2}, {1, 2}, {1, 3}};
static const PtPopulateInput inputs[] = {{.type = F(2, 4, 8)}, {.type = F(2, 8, 4)}};
static const PtPopulateOutput outputs[] = {{.type = F(2, 4, 4), .before = 4},
                                           {.type = F(2, 4, 8), .before = 4}};

static PtPopulateProblem tiny(void) {
  return (PtPopulateProblem){.n = 4,
                             .arcs = arcs,
                             .n_arcs = G_N_ELEMENTS(arcs),
                             .inputs = inputs,
                             .n_inputs = 2,
                             .outputs = outputs,
                             .n_outputs = 2,
                             .operators = operators,
                             .n_operators = G_N_ELEMENTS(operators),
                             .widths = widths,
                             .n_widths = G_N_ELEMENTS(widths)};
}

/* ---- by brute force ----------------------------------------------------------------------------
 */
/* Every way: operands of each node (preds, inputs beside them), their order, operators, widths,
 * outputs. */
typedef struct Brute {
  PtPopulateProblem p;
  GHashTable *all; /* hashes */
  PtSolution s;
  uint32_t preds[4][4], n_preds[4];
} Brute;

static void place_outputs(Brute *b) {
  for (uint32_t x = 0; x < b->p.n; x++)
    for (uint32_t y = 0; y < b->p.n; y++) {
      bool sinks = (x == 2 || y == 2) && (x == 3 || y == 3), used[2] = {false, false};
      if (x == y || !sinks ||
          memcmp(&b->s.nodes[x].type, &outputs[0].type, sizeof(PtFiniteType)) != 0 ||
          memcmp(&b->s.nodes[y].type, &outputs[1].type, sizeof(PtFiniteType)) != 0)
        continue;
      for (uint32_t i = 0; i < b->p.n; i++)
        for (uint32_t k = 0; k < b->s.nodes[i].n_in; k++)
          if (b->s.refs[b->s.nodes[i].in + k] < 0)
            used[-1 - b->s.refs[b->s.nodes[i].in + k]] = true;
      b->s.outputs[0] = x;
      b->s.outputs[1] = y;
      uint64_t hash = pt_solution_hash(&b->p, &b->s);
      if (used[0] && used[1])
        g_hash_table_add(b->all, g_memdup2(&hash, sizeof hash));
    }
}

static void place_node(Brute *b, uint32_t i);

static void try_operands(Brute *b, uint32_t i, const int32_t *refs, uint32_t n) {
  PtAssigned *a = &b->s.nodes[i];
  const PtFiniteType *in[4];
  a->in = i * 4;
  a->n_in = n;
  for (uint32_t k = 0; k < n; k++) {
    b->s.refs[a->in + k] = refs[k];
    in[k] = refs[k] < 0 ? &inputs[-1 - refs[k]].type : &b->s.nodes[refs[k]].type;
  }
  for (uint32_t o = 0; o < b->p.n_operators; o++) {
    const PtOperator *op = &operators[o];
    bool turned = n == 2 && (refs[0] < 0 && refs[1] < 0 ? refs[0] < refs[1]
                             : refs[0] < 0              ? true
                             : refs[1] < 0              ? false
                                                        : refs[0] > refs[1]);
    if (op->commutes && turned)
      continue; /* the same once more */
    for (uint32_t w = 0; w < (op->dense ? 2 : 1); w++) {
      a->op = o;
      a->width = op->dense ? widths[w] : 0;
      if (pt_operator_apply(op, a->width, in, n, &a->type))
        place_node(b, i + 1);
    }
  }
}

static void place_node(Brute *b, uint32_t i) {
  if (i == b->p.n) {
    place_outputs(b);
    return;
  }
  int32_t own[4];
  uint32_t n = b->n_preds[i];
  for (uint32_t k = 0; k < n; k++)
    own[k] = (int32_t)b->preds[i][k];
  if (n == 2) {
    try_operands(b, i, (int32_t[]){own[0], own[1]}, 2);
    try_operands(b, i, (int32_t[]){own[1], own[0]}, 2);
  } else if (n == 1) {
    try_operands(b, i, own, 1);
    for (int32_t x = -2; x < 0; x++) {
      try_operands(b, i, (int32_t[]){own[0], x}, 2);
      try_operands(b, i, (int32_t[]){x, own[0]}, 2);
    }
  } else
    for (int32_t x = -2; x < 0; x++) {
      try_operands(b, i, &x, 1);
      for (int32_t y = -2; y < 0; y++)
        try_operands(b, i, (int32_t[]){x, y}, 2);
    }
}

static GHashTable *by_brute_force(void) {
  Brute b = {.p = tiny()};
  PtAssigned nodes[4];
  int32_t refs[16];
  uint32_t outs[2];
  b.s = (PtSolution){.n = 4, .nodes = nodes, .refs = refs, .outputs = outs};
  b.all = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(arcs); i++)
    b.preds[arcs[i].to][b.n_preds[arcs[i].to]++] = arcs[i].from;
  place_node(&b, 0);
  return b.all;
}

/* ---- tests -------------------------------------------------------------------------------------
 */
static GPtrArray *solve_with(const PtPopulateProblem *p, const PtPopulateOptions *options,
                             const char *seed_text, PtPopulateStats *stats) {
  PtSeed seed;
  pt_seed_init(&seed, seed_text);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "assign", 0);
  g_autoptr(GError) error = NULL;
  GPtrArray *out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_solution_free);
  g_assert_true(pt_populate_assign_operators(p, options, rng, NULL, out, stats, &error));
  g_assert_no_error(error);
  return out;
}

static PtLikelihood *some_likelihood(void) {
  PtLikelihood *l = pt_likelihood_new();
  pt_likelihood_add(l, PT_TOKEN_INPUT, PT_TOKEN_INPUT, 12, 20);
  pt_likelihood_add(l, PT_TOKEN_INPUT, 12, 10, 20);
  pt_likelihood_add(l, 12, 10, 13, 10);
  pt_likelihood_add(l, 12, 10, PT_TOKEN_END, 10);
  pt_likelihood_add_width(l, 8, 8, 5);
  return l;
}

/* However it is asked, Z3 finds what brute force finds, each once. */
static void test_exhaustive(const void *data) {
  const char *how = data;
  g_autoptr(GHashTable) all = by_brute_force();
  g_autoptr(PtLikelihood) likelihood = some_likelihood();
  PtPopulateProblem p = tiny();
  PtPopulateOptions options = {.max_solns = 100000, .pct = 1};
  PtPopulateStats stats;
  options.plain = g_str_equal(how, "plain");
  if (g_str_equal(how, "guided"))
    options.likelihood = likelihood;
  g_autoptr(GPtrArray) found = solve_with(&p, &options, "1", &stats);
  g_assert_cmpuint(g_hash_table_size(all), >, 20);
  g_assert_cmpint(stats.end, ==, PT_POPULATE_COMPLETE);
  for (guint i = 0; i < found->len; i++) {
    uint64_t hash = pt_solution_hash(&p, found->pdata[i]);
    if (!g_hash_table_remove(all, &hash))
      g_error("solution %u is none, or was there before", i);
  }
  g_assert_cmpuint(g_hash_table_size(all), ==, 0);
}

/* What is drawn without Z3 is among what brute force finds, none twice; Z3 then finds the rest, and
 * nothing of it again. */
static void test_draws(const void *data) {
  bool guided = g_str_equal(data, "guided");
  g_autoptr(GHashTable) all = by_brute_force(), rest = by_brute_force();
  g_autoptr(PtLikelihood) likelihood = some_likelihood();
  PtPopulateProblem p = tiny();
  PtPopulateOptions options = {
      .max_solns = 100000, .pct = 1, .draws = 300, .likelihood = guided ? likelihood : NULL};
  PtPopulateGuide *guide = pt_populate_guide_new(&p, options.likelihood);
  options.guide = guide;
  for (uint32_t with_z3 = 0; with_z3 < 2; with_z3++) {
    GHashTable *left = with_z3 ? rest : all;
    PtPopulateStats stats;
    options.only_draws = !with_z3;
    g_autoptr(GPtrArray) found = solve_with(&p, &options, "7", &stats);
    for (guint i = 0; i < found->len; i++) {
      uint64_t hash = pt_solution_hash(&p, found->pdata[i]);
      if (!g_hash_table_remove(left, &hash))
        g_error("solution %u is none, or was there before", i);
    }
    g_assert_cmpuint(stats.drawn, >, guided ? 3 : 20);
    g_assert_cmpuint(stats.queries > 0, ==, with_z3);
  }
  g_assert_cmpuint(g_hash_table_size(all), >, 0);
  g_assert_cmpuint(g_hash_table_size(rest), ==, 0);
  pt_populate_guide_free(guide);
}

/* A chain of sixty finds its way to another type at its end by itself. */
static void test_draws_far(void) {
  PtPopulateProblem p = tiny();
  PtArc chain[60];
  PtPopulateInput in = {.type = F(2, 4, 8)};
  PtPopulateOutput out = {.type = F(2, 8, 4), .before = 61};
  for (uint32_t i = 0; i < 60; i++)
    chain[i] = (PtArc){i, i + 1};
  p.n = 61;
  p.arcs = chain;
  p.n_arcs = 60;
  p.inputs = &in;
  p.n_inputs = 1;
  p.outputs = &out;
  p.n_outputs = 1;
  PtPopulateGuide *guide = pt_populate_guide_new(&p, NULL);
  PtPopulateOptions options = {
      .max_solns = 10, .pct = 1, .draws = 10, .guide = guide, .only_draws = true};
  g_autoptr(GPtrArray) found = solve_with(&p, &options, "8", NULL);
  g_assert_cmpuint(found->len, ==, 10);
  pt_populate_guide_free(guide);
}

/* More inputs than two a node: some node reads many, with an operator of as many operands. */
static void test_many_inputs(void) {
  static const PtOperator own[] = {
      {.rule = PT_RULE_SAME, .n_in = 1, .token = 10, .weight = 1},
      {.rule = PT_RULE_LINEAR, .n_in = 1, .token = 11, .weight = 1, .dense = true},
      {.rule = PT_RULE_CONCAT, .n_in = 6, .token = 12, .weight = 1, .axis = 1},
  };
  static const PtArc chain[] = {{0, 1}, {1, 2}};
  static const PtFiniteType joined = F(2, 4, 48);
  static const uint32_t six = 6;
  static const int32_t size = 48;
  PtPopulateProblem p = tiny();
  PtPopulateInput in[6];
  PtPopulateOutput out = {.type = F(2, 4, 8), .before = 3};
  for (uint32_t i = 0; i < 6; i++)
    in[i] = inputs[0];
  p.n = 3;
  p.arcs = chain;
  p.n_arcs = 2;
  p.operators = own;
  p.n_operators = G_N_ELEMENTS(own);
  p.inputs = in;
  p.n_inputs = 6;
  p.outputs = &out;
  p.n_outputs = 1;
  p.types = &joined;
  p.n_types = 1;
  p.sizes = &size;
  p.n_sizes = 1;
  for (p.n_many = 0, p.many = &six; p.n_many < 2; p.n_many++) {
    PtPopulateGuide *guide = pt_populate_guide_new(&p, NULL);
    PtPopulateOptions options = {.max_solns = 10, .pct = 1, .draws = 40, .guide = guide};
    PtPopulateStats stats;
    g_autoptr(GPtrArray) found = solve_with(&p, &options, "3", &stats);
    g_assert_cmpuint(stats.queries, ==, 0); /* there is no room: Z3 is not asked */
    g_assert_cmpuint(found->len > 0, ==, p.n_many);
    for (guint i = 0; i < found->len; i++) {
      const PtSolution *s = found->pdata[i];
      uint32_t read = 0;
      for (uint32_t k = 0; k < 3; k++)
        for (uint32_t a = 0; a < s->nodes[k].n_in; a++) {
          int32_t ref = s->refs[s->nodes[k].in + a];
          read |= ref < 0 ? 1u << (-1 - ref) : 0;
        }
      g_assert_cmpuint(read, ==, 63);
    }
    pt_populate_guide_free(guide);
  }
}

/* Outputs stay as small as they have to, drawn or not: here, products are one too many. */
static void test_growth(void) {
  PtOperator own[G_N_ELEMENTS(operators)];
  PtPopulateInput in[2];
  PtPopulateOutput out[2];
  PtPopulateProblem p = tiny();
  memcpy(own, operators, sizeof own);
  memcpy(in, inputs, sizeof in);
  memcpy(out, outputs, sizeof out);
  p.operators = own;
  p.inputs = in;
  p.outputs = out;
  for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
    if (own[i].n_in == 2)
      own[i].growth = PT_GROWTH_PRODUCT;
  for (uint32_t i = 0; i < 2; i++) {
    in[i].size = (PtSize){1, 5};
    out[i].most = (PtSize){1.5, 6};
  }
  PtPopulateGuide *guide = pt_populate_guide_new(&p, NULL);
  for (uint32_t drawn = 0; drawn < 2; drawn++) {
    PtPopulateOptions options = {.max_solns = 100000, .pct = 1, .patience = 200};
    PtPopulateStats stats;
    if (drawn)
      options.guide = guide, options.draws = 300, options.only_draws = true;
    g_autoptr(GPtrArray) found = solve_with(&p, &options, "9", &stats);
    /* node 2 always joins two values: there is no way */
    g_assert_cmpuint(found->len, ==, 0);
    g_assert_cmpuint(stats.large > 20, ==, drawn == 0);
  }
  out[0].most = out[1].most = (PtSize){2.5, 9};
  PtPopulateOptions options = {.max_solns = 100, .pct = 1};
  g_autoptr(GPtrArray) found = solve_with(&p, &options, "9", NULL);
  g_assert_cmpuint(found->len, >, 0);
  for (guint i = 0; i < found->len; i++) { /* one product after another would be too much */
    const PtSolution *s = found->pdata[i];
    g_assert_true(s->nodes[0].n_in + s->nodes[1].n_in < 4 || s->nodes[2].n_in < 2);
  }
  pt_populate_guide_free(guide);
}

static void test_keeps_likeliest(void) {
  g_autoptr(PtLikelihood) likelihood = some_likelihood();
  PtPopulateProblem p = tiny();
  PtPopulateOptions all = {.max_solns = 100000, .pct = 1, .likelihood = likelihood},
                    tenth = {.max_solns = 100000, .pct = 0.1, .likelihood = likelihood};
  PtPopulateStats stats = {0};
  g_autoptr(GPtrArray) a = solve_with(&p, &all, "2", NULL), b = solve_with(&p, &tenth, "2", &stats);
  g_assert_cmpuint(b->len, ==, (a->len + 9) / 10);
  for (guint i = 0; i < b->len; i++)
    g_assert_cmpfloat(((PtSolution *)b->pdata[i])->logprob, ==,
                      ((PtSolution *)a->pdata[i])->logprob);
  g_assert_cmpfloat(stats.best, ==, ((PtSolution *)b->pdata[0])->logprob);
  for (guint i = 1; i < a->len; i++)
    g_assert_cmpfloat(((PtSolution *)a->pdata[i - 1])->logprob, >=,
                      ((PtSolution *)a->pdata[i])->logprob);
}

/* Guided, the first solutions are likelier than those in Z3's order. */
static void test_guides(void) {
  g_autoptr(PtLikelihood) likelihood = some_likelihood();
  PtPopulateProblem p = tiny();
  double mean[2] = {0, 0};
  for (uint32_t plain = 0; plain < 2; plain++)
    for (uint32_t i = 0; i < 8; i++) {
      g_autofree char *seed = g_strdup_printf("%u", i);
      PtPopulateOptions o = {
          .max_solns = 4, .pct = 1, .likelihood = likelihood, .plain = plain == 1};
      g_autoptr(GPtrArray) found = solve_with(&p, &o, seed, NULL);
      for (guint k = 0; k < found->len; k++)
        mean[plain] += ((PtSolution *)found->pdata[k])->logprob / found->len / 8;
    }
  g_assert_cmpfloat(mean[0], >, mean[1] + 0.3);
}

static void test_same_seed(void) {
  g_autoptr(PtLikelihood) likelihood = some_likelihood();
  PtPopulateProblem p = tiny();
  PtPopulateOptions o = {
      .max_solns = 12, .pct = 1, .likelihood = likelihood, .rlimit = 1000000, .breadth = 6};
  g_autoptr(GPtrArray) a = solve_with(&p, &o, "5", NULL), b = solve_with(&p, &o, "5", NULL),
                       c = solve_with(&p, &o, "6", NULL);
  bool differ = a->len != c->len;
  g_assert_cmpuint(a->len, >, 0);
  g_assert_cmpuint(a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++) {
    g_assert_cmpuint(pt_solution_hash(&p, a->pdata[i]), ==, pt_solution_hash(&p, b->pdata[i]));
    differ |= i < c->len && pt_solution_hash(&p, a->pdata[i]) != pt_solution_hash(&p, c->pdata[i]);
  }
  g_assert_true(differ);
}

/* ---- ends --------------------------------------------------------------------------------------
 */
static void test_limits(void) {
  PtPopulateProblem p = tiny();
  PtPopulateOptions few = {.max_solns = 3, .pct = 1},
                    poor = {.max_solns = 3, .pct = 1, .rlimit = 1},
                    impatient = {.max_solns = 1000, .pct = 1, .patience = 5};
  PtPopulateStats stats;
  g_autoptr(GPtrArray) a = solve_with(&p, &few, "1", &stats);
  g_assert_cmpint(stats.end, ==, PT_POPULATE_FULL);
  g_assert_cmpuint(a->len, ==, 3);
  g_autoptr(GPtrArray) b = solve_with(&p, &poor, "1", &stats);
  g_assert_cmpint(stats.end, ==, PT_POPULATE_LIMIT);
  g_assert_cmpuint(b->len, ==, 0);
  g_autoptr(GPtrArray) c = solve_with(&p, &impatient, "1", &stats);
  g_assert_cmpint(stats.end, ==, PT_POPULATE_LIMIT);
  g_assert_cmpuint(stats.queries, ==, 5);
  g_assert_cmpuint(c->len, <, 5);
}

/* More solutions than anyone waits for: who interrupts gets an answer, and the right one. */
static void *interrupt_soon(void *data) {
  g_usleep(30000);
  pt_populate_interrupt(data);
  return NULL;
}

static void test_interrupted(void) {
  PtPopulateProblem p = tiny();
  PtArc chain[60];
  PtPopulateOutput out = {.type = F(2, 4, 8), .before = 61};
  for (uint32_t i = 0; i < 60; i++)
    chain[i] = (PtArc){i, i + 1};
  p.n = 61;
  p.arcs = chain;
  p.n_arcs = 60;
  p.outputs = &out;
  p.n_outputs = 1;
  PtPopulateOptions options = {.max_solns = 1u << 30, .pct = 1};
  PtSeed seed;
  pt_seed_init(&seed, "1");
  PtPopulateSwitch *sw = pt_populate_switch_new();
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "assign", 0);
  g_autoptr(GPtrArray) found = g_ptr_array_new();
  g_autoptr(GError) error = NULL;
  GThread *other = g_thread_new("other", interrupt_soon, sw);
  g_assert_false(pt_populate_assign_operators(&p, &options, rng, sw, found, NULL, &error));
  g_assert_error(error, PT_POPULATE_ERROR, PT_ERR_CANCELLED);
  g_assert_cmpuint(found->len, ==, 0);
  g_thread_join(other);
  g_clear_error(&error); /* and so do later ones */
  g_assert_false(pt_populate_assign_operators(&p, &options, rng, sw, found, NULL, &error));
  g_assert_error(error, PT_POPULATE_ERROR, PT_ERR_CANCELLED);
  pt_populate_switch_free(sw);
}

static void check_refused(const PtPopulateProblem *p, uint32_t max_solns, PtErrorCode code) {
  PtPopulateOptions options = {.max_solns = max_solns, .pct = 1};
  PtSeed seed;
  pt_seed_init(&seed, "1");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "assign", 0);
  g_autoptr(GPtrArray) found = g_ptr_array_new();
  g_autoptr(GError) error = NULL;
  g_assert_false(pt_populate_assign_operators(p, &options, rng, NULL, found, NULL, &error));
  g_assert_error(error, PT_POPULATE_ERROR, (int)code);
}

static void test_errors(void) {
  PtPopulateProblem p = tiny();
  static const PtArc back[] = {{2, 1}};
  check_refused(&p, 0, PT_ERR_USAGE);
  p.arcs = back;
  p.n_arcs = 1;
  check_refused(&p, 1, PT_ERR_USAGE);
  p = tiny();
  p.n = 0;
  check_refused(&p, 1, PT_ERR_USAGE);
  p = tiny();
  int32_t many[200];
  for (int32_t i = 0; i < 200; i++)
    many[i] = i + 1;
  p.widths = many;
  p.n_widths = 200;
  check_refused(&p, 1, PT_ERR_LIMIT);
  p = tiny();
  p.n = 1u << 20;
  check_refused(&p, 1, PT_ERR_LIMIT);
}

static void test_likelihood(void) {
  g_autoptr(PtLikelihood) l = some_likelihood();
  /* what was seen, likelier than what was not; what never was has a floor; sums stay below 1 */
  g_assert_cmpfloat(pt_likelihood_log(l, PT_TOKEN_INPUT, 12, 10), >, log(0.9));
  g_assert_cmpfloat(pt_likelihood_log(l, PT_TOKEN_INPUT, 12, 13), <, log(0.1));
  g_assert_true(isfinite(pt_likelihood_log(l, 1, 2, 3)));
  double sum = 0;
  static const uint64_t tokens[] = {10, 11, 12, 13, PT_TOKEN_END};
  for (size_t i = 0; i < G_N_ELEMENTS(tokens); i++)
    sum += exp(pt_likelihood_log(l, 12, 10, tokens[i]));
  g_assert_cmpfloat(sum, <, 1 + 1e-9);
  g_assert_cmpfloat(sum, >, 0.9);
  g_assert_cmpfloat(pt_likelihood_log_width(l, 8, 8), >, pt_likelihood_log_width(l, 8, 4));
  /* by its ratio where the pair itself is new */
  g_assert_cmpfloat(pt_likelihood_log_width(l, 16, 16), >, pt_likelihood_log_width(l, 16, 24));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_data_func("/populate/exhaustive/plain", "plain", test_exhaustive);
  g_test_add_data_func("/populate/exhaustive/random", "random", test_exhaustive);
  g_test_add_data_func("/populate/exhaustive/guided", "guided", test_exhaustive);
  g_test_add_data_func("/populate/draws/random", "random", test_draws);
  g_test_add_data_func("/populate/draws/guided", "guided", test_draws);
  g_test_add_func("/populate/draws/far", test_draws_far);
  g_test_add_func("/populate/draws/many-inputs", test_many_inputs);
  g_test_add_func("/populate/growth", test_growth);
  g_test_add_func("/populate/likeliest", test_keeps_likeliest);
  g_test_add_func("/populate/guides", test_guides);
  g_test_add_func("/populate/same-seed", test_same_seed);
  g_test_add_func("/populate/limits", test_limits);
  g_test_add_func("/populate/interrupted", test_interrupted);
  g_test_add_func("/populate/errors", test_errors);
  g_test_add_func("/populate/likelihood", test_likelihood);
  return g_test_run();
}
