/* What the tests of this room share: a model's distinct pieces, and every check on a sentinel. */
#ifndef PT_TEST_SENTINEL_H
#define PT_TEST_SENTINEL_H

#include "onnx/onnx.h"
#include "partition/partition.h"
#include "runtime/runtime.h"
#include "sentinel/sentinel_private.h"

/* Distinct pieces of a corpus model, as graphs with types and without data. Caller unrefs. */
GPtrArray *test_pieces(const char *model, uint32_t n);
/* Interface equal, invariants hold, no weight's value inside, opsets the model's. */
void test_sentinel(PtGraph *sentinel, PtGraph *real, const char *what);
/* No two alike, none like the real piece. */
void test_distinct(GPtrArray *sentinels, PtGraph *real);
/* Weights made up: ONNX Runtime loads it at `level` and, if `run` and with static shapes, runs it.
 */
void test_sentinel_runs(PtGraph *sentinel, PtLevel level, bool run, const char *what);
/* Loads with full optimization: false where ONNX Runtime's own optimizer breaks it (half-made
 * normalizations); the trial keeps these out of a bundle. */
bool test_sentinel_optimizes(PtGraph *sentinel);

#endif
