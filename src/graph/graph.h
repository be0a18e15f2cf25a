/* graph: the IR that every room works on.
 * In: nodes, values, constants, as the onnx room reads them.  Out: order, uses, pieces, canonical
 * hashes. A graph lives in one arena; ids are indices and stay valid until pt_graph_compact.
 * Weights are referenced where they lie (a mapped file), never copied.
 * Never touches: files, protobuf, ONNX Runtime, what an operator means (ops). */
#ifndef PT_GRAPH_H
#define PT_GRAPH_H

#include "base/base.h"

#define PT_GRAPH_ERROR (pt_graph_error_quark())
GQuark pt_graph_error_quark(void);

#define PT_NONE UINT32_MAX
typedef uint32_t PtNodeId;
typedef uint32_t PtValueId;

/* ---- types -------------------------------------------------------------------------------------
 */
/* ONNX TensorProto.DataType's numbers. */
typedef enum {
  PT_DTYPE_UNDEFINED = 0,
  PT_FLOAT = 1,
  PT_UINT8 = 2,
  PT_INT8 = 3,
  PT_UINT16 = 4,
  PT_INT16 = 5,
  PT_INT32 = 6,
  PT_INT64 = 7,
  PT_STRING = 8,
  PT_BOOL = 9,
  PT_FLOAT16 = 10,
  PT_DOUBLE = 11,
  PT_UINT32 = 12,
  PT_UINT64 = 13,
  PT_COMPLEX64 = 14,
  PT_COMPLEX128 = 15,
  PT_BFLOAT16 = 16,
  PT_FLOAT8E4M3FN = 17,
  PT_FLOAT8E4M3FNUZ = 18,
  PT_FLOAT8E5M2 = 19,
  PT_FLOAT8E5M2FNUZ = 20,
  PT_UINT4 = 21,
  PT_INT4 = 22,
  PT_FLOAT4E2M1 = 23,
  PT_FLOAT8E8M0 = 24,
  PT_UINT2 = 25,
  PT_INT2 = 26,
  PT_DTYPE_COUNT
} PtDtype;
const char *pt_dtype_name(PtDtype dtype); /* "float32", "int64", ... */
unsigned pt_dtype_bits(PtDtype dtype);    /* 0 for strings and unknown */
bool pt_dtype_is_float(PtDtype dtype);    /* every float format, 64 to 4 bits */
bool pt_dtype_is_integer(PtDtype dtype);  /* signed or unsigned, not bool */

typedef struct PtDim {
  int64_t size;       /* elements, or -1 where not known before running */
  const char *symbol; /* a name such as "batch" for an unknown size, or NULL */
} PtDim;

typedef enum {
  PT_TYPE_UNKNOWN, /* nothing known */
  PT_TYPE_TENSOR,
  PT_TYPE_OPAQUE /* sequence, optional, map, sparse: carried as serialized TypeProto, never cut */
} PtTypeKind;

typedef struct PtType {
  PtTypeKind kind;
  PtDtype dtype;         /* tensors */
  int32_t rank;          /* tensors: -1 where unknown */
  PtDim *dims;           /* [rank] in the graph's arena */
  const uint8_t *opaque; /* [opaque_size] serialized TypeProto (PT_TYPE_OPAQUE), else NULL */
  size_t opaque_size;
} PtType;
bool pt_type_equal(const PtType *a, const PtType *b); /* symbols compared as strings */
bool pt_type_is_static(const PtType *type);           /* tensor with every size known */
/* Elements of a static tensor type; -1 if not static or over INT64_MAX. */
int64_t pt_type_count(const PtType *type);
/* "float32[1,64,batch]" ; caller frees. */
char *pt_type_text(const PtType *type);

/* ---- constants ---------------------------------------------------------------------------------
 */
typedef struct PtTensor {
  PtDtype dtype;
  uint32_t rank;
  const int64_t *dims;    /* [rank], each >= 0 */
  size_t count;           /* elements */
  size_t size;            /* bytes of data, 0 for strings */
  const uint8_t *data;    /* [size] little-endian; NULL: external and not mapped, or without data */
  const char *location;   /* external file name, or NULL; kept only where the reader was told to */
  uint64_t offset;        /* in that file, bytes */
  GBytes *const *strings; /* [count] for PT_STRING */
} PtTensor;
/* A float tensor of a skeleton, which `fill` gives its data. */
static inline bool pt_tensor_is_empty(const PtTensor *t) {
  return t->count > 0 && !t->data && !t->location && !t->strings;
}
/* Reads integer-like constants (int64, int32, uint8, bool) of up to `max` elements; -1 if it is
 * none. */
