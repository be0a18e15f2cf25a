/* adversary_trees.c: gradient-boosted trees (XGBoost) over numbers and counts, raw and relative to
 * the bucket: combinations that no linear guess sees. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>
#include <xgboost/c_api.h>

#define MOST_COUNTS 400
#define COMPANY 8 /* sentinels of a bucket that are learned from */
#define ROUNDS 150

typedef struct Trees {
  GHashTable *columns;
  uint32_t counts, width;
  BoosterHandle booster; /* NULL: nothing could be learned */
} Trees;

/* rows[n * width]: numbers as they are, in deviations of the bucket; counts less their mean. */
static void fill(const Trees *x, const PtCase *t, uint32_t b, float *rows) {
  uint32_t n = t->buckets[b].n, w = x->width;
  memset(rows, 0, sizeof(float) * n * w);
  for (uint32_t i = 0; i < n; i++) {
    const PtSight *v = pt_case_sight(t, b, i);
    float *row = rows + (gsize)i * w;
    for (uint32_t f = 0; f < PT_NUMBERS; f++)
      row[f] = (float)v->numbers[f];
    for (uint32_t f = 0; f < v->features.n; f++) {
      guint c = GPOINTER_TO_UINT(
          g_hash_table_lookup(x->columns, GSIZE_TO_POINTER((gsize)v->features.id[f])));
      if (c)
        row[2 * PT_NUMBERS + c - 1] = v->features.count[f];
    }
  }
  for (uint32_t f = 0; f < PT_NUMBERS; f++) {
    double mean = 0, square = 0;
    for (uint32_t i = 0; i < n; i++)
      mean += (double)rows[(gsize)i * w + f] / n;
    for (uint32_t i = 0; i < n; i++) {
      double d = (double)rows[(gsize)i * w + f] - mean;
      square += d * d / n;
    }
    double scale = square > 1e-12 ? 1 / sqrt(square) : 0;
    for (uint32_t i = 0; i < n; i++)
      rows[(gsize)i * w + PT_NUMBERS + f] =
          (float)(((double)rows[(gsize)i * w + f] - mean) * scale);
  }
  for (uint32_t f = 2 * PT_NUMBERS; f < w; f++) {
    float mean = 0;
    for (uint32_t i = 0; i < n; i++)
      mean += rows[(gsize)i * w + f] / (float)n;
    for (uint32_t i = 0; i < n; i++)
      rows[(gsize)i * w + f] -= mean;
  }
}

static void grow(Trees *x, const PtTraining *training, const GArray *rows, const GArray *labels) {
  static const char *const parameters[][2] = {{"objective", "binary:logistic"},
                                              {"tree_method", "hist"},
                                              {"max_depth", "5"},
                                              {"eta", "0.08"},
                                              {"subsample", "0.8"},
                                              {"colsample_bytree", "0.4"},
                                              {"min_child_weight", "4"},
                                              {"lambda", "4"},
                                              {"base_score", "0.111"},
                                              {"nthread", "1"},
                                              {"seed", "1"},
                                              {"verbosity", "0"}};
  DMatrixHandle matrix;
  (void)training;
  if (labels->len == 0 || XGDMatrixCreateFromMat((const float *)(void *)rows->data, labels->len,
                                                 x->width, NAN, &matrix) != 0)
    return;
  if (XGDMatrixSetFloatInfo(matrix, "label", (const float *)(void *)labels->data, labels->len) ==
          0 &&
      XGBoosterCreate(&matrix, 1, &x->booster) == 0) {
    for (size_t i = 0; i < G_N_ELEMENTS(parameters); i++)
      (void)XGBoosterSetParam(x->booster, parameters[i][0], parameters[i][1]);
    for (int round = 0; round < ROUNDS; round++)
      if (XGBoosterUpdateOneIter(x->booster, round, matrix) != 0) {
        (void)XGBoosterFree(x->booster);
        x->booster = NULL;
        break;
      }
  }
  (void)XGDMatrixFree(matrix);
}

