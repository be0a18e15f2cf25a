/* figure5_row: what was measured, its distances, and its file. */
#include "figure5.h"

#include "report/report.h"

#include <math.h>
#include <string.h>

static GHashTable *path_ids; /* char* -> id + 1 */
static GPtrArray *path_texts;

const char *measure_name(int m) {
  static const char *const paths[] = {"operators", "paths of 2", "paths of 3"};
  return m < PT_N_FEATURES ? pt_feature_names[m] : paths[m - M_PATH1];
}

Row *row_new(const char *name) {
  Row *row = g_new0(Row, 1);
  row->name = g_strdup(name);
  for (int real = 0; real < 2; real++) {
    for (int f = 0; f < PT_N_FEATURES; f++)
      row->sample[real].x[f] = g_array_new(FALSE, FALSE, sizeof(double));
    for (int p = 0; p < PATHS; p++)
      row->sample[real].paths[p] = g_array_new(FALSE, TRUE, sizeof(double));
  }
  return row;
}

void row_free(void *data) {
  Row *row = data;
  if (!row)
    return;
  for (int real = 0; real < 2; real++) {
    for (int f = 0; f < PT_N_FEATURES; f++)
      g_array_unref(row->sample[real].x[f]);
    for (int p = 0; p < PATHS; p++)
      g_array_unref(row->sample[real].paths[p]);
  }
  g_free(row->name);
  g_free(row);
}

static double weight_at(const GArray *paths, guint id) {
  return id < paths->len ? g_array_index(paths, double, id) : 0;
}

static void add_weight(GArray *paths, guint id, double weight) {
  if (id >= paths->len)
    g_array_set_size(paths, id + 1);
  g_array_index(paths, double, id) += weight;
}

void row_add(Row *to, const Row *from) {
  to->buckets += from->buckets;
  to->missing += from->missing;
  to->walked += from->walked;
  to->modified += from->modified;
  for (int real = 0; real < 2; real++) {
    Sample *a = &to->sample[real];
    const Sample *b = &from->sample[real];
    for (int f = 0; f < PT_N_FEATURES; f++)
      g_array_append_vals(a->x[f], b->x[f]->data, b->x[f]->len);
    for (int p = 0; p < PATHS; p++)
      for (guint i = 0; i < b->paths[p]->len; i++)
        add_weight(a->paths[p], i, weight_at(b->paths[p], i));
  }
}

/* ---- paths ------------------------------------------------------------------------------------
 */
uint32_t path_id(const char *text) {
  if (!path_ids) {
    path_ids = g_hash_table_new(g_str_hash, g_str_equal);
    path_texts = g_ptr_array_new_with_free_func(g_free);
  }
  gpointer found = g_hash_table_lookup(path_ids, text);
  if (!found) {
    char *own = g_strdup(text);
    g_ptr_array_add(path_texts, own);
    found = GUINT_TO_POINTER(path_texts->len);
    g_hash_table_insert(path_ids, own, found);
  }
  return GPOINTER_TO_UINT(found) - 1;
}

const char *path_text(uint32_t id) {
  return path_texts && id < path_texts->len ? path_texts->pdata[id] : NULL;
}

void paths_free(void) {
  g_clear_pointer(&path_ids, g_hash_table_unref);
  g_clear_pointer(&path_texts, g_ptr_array_unref);
}

/* ---- Kolmogorov-Smirnov -----------------------------------------------------------------------
 */
static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* The largest difference of the two cumulative distributions. */
static double distance(GArray *a, GArray *b) {
  g_array_sort(a, by_value);
  g_array_sort(b, by_value);
  guint i = 0, j = 0;
  double most = 0;
  while (i < a->len && j < b->len) {
    double x = MIN(g_array_index(a, double, i), g_array_index(b, double, j));
    while (i < a->len && g_array_index(a, double, i) <= x)
      i++;
    while (j < b->len && g_array_index(b, double, j) <= x)
      j++;
    most = MAX(most, fabs((double)i / a->len - (double)j / b->len));
  }
  return most;
}

static int by_weight(const void *a, const void *b) {
  const Rank *x = a, *y = b;
  double u = x->weight[0] + x->weight[1], v = y->weight[0] + y->weight[1];
  return u > v ? -1 : u < v;
}

