/* Inside fuse*.c: the graph as the matchers walk it. */
#ifndef PT_FUSE_PRIVATE_H
#define PT_FUSE_PRIVATE_H

#include "partition/partition_private.h"

typedef struct PtFuse {
  const PtWork *work;
  const PtGraph *graph;
  PtQuotient *q;
  uint32_t cap;   /* nodes a group, at most */
  uint32_t block; /* the same for blocks that no optimizer makes one operator of */
  PtNodeId *tail; /* [n_nodes] of a convolution's or a norm's head: the last node matched with it */
} PtFuse;

/* Nodes that belong together; `full` when there were more than fit, and then nothing is merged. */
#define PT_MATCH_MOST 64
typedef struct PtMatch {
  PtNodeId node[PT_MATCH_MOST];
  uint32_t n;
  bool full;
} PtMatch;

/* ---- walking (fuse.c) ------------------------------------------------------------------------ */
/* Each takes PT_NONE for a node and gives "no" for it, so that matchers read as one chain. */
bool pt_fuse_is(const PtFuse *f, PtNodeId node, const char *op);
/* Any of a NULL-terminated list. */
bool pt_fuse_is_any(const PtFuse *f, PtNodeId node, const char *const *ops);
bool pt_fuse_is_class(const PtFuse *f, PtNodeId node, PtOpClass op_class);
/* The value at input k, PT_NONE if there is none. */
PtValueId pt_fuse_input(const PtFuse *f, PtNodeId node, uint32_t k);
/* The node that makes input k. */
PtNodeId pt_fuse_before(const PtFuse *f, PtNodeId node, uint32_t k);
/* Is input k constant, or computed from constants and shapes alone? */
bool pt_fuse_fixed(const PtFuse *f, PtNodeId node, uint32_t k);
/* A binary operator with one fixed input: the index of the other; PT_NONE. */
uint32_t pt_fuse_free_input(const PtFuse *f, PtNodeId node);
/* The only node that reads output 0, unless the model does too. */
PtNodeId pt_fuse_after(const PtFuse *f, PtNodeId node);
/* A reader of output 0 that is this operator, whoever else reads it. */
PtNodeId pt_fuse_reader(const PtFuse *f, PtNodeId node, const char *op);
PtValueId pt_fuse_output(const PtFuse *f, PtNodeId node);
/* Walks back over Cast, Identity, Dropout, adding them. */
PtNodeId pt_fuse_skip_casts_before(const PtFuse *f, PtNodeId node, PtMatch *m);
PtNodeId pt_fuse_skip_casts_after(const PtFuse *f, PtNodeId node, PtMatch *m);

void pt_match_add(PtMatch *m, PtNodeId node);
bool pt_match_has(const PtMatch *m, PtNodeId node);
/* Contracts the match and what lies on paths inside it, if within the cap. */
bool pt_match_merge(PtFuse *f, const PtMatch *m);
bool pt_match_merge_block(PtFuse *f, const PtMatch *m);

/* ---- matchers: called with each node in topological order ------------------------------------ */
void pt_fuse_constant_fed(PtFuse *f, PtNodeId node);
void pt_fuse_pad(PtFuse *f, PtNodeId node);
void pt_fuse_conv(PtFuse *f, PtNodeId node);
void pt_fuse_batch_norm(PtFuse *f, PtNodeId node);
void pt_fuse_gated(PtFuse *f, PtNodeId node);
void pt_fuse_residual(PtFuse *f, PtNodeId node);
void pt_fuse_squeeze(PtFuse *f, PtNodeId node);
void pt_fuse_quantized(PtFuse *f, PtNodeId node);
void pt_fuse_norm(PtFuse *f, PtNodeId node);
void pt_fuse_skip_norm(PtFuse *f, PtNodeId node);
void pt_fuse_erf_gelu(PtFuse *f, PtNodeId node);
void pt_fuse_tanh_gelu(PtFuse *f, PtNodeId node);
void pt_fuse_linear(PtFuse *f, PtNodeId node);
void pt_fuse_scores(PtFuse *f, PtNodeId node);
void pt_fuse_attention(PtFuse *f, PtNodeId node);
void pt_fuse_heads(PtFuse *f, PtNodeId node);
void pt_fuse_slices(PtFuse *f, PtNodeId node);

#endif
