/* train: GraphRNN learns topologies: mini-batches under teacher forcing, Adam, a fresh order of
 * nodes for every graph in every epoch. All that is random in an epoch comes from streams of its
 * number, so that a checkpoint is parameters, Adam's state and a number. */
#include "topology/model.h"

#include <math.h>
#include <string.h>

enum {
  EPOCHS = 100,
  BATCH = 32, /* graphs a step */
  PARTS = 4,  /* of a batch, each with its gradient: fixed, so that threads change no sum */
  UNSEEN = 16 /* one in so many is held out */
};
#define RATE_FIRST 3e-3
#define RATE_LAST 3e-5

typedef struct Training {
  PtTopologyModel *model;
  const GPtrArray *topologies;
  uint32_t *order; /* [topologies] the held-out ones first */
  uint32_t held_out, epochs;
  unsigned threads;
  PtSeed seed;
  uint64_t identity; /* of data, seed and epochs: a checkpoint must agree */
  float *gradient[PARTS];
  double loss[PARTS];
  uint64_t cells;
  PtRows **rows; /* [topologies] of this epoch, in `order` */
} Training;

/* ---- checkpoints ------------------------------------------------------------------------------
 */
typedef struct State {
  char magic[8];
  uint64_t identity;
  uint32_t epochs, unused; /* done; a PtTopologyEpoch for each follows, then the parameters */
} State;
static const char magic[8] = {'P', 'T', 'T', 'R', 'A', 'I', 'N', 1};

static bool write_state(const Training *t, const char *path, const GArray *epochs, GError **error) {
  g_autoptr(GByteArray) out = g_byte_array_new();
  State state = {.identity = t->identity, .epochs = epochs->len};
  memcpy(state.magic, magic, sizeof magic);
  g_byte_array_append(out, (const uint8_t *)&state, sizeof state);
  g_byte_array_append(out, (const uint8_t *)epochs->data,
                      (guint)(epochs->len * sizeof(PtTopologyEpoch)));
  pt_params_write(t->model->net->params, true, out);
  return pt_file_write(path, 0644, out->data, out->len, error);
}

static bool read_state(Training *t, const char *path, GArray *epochs, GError **error) {
  if (!g_file_test(path, G_FILE_TEST_EXISTS))
    return true;
  g_autoptr(GBytes) file = pt_file_map(path, (size_t)1 << 28, error);
  if (!file)
    return false;
  gsize size;
  size_t used;
  const uint8_t *data = g_bytes_get_data(file, &size);
  State state = {0};
  memcpy(&state, data, MIN(size, sizeof state));
  if (size < sizeof state || memcmp(state.magic, magic, sizeof magic) != 0 ||
      state.epochs > (size - sizeof state) / sizeof(PtTopologyEpoch)) {
    g_set_error(error, PT_TOPOLOGY_ERROR, PT_ERR_INPUT,
                "%s is no checkpoint of a training; remove it to begin anew.", path);
    return false;
  }
  if (state.identity != t->identity || state.epochs > t->epochs) {
    g_set_error(error, PT_TOPOLOGY_ERROR, PT_ERR_MISMATCH,
                "%s is of a training on other pieces or with another seed; remove it to begin "
                "anew.",
                path);
    return false;
  }
  size_t at = sizeof state + state.epochs * sizeof(PtTopologyEpoch);
  if (!pt_params_read(t->model->net->params, data + at, size - at, &used, error)) {
    g_prefix_error(error, "%s: ", path);
    return false;
  }
  g_array_append_vals(epochs, data + sizeof state, state.epochs);
  return true;
}

/* ---- an epoch ---------------------------------------------------------------------------------
 */
typedef struct Step {
  Training *training;
  PtRows **rows;
  uint32_t count;
  bool learn;
  uint64_t cells[PARTS];
} Step;

static void run_part(size_t part, void *data) {
  Step *s = data;
  Training *t = s->training;
  uint32_t from = (uint32_t)(s->count * part / PARTS);
  uint32_t to = (uint32_t)(s->count * (part + 1) / PARTS);
  if (s->learn)
    memset(t->gradient[part], 0, t->model->net->params->size * sizeof(float));
  t->loss[part] = pt_graphrnn_loss(t->model->net, s->rows + from, to - from,
                                   s->learn ? t->gradient[part] : NULL, &s->cells[part]);
}

/* The summed loss of `count` graphs, and a step of Adam if they are to be learned. */
static double run_step(Training *t, PtRows **rows, uint32_t count, const PtAdam *adam) {
  Step s = {.training = t, .rows = rows, .count = count, .learn = adam != NULL};
  double loss = 0;
  uint64_t cells = 0;
  pt_parallel_for(PARTS, t->threads, run_part, &s);
  for (int part = 0; part < PARTS; part++) {
    loss += t->loss[part];
    cells += s.cells[part];
  }
  if (!adam || cells == 0)
    return loss;
  float *sum = t->gradient[0], scale = 1 / (float)cells;
  for (size_t i = 0; i < t->model->net->params->size; i++) {
    for (int part = 1; part < PARTS; part++)
      sum[i] += t->gradient[part][i];
    sum[i] *= scale;
  }
  pt_params_adam(t->model->net->params, sum, adam);
  return loss;
}

static double per_node(double loss, PtRows **rows, uint32_t count) {
  double nodes = 0;
  for (uint32_t i = 0; i < count; i++)
    nodes += rows[i]->n;
  return nodes > 0 ? loss / nodes : 0;
}

