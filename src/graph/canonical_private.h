/* Shared by canonical.c and equal.c: a set of nodes seen as a graph of its own, without copying it.
 */
#ifndef PT_CANONICAL_PRIVATE_H
#define PT_CANONICAL_PRIVATE_H

#include "graph/graph.h"

typedef enum {
  PT_SEEN_INNER,  /* produced inside */
  PT_SEEN_INPUT,  /* comes from outside, not constant */
  PT_SEEN_WEIGHT, /* constant told apart by dtype, shape and who uses it */
  PT_SEEN_REAL    /* constant told apart by its data alone */
} PtSeen;

/* Local ids: nodes 0..n-1 as given, values in order of appearance. */
typedef struct PtView {
  const PtGraph *graph;
  const PtNodeId *nodes; /* [n] borrowed */
  uint32_t n, n_values;
  PtValueId *values;   /* [n_values] */
  uint8_t *seen;       /* [n_values] PtSeen */
  bool *is_output;     /* [n_values] */
  uint32_t *producer;  /* [n_values] local node, or PT_NONE */
  uint32_t *in_start;  /* [n + 1]; slots of a node: its inputs, then its captures */
  uint32_t *in;        /* local values, PT_NONE where left out */
  uint32_t *out_start; /* [n + 1] */
  uint32_t *out;
  uint32_t *use_start; /* [n_values + 1] */
  uint32_t *use;       /* indices into `in` */
  uint32_t *slot_node; /* [slots] the node of a slot */
} PtView;

PtView *pt_view_new(const PtGraph *graph, const PtNodeId *nodes, uint32_t n,
                    const PtValueId *outputs, uint32_t n_outputs, PtConstantIsReal is_real,
                    void *data);
void pt_view_free(PtView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtView, pt_view_free)

/* Symbols of unknown sizes are left out: they are equal up to renaming (equal.c). */
uint64_t pt_type_hash(const PtType *type);
uint64_t pt_tensor_hash(const PtTensor *tensor, bool with_data);
uint64_t pt_attrs_hash(const PtNode *node);

#endif
