/* The file of trained adversaries is hostile input: cut short, with bits turned, random, of another
 * version, with numbers of things that are not there, it is refused in one sentence, or what comes
 * of it can be asked. */
#include "planted.h"

#include <string.h>

#define MODELS 3
#define BUCKETS 2
#define K 8

static GPtrArray *cases;
static GByteArray *all, *light; /* juries: of every adversary; of those that keep little */

static PtContest *contest(const char *const *only) {
  PtContestOptions options = {.folds = 2, .only = only};
  PtSeed seed;
  pt_seed_init(&seed, "store");
  return pt_contest_new(cases, &options, &seed);
}

static GByteArray *jury_of(const char *const *only) {
  g_autoptr(PtContest) c = contest(only);
  g_autoptr(PtJury) j = pt_jury_train(c);
  return pt_jury_bytes(j);
}

static void set_up(void) {
  static const char *const few[] = {"centre",  "pi-high", "numbers", "files",
                                    "answers", "tuples",  NULL};
  PtSeed seed;
  pt_seed_init(&seed, "store");
  cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  for (uint32_t m = 0; m < MODELS; m++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "plant", m);
    PtCase *t = pt_case_new("made up");
    t->model = t->family = m;
    for (uint32_t b = 0; b < BUCKETS; b++) {
      Piece p[K + 1];
      for (uint32_t i = 0; i <= K; i++)
        p[i] = i ? planted_noise(rng, 9) : planted_piece(rng, 0);
      planted_bucket(t, p, K + 1, rng, "");
    }
    for (guint i = 0; i < t->sights->len; i++) { /* no optimizer is asked here */
      PtSight *s = t->sights->pdata[i];
      uint64_t ids[] = {1, 2, 2, 3 + m};
      s->has_answer = true;
      for (uint32_t f = 0; f < PT_ANSWER_NUMBERS; f++)
        s->answer[f] = pt_rng_unit(rng);
      s->answer_ops = pt_sparse_of(ids, G_N_ELEMENTS(ids));
    }
    g_ptr_array_add(cases, t);
  }
  const char *most[64] = {NULL}; /* the paper's network is one, too */
  for (uint32_t a = 0, n = 0; pt_adversaries[a]; a++)
    if (!g_str_equal(pt_adversaries[a]->name, "paper"))
      most[n++] = pt_adversaries[a]->name;
  all = jury_of(most);
  light = jury_of(few);
}

/* Whatever it says, it says it. */
static bool ask(const void *data, size_t size) {
  g_autoptr(PtJury) j = pt_jury_parse(data, size);
  if (!j)
    return false;
  g_autoptr(PtContest) c = pt_jury_hear(j, cases->pdata[0]);
  g_assert_cmpuint(c->n_rows, >=, j->seats->len + 1);
  return true;
}

static void test_whole(void) {
  uint32_t n = 0;
  while (pt_adversaries[n])
    n++;
  g_autoptr(PtJury) j = pt_jury_parse(all->data, all->len);
  g_assert_nonnull(j);
  g_assert_cmpuint(j->seats->len, ==, n - 1);
  g_autoptr(GByteArray) again = pt_jury_bytes(j);
  g_assert_cmpmem(again->data, (int)again->len, all->data, (int)all->len);
  g_assert_true(ask(all->data, all->len));
  g_assert_true(ask(light->data, light->len));
}

static void test_cut(void) {
  g_test_message("%u and %u bytes", light->len, all->len);
  for (guint size = 0; size < light->len; size++)
    g_assert_false(ask(light->data, size));
  for (guint size = 0; size < all->len; size += 1 + all->len / 100)
    g_assert_false(ask(all->data, size));
  g_autoptr(GByteArray) more = g_byte_array_new();
  pt_put(more, light->data, light->len);
  pt_put(more, "", 1);
  g_assert_false(ask(more->data, more->len));
}

static void test_turned(void) {
  PtSeed seed;
  pt_seed_init(&seed, "turned");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "turned", 0);
  uint32_t taken = 0;
  for (uint32_t i = 0; i < 200; i++) {
    const GByteArray *from = i % 10 ? light : all;
    g_autofree uint8_t *copy = g_memdup2(from->data, from->len);
    for (uint32_t k = 0; k <= i % 4; k++)
      copy[pt_rng_below(rng, from->len)] ^= (uint8_t)(1 + pt_rng_below(rng, 255));
    taken += ask(copy, from->len);
  }
  g_test_message("%u of 200 are taken", taken);
}

