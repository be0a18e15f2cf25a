/* dice: what is random in a move, drawn or gone through. */
#include "walk/walk_private.h"

/* The scripted outcome at this point, of n. */
static uint32_t scripted(PtWalkDice *d, uint32_t n) {
  if (d->at == d->script->len) {
    PtWalkChoice first = {0, n};
    g_array_append_val(d->script, first);
  }
  return g_array_index(d->script, PtWalkChoice, d->at++).taken;
}

uint32_t pt_dice_below(PtWalkDice *d, uint32_t n) {
  if (!d->script)
    return (uint32_t)pt_rng_below(d->rng, n);
  d->odds /= n;
  return scripted(d, n);
}

uint32_t pt_dice_weighted(PtWalkDice *d, const double *cum, uint32_t n) {
  if (d->script) {
    uint32_t i = scripted(d, n);
    d->odds *= cum[i] - (i ? cum[i - 1] : 0);
    return i;
  }
  double u = pt_rng_unit(d->rng);
  uint32_t low = 0, high = n - 1;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (u < cum[middle])
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

bool pt_dice_coin(PtWalkDice *d, double p) {
  if (!d->script)
    return pt_rng_unit(d->rng) < p;
  bool yes = scripted(d, 2) == 0;
  d->odds *= yes ? p : 1 - p;
  return yes;
}

bool pt_dice_next(PtWalkDice *d) {
  g_array_set_size(d->script, d->at);
  d->at = 0;
  d->odds = 1;
  while (d->script->len) {
    PtWalkChoice *last = &g_array_index(d->script, PtWalkChoice, d->script->len - 1);
    if (++last->taken < last->of)
      return true;
    g_array_set_size(d->script, d->script->len - 1);
  }
  return false;
}
