/* Single floats of sentinels are the model's at such places. */
#include "sentinel/sentinel_private.h"

#include <string.h>

/* x -> Erf -> Add `one` -> Mul `half` */
static PtGraph *piece(const char *first, float one, float half) {
  PtGraph *g = pt_graph_new();
  PtDim dims[] = {{4, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, dims);
  pt_graph_set_opset(g, "", 17);
  PtValueId x = pt_graph_add_input(g, "x", &type);
  PtValueId a[] = {
      pt_graph_add_op(g, first, &x, 1),
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &one))};
  PtValueId b[] = {
      pt_graph_add_op(g, "Add", a, 2),
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &half))};
  pt_graph_add_output(g, pt_graph_add_op(g, "Mul", b, 2));
  return g;
}

static double scalar(const PtGraph *g, PtNodeId node) {
  return pt_tensor_float_at(pt_value(g, pt_node(g, node)->inputs[1])->constant, 0);
}

static void mend(PtGraph *g) {
  g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  g_ptr_array_add(pieces, piece("Erf", 1, 0.5f));
  g_ptr_array_add(pieces, piece("Sqrt", 3, 0.25f));
  g_autoptr(PtScalars) scalars = pt_scalars_new(pieces);
  PtSeed seed;
  pt_seed_init(&seed, "scalars");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "mend", 0);
  pt_scalars_mend(scalars, g, rng);
  GError *error = NULL;
  pt_graph_check(g, &error);
  g_assert_no_error(error);
}

static void test_places(void) {
  g_autoptr(PtGraph) g = piece("Erf", 1e-12f, 0.125f);
  mend(g);
  g_assert_cmpfloat(scalar(g, 1), ==, 1);
  g_assert_true(scalar(g, 2) == 0.5 || scalar(g, 2) == 0.25); /* both follow an Add */
  g_autoptr(PtGraph) root = piece("Sqrt", 1, 0.25f);
  mend(root);
  g_assert_cmpfloat(scalar(root, 1), ==, 3);
  g_assert_cmpfloat(scalar(root, 2), ==, 0.25); /* the model has it: it stays */
}

/* Where the model has nothing like it, what it has with the operator. */
static void test_elsewhere(void) {
  g_autoptr(PtGraph) g = piece("Tanh", 7, 9);
  mend(g);
  g_assert_true(scalar(g, 1) == 1 || scalar(g, 1) == 3);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sentinel/scalars/places", test_places);
  g_test_add_func("/sentinel/scalars/elsewhere", test_elsewhere);
  return g_test_run();
}
