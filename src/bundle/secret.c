/* secret.c: model.secret, what the owner keeps: which candidates are real, and where they and their
 * weights go. */
#include "bundle/bundle_private.h"

#include <string.h>

#define MAX_SECRET_BYTES ((size_t)1 << 30)
#define REMEDY "deobfuscate with the program that made it, or obfuscate again"

/* ---- values
 * ------------------------------------------------------------------------------------------ */
static void weight_free(void *data) {
  PtSecretWeight *weight = data;
  g_free(weight->name);
  g_free(weight->original);
  g_free(weight->reader);
  g_free(weight);
}

PtMember *pt_member_new(void) {
  PtMember *member = g_new0(PtMember, 1);
  member->nodes = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  member->inputs = g_ptr_array_new_with_free_func(g_free);
  member->outputs = g_ptr_array_new_with_free_func(g_free);
  member->weights = g_ptr_array_new_with_free_func(weight_free);
  return member;
}

void pt_member_free(PtMember *member) {
  if (!member)
    return;
  g_array_unref(member->nodes);
  g_ptr_array_unref(member->inputs);
  g_ptr_array_unref(member->outputs);
  g_ptr_array_unref(member->weights);
  g_free(member);
}

void pt_member_add_weight(PtMember *member, const char *name, const char *original, uint64_t offset,
                          uint64_t size, const char *reader) {
  PtSecretWeight *weight = g_new0(PtSecretWeight, 1);
  weight->name = g_strdup(name);
  weight->original = g_strdup(original);
  weight->offset = offset;
  weight->size = size;
  weight->reader = g_strdup(reader);
  g_ptr_array_add(member->weights, weight);
}

static void member_free(void *data) {
  pt_member_free(data);
}

PtSecretBucket *pt_secret_bucket_new(void) {
  PtSecretBucket *bucket = g_new0(PtSecretBucket, 1);
  bucket->candidates = g_ptr_array_new_with_free_func(g_free);
  bucket->members = g_ptr_array_new_with_free_func(member_free);
  return bucket;
}

static void bucket_free(void *data) {
  PtSecretBucket *bucket = data;
  g_free(bucket->real);
  g_free(bucket->kept);
  g_ptr_array_unref(bucket->candidates);
  g_ptr_array_unref(bucket->members);
  g_free(bucket);
}

PtSecret *pt_secret_new(void) {
  PtSecret *secret = g_new0(PtSecret, 1);
  secret->buckets = g_ptr_array_new_with_free_func(bucket_free);
  return secret;
}

void pt_secret_free(PtSecret *secret) {
  if (!secret)
    return;
  g_free(secret->model_sha256);
  g_ptr_array_unref(secret->buckets);
  g_free(secret);
}

/* ---- writing
 * ----------------------------------------------------------------------------------------- */
static json_t *strings_to_json(const GPtrArray *strings) {
  json_t *list = json_array();
  for (guint i = 0; i < strings->len; i++)
    if (json_array_append_new(list, json_string(g_ptr_array_index(strings, i))) < 0) {
      json_decref(list);
      return NULL;
    }
  return list;
}

static json_t *weights_to_json(const GPtrArray *weights) {
  json_t *object = json_object();
  for (guint i = 0; i < weights->len; i++) {
    const PtSecretWeight *weight = g_ptr_array_index(weights, i);
    json_t *entry = json_pack("{sssIsI}", "value", weight->original, "offset",
                              (json_int_t)weight->offset, "size", (json_int_t)weight->size);
    if (weight->reader)
      json_object_set_new(entry, "reader", json_string(weight->reader));
    if (json_object_set_new(object, weight->name, entry) < 0) {
      json_decref(object);
      return NULL;
    }
  }
  return object;
}

static json_t *member_to_json(const PtMember *member) {
  json_t *nodes = json_array();
  for (guint i = 0; i < member->nodes->len; i++)
    json_array_append_new(nodes, json_integer(g_array_index(member->nodes, uint32_t, i)));
  return json_pack("{sosososo}", "nodes", nodes, "inputs", strings_to_json(member->inputs),
                   "outputs", strings_to_json(member->outputs), "weights",
                   weights_to_json(member->weights));
}

static json_t *bucket_to_json(const PtSecretBucket *bucket) {
  json_t *members = json_array();
  for (guint i = 0; i < bucket->members->len; i++)
    if (json_array_append_new(members, member_to_json(g_ptr_array_index(bucket->members, i))) < 0) {
      json_decref(members);
      return NULL;
    }
  json_t *object =
      json_pack("{ssso}", "real", bucket->real, "candidates", strings_to_json(bucket->candidates));
  if (bucket->kept)
    json_object_set_new(object, "kept", json_string(bucket->kept));
  json_object_set_new(object, "members", members);
  return object;
}

static json_t *buckets_to_json(const GPtrArray *buckets) {
  json_t *list = json_array();
  for (guint i = 0; i < buckets->len; i++)
    if (json_array_append_new(list, bucket_to_json(g_ptr_array_index(buckets, i))) < 0) {
      json_decref(list);
      return NULL;
    }
  return list;
}

bool pt_secret_write(const PtSecret *secret, const char *path, GError **error) {
  PtNoise noise;
  if (!pt_noise_init(&noise, secret->noise_seed, secret->floats, secret->halves, secret->brains,
                     secret->doubles, error))
    return false;
  json_t *root = json_pack("{sssisssbsoso}", "format", "proteus-secret", "version", 1,
                           "model_sha256", secret->model_sha256, "folded", secret->folded, "noise",
                           pt_noise_to_json(&noise), "buckets", buckets_to_json(secret->buckets));
  bool ok = pt_json_save(root, path, 0600, JSON_COMPACT, error);
  json_decref(root);
  return ok;
}

