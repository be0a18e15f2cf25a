/* effect: operators that do the same to types, as one. */
#include "populate/populate_private.h"

/* ---- effects ----------------------------------------------------------------------------------
 */
bool pt_operator_turns(const PtOperator *op) {
  return op->n_in == 2 && !op->commutes;
}

/* All that types depend on, as bytes. */
static GBytes *effect_key(const PtEncoder *e, const PtOperator *op) {
  GByteArray *key = g_byte_array_new();
  int32_t head[] = {(int32_t)op->rule,  (int32_t)op->n_in, op->dense,
                    op->commutes,       op->dtype,         op->least_rank,
                    op->two_d,          op->known,         op->known_channel,
                    op->n_space,        op->groups,        op->n_perm,
                    (int32_t)op->axes,  op->axis,          op->needs,
                    (int32_t)op->gives, op->keep,          (int32_t)op->n_weights};
  g_byte_array_append(key, (const uint8_t *)head, sizeof head);
  g_byte_array_append(key, (const uint8_t *)op->weights, sizeof op->weights);
  g_byte_array_append(key, (const uint8_t *)op->perm, sizeof op->perm);
  for (int32_t i = 0; i < op->n_space; i++)
    for (uint32_t k = 0; k < e->sizes.n_space; k++) {
      int32_t to = pt_operator_window(op, i, e->sizes.size[e->sizes.space[k]]);
      g_byte_array_append(key, (const uint8_t *)&to, sizeof to);
    }
  if (op->rule == PT_RULE_TABLE) {
    g_byte_array_append(key, (const uint8_t *)op->in, sizeof op->in);
    g_byte_array_append(key, (const uint8_t *)&op->out, sizeof op->out);
    g_byte_array_append(key, (const uint8_t *)op->anchor, sizeof op->anchor);
  }
  return g_byte_array_free_to_bytes(key);
}

void pt_group_effects(PtEncoder *e) {
  uint32_t n = e->p->n_operators;
  g_autoptr(GHashTable) seen =
      g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  e->effects = g_array_new(FALSE, TRUE, sizeof(PtEffect));
  e->order = g_new0(uint32_t, n + 1);
  e->place = g_new0(uint32_t, n + 1);
  e->effect_of = g_new0(uint32_t, n + 1);
  for (uint32_t i = 0; i < n; i++) {
    GBytes *key = effect_key(e, &e->p->operators[i]);
    void *at = g_hash_table_lookup(seen, key);
    if (!at) {
      PtEffect new = {.op = &e->p->operators[i]};
      g_array_append_val(e->effects, new);
      at = GUINT_TO_POINTER(e->effects->len);
      g_hash_table_insert(seen, g_bytes_ref(key), at);
    }
    g_bytes_unref(key);
    e->effect_of[i] = GPOINTER_TO_UINT(at) - 1;
    g_array_index(e->effects, PtEffect, e->effect_of[i]).n++;
  }
  uint32_t first = 0;
  for (uint32_t i = 0; i < e->effects->len; i++) {
    PtEffect *f = &g_array_index(e->effects, PtEffect, i);
    f->first = first;
    first += f->n;
    f->n = 0;
  }
  for (uint32_t i = 0; i < n; i++) {
    PtEffect *f = &g_array_index(e->effects, PtEffect, e->effect_of[i]);
    e->place[i] = f->first + f->n++;
    e->order[e->place[i]] = i;
  }
}
