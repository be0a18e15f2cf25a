/* test_bad_input.c: every kind of bad input gives one sentence that names the file, exit status 3,
 * and nothing half-written. */
#include "../onnx/make.h"
#include "cli_test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* ---- models ---- */
static void write_bytes(const char *name, const void *data, size_t size) {
  g_autofree char *path = test_path(name);
  g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
}

static void write_model(const char *name, const Make *make) {
  g_autoptr(GBytes) bytes = make_pack(make);
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  write_bytes(name, data, size);
}

/* x -> op(x, w) -> Relu -> y, on four floats. */
static Make *small_model(const char *op) {
  static const float weights[4] = {1, -2, 3, 0.5f};
  Make *make = make_new(8, 17);
  make_input(make, make->graph, "x", PT_FLOAT, "1,4");
  make_init(make, make->graph, "w", PT_FLOAT, 4, weights, sizeof weights);
  make_node(make, make->graph, op, "x,w", "a");
  make_node(make, make->graph, "Relu", "a", "y");
  make_output(make, make->graph, "y", PT_FLOAT, "1,4");
  return make;
}

static void make_good(const char *name, const char *op) {
  g_autoptr(Make) make = small_model(op);
  write_model(name, make);
}

static void make_truncated(const char *name) {
  g_autoptr(Make) make = small_model("Add");
  g_autoptr(GBytes) bytes = make_pack(make);
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  write_bytes(name, data, size * 2 / 3);
}

static void make_random(const char *name) {
  uint8_t noise[4096];
  PtSeed seed;
  pt_seed_init(&seed, "random file");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "bytes", 0);
  pt_rng_bytes(rng, noise, sizeof noise);
  write_bytes(name, noise, sizeof noise);
}

static void make_wrong_type(const char *name) {
  static const int64_t ints[4] = {1, 2, 3, 4};
  g_autoptr(Make) make = make_new(8, 17);
  make_input(make, make->graph, "x", PT_FLOAT, "1,4");
  make_init(make, make->graph, "i", PT_INT64, 4, ints, sizeof ints);
  make_node(make, make->graph, "Add", "x,i", "y");
  make_output(make, make->graph, "y", PT_FLOAT, "1,4");
  write_model(name, make);
}

static void make_cycle(const char *name) {
  g_autoptr(Make) make = small_model("Add");
  make->graph->node[0]->input[1] = make->graph->node[1]->output[0];
  write_model(name, make);
}

static void make_missing_input(const char *name) {
  g_autoptr(Make) make = small_model("Add");
  make_node(make, make->graph, "Neg", "nowhere", "z");
  write_model(name, make);
}

static void make_unknown_operator(const char *name) {
  g_autoptr(Make) make = small_model("NoSuchOperator");
  write_model(name, make);
}

static void make_external_outside(const char *name) {
  g_autoptr(Make) make = make_new(8, 17);
  make_input(make, make->graph, "x", PT_FLOAT, "1,4");
  Onnx__TensorProto *w = make_init(make, make->graph, "w", PT_FLOAT, 4, NULL, 0);
  make_external(make, w, "../outside.bin", "0", "16");
  make_node(make, make->graph, "Add", "x,w", "y");
  make_output(make, make->graph, "y", PT_FLOAT, "1,4");
  write_model(name, make);
}

static void make_external_missing(const char *name) {
  g_autoptr(Make) make = make_new(8, 17);
  make_input(make, make->graph, "x", PT_FLOAT, "1,4");
  Onnx__TensorProto *w = make_init(make, make->graph, "w", PT_FLOAT, 4, NULL, 0);
  make_external(make, w, "absent.bin", "0", "16");
  make_node(make, make->graph, "Add", "x,w", "y");
  make_output(make, make->graph, "y", PT_FLOAT, "1,4");
  write_model(name, make);
}

static void make_empty(const char *name) {
  write_bytes(name, "", 0);
}

static void make_folder(const char *name) {
  g_autofree char *path = test_path(name);
  g_assert_true(pt_dir_make(path, NULL));
}

static void make_nothing(const char *name) {
  (void)name;
}

static void make_text(const char *name) {
  write_bytes(name, "not a model\n", 12);
}

typedef struct Bad {
  const char *name;
  void (*make)(const char *name);
  const char *part; /* of the reason */
  bool readable;    /* inspect and fill, which run nothing, take it */
} Bad;

static const Bad bad[] = {
    {"truncated.onnx", make_truncated, "complete", false},
    {"random.onnx", make_random, "complete", false},
    {"text.onnx", make_text, "complete", false},
    {"wrong_type.onnx", make_wrong_type, "ype", true},
    {"cycle.onnx", make_cycle, "cycle", false},
    {"missing_input.onnx", make_missing_input, "nowhere", false},
    {"unknown.onnx", make_unknown_operator, "NoSuchOperator", true},
    {"external.onnx", make_external_outside, "outside", false},
    {"absent_data.onnx", make_external_missing, "absent.bin", false},
    {"empty.onnx", make_empty, "empty", false},
    {"folder.onnx", make_folder, "folder", false},
    {"absent.onnx", make_nothing, "No such file", false},
};

