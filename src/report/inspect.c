/* inspect.c: what is in a model, a bundle, a folder of answers, or a secret. */
#include "bundle/bundle.h"
#include "onnx/onnx.h"
#include "optimize/optimize.h"
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- counting ---- */
typedef struct Tally {
  GHashTable *operators; /* char* -> count */
  uint64_t nodes;
  uint64_t elements[PT_DTYPE_COUNT], bytes[PT_DTYPE_COUNT]; /* of constants */
  uint64_t constants, empty;
} Tally;

static void tally_init(Tally *tally) {
  *tally = (Tally){.operators = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
}
static void tally_clear(Tally *tally) {
  g_hash_table_unref(tally->operators);
}

static void tally_graph(Tally *tally, const PtGraph *graph) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(graph); i++) {
    const PtNode *node = pt_node(graph, i);
    char *name = node->domain[0] ? g_strdup_printf("%s.%s", node->domain, node->op_type)
                                 : g_strdup(node->op_type);
    gsize count = GPOINTER_TO_SIZE(g_hash_table_lookup(tally->operators, name));
    g_hash_table_insert(tally->operators, name, GSIZE_TO_POINTER(count + 1));
    tally->nodes++;
    for (uint32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
        for (uint32_t j = 0; j < node->attrs[a].count; j++)
          tally_graph(tally, node->attrs[a].as.graphs[j]);
  }
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
    const PtTensor *tensor = pt_value(graph, v)->constant;
    if (!tensor || tensor->dtype < 0 || tensor->dtype >= PT_DTYPE_COUNT)
      continue;
    size_t size = pt_dtype_size(tensor->dtype, tensor->count);
    tally->constants++;
    tally->empty += pt_tensor_is_empty(tensor);
    tally->elements[tensor->dtype] += tensor->count;
    tally->bytes[tensor->dtype] += size == SIZE_MAX ? 0 : size;
  }
}

typedef struct Count {
  const char *name;
  gsize count;
} Count;

static int by_count(const void *a, const void *b) {
  const Count *x = a, *y = b;
  if (x->count != y->count)
    return x->count < y->count ? 1 : -1;
  return g_strcmp0(x->name, y->name);
}

/* Operators, the most frequent first; caller unrefs. Names are borrowed from the tally. */
static GArray *sorted_operators(const Tally *tally) {
  GArray *counts = g_array_new(FALSE, FALSE, sizeof(Count));
  GHashTableIter iter;
  gpointer name, count;
  g_hash_table_iter_init(&iter, tally->operators);
  while (g_hash_table_iter_next(&iter, &name, &count)) {
    Count entry = {name, GPOINTER_TO_SIZE(count)};
    g_array_append_val(counts, entry);
  }
  g_array_sort(counts, by_count);
  return counts;
}

static void set(json_t *object, const char *key, json_t *value) {
  json_object_set_new(object, key, value);
}

static void tally_json(const Tally *tally, json_t *o) {
  set(o, "nodes", json_integer((json_int_t)tally->nodes));
  json_t *operators = json_object();
  g_autoptr(GArray) counts = sorted_operators(tally);
  for (guint i = 0; i < counts->len; i++) {
    const Count *entry = &g_array_index(counts, Count, i);
    g_autofree char *valid = g_utf8_make_valid(entry->name, -1);
    set(operators, valid, json_integer((json_int_t)entry->count));
  }
  set(o, "operators", operators);
  json_t *weights = json_object();
  for (int d = 0; d < PT_DTYPE_COUNT; d++)
    if (tally->elements[d] > 0) {
      json_t *entry = json_object();
      set(entry, "elements", json_integer((json_int_t)tally->elements[d]));
      set(entry, "bytes", json_integer((json_int_t)tally->bytes[d]));
      set(weights, pt_dtype_name((PtDtype)d), entry);
    }
  set(o, "constants", json_integer((json_int_t)tally->constants));
  set(o, "without_data", json_integer((json_int_t)tally->empty));
  set(o, "weights", weights);
}

