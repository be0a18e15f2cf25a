/* maker_learn: what the corpus and the model do, as much as it is alike. */
#include "walk/maker.h"

#define OWN 2.0 /* what follows what in the model counts so many times the corpus */
#define LEAST_LIKENESS 0.01

/* ---- what is learned --------------------------------------------------------------------------
 */
static uint64_t token_at(const PtWalkState *s, PtWalkRef r) {
  return r < 0 ? PT_TOKEN_INPUT : pt_walk_at(s, (uint32_t)r >> 3)->token;
}

static uint64_t token_before(const PtWalkState *s, PtWalkRef r) {
  if (r < 0 || s->nodes[r >> 3].n_in == 0)
    return PT_TOKEN_INPUT;
  return token_at(s, s->refs[s->nodes[r >> 3].in]);
}

static void learn(PtLikelihood *l, const PtWalkState *s, double times) {
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    for (uint32_t k = 0; k < n->n_in; k++) {
      PtWalkRef r = s->refs[n->in + k];
      pt_likelihood_add(l, token_before(s, r), token_at(s, r), pt_walk_at(s, i)->token, times);
    }
    if (n->n_in && pt_walk_at(s, i)->dense)
      pt_likelihood_add_width(l, pt_walk_width(pt_walk_ref_type(s, s->refs[n->in])), n->width,
                              times);
  }
  for (uint32_t o = 0; o < s->face->n_out; o++)
    pt_likelihood_add(l, token_before(s, s->outs[o]), token_at(s, s->outs[o]), PT_TOKEN_END, times);
}

void pt_maker_count_width(GArray *widths, int32_t width, double count) {
  for (guint i = 0; i < widths->len; i++)
    if (g_array_index(widths, PtMakerWidth, i).width == width) {
      g_array_index(widths, PtMakerWidth, i).count += count;
      return;
    }
  PtMakerWidth new = {width, count};
  if (width > 0)
    g_array_append_val(widths, new);
}

static int by_count(const void *a, const void *b) {
  const PtMakerWidth *x = a, *y = b;
  return x->count > y->count ? -1 : x->count < y->count ? 1 : x->width - y->width;
}

/* The interface's, those of the model, and halves and doubles. */
void pt_maker_find_widths(const PtWalkMaker *m, PtMakerSite *site) {
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(PtMakerWidth));
  for (uint32_t i = 0; i < site->face->n_widths; i++) {
    int32_t w = site->face->widths[i];
    pt_maker_count_width(all, w, 1e6);
    for (int32_t k = 2; k <= 4; k *= 2) {
      pt_maker_count_width(all, w <= 1 << 20 ? w * k : 0, 2);
      pt_maker_count_width(all, w % k == 0 ? w / k : 0, 2);
    }
  }
  for (uint32_t i = 0; i < site->real->n; i++)
    if (pt_walk_at(site->real, i)->dense)
      pt_maker_count_width(all, site->real->nodes[i].width, 20);
  for (guint i = 0; i < m->own_widths->len; i++)
    pt_maker_count_width(all, g_array_index(m->own_widths, PtMakerWidth, i).width,
                         g_array_index(m->own_widths, PtMakerWidth, i).count);
  g_array_sort(all, by_count);
  for (guint i = 0; i < all->len && site->n_widths < PT_MAKER_WIDTHS; i++)
    site->widths[site->n_widths++] = g_array_index(all, PtMakerWidth, i).width;
}

uint32_t pt_maker_ranks_of(const PtMakerSite *site) {
  uint32_t ranks = 0;
  const PtWalkState *s = site->real;
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; site->moves[i] && k <= s->nodes[i].n_in; k++) {
      const PtWalkType *t = k < s->nodes[i].n_in ? pt_walk_ref_type(s, s->refs[s->nodes[i].in + k])
                                                 : &s->nodes[i].type;
      ranks |= t->rank >= 0 ? 1u << t->rank : 0;
    }
  return ranks;
}

/* ---- company ----------------------------------------------------------------------------------
 */
/* How often each operator occurs, as a direction: the likeness of two pieces is the square of the
 * cosine, so that image pieces learn from image pieces. */
static void count_operators(PtMap64 *counts, const PtWalkState *s) {
  for (uint32_t i = 0; i < s->n; i++)
    ++*pt_map64_at(counts, pt_walk_at(s, i)->opcode);
}

static double likeness(const PtMap64 *a, const PtMap64 *b) {
  double ab = 0, aa = 0, bb = 0;
  for (uint32_t i = 0; i < a->size; i++)
    if (a->keys[i]) {
      aa += a->values[i] * a->values[i];
      ab += a->values[i] * pt_map64_get(b, a->keys[i], 0);
    }
  for (uint32_t i = 0; i < b->size; i++)
    bb += b->keys[i] ? b->values[i] * b->values[i] : 0;
  return aa > 0 && bb > 0 ? ab * ab / (aa * bb) : 0;
}

/* The corpus as the model's pieces together, and as each of them, see it. */
void pt_maker_learn_corpus(PtWalkMaker *m) {
  PtMap64 *own = g_new0(PtMap64, m->n + 1), all = {0};
  double corpus = 0, nodes = 0;
  for (uint32_t i = 0; i < m->n; i++)
    if (m->sites[i].real) {
      m->sites[i].uses = g_array_new(FALSE, TRUE, sizeof(PtTemplateUse));
      count_operators(&own[i], m->sites[i].real);
      count_operators(&all, m->sites[i].real);
    }
  for (guint k = 0; k < m->model->pieces->len; k++) {
    const PtWalkState *s = ((const PtWalkPiece *)m->model->pieces->pdata[k])->state;
    PtMap64 counts = {0};
    count_operators(&counts, s);
    double like = likeness(&all, &counts) + LEAST_LIKENESS;
    learn(m->likelihood, s, like);
    corpus += like * s->n;
    for (uint32_t i = 0; i < m->n; i++)
      if (m->sites[i].real)
        pt_walk_count_uses(m->sites[i].uses, s, likeness(&own[i], &counts));
    pt_map64_clear(&counts);
  }
  for (uint32_t i = 0; i < m->n; i++)
    nodes += m->sites[i].real ? m->sites[i].real->n : 0;
  for (uint32_t i = 0; i < m->n; i++) {
    if (m->sites[i].real)
      learn(m->likelihood, m->sites[i].real, OWN * corpus / nodes);
    pt_map64_clear(&own[i]);
  }
  pt_map64_clear(&all);
  g_free(own);
}
