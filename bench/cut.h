/* cut: the distinct pieces of a model, as obfuscate cuts it; for benches of the generator. */
#ifndef PT_BENCH_CUT_H
#define PT_BENCH_CUT_H

#include "graph/graph.h"

/* n pieces, 0: as many as suit. PtGraph, owned, with types; skeletons will do. */
GPtrArray *pt_bench_cut(const char *path, uint32_t n, const char *seed_text, GError **error);

#endif
