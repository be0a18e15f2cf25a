/* tally.c: what a contest told, kept as bytes without what it was about, so that contests of many
 * seeds can be summed: one after the other, or over days. Hostile input when read. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

static const char magic[8] = {'P', 'T', 'T', 'A', 'L', 'L', 'Y', 1};

PtTally *pt_tally_new(PtContest *contest, GPtrArray *tells, GPtrArray *failed) {
  PtTally *t = g_new(PtTally, 1);
  *t = (PtTally){contest, tells, failed};
  return t;
}

void pt_tally_free(PtTally *t) {
  if (!t)
    return;
  pt_contest_free(t->contest);
  g_ptr_array_unref(t->tells);
  g_ptr_array_unref(t->failed);
  g_free(t);
}

/* ---- out ------------------------------------------------------------------------------------- */
static void put_text(GByteArray *out, const char *text) {
  pt_put_u32(out, (uint32_t)strlen(text));
  pt_put(out, text, strlen(text));
}

static void put_case(GByteArray *out, const PtCase *t) {
  put_text(out, t->name);
  pt_put_u32(out, t->model);
  pt_put_u32(out, t->family);
  pt_put_u32(out, t->seed);
  pt_put_u32(out, t->n_buckets);
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    pt_put_u32(out, t->buckets[b].n);
    pt_put_u32(out, t->real[b]);
  }
}

static void put_row(GByteArray *out, const PtContest *c, const PtContestRow *row) {
  put_text(out, row->name);
  for (guint i = 0; i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    for (guint k = 0; k < t->sights->len; k++)
      pt_put_double(out, row->scores[i][k]);
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      const PtBucketResult *r = &row->results[i][b];
      const double values[] = {r->posterior, r->bits, r->rank, r->first, r->place};
      for (size_t v = 0; v < G_N_ELEMENTS(values); v++)
        pt_put_double(out, values[v]);
    }
  }
}

GByteArray *pt_tally_bytes(const PtTally *t) {
  GByteArray *out = g_byte_array_new();
  const PtContest *c = t->contest;
  pt_put(out, magic, sizeof magic);
  pt_put_u32(out, c->n_folds);
  pt_put_u32(out, c->targets->len);
  for (guint i = 0; i < c->targets->len; i++)
    put_case(out, c->targets->pdata[i]);
  pt_put_u32(out, c->n_rows);
  for (uint32_t a = 0; a < c->n_rows; a++)
    put_row(out, c, &c->rows[a]);
  pt_put_u32(out, t->tells->len);
  for (guint i = 0; i < t->tells->len; i++) {
    const PtTell *tell = t->tells->pdata[i];
    put_text(out, tell->what);
    pt_put_double(out, tell->area);
    pt_put_double(out, tell->error);
    pt_put_u32(out, tell->buckets);
  }
  pt_put_u32(out, t->failed->len);
  for (guint i = 0; i < t->failed->len; i++)
    put_text(out, t->failed->pdata[i]);
  return out;
}

/* ---- in -------------------------------------------------------------------------------------- */
static char *take_text(PtReader *r) {
  uint32_t n = pt_take_u32(r);
  const uint8_t *text = pt_take(r, n);
  return g_strndup(text ? (const char *)text : "", text ? n : 0);
}

/* A case of which only the numbers of candidates are known. */
static void add_bucket(PtCase *t, uint32_t n, uint32_t real) {
  t->buckets = g_renew(PtCaseBucket, t->buckets, t->n_buckets + 1);
  t->real = g_renew(uint32_t, t->real, t->n_buckets + 1);
  t->buckets[t->n_buckets] = (PtCaseBucket){t->sights->len, n};
  t->real[t->n_buckets++] = real;
  g_ptr_array_set_size(t->sights, (gint)(t->sights->len + n));
}

