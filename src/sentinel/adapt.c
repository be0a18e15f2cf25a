/* adapt: what a model does where shapes change: strided and pointwise convolutions, pooling,
 * projections, flattening. */
#include "sentinel/sentinel_private.h"

#include <math.h>

static int64_t dim(const PtType *t, int32_t i) {
  return t->dims[i < 0 ? i + t->rank : i].size;
}

bool pt_same_dim(const PtType *a, int32_t i, const PtType *b, int32_t j) {
  const PtDim *x = &a->dims[i], *y = &b->dims[j];
  return x->size == y->size && (x->size >= 0 || g_strcmp0(x->symbol, y->symbol) == 0);
}

bool pt_same_type(const PtType *a, const PtType *b) {
  if (a->dtype != b->dtype || a->rank != b->rank)
    return false;
  for (int32_t i = 0; i < a->rank; i++)
    if (!pt_same_dim(a, i, b, i))
      return false;
  return true;
}

/* ---- images
 * -------------------------------------------------------------------------------------------- */
static PtValueId convolve(PtDraft *d, PtValueId x, int64_t channels, const int64_t k[2],
                          const int64_t s[2], int64_t pad) {
  const PtType *t = pt_draft_type(d, x);
  int64_t dims[4] = {channels, dim(t, 1), k[0], k[1]}, pads[4] = {pad, pad, pad, pad},
          ones[2] = {1, 1};
  PtValueId in[3] = {x, pt_draft_weight(d, 4, dims), PT_NONE};
  if (in[1] == PT_NONE)
    return PT_NONE;
  if (!d->batch_norm)
    in[2] = pt_draft_weight(d, 1, &channels);
  PtAttrSpec attrs[] = {PT_INTS_ATTR("dilations", ones, 2), PT_INT_ATTR("group", 1),
                        PT_INTS_ATTR("kernel_shape", k, 2), PT_INTS_ATTR("pads", pads, 4),
                        PT_INTS_ATTR("strides", s, 2)};
  PtValueId y = pt_draft_op(d, "Conv", in, d->batch_norm ? 2 : 3, attrs, 5);
  if (y == PT_NONE || !d->batch_norm)
    return y;
  PtValueId bn[5] = {y};
  for (int i = 1; i < 5; i++)
    bn[i] = pt_draft_weight(d, 1, &channels);
  PtAttrSpec eps = PT_FLOAT_ATTR("epsilon", 1e-5);
  return pt_draft_op(d, "BatchNormalization", bn, 5, &eps, 1);
}

/* kernel, stride and padding that take `in` to `out`; false if none of the usual ones does. */
static bool usual_window(const int64_t in[2], const int64_t out[2], int64_t k[2], int64_t s[2],
                         int64_t *pad) {
  static const int64_t usual[][2] = {{1, 0}, {3, 1}, {2, 0}, {3, 0}, {5, 2},
                                     {7, 3}, {4, 0}, {4, 1}, {5, 0}};
  for (size_t u = 0; u < G_N_ELEMENTS(usual); u++)
    for (int64_t stride = 1; stride <= 8; stride++) {
      bool fits = true;
      for (int a = 0; a < 2; a++) {
        int64_t room = in[a] + 2 * usual[u][1] - usual[u][0];
        fits &= room >= 0 && room / stride + 1 == out[a];
      }
      if (fits && (usual[u][0] > 1 || stride <= 2)) {
        k[0] = k[1] = usual[u][0], s[0] = s[1] = stride, *pad = usual[u][1];
        return true;
      }
    }
  return false;
}

static PtValueId pool_to(PtDraft *d, PtValueId x, const int64_t in[2], const int64_t out[2]) {
  int64_t k[2], s[2];
  if (out[0] == 1 && out[1] == 1)
    return pt_draft_op(d, "GlobalAveragePool", &x, 1, NULL, 0);
  for (int a = 0; a < 2; a++) {
    s[a] = in[a] / out[a];
    k[a] = in[a] - (out[a] - 1) * s[a];
  }
  PtAttrSpec attrs[] = {PT_INTS_ATTR("kernel_shape", k, 2), PT_INTS_ATTR("strides", s, 2)};
  return pt_draft_op(d, "AveragePool", &x, 1, attrs, 2);
}

static PtValueId grow(PtDraft *d, PtValueId x, int64_t channels, const int64_t in[2],
                      const int64_t out[2]) {
  if (in[0] < 1 || in[1] < 1 || out[0] % in[0] != 0 || out[1] % in[1] != 0)
    return PT_NONE;
  int64_t s[2] = {out[0] / in[0], out[1] / in[1]};
  if (s[0] > 32 || s[1] > 32)
    return PT_NONE;
  int64_t dims[4] = {dim(pt_draft_type(d, x), 1), channels, s[0], s[1]};
  PtValueId inputs[3] = {x, pt_draft_weight(d, 4, dims), pt_draft_weight(d, 1, &channels)};
  PtAttrSpec attrs[] = {PT_INTS_ATTR("kernel_shape", s, 2), PT_INTS_ATTR("strides", s, 2)};
  return inputs[1] == PT_NONE ? PT_NONE : pt_draft_op(d, "ConvTranspose", inputs, 3, attrs, 2);
}

