/* Inside the partition room.  The stages, a file each:
 * work.c      what is contracted: nodes without those that are cloned, and the edges between them
 * quotient.c  the graph of clusters, kept acyclic while clusters merge
 * fuse*.c     clusters of what optimizers fuse, one small matcher a pattern
 * race.c      one trial of Karger-Stein contraction
 * contract.c  the trials and the choice among them
 * pieces.c    clusters to pieces: clones, borders, canonical order, groups
 * check.c     every invariant */
#ifndef PT_PARTITION_PRIVATE_H
#define PT_PARTITION_PRIVATE_H

#include "ops/ops.h"
#include "partition/partition.h"

#define PT_AUTO_SIZE 12 /* nodes a piece that -n auto aims at */
#define PT_AUTO_LEAST 8 /* and the range it keeps to */
#define PT_AUTO_MOST 16
#define PT_CLONE_MOST 48 /* nodes of a chain that is cloned instead of cut */

/* ---- work ------------------------------------------------------------------------------------ */
/* Nodes are side nodes (cheap, pure, computed from shapes and constants alone: cloned into whatever
 * uses them) or items (everything else, numbered in a topological order). */
typedef struct PtWorkEdge {
  uint32_t src, dst; /* items, src < dst */
  uint64_t ports;    /* which outputs feed which inputs */
} PtWorkEdge;

typedef struct PtWork {
  const PtGraph *graph;
  PtUses *uses;
  PtRole *role;    /* [n_values] of ops */
  bool *is_output; /* [n_values] of the graph */
  PtNodeId *order; /* [n_live] topological */
  uint32_t *rank;  /* [n_nodes] position in order, PT_NONE for dead nodes */
  uint32_t n_live;
  bool *side;     /* [n_nodes] */
  uint32_t *item; /* [n_nodes] PT_NONE for side and dead nodes */
  PtNodeId *node; /* [n_items] */
  uint32_t n_items;
  uint64_t *sig; /* [n_items] pt_node_signature */
  GArray *edges; /* PtWorkEdge, sorted by src, then dst; one a pair */
} PtWork;
PtWork *pt_work_new(const PtGraph *graph, GError **error);
void pt_work_free(PtWork *work);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtWork, pt_work_free)
/* May the node be in several pieces? Needs no analysis of its inputs. */
bool pt_node_may_be_cloned(const PtGraph *graph, const PtNode *node, const bool *is_output);
/* [n_values] is it an output of the graph; caller frees with g_free. */
bool *pt_output_flags(const PtGraph *graph);
/* Appends the side nodes that computing `node` needs (not itself unless it is one), each once.
 * False if there are more than `most` (then some are missing). */
bool pt_work_closure(const PtWork *work, PtNodeId node, uint32_t most, GArray *out);
/* size[clusters]: the items of each cluster (of[n_items]) and the side nodes that it alone uses. */
void pt_work_weigh(const PtWork *work, const uint32_t *of, uint32_t clusters, uint32_t *size);
bool pt_work_is_real(const PtGraph *graph, PtValueId value, void *work);

/* ---- quotient -------------------------------------------------------------------------------- */
typedef struct PtQuotientEdge {
  uint32_t src, dst; /* items; find() gives their clusters */
  uint32_t next_out, next_in;
  uint64_t ports;
  bool dead; /* inside a cluster, or parallel to another that has its ports */
} PtQuotientEdge;

#define PT_HUB_EDGES 256

/* The graph of clusters, acyclic always, with a topological order of it in a list with labels (an
 * order-maintenance list: nodes move without renumbering the rest). */
typedef struct PtQuotient {
  uint32_t n, m, alive;
  uint32_t *parent;      /* [n] union-find; a cluster is its root */
  uint32_t *size;        /* [n] owned nodes */
  uint64_t *sig;         /* [n] what the cluster is, by how it was contracted */
  uint64_t *label;       /* [n] ascending along the list */
  uint32_t *prev, *next; /* [n + 1]; entry n is the list's end */
  PtQuotientEdge *edges;
  uint32_t *out_head, *out_tail, *in_head, *in_tail; /* [n] */
  uint32_t *out_count, *in_count;                    /* [n] at least the live edges of a cluster */
  uint32_t *tidied;                                  /* [n] their sum when last gone through */
  uint32_t *mark_f, *mark_b;                         /* [n] == epoch: seen */
  uint32_t *list_f, *list_b;                         /* [n] */
  uint32_t n_f, n_b, epoch;
} PtQuotient;

PtQuotient *pt_quotient_new(uint32_t n, const uint32_t *size, const uint64_t *sig,
                            const PtWorkEdge *edges, uint32_t m);
PtQuotient *pt_quotient_copy(const PtQuotient *from);
void pt_quotient_free(PtQuotient *q);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtQuotient, pt_quotient_free)

static inline uint32_t pt_find(PtQuotient *q, uint32_t x) {
  while (q->parent[x] != x) {
    q->parent[x] = q->parent[q->parent[x]];
    x = q->parent[x];
  }
  return x;
}

/* At least the live edges of a cluster, both ways. */
static inline uint64_t pt_quotient_degree(const PtQuotient *q, uint32_t x) {
  return (uint64_t)q->out_count[x] + q->in_count[x];
}

#define PT_NO_BUDGET UINT32_MAX
/* Merges two clusters, in any order. PT_NONE, and nothing done, if that would make a cycle or if
 * finding out takes more than `budget` steps; else the merged cluster, whose edges are free of
 * duplicates if they are not more than PT_HUB_EDGES. */
uint32_t pt_quotient_merge(PtQuotient *q, uint32_t a, uint32_t b, uint32_t budget);
/* Merges the clusters of these items and all that lies on paths between them, if not more than
 * `cap` owned nodes in all. */
bool pt_quotient_merge_set(PtQuotient *q, const uint32_t *items, uint32_t count, uint32_t cap,
                           uint32_t budget);
/* of[n]: the number of each item's cluster, numbered along the topological order. */
void pt_quotient_number(PtQuotient *q, uint32_t *of);
/* The clusters as items of a new quotient, numbered so; sig is of their structure. */
PtQuotient *pt_quotient_compact(PtQuotient *q, uint32_t *of);
/* hash[clusters]: of what is inside each cluster, equal for equally wired ones. */
void pt_quotient_structure(const PtQuotient *q, const uint32_t *of, uint32_t clusters,
                           uint64_t *hash);

/* ---- fuse ------------------------------------------------------------------------------------ */
/* Contracts what optimizers fuse, no group above `cap` nodes. */
void pt_fuse(const PtWork *work, PtQuotient *q, uint32_t cap);

/* ---- contract -------------------------------------------------------------------------------- */
/* of[q->n] receives each item's piece, numbered in a topological order; returns how many. n 0:
 * auto. */
uint32_t pt_contract(const PtQuotient *q, uint32_t n, const PtPartitionOptions *options,
                     const PtSeed *seed, uint32_t *of);

/* ---- pieces ---------------------------------------------------------------------------------- */
/* of[n_items]: each item's piece. */
PtPartition *pt_pieces_make(const PtWork *work, const uint32_t *of, uint32_t count,
                            unsigned threads);

#endif
