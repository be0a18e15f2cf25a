/* buckets.c: one bucket a distinct piece. The partition says which pieces are equal; here their
 * values are matched one by one, as every occurrence gets its own weights back, and what goes out
 * as it is must be the same in all. */
#include "obfuscate/obfuscate_private.h"

#include <string.h>

static void occurrence_clear(void *data) {
  PtOccurrence *occurrence = data;
  g_clear_pointer(&occurrence->map, g_hash_table_unref);
}

static void bucket_free(void *data) {
  PtBucket *bucket = data;
  g_array_unref(bucket->occurrences);
  g_ptr_array_unref(bucket->candidates);
  g_hash_table_unref(bucket->hashes);
  g_clear_pointer(&bucket->real, pt_graph_unref);
  g_clear_pointer(&bucket->fixed, g_hash_table_unref);
  g_free(bucket->model_value);
  g_free(bucket->kept);
  g_free(bucket);
}

bool pt_first_error(GError **errors, guint count, GError **error) {
  bool ok = true;
  for (guint i = 0; i < count; i++) {
    if (!errors[i])
      continue;
    if (ok)
      g_propagate_error(error, errors[i]);
    else
      g_error_free(errors[i]);
    ok = false;
  }
  return ok;
}

static PtBucket *bucket_new(uint32_t piece) {
  PtBucket *bucket = g_new0(PtBucket, 1);
  bucket->occurrences = g_array_new(FALSE, FALSE, sizeof(PtOccurrence));
  g_array_set_clear_func(bucket->occurrences, occurrence_clear);
  bucket->candidates = g_ptr_array_new_with_free_func(pt_candidate_file_free);
  bucket->hashes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  PtOccurrence first = {piece, NULL};
  g_array_append_val(bucket->occurrences, first);
  return bucket;
}

/* ---- matching
 * ------------------------------------------------------------------------------------------ */
/* Constants of one shape may stand for each other unless their data goes out: those must be the
 * same. */
static bool constants_match(const PtTensor *a, const PtTensor *b, bool real) {
  if (!a || !b)
    return a == b;
  if (a == b)
    return true;
  if (a->dtype != b->dtype || a->rank != b->rank || a->size != b->size || a->count != b->count ||
      (a->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) != 0))
    return false;
  return !real ||
         (!a->strings && !b->strings &&
          (a->size == 0 || (a->data && b->data && memcmp(a->data, b->data, a->size) == 0)));
}

typedef struct Matching {
  const PtGraph *model;
  GHashTable *fixed; /* constants (ids + 1) whose data goes out as it is, in the first piece */
  GHashTable *there, *back;
} Matching;

static bool match_value(Matching *m, PtValueId a, PtValueId b) {
  if (a == PT_NONE || b == PT_NONE)
    return a == b;
  void *seen = g_hash_table_lookup(m->there, GUINT_TO_POINTER(a + 1));
  void *seen_back = g_hash_table_lookup(m->back, GUINT_TO_POINTER(b + 1));
  if (seen || seen_back)
    return seen == GUINT_TO_POINTER(b + 1) && seen_back == GUINT_TO_POINTER(a + 1);
  if (!constants_match(pt_value(m->model, a)->constant, pt_value(m->model, b)->constant,
                       g_hash_table_contains(m->fixed, GUINT_TO_POINTER(a + 1))))
    return false;
  g_hash_table_insert(m->there, GUINT_TO_POINTER(a + 1), GUINT_TO_POINTER(b + 1));
  g_hash_table_insert(m->back, GUINT_TO_POINTER(b + 1), GUINT_TO_POINTER(a + 1));
  return true;
}

/* Nodes with nested graphs are never matched: what they capture is wired inside. */
static bool match_node(Matching *m, const PtNode *a, const PtNode *b) {
  if (a->n_inputs != b->n_inputs || a->n_outputs != b->n_outputs || a->n_captures ||
      b->n_captures || !g_str_equal(a->op_type, b->op_type) || !g_str_equal(a->domain, b->domain))
    return false;
  for (uint32_t k = 0; k < a->n_inputs; k++)
    if (!match_value(m, a->inputs[k], b->inputs[k]))
      return false;
  for (uint32_t k = 0; k < a->n_outputs; k++)
    if (!match_value(m, a->outputs[k], b->outputs[k]))
      return false;
  return true;
}

