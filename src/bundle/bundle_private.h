/* bundle_private.h: shared by the files of this room only. */
#ifndef PT_BUNDLE_PRIVATE_H
#define PT_BUNDLE_PRIVATE_H

#include "bundle/bundle.h"

#include <jansson.h>

/* The JSON object in a file of at most max_bytes; the error names the file. */
json_t *pt_json_load(const char *path, size_t max_bytes, GError **error);
/* Checks "format" and "version"; another format or version is PT_ERR_MISMATCH, with what to do. */
bool pt_json_check_format(const json_t *root, const char *path, const char *format,
                          const char *remedy, GError **error);
/* flags: jansson's. root NULL or with a NULL inside a string: a name that is no UTF-8. */
bool pt_json_save(json_t *root, const char *path, int mode, size_t flags, GError **error);
/* Missing or of a wrong type: NULL or false and PT_ERR_INPUT that names file and key. */
const char *pt_json_string(const json_t *object, const char *key, const char *path, GError **error);
bool pt_json_count(const json_t *object, const char *key, bool optional, const char *path,
                   uint64_t *out, GError **error);
const json_t *pt_json_array(const json_t *object, const char *key, const char *path,
                            GError **error);
const json_t *pt_json_object(const json_t *object, const char *key, const char *path,
                             GError **error);
/* Lower-case hex digits only, min_length to max_length of them. */
bool pt_is_hex(const char *text, size_t min_length, size_t max_length);
/* The "noise" object of manifest and secret. */
json_t *pt_noise_to_json(const PtNoise *noise);
bool pt_noise_from_json(const json_t *root, const char *path, PtNoise *noise, GError **error);

#endif
