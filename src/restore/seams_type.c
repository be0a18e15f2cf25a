/* seams_type.c: shapes through a graph in which some values are blocked. ONNX Runtime saves no
 * types of inner values, and equal shapes have to be proven before two blocked tensors may be
 * added. A symbolic height halved on two ways is the same height: its symbol becomes "height/2". */
#include "ops/ops.h"
#include "restore/seams_private.h"

/* The NCHW type of a value, from mending or from the graph; NULL if it is no ranked tensor. */
static const PtType *type_of(const PtSeams *s, PtValueId v) {
  if (v == PT_NONE)
    return NULL;
  const PtType *own = &pt_seam(s, v)->type;
  if (own->kind == PT_TYPE_TENSOR && own->rank >= 0)
    return own;
  const PtType *declared = &pt_value(s->graph, v)->type;
  bool usable =
      !pt_seam(s, v)->is_blocked && declared->kind == PT_TYPE_TENSOR && declared->rank >= 0;
  return usable ? declared : NULL;
}

static bool same_dim(const PtDim *a, const PtDim *b) {
  if (a->size >= 0 || b->size >= 0)
    return a->size == b->size;
  return a->symbol && b->symbol && g_str_equal(a->symbol, b->symbol);
}

bool pt_seam_same_shape(const PtSeams *s, PtValueId a, PtValueId b) {
  const PtType *x = type_of(s, a), *y = type_of(s, b);
  if (!x || !y || x->rank != y->rank)
    return false;
  for (int32_t i = 0; i < x->rank; i++)
    if (!same_dim(&x->dims[i], &y->dims[i]))
      return false;
  return true;
}

uint64_t pt_seam_bytes(const PtSeams *s, PtValueId v) {
  const PtType *type = type_of(s, v);
  uint64_t bytes = 4;
  for (int32_t i = 0; type && i < type->rank; i++) {
    uint64_t size = (uint64_t)MAX(type->dims[i].size, 1);
    if (__builtin_mul_overflow(bytes, size, &bytes))
      return UINT64_MAX / 8;
  }
  return MIN(bytes, UINT64_MAX / 8);
}

/* ---- convolution and pooling ---- */
typedef struct Window {
  int64_t kernel, stride, dilation, padding; /* padding: of both sides together */
  bool same;                                 /* padded so that only the stride makes it smaller */
  bool ceil;
} Window;

static Window window_of(const PtNode *node, const PtTensor *weight, unsigned axis) {
  Window w = {.kernel = 1, .stride = 1, .dilation = 1, .ceil = pt_node_int(node, "ceil_mode", 0)};
  uint32_t count;
  const int64_t *values = pt_node_ints(node, "kernel_shape", &count);
  if (count == 2)
    w.kernel = values[axis];
  else if (weight && weight->rank == 4)
    w.kernel = weight->dims[2 + axis];
  values = pt_node_ints(node, "strides", &count);
  if (count == 2)
    w.stride = MAX(values[axis], 1);
  values = pt_node_ints(node, "dilations", &count);
  if (count == 2)
    w.dilation = values[axis];
  values = pt_node_ints(node, "pads", &count);
  if (count == 4 && __builtin_add_overflow(values[axis], values[axis + 2], &w.padding))
    w.padding = INT64_MIN; /* nonsense, and refused as such */
  if (pt_node_string_is(node, "auto_pad", "SAME_UPPER") ||
      pt_node_string_is(node, "auto_pad", "SAME_LOWER"))
    w.same = true;
  else if (pt_node_string_is(node, "auto_pad", "VALID"))
    w.padding = 0;
  return w;
}

static PtDim slide(PtSeams *s, PtDim in, Window w) {
  const int64_t most = 1 << 30; /* products of two fit */
  if (w.kernel < 1 || w.kernel > most || w.dilation < 1 || w.dilation > most || w.padding < 0 ||
      w.padding > most || in.size > most)
    return (PtDim){.size = -1};
  int64_t extent = (w.kernel - 1) * w.dilation;
  bool same = w.same || w.padding == extent; /* out = ceil(in / stride) */
  if (in.size >= 0) {
    int64_t room = same ? in.size - 1 : in.size + w.padding - extent - 1;
    if (room < 0)
      return (PtDim){.size = -1};
    /* rounding up has exceptions at the border: better not known than wrong */
    return (PtDim){.size = w.ceil && room % w.stride ? -1 : room / w.stride + 1};
  }
  if (!in.symbol || !same || (w.ceil && w.stride != 1))
    return (PtDim){.size = -1};
  if (w.stride == 1)
    return in;
  g_autofree char *symbol = g_strdup_printf("%s/%" G_GINT64_FORMAT, in.symbol, w.stride);
  return (PtDim){.size = -1, .symbol = pt_arena_string(s->graph->arena, symbol)};
}

