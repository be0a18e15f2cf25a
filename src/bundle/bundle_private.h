/* bundle_private.h: shared by the files of this room only. */
#ifndef PT_BUNDLE_PRIVATE_H
#define PT_BUNDLE_PRIVATE_H

#include "bundle/bundle.h"

#include <jansson.h>

/* JSON of a file not larger than max_bytes, or the error that names it. */
json_t *pt_json_load(const char *path, size_t max_bytes, const char *remedy, GError **error);
/* Checks "format" and "version"; another version is PT_ERR_MISMATCH with what to do. */
bool pt_json_check_format(const json_t *root, const char *path, const char *format, GError **error);
/* Writes sorted as built, one line a small object, with a newline at the end. */
bool pt_json_save(json_t *root, const char *path, int mode, GError **error);
/* Missing or of a wrong type: false and PT_ERR_INPUT that names file and key. */
const char *pt_json_string(const json_t *object, const char *key, const char *path, GError **error);
bool pt_json_count(const json_t *object, const char *key, bool optional, const char *path,
                   uint64_t *out, GError **error);
const json_t *pt_json_array(const json_t *object, const char *key, const char *path,
                            GError **error);
bool pt_is_hex(const char *text, size_t min_length, size_t max_length);
/* The manifest's and the secret's "noise" object. */
json_t *pt_noise_to_json(const PtNoise *noise);
bool pt_noise_from_json(const json_t *object, const char *path, PtNoise *noise, GError **error);

#endif
