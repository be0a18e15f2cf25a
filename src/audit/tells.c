/* tells.c: why: each thing that can be seen, by itself. */
#include "audit/audit_private.h"

#include <math.h>

void pt_tell_free(void *data) {
  PtTell *tell = data;
  g_free(tell->what);
  g_free(tell);
}

/* Mean over buckets of the share of sentinels below the real piece. values[candidates]. */
typedef struct Sum {
  double sum, square;
  uint32_t n;
} Sum;

static void add_bucket(Sum *s, const double *value, uint32_t n, uint32_t real) {
  double below = 0;
  for (uint32_t i = 0; i < n; i++)
    if (i != real)
      below += value[i] < value[real] ? 1 : value[i] == value[real] ? 0.5 : 0;
  below /= MAX(n - 1, 1);
  s->sum += below;
  s->square += below * below;
  s->n++;
}

static void add_tell(GPtrArray *tells, char *what, const Sum *s) {
  double mean = s->n ? s->sum / s->n : 0.5;
  double variance = s->n > 1 ? MAX(s->square / s->n - mean * mean, 0) / (s->n - 1) : 0.1;
  PtTell *tell = g_new(PtTell, 1);
  *tell = (PtTell){what, mean, sqrt(variance), s->n};
  g_ptr_array_add(tells, tell);
}

typedef struct Kind {
  const char *prefix;
  const char *const *names;
  uint32_t count;
  size_t at; /* of the sight */
} Kind;
static const Kind kinds[] = {
    {"", pt_number_names, PT_NUMBERS, offsetof(PtSight, numbers)},
    {"file: ", pt_file_number_names, PT_FILE_NUMBERS, offsetof(PtSight, file)},
    {"answer: ", pt_answer_number_names, PT_ANSWER_NUMBERS, offsetof(PtSight, answer)}};

static void numbers(GPtrArray *tells, GPtrArray *cases, const Kind *kind) {
  g_autoptr(GArray) room = g_array_new(FALSE, TRUE, sizeof(double));
  for (uint32_t f = 0; f < kind->count; f++) {
    Sum sum = {0};
    for (guint c = 0; c < cases->len; c++) {
      const PtCase *t = cases->pdata[c];
      for (uint32_t b = 0; b < t->n_buckets; b++) {
        g_array_set_size(room, t->buckets[b].n);
        double *value = (double *)(void *)room->data;
        for (uint32_t i = 0; i < t->buckets[b].n; i++) {
          const PtSight *s = pt_case_sight(t, b, i);
          value[i] = ((const double *)(const void *)((const char *)s + kind->at))[f];
        }
        add_bucket(&sum, value, t->buckets[b].n, t->real[b]);
      }
    }
    add_tell(tells, g_strconcat(kind->prefix, kind->names[f], NULL), &sum);
  }
}

/* Operators that an optimizer leaves, or makes. */
static void answered(GPtrArray *tells, GPtrArray *cases) {
  static const char *const names[] = {"Add",
                                      "Attention",
                                      "BatchNormalization",
                                      "BiasGelu",
                                      "BiasSoftmax",
                                      "Clip",
                                      "Concat",
                                      "Conv",
                                      "Div",
                                      "Erf",
                                      "FastGelu",
                                      "FusedConv",
                                      "FusedGemm",
                                      "FusedMatMul",
                                      "Gelu",
                                      "Gemm",
                                      "LayerNormalization",
                                      "MatMul",
                                      "Mul",
                                      "Pow",
                                      "QuickGelu",
                                      "ReduceMean",
                                      "Relu",
                                      "Reshape",
                                      "Sigmoid",
                                      "SimplifiedLayerNormalization",
                                      "SkipLayerNormalization",
                                      "Softmax",
                                      "Split",
                                      "Sqrt",
                                      "Sub",
                                      "Tanh",
                                      "Transpose",
                                      "Where"};
  g_autoptr(GArray) room = g_array_new(FALSE, TRUE, sizeof(double));
  for (size_t f = 0; f < G_N_ELEMENTS(names); f++) {
    Sum sum = {0};
    uint64_t id = pt_sight_operator(names[f]);
    for (guint c = 0; c < cases->len; c++) {
      const PtCase *t = cases->pdata[c];
      for (uint32_t b = 0; b < t->n_buckets; b++) {
        bool any = false;
        g_array_set_size(room, t->buckets[b].n);
        double *value = (double *)(void *)room->data;
        for (uint32_t i = 0; i < t->buckets[b].n; i++) {
          const PtSparse *s = &pt_case_sight(t, b, i)->answer_ops;
          value[i] = 0;
          for (uint32_t k = 0; k < s->n; k++)
            if (s->id[k] == id)
              value[i] = (double)s->count[k];
          any |= value[i] > 0;
        }
        if (any)
          add_bucket(&sum, value, t->buckets[b].n, t->real[b]);
      }
    }
    if (sum.n)
      add_tell(tells, g_strconcat("answer: ", names[f], NULL), &sum);
  }
}

