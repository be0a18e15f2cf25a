/* convert: a piece's graph as a state of the walk. */
#include "walk/walk_private.h"

#define MAX_NODES 1024

void pt_walk_face_free(PtWalkFace *face) {
  if (!face)
    return;
  g_free(face->in);
  g_free(face->out);
  g_free(face->widths);
  g_free(face);
}

PtWalkFace *pt_walk_face_new(PtWalkLibrary *library, const PtGraph *graph) {
  PtWalkFace *f = g_new0(PtWalkFace, 1);
  f->n_in = graph->inputs->len;
  f->n_out = graph->outputs->len;
  f->in = g_new0(PtWalkType, f->n_in + 1);
  f->out = g_new0(PtWalkType, f->n_out + 1);
  f->widths = g_new0(int32_t, f->n_in + f->n_out + 1);
  f->opset = pt_graph_opset(graph, "");
  f->least = 1;
  f->most = MAX_NODES;
  for (uint32_t i = 0; i < f->n_in; i++)
    f->in[i] = pt_walk_type_of(library, &pt_value(graph, pt_graph_input(graph, i))->type);
  return f;
}

static int by_size(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return x < y ? -1 : x > y;
}

/* Channels and widths at the border, ascending, once each. */
static void find_widths(PtWalkFace *f) {
  f->n_widths = 0;
  for (uint32_t i = 0; i < f->n_in + f->n_out; i++) {
    int32_t w = pt_walk_width(i < f->n_in ? &f->in[i] : &f->out[i - f->n_in]);
    if (w > 0)
      f->widths[f->n_widths++] = w;
  }
  qsort(f->widths, f->n_widths, sizeof *f->widths, by_size);
  uint32_t n = 0;
  for (uint32_t i = 0; i < f->n_widths; i++)
    if (n == 0 || f->widths[n - 1] != f->widths[i])
      f->widths[n++] = f->widths[i];
  if (n == 0)
    f->widths[n++] = 1;
  f->n_widths = n;
}

typedef struct Conversion {
  PtWalkLibrary *library;
  PtGraph *graph;
  PtRole *roles;
  PtWalkRef *ref; /* [n_values] */
  bool *used;     /* [n_values] */
  PtWalkState *state;
  GArray *origins;
  const char *why;
} Conversion;

#define NO_REF INT32_MIN

static void find_used(Conversion *c) {
  PtGraph *g = c->graph;
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *n = pt_node(g, i);
    for (uint32_t k = 0; k < n->n_inputs; k++)
      if (n->inputs[k] != PT_NONE)
        c->used[n->inputs[k]] = true;
    for (uint32_t k = 0; k < n->n_captures; k++)
      c->used[n->captures[k]] = true;
  }
  for (uint32_t i = 0; i < g->outputs->len; i++)
    c->used[pt_graph_output(g, i)] = true;
}

static bool gather_inputs(Conversion *c, const PtNode *n, GArray *refs, GArray *types) {
  for (uint32_t k = 0; k < n->n_inputs + n->n_captures; k++) {
    PtValueId v = k < n->n_inputs ? n->inputs[k] : n->captures[k - n->n_inputs];
    if (v == PT_NONE || pt_value(c->graph, v)->constant)
      continue;
    if (c->ref[v] == NO_REF) {
      c->why = "a node reads a value that nothing makes";
      return false;
    }
    g_array_append_val(refs, c->ref[v]);
    g_array_append_vals(types, pt_walk_ref_type(c->state, c->ref[v]), 1);
  }
  return true;
}

static bool read_node(Conversion *c, PtNodeId id) {
  const PtNode *n = pt_node(c->graph, id);
  PtNodeView view = {.graph = c->graph, .node = id, .roles = c->roles};
  PtWalkType out[PT_WALK_OUTPUTS] = {0};
  int32_t width = 0;
  if (n->n_outputs > PT_WALK_OUTPUTS) {
    c->why = "a node has more than eight outputs";
    return false;
  }
  for (uint32_t k = 0; k < n->n_outputs; k++)
    if (n->outputs[k] != PT_NONE && c->used[n->outputs[k]])
      view.outputs |= (uint8_t)(1u << k);
  g_autoptr(GArray) refs = g_array_new(FALSE, FALSE, sizeof(PtWalkRef));
  g_autoptr(GArray) types = g_array_new(FALSE, FALSE, sizeof(PtWalkType));
  if (!gather_inputs(c, n, refs, types))
    return false;
  view.in = (const PtWalkType *)(const void *)types->data;
  view.n_in = types->len;
  uint32_t t = pt_walk_template_of(c->library, &view, &width, out);
  PtWalkRef made =
      pt_walk_add(c->state, t, width, (const PtWalkRef *)(const void *)refs->data, refs->len);
  c->state->nodes[made >> 3].type = out[0];
  for (uint32_t k = 0; k < n->n_outputs; k++)
    if (n->outputs[k] != PT_NONE)
      c->ref[n->outputs[k]] = made | (PtWalkRef)k;
  if (c->origins)
    g_array_append_val(c->origins, id);
  return true;
}

static bool read_outputs(Conversion *c, PtWalkFace *face) {
  for (uint32_t i = 0; i < face->n_out; i++) {
    PtWalkRef r = c->ref[pt_graph_output(c->graph, i)];
    if (r == NO_REF || r < 0) {
      c->why = "an output is an input or a constant";
      return false;
    }
    for (uint32_t k = 0; k < i; k++)
      if (c->state->outs[k] == r) {
        c->why = "two outputs are one value";
        return false;
      }
    c->state->outs[i] = r;
    face->out[i] = *pt_walk_ref_type(c->state, r);
  }
  find_widths(face);
  return true;
}

static bool read_all(Conversion *c, PtWalkFace *face) {
  PtGraph *g = c->graph;
  uint32_t n = pt_graph_n_nodes(g);
  g_autofree PtNodeId *order = g_new(PtNodeId, n + 1);
  if (n > MAX_NODES || !pt_graph_toposort(g, order, NULL)) {
    c->why = n > MAX_NODES ? "more than 1024 nodes" : "a cycle";
    return false;
  }
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    c->ref[v] = NO_REF;
  find_used(c);
  for (uint32_t i = 0; i < face->n_in; i++) {
    PtValueId v = pt_graph_input(g, i);
    c->ref[v] = -1 - (PtWalkRef)i;
    if (!c->used[v]) {
      c->why = "an input that nothing reads";
      return false;
    }
  }
  for (uint32_t i = 0; i < n; i++)
    if (!read_node(c, order[i]))
      return false;
  return read_outputs(c, face);
}

PtWalkState *pt_walk_read(PtWalkLibrary *library, PtWalkFace *face, PtGraph *graph, GArray *origins,
                          const char **why) {
  uint32_t n = pt_graph_n_values(graph);
  Conversion c = {.library = library,
                  .graph = graph,
                  .roles = pt_roles(graph),
                  .ref = g_new(PtWalkRef, n + 1),
                  .used = g_new0(bool, n + 1),
                  .state = pt_walk_state_new(face, library),
                  .origins = origins};
  bool ok = read_all(&c, face);
  if (why)
    *why = c.why;
  g_free(c.roles);
  g_free(c.ref);
  g_free(c.used);
  if (!ok)
    g_clear_pointer(&c.state, pt_walk_state_free);
  return c.state;
}
