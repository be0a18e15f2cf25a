/* Hashes: SHA-256 for files, a fast one for tables. */
#include "base/base.h"

#include <sodium.h>
#include <string.h>

char *pt_sha256_hex(const void *data, size_t size) {
  uint8_t digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, data, size);
  char *hex = g_malloc(2 * sizeof digest + 1);
  sodium_bin2hex(hex, 2 * sizeof digest + 1, digest, sizeof digest);
  return hex;
}

char *pt_sha256_file(const char *path, GError **error) {
  g_autoptr(GBytes) bytes = pt_file_map(path, 0, error);
  if (!bytes)
    return NULL;
  size_t size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  crypto_hash_sha256_update(&state, data, size);
  uint8_t digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(&state, digest);
  pt_file_forget(bytes);
  char *hex = g_malloc(2 * sizeof digest + 1);
  sodium_bin2hex(hex, 2 * sizeof digest + 1, digest, sizeof digest);
  return hex;
}

uint64_t pt_hash64(const void *data, size_t size, uint64_t seed) {
  const uint8_t *p = data;
  uint64_t h = pt_hash_mix(seed, size);
  while (size >= 8) {
    uint64_t w;
    memcpy(&w, p, 8);
    h = pt_hash_mix(h, w);
    p += 8;
    size -= 8;
  }
  uint64_t tail = 0;
  if (size)
    memcpy(&tail, p, size);
  return pt_hash_mix(h, tail);
}
