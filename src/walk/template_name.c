/* template_name: what features and proposals see of a template: operator and key attributes. */
#include "walk/walk_private.h"

static void name_window(GString *s, const PtWalkTemplate *t) {
  bool square = true, same = true;
  for (int32_t i = 0; i < t->n_space; i++) {
    square &= t->kernel[i] == t->kernel[0];
    same &= t->pads[i] + t->pads[i + t->n_space] == t->dilations[i] * (t->kernel[i] - 1);
  }
  for (int32_t i = 0; i < (square ? 1 : t->n_space); i++)
    g_string_append_printf(s, "%s%d", i ? "x" : "", t->kernel[i]);
  g_string_append_printf(s, "%ss%d", same ? "" : "v", t->strides[0]);
  if (t->dilations[0] > 1)
    g_string_append_printf(s, "d%d", t->dilations[0]);
}

static void name_type(GString *s, const PtWalkType *t) {
  g_string_append_printf(s, "%d:%d", t->dtype, t->rank);
}

static void name_opaque(GString *s, const PtWalkTemplate *t, const PtGraph *store) {
  uint32_t n_in = t->n_data + t->n_captures;
  static const char *const told[] = {"axis", "to", "mode", "direction", "keepdims", "batch_dims"};
  const PtNode *n = pt_node(store, t->node);
  g_string_append_c(s, '(');
  for (uint32_t i = 0; i < MIN(n_in, 4); i++)
    name_type(s, &t->in[i]);
  g_string_append_c(s, '>');
  if (t->n_outputs)
    name_type(s, &t->out[0]);
  for (size_t i = 0; i < G_N_ELEMENTS(told); i++) {
    const PtAttr *a = pt_node_attr(n, told[i]);
    if (a && a->kind == PT_ATTR_INT)
      g_string_append_printf(s, "%c%" G_GINT64_FORMAT, told[i][0], a->as.ints[0]);
  }
  g_string_append_printf(s, ")%u", t->n_outputs);
}

/* ordered: the first operand's are told by capitals. */
static void name_constants(GString *s, const PtWalkTemplate *t, bool ordered) {
  for (uint32_t i = 0; i < t->n_slots; i++) {
    const PtWalkSlot *k = &t->slots[i];
    bool first = i == 0 && ordered;
    if (k->kind == PT_SLOT_REAL && k->real->count == 1)
      g_string_append(s, first ? "S" : "s");
    else if (k->kind == PT_SLOT_WEIGHT) {
      uint32_t wide = 0;
      for (uint32_t d = 0; d < k->rank; d++)
        wide += k->dims[d] != 1;
      g_string_append_printf(s, "%s%s", first ? "C" : "c", wide > 1 ? "t" : "v");
    }
  }
}

/* How the target follows from the input; fixed sizes of up to four by themselves. */
static void name_target(GString *s, const PtWalkSlot *slot) {
  for (int32_t i = 0; i < slot->dims[0]; i++) {
    const PtSteer *k = &slot->steer[i];
    if (k->kind == PT_STEER_FIXED && k->value <= 4)
      g_string_append_printf(s, "%d", (int)k->value);
    else
      g_string_append_c(s, k->kind == PT_STEER_FIXED  ? 'n'
                           : k->kind == PT_STEER_COPY ? '0'
                           : k->kind == PT_STEER_REST ? '-'
                           : k->value > 1             ? '/'
                           : k->n > 1                 ? '*'
                                                      : '=');
  }
}

static void name_slice(GString *s, const PtWalkTemplate *t) {
  for (int32_t i = 0; i < t->slots[1].dims[0]; i++)
    for (uint32_t k = 1; k <= 2; k++) {
      const PtSteer *p = &t->slots[k].steer[i];
      if (p->kind == PT_STEER_SIZE)
        g_string_append_printf(s, "%d/%d", p->times, (int)p->value);
      else
        g_string_append(s, p->value == 0           ? "0"
                           : p->value >= INT32_MAX ? ">"
                           : p->value < 0          ? "-"
                                                   : "n");
    }
}

static void name_key(GString *s, const PtWalkTemplate *t, const PtGraph *store, bool ordered) {
  switch (t->kind) {
  case PT_WALK_CONV:
  case PT_WALK_CONV_TRANSPOSE:
    name_window(s, t);
    g_string_append(s, t->groups == 0 ? "w" : t->groups > 1 ? "g" : "");
    g_string_append(s, t->n_slots > 2 ? "b" : "");
    break;
  case PT_WALK_POOL:
    name_window(s, t);
    break;
  case PT_WALK_LINEAR:
    g_string_append_printf(s, "W%s", t->n_slots > 2 ? "b" : "");
    break;
  case PT_WALK_TRANSPOSE:
    for (int32_t i = 0; i < t->n_perm; i++)
      g_string_append_printf(s, "%d", t->perm[i]);
    break;
  case PT_WALK_RESHAPE:
    name_target(s, &t->slots[1]);
    break;
  case PT_WALK_SLICE:
    name_slice(s, t);
    break;
  case PT_WALK_SPLIT:
    g_string_append_printf(s, "%d:%u", t->axis, t->n_outputs);
    break;
  case PT_WALK_GATHER:
    g_string_append_printf(s, "%d:%u", t->axis, t->slots[1].real->rank);
    break;
  case PT_WALK_CAST:
    g_string_append_printf(s, "%u", t->to);
    break;
  case PT_WALK_SQUEEZE:
  case PT_WALK_UNSQUEEZE:
  case PT_WALK_REDUCE:
    g_string_append_printf(s, "%x%s", t->axes, t->keep ? "k" : "");
    break;
  case PT_WALK_CONCAT:
  case PT_WALK_FLATTEN:
    g_string_append_printf(s, "%d", t->axis);
    break;
  case PT_WALK_SAME:
    if (t->axis)
      g_string_append_printf(s, "%d", t->axis);
    if (pt_op_find(t->domain, t->op)->op_class == PT_CLASS_BINARY)
      name_constants(s, t, ordered);
    break;
  case PT_WALK_OPAQUE:
    name_opaque(s, t, store);
    break;
  default:
    break;
  }
}

void pt_walk_name(PtWalkTemplate *t, const PtGraph *store) {
  g_autoptr(GString) s = g_string_new(t->domain);
  g_string_append(s, t->op);
  bool constant = t->kind == PT_WALK_SAME && t->n_slots == 2 &&
                  pt_op_find(t->domain, t->op)->op_class == PT_CLASS_BINARY;
  bool weights = t->kind == PT_WALK_LINEAR;
  t->opcode = pt_hash64(s->str, s->len, constant ? 2 : weights ? 3 : 1);
  t->middle = t->opcode;
  gsize stem = s->len;
  name_key(s, t, store, !pt_walk_commutes(t));
  t->look = pt_hash64(s->str, s->len, 4);
  g_string_truncate(s, stem);
  name_key(s, t, store, true);
  t->token = pt_hash64(s->str, s->len, 4);
  if (t->kind == PT_WALK_CONV || t->kind == PT_WALK_CONV_TRANSPOSE)
    t->middle = t->token;
  t->text = g_strdup(s->str);
}
