/* From protobuf's structures to a PtGraph. In a file nodes may come before what they read, so every
 * graph is read twice: what its nodes make, then what they read. Constant nodes and nested
 * initializers become constants of the main graph; calls of local functions are replaced by their
 * bodies. */
#include "onnx/onnx_private.h"

#define MAX_PORTS 65536u /* inputs, or outputs, of one node */

const char *pt_onnx_domain_name(const char *domain) {
  return !domain || g_str_equal(domain, "ai.onnx") ? "" : domain;
}

const char *pt_onnx_node_text(PtReader *reader, const Onnx__NodeProto *node) {
  const char *name = node->name && node->name[0] ? node->name
                     : node->n_output            ? node->output[0]
                                                 : "";
  g_autofree char *text =
      g_strdup_printf("node '%.150s' (%.80s)", name, node->op_type ? node->op_type : "");
  return pt_arena_copy(reader->scratch, text, strlen(text) + 1);
}

static bool is_constant(const PtReader *reader, const Onnx__NodeProto *node) {
  return node->op_type && g_str_equal(node->op_type, "Constant") &&
         !pt_onnx_domain_name(node->domain)[0] && !pt_onnx_function_of(reader, node);
}

/* ---- what nodes make ----------------------------------------------------------------------------
 */

static bool declare_output(PtReader *reader, PtScope *scope, const char *name, GHashTable *preset,
                           const char *what, GError **error) {
  PtValueId id;
  const PtBinding *binding = preset ? g_hash_table_lookup(preset, name) : NULL;
  if (!binding)
    return pt_onnx_declare(reader, scope, name, what, &id, error);
  const PtBinding found = *binding;
  g_hash_table_remove(preset, name);
  return pt_onnx_bind(reader, scope, name, found.graph, found.id, what, error);
}

static bool lift_constant(PtReader *reader, PtScope *scope, PtFrame *frame,
                          const Onnx__NodeProto *node, const char *what, GError **error) {
  if (node->n_output != 1 || !node->output[0][0])
    return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s must have exactly one output", what);
  PtTensor *tensor = pt_onnx_constant(reader, scope, frame, node, what, error);
  return tensor && pt_onnx_hoist(reader, scope, node->output[0], tensor, what, error);
}

bool pt_onnx_declare_nodes(PtReader *reader, PtScope *scope, PtFrame *frame, size_t n_nodes,
                           Onnx__NodeProto **nodes, GHashTable *preset, GError **error) {
  for (size_t i = 0; i < n_nodes; i++) {
    const Onnx__NodeProto *node = nodes[i];
    const uint32_t max = reader->options.max_nodes;
    if (++reader->nodes > max)
      return pt_onnx_fail(reader, error, PT_ERR_LIMIT, "the model has more than %u nodes", max);
    if (!node->op_type || !node->op_type[0])
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s has no operator",
                          pt_onnx_node_text(reader, node));
    if (node->n_input > MAX_PORTS || node->n_output > MAX_PORTS)
      return pt_onnx_fail(reader, error, PT_ERR_LIMIT, "%s has more than %u inputs or outputs",
                          pt_onnx_node_text(reader, node), MAX_PORTS);
    if (!pt_onnx_charge(reader, 1 + node->n_input + node->n_output, error))
      return false;
    if (is_constant(reader, node)) {
      if (!lift_constant(reader, scope, frame, node, pt_onnx_node_text(reader, node), error))
        return false;
      continue;
    }
    for (size_t k = 0; k < node->n_output; k++)
      if (node->output[k][0] && !declare_output(reader, scope, node->output[k], preset,
                                                pt_onnx_node_text(reader, node), error))
        return false;
  }
  return true;
}

/* ---- what nodes read ----------------------------------------------------------------------------
 */

static bool resolve_all(PtReader *reader, const PtScope *scope, PtGraph *graph, size_t n,
                        char *const *names, PtValueId *ids, const char *what, GError **error) {
  for (size_t i = 0; i < n; i++) {
    bool found = true;
    ids[i] = PT_NONE;
    if (names[i][0] && !pt_onnx_resolve(reader, scope, names[i], graph, &ids[i], &found, error))
      return false;
    if (!found)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                          "%s reads '%s', which nothing makes; export the model again", what,
                          names[i]);
  }
  return true;
}

