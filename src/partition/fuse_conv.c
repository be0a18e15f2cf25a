/* fuse_conv: convolutions with what follows them; gates, residuals, squeeze-excite, quantization.
 */
#include "partition/fuse_private.h"

/* x * Sigmoid(x), x * HardSigmoid(x), x * Tanh(Softplus(x)), x * Clip(x + 3, 0, 6) / 6 in any order
 * of the last two: adds them to the match. Returns the last node, or PT_NONE. */
static PtNodeId gated_by_itself(const PtFuse *f, PtNodeId node, PtMatch *m) {
  static const char *const gates[] = {"Sigmoid", "HardSigmoid", "Softplus", "Add", NULL};
  PtValueId x = pt_fuse_output(f, node);
  if (x == PT_NONE || pt_uses_count(f->work->uses, x) != 2)
    return PT_NONE;
  for (uint32_t u = f->work->uses->start[x]; u < f->work->uses->start[x + 1]; u++) {
    PtNodeId step = f->work->uses->node[u];
    if (!pt_fuse_is_any(f, step, gates))
      continue;
    PtMatch found = {.n = 0};
    for (int i = 0; i < 5 && step != PT_NONE; i++, step = pt_fuse_after(f, step)) {
      bool fixed = pt_fuse_free_input(f, step) != PT_NONE;
      bool multiplies = pt_fuse_is(f, step, "Mul") && !fixed;
      pt_match_add(&found, step);
      if (multiplies && (pt_fuse_input(f, step, 0) == x || pt_fuse_input(f, step, 1) == x)) {
        PtNodeId scale = pt_fuse_after(f, step);
        bool scaled = i == 2 && pt_fuse_free_input(f, scale) != PT_NONE &&
                      (pt_fuse_is(f, scale, "Div") || pt_fuse_is(f, scale, "Mul"));
        for (uint32_t k = 0; k < found.n; k++)
          pt_match_add(m, found.node[k]);
        if (scaled)
          pt_match_add(m, scale);
        return scaled ? scale : step;
      }
      if (!fixed && !pt_fuse_is_class(f, step, PT_CLASS_ACTIVATION))
        break;
    }
  }
  return PT_NONE;
}

/* Adds the activation that follows, if any; returns the last node. */
static PtNodeId add_activation(const PtFuse *f, PtNodeId node, PtMatch *m) {
  PtNodeId next = pt_fuse_after(f, node);
  if (pt_fuse_is_class(f, next, PT_CLASS_ACTIVATION)) {
    pt_match_add(m, next);
    return next;
  }
  next = gated_by_itself(f, node, m);
  return next == PT_NONE ? node : next;
}

/* Conv, ConvTranspose, Gemm; BatchNormalization; a scale or shift by constants; the activation. */
void pt_fuse_conv(PtFuse *f, PtNodeId node) {
  PtMatch m = {{node}, 1, false};
  PtNodeId last = node, next = pt_fuse_after(f, last);
  if (pt_fuse_is(f, next, "BatchNormalization")) {
    pt_match_add(&m, last = next);
    next = pt_fuse_after(f, last);
  }
  for (int i = 0; i < 2; i++)
    if ((pt_fuse_is(f, next, "Mul") || pt_fuse_is(f, next, "Add")) &&
        pt_fuse_free_input(f, next) != PT_NONE) {
      pt_match_add(&m, last = next);
      next = pt_fuse_after(f, last);
    }
  pt_match_merge(f, &m);
  last = add_activation(f, last, &m);
  pt_match_merge(f, &m);
  f->tail[last] = node;
}

void pt_fuse_batch_norm(PtFuse *f, PtNodeId node) {
  PtMatch m = {{node}, 1, false};
  PtNodeId last = add_activation(f, node, &m);
  pt_match_merge(f, &m);
  if (f->tail[last] == PT_NONE)
    f->tail[last] = node;
}

/* x * gate(x) wherever it stands, also with a scale inside the gate. */
void pt_fuse_gated(PtFuse *f, PtNodeId node) {
  for (uint32_t k = 0; k < 2; k++) {
    PtNodeId gate = pt_fuse_before(f, node, k), inner = pt_fuse_before(f, gate, 0);
    PtValueId x = pt_fuse_input(f, node, 1 - k);
    if (!pt_fuse_is(f, gate, "Sigmoid") && !pt_fuse_is(f, gate, "HardSigmoid"))
      continue;
    PtMatch m = {{node, gate}, 2, false};
    uint32_t free_input = pt_fuse_free_input(f, inner);
    if (pt_fuse_is(f, inner, "Mul") && free_input != PT_NONE &&
        pt_fuse_input(f, inner, free_input) == x)
      pt_match_add(&m, inner);
    else if (pt_fuse_input(f, gate, 0) != x)
      continue;
    pt_match_merge(f, &m);
  }
}

