/* likeness.c: how two candidates of different buckets are alike: what they share, by kinds of
 * features, and by how rare it is in the bundle; how far apart their numbers are. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

#define FAMILIES 22 /* of features.c, with room for none */
#define RADII 5     /* of labels: families 1 to 4 */
enum { LABELS = FAMILIES, RARE = LABELS + RADII, RARE_LABELS, NEAR_TWINS, NUMBERS_AT };
static const uint32_t numbers[] = {0, 4, 7, 16, 20, 24}; /* of pt_number_names, by node where > 0 */
G_STATIC_ASSERT(NUMBERS_AT + G_N_ELEMENTS(numbers) <= PT_LIKENESS);

typedef struct Norms {
  float of[FAMILIES + RADII]; /* lengths, by family */
  float rare, rare_labels, labels;
  float *rarity[2];                    /* of each feature, of each label: squares */
  float number[G_N_ELEMENTS(numbers)]; /* in deviations */
} Norms;

struct PtLikeness {
  const PtCase *target;
  Norms *norms; /* [candidates] */
};

static uint32_t kind(uint64_t id, uint32_t most) {
  return MIN((uint32_t)(id & 63), most - 1);
}

/* ---- rarity ---------------------------------------------------------------------------------- */
static GHashTable *count(const PtCase *t, bool labels) {
  GHashTable *counts = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < t->sights->len; i++) {
    const PtSight *v = t->sights->pdata[i];
    const PtSparse *s = labels ? &v->labels : &v->features;
    for (uint32_t k = 0; k < s->n; k++) {
      void *key = GSIZE_TO_POINTER((gsize)s->id[k]);
      guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, key));
      g_hash_table_insert(counts, key, GUINT_TO_POINTER(n + 1));
    }
  }
  return counts;
}

static float *rarities(const PtSparse *s, GHashTable *counts, guint all) {
  float *out = g_new(float, (gsize)s->n + 1);
  for (uint32_t k = 0; k < s->n; k++) {
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, GSIZE_TO_POINTER((gsize)s->id[k])));
    double x = log((double)(all + 1) / n);
    out[k] = (float)(x * x);
  }
  return out;
}

/* ---- each by itself -------------------------------------------------------------------------- */
static void measure(Norms *m, const PtSight *v) {
  for (uint32_t k = 0; k < v->features.n; k++) {
    m->of[kind(v->features.id[k], FAMILIES)] += v->features.count[k] * v->features.count[k];
    m->rare += m->rarity[0][k];
  }
  for (uint32_t k = 0; k < v->labels.n; k++) {
    float square = v->labels.count[k] * v->labels.count[k];
    m->of[FAMILIES + kind(v->labels.id[k], RADII)] += square;
    m->labels += square;
    m->rare_labels += m->rarity[1][k];
  }
  for (size_t f = 0; f < G_N_ELEMENTS(numbers); f++)
    m->number[f] = (float)(v->numbers[numbers[f]] / (f && v->n ? v->n : 1));
}

static void standardize(PtLikeness *l) {
  guint n = l->target->sights->len;
  for (size_t f = 0; f < G_N_ELEMENTS(numbers); f++) {
    double mean = 0, square = 0;
    for (guint i = 0; i < n; i++)
      mean += (double)l->norms[i].number[f] / n;
    for (guint i = 0; i < n; i++) {
      double d = (double)l->norms[i].number[f] - mean;
      square += d * d / n;
    }
    float scale = square > 1e-12 ? (float)(1 / sqrt(square)) : 0;
    for (guint i = 0; i < n; i++)
      l->norms[i].number[f] = (l->norms[i].number[f] - (float)mean) * scale;
  }
}

PtLikeness *pt_likeness_new(const PtCase *t) {
  PtLikeness *l = g_new0(PtLikeness, 1);
  g_autoptr(GHashTable) features = count(t, false), labels = count(t, true);
  l->target = t;
  l->norms = g_new0(Norms, (gsize)t->sights->len + 1);
  for (guint i = 0; i < t->sights->len; i++) {
    const PtSight *v = t->sights->pdata[i];
    l->norms[i].rarity[0] = rarities(&v->features, features, t->sights->len);
    l->norms[i].rarity[1] = rarities(&v->labels, labels, t->sights->len);
    measure(&l->norms[i], v);
  }
  standardize(l);
  return l;
}

void pt_likeness_free(PtLikeness *l) {
  if (!l)
    return;
  for (guint i = 0; i < l->target->sights->len; i++) {
    g_free(l->norms[i].rarity[0]);
    g_free(l->norms[i].rarity[1]);
  }
  g_free(l->norms);
  g_free(l);
}

/* ---- pairs ----------------------------------------------------------------------------------- */
/* What both have, family by family; returns the rarity of it. */
static float share(const PtSparse *a, const PtSparse *b, const float *rarity, uint32_t families,
                   float *dot) {
  float rare = 0;
  for (uint32_t i = 0, k = 0; i < a->n && k < b->n;) {
    uint64_t x = a->id[i], y = b->id[k];
    if (x == y) {
      dot[kind(x, families)] += a->count[i] * b->count[k];
      rare += rarity[i];
    }
    i += x <= y;
    k += y <= x;
  }
  return rare;
}

/* A cosine; where neither has any they are alike. */
static float cosine(float dot, float a, float b) {
  return a > 0 && b > 0 ? dot / sqrtf(a * b) : a == b ? 1 : 0;
}

void pt_likeness(const PtLikeness *l, uint32_t a, uint32_t b, float *out) {
  const PtSight *va = l->target->sights->pdata[a], *vb = l->target->sights->pdata[b];
  const Norms *na = &l->norms[a], *nb = &l->norms[b];
  float dot[FAMILIES + RADII] = {0}, labels = 0;
  memset(out, 0, PT_LIKENESS * sizeof *out);
  float rare = share(&va->features, &vb->features, na->rarity[0], FAMILIES, dot);
  float rare_labels = share(&va->labels, &vb->labels, na->rarity[1], RADII, dot + FAMILIES);
  for (uint32_t f = 0; f < FAMILIES + RADII; f++) {
    out[f] = cosine(dot[f], na->of[f], nb->of[f]);
    labels += f >= FAMILIES ? dot[f] : 0;
  }
  out[RARE] = cosine(rare, na->rare, nb->rare);
  out[RARE_LABELS] = cosine(rare_labels, na->rare_labels, nb->rare_labels);
  labels = cosine(labels, na->labels, nb->labels);
  out[NEAR_TWINS] = labels * labels * labels * labels;
  for (size_t f = 0; f < G_N_ELEMENTS(numbers); f++)
    out[NUMBERS_AT + f] = -fabsf(na->number[f] - nb->number[f]);
}
