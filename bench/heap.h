/* heap: a bundle as its owner sees it: buckets of graphs with the real one known. For the programs
 * that compare real pieces with sentinels. */
#ifndef PT_BENCH_HEAP_H
#define PT_BENCH_HEAP_H

#include "bundle/bundle.h"
#include "proteus/proteus.h"

typedef struct PtHeapBucket {
  GPtrArray *graphs; /* PtGraph as sent, noise mapped; the real one first */
  GPtrArray *ids;    /* char*, likewise */
} PtHeapBucket;

typedef struct PtHeap {
  char *folder; /* temporary: removed by pt_heap_free */
  char *bundle, *secret, *model;
  GPtrArray *buckets; /* PtHeapBucket of what was sent */
  PtNoise noise;
  PtObfuscateReport report;
} PtHeap;

/* Fills a skeleton, obfuscates it, reads what came of it. Of options only n, k, seed, mode, threads
 * count. */
PtHeap *pt_heap_new(const char *model, const PtObfuscateOptions *options, GError **error);
void pt_heap_free(PtHeap *heap);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtHeap, pt_heap_free)

/* The command line of these programs: models, `own` options, and -k, -n, -m and -s into `options`,
 * which has the defaults and keeps the texts until the process ends. Loads ONNX Runtime. False: why
 * has been said. */
bool pt_heap_arguments(int *argc, char ***argv, const char *models, const GOptionEntry *own,
                       PtObfuscateOptions *options);

/* Size of the file of a candidate, bytes. */
uint64_t pt_heap_file_size(const PtHeap *heap, const char *id);

#endif
