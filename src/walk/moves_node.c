/* moves_node: an edge rewired, a node's attributes replaced, widths that belong together redrawn.
 */
#include "walk/walk_private.h"

#include <math.h>

bool pt_move_rewire(PtWalker *w) {
  const PtWalkState *s = w->now;
  uint32_t slot = pt_dice_below(&w->dice, s->n_refs + s->face->n_out);
  PtWalkUse use = {PT_WALK_OUT, slot - s->n_refs};
  for (uint32_t i = 0; slot < s->n_refs && i < s->n; i++)
    if (slot >= s->nodes[i].in && slot < s->nodes[i].in + s->nodes[i].n_in)
      use = (PtWalkUse){(int32_t)i, slot - s->nodes[i].in};
  PtWalkRef now = use.node < 0 ? s->outs[use.slot] : s->refs[slot];
  const PtWalkType *type = pt_walk_ref_type(s, now);
  if (!pt_walk_is_data(type))
    return false; /* shapes and indices: another of the type would mean another thing */
  const PtWalkUses *u = pt_walker_uses(w);
  (void)pt_walker_reached(w, &use, 1);
  uint32_t n = 0;
  PtWalkRef few[256];
  for (uint32_t i = 0; i < u->n_values && n < G_N_ELEMENTS(few); i++) {
    PtWalkRef r = u->value[i];
    if (r != now && !(r >= 0 && w->mark[r >> 3]) && !(use.node < 0 && r < 0) &&
        pt_walk_same(pt_walk_ref_type(s, r), type))
      few[n++] = r;
  }
  if (n == 0 || n == G_N_ELEMENTS(few))
    return false;
  pt_walk_state_set(w->next, s);
  pt_walk_connect(w->next, &use, 1, few[pt_dice_below(&w->dice, n)]);
  w->log_ratio = 0; /* neither what the user reaches nor the types change */
  return pt_walk_settle(w->next);
}

bool pt_move_swap(PtWalker *w) {
  const PtWalkState *s = w->now;
  uint32_t v = pt_dice_below(&w->dice, s->n);
  const PtWalkTemplate *t = pt_walk_at(s, v);
  uint64_t key = pt_habit_group(t);
  const PtWalkDraw *d = pt_habits_draw(w->habits, key);
  if (!d || !t->moves_floats)
    return false;
  uint32_t old = s->nodes[v].template;
  uint32_t new = (uint32_t)d->item[pt_dice_weighted(&w->dice, d->cum, d->n)];
  double back = pt_habits_odds(w->habits, key, old);
  if (new == old || back <= 0 || pt_walk_template(s->library, new)->dense != t->dense ||
      !pt_walk_template(s->library, new)->moves_floats)
    return false;
  pt_walk_state_set(w->next, s);
  w->next->nodes[v].template = new;
  w->log_ratio = log(back) - log(pt_habits_odds(w->habits, key, new));
  return pt_walk_settle(w->next);
}

/* ---- widths
 * -------------------------------------------------------------------------------------------- */
static uint32_t root(uint32_t *parent, uint32_t v) {
  while (parent[v] != v)
    v = parent[v] = parent[parent[v]];
  return v;
}

static bool keeps_width(const PtWalkTemplate *t) {
  return t->kind == PT_WALK_SAME || t->kind == PT_WALK_POOL || t->kind == PT_WALK_GLOBAL_POOL ||
         t->kind == PT_WALK_REDUCE || (t->kind == PT_WALK_CONV && t->groups == 0);
}

/* As heads and their sizes go through attention. */
static bool keeps_heads(const PtWalkTemplate *t) {
  return t->kind == PT_WALK_MATMUL || t->kind == PT_WALK_TRANSPOSE || pt_walk_is_steered(t);
}

/* mark[node]: dense nodes whose widths are one with that of `node`, seen through attention if
 * `heads`; false if it is the interface's too. parent: [inputs + nodes] scratch. */
static bool width_class(const PtWalkState *s, uint32_t node, bool heads, uint32_t *parent,
                        uint8_t *mark) {
  uint32_t n_in = s->face->n_in;
#define AT(ref) ((ref) < 0 ? (uint32_t)(-1 - (ref)) : n_in + ((uint32_t)(ref) >> 3))
  for (uint32_t i = 0; i < n_in; i++)
    parent[i] = i;
  for (uint32_t i = n_in; i < n_in + s->n; i++)
    parent[i] = i;
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    const PtWalkTemplate *t = pt_walk_at(s, i);
    bool binary = t->binary;
    bool keeps = keeps_width(t) || (heads && keeps_heads(t));
    for (uint32_t k = 0; k < n->n_in && (binary || keeps); k++) {
      PtWalkRef r = s->refs[n->in + k];
      if (!binary || pt_walk_width(pt_walk_ref_type(s, r)) == pt_walk_width(&n->type))
        parent[root(parent, n_in + i)] = root(parent, AT(r));
    }
  }
  uint32_t of = root(parent, n_in + node);
  for (uint32_t i = 0; i < n_in; i++)
    if (root(parent, i) == of)
      return false;
  for (uint32_t i = 0; i < s->face->n_out; i++)
    if (root(parent, AT(s->outs[i])) == of)
      return false;
  for (uint32_t i = 0; i < s->n; i++)
    if ((mark[i] = pt_walk_at(s, i)->dense && root(parent, n_in + i) == of) && heads &&
        s->nodes[i].width != s->nodes[node].width)
      return false;
  return true;
#undef AT
}

bool pt_move_width(PtWalker *w) {
  const PtWalkState *s = w->now;
  uint32_t n_dense = 0;
  for (uint32_t i = 0; i < s->n; i++)
    n_dense += pt_walk_at(s, i)->dense;
  if (n_dense == 0)
    return false;
  uint32_t pick = pt_dice_below(&w->dice, n_dense), v = 0;
  for (uint32_t i = 0; i < s->n; i++)
    if (pt_walk_at(s, i)->dense && pick-- == 0)
      v = i;
  uint32_t size = s->n + s->face->n_in;
  g_autofree uint32_t *parent = g_new(uint32_t, size);
  g_autofree uint8_t *mark = g_new0(uint8_t, 2 * size);
  uint8_t *again = mark + size;
  int32_t old = s->nodes[v].width;
  double back = pt_width_odds(w->habits, s->face, old);
  bool heads = pt_dice_coin(&w->dice, 0.5);
  if (back <= 0 || !width_class(s, v, heads, parent, mark))
    return false;
  int32_t new = pt_width_draw(w->habits, s->face, &w->dice);
  if (new < 1 || new == old)
    return false;
  pt_walk_state_set(w->next, s);
  for (uint32_t i = 0; i < s->n; i++)
    if (mark[i])
      w->next->nodes[i].width = new;
  /* the order is topological already, so settling keeps the nodes' numbers */
  if (!pt_walk_settle(w->next) || !width_class(w->next, v, heads, parent, again) ||
      memcmp(mark, again, s->n) != 0)
    return false;
  w->log_ratio = log(back) - log(pt_width_odds(w->habits, s->face, new));
  return true;
}
