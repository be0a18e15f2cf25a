/* scrub.c: builds a candidate from what is allowed: operators, attributes, wiring, the interface's
 * types. */
#include "bundle/scrub_private.h"

#include <string.h>

#define MIN_IR_VERSION 8 /* from 4 on, constants need not be inputs too */
#define MAX_IR_VERSION 13

/* ---- names and types
 * --------------------------------------------------------------------------------- */
static PtValueId add_numbered(PtGraph *to, const char *stem, uint32_t number) {
  char name[24];
  g_snprintf(name, sizeof name, "%s%u", stem, number);
  return pt_graph_add_value(to, name);
}

static const char *symbol_of(PtScrub *scrub, const char *symbol) {
  const char *found = g_hash_table_lookup(scrub->symbols, symbol);
  if (found)
    return found;
  char name[24];
  g_snprintf(name, sizeof name, "s%u", g_hash_table_size(scrub->symbols));
  found = pt_arena_string(scrub->root->arena, name);
  g_hash_table_insert(scrub->symbols, (void *)(uintptr_t)symbol, (void *)(uintptr_t)found);
  return found;
}

PtType pt_scrub_type(PtScrub *scrub, PtGraph *to, const PtType *type) {
  if (type->kind != PT_TYPE_TENSOR)
    return (PtType){.rank = -1};
  g_autofree PtDim *dims = g_new0(PtDim, MAX(type->rank, 0) + 1);
  for (int32_t i = 0; i < type->rank; i++) {
    dims[i].size = type->dims[i].size;
    if (type->dims[i].size < 0 && type->dims[i].symbol)
      dims[i].symbol = symbol_of(scrub, type->dims[i].symbol);
  }
  return pt_type_tensor(to, type->dtype, type->rank, dims);
}

static bool check_interface(const PtGraph *from, PtValueId v, GError **error) {
  const PtType *type = &pt_value(from, v)->type;
  if (type->kind == PT_TYPE_TENSOR && type->dtype != PT_DTYPE_UNDEFINED)
    return true;
  g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED, "value \"%s\" at the border is %s",
              pt_value(from, v)->name,
              type->kind == PT_TYPE_OPAQUE ? "no tensor" : "of unknown type");
  return false;
}

/* ---- order
 * ------------------------------------------------------------------------------------------- */
/* Kahn's algorithm, drawing among the ready nodes. */
static uint32_t random_order(const PtGraph *from, PtRng *rng, PtNodeId *order) {
  uint32_t n = pt_graph_n_nodes(from), done = 0, n_ready = 0;
  g_autoptr(PtUses) uses = pt_uses_new(from);
  g_autofree uint32_t *waiting = g_new0(uint32_t, n + 1);
  g_autofree PtNodeId *ready = g_new(PtNodeId, n + 1);
  for (PtValueId v = 0; v < pt_graph_n_values(from); v++)
    if (pt_value(from, v)->producer != PT_NONE && !pt_node(from, pt_value(from, v)->producer)->dead)
      for (uint32_t u = uses->start[v]; u < uses->start[v + 1]; u++)
        waiting[uses->node[u]]++;
  for (PtNodeId i = 0; i < n; i++)
    if (!pt_node(from, i)->dead && waiting[i] == 0)
      ready[n_ready++] = i;
  while (n_ready > 0) {
    uint32_t drawn = (uint32_t)pt_rng_below(rng, n_ready);
    PtNodeId id = ready[drawn];
    ready[drawn] = ready[--n_ready];
    order[done++] = id;
    const PtNode *node = pt_node(from, id);
    for (uint32_t k = 0; k < node->n_outputs; k++) {
      PtValueId v = node->outputs[k];
      for (uint32_t u = v == PT_NONE ? 0 : uses->start[v]; v != PT_NONE && u < uses->start[v + 1];
           u++)
        if (!pt_node(from, uses->node[u])->dead && --waiting[uses->node[u]] == 0)
          ready[n_ready++] = uses->node[u];
    }
  }
  return done;
}

