/* A hostile optimizer: whatever it sends back costs that piece's optimization and is named, nothing
 * more. */
#include "fixture.h"

#include "optimize/optimize.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUTATIONS 80
#define TARGET 1 /* the piece that is tampered with */

/* The other pieces are optimized, this one is not, for a reason that has `why` in it; the result is
 * right. */
static void expect_one_fallback(const Fixture *f, const char *why) {
  g_autoptr(GError) error = NULL;
  PtDeobfuscateReport report;
  g_assert_true(fixture_restore(f, &report, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(report.pieces, ==, PIECES);
  g_assert_cmpuint(report.optimized, ==, PIECES - 1);
  g_assert_cmpuint(report.fallbacks->len, ==, 1);
  const PtFallback *fallback = g_ptr_array_index(report.fallbacks, 0);
  g_assert_cmpstr(fallback->id, ==, f->ids[TARGET]);
  g_assert_cmpuint(fallback->piece, ==, TARGET);
  g_assert_cmpuint(fallback->members, ==, 1);
  if (!strstr(fallback->why, why))
    g_error("'%s' lacks '%s'", fallback->why, why);
  g_assert_cmpfloat(report.difference, <=, 1e-5);
  pt_deobfuscate_report_clear(&report);
  PtVerifyReport verify;
  g_assert_true(pt_verify(f->model, f->out, 2, "1", 0, &verify, &error));
  g_assert_true(verify.equal);
  pt_verify_report_clear(&verify);
  g_autoptr(GPtrArray) files = pt_dir_list(f->folder, NULL, NULL);
  g_assert_cmpuint(files->len, ==, 4); /* nothing half-written beside the result */
}

/* ---- graphs
 * --------------------------------------------------------------------------------------- */
static PtValueId output_of(PtGraph *g) {
  return pt_graph_output(g, 0);
}

static void set_output(PtGraph *g, PtValueId v) {
  pt_value(g, v)->type = pt_type_copy(g, &pt_value(g, output_of(g))->type);
  g_array_index(g->outputs, PtValueId, 0) = v;
}

static PtValueId weight_of(const PtGraph *g) {
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    if (pt_value(g, v)->constant && pt_value(g, v)->constant->location)
      return v;
  g_assert_not_reached();
}

static void wrong_slice(PtGraph *g) {
  pt_value(g, weight_of(g))->constant->offset += 4000;
}
static void wrong_dense(PtGraph *g) {
  static float w[WEIGHT_FLOATS];
  PtTensor *t = pt_value(g, weight_of(g))->constant;
  for (size_t i = 0; i < WEIGHT_FLOATS; i++)
    w[i] = 0.01f * (float)i;
  t->location = NULL;
  t->data = (const uint8_t *)w;
}
static void outside_slice(PtGraph *g) {
  pt_value(g, weight_of(g))->constant->offset = (4u << 21) - 8;
}
static void other_file(PtGraph *g) {
  pt_value(g, weight_of(g))->constant->location = "weights.bin";
}
static void parent_file(PtGraph *g) {
  pt_value(g, weight_of(g))->constant->location = "../optimized/noise.bin";
}
static void absolute_file(PtGraph *g) {
  pt_value(g, weight_of(g))->constant->location = "/etc/passwd";
}
static void extra_input(PtGraph *g) {
  PtType type = pt_type_copy(g, &pt_value(g, pt_graph_input(g, 0))->type);
  pt_graph_add_input(g, "more", &type);
}
static void extra_output(PtGraph *g) {
  pt_graph_add_output(g, pt_graph_input(g, 0));
}
static void other_shape(PtGraph *g) {
  pt_value(g, pt_graph_input(g, 0))->type = pt_type_tensor(
      g, PT_FLOAT, 4, (const PtDim[]){{-1, "batch"}, {4, NULL}, {9, NULL}, {8, NULL}});
}
static void other_rank(PtGraph *g) {
  pt_value(g, output_of(g))->type =
      pt_type_tensor(g, PT_FLOAT, 3, (const PtDim[]){{4, NULL}, {8, NULL}, {8, NULL}});
}
static void other_dtype(PtGraph *g) {
  pt_value(g, output_of(g))->type = pt_type_tensor(
      g, PT_DOUBLE, 4, (const PtDim[]){{-1, "batch"}, {4, NULL}, {8, NULL}, {8, NULL}});
}
static void append(PtGraph *g, const char *domain, const char *op) {
  PtValueId in = output_of(g), out = pt_graph_add_value(g, NULL);
  pt_graph_add_node(g, domain, op, &in, 1, &out, 1);
  set_output(g, out);
}
static void unknown_domain(PtGraph *g) {
  pt_graph_set_opset(g, "evil.example", 1);
  append(g, "evil.example", "Exfiltrate");
}
static void unknown_operator(PtGraph *g) {
  append(g, "", "Exfiltrate");
}
static void something_else(PtGraph *g) {
  append(g, "", "Neg");
}
static void slightly_else(PtGraph *g) {
  const float k = 1.001f;
  PtValueId in[2] = {output_of(g)};
  in[1] = pt_graph_add_constant(g, "k", pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &k));
  PtValueId out = pt_graph_add_op(g, "Mul", in, 2);
  set_output(g, out);
}
static void baked_batch(PtGraph *g) {
  const int64_t shape[] = {1, 4, 8, 8};
  PtValueId in[2] = {output_of(g), pt_graph_add_ints(g, shape, 4)};
  PtValueId out = pt_graph_add_op(g, "Reshape", in, 2);
  set_output(g, out);
}
static void random_noise(PtGraph *g) {
  PtValueId in = output_of(g), noise = pt_graph_add_value(g, NULL);
  pt_graph_add_node(g, "", "RandomNormalLike", &in, 1, &noise, 1);
  PtValueId two[2] = {in, noise};
  set_output(g, pt_graph_add_op(g, "Add", two, 2));
}
/* terabytes at run time */
static void memory_bomb(PtGraph *g) {
  const int64_t huge[] = {1 << 14, 1, 1 << 14, 1, 1, 1, 1, 1};
  PtValueId in[2] = {output_of(g), pt_graph_add_ints(g, huge, 8)};
  PtValueId big = pt_graph_add_op(g, "Expand", in, 2);
  PtValueId all = pt_graph_add_value(g, NULL);
  PtNodeId n = pt_graph_add_node(g, "", "ReduceMax", &big, 1, &all, 1);
  pt_node_set_ints(g, n, "axes", (const int64_t[]){0, 1, 2, 3}, 4);
  pt_node_set_int(g, n, "keepdims", 0);
  set_output(g, all);
}
static void nested_if(PtGraph *g) {
  const uint8_t yes = 1;
  PtValueId in = output_of(g), out = pt_graph_add_value(g, NULL);
  PtValueId condition =
      pt_graph_add_constant(g, "yes", pt_graph_tensor_copy(g, PT_BOOL, 0, NULL, &yes));
  PtNodeId node = pt_graph_add_node(g, "", "If", &condition, 1, &out, 1);
  PtAttr *attrs = pt_arena_new_array(g->arena, PtAttr, 2);
  for (int i = 0; i < 2; i++) {
    PtGraph *branch = pt_graph_new_nested(g);
    PtValueId outer = pt_graph_add_value(branch, pt_value(g, in)->name);
    pt_value(branch, outer)->outer = in;
    pt_graph_add_output(branch, pt_graph_add_op(branch, "Identity", &outer, 1));
    attrs[i] =
        (PtAttr){.name = i ? "else_branch" : "then_branch", .kind = PT_ATTR_GRAPH, .count = 1};
    attrs[i].as.graphs = pt_arena_copy(g->arena, &branch, sizeof branch);
  }
  pt_node(g, node)->attrs = attrs;
  pt_node(g, node)->n_attrs = 2;
  pt_graph_refresh_captures(g);
  set_output(g, out);
}
static void million_nodes(PtGraph *g) {
  PtValueId v = output_of(g);
  for (int i = 0; i < 1000000; i++)
    v = pt_graph_add_op(g, "Identity", &v, 1);
  set_output(g, v);
}

#if defined(__SANITIZE_ADDRESS__) /* which ends the child instead */
#define OUT_OF_MEMORY "it ended the program that checked it"
#else
#define OUT_OF_MEMORY "it does not run"
#endif

typedef struct Attack {
  const char *name;
  void (*edit)(PtGraph *);
  const char *why;
} Attack;

static const Attack attacks[] = {
    {"wrong-slice", wrong_slice, "none of the candidate's weights"},
    {"wrong-dense", wrong_dense, "is not derived from the candidate's weights"},
    {"outside-slice", outside_slice, "lies outside noise.bin"},
    {"other-file", other_file, "not in 'noise.bin'"},
    {"parent-file", parent_file, "not in 'noise.bin'"},
    {"absolute-file", absolute_file, "not in 'noise.bin'"},
    {"extra-input", extra_input, "it has 2 inputs, the piece has 1"},
    {"extra-output", extra_output, "it has 2 outputs, the piece has 1"},
    {"other-shape", other_shape,
     "its input 0 is float32[batch,4,9,8], the piece's is float32[batch,4,8,8]"},
    {"other-rank", other_rank, "its output 0 is float32[4,8,8]"},
    {"other-dtype", other_dtype, "its output 0 is float64"},
    {"unknown-domain", unknown_domain, "Exfiltrate of the unknown domain 'evil.example'"},
    {"unknown-operator", unknown_operator, "it does not load"},
    {"something-else", something_else, "it computes something else"},
    {"slightly-else", slightly_else, "it computes something else"},
    {"baked-batch", baked_batch, "it does not run"},
    {"random", random_noise, "it has a node RandomNormalLike, the piece has none"},
    {"if", nested_if, "it has a node If, the piece has none"},
    {"other-opset", fixture_make_old, "version 12 of the operators of 'ai.onnx', the others 17"},
    {"memory-bomb", memory_bomb, OUT_OF_MEMORY},
    {"million-nodes", million_nodes, "nodes"},
};

static void test_attack(gconstpointer data) {
  const Attack *attack = data;
  Fixture f;
  fixture_init(&f);
  g_autoptr(PtGraph) graph = fixture_candidate(&f, TARGET);
  attack->edit(graph);
  fixture_write_answer(&f, TARGET, graph);
  expect_one_fallback(&f, attack->why);
  fixture_clear(&f);
}

/* ---- files
 * ------------------------------------------------------------------------------------------- */
static void test_files(void) {
  Fixture f;
  fixture_init(&f);
  g_autofree char *path = fixture_answer(&f, TARGET), *other = fixture_answer(&f, 0);
  g_autofree char *data = NULL, *swapped = NULL;
  gsize size, swapped_size;
  g_assert_true(g_file_get_contents(path, &data, &size, NULL));
  g_assert_true(g_file_get_contents(other, &swapped, &swapped_size, NULL));

  g_unlink(path);
  expect_one_fallback(&f, "No such file");
  g_mkdir(path, 0755);
  expect_one_fallback(&f, "it is a folder, not a file");
  g_rmdir(path);
  g_assert_true(g_file_set_contents(path, data, (gssize)size / 2, NULL));
  expect_one_fallback(&f, f.ids[TARGET]);
  g_assert_true(g_file_set_contents(path, "", 0, NULL));
  expect_one_fallback(&f, "is empty");
  g_assert_true(g_file_set_contents(path, "not a model", -1, NULL));
  expect_one_fallback(&f, f.ids[TARGET]);
  g_assert_true(g_file_set_contents(path, swapped, (gssize)swapped_size, NULL));
  expect_one_fallback(&f, "none of the candidate's weights");
  g_unlink(path);
  int fd = g_open(path, O_CREAT | O_WRONLY, 0644);
  g_assert_cmpint(ftruncate(fd, (off_t)1 << 40), ==, 0);
  close(fd);
  expect_one_fallback(&f, "the limit is");
  g_unlink(path);
  g_assert_cmpint(mkfifo(path, 0644), ==, 0);
  expect_one_fallback(&f, "not a file");
  g_unlink(path);
  fixture_clear(&f);
}

static void test_more_files(void) {
  Fixture f;
  fixture_init(&f);
  g_autofree char *more = g_build_filename(f.answers, "ffff.onnx", NULL);
  g_autofree char *noise = g_build_filename(f.answers, "noise.bin", NULL);
  g_assert_true(g_file_set_contents(more, "whatever", -1, NULL));
  g_assert_true(g_file_set_contents(noise, "poison", -1, NULL)); /* nobody reads it */
  PtDeobfuscateReport report;
  g_autoptr(GError) error = NULL;
  g_assert_true(fixture_restore(&f, &report, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(report.optimized, ==, PIECES);
  g_assert_cmpuint(report.fallbacks->len, ==, 0);
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

/* Bytes changed, removed and inserted anywhere: the piece is optimized or it is not, and the result
 * is right. */
static void mutate(GByteArray *data, PtRng *rng) {
  for (uint64_t i = 0, n = 1 + pt_rng_below(rng, 4); i < n && data->len > 0; i++) {
    guint at = (guint)pt_rng_below(rng, data->len);
    guint length = (guint)MIN(1 + pt_rng_below(rng, 16), data->len - at);
    uint8_t bytes[16];
    switch (pt_rng_below(rng, 4)) {
    case 0:
      data->data[at] ^= (uint8_t)(1u << pt_rng_below(rng, 8));
      break;
    case 1:
      pt_rng_bytes(rng, data->data + at, length);
      break;
    case 2:
      g_byte_array_remove_range(data, at, length);
      break;
    default:
      memcpy(bytes, data->data + at, length); /* a field twice */
      g_byte_array_append(data, bytes, length);
      break;
    }
  }
}

static void test_mutations(void) {
  Fixture f;
  fixture_init(&f);
  PtSeed seed;
  pt_seed_init(&seed, "mutations");
  g_autofree char *path = fixture_answer(&f, TARGET), *original = NULL;
  gsize size;
  g_assert_true(g_file_get_contents(path, &original, &size, NULL));
  uint32_t refused = 0;
  for (uint32_t i = 0; i < MUTATIONS; i++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "mutation", i);
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_byte_array_append(data, (const guint8 *)original, (guint)size);
    mutate(data, rng);
    g_assert_true(g_file_set_contents(path, (const char *)data->data, (gssize)data->len, NULL));
    PtDeobfuscateReport report;
    g_autoptr(GError) error = NULL;
    g_assert_true(fixture_restore(&f, &report, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(report.optimized + report.fallbacks->len, ==, PIECES);
    g_assert_cmpuint(report.optimized, >=, PIECES - 1);
    g_assert_cmpfloat(report.difference, <=, 1e-4);
    refused += report.fallbacks->len;
    pt_deobfuscate_report_clear(&report);
  }
  g_assert_cmpuint(refused, >, MUTATIONS / 2);
  fixture_clear(&f);
}

/* Every answer missing: the owner's own model comes back. */
static void test_nothing(void) {
  Fixture f;
  fixture_init(&f);
  for (uint32_t i = 0; i < PIECES; i++) {
    g_autofree char *path = fixture_answer(&f, i);
    g_unlink(path);
  }
  PtDeobfuscateReport report;
  g_autoptr(GError) error = NULL;
  g_assert_true(fixture_restore(&f, &report, &error));
  g_assert_cmpuint(report.optimized, ==, 0);
  g_assert_cmpuint(report.fallbacks->len, ==, PIECES);
  g_assert_cmpuint(report.nodes_after, ==, report.nodes_before);
  g_assert_cmpfloat(report.difference, ==, 0);
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

/* Answers to another bundle's questions: the wrong folder, and not an optimizer's fault. */
static void test_another_bundle(void) {
  Fixture f;
  fixture_init(&f);
  for (uint32_t i = 0; i < PIECES; i++) {
    g_autofree char *path = fixture_answer(&f, i);
    g_unlink(path);
  }
  g_autofree char *other =
      g_build_filename(f.answers, "0123456789abcdef0123456789abcdef.onnx", NULL);
  g_assert_true(g_file_set_contents(other, "whatever", -1, NULL));
  PtDeobfuscateReport report;
  g_autoptr(GError) error = NULL;
  g_assert_false(fixture_restore(&f, &report, &error));
  g_assert_error(error, PT_RESTORE_ERROR, PT_ERR_MISMATCH);
  g_assert_nonnull(strstr(error->message, f.answers));
  g_assert_false(g_file_test(f.out, G_FILE_TEST_EXISTS));
  fixture_clear(&f);
}

/* A layout for another CPU, told by the optimizer's own note. */
static void test_other_block(void) {
  Fixture f;
  fixture_init(&f);
  PtTarget target = {"ort", "all", "native", "1.32.0", 64};
  g_assert_true(pt_target_write(&target, f.answers, NULL));
  g_autoptr(PtGraph) graph = fixture_candidate(&f, TARGET);
  pt_graph_set_opset(graph, "com.microsoft.nchwc", 1);
  append(graph, "com.microsoft.nchwc", "ReorderInput");
  fixture_write_answer(&f, TARGET, graph);
  expect_one_fallback(&f, "blocks of 64 for another CPU");
  fixture_clear(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(attacks); i++) {
    g_autofree char *name = g_strdup_printf("/restore/hostile/%s", attacks[i].name);
    g_test_add_data_func(name, &attacks[i], test_attack);
  }
  g_test_add_func("/restore/hostile/files", test_files);
  g_test_add_func("/restore/hostile/more-files", test_more_files);
  g_test_add_func("/restore/hostile/mutations", test_mutations);
  g_test_add_func("/restore/hostile/nothing", test_nothing);
  g_test_add_func("/restore/hostile/another-bundle", test_another_bundle);
  g_test_add_func("/restore/hostile/other-block", test_other_block);
  return g_test_run();
}
