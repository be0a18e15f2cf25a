/* AttributeProto to PtAttr, references to a function's attributes followed; and what a Constant
 * node holds. */
#include "onnx/onnx_private.h"

#include <string.h>

/* Where in the file, for errors, and in which graph. */
typedef struct Place {
  PtReader *reader;
  PtGraph *graph;
  unsigned depth;
  const char *what; /* the node */
  const char *name; /* the attribute */
} Place;

static bool wrong(const Place *place, GError **error, const char *why) {
  return pt_onnx_fail(place->reader, error, PT_ERR_INPUT, "%s: attribute '%s' %s", place->what,
                      place->name, why);
}

/* The kind, told by the content where an old writer left it out. */
static int32_t kind_of(const Onnx__AttributeProto *a) {
  if (a->has_type && a->type != 0)
    return a->type;
  if (a->has_f)
    return PT_ATTR_FLOAT;
  if (a->has_i)
    return PT_ATTR_INT;
  if (a->has_s)
    return PT_ATTR_STRING;
  if (a->t)
    return PT_ATTR_TENSOR;
  if (a->g)
    return PT_ATTR_GRAPH;
  if (a->n_floats)
    return PT_ATTR_FLOATS;
  if (a->n_ints)
    return PT_ATTR_INTS;
  if (a->n_strings)
    return PT_ATTR_STRINGS;
  if (a->n_tensors)
    return PT_ATTR_TENSORS;
  if (a->n_graphs)
    return PT_ATTR_GRAPHS;
  if (a->tp)
    return PT_ATTR_TYPE;
  if (a->sparse_tensor)
    return PT_PB_ATTR_SPARSE_TENSOR;
  return a->n_sparse_tensors ? PT_PB_ATTR_SPARSE_TENSORS : a->n_type_protos ? PT_PB_ATTR_TYPES : 0;
}

bool pt_onnx_bound_attr(PtReader *reader, const Onnx__AttributeProto *proto, PtScope *scope,
                        PtFrame *frame, const char *node, PtBoundAttr *bound, GError **error) {
  *bound = (PtBoundAttr){proto, scope, frame};
  const char *reference = proto->ref_attr_name;
  if (!reference || !reference[0])
    return true;
  if (!frame)
    return pt_onnx_fail(
        reader, error, PT_ERR_INPUT,
        "%s: attribute '%s' refers to a function's attribute outside of any function", node,
        proto->name ? proto->name : "");
  const PtBoundAttr *given = g_hash_table_lookup(frame->attrs, reference);
  if (!given) {
    bound->proto = NULL;
    return true;
  }
  *bound = *given;
  if (proto->has_type && proto->type != 0 && kind_of(bound->proto) != proto->type)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "%s: attribute '%s' has another type than the function's attribute '%s'",
                        node, proto->name ? proto->name : "", reference);
  return true;
}

static GBytes *hold_bytes(PtGraph *graph, const void *data, size_t size) {
  GBytes *bytes = g_bytes_new(data, size);
  pt_graph_hold(graph, bytes, (GDestroyNotify)g_bytes_unref);
  return bytes;
}

static void fill_strings(PtGraph *graph, const ProtobufCBinaryData *from, size_t count,
                         PtAttr *attr) {
  GBytes **strings = pt_arena_new_array(graph->arena, GBytes *, count);
  for (size_t i = 0; i < count; i++)
    strings[i] = hold_bytes(graph, from[i].data, from[i].len);
  attr->as.strings = strings;
}

static bool fill_tensors(const Place *place, Onnx__TensorProto *const *from, size_t count,
                         PtAttr *attr, GError **error) {
  PtTensor **tensors = pt_arena_new_array(place->graph->arena, PtTensor *, count);
  g_autofree char *what = g_strdup_printf("%s: attribute '%s'", place->what, place->name);
  for (size_t i = 0; i < count; i++)
    if (!(tensors[i] = pt_onnx_tensor(place->reader, place->graph, from[i], what, error)))
      return false;
  attr->as.tensors = tensors;
  return true;
}

