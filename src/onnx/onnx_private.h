/* Private to the onnx room (and its tests): the steps between bytes and a graph. */
#ifndef PT_ONNX_PRIVATE_H
#define PT_ONNX_PRIVATE_H

#include "onnx/onnx.h"
#include "onnx/onnx.pb-c.h"

/* Data fields of at least this many bytes stay in the mapped file; smaller ones are copied with the
 * structure. */
#define PT_ONNX_MAPPED_MIN 1024
/* protobuf's own limit on a message. */
#define PT_ONNX_MAX_BYTES ((uint64_t)INT32_MAX)
#define PT_ONNX_MAX_IR 14 /* adds two 6-bit floats to 13, which are refused where they occur */
#define PT_ONNX_MIN_OPSET 7
#define PT_ONNX_MAX_OPSET 26
#define PT_ONNX_MAX_CALLS 100 /* functions calling functions */

enum { PT_PB_FLOAT_DATA = 4, PT_PB_RAW_DATA = 9, PT_PB_DOUBLE_DATA = 10 };
enum { PT_PB_EXTERNAL = 1 }; /* TensorProto.DataLocation */
enum {                       /* AttributeProto.AttributeType beyond PtAttrKind */
       PT_PB_ATTR_SPARSE_TENSOR = 11,
       PT_PB_ATTR_SPARSE_TENSORS = 12,
       PT_PB_ATTR_TYPES = 14
};

/* A local function of the model. */
typedef struct PtFunction {
  const Onnx__FunctionProto *proto;
  const char *domain; /* "" for ai.onnx */
  GHashTable *opsets; /* domain -> version, as int64_t* */
} PtFunction;

struct PtScope;
struct PtFrame;
/* A value as a name in a file means it: where it lives; id PT_NONE: an optional input that was left
 * out. */
typedef struct PtBinding {
  PtGraph *graph;
  PtValueId id;
} PtBinding;
/* An attribute as a call gave it: its graphs' names mean what they do where the call stands. */
typedef struct PtBoundAttr {
  const Onnx__AttributeProto *proto;
  struct PtScope *scope;
  struct PtFrame *frame;
} PtBoundAttr;
/* One call of a local function, while its body is inlined. */
typedef struct PtFrame {
  const PtFunction *function;
  GHashTable *attrs; /* name -> PtBoundAttr* */
  struct PtFrame *caller;
  unsigned depth;
} PtFrame;
/* The names of one graph, or of one function body. */
typedef struct PtScope {
  struct PtScope *parent; /* of the enclosing graph; NULL for the main graph and function bodies */
  GHashTable *names;      /* const char* -> PtBinding* */
  PtGraph *graph;         /* where values declared here are added */
  bool inlined;           /* a function body: its values get fresh names */
} PtScope;

typedef struct PtReader {
  const char *label;
  const char *folder; /* for external data, or NULL */
  PtOnnxReadOptions options;
  GBytes *bytes;
  const uint8_t *base; /* [size] the mapping */
  size_t size;
  PtGraph *root;
  PtArena *scratch;
  GHashTable *names;     /* every name declared in the file -> how often; fresh names join it */
  GHashTable *hints;     /* name -> the number it got last */
  GHashTable *functions; /* "domain\nname\noverload" -> PtFunction* */
  GHashTable *files;     /* resolved path -> GBytes of an external file */
  char *real_folder;     /* resolved `folder`, once needed */
  uint64_t nodes;        /* seen so far, inlined ones included */
  uint64_t work;         /* left before the file is taken for a bomb */
} PtReader;

/* Sets the error: "<label>: <sentence>"; always false. */
bool pt_onnx_fail(const PtReader *reader, GError **error, PtErrorCode code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* Takes `amount` from the reader's budget; false with PT_ERR_LIMIT when it is used up. */
bool pt_onnx_charge(PtReader *reader, uint64_t amount, GError **error);

/* slim.c: checks the wire format of a serialized ModelProto and returns a copy without unknown
 * fields, in which large data fields are replaced by their place in `bytes`. */
GBytes *pt_onnx_slim(PtReader *reader, GError **error);

/* tensor.c: the tensor in the arena of `graph`; `what` names it in errors ("initializer 'w'"). */
PtTensor *pt_onnx_tensor(PtReader *reader, PtGraph *graph, const Onnx__TensorProto *proto,
                         const char *what, GError **error);
/* external.c: fills data, or location and offset. */
bool pt_onnx_external(PtReader *reader, PtGraph *graph, const Onnx__TensorProto *proto,
                      PtTensor *tensor, const char *what, GError **error);

/* type.c */
bool pt_onnx_type(PtReader *reader, PtGraph *graph, const Onnx__TypeProto *proto, const char *name,
                  PtType *type, GError **error);
PtType pt_onnx_tensor_type(PtGraph *graph, const PtTensor *tensor);

/* names.c */
bool pt_onnx_count_names(PtReader *reader, const Onnx__ModelProto *model, GError **error);
/* `name` itself where nobody has it, else with a number; in the scratch arena. */
const char *pt_onnx_fresh(PtReader *reader, const char *name);
PtScope *pt_onnx_scope_new(PtGraph *graph, PtScope *parent, bool inlined);
void pt_onnx_scope_free(PtScope *scope);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtScope, pt_onnx_scope_free)
bool pt_onnx_bind(PtReader *reader, PtScope *scope, const char *name, PtGraph *graph, PtValueId id,
                  const char *what, GError **error);
