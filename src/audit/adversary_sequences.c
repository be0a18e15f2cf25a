/* adversary_sequences.c: how likely are a candidate's operator sequences in public models? */
#include "audit/audit_private.h"

#include <math.h>

/* Counts of pairs and triples of tokens along edges of real pieces, and of their beginnings. */
typedef struct Sequences {
  GHashTable *counts; /* hash -> times */
  double kinds;
} Sequences;

#define START 0x51a7

static void add(Sequences *s, uint64_t key) {
  void *k = GSIZE_TO_POINTER((gsize)key);
  guint n = GPOINTER_TO_UINT(g_hash_table_lookup(s->counts, k));
  g_hash_table_insert(s->counts, k, GUINT_TO_POINTER(n + 1));
}

static double times(const Sequences *s, uint64_t key) {
  return GPOINTER_TO_UINT(g_hash_table_lookup(s->counts, GSIZE_TO_POINTER((gsize)key)));
}

static uint64_t token(const PtSight *v, int32_t r) {
  return r < 0 ? START : v->nodes[r].token;
}

/* Calls for each node with the token before it, by its first input, and the one before that. */
static void before(const PtSight *v, uint32_t i, uint64_t *one, uint64_t *two) {
  const PtSightNode *n = &v->nodes[i];
  int32_t x = n->n_in ? v->refs[n->in] : -1;
  *one = token(v, x);
  *two = START;
  if (x >= 0 && v->nodes[x].n_in)
    *two = token(v, v->refs[v->nodes[x].in]);
}

static void *train(const PtTraining *training) {
  Sequences *s = g_new0(Sequences, 1);
  s->counts = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < training->targets->len; i++) {
    const PtCase *t = training->targets->pdata[i];
    for (uint32_t b = 0; b < t->n_buckets; b++) {
      const PtSight *v = pt_case_sight(t, b, t->real[b]);
      for (uint32_t k = 0; k < v->n; k++) {
        uint64_t x = v->nodes[k].token, one, two;
        before(v, k, &one, &two);
        s->kinds += times(s, pt_hash_mix(1, x)) == 0;
        add(s, 1);
        add(s, pt_hash_mix(1, x));
        add(s, pt_hash_mix(2, one));
        add(s, pt_hash_mix(pt_hash_mix(2, one), x));
        uint64_t both = pt_hash_mix(pt_hash_mix(3, two), one);
        add(s, both);
        add(s, pt_hash_mix(both, x));
      }
    }
  }
  return s;
}

static void unload(void *state) {
  Sequences *s = state;
  g_hash_table_unref(s->counts);
  g_free(s);
}

static void write_state(const void *state, GByteArray *out) {
  const Sequences *s = state;
  pt_put_double(out, s->kinds);
  pt_put_table(out, s->counts);
}

static void *read_state(PtReader *r) {
  Sequences *s = g_new0(Sequences, 1);
  s->kinds = pt_take_double(r);
  s->counts = pt_take_table(r, INT32_MAX);
  return s;
}

/* Interpolated: each order backs off to the one below. */
static double log_odds(const Sequences *s, uint64_t x, uint64_t one, uint64_t two) {
  uint64_t both = pt_hash_mix(pt_hash_mix(3, two), one);
  double p = (times(s, pt_hash_mix(1, x)) + 0.5) / (times(s, 1) + 0.5 * (s->kinds + 1));
  p = (times(s, pt_hash_mix(pt_hash_mix(2, one), x)) + 4 * p) / (times(s, pt_hash_mix(2, one)) + 4);
  p = (times(s, pt_hash_mix(both, x)) + 4 * p) / (times(s, both) + 4);
  return log(p);
}

static void score(const Sequences *s, const PtCase *t, double sign, double *out) {
  for (guint i = 0; i < t->sights->len; i++) {
    const PtSight *v = t->sights->pdata[i];
    double sum = 0;
    for (uint32_t k = 0; k < v->n; k++) {
      uint64_t one, two;
      before(v, k, &one, &two);
      sum += log_odds(s, v->nodes[k].token, one, two);
    }
    out[i] = sign * sum / MAX(v->n, 1);
  }
}

static void score_high(const void *state, const PtCase *t, double *out) {
  score(state, t, 1, out);
}

static void score_low(const void *state, const PtCase *t, double *out) {
  score(state, t, -1, out);
}

const PtAdversary pt_adversary_sequences_high = {
    .name = "sequences-high",
    .looks = "the candidate whose operator sequences are likeliest in public models",
    .remedy = "mode walk rather than random or generate: its sentinels are as likely",
    .train = train,
    .score = score_high,
    .free = unload,
    .write = write_state,
    .read = read_state};
const PtAdversary pt_adversary_sequences_low = {
    .name = "sequences-low",
    .looks = "the candidate whose operator sequences are least likely in public models",
    .remedy = PT_REMEDY_FINER,
    .train = train,
    .score = score_low,
    .free = unload,
    .write = write_state,
    .read = read_state};
