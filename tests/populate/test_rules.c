/* Each rule is there twice, as a function of types and as Z3's constraint: on small domains they
 * say the same of every operator, operands and result. */
#include "populate/populate_private.h"

typedef struct Case {
  const char *name;
  PtOperator op;
} Case;

#define WINDOW(k, s, p)                                                                            \
  .n_space = 2, .kernel = {k, k}, .strides = {s, s}, .dilations = {1, 1}, .pads = {p, p, p, p}

static const Case cases[] = {
    {"relu", {.rule = PT_RULE_SAME, .n_in = 1}},
    {"batch norm",
     {.rule = PT_RULE_SAME,
      .n_in = 1,
      .least_rank = 2,
      .known_channel = true,
      .n_weights = 1,
      .weights = {PT_SIZE_CHANNEL}}},
    {"bias of the last axis",
     {.rule = PT_RULE_SAME, .n_in = 1, .known = 1, .n_weights = 1, .weights = {1}}},
    {"half precision only", {.rule = PT_RULE_SAME, .n_in = 1, .dtype = PT_FLOAT16}},
    {"softmax over axis -3", {.rule = PT_RULE_SAME, .n_in = 1, .least_rank = 3}},
    {"add", {.rule = PT_RULE_BINARY, .n_in = 2, .commutes = true}},
    {"sub", {.rule = PT_RULE_BINARY, .n_in = 2}},
    {"conv 1x1",
     {.rule = PT_RULE_CONV,
      .n_in = 1,
      .dense = true,
      .groups = 1,
      .n_weights = 1,
      .weights = {PT_SIZE_WIDTH | PT_SIZE_PER_GROUP},
      WINDOW(1, 1, 0)}},
    {"conv 3x3 by 2",
     {.rule = PT_RULE_CONV, .n_in = 1, .dense = true, .groups = 1, WINDOW(3, 2, 1)}},
    {"grouped conv",
     {.rule = PT_RULE_CONV, .n_in = 1, .dense = true, .groups = 4, WINDOW(3, 1, 1)}},
    {"depthwise conv", {.rule = PT_RULE_CONV, .n_in = 1, .groups = 0, WINDOW(3, 1, 1)}},
    {"unpadded conv", {.rule = PT_RULE_CONV, .n_in = 1, .groups = 0, WINDOW(3, 1, 0)}},
    {"max pool", {.rule = PT_RULE_POOL, .n_in = 1, WINDOW(3, 2, 1)}},
    {"pool, rounded up", {.rule = PT_RULE_POOL, .n_in = 1, .ceil_mode = 1, WINDOW(2, 2, 0)}},
    {"global pool", {.rule = PT_RULE_GLOBAL_POOL, .n_in = 1}},
    {"gemm",
     {.rule = PT_RULE_LINEAR,
      .n_in = 1,
      .dense = true,
      .two_d = true,
      .n_weights = 2,
      .weights = {1 | PT_SIZE_WIDTH, PT_SIZE_WIDTH}}},
    {"matmul with a constant", {.rule = PT_RULE_LINEAR, .n_in = 1, .dense = true}},
    {"matmul", {.rule = PT_RULE_MATMUL, .n_in = 2}},
    {"transpose 0213", {.rule = PT_RULE_TRANSPOSE, .n_in = 1, .n_perm = 4, .perm = {0, 2, 1, 3}}},
    {"transpose 201", {.rule = PT_RULE_TRANSPOSE, .n_in = 1, .n_perm = 3, .perm = {2, 0, 1}}},
    {"mean of 2, 3, kept", {.rule = PT_RULE_REDUCE, .n_in = 1, .axes = 12, .keep = 1}},
    {"mean of 2, 3", {.rule = PT_RULE_REDUCE, .n_in = 1, .axes = 12}},
    {"mean of 1", {.rule = PT_RULE_REDUCE, .n_in = 1, .axes = 2}},
    {"concat", {.rule = PT_RULE_CONCAT, .n_in = 2, .axis = 1, .commutes = true}},
    {"concat of 0", {.rule = PT_RULE_CONCAT, .n_in = 2, .axis = 0, .commutes = true}},
    {"flatten", {.rule = PT_RULE_FLATTEN, .n_in = 1, .axis = 1}},
    {"flatten 2", {.rule = PT_RULE_FLATTEN, .n_in = 1, .axis = 2}},
    {"flatten 0", {.rule = PT_RULE_FLATTEN, .n_in = 1, .axis = 0}},
    {"table",
     {.rule = PT_RULE_TABLE,
      .n_in = 2,
      .in = {{.dtype = PT_FLOAT, .rank = 2, .dims = {4, 8}},
             {.dtype = PT_FLOAT, .rank = 3, .dims = {1, 4, 8}}},
      .out = {.dtype = PT_FLOAT, .rank = 3, .dims = {4, 4, 1}},
      .anchor = {-1, -1, -1, -1}}},
};

#define F(r, ...)                                                                                  \
  {                                                                                                \
    .dtype = PT_FLOAT, .rank = r, .dims = { __VA_ARGS__ }                                          \
  }
