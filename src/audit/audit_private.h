/* Inside the audit room, a file a stage:
 * sight.c, features.c   a candidate as an adversary reads it
 * data.c, cache.c      targets: from a bundle and its secret; made with a generator that has not
 *                      seen the model, kept on disk
 * answers.c            what an optimizer makes of the candidates
 * family.c             near-duplicates of a model, measured
 * adversary_*.c        one adversary a file; table.c: a row each
 * logit.c              conditional logistic regression: which of a bucket is the real one
 * measure.c            posteriors, bits kept, area, ranks, beta, candidates
 * likeness.c, tuples.c  how two candidates are alike; the law of whole tuples; whole.c: what it and
 *                      all adversaries leave of the real one
 * contest.c            every adversary against every target, each trained on the other families
 * tally.c              what contests told, kept and summed */
#ifndef PT_AUDIT_PRIVATE_H
#define PT_AUDIT_PRIVATE_H

#include "audit/audit.h"
#include "bundle/bundle.h"
#include "graph/graph.h"
#include "walk/walk.h"

/* ---- sights -------------------------------------------------------------------------------------
 */
/* Features of a kind, sparse: ids ascending, each with its count. The low six bits of an id are its
 * family. */
typedef struct PtSparse {
  uint32_t n;
  uint64_t *id;
  float *count;
} PtSparse;
void pt_sparse_clear(PtSparse *sparse);
/* Sorts the ids (destroyed) and counts them. */
PtSparse pt_sparse_of(uint64_t *ids, uint32_t n);
/* Cosine of the two as vectors; 1 if both are empty. */
double pt_sparse_cosine(const PtSparse *a, const PtSparse *b);

typedef struct PtSightNode {
  const char *name;      /* of the operator, static; "other" if the table does not have it */
  uint64_t op;           /* operator */
  uint64_t plain;        /* with kernel and strides only, as exporters differ in the rest */
  uint64_t token;        /* with attributes that people choose, which inputs are constant */
  uint64_t exact;        /* with all attributes and small constants */
  uint32_t in, n_in;     /* refs[in .. in + n_in): node that makes the input, -1 - i for input i */
  uint32_t n_uses, outs; /* readers in the piece; how many of the piece's outputs it makes */
  int32_t width, width_in; /* channels of the first output and input; 0 if there are none */
  int64_t area, area_in;   /* the other sizes of the two, batch apart, multiplied; 1 */
  int32_t rank, dtype;
  double weights, work; /* elements of its constants; multiplications, roughly */
  uint32_t scalars;     /* constants of one float */
  uint64_t scalar;      /* which, the last of them */
} PtSightNode;

/* Numbers of a graph as a whole; names in pt_number_names. */
#define PT_NUMBERS 32
extern const char *const pt_number_names[PT_NUMBERS];

/* Numbers of a file, in deviations of what the program writes for such a graph. */
#define PT_FILE_NUMBERS 18
extern const char *const pt_file_number_names[PT_FILE_NUMBERS];

/* Numbers of what ONNX Runtime, at level extended, makes of a candidate. */
#define PT_ANSWER_NUMBERS 16
extern const char *const pt_answer_number_names[PT_ANSWER_NUMBERS];

typedef struct PtSight {
  uint32_t n, n_inputs, n_outputs;
  PtSightNode *nodes; /* topological */
  int32_t *refs;
  PtSparse features; /* everything countable: paths, attributes, degrees, ratios of widths */
  PtSparse plain;    /* such labels of radius 2, of plain operators that make floats */
  PtSparse labels;   /* Weisfeiler-Lehman labels of radius 0 to 3, without widths */
  double numbers[PT_NUMBERS];
  bool has_file;
  double file[PT_FILE_NUMBERS];
  bool has_answer;
  double answer[PT_ANSWER_NUMBERS];
  PtSparse answer_ops; /* operators of the answer, and pairs of them */
  double log_pi;       /* under the generator that the adversary has; NAN: none */
} PtSight;
/* Types of all values must be set (pt_sight_types). */
PtSight *pt_sight_new(const PtGraph *graph);
void pt_sight_free(PtSight *view);
uint64_t pt_sight_operator(const char *name); /* PtSightNode's op of an operator of this name */
/* Types that a candidate's file leaves out, by the operators' rules, else by the runtime. */
bool pt_sight_types(PtGraph *graph, GError **error);
/* What the file tells: size, order, names, against the same graph written anew with other draws;
 * `id` is its place among the bundle's, 0 to 1. */