/* ---- counts ---------------------------------------------------------------------------------- */
static void add_key(GHashTable *counts, const char *key) {
  void *old = g_hash_table_lookup(counts, key);
  g_hash_table_insert(counts, g_strdup(key), GUINT_TO_POINTER(GPOINTER_TO_UINT(old) + 1));
}

/* Operators and pairs of them, as text -> times. */
static GHashTable *count(const PtSight *s) {
  GHashTable *counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (uint32_t i = 0; i < s->n; i++) {
    add_key(counts, s->nodes[i].name);
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++) {
      int32_t from = s->refs[s->nodes[i].in + k];
      g_autofree char *pair =
          g_strconcat(from < 0 ? "input" : s->nodes[from].name, " > ", s->nodes[i].name, NULL);
      add_key(counts, pair);
    }
    if (s->nodes[i].outs) {
      g_autofree char *pair = g_strconcat(s->nodes[i].name, " > output", NULL);
      add_key(counts, pair);
    }
  }
  return counts;
}

static int by_text(const void *a, const void *b) {
  return g_strcmp0(*(const char *const *)a, *(const char *const *)b);
}

static void counted(GPtrArray *tells, GPtrArray *cases) {
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GPtrArray) keys = g_ptr_array_new();
  g_autoptr(GArray) room = g_array_new(FALSE, TRUE, sizeof(double));
  for (guint c = 0; c < cases->len; c++)
    for (guint i = 0; i < ((const PtCase *)cases->pdata[c])->sights->len; i++) {
      GHashTable *counts = count(((const PtCase *)cases->pdata[c])->sights->pdata[i]);
      GHashTableIter iter;
      void *key;
      g_hash_table_iter_init(&iter, counts);
      while (g_hash_table_iter_next(&iter, &key, NULL))
        if (!g_hash_table_contains(seen, key)) {
          char *copy = g_strdup(key);
          g_hash_table_add(seen, copy);
          g_ptr_array_add(keys, copy);
        }
      g_ptr_array_add(all, counts);
    }
  g_ptr_array_sort(keys, by_text);
  for (guint k = 0; k < keys->len; k++) {
    Sum sum = {0};
    guint base = 0;
    for (guint c = 0; c < cases->len; c++) {
      const PtCase *t = cases->pdata[c];
      for (uint32_t b = 0; b < t->n_buckets; b++) {
        g_array_set_size(room, t->buckets[b].n);
        double *value = (double *)(void *)room->data;
        bool any = false;
        for (uint32_t i = 0; i < t->buckets[b].n; i++) {
          value[i] = GPOINTER_TO_UINT(
              g_hash_table_lookup(all->pdata[base + t->buckets[b].first + i], keys->pdata[k]));
          any |= value[i] > 0;
        }
        if (any)
          add_bucket(&sum, value, t->buckets[b].n, t->real[b]);
      }
      base += t->sights->len;
    }
    add_tell(tells, g_strdup(keys->pdata[k]), &sum);
  }
}

static double strength(const PtTell *t) {
  return fabs(t->area - 0.5) * sqrt(t->buckets); /* the error is too small where few show it */
}

static int by_strength(const void *a, const void *b) {
  double x = strength(*(const PtTell *const *)a), y = strength(*(const PtTell *const *)b);
  return x > y ? -1 : x < y;
}

GPtrArray *pt_tells(GPtrArray *cases) {
  GPtrArray *tells = g_ptr_array_new_with_free_func(pt_tell_free);
  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
    numbers(tells, cases, &kinds[i]);
  answered(tells, cases);
  counted(tells, cases);
  g_ptr_array_sort(tells, by_strength);
  return tells;
}
