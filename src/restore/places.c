/* The secret's pieces, found again in the model. A tampered or foreign secret is told, never
 * trusted. */
#include "restore/restore_private.h"

#include <string.h>

static void place_free(void *data) {
  PtPlace *place = data;
  pt_piece_free(place->piece);
  pt_graph_unref(place->original);
  g_array_unref(place->weights);
  g_free(place);
}

typedef struct Finder {
  PtGraph *model;
  const PtSecret *secret;
  const PtNoise *noise;
  const char *bucket; /* the id in messages */
  uint8_t *inside;    /* [model nodes] 1: in the piece at hand */
  uint8_t *listed;    /* [model values] 1: an input of the piece at hand */
} Finder;

static bool off(const Finder *f, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool off(const Finder *f, GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *what = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(error, PT_RESTORE_ERROR, PT_ERR_INPUT,
              "the secret's bucket %s does not fit the model: %s; use the secret as it was written",
              f->bucket, what);
  return false;
}

static gint by_id(gconstpointer a, gconstpointer b) {
  PtNodeId x = *(const PtNodeId *)a, y = *(const PtNodeId *)b;
  return x < y ? -1 : x > y;
}

static bool find_nodes(Finder *f, const PtMember *member, PtPiece *piece, GError **error) {
  for (guint i = 0; i < member->nodes->len; i++) {
    PtNodeId id = g_array_index(member->nodes, PtNodeId, i);
    if (id >= pt_graph_n_nodes(f->model))
      return off(f, error, "node %u of %u", id, pt_graph_n_nodes(f->model));
    if (f->inside[id])
      return off(f, error, "node %u is listed twice", id);
    f->inside[id] = 1;
    g_array_append_val(piece->nodes, id);
  }
  if (piece->nodes->len == 0)
    return off(f, error, "a piece without nodes");
  g_array_sort(piece->nodes, by_id);
  return true;
}

static bool find_borders(Finder *f, const PtMember *member, PtPiece *piece, GError **error) {
  for (guint i = 0; i < member->inputs->len; i++) {
    const char *name = g_ptr_array_index(member->inputs, i);
    PtValueId v = pt_graph_find(f->model, name);
    if (v == PT_NONE)
      return off(f, error, "there is no value '%s'", name);
    const PtValue *value = pt_value(f->model, v);
    if (value->constant || f->listed[v] ||
        (value->producer != PT_NONE && f->inside[value->producer]))
      return off(f, error, "'%s' is no input of the piece", name);
    f->listed[v] = 1;
    g_array_append_val(piece->inputs, v);
  }
  for (guint i = 0; i < member->outputs->len; i++) {
    const char *name = g_ptr_array_index(member->outputs, i);
    PtValueId v = pt_graph_find(f->model, name);
    if (v == PT_NONE)
      return off(f, error, "there is no value '%s'", name);
    PtNodeId producer = pt_value(f->model, v)->producer;
    if (producer == PT_NONE || !f->inside[producer] || f->listed[v])
      return off(f, error, "'%s' is no output of the piece", name);
    f->listed[v] = 1;
    g_array_append_val(piece->outputs, v);
  }
  return true;
}

/* Whatever a node of the piece reads is a constant, made inside, or a listed input. */
static bool check_reads(Finder *f, const PtPiece *piece, GError **error) {
  for (guint i = 0; i < piece->nodes->len; i++) {
    const PtNode *node = pt_node(f->model, g_array_index(piece->nodes, PtNodeId, i));
    for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
      PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
      if (v == PT_NONE || pt_value(f->model, v)->constant || f->listed[v])
        continue;
      PtNodeId producer = pt_value(f->model, v)->producer;
      if (producer == PT_NONE || !f->inside[producer])
        return off(f, error, "'%s' is read but not listed", pt_value(f->model, v)->name);
    }
  }
  return true;
}

