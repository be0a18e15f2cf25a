/* audit: plays the adversary, so that an owner knows what a bundle gives away before it is sent.
 * In: a bundle and its secret; or a folder of public models, over which it runs the program with
 * generators that have not seen the model.  Out: for each adversary what it could tell. Never
 * touches: weights; what the other rooms make. */
#ifndef PT_AUDIT_H
#define PT_AUDIT_H

#include "graph/graph.h"
#include "proteus/progress.h"

#define PT_AUDIT_ERROR (pt_audit_error_quark())
GQuark pt_audit_error_quark(void);

/* What one adversary could tell, over some buckets. */
typedef struct PtAuditLine {
  const char *adversary, *looks, *remedy; /* static */
  uint32_t runs, buckets;                 /* distinct buckets */
  double bits, most_bits;  /* kept a bucket: -log2 of the calibrated posterior of the real piece,
                              mean;  at best */
  double kept, kept_error; /* bits over most_bits; standard error over a model's runs, of all over
                              models; 0 for one */
  double area, area_error; /* real above sentinel of its bucket */
  double kept_seeds, area_seeds; /* of all: standard errors over seeds, the models being given */
  double first, first_error,
      chance;  /* share of buckets in which the real piece comes first; by chance */
  double even; /* p-value of the real pieces' ranks being even */
  double beta, log10_candidates; /* the paper's: share of sentinels ruled out at sensitivity 1, what
                                    is left; mean over runs */
} PtAuditLine;

/* ---- one bundle ------------------------------------------------------------------------------ */
typedef struct PtAuditBucket {
  uint32_t index;         /* in the secret */
  uint32_t n, nodes;      /* candidates; of the real piece */
  char *real;             /* id */
  double bits, most_bits; /* kept against the adversary that tells most about the whole */
  double posterior;
  uint32_t rank;     /* of the real piece under it, from 1 */
  GPtrArray *rivals; /* char*: ids of the sentinels that it takes for real most readily, up to 3 */
  GPtrArray *why; /* char*: what is out of the ordinary in the real piece, the most telling first */
} PtAuditBucket;
typedef struct PtAuditModel {
  char *name;
  GArray *lines;      /* PtAuditLine, an adversary each; then the stack, then whole tuples */
  uint32_t worst;     /* index of the line that keeps least */
  uint32_t reason;    /* likewise, of those that are one adversary: its remedy is the advice */
  GPtrArray *buckets; /* PtAuditBucket, the weakest first; NULL in a survey */
} PtAuditModel;
void pt_audit_model_free(void *model);

typedef struct PtAuditBundleOptions {
  const char *bundle, *secret;
  const char *name;        /* of the model, for people; NULL: the bundle's */
  const char *adversaries; /* trained beforehand; NULL: those shipped */
  unsigned threads;
  PtProgress progress;
} PtAuditBundleOptions;
/* PT_ERR_MISMATCH: the secret is of another bundle. */
PtAuditModel *pt_audit_bundle(const PtAuditBundleOptions *options, GError **error);

/* ---- surveys: over public models ---------------------------------------------------------------
 */
typedef struct PtAuditOptions {
  const char *corpus;        /* folder of public models */
  const char *work;          /* folder in which runs are kept; NULL: a temporary one */
  const char *const *models; /* names, NULL: all of the corpus */
  const char *const *only;   /* adversaries, NULL: all */
  const char *mode;          /* NULL: walk */
  uint32_t n, k, seeds;      /* n 0: auto; k 0: 20; seeds 0: 5 (paper: 1) */
  uint32_t folds;            /* of adversaries, 0: as many as families */
  uint32_t groups;           /* of generators, likewise */
  unsigned threads;
  PtProgress progress;
} PtAuditOptions;
typedef struct PtAuditSurvey {
  PtAuditModel *all; /* pooled */
  GPtrArray *models; /* PtAuditModel */
  GPtrArray *tells;  /* char*: what tells most by itself, pooled */
  GPtrArray *failed; /* char*: models that could not be protected, and why; left out of the rest */
  uint32_t families, folds, seeds;
  double worst_mean, worst_least; /* the most dangerous adversary of each model, with hindsight:
                                     share of bits kept, mean over models, least */
  double worst_first;             /* how often it has the real piece first, mean over models */
  const char *worst_model;        /* of the least; borrowed */
  double seconds;
} PtAuditSurvey;
PtAuditSurvey *pt_audit_survey(const PtAuditOptions *options, GError **error);
void pt_audit_survey_free(PtAuditSurvey *survey);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtAuditSurvey, pt_audit_survey_free)

/* Trains all adversaries on the options' models and writes them for pt_audit_bundle. survey (or
 * NULL): what they told of families they had not seen. */
bool pt_audit_learn(const PtAuditOptions *options, const char *path, PtAuditSurvey **survey,
                    GError **error);

/* For who measures models apart from the rest: adversaries trained on options->models (NULL: all)
 * that are of no family of `apart` (NULL at the end), on `most` of them, written to `path`; and for
 * each of those the folder of a generator that has not seen it, in options->work, which must be
 * set: generators[i], caller frees. */
bool pt_audit_apart(const PtAuditOptions *options, const char *const *apart, uint32_t most,
                    const char *path, char **generators, GError **error);

/* Figure 6 of the paper: its adversary, its models, its n and k. */
typedef struct PtPaperCell {
  double specificity, gamma, log10_candidates;
} PtPaperCell;
typedef struct PtPaperRow {
  const char *model, *file; /* as the paper, as the corpus names it */
  uint32_t n, k;
  PtPaperCell ours, random, paper, paper_random;
  double specificity_error; /* of ours, over seeds */
  uint32_t buckets;         /* distinct, as equal pieces share one; mean over seeds, rounded */
  double area;              /* of the adversary, ours */
} PtPaperRow;
/* rows: PtPaperRow. */
bool pt_audit_paper(const PtAuditOptions *options, GArray *rows, GError **error);

/* ---- trade-offs: what n, k and r cost and buy ---------------------------------------------------
 */
typedef struct PtSweepRow {
  const char *model; /* borrowed */
  char varied;       /* 'n', 'k' or 'r': the others are as they are in the middle */
  uint32_t n, k, r;
  uint32_t buckets, candidates; /* distinct buckets; files */
  double bits, most_bits, kept; /* of the model, against the adversary that tells most */
  const char *worst;            /* that adversary; static */
  double log10_candidates;      /* the paper's count, against the paper's adversary */
  double obfuscate_seconds, optimize_seconds;
  double slowdown; /* of the optimized model over best attainable - 1 */
} PtSweepRow;

/* ---- the questionnaire ----------------------------------------------------------------------- */
typedef struct PtQuizItem {
  PtGraph *graph; /* with types */
  bool real;
} PtQuizItem;
void pt_quiz_item_free(void *item);
/* 20 candidates of public models' buckets, half of them real, none of more than 24 nodes, in random
 * order; the same seed gives the same. PtQuizItem. */
GPtrArray *pt_audit_quiz(const PtAuditOptions *options, const char *seed, GError **error);

#endif
