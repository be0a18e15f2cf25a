/* onnx: ONNX files to graphs and back; the only room that sees protobuf.
 * In: a path or bytes, hostile until checked.  Out: a PtGraph with Constant nodes lifted, functions
 * inlined, nested constants hoisted, in topological order; or a file, written atomically. Large
 * tensors are mapped, not copied; external data may not leave the model's folder. Never touches:
 * ONNX Runtime; what operators mean. */
#ifndef PT_ONNX_H
#define PT_ONNX_H

#include "graph/graph.h"

#define PT_ONNX_ERROR (pt_onnx_error_quark())
GQuark pt_onnx_error_quark(void);

typedef enum {
  PT_EXTERNAL_MAP,   /* map files inside the model's folder; anything else is PT_ERR_INPUT */
  PT_EXTERNAL_NAMED, /* keep location and offset, data NULL; location must equal `external_name` */
  PT_EXTERNAL_REFUSE
} PtExternalPolicy;

typedef struct PtOnnxReadOptions {
  PtExternalPolicy external;
  const char *external_name;
  bool allow_empty;   /* skeletons: float initializers without data are let through */
  uint64_t max_bytes; /* 0: no limit but 2 GB of protobuf */
  uint32_t max_nodes; /* 0: 10 million */
  uint32_t max_depth; /* nesting of graphs; 0: 16 */
} PtOnnxReadOptions;

/* What is read is made simple: Constant nodes, and constants of nested graphs, are constants of the
 * main graph; local functions are inlined; inputs with an initializer are constants; unused
 * constants are gone. Tensors' data is not aligned: it lies where the file has it, so read it with
 * memcpy or pt_tensor_*. options NULL: PT_EXTERNAL_MAP, no empty tensors, default limits. Errors
 * name `path`. */
PtGraph *pt_onnx_read(const char *path, const PtOnnxReadOptions *options, GError **error);
/* `label` stands for the path in messages; `folder` for external data, or NULL. bytes are held, not
 * copied. */
PtGraph *pt_onnx_read_bytes(GBytes *bytes, const char *label, const char *folder,
                            const PtOnnxReadOptions *options, GError **error);

typedef struct PtOnnxWriteOptions {
  const char *producer; /* NULL: none written */
  bool all_types;       /* write every known value type into value_info */
  /* Tensors of at least this many bytes go to `external_path` (0: only when the file would pass 2
   * GB, then to
   * "<file>.data" beside it). */
  uint64_t external_threshold;
  /* pt_onnx_write_bytes only: tensors over the threshold are written as external data named by this
   * and are listed in *external for the caller to hand over (ONNX Runtime's
   * AddExternalInitializers). */
  const char *external_location;
} PtOnnxWriteOptions;

/* Streams tensors from where they lie; temporary name, then rename. mode 0: 0644. */
bool pt_onnx_write(const PtGraph *graph, const char *path, const PtOnnxWriteOptions *options,
                   GError **error);
/* external (or NULL): receives PtValueId of the tensors left out, caller unrefs. Tensors with a
 * location are written as external references to it. */
GBytes *pt_onnx_write_bytes(const PtGraph *graph, const PtOnnxWriteOptions *options,
                            GArray **external, GError **error);

#endif
