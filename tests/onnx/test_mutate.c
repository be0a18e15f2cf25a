/* Broken copies of good models, by the thousand: never a crash, never a bug of ours reported,
 * always a sentence. */
#include "make.h"
#include "same.h"

#include <string.h>

enum { ROUNDS = 3000 };

static const PtOnnxReadOptions options = {
    .allow_empty = true, .external = PT_EXTERNAL_NAMED, .external_name = "noise.bin"};

static uint32_t accepted;

static void try_bytes(const uint8_t *data, size_t size) {
  g_autoptr(GError) error = NULL;
  /* a copy of exact size, so that AddressSanitizer sees a byte too far */
  g_autoptr(GBytes) bytes = g_bytes_new(data, size);
  g_autoptr(PtGraph) graph = pt_onnx_read_bytes(bytes, "mutant", NULL, &options, &error);
  if (!graph) {
    g_assert_nonnull(error);
    g_assert_true(error->domain == PT_ONNX_ERROR);
    if (error->code != PT_ERR_INPUT && error->code != PT_ERR_UNSUPPORTED &&
        error->code != PT_ERR_LIMIT)
      g_error("code %d: %s", error->code, error->message);
    g_assert_true(g_str_has_prefix(error->message, "mutant: "));
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    return;
  }
  g_assert_no_error(error);
  accepted++;
  /* what was let in is sound, and goes out and in again */
  g_autoptr(GBytes) written = pt_onnx_write_bytes(graph, NULL, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(PtGraph) again = pt_onnx_read_bytes(written, "again", NULL, &options, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(pt_graph_n_nodes(again), ==, pt_graph_n_nodes(graph));
}

static void mutate(GRand *rand, uint8_t *data, size_t *size) {
  const size_t at = (size_t)g_rand_int_range(rand, 0, (gint32)*size);
  const size_t other = (size_t)g_rand_int_range(rand, 0, (gint32)*size);
  switch (g_rand_int_range(rand, 0, 6)) {
  case 0:
    data[at] ^= (uint8_t)(1u << g_rand_int_range(rand, 0, 8));
    return;
  case 1:
    data[at] = (uint8_t)g_rand_int(rand);
    return;
  case 2:
    *size = MAX(at, 1);
    return;
  case 3: { /* a piece of it elsewhere */
    const size_t wanted = (size_t)g_rand_int_range(rand, 1, 64);
    const size_t n = MIN(wanted, MIN(*size - at, *size - other));
    memmove(data + at, data + other, n);
    return;
  }
  case 4: /* a piece out */
    if (other > at && other - at < *size - 1) {
      memmove(data + at, data + other, *size - other);
      *size -= other - at;
    }
    return;
  default: /* the largest numbers */
    data[at] = 0xFF;
    if (at + 1 < *size)
      data[at + 1] = 0x7F;
  }
}

static void mutants_of(GBytes *model, guint32 seed, int rounds) {
  g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
  gsize whole;
  const uint8_t *original = g_bytes_get_data(model, &whole);
  g_autofree uint8_t *data = g_malloc(whole);
  accepted = 0;
  for (int i = 0; i < rounds; i++) {
    size_t size = whole;
    memcpy(data, original, whole);
    for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--)
      mutate(rand, data, &size);
    try_bytes(data, size);
  }
  /* both ways are taken, or nothing was tested */
  g_assert_cmpuint(accepted, >, 0);
  g_assert_cmpuint(accepted, <, (guint)rounds);
}

static void test_corpus(void) {
  g_autoptr(GPtrArray) paths = pt_corpus_paths();
  const char *names[] = {"alexnet.onnx", "bilstm.onnx"};
  for (guint32 i = 0; i < 2; i++)
    for (guint k = 0; k < paths->len; k++)
      if (g_str_has_suffix(paths->pdata[k], names[i])) {
        g_autoptr(GBytes) model = pt_file_map(paths->pdata[k], 0, NULL);
        mutants_of(model, 11 + i, ROUNDS);
      }
}

/* A small model with everything in it: branches, functions, every field of tensors, opaque types.
 */
static Make *everything(void) {
  static const float large[300];
  static int64_t ints[3] = {1, 2, 3};
  static int32_t halves[2] = {0x3C00, 0x4000};
  Make *make = make_new(10, 20);
  make_import(make, "my", 1);
  make_input(make, make->graph, "x", PT_FLOAT, "N,2");
  make_input(make, make->graph, "c", PT_BOOL, "1");
  make_init(make, make->graph, "large", PT_FLOAT, 300, large, sizeof large);
  Onnx__TensorProto *t = make_init(make, make->graph, "ints", PT_INT64, 3, NULL, 0);
  t->n_int64_data = 3;
  t->int64_data = ints;
  t = make_init(make, make->graph, "halves", PT_FLOAT16, 2, NULL, 0);
  t->n_int32_data = 2;
  t->int32_data = halves;
  make_external(make, make_init(make, make->graph, "out", PT_FLOAT, 2, NULL, 0), "noise.bin", "16",
                "8");
  Onnx__FunctionProto *f = make_function(make, "my", "F", "a,b", "r", 20);
  Onnx__NodeProto *leaky = make_loose_node(make, "LeakyRelu", "a", "l");
  make_attr_ref(make, leaky, "alpha", PT_ATTR_FLOAT, "slope");
  make_append(make, f, node, leaky);
  make_append(make, f, node, make_loose_node(make, "Add", "l,b", "r"));
  make_append(make, f, attribute, (void *)(uintptr_t) "slope");
  Onnx__GraphProto *then = make_graph(make, "then"), *otherwise = make_graph(make, "else");
  make_attr_int(make, make_node(make, then, "Constant", "", "k"), "value_int", 3);
  make_attr_float(make, make_node(make, then, "my:F", "x,large", "r"), "slope", 0.5f);
  make_output(make, then, "r", PT_FLOAT, "N,2");
  make_output(make, then, "k", PT_INT64, NULL);
  make_node(make, otherwise, "Neg", "x", "r");
  make_output(make, otherwise, "r", PT_FLOAT, NULL);
  make_output(make, otherwise, "ints", PT_INT64, NULL);
  Onnx__NodeProto *branch = make_node(make, make->graph, "If", "c", "y,z");
  make_attr_graph(make, branch, "then_branch", then);
  make_attr_graph(make, branch, "else_branch", otherwise);
  make_node(make, make->graph, "Sum", "y,out,,halves", "s");
  make_append(make, make->graph, value_info, make_info(make, "s", PT_FLOAT, "N,?"));
  make_output(make, make->graph, "s", PT_FLOAT, "N,2");
  make_output(make, make->graph, "z", PT_INT64, NULL);
  return make;
}

static void test_everything(void) {
  g_autoptr(Make) make = everything();
  pt_graph_unref(make_read(make, &options));
  g_autoptr(GBytes) model = make_pack(make);
  mutants_of(model, 23, 4 * ROUNDS);
}

static void test_every_byte(void) {
  g_autoptr(Make) make = everything();
  g_autoptr(GBytes) model = make_pack(make);
  gsize size;
  const uint8_t *original = g_bytes_get_data(model, &size);
  g_autofree uint8_t *data = g_memdup2(original, size);
  for (gsize i = 0; i < size; i++) {
    for (int value = 0; value < 256; value += i % 3 ? 85 : 51) {
      data[i] = (uint8_t)value;
      try_bytes(data, size);
    }
    data[i] = original[i];
  }
}

static void test_random_bytes(void) {
  g_autoptr(GRand) rand = g_rand_new_with_seed(5);
  uint8_t data[300];
  for (int i = 0; i < ROUNDS; i++) {
    const size_t size = (size_t)g_rand_int_range(rand, 1, sizeof data);
    for (size_t k = 0; k < size; k++)
      data[k] = (uint8_t)g_rand_int(rand);
    try_bytes(data, size);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/onnx/mutate/corpus", test_corpus);
  g_test_add_func("/onnx/mutate/everything", test_everything);
  g_test_add_func("/onnx/mutate/every-byte", test_every_byte);
  g_test_add_func("/onnx/mutate/random-bytes", test_random_bytes);
  return g_test_run();
}
