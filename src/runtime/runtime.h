/* runtime: ONNX Runtime behind one header, loaded with dlopen; telemetry off before it starts.
 * In: graphs or files, tensors.  Out: outputs, types of every value, optimized files, timings.
 * Found in this order: PROTEUS_ORT_LIB, the project's build copy, the system.
 * Never touches: protobuf (onnx writes for it), secrets. */
#ifndef PT_RUNTIME_H
#define PT_RUNTIME_H

#include "graph/graph.h"

#define PT_RUNTIME_ERROR (pt_runtime_error_quark())
GQuark pt_runtime_error_quark(void);

/* Loads the library once; PT_ERR_ENVIRONMENT says where it was looked for and what to do.
 * Thread-safe. */
bool pt_runtime_load(GError **error);
const char *pt_runtime_version(void); /* "1.32.0", NULL before load */

/* A tensor that owns its data. */
typedef struct PtArray {
  PtDtype dtype;
  uint32_t rank;
  int64_t dims[8];
  size_t count, size;
  void *data; /* [size], freed with the array; NULL if count is 0 */
} PtArray;
PtArray *pt_array_new(PtDtype dtype, uint32_t rank,
                      const int64_t *dims); /* zeroed; NULL on overflow */
void pt_array_free(PtArray *array);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtArray, pt_array_free)

typedef enum {
  PT_LEVEL_NONE = 0,
  PT_LEVEL_BASIC = 1,
  PT_LEVEL_EXTENDED = 2,
  PT_LEVEL_ALL = 99
} PtLevel;

typedef struct PtSessionOptions {
  PtLevel level;
  bool native;           /* level all: with the NCHWc layout of this CPU */
  const char *save_path; /* write the optimized model here, or NULL */
  const char *folder;    /* where external data of a graph with locations lies, or NULL */
  unsigned threads;      /* intra-op; 0: 1 */
  bool prepack;          /* default off: saves memory; bench turns it on */
  /* With save_path: initializers of at least save_external_min bytes (0: 1024) go to the file of
   * this name beside it, so that a large result can be mapped; needed above 2 GB. NULL: all in one
   * file. */
  const char *save_external;
  uint64_t save_external_min;
} PtSessionOptions;

typedef struct PtSession PtSession;
/* Constants are handed over where they lie, not copied into a protobuf. The graph must outlive the
 * session. */
PtSession *pt_session_new(const PtGraph *graph, const PtSessionOptions *options, GError **error);
PtSession *pt_session_new_file(const char *path, const PtSessionOptions *options, GError **error);
void pt_session_free(PtSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtSession, pt_session_free)

uint32_t pt_session_n_inputs(const PtSession *session);
uint32_t pt_session_n_outputs(const PtSession *session);
const char *pt_session_input_name(const PtSession *session, uint32_t i);
const char *pt_session_output_name(const PtSession *session, uint32_t i);
/* Types are written into the arena of `into`. */
bool pt_session_input_type(PtSession *session, uint32_t i, PtGraph *into, PtType *type,
                           GError **error);
bool pt_session_output_type(PtSession *session, uint32_t i, PtGraph *into, PtType *type,
                            GError **error);
/* inputs[n_inputs] in the session's order; returns n_outputs arrays (GPtrArray of PtArray, owned;
 * an output that is no tensor is NULL). */
GPtrArray *pt_session_run(PtSession *session, PtArray *const *inputs, GError **error);

/* Seconds that one run takes, outputs discarded; NAN on error. */
double pt_session_time(PtSession *session, PtArray *const *inputs, GError **error);

/* Fills pt_value(graph, v)->type of every value from ONNX Runtime's inference (ort-c-api: append
 * all values to the outputs without a type); symbolic dimensions included. Known types are refined,
 * never contradicted. */
bool pt_runtime_infer_types(PtGraph *graph, GError **error);

/* Nodes that compute shapes, indices and masks from sizes that are known (types, above) and from
 * constants become constants of at most 1024 elements, as any optimizer would make them. Node and
 * value ids change; the same file gives the same graph. */
bool pt_runtime_fold(PtGraph *graph, GError **error);

/* Random inputs for a model by dtype and declared type, seeded. Unknown dims take `dim_default`,
 * the same symbol the same size. Integers: 0..max_int-1 (masks by name-independent rule: see
 * inputs.c). Returns GPtrArray of PtArray. */
GPtrArray *pt_runtime_random_inputs(const PtGraph *graph, const PtSeed *seed, int64_t dim_default,
                                    GError **error);

/* The arrays that pt_runtime_random_inputs made for `graph` in the order of a session over the same
 * model, by name. The arrays are borrowed, the list is freed with g_free. PT_ERR_MISMATCH where the
 * session has an input that the graph lacks. */
PtArray **pt_session_order_inputs(const PtSession *session, const PtGraph *graph,
                                  const GPtrArray *inputs, GError **error);

/* Evaluates `outputs` of a graph without inputs (constant folding), optimizations off. GPtrArray of
 * PtArray. */
GPtrArray *pt_runtime_evaluate(const PtGraph *graph, GError **error);

/* Largest |a-b| / max(|a|max, 1e-6) over elements; INFINITY where dtype or shape differ or a NaN is
 * on one side. */
double pt_array_difference(const PtArray *reference, const PtArray *other);
/* What a difference may be: `tolerance`, raised to what rounding does where `original` has coarse
 * formats (float16, bfloat16, float8, quantization). Always of the original: an answer's own
 * formats do not excuse it. */
double pt_tolerance(double tolerance, const PtGraph *original);

#endif
