/* bundle: what is sent and what is kept: noise, scrubbing, manifest, secret.
 * In: pieces and sentinels.  Out: a folder of nameless ONNX files with noise for weights; a 0600
 * secret. What is written is built from what is allowed, never copied and cleaned. Never touches:
 * ONNX Runtime; the optimizer's answer. */
#ifndef PT_BUNDLE_H
#define PT_BUNDLE_H

#include "graph/graph.h"

#define PT_BUNDLE_ERROR (pt_bundle_error_quark())
GQuark pt_bundle_error_quark(void);

/* ---- noise.bin: noise[i] is an invertible function of i under the manifest's seed
 * ---------------- */
#define PT_NOISE_FILE "noise.bin"
typedef struct PtNoise {
  char seed[33];   /* 32 hex digits, public; derived one-way, tells nothing of the run's seed */
  uint64_t floats; /* N, a power of two: [0,N/2) any sign, [N/2,N) positive only */
  uint64_t halves, brains,
      doubles; /* elements of the sections behind it for float16, bfloat16, float64; usually 0 */
  uint64_t key[8]; /* round keys from the seed */
  unsigned bits;   /* log2(N/2) */
} PtNoise;
bool pt_noise_init(PtNoise *noise, const char *seed, uint64_t floats, uint64_t halves,
                   uint64_t brains, uint64_t doubles, GError **error);
float pt_noise_at(const PtNoise *noise, uint64_t i);
/* The i with noise[i] == value; UINT64_MAX if there is none. */
uint64_t pt_noise_position(const PtNoise *noise, float value);
/* The same for many at once, which is much faster. */
void pt_noise_positions(const PtNoise *noise, const float *values, size_t count, uint64_t *out);
/* floats [first, first + count) of noise.bin */
void pt_noise_fill(const PtNoise *noise, uint64_t first, size_t count, float *out);
/* Byte `offset` of noise.bin of length size, any section; used to materialize a slice without the
 * file. */
bool pt_noise_bytes(const PtNoise *noise, uint64_t offset, size_t size, void *out);
uint64_t pt_noise_file_size(const PtNoise *noise);
/* Where the other sections begin, bytes. Their first halves have any sign, their second halves are
 * positive. */
uint64_t pt_noise_halves_offset(const PtNoise *noise);
uint64_t pt_noise_brains_offset(const PtNoise *noise);
uint64_t pt_noise_doubles_offset(const PtNoise *noise);
/* The element of the float64 section that has this value (all are distinct); UINT64_MAX if there is
 * none. */
uint64_t pt_noise_position_double(const PtNoise *noise, double value);
bool pt_noise_write(const PtNoise *noise, const char *path, unsigned threads, GError **error);

/* ---- scrubbing ---------------------------------------------------------------------------------
 * The candidate that stands for `graph`: same operators, attributes, wiring, interface; names by
 * position in a random topological order; constants by role (ops): steering and one-element floats
 * real, weights slices of noise.bin. source (or NULL) receives, for each constant of the candidate,
 * the value id in `graph` (GArray of PtScrubbed). */
typedef struct PtScrubbed {
  PtValueId candidate, original;
} PtScrubbed;
/* Floats needed by a graph in each half, and elements of the other sections, to size the noise
 * file. */
typedef struct PtNoiseNeed {
  uint64_t any, positive, halves, brains, doubles;
} PtNoiseNeed;
void pt_noise_need(const PtGraph *graph, PtNoiseNeed *need); /* keeps the maximum */
/* pt_noise_init with sizes that hold `need`, powers of two. */
bool pt_noise_init_for(PtNoise *noise, const char *seed, const PtNoiseNeed *need, GError **error);
/* PT_ERR_UNSUPPORTED: something that may hold learned values or names and that noise cannot stand
 * for; the sentence says what. PT_ERR_INPUT: a cycle, a constant without data. */
PtGraph *pt_scrub(const PtGraph *graph, const PtNoise *noise, PtRng *rng, GArray **source,
                  GError **error);

/* keeps[value id]: the constant goes out as it is; false for weights and for what is no constant.
 * Caller frees. */
bool *pt_scrub_keeps(const PtGraph *graph);
/* Adds to `to` the opset imports that the nodes of `from` need, nested graphs included. */
void pt_scrub_opsets(const PtGraph *from, PtGraph *to);

/* ---- formats ------------------------------------------------------------------------------------
 */
typedef struct PtCandidate {
  char *id, *file, *sha256;
} PtCandidate;
typedef struct PtManifest {
  PtNoise noise;
  GPtrArray *candidates; /* PtCandidate, sorted by id */
} PtManifest;
PtManifest *pt_manifest_new(void);
void pt_manifest_free(PtManifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtManifest, pt_manifest_free)
/* Ids are 32 random hex digits. */
void pt_manifest_add(PtManifest *manifest, const char *id, const char *sha256);
bool pt_manifest_write(const PtManifest *manifest, const char *folder, GError **error);
/* Hostile input: limits, ids are hex only, files are "<id>.onnx". PT_ERR_IO: not there;
 * PT_ERR_MISMATCH: another version or format; PT_ERR_LIMIT; PT_ERR_INPUT: anything else amiss. */
PtManifest *pt_manifest_read(const char *folder, GError **error);

/* A weight of a member: where candidate's constant came from. */
typedef struct PtSecretWeight {
  char *name;      /* the candidate's initializer */
  char *original;  /* the model's value name (after reading: lifted constants included) */
  uint64_t offset; /* bytes in noise.bin */
  uint64_t size;   /* bytes */
  char *reader; /* a value of the model made by the node that reads it; NULL: not told. Tells apart
                   the candidate's constants that stand for one weight of the model */
} PtSecretWeight;
typedef struct PtMember {
  GArray *nodes;      /* uint32_t: node indices of the model as read */
  GPtrArray *inputs;  /* char*: the model's value names, in the order of the candidate's inputs */
  GPtrArray *outputs; /* char* */
  GPtrArray *weights; /* PtSecretWeight */
} PtMember;
typedef struct PtSecretBucket {
  char *real;
  GPtrArray *candidates; /* char* ids, sorted, real among them */
  char *kept; /* why this piece was not sent (it stays as it is; real is an id that no file has), or
                 NULL */
  GPtrArray *members; /* PtMember, at least one */
} PtSecretBucket;
typedef struct PtSecret {
  char *model_sha256;
  char noise_seed[33];
  uint64_t floats, halves, brains, doubles;
  bool folded; /* the model's known sizes were folded (pt_runtime_fold) before nodes were counted */
  GPtrArray *buckets; /* PtSecretBucket */
} PtSecret;
PtSecret *pt_secret_new(void);
void pt_secret_free(PtSecret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtSecret, pt_secret_free)
PtMember *pt_member_new(void);
void pt_member_free(PtMember *member);
void pt_member_add_weight(PtMember *member, const char *name, const char *original, uint64_t offset,
                          uint64_t size, const char *reader);
PtSecretBucket *pt_secret_bucket_new(void);
/* 0600 from its first byte on, atomic. PT_ERR_UNSUPPORTED: a name of the model is not UTF-8. */
bool pt_secret_write(const PtSecret *secret, const char *path, GError **error);
/* PT_ERR_IO: not there; PT_ERR_MISMATCH: another version or format; PT_ERR_INPUT: anything else
 * amiss. */
PtSecret *pt_secret_read(const char *path, GError **error);

#endif
