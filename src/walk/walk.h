/* walk: sentinels by a reversible walk over typed pieces (DESIGN.md, "Sentinels"), the default
 * mode. In: the model's distinct real pieces (graphs with types); the trained file data/walk.bin.
 * Out: for each piece k look-alikes, and the real piece rewritten by the same hands.
 * Given the hidden centre of a walk the real piece and its sentinels have one law, if the real
 * piece is a draw from pi. Never touches: weights' values, ONNX Runtime but for training, the
 * network. */
#ifndef PT_WALK_H
#define PT_WALK_H

#include "populate/populate.h"

#define PT_WALK_ERROR (pt_walk_error_quark())
GQuark pt_walk_error_quark(void);

/* ---- the trained generator ------------------------------------------------------------------ */
/* Pieces of public models, what follows from them, and the weights of pi. Immutable but for types
 * and operators that conversions add; those must not run beside walks. */
typedef struct PtWalkModel PtWalkModel;
/* NULL path: the one shipped (found as data files are: PROTEUS_DATA, the source tree, installed).
 * Hostile input: PT_ERR_IO, PT_ERR_INPUT; PT_ERR_ENVIRONMENT: none is found. */
PtWalkModel *pt_walk_model_open(const char *path, GError **error);
void pt_walk_model_free(PtWalkModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtWalkModel, pt_walk_model_free)

typedef struct PtWalkTrainOptions {
  const char *folder;         /* of ONNX models, skeletons will do */
  const char *out;            /* file to write */
  const char *const *exclude; /* NULL-terminated names without ".onnx", or NULL */
  const char *seed;           /* NULL: "proteus" */
  uint32_t rounds;            /* at most; 0: 14; it ends at chance */
  uint32_t steps;             /* of a chain; 0: 2000 */
  unsigned threads;           /* 0: all; the result does not depend on it */
  PtProgress progress;
} PtWalkTrainOptions;
typedef struct PtWalkRound {
  double auc;      /* paired, on models that the fit of the round has not seen */
  double accepted; /* share of steps */
  double same;     /* share of samples equal to the piece they started from */
  double seconds;
} PtWalkRound;
/* rounds (or NULL): GArray of PtWalkRound, one a round. */
bool pt_walk_train(const PtWalkTrainOptions *options, GArray *rounds, GError **error);

/* ---- one normal form ------------------------------------------------------------------------- */
/* The piece as the walk's writer has it: attributes complete, constants one a use, those that stay
 * merged; it computes the same. Constants without data stay so. origin[value id of the result] (or
 * NULL): the value of `piece`, PT_NONE where new; caller frees. NULL if the piece cannot be read as
 * a state of the walk (*why, static, or NULL says why). */
PtGraph *pt_walk_normal_form(PtWalkModel *model, PtGraph *piece, PtValueId **origin,
                             const char **why);

/* log pi of a piece up to a constant, without a model's style, which who attacks does not have; NAN
 * if it cannot be read as a state. Not beside walks or other calls with this model. */
double pt_walk_likelihood(PtWalkModel *model, PtGraph *piece);

/* ---- buckets --------------------------------------------------------------------------------- */
typedef struct PtWalkOptions {
  uint32_t k;     /* sentinels a piece */
  uint32_t steps; /* r; 0: the default, which walk_control's table justifies */
  bool no_style;  /* pi as it is, without the model's habits */
  double heat;    /* of all walks: log pi_s times it; 0: the default */
  uint32_t
      control; /* > 0: for the diagnostic, a draw takes the real piece's place: it walked so far */
  bool keep_equal;  /* for the diagnostic: draws as they come, equal or not */
  unsigned threads; /* 0: all; the result does not depend on it */
  PtProgress progress;
} PtWalkOptions;
/* All buckets of one model, made at once, as the style is that of all its pieces. Pieces stay
 * borrowed. The same seed gives the same sentinels, whatever the number of threads. */
typedef struct PtWalkBuckets PtWalkBuckets;
PtWalkBuckets *pt_walk_buckets_new(PtWalkModel *model, GPtrArray *pieces,
                                   const PtWalkOptions *options, const PtSeed *seed);
