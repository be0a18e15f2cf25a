/* write: a state as a graph: real pieces and sentinels by the same hands. Weights are one a use;
 * constants that stay and are equal are one. */
#include "walk/walk_private.h"

typedef struct Writing {
  const PtWalkState *s;
  PtGraph *like, *to;
  const GArray *origins; /* the real piece: where constants come from */
  PtValueId *value;      /* [n * 8] */
  PtValueId *input;      /* [face->n_in] */
  GArray *origin;        /* PtValueId of `like`, by value of `to` */
  GArray *stays;         /* PtValueId: constants that stay, of `to` */
} Writing;

static void note_origin(Writing *w, PtValueId value, PtValueId from) {
  PtValueId none = PT_NONE;
  while (w->origin->len <= value)
    g_array_append_val(w->origin, none);
  g_array_index(w->origin, PtValueId, value) = from;
}

/* ---- types
 * -------------------------------------------------------------------------------------------- */
static PtType type_of(const Writing *w, const PtWalkType *t) {
  PtDim dims[PT_WALK_RANK];
  if (t->rank < 0)
    return (PtType){.kind = PT_TYPE_UNKNOWN};
  for (int32_t i = 0; i < t->rank; i++) {
    dims[i] = (PtDim){.size = MAX(t->dims[i], -1)};
    if (t->dims[i] < 0)
      dims[i].symbol = g_hash_table_lookup(w->s->library->symbols, GINT_TO_POINTER(t->dims[i]));
  }
  return pt_type_tensor(w->to, (PtDtype)t->dtype, t->rank, dims);
}

static const PtWalkType *first_type(const Writing *w, const PtWalkNode *n) {
  return pt_walk_ref_type(w->s, w->s->refs[n->in]);
}

/* ---- constants
 * ---------------------------------------------------------------------------------------- */
static bool equal_tensors(const PtTensor *a, const PtTensor *b) {
  return a->dtype == b->dtype && a->rank == b->rank && a->size == b->size && !a->strings &&
         !b->strings && (!a->rank || !memcmp(a->dims, b->dims, a->rank * sizeof *a->dims)) &&
         (a->data == b->data || (a->data && b->data && !memcmp(a->data, b->data, a->size)));
}

static PtValueId add_stays(Writing *w, const PtTensor *t, PtValueId from) {
  for (guint i = 0; i < w->stays->len; i++) {
    PtValueId v = g_array_index(w->stays, PtValueId, i);
    if (equal_tensors(pt_value(w->to, v)->constant, t))
      return v;
  }
  PtTensor *copy =
      pt_arena_copy(w->to->arena, t, sizeof *t); /* data: the library's, or of `like` */
  if (!copy->data && copy->count == 0 && !copy->strings)
    copy->data = pt_arena_alloc(w->to->arena, 1); /* of no elements, but there */
  PtValueId v = pt_graph_add_constant(w->to, NULL, copy);
  pt_value(w->to, v)->type = pt_type_of_constant(w->to, copy);
  g_array_append_val(w->stays, v);
  note_origin(w, v, from);
  return v;
}

static PtValueId add_weight(Writing *w, const PtWalkNode *n, const PtWalkSlot *slot,
                            const PtTensor *real, PtValueId from) {
  const PtWalkTemplate *t = pt_walk_template(w->s->library, n->template);
  int64_t dims[PT_WALK_RANK];
  PtTensor *tensor;
  if (real)
    tensor = pt_arena_copy(w->to->arena, real, sizeof *real);
  else {
    const PtWalkType *x = n->n_in ? first_type(w, n) : NULL;
    for (uint32_t d = 0; d < slot->rank; d++)
      dims[d] = pt_walk_slot_size(slot->dims[d], t, n->width, x);
    if (!slot->dtype && !x)
      return PT_NONE;
    PtDtype dtype = slot->dtype ? (PtDtype)slot->dtype : (PtDtype)x->dtype;
    tensor = pt_graph_tensor(w->to, dtype, slot->rank, dims, NULL);
    if (!tensor)
      return PT_NONE;
  }
  PtValueId v = pt_graph_add_constant(w->to, NULL, tensor);
  pt_value(w->to, v)->type = pt_type_of_constant(w->to, tensor);
  note_origin(w, v, from);
  return v;
}

/* ---- nodes
 * --------------------------------------------------------------------------------------------- */
static PtValueId value_of(const Writing *w, PtWalkRef r) {
  return r < 0 ? w->input[-1 - r] : w->value[r];
}

static const PtNode *source_of(const Writing *w, uint32_t i) {
  return w->origins ? pt_node(w->like, g_array_index(w->origins, PtNodeId, i)) : NULL;
}

/* Limits of Clip were attributes before opset 11, sizes of Split before 13. */
static bool is_attribute(const Writing *w, const PtWalkTemplate *t, uint32_t slot) {
  return (t->limits && slot > 0 && w->s->face->opset < 11) ||
         (t->parts && slot == 1 && w->s->face->opset < 13);
}

