/* walk_attack [-k K] [-r STEPS] [-n PIECES] [-S SEED] [-h HEAT] [-c CONTROL] [-d] [-a]
 *             [-m MODEL.bin MODEL.onnx...]...
 * Attacks on buckets of models that the generator of their group (-m) has not seen: what single
 * measures tell, and adversaries learned on the buckets of the other groups. -a: near-twins count,
 * too, not only who leads them. area: chance that the real piece scores above a sentinel; first:
 * that it scores highest; bits: what a posterior leaves, its one constant fitted on the other
 * groups. */
#include "cut.h"
#include "runtime/runtime.h"
#include "walk/walk_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEDOID, ENERGY, TWIN, DICTIONARY, HABITS, SIZE, WEIGHTS, LEARNED, STACK, N_ATTACKS };
static const char *const attack_names[] = {"medoid", "energy",  "twin",    "dictionary", "habits",
                                           "size",   "weights", "learned", "stack"};

typedef struct Bucket {
  uint32_t model, group, n; /* candidates, the real one first */
  GArray **features;        /* [n] of PtCount */
  double *score[N_ATTACKS]; /* [n] */
  PtWalkStats stats;
} Bucket;

typedef struct Model {
  char *name;
  uint32_t n_unwalked, n_twins, n_short;
} Model;

typedef struct Attack {
  GArray *buckets; /* Bucket */
  GArray *models;  /* Model */
  PtWalkOptions options;
  const char *seed;
  uint32_t pieces, group;
  bool twins;
} Attack;

#define BUCKET(a, i) (&g_array_index((a)->buckets, Bucket, i))

/* ---- measures
 * --------------------------------------------------------------------------------------- */
/* 1 - (sum of differences) / (sum of all): 1 for equal ones. */
static double likeness(const GArray *a, const GArray *b) {
  double d = 0, all = 0;
  for (guint i = 0, k = 0; i < a->len || k < b->len;) {
    const PtCount *x = i < a->len ? &g_array_index(a, PtCount, i) : NULL;
    const PtCount *y = k < b->len ? &g_array_index(b, PtCount, k) : NULL;
    if (x && y && x->id == y->id) {
      d += fabs(x->count - y->count), all += x->count + y->count, i++, k++;
    } else if (x && (!y || x->id < y->id)) {
      d += x->count, all += x->count, i++;
    } else {
      d += y->count, all += y->count, k++;
    }
  }
  return all > 0 ? 1 - d / all : 1;
}

static GArray *features_of(PtWalkModel *m, PtGraph *g, double *n_nodes, double *weights) {
  PtWalkFace *face = pt_walk_face_new(m->library, g);
  g_autoptr(PtWalkState) s = pt_walk_read(m->library, face, g, NULL, NULL);
  PtFeatures f = {0};
  GArray *a = s ? pt_features_counted(&f, s) : g_array_new(FALSE, FALSE, sizeof(PtCount));
  *n_nodes = s ? s->n : 0;
  *weights = s ? log2(1 + (double)pt_walk_weights(s)) : 0;
  pt_features_clear(&f);
  g_clear_pointer(&s, pt_walk_state_free);
  pt_walk_face_free(face);
  return a;
}

static void measure(PtWalkModel *m, Bucket *b, GPtrArray *corpus) {
  for (uint32_t i = 0; i < b->n; i++) {
    const GArray *a = b->features[i];
    for (uint32_t k = 0; k < b->n; k++)
      b->score[MEDOID][i] += k == i ? 0 : likeness(a, b->features[k]);
    for (guint k = 0; k < a->len; k++) {
      const PtCount *c = &g_array_index(a, PtCount, k);
      b->score[ENERGY][i] += c->count * pt_map64_get(&m->weights, c->id, 0);
    }
    for (guint k = 0; k < corpus->len; k++)
      b->score[DICTIONARY][i] = MAX(b->score[DICTIONARY][i], likeness(a, corpus->pdata[k]));
  }
}

static void count_bucket(PtMap64 *map, const Bucket *b, double sign) {
  for (uint32_t i = 0; i < b->n; i++)
    for (guint k = 0; k < b->features[i]->len; k++)
      *pt_map64_at(map, g_array_index(b->features[i], PtCount, k).id) += sign;
}

