/* store.c: adversaries trained beforehand, as a file: "PTAUDT" version, then deflated: each
 * adversary's calibration, weight in the stack, and what it learned. Hostile input when read. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

#define MAX_RAW ((size_t)1 << 28)
#define MOST_WEIGHT 1e6
static const char magic[8] = {'P', 'T', 'A', 'U', 'D', 'T', 0, 3}; /* the last: version */

/* ---- values ---------------------------------------------------------------------------------- */
void pt_put(GByteArray *out, const void *data, size_t size) {
  g_byte_array_append(out, data, (guint)size);
}
void pt_put_u32(GByteArray *out, uint32_t x) {
  pt_put(out, &x, sizeof x);
}
void pt_put_double(GByteArray *out, double x) {
  pt_put(out, &x, sizeof x);
}
void pt_put_table(GByteArray *out, GHashTable *table) {
  g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  GHashTableIter iter;
  void *key;
  g_hash_table_iter_init(&iter, table);
  while (g_hash_table_iter_next(&iter, &key, NULL)) {
    uint64_t id = GPOINTER_TO_SIZE(key);
    g_array_append_val(keys, id);
  }
  if (keys->len) {
    PtSparse sorted = pt_sparse_of((uint64_t *)(void *)keys->data, keys->len);
    pt_sparse_clear(&sorted);
  }
  pt_put_u32(out, keys->len);
  for (guint i = 0; i < keys->len; i++) {
    uint64_t id = g_array_index(keys, uint64_t, i);
    pt_put(out, &id, sizeof id);
    pt_put_u32(out, GPOINTER_TO_UINT(g_hash_table_lookup(table, GSIZE_TO_POINTER((gsize)id))));
  }
}

const uint8_t *pt_take(PtReader *r, size_t size) {
  if (!r->ok || size > r->size - r->at) {
    r->ok = false;
    return NULL;
  }
  const uint8_t *data = r->data + r->at;
  r->at += size;
  return data;
}
uint32_t pt_take_u32(PtReader *r) {
  uint32_t x = 0;
  const uint8_t *data = pt_take(r, sizeof x);
  if (data)
    memcpy(&x, data, sizeof x);
  return x;
}
double pt_take_double(PtReader *r) {
  double x = 0;
  const uint8_t *data = pt_take(r, sizeof x);
  if (data)
    memcpy(&x, data, sizeof x);
  if (!isfinite(x))
    r->ok = false;
  return isfinite(x) ? x : 0;
}
GHashTable *pt_take_table(PtReader *r, uint32_t most) {
  GHashTable *table = g_hash_table_new(NULL, NULL);
  uint32_t n = pt_take_u32(r);
  for (uint32_t i = 0; r->ok && i < n; i++) {
    uint64_t id = 0;
    const uint8_t *data = pt_take(r, sizeof id);
    uint32_t value = pt_take_u32(r);
    if (data)
      memcpy(&id, data, sizeof id);
    if (value > most)
      r->ok = false;
    g_hash_table_insert(table, GSIZE_TO_POINTER((gsize)id), GUINT_TO_POINTER(value));
  }
  return table;
}
GHashTable *pt_take_columns(PtReader *r) {
  GHashTable *columns = pt_take_table(r, UINT32_MAX);
  GHashTableIter iter;
  void *column;
  g_hash_table_iter_init(&iter, columns);
  while (g_hash_table_iter_next(&iter, NULL, &column))
    r->ok &= GPOINTER_TO_UINT(column) <= g_hash_table_size(columns);
  return columns;
}

/* ---- the file -------------------------------------------------------------------------------- */
static void put_calibration(GByteArray *out, const PtCalibration *how) {
  pt_put_double(out, how->t);
  pt_put_u32(out, how->standard);
}

static PtCalibration take_calibration(PtReader *r) {
  PtCalibration how;
  how.t = pt_take_double(r);
  how.standard = pt_take_u32(r) != 0;
  r->ok &= how.t >= 0;
  return how;
}

