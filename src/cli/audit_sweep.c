/* audit_sweep.c: what n, k and r cost and buy (the paper's Figures 8 and 9): over some models, one
 * of the three varied at a time, the whole way of each, by generators and adversaries that have
 * seen none of them. */
#include "cli/audit_sweep.h"

#include "base/base.h"
#include "proteus/proteus.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ITERATIONS 40 /* of a model's time */
#define OTHERS 12     /* models that adversaries learn from */

static const uint32_t pieces[] = {6, 12, 24, 48}, sentinels[] = {5, 10, 20, 40},
                      steps[] = {250, 1000, 4000, 16000};
static const PtSweepRow base = {.n = 12, .k = 10, .r = 4000};

typedef struct Sweep {
  const PtSweepOptions *options;
  const char *model, *generator; /* of the model at hand: its name, the generator without it */
  char *folder, *skeleton, *filled, *jury;
  GArray *rows;
  uint32_t done, all;
} Sweep;

static char *in(const Sweep *s, const char *name) {
  return g_build_filename(s->folder, name, NULL);
}

/* ---- one point ------------------------------------------------------------------------------- */
static bool judge(const Sweep *s, PtSweepRow *row, const char *bundle, const char *secret,
                  GError **error) {
  PtAuditBundleOptions options = {.bundle = bundle,
                                  .secret = secret,
                                  .name = s->model,
                                  .adversaries = s->jury,
                                  .threads = s->options->threads};
  PtAuditModel *model = pt_audit_bundle(&options, error);
  if (!model)
    return false;
  const PtAuditLine *worst = &g_array_index(model->lines, PtAuditLine, model->worst);
  row->buckets = worst->buckets;
  row->bits = worst->bits * worst->buckets;
  row->most_bits = worst->most_bits * worst->buckets;
  row->kept = worst->kept;
  row->worst = worst->adversary;
  for (guint i = 0; i < model->lines->len; i++) {
    const PtAuditLine *line = &g_array_index(model->lines, PtAuditLine, i);
    if (g_str_equal(line->adversary, "paper"))
      row->log10_candidates = line->log10_candidates;
  }
  pt_audit_model_free(model);
  return true;
}

/* The model's time depends on its pieces only: k and r do not change it. */
static bool time_model(const Sweep *s, PtSweepRow *row, const char *answers, const char *secret,
                       GError **error) {
  g_autofree char *fast = in(s, "fast.onnx");
  PtDeobfuscateOptions back = {.optimized = answers,
                               .secret = secret,
                               .model = s->filled,
                               .out = fast,
                               .threads = s->options->threads};
  PtDeobfuscateReport restored = {0};
  if (!pt_deobfuscate(&back, &restored, error))
    return false;
  pt_deobfuscate_report_clear(&restored);
  PtBenchOptions options = {.model = s->filled, .result = fast, .iterations = ITERATIONS};
  PtBenchReport report = {0};
  if (!pt_bench(&options, &report, error))
    return false;
  row->slowdown = report.slowdown;
  pt_bench_report_clear(&report);
  return true;
}

/* A point of the model that was measured before; k 0: any. */
static const PtSweepRow *before(const Sweep *s, uint32_t n, uint32_t k, uint32_t r) {
  for (guint i = 0; i < s->rows->len; i++) {
    const PtSweepRow *row = &g_array_index(s->rows, PtSweepRow, i);
    if (row->model == s->model && row->n == n && (k == 0 || (row->k == k && row->r == r)))
      return row;
  }
  return NULL;
}

/* ---- points that were measured in another life: files beside the generator ------------------- */
static const struct {
  const char *name;
  size_t at; /* a double of the row */
} kept_numbers[] = {{"bits", offsetof(PtSweepRow, bits)},
                    {"bits_at_best", offsetof(PtSweepRow, most_bits)},
                    {"kept", offsetof(PtSweepRow, kept)},
                    {"log10_candidates", offsetof(PtSweepRow, log10_candidates)},
                    {"obfuscate_seconds", offsetof(PtSweepRow, obfuscate_seconds)},
                    {"optimize_seconds", offsetof(PtSweepRow, optimize_seconds)},
                    {"slowdown", offsetof(PtSweepRow, slowdown)}};

/* NULL: nothing is kept. */
static char *point_path(const Sweep *s, const PtSweepRow *row) {
  if (!s->options->audit->work)
    return NULL;
  g_autofree char *folder = g_path_get_dirname(s->generator),
                  *apart = g_path_get_basename(s->generator);
  g_autofree char *name =
      g_strdup_printf("sweep-%s-n%u-k%u-r%u-%s.json", s->model, row->n, row->k, row->r, apart);
  return g_build_filename(folder, name, NULL);
}

static bool keep_point(const Sweep *s, const PtSweepRow *row, GError **error) {
  g_autofree char *path = point_path(s, row);
  if (!path)
    return true;
  json_t *o = json_object();
  json_object_set_new(o, "worst", json_string(row->worst));
  json_object_set_new(o, "buckets", json_integer(row->buckets));
  json_object_set_new(o, "candidates", json_integer(row->candidates));
  for (size_t i = 0; i < G_N_ELEMENTS(kept_numbers); i++) {
    double x = *(const double *)(const void *)((const char *)row + kept_numbers[i].at);
    if (isfinite(x))
      json_object_set_new(o, kept_numbers[i].name, json_real(x));
  }
  char *text = json_dumps(o, JSON_INDENT(1));
  bool ok = text && pt_file_write(path, 0644, text, strlen(text), error);
  free(text);
  json_decref(o);
  return ok;
}

