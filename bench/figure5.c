/* figure5: the paper's Figure 5: are sentinels distributed as real pieces are? Average degree,
 * clustering coefficient, diameter, size, and opcode paths of one to three nodes; for each the
 * Kolmogorov-Smirnov distance of real pieces to sentinels, a model and over all. A path counts as a
 * number by its rank among all paths of its length, the most frequent first. */
#include "heap.h"

#include "report/report.h"
#include "runtime/runtime.h"
#include "topology/topology.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PATHS 3 /* nodes of the longest */
enum { M_PATH1 = PT_N_FEATURES, N_MEASURES = PT_N_FEATURES + PATHS };

static int k = 20, n_pieces;
static char *mode, *seed_text, *json_path, *svg_path;

typedef struct Path {
  uint32_t id; /* in the list of names */
  float share; /* of its piece's paths of that length: a piece counts once, however long */
} Path;

/* Of pieces that are real, or not. */
typedef struct Sample {
  GArray *x[PT_N_FEATURES]; /* double */
  GArray *paths[PATHS];     /* Path */
} Sample;

typedef struct Row {
  char *name;
  Sample sample[2]; /* sentinels, real */
  double distance[N_MEASURES];
  uint32_t buckets, missing;
} Row;

static GHashTable *path_ids; /* char* -> id + 1 */

static const char *measure_name(int m) {
  static const char *const paths[] = {"operators", "paths of 2", "paths of 3"};
  return m < PT_N_FEATURES ? pt_feature_names[m] : paths[m - M_PATH1];
}

static Row *row_new(const char *name) {
  Row *row = g_new0(Row, 1);
  row->name = g_strdup(name);
  for (int real = 0; real < 2; real++) {
    for (int f = 0; f < PT_N_FEATURES; f++)
      row->sample[real].x[f] = g_array_new(FALSE, FALSE, sizeof(double));
    for (int p = 0; p < PATHS; p++)
      row->sample[real].paths[p] = g_array_new(FALSE, FALSE, sizeof(Path));
  }
  return row;
}

static void row_free(void *data) {
  Row *row = data;
  for (int real = 0; real < 2; real++) {
    for (int f = 0; f < PT_N_FEATURES; f++)
      g_array_unref(row->sample[real].x[f]);
    for (int p = 0; p < PATHS; p++)
      g_array_unref(row->sample[real].paths[p]);
  }
  g_free(row->name);
  g_free(row);
}

/* ---- what a piece has
 * ------------------------------------------------------------------------------------ */
static uint32_t path_id(const char *text) {
  gpointer found = g_hash_table_lookup(path_ids, text);
  if (!found) {
    found = GUINT_TO_POINTER(g_hash_table_size(path_ids) + 1);
    g_hash_table_insert(path_ids, g_strdup(text), found);
  }
  return GPOINTER_TO_UINT(found) - 1;
}

/* Every path that ends in `node`, backwards. */
static void add_paths(const PtGraph *g, PtNodeId node, uint32_t length, const char *so_far,
                      Sample *s) {
  const PtNode *n = pt_node(g, node);
  g_autofree char *text =
      so_far ? g_strconcat(n->op_type, " ", so_far, NULL) : g_strdup(n->op_type);
  Path path = {path_id(text), 0};
  g_array_append_val(s->paths[length], path);
  for (uint32_t i = 0; i < n->n_inputs && length + 1 < PATHS; i++) {
    PtNodeId from = n->inputs[i] == PT_NONE ? PT_NONE : pt_value(g, n->inputs[i])->producer;
    if (from != PT_NONE)
      add_paths(g, from, length + 1, text, s);
  }
}

static void add_piece(const PtGraph *g, Sample *s) {
  g_autoptr(PtTopology) topology = pt_topology_of_graph(g);
  PtTopologyFeatures f = pt_topology_features(topology);
  guint first[PATHS];
  for (int i = 0; i < PT_N_FEATURES; i++)
    g_array_append_val(s->x[i], f.x[i]);
  for (int p = 0; p < PATHS; p++)
    first[p] = s->paths[p]->len;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
    add_paths(g, n, 0, NULL, s);
  for (int p = 0; p < PATHS; p++)
    for (guint i = first[p]; i < s->paths[p]->len; i++)
      g_array_index(s->paths[p], Path, i).share = 1.0f / (float)(s->paths[p]->len - first[p]);
}

