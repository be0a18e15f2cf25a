/* The table over public models, on four small ones: generators without the model's family,
 * topologies too; seed by seed, kept, summed, gone on with; a model that cannot be protected is
 * named, and the others are judged. */
#include "audit/audit_private.h"
#include "runtime/runtime.h"

#include <string.h>

static const char *const names[] = {"alexnet", "resnet18", "squeezenet1_1", "nats_cell_a"};
static const char *const only[] = {"sequences-high", "centre", "answers", NULL};
static char *folder, *corpus, *work;

static void set_up(void) {
  GError *error = NULL;
  folder = pt_dir_make_temp("proteus-test-survey", &error);
  g_assert_no_error(error);
  corpus = g_build_filename(folder, "corpus", NULL);
  work = g_build_filename(folder, "work", NULL);
  g_assert_true(pt_dir_make(corpus, NULL));
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *file = g_strconcat(names[i], ".onnx", NULL);
    g_autofree char *from = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", file, NULL),
                    *to = g_build_filename(corpus, file, NULL), *data = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(from, &data, &size, NULL));
    g_assert_true(g_file_set_contents(to, data, (gssize)size, NULL));
  }
}

static PtAuditSurvey *survey(const char *mode, uint32_t seeds) {
  GError *error = NULL;
  PtAuditOptions options = {.corpus = corpus,
                            .work = work,
                            .only = only,
                            .mode = mode,
                            .n = 3,
                            .k = 4,
                            .seeds = seeds,
                            .folds = 2,
                            .groups = 2};
  PtAuditSurvey *s = pt_audit_survey(&options, &error);
  g_assert_no_error(error);
  return s;
}

static const PtAuditLine *line(const PtAuditSurvey *s, const char *name) {
  for (guint i = 0; i < s->all->lines->len; i++) {
    const PtAuditLine *l = &g_array_index(s->all->lines, PtAuditLine, i);
    if (g_str_equal(l->adversary, name))
      return l;
  }
  g_assert_not_reached();
}

/* Files below `work` whose name begins so; *sum: of all their bytes. */
static guint files(const char *prefix, const char *in, char **sum) {
  g_autoptr(GPtrArray) labs = pt_dir_list(work, NULL, NULL);
  g_autoptr(GString) all = g_string_new(NULL);
  guint n = 0;
  g_assert_cmpuint(labs->len, ==, 1);
  g_autofree char *lab = g_build_filename(work, labs->pdata[0], NULL);
  g_autoptr(GPtrArray) entries = pt_dir_list(lab, NULL, NULL);
  for (guint i = 0; i < entries->len; i++) {
    g_autofree char *path = g_build_filename(lab, entries->pdata[i], in, NULL);
    if (!g_str_has_prefix(entries->pdata[i], prefix) || !g_file_test(path, G_FILE_TEST_EXISTS))
      continue;
    n++;
    if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
      g_autofree char *one = pt_sha256_file(path, NULL);
      g_string_append(all, one);
    }
  }
  if (sum)
    *sum = g_strdup(all->str);
  return n;
}

static void test_seeds(void) {
  g_autofree char *before = NULL, *after = NULL;
  g_autoptr(PtAuditSurvey) one = survey("random", 1);
  g_assert_cmpuint(one->seeds, ==, 1);
  g_assert_cmpuint(one->failed->len, ==, 0);
  g_assert_cmpuint(one->models->len, ==, G_N_ELEMENTS(names));
  g_assert_cmpuint(files("tally-", "", &before), ==, 1);
  /* shapes are learned without the family, as the rest: not those that ship */
  g_autofree char *shipped = pt_data_find("topology.bin"), *learned = NULL;
  g_autofree char *sum = pt_sha256_file(shipped, NULL);
  g_assert_cmpuint(files("without-", "topology.bin", &learned), ==, 2);
  g_assert_null(strstr(learned, sum));
  /* random operators show, and most to who asks an optimizer or knows sequences */
  g_assert_cmpfloat(MAX(line(one, "sequences-high")->area, line(one, "answers")->area), >, 0.8);

  g_autoptr(PtAuditSurvey) two = survey("random", 2);
  g_assert_cmpuint(two->seeds, ==, 2);
  g_assert_cmpuint(files("tally-", "", &after), ==, 2);
  g_assert_cmpuint(line(two, "centre")->runs, ==, 2 * G_N_ELEMENTS(names));
  g_assert_cmpfloat(line(two, "centre")->area_seeds, >, 0);
  g_assert_nonnull(strstr(after, before)); /* the first is as it was */
  g_autoptr(PtAuditSurvey) again = survey("random", 2);
  for (guint i = 0; i < two->all->lines->len; i++) {
    const PtAuditLine *a = &g_array_index(two->all->lines, PtAuditLine, i),
                      *b = &g_array_index(again->all->lines, PtAuditLine, i);
    g_assert_cmpfloat(a->kept, ==, b->kept);
    g_assert_cmpfloat(a->area, ==, b->area);
    g_assert_cmpfloat(a->kept_error, ==, b->kept_error);
  }
}

/* A run that cannot be made: its place is taken. */
static void test_failed(void) {
  g_autoptr(GPtrArray) labs = pt_dir_list(work, NULL, NULL);
  g_autofree char *name = g_strdup_printf("%s-random-n3-k5-0-of-2", names[0]);
  g_autofree char *taken = g_build_filename(work, labs->pdata[0], name, NULL);
  g_autofree char *secret = g_strconcat(taken, ".secret", NULL);
  g_assert_true(g_file_set_contents(secret, "{}", 2, NULL));
  GError *error = NULL;
  PtAuditOptions options = {.corpus = corpus,
                            .work = work,
                            .only = only,
                            .mode = "random",
                            .n = 3,
                            .k = 5,
                            .seeds = 1,
                            .folds = 2,
                            .groups = 2};
  g_autoptr(PtAuditSurvey) s = pt_audit_survey(&options, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(s->models->len, ==, G_N_ELEMENTS(names) - 1);
  g_assert_cmpuint(s->failed->len, ==, 1);
  g_assert_true(g_str_has_prefix(s->failed->pdata[0], names[0]));
}

static void test_survey(void) {
  test_seeds();
  test_failed();
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  GError *error = NULL;
  g_assert_true(pt_runtime_load(&error));
  set_up();
  g_test_add_func("/audit/survey", test_survey);
  int status = g_test_run();
  pt_dir_remove(folder);
  return status;
}