/* Every border value of `b` is the image of one of `a`, and as many. */
static bool match_border(const Matching *m, const GArray *a, const GArray *b) {
  if (a->len != b->len)
    return false;
  g_autoptr(GHashTable) listed = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < b->len; i++)
    g_hash_table_add(listed, GUINT_TO_POINTER(g_array_index(b, PtValueId, i) + 1));
  for (guint i = 0; i < a->len; i++) {
    void *image =
        g_hash_table_lookup(m->there, GUINT_TO_POINTER(g_array_index(a, PtValueId, i) + 1));
    if (!image || !g_hash_table_remove(listed, image))
      return false;
  }
  return g_hash_table_size(listed) == 0;
}

/* The map from values of piece a to those of piece b, or NULL if they do not match after all. */
static GHashTable *match_pieces(const PtGraph *model, GHashTable *fixed, const PtPiece *a,
                                const PtPiece *b) {
  if (a->nodes->len != b->nodes->len)
    return NULL;
  g_autoptr(GHashTable) there = g_hash_table_new(NULL, NULL), back = g_hash_table_new(NULL, NULL);
  Matching m = {model, fixed, there, back};
  for (guint i = 0; i < a->nodes->len; i++)
    if (!match_node(&m, pt_node(model, g_array_index(a->nodes, PtNodeId, i)),
                    pt_node(model, g_array_index(b->nodes, PtNodeId, i))))
      return NULL;
  if (!match_border(&m, a->inputs, b->inputs) || !match_border(&m, a->outputs, b->outputs))
    return NULL;
  return g_steal_pointer(&there);
}

/* ---- extraction
 * ---------------------------------------------------------------------------------------- */
typedef struct Extraction {
  PtGraph *model;
  const PtPartition *partition;
  GPtrArray *buckets;
  const PtSeed *seed;
  bool keep_order;
  GError **errors; /* [buckets] */
} Extraction;

/* The model's own order of inputs or outputs, for who is shown the model as one file. */
static void model_order(GArray *border, const GArray *of_model) {
  g_autoptr(GHashTable) listed = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < border->len; i++)
    g_hash_table_add(listed, GUINT_TO_POINTER(g_array_index(border, PtValueId, i) + 1));
  g_autoptr(GArray) sorted = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  for (guint pass = 0; pass < 2; pass++) {
    const GArray *from = pass ? border : of_model;
    for (guint i = 0; i < from->len; i++) {
      PtValueId v = g_array_index(from, PtValueId, i);
      if (g_hash_table_remove(listed, GUINT_TO_POINTER(v + 1)))
        g_array_append_val(sorted, v);
    }
  }
  memcpy(border->data, sorted->data, sorted->len * sizeof(PtValueId));
}

/* Whether it can go out is found out before anyone makes sentinels for it. */
static bool try_scrub(const PtGraph *real, GError **error) {
  PtNoiseNeed need = {0};
  PtNoise noise;
  PtSeed seed;
  pt_seed_init(&seed, "trial");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "trial", 0);
  pt_noise_need(real, &need);
  if (!pt_noise_init_for(&noise, "00000000000000000000000000000000", &need, error))
    return false;
  g_autoptr(PtGraph) scrubbed = pt_scrub(real, &noise, rng, NULL, error);
  return scrubbed != NULL;
}

/* The order of inputs and outputs is drawn: the partition's is canonical for the real piece only,
 * so it would tell. */
static PtPiece *shuffled_piece(const Extraction *x, uint32_t index) {
  const PtPiece *piece = g_ptr_array_index(x->partition->pieces, index);
  PtPiece *shuffled = pt_piece_new();
  g_array_append_vals(shuffled->nodes, piece->nodes->data, piece->nodes->len);
  g_array_append_vals(shuffled->inputs, piece->inputs->data, piece->inputs->len);
  g_array_append_vals(shuffled->outputs, piece->outputs->data, piece->outputs->len);
  if (x->keep_order) {
    model_order(shuffled->inputs, x->model->inputs);
    model_order(shuffled->outputs, x->model->outputs);
    return shuffled;
  }
  g_autoptr(PtRng) rng = pt_rng_new(x->seed, "interface", index);
  pt_rng_shuffle(rng, shuffled->inputs->data, shuffled->inputs->len, sizeof(PtValueId));
  pt_rng_shuffle(rng, shuffled->outputs->data, shuffled->outputs->len, sizeof(PtValueId));
  return shuffled;
}

