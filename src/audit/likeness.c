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

/* What a candidate has that another has, too; lengths are of all it has. */
typedef struct Signs {
  uint32_t n;
  uint32_t *at;                   /* [n] among the case's */
  uint8_t *kind;                  /* [n] family, or LABELS + radius */
  float *count, *rarity;          /* [n] */
  float length[FAMILIES + RADII]; /* squares */
  float rare, rare_labels, labels;
  float number[G_N_ELEMENTS(numbers)]; /* in deviations */
} Signs;

struct PtLikeness {
  guint n;      /* candidates */
  Signs *signs; /* [n] */
  guint kinds;  /* of signs that at least two have */
};

struct PtDesk {
  const PtLikeness *likeness;
  float *count; /* [kinds] of the candidate that lies on it; 0: it has none */
  uint32_t lies;
};

/* ---- what there is --------------------------------------------------------------------------- */
typedef struct Seen {
  uint32_t candidates, at; /* how many have it; its number, if two have */
} Seen;

static void count(GHashTable *seen, const PtSparse *s) {
  for (uint32_t k = 0; k < s->n; k++) {
    void *key = GSIZE_TO_POINTER((gsize)s->id[k]);
    Seen *one = g_hash_table_lookup(seen, key);
    if (!one)
      g_hash_table_insert(seen, key, one = g_new0(Seen, 1));
    one->candidates++;
  }
}

/* Appends to the lists of a candidate, and measures all. */
static void take(PtLikeness *l, Signs *to, GHashTable *seen, const PtSparse *s, bool labels) {
  to->at = g_renew(uint32_t, to->at, to->n + s->n + 1);
  to->kind = g_renew(uint8_t, to->kind, to->n + s->n + 1);
  to->count = g_renew(float, to->count, to->n + s->n + 1);
  to->rarity = g_renew(float, to->rarity, to->n + s->n + 1);
  for (uint32_t k = 0; k < s->n; k++) {
    Seen *one = g_hash_table_lookup(seen, GSIZE_TO_POINTER((gsize)s->id[k]));
    uint32_t kind = MIN((uint32_t)(s->id[k] & 63), (labels ? RADII : FAMILIES) - 1);
    double rarity = log((double)(l->n + 1) / one->candidates);
    kind += labels ? LABELS : 0;
    to->length[kind] += s->count[k] * s->count[k];
    to->labels += labels ? s->count[k] * s->count[k] : 0;
    *(labels ? &to->rare_labels : &to->rare) += (float)(rarity * rarity);
    if (one->candidates < 2)
      continue;
    if (!one->at)
      one->at = ++l->kinds;
    to->at[to->n] = one->at - 1;
    to->kind[to->n] = (uint8_t)kind;
    to->count[to->n] = s->count[k];
    to->rarity[to->n++] = (float)(rarity * rarity);
  }
}

static void standardize(PtLikeness *l) {
  for (size_t f = 0; f < G_N_ELEMENTS(numbers); f++) {
    double mean = 0, square = 0;
    for (guint i = 0; i < l->n; i++)
      mean += (double)l->signs[i].number[f] / l->n;
    for (guint i = 0; i < l->n; i++) {
      double d = (double)l->signs[i].number[f] - mean;
      square += d * d / l->n;
    }
    float scale = square > 1e-12 ? (float)(1 / sqrt(square)) : 0;
    for (guint i = 0; i < l->n; i++)
      l->signs[i].number[f] = (l->signs[i].number[f] - (float)mean) * scale;
  }
}

PtLikeness *pt_likeness_new(const PtCase *t) {
  PtLikeness *l = g_new0(PtLikeness, 1);
  g_autoptr(GHashTable) features = g_hash_table_new_full(NULL, NULL, NULL, g_free),
                        labels = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  l->n = t->sights->len;
  l->signs = g_new0(Signs, (gsize)l->n + 1);
  for (guint i = 0; i < l->n; i++) {
    const PtSight *v = t->sights->pdata[i];
    count(features, &v->features);
    count(labels, &v->labels);
  }
  for (guint i = 0; i < l->n; i++) {
    const PtSight *v = t->sights->pdata[i];
    take(l, &l->signs[i], features, &v->features, false);
    take(l, &l->signs[i], labels, &v->labels, true);
    for (size_t f = 0; f < G_N_ELEMENTS(numbers); f++)
      l->signs[i].number[f] = (float)(v->numbers[numbers[f]] / (f && v->n ? v->n : 1));
  }
  standardize(l);
  return l;
}

void pt_likeness_free(PtLikeness *l) {
  if (!l)
    return;
  for (guint i = 0; i < l->n; i++) {
    g_free(l->signs[i].at);
    g_free(l->signs[i].kind);
    g_free(l->signs[i].count);
    g_free(l->signs[i].rarity);
  }
  g_free(l->signs);
  g_free(l);
}

/* ---- pairs ----------------------------------------------------------------------------------- */
PtDesk *pt_desk_new(const PtLikeness *l) {
  PtDesk *desk = g_new0(PtDesk, 1);
  *desk = (PtDesk){l, g_new0(float, (gsize)l->kinds + 1), PT_NONE};
  return desk;
}

void pt_desk_free(PtDesk *desk) {
  g_free(desk->count);
  g_free(desk);
}

static void lay(PtDesk *desk, uint32_t a) {
  const Signs *signs = desk->likeness->signs, *s = &signs[a];
  if (desk->lies != PT_NONE)
    for (uint32_t k = 0; k < signs[desk->lies].n; k++)
      desk->count[signs[desk->lies].at[k]] = 0;
  for (uint32_t k = 0; k < s->n; k++)
    desk->count[s->at[k]] = s->count[k];
  desk->lies = a;
}

/* A cosine; where neither has any they are alike. */
static float cosine(float dot, float a, float b) {
  return a > 0 && b > 0 ? dot / sqrtf(a * b) : a == b ? 1 : 0;
}

void pt_likeness(PtDesk *desk, uint32_t a, uint32_t b, float *out) {
  const Signs *x = &desk->likeness->signs[a], *y = &desk->likeness->signs[b];
  float dot[FAMILIES + RADII] = {0}, rare[FAMILIES + RADII] = {0}, sum = 0, rare_sum = 0,
                       rare_labels = 0;
  if (desk->lies != a)
    lay(desk, a);
  for (uint32_t k = 0; k < y->n; k++) {
    float count = desk->count[y->at[k]];
    dot[y->kind[k]] += count * y->count[k];
    rare[y->kind[k]] += count > 0 ? y->rarity[k] : 0;
  }
  memset(out, 0, PT_LIKENESS * sizeof *out);
  for (uint32_t f = 0; f < FAMILIES + RADII; f++) {
    out[f] = cosine(dot[f], x->length[f], y->length[f]);
    sum += f >= LABELS ? dot[f] : 0;
    *(f >= LABELS ? &rare_labels : &rare_sum) += rare[f];
  }
  out[RARE] = cosine(rare_sum, x->rare, y->rare);
  out[RARE_LABELS] = cosine(rare_labels, x->rare_labels, y->rare_labels);
  sum = cosine(sum, x->labels, y->labels);
  out[NEAR_TWINS] = sum * sum * sum * sum;
  for (size_t f = 0; f < G_N_ELEMENTS(numbers); f++)
    out[NUMBERS_AT + f] = -fabsf(x->number[f] - y->number[f]);
}