static bool add_node(PtReader *reader, PtScope *scope, PtFrame *frame, const Onnx__NodeProto *proto,
                     unsigned depth, GError **error) {
  PtGraph *graph = scope->graph;
  const char *what = pt_onnx_node_text(reader, proto);
  const PtFunction *function = pt_onnx_function_of(reader, proto);
  if (function)
    return pt_onnx_inline(reader, scope, frame, proto, function, graph, depth, what, error);
  const char *domain = pt_onnx_domain_name(proto->domain);
  if (!pt_onnx_domain(reader, frame, domain, what, error))
    return false;
  g_autofree PtValueId *inputs = g_new(PtValueId, proto->n_input + 1);
  g_autofree PtValueId *outputs = g_new(PtValueId, proto->n_output + 1);
  if (!resolve_all(reader, scope, graph, proto->n_input, proto->input, inputs, what, error) ||
      !resolve_all(reader, scope, graph, proto->n_output, proto->output, outputs, what, error))
    return false;
  const PtNodeId node =
      pt_graph_add_node(graph, domain, proto->op_type, inputs, (uint32_t)proto->n_input, outputs,
                        (uint32_t)proto->n_output);
  pt_node(graph, node)->name = pt_arena_string(graph->arena, proto->name ? proto->name : "");
  return pt_onnx_attrs(reader, scope, frame, proto, graph, node, depth, what, error);
}

bool pt_onnx_add_nodes(PtReader *reader, PtScope *scope, PtFrame *frame, size_t n_nodes,
                       Onnx__NodeProto **nodes, unsigned depth, GError **error) {
  for (size_t i = 0; i < n_nodes; i++)
    if (!is_constant(reader, nodes[i]) && !add_node(reader, scope, frame, nodes[i], depth, error))
      return false;
  return true;
}

/* ---- graphs -------------------------------------------------------------------------------------
 */

static bool add_initializers(PtReader *reader, const Onnx__GraphProto *proto, PtScope *scope,
                             GHashTable *inputs, GError **error) {
  if (proto->n_sparse_initializer)
    return pt_onnx_fail(
        reader, error, PT_ERR_UNSUPPORTED,
        "the graph has sparse initializers, which cannot be carried; export with dense ones");
  for (size_t i = 0; i < proto->n_initializer; i++) {
    const Onnx__TensorProto *initializer = proto->initializer[i];
    const char *name = initializer->name;
    if (!name || !name[0])
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "initializer %zu has no name", i);
    /* A loop always gives its body's inputs a value: a default for one is never read. */
    if (scope->graph != reader->root && g_hash_table_contains(inputs, name))
      continue;
    g_autofree char *what = g_strdup_printf("initializer '%.150s'", name);
    PtTensor *tensor = pt_onnx_tensor(reader, reader->root, initializer, what, error);
    if (!tensor || !pt_onnx_hoist(reader, scope, name, tensor, what, error))
      return false;
  }
  return true;
}

/* An input that has an initializer is a constant (IR below 4 lists all of them so), but not in
 * nested graphs. */
static bool add_inputs(PtReader *reader, const Onnx__GraphProto *proto, PtScope *scope,
                       GHashTable *inputs, GError **error) {
  PtGraph *graph = scope->graph;
  g_autoptr(GHashTable) constants = g_hash_table_new(g_str_hash, g_str_equal);
  for (size_t i = 0; i < proto->n_initializer && graph == reader->root; i++)
    if (proto->initializer[i]->name)
      g_hash_table_add(constants, proto->initializer[i]->name);
  for (size_t i = 0; i < proto->n_input; i++) {
    const char *name = proto->input[i]->name;
    PtValueId id;
    if (!name || !name[0])
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "graph input %zu has no name", i);
    if (!g_hash_table_add(inputs, (char *)(uintptr_t)name))
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "the graph has two inputs named '%s'", name);
    if (g_hash_table_contains(constants, name))
      continue;
    if (!pt_onnx_declare(reader, scope, name, "a graph input", &id, error))
      return false;
    PtType type;
    if (!pt_onnx_type(reader, graph, proto->input[i]->type, name, &type, error))
      return false;
    if (type.kind == PT_TYPE_UNKNOWN && graph == reader->root)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "graph input '%s' has no type", name);
    pt_value(graph, id)->type = type;
    pt_value(graph, id)->is_input = true;
    g_array_append_val(graph->inputs, id);
  }
  return true;
}