int64_t pt_tensor_ints(const PtTensor *tensor, int64_t *out, size_t max);
/* Reads element i of a float tensor (16, 32, 64 bits, bfloat16); NAN if it is none. */
double pt_tensor_float_at(const PtTensor *tensor, size_t i);
/* bytes for `count` elements, SIZE_MAX on overflow. */
size_t pt_dtype_size(PtDtype dtype, size_t count);

/* ---- the graph ---------------------------------------------------------------------------------
 */
typedef struct PtGraph PtGraph;

typedef enum {
  PT_ATTR_FLOAT = 1,
  PT_ATTR_INT = 2,
  PT_ATTR_STRING = 3,
  PT_ATTR_TENSOR = 4,
  PT_ATTR_GRAPH = 5,
  PT_ATTR_FLOATS = 6,
  PT_ATTR_INTS = 7,
  PT_ATTR_STRINGS = 8,
  PT_ATTR_TENSORS = 9,
  PT_ATTR_GRAPHS = 10,
  PT_ATTR_TYPE = 13 /* TypeProto, serialized */
} PtAttrKind;

typedef struct PtAttr {
  const char *name;
  PtAttrKind kind;
  uint32_t count; /* of the array below that `kind` names; 1 for the single kinds */
  union {
    const float *floats;      /* FLOAT, FLOATS */
    const int64_t *ints;      /* INT, INTS */
    GBytes *const *strings;   /* STRING, STRINGS, TYPE; bytes, not NUL-terminated */
    PtTensor *const *tensors; /* TENSOR, TENSORS */
    PtGraph *const *graphs;   /* GRAPH, GRAPHS: nested, their `parent` is this graph */
  } as;
} PtAttr;

typedef struct PtNode {
  const char *name;   /* may be "" ; never used as a key */
  const char *domain; /* "" for ai.onnx (which reads as "") */
  const char *op_type;
  PtValueId *inputs;  /* [n_inputs], PT_NONE where an optional input is left out */
  PtValueId *outputs; /* [n_outputs], PT_NONE where left out */
  uint32_t n_inputs, n_outputs;
  PtAttr *attrs; /* [n_attrs] */
  uint32_t n_attrs;
  PtValueId *captures; /* [n_captures] values of this graph that nested graphs read, distinct */
  uint32_t n_captures;
  bool dead; /* dropped by the next pt_graph_compact */
} PtNode;

typedef struct PtValue {
  const char *name; /* unique within the graph and the graphs nested in it; never "" */
  PtType type;
  PtNodeId producer;  /* PT_NONE for graph inputs, constants and outer values */
  uint32_t output;    /* index among the producer's outputs */
  PtTensor *constant; /* initializer, or NULL */
  PtValueId outer;    /* nested graphs: the value of `parent` that this stands for, else PT_NONE */
  bool is_input;      /* listed in graph->inputs */
} PtValue;

typedef struct PtOpset {
  const char *domain; /* "" for ai.onnx */
  int64_t version;
} PtOpset;

struct PtGraph {
  PtArena *arena;
  const char *name;
  int64_t ir_version;
  GArray *opsets;    /* PtOpset */
  GArray *values;    /* PtValue */
  GArray *nodes;     /* PtNode, in a topological order once read */
  GArray *inputs;    /* PtValueId, in order */
  GArray *outputs;   /* PtValueId, in order */
  PtGraph *parent;   /* nested graphs: the enclosing graph (borrowed) */
  GHashTable *names; /* const char* (arena) -> PtValueId + 1 */
  GPtrArray *held;   /* what tensors point into: unref'd with the graph */
  gint refs;
};

PtGraph *pt_graph_new(void);
PtGraph *pt_graph_new_nested(PtGraph *parent);
PtGraph *pt_graph_ref(PtGraph *graph);
void pt_graph_unref(PtGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtGraph, pt_graph_unref)
/* Keep `owner` alive as long as the graph: a GBytes, another graph, a buffer. */
void pt_graph_hold(PtGraph *graph, void *owner, GDestroyNotify release);
static inline void pt_graph_hold_bytes(PtGraph *graph, GBytes *bytes) {
  pt_graph_hold(graph, g_bytes_ref(bytes), (GDestroyNotify)g_bytes_unref);
}

