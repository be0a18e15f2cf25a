/* The one measure, checked by hand: posteriors, calibration, area, ranks, the paper's reduction;
 * the solver finds the minimum; near-duplicates are found, others not. */
#include "planted.h"

#include <math.h>

#define N 11

static PtCase *bare_target(uint32_t buckets) {
  PtCase *t = pt_case_new("bare");
  t->buckets = g_new0(PtCaseBucket, buckets);
  t->real = g_new0(uint32_t, buckets);
  t->n_buckets = buckets;
  for (uint32_t b = 0; b < buckets; b++) {
    t->buckets[b] = (PtCaseBucket){b * N, N};
    t->real[b] = b % N;
  }
  return t;
}

/* Scores from a law in which the real piece's is `shift` higher. */
static double *draw(const PtCase *t, double shift, const char *purpose) {
  PtSeed seed;
  pt_seed_init(&seed, purpose);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "draw", 0);
  double *s = g_new(double, (gsize)t->n_buckets *N);
  for (uint32_t b = 0; b < t->n_buckets; b++)
    for (uint32_t i = 0; i < N; i++)
      s[b * N + i] = pt_rng_normal(rng) + (i == t->real[b] ? shift : 0);
  return s;
}

static void test_posterior(void) {
  double scores[] = {3, 1, 1, 1}, p[4];
  PtCalibration how = {1, false};
  pt_posterior(&how, scores, 4, p);
  g_assert_cmpfloat(fabs(p[0] + p[1] + p[2] + p[3] - 1), <, 1e-12);
  double e = exp(2) / (exp(2) + 3);
  g_assert_cmpfloat(fabs(p[0] - (0.99 * e + 0.01 / 4)), <, 1e-12);
  how.t = 0;
  pt_posterior(&how, scores, 4, p);
  g_assert_cmpfloat(fabs(p[0] - 0.25), <, 1e-12);
  double same[] = {5, 5, 5};
  how = (PtCalibration){10, true};
  pt_posterior(&how, same, 3, p);
  g_assert_cmpfloat(fabs(p[1] - 1.0 / 3), <, 1e-12);
}

/* Scores that are normal with the real one's mean higher by d have log odds d * score. */
static void test_calibration(void) {
  g_autoptr(PtCase) t = bare_target(3000);
  g_autofree double *known = draw(t, 1.5, "known"), *unknown = draw(t, 0, "unknown"),
                    *wrong = draw(t, -1.5, "wrong");
  g_autoptr(GPtrArray) targets = g_ptr_array_new(), scores = g_ptr_array_new();
  g_ptr_array_add(targets, t);
  g_ptr_array_add(scores, known);
  PtCalibration how = pt_calibrate(targets, scores);
  double p[N], at[N] = {1};
  pt_posterior(&how, at, N, p);
  if (!how.standard)
    g_assert_cmpfloat(fabs(how.t - 1.5), <, 0.3);
  g_autofree PtBucketResult *r = g_new(PtBucketResult, t->n_buckets);
  pt_results(t, known, &how, r);
  double bits = 0;
  for (uint32_t b = 0; b < t->n_buckets; b++)
    bits += r[b].bits / t->n_buckets;
  g_assert_cmpfloat(bits, <, log2(N) - 0.8);
  g_assert_cmpfloat(fabs(pt_area(r, t->n_buckets) - 0.8556), <, 0.02); /* Phi(1.5 / sqrt 2) */
  g_assert_cmpfloat(pt_rank_test(r, t->n_buckets), <, 1e-10);
  scores->pdata[0] = unknown;
  how = pt_calibrate(targets, scores);
  pt_results(t, unknown, &how, r);
  bits = 0;
  for (uint32_t b = 0; b < t->n_buckets; b++)
    bits += r[b].bits / t->n_buckets;
  g_assert_cmpfloat(fabs(bits - log2(N)), <, 0.01);
  g_assert_cmpfloat(pt_rank_test(r, t->n_buckets), >, 0.01);
  scores->pdata[0] = wrong; /* the other way round is another adversary */
  how = pt_calibrate(targets, scores);
  g_assert_cmpfloat(how.t, ==, 0);
}

