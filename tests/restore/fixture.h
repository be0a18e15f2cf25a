/* A model of three pieces made by hand, its secret, and answers that are the candidates themselves.
 */
#ifndef PT_TEST_RESTORE_FIXTURE_H
#define PT_TEST_RESTORE_FIXTURE_H

#include "onnx/onnx.h"
#include "restore/restore_private.h"

#define PIECES 3
#define WEIGHT_FLOATS (4 * 4 * 3 * 3)

typedef struct Fixture {
  char *folder, *model, *secret, *answers, *out;
  PtSecret *kept;
  PtNoise noise;
  char *ids[PIECES];
} Fixture;

void fixture_init(Fixture *f);
void fixture_clear(Fixture *f);
char *fixture_answer(const Fixture *f, uint32_t piece);       /* its path */
PtGraph *fixture_candidate(const Fixture *f, uint32_t piece); /* as it was sent */
void fixture_write_answer(const Fixture *f, uint32_t piece, const PtGraph *graph);
/* Every answer as it was sent. */
void fixture_fill(const Fixture *f);
/* The same in operators that mean something only up to version 12 of the operator set. */
void fixture_make_old(PtGraph *graph);
bool fixture_restore(const Fixture *f, PtDeobfuscateReport *report, GError **error);

#endif
