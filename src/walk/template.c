/* template: a node as an operator with its attributes complete, and how its constants follow from
 * its inputs and its width. Nodes without a rule become opaque: valid where their input types are
 * those observed. */
#include "walk/template.h"

/* ---- slots
 * ------------------------------------------------------------------------------------------- */
/* Inputs left out at the end say nothing. */
static uint32_t n_written(const PtNode *node) {
  uint32_t n = node->n_inputs;
  while (n > 0 && node->inputs[n - 1] == PT_NONE)
    n--;
  return n;
}

static const PtTensor *keep_tensor(PtWalkLibrary *l, const PtTensor *from) {
  PtTensor *t = pt_graph_tensor(l->store, from->dtype, from->rank, from->dims, NULL);
  if (!t)
    return NULL;
  if (from->data)
    t->data = pt_arena_copy(l->store->arena, from->data, from->size);
  t->strings = from->strings; /* the source graph is held */
  return t;
}

/* Literal: constants as they are. False: one that has to stay has no data, or is too large. */
static bool read_slots(PtReader *r) {
  const PtNode *n = r->node;
  PtWalkTemplate *t = r->t;
  t->n_slots = n_written(n);
  t->slots = g_new0(PtWalkSlot, t->n_slots + 1);
  for (uint32_t i = 0; i < t->n_slots; i++) {
    PtWalkSlot *slot = &t->slots[i];
    const PtTensor *c = pt_reader_constant(r, i);
    if (n->inputs[i] == PT_NONE)
      continue;
    if (!c) {
      slot->kind = PT_SLOT_DATA;
      t->n_data++;
      continue;
    }
    if (r->view->roles[n->inputs[i]] == PT_ROLE_REAL || c->rank > PT_WALK_RANK || c->strings) {
      slot->kind = PT_SLOT_REAL;
      slot->real = c; /* copied when the template is kept */
      if (c->strings || c->location)
        t->source = r->view->graph;
      continue;
    }
    slot->kind = PT_SLOT_WEIGHT;
    slot->dtype = (uint8_t)c->dtype;
    slot->rank = c->rank;
    for (uint32_t d = 0; d < c->rank; d++) {
      if (c->dims[d] > INT32_MAX)
        return false;
      slot->dims[d] = (int32_t)c->dims[d];
    }
  }
  return true;
}

/* ---- interning
 * --------------------------------------------------------------------------------------- */
static void key_attr(GByteArray *key, const PtAttr *a) {
  g_byte_array_append(key, (const uint8_t *)a->name, (guint)strlen(a->name) + 1);
  uint32_t head[2] = {a->kind, a->count};
  g_byte_array_append(key, (const uint8_t *)head, sizeof head);
  for (uint32_t i = 0; i < a->count; i++) {
    if (a->kind == PT_ATTR_FLOAT || a->kind == PT_ATTR_FLOATS)
      g_byte_array_append(key, (const uint8_t *)&a->as.floats[i], sizeof(float));
    else if (a->kind == PT_ATTR_INT || a->kind == PT_ATTR_INTS)
      g_byte_array_append(key, (const uint8_t *)&a->as.ints[i], sizeof(int64_t));
    else if (a->kind == PT_ATTR_STRING || a->kind == PT_ATTR_STRINGS || a->kind == PT_ATTR_TYPE) {
      gsize size;
      const void *data = g_bytes_get_data(a->as.strings[i], &size);
      g_byte_array_append(key, (const uint8_t *)&size, sizeof size);
      if (size)
        g_byte_array_append(key, data, (guint)size);
    } else if (a->kind == PT_ATTR_TENSOR || a->kind == PT_ATTR_TENSORS) {
      const PtTensor *t = a->as.tensors[i];
      g_byte_array_append(key, (const uint8_t *)&t->dtype, sizeof t->dtype);
      g_byte_array_append(key, (const uint8_t *)t->dims, (guint)(t->rank * sizeof *t->dims));
      if (t->data)
        g_byte_array_append(key, t->data, (guint)t->size);
    }
  }
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const PtAttr *)a)->name, ((const PtAttr *)b)->name);
}

