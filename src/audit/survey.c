/* survey.c: every adversary over public models, each protected by a generator, and attacked by
 * adversaries, that have not seen its family. */
#include "audit/audit_private.h"

#include <math.h>

#define TOLD 20

void pt_audit_model_free(void *data) {
  PtAuditModel *m = data;
  if (!m)
    return;
  g_free(m->name);
  g_array_unref(m->lines);
  if (m->buckets)
    g_ptr_array_unref(m->buckets);
  g_free(m);
}

void pt_audit_survey_free(PtAuditSurvey *s) {
  if (!s)
    return;
  pt_audit_model_free(s->all);
  g_ptr_array_unref(s->models);
  g_ptr_array_unref(s->tells);
  g_free(s);
}

/* ---- lines ----------------------------------------------------------------------------------- */
static void reduce(const PtContest *c, uint32_t row, uint32_t model, PtAuditLine *line) {
  uint32_t runs = 0;
  for (guint i = 0; i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    if (model != PT_NONE && t->model != model)
      continue;
    double k = (double)t->sights->len / t->n_buckets - 1;
    PtReduction r = pt_reduction(t, c->rows[row].scores[i], t->n_buckets, k);
    line->beta += r.beta;
    line->log10_candidates += r.log10_candidates;
    runs++;
  }
  line->beta /= MAX(runs, 1);
  line->log10_candidates /= MAX(runs, 1);
}

PtAuditModel *pt_contest_model(const PtContest *c, const char *name, uint32_t model) {
  PtAuditModel *m = g_new0(PtAuditModel, 1);
  double least = INFINITY;
  m->name = g_strdup(name);
  m->lines = g_array_new(FALSE, TRUE, sizeof(PtAuditLine));
  for (uint32_t a = 0; a < c->n_rows; a++) {
    PtSummary s = pt_contest_summary(c, a, model);
    PtAuditLine line = {.adversary = c->rows[a].name,
                        .looks = c->rows[a].looks,
                        .remedy = c->rows[a].remedy,
                        .runs = s.runs,
                        .buckets = s.buckets,
                        .bits = s.bits,
                        .most_bits = s.most_bits,
                        .kept = s.kept,
                        .kept_error = s.bits_error,
                        .area = s.area,
                        .area_error = s.area_error,
                        .first = s.first,
                        .chance = s.chance,
                        .even = s.even};
    reduce(c, a, model, &line);
    if (line.kept < least) {
      least = line.kept;
      m->worst = a;
    }
    g_array_append_val(m->lines, line);
  }
  return m;
}

/* ---- cases ----------------------------------------------------------------------------------- */
/* A lab in options->work, or in a temporary folder: then *temporary, freed by the caller. */
PtLab *pt_audit_lab(const PtAuditOptions *o, char **temporary, GError **error) {
  *temporary = o->work ? NULL : pt_dir_make_temp("proteus-audit", error);
  if (!o->work && !*temporary)
    return NULL;
  return pt_lab_open(o->work ? o->work : *temporary, o->corpus, o->groups, o->threads, &o->progress,
                     error);
}

static bool add_cases(const PtLab *lab, const PtAuditOptions *o, GPtrArray *cases, uint32_t model,
                      GError **error) {
  PtRunOptions run = {
      .model = model, .n = o->n, .k = o->k ? o->k : 20, .mode = o->mode ? o->mode : "walk"};
  for (run.seed = 0; run.seed < (o->seeds ? o->seeds : 5); run.seed++) {
    PtCase *one = pt_lab_case(lab, &run, error);
    if (!one)
      return false;
    g_ptr_array_add(cases, one);
  }
  return true;
}

bool pt_audit_cases(const PtLab *lab, const PtAuditOptions *o, GPtrArray *cases, GError **error) {
  if (!o->models) {
    for (uint32_t m = 0; m < lab->names->len; m++) {
      pt_progress(&o->progress, "protecting models", m, lab->names->len);
      if (!add_cases(lab, o, cases, m, error))
        return false;
    }
    return true;
  }
  guint n = g_strv_length((char **)o->models);
  for (guint i = 0; i < n; i++) {
    uint32_t m = pt_lab_model(lab, o->models[i]);
    pt_progress(&o->progress, "protecting models", i, n);
    if (m == PT_NONE) {
      g_set_error(error, PT_AUDIT_ERROR, PT_ERR_USAGE, "%s has no model %s", o->corpus,
                  o->models[i]);
      return false;
    }
    if (!add_cases(lab, o, cases, m, error))
      return false;
  }
  return true;
}

/* ---- the whole ------------------------------------------------------------------------------- */
PtAuditSurvey *pt_survey_of(const PtLab *lab, const PtContest *c) {
  PtAuditSurvey *s = g_new0(PtAuditSurvey, 1);
  s->all = pt_contest_model(c, "all", PT_NONE);
  s->models = g_ptr_array_new_with_free_func(pt_audit_model_free);
  s->tells = g_ptr_array_new_with_free_func(g_free);
  s->folds = c->n_folds;
  for (guint i = 0; i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    if (t->seed == 0)
      g_ptr_array_add(s->models, pt_contest_model(c, t->name, t->model));
  }
  s->families = lab->n_families;
  g_autoptr(GPtrArray) tells = pt_tells(c->targets);
  for (guint i = 0; i < MIN(tells->len, TOLD); i++) {
    const PtTell *t = tells->pdata[i];
    g_ptr_array_add(s->tells, g_strdup_printf("%s: %.3f +- %.3f", t->what, t->area, t->error));
  }
  return s;
}

PtAuditSurvey *pt_audit_survey(const PtAuditOptions *o, GError **error) {
  g_autofree char *temporary = NULL;
  double start = pt_clock();
  g_autoptr(PtLab) lab = pt_audit_lab(o, &temporary, error);
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  PtAuditSurvey *survey = NULL;
  if (lab && pt_audit_cases(lab, o, cases, error)) {
    PtSeed seed;
    pt_seed_init(&seed, "audit");
    PtContestOptions how = {
        .folds = o->folds, .only = o->only, .threads = o->threads, .progress = o->progress};
    g_autoptr(PtContest) c = pt_contest_new(cases, &how, &seed);
    survey = pt_survey_of(lab, c);
    survey->seconds = pt_clock() - start;
  }
  if (temporary)
    pt_dir_remove(temporary);
  return survey;
}
