/* obfuscate_private.h: shared by the files of this room only. */
#ifndef PT_OBFUSCATE_PRIVATE_H
#define PT_OBFUSCATE_PRIVATE_H

#include "bundle/bundle.h"
#include "obfuscate/obfuscate.h"
#include "runtime/runtime.h"

/* Of errors that tasks left, the first is passed on, the rest freed; true if there is none. */
bool pt_first_error(GError **errors, guint count, GError **error);

/* ---- buckets.c: equal pieces share one
 * -------------------------------------------------------------- */
typedef struct PtOccurrence {
  uint32_t piece; /* index in the partition */
  GHashTable
      *map; /* values of the bucket's first piece -> values of this one (ids + 1); NULL: itself */
} PtOccurrence;

typedef struct PtBucket {
  GArray *occurrences;    /* PtOccurrence, the first made the candidate */
  PtGraph *real;          /* the first piece as a graph, its interface shuffled */
  PtValueId *model_value; /* [values of real] the model's value */
  GHashTable *fixed; /* model's constants (ids + 1) that go out as they are; NULL until needed */
  GPtrArray *candidates;     /* PtCandidateFile, the real one first; empty if kept */
  GHashTable *hashes;        /* guint64*: of the candidates' graphs */
  char *kept;                /* why it cannot go out, or NULL */
  uint32_t walked, modified; /* sentinels that are not of the mode asked for */
} PtBucket;
/* One a distinct piece, without sentinels; GPtrArray of PtBucket. Two pieces share one only if
 * their constants that go out as they are are equal, too. */
GPtrArray *pt_buckets_new(PtGraph *model, const PtPartition *partition, bool keep_order,
                          const PtSeed *seed, unsigned threads, GError **error);

/* ---- candidates.c: scrubbed, encoded, written --------------------------------------------------
 */
typedef struct PtCandidateWeight {
  char name[16];    /* of the candidate's constant */
  PtValueId value;  /* the model's, of the bucket's first piece */
  PtValueId reader; /* likewise: made by the node that reads it; PT_NONE: not known */
  uint64_t offset, size;
} PtCandidateWeight;

typedef struct PtCandidateFile {
  char id[33];
  GBytes *bytes;
  PtGraph *sent; /* what the bytes are of, until it has been tried; or NULL */
  char *sha256;
  GArray *weights; /* PtCandidateWeight of the real one; NULL for a sentinel */
} PtCandidateFile;
void pt_candidate_file_free(void *file);
/* 32 hex digits from the stream. */
void pt_random_hex(PtRng *rng, char out[33]);
/* Imports and IR version that all candidates carry: what the real pieces need, as a graph without
 * nodes. */
PtGraph *pt_common_imports(GPtrArray *buckets);
/* What the real pieces need of noise.bin, with room for sentinels as large as the largest of them.
 */
void pt_common_need(GPtrArray *buckets, PtNoiseNeed *need);
/* The candidate as it is sent, with its graph. PT_BUNDLE_ERROR: it cannot go out. model_value: of
 * the real one, else NULL. */
PtCandidateFile *pt_candidate_encode(const PtGraph *graph, const PtValueId *model_value,
                                     const PtGraph *imports, const PtNoise *noise, PtRng *rng,
                                     GError **error);
/* Every candidate of every bucket (borrowed), sorted by id, so that no order of making shows. */
GPtrArray *pt_candidates_sorted(GPtrArray *buckets);
bool pt_candidates_write(GPtrArray *candidates, const char *folder,
                         const PtObfuscateOptions *options, GError **error);

/* ---- context.c: what pieces read when the model runs with noise for weights --------------------
 */
typedef struct PtContext PtContext;
/* Runs it once; where that fails there is nothing to be had. Before sentinels are made. */
PtContext *pt_context_new(PtGraph *model, const GPtrArray *buckets, const PtNoise *noise,
                          GBytes *noise_bytes, const PtSeed *seed);
void pt_context_free(PtContext *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtContext, pt_context_free)
/* PtArray (borrowed) for each input of the real piece; NULL where one is not known or not finite.
 */
GPtrArray *pt_context_inputs(const PtContext *context, const PtGraph *real,
                             const PtValueId *model_value);
/* How many times as large as what it reads the outputs of a real piece are, the most of all whose
 * outputs others read; 1 at least. */
double pt_context_growth(const PtContext *context, const GPtrArray *buckets);
/* Mean of |x| of floats; else 0. */
double pt_mean_size(const PtArray *a);

/* ---- trial.c: what whoever has the bundle can find out by running it ---------------------------
 */
/* A sentinel that does what the real piece of its bucket does not (the optimizer breaks on it, its
 * outputs are not finite, or all zero) would be known for one. The other way about is no mark: what
 * the real piece does, its sentinels may do, too. */
typedef struct PtTrial PtTrial;
/* noise: noise.bin as written, borrowed; inputs: what the real piece reads in the model, or NULL;
 * growth: of any piece of the model; seed: of random inputs. */
PtTrial *pt_trial_new(const PtCandidateFile *real, GBytes *noise, GPtrArray *inputs, double growth,
                      const PtSeed *seed);
void pt_trial_free(PtTrial *trial);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtTrial, pt_trial_free)
bool pt_trial_passes(const PtTrial *trial, const PtCandidateFile *file);

/* ---- effort.c: how much a candidate computes ---------------------------------------------------
 */
typedef struct PtEffort {
  double work;  /* multiplications, roughly; unknown sizes count as one */
  double space; /* elements of its largest value */
} PtEffort;
/* Of a graph with types. */
PtEffort pt_effort_of(const PtGraph *graph);
PtEffort pt_effort_of_largest(const GPtrArray *graphs);
/* Not many times the largest piece's, which whoever optimizes would have to bear. Not this
 * bucket's: what is heavier than its real piece would be left out, and the real one heavy among the
 * rest. */
bool pt_effort_fits(const PtEffort *largest, const PtEffort *sentinel);

/* ---- obfuscate.c
 * ----------------------------------------------------------------------------------------- */
/* Whether known sizes are folded before the cut, as shape arithmetic would tell the exporter. Where
 * nothing is hidden (k = 0) a model is shown as it is. */
bool pt_obfuscate_folds(const PtObfuscateOptions *options);

/* ---- keep.c: the secret
 * --------------------------------------------------------------------------------- */
PtSecret *pt_make_secret(const PtGraph *model, const PtPartition *partition, GPtrArray *buckets,
                         const PtNoise *noise, const char *model_sha256, const PtSeed *seed,
                         GError **error);

/* ---- site.c: where it goes
 * ---------------------------------------------------------------------------- */
typedef struct PtSite {
  const char *folder, *secret;
  bool existed; /* the folder, empty */
} PtSite;
/* Nothing is overwritten: PT_ERR_USAGE. PT_ERR_IO: a folder above is missing. */
bool pt_site_check(PtSite *site, const PtObfuscateOptions *options, GError **error);
bool pt_site_make(const PtSite *site, GError **error);
/* Removes what pt_site_make and whoever wrote since have made. */
void pt_site_undo(const PtSite *site);
/* Gives everything in it one and the same time. */
bool pt_site_stamp(const PtSite *site, GError **error);

#endif