/* *all: candidates so far: as each has a score further on, there is no room for more. */
static PtCase *take_case(PtReader *r, uint64_t *all) {
  g_autofree char *name = take_text(r);
  g_autoptr(PtCase) t = pt_case_new(name);
  t->model = pt_take_u32(r);
  t->family = pt_take_u32(r);
  t->seed = pt_take_u32(r);
  uint32_t n = pt_take_u32(r);
  for (uint32_t b = 0; r->ok && b < n; b++) {
    uint32_t size = pt_take_u32(r), real = pt_take_u32(r);
    *all += size;
    r->ok &= size > 1 && real < size && *all <= r->size / sizeof(double);
    if (r->ok)
      add_bucket(t, size, real);
  }
  return r->ok && n > 0 ? g_steal_pointer(&t) : NULL;
}

/* What of an adversary is static, by its name. */
static PtContestRow *row_named(PtContest *c, const char *name) {
  const PtAdversary *a = pt_adversary_find(name);
  if (a)
    return pt_contest_add_row(c, a->name, a->looks, a->remedy);
  if (g_str_equal(name, PT_STACK_NAME))
    return pt_contest_add_row(c, PT_STACK_NAME, PT_STACK_LOOKS, PT_STACK_REMEDY);
  if (g_str_equal(name, PT_WHOLE_NAME))
    return pt_contest_add_row(c, PT_WHOLE_NAME, PT_WHOLE_LOOKS, PT_WHOLE_REMEDY);
  return NULL;
}

static void take_row(PtReader *r, PtContest *c) {
  g_autofree char *name = take_text(r);
  PtContestRow *row = r->ok ? row_named(c, name) : NULL;
  r->ok &= row != NULL;
  for (guint i = 0; r->ok && i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    for (guint k = 0; k < t->sights->len; k++)
      row->scores[i][k] = pt_take_double(r);
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      PtBucketResult *out = &row->results[i][b];
      double *values[] = {&out->posterior, &out->bits, &out->rank, &out->first, &out->place};
      for (size_t v = 0; v < G_N_ELEMENTS(values); v++)
        *values[v] = pt_take_double(r);
      out->n = t->buckets[b].n;
    }
  }
}

static GPtrArray *take_tells(PtReader *r) {
  GPtrArray *tells = g_ptr_array_new_with_free_func(pt_tell_free);
  uint32_t n = pt_take_u32(r);
  for (uint32_t i = 0; r->ok && i < n; i++) {
    PtTell *tell = g_new0(PtTell, 1);
    tell->what = take_text(r);
    tell->area = pt_take_double(r);
    tell->error = pt_take_double(r);
    tell->buckets = pt_take_u32(r);
    g_ptr_array_add(tells, tell);
  }
  return tells;
}

PtTally *pt_tally_parse(const void *data, size_t size) {
  PtReader r = {data, size, 0, true};
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  const uint8_t *head = pt_take(&r, sizeof magic);
  if (!head || memcmp(head, magic, sizeof magic) != 0)
    return NULL;
  uint32_t folds = pt_take_u32(&r), n = pt_take_u32(&r);
  uint64_t all = 0;
  for (uint32_t i = 0; r.ok && i < n; i++) {
    PtCase *one = take_case(&r, &all);
    if (!one)
      return NULL;
    g_ptr_array_add(cases, one);
  }
  uint32_t rows = pt_take_u32(&r);
  if (!r.ok || rows > size)
    return NULL;
  PtTally *t = pt_tally_new(pt_contest_bare(cases, rows), NULL, NULL);
  t->contest->n_folds = folds;
  for (uint32_t a = 0; r.ok && a < rows; a++)
    take_row(&r, t->contest);
  t->tells = take_tells(&r);
  t->failed = g_ptr_array_new_with_free_func(g_free);
  n = pt_take_u32(&r);
  for (uint32_t i = 0; r.ok && i < n; i++)
    g_ptr_array_add(t->failed, take_text(&r));
  if (r.ok && r.at == r.size)
    return t;
  pt_tally_free(t);
  return NULL;
}

