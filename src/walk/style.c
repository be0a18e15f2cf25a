/* style: pi under one model's habits: beta log pi, plus the centred lift of its habits over the
 * corpus, plus rounds of paired logistic regression on its own pieces. Who uses it for a bucket
 * makes it from other pieces than that bucket's. */
#include "walk/walk_private.h"

#include <math.h>

#define SMOOTHING 20.0 /* of a habit towards the corpus */
#define LIFT_LIMIT 4.0
#define OWN_SHARE 0.6    /* of proposals */
#define ENERGY_SCALE 8.0 /* log pi as a feature */

typedef struct Run {
  const PtWalkState *real;
  PtWalkState *now;
  GArray *of_now;
  bool begun;
} Run;

typedef struct Styling {
  const PtWalkModel *model;
  GPtrArray *pieces;  /* PtWalkState */
  GPtrArray *of_real; /* GArray of PtCount */
  PtMap64 own;        /* features -> weight of style, for all that have one */
  double family[PT_FEATURE_FAMILIES];
  PtWalkStyle *style;
  PtSeed seed;
  Run *runs;
  uint32_t n_runs, round, steps;
} Styling;

/* ---- lift
 * -------------------------------------------------------------------------------------------- */
static double lift_of(const Styling *s, uint64_t id, double count, double in_family) {
  uint32_t f = id & (PT_FEATURE_FAMILIES - 1);
  const PtWalkModel *m = s->model;
  double corpus =
      (pt_map64_get(&m->features, id, 0) + 0.5) / (m->in_family[f] + 0.5 * MAX(m->kinds_of[f], 1));
  double lift = log((count + SMOOTHING * corpus) / ((in_family + SMOOTHING) * corpus));
  return CLAMP(lift, -LIFT_LIMIT, LIFT_LIMIT);
}

/* Weights of habits: of a feature that the model shows, by its lift over the mean lift of the
 * family; of those it does not show, one a family. */
static void add_lift(Styling *s, double gain) {
  PtMap64 counts = {0};
  double in_family[PT_FEATURE_FAMILIES] = {0}, mean[PT_FEATURE_FAMILIES] = {0};
  for (guint i = 0; i < s->of_real->len; i++) {
    const GArray *a = s->of_real->pdata[i];
    for (guint k = 0; k < a->len; k++) {
      const PtCount *c = &g_array_index(a, PtCount, k);
      *pt_map64_at(&counts, c->id) += c->count;
      in_family[c->id & (PT_FEATURE_FAMILIES - 1)] += c->count;
    }
  }
  for (uint32_t i = 0; i < counts.size; i++) {
    uint32_t f = counts.keys[i] & (PT_FEATURE_FAMILIES - 1);
    if (counts.keys[i] && pt_feature_gain(f) > 0)
      mean[f] += counts.values[i] * lift_of(s, counts.keys[i], counts.values[i], in_family[f]) /
                 in_family[f];
  }
  for (uint32_t f = 0; f < PT_FEATURE_FAMILIES; f++)
    if (in_family[f] > 0 && pt_feature_gain(f) > 0) {
      double none = MAX(log(SMOOTHING / (in_family[f] + SMOOTHING)), -LIFT_LIMIT);
      s->family[f] = gain * pt_feature_gain(f) * (none - mean[f]);
    }
  for (uint32_t i = 0; i < counts.size; i++) {
    uint32_t f = counts.keys[i] & (PT_FEATURE_FAMILIES - 1);
    if (counts.keys[i] && pt_feature_gain(f) > 0)
      *pt_map64_at(&s->own, counts.keys[i]) =
          gain * pt_feature_gain(f) *
          (lift_of(s, counts.keys[i], counts.values[i], in_family[f]) - mean[f]);
  }
  pt_map64_clear(&counts);
}

/* The energy that walks use: beta log pi and the style in one table. */
static void combine(Styling *s) {
  PtWalkEnergy *e = &s->style->energy;
  const PtMap64 *pi = &s->model->weights;
  pt_energy_clear(e);
  memcpy(e->family, s->family, sizeof e->family);
  for (uint32_t i = 0; i < pi->size; i++)
    if (pi->keys[i])
      *pt_map64_at(&e->weights, pi->keys[i]) =
          s->style->beta * pi->values[i] +
          pt_map64_get(&s->own, pi->keys[i], s->family[pi->keys[i] & (PT_FEATURE_FAMILIES - 1)]);
  for (uint32_t i = 0; i < s->own.size; i++)
    if (s->own.keys[i] && !pt_map64_find(pi, s->own.keys[i]))
      *pt_map64_at(&e->weights, s->own.keys[i]) = s->own.values[i];
}

/* ---- the fit
 * ------------------------------------------------------------------------------------------ */
static void run_one(size_t index, void *data) {
  Styling *s = data;
  Run *r = &s->runs[index];
  g_autoptr(PtRng) rng = pt_rng_new(&s->seed, "style", (uint64_t)s->round << 32 | index);
  bool on = r->begun && pt_rng_unit(rng) < 0.7;
  PtWalker w;
  PtFeatures f = {0};
  pt_walker_init(&w, on ? r->now : r->real, s->style->habits, &s->style->energy, rng);
  pt_walker_run(&w, s->steps);
  pt_walk_state_set(r->now, w.now);
  r->begun = true;
  if (r->of_now)
    g_array_unref(r->of_now);
  r->of_now = pt_features_counted(&f, r->now);
  pt_features_clear(&f);
  pt_walker_clear(&w);
}

