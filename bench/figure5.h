/* Between figure5*.c. */
#ifndef PT_BENCH_FIGURE5_H
#define PT_BENCH_FIGURE5_H

#include "topology/topology.h"

#define PATHS 3 /* nodes of the longest */
enum { M_PATH1 = PT_N_FEATURES, N_MEASURES = PT_N_FEATURES + PATHS };

/* Of pieces that are real, or not. */
typedef struct Sample {
  GArray *x[PT_N_FEATURES]; /* double, one a piece */
  GArray *paths[PATHS];     /* double by number of the path; a piece counts once, however long */
} Sample;

typedef struct Row {
  char *name;
  Sample sample[2]; /* sentinels, real */
  double distance[N_MEASURES];
  uint32_t buckets, missing, walked, modified;
} Row;
Row *row_new(const char *name);
void row_free(void *row);
void row_add(Row *to, const Row *from);
/* The Kolmogorov-Smirnov distances; sorts the samples. */
void row_measure(Row *row);
const char *measure_name(int m);

uint32_t path_id(const char *text);
/* NULL: there are no so many. */
const char *path_text(uint32_t id);
void paths_free(void);
typedef struct Rank {
  double weight[2]; /* sentinels, real: shares */
} Rank;
/* Each path, the most frequent first; caller frees. */
Rank *ranks_of(const Row *row, int length, guint *n);

/* What was measured of a model, to be summed later. */
bool row_write(const Row *row, const char *path, GError **error);
Row *row_read(const char *path, GError **error);

bool plot_write(const Row *all, const char *path, GError **error);

#endif
