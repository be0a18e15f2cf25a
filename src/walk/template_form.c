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
