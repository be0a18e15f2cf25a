/* survey.c: every adversary over public models, each protected by a generator, and attacked by
 * adversaries, that have not seen its family. */
#include "audit/audit_private.h"

#include <math.h>

#define TOLD 20
#define SEEDS 5

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
  g_ptr_array_unref(s->failed);
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
  double least = INFINITY, least_single = INFINITY;
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
                        .kept_seeds = s.bits_seeds,
                        .area_seeds = s.area_seeds,
                        .first = s.first,
                        .first_error = s.first_error,
                        .chance = s.chance,
                        .even = s.even};
    reduce(c, a, model, &line);
    if (line.kept < least) {
      least = line.kept;
      m->worst = a;
    }
    if (line.kept < least_single && pt_adversary_find(line.adversary)) {
      least_single = line.kept;
      m->reason = a;
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

/* Indices of the models asked for. */
static GArray *models_of(const PtLab *lab, const PtAuditOptions *o, GError **error) {
  g_autoptr(GArray) models = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  uint32_t n = o->models ? g_strv_length((char **)o->models) : lab->names->len;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t m = o->models ? pt_lab_model(lab, o->models[i]) : i;
    if (m == PT_NONE) {
      g_set_error(error, PT_AUDIT_ERROR, PT_ERR_USAGE, "%s has no model %s", o->corpus,
                  o->models[i]);
      return NULL;
    }
    g_array_append_val(models, m);
  }
  return g_steal_pointer(&models);
}

static PtCase *run_model(const PtLab *lab, const PtAuditOptions *o, uint32_t model, uint32_t seed,
                         GError **error) {
  PtRunOptions run = {.model = model,
                      .seed = seed,
                      .n = o->n,
                      .k = o->k ? o->k : 20,
                      .mode = o->mode ? o->mode : "walk",
                      .answers = !o->only || g_strv_contains(o->only, "answers")};
  return pt_lab_case(lab, &run, error);
}

bool pt_audit_cases(const PtLab *lab, const PtAuditOptions *o, GPtrArray *cases, GError **error) {
  uint32_t seeds = o->seeds ? o->seeds : SEEDS;
  g_autoptr(GArray) models = models_of(lab, o, error);
  for (guint i = 0; models && i < models->len * seeds; i++) {
    pt_progress(&o->progress, "protecting models", i, (uint64_t)models->len * seeds);
    PtCase *one = run_model(lab, o, g_array_index(models, uint32_t, i / seeds), i % seeds, error);
    if (!one)
      return false;
    g_ptr_array_add(cases, one);
  }
  return models != NULL;
}

bool pt_audit_cases_of(const PtLab *lab, const PtAuditOptions *o, uint32_t seed, GPtrArray *cases,
                       GPtrArray *failed, GError **error) {
  uint32_t seeds = o->seeds ? o->seeds : SEEDS;
  g_autoptr(GArray) models = models_of(lab, o, error);
  for (guint i = 0; models && i < models->len; i++) {
    g_autoptr(GError) why = NULL;
    uint32_t m = g_array_index(models, uint32_t, i);
    pt_progress(&o->progress, "protecting models", (uint64_t)seed * models->len + i,
                (uint64_t)seeds * models->len);
    PtCase *one = run_model(lab, o, m, seed, &why);
    if (one)
      g_ptr_array_add(cases, one);
    else
      g_ptr_array_add(failed, g_strdup_printf("%s, seed %u: %s", (char *)lab->names->pdata[m], seed,
                                              why->message));
  }
  if (models && cases->len < 2) {
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_INPUT,
                "an adversary needs other models to learn from, and there are %u%s%s", cases->len,
                failed->len ? "; " : "", failed->len ? (char *)failed->pdata[0] : "");
    return false;
  }
  return models != NULL;
}

/* ---- the whole ------------------------------------------------------------------------------- */
/* The most dangerous adversary of each model, known afterwards. */
static void with_hindsight(PtAuditSurvey *s) {
  s->worst_least = INFINITY;
  for (guint i = 0; i < s->models->len; i++) {
    const PtAuditModel *m = s->models->pdata[i];
    const PtAuditLine *l = &g_array_index(m->lines, PtAuditLine, m->worst);
    s->worst_mean += l->kept / s->models->len;
    s->worst_first += l->first / s->models->len;
    if (l->kept < s->worst_least) {
      s->worst_least = l->kept;
      s->worst_model = m->name;
    }
  }
}

