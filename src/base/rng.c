/* The one random generator: a ChaCha20 stream a purpose, keyed by BLAKE2b. */
#include "base/base.h"

#include <math.h>
#include <sodium.h>
#include <string.h>

enum { BUFFER = 1024 };

struct PtRng {
  uint8_t key[crypto_stream_chacha20_KEYBYTES];
  uint8_t buffer[BUFFER];
  uint64_t block; /* the next buffer's number, used as nonce */
  size_t used;
  double spare; /* second half of a normal pair */
  bool has_spare;
};

static void hash_seed(uint8_t out[32], const uint8_t *key, size_t key_size, const char *purpose,
                      uint64_t index) {
  crypto_generichash_state state;
  uint8_t number[8];
  for (int i = 0; i < 8; i++)
    number[i] = (uint8_t)(index >> (8 * i));
  crypto_generichash_init(&state, NULL, 0, 32);
  crypto_generichash_update(&state, key, key_size);
  crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
  crypto_generichash_update(&state, number, sizeof number);
  crypto_generichash_final(&state, out, 32);
}

void pt_seed_init(PtSeed *seed, const char *text) {
  if (sodium_init() < 0)
    g_error("libsodium cannot start: the system has no random source");
  if (text)
    hash_seed(seed->key, (const uint8_t *)text, strlen(text), "proteus seed", 0);
  else
    randombytes_buf(seed->key, sizeof seed->key);
}

PtSeed pt_seed_derive(const PtSeed *seed, const char *purpose, uint64_t index) {
  PtSeed below;
  hash_seed(below.key, seed->key, sizeof seed->key, purpose, index);
  return below;
}

PtRng *pt_rng_new(const PtSeed *seed, const char *purpose, uint64_t index) {
  PtRng *rng = g_new0(PtRng, 1);
  hash_seed(rng->key, seed->key, sizeof seed->key, purpose, index);
  rng->used = BUFFER;
  return rng;
}

void pt_rng_free(PtRng *rng) {
  if (!rng)
    return;
  sodium_memzero(rng, sizeof *rng);
  g_free(rng);
}

void pt_rng_bytes(PtRng *rng, void *out, size_t size) {
  uint8_t *to = out;
  while (size > 0) {
    if (rng->used == BUFFER) {
      uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = {0};
      for (int i = 0; i < 8; i++)
        nonce[i] = (uint8_t)(rng->block >> (8 * i));
      crypto_stream_chacha20(rng->buffer, BUFFER, nonce, rng->key);
      rng->block++;
      rng->used = 0;
    }
    size_t part = MIN(size, BUFFER - rng->used);
    memcpy(to, rng->buffer + rng->used, part);
    rng->used += part;
    to += part;
    size -= part;
  }
}

uint64_t pt_rng_u64(PtRng *rng) {
  uint8_t b[8];
  pt_rng_bytes(rng, b, sizeof b);
  uint64_t v = 0;
  for (int i = 7; i >= 0; i--)
    v = v << 8 | b[i];
  return v;
}

uint64_t pt_rng_below(PtRng *rng, uint64_t bound) {
  g_return_val_if_fail(bound > 0, 0);
  /* Lemire's method: unbiased, one multiplication in nearly all cases */
  unsigned __int128 m = (unsigned __int128)pt_rng_u64(rng) * bound;
  if ((uint64_t)m < bound) {
    uint64_t floor = -bound % bound;
    while ((uint64_t)m < floor)
      m = (unsigned __int128)pt_rng_u64(rng) * bound;
  }
  return (uint64_t)(m >> 64);
}

double pt_rng_unit(PtRng *rng) {
  return (double)(pt_rng_u64(rng) >> 11) * 0x1p-53;
}

double pt_rng_normal(PtRng *rng) {
  if (rng->has_spare) {
    rng->has_spare = false;
    return rng->spare;
  }
  double u = 1.0 - pt_rng_unit(rng), v = pt_rng_unit(rng); /* u in (0, 1] */
  double r = sqrt(-2.0 * log(u));
  rng->spare = r * sin(2.0 * G_PI * v);
  rng->has_spare = true;
  return r * cos(2.0 * G_PI * v);
}

void pt_rng_shuffle(PtRng *rng, void *items, size_t count, size_t item_size) {
  uint8_t *base = items;
  g_autofree uint8_t *swap = g_malloc(item_size ? item_size : 1);
  for (size_t i = count; i > 1; i--) {
    size_t j = (size_t)pt_rng_below(rng, i);
    if (j == i - 1)
      continue;
    memcpy(swap, base + j * item_size, item_size);
    memcpy(base + j * item_size, base + (i - 1) * item_size, item_size);
    memcpy(base + (i - 1) * item_size, swap, item_size);
  }
}

size_t pt_rng_weighted(PtRng *rng, const double *weights, size_t count) {
  double total = 0;
  for (size_t i = 0; i < count; i++)
    total += weights[i];
  if (!(total > 0))
    return count;
  double at = pt_rng_unit(rng) * total;
  size_t last = count;
  for (size_t i = 0; i < count; i++) {
    if (!(weights[i] > 0))
      continue;
    last = i;
    at -= weights[i];
    if (at < 0)
      return i;
  }
  return last; /* rounding left a sliver behind the last positive weight */
}