static void add_sample(Sample *to, const Sample *from) {
  for (int f = 0; f < PT_N_FEATURES; f++)
    g_array_append_vals(to->x[f], from->x[f]->data, from->x[f]->len);
  for (int p = 0; p < PATHS; p++)
    g_array_append_vals(to->paths[p], from->paths[p]->data, from->paths[p]->len);
}

/* ---- Kolmogorov-Smirnov
 * ---------------------------------------------------------------------------------- */
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

typedef struct Rank {
  double weight[2]; /* sentinels, real */
} Rank;

static int by_weight(const void *a, const void *b) {
  const Rank *x = a, *y = b;
  double u = x->weight[0] + x->weight[1], v = y->weight[0] + y->weight[1];
  return u > v ? -1 : u < v;
}

/* Shares of each path among sentinels and among real pieces, the most frequent first. */
static Rank *ranks_of(const Row *row, int length, guint *n) {
  *n = g_hash_table_size(path_ids);
  Rank *ranks = g_new0(Rank, *n + 1);
  for (int real = 0; real < 2; real++) {
    const GArray *paths = row->sample[real].paths[length];
    double sum = 0;
    for (guint i = 0; i < paths->len; i++) {
      const Path *p = &g_array_index(paths, Path, i);
      ranks[p->id].weight[real] += (double)p->share;
      sum += (double)p->share;
    }
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

static void measure(Row *row) {
  for (int f = 0; f < PT_N_FEATURES; f++)
    row->distance[f] = distance(row->sample[0].x[f], row->sample[1].x[f]);
  for (int p = 0; p < PATHS; p++)
    row->distance[M_PATH1 + p] = path_distance(row, p);
}

/* ---- results
 * ---------------------------------------------------------------------------------------------- */
static double mean(const GArray *x) {
  double sum = 0;
  for (guint i = 0; i < x->len; i++)
    sum += g_array_index(x, double, i);
  return x->len ? sum / x->len : NAN;
}

static void print_rows(GPtrArray *rows) {
  PtTable *table = pt_table_new(N_MEASURES + 3);
  const char *head[N_MEASURES + 3] = {"model", "buckets", "missing"};
  for (int m = 0; m < N_MEASURES; m++)
    head[m + 3] = measure_name(m);
  pt_table_row(table, head);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = rows->pdata[i];
    char text[N_MEASURES + 2][24];
    const char *cells[N_MEASURES + 3] = {row->name, text[0], text[1]};
    g_snprintf(text[0], sizeof text[0], "%u", row->buckets);
    g_snprintf(text[1], sizeof text[1], "%u", row->missing);
    for (int m = 0; m < N_MEASURES; m++) {
      g_snprintf(text[m + 2], sizeof text[m + 2], "%.3f", row->distance[m]);
      cells[m + 3] = text[m + 2];
    }
    pt_table_row(table, cells);
  }
  g_autofree char *text = pt_table_finish(table);
  fputs(text, stdout);
  const Row *all = rows->pdata[rows->len - 1];
  printf("\nmeans over all, real / sentinels:");
  for (int f = 0; f < PT_N_FEATURES; f++)
    printf("  %s %.2f / %.2f", pt_feature_names[f], mean(all->sample[1].x[f]),
           mean(all->sample[0].x[f]));
  printf("\n");
}

static bool write_json(GPtrArray *rows, GError **error) {
  json_t *list = json_array();
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = rows->pdata[i];
    json_t *o = json_object(), *distances = json_object();
    json_object_set_new(o, "model", pt_json_text(row->name));
    json_object_set_new(o, "buckets", json_integer(row->buckets));
    json_object_set_new(o, "missing", json_integer(row->missing));
    for (int m = 0; m < N_MEASURES; m++)
      json_object_set_new(distances, measure_name(m), pt_json_real(row->distance[m]));
    json_object_set_new(o, "kolmogorov_smirnov", distances);
    json_array_append_new(list, o);
  }
  g_autofree char *text = pt_json_dump(
      json_pack("{s:s, s:i, s:o}", "mode", mode ? mode : "walk", "k", k, "rows", list));
  return pt_file_write(json_path, 0644, text, strlen(text), error);
}

