/* logistic: paired logistic regression, sparse, by limited-memory BFGS. */
#include "walk/walk_private.h"

#include <math.h>

enum { MEMORY = 8, MAX_STEPS = 120 };

PtPairs *pt_pairs_new(void) {
  PtPairs *p = g_new0(PtPairs, 1);
  uint32_t zero = 0;
  p->start = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  p->column = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  p->value = g_array_new(FALSE, FALSE, sizeof(float));
  g_array_append_val(p->start, zero);
  return p;
}

void pt_pairs_free(PtPairs *p) {
  if (!p)
    return;
  g_array_unref(p->start);
  g_array_unref(p->column);
  g_array_unref(p->value);
  g_free(p);
}

void pt_pairs_add(PtPairs *p, uint32_t column, float value) {
  g_array_append_val(p->column, column);
  g_array_append_val(p->value, value);
  p->columns = MAX(p->columns, column + 1);
}

void pt_pairs_end_row(PtPairs *p) {
  g_array_append_val(p->start, p->column->len);
}

double pt_pairs_dot(const PtPairs *p, uint32_t row, const double *w) {
  const uint32_t *start = (const uint32_t *)(const void *)p->start->data;
  const uint32_t *column = (const uint32_t *)(const void *)p->column->data;
  const float *value = (const float *)(const void *)p->value->data;
  double sum = 0;
  for (uint32_t i = start[row]; i < start[row + 1]; i++)
    sum += value[i] * w[column[i]];
  return sum;
}

static double dot(const double *a, const double *b, uint32_t n) {
  double s = 0;
  for (uint32_t i = 0; i < n; i++)
    s += a[i] * b[i];
  return s;
}

typedef struct Problem {
  const PtPairs *pairs;
  const bool *use;
  double c;
} Problem;

static double objective(const Problem *p, const double *w, double *gradient) {
  const uint32_t *start = (const uint32_t *)(const void *)p->pairs->start->data;
  const uint32_t *column = (const uint32_t *)(const void *)p->pairs->column->data;
  const float *value = (const float *)(const void *)p->pairs->value->data;
  uint32_t n = p->pairs->columns;
  double sum = dot(w, w, n) / 2;
  memcpy(gradient, w, n * sizeof *w);
  for (uint32_t r = 0; r + 1 < p->pairs->start->len; r++) {
    if (p->use && !p->use[r])
      continue;
    double z = pt_pairs_dot(p->pairs, r, w);
    double loss = z > 0 ? log1p(exp(-z)) : -z + log1p(exp(z)), pull = -1 / (1 + exp(z));
    sum += 2 * p->c * loss;
    for (uint32_t i = start[r]; i < start[r + 1]; i++)
      gradient[column[i]] += 2 * p->c * pull * value[i];
  }
  return sum;
}

typedef struct Memory {
  double *s[MEMORY], *y[MEMORY], rho[MEMORY];
  uint32_t count;
} Memory;

/* The two-loop recursion: direction = -H gradient. */
static void direct(const Memory *m, const double *gradient, double *direction, uint32_t n) {
  double alpha[MEMORY];
  uint32_t have = MIN(m->count, MEMORY);
  for (uint32_t i = 0; i < n; i++)
    direction[i] = -gradient[i];
  for (uint32_t k = 0; k < have; k++) {
    uint32_t i = (m->count - 1 - k) % MEMORY;
    alpha[i] = m->rho[i] * dot(m->s[i], direction, n);
    for (uint32_t j = 0; j < n; j++)
      direction[j] -= alpha[i] * m->y[i][j];
  }
  if (have) {
    uint32_t i = (m->count - 1) % MEMORY;
    double scale = 1 / (m->rho[i] * dot(m->y[i], m->y[i], n));
    for (uint32_t j = 0; j < n; j++)
      direction[j] *= scale;
  }
  for (uint32_t k = have; k-- > 0;) {
    uint32_t i = (m->count - 1 - k) % MEMORY;
    double beta = m->rho[i] * dot(m->y[i], direction, n);
    for (uint32_t j = 0; j < n; j++)
      direction[j] += m->s[i][j] * (alpha[i] - beta);
  }
}

