/* join: the ends of a draft: its outputs, and the real inputs that nobody reads yet. */
#include "sentinel/sentinel_private.h"

#include <math.h>

/* ---- outputs
 * ------------------------------------------------------------------------------------------- */
static double cost(const PtType *t, const PtType *want) {
  if (t->kind != PT_TYPE_TENSOR || t->rank < 1 || t->dtype != want->dtype)
    return INFINITY;
  if (pt_same_type(t, want))
    return 0;
  double sum = 2 + 3 * abs(t->rank - want->rank);
  for (int32_t i = 0; t->rank == want->rank && i < t->rank; i++)
    if (!pt_same_dim(t, i, want, i))
      sum += 1 + (t->dims[i].size > 0 && want->dims[i].size > 0
                      ? fabs(log2((double)t->dims[i].size / (double)want->dims[i].size))
                      : 4);
  return sum;
}

static bool is_taken(const PtValueId *taken, uint32_t n, PtValueId v) {
  for (uint32_t i = 0; i < n; i++)
    if (taken[i] == v)
      return true;
  return false;
}

static PtValueId output_for(PtDraft *draft, const PtType *want, const PtValueId *candidates,
                            uint32_t n, const PtValueId *taken, uint32_t n_taken) {
  PtGraph *g = draft->graph;
  double best = INFINITY;
  PtValueId pick = PT_NONE;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtValue *value = pt_value(g, v);
    if (value->constant || value->producer == PT_NONE || is_taken(taken, n_taken, v))
      continue;
    double c = cost(&value->type, want) + (is_taken(candidates, n, v) ? 0 : 3.5) +
               (pt_is_cast(draft, v) ? 2 : 0);
    if (c <= best) { /* later ones are deeper */
      best = c;
      pick = v;
    }
  }
  return pick == PT_NONE ? PT_NONE : pt_adapt(draft, pick, want);
}

bool pt_make_outputs(PtDraft *draft, const PtValueId *candidates, uint32_t n) {
  const PtGraph *real = draft->real;
  g_autofree PtValueId *taken = g_new(PtValueId, real->outputs->len + 1);
  for (uint32_t j = 0; j < real->outputs->len; j++) {
    const PtType *want = &pt_value(real, pt_graph_output(real, j))->type;
    if (want->kind != PT_TYPE_TENSOR || want->rank < 0)
      return false;
    PtValueId v = j < n && candidates[j] != PT_NONE && !is_taken(taken, j, candidates[j]) &&
                          cost(pt_draft_type(draft, candidates[j]), want) == 0
                      ? candidates[j]
                      : output_for(draft, want, candidates, n, taken, j);
    if (v == PT_NONE || pt_value(draft->graph, v)->producer == PT_NONE || is_taken(taken, j, v))
      return false;
    taken[j] = v;
  }
  for (uint32_t j = 0; j < real->outputs->len; j++)
    pt_graph_add_output(draft->graph, taken[j]);
  return true;
}

/* ---- inputs
 * -------------------------------------------------------------------------------------------- */
static bool is_live_float(const PtDraft *d, PtValueId v, const bool *live) {
  const PtValue *value = pt_value(d->graph, v);
  return live[v] && !value->constant && value->producer != PT_NONE &&
         value->type.kind == PT_TYPE_TENSOR && value->type.dtype == d->dtype &&
         value->type.rank > 0;
}

/* Everything after `v` reads v + x instead. */
static bool add_in(PtDraft *d, PtValueId v, PtValueId x) {
  PtGraph *g = d->graph;
  PtValueId in[2] = {v, x}, sum = pt_graph_add_value(g, NULL);
  pt_graph_replace_value(g, v, sum);
  PtNodeId node = pt_graph_add_node(g, "", pt_rng_below(d->rng, 8) ? "Add" : "Mul", in, 2, &sum, 1);
  return pt_draft_settle(d, node);
}

static bool join_input(PtDraft *d, PtValueId x, const bool *live, uint32_t n_values) {
  double best = INFINITY;
  PtValueId pick = PT_NONE;
  for (PtValueId v = 0; v < n_values; v++) {
    if (!is_live_float(d, v, live))
      continue;
    PtType t = *pt_draft_type(d, x);
    t.dtype = d->dtype;
    double c = cost(&t, pt_draft_type(d, v)) + pt_rng_unit(d->rng);
    if (c < best) {
      best = c;
      pick = v;
    }
  }
  if (pick == PT_NONE)
    return false;
  PtType want = *pt_draft_type(d, pick);
  PtValueId y = pt_adapt(d, x, &want);
  return y != PT_NONE && add_in(d, pick, y);
}

static void mark_live(const PtGraph *g, bool *live) {
  for (uint32_t i = 0; i < g->outputs->len; i++)
    live[pt_graph_output(g, i)] = true;
  for (PtNodeId n = pt_graph_n_nodes(g); n-- > 0;) {
    const PtNode *node = pt_node(g, n);
    bool used = false;
    for (uint32_t i = 0; i < node->n_outputs; i++)
      used |= node->outputs[i] != PT_NONE && live[node->outputs[i]];
    for (uint32_t i = 0; used && !node->dead && i < node->n_inputs; i++)
      if (node->inputs[i] != PT_NONE)
        live[node->inputs[i]] = true;
  }
}

bool pt_join_inputs(PtDraft *draft) {
  PtGraph *g = draft->graph;
  for (uint32_t i = 0; i < g->inputs->len; i++) {
    uint32_t n = pt_graph_n_values(g);
    g_autofree bool *live = g_new0(bool, n + 1);
    mark_live(g, live);
    if (!live[pt_graph_input(g, i)] && !join_input(draft, pt_graph_input(g, i), live, n))
      return false;
    /* what was added lies at the end: order again before the next look */
    PtGraph *ordered = pt_rebuild(g, false);
    if (!ordered)
      return false;
    pt_graph_unref(g);
    draft->graph = g = ordered;
  }
  return true;
}