/* ---- the plot
 * --------------------------------------------------------------------------------------------- */
#define PANEL_W 220.0
#define PANEL_H 130.0
#define STEP_X 270.0
#define STEP_Y 190.0
#define COLUMNS 4

/* A cumulative distribution as a line of at most 120 points. */
static void add_line(GString *s, const double *x, const double *y, guint n, double least,
                     double most, const char *style) {
  g_string_append_printf(s, "<polyline fill=\"none\" %s points=\"", style);
  guint stride = MAX(n / 120, 1);
  double last = 0;
  for (guint i = 0; i < n; i += stride) {
    double at = most > least ? (x[i] - least) / (most - least) * PANEL_W : 0;
    at = CLAMP(at, 0, PANEL_W);
    g_string_append_printf(s, "%.1f,%.1f %.1f,%.1f ", at, PANEL_H * (1 - last), at,
                           PANEL_H * (1 - y[i]));
    last = y[i];
  }
  g_string_append_printf(s, "%.1f,%.1f\"/>\n", PANEL_W, PANEL_H * (1 - (n ? y[n - 1] : 1)));
}

static const char *const styles[2] = {
    "stroke=\"#d95f02\" stroke-width=\"1.6\"",
    "stroke=\"#1b4f9c\" stroke-width=\"1.6\" stroke-dasharray=\"5,2\""};

static void add_feature(GString *s, const Row *row, int f, double *least, double *most) {
  *least = INFINITY;
  *most = -INFINITY;
  for (int real = 0; real < 2; real++) {
    const GArray *x = row->sample[real].x[f]; /* sorted */
    if (x->len == 0)
      continue;
    *least = MIN(*least, g_array_index(x, double, 0));
    *most = MAX(*most, g_array_index(x, double, (x->len - 1) * 199 / 200));
  }
  for (int real = 0; real < 2; real++) {
    const GArray *x = row->sample[real].x[f];
    g_autofree double *y = g_new(double, x->len + 1);
    for (guint i = 0; i < x->len; i++)
      y[i] = (double)(i + 1) / x->len;
    add_line(s, (const double *)(const void *)x->data, y, x->len, *least, *most, styles[real]);
  }
}

static void add_path_panel(GString *s, const Row *row, int length, double *least, double *most) {
  guint n, used = 0;
  g_autofree Rank *ranks = ranks_of(row, length, &n);
  g_autofree double *x = g_new0(double, n + 1), *y = g_new0(double, n + 1);
  while (used < n && ranks[used].weight[0] + ranks[used].weight[1] > 0)
    used++;
  *least = 1;
  *most = MAX(used * 0.5, 2);
  for (int real = 0; real < 2; real++) {
    double sum = 0;
    for (guint i = 0; i < used; i++) {
      x[i] = i + 1;
      y[i] = sum += ranks[i].weight[real];
    }
    add_line(s, x, y, used, *least, *most, styles[real]);
  }
}

