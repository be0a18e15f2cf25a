/* check: every invariant of a partition, for tests and for who reads one from elsewhere. */
#include "partition/partition_private.h"

#define FAIL(...)                                                                                  \
  do {                                                                                             \
    g_set_error(error, PT_PARTITION_ERROR, PT_ERR_INTERNAL, __VA_ARGS__);                          \
    return false;                                                                                  \
  } while (0)

typedef struct Checker {
  const PtGraph *graph;
  const PtPartition *partition;
  uint32_t *times;   /* [n_nodes] pieces that have it */
  uint32_t *made_in; /* [n_values] the piece that has it as an output, PT_NONE */
  uint32_t *here;    /* [n_values] == piece + 1: made, or an input, in this piece */
  bool *is_output;   /* [n_values] of the graph */
} Checker;

static bool check_inputs(Checker *c, uint32_t index, const PtPiece *piece, GError **error) {
  for (uint32_t i = 0; i < piece->inputs->len; i++) {
    PtValueId v = g_array_index(piece->inputs, PtValueId, i);
    const PtValue *value = pt_value(c->graph, v);
    if (c->here[v] == index + 1)
      FAIL("piece %u lists input %s twice", index, value->name);
    if (value->constant)
      FAIL("piece %u has the constant %s as an input", index, value->name);
    if (value->type.kind == PT_TYPE_OPAQUE && value->producer != PT_NONE)
      FAIL("%s, which is no tensor, is cut at piece %u", value->name, index);
    if (value->producer != PT_NONE && (c->made_in[v] == PT_NONE || c->made_in[v] >= index))
      FAIL("input %s of piece %u is no output of an earlier piece", value->name, index);
    c->here[v] = index + 1;
  }
  return true;
}

static bool check_node(Checker *c, uint32_t index, PtNodeId id, GError **error) {
  if (id >= pt_graph_n_nodes(c->graph) || pt_node(c->graph, id)->dead)
    FAIL("piece %u has node %u, which the model has not", index, id);
  const PtNode *node = pt_node(c->graph, id);
  c->times[id]++;
  for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
    PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
    if (v != PT_NONE && !pt_value(c->graph, v)->constant && c->here[v] != index + 1)
      FAIL("node %u of piece %u reads %s, which is neither an input nor made before it", id, index,
           pt_value(c->graph, v)->name);
  }
  for (uint32_t k = 0; k < node->n_outputs; k++) {
    if (node->outputs[k] == PT_NONE)
      continue;
    if (c->here[node->outputs[k]] == index + 1)
      FAIL("%s is made twice in piece %u, or is its input too",
           pt_value(c->graph, node->outputs[k])->name, index);
    c->here[node->outputs[k]] = index + 1;
  }
  return true;
}

static bool check_outputs(Checker *c, uint32_t index, const PtPiece *piece, GError **error) {
  for (uint32_t i = 0; i < piece->outputs->len; i++) {
    PtValueId v = g_array_index(piece->outputs, PtValueId, i);
    if (c->made_in[v] != PT_NONE)
      FAIL("%s is an output of pieces %u and %u", pt_value(c->graph, v)->name, c->made_in[v],
           index);
    if (c->here[v] != index + 1 || pt_value(c->graph, v)->producer == PT_NONE)
      FAIL("piece %u does not make its output %s", index, pt_value(c->graph, v)->name);
    c->made_in[v] = index;
  }
  return true;
}

/* Inputs that nothing in the piece reads, and outputs that nothing outside needs. */
static bool check_needed(Checker *c, GError **error) {
  const PtPartition *p = c->partition;
  g_autofree uint32_t *read = g_new0(uint32_t, pt_graph_n_values(c->graph) + 1);
  g_autofree bool *needed = g_new0(bool, pt_graph_n_values(c->graph) + 1);
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    const PtPiece *piece = g_ptr_array_index(p->pieces, i);
    for (uint32_t n = 0; n < piece->nodes->len; n++) {
      const PtNode *node = pt_node(c->graph, g_array_index(piece->nodes, PtNodeId, n));
      for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
        PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
        if (v != PT_NONE)
          read[v] = i + 1;
      }
    }
    for (uint32_t n = 0; n < piece->inputs->len; n++) {
      PtValueId v = g_array_index(piece->inputs, PtValueId, n);
      if (read[v] != i + 1)
        FAIL("nothing in piece %u reads its input %s", i, pt_value(c->graph, v)->name);
      needed[v] = true;
    }
  }
  for (uint32_t v = 0; v < pt_graph_n_values(c->graph); v++) {
    if (c->made_in[v] != PT_NONE && !needed[v] && !c->is_output[v])
      FAIL("nothing needs %s, an output of piece %u", pt_value(c->graph, v)->name, c->made_in[v]);
    if (c->is_output[v] && c->made_in[v] == PT_NONE && pt_value(c->graph, v)->producer != PT_NONE)
      FAIL("no piece has %s, an output of the model", pt_value(c->graph, v)->name);
  }
  return true;
}

static bool check_all(Checker *c, GError **error) {
  const PtPartition *p = c->partition;
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    const PtPiece *piece = g_ptr_array_index(p->pieces, i);
    if (piece->nodes->len == 0)
      FAIL("piece %u is empty", i);
    if (p->group[i] >= p->n_groups)
      FAIL("piece %u is in group %u of %u", i, p->group[i], p->n_groups);
    if (!check_inputs(c, i, piece, error))
      return false;
    for (uint32_t n = 0; n < piece->nodes->len; n++)
      if (!check_node(c, i, g_array_index(piece->nodes, PtNodeId, n), error))
        return false;
    if (!check_outputs(c, i, piece, error))
      return false;
  }
  for (uint32_t n = 0; n < pt_graph_n_nodes(c->graph); n++) {
    if (pt_node(c->graph, n)->dead)
      continue;
    if (c->times[n] == 0)
      FAIL("node %u is in no piece", n);
    if (c->times[n] > 1 && !pt_node_may_be_cloned(c->graph, pt_node(c->graph, n), c->is_output))
      FAIL("node %u is in %u pieces and is neither cheap nor pure", n, c->times[n]);
  }
  return check_needed(c, error);
}

/* A piece's inputs are outputs of earlier pieces: so the graph of pieces has no cycle, and each
 * piece, clones apart, is convex. */
bool pt_partition_check(const PtGraph *graph, const PtPartition *partition, GError **error) {
  Checker c = {.graph = graph, .partition = partition};
  c.times = g_new0(uint32_t, pt_graph_n_nodes(graph) + 1);
  c.made_in = g_new(uint32_t, pt_graph_n_values(graph) + 1);
  c.here = g_new0(uint32_t, pt_graph_n_values(graph) + 1);
  c.is_output = pt_output_flags(graph);
  for (uint32_t v = 0; v < pt_graph_n_values(graph); v++)
    c.made_in[v] = PT_NONE;
  bool ok = check_all(&c, error);
  g_free(c.times);
  g_free(c.made_in);
  g_free(c.here);
  g_free(c.is_output);
  return ok;
}
