/* Explains the constants of an optimized candidate, one after the other; then writes the
 * derivations in their place. */
#include "rebind/rebind_private.h"

#include <string.h>

G_DEFINE_QUARK(pt - rebind - error - quark, pt_rebind_error)

/* ---- external slices
 * ------------------------------------------------------------------------------ */
/* Still a slice of one of the candidate's weights. */
static bool is_own_slice(PtRebind *r, const PtTensor *tensor) {
  if (g_strcmp0(tensor->location, PT_NOISE_FILE) != 0)
    return false;
  for (guint i = 0; i < r->weights->len; i++) {
    const PtWeight *w = &g_array_index(r->weights, PtWeight, i);
    if (tensor->offset >= w->offset && tensor->offset - w->offset <= w->size &&
        tensor->size <= w->size - (tensor->offset - w->offset) &&
        w->expr->type.dtype == tensor->dtype)
      return (tensor->offset - w->offset) % MAX(pt_dtype_bits(tensor->dtype) / 8, 1) == 0;
  }
  return false;
}

/* ---- one constant
 * --------------------------------------------------------------------------------- */
static PtExpr *explain_plain(PtRebind *r, const PtDense *d, bool thorough, uint32_t *ulps) {
  /* a single value may hit noise by chance, so what it may be computed from comes first */
  PtExpr *e = d->count > 1 ? pt_rebind_decode(r, d) : NULL;
  *ulps = 0;
  e = e ? e : pt_rebind_match(r, d, thorough, ulps);
  if (e || d->count > 1)
    return e;
  *ulps = 0;
  return pt_rebind_decode(r, d);
}

/* Thorough: the hypotheses that cost more; only for what is still open, so that a hostile answer
 * cannot ask for them often. */
static PtExpr *explain(PtRebind *r, const PtDense *d, bool thorough) {
  uint32_t best_ulps, ulps;
  PtExpr *best = explain_plain(r, d, thorough, &best_ulps);
  if (best && best_ulps == 0)
    return best;
  for (uint32_t i = 0; i < PT_LAYOUTS; i++) {
    PtDense plain;
    if (!pt_rebind_unblock(d, i, r->threads, &plain))
      continue;
    PtExpr *e = pt_rebind_block(r, explain_plain(r, &plain, thorough, &ulps), i);
    pt_dense_clear(&plain);
    if (e && (!best || ulps < best_ulps)) {
      best = e;
      best_ulps = ulps;
    }
    if (best && best_ulps == 0)
      return best;
  }
  return best || !thorough ? best : pt_rebind_match_pairs(r, d, &ulps);
}

static bool refuse(GError **error, const PtGraph *g, PtValueId v, const char *why) {
  const PtTensor *t = pt_value(g, v)->constant;
  g_autoptr(GString) shape = g_string_new(NULL);
  for (uint32_t i = 0; i < t->rank && i < 16; i++)
    g_string_append_printf(shape, "%s%" G_GINT64_FORMAT, i ? "," : "", t->dims[i]);
  g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED, "constant '%s' %s[%s] %s",
              pt_value(g, v)->name, pt_dtype_name(t->dtype), shape->str, why);
  return false;
}

/* After so many, what is open is looked at again: a hostile answer is refused early. */
#define LOOKS 64
typedef struct {
  PtValueId value;
  PtExpr *expr; /* NULL: not explained yet */
  PtJudgement verdict;
} Finding;

static bool look_at(PtRebind *r, PtValueId v, GArray *findings, GError **error) {
  const PtGraph *g = r->optimized;
  const PtTensor *t = pt_value(g, v)->constant;
  PtDense d;
  if (t->location && !t->data) {
    return is_own_slice(r, t) ||
           refuse(error, g, v, "is external data that is none of the candidate's weights");
  }
  if (!t->data && !t->strings && t->count > 0)
    return refuse(error, g, v, "has no data");
  if (t->strings)
    return true;
  if (!pt_dense_of_tensor(&d, t)) {
    Finding no = {v, NULL, PT_JUDGE_REFUSE};
    if (pt_dtype_is_float(t->dtype))
      g_array_append_val(findings, no);
    return true;
  }
  PtJudgement verdict = pt_rebind_judge(r, t, &d);
  if (verdict == PT_JUDGE_KEEP)
    return true;
  Finding f = {v, explain(r, &d, false), verdict};
  if (!f.expr && pt_rebind_is_real(r, &d))
    return true;
  g_array_append_val(findings, f);
  return true;
}

/* Second look, with more at hand: folds through the runtime, then pairs. */
static bool look_again(PtRebind *r, GArray *findings, GError **error) {
  bool open = false;
  for (guint i = 0; i < findings->len; i++)
    open |= !g_array_index(findings, Finding, i).expr &&
            g_array_index(findings, Finding, i).verdict == PT_JUDGE_REFUSE;
  if (!open)
    return true;
  if (!r->through_runtime) {
    r->through_runtime = true;
    pt_rebind_library(r);
  }
  for (guint i = 0; i < findings->len; i++) {
    Finding *f = &g_array_index(findings, Finding, i);
    const PtTensor *t = pt_value(r->optimized, f->value)->constant;
    PtDense d;
    if (f->expr || f->verdict != PT_JUDGE_REFUSE)
      continue;
    if (!pt_dense_of_tensor(&d, t))
      return refuse(error, r->optimized, f->value, "has too many dimensions");
    if (pt_rebind_judge(r, t, &d) == PT_JUDGE_KEEP || pt_rebind_is_real(r, &d)) {
      f->verdict = PT_JUDGE_KEEP;
      continue;
    }
    f->expr = explain(r, &d, true);
    if (!f->expr)
      return refuse(error, r->optimized, f->value,
                    "is not derived from the candidate's weights in any known way");
  }
  return true;
}

