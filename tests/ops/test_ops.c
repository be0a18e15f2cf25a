/* The operator table, the roles of constants, shape rules on small graphs. */
#include "ops/ops.h"

static PtValueId input(PtGraph *g, PtDtype dtype, int32_t rank, const int64_t *sizes) {
  PtDim dims[8] = {{0, NULL}};
  for (int32_t i = 0; i < rank; i++)
    dims[i] = (PtDim){sizes[i], sizes[i] < 0 ? "batch" : NULL};
  PtType t = pt_type_tensor(g, dtype, rank, dims);
  return pt_graph_add_input(g, NULL, &t);
}

static PtValueId weight(PtGraph *g, PtDtype dtype, uint32_t rank, const int64_t *sizes) {
  return pt_graph_add_constant(g, NULL, pt_graph_tensor(g, dtype, rank, sizes, NULL));
}
#define SIZES(...)                                                                                 \
  (const int64_t[]) {                                                                              \
    __VA_ARGS__                                                                                    \
  }

static PtValueId op(PtGraph *g, const char *type, uint32_t n, const PtValueId *in) {
  return pt_graph_add_op(g, type, in, n);
}
#define OP(g, type, ...)                                                                           \
  op(g, type, sizeof((PtValueId[]){__VA_ARGS__}) / sizeof(PtValueId), (PtValueId[]){__VA_ARGS__})

static void test_table(void) {
  size_t n;
  const PtOp *rows = pt_op_table(&n);
  g_assert_cmpuint(n, >, 280);
  for (size_t i = 0; i < n; i++) {
    g_assert_true(pt_op_find(rows[i].domain, rows[i].name) ==
                  &rows[i]); /* found, and no duplicate before it */
    g_assert_cmpuint(rows[i].min_inputs, <=, rows[i].max_inputs);
    if (rows[i].max_inputs < 32) {
      g_assert_cmpuint(rows[i].steering >> rows[i].max_inputs, ==, 0);
      g_assert_cmpuint(rows[i].positive >> rows[i].max_inputs, ==, 0);
      g_assert_cmpuint(rows[i].weights >> rows[i].max_inputs, ==, 0);
    }
    g_assert_cmpuint(rows[i].steering & rows[i].weights, ==, 0);
  }
  g_assert_null(pt_op_find("", "NoSuchOperator"));
  g_assert_null(pt_op_find("com.example", "Conv"));
  g_assert_true(pt_op_find("ai.onnx", "Conv") == pt_op_find("", "Conv"));
  g_assert_true(pt_op_find("com.microsoft.nchwc", "Conv") != pt_op_find("", "Conv"));
}

/* Conv, BatchNormalization with its variance through Identity and Expand, a Resize's scales through
 * Mul. */
static void test_roles(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  float two[4] = {1, 1, 2, 2}, eps = 1e-5f;
  PtValueId x = input(g, PT_FLOAT, 4, SIZES(1, 3, 8, 8));
  PtValueId w = weight(g, PT_FLOAT, 4, SIZES(8, 3, 3, 3)), b = weight(g, PT_FLOAT, 1, SIZES(8));
  PtValueId conv = OP(g, "Conv", x, w, b);
  PtValueId var = weight(g, PT_FLOAT, 1, SIZES(8)), mean = weight(g, PT_FLOAT, 1, SIZES(8));
  PtValueId bn = OP(g, "BatchNormalization", conv, b, b, mean, OP(g, "Identity", var));
  PtValueId scales =
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 1, SIZES(4), two));
  PtValueId more =
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 1, SIZES(4), two));
  PtValueId up = OP(g, "Resize", bn, PT_NONE, OP(g, "Mul", scales, more));
  PtValueId e =
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 1, SIZES(1), &eps));
  PtValueId v2 = weight(g, PT_FLOAT, 3, SIZES(8, 1, 1));
  PtValueId shape = pt_graph_add_ints(g, SIZES(1, 8, 1, 1), 4);
  PtValueId y = OP(g, "Div", up, OP(g, "Sqrt", OP(g, "Add", OP(g, "Reshape", v2, shape), e)));
  pt_graph_add_output(g, y);
  g_autofree PtRole *r = pt_roles(g);
  g_assert_cmpint(r[x], ==, PT_ROLE_NOT_CONSTANT);
  g_assert_cmpint(r[w], ==, PT_ROLE_WEIGHT);
  g_assert_cmpint(r[b], ==, PT_ROLE_WEIGHT);
  g_assert_cmpint(r[mean], ==, PT_ROLE_WEIGHT);
  g_assert_cmpint(r[var], ==, PT_ROLE_POSITIVE);
  g_assert_cmpint(r[v2], ==, PT_ROLE_POSITIVE);
  g_assert_cmpint(r[scales], ==, PT_ROLE_REAL);
  g_assert_cmpint(r[more], ==, PT_ROLE_REAL);
  g_assert_cmpint(r[e], ==, PT_ROLE_REAL);
  g_assert_cmpint(r[shape], ==, PT_ROLE_REAL);
}

