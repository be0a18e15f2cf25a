/* maker_site: what of a piece is replaced, what crosses the border of that, and how large values
 * are. */
#include "walk/maker.h"

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

void pt_maker_find_moves(PtMakerSite *site) {
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

bool pt_maker_ref_moves(const PtMakerSite *site, PtWalkRef ref) {
  return ref >= 0 && site->moves[ref >> 3];
}

static PtMakerBorder *border_of(GArray *list, PtWalkRef ref) {
  for (guint i = 0; i < list->len; i++)
    if (g_array_index(list, PtMakerBorder, i).ref == ref)
      return &g_array_index(list, PtMakerBorder, i);
  PtMakerBorder new = {.ref = ref, .at = UINT32_MAX, .output = UINT32_MAX};
  g_array_append_val(list, new);
  return &g_array_index(list, PtMakerBorder, list->len - 1);
}

void pt_maker_find_border(PtMakerSite *site) {
  const PtWalkState *s = site->real;
  site->in = g_array_new(FALSE, FALSE, sizeof(PtMakerBorder));
  site->out = g_array_new(FALSE, FALSE, sizeof(PtMakerBorder));
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++) {
      PtWalkRef r = s->refs[s->nodes[i].in + k];
      if (site->moves[i] && !pt_maker_ref_moves(site, r))
        border_of(site->in, r)->at = r < 0 ? 0 : site->before[r >> 3];
      if (!site->moves[i] && pt_maker_ref_moves(site, r)) {
        PtMakerBorder *b = border_of(site->out, r);
        b->at = MIN(b->at, site->before[i]);
        b->also = true;
      }
    }
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++)
      for (guint b = 0; !site->moves[i] && b < site->in->len; b++)
        if (g_array_index(site->in, PtMakerBorder, b).ref == s->refs[s->nodes[i].in + k])
          g_array_index(site->in, PtMakerBorder, b).also = true;
  for (uint32_t o = 0; o < s->face->n_out; o++) {
    if (s->outs[o] >= 0 && !pt_maker_ref_moves(site, s->outs[o]))
      for (guint b = 0; b < site->in->len; b++)
        if (g_array_index(site->in, PtMakerBorder, b).ref == s->outs[o])
          g_array_index(site->in, PtMakerBorder, b).also = true;
    if (!pt_maker_ref_moves(site, s->outs[o]))
      continue;
    /* an output of the piece is one of its own, read by others or not */
    PtMakerBorder own = {.ref = s->outs[o], .at = site->n_moves, .output = o};
    g_array_append_val(site->out, own);
  }
}

/* Nodes that read others of the piece and something from outside. */
uint32_t pt_maker_count_extra(const PtMakerSite *site) {
  const PtWalkState *s = site->real;
  uint32_t extra = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    bool inside = false, outside = false;
    for (uint32_t k = 0; site->moves[i] && k < s->nodes[i].n_in; k++) {
      bool moves = pt_maker_ref_moves(site, s->refs[s->nodes[i].in + k]);
      inside |= moves;
      outside |= !moves;
    }
    extra += inside && outside;
  }
  return extra;
}

/* Sums of widths, say, that are nobody's width. */
void pt_maker_find_sizes(PtMakerSite *site) {
  const PtWalkState *s = site->real;
  site->sizes = g_array_new(FALSE, FALSE, sizeof(int32_t));
  for (uint32_t i = 0; i < s->n; i++)
    for (int32_t d = 0; site->moves[i] && d < s->nodes[i].type.rank; d++) {
      int32_t size = s->nodes[i].type.dims[d];
      bool known = size < 1;
      for (guint k = 0; k < site->sizes->len && !known; k++)
        known = g_array_index(site->sizes, int32_t, k) == size;
      if (!known)
        g_array_append_val(site->sizes, size);
    }
}

/* Of nodes that read several values: what they make, and how many they read. */
void pt_maker_find_joins(PtMakerSite *site) {
  const PtWalkState *s = site->real;
  site->types = g_array_new(FALSE, FALSE, sizeof(PtFiniteType));
  site->many = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    uint32_t inside = 0, outside = 0;
    for (uint32_t k = 0; site->moves[i] && k < n->n_in; k++) {
      bool again = false;
      for (uint32_t j = 0; j < k; j++)
        again |= s->refs[n->in + j] == s->refs[n->in + k];
      inside += !again && pt_maker_ref_moves(site, s->refs[n->in + k]);
      outside += !again && !pt_maker_ref_moves(site, s->refs[n->in + k]);
    }
    if (!site->moves[i] || n->n_in < 2)
      continue;
    PtFiniteType type = pt_finite_of(&n->type);
    g_array_append_val(site->types, type);
    if (outside > 2) {
      inside += outside;
      g_array_append_val(site->many, inside);
    }
  }
}

/* ---- sizes ------------------------------------------------------------------------------------
 */
#define SCALE 4.0 /* log2 of how much larger the larger inputs are */
#define LARGER                                                                                     \
  2.0 /* log2 of how much larger than the real piece's outputs may be: half the trial's,           \
         as sizes are estimates */
#define STEEPER 5.5

PtSize pt_maker_size_at(const PtMakerSite *site, PtWalkRef ref) {
  return ref < 0 ? site->size[-1 - ref] : site->size[site->real->face->n_in + (uint32_t)(ref >> 3)];
}

/* Of the real piece's values. What has no rule is as large as what it reads. */
void pt_maker_estimate_sizes(PtMakerSite *site) {
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
      of[k] = pt_maker_size_at(site, s->refs[n->in + k]);
    }
    if (n_in == 0)
      continue;
    if (!pt_walk_operator(pt_walk_at(s, i), n->template, &op))
      op = (PtOperator){.growth = PT_GROWTH_KEEPS};
    *to = pt_operator_size(&op, in, of, n_in);
  }
}

/* Of an output of what is made: the trial's bounds. */
PtSize pt_maker_most_at(const PtMakerSite *site, PtWalkRef ref) {
  PtSize real = pt_maker_size_at(site, ref), most = real;
  for (uint32_t i = 0; i < site->real->face->n_in; i++)
    most.once = MAX(most.once, site->size[i].once);
  return (PtSize){most.once + LARGER, MAX(real.times - real.once, STEEPER)};
}