GByteArray *pt_jury_bytes(const PtJury *j) {
  GByteArray *raw = g_byte_array_new();
  put_calibration(raw, &j->stack);
  pt_put_u32(raw, j->has_whole);
  put_calibration(raw, &j->whole.how);
  pt_put_double(raw, j->whole.strength);
  pt_put_u32(raw, j->seats->len);
  for (guint i = 0; i < j->seats->len; i++) {
    const PtSeat *s = &g_array_index(j->seats, PtSeat, i);
    g_autoptr(GByteArray) state = g_byte_array_new();
    if (s->adversary->write)
      s->adversary->write(s->state, state);
    pt_put_u32(raw, (uint32_t)strlen(s->adversary->name));
    pt_put(raw, s->adversary->name, strlen(s->adversary->name));
    put_calibration(raw, &s->how);
    pt_put_double(raw, s->weight);
    pt_put_double(raw, s->base);
    pt_put_u32(raw, state->len);
    pt_put(raw, state->data, state->len);
  }
  return raw;
}

bool pt_jury_write(const PtJury *j, const char *path, GError **error) {
  g_autoptr(GByteArray) raw = pt_jury_bytes(j), file = g_byte_array_new();
  g_autoptr(GBytes) packed = pt_data_pack(raw->data, raw->len, SIZE_MAX);
  if (!packed) {
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_INTERNAL, "%s cannot be compressed", path);
    return false;
  }
  pt_put(file, magic, sizeof magic);
  gsize size;
  const void *data = g_bytes_get_data(packed, &size);
  pt_put(file, data, size);
  return pt_file_write(path, 0644, file->data, file->len, error);
}

static bool take_seat(PtReader *r, PtJury *j) {
  uint32_t length = pt_take_u32(r);
  const uint8_t *text = pt_take(r, length);
  g_autofree char *name = text ? g_strndup((const char *)text, length) : NULL;
  const PtAdversary *adversary = name ? pt_adversary_find(name) : NULL;
  PtSeat seat = {.adversary = adversary, .how = take_calibration(r)};
  seat.weight = pt_take_double(r);
  seat.base = pt_take_double(r);
  r->ok &= fabs(seat.weight) <= MOST_WEIGHT && fabs(seat.base) <= MOST_WEIGHT;
  uint32_t size = pt_take_u32(r);
  const uint8_t *state = pt_take(r, size);
  if (!r->ok || !adversary)
    return false;
  PtReader own = {state, size, 0, true};
  if (adversary->read && !(seat.state = adversary->read(&own)))
    return false;
  g_array_append_val(j->seats, seat);
  return own.ok && own.at == size;
}

PtJury *pt_jury_parse(const void *data, size_t size) {
  g_autoptr(PtJury) j = pt_jury_new();
  PtReader r = {data, size, 0, true};
  j->stack = take_calibration(&r);
  j->has_whole = pt_take_u32(&r) != 0;
  j->whole.how = take_calibration(&r);
  j->whole.strength = pt_take_double(&r);
  r.ok &= j->whole.strength >= 0;
  uint32_t n = pt_take_u32(&r);
  for (uint32_t i = 0; r.ok && i < n; i++)
    r.ok = take_seat(&r, j);
  return r.ok && r.at == r.size ? g_steal_pointer(&j) : NULL;
}

PtJury *pt_jury_read(const char *path, GError **error) {
  g_autofree char *found = NULL;
  g_autoptr(GBytes) file = pt_data_open(path, "audit.bin", "proteus audit --learn", MAX_RAW,
                                        PT_AUDIT_ERROR, &found, error);
  if (!file)
    return NULL;
  gsize size, raw_size = 0;
  const uint8_t *data = g_bytes_get_data(file, &size);
  g_autoptr(GBytes) raw = size > sizeof magic && memcmp(data, magic, sizeof magic) == 0
                              ? pt_data_unpack(data + sizeof magic, size - sizeof magic, MAX_RAW)
                              : NULL;
  const void *bytes = raw ? g_bytes_get_data(raw, &raw_size) : NULL;
  PtJury *j = bytes ? pt_jury_parse(bytes, raw_size) : NULL;
  if (!j)
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_INPUT,
                "%s is damaged or of another version: get it anew", found);
  return j;
}
