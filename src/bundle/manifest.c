/* manifest.c: bundle/manifest.json, the flat list of candidates. */
#include "bundle/bundle_private.h"

#include <string.h>

#define MANIFEST_FILE "manifest.json"
#define MAX_MANIFEST_BYTES ((size_t)256 << 20)
#define MAX_CANDIDATES 1000000

static void candidate_free(void *data) {
  PtCandidate *candidate = data;
  g_free(candidate->id);
  g_free(candidate->file);
  g_free(candidate->sha256);
  g_free(candidate);
}

PtManifest *pt_manifest_new(void) {
  PtManifest *manifest = g_new0(PtManifest, 1);
  manifest->candidates = g_ptr_array_new_with_free_func(candidate_free);
  return manifest;
}

void pt_manifest_free(PtManifest *manifest) {
  if (!manifest)
    return;
  g_ptr_array_unref(manifest->candidates);
  g_free(manifest);
}

void pt_manifest_add(PtManifest *manifest, const char *id, const char *sha256) {
  PtCandidate *candidate = g_new0(PtCandidate, 1);
  candidate->id = g_strdup(id);
  candidate->file = g_strconcat(id, ".onnx", NULL);
  candidate->sha256 = g_strdup(sha256);
  g_ptr_array_add(manifest->candidates, candidate);
}

static int by_id(const void *a, const void *b) {
  const PtCandidate *x = *(const PtCandidate *const *)a, *y = *(const PtCandidate *const *)b;
  return strcmp(x->id, y->id);
}

bool pt_manifest_write(const PtManifest *manifest, const char *folder, GError **error) {
  g_ptr_array_sort(manifest->candidates, by_id);
  json_t *root = json_object(), *list = json_array();
  json_object_set_new(root, "format", json_string("proteus-bundle"));
  json_object_set_new(root, "version", json_integer(1));
  json_object_set_new(root, "noise", pt_noise_to_json(&manifest->noise));
  json_object_set_new(root, "candidates", list);
  for (guint i = 0; i < manifest->candidates->len; i++) {
    const PtCandidate *candidate = g_ptr_array_index(manifest->candidates, i);
    json_array_append_new(list, json_pack("{ssssss}", "id", candidate->id, "file", candidate->file,
                                          "sha256", candidate->sha256));
  }
  g_autofree char *path = g_build_filename(folder, MANIFEST_FILE, NULL);
  bool ok = pt_json_save(root, path, 0644, JSON_INDENT(1), error);
  json_decref(root);
  return ok;
}

/* One entry: nothing in it may name a file other than its own. */
static bool read_candidate(PtManifest *manifest, const json_t *entry, const char *path,
                           GError **error) {
  const char *id = pt_json_string(entry, "id", path, error);
  const char *file = id ? pt_json_string(entry, "file", path, error) : NULL;
  const char *sha256 = file ? pt_json_string(entry, "sha256", path, error) : NULL;
  if (!sha256)
    return false;
  if (!pt_is_hex(id, 1, 64)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
                "%s: the candidate id \"%.64s\" is not 1 to 64 lower-case hex digits", path, id);
    return false;
  }
  g_autofree char *expected = g_strconcat(id, ".onnx", NULL);
  if (!g_str_equal(file, expected)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
                "%s: the file of candidate %s must be %s, not \"%.80s\"", path, id, expected, file);
    return false;
  }
  if (!pt_is_hex(sha256, 64, 64)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
                "%s: the sha256 of candidate %s is not 64 lower-case hex digits", path, id);
    return false;
  }
  pt_manifest_add(manifest, id, sha256);
  return true;
}

static bool read_candidates(PtManifest *manifest, const json_t *list, const char *path,
                            GError **error) {
  if (json_array_size(list) > MAX_CANDIDATES) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_LIMIT, "%s lists more than %d candidates", path,
                MAX_CANDIDATES);
    return false;
  }
  for (size_t i = 0; i < json_array_size(list); i++)
    if (!read_candidate(manifest, json_array_get(list, i), path, error))
      return false;
  g_ptr_array_sort(manifest->candidates, by_id);
  for (guint c = 1; c < manifest->candidates->len; c++) {
    const PtCandidate *one = g_ptr_array_index(manifest->candidates, c - 1);
    const PtCandidate *two = g_ptr_array_index(manifest->candidates, c);
    if (g_str_equal(one->id, two->id)) {
      g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "%s lists candidate %s twice", path,
                  one->id);
      return false;
    }
  }
  return true;
}

PtManifest *pt_manifest_read(const char *folder, GError **error) {
  g_autofree char *path = g_build_filename(folder, MANIFEST_FILE, NULL);
  json_t *root = pt_json_load(path, MAX_MANIFEST_BYTES, error);
  if (!root)
    return NULL;
  g_autoptr(PtManifest) manifest = pt_manifest_new();
  const json_t *list = NULL;
  bool ok = pt_json_check_format(root, path, "proteus-bundle",
                                 "make the bundle again with this program", error) &&
            pt_noise_from_json(root, path, &manifest->noise, error) &&
            (list = pt_json_array(root, "candidates", path, error)) &&
            read_candidates(manifest, list, path, error);
  json_decref(root);
  return ok ? g_steal_pointer(&manifest) : NULL;
}
