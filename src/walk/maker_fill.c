/* maker_fill: room populate's solutions as pieces. */
#include "walk/maker.h"

/* ---- filling ----------------------------------------------------------------------------------
 */
/* Where something that had `at` of all replaced nodes before it stands among n others. */
static uint32_t scaled(uint32_t at, uint32_t all, uint32_t n) {
  if (at == 0 || at >= all || n < 2)
    return at == 0 ? 0 : n;
  uint32_t to = (uint32_t)(((uint64_t)at * n + all - 1) / all);
  return CLAMP(to, 1, n - 1);
}

void pt_walk_maker_border(const PtWalkMaker *m, uint32_t index, uint32_t n, GArray *from,
                          GArray *before) {
  const PtMakerSite *site = &m->sites[index];
  for (guint i = 0; site->real && i < site->in->len; i++) {
    uint32_t at = scaled(g_array_index(site->in, PtMakerBorder, i).at, site->n_moves, n);
    g_array_append_val(from, at);
  }
  for (guint i = 0; site->real && i < site->out->len; i++) {
    uint32_t at = scaled(g_array_index(site->out, PtMakerBorder, i).at, site->n_moves, n);
    g_array_append_val(before, at);
  }
}

typedef struct Filling {
  const PtWalkMaker *m;
  const PtMakerSite *site;
  uint32_t n;
  PtPopulateInput *inputs;
  PtPopulateOutput *outputs;
} Filling;

static void set_border(Filling *f) {
  const PtMakerSite *site = f->site;
  f->inputs = g_new0(PtPopulateInput, site->in->len + 1);
  f->outputs = g_new0(PtPopulateOutput, site->out->len + 1);
  for (guint i = 0; i < site->in->len; i++) {
    const PtMakerBorder *b = &g_array_index(site->in, PtMakerBorder, i);
    f->inputs[i].type = pt_finite_of(pt_walk_ref_type(site->real, b->ref));
    f->inputs[i].from = scaled(b->at, site->n_moves, f->n);
    f->inputs[i].optional = b->also;
    f->inputs[i].size = pt_maker_size_at(site, b->ref);
  }
  for (guint i = 0; i < site->out->len; i++) {
    const PtMakerBorder *b = &g_array_index(site->out, PtMakerBorder, i);
    f->outputs[i].type = pt_finite_of(pt_walk_ref_type(site->real, b->ref));
    f->outputs[i].before = scaled(b->at, site->n_moves, f->n);
    f->outputs[i].shared = b->output == UINT32_MAX;
    f->outputs[i].most = pt_maker_most_at(site, b->ref);
  }
}

/* The solution's nodes first, then those that stay; settling puts them in order. */
static PtWalkState *assemble(const Filling *f, const PtSolution *solution) {
  const PtMakerSite *site = f->site;
  const PtWalkState *real = site->real;
  PtWalkState *s = pt_walk_state_new(site->face, f->m->model->library);
  g_autoptr(GArray) refs = g_array_new(FALSE, FALSE, sizeof(PtWalkRef));
  g_autofree PtWalkRef *moved = g_new0(PtWalkRef, (real->n + 1) * 8);
  uint32_t stays = f->n;
  for (uint32_t i = 0; i < real->n; i++)
    if (!site->moves[i]) {
      for (uint32_t k = 0; k < 8; k++)
        moved[i * 8 + k] = (PtWalkRef)(stays << 3 | k);
      stays++;
    }
  for (guint o = 0; o < site->out->len; o++) {
    const PtMakerBorder *b = &g_array_index(site->out, PtMakerBorder, o);
    if (b->output == UINT32_MAX)
      moved[b->ref] = (PtWalkRef)(solution->outputs[o] << 3);
  }
  for (uint32_t i = 0; i < f->n; i++) {
    const PtAssigned *a = &solution->nodes[i];
    const PtOperator *op = &g_array_index(site->operators, PtOperator, a->op);
    g_array_set_size(refs, 0);
    for (uint32_t k = 0; k < a->n_in; k++) {
      int32_t from = solution->refs[a->in + k];
      PtWalkRef r = from >= 0 ? (PtWalkRef)(from << 3)
                              : g_array_index(site->in, PtMakerBorder, -1 - from).ref;
      if (from < 0 && r >= 0)
        r = moved[r];
      g_array_append_val(refs, r);
    }
    (void)pt_walk_add(s, op->id, a->width, (const PtWalkRef *)(const void *)refs->data, refs->len);
  }
  for (uint32_t i = 0; i < real->n; i++) {
    const PtWalkNode *n = &real->nodes[i];
    if (site->moves[i])
      continue;
    g_array_set_size(refs, 0);
    for (uint32_t k = 0; k < n->n_in; k++) {
      PtWalkRef r = real->refs[n->in + k];
      r = r < 0 ? r : moved[r];
      g_array_append_val(refs, r);
    }
    (void)pt_walk_add(s, n->template, n->width, (const PtWalkRef *)(const void *)refs->data,
                      refs->len);
  }
  for (uint32_t o = 0; o < real->face->n_out; o++)
    if (!pt_maker_ref_moves(site, real->outs[o]))
      s->outs[o] = real->outs[o] < 0 ? real->outs[o] : moved[real->outs[o]];
  for (guint o = 0; o < site->out->len; o++) {
    const PtMakerBorder *b = &g_array_index(site->out, PtMakerBorder, o);
    if (b->output != UINT32_MAX)
      s->outs[b->output] = (PtWalkRef)(solution->outputs[o] << 3);
  }
  if (!pt_walk_settle(s))
    g_clear_pointer(&s, pt_walk_state_free);
  return s;
}

