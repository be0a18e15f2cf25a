/* scrub: what goes out says nothing but what it must. */
#include "bundle/bundle.h"
#include "ops/ops.h"

#include <string.h>

#define SEED "00112233445566778899aabbccddeeff"

static PtNoise noise;

static PtValueId weight(PtGraph *g, const char *name, PtDtype dtype, uint32_t rank,
                        const int64_t *dims) {
  size_t size = pt_graph_tensor(g, dtype, rank, dims, NULL)->size;
  g_autofree uint8_t *data = g_malloc(size);
  memset(data, 0x3f, size);
  return pt_graph_add_constant(g, name, pt_graph_tensor_copy(g, dtype, rank, dims, data));
}

static PtType tensor_type(PtGraph *g, PtDtype dtype, int64_t d0, const char *symbol, int64_t d1) {
  PtDim dims[2] = {{d0, symbol}, {d1, NULL}};
  return pt_type_tensor(g, dtype, 2, dims);
}

static PtValueId op(PtGraph *g, const char *type, const char *out, PtValueId a, PtValueId b) {
  PtValueId in[2] = {a, b}, v = pt_graph_add_value(g, out);
  PtNodeId node = pt_graph_add_node(g, "", type, in, b == PT_NONE ? 1 : 2, &v, 1);
  pt_node(g, node)->name = "secret node name";
  return v;
}

/* x -> MatMul(w) -> Add(b) -> Relu ; x -> Mul(one) ; Sqrt(variance) divides; Reshape by [-1, 4] */
static PtGraph *example(void) {
  PtGraph *g = pt_graph_new();
  g->name = "secret_graph";
  pt_graph_set_opset(g, "", 17);
  pt_graph_set_opset(g, "com.example", 3);
  PtType x = tensor_type(g, PT_FLOAT, -1, "secret_batch", 4);
  PtValueId in = pt_graph_add_input(g, "secret_input", &x);
  PtValueId w = weight(g, "secret.weight", PT_FLOAT, 2, (int64_t[]){4, 4});
  PtValueId b = weight(g, "secret.bias", PT_FLOAT, 1, (int64_t[]){4});
  PtValueId var = weight(g, "secret.var", PT_FLOAT, 1, (int64_t[]){4});
  float half = 0.5f;
  PtValueId one =
      pt_graph_add_constant(g, "secret.scale", pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &half));
  PtValueId shape = pt_graph_add_ints(g, (int64_t[]){-1, 4}, 2);
  PtValueId a = op(g, "Add", "secret.add", op(g, "MatMul", "secret.mm", in, w), b);
  PtValueId m = op(g, "Mul", "secret.mul", op(g, "Relu", "secret.relu", a, PT_NONE), one);
  PtValueId s = op(g, "Sqrt", "secret.sqrt", var, PT_NONE);
  PtValueId d = op(g, "Div", "secret.div", m, s);
  PtValueId r = op(g, "Reshape", "secret.out", d, shape);
  pt_value(g, r)->type = tensor_type(g, PT_FLOAT, -1, "secret_batch", 4);
  pt_graph_add_output(g, r);
  return g;
}

static void names_are_clean(const PtGraph *g) {
  g_assert_cmpstr(g->name, ==, "g");
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const char *name = pt_value(g, v)->name;
    g_assert_true(strchr("iocv", name[0]) && strspn(name + 1, "0123456789") == strlen(name) - 1);
  }
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
    g_assert_cmpstr(pt_node(g, n)->name, ==, "");
    for (uint32_t a = 0; a < pt_node(g, n)->n_attrs; a++)
      if (pt_node(g, n)->attrs[a].kind == PT_ATTR_GRAPH)
        names_are_clean(pt_node(g, n)->attrs[a].as.graphs[0]);
  }
}

