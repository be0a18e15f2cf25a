/* canonical: a hash of a graph that does not depend on names or order, and an order in which equal
 * graphs correspond.  Colours are refined by sweeps along a topological order, forward from inputs
 * and backward from users, so that one round carries them across the whole graph; ties that stay
 * are individualized one by one.  A tie between nodes that no symmetry exchanges may be broken
 * differently in two equal graphs: then pt_graph_equal says no, and two equal pieces are sent
 * twice, nothing worse. */
#include "graph/canonical_private.h"

#include <string.h>

#define MAX_WORK ((uint64_t)1 << 26) /* node visits before ties are broken by index */
#define SALT_TIE UINT64_C(0x7469650a)

/* ---- the view -------------------------------------------------------------------------------- */
static uint32_t local_value(GHashTable *ids, GArray *values, PtValueId value) {
  gpointer found;
  if (g_hash_table_lookup_extended(ids, GUINT_TO_POINTER(value), NULL, &found))
    return GPOINTER_TO_UINT(found);
  uint32_t id = values->len;
  g_array_append_val(values, value);
  g_hash_table_insert(ids, GUINT_TO_POINTER(value), GUINT_TO_POINTER(id));
  return id;
}

static void view_slots(PtView *v, GHashTable *ids, GArray *values) {
  size_t slots = 0, outs = 0;
  for (uint32_t i = 0; i < v->n; i++) {
    const PtNode *node = pt_node(v->graph, v->nodes[i]);
    slots += node->n_inputs + node->n_captures;
    outs += node->n_outputs;
  }
  v->in_start = g_new(uint32_t, v->n + 1);
  v->out_start = g_new(uint32_t, v->n + 1);
  v->in = g_new(uint32_t, slots + 1);
  v->slot_node = g_new(uint32_t, slots + 1);
  v->out = g_new(uint32_t, outs + 1);
  uint32_t at = 0, out_at = 0;
  for (uint32_t i = 0; i < v->n; i++) {
    const PtNode *node = pt_node(v->graph, v->nodes[i]);
    v->in_start[i] = at;
    v->out_start[i] = out_at;
    for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
      PtValueId value = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
      v->slot_node[at] = i;
      v->in[at++] = value == PT_NONE ? PT_NONE : local_value(ids, values, value);
    }
    for (uint32_t k = 0; k < node->n_outputs; k++)
      v->out[out_at++] =
          node->outputs[k] == PT_NONE ? PT_NONE : local_value(ids, values, node->outputs[k]);
  }
  v->in_start[v->n] = at;
  v->out_start[v->n] = out_at;
}

static void view_uses(PtView *v) {
  uint32_t slots = v->in_start[v->n];
  v->use_start = g_new0(uint32_t, v->n_values + 2);
  v->use = g_new(uint32_t, slots + 1);
  for (uint32_t s = 0; s < slots; s++)
    if (v->in[s] != PT_NONE)
      v->use_start[v->in[s] + 2]++;
  for (uint32_t i = 2; i < v->n_values + 2; i++)
    v->use_start[i] += v->use_start[i - 1];
  for (uint32_t s = 0; s < slots; s++)
    if (v->in[s] != PT_NONE)
      v->use[v->use_start[v->in[s] + 1]++] = s;
}