static uint32_t live_nodes(const PtGraph *graph) {
  uint32_t live = 0;
  for (PtNodeId i = 0; i < pt_graph_n_nodes(graph); i++)
    live += !pt_node(graph, i)->dead;
  return live;
}

/* ---- opsets: those of the domains in use, nested graphs included
 * ---------------------------------------- */
void pt_scrub_opsets(const PtGraph *from, PtGraph *to) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(from); i++) {
    const PtNode *node = pt_node(from, i);
    if (node->dead)
      continue;
    int64_t version = pt_graph_opset(from, node->domain);
    if (version > 0)
      pt_graph_set_opset(to, node->domain, version);
    for (uint32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < node->attrs[a].count; k++)
          pt_scrub_opsets(node->attrs[a].as.graphs[k], to);
  }
}

/* ---- constants
 * ----------------------------------------------------------------------------------------- */
/* The tensor that goes out for a constant, with its slice noted if it is a weight. */
static PtTensor *scrub_tensor(PtGraph *to, const PtValue *value, PtRole role, GArray *slices,
                              GError **error) {
  const PtTensor *old = value->constant;
  PtSlice slice = pt_slice_of(old, role);
  if (slice.section == PT_SECTION_REFUSED || (old->dtype == PT_STRING && old->count > 0)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED,
                "constant \"%s\" of %s has no noise that could stand for it", value->name,
                pt_dtype_name(old->dtype));
    return NULL;
  }
  bool real = slice.section == PT_SECTION_NONE;
  if (real && old->count > 0 && !old->data) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
                "constant \"%s\" has no data: give the skeleton weights first (proteus fill)",
                value->name);
    return NULL;
  }
  PtTensor *tensor = pt_graph_tensor(to, old->dtype, old->rank, old->dims, real ? old->data : NULL);
  if (!tensor) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_LIMIT, "constant \"%s\" is too large", value->name);
    return NULL;
  }
  if (!real) {
    slice.tensor = tensor;
    g_array_append_val(slices, slice);
  }
  return tensor;
}

/* ---- nodes
 * ------------------------------------------------------------------------------------------- */
/* Inputs left out at the end say nothing; exporters differ in writing them. */
static uint32_t trimmed(const PtValueId *ids, uint32_t count) {
  while (count > 0 && ids[count - 1] == PT_NONE)
    count--;
  return count;
}

static bool nothing_makes(const PtNode *node, GError **error) {
  g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT,
              "node \"%s\" (%s) reads a value that nothing makes", node->name, node->op_type);
  return false;
}

static bool add_node(PtScrub *scrub, const PtNode *node, PtGraph *to, PtValueId *map,
                     GError **error) {
  uint32_t n_inputs = trimmed(node->inputs, node->n_inputs);
  uint32_t n_outputs = trimmed(node->outputs, node->n_outputs);
  g_autofree PtValueId *inputs = g_new(PtValueId, n_inputs + 1);
  g_autofree PtValueId *outputs = g_new(PtValueId, n_outputs + 1);
  for (uint32_t k = 0; k < n_inputs; k++) {
    inputs[k] = node->inputs[k] == PT_NONE ? PT_NONE : map[node->inputs[k]];
    if (node->inputs[k] != PT_NONE && inputs[k] == PT_NONE)
      return nothing_makes(node, error);
  }
  for (uint32_t k = 0; k < n_outputs; k++) {
    PtValueId v = node->outputs[k];
    if (v != PT_NONE && map[v] == PT_NONE)
      map[v] = add_numbered(to, "v", scrub->n_values++);
    outputs[k] = v == PT_NONE ? PT_NONE : map[v];
  }
  PtNodeId added =
      pt_graph_add_node(to, node->domain, node->op_type, inputs, n_inputs, outputs, n_outputs);
  return pt_scrub_attrs(scrub, node, to, added, map, error);
}

