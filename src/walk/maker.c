/* maker: of a piece, what computes on floats anew from a topology and room populate's operators;
 * the rest stays, between nodes that come before and nodes that come after it as in the real
 * piece. */
#include "walk/maker.h"

#define LEAST_WEIGHTS (INT64_C(1) << 18)

/* ---- making ready -----------------------------------------------------------------------------
 */
static void read_piece(PtWalkMaker *m, PtMakerSite *site, PtGraph *graph) {
  PtWalkLibrary *l = m->model->library;
  site->graph = graph;
  site->face = pt_walk_face_new(l, graph);
  site->origins = g_array_new(FALSE, FALSE, sizeof(PtNodeId));
  site->read = pt_walk_read(l, site->face, graph, site->origins, NULL);
  site->real = site->read ? pt_walk_state_copy(site->read) : NULL;
  if (site->real && !pt_walk_settle(site->real))
    g_clear_pointer(&site->real, pt_walk_state_free);
  if (!site->real)
    return;
  pt_maker_find_moves(site);
  pt_maker_find_border(site);
  site->extra = pt_maker_count_extra(site);
  pt_maker_find_sizes(site);
  pt_maker_find_joins(site);
  pt_maker_estimate_sizes(site);
  pt_walk_count_uses(m->own, site->real, 1);
  for (uint32_t i = 0; i < site->real->n; i++)
    if (pt_walk_at(site->real, i)->dense)
      pt_maker_count_width(m->own_widths, site->real->nodes[i].width, 1);
}

/* noise.bin is as large as the largest real piece needs, a power of two: what is made has to fit.
 */
static void limit_weights(PtWalkMaker *m) {
  int64_t largest = LEAST_WEIGHTS, limit = 1;
  for (uint32_t i = 0; i < m->n; i++)
    if (m->sites[i].real)
      largest = MAX(largest, pt_walk_weights(m->sites[i].real));
  while (limit < largest && limit < INT64_C(1) << 62)
    limit *= 2;
  for (uint32_t i = 0; i < m->n; i++)
    m->sites[i].face->weights = limit;
}

PtWalkMaker *pt_walk_maker_new(PtWalkModel *model, GPtrArray *pieces, bool at_random) {
  PtWalkMaker *m = g_new0(PtWalkMaker, 1);
  m->model = model;
  m->n = pieces->len;
  m->sites = g_new0(PtMakerSite, m->n + 1);
  m->likelihood = pt_likelihood_new();
  m->own = g_array_new(FALSE, TRUE, sizeof(PtTemplateUse));
  m->own_widths = g_array_new(FALSE, FALSE, sizeof(PtMakerWidth));
  for (uint32_t i = 0; i < m->n; i++)
    read_piece(m, &m->sites[i], pieces->pdata[i]);
  pt_maker_learn_corpus(m);
  limit_weights(m);
  for (uint32_t i = 0; i < m->n; i++) {
    PtMakerSite *site = &m->sites[i];
    if (!site->real)
      continue;
    pt_maker_find_widths(m, site);
    site->operators = pt_walk_operators_for(model->library, site->uses, m->own, site->real,
                                            pt_maker_ranks_of(site), at_random);
  }
  return m;
}

static void site_clear(PtMakerSite *site) {
  pt_walk_state_free(site->read);
  pt_walk_state_free(site->real);
  pt_walk_face_free(site->face);
  pt_populate_guide_free(site->guide);
  g_free(site->size);
  g_free(site->moves);
  g_free(site->before);
  GArray *lists[] = {site->origins,   site->in,    site->out,   site->uses,
                     site->operators, site->sizes, site->types, site->many};
  for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
    GArray *list = lists[i];
    if (list)
      g_array_unref(list);
  }
}

void pt_walk_maker_free(PtWalkMaker *m) {
  if (!m)
    return;
  for (uint32_t i = 0; i < m->n; i++)
    site_clear(&m->sites[i]);
  g_free(m->sites);
  pt_likelihood_free(m->likelihood);
  g_array_unref(m->own);
  g_array_unref(m->own_widths);
  g_free(m);
}

const PtLikelihood *pt_walk_maker_likelihood(const PtWalkMaker *m) {
  return m->likelihood;
}

void pt_walk_maker_outline(const PtWalkMaker *m, uint32_t index, PtWalkOutline *outline) {
  const PtMakerSite *site = &m->sites[index];
  *outline = (PtWalkOutline){.arcs = g_array_new(FALSE, FALSE, sizeof(PtArc))};
  if (!site->real)
    return;
  const PtWalkState *s = site->real;
  outline->n = site->n_moves;
  outline->n_inputs = site->in->len;
  outline->n_outputs = site->out->len;
  for (guint i = 0; i < site->operators->len; i++)
    outline->arities |= UINT64_C(1) << (g_array_index(site->operators, PtOperator, i).n_in & 63);
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; site->moves[i] && k < s->nodes[i].n_in; k++) {
      PtWalkRef r = s->refs[s->nodes[i].in + k];
      PtArc arc = {0, site->before[i]};
      bool again = !pt_maker_ref_moves(site, r);
      for (uint32_t j = 0; j < k && !again; j++)
        again = s->refs[s->nodes[i].in + j] == r;
      if (again)
        continue;
      arc.from = site->before[r >> 3];
      g_array_append_val(outline->arcs, arc);
    }
}

/* ---- out again --------------------------------------------------------------------------------
 */
uint64_t pt_walk_made_looks(const PtWalkMade *made) {
  return pt_walk_looks(made);
}

void pt_walk_made_free(PtWalkMade *made) {
  pt_walk_state_free(made);
}

PtGraph *pt_walk_maker_write(const PtWalkMaker *m, uint32_t i, const PtWalkMade *made) {
  return pt_walk_write(made, m->sites[i].graph, NULL, NULL);
}

PtGraph *pt_walk_maker_real(const PtWalkMaker *m, uint32_t i, PtValueId **origin) {
  const PtMakerSite *site = &m->sites[i];
  return site->real ? pt_walk_write(site->read, site->graph, site->origins, origin) : NULL;
}

uint64_t pt_walk_maker_looks(const PtWalkMaker *m, uint32_t i) {
  return m->sites[i].real ? pt_walk_looks(m->sites[i].real) : 0;
}