/* Names in the test's folder; a command that fails must leave them as they were. */
static char *listing(void) {
  g_autoptr(GPtrArray) names = pt_dir_list(test_folder(), NULL, NULL);
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < names->len; i++)
    g_string_append_printf(text, "%s\n", (char *)g_ptr_array_index(names, i));
  return g_string_free(text, FALSE);
}

static void expect_refused(const Ran *r, const char *name, const char *part, const char *before) {
  assert_refused(r, 3, name, part, NULL);
  g_assert_cmpstr(r->out, ==, "");
  g_autofree char *after = listing();
  g_assert_cmpstr(after, ==, before);
}

static void test_model(gconstpointer data) {
  const Bad *b = data;
  b->make(b->name);
  make_good("good.onnx", "Add");
  g_autofree char *before = listing();
  const char *const commands[][10] = {
      {"verify", b->name, "good.onnx", NULL},
      {"verify", "good.onnx", b->name, NULL},
      {"obfuscate", b->name, "--bundle", "B", "--secret", "S", "-k", "0", NULL},
      {"run", b->name, "-o", "O.onnx", "-k", "0", NULL},
      {"bench", b->name, "--iterations", "1", NULL},
      {"fill", b->name, "-o", "F.onnx", NULL},
      {"inspect", b->name, NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
    bool reads = g_str_equal(commands[i][0], "fill") || g_str_equal(commands[i][0], "inspect");
    if (b->readable && reads)
      continue;
    g_autoptr(Ran) r = ran_argv(commands[i], NULL, NULL);
    expect_refused(r, b->name, b->part, before);
  }
  g_autoptr(Ran) r = ran("bench", b->name, "--json", NULL);
  assert_refused(r, 3, b->name, NULL);
  json_t *json = assert_json(r);
  const json_t *error = json_object_get(json, "error");
  g_assert_cmpint((int)json_integer_value(json_object_get(error, "exit")), ==, 3);
  json_decref(json);
}

/* ---- bundles, answers and secrets ---- */
/* good.onnx, its bundle B, secret S and answers A; the same of other.onnx in B2, S2, A2. */
static void whole_way(void) {
  static const char *const names[][5] = {{"good.onnx", "Add", "B", "S", "A"},
                                         {"other.onnx", "Mul", "B2", "S2", "A2"}};
  for (size_t i = 0; i < 2; i++) {
    g_autofree char *bundle = test_path(names[i][2]);
    g_autofree char *answers = test_path(names[i][4]);
    g_autofree char *secret = test_path(names[i][3]);
    pt_dir_remove(bundle);
    pt_dir_remove(answers);
    remove(secret);
    make_good(names[i][0], names[i][1]);
    g_autoptr(Ran) a = ran("obfuscate", names[i][0], "--bundle", names[i][2], "--secret",
                           names[i][3], "-k", "0", "-n", "1", "-q", NULL);
    g_assert_cmpint(a->status, ==, 0);
    g_autoptr(Ran) b = ran("optimize", names[i][2], "--out", names[i][4], "-q", NULL);
    g_assert_cmpint(b->status, ==, 0);
    g_assert_cmpstr(a->out, ==, "");
    g_assert_cmpstr(b->out, ==, "");
  }
}

static char *only_model(const char *folder) {
  g_autofree char *path = test_path(folder);
  g_autoptr(GPtrArray) names = pt_dir_list(path, ".onnx", NULL);
  g_assert_cmpuint(names->len, ==, 1);
  return g_build_filename(path, g_ptr_array_index(names, 0), NULL);
}

static void copy_file(const char *from, const char *to) {
  g_autofree char *data = NULL;
  gsize size;
  g_assert_true(g_file_get_contents(from, &data, &size, NULL));
  g_assert_true(g_file_set_contents(to, data, (gssize)size, NULL));
}

static void test_bundle(void) {
  whole_way();
  g_autofree char *sent = only_model("B"), *other = only_model("B2");
  g_autofree char *kept = test_path("kept"), *added = NULL, *manifest = NULL, *folder = NULL;
  folder = test_path("B");
  added = g_build_filename(folder, "ffffffffffffffffffffffffffffffff.onnx", NULL);
  manifest = g_build_filename(folder, "manifest.json", NULL);
  copy_file(sent, kept);

  g_autofree char *before = listing();
  g_autofree char *base = g_path_get_basename(sent);
  remove(sent);
  g_autoptr(Ran) missing = ran("optimize", "B", "--out", "N", NULL);
  expect_refused(missing, base, "No such file", before);

  copy_file(other, sent);
  g_autoptr(Ran) swapped = ran("optimize", "B", "--out", "N", NULL);
  expect_refused(swapped, base, "sha256 differs", before);

  copy_file(kept, sent);
  copy_file(kept, added);
  g_autoptr(Ran) more = ran("optimize", "B", "--out", "N", NULL);
  expect_refused(more, "ffffffffffffffffffffffffffffffff.onnx", "manifest", before);
  remove(added);

  g_assert_true(
      g_file_set_contents(manifest, "{\"format\":\"proteus-bundle\",\"version\":9}", -1, NULL));
  g_autoptr(Ran) version = ran("optimize", "B", "--out", "N", NULL);
  expect_refused(version, "manifest.json", "version", before);
  g_assert_true(g_file_set_contents(manifest, "{", -1, NULL));
  g_autoptr(Ran) broken = ran("inspect", "B", NULL);
  expect_refused(broken, "manifest.json", "JSON", before);
  remove(manifest);
  g_autoptr(Ran) none = ran("optimize", "B", "--out", "N", NULL);
  expect_refused(none, "manifest.json", "No such file", before);
  g_autoptr(Ran) absent = ran("optimize", "no-such-folder", "--out", "N", NULL);
  expect_refused(absent, "no-such-folder", "No such file", before);
}

static void test_secret(void) {
  whole_way();
  write_bytes("V", "{\"format\":\"proteus-secret\",\"version\":7}", 39);
  write_bytes("T", "not json", 8);
  g_autofree char *before = listing();
  static const struct {
    const char *answers, *secret, *model, *name, *part;
  } cases[] = {
      {"A", "S2", "good.onnx", "good.onnx", "S2"},
      {"A2", "S", "good.onnx", "A2", "another bundle"},
      {"A", "S", "other.onnx", "other.onnx", "sha256"},
      {"A", "V", "good.onnx", "V", "version 7"},
      {"A", "T", "good.onnx", "T", "JSON"},
      {"A", "absent", "good.onnx", "absent", "No such file"},
      {"absent", "S", "good.onnx", "absent", "no folder"},
      {"A", "S", "absent.onnx", "absent.onnx", "No such file"},
      {"A", "B", "good.onnx", "B", "folder"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(Ran) r = ran("deobfuscate", cases[i].answers, "--secret", cases[i].secret, "--model",
                           cases[i].model, "-o", "N.onnx", NULL);
    expect_refused(r, cases[i].name, cases[i].part, before);
  }
  g_autoptr(Ran) nowhere = ran("deobfuscate", "A", "--secret", "S", "--model", "good.onnx", "-o",
                               "no/such/folder.onnx", NULL);
  expect_refused(nowhere, "no/such/folder.onnx", "No such file", before);
  g_autoptr(Ran) good =
      ran("deobfuscate", "A", "--secret", "S", "--model", "good.onnx", "-o", "N.onnx", NULL);
  g_assert_cmpint(good->status, ==, 0);
}

/* A bundle is never written over another. */
static void test_not_empty(void) {
  whole_way();
  g_autofree char *manifest = g_build_filename(test_folder(), "B", "manifest.json", NULL);
  g_autofree char *before = NULL, *after = NULL;
  g_assert_true(g_file_get_contents(manifest, &before, NULL, NULL));
  g_autoptr(Ran) r =
      ran("obfuscate", "good.onnx", "--bundle", "B", "--secret", "N", "-k", "0", NULL);
  assert_refused(r, 2, "B", "not empty", NULL);
  g_assert_true(g_file_get_contents(manifest, &after, NULL, NULL));
  g_assert_cmpstr(before, ==, after);
  g_autofree char *secret = test_path("N");
  g_assert_false(g_file_test(secret, G_FILE_TEST_EXISTS));
}

/* ---- a full disk ---- */
static void limit_files(gpointer bytes) {
  struct rlimit limit = {(rlim_t)GPOINTER_TO_SIZE(bytes), RLIM_INFINITY};
  signal(SIGXFSZ, SIG_DFL);
  setrlimit(RLIMIT_FSIZE, &limit);
}

static void test_full(void) {
  whole_way();
  g_autofree char *before = listing();
  static const char *const commands[][10] = {
      {"fill", "good.onnx", "-o", "N.onnx", NULL},
      {"obfuscate", "good.onnx", "--bundle", "N", "--secret", "NS", "-k", "0", NULL},
      {"optimize", "B2", "--out", "N", NULL},
      {"deobfuscate", "A", "--secret", "S", "--model", "good.onnx", "-o", "N.onnx", NULL},
      {"run", "good.onnx", "-o", "N.onnx", "-k", "0", NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
    g_autoptr(Ran) r = ran_argv(commands[i], limit_files, GSIZE_TO_POINTER(16));
    assert_refused(r, 3, "cannot write", NULL);
    g_autofree char *after = listing();
    g_assert_cmpstr(after, ==, before);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autofree char *path = g_strdup_printf("/cli/bad-input/%s", bad[i].name);
    g_test_add_data_func(path, &bad[i], test_model);
  }
  g_test_add_func("/cli/bad-input/bundle", test_bundle);
  g_test_add_func("/cli/bad-input/secret", test_secret);
  g_test_add_func("/cli/bad-input/not-empty", test_not_empty);
  g_test_add_func("/cli/bad-input/full", test_full);
  int status = g_test_run();
  test_folder_remove();
  return status;
}
