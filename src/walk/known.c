/* known: how familiar a feature is: in how many public models it occurs, and in how many pieces of
 * the model at hand. Most features are too rare to have a weight of their own; how many unfamiliar
 * ones a piece has is a feature itself, learned on all models at once. Where pi is fitted, a
 * piece's own model is not counted among the public ones, nor the piece among its model's. */
#include "walk/walk_private.h"

#define CORPUS_CLASSES 6
#define OWN_CLASSES 5
#define NO_OWN 4        /* the model has no other pieces to look at */
#define KNOWN_FAMILY 29 /* behind those of features.c */

static uint32_t corpus_class(double models) {
  return models < 1 ? 0 : models < 2 ? 1 : models < 4 ? 2 : models < 8 ? 3 : models < 16 ? 4 : 5;
}

static uint32_t own_class(const PtWalkKnown *k, uint64_t id) {
  if (k->n_own == 0)
    return NO_OWN;
  double pieces = k->own ? pt_map64_get(k->own, id, 0) : 0;
  if (pieces > 0 && k->own_less)
    pieces -= pt_map64_get(k->own_less, id, 0);
  return pieces < 1 ? 0 : pieces < 2 ? 1 : pieces < 4 ? 2 : 3;
}

static uint64_t known_id(uint32_t family, uint32_t corpus, uint32_t own) {
  uint64_t h = pt_hash_mix(pt_hash_mix(KNOWN_FAMILY, family), corpus * OWN_CLASSES + own);
  return (h & ~(uint64_t)(PT_FEATURE_FAMILIES - 1)) | KNOWN_FAMILY;
}

uint64_t pt_walk_known_of(const PtWalkKnown *k, uint64_t id) {
  double models = pt_map64_get(k->models, id, 0);
  if (models > 0 && k->own_model)
    models -= pt_map64_get(k->own_model, id, 0);
  return known_id(id & (PT_FEATURE_FAMILIES - 1), corpus_class(models), own_class(k, id));
}

static int by_id(const void *a, const void *b) {
  const PtCount *x = a, *y = b;
  return x->id < y->id ? -1 : x->id > y->id;
}

void pt_walk_known_add(const PtWalkKnown *k, GArray *counts) {
  guint n = counts->len;
  for (guint i = 0; i < n; i++) {
    PtCount c = g_array_index(counts, PtCount, i);
    c.id = pt_walk_known_of(k, c.id);
    g_array_append_val(counts, c);
  }
  g_array_sort(counts, by_id);
  guint made = 0;
  PtCount *c = (PtCount *)(void *)counts->data;
  for (guint i = 0; i < counts->len; i++)
    if (made > 0 && c[made - 1].id == c[i].id)
      c[made - 1].count += c[i].count;
    else
      c[made++] = c[i];
  g_array_set_size(counts, made);
}

void pt_walk_known_see(PtMap64 *map, const GArray *counts) {
  for (guint i = 0; i < counts->len; i++)
    ++*pt_map64_at(map, g_array_index(counts, PtCount, i).id);
}

/* What a feature adds to log pi: its own weight and that of how familiar it is. */
static void fold(PtWalkEnergy *e, const PtMap64 *weights, const PtWalkKnown *k,
                 const PtMap64 *ids) {
  for (uint32_t i = 0; i < ids->size; i++)
    if (ids->keys[i])
      *pt_map64_at(&e->weights, ids->keys[i]) =
          pt_map64_get(weights, ids->keys[i], 0) +
          pt_map64_get(weights, pt_walk_known_of(k, ids->keys[i]), 0);
}

void pt_walk_energy_fold(PtWalkEnergy *e, const PtMap64 *weights, const PtWalkKnown *k) {
  pt_energy_clear(e);
  for (uint32_t f = 0; f < PT_FEATURE_FAMILIES; f++)
    e->family[f] = pt_map64_get(weights, known_id(f, 0, k->n_own ? 0 : NO_OWN), 0);
  fold(e, weights, k, k->models);
  fold(e, weights, k, weights);
  if (k->own)
    fold(e, weights, k, k->own);
}

void pt_walk_energy_over(PtWalkEnergy *e, const PtWalkEnergy *base, const PtMap64 *weights,
                         const PtWalkKnown *k) {
  pt_energy_clear(e);
  e->base = base;
  if (k->own)
    fold(e, weights, k, k->own);
}
