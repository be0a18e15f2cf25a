/* json.c: reading and writing JSON, where what is read may be hostile. */
#include "bundle/bundle_private.h"

#include <string.h>

json_t *pt_json_load(const char *path, size_t max_bytes, GError **error) {
  g_autoptr(GBytes) bytes = pt_file_map(path, max_bytes, error);
  if (!bytes)
    return NULL;
  size_t size;
  const char *text = g_bytes_get_data(bytes, &size);
  json_error_t why;
  json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
  if (root && json_is_object(root))
    return root;
  if (root)
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "%s is no JSON object", path);
  else
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "%s is no valid JSON (line %d: %s)", path,
                why.line, why.text);
  json_decref(root);
  return NULL;
}

bool pt_json_check_format(const json_t *root, const char *path, const char *format,
                          const char *remedy, GError **error) {
  const char *found = pt_json_string(root, "format", path, error);
  if (!found)
    return false;
  if (!g_str_equal(found, format)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_MISMATCH, "%s is a %.40s, not a %s", path, found,
                format);
    return false;
  }
  uint64_t version;
  if (!pt_json_count(root, "version", false, path, &version, error))
    return false;
  if (version != 1) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_MISMATCH,
                "%s has version %" G_GUINT64_FORMAT ", this program reads version 1: %s", path,
                version, remedy);
    return false;
  }
  return true;
}

bool pt_json_save(json_t *root, const char *path, int mode, size_t flags, GError **error) {
  g_autofree char *text = NULL;
  char *dumped = root ? json_dumps(root, flags) : NULL;
  if (!dumped) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED,
                "cannot write %s: a name of the model is not UTF-8", path);
    return false;
  }
  text = g_strconcat(dumped, "\n", NULL);
  free(dumped);
  return pt_file_write(path, mode, text, strlen(text), error);
}

static void *missing(const char *path, const char *key, const char *what, GError **error) {
  g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "%s: \"%s\" is missing or not %s", path, key,
              what);
  return NULL;
}

const char *pt_json_string(const json_t *object, const char *key, const char *path,
                           GError **error) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : missing(path, key, "a string", error);
}

bool pt_json_count(const json_t *object, const char *key, bool optional, const char *path,
                   uint64_t *out, GError **error) {
  const json_t *value = json_object_get(object, key);
  *out = 0;
  if (!value && optional)
    return true;
  if (!json_is_integer(value) || json_integer_value(value) < 0) {
    missing(path, key, "a whole number", error);
    return false;
  }
  *out = (uint64_t)json_integer_value(value);
  return true;
}

const json_t *pt_json_array(const json_t *object, const char *key, const char *path,
                            GError **error) {
  const json_t *value = json_object_get(object, key);
  return json_is_array(value) ? value : missing(path, key, "a list", error);
}

const json_t *pt_json_object(const json_t *object, const char *key, const char *path,
                             GError **error) {
  const json_t *value = json_object_get(object, key);
  return json_is_object(value) ? value : missing(path, key, "an object", error);
}

bool pt_is_hex(const char *text, size_t min_length, size_t max_length) {
  size_t length = strspn(text, "0123456789abcdef");
  return text[length] == '\0' && length >= min_length && length <= max_length;
}

json_t *pt_noise_to_json(const PtNoise *noise) {
  json_t *object = json_object();
  json_object_set_new(object, "file", json_string(PT_NOISE_FILE));
  json_object_set_new(object, "seed", json_string(noise->seed));
  json_object_set_new(object, "floats", json_integer((json_int_t)noise->floats));
  if (noise->halves)
    json_object_set_new(object, "halves", json_integer((json_int_t)noise->halves));
  if (noise->brains)
    json_object_set_new(object, "brains", json_integer((json_int_t)noise->brains));
  if (noise->doubles)
    json_object_set_new(object, "doubles", json_integer((json_int_t)noise->doubles));
  return object;
}

bool pt_noise_from_json(const json_t *root, const char *path, PtNoise *noise, GError **error) {
  const json_t *object = pt_json_object(root, "noise", path, error);
  if (!object)
    return false;
  uint64_t floats, halves, brains, doubles;
  const char *file = pt_json_string(object, "file", path, error);
  const char *seed = file ? pt_json_string(object, "seed", path, error) : NULL;
  if (!seed || !pt_json_count(object, "floats", false, path, &floats, error) ||
      !pt_json_count(object, "halves", true, path, &halves, error) ||
      !pt_json_count(object, "brains", true, path, &brains, error) ||
      !pt_json_count(object, "doubles", true, path, &doubles, error))
    return false;
  if (!g_str_equal(file, PT_NOISE_FILE)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "%s: the noise file must be named %s", path,
                PT_NOISE_FILE);
    return false;
  }
  if (pt_noise_init(noise, seed, floats, halves, brains, doubles, error))
    return true;
  g_prefix_error(error, "%s: ", path);
  return false;
}
