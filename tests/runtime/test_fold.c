/* What sizes that are known decide becomes a constant; what does not stays. */
#include "runtime/runtime.h"

#include <string.h>

static PtValueId ints(PtGraph *g, PtValueId v, int32_t rank, int64_t size) {
  PtDim d = {size, NULL};
  pt_value(g, v)->type = pt_type_tensor(g, PT_INT64, rank, &d);
  return v;
}

/* x [batch, 3, 4] -> Reshape to [x's axis 0, -1]; *also: Shape's values are an output, too. */
static PtGraph *reshape_graph(int64_t batch, bool also) {
  PtGraph *g = pt_graph_new();
  g->ir_version = 8;
  pt_graph_set_opset(g, "", 17);
  PtDim d[3] = {{batch, NULL}, {3, NULL}, {4, NULL}};
  PtType t = pt_type_tensor(g, PT_FLOAT, 3, d), out = pt_type_tensor(g, PT_FLOAT, 2, d);
  out.dims[1].size = 12;
  PtValueId x = pt_graph_add_input(g, "x", &t);
  PtValueId first = pt_graph_add_ints(g, (int64_t[]){0}, 1);
  PtValueId rest = pt_graph_add_ints(g, (int64_t[]){-1}, 1);
  PtValueId shape = ints(g, pt_graph_add_op(g, "Shape", &x, 1), 1, 3);
  PtValueId at = ints(g, pt_graph_add_op(g, "Gather", (PtValueId[]){shape, first}, 2), 1, 1);
  PtValueId twice = ints(g, pt_graph_add_op(g, "Mul", (PtValueId[]){at, rest}, 2), 1, 1);
  PtValueId back = ints(g, pt_graph_add_op(g, "Mul", (PtValueId[]){twice, rest}, 2), 1, 1);
  PtValueId to = ints(g, pt_graph_add_op(g, "Concat", (PtValueId[]){back, rest}, 2), 1, 2);
  pt_node_set_int(g, pt_graph_n_nodes(g) - 1, "axis", 0);
  PtValueId y = pt_graph_add_op(g, "Reshape", (PtValueId[]){x, to}, 2);
  pt_value(g, y)->type = out;
  pt_graph_add_output(g, y);
  if (also)
    pt_graph_add_output(g, shape);
  return g;
}

static void test_known(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) g = reshape_graph(2, false);
  g_assert_true(pt_runtime_fold(g, &error));
  g_assert_no_error(error);
  g_assert_true(pt_graph_check(g, &error));
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 1);
  const PtTensor *to = pt_value(g, pt_node(g, 0)->inputs[1])->constant;
  int64_t sizes[2];
  g_assert_nonnull(to);
  g_assert_cmpint(pt_tensor_ints(to, sizes, 2), ==, 2);
  g_assert_cmpint(sizes[0], ==, 2); /* minus one is a number like others on the way */
  g_assert_cmpint(sizes[1], ==, -1);
}

static void test_unknown(void) {
  g_autoptr(PtGraph) g = reshape_graph(-1, false);
  g_assert_true(pt_runtime_fold(g, NULL));
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 6);
}

/* An output stays computed; what follows from it needs it no more. */
static void test_output(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) g = reshape_graph(2, true);
  g_assert_true(pt_runtime_fold(g, &error));
  g_assert_true(pt_graph_check(g, &error));
  g_assert_cmpuint(g->outputs->len, ==, 2);
  g_assert_null(pt_value(g, pt_graph_output(g, 1))->constant);
}

/* A file that states other sizes than come out stays as it is. */
static void test_lie(void) {
  g_autoptr(PtGraph) g = reshape_graph(2, false);
  PtValueId to = pt_node(g, 5)->inputs[1];
  ints(g, to, 1, 3);
  g_assert_true(pt_runtime_fold(g, NULL));
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 6);
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  g_test_init(&argc, &argv, NULL);
  if (!pt_runtime_load(&error))
    return g_print("1..0 # SKIP %s\n", error->message), 0;
  g_test_add_func("/runtime/fold/known", test_known);
  g_test_add_func("/runtime/fold/unknown", test_unknown);
  g_test_add_func("/runtime/fold/output", test_output);
  g_test_add_func("/runtime/fold/lie", test_lie);
  return g_test_run();
}