/* A bias on the way from an activation to an index is learned: it must not become real. */
static void test_roles_never_leak(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtValueId x = input(g, PT_FLOAT, 2, SIZES(4, 16));
  PtValueId w = weight(g, PT_FLOAT, 2, SIZES(16, 8)), b = weight(g, PT_FLOAT, 1, SIZES(8));
  PtValueId s = weight(g, PT_FLOAT, 1, SIZES(8));
  PtValueId at = OP(g, "Mul", OP(g, "Add", OP(g, "MatMul", x, w), b), s);
  PtValueId index = OP(g, "Cast", at);
  pt_node_set_int(g, pt_value(g, index)->producer, "to", PT_INT64);
  pt_graph_add_output(g, OP(g, "GatherElements", x, index));
  g_autofree PtRole *r = pt_roles(g);
  g_assert_cmpint(r[w], ==, PT_ROLE_WEIGHT);
  g_assert_cmpint(r[b], ==, PT_ROLE_WEIGHT);
  g_assert_cmpint(r[s], ==, PT_ROLE_WEIGHT);
}

/* GELU's cube does not make a bias positive; a fractional power does. */
static void test_roles_pow(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  float three = 3, half = 0.5f;
  PtValueId x = input(g, PT_FLOAT, 2, SIZES(4, 8));
  PtValueId b = weight(g, PT_FLOAT, 1, SIZES(8)), c = weight(g, PT_FLOAT, 1, SIZES(8));
  PtValueId e3 = pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &three));
  PtValueId e5 = pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &half));
  pt_graph_add_output(g, OP(g, "Pow", OP(g, "Add", x, b), e3));
  pt_graph_add_output(g, OP(g, "Pow", OP(g, "Mul", x, c), e5));
  g_autofree PtRole *r = pt_roles(g);
  g_assert_cmpint(r[b], ==, PT_ROLE_WEIGHT);
  g_assert_cmpint(r[c], ==, PT_ROLE_POSITIVE);
  g_assert_cmpint(r[e3], ==, PT_ROLE_REAL);
}

static void test_roles_quantized(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtValueId x = input(g, PT_FLOAT, 4, SIZES(1, 3, 8, 8));
  PtValueId q = weight(g, PT_INT8, 4, SIZES(8, 3, 3, 3)), s = weight(g, PT_FLOAT, 1, SIZES(8));
  PtValueId zero = weight(g, PT_INT8, 1, SIZES(8)), index = weight(g, PT_INT64, 1, SIZES(3));
  PtValueId w = OP(g, "DequantizeLinear", q, s, zero);
  pt_graph_add_output(g, OP(g, "Gather", OP(g, "Conv", x, w), index));
  g_autofree PtRole *r = pt_roles(g);
  g_assert_cmpint(r[q], ==, PT_ROLE_WEIGHT);
  g_assert_cmpint(r[s], ==, PT_ROLE_POSITIVE);
  g_assert_cmpint(r[zero], ==, PT_ROLE_REAL);
  g_assert_cmpint(r[index], ==, PT_ROLE_REAL);
}

static char *type_of(PtGraph *g, PtValueId v) {
  PtType out[4];
  const PtNode *node = pt_node(g, pt_value(g, v)->producer);
  if (!pt_op_infer(g, node, out))
    return g_strdup("invalid");
  return pt_type_text(&out[0]);
}
#define ASSERT_TYPE(v, text)                                                                       \
  do {                                                                                             \
    g_autofree char *got = type_of(g, v);                                                          \
    g_assert_cmpstr(got, ==, text);                                                                \
  } while (0)
static void ints(PtGraph *g, PtValueId v, const char *name, const int64_t *a, uint32_t n) {
  pt_node_set_ints(g, pt_value(g, v)->producer, name, a, n);
}

