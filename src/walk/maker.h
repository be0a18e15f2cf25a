/* Between maker*.c and operators.c. */
#ifndef PT_WALK_MAKER_H
#define PT_WALK_MAKER_H

#include "walk/walk_private.h"

typedef struct PtTemplateUse {
  double by_rank[PT_WALK_RANK + 1]; /* of the first operand */
} PtTemplateUse;
/* counts: PtTemplateUse by template. */
void pt_walk_count_uses(GArray *counts, const PtWalkState *s, double times);
/* PtOperator; id: the template. Those of the piece and its model, and the commonest of the corpus
 * whose first operand is of a rank in `ranks` (bits). any: one of each kind there is, whoever has
 * it. */
GArray *pt_walk_operators_for(const PtWalkLibrary *library, const GArray *corpus, const GArray *own,
                              const PtWalkState *piece, uint32_t ranks, bool any);
/* False: there is no rule for it. */
bool pt_walk_operator(const PtWalkTemplate *t, uint32_t id, PtOperator *op);
PtFiniteType pt_finite_of(const PtWalkType *t);

#define PT_MAKER_WIDTHS 24
typedef struct PtMakerSite {
  PtGraph *graph; /* borrowed */
  PtWalkFace *face;
  GArray *origins;
  PtWalkState *read, *real; /* as read; settled. NULL: not readable */
  bool *moves;              /* [real->n] is replaced */
  uint32_t n_moves;
  uint32_t *before; /* [real->n + 1] how many nodes before this one are replaced */
  /* what crosses the border of the replaced part; at: how many replaced nodes are before */
  GArray *in, *out;
  GArray *uses;      /* PtTemplateUse of the corpus, the more the more alike it is */
  GArray *operators; /* PtOperator */
  int32_t widths[PT_MAKER_WIDTHS];
  uint32_t n_widths, extra;
  GArray *sizes; /* int32_t that values of the real piece have */
  GArray *types; /* PtFiniteType, likewise, of joined ones */
  GArray *many;  /* uint32_t: operands of nodes that read more than two inputs */
  PtSize *size;  /* [face->n_in + real->n] of the inputs, of nodes' first outputs, about */
  PtPopulateGuide *guide;
} PtMakerSite;
typedef struct PtMakerBorder {
  PtWalkRef ref; /* in `real` */
  uint32_t at;
  bool also;       /* in: others read it, too; out: others than the piece's outputs read it */
  uint32_t output; /* of the piece, UINT32_MAX: of what stays */
} PtMakerBorder;

struct PtWalkMaker {
  PtWalkModel *model;
  PtMakerSite *sites;
  uint32_t n;
  PtLikelihood *likelihood;
  GArray *own; /* PtTemplateUse */
  GArray *own_widths;
};
typedef struct PtMakerWidth {
  int32_t width;
  double count;
} PtMakerWidth;

/* maker_site.c */
void pt_maker_find_moves(PtMakerSite *site);
void pt_maker_find_border(PtMakerSite *site);
void pt_maker_find_sizes(PtMakerSite *site);
void pt_maker_find_joins(PtMakerSite *site);
uint32_t pt_maker_count_extra(const PtMakerSite *site);
bool pt_maker_ref_moves(const PtMakerSite *site, PtWalkRef ref);
void pt_maker_estimate_sizes(PtMakerSite *site);
PtSize pt_maker_size_at(const PtMakerSite *site, PtWalkRef ref);
/* Of an output of what is made: the trial's bounds. */
PtSize pt_maker_most_at(const PtMakerSite *site, PtWalkRef ref);
/* maker_learn.c */
void pt_maker_learn_corpus(PtWalkMaker *m);
void pt_maker_count_width(GArray *widths, int32_t width, double count);
void pt_maker_find_widths(const PtWalkMaker *m, PtMakerSite *site);
/* Bits: of what is replaced and what it reads. */
uint32_t pt_maker_ranks_of(const PtMakerSite *site);

#endif
