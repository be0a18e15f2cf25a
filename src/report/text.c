/* text.c: what each command tells a person: what was done, numbers, file names, what to type next.
 */
#include "report/report.h"

#include <math.h>
#include <string.h>

char *pt_shell_word(const char *path) {
  static const char safe[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+:,@%";
  if (path && path[0] && path[0] != '-' && strspn(path, safe) == strlen(path))
    return g_strdup(path);
  return g_shell_quote(path ? path : "");
}

char *pt_text_obfuscate(const PtObfuscateOptions *options, const PtObfuscateReport *report) {
  PtLines *lines = pt_lines_new();
  g_autofree char *nodes = pt_human_plural(report->nodes, "node", "nodes");
  g_autofree char *pieces = pt_human_plural(report->pieces, "piece", "pieces");
  g_autofree char *candidates = pt_human_plural(report->candidates, "candidate", "candidates");
  g_autofree char *buckets = pt_human_plural(report->buckets, "bucket", "buckets");
  g_autofree char *bytes = pt_human_size(report->bundle_bytes);
  g_autofree char *noise = pt_human_size(report->noise_bytes);
  g_autofree char *took = pt_human_seconds(report->seconds);
  g_autofree char *bundle = pt_shell_word(options->bundle);
  pt_lines_add(lines, "cut", "%s: %s in %s of %u to %u nodes", options->model, nodes, pieces,
               report->smallest, report->largest);
  pt_lines_add(lines, "hidden", "%s in %s%s", candidates, buckets,
               report->buckets < report->pieces ? " (equal pieces share a bucket)" : "");
  if (report->missing)
    pt_lines_add(lines, "missing", "%u sentinels could not be made", report->missing);
  if (report->walked || report->modified)
    pt_lines_add(lines, "filled", "%u sentinels by the walk, %u by modify: the mode found no more",
                 report->walked, report->modified);
  if (report->search_space_log10 > 0)
    pt_lines_add(lines, "search", "10^%.1f ways to choose one candidate a bucket",
                 report->search_space_log10);
  pt_lines_add(lines, "send", "%s (%s; noise of %s is made from its seed)", options->bundle, bytes,
               noise);
  pt_lines_add(lines, "keep", "%s (secret, never send it)", options->secret);
  pt_lines_add(lines, "took", "%s", took);
  pt_lines_add(lines, "next", "proteus optimize %s --out optimized", bundle);
  return pt_lines_finish(lines);
}

char *pt_text_optimize(const PtOptimizeOptions *options, const PtOptimizeReport *report) {
  PtLines *lines = pt_lines_new();
  g_autofree char *candidates = pt_human_plural(report->candidates, "candidate", "candidates");
  g_autofree char *bytes = pt_human_size(report->bytes);
  g_autofree char *took = pt_human_seconds(report->seconds);
  g_autofree char *out = pt_shell_word(options->out);
  pt_lines_add(lines, "optimized", "%u of %s%s", report->done, candidates,
               options->shards ? " of this shard" : "");
  if (report->skipped)
    pt_lines_add(lines, "skipped", "%u were there already", report->skipped);
  for (guint i = 0; report->failures && i < report->failures->len; i++) {
    const PtFailure *failure = g_ptr_array_index(report->failures, i);
    pt_lines_add(lines, i == 0 ? "failed" : "", "%s: %s", failure->id, failure->why);
  }
  pt_lines_add(lines, "send back", "%s (%s)", options->out, bytes);
  pt_lines_add(lines, "took", "%s", took);
  pt_lines_add(lines, "next", "proteus deobfuscate %s --secret FILE --model MODEL.onnx -o OUT.onnx",
               out);
  return pt_lines_finish(lines);
}

char *pt_text_deobfuscate(const PtDeobfuscateOptions *options, const PtDeobfuscateReport *report) {
  PtLines *lines = pt_lines_new();
  g_autofree char *pieces = pt_human_plural(report->pieces, "piece", "pieces");
  g_autofree char *took = pt_human_seconds(report->seconds);
  g_autofree char *model = pt_shell_word(options->model);
  g_autofree char *out = pt_shell_word(options->out);
  pt_lines_add(lines, "restored", "%u of %s optimized; %u nodes before, %u after",
               report->optimized, pieces, report->nodes_before, report->nodes_after);
  for (guint i = 0; report->fallbacks && i < report->fallbacks->len; i++) {
    const PtFallback *fallback = g_ptr_array_index(report->fallbacks, i);
    if (fallback->members > 1)
      pt_lines_add(lines, i == 0 ? "as it was" : "", "piece %u (and %u equal ones): %s",
                   fallback->piece, fallback->members - 1, fallback->why);
    else
      pt_lines_add(lines, i == 0 ? "as it was" : "", "piece %u: %s", fallback->piece,
                   fallback->why);
  }
  if (report->seams_cancelled || report->seams_pushed || report->seams_folded)
    pt_lines_add(lines, "seams", "%u reorders pushed, %u cancelled, %u operators folded",
                 report->seams_pushed, report->seams_cancelled, report->seams_folded);
  pt_lines_add(lines, "checked", "largest relative difference %.2g", report->difference);
  pt_lines_add(lines, "written", "%s", options->out);
  pt_lines_add(lines, "took", "%s", took);
  pt_lines_add(lines, "next", "proteus bench %s %s", model, out);
  return pt_lines_finish(lines);
}

char *pt_text_verify(const char *a, const char *b, const PtVerifyReport *report) {
  PtLines *lines = pt_lines_new();
  g_autofree char *outputs = pt_human_plural(report->outputs, "output", "outputs");
  g_autofree char *runs = pt_human_plural(report->runs, "random input", "random inputs");
  if (report->equal)
    pt_lines_add(lines, "equal", "%s and %s: %s on %s, largest relative difference %.2g", a, b,
                 outputs, runs, report->difference);
  else if (report->runs == 0)
    pt_lines_add(lines, "different", "%s and %s: %s", a, b, report->worst ? report->worst : "");
  else
    pt_lines_add(
        lines, "different", "%s and %s: relative difference %.2g in %s, %.2g is called equal", a, b,
        report->difference, report->worst ? report->worst : "an output", report->tolerance);
  return pt_lines_finish(lines);
}

/* "Conv 53" -> "Conv" and 53. */
static char *histogram_name(const char *entry, const char **count) {
  const char *space = strrchr(entry, ' ');
  *count = space ? space + 1 : "";
  return space ? g_strndup(entry, (gsize)(space - entry)) : g_strdup(entry);
}

/* Operators side by side, in the order in which the rows first have them. */
static char *text_histograms(const PtBenchReport *report) {
  guint n = report->rows->len;
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = n; i-- > 0;) {
    const PtBenchRow *row = g_ptr_array_index(report->rows, i);
    for (guint j = 0; row->histogram && j < row->histogram->len; j++) {
      const char *count;
      char *name = histogram_name(g_ptr_array_index(row->histogram, j), &count);
      g_hash_table_insert(counts, g_strdup_printf("%u %s", i, name), g_strdup(count));
      if (g_hash_table_contains(seen, name)) {
        g_free(name); /* g_hash_table_add would keep this one in place of the first */
        continue;
      }
      g_hash_table_add(seen, name);
      g_ptr_array_add(names, name);
    }
  }
  PtTable *table = pt_table_new(n + 1);
  g_autofree const char **cells = g_new0(const char *, n + 1);
  cells[0] = "operators";
  for (guint i = 0; i < n; i++)
    cells[i + 1] = ((const PtBenchRow *)g_ptr_array_index(report->rows, i))->name;
  pt_table_row(table, cells);
  for (guint k = 0; k < names->len; k++) {
    cells[0] = g_ptr_array_index(names, k);
    for (guint i = 0; i < n; i++) {
      g_autofree char *key = g_strdup_printf("%u %s", i, cells[0]);
      const char *count = g_hash_table_lookup(counts, key);
      cells[i + 1] = count ? count : "-";
    }
    pt_table_row(table, cells);
  }
  return pt_table_finish(table);
}