void pt_sight_file(PtSight *sight, const PtGraph *graph, GBytes *bytes, double id,
                   const PtNoise *noise);
/* answers.c: asks the optimizer; noise NULL: weights are zeros. folder: pt_answers_folder's; i: a
 * number that no other thread uses. */
void pt_sight_answer(PtSight *sight, const PtGraph *graph, const PtNoise *noise, const char *folder,
                     size_t i);
/* A temporary folder for weights of up to `largest` bytes; the caller removes and frees it. */
char *pt_answers_folder(uint64_t largest, GError **error);
void pt_features_of_sight(PtSight *view); /* features.c: sets features, labels, numbers */

/* ---- targets -----------------------------------------------------------------------------------
 */
typedef struct PtCaseBucket {
  uint32_t first, n; /* candidates of the target */
} PtCaseBucket;
/* One run of the program over one model, as the adversary gets it: which files are a bucket it is
 * told, though a bundle does not say; which is real it is not. */
typedef struct PtCase {
  char *name;
  uint32_t model, family, seed; /* index of the model, of its family of near-duplicates, the run */
  PtCaseBucket *buckets;        /* [n_buckets] distinct pieces, those with at least one sentinel */
  uint32_t n_buckets;
  GPtrArray *sights;     /* PtSight, bucket by bucket, in order of random ids */
  uint32_t *real;        /* [n_buckets] truth, index in the bucket; NULL where it is hidden */
  struct PtAlike *alike; /* kept from one training to the next */
} PtCase;
typedef struct PtAlike {
  GMutex lock;
  float *rows; /* adversary_tuples.c's, of a case with truth; NULL: not yet */
} PtAlike;
PtCase *pt_case_new(const char *name);
void pt_case_free(PtCase *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtCase, pt_case_free)
static inline const PtSight *pt_case_sight(const PtCase *t, uint32_t bucket, uint32_t i) {
  return t->sights->pdata[t->buckets[bucket].first + i];
}
/* From the files; walk: what log_pi is of, or NULL. ids (or NULL) receives the ids of all
 * candidates in order, char*, owned. */
PtCase *pt_case_read(const char *bundle, const char *secret, const char *name, PtWalkModel *walk,
                     unsigned threads, GPtrArray *ids, GError **error);
/* Asks the optimizer about all candidates, unless the file `kept` (or NULL) has what it said
 * before; it is written otherwise. ids: as pt_case_read gave them. */
bool pt_case_answers(PtCase *target, const char *bundle, GPtrArray *ids, unsigned threads,
                     const char *kept, GError **error);
/* Takes the graphs of a bucket (PtGraph with types, borrowed), candidate `real` of them real. */
void pt_case_add_bucket(PtCase *target, GPtrArray *graphs, uint32_t real);

/* ---- work: a folder in which targets are made and kept -----------------------------------------
 */
typedef struct PtLab {
  char *folder, *corpus; /* of public models */
  GPtrArray *names;      /* char*: models of the corpus, without ".onnx", sorted */
  uint32_t *family;      /* [names] near-duplicates have the same number */
  uint32_t n_families;
  uint32_t *group; /* [names] whose generator has seen none of the group: the family, or several */
  uint32_t n_groups;
  unsigned threads;
  PtProgress progress;
} PtLab;
/* What is made is kept in the folder, in one named by the program's version, the shipped generator
 * and the corpus, so that nothing old is taken for new. groups: families are dealt into so many,
 * and a generator leaves out a whole group: fewer to train, each knowing less; 0: one a family. */
PtLab *pt_lab_open(const char *folder, const char *corpus, uint32_t groups, unsigned threads,
                   const PtProgress *progress, GError **error);
void pt_lab_close(PtLab *work);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtLab, pt_lab_close)
uint32_t pt_lab_model(const PtLab *work, const char *name); /* PT_NONE: there is none */
/* The folder of a generator that has seen no model of the group; trained if it is not there yet.
 * shapes: with topologies, which modes generate and random draw from. Caller frees. */
char *pt_lab_generator(const PtLab *work, uint32_t group, bool shapes, GError **error);
typedef struct PtRunOptions {
  uint32_t model, seed, n, k; /* n 0: auto */
  const char *mode;           /* as obfuscate's */
  bool shipped;               /* by the generator that ships, which may know the model */
  bool answers;               /* with what an optimizer makes of the candidates */
} PtRunOptions;
/* Trains the generator without the model's family, runs the program, reads what it wrote; what is
 * in the folder already is not done again. */
