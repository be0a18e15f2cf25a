/* moves_region: a whole region with one value in and one out (a normalization in its parts, a gate,
 * a residual block) put in, taken out, exchanged for another. */
#include "walk/walk_private.h"

#include <math.h>

/* ---- regions of a state
 * ----------------------------------------------------------------------------------- */
static bool is_plain(const PtWalkTemplate *t) {
  return t->moves_floats && t->outputs == 1 && !t->n_captures && t->n_data <= PT_REGION_INPUTS;
}

static bool contains(const PtWalkRegionAt *r, PtWalkRef ref) {
  for (uint32_t i = 0; ref >= 0 && i < r->n; i++)
    if (r->nodes[i] == (uint32_t)ref >> 3)
      return true;
  return false;
}

/* The one value that comes in, or how many (2: more than one); *latest: the node made last. */
static uint32_t values_in(const PtWalkState *s, PtWalkRegionAt *r, int64_t *latest) {
  uint32_t n = 0;
  *latest = -1;
  for (uint32_t i = 0; i < r->n; i++) {
    const PtWalkNode *node = &s->nodes[r->nodes[i]];
    for (uint32_t k = 0; k < node->n_in; k++) {
      PtWalkRef x = s->refs[node->in + k];
      if (contains(r, x))
        continue;
      if (n == 0 || x != r->entry)
        n = MIN(n + 1, 2);
      r->entry = x;
      if (x >= 0)
        *latest = MAX(*latest, x >> 3);
    }
  }
  return n;
}

/* Nodes but the last are read inside only. */
static bool is_closed(const PtWalkUses *u, const PtWalkRegionAt *r) {
  for (uint32_t i = 1; i < r->n; i++) {
    uint32_t v = u->index[(size_t)r->nodes[i] * 8];
    for (uint32_t a = u->start[v]; a < u->start[v + 1]; a++)
      if (u->use[a].node < 0 || !contains(r, (PtWalkRef)(u->use[a].node << 3)))
        return false;
  }
  return true;
}

/* Going back from the exit, the node made last is taken in next: a node of the region comes before
 * the maker of its entry, so every region of this exit is met. */
uint32_t pt_walk_regions(const PtWalkState *s, const PtWalkUses *u, uint32_t exit,
                         PtWalkRegionAt *out) {
  PtWalkRegionAt r = {.n = 1, .nodes = {exit}};
  uint32_t found = 0;
  if (!is_plain(pt_walk_at(s, exit)))
    return 0;
  for (;;) {
    int64_t latest;
    uint32_t in = values_in(s, &r, &latest);
    if (in == 1 && r.n > 1 && is_closed(u, &r) && pt_walk_region_hash(s, &r) &&
        pt_walk_is_data(pt_walk_ref_type(s, r.entry)))
      out[found++] = r;
    if (in == 0 || latest < 0 || r.n == PT_REGION_MAX || !is_plain(pt_walk_at(s, (uint32_t)latest)))
      return found;
    r.nodes[r.n++] = (uint32_t)latest;
  }
}

static uint32_t place_of(const PtWalkRegionAt *r, PtWalkRef ref) {
  uint32_t i = 0;
  while (r->nodes[i] != (uint32_t)ref >> 3)
    i++;
  return i;
}

/* Widths apart; 0 where two nodes are alike, as then the region could stand in several ways. The
 * nodes' order is from the exit back, so makers have higher places. */
uint64_t pt_walk_region_hash(const PtWalkState *s, const PtWalkRegionAt *r) {
  uint64_t up[PT_REGION_MAX] = {0}, down[PT_REGION_MAX] = {0}, all = 0, place[PT_REGION_MAX];
  for (uint32_t i = r->n; i-- > 0;) {
    const PtWalkNode *n = &s->nodes[r->nodes[i]];
    up[i] = n->template + 1;
    for (uint32_t k = 0; k < n->n_in; k++) {
      PtWalkRef x = s->refs[n->in + k];
      up[i] = pt_hash_mix(up[i], contains(r, x) ? up[place_of(r, x)] : 0xe);
    }
  }
  down[0] = 0xf;
  for (uint32_t i = 0; i < r->n; i++) {
    const PtWalkNode *n = &s->nodes[r->nodes[i]];
    place[i] = pt_hash_mix(up[i], down[i]);
    for (uint32_t k = 0; k < n->n_in; k++) {
      PtWalkRef x = s->refs[n->in + k];
      if (contains(r, x))
        down[place_of(r, x)] += pt_hash_mix(place[i], k);
    }
    for (uint32_t k = 0; k < i; k++)
      if (place[k] == place[i])
        return 0;
    all += pt_hash_mix(place[i], 5);
  }
  return pt_hash_mix(all, r->n) | 1;
}

