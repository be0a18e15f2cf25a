/* obfuscate_private.h: shared by the files of this room only. */
#ifndef PT_OBFUSCATE_PRIVATE_H
#define PT_OBFUSCATE_PRIVATE_H

#include "bundle/bundle.h"
#include "obfuscate/obfuscate.h"

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
  GHashTable *fixed;    /* model's constants (ids + 1) that go out as they are; NULL until needed */
  GPtrArray *sentinels; /* PtGraph */
  char *kept;           /* why it cannot go out, or NULL */
} PtBucket;
/* One a distinct piece, without sentinels; GPtrArray of PtBucket. Two pieces share one only if
 * their constants that go out as they are are equal, too. */
GPtrArray *pt_buckets_new(PtGraph *model, const PtPartition *partition, bool keep_order,
                          const PtSeed *seed, unsigned threads, GError **error);

/* ---- candidates.c: scrubbed and written
 * ------------------------------------------------------------- */
typedef struct PtCandidateWeight {
  char name[16];   /* of the candidate's constant */
  PtValueId value; /* the model's, of the bucket's first piece */
  uint64_t offset, size;
} PtCandidateWeight;

typedef struct PtCandidateJob {
  PtBucket *bucket;
  PtGraph *graph; /* borrowed: the bucket's real one or a sentinel */
  char id[33];
  char *sha256;
  uint64_t bytes;
  GArray *weights; /* PtCandidateWeight of the real one; NULL for a sentinel */
  GError *error;
} PtCandidateJob;
/* 32 hex digits from the stream. */
void pt_random_hex(PtRng *rng, char out[33]);
/* Every candidate of every bucket, with a random id; sorted by id, so that no order of making
 * shows. */
GPtrArray *pt_candidates_new(GPtrArray *buckets, const PtSeed *seed);
/* Imports and IR version that all candidates carry, as a graph without nodes. Sentinels that would
 * need another version of a domain are dropped. */
PtGraph *pt_common_imports(GPtrArray *buckets);
/* Sentinels that scrubbing refuses are dropped from their bucket and from the list. */
bool pt_candidates_write(GPtrArray *candidates, const PtGraph *imports, const PtNoise *noise,
                         const char *folder, const PtSeed *seed, const PtObfuscateOptions *options,
                         GError **error);

/* ---- keep.c: the secret
 * --------------------------------------------------------------------------------- */
PtSecret *pt_make_secret(const PtGraph *model, const PtPartition *partition, GPtrArray *buckets,
                         GPtrArray *candidates, const PtNoise *noise, const char *model_sha256,
                         const PtSeed *seed, GError **error);

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