static void remember(Memory *m, const double *step, double t, const double *old, const double *new,
                     uint32_t n) {
  uint32_t i = m->count % MEMORY;
  double sy = 0;
  for (uint32_t j = 0; j < n; j++) {
    m->s[i][j] = t * step[j];
    m->y[i][j] = new[j] - old[j];
    sy += m->s[i][j] * m->y[i][j];
  }
  if (sy <= 1e-12)
    return;
  m->rho[i] = 1 / sy;
  m->count++;
}

void pt_pairs_fit(const PtPairs *pairs, const bool *use, double c, double *w) {
  uint32_t n = pairs->columns;
  if (n == 0)
    return;
  Problem p = {pairs, use, c};
  g_autofree double *block = g_new0(double, (size_t)n *(2 * MEMORY + 4));
  double *gradient = block, *next = block + n, *direction = block + 2 * (size_t)n,
         *trial = block + 3 * (size_t)n;
  Memory m = {0};
  for (uint32_t i = 0; i < MEMORY; i++) {
    m.s[i] = block + (4 + 2 * i) * (size_t)n;
    m.y[i] = m.s[i] + n;
  }
  memset(w, 0, n * sizeof *w);
  double value = objective(&p, w, gradient), first = sqrt(dot(gradient, gradient, n));
  for (uint32_t k = 0; k < MAX_STEPS && sqrt(dot(gradient, gradient, n)) > 1e-3 * first; k++) {
    direct(&m, gradient, direction, n);
    double slope = dot(direction, gradient, n), t = k ? 1 : 1 / MAX(first, 1), got = INFINITY;
    for (int tries = 0; tries < 20; tries++, t /= 2) {
      for (uint32_t i = 0; i < n; i++)
        trial[i] = w[i] + t * direction[i];
      got = objective(&p, trial, next);
      if (got <= value + 1e-4 * t * slope)
        break;
    }
    if (got > value)
      return;
    remember(&m, direction, t, gradient, next, n);
    memcpy(w, trial, n * sizeof *w);
    memcpy(gradient, next, n * sizeof *w);
    value = got;
  }
}

/* ---- features of a state, counted
 * ----------------------------------------------------------------------- */
static int by_id(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

GArray *pt_features_counted(PtFeatures *f, const PtWalkState *s) {
  GArray *out = g_array_new(FALSE, FALSE, sizeof(PtCount));
  pt_features_make(f, s);
  qsort(f->id, f->n, sizeof *f->id, by_id);
  for (uint32_t i = 0; i < f->n;) {
    PtCount c = {f->id[i], 0};
    for (; i < f->n && f->id[i] == c.id; i++)
      c.count++;
    g_array_append_val(out, c);
  }
  return out;
}

static void add_column(PtPairs *pairs, const PtMap64 *columns, uint64_t id, double value) {
  double at = pt_map64_get(columns, id, 0);
  if (at > 0 && value != 0)
    pt_pairs_add(pairs, (uint32_t)at - 1, (float)value);
}

void pt_pairs_add_row(PtPairs *pairs, const PtMap64 *columns, const GArray *real,
                      const GArray *made) {
  guint i = 0, k = 0;
  while (i < real->len || k < made->len) {
    const PtCount *a = i < real->len ? &g_array_index(real, PtCount, i) : NULL;
    const PtCount *b = k < made->len ? &g_array_index(made, PtCount, k) : NULL;
    if (a && b && a->id == b->id) {
      add_column(pairs, columns, a->id, a->count - b->count);
      i++, k++;
    } else if (a && (!b || a->id < b->id)) {
      add_column(pairs, columns, a->id, a->count);
      i++;
    } else if (b) {
      add_column(pairs, columns, b->id, -b->count);
      k++;
    }
  }
}
