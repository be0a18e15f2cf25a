/* The audit must be able to win: each weakness is planted, and the adversary made for it finds it;
 * and where there is none, nobody finds anything. */
#include "planted.h"

#include <math.h>
#include <string.h>

#define MODELS 6
#define BUCKETS 10
#define K 10

typedef void (*Plant)(PtCase *t, uint32_t model, PtRng *rng);

static GPtrArray *plant(Plant with, const char *purpose) {
  PtSeed seed;
  pt_seed_init(&seed, purpose);
  GPtrArray *targets = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  for (uint32_t m = 0; m < MODELS; m++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "plant", m);
    PtCase *t = pt_case_new("made up");
    t->model = t->family = m;
    with(t, m, rng);
    g_ptr_array_add(targets, t);
  }
  return targets;
}

static double area(GPtrArray *targets, const char *adversary, double *kept) {
  const char *only[] = {adversary, NULL};
  PtContestOptions options = {.only = only, .folds = 2};
  PtSeed seed;
  pt_seed_init(&seed, "test");
  g_autoptr(PtContest) c = pt_contest_new(targets, &options, &seed);
  g_assert_cmpuint(c->n_rows, ==, 1);
  g_assert_cmpstr(c->rows[0].name, ==, adversary);
  PtSummary s = pt_contest_summary(c, 0, PT_NONE);
  g_test_message("%s: area %.3f, first %.3f, kept %.3f", adversary, s.area, s.first, s.kept);
  if (kept)
    *kept = s.kept;
  return s.area;
}

static void wins(GPtrArray *targets, const char *adversary) {
  double kept, found = area(targets, adversary, &kept);
  g_assert_cmpfloat(found, >, 0.9);
  g_assert_cmpfloat(kept, <, 0.7);
}

/* ---- weaknesses ------------------------------------------------------------------------------ */
static void random_opcodes(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    p[0] = planted_piece(rng, 0);
    for (uint32_t i = 1; i <= K; i++)
      p[i] = planted_noise(rng, p[0].n);
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}

static void real_at_centre(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    p[0] = planted_piece(rng, 0);
    for (uint32_t i = 1; i <= K; i++)
      p[i] = planted_edit(&p[0], rng, 3);
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}

static void real_at_edge(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    Piece centre = planted_piece(rng, 0);
    p[0] = planted_edit(&centre, rng, 9);
    for (uint32_t i = 1; i <= K; i++)
      p[i] = planted_edit(&centre, rng, 2);
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}

/* Few sizes and plain chains for sentinels; the real piece is of their mean, or long and joined. */
static void statistics(PtCase *t, PtRng *rng, bool centre) {
  Piece p[K + 1];
  for (uint32_t b = 0; b < BUCKETS; b++) {
    for (uint32_t i = 0; i <= K; i++) {
      uint32_t n = i == 0 ? (centre ? 10 : 15) : centre ? (i % 2 ? 6 : 14) : 9 + i % 3;
      p[i] = planted_noise(rng, n);
      for (uint32_t k = 0; k < n; k++)
        if (p[i].genes[k].op >= ADD)
          p[i].genes[k].op = RELU;
    }
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}
static void statistics_centre(PtCase *t, uint32_t model, PtRng *rng) {
  (void)model;
  statistics(t, rng, true);
}
static void statistics_edge(PtCase *t, uint32_t model, PtRng *rng) {
  (void)model;
  statistics(t, rng, false);
}

static void repeated_block(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1], block = planted_noise(rng, 11);
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    p[0] = planted_edit(&block, rng, 1);
    for (uint32_t i = 1; i <= K; i++)
      p[i] = planted_noise(rng, 11);
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}

/* Every sentinel has a twin in each other bucket, the real pieces have none. */
static void twinless(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1], blocks[K + 1];
  (void)model;
  for (uint32_t i = 1; i <= K; i++)
    blocks[i] = planted_noise(rng, 11);
  for (uint32_t b = 0; b < BUCKETS; b++) {
    p[0] = planted_noise(rng, 11);
    for (uint32_t i = 1; i <= K; i++)
      p[i] = planted_edit(&blocks[i], rng, 1);
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}