/* ---- what else may hold numbers
 * -------------------------------------------------------------------- */
/* Attributes and nested graphs: reading lifts constants out of them, so a dense float array here is
 * not ours. */
static bool check_hidden(const PtGraph *g, const PtGraph *optimized, GError **error) {
  for (PtNodeId id = 0; id < pt_graph_n_nodes(g); id++) {
    const PtNode *node = pt_node(g, id);
    for (uint32_t i = 0; i < node->n_attrs && !node->dead; i++) {
      const PtAttr *a = &node->attrs[i];
      for (uint32_t k = 0; k < a->count; k++) {
        if ((a->kind == PT_ATTR_TENSOR || a->kind == PT_ATTR_TENSORS) &&
            pt_dtype_is_float(a->as.tensors[k]->dtype) && a->as.tensors[k]->count > 1) {
          g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED,
                      "node '%s' (%s) holds a tensor of weights in attribute '%s'", node->name,
                      node->op_type, a->name);
          return false;
        }
        if ((a->kind == PT_ATTR_GRAPH || a->kind == PT_ATTR_GRAPHS) &&
            !check_hidden(a->as.graphs[k], optimized, error))
          return false;
      }
    }
  }
  for (PtValueId v = 0; g != optimized && v < pt_graph_n_values(g); v++) {
    const PtTensor *t = pt_value(g, v)->constant;
    if (t && (t->location || (pt_dtype_is_float(t->dtype) && t->count > 1))) {
      g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED, "constant '%s' lies in a nested graph",
                  pt_value(g, v)->name);
      return false;
    }
  }
  return true;
}

static bool check_overlap(PtRebind *r, GError **error) {
  for (guint i = 1; i < r->weights->len; i++) {
    const PtWeight *a = &g_array_index(r->weights, PtWeight, i - 1), *b = a + 1;
    if (b->offset - a->offset < a->size && !(a->offset == b->offset && a->size == b->size)) {
      g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED,
                  "two weights of the candidate share bytes of %s from %" G_GUINT64_FORMAT,
                  PT_NOISE_FILE, b->offset);
      return false;
    }
  }
  return true;
}

/* Derivations come first, so that the order of nodes is topological again. */
static void move_to_front(PtGraph *g, uint32_t n_before) {
  uint32_t n = pt_graph_n_nodes(g), added = n - n_before;
  if (added == 0)
    return;
  g_autofree PtNode *nodes = g_new(PtNode, n);
  memcpy(nodes, pt_node(g, n_before), added * sizeof *nodes);
  if (n_before > 0)
    memcpy(nodes + added, pt_node(g, 0), n_before * sizeof *nodes);
  memcpy(pt_node(g, 0), nodes, n * sizeof *nodes);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtValue *value = pt_value(g, v);
    if (value->producer != PT_NONE)
      value->producer =
          value->producer >= n_before ? value->producer - n_before : value->producer + added;
  }
}

static bool write_findings(PtRebind *r, GArray *findings, GError **error) {
  uint32_t n_before = pt_graph_n_nodes(r->optimized);
  if (findings->len > 0 && pt_graph_opset(r->optimized, "") < 0)
    pt_graph_set_opset(r->optimized, "", pt_graph_opset(r->candidate, ""));
  for (guint i = 0; i < findings->len; i++) {
    Finding *f = &g_array_index(findings, Finding, i);
    if (f->expr && !pt_rebind_emit(r, f->expr, f->value, error))
      return false;
  }
  move_to_front(r->optimized, n_before);
  return true;
}

bool pt_rebind_explain(PtGraph *optimized, const PtGraph *candidate, const PtNoise *noise,
                       GError **error) {
  PtRebind r = {
      .optimized = optimized, .candidate = candidate, .noise = noise, .threads = pt_threads(0)};
  r.arena = pt_arena_new();
  r.weights = g_array_new(FALSE, FALSE, sizeof(PtWeight));
  r.library = g_ptr_array_new();
  r.reals = g_ptr_array_new();
  r.kept = g_ptr_array_new_with_free_func(g_free);
  r.sources = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GArray) findings = g_array_new(FALSE, FALSE, sizeof(Finding));
  pt_graph_compact(optimized);
  pt_rebind_library(&r);
  bool ok = check_overlap(&r, error) && check_hidden(optimized, optimized, error);
  for (PtValueId v = 0; v < pt_graph_n_values(optimized) && ok; v++)
    if (pt_value(optimized, v)->constant)
      ok = look_at(&r, v, findings, error) &&
           (findings->len % LOOKS || look_again(&r, findings, error));
  ok = ok && look_again(&r, findings, error) && write_findings(&r, findings, error);
  g_hash_table_unref(r.sources);
  g_ptr_array_unref(r.kept);
  g_ptr_array_unref(r.reals);
  g_ptr_array_unref(r.library);
  g_array_unref(r.weights);
  pt_arena_free(r.arena);
  return ok;
}