static void test_random(void) {
  PtSeed seed;
  pt_seed_init(&seed, "random");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "random", 0);
  for (uint32_t i = 0; i < 300; i++) {
    uint8_t noise[512];
    pt_rng_bytes(rng, noise, sizeof noise);
    g_assert_false(ask(noise, (size_t)pt_rng_below(rng, sizeof noise)));
  }
}

/* Numbers of things beyond what there is are no reason to make room for them. */
static void test_counts(void) {
  for (guint at = 0; at + 4 <= light->len; at += 5) {
    g_autofree uint8_t *copy = g_memdup2(light->data, light->len);
    memset(copy + at, 0xff, 4);
    (void)ask(copy, light->len);
    memset(copy + at, 0x7f, 4);
    (void)ask(copy, light->len);
  }
}

static void refused(const char *path, const void *data, size_t size) {
  GError *error = NULL;
  g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
  g_assert_null(pt_jury_read(path, &error));
  g_assert_nonnull(error);
  g_assert_true(error->code == PT_ERR_INPUT || error->code == PT_ERR_IO);
  g_assert_nonnull(strstr(error->message, path));
  g_error_free(error);
}

static void test_files(void) {
  g_autofree char *folder = pt_dir_make_temp("audit-store", NULL);
  g_autofree char *path = g_build_filename(folder, "audit.bin", NULL), *file = NULL;
  GError *error = NULL;
  g_autoptr(PtJury) j = pt_jury_parse(light->data, light->len);
  g_assert_true(pt_jury_write(j, path, &error));
  gsize size;
  g_assert_true(g_file_get_contents(path, &file, &size, NULL));
  g_autoptr(PtJury) same = pt_jury_read(path, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(same->seats->len, ==, j->seats->len);
  for (gsize cut = 0; cut < size; cut += 1 + size / 20)
    refused(path, file, cut);
  file[7]--; /* of another version */
  refused(path, file, size);
  file[7] = (char)(file[7] + 2);
  refused(path, file, size);
  file[7]--;
  file[0] = 'Q';
  refused(path, file, size);
  g_autofree char *nowhere = g_build_filename(folder, "nowhere", NULL);
  g_assert_null(pt_jury_read(nowhere, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  g_clear_error(&error);
  pt_dir_remove(folder);
}

/* What ships is read, and says something of each adversary that it has. */
static void test_shipped(void) {
  GError *error = NULL;
  g_autofree char *path = g_build_filename(g_getenv("PT_TEST_SOURCE"), "data", "audit.bin", NULL);
  g_autoptr(PtJury) j = pt_jury_read(path, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(j->seats->len, >=, 15);
  g_autoptr(PtContest) c = pt_jury_hear(j, cases->pdata[0]);
  g_assert_cmpuint(c->n_rows, >, j->seats->len);
}

/* Advice is what was measured to help. */
static void test_remedies(void) {
  static const char *const no_use[] = {"corpus", "public models like", "more steps", "smaller n"};
  static const char *const finer[] = {"network", "paths", "trees", "tuples", "twin-near", "pi-low"};
  for (uint32_t a = 0; pt_adversaries[a]; a++)
    for (size_t i = 0; i < G_N_ELEMENTS(no_use); i++)
      g_assert_null(strstr(pt_adversaries[a]->remedy, no_use[i]));
  for (size_t i = 0; i < G_N_ELEMENTS(finer); i++) {
    const char *remedy = pt_adversary_find(finer[i])->remedy;
    const char *pieces = strstr(remedy, "a larger n"), *sentinels = strstr(remedy, "a larger k");
    g_assert_true(pieces && sentinels && pieces < sentinels);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  set_up();
  g_test_add_func("/audit/store/whole", test_whole);
  g_test_add_func("/audit/store/cut", test_cut);
  g_test_add_func("/audit/store/turned", test_turned);
  g_test_add_func("/audit/store/random", test_random);
  g_test_add_func("/audit/store/counts", test_counts);
  g_test_add_func("/audit/store/files", test_files);
  g_test_add_func("/audit/store/shipped", test_shipped);
  g_test_add_func("/audit/store/remedies", test_remedies);
  int status = g_test_run();
  g_ptr_array_unref(cases);
  g_byte_array_unref(all);
  g_byte_array_unref(light);
  return status;
}
