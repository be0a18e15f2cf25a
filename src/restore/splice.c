/* Pieces in order into one graph. Borders keep the model's names; everything inside a piece gets a
 * fresh one. */
#include "restore/restore_private.h"

#include <string.h>

typedef struct Splicer {
  PtGraph *out;
  const PtGraph *model;
  PtValueId *border; /* [model values] value of `out` that carries it, or PT_NONE */
  GHashTable *inner; /* names used inside nested graphs of pieces, which outer ones must not hide */
  GHashTable *node_names; /* ONNX Runtime wants nodes' names distinct, too */
  GHashTable *constants;  /* PtTensor -> value of out + 1 */
} Splicer;

/* ---- constants: equal ones are stored once
 * ------------------------------------------------------- */
/* Small ones are compared by content, large ones by where they lie: hashing gigabytes gains
 * nothing. */
#define SHARE_BY_CONTENT 4096

static guint shared_hash(gconstpointer key) {
  const PtTensor *t = key;
  uint64_t h = pt_hash64(t->dims, t->rank * sizeof *t->dims, (uint64_t)t->dtype);
  if (t->size <= SHARE_BY_CONTENT)
    return (guint)pt_hash64(t->data, t->size, h);
  return (guint)pt_hash_mix(h, (uint64_t)(uintptr_t)t->data);
}

static gboolean shared_equal(gconstpointer x, gconstpointer y) {
  const PtTensor *a = x, *b = y;
  if (a->dtype != b->dtype || a->rank != b->rank || a->size != b->size ||
      (a->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) != 0))
    return FALSE;
  return a->data == b->data ||
         (a->size <= SHARE_BY_CONTENT && memcmp(a->data, b->data, a->size) == 0);
}

/* ---- names
 * ----------------------------------------------------------------------------------------- */
static bool name_is_free(const Splicer *s, const char *name) {
  return name[0] && pt_graph_find(s->out, name) == PT_NONE &&
         !g_hash_table_contains(s->inner, name);
}

/* `wish`, or it with the piece's number, or that with a counter. */
static PtValueId add_named(Splicer *s, uint32_t piece, const char *wish) {
  if (name_is_free(s, wish))
    return pt_graph_add_value(s->out, wish);
  g_autofree char *name = g_strdup_printf("%s_p%u", wish, piece);
  for (unsigned i = 1; !name_is_free(s, name); i++) {
    g_free(name);
    name = g_strdup_printf("%s_p%u_%u", wish, piece, i);
  }
  return pt_graph_add_value(s->out, name);
}

/* The node's own name where no other has it. */
static const char *node_name(Splicer *s, uint32_t piece, const char *wish) {
  if (!wish[0])
    return "";
  g_autofree char *name = g_strdup(wish);
  for (unsigned i = 0; g_hash_table_contains(s->node_names, name); i++) {
    g_free(name);
    name = g_strdup_printf(i ? "%s_p%u_%u" : "%s_p%u", wish, piece, i);
  }
  const char *kept = pt_arena_string(s->out->arena, name);
  g_hash_table_add(s->node_names, (void *)(uintptr_t)kept);
  return kept;
}

static void collect_inner(const PtGraph *graph, bool nested, GHashTable *names) {
  for (PtValueId v = 0; nested && v < pt_graph_n_values(graph); v++)
    if (pt_value(graph, v)->outer == PT_NONE)
      g_hash_table_add(names, (void *)(uintptr_t)pt_value(graph, v)->name);
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++)
    for (uint32_t a = 0; a < pt_node(graph, n)->n_attrs; a++) {
      const PtAttr *attr = &pt_node(graph, n)->attrs[a];
      if (attr->kind == PT_ATTR_GRAPH || attr->kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < attr->count; k++)
          collect_inner(attr->as.graphs[k], true, names);
    }
}

/* A nested value may not carry the name of an outer one: that hides it. Borders keep their names,
 * so the nested one gives way. */