static bool extract_bucket(const Extraction *x, PtBucket *bucket, GError **error) {
  uint32_t index = g_array_index(bucket->occurrences, PtOccurrence, 0).piece;
  g_autoptr(PtPiece) piece = shuffled_piece(x, index);
  g_autofree PtValueId *map = NULL;
  bucket->real = pt_graph_extract(x->model, piece, &map);
  bucket->model_value = g_new(PtValueId, (gsize)pt_graph_n_values(bucket->real) + 1);
  for (PtValueId v = 0; v < pt_graph_n_values(x->model); v++)
    if (map[v] != PT_NONE)
      bucket->model_value[map[v]] = v;
  GError *why = NULL;
  if (try_scrub(bucket->real, &why))
    return true;
  if (g_error_matches(why, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED)) {
    bucket->kept = g_strdup(why->message);
    g_error_free(why);
    return true;
  }
  g_propagate_error(error, why);
  return false;
}

static void extract_task(size_t index, void *data) {
  Extraction *x = data;
  (void)extract_bucket(x, g_ptr_array_index(x->buckets, index), &x->errors[index]);
}

static bool extract_all(Extraction *x, unsigned threads, GError **error) {
  guint n = x->buckets->len;
  g_autofree GError **errors = g_new0(GError *, (gsize)n + 1);
  x->errors = errors;
  pt_parallel_for(n, threads, extract_task, x);
  return pt_first_error(errors, n, error);
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------ */
/* Constants of the model that go out as they are, by the roles within this piece. */
static GHashTable *fixed_of(const PtBucket *bucket) {
  GHashTable *fixed = g_hash_table_new(NULL, NULL);
  g_autofree bool *keeps = pt_scrub_keeps(bucket->real);
  for (PtValueId v = 0; v < pt_graph_n_values(bucket->real); v++)
    if (keeps[v])
      g_hash_table_add(fixed, GUINT_TO_POINTER(bucket->model_value[v] + 1));
  return fixed;
}

/* Puts the piece into one of its group's buckets, or into a new one. */
static bool place_piece(Extraction *x, GPtrArray *of_group, uint32_t piece, GError **error) {
  const GPtrArray *pieces = x->partition->pieces;
  for (guint b = 0; b < of_group->len; b++) {
    PtBucket *bucket = g_ptr_array_index(of_group, b);
    if (!bucket->fixed)
      bucket->fixed = fixed_of(bucket);
    uint32_t first = g_array_index(bucket->occurrences, PtOccurrence, 0).piece;
    GHashTable *map = match_pieces(x->model, bucket->fixed, g_ptr_array_index(pieces, first),
                                   g_ptr_array_index(pieces, piece));
    if (!map)
      continue;
    PtOccurrence occurrence = {piece, map};
    g_array_append_val(bucket->occurrences, occurrence);
    return true;
  }
  PtBucket *bucket = bucket_new(piece);
  g_ptr_array_add(x->buckets, bucket);
  g_ptr_array_add(of_group, bucket);
  return extract_bucket(x, bucket, error);
}

GPtrArray *pt_buckets_new(PtGraph *model, const PtPartition *partition, bool keep_order,
                          const PtSeed *seed, unsigned threads, GError **error) {
  g_autoptr(GPtrArray) buckets = g_ptr_array_new_with_free_func(bucket_free);
  g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
  g_autofree bool *is_first = g_new0(bool, (gsize)partition->pieces->len + 1);
  Extraction x = {.model = model,
                  .partition = partition,
                  .buckets = buckets,
                  .seed = seed,
                  .keep_order = keep_order};
  for (guint i = 0; i < partition->pieces->len; i++)
    if (partition->group[i] >= groups->len) { /* groups are numbered by first occurrence */
      PtBucket *bucket = bucket_new(i);
      GPtrArray *of_group = g_ptr_array_new();
      g_ptr_array_add(buckets, bucket);
      g_ptr_array_add(of_group, bucket);
      g_ptr_array_add(groups, of_group);
      is_first[i] = true;
    }
  if (!extract_all(&x, threads, error))
    return NULL;
  for (guint i = 0; i < partition->pieces->len; i++)
    if (!is_first[i] && !place_piece(&x, g_ptr_array_index(groups, partition->group[i]), i, error))
      return NULL;
  return g_steal_pointer(&buckets);
}
