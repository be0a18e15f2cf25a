/* types.c: ONNX Runtime's types as ours, and the type of every value of a graph. */
#include "runtime/runtime_private.h"

#include "ops/ops.h"

#include <string.h>

/* ONNX Runtime's element types are ONNX's numbers up to FLOAT4E2M1; behind it the order differs. */
static const PtDtype behind[] = {PT_UINT2, PT_INT2, PT_FLOAT8E8M0};

PtDtype pt_ort_dtype(int element_type) {
  int past = element_type - PT_FLOAT4E2M1 - 1;
  if (past >= 0)
    return past < (int)G_N_ELEMENTS(behind) ? behind[past] : PT_DTYPE_UNDEFINED;
  return element_type > 0 ? (PtDtype)element_type : PT_DTYPE_UNDEFINED;
}

int pt_ort_element_type(PtDtype dtype) {
  for (size_t i = 0; i < G_N_ELEMENTS(behind); i++)
    if (dtype == behind[i])
      return PT_FLOAT4E2M1 + 1 + (int)i;
  return dtype < PT_DTYPE_COUNT ? (int)dtype : 0;
}

static bool tensor_type(const OrtShapeInfo *info, PtGraph *into, PtType *type, GError **error) {
  static const char what[] = "cannot read a tensor's type";
  int element_type = 0;
  size_t rank = 0;
  if (!pt_ort_ok(pt_ort.GetTensorElementType(info, &element_type), what, error))
    return false;
  PtDtype dtype = pt_ort_dtype(element_type);
  if (!pt_ort.TensorTypeAndShape_HasShape(info)) {
    *type = pt_type_tensor(into, dtype, -1, NULL);
    return true;
  }
  if (!pt_ort_ok(pt_ort.GetDimensionsCount(info, &rank), what, error))
    return false;
  int64_t *sizes = g_new0(int64_t, rank + 1);
  const char **symbols = g_new0(const char *, rank + 1);
  PtDim *dims = g_new0(PtDim, rank + 1);
  bool ok = pt_ort_ok(pt_ort.GetDimensions(info, sizes, rank), what, error) &&
            pt_ort_ok(pt_ort.GetSymbolicDimensions(info, symbols, rank), what, error);
  for (size_t i = 0; ok && i < rank; i++) {
    dims[i].size = sizes[i] < 0 ? -1 : sizes[i];
    if (sizes[i] < 0 && symbols[i] && *symbols[i])
      dims[i].symbol = pt_arena_string(into->arena, symbols[i]);
  }
  if (ok)
    *type = pt_type_tensor(into, dtype, (int32_t)rank, dims);
  g_free(dims);
  g_free(symbols);
  g_free(sizes);
  return ok;
}

/* TypeProto { sequence_type = 4 { elem_type = 1: TypeProto { tensor_type = 1 { elem_type = 1 } } }
 * }: five small fields, so written here rather than through the onnx room. */
static bool sequence_type(const OrtTypeInfo *info, PtGraph *into, PtType *type, GError **error) {
  static const char what[] = "cannot read a sequence's type";
  const OrtSequenceTypeInfo *sequence = NULL;
  OrtTypeInfo *element = NULL;
  if (!pt_ort_ok(pt_ort.CastTypeInfoToSequenceTypeInfo(info, &sequence), what, error) ||
      !pt_ort_ok(pt_ort.GetSequenceElementType(sequence, &element), what, error))
    return false;
  const OrtShapeInfo *shape = NULL;
  int element_type = 0;
  bool ok = pt_ort_ok(pt_ort.CastTypeInfoToTensorInfo(element, &shape), what, error) &&
            (!shape || pt_ort_ok(pt_ort.GetTensorElementType(shape, &element_type), what, error));
  pt_ort.ReleaseTypeInfo(element);
  if (!ok)
    return false;
  *type = (PtType){.kind = PT_TYPE_OPAQUE, .rank = -1};
  PtDtype dtype = pt_ort_dtype(element_type);
  if (dtype != PT_DTYPE_UNDEFINED) {
    const uint8_t proto[] = {4 << 3 | 2, 6, 1 << 3 | 2, 4, 1 << 3 | 2, 2, 1 << 3, (uint8_t)dtype};
    type->opaque = pt_arena_copy(into->arena, proto, sizeof proto);
    type->opaque_size = sizeof proto;
  }
  return true;
}

