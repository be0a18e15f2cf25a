/* future: of each node and type, how well a value of this type there leads to the outputs and to
 * what it is joined with. */
#include "populate/draw.h"

/* ---- operands ---------------------------------------------------------------------------------
 */
uint32_t pt_drawer_operands(const PtDrawer *d, uint32_t i, int32_t *refs) {
  const PtNodeVars *v = &d->e->nodes[i];
  const GArray *more = d->at.more[i];
  uint32_t n = 0;
  for (guint k = 0; more && k < more->len; k++)
    refs[n++] = -(int32_t)g_array_index(more, uint32_t, k);
  for (uint32_t k = 0; k < v->n_preds; k++)
    refs[n++] = (int32_t)v->preds[k];
  for (uint32_t k = 0; k < 2; k++)
    if (d->at.input[2 * i + k])
      refs[n++] = -(int32_t)d->at.input[2 * i + k];
  return n;
}

/* NULL: not known yet. */
const PtFiniteType *pt_drawer_type(const PtDrawer *d, int32_t ref) {
  return ref < 0 ? &d->e->p->inputs[-1 - ref].type : d->done[ref] ? &d->s->nodes[ref].type : NULL;
}

/* ---- what is to come --------------------------------------------------------------------------
 */
static void normalize(double *x, uint32_t n) {
  double most = 0;
  for (uint32_t i = 0; i < n; i++)
    most = MAX(most, x[i]);
  for (uint32_t i = 0; i < n && most > 0; i++)
    x[i] /= most;
}

static void along_joins(const GArray *joins, const double *after, double *to) {
  const PtGuideJoin *all = (const PtGuideJoin *)(const void *)joins->data;
  for (guint k = 0; k < joins->len;) {
    uint32_t from = all[k].from;
    double sum = 0;
    for (; k < joins->len && all[k].from == from; k++)
      sum += all[k].odds * after[all[k].to];
    to[from] = sum;
  }
}

/* Where nothing seems to lead on: what was not drawn yet may turn out to be anything. */
static void allow_anything(const PtPopulateGuide *g, double *to) {
  double sum = 0;
  for (uint32_t t = 0; t < g->n_types; t++)
    sum += to[t];
  for (uint32_t t = 0; t < g->n_types && sum <= 0; t++)
    to[t] = 1;
}

/* Of each type, where `i` makes it and node c reads it together with another. */
static void through_join(const PtDrawer *d, const double *after, uint32_t i, const int32_t *refs,
                         double *to) {
  const PtFiniteType *with = pt_drawer_type(d, refs[0] == (int32_t)i ? refs[1] : refs[0]);
  uint32_t known = with ? pt_guide_find(d->g, with) : UINT32_MAX;
  if (!with || known != UINT32_MAX)
    along_joins(with ? pt_guide_joins(d->g, known) : d->g->alike, after, to);
  if (!with)
    allow_anything(d->g, to);
}

/* Together with more. */
static void through_many(const PtDrawer *d, const double *after, uint32_t i, const int32_t *refs,
                         uint32_t n, double *to) {
  const PtFiniteType *in[PT_OPERANDS];
  for (uint32_t k = 0; k < n; k++)
    if (refs[k] != (int32_t)i && !pt_drawer_type(d, refs[k])) {
      along_joins(d->g->wholes, after, to);
      allow_anything(d->g, to);
      return;
    }
  for (uint32_t t = 0; t < d->g->n_types; t++) {
    for (uint32_t k = 0; k < n; k++)
      in[k] = refs[k] == (int32_t)i ? &d->g->type[t] : pt_drawer_type(d, refs[k]);
    for (uint32_t o = 0; o < d->e->p->n_operators; o++) {
      const PtOperator *op = &d->e->p->operators[o];
      PtFiniteType out;
      if (op->dense || (op->n_in && op->n_in != n) || !pt_operator_apply(op, 0, in, n, &out))
        continue;
      uint32_t r = pt_guide_find(d->g, &out);
      to[t] += r == UINT32_MAX ? 0 : d->g->prior[o] * after[r];
    }
  }
}

/* Together with nothing. */
static void along_flows(const PtPopulateGuide *g, const double *after, double *to) {
  const PtGuideFlow *flow = (const PtGuideFlow *)(const void *)g->flows->data;
  for (uint32_t t = 0; t < g->n_types; t++) {
    double sum = 0;
    for (uint32_t f = g->flow_first[t]; f < g->flow_first[t + 1]; f++)
      sum += flow[f].odds * after[flow[f].to];
    to[t] = sum;
  }
}

void pt_make_future(PtDrawer *d, uint32_t i) {
  const PtPopulateGuide *g = d->g;
  uint32_t n = g->n_types;
  double *future = d->future + (size_t)i * n;
  g_autofree double *to = g_new0(double, n + 1);
  for (uint32_t t = 0; t < n; t++)
    future[t] = d->goal[i] < 0 || d->goal[i] == (int32_t)t;
  for (uint32_t k = d->read[i]; k < d->read[i + 1]; k++) {
    int32_t refs[PT_OPERANDS];
    uint32_t c = d->from[k], n_in = pt_drawer_operands(d, c, refs);
    const double *after = d->future + (size_t)c * n;
    memset(to, 0, n * sizeof *to);
    if (n_in == 1)
      along_flows(g, after, to);
    else if (n_in == 2)
      through_join(d, after, i, refs, to);
    else
      through_many(d, after, i, refs, n_in, to);
    for (uint32_t t = 0; t < n; t++)
      future[t] *= to[t];
  }
  normalize(future, n);
  d->stale[i] = false;
}

/* What comes before a join knows more once one side of it is there, less once it is gone. */
static void spoil(PtDrawer *d, uint32_t i) {
  if (i >= d->e->p->n || d->done[i] || d->stale[i])
    return;
  d->stale[i] = true;
  for (uint32_t k = 0; k < d->e->nodes[i].n_preds; k++)
    spoil(d, d->e->nodes[i].preds[k]);
}

void pt_spoil_around(PtDrawer *d, uint32_t i) {
  for (uint32_t k = d->read[i]; k < d->read[i + 1]; k++) {
    const PtNodeVars *v = &d->e->nodes[d->from[k]];
    for (uint32_t q = 0; q < v->n_preds; q++)
      spoil(d, v->preds[q]);
  }
}
