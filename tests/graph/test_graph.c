/* The IR: building, order, compacting, extracting, copying. */
#include "graph/graph.h"

static PtValueId op(PtGraph *g, const char *type, PtValueId a, PtValueId b) {
  PtValueId in[2] = {a, b};
  return pt_graph_add_op(g, type, in, b == PT_NONE ? 1 : 2);
}

/* x -> Relu -> a; a -> Neg -> b; a + b -> c */
static PtGraph *diamond(PtValueId v[4]) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtDim dims[2] = {{-1, "batch"}, {8, NULL}};
  PtType t = pt_type_tensor(g, PT_FLOAT, 2, dims);
  v[0] = pt_graph_add_input(g, "x", &t);
  v[1] = op(g, "Relu", v[0], PT_NONE);
  v[2] = op(g, "Neg", v[1], PT_NONE);
  v[3] = op(g, "Add", v[1], v[2]);
  pt_graph_add_output(g, v[3]);
  return g;
}

static void test_build(void) {
  PtValueId v[4];
  g_autoptr(PtGraph) g = diamond(v);
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_graph_check(g, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 3);
  g_assert_cmpuint(pt_graph_find(g, "x"), ==, v[0]);
  g_assert_cmpuint(pt_graph_find(g, "nobody"), ==, PT_NONE);
  g_assert_cmpuint(pt_graph_add_value(g, "x"), ==, PT_NONE);
  g_assert_cmpuint(pt_graph_add_value(g, ""), ==, PT_NONE);
  g_assert_cmpuint(pt_graph_find(g, "x"), ==, v[0]);
  g_assert_cmpint(pt_graph_opset(g, "ai.onnx"), ==, 17);
  g_assert_cmpint(pt_graph_opset(g, "com.microsoft"), ==, -1);
  g_autofree char *text = pt_type_text(&pt_value(g, v[0])->type);
  g_assert_cmpstr(text, ==, "float32[batch,8]");
  g_autoptr(PtUses) u = pt_uses_new(g);
  g_assert_cmpuint(pt_uses_count(u, v[1]), ==, 2);
  g_assert_cmpuint(pt_uses_count(u, v[3]), ==, 0);
}

static void test_cycle(void) {
  PtValueId v[4];
  g_autoptr(PtGraph) g = diamond(v);
  pt_node(g, 0)->inputs[0] = v[3];
  PtNodeId order[3];
  g_autoptr(GError) error = NULL;
  g_assert_false(pt_graph_toposort(g, order, &error));
  g_assert_error(error, PT_GRAPH_ERROR, PT_ERR_INPUT);
}

static void test_check(void) {
  PtValueId v[4];
  g_autoptr(PtGraph) g = diamond(v);
  pt_value(g, v[2])->producer = 0;
  g_autoptr(GError) error = NULL;
  g_assert_false(pt_graph_check(g, &error));
  g_assert_error(error, PT_GRAPH_ERROR, PT_ERR_INTERNAL);
}

static void test_toposort_keeps_free_order(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtValueId x = pt_graph_add_input(g, "x", NULL);
  PtValueId late = pt_graph_add_value(g, "late");
  PtValueId first = pt_graph_add_value(g, "first");
  pt_graph_add_node(g, "", "Neg", &late, 1, &first, 1); /* node 0 reads what node 2 makes */
  op(g, "Abs", x, PT_NONE);
  pt_graph_add_node(g, "", "Relu", &x, 1, &late, 1);
  PtNodeId order[3];
  g_assert_true(pt_graph_toposort(g, order, NULL));
  g_assert_cmpuint(order[0], ==, 1);
  g_assert_cmpuint(order[1], ==, 2);
  g_assert_cmpuint(order[2], ==, 0);
}

static void test_remove_and_compact(void) {
  PtValueId v[4];
  g_autoptr(PtGraph) g = diamond(v);
  PtValueId dead = op(g, "Abs", v[1], PT_NONE);
  op(g, "Neg", dead, PT_NONE);
  int64_t one = 1;
  pt_graph_add_ints(g, &one, 1);
  g_assert_cmpuint(pt_graph_remove_unused(g), ==, 2);
  pt_graph_compact(g);
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 3);
  g_assert_cmpuint(pt_graph_n_values(g), ==, 4);
  g_assert_true(pt_graph_check(g, NULL));
  pt_graph_replace_value(g, v[1], v[0]);
  g_assert_cmpuint(pt_graph_remove_unused(g), ==, 1);
  pt_graph_compact(g);
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 2);
  g_assert_true(pt_graph_check(g, NULL));
}

static void test_extract(void) {
  PtValueId v[4], *map = NULL;
  g_autoptr(PtGraph) g = diamond(v);
  g_autoptr(PtPiece) piece = pt_piece_new();
  PtNodeId nodes[2] = {1, 2};
  g_array_append_vals(piece->nodes, nodes, 2);
  g_array_append_val(piece->inputs, v[1]);
  g_array_append_val(piece->outputs, v[3]);
  g_autoptr(PtGraph) part = pt_graph_extract(g, piece, &map);
  g_assert_true(pt_graph_check(part, NULL));
  g_assert_cmpuint(pt_graph_n_nodes(part), ==, 2);
  g_assert_cmpuint(part->inputs->len, ==, 1);
  g_assert_cmpuint(pt_graph_output(part, 0), ==, map[v[3]]);
  g_assert_cmpuint(map[v[0]], ==, PT_NONE);
  g_free(map);
  g_autoptr(PtGraph) copy = pt_graph_copy(g);
  g_assert_true(pt_graph_check(copy, NULL));
  g_assert_cmpuint(pt_graph_n_nodes(copy), ==, 3);
}

