/* rebind_coverage: what optimizers make of noise, and whether it is explained. For each model,
 * whole or in pieces: scrub, optimize, explain, bind the real weights, and compare with what ONNX
 * Runtime makes of the real weights themselves. Levels: b basic, e extended, a all portable, n all
 * native. */
#include "fill/fill.h"
#include "onnx/onnx.h"
#include "partition/partition.h"
#include "way.h"

#include <stdio.h>
#include <string.h>

static gboolean by_pieces, outputs, verbose;
static char *levels, *scrub_to, *command;

static PtGraph *load(const char *path, GError **error) {
  PtOnnxReadOptions options = {.allow_empty = true};
  PtSeed seed;
  pt_seed_init(&seed, "rebind");
  g_autoptr(PtGraph) graph = pt_onnx_read(path, &options, error);
  if (!graph || !pt_fill(graph, &seed, 0, error) || !pt_runtime_infer_types(graph, error))
    return NULL;
  return g_steal_pointer(&graph);
}

static bool run_level(const PtWay *way, char letter, PtWayReport *report, GError **error) {
  PtLevel level = letter == 'b' ? PT_LEVEL_BASIC : letter == 'e' ? PT_LEVEL_EXTENDED : PT_LEVEL_ALL;
  bool native = letter == 'n';
  g_autoptr(PtGraph) answer = command ? pt_way_command(way, command, error)
                                      : pt_way_optimize(way, false, level, native, error);
  g_autoptr(PtGraph) bound = answer ? pt_way_rebind(way, answer, NULL, report, error) : NULL;
  if (!bound)
    return false;
  if (!command) {
    g_autoptr(PtGraph) reference = pt_way_optimize(way, true, level, native, error);
    if (!reference)
      return false;
    pt_way_compare_constants(bound, reference, report, verbose);
  }
  return !outputs || pt_way_compare_outputs(way, bound, report, error);
}

static void run_graph(const char *name, PtGraph *piece, PtWayReport *reports) {
  PtWay way;
  GError *error = NULL;
  if (!pt_way_open(&way, piece, scrub_to, &error)) {
    printf("  %s: not scrubbed: %s\n", name, error->message);
    g_clear_error(&error);
  } else if (!scrub_to)
    for (size_t i = 0; levels[i]; i++) {
      reports[i].runs++;
      if (!run_level(&way, levels[i], &reports[i], &error)) {
        reports[i].refused++;
        printf("  %s %c: %s\n", name, levels[i], error->message);
        g_clear_error(&error);
      }
    }
  pt_way_close(&way);
}

static void run_pieces(const char *name, PtGraph *graph, PtWayReport *reports) {
  PtSeed seed;
  PtPartitionOptions options = {0};
  GError *error = NULL;
  pt_seed_init(&seed, "rebind");
  g_autoptr(PtPartition) partition = pt_partition(graph, &options, &seed, &error);
  if (!partition) {
    printf("  %s: %s\n", name, error->message);
    g_clear_error(&error);
    return;
  }
  g_autofree bool *seen = g_new0(bool, partition->n_groups);
  for (guint i = 0; i < partition->pieces->len; i++) {
    if (seen[partition->group[i]])
      continue;
    seen[partition->group[i]] = true;
    g_autofree char *label = g_strdup_printf("%s/%u", name, i);
    g_autoptr(PtGraph) piece = pt_graph_extract(graph, partition->pieces->pdata[i], NULL);
    run_graph(label, piece, reports);
  }
}

static bool print_report(const char *name, char letter, const PtWayReport *r) {
  printf("%-24s %c: %u runs, %u refused, %u constants, %u derivation nodes, bit-equal %u, near %u "
         "(%.1e), no twin %u, %.0f kB, explain %.2f s, bind %.2f s",
         name, letter, r->runs, r->refused, r->constants, r->derivations, r->exact, r->near,
         r->worst, r->absent, (double)r->bytes / 1e3, r->explain_seconds, r->bind_seconds);
  if (outputs)
    printf(", outputs %.1e", r->difference);
  printf("\n");
  fflush(stdout);
  return r->refused == 0;
}

int main(int argc, char **argv) {
  GOptionEntry entries[] = {
      {"pieces", 0, 0, G_OPTION_ARG_NONE, &by_pieces, "cut the model first", NULL},
      {"levels", 0, 0, G_OPTION_ARG_STRING, &levels, "of b, e, a, n", "bean"},
      {"outputs", 0, 0, G_OPTION_ARG_NONE, &outputs, "run both and compare", NULL},
      {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "name constants that differ", NULL},
      {"scrub", 0, 0, G_OPTION_ARG_FILENAME, &scrub_to, "only write candidate and noise", "DIR"},
      {"command", 0, 0, G_OPTION_ARG_STRING, &command, "another optimizer", "COMMAND"},
      {0}};
  g_autoptr(GOptionContext) context = g_option_context_new("MODEL...");
  GError *error = NULL;
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error)) {
    fprintf(stderr, "%s\n", error->message);
    return 2;
  }
  levels = command || !levels ? g_strdup(command ? "b" : "bean") : levels;
  bool all = true;
  for (int i = 1; i < argc; i++) {
    g_autofree char *name = g_path_get_basename(argv[i]);
    g_autofree PtWayReport *reports = g_new0(PtWayReport, strlen(levels) + 1);
    g_autoptr(PtGraph) graph = load(argv[i], &error);
    if (!graph) {
      printf("%s: %s\n", name, error->message);
      g_clear_error(&error);
      all = false;
      continue;
    }
    (by_pieces ? run_pieces : run_graph)(name, graph, reports);
    for (size_t k = 0; levels[k]; k++)
      all &= print_report(name, levels[k], &reports[k]);
  }
  g_free(levels);
  g_free(scrub_to);
  g_free(command);
  return all ? 0 : 1;
}
