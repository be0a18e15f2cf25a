/* model: the trained generator and its file: a head, how often each size occurred, parameters. */
#include "topology/model.h"

#include <string.h>

#define FILE_NAME "topology.bin"
#define MAX_FILE ((size_t)1 << 26)
enum { MAX_LOOK_BACK = 128, MAX_WIDTH = 1024 };

typedef struct Head {
  char magic[8];
  PtRnnShape shape;
  uint32_t n_sizes, unused;
} Head;
static const char magic[8] = {'P', 'T', 'T', 'O', 'P', 'O', '\0', 1};

PtTopologyModel *pt_topology_model_new(const PtRnnShape *shape, uint32_t n_sizes, PtRng *rng) {
  PtTopologyModel *m = g_new0(PtTopologyModel, 1);
  m->net = pt_graphrnn_new(shape, rng);
  m->n_sizes = n_sizes;
  m->sizes = g_new0(uint32_t, n_sizes + 1);
  return m;
}

void pt_topology_model_free(PtTopologyModel *model) {
  if (!model)
    return;
  pt_graphrnn_free(model->net);
  g_free(model->sizes);
  g_free(model);
}

uint32_t pt_topology_max_size(const PtTopologyModel *model) {
  return MAX(2 * model->n_sizes, 256);
}

static bool is_sane(const Head *h) {
  const PtRnnShape *s = &h->shape;
  return memcmp(h->magic, magic, sizeof magic) == 0 && s->look_back >= 1 &&
         s->look_back <= MAX_LOOK_BACK && s->embedding >= 1 && s->embedding <= MAX_WIDTH &&
         s->nodes >= 1 && s->nodes <= MAX_WIDTH && s->edges >= 1 && s->edges <= MAX_WIDTH &&
         h->n_sizes >= 2 && h->n_sizes <= PT_MAX_SIZES;
}

/* NULL: not ours, or cut short, or longer than it should be. */
static PtTopologyModel *model_of(const uint8_t *data, size_t size) {
  Head head;
  if (size < sizeof head)
    return NULL;
  memcpy(&head, data, sizeof head);
  size_t at = sizeof head;
  if (!is_sane(&head) || (size - at) / sizeof(uint32_t) < head.n_sizes)
    return NULL;
  PtSeed seed;
  pt_seed_init(&seed, "overwritten");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "topology model", 0);
  g_autoptr(PtTopologyModel) m = pt_topology_model_new(&head.shape, head.n_sizes, rng);
  memcpy(m->sizes, data + at, head.n_sizes * sizeof(uint32_t));
  at += head.n_sizes * sizeof(uint32_t);
  uint64_t total = 0;
  for (uint32_t i = 0; i < m->n_sizes; i++)
    total += m->sizes[i];
  size_t used;
  if (total == 0 || m->sizes[0] > 0 ||
      !pt_params_read(m->net->params, data + at, size - at, &used, NULL) || at + used != size)
    return NULL;
  return g_steal_pointer(&m);
}

PtTopologyModel *pt_topology_model_open(const char *path, GError **error) {
  g_autofree char *found = NULL;
  g_autoptr(GBytes) file =
      pt_data_open(path, FILE_NAME, "proteus train", MAX_FILE, PT_TOPOLOGY_ERROR, &found, error);
  if (!file)
    return NULL;
  gsize size;
  const uint8_t *data = g_bytes_get_data(file, &size);
  PtTopologyModel *m = model_of(data, size);
  if (!m)
    g_set_error(error, PT_TOPOLOGY_ERROR, PT_ERR_INPUT,
                "%s is no file of trained topologies of this version; make one with proteus train.",
                found);
  return m;
}

bool pt_topology_model_write(const PtTopologyModel *model, const char *path, GError **error) {
  g_autoptr(GByteArray) out = g_byte_array_new();
  Head head = {.shape = model->net->shape, .n_sizes = model->n_sizes};
  memcpy(head.magic, magic, sizeof magic);
  g_byte_array_append(out, (const uint8_t *)&head, sizeof head);
  g_byte_array_append(out, (const uint8_t *)model->sizes,
                      (guint)(model->n_sizes * sizeof(uint32_t)));
  pt_params_write(model->net->params, false, out);
  return pt_file_write(path, 0644, out->data, out->len, error);
}
