/* walk_control [-m MODEL.bin] [-k K] [-r STEPS]... [-c CONTROL] [-n PIECES] [-h HEAT]
 *              [-d: draws as they come] [-s: without style] [-l: a line a model] MODEL.onnx...
 * For each r: how often simple attacks find the real piece, and how often they find a draw from pi
 * in its place (control), which must be chance; draws that equal another; seconds. */
#include "cut.h"
#include "runtime/runtime.h"
#include "walk/walk_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Score {
  double first[3], rank[3]; /* medoid, log pi highest, lowest: share first; mean place in 0..1 */
  uint32_t buckets, candidates, equal, found, unwalked;
  double accepted, seconds;
} Score;

static double distance(const GArray *a, const GArray *b) {
  double d = 0;
  guint i = 0, k = 0;
  while (i < a->len || k < b->len) {
    const PtCount *x = i < a->len ? &g_array_index(a, PtCount, i) : NULL;
    const PtCount *y = k < b->len ? &g_array_index(b, PtCount, k) : NULL;
    if (x && y && x->id == y->id)
      d += fabs(x->count - y->count), i++, k++;
    else if (x && (!y || x->id < y->id))
      d += x->count, i++;
    else
      d += y->count, k++;
  }
  return d;
}

static GArray *features_of(PtWalkModel *m, PtGraph *g) {
  PtWalkFace *face = pt_walk_face_new(m->library, g);
  g_autoptr(PtWalkState) s = pt_walk_read(m->library, face, g, NULL, NULL);
  PtFeatures f = {0};
  GArray *a = s ? pt_features_counted(&f, s) : g_array_new(FALSE, FALSE, sizeof(PtCount));
  pt_features_clear(&f);
  g_clear_pointer(&s, pt_walk_state_free);
  pt_walk_face_free(face);
  return a;
}

/* The place of item 0 when sorted ascending, ties shared. */
static void place(const double *x, uint32_t n, double *first, double *rank) {
  uint32_t below = 0, same = 0;
  for (uint32_t i = 1; i < n; i++) {
    below += x[i] < x[0];
    same += x[i] == x[0];
  }
  *first += below == 0 ? 1.0 / (same + 1) : 0;
  *rank += n > 1 ? (below + same / 2.0) / (n - 1) : 0.5;
}

static void attack(PtWalkModel *m, const PtWalkBuckets *b, uint32_t bucket, Score *score) {
  PtWalkStats stats = pt_walk_buckets_stats(b, bucket);
  uint32_t n = stats.made + 1;
  if (n < 2)
    return;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
  g_autofree double *medoid = g_new0(double, n), *high = g_new0(double, n),
                    *low = g_new0(double, n);
  for (uint32_t i = 0; i < n; i++) {
    g_autoptr(PtGraph) g =
        i ? pt_walk_buckets_sentinel(b, bucket, i - 1) : pt_walk_buckets_real(b, bucket, NULL);
    g_ptr_array_add(all, features_of(m, g));
  }
  for (uint32_t i = 0; i < n; i++) {
    const GArray *a = all->pdata[i];
    for (uint32_t k = 0; k < n; k++)
      medoid[i] += distance(a, all->pdata[k]);
    for (guint k = 0; k < a->len; k++) {
      const PtCount *c = &g_array_index(a, PtCount, k);
      low[i] += c->count * pt_map64_get(&m->weights, c->id, 0);
    }
    high[i] = -low[i];
  }
  place(medoid, n, &score->first[0], &score->rank[0]);
  place(high, n, &score->first[1], &score->rank[1]);
  place(low, n, &score->first[2], &score->rank[2]);
  score->buckets++;
  score->candidates += n - 1;
  score->equal += stats.equal;
  score->found += stats.found;
  score->accepted += stats.accepted;
}

