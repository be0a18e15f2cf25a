/* adversary_dictionary.c: how near is a candidate to the nearest piece of a public model? A known
 * piece among inventions is real; an unknown one among known pieces, too. */
#include "audit/audit_private.h"

#include <string.h>

typedef struct Dictionary {
  GArray *pieces; /* PtSparse, their labels */
} Dictionary;

static void clear(void *data) {
  pt_sparse_clear(data);
}

static Dictionary *dictionary_new(void) {
  Dictionary *d = g_new0(Dictionary, 1);
  d->pieces = g_array_new(FALSE, FALSE, sizeof(PtSparse));
  g_array_set_clear_func(d->pieces, clear);
  return d;
}

static uint64_t key_of(const PtSparse *s) {
  uint64_t h = pt_hash64(s->id, s->n * sizeof *s->id, 3);
  return pt_hash64(s->count, s->n * sizeof *s->count, h);
}

static void *train(const PtTraining *training) {
  Dictionary *d = dictionary_new();
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint i = 0; i < training->targets->len; i++) {
    const PtCase *t = training->targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      const PtSight *v = pt_case_sight(t, b, t->real[b]);
      uint64_t key = key_of(&v->labels);
      if (!g_hash_table_add(seen, g_memdup2(&key, sizeof key)))
        continue;
      PtSparse copy = {v->labels.n,
                       g_memdup2(v->labels.id, (v->labels.n + 1) * sizeof *v->labels.id),
                       g_memdup2(v->labels.count, (v->labels.n + 1) * sizeof *v->labels.count)};
      g_array_append_val(d->pieces, copy);
    }
  }
  return d;
}

static void unload(void *state) {
  Dictionary *d = state;
  g_array_unref(d->pieces);
  g_free(d);
}

static void write_state(const void *state, GByteArray *out) {
  const Dictionary *d = state;
  pt_put_u32(out, d->pieces->len);
  for (guint i = 0; i < d->pieces->len; i++) {
    const PtSparse *s = &g_array_index(d->pieces, PtSparse, i);
    pt_put_u32(out, s->n);
    pt_put(out, s->id, s->n * sizeof *s->id);
    for (uint32_t k = 0; k < s->n; k++) {
      uint8_t count = (uint8_t)MIN(s->count[k], 255);
      pt_put(out, &count, 1);
    }
  }
}

static void *read_state(PtReader *r) {
  Dictionary *d = dictionary_new();
  uint32_t n = pt_take_u32(r);
  for (uint32_t i = 0; r->ok && i < n; i++) {
    uint32_t size = pt_take_u32(r);
    const uint8_t *ids = pt_take(r, pt_size_mul(size, sizeof(uint64_t))),
                  *counts = pt_take(r, size);
    if (!r->ok)
      break;
    PtSparse s = {size, g_new(uint64_t, (gsize)size + 1), g_new(float, (gsize)size + 1)};
    memcpy(s.id, ids, size * sizeof *s.id);
    for (uint32_t k = 0; k < size; k++)
      s.count[k] = counts[k];
    g_array_append_val(d->pieces, s);
  }
  return d;
}

typedef struct Looking {
  const Dictionary *dictionary;
  const PtCase *target;
  double sign, *out;
} Looking;

static void look_up(size_t i, void *data) {
  Looking *l = data;
  double best = 0;
  const PtSight *v = l->target->sights->pdata[i];
  for (guint k = 0; k < l->dictionary->pieces->len; k++)
    best =
        MAX(best, pt_sparse_cosine(&v->labels, &g_array_index(l->dictionary->pieces, PtSparse, k)));
  l->out[i] = l->sign * best;
}

static void score_near(const void *state, const PtCase *t, double *out) {
  Looking l = {state, t, 1, out};
  pt_parallel_for(t->sights->len, 0, look_up, &l);
}

static void score_far(const void *state, const PtCase *t, double *out) {
  Looking l = {state, t, -1, out};
  pt_parallel_for(t->sights->len, 0, look_up, &l);
}

const PtAdversary pt_adversary_dictionary_near = {
    .name = "dictionary-near",
    .looks = "the candidate most like a piece of a public model",
    .remedy = "a larger n: small pieces of public models occur among the sentinels, too",
    .train = train,
    .score = score_near,
    .free = unload,
    .write = write_state,
    .read = read_state};
const PtAdversary pt_adversary_dictionary_far = {
    .name = "dictionary-far",
    .looks = "the candidate least like any piece of a public model",
    .remedy = PT_REMEDY_FINER,
    .train = train,
    .score = score_far,
    .free = unload,
    .write = write_state,
    .read = read_state};