/* Numbers that steer, as they follow from this input. */
static PtValueId add_steer(Writing *w, const PtWalkNode *n, const PtWalkSlot *slot,
                           const PtTensor *real, PtValueId from) {
  int64_t numbers[PT_WALK_RANK], dims[1] = {slot->dims[0]};
  int32_t narrow[PT_WALK_RANK];
  if (real)
    return add_stays(w, real, from);
  if (!pt_steer_numbers(slot, first_type(w, n), numbers))
    return PT_NONE;
  for (int64_t i = 0; i < dims[0]; i++)
    narrow[i] = (int32_t)CLAMP(numbers[i], INT32_MIN, INT32_MAX);
  const void *data = slot->dtype == PT_INT32 ? (const void *)narrow : (const void *)numbers;
  PtDtype dtype = slot->dtype == PT_INT32 ? PT_INT32 : PT_INT64;
  return add_stays(w, pt_graph_tensor_copy(w->to, dtype, 1, dims, data), PT_NONE);
}

static bool add_slots(Writing *w, uint32_t i, PtValueId *inputs) {
  const PtWalkNode *n = &w->s->nodes[i];
  const PtWalkTemplate *t = pt_walk_at(w->s, i);
  const PtNode *source = source_of(w, i);
  uint32_t data = 0;
  for (uint32_t k = 0; k < t->n_slots; k++) {
    const PtWalkSlot *slot = &t->slots[k];
    PtValueId from = source && k < source->n_inputs ? source->inputs[k] : PT_NONE;
    const PtTensor *real = from != PT_NONE ? pt_value(w->like, from)->constant : NULL;
    inputs[k] = PT_NONE;
    if (slot->kind == PT_SLOT_DATA)
      inputs[k] = value_of(w, w->s->refs[n->in + data++]);
    else if (slot->kind == PT_SLOT_REAL && !is_attribute(w, t, k))
      inputs[k] = add_stays(w, real ? real : slot->real, real ? from : PT_NONE);
    else if (slot->kind == PT_SLOT_WEIGHT ||
             (slot->kind == PT_SLOT_STEER && !is_attribute(w, t, k))) {
      inputs[k] = slot->kind == PT_SLOT_STEER ? add_steer(w, n, slot, real, from)
                                              : add_weight(w, n, slot, real, from);
      if (inputs[k] == PT_NONE)
        return false;
    }
  }
  return true;
}

static void add_nested(Writing *w, const PtWalkNode *n, const PtWalkTemplate *t, PtNodeId made) {
  const PtNode *source = pt_node(t->source, t->source_node);
  g_autofree PtValueId *map = g_new(PtValueId, pt_graph_n_values(t->source) + 1);
  uint32_t data = t->n_data;
  memset(map, 0xff, (pt_graph_n_values(t->source) + 1) * sizeof *map);
  for (uint32_t k = 0; k < source->n_captures; k++) {
    PtValueId v = source->captures[k];
    const PtTensor *c = pt_value(t->source, v)->constant;
    map[v] =
        c ? add_stays(w, c, w->origins ? v : PT_NONE) : value_of(w, w->s->refs[n->in + data++]);
  }
  for (uint32_t a = 0; a < source->n_attrs; a++)
    if (source->attrs[a].kind == PT_ATTR_GRAPH || source->attrs[a].kind == PT_ATTR_GRAPHS)
      pt_node_add_attr_copy(w->to, made, &source->attrs[a], map);
}

static void add_attrs(Writing *w, const PtWalkNode *n, const PtWalkTemplate *t, PtNodeId made) {
  static const char *const limits[] = {NULL, "min", "max"};
  const PtNode *stored = pt_node(w->s->library->store, t->node);
  for (uint32_t a = 0; a < stored->n_attrs; a++)
    pt_node_add_attr_copy(w->to, made, &stored->attrs[a], NULL);
  for (uint32_t k = 1; k < MIN(t->n_slots, G_N_ELEMENTS(limits)); k++)
    if (is_attribute(w, t, k) && t->slots[k].kind == PT_SLOT_REAL)
      pt_node_set_float(w->to, made, limits[k], (float)pt_tensor_float_at(t->slots[k].real, 0));
  int64_t sizes[PT_WALK_RANK];
  if (t->parts && is_attribute(w, t, 1) && pt_steer_numbers(&t->slots[1], first_type(w, n), sizes))
    pt_node_set_ints(w->to, made, "split", sizes, t->n_outputs);
  if ((t->kind == PT_WALK_CONV || t->kind == PT_WALK_CONV_TRANSPOSE) && t->groups == 0)
    pt_node_set_int(w->to, made, "group", first_type(w, n)->dims[1]);
}