/* Over the buckets of one model: the nearest twin elsewhere; features common elsewhere. */
static void measure_across(Attack *a, guint from) {
  PtMap64 all = {0};
  for (guint i = from; i < a->buckets->len; i++)
    count_bucket(&all, BUCKET(a, i), 1);
  for (guint i = from; i < a->buckets->len; i++) {
    Bucket *b = BUCKET(a, i);
    PtMap64 own = {0};
    count_bucket(&own, b, 1);
    for (uint32_t j = 0; j < b->n; j++) {
      const GArray *x = b->features[j];
      for (guint o = from; o < a->buckets->len; o++)
        for (uint32_t k = 0; o != i && k < BUCKET(a, o)->n; k++)
          b->score[TWIN][j] = MAX(b->score[TWIN][j], likeness(x, BUCKET(a, o)->features[k]));
      for (guint k = 0; k < x->len; k++) {
        uint64_t id = g_array_index(x, PtCount, k).id;
        double here = pt_map64_get(&own, id, 0), else_where = pt_map64_get(&all, id, 0) - here;
        b->score[HABITS][j] += log((else_where + 1) / (here + 1)) / x->len;
      }
    }
    pt_map64_clear(&own);
  }
  pt_map64_clear(&all);
}

/* ---- one model
 * ------------------------------------------------------------------------------------- */
static void add_bucket(Attack *a, PtWalkModel *m, const PtWalkBuckets *buckets, uint32_t i,
                       GPtrArray *corpus) {
  Bucket b = {.model = a->models->len, .group = a->group};
  b.stats = pt_walk_buckets_stats(buckets, i);
  b.n = b.stats.made + 1;
  b.features = g_new0(GArray *, b.n);
  for (uint32_t s = 0; s < N_ATTACKS; s++)
    b.score[s] = g_new0(double, b.n);
  for (uint32_t k = 0; k < b.n; k++) {
    g_autoptr(PtGraph) g =
        k ? pt_walk_buckets_sentinel(buckets, i, k - 1) : pt_walk_buckets_real(buckets, i, NULL);
    b.features[k] = g ? features_of(m, g, &b.score[SIZE][k], &b.score[WEIGHTS][k])
                      : g_array_new(FALSE, FALSE, sizeof(PtCount));
  }
  measure(m, &b, corpus);
  g_array_append_val(a->buckets, b);
}

static bool add_model(Attack *a, PtWalkModel *m, GPtrArray *corpus, const char *path,
                      GError **error) {
  g_autoptr(GPtrArray) pieces = pt_bench_cut(path, a->pieces, a->seed, error);
  if (!pieces)
    return false;
  Model model = {.name = g_path_get_basename(path)};
  guint from = a->buckets->len;
  PtSeed seed;
  pt_seed_init(&seed, a->seed);
  g_autoptr(PtWalkBuckets) buckets = pt_walk_buckets_new(m, pieces, &a->options, &seed);
  for (guint i = 0; i < pieces->len; i++) {
    PtWalkStats stats = pt_walk_buckets_stats(buckets, i);
    model.n_unwalked += !stats.walked;
    model.n_twins += stats.walked && stats.leader != i;
    model.n_short += stats.walked && stats.made < a->options.k;
    if (stats.walked && (a->twins || stats.leader == i) && stats.made > 0)
      add_bucket(a, m, buckets, i, corpus);
  }
  measure_across(a, from);
  g_array_append_val(a->models, model);
  return true;
}

/* ---- learned ones
 * ---------------------------------------------------------------------------------- */
/* Features that the buckets of at least three models show. */
static void find_columns(const Attack *a, PtMap64 *columns) {
  PtMap64 last = {0}, models = {0};
  uint32_t n = 0;
  for (guint i = 0; i < a->buckets->len; i++)
    for (uint32_t j = 0; j < BUCKET(a, i)->n; j++) {
      const GArray *x = BUCKET(a, i)->features[j];
      for (guint k = 0; k < x->len; k++) {
        uint64_t id = g_array_index(x, PtCount, k).id;
        double *seen = pt_map64_at(&last, id);
        if (*seen != BUCKET(a, i)->model + 1.0) {
          *seen = BUCKET(a, i)->model + 1.0;
          if (++*pt_map64_at(&models, id) == 3)
            *pt_map64_at(columns, id) = ++n;
        }
      }
    }
  pt_map64_clear(&last);
  pt_map64_clear(&models);
}