static void rename_inner(const PtGraph *out, PtGraph *nested) {
  for (PtValueId v = 0; v < pt_graph_n_values(nested); v++) {
    PtValue *value = pt_value(nested, v);
    if (value->outer != PT_NONE || pt_graph_find(out, value->name) == PT_NONE)
      continue;
    g_autofree char *name = NULL;
    for (unsigned i = 0;
         !name || pt_graph_find(out, name) != PT_NONE || pt_graph_find(nested, name) != PT_NONE;
         i++) {
      g_free(name);
      name = g_strdup_printf("%s_inner%u", value->name, i);
    }
    g_hash_table_remove(nested->names, value->name);
    value->name = pt_arena_string(nested->arena, name);
    g_hash_table_insert(nested->names, (void *)(uintptr_t)value->name, GUINT_TO_POINTER(v + 1));
  }
  for (PtNodeId n = 0; n < pt_graph_n_nodes(nested); n++)
    for (uint32_t a = 0; a < pt_node(nested, n)->n_attrs; a++) {
      const PtAttr *attr = &pt_node(nested, n)->attrs[a];
      if (attr->kind == PT_ATTR_GRAPH || attr->kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < attr->count; k++)
          rename_inner(out, attr->as.graphs[k]);
    }
}

/* ---- opsets
 * -------------------------------------------------------------------------------------- */
bool pt_graph_uses_domain(const PtGraph *graph, const char *domain) {
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++) {
    const PtNode *node = pt_node(graph, n);
    if (node->dead)
      continue;
    if (g_str_equal(node->domain, domain))
      return true;
    for (uint32_t a = 0; node->n_attrs && a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < node->attrs[a].count; k++)
          if (pt_graph_uses_domain(node->attrs[a].as.graphs[k], domain))
            return true;
  }
  return false;
}

/* One version a domain that somebody uses. */
static bool merge_opsets(PtGraph *out, const PtGraph *model, const PtSpliced *pieces,
                         uint32_t count, GError **error) {
  g_autoptr(GHashTable) user = g_hash_table_new(g_str_hash, g_str_equal); /* domain -> piece + 1 */
  for (uint32_t p = 0; p < count; p++) {
    const PtGraph *graph = pieces[p].graph;
    for (guint i = 0; i < graph->opsets->len; i++) {
      const PtOpset *o = &g_array_index(graph->opsets, PtOpset, i);
      if (!pt_graph_uses_domain(graph, o->domain))
        continue;
      uint32_t first = GPOINTER_TO_UINT(g_hash_table_lookup(user, o->domain));
      if (!first) {
        g_hash_table_insert(user, (void *)(uintptr_t)o->domain, GUINT_TO_POINTER(p + 1));
        pt_graph_set_opset(out, o->domain, o->version);
      } else if (pt_graph_opset(out, o->domain) != o->version) {
        g_set_error(error, PT_RESTORE_ERROR, PT_ERR_MISMATCH,
                    "pieces %u and %u use versions %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT
                    " of the operators of '%s', which one model cannot",
                    first - 1, p, pt_graph_opset(out, o->domain), o->version,
                    o->domain[0] ? o->domain : "ai.onnx");
        return false;
      }
    }
    out->ir_version = MAX(out->ir_version, graph->ir_version);
  }
  if (pt_graph_opset(out, "") < 0)
    pt_graph_set_opset(out, "", pt_graph_opset(model, ""));
  return true;
}

/* ---- one piece
 * ------------------------------------------------------------------------------------ */
static PtValueId add_constant(Splicer *s, uint32_t piece, const PtValue *value) {
  PtTensor *t = value->constant;
  bool shares = t->data && !t->strings && t->size > 0;
  if (shares) {
    uint32_t known = GPOINTER_TO_UINT(g_hash_table_lookup(s->constants, t));
    if (known)
      return known - 1;
  }
  PtValueId id = add_named(s, piece, value->name);
  pt_value(s->out, id)->constant = t; /* its graph is held */
  pt_value(s->out, id)->type = pt_type_copy(s->out, &value->type);
  if (shares)
    g_hash_table_insert(s->constants, t, GUINT_TO_POINTER(id + 1));
  return id;
}