static bool recall_point(const Sweep *s, PtSweepRow *row) {
  g_autofree char *path = point_path(s, row);
  json_t *o = path ? json_load_file(path, 0, NULL) : NULL;
  const char *worst = json_string_value(json_object_get(o, "worst"));
  if (worst) {
    row->worst = g_intern_string(worst);
    row->buckets = (uint32_t)json_integer_value(json_object_get(o, "buckets"));
    row->candidates = (uint32_t)json_integer_value(json_object_get(o, "candidates"));
    for (size_t i = 0; i < G_N_ELEMENTS(kept_numbers); i++) {
      const json_t *x = json_object_get(o, kept_numbers[i].name);
      *(double *)(void *)((char *)row + kept_numbers[i].at) = x ? json_number_value(x) : NAN;
    }
  }
  json_decref(o);
  return worst != NULL;
}

static bool point(Sweep *s, PtSweepRow row, GError **error) {
  g_autofree char *bundle = in(s, "bundle"), *secret = in(s, "secret"), *answers = in(s, "answers");
  PtObfuscateOptions hide = {.model = s->filled,
                             .bundle = bundle,
                             .secret = secret,
                             .n = row.n,
                             .k = row.k,
                             .steps = row.r,
                             .seed = "sweep",
                             .threads = s->options->threads};
  PtOptimizeOptions optimize = {.bundle = bundle, .out = answers, .jobs = s->options->threads};
  PtObfuscateReport hidden = {0};
  PtOptimizeReport optimized = {0};
  const PtSweepRow *known = before(s, row.n, row.k, row.r);
  if (known) {
    PtSweepRow again = *known;
    again.varied = row.varied;
    g_array_append_val(s->rows, again);
    s->done++;
    return true;
  }
  row.model = s->model;
  pt_progress(&s->options->progress, "sweeping", s->done++, s->all);
  if (recall_point(s, &row)) {
    g_array_append_val(s->rows, row);
    return true;
  }
  pt_data_prefer(s->generator);
  bool ok = pt_obfuscate(&hide, &hidden, error) && judge(s, &row, bundle, secret, error);
  pt_data_prefer(NULL);
  row.obfuscate_seconds = hidden.seconds;
  if (ok && (ok = pt_optimize(&optimize, &optimized, error))) {
    known = before(s, row.n, 0, 0);
    row.candidates = optimized.candidates;
    row.optimize_seconds = optimized.seconds;
    row.slowdown = known ? known->slowdown : NAN;
    pt_optimize_report_clear(&optimized);
    ok = (known || time_model(s, &row, answers, secret, error)) && keep_point(s, &row, error);
  }
  if (ok)
    g_array_append_val(s->rows, row);
  pt_dir_remove(bundle);
  pt_dir_remove(answers);
  (void)remove(secret);
  return ok;
}

/* ---- all of them ----------------------------------------------------------------------------- */
/* The pieces first: they are timed. */
static bool model(Sweep *s, GError **error) {
  g_autofree char *file = g_strconcat(s->model, ".onnx", NULL);
  g_autofree char *skeleton = g_build_filename(s->options->audit->corpus, file, NULL);
  if (!pt_fill_file(skeleton, s->filled, "sweep", s->options->threads, error))
    return false;
  bool ok = true;
  for (size_t i = 0; ok && i < G_N_ELEMENTS(pieces); i++)
    ok = point(s, (PtSweepRow){.varied = 'n', .n = pieces[i], .k = base.k, .r = base.r}, error);
  for (size_t i = 0; ok && i < G_N_ELEMENTS(sentinels); i++)
    ok = point(s, (PtSweepRow){.varied = 'k', .n = base.n, .k = sentinels[i], .r = base.r}, error);
  for (size_t i = 0; ok && i < G_N_ELEMENTS(steps); i++)
    ok = point(s, (PtSweepRow){.varied = 'r', .n = base.n, .k = base.k, .r = steps[i]}, error);
  return ok;
}

bool pt_sweep(const PtSweepOptions *o, const char *const *models, GArray *rows, GError **error) {
  uint32_t n = g_strv_length((char **)models);
  g_auto(GStrv) generators = g_new0(char *, (gsize)n + 1);
  g_autofree char *folder = pt_dir_make_temp("proteus-sweep", error);
  if (!folder)
    return false;
  g_autofree char *filled = g_build_filename(folder, "model.onnx", NULL);
  g_autofree char *jury = g_build_filename(folder, "audit.bin", NULL);
  g_autofree char *work = g_build_filename(folder, "work", NULL);
  PtAuditOptions audit = *o->audit;
  if (!audit.work)
    audit.work = work;
  Sweep s = {.options = o,
             .folder = folder,
             .filled = filled,
             .jury = jury,
             .rows = rows,
             .all = n * (G_N_ELEMENTS(pieces) + G_N_ELEMENTS(sentinels) + G_N_ELEMENTS(steps))};
  bool ok = pt_audit_apart(&audit, models, OTHERS, jury, generators, error);
  for (uint32_t i = 0; ok && i < n; i++) {
    s.model = models[i];
    s.generator = generators[i];
    ok = model(&s, error);
  }
  pt_dir_remove(folder);
  return ok;
}
