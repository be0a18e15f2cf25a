/* scrub_private.h: what scrub.c, scrub_attr.c and place.c share. */
#ifndef PT_SCRUB_PRIVATE_H
#define PT_SCRUB_PRIVATE_H

#include "bundle/bundle.h"
#include "ops/ops.h"

/* Where the noise for a weight comes from. */
typedef enum {
  PT_SECTION_NONE, /* no weight: its data stays */
  PT_SECTION_FLOATS,
  PT_SECTION_HALVES,
  PT_SECTION_BRAINS,
  PT_SECTION_DOUBLES,
  PT_SECTION_REFUSED, /* a weight of a type that noise cannot stand for */
  PT_SECTION_COUNT
} PtSectionKind;

typedef struct PtSlice {
  PtSectionKind section;
  bool positive;
  uint64_t units;   /* of 4 bytes (float64: of 8) */
  PtTensor *tensor; /* whose location and offset are set, or NULL */
} PtSlice;
/* What stands for a constant with this role; `tensor` stays NULL. */
PtSlice pt_slice_of(const PtTensor *tensor, PtRole role);
/* Draws disjoint places in noise.bin for all slices: random order, random gaps. PT_ERR_INTERNAL if
 * they do not fit. */
bool pt_place_slices(const PtNoise *noise, GArray *slices, PtRng *rng, GError **error);

/* A scrubbing under way; nested graphs share it with the graph around them. */
typedef struct PtScrub {
  PtRng *rng;
  GHashTable
      *symbols;      /* name of a symbolic size -> name in the candidate (arena of the candidate) */
  PtGraph *root;     /* the candidate */
  uint32_t n_values; /* names given so far */
  uint32_t n_constants;
} PtScrub;

/* Adds the node's attributes, in order of their names, without those that say what holds anyway.
 * map: value ids of the graph around nested graphs -> those of `to`. PT_ERR_UNSUPPORTED: an
 * attribute that may hold weights or names. */
bool pt_scrub_attrs(PtScrub *scrub, const PtNode *node, PtGraph *to, PtNodeId added,
                    const PtValueId *map, GError **error);
PtType pt_scrub_type(PtScrub *scrub, PtGraph *to, const PtType *type);
/* The nested graph with names, types and constants scrubbed. */
PtGraph *pt_scrub_nested(PtScrub *scrub, const PtGraph *from, PtGraph *parent, const PtValueId *map,
                         GError **error);

#endif
