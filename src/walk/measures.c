/* measures: numbers of a piece - widths, weights, work, repeats, wiring - as features: which class
 * each is in, by itself and with each other one, so that log pi may bend along a number and along
 * two of them. Sizes are relative to the interface's. */
#include "walk/features_private.h"

#include <math.h>

typedef enum {
  MEAN_WIDTH, /* these twelve are taken in pairs, too */
  WIDTH_SPREAD,
  WEIGHTS,
  WORK,
  CHANGES,
  DENSE,
  REPEATED,
  TOKENS,
  DEGREE,
  DEEPNESS,
  JOINS,
  NODES,
  PAIRED,
  WIDEST = PAIRED,
  NARROWEST,
  TWICE,
  ODD,
  INNER,
  FROM_INPUTS,
  TRIANGLES,
  LARGEST,
  FORKS,
  MEASURES
} Measure;

/* Width of a class. Wide ones are twice that, shifted, as are those of pairs. */
static const double class_width[MEASURES] = {
    [MEAN_WIDTH] = 0.25, [WIDTH_SPREAD] = 0.2, [WEIGHTS] = 0.75,  [WORK] = 0.75,
    [CHANGES] = 0.08,    [DENSE] = 0.08,       [REPEATED] = 0.08, [TOKENS] = 0.1,
    [DEGREE] = 0.15,     [DEEPNESS] = 0.1,     [JOINS] = 0.06,    [NODES] = 0.4,
    [WIDEST] = 0.5,      [NARROWEST] = 0.5,    [TWICE] = 1,       [ODD] = 1,
    [INNER] = 1,         [FROM_INPUTS] = 1,    [TRIANGLES] = 1,   [LARGEST] = 0.5,
    [FORKS] = 0.06,
};
#define MOST_CLASSES 24 /* on either side of 0 */

static double area_of(const PtWalkType *t) {
  int32_t channel = t->rank >= 4 ? 1 : t->rank - 1;
  double area = 1;
  for (int32_t i = 1; i < t->rank; i++)
    if (i != channel && t->dims[i] > 0)
      area *= t->dims[i];
  return area;
}

static double face_area(const PtWalkFace *f) {
  double most = 1;
  for (uint32_t i = 0; i < f->n_in + f->n_out; i++)
    most = MAX(most, area_of(i < f->n_in ? &f->in[i] : &f->out[i - f->n_in]));
  return log2(most);
}

static void measure_sizes(const PtWalkState *s, double *m) {
  double sum = 0, square = 0, most = 0, least = 40, changes = 0, dense = 0, odd = 0, largest = 1;
  double weights = 0, work = 0, all = s->n, counted = 0;
  double face = log2(s->face->widths[s->face->n_widths - 1]), space = face_area(s->face);
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    const PtWalkType *in = n->n_in ? pt_walk_ref_type(s, s->refs[n->in]) : NULL;
    int32_t width = pt_walk_width(&n->type);
    double own = (double)pt_walk_node_weights(s, i), area = area_of(&n->type);
    changes += in && width != pt_walk_width(in);
    dense += own > 1;
    largest = MAX(largest, area);
    weights += own;
    work += area * (own > 0 ? own : MAX(width, 1));
    if (width <= 0)
      continue;
    double w = log2(width);
    sum += w;
    square += w * w;
    most = MAX(most, w);
    least = MIN(least, w);
    odd += own > 1 && width % 8 != 0;
    counted++;
  }
  double mean = counted > 0 ? sum / counted : 0;
  m[MEAN_WIDTH] = mean - face;
  m[WIDTH_SPREAD] = counted > 0 ? sqrt(MAX(square / counted - mean * mean, 0)) : 0;
  m[WIDEST] = most - face;
  m[NARROWEST] = counted > 0 ? least - face : 0;
  m[WEIGHTS] = log2(weights + 1) - 2 * face;
  m[WORK] = log2(work + 1) - 2 * face - space;
  m[LARGEST] = log2(largest) - space;
  m[CHANGES] = changes / all;
  m[DENSE] = dense / all;
  m[ODD] = odd;
}

static bool reads(const PtWalkState *s, uint32_t node, PtWalkRef made) {
  const PtWalkNode *n = &s->nodes[node];
  for (uint32_t k = 0; k < n->n_in; k++)
    if (s->refs[n->in + k] >> 3 == made >> 3 && s->refs[n->in + k] >= 0)
      return true;
  return false;
}

/* How many of label[n] are the first of their kind. */
static double distinct(const uint64_t *label, uint32_t n) {
  uint32_t kinds = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t k = 0;
    while (k < i && label[k] != label[i])
      k++;
    kinds += k == i;
  }
  return kinds;
}

static void measure_wiring(const PtFeatures *f, const PtWalkState *s, double *m) {
  double edges = 0, from = 0, joins = 0, twice = 0, triangles = 0, forks = 0, inner = 0,
         deepest = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    edges += n->n_in;
    joins += n->n_in > 1;
    deepest = MAX(deepest, f->depth[i]);
    for (uint32_t a = 0; a < n->n_in; a++) {
      PtWalkRef x = s->refs[n->in + a];
      from += x < 0;
      if (x < 0)
        continue;
      twice += pt_walk_at(s, (uint32_t)x >> 3)->token == pt_walk_at(s, i)->token;
      for (uint32_t b = 0; b < n->n_in; b++)
        triangles += s->refs[n->in + b] >= 0 && reads(s, (uint32_t)x >> 3, s->refs[n->in + b]);
    }
  }
  for (uint32_t v = f->uses.n_in; v < f->uses.n_values; v++) {
    uint32_t uses = pt_walk_n_uses(&f->uses, v), outs = 0;
    for (uint32_t a = f->uses.start[v]; a < f->uses.start[v + 1]; a++)
      outs += f->uses.use[a].node < 0;
    forks += uses > 1;
    inner += outs && outs < uses;
  }
  m[DEGREE] = 2 * (edges - from) / s->n;
  m[JOINS] = joins / s->n;
  m[FORKS] = forks / s->n;
  m[DEEPNESS] = deepest / s->n;
  m[NODES] = log2(s->n);
  m[TWICE] = twice;
  m[TRIANGLES] = triangles;
  m[INNER] = inner;
  m[FROM_INPUTS] = from;
}

static uint64_t class_of(double x, double width) {
  return (uint64_t)(int64_t)CLAMP(floor(x / width + 1e-6), -MOST_CLASSES, MOST_CLASSES);
}

void pt_features_measure(PtFeatures *f, const PtWalkState *s, const uint64_t *near) {
  double m[MEASURES] = {0};
  uint64_t wide[MEASURES];
  if (s->n == 0)
    return;
  measure_sizes(s, m);
  measure_wiring(f, s, m);
  m[REPEATED] = 1 - distinct(near, s->n) / s->n;
  for (uint32_t i = 0; i < MEASURES; i++) {
    wide[i] = class_of(m[i] + class_width[i] / 2, 2 * class_width[i]);
    pt_features_add(f, MEASURE, i, class_of(m[i], class_width[i]), 0);
    pt_features_add(f, MEASURE_WIDE, i, wide[i], 0);
  }
  for (uint64_t i = 0; i < PAIRED; i++)
    for (uint64_t k = 0; k < i; k++)
      pt_features_add(f, MEASURE_PAIR, i << 8 | k, wide[i], wide[k]);
}
