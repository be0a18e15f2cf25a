#include "cut.h"

#include "onnx/onnx.h"
#include "partition/partition.h"
#include "runtime/runtime.h"

GPtrArray *pt_bench_cut(const char *path, uint32_t n, const char *seed_text, GError **error) {
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_MAP, .allow_empty = true};
  g_autoptr(PtGraph) g = pt_onnx_read(path, &options, error);
  if (!g || !pt_runtime_infer_types(g, error) || !pt_runtime_fold(g, error))
    return NULL;
  PtSeed seed;
  pt_seed_init(&seed, seed_text);
  PtPartitionOptions how = {.n = n};
  g_autoptr(PtPartition) parts = pt_partition(g, &how, &seed, error);
  return parts ? pt_partition_distinct(g, parts) : NULL;
}
