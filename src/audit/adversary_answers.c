/* adversary_answers.c: a linear guess from what an optimizer makes of each candidate: numbers in
 * deviations of the bucket, and how often each operator, and each pair, is left. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

enum { NUMBERS = 2 * PT_ANSWER_NUMBERS }; /* deviations and their sizes; then the operators */

typedef struct Linear {
  GHashTable *columns; /* operator or pair -> column + 1, from NUMBERS on */
  double *weights;
} Linear;

static guint column_of(const Linear *l, uint64_t id) {
  return GPOINTER_TO_UINT(g_hash_table_lookup(l->columns, GSIZE_TO_POINTER((gsize)id)));
}

static double value_of(float count) {
  return MIN((double)count, 4);
}

/* z[n * NUMBERS] */
static void deviations(const PtCase *t, uint32_t b, double *z) {
  uint32_t n = t->buckets[b].n;
  for (uint32_t f = 0; f < PT_ANSWER_NUMBERS; f++) {
    double mean = 0, square = 0;
    for (uint32_t i = 0; i < n; i++)
      mean += pt_case_sight(t, b, i)->answer[f] / n;
    for (uint32_t i = 0; i < n; i++) {
      double d = pt_case_sight(t, b, i)->answer[f] - mean;
      square += d * d / n;
    }
    double scale = square > 1e-12 ? 1 / sqrt(square) : 0;
    for (uint32_t i = 0; i < n; i++) {
      double d = (pt_case_sight(t, b, i)->answer[f] - mean) * scale;
      z[i * NUMBERS + f] = d;
      z[i * NUMBERS + PT_ANSWER_NUMBERS + f] = fabs(d);
    }
  }
}

static void *train(const PtTraining *training) {
  Linear *l = g_new0(Linear, 1);
  uint32_t count;
  l->columns = pt_common_features(training->targets, offsetof(PtSight, answer_ops), 3, &count);
  count += NUMBERS;
  l->weights = g_new0(double, count);
  PtLogit *logit = pt_logit_new(count);
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint i = 0; i < training->targets->len; i++) {
    const PtCase *t = training->targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      g_array_set_size(room, t->buckets[b].n * NUMBERS);
      double *z = (double *)(void *)room->data;
      deviations(t, b, z);
      pt_logit_begin(logit);
      for (uint32_t k = 0; k < t->buckets[b].n; k++) {
        const PtSparse *s = &pt_case_sight(t, b, k)->answer_ops;
        pt_logit_row(logit);
        for (uint32_t c = 0; c < NUMBERS; c++)
          if (z[k * NUMBERS + c] != 0)
            pt_logit_put(logit, c, (float)z[k * NUMBERS + c]);
        for (uint32_t f = 0; f < s->n; f++) {
          guint c = column_of(l, s->id[f]);
          if (c)
            pt_logit_put(logit, NUMBERS + c - 1, (float)value_of(s->count[f]));
        }
      }
      pt_logit_end(logit, t->real[b]);
    }
  }
  (void)pt_logit_fit(logit, 0.02, l->weights);
  pt_logit_free(logit);
  return l;
}

static void score(const void *state, const PtCase *t, double *out) {
  const Linear *l = state;
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(double));
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    g_array_set_size(room, t->buckets[b].n * NUMBERS);
    double *z = (double *)(void *)room->data;
    deviations(t, b, z);
    for (uint32_t k = 0; k < t->buckets[b].n; k++) {
      const PtSparse *s = &pt_case_sight(t, b, k)->answer_ops;
      double sum = 0;
      for (uint32_t c = 0; c < NUMBERS; c++)
        sum += l->weights[c] * z[k * NUMBERS + c];
      for (uint32_t f = 0; f < s->n; f++) {
        guint c = column_of(l, s->id[f]);
        if (c)
          sum += l->weights[NUMBERS + c - 1] * value_of(s->count[f]);
      }
      out[t->buckets[b].first + k] = sum;
    }
  }
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
  for (guint i = 0; i < NUMBERS + g_hash_table_size(l->columns); i++)
    pt_put_double(out, l->weights[i]);
}

static void *read_state(PtReader *r) {
  Linear *l = g_new0(Linear, 1);
  l->columns = pt_take_columns(r);
  guint n = g_hash_table_size(l->columns);
  l->weights = g_new0(double, (gsize)NUMBERS + n);
  for (guint i = 0; r->ok && i < NUMBERS + n; i++)
    l->weights[i] = pt_take_double(r);
  if (!r->ok) {
    unload(l);
    return NULL;
  }
  return l;
}

const PtAdversary pt_adversary_answers = {
    .name = "answers",
    .looks = "what an optimizer folds, fuses, drops and leaves of each candidate, weighed as other "
             "models taught",
    .remedy = "optimize the model once yourself before you obfuscate it, so that little is left to "
              "fold; or another seed",
    .needs_answers = true,
    .train = train,
    .score = score,
    .free = unload,
    .write = write_state,
    .read = read_state};