PtAuditSurvey *pt_survey_of(const PtLab *lab, const PtTally *tally) {
  const PtContest *c = tally->contest;
  PtAuditSurvey *s = g_new0(PtAuditSurvey, 1);
  g_autoptr(GHashTable) had = g_hash_table_new(NULL, NULL);
  s->all = pt_contest_model(c, "all", PT_NONE);
  s->models = g_ptr_array_new_with_free_func(pt_audit_model_free);
  s->tells = g_ptr_array_new_with_free_func(g_free);
  s->failed = g_ptr_array_new_with_free_func(g_free);
  s->folds = c->n_folds;
  for (guint i = 0; i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    s->seeds = MAX(s->seeds, t->seed + 1);
    if (g_hash_table_add(had, GUINT_TO_POINTER(t->model + 1)))
      g_ptr_array_add(s->models, pt_contest_model(c, t->name, t->model));
  }
  with_hindsight(s);
  s->families = lab->n_families;
  for (guint i = 0; i < MIN(tally->tells->len, TOLD); i++) {
    const PtTell *t = tally->tells->pdata[i];
    g_ptr_array_add(s->tells, g_strdup_printf("%s: %.3f +- %.3f", t->what, t->area, t->error));
  }
  for (guint i = 0; i < tally->failed->len; i++)
    g_ptr_array_add(s->failed, g_strdup(tally->failed->pdata[i]));
  return s;
}

/* What a seed told is kept beside its runs, under what it followed from: the program itself, the
 * models, and what was asked. */
static char *tally_path(const PtLab *lab, const PtAuditOptions *o, uint32_t seed) {
  g_autofree char *program = pt_sha256_file("/proc/self/exe", NULL);
  g_autoptr(GString) key = g_string_new(program);
  g_string_append_printf(key, " %s n%u k%u f%u g%u", o->mode ? o->mode : "walk", o->n, o->k,
                         o->folds, lab->n_groups);
  for (guint i = 0; o->models && o->models[i]; i++)
    g_string_append_printf(key, " %s", o->models[i]);
  for (guint i = 0; o->only && o->only[i]; i++)
    g_string_append_printf(key, " +%s", o->only[i]);
  g_autofree char *sum = pt_sha256_hex(key->str, key->len);
  g_autofree char *name = g_strdup_printf("tally-%.12s-%u", sum, seed);
  return g_build_filename(lab->folder, name, NULL);
}

bool pt_audit_keep_tally(const PtLab *lab, const PtAuditOptions *o, uint32_t seed,
                         const PtTally *tally, GError **error) {
  g_autofree char *path = tally_path(lab, o, seed);
  g_autoptr(GByteArray) bytes = pt_tally_bytes(tally);
  return pt_file_write(path, 0644, bytes->data, bytes->len, error);
}

static PtTally *tally_read(const char *path) {
  g_autoptr(GBytes) file =
      g_file_test(path, G_FILE_TEST_EXISTS) ? pt_file_map(path, SIZE_MAX, NULL) : NULL;
  gsize size = 0;
  const void *data = file ? g_bytes_get_data(file, &size) : NULL;
  return data ? pt_tally_parse(data, size) : NULL;
}

/* A seed by itself: its adversaries learn from its runs. So work and memory grow with one seed, and
 * a survey that is interrupted goes on after the last. */
static PtTally *tally_of(const PtLab *lab, const PtAuditOptions *o, uint32_t number,
                         GError **error) {
  g_autofree char *path = tally_path(lab, o, number);
  PtTally *tally = tally_read(path);
  if (tally)
    return tally;
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  g_autoptr(GPtrArray) failed = g_ptr_array_new_with_free_func(g_free);
  if (!pt_audit_cases_of(lab, o, number, cases, failed, error))
    return NULL;
  PtSeed seed;
  pt_seed_init(&seed, "audit");
  if (number)
    seed = pt_seed_derive(&seed, "seed", number);
  PtContestOptions how = {
      .folds = o->folds, .only = o->only, .threads = o->threads, .progress = o->progress};
  PtContest *contest = pt_contest_new(cases, &how, &seed);
  tally = pt_tally_new(contest, pt_tells(cases), g_steal_pointer(&failed));
  if (pt_audit_keep_tally(lab, o, number, tally, error))
    return tally;
  pt_tally_free(tally);
  return NULL;
}

PtAuditSurvey *pt_audit_survey(const PtAuditOptions *o, GError **error) {
  g_autofree char *temporary = NULL;
  double start = pt_clock();
  g_autoptr(PtLab) lab = pt_audit_lab(o, &temporary, error);
  g_autoptr(GPtrArray) tallies = g_ptr_array_new_with_free_func((GDestroyNotify)pt_tally_free);
  uint32_t seeds = o->seeds ? o->seeds : SEEDS;
  while (lab && tallies->len < seeds) {
    PtTally *one = tally_of(lab, o, tallies->len, error);
    if (!one)
      break;
    g_ptr_array_add(tallies, one);
  }
  g_autoptr(PtTally) all = lab && tallies->len == seeds ? pt_tally_sum(tallies) : NULL;
  if (temporary)
    pt_dir_remove(temporary);
  if (!all) {
    if (lab && tallies->len == seeds)
      g_set_error(error, PT_AUDIT_ERROR, PT_ERR_INTERNAL, "seeds were met by other adversaries");
    return NULL;
  }
  PtAuditSurvey *survey = pt_survey_of(lab, all);
  survey->seconds = pt_clock() - start;
  return survey;
}
