/* seams_fold.c: what a blocked convolution takes in: an Add as its Sum input, an activation, a
 * BatchNormalization as a convolution of its own. As ONNX Runtime's NchwcTransformer does it on
 * whole graphs. */
#include "restore/seams_private.h"

#include <math.h>
#include <string.h>

/* The blocked convolution that makes what `x`, an NCHW value, is reordered from, if `x` is all that
 * is made of it and it is used once; else PT_NONE. */
static PtNodeId sole_convolution(const PtSeams *s, PtValueId x) {
  PtValueId blocked = pt_seam_blocked(s, x);
  if (blocked == PT_NONE || pt_seam(s, x)->uses != 1 || pt_seam(s, x)->pinned)
    return PT_NONE;
  if (pt_seam(s, blocked)->uses != 1 || pt_seam(s, blocked)->pinned)
    return PT_NONE; /* one use: the reorder to x */
  PtNodeId node = pt_value(s->graph, blocked)->producer;
  if (node == PT_NONE || pt_value(s->graph, x)->producer == PT_NONE)
    return PT_NONE;
  const PtNode *conv = pt_node(s->graph, node);
  bool free = pt_node_is(conv, PT_NCHWC, "Conv") && !pt_node_attr(conv, "activation");
  return free ? node : PT_NONE;
}

/* The node is gone into the convolution that makes `blocked`: what it made is reordered from there.
 */
static void replace_by(PtSeams *s, PtNodeId node, PtValueId x, PtValueId blocked) {
  int64_t channels = pt_seam(s, x)->channels;
  PtValueId output = pt_node(s->graph, node)->outputs[0];
  pt_seam_kill(s, node);
  pt_seam_kill(s, pt_value(s->graph, x)->producer);
  pt_seam_add_reorder(s, blocked, output, channels);
  s->report.folded++;
}

bool pt_seam_fold_add(PtSeams *s, PtNodeId node) {
  PtNode *n = pt_node(s->graph, node);
  if (n->n_inputs != 2 || n->inputs[0] == n->inputs[1])
    return false;
  for (uint32_t k = 0; k < 2; k++) {
    PtValueId x = n->inputs[k], other = pt_seam_blocked(s, n->inputs[1 - k]);
    PtNodeId id = sole_convolution(s, x);
    if (id == PT_NONE)
      continue;
    PtNode *conv = pt_node(s->graph, id);
    if (conv->n_inputs > 3 || conv->n_inputs < 2)
      continue;
    PtValueId *inputs = pt_arena_new_array(s->graph->arena, PtValueId, 4);
    for (uint32_t i = 0; i < 4; i++)
      inputs[i] = i < conv->n_inputs ? conv->inputs[i] : PT_NONE;
    inputs[3] = other;
    conv->inputs = inputs;
    conv->n_inputs = 4;
    pt_seam(s, other)->uses++;
    replace_by(s, node, x, pt_seam_blocked(s, x));
    return true;
  }
  return false;
}

/* ---- activations ---- */
/* A limit of Clip: input k or, before opset 11, an attribute. NAN if it is not constant. */
static float clip_limit(const PtSeams *s, const PtNode *n, uint32_t k, const char *name,
                        float fallback) {
  if (n->n_inputs > k && n->inputs[k] != PT_NONE) {
    const PtTensor *t = pt_value(s->graph, n->inputs[k])->constant;
    return t && t->count == 1 && t->data ? (float)pt_tensor_float_at(t, 0) : NAN;
  }
  return (float)pt_node_float(n, name, (double)fallback);
}

/* Parameters of an activation that the convolution's kernel has; their number, or -1 if it has not.
 */
static int activation_params(const PtSeams *s, const PtNode *n, float params[2]) {
  static const char *const plain[] = {"Relu", "Sigmoid", "Tanh", "HardSwish", NULL};
  if (n->domain[0] != '\0')
    return -1;
  if (g_strv_contains(plain, n->op_type))
    return 0;
  if (pt_node_is(n, "", "LeakyRelu")) {
    params[0] = (float)pt_node_float(n, "alpha", 0.01);
    return 1;
  }
  if (pt_node_is(n, "", "HardSigmoid")) {
    params[0] = (float)pt_node_float(n, "alpha", 0.2);
    params[1] = (float)pt_node_float(n, "beta", 0.5);
    return 2;
  }
  if (pt_node_is(n, "", "Clip")) {
    params[0] = clip_limit(s, n, 1, "min", -3.402823466e+38f);
    params[1] = clip_limit(s, n, 2, "max", 3.402823466e+38f);
    return isnan(params[0]) || isnan(params[1]) ? -1 : 2;
  }
  return -1;
}

