/* Audits as scripts and people read them: the shape of the JSON, pages that need nothing else. */
#include "../audit/planted.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

/* Nothing is fetched, and what is there is well formed. */
static void self_contained(const char *page) {
  static const char *const outside[] = {
      "src=", "href=", "@import", "url(", "https:", "<link", "<iframe", "fetch(", "XMLHttp"};
  for (size_t i = 0; i < G_N_ELEMENTS(outside); i++)
    g_assert_null(strstr(page, outside[i]));
  for (const char *at = page; (at = strstr(at, "http:")); at++)
    g_assert_true(g_str_has_prefix(at, "http://www.w3.org/2000/svg"));
}

static guint times(const char *text, const char *word) {
  guint n = 0;
  for (; (text = strstr(text, word)); text += strlen(word))
    n++;
  return n;
}

/* ---- tables ---------------------------------------------------------------------------------- */
static double real_of(const json_t *o, const char *key) {
  const json_t *value = json_object_get(o, key);
  g_assert_true(json_is_number(value));
  return json_number_value(value);
}

static void test_paper(void) {
  g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(PtPaperRow));
  PtPaperRow row = {
      .model = "resnet", .n = 10, .k = 20, .ours = {0.1, 0.9, 12}, .random = {0.9, 0.2, 3}};
  g_array_append_val(rows, row);
  json_t *json = pt_json_paper(rows);
  const json_t *list = json_object_get(json, "rows");
  g_assert_cmpuint(json_array_size(list), ==, 1);
  const json_t *one = json_array_get(list, 0), *random = json_object_get(one, "random");
  g_assert_cmpstr(json_string_value(json_object_get(one, "model")), ==, "resnet");
  g_assert_cmpint((int)json_integer_value(json_object_get(one, "n")), ==, 10);
  g_assert_cmpint((int)json_integer_value(json_object_get(one, "k")), ==, 20);
  g_assert_cmpfloat(real_of(one, "specificity"), ==, 0.1);
  g_assert_cmpfloat(real_of(one, "gamma"), ==, 0.9);
  g_assert_cmpfloat(fabs(real_of(one, "candidates") / 1e12 - 1), <, 1e-9);
  g_assert_cmpuint(json_object_size(random), ==, 3);
  g_assert_cmpfloat(real_of(random, "specificity"), ==, 0.9);
  g_assert_cmpfloat(real_of(random, "gamma"), ==, 0.2);
  g_assert_cmpfloat(fabs(real_of(random, "candidates") / 1e3 - 1), <, 1e-9);
  json_decref(json);
  g_autofree char *text = pt_text_paper(rows);
  g_assert_nonnull(strstr(text, "1.00e12"));
  g_assert_nonnull(strstr(text, "Mean specificity 0.100"));
}

static void test_sweep(void) {
  static const char *const models[] = {"one", "<two>"};
  g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(PtSweepRow));
  for (size_t m = 0; m < G_N_ELEMENTS(models); m++)
    for (uint32_t i = 0; i < 9; i++) {
      PtSweepRow row = {.model = models[m],
                        .varied = "nkr"[i / 3],
                        .n = i < 3 ? 4u << i : 8,
                        .k = i / 3 == 1 ? 5u << i % 3 : 10,
                        .r = i / 3 == 2 ? 1000u << i % 3 : 4000,
                        .bits = 10.0 * i,
                        .most_bits = 100,
                        .kept = 0.1 * i,
                        .worst = "trees",
                        .slowdown = i == 4 ? NAN : 0.01 * i - 0.02};
      g_array_append_val(rows, row);
    }
  json_t *json = pt_json_sweep(rows);
  const json_t *list = json_object_get(json, "rows");
  g_assert_cmpuint(json_array_size(list), ==, 18);
  g_assert_cmpstr(json_string_value(json_object_get(json_array_get(list, 3), "varied")), ==, "k");
  g_assert_true(json_is_null(json_object_get(json_array_get(list, 4), "slowdown")));
  json_decref(json);
  g_autofree char *svg = pt_svg_sweep(rows), *text = pt_text_sweep(rows);
  GMarkupParser nothing = {0};
  GMarkupParseContext *parser = g_markup_parse_context_new(&nothing, 0, NULL, NULL);
  GError *error = NULL;
  g_assert_true(g_markup_parse_context_parse(parser, svg, (gssize)strlen(svg), &error));
  g_assert_true(g_markup_parse_context_end_parse(parser, &error));
  g_markup_parse_context_free(parser);
  self_contained(svg);
  g_assert_null(strstr(svg, "nan"));
  g_assert_cmpuint(times(svg, "<polyline"), ==, 3 * 5 * 2);
  g_assert_cmpuint(times(svg, "<circle"), ==, 2 * (4 * 9 + 8));
  g_assert_cmpuint(times(text, "\n"), ==, 19);
}

/* ---- one bundle ------------------------------------------------------------------------------ */
static PtAuditModel *model(const char *name) {
  PtAuditModel *m = g_new0(PtAuditModel, 1);
  m->name = g_strdup(name);
  m->lines = g_array_new(FALSE, TRUE, sizeof(PtAuditLine));
  m->buckets = g_ptr_array_new();
  for (int i = 0; i < 2; i++) {
    PtAuditLine line = {.adversary = i ? "stack" : "trees",
                        .looks = "looks & sees",
                        .remedy = "a larger k",
                        .runs = 1,
                        .buckets = 1,
                        .bits = 1 + i,
                        .most_bits = 4,
                        .kept = (1 + i) / 4.0,
                        .area = 0.7,
                        .first = 0.2,
                        .chance = 0.05};
    g_array_append_val(m->lines, line);
  }
  PtAuditBucket *b = g_new0(PtAuditBucket, 1);
  *b = (PtAuditBucket){.n = 5,
                       .nodes = 9,
                       .real = g_strdup("0123456789abcdef"),
                       .bits = 1,
                       .most_bits = log2(5),
                       .rank = 2,
                       .why = g_ptr_array_new_with_free_func(g_free)};
  g_ptr_array_add(b->why, g_strdup("Relu <occurs>"));
  g_ptr_array_add(m->buckets, b);
  return m;
}

