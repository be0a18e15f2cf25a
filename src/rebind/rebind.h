/* rebind: puts real weights into an optimized piece.
 * In: an optimized candidate whose constants were computed from noise.  Out: each of them as a
 * small expression over the candidate's own weights, verified element by element; and that
 * expression's value on the real weights. Hypothesize, then verify every element; never guess. An
 * expression is a subgraph of standard ONNX nodes over slices of noise.bin, so the answer stays a
 * valid model. Never touches: files, secrets. */
#ifndef PT_REBIND_H
#define PT_REBIND_H

#include "bundle/bundle.h"
#include "graph/graph.h"

#define PT_REBIND_ERROR (pt_rebind_error_quark())
GQuark pt_rebind_error_quark(void);

/* Replaces every weight-like constant of `optimized` that has data by derivation nodes over
 * external slices of noise.bin. `candidate`: the piece as it was sent. PT_ERR_REFUSED names the
 * first constant that nothing explains, also an external one that is no slice of the candidate's
 * weights. Derivation nodes come first and are named pt_rebind_0, ...; `optimized` is compacted. On
 * failure it may not be used any more. Cost: a few passes over the constants, with all cores where
 * they are large; memory: about twice the largest constant. */
bool pt_rebind_explain(PtGraph *optimized, const PtGraph *candidate, const PtNoise *noise,
                       GError **error);

/* One weight of the original piece: bytes [offset, offset + size) of noise.bin stand for `tensor`.
 */
typedef struct PtBinding {
  uint64_t offset;
  const PtTensor *tensor;
} PtBinding;
/* Replaces slices of noise.bin by the real tensors (views or copies), then evaluates the derivation
 * nodes; the result has only ordinary constants. Real data is referenced where it can be; evaluated
 * data is owned by `optimized`. Only nodes named pt_rebind_... are evaluated. Hostile input: slices
 * outside the bindings or of another type, operators that are not for derivations, results over 16
 * times their inputs and a million elements are PT_ERR_REFUSED. threads 0: all cores. */
bool pt_rebind_bind(PtGraph *optimized, const PtBinding *bindings, size_t count, unsigned threads,
                    GError **error);

#endif