/* ---- reading
 * ----------------------------------------------------------------------------------------- */
static bool refuse(const char *path, const char *what, GError **error) {
  g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "%s: %s", path, what);
  return false;
}

static bool strings_from_json(const json_t *object, const char *key, const char *path,
                              GPtrArray *out, GError **error) {
  const json_t *list = pt_json_array(object, key, path, error);
  if (!list)
    return false;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    if (!text) {
      g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
                  "%s: \"%s\" holds something that is no string", path, key);
      return false;
    }
    g_ptr_array_add(out, g_strdup(text));
  }
  return true;
}

static bool weights_from_json(const json_t *object, const char *path, const PtNoise *noise,
                              PtMember *member, GError **error) {
  const json_t *weights = pt_json_object(object, "weights", path, error);
  if (!weights)
    return false;
  const char *name;
  json_t *entry;
  uint64_t total = pt_noise_file_size(noise);
  json_object_foreach((json_t *)(uintptr_t)weights, name, entry) {
    uint64_t offset, size;
    const char *original = pt_json_string(entry, "value", path, error);
    if (!original || !pt_json_count(entry, "offset", false, path, &offset, error) ||
        !pt_json_count(entry, "size", false, path, &size, error))
      return false;
    if (offset > total || size > total - offset)
      return refuse(path, "a weight lies outside the noise file", error);
    pt_member_add_weight(member, name, original, offset, size,
                         json_string_value(json_object_get(entry, "reader")));
  }
  return true;
}

static bool nodes_from_json(const json_t *object, const char *path, GArray *out, GError **error) {
  const json_t *list = pt_json_array(object, "nodes", path, error);
  if (!list)
    return false;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    json_int_t number = json_is_integer(item) ? json_integer_value(item) : -1;
    if (number < 0 || number >= UINT32_MAX)
      return refuse(path, "\"nodes\" holds something that is no node's number", error);
    uint32_t node = (uint32_t)number;
    g_array_append_val(out, node);
  }
  return true;
}

static bool members_from_json(const json_t *object, const char *path, const PtNoise *noise,
                              GPtrArray *out, GError **error) {
  const json_t *list = pt_json_array(object, "members", path, error);
  if (!list)
    return false;
  if (json_array_size(list) == 0)
    return refuse(path, "a bucket has no members", error);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *entry = json_array_get(list, i);
    PtMember *member = pt_member_new();
    g_ptr_array_add(out, member);
    if (!nodes_from_json(entry, path, member->nodes, error) ||
        !strings_from_json(entry, "inputs", path, member->inputs, error) ||
        !strings_from_json(entry, "outputs", path, member->outputs, error) ||
        !weights_from_json(entry, path, noise, member, error))
      return false;
  }
  return true;
}

static bool bucket_from_json(const json_t *entry, const char *path, const PtNoise *noise,
                             PtSecretBucket *bucket, GError **error) {
  const char *real = pt_json_string(entry, "real", path, error);
  if (!real || !strings_from_json(entry, "candidates", path, bucket->candidates, error))
    return false;
  bucket->real = g_strdup(real);
  bucket->kept = g_strdup(json_string_value(json_object_get(entry, "kept")));
  bool found = false;
  for (guint i = 0; i < bucket->candidates->len; i++) {
    const char *id = g_ptr_array_index(bucket->candidates, i);
    if (!pt_is_hex(id, 1, 64))
      return refuse(path, "a candidate's id is not 1 to 64 lower-case hex digits", error);
    found |= g_str_equal(id, real);
  }
  if (!found)
    return refuse(path, "a bucket's real candidate is not among its candidates", error);
  return members_from_json(entry, path, noise, bucket->members, error);
}

static bool secret_from_json(const json_t *root, const char *path, PtSecret *secret,
                             GError **error) {
  PtNoise noise;
  const char *sha256 = pt_json_string(root, "model_sha256", path, error);
  if (!sha256 || !pt_noise_from_json(root, path, &noise, error))
    return false;
  if (!pt_is_hex(sha256, 64, 64))
    return refuse(path, "\"model_sha256\" is not 64 lower-case hex digits", error);
  secret->model_sha256 = g_strdup(sha256);
  secret->folded = json_is_true(json_object_get(root, "folded"));
  memcpy(secret->noise_seed, noise.seed, sizeof secret->noise_seed);
  secret->floats = noise.floats;
  secret->halves = noise.halves;
  secret->brains = noise.brains;
  secret->doubles = noise.doubles;
  const json_t *buckets = pt_json_array(root, "buckets", path, error);
  if (!buckets)
    return false;
  for (size_t i = 0; i < json_array_size(buckets); i++) {
    PtSecretBucket *bucket = pt_secret_bucket_new();
    g_ptr_array_add(secret->buckets, bucket);
    if (!bucket_from_json(json_array_get(buckets, i), path, &noise, bucket, error))
      return false;
  }
  return true;
}

PtSecret *pt_secret_read(const char *path, GError **error) {
  json_t *root = pt_json_load(path, MAX_SECRET_BYTES, error);
  if (!root)
    return NULL;
  g_autoptr(PtSecret) secret = pt_secret_new();
  bool ok = pt_json_check_format(root, path, "proteus-secret", REMEDY, error) &&
            secret_from_json(root, path, secret, error);
  json_decref(root);
  return ok ? g_steal_pointer(&secret) : NULL;
}