/* Axes: an attribute or an input, as the opset has it. */
static PtValueId add_axes(Writing *w, const PtWalkTemplate *t, PtNodeId *made, PtValueId data) {
  int64_t axes[PT_WALK_RANK], dims[1] = {0};
  for (int64_t a = 0; a < PT_WALK_RANK; a++)
    if (t->axes >> a & 1)
      axes[dims[0]++] = a;
  bool input = w->s->face->opset >= t->axes_since;
  PtValueId in[2] = {data, PT_NONE}, out = pt_graph_add_value(w->to, NULL);
  if (input)
    in[1] = add_stays(w, pt_graph_tensor_copy(w->to, PT_INT64, 1, dims, axes), PT_NONE);
  *made = pt_graph_add_node(w->to, t->domain, t->op, in, input ? 2 : 1, &out, 1);
  if (!input)
    pt_node_set_ints(w->to, *made, "axes", axes, (uint32_t)dims[0]);
  return out;
}

static bool write_node(Writing *w, uint32_t i) {
  const PtWalkNode *n = &w->s->nodes[i];
  const PtWalkTemplate *t = pt_walk_at(w->s, i);
  g_autofree PtValueId *inputs = g_new0(PtValueId, t->n_slots + 1);
  PtValueId outputs[PT_WALK_OUTPUTS];
  PtNodeId made;
  if (!add_slots(w, i, inputs))
    return false;
  if (t->axes_input)
    outputs[0] = add_axes(w, t, &made, inputs[0]);
  else {
    for (uint32_t k = 0; k < t->n_outputs; k++)
      outputs[k] = t->outputs >> k & 1 || t->outputs == 0 || t->kind == PT_WALK_SPLIT
                       ? pt_graph_add_value(w->to, NULL)
                       : PT_NONE;
    uint32_t n_slots = t->n_slots;
    while (n_slots > 0 && inputs[n_slots - 1] == PT_NONE)
      n_slots--;
    made = pt_graph_add_node(w->to, t->domain, t->op, inputs, n_slots, outputs, t->n_outputs);
  }
  add_attrs(w, n, t, made);
  if (t->source)
    add_nested(w, n, t, made);
  for (uint32_t k = 0; k < t->n_outputs; k++) {
    w->value[i * 8 + k] = outputs[k];
    if (outputs[k] == PT_NONE)
      continue;
    PtType type = type_of(w, pt_walk_ref_type(w->s, (PtWalkRef)(i * 8 + k)));
    pt_value(w->to, outputs[k])->type = type;
    const PtNode *source = source_of(w, i);
    note_origin(w, outputs[k], source && k < source->n_outputs ? source->outputs[k] : PT_NONE);
  }
  return true;
}

static void write_head(Writing *w) {
  PtGraph *to = w->to, *like = w->like;
  to->name = pt_arena_string(to->arena, like->name);
  to->ir_version = like->ir_version;
  for (guint i = 0; i < like->opsets->len; i++) {
    const PtOpset *o = &g_array_index(like->opsets, PtOpset, i);
    pt_graph_set_opset(to, o->domain, o->version);
  }
  for (uint32_t i = 0; i < w->s->face->n_in; i++) {
    PtValueId v = pt_graph_input(like, i);
    PtType type = pt_type_copy(to, &pt_value(like, v)->type);
    w->input[i] = pt_graph_add_input(to, NULL, &type);
    note_origin(w, w->input[i], v);
  }
}

PtGraph *pt_walk_write(const PtWalkState *s, PtGraph *like, const GArray *origins,
                       PtValueId **origin) {
  Writing w = {.s = s, .like = like, .to = pt_graph_new(), .origins = origins};
  w.value = g_new(PtValueId, s->n * 8 + 8);
  w.input = g_new(PtValueId, s->face->n_in + 1);
  w.origin = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  w.stays = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  pt_graph_hold(w.to, pt_graph_ref(like), (GDestroyNotify)pt_graph_unref);
  pt_graph_hold(w.to, pt_graph_ref(s->library->store), (GDestroyNotify)pt_graph_unref);
  for (guint i = 0; i < s->library->held->len; i++)
    pt_graph_hold(w.to, pt_graph_ref(s->library->held->pdata[i]), (GDestroyNotify)pt_graph_unref);
  write_head(&w);
  bool ok = true;
  for (uint32_t i = 0; ok && i < s->n; i++)
    ok = write_node(&w, i);
  for (uint32_t i = 0; ok && i < s->face->n_out; i++) {
    PtValueId v = w.value[s->outs[i]];
    pt_graph_add_output(w.to, v);
    pt_value(w.to, v)->type = pt_type_copy(w.to, &pt_value(like, pt_graph_output(like, i))->type);
  }
  if (ok) {
    pt_graph_refresh_captures(w.to);
    note_origin(&w, pt_graph_n_values(w.to), PT_NONE);
  }
  g_array_unref(w.stays);
  g_free(w.value);
  g_free(w.input);
  if (origin)
    *origin = ok ? (PtValueId *)(void *)g_array_free(g_steal_pointer(&w.origin), FALSE) : NULL;
  if (w.origin)
    g_array_unref(w.origin);
  if (!ok)
    g_clear_pointer(&w.to, pt_graph_unref);
  return w.to;
}
