/* bundle.c: one bundle, judged by adversaries trained beforehand; what is weakest in it, and why.
 */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

#define REASONS 3
#define RIVALS 3

static void bucket_free(void *data) {
  PtAuditBucket *b = data;
  g_free(b->real);
  g_ptr_array_unref(b->why);
  g_ptr_array_unref(b->rivals);
  g_free(b);
}

/* ---- why ------------------------------------------------------------------------------------- */
typedef struct Reason {
  double weight;
  char *text;
} Reason;

static int by_weight(const void *a, const void *b) {
  double x = ((const Reason *)a)->weight, y = ((const Reason *)b)->weight;
  return x > y ? -1 : x < y;
}

static void add_reason(GArray *reasons, double weight, char *text) {
  Reason r = {weight, text};
  g_array_append_val(reasons, r);
}

/* A number in which the real piece stands out of its bucket; at: of the sight. */
static void number(const PtCase *c, uint32_t b, size_t at, const char *name, GArray *reasons) {
  uint32_t n = c->buckets[b].n, beyond = 0;
  g_autofree double *x = g_new(double, n);
  double mean = 0, square = 0;
  for (uint32_t i = 0; i < n; i++) {
    x[i] = *(const double *)(const void *)((const char *)pt_case_sight(c, b, i) + at);
    mean += x[i] / n;
    square += x[i] * x[i] / n;
  }
  double sd = sqrt(MAX(square - mean * mean, 0)), real = x[c->real[b]];
  if (sd < 1e-9)
    return;
  for (uint32_t i = 0; i < n; i++)
    beyond += fabs(x[i] - mean) >= fabs(real - mean) - 1e-12;
  char a[32], m[32];
  if (beyond <= 1 + n / 10)
    add_reason(reasons, fabs(real - mean) / sd,
               g_strdup_printf("%s: %s, where the bucket has %s on average", name,
                               g_ascii_formatd(a, sizeof a, "%.3g", real),
                               g_ascii_formatd(m, sizeof m, "%.3g", mean)));
}

static void numbers(const PtCase *c, uint32_t b, GArray *reasons) {
  for (uint32_t f = 0; f < PT_NUMBERS; f++)
    number(c, b, offsetof(PtSight, numbers) + f * sizeof(double), pt_number_names[f], reasons);
  for (uint32_t f = 0; f < PT_ANSWER_NUMBERS; f++) {
    g_autofree char *name = g_strconcat("once optimized, ", pt_answer_number_names[f], NULL);
    number(c, b, offsetof(PtSight, answer) + f * sizeof(double), name, reasons);
  }
}

/* How many candidates have the operator, and does the real one? */
static void operators(const PtCase *c, uint32_t b, GArray *reasons) {
  uint32_t n = c->buckets[b].n;
  g_autoptr(GHashTable) has = g_hash_table_new(g_str_hash, g_str_equal);
  for (uint32_t i = 0; i < n; i++) {
    const PtSight *s = pt_case_sight(c, b, i);
    g_autoptr(GHashTable) own = g_hash_table_new(g_str_hash, g_str_equal);
    for (uint32_t k = 0; k < s->n; k++)
      if (g_hash_table_add(own, (void *)s->nodes[k].name))
        g_hash_table_insert(
            has, (void *)s->nodes[k].name,
            GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(has, s->nodes[k].name)) + 1));
  }
  g_autoptr(GHashTable) real = g_hash_table_new(g_str_hash, g_str_equal);
  const PtSight *s = pt_case_sight(c, b, c->real[b]);
  for (uint32_t k = 0; k < s->n; k++)
    g_hash_table_add(real, (void *)s->nodes[k].name);
  g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(has), (GCompareFunc)strcmp);
  for (GList *at = names; at; at = at->next) {
    guint count = GPOINTER_TO_UINT(g_hash_table_lookup(has, at->data));
    bool here = g_hash_table_contains(real, at->data);
    guint like = here ? count : n - count; /* candidates like the real one, itself among them */
    if (like * 5 <= n)
      add_reason(reasons, log2((double)n / like),
                 here ? g_strdup_printf("%s occurs in %u of %u candidates, the real one among them",
                                        (const char *)at->data, count, n)
                      : g_strdup_printf("%s is missing in %u of %u candidates, the real one among "
                                        "them",
                                        (const char *)at->data, like, n));
  }
}

static GPtrArray *reasons_of(const PtCase *c, uint32_t b) {
  g_autoptr(GArray) reasons = g_array_new(FALSE, FALSE, sizeof(Reason));
  GPtrArray *why = g_ptr_array_new_with_free_func(g_free);
  numbers(c, b, reasons);
  operators(c, b, reasons);
  g_array_sort(reasons, by_weight);
  for (guint i = 0; i < reasons->len; i++) {
    Reason *r = &g_array_index(reasons, Reason, i);
    if (i < REASONS)
      g_ptr_array_add(why, r->text);
    else
      g_free(r->text);
  }
  if (why->len == 0)
    g_ptr_array_add(why, g_strdup("nothing stands out by itself"));
  return why;
}

/* ---- buckets --------------------------------------------------------------------------------- */
static int by_bits(const void *a, const void *b) {
  double x = (*(const PtAuditBucket *const *)a)->bits, y = (*(const PtAuditBucket *const *)b)->bits;
  return x < y ? -1 : x > y;
}

