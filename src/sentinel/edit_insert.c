/* edit_insert: what is put into a piece: activations, normalizations, convolutions, residual and
 * squeeze blocks, projections. */
#include "sentinel/sentinel_private.h"

#include <string.h>

static int64_t dim(const PtType *t, int32_t i) {
  return t->dims[i < 0 ? i + t->rank : i].size;
}

static const PtNode *producer(const PtDraft *d, PtValueId v) {
  PtNodeId p = pt_value(d->graph, v)->producer;
  return p == PT_NONE ? NULL : pt_node(d->graph, p);
}

/* ---- blocks: a value in, a value of the same type out
 * ------------------------------------------------------- */
static PtValueId activation(PtDraft *d, PtValueId x) {
  const PtStyle *s = d->style;
  if (s->swish) {
    PtValueId y = pt_draft_op(d, "Sigmoid", &x, 1, NULL, 0), in[2] = {x, y};
    return y == PT_NONE ? y : pt_draft_op(d, "Mul", in, 2, NULL, 0);
  }
  uint32_t i = (uint32_t)pt_rng_below(d->rng, s->n_activations + s->clips);
  const char *op = i < s->n_activations ? s->activation[i] : "Clip";
  if (g_str_equal(op, "Clip"))
    return pt_form_clip(d, x, 0, 6);
  if (g_str_equal(op, "Sigmoid") && s->n_activations + s->clips > 1)
    op = s->activation[0];
  return pt_draft_op(d, op, &x, 1, NULL, 0);
}

/* x / sqrt(2), erf, + 1, * x, * 0.5: as exporters write GELU. */
static PtValueId gelu(PtDraft *d, PtValueId x) {
  PtValueId in[2] = {x, pt_draft_scalar(d, 1.4142135381698608)};
  PtValueId y = pt_draft_op(d, "Div", in, 2, NULL, 0);
  y = y == PT_NONE ? y : pt_draft_op(d, "Erf", &y, 1, NULL, 0);
  in[0] = y, in[1] = pt_draft_scalar(d, 1);
  y = y == PT_NONE ? y : pt_draft_op(d, "Add", in, 2, NULL, 0);
  in[0] = x, in[1] = y;
  y = y == PT_NONE ? y : pt_draft_op(d, "Mul", in, 2, NULL, 0);
  in[0] = y, in[1] = pt_draft_scalar(d, 0.5);
  return y == PT_NONE ? y : pt_draft_op(d, "Mul", in, 2, NULL, 0);
}

static PtValueId any_activation(PtDraft *d, PtValueId x) {
  return d->style->erf ? gelu(d, x) : activation(d, x);
}

static PtValueId batch_norm(PtDraft *d, PtValueId x) {
  int64_t channels = dim(pt_draft_type(d, x), 1);
  PtValueId in[5] = {x};
  for (int i = 1; i < 5; i++)
    in[i] = pt_draft_weight(d, 1, &channels);
  PtAttrSpec eps = PT_FLOAT_ATTR("epsilon", 1e-5);
  return pt_draft_op(d, "BatchNormalization", in, 5, &eps, 1);
}

static PtValueId conv(PtDraft *d, PtValueId x, int64_t channels, int64_t kernel, int64_t group) {
  int64_t dims[4] = {channels, dim(pt_draft_type(d, x), 1) / group, kernel, kernel};
  int64_t k[2] = {kernel, kernel}, ones[2] = {1, 1}, p = kernel / 2, pads[4] = {p, p, p, p};
  PtValueId in[3] = {x, pt_draft_weight(d, 4, dims), PT_NONE};
  if (in[1] == PT_NONE)
    return PT_NONE;
  if (!d->batch_norm)
    in[2] = pt_draft_weight(d, 1, &channels);
  PtAttrSpec attrs[] = {PT_INTS_ATTR("dilations", ones, 2), PT_INT_ATTR("group", group),
                        PT_INTS_ATTR("kernel_shape", k, 2), PT_INTS_ATTR("pads", pads, 4),
                        PT_INTS_ATTR("strides", ones, 2)};
  PtValueId y = pt_draft_op(d, "Conv", in, d->batch_norm ? 2 : 3, attrs, 5);
  return y == PT_NONE || !d->batch_norm ? y : batch_norm(d, y);
}

static int64_t kernel_for(PtDraft *d, PtValueId x) {
  const PtType *t = pt_draft_type(d, x);
  static const int64_t sizes[] = {1, 3, 3, 5};
  int64_t k = sizes[pt_rng_below(d->rng, 4)];
  return dim(t, 2) >= k && dim(t, 3) >= k ? k : 1;
}