PtView *pt_view_new(const PtGraph *graph, const PtNodeId *nodes, uint32_t n,
                    const PtValueId *outputs, uint32_t n_outputs, PtConstantIsReal is_real,
                    void *data) {
  PtView *v = g_new0(PtView, 1);
  g_autoptr(GHashTable) ids = g_hash_table_new(g_direct_hash, g_direct_equal);
  g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  v->graph = graph;
  v->nodes = nodes;
  v->n = n;
  view_slots(v, ids, values);
  for (uint32_t i = 0; i < n_outputs; i++)
    local_value(ids, values, outputs[i]);
  v->n_values = values->len;
  v->values = (PtValueId *)g_array_steal(values, NULL);
  v->seen = g_new0(uint8_t, v->n_values + 1);
  v->is_output = g_new0(bool, v->n_values + 1);
  v->producer = g_new(uint32_t, v->n_values + 1);
  for (uint32_t i = 0; i < v->n_values; i++)
    v->producer[i] = PT_NONE;
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = v->out_start[i]; k < v->out_start[i + 1]; k++)
      if (v->out[k] != PT_NONE)
        v->producer[v->out[k]] = i;
  for (uint32_t i = 0; i < n_outputs; i++)
    v->is_output[local_value(ids, values, outputs[i])] = true;
  for (uint32_t i = 0; i < v->n_values; i++) {
    if (v->producer[i] != PT_NONE)
      v->seen[i] = PT_SEEN_INNER;
    else if (!pt_value(graph, v->values[i])->constant)
      v->seen[i] = PT_SEEN_INPUT;
    else
      v->seen[i] = is_real && is_real(graph, v->values[i], data) ? PT_SEEN_REAL : PT_SEEN_WEIGHT;
  }
  view_uses(v);
  return v;
}

void pt_view_free(PtView *v) {
  if (!v)
    return;
  g_free(v->values);
  g_free(v->seen);
  g_free(v->is_output);
  g_free(v->producer);
  g_free(v->in_start);
  g_free(v->in);
  g_free(v->out_start);
  g_free(v->out);
  g_free(v->use_start);
  g_free(v->use);
  g_free(v->slot_node);
  g_free(v);
}

/* ---- hashes of what a node carries ----------------------------------------------------------- */
static uint64_t hash_text(const char *text) {
  return pt_hash64(text, strlen(text), 1);
}

uint64_t pt_type_hash(const PtType *type) {
  uint64_t h = pt_hash_mix((uint64_t)type->kind, 3);
  if (type->kind == PT_TYPE_OPAQUE)
    return pt_hash64(type->opaque, type->opaque_size, h);
  if (type->kind != PT_TYPE_TENSOR)
    return h;
  h = pt_hash_mix(h, (uint64_t)type->dtype);
  h = pt_hash_mix(h, (uint64_t)type->rank);
  for (int32_t i = 0; i < type->rank; i++)
    h = pt_hash_mix(h, (uint64_t)type->dims[i].size);
  return h;
}

uint64_t pt_tensor_hash(const PtTensor *t, bool with_data) {
  uint64_t h = pt_hash_mix((uint64_t)t->dtype, t->rank);
  h = pt_hash64(t->dims, t->rank * sizeof *t->dims, h);
  if (!with_data)
    return h;
  if (t->data)
    return pt_hash64(t->data, t->size, h);
  if (t->strings)
    for (size_t i = 0; i < t->count; i++)
      h = pt_hash_mix(h, g_bytes_hash(t->strings[i]));
  return h;
}

static uint64_t hash_nested(const PtGraph *graph);

static uint64_t hash_attr(const PtAttr *a) {
  uint64_t h = pt_hash_mix(hash_text(a->name), pt_hash_mix((uint64_t)a->kind, a->count));
  switch (a->kind) {
  case PT_ATTR_FLOAT:
  case PT_ATTR_FLOATS:
    return pt_hash64(a->as.floats, a->count * sizeof(float), h);
  case PT_ATTR_INT:
  case PT_ATTR_INTS:
    return pt_hash64(a->as.ints, a->count * sizeof(int64_t), h);
  case PT_ATTR_STRING:
  case PT_ATTR_STRINGS:
  case PT_ATTR_TYPE:
    for (uint32_t i = 0; i < a->count; i++)
      h = pt_hash_mix(h, g_bytes_hash(a->as.strings[i]));
    return h;
  case PT_ATTR_TENSOR:
  case PT_ATTR_TENSORS:
    for (uint32_t i = 0; i < a->count; i++)
      h = pt_hash_mix(h, pt_tensor_hash(a->as.tensors[i], true));
    return h;
  case PT_ATTR_GRAPH:
  case PT_ATTR_GRAPHS:
    for (uint32_t i = 0; i < a->count; i++)
      h = pt_hash_mix(h, hash_nested(a->as.graphs[i]));
    return h;
  }
  return h;
}

