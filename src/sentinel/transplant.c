/* transplant: the donor's nodes anew, between the real piece's inputs: sizes follow from there by
 * the shape rules; what the donor's weights decide is scaled, or set to what the real piece's
 * outputs want. */
#include "sentinel/sentinel_private.h"

#include <math.h>
#include <string.h>

typedef struct Work {
  PtDraft *draft;
  const PtGraph *donor;
  const PtRole *roles;
  PtValueId *map; /* [donor values] */
  bool *derived;  /* [donor values] computed from weights alone */
  PtAxes *axes;
  int64_t *size; /* [variables], at roots: the new size, 0: not set */
  int64_t donor_opset;
} Work;

/* ---- sizes
 * ------------------------------------------------------------------------------------------ */
static double channels_of(const PtType *t) {
  if (t->kind != PT_TYPE_TENSOR || t->rank < 1 || !pt_dtype_is_float(t->dtype))
    return 0;
  return (double)MAX(t->dims[t->rank == 4 ? 1 : t->rank - 1].size, 0);
}

/* Geometric mean over inputs and outputs. */
static double mean_channels(const PtGraph *g) {
  double sum = 0;
  int n = 0;
  for (uint32_t i = 0; i < g->inputs->len + g->outputs->len; i++) {
    PtValueId v =
        i < g->inputs->len ? pt_graph_input(g, i) : pt_graph_output(g, i - g->inputs->len);
    double c = channels_of(&pt_value(g, v)->type);
    if (c > 0)
      sum += log(c), n++;
  }
  return n ? exp(sum / n) : 1;
}

static int64_t scaled(int64_t old, double ratio) {
  double x = (double)old * ratio;
  int64_t step = 1;
  for (int64_t s = 64; s > 1; s /= 2)
    if (old % s == 0 && x >= 0.75 * (double)s) {
      step = s;
      break;
    }
  int64_t n = (int64_t)lrint(x / (double)step) * step;
  return CLAMP(n, step, 1 << 20);
}

static void set_sizes(Work *w, PtValueId donor_value, const PtType *t, bool only_free) {
  const PtType *old = &pt_value(w->donor, donor_value)->type;
  if (old->rank != t->rank || t->rank > PT_FACE_RANK)
    return;
  for (int32_t i = 0; i < t->rank; i++) {
    uint32_t root = pt_axes_root(w->axes, donor_value, i);
    if (w->size[root] == 0 && t->dims[i].size > 0 && (!only_free || w->axes->free[root]))
      w->size[root] = t->dims[i].size;
  }
}

static void choose_sizes(Work *w, const uint8_t *at, double jitter) {
  const PtGraph *real = w->draft->real, *donor = w->donor;
  for (uint32_t i = 0; i < donor->inputs->len; i++)
    set_sizes(w, pt_graph_input(donor, i), &pt_value(real, pt_graph_input(real, at[i]))->type,
              false);
  bool taken[PT_FACE_SLOTS] = {false};
  for (uint32_t i = 0; i < donor->outputs->len; i++) {
    PtValueId v = pt_graph_output(donor, i);
    const PtType *t = &pt_value(donor, v)->type;
    for (uint32_t j = 0; j < real->outputs->len && j < PT_FACE_SLOTS; j++) {
      const PtType *want = &pt_value(real, pt_graph_output(real, j))->type;
      if (taken[j] || want->kind != PT_TYPE_TENSOR || want->rank != t->rank)
        continue;
      taken[j] = true;
      set_sizes(w, v, want, true);
      break;
    }
  }
  double ratio = mean_channels(real) / mean_channels(donor);
  static const double steps[] = {0.25, 0.5, 0.75, 1.25, 1.5, 2, 3, 4};
  for (PtValueId v = 0; v < pt_graph_n_values(donor); v++)
    for (uint32_t k = w->axes->start[v]; k < w->axes->start[v + 1]; k++) {
      int32_t axis = (int32_t)(k - w->axes->start[v]);
      uint32_t root = pt_axes_root(w->axes, v, axis);
      int64_t old = pt_value(donor, v)->type.dims[axis].size;
      if (!w->axes->free[root] || w->size[root] != 0 || old <= 0)
        continue;
      double by = ratio;
      if (pt_rng_unit(w->draft->rng) < jitter)
        by *= steps[pt_rng_below(w->draft->rng, G_N_ELEMENTS(steps))];
      w->size[root] = by == 1 ? old : scaled(old, by);
    }
}