static void model_free(PtAuditModel *m) {
  PtAuditBucket *b = m->buckets->pdata[0];
  g_free(b->real);
  g_ptr_array_unref(b->why);
  g_free(b);
  pt_audit_model_free(m);
}

static void test_page(void) {
  PtAuditModel *m = model("a<script>alert(1)</script>");
  g_autofree char *page = pt_html_audit(m, NULL), *text = pt_text_audit(m);
  self_contained(page);
  g_assert_null(strstr(page, "<script"));
  g_assert_null(strstr(page, "<occurs>"));
  g_assert_nonnull(strstr(page, "a larger k"));
  g_assert_nonnull(strstr(page, "01234567"));
  g_assert_nonnull(strstr(text, "The most dangerous is trees"));
  json_t *json = pt_json_audit(m);
  static const char *const keys[] = {"model", "adversaries",  "most_dangerous", "buckets",
                                     "bits",  "bits_at_best", "advice"};
  for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
    g_assert_nonnull(json_object_get(json, keys[i]));
  g_assert_cmpuint(json_array_size(json_object_get(json, "adversaries")), ==, 2);
  const json_t *bucket = json_array_get(json_object_get(json, "buckets"), 0);
  g_assert_cmpint((int)json_integer_value(json_object_get(bucket, "rank")), ==, 2);
  json_decref(json);
  model_free(m);
}

static void test_survey(void) {
  g_autoptr(GPtrArray) models = g_ptr_array_new();
  PtAuditModel *all = model("all"), *one = model("one");
  PtAuditLine *line = &g_array_index(all->lines, PtAuditLine, 0);
  line->kept_error = 0.02;
  line->kept_seeds = 0.004;
  g_ptr_array_add(models, one);
  PtAuditSurvey s = {.all = all,
                     .models = models,
                     .tells = g_ptr_array_new_with_free_func(g_free),
                     .failed = g_ptr_array_new_with_free_func(g_free),
                     .seeds = 3,
                     .worst_mean = 0.9,
                     .worst_least = 0.8,
                     .worst_model = one->name};
  g_ptr_array_add(s.tells, g_strdup("nodes: 0.400 +- 0.010"));
  g_ptr_array_add(s.failed, g_strdup("other, seed 1: no room"));
  g_autofree char *text = pt_text_survey(&s);
  g_assert_nonnull(strstr(text, "0.250 +- 0.020 / 0.004"));
  g_assert_nonnull(strstr(text, "3 seeds"));
  g_assert_nonnull(strstr(text, "Left out: other, seed 1: no room"));
  g_assert_nonnull(strstr(text, "nodes: 0.400"));
  json_t *json = pt_json_survey(&s);
  const json_t *worst = json_object_get(json, "most_dangerous_of_each");
  g_assert_cmpfloat(real_of(worst, "kept"), ==, 0.9);
  g_assert_cmpfloat(real_of(worst, "kept_least"), ==, 0.8);
  g_assert_cmpstr(json_string_value(json_object_get(worst, "model")), ==, "one");
  g_assert_cmpuint(json_array_size(json_object_get(json, "failed")), ==, 1);
  const json_t *lines = json_object_get(json_object_get(json, "all"), "adversaries");
  g_assert_cmpfloat(real_of(json_array_get(lines, 0), "kept_error_of_seeds"), ==, 0.004);
  json_decref(json);
  g_ptr_array_unref(s.tells);
  g_ptr_array_unref(s.failed);
  model_free(all);
  model_free(one);
}

/* ---- the questionnaire ----------------------------------------------------------------------- */
static void test_quiz(void) {
  g_autofree char *program = g_find_program_in_path("dot");
  if (!program) {
    g_test_skip("there is no dot");
    return;
  }
  g_autoptr(GPtrArray) graphs = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  bool real[20];
  char key[21] = {0};
  PtSeed seed;
  pt_seed_init(&seed, "quiz");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "quiz", 0);
  for (uint32_t i = 0; i < 20; i++) {
    Piece p = planted_piece(rng, i % 4);
    real[i] = i % 3 == 0;
    key[i] = real[i] ? 'r' : 'm';
    g_ptr_array_add(graphs, planted_graph(&p, "secret.layer."));
  }
  GError *error = NULL;
  g_autofree char *page = pt_quiz_html(graphs, real, "7 & <7>", &error);
  g_assert_no_error(error);
  self_contained(page);
  g_assert_cmpuint(times(page, "<svg"), ==, 20);
  g_assert_cmpuint(times(page, "value=\"r\""), ==, 20);
  g_assert_cmpuint(times(page, "value=\"m\""), ==, 20);
  g_assert_nonnull(strstr(page, key));
  g_assert_nonnull(strstr(page, "7 &amp; &lt;7&gt;"));
  g_assert_null(strstr(page, "secret.layer")); /* no names */
  g_autofree char *again = pt_quiz_html(graphs, real, "7 & <7>", &error);
  g_assert_cmpstr(page, ==, again);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/report/audit/paper", test_paper);
  g_test_add_func("/report/audit/sweep", test_sweep);
  g_test_add_func("/report/audit/page", test_page);
  g_test_add_func("/report/audit/survey", test_survey);
  g_test_add_func("/report/audit/quiz", test_quiz);
  return g_test_run();
}