static void test_convex(void) {
  PtValueId v[4];
  g_autoptr(PtGraph) g = diamond(v);
  PtNodeId ends[2] = {0, 2}, pair[2] = {0, 1};
  g_assert_false(pt_graph_is_convex(g, ends, 2));
  g_assert_true(pt_graph_is_convex(g, pair, 2));
}

/* If whose branch reads x and a constant of the outer graph */
static void test_captures(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtValueId x = pt_graph_add_input(g, "x", NULL), cond = pt_graph_add_input(g, "c", NULL);
  PtGraph *branch = pt_graph_new_nested(g);
  PtValueId inner = pt_graph_add_value(branch, "x_inside");
  pt_value(branch, inner)->outer = x;
  pt_graph_add_output(branch, op(branch, "Neg", inner, PT_NONE));
  PtValueId out = pt_graph_add_op(g, "If", &cond, 1);
  pt_graph_add_output(g, out);
  PtGraph *graphs[1] = {branch};
  PtAttr attr = {.name = "then_branch", .kind = PT_ATTR_GRAPH, .count = 1, .as.graphs = graphs};
  pt_node(g, 0)->attrs = pt_arena_copy(g->arena, &attr, sizeof attr);
  pt_node(g, 0)->n_attrs = 1;
  pt_graph_refresh_captures(g);
  g_assert_cmpuint(pt_node(g, 0)->n_captures, ==, 1);
  g_assert_cmpuint(pt_node(g, 0)->captures[0], ==, x);
  g_autoptr(PtGraph) copy = pt_graph_copy(g);
  g_assert_cmpuint(pt_node(copy, 0)->captures[0], ==, pt_graph_find(copy, "x"));
  /* the copy's branch is its own: renaming there leaves the original alone */
  PtValueId y = pt_graph_add_value(copy, "y");
  pt_graph_replace_value(copy, pt_graph_find(copy, "x"), y);
  pt_graph_refresh_captures(copy);
  pt_graph_refresh_captures(g);
  g_assert_cmpuint(pt_node(copy, 0)->captures[0], ==, y);
  g_assert_cmpuint(pt_node(g, 0)->captures[0], ==, x);
}

static void test_attributes(void) {
  PtValueId v[4];
  g_autoptr(PtGraph) g = diamond(v);
  int64_t pads[4] = {1, 2, 3, 4};
  uint32_t count;
  pt_node_set_ints(g, 0, "pads", pads, 4);
  pt_node_set_float(g, 0, "alpha", 0.5f);
  pt_node_set_string(g, 0, "mode", "linear");
  pt_node_set_int(g, 0, "axis", 1);
  pt_node_set_int(g, 0, "axis", -1);
  g_assert_cmpuint(pt_node(g, 0)->n_attrs, ==, 4);
  g_assert_cmpint(pt_node_int(pt_node(g, 0), "axis", 7), ==, -1);
  g_assert_cmpint(pt_node_int(pt_node(g, 0), "pads", 7), ==, 7);
  g_assert_cmpint(pt_node_ints(pt_node(g, 0), "pads", &count)[3], ==, 4);
  g_assert_true(pt_node_string_is(pt_node(g, 0), "mode", "linear"));
  g_assert_false(pt_node_string_is(pt_node(g, 0), "mode", "linea"));
  g_assert_null(pt_node_ints(pt_node(g, 0), "axes", &count));
  g_assert_cmpuint(count, ==, 0);
}

static void test_tensors(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  int64_t huge[3] = {INT64_MAX, INT64_MAX, 3}, negative[1] = {-1}, odd[1] = {5}, three[1] = {3};
  g_assert_null(pt_graph_tensor(g, PT_FLOAT, 3, huge, NULL));
  g_assert_null(pt_graph_tensor(g, PT_FLOAT, 1, negative, NULL));
  g_assert_cmpuint(pt_graph_tensor(g, PT_INT4, 1, odd, NULL)->size, ==, 3);
  uint16_t halves[3] = {0x3c00, 0xc000, 0x0001};
  PtTensor *t = pt_graph_tensor_copy(g, PT_FLOAT16, 1, three, halves);
  g_assert_cmpfloat(pt_tensor_float_at(t, 0), ==, 1.0);
  g_assert_cmpfloat(pt_tensor_float_at(t, 1), ==, -2.0);
  g_assert_cmpfloat(pt_tensor_float_at(t, 2), ==, 0x1p-24);
  int32_t ints[3] = {-1, 2, 3};
  int64_t read[3];
  t = pt_graph_tensor_copy(g, PT_INT32, 1, three, ints);
  g_assert_cmpint(pt_tensor_ints(t, read, 3), ==, 3);
  g_assert_cmpint(read[0], ==, -1);
  g_assert_cmpint(pt_tensor_ints(t, read, 2), ==, -1);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/graph/build", test_build);
  g_test_add_func("/graph/cycle", test_cycle);
  g_test_add_func("/graph/check", test_check);
  g_test_add_func("/graph/order", test_toposort_keeps_free_order);
  g_test_add_func("/graph/compact", test_remove_and_compact);
  g_test_add_func("/graph/extract", test_extract);
  g_test_add_func("/graph/convex", test_convex);
  g_test_add_func("/graph/captures", test_captures);
  g_test_add_func("/graph/attributes", test_attributes);
  g_test_add_func("/graph/tensors", test_tensors);
  return g_test_run();
}
