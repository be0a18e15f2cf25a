/* seams_pad.c: a Pad of zeros that a seam has cut from its convolution becomes part of the
 * convolution's own padding. */
#include "ops/ops.h"
#include "restore/seams_private.h"

/* Zeros before and after height and width: pads[h0, w0, h1, w1]; false if the Pad does anything
 * else. */
static bool spatial_zeros(const PtSeams *s, const PtNode *n, int64_t pads[4]) {
  int64_t all[8];
  if (pt_node_attr(n, "mode") && !pt_node_string_is(n, "mode", "constant"))
    return false;
  if (pt_graph_opset(s->graph, "") < 11) {
    uint32_t count;
    const int64_t *given = pt_node_ints(n, "pads", &count);
    if (count != 8 || pt_node_float(n, "value", 0) != 0)
      return false;
    for (int i = 0; i < 8; i++)
      all[i] = given[i];
  } else {
    const PtTensor *given = n->n_inputs > 1 && n->inputs[1] != PT_NONE
                                ? pt_value(s->graph, n->inputs[1])->constant
                                : NULL;
    if (!given || pt_tensor_ints(given, all, 8) != 8 ||
        (n->n_inputs > 3 && n->inputs[3] != PT_NONE))
      return false;
    if (n->n_inputs > 2 && n->inputs[2] != PT_NONE) {
      const PtTensor *value = pt_value(s->graph, n->inputs[2])->constant;
      if (!value || value->count != 1 || pt_tensor_float_at(value, 0) != 0)
        return false;
    }
  }
  for (int i = 0; i < 8; i++)
    if (all[i] < 0 || all[i] > 1 << 20 || (i % 4 < 2 && all[i] != 0))
      return false;
  pads[0] = all[2];
  pads[1] = all[3];
  pads[2] = all[6];
  pads[3] = all[7];
  return true;
}

/* The node that makes `v`, if `v` is used once and is no output; else PT_NONE. */
static PtNodeId sole_producer(const PtSeams *s, PtValueId v) {
  bool sole = pt_seam(s, v)->uses == 1 && !pt_seam(s, v)->pinned;
  return sole ? pt_value(s->graph, v)->producer : PT_NONE;
}

void pt_seam_fold_pad(PtSeams *s, PtNodeId node) {
  PtNode *conv = pt_node(s->graph, node);
  PtNodeId reorder = PT_NONE, pad = sole_producer(s, conv->inputs[0]);
  if (pad != PT_NONE && pt_node_is(pt_node(s->graph, pad), PT_NCHWC, "ReorderInput") &&
      !pt_node_int(pt_node(s->graph, pad), "channels_last", 0)) {
    reorder = pad;
    pad = sole_producer(s, pt_node(s->graph, reorder)->inputs[0]);
  }
  if (pad == PT_NONE || !pt_op_is(pt_node(s->graph, pad), "Pad"))
    return;
  uint32_t count;
  const int64_t *own = pt_node_ints(conv, "pads", &count);
  int64_t pads[4];
  bool automatic = pt_node_attr(conv, "auto_pad") && !pt_node_string_is(conv, "auto_pad", "NOTSET");
  if (automatic || (own && count != 4) || !spatial_zeros(s, pt_node(s->graph, pad), pads))
    return;
  for (int i = 0; own && i < 4; i++)
    if (__builtin_add_overflow(pads[i], own[i], &pads[i]))
      return;
  pt_node_set_ints(s->graph, node, "pads", pads, 4);
  PtValueId x = pt_node(s->graph, pad)->inputs[0], blocked = pt_seam_blocked(s, x);
  if (blocked == PT_NONE && pt_seam(s, x)->reordered)
    blocked = pt_seam(s, x)->reordered - 1;
  if (reorder != PT_NONE && blocked == PT_NONE) {
    pt_seam_set_input(s, reorder, 0, x); /* reorders what was to be padded */
    pt_seam(s, x)->reordered = pt_node(s->graph, reorder)->outputs[0] + 1;
  } else {
    pt_seam_set_input(s, node, 0, reorder != PT_NONE ? blocked : x);
    if (reorder != PT_NONE)
      pt_seam_kill(s, reorder);
  }
  pt_seam_kill(s, pad);
  s->report.folded++;
}