static PtType four(PtSeams *s, PtDim n, PtDim c, PtDim h, PtDim w) {
  PtDim dims[4] = {n, c, h, w};
  return pt_type_tensor(s->graph, PT_FLOAT, 4, dims);
}

static PtType slide_type(PtSeams *s, const PtNode *node, const PtType *in, const PtTensor *weight,
                         int64_t channels) {
  if (!in || in->rank != 4)
    return (PtType){.kind = PT_TYPE_UNKNOWN};
  PtType type = four(s, in->dims[0], (PtDim){.size = channels},
                     slide(s, in->dims[2], window_of(node, weight, 0)),
                     slide(s, in->dims[3], window_of(node, weight, 1)));
  type.dtype = in->dtype;
  return type;
}

/* ---- nodes of the blocked domain ---- */
static int64_t round_up(int64_t channels, int64_t block) {
  return channels <= 0 || channels > INT32_MAX ? 0 : (channels + block - 1) / block * block;
}

static void infer_reorder_input(PtSeams *s, const PtNode *n, PtSeamValue *out) {
  const PtType *in = type_of(s, n->inputs[0]);
  if (!in || in->rank != 4)
    return;
  bool last = pt_node_int(n, "channels_last", 0);
  out->type = last ? four(s, in->dims[0], in->dims[3], in->dims[1], in->dims[2]) : *in;
  out->channels = MAX(out->type.dims[1].size, 0);
  out->padded = round_up(out->channels, s->block);
}

static PtDim known_of(PtDim a, PtDim b) {
  return a.size >= 0 || (a.symbol && b.size < 0) ? a : b;
}

/* A seam's value has its type from the model: what it knows is known of the blocked value, too. */
static void infer_reorder_output(PtSeams *s, const PtNode *n, PtSeamValue *out) {
  PtDim none = {.size = -1}, channels = {.size = pt_node_int(n, "channels", -1)};
  PtDim d[4] = {none, channels, none, none};
  static const uint8_t first[] = {0, 1, 2, 3}, last[] = {0, 3, 1, 2};
  const uint8_t *place = pt_node_int(n, "channels_last", 0) ? last : first;
  const PtType *in = type_of(s, n->inputs[0]), *declared = type_of(s, n->outputs[0]);
  for (int i = 0; i < 4; i += i ? 1 : 2) {
    if (in && in->rank == 4)
      d[i] = in->dims[i];
    if (declared && declared->rank == 4)
      d[i] = known_of(d[i], declared->dims[place[i]]);
  }
  pt_seam(s, n->inputs[0])->type = four(s, d[0], d[1], d[2], d[3]);
  out->type = place == last ? four(s, d[0], d[2], d[3], d[1]) : pt_seam(s, n->inputs[0])->type;
}

static void infer_blocked(PtSeams *s, const PtNode *n, PtSeamValue *out) {
  const PtType *in = type_of(s, n->inputs[0]);
  const PtSeamValue *from = pt_seam(s, n->inputs[0]);
  out->is_blocked = true;
  if (g_str_equal(n->op_type, "ReorderInput")) {
    infer_reorder_input(s, n, out);
  } else if (g_str_equal(n->op_type, "Conv") && n->n_inputs > 1 && n->inputs[1] != PT_NONE) {
    const PtTensor *weight = pt_value(s->graph, n->inputs[1])->constant;
    out->padded = weight && weight->rank == 4 ? weight->dims[0] : 0;
    out->type = slide_type(s, n, in, weight, out->padded ? out->padded : -1);
  } else if (g_str_has_prefix(n->op_type, "Global")) {
    PtDim one = {.size = 1};
    if (in && in->rank == 4)
      out->type = four(s, in->dims[0], in->dims[1], one, one);
    out->padded = from->padded;
  } else if (g_str_equal(n->op_type, "MaxPool") || g_str_equal(n->op_type, "AveragePool")) {
    out->type = slide_type(s, n, in, NULL, in && in->rank == 4 ? in->dims[1].size : -1);
    out->padded = from->padded;
  } else if (g_str_equal(n->op_type, "Upsample")) {
    uint32_t count;
    const int64_t *scales = pt_node_ints(n, "scales", &count);
    out->padded = from->padded;
    if (in && in->rank == 4 && count == 4) {
      PtDim h = {.size = -1}, w = {.size = -1};
      if (__builtin_mul_overflow(in->dims[2].size, scales[2], &h.size) || h.size < 0)
        h.size = -1;
      if (__builtin_mul_overflow(in->dims[3].size, scales[3], &w.size) || w.size < 0)
        w.size = -1;
      out->type = four(s, in->dims[0], in->dims[1], h, w);
    }
  }
}