static double standard(const double *x, uint32_t n, uint32_t i) {
  double sum = 0, squares = 0;
  for (uint32_t k = 0; k < n; k++)
    sum += x[k], squares += x[k] * x[k];
  double mean = sum / n, var = squares / n - mean * mean;
  return var > 1e-12 ? (x[i] - mean) / sqrt(var) : 0;
}

/* Features of the pairs; with `stack` the measures in place of them. */
static PtPairs *make_pairs(const Attack *a, const PtMap64 *columns, bool stack, GArray *group) {
  PtPairs *pairs = pt_pairs_new();
  for (guint i = 0; i < a->buckets->len; i++)
    for (uint32_t j = 1; j < BUCKET(a, i)->n; j++) {
      const Bucket *b = BUCKET(a, i);
      for (uint32_t s = 0; stack && s < LEARNED; s++)
        pt_pairs_add(pairs, s,
                     (float)(standard(b->score[s], b->n, 0) - standard(b->score[s], b->n, j)));
      if (!stack)
        pt_pairs_add_row(pairs, columns, b->features[0], b->features[j]);
      pt_pairs_end_row(pairs);
      g_array_append_val(group, b->group);
    }
  pairs->columns = stack ? LEARNED : columns->used;
  return pairs;
}

static void learn(Attack *a, bool stack) {
  PtMap64 columns = {0};
  if (!stack)
    find_columns(a, &columns);
  g_autoptr(GArray) group = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  g_autoptr(PtPairs) pairs = make_pairs(a, &columns, stack, group);
  g_autofree bool *use = g_new(bool, group->len + 1);
  g_autofree double *w = g_new(double, pairs->columns + 1);
  for (uint32_t g = 0; g <= a->group; g++) {
    for (guint r = 0; r < group->len; r++)
      use[r] = g_array_index(group, uint32_t, r) != g;
    pt_pairs_fit(pairs, use, stack ? 0.1 : 0.003, w);
    for (guint i = 0, r = 0; i < a->buckets->len; i++) { /* the real one's score: 0 */
      Bucket *b = BUCKET(a, i);
      for (uint32_t j = 1; j < b->n; j++, r++)
        if (b->group == g)
          b->score[stack ? STACK : LEARNED][j] = -pt_pairs_dot(pairs, r, w);
    }
  }
  pt_map64_clear(&columns);
}

/* ---- what they find
 * -------------------------------------------------------------------------------- */
typedef struct Found {
  double area, first, bits, n;
} Found;

static double left(const Bucket *b, uint32_t attack, double t) {
  double sum = 0, real = t * standard(b->score[attack], b->n, 0);
  for (uint32_t k = 0; k < b->n; k++)
    sum += exp(t * standard(b->score[attack], b->n, k) - real);
  return log2(sum);
}

/* The constant of the posterior that leaves the fewest bits in the other groups. */
static double sharpness(const Attack *a, uint32_t attack, uint32_t group) {
  double best = INFINITY, at = 0;
  for (double t = -3; t <= 3.01; t += 0.125) {
    double sum = 0;
    for (guint i = 0; i < a->buckets->len; i++)
      if (BUCKET(a, i)->group != group)
        sum += left(BUCKET(a, i), attack, t);
    if (sum < best) {
      best = sum;
      at = t;
    }
  }
  return at;
}

static void add_found(Found *f, const Bucket *b, uint32_t attack, double t) {
  const double *x = b->score[attack];
  double below = 0, same = 0, above = 0;
  for (uint32_t k = 1; k < b->n; k++) {
    below += x[k] < x[0];
    same += x[k] == x[0];
    above += x[k] > x[0];
  }
  f->area += (below + same / 2) / (b->n - 1);
  f->first += above == 0 ? 1 / (same + 1) : 0;
  f->bits += left(b, attack, t);
  f->n++;
}