static inline PtValue *pt_value(const PtGraph *g, PtValueId id) {
  return &g_array_index(g->values, PtValue, id);
}
static inline PtNode *pt_node(const PtGraph *g, PtNodeId id) {
  return &g_array_index(g->nodes, PtNode, id);
}
static inline uint32_t pt_graph_n_values(const PtGraph *g) {
  return g->values->len;
}
static inline uint32_t pt_graph_n_nodes(const PtGraph *g) {
  return g->nodes->len;
}
static inline PtValueId pt_graph_input(const PtGraph *g, uint32_t i) {
  return g_array_index(g->inputs, PtValueId, i);
}
static inline PtValueId pt_graph_output(const PtGraph *g, uint32_t i) {
  return g_array_index(g->outputs, PtValueId, i);
}

/* ---- building ----------------------------------------------------------------------------------
 */
/* NULL name: a fresh one. A name that is taken gives PT_NONE. */
PtValueId pt_graph_add_value(PtGraph *graph, const char *name);
PtValueId pt_graph_add_input(PtGraph *graph, const char *name, const PtType *type);
void pt_graph_add_output(PtGraph *graph, PtValueId value);
/* A constant value; `tensor` must live as long as the graph (pt_graph_tensor, or held). */
PtValueId pt_graph_add_constant(PtGraph *graph, const char *name, PtTensor *tensor);
/* A tensor header in the arena, count and size computed; NULL when a product overflows. `data` is
 * referenced. */
PtTensor *pt_graph_tensor(PtGraph *graph, PtDtype dtype, uint32_t rank, const int64_t *dims,
                          const void *data);
/* As above with `data` copied into the arena (small constants). */
PtTensor *pt_graph_tensor_copy(PtGraph *graph, PtDtype dtype, uint32_t rank, const int64_t *dims,
                               const void *data);
PtValueId pt_graph_add_ints(PtGraph *graph, const int64_t *values, size_t count); /* int64[count] */
/* inputs and outputs are copied; outputs become produced by the node. */
PtNodeId pt_graph_add_node(PtGraph *graph, const char *domain, const char *op_type,
                           const PtValueId *inputs, uint32_t n_inputs, const PtValueId *outputs,
                           uint32_t n_outputs);
/* One fresh output; returns its value. */
PtValueId pt_graph_add_op(PtGraph *graph, const char *op_type, const PtValueId *inputs,
                          uint32_t n_inputs);
PtType pt_type_tensor(PtGraph *graph, PtDtype dtype, int32_t rank, const PtDim *dims);
PtType pt_type_copy(PtGraph *graph, const PtType *type);
void pt_graph_set_opset(PtGraph *graph, const char *domain, int64_t version);
/* Version imported for the domain (looked up in parents too); -1 if none. */
int64_t pt_graph_opset(const PtGraph *graph, const char *domain);

const PtAttr *pt_node_attr(const PtNode *node, const char *name);
int64_t pt_node_int(const PtNode *node, const char *name, int64_t fallback);
double pt_node_float(const PtNode *node, const char *name, double fallback);
/* NULL and *count = 0 if absent. */
const int64_t *pt_node_ints(const PtNode *node, const char *name, uint32_t *count);
/* True if the attribute is a string equal to `text`. */
bool pt_node_string_is(const PtNode *node, const char *name, const char *text);
void pt_node_set_int(PtGraph *graph, PtNodeId node, const char *name, int64_t value);
void pt_node_set_float(PtGraph *graph, PtNodeId node, const char *name, float value);
void pt_node_set_ints(PtGraph *graph, PtNodeId node, const char *name, const int64_t *v,
                      uint32_t n);
void pt_node_set_floats(PtGraph *graph, PtNodeId node, const char *name, const float *v,
                        uint32_t n);
void pt_node_set_string(PtGraph *graph, PtNodeId node, const char *name, const char *text);
/* Same dtype, sizes and, if with_data, contents (or where these lie, for those without data). */
bool pt_tensor_equal(const PtTensor *a, const PtTensor *b, bool with_data);
/* Same kind and contents, bit for bit; names are not compared. Nested graphs: never equal. */
bool pt_attr_equal(const PtAttr *a, const PtAttr *b);
/* Copies an attribute of another graph's node; nested graphs are deep-copied, their outer values
 * mapped by map[old outer id] (PT_NONE entries are an internal error). */
void pt_node_add_attr_copy(PtGraph *graph, PtNodeId node, const PtAttr *attr, const PtValueId *map);
/* Recomputes captures of every node from nested graphs (any depth). */
void pt_graph_refresh_captures(PtGraph *graph);

