/* topology_fit PIECES.bin [-u UNSEEN.bin] [-e EPOCHS] [-o OUT | -m MODEL] [-s SEED]: GraphRNN on
 * the pieces of a corpus file, then how far what it draws is from the unseen pieces (or those that
 * it learned): the Kolmogorov-Smirnov distance of each feature, for graphs as they come and for
 * those that Alg. 1 picks around each unseen piece. */
#include "sentinel/sentinel.h"
#include "topology/topology.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_MORE = 5, N_ALL = PT_N_FEATURES + N_MORE, K = 20, SAMPLED = 60 };
static const char *const more_names[N_MORE] = {"sources a node", "sinks a node", "joins a node",
                                               "depth a node", "mean span over size"};

typedef struct Shape {
  double x[N_ALL];
} Shape;

/* Beyond Alg. 1: what the directions look like. */
static Shape shape_of(const PtTopology *t) {
  Shape s;
  PtTopologyFeatures f = pt_topology_features(t);
  memcpy(s.x, f.x, sizeof f.x);
  double n = t->n, joins = 0, span = 0;
  g_autofree uint32_t *depth = g_new0(uint32_t, t->n + 1), *in = g_new0(uint32_t, t->n + 1);
  uint32_t deepest = 0;
  for (uint32_t i = 0; i < t->edges->len; i++) {
    PtEdge e = pt_topology_edge(t, i); /* sorted by from: depth[e.from] is final */
    depth[e.to] = MAX(depth[e.to], depth[e.from] + 1);
    deepest = MAX(deepest, depth[e.to]);
    joins += ++in[e.to] == 2;
    span += e.to - e.from;
  }
  double *x = s.x + PT_N_FEATURES;
  x[0] = pt_topology_sources(t) / n;
  x[1] = pt_topology_sinks(t) / n;
  x[2] = joins / n;
  x[3] = deepest / n;
  x[4] = t->edges->len > 0 ? span / t->edges->len / n : 0;
  return s;
}

static int by_number(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double *column(const GArray *shapes, int j) {
  double *x = g_new(double, shapes->len + 1);
  for (guint i = 0; i < shapes->len; i++)
    x[i] = g_array_index(shapes, Shape, i).x[j];
  qsort(x, shapes->len, sizeof *x, by_number);
  return x;
}

static double mean(const GArray *a, int j) {
  double sum = 0;
  for (guint i = 0; i < a->len; i++)
    sum += g_array_index(a, Shape, i).x[j];
  return sum / MAX(a->len, 1);
}

static double ks(const GArray *a, const GArray *b, int j) {
  g_autofree double *x = column(a, j), *y = column(b, j);
  double worst = 0;
  for (guint i = 0, k = 0; i < a->len && k < b->len;) {
    double at = MIN(x[i], y[k]) + 1e-9;
    while (i < a->len && x[i] <= at)
      i++;
    while (k < b->len && y[k] <= at)
      k++;
    worst = MAX(worst, fabs((double)i / a->len - (double)k / b->len));
  }
  return worst;
}

static GPtrArray *topologies_of(const char *path, GArray *faces, GError **error) {
  g_autoptr(PtCorpus) corpus = pt_corpus_open(path, error);
  if (!corpus)
    return NULL;
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  for (uint32_t i = 0; i < pt_corpus_size(corpus); i++) {
    PtGraph *piece = pt_corpus_piece(corpus, i, error);
    if (!piece)
      return NULL;
    guint face[2] = {piece->inputs->len, piece->outputs->len};
    g_ptr_array_add(all, pt_topology_of_graph(piece));
    g_array_append_vals(faces, face, 1);
  }
  return all;
}

static void add_shapes(const GPtrArray *topologies, GArray *shapes) {
  for (guint i = 0; i < topologies->len; i++) {
    Shape s = shape_of(topologies->pdata[i]);
    g_array_append_val(shapes, s);
  }
}

static GArray *drawn(const PtTopologyModel *model, bool induced, const char *seed_text) {
  PtSeed seed;
  pt_seed_init(&seed, seed_text);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "fit", induced);
  g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
  GArray *shapes = g_array_new(FALSE, FALSE, sizeof(Shape));
  double start = pt_clock();
  pt_topology_draw(model, NULL, 3000, induced, rng, out);
  printf("3000 graphs%s: %.2f s\n", induced ? ", Alg. 3" : "", pt_clock() - start);
  add_shapes(out, shapes);
  return shapes;
}