uint64_t pt_attrs_hash(const PtNode *node) {
  uint64_t sum = 0; /* attributes have no order */
  for (uint32_t i = 0; i < node->n_attrs; i++)
    sum += hash_attr(&node->attrs[i]);
  return sum;
}

/* Nested graphs are taken in the order they are stored: their nodes are carried, never rearranged.
 */
static uint64_t hash_nested(const PtGraph *g) {
  uint64_t h = pt_hash_mix(g->inputs->len, g->outputs->len);
  for (uint32_t i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *node = pt_node(g, i);
    if (node->dead)
      continue;
    h = pt_hash_mix(h, hash_text(node->domain));
    h = pt_hash_mix(h, hash_text(node->op_type));
    h = pt_hash_mix(h, pt_hash_mix(node->n_inputs, node->n_outputs));
    h = pt_hash_mix(h, pt_attrs_hash(node));
    for (uint32_t k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] != PT_NONE && pt_value(g, node->inputs[k])->constant)
        h = pt_hash_mix(h, pt_tensor_hash(pt_value(g, node->inputs[k])->constant, true));
  }
  return h;
}

static uint64_t hash_operator(const PtNode *node) {
  uint64_t h = pt_hash_mix(hash_text(node->domain), hash_text(node->op_type));
  h = pt_hash_mix(h, pt_hash_mix(node->n_inputs, node->n_outputs));
  return pt_hash_mix(h, pt_attrs_hash(node));
}

uint64_t pt_node_signature(const PtGraph *graph, PtNodeId id, PtConstantIsReal is_real,
                           void *data) {
  const PtNode *node = pt_node(graph, id);
  uint64_t h = hash_operator(node);
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    if (node->inputs[i] == PT_NONE) {
      h = pt_hash_mix(h, 5);
      continue;
    }
    const PtValue *value = pt_value(graph, node->inputs[i]);
    if (!value->constant)
      h = pt_hash_mix(h, pt_type_hash(&value->type));
    else
      h = pt_hash_mix(
          h, pt_tensor_hash(value->constant, is_real && is_real(graph, node->inputs[i], data)));
  }
  for (uint32_t i = 0; i < node->n_outputs; i++)
    h = pt_hash_mix(h, node->outputs[i] == PT_NONE
                           ? 17
                           : pt_type_hash(&pt_value(graph, node->outputs[i])->type));
  return h;
}

/* ---- refinement ------------------------------------------------------------------------------ */
typedef struct Colors {
  const PtView *view;
  uint32_t *topo;   /* [n] local nodes, a topological order */
  uint64_t *node;   /* [n] */
  uint64_t *value;  /* [n_values] of inputs, weights (refined) and real constants (fixed) */
  uint64_t *sorted; /* [n] scratch */
  uint64_t work;
} Colors;

static uint64_t slot_color(const Colors *c, uint32_t value) {
  if (value == PT_NONE)
    return 5;
  const PtView *v = c->view;
  if (v->seen[value] != PT_SEEN_INNER)
    return c->value[value];
  return pt_hash_mix(c->node[v->producer[value]], pt_value(v->graph, v->values[value])->output);
}

static uint64_t users_color(const Colors *c, uint32_t value) {
  const PtView *v = c->view;
  uint64_t sum = v->is_output[value] ? 11 : 7;
  for (uint32_t k = v->use_start[value]; k < v->use_start[value + 1]; k++) {
    uint32_t slot = v->use[k], user = v->slot_node[slot];
    sum += pt_hash_mix(c->node[user], slot - v->in_start[user] + 13);
  }
  return sum;
}

