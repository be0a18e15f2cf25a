/* What answers were made with, and this CPU's block of the NCHWc layout. */
#include "optimize/optimize_private.h"

#include "onnx/onnx.h"

#include <jansson.h>
#include <string.h>

#define TARGET_FORMAT "proteus-optimized"
#define TARGET_VERSION 1
#define TARGET_MAX_BYTES 65536

void pt_target_clear(PtTarget *target) {
  g_free(target->with);
  g_free(target->level);
  g_free(target->target);
  g_free(target->ort);
  memset(target, 0, sizeof *target);
}

bool pt_target_write(const PtTarget *target, const char *folder, GError **error) {
  json_t *root =
      json_pack("{s:s, s:i, s:s?, s:s?, s:s?, s:I, s:s?}", "format", TARGET_FORMAT, "version",
                TARGET_VERSION, "with", target->with, "level", target->level, "target",
                target->target, "block", (json_int_t)target->block, "ort", target->ort);
  char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
  json_decref(root);
  if (!text) {
    g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_INTERNAL, "cannot write %s as JSON",
                PT_TARGET_FILE);
    return false;
  }
  g_autofree char *path = g_build_filename(folder, PT_TARGET_FILE, NULL);
  bool ok = pt_file_write(path, 0644, text, strlen(text), error);
  free(text);
  return ok;
}

static char *text_of(const json_t *root, const char *key) {
  const char *text = json_string_value(json_object_get(root, key));
  return g_strdup(text);
}

bool pt_target_read(const char *folder, PtTarget *target, bool *found, GError **error) {
  memset(target, 0, sizeof *target);
  g_autofree char *path = g_build_filename(folder, PT_TARGET_FILE, NULL);
  *found = g_file_test(path, G_FILE_TEST_EXISTS);
  if (!*found)
    return true;
  g_autoptr(GBytes) bytes = pt_file_map(path, TARGET_MAX_BYTES, error);
  if (!bytes)
    return false;
  gsize size;
  const char *data = g_bytes_get_data(bytes, &size);
  json_error_t why;
  json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &why);
  const char *format = json_string_value(json_object_get(root, "format"));
  json_t *version = json_object_get(root, "version"), *block = json_object_get(root, "block");
  bool ok = format && g_str_equal(format, TARGET_FORMAT) && json_is_integer(version) &&
            json_integer_value(version) == TARGET_VERSION && json_is_integer(block) &&
            json_integer_value(block) >= 0 && json_integer_value(block) <= 1024;
  if (!ok)
    g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_INPUT,
                "%s is not a %s file of version %d: delete it or make the folder again", path,
                TARGET_FORMAT, TARGET_VERSION);
  else {
    target->with = text_of(root, "with");
    target->level = text_of(root, "level");
    target->target = text_of(root, "target");
    target->ort = text_of(root, "ort");
    target->block = json_integer_value(block);
  }
  json_decref(root);
  return ok;
}

/* ---- this CPU
 * ------------------------------------------------------------------------------------ */
/* A convolution with one output channel: the blocked layout pads it to a whole block. */
static PtGraph *probe_graph(void) {
  PtGraph *graph = pt_graph_new();
  graph->ir_version = 8;
  pt_graph_set_opset(graph, "", 13);
  static const float weights[3 * 9] = {0.5f, 0.25f, -0.5f};
  const PtDim dims[4] = {{1, NULL}, {3, NULL}, {8, NULL}, {8, NULL}};
  PtType type = pt_type_tensor(graph, PT_FLOAT, 4, dims);
  PtValueId inputs[2];
  inputs[0] = pt_graph_add_input(graph, "x", &type);
  inputs[1] = pt_graph_add_constant(
      graph, "w", pt_graph_tensor(graph, PT_FLOAT, 4, (const int64_t[]){1, 3, 3, 3}, weights));
  PtValueId y = pt_graph_add_op(graph, "Conv", inputs, 2);
  pt_value(graph, y)->type = pt_type_tensor(
      graph, PT_FLOAT, 4, (const PtDim[]){{1, NULL}, {1, NULL}, {6, NULL}, {6, NULL}});
  pt_graph_add_output(graph, y);
  return graph;
}

static bool probe(int64_t *block, GError **error) {
  if (!pt_runtime_load(error))
    return false;
  g_autofree char *folder = pt_dir_make_temp("proteus-cpu", error);
  if (!folder)
    return false;
  g_autofree char *path = g_build_filename(folder, "probe.onnx", NULL);
  g_autoptr(PtGraph) graph = probe_graph();
  PtSessionOptions options = {.level = PT_LEVEL_ALL, .native = true, .save_path = path};
  g_autoptr(PtGraph) saved = NULL;
  PtSession *session = pt_session_new(graph, &options, error);
  if (session) {
    pt_session_free(session);
    saved = pt_onnx_read(path, NULL, error);
  }
  pt_dir_remove(folder);
  if (!saved)
    return false;
  *block = 0;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(saved); n++) {
    const PtNode *node = pt_node(saved, n);
    if (!g_str_equal(node->domain, "com.microsoft.nchwc") || !g_str_equal(node->op_type, "Conv") ||
        node->n_inputs < 2 || node->inputs[1] == PT_NONE)
      continue;
    const PtTensor *w = pt_value(saved, node->inputs[1])->constant;
    if (w && w->rank == 4)
      *block = w->dims[0];
  }
  return true;
}

bool pt_target_block(int64_t *block, GError **error) {
  static GMutex lock;
  static bool known;
  static int64_t value;
  g_mutex_lock(&lock);
  bool ok = known || probe(&value, error);
  known = ok;
  *block = value;
  g_mutex_unlock(&lock);
  return ok;
}