static PtGraph *scrub(const PtGraph *g, const char *text, GArray **source) {
  PtSeed seed;
  pt_seed_init(&seed, text);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "scrub", 0);
  GError *error = NULL;
  PtGraph *out = pt_scrub(g, &noise, rng, source, &error);
  g_assert_no_error(error);
  g_assert_true(pt_graph_check(out, &error));
  g_assert_no_error(error);
  names_are_clean(out);
  return out;
}

static void test_roles_and_names(void) {
  g_autoptr(PtGraph) g = example();
  g_autoptr(GArray) source = NULL;
  g_autoptr(PtGraph) out = scrub(g, "1", &source);
  g_assert_cmpuint(pt_graph_n_nodes(out), ==, pt_graph_n_nodes(g));
  g_assert_cmpuint(out->opsets->len, ==, 1); /* the unused domain's import would tell */
  g_assert_cmpint(pt_graph_opset(out, ""), ==, 17);
  g_assert_cmpstr(pt_value(out, pt_graph_input(out, 0))->name, ==, "i0");
  g_assert_cmpstr(pt_value(out, pt_graph_output(out, 0))->name, ==, "o0");
  const PtType *type = &pt_value(out, pt_graph_input(out, 0))->type;
  g_assert_cmpstr(type->dims[0].symbol, ==, "s0");
  g_assert_cmpint(type->dims[1].size, ==, 4);
  g_assert_cmpstr(pt_value(out, pt_graph_output(out, 0))->type.dims[0].symbol, ==, "s0");
  g_assert_cmpuint(source->len, ==, 5);
  for (guint i = 0; i < source->len; i++) {
    PtScrubbed pair = g_array_index(source, PtScrubbed, i);
    const char *was = pt_value(g, pair.original)->name;
    const PtTensor *now = pt_value(out, pair.candidate)->constant;
    const PtTensor *old = pt_value(g, pair.original)->constant;
    g_assert_true(now->dtype == old->dtype && now->size == old->size);
    bool real = old->count == 1 || old->dtype == PT_INT64;
    if (real) {
      g_assert_null(now->location);
      g_assert_cmpint(memcmp(now->data, old->data, old->size), ==, 0);
    } else {
      g_assert_null(now->data);
      g_assert_cmpstr(now->location, ==, "noise.bin");
      g_assert_cmpuint(now->offset % 4, ==, 0);
      bool positive = now->offset >= noise.floats * 2;
      g_assert_true(positive == g_str_equal(was, "secret.var"));
      g_assert_cmpuint(now->offset + now->size, <=, noise.floats * (positive ? 4 : 2));
    }
  }
}

static void test_slices_disjoint(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType x = tensor_type(g, PT_FLOAT, 1, NULL, 1000);
  PtValueId v = pt_graph_add_input(g, "x", &x);
  for (int i = 0; i < 300; i++)
    v = op(g, "Add", NULL, v, weight(g, NULL, PT_FLOAT, 1, (int64_t[]){3000 + i}));
  pt_value(g, v)->type = pt_type_copy(g, &x);
  pt_graph_add_output(g, v);
  g_autofree uint8_t *taken = g_malloc0(noise.floats * 4);
  g_autoptr(PtGraph) out = scrub(g, "2", NULL);
  uint32_t weights = 0;
  for (PtValueId id = 0; id < pt_graph_n_values(out); id++) {
    const PtTensor *t = pt_value(out, id)->constant;
    for (size_t b = 0; t && b < t->size; b++)
      g_assert_cmpint(taken[t->offset + b]++, ==, 0);
    weights += t != NULL;
  }
  g_assert_cmpuint(weights, ==, 300);
}

/* Where a weight lies does not depend on where its node stands: over many runs the mean place is
 * the middle. */