static GBytes *key_of(const PtReader *r) {
  const PtWalkTemplate *t = r->t;
  GByteArray *key = g_byte_array_new();
  PtNode *n = pt_node(r->library->store, t->node);
  if (n->n_attrs > 1)
    qsort(n->attrs, n->n_attrs, sizeof *n->attrs, by_name);
  g_byte_array_append(key, (const uint8_t *)t->op, (guint)strlen(t->op) + 1);
  g_byte_array_append(key, (const uint8_t *)t->domain, (guint)strlen(t->domain) + 1);
  int64_t head[8] = {t->kind,  t->n_slots, t->n_captures, t->n_outputs,
                     t->since, t->until,   t->outputs,    (int64_t)t->axes << 32 | t->groups};
  g_byte_array_append(key, (const uint8_t *)head, sizeof head);
  for (uint32_t i = 0; i < n->n_attrs; i++)
    key_attr(key, &n->attrs[i]);
  int64_t more[4] = {t->keep, t->to, t->parts, t->axis};
  g_byte_array_append(key, (const uint8_t *)more, sizeof more);
  for (uint32_t i = 0; i < t->n_slots; i++) {
    const PtWalkSlot *s = &t->slots[i];
    int32_t slot[3] = {s->kind, s->dtype, (int32_t)s->rank};
    g_byte_array_append(key, (const uint8_t *)slot, sizeof slot);
    g_byte_array_append(key, (const uint8_t *)s->dims, sizeof s->dims);
    if (s->kind == PT_SLOT_STEER)
      g_byte_array_append(key, (const uint8_t *)s->steer, sizeof s->steer);
    if (!s->real)
      continue;
    g_byte_array_append(key, (const uint8_t *)&s->real->dtype, sizeof s->real->dtype);
    g_byte_array_append(key, (const uint8_t *)s->real->dims,
                        (guint)(s->real->rank * sizeof *s->real->dims));
    if (s->real->data)
      g_byte_array_append(key, s->real->data, (guint)s->real->size);
  }
  if (t->kind == PT_WALK_OPAQUE) {
    g_byte_array_append(key, (const uint8_t *)t->in,
                        (guint)((t->n_data + t->n_captures) * sizeof *t->in));
    g_byte_array_append(key, (const uint8_t *)t->out, (guint)(t->n_outputs * sizeof *t->out));
  }
  if (t->source) {
    g_byte_array_append(key, (const uint8_t *)&t->source, sizeof t->source);
    g_byte_array_append(key, (const uint8_t *)&t->source_node, sizeof t->source_node);
  }
  return g_byte_array_free_to_bytes(key);
}

static void begin(PtReader *r) {
  PtWalkTemplate *t = r->t;
  PtGraph *store = r->library->store;
  const PtNode *n = r->node;
  t->op = pt_arena_string(store->arena, n->op_type);
  t->domain = pt_arena_string(store->arena, n->domain);
  t->node = pt_graph_add_node(store, n->domain, n->op_type, NULL, 0, NULL, 0);
  for (uint32_t i = 0; i < n->n_captures; i++)
    t->n_captures += !pt_value(r->view->graph, n->captures[i])->constant;
  t->n_outputs = n->n_outputs;
  while (t->n_outputs > 1 && !(r->view->outputs >> (t->n_outputs - 1) & 1))
    t->n_outputs--; /* unused ones at the end say nothing */
  t->outputs = r->view->outputs;
  t->source_node = r->view->node;
  for (uint32_t i = 0; i < n->n_attrs; i++) {
    const PtAttr *a = &n->attrs[i];
    if (a->kind == PT_ATTR_GRAPH || a->kind == PT_ATTR_GRAPHS)
      t->source = r->view->graph;
    else
      pt_node_add_attr_copy(store, t->node, a, NULL);
  }
  if (n->domain[0] == '\0')
    pt_walk_form_range(n->op_type, pt_reader_opset(r), &t->since, &t->until);
  if (n->domain[0] == '\0')
    pt_walk_drop_later(pt_node(store, t->node), &t->since);
  else
    t->until = INT64_MAX;
}

static bool agrees(const PtWalkType *mine, const PtType *seen) {
  if (seen->kind != PT_TYPE_TENSOR || seen->rank < 0)
    return true;
  if (mine->dtype != seen->dtype || mine->rank != seen->rank)
    return false;
  for (int32_t i = 0; i < mine->rank; i++)
    if (seen->dims[i].size >= 0 && mine->dims[i] != seen->dims[i].size)
      return false;
  return true;
}

