/* Splicing: names, aliases, shared constants, opsets, nested graphs; on graphs made by hand. */
#include "restore/restore_private.h"

#include <string.h>

static PtType vector(PtGraph *g) {
  return pt_type_tensor(g, PT_FLOAT, 1, (const PtDim[]){{-1, "n"}});
}

static PtValueId op1(PtGraph *g, const char *op, PtValueId in, const char *name) {
  PtValueId out = pt_graph_add_value(g, name);
  PtNodeId node = pt_graph_add_node(g, "", op, &in, 1, &out, 1);
  pt_node(g, node)->name = "fused"; /* as optimizers name their nodes in every piece */
  return out;
}

/* x -> Relu -> a -> Neg -> b; outputs b, x, c (a constant) */
static PtGraph *chain_model(void) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType type = vector(g);
  PtValueId x = pt_graph_add_input(g, "x", &type);
  PtValueId a = op1(g, "Relu", x, "a");
  pt_value(g, a)->type = vector(g);
  PtValueId b = op1(g, "Neg", a, "b");
  const float two[] = {1, 2};
  PtValueId c = pt_graph_add_constant(
      g, "c", pt_graph_tensor_copy(g, PT_FLOAT, 1, (const int64_t[]){2}, two));
  pt_graph_add_output(g, b);
  pt_graph_add_output(g, x);
  pt_graph_add_output(g, c);
  return g;
}

/* in -> op -> Identity -> out, with inner values that collide with everything */
static PtGraph *piece(const char *op, int64_t opset) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", opset);
  pt_graph_set_opset(g, "com.microsoft", 1); /* imported, not used */
  PtType type = vector(g);
  PtValueId x = pt_graph_add_input(g, "b", &type);
  PtValueId inner = op1(g, op, x, "x");
  PtValueId out = op1(g, "Identity", inner, "a");
  pt_graph_add_output(g, out);
  return g;
}

static PtGraph *splice2(PtGraph *model, PtGraph *first, PtGraph *second, GError **error) {
  PtValueId x = pt_graph_find(model, "x"), a = pt_graph_find(model, "a"),
            b = pt_graph_find(model, "b");
  PtSpliced pieces[] = {{first, &x, &a}, {second, &a, &b}};
  return pt_splice(model, pieces, 2, error);
}

static void expect_interface(const PtGraph *g) {
  g_assert_cmpuint(g->inputs->len, ==, 1);
  g_assert_cmpuint(g->outputs->len, ==, 3);
  g_assert_cmpstr(pt_value(g, pt_graph_input(g, 0))->name, ==, "x");
  g_assert_cmpstr(pt_value(g, pt_graph_input(g, 0))->type.dims[0].symbol, ==, "n");
  const char *names[] = {"b", "x", "c"};
  for (guint i = 0; i < 3; i++)
    g_assert_cmpstr(pt_value(g, pt_graph_output(g, i))->name, ==, names[i]);
  g_assert_cmpuint(pt_value(g, pt_graph_output(g, 2))->constant->count, ==, 2);
}

static void test_names(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) model = chain_model();
  g_autoptr(PtGraph) first = piece("Relu", 17), second = piece("Neg", 17);
  g_autoptr(PtGraph) out = splice2(model, first, second, &error);
  g_assert_no_error(error);
  expect_interface(out);
  g_assert_cmpuint(pt_graph_n_nodes(out), ==, 4);
  for (PtNodeId n = 0; n < 4; n++)
    for (PtNodeId m = 0; m < n; m++)
      g_assert_cmpstr(pt_node(out, n)->name, !=, pt_node(out, m)->name);
  g_assert_cmpint(pt_graph_opset(out, ""), ==, 17);
  g_assert_cmpint(pt_graph_opset(out, "com.microsoft"), ==, -1);
  PtValueId a = pt_graph_find(out, "a"); /* the border keeps its name and type */
  g_assert_cmpstr(pt_node(out, pt_value(out, a)->producer)->op_type, ==, "Identity");
  g_assert_cmpstr(pt_value(out, a)->type.dims[0].symbol, ==, "n");
}