static PtValueId conv_block(PtDraft *d, PtValueId x) {
  int64_t channels = dim(pt_draft_type(d, x), 1), k = kernel_for(d, x);
  bool depthwise = k > 1 && channels > 1 && pt_rng_below(d->rng, 3) == 0;
  PtValueId y = conv(d, x, channels, k, depthwise ? channels : 1);
  return y != PT_NONE && pt_rng_below(d->rng, 3) ? activation(d, y) : y;
}

static PtValueId add(PtDraft *d, const char *op, PtValueId a, PtValueId b) {
  PtValueId in[2] = {a, b};
  return a == PT_NONE || b == PT_NONE ? PT_NONE : pt_draft_op(d, op, in, 2, NULL, 0);
}

static PtValueId residual_conv(PtDraft *d, PtValueId x) {
  int64_t channels = dim(pt_draft_type(d, x), 1);
  int64_t inner = MAX(channels / (int64_t)(1u << pt_rng_below(d->rng, 3)), 4);
  PtValueId y = conv(d, x, inner, kernel_for(d, x), 1);
  y = y == PT_NONE ? y : activation(d, y);
  y = y == PT_NONE ? y : conv(d, y, channels, kernel_for(d, y), 1);
  return add(d, "Add", y, x);
}

static PtValueId squeeze_excite(PtDraft *d, PtValueId x) {
  int64_t channels = dim(pt_draft_type(d, x), 1), inner = MAX(channels / 4, 4);
  bool normalized = d->batch_norm;
  PtValueId y = pt_draft_op(d, "GlobalAveragePool", &x, 1, NULL, 0);
  d->batch_norm = false;
  y = y == PT_NONE ? y : conv(d, y, inner, 1, 1);
  y = y == PT_NONE ? y : activation(d, y);
  y = y == PT_NONE ? y : conv(d, y, channels, 1, 1);
  d->batch_norm = normalized;
  y = y == PT_NONE ? y : pt_draft_op(d, "Sigmoid", &y, 1, NULL, 0);
  return add(d, "Mul", y, x);
}

static PtValueId smooth(PtDraft *d, PtValueId x) {
  const PtType *t = pt_draft_type(d, x);
  if (dim(t, 2) < 3 || dim(t, 3) < 3)
    return PT_NONE;
  static const int64_t k[2] = {3, 3}, s[2] = {1, 1}, p[4] = {1, 1, 1, 1};
  PtAttrSpec attrs[] = {PT_INTS_ATTR("kernel_shape", k, 2), PT_INTS_ATTR("pads", p, 4),
                        PT_INTS_ATTR("strides", s, 2)};
  return pt_draft_op(d, pt_rng_below(d->rng, 2) ? "MaxPool" : "AveragePool", &x, 1, attrs, 3);
}

static PtValueId vector(PtDraft *d, const char *op, PtValueId x) {
  int64_t n = dim(pt_draft_type(d, x), -1);
  PtValueId w = n > 0 ? pt_draft_weight(d, 1, &n) : PT_NONE;
  return pt_rng_below(d->rng, 2) ? add(d, op, x, w) : add(d, op, w, x);
}

static PtValueId linear(PtDraft *d, PtValueId x, int64_t columns) {
  int64_t dims[2] = {dim(pt_draft_type(d, x), -1), columns};
  PtValueId w = pt_draft_weight(d, 2, dims), b = pt_draft_weight(d, 1, &columns);
  PtValueId y = add(d, "MatMul", x, w);
  return add(d, "Add", b, y);
}

static PtValueId mlp(PtDraft *d, PtValueId x) {
  int64_t n = dim(pt_draft_type(d, x), -1);
  PtValueId y = linear(d, x, n * (int64_t)(1 + pt_rng_below(d->rng, 4)));
  y = y == PT_NONE ? y : any_activation(d, y);
  y = y == PT_NONE ? y : linear(d, y, n);
  return pt_rng_below(d->rng, 3) ? add(d, "Add", y, x) : y;
}

static PtValueId layer_norm(PtDraft *d, PtValueId x) {
  int64_t last = -1, n = dim(pt_draft_type(d, x), -1);
  PtValueId scale = pt_draft_weight(d, 1, &n), bias = pt_draft_weight(d, 1, &n);
  if (d->style->layer_norm) {
    PtValueId in[3] = {x, scale, bias};
    PtAttrSpec attrs[] = {PT_INT_ATTR("axis", -1), PT_FLOAT_ATTR("epsilon", 1e-5)};
    return pt_draft_op(d, "LayerNormalization", in, 3, attrs, 2);
  }
  PtValueId centred = add(d, "Sub", x, pt_form_reduce(d, "ReduceMean", x, &last, 1, true));
  PtValueId square = add(d, "Pow", centred, pt_draft_scalar(d, 2));
  if (square == PT_NONE)
    return PT_NONE;
  PtValueId y = add(d, "Add", pt_form_reduce(d, "ReduceMean", square, &last, 1, true),
                    pt_draft_scalar(d, pt_rng_below(d->rng, 2) ? 1e-5 : 1e-12));
  y = y == PT_NONE ? y : pt_draft_op(d, "Sqrt", &y, 1, NULL, 0);
  y = add(d, "Mul", add(d, "Div", centred, y), scale);
  return add(d, "Add", y, bias);
}