static double log_pi(const PtWalkModel *m, const GArray *counts) {
  double sum = 0;
  for (guint i = 0; i < counts->len; i++) {
    const PtCount *c = &g_array_index(counts, PtCount, i);
    sum += c->count * pt_map64_get(&m->weights, c->id, 0);
  }
  return sum;
}

static void tally(PtMap64 *map, const GArray *counts) {
  for (guint i = 0; i < counts->len; i++)
    ++*pt_map64_at(map, g_array_index(counts, PtCount, i).id);
}

/* Features that at least two of the model's pieces show, or none of them and two samples. */
static void choose(PtMap64 *columns, GArray *ids, const GArray *counts, const PtMap64 *real,
                   const PtMap64 *made) {
  for (guint i = 0; i < counts->len; i++) {
    uint64_t id = g_array_index(counts, PtCount, i).id;
    double in_real = pt_map64_get(real, id, 0), in_made = pt_map64_get(made, id, 0);
    if (!(in_real >= 2 || (in_real == 0 && in_made >= 2)) || pt_map64_get(columns, id, 0) > 0)
      continue;
    g_array_append_val(ids, id);
    *pt_map64_at(columns, id) = ids->len + 1; /* column 0: log pi */
  }
}

static PtPairs *make_pairs(const Styling *s, GArray *ids) {
  PtMap64 columns = {0}, real = {0}, made = {0};
  for (guint i = 0; i < s->of_real->len; i++)
    tally(&real, s->of_real->pdata[i]);
  for (uint32_t i = 0; i < s->n_runs; i++)
    tally(&made, s->runs[i].of_now);
  for (guint i = 0; i < s->of_real->len; i++)
    choose(&columns, ids, s->of_real->pdata[i], &real, &made);
  for (uint32_t i = 0; i < s->n_runs; i++)
    choose(&columns, ids, s->runs[i].of_now, &real, &made);
  PtPairs *pairs = pt_pairs_new();
  for (uint32_t i = 0; i < s->n_runs; i++) {
    const GArray *a = s->of_real->pdata[i % s->of_real->len], *b = s->runs[i].of_now;
    pt_pairs_add(pairs, 0, (float)((log_pi(s->model, a) - log_pi(s->model, b)) / ENERGY_SCALE));
    pt_pairs_add_row(pairs, &columns, a, b);
    pt_pairs_end_row(pairs);
  }
  pairs->columns = ids->len + 1;
  pt_map64_clear(&columns);
  pt_map64_clear(&real);
  pt_map64_clear(&made);
  return pairs;
}

static void fit_round(Styling *s, const PtStyleOptions *o) {
  pt_parallel_for(s->n_runs, o->threads, run_one, s);
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(PtPairs) pairs = make_pairs(s, ids);
  g_autofree double *w = g_new(double, pairs->columns);
  double gain = s->round + 2 < o->rounds ? 1 : 0.6;
  pt_pairs_fit(pairs, NULL, o->c, w);
  s->style->beta = CLAMP(s->style->beta + gain * w[0] / ENERGY_SCALE, 0.25, 1.6);
  for (guint i = 0; i < ids->len; i++) {
    uint64_t id = g_array_index(ids, uint64_t, i);
    double base = s->family[id & (PT_FEATURE_FAMILIES - 1)];
    double now = pt_map64_get(&s->own, id, base);
    *pt_map64_at(&s->own, id) = now + gain * w[i + 1];
  }
  combine(s);
}

static void make_runs(Styling *s, const PtStyleOptions *o) {
  uint32_t n = s->pieces->len, each = n ? MAX((o->runs + n / 2) / n, 1) : 0;
  s->n_runs = n * each;
  s->runs = g_new0(Run, s->n_runs + 1);
  for (uint32_t i = 0; i < s->n_runs; i++) {
    s->runs[i].real = s->pieces->pdata[i % n];
    s->runs[i].now = pt_walk_state_copy(s->runs[i].real);
  }
}

static void styling_clear(Styling *s) {
  for (uint32_t i = 0; i < s->n_runs; i++) {
    pt_walk_state_free(s->runs[i].now);
    if (s->runs[i].of_now)
      g_array_unref(s->runs[i].of_now);
  }
  g_free(s->runs);
  g_ptr_array_unref(s->of_real);
  pt_map64_clear(&s->own);
}

PtWalkStyle *pt_walk_style_new(const PtWalkModel *model, GPtrArray *pieces, int64_t opset,
                               const PtStyleOptions *options, const PtSeed *seed) {
  Styling s = {.model = model, .pieces = pieces, .seed = *seed, .steps = options->steps};
  PtFeatures f = {0};
  s.style = g_new0(PtWalkStyle, 1);
  s.style->beta = 1;
  s.of_real = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
  g_autoptr(GArray) own = g_array_new(FALSE, FALSE, sizeof(PtHabitCount));
  g_autoptr(GArray) corpus = g_array_copy(model->counts);
  for (guint i = 0; i < pieces->len; i++) {
    g_ptr_array_add(s.of_real, pt_features_counted(&f, pieces->pdata[i]));
    pt_habits_count(own, model->library, pieces->pdata[i], 1);
  }
  pt_features_clear(&f);
  s.style->habits = pt_habits_mix(model->library, own, corpus, OWN_SHARE, opset);
  if (pieces->len) {
    add_lift(&s, options->lift);
    make_runs(&s, options);
  }
  combine(&s);
  for (; pieces->len && s.round < options->rounds; s.round++)
    fit_round(&s, options);
  styling_clear(&s);
  return s.style;
}

void pt_walk_style_free(PtWalkStyle *style) {
  if (!style)
    return;
  pt_habits_free(style->habits);
  pt_energy_clear(&style->energy);
  g_free(style);
}