static void *train(const PtTraining *training) {
  Trees *x = g_new0(Trees, 1);
  for (uint32_t least = 4;; least++) {
    x->columns = pt_common_features(training->targets, least, &x->counts);
    if (x->counts <= MOST_COUNTS || least > 30)
      break;
    g_hash_table_unref(x->columns);
  }
  x->width = 2 * PT_NUMBERS + x->counts;
  g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(float)),
                    labels = g_array_new(FALSE, FALSE, sizeof(float)),
                    room = g_array_new(FALSE, FALSE, sizeof(float));
  g_autoptr(PtRng) rng = pt_rng_new(&training->seed, "company", 0);
  for (guint i = 0; i < training->targets->len; i++) {
    const PtCase *t = training->targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      uint32_t n = t->buckets[b].n;
      g_array_set_size(room, (guint)n * x->width);
      float *all = (float *)(void *)room->data;
      fill(x, t, b, all);
      for (uint32_t k = 0; k < n; k++) {
        bool real = k == t->real[b];
        if (!real && pt_rng_unit(rng) * (n - 1) >= COMPANY)
          continue;
        float label = real ? 1 : 0;
        g_array_append_vals(rows, all + (gsize)k * x->width, x->width);
        g_array_append_val(labels, label);
      }
    }
  }
  grow(x, training, rows, labels);
  return x;
}

static void unload(void *state) {
  Trees *x = state;
  g_hash_table_unref(x->columns);
  if (x->booster)
    (void)XGBoosterFree(x->booster);
  g_free(x);
}

static void write_state(const void *state, GByteArray *out) {
  const Trees *x = state;
  bst_ulong size = 0;
  const char *data = NULL;
  pt_put_u32(out, x->counts);
  pt_put_table(out, x->columns);
  if (!x->booster ||
      XGBoosterSaveModelToBuffer(x->booster, "{\"format\": \"ubj\"}", &size, &data) != 0)
    size = 0;
  pt_put_u32(out, (uint32_t)size);
  pt_put(out, data, size);
}

/* XGBoost checks what it reads; a model of another width is refused when it is asked. */
static void *read_state(PtReader *r) {
  Trees *x = g_new0(Trees, 1);
  x->counts = pt_take_u32(r);
  r->ok &= x->counts <= 64 * MOST_COUNTS;
  x->columns = pt_take_table(r, x->counts);
  x->width = 2 * PT_NUMBERS + x->counts;
  uint32_t size = pt_take_u32(r);
  const uint8_t *data = pt_take(r, size);
  if (r->ok && size && XGBoosterCreate(NULL, 0, &x->booster) == 0) {
    r->ok = XGBoosterLoadModelFromBuffer(x->booster, data, size) == 0;
    (void)XGBoosterSetParam(x->booster, "nthread", "1");
  }
  if (!r->ok) {
    unload(x);
    return NULL;
  }
  return x;
}

static void score(const void *state, const PtCase *t, double *out) {
  const Trees *x = state;
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(float));
  for (guint i = 0; i < t->sights->len; i++)
    out[i] = 0;
  g_array_set_size(room, t->sights->len * x->width);
  for (uint32_t b = 0; b < t->n_buckets; b++)
    fill(x, t, b, (float *)(void *)room->data + (gsize)t->buckets[b].first * x->width);
  DMatrixHandle matrix;
  if (!x->booster || XGDMatrixCreateFromMat((const float *)(void *)room->data, t->sights->len,
                                            x->width, NAN, &matrix) != 0)
    return;
  bst_ulong n;
  const float *margin;
  if (XGBoosterPredict(x->booster, matrix, 1, 0, 0, &n, &margin) == 0)
    for (bst_ulong i = 0; i < n && i < t->sights->len; i++)
      out[i] = (double)margin[i];
  (void)XGDMatrixFree(matrix);
}

const PtAdversary pt_adversary_trees = {
    .name = "trees",
    .looks = "gradient-boosted trees over numbers, paths, attributes, degrees, ratios",
    .remedy = "a larger k; or add public models like this one to the corpus and train on it",
    .train = train,
    .score = score,
    .free = unload,
    .write = write_state,
    .read = read_state};
