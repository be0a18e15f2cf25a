/* adversary_trees.c: gradient-boosted trees over numbers and counts, raw and relative to the
 * bucket: combinations that no linear guess sees. XGBoost grows them; what is kept, read and asked
 * is a table of our own, as its reader takes no damaged files. */
#include "audit/audit_private.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <xgboost/c_api.h>

#define MOST_COUNTS 400
#define COMPANY 8 /* sentinels of a bucket that are learned from */
#define ROUNDS 150

#define LEAF UINT32_MAX
#define MOST_NODES (1u << 20)
#define MOST_DEPTH 64

/* A tree's nodes follow each other, children after their parent. */
typedef struct Fork {
  uint32_t column;  /* LEAF: this is one */
  float value;      /* below it, yes; a leaf's share of the score */
  uint32_t yes, no; /* places of the children */
} Fork;

typedef struct Trees {
  GHashTable *columns;
  uint32_t counts, width;
  GArray *forks; /* Fork */
  GArray *roots; /* uint32_t: places; none: nothing could be learned */
} Trees;

static Trees *trees_new(void) {
  Trees *x = g_new0(Trees, 1);
  x->forks = g_array_new(FALSE, FALSE, sizeof(Fork));
  x->roots = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  return x;
}

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

/* ---- growing --------------------------------------------------------------------------------- */
/* A node as XGBoost tells it: {"split": "f3", "split_condition": x, "yes": id, "children": [..]} or
 * {"leaf": x}. Its place; LEAF: it is not understood. */
static uint32_t add_fork(Trees *x, const json_t *node, uint32_t depth) {
  uint32_t at = x->forks->len;
  const json_t *leaf = json_object_get(node, "leaf"), *children = json_object_get(node, "children");
  const char *split = json_string_value(json_object_get(node, "split"));
  Fork fork = {LEAF, (float)json_number_value(leaf), 0, 0};
  if (leaf || depth > MOST_DEPTH || json_array_size(children) != 2 || !split || split[0] != 'f') {
    g_array_append_val(x->forks, fork);
    return leaf ? at : LEAF;
  }
  const json_t *a = json_array_get(children, 0), *b = json_array_get(children, 1);
  bool first = json_integer_value(json_object_get(a, "nodeid")) ==
               json_integer_value(json_object_get(node, "yes"));
  fork.column = (uint32_t)g_ascii_strtoull(split + 1, NULL, 10);
  fork.value = (float)json_number_value(json_object_get(node, "split_condition"));
  g_array_append_val(x->forks, fork);
  fork.yes = add_fork(x, first ? a : b, depth + 1);
  fork.no = add_fork(x, first ? b : a, depth + 1);
  g_array_index(x->forks, Fork, at) = fork;
  return fork.yes != LEAF && fork.no != LEAF && fork.column < x->width ? at : LEAF;
}

static void take_trees(Trees *x, BoosterHandle booster) {
  bst_ulong n = 0;
  const char **texts = NULL;
  if (XGBoosterDumpModelEx(booster, "", 0, "json", &n, &texts) != 0)
    return;
  for (bst_ulong i = 0; i < n; i++) {
    json_t *tree = json_loads(texts[i], 0, NULL);
    uint32_t root = add_fork(x, tree, 0);
    if (root != LEAF)
      g_array_append_val(x->roots, root);
    json_decref(tree);
  }
}

static void grow(Trees *x, const GArray *rows, const GArray *labels) {
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
  BoosterHandle booster = NULL;
  if (labels->len == 0 || XGDMatrixCreateFromMat((const float *)(void *)rows->data, labels->len,
                                                 x->width, NAN, &matrix) != 0)
    return;
  bool ok = XGDMatrixSetFloatInfo(matrix, "label", (const float *)(void *)labels->data,
                                  labels->len) == 0 &&
            XGBoosterCreate(&matrix, 1, &booster) == 0;
  for (size_t i = 0; ok && i < G_N_ELEMENTS(parameters); i++)
    ok = XGBoosterSetParam(booster, parameters[i][0], parameters[i][1]) == 0;
  for (int round = 0; ok && round < ROUNDS; round++)
    ok = XGBoosterUpdateOneIter(booster, round, matrix) == 0;
  if (ok)
    take_trees(x, booster);
  if (booster)
    (void)XGBoosterFree(booster);
  (void)XGDMatrixFree(matrix);
}

