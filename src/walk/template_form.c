/* template_form: in which opsets an operator, written as it is, means the same. */
#include "walk/walk_private.h"

/* Versions at which the written form or its meaning changed for what pieces hold; the first is the
 * operator's first. Not listed: since 7, unchanged. */
static const struct {
  const char *op;
  uint8_t versions[6];
} forms[] = {
    {"ArgMax", {1, 12}},
    {"ArgMin", {1, 12}},
    {"Attention", {23}},
    {"BitwiseAnd", {18}},
    {"BitwiseNot", {18}},
    {"BitwiseOr", {18}},
    {"BitwiseXor", {18}},
    {"BatchNormalization", {9}},
    {"CastLike", {15}},
    {"Celu", {12}},
    {"ConstantOfShape", {9}},
    {"CumSum", {11}},
    {"DequantizeLinear", {10}},
    {"Dropout", {7}},
    {"DynamicQuantizeLinear", {11}},
    {"Einsum", {12}},
    {"Equal", {7, 11}},
    {"Erf", {9}},
    {"Expand", {8}},
    {"GatherElements", {11}},
    {"GatherND", {11}},
    {"Gelu", {20}},
    {"GreaterOrEqual", {12}},
    {"GridSample", {16, 20}},
    {"GroupNormalization", {18, 21}},
    {"HardSwish", {14}},
    {"LayerNormalization", {17}},
    {"LessOrEqual", {12}},
    {"Max", {8}},
    {"Mean", {8}},
    {"Min", {8}},
    {"Mish", {18}},
    {"Mod", {10}},
    {"NonZero", {9}},
    {"OneHot", {9}},
    {"Pad", {2, 11}},
    {"QuantizeLinear", {10}},
    {"RMSNormalization", {23}},
    {"Range", {11}},
    {"ReduceL1", {1, 18}},
    {"ReduceL2", {1, 18}},
    {"ReduceLogSum", {1, 18}},
    {"ReduceLogSumExp", {1, 18}},
    {"ReduceProd", {1, 18}},
    {"ReduceSumSquare", {1, 18}},
    {"Resize", {10, 11, 13}},
    {"RotaryEmbedding", {23}},
    {"Round", {11}},
    {"ScatterElements", {11}},
    {"ScatterND", {11}},
    {"Scatter", {9, 11}},
    {"Shrink", {9}},
    {"Sign", {9}},
    {"Slice", {1, 10}},
    {"Split", {2, 13, 18}},
    {"Squeeze", {1, 13}},
    {"Sum", {8}},
    {"Swish", {24}},
    {"TopK", {1, 10, 11}},
    {"Trilu", {14}},
    {"Unsqueeze", {1, 13}},
    {"Upsample", {7, 9, 10}},
    {"Where", {9}},
};

void pt_walk_form_range(const char *op, int64_t opset, int64_t *since, int64_t *until) {
  *since = MIN(opset, 7);
  *until = INT64_MAX;
  for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
    if (!g_str_equal(forms[i].op, op))
      continue;
    for (const uint8_t *v = forms[i].versions; v < forms[i].versions + 6 && *v; v++) {
      if (*v <= opset)
        *since = *v;
      else {
        *until = *v - 1;
        return;
      }
    }
    return;
  }
}

/* Attributes that came with a version; leaving out what repeats the default, a node is of earlier
 * ones, too. */
static const struct {
  const char *op, *attr, *text;
  int64_t number;
  int64_t since;
} later[] = {
    {"Reshape", "allowzero", NULL, 0, 14},
    {"Cast", "saturate", NULL, 1, 19},
    {"Cast", "round_mode", "up", 0, 24},
    {"CastLike", "saturate", NULL, 1, 19},
    {"QuantizeLinear", "saturate", NULL, 1, 19},
    {"QuantizeLinear", "block_size", NULL, 0, 21},
    {"QuantizeLinear", "output_dtype", NULL, 0, 21},
    {"QuantizeLinear", "axis", NULL, 1, 13},
    {"DequantizeLinear", "block_size", NULL, 0, 21},
    {"DequantizeLinear", "axis", NULL, 1, 13},
    {"LSTM", "layout", NULL, 0, 14},
    {"GRU", "layout", NULL, 0, 14},
    {"RNN", "layout", NULL, 0, 14},
    {"Resize", "antialias", NULL, 0, 18},
    {"Resize", "keep_aspect_ratio_policy", "stretch", 0, 18},
    {"ScatterElements", "reduction", "none", 0, 16},
    {"ScatterND", "reduction", "none", 0, 16},
    {"GatherND", "batch_dims", NULL, 0, 12},
    {"AveragePool", "ceil_mode", NULL, 0, 10},
    {"AveragePool", "count_include_pad", NULL, 0, 7},
    {"MaxPool", "ceil_mode", NULL, 0, 10},
    {"MaxPool", "storage_order", NULL, 0, 8},
    {"Shape", "start", NULL, 0, 15},
    {"Gelu", "approximate", "none", 0, 20},
    {"GridSample", "align_corners", NULL, 0, 16},
    {"ArgMax", "select_last_index", NULL, 0, 12},
    {"ArgMin", "select_last_index", NULL, 0, 12},
    {"LayerNormalization", "stash_type", NULL, 1, 17},
    {"BatchNormalization", "training_mode", NULL, 0, 14},
    {"Split", "num_outputs", NULL, -1, 18},
    {"Shape", "end", NULL, -1, 15},
};

void pt_walk_drop_attr(PtNode *n, const char *name) {
  for (uint32_t i = 0; i < n->n_attrs; i++)
    if (g_str_equal(n->attrs[i].name, name)) {
      memmove(&n->attrs[i], &n->attrs[i + 1], (n->n_attrs - i - 1) * sizeof *n->attrs);
      n->n_attrs--;
      return;
    }
}

void pt_walk_drop_later(PtNode *node, int64_t *since) {
  for (size_t i = 0; i < G_N_ELEMENTS(later); i++) {
    const PtAttr *a = pt_node_attr(node, later[i].attr);
    if (!a || !g_str_equal(later[i].op, node->op_type))
      continue;
    bool plain = later[i].text ? pt_node_string_is(node, later[i].attr, later[i].text)
                               : a->kind == PT_ATTR_INT && a->as.ints[0] == later[i].number &&
                                     later[i].number >= 0;
    if (plain)
      pt_walk_drop_attr(node, later[i].attr);
    else
      *since = MAX(*since, later[i].since);
  }
}