static void test_places_tell_nothing(void) {
  g_autoptr(PtGraph) g = example();
  double sum[2] = {0, 0};
  bool orders[2] = {false, false};
  for (int run = 0; run < 200; run++) {
    g_autofree char *text = g_strdup_printf("run %d", run);
    g_autoptr(GArray) source = NULL;
    g_autoptr(PtGraph) out = scrub(g, text, &source);
    uint64_t at[2] = {0, 0};
    for (guint i = 0; i < source->len; i++) {
      PtScrubbed pair = g_array_index(source, PtScrubbed, i);
      const char *was = pt_value(g, pair.original)->name;
      if (g_str_equal(was, "secret.weight"))
        at[0] = pt_value(out, pair.candidate)->constant->offset;
      if (g_str_equal(was, "secret.bias"))
        at[1] = pt_value(out, pair.candidate)->constant->offset;
    }
    orders[at[0] < at[1]] = true;
    sum[0] += (double)at[0];
    sum[1] += (double)at[1];
  }
  g_assert_true(orders[0] && orders[1]);
  for (int i = 0; i < 2; i++) {
    double mean = sum[i] / 200 / ((double)noise.floats * 2);
    g_assert_cmpfloat(mean, >, 0.4);
    g_assert_cmpfloat(mean, <, 0.6);
  }
}

/* Another seed gives another order of nodes; the same seed the same. */
static void test_order(void) {
  g_autoptr(PtGraph) g = example();
  g_autoptr(GHashTable) orders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (int run = 0; run < 40; run++) {
    g_autofree char *text = g_strdup_printf("%d", run % 20);
    g_autoptr(PtGraph) out = scrub(g, text, NULL);
    g_autoptr(GString) order = g_string_new(NULL);
    for (PtNodeId n = 0; n < pt_graph_n_nodes(out); n++)
      g_string_append(order, pt_node(out, n)->op_type);
    g_hash_table_add(orders, g_strdup(order->str));
  }
  g_assert_cmpuint(g_hash_table_size(orders), ==, 5); /* Sqrt before Div: five places */
}

static void test_types_of_weights(void) {
  static const struct {
    PtDtype dtype;
    bool refused;
  } cases[] = {{PT_FLOAT16, false}, {PT_BFLOAT16, false}, {PT_DOUBLE, false}, {PT_COMPLEX64, true}};
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(PtGraph) g = pt_graph_new();
    pt_graph_set_opset(g, "", 17);
    PtType x = tensor_type(g, cases[i].dtype, 2, NULL, 5);
    PtValueId v = pt_graph_add_input(g, "x", &x);
    v = op(g, "Add", "y", v, weight(g, "w", cases[i].dtype, 1, (int64_t[]){5}));
    v = op(g, "Div", "z", v, weight(g, "u", cases[i].dtype, 1, (int64_t[]){5}));
    pt_value(g, v)->type = pt_type_copy(g, &x);
    pt_graph_add_output(g, v);
    PtNoiseNeed need = {0};
    pt_noise_need(g, &need);
    g_assert_cmpuint(need.any + need.positive, ==, 0);
    PtNoise wide;
    GError *error = NULL;
    g_assert_true(pt_noise_init_for(&wide, SEED, &need, &error));
    PtSeed seed;
    pt_seed_init(&seed, "t");
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "scrub", 0);
    g_autoptr(PtGraph) out = pt_scrub(g, &wide, rng, NULL, &error);
    if (cases[i].refused) {
      g_assert_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED);
      g_clear_error(&error);
      continue;
    }
    g_assert_no_error(error);
    for (PtValueId id = 0; id < pt_graph_n_values(out); id++) {
      const PtTensor *t = pt_value(out, id)->constant;
      if (!t)
        continue;
      uint64_t start = cases[i].dtype == PT_FLOAT16    ? pt_noise_halves_offset(&wide)
                       : cases[i].dtype == PT_BFLOAT16 ? pt_noise_brains_offset(&wide)
                                                       : pt_noise_doubles_offset(&wide);
      g_assert_cmpuint(t->offset, >=, start);
      g_assert_cmpuint((t->offset - start) % (cases[i].dtype == PT_DOUBLE ? 8 : 4), ==, 0);
      g_assert_cmpuint(t->offset + t->size, <=, pt_noise_file_size(&wide));
    }
  }
}