/* Constants of nested graphs were hoisted; what is left there is small, or refused. */
static bool nested_constant(PtScrub *scrub, const PtGraph *from, PtValueId v, PtGraph *to,
                            PtValueId *map, GError **error) {
  const PtValue *value = pt_value(from, v);
  bool quiet = value->constant->count <= 1 || value->constant->dtype == PT_INT64 ||
               value->constant->dtype == PT_BOOL;
  if (!quiet) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED,
                "constant \"%s\" of a nested graph may be a weight", value->name);
    return false;
  }
  PtTensor *tensor = scrub_tensor(to, value, PT_ROLE_REAL, NULL, error);
  if (!tensor)
    return false;
  map[v] = add_numbered(to, "c", scrub->n_constants++);
  pt_value(to, map[v])->constant = tensor;
  pt_value(to, map[v])->type = pt_scrub_type(scrub, to, &value->type);
  return true;
}

static bool nested_values(PtScrub *scrub, const PtGraph *from, PtGraph *to, PtGraph *parent,
                          const PtValueId *outer, PtValueId *map, GError **error) {
  for (PtValueId v = 0; v < pt_graph_n_values(from); v++) {
    const PtValue *value = pt_value(from, v);
    if (value->constant && !nested_constant(scrub, from, v, to, map, error))
      return false;
    if (value->outer == PT_NONE || outer[value->outer] == PT_NONE)
      continue;
    map[v] = pt_graph_add_value(to, pt_value(parent, outer[value->outer])->name);
    pt_value(to, map[v])->outer = outer[value->outer];
  }
  for (guint i = 0; i < from->inputs->len; i++) {
    PtValueId v = pt_graph_input(from, i);
    map[v] = add_numbered(to, "v", scrub->n_values++);
    PtValue *added = pt_value(to, map[v]);
    added->type = pt_scrub_type(scrub, to, &pt_value(from, v)->type);
    added->is_input = true;
    g_array_append_val(to->inputs, map[v]);
  }
  return true;
}

PtGraph *pt_scrub_nested(PtScrub *scrub, const PtGraph *from, PtGraph *parent,
                         const PtValueId *outer, GError **error) {
  PtGraph *to = pt_graph_new_nested(parent); /* the parent owns it */
  to->name = "g";
  uint32_t n = pt_graph_n_nodes(from);
  g_autofree PtValueId *map = g_new(PtValueId, (gsize)pt_graph_n_values(from) + 1);
  memset(map, 0xff, ((gsize)pt_graph_n_values(from) + 1) * sizeof *map);
  if (!nested_values(scrub, from, to, parent, outer, map, error))
    return NULL;
  g_autofree PtNodeId *order = g_new(PtNodeId, n + 1);
  uint32_t done = random_order(from, scrub->rng, order);
  if (done != live_nodes(from)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "a nested graph has a cycle");
    return NULL;
  }
  for (uint32_t i = 0; i < done; i++)
    if (!add_node(scrub, pt_node(from, order[i]), to, map, error))
      return NULL;
  for (guint i = 0; i < from->outputs->len; i++) {
    PtValueId old = pt_graph_output(from, i), v = map[old];
    if (v == PT_NONE) {
      g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "nothing makes the output \"%s\"",
                  pt_value(from, old)->name);
      return NULL;
    }
    if (pt_value(to, v)->outer == PT_NONE && !pt_value(to, v)->constant &&
        !pt_value(to, v)->is_input)
      pt_value(to, v)->type = pt_scrub_type(scrub, to, &pt_value(from, old)->type);
    pt_graph_add_output(to, v);
  }
  return to;
}

/* ---- the whole
 * ----------------------------------------------------------------------------------------- */
static bool add_interface(PtScrub *scrub, const PtGraph *from, PtValueId *map, GError **error) {
  PtGraph *to = scrub->root;
  for (guint i = 0; i < from->inputs->len; i++) {
    PtValueId v = pt_graph_input(from, i);
    if (!check_interface(from, v, error))
      return false;
    map[v] = add_numbered(to, "i", i);
    PtValue *added = pt_value(to, map[v]);
    added->type = pt_scrub_type(scrub, to, &pt_value(from, v)->type);
    added->is_input = true;
    g_array_append_val(to->inputs, map[v]);
  }
  for (guint i = 0; i < from->outputs->len; i++) {
    PtValueId v = pt_graph_output(from, i);
    if (!check_interface(from, v, error))
      return false;
    if (map[v] != PT_NONE || pt_value(from, v)->constant)
      continue;
    map[v] = add_numbered(to, "o", i);
    PtType type = pt_scrub_type(scrub, to, &pt_value(from, v)->type);
    pt_value(to, map[v])->type = type;
  }
  return true;
}

