/* populate [-n SOLUTIONS] [-r RLIMIT] [-b BREADTH] [-d DRAWS] [-l LEAST] [-x: opcodes at random]
 * [-v] MODEL.onnx... For each model: how much of its pieces can be replaced, and with their own
 * shapes how many assignments there are, how fast, and what share is a piece. */
#include "cut.h"
#include "runtime/runtime.h"
#include "walk/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static PtWalkModel *model;
static PtPopulateOptions options = {.max_solns = 8, .pct = 1, .rlimit = 1000000, .breadth = 8};
static bool verbose, at_random;

static bool measure(const char *path, GError **error) {
  g_autoptr(GPtrArray) pieces = pt_bench_cut(path, 10, "bench", error);
  if (!pieces)
    return false;
  PtSeed seed;
  pt_seed_init(&seed, "bench");
  PtWalkMaker *maker = pt_walk_maker_new(model, pieces, at_random);
  double ready = pt_clock();
  for (guint i = 0; options.draws && i < pieces->len; i++)
    pt_walk_maker_guide(maker, i, at_random);
  ready = pt_clock() - ready;
  PtPopulateOptions o = options;
  o.likelihood = at_random ? NULL : pt_walk_maker_likelihood(maker);
  uint32_t replaced = 0, nodes = 0, none = 0, full = 0, limit = 0, solved = 0, made = 0;
  uint32_t queries = 0, dropped = 0, drawn = 0, large = 0;
  double start = pt_clock();
  for (guint i = 0; i < pieces->len; i++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "piece", i);
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_walk_made_free);
    PtWalkOutline outline;
    PtPopulateStats stats = {0};
    pt_walk_maker_outline(maker, i, &outline);
    nodes += pt_graph_n_nodes(pieces->pdata[i]);
    replaced += outline.n;
    double t = pt_clock();
    if (outline.n &&
        !pt_walk_maker_fill(maker, i, outline.n, (const PtArc *)(void *)outline.arcs->data,
                            outline.arcs->len, &o, rng, out, &stats, error))
      return false;
    none += out->len == 0;
    full += stats.end == PT_POPULATE_FULL;
    limit += stats.end == PT_POPULATE_LIMIT;
    solved += stats.solutions;
    made += out->len;
    queries += stats.queries;
    dropped += stats.dropped;
    drawn += stats.drawn;
    large += stats.large;
    if (verbose) {
      printf("  piece %u: %u nodes, %u replaced, %u in, %u out, end %d, %u solutions, %u queries, "
             "%u dropped, %.3f s\n",
             i, pt_graph_n_nodes(pieces->pdata[i]), outline.n, outline.n_inputs, outline.n_outputs,
             (int)stats.end, stats.solutions, stats.queries, stats.dropped, pt_clock() - t);
      for (guint k = 0; k < out->len && k < 1; k++) {
        g_autoptr(PtGraph) g = pt_walk_maker_write(maker, i, out->pdata[k]);
        for (PtNodeId v = 0; g && v < pt_graph_n_nodes(g); v++) {
          g_autofree char *type = pt_type_text(&pt_value(g, pt_node(g, v)->outputs[0])->type);
          printf("    %s %s", pt_node(g, v)->op_type, type);
          for (uint32_t a = 0; a < pt_node(g, v)->n_inputs; a++) {
            PtValueId in = pt_node(g, v)->inputs[a];
            if (in != PT_NONE && !pt_value(g, in)->constant)
              printf(" %s", pt_value(g, in)->producer == PT_NONE ? "in" : pt_value(g, in)->name);
          }
          printf(" -> %s\n", pt_value(g, pt_node(g, v)->outputs[0])->name);
        }
      }
    }
    g_array_unref(outline.arcs);
  }
  g_autofree char *name = g_path_get_basename(path);
  printf("%-28s pieces %3u nodes %5u replaced %3.0f%% none %3u full %3u limit %3u solutions %4u "
         "made %3.0f%% drawn %4u large %3u queries/s. %.1f dropped/s. %.1f seconds %.2f + %.2f\n",
         name, pieces->len, nodes, 100.0 * replaced / MAX(nodes, 1), none, full, limit, solved,
         100.0 * made / MAX(solved, 1), drawn, large, (double)queries / MAX(solved, 1),
         (double)dropped / MAX(solved, 1), ready, pt_clock() - start);
  pt_walk_maker_free(maker);
  return true;
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  for (int c; (c = getopt(argc, argv, "n:r:b:d:l:xv")) != -1;)
    if (c == 'n')
      options.max_solns = (uint32_t)atoi(optarg);
    else if (c == 'r')
      options.rlimit = (uint32_t)atoi(optarg);
    else if (c == 'b')
      options.breadth = (uint32_t)atoi(optarg);
    else if (c == 'd')
      options.draws = (uint32_t)atoi(optarg);
    else if (c == 'l')
      options.least = (uint32_t)atoi(optarg);
    else if (c == 'x')
      at_random = true;
    else if (c == 'v')
      verbose = true;
  model = pt_walk_model_open(NULL, &error);
  for (int i = optind; model && i < argc; i++)
    if (!measure(argv[i], &error))
      break;
  if (error)
    fprintf(stderr, "%s\n", error->message);
  pt_walk_model_free(model);
  return error != NULL;
}
