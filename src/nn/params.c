/* params: the weights of a network, Adam, and their bytes. */
#include "nn/nn.h"

#include <math.h>
#include <string.h>

G_DEFINE_QUARK(pt - nn - error, pt_nn_error)

typedef struct Head {
  char magic[8];
  uint64_t layout, size, steps, state; /* state: 1 if Adam's moments follow the values */
} Head;
static const char magic[8] = {'P', 'T', 'P', 'A', 'R', 'A', 'M', 1};

PtParams *pt_params_new(void) {
  return g_new0(PtParams, 1);
}

void pt_params_free(PtParams *params) {
  if (!params)
    return;
  g_free(params->value);
  g_free(params->moment1);
  g_free(params->moment2);
  g_free(params);
}

size_t pt_params_add(PtParams *params, uint32_t rows, uint32_t cols, double bound, PtRng *rng) {
  size_t at = params->size, count = pt_size_mul(rows, cols);
  params->size = pt_size_add(at, count);
  params->layout = pt_hash_mix(params->layout, (uint64_t)rows << 32 | cols);
  params->value = g_renew(float, params->value, params->size);
  params->moment1 = g_renew(float, params->moment1, params->size);
  params->moment2 = g_renew(float, params->moment2, params->size);
  memset(params->moment1 + at, 0, count * sizeof(float));
  memset(params->moment2 + at, 0, count * sizeof(float));
  for (size_t i = at; i < params->size; i++)
    params->value[i] = bound > 0 ? (float)((2 * pt_rng_unit(rng) - 1) * bound) : 0;
  return at;
}

float *pt_params_gradient(const PtParams *params) {
  return g_new0(float, params->size);
}

static double scale_of(const float *gradient, size_t size, double clip) {
  if (!(clip > 0))
    return 1;
  double sum = 0;
  for (size_t i = 0; i < size; i++)
    sum += (double)gradient[i] * (double)gradient[i];
  double norm = sqrt(sum);
  return norm > clip ? clip / norm : 1;
}

void pt_params_adam(PtParams *params, const float *gradient, const PtAdam *adam) {
  double rate = adam->rate > 0 ? adam->rate : 1e-3;
  double beta1 = adam->beta1 > 0 ? adam->beta1 : 0.9;
  double beta2 = adam->beta2 > 0 ? adam->beta2 : 0.999;
  double epsilon = adam->epsilon > 0 ? adam->epsilon : 1e-8;
  double scale = scale_of(gradient, params->size, adam->clip);
  params->steps++;
  double step = rate / (1 - pow(beta1, (double)params->steps));
  double root = sqrt(1 - pow(beta2, (double)params->steps));
  for (size_t i = 0; i < params->size; i++) {
    double g = (double)gradient[i] * scale + adam->weight_decay * (double)params->value[i];
    double m = beta1 * (double)params->moment1[i] + (1 - beta1) * g;
    double v = beta2 * (double)params->moment2[i] + (1 - beta2) * g * g;
    params->moment1[i] = (float)m;
    params->moment2[i] = (float)v;
    params->value[i] = (float)((double)params->value[i] - step * m / (sqrt(v) / root + epsilon));
  }
}

static void append(GByteArray *out, const void *data, size_t size) {
  g_byte_array_append(out, data, (guint)size);
}

void pt_params_write(const PtParams *params, bool state, GByteArray *out) {
  Head head = {.layout = params->layout, .size = params->size, .state = state};
  memcpy(head.magic, magic, sizeof magic);
  head.steps = state ? params->steps : 0;
  append(out, &head, sizeof head);
  append(out, params->value, params->size * sizeof(float));
  if (!state)
    return;
  append(out, params->moment1, params->size * sizeof(float));
  append(out, params->moment2, params->size * sizeof(float));
}

/* Comparing by range leaves out what is not a number too. */
static bool are_sane(const float *v, size_t size, float least) {
  for (size_t i = 0; i < size; i++)
    if (!(v[i] >= least && v[i] <= 1e6F))
      return false;
  return true;
}

static bool refuse(const char *what, GError **error) {
  g_set_error(error, PT_NN_ERROR, PT_ERR_INPUT, "The network's parameters %s; train them anew.",
              what);
  return false;
}

bool pt_params_read(PtParams *params, const uint8_t *data, size_t size, size_t *used,
                    GError **error) {
  Head head;
  if (size < sizeof head)
    return refuse("are cut short", error);
  memcpy(&head, data, sizeof head);
  if (memcmp(head.magic, magic, sizeof magic) != 0 || head.layout != params->layout ||
      head.size != params->size || head.state > 1)
    return refuse("are of another network", error);
  size_t bytes = params->size * sizeof(float), parts = head.state ? 3 : 1;
  if ((size - sizeof head) / parts < bytes)
    return refuse("are cut short", error);
  g_autofree float *all = g_malloc(MAX(parts * bytes, 1));
  memcpy(all, data + sizeof head, parts * bytes);
  if (!are_sane(all, params->size, -1e6F) ||
      (head.state && (!are_sane(all + params->size, params->size, -1e6F) ||
                      !are_sane(all + 2 * params->size, params->size, 0))))
    return refuse("hold what is no usable number", error);
  memcpy(params->value, all, bytes);
  memset(params->moment1, 0, bytes);
  memset(params->moment2, 0, bytes);
  if (head.state) {
    memcpy(params->moment1, all + params->size, bytes);
    memcpy(params->moment2, all + 2 * params->size, bytes);
  }
  params->steps = head.steps;
  *used = sizeof head + parts * bytes;
  return true;
}
