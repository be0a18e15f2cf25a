/* keep.c: what the owner keeps: for every place of the model its candidate, its border and its
 * weights, by the names of the model as read. */
#include "obfuscate/obfuscate_private.h"

/* The value of this occurrence that stands where `first` stands in the bucket's first piece. */
static PtValueId value_of(const PtOccurrence *occurrence, PtValueId first) {
  if (!occurrence->map)
    return first;
  void *found = g_hash_table_lookup(occurrence->map, GUINT_TO_POINTER(first + 1));
  return found ? GPOINTER_TO_UINT(found) - 1 : PT_NONE;
}

static bool add_names(const PtGraph *model, const PtBucket *bucket, const PtOccurrence *occurrence,
                      const GArray *border, GPtrArray *names) {
  for (guint i = 0; i < border->len; i++) {
    PtValueId first = bucket->model_value[g_array_index(border, PtValueId, i)];
    PtValueId v = value_of(occurrence, first);
    if (v == PT_NONE)
      return false;
    g_ptr_array_add(names, g_strdup(pt_value(model, v)->name));
  }
  return true;
}

static PtMember *make_member(const PtGraph *model, const PtPartition *partition,
                             const PtBucket *bucket, const PtOccurrence *occurrence,
                             const GArray *weights) {
  PtMember *member = pt_member_new();
  const PtPiece *piece = g_ptr_array_index(partition->pieces, occurrence->piece);
  g_array_append_vals(member->nodes, piece->nodes->data, piece->nodes->len);
  bool ok = add_names(model, bucket, occurrence, bucket->real->inputs, member->inputs) &&
            add_names(model, bucket, occurrence, bucket->real->outputs, member->outputs);
  for (guint i = 0; ok && weights && i < weights->len; i++) {
    const PtCandidateWeight *weight = &g_array_index(weights, PtCandidateWeight, i);
    PtValueId v = value_of(occurrence, weight->value);
    ok = v != PT_NONE;
    if (ok)
      pt_member_add_weight(member, weight->name, pt_value(model, v)->name, weight->offset,
                           weight->size);
  }
  if (ok)
    return member;
  pt_member_free(member);
  return NULL;
}

static PtSecretBucket *make_bucket(const PtGraph *model, const PtPartition *partition,
                                   const PtBucket *bucket, const PtCandidateJob *real) {
  PtSecretBucket *kept = pt_secret_bucket_new();
  for (guint i = 0; i < bucket->occurrences->len; i++) {
    PtMember *member =
        make_member(model, partition, bucket, &g_array_index(bucket->occurrences, PtOccurrence, i),
                    real ? real->weights : NULL);
    if (member)
      g_ptr_array_add(kept->members, member);
  }
  return kept;
}

PtSecret *pt_make_secret(const PtGraph *model, const PtPartition *partition, GPtrArray *buckets,
                         GPtrArray *candidates, const PtNoise *noise, const char *model_sha256,
                         const PtSeed *seed, GError **error) {
  g_autoptr(PtSecret) secret = pt_secret_new();
  secret->model_sha256 = g_strdup(model_sha256);
  g_strlcpy(secret->noise_seed, noise->seed, sizeof secret->noise_seed);
  secret->floats = noise->floats;
  secret->halves = noise->halves;
  secret->brains = noise->brains;
  secret->doubles = noise->doubles;
  g_autoptr(GHashTable)
      real_of = g_hash_table_new(NULL, NULL),
      lists = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_ptr_array_unref);
  for (guint i = 0; i < candidates->len; i++) { /* sorted by id, and so is every list */
    PtCandidateJob *job = g_ptr_array_index(candidates, i);
    GPtrArray *ids = g_hash_table_lookup(lists, job->bucket);
    if (!ids) {
      ids = g_ptr_array_new();
      g_hash_table_insert(lists, job->bucket, ids);
    }
    g_ptr_array_add(ids, job->id);
    if (job->weights)
      g_hash_table_insert(real_of, job->bucket, job);
  }
  g_autoptr(PtRng) rng = pt_rng_new(seed, "kept ids", 0);
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    const PtCandidateJob *real = g_hash_table_lookup(real_of, bucket);
    PtSecretBucket *made = make_bucket(model, partition, bucket, real);
    g_ptr_array_add(secret->buckets, made);
    if (made->members->len != bucket->occurrences->len) {
      g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_INTERNAL,
                  "equal pieces do not correspond value by value");
      return NULL;
    }
    char id[33];
    pt_random_hex(rng, id);
    made->real = g_strdup(real ? real->id : id);
    made->kept = g_strdup(bucket->kept);
    const GPtrArray *ids = g_hash_table_lookup(lists, bucket);
    if (!ids)
      g_ptr_array_add(made->candidates, g_strdup(id));
    for (guint i = 0; ids && i < ids->len; i++)
      g_ptr_array_add(made->candidates, g_strdup(g_ptr_array_index(ids, i)));
  }
  return g_steal_pointer(&secret);
}
