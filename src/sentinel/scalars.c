/* scalars: single floats that an operator reads (the 1.414 of a GELU, the 0.125 of attention, an
 * epsilon) are what the model has at such places. A sentinel with 1e-12 where a GELU adds 1 would
 * be known at a glance. A place is the operator, and what makes its other input and reads its
 * result; where the model has none such, the operator alone. */
#include "sentinel/sentinel_private.h"

#include <string.h>

struct PtScalars {
  GHashTable *places; /* char* -> GArray of float, one a use */
};

static const PtTensor *scalar_at(const PtGraph *g, const PtNode *node, uint32_t slot) {
  const PtTensor *t =
      node->inputs[slot] == PT_NONE ? NULL : pt_value(g, node->inputs[slot])->constant;
  return t && t->dtype == PT_FLOAT && t->count == 1 && t->data ? t : NULL;
}

static float value_of(const PtTensor *t) {
  float x;
  memcpy(&x, t->data, sizeof x);
  return x;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Operators that read what the node makes, sorted: their order means nothing. */
static void add_readers(GString *key, const PtGraph *g, const PtUses *uses, const PtNode *node) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (uint32_t k = 0; k < node->n_outputs; k++) {
    PtValueId v = node->outputs[k];
    for (uint32_t u = v == PT_NONE ? 0 : uses->start[v]; v != PT_NONE && u < uses->start[v + 1];
         u++)
      g_ptr_array_add(names, (void *)(uintptr_t)pt_node(g, uses->node[u])->op_type);
  }
  g_ptr_array_sort(names, by_name);
  for (guint i = 0; i < names->len; i++)
    g_string_append_printf(key, " > %s", (const char *)names->pdata[i]);
}

/* level 0: all there is to a place; 1: without its readers; 2: the operator alone. */
static char *place_of(const PtGraph *g, const PtUses *uses, const PtNode *node, uint32_t slot,
                      int level) {
  GString *key = g_string_new(NULL);
  g_string_append_printf(key, "%d %s %u", level, node->op_type, slot);
  for (uint32_t i = 0; level < 2 && i < node->n_inputs; i++) {
    PtNodeId from = node->inputs[i] == PT_NONE ? PT_NONE : pt_value(g, node->inputs[i])->producer;
    if (i != slot)
      g_string_append_printf(key, " < %s", from == PT_NONE ? "" : pt_node(g, from)->op_type);
  }
  if (level == 0)
    add_readers(key, g, uses, node);
  return g_string_free(key, FALSE);
}

static void learn(PtScalars *scalars, const PtGraph *g) {
  g_autoptr(PtUses) uses = pt_uses_new(g);
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
    const PtNode *node = pt_node(g, n);
    for (uint32_t slot = 0; slot < node->n_inputs; slot++) {
      const PtTensor *t = scalar_at(g, node, slot);
      for (int level = 0; t && level < 3; level++) {
        char *place = place_of(g, uses, node, slot, level);
        GArray *seen = g_hash_table_lookup(scalars->places, place);
        float x = value_of(t);
        if (!seen) {
          seen = g_array_new(FALSE, FALSE, sizeof(float));
          g_hash_table_insert(scalars->places, place, seen);
        } else
          g_free(place);
        g_array_append_val(seen, x);
      }
    }
  }
}

PtScalars *pt_scalars_new(const GPtrArray *pieces) {
  PtScalars *scalars = g_new0(PtScalars, 1);
  scalars->places =
      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
  for (guint i = 0; i < pieces->len; i++)
    learn(scalars, pieces->pdata[i]);
  return scalars;
}

void pt_scalars_free(PtScalars *scalars) {
  if (!scalars)
    return;
  g_hash_table_unref(scalars->places);
  g_free(scalars);
}

/* What the model has at the most particular place of its kind; NULL if it has nothing like it. */
static const GArray *known_at(const PtScalars *scalars, const PtGraph *g, const PtUses *uses,
                              const PtNode *node, uint32_t slot) {
  const GArray *seen = NULL;
  for (int level = 0; !seen && level < 3; level++) {
    g_autofree char *place = place_of(g, uses, node, slot, level);
    seen = g_hash_table_lookup(scalars->places, place);
  }
  return seen;
}

static bool is_among(const GArray *seen, float x) {
  for (guint i = 0; i < seen->len; i++)
    if (memcmp(&g_array_index(seen, float, i), &x, sizeof x) == 0)
      return true;
  return false;
}

/* A constant like `t` with this value: one that is there, as equal ones are one, or a new one. */
static PtValueId constant_with(PtGraph *g, const PtTensor *t, float x) {
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtTensor *c = pt_value(g, v)->constant;
    if (c && c->dtype == PT_FLOAT && c->count == 1 && c->rank == t->rank && c->data &&
        memcmp(c->data, &x, sizeof x) == 0)
      return v;
  }
  return pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, t->rank, t->dims, &x));
}

void pt_scalars_mend(const PtScalars *scalars, PtGraph *g, PtRng *rng) {
  g_autoptr(PtUses) uses = pt_uses_new(g);
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
    for (uint32_t slot = 0; slot < pt_node(g, n)->n_inputs; slot++) {
      const PtTensor *t = scalar_at(g, pt_node(g, n), slot);
      const GArray *seen = t ? known_at(scalars, g, uses, pt_node(g, n), slot) : NULL;
      if (!seen || is_among(seen, value_of(t)))
        continue;
      float x = g_array_index(seen, float, (guint)pt_rng_below(rng, seen->len));
      pt_node(g, n)->inputs[slot] = constant_with(g, t, x);
    }
}
