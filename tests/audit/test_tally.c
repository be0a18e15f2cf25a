/* What a contest told can be kept and summed; what is kept is refused if it is damaged. */
#include "planted.h"

#include <math.h>
#include <string.h>

#define MODELS 3
#define BUCKETS 3
#define K 6

static PtTally *tally_of(uint32_t number) {
  static const char *const only[] = {"centre", "numbers", "twin-near", NULL};
  PtSeed seed;
  pt_seed_init(&seed, "tally");
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  for (uint32_t m = 0; m < MODELS; m++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "plant", m + 10 * number);
    PtCase *t = pt_case_new(m ? "made up" : "first");
    t->model = t->family = m;
    t->seed = number;
    for (uint32_t b = 0; b < BUCKETS + m; b++) {
      Piece p[K + 1];
      for (uint32_t i = 0; i <= K; i++)
        p[i] = i ? planted_noise(rng, 9 + number) : planted_piece(rng, 0);
      planted_bucket(t, p, K + 1, rng, NULL);
    }
    g_ptr_array_add(cases, t);
  }
  PtContestOptions options = {.only = only};
  GPtrArray *failed = g_ptr_array_new_with_free_func(g_free);
  if (number == 0)
    g_ptr_array_add(failed, g_strdup("a model, seed 0: too odd"));
  return pt_tally_new(pt_contest_new(cases, &options, &seed), pt_tells(cases), failed);
}

static void same(double a, double b) {
  g_assert_cmpfloat(fabs(a - b), <, 1e-12);
}

static void test_again(void) {
  g_autoptr(PtTally) t = tally_of(0);
  g_autoptr(GByteArray) bytes = pt_tally_bytes(t);
  g_autoptr(PtTally) read = pt_tally_parse(bytes->data, bytes->len);
  g_assert_nonnull(read);
  g_autoptr(GByteArray) again = pt_tally_bytes(read);
  g_assert_cmpmem(again->data, (int)again->len, bytes->data, (int)bytes->len);
  g_assert_cmpuint(read->contest->n_rows, ==, 4); /* and the stack */
  for (uint32_t a = 0; a < read->contest->n_rows; a++)
    for (uint32_t m = 0; m <= MODELS; m++) {
      PtAuditModel *x = pt_contest_model(t->contest, "x", m < MODELS ? m : PT_NONE),
                   *y = pt_contest_model(read->contest, "y", m < MODELS ? m : PT_NONE);
      const PtAuditLine *l = &g_array_index(x->lines, PtAuditLine, a),
                        *r = &g_array_index(y->lines, PtAuditLine, a);
      g_assert_cmpstr(l->adversary, ==, r->adversary);
      same(l->kept, r->kept);
      same(l->area, r->area);
      same(l->beta, r->beta);
      same(l->log10_candidates, r->log10_candidates);
      pt_audit_model_free(x);
      pt_audit_model_free(y);
    }
}

static void test_sum(void) {
  g_autoptr(PtTally) a = tally_of(0), b = tally_of(1);
  g_autoptr(GPtrArray) both = g_ptr_array_new();
  g_ptr_array_add(both, a);
  g_ptr_array_add(both, b);
  g_autoptr(PtTally) sum = pt_tally_sum(both);
  g_assert_nonnull(sum);
  PtSummary x = pt_contest_summary(a->contest, 1, PT_NONE),
            y = pt_contest_summary(b->contest, 1, PT_NONE),
            z = pt_contest_summary(sum->contest, 1, PT_NONE);
  g_assert_cmpuint(z.buckets, ==, x.buckets + y.buckets);
  g_assert_cmpuint(z.runs, ==, 2 * MODELS);
  same(z.kept * z.most_bits * z.buckets,
       x.kept * x.most_bits * x.buckets + y.kept * y.most_bits * y.buckets);
  g_assert_cmpfloat(z.area_seeds, >=, 0);
  g_assert_cmpuint(sum->failed->len, ==, 1);
  /* a tell's mean */
  const PtTell *t = sum->tells->pdata[0];
  double mean = 0, n = 0;
  for (guint i = 0; i < both->len; i++) {
    const PtTally *one = both->pdata[i];
    for (guint k = 0; k < one->tells->len; k++) {
      const PtTell *s = one->tells->pdata[k];
      if (g_str_equal(s->what, t->what)) {
        mean += s->area * s->buckets;
        n += s->buckets;
      }
    }
  }
  same(t->area, mean / n);
  g_assert_cmpuint(t->buckets, ==, (uint32_t)n);
  /* of other adversaries: no sum */
  b->contest->n_rows--;
  g_assert_null(pt_tally_sum(both));
  b->contest->n_rows++;
}

static void test_damaged(void) {
  g_autoptr(PtTally) t = tally_of(0);
  g_autoptr(GByteArray) bytes = pt_tally_bytes(t);
  for (guint size = 0; size < bytes->len; size += 1 + bytes->len / 500)
    g_assert_null(pt_tally_parse(bytes->data, size));
  PtSeed seed;
  pt_seed_init(&seed, "damaged");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "damaged", 0);
  for (uint32_t i = 0; i < 300; i++) {
    g_autofree uint8_t *copy = g_memdup2(bytes->data, bytes->len);
    copy[pt_rng_below(rng, i % 2 ? bytes->len : 200)] ^= (uint8_t)(1 + pt_rng_below(rng, 255));
    PtTally *read = pt_tally_parse(copy, bytes->len); /* refused, or sound */
    if (read) {
      g_autoptr(GByteArray) again = pt_tally_bytes(read);
      g_assert_cmpuint(again->len, >, 0);
    }
    pt_tally_free(read);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/audit/tally/again", test_again);
  g_test_add_func("/audit/tally/sum", test_sum);
  g_test_add_func("/audit/tally/damaged", test_damaged);
  return g_test_run();
}
