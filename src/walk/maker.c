/* maker: of a piece, what computes on floats anew from a topology and room populate's operators;
 * the rest stays, between nodes that come before and nodes that come after it as in the real
 * piece. */
#include "walk/maker.h"

#define WIDTHS 24
#define OWN 2.0 /* what follows what in the model counts so many times the corpus */
#define LEAST_LIKENESS 0.01
#define LEAST_WEIGHTS (INT64_C(1) << 18)

typedef struct Site {
  PtGraph *graph; /* borrowed */
  PtWalkFace *face;
  GArray *origins;
  PtWalkState *read, *real; /* as read; settled. NULL: not readable */
  bool *moves;              /* [real->n] is replaced */
  uint32_t n_moves;
  uint32_t *before; /* [real->n + 1] how many nodes before this one are replaced */
  /* what crosses the border of the replaced part; at: how many replaced nodes are before */
  GArray *in, *out;
  GArray *uses;      /* PtTemplateUse of the corpus, the more the more alike it is */
  GArray *operators; /* PtOperator */
  int32_t widths[WIDTHS];
  uint32_t n_widths, extra;
  PtSize *size; /* [face->n_in + real->n] of the inputs, of nodes' first outputs, about */
  PtPopulateGuide *guide;
} Site;
typedef struct Border {
  PtWalkRef ref; /* in `real` */
  uint32_t at;
  bool also;       /* in: others read it, too; out: others than the piece's outputs read it */
  uint32_t output; /* of the piece, UINT32_MAX: of what stays */
} Border;

struct PtWalkMaker {
  PtWalkModel *model;
  Site *sites;
  uint32_t n;
  PtLikelihood *likelihood;
  GArray *own; /* PtTemplateUse */
  GArray *own_widths;
};

/* ---- what is replaced -------------------------------------------------------------------------
 */
static bool node_moves(const PtWalkState *s, uint32_t i) {
  const PtWalkNode *n = &s->nodes[i];
  PtOperator op;
  if (n->n_in == 0 || !pt_walk_is_data(&n->type) ||
      !pt_walk_operator(pt_walk_at(s, i), n->template, &op))
    return false;
  for (uint32_t k = 0; k < n->n_in; k++)
    if (!pt_walk_is_data(pt_walk_ref_type(s, s->refs[n->in + k])))
      return false;
  return true;
}

static void find_moves(Site *site) {
  const PtWalkState *s = site->real;
  site->moves = g_new0(bool, s->n + 1);
  site->before = g_new0(uint32_t, s->n + 1);
  for (uint32_t i = 0; i < s->n; i++) {
    site->before[i] = site->n_moves;
    site->moves[i] = node_moves(s, i);
    site->n_moves += site->moves[i];
  }
  site->before[s->n] = site->n_moves;
}

static bool ref_moves(const Site *site, PtWalkRef ref) {
  return ref >= 0 && site->moves[ref >> 3];
}

static Border *border_of(GArray *list, PtWalkRef ref) {
  for (guint i = 0; i < list->len; i++)
    if (g_array_index(list, Border, i).ref == ref)
      return &g_array_index(list, Border, i);
  Border new = {.ref = ref, .at = UINT32_MAX, .output = UINT32_MAX};
  g_array_append_val(list, new);
  return &g_array_index(list, Border, list->len - 1);
}

static void find_border(Site *site) {
  const PtWalkState *s = site->real;
  site->in = g_array_new(FALSE, FALSE, sizeof(Border));
  site->out = g_array_new(FALSE, FALSE, sizeof(Border));
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++) {
      PtWalkRef r = s->refs[s->nodes[i].in + k];
      if (site->moves[i] && !ref_moves(site, r))
        border_of(site->in, r)->at = r < 0 ? 0 : site->before[r >> 3];
      if (!site->moves[i] && ref_moves(site, r)) {
        Border *b = border_of(site->out, r);
        b->at = MIN(b->at, site->before[i]);
        b->also = true;
      }
    }
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++)
      for (guint b = 0; !site->moves[i] && b < site->in->len; b++)
        if (g_array_index(site->in, Border, b).ref == s->refs[s->nodes[i].in + k])
          g_array_index(site->in, Border, b).also = true;
  for (uint32_t o = 0; o < s->face->n_out; o++) {
    if (s->outs[o] >= 0 && !ref_moves(site, s->outs[o]))
      for (guint b = 0; b < site->in->len; b++)
        if (g_array_index(site->in, Border, b).ref == s->outs[o])
          g_array_index(site->in, Border, b).also = true;
    if (!ref_moves(site, s->outs[o]))
      continue;
    /* an output of the piece is one of its own, read by others or not */
    Border own = {.ref = s->outs[o], .at = site->n_moves, .output = o};
    g_array_append_val(site->out, own);
  }
}

