/* scrub_attr.c: which attributes may go out, and in which shape: in order of their names, without
 * those that only repeat the operator's default, as exporters differ in these habits and sentinels
 * come from other exporters. */
#include "bundle/scrub_private.h"

#include <string.h>

/* Longer strings are no option of an operator: they hold a model, a vocabulary, a name. */
#define MAX_STRING 256

/* Defaults that are the same in every opset. "*": any operator of ai.onnx. ALL: every number of a
 * list. */
typedef struct Default {
  const char *ops, *attr; /* ops: names between spaces */
  enum { INT, FLOAT, ALL, TEXT } kind;
  double number;
  const char *text;
} Default;
static const Default defaults[] = {
    {" Conv ConvTranspose ConvInteger QLinearConv ", "group", INT, 1, NULL},
    {" Conv ConvTranspose ConvInteger QLinearConv MaxPool AveragePool LpPool ", "dilations", ALL, 1,
     NULL},
    {" Conv ConvTranspose ConvInteger QLinearConv MaxPool AveragePool LpPool ", "strides", ALL, 1,
     NULL},
    {" Conv ConvTranspose ConvInteger QLinearConv MaxPool AveragePool LpPool ", "pads", ALL, 0,
     NULL},
    {" ConvTranspose ", "output_padding", ALL, 0, NULL},
    {" Conv ConvTranspose ConvInteger QLinearConv MaxPool AveragePool LpPool ", "auto_pad", TEXT, 0,
     "NOTSET"},
    {" MaxPool AveragePool LpPool ", "ceil_mode", INT, 0, NULL},
    {" MaxPool ", "storage_order", INT, 0, NULL},
    {" AveragePool ", "count_include_pad", INT, 0, NULL},
    {" Gemm ", "alpha", FLOAT, 1, NULL},
    {" Gemm ", "beta", FLOAT, 1, NULL},
    {" Gemm ", "transA", INT, 0, NULL},
    {" Gemm ", "transB", INT, 0, NULL},
    {" BatchNormalization InstanceNormalization LayerNormalization ", "epsilon", FLOAT, 1e-5, NULL},
    {" BatchNormalization ", "momentum", FLOAT, 0.9, NULL},
    {" BatchNormalization ", "training_mode", INT, 0, NULL},
    {" LayerNormalization ", "axis", INT, -1, NULL},
    {" LayerNormalization ", "stash_type", INT, 1, NULL},
    {" ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSumExp "
     "ReduceSumSquare ReduceLogSum ArgMax ArgMin ",
     "keepdims", INT, 1, NULL},
    {" ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSumExp "
     "ReduceSumSquare ReduceLogSum ",
     "noop_with_empty_axes", INT, 0, NULL},
    {" ArgMax ArgMin ", "select_last_index", INT, 0, NULL},
    {" ArgMax ArgMin Gather GatherElements ScatterElements ", "axis", INT, 0, NULL},
    {" ScatterElements ScatterND ", "reduction", TEXT, 0, "none"},
    {" GatherND ", "batch_dims", INT, 0, NULL},
    {" Flatten ", "axis", INT, 1, NULL},
    {" Reshape ", "allowzero", INT, 0, NULL},
    {" Cast CastLike ", "saturate", INT, 1, NULL},
    {" Elu ", "alpha", FLOAT, 1, NULL},
    {" LeakyRelu ", "alpha", FLOAT, 0.01, NULL},
    {" HardSigmoid ", "alpha", FLOAT, 0.2, NULL},
    {" HardSigmoid ", "beta", FLOAT, 0.5, NULL},
    {" Gelu ", "approximate", TEXT, 0, "none"},
    {" DepthToSpace ", "mode", TEXT, 0, "DCR"},
    {" LSTM GRU RNN ", "direction", TEXT, 0, "forward"},
    {" LSTM GRU RNN ", "layout", INT, 0, NULL},
    {" LSTM ", "input_forget", INT, 0, NULL},
    {" CumSum ", "exclusive", INT, 0, NULL},
    {" CumSum ", "reverse", INT, 0, NULL},
    {" Mod ", "fmod", INT, 0, NULL},
    {" Trilu ", "upper", INT, 1, NULL},
    {" DequantizeLinear QuantizeLinear ", "block_size", INT, 0, NULL},
};

static bool listed(const char *names, const char *name) {
  g_autofree char *spaced = g_strconcat(" ", name, " ", NULL);
  return strstr(names, spaced) != NULL;
}

static bool has_value(const PtAttr *attr, const Default *d) {
  if (d->kind == INT)
    return attr->kind == PT_ATTR_INT && attr->as.ints[0] == (int64_t)d->number;
  if (d->kind == FLOAT)
    return attr->kind == PT_ATTR_FLOAT && attr->as.floats[0] == (float)d->number;
  if (d->kind == TEXT) {
    size_t size = 0;
    const void *text =
        attr->kind == PT_ATTR_STRING ? g_bytes_get_data(attr->as.strings[0], &size) : NULL;
    return text && size == strlen(d->text) && memcmp(text, d->text, size) == 0;
  }
  bool all = attr->kind == PT_ATTR_INTS;
  for (uint32_t i = 0; all && i < attr->count; i++)
    all = attr->as.ints[i] == (int64_t)d->number;
  return all;
}

static bool is_default(const PtNode *node, const PtAttr *attr) {
  for (size_t i = 0; node->domain[0] == '\0' && i < G_N_ELEMENTS(defaults); i++)
    if (g_str_equal(attr->name, defaults[i].attr) && listed(defaults[i].ops, node->op_type))
      return has_value(attr, &defaults[i]);
  return false;
}

