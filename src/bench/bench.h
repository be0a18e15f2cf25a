/* bench: how fast a result is, against the unoptimized model and the best attainable (pt_bench in
 * proteus.h). In: two model files.  Out: geometric means of interleaved runs, operator histograms.
 * Everything is loaded with optimizations off, so that only what the files contain counts.
 * Never touches: bundles, secrets. */
#ifndef PT_BENCH_H
#define PT_BENCH_H

#include "proteus/proteus.h"
#include "runtime/runtime.h"

#define PT_BENCH_ERROR (pt_bench_error_quark())
GQuark pt_bench_error_quark(void);

#endif