/* first passes its input on; second is a constant */
static void test_aliases(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) model = chain_model(), first = pt_graph_new(), second = pt_graph_new();
  pt_graph_set_opset(first, "", 17);
  pt_graph_set_opset(second, "", 17);
  PtType type = vector(first);
  pt_graph_add_output(first, pt_graph_add_input(first, "in", &type));
  PtType other = vector(second);
  pt_graph_add_input(second, "in", &other);
  const float two[] = {1, 2};
  pt_graph_add_output(
      second,
      pt_graph_add_constant(second, "k",
                            pt_graph_tensor_copy(second, PT_FLOAT, 1, (const int64_t[]){2}, two)));
  g_autoptr(PtGraph) out = splice2(model, first, second, &error);
  g_assert_no_error(error);
  expect_interface(out);
  /* b is a graph output, so the constant is copied to that name */
  PtValueId b = pt_graph_find(out, "b");
  g_assert_cmpstr(pt_node(out, pt_value(out, b)->producer)->op_type, ==, "Identity");
  g_assert_cmpuint(pt_graph_n_nodes(out), ==, 1);

  g_autoptr(PtGraph) neg = piece("Neg", 17);
  g_autoptr(PtGraph) passed = splice2(model, first, neg, &error);
  g_assert_no_error(error);
  expect_interface(passed);
  g_assert_cmpuint(pt_graph_find(passed, "a"), ==, PT_NONE); /* Neg reads x itself */
  for (PtNodeId n = 0; n < pt_graph_n_nodes(passed); n++)
    if (g_str_equal(pt_node(passed, n)->op_type, "Neg"))
      g_assert_cmpuint(pt_node(passed, n)->inputs[0], ==, pt_graph_input(passed, 0));
}

static void test_constants_shared(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) model = chain_model();
  PtGraph *pieces[2];
  for (int i = 0; i < 2; i++) {
    pieces[i] = pt_graph_new();
    pt_graph_set_opset(pieces[i], "", 17);
    PtType type = vector(pieces[i]);
    const float k[] = {3, 4}, l[] = {3, (float)i};
    PtValueId in[2] = {pt_graph_add_input(pieces[i], "in", &type)};
    in[1] = pt_graph_add_constant(
        pieces[i], "k", pt_graph_tensor_copy(pieces[i], PT_FLOAT, 1, (const int64_t[]){2}, k));
    in[0] = pt_graph_add_op(pieces[i], "Add", in, 2);
    in[1] = pt_graph_add_constant(
        pieces[i], "l", pt_graph_tensor_copy(pieces[i], PT_FLOAT, 1, (const int64_t[]){2}, l));
    pt_graph_add_output(pieces[i], pt_graph_add_op(pieces[i], "Mul", in, 2));
  }
  g_autoptr(PtGraph) out = splice2(model, pieces[0], pieces[1], &error);
  g_assert_no_error(error);
  uint32_t constants = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(out); v++)
    constants += pt_value(out, v)->constant && pt_graph_output(out, 2) != v;
  g_assert_cmpuint(constants, ==, 3); /* k once, l twice */
  pt_graph_unref(pieces[0]);
  pt_graph_unref(pieces[1]);
}

static void test_opset_conflict(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) model = chain_model();
  g_autoptr(PtGraph) first = piece("Relu", 17), second = piece("Neg", 13);
  g_autoptr(PtGraph) out = splice2(model, first, second, &error);
  g_assert_null(out);
  g_assert_error(error, PT_RESTORE_ERROR, PT_ERR_MISMATCH);
}