static PtValueId image_to_image(PtDraft *d, PtValueId x, const PtType *want) {
  const PtType *t = pt_draft_type(d, x);
  int64_t in[2] = {dim(t, 2), dim(t, 3)}, out[2] = {dim(want, 2), dim(want, 3)},
          channels = dim(want, 1);
  int64_t k[2] = {1, 1}, s[2] = {1, 1}, pad = 0;
  if (!pt_same_dim(t, 0, want, 0) || dim(t, 1) <= 0 || channels <= 0)
    return PT_NONE;
  if (pt_same_dim(t, 2, want, 2) && pt_same_dim(t, 3, want, 3)) {
    if (in[0] >= 3 && in[1] >= 3 && pt_rng_below(d->rng, 3) == 0)
      k[0] = k[1] = 3, pad = 1;
    return convolve(d, x, channels, k, s, pad);
  }
  if (in[0] <= 0 || in[1] <= 0 || out[0] <= 0 || out[1] <= 0)
    return PT_NONE;
  if (out[0] > in[0] || out[1] > in[1])
    return grow(d, x, channels, in, out);
  if (out[0] > 1 && usual_window(in, out, k, s, &pad))
    return convolve(d, x, channels, k, s, pad);
  PtValueId y = pool_to(d, x, in, out);
  if (y == PT_NONE || dim(pt_draft_type(d, y), 1) == channels)
    return y;
  k[0] = k[1] = s[0] = s[1] = 1;
  return convolve(d, y, channels, k, s, 0);
}

/* ---- matrices
 * ------------------------------------------------------------------------------------------- */
static PtValueId project(PtDraft *d, PtValueId x, int64_t columns) {
  const PtType *t = pt_draft_type(d, x);
  int64_t dims[2] = {dim(t, -1), columns};
  if (dims[0] <= 0 || columns <= 0)
    return PT_NONE;
  if (t->rank == 2) {
    int64_t turned[2] = {columns, dims[0]};
    PtValueId in[3] = {x, pt_draft_weight(d, 2, turned), pt_draft_weight(d, 1, &columns)};
    PtAttrSpec attrs[] = {PT_FLOAT_ATTR("alpha", 1), PT_FLOAT_ATTR("beta", 1),
                          PT_INT_ATTR("transB", 1)};
    return in[1] == PT_NONE ? PT_NONE : pt_draft_op(d, "Gemm", in, 3, attrs, 3);
  }
  PtValueId in[2] = {x, pt_draft_weight(d, 2, dims)};
  if (in[1] == PT_NONE)
    return PT_NONE;
  PtValueId y = pt_draft_op(d, "MatMul", in, 2, NULL, 0);
  PtValueId sum[2] = {pt_draft_weight(d, 1, &columns), y};
  return y == PT_NONE ? PT_NONE : pt_draft_op(d, "Add", sum, 2, NULL, 0);
}

static PtValueId transpose(PtDraft *d, PtValueId x, const int64_t *perm, uint32_t n) {
  PtAttrSpec attr = PT_INTS_ATTR("perm", perm, n);
  return pt_draft_op(d, "Transpose", &x, 1, &attr, 1);
}

static PtValueId reshape(PtDraft *d, PtValueId x, const int64_t *dims, uint32_t n) {
  PtValueId in[2] = {x, pt_draft_ints(d, dims, n)};
  return pt_draft_op(d, "Reshape", in, 2, NULL, 0);
}

/* [.., a, b] to [.., a, c]; where a differs, over the other axis first. */
static PtValueId matrix_to_matrix(PtDraft *d, PtValueId x, const PtType *want) {
  const PtType *t = pt_draft_type(d, x);
  int32_t r = t->rank, differ = 0, at = -1;
  for (int32_t i = 0; i + 1 < r; i++)
    if (!pt_same_dim(t, i, want, i)) {
      differ++;
      at = i;
    }
  if (differ == 0)
    return project(d, x, dim(want, -1));
  if (differ > 1 || dim(t, at) <= 0 || dim(want, at) <= 0)
    return PT_NONE;
  int64_t perm[PT_FACE_RANK];
  for (int32_t i = 0; i < r; i++)
    perm[i] = i == at ? r - 1 : i == r - 1 ? at : i;
  PtValueId y = transpose(d, x, perm, (uint32_t)r);
  y = y == PT_NONE ? y : project(d, y, dim(want, at));
  y = y == PT_NONE ? y : transpose(d, y, perm, (uint32_t)r);
  if (y == PT_NONE || pt_same_dim(pt_draft_type(d, y), r - 1, want, r - 1))
    return y;
  return project(d, y, dim(want, -1));
}

