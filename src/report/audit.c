/* audit.c: audits as JSON and as text. */
#include "audit/audit.h"
#include "report/report.h"

#include <math.h>

/* ---- JSON ------------------------------------------------------------------------------------ */
static json_t *line_json(const PtAuditLine *l) {
  json_t *o = json_object();
  json_object_set_new(o, "adversary", json_string(l->adversary));
  json_object_set_new(o, "looks_at", json_string(l->looks));
  json_object_set_new(o, "runs", json_integer(l->runs));
  json_object_set_new(o, "buckets", json_integer(l->buckets));
  json_object_set_new(o, "bits", pt_json_real(l->bits));
  json_object_set_new(o, "bits_at_best", pt_json_real(l->most_bits));
  json_object_set_new(o, "kept", pt_json_real(l->kept));
  json_object_set_new(o, "kept_error", pt_json_real(l->kept_error));
  json_object_set_new(o, "area", pt_json_real(l->area));
  json_object_set_new(o, "area_error", pt_json_real(l->area_error));
  json_object_set_new(o, "kept_error_of_seeds", pt_json_real(l->kept_seeds));
  json_object_set_new(o, "area_error_of_seeds", pt_json_real(l->area_seeds));
  json_object_set_new(o, "first", pt_json_real(l->first));
  json_object_set_new(o, "first_error", pt_json_real(l->first_error));
  json_object_set_new(o, "chance", pt_json_real(l->chance));
  json_object_set_new(o, "p_even_ranks", pt_json_real(l->even));
  json_object_set_new(o, "beta", pt_json_real(l->beta));
  json_object_set_new(o, "log10_candidates", pt_json_real(l->log10_candidates));
  return o;
}

static json_t *model_json(const PtAuditModel *m) {
  json_t *o = json_object(), *lines = json_array();
  json_object_set_new(o, "model", pt_json_text(m->name));
  for (guint i = 0; i < m->lines->len; i++)
    json_array_append_new(lines, line_json(&g_array_index(m->lines, PtAuditLine, i)));
  json_object_set_new(o, "adversaries", lines);
  if (m->lines->len)
    json_object_set_new(o, "most_dangerous",
                        json_string(g_array_index(m->lines, PtAuditLine, m->worst).adversary));
  return o;
}

json_t *pt_json_survey(const PtAuditSurvey *s) {
  json_t *o = json_object(), *models = json_array(), *tells = json_array(), *failed = json_array(),
         *worst = json_object();
  json_object_set_new(o, "all", model_json(s->all));
  for (guint i = 0; i < s->models->len; i++)
    json_array_append_new(models, model_json(s->models->pdata[i]));
  json_object_set_new(o, "models", models);
  for (guint i = 0; i < s->tells->len; i++)
    json_array_append_new(tells, pt_json_text(s->tells->pdata[i]));
  json_object_set_new(o, "tells", tells);
  for (guint i = 0; i < s->failed->len; i++)
    json_array_append_new(failed, pt_json_text(s->failed->pdata[i]));
  json_object_set_new(o, "failed", failed);
  json_object_set_new(worst, "kept", pt_json_real(s->worst_mean));
  json_object_set_new(worst, "kept_least", pt_json_real(s->worst_least));
  json_object_set_new(worst, "model", s->worst_model ? pt_json_text(s->worst_model) : json_null());
  json_object_set_new(worst, "first", pt_json_real(s->worst_first));
  json_object_set_new(o, "most_dangerous_of_each", worst);
  json_object_set_new(o, "seeds", json_integer(s->seeds));
  json_object_set_new(o, "folds", json_integer(s->folds));
  json_object_set_new(o, "seconds", pt_json_real(s->seconds));
  return o;
}

json_t *pt_json_audit(const PtAuditModel *m) {
  json_t *o = model_json(m), *buckets = json_array();
  double bits = 0, most = 0;
  for (guint i = 0; i < m->buckets->len; i++) {
    const PtAuditBucket *b = m->buckets->pdata[i];
    json_t *one = json_object(), *why = json_array();
    json_object_set_new(one, "real", json_string(b->real));
    json_object_set_new(one, "candidates", json_integer(b->n));
    json_object_set_new(one, "nodes", json_integer(b->nodes));
    json_object_set_new(one, "bits", pt_json_real(b->bits));
    json_object_set_new(one, "bits_at_best", pt_json_real(b->most_bits));
    json_object_set_new(one, "posterior", pt_json_real(b->posterior));
    json_object_set_new(one, "rank", json_integer(b->rank));
    for (guint k = 0; k < b->why->len; k++)
      json_array_append_new(why, pt_json_text(b->why->pdata[k]));
    json_object_set_new(one, "why", why);
    json_array_append_new(buckets, one);
    bits += b->bits;
    most += b->most_bits;
  }
  json_object_set_new(o, "buckets", buckets);
  json_object_set_new(o, "bits", pt_json_real(MIN(bits, most)));
  json_object_set_new(o, "bits_at_best", pt_json_real(most));
  json_object_set_new(o, "advice",
                      json_string(g_array_index(m->lines, PtAuditLine, m->reason).remedy));
  return o;
}