/* ---- sums ------------------------------------------------------------------------------------ */
static PtCase *shell_of(const PtCase *from) {
  PtCase *t = pt_case_new(from->name);
  t->model = from->model;
  t->family = from->family;
  t->seed = from->seed;
  for (uint32_t b = 0; b < from->n_buckets; b++)
    add_bucket(t, from->buckets[b].n, from->real[b]);
  return t;
}

static bool same_adversaries(const PtContest *a, const PtContest *b) {
  bool same = a->n_rows == b->n_rows;
  for (uint32_t i = 0; same && i < a->n_rows; i++)
    same = g_str_equal(a->rows[i].name, b->rows[i].name);
  return same;
}

/* Means over contests, each weighing as many buckets as show the thing; errors add in squares. */
static void add_tells(GHashTable *sums, GPtrArray *tells) {
  for (guint i = 0; i < tells->len; i++) {
    const PtTell *one = tells->pdata[i];
    double n = one->buckets;
    PtTell *sum = g_hash_table_lookup(sums, one->what);
    if (!sum) {
      sum = g_new0(PtTell, 1);
      sum->what = g_strdup(one->what);
      g_hash_table_insert(sums, sum->what, sum);
    }
    sum->area += n * one->area;
    sum->error += n * n * one->error * one->error;
    sum->buckets += one->buckets;
  }
}

static int by_strength(const void *a, const void *b) {
  const PtTell *s = *(const PtTell *const *)a, *t = *(const PtTell *const *)b;
  double x = fabs(s->area - 0.5) * sqrt(s->buckets), y = fabs(t->area - 0.5) * sqrt(t->buckets);
  return x > y ? -1 : x < y ? 1 : strcmp(s->what, t->what);
}

static GPtrArray *mean_tells(GHashTable *sums) {
  GPtrArray *tells = g_ptr_array_new_with_free_func(pt_tell_free);
  GHashTableIter iter;
  void *value;
  g_hash_table_iter_init(&iter, sums);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    PtTell *t = value;
    double n = MAX(t->buckets, 1);
    t->area = t->buckets ? t->area / n : 0.5;
    t->error = sqrt(t->error) / n;
    g_ptr_array_add(tells, t);
  }
  g_ptr_array_sort(tells, by_strength);
  return tells;
}

PtTally *pt_tally_sum(GPtrArray *tallies) {
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  g_autoptr(GHashTable) tells = g_hash_table_new(g_str_hash, g_str_equal);
  const PtContest *first = tallies->len ? ((const PtTally *)tallies->pdata[0])->contest : NULL;
  GPtrArray *failed;
  for (guint i = 0; i < tallies->len; i++) {
    const PtContest *c = ((const PtTally *)tallies->pdata[i])->contest;
    if (!same_adversaries(first, c))
      return NULL;
    for (guint k = 0; k < c->targets->len; k++)
      g_ptr_array_add(cases, shell_of(c->targets->pdata[k]));
  }
  if (!first)
    return NULL;
  failed = g_ptr_array_new_with_free_func(g_free);
  PtContest *sum = pt_contest_bare(cases, first->n_rows);
  sum->n_folds = first->n_folds;
  for (uint32_t a = 0; a < first->n_rows; a++)
    (void)pt_contest_add_row(sum, first->rows[a].name, first->rows[a].looks, first->rows[a].remedy);
  guint at = 0;
  for (guint i = 0; i < tallies->len; i++) {
    const PtTally *one = tallies->pdata[i];
    const PtContest *c = one->contest;
    for (guint k = 0; k < c->targets->len; k++, at++)
      for (uint32_t a = 0; a < c->n_rows; a++) {
        const PtCase *t = c->targets->pdata[k];
        memcpy(sum->rows[a].scores[at], c->rows[a].scores[k], t->sights->len * sizeof(double));
        memcpy(sum->rows[a].results[at], c->rows[a].results[k],
               t->n_buckets * sizeof(PtBucketResult));
      }
    add_tells(tells, one->tells);
    for (guint k = 0; k < one->failed->len; k++)
      g_ptr_array_add(failed, g_strdup(one->failed->pdata[k]));
  }
  return pt_tally_new(sum, mean_tells(tells), failed);
}