static PtGraph *with_attr(const char *domain, const char *type) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  pt_graph_set_opset(g, domain, domain[0] ? 1 : 17);
  PtType x = tensor_type(g, PT_FLOAT, 2, NULL, 4);
  PtValueId in = pt_graph_add_input(g, "x", &x), y = pt_graph_add_value(g, "y");
  pt_value(g, y)->type = pt_type_copy(g, &x);
  pt_graph_add_node(g, domain, type, &in, 1, &y, 1);
  pt_graph_add_output(g, y);
  return g;
}

static void refuses(PtGraph *g) {
  PtSeed seed;
  pt_seed_init(&seed, "t");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "scrub", 0);
  GError *error = NULL;
  g_assert_null(pt_scrub(g, &noise, rng, NULL, &error));
  g_assert_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED);
  g_clear_error(&error);
  pt_graph_unref(g);
}

static PtAttr floats_attr(const char *name) {
  static const float values[3] = {1, 2, 3};
  return (PtAttr){.name = name, .kind = PT_ATTR_FLOATS, .count = 3, .as.floats = values};
}

static void test_attributes_refused(void) {
  PtGraph *g = with_attr("ai.onnx.ml", "TreeEnsembleRegressor");
  PtAttr floats = floats_attr("nodes_values");
  pt_node_add_attr_copy(g, 0, &floats, NULL);
  refuses(g);
  g = with_attr("", "TfIdfVectorizer");
  pt_node_set_ints(g, 0, "pool_int64s", (int64_t[]){4, 5}, 2);
  refuses(g);
  g = with_attr("com.vendor", "Packed");
  g_autofree char *blob = g_strnfill(400, 'x');
  pt_node_set_string(g, 0, "context", blob);
  refuses(g);
  g = with_attr("", "Constant");
  PtTensor *tensor = pt_graph_tensor(g, PT_FLOAT, 1, (int64_t[]){2}, "12345678");
  PtAttr attr = {.name = "value", .kind = PT_ATTR_TENSOR, .count = 1, .as.tensors = &tensor};
  pt_node_add_attr_copy(g, 0, &attr, NULL);
  refuses(g);
}

/* Attributes come sorted, without those that repeat a default. */
static void test_attributes_kept(void) {
  g_autoptr(PtGraph) g = with_attr("", "MaxPool");
  pt_node_set_ints(g, 0, "strides", (int64_t[]){2, 2}, 2);
  pt_node_set_ints(g, 0, "pads", (int64_t[]){0, 0, 0, 0}, 4);
  pt_node_set_ints(g, 0, "kernel_shape", (int64_t[]){3, 3}, 2);
  pt_node_set_string(g, 0, "auto_pad", "NOTSET");
  pt_node_set_int(g, 0, "ceil_mode", 1);
  g_autoptr(PtGraph) out = scrub(g, "3", NULL);
  const PtNode *node = pt_node(out, 0);
  g_assert_cmpuint(node->n_attrs, ==, 3);
  g_assert_cmpstr(node->attrs[0].name, ==, "ceil_mode");
  g_assert_cmpstr(node->attrs[1].name, ==, "kernel_shape");
  g_assert_cmpstr(node->attrs[2].name, ==, "strides");
  g_autoptr(PtGraph) rnn = with_attr("", "RNN");
  PtAttr floats = floats_attr("activation_alpha");
  pt_node_add_attr_copy(rnn, 0, &floats, NULL);
  g_autoptr(PtGraph) kept = scrub(rnn, "3", NULL);
  g_assert_cmpuint(pt_node(kept, 0)->n_attrs, ==, 1);
}