static bool find_weights(Finder *f, const PtMember *member, const PtValueId *map, PtPlace *place,
                         GError **error) {
  uint64_t end = pt_noise_file_size(f->noise);
  for (guint i = 0; i < member->weights->len; i++) {
    const PtSecretWeight *w = g_ptr_array_index(member->weights, i);
    PtValueId v = pt_graph_find(f->model, w->original);
    if (v == PT_NONE || !pt_value(f->model, v)->constant || map[v] == PT_NONE)
      return off(f, error, "there is no weight '%s' in the piece", w->original);
    const PtTensor *t = pt_value(f->model, v)->constant;
    if (t->size != w->size || w->offset > end || w->size > end - w->offset)
      return off(f, error, "'%s' has another size", w->original);
    PtValueId reader = w->reader ? pt_graph_find(f->model, w->reader) : PT_NONE;
    if (w->reader && (reader == PT_NONE || map[reader] == PT_NONE))
      return off(f, error, "there is no value '%s' in the piece", w->reader);
    PtPlaceWeight found = {v,         map[v],  w->name,
                           w->offset, w->size, reader == PT_NONE ? PT_NONE : map[reader]};
    g_array_append_val(place->weights, found);
  }
  return true;
}

static PtPlace *find_place(Finder *f, uint32_t bucket, uint32_t index, GError **error) {
  const PtSecretBucket *b = g_ptr_array_index(f->secret->buckets, bucket);
  const PtMember *member = g_ptr_array_index(b->members, index);
  PtPlace *place = g_new0(PtPlace, 1);
  place->bucket = bucket;
  place->member = index;
  place->piece = pt_piece_new();
  place->weights = g_array_new(FALSE, FALSE, sizeof(PtPlaceWeight));
  bool ok = find_nodes(f, member, place->piece, error) &&
            find_borders(f, member, place->piece, error) && check_reads(f, place->piece, error);
  if (ok) {
    g_autofree PtValueId *map = NULL;
    place->original = pt_graph_extract(f->model, place->piece, &map);
    ok = find_weights(f, member, map, place, error);
  }
  for (guint i = 0; i < place->piece->nodes->len; i++)
    f->inside[g_array_index(place->piece->nodes, PtNodeId, i)] = 0;
  for (guint i = 0; i < place->piece->inputs->len; i++)
    f->listed[g_array_index(place->piece->inputs, PtValueId, i)] = 0;
  for (guint i = 0; i < place->piece->outputs->len; i++)
    f->listed[g_array_index(place->piece->outputs, PtValueId, i)] = 0;
  if (!ok) {
    place_free(place);
    return NULL;
  }
  return place;
}

static GPtrArray *find_all(Finder *f, GError **error) {
  g_autoptr(GPtrArray) places = g_ptr_array_new_with_free_func(place_free);
  for (guint b = 0; b < f->secret->buckets->len; b++) {
    const PtSecretBucket *bucket = g_ptr_array_index(f->secret->buckets, b);
    f->bucket = bucket->real;
    if (bucket->members->len == 0) {
      off(f, error, "it has no members");
      return NULL;
    }
    for (guint m = 0; m < bucket->members->len; m++) {
      PtPlace *place = find_place(f, b, m, error);
      if (!place)
        return NULL;
      g_ptr_array_add(places, place);
    }
  }
  return g_steal_pointer(&places);
}

/* provider[v]: the place that brings border value v. Every one that is read, or a model's output,
 * has one. */
static uint32_t *find_providers(const Finder *f, GPtrArray *places, GError **error) {
  uint32_t n = pt_graph_n_values(f->model);
  g_autofree uint32_t *provider = g_new(uint32_t, (gsize)n + 1);
  g_autofree uint8_t *needed = g_new0(uint8_t, (gsize)n + 1);
  memset(provider, 0xff, sizeof *provider * ((gsize)n + 1));
  for (guint p = 0; p < places->len; p++) {
    const PtPiece *piece = ((PtPlace *)g_ptr_array_index(places, p))->piece;
    for (guint i = 0; i < piece->outputs->len; i++) {
      PtValueId v = g_array_index(piece->outputs, PtValueId, i);
      provider[v] = provider[v] == PT_NONE ? p : provider[v];
    }
    for (guint i = 0; i < piece->inputs->len; i++)
      needed[g_array_index(piece->inputs, PtValueId, i)] = 1;
  }
  for (guint i = 0; i < f->model->outputs->len; i++)
    needed[pt_graph_output(f->model, i)] = 1;
  for (PtValueId v = 0; v < n; v++)
    if (needed[v] && provider[v] == PT_NONE && pt_value(f->model, v)->producer != PT_NONE) {
      g_set_error(error, PT_RESTORE_ERROR, PT_ERR_INPUT,
                  "the secret has no piece that computes '%s': use the secret as it was written",
                  pt_value(f->model, v)->name);
      return NULL;
    }
  return g_steal_pointer(&provider);
}