/* ---- proposals
 * ------------------------------------------------------------------------------------------ */
static uint64_t list_key(const PtWalkState *s, PtWalkRef entry) {
  return pt_habit_key(PT_HABIT_REGION, (uint64_t)pt_walk_ref_type(s, entry)->rank, 0);
}

static double width_odds(const PtWalker *w, int32_t target, int32_t width) {
  return log(0.6 * (width == target) + 0.4 * pt_width_odds(w->habits, w->now->face, width));
}

/* log odds that this region of `now` is drawn for its entry and this target. */
static double region_odds(const PtWalker *w, const PtWalkRegionAt *r, int32_t target) {
  const PtWalkState *s = w->now;
  double at = pt_map64_get(&s->library->region_index, pt_walk_region_hash(s, r), 0), odds;
  if (at <= 0)
    return -INFINITY;
  odds = log(pt_habits_odds(w->habits, list_key(s, r->entry), (uint64_t)at - 1));
  for (uint32_t i = 0; i < r->n; i++)
    if (pt_walk_at(s, r->nodes[i])->dense)
      odds += width_odds(w, target, s->nodes[r->nodes[i]].width);
  return odds;
}

typedef struct Drawn {
  const PtWalkRegion *region;
  int32_t width[PT_REGION_MAX];
  PtWalkType type[PT_REGION_MAX]; /* the exit's last */
  double odds;
} Drawn;

static bool draw_region(PtWalker *w, PtWalkRef entry, int32_t target, Drawn *d) {
  const PtWalkState *s = w->now;
  uint64_t key = list_key(s, entry);
  const PtWalkDraw *list = pt_habits_draw(w->habits, key);
  if (!list)
    return false;
  uint64_t item = list->item[pt_dice_weighted(&w->dice, list->cum, list->n)];
  d->region = s->library->regions->pdata[item];
  d->odds = log(pt_habits_odds(w->habits, key, item));
  for (uint32_t i = 0; i < d->region->n; i++) {
    const PtRegionNode *n = &d->region->nodes[i];
    const PtWalkTemplate *t = pt_walk_template(s->library, n->template);
    const PtWalkType *in[PT_REGION_INPUTS];
    d->width[i] = 0;
    if (t->dense) {
      d->width[i] =
          pt_dice_coin(&w->dice, 0.6) ? target : pt_width_draw(w->habits, s->face, &w->dice);
      if (d->width[i] < 1)
        return false;
      d->odds += width_odds(w, target, d->width[i]);
    }
    for (uint32_t k = 0; k < n->n_in; k++)
      in[k] = n->in[k] < 0 ? pt_walk_ref_type(s, entry) : &d->type[n->in[k]];
    if (!pt_walk_infer(t, d->width[i], in, &d->type[i]))
      return false;
  }
  return true;
}

static PtWalkRef add_region(PtWalkState *s, const Drawn *d, PtWalkRef entry) {
  PtWalkRef made[PT_REGION_MAX] = {0}, in[PT_REGION_INPUTS];
  for (uint32_t i = 0; i < d->region->n; i++) {
    const PtRegionNode *n = &d->region->nodes[i];
    for (uint32_t k = 0; k < n->n_in; k++)
      in[k] = n->in[k] < 0 ? entry : made[n->in[k]];
    made[i] = pt_walk_add(s, n->template, d->width[i], in, n->n_in);
  }
  s->nodes[s->n - 1].tag = 1;
  return made[d->region->n - 1];
}

/* How many regions the tagged node of `next` is the exit of; the one of n nodes must be among them.
 */
static uint32_t regions_of_next(PtWalker *w, uint32_t n) {
  PtWalkRegionAt list[PT_REGION_MAX];
  PtWalkState *s = w->next;
  PtWalkUses u = {0};
  uint32_t exit = 0, count;
  bool found = false;
  for (uint32_t i = 0; i < s->n; i++)
    if (s->nodes[i].tag) {
      s->nodes[i].tag = 0;
      exit = i;
    }
  pt_walk_uses_make(&u, s);
  count = pt_walk_regions(s, &u, exit, list);
  for (uint32_t i = 0; i < count; i++)
    found |= list[i].n == n;
  pt_walk_uses_clear(&u);
  return found ? count : 0;
}

