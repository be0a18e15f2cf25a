/* What an optimizer makes of candidates: counted right; and where it tells, the adversary made for
 * it finds it, and one who does not ask the optimizer does not. */
#include "planted.h"
#include "runtime/runtime.h"

#include <string.h>

#define MODELS 6
#define BUCKETS 4
#define K 10
#define SIDE 8 /* all sizes alike, so that any transposition fits */

static const int64_t there[] = {0, 2, 3, 1}, back[] = {0, 3, 1, 2};

static PtValueId transpose(PtGraph *g, PtValueId in, const int64_t *perm) {
  PtValueId out = pt_graph_add_op(g, "Transpose", &in, 1);
  pt_node_set_ints(g, pt_value(g, out)->producer, "perm", perm, 4);
  return out;
}

static PtValueId plain(PtGraph *g, PtValueId in, PtRng *rng) {
  static const char *const ops[] = {"Relu", "Tanh", "Sigmoid", "Erf"};
  return pt_graph_add_op(g, ops[pt_rng_below(rng, 4)], &in, 1);
}

static PtValueId constant(PtGraph *g, const char *name, PtRng *rng) {
  static const int64_t dims[] = {SIDE};
  float value[SIDE];
  for (int i = 0; i < SIDE; i++)
    value[i] = (float)pt_rng_normal(rng);
  return pt_graph_add_constant(g, name, pt_graph_tensor_copy(g, PT_FLOAT, 1, dims, value));
}

/* Two transpositions side by side: back and forth, or on and on. */
static PtValueId turned(PtGraph *g, PtValueId at, bool idle) {
  return transpose(g, transpose(g, at, there), idle ? back : there);
}

/* Adds two vectors: to each other first, which can be done beforehand, or one after the other. */
static PtValueId added(PtGraph *g, PtValueId at, bool idle, PtRng *rng) {
  PtValueId a = constant(g, "a", rng), b = constant(g, "b", rng);
  PtValueId first[] = {idle ? a : at, idle ? b : a};
  PtValueId sum = pt_graph_add_op(g, "Sub", first, 2);
  PtValueId second[] = {idle ? at : sum, idle ? sum : b};
  return pt_graph_add_op(g, "Sub", second, 2);
}

static PtGraph *piece(bool idle, bool fold, PtRng *rng) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  g->ir_version = 8;
  PtDim dims[] = {{SIDE, NULL}, {SIDE, NULL}, {SIDE, NULL}, {SIDE, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 4, dims);
  PtValueId at = pt_graph_add_input(g, "x", &type);
  uint32_t n = 3 + (uint32_t)pt_rng_below(rng, 4);
  for (uint32_t i = 0; i < n; i++)
    at = plain(g, at, rng);
  at = fold ? added(g, at, idle, rng) : turned(g, at, idle);
  for (uint32_t i = 0; i < 2; i++)
    at = plain(g, at, rng);
  pt_graph_add_output(g, at);
  g_assert_true(pt_sight_types(g, NULL));
  return g;
}

static void answer_all(PtCase *t, uint32_t first, GPtrArray *graphs) {
  GError *error = NULL;
  g_autofree char *folder = pt_answers_folder(1, &error);
  g_assert_no_error(error);
  for (guint i = 0; i < graphs->len; i++)
    pt_sight_answer(t->sights->pdata[first + i], graphs->pdata[i], NULL, folder, i);
  pt_dir_remove(folder);
}

static GPtrArray *plant(bool fold, bool weak, uint32_t models) {
  PtSeed seed;
  pt_seed_init(&seed, "answers");
  GPtrArray *cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  for (uint32_t m = 0; m < models; m++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "plant", m);
    PtCase *t = pt_case_new("made up");
    t->model = t->family = m;
    for (uint32_t b = 0; b < BUCKETS; b++) {
      g_autoptr(GPtrArray) graphs = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
      uint32_t real = (uint32_t)pt_rng_below(rng, K + 1);
      for (uint32_t i = 0; i <= K; i++)
        g_ptr_array_add(graphs, piece(weak && i != real, fold, rng));
      pt_case_add_bucket(t, graphs, real);
      answer_all(t, t->buckets[b].first, graphs);
    }
    g_ptr_array_add(cases, t);
  }
  return cases;
}

