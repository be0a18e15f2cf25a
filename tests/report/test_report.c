/* test_report.c: numbers, lines, tables and JSON for people and scripts. */
#include "report/report.h"

#include <math.h>
#include <string.h>

static void test_human(void) {
  static const struct {
    uint64_t bytes;
    const char *text;
  } sizes[] = {
      {0, "0 B"},         {999, "999 B"},      {1000, "1.00 kB"},     {61234, "61.2 kB"},
      {999499, "999 kB"}, {999999, "1.00 MB"}, {97500000, "97.5 MB"}, {UINT64_MAX, "18.4 EB"}};
  for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_autofree char *text = pt_human_size(sizes[i].bytes);
    g_assert_cmpstr(text, ==, sizes[i].text);
  }
  static const struct {
    double seconds;
    const char *text;
  } times[] = {{0, "0 us"},         {0.00034, "340 us"},  {0.0125, "12.50 ms"},
               {0.5, "500 ms"},     {1.9, "1.90 s"},      {59.999, "1 min 00 s"},
               {125, "2 min 05 s"}, {7260, "2 h 01 min"}, {-1, "0 us"},
               {NAN, "n/a"}};
  for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
    g_autofree char *text = pt_human_seconds(times[i].seconds);
    g_assert_cmpstr(text, ==, times[i].text);
  }
  g_autofree char *count = pt_human_count(25557032);
  g_assert_cmpstr(count, ==, "25,557,032");
  g_autofree char *small = pt_human_count(999);
  g_assert_cmpstr(small, ==, "999");
  g_autofree char *percent = pt_human_percent(0.0123);
  g_assert_cmpstr(percent, ==, "+1.2 %");
}

static void test_table(void) {
  PtTable *table = pt_table_new(3);
  pt_table_row(table, (const char *const[]){"", "mean", "x"});
  pt_table_row(table, (const char *const[]){"unoptimized", "1", NULL});
  g_autofree char *text = pt_table_finish(table);
  g_assert_cmpstr(text, ==, "             mean  x\nunoptimized     1\n");
}

static void test_json(void) {
  json_t *json = json_object();
  json_object_set_new(json, "bad", pt_json_text("a\xff"));
  json_object_set_new(json, "none", pt_json_text(NULL));
  json_object_set_new(json, "nan", pt_json_real(NAN));
  json_object_set_new(json, "real", pt_json_real(0.25));
  g_autofree char *line = pt_json_dump(json);
  g_assert_cmpstr(line, ==,
                  "{\"bad\":\"a\xef\xbf\xbd\",\"none\":null,\"nan\":null,\"real\":0.25}\n");
}

static void test_shell_word(void) {
  g_autofree char *plain = pt_shell_word("out/model-1.onnx");
  g_assert_cmpstr(plain, ==, "out/model-1.onnx");
  g_autofree char *spaced = pt_shell_word("my model; rm.onnx");
  g_assert_cmpstr(spaced, ==, "'my model; rm.onnx'");
}

static PtBenchRow *row(const char *name, double mean, const char *a, const char *b) {
  PtBenchRow *r = g_new0(PtBenchRow, 1);
  r->name = g_strdup(name);
  r->mean = r->low = r->high = mean;
  r->nodes = 3;
  r->histogram = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(r->histogram, g_strdup(a));
  if (b)
    g_ptr_array_add(r->histogram, g_strdup(b));
  return r;
}

static void row_free(void *data) {
  PtBenchRow *r = data;
  g_free(r->name);
  g_ptr_array_unref(r->histogram);
  g_free(r);
}

static void test_bench(void) {
  PtBenchReport report = {.slowdown = 0.02, .noise = NAN};
  report.rows = g_ptr_array_new_with_free_func(row_free);
  g_ptr_array_add(report.rows, row("unoptimized", 0.02, "Conv 2", "Relu 1"));
  g_ptr_array_add(report.rows, row("proteus", 0.01, "FusedConv 2", NULL));
  PtBenchOptions options = {.model = "m"};
  g_autofree char *text = pt_text_bench(&options, &report);
  g_assert_nonnull(strstr(text, "2.00 x"));
  g_assert_nonnull(strstr(text, "slowdown against best attainable: +2.0 %"));
  g_assert_null(strstr(text, "noise"));
  g_assert_nonnull(strstr(text, "FusedConv            -        2\n"));
  g_assert_nonnull(strstr(text, "Conv                 2        -\n"));
  json_t *json = pt_json_bench(&options, &report);
  g_assert_true(json_is_null(json_object_get(json, "noise")));
  g_assert_cmpuint(json_array_size(json_object_get(json, "rows")), ==, 2);
  json_decref(json);
  g_ptr_array_unref(report.rows);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/report/human", test_human);
  g_test_add_func("/report/table", test_table);
  g_test_add_func("/report/json", test_json);
  g_test_add_func("/report/shell-word", test_shell_word);
  g_test_add_func("/report/bench", test_bench);
  return g_test_run();
}
