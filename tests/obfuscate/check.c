#include "check.h"

#include "bundle/bundle.h"
#include "obfuscate/obfuscate.h"
#include "onnx/onnx.h"
#include "ops/ops.h"
#include "runtime/runtime.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

char *check_fill(const char *folder, const char *name) {
  g_autofree char *file = g_strconcat(name, ".onnx", NULL);
  g_autofree char *skeleton = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", file, NULL);
  char *model = g_build_filename(folder, file, NULL);
  GError *error = NULL;
  bool ok = pt_fill_file(skeleton, model, "1", 2, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  return model;
}

/* ---- leaks
 * --------------------------------------------------------------------------------------------- */
typedef struct Text {
  GByteArray *all; /* every file of the bundle but noise.bin */
  uint8_t *filter; /* 2^24 bits: which 8-byte windows there are */
  GHashTable *windows;
} Text;

static uint64_t window_at(const uint8_t *data) {
  uint64_t window;
  memcpy(&window, data, 8);
  return window;
}

static uint32_t bit_of(uint64_t window) {
  return (uint32_t)((window * UINT64_C(0x9E3779B97F4A7C15)) >> 40);
}

static Text read_bundle(const char *bundle) {
  Text text = {.all = g_byte_array_new(), .filter = g_malloc0(1 << 21)};
  g_autoptr(GPtrArray) names = pt_dir_list(bundle, NULL, NULL);
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index(names, i);
    if (g_str_equal(name, PT_NOISE_FILE))
      continue;
    g_autofree char *path = g_build_filename(bundle, name, NULL), *data = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    g_byte_array_append(text.all, (const guint8 *)data, (guint)size);
  }
  text.windows = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint i = 0; i + 8 <= text.all->len; i++) {
    uint64_t window = window_at(text.all->data + i);
    text.filter[bit_of(window) >> 3] |= (uint8_t)(1 << (bit_of(window) & 7));
    if (!g_hash_table_contains(text.windows, &window))
      g_hash_table_add(text.windows, g_memdup2(&window, 8));
  }
  return text;
}

static void text_clear(Text *text) {
  g_byte_array_unref(text->all);
  g_hash_table_unref(text->windows);
  g_free(text->filter);
}

static bool occurs(const Text *text, uint64_t window) {
  return (text->filter[bit_of(window) >> 3] >> (bit_of(window) & 7) & 1) &&
         g_hash_table_contains(text->windows, &window);
}

/* Two equal neighbours say nothing (zeros, ones); anything else of a weight must not occur. */
static void no_weight_shows(const PtGraph *model, const Text *text) {
  g_autofree PtRole *roles = pt_roles(model);
  for (PtValueId v = 0; v < pt_graph_n_values(model); v++) {
    const PtTensor *t = pt_value(model, v)->constant;
    if (!t || !t->data || !pt_dtype_is_float(t->dtype) || roles[v] == PT_ROLE_REAL)
      continue;
    size_t step = MAX(t->size / t->count, 1);
    for (size_t at = 0; at + 8 <= t->size; at += step) {
      uint64_t window = window_at(t->data + at);
      if ((uint32_t)window != (uint32_t)(window >> 32) && occurs(text, window))
        g_error("weight %s, byte %zu, is in the bundle", pt_value(model, v)->name, at);
    }
  }
}

static bool only_digits(const char *name) {
  return strspn(name, "0123456789") == strlen(name);
}

/* The words of the operators themselves are no names. */
static void add_words(const PtGraph *graph, GString *words) {
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++) {
    const PtNode *node = pt_node(graph, n);
    g_string_append_printf(words, " %s %s", node->op_type, node->domain);
    for (uint32_t a = 0; a < node->n_attrs; a++) {
      g_string_append_printf(words, " %s", node->attrs[a].name);
      if (node->attrs[a].kind == PT_ATTR_STRING) {
        gsize size;
        const char *value = g_bytes_get_data(node->attrs[a].as.strings[0], &size);
        g_string_append_printf(words, " %.*s", (int)size, value ? value : "");
      }
      if (node->attrs[a].kind == PT_ATTR_GRAPH)
        add_words(node->attrs[a].as.graphs[0], words);
    }
  }
}

static void name_hidden(const char *name, const char *words, const Text *text) {
  size_t length = strlen(name);
  if (length < 4 || strstr(words, name))
    return;
  g_autofree char *needle =
      only_digits(name) ? g_strdup_printf("%c%s", (char)length, name) : g_strdup(name);
  if (memmem(text->all->data, text->all->len, needle, strlen(needle)))
    g_error("the name \"%s\" is in the bundle", name);
}

