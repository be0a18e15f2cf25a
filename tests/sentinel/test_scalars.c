/* Single floats of sentinels are the model's at such places. */
#include "sentinel/sentinel_private.h"

#include <string.h>

static PtGraph *new_graph(PtValueId *x) {
  PtGraph *g = pt_graph_new();
  PtDim dims[] = {{4, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, dims);
  pt_graph_set_opset(g, "", 17);
  *x = pt_graph_add_input(g, "x", &type);
  return g;
}

static PtValueId add_scalar(PtGraph *g, const char *op, PtValueId x, float value) {
  PtTensor *t = pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &value);
  return pt_graph_add_op(g, op, (PtValueId[]){x, pt_graph_add_constant(g, NULL, t)}, 2);
}

/* x -> `first` -> Add `one` -> Mul `half` */
static PtGraph *piece(const char *first, float one, float half) {
  PtValueId x;
  PtGraph *g = new_graph(&x);
  PtValueId sum = add_scalar(g, "Add", pt_graph_add_op(g, first, &x, 1), one);
  pt_graph_add_output(g, add_scalar(g, "Mul", sum, half));
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

/* x -> `first` -> `op` with `value` -> Relu */
static PtGraph *with_scalar(const char *first, const char *op, float value) {
  PtValueId x;
  PtGraph *g = new_graph(&x);
  PtValueId b = add_scalar(g, op, pt_graph_add_op(g, first, &x, 1), value);
  pt_graph_add_output(g, pt_graph_add_op(g, "Relu", &b, 1));
  return g;
}

/* epsilon <= 0: not written */
static PtGraph *with_norm(const char *op, float epsilon) {
  PtGraph *g = pt_graph_new();
  PtDim dims[] = {{1, NULL}, {4, NULL}, {8, NULL}};
  int64_t channels = 4;
  PtType type = pt_type_tensor(g, PT_FLOAT, 3, dims);
  pt_graph_set_opset(g, "", 17);
  PtValueId in[3] = {pt_graph_add_input(g, "x", &type)};
  for (int i = 1; i < 3; i++)
    in[i] = pt_graph_add_constant(g, NULL, pt_graph_tensor(g, PT_FLOAT, 1, &channels, NULL));
  pt_graph_add_output(g, pt_graph_add_op(g, op, in, 3));
  if (epsilon > 0)
    pt_node_set_float(g, 0, "epsilon", epsilon);
  return g;
}

/* Mends `g` with what `real`, unless it is NULL, has. Takes both. */
static PtGraph *mended(PtGraph *real, PtGraph *g) {
  g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  if (real)
    g_ptr_array_add(pieces, real);
  g_autoptr(PtScalars) scalars = pt_scalars_new(pieces);
  PtSeed seed;
  pt_seed_init(&seed, "scalars");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "mend", 0);
  pt_scalars_mend(scalars, g, rng);
  GError *error = NULL;
  pt_graph_check(g, &error);
  g_assert_no_error(error);
  return g;
}

static void check_scalar(PtGraph *real, const char *first, const char *op, float value,
                         float want) {
  g_autoptr(PtGraph) g = mended(real, with_scalar(first, op, value));
  g_assert_cmpfloat((float)scalar(g, 1), ==, want);
}

/* One epsilon a model: that of a place like it, of any other operator, of an attribute; where the
 * model has none, ONNX's. */
static void test_epsilons(void) {
  check_scalar(with_scalar("ReduceMean", "Add", 1e-12f), "ReduceMean", "Add", 1e-6f, 1e-12f);
  check_scalar(with_scalar("ReduceMean", "Add", 1e-12f), "Exp", "Sub", 1e-6f, 1e-12f);
  check_scalar(with_norm("InstanceNormalization", 3e-4f), "Exp", "Add", 1e-6f, 3e-4f);
  check_scalar(NULL, "Exp", "Add", 1e-12f, 1e-5f);
  check_scalar(NULL, "Exp", "Max", 1e-12f, 1e-5f);
  /* not one: a scale, or what is not added to anything small */
  check_scalar(NULL, "Exp", "Mul", 1e-4f, 1e-4f);
  check_scalar(NULL, "Exp", "Add", 3, 3);
}

/* Factors and offsets that do nothing: only where the model has such. */
static void test_nothing(void) {
  check_scalar(with_scalar("Exp", "Mul", 0.25f), "Tanh", "Mul", 1, 0.25f);
  check_scalar(with_scalar("Exp", "Mul", 1), "Tanh", "Mul", 1, 1);
  check_scalar(with_scalar("Tanh", "Mul", 0.25f), "Tanh", "Mul", 1, 0.25f);
  static const char *const ops[] = {"Mul", "Div", "Pow", "Add", "Sub"};
  for (size_t i = 0; i < G_N_ELEMENTS(ops); i++) {
    float nothing = i < 3 ? 1 : 0;
    g_autoptr(PtGraph) g = mended(NULL, with_scalar("Exp", ops[i], nothing));
    g_assert_cmpfloat((float)scalar(g, 1), !=, nothing);
  }
}

static float epsilon(const PtGraph *g) {
  return (float)pt_node_float(pt_node(g, 0), "epsilon", 1e-5);
}

static void test_attributes(void) {
  const char *instance = "InstanceNormalization", *group = "GroupNormalization";
  g_autoptr(PtGraph) same = mended(with_norm(instance, 3e-4f), with_norm(instance, 1e-3f));
  g_assert_cmpfloat(epsilon(same), ==, 3e-4f);
  g_autoptr(PtGraph) silent = mended(with_norm(instance, 0), with_norm(instance, 1e-3f));
  g_assert_null(pt_node_attr(pt_node(silent, 0), "epsilon"));
  g_autoptr(PtGraph) other = mended(with_norm(group, 3e-4f), with_norm(instance, 1e-3f));
  g_assert_cmpfloat(epsilon(other), ==, 3e-4f);
  g_autoptr(PtGraph) added =
      mended(with_scalar("ReduceMean", "Add", 1e-12f), with_norm(instance, 1e-3f));
  g_assert_cmpfloat(epsilon(added), ==, 1e-12f);
  g_autoptr(PtGraph) none = mended(NULL, with_norm(instance, 1e-3f));
  g_assert_cmpfloat(epsilon(none), ==, 1e-5f);
}

/* What a real piece has stays, so that nothing is done to sentinels only. */
static void test_real_piece(void) {
  static const float values[] = {1e-7f, 1, 0, 0.3f};
  static const char *const ops[] = {"Add", "Mul", "Sub", "Div"};
  for (size_t i = 0; i < G_N_ELEMENTS(ops); i++)
    for (size_t j = 0; j < G_N_ELEMENTS(values); j++)
      check_scalar(with_scalar("Exp", ops[i], values[j]), "Exp", ops[i], values[j], values[j]);
  g_autoptr(PtGraph) norm =
      mended(with_norm("InstanceNormalization", 0.1f), with_norm("InstanceNormalization", 0.1f));
  g_assert_cmpfloat(epsilon(norm), ==, 0.1f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sentinel/scalars/places", test_places);
  g_test_add_func("/sentinel/scalars/elsewhere", test_elsewhere);
  g_test_add_func("/sentinel/scalars/epsilons", test_epsilons);
  g_test_add_func("/sentinel/scalars/nothing", test_nothing);
  g_test_add_func("/sentinel/scalars/attributes", test_attributes);
  g_test_add_func("/sentinel/scalars/real-piece", test_real_piece);
  return g_test_run();
}
