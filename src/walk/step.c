/* step: Metropolis-Hastings. */
#include "walk/walk_private.h"

#include <math.h>

void pt_walker_init(PtWalker *w, const PtWalkState *start, const PtWalkHabits *habits,
                    const PtWalkEnergy *energy, PtRng *rng) {
  *w = (PtWalker){.habits = habits, .energy = energy, .dice = {.rng = rng}, .heat = 1};
  w->now = pt_walk_state_copy(start);
  w->next = pt_walk_state_new(start->face, start->library);
  w->now->has_energy = false;
}

void pt_walker_clear(PtWalker *w) {
  pt_walk_state_free(w->now);
  pt_walk_state_free(w->next);
  pt_walk_state_free(w->mirrored);
  pt_walk_uses_clear(&w->uses);
  pt_features_clear(&w->features);
  g_free(w->mark);
}

double pt_walk_log_pi(PtWalker *w, PtWalkState *s) {
  if (s->has_energy)
    return s->energy;
  double sum = 0;
  if (w->energy) {
    const PtWalkEnergy *e = w->energy;
    pt_features_make(&w->features, s);
    for (uint32_t i = 0; i < w->features.n; i++) {
      uint64_t id = w->features.id[i];
      const double *weight = pt_map64_find(&e->weights, id);
      if (!weight && e->base)
        weight = pt_map64_find(&e->base->weights, id);
      sum += weight ? *weight : (e->base ? e->base : e)->family[id & (PT_FEATURE_FAMILIES - 1)];
    }
  }
  s->energy = sum;
  s->has_energy = true;
  return sum;
}

void pt_energy_clear(PtWalkEnergy *e) {
  pt_map64_clear(&e->weights);
}

bool pt_walk_propose(PtWalker *w, uint32_t move) {
  return pt_walk_moves[move].propose(w);
}

static bool mirrors(PtWalker *w) {
  if (w->n_twins && !w->mirrored)
    w->mirrored = pt_walk_state_new(w->now->face, w->now->library);
  for (uint32_t i = 0; i < w->n_twins; i++)
    if (!pt_walk_mirror(w->twins[i], w->next, w->mirrored))
      return false;
  return true;
}

static uint32_t pick_move(PtWalker *w) {
  double u = pt_rng_unit(w->dice.rng);
  for (uint32_t i = 0; i + 1 < pt_walk_n_moves; i++) {
    u -= pt_walk_moves[i].weight;
    if (u < 0)
      return i;
  }
  return pt_walk_n_moves - 1;
}

static bool is_taken(const PtWalker *w, const PtWalkState *s) {
  uint64_t looks = w->taken ? pt_walk_looks(s) : 0;
  return w->taken && g_hash_table_contains(w->taken, &looks);
}

/* Kept out of some states the chain is reversible for pi restricted to the others. */
void pt_walker_run(PtWalker *w, uint64_t steps) {
  bool inside = is_taken(w, w->now);
  for (uint64_t k = 0; k < steps; k++) {
    uint32_t move = pick_move(w);
    w->tried[move]++;
    if (!pt_walk_propose(w, move))
      continue;
    w->valid[move]++;
    double gain = w->heat * (pt_walk_log_pi(w, w->next) - pt_walk_log_pi(w, w->now)) + w->log_ratio;
    if ((gain < 0 && pt_rng_unit(w->dice.rng) >= exp(gain)) || !mirrors(w))
      continue;
    bool to_taken = is_taken(w, w->next);
    if (to_taken && !inside)
      continue;
    inside = to_taken;
    PtWalkState *old = w->now;
    w->now = w->next;
    w->next = old;
    w->has_uses = false;
    w->accepted[move]++;
  }
}
