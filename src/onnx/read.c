/* The way in: a file or bytes, checked, slimmed, unpacked, built, ordered. */
#include "onnx/onnx_private.h"

#include <string.h>

GQuark pt_onnx_error_quark(void) {
  return g_quark_from_static_string("pt-onnx-error-quark");
}

bool pt_onnx_fail(const PtReader *reader, GError **error, PtErrorCode code, const char *format,
                  ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  if (strlen(text) > 700) /* a name may be megabytes */
    memcpy(text + 690, "...", sizeof "...");
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  g_set_error(error, PT_ONNX_ERROR, code, "%s: %s", reader->label, valid);
  return false;
}

bool pt_onnx_charge(PtReader *reader, uint64_t amount, GError **error) {
  if (amount > reader->work)
    return pt_onnx_fail(reader, error, PT_ERR_LIMIT,
                        "the model is larger than the limit of %u nodes allows",
                        reader->options.max_nodes);
  reader->work -= amount;
  return true;
}

static bool read_opsets(PtReader *reader, const Onnx__ModelProto *model, GError **error) {
  for (size_t i = 0; i < model->n_opset_import; i++) {
    const Onnx__OperatorSetIdProto *import = model->opset_import[i];
    const char *domain = pt_onnx_domain_name(import->domain);
    const int64_t have = pt_graph_opset(reader->root, domain);
    if (import->version < 0 || (have >= 0 && have != import->version))
      return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                          "the operator set '%s' is imported in two versions, or a negative one",
                          domain);
    if (!domain[0] && (import->version < PT_ONNX_MIN_OPSET || import->version > PT_ONNX_MAX_OPSET))
      return pt_onnx_fail(reader, error, PT_ERR_UNSUPPORTED,
                          "the model is of opset %" G_GINT64_FORMAT
                          "; known are %d to %d, so convert it with onnx.version_converter",
                          import->version, PT_ONNX_MIN_OPSET, PT_ONNX_MAX_OPSET);
    pt_graph_set_opset(reader->root, domain, import->version);
  }
  return true;
}

static void collect_domains(const PtGraph *graph, GHashTable *domains) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(graph); i++) {
    const PtNode *node = pt_node(graph, i);
    g_hash_table_add(domains, (char *)(uintptr_t)node->domain);
    for (uint32_t a = 0; a < node->n_attrs; a++)
      for (uint32_t k = 0; k < node->attrs[a].count; k++)
        if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
          collect_domains(node->attrs[a].as.graphs[k], domains);
  }
}

/* Domains that only local functions were of are not imported once these are inlined. */
static void drop_function_domains(PtReader *reader) {
  if (g_hash_table_size(reader->functions) == 0)
    return;
  g_autoptr(GHashTable) used = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) local = g_hash_table_new(g_str_hash, g_str_equal);
  collect_domains(reader->root, used);
  GHashTableIter iter;
  void *function;
  g_hash_table_iter_init(&iter, reader->functions);
  while (g_hash_table_iter_next(&iter, NULL, &function))
    g_hash_table_add(local, (char *)(uintptr_t)((PtFunction *)function)->domain);
  for (guint i = reader->root->opsets->len; i-- > 0;) {
    const char *domain = g_array_index(reader->root->opsets, PtOpset, i).domain;
    if (domain[0] && g_hash_table_contains(local, domain) && !g_hash_table_contains(used, domain))
      g_array_remove_index(reader->root->opsets, i);
  }
}