/* By its rule, if it has one that says what the graph says. */
static bool try_rule(PtReader *r, PtWalkType *out) {
  const PtWalkType *in[64];
  if (r->view->n_in > 64 || !pt_read_rule(r))
    return false;
  for (uint32_t i = 0; i < r->view->n_in; i++)
    in[i] = &r->view->in[i];
  r->t->single = r->t->n_data == 1 && r->t->n_outputs == 1;
  r->t->moves_floats = true;
  r->t->binary = r->t->kind == PT_WALK_BINARY;
  if (!pt_walk_infer(r->t, r->width, in, out))
    return false;
  for (uint32_t i = 0; r->view->outputs >> i; i++)
    if (r->view->outputs >> i & 1 &&
        !agrees(out, &pt_value(r->view->graph, r->node->outputs[i])->type))
      return false;
  return true;
}

static void make_opaque(PtReader *r, PtWalkType *out) {
  const PtNodeView *v = r->view;
  g_free(r->t->slots);
  *r->t = (PtWalkTemplate){.node = r->t->node};
  pt_node(r->library->store, r->t->node)->dead = true;
  begin(r);
  (void)read_slots(r);
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_OPAQUE;
  t->in = g_new0(PtWalkType, v->n_in + 1);
  if (v->n_in)
    memcpy(t->in, v->in, v->n_in * sizeof *v->in);
  t->out = g_new0(PtWalkType, t->n_outputs + 1);
  for (uint32_t i = 0; i < t->n_outputs; i++) {
    PtValueId o = r->node->outputs[i];
    if (o != PT_NONE && (t->outputs >> i & 1))
      t->out[i] = pt_walk_type_of(r->library, &pt_value(v->graph, o)->type);
  }
  memcpy(out, t->out, t->n_outputs * sizeof *out);
  t->moves_floats = !t->source;
  for (uint32_t i = 0; i < v->n_in; i++)
    t->moves_floats &= pt_walk_is_data(&t->in[i]);
  for (uint32_t i = 0; i < t->n_outputs; i++)
    t->moves_floats &= !(t->outputs >> i & 1) || pt_walk_is_data(&t->out[i]);
  t->single = v->n_in == 1 && t->outputs == 1 && pt_walk_is_data(&v->in[0]) &&
              pt_walk_is_data(&t->out[0]) && !t->source;
}

static void keep_template(PtReader *r) {
  PtWalkTemplate *t = r->t;
  for (uint32_t i = 0; i < t->n_slots; i++)
    if (t->slots[i].real)
      t->slots[i].real = keep_tensor(r->library, t->slots[i].real);
  bool tensors = false;
  for (uint32_t i = 0; i < r->node->n_attrs; i++)
    tensors |=
        r->node->attrs[i].kind == PT_ATTR_TENSOR || r->node->attrs[i].kind == PT_ATTR_TENSORS;
  if (t->source || tensors)
    g_ptr_array_add(r->library->held, pt_graph_ref(r->view->graph));
  pt_walk_name(t, r->library->store);
}

uint32_t pt_walk_template_of(PtWalkLibrary *library, const PtNodeView *view, int32_t *width,
                             PtWalkType *out) {
  PtReader r = {.library = library,
                .view = view,
                .node = pt_node(view->graph, view->node),
                .t = g_new0(PtWalkTemplate, 1)};
  if (view->n_in)
    r.in = view->in[0];
  begin(&r);
  if (!read_slots(&r) || !try_rule(&r, out)) {
    r.width = 0;
    make_opaque(&r, out);
  }
  *width = r.width;
  g_autoptr(GBytes) key = key_of(&r);
  uint32_t id = GPOINTER_TO_UINT(g_hash_table_lookup(library->by_key, key));
  if (id) {
    g_free(r.t->slots);
    g_free(r.t->in);
    g_free(r.t->out);
    g_free(r.t);
    return id - 1;
  }
  gsize key_size;
  const void *key_data = g_bytes_get_data(key, &key_size);
  r.t->exact = pt_hash64(key_data, key_size, 8);
  keep_template(&r);
  g_ptr_array_add(library->templates, r.t);
  g_hash_table_insert(library->by_key, g_steal_pointer(&key),
                      GUINT_TO_POINTER(library->templates->len));
  return library->templates->len - 1;
}
