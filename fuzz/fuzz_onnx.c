/* libFuzzer: whatever the bytes, reading them ends with a sound graph or a sentence. Run as
 *   meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined  (with CC=clang)
 *   build-fuzz/fuzz/fuzz-onnx -max_len=20000 SEEDS corpus/ */
#include "onnx/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const PtOnnxReadOptions options = {.allow_empty = true,
                                            .external = PT_EXTERNAL_NAMED,
                                            .external_name = "noise.bin",
                                            .max_nodes = 5000};
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = g_bytes_new(data, size);
  g_autoptr(PtGraph) graph = pt_onnx_read_bytes(bytes, "fuzz", NULL, &options, &error);
  if (!graph) {
    if (!error || error->code == PT_ERR_INTERNAL)
      g_error("%s", error ? error->message : "no error is set");
    return 0;
  }
  g_autoptr(GBytes) written = pt_onnx_write_bytes(graph, NULL, NULL, &error);
  if (!written)
    g_error("%s", error->message);
  g_autoptr(PtGraph) again = pt_onnx_read_bytes(written, "again", NULL, &options, &error);
  if (!again && error->code != PT_ERR_LIMIT)
    g_error("%s", error->message);
  return 0;
}
