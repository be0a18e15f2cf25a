/* seams.c: mends the layout where pieces meet.
 * ONNX Runtime's blocked layout begins and ends at each piece's border. One pass in topological
 * order does at the seams what its NchwcTransformer does inside: a ReorderInput behind a
 * ReorderOutput is cancelled, whatever else reads only reordered values is moved in front of the
 * reorder, Add and activations are folded into the convolution. O(nodes + edges). */
#include "restore/seams_private.h"

#include <string.h>

PtValueId pt_seam_add_value(PtSeams *s) {
  PtValueId v = pt_graph_add_value(s->graph, NULL);
  g_array_set_size(s->values, s->graph->values->len);
  return v;
}

void pt_seam_set_input(PtSeams *s, PtNodeId node, uint32_t k, PtValueId value) {
  PtNode *n = pt_node(s->graph, node);
  pt_seam(s, n->inputs[k])->uses--;
  pt_seam(s, value)->uses++;
  n->inputs[k] = value;
}

void pt_seam_kill(PtSeams *s, PtNodeId node) {
  PtNode *n = pt_node(s->graph, node);
  bool reorder = pt_node_is(n, PT_NCHWC, "ReorderOutput");
  for (uint32_t k = 0; k < n->n_inputs; k++)
    if (n->inputs[k] != PT_NONE) {
      pt_seam(s, n->inputs[k])->uses--;
      if (reorder)
        pt_seam(s, n->inputs[k])->reorders--;
    }
  for (uint32_t k = 0; k < n->n_outputs; k++)
    if (n->outputs[k] != PT_NONE && pt_value(s->graph, n->outputs[k])->producer == node)
      pt_value(s->graph, n->outputs[k])->producer = PT_NONE;
  n->dead = true;
}

PtNodeId pt_seam_add_reorder(PtSeams *s, PtValueId blocked, PtValueId output, int64_t channels) {
  PtNodeId node = pt_graph_add_node(s->graph, PT_NCHWC, "ReorderOutput", &blocked, 1, &output, 1);
  pt_node_set_int(s->graph, node, "channels", channels);
  pt_seam(s, blocked)->uses++;
  pt_seam(s, blocked)->reorders++;
  pt_seam(s, blocked)->channels = channels;
  pt_seam(s, output)->blocked = blocked + 1;
  pt_seam(s, output)->channels = channels;
  return node;
}

/* ---- set-up ---- */
static bool has_blocked_nodes(const PtGraph *graph) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(graph); i++)
    if (!pt_node(graph, i)->dead && g_str_equal(pt_node(graph, i)->domain, PT_NCHWC))
      return true;
  return false;
}

static void count_uses(PtSeams *s) {
  PtGraph *g = s->graph;
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *n = pt_node(g, i);
    if (n->dead)
      continue;
    bool reorder = pt_node_is(n, PT_NCHWC, "ReorderOutput");
    for (uint32_t k = 0; k < n->n_inputs; k++)
      if (n->inputs[k] != PT_NONE) {
        pt_seam(s, n->inputs[k])->uses++;
        pt_seam(s, n->inputs[k])->reorders += reorder;
      }
    for (uint32_t k = 0; k < n->n_captures; k++) {
      pt_seam(s, n->captures[k])->uses++;
      pt_seam(s, n->captures[k])->pinned = true;
    }
  }
  for (guint i = 0; i < g->outputs->len; i++) {
    pt_seam(s, pt_graph_output(g, i))->uses++;
    pt_seam(s, pt_graph_output(g, i))->pinned = true;
  }
}

/* The block size shows where channels had to be padded. Where none had to, every width is a
 * multiple of 16, which both sizes pad and align alike; only the layout of weights is then not
 * known, but this CPU is the one that is to run them. */
static void find_block(PtSeams *s) {
  const PtGraph *g = s->graph;
  s->block = 16;
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *n = pt_node(g, i);
    if (n->dead || !pt_node_is(n, PT_NCHWC, "Conv") || n->n_inputs < 2 || n->inputs[1] == PT_NONE)
      continue;
    const PtTensor *w = pt_value(g, n->inputs[1])->constant;
    if (w && w->rank == 4 && w->dims[0] % 16 != 0) {
      s->block = 8;
      s->block_known = true;
      return;
    }
  }
#if defined(__x86_64__) || defined(__i386__)
  s->block_known = __builtin_cpu_supports("avx512f");
#else
  s->block_known = true; /* the only other one with this layout, 64-bit ARM, has 16 */
#endif
}

/* ---- the pass ---- */
static void follow_aliases(PtSeams *s, PtNodeId node) {
  PtNode *n = pt_node(s->graph, node);
  for (uint32_t k = 0; k < n->n_inputs; k++)
    while (n->inputs[k] != PT_NONE && pt_seam(s, n->inputs[k])->alias)
      n->inputs[k] = pt_seam(s, n->inputs[k])->alias - 1; /* uses were moved with the alias */
}

