/* family.c: near-duplicates are measured, not named: a model whose neighbourhoods mostly occur in
 * another must not be what the other's adversary, or generator, learns from. */
#include "audit/audit_private.h"

double pt_overlap(const PtSight *a, const PtSight *b) {
  double all = 0, found = 0;
  for (uint32_t i = 0, k = 0; i < a->plain.n; i++) {
    all += (double)a->plain.count[i];
    while (k < b->plain.n && b->plain.id[k] < a->plain.id[i])
      k++;
    if (k < b->plain.n && b->plain.id[k] == a->plain.id[i])
      found += (double)a->plain.count[i];
  }
  return all > 0 ? found / all : 0;
}

static uint32_t root(uint32_t *parent, uint32_t x) {
  while (parent[x] != x)
    x = parent[x] = parent[parent[x]];
  return x;
}

uint32_t pt_families(GPtrArray *sights, double share, uint32_t *family) {
  uint32_t n = sights->len, count = 0;
  g_autofree uint32_t *parent = g_new(uint32_t, (gsize)n + 1),
                      *number = g_new(uint32_t, (gsize)n + 1);
  for (uint32_t i = 0; i < n; i++)
    parent[i] = i;
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < n; k++)
      if (i != k && pt_overlap(sights->pdata[i], sights->pdata[k]) >= share)
        parent[root(parent, i)] = root(parent, k);
  for (uint32_t i = 0; i < n; i++)
    number[i] = PT_NONE;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t r = root(parent, i);
    if (number[r] == PT_NONE)
      number[r] = count++;
    family[i] = number[r];
  }
  return count;
}

uint32_t pt_deal(const uint32_t *family, uint32_t n, uint32_t folds, uint32_t *fold) {
  uint32_t families = 0, present = 0;
  for (uint32_t i = 0; i < n; i++)
    families = MAX(families, family[i] + 1);
  g_autofree uint32_t *size = g_new0(uint32_t, (gsize)families + 1),
                      *of = g_new0(uint32_t, (gsize)families + 1);
  for (uint32_t i = 0; i < n; i++)
    present += size[family[i]]++ == 0;
  uint32_t count = MAX(1, MIN(folds ? folds : present, present));
  g_autofree uint32_t *load = g_new0(uint32_t, (gsize)count + 1);
  for (uint32_t done = 0; done < present; done++) {
    uint32_t best = 0, to = 0;
    for (uint32_t f = 1; f < families; f++)
      if (size[f] > size[best])
        best = f;
    for (uint32_t k = 1; k < count; k++)
      if (load[k] < load[to])
        to = k;
    load[to] += size[best];
    of[best] = to;
    size[best] = 0;
  }
  for (uint32_t i = 0; i < n; i++)
    fold[i] = of[family[i]];
  return count;
}
