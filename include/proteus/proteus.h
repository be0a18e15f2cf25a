/* proteus.h: the public C API; what the command line uses.
 * All strings are UTF-8 paths or names, borrowed for the call. Functions return false (or NULL) and
 * set *error. Error codes: PtErrorCode in base/base.h, any domain. Reports are plain values; those
 * with pointers have a _clear. */
#ifndef PROTEUS_H
#define PROTEUS_H

#include "proteus/progress.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define PROTEUS_VERSION "0.1.0"

/* ---- obfuscate ----------------------------------------------------------------------------------
 */
typedef struct PtObfuscateOptions {
  const char *model;  /* .onnx */
  const char *bundle; /* folder to make; must not exist or be empty */
  const char *secret; /* file to write, 0600 */
  uint32_t n;         /* pieces, 0: auto */
  uint32_t k;         /* sentinels a bucket */
  const char *seed;   /* NULL: the system's random source. Who knows it can tell the real pieces */
  const char *mode;   /* NULL: the default; "modify", "walk", "generate", "random" */
  const char *corpus; /* NULL: the shipped one */
  uint32_t steps;     /* r, of mode walk: from the real piece to the hidden centre, and from there;
                         0: the default */
  bool plain;         /* the paper's partition, for comparison */
  unsigned threads;   /* 0: all */
  PtProgress progress;
} PtObfuscateOptions;
typedef struct PtObfuscateReport {
  uint32_t nodes, pieces, buckets, candidates,
      missing;               /* missing: sentinels that could not be made */
  uint32_t walked, modified; /* sentinels by the walk, by modify, as the mode did not find enough */
  uint32_t smallest, largest; /* nodes a piece */
  uint64_t bundle_bytes, noise_bytes;
  double search_space_log10; /* log10 of the product of bucket sizes over distinct buckets */
  double seconds;
} PtObfuscateReport;
bool pt_obfuscate(const PtObfuscateOptions *options, PtObfuscateReport *report, GError **error);

/* ---- optimize -----------------------------------------------------------------------------------
 */
typedef struct PtOptimizeOptions {
  const char *bundle;
  const char *out;
  const char *with;       /* NULL or "ort"; else a command with {in} and {out} */
  const char *level;      /* "basic", "extended", "all"; NULL: all */
  const char *target;     /* "portable", "native"; NULL: portable */
  unsigned jobs;          /* 0: all cores */
  uint32_t shard, shards; /* shards 0: no sharding; else shard in 1..shards */
  bool resume;
  double timeout; /* seconds a candidate for outside programs; 0: 600 */
  PtProgress progress;
} PtOptimizeOptions;
typedef struct PtFailure {
  char *id, *why;
} PtFailure;
typedef struct PtOptimizeReport {
  uint32_t candidates, done, skipped, failed;
  uint64_t bytes;
  double seconds;
  GPtrArray *failures; /* PtFailure, owned */
} PtOptimizeReport;
bool pt_optimize(const PtOptimizeOptions *options, PtOptimizeReport *report, GError **error);
void pt_optimize_report_clear(PtOptimizeReport *report);

/* ---- deobfuscate --------------------------------------------------------------------------------
 */
typedef struct PtDeobfuscateOptions {
  const char *optimized; /* folder */
  const char *secret;
  const char *model;
  const char *out;
  const char *allow_domains; /* comma-separated additions to the known domains, or NULL */
  double tolerance;          /* relative; 0: 1e-4 */
  bool no_seams;             /* leave reorders at seams, for comparison */
  unsigned threads;
  PtProgress progress;
} PtDeobfuscateOptions;
typedef struct PtFallback {
  uint32_t piece;   /* index in topological order */
  uint32_t members; /* how many places of the model */
  char *id, *why;
} PtFallback;
typedef struct PtDeobfuscateReport {
  uint32_t pieces, optimized, nodes_before, nodes_after;
  uint32_t seams_cancelled, seams_pushed, seams_folded;
  double difference; /* largest relative difference of the model's outputs */
  double seconds;
  GPtrArray *fallbacks; /* PtFallback, owned */
} PtDeobfuscateReport;
bool pt_deobfuscate(const PtDeobfuscateOptions *options, PtDeobfuscateReport *report,
                    GError **error);
void pt_deobfuscate_report_clear(PtDeobfuscateReport *report);

/* ---- verify, bench, fill, inspect
 * ---------------------------------------------------------------- */
typedef struct PtVerifyReport {
  uint32_t runs, outputs;
  double difference; /* largest relative */
  double tolerance;  /* what was called equal */
  char *worst;       /* output's name, owned */
  bool equal;
} PtVerifyReport;
/* Same inputs and outputs, same values on `runs` seeded inputs (0: 3) within tolerance (0:
 * 1e-4, or what rounding allows where the first model computes in coarser formats than float32).
 * Differing interfaces are not equal; *worst says how. */
bool pt_verify(const char *a, const char *b, uint32_t runs, const char *seed, double tolerance,
               PtVerifyReport *report, GError **error);
void pt_verify_report_clear(PtVerifyReport *report);

typedef struct PtBenchOptions {
  const char *model;
  const char *result;  /* or NULL */
  uint32_t iterations; /* 0: 500 */
  uint32_t loads;      /* sessions of each, interleaved; 0: 1 */
  const char *level;   /* of best attainable; NULL: all */
  const char *target;  /* NULL: portable */
  bool twice;          /* a second copy of best attainable, to show the noise */
  unsigned threads;    /* intra-op; 0: 1 */
  PtProgress progress;
} PtBenchOptions;
typedef struct PtBenchRow {
  char *name;       /* "unoptimized", "best attainable", "best attainable (again)", "proteus" */
  double mean;      /* geometric mean, seconds */
  double low, high; /* 10th and 90th percentile */
  uint32_t nodes;
  GPtrArray *histogram; /* char* "Conv 53", sorted by count, owned */
} PtBenchRow;
typedef struct PtBenchReport {
  GPtrArray *rows; /* PtBenchRow */
  double slowdown; /* proteus / best attainable - 1; NAN without a result */
  double noise;    /* again / best attainable - 1; NAN without */
} PtBenchReport;
bool pt_bench(const PtBenchOptions *options, PtBenchReport *report, GError **error);
void pt_bench_report_clear(PtBenchReport *report);

bool pt_fill_file(const char *skeleton, const char *out, const char *seed, unsigned threads,
                  GError **error);

/* What is in a model, bundle, or folder of answers, for a person; caller frees. json: as JSON text.
 */
char *pt_inspect(const char *path, bool json, GError **error);

/* A picture of a bucket, real piece and sentinels side by side, drawn by Graphviz's program dot. */
typedef struct PtDrawOptions {
  const char *bundle, *secret;
  const char *out; /* .svg: one bucket; .html: a page of all; .dot: one bucket, needs no Graphviz */
  uint32_t bucket; /* 1 and up, in the secret's order; 0: all, or the first */
  uint32_t most;   /* candidates to show, the real one among them; 0: all */
  bool blind;      /* by id, the real one not marked (in .html a box shows it) */
} PtDrawOptions;
typedef struct PtDrawReport {
  uint32_t buckets, candidates; /* drawn */
} PtDrawReport;
bool pt_draw_sentinels(const PtDrawOptions *options, PtDrawReport *report, GError **error);

#endif