static void *train(const PtTraining *training) {
  Trees *x = trees_new();
  for (uint32_t least = 4;; least++) {
    x->columns =
        pt_common_features(training->targets, offsetof(PtSight, features), least, &x->counts);
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
  grow(x, rows, labels);
  return x;
}

/* ---- keeping --------------------------------------------------------------------------------- */
static void unload(void *state) {
  Trees *x = state;
  g_hash_table_unref(x->columns);
  g_array_unref(x->forks);
  g_array_unref(x->roots);
  g_free(x);
}

static void write_state(const void *state, GByteArray *out) {
  const Trees *x = state;
  pt_put_u32(out, x->counts);
  pt_put_table(out, x->columns);
  pt_put_u32(out, x->roots->len);
  pt_put(out, x->roots->data, x->roots->len * sizeof(uint32_t));
  pt_put_u32(out, x->forks->len);
  pt_put(out, x->forks->data, x->forks->len * sizeof(Fork));
}

/* Children come after their parent, so that no way down is endless. */
static bool sound(const Trees *x) {
  for (guint i = 0; i < x->roots->len; i++)
    if (g_array_index(x->roots, uint32_t, i) >= x->forks->len)
      return false;
  for (guint i = 0; i < x->forks->len; i++) {
    const Fork *f = &g_array_index(x->forks, Fork, i);
    if (!isfinite(f->value) ||
        (f->column != LEAF && (f->column >= x->width || f->yes <= i || f->no <= i ||
                               f->yes >= x->forks->len || f->no >= x->forks->len)))
      return false;
  }
  return true;
}

static void take_array(PtReader *r, GArray *out, size_t size) {
  uint32_t n = pt_take_u32(r);
  r->ok &= n <= MOST_NODES;
  const uint8_t *data = r->ok ? pt_take(r, n * size) : NULL;
  if (data)
    g_array_append_vals(out, data, n);
}

static void *read_state(PtReader *r) {
  Trees *x = trees_new();
  x->counts = pt_take_u32(r);
  r->ok &= x->counts <= 64 * MOST_COUNTS;
  x->columns = pt_take_table(r, x->counts);
  x->width = 2 * PT_NUMBERS + x->counts;
  take_array(r, x->roots, sizeof(uint32_t));
  take_array(r, x->forks, sizeof(Fork));
  r->ok = r->ok && sound(x);
  if (!r->ok) {
    unload(x);
    return NULL;
  }
  return x;
}

/* ---- asking ---------------------------------------------------------------------------------- */
static double ask(const Trees *x, const float *row) {
  const Fork *forks = (const Fork *)(void *)x->forks->data;
  double sum = 0;
  for (guint i = 0; i < x->roots->len; i++) {
    const Fork *f = &forks[g_array_index(x->roots, uint32_t, i)];
    while (f->column != LEAF)
      f = &forks[row[f->column] < f->value ? f->yes : f->no];
    sum += (double)f->value;
  }
  return sum;
}

static void score(const void *state, const PtCase *t, double *out) {
  const Trees *x = state;
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(float));
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    g_array_set_size(room, t->buckets[b].n * x->width);
    float *rows = (float *)(void *)room->data;
    fill(x, t, b, rows);
    for (uint32_t i = 0; i < t->buckets[b].n; i++)
      out[t->buckets[b].first + i] = ask(x, rows + (gsize)i * x->width);
  }
}

const PtAdversary pt_adversary_trees = {
    .name = "trees",
    .looks = "gradient-boosted trees over numbers, paths, attributes, degrees, ratios",
    .remedy = PT_REMEDY_FINER,
    .train = train,
    .score = score,
    .free = unload,
    .write = write_state,
    .read = read_state};
