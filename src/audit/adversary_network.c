/* adversary_network.c: the paper's adversary (5.3.2): an embedding of operators, three GraphSAGE
 * layers with ReLU, the mean over nodes, linear, sigmoid; squared error, Adam. And the same network
 * with attributes, dtypes and shapes, taught to find the real piece among its bucket. */
#include "audit/audit_private.h"

#include "nn/nn.h"

#include <math.h>
#include <string.h>

#define HIDDEN 64
#define LAYERS 3
#define SHAPES 16  /* numbers a node */
#define COMPANY 7  /* sentinels of a bucket a step */
#define BUCKETS 16 /* a step */

typedef struct Network {
  bool rich;
  GHashTable *words; /* operator or token -> id */
  PtParams *params;
  PtEmbedding embedding;
  PtSage sage[LAYERS];
  PtLinear last;
} Network;

/* ---- words ----------------------------------------------------------------------------------- */
static uint64_t word_of(const Network *net, const PtSightNode *n) {
  return net->rich ? n->token : n->op;
}

/* Known words from 1; rare tokens are their operator, and unknown ones 0. */
static uint32_t id_of(const Network *net, const PtSightNode *n) {
  void *found = g_hash_table_lookup(net->words, GSIZE_TO_POINTER((gsize)word_of(net, n)));
  if (!found)
    found = g_hash_table_lookup(net->words, GSIZE_TO_POINTER((gsize)n->op));
  return GPOINTER_TO_UINT(found);
}

static void add_word(Network *net, GHashTable *times, uint64_t word, guint least) {
  void *key = GSIZE_TO_POINTER((gsize)word);
  guint n = GPOINTER_TO_UINT(g_hash_table_lookup(times, key)) + 1;
  g_hash_table_insert(times, key, GUINT_TO_POINTER(n));
  if (n == least && !g_hash_table_contains(net->words, key))
    g_hash_table_insert(net->words, key, GUINT_TO_POINTER(g_hash_table_size(net->words) + 1));
}

static void learn_words(Network *net, GPtrArray *targets) {
  g_autoptr(GHashTable) ops = g_hash_table_new(NULL, NULL), tokens = g_hash_table_new(NULL, NULL);
  net->words = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < targets->len; i++) {
    const PtCase *t = targets->pdata[i];
    for (guint k = 0; k < t->sights->len; k++) {
      const PtSight *s = t->sights->pdata[k];
      for (uint32_t j = 0; j < s->n; j++) {
        add_word(net, ops, s->nodes[j].op, 1);
        if (net->rich)
          add_word(net, tokens, s->nodes[j].token, 40);
      }
    }
  }
}

/* ---- batches --------------------------------------------------------------------------------- */
typedef struct Batch {
  uint32_t n, graphs;
  GArray *ids, *start, *to, *first; /* uint32_t */
  GArray *shapes;                   /* float [n][SHAPES] */
} Batch;

static void batch_init(Batch *b) {
  *b = (Batch){.ids = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
               .start = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
               .to = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
               .first = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
               .shapes = g_array_new(FALSE, FALSE, sizeof(float))};
}

static void batch_reset(Batch *b) {
  b->n = b->graphs = 0;
  g_array_set_size(b->ids, 0);
  g_array_set_size(b->start, 0);
  g_array_set_size(b->to, 0);
  g_array_set_size(b->first, 0);
  g_array_set_size(b->shapes, 0);
}

static void batch_clear(Batch *b) {
  g_array_unref(b->ids);
  g_array_unref(b->start);
  g_array_unref(b->to);
  g_array_unref(b->first);
  g_array_unref(b->shapes);
}

static float log_ratio(double a, double b) {
  return a > 0 && b > 0 ? (float)CLAMP(log2(a / b) / 4, -2, 2) : 0;
}

static void shapes_of(const PtSightNode *n, float *x) {
  x[0] = n->width > 0 ? (float)log2(n->width) / 8 : 0;
  x[1] = log_ratio(n->width, n->width_in);
  x[2] = n->width > 0 && n->width == n->width_in;
  x[3] = (float)log2((double)n->area) / 12;
  x[4] = log_ratio((double)n->area, (double)n->area_in);
  x[5] = (float)n->rank / 4;
  x[6] = n->dtype == PT_FLOAT;
  x[7] = n->dtype == PT_INT64;
  x[8] = n->dtype == PT_BOOL;
  x[9] = (float)log2(n->weights + 1) / 16;
  x[10] = n->weights > 1;
  x[11] = (float)MIN(n->n_uses, 4) / 2;
  x[12] = (float)MIN(n->outs, 2);
  x[13] = (float)MIN(n->n_in, 4) / 2;
  x[14] = n->width > 0 && n->width % 8 != 0;
  x[15] = n->width > 0 && n->width % 64 == 0;
}