PtValueId pt_graph_find(const PtGraph *graph, const char *name); /* PT_NONE if there is none */
/* Every use of `from` by nodes (captures included) and graph outputs becomes `to`. */
void pt_graph_replace_value(PtGraph *graph, PtValueId from, PtValueId to);
/* Drops dead nodes, values nothing refers to, and unused constants; renumbers. Inputs, outputs
 * stay. */
void pt_graph_compact(PtGraph *graph);
/* Marks nodes dead whose outputs nobody uses, repeatedly. Returns how many. */
uint32_t pt_graph_remove_unused(PtGraph *graph);
PtGraph *pt_graph_copy(const PtGraph *graph); /* tensors' data shared, held */

/* ---- order and uses ----------------------------------------------------------------------------
 */
typedef struct PtUses {
  uint32_t *start; /* [n_values + 1] */
  PtNodeId
      *node; /* users of value v: node[start[v]] .. node[start[v+1] - 1]; a node once a value */
} PtUses;
PtUses *pt_uses_new(const PtGraph *graph);
void pt_uses_free(PtUses *uses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtUses, pt_uses_free)
static inline uint32_t pt_uses_count(const PtUses *u, PtValueId v) {
  return u->start[v + 1] - u->start[v];
}
bool pt_graph_is_output(const PtGraph *graph, PtValueId value);
/* order[n_nodes]: a topological order, by index where free. PT_ERR_INPUT names a node on a cycle.
 */
bool pt_graph_toposort(const PtGraph *graph, PtNodeId *order, GError **error);
/* Invariants: ids in range, producers agree, names unique, acyclic. For tests and after reading. */
bool pt_graph_check(const PtGraph *graph, GError **error);

/* ---- pieces ------------------------------------------------------------------------------------
 */
/* A piece of a graph: nodes, and the values that cross its border. A cheap pure node may be in
 * several. */
typedef struct PtPiece {
  GArray *nodes;   /* PtNodeId, ascending topological */
  GArray *inputs;  /* PtValueId, non-constant values from outside, in canonical order once hashed */
  GArray *outputs; /* PtValueId, needed outside */
  uint64_t hash;   /* canonical; 0 before pt_piece_canonicalize */
} PtPiece;
PtPiece *pt_piece_new(void);
void pt_piece_free(PtPiece *piece);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtPiece, pt_piece_free)
/* True if no path leaves the set of nodes and comes back. O(nodes + edges) of the graph. */
bool pt_graph_is_convex(const PtGraph *graph, const PtNodeId *nodes, uint32_t count);
/* The piece as a graph of its own: names, types, constants (shared) kept. map (or NULL) receives
 * new[old value id] for all values, PT_NONE where absent; caller frees with g_free. */
PtGraph *pt_graph_extract(PtGraph *graph, const PtPiece *piece, PtValueId **map);

/* Whether constant `value` must be compared by its data for two pieces to be equal. NULL: none. */
typedef bool (*PtConstantIsReal)(const PtGraph *graph, PtValueId value, void *data);
/* A hash of operators, attributes, wiring, interface, constants' dtype and shape, and data of those
 * that stay real. Does not depend on names (those of symbolic sizes included), on the order of
 * nodes, inputs or outputs. order (or NULL) [live nodes] receives a canonical order, itself
 * topological: equal graphs correspond position by position. Never 0. */
uint64_t pt_graph_canonical(const PtGraph *graph, PtConstantIsReal is_real, void *data,
                            PtNodeId *order);
/* Exact: same operators, attributes, wiring, constants under the two orders; inputs and outputs
 * correspond by what they are wired to, not by position; symbols up to renaming. Never trust a hash
 * alone. */
bool pt_graph_equal(const PtGraph *a, const PtNodeId *order_a, const PtGraph *b,
                    const PtNodeId *order_b, PtConstantIsReal is_real, void *data);
/* Sets the piece's hash and puts its nodes, inputs and outputs in canonical order: those of equal
 * pieces correspond position by position. The graph is only read. Inputs are made anew: every
 * non-constant value that the nodes use and do not make. */
void pt_piece_canonicalize(const PtGraph *graph, PtPiece *piece, PtConstantIsReal is_real,
                           void *data);
/* A hash of one node by itself: operator, attributes, dtypes and known sizes of what it reads and
 * makes, constants as above; not of its place in the graph. */
uint64_t pt_node_signature(const PtGraph *graph, PtNodeId node, PtConstantIsReal is_real,
                           void *data);
/* Exact, for canonicalized pieces of one graph or of two. */
bool pt_piece_equal(const PtGraph *graph_a, const PtPiece *a, const PtGraph *graph_b,
                    const PtPiece *b, PtConstantIsReal is_real, void *data);

#endif
