/* partition_scale: time to cut a made-up chain of residual blocks, against its size; and for models
 * given as arguments, what their partition looks like. partition_scale [--plain] [-n N] [MODEL.onnx
 * ...] */
#include "onnx/onnx.h"
#include "partition/partition.h"
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { CHAIN, HUB, LADDER, STAR } Kind;

/* Blocks of Conv, BatchNormalization, Relu, Conv, BatchNormalization, Add, Relu. HUB: every second
 * Add reads one value of the first block, as masks are read. LADDER: those of the second half read
 * their mirror image of the first half, as in a U-net. */
static PtGraph *blocks(uint32_t nodes, Kind kind) {
  PtGraph *g = pt_graph_new();
  PtDim dims[4] = {{1, NULL}, {16, NULL}, {8, NULL}, {8, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 4, dims);
  PtValueId x = pt_graph_add_input(g, NULL, &type), skip = x;
  int64_t w_dims[4] = {16, 16, 3, 3}, c_dims[1] = {16};
  static const char *const ops[] = {
      "Conv", "BatchNormalization", "Relu", "Conv", "BatchNormalization", "Add", "Relu"};
  g_autofree PtValueId *made = g_new(PtValueId, nodes);
  for (uint32_t i = 0; i < nodes; i++) {
    PtValueId in[5] = {x};
    uint32_t n_in = 1, step = i % 7;
    if (step == 0)
      skip = x;
    if (step == 0 || step == 3)
      in[n_in++] = pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, 4, w_dims, NULL));
    if (step == 1 || step == 4)
      while (n_in < 5)
        in[n_in++] = pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, 1, c_dims, NULL));
    if (step == 5) {
      bool far = i / 7 % 2;
      in[n_in++] = far && kind == HUB                       ? made[0]
                   : far && kind == LADDER && i > nodes / 2 ? made[nodes - i]
                                                            : skip;
    }
    made[i] = x = pt_graph_add_op(g, ops[step], in, n_in);
    pt_value(g, x)->type = type;
  }
  pt_graph_add_output(g, x);
  return g;
}

/* One value read by all but two nodes, which one node reads. */
static PtGraph *star(uint32_t nodes) {
  PtGraph *g = pt_graph_new();
  PtDim dims[2] = {{4, NULL}, {8, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 2, dims);
  PtValueId x = pt_graph_add_op(g, "Softmax", (PtValueId[]){pt_graph_add_input(g, NULL, &type)}, 1);
  pt_value(g, x)->type = type;
  g_autofree PtValueId *end = g_new(PtValueId, nodes);
  for (uint32_t i = 0; i + 2 < nodes; i++) {
    end[i] = pt_graph_add_op(g, i % 3 ? "Softmax" : "LRN", &x, 1);
    pt_value(g, end[i])->type = type;
  }
  PtValueId sum = pt_graph_add_op(g, "Concat", end, nodes - 2);
  pt_value(g, sum)->type = type;
  pt_graph_add_output(g, sum);
  return g;
}

static const char *dump_folder;

/* Each piece as a model of its own, DIR/0.onnx and so on. */
static bool dump(PtGraph *graph, const PtPartition *p, const char *folder, GError **error) {
  if (!pt_dir_make(folder, error))
    return false;
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    g_autoptr(PtGraph) piece = pt_graph_extract(graph, g_ptr_array_index(p->pieces, i), NULL);
    g_autofree char *path = g_strdup_printf("%s/%u.onnx", folder, i);
    if (!pt_onnx_write(piece, path, NULL, error))
      return false;
  }
  return true;
}

