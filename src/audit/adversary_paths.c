/* adversary_paths.c: a linear guess from everything that can be counted: opcode paths, attributes,
 * degrees, ratios of widths; the strongest that pi was fitted against. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

typedef struct Linear {
  GHashTable *columns; /* id -> column + 1 */
  double *weights;
} Linear;

static void *key(uint64_t id) {
  return GSIZE_TO_POINTER((gsize)id);
}

GHashTable *pt_common_features(GPtrArray *targets, size_t sparse, uint32_t least, uint32_t *count) {
  g_autoptr(GHashTable) last = g_hash_table_new(NULL, NULL), times = g_hash_table_new(NULL, NULL);
  g_autoptr(GPtrArray) order = g_ptr_array_new();
  GHashTable *columns = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < targets->len; i++) {
    const PtCase *t = targets->pdata[i];
    for (guint k = 0; k < t->sights->len; k++) {
      const PtSparse *s =
          (const PtSparse *)(const void *)((const char *)t->sights->pdata[k] + sparse);
      for (uint32_t f = 0; f < s->n; f++) {
        void *id = key(s->id[f]);
        if (GPOINTER_TO_UINT(g_hash_table_lookup(last, id)) == t->family + 1)
          continue;
        g_hash_table_insert(last, id, GUINT_TO_POINTER(t->family + 1));
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(times, id)) + 1;
        g_hash_table_insert(times, id, GUINT_TO_POINTER(n));
        if (n == least)
          g_ptr_array_add(order, id);
      }
    }
  }
  for (guint i = 0; i < order->len; i++)
    g_hash_table_insert(columns, order->pdata[i], GUINT_TO_POINTER(i + 1));
  *count = order->len;
  return columns;
}

static float value_of(float count) {
  return (float)MIN(count, 4); /* long pieces do not outweigh the rest */
}

static void *train(const PtTraining *training) {
  uint32_t count;
  Linear *l = g_new0(Linear, 1);
  l->columns = pt_common_features(training->targets, offsetof(PtSight, features), 3, &count);
  l->weights = g_new0(double, (gsize)count + 1);
  PtLogit *logit = pt_logit_new(count);
  for (guint i = 0; i < training->targets->len; i++) {
    const PtCase *t = training->targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      pt_logit_begin(logit);
      for (uint32_t k = 0; k < t->buckets[b].n; k++) {
        const PtSparse *s = &pt_case_sight(t, b, k)->features;
        pt_logit_row(logit);
        for (uint32_t f = 0; f < s->n; f++) {
          guint c = GPOINTER_TO_UINT(g_hash_table_lookup(l->columns, key(s->id[f])));
          if (c)
            pt_logit_put(logit, c - 1, value_of(s->count[f]));
        }
      }
      pt_logit_end(logit, t->real[b]);
    }
  }
  (void)pt_logit_fit(logit, 0.03, l->weights);
  pt_logit_free(logit);
  return l;
}

static void unload(void *state) {
  Linear *l = state;
  g_hash_table_unref(l->columns);
  g_free(l->weights);
  g_free(l);
}

static void write_state(const void *state, GByteArray *out) {
  const Linear *l = state;
  pt_put_table(out, l->columns);
  for (guint i = 0; i < g_hash_table_size(l->columns); i++) {
    float w = (float)l->weights[i];
    pt_put(out, &w, sizeof w);
  }
}

static void *read_state(PtReader *r) {
  Linear *l = g_new0(Linear, 1);
  l->columns = pt_take_columns(r);
  guint n = g_hash_table_size(l->columns);
  const uint8_t *data = pt_take(r, n * sizeof(float));
  l->weights = g_new0(double, (gsize)n + 1);
  for (guint i = 0; data && r->ok && i < n; i++) {
    float w;
    memcpy(&w, data + i * sizeof w, sizeof w);
    r->ok &= isfinite(w);
    l->weights[i] = (double)w;
  }
  if (!r->ok) {
    unload(l);
    return NULL;
  }
  return l;
}

static void score(const void *state, const PtCase *t, double *out) {
  const Linear *l = state;
  for (guint i = 0; i < t->sights->len; i++) {
    const PtSparse *s = &((const PtSight *)t->sights->pdata[i])->features;
    out[i] = 0;
    for (uint32_t f = 0; f < s->n; f++) {
      guint c = GPOINTER_TO_UINT(g_hash_table_lookup(l->columns, key(s->id[f])));
      if (c)
        out[i] += l->weights[c - 1] * (double)value_of(s->count[f]);
    }
  }
}

const PtAdversary pt_adversary_paths = {
    .name = "paths",
    .looks = "opcode paths, attributes, degrees and ratios of widths, weighed as other models "
             "taught",
    .remedy = PT_REMEDY_FINER,
    .train = train,
    .score = score,
    .free = unload,
    .write = write_state,
    .read = read_state};
