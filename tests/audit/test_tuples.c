/* Whole tuples: what is drawn is the law that going through all tuples gives; where only coherence
 * between buckets tells the real pieces, it finds them and no adversary that looks at one candidate
 * at a time does; where there is none, nothing is found. */
#include "planted.h"

#include <math.h>
#include <string.h>

#define BUCKETS 5
#define K 10
#define MODELS 8

/* ---- drawn against all of them --------------------------------------------------------------- */
enum { SIDES = 4, FACES = 5, ALL = SIDES * FACES };

typedef struct Made {
  PtCaseBucket buckets[SIDES];
  double base[ALL], alone[ALL];
  float pair[ALL * ALL];
  PtTuples tuples;
} Made;

/* blocks: as strong as that, faces of the same number suit each other. */
static void make(Made *m, const char *purpose, double loud, double blocks) {
  PtSeed seed;
  pt_seed_init(&seed, purpose);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "tuples", 0);
  memset(m, 0, sizeof *m);
  for (uint32_t b = 0; b < SIDES; b++)
    m->buckets[b] = (PtCaseBucket){b * FACES, FACES};
  for (uint32_t i = 0; i < ALL; i++) {
    m->base[i] = loud * pt_rng_normal(rng);
    m->alone[i] = loud * pt_rng_normal(rng);
    for (uint32_t k = 0; k < i / FACES * FACES; k++)
      m->pair[i * ALL + k] = m->pair[k * ALL + i] =
          (float)(loud * pt_rng_normal(rng) + (i % FACES == k % FACES ? blocks : 0));
  }
  m->tuples = (PtTuples){SIDES, m->buckets, m->base, m->alone, m->pair};
}

static void compare(const Made *m, uint32_t particles) {
  static const double strengths[] = {0, 0.5, 1};
  const uint32_t tuple[SIDES] = {1, FACES + 3, 2 * FACES, 3 * FACES + 4};
  double share[3], marginals[3 * ALL];
  PtTupleDraw how = {strengths, 3, particles, {{0}}};
  pt_seed_init(&how.seed, "compare");
  pt_tuples_draw(&m->tuples, tuple, &how, share, marginals);
  for (uint32_t s = 0; s < 3; s++) {
    double exact, of[ALL];
    g_assert_true(pt_tuples_exact(&m->tuples, tuple, strengths[s], &exact, of));
    g_test_message("strength %.1f: %.3f, by going through all %.3f", strengths[s], share[s], exact);
    g_assert_cmpfloat(fabs(share[s] - exact), <, s ? 0.15 : 1e-9);
    for (uint32_t i = 0; i < ALL; i++)
      g_assert_cmpfloat(fabs(marginals[s * ALL + i] - of[i]), <, 0.06);
    for (uint32_t b = 0; b < SIDES; b++) {
      double sum = 0, drawn = 0;
      for (uint32_t i = 0; i < FACES; i++) {
        sum += of[b * FACES + i];
        drawn += marginals[s * ALL + b * FACES + i];
      }
      g_assert_cmpfloat(fabs(sum - 1), <, 1e-9);
      g_assert_cmpfloat(fabs(drawn - 1), <, 1e-9);
    }
  }
}

static void test_law(void) {
  Made quiet, loud, blocks;
  make(&quiet, "quiet", 0.5, 0);
  make(&loud, "loud", 1.5, 0);
  make(&blocks, "blocks", 0.2, 3); /* five coherent tuples, far from each other */
  compare(&quiet, 2000);
  compare(&loud, 4000);
  compare(&blocks, 4000);
}