/* [n, c, h, w] or [n, t, c] to [n, k]. */
static PtValueId to_row(PtDraft *d, PtValueId x, const PtType *want) {
  const PtType *t = pt_draft_type(d, x);
  int64_t axis = 1;
  PtValueId y = x;
  if (!pt_same_dim(t, 0, want, 0))
    return PT_NONE;
  if (t->rank == 4) {
    if (dim(t, 2) != 1 || dim(t, 3) != 1)
      y = pt_draft_op(d, "GlobalAveragePool", &x, 1, NULL, 0);
    PtAttrSpec attr = PT_INT_ATTR("axis", 1);
    y = y == PT_NONE ? y : pt_draft_op(d, "Flatten", &y, 1, &attr, 1);
  } else if (t->rank == 3)
    y = pt_form_reduce(d, "ReduceMean", x, &axis, 1, false);
  else
    return PT_NONE;
  if (y == PT_NONE || dim(pt_draft_type(d, y), -1) == dim(want, -1))
    return y;
  return project(d, y, dim(want, -1));
}

/* [n, c, h, w] to [n, h*w, c] and back. */
static PtValueId image_to_tokens(PtDraft *d, PtValueId x, const PtType *want) {
  const PtType *t = pt_draft_type(d, x);
  static const int64_t perm[3] = {0, 2, 1};
  if (dim(t, 2) <= 0 || dim(t, 3) <= 0 || !pt_same_dim(t, 0, want, 0))
    return PT_NONE;
  int64_t dims[3] = {0, 0, dim(t, 2) * dim(t, 3)};
  PtValueId y = reshape(d, x, dims, 3);
  y = y == PT_NONE ? y : transpose(d, y, perm, 3);
  if (y == PT_NONE || pt_same_type(pt_draft_type(d, y), want))
    return y;
  return matrix_to_matrix(d, y, want);
}

static PtValueId tokens_to_image(PtDraft *d, PtValueId x, const PtType *want) {
  const PtType *t = pt_draft_type(d, x);
  static const int64_t perm[3] = {0, 2, 1};
  int64_t h = dim(want, 2), w = dim(want, 3);
  if (h <= 0 || w <= 0 || !pt_same_dim(t, 0, want, 0))
    return PT_NONE;
  if (dim(t, 1) != h * w) {
    int64_t root = (int64_t)lrint(sqrt((double)dim(t, 1)));
    if (root <= 0 || root * root != dim(t, 1))
      return PT_NONE;
    h = w = root;
  }
  int64_t dims[4] = {0, 0, h, w};
  PtValueId y = transpose(d, x, perm, 3);
  y = y == PT_NONE ? y : reshape(d, y, dims, 4);
  if (y == PT_NONE || pt_same_type(pt_draft_type(d, y), want))
    return y;
  return image_to_image(d, y, want);
}

/* Same elements in another shape: [64, 49, 96] and [1, 56, 56, 96]. */
static PtValueId regroup(PtDraft *d, PtValueId x, const PtType *want) {
  const PtType *t = pt_draft_type(d, x);
  int64_t dims[PT_FACE_RANK];
  if (!pt_type_is_static(t) || !pt_type_is_static(want) || want->rank > PT_FACE_RANK ||
      want->rank < 1)
    return PT_NONE;
  int64_t have = pt_type_count(t), need = pt_type_count(want), columns = dim(want, -1);
  for (int32_t i = 0; i < want->rank; i++)
    dims[i] = want->dims[i].size;
  if (have != need) {
    int64_t rows = t->rank > 1 && dim(t, -1) > 0 ? have / dim(t, -1) : 0;
    if (rows <= 0 || columns <= 0 || rows * columns != need ||
        (x = project(d, x, columns)) == PT_NONE)
      return PT_NONE;
  }
  return reshape(d, x, dims, (uint32_t)want->rank);
}

static PtValueId to_float(PtDraft *d, PtValueId x) {
  PtAttrSpec to = PT_INT_ATTR("to", d->dtype);
  return pt_draft_op(d, "Cast", &x, 1, &to, 1);
}

PtValueId pt_adapt(PtDraft *draft, PtValueId x, const PtType *want) {
  const PtType *t = pt_draft_type(draft, x);
  if (pt_same_type(t, want))
    return x;
  if (want->dtype != draft->dtype || want->rank < 1 || want->rank > PT_FACE_RANK || t->rank < 1)
    return PT_NONE;
  if (t->dtype != draft->dtype) {
    if (t->dtype == PT_STRING || (x = to_float(draft, x)) == PT_NONE)
      return PT_NONE;
    t = pt_draft_type(draft, x);
    if (pt_same_type(t, want))
      return x;
  }
  PtValueId y = PT_NONE;
  if (t->rank == 4 && want->rank == 4 && (pt_same_dim(t, 2, want, 2) || dim(t, 2) == dim(t, 3)))
    y = image_to_image(draft, x, want);
  else if (t->rank == want->rank && t->rank >= 2)
    y = matrix_to_matrix(draft, x, want);
  else if (want->rank == 2)
    y = to_row(draft, x, want);
  else if (t->rank == 4 && want->rank == 3)
    y = image_to_tokens(draft, x, want);
  else if (t->rank == 3 && want->rank == 4)
    y = tokens_to_image(draft, x, want);
  if (y == PT_NONE || !pt_same_type(pt_draft_type(draft, y), want))
    y = regroup(draft, x, want);
  return y != PT_NONE && pt_same_type(pt_draft_type(draft, y), want) ? y : PT_NONE;
}