/* Neighbours are those before and after; inputs of the piece are none. */
static void batch_add(Batch *b, const Network *net, const PtSight *s) {
  uint32_t base = b->n;
  g_autofree uint32_t *count = g_new0(uint32_t, (gsize)s->n + 2);
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++) {
      int32_t from = s->refs[s->nodes[i].in + k];
      if (from >= 0) {
        count[i + 1]++;
        count[from + 1]++;
      }
    }
  for (uint32_t i = 0; i < s->n; i++)
    count[i + 1] += count[i];
  uint32_t at = b->to->len;
  g_array_set_size(b->to, at + count[s->n]);
  uint32_t *to = (uint32_t *)(void *)b->to->data + at;
  g_array_append_val(b->first, base);
  for (uint32_t i = 0; i < s->n; i++) {
    uint32_t begin = at + count[i], id = id_of(net, &s->nodes[i]);
    g_array_append_val(b->start, begin);
    g_array_append_val(b->ids, id);
    if (net->rich) {
      float x[SHAPES];
      shapes_of(&s->nodes[i], x);
      g_array_append_vals(b->shapes, x, SHAPES);
    }
  }
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++) {
      int32_t from = s->refs[s->nodes[i].in + k];
      if (from >= 0) {
        to[count[i]++] = base + (uint32_t)from;
        to[count[from]++] = base + i;
      }
    }
  b->n += s->n;
  b->graphs++;
}

static void batch_end(Batch *b) {
  g_array_append_val(b->start, b->to->len);
  g_array_append_val(b->first, b->n);
}

/* ---- forward and backward -------------------------------------------------------------------- */
typedef struct Pass {
  PtMatrix embedded, x[LAYERS + 1], mean[LAYERS], pooled, logit;
} Pass;

static void pass_clear(Pass *p) {
  pt_matrix_clear(&p->embedded);
  for (int i = 0; i <= LAYERS; i++)
    pt_matrix_clear(&p->x[i]);
  for (int i = 0; i < LAYERS; i++)
    pt_matrix_clear(&p->mean[i]);
  pt_matrix_clear(&p->pooled);
  pt_matrix_clear(&p->logit);
}

static PtNeighbours neighbours(const Batch *b) {
  return (PtNeighbours){b->n, (const uint32_t *)(const void *)b->start->data,
                        (const uint32_t *)(const void *)b->to->data};
}

static void forward(const Network *net, const Batch *b, Pass *p) {
  const float *w = net->params->value;
  PtNeighbours graph = neighbours(b);
  uint32_t width = HIDDEN + (net->rich ? SHAPES : 0);
  pt_embedding_forward(&net->embedding, w, (const uint32_t *)(const void *)b->ids->data, b->n,
                       &p->embedded);
  pt_matrix_resize(&p->x[0], b->n, width);
  for (uint32_t i = 0; i < b->n; i++) {
    memcpy(pt_matrix_row(&p->x[0], i), pt_matrix_row(&p->embedded, i), HIDDEN * sizeof(float));
    if (net->rich)
      memcpy(pt_matrix_row(&p->x[0], i) + HIDDEN,
             (const float *)(const void *)b->shapes->data + (gsize)i * SHAPES,
             SHAPES * sizeof(float));
  }
  for (int l = 0; l < LAYERS; l++) {
    pt_sage_forward(&net->sage[l], w, &graph, &p->x[l], &p->mean[l], &p->x[l + 1]);
    pt_relu(&p->x[l + 1]);
  }
  pt_mean_pool(&p->x[LAYERS], (const uint32_t *)(const void *)b->first->data, b->graphs,
               &p->pooled);
  pt_linear_forward(&net->last, w, &p->pooled, &p->logit);
}