static void test_shapes(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 13);
  PtValueId x = input(g, PT_FLOAT, 4, SIZES(-1, 16, 15, 15));
  PtValueId conv = OP(g, "Conv", x, weight(g, PT_FLOAT, 4, SIZES(32, 4, 3, 3)));
  pt_node_set_int(g, pt_value(g, conv)->producer, "group", 4);
  ints(g, conv, "strides", SIZES(2, 2), 2);
  ASSERT_TYPE(conv, "float32[batch,32,7,7]");
  ints(g, conv, "pads", SIZES(1, 1, 1, 1), 4);
  ASSERT_TYPE(conv, "float32[batch,32,8,8]");
  ASSERT_TYPE(OP(g, "Conv", x, weight(g, PT_FLOAT, 4, SIZES(32, 8, 3, 3))), "invalid");
  PtValueId pool = OP(g, "MaxPool", x);
  ints(g, pool, "kernel_shape", SIZES(2, 2), 2);
  ints(g, pool, "strides", SIZES(2, 2), 2);
  ASSERT_TYPE(pool, "float32[batch,16,7,7]");
  pt_node_set_int(g, pt_value(g, pool)->producer, "ceil_mode", 1);
  ASSERT_TYPE(pool, "float32[batch,16,8,8]");
  ASSERT_TYPE(OP(g, "GlobalAveragePool", x), "float32[batch,16,1,1]");
  ASSERT_TYPE(OP(g, "Flatten", x), "float32[batch,3600]");
  ASSERT_TYPE(OP(g, "Reshape", x, pt_graph_add_ints(g, SIZES(0, 16, -1), 3)),
              "float32[batch,16,?]");
  PtValueId m = input(g, PT_FLOAT, 3, SIZES(2, 5, 8));
  ASSERT_TYPE(OP(g, "Reshape", m, pt_graph_add_ints(g, SIZES(0, -1, 4), 3)), "float32[2,10,4]");
  ASSERT_TYPE(OP(g, "Reshape", m, pt_graph_add_ints(g, SIZES(3, -1), 2)), "invalid");
  ASSERT_TYPE(OP(g, "MatMul", m, weight(g, PT_FLOAT, 2, SIZES(8, 6))), "float32[2,5,6]");
  ASSERT_TYPE(OP(g, "MatMul", m, weight(g, PT_FLOAT, 2, SIZES(7, 6))), "invalid");
  ASSERT_TYPE(OP(g, "Add", m, weight(g, PT_FLOAT, 2, SIZES(5, 1))), "float32[2,5,8]");
  ASSERT_TYPE(OP(g, "Add", m, weight(g, PT_FLOAT, 1, SIZES(7))), "invalid");
  PtValueId mean = OP(g, "ReduceMean", m);
  ints(g, mean, "axes", SIZES(-1), 1);
  pt_node_set_int(g, pt_value(g, mean)->producer, "keepdims", 0);
  ASSERT_TYPE(mean, "float32[2,5]");
  PtValueId slice = OP(g, "Slice", m, pt_graph_add_ints(g, SIZES(1), 1),
                       pt_graph_add_ints(g, SIZES(INT64_MAX), 1),
                       pt_graph_add_ints(g, SIZES(-1), 1), pt_graph_add_ints(g, SIZES(2), 1));
  ASSERT_TYPE(slice, "float32[2,5,4]");
  PtValueId einsum = OP(g, "Einsum", m, weight(g, PT_FLOAT, 2, SIZES(8, 9)));
  pt_node_set_string(g, pt_value(g, einsum)->producer, "equation", "...d, de -> ...e");
  ASSERT_TYPE(einsum, "float32[2,5,9]");
  PtValueId concat = OP(g, "Concat", m, m);
  pt_node_set_int(g, pt_value(g, concat)->producer, "axis", -2);
  ASSERT_TYPE(concat, "float32[2,10,8]");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/ops/table", test_table);
  g_test_add_func("/ops/roles", test_roles);
  g_test_add_func("/ops/roles/never-leak", test_roles_never_leak);
  g_test_add_func("/ops/roles/pow", test_roles_pow);
  g_test_add_func("/ops/roles/quantized", test_roles_quantized);
  g_test_add_func("/ops/shapes", test_shapes);
  return g_test_run();
}
