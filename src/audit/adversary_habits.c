/* adversary_habits.c: the habits of a model show in all its buckets: what is commoner in the others
 * than in its own speaks for a candidate. */
#include "audit/audit_private.h"

#include <math.h>

/* How many candidates of a bucket have a feature, and of all. */
typedef struct Counts {
  GHashTable *all;     /* id -> candidates + 1 */
  GHashTable **bucket; /* [n_buckets] */
} Counts;

static void add_one(GHashTable *table, uint64_t id) {
  void *key = GSIZE_TO_POINTER((gsize)id);
  g_hash_table_insert(table, key,
                      GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(table, key)) + 1));
}

static uint32_t count_of(GHashTable *table, uint64_t id) {
  return GPOINTER_TO_UINT(g_hash_table_lookup(table, GSIZE_TO_POINTER((gsize)id)));
}

static Counts count(const PtCase *t) {
  Counts c = {g_hash_table_new(NULL, NULL), g_new0(GHashTable *, (gsize)t->n_buckets + 1)};
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    c.bucket[b] = g_hash_table_new(NULL, NULL);
    for (uint32_t i = 0; i < t->buckets[b].n; i++) {
      const PtSparse *s = &pt_case_sight(t, b, i)->features;
      for (uint32_t k = 0; k < s->n; k++) {
        add_one(c.all, s->id[k]);
        add_one(c.bucket[b], s->id[k]);
      }
    }
  }
  return c;
}

static void counts_clear(Counts *c, uint32_t n) {
  g_hash_table_unref(c->all);
  for (uint32_t b = 0; b < n; b++)
    g_hash_table_unref(c->bucket[b]);
  g_free(c->bucket);
}

/* lift: mean log of the share elsewhere over that here, where that is above. rare: how many
 * features are here in at most two candidates and elsewhere in a tenth. */
static void score(const PtCase *t, bool lift, double *out) {
  Counts c = count(t);
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    uint32_t n = t->buckets[b].n;
    double others = (double)t->sights->len - n;
    for (uint32_t i = 0; i < n; i++) {
      const PtSparse *s = &pt_case_sight(t, b, i)->features;
      double sum = 0;
      for (uint32_t k = 0; k < s->n; k++) {
        double here = count_of(c.bucket[b], s->id[k]);
        double elsewhere = count_of(c.all, s->id[k]) - here;
        if (lift)
          sum += MAX(0, log((elsewhere + 0.5) / (others + 1)) - log((here - 0.5) / n));
        else
          sum += here <= 2 && elsewhere >= others / 10;
      }
      out[t->buckets[b].first + i] = lift ? sum / MAX(s->n, 1) : sum;
    }
  }
  counts_clear(&c, t->n_buckets);
}

static void score_lift(const void *state, const PtCase *t, double *out) {
  (void)state;
  score(t, true, out);
}

static void score_rare(const void *state, const PtCase *t, double *out) {
  (void)state;
  score(t, false, out);
}

const PtAdversary pt_adversary_habits = {
    .name = "habits",
    .looks = "features commoner in the other buckets than in the candidate's own",
    .remedy = "sentinels lack habits of the model: mode walk, whose style has them",
    .score = score_lift};
const PtAdversary pt_adversary_rare = {
    .name = "rare-here",
    .looks = "features rare in the bucket and common in the others",
    .remedy = "sentinels lack habits of the model: mode walk, whose style has them",
    .score = score_rare};
