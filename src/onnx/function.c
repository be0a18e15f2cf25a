/* Model-local functions: every call is replaced by the body, which may call others but not itself.
 */
#include "onnx/onnx_private.h"

#include <string.h>

static char *function_key(const char *domain, const char *name, const char *overload) {
  return g_strdup_printf("%s\n%s\n%s", pt_onnx_domain_name(domain), name ? name : "",
                         overload ? overload : "");
}

static void function_free(void *data) {
  PtFunction *function = data;
  g_hash_table_unref(function->opsets);
  g_free(function);
}

static bool read_imports(PtReader *reader, PtFunction *function, GError **error) {
  const Onnx__FunctionProto *proto = function->proto;
  for (size_t i = 0; i < proto->n_opset_import; i++) {
    const char *domain = pt_onnx_domain_name(proto->opset_import[i]->domain);
    const int64_t *have = g_hash_table_lookup(function->opsets, domain);
    int64_t *version =
        pt_arena_copy(reader->scratch, &proto->opset_import[i]->version, sizeof *version);
    if (have && *have != *version)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                          "function '%s' imports two versions of the operator set '%s'",
                          proto->name, domain);
    g_hash_table_insert(function->opsets, (char *)(uintptr_t)domain, version);
  }
  return true;
}

bool pt_onnx_functions(PtReader *reader, const Onnx__ModelProto *model, GError **error) {
  reader->functions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, function_free);
  for (size_t i = 0; i < model->n_functions; i++) {
    const Onnx__FunctionProto *proto = model->functions[i];
    if (!proto->name || !proto->name[0])
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "function %zu has no name", i);
    char *key = function_key(proto->domain, proto->name, proto->overload);
    if (g_hash_table_contains(reader->functions, key)) {
      g_free(key);
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "the model has two functions named '%s'",
                          proto->name);
    }
    PtFunction *function = g_new0(PtFunction, 1);
    function->proto = proto;
    function->domain = pt_onnx_domain_name(proto->domain);
    function->opsets = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_insert(reader->functions, key, function);
    if (!read_imports(reader, function, error))
      return false;
  }
  return true;
}

const PtFunction *pt_onnx_function_of(const PtReader *reader, const Onnx__NodeProto *node) {
  if (g_hash_table_size(reader->functions) == 0)
    return NULL;
  g_autofree char *key = function_key(node->domain, node->op_type, node->overload);
  return g_hash_table_lookup(reader->functions, key);
}

bool pt_onnx_domain(PtReader *reader, const PtFrame *frame, const char *domain, const char *what,
                    GError **error) {
  const char *shown = domain[0] ? domain : "ai.onnx";
  const int64_t model = pt_graph_opset(reader->root, domain);
  if (!frame)
    return model >= 0 ||
           pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s is of the operator set '%s', which the model does not import", what,
                        shown);
  const char *name = frame->function->proto->name;
  const int64_t *version = g_hash_table_lookup(frame->function->opsets, domain);
  if (!version)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s is of the operator set '%s', which function '%s' does not import", what,
                        shown, name);
  if (model >= 0 && model != *version)
    return pt_onnx_fail(reader, error, PT_ERR_UNSUPPORTED,
                        "function '%s' imports version %" G_GINT64_FORMAT
                        " of the operator set '%s' and the "
                        "model %" G_GINT64_FORMAT "; convert the model to one version",
                        name, *version, shown, model);
  if (!domain[0] && (*version < PT_ONNX_MIN_OPSET || *version > PT_ONNX_MAX_OPSET))
    return pt_onnx_fail(reader, error, PT_ERR_UNSUPPORTED,
                        "function '%s' imports opset %" G_GINT64_FORMAT "; known are %d to %d",
                        name, *version, PT_ONNX_MIN_OPSET, PT_ONNX_MAX_OPSET);
  if (model < 0)
    pt_graph_set_opset(reader->root, domain, *version);
  return true;
}

/* ---- a call -------------------------------------------------------------------------------------
 */

static bool check_depth(PtReader *reader, const PtFrame *frame, const PtFunction *function,
                        const char *what, GError **error) {
  if (frame && frame->depth >= PT_ONNX_MAX_CALLS)
    return pt_onnx_fail(reader, error, PT_ERR_LIMIT,
                        "%s: functions call each other more than %d deep", what, PT_ONNX_MAX_CALLS);
  for (; frame; frame = frame->caller)
    if (frame->function == function)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s: function '%s' calls itself", what,
                          function->proto->name);
  return true;
}

