/* json.c: one JSON object a command; names are stable, scripts read them. */
#include "report/report.h"

#include <math.h>

json_t *pt_json_text(const char *text) {
  if (!text)
    return json_null();
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  return json_string(valid);
}

json_t *pt_json_real(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

char *pt_json_dump(json_t *json) {
  char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(json);
  char *line = g_strconcat(text ? text : "null", "\n", NULL);
  free(text);
  return line;
}

static void set(json_t *object, const char *key, json_t *value) {
  json_object_set_new(object, key, value);
}
static void set_count(json_t *object, const char *key, uint64_t value) {
  set(object, key, json_integer((json_int_t)MIN(value, (uint64_t)INT64_MAX)));
}

json_t *pt_json_obfuscate(const PtObfuscateOptions *options, const PtObfuscateReport *report) {
  json_t *o = json_object();
  set(o, "model", pt_json_text(options->model));
  set(o, "bundle", pt_json_text(options->bundle));
  set(o, "secret", pt_json_text(options->secret));
  set_count(o, "nodes", report->nodes);
  set_count(o, "pieces", report->pieces);
  set_count(o, "buckets", report->buckets);
  set_count(o, "candidates", report->candidates);
  set_count(o, "missing", report->missing);
  set_count(o, "walked", report->walked);
  set_count(o, "modified", report->modified);
  set_count(o, "smallest", report->smallest);
  set_count(o, "largest", report->largest);
  set_count(o, "bundle_bytes", report->bundle_bytes);
  set_count(o, "noise_bytes", report->noise_bytes);
  set(o, "search_space_log10", pt_json_real(report->search_space_log10));
  set(o, "seconds", pt_json_real(report->seconds));
  return o;
}

json_t *pt_json_optimize(const PtOptimizeOptions *options, const PtOptimizeReport *report) {
  json_t *o = json_object();
  set(o, "bundle", pt_json_text(options->bundle));
  set(o, "out", pt_json_text(options->out));
  set_count(o, "candidates", report->candidates);
  set_count(o, "done", report->done);
  set_count(o, "skipped", report->skipped);
  set_count(o, "failed", report->failed);
  set_count(o, "bytes", report->bytes);
  set(o, "seconds", pt_json_real(report->seconds));
  json_t *failures = json_array();
  for (guint i = 0; report->failures && i < report->failures->len; i++) {
    const PtFailure *failure = g_ptr_array_index(report->failures, i);
    json_t *entry = json_object();
    set(entry, "id", pt_json_text(failure->id));
    set(entry, "why", pt_json_text(failure->why));
    json_array_append_new(failures, entry);
  }
  set(o, "failures", failures);
  return o;
}

json_t *pt_json_deobfuscate(const PtDeobfuscateOptions *options,
                            const PtDeobfuscateReport *report) {
  json_t *o = json_object();
  set(o, "out", pt_json_text(options->out));
  set_count(o, "pieces", report->pieces);
  set_count(o, "optimized", report->optimized);
  set_count(o, "nodes_before", report->nodes_before);
  set_count(o, "nodes_after", report->nodes_after);
  set_count(o, "seams_cancelled", report->seams_cancelled);
  set_count(o, "seams_pushed", report->seams_pushed);
  set_count(o, "seams_folded", report->seams_folded);
  set(o, "difference", pt_json_real(report->difference));
  set(o, "seconds", pt_json_real(report->seconds));
  json_t *fallbacks = json_array();
  for (guint i = 0; report->fallbacks && i < report->fallbacks->len; i++) {
    const PtFallback *fallback = g_ptr_array_index(report->fallbacks, i);
    json_t *entry = json_object();
    set_count(entry, "piece", fallback->piece);
    set_count(entry, "members", fallback->members);
    set(entry, "id", pt_json_text(fallback->id));
    set(entry, "why", pt_json_text(fallback->why));
    json_array_append_new(fallbacks, entry);
  }
  set(o, "fallbacks", fallbacks);
  return o;
}

json_t *pt_json_verify(const char *a, const char *b, const PtVerifyReport *report) {
  json_t *o = json_object();
  set(o, "a", pt_json_text(a));
  set(o, "b", pt_json_text(b));
  set(o, "equal", json_boolean(report->equal));
  set_count(o, "runs", report->runs);
  set_count(o, "outputs", report->outputs);
  set(o, "difference", pt_json_real(report->difference));
  set(o, "tolerance", pt_json_real(report->tolerance));
  set(o, "worst", pt_json_text(report->worst));
  return o;
}

json_t *pt_json_bench(const PtBenchOptions *options, const PtBenchReport *report) {
  json_t *o = json_object();
  set(o, "model", pt_json_text(options->model));
  set(o, "result", pt_json_text(options->result));
  set_count(o, "iterations", options->iterations ? options->iterations : 500);
  set_count(o, "loads", options->loads ? options->loads : 1);
  json_t *rows = json_array();
  for (guint i = 0; report->rows && i < report->rows->len; i++) {
    const PtBenchRow *row = g_ptr_array_index(report->rows, i);
    json_t *entry = json_object();
    set(entry, "name", pt_json_text(row->name));
    set(entry, "mean", pt_json_real(row->mean));
    set(entry, "low", pt_json_real(row->low));
    set(entry, "high", pt_json_real(row->high));
    set_count(entry, "nodes", row->nodes);
    json_t *histogram = json_array();
    for (guint j = 0; row->histogram && j < row->histogram->len; j++)
      json_array_append_new(histogram, pt_json_text(g_ptr_array_index(row->histogram, j)));
    set(entry, "histogram", histogram);
    json_array_append_new(rows, entry);
  }
  set(o, "rows", rows);
  set(o, "slowdown", pt_json_real(report->slowdown));
  set(o, "noise", pt_json_real(report->noise));
  return o;
}
