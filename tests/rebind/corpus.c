/* Real models through rebinding; see corpus.h. */
#include "corpus.h"

#include "fill/fill.h"
#include "onnx/onnx.h"
#include "partition/partition.h"

static PtGraph *load(const char *file) {
  PtOnnxReadOptions options = {.allow_empty = true};
  GError *error = NULL;
  PtSeed seed;
  pt_seed_init(&seed, "rebind");
  g_autofree char *path = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", file, NULL);
  PtGraph *graph = pt_onnx_read(path, &options, &error);
  g_assert_no_error(error);
  pt_fill(graph, &seed, 0, &error);
  g_assert_no_error(error);
  pt_runtime_infer_types(graph, &error);
  g_assert_no_error(error);
  return graph;
}

static uint32_t check_graph(PtGraph *graph, const char *levels) {
  PtWay way;
  GError *error = NULL;
  uint32_t derivations = 0;
  pt_way_open(&way, graph, NULL, &error);
  g_assert_no_error(error);
  for (size_t i = 0; levels[i]; i++) {
    PtWayReport report = {0};
    PtLevel level = levels[i] == 'b'   ? PT_LEVEL_BASIC
                    : levels[i] == 'e' ? PT_LEVEL_EXTENDED
                                       : PT_LEVEL_ALL;
    g_autoptr(PtGraph) answer = pt_way_optimize(&way, false, level, levels[i] == 'n', &error);
    g_assert_no_error(error);
    g_autoptr(PtGraph) bound = pt_way_rebind(&way, answer, NULL, &report, &error);
    g_assert_no_error(error);
    g_autoptr(PtGraph) reference = pt_way_optimize(&way, true, level, levels[i] == 'n', &error);
    g_assert_no_error(error);
    pt_way_compare_constants(bound, reference, &report, true);
    g_assert_cmpuint(report.near, ==, 0);
    g_assert_cmpuint(report.absent, ==, 0);
    g_assert_cmpuint(pt_graph_n_nodes(bound), ==, pt_graph_n_nodes(reference));
    derivations += report.derivations;
  }
  pt_way_close(&way);
  return derivations;
}

uint32_t pt_check_model(const char *file, bool by_pieces, const char *levels) {
  g_autoptr(PtGraph) graph = load(file);
  if (!by_pieces)
    return check_graph(graph, levels);
  PtSeed seed;
  GError *error = NULL;
  PtPartitionOptions options = {0};
  uint32_t derivations = 0;
  pt_seed_init(&seed, "rebind");
  g_autoptr(PtPartition) partition = pt_partition(graph, &options, &seed, &error);
  g_assert_no_error(error);
  g_autofree bool *seen = g_new0(bool, partition->n_groups);
  for (guint i = 0; i < partition->pieces->len; i++) {
    if (seen[partition->group[i]])
      continue;
    seen[partition->group[i]] = true;
    g_autoptr(PtGraph) piece = pt_graph_extract(graph, partition->pieces->pdata[i], NULL);
    derivations += check_graph(piece, levels);
  }
  return derivations;
}