PtCase *pt_lab_case_ids(const PtLab *lab, const PtRunOptions *options, char **bundle,
                        GPtrArray *ids, GError **error);
/* bundle: where it is, caller frees; ids (or NULL): as pt_case_read. */
PtCase *pt_lab_case(const PtLab *work, const PtRunOptions *options, GError **error);

/* All runs that the options ask for. */
bool pt_audit_cases(const PtLab *lab, const PtAuditOptions *options, GPtrArray *cases,
                    GError **error);
/* One of each model. failed: char*, receives a sentence of each that cannot be made, as the others
 * go on. */
bool pt_audit_cases_of(const PtLab *lab, const PtAuditOptions *options, uint32_t seed,
                       GPtrArray *cases, GPtrArray *failed, GError **error);
bool pt_audit_learn_in(const PtLab *lab, const PtAuditOptions *options, const char *path,
                       PtAuditSurvey **survey, GError **error);
/* A lab in options->work, or in a temporary folder, which the caller removes and frees. */
PtLab *pt_audit_lab(const PtAuditOptions *options, char **temporary, GError **error);

/* family.c: share of a's nodes whose neighbourhood of radius 2 (PtSight's plain) occurs in b. */
double pt_overlap(const PtSight *a, const PtSight *b);
/* Near-duplicates: either has at least PT_FAMILY_SHARE of its nodes in the other; and theirs. */
#define PT_FAMILY_SHARE 0.75
/* family[n] of sights; how many there are. */
uint32_t pt_families(GPtrArray *sights, double share, uint32_t *family);

/* ---- what was learned, as bytes ----------------------------------------------------------------
 */
typedef struct PtReader {
  const uint8_t *data;
  size_t size, at;
  bool ok; /* false once something was missing or wrong; then zeros are taken */
} PtReader;
void pt_put(GByteArray *out, const void *data, size_t size);
void pt_put_u32(GByteArray *out, uint32_t x);
void pt_put_double(GByteArray *out, double x);
void pt_put_table(GByteArray *out, GHashTable *table); /* id -> number, by id */
const uint8_t *pt_take(PtReader *reader, size_t size); /* NULL: there is not as much */
uint32_t pt_take_u32(PtReader *reader);
double pt_take_double(PtReader *reader);
GHashTable *pt_take_table(PtReader *reader, uint32_t most); /* numbers up to `most` */
GHashTable *pt_take_columns(PtReader *reader); /* numbers up to how many entries it has */

/* ---- adversaries -------------------------------------------------------------------------------
 */
/* What an adversary is trained on: runs of the program over other models, truth told. */
typedef struct PtTraining {
  GPtrArray *targets; /* PtCase with `real`, borrowed */
  PtSeed seed;
  unsigned threads;
  PtProgress progress;
} PtTraining;

/* What was measured to help (docs/audit.md: the sweep; docs/walk.md: three times as many public
 * models did not). */
#define PT_REMEDY_FINER                                                                            \
  "smaller pieces (a larger n), which buy most, or a larger k, which buys its logarithm"
#define PT_REMEDY_WALK                                                                             \
  "mode walk with its 4000 steps, beyond which nothing is gained; then " PT_REMEDY_FINER

struct PtTuples;
/* The door. score: a number for each candidate of the target, the higher the likelier real within
 * its bucket; deterministic. train may be NULL, then state is NULL. */
typedef struct PtAdversary {
  const char *name;   /* one word or two, with '-' */
  const char *looks;  /* "looks at ...": what, half a line */
  const char *remedy; /* what an owner can do about it: only what was measured to help */
  bool needs_files, needs_pi, needs_answers;
  bool heavy; /* not in a quick audit */
  void *(*train)(const PtTraining *training);
  void (*score)(const void *state, const PtCase *target, double *out);
  void (*free)(void *state);
  void (*write)(const void *state, GByteArray *out); /* NULL: there is no state */
  void *(*read)(PtReader *reader);                   /* NULL if it is malformed */
  /* What it says of whole tuples, base 0; caller pt_tuples_clear. NULL: it looks at each bucket by
   * itself; false: it has nothing to say. */
  bool (*tuples)(const void *state, const PtCase *target, unsigned threads, struct PtTuples *out);
} PtAdversary;
extern const PtAdversary *const pt_adversaries[]; /* NULL at the end */
const PtAdversary *pt_adversary_find(const char *name);