static void report(const Attack *a) {
  double t[N_ATTACKS][16] = {0};
  for (uint32_t s = 0; s < N_ATTACKS; s++)
    for (uint32_t g = 0; g <= a->group && g < 16; g++)
      t[s][g] = sharpness(a, s, g);
  printf("%-18s buckets twins short equal found  accepted  ", "");
  for (uint32_t s = 0; s < N_ATTACKS; s++)
    printf("%-16s", attack_names[s]);
  printf("  (area/first/bits)\n");
  for (guint m = 0; m <= a->models->len; m++) {
    bool all = m == a->models->len;
    Found found[N_ATTACKS] = {0};
    double equal = 0, real = 0, accepted = 0, n = 0;
    uint32_t twins = 0, few = 0;
    for (guint o = 0; o < a->models->len; o++)
      if (all || o == m) {
        twins += g_array_index(a->models, Model, o).n_twins;
        few += g_array_index(a->models, Model, o).n_short;
      }
    for (guint i = 0; i < a->buckets->len; i++) {
      const Bucket *b = BUCKET(a, i);
      if (!all && b->model != m)
        continue;
      for (uint32_t s = 0; s < N_ATTACKS; s++)
        add_found(&found[s], b, s, t[s][b->group]);
      equal += (double)b->stats.equal / a->options.k;
      real += (double)b->stats.found / a->options.k;
      accepted += b->stats.accepted;
      n++;
    }
    n = MAX(n, 1);
    printf("%-18s %7.0f %5u %5u %.3f %.3f %.4f   ",
           all ? "all" : g_array_index(a->models, Model, m).name, n, twins, few, equal / n,
           real / n, accepted / n);
    for (uint32_t s = 0; s < N_ATTACKS; s++)
      printf("%.2f/%.2f/%.2f  ", found[s].area / n, found[s].first / n, found[s].bits / n);
    printf("\n");
  }
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  Attack a = {.options = {.k = 20}, .seed = "attack"};
  a.buckets = g_array_new(FALSE, TRUE, sizeof(Bucket));
  a.models = g_array_new(FALSE, TRUE, sizeof(Model));
  g_autoptr(PtWalkModel) m = NULL;
  g_autoptr(GPtrArray) corpus = NULL;
  bool ok = pt_runtime_load(&error), any = false;
  for (int i = 1; ok && i < argc; i++) {
    if (argv[i][0] != '-') {
      ok = m && add_model(&a, m, corpus, argv[i], &error);
      continue;
    }
    char option = argv[i][1];
    if (option == 'd') {
      a.options.keep_equal = true;
      continue;
    }
    if (option == 'a') {
      a.twins = true;
      continue;
    }
    const char *value = i + 1 < argc ? argv[++i] : "";
    if (option == 'k')
      a.options.k = (uint32_t)atoi(value);
    else if (option == 'r')
      a.options.steps = (uint32_t)atoi(value);
    else if (option == 'n')
      a.pieces = (uint32_t)atoi(value);
    else if (option == 'S')
      a.seed = value;
    else if (option == 'h')
      a.options.heat = g_ascii_strtod(value, NULL);
    else if (option == 'c')
      a.options.control = (uint32_t)atoi(value);
    else if (option == 'm') {
      a.group += any;
      any = true;
      g_clear_pointer(&m, pt_walk_model_free);
      g_clear_pointer(&corpus, g_ptr_array_unref);
      ok = (m = pt_walk_model_open(value, &error)) != NULL;
      corpus = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
      PtFeatures f = {0};
      for (guint p = 0; ok && p < m->pieces->len; p++)
        g_ptr_array_add(corpus,
                        pt_features_counted(&f, ((PtWalkPiece *)m->pieces->pdata[p])->state));
      pt_features_clear(&f);
    }
  }
  if (!ok || a.buckets->len == 0) {
    fprintf(stderr, "%s\n", error ? error->message : "walk_attack -m MODEL.bin MODEL.onnx...");
    return 1;
  }
  learn(&a, false);
  learn(&a, true);
  report(&a);
  return 0;
}