/* All that reads `from` is to read `to`. Users come later in the order and follow the alias. */
static void set_alias(PtSeams *s, PtValueId from, PtValueId to) {
  pt_seam(s, from)->alias = to + 1;
  pt_seam(s, to)->uses += pt_seam(s, from)->uses;
  pt_seam(s, to)->reorders += pt_seam(s, from)->reorders;
  pt_seam(s, from)->uses = pt_seam(s, from)->reorders = 0;
}

/* A Transpose from NHWC before the reorder is the reorder's own business. */
static void take_transpose(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  PtValueId x = n->inputs[0];
  PtNodeId before = pt_value(s->graph, x)->producer;
  if (before == PT_NONE || pt_seam(s, x)->uses != 1)
    return;
  const PtNode *t = pt_node(s->graph, before);
  uint32_t count;
  const int64_t *perm = pt_node_ints(t, "perm", &count);
  if (!pt_node_is(t, "", "Transpose") || count != 4 || perm[0] != 0 || perm[1] != 3 ||
      perm[2] != 1 || perm[3] != 2)
    return;
  pt_seam_set_input(s, node, 0, t->inputs[0]);
  pt_node_set_int(s->graph, node, "channels_last", 1);
  pt_seam_kill(s, before);
  s->report.pushed++;
}

static void visit_reorder_input(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  PtValueId x = n->inputs[0], y = n->outputs[0];
  PtValueId blocked = pt_seam_blocked(s, x);
  if (pt_node_int(n, "channels_last", 0) || pt_seam(s, y)->pinned)
    return;
  if (blocked != PT_NONE || pt_seam(s, x)->reordered) {
    set_alias(s, y, blocked != PT_NONE ? blocked : pt_seam(s, x)->reordered - 1);
    pt_seam_kill(s, node);
    s->report.cancelled++;
    return;
  }
  pt_seam(s, x)->reordered = y + 1;
  take_transpose(s, node);
}

/* Pieces were made by somebody else: a node of the blocked domain may lack what its kind needs. */
static bool is_whole(const PtNode *n) {
  return n->n_inputs > 0 && n->inputs[0] != PT_NONE && n->n_outputs > 0 && n->outputs[0] != PT_NONE;
}

static void visit(PtSeams *s, PtNodeId node) {
  follow_aliases(s, node);
  const PtNode *n = pt_node(s->graph, node);
  if (!is_whole(n))
    return;
  bool blocked_domain = g_str_equal(n->domain, PT_NCHWC);
  if (blocked_domain && g_str_equal(n->op_type, "Conv"))
    pt_seam_fold_pad(s, node);
  pt_seam_infer(s, node);
  if (blocked_domain && g_str_equal(n->op_type, "ReorderInput")) {
    visit_reorder_input(s, node);
  } else if (blocked_domain && g_str_equal(n->op_type, "ReorderOutput")) {
    int64_t channels = pt_node_int(n, "channels", 0);
    if (channels > 0 && channels <= INT32_MAX && !pt_node_int(n, "channels_last", 0)) {
      pt_seam(s, n->outputs[0])->blocked = n->inputs[0] + 1;
      pt_seam(s, n->outputs[0])->channels = channels;
    }
  } else if (!blocked_domain) {
    pt_seam_push(s, node);
  }
}

/* New nodes stand at the end: back into a topological order. */
static bool sort_nodes(PtGraph *graph, GError **error) {
  uint32_t count = pt_graph_n_nodes(graph);
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)count + 1);
  if (!pt_graph_toposort(graph, order, error))
    return false;
  g_autofree PtNode *sorted = g_new(PtNode, (gsize)count + 1);
  for (uint32_t i = 0; i < count; i++)
    sorted[i] = *pt_node(graph, order[i]);
  for (uint32_t i = 0; i < count; i++) {
    *pt_node(graph, i) = sorted[i];
    for (uint32_t k = 0; k < sorted[i].n_outputs; k++)
      if (sorted[i].outputs[k] != PT_NONE)
        pt_value(graph, sorted[i].outputs[k])->producer = i;
  }
  return true;
}

bool pt_mend_seams(PtGraph *graph, PtSeamReport *report, GError **error) {
  PtSeamReport none;
  report = report ? report : &none;
  *report = (PtSeamReport){0};
  if (!has_blocked_nodes(graph))
    return true;
  uint32_t count = pt_graph_n_nodes(graph);
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)count + 1);
  if (!pt_graph_toposort(graph, order, error))
    return false;
  PtSeams s = {.graph = graph,
               .values = g_array_new(FALSE, TRUE, sizeof(PtSeamValue)),
               .pushes = g_array_new(FALSE, FALSE, sizeof(PtSeamPush))};
  find_block(&s);
  g_array_set_size(s.values, graph->values->len);
  count_uses(&s);
  for (uint32_t i = 0; i < count; i++)
    if (!pt_node(graph, order[i])->dead)
      visit(&s, order[i]);
  pt_seam_retract(&s);
  *report = s.report;
  g_array_unref(s.values);
  g_array_unref(s.pushes);
  pt_graph_remove_unused(graph);
  pt_graph_compact(graph);
  return sort_nodes(graph, error);
}