static bool fill_graphs(const Place *place, const PtBoundAttr *bound, Onnx__GraphProto *const *from,
                        size_t count, PtAttr *attr, GError **error) {
  PtReader *reader = place->reader;
  if (place->depth >= reader->options.max_depth)
    return pt_onnx_fail(reader, error, PT_ERR_LIMIT, "%s: graphs are nested more than %u deep",
                        place->what, reader->options.max_depth);
  PtGraph **graphs = pt_arena_new_array(place->graph->arena, PtGraph *, count);
  for (size_t i = 0; i < count; i++) {
    if (!pt_onnx_charge(reader, 1000, error)) /* a graph is some kilobytes, even if it is empty */
      return false;
    graphs[i] = pt_graph_new_nested(place->graph); /* held by its parent */
    if (!pt_onnx_graph(reader, from[i], bound->scope, bound->frame, graphs[i], place->depth + 1,
                       error))
      return false;
  }
  attr->as.graphs = graphs;
  return true;
}

static void fill_type(PtGraph *graph, const Onnx__TypeProto *type, PtAttr *attr) {
  const size_t size = onnx__type_proto__get_packed_size(type);
  g_autofree uint8_t *packed = g_malloc(size + 1);
  onnx__type_proto__pack(type, packed);
  const ProtobufCBinaryData data = {size, packed};
  fill_strings(graph, &data, 1, attr);
}

static bool fill(const Place *place, const PtBoundAttr *bound, PtAttr *attr, GError **error) {
  const Onnx__AttributeProto *a = bound->proto;
  PtArena *arena = place->graph->arena;
  const int32_t kind = kind_of(a);
  attr->kind = (PtAttrKind)kind;
  attr->count = 1;
  switch (kind) {
  case PT_ATTR_FLOAT:
    attr->as.floats = pt_arena_copy(arena, &a->f, sizeof a->f);
    return true;
  case PT_ATTR_INT:
    attr->as.ints = pt_arena_copy(arena, &a->i, sizeof a->i);
    return true;
  case PT_ATTR_STRING:
    fill_strings(place->graph, &a->s, 1, attr);
    return true;
  case PT_ATTR_FLOATS:
    attr->count = (uint32_t)a->n_floats;
    attr->as.floats = pt_arena_copy(arena, a->floats, a->n_floats * sizeof *a->floats);
    return true;
  case PT_ATTR_INTS:
    attr->count = (uint32_t)a->n_ints;
    attr->as.ints = pt_arena_copy(arena, a->ints, a->n_ints * sizeof *a->ints);
    return true;
  case PT_ATTR_STRINGS:
    attr->count = (uint32_t)a->n_strings;
    fill_strings(place->graph, a->strings, a->n_strings, attr);
    return true;
  case PT_ATTR_TENSOR:
    return a->t ? fill_tensors(place, &a->t, 1, attr, error) : wrong(place, error, "has no tensor");
  case PT_ATTR_TENSORS:
    attr->count = (uint32_t)a->n_tensors;
    return fill_tensors(place, a->tensors, a->n_tensors, attr, error);
  case PT_ATTR_GRAPH:
    return a->g ? fill_graphs(place, bound, &a->g, 1, attr, error)
                : wrong(place, error, "has no graph");
  case PT_ATTR_GRAPHS:
    attr->count = (uint32_t)a->n_graphs;
    return fill_graphs(place, bound, a->graphs, a->n_graphs, attr, error);
  case PT_ATTR_TYPE:
    if (!a->tp)
      return wrong(place, error, "has no type");
    fill_type(place->graph, a->tp, attr);
    return true;
  case PT_PB_ATTR_SPARSE_TENSOR:
  case PT_PB_ATTR_SPARSE_TENSORS:
  case PT_PB_ATTR_TYPES:
    return pt_onnx_fail(place->reader, error, PT_ERR_UNSUPPORTED,
                        "%s: attribute '%s' is sparse or a list of types, which cannot be carried; "
                        "export with dense tensors",
                        place->what, place->name);
  default:
    return wrong(place, error, "has no value of a known type");
  }
}

/* A call of a function reads its attributes once more, so their size counts. */
static uint64_t attr_work(const Onnx__AttributeProto *a) {
  return 1 + (a->n_floats + a->n_ints) / 8 + a->n_strings + a->n_tensors + a->n_graphs;
}

