/* file.c: what a candidate's file tells beside its graph: size, order, names, places of weights;
 * each against what it is when the program writes the same graph anew. */
#include "audit/audit_private.h"

#include "onnx/onnx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const pt_file_number_names[PT_FILE_NUMBERS] = {"size",
                                                           "bytes a node",
                                                           "compressibility",
                                                           "mean byte",
                                                           "entropy",
                                                           "id",
                                                           "reach of edges",
                                                           "chained nodes",
                                                           "depth ascending",
                                                           "attributes ascending",
                                                           "name length",
                                                           "names in order",
                                                           "constants in order",
                                                           "place of weights",
                                                           "spread of weights",
                                                           "weights in order",
                                                           "operands late first",
                                                           "constants a node"};

#define DRAWS 6

static double ascending(const double *x, uint32_t n) {
  double up = 0;
  for (uint32_t i = 1; i < n; i++)
    up += x[i] > x[i - 1] ? 1 : x[i] == x[i - 1] ? 0.5 : 0;
  return n > 1 ? up / (n - 1) : 0.5;
}

static void bytes_of(GBytes *bytes, double *out) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);
  uint32_t count[256] = {0};
  double sum = 0, entropy = 0;
  for (gsize i = 0; i < size; i++) {
    count[data[i]]++;
    sum += data[i];
  }
  for (int i = 0; i < 256; i++)
    if (count[i])
      entropy -= count[i] * log2((double)count[i] / (double)size);
  g_autoptr(GBytes) packed = pt_data_pack(data, size, SIZE_MAX);
  double all = MAX((double)size, 1);
  out[0] = all;
  out[2] = packed ? (double)g_bytes_get_size(packed) / all : 1;
  out[3] = sum / all;
  out[4] = entropy / all;
}

/* Nodes as they come in the file. */
static void order_of(const PtGraph *g, double *out) {
  uint32_t n = pt_graph_n_nodes(g), edges = 0, binary = 0, attrs = 0;
  double reach = 0, chained = 0, late = 0, up = 0;
  g_autofree double *depth = g_new0(double, (gsize)n + 1);
  for (uint32_t i = 0; i < n; i++) {
    const PtNode *node = pt_node(g, i);
    double of[2] = {-1, -1};
    bool chain = false;
    for (uint32_t k = 0; k < node->n_inputs; k++) {
      PtNodeId from = node->inputs[k] == PT_NONE ? PT_NONE : pt_value(g, node->inputs[k])->producer;
      if (from == PT_NONE || from >= i)
        continue;
      reach += i - from;
      edges++;
      chain |= from + 1 == i;
      depth[i] = MAX(depth[i], depth[from] + 1);
      if (k < 2)
        of[k] = from;
    }
    chained += chain;
    if (of[0] >= 0 && of[1] >= 0) {
      binary++;
      late += of[0] > of[1];
    }
    for (uint32_t a = 1; a < node->n_attrs; a++, attrs++)
      up += strcmp(node->attrs[a].name, node->attrs[a - 1].name) > 0;
  }
  out[6] = edges ? reach / edges : 0;
  out[7] = n ? chained / n : 0;
  out[8] = ascending(depth, n);
  out[9] = attrs ? up / attrs : 0.5;
  out[16] = binary ? late / binary : 0.5;
}

static double number_in(const char *name) {
  const char *digit = name + strlen(name);
  while (digit > name && g_ascii_isdigit(digit[-1]))
    digit--;
  return *digit ? g_ascii_strtod(digit, NULL) : -1;
}

