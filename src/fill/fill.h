/* fill: seeded weights for a skeleton, a model whose large float initializers carry no data.
 * In: a graph with empty tensors, a seed.  Out: the same graph with data, such that activations
 * stay finite. Never touches: files. */
#ifndef PT_FILL_H
#define PT_FILL_H

#include "graph/graph.h"

#define PT_FILL_ERROR (pt_fill_error_quark())
GQuark pt_fill_error_quark(void);

/* Gives every empty float tensor its data: fan-in scaled for Conv, Gemm, MatMul, recurrent;
 * positive for variances and whatever else must be; scales near 1; roles traced through Expand,
 * CastLike, Identity and the like. */
bool pt_fill(PtGraph *graph, const PtSeed *seed, unsigned threads, GError **error);

#endif
