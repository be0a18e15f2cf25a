/* What plan.c decides for each empty constant and stream.c carries out. */
#ifndef PT_FILL_PRIVATE_H
#define PT_FILL_PRIVATE_H

#include "graph/graph.h"

/* Uniform in [center - spread, center + spread). */
typedef struct PtFillPlan {
  float center, spread;
} PtFillPlan;

/* plan[value id] of every empty constant; the rest zero. Caller frees with g_free. */
PtFillPlan *pt_fill_plan(PtGraph *graph);

/* Elements [first, first + count) of a tensor of `dtype` from the stream `key`; the same bytes
 * however it is cut. */
void pt_fill_block(PtDtype dtype, uint64_t key, PtFillPlan plan, size_t first, size_t count,
                   void *out);

#endif