/* All models share a stock of pieces: real pieces are from it, or only sentinels are. */
static void dictionary(PtCase *t, PtRng *rng, bool near, uint32_t model) {
  PtSeed seed;
  pt_seed_init(&seed, "stock");
  g_autoptr(PtRng) stock_rng = pt_rng_new(&seed, "stock", 0);
  Piece p[K + 1], stock[BUCKETS];
  for (uint32_t b = 0; b < BUCKETS; b++)
    stock[b] = planted_noise(stock_rng, 11);
  for (uint32_t b = 0; b < BUCKETS; b++) {
    bool public = near || model < MODELS / 2;
    p[0] = public ? planted_edit(&stock[b], rng, 1) : planted_noise(rng, 11);
    for (uint32_t i = 1; i <= K; i++)
      p[i] = public ? planted_noise(rng, 11) : planted_edit(&stock[(b + i) % BUCKETS], rng, 1);
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}
static void dictionary_near(PtCase *t, uint32_t model, PtRng *rng) {
  dictionary(t, rng, true, model);
}

/* The model's activation is its own; sentinels have that of public models. */
static void habit(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    p[0] = planted_piece(rng, 1);
    for (uint32_t i = 1; i <= K; i++)
      p[i] = planted_piece(rng, 0);
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}

/* Each bucket has an activation of its own, but for the real piece, which has that of the others.
 */
static void lacking_habit(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    p[0] = planted_piece(rng, b % 2);
    for (uint32_t i = 1; i <= K; i++)
      p[i] = planted_piece(rng, 1 - b % 2);
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}

static void other_kernel(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    for (uint32_t i = 0; i <= K; i++) {
      p[i] = planted_piece(rng, 0);
      for (uint32_t k = 0; i > 0 && k < p[i].n; k++)
        if (p[i].genes[k].kernel == 3)
          p[i].genes[k].kernel = 5;
    }
    planted_bucket(t, p, K + 1, rng, NULL);
  }
}

static void name_left(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    for (uint32_t i = 0; i <= K; i++)
      p[i] = planted_piece(rng, 0);
    planted_bucket(t, p, K + 1, rng, "layer1.conv.");
  }
}

static void note_left(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < BUCKETS; b++) {
    for (uint32_t i = 0; i <= K; i++)
      p[i] = planted_piece(rng, 0);
    planted_bucket(t, p, K + 1, rng, PLANTED_LONGER);
  }
}

static void nothing(PtCase *t, uint32_t model, PtRng *rng) {
  Piece p[K + 1];
  (void)model;
  for (uint32_t b = 0; b < 2 * BUCKETS; b++) {
    for (uint32_t i = 0; i <= K; i++)
      p[i] = planted_piece(rng, 0);
    planted_bucket(t, p, K + 1, rng, "");
  }
  for (guint i = 0; i < t->sights->len; i++)
    ((PtSight *)t->sights->pdata[i])->log_pi = pt_rng_normal(rng);
}

/* ---- tests ----------------------------------------------------------------------------------- */
static void test_random_opcodes(void) {
  g_autoptr(GPtrArray) targets = plant(random_opcodes, "random");
  wins(targets, "sequences-high");
  wins(targets, "paths");
  wins(targets, "trees");
  wins(targets, "paper");
  wins(targets, "network");
}

static void test_place(void) {
  g_autoptr(GPtrArray) centre = plant(real_at_centre, "centre"), edge = plant(real_at_edge, "edge"),
                       sizes = plant(statistics_centre, "sizes"),
                       long_ones = plant(statistics_edge, "long");
  wins(centre, "centre");
  wins(edge, "edge");
  wins(sizes, "statistics-centre");
  wins(long_ones, "statistics-edge");
  wins(long_ones, "numbers");
}

static void test_twins(void) {
  g_autoptr(GPtrArray) block = plant(repeated_block, "block"), none = plant(twinless, "twinless");
  wins(block, "twin-near");
  wins(block, "twin-gap");
  wins(none, "twin-far");
}

