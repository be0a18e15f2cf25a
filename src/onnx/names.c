/* Names of a file and the values they mean. In a file a name is looked up in its own graph, then in
 * the enclosing ones; a function's body is a world of its own. In a PtGraph a name is unique within
 * the graph and those nested in it. */
#include "onnx/onnx_private.h"

#include <string.h>

static void count_name(PtReader *reader, const char *name) {
  if (name && name[0]) {
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(reader->names, name));
    g_hash_table_insert(reader->names, (char *)(uintptr_t)name, GUINT_TO_POINTER(n + 1));
  }
}

static void count_graph(PtReader *reader, const Onnx__GraphProto *graph);

static void count_nodes(PtReader *reader, size_t n_nodes, Onnx__NodeProto **nodes) {
  for (size_t i = 0; i < n_nodes; i++) {
    for (size_t k = 0; k < nodes[i]->n_output; k++)
      count_name(reader, nodes[i]->output[k]);
    for (size_t a = 0; a < nodes[i]->n_attribute; a++) {
      const Onnx__AttributeProto *attr = nodes[i]->attribute[a];
      if (attr->g)
        count_graph(reader, attr->g);
      for (size_t k = 0; k < attr->n_graphs; k++)
        count_graph(reader, attr->graphs[k]);
    }
  }
}

static void count_graph(PtReader *reader, const Onnx__GraphProto *graph) {
  for (size_t i = 0; i < graph->n_input; i++)
    count_name(reader, graph->input[i]->name);
  for (size_t i = 0; i < graph->n_initializer; i++)
    count_name(reader, graph->initializer[i]->name);
  count_nodes(reader, graph->n_node, graph->node);
}

bool pt_onnx_count_names(PtReader *reader, const Onnx__ModelProto *model, GError **error) {
  (void)error;
  count_graph(reader, model->graph);
  for (size_t i = 0; i < model->n_functions; i++) {
    const Onnx__FunctionProto *function = model->functions[i];
    for (size_t k = 0; k < function->n_input; k++)
      count_name(reader, function->input[k]);
    for (size_t k = 0; k < function->n_attribute_proto; k++)
      if (function->attribute_proto[k]->g)
        count_graph(reader, function->attribute_proto[k]->g);
    count_nodes(reader, function->n_node, function->node);
  }
  return true;
}

const char *pt_onnx_fresh(PtReader *reader, const char *name) {
  /* from the number given last, or a thousand calls of a function take a million tries */
  guint n = GPOINTER_TO_UINT(g_hash_table_lookup(reader->hints, name));
  g_autofree char *text = g_strdup(name);
  while (g_hash_table_contains(reader->names, text)) {
    g_free(text);
    text = g_strdup_printf("%s_%u", name, ++n);
  }
  const char *fresh = pt_arena_string(reader->scratch, text);
  g_hash_table_insert(reader->names, (char *)(uintptr_t)fresh, GUINT_TO_POINTER(1));
  if (n > 0)
    g_hash_table_insert(reader->hints, g_strdup(name), GUINT_TO_POINTER(n));
  return fresh;
}

PtScope *pt_onnx_scope_new(PtGraph *graph, PtScope *parent, bool inlined) {
  PtScope *scope = g_new0(PtScope, 1);
  scope->parent = parent;
  scope->graph = graph;
  scope->inlined = inlined;
  scope->names = g_hash_table_new(g_str_hash, g_str_equal);
  return scope;
}

void pt_onnx_scope_free(PtScope *scope) {
  if (!scope)
    return;
  g_hash_table_unref(scope->names);
  g_free(scope);
}

bool pt_onnx_bind(PtReader *reader, PtScope *scope, const char *name, PtGraph *graph, PtValueId id,
                  const char *what, GError **error) {
  if (g_hash_table_contains(scope->names, name))
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "'%s' is made twice, the second time by %s; names must be unique", name,
                        what);
  PtBinding *binding = pt_arena_new_array(reader->scratch, PtBinding, 1);
  *binding = (PtBinding){graph, id};
  g_hash_table_insert(scope->names, (char *)(uintptr_t)name, binding);
  return true;
}

/* Whether this graph or one around it has a value of this name: a second one would shadow it. */
static bool is_visible(const PtGraph *graph, const char *name) {
  for (; graph; graph = graph->parent)
    if (pt_graph_find(graph, name) != PT_NONE)
      return true;
  return false;
}

bool pt_onnx_declare(PtReader *reader, PtScope *scope, const char *name, const char *what,
                     PtValueId *id, GError **error) {
  if (g_hash_table_contains(scope->names, name)) /* before a value is added */
    return pt_onnx_bind(reader, scope, name, NULL, PT_NONE, what, error);
  const char *unique =
      scope->inlined || is_visible(scope->graph, name) ? pt_onnx_fresh(reader, name) : name;
  *id = pt_graph_add_value(scope->graph, unique);
  if (*id == PT_NONE)
    return pt_onnx_fail(reader, error, PT_ERR_INTERNAL, "the name '%s' could not be given", unique);
  return pt_onnx_bind(reader, scope, name, scope->graph, *id, what, error);
}

bool pt_onnx_hoist(PtReader *reader, PtScope *scope, const char *name, PtTensor *tensor,
                   const char *what, GError **error) {
  if (g_hash_table_contains(scope->names, name))
    return pt_onnx_bind(reader, scope, name, NULL, PT_NONE, what, error);
  const bool own = scope->graph == reader->root && !scope->inlined;
  const bool alone = GPOINTER_TO_UINT(g_hash_table_lookup(reader->names, name)) == 1;
  const char *unique = own || (alone && !scope->inlined && !is_visible(scope->graph, name))
                           ? name
                           : pt_onnx_fresh(reader, name);
  const PtValueId id = pt_graph_add_constant(reader->root, unique, tensor);
  if (id == PT_NONE)
    return pt_onnx_fail(reader, error, PT_ERR_INTERNAL, "the name '%s' could not be given", unique);
  return pt_onnx_bind(reader, scope, name, reader->root, id, what, error);
}

/* `binding` as a value of `graph`, which is the binding's graph or nested in it. */
static bool import_value(PtReader *reader, PtBinding binding, PtGraph *graph, PtValueId *id,
                         GError **error) {
  if (binding.graph == graph || binding.id == PT_NONE) {
    *id = binding.id;
    return true;
  }
  PtValueId outer = PT_NONE;
  if (!graph->parent)
    return pt_onnx_fail(reader, error, PT_ERR_INTERNAL, "a value is read outside of its graph");
  if (!import_value(reader, binding, graph->parent, &outer, error))
    return false;
  const char *name = pt_value(graph->parent, outer)->name;
  *id = pt_graph_find(graph, name);
  if (*id == PT_NONE) {
    *id = pt_graph_add_value(graph, name);
    pt_value(graph, *id)->outer = outer;
    pt_value(graph, *id)->type = pt_type_copy(graph, &pt_value(graph->parent, outer)->type);
  }
  if (pt_value(graph, *id)->outer != outer)
    return pt_onnx_fail(reader, error, PT_ERR_INTERNAL, "the name '%s' shadows another", name);
  return true;
}

bool pt_onnx_resolve(PtReader *reader, const PtScope *scope, const char *name, PtGraph *graph,
                     PtValueId *id, bool *found, GError **error) {
  *id = PT_NONE;
  *found = false;
  for (; scope; scope = scope->parent) {
    const PtBinding *binding = g_hash_table_lookup(scope->names, name);
    if (!binding)
      continue;
    *found = true;
    return import_value(reader, *binding, graph, id, error);
  }
  return true;
}