static void backward(const Network *net, const Batch *b, const Pass *p, const PtMatrix *dlogit,
                     float *gradient) {
  const float *w = net->params->value;
  PtNeighbours graph = neighbours(b);
  g_auto(PtMatrix) dy = {0}, dx = {0};
  pt_linear_backward(&net->last, w, &p->pooled, dlogit, gradient, &dx);
  pt_mean_pool_backward(&dx, (const uint32_t *)(const void *)b->first->data, b->graphs, &dy);
  for (int l = LAYERS; l-- > 0;) {
    pt_relu_backward(&p->x[l + 1], &dy);
    pt_sage_backward(&net->sage[l], w, &graph, &p->x[l], &p->mean[l], &dy, gradient, &dx);
    PtMatrix swap = dy;
    dy = dx;
    dx = swap;
  }
  pt_matrix_resize(&dx, b->n, HIDDEN);
  for (uint32_t i = 0; i < b->n; i++)
    memcpy(pt_matrix_row(&dx, i), pt_matrix_row(&dy, i), HIDDEN * sizeof(float));
  pt_embedding_backward(&net->embedding, (const uint32_t *)(const void *)b->ids->data, &dx,
                        gradient);
}

/* The paper's: squared error of the confidence that a graph is a sentinel; the real ones weigh as
 * much as the sentinels together. */
static void paper_loss(const Pass *p, uint32_t group, PtMatrix *dlogit) {
  uint32_t n = p->logit.rows;
  g_auto(PtMatrix) y = {0};
  g_autofree float *target = g_new(float, (gsize)n + 1), *weight = g_new(float, (gsize)n + 1);
  pt_matrix_resize(&y, n, 1);
  memcpy(y.data, p->logit.data, n * sizeof(float));
  pt_sigmoid(&y);
  for (uint32_t i = 0; i < n; i++) {
    target[i] = i % group ? 1 : 0;
    weight[i] = (i % group ? 1 : (float)(group - 1)) / (float)n;
  }
  (void)pt_loss_squared(&y, target, weight, dlogit);
  pt_sigmoid_backward(&y, dlogit);
}

/* Which of the bucket's is real: they come first in each group. The logit says sentinel. */
static void bucket_loss(const Pass *p, uint32_t group, PtMatrix *dlogit) {
  uint32_t n = p->logit.rows / group;
  g_auto(PtMatrix) scores = {0}, gradient = {0};
  g_autofree uint32_t *class = g_new0(uint32_t, (gsize)n + 1);
  pt_matrix_resize(&scores, n, group);
  for (uint32_t i = 0; i < n * group; i++)
    scores.data[i] = -p->logit.data[i];
  (void)pt_loss_softmax(&scores, class, NULL, &gradient);
  pt_matrix_resize(dlogit, n * group, 1);
  for (uint32_t i = 0; i < n * group; i++)
    dlogit->data[i] = -gradient.data[i] / (float)n;
}

/* ---- training -------------------------------------------------------------------------------- */
typedef struct Place {
  const PtCase *target;
  uint32_t bucket;
} Place;

/* Each family as often as another, as its seeds and pieces are alike. */
static GArray *places(GPtrArray *targets) {
  GArray *all = g_array_new(FALSE, FALSE, sizeof(Place));
  for (guint i = 0; i < targets->len; i++) {
    const PtCase *t = targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++)
      if (t->buckets[b].n > COMPANY) {
        Place place = {t, b};
        g_array_append_val(all, place);
      }
  }
  return all;
}

static void add_place(const Network *net, const Place *p, PtRng *rng, Batch *batch) {
  uint32_t n = p->target->buckets[p->bucket].n, real = p->target->real[p->bucket];
  g_autofree uint32_t *others = g_new(uint32_t, (gsize)n + 1);
  for (uint32_t i = 0, k = 0; i < n; i++)
    if (i != real)
      others[k++] = i;
  pt_rng_shuffle(rng, others, n - 1, sizeof *others);
  batch_add(batch, net, pt_case_sight(p->target, p->bucket, real));
  for (uint32_t i = 0; i < COMPANY; i++)
    batch_add(batch, net, pt_case_sight(p->target, p->bucket, others[i]));
}

static void build(Network *net, PtRng *rng) {
  net->params = pt_params_new();
  net->embedding = pt_embedding_new(net->params, g_hash_table_size(net->words) + 1, HIDDEN, rng);
  for (int l = 0; l < LAYERS; l++)
    net->sage[l] =
        pt_sage_new(net->params, HIDDEN + (l == 0 && net->rich ? SHAPES : 0), HIDDEN, rng);
  net->last = pt_linear_new(net->params, HIDDEN, 1, rng);
}

