/* case.c: what an adversary is given: from a bundle and its secret, or graphs in memory. */
#include "audit/audit_private.h"

#include "bundle/bundle.h"
#include "onnx/onnx.h"

#include <stdlib.h>
#include <string.h>

PtCase *pt_case_new(const char *name) {
  PtCase *t = g_new0(PtCase, 1);
  t->name = g_strdup(name);
  t->sights = g_ptr_array_new_with_free_func((GDestroyNotify)pt_sight_free);
  t->alike = g_new0(PtAlike, 1);
  g_mutex_init(&t->alike->lock);
  return t;
}

void pt_case_free(PtCase *t) {
  if (!t)
    return;
  g_free(t->name);
  g_free(t->buckets);
  g_free(t->real);
  g_ptr_array_unref(t->sights);
  g_mutex_clear(&t->alike->lock);
  g_free(t->alike->rows);
  g_free(t->alike);
  g_free(t);
}

static void add_bucket(PtCase *t, uint32_t n, uint32_t real) {
  t->buckets = g_renew(PtCaseBucket, t->buckets, t->n_buckets + 1);
  t->real = g_renew(uint32_t, t->real, t->n_buckets + 1);
  t->buckets[t->n_buckets] = (PtCaseBucket){t->sights->len, n};
  t->real[t->n_buckets++] = real;
}

void pt_case_add_bucket(PtCase *t, GPtrArray *graphs, uint32_t real) {
  add_bucket(t, graphs->len, real);
  for (guint i = 0; i < graphs->len; i++)
    g_ptr_array_add(t->sights, pt_sight_new(graphs->pdata[i]));
}

/* ---- from files ------------------------------------------------------------------------------ */
typedef struct Reading {
  const char *bundle;
  GPtrArray *ids;
  GHashTable *place; /* id -> its place in the manifest + 1 */
  guint files;
  const PtNoise *noise;
  PtCase *target;
  PtGraph **graphs; /* kept for the likelihoods, or NULL */
  GError **errors;
} Reading;

static PtSight *read_candidate(const Reading *r, size_t i, GError **error) {
  const char *id = r->ids->pdata[i];
  g_autofree char *name = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(r->bundle, name, NULL);
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  g_autoptr(GBytes) bytes = pt_file_map(path, SIZE_MAX, error);
  g_autoptr(PtGraph) g = bytes ? pt_onnx_read_bytes(bytes, path, NULL, &options, error) : NULL;
  if (!g || !pt_sight_types(g, error))
    return NULL;
  PtSight *view = pt_sight_new(g);
  double place = GPOINTER_TO_UINT(g_hash_table_lookup(r->place, id));
  pt_sight_file(view, g, bytes, place / MAX(r->files, 1), r->noise);
  if (r->graphs)
    r->graphs[i] = g_steal_pointer(&g);
  return view;
}

static void read_task(size_t i, void *data) {
  Reading *r = data;
  r->target->sights->pdata[i] = read_candidate(r, i, &r->errors[i]);
}

static bool first_error(GError **errors, guint n, GError **error) {
  bool ok = true;
  for (guint i = 0; i < n; i++) {
    if (errors[i] && ok)
      g_propagate_error(error, g_steal_pointer(&errors[i]));
    ok &= !errors[i] && !(error && *error);
    g_clear_error(&errors[i]);
  }
  return ok;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Buckets with a real piece that was sent, and company. */
static void list_buckets(const PtSecret *secret, PtCase *t, GPtrArray *ids) {
  for (guint b = 0; b < secret->buckets->len; b++) {
    const PtSecretBucket *bucket = secret->buckets->pdata[b];
    uint32_t n = bucket->candidates->len, real = PT_NONE;
    if (bucket->kept || n < 2)
      continue;
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (uint32_t i = 0; i < n; i++)
      g_ptr_array_add(sorted, bucket->candidates->pdata[i]);
    g_ptr_array_sort(sorted, by_text);
    for (uint32_t i = 0; i < n; i++)
      if (g_str_equal(sorted->pdata[i], bucket->real))
        real = i;
    if (real == PT_NONE)
      continue;
    add_bucket(t, n, real);
    t->buckets[t->n_buckets - 1].first = ids->len;
    for (uint32_t i = 0; i < n; i++)
      g_ptr_array_add(ids, g_strdup(sorted->pdata[i]));
  }
}

PtCase *pt_case_read(const char *bundle, const char *secret_path, const char *name,
                     PtWalkModel *walk, unsigned threads, GPtrArray *ids_out, GError **error) {
  g_autoptr(PtSecret) secret = pt_secret_read(secret_path, error);
  g_autoptr(PtManifest) manifest = secret ? pt_manifest_read(bundle, error) : NULL;
  if (!manifest)
    return NULL;
  if (!g_str_equal(manifest->noise.seed, secret->noise_seed)) {
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_MISMATCH,
                "%s is not the secret of the bundle %s: give the one written with it", secret_path,
                bundle);
    return NULL;
  }
  g_autoptr(PtCase) t = pt_case_new(name);
  g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GHashTable) place = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < manifest->candidates->len; i++)
    g_hash_table_insert(place, ((PtCandidate *)manifest->candidates->pdata[i])->id,
                        GUINT_TO_POINTER(i + 1));
  list_buckets(secret, t, ids);
  if (t->n_buckets == 0) {
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_INPUT,
                "%s has no bucket with sentinels: obfuscate with -k of at least 1", bundle);
    return NULL;
  }
  g_autofree GError **errors = g_new0(GError *, (gsize)ids->len + 1);
  g_autofree PtGraph **graphs = walk ? g_new0(PtGraph *, (gsize)ids->len + 1) : NULL;
  g_ptr_array_set_size(t->sights, (gint)ids->len);
  Reading r = {bundle, ids, place, manifest->candidates->len, &manifest->noise, t, graphs, errors};
  pt_parallel_for(ids->len, threads, read_task, &r);
  for (guint i = 0; graphs && i < ids->len; i++)
    if (graphs[i]) {
      if (t->sights->pdata[i])
        ((PtSight *)t->sights->pdata[i])->log_pi = pt_walk_likelihood(walk, graphs[i]);
      pt_graph_unref(graphs[i]);
    }
  if (!first_error(errors, ids->len, error))
    return NULL;
  for (guint i = 0; ids_out && i < ids->len; i++)
    g_ptr_array_add(ids_out, g_strdup(ids->pdata[i]));
  return g_steal_pointer(&t);
}