static void set_cell(json_t *o, const PtPaperCell *c) {
  json_object_set_new(o, "specificity", pt_json_real(c->specificity));
  json_object_set_new(o, "gamma", pt_json_real(c->gamma));
  json_object_set_new(o, "candidates", pt_json_real(pow(10, c->log10_candidates)));
}

json_t *pt_json_paper(const GArray *rows) {
  json_t *o = json_object(), *list = json_array();
  for (guint i = 0; i < rows->len; i++) {
    const PtPaperRow *r = &g_array_index(rows, PtPaperRow, i);
    json_t *row = json_object(), *random = json_object();
    json_object_set_new(row, "model", json_string(r->model));
    json_object_set_new(row, "n", json_integer(r->n));
    json_object_set_new(row, "k", json_integer(r->k));
    set_cell(row, &r->ours);
    set_cell(random, &r->random);
    json_object_set_new(row, "random", random);
    json_array_append_new(list, row);
  }
  json_object_set_new(o, "rows", list);
  return o;
}

/* ---- text ------------------------------------------------------------------------------------ */
static void number(char **cell, const char *format, double value) {
  char text[64];
  *cell = g_strdup(isfinite(value) ? g_ascii_formatd(text, sizeof text, format, value) : "n/a");
}

static void add_row(PtTable *table, char **cells, unsigned n) {
  pt_table_row(table, (const char *const *)cells);
  for (unsigned i = 0; i < n; i++)
    g_free(cells[i]);
}

static void with_error(char **cell, const char *format, double value, double error) {
  g_autofree char *a = NULL, *b = NULL;
  number(&a, format, value);
  number(&b, format, error);
  *cell = error > 0 ? g_strdup_printf("%s +- %s", a, b) : g_strdup(a);
}

/* errors: over models / over seeds, where there are several of both. */
static void with_errors(char **cell, double value, double models, double seeds) {
  g_autofree char *a = NULL, *b = NULL;
  with_error(&a, "%.3f", value, models);
  number(&b, "%.3f", seeds);
  *cell = seeds > 0 ? g_strdup_printf("%s / %s", a, b) : g_strdup(a);
}

static char *lines_text(const GArray *lines) {
  static const char *const head[] = {"adversary", "bits kept", "of",     "share",     "area",
                                     "first",     "chance",    "p even", "candidates"};
  PtTable *table = pt_table_new(9);
  pt_table_row(table, head);
  for (guint i = 0; i < lines->len; i++) {
    const PtAuditLine *l = &g_array_index(lines, PtAuditLine, i);
    char *cells[9] = {g_strdup(l->adversary)};
    number(&cells[1], "%.2f", l->bits);
    number(&cells[2], "%.2f", l->most_bits);
    with_errors(&cells[3], l->kept, l->kept_error, l->kept_seeds);
    with_errors(&cells[4], l->area, l->area_error, l->area_seeds);
    with_error(&cells[5], "%.3f", l->first, l->first_error);
    number(&cells[6], "%.3f", l->chance);
    number(&cells[7], "%.3g", l->even);
    g_autofree char *digits = NULL;
    number(&digits, "%.1f", l->log10_candidates);
    cells[8] = g_strdup_printf("10^%s", digits);
    add_row(table, cells, 9);
  }
  return pt_table_finish(table);
}

#define SHOWN 3 /* buckets */

char *pt_text_audit(const PtAuditModel *m) {
  const PtAuditLine *worst = &g_array_index(m->lines, PtAuditLine, m->worst),
                    *reason = &g_array_index(m->lines, PtAuditLine, m->reason);
  g_autofree char *lines = lines_text(m->lines), *bits = NULL, *most = NULL;
  GString *text = g_string_new(NULL);
  number(&bits, "%.1f", worst->bits * m->buckets->len);
  number(&most, "%.1f", worst->most_bits * m->buckets->len);
  g_string_append_printf(text,
                         "%s\nThe most dangerous is %s (%s): it leaves %s of %s bits over %u "
                         "distinct buckets.\nWhat to change, for %s: %s.\n\nWeakest buckets:\n",
                         lines, worst->adversary, worst->looks, bits, most, m->buckets->len,
                         reason->adversary, reason->remedy);
  for (guint i = 0; i < MIN(m->buckets->len, SHOWN); i++) {
    const PtAuditBucket *b = m->buckets->pdata[i];
    g_autofree char *own = NULL, *of = NULL;
    number(&own, "%.2f", b->bits);
    number(&of, "%.2f", b->most_bits);
    g_string_append_printf(text, "  %.8s, %u nodes: %s of %s bits, rank %u of %u\n", b->real,
                           b->nodes, own, of, b->rank, b->n);
    for (guint k = 0; k < b->why->len; k++)
      g_string_append_printf(text, "    %s\n", (char *)b->why->pdata[k]);
  }
  return g_string_free(text, FALSE);
}