/* Kahn's algorithm over pieces; the first in the secret first, where free. */
static GPtrArray *sort_places(GPtrArray *places, const uint32_t *provider, GError **error) {
  g_autoptr(GPtrArray) sorted = g_ptr_array_new_with_free_func(place_free);
  g_autofree uint8_t *done = g_new0(uint8_t, (gsize)places->len + 1);
  g_autofree uint32_t *missing = g_new0(uint32_t, (gsize)places->len + 1);
  g_autofree GArray **users = g_new0(GArray *, (gsize)places->len + 1);
  g_autoptr(GArray) queue = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  for (guint p = 0; p < places->len; p++)
    users[p] = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  for (guint p = 0; p < places->len; p++) {
    const PtPiece *piece = ((PtPlace *)g_ptr_array_index(places, p))->piece;
    for (guint i = 0; i < piece->inputs->len; i++) {
      uint32_t from = provider[g_array_index(piece->inputs, PtValueId, i)];
      if (from == PT_NONE)
        continue;
      missing[p]++;
      g_array_append_val(users[from], p);
    }
    if (missing[p] == 0)
      g_array_append_val(queue, p);
  }
  for (guint q = 0; q < queue->len; q++) {
    uint32_t p = g_array_index(queue, uint32_t, q);
    g_ptr_array_add(sorted, g_ptr_array_index(places, p));
    done[p] = 1;
    for (guint i = 0; i < users[p]->len; i++) {
      uint32_t user = g_array_index(users[p], uint32_t, i);
      if (--missing[user] == 0)
        g_array_append_val(queue, user);
    }
  }
  for (guint p = 0; p < places->len; p++)
    g_array_unref(users[p]);
  bool all = sorted->len == places->len;
  for (guint p = 0; p < places->len; p++)
    if (!done[p])
      place_free(g_ptr_array_index(places, p));
  g_ptr_array_set_free_func(places, NULL); /* they moved */
  if (all)
    return g_steal_pointer(&sorted);
  g_set_error(error, PT_RESTORE_ERROR, PT_ERR_INPUT,
              "the secret's pieces wait for one another in a circle: use the secret as it was "
              "written");
  return NULL;
}

GPtrArray *pt_places_new(PtGraph *model, const PtSecret *secret, const PtNoise *noise,
                         GError **error) {
  Finder f = {.model = model,
              .secret = secret,
              .noise = noise,
              .inside = g_new0(uint8_t, (gsize)pt_graph_n_nodes(model) + 1),
              .listed = g_new0(uint8_t, (gsize)pt_graph_n_values(model) + 1)};
  g_autoptr(GPtrArray) places = find_all(&f, error);
  g_autofree uint32_t *provider = places ? find_providers(&f, places, error) : NULL;
  g_free(f.inside);
  g_free(f.listed);
  return provider ? sort_places(places, provider, error) : NULL;
}

/* The candidate has another constant for the same weight: its reader gets it. */
static void split_weight(PtGraph *candidate, const PtPlaceWeight *w, PtTensor *tensor) {
  PtValueId own = pt_graph_add_constant(candidate, NULL, tensor);
  PtNodeId reader = w->reader == PT_NONE ? PT_NONE : pt_value(candidate, w->reader)->producer;
  for (uint32_t k = 0; reader != PT_NONE && k < pt_node(candidate, reader)->n_inputs; k++)
    if (pt_node(candidate, reader)->inputs[k] == w->original) {
      pt_node(candidate, reader)->inputs[k] = own;
      return; /* a node that reads it twice has a constant for each */
    }
}

PtGraph *pt_place_candidate(const PtPlace *place) {
  PtGraph *candidate = pt_graph_copy(place->original);
  for (guint i = 0; i < place->weights->len; i++) {
    const PtPlaceWeight *w = &g_array_index(place->weights, PtPlaceWeight, i);
    /* a copy keeps ids */
    const PtTensor *old = pt_value(candidate, w->original)->constant;
    PtTensor *t = pt_arena_copy(candidate->arena, old, sizeof *t);
    t->data = NULL;
    t->location = pt_arena_string(candidate->arena, PT_NOISE_FILE);
    t->offset = w->offset;
    if (old->location)
      split_weight(candidate, w, t);
    else
      pt_value(candidate, w->original)->constant = t;
  }
  return candidate;
}
