/* seams_private.h: the state of mending, shared by seams*.c.
 * A value in the blocked layout (NCHWc) has its channels in groups of `block`, padded with what
 * need not be zero but is never read with a weight other than zero. ReorderInput makes one of an
 * NCHW value, ReorderOutput goes back. */
#ifndef PT_SEAMS_PRIVATE_H
#define PT_SEAMS_PRIVATE_H

#include "restore/restore.h"

#define PT_NCHWC "com.microsoft.nchwc"
#define PT_MICROSOFT "com.microsoft"

/* What is known of a value; indexed by its id. Ids are stored plus one, so that zeroed memory means
 * none. */
typedef struct PtSeamValue {
  uint32_t blocked;   /* NCHW: the blocked value it was reordered from */
  uint32_t reordered; /* NCHW: the output of the first ReorderInput that reads it */
  uint32_t alias;     /* read this value instead */
  uint32_t uses;      /* edges to nodes (each input counts), captures, graph outputs */
  uint32_t reorders;  /* blocked: how many of these are ReorderOutputs */
  int64_t channels;   /* blocked and reordered: channels without padding */
  int64_t padded;     /* blocked: channels with padding, 0: not known */
  PtType type;        /* the NCHW type; blocked values: of what they stand for */
  bool is_blocked;
  bool pinned; /* a graph output, or captured by a nested graph: keeps its layout */
} PtSeamValue;

/* A node that now works on blocked values, and what it would take to undo that. */
typedef struct PtSeamPush {
  PtNodeId node, reorder; /* the node; the ReorderOutput behind it */
  PtValueId *inputs;      /* [n_inputs] as they were */
  PtValueId output;       /* as it was */
  bool optional;          /* ONNX Runtime itself would leave the node where it was */
} PtSeamPush;

typedef struct PtSeams {
  PtGraph *graph;
  GArray *values;   /* PtSeamValue */
  GArray *pushes;   /* PtSeamPush */
  int64_t block;    /* 16 or 8: channels that lie together */
  bool block_known; /* shown by the graph or this CPU, not assumed */
  PtSeamReport report;
} PtSeams;

static inline PtSeamValue *pt_seam(const PtSeams *s, PtValueId v) {
  return &g_array_index(s->values, PtSeamValue, v);
}
static inline bool pt_node_is(const PtNode *node, const char *domain, const char *op_type) {
  return g_str_equal(node->op_type, op_type) && g_str_equal(node->domain, domain);
}
static inline PtValueId pt_seam_blocked(const PtSeams *s, PtValueId v) {
  return v == PT_NONE || !pt_seam(s, v)->blocked ? PT_NONE : pt_seam(s, v)->blocked - 1;
}

/* ---- seams.c ---- */
/* A fresh value, known to the state. */
PtValueId pt_seam_add_value(PtSeams *s);
/* Input k of the node reads `value` instead. */
void pt_seam_set_input(PtSeams *s, PtNodeId node, uint32_t k, PtValueId value);
/* Takes the node and its uses away. */
void pt_seam_kill(PtSeams *s, PtNodeId node);
/* ReorderOutput from `blocked` to `output`, which has no producer any more. */
PtNodeId pt_seam_add_reorder(PtSeams *s, PtValueId blocked, PtValueId output, int64_t channels);

/* ---- seams_type.c ---- */
/* Fills type, is_blocked, channels and padded of the node's outputs. */
void pt_seam_infer(PtSeams *s, PtNodeId node);
/* Same rank and, dimension by dimension, the same size or the same symbol. */
bool pt_seam_same_shape(const PtSeams *s, PtValueId a, PtValueId b);
/* Bytes of a float tensor of this type; unknown sizes count as 1. */
uint64_t pt_seam_bytes(const PtSeams *s, PtValueId v);

/* ---- seams_push.c ---- */
/* If all that the node reads is there blocked, makes it read that, as ONNX Runtime's
 * NchwcTransformer would on the whole graph, or folds it into the convolution before it. */
void pt_seam_push(PtSeams *s, PtNodeId node);
/* Takes pushes back that did not pay. */
void pt_seam_retract(PtSeams *s);

/* ---- seams_fold.c ---- */
/* Add or Sum of two blocked values into one of the convolutions that make them. */
bool pt_seam_fold_add(PtSeams *s, PtNodeId node);
/* An activation into the convolution before it. */
bool pt_seam_fold_activation(PtSeams *s, PtNodeId node);
/* Mul of a blocked value with its own Sigmoid. */
bool pt_seam_fold_silu(PtSeams *s, PtNodeId node);
/* BatchNormalization on a blocked value as the depthwise convolution that ONNX Runtime makes of it.
 */
bool pt_seam_fold_normalization(PtSeams *s, PtNodeId node);

/* ---- seams_pad.c ---- */
/* Takes a Pad of zeros before the blocked convolution into its padding. */
void pt_seam_fold_pad(PtSeams *s, PtNodeId node);

#endif