bool pt_ort_type(const OrtTypeInfo *info, PtGraph *into, PtType *type, GError **error) {
  int kind = ORT_TYPE_UNKNOWN;
  const OrtShapeInfo *shape = NULL;
  *type = (PtType){.kind = PT_TYPE_UNKNOWN, .rank = -1};
  if (!pt_ort_ok(pt_ort.GetOnnxTypeFromTypeInfo(info, &kind), "cannot read a type", error))
    return false;
  switch (kind) {
  case ORT_TYPE_UNKNOWN:
    return true;
  case ORT_TYPE_TENSOR:
    return pt_ort_ok(pt_ort.CastTypeInfoToTensorInfo(info, &shape), "cannot read a type", error) &&
           (!shape || tensor_type(shape, into, type, error));
  case ORT_TYPE_SEQUENCE:
    return sequence_type(info, into, type, error);
  default:
    type->kind = PT_TYPE_OPAQUE;
    return true;
  }
}

/* ---- inference
 * ----------------------------------------------------------------------------------- */

/* `known` refined by `found`: what is known stays. True if something was learned. */
static bool refine(PtGraph *graph, PtType *known, const PtType *found) {
  if (known->kind == PT_TYPE_UNKNOWN && found->kind != PT_TYPE_UNKNOWN) {
    *known = *found;
    return true;
  }
  if (known->kind == PT_TYPE_OPAQUE && found->kind == PT_TYPE_OPAQUE && !known->opaque &&
      found->opaque) {
    *known = *found;
    return true;
  }
  if (known->kind != PT_TYPE_TENSOR || found->kind != PT_TYPE_TENSOR ||
      (known->dtype != PT_DTYPE_UNDEFINED && known->dtype != found->dtype))
    return false;
  if (known->rank < 0 && (found->rank >= 0 || known->dtype == PT_DTYPE_UNDEFINED)) {
    *known = *found;
    return true;
  }
  if (known->rank < 0 || known->rank != found->rank)
    return false;
  bool learned = known->dtype == PT_DTYPE_UNDEFINED;
  PtType merged = pt_type_tensor(graph, found->dtype, known->rank, known->dims);
  for (int32_t i = 0; i < known->rank; i++) {
    PtDim *dim = &merged.dims[i];
    const PtDim *other = &found->dims[i];
    if (dim->size < 0 && (other->size >= 0 || (!dim->symbol && other->symbol))) {
      *dim = *other;
      learned = true;
    }
  }
  if (learned)
    *known = merged;
  return learned;
}

static bool is_complete(const PtType *type) {
  if (type->kind != PT_TYPE_TENSOR)
    return type->kind == PT_TYPE_OPAQUE;
  if (type->rank < 0 || type->dtype == PT_DTYPE_UNDEFINED)
    return false;
  for (int32_t i = 0; i < type->rank; i++)
    if (type->dims[i].size < 0 && !type->dims[i].symbol)
      return false;
  return true;
}

/* Weights' values do not matter to types, and as inputs they cost nothing; what may steer a shape
 * stays. */
static bool steers(const PtTensor *t) {
  if (pt_tensor_is_empty(t) || t->location)
    return false;
  return pt_dtype_is_float(t->dtype) ? t->count <= 256 : t->size <= (1u << 20);
}

/* A copy of the graph with every produced value as an output. Constants without influence become
 * inputs where `weights_as_inputs`. */
static PtGraph *probe_of(const PtGraph *graph, bool weights_as_inputs) {
  PtGraph *probe = pt_graph_copy(graph);
  uint32_t n = pt_graph_n_values(probe);
  bool *is_output = g_new0(bool, n + 1);
  for (guint i = 0; i < probe->outputs->len; i++)
    is_output[pt_graph_output(probe, i)] = true;
  for (PtValueId v = 0; v < n; v++) {
    PtValue *value = pt_value(probe, v);
    const PtTensor *t = value->constant;
    if (value->producer != PT_NONE && !is_output[v]) {
      pt_graph_add_output(probe, v);
    } else if (weights_as_inputs && t && !value->is_input && !is_output[v] && !t->strings &&
               pt_dtype_bits(t->dtype) > 0 && !steers(t)) {
      PtDim *dims = g_new0(PtDim, t->rank + 1);
      for (uint32_t i = 0; i < t->rank; i++)
        dims[i].size = t->dims[i];
      value->type = pt_type_tensor(probe, t->dtype, (int32_t)t->rank, dims);
      value->constant = NULL;
      value->is_input = true;
      g_array_append_val(probe->inputs, v);
      g_free(dims);
    }
  }
  g_free(is_output);
  return probe;
}