static bool write_svg(const Row *all, GError **error) {
  int rows = (N_MEASURES + COLUMNS - 1) / COLUMNS;
  g_autoptr(GString) s = g_string_new(NULL);
  g_string_append_printf(
      s,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "font-family=\"Helvetica,sans-serif\" font-size=\"11\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
      "<text x=\"30\" y=\"18\">cumulative distributions over all models: <tspan "
      "fill=\"#1b4f9c\">real pieces (dashed)</tspan>, <tspan fill=\"#d95f02\">sentinels</tspan>; "
      "D: Kolmogorov-Smirnov distance</text>\n",
      STEP_X * COLUMNS + 10, STEP_Y * rows + 30);
  for (int m = 0; m < N_MEASURES; m++) {
    double least, most;
    g_string_append_printf(s, "<g transform=\"translate(%.0f,%.0f)\">\n",
                           30 + STEP_X * (m % COLUMNS), 52 + STEP_Y * (m / COLUMNS));
    if (m < PT_N_FEATURES)
      add_feature(s, all, m, &least, &most);
    else
      add_path_panel(s, all, m - M_PATH1, &least, &most);
    g_string_append_printf(s,
                           "<rect width=\"%.0f\" height=\"%.0f\" fill=\"none\" stroke=\"#888\"/>\n"
                           "<text y=\"-6\">%s%s, D = %.3f</text><text y=\"%.0f\">%.3g</text>"
                           "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%.3g</text>"
                           "<text x=\"-4\" y=\"%.0f\" text-anchor=\"end\">0</text>"
                           "<text x=\"-4\" y=\"10\" text-anchor=\"end\">1</text></g>\n",
                           PANEL_W, PANEL_H, measure_name(m), m < PT_N_FEATURES ? "" : " by rank",
                           all->distance[m], PANEL_H + 14, least, PANEL_W, PANEL_H + 14, most,
                           PANEL_H);
  }
  g_string_append(s, "</svg>\n");
  return pt_file_write(svg_path, 0644, s->str, s->len, error);
}

/* ---- the whole
 * --------------------------------------------------------------------------------------------- */
static Row *look_at_model(const char *path, GError **error) {
  PtObfuscateOptions options = {.n = (uint32_t)n_pieces,
                                .k = (uint32_t)k,
                                .seed = seed_text ? seed_text : "figure5",
                                .mode = mode};
  g_autoptr(PtHeap) heap = pt_heap_new(path, &options, error);
  if (!heap)
    return NULL;
  g_autofree char *name = g_path_get_basename(path);
  if (g_str_has_suffix(name, ".onnx"))
    name[strlen(name) - strlen(".onnx")] = '\0';
  Row *row = row_new(name);
  row->buckets = heap->buckets->len;
  row->missing = heap->report.missing;
  for (guint b = 0; b < heap->buckets->len; b++) {
    const PtHeapBucket *bucket = heap->buckets->pdata[b];
    for (guint i = 0; i < bucket->graphs->len; i++)
      add_piece(bucket->graphs->pdata[i], &row->sample[i == 0]);
  }
  measure(row);
  return row;
}

int main(int argc, char **argv) {
  GOptionEntry entries[] = {
      {"sentinels", 'k', 0, G_OPTION_ARG_INT, &k, "sentinels a bucket (20)", "K"},
      {"pieces", 'n', 0, G_OPTION_ARG_INT, &n_pieces, "pieces", "N"},
      {"mode", 'm', 0, G_OPTION_ARG_STRING, &mode, "as of obfuscate", "MODE"},
      {"seed", 's', 0, G_OPTION_ARG_STRING, &seed_text, "as of obfuscate", "SEED"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json_path, "write the figures here", "FILE"},
      {"svg", 0, 0, G_OPTION_ARG_FILENAME, &svg_path, "write the plot here", "FILE"},
      {0}};
  g_autoptr(GOptionContext) context = g_option_context_new("MODEL.onnx...");
  GError *error = NULL;
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error) || !pt_runtime_load(&error)) {
    fprintf(stderr, "%s\n", error->message);
    return 2;
  }
  path_ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(row_free);
  Row *all = row_new("all");
  for (int i = 1; i < argc; i++) {
    Row *row = look_at_model(argv[i], &error);
    if (!row) {
      fprintf(stderr, "%s: %s\n", argv[i], error->message);
      g_clear_error(&error);
      continue;
    }
    fprintf(stderr, "%s\n", row->name);
    g_ptr_array_add(rows, row);
    all->buckets += row->buckets;
    all->missing += row->missing;
    add_sample(&all->sample[0], &row->sample[0]);
    add_sample(&all->sample[1], &row->sample[1]);
  }
  measure(all);
  g_ptr_array_add(rows, all);
  print_rows(rows);
  bool ok = (!json_path || write_json(rows, &error)) && (!svg_path || write_svg(all, &error));
  if (!ok)
    fprintf(stderr, "%s\n", error->message);
  g_hash_table_unref(path_ids);
  return ok ? 0 : 1;
}