static void test_dictionary(void) {
  g_autoptr(GPtrArray) near = plant(dictionary_near, "near");
  wins(near, "dictionary-near");
  /* far: the stock is what the first models' real pieces are from */
  g_autoptr(GPtrArray) far = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  PtSeed seed;
  pt_seed_init(&seed, "far");
  for (uint32_t m = 0; m < MODELS; m++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "far", m);
    PtCase *t = pt_case_new("made up");
    t->model = t->family = m;
    dictionary(t, rng, false, m);
    g_ptr_array_add(far, t);
  }
  g_autoptr(GPtrArray) train = g_ptr_array_new(), test = g_ptr_array_new();
  for (uint32_t m = 0; m < MODELS; m++)
    g_ptr_array_add(m < MODELS / 2 ? train : test, far->pdata[m]);
  const PtAdversary *a = pt_adversary_find("dictionary-far");
  PtTraining training = {.targets = train, .seed = seed};
  void *state = a->train(&training);
  for (guint i = 0; i < test->len; i++) {
    PtCase *t = test->pdata[i];
    g_autofree double *scores = g_new(double, t->sights->len);
    g_autofree PtBucketResult *results = g_new(PtBucketResult, t->n_buckets);
    PtCalibration how = {1, true};
    a->score(state, t, scores);
    pt_results(t, scores, &how, results);
    g_assert_cmpfloat(pt_area(results, t->n_buckets), >, 0.9);
  }
  a->free(state);
}

static void test_habits(void) {
  g_autoptr(GPtrArray) lacking = plant(lacking_habit, "lacking");
  wins(lacking, "habits");
  wins(lacking, "rare-here");
}

static void test_attributes(void) {
  g_autoptr(GPtrArray) targets = plant(other_kernel, "kernel");
  wins(targets, "network");
  wins(targets, "paths");
  g_assert_cmpfloat(fabs(area(targets, "paper", NULL) - 0.5), <, 0.1); /* it sees operators only */
}

static void test_files(void) {
  g_autoptr(GPtrArray) targets = plant(name_left, "names");
  wins(targets, "files");
  g_autoptr(GPtrArray) longer = plant(note_left, "longer");
  wins(longer, "files"); /* no name tells, the length does */
  g_autoptr(GPtrArray) graphs = plant(habit, "habit");
  const char *only[] = {"files", NULL};
  PtContestOptions options = {.only = only};
  PtSeed seed;
  pt_seed_init(&seed, "test");
  g_autoptr(PtContest) c = pt_contest_new(graphs, &options, &seed);
  g_assert_cmpuint(c->n_rows, ==, 0); /* no files, no adversary of files */
}

static void test_pi(void) {
  g_autoptr(GPtrArray) targets = plant(nothing, "pi");
  for (int sign = -1; sign <= 1; sign += 2) {
    for (guint i = 0; i < targets->len; i++) {
      const PtCase *t = targets->pdata[i];
      for (uint32_t b = 0; b < t->n_buckets; b++)
        for (uint32_t k = 0; k < t->buckets[b].n; k++)
          ((PtSight *)t->sights->pdata[t->buckets[b].first + k])->log_pi =
              sign * (k == t->real[b] ? 5 : (double)(k % 5));
    }
    wins(targets, sign > 0 ? "pi-high" : "pi-low");
  }
}

/* Real pieces and sentinels are drawn alike. */
static void test_nothing(void) {
  g_autoptr(GPtrArray) targets = plant(nothing, "nothing");
  PtContestOptions options = {.folds = 2};
  PtSeed seed;
  pt_seed_init(&seed, "test");
  g_autoptr(PtContest) c = pt_contest_new(targets, &options, &seed);
  g_assert_cmpuint(c->n_rows, >, 15);
  for (uint32_t a = 0; a < c->n_rows; a++) {
    PtSummary s = pt_contest_summary(c, a, PT_NONE);
    g_test_message("%s: area %.3f, first %.3f, kept %.3f, even %.3f", c->rows[a].name, s.area,
                   s.first, s.kept, s.even);
    g_assert_cmpfloat(fabs(s.area - 0.5), <, 0.09); /* three standard errors */
    g_assert_cmpfloat(s.kept, >, 0.95);
    g_assert_cmpfloat(s.even, >, 1e-4);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/audit/wins/random-opcodes", test_random_opcodes);
  g_test_add_func("/audit/wins/place", test_place);
  g_test_add_func("/audit/wins/twins", test_twins);
  g_test_add_func("/audit/wins/dictionary", test_dictionary);
  g_test_add_func("/audit/wins/habits", test_habits);
  g_test_add_func("/audit/wins/attributes", test_attributes);
  g_test_add_func("/audit/wins/files", test_files);
  g_test_add_func("/audit/wins/pi", test_pi);
  g_test_add_func("/audit/nothing", test_nothing);
  return g_test_run();
}