/* The attributes the call gives, then the defaults of those it does not give. */
static bool bind_attrs(PtReader *reader, PtScope *scope, PtFrame *caller, PtFrame *frame,
                       const Onnx__NodeProto *call, const char *what, GError **error) {
  const Onnx__FunctionProto *proto = frame->function->proto;
  for (size_t i = 0; i < call->n_attribute; i++) {
    PtBoundAttr bound;
    if (!call->attribute[i]->name)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s has an attribute without a name", what);
    if (!pt_onnx_bound_attr(reader, call->attribute[i], scope, caller, what, &bound, error))
      return false;
    if (bound.proto)
      g_hash_table_insert(frame->attrs, call->attribute[i]->name,
                          pt_arena_copy(reader->scratch, &bound, sizeof bound));
  }
  for (size_t i = 0; i < proto->n_attribute_proto; i++) {
    Onnx__AttributeProto *fallback = proto->attribute_proto[i];
    const PtBoundAttr bound = {fallback, NULL, NULL};
    if (fallback->name && !g_hash_table_contains(frame->attrs, fallback->name))
      g_hash_table_insert(frame->attrs, fallback->name,
                          pt_arena_copy(reader->scratch, &bound, sizeof bound));
  }
  return true;
}

static bool bind_inputs(PtReader *reader, PtScope *scope, PtScope *body,
                        const Onnx__NodeProto *call, const Onnx__FunctionProto *proto,
                        const char *what, GError **error) {
  if (call->n_input > proto->n_input || call->n_output > proto->n_output)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s has more inputs or outputs than the function '%s'", what, proto->name);
  for (size_t i = 0; i < proto->n_input; i++) {
    PtValueId id = PT_NONE;
    bool found = true;
    const char *given = i < call->n_input ? call->input[i] : "";
    if (given[0] && !pt_onnx_resolve(reader, scope, given, body->graph, &id, &found, error))
      return false;
    if (!found)
      return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                          "%s reads '%s', which nothing makes; export the model again", what,
                          given);
    if (!pt_onnx_bind(reader, body, proto->input[i], body->graph, id, what, error))
      return false;
  }
  return true;
}

/* What the call's outputs are called inside -> the values they are outside. */
static bool preset_outputs(PtReader *reader, PtScope *scope, const PtScope *body,
                           const Onnx__NodeProto *call, const Onnx__FunctionProto *proto,
                           GHashTable *preset, PtValueId *outer, GError **error) {
  for (size_t i = 0; i < call->n_output; i++) {
    bool found;
    outer[i] = PT_NONE;
    if (!call->output[i][0])
      continue;
    if (!pt_onnx_resolve(reader, scope, call->output[i], body->graph, &outer[i], &found, error))
      return false;
    const char *inner = proto->output[i];
    if (g_hash_table_contains(body->names, inner) || g_hash_table_contains(preset, inner))
      continue; /* an input passed on, or the same value a second time */
    PtBinding *binding = pt_arena_new_array(reader->scratch, PtBinding, 1);
    *binding = (PtBinding){body->graph, outer[i]};
    g_hash_table_insert(preset, (char *)(uintptr_t)inner, binding);
  }
  return true;
}

/* Outputs that no node of the body made under the outer name: inputs passed on, constants, repeated
 * ones. */
static bool pass_outputs(PtReader *reader, const PtScope *body, const Onnx__NodeProto *call,
                         const Onnx__FunctionProto *proto, const PtValueId *outer, const char *what,
                         GError **error) {
  PtGraph *graph = body->graph;
  for (size_t i = 0; i < call->n_output; i++) {
    PtValueId id = PT_NONE;
    bool found = false;
    if (outer[i] == PT_NONE || pt_value(graph, outer[i])->producer != PT_NONE)
      continue;
    if (!pt_onnx_resolve(reader, body, proto->output[i], graph, &id, &found, error))
      return false;
    if (!found || id == PT_NONE || id == outer[i])
      return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                          "%s: nothing makes the output '%s' of function '%s'", what,
                          proto->output[i], proto->name);
    pt_onnx_identity(reader, graph, id, outer[i]);
  }
  return true;
}

bool pt_onnx_inline(PtReader *reader, PtScope *scope, PtFrame *caller, const Onnx__NodeProto *call,
                    const PtFunction *function, PtGraph *graph, unsigned depth, const char *what,
                    GError **error) {
  const Onnx__FunctionProto *proto = function->proto;
  if (!check_depth(reader, caller, function, what, error) ||
      !pt_onnx_charge(reader, 10 + proto->n_input + proto->n_output + proto->n_attribute_proto,
                      error))
    return false;
  g_autoptr(GHashTable) attrs = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) preset = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(PtScope) body = pt_onnx_scope_new(graph, NULL, true);
  g_autofree PtValueId *outer = g_new(PtValueId, call->n_output + 1);
  PtFrame frame = {function, attrs, caller, caller ? caller->depth + 1 : 1};
  return bind_attrs(reader, scope, caller, &frame, call, what, error) &&
         bind_inputs(reader, scope, body, call, proto, what, error) &&
         preset_outputs(reader, scope, body, call, proto, preset, outer, error) &&
         pt_onnx_declare_nodes(reader, body, &frame, proto->n_node, proto->node, preset, error) &&
         pt_onnx_add_nodes(reader, body, &frame, proto->n_node, proto->node, depth, error) &&
         pass_outputs(reader, body, call, proto, outer, what, error);
}
