/* The restore room's inside: places, answers, checks. */
#ifndef PT_RESTORE_PRIVATE_H
#define PT_RESTORE_PRIVATE_H

#include "bundle/bundle.h"
#include "restore/restore.h"
#include "runtime/runtime.h"

/* ---- places (places.c): the secret's pieces, found again in the model
 * ---------------------------- */
/* One member of a bucket: a place of the model that a piece stands for. */
typedef struct PtPlace {
  uint32_t bucket, member;
  PtPiece *piece;    /* inputs and outputs in the candidate's order */
  PtGraph *original; /* the piece cut out of the model */
  GArray *weights;   /* PtPlaceWeight */
} PtPlace;
typedef struct PtPlaceWeight {
  PtValueId model, original; /* the same constant in the model and in the cut-out piece */
  const char *name;          /* in the candidate; the secret's */
  uint64_t offset, size;     /* bytes of noise.bin */
  PtValueId reader;          /* in the cut-out piece: made by the node that reads it, or PT_NONE */
} PtPlaceWeight;
/* Places in a topological order of the graph of pieces (GPtrArray of PtPlace, owned). Everything in
 * the secret is checked against the model: PT_ERR_INPUT says what does not fit. */
GPtrArray *pt_places_new(PtGraph *model, const PtSecret *secret, const PtNoise *noise,
                         GError **error);
/* The candidate as it was sent: the piece with slices of noise.bin for weights. */
PtGraph *pt_place_candidate(const PtPlace *place);

/* ---- answers (answer.c): what the optimizer sent back, hostile
 * ------------------------------------ */
typedef struct PtAnswerPolicy {
  const PtNoise *noise;
  char **domains;        /* more than the known ones, NULL-terminated, or NULL */
  int64_t block;         /* this CPU's NCHWc block; 0: none */
  int64_t answers_block; /* what optimize recorded; -1: not known */
} PtAnswerPolicy;
/* Read and held against the piece: size, nodes, nesting, interface, operators, external data.
 * Values are not looked at. PT_ERR_IO: missing or no file; PT_ERR_LIMIT: too large; PT_ERR_INPUT:
 * malformed; PT_ERR_REFUSED: anything else. */
PtGraph *pt_answer_read(const char *path, const PtGraph *original, const PtAnswerPolicy *policy,
                        GError **error);
bool pt_graph_uses_domain(const PtGraph *graph, const char *domain);

/* ---- checks (check.c): does a piece compute what the original does
 * -------------------------------
 */
/* One seeded run of the whole model with optimizations off: its inputs, outputs, and every border.
 */
typedef struct PtCapture {
  uint32_t n_values;
  PtArray **values; /* [n_values of the model]; NULL where not wanted or no tensor */
} PtCapture;
/* GPtrArray of PtCapture, owned; dynamic dimensions differ from run to run. Empty where the model
 * does not run on random inputs. */
GPtrArray *pt_captures_new(PtGraph *model, GPtrArray *places, const PtSeed *seed, GError **error);
/* Largest relative difference over captured inputs and a perturbation of them; PT_ERR_REFUSED where
 * it is over what the dtype allows, or where the piece does not load or run. */
bool pt_check_piece(const PtPlace *place, const PtGraph *optimized, GPtrArray *captures,
                    const PtSeed *seed, double tolerance, double *difference, GError **error);
/* The whole model against its captured outputs. *fits: within the tolerance everywhere. */
bool pt_check_whole(const PtGraph *model, const PtGraph *graph, GPtrArray *captures,
                    double tolerance, double *difference, bool *fits, GError **error);
/* True if a node's result is no function of its inputs, nested ones included. */
bool pt_graph_is_random(const PtGraph *graph);

/* ---- sharing (share.c)
 * -----------------------------------------------------------------------------
 */
/* Nodes of a graph in topological order that compute the same become one; returns how many died. */
uint32_t pt_share_nodes(PtGraph *graph);

/* ---- one restoration (restore.c) ---- */
/* What became of a place. */
typedef struct PtOutcome {
  PtGraph *graph;    /* the answer with the place's weights; NULL: fallen back */
  char *why;         /* why it fell back */
  double difference; /* as checked */
  bool keeps_opset;  /* it does not work with the model's own version of the operator set */
} PtOutcome;

/* One call of pt_deobfuscate. */
typedef struct PtRestore {
  const PtDeobfuscateOptions *options;
  PtDeobfuscateReport *report;
  double tolerance;
  PtSeed seed;
  PtSecret *secret;
  PtNoise noise;
  PtGraph *model;
  GPtrArray *places; /* PtPlace, topological */
  PtAnswerPolicy policy;
  PtGraph **answers; /* [buckets] explained, with noise for weights; NULL: refused */
  char **refusals;   /* [buckets] */
  GPtrArray *captures;
  PtOutcome *outcomes; /* [places] */
  GMutex lock;
  uint32_t done;
} PtRestore;
static inline const PtSecretBucket *pt_bucket_of(const PtRestore *r, uint32_t b) {
  return g_ptr_array_index(r->secret->buckets, b);
}
static inline PtPlace *pt_place_at(const PtRestore *r, uint32_t p) {
  return g_ptr_array_index(r->places, p);
}
/* Answers of all buckets, read and explained; what is refused has its reason (attempt.c). */
void pt_attempt_answers(PtRestore *r);
/* Outcomes of all places: bound to the place's weights and checked in workers (attempt.c). */
void pt_attempt_places(PtRestore *r);
/* The whole, spliced and mended, with as many answers as it holds with (compose.c). */
PtGraph *pt_compose(PtRestore *r, GError **error);

/* ---- workers (worker.c): hostile work in forked children
 * ------------------------------------------
 */
typedef struct PtVerdict {
  bool ok;
  double difference;
  char why[512]; /* "" where ok */
} PtVerdict;
typedef struct PtWorkerLimits {
  const char *what; /* for progress */
  double seconds;   /* an item */
  uint64_t bytes;   /* of address space more than the parent has; 0: no limit */
} PtWorkerLimits;
typedef bool (*PtWorkerTask)(size_t item, double *difference, void *data, GError **error);
/* task(0..count-1) in up to `workers` children, forked from this process as it is: call it while no
 * other thread of the process works. verdicts [count], zeroed, is filled. */
void pt_worker_run(size_t count, unsigned workers, const PtWorkerLimits *limits, PtWorkerTask task,
                   void *data, const PtProgress *progress, PtVerdict *verdicts);

#endif
