/* train.h: the steps that make the generator, and their record. Private to `proteus train`. */
#ifndef PT_CLI_TRAIN_H
#define PT_CLI_TRAIN_H

#include "cli/cli.h"

typedef struct PtTrain {
  const char *corpus, *out, *seed;
  const char *const *exclude; /* NULL-terminated, or NULL */
  uint32_t epochs;            /* 0: the default */
  unsigned threads;
  bool resume;
  PtProgress progress;
  /* results */
  uint32_t models, pieces;
  GArray *learned;  /* PtTopologyEpoch, one an epoch of GraphRNN */
  GArray *rounds;   /* PtWalkRound, one a round of pi's fit; seconds are 0 after a resumption */
  GPtrArray *files; /* char*: names of the files in `out` */
  uint32_t resumed; /* files that were there already */
} PtTrain;
void pt_train_clear(PtTrain *train);

/* Makes pieces.bin, topology.bin and walk.bin in the folder `out`, and train.json, which says from
 * what. With `resume` goes on where an earlier call with the same corpus, seed and exclusions was
 * stopped, and gives the same bytes; PT_ERR_MISMATCH if it was another. */
bool pt_train_run(PtTrain *train, GError **error);

/* Values as a line of blocks, lowest to highest, at most `width` wide; caller frees. */
char *pt_train_sparkline(const double *values, uint32_t count, uint32_t width);
/* The curves as loss.svg in `out`. */
bool pt_train_draw(const PtTrain *train, GError **error);

#endif