static void tally_lines(const Tally *tally, PtLines *lines) {
  const char *label = "constants";
  for (int d = 0; d < PT_DTYPE_COUNT; d++)
    if (tally->elements[d] > 0) {
      g_autofree char *size = pt_human_size(tally->bytes[d]);
      g_autofree char *elements = pt_human_count(tally->elements[d]);
      pt_lines_add(lines, label, "%s %s (%s)", elements, pt_dtype_name((PtDtype)d), size);
      label = "";
    }
  if (tally->empty)
    pt_lines_add(lines, label,
                 "%" G_GUINT64_FORMAT " carry no data: give them some with proteus fill",
                 tally->empty);
  g_autoptr(GArray) counts = sorted_operators(tally);
  for (guint i = 0; i < counts->len; i++) {
    const Count *entry = &g_array_index(counts, Count, i);
    g_autofree char *count = pt_human_count(entry->count);
    pt_lines_add(lines, i == 0 ? "operators" : "", "%6s %s", count, entry->name);
  }
}

/* ---- a model ---- */
static json_t *interface_json(const PtGraph *graph, const GArray *ids) {
  json_t *list = json_array();
  for (guint i = 0; i < ids->len; i++) {
    const PtValue *value = pt_value(graph, g_array_index(ids, PtValueId, i));
    g_autofree char *type = pt_type_text(&value->type);
    json_t *entry = json_object();
    set(entry, "name", pt_json_text(value->name));
    set(entry, "type", pt_json_text(type));
    json_array_append_new(list, entry);
  }
  return list;
}

static void interface_lines(PtLines *lines, const char *label, const PtGraph *graph,
                            const GArray *ids) {
  for (guint i = 0; i < ids->len; i++) {
    const PtValue *value = pt_value(graph, g_array_index(ids, PtValueId, i));
    g_autofree char *type = pt_type_text(&value->type);
    pt_lines_add(lines, i == 0 ? label : "", "%s %s", value->name, type);
  }
}

static char *inspect_model(const char *path, uint64_t file_bytes, bool json, GError **error) {
  /* A candidate's weights are external: it is described without noise.bin at hand. */
  PtOnnxReadOptions named = {
      .external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE, .allow_empty = true};
  PtOnnxReadOptions mapped = {.external = PT_EXTERNAL_MAP, .allow_empty = true};
  g_autoptr(PtGraph) graph = pt_onnx_read(path, &named, NULL);
  if (!graph)
    graph = pt_onnx_read(path, &mapped, error);
  if (!graph)
    return NULL;
  Tally tally;
  tally_init(&tally);
  tally_graph(&tally, graph);
  char *result;
  if (json) {
    json_t *o = json_object();
    set(o, "kind", json_string("model"));
    set(o, "path", pt_json_text(path));
    set(o, "file_bytes", json_integer((json_int_t)file_bytes));
    set(o, "ir_version", json_integer(graph->ir_version));
    json_t *opsets = json_object();
    for (guint i = 0; i < graph->opsets->len; i++) {
      const PtOpset *opset = &g_array_index(graph->opsets, PtOpset, i);
      g_autofree char *valid = g_utf8_make_valid(opset->domain, -1);
      set(opsets, valid, json_integer(opset->version));
    }
    set(o, "opsets", opsets);
    set(o, "inputs", interface_json(graph, graph->inputs));
    set(o, "outputs", interface_json(graph, graph->outputs));
    tally_json(&tally, o);
    result = pt_json_dump(o);
  } else {
    PtLines *lines = pt_lines_new();
    g_autofree char *size = pt_human_size(file_bytes);
    g_autofree char *nodes = pt_human_plural(tally.nodes, "node", "nodes");
    pt_lines_add(lines, "model", "%s (%s): %s, IR version %" G_GINT64_FORMAT, path, size, nodes,
                 graph->ir_version);
    for (guint i = 0; i < graph->opsets->len; i++) {
      const PtOpset *opset = &g_array_index(graph->opsets, PtOpset, i);
      pt_lines_add(lines, i == 0 ? "opsets" : "", "%s %" G_GINT64_FORMAT,
                   opset->domain[0] ? opset->domain : "ai.onnx", opset->version);
    }
    interface_lines(lines, "inputs", graph, graph->inputs);
    interface_lines(lines, "outputs", graph, graph->outputs);
    tally_lines(&tally, lines);
    result = pt_lines_finish(lines);
  }
  tally_clear(&tally);
  return result;
}