static PtTopologyEpoch run_epoch(Training *t, uint32_t epoch) {
  g_autoptr(PtRng) rng = pt_rng_new(&t->seed, "epoch", epoch);
  uint32_t n = t->topologies->len, learned = n - t->held_out;
  for (uint32_t i = 0; i < n; i++)
    t->rows[i] = pt_rows_of(t->topologies->pdata[t->order[i]], rng, t->model->net->shape.look_back);
  pt_rng_shuffle(rng, t->rows + t->held_out, learned, sizeof *t->rows);
  double done = (double)epoch / t->epochs; /* the rate falls along half a cosine */
  PtAdam adam = {.rate = RATE_LAST + (RATE_FIRST - RATE_LAST) * (1 + cos(G_PI * done)) / 2,
                 .clip = 1};
  PtTopologyEpoch result = {0};
  for (uint32_t at = t->held_out; at < n; at += BATCH)
    result.train += run_step(t, t->rows + at, MIN(BATCH, n - at), &adam);
  for (uint32_t at = 0; at < t->held_out; at += BATCH)
    result.unseen += run_step(t, t->rows + at, MIN(BATCH, t->held_out - at), NULL);
  result.train = per_node(result.train, t->rows + t->held_out, learned);
  result.unseen = per_node(result.unseen, t->rows, t->held_out);
  for (uint32_t i = 0; i < n; i++)
    pt_rows_free(t->rows[i]);
  return result;
}

/* ---- the whole --------------------------------------------------------------------------------
 */
static uint64_t identity_of(const GPtrArray *topologies, const PtSeed *seed, uint32_t epochs) {
  uint64_t hash = pt_hash64(seed->key, sizeof seed->key, epochs);
  for (guint i = 0; i < topologies->len; i++) {
    const PtTopology *t = topologies->pdata[i];
    hash = pt_hash64(t->edges->data, t->edges->len * sizeof(PtEdge), pt_hash_mix(hash, t->n));
  }
  return hash;
}

static void training_init(Training *t, const GPtrArray *topologies,
                          const PtTopologyTrainOptions *options) {
  uint32_t n = topologies->len, largest = 1;
  pt_seed_init(&t->seed, options->seed ? options->seed : "proteus");
  t->topologies = topologies;
  t->epochs = options->epochs ? options->epochs : EPOCHS;
  t->threads = options->threads;
  t->identity = identity_of(topologies, &t->seed, t->epochs);
  g_autoptr(PtRng) rng = pt_rng_new(&t->seed, "topology training", 0);
  for (uint32_t i = 0; i < n; i++)
    largest = MAX(largest, ((PtTopology *)topologies->pdata[i])->n);
  PtRnnShape shape = {.look_back = MIN(pt_look_back(topologies, rng), 64),
                      .embedding = 48,
                      .nodes = 96,
                      .edges = 32};
  t->model = pt_topology_model_new(&shape, largest + 1, rng);
  t->order = g_new(uint32_t, n + 1);
  for (uint32_t i = 0; i < n; i++) {
    t->order[i] = i;
    t->model->sizes[((PtTopology *)topologies->pdata[i])->n]++;
  }
  t->held_out = n / UNSEEN;
  pt_rng_shuffle(rng, t->order, n, sizeof *t->order);
  t->rows = g_new0(PtRows *, n + 1);
  for (int part = 0; part < PARTS; part++)
    t->gradient[part] = pt_params_gradient(t->model->net->params);
}

static void training_clear(Training *t) {
  pt_topology_model_free(t->model);
  g_free(t->order);
  g_free(t->rows);
  for (int part = 0; part < PARTS; part++)
    g_free(t->gradient[part]);
}

static bool is_usable(const GPtrArray *topologies, GError **error) {
  guint usable = 0;
  for (guint i = 0; i < topologies->len; i++) {
    const PtTopology *t = topologies->pdata[i];
    usable += t->n > 1;
    if (t->n == 0 || t->n >= PT_MAX_SIZES) {
      g_set_error(error, PT_TOPOLOGY_ERROR, PT_ERR_LIMIT,
                  "A topology of %u nodes cannot be learned; leave it out.", t->n);
      return false;
    }
  }
  if (usable < 2) {
    g_set_error(error, PT_TOPOLOGY_ERROR, PT_ERR_INPUT,
                "There are %u pieces of more than one node to learn from; give more models.",
                usable);
    return false;
  }
  return true;
}

PtTopologyModel *pt_topology_train(const GPtrArray *topologies,
                                   const PtTopologyTrainOptions *options, GArray *epochs,
                                   GError **error) {
  if (!is_usable(topologies, error))
    return NULL;
  g_autoptr(GArray) own =
      epochs ? g_array_ref(epochs) : g_array_new(FALSE, FALSE, sizeof(PtTopologyEpoch));
  g_array_set_size(own, 0);
  Training t = {0};
  training_init(&t, topologies, options);
  bool ok =
      !options->resume || !options->checkpoint || read_state(&t, options->checkpoint, own, error);
  while (ok && own->len < t.epochs) {
    PtTopologyEpoch epoch = run_epoch(&t, own->len);
    g_array_append_val(own, epoch);
    ok = !options->checkpoint || write_state(&t, options->checkpoint, own, error);
    pt_progress(&options->progress, "learning topologies", own->len, t.epochs);
  }
  PtTopologyModel *model = ok ? g_steal_pointer(&t.model) : NULL;
  training_clear(&t);
  return model;
}