/* Buckets of one real piece and K samples around it, one after another. */
typedef struct Buckets {
  GArray *real, *picked; /* Shape: one a bucket, K a bucket */
} Buckets;

typedef struct Face {
  guint inputs, outputs;
} Face;

static Buckets sampled(const PtTopologyModel *model, const GPtrArray *real, const GArray *faces,
                       bool by_density, const char *seed_text) {
  PtSeed seed;
  pt_seed_init(&seed, seed_text);
  Buckets b = {g_array_new(FALSE, FALSE, sizeof(Shape)), g_array_new(FALSE, FALSE, sizeof(Shape))};
  double start = pt_clock(), slowest = 0;
  guint each = MAX(real->len / SAMPLED, 1);
  for (guint i = 0; i < real->len; i += each) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "sample", i);
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)pt_topology_free);
    g_autoptr(GError) error = NULL;
    Face face = g_array_index(faces, Face, i);
    double before = pt_clock();
    if (!pt_topology_sample_by(model, real->pdata[i], K, face.inputs, face.outputs, by_density, rng,
                               out, &error)) {
      printf("%s\n", error->message);
      continue;
    }
    slowest = MAX(slowest, pt_clock() - before);
    Shape s = shape_of(real->pdata[i]);
    g_array_append_val(b.real, s);
    add_shapes(out, b.picked);
  }
  printf("%u buckets of %d%s: %.2f s, slowest %.2f s\n", b.real->len, K,
         by_density ? ", weights 1/p" : "", pt_clock() - start, slowest);
  return b;
}

/* Where the real piece stands among its sentinels, on average: 0.5 is chance. */
static double place(const Buckets *b, int j) {
  double sum = 0;
  for (guint i = 0; i < b->real->len; i++)
    for (guint k = 0; k < K; k++) {
      double x = g_array_index(b->real, Shape, i).x[j];
      double y = g_array_index(b->picked, Shape, i * K + k).x[j];
      sum += y < x ? 1 : y > x ? 0 : 0.5;
    }
  return sum / MAX(b->real->len * K, 1);
}

/* The same for the density of what the network draws, which who has the model can compute. */
static double place_of_density(const Buckets *b, const GArray *learned) {
  double sum = 0;
  g_autofree PtTopologyFeatures *points = g_new(PtTopologyFeatures, learned->len);
  for (guint i = 0; i < learned->len; i++)
    memcpy(points[i].x, g_array_index(learned, Shape, i).x, sizeof points[i].x);
  g_autoptr(PtDensity) p = pt_density_new(points, learned->len);
  for (guint i = 0; i < b->real->len; i++) {
    PtTopologyFeatures f;
    memcpy(f.x, g_array_index(b->real, Shape, i).x, sizeof f.x);
    double x = pt_density_at(p, &f);
    for (guint k = 0; k < K; k++) {
      memcpy(f.x, g_array_index(b->picked, Shape, i * K + k).x, sizeof f.x);
      double y = pt_density_at(p, &f);
      sum += y < x ? 1 : y > x ? 0 : 0.5;
    }
  }
  return sum / MAX(b->real->len * K, 1);
}

