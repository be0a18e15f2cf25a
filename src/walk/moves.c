/* moves: what the moves share. */
#include "walk/walk_private.h"

const PtWalkMoveRow pt_walk_moves[] = {
    {"regrow", 0.22, pt_move_regrow},
    {"width", 0.08, pt_move_width},
    {"insert", 0.10, pt_move_insert},
    {"delete", 0.10, pt_move_delete},
    {"join", 0.08, pt_move_join},
    {"unjoin", 0.08, pt_move_unjoin},
    {"rewire", 0.06, pt_move_rewire},
    {"swap", 0.05, pt_move_swap},
    {"region in", 0.07, pt_move_region_in},
    {"region out", 0.07, pt_move_region_out},
    {"region swap", 0.09, pt_move_region_swap},
};
const uint32_t pt_walk_n_moves = G_N_ELEMENTS(pt_walk_moves);

const PtWalkUses *pt_walker_uses(PtWalker *w) {
  if (!w->has_uses) {
    pt_walk_uses_make(&w->uses, w->now);
    w->has_uses = true;
  }
  return &w->uses;
}

static void reach(PtWalker *w, uint32_t node, uint32_t *values) {
  const PtWalkUses *u = &w->uses;
  if (w->mark[node])
    return;
  w->mark[node] = 1;
  uint8_t outputs = pt_walk_at(w->now, node)->outputs;
  for (uint32_t k = 0; outputs >> k; k++) {
    if (!(outputs >> k & 1))
      continue;
    ++*values;
    uint32_t i = u->index[node * 8 + k];
    for (uint32_t a = u->start[i]; a < u->start[i + 1]; a++)
      if (u->use[a].node >= 0)
        reach(w, (uint32_t)u->use[a].node, values);
  }
}

uint32_t pt_walker_reached(PtWalker *w, const PtWalkUse *from, uint32_t n) {
  uint32_t values = 0;
  pt_walker_uses(w);
  if (w->room_mark < w->now->n + 1) {
    w->room_mark = w->now->n * 2 + 16;
    w->mark = g_renew(uint8_t, w->mark, w->room_mark);
  }
  memset(w->mark, 0, w->now->n + 1);
  for (uint32_t i = 0; i < n; i++)
    if (from[i].node >= 0)
      reach(w, (uint32_t)from[i].node, &values);
  return values;
}

const PtWalkUse *pt_walker_some_uses(PtWalker *w, uint32_t index, uint32_t *n) {
  const PtWalkUses *u = pt_walker_uses(w);
  uint32_t all = pt_walk_n_uses(u, index);
  if (pt_dice_coin(&w->dice, 0.5)) {
    *n = all;
    return u->use + u->start[index];
  }
  *n = 1;
  return u->use + u->start[index] + pt_dice_below(&w->dice, all);
}

double pt_some_uses_odds(uint32_t taken, uint32_t all) {
  return (taken == all ? 0.5 : 0) + (taken == 1 ? 0.5 / all : 0);
}

uint64_t pt_walk_token(const PtWalkState *s, PtWalkRef ref) {
  return ref < 0 ? 0x1157 : pt_walk_at(s, (uint32_t)ref >> 3)->token + ((uint64_t)ref & 7);
}

void pt_walk_connect(PtWalkState *s, const PtWalkUse *uses, uint32_t n, PtWalkRef to) {
  for (uint32_t i = 0; i < n; i++)
    if (uses[i].node == PT_WALK_OUT)
      s->outs[uses[i].slot] = to;
    else
      s->refs[s->nodes[uses[i].node].in + uses[i].slot] = to;
}

PtWalkRef pt_walk_append(PtWalkState *s, const PtWalkChain *chain, PtWalkRef from) {
  for (uint32_t i = 0; i < chain->n; i++)
    from = pt_walk_add(s, chain->template[i], chain -> width[i], &from, 1);
  return from;
}

PtChainPlace pt_walk_place(const PtWalker *w, PtWalkRef from, int32_t target) {
  return (PtChainPlace){.habits = w->habits,
                        .face = w->now->face,
                        .library = w->now->library,
                        .before = pt_walk_token(w->now, from),
                        .start = *pt_walk_ref_type(w->now, from),
                        .target = target,
                        .motifs = true};
}