/* The size that a node's weight decides: of the output's channels, columns or embedding. */
static int64_t width_of(Work *w, const PtNode *node) {
  PtValueId y = node->outputs[0];
  const PtType *t = &pt_value(w->donor, y)->type;
  const PtOp *op = pt_op_of(node);
  if (t->kind != PT_TYPE_TENSOR || t->rank < 1 || t->rank > PT_FACE_RANK)
    return -1;
  int32_t axis = op && op->op_class == PT_CLASS_CONV ? 1 : t->rank - 1;
  uint32_t root = pt_axes_root(w->axes, y, MIN(axis, t->rank - 1));
  return w->size[root] > 0 ? w->size[root] : -1;
}

/* ---- integers that steer
 * ------------------------------------------------------------------------------ */
static PtValueId keep_constant(Work *w, PtValueId v) {
  if (w->map[v] != PT_NONE)
    return w->map[v];
  PtTensor *t = pt_draft_tensor_like(w->draft, pt_value(w->donor, v)->constant);
  if (!t)
    return PT_NONE;
  w->map[v] = pt_graph_add_constant(w->draft->graph, NULL, t);
  pt_value(w->draft->graph, w->map[v])->type = pt_type_of_constant(w->draft->graph, t);
  return w->map[v];
}

static bool same_sizes(const PtType *a, const PtType *b) {
  if (a->rank != b->rank)
    return false;
  for (int32_t i = 0; i < a->rank; i++)
    if (a->dims[i].size != b->dims[i].size)
      return false;
  return true;
}

static int read_ints(const Work *w, const PtNode *node, uint32_t slot, int64_t *out) {
  if (slot >= node->n_inputs || node->inputs[slot] == PT_NONE)
    return 0;
  const PtTensor *t = pt_value(w->donor, node->inputs[slot])->constant;
  return t && t->count <= PT_FACE_RANK ? (int)pt_tensor_ints(t, out, PT_FACE_RANK) : -1;
}

/* A bound or part of an axis of `old` elements, for one of `now`. */
static bool rescale(int64_t *v, int64_t old, int64_t now) {
  if (old == now || *v == 0 || ABS(*v) >= old)
    return true;
  if (old <= 0 || now <= 0 || (*v * now) % old != 0)
    return false;
  *v = *v * now / old;
  return true;
}

static PtValueId slice_bound(Work *w, const PtNode *node, uint32_t slot, const PtType *was,
                             const PtType *now) {
  int64_t v[PT_FACE_RANK], axes[PT_FACE_RANK];
  int n = read_ints(w, node, slot, v), m = read_ints(w, node, 3, axes);
  if (n <= 0 || m < 0 || (m > 0 && m != n))
    return PT_NONE;
  for (int i = 0; i < n; i++) {
    int64_t axis = m > 0 ? axes[i] : i;
    axis = axis < 0 ? axis + was->rank : axis;
    if (axis < 0 || axis >= was->rank ||
        !rescale(&v[i], was->dims[axis].size, now->dims[axis].size))
      return PT_NONE;
  }
  return pt_draft_ints(w->draft, v, (uint32_t)n);
}

static PtValueId split_sizes(Work *w, const PtNode *node, const PtType *was, const PtType *now) {
  int64_t v[PT_FACE_RANK], axis = pt_node_int(node, "axis", 0);
  int n = read_ints(w, node, 1, v);
  axis = axis < 0 ? axis + was->rank : axis;
  if (n <= 0 || axis < 0 || axis >= was->rank)
    return PT_NONE;
  for (int i = 0; i < n; i++)
    if (!rescale(&v[i], was->dims[axis].size, now->dims[axis].size))
      return PT_NONE;
  return pt_draft_ints(w->draft, v, (uint32_t)n);
}

/* Axes that were not stretched follow the input. */
static PtValueId expand_target(Work *w, const PtNode *node, const PtType *was, const PtType *now) {
  int64_t v[PT_FACE_RANK];
  int n = read_ints(w, node, 1, v);
  if (n <= 0)
    return PT_NONE;
  for (int32_t k = 1; k <= MIN(n, was->rank); k++)
    if (was->dims[was->rank - k].size != 1)
      v[n - k] = MAX(now->dims[now->rank - k].size, 1);
  return pt_draft_ints(w->draft, v, (uint32_t)n);
}

