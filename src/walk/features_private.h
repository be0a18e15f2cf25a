/* What the files that make features share: families, and how one is added. */
#ifndef PT_FEATURES_PRIVATE_H
#define PT_FEATURES_PRIVATE_H

#include "walk/walk_private.h"

typedef enum {
  UNIT = 1,
  PAIR,
  JOIN,
  AROUND,
  TRIPLE,
  QUAD,
  FORK,
  FAN,
  TO_OUT,
  SKIP,
  UNEVEN,
  TWIN,
  RATIO,
  RATIO_ALL,
  WIDTH,
  RATIO_PAIR,
  LEVEL,
  COUNT,
  COUNT_ALL,
  SIZE,
  KINDS_IN,
  DEPTH,
  MOST_USES,
  N_FORKS,
  N_JOINS,
  EXACT,
  WIDE,
  ORDER,
  KNOWN_RESERVED, /* known.c */
  TREE_3,
  TREE_5,
  TREE_8,
  BALL_2,
  BALL_3,
  MEASURE, /* measures.c */
  MEASURE_WIDE,
  MEASURE_PAIR,
  EXACT_PAIR = 38,
  FROM_IN,
  NEAR_1,
  NEAR_2 = PT_FEATURE_NEAR,
  TRIPLE_FULL,
  JOIN_FULL,
  TYPED,
  WIDTH_ALL,
  DIVISOR,
  SAME_TWICE,
  HEAVY_2,
  HEAVY_3,
  HEAVY_4,
  LINK,
  FULL_4,
  FULL_6
} PtFeatureFamily;

#define INPUT_TOKEN 0x1111
#define OUTPUT_TOKEN 0x2222

void pt_features_add(PtFeatures *f, PtFeatureFamily family, uint64_t a, uint64_t b, uint64_t c);
static inline void add(PtFeatures *f, PtFeatureFamily family, uint64_t a, uint64_t b, uint64_t c) {
  pt_features_add(f, family, a, b, c);
}
uint64_t pt_ratio_class(int32_t a, int32_t b);
/* measures.c; near[n]: colours of what is around a node. */
void pt_features_measure(PtFeatures *f, const PtWalkState *s, const uint64_t *near);
/* features_wide.c, and the measures */
void pt_features_wide(PtFeatures *f, const PtWalkState *s);

#endif
