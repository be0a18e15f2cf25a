/* fuse: first contract what optimizers fuse, so that no cut hides it from them.  The patterns, one
 * row each, in the order in which they take their nodes: what every optimizer does comes first,
 * larger blocks are tried when their parts are together. */
#include "partition/fuse_private.h"

#include <string.h>

static const struct {
  const char *op; /* the node it starts from; NULL: any */
  void (*match)(PtFuse *f, PtNodeId node);
} patterns[] = {
    {"Conv", pt_fuse_conv},
    {"ConvTranspose", pt_fuse_conv},
    {"Gemm", pt_fuse_conv},
    {"BatchNormalization", pt_fuse_batch_norm},
    {"MatMul", pt_fuse_linear},
    {"Sqrt", pt_fuse_norm},
    {"Erf", pt_fuse_erf_gelu},
    {"Tanh", pt_fuse_tanh_gelu},
    {"Mul", pt_fuse_gated},
    {"Pad", pt_fuse_pad},
    {"Add", pt_fuse_residual},
    {"MatMul", pt_fuse_scores},
    {"Sqrt", pt_fuse_skip_norm},
    {"LayerNormalization", pt_fuse_skip_norm},
    {"QuantizeLinear", pt_fuse_quantized},
    {"DequantizeLinear", pt_fuse_quantized},
    {"Slice", pt_fuse_slices},
    {"Gather", pt_fuse_slices},
    {NULL, pt_fuse_constant_fed},
    {"Mul", pt_fuse_squeeze},
    {"Softmax", pt_fuse_attention},
    {"Softmax", pt_fuse_heads},
};

void pt_fuse(const PtWork *work, PtQuotient *q, uint32_t cap) {
  uint32_t n = pt_graph_n_nodes(work->graph);
  g_autofree PtNodeId *tail = g_new(PtNodeId, n + 1);
  memset(tail, 0xff, (n + 1) * sizeof *tail);
  PtFuse f = {work, work->graph, q, cap, MAX(cap * 2 / 3, 2), tail};
  for (size_t p = 0; p < G_N_ELEMENTS(patterns); p++)
    for (uint32_t r = 0; r < work->n_items; r++)
      if (!patterns[p].op || pt_op_is(pt_node(work->graph, work->node[r]), patterns[p].op))
        patterns[p].match(&f, work->node[r]);
}

/* ---- walking --------------------------------------------------------------------------------- */
bool pt_fuse_is(const PtFuse *f, PtNodeId node, const char *op) {
  return node != PT_NONE && g_str_equal(pt_node(f->graph, node)->op_type, op);
}

bool pt_fuse_is_any(const PtFuse *f, PtNodeId node, const char *const *ops) {
  for (; node != PT_NONE && *ops; ops++)
    if (pt_fuse_is(f, node, *ops))
      return true;
  return false;
}

bool pt_fuse_is_class(const PtFuse *f, PtNodeId node, PtOpClass op_class) {
  const PtOp *op = node == PT_NONE ? NULL : pt_op_of(pt_node(f->graph, node));
  return op && op->op_class == op_class;
}

PtValueId pt_fuse_input(const PtFuse *f, PtNodeId node, uint32_t k) {
  return node != PT_NONE && k < pt_node(f->graph, node)->n_inputs
             ? pt_node(f->graph, node)->inputs[k]
             : PT_NONE;
}

PtNodeId pt_fuse_before(const PtFuse *f, PtNodeId node, uint32_t k) {
  PtValueId v = pt_fuse_input(f, node, k);
  return v == PT_NONE ? PT_NONE : pt_value(f->graph, v)->producer;
}

bool pt_fuse_fixed(const PtFuse *f, PtNodeId node, uint32_t k) {
  PtValueId v = pt_fuse_input(f, node, k);
  if (v == PT_NONE)
    return false;
  const PtValue *value = pt_value(f->graph, v);
  return value->constant || (value->producer != PT_NONE && f->work->side[value->producer]);
}