/* By hand: two buckets of two, one pair that suits. */
static void test_by_hand(void) {
  PtCaseBucket buckets[] = {{0, 2}, {2, 2}};
  double base[4] = {0}, alone[4] = {0}, share, marginals[4];
  float pair[16] = {0};
  pair[0 * 4 + 2] = pair[2 * 4 + 0] = 1;
  const PtTuples t = {2, buckets, base, alone, pair};
  const uint32_t tuple[] = {0, 2};
  g_assert_true(pt_tuples_exact(&t, tuple, 2, &share, marginals));
  double z = exp(2) + 3;
  g_assert_cmpfloat(fabs(share - log(exp(2) / z)), <, 1e-12);
  g_assert_cmpfloat(fabs(marginals[0] - (exp(2) + 1) / z), <, 1e-12);
  PtCaseBucket many[30];
  for (uint32_t b = 0; b < 30; b++)
    many[b] = (PtCaseBucket){0, 2};
  const PtTuples large = {30, many, base, alone, pair};
  g_assert_false(pt_tuples_exact(&large, NULL, 1, &share, NULL)); /* 2^30 */
}

static void test_repeats(void) {
  static const double strengths[] = {1};
  Made m;
  double a[ALL], b[ALL];
  make(&m, "again", 1, 0);
  PtTupleDraw how = {strengths, 1, 50, {{0}}};
  pt_seed_init(&how.seed, "again");
  pt_tuples_draw(&m.tuples, NULL, &how, NULL, a);
  pt_tuples_draw(&m.tuples, NULL, &how, NULL, b);
  g_assert_cmpmem(a, sizeof a, b, sizeof b);
}

/* ---- planted --------------------------------------------------------------------------------- */
/* Each candidate shares one kernel size, nobody else's, with one candidate of each other bucket:
 * the real pieces with each other, a sentinel with sentinels that have nothing to do with each
 * other. Taken by itself each has as many twins as any. nothing: the real ones, too, share with
 * whom it falls. */
static void plant(PtCase *t, PtRng *rng, bool nothing) {
  Piece p[BUCKETS][K + 1] = {{{0}}};
  uint8_t kernels[BUCKETS * (BUCKETS - 1) / 2 * (K + 1)], used = 0;
  for (uint32_t i = 0; i < G_N_ELEMENTS(kernels); i++)
    kernels[i] = (uint8_t)(3 + 2 * i);
  pt_rng_shuffle(rng, kernels, G_N_ELEMENTS(kernels), 1);
  for (uint32_t b = 0; b < BUCKETS; b++)
    for (uint32_t c = 0; c < b; c++) {
      uint32_t with[K + 1];
      for (uint32_t i = 0; i <= K; i++)
        with[i] = i;
      pt_rng_shuffle(rng, with + !nothing, K + nothing, sizeof *with);
      for (uint32_t i = 0; i <= K; i++) {
        Piece *one = &p[b][i], *other = &p[c][with[i]];
        one->genes[one->n++] = other->genes[other->n++] = (Gene){CONV, kernels[used++], 32, 0};
      }
    }
  for (uint32_t b = 0; b < BUCKETS; b++) {
    for (uint32_t i = 0; i <= K; i++)
      pt_rng_shuffle(rng, p[b][i].genes, p[b][i].n, sizeof(Gene));
    planted_bucket(t, p[b], K + 1, rng, NULL);
  }
}

static GPtrArray *models(bool nothing) {
  PtSeed seed;
  pt_seed_init(&seed, nothing ? "nothing" : "coherence");
  GPtrArray *targets = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  for (uint32_t m = 0; m < MODELS; m++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "plant", m);
    PtCase *t = pt_case_new("made up");
    t->model = t->family = m;
    plant(t, rng, nothing);
    g_ptr_array_add(targets, t);
  }
  return targets;
}

static PtContest *contest(GPtrArray *targets) {
  static const char *const only[] = {"tuples",  "twin-near", "twin-gap", "habits",
                                     "numbers", "rare-here", NULL};
  PtContestOptions options = {.only = only, .folds = 2};
  PtSeed seed;
  pt_seed_init(&seed, "test");
  PtContest *c = pt_contest_new(targets, &options, &seed);
  g_assert_cmpuint(c->n_rows, ==, G_N_ELEMENTS(only) - 1 + 2);
  g_assert_cmpstr(c->rows[c->n_rows - 1].name, ==, PT_WHOLE_NAME);
  return c;
}

