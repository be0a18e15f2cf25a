/* session.c: sessions over graphs and files; running them. */
#include "runtime/runtime_private.h"

#include "onnx/onnx.h"

#include <math.h>
#include <string.h>

/* Constants below this many bytes go into the serialized model: handing one over costs more than
 * copying it. The library itself takes tensors of up to 127 bytes inline only. */
#define EMBED_BELOW 1024
#define HANDED_OVER "proteus-memory"

struct PtSession {
  OrtSession *ort;
  uint32_t n_inputs, n_outputs;
  char **inputs, **outputs; /* names, NULL-terminated */
  GPtrArray *values;        /* OrtValue of initializers used in place, or NULL */
  PtGraph *held;            /* a copy of a skeleton whose empty tensors point at zeros, or NULL */
};

static bool config(OrtSessionOptions *so, const char *key, const char *value, GError **error) {
  return pt_ort_ok(pt_ort.AddSessionConfigEntry(so, key, value), key, error);
}

static bool set_saving(OrtSessionOptions *so, const PtSessionOptions *options, GError **error) {
  if (!options->save_path)
    return true;
  if (!pt_ort_ok(pt_ort.SetOptimizedModelFilePath(so, options->save_path), options->save_path,
                 error))
    return false;
  if (!options->save_external)
    return true;
  char *least = g_strdup_printf("%" G_GUINT64_FORMAT,
                                options->save_external_min ? options->save_external_min : 1024);
  bool ok =
      config(so, "session.optimized_model_external_initializers_file_name", options->save_external,
             error) &&
      config(so, "session.optimized_model_external_initializers_min_size_in_bytes", least, error);
  g_free(least);
  return ok;
}

static bool set_options(OrtSessionOptions *so, const PtSessionOptions *options, GError **error) {
  static const char what[] = "ONNX Runtime takes no options";
  int threads = options->threads ? (int)MIN(options->threads, 1024u) : 1;
  if (!pt_ort_ok(pt_ort.SetSessionLogSeverityLevel(so, ORT_LOG_FATAL), what, error) ||
      !pt_ort_ok(pt_ort.SetSessionGraphOptimizationLevel(so, (int)options->level), what, error) ||
      !pt_ort_ok(pt_ort.SetSessionExecutionMode(so, ORT_SEQUENTIAL), what, error) ||
      !pt_ort_ok(pt_ort.SetIntraOpNumThreads(so, threads), what, error) ||
      !pt_ort_ok(pt_ort.SetInterOpNumThreads(so, 1), what, error) ||
      !config(so, "session.intra_op.allow_spinning", "0", error))
    return false;
  if (!options->prepack && (!config(so, "session.disable_prepacking", "1", error) ||
                            !pt_ort_ok(pt_ort.DisableCpuMemArena(so), what, error) ||
                            !pt_ort_ok(pt_ort.DisableMemPattern(so), what, error)))
    return false;
  if (options->level == PT_LEVEL_ALL && !options->native &&
      !config(so, "optimization.disable_specified_optimizers", "NchwcTransformer", error))
    return false;
  if (options->folder &&
      !config(so, "session.model_external_initializers_file_folder_path", options->folder, error))
    return false;
  return set_saving(so, options, error);
}

static OrtSessionOptions *new_options(const PtSessionOptions *options, GError **error) {
  static const PtSessionOptions defaults = {.level = PT_LEVEL_NONE};
  OrtSessionOptions *so = NULL;
  if (!pt_runtime_load(error) ||
      !pt_ort_ok(pt_ort.CreateSessionOptions(&so), "ONNX Runtime takes no options", error))
    return NULL;
  if (!set_options(so, options ? options : &defaults, error)) {
    pt_ort.ReleaseSessionOptions(so);
    return NULL;
  }
  return so;
}

/* ---- names --------------------------------------------------------------------------------------
 */

typedef OrtStatus *(*CountFunc)(const OrtSession *, size_t *);
typedef OrtStatus *(*NameFunc)(const OrtSession *, size_t, OrtAllocator *, char **);

static char **read_names(const OrtSession *ort, CountFunc count_of, NameFunc name_of, uint32_t *n,
                         GError **error) {
  size_t count = 0;
  if (!pt_ort_ok(count_of(ort, &count), "cannot list the model's interface", error))
    return NULL;
  char **names = g_new0(char *, count + 1);
  for (size_t i = 0; i < count; i++) {
    char *name = NULL;
    if (!pt_ort_ok(name_of(ort, i, pt_ort_allocator, &name), "cannot list the model's interface",
                   error)) {
      g_strfreev(names);
      return NULL;
    }
    names[i] = g_strdup(name);
    pt_ort.ReleaseStatus(pt_ort.AllocatorFree(pt_ort_allocator, name));
  }
  *n = (uint32_t)count;
  return names;
}