uint32_t pt_fuse_free_input(const PtFuse *f, PtNodeId node) {
  if (pt_fuse_input(f, node, 1) == PT_NONE)
    return PT_NONE;
  bool first = pt_fuse_fixed(f, node, 0), second = pt_fuse_fixed(f, node, 1);
  return first == second ? PT_NONE : first;
}

PtValueId pt_fuse_output(const PtFuse *f, PtNodeId node) {
  return node != PT_NONE && pt_node(f->graph, node)->n_outputs > 0
             ? pt_node(f->graph, node)->outputs[0]
             : PT_NONE;
}

PtNodeId pt_fuse_after(const PtFuse *f, PtNodeId node) {
  PtValueId v = pt_fuse_output(f, node);
  if (v == PT_NONE || f->work->is_output[v] || pt_uses_count(f->work->uses, v) != 1)
    return PT_NONE;
  return f->work->uses->node[f->work->uses->start[v]];
}

PtNodeId pt_fuse_reader(const PtFuse *f, PtNodeId node, const char *op) {
  PtValueId v = pt_fuse_output(f, node);
  if (v == PT_NONE)
    return PT_NONE;
  for (uint32_t u = f->work->uses->start[v]; u < f->work->uses->start[v + 1]; u++)
    if (pt_fuse_is(f, f->work->uses->node[u], op))
      return f->work->uses->node[u];
  return PT_NONE;
}

static const char *const casts[] = {"Cast", "Identity", "Dropout", NULL};

PtNodeId pt_fuse_skip_casts_before(const PtFuse *f, PtNodeId node, PtMatch *m) {
  while (pt_fuse_is_any(f, node, casts)) {
    pt_match_add(m, node);
    node = pt_fuse_before(f, node, 0);
  }
  return node;
}

PtNodeId pt_fuse_skip_casts_after(const PtFuse *f, PtNodeId node, PtMatch *m) {
  while (pt_fuse_is_any(f, node, casts)) {
    pt_match_add(m, node);
    node = pt_fuse_after(f, node);
  }
  return node;
}

/* ---- matches --------------------------------------------------------------------------------- */
bool pt_match_has(const PtMatch *m, PtNodeId node) {
  for (uint32_t i = 0; i < m->n; i++)
    if (m->node[i] == node)
      return true;
  return false;
}

void pt_match_add(PtMatch *m, PtNodeId node) {
  if (node == PT_NONE || pt_match_has(m, node))
    return;
  if (m->n == PT_MATCH_MOST)
    m->full = true;
  else
    m->node[m->n++] = node;
}

static bool merge_within(PtFuse *f, const PtMatch *m, uint32_t cap) {
  uint32_t items[PT_MATCH_MOST], n = 0;
  if (m->full)
    return false;
  for (uint32_t i = 0; i < m->n; i++)
    if (f->work->item[m->node[i]] != PT_NONE) /* a side node goes wherever it is used */
      items[n++] = f->work->item[m->node[i]];
  return pt_quotient_merge_set(f->q, items, n, cap, 4096);
}

bool pt_match_merge(PtFuse *f, const PtMatch *m) {
  return merge_within(f, m, f->cap);
}

bool pt_match_merge_block(PtFuse *f, const PtMatch *m) {
  return merge_within(f, m, f->block);
}

/* A node that only constants feed (a weight's DequantizeLinear, Transpose) stays with who reads it:
 * its output is a weight, and must not be seen at a border. */
void pt_fuse_constant_fed(PtFuse *f, PtNodeId node) {
  const PtNode *n = pt_node(f->graph, node);
  PtValueId v = pt_fuse_output(f, node);
  const PtOp *op = pt_op_of(n);
  if (v == PT_NONE || n->n_inputs == 0 || n->n_captures > 0 || (op && op->flags & PT_OP_RANDOM))
    return;
  for (uint32_t i = 0; i < n->n_inputs; i++)
    if (n->inputs[i] != PT_NONE && !pt_fuse_fixed(f, node, i))
      return;
  for (uint32_t u = f->work->uses->start[v]; u < f->work->uses->start[v + 1]; u++) {
    PtMatch m = {{node, f->work->uses->node[u]}, 2, false};
    pt_match_merge(f, &m);
  }
}