/* The types that a session over `probe` at `level` knows of the values of `graph`, by value id;
 * NULL with error. */
static PtType *types_seen(PtGraph *graph, const PtGraph *probe, PtLevel level, GError **error) {
  PtSessionOptions options = {.level = level};
  PtSession *session = pt_session_new(probe, &options, error);
  if (!session)
    return NULL;
  PtType *found = g_new0(PtType, pt_graph_n_values(graph) + 1);
  for (uint32_t i = 0; found && i < pt_session_n_outputs(session); i++) {
    /* By name, as an output may be listed twice or left out. */
    PtValueId v = pt_graph_find(graph, pt_session_output_name(session, i));
    if (v != PT_NONE && !pt_session_output_type(session, i, graph, &found[v], error))
      g_clear_pointer(&found, g_free);
  }
  pt_session_free(session);
  return found;
}

/* One look through a session at `level`; *learned: whether it told anything new. */
static bool look(PtGraph *graph, PtLevel level, bool weights_as_inputs, bool *learned,
                 GError **error) {
  PtGraph *probe = probe_of(graph, weights_as_inputs);
  PtType *found = types_seen(graph, probe, level, error);
  *learned = false;
  for (PtValueId v = 0; found && v < pt_graph_n_values(graph); v++)
    if (found[v].kind != PT_TYPE_UNKNOWN && refine(graph, &pt_value(graph, v)->type, &found[v]))
      *learned = true;
  bool ok = found != NULL;
  g_free(found);
  pt_graph_unref(probe);
  return ok;
}

static bool any_open(const PtGraph *graph) {
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++)
    if (pt_value(graph, v)->producer != PT_NONE && !is_complete(&pt_value(graph, v)->type))
      return true;
  return false;
}

/* The operator table's own rules, where ONNX Runtime has none (GreaterOrEqual before opset 16).
 * True if one told anything. */
static bool apply_rules(PtGraph *graph) {
  uint32_t n = pt_graph_n_nodes(graph);
  PtNodeId *order = g_new(PtNodeId, n + 1);
  GArray *types = g_array_new(FALSE, TRUE, sizeof(PtType));
  bool learned = false, ordered = pt_graph_toposort(graph, order, NULL);
  for (uint32_t i = 0; ordered && i < n; i++) {
    const PtNode *node = pt_node(graph, order[i]);
    bool open = false;
    for (uint32_t o = 0; o < node->n_outputs; o++)
      open |= node->outputs[o] != PT_NONE && !is_complete(&pt_value(graph, node->outputs[o])->type);
    if (!open)
      continue;
    g_array_set_size(types, node->n_outputs);
    PtType *found = &g_array_index(types, PtType, 0);
    if (!pt_op_infer(graph, node, found))
      continue;
    for (uint32_t o = 0; o < node->n_outputs; o++)
      if (node->outputs[o] != PT_NONE && found[o].kind != PT_TYPE_UNKNOWN)
        learned |= refine(graph, &pt_value(graph, node->outputs[o])->type, &found[o]);
  }
  g_array_free(types, TRUE);
  g_free(order);
  return learned;
}

/* Everything that can be told without choosing sizes. What one look told is declared in the next,
 * which goes on from there; the limit is for chains that fold one link at a time. */
static bool settle(PtGraph *graph, GError **error) {
  GError *first = NULL;
  bool as_inputs = true, learned = false;
  if (!look(graph, PT_LEVEL_NONE, true, &learned, &first)) {
    /* A few kernels want their weights as initializers; the first message is the one about the
     * model itself. */
    as_inputs = false;
    if (!look(graph, PT_LEVEL_NONE, false, &learned, NULL)) {
      g_propagate_error(error, first);
      return false;
    }
    g_clear_error(&first);
  }
  for (int i = 0; i < 8 && any_open(graph); i++) {
    /* Folding constants tells more; where it fails, level 0 and the rules are all there is. */
    if (!look(graph, PT_LEVEL_BASIC, as_inputs, &learned, NULL))
      learned = false;
    if (!apply_rules(graph) && !learned)
      break;
  }
  return true;
}

/* ---- symbols that only concrete sizes show
 * -------------------------------------------------------- */

/* Shape -> Gather -> Concat -> Reshape is not folded where the batch is a symbol. So give every
 * symbol a size, fold, and do it again with other sizes: what is the same twice does not depend on
 * them, and what has a symbol's size twice is that symbol. */