static void test_reduction(void) {
  g_autoptr(PtCase) t = bare_target(2);
  double s[2 * N];
  for (uint32_t i = 0; i < 2 * N; i++)
    s[i] = 0.1 * (i % N);
  /* real: 0.0 of the first, 0.1 of the second; nothing is below 0 */
  PtReduction r = pt_reduction(t, s, 2, 10);
  g_assert_cmpfloat(r.beta, ==, 0);
  g_assert_cmpfloat(fabs(r.log10_candidates - 2 * log10(11)), <, 1e-12);
  s[0] = 0.55; /* beyond: the second's 0.0; the first's 0.1 to 0.5 stay, as 0.1 is the least real */
  r = pt_reduction(t, s, 2, 10);
  g_assert_cmpfloat(fabs(r.beta - 1.0 / 20), <, 1e-12);
  g_assert_cmpfloat(fabs(r.gamma - 0.9), <, 1e-12);
  g_assert_cmpfloat(fabs(r.log10_candidates - 2 * log10(1 + 0.95 * 10)), <, 1e-12);
}

/* At the minimum the gradient is zero: l2 w = mean of (real - expected row). */
static void test_logit(void) {
  enum { COLUMNS = 5, GROUPS = 60, ROWS = 6 };
  PtSeed seed;
  pt_seed_init(&seed, "logit");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "logit", 0);
  PtLogit *l = pt_logit_new(COLUMNS);
  float x[GROUPS][ROWS][COLUMNS];
  for (int g = 0; g < GROUPS; g++) {
    pt_logit_begin(l);
    for (int r = 0; r < ROWS; r++) {
      pt_logit_row(l);
      for (uint32_t c = 0; c < COLUMNS; c++) {
        x[g][r][c] = (float)(pt_rng_normal(rng) + (r == 0 ? 0.4 * c : 0));
        pt_logit_put(l, c, x[g][r][c]);
      }
    }
    pt_logit_end(l, 0);
  }
  double w[COLUMNS] = {0}, gradient[COLUMNS], l2 = 0.1;
  g_assert_cmpfloat(pt_logit_fit(l, l2, w), <, log(ROWS));
  for (int c = 0; c < COLUMNS; c++)
    gradient[c] = l2 * w[c];
  for (int g = 0; g < GROUPS; g++) {
    double e[ROWS], sum = 0;
    for (int r = 0; r < ROWS; r++) {
      e[r] = 0;
      for (int c = 0; c < COLUMNS; c++)
        e[r] += w[c] * (double)x[g][r][c];
      sum += e[r] = exp(e[r]);
    }
    for (int r = 0; r < ROWS; r++)
      for (int c = 0; c < COLUMNS; c++)
        gradient[c] += (e[r] / sum - (r == 0)) * (double)x[g][r][c] / GROUPS;
  }
  for (int c = 0; c < COLUMNS; c++)
    g_assert_cmpfloat(fabs(gradient[c]), <, 1e-3);
  pt_logit_free(l);
}

static void test_families(void) {
  PtSeed seed;
  pt_seed_init(&seed, "families");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "families", 0);
  g_autoptr(GPtrArray) sights = g_ptr_array_new_with_free_func((GDestroyNotify)pt_sight_free);
  Piece a = planted_noise(rng, GENES), c = planted_noise(rng, GENES), b = a;
  b.genes[GENES - 1].op = b.genes[GENES - 1].op == TANH ? RELU : TANH; /* one node in sixteen */
  const Piece *all[] = {&a, &c, &b};
  for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
    g_autoptr(PtGraph) g = planted_graph(all[i], NULL);
    g_ptr_array_add(sights, pt_sight_new(g));
  }
  uint32_t family[3];
  g_assert_cmpuint(pt_families(sights, 0.5, family), ==, 2);
  g_assert_cmpuint(family[0], ==, family[2]);
  g_assert_cmpuint(family[0], !=, family[1]);
  g_assert_cmpfloat(pt_overlap(sights->pdata[0], sights->pdata[0]), ==, 1);
}

