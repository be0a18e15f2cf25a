/* kin: which public models are near-duplicates of each other. Where pi is tried on a model that it
 * is not to know, it is not to know its kin either. */
#include "walk/walk_private.h"

#define KIN_SHARE 0.5 /* of the wider neighbourhoods of the one that has fewer */

/* How many features of one family (the low bits of an id) a model shows. */
static uint32_t size_of(const PtMap64 *shown, uint32_t family) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < shown->size; i++)
    n += shown->keys[i] && (shown->keys[i] & (PT_FEATURE_FAMILIES - 1)) == family;
  return n;
}

static uint32_t common(const PtMap64 *a, const PtMap64 *b, uint32_t family) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < a->size; i++)
    n += a->keys[i] && (a->keys[i] & (PT_FEATURE_FAMILIES - 1)) == family &&
         pt_map64_find(b, a->keys[i]);
  return n;
}

void pt_walk_find_kin(const PtMap64 *shown, uint32_t n, uint32_t *kin) {
  g_autofree uint32_t *size = g_new(uint32_t, n + 1);
  for (uint32_t i = 0; i < n; i++) {
    kin[i] = i;
    size[i] = size_of(&shown[i], PT_FEATURE_NEAR);
  }
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < i; k++) {
      const PtMap64 *a = &shown[size[i] < size[k] ? i : k], *b = &shown[size[i] < size[k] ? k : i];
      if (kin[i] == kin[k] || !size[i] || !size[k] ||
          common(a, b, PT_FEATURE_NEAR) < KIN_SHARE * MIN(size[i], size[k]))
        continue;
      uint32_t from = MAX(kin[i], kin[k]), to = MIN(kin[i], kin[k]);
      for (uint32_t m = 0; m < n; m++)
        if (kin[m] == from)
          kin[m] = to;
    }
}

/* Families in turn to the fold with the fewest pieces. */
void pt_walk_deal_kin(const uint32_t *kin, const uint32_t *pieces, uint32_t n, uint32_t folds,
                      uint32_t *fold) {
  g_autofree uint32_t *load = g_new0(uint32_t, folds), *all = g_new0(uint32_t, n + 1);
  for (uint32_t i = 0; i < n; i++)
    all[kin[i]] += pieces[i] + 1;
  for (uint32_t done = 0; done < n; done++) {
    uint32_t most = 0, to = 0;
    for (uint32_t k = 1; k < n; k++)
      if (all[k] > all[most])
        most = k;
    if (!all[most])
      return;
    for (uint32_t f = 1; f < folds; f++)
      if (load[f] < load[to])
        to = f;
    load[to] += all[most];
    all[most] = 0;
    for (uint32_t i = 0; i < n; i++)
      if (kin[i] == most)
        fold[i] = to;
  }
}