bool pt_onnx_model(PtReader *reader, const Onnx__ModelProto *model, GError **error) {
  if (!model->graph)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "there is no graph in it, so it is no ONNX model");
  if (!model->has_ir_version || model->ir_version < 1)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "there is no IR version in it, so it is no ONNX model");
  if (model->ir_version > PT_ONNX_MAX_IR)
    return pt_onnx_fail(reader, error, PT_ERR_UNSUPPORTED,
                        "the model is of IR version %" G_GINT64_FORMAT
                        "; known are up to %d, so export it for an older one",
                        model->ir_version, PT_ONNX_MAX_IR);
  /* From IR 4 on an initializer need not be a graph input too, and those that are, are dropped from
   * the inputs. */
  reader->root->ir_version = MAX(model->ir_version, 4);
  if (!read_opsets(reader, model, error) || !pt_onnx_functions(reader, model, error) ||
      !pt_onnx_count_names(reader, model, error) ||
      !pt_onnx_graph(reader, model->graph, NULL, NULL, reader->root, 0, error))
    return false;
  drop_function_domains(reader);
  pt_graph_refresh_captures(reader->root);
  if (!pt_onnx_order(reader, reader->root, error))
    return false;
  pt_graph_compact(reader->root);
  return true;
}

static void reader_init(PtReader *reader, const PtOnnxReadOptions *options) {
  if (options)
    reader->options = *options;
  PtOnnxReadOptions *o = &reader->options;
  o->max_nodes = o->max_nodes ? o->max_nodes : 10000000;
  o->max_depth = o->max_depth ? MIN(o->max_depth, 64) : 16;
  reader->work = CLAMP((uint64_t)o->max_nodes * 100, UINT64_C(1) << 20, UINT64_C(1) << 26);
  reader->root = pt_graph_new();
  reader->scratch = pt_arena_new();
  reader->names = g_hash_table_new(g_str_hash, g_str_equal);
  reader->hints = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  reader->files =
      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
}

static void reader_clear(PtReader *reader) {
  g_clear_pointer(&reader->functions, g_hash_table_unref);
  g_hash_table_unref(reader->names);
  g_hash_table_unref(reader->hints);
  g_hash_table_unref(reader->files);
  pt_arena_free(reader->scratch);
  free(reader->real_folder);
  pt_graph_unref(reader->root);
}

static bool read_all(PtReader *reader, GError **error) {
  g_autoptr(GBytes) slim = pt_onnx_slim(reader, error);
  if (!slim)
    return false;
  size_t size;
  const uint8_t *data = g_bytes_get_data(slim, &size);
  Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, data);
  if (!model)
    return pt_onnx_fail(reader, error, PT_ERR_INPUT,
                        "this is not an ONNX model; export or copy it again");
  const bool ok = pt_onnx_model(reader, model, error);
  onnx__model_proto__free_unpacked(model, NULL);
  if (!ok)
    return false;
  pt_graph_hold_bytes(reader->root, reader->bytes);
  GHashTableIter iter;
  void *file;
  g_hash_table_iter_init(&iter, reader->files);
  while (g_hash_table_iter_next(&iter, NULL, &file))
    pt_graph_hold_bytes(reader->root, file);
  return true;
}

PtGraph *pt_onnx_read_bytes(GBytes *bytes, const char *label, const char *folder,
                            const PtOnnxReadOptions *options, GError **error) {
  PtReader reader = {.label = label, .folder = folder, .bytes = bytes};
  reader.base = g_bytes_get_data(bytes, &reader.size);
  reader_init(&reader, options);
  PtGraph *graph = NULL;
  GError *check = NULL;
  if (read_all(&reader, error)) {
    if (pt_graph_check(reader.root, &check))
      graph = pt_graph_ref(reader.root);
    else
      pt_onnx_fail(&reader, error, PT_ERR_INTERNAL, "%s", check->message);
  }
  g_clear_error(&check);
  reader_clear(&reader);
  return graph;
}

PtGraph *pt_onnx_read(const char *path, const PtOnnxReadOptions *options, GError **error) {
  const uint64_t max = options && options->max_bytes ? MIN(options->max_bytes, PT_ONNX_MAX_BYTES)
                                                     : PT_ONNX_MAX_BYTES;
  g_autoptr(GBytes) bytes = pt_file_map(path, max, error);
  if (!bytes)
    return NULL;
  g_autofree char *folder = g_path_get_dirname(path);
  return pt_onnx_read_bytes(bytes, path, folder, options, error);
}