/* All together, tuple by tuple; or bucket by bucket, where tuples are not judged. */
static const PtAuditLine *last_line(const PtAuditModel *m) {
  return &g_array_index(m->lines, PtAuditLine, m->lines->len - 1);
}

char *pt_text_survey(const PtAuditSurvey *s) {
  GString *text = g_string_new(NULL);
  static const char *const head[] = {"model", "buckets", "worst adversary", "share kept",
                                     "area",  "first",   "all: share kept"};
  PtTable *table = pt_table_new(7);
  pt_table_row(table, head);
  for (guint i = 0; i < s->models->len; i++) {
    const PtAuditModel *m = s->models->pdata[i];
    const PtAuditLine *l = &g_array_index(m->lines, PtAuditLine, m->worst);
    char *cells[7] = {g_strdup(m->name), g_strdup_printf("%u", l->buckets), g_strdup(l->adversary)};
    with_error(&cells[3], "%.3f", l->kept, l->kept_error);
    with_error(&cells[4], "%.3f", l->area, l->area_error);
    number(&cells[5], "%.3f", l->first);
    number(&cells[6], "%.3f", last_line(m)->kept);
    add_row(table, cells, 7);
  }
  g_autofree char *models = pt_table_finish(table), *all = lines_text(s->all->lines);
  g_autofree char *mean = NULL, *least = NULL, *first = NULL;
  number(&mean, "%.3f", s->worst_mean);
  number(&least, "%.3f", s->worst_least);
  number(&first, "%.3f", s->worst_first);
  g_string_append_printf(
      text,
      "%s\nAll %u models, %u %s (share, area: +- standard error over models / over seeds):\n%s\n"
      "The most dangerous of each model, known afterwards, leaves %s of the bits on average, %s of "
      "%s, and has the real piece first in %s of buckets.\n\n"
      "What tells most by itself (area; 0.5: nothing):\n",
      models, s->models->len, s->seeds, s->seeds == 1 ? "seed" : "seeds", all, mean, least,
      s->worst_model ? s->worst_model : "none", first);
  for (guint i = 0; i < s->tells->len; i++)
    g_string_append_printf(text, "  %s\n", (char *)s->tells->pdata[i]);
  for (guint i = 0; i < s->failed->len; i++)
    g_string_append_printf(text, "%sLeft out: %s\n", i ? "" : "\n", (char *)s->failed->pdata[i]);
  return g_string_free(text, FALSE);
}

static void power(char **cell, double log10_value) {
  char text[32];
  *cell = g_strdup_printf(
      "%se%d",
      g_ascii_formatd(text, sizeof text, "%.2f", pow(10, log10_value - floor(log10_value))),
      (int)floor(log10_value));
}

char *pt_text_paper(const GArray *rows) {
  static const char *const head[] = {
      "model",   "n",          "k",          "specificity", "(paper)",
      "gamma",   "(paper)",    "candidates", "(paper)",     "random: spec.",
      "(paper)", "candidates", "(paper)",    "distinct"};
  double mean = 0, paper = 0;
  PtTable *table = pt_table_new(14);
  pt_table_row(table, head);
  for (guint i = 0; i < rows->len; i++) {
    const PtPaperRow *r = &g_array_index(rows, PtPaperRow, i);
    char *cells[14] = {g_strdup(r->model), g_strdup_printf("%u", r->n),
                       g_strdup_printf("%u", r->k)};
    with_error(&cells[3], "%.3f", r->ours.specificity, r->specificity_error);
    number(&cells[4], "%.3f", r->paper.specificity);
    number(&cells[5], "%.3f", r->ours.gamma);
    number(&cells[6], "%.3f", r->paper.gamma);
    power(&cells[7], r->ours.log10_candidates);
    power(&cells[8], r->paper.log10_candidates);
    number(&cells[9], "%.3f", r->random.specificity);
    number(&cells[10], "%.3f", r->paper_random.specificity);
    power(&cells[11], r->random.log10_candidates);
    power(&cells[12], r->paper_random.log10_candidates);
    cells[13] = g_strdup_printf("%u", r->buckets);
    add_row(table, cells, 14);
    mean += r->ours.specificity / rows->len;
    paper += r->paper.specificity / rows->len;
  }
  char *text = pt_table_finish(table), a[32], b[32];
  char *all = g_strdup_printf("%sMean specificity %s (paper %s).\n", text,
                              g_ascii_formatd(a, sizeof a, "%.3f", mean),
                              g_ascii_formatd(b, sizeof b, "%.3f", paper));
  g_free(text);
  return all;
}