static double area(GPtrArray *cases, const char *adversary) {
  const char *only[] = {adversary, NULL};
  PtContestOptions options = {.only = only, .folds = 2};
  PtSeed seed;
  pt_seed_init(&seed, "test");
  g_autoptr(PtContest) c = pt_contest_new(cases, &options, &seed);
  g_assert_cmpuint(c->n_rows, ==, 1);
  PtSummary s = pt_contest_summary(c, 0, PT_NONE);
  g_test_message("%s: area %.3f, kept %.3f", adversary, s.area, s.kept);
  return s.area;
}

static void test_wins(void) {
  g_autoptr(GPtrArray) turns = plant(false, true, MODELS), sums = plant(true, true, MODELS),
                       none = plant(true, false, MODELS);
  g_assert_cmpfloat(area(turns, "answers"), >, 0.9);
  g_assert_cmpfloat(area(turns, "paper"), <, 0.7); /* the operators are the same */
  g_assert_cmpfloat(area(sums, "answers"), >, 0.9);
  g_assert_cmpfloat(area(none, "answers"), <, 0.7);
  g_assert_cmpfloat(area(none, "answers"), >, 0.3);
}

static double number(const PtSight *s, const char *name) {
  for (uint32_t f = 0; f < PT_ANSWER_NUMBERS; f++)
    if (g_str_equal(pt_answer_number_names[f], name))
      return s->answer[f];
  g_assert_not_reached();
}

static PtCase *one_case(PtGraph *g) {
  g_autoptr(GPtrArray) graphs = g_ptr_array_new();
  g_ptr_array_add(graphs, g);
  PtCase *t = pt_case_new("one");
  pt_case_add_bucket(t, graphs, 0);
  answer_all(t, 0, graphs);
  return t;
}

static void test_counts(void) {
  PtSeed seed;
  pt_seed_init(&seed, "counts");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "counts", 0);
  g_autoptr(PtGraph) fold = piece(true, true, rng), turn = piece(true, false, rng),
                     on = piece(false, false, rng);
  g_autoptr(PtCase) folded = one_case(fold), dropped = one_case(turn), kept = one_case(on);
  const PtSight *a = folded->sights->pdata[0], *b = dropped->sights->pdata[0],
                *c = kept->sights->pdata[0];
  g_assert_cmpfloat(number(a, "refused"), ==, 0);
  g_assert_cmpfloat(number(a, "nodes folded"), ==, 1);
  g_assert_cmpfloat(number(a, "nodes left"), ==, a->n - 1);
  g_assert_cmpfloat(number(a, "nodes fused"), ==, 0);
  g_assert_cmpfloat(number(a, "constants left"), ==, 1);
  g_assert_cmpfloat(number(b, "nodes left"), ==, b->n - 2);
  g_assert_cmpfloat(number(b, "moves dropped"), ==, 2);
  g_assert_cmpfloat(number(b, "moves left"), ==, 0);
  g_assert_cmpfloat(number(c, "moves left"), >, 0);
}

/* A graph that nobody takes is one that tells. */
static void test_refused(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtDim dims[] = {{4, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, dims);
  PtValueId x = pt_graph_add_input(g, "x", &type), y = pt_graph_add_op(g, "NoSuchThing", &x, 1);
  pt_graph_set_opset(g, "", 17);
  g->ir_version = 8;
  pt_value(g, y)->type = type;
  pt_graph_add_output(g, y);
  g_autoptr(PtCase) t = one_case(g);
  const PtSight *s = t->sights->pdata[0];
  g_assert_true(s->has_answer);
  g_assert_cmpfloat(number(s, "refused"), ==, 1);
  g_assert_cmpuint(s->answer_ops.n, ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  GError *error = NULL;
  g_assert_true(pt_runtime_load(&error));
  g_test_add_func("/audit/answers/wins", test_wins);
  g_test_add_func("/audit/answers/counts", test_counts);
  g_test_add_func("/audit/answers/refused", test_refused);
  return g_test_run();
}