/* ---- moves
 * --------------------------------------------------------------------------------------------- */
bool pt_move_region_in(PtWalker *w) {
  const PtWalkState *s = w->now;
  const PtWalkUses *u = pt_walker_uses(w);
  uint32_t i = pt_dice_below(&w->dice, u->n_values), taken;
  const PtWalkUse *uses = pt_walker_some_uses(w, i, &taken);
  PtWalkRef entry = u->value[i];
  const PtWalkType *type = pt_walk_ref_type(s, entry);
  Drawn d;
  if (!pt_walk_is_data(type) || !draw_region(w, entry, pt_walk_width(type), &d) ||
      !pt_walk_same(&d.type[d.region->n - 1], type))
    return false;
  pt_walk_state_set(w->next, s);
  pt_walk_connect(w->next, uses, taken, add_region(w->next, &d, entry));
  if (!pt_walk_settle(w->next))
    return false;
  uint32_t count = regions_of_next(w, d.region->n);
  if (!count)
    return false;
  w->log_ratio = log(1.0 / w->next->n / count) - d.odds -
                 log(pt_some_uses_odds(taken, pt_walk_n_uses(u, i)) / u->n_values);
  return true;
}

/* A region of `now`, with the odds that it is picked. */
static bool pick_region(PtWalker *w, PtWalkRegionAt *r, double *odds) {
  PtWalkRegionAt list[PT_REGION_MAX];
  const PtWalkState *s = w->now;
  uint32_t exit = pt_dice_below(&w->dice, s->n);
  uint32_t count = pt_walk_regions(s, pt_walker_uses(w), exit, list);
  if (!count)
    return false;
  *r = list[pt_dice_below(&w->dice, count)];
  *odds = log(1.0 / s->n / count);
  return true;
}

static void drop_region(PtWalkState *s, const PtWalkRegionAt *r) {
  for (uint32_t i = 0; i < r->n; i++)
    s->nodes[r->nodes[i]].template = PT_WALK_DEAD;
}

bool pt_move_region_out(PtWalker *w) {
  const PtWalkState *s = w->now;
  PtWalkRegionAt r;
  double there;
  if (!pick_region(w, &r, &there))
    return false;
  const PtWalkUses *u = pt_walker_uses(w);
  const PtWalkType *type = pt_walk_ref_type(s, r.entry);
  uint32_t i = u->index[(size_t)r.nodes[0] * 8], taken = pt_walk_n_uses(u, i), inside = 0;
  uint32_t e = pt_walk_index(u, r.entry);
  for (uint32_t a = u->start[e]; a < u->start[e + 1]; a++)
    inside += u->use[a].node >= 0 && contains(&r, (PtWalkRef)(u->use[a].node << 3));
  double some = pt_some_uses_odds(taken, pt_walk_n_uses(u, e) - inside + taken);
  double back = region_odds(w, &r, pt_walk_width(type));
  if (!isfinite(back) || some <= 0 || !pt_walk_same(type, &s->nodes[r.nodes[0]].type))
    return false;
  pt_walk_state_set(w->next, s);
  pt_walk_connect(w->next, u->use + u->start[i], taken, r.entry);
  drop_region(w->next, &r);
  if (!pt_walk_settle(w->next))
    return false;
  w->log_ratio = back + log(some / (u->n_values - r.n)) - there;
  return true;
}

bool pt_move_region_swap(PtWalker *w) {
  const PtWalkState *s = w->now;
  PtWalkRegionAt r;
  double there;
  Drawn d;
  if (!pick_region(w, &r, &there))
    return false;
  const PtWalkUses *u = pt_walker_uses(w);
  const PtWalkType *type = &s->nodes[r.nodes[0]].type;
  uint32_t i = u->index[(size_t)r.nodes[0] * 8];
  double back = region_odds(w, &r, pt_walk_width(type));
  if (!isfinite(back) || !draw_region(w, r.entry, pt_walk_width(type), &d) ||
      !pt_walk_same(&d.type[d.region->n - 1], type))
    return false;
  pt_walk_state_set(w->next, s);
  pt_walk_connect(w->next, u->use + u->start[i], pt_walk_n_uses(u, i),
                  add_region(w->next, &d, r.entry));
  drop_region(w->next, &r);
  if (!pt_walk_settle(w->next))
    return false;
  uint32_t count = regions_of_next(w, d.region->n);
  if (!count)
    return false;
  w->log_ratio = back + log(1.0 / w->next->n / count) - d.odds - there;
  return true;
}
