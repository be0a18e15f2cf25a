/* library: operator templates, interned; types and the codes of sizes that are not known. */
#include "walk/walk_private.h"

/* clang-format off */
G_DEFINE_QUARK(pt-walk-error-quark, pt_walk_error)
/* clang-format on */

/* ---- maps
 * -------------------------------------------------------------------------------------------- */
void pt_map64_clear(PtMap64 *map) {
  g_free(map->keys);
  g_free(map->values);
  *map = (PtMap64){0};
}

static void map_grow(PtMap64 *map) {
  PtMap64 old = *map;
  map->size = old.size ? old.size * 2 : 64;
  map->used = 0;
  map->keys = g_new0(uint64_t, map->size);
  map->values = g_new0(double, map->size);
  for (uint32_t i = 0; i < old.size; i++)
    if (old.keys[i])
      *pt_map64_at(map, old.keys[i]) = old.values[i];
  pt_map64_clear(&old);
}

double *pt_map64_at(PtMap64 *map, uint64_t key) {
  if (map->used * 2 >= map->size)
    map_grow(map);
  key += !key;
  uint32_t i = (uint32_t)(key >> 17) & (map->size - 1);
  while (map->keys[i] && map->keys[i] != key)
    i = (i + 1) & (map->size - 1);
  if (!map->keys[i]) {
    map->keys[i] = key;
    map->used++;
  }
  return &map->values[i];
}

/* ---- types
 * ------------------------------------------------------------------------------------------- */
static int32_t code_of(uint64_t hash) {
  return -2 - (int32_t)(hash & 0x3fffffff);
}

int32_t pt_walk_derived(int32_t from, int64_t a, int64_t b) {
  uint64_t h = pt_hash_mix(pt_hash_mix((uint64_t)(int64_t)from, (uint64_t)a), (uint64_t)b);
  return code_of(pt_hash_mix(h, 0xd341));
}

static int32_t fresh_code(PtWalkLibrary *l) {
  return code_of(pt_hash_mix(l->fresh++, 0xf4e5));
}

PtWalkType pt_walk_type_of(PtWalkLibrary *l, const PtType *type) {
  PtWalkType t = {.rank = -1};
  bool known = type->kind == PT_TYPE_TENSOR && type->rank >= 0 && type->rank <= PT_WALK_RANK;
  for (int32_t i = 0; known && i < type->rank; i++)
    known = type->dims[i].size <= INT32_MAX;
  if (!known) {
    t.dtype = type->kind == PT_TYPE_TENSOR ? (uint8_t)type->dtype : 0;
    t.dims[0] = fresh_code(l);
    return t;
  }
  t.dtype = (uint8_t)type->dtype;
  t.rank = (int8_t)type->rank;
  for (int32_t i = 0; i < type->rank; i++) {
    const PtDim *d = &type->dims[i];
    if (d->size >= 0)
      t.dims[i] = (int32_t)d->size;
    else if (d->symbol) {
      t.dims[i] = code_of(pt_hash64(d->symbol, strlen(d->symbol), 0x51));
      g_hash_table_insert(l->symbols, GINT_TO_POINTER(t.dims[i]),
                          (void *)(uintptr_t)pt_arena_string(l->store->arena, d->symbol));
    } else
      t.dims[i] = fresh_code(l);
  }
  return t;
}

/* ---- the library
 * -------------------------------------------------------------------------------------- */
static void template_free(void *data) {
  PtWalkTemplate *t = data;
  g_free(t->slots);
  g_free(t->in);
  g_free(t->out);
  g_free(t->text);
  g_free(t);
}

PtWalkLibrary *pt_walk_library_new(void) {
  PtWalkLibrary *l = g_new0(PtWalkLibrary, 1);
  l->store = pt_graph_new();
  l->templates = g_ptr_array_new_with_free_func(template_free);
  l->by_key =
      g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  l->symbols = g_hash_table_new(NULL, NULL);
  l->motifs = g_ptr_array_new_with_free_func(g_free);
  l->regions = g_ptr_array_new_with_free_func(g_free);
  l->held = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  return l;
}

void pt_walk_library_free(PtWalkLibrary *l) {
  if (!l)
    return;
  g_ptr_array_unref(l->templates);
  g_hash_table_unref(l->by_key);
  g_hash_table_unref(l->symbols);
  g_ptr_array_unref(l->held);
  g_ptr_array_unref(l->motifs);
  pt_map64_clear(&l->motif_index);
  g_ptr_array_unref(l->regions);
  pt_map64_clear(&l->region_index);
  pt_graph_unref(l->store);
  g_free(l);
}

/* ---- motifs
 * ------------------------------------------------------------------------------------------- */
static uint64_t motif_hash(const uint32_t *templates, uint32_t n) {
  uint64_t h = n;
  for (uint32_t i = 0; i < n; i++)
    h = pt_hash_mix(h, templates[i]);
  return h;
}

uint32_t pt_walk_motif_find(const PtWalkLibrary *l, const uint32_t *templates, uint32_t n) {
  double at = pt_map64_get(&l->motif_index, motif_hash(templates, n), 0);
  return at > 0 ? (uint32_t)at - 1 : UINT32_MAX;
}

uint32_t pt_walk_motif(PtWalkLibrary *l, const uint32_t *templates, uint32_t n) {
  double *at = pt_map64_at(&l->motif_index, motif_hash(templates, n));
  if (*at == 0) {
    PtWalkMotif *m = g_malloc(sizeof *m + n * sizeof *templates);
    m->n = n;
    memcpy(m->templates, templates, n * sizeof *templates);
    g_ptr_array_add(l->motifs, m);
    *at = l->motifs->len;
  }
  return (uint32_t)*at - 1;
}

uint32_t pt_walk_region(PtWalkLibrary *l, const PtWalkState *s, const PtWalkRegionAt *r) {
  double *at = pt_map64_at(&l->region_index, pt_walk_region_hash(s, r));
  if (*at != 0)
    return (uint32_t)*at - 1;
  PtWalkRegion *new = g_malloc0(sizeof *new + r->n * sizeof *new->nodes);
  new->n = r->n;
  for (uint32_t i = 0; i < r->n; i++) { /* backward: the exit comes last */
    const PtWalkNode *n = &s->nodes[r->nodes[r->n - 1 - i]];
    new->nodes[i] = (PtRegionNode){.template = n->template, .n_in = n->n_in};
    for (uint32_t k = 0; k < n->n_in; k++) {
      PtWalkRef x = s->refs[n->in + k];
      new->nodes[i].in[k] = -1;
      for (uint32_t j = 0; x >= 0 && j < r->n; j++)
        if (r->nodes[j] == (uint32_t)x >> 3)
          new->nodes[i].in[k] = (int32_t)(r->n - 1 - j);
    }
  }
  g_ptr_array_add(l->regions, new);
  *at = l->regions->len;
  return l->regions->len - 1;
}