static void no_name_shows(const PtGraph *graph, const char *words, const Text *text) {
  name_hidden(graph->name, words, text);
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
    name_hidden(pt_value(graph, v)->name, words, text);
    const PtType *type = &pt_value(graph, v)->type;
    for (int32_t i = 0; type->kind == PT_TYPE_TENSOR && i < type->rank; i++)
      if (type->dims[i].symbol)
        name_hidden(type->dims[i].symbol, words, text);
  }
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++) {
    const PtNode *node = pt_node(graph, n);
    name_hidden(node->name, words, text);
    for (uint32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH)
        no_name_shows(node->attrs[a].as.graphs[0], words, text);
  }
}

/* ---- places
 * ---------------------------------------------------------------------------------------------- */
static PtGraph *read_candidate(const char *bundle, const char *id) {
  g_autofree char *file = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(bundle, file, NULL);
  const PtOnnxReadOptions options = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  GError *error = NULL;
  PtGraph *graph = pt_onnx_read(path, &options, &error);
  g_assert_no_error(error);
  return graph;
}

static PtPiece *piece_of(const PtGraph *model, const PtMember *member) {
  PtPiece *piece = pt_piece_new();
  g_array_append_vals(piece->nodes, member->nodes->data, member->nodes->len);
  for (guint i = 0; i < member->inputs->len; i++) {
    PtValueId v = pt_graph_find(model, g_ptr_array_index(member->inputs, i));
    g_assert_cmpuint(v, !=, PT_NONE);
    g_array_append_val(piece->inputs, v);
  }
  for (guint i = 0; i < member->outputs->len; i++) {
    PtValueId v = pt_graph_find(model, g_ptr_array_index(member->outputs, i));
    g_assert_cmpuint(v, !=, PT_NONE);
    g_array_append_val(piece->outputs, v);
  }
  return piece;
}

static void bind(PtGraph *candidate, const PtGraph *model, const PtMember *member) {
  uint32_t bound = 0, external = 0;
  for (guint i = 0; i < member->weights->len; i++) {
    const PtSecretWeight *weight = g_ptr_array_index(member->weights, i);
    PtValueId v = pt_graph_find(candidate, weight->name);
    PtValueId original = pt_graph_find(model, weight->original);
    g_assert_true(v != PT_NONE && original != PT_NONE);
    PtTensor *tensor = pt_value(candidate, v)->constant;
    const PtTensor *real = pt_value(model, original)->constant;
    g_assert_true(tensor->dtype == real->dtype && tensor->size == real->size);
    g_assert_cmpuint(tensor->offset, ==, weight->offset);
    g_assert_cmpuint(tensor->size, ==, weight->size);
    tensor->data = real->data;
    tensor->location = NULL;
    bound++;
  }
  for (PtValueId v = 0; v < pt_graph_n_values(candidate); v++)
    external += pt_value(candidate, v)->constant && pt_value(candidate, v)->constant->location;
  g_assert_cmpuint(external, ==, 0);
  g_assert_cmpuint(bound, ==, member->weights->len);
}

static void same_numbers(const PtGraph *piece, const PtGraph *candidate) {
  GError *error = NULL;
  const PtSessionOptions options = {.level = PT_LEVEL_NONE};
  g_autoptr(PtSession) a = pt_session_new(piece, &options, &error);
  g_assert_no_error(error);
  g_autoptr(PtSession) b = pt_session_new(candidate, &options, &error);
  g_assert_no_error(error);
  PtSeed seed;
  pt_seed_init(&seed, "numbers");
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(piece, &seed, 2, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) one = pt_session_run(a, (PtArray *const *)inputs->pdata, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) two = pt_session_run(b, (PtArray *const *)inputs->pdata, &error);
  g_assert_no_error(error);
  for (guint i = 0; i < one->len; i++)
    g_assert_cmpfloat(pt_array_difference(g_ptr_array_index(one, i), g_ptr_array_index(two, i)), <,
                      1e-5);
}

