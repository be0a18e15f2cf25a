/* What the optimizer sent back: hostile. Size, count and nesting are limited before anything else
 * looks at it; the interface must be the piece's; operators and external data only what is known.
 */
#include "restore/restore_private.h"

#include "onnx/onnx.h"
#include "ops/ops.h"

#include <string.h>

/* A piece may grow by the weights it carries in place, float16 ones twice as wide and padded, never
 * without bound. */
#define ANSWER_BYTES_FLOOR (UINT64_C(64) << 20)
#define ANSWER_BYTES_FACTOR 4
#define ANSWER_NODES_FLOOR 10000
#define ANSWER_NODES_FACTOR 20
#define ANSWER_DEPTH_MORE 1

#define NCHWC_DOMAIN "com.microsoft.nchwc"

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *what = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(error, PT_RESTORE_ERROR, PT_ERR_REFUSED, "%s", what);
  return false;
}

static uint32_t depth_of(const PtGraph *graph) {
  uint32_t deepest = 0;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++)
    for (uint32_t a = 0; a < pt_node(graph, n)->n_attrs; a++) {
      const PtAttr *attr = &pt_node(graph, n)->attrs[a];
      if (attr->kind == PT_ATTR_GRAPH || attr->kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < attr->count; k++)
          deepest = MAX(deepest, 1 + depth_of(attr->as.graphs[k]));
    }
  return deepest;
}

static uint64_t constant_bytes(const PtGraph *graph) {
  uint64_t bytes = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++)
    if (pt_value(graph, v)->constant)
      bytes = pt_size_add(bytes, pt_value(graph, v)->constant->size);
  return bytes;
}

/* ---- interface
 * ------------------------------------------------------------------------------------ */
/* Sizes that both know must agree; a tool may learn or forget a size, which the checks on values
 * bear out. */
static bool types_agree(const PtType *ours, const PtType *theirs) {
  if (ours->kind != PT_TYPE_TENSOR || theirs->kind != PT_TYPE_TENSOR)
    return ours->kind == theirs->kind || theirs->kind == PT_TYPE_UNKNOWN ||
           ours->kind == PT_TYPE_UNKNOWN;
  if (ours->dtype != theirs->dtype && ours->dtype != PT_DTYPE_UNDEFINED &&
      theirs->dtype != PT_DTYPE_UNDEFINED)
    return false;
  if (ours->rank < 0 || theirs->rank < 0)
    return true;
  if (ours->rank != theirs->rank)
    return false;
  for (int32_t i = 0; i < ours->rank; i++)
    if (ours->dims[i].size >= 0 && theirs->dims[i].size >= 0 &&
        ours->dims[i].size != theirs->dims[i].size)
      return false;
  return true;
}

static bool check_border(const PtGraph *original, const GArray *ours, const PtGraph *answer,
                         const GArray *theirs, const char *what, GError **error) {
  if (ours->len != theirs->len)
    return refuse(error, "it has %u %ss, the piece has %u", theirs->len, what, ours->len);
  for (guint i = 0; i < ours->len; i++) {
    const PtType *a = &pt_value(original, g_array_index(ours, PtValueId, i))->type;
    const PtType *b = &pt_value(answer, g_array_index(theirs, PtValueId, i))->type;
    if (types_agree(a, b))
      continue;
    g_autofree char *have = pt_type_text(b), *want = pt_type_text(a);
    return refuse(error, "its %s %u is %s, the piece's is %s", what, i, have, want);
  }
  return true;
}

/* ---- operators
 * ------------------------------------------------------------------------------------ */
static bool has_op(const PtGraph *graph, const PtNode *like) {
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++) {
    const PtNode *node = pt_node(graph, n);
    if (g_str_equal(node->domain, like->domain) && g_str_equal(node->op_type, like->op_type))
      return true;
    for (uint32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < node->attrs[a].count; k++)
          if (has_op(node->attrs[a].as.graphs[k], like))
            return true;
  }
  return false;
}

static bool known_domain(const char *domain, const PtGraph *original, char **more) {
  static const char *const known[] = {"", "com.microsoft", NCHWC_DOMAIN};
  for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
    if (g_str_equal(domain, known[i]))
      return true;
  return (more && g_strv_contains((const char *const *)more, domain)) ||
         pt_graph_uses_domain(original, domain);
}

static bool check_node(const PtNode *node, const PtGraph *original, const PtAnswerPolicy *policy,
                       GError **error) {
  if (!known_domain(node->domain, original, policy->domains))
    return refuse(error, "it uses the operator %s of the unknown domain '%s'", node->op_type,
                  node->domain);
  const PtOp *op = pt_op_of(node);
  bool special = op && (op->op_class == PT_CLASS_CONTROL || (op->flags & PT_OP_RANDOM));
  if (special && !has_op(original, node))
    return refuse(error, "it has a node %s, the piece has none", node->op_type);
  if (g_str_equal(node->domain, NCHWC_DOMAIN) && policy->answers_block >= 0 &&
      policy->answers_block != policy->block)
    return refuse(error,
                  "it is laid out in blocks of %" G_GINT64_FORMAT
                  " for another CPU, this one has blocks of %" G_GINT64_FORMAT
                  ": optimize on this kind of CPU or with the portable target",
                  policy->answers_block, policy->block);
  for (uint32_t a = 0; a < node->n_attrs; a++) {
    const PtAttr *attr = &node->attrs[a];
    if (attr->kind == PT_ATTR_TENSOR || attr->kind == PT_ATTR_TENSORS)
      for (uint32_t k = 0; k < attr->count; k++)
        if (attr->as.tensors[k]->location)
          return refuse(error, "its attribute %s refers to external data", attr->name);
  }
  return true;
}

static bool check_nodes(const PtGraph *answer, const PtGraph *original,
                        const PtAnswerPolicy *policy, GError **error) {
  for (PtNodeId n = 0; n < pt_graph_n_nodes(answer); n++) {
    const PtNode *node = pt_node(answer, n);
    if (!check_node(node, original, policy, error))
      return false;
    for (uint32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < node->attrs[a].count; k++)
          if (!check_nodes(node->attrs[a].as.graphs[k], original, policy, error))
            return false;
  }
  uint64_t end = pt_noise_file_size(policy->noise);
  for (PtValueId v = 0; v < pt_graph_n_values(answer); v++) {
    const PtTensor *t = pt_value(answer, v)->constant;
    if (t && t->location && (t->offset > end || t->size > end - t->offset))
      return refuse(error, "its tensor %s lies outside " PT_NOISE_FILE, pt_value(answer, v)->name);
  }
  return true;
}

PtGraph *pt_answer_read(const char *path, const PtGraph *original, const PtAnswerPolicy *policy,
                        GError **error) {
  PtOnnxReadOptions options = {
      .external = PT_EXTERNAL_NAMED,
      .external_name = PT_NOISE_FILE,
      .max_bytes = ANSWER_BYTES_FLOOR +
                   MIN(ANSWER_BYTES_FACTOR * constant_bytes(original), UINT64_C(1) << 40),
      .max_nodes = MAX(ANSWER_NODES_FLOOR, ANSWER_NODES_FACTOR * pt_graph_n_nodes(original)),
      .max_depth = depth_of(original) + ANSWER_DEPTH_MORE};
  g_autoptr(PtGraph) answer = pt_onnx_read(path, &options, error);
  if (!answer ||
      !check_border(original, original->inputs, answer, answer->inputs, "input", error) ||
      !check_border(original, original->outputs, answer, answer->outputs, "output", error) ||
      !check_nodes(answer, original, policy, error))
    return NULL;
  return g_steal_pointer(&answer);
}
