/* adversary_dictionary.c: how near is a candidate to the nearest piece of a public model? A known
 * piece among inventions is real; an unknown one among known pieces, too. */
#include "audit/audit_private.h"

typedef struct Dictionary {
  GPtrArray *sights; /* borrowed: the training outlives it */
} Dictionary;

static uint64_t key_of(const PtSparse *s) {
  uint64_t h = pt_hash64(s->id, s->n * sizeof *s->id, 3);
  return pt_hash64(s->count, s->n * sizeof *s->count, h);
}

static void *train(const PtTraining *training) {
  Dictionary *d = g_new0(Dictionary, 1);
  d->sights = g_ptr_array_new();
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint i = 0; i < training->targets->len; i++) {
    const PtCase *t = training->targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      const PtSight *v = pt_case_sight(t, b, t->real[b]);
      uint64_t key = key_of(&v->labels);
      if (g_hash_table_add(seen, g_memdup2(&key, sizeof key)))
        g_ptr_array_add(d->sights, (void *)v);
    }
  }
  return d;
}

static void unload(void *state) {
  Dictionary *d = state;
  g_ptr_array_unref(d->sights);
  g_free(d);
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
  for (guint k = 0; k < l->dictionary->sights->len; k++)
    best = MAX(best, pt_sparse_cosine(&v->labels,
                                      &((const PtSight *)l->dictionary->sights->pdata[k])->labels));
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
    .free = unload};
const PtAdversary pt_adversary_dictionary_far = {
    .name = "dictionary-far",
    .looks = "the candidate least like any piece of a public model",
    .remedy = "add public models like this one to the corpus and train the generator on it",
    .train = train,
    .score = score_far,
    .free = unload};