static PtPopulateProblem problem_of(const Filling *f, const PtArc *arcs, uint32_t n_arcs) {
  const PtMakerSite *site = f->site;
  return (PtPopulateProblem){.n = f->n,
                             .arcs = arcs,
                             .n_arcs = n_arcs,
                             .inputs = f->inputs,
                             .n_inputs = site->in->len,
                             .outputs = f->outputs,
                             .n_outputs = site->out->len,
                             .operators = (const PtOperator *)(void *)site->operators->data,
                             .n_operators = site->operators->len,
                             .widths = site->widths,
                             .n_widths = site->n_widths,
                             .sizes = (const int32_t *)(const void *)site->sizes->data,
                             .n_sizes = site->sizes->len,
                             .types = (const PtFiniteType *)(const void *)site->types->data,
                             .n_types = site->types->len,
                             .many = (const uint32_t *)(const void *)site->many->data,
                             .n_many = site->many->len,
                             .extra = site->extra};
}

void pt_walk_maker_guide(PtWalkMaker *m, uint32_t index, bool at_random) {
  PtMakerSite *site = &m->sites[index];
  if (!site->real || site->n_moves == 0)
    return;
  Filling f = {.m = m, .site = site, .n = site->n_moves};
  set_border(&f);
  PtPopulateProblem problem = problem_of(&f, NULL, 0);
  site->guide = pt_populate_guide_new(&problem, at_random ? NULL : m->likelihood);
  g_free(f.inputs);
  g_free(f.outputs);
}

bool pt_walk_maker_fill(const PtWalkMaker *m, uint32_t index, uint32_t n, const PtArc *arcs,
                        uint32_t n_arcs, const PtPopulateOptions *options, PtRng *rng,
                        GPtrArray *out, PtPopulateStats *stats, GError **error) {
  const PtMakerSite *site = &m->sites[index];
  g_autoptr(GPtrArray) solutions = g_ptr_array_new_with_free_func((GDestroyNotify)pt_solution_free);
  if (!site->real || site->n_moves == 0)
    return true;
  Filling f = {.m = m, .site = site, .n = n};
  set_border(&f);
  PtPopulateProblem problem = problem_of(&f, arcs, n_arcs);
  PtPopulateOptions with = *options;
  with.guide = site->guide;
  bool ok = pt_populate_assign_operators(&problem, &with, rng, NULL, solutions, stats, error);
  for (guint i = 0; ok && i < solutions->len; i++) {
    PtWalkState *s = assemble(&f, solutions->pdata[i]);
    if (s)
      g_ptr_array_add(out, s);
  }
  g_free(f.inputs);
  g_free(f.outputs);
  return ok;
}