/* ONNX Runtime lets standard operators work on blocked values: elementwise ones, and Concat of
 * whole blocks. */
static void infer_on_blocked(PtSeams *s, const PtNode *n, PtValueId first, PtSeamValue *out) {
  out->is_blocked = true;
  out->type = pt_seam(s, first)->type;
  out->padded = pt_seam(s, first)->padded;
  if (!g_str_equal(n->op_type, "Concat") || out->type.rank != 4)
    return;
  int64_t sum = 0;
  for (uint32_t k = 0; k < n->n_inputs; k++) {
    const PtType *in = n->inputs[k] == PT_NONE ? NULL : &pt_seam(s, n->inputs[k])->type;
    int64_t size = in && in->rank == 4 ? in->dims[1].size : -1;
    sum = size < 0 || sum < 0 || sum > INT64_C(1) << 40 ? -1 : sum + size;
  }
  const PtDim *d = out->type.dims;
  out->type = four(s, d[0], (PtDim){.size = sum}, d[2], d[3]);
  out->padded = MAX(sum, 0);
}

/* ---- all nodes ---- */
/* 2-D convolution or pooling in NCHW: like the operator table's rule, but it keeps symbols. */
static bool slides(const PtNode *n, const PtTensor *weight) {
  bool conv = pt_op_is(n, "Conv") || pt_node_is(n, PT_MICROSOFT, "FusedConv");
  bool pool = pt_op_is(n, "MaxPool") || pt_op_is(n, "AveragePool");
  if (n->n_outputs != 1 || n->inputs[0] == PT_NONE)
    return false;
  return conv ? weight && weight->rank == 4 : pool && n->n_inputs == 1;
}

static void infer_standard(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  bool needed = false;
  for (uint32_t k = 0; k < n->n_outputs; k++)
    needed |= n->outputs[k] != PT_NONE && !type_of(s, n->outputs[k]);
  if (!needed)
    return;
  const PtTensor *weight = n->n_inputs > 1 && n->inputs[1] != PT_NONE
                               ? pt_value(s->graph, n->inputs[1])->constant
                               : NULL;
  if (slides(n, weight)) {
    const PtType *in = type_of(s, n->inputs[0]);
    int64_t channels = weight ? weight->dims[0] : in && in->rank == 4 ? in->dims[1].size : -1;
    pt_seam(s, n->outputs[0])->type = slide_type(s, n, in, weight, channels);
    return;
  }
  g_autofree PtType *types = g_new0(PtType, (gsize)n->n_outputs + 1);
  if (!pt_op_infer(s->graph, n, types))
    return;
  for (uint32_t k = 0; k < n->n_outputs; k++)
    if (n->outputs[k] != PT_NONE && types[k].kind == PT_TYPE_TENSOR && types[k].rank >= 0)
      pt_seam(s, n->outputs[k])->type = types[k];
}

void pt_seam_infer(PtSeams *s, PtNodeId node) {
  const PtNode *n = pt_node(s->graph, node);
  if (n->n_outputs == 0 || n->outputs[0] == PT_NONE)
    return;
  PtSeamValue *out = pt_seam(s, n->outputs[0]);
  PtValueId first = PT_NONE;
  for (uint32_t k = 0; k < n->n_inputs && first == PT_NONE; k++)
    if (n->inputs[k] != PT_NONE && pt_seam(s, n->inputs[k])->is_blocked)
      first = n->inputs[k];
  if (pt_node_is(n, PT_NCHWC, "ReorderOutput"))
    infer_reorder_output(s, n, out);
  else if (g_str_equal(n->domain, PT_NCHWC) && n->n_inputs > 0 && n->inputs[0] != PT_NONE)
    infer_blocked(s, n, out);
  else if (first != PT_NONE)
    infer_on_blocked(s, n, first, out);
  else
    infer_standard(s, node);
  /* pt_op_infer reads the graph's types */
  PtValue *value = pt_value(s->graph, n->outputs[0]);
  if (!out->is_blocked && value->type.kind == PT_TYPE_UNKNOWN && out->type.kind == PT_TYPE_TENSOR)
    value->type = out->type;
}
