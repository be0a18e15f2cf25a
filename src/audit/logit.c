/* logit.c: conditional logistic regression: within a bucket one candidate is real, with odds
 * exp(w x). Fitted by L-BFGS with backtracking; deterministic. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

#define MEMORY 8
#define MOST_ITERATIONS 200

struct PtLogit {
  uint32_t columns;
  GArray *groups; /* Group */
  GArray *rows;   /* uint32_t: where a row's entries begin; one more at the end of each group */
  GArray *column; /* uint32_t */
  GArray *value;  /* float */
};
typedef struct Group {
  uint32_t first, n, real;
} Group;

PtLogit *pt_logit_new(uint32_t columns) {
  PtLogit *l = g_new0(PtLogit, 1);
  l->columns = columns;
  l->groups = g_array_new(FALSE, FALSE, sizeof(Group));
  l->rows = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  l->column = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  l->value = g_array_new(FALSE, FALSE, sizeof(float));
  return l;
}

void pt_logit_free(PtLogit *l) {
  if (!l)
    return;
  g_array_unref(l->groups);
  g_array_unref(l->rows);
  g_array_unref(l->column);
  g_array_unref(l->value);
  g_free(l);
}

void pt_logit_begin(PtLogit *l) {
  Group g = {.first = l->rows->len};
  g_array_append_val(l->groups, g);
}

void pt_logit_row(PtLogit *l) {
  uint32_t at = l->column->len;
  g_array_append_val(l->rows, at);
}

void pt_logit_put(PtLogit *l, uint32_t column, float value) {
  g_array_append_val(l->column, column);
  g_array_append_val(l->value, value);
}

void pt_logit_end(PtLogit *l, uint32_t real) {
  Group *g = &g_array_index(l->groups, Group, l->groups->len - 1);
  g->n = l->rows->len - g->first;
  g->real = real;
  pt_logit_row(l);
}

static double dot_row(const PtLogit *l, uint32_t row, const double *w) {
  double sum = 0;
  uint32_t end = g_array_index(l->rows, uint32_t, row + 1);
  for (uint32_t e = g_array_index(l->rows, uint32_t, row); e < end; e++)
    sum += w[g_array_index(l->column, uint32_t, e)] * (double)g_array_index(l->value, float, e);
  return sum;
}

static void add_row(const PtLogit *l, uint32_t row, double times, double *to) {
  uint32_t end = g_array_index(l->rows, uint32_t, row + 1);
  for (uint32_t e = g_array_index(l->rows, uint32_t, row); e < end; e++)
    to[g_array_index(l->column, uint32_t, e)] += times * (double)g_array_index(l->value, float, e);
}

/* The objective, its gradient, and the mean loss by itself. */
static double objective(const PtLogit *l, double l2, const double *w, double *gradient,
                        double *mean_loss) {
  double loss = 0, square = 0, scale = 1.0 / MAX(l->groups->len, 1);
  g_autoptr(GArray) scores = g_array_new(FALSE, FALSE, sizeof(double));
  memset(gradient, 0, l->columns * sizeof *gradient);
  for (guint i = 0; i < l->groups->len; i++) {
    const Group *g = &g_array_index(l->groups, Group, i);
    g_array_set_size(scores, g->n);
    double *s = (double *)(void *)scores->data, most = -INFINITY, sum = 0;
    for (uint32_t k = 0; k < g->n; k++) {
      s[k] = dot_row(l, g->first + k, w);
      most = MAX(most, s[k]);
    }
    for (uint32_t k = 0; k < g->n; k++)
      sum += exp(s[k] - most);
    loss += most + log(sum) - s[g->real];
    for (uint32_t k = 0; k < g->n; k++)
      add_row(l, g->first + k, (exp(s[k] - most) / sum - (k == g->real)) * scale, gradient);
  }
  for (uint32_t c = 0; c < l->columns; c++) {
    square += w[c] * w[c];
    gradient[c] += l2 * w[c];
  }
  *mean_loss = loss * scale;
  return loss * scale + l2 / 2 * square;
}

static double dot(const double *a, const double *b, uint32_t n) {
  double sum = 0;
  for (uint32_t i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

/* Two-loop recursion: direction = - inverse Hessian's estimate times gradient. */
static void direct(uint32_t n, uint32_t kept, double **s, double **y, const double *gradient,
                   double *direction) {
  double alpha[MEMORY];
  for (uint32_t c = 0; c < n; c++)
    direction[c] = -gradient[c];
  for (uint32_t i = kept; i-- > 0;) {
    alpha[i] = dot(s[i], direction, n) / dot(s[i], y[i], n);
    for (uint32_t c = 0; c < n; c++)
      direction[c] -= alpha[i] * y[i][c];
  }
  if (kept) {
    double scale = dot(s[kept - 1], y[kept - 1], n) / dot(y[kept - 1], y[kept - 1], n);
    for (uint32_t c = 0; c < n; c++)
      direction[c] *= scale;
  }
  for (uint32_t i = 0; i < kept; i++) {
    double beta = dot(y[i], direction, n) / dot(s[i], y[i], n);
    for (uint32_t c = 0; c < n; c++)
      direction[c] += (alpha[i] - beta) * s[i][c];
  }
}

static void keep(double **list, uint32_t kept) {
  double *oldest = list[0];
  if (kept < MEMORY)
    return;
  memmove(list, list + 1, (MEMORY - 1) * sizeof *list);
  list[MEMORY - 1] = oldest;
}

double pt_logit_fit(const PtLogit *l, double l2, double *w) {
  uint32_t n = l->columns, kept = 0;
  gsize room = (gsize)n + 1;
  double *s[MEMORY], *y[MEMORY], mean_loss;
  for (uint32_t i = 0; i < MEMORY; i++) {
    s[i] = g_new(double, room);
    y[i] = g_new(double, room);
  }
  g_autofree double *gradient = g_new(double, room), *direction = g_new(double, room),
                    *next = g_new(double, room), *next_gradient = g_new(double, room);
  double value = objective(l, l2, w, gradient, &mean_loss);
  for (uint32_t round = 0; round < MOST_ITERATIONS; round++) {
    direct(n, kept, s, y, gradient, direction);
    double slope = dot(gradient, direction, n), step = round ? 1 : 1 / MAX(sqrt(-slope), 1), got;
    if (!(slope < -1e-12))
      break;
    for (;; step /= 2) {
      for (uint32_t c = 0; c < n; c++)
        next[c] = w[c] + step * direction[c];
      got = objective(l, l2, next, next_gradient, &mean_loss);
      if (got <= value + 1e-4 * step * slope || step < 1e-9)
        break;
    }
    if (!(got < value))
      break;
    keep(s, kept);
    keep(y, kept);
    uint32_t at = MIN(kept, MEMORY - 1);
    for (uint32_t c = 0; c < n; c++) {
      s[at][c] = next[c] - w[c];
      y[at][c] = next_gradient[c] - gradient[c];
    }
    if (dot(s[at], y[at], n) > 1e-12)
      kept = at + 1;
    else
      kept = 0;
    memcpy(w, next, n * sizeof *w);
    memcpy(gradient, next_gradient, n * sizeof *gradient);
    bool done = value - got < 1e-7 * (1 + fabs(got));
    value = got;
    if (done)
      break;
  }
  (void)objective(l, l2, w, gradient, &mean_loss);
  for (uint32_t i = 0; i < MEMORY; i++) {
    g_free(s[i]);
    g_free(y[i]);
  }
  return mean_loss;
}
