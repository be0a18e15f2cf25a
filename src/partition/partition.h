/* partition: cuts the model into convex pieces (paper 4.1.1).
 * In: a graph with types.  Out: pieces in a topological order of the graph of pieces; equal ones
 * share a group. Contraction (Karger-Stein), many trials, smallest standard deviation of sizes;
 * what fuses stays together. Never touches: weights' values, files. */
#ifndef PT_PARTITION_H
#define PT_PARTITION_H

#include "graph/graph.h"

#define PT_PARTITION_ERROR (pt_partition_error_quark())
GQuark pt_partition_error_quark(void);

typedef struct PtPartitionOptions {
  uint32_t n;       /* pieces, exactly, or as many as there can be; 0: pieces of 8 to 16 nodes */
  uint32_t trials;  /* 0: as many as fit the graph's size (see contract.c) */
  bool plain;       /* the paper's: ignore what fuses (for the benchmark's columns) */
  unsigned threads; /* 0: all cores; the result does not depend on it */
} PtPartitionOptions;

typedef struct PtPartition {
  GPtrArray *pieces; /* PtPiece, canonicalized, in topological order; a cheap pure node that only
                      * shapes and constants feed may be in several (and is an output of none) */
  uint32_t *group; /* [pieces->len] equal pieces have equal numbers, from 0, by first occurrence */
  uint32_t n_groups;
  double deviation; /* standard deviation of sizes, cloned nodes not counted */
} PtPartition;
/* options NULL: all 0. The same seed gives the same partition on any number of threads. More pieces
 * than nodes: PT_ERR_USAGE; a graph with a cycle: PT_ERR_INPUT of the graph room. Sequences and the
 * like never cross a border, so fewer than n pieces may be possible; that is no error. Near-linear
 * in nodes. */
PtPartition *pt_partition(const PtGraph *graph, const PtPartitionOptions *options,
                          const PtSeed *seed, GError **error);
void pt_partition_free(PtPartition *partition);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtPartition, pt_partition_free)
/* The first piece of each group as a graph of its own (PtGraph, owned), by number of the group. */
GPtrArray *pt_partition_distinct(PtGraph *graph, const PtPartition *partition);
/* Every invariant, for tests: each node in a piece (or cloned), convex, acyclic quotient, borders
 * complete. */
bool pt_partition_check(const PtGraph *graph, const PtPartition *partition, GError **error);

#endif
