/* fuse_norm: layer and root-mean-square normalization, and GELU, spelled out in small operators. */
#include "partition/fuse_private.h"

/* What comes before Sqrt: Add(eps), ReduceMean, Pow or Mul of x - mean (layer norm) or of x (root
 * mean square). Returns the value that is normalized, or PT_NONE. */
static PtValueId match_variance(const PtFuse *f, PtNodeId sqrt, PtMatch *m) {
  PtNodeId add = pt_fuse_before(f, sqrt, 0);
  uint32_t k = pt_fuse_free_input(f, add);
  PtNodeId mean = k == PT_NONE ? PT_NONE : pt_fuse_before(f, add, k);
  mean = pt_fuse_skip_casts_before(f, mean, m);
  PtNodeId square = pt_fuse_before(f, mean, 0);
  square = pt_fuse_skip_casts_before(f, square, m);
  if (!pt_fuse_is(f, add, "Add") || !pt_fuse_is(f, mean, "ReduceMean") ||
      !(pt_fuse_is(f, square, "Pow") || pt_fuse_is(f, square, "Mul")))
    return PT_NONE;
  pt_match_add(m, sqrt);
  pt_match_add(m, add);
  pt_match_add(m, mean);
  pt_match_add(m, square);
  PtValueId x = pt_fuse_input(f, square, 0);
  PtNodeId sub = pt_fuse_skip_casts_before(f, pt_fuse_before(f, square, 0), m);
  if (!pt_fuse_is(f, sub, "Sub"))
    return x;
  PtNodeId center = pt_fuse_skip_casts_before(f, pt_fuse_before(f, sub, 1), m);
  if (!pt_fuse_is(f, center, "ReduceMean"))
    return x;
  pt_match_add(m, sub);
  pt_match_add(m, center);
  /* an exporter may subtract twice, once for the variance and once for the result */
  PtNodeId twin = pt_fuse_reader(f, center, "Sub");
  pt_match_add(m, twin);
  return pt_fuse_input(f, sub, 0);
}

/* What comes after: the division, then scale and shift by constants. */
static PtNodeId match_scaling(const PtFuse *f, PtNodeId sqrt, PtMatch *m) {
  static const char *const divides[] = {"Div", "Reciprocal", "Mul", NULL};
  PtNodeId last = PT_NONE, next = pt_fuse_after(f, sqrt);
  for (int i = 0; i < 5; i++) {
    PtNodeId past = pt_fuse_skip_casts_after(f, next, m);
    bool takes = i < 2 ? pt_fuse_is_any(f, past, divides)
                       : (pt_fuse_is(f, past, "Mul") || pt_fuse_is(f, past, "Add"));
    if (i >= 1 && takes && pt_fuse_free_input(f, past) == PT_NONE &&
        !pt_fuse_is(f, past, "Reciprocal")) {
      /* no constant: x * (1 / sqrt), or the end */
      PtNodeId other = pt_fuse_before(f, past, 0) == last ? pt_fuse_before(f, past, 1)
                                                          : pt_fuse_before(f, past, 0);
      takes = i == 1 && (pt_match_has(m, other) || pt_fuse_is(f, past, "Mul"));
    }
    if (past == PT_NONE || !takes)
      break;
    pt_match_add(m, past);
    last = past;
    next = pt_fuse_after(f, past);
    if (pt_fuse_is(f, last, "Add"))
      break;
  }
  return last;
}

static bool match_norm(const PtFuse *f, PtNodeId sqrt, PtMatch *m, PtValueId *x, PtNodeId *last) {
  *x = match_variance(f, sqrt, m);
  if (*x == PT_NONE)
    return false;
  *last = match_scaling(f, sqrt, m);
  return *last != PT_NONE;
}

void pt_fuse_norm(PtFuse *f, PtNodeId node) {
  PtMatch m = {.n = 0};
  PtValueId x;
  PtNodeId last;
  if (match_norm(f, node, &m, &x, &last))
    pt_match_merge(f, &m);
}

/* The skip's Add before a norm, where nothing else reads it, and the bias's Add before that, unless
 * the bias is a MatMul's, which takes it first. */
void pt_fuse_skip_norm(PtFuse *f, PtNodeId node) {
  PtMatch m = {.n = 0};
  PtValueId x;
  PtNodeId last;
  if (pt_fuse_is(f, node, "LayerNormalization")) {
    pt_match_add(&m, node);
    x = pt_fuse_input(f, node, 0);
  } else if (!match_norm(f, node, &m, &x, &last))
    return;
  PtNodeId add = x == PT_NONE ? PT_NONE : pt_value(f->graph, x)->producer;
  if (!pt_fuse_is(f, add, "Add") || f->work->is_output[x])
    return;
  for (uint32_t u = f->work->uses->start[x]; u < f->work->uses->start[x + 1]; u++)
    if (!pt_match_has(&m, f->work->uses->node[u]))
      return;
  pt_match_add(&m, add);
  if (!pt_match_merge(f, &m))
    return;
  for (uint32_t k = 0; k < 2; k++) {
    PtNodeId bias = pt_fuse_before(f, add, k);
    if (pt_fuse_is(f, bias, "Add") && pt_fuse_after(f, bias) == add &&
        pt_fuse_free_input(f, bias) != PT_NONE &&
        !pt_fuse_is(f, pt_fuse_before(f, bias, pt_fuse_free_input(f, bias)), "MatMul")) {
      PtMatch with = m;
      pt_match_add(&with, bias);
      pt_match_merge(f, &with);
    }
  }
}