extern const PtAdversary pt_adversary_centre, pt_adversary_edge, pt_adversary_statistics_centre,
    pt_adversary_statistics_edge, pt_adversary_dictionary_near, pt_adversary_dictionary_far,
    pt_adversary_twin_near, pt_adversary_twin_gap, pt_adversary_twin_far, pt_adversary_habits,
    pt_adversary_rare, pt_adversary_sequences_high, pt_adversary_sequences_low,
    pt_adversary_pi_high, pt_adversary_pi_low, pt_adversary_files, pt_adversary_answers,
    pt_adversary_numbers, pt_adversary_paths, pt_adversary_trees, pt_adversary_paper,
    pt_adversary_network, pt_adversary_tuples;

/* What shows in at least `least` families, of the sights' PtSparse at that offset: id -> column +
 * 1; how many. */
GHashTable *pt_common_features(GPtrArray *targets, size_t sparse, uint32_t least, uint32_t *count);

/* ---- whole tuples ------------------------------------------------------------------------------
 * A tuple has one candidate of each bucket. */
#define PT_LIKENESS 36
typedef struct PtLikeness PtLikeness;
typedef struct PtDesk PtDesk;
PtLikeness *pt_likeness_new(const PtCase *target);
void pt_likeness_free(PtLikeness *likeness);
/* Where one candidate lies to be compared with others; one a thread. */
PtDesk *pt_desk_new(const PtLikeness *likeness);
void pt_desk_free(PtDesk *desk);
/* out[PT_LIKENESS]: how candidates a and b of the case are alike; the more the higher. Quick while
 * `a` stays. Symmetric up to rounding. */
void pt_likeness(PtDesk *desk, uint32_t a, uint32_t b, float *out);

/* Their law: odds of exp(sum of base + strength * (sum of alone + sum of pairs)). */
typedef struct PtTuples {
  uint32_t n;                  /* buckets, which follow each other from candidate 0 on */
  const PtCaseBucket *buckets; /* borrowed */
  double *base, *alone;        /* [candidates] */
  float *pair;                 /* [candidates][candidates], symmetric; NULL: 0 */
} PtTuples;
void pt_tuples_clear(PtTuples *tuples);
/* tuple[buckets]: candidates; the real ones of a case with truth. */
void pt_tuples_real(const PtCase *target, uint32_t *tuple);
/* By going through all: log of the share of a tuple (or NULL), marginals[candidates] (or NULL).
 * False: there are more than ten millions. */
bool pt_tuples_exact(const PtTuples *tuples, const uint32_t *tuple, double strength,
                     double *log_share, double *marginals);
typedef struct PtTupleDraw {
  const double *strengths; /* [n_strengths] ascending, from 0 */
  uint32_t n_strengths, particles;
  PtSeed seed;
} PtTupleDraw;
/* The same for each strength, estimated: log_share[n_strengths] (with a tuple),
 * marginals[n_strengths][candidates] (or NULL). Annealed importance sampling (Neal, 2001) with
 * resampling; work grows with particles * candidates * buckets. */
void pt_tuples_draw(const PtTuples *tuples, const uint32_t *tuple, const PtTupleDraw *how,
                    double *log_share, double *marginals);

/* ---- conditional logistic regression -----------------------------------------------------------
 * Rows are candidates, groups are buckets, one of each is real: the posterior in a group is the
 * softmax of w x. Rows sparse; columns are centred in the group by the softmax itself. */
typedef struct PtLogit PtLogit;
PtLogit *pt_logit_new(uint32_t columns);
void pt_logit_free(PtLogit *logit);
void pt_logit_begin(PtLogit *logit);                             /* a group */
void pt_logit_row(PtLogit *logit);                               /* a candidate of it */
void pt_logit_put(PtLogit *logit, uint32_t column, float value); /* of the row */
void pt_logit_end(PtLogit *logit, uint32_t real);
/* w[columns]: minimizes the mean negative log posterior + l2 / 2 |w|^2, from w; L-BFGS. Returns the
 * mean log loss, nats. */
double pt_logit_fit(const PtLogit *logit, double l2, double *w);

/* ---- measure -----------------------------------------------------------------------------------
 */