static bool indices_fit(const Work *w, const PtNode *node, const PtType *now) {
  const PtTensor *t = pt_value(w->donor, node->inputs[1])->constant;
  int64_t axis = pt_node_int(node, "axis", 0);
  axis = axis < 0 ? axis + now->rank : axis;
  if (axis < 0 || axis >= now->rank)
    return false;
  int64_t size = now->dims[axis].size;
  g_autofree int64_t *v = g_new(int64_t, t->count + 1);
  if (pt_tensor_ints(t, v, t->count) != (int64_t)t->count)
    return false;
  for (size_t i = 0; i < t->count; i++)
    if (size < 0 ? v[i] != 0 : v[i] >= size || v[i] < -size)
      return false;
  return true;
}

/* An integer constant at input `slot`, for the new sizes of input 0; PT_NONE: does not fit. */
static PtValueId steering_constant(Work *w, const PtNode *node, uint32_t slot, PtValueId x) {
  PtValueId v = node->inputs[slot];
  if (x == PT_NONE)
    return keep_constant(w, v);
  const PtType *was = &pt_value(w->donor, node->inputs[0])->type, *now = pt_draft_type(w->draft, x);
  if (was->rank != now->rank || was->rank > PT_FACE_RANK)
    return PT_NONE;
  if (same_sizes(was, now))
    return keep_constant(w, v);
  if (pt_op_is(node, "Reshape")) {
    int64_t want[PT_FACE_RANK];
    const PtType *out = &pt_value(w->donor, node->outputs[0])->type;
    return out->kind == PT_TYPE_TENSOR && out->rank >= 0 && pt_reshape_target(was, out, now, want)
               ? pt_draft_ints(w->draft, want, (uint32_t)out->rank)
               : PT_NONE;
  }
  if (pt_op_is(node, "Slice") && (slot == 1 || slot == 2))
    return slice_bound(w, node, slot, was, now);
  if (pt_op_is(node, "Split"))
    return split_sizes(w, node, was, now);
  if (pt_op_is(node, "Expand"))
    return expand_target(w, node, was, now);
  if (pt_op_is(node, "Gather"))
    return indices_fit(w, node, now) ? keep_constant(w, v) : PT_NONE;
  if (pt_op_is(node, "Resize") && slot == 3)
    return PT_NONE;
  return keep_constant(w, v);
}

/* ---- nodes
 * -------------------------------------------------------------------------------------------- */
static bool find_derived(Work *w) {
  const PtGraph *g = w->donor;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
    const PtNode *node = pt_node(g, n);
    if (node->n_captures > 0)
      return false;
    for (uint32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
        return false;
    bool all = node->n_inputs > 0;
    for (uint32_t i = 0; i < node->n_inputs; i++) {
      PtValueId v = node->inputs[i];
      bool like = pt_op_is(node, "CastLike") && i == 1;
      all &= v == PT_NONE || like || pt_value(g, v)->constant || w->derived[v];
    }
    for (uint32_t i = 0; i < node->n_outputs; i++)
      if (node->outputs[i] != PT_NONE)
        w->derived[node->outputs[i]] = all;
  }
  return true;
}

static bool plant(Work *w, const PtNode *node);

/* A target computed at run time: trusted if its numbers are known here, or nothing changed since
 * the donor's own. */
static bool computed_target_fits(const Work *w, const PtNode *node, uint32_t slot,
                                 const PtValueId *in) {
  int64_t v[32];
  int n = pt_op_value(w->draft->graph, in[slot], v, 32);
  bool known = n >= 0;
  for (int i = 0; i < n; i++)
    known &= v[i] >= 0;
  if (known)
    return true;
  if (slot == 0)
    return !pt_type_is_static(&pt_value(w->donor, node->outputs[0])->type);
  const PtType *was = &pt_value(w->donor, node->inputs[0])->type;
  return in[0] != PT_NONE && same_sizes(was, pt_draft_type(w->draft, in[0]));
}

/* Inputs in three passes: computed values are there; weights need those; what is computed from
 * weights comes last. */
static bool plant_inputs(Work *w, const PtNode *node, PtValueId *in) {
  const PtOp *op = pt_op_of(node);
  int64_t width = width_of(w, node);
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtValueId v = node->inputs[i];
    bool later = v == PT_NONE || pt_value(w->donor, v)->constant || w->derived[v];
    in[i] = later ? PT_NONE : w->map[v];
    if (!later && in[i] == PT_NONE)
      return false;
  }
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtValueId v = node->inputs[i];
    if (v == PT_NONE || !pt_value(w->donor, v)->constant)
      continue;
    bool steers = i < 32 && (op->steering & 1u << i);
    if (steers)
      in[i] = steering_constant(w, node, i, in[0]);
    else {
      in[i] = pt_constant_for(w->draft, w->donor, w->roles, node, i, in, width, w->map[v]);
      if (w->map[v] == PT_NONE)
        w->map[v] = in[i];
    }
    if (in[i] == PT_NONE)
      return false;
  }
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtValueId v = node->inputs[i];
    if (v == PT_NONE || !w->derived[v])
      continue;
    if (w->map[v] == PT_NONE && !plant(w, pt_node(w->donor, pt_value(w->donor, v)->producer)))
      return false;
    in[i] = w->map[v];
  }
  for (uint32_t i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PT_NONE && !pt_value(w->donor, node->inputs[i])->constant && i < 32 &&
        (op->steering & 1u << i) && !strstr(node->op_type, "Gather") &&
        !computed_target_fits(w, node, i, in))
      return false;
  return true;
}