static void sweep(Colors *c) {
  const PtView *v = c->view;
  for (uint32_t t = 0; t < v->n; t++) {
    uint32_t i = c->topo[t];
    uint64_t h = c->node[i];
    for (uint32_t s = v->in_start[i]; s < v->in_start[i + 1]; s++)
      h = pt_hash_mix(h, slot_color(c, v->in[s]));
    c->node[i] = h;
  }
  for (uint32_t t = v->n; t-- > 0;) {
    uint32_t i = c->topo[t];
    uint64_t h = c->node[i];
    for (uint32_t k = v->out_start[i]; k < v->out_start[i + 1]; k++)
      h = pt_hash_mix(h, v->out[k] == PT_NONE ? 17 : users_color(c, v->out[k]));
    c->node[i] = h;
  }
  for (uint32_t i = 0; i < v->n_values; i++)
    if (v->seen[i] == PT_SEEN_INPUT || v->seen[i] == PT_SEEN_WEIGHT)
      c->value[i] = pt_hash_mix(c->value[i], users_color(c, i));
  c->work += v->n;
}

static int compare_u64(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint32_t count_classes(Colors *c) {
  uint32_t n = c->view->n, classes = 0;
  memcpy(c->sorted, c->node, n * sizeof *c->node);
  qsort(c->sorted, n, sizeof *c->sorted, compare_u64);
  for (uint32_t i = 0; i < n; i++)
    classes += i == 0 || c->sorted[i] != c->sorted[i - 1];
  return classes;
}

static uint32_t refine(Colors *c) {
  uint32_t before, classes = 0;
  do {
    before = classes;
    sweep(c);
    classes = count_classes(c);
  } while (classes > before && classes < c->view->n);
  return classes;
}

static void start_colors(Colors *c) {
  const PtView *v = c->view;
  for (uint32_t i = 0; i < v->n; i++) {
    const PtNode *node = pt_node(v->graph, v->nodes[i]);
    uint64_t h = hash_operator(node);
    for (uint32_t k = v->out_start[i]; k < v->out_start[i + 1]; k++)
      if (v->out[k] != PT_NONE && v->is_output[v->out[k]])
        h = pt_hash_mix(h, pt_type_hash(&pt_value(v->graph, v->values[v->out[k]])->type));
    c->node[i] = h;
  }
  for (uint32_t i = 0; i < v->n_values; i++) {
    const PtValue *value = pt_value(v->graph, v->values[i]);
    if (v->seen[i] == PT_SEEN_INPUT)
      c->value[i] = pt_hash_mix(pt_type_hash(&value->type), 19);
    else if (v->seen[i] != PT_SEEN_INNER)
      c->value[i] =
          pt_hash_mix(pt_tensor_hash(value->constant, v->seen[i] == PT_SEEN_REAL), v->seen[i]);
  }
}

/* Nodes of one colour that no other tells apart: they read the same values, or weights of their
 * own, and none here reads what they make. Any order of them is as good. */
static bool are_leaves_of_one(const PtView *v, uint32_t a, uint32_t b) {
  uint32_t slots = v->in_start[a + 1] - v->in_start[a];
  if (v->in_start[b + 1] - v->in_start[b] != slots)
    return false;
  for (uint32_t i = 0; i < slots; i++) {
    uint32_t x = v->in[v->in_start[a] + i], y = v->in[v->in_start[b] + i];
    bool own = x != PT_NONE && y != PT_NONE && v->seen[x] == PT_SEEN_WEIGHT &&
               v->use_start[x + 1] - v->use_start[x] == 1 &&
               v->use_start[y + 1] - v->use_start[y] == 1;
    if (x != y && !own)
      return false;
  }
  for (uint32_t k = v->out_start[b]; k < v->out_start[b + 1]; k++)
    if (v->out[k] != PT_NONE && v->use_start[v->out[k] + 1] > v->use_start[v->out[k]])
      return false;
  return true;
}

static bool are_interchangeable(const Colors *c, uint64_t color) {
  uint32_t first = PT_NONE;
  for (uint32_t i = 0; i < c->view->n; i++) {
    if (c->node[i] != color)
      continue;
    if (first == PT_NONE)
      first = i;
    if (!are_leaves_of_one(c->view, first, i))
      return false;
  }
  return true;
}

/* The first tied colour's first node becomes a colour of its own; until no tie is left. */
static void break_ties(Colors *c, uint32_t classes) {
  uint32_t n = c->view->n;
  while (classes < n) {
    uint32_t t = 1;
    while (c->sorted[t] != c->sorted[t - 1])
      t++;
    uint64_t tied = c->sorted[t];
    bool all = c->work > MAX_WORK || are_interchangeable(c, tied);
    for (uint32_t i = 0, k = 0; i < n; i++)
      if (c->node[i] == tied) {
        c->node[i] = pt_hash_mix(c->node[i], SALT_TIE + k++);
        if (!all)
          break;
      }
    classes = all ? count_classes(c) : refine(c);
  }
}

/* ---- order ----------------------------------------------------------------------------------- */
/* Kahn's, taking the ready node of the smallest key; nodes on a cycle follow at the end. */
typedef struct Ready {
  uint64_t key;
  uint32_t node;
} Ready;

static bool ready_less(const Ready *a, const Ready *b) {
  return a->key != b->key ? a->key < b->key : a->node < b->node;
}

static void ready_push(Ready *heap, uint32_t *len, Ready item) {
  uint32_t i = (*len)++;
  while (i > 0 && ready_less(&item, &heap[(i - 1) / 2])) {
    heap[i] = heap[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  heap[i] = item;
}

static uint32_t ready_pop(Ready *heap, uint32_t *len) {
  uint32_t top = heap[0].node, i = 0, n = --*len;
  Ready last = heap[n];
  for (;;) {
    uint32_t child = 2 * i + 1;
    if (child >= n)
      break;
    if (child + 1 < n && ready_less(&heap[child + 1], &heap[child]))
      child++;
    if (!ready_less(&heap[child], &last))
      break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = last;
  return top;
}

static void sort_view(const PtView *v, const uint64_t *key, uint32_t *order) {
  g_autofree uint32_t *waiting = g_new0(uint32_t, v->n + 1);
  g_autofree Ready *heap = g_new(Ready, v->n + 1);
  uint32_t len = 0, done = 0;
  for (uint32_t i = 0; i < v->n; i++) {
    for (uint32_t s = v->in_start[i]; s < v->in_start[i + 1]; s++)
      waiting[i] += v->in[s] != PT_NONE && v->producer[v->in[s]] != PT_NONE;
    if (waiting[i] == 0)
      ready_push(heap, &len, (Ready){key ? key[i] : 0, i});
  }
  while (len > 0) {
    uint32_t i = ready_pop(heap, &len);
    order[done++] = i;
    waiting[i] = PT_NONE;
    for (uint32_t k = v->out_start[i]; k < v->out_start[i + 1]; k++)
      for (uint32_t u = v->out[k] == PT_NONE ? 0 : v->use_start[v->out[k]];
           v->out[k] != PT_NONE && u < v->use_start[v->out[k] + 1]; u++) {
        uint32_t user = v->slot_node[v->use[u]];
        if (--waiting[user] == 0)
          ready_push(heap, &len, (Ready){key ? key[user] : 0, user});
      }
  }
  for (uint32_t i = 0; i < v->n && done < v->n; i++)
    if (waiting[i] != PT_NONE)
      order[done++] = i;
}

/* order: [n] local nodes or NULL */
static uint64_t canonical(const PtView *v, uint32_t *order) {
  g_autofree uint32_t *topo = g_new(uint32_t, v->n + 1);
  g_autofree uint64_t *node = g_new(uint64_t, v->n + 1);
  g_autofree uint64_t *sorted = g_new(uint64_t, v->n + 1);
  g_autofree uint64_t *value = g_new0(uint64_t, v->n_values + 1);
  Colors c = {.view = v, .topo = topo, .node = node, .value = value, .sorted = sorted};
  sort_view(v, NULL, topo);
  start_colors(&c);
  refine(&c);
  sweep(
      &c); /* so that the hash tells how inputs and weights are shared even if all nodes differed */
  uint32_t classes = count_classes(&c);
  uint64_t hash = pt_hash64(sorted, v->n * sizeof *sorted, v->n);
  uint64_t borders = 0; /* inputs that are outputs, or used by nothing */
  for (uint32_t i = 0; i < v->n_values; i++)
    if (v->producer[i] == PT_NONE && v->is_output[i])
      borders += c.value[i];
  hash = pt_hash_mix(hash, borders);
  if (order) {
    break_ties(&c, classes);
    sort_view(v, c.node, order);
  }
  return hash ? hash : 1; /* 0 says "not hashed" in PtPiece */
}

static PtNodeId *live_nodes(const PtGraph *graph, uint32_t *count) {
  PtNodeId *nodes = g_new(PtNodeId, pt_graph_n_nodes(graph) + 1);
  *count = 0;
  for (uint32_t i = 0; i < pt_graph_n_nodes(graph); i++)
    if (!pt_node(graph, i)->dead)
      nodes[(*count)++] = i;
  return nodes;
}

uint64_t pt_graph_canonical(const PtGraph *graph, PtConstantIsReal is_real, void *data,
                            PtNodeId *order) {
  uint32_t n;
  g_autofree PtNodeId *nodes = live_nodes(graph, &n);
  g_autoptr(PtView) v = pt_view_new(graph, nodes, n, (PtValueId *)(void *)graph->outputs->data,
                                    graph->outputs->len, is_real, data);
  g_autofree uint32_t *local = order ? g_new(uint32_t, n + 1) : NULL;
  uint64_t unused = 0;
  for (uint32_t i = 0; i < graph->inputs->len; i++)
    unused += pt_type_hash(&pt_value(graph, pt_graph_input(graph, i))->type);
  uint64_t hash = pt_hash_mix(canonical(v, local), unused);
  for (uint32_t i = 0; order && i < n; i++)
    order[i] = nodes[local[i]];
  return hash;
}

void pt_piece_canonicalize(const PtGraph *graph, PtPiece *piece, PtConstantIsReal is_real,
                           void *data) {
  uint32_t n = piece->nodes->len;
  PtNodeId *nodes = (PtNodeId *)(void *)piece->nodes->data;
  g_autoptr(PtView) v = pt_view_new(graph, nodes, n, (PtValueId *)(void *)piece->outputs->data,
                                    piece->outputs->len, is_real, data);
  g_autofree uint32_t *order = g_new(uint32_t, n + 1);
  g_autofree bool *listed = g_new0(bool, v->n_values + 1);
  g_autofree PtNodeId *sorted = g_new(PtNodeId, n + 1);
  piece->hash = canonical(v, order);
  g_array_set_size(piece->inputs, 0);
  g_array_set_size(piece->outputs, 0);
  for (uint32_t i = 0; i < n; i++) {
    sorted[i] = nodes[order[i]];
    for (uint32_t s = v->in_start[order[i]]; s < v->in_start[order[i] + 1]; s++) {
      uint32_t value = v->in[s];
      if (value != PT_NONE && v->seen[value] == PT_SEEN_INPUT && !listed[value]) {
        listed[value] = true;
        g_array_append_val(piece->inputs, v->values[value]);
      }
    }
    for (uint32_t k = v->out_start[order[i]]; k < v->out_start[order[i] + 1]; k++)
      if (v->out[k] != PT_NONE && v->is_output[v->out[k]])
        g_array_append_val(piece->outputs, v->values[v->out[k]]);
  }
  memcpy(nodes, sorted, n * sizeof *nodes);
}