typedef struct PtBucketResult {
  double posterior; /* of the real piece */
  double bits;      /* -log2 of it */
  double rank;      /* 0: first, 1: last; ties shared */
  double first;     /* 1: it comes first; ties shared */
  double place;     /* even in 0..1 if the adversary knows nothing; ties drawn */
  uint32_t n;       /* candidates */
} PtBucketResult;
/* How an adversary's scores become posteriors: softmax of t * score, or of t * score in standard
 * deviations of the bucket, mixed with 1 % of even odds. t >= 0. */
typedef struct PtCalibration {
  double t;
  bool standard;
} PtCalibration;
void pt_posterior(const PtCalibration *how, const double *scores, uint32_t n, double *out);
/* Fitted on targets with truth: scores[i], of every candidate, belongs to targets[i]. */
PtCalibration pt_calibrate(GPtrArray *targets, GPtrArray *scores);
/* out[n_buckets] of one target. */
void pt_results(const PtCase *target, const double *scores, const PtCalibration *how,
                PtBucketResult *out);
/* Wilcoxon's area: how often a real piece scores above a sentinel of its own bucket, over all
 * buckets and pairs. */
double pt_area(const PtBucketResult *results, uint32_t n);
/* The p-value of places being even: of their mean and of Kolmogorov and Smirnov's distance, the
 * smaller, doubled. */
double pt_rank_test(const PtBucketResult *results, uint32_t n);
/* The paper's measure. score: confidence that a candidate is real. gamma: the least threshold on
 * 1 - score by which no real piece is lost; beta: share of sentinels beyond it;
 * log10 of [1 + (1 - beta) k]^n. */
typedef struct PtReduction {
  double beta, gamma, log10_candidates;
} PtReduction;
PtReduction pt_reduction(const PtCase *target, const double *scores, double n, double k);

/* ---- why ---------------------------------------------------------------------------------------
 */
/* One thing that can be seen of a candidate, and how well it alone tells real from made up. */
typedef struct PtTell {
  char *what;
  double area;      /* of its value; below half: the real one has less */
  double error;     /* standard error of the area */
  uint32_t buckets; /* in which any candidate shows it */
} PtTell;
void pt_tell_free(void *tell);
/* Of numbers, of the file, of counts of operators and of pairs of them; the most telling first.
 * PtTell, owned. */
GPtrArray *pt_tells(GPtrArray *cases);

/* Deals families into `folds` (0: one each), the largest first, each to the smallest: fold[n] of
 * the n members; how many folds there are. */
uint32_t pt_deal(const uint32_t *family, uint32_t n, uint32_t folds, uint32_t *fold);

/* ---- contests ----------------------------------------------------------------------------------
 */
typedef struct PtContestRow {
  const char *name, *looks, *remedy;
  double **scores;          /* [targets][candidates] */
  PtBucketResult **results; /* [targets][buckets] */
  double seconds;
} PtContestRow;
/* Whole tuples: by the stack of all adversaries but tuples, calibrated, and by pairs so strong. */
typedef struct PtWhole {
  PtCalibration how;
  double strength;
} PtWhole;
typedef struct PtContest {
  GPtrArray *targets; /* PtCase with truth */
  uint32_t *fold;     /* [targets] */
  uint32_t n_folds, n_rows;
  PtContestRow *rows; /* adversaries that could play, the stack, whole tuples */
  void **states;      /* [folds] of pt_adversary_tuples; NULL: it does not play */
  PtWhole whole;      /* fitted on all cases */
  PtSeed seed;
  unsigned threads;
  PtProgress progress;
} PtContest;
typedef struct PtContestOptions {
  uint32_t folds;          /* 0: as many as families */
  const char *const *only; /* names of adversaries, NULL: all */
  bool quick;              /* without the heavy ones */
  unsigned threads;
  PtProgress progress;
} PtContestOptions;
PtContest *pt_contest_new(GPtrArray *targets, const PtContestOptions *options, const PtSeed *seed);
void pt_contest_free(PtContest *contest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtContest, pt_contest_free)

/* Over a model's runs, or all (PT_NONE). */
typedef struct PtSummary {
  uint32_t runs, buckets;
  double bits, most_bits, kept;               /* a bucket; at best; their ratio */
  double area, first, chance;                 /* chance: what first is if nothing is known */
  double even;                                /* p-value of the ranks being even */
  double area_error, bits_error, first_error; /* standard errors over runs, or, of all, over
                                                 models */
  double area_seeds, bits_seeds;              /* of all: over seeds, each over all models */
} PtSummary;
/* Without rows, with room for so many. */
PtContest *pt_contest_bare(GPtrArray *cases, uint32_t rows);
PtContestRow *pt_contest_add_row(PtContest *contest, const char *name, const char *looks,
                                 const char *remedy);
