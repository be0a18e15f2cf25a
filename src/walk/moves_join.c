/* moves_join: a value joined with a branch by a binary operator (residuals, gates, squeeze and
 * excitation, inverted bottlenecks), and parted again. */
#include "walk/walk_private.h"

#include <math.h>

#define SELF_SHARE 0.5 /* the branch starts where it joins */

/* Odds that the branch for value `at` starts at `x`, of `free` values that may be its start. */
static double start_odds(bool same, uint32_t free) {
  return (same ? SELF_SHARE : 0) + (1 - SELF_SHARE) / free;
}

static PtChainPlace branch_place(const PtWalker *w, PtWalkRef x, PtWalkRef t) {
  PtChainPlace p = pt_walk_place(w, x, pt_walk_width(pt_walk_ref_type(w->now, t)));
  p.branch = true;
  p.motifs = x == t;
  return p;
}

/* The i-th value that the marked nodes do not make. */
static PtWalkRef nth_free(const PtWalker *w, uint32_t i) {
  const PtWalkUses *u = &w->uses;
  for (uint32_t k = 0; k < u->n_values; k++)
    if ((u->value[k] < 0 || !w->mark[u->value[k] >> 3]) && i-- == 0)
      return u->value[k];
  return -1;
}

static bool binary_fits(const PtWalker *w, uint32_t template, const PtWalkType *t,
                        const PtWalkType *x) {
  const PtWalkType *in[2] = {t, x};
  PtWalkType out;
  return pt_walk_infer(pt_walk_template(w->now->library, template), 0, in, &out) &&
         pt_walk_same(&out, t);
}

bool pt_move_join(PtWalker *w) {
  const PtWalkState *s = w->now;
  const PtWalkUses *u = pt_walker_uses(w);
  uint32_t i = pt_dice_below(&w->dice, u->n_values), taken;
  const PtWalkUse *uses = pt_walker_some_uses(w, i, &taken);
  PtWalkRef t = u->value[i], x = t;
  PtWalkType type = *pt_walk_ref_type(s, t);
  uint32_t free = u->n_values - pt_walker_reached(w, uses, taken);
  uint64_t key = pt_habit_key(PT_HABIT_BINARY, (uint64_t)type.rank, 0);
  const PtWalkDraw *binaries = type.rank >= 0 ? pt_habits_draw(w->habits, key) : NULL;
  if (!binaries)
    return false;
  if (!pt_dice_coin(&w->dice, SELF_SHARE))
    x = nth_free(w, pt_dice_below(&w->dice, free));
  PtChainPlace place = branch_place(w, x, t);
  PtWalkChain chain;
  if (!pt_chain_draw(&place, &w->dice, &chain))
    return false;
  uint32_t binary =
      (uint32_t)binaries->item[pt_dice_weighted(&w->dice, binaries->cum, binaries->n)];
  bool first = pt_dice_coin(&w->dice, 0.5);
  if (!binary_fits(w, binary, &type, &chain.end))
    return false;
  pt_walk_state_set(w->next, s);
  PtWalkRef end = pt_walk_append(w->next, &chain, x), in[2];
  in[first ? 0 : 1] = t;
  in[first ? 1 : 0] = end;
  PtWalkRef b = pt_walk_add(w->next, binary, 0, in, 2);
  pt_walk_connect(w->next, uses, taken, b);
  double there = pt_chain_odds(&place, &chain) + log(start_odds(x == t, free)) +
                 log(pt_habits_odds(w->habits, key, binary)) +
                 log(pt_some_uses_odds(taken, pt_walk_n_uses(u, i)) / u->n_values);
  if (!pt_walk_settle(w->next))
    return false;
  w->log_ratio = log(1.0 / w->next->n) + log(1.0 / (PT_CHAIN_MAX + 1)) - there;
  return true;
}

/* The chain of n operators that ends in `end`, each read by one only; its start. */
static bool follow_back(PtWalker *w, PtWalkRef end, uint32_t n, PtWalkChain *chain, uint32_t *nodes,
                        PtWalkRef *start) {
  const PtWalkState *s = w->now;
  const PtWalkUses *u = pt_walker_uses(w);
  chain->n = n;
  for (uint32_t i = n; i-- > 0;) {
    if (end < 0 || !pt_walk_at(s, (uint32_t)end >> 3)->single ||
        pt_walk_n_uses(u, pt_walk_index(u, end)) != 1)
      return false;
    const PtWalkNode *node = &s->nodes[end >> 3];
    nodes[i] = (uint32_t)end >> 3;
    chain->template[i] = node->template;
    chain->width[i] = node->width;
    end = s->refs[node->in];
  }
  *start = end;
  return true;
}

static bool is_marked(const PtWalker *w, PtWalkRef r) {
  return r >= 0 && w->mark[r >> 3];
}

bool pt_move_unjoin(PtWalker *w) {
  const PtWalkState *s = w->now;
  uint32_t b = pt_dice_below(&w->dice, s->n), nodes[PT_CHAIN_MAX + 1];
  const PtWalkNode *node = &s->nodes[b];
  if (!pt_walk_at(s, b)->binary)
    return false;
  bool first = pt_dice_coin(&w->dice, 0.5);
  uint32_t n = pt_dice_below(&w->dice, PT_CHAIN_MAX + 1);
  PtWalkRef t = s->refs[node->in + (first ? 0 : 1)], end = s->refs[node->in + (first ? 1 : 0)], x;
  PtWalkChain chain;
  const PtWalkType *type = pt_walk_ref_type(s, t);
  if (!pt_walk_same(type, &node->type) || type->rank < 0 ||
      !follow_back(w, end, n, &chain, nodes, &x) ||
      !binary_fits(w, node->template, type, pt_walk_ref_type(s, end)))
    return false;
  const PtWalkUses *u = pt_walker_uses(w);
  uint32_t i = u->index[(size_t)b * 8], taken = pt_walk_n_uses(u, i);
  const PtWalkUse *uses = u->use + u->start[i];
  /* the value in whose uses the binary node is put on the way back */
  uint32_t left = pt_walk_n_uses(u, pt_walk_index(u, t)) - 1 - (x == t ? 1 : 0);
  uint32_t values = u->n_values - n - 1, free = values - pt_walker_reached(w, uses, taken);
  if (is_marked(w, x) || is_marked(w, t))
    return false;
  PtChainPlace place = branch_place(w, x, t);
  double back = pt_chain_odds(&place, &chain), some = pt_some_uses_odds(taken, left + taken);
  double binary = pt_habits_odds(w->habits, pt_habit_key(PT_HABIT_BINARY, (uint64_t)type->rank, 0),
                                 node->template);
  if (!isfinite(back) || some <= 0 || binary <= 0)
    return false;
  nodes[n] = b;
  pt_walk_state_set(w->next, s);
  pt_walk_connect(w->next, uses, taken, t);
  for (uint32_t k = 0; k <= n; k++)
    w->next->nodes[nodes[k]].template = PT_WALK_DEAD;
  double there = log(1.0 / s->n) + log(1.0 / (PT_CHAIN_MAX + 1));
  if (!pt_walk_settle(w->next))
    return false;
  w->log_ratio = back + log(start_odds(x == t, free)) + log(binary) + log(some / values) - there;
  return true;
}
