/* figure5: the paper's Figure 5: are sentinels distributed as real pieces are? Average degree,
 * clustering coefficient, diameter, size, and opcode paths of one to three nodes; for each the
 * Kolmogorov-Smirnov distance of real pieces to sentinels, a model and over all. A path counts as a
 * number by its rank among all paths of its length, the most frequent first.
 * A model may be measured in a process of its own (--keep), and what all kept be summed after. */
#include "figure5.h"
#include "heap.h"

#include "report/report.h"
#include "runtime/runtime.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static PtObfuscateOptions asked = {.k = 20, .seed = "figure5"};
static int threads;
static char *json_path, *svg_path, *keep_path;

/* ---- what a piece has -------------------------------------------------------------------------
 */
/* Every path that ends in `node`, backwards. */
static void add_paths(const PtGraph *g, PtNodeId node, uint32_t length, const char *so_far,
                      GArray **found) {
  const PtNode *n = pt_node(g, node);
  g_autofree char *text =
      so_far ? g_strconcat(n->op_type, " ", so_far, NULL) : g_strdup(n->op_type);
  uint32_t id = path_id(text);
  g_array_append_val(found[length], id);
  for (uint32_t i = 0; i < n->n_inputs && length + 1 < PATHS; i++) {
    PtNodeId from = n->inputs[i] == PT_NONE ? PT_NONE : pt_value(g, n->inputs[i])->producer;
    if (from != PT_NONE)
      add_paths(g, from, length + 1, text, found);
  }
}

static void add_piece(const PtGraph *g, Sample *s) {
  g_autoptr(PtTopology) topology = pt_topology_of_graph(g);
  PtTopologyFeatures f = pt_topology_features(topology);
  GArray *found[PATHS];
  for (int i = 0; i < PT_N_FEATURES; i++)
    g_array_append_val(s->x[i], f.x[i]);
  for (int p = 0; p < PATHS; p++)
    found[p] = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
    add_paths(g, n, 0, NULL, found);
  for (int p = 0; p < PATHS; p++) {
    for (guint i = 0; i < found[p]->len; i++) {
      uint32_t id = g_array_index(found[p], uint32_t, i);
      if (id >= s->paths[p]->len)
        g_array_set_size(s->paths[p], id + 1);
      g_array_index(s->paths[p], double, id) += 1.0 / found[p]->len;
    }
    g_array_unref(found[p]);
  }
}

/* ---- results ----------------------------------------------------------------------------------
 */
static double mean(const GArray *x) {
  double sum = 0;
  for (guint i = 0; i < x->len; i++)
    sum += g_array_index(x, double, i);
  return x->len ? sum / x->len : NAN;
}

#define COUNTS 4
static void print_rows(GPtrArray *rows) {
  PtTable *table = pt_table_new(N_MEASURES + COUNTS + 1);
  const char *head[N_MEASURES + COUNTS + 1] = {"model", "buckets", "missing", "walked", "modified"};
  for (int m = 0; m < N_MEASURES; m++)
    head[m + COUNTS + 1] = measure_name(m);
  pt_table_row(table, head);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = rows->pdata[i];
    uint32_t counts[COUNTS] = {row->buckets, row->missing, row->walked, row->modified};
    char text[N_MEASURES + COUNTS][24];
    const char *cells[N_MEASURES + COUNTS + 1] = {row->name};
    for (int c = 0; c < COUNTS; c++)
      g_snprintf(text[c], sizeof text[c], "%u", counts[c]);
    for (int m = 0; m < N_MEASURES; m++)
      g_snprintf(text[m + COUNTS], sizeof text[m], "%.3f", row->distance[m]);
    for (int c = 0; c < N_MEASURES + COUNTS; c++)
      cells[c + 1] = text[c];
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
    json_object_set_new(o, "walked", json_integer(row->walked));
    json_object_set_new(o, "modified", json_integer(row->modified));
    for (int m = 0; m < N_MEASURES; m++)
      json_object_set_new(distances, measure_name(m), pt_json_real(row->distance[m]));
    json_object_set_new(o, "kolmogorov_smirnov", distances);
    json_array_append_new(list, o);
  }
  g_autofree char *text =
      pt_json_dump(json_pack("{s:s, s:i, s:o}", "mode", asked.mode ? asked.mode : "walk", "k",
                             (int)asked.k, "rows", list));
  return pt_file_write(json_path, 0644, text, strlen(text), error);
}

/* ---- the whole --------------------------------------------------------------------------------
 */
static Row *look_at_model(const char *path, GError **error) {
  if (g_str_has_suffix(path, ".json"))
    return row_read(path, error);
  g_autoptr(PtHeap) heap = pt_heap_new(path, &asked, error);
  if (!heap)
    return NULL;
  g_autofree char *name = g_path_get_basename(path);
  if (g_str_has_suffix(name, ".onnx"))
    name[strlen(name) - strlen(".onnx")] = '\0';
  Row *row = row_new(name);
  row->buckets = heap->buckets->len;
  row->missing = heap->report.missing;
  row->walked = heap->report.walked;
  row->modified = heap->report.modified;
  for (guint b = 0; b < heap->buckets->len; b++) {
    const PtHeapBucket *bucket = heap->buckets->pdata[b];
    for (guint i = 0; i < bucket->graphs->len; i++)
      add_piece(bucket->graphs->pdata[i], &row->sample[i == 0]);
  }
  row_measure(row);
  return row;
}

static bool look_at_all(int n, char **paths, GPtrArray *rows) {
  Row *all = row_new("all");
  bool ok = true;
  for (int i = 0; i < n; i++) {
    GError *error = NULL;
    Row *row = look_at_model(paths[i], &error);
    if (!row) {
      fprintf(stderr, "%s: %s\n", paths[i], error->message);
      g_clear_error(&error);
      ok = false;
      continue;
    }
    fprintf(stderr, "%s\n", row->name);
    g_ptr_array_add(rows, row);
    row_add(all, row);
  }
  row_measure(all);
  g_ptr_array_add(rows, all);
  return ok;
}

int main(int argc, char **argv) {
  GOptionEntry entries[] = {
      {"threads", 't', 0, G_OPTION_ARG_INT, &threads, "threads", "T"},
      {"keep", 0, 0, G_OPTION_ARG_FILENAME, &keep_path, "write what was measured here", "FILE"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json_path, "write the figures here", "FILE"},
      {"svg", 0, 0, G_OPTION_ARG_FILENAME, &svg_path, "write the plot here", "FILE"},
      {0}};
  GError *error = NULL;
  if (!pt_heap_arguments(&argc, &argv, "MODEL.onnx|KEPT.json...", entries, &asked))
    return 2;
  asked.threads = (unsigned)threads;
  g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(row_free);
  bool ok = look_at_all(argc - 1, argv + 1, rows);
  Row *all = rows->pdata[rows->len - 1];
  print_rows(rows);
  if ((keep_path && !row_write(rows->len == 2 ? rows->pdata[0] : all, keep_path, &error)) ||
      (json_path && !write_json(rows, &error)) ||
      (svg_path && !plot_write(all, svg_path, &error))) {
    fprintf(stderr, "%s\n", error->message);
    ok = false;
  }
  paths_free();
  return ok ? 0 : 1;
}