static void add_node(Splicer *s, uint32_t piece, const PtGraph *from, PtNodeId id,
                     const PtValueId *map) {
  const PtNode *n = pt_node(from, id);
  g_autofree PtValueId *in = g_new(PtValueId, n->n_inputs + 1);
  g_autofree PtValueId *out = g_new(PtValueId, n->n_outputs + 1);
  for (uint32_t k = 0; k < n->n_inputs; k++)
    in[k] = n->inputs[k] == PT_NONE ? PT_NONE : map[n->inputs[k]];
  for (uint32_t k = 0; k < n->n_outputs; k++)
    out[k] = n->outputs[k] == PT_NONE ? PT_NONE : map[n->outputs[k]];
  PtNodeId added =
      pt_graph_add_node(s->out, n->domain, n->op_type, in, n->n_inputs, out, n->n_outputs);
  pt_node(s->out, added)->name = node_name(s, piece, n->name);
  for (uint32_t a = 0; a < n->n_attrs; a++)
    pt_node_add_attr_copy(s->out, added, &n->attrs[a], map);
}

/* Outputs first: a value that a node of the piece computes is the border itself; an input or a
 * constant that comes out again is passed on. */
static void place_outputs(Splicer *s, const PtSpliced *piece, PtValueId *map, const bool *mine) {
  const PtGraph *g = piece->graph;
  for (uint32_t i = 0; i < g->outputs->len; i++) {
    PtValueId v = pt_graph_output(g, i), m = piece->outputs[i];
    if (mine[i] && pt_value(g, v)->producer != PT_NONE && map[v] == PT_NONE)
      map[v] = s->border[m];
  }
}

static bool add_piece(Splicer *s, uint32_t index, const PtSpliced *piece, const bool *mine,
                      GError **error) {
  const PtGraph *g = piece->graph;
  g_autofree PtValueId *map = g_new(PtValueId, (gsize)pt_graph_n_values(g) + 1);
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)pt_graph_n_nodes(g) + 1);
  memset(map, 0xff, sizeof *map * ((gsize)pt_graph_n_values(g) + 1));
  if (!pt_graph_toposort(g, order, error))
    return false;
  for (uint32_t i = 0; i < g->inputs->len; i++)
    map[pt_graph_input(g, i)] = s->border[piece->inputs[i]];
  place_outputs(s, piece, map, mine);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtValue *value = pt_value(g, v);
    if (map[v] != PT_NONE)
      continue;
    if (value->constant)
      map[v] = add_constant(s, index, value);
    else if (value->producer != PT_NONE && !pt_node(g, value->producer)->dead) {
      map[v] = add_named(s, index, value->name);
      pt_value(s->out, map[v])->type = pt_type_copy(s->out, &value->type);
    }
  }
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++)
    if (!pt_node(g, order[i])->dead)
      add_node(s, index, g, order[i], map);
  for (uint32_t i = 0; i < g->outputs->len; i++)
    if (mine[i])
      s->border[piece->outputs[i]] = map[pt_graph_output(g, i)];
  return true;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------- */
static PtGraph *new_out(PtGraph *model, const PtSpliced *pieces, uint32_t count) {
  PtGraph *out = pt_graph_new();
  out->name = pt_arena_string(out->arena, model->name);
  out->ir_version = model->ir_version;
  pt_graph_hold(out, pt_graph_ref(model), (GDestroyNotify)pt_graph_unref);
  for (uint32_t p = 0; p < count; p++)
    pt_graph_hold(out, pt_graph_ref(pieces[p].graph), (GDestroyNotify)pt_graph_unref);
  return out;
}

static void add_inputs(Splicer *s) {
  for (uint32_t i = 0; i < s->model->inputs->len; i++) {
    PtValueId m = pt_graph_input(s->model, i);
    s->border[m] =
        pt_graph_add_input(s->out, pt_value(s->model, m)->name, &pt_value(s->model, m)->type);
    pt_value(s->out, s->border[m])->constant = pt_value(s->model, m)->constant;
  }
}

/* Which piece brings a border value, where a cloned node makes it in several: the first.
 * mine[p][i]. */
