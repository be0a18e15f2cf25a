/* keep.c: what the owner keeps: for every place of the model its candidate, its border and its
 * weights, by the names of the model as read. */
#include "obfuscate/obfuscate_private.h"

#include <string.h>

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
    PtValueId reader = weight->reader == PT_NONE ? PT_NONE : value_of(occurrence, weight->reader);
    if (ok)
      pt_member_add_weight(member, weight->name, pt_value(model, v)->name, weight->offset,
                           weight->size, reader == PT_NONE ? NULL : pt_value(model, reader)->name);
  }
  if (ok)
    return member;
  pt_member_free(member);
  return NULL;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A piece that was not sent gets an id that no file has. */
static void name_candidates(PtSecretBucket *made, const PtBucket *bucket, PtRng *rng) {
  char id[33];
  pt_random_hex(rng, id);
  for (guint i = 0; i < bucket->candidates->len; i++) {
    const PtCandidateFile *file = g_ptr_array_index(bucket->candidates, i);
    g_ptr_array_add(made->candidates, g_strdup(file->id));
    if (file->weights)
      made->real = g_strdup(file->id);
  }
  if (!made->real) {
    made->real = g_strdup(id);
    g_ptr_array_add(made->candidates, g_strdup(id));
  }
  g_ptr_array_sort(made->candidates, by_text);
  made->kept = g_strdup(bucket->kept);
}

static PtSecretBucket *make_bucket(const PtGraph *model, const PtPartition *partition,
                                   const PtBucket *bucket, PtRng *rng) {
  PtSecretBucket *made = pt_secret_bucket_new();
  const PtCandidateFile *real =
      bucket->candidates->len ? g_ptr_array_index(bucket->candidates, 0) : NULL;
  for (guint i = 0; i < bucket->occurrences->len; i++) {
    PtMember *member =
        make_member(model, partition, bucket, &g_array_index(bucket->occurrences, PtOccurrence, i),
                    real ? real->weights : NULL);
    if (member)
      g_ptr_array_add(made->members, member);
  }
  name_candidates(made, bucket, rng);
  return made;
}

PtSecret *pt_make_secret(const PtGraph *model, const PtPartition *partition, GPtrArray *buckets,
                         const PtNoise *noise, const char *model_sha256, const PtSeed *seed,
                         GError **error) {
  g_autoptr(PtSecret) secret = pt_secret_new();
  secret->model_sha256 = g_strdup(model_sha256);
  g_strlcpy(secret->noise_seed, noise->seed, sizeof secret->noise_seed);
  secret->floats = noise->floats;
  secret->halves = noise->halves;
  secret->brains = noise->brains;
  secret->doubles = noise->doubles;
  g_autoptr(PtRng) rng = pt_rng_new(seed, "kept ids", 0);
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    PtSecretBucket *made = make_bucket(model, partition, bucket, rng);
    g_ptr_array_add(secret->buckets, made);
    if (made->members->len != bucket->occurrences->len) {
      g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_INTERNAL,
                  "equal pieces do not correspond value by value");
      return NULL;
    }
  }
  return g_steal_pointer(&secret);
}