/* Both pieces have an If whose branches use the names a and inner; a is a border's. */
static PtGraph *if_piece(const char *op) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType type = vector(g);
  PtValueId x = pt_graph_add_input(g, "in", &type);
  const uint8_t yes = 1;
  PtValueId condition =
      pt_graph_add_constant(g, "inner", pt_graph_tensor_copy(g, PT_BOOL, 0, NULL, &yes));
  PtValueId out = pt_graph_add_value(g, "out");
  PtNodeId node = pt_graph_add_node(g, "", "If", &condition, 1, &out, 1);
  PtGraph *branches[2];
  for (int i = 0; i < 2; i++) {
    branches[i] = pt_graph_new_nested(g);
    PtValueId outer = pt_graph_add_value(branches[i], "in");
    pt_value(branches[i], outer)->outer = x;
    PtValueId a = op1(branches[i], op, outer, "a");
    pt_graph_add_output(branches[i], op1(branches[i], "Identity", a, "deep"));
  }
  PtAttr attrs[2] = {{.name = "then_branch", .kind = PT_ATTR_GRAPH, .count = 1},
                     {.name = "else_branch", .kind = PT_ATTR_GRAPH, .count = 1}};
  PtNode *n = pt_node(g, node);
  n->attrs = pt_arena_copy(g->arena, attrs, sizeof attrs);
  n->n_attrs = 2;
  n->attrs[0].as.graphs = pt_arena_copy(g->arena, &branches[0], sizeof(PtGraph *));
  n->attrs[1].as.graphs = pt_arena_copy(g->arena, &branches[1], sizeof(PtGraph *));
  pt_graph_refresh_captures(g);
  pt_graph_add_output(g, out);
  return g;
}

static void test_nested_names(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) model = chain_model();
  g_autoptr(PtGraph) first = if_piece("Relu"), second = if_piece("Neg");
  g_autoptr(PtGraph) out = splice2(model, first, second, &error);
  g_assert_no_error(error);
  expect_interface(out);
  uint32_t seen = 0;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(out); n++) {
    const PtNode *node = pt_node(out, n);
    for (uint32_t a = 0; a < node->n_attrs; a++) {
      const PtGraph *nested = node->attrs[a].as.graphs[0];
      for (PtValueId v = 0; v < pt_graph_n_values(nested); v++) {
        const PtValue *value = pt_value(nested, v);
        if (value->outer == PT_NONE)
          g_assert_cmpuint(pt_graph_find(out, value->name), ==, PT_NONE);
        else
          seen++;
      }
    }
  }
  g_assert_cmpuint(seen, ==, 4);
}

/* x -> Shape -> Cast(to) -> y, twice with the same type, once with another; one of the twins is an
 * output */
static void test_shared_nodes(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType type = vector(g);
  PtValueId x = pt_graph_add_input(g, "x", &type), sum = PT_NONE;
  const int64_t to[] = {PT_FLOAT, PT_FLOAT, PT_DOUBLE, PT_FLOAT};
  PtValueId casts[4];
  for (int i = 0; i < 4; i++) {
    PtValueId shape = pt_graph_add_op(g, "Shape", &x, 1);
    casts[i] = pt_graph_add_op(g, "Cast", &shape, 1);
    pt_node_set_int(g, pt_value(g, casts[i])->producer, "to", to[i]);
  }
  PtValueId two[2] = {casts[0], casts[1]};
  sum = pt_graph_add_op(g, "Add", two, 2);
  PtValueId noise[2];
  for (int i = 0; i < 2; i++)
    noise[i] = pt_graph_add_op(g, "RandomNormalLike", &x, 1);
  pt_graph_add_output(g, sum);
  pt_graph_add_output(g, casts[2]);
  pt_graph_add_output(g, casts[3]); /* a twin that has a name to keep */
  pt_graph_add_output(g, noise[0]);
  pt_graph_add_output(g, noise[1]);
  g_assert_cmpuint(pt_share_nodes(g), ==, 4); /* three shapes, one cast */
  pt_graph_compact(g);
  g_assert_true(pt_graph_check(g, NULL));
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 7);
  PtNodeId add = pt_value(g, pt_graph_output(g, 0))->producer;
  g_assert_cmpuint(pt_node(g, add)->inputs[0], ==, pt_node(g, add)->inputs[1]);
  g_assert_cmpuint(pt_graph_output(g, 3), !=, pt_graph_output(g, 4));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/restore/splice/names", test_names);
  g_test_add_func("/restore/splice/aliases", test_aliases);
  g_test_add_func("/restore/splice/constants", test_constants_shared);
  g_test_add_func("/restore/splice/opsets", test_opset_conflict);
  g_test_add_func("/restore/splice/nested", test_nested_names);
  g_test_add_func("/restore/share", test_shared_nodes);
  return g_test_run();
}