static void run(PtWalkModel *m, GPtrArray *pieces, const PtWalkOptions *options, Score *score) {
  PtSeed seed;
  pt_seed_init(&seed, "control");
  double start = pt_clock();
  g_autoptr(PtWalkBuckets) buckets = pt_walk_buckets_new(m, pieces, options, &seed);
  score->seconds += pt_clock() - start;
  for (guint i = 0; i < pieces->len; i++)
    if (pt_walk_buckets_stats(buckets, i).walked)
      attack(m, buckets, i, score);
    else
      score->unwalked++;
}

static void print(const char *what, uint32_t steps, const Score *s, uint32_t k) {
  double n = MAX(s->buckets, 1);
  printf(
      "%-28s r %6u  buckets %4u (+%u)  medoid %.3f/%.2f  high %.3f/%.2f  low %.3f/%.2f  chance %.3f"
      "  equal %.3f real %.3f  made %.3f  accepted %.4f  %.1f s\n",
      what, steps, s->buckets, s->unwalked, s->first[0] / n, s->rank[0] / n, s->first[1] / n,
      s->rank[1] / n, s->first[2] / n, s->rank[2] / n, 1.0 / (k + 1), s->equal / (n * k),
      s->found / (n * k), s->candidates / (n * k), s->accepted / n, s->seconds);
  fflush(stdout);
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  const char *file = NULL;
  PtWalkOptions options = {.k = 20};
  uint32_t steps[16], n_steps = 0, control = 0, pieces_wanted = 0;
  bool list = false;
  int first = 1;
  for (; first < argc && argv[first][0] == '-'; first++) {
    if (argv[first][1] == 'l')
      list = true;
    else if (argv[first][1] == 'd')
      options.keep_equal = true;
    else if (argv[first][1] == 's')
      options.no_style = true;
    else if (first + 1 < argc) {
      const char *value = argv[++first];
      switch (argv[first - 1][1]) {
      case 'm':
        file = value;
        break;
      case 'k':
        options.k = (uint32_t)atoi(value);
        break;
      case 'c':
        control = (uint32_t)atoi(value);
        break;
      case 'h':
        options.heat = g_ascii_strtod(value, NULL);
        break;
      case 'n':
        pieces_wanted = (uint32_t)atoi(value);
        break;
      case 'r':
        if (n_steps < 16)
          steps[n_steps++] = (uint32_t)atoi(value);
      }
    }
  }
  if (n_steps == 0)
    steps[n_steps++] = 2000;
  g_autoptr(PtWalkModel) m = pt_runtime_load(&error) ? pt_walk_model_open(file, &error) : NULL;
  Score all[16][2] = {0};
  for (int i = first; m && i < argc; i++) {
    g_autoptr(GPtrArray) pieces = pt_bench_cut(argv[i], pieces_wanted, "control", &error);
    if (!pieces)
      break;
    g_autofree char *name = g_path_get_basename(argv[i]);
    for (uint32_t r = 0; r < n_steps; r++)
      for (int with = 0; with < (control ? 2 : 1); with++) {
        Score one = {0};
        options.steps = steps[r];
        options.control = with ? control : 0;
        run(m, pieces, &options, &one);
        if (list) {
          g_autofree char *what = g_strconcat(name, with ? " (control)" : "", NULL);
          print(what, steps[r], &one, options.k);
        }
        Score *sum = &all[r][with];
        for (int a = 0; a < 3; a++)
          sum->first[a] += one.first[a], sum->rank[a] += one.rank[a];
        sum->buckets += one.buckets, sum->candidates += one.candidates, sum->equal += one.equal;
        sum->found += one.found;
        sum->unwalked += one.unwalked;
        sum->accepted += one.accepted, sum->seconds += one.seconds;
      }
  }
  for (uint32_t r = 0; !error && r < n_steps; r++)
    for (int with = 0; with < (control ? 2 : 1); with++)
      print(with ? "all (control)" : "all", steps[r], &all[r][with], options.k);
  if (error)
    fprintf(stderr, "%s\n", error->message);
  return error ? 1 : 0;
}
