/* file: the room's work on files, for the public API: a skeleton in, a model out. */
#include "fill/fill.h"
#include "onnx/onnx.h"
#include "proteus/proteus.h"

bool pt_fill_file(const char *skeleton, const char *out, const char *seed, unsigned threads,
                  GError **error) {
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_MAP, .allow_empty = true};
  g_autoptr(PtGraph) graph = pt_onnx_read(skeleton, &options, error);
  if (!graph)
    return false;
  PtSeed from;
  pt_seed_init(&from, seed);
  return pt_fill(graph, &from, threads, error) && pt_onnx_write(graph, out, NULL, error);
}