/* Weights of a stack of the first `rows`, fitted on all cases: w[rows]. */
void pt_contest_stack(const PtContest *contest, uint32_t rows, double *w);
/* out[candidates of case i]: the weighed sum of the first rows, each in deviations of the bucket.
 */
void pt_contest_weigh(const PtContest *contest, uint32_t i, const double *w, uint32_t rows,
                      double *out);
/* Calibrated on all cases but those of fold `except`. */
PtCalibration pt_contest_calibrate(const PtContest *contest, double **scores, uint32_t except);
/* scores[case]: the stack of the first rows, each case weighed as the other folds taught. */
void pt_contest_stack_others(const PtContest *contest, uint32_t rows, double **scores);
/* whole.c: adds the row of whole tuples to a contest in which `adversary` left its states; rows:
 * those that count by themselves. */
void pt_contest_whole(PtContest *contest, const PtAdversary *adversary, uint32_t rows);
/* The same for one case, as fitted before; base[candidates]: scores of the stack. */
void pt_whole_hear(PtContest *contest, const PtAdversary *adversary, const void *state,
                   const PtWhole *whole, const double *base);
#define PT_WHOLE_NAME "whole-model"
#define PT_WHOLE_LOOKS                                                                             \
  "whole tuples: what all say of each candidate, and which pairs look like one model's"
#define PT_WHOLE_REMEDY "what the strongest of the others says"
#define PT_STACK_NAME "stack"
#define PT_STACK_LOOKS "all of the others, weighed as other models taught"
#define PT_STACK_REMEDY "what the strongest of the others says"
/* ---- tallies: what a contest told, without what it was about -----------------------------------
 */
typedef struct PtTally {
  PtContest *contest; /* its cases have no sights */
  GPtrArray *tells;   /* PtTell */
  GPtrArray *failed;  /* char*: models that are not in it, and why */
} PtTally;
PtTally *pt_tally_new(PtContest *contest, GPtrArray *tells, GPtrArray *failed); /* takes them */
void pt_tally_free(PtTally *tally);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtTally, pt_tally_free)
GByteArray *pt_tally_bytes(const PtTally *tally);
/* NULL: malformed, or of other adversaries. Hostile input. */
PtTally *pt_tally_parse(const void *data, size_t size);
/* Of several contests over the same adversaries, all in one: PtTally, borrowed. Tells are means by
 * buckets. NULL if their adversaries differ. */
PtTally *pt_tally_sum(GPtrArray *tallies);
/* Keeps what the options' models told in this seed in the lab's folder, where a survey finds it. */
bool pt_audit_keep_tally(const PtLab *lab, const PtAuditOptions *options, uint32_t seed,
                         const PtTally *tally, GError **error);

/* Lines of all adversaries over a model's runs, or all; without buckets. */
PtAuditModel *pt_contest_model(const PtContest *contest, const char *name, uint32_t model);
PtAuditSurvey *pt_survey_of(const PtLab *lab, const PtTally *tally);
PtSummary pt_contest_summary(const PtContest *contest, uint32_t adversary, uint32_t model);

/* ---- juries: trained adversaries ---------------------------------------------------------------
 */
typedef struct PtSeat {
  const PtAdversary *adversary;
  void *state;
  PtCalibration how;
  double weight; /* in the stack */
  double base;   /* in the stack that whole tuples start from */
} PtSeat;
typedef struct PtJury {
  GArray *seats; /* PtSeat */
  PtCalibration stack;
  bool has_whole;
  PtWhole whole;
} PtJury;
/* On all cases of a contest, calibrated and stacked by what was scored in it on unseen families.
 * The cases must outlive the jury. */
PtJury *pt_jury_train(PtContest *contest);
bool pt_jury_write(const PtJury *jury, const char *path, GError **error);
/* NULL: the one shipped. Hostile input. */
PtJury *pt_jury_read(const char *path, GError **error);
/* What a file has, without compression; NULL: it is malformed. Hostile input. */
GByteArray *pt_jury_bytes(const PtJury *jury);
PtJury *pt_jury_parse(const void *data, size_t size);
PtJury *pt_jury_new(void); /* without seats */
/* What each says about one case. */
PtContest *pt_jury_hear(const PtJury *jury, PtCase *one);
void pt_jury_free(PtJury *jury);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtJury, pt_jury_free)

#endif