static void fit_attributes(Work *w, PtNodeId id) {
  PtGraph *g = w->draft->graph;
  const PtNode *node = pt_node(g, id);
  const PtOp *op = pt_op_of(node);
  int64_t group = pt_node_int(node, "group", 1);
  if (op->op_class == PT_CLASS_CONV && group > 1 && node->n_inputs > 1) {
    const PtType *x = pt_draft_type(w->draft, node->inputs[0]),
                 *weight = pt_draft_type(w->draft, node->inputs[1]);
    if (x->rank > 2 && weight->rank > 2 && weight->dims[1].size > 0)
      pt_node_set_int(g, id, "group", x->dims[1].size / weight->dims[1].size);
  }
  if (pt_op_is(node, "Cast") && pt_node_int(node, "to", 0) == PT_FLOAT)
    pt_node_set_int(g, id, "to", w->draft->dtype);
}

static bool plant(Work *w, const PtNode *node) {
  PtGraph *g = w->draft->graph;
  if (!pt_op_of(node) || node->n_inputs > 64 || node->n_outputs > 16)
    return false;
  PtValueId in[64], out[16];
  if (node->n_inputs == 0 || !plant_inputs(w, node, in))
    return false;
  if (!pt_form_same(node, w->donor_opset, w->draft->opset)) {
    if (!pt_form_convert(w->draft, w->donor, node, in, out))
      return false;
  } else {
    for (uint32_t i = 0; i < node->n_outputs; i++)
      out[i] = node->outputs[i] == PT_NONE ? PT_NONE : pt_graph_add_value(g, NULL);
    PtNodeId id =
        pt_graph_add_node(g, node->domain, node->op_type, in, node->n_inputs, out, node->n_outputs);
    for (uint32_t a = 0; a < node->n_attrs; a++) {
      bool drop;
      if (!pt_attr_fits(node, &node->attrs[a], w->draft->opset, &drop))
        return false;
      if (!drop)
        pt_node_add_attr_copy(g, id, &node->attrs[a], NULL);
    }
    fit_attributes(w, id);
    if (!pt_draft_settle(w->draft, id))
      return false;
  }
  for (uint32_t i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PT_NONE)
      w->map[node->outputs[i]] = out[i];
  return true;
}

bool pt_transplant(PtDraft *draft, const PtGraph *donor, const PtRole *roles, const uint8_t *at,
                   double jitter, PtValueId *outputs) {
  uint32_t n = pt_graph_n_values(donor);
  Work w = {
      .draft = draft, .donor = donor, .roles = roles, .donor_opset = pt_graph_opset(donor, "")};
  w.map = g_new(PtValueId, n + 1);
  w.derived = g_new0(bool, n + 1);
  w.axes = pt_axes_new(donor);
  w.size = g_new0(int64_t, w.axes->start[n] + 1);
  for (PtValueId v = 0; v < n; v++)
    w.map[v] = PT_NONE;
  for (uint32_t i = 0; i < donor->inputs->len; i++)
    w.map[pt_graph_input(donor, i)] = pt_graph_input(draft->graph, at[i]);
  choose_sizes(&w, at, jitter);
  bool ok = find_derived(&w);
  for (PtNodeId i = 0; ok && i < pt_graph_n_nodes(donor); i++) {
    const PtNode *node = pt_node(donor, i);
    bool later = node->n_outputs > 0 && node->outputs[0] != PT_NONE && w.derived[node->outputs[0]];
    ok = later || plant(&w, node);
  }
  for (uint32_t i = 0; ok && i < donor->outputs->len; i++)
    outputs[i] = w.map[pt_graph_output(donor, i)];
  g_free(w.map);
  g_free(w.derived);
  g_free(w.size);
  pt_axes_free(w.axes);
  return ok;
}
