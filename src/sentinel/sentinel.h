/* sentinel: makes a bucket from a piece: k look-alikes with the piece's interface (paper 4.1.2).
 * In: a real piece (a graph with types), the corpus of public pieces, the model's other pieces.
 * Out: k distinct, valid, typed graphs that run. Modes: modify (paper's minor modifications), walk,
 * generate and random (paper's generator and its baseline). Never touches: weights' values, files
 * but the corpus. */
#ifndef PT_SENTINEL_H
#define PT_SENTINEL_H

#include "graph/graph.h"

#define PT_SENTINEL_ERROR (pt_sentinel_error_quark())
GQuark pt_sentinel_error_quark(void);

/* Pieces of public models, typed, without weights (constants have dtype and shape; those that steer
 * have data). */
typedef struct PtCorpus PtCorpus;
/* NULL path: the one shipped (found as data files are: PROTEUS_DATA, beside the build, installed).
 */
PtCorpus *pt_corpus_open(const char *path, GError **error);
void pt_corpus_free(PtCorpus *corpus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtCorpus, pt_corpus_free)
uint32_t pt_corpus_size(const PtCorpus *corpus);
/* Read and kept on first use; owned by the corpus; thread-safe. */
PtGraph *pt_corpus_piece(PtCorpus *corpus, uint32_t i, GError **error);
/* PtTopology of each piece, for pt_topology_train. Caller frees. */
GPtrArray *pt_corpus_topologies(PtCorpus *corpus, GError **error);
/* Makes the file from a folder of ONNX models (skeletons will do), but for those in `exclude`:
 * names without ".onnx", NULL-terminated, or NULL. */
bool pt_corpus_build(const char *folder, const char *const *exclude, const char *path,
                     unsigned threads, const PtProgress *progress, GError **error);

typedef enum { PT_MODE_MODIFY, PT_MODE_WALK, PT_MODE_GENERATE, PT_MODE_RANDOM } PtSentinelMode;

/* Appends k graphs (PtGraph, owned) to `out`. siblings: the model's other distinct real pieces.
 * Fewer than k possible: fills as many as exist and says so in *made; never an invalid or duplicate
 * one. Deterministic in rng. */
bool pt_sentinel_make(PtSentinelMode mode, PtGraph *real, GPtrArray *siblings, PtCorpus *corpus,
                      uint32_t k, PtRng *rng, GPtrArray *out, uint32_t *made, GError **error);

/* ---- mode walk: all buckets of a model at once, as their style is that of all its pieces ------
 */
typedef struct PtSentinelWalk PtSentinelWalk;
/* reals: PtGraph, borrowed. path: the trained file, NULL: the one shipped. steps: r, 0: the
 * default.
 */
PtSentinelWalk *pt_sentinel_walk_new(GPtrArray *reals, const char *path, uint32_t k, uint32_t steps,
                                     const PtSeed *seed, unsigned threads,
                                     const PtProgress *progress, GError **error);
void pt_sentinel_walk_free(PtSentinelWalk *walk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtSentinelWalk, pt_sentinel_walk_free)
/* The real piece i by the hands that write its sentinels; origin[value id]: its value in the piece
 * as given, PT_NONE where new; caller frees. NULL: it cannot be walked and goes out as it is. */
PtGraph *pt_sentinel_walk_real(const PtSentinelWalk *walk, uint32_t i, PtValueId **origin);
/* Any piece by the same hands, or NULL; not beside other calls. */
PtGraph *pt_sentinel_walk_normal(const PtSentinelWalk *walk, PtGraph *piece);
/* As pt_sentinel_make, but fewer than k where the piece leaves little room, none where it cannot be
 * walked: the caller fills up with another mode. Thread-safe for different i. */
bool pt_sentinel_walk_make(const PtSentinelWalk *walk, uint32_t i, GPtrArray *out, uint32_t *made,
                           GError **error);

/* ---- modes generate and random: the paper's generator, all buckets of a model at once ---------
 */
typedef struct PtSentinelGenerator PtSentinelGenerator;
/* k a piece, and up to `spare` more where they cost little. mode: PT_MODE_GENERATE or
 * PT_MODE_RANDOM. PT_ERR_ENVIRONMENT: a trained file is missing. The same seed gives the same,
 * whatever the number of threads. */
PtSentinelGenerator *pt_sentinel_generator_new(PtSentinelMode mode, GPtrArray *reals, uint32_t k,
                                               uint32_t spare, const PtSeed *seed, unsigned threads,
                                               const PtProgress *progress, GError **error);
void pt_sentinel_generator_free(PtSentinelGenerator *generator);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtSentinelGenerator, pt_sentinel_generator_free)
/* As pt_sentinel_walk_real. */
PtGraph *pt_sentinel_generator_real(const PtSentinelGenerator *generator, uint32_t i,
                                    PtValueId **origin);
/* As pt_sentinel_walk_normal. */
PtGraph *pt_sentinel_generator_normal(const PtSentinelGenerator *generator, PtGraph *piece);
/* As pt_sentinel_walk_make, once; *walked of those made, the last ones, are the walk's, as the
 * generator found fewer than k. Thread-safe for different i. */
bool pt_sentinel_generator_make(PtSentinelGenerator *generator, uint32_t i, GPtrArray *out,
                                uint32_t *made, uint32_t *walked, GError **error);
/* Afterwards: up to `count` others, in place of some that were of no use. */
void pt_sentinel_generator_more(PtSentinelGenerator *generator, uint32_t i, uint32_t count,
                                GPtrArray *out);

/* Two candidates are the same to a reader if they have the same: operators, attributes, wiring,
 * shapes, and the constants that stay. */
uint64_t pt_sentinel_hash(const PtGraph *graph);

#endif