/* Adds x's bias Add, if x is one, and merges once more with it. */
static void merge_with_bias(PtFuse *f, PtMatch *m, PtNodeId before) {
  pt_match_merge(f, m);
  if (pt_fuse_is(f, before, "Add") && pt_fuse_free_input(f, before) != PT_NONE) {
    pt_match_add(m, before);
    pt_match_merge(f, m);
  }
}

/* After Erf or Tanh: Add(1), then the products; the halves of x that feed them too. Returns the
 * node that makes x. */
static bool match_products(const PtFuse *f, PtNodeId add, PtMatch *m) {
  if (!pt_fuse_is(f, add, "Add") || pt_fuse_free_input(f, add) == PT_NONE)
    return false;
  pt_match_add(m, add);
  PtNodeId product = pt_fuse_after(f, add);
  for (int i = 0; i < 2 && pt_fuse_is(f, product, "Mul"); i++) {
    if (pt_match_has(m, product) ||
        (i == 1 && pt_fuse_free_input(f, product) == PT_NONE && m->n > 16))
      break;
    pt_match_add(m, product);
    for (uint32_t k = 0; k < 2; k++) { /* Mul(x, 0.5) */
      PtNodeId half = pt_fuse_before(f, product, k);
      if (pt_fuse_is(f, half, "Mul") && pt_fuse_free_input(f, half) != PT_NONE &&
          pt_fuse_after(f, half) == product)
        pt_match_add(m, half);
    }
    PtNodeId next = pt_fuse_after(f, product);
    /* the second product is with 0.5 or, where the first was, with x */
    product = i == 0 && (pt_fuse_free_input(f, next) != PT_NONE ||
                         pt_fuse_free_input(f, product) != PT_NONE)
                  ? next
                  : PT_NONE;
  }
  return m->n > 2;
}

void pt_fuse_erf_gelu(PtFuse *f, PtNodeId erf) {
  PtMatch m = {{erf}, 1, false};
  PtNodeId scale = pt_fuse_before(f, erf, 0);
  uint32_t k = pt_fuse_free_input(f, scale);
  if (!(pt_fuse_is(f, scale, "Div") || pt_fuse_is(f, scale, "Mul")) || k == PT_NONE)
    return;
  pt_match_add(&m, scale);
  if (match_products(f, pt_fuse_after(f, erf), &m))
    merge_with_bias(f, &m, pt_fuse_before(f, scale, k));
}

/* Tanh(c * (x + d * x^3)): back from Tanh over its polynomial, down to the x of which it is one. */
static PtNodeId match_polynomial(const PtFuse *f, PtNodeId tanh, PtMatch *m) {
  static const char *const parts[] = {"Mul", "Add", "Pow", "Cast", NULL};
  PtNodeId stack[24] = {pt_fuse_before(f, tanh, 0)}, deepest = PT_NONE;
  uint32_t top = 1, visited = 0;
  PtMatch ends = {.n = 0};
  while (top > 0) {
    PtNodeId node = stack[--top];
    if (node == PT_NONE || pt_match_has(m, node))
      continue;
    /* x is where the walk meets what is no part, or the bias's Add below a Pow or two products */
    bool inner =
        pt_fuse_is_any(f, node, parts) && ++visited <= 9 &&
        !(pt_fuse_is(f, node, "Add") && visited > 3 && pt_fuse_free_input(f, node) != PT_NONE);
    if (!inner) {
      pt_match_add(&ends, node);
      deepest = node;
      continue;
    }
    pt_match_add(m, node);
    for (uint32_t k = 0; k < 2 && top < G_N_ELEMENTS(stack); k++)
      if (!pt_fuse_fixed(f, node, k) && pt_fuse_before(f, node, k) != PT_NONE)
        stack[top++] = pt_fuse_before(f, node, k);
  }
  return ends.n == 1 && visited <= 9 ? deepest : PT_NONE;
}

void pt_fuse_tanh_gelu(PtFuse *f, PtNodeId tanh) {
  PtMatch m = {{tanh}, 1, false};
  PtNodeId add = pt_fuse_after(f, tanh);
  if (!pt_fuse_is(f, add, "Add") || pt_fuse_free_input(f, add) == PT_NONE)
    return;
  PtNodeId x = match_polynomial(f, tanh, &m);
  if (x != PT_NONE && match_products(f, add, &m))
    merge_with_bias(f, &m, x);
}