/* Types declared for values made here; what is known already (constants) stays. */
static bool declare_types(PtReader *reader, const PtScope *scope, size_t count,
                          Onnx__ValueInfoProto **infos, GError **error) {
  for (size_t i = 0; i < count; i++) {
    const char *name = infos[i]->name;
    PtType type;
    if (!name || !infos[i]->type)
      continue;
    const PtBinding *binding = g_hash_table_lookup(scope->names, name);
    if (!pt_onnx_type(reader, scope->graph, infos[i]->type, name, &type, error))
      return false;
    if (binding && binding->graph == scope->graph && binding->id != PT_NONE &&
        pt_value(binding->graph, binding->id)->type.kind == PT_TYPE_UNKNOWN)
      pt_value(binding->graph, binding->id)->type = type;
  }
  return true;
}

void pt_onnx_identity(PtReader *reader, PtGraph *graph, PtValueId from, PtValueId to) {
  if (pt_graph_opset(reader->root, "") < 0) /* any version has it */
    pt_graph_set_opset(reader->root, "", 14);
  pt_graph_add_node(graph, "", "Identity", &from, 1, &to, 1);
}

/* A nested graph's output must be made inside; what comes from outside passes through an Identity.
 */
static PtValueId made_inside(PtReader *reader, PtGraph *graph, PtValueId id) {
  const PtValue *value = pt_value(graph, id);
  if (graph == reader->root || value->outer == PT_NONE)
    return id;
  const char *name = pt_onnx_fresh(reader, value->name);
  const PtValueId copy = pt_graph_add_value(graph, name);
  pt_value(graph, copy)->type = pt_value(graph, id)->type;
  pt_onnx_identity(reader, graph, id, copy);
  return copy;
}

static bool add_outputs(PtReader *reader, const Onnx__GraphProto *proto, PtScope *scope,
                        GError **error) {
  for (size_t i = 0; i < proto->n_output; i++) {
    const char *name = proto->output[i]->name;
    PtValueId id = PT_NONE;
    bool found = false;
    if (name && name[0] && !pt_onnx_resolve(reader, scope, name, scope->graph, &id, &found, error))
      return false;
    if (!found || id == PT_NONE)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                          "graph output '%s' is made by nothing; export the model again",
                          name ? name : "");
    pt_graph_add_output(scope->graph, made_inside(reader, scope->graph, id));
  }
  return true;
}

bool pt_onnx_graph(PtReader *reader, const Onnx__GraphProto *proto, PtScope *parent, PtFrame *frame,
                   PtGraph *graph, unsigned depth, GError **error) {
  g_autoptr(PtScope) scope = pt_onnx_scope_new(graph, parent, false);
  g_autoptr(GHashTable) inputs = g_hash_table_new(g_str_hash, g_str_equal);
  graph->name = pt_arena_string(graph->arena, proto->name ? proto->name : "");
  return add_inputs(reader, proto, scope, inputs, error) &&
         add_initializers(reader, proto, scope, inputs, error) &&
         pt_onnx_declare_nodes(reader, scope, frame, proto->n_node, proto->node, NULL, error) &&
         declare_types(reader, scope, proto->n_output, proto->output, error) &&
         declare_types(reader, scope, proto->n_value_info, proto->value_info, error) &&
         pt_onnx_add_nodes(reader, scope, frame, proto->n_node, proto->node, depth, error) &&
         add_outputs(reader, proto, scope, error);
}
