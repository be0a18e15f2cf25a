/* moves_chain: a chain regrown, put in, taken out. */
#include "walk/walk_private.h"

#include <math.h>

/* Cumulative odds of the length of a chain that is replaced or taken out, 1 to 8. */
static const double lengths[PT_CHAIN_MAX] = {0.35, 0.57, 0.72, 0.81, 0.88, 0.93, 0.97, 1};

static double length_odds(uint32_t n) {
  return n > 1 ? lengths[n - 1] - lengths[n - 2] : lengths[0];
}

/* The chain of `n` operators from `node` on, each the only user of the one before; its nodes. */
static bool follow(PtWalker *w, uint32_t node, uint32_t n, PtWalkChain *chain, uint32_t *nodes) {
  const PtWalkState *s = w->now;
  const PtWalkUses *u = pt_walker_uses(w);
  chain->n = 0;
  for (;;) {
    if (!pt_walk_at(s, node)->single)
      return false;
    nodes[chain->n] = node;
    chain->template[chain->n] = s->nodes[node].template;
    chain->width[chain->n++] = s->nodes[node].width;
    if (chain->n == n)
      return true;
    uint32_t i = u->index[(size_t)node * 8];
    if (pt_walk_n_uses(u, i) != 1 || u->use[u->start[i]].node < 0)
      return false;
    node = (uint32_t)u->use[u->start[i]].node;
  }
}

static bool same_chain(const PtWalkChain *a, const PtWalkChain *b) {
  return a->n == b->n && !memcmp(a->template, b->template, a->n * sizeof *a->template) &&
         !memcmp(a->width, b->width, a->n * sizeof *a->width);
}

static void drop(PtWalkState *s, const uint32_t *nodes, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    s->nodes[nodes[i]].template = PT_WALK_DEAD;
}

bool pt_move_regrow(PtWalker *w) {
  const PtWalkState *s = w->now;
  PtWalkChain old, new;
  uint32_t nodes[PT_CHAIN_MAX], v = pt_dice_below(&w->dice, s->n);
  uint32_t n = 1 + pt_dice_weighted(&w->dice, lengths, PT_CHAIN_MAX);
  if (!follow(w, v, n, &old, nodes))
    return false;
  PtWalkRef from = s->refs[s->nodes[v].in], end = (PtWalkRef)(nodes[n - 1] << 3);
  const PtWalkType *type = pt_walk_ref_type(s, end);
  PtChainPlace place = pt_walk_place(w, from, pt_walk_width(type));
  double back = pt_chain_odds(&place, &old);
  if (!isfinite(back) || !pt_chain_draw(&place, &w->dice, &new) || !pt_walk_same(&new.end, type) ||
      same_chain(&old, &new))
    return false;
  double there = pt_chain_odds(&place, &new);
  const PtWalkUses *u = pt_walker_uses(w);
  uint32_t i = u->index[end];
  pt_walk_state_set(w->next, s);
  PtWalkRef to = pt_walk_append(w->next, &new, from);
  pt_walk_connect(w->next, u->use + u->start[i], pt_walk_n_uses(u, i), to);
  drop(w->next, nodes, n);
  if (!pt_walk_settle(w->next))
    return false;
  w->log_ratio = back + log(length_odds(new.n) / w->next->n) - there - log(length_odds(n) / s->n);
  return true;
}

bool pt_move_insert(PtWalker *w) {
  const PtWalkState *s = w->now;
  const PtWalkUses *u = pt_walker_uses(w);
  uint32_t i = pt_dice_below(&w->dice, u->n_values), taken;
  const PtWalkUse *uses = pt_walker_some_uses(w, i, &taken);
  PtWalkRef from = u->value[i];
  const PtWalkType *type = pt_walk_ref_type(s, from);
  PtChainPlace place = pt_walk_place(w, from, pt_walk_width(type));
  PtWalkChain chain;
  if (!pt_chain_draw(&place, &w->dice, &chain) || !pt_walk_same(&chain.end, type))
    return false;
  double there = pt_chain_odds(&place, &chain);
  pt_walk_state_set(w->next, s);
  PtWalkRef to = pt_walk_append(w->next, &chain, from);
  pt_walk_connect(w->next, uses, taken, to);
  if (!pt_walk_settle(w->next))
    return false;
  w->log_ratio = log(length_odds(chain.n) / w->next->n) - there -
                 log(pt_some_uses_odds(taken, pt_walk_n_uses(u, i)) / u->n_values);
  return true;
}

bool pt_move_delete(PtWalker *w) {
  const PtWalkState *s = w->now;
  PtWalkChain chain;
  uint32_t nodes[PT_CHAIN_MAX], v = pt_dice_below(&w->dice, s->n);
  uint32_t n = 1 + pt_dice_weighted(&w->dice, lengths, PT_CHAIN_MAX);
  if (!follow(w, v, n, &chain, nodes))
    return false;
  PtWalkRef from = s->refs[s->nodes[v].in], end = (PtWalkRef)(nodes[n - 1] << 3);
  const PtWalkType *type = pt_walk_ref_type(s, from);
  if (!pt_walk_same(type, pt_walk_ref_type(s, end)))
    return false;
  PtChainPlace place = pt_walk_place(w, from, pt_walk_width(type));
  double back = pt_chain_odds(&place, &chain);
  const PtWalkUses *u = pt_walker_uses(w);
  uint32_t i = u->index[end], taken = pt_walk_n_uses(u, i);
  uint32_t all = pt_walk_n_uses(u, pt_walk_index(u, from)) - 1 + taken;
  double some = pt_some_uses_odds(taken, all);
  if (!isfinite(back) || some <= 0)
    return false;
  pt_walk_state_set(w->next, s);
  pt_walk_connect(w->next, u->use + u->start[i], taken, from);
  drop(w->next, nodes, n);
  if (!pt_walk_settle(w->next))
    return false;
  w->log_ratio = back + log(some / (u->n_values - n)) - log(length_odds(n) / s->n);
  return true;
}