/* The likeliest sentinels, the likeliest first. */
static GPtrArray *rivals_of(const PtCase *c, uint32_t b, const double *scores, GPtrArray *ids) {
  GPtrArray *rivals = g_ptr_array_new_with_free_func(g_free);
  g_autofree bool *taken = g_new0(bool, (gsize)c->buckets[b].n + 1);
  taken[c->real[b]] = true;
  while (rivals->len < MIN(RIVALS, c->buckets[b].n - 1)) {
    uint32_t best = PT_NONE;
    for (uint32_t i = 0; i < c->buckets[b].n; i++)
      if (!taken[i] && (best == PT_NONE || scores[i] > scores[best]))
        best = i;
    taken[best] = true;
    g_ptr_array_add(rivals, g_strdup(ids->pdata[c->buckets[b].first + best]));
  }
  return rivals;
}

static GPtrArray *buckets_of(const PtContest *contest, uint32_t row, const PtCase *c,
                             GPtrArray *ids) {
  GPtrArray *buckets = g_ptr_array_new_with_free_func(bucket_free);
  for (uint32_t b = 0; b < c->n_buckets; b++) {
    const PtBucketResult *r = &contest->rows[row].results[0][b];
    const double *scores = contest->rows[row].scores[0] + c->buckets[b].first;
    PtAuditBucket *bucket = g_new0(PtAuditBucket, 1);
    uint32_t above = 0;
    for (uint32_t i = 0; i < c->buckets[b].n; i++)
      above += scores[i] > scores[c->real[b]];
    *bucket = (PtAuditBucket){.index = b,
                              .n = r->n,
                              .nodes = pt_case_sight(c, b, c->real[b])->n,
                              .real = g_strdup(ids->pdata[c->buckets[b].first + c->real[b]]),
                              .bits = r->bits,
                              .most_bits = log2(r->n),
                              .posterior = r->posterior,
                              .rank = above + 1,
                              .rivals = rivals_of(c, b, scores, ids),
                              .why = reasons_of(c, b)};
    g_ptr_array_add(buckets, bucket);
  }
  g_ptr_array_sort(buckets, by_bits);
  return buckets;
}

/* One run has no seeds to compare: the error of a share is that of its mean over buckets. */
static void errors_over_buckets(const PtContest *contest, PtAuditModel *m) {
  for (guint a = 0; a < m->lines->len; a++) {
    PtAuditLine *line = &g_array_index(m->lines, PtAuditLine, a);
    const PtCase *c = contest->targets->pdata[0];
    double sum = 0, square = 0, areas = 0, area_square = 0, n = c->n_buckets;
    for (uint32_t b = 0; b < c->n_buckets; b++) {
      const PtBucketResult *r = &contest->rows[a].results[0][b];
      double share = r->bits / log2(r->n);
      sum += share;
      square += share * share;
      areas += 1 - r->rank;
      area_square += (1 - r->rank) * (1 - r->rank);
    }
    if (n < 2)
      continue;
    line->kept_error = sqrt(MAX(square / n - sum * sum / n / n, 0) / (n - 1));
    line->area_error = sqrt(MAX(area_square / n - areas * areas / n / n, 0) / (n - 1));
  }
}

PtAuditModel *pt_audit_bundle(const PtAuditBundleOptions *o, GError **error) {
  pt_progress(&o->progress, "reading the bundle", 0, 0);
  g_autoptr(PtJury) jury = pt_jury_read(o->adversaries, error);
  PtWalkModel *walk = jury ? pt_walk_model_open(NULL, error) : NULL;
  if (!walk)
    return NULL;
  g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
  const char *name = o->name ? o->name : o->bundle;
  g_autoptr(PtCase) c = pt_case_read(o->bundle, o->secret, name, walk, o->threads, ids, error);
  pt_walk_model_free(walk);
  bool asked = false;
  for (guint i = 0; i < jury->seats->len; i++)
    asked |= g_array_index(jury->seats, PtSeat, i).adversary->needs_answers;
  pt_progress(&o->progress, "asking an optimizer", 0, 0);
  if (!c || (asked && !pt_case_answers(c, o->bundle, ids, o->threads, NULL, error)))
    return NULL;
  pt_progress(&o->progress, "hearing adversaries", 0, 0);
  g_autoptr(PtContest) contest = pt_jury_hear(jury, c);
  PtAuditModel *m = pt_contest_model(contest, name, PT_NONE);
  errors_over_buckets(contest, m);
  m->buckets = buckets_of(contest, m->worst, c, ids);
  return m;
}

/* ---- training beforehand --------------------------------------------------------------------- */
bool pt_audit_learn_in(const PtLab *lab, const PtAuditOptions *o, const char *path,
                       PtAuditSurvey **survey, GError **error) {
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  double start = pt_clock();
  if (!pt_audit_cases(lab, o, cases, error))
    return false;
  PtSeed seed;
  pt_seed_init(&seed, "audit");
  PtContestOptions how = {
      .folds = o->folds, .only = o->only, .threads = o->threads, .progress = o->progress};
  g_autoptr(PtContest) contest = pt_contest_new(cases, &how, &seed);
  g_autoptr(PtJury) jury = pt_jury_train(contest);
  if (!pt_jury_write(jury, path, error))
    return false;
  if (survey) {
    g_autoptr(PtTally) tally =
        pt_tally_new(g_steal_pointer(&contest), pt_tells(cases), g_ptr_array_new());
    if (o->seeds == 1 && !pt_audit_keep_tally(lab, o, 0, tally, error)) /* a survey's first seed */
      return false;
    *survey = pt_survey_of(lab, tally);
    (*survey)->seconds = pt_clock() - start;
  }
  return true;
}

bool pt_audit_learn(const PtAuditOptions *o, const char *path, PtAuditSurvey **survey,
                    GError **error) {
  g_autofree char *temporary = NULL;
  g_autoptr(PtLab) lab = pt_audit_lab(o, &temporary, error);
  bool ok = lab && pt_audit_learn_in(lab, o, path, survey, error);
  if (temporary)
    pt_dir_remove(temporary);
  return ok;
}