void pt_walk_buckets_free(PtWalkBuckets *buckets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtWalkBuckets, pt_walk_buckets_free)
typedef struct PtWalkStats {
  bool walked;     /* false: this piece cannot be walked, nothing was made */
  uint32_t made;   /* distinct sentinels, k if the piece leaves room for as many */
  uint32_t leader; /* piece whose walk this one mirrors as its near-twin, or itself */
  uint32_t equal;  /* draws that looked like another candidate and were walked on */
  uint32_t found;  /* of these, draws that looked like the real piece */
  double accepted; /* share of steps */
} PtWalkStats;
PtWalkStats pt_walk_buckets_stats(const PtWalkBuckets *buckets, uint32_t i);
/* Sentinel j < made of piece i, types set; caller unrefs. Thread-safe for different i. NULL where a
 * weight would be too large. */
PtGraph *pt_walk_buckets_sentinel(const PtWalkBuckets *buckets, uint32_t i, uint32_t j);
/* The real piece (or its control) by the same hands; origin as in pt_walk_normal_form. NULL if it
 * was not walked. */
PtGraph *pt_walk_buckets_real(const PtWalkBuckets *buckets, uint32_t i, PtValueId **origin);

/* ---- pieces from topologies --------------------------------------------------------------------
 * For modes generate and random: what of a piece is floats gets another topology, its operators
 * chosen by room populate among the library's; what computes integers, shapes and masks, and what
 * has no rule or several outputs, stays where it is in between. */
typedef struct PtWalkMaker PtWalkMaker;
/* Pieces stay borrowed, the model, too. at_random: operators are any that the corpus has, not those
 * that suit. Immutable once made. */
PtWalkMaker *pt_walk_maker_new(PtWalkModel *model, GPtrArray *pieces, bool at_random);
void pt_walk_maker_free(PtWalkMaker *maker);
/* What is to be replaced of piece i, as a topology: n nodes (0: nothing), arcs (PtArc, owned). */
typedef struct PtWalkOutline {
  uint32_t n;
  GArray *arcs;
  uint32_t n_inputs, n_outputs; /* that it reads; that it makes */
  uint64_t arities;             /* bit i: there are operators with i operands */
} PtWalkOutline;
void pt_walk_maker_outline(const PtWalkMaker *maker, uint32_t i, PtWalkOutline *outline);
/* Appends uint32_t: for each input the first of n nodes that may read it, for each output the first
 * that may not make it. */
void pt_walk_maker_border(const PtWalkMaker *maker, uint32_t i, uint32_t n, GArray *from,
                          GArray *before);
/* Makes piece i ready for `draws`; once, before it is filled. Thread-safe for different i. */
void pt_walk_maker_guide(PtWalkMaker *maker, uint32_t i, bool at_random);
/* A piece made so. */
typedef struct PtWalkState PtWalkMade;
/* Appends what of `options` (max_solns, pct) solutions is a piece, the likeliest first; to be freed
 * by pt_walk_made_free. PT_POPULATE_ERROR. Thread-safe. */
bool pt_walk_maker_fill(const PtWalkMaker *maker, uint32_t i, uint32_t n, const PtArc *arcs,
                        uint32_t n_arcs, const PtPopulateOptions *options, PtRng *rng,
                        GPtrArray *out, PtPopulateStats *stats, GError **error);
/* Of whatever shows: equal for pieces that differ in nothing but the order of equal things. */
uint64_t pt_walk_made_looks(const PtWalkMade *made);
PtGraph *pt_walk_maker_write(const PtWalkMaker *maker, uint32_t i, const PtWalkMade *made);
void pt_walk_made_free(PtWalkMade *made);
/* The real piece and its looks, as pt_walk_buckets_real; NULL and 0: it cannot be read. */
PtGraph *pt_walk_maker_real(const PtWalkMaker *maker, uint32_t i, PtValueId **origin);
uint64_t pt_walk_maker_looks(const PtWalkMaker *maker, uint32_t i);
const PtLikelihood *pt_walk_maker_likelihood(const PtWalkMaker *maker);

#endif