/* Nodes that read others of the piece and something from outside. */
static uint32_t count_extra(const Site *site) {
  const PtWalkState *s = site->real;
  uint32_t extra = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    bool inside = false, outside = false;
    for (uint32_t k = 0; site->moves[i] && k < s->nodes[i].n_in; k++) {
      bool moves = ref_moves(site, s->refs[s->nodes[i].in + k]);
      inside |= moves;
      outside |= !moves;
    }
    extra += inside && outside;
  }
  return extra;
}

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

typedef struct Width {
  int32_t width;
  double count;
} Width;

static void count_width(GArray *widths, int32_t width, double count) {
  for (guint i = 0; i < widths->len; i++)
    if (g_array_index(widths, Width, i).width == width) {
      g_array_index(widths, Width, i).count += count;
      return;
    }
  Width new = {width, count};
  if (width > 0)
    g_array_append_val(widths, new);
}

static int by_count(const void *a, const void *b) {
  const Width *x = a, *y = b;
  return x->count > y->count ? -1 : x->count < y->count ? 1 : x->width - y->width;
}

/* The interface's, those of the model, and halves and doubles. */
static void find_widths(const PtWalkMaker *m, Site *site) {
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Width));
  for (uint32_t i = 0; i < site->face->n_widths; i++) {
    int32_t w = site->face->widths[i];
    count_width(all, w, 1e6);
    for (int32_t k = 2; k <= 4; k *= 2) {
      count_width(all, w <= 1 << 20 ? w * k : 0, 2);
      count_width(all, w % k == 0 ? w / k : 0, 2);
    }
  }
  for (uint32_t i = 0; i < site->real->n; i++)
    if (pt_walk_at(site->real, i)->dense)
      count_width(all, site->real->nodes[i].width, 20);
  for (guint i = 0; i < m->own_widths->len; i++)
    count_width(all, g_array_index(m->own_widths, Width, i).width,
                g_array_index(m->own_widths, Width, i).count);
  g_array_sort(all, by_count);
  for (guint i = 0; i < all->len && site->n_widths < WIDTHS; i++)
    site->widths[site->n_widths++] = g_array_index(all, Width, i).width;
}

static uint32_t ranks_of(const Site *site) {
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

/* ---- sizes ------------------------------------------------------------------------------------
 */
#define SCALE 4.0 /* log2 of how much larger the larger inputs are */
#define LARGER                                                                                     \
  2.0 /* log2 of how much larger than the real piece's outputs may be: half the trial's,           \
         as sizes are estimates */
#define STEEPER 5.5

static PtSize size_at(const Site *site, PtWalkRef ref) {
  return ref < 0 ? site->size[-1 - ref] : site->size[site->real->face->n_in + (uint32_t)(ref >> 3)];
}

/* Of the real piece's values. What has no rule is as large as what it reads. */
static void estimate_sizes(Site *site) {
  const PtWalkState *s = site->real;
  site->size = g_new0(PtSize, s->face->n_in + s->n + 1);
  for (uint32_t i = 0; i < s->face->n_in; i++)
    site->size[i] = (PtSize){0, pt_walk_is_data(&s->face->in[i]) ? SCALE : 0};
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    PtOperator op = {0};
    PtFiniteType types[64];
    const PtFiniteType *in[64];
    PtSize of[64], *to = &site->size[s->face->n_in + i];
    uint32_t n_in = MIN(n->n_in, 64);
    for (uint32_t k = 0; k < n_in; k++) {
      types[k] = pt_finite_of(pt_walk_ref_type(s, s->refs[n->in + k]));
      in[k] = &types[k];
      of[k] = size_at(site, s->refs[n->in + k]);
    }
    if (n_in == 0)
      continue;
    if (!pt_walk_operator(pt_walk_at(s, i), n->template, &op))
      op = (PtOperator){.growth = PT_GROWTH_KEEPS};
    *to = pt_operator_size(&op, in, of, n_in);
  }
}