/* ---- what may go out
 * --------------------------------------------------------------------------------- */
static bool standard(const PtNode *node) {
  return node->domain[0] == '\0' || g_str_has_prefix(node->domain, "com.microsoft");
}

static bool tensor_allowed(const PtNode *node, const PtTensor *tensor) {
  if (tensor->count <= 1 && tensor->dtype != PT_STRING)
    return true;
  return standard(node) && tensor->count <= 64 &&
         (tensor->dtype == PT_INT64 || tensor->dtype == PT_INT32 || tensor->dtype == PT_BOOL);
}

/* Lists that shape a standard operator are structure; any other list may be learned or a
 * vocabulary. */
static bool attr_allowed(const PtNode *node, const PtAttr *attr) {
  bool many = attr->count >= 2;
  switch (attr->kind) {
  case PT_ATTR_FLOATS:
    return !many || (standard(node) && (g_str_equal(attr->name, "activation_alpha") ||
                                        g_str_equal(attr->name, "activation_beta") ||
                                        g_str_equal(attr->name, "scales")));
  case PT_ATTR_INTS:
    return !many || (!g_str_equal(node->domain, "ai.onnx.ml") &&
                     !g_str_equal(node->op_type, "TfIdfVectorizer"));
  case PT_ATTR_STRING:
  case PT_ATTR_STRINGS:
    for (uint32_t i = 0; i < attr->count; i++)
      if (g_bytes_get_size(attr->as.strings[i]) > MAX_STRING)
        return false;
    return attr->kind == PT_ATTR_STRING ||
           (standard(node) && g_str_equal(attr->name, "activations"));
  case PT_ATTR_TENSOR:
  case PT_ATTR_TENSORS:
    for (uint32_t i = 0; i < attr->count; i++)
      if (!tensor_allowed(node, attr->as.tensors[i]))
        return false;
    return true;
  case PT_ATTR_TYPE:
    return false;
  default:
    return true;
  }
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const PtAttr *const *)a)->name, (*(const PtAttr *const *)b)->name);
}

/* A tensor of an attribute without its name and whatever else may hang on it. */
static PtTensor *plain_tensor(PtGraph *to, const PtTensor *tensor) {
  return pt_graph_tensor(to, tensor->dtype, tensor->rank, tensor->dims, tensor->data);
}

static bool add_nested(PtScrub *scrub, PtGraph *to, PtNodeId added, const PtAttr *attr,
                       const PtValueId *map, GError **error) {
  PtGraph **graphs = pt_arena_new_array(to->arena, PtGraph *, attr->count);
  for (uint32_t i = 0; i < attr->count; i++) {
    graphs[i] = pt_scrub_nested(scrub, attr->as.graphs[i], to, map, error);
    if (!graphs[i])
      return false;
  }
  PtNode *node = pt_node(to, added);
  PtAttr *grown = pt_arena_new_array(to->arena, PtAttr, node->n_attrs + 1);
  if (node->n_attrs)
    memcpy(grown, node->attrs, node->n_attrs * sizeof *grown);
  grown[node->n_attrs] = (PtAttr){.name = pt_arena_string(to->arena, attr->name),
                                  .kind = attr->kind,
                                  .count = attr->count,
                                  .as.graphs = graphs};
  node->attrs = grown;
  node->n_attrs++;
  return true;
}

static bool add_attr(PtScrub *scrub, PtGraph *to, PtNodeId added, const PtAttr *attr,
                     const PtValueId *map, GError **error) {
  if (attr->kind == PT_ATTR_GRAPH || attr->kind == PT_ATTR_GRAPHS)
    return add_nested(scrub, to, added, attr, map, error);
  if (attr->kind != PT_ATTR_TENSOR && attr->kind != PT_ATTR_TENSORS) {
    pt_node_add_attr_copy(to, added, attr, NULL);
    return true;
  }
  PtTensor **tensors = pt_arena_new_array(to->arena, PtTensor *, attr->count);
  for (uint32_t i = 0; i < attr->count; i++)
    if (!(tensors[i] = plain_tensor(to, attr->as.tensors[i]))) {
      g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_LIMIT, "an attribute's tensor is too large");
      return false;
    }
  PtAttr plain = {.name = attr->name, .kind = attr->kind, .count = attr->count};
  plain.as.tensors = tensors;
  pt_node_add_attr_copy(to, added, &plain, NULL);
  return true;
}

bool pt_scrub_attrs(PtScrub *scrub, const PtNode *node, PtGraph *to, PtNodeId added,
                    const PtValueId *map, GError **error) {
  g_autofree const PtAttr **sorted = g_new(const PtAttr *, node->n_attrs + 1);
  uint32_t n = 0;
  for (uint32_t i = 0; i < node->n_attrs; i++)
    if (!is_default(node, &node->attrs[i]))
      sorted[n++] = &node->attrs[i];
  qsort(sorted, n, sizeof *sorted, by_name);
  for (uint32_t i = 0; i < n; i++) {
    if (!attr_allowed(node, sorted[i])) {
      g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED,
                  "node \"%s\": attribute %s of %s may hold learned values or names", node->name,
                  sorted[i]->name, node->op_type);
      return false;
    }
    if (!add_attr(scrub, to, added, sorted[i], map, error))
      return false;
  }
  return true;
}