/* ---- a folder: a bundle, or answers ---- */
typedef struct Folder {
  Tally tally;
  uint32_t files, unreadable;
  uint64_t bytes, smallest, largest;
  GPtrArray *problems; /* char*, one sentence each, the first few */
  PtTarget target;     /* answers: what they were made with */
} Folder;

static bool file_size(const char *path, uint64_t *size) {
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
    return false;
  *size = (uint64_t)info.st_size;
  return true;
}

static void folder_add(Folder *folder, const char *path) {
  uint64_t size = 0;
  PtOnnxReadOptions named = {
      .external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE, .allow_empty = true};
  g_autoptr(GError) problem = NULL;
  g_autoptr(PtGraph) graph = NULL;
  if (file_size(path, &size))
    graph = pt_onnx_read(path, &named, &problem);
  if (!graph) {
    folder->unreadable++;
    if (folder->problems->len < 10)
      g_ptr_array_add(folder->problems, problem ? g_strdup(problem->message)
                                                : g_strdup_printf("%s: no such file", path));
    return;
  }
  folder->files++;
  folder->bytes += size;
  folder->smallest = folder->files == 1 ? size : MIN(folder->smallest, size);
  folder->largest = MAX(folder->largest, size);
  tally_graph(&folder->tally, graph);
}

static char *folder_result(Folder *folder, const char *kind, const char *path,
                           const PtManifest *manifest, bool json) {
  if (json) {
    json_t *o = json_object();
    set(o, "kind", pt_json_text(kind));
    set(o, "path", pt_json_text(path));
    if (manifest) {
      set(o, "candidates", json_integer(manifest->candidates->len));
      set(o, "noise_floats", json_integer((json_int_t)manifest->noise.floats));
      set(o, "noise_bytes", json_integer((json_int_t)pt_noise_file_size(&manifest->noise)));
    }
    if (folder->target.with) {
      set(o, "with", pt_json_text(folder->target.with));
      set(o, "level", pt_json_text(folder->target.level));
      set(o, "target", pt_json_text(folder->target.target));
      set(o, "ort", pt_json_text(folder->target.ort));
    }
    set(o, "files", json_integer(folder->files));
    set(o, "unreadable", json_integer(folder->unreadable));
    set(o, "bytes", json_integer((json_int_t)folder->bytes));
    set(o, "smallest_bytes", json_integer((json_int_t)folder->smallest));
    set(o, "largest_bytes", json_integer((json_int_t)folder->largest));
    json_t *problems = json_array();
    for (guint i = 0; i < folder->problems->len; i++)
      json_array_append_new(problems, pt_json_text(g_ptr_array_index(folder->problems, i)));
    set(o, "problems", problems);
    tally_json(&folder->tally, o);
    return pt_json_dump(o);
  }
  PtLines *lines = pt_lines_new();
  g_autofree char *bytes = pt_human_size(folder->bytes);
  g_autofree char *small = pt_human_size(folder->smallest);
  g_autofree char *large = pt_human_size(folder->largest);
  g_autofree char *nodes = pt_human_plural(folder->tally.nodes, "node", "nodes");
  if (manifest) {
    g_autofree char *noise = pt_human_size(pt_noise_file_size(&manifest->noise));
    g_autofree char *all = pt_human_plural(manifest->candidates->len, "candidate", "candidates");
    pt_lines_add(lines, kind, "%s: %s", path, all);
    pt_lines_add(lines, "noise", "%s, made from the manifest's seed", noise);
  } else {
    g_autofree char *all = pt_human_plural(folder->files, "model", "models");
    pt_lines_add(lines, kind, "%s: %s", path, all);
    if (folder->target.level)
      pt_lines_add(lines, "made with", "ONNX Runtime %s, level %s, %s",
                   folder->target.ort ? folder->target.ort : "", folder->target.level,
                   folder->target.target ? folder->target.target : "");
    else if (folder->target.with)
      pt_lines_add(lines, "made with", "%s", folder->target.with);
  }
  pt_lines_add(lines, "files", "%s, from %s to %s; %s in all", bytes, small, large, nodes);
  for (guint i = 0; i < folder->problems->len; i++)
    pt_lines_add(lines, i == 0 ? "problems" : "", "%s",
                 (const char *)g_ptr_array_index(folder->problems, i));
  tally_lines(&folder->tally, lines);
  return pt_lines_finish(lines);
}