static bool **choose_providers(Splicer *s, const PtSpliced *pieces, uint32_t count) {
  bool **mine = g_new0(bool *, count + 1);
  for (uint32_t p = 0; p < count; p++) {
    mine[p] = g_new0(bool, pieces[p].graph->outputs->len + 1);
    for (uint32_t i = 0; i < pieces[p].graph->outputs->len; i++) {
      PtValueId m = pieces[p].outputs[i];
      mine[p][i] = s->border[m] == PT_NONE;
      if (!mine[p][i])
        continue;
      s->border[m] = pt_graph_add_value(s->out, pt_value(s->model, m)->name);
      pt_value(s->out, s->border[m])->type = pt_type_copy(s->out, &pt_value(s->model, m)->type);
    }
  }
  return mine;
}

/* The owner's outputs, under their names whatever the pieces passed on. */
static bool add_outputs(Splicer *s, GError **error) {
  for (uint32_t i = 0; i < s->model->outputs->len; i++) {
    PtValueId m = pt_graph_output(s->model, i);
    const PtValue *value = pt_value(s->model, m);
    PtValueId at = s->border[m];
    if (at == PT_NONE && value->constant) {
      at = pt_graph_add_value(s->out, value->name);
      pt_value(s->out, at)->constant = value->constant;
      pt_value(s->out, at)->type = pt_type_copy(s->out, &value->type);
      s->border[m] = at;
    }
    if (at == PT_NONE) {
      g_set_error(error, PT_RESTORE_ERROR, PT_ERR_INTERNAL,
                  "no piece computes the model's output '%s'", value->name);
      return false;
    }
    if (!g_str_equal(pt_value(s->out, at)->name, value->name)) {
      PtValueId named = pt_graph_find(s->out, value->name);
      PtValueId source = at;
      pt_graph_add_node(s->out, "", "Identity", &source, 1, &named, 1);
      at = s->border[m] = named;
    }
    pt_graph_add_output(s->out, at);
  }
  return true;
}

PtGraph *pt_splice(PtGraph *model, const PtSpliced *pieces, uint32_t count, GError **error) {
  g_autoptr(PtGraph) out = new_out(model, pieces, count);
  if (!merge_opsets(out, model, pieces, count, error))
    return NULL;
  Splicer s = {.out = out,
               .model = model,
               .border = g_new(PtValueId, (gsize)pt_graph_n_values(model) + 1),
               .inner = g_hash_table_new(g_str_hash, g_str_equal),
               .node_names = g_hash_table_new(g_str_hash, g_str_equal),
               .constants = g_hash_table_new(shared_hash, shared_equal)};
  memset(s.border, 0xff, sizeof *s.border * ((gsize)pt_graph_n_values(model) + 1));
  for (uint32_t p = 0; p < count; p++)
    collect_inner(pieces[p].graph, false, s.inner);
  add_inputs(&s);
  bool **mine = choose_providers(&s, pieces, count);
  bool ok = true;
  for (uint32_t p = 0; p < count && ok; p++)
    ok = add_piece(&s, p, &pieces[p], mine[p], error);
  ok = ok && add_outputs(&s, error);
  for (uint32_t p = 0; p < count; p++)
    g_free(mine[p]);
  g_free(mine);
  g_free(s.border);
  g_hash_table_unref(s.constants);
  g_hash_table_unref(s.node_names);
  if (ok && g_hash_table_size(s.inner) > 0) {
    for (PtNodeId n = 0; n < pt_graph_n_nodes(out); n++)
      for (uint32_t a = 0; a < pt_node(out, n)->n_attrs; a++) {
        const PtAttr *attr = &pt_node(out, n)->attrs[a];
        if (attr->kind == PT_ATTR_GRAPH || attr->kind == PT_ATTR_GRAPHS)
          for (uint32_t k = 0; k < attr->count; k++)
            rename_inner(out, attr->as.graphs[k]);
      }
  }
  g_hash_table_unref(s.inner);
  if (!ok)
    return NULL;
  pt_graph_refresh_captures(out);
  pt_share_nodes(out);
  pt_graph_remove_unused(out);
  pt_graph_compact(out);
  return pt_graph_check(out, error) ? g_steal_pointer(&out) : NULL;
}