static void *train(const PtTraining *training, bool rich) {
  Network *net = g_new0(Network, 1);
  net->rich = rich;
  learn_words(net, training->targets);
  g_autoptr(PtRng) rng = pt_rng_new(&training->seed, "network", rich);
  build(net, rng);
  g_autoptr(GArray) all = places(training->targets);
  if (all->len == 0)
    return net;
  /* The paper's rate for the paper's network; ten times that for the other. */
  PtAdam adam = {.rate = rich ? 1e-3 : 1e-4, .weight_decay = rich ? 1e-4 : 1e-5};
  uint32_t steps = CLAMP(all->len * (rich ? 10 : 30) / BUCKETS, 100, rich ? 1200 : 2400);
  Batch batch;
  Pass pass = {0};
  batch_init(&batch);
  g_autofree float *gradient = pt_params_gradient(net->params);
  g_auto(PtMatrix) dlogit = {0};
  for (uint32_t step = 0, at = 0; step < steps; step++) {
    batch_reset(&batch);
    for (uint32_t i = 0; i < BUCKETS; i++, at++) {
      if (at % all->len == 0)
        pt_rng_shuffle(rng, all->data, all->len, sizeof(Place));
      add_place(net, &g_array_index(all, Place, at % all->len), rng, &batch);
    }
    batch_end(&batch);
    forward(net, &batch, &pass);
    if (rich)
      bucket_loss(&pass, COMPANY + 1, &dlogit);
    else
      paper_loss(&pass, COMPANY + 1, &dlogit);
    memset(gradient, 0, net->params->size * sizeof *gradient);
    backward(net, &batch, &pass, &dlogit, gradient);
    pt_params_adam(net->params, gradient, &adam);
  }
  batch_clear(&batch);
  pass_clear(&pass);
  return net;
}

static void unload(void *state) {
  Network *net = state;
  g_hash_table_unref(net->words);
  pt_params_free(net->params);
  g_free(net);
}

static void write_state(const void *state, GByteArray *out) {
  const Network *net = state;
  pt_put_u32(out, net->rich);
  pt_put_table(out, net->words);
  pt_params_write(net->params, false, out);
}

static void *read_state(PtReader *r) {
  Network *net = g_new0(Network, 1);
  net->rich = pt_take_u32(r) != 0;
  net->words = pt_take_columns(r);
  PtSeed seed;
  pt_seed_init(&seed, "read");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "network", 0);
  build(net, rng);
  size_t used = 0;
  r->ok = r->ok && pt_params_read(net->params, r->data + r->at, r->size - r->at, &used, NULL);
  r->at += used;
  if (!r->ok) {
    unload(net);
    return NULL;
  }
  return net;
}

static void score(const void *state, const PtCase *t, double *out) {
  const Network *net = state;
  Batch batch;
  Pass pass = {0};
  batch_init(&batch);
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    batch_reset(&batch);
    for (uint32_t i = 0; i < t->buckets[b].n; i++)
      batch_add(&batch, net, pt_case_sight(t, b, i));
    batch_end(&batch);
    forward(net, &batch, &pass);
    for (uint32_t i = 0; i < t->buckets[b].n; i++)
      out[t->buckets[b].first + i] = -(double)pass.logit.data[i];
  }
  batch_clear(&batch);
  pass_clear(&pass);
}

static void *train_paper(const PtTraining *training) {
  return train(training, false);
}
static void *train_rich(const PtTraining *training) {
  return train(training, true);
}

const PtAdversary pt_adversary_paper = {
    .name = "paper",
    .looks = "the paper's network: operators and wiring",
    .remedy = "mode walk rather than random or generate; then " PT_REMEDY_FINER,
    .heavy = true,
    .train = train_paper,
    .score = score,
    .free = unload,
    .write = write_state,
    .read = read_state};
const PtAdversary pt_adversary_network = {
    .name = "network",
    .looks = "the paper's network with attributes, dtypes and shapes",
    .remedy = PT_REMEDY_FINER,
    .heavy = true,
    .train = train_rich,
    .score = score,
    .free = unload,
    .write = write_state,
    .read = read_state};