#define N (-7) /* an unknown size */
static const PtFiniteType types[] = {
    F(2, 4, 8),
    F(2, 8, 4),
    F(2, 1, 8),
    F(2, N, 8),
    F(2, 1, 1),
    F(3, 1, 4, 8),
    F(3, 2, 8, 4),
    F(3, N, 4, 8),
    F(4, 1, 4, 8, 8),
    F(4, 1, 8, 8, 8),
    F(4, 2, 4, 4, 4),
    F(4, 1, 1, 8, 8),
    F(4, N, 4, 8, 8),
    F(4, 1, 4, 1, 1),
    F(4, 1, 4, N, N),
    F(4, 1, 16, 2, 2),
    F(4, 1, N, 8, 8),
    F(4, 1, 4, 8, 1),
    {.dtype = PT_FLOAT16, .rank = 2, .dims = {4, 8}},
    {.dtype = PT_FLOAT16, .rank = 4, .dims = {1, 4, 8, 8}},
    {.dtype = PT_INT64, .rank = 2, .dims = {4, 8}},
    {.dtype = PT_FLOAT, .rank = 1, .dims = {8}},
};
static const int32_t widths[] = {1, 4, 8, 16};

/* The piece is one node; whether it can have the output `want`. */
static bool solvable(const PtOperator *op, const PtFiniteType *const *in, uint32_t n,
                     const PtFiniteType *want, int32_t width, GPtrArray *found) {
  PtPopulateInput inputs[2] = {{.type = *in[0]}, {.type = n > 1 ? *in[1] : *in[0]}};
  PtPopulateOutput output = {.type = *want, .before = 1};
  PtPopulateProblem p = {.n = 1,
                         .inputs = inputs,
                         .n_inputs = n,
                         .outputs = &output,
                         .n_outputs = 1,
                         .operators = op,
                         .n_operators = 1,
                         .widths = &width,
                         .n_widths = 1};
  PtPopulateOptions options = {.max_solns = 16, .pct = 1, .plain = true};
  PtSeed seed;
  pt_seed_init(&seed, "rules");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "rules", 0);
  g_autoptr(GError) error = NULL;
  PtPopulateStats stats;
  g_assert_true(pt_populate_assign_operators(&p, &options, rng, NULL, found, &stats, &error));
  g_assert_no_error(error);
  g_assert_cmpint(stats.end, ==, PT_POPULATE_COMPLETE);
  return found->len > 0;
}

/* What the function says of the operands in this order, or, if they may change places, in either.
 */
static bool says(const PtOperator *op, int32_t width, const PtFiniteType *const *in, uint32_t n,
                 const PtFiniteType *want) {
  PtFiniteType out;
  const PtFiniteType *turned[2] = {in[n - 1], in[0]};
  return (pt_operator_apply(op, width, in, n, &out) && memcmp(&out, want, sizeof out) == 0) ||
         (n == 2 && pt_operator_apply(op, width, turned, n, &out) &&
          memcmp(&out, want, sizeof out) == 0);
}

static void check_pair(const Case *c, const PtFiniteType *const *in, const PtFiniteType *want,
                       int32_t width) {
  PtOperator op = c->op;
  op.weight = 1;
  g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)pt_solution_free);
  bool z3 = solvable(&op, in, op.n_in, want, width, found);
  bool ours = says(&op, op.dense ? width : 0, in, op.n_in, want);
  if (z3 != ours)
    g_error("%s: Z3 says %d, the function %d, rank %d to %d, width %d", c->name, z3, ours,
            in[0]->rank, want->rank, width);
  for (guint i = 0; i < found->len; i++) {
    const PtSolution *s = found->pdata[i];
    const PtFiniteType *of[2];
    PtFiniteType out;
    for (uint32_t k = 0; k < s->nodes[0].n_in; k++)
      of[k] = in[-1 - s->refs[k]];
    g_assert_true(pt_operator_apply(&op, s->nodes[0].width, of, s->nodes[0].n_in, &out));
    g_assert_cmpmem(&out, sizeof out, want, sizeof *want);
  }
}

/* Every operator, every operands: with what the function makes of them, and with another type. */
static void test_rule(const void *data) {
  const Case *c = data;
  uint32_t fits = 0;
  for (size_t a = 0; a < G_N_ELEMENTS(types); a++)
    for (size_t b = 0; b < (c->op.n_in > 1 ? G_N_ELEMENTS(types) : 1); b++)
      for (size_t w = 0; w < (c->op.dense ? G_N_ELEMENTS(widths) : 1); w++) {
        const PtFiniteType *in[2] = {&types[a], &types[b]};
        PtFiniteType out;
        if (c->op.n_in > 1 && c->op.rule != PT_RULE_TABLE && (a * 5 + b * 3) % 4 && a != b)
          continue; /* a part of the pairs: the whole takes minutes under the sanitizers */
        bool ok = pt_operator_apply(&c->op, c->op.dense ? widths[w] : 0, in, c->op.n_in, &out);
        fits += ok;
        if (ok)
          check_pair(c, in, &out, widths[w]);
        if (!ok || (a + b + w) % 3 == 0)
          check_pair(c, in, &types[(a + 3 * b + 5 * w) % 18], widths[w]);
      }
  g_assert_cmpuint(fits, >, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *name = g_strdup_printf("/populate/rule/%s", cases[i].name);
    g_test_add_data_func(name, &cases[i], test_rule);
  }
  return g_test_run();
}