static PtSession *wrap(OrtSession *ort, GError **error) {
  PtSession *session = g_new0(PtSession, 1);
  session->ort = ort;
  session->inputs = read_names(ort, pt_ort.SessionGetInputCount, pt_ort.SessionGetInputName,
                               &session->n_inputs, error);
  if (session->inputs)
    session->outputs = read_names(ort, pt_ort.SessionGetOutputCount, pt_ort.SessionGetOutputName,
                                  &session->n_outputs, error);
  if (!session->outputs) {
    pt_session_free(session);
    return NULL;
  }
  return session;
}

void pt_session_free(PtSession *session) {
  if (!session)
    return;
  pt_ort.ReleaseSession(session->ort);
  g_strfreev(session->inputs);
  g_strfreev(session->outputs);
  if (session->values)
    g_ptr_array_unref(session->values);
  if (session->held)
    pt_graph_unref(session->held);
  g_free(session);
}

/* ---- sessions over graphs
 * ------------------------------------------------------------------------ */

/* A tensor that points at caller's memory. The library does not write to inputs and initializers.
 */
static OrtValue *borrow(const void *data, size_t size, const int64_t *dims, size_t rank,
                        PtDtype dtype, GError **error) {
  static const char nothing[16];
  OrtValue *value = NULL;
  void *memory = (void *)(uintptr_t)(data ? data : nothing);
  if (!pt_ort_ok(pt_ort.CreateTensorWithDataAsOrtValue(pt_ort_memory, memory, size, dims, rank,
                                                       pt_ort_element_type(dtype), &value),
                 "cannot hand a tensor to ONNX Runtime", error))
    return NULL;
  return value;
}

static void release_value(void *value) {
  if (value)
    pt_ort.ReleaseValue(value);
}

/* Two ways in. AddInitializer uses the memory as it is (and keeps the OrtValue, which has to live
 * as long as the session), but comes too late for the optimizers; AddExternalInitializers is there
 * in time, and copies. Measured with a tensor of 256 MB: 8 MB more resident against 264 MB. */
static bool hand_over(OrtSessionOptions *so, const PtGraph *graph, const GArray *ids, bool in_place,
                      GPtrArray *values, GError **error) {
  static const char what[] = "cannot hand the weights to ONNX Runtime";
  guint n = ids ? ids->len : 0;
  const char **names = g_new0(const char *, n + 1);
  bool ok = true;
  for (guint i = 0; i < n && ok; i++) {
    const PtValue *constant = pt_value(graph, g_array_index(ids, PtValueId, i));
    const PtTensor *t = constant->constant;
    OrtValue *value = borrow(t->data, t->size, t->dims, t->rank, t->dtype, error);
    ok = value != NULL;
    if (!ok)
      break;
    names[i] = constant->name;
    g_ptr_array_add(values, value);
    if (in_place)
      ok = pt_ort_ok(pt_ort.AddInitializer(so, names[i], value), what, error);
  }
  if (ok && !in_place && n > 0)
    ok = pt_ort_ok(
        pt_ort.AddExternalInitializers(so, names, (const OrtValue *const *)values->pdata, n), what,
        error);
  g_free(names);
  return ok;
}

/* External data's path is checked even where its content is never read, so it names a file that
 * exists: one that the graph refers to anyway, or one that every system has. NULL: neither. */
static const char *standing_file(const PtGraph *graph, const PtSessionOptions *options) {
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
    const PtTensor *t = pt_value(graph, v)->constant;
    if (t && t->location && !t->data)
      return t->location;
  }
  return !options->folder && g_file_test("/dev/null", G_FILE_TEST_EXISTS) ? "null" : NULL;
}

/* The graph itself, or a copy whose empty tensors are zeros; NULL with error. */
static PtGraph *with_zeros(const PtGraph *graph, GError **error) {
  size_t largest = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
    const PtTensor *t = pt_value(graph, v)->constant;
    if (t && pt_tensor_is_empty(t))
      largest = MAX(largest, t->size);
  }
  if (largest == 0)
    return (PtGraph *)graph;
  const void *zeros = pt_zero_page(largest);
  if (!zeros) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_LIMIT,
                "the model has a tensor of %zu bytes, more than can be mapped", largest);
    return NULL;
  }
  PtGraph *copy = pt_graph_copy(graph);
  for (PtValueId v = 0; v < pt_graph_n_values(copy); v++) {
    PtValue *value = pt_value(copy, v);
    if (value->constant && pt_tensor_is_empty(value->constant))
      value->constant = pt_graph_tensor(copy, value->constant->dtype, value->constant->rank,
                                        value->constant->dims, zeros);
  }
  return copy;
}