static void names_of(const PtGraph *g, double *out) {
  uint32_t values = pt_graph_n_values(g), nodes = pt_graph_n_nodes(g), named = 0, weights = 0;
  double length = 0, mean = 0, square = 0, constants = 0;
  gsize room = (gsize)values + 1;
  g_autofree double *number = g_new(double, room), *reader = g_new(double, room),
                    *offset = g_new(double, room), *first = g_new(double, room);
  uint32_t read = 0;
  for (PtValueId v = 0; v < values; v++)
    first[v] = -1;
  for (uint32_t i = nodes; i-- > 0;)
    for (uint32_t k = 0; k < pt_node(g, i)->n_inputs; k++)
      if (pt_node(g, i)->inputs[k] != PT_NONE)
        first[pt_node(g, i)->inputs[k]] = i;
  for (uint32_t i = 0; i < nodes; i++) {
    const PtNode *node = pt_node(g, i);
    length += (double)strlen(node->name);
    if (node->n_outputs && node->outputs[0] != PT_NONE)
      number[named++] = number_in(pt_value(g, node->outputs[0])->name);
  }
  for (PtValueId v = 0; v < values; v++) {
    const PtTensor *c = pt_value(g, v)->constant;
    length += (double)strlen(pt_value(g, v)->name);
    if (!c)
      continue;
    constants++;
    reader[read++] = first[v];
    if (c->location)
      offset[weights++] = (double)c->offset;
  }
  for (uint32_t i = 0; i < weights; i++) {
    mean += offset[i] / weights;
    square += offset[i] * offset[i] / weights;
  }
  out[10] = length / MAX(values + nodes, 1);
  out[11] = ascending(number, named);
  out[12] = ascending(reader, read);
  out[13] = log2(mean + 1);
  out[14] = log2(sqrt(MAX(square - mean * mean, 0)) + 1);
  out[15] = ascending(offset, weights);
  out[17] = constants / MAX(nodes, 1);
}

static void numbers_of(const PtGraph *graph, GBytes *bytes, double *out) {
  bytes_of(bytes, out);
  out[1] = out[0] / MAX(pt_graph_n_nodes(graph), 1);
  order_of(graph, out);
  names_of(graph, out);
}

/* The graph as the program would have written it with another draw. */
static bool written_anew(const PtGraph *graph, const PtNoise *noise, PtRng *rng, double *out) {
  g_autoptr(PtGraph) scrubbed = pt_scrub(graph, noise, rng, NULL, NULL);
  if (!scrubbed)
    return false;
  g_array_set_size(scrubbed->opsets, 0);
  for (guint i = 0; i < graph->opsets->len; i++) {
    const PtOpset *opset = &g_array_index(graph->opsets, PtOpset, i);
    pt_graph_set_opset(scrubbed, opset->domain, opset->version);
  }
  scrubbed->ir_version = graph->ir_version;
  g_autoptr(GBytes) bytes = pt_onnx_write_bytes(scrubbed, NULL, NULL, NULL);
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  g_autoptr(PtGraph) read =
      bytes ? pt_onnx_read_bytes(bytes, "candidate", NULL, &options, NULL) : NULL;
  if (read)
    numbers_of(read, bytes, out);
  return read != NULL;
}

void pt_sight_file(PtSight *sight, const PtGraph *graph, GBytes *bytes, double id,
                   const PtNoise *noise) {
  double mean[PT_FILE_NUMBERS] = {0}, square[PT_FILE_NUMBERS] = {0};
  uint32_t drawn = 0;
  PtSeed seed;
  pt_seed_init(&seed, "written anew");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "file", (uint64_t)(id * 1e9));
  sight->has_file = true;
  numbers_of(graph, bytes, sight->file);
  for (uint32_t i = 0; i < DRAWS; i++) {
    double one[PT_FILE_NUMBERS] = {0};
    if (!written_anew(graph, noise, rng, one))
      break;
    for (uint32_t f = 0; f < PT_FILE_NUMBERS; f++) {
      mean[f] += one[f];
      square[f] += one[f] * one[f];
    }
    drawn++;
  }
  for (uint32_t f = 0; drawn && f < PT_FILE_NUMBERS; f++) {
    double m = mean[f] / drawn, v = MAX(square[f] / drawn - m * m, 0);
    sight->file[f] = (sight->file[f] - m) / (sqrt(v) + 1e-3 * fabs(m) + 1e-6);
  }
  sight->file[5] = id;
}