bool pt_seam_fold_activation(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  float params[2];
  int count = activation_params(s, n, params);
  PtNodeId conv = count < 0 ? PT_NONE : sole_convolution(s, n->inputs[0]);
  if (conv == PT_NONE)
    return false;
  PtValueId x = n->inputs[0];
  pt_node_set_string(s->graph, conv, "activation", n->op_type);
  if (count > 0)
    pt_node_set_floats(s->graph, conv, "activation_params", params, (uint32_t)count);
  replace_by(s, node, x, pt_seam_blocked(s, x));
  return true;
}

/* ---- SiLU ---- */
/* x * Sigmoid(x), cut in two by a seam, is one QuickGelu, as inside a piece. */
bool pt_seam_fold_silu(PtSeams *s, PtNodeId node) {
  PtGraph *g = s->graph;
  const PtNode *n = pt_node(g, node);
  for (uint32_t k = 0; n->n_inputs == 2 && k < 2; k++) {
    PtValueId gate = pt_seam_blocked(s, n->inputs[k]), x = pt_seam_blocked(s, n->inputs[1 - k]);
    if (gate == PT_NONE || x == PT_NONE || pt_seam(s, gate)->uses != 1 ||
        pt_seam(s, n->inputs[k])->uses != 1 || pt_value(g, gate)->producer == PT_NONE)
      continue;
    PtNodeId sigmoid = pt_value(g, gate)->producer, reorder = pt_value(g, n->inputs[k])->producer;
    if (!pt_node_is(pt_node(g, sigmoid), "", "Sigmoid") || pt_node(g, sigmoid)->inputs[0] != x ||
        reorder == PT_NONE)
      continue;
    if (pt_graph_opset(g, PT_MICROSOFT) < 0)
      pt_graph_set_opset(g, PT_MICROSOFT, 1);
    int64_t channels = pt_seam(s, n->inputs[1 - k])->channels;
    PtValueId output = n->outputs[0], made = pt_seam_add_value(s);
    *pt_seam(s, made) = (PtSeamValue){
        .is_blocked = true, .padded = pt_seam(s, x)->padded, .type = pt_seam(s, x)->type};
    pt_seam_kill(s, node);
    pt_seam_kill(s, reorder);
    pt_seam_kill(s, sigmoid);
    PtNodeId gelu = pt_graph_add_node(g, PT_MICROSOFT, "QuickGelu", &x, 1, &made, 1);
    pt_node_set_float(g, gelu, "alpha", 1);
    pt_seam(s, x)->uses++;
    pt_seam_add_reorder(s, made, output, channels);
    s->report.folded++;
    return true;
  }
  return false;
}

/* ---- BatchNormalization ---- */
static const float *channel_floats(const PtSeams *s, PtValueId v, int64_t channels) {
  const PtTensor *t = v == PT_NONE ? NULL : pt_value(s->graph, v)->constant;
  bool fits = t && t->dtype == PT_FLOAT && t->rank == 1 && t->dims[0] == channels && t->data;
  return fits ? (const float *)(const void *)t->data : NULL;
}

/* y = scale * x + shift, a channel; padded with zeros. */
typedef struct Affine {
  float *scale, *shift;     /* [padded] in the graph's arena */
  const float *mean, *bias; /* [channels] as they are in the model, for folding like ONNX Runtime */
  int64_t channels, padded;
} Affine;

static float float_at(const float *values, int64_t i) {
  float value;
  memcpy(&value, values + i, sizeof value); /* a mapped file need not be aligned */
  return value;
}

static bool affine_of(const PtSeams *s, const PtNode *n, Affine *a) {
  PtValueId x = n->inputs[0];
  a->channels = pt_seam(s, x)->channels;
  a->padded = pt_seam(s, pt_seam_blocked(s, x))->padded;
  /* padded comes from a weight's shape: what is allocated is bounded by the data that is there */
  if (n->n_inputs < 5 || a->padded < a->channels || a->padded - a->channels >= s->block ||
      pt_node_int(n, "training_mode", 0) || pt_node_int(n, "spatial", 1) != 1)
    return false;
  const float *scale = channel_floats(s, n->inputs[1], a->channels);
  const float *variance = channel_floats(s, n->inputs[4], a->channels);
  a->bias = channel_floats(s, n->inputs[2], a->channels);
  a->mean = channel_floats(s, n->inputs[3], a->channels);
  if (!scale || !variance || !a->bias || !a->mean)
    return false;
  float epsilon = (float)pt_node_float(n, "epsilon", 1e-5);
  a->scale = pt_arena_new_array(s->graph->arena, float, (size_t)a->padded);
  a->shift = pt_arena_new_array(s->graph->arena, float, (size_t)a->padded);
  for (int64_t c = 0; c < a->channels; c++) {
    a->scale[c] = float_at(scale, c) / sqrtf(float_at(variance, c) + epsilon);
    a->shift[c] = float_at(a->bias, c) - float_at(a->mean, c) * a->scale[c];
  }
  return true;
}