/* Constants in the order of their first use, so that no order of the model shows. */
static bool add_constant(PtScrub *scrub, const PtGraph *from, PtValueId v, const PtRole *roles,
                         PtValueId *map, GArray *slices, GArray *source, GError **error) {
  if (v == PT_NONE || map[v] != PT_NONE || !pt_value(from, v)->constant)
    return true;
  PtTensor *tensor = scrub_tensor(scrub->root, pt_value(from, v), roles[v], slices, error);
  if (!tensor)
    return false;
  char name[24];
  g_snprintf(name, sizeof name, "c%u", scrub->n_constants++);
  map[v] = pt_graph_add_constant(scrub->root, name, tensor);
  PtScrubbed pair = {map[v], v};
  g_array_append_val(source, pair);
  return true;
}

static bool add_body(PtScrub *scrub, const PtGraph *from, PtValueId *map, GArray *slices,
                     GArray *source, GError **error) {
  g_autofree PtRole *roles = pt_roles(from);
  g_autofree PtNodeId *order = g_new(PtNodeId, pt_graph_n_nodes(from) + 1);
  uint32_t done = random_order(from, scrub->rng, order);
  if (done != live_nodes(from)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "a piece has a cycle");
    return false;
  }
  for (uint32_t i = 0; i < done; i++) {
    const PtNode *node = pt_node(from, order[i]);
    for (uint32_t k = 0; k < node->n_inputs + node->n_captures; k++) {
      PtValueId v = k < node->n_inputs ? node->inputs[k] : node->captures[k - node->n_inputs];
      if (!add_constant(scrub, from, v, roles, map, slices, source, error))
        return false;
    }
    if (!add_node(scrub, node, scrub->root, map, error))
      return false;
  }
  for (guint i = 0; i < from->outputs->len; i++) {
    PtValueId v = pt_graph_output(from, i);
    if (!add_constant(scrub, from, v, roles, map, slices, source, error))
      return false;
    const PtValue *made = pt_value(scrub->root, map[v]);
    if (made->producer == PT_NONE && !made->constant && !made->is_input) {
      g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INPUT, "nothing makes the output \"%s\"",
                  pt_value(from, v)->name);
      return false;
    }
    pt_graph_add_output(scrub->root, map[v]);
  }
  return true;
}

PtGraph *pt_scrub(const PtGraph *from, const PtNoise *noise, PtRng *rng, GArray **source_out,
                  GError **error) {
  g_autoptr(PtGraph) to = pt_graph_new();
  g_autoptr(GHashTable) symbols = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GArray) slices = g_array_new(FALSE, FALSE, sizeof(PtSlice));
  g_autoptr(GArray) source = g_array_new(FALSE, FALSE, sizeof(PtScrubbed));
  g_autofree PtValueId *map = g_new(PtValueId, (gsize)pt_graph_n_values(from) + 1);
  memset(map, 0xff, ((gsize)pt_graph_n_values(from) + 1) * sizeof *map);
  PtScrub scrub = {.rng = rng, .symbols = symbols, .root = to};
  to->name = "g";
  to->ir_version = CLAMP(from->ir_version, MIN_IR_VERSION, MAX_IR_VERSION);
  pt_scrub_opsets(from, to);
  /* data that stays is referenced */
  pt_graph_hold(to, pt_graph_ref((PtGraph *)(uintptr_t)from), (GDestroyNotify)pt_graph_unref);
  if (!add_interface(&scrub, from, map, error) ||
      !add_body(&scrub, from, map, slices, source, error) ||
      !pt_place_slices(noise, slices, rng, error))
    return NULL;
  pt_graph_refresh_captures(to);
  if (source_out)
    *source_out = g_steal_pointer(&source);
  return g_steal_pointer(&to);
}