static double number(const PtSight *v, const char *name) {
  for (uint32_t f = 0; f < PT_NUMBERS; f++)
    if (g_str_equal(pt_number_names[f], name))
      return v->numbers[f];
  g_assert_not_reached();
}

/* x -> Mul by 0.5 -> Add 0.5 -> Pow 2 -> Relu. */
static void test_scalars(void) {
  static const float half = 0.5f, two = 2;
  g_autoptr(PtGraph) g = pt_graph_new();
  PtDim dims[] = {{1, NULL}, {8, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 2, dims);
  PtValueId at = pt_graph_add_input(g, "x", &type);
  pt_graph_set_opset(g, "", 17);
  static const char *const ops[] = {"Mul", "Add", "Pow"};
  static const char *const names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++) {
    PtTensor *c = pt_graph_tensor(g, PT_FLOAT, 0, NULL, i < 2 ? &half : &two);
    PtValueId ins[] = {at, pt_graph_add_constant(g, names[i], c)};
    at = pt_graph_add_op(g, ops[i], ins, 2);
  }
  at = pt_graph_add_op(g, "Relu", &at, 1);
  pt_graph_add_output(g, at);
  g_assert_true(pt_sight_types(g, NULL));
  PtSight *v = pt_sight_new(g);
  g_assert_cmpfloat(number(v, "nodes"), ==, 4);
  g_assert_cmpfloat(number(v, "scalars"), ==, 3);
  g_assert_cmpfloat(number(v, "scalings"), ==, 2);
  g_assert_cmpfloat(number(v, "kinds of scalars"), ==, 2);
  g_assert_cmpfloat(number(v, "kinds of widths"), ==, 0); /* no weights */
  pt_sight_free(v);
}

/* Two models of two runs: of all, the error is that of the models' means; of one, of its runs. */
static void test_errors(void) {
  static const double ranks[] = {0, 0.2, 0.6, 0.8}; /* of the real piece; area is 1 - rank */
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  for (uint32_t i = 0; i < 4; i++) {
    PtCase *t = bare_target(2);
    t->model = i / 2;
    t->seed = i % 2;
    g_ptr_array_add(cases, t);
  }
  g_autoptr(PtContest) c = pt_contest_bare(cases, 1);
  PtContestRow *row = pt_contest_add_row(c, "made up", "", "");
  for (uint32_t i = 0; i < 4; i++)
    for (uint32_t b = 0; b < 2; b++)
      row->results[i][b] = (PtBucketResult){.rank = ranks[i], .bits = log2(N) / 2, .n = N};
  PtSummary all = pt_contest_summary(c, 0, PT_NONE), one = pt_contest_summary(c, 0, 1);
  g_assert_cmpuint(all.runs, ==, 4);
  g_assert_cmpuint(one.runs, ==, 2);
  g_assert_cmpfloat(fabs(all.area - 0.6), <, 1e-12);
  g_assert_cmpfloat(fabs(all.area_error - 0.3), <, 1e-12); /* 0.9 and 0.3 */
  g_assert_cmpfloat(fabs(one.area_error - 0.1), <, 1e-12); /* 0.4 and 0.2 */
  g_assert_cmpfloat(fabs(all.kept - 0.5), <, 1e-12);
  g_assert_cmpfloat(all.bits_error, <, 1e-6);
  g_assert_cmpfloat(fabs(all.area_seeds - 0.1), <, 1e-12); /* 0.7 and 0.5 */
  g_assert_cmpfloat(all.bits_seeds, <, 1e-6);
  g_assert_cmpfloat(one.area_seeds, ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/audit/posterior", test_posterior);
  g_test_add_func("/audit/calibration", test_calibration);
  g_test_add_func("/audit/reduction", test_reduction);
  g_test_add_func("/audit/logit", test_logit);
  g_test_add_func("/audit/families", test_families);
  g_test_add_func("/audit/scalars", test_scalars);
  g_test_add_func("/audit/errors", test_errors);
  return g_test_run();
}