/* A new value of the scope's graph under this name. */
bool pt_onnx_declare(PtReader *reader, PtScope *scope, const char *name, const char *what,
                     PtValueId *id, GError **error);
/* A constant of the main graph under this name. */
bool pt_onnx_hoist(PtReader *reader, PtScope *scope, const char *name, PtTensor *tensor,
                   const char *what, GError **error);
/* What the name means in `scope`, as a value of `graph`; *found false if it means nothing. */
bool pt_onnx_resolve(PtReader *reader, const PtScope *scope, const char *name, PtGraph *graph,
                     PtValueId *id, bool *found, GError **error);

/* attribute.c: what the attribute is here (references to a function's attributes followed); NULL in
 * *bound's proto where the reference has no value. */
bool pt_onnx_bound_attr(PtReader *reader, const Onnx__AttributeProto *proto, PtScope *scope,
                        PtFrame *frame, const char *node, PtBoundAttr *bound, GError **error);
/* Fills the node's attributes; nested graphs are read. */
bool pt_onnx_attrs(PtReader *reader, PtScope *scope, PtFrame *frame, const Onnx__NodeProto *proto,
                   PtGraph *graph, PtNodeId node, unsigned depth, const char *what, GError **error);
/* The value of a Constant node, in the main graph's arena. */
PtTensor *pt_onnx_constant(PtReader *reader, PtScope *scope, PtFrame *frame,
                           const Onnx__NodeProto *proto, const char *what, GError **error);

/* function.c */
bool pt_onnx_functions(PtReader *reader, const Onnx__ModelProto *model, GError **error);
const PtFunction *pt_onnx_function_of(const PtReader *reader, const Onnx__NodeProto *node);
bool pt_onnx_inline(PtReader *reader, PtScope *scope, PtFrame *frame, const Onnx__NodeProto *call,
                    const PtFunction *function, PtGraph *graph, unsigned depth, const char *what,
                    GError **error);
/* Whether a node of this domain may stand here: the model, or the function being inlined, imports
 * it alike. */
bool pt_onnx_domain(PtReader *reader, const PtFrame *frame, const char *domain, const char *what,
                    GError **error);

/* build.c */
const char *pt_onnx_domain_name(const char *domain);
/* "node 'x' (Conv)" in the scratch arena. */
const char *pt_onnx_node_text(PtReader *reader, const Onnx__NodeProto *node);
/* Declares what the nodes make; `preset` (or NULL): names that are values already (const char* ->
 * PtBinding*), taken out as they are met. */
bool pt_onnx_declare_nodes(PtReader *reader, PtScope *scope, PtFrame *frame, size_t n_nodes,
                           Onnx__NodeProto **nodes, GHashTable *preset, GError **error);
bool pt_onnx_add_nodes(PtReader *reader, PtScope *scope, PtFrame *frame, size_t n_nodes,
                       Onnx__NodeProto **nodes, unsigned depth, GError **error);
void pt_onnx_identity(PtReader *reader, PtGraph *graph, PtValueId from, PtValueId to);
bool pt_onnx_graph(PtReader *reader, const Onnx__GraphProto *proto, PtScope *parent, PtFrame *frame,
                   PtGraph *graph, unsigned depth, GError **error);
/* The whole model into reader->root. */
bool pt_onnx_model(PtReader *reader, const Onnx__ModelProto *model, GError **error);

/* order.c: topological order of the graph and of those nested in it. */
bool pt_onnx_order(PtReader *reader, PtGraph *graph, GError **error);

/* encode.c: the message for a graph, in an arena; tensors' data is referenced. */
typedef struct PtEncoder {
  PtArena *arena;
  const PtOnnxWriteOptions *options;
  const char *location; /* of tensors over the threshold, or NULL: none leave the message */
  uint64_t threshold;
  bool in_memory;   /* offsets in `location` are all 0: the caller hands the tensors over */
  uint64_t offset;  /* where the next tensor in `location` begins */
  GArray *external; /* PtValueId of tensors that leave the message */
  GArray *offsets;  /* uint64_t of each */
  GPtrArray *types; /* unpacked TypeProtos, to be freed */
} PtEncoder;
Onnx__ModelProto *pt_onnx_encode(PtEncoder *encoder, const PtGraph *graph, GError **error);

/* write.c: as pt_onnx_write, with another limit than 2 GB on the message (tests). */
bool pt_onnx_write_limited(const PtGraph *graph, const char *path,
                           const PtOnnxWriteOptions *options, uint64_t limit, GError **error);

#endif
