/* The arena: blocks that are freed together, and a table of interned strings. */
#include "base/base.h"

#include <string.h>

/* Blocks double: a bucket's sentinels are thousands of small graphs, a model is one large one. */
enum { FIRST_BLOCK = 4 * 1024, BLOCK = 64 * 1024, ALIGN = 16 };

typedef struct Block {
  struct Block *next;
  size_t used, size;
  _Alignas(ALIGN) uint8_t data[];
} Block;

struct PtArena {
  Block *blocks;
  GHashTable *strings;
};

PtArena *pt_arena_new(void) {
  return g_new0(PtArena, 1);
}

void pt_arena_free(PtArena *arena) {
  if (!arena)
    return;
  g_clear_pointer(&arena->strings, g_hash_table_unref);
  for (Block *b = arena->blocks; b;) {
    Block *next = b->next;
    g_free(b);
    b = next;
  }
  g_free(arena);
}

void *pt_arena_alloc(PtArena *arena, size_t size) {
  size = pt_size_add(size, ALIGN - 1) & ~(size_t)(ALIGN - 1);
  Block *b = arena->blocks;
  if (!b || size > b->size - b->used) {
    size_t next = b ? MIN(2 * b->size, (size_t)BLOCK) : (size_t)FIRST_BLOCK;
    size_t room = MAX(size, next);
    if (room > PTRDIFF_MAX - sizeof(Block)) /* callers check sizes that come from files */
      g_error("an arena was asked for %" G_GSIZE_FORMAT " bytes", size);
    Block *fresh = g_malloc0(sizeof(Block) + room);
    fresh->size = room;
    if (b && size > next) { /* a large one goes behind, the current block still has room */
      fresh->next = b->next;
      b->next = fresh;
    } else {
      fresh->next = b;
      arena->blocks = fresh;
    }
    b = fresh;
  }
  void *p = b->data + b->used;
  b->used += size;
  return p;
}

void *pt_arena_copy(PtArena *arena, const void *data, size_t size) {
  void *p = pt_arena_alloc(arena, size);
  if (size)
    memcpy(p, data, size);
  return p;
}

const char *pt_arena_string(PtArena *arena, const char *text) {
  if (!text)
    return NULL;
  if (!arena->strings)
    arena->strings = g_hash_table_new(g_str_hash, g_str_equal);
  const char *have = g_hash_table_lookup(arena->strings, text);
  if (have)
    return have;
  char *copy = pt_arena_copy(arena, text, strlen(text) + 1);
  g_hash_table_add(arena->strings, copy);
  return copy;
}