void pt_fuse_pad(PtFuse *f, PtNodeId node) {
  PtNodeId next = pt_fuse_after(f, node);
  PtMatch m = {{node, next}, 2, false};
  if (pt_fuse_is_class(f, next, PT_CLASS_CONV) || pt_fuse_is_class(f, next, PT_CLASS_POOL))
    pt_match_merge(f, &m);
}

/* The residual Add goes with the convolution that feeds it (the later one), and its Relu too. */
void pt_fuse_residual(PtFuse *f, PtNodeId node) {
  PtNodeId feed = PT_NONE;
  for (uint32_t k = 0; k < 2; k++) {
    PtNodeId p = pt_fuse_before(f, node, k);
    if (p == PT_NONE || f->tail[p] == PT_NONE || pt_fuse_after(f, p) != node)
      continue;
    if (!pt_fuse_is_class(f, f->tail[p], PT_CLASS_CONV))
      continue;
    if (feed == PT_NONE || f->work->rank[p] > f->work->rank[feed])
      feed = p;
  }
  if (feed == PT_NONE)
    return;
  PtMatch m = {{f->tail[feed], feed, node}, 3, false};
  PtNodeId relu = pt_fuse_reader(f, node, "Relu");
  pt_match_merge(f, &m);
  if (relu == PT_NONE && pt_fuse_is_class(f, pt_fuse_after(f, node), PT_CLASS_ACTIVATION))
    relu = pt_fuse_after(f, node);
  if (relu != PT_NONE) {
    pt_match_add(&m, relu);
    pt_match_merge(f, &m);
  }
}

/* x * gate, where the gate is computed from a pooled x by a chain of a few nodes. */
void pt_fuse_squeeze(PtFuse *f, PtNodeId node) {
  for (uint32_t k = 0; k < 2; k++) {
    PtMatch m = {{node}, 1, false};
    PtValueId x = pt_fuse_input(f, node, 1 - k);
    PtNodeId step = pt_fuse_before(f, node, k);
    bool reached = false;
    for (int i = 0; i < 16 && step != PT_NONE && f->work->item[step] != PT_NONE && !reached; i++) {
      pt_match_add(&m, step);
      reached = pt_fuse_input(f, step, 0) == x && (pt_fuse_is_class(f, step, PT_CLASS_POOL) ||
                                                   pt_fuse_is_class(f, step, PT_CLASS_REDUCE));
      uint32_t input = pt_fuse_free_input(f, step);
      step = pt_fuse_before(f, step, input == PT_NONE ? 0 : input);
    }
    if (!reached || m.n < 3)
      continue;
    pt_match_merge_block(f, &m);
  }
}

/* QuantizeLinear stays with what it quantizes, DequantizeLinear with what reads it: a cut between
 * the two carries an integer tensor. */
void pt_fuse_quantized(PtFuse *f, PtNodeId node) {
  PtMatch m = {{node}, 1, false};
  if (pt_fuse_is(f, node, "QuantizeLinear")) {
    pt_match_add(&m, pt_fuse_before(f, node, 0));
    pt_match_merge(f, &m);
    return;
  }
  PtNodeId reader = pt_fuse_after(f, node);
  if (reader == PT_NONE)
    return;
  pt_match_add(&m, reader);
  for (uint32_t k = 0; k < pt_node(f->graph, reader)->n_inputs; k++)
    if (pt_fuse_is(f, pt_fuse_before(f, reader, k), "DequantizeLinear"))
      pt_match_add(&m, pt_fuse_before(f, reader, k));
  pt_match_merge(f, &m);
  for (int i = 0; i < 2; i++) { /* the activation between, and the QuantizeLinear after */
    reader = pt_fuse_after(f, reader);
    if (!pt_fuse_is_class(f, reader, PT_CLASS_ACTIVATION) &&
        !pt_fuse_is(f, reader, "QuantizeLinear"))
      break;
    pt_match_add(&m, reader);
  }
  pt_match_merge(f, &m);
}