/* `graph` has no empty tensors here. */
static PtSession *open_graph(const PtGraph *graph, const PtSessionOptions *options,
                             GError **error) {
  const char *stand_in = options->level == PT_LEVEL_NONE ? standing_file(graph, options) : NULL;
  PtSessionOptions chosen = *options;
  if (stand_in && !chosen.folder && g_str_equal(stand_in, "null"))
    chosen.folder = "/dev";
  OrtSessionOptions *so = new_options(&chosen, error);
  if (!so)
    return NULL;
  PtSession *session = NULL;
  GPtrArray *values = g_ptr_array_new_with_free_func(release_value);
  PtOnnxWriteOptions write = {.external_threshold = EMBED_BELOW,
                              .external_location = stand_in ? stand_in : HANDED_OVER};
  GArray *external = NULL;
  GBytes *bytes = pt_onnx_write_bytes(graph, &write, &external, error);
  OrtSession *ort = NULL;
  if (bytes && hand_over(so, graph, external, stand_in != NULL, values, error) &&
      pt_ort_ok(pt_ort.CreateSessionFromArray(pt_ort_env, g_bytes_get_data(bytes, NULL),
                                              g_bytes_get_size(bytes), so, &ort),
                "ONNX Runtime refuses the graph", error))
    session = wrap(ort, error);
  if (session && stand_in)
    session->values = g_ptr_array_ref(values);
  if (external)
    g_array_unref(external);
  if (bytes)
    g_bytes_unref(bytes);
  g_ptr_array_unref(values);
  pt_ort.ReleaseSessionOptions(so);
  return session;
}

PtSession *pt_session_new(const PtGraph *graph, const PtSessionOptions *options, GError **error) {
  static const PtSessionOptions defaults = {.level = PT_LEVEL_NONE};
  if (!pt_runtime_load(error))
    return NULL;
  PtGraph *filled = with_zeros(graph, error);
  if (!filled)
    return NULL;
  PtSession *session = open_graph(filled, options ? options : &defaults, error);
  if (filled != graph) {
    if (session)
      session->held = filled;
    else
      pt_graph_unref(filled);
  }
  return session;
}

PtSession *pt_session_new_file(const char *path, const PtSessionOptions *options, GError **error) {
  if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_IO, "%s: %s", path,
                g_file_test(path, G_FILE_TEST_EXISTS) ? "not a file" : "there is no such file");
    return NULL;
  }
  OrtSessionOptions *so = new_options(options, error);
  if (!so)
    return NULL;
  OrtSession *ort = NULL;
  bool ok = pt_ort_ok(pt_ort.CreateSession(pt_ort_env, path, so, &ort), path, error);
  pt_ort.ReleaseSessionOptions(so);
  return ok ? wrap(ort, error) : NULL;
}

uint32_t pt_session_n_inputs(const PtSession *session) {
  return session->n_inputs;
}
uint32_t pt_session_n_outputs(const PtSession *session) {
  return session->n_outputs;
}
const char *pt_session_input_name(const PtSession *session, uint32_t i) {
  return session->inputs[i];
}
const char *pt_session_output_name(const PtSession *session, uint32_t i) {
  return session->outputs[i];
}

static bool read_type(OrtStatus *(*get)(const OrtSession *, size_t, OrtTypeInfo **),
                      const OrtSession *ort, uint32_t i, PtGraph *into, PtType *type,
                      GError **error) {
  OrtTypeInfo *info = NULL;
  if (!pt_ort_ok(get(ort, i, &info), "cannot read a type", error))
    return false;
  bool ok = pt_ort_type(info, into, type, error);
  pt_ort.ReleaseTypeInfo(info);
  return ok;
}

bool pt_session_input_type(PtSession *session, uint32_t i, PtGraph *into, PtType *type,
                           GError **error) {
  return read_type(pt_ort.SessionGetInputTypeInfo, session->ort, i, into, type, error);
}

bool pt_session_output_type(PtSession *session, uint32_t i, PtGraph *into, PtType *type,
                            GError **error) {
  return read_type(pt_ort.SessionGetOutputTypeInfo, session->ort, i, into, type, error);
}

/* ---- running ------------------------------------------------------------------------------------
 */

/* A tensor's dtype, dims and data copied out; NULL without error for what is no tensor, or strings.
 */
