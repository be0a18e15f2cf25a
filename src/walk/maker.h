/* Between maker.c and operators.c. */
#ifndef PT_WALK_MAKER_H
#define PT_WALK_MAKER_H

#include "walk/walk_private.h"

typedef struct PtTemplateUse {
  double by_rank[PT_WALK_RANK + 1]; /* of the first operand */
  uint32_t n_seen;                  /* of those that room populate has no rule for: */
  PtWalkType seen[2][2];            /* types in and out */
} PtTemplateUse;
/* counts: PtTemplateUse by template. */
void pt_walk_count_uses(GArray *counts, const PtWalkState *s, double times);
/* PtOperator; id: the template. Those of the model and the commonest of the corpus whose first
 * operand is of a rank in `ranks` (bits). any: one of each kind there is, whoever has it. */
GArray *pt_walk_operators_for(const PtWalkLibrary *library, const GArray *corpus, const GArray *own,
                              uint32_t ranks, int64_t opset, bool any);
/* False: there is no rule for it. */
bool pt_walk_operator(const PtWalkTemplate *t, uint32_t id, PtOperator *op);
PtFiniteType pt_finite_of(const PtWalkType *t);

#endif
