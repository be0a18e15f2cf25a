/* planted.h: made-up models whose pieces have, or have not, a weakness. */
#ifndef PT_TEST_PLANTED_H
#define PT_TEST_PLANTED_H

#include "audit/audit_private.h"

#define GENES 16
/* A piece as a list: each operator reads the one before, joins also one of those before that. */
typedef struct Gene {
  uint8_t op, kernel, width, back;
} Gene;
typedef struct Piece {
  uint32_t n;
  Gene genes[GENES];
} Piece;
enum { CONV, NORM, RELU, SIGMOID, TANH, SWISH, ADD, MUL, OPS };

/* Drawn from habits: what follows what. 0: as public models do; others: another activation. */
Piece planted_piece(PtRng *rng, uint32_t style);
/* Any operator after any. */
Piece planted_noise(PtRng *rng, uint32_t n);
Piece planted_edit(const Piece *piece, PtRng *rng, uint32_t edits);
/* With types; weights without data. prefix: of the names, NULL: none. */
PtGraph *planted_graph(const Piece *piece, const char *prefix);
/* A bucket in random order, the first of the pieces the real one. files: prefix of the real one's
 * names, or NULL: no files; "" : files alike. */
#define PLANTED_LONGER                                                                             \
  "longer" /* as files: names alike, but the real one's file has a note more                       \
            */
void planted_bucket(PtCase *target, const Piece *pieces, uint32_t n, PtRng *rng, const char *files);

#endif