enum { LOOKS = 2 };

static void set_sizes(PtGraph *probe, PtSizes *sizes) {
  for (PtValueId v = 0; v < pt_graph_n_values(probe); v++) {
    PtValue *value = pt_value(probe, v);
    if (value->producer != PT_NONE) {
      value->type = (PtType){.kind = PT_TYPE_UNKNOWN, .rank = -1};
    } else if (value->is_input && value->type.kind == PT_TYPE_TENSOR && value->type.rank > 0) {
      PtType fixed = pt_type_copy(probe, &value->type);
      for (int32_t i = 0; i < fixed.rank; i++) {
        fixed.dims[i].size = pt_dim_size(sizes, &value->type, i);
        fixed.dims[i].symbol = NULL;
      }
      value->type = fixed;
    }
  }
}

/* The symbol that has these sizes, NULL if there is none or several. */
static const char *symbol_of(PtSizes *sizes, const int64_t *size) {
  const char *found = NULL;
  GHashTableIter iter;
  void *symbol, *first;
  g_hash_table_iter_init(&iter, sizes[0].table);
  while (g_hash_table_iter_next(&iter, &symbol, &first)) {
    const int64_t *second = g_hash_table_lookup(sizes[1].table, symbol);
    if (*(const int64_t *)first != size[0] || !second || *second != size[1])
      continue;
    if (found)
      return NULL;
    found = symbol;
  }
  return found;
}

static void close_type(PtGraph *graph, PtType *type, const PtType *a, const PtType *b,
                       PtSizes *sizes) {
  if (a->kind != PT_TYPE_TENSOR || b->kind != PT_TYPE_TENSOR || a->rank < 0 || a->rank != b->rank)
    return;
  PtType found = pt_type_copy(graph, a);
  for (int32_t i = 0; i < a->rank; i++) {
    const int64_t size[LOOKS] = {a->dims[i].size, b->dims[i].size};
    PtDim *dim = &found.dims[i];
    *dim = (PtDim){.size = -1};
    if (size[0] < 0 || size[1] < 0)
      continue;
    const char *symbol = size[0] == size[1] ? NULL : symbol_of(sizes, size);
    if (size[0] == size[1])
      dim->size = size[0];
    else if (symbol)
      dim->symbol = pt_arena_string(graph->arena, symbol);
  }
  refine(graph, type, &found);
}

static void look_with_sizes(PtGraph *graph) {
  PtSizes sizes[LOOKS];
  PtGraph *fixed[LOOKS];
  bool ok = true;
  for (int i = 0; i < LOOKS; i++) {
    /* Large enough for a network that divides by 32, small enough to fold a mask of their product.
     */
    pt_sizes_init(&sizes[i], i ? 320 : 96, i ? 12 : 2, 32);
    fixed[i] = pt_graph_copy(graph);
    set_sizes(fixed[i], &sizes[i]);
    ok = ok && settle(fixed[i], NULL);
  }
  for (PtValueId v = 0; ok && v < pt_graph_n_values(graph); v++) {
    PtType *type = &pt_value(graph, v)->type;
    if (pt_value(graph, v)->producer != PT_NONE && !is_complete(type))
      close_type(graph, type, &pt_value(fixed[0], v)->type, &pt_value(fixed[1], v)->type, sizes);
  }
  for (int i = 0; i < LOOKS; i++) {
    pt_graph_unref(fixed[i]);
    pt_sizes_clear(&sizes[i]);
  }
}

/* Constants carry their types already; the IR keeps them in the value as well, for whoever asks a
 * value. */
static void type_constants(PtGraph *graph) {
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
    PtValue *value = pt_value(graph, v);
    const PtTensor *t = value->constant;
    if (!t)
      continue;
    PtDim *dims = g_new0(PtDim, t->rank + 1);
    for (uint32_t i = 0; i < t->rank; i++)
      dims[i].size = t->dims[i];
    value->type = pt_type_tensor(graph, t->dtype, (int32_t)t->rank, dims);
    g_free(dims);
  }
}

bool pt_runtime_infer_types(PtGraph *graph, GError **error) {
  if (!pt_runtime_load(error))
    return false;
  type_constants(graph);
  if (!settle(graph, error))
    return false;
  if (any_open(graph)) {
    look_with_sizes(graph);
    apply_rules(graph);
  }
  return true;
}