/* Of an output of what is made: the trial's bounds. */
static PtSize most_at(const Site *site, PtWalkRef ref) {
  PtSize real = size_at(site, ref), most = real;
  for (uint32_t i = 0; i < site->real->face->n_in; i++)
    most.once = MAX(most.once, site->size[i].once);
  return (PtSize){most.once + LARGER, MAX(real.times - real.once, STEEPER)};
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
static void learn_corpus(PtWalkMaker *m) {
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

/* ---- making ready -----------------------------------------------------------------------------
 */
static void read_piece(PtWalkMaker *m, Site *site, PtGraph *graph) {
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
  find_moves(site);
  find_border(site);
  site->extra = count_extra(site);
  estimate_sizes(site);
  pt_walk_count_uses(m->own, site->real, 1);
  for (uint32_t i = 0; i < site->real->n; i++)
    if (pt_walk_at(site->real, i)->dense)
      count_width(m->own_widths, site->real->nodes[i].width, 1);
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
  m->sites = g_new0(Site, m->n + 1);
  m->likelihood = pt_likelihood_new();
  m->own = g_array_new(FALSE, TRUE, sizeof(PtTemplateUse));
  m->own_widths = g_array_new(FALSE, FALSE, sizeof(Width));
  for (uint32_t i = 0; i < m->n; i++)
    read_piece(m, &m->sites[i], pieces->pdata[i]);
  learn_corpus(m);
  limit_weights(m);
  for (uint32_t i = 0; i < m->n; i++) {
    Site *site = &m->sites[i];
    if (!site->real)
      continue;
    find_widths(m, site);
    site->operators = pt_walk_operators_for(model->library, site->uses, m->own, ranks_of(site),
                                            site->face->opset, at_random);
  }
  return m;
}

static void site_clear(Site *site) {
  pt_walk_state_free(site->read);
  pt_walk_state_free(site->real);
  pt_walk_face_free(site->face);
  pt_populate_guide_free(site->guide);
  g_free(site->size);
  g_free(site->moves);
  g_free(site->before);
  GArray *lists[] = {site->origins, site->in, site->out, site->uses, site->operators};
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
  const Site *site = &m->sites[index];
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
      bool again = !ref_moves(site, r);
      for (uint32_t j = 0; j < k && !again; j++)
        again = s->refs[s->nodes[i].in + j] == r;
      if (again)
        continue;
      arc.from = site->before[r >> 3];
      g_array_append_val(outline->arcs, arc);
    }
}

/* ---- filling ----------------------------------------------------------------------------------
 */
/* Where something that had `at` of all replaced nodes before it stands among n others. */
static uint32_t scaled(uint32_t at, uint32_t all, uint32_t n) {
  if (at == 0 || at >= all || n < 2)
    return at == 0 ? 0 : n;
  uint32_t to = (uint32_t)(((uint64_t)at * n + all - 1) / all);
  return CLAMP(to, 1, n - 1);
}

typedef struct Filling {
  const PtWalkMaker *m;
  const Site *site;
  uint32_t n;
  PtPopulateInput *inputs;
  PtPopulateOutput *outputs;
} Filling;

static void set_border(Filling *f) {
  const Site *site = f->site;
  f->inputs = g_new0(PtPopulateInput, site->in->len + 1);
  f->outputs = g_new0(PtPopulateOutput, site->out->len + 1);
  for (guint i = 0; i < site->in->len; i++) {
    const Border *b = &g_array_index(site->in, Border, i);
    f->inputs[i].type = pt_finite_of(pt_walk_ref_type(site->real, b->ref));
    f->inputs[i].from = scaled(b->at, site->n_moves, f->n);
    f->inputs[i].optional = b->also;
    f->inputs[i].size = size_at(site, b->ref);
  }
  for (guint i = 0; i < site->out->len; i++) {
    const Border *b = &g_array_index(site->out, Border, i);
    f->outputs[i].type = pt_finite_of(pt_walk_ref_type(site->real, b->ref));
    f->outputs[i].before = scaled(b->at, site->n_moves, f->n);
    f->outputs[i].shared = b->output == UINT32_MAX;
    f->outputs[i].most = most_at(site, b->ref);
  }
}

/* The solution's nodes first, then those that stay; settling puts them in order. */
static PtWalkState *assemble(const Filling *f, const PtSolution *solution) {
  const Site *site = f->site;
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
    const Border *b = &g_array_index(site->out, Border, o);
    if (b->output == UINT32_MAX)
      moved[b->ref] = (PtWalkRef)(solution->outputs[o] << 3);
  }
  for (uint32_t i = 0; i < f->n; i++) {
    const PtAssigned *a = &solution->nodes[i];
    const PtOperator *op = &g_array_index(site->operators, PtOperator, a->op);
    g_array_set_size(refs, 0);
    for (uint32_t k = 0; k < a->n_in; k++) {
      int32_t from = solution->refs[a->in + k];
      PtWalkRef r =
          from >= 0 ? (PtWalkRef)(from << 3) : g_array_index(site->in, Border, -1 - from).ref;
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
    if (!ref_moves(site, real->outs[o]))
      s->outs[o] = real->outs[o] < 0 ? real->outs[o] : moved[real->outs[o]];
  for (guint o = 0; o < site->out->len; o++) {
    const Border *b = &g_array_index(site->out, Border, o);
    if (b->output != UINT32_MAX)
      s->outs[b->output] = (PtWalkRef)(solution->outputs[o] << 3);
  }
  if (!pt_walk_settle(s))
    g_clear_pointer(&s, pt_walk_state_free);
  return s;
}

static PtPopulateProblem problem_of(const Filling *f, const PtArc *arcs, uint32_t n_arcs) {
  const Site *site = f->site;
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
                             .extra = site->extra};
}

void pt_walk_maker_guide(PtWalkMaker *m, uint32_t index, bool at_random) {
  Site *site = &m->sites[index];
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
  const Site *site = &m->sites[index];
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
  const Site *site = &m->sites[i];
  return site->real ? pt_walk_write(site->read, site->graph, site->origins, origin) : NULL;
}

uint64_t pt_walk_maker_looks(const PtWalkMaker *m, uint32_t i) {
  return m->sites[i].real ? pt_walk_looks(m->sites[i].real) : 0;
}
