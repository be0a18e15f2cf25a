/* What the judge refuses that ONNX Runtime takes until it runs. */
#include "sentinel/sentinel_private.h"

#include "runtime/runtime.h"

/* x [1,8,n] -> InstanceNormalization with a scale and an offset of `count` -> `then` */
static PtGraph *normalization(int64_t count, const char *then) {
  PtGraph *g = pt_graph_new();
  PtDim dims[] = {{1, NULL}, {8, NULL}, {-1, "n"}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 3, dims);
  g_autofree float *ones = g_new0(float, (gsize)count);
  pt_graph_set_opset(g, "", 17);
  g->ir_version = 8;
  PtValueId in[] = {pt_graph_add_input(g, "x", &type), PT_NONE, PT_NONE};
  for (int i = 1; i < 3; i++)
    in[i] = pt_graph_add_constant(g, NULL,
                                  count == 1 ? pt_graph_tensor_copy(g, PT_FLOAT, 1, &count, ones)
                                             : pt_graph_tensor(g, PT_FLOAT, 1, &count, NULL));
  PtValueId out = pt_graph_add_op(g, "InstanceNormalization", in, 3);
  out = pt_graph_add_op(g, then, &out, 1);
  pt_value(g, out)->type = pt_type_copy(g, &type);
  pt_graph_add_output(g, out);
  return g;
}

static void test_one_channel(void) {
  g_autoptr(PtGraph) real = normalization(8, "Relu");
  g_autoptr(PtGraph) good = normalization(8, "Tanh");
  g_autoptr(PtGraph) bad = normalization(1, "Tanh");
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  PtJudge judge = {real, seen, UINT64_MAX};
  g_assert_false(pt_judge(&judge, bad));
  g_assert_true(pt_judge(&judge, good));
  g_assert_false(pt_judge(&judge, good)); /* seen */
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_runtime_load(&error));
  g_test_add_func("/sentinel/judge/one-channel", test_one_channel);
  return g_test_run();
}