static PtValueId by_scalar(PtDraft *d, PtValueId x) {
  static const double usual[] = {0.125, 0.5, 0.25, 2, 1.4142135381698608, 8};
  double s = usual[pt_rng_below(d->rng, G_N_ELEMENTS(usual))];
  return add(d, pt_rng_below(d->rng, 2) ? "Mul" : "Div", x, pt_draft_scalar(d, s));
}

/* ---- where
 * ---------------------------------------------------------------------------------------------- */
/* A float of two or more axes. */
static bool is_site(const PtDraft *d, PtValueId v, const bool *used) {
  const PtValue *value = pt_value(d->graph, v);
  const PtType *t = &value->type;
  return used[v] && !value->constant && t->kind == PT_TYPE_TENSOR && t->dtype == d->dtype &&
         t->rank >= 2 && t->rank <= PT_FACE_RANK;
}

static void find_used(const PtGraph *g, bool *used) {
  for (uint32_t i = 0; i < g->outputs->len; i++)
    used[pt_graph_output(g, i)] = pt_value(g, pt_graph_output(g, i))->producer != PT_NONE;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
    for (uint32_t i = 0; i < pt_node(g, n)->n_inputs; i++)
      if (pt_node(g, n)->inputs[i] != PT_NONE)
        used[pt_node(g, n)->inputs[i]] = true;
}

static PtValueId pick_site(PtDraft *d) {
  uint32_t n = pt_graph_n_values(d->graph), count = 0;
  g_autofree bool *used = g_new0(bool, n + 1);
  g_autofree PtValueId *sites = g_new(PtValueId, n + 1);
  find_used(d->graph, used);
  g_autofree bool *fixed = pt_find_fixed(d->graph);
  for (PtValueId v = 0; v < n; v++)
    if (!fixed[v] && is_site(d, v, used) && !pt_is_cast(d, v))
      sites[count++] = v;
  return count ? sites[pt_rng_below(d->rng, count)] : PT_NONE;
}

static bool follows(const PtDraft *d, PtValueId v, PtOpClass op_class) {
  const PtNode *node = producer(d, v);
  const PtOp *op = node ? pt_op_of(node) : NULL;
  return op && op->op_class == op_class;
}

static PtValueId image_block(PtDraft *d, PtValueId v) {
  switch (pt_rng_below(d->rng, 12)) {
  case 0:
  case 1:
  case 2:
    return follows(d, v, PT_CLASS_ACTIVATION) ? conv_block(d, v) : activation(d, v);
  case 3:
    return follows(d, v, PT_CLASS_NORM) || !d->batch_norm ? activation(d, v) : batch_norm(d, v);
  case 4:
  case 5:
  case 6:
  case 7:
    return conv_block(d, v);
  case 8:
  case 9:
    return residual_conv(d, v);
  case 10:
    return squeeze_excite(d, v);
  default:
    return smooth(d, v);
  }
}

static PtValueId matrix_block(PtDraft *d, PtValueId v) {
  bool columns = dim(pt_draft_type(d, v), -1) > 1;
  switch (columns ? pt_rng_below(d->rng, 10) : 8) {
  case 0:
  case 1:
    return follows(d, v, PT_CLASS_ACTIVATION) ? vector(d, "Mul", v) : any_activation(d, v);
  case 2:
    return linear(d, v, dim(pt_draft_type(d, v), -1));
  case 3:
    return mlp(d, v);
  case 4:
  case 5:
    return vector(d, "Add", v);
  case 6:
    return vector(d, "Mul", v);
  case 7:
    return layer_norm(d, v);
  default:
    return by_scalar(d, v);
  }
}

bool pt_edit_insert(PtDraft *draft) {
  PtValueId v = pick_site(draft);
  if (v == PT_NONE)
    return false;
  PtType was = *pt_draft_type(draft, v);
  bool image = pt_is_image(draft, v);
  uint32_t before = pt_graph_n_nodes(draft->graph);
  PtValueId place = pt_splice_begin(draft, v);
  PtValueId w = image ? image_block(draft, v) : matrix_block(draft, v);
  bool ok = w != PT_NONE && pt_type_equal(pt_draft_type(draft, w), &was);
  ok = ok && (pt_style_strange(draft->style, draft->graph, before) == 0 ||
              pt_rng_below(draft->rng, 20) == 0);
  pt_splice_end(draft, place, ok ? w : v);
  return ok;
}