Rank *ranks_of(const Row *row, int length, guint *n) {
  *n = MAX(row->sample[0].paths[length]->len, row->sample[1].paths[length]->len);
  Rank *ranks = g_new0(Rank, *n + 1);
  for (int real = 0; real < 2; real++) {
    double sum = 0;
    for (guint i = 0; i < *n; i++)
      sum += ranks[i].weight[real] = weight_at(row->sample[real].paths[length], i);
    for (guint i = 0; i < *n && sum > 0; i++)
      ranks[i].weight[real] /= sum;
  }
  qsort(ranks, *n, sizeof *ranks, by_weight);
  return ranks;
}

static double path_distance(const Row *row, int length) {
  guint n;
  g_autofree Rank *ranks = ranks_of(row, length, &n);
  double sum[2] = {0}, most = 0;
  for (guint i = 0; i < n; i++) {
    sum[0] += ranks[i].weight[0];
    sum[1] += ranks[i].weight[1];
    most = MAX(most, fabs(sum[0] - sum[1]));
  }
  return most;
}

void row_measure(Row *row) {
  for (int f = 0; f < PT_N_FEATURES; f++)
    row->distance[f] = distance(row->sample[0].x[f], row->sample[1].x[f]);
  for (int p = 0; p < PATHS; p++)
    row->distance[M_PATH1 + p] = path_distance(row, p);
}

/* ---- its file ---------------------------------------------------------------------------------
 */
static json_t *sample_json(const Sample *s) {
  json_t *o = json_object(), *paths = json_object();
  for (int f = 0; f < PT_N_FEATURES; f++) {
    json_t *x = json_array();
    for (guint i = 0; i < s->x[f]->len; i++)
      json_array_append_new(x, pt_json_real(g_array_index(s->x[f], double, i)));
    json_object_set_new(o, pt_feature_names[f], x);
  }
  for (int p = 0; p < PATHS; p++) {
    json_t *weights = json_object();
    for (guint i = 0; i < s->paths[p]->len; i++)
      if (weight_at(s->paths[p], i) > 0)
        json_object_set_new(weights, path_text(i), pt_json_real(weight_at(s->paths[p], i)));
    json_object_set_new(paths, measure_name(M_PATH1 + p), weights);
  }
  json_object_set_new(o, "paths", paths);
  return o;
}

static void sample_read(Sample *s, const json_t *o) {
  for (int f = 0; f < PT_N_FEATURES; f++) {
    const json_t *list = json_object_get(o, pt_feature_names[f]);
    for (size_t i = 0; i < json_array_size(list); i++) {
      double x = json_number_value(json_array_get(list, i));
      g_array_append_val(s->x[f], x);
    }
  }
  for (int p = 0; p < PATHS; p++) {
    json_t *weights = json_object_get(json_object_get(o, "paths"), measure_name(M_PATH1 + p));
    for (void *at = json_object_iter(weights); at; at = json_object_iter_next(weights, at))
      add_weight(s->paths[p], path_id(json_object_iter_key(at)),
                 json_number_value(json_object_iter_value(at)));
  }
}

bool row_write(const Row *row, const char *path, GError **error) {
  json_t *o = json_object();
  json_object_set_new(o, "model", pt_json_text(row->name));
  json_object_set_new(o, "buckets", json_integer(row->buckets));
  json_object_set_new(o, "missing", json_integer(row->missing));
  json_object_set_new(o, "walked", json_integer(row->walked));
  json_object_set_new(o, "modified", json_integer(row->modified));
  json_object_set_new(o, "sentinels", sample_json(&row->sample[0]));
  json_object_set_new(o, "real", sample_json(&row->sample[1]));
  g_autofree char *text = pt_json_dump(o);
  return pt_file_write(path, 0644, text, strlen(text), error);
}

static uint32_t count_at(const json_t *o, const char *name) {
  return (uint32_t)json_integer_value(json_object_get(o, name));
}

Row *row_read(const char *path, GError **error) {
  json_error_t why;
  json_t *o = json_load_file(path, 0, &why);
  const char *name = json_string_value(json_object_get(o, "model"));
  Row *row = NULL;
  if (name) {
    row = row_new(name);
    row->buckets = count_at(o, "buckets");
    row->missing = count_at(o, "missing");
    row->walked = count_at(o, "walked");
    row->modified = count_at(o, "modified");
    sample_read(&row->sample[0], json_object_get(o, "sentinels"));
    sample_read(&row->sample[1], json_object_get(o, "real"));
    row_measure(row);
  } else
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_INPUT, "%s: not what --keep wrote", path);
  json_decref(o);
  return row;
}
