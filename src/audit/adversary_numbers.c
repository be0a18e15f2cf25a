/* adversary_numbers.c: a linear guess from numbers, in deviations of the bucket: of the graph, or
 * of the file. */
#include "audit/audit_private.h"

#include <math.h>

#define MOST MAX(PT_NUMBERS, PT_FILE_NUMBERS)

typedef struct Linear {
  uint32_t n;
  double weights[2 * MOST]; /* of a deviation, and of its size */
} Linear;

static const double *numbers_of(const PtSight *v, bool file) {
  return file ? v->file : v->numbers;
}

/* z[n * 2 * count]: each candidate's deviations, then their absolute values. */
static void deviations(const PtCase *t, uint32_t b, bool file, uint32_t count, float *z) {
  uint32_t n = t->buckets[b].n;
  for (uint32_t f = 0; f < count; f++) {
    double mean = 0, square = 0;
    for (uint32_t i = 0; i < n; i++)
      mean += numbers_of(pt_case_sight(t, b, i), file)[f] / n;
    for (uint32_t i = 0; i < n; i++) {
      double d = numbers_of(pt_case_sight(t, b, i), file)[f] - mean;
      square += d * d / n;
    }
    double scale = square > 1e-12 ? 1 / sqrt(square) : 0;
    for (uint32_t i = 0; i < n; i++) {
      double d = (numbers_of(pt_case_sight(t, b, i), file)[f] - mean) * scale;
      z[i * 2 * count + f] = (float)d;
      z[i * 2 * count + count + f] = (float)fabs(d);
    }
  }
}

static void *train(const PtTraining *training, bool file) {
  Linear *l = g_new0(Linear, 1);
  l->n = file ? PT_FILE_NUMBERS : PT_NUMBERS;
  PtLogit *logit = pt_logit_new(2 * l->n);
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(float));
  for (guint i = 0; i < training->targets->len; i++) {
    const PtCase *t = training->targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      g_array_set_size(room, t->buckets[b].n * 2 * l->n);
      float *z = (float *)(void *)room->data;
      deviations(t, b, file, l->n, z);
      pt_logit_begin(logit);
      for (uint32_t k = 0; k < t->buckets[b].n; k++) {
        pt_logit_row(logit);
        for (uint32_t c = 0; c < 2 * l->n; c++)
          if (z[k * 2 * l->n + c] != 0)
            pt_logit_put(logit, c, z[k * 2 * l->n + c]);
      }
      pt_logit_end(logit, t->real[b]);
    }
  }
  (void)pt_logit_fit(logit, 0.02, l->weights);
  pt_logit_free(logit);
  return l;
}

static void score(const Linear *l, const PtCase *t, bool file, double *out) {
  g_autoptr(GArray) room = g_array_new(FALSE, FALSE, sizeof(float));
  for (uint32_t b = 0; b < t->n_buckets; b++) {
    g_array_set_size(room, t->buckets[b].n * 2 * l->n);
    float *z = (float *)(void *)room->data;
    deviations(t, b, file, l->n, z);
    for (uint32_t k = 0; k < t->buckets[b].n; k++) {
      double sum = 0;
      for (uint32_t c = 0; c < 2 * l->n; c++)
        sum += l->weights[c] * (double)z[k * 2 * l->n + c];
      out[t->buckets[b].first + k] = sum;
    }
  }
}

static void write_state(const void *state, GByteArray *out) {
  const Linear *l = state;
  for (uint32_t i = 0; i < 2 * l->n; i++)
    pt_put_double(out, l->weights[i]);
}

static void *read_state(PtReader *r, uint32_t n) {
  Linear *l = g_new0(Linear, 1);
  l->n = n;
  for (uint32_t i = 0; i < 2 * n; i++)
    l->weights[i] = pt_take_double(r);
  return l;
}
static void *read_files(PtReader *r) {
  return read_state(r, PT_FILE_NUMBERS);
}
static void *read_numbers(PtReader *r) {
  return read_state(r, PT_NUMBERS);
}

static void *train_files(const PtTraining *training) {
  return train(training, true);
}
static void *train_numbers(const PtTraining *training) {
  return train(training, false);
}
static void score_files(const void *state, const PtCase *t, double *out) {
  score(state, t, true, out);
}
static void score_numbers(const void *state, const PtCase *t, double *out) {
  score(state, t, false, out);
}

const PtAdversary pt_adversary_files = {
    .name = "files",
    .looks = "sizes, bytes, compressibility, ids, order of nodes, attributes and constants, names",
    .remedy = "a fault of the program, not of the model: report it",
    .needs_files = true,
    .train = train_files,
    .score = score_files,
    .free = g_free,
    .write = write_state,
    .read = read_files};
const PtAdversary pt_adversary_numbers = {
    .name = "numbers",
    .looks = "degrees, depth, widths, weights, work and the like, weighed as other models taught",
    .remedy = "another n: the real piece is out of the ordinary in one of them",
    .train = train_numbers,
    .score = score_numbers,
    .free = g_free,
    .write = write_state,
    .read = read_numbers};