char *pt_text_bench(const PtBenchOptions *options, const PtBenchReport *report) {
  (void)options;
  if (!report->rows || report->rows->len == 0)
    return g_strdup("");
  PtTable *table = pt_table_new(6);
  pt_table_row(table, (const char *const[]){"", "mean", "10 %", "90 %", "speed-up", "nodes"});
  double first = ((const PtBenchRow *)g_ptr_array_index(report->rows, 0))->mean;
  for (guint i = 0; i < report->rows->len; i++) {
    const PtBenchRow *row = g_ptr_array_index(report->rows, i);
    g_autofree char *mean = pt_human_seconds(row->mean);
    g_autofree char *low = pt_human_seconds(row->low);
    g_autofree char *high = pt_human_seconds(row->high);
    g_autofree char *nodes = pt_human_count(row->nodes);
    g_autofree char *speed =
        row->mean > 0 ? g_strdup_printf("%.2f x", first / row->mean) : g_strdup("n/a");
    pt_table_row(table, (const char *const[]){row->name, mean, low, high, speed, nodes});
  }
  g_autofree char *times = pt_table_finish(table);
  g_autofree char *histograms = text_histograms(report);
  GString *text = g_string_new(times);
  if (isfinite(report->slowdown)) {
    g_autofree char *slowdown = pt_human_percent(report->slowdown);
    g_string_append_printf(text, "\nslowdown against best attainable: %s\n", slowdown);
  }
  if (isfinite(report->noise)) {
    g_autofree char *noise = pt_human_percent(report->noise);
    g_string_append_printf(text, "noise (best attainable against itself): %s\n", noise);
  }
  g_string_append_printf(text, "\n%s", histograms);
  return g_string_free(text, FALSE);
}