static void report(PtTopologyModel *model, const GPtrArray *known, const GPtrArray *real,
                   const GArray *faces, const char *seed) {
  GArray *a = g_array_new(FALSE, FALSE, sizeof(Shape));
  GArray *base = g_array_new(FALSE, FALSE, sizeof(Shape));
  add_shapes(real, a);
  add_shapes(known, base);
  GArray *learned = drawn(model, false, seed), *induced = drawn(model, true, seed);
  Buckets even = sampled(model, real, faces, false, seed);
  Buckets paper = sampled(model, real, faces, true, seed);
  printf("%-30s %-44s%-40s%s\n", "", "Kolmogorov-Smirnov distance from the pieces", "    means",
         "        place of the real piece");
  printf("%-30s %8s%8s%8s%10s%8s %8s%8s%8s%10s%8s   %8s%8s\n", "", "learned", "drawn", "Alg. 3",
         "in window", "1/p", "pieces", "drawn", "Alg. 3", "in window", "1/p", "window", "1/p");
  for (int j = 0; j < N_ALL; j++)
    printf("%-30s %8.3f%8.3f%8.3f%10.3f%8.3f %8.3f%8.3f%8.3f%10.3f%8.3f   %8.3f%8.3f\n",
           j < PT_N_FEATURES ? pt_feature_names[j] : more_names[j - PT_N_FEATURES], ks(a, base, j),
           ks(a, learned, j), ks(a, induced, j), ks(even.real, even.picked, j),
           ks(paper.real, paper.picked, j), mean(a, j), mean(learned, j), mean(induced, j),
           mean(even.picked, j), mean(paper.picked, j), place(&even, j), place(&paper, j));
  printf("%-30s %42s %42s   %8.3f%8.3f\n", "density", "", "", place_of_density(&even, learned),
         place_of_density(&paper, learned));
}

static void show(const char *what, uint64_t done, uint64_t total, void *data) {
  const GArray *epochs = data;
  (void)what;
  if (epochs->len == 0)
    return;
  PtTopologyEpoch e = g_array_index(epochs, PtTopologyEpoch, epochs->len - 1);
  if (done % 5 == 0 || done == total)
    printf("epoch %3u  nats a node: learned %.4f  unseen %.4f\n", (unsigned)done, e.train,
           e.unseen);
  fflush(stdout);
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  const char *pieces = NULL, *unseen = NULL, *out = NULL, *file = NULL, *seed = "fit";
  g_autoptr(GArray) epochs = g_array_new(FALSE, FALSE, sizeof(PtTopologyEpoch));
  PtTopologyTrainOptions options = {.progress = {show, epochs}};
  for (int i = 1; i < argc; i++) {
    const char *next = i + 1 < argc ? argv[i + 1] : "";
    if (argv[i][0] != '-') {
      pieces = argv[i];
      continue;
    }
    i++;
    switch (argv[i - 1][1]) {
    case 'u':
      unseen = next;
      break;
    case 'o':
      out = next;
      break;
    case 'm':
      file = next;
      break;
    case 's':
      seed = next;
      break;
    case 'e':
      options.epochs = (uint32_t)atoi(next);
      break;
    default:
      pieces = NULL;
      i = argc;
    }
  }
  g_autoptr(GArray) faces = g_array_new(FALSE, FALSE, 2 * sizeof(guint));
  g_autoptr(GPtrArray) real = pieces ? topologies_of(pieces, faces, &error) : NULL;
  double start = pt_clock();
  g_autoptr(PtTopologyModel) model = !real  ? NULL
                                     : file ? pt_topology_model_open(file, &error)
                                            : pt_topology_train(real, &options, epochs, &error);
  if (!model || (out && !pt_topology_model_write(model, out, &error))) {
    fprintf(stderr, "%s\n",
            error ? error->message
                  : "topology_fit PIECES.bin [-u UNSEEN.bin] "
                    "[-e EPOCHS] [-o OUT | -m MODEL] [-s SEED]");
    return 1;
  }
  printf("%u pieces, %.1f s\n", real->len, pt_clock() - start);
  g_autoptr(GPtrArray) known = g_ptr_array_ref(real);
  if (unseen) {
    g_array_set_size(faces, 0);
    g_ptr_array_unref(real);
    real = topologies_of(unseen, faces, &error);
    if (!real) {
      fprintf(stderr, "%s\n", error->message);
      return 1;
    }
  }
  report(model, known, real, faces, seed);
  return 0;
}