static char *inspect_folder(const char *path, bool json, GError **error) {
  g_autofree char *manifest_path = g_build_filename(path, "manifest.json", NULL);
  g_autoptr(PtManifest) manifest = NULL;
  g_autoptr(GPtrArray) names = NULL;
  if (g_file_test(manifest_path, G_FILE_TEST_EXISTS)) {
    manifest = pt_manifest_read(path, error);
    if (!manifest)
      return NULL;
  } else {
    names = pt_dir_list(path, ".onnx", error);
    if (!names)
      return NULL;
    if (names->len == 0) {
      g_set_error(error, PT_REPORT_ERROR, PT_ERR_INPUT,
                  "%s: neither a bundle nor a folder with .onnx files", path);
      return NULL;
    }
  }
  Folder folder = {.problems = g_ptr_array_new_with_free_func(g_free)};
  tally_init(&folder.tally);
  guint count = manifest ? manifest->candidates->len : names->len;
  for (guint i = 0; i < count; i++) {
    const char *name = manifest ? ((PtCandidate *)g_ptr_array_index(manifest->candidates, i))->file
                                : g_ptr_array_index(names, i);
    g_autofree char *file = g_build_filename(path, name, NULL);
    folder_add(&folder, file);
  }
  bool answers = false;
  if (!manifest && !pt_target_read(path, &folder.target, &answers, NULL))
    answers = false; /* whoever made it, its files count */
  char *result = folder_result(&folder,
                               manifest  ? "bundle"
                               : answers ? "answers"
                                         : "folder",
                               path, manifest, json);
  if (answers)
    pt_target_clear(&folder.target);
  tally_clear(&folder.tally);
  g_ptr_array_unref(folder.problems);
  return result;
}

/* ---- a secret ---- */
static bool looks_like_json(const char *path) {
  char head[64] = {0};
  FILE *file = fopen(path, "rb");
  if (!file)
    return false;
  size_t size = fread(head, 1, sizeof head - 1, file);
  fclose(file);
  const char *p = head;
  while (p < head + size && g_ascii_isspace(*p))
    p++;
  return *p == '{';
}

static char *inspect_secret(const char *path, bool json, GError **error) {
  g_autoptr(PtSecret) secret = pt_secret_read(path, error);
  if (!secret)
    return NULL;
  uint64_t members = 0, candidates = 0, nodes = 0;
  for (guint i = 0; i < secret->buckets->len; i++) {
    const PtSecretBucket *bucket = g_ptr_array_index(secret->buckets, i);
    candidates += bucket->candidates->len;
    members += bucket->members->len;
    for (guint j = 0; j < bucket->members->len; j++)
      nodes += ((const PtMember *)g_ptr_array_index(bucket->members, j))->nodes->len;
  }
  if (json) {
    json_t *o = json_object();
    set(o, "kind", json_string("secret"));
    set(o, "path", pt_json_text(path));
    set(o, "model_sha256", pt_json_text(secret->model_sha256));
    set(o, "buckets", json_integer(secret->buckets->len));
    set(o, "candidates", json_integer((json_int_t)candidates));
    set(o, "pieces", json_integer((json_int_t)members));
    set(o, "nodes", json_integer((json_int_t)nodes));
    return pt_json_dump(o);
  }
  PtLines *lines = pt_lines_new();
  pt_lines_add(lines, "secret", "%s: keep it", path);
  pt_lines_add(lines, "model", "sha256 %s", secret->model_sha256);
  pt_lines_add(lines, "buckets",
               "%u with %" G_GUINT64_FORMAT " candidates, for %" G_GUINT64_FORMAT
               " pieces of %" G_GUINT64_FORMAT " nodes in all",
               secret->buckets->len, candidates, members, nodes);
  return pt_lines_finish(lines);
}

char *pt_inspect(const char *path, bool json, GError **error) {
  struct stat info;
  if (stat(path, &info) != 0) {
    int number = errno;
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_IO, "%s: %s", path, g_strerror(number));
    return NULL;
  }
  if (S_ISDIR(info.st_mode))
    return inspect_folder(path, json, error);
  if (!S_ISREG(info.st_mode)) {
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_INPUT, "%s: not a file or folder", path);
    return NULL;
  }
  if (looks_like_json(path))
    return inspect_secret(path, json, error);
  return inspect_model(path, (uint64_t)info.st_size, json, error);
}
