/* ops: what is known of each operator, one row each, in one place (table.c).
 * In: a node's domain and name.  Out: its row: class, purity, which inputs steer shapes, which must
 * be positive, which are weights, its shape rule.  Nobody else switches over opcodes. Never
 * touches: files, ONNX Runtime. */
#ifndef PT_OPS_H
#define PT_OPS_H

#include "graph/graph.h"

#define PT_OPS_ERROR (pt_ops_error_quark())
GQuark pt_ops_error_quark(void);

typedef enum {
  PT_CLASS_OTHER,
  PT_CLASS_CONV,
  PT_CLASS_LINEAR /* Gemm, MatMul */,
  PT_CLASS_POOL,
  PT_CLASS_NORM /* BatchNormalization, LayerNormalization, ... */,
  PT_CLASS_ACTIVATION /* one in, same shape */,
  PT_CLASS_UNARY /* other elementwise, one in */,
  PT_CLASS_BINARY /* broadcasting elementwise */,
  PT_CLASS_REDUCE,
  PT_CLASS_SOFTMAX,
  PT_CLASS_SHAPE /* Shape, Size */,
  PT_CLASS_MOVE /* Reshape, Transpose, Concat, Slice, ...: data moves unchanged */,
  PT_CLASS_COMPARE,
  PT_CLASS_RECURRENT,
  PT_CLASS_CONTROL /* If, Loop, Scan */,
  PT_CLASS_QUANT,
  PT_CLASS_CONSTANT /* ConstantOfShape, Range, ... */
} PtOpClass;

enum {
  PT_OP_ELEMENTWISE =
      1 << 0,            /* output element depends on the same element of its inputs (broadcast) */
  PT_OP_RANDOM = 1 << 1, /* not a function of its inputs: never folded, cloned or compared */
  PT_OP_CHEAP =
      1 << 2, /* costs next to nothing on shape-sized tensors: may be cloned into pieces */
  PT_OP_PASSES = 1 << 3,    /* output 0 carries input 0's values: roles are traced through it */
  PT_OP_SHAPE_ONLY = 1 << 4 /* reads only its input's shape (Shape, Size, CastLike's second, ...) */
};

typedef struct PtOp PtOp;

/* Infers output types from input types and constants. inputs[i] NULL where left out. Returns false
 * when the node is invalid for these inputs. Unknown sizes stay -1. outputs' dims are allocated in
 * graph's arena. */
typedef bool (*PtShapeRule)(PtGraph *graph, const PtNode *node, const PtType *const *inputs,
                            PtType *outputs);

struct PtOp {
  const char *domain; /* "" for ai.onnx */
  const char *name;
  PtOpClass op_class;
  uint32_t flags;
  uint8_t min_inputs, max_inputs; /* 255: any number */
  uint32_t steering; /* bit i: a constant at input i steers shapes or indices, it stays real */
  uint32_t
      positive; /* bit i: input i has to be positive (variance, Sqrt, Log, Pow's base, divisor) */
  uint32_t weights;  /* bit i: a constant at input i is usually learned */
  PtShapeRule shape; /* NULL: not known */
};

/* NULL if the operator is not in the table; callers treat that as opaque, never as an error. */
const PtOp *pt_op_find(const char *domain, const char *name);
static inline const PtOp *pt_op_of(const PtNode *node) {
  return pt_op_find(node->domain, node->op_type);
}
static inline bool pt_op_is(const PtNode *node, const char *name) {
  return node->domain[0] == '\0' && g_str_equal(node->op_type, name);
}
/* All rows, for listings and tests. */
const PtOp *pt_op_table(size_t *count);

/* Types of a node's outputs [n_outputs] by its row's rule, from its inputs' types; PT_TYPE_UNKNOWN
 * where there is no rule. False if the node is invalid for these inputs. Does not change the graph
 * but for types of constants. */
bool pt_op_infer(PtGraph *graph, const PtNode *node, PtType *outputs);
/* The data of an integer value where it follows from constants and known sizes, -1 for elements
 * that do not. Returns how many there are, -1 if that is not known or more than `max`. */
int pt_op_value(const PtGraph *graph, PtValueId value, int64_t *out, int max);
PtType pt_type_of_constant(PtGraph *graph, const PtTensor *tensor);

/* role[value id] of constants, traced through PT_OP_PASSES operators and elementwise positivity:
 * REAL: steers shapes or indices, or is a single float: its data stays. POSITIVE: a weight that
 * must be positive. WEIGHT: everything else. NOT_CONSTANT for the rest. Caller frees with g_free.
 */
typedef enum { PT_ROLE_NOT_CONSTANT, PT_ROLE_REAL, PT_ROLE_WEIGHT, PT_ROLE_POSITIVE } PtRole;
PtRole *pt_roles(const PtGraph *graph);

#endif