static bool report(const char *name, PtGraph *graph, const PtPartitionOptions *options) {
  g_autoptr(GError) error = NULL;
  PtSeed seed;
  pt_seed_init(&seed, "bench");
  double start = pt_clock();
  g_autoptr(PtPartition) p = pt_partition(graph, options, &seed, &error);
  double seconds = pt_clock() - start;
  if (!p || !pt_partition_check(graph, p, &error)) {
    fprintf(stderr, "%s: %s\n", name, error->message);
    return false;
  }
  if (dump_folder && !dump(graph, p, dump_folder, &error)) {
    fprintf(stderr, "%s: %s\n", dump_folder, error->message);
    return false;
  }
  g_autofree uint32_t *times = g_new0(uint32_t, pt_graph_n_nodes(graph) + 1);
  uint32_t least = UINT32_MAX, most = 0, in_range = 0, clones = 0, borders = 0, integers = 0;
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    const PtPiece *piece = g_ptr_array_index(p->pieces, i);
    for (uint32_t k = 0; k < piece->nodes->len; k++)
      times[g_array_index(piece->nodes, PtNodeId, k)]++;
  }
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    const PtPiece *piece = g_ptr_array_index(p->pieces, i);
    uint32_t size = 0;
    for (uint32_t k = 0; k < piece->nodes->len; k++) {
      bool clone = times[g_array_index(piece->nodes, PtNodeId, k)] > 1;
      size += !clone;
      clones += clone;
    }
    least = MIN(least, size);
    most = MAX(most, size);
    in_range += size >= 8 && size <= 16;
    borders += piece->outputs->len;
    for (uint32_t k = 0; k < piece->inputs->len; k++) {
      const PtValue *v = pt_value(graph, g_array_index(piece->inputs, PtValueId, k));
      integers += v->producer != PT_NONE && pt_dtype_is_integer(v->type.dtype);
    }
  }
  uint32_t n = pt_graph_n_nodes(graph);
  printf("%-28s %7u %6u %6.1f %6.2f %4u %4u %5.0f%% %6u %7u %7u %5u %8.3f\n", name, n,
         p->pieces->len, (double)n / p->pieces->len, p->deviation, least, most,
         100.0 * in_range / p->pieces->len, p->n_groups, clones, borders, integers, seconds);
  if (getenv("PT_BENCH_PIECES"))
    for (uint32_t i = 0; i < p->pieces->len; i++) {
      const PtPiece *piece = g_ptr_array_index(p->pieces, i);
      printf("  %3u g%-3u in %u out %u:", i, p->group[i], piece->inputs->len, piece->outputs->len);
      for (uint32_t k = 0; k < piece->nodes->len; k++) {
        PtNodeId id = g_array_index(piece->nodes, PtNodeId, k);
        printf(" %s%s", pt_node(graph, id)->op_type, times[id] > 1 ? "*" : "");
      }
      printf("\n");
    }
  return true;
}

static bool report_model(const char *path, const PtPartitionOptions *options) {
  g_autoptr(GError) error = NULL;
  PtOnnxReadOptions read = {.allow_empty = true};
  g_autoptr(PtGraph) graph = pt_onnx_read(path, &read, &error);
  if (!graph) {
    fprintf(stderr, "%s\n", error->message);
    return false;
  }
  if (!pt_runtime_infer_types(graph, &error)) {
    fprintf(stderr, "%s: %s\n", path, error->message);
    g_clear_error(&error);
  }
  g_autofree char *name = g_path_get_basename(path);
  return report(name, graph, options);
}

int main(int argc, char **argv) {
  PtPartitionOptions options = {0};
  int i = 1, status = 0;
  for (; i < argc && argv[i][0] == '-'; i++) {
    if (strcmp(argv[i], "--plain") == 0)
      options.plain = true;
    else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
      options.n = (uint32_t)atoi(argv[++i]);
    else if (strcmp(argv[i], "--dump") == 0 && i + 1 < argc)
      dump_folder = argv[++i];
    else if (strcmp(argv[i], "-t") == 0 && i + 1 < argc)
      options.trials = (uint32_t)atoi(argv[++i]);
  }
  printf("%-28s %7s %6s %6s %6s %4s %4s %6s %6s %7s %7s %5s %8s\n", "graph", "nodes", "pieces",
         "mean", "sd", "min", "max", "8..16", "groups", "clones", "borders", "ints", "seconds");
  for (; i < argc; i++)
    status |= !report_model(argv[i], &options);
  if (argc > 1 && argv[argc - 1][0] != '-' && strstr(argv[argc - 1], ".onnx"))
    return status;
  static const char *const kinds[] = {"residual chain", "with one hub", "U-net ladder", "star"};
  for (Kind kind = CHAIN; kind <= STAR; kind++)
    for (uint32_t n = 1000; n <= 100000; n *= 10) {
      g_autofree char *name = g_strdup_printf("%s %u", kinds[kind], n);
      g_autoptr(PtGraph) graph = kind == STAR ? star(n) : blocks(n, kind);
      status |= !report(name, graph, &options);
    }
  return status;
}