/* The convolution before it, if it is the only one that reads it, takes the factors into its
 * weights: in both blocked layouts of weights the output channel is (outermost, innermost) = (o /
 * block, o % block). */
static bool fold_into_weights(PtSeams *s, PtNodeId node, PtNodeId id, const Affine *a) {
  PtGraph *g = s->graph;
  PtNode *conv = pt_node(g, id);
  const PtTensor *w = pt_value(g, conv->inputs[1])->constant, *b = NULL;
  if (conv->n_inputs > 2 && conv->inputs[2] != PT_NONE) {
    b = pt_value(g, conv->inputs[2])->constant;
    if (!b || b->dtype != PT_FLOAT || b->count != (size_t)a->padded || !b->data)
      return false;
  }
  if (conv->n_inputs > 3 || !s->block_known || !w || w->dtype != PT_FLOAT || w->rank != 4 ||
      !w->data || w->dims[0] != a->padded || a->padded % s->block != 0 || w->count == 0)
    return false;
  const float *from = (const float *)(const void *)w->data;
  float *weights = pt_arena_new_array(g->arena, float, w->count);
  float *bias = pt_arena_new_array(g->arena, float, (size_t)a->padded);
  int64_t group =
      (int64_t)w->count / (a->padded / s->block); /* elements a block of output channels */
  for (int64_t i = 0; i < (int64_t)w->count; i++)
    weights[i] = float_at(from, i) * a->scale[i / group * s->block + i % s->block];
  for (int64_t c = 0; c < a->channels; c++) {
    float before = b ? float_at((const float *)(const void *)b->data, c) : 0;
    bias[c] = (before - float_at(a->mean, c)) * a->scale[c] + float_at(a->bias, c);
  }
  PtTensor *wt = pt_graph_tensor(g, PT_FLOAT, 4, w->dims, weights);
  PtTensor *bt = pt_graph_tensor(g, PT_FLOAT, 1, &a->padded, bias);
  PtValueId x = pt_node(g, node)->inputs[0];
  PtValueId *inputs = pt_arena_new_array(g->arena, PtValueId, 3);
  inputs[0] = conv->inputs[0];
  inputs[1] = pt_graph_add_constant(g, NULL, wt);
  inputs[2] = pt_graph_add_constant(g, NULL, bt);
  g_array_set_size(s->values, g->values->len);
  conv->inputs = inputs;
  conv->n_inputs = 3;
  pt_seam(s, inputs[1])->uses = pt_seam(s, inputs[2])->uses = 1;
  replace_by(s, node, x, pt_seam_blocked(s, x));
  return true;
}

bool pt_seam_fold_normalization(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  PtValueId x = n->inputs[0], blocked = pt_seam_blocked(s, x);
  Affine a;
  if (!affine_of(s, n, &a))
    return false;
  PtNodeId before = sole_convolution(s, x);
  if (before != PT_NONE && fold_into_weights(s, node, before, &a))
    return true;
  PtGraph *g = s->graph;
  PtTensor *wt = pt_graph_tensor(g, PT_FLOAT, 4, (const int64_t[]){a.padded, 1, 1, 1}, a.scale);
  PtTensor *bt = pt_graph_tensor(g, PT_FLOAT, 1, &a.padded, a.shift);
  PtValueId inputs[3] = {blocked, pt_graph_add_constant(g, NULL, wt),
                         pt_graph_add_constant(g, NULL, bt)};
  PtValueId output = n->outputs[0], made = pt_seam_add_value(s);
  pt_seam_kill(s, node);
  PtNodeId conv = pt_graph_add_node(g, PT_NCHWC, "Conv", inputs, 3, &made, 1);
  pt_node_set_int(g, conv, "group", a.padded);
  for (int k = 0; k < 3; k++)
    pt_seam(s, inputs[k])->uses++;
  PtSeamValue *out = pt_seam(s, made);
  out->is_blocked = true;
  out->type = pt_seam(s, blocked)->type;
  out->padded = a.padded;
  pt_seam_add_reorder(s, made, output, a.channels);
  s->report.pushed++;
  return true;
}
