/* fuse_attention: MatMul with its bias, attention's core and what surrounds it, slices of one
 * value. */
#include "partition/fuse_private.h"

static const char *const moves[] = {"Reshape", "Transpose", "Squeeze", "Unsqueeze", NULL};

/* MatMul + Add(bias) + activation; a Reshape or Flatten may stand before the bias. */
void pt_fuse_linear(PtFuse *f, PtNodeId node) {
  if (!pt_fuse_fixed(f, node, 0) && !pt_fuse_fixed(f, node, 1))
    return;
  PtMatch m = {{node}, 1, false};
  PtNodeId next = pt_fuse_after(f, node);
  if (pt_fuse_is_any(f, next, moves) || pt_fuse_is(f, next, "Flatten")) {
    PtNodeId past = pt_fuse_after(f, next);
    if (!pt_fuse_is(f, past, "BatchNormalization"))
      return;
    pt_match_add(&m, next);
    next = past;
  }
  if (!(pt_fuse_is(f, next, "Add") && pt_fuse_free_input(f, next) != PT_NONE) &&
      !pt_fuse_is(f, next, "BatchNormalization"))
    return;
  pt_match_add(&m, next);
  pt_match_merge(f, &m);
  next = pt_fuse_after(f, next);
  if (pt_fuse_is_class(f, next, PT_CLASS_ACTIVATION)) {
    pt_match_add(&m, next);
    pt_match_merge(f, &m);
  }
}

/* A product of two computed matrices with its scale and the transposes that feed it: one
 * FusedMatMul. */
static bool add_scores(const PtFuse *f, PtNodeId node, PtMatch *m) {
  if (!pt_fuse_is(f, node, "MatMul") || pt_fuse_fixed(f, node, 0) || pt_fuse_fixed(f, node, 1))
    return false;
  pt_match_add(m, node);
  for (uint32_t k = 0; k < 2; k++) {
    PtNodeId before = pt_fuse_before(f, node, k);
    if ((pt_fuse_is(f, before, "Mul") || pt_fuse_is(f, before, "Div")) &&
        pt_fuse_free_input(f, before) != PT_NONE && pt_fuse_after(f, before) == node) {
      pt_match_add(m, before);
      before = pt_fuse_before(f, before, pt_fuse_free_input(f, before));
    }
    if (pt_fuse_is(f, before, "Transpose"))
      pt_match_add(m, before);
  }
  PtNodeId scale = pt_fuse_after(f, node);
  if ((pt_fuse_is(f, scale, "Mul") || pt_fuse_is(f, scale, "Div")) &&
      pt_fuse_free_input(f, scale) != PT_NONE)
    pt_match_add(m, scale);
  return true;
}

void pt_fuse_scores(PtFuse *f, PtNodeId node) {
  PtMatch m = {.n = 0};
  if (add_scores(f, node, &m))
    pt_match_merge(f, &m);
}

/* Softmax, back over mask and scale to the scores, forward to the product with V. Returns that. */
static bool add_core(const PtFuse *f, PtNodeId softmax, PtMatch *m) {
  static const char *const between[] = {"Add",  "Mul",     "Div",     "Where",     "Cast",
                                        "Sub",  "Reshape", "Softcap", "Transpose", "Max",
                                        "Tanh", "Clip",    NULL};
  PtNodeId node = pt_fuse_before(f, softmax, 0);
  pt_match_add(m, softmax);
  for (int i = 0; i < 8 && pt_fuse_is_any(f, node, between); i++) {
    /* the scores come in at the input whose producer is latest: masks are older */
    PtNodeId latest = PT_NONE;
    pt_match_add(m, node);
    for (uint32_t k = 0; k < pt_node(f->graph, node)->n_inputs; k++) {
      PtNodeId p = pt_fuse_before(f, node, k);
      if (p != PT_NONE && f->work->item[p] != PT_NONE &&
          (latest == PT_NONE || f->work->rank[p] > f->work->rank[latest]))
        latest = p;
    }
    node = latest;
  }
  if (!add_scores(f, node, m))
    return false;
  node = pt_fuse_skip_casts_after(f, pt_fuse_after(f, softmax), m);
  if (!pt_fuse_is(f, node, "MatMul"))
    return false;
  pt_match_add(m, node);
  return true;
}

/* The core, then the moves that take the heads together again. */
void pt_fuse_attention(PtFuse *f, PtNodeId softmax) {
  PtMatch m = {.n = 0};
  if (!add_core(f, softmax, &m) || !pt_match_merge(f, &m))
    return;
  PtNodeId next = pt_fuse_after(f, m.node[m.n - 1]);
  for (int i = 0; i < 2 && pt_fuse_is_any(f, next, moves); i++) {
    pt_match_add(&m, next);
    next = pt_fuse_after(f, next);
  }
  pt_match_merge_block(f, &m);
}

/* Q, K and V with the core, where all fits: back from its matrix products over moves, scales and
 * biases to the projections. */
void pt_fuse_heads(PtFuse *f, PtNodeId softmax) {
  PtMatch core = {.n = 0};
  if (!add_core(f, softmax, &core))
    return;
  PtMatch m = core;
  for (uint32_t i = 0; i < core.n; i++) {
    if (!pt_fuse_is(f, core.node[i], "MatMul"))
      continue;
    for (uint32_t k = 0; k < 2; k++) {
      PtNodeId node = pt_fuse_before(f, core.node[i], k);
      for (int steps = 0; steps < 8 && node != PT_NONE && f->work->item[node] != PT_NONE; steps++) {
        uint32_t input = pt_fuse_free_input(f, node);
        bool linear = pt_fuse_is_class(f, node, PT_CLASS_LINEAR) && !pt_match_has(&core, node);
        if (!linear && !pt_fuse_is_any(f, node, moves) && input == PT_NONE &&
            !pt_match_has(&core, node))
          break;
        pt_match_add(&m, node);
        if (linear)
          break;
        node = pt_fuse_before(f, node, input == PT_NONE ? 0 : input);
      }
    }
  }
  pt_match_merge_block(f, &m);
}

/* Slices (or Gathers) of one value by constants: an optimizer makes one Split of them. */
void pt_fuse_slices(PtFuse *f, PtNodeId node) {
  PtValueId x = pt_fuse_input(f, node, 0);
  const char *op = pt_node(f->graph, node)->op_type;
  if (x == PT_NONE || pt_fuse_fixed(f, node, 0) || pt_uses_count(f->work->uses, x) < 2 ||
      pt_uses_count(f->work->uses, x) > PT_MATCH_MOST)
    return;
  PtMatch m = {.n = 0};
  for (uint32_t u = f->work->uses->start[x]; u < f->work->uses->start[x + 1]; u++) {
    PtNodeId user = f->work->uses->node[u];
    if (!pt_fuse_is(f, user, op) || pt_fuse_input(f, user, 0) != x)
      continue;
    for (uint32_t k = 1; k < pt_node(f->graph, user)->n_inputs; k++)
      if (pt_fuse_input(f, user, k) != PT_NONE && !pt_fuse_fixed(f, user, k))
        return;
    pt_match_add(&m, user);
  }
  if (m.n > 1 && m.node[0] == node)
    pt_match_merge(f, &m);
}