static PtSummary said(const PtContest *c, const char *name) {
  for (uint32_t a = 0; a < c->n_rows; a++)
    if (g_str_equal(c->rows[a].name, name)) {
      PtSummary s = pt_contest_summary(c, a, PT_NONE);
      g_test_message("%s: area %.3f, first %.3f, kept %.3f", name, s.area, s.first, s.kept);
      return s;
    }
  g_assert_not_reached();
}

static void test_coherence(void) {
  static const char *const blind[] = {"twin-near", "twin-gap", "habits", "numbers", "rare-here"};
  g_autoptr(GPtrArray) targets = models(false);
  g_autoptr(PtContest) c = contest(targets);
  for (size_t i = 0; i < G_N_ELEMENTS(blind); i++)
    g_assert_cmpfloat(fabs(said(c, blind[i]).area - 0.5), <, 0.15); /* three standard errors */
  PtSummary tuples = said(c, "tuples"), whole = said(c, PT_WHOLE_NAME);
  g_assert_cmpfloat(tuples.area, >, 0.9);
  g_assert_cmpfloat(tuples.kept, <, 0.7);
  g_assert_cmpfloat(whole.area, >, 0.9);
  g_assert_cmpfloat(whole.kept, <, 0.5);
}

static void test_nothing(void) {
  g_autoptr(GPtrArray) targets = models(true);
  g_autoptr(PtContest) c = contest(targets);
  PtSummary tuples = said(c, "tuples"), whole = said(c, PT_WHOLE_NAME);
  g_assert_cmpfloat(fabs(tuples.area - 0.5), <, 0.15);
  g_assert_cmpfloat(tuples.kept, >, 0.95);
  g_assert_cmpfloat(fabs(whole.area - 0.5), <, 0.15);
  g_assert_cmpfloat(whole.kept, >, 0.9);
}

/* What a jury says of a model is what it was trained to; it comes back from a file as it was. */
static void test_jury(void) {
  g_autoptr(GPtrArray) targets = models(false);
  g_autoptr(PtContest) c = contest(targets);
  g_autoptr(PtJury) jury = pt_jury_train(c);
  g_assert_true(jury->has_whole);
  g_autofree char *folder = pt_dir_make_temp("audit-test", NULL);
  g_autofree char *path = g_build_filename(folder, "jury.bin", NULL);
  GError *error = NULL;
  g_assert_true(pt_jury_write(jury, path, &error));
  g_autoptr(PtJury) again = pt_jury_read(path, &error);
  g_assert_no_error(error);
  PtCase *fresh = targets->pdata[0];
  g_autoptr(PtContest) one = pt_jury_hear(jury, fresh), two = pt_jury_hear(again, fresh);
  g_assert_cmpuint(one->n_rows, ==, c->n_rows);
  g_assert_cmpuint(two->n_rows, ==, c->n_rows);
  for (uint32_t a = 0; a < one->n_rows; a++) {
    g_assert_cmpstr(one->rows[a].name, ==, two->rows[a].name);
    g_assert_true(memcmp(one->rows[a].scores[0], two->rows[a].scores[0],
                         fresh->sights->len * sizeof(double)) == 0);
  }
  g_assert_cmpfloat(said(one, PT_WHOLE_NAME).kept, <, 0.5);
  pt_dir_remove(folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/audit/tuples/by-hand", test_by_hand);
  g_test_add_func("/audit/tuples/law", test_law);
  g_test_add_func("/audit/tuples/repeats", test_repeats);
  g_test_add_func("/audit/tuples/coherence", test_coherence);
  g_test_add_func("/audit/tuples/nothing", test_nothing);
  g_test_add_func("/audit/tuples/jury", test_jury);
  return g_test_run();
}