/* If with branches that capture values and name things. */
static void test_nested(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType c = tensor_type(g, PT_BOOL, 1, NULL, 1), x = tensor_type(g, PT_FLOAT, -1, "secret_n", 4);
  PtValueId cond = pt_graph_add_input(g, "secret_cond", &c);
  PtValueId in = pt_graph_add_input(g, "secret_x", &x);
  PtValueId w = weight(g, "secret_w", PT_FLOAT, 1, (int64_t[]){4});
  PtValueId y = pt_graph_add_value(g, "secret_y");
  PtNodeId node = pt_graph_add_node(g, "", "If", &cond, 1, &y, 1);
  for (int branch = 0; branch < 2; branch++) {
    g_autoptr(PtGraph) body = pt_graph_new();
    body->parent = g;
    PtValueId bx = pt_graph_add_value(body, "secret_x"), bw = pt_graph_add_value(body, "secret_w");
    pt_value(body, bx)->outer = in;
    pt_value(body, bw)->outer = w;
    PtValueId out = op(body, branch ? "Add" : "Mul", "secret_inner", bx, bw);
    pt_value(body, out)->type = pt_type_copy(body, &x);
    pt_graph_add_output(body, out);
    PtGraph *graphs[1] = {body};
    PtAttr attr = {.name = branch ? "then_branch" : "else_branch",
                   .kind = PT_ATTR_GRAPH,
                   .count = 1,
                   .as.graphs = graphs};
    g_autofree PtValueId *identity = g_new(PtValueId, pt_graph_n_values(g));
    for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
      identity[v] = v;
    pt_node_add_attr_copy(g, node, &attr, identity);
  }
  pt_graph_refresh_captures(g);
  pt_value(g, y)->type = pt_type_copy(g, &x);
  pt_graph_add_output(g, y);
  g_autoptr(GArray) source = NULL;
  g_autoptr(PtGraph) out = scrub(g, "4", &source);
  g_assert_cmpuint(source->len, ==, 1);
  const PtNode *made = pt_node(out, 0);
  g_assert_cmpuint(made->n_attrs, ==, 2);
  g_assert_cmpuint(made->n_captures, ==, 2);
  const PtGraph *body = made->attrs[0].as.graphs[0];
  g_assert_cmpstr(pt_node(body, 0)->op_type, ==, "Mul");
  g_assert_cmpstr(pt_value(body, pt_graph_output(body, 0))->type.dims[0].symbol, ==, "s0");
}

static void test_quantized(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  pt_graph_set_opset(g, "", 21);
  PtType x = tensor_type(g, PT_FLOAT, 2, NULL, 6);
  PtValueId in = pt_graph_add_input(g, "x", &x);
  PtValueId q = weight(g, "q", PT_INT8, 2, (int64_t[]){6, 6});
  PtValueId scale = weight(g, "scale", PT_FLOAT, 1, (int64_t[]){6});
  PtValueId y = op(g, "MatMul", "y", in, op(g, "DequantizeLinear", "d", q, scale));
  pt_value(g, y)->type = pt_type_copy(g, &x);
  pt_graph_add_output(g, y);
  g_autoptr(GArray) source = NULL;
  g_autoptr(PtGraph) out = scrub(g, "5", &source);
  bool found = false;
  for (guint i = 0; i < source->len; i++) {
    const PtTensor *t = pt_value(out, g_array_index(source, PtScrubbed, i).candidate)->constant;
    if (t->dtype == PT_INT8) {
      found = true;
      g_assert_cmpstr(t->location, ==, "noise.bin");
      g_assert_cmpuint(t->size, ==, 36);
    }
  }
  g_assert_true(found);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_assert_true(pt_noise_init(&noise, SEED, 1 << 21, 0, 0, 0, NULL));
  g_test_add_func("/scrub/roles-and-names", test_roles_and_names);
  g_test_add_func("/scrub/slices-disjoint", test_slices_disjoint);
  g_test_add_func("/scrub/places-tell-nothing", test_places_tell_nothing);
  g_test_add_func("/scrub/order", test_order);
  g_test_add_func("/scrub/types-of-weights", test_types_of_weights);
  g_test_add_func("/scrub/attributes-refused", test_attributes_refused);
  g_test_add_func("/scrub/attributes-kept", test_attributes_kept);
  g_test_add_func("/scrub/nested", test_nested);
  g_test_add_func("/scrub/quantized", test_quantized);
  return g_test_run();
}