static bool copy_out(OrtValue *value, PtArray **out, GError **error) {
  *out = NULL;
  int is_tensor = 0;
  if (!value || !pt_ort_ok(pt_ort.IsTensor(value, &is_tensor), "cannot read an output", error))
    return value == NULL;
  if (!is_tensor)
    return true;
  OrtShapeInfo *info = NULL;
  int64_t dims[G_N_ELEMENTS((*out)->dims)];
  size_t rank = 0;
  int element_type = 0;
  void *data = NULL;
  if (!pt_ort_ok(pt_ort.GetTensorTypeAndShape(value, &info), "cannot read an output", error))
    return false;
  bool ok =
      pt_ort_ok(pt_ort.GetTensorElementType(info, &element_type), "cannot read an output", error) &&
      pt_ort_ok(pt_ort.GetDimensionsCount(info, &rank), "cannot read an output", error);
  if (ok && rank > G_N_ELEMENTS(dims)) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_UNSUPPORTED, "an output has %zu dimensions", rank);
    ok = false;
  }
  ok = ok && pt_ort_ok(pt_ort.GetDimensions(info, dims, rank), "cannot read an output", error);
  pt_ort.ReleaseShapeInfo(info);
  PtDtype dtype = pt_ort_dtype(element_type);
  if (!ok || pt_dtype_bits(dtype) == 0)
    return ok;
  *out = pt_array_new(dtype, (uint32_t)rank, dims);
  if (!*out) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_LIMIT, "an output is too large");
    return false;
  }
  if (!pt_ort_ok(pt_ort.GetTensorMutableData(value, &data), "cannot read an output", error))
    return false;
  if ((*out)->size)
    memcpy((*out)->data, data, (*out)->size);
  return true;
}

static OrtValue **run(PtSession *session, PtArray *const *inputs, double *seconds, GError **error) {
  OrtValue **in = g_new0(OrtValue *, session->n_inputs + 1);
  OrtValue **out = g_new0(OrtValue *, session->n_outputs + 1);
  bool ok = true;
  for (uint32_t i = 0; i < session->n_inputs && ok; i++) {
    const PtArray *a = inputs ? inputs[i] : NULL;
    if (!a) {
      g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_UNSUPPORTED, "input %s has no value",
                  session->inputs[i]);
      ok = false;
    } else {
      in[i] = borrow(a->data, a->size, a->dims, a->rank, a->dtype, error);
      ok = in[i] != NULL;
    }
  }
  double start = pt_clock();
  ok = ok && pt_ort_ok(pt_ort.Run(session->ort, NULL, (const char *const *)session->inputs,
                                  (const OrtValue *const *)in, session->n_inputs,
                                  (const char *const *)session->outputs, session->n_outputs, out),
                       "ONNX Runtime cannot run the model", error);
  *seconds = pt_clock() - start;
  for (uint32_t i = 0; i < session->n_inputs; i++)
    if (in[i])
      pt_ort.ReleaseValue(in[i]);
  g_free(in);
  if (ok)
    return out;
  g_free(out);
  return NULL;
}

static void free_array(void *array) {
  pt_array_free(array);
}

GPtrArray *pt_session_run(PtSession *session, PtArray *const *inputs, GError **error) {
  double seconds;
  OrtValue **out = run(session, inputs, &seconds, error);
  if (!out)
    return NULL;
  GPtrArray *arrays = g_ptr_array_new_with_free_func(free_array);
  bool ok = true;
  for (uint32_t i = 0; i < session->n_outputs; i++) {
    PtArray *array = NULL;
    ok = ok && copy_out(out[i], &array, error);
    g_ptr_array_add(arrays, array);
    if (out[i])
      pt_ort.ReleaseValue(out[i]);
  }
  g_free(out);
  if (ok)
    return arrays;
  g_ptr_array_unref(arrays);
  return NULL;
}

double pt_session_time(PtSession *session, PtArray *const *inputs, GError **error) {
  double seconds;
  OrtValue **out = run(session, inputs, &seconds, error);
  if (!out)
    return NAN;
  for (uint32_t i = 0; i < session->n_outputs; i++)
    if (out[i])
      pt_ort.ReleaseValue(out[i]);
  g_free(out);
  return seconds;
}

GPtrArray *pt_runtime_evaluate(const PtGraph *graph, GError **error) {
  if (graph->inputs->len > 0) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_USAGE, "a graph with inputs is no constant");
    return NULL;
  }
  PtSessionOptions options = {.level = PT_LEVEL_NONE};
  PtSession *session = pt_session_new(graph, &options, error);
  if (!session)
    return NULL;
  GPtrArray *outputs = pt_session_run(session, NULL, error);
  pt_session_free(session);
  return outputs;
}
