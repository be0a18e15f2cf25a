/* Between race.c and contract.c: one trial of the contraction. */
#ifndef PT_RACE_PRIVATE_H
#define PT_RACE_PRIVATE_H

#include "partition/partition_private.h"

typedef struct PtEntry {
  double time;
  uint32_t edge;
} PtEntry;

/* Which merges a phase of a trial allows. */
typedef struct PtRule {
  uint32_t most; /* nodes of the merged cluster */
  bool mends;    /* only what brings sizes closer to the range of -n auto */
} PtRule;

typedef struct PtTrial {
  PtQuotient *q;
  double *time;   /* [m] an entry of the heap counts if it has its edge's time */
  GArray *around; /* uint32_t: edges that a merge lets draw anew */
  PtEntry *heap;
  size_t len, room;
  uint64_t salt, work;
  double now, sharpness;
  PtRule rule;
  bool mirror;
  uint32_t budget;
  uint32_t n; /* stop here */
} PtTrial;

/* Nodes by which a size misses the range that -n auto aims at. */
uint32_t pt_size_misses(uint32_t size);
/* Contracts under the rule until n clusters are left or no edge allows it. True if any did. */
bool pt_race(PtTrial *trial, PtRule rule);
/* Merges clusters that no edge connects but that have a neighbour in common, or (where the rule
 * mends) no neighbour at all. */
void pt_pack_siblings(PtTrial *trial, PtRule rule);
/* When no edges are left: any may merge, until n are left, sizes as even as they get. */
void pt_join_apart(PtTrial *trial);

#endif