static void places_fit(PtGraph *model, const char *bundle, const PtSecret *secret, bool numbers) {
  g_autofree uint32_t *covered = g_new0(uint32_t, pt_graph_n_nodes(model) + 1);
  for (guint b = 0; b < secret->buckets->len; b++) {
    const PtSecretBucket *bucket = g_ptr_array_index(secret->buckets, b);
    g_assert_null(bucket->kept);
    for (guint m = 0; m < bucket->members->len; m++) {
      const PtMember *member = g_ptr_array_index(bucket->members, m);
      for (guint i = 0; i < member->nodes->len; i++)
        covered[g_array_index(member->nodes, uint32_t, i)]++;
      g_autoptr(PtGraph) candidate = read_candidate(bundle, bucket->real);
      g_assert_cmpuint(pt_graph_n_nodes(candidate), ==, member->nodes->len);
      g_autoptr(PtPiece) piece = piece_of(model, member);
      g_autoptr(PtGraph) original = pt_graph_extract(model, piece, NULL);
      bind(candidate, model, member);
      if (numbers)
        same_numbers(original, candidate);
    }
  }
  for (PtNodeId n = 0; n < pt_graph_n_nodes(model); n++)
    g_assert_cmpuint(covered[n], >=, 1);
}

/* ---- the bundle
 * ------------------------------------------------------------------------------------------ */
static void files_alike(const char *bundle, const PtManifest *manifest, const PtSecret *secret) {
  struct stat first, info;
  int64_t opset = -1, ir = -1;
  g_autofree char *noise = g_build_filename(bundle, PT_NOISE_FILE, NULL);
  g_assert_cmpint(stat(noise, &first), ==, 0);
  g_assert_cmpuint((uint64_t)first.st_size, ==, pt_noise_file_size(&manifest->noise));
  g_autoptr(GPtrArray) names = pt_dir_list(bundle, NULL, NULL);
  g_assert_cmpuint(names->len, ==, manifest->candidates->len + 2);
  for (guint i = 0; i < manifest->candidates->len; i++) {
    const PtCandidate *candidate = g_ptr_array_index(manifest->candidates, i);
    g_autofree char *path = g_build_filename(bundle, candidate->file, NULL);
    g_assert_cmpint(stat(path, &info), ==, 0);
    g_assert_cmpint(info.st_mtime, ==, first.st_mtime);
    g_assert_cmpint(info.st_mode, ==, first.st_mode);
    g_autofree char *sha256 = pt_sha256_file(path, NULL);
    g_assert_cmpstr(sha256, ==, candidate->sha256);
    GError *error = NULL;
    const PtSessionOptions options = {.level = PT_LEVEL_NONE};
    g_autoptr(PtSession) session = pt_session_new_file(path, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(pt_session_n_outputs(session), >, 0);
    g_autoptr(PtGraph) graph = read_candidate(bundle, candidate->id);
    g_assert_true(opset < 0 || opset == pt_graph_opset(graph, ""));
    g_assert_true(ir < 0 || ir == graph->ir_version);
    opset = pt_graph_opset(graph, "");
    ir = graph->ir_version;
  }
  guint listed = 0;
  for (guint b = 0; b < secret->buckets->len; b++)
    listed += ((PtSecretBucket *)g_ptr_array_index(secret->buckets, b))->candidates->len;
  g_assert_cmpuint(listed, ==, manifest->candidates->len);
}

uint32_t check_model(const char *folder, const char *path, uint32_t n, uint32_t k, bool numbers) {
  g_autofree char *bundle = g_build_filename(folder, "bundle", NULL);
  g_autofree char *secret_path = g_build_filename(folder, "secret", NULL);
  const PtObfuscateOptions options = {
      .model = path, .bundle = bundle, .secret = secret_path, .n = n, .k = k, .seed = "7"};
  PtObfuscateReport report;
  GError *error = NULL;
  bool ok = pt_obfuscate(&options, &report, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  g_autoptr(PtManifest) manifest = pt_manifest_read(bundle, &error);
  g_assert_no_error(error);
  g_autoptr(PtSecret) secret = pt_secret_read(secret_path, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(report.candidates, ==, manifest->candidates->len);
  g_assert_cmpuint(report.candidates + report.missing, ==, report.buckets * (k + 1));
  g_assert_cmpuint(report.noise_bytes, ==, pt_noise_file_size(&manifest->noise));
  files_alike(bundle, manifest, secret);
  g_autoptr(PtGraph) model = pt_onnx_read(path, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(pt_runtime_infer_types(model, &error));
  g_assert_cmpint(secret->folded, ==, k > 0);
  if (secret->folded) /* the secret's nodes are those that are left */
    g_assert_true(pt_runtime_fold(model, &error));
  places_fit(model, bundle, secret, numbers);
  Text text = read_bundle(bundle);
  g_autoptr(GString) words = g_string_new(NULL);
  add_words(model, words);
  no_weight_shows(model, &text);
  no_name_shows(model, words->str, &text);
  g_assert_null(memmem(text.all->data, text.all->len, "secret_project", 14));
  text_clear(&text);
  pt_dir_remove(bundle);
  g_unlink(secret_path);
  return report.missing;
}