bool pt_onnx_attrs(PtReader *reader, PtScope *scope, PtFrame *frame, const Onnx__NodeProto *proto,
                   PtGraph *graph, PtNodeId node, unsigned depth, const char *what,
                   GError **error) {
  PtAttr *attrs = pt_arena_new_array(graph->arena, PtAttr, proto->n_attribute);
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  uint32_t count = 0;
  for (size_t i = 0; i < proto->n_attribute; i++) {
    const Onnx__AttributeProto *a = proto->attribute[i];
    PtBoundAttr bound;
    Place place = {reader, graph, depth, what, a->name ? a->name : ""};
    if (!place.name[0] || !g_hash_table_add(seen, a->name))
      return wrong(&place, error, "has no name, or one that the node has already");
    if (!pt_onnx_bound_attr(reader, a, scope, frame, what, &bound, error))
      return false;
    if (!bound.proto)
      continue; /* the call left it out and it has no default: it is left out here too */
    if (!pt_onnx_charge(reader, attr_work(bound.proto), error))
      return false;
    attrs[count].name = pt_arena_string(graph->arena, a->name);
    if (!fill(&place, &bound, &attrs[count], error))
      return false;
    /* after every one, so that captures of nested graphs are found whenever somebody looks */
    pt_node(graph, node)->attrs = attrs;
    pt_node(graph, node)->n_attrs = ++count;
  }
  return true;
}

static PtTensor *strings_tensor(PtGraph *graph, const PtAttr *attr, uint32_t rank) {
  const int64_t dims[1] = {attr->count};
  PtTensor *tensor = pt_graph_tensor(graph, PT_STRING, rank, dims, NULL);
  if (tensor)
    tensor->strings = attr->as.strings;
  return tensor;
}

PtTensor *pt_onnx_constant(PtReader *reader, PtScope *scope, PtFrame *frame,
                           const Onnx__NodeProto *proto, const char *what, GError **error) {
  PtGraph *root = reader->root;
  PtBoundAttr bound = {0};
  if (proto->n_attribute != 1 || proto->n_input != 0) {
    pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s must have exactly one attribute and no input",
                 what);
    return NULL;
  }
  const Onnx__AttributeProto *a = proto->attribute[0];
  if (!pt_onnx_bound_attr(reader, a, scope, frame, what, &bound, error))
    return NULL;
  PtAttr attr = {0};
  const Place place = {reader, root, 0, what, a->name ? a->name : ""};
  if (!bound.proto) {
    wrong(&place, error, "refers to an attribute that the call does not give");
    return NULL;
  }
  const int32_t kind = kind_of(bound.proto);
  const bool graphs = kind == PT_ATTR_GRAPH || kind == PT_ATTR_GRAPHS || kind == PT_ATTR_TENSORS;
  if (graphs || !g_str_has_prefix(place.name, "value")) {
    if (g_str_equal(place.name, "sparse_value"))
      pt_onnx_fail(reader, error, PT_ERR_UNSUPPORTED,
                   "%s is sparse, which cannot be carried; export with dense tensors", what);
    else
      wrong(&place, error, "is no value of a constant");
    return NULL;
  }
  if (!pt_onnx_charge(reader, attr_work(bound.proto), error) || !fill(&place, &bound, &attr, error))
    return NULL;
  const int64_t dims[1] = {attr.count};
  switch (attr.kind) {
  case PT_ATTR_TENSOR:
    return attr.as.tensors[0];
  case PT_ATTR_FLOAT:
  case PT_ATTR_FLOATS:
    return pt_graph_tensor(root, PT_FLOAT, attr.kind == PT_ATTR_FLOATS, dims, attr.as.floats);
  case PT_ATTR_INT:
  case PT_ATTR_INTS:
    return pt_graph_tensor(root, PT_INT64, attr.kind == PT_ATTR_INTS, dims, attr.as.ints);
  case PT_ATTR_STRING:
  case PT_ATTR_STRINGS:
    return strings_tensor(root, &attr, attr.kind == PT_ATTR_STRINGS);
  default:
    wrong(&place, error, "is no value of a constant");
    return NULL;
  }
}
