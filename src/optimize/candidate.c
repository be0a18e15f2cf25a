/* One candidate: checked, optimized, explained, written. */
#include "optimize/optimize_private.h"

#include "onnx/onnx.h"
#include "rebind/rebind.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <utime.h>

/* The modification time that a worker's noise.bin is given. */
#define NOISE_TIME 1000000000

static const PtOnnxReadOptions SENT = {.external = PT_EXTERNAL_NAMED,
                                       .external_name = PT_NOISE_FILE};

bool pt_optimize_is_done(const PtOptimizeRun *run, const PtCandidate *candidate) {
  g_autofree char *path = g_build_filename(run->out, candidate->file, NULL);
  if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
    return false;
  g_autoptr(PtGraph) graph = pt_onnx_read(path, &SENT, NULL);
  return graph != NULL;
}

static bool check_hash(const char *path, const PtCandidate *candidate, GError **error) {
  g_autofree char *sha256 = pt_sha256_file(path, error);
  if (!sha256)
    return false;
  if (g_ascii_strcasecmp(sha256, candidate->sha256) == 0)
    return true;
  g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_MISMATCH,
              "%s is not the file that the manifest lists (sha256 differs): get the bundle again",
              path);
  return false;
}

static bool run_ort(const PtOptimizeRun *run, const char *in, const char *out, GError **error) {
  g_autoptr(PtGraph) graph = pt_onnx_read(in, NULL, error); /* noise mapped from beside it */
  if (!graph)
    return false;
  PtSessionOptions options = {
      .level = run->level, .native = run->native, .save_path = out, .threads = 1};
  PtSession *session = pt_session_new(graph, &options, error);
  pt_session_free(session);
  return session != NULL;
}

/* Makes the worker's noise.bin as it was, if a tool wrote to it or removed it. */
static bool refresh_noise(const PtOptimizeRun *run, const char *scratch, GError **error) {
  g_autofree char *path = g_build_filename(scratch, PT_NOISE_FILE, NULL);
  struct stat st;
  if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtime == NOISE_TIME &&
      (uint64_t)st.st_size == pt_noise_file_size(run->noise))
    return true;
  pt_dir_remove(path);
  if (!pt_noise_write(run->noise, path, 1, error))
    return false;
  struct utimbuf then = {NOISE_TIME, NOISE_TIME}; /* writing to it shows */
  g_utime(path, &then);
  g_chmod(path, 0444);
  return true;
}

static void clear_scratch(const char *scratch) {
  g_autoptr(GPtrArray) names = pt_dir_list(scratch, NULL, NULL);
  for (guint i = 0; names && i < names->len; i++) {
    const char *name = g_ptr_array_index(names, i);
    if (g_str_equal(name, PT_NOISE_FILE))
      continue;
    g_autofree char *path = g_build_filename(scratch, name, NULL);
    pt_dir_remove(path);
  }
}

/* Copies the candidate into the scratch folder, so that a tool that writes beside its input harms
 * nothing. */
static bool run_outside(const PtOptimizeRun *run, const char *in, const char *scratch,
                        const char *out, GError **error) {
  if (!refresh_noise(run, scratch, error))
    return false;
  g_autoptr(GBytes) bytes = pt_file_map(in, 0, error);
  if (!bytes)
    return false;
  g_autofree char *copy = g_build_filename(scratch, "in.onnx", NULL);
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  /* the answer may refer to noise.bin, which has to be what it was */
  return pt_file_write(copy, 0644, data, size, error) &&
         pt_outside_run(run->command, copy, out, run->timeout, error) &&
         refresh_noise(run, scratch, error);
}

bool pt_optimize_candidate(const PtOptimizeRun *run, const PtCandidate *candidate,
                           const char *scratch, uint64_t *bytes, GError **error) {
  g_autofree char *in = g_build_filename(run->bundle, candidate->file, NULL);
  if (!check_hash(in, candidate, error))
    return false;
  g_autoptr(PtGraph) sent = pt_onnx_read(in, &SENT, error);
  if (!sent)
    return false;
  clear_scratch(scratch);
  g_autofree char *temporary = g_build_filename(scratch, "out.onnx", NULL);
  bool ok = run->command ? run_outside(run, in, scratch, temporary, error)
                         : run_ort(run, in, temporary, error);
  if (!ok)
    return false;
  PtOnnxReadOptions back = {
      .external = PT_EXTERNAL_MAP,
      .max_nodes = MAX(PT_ANSWER_NODES_FLOOR, PT_ANSWER_NODES_FACTOR * pt_graph_n_nodes(sent))};
  g_autoptr(PtGraph) answer = pt_onnx_read(temporary, &back, error);
  if (!answer)
    return false;
  clear_scratch(
      scratch); /* mapped files stay readable; the disk is free again once they are unmapped */
  if (!pt_rebind_explain(answer, sent, run->noise, error))
    return false;
  g_autofree char *out = g_build_filename(run->out, candidate->file, NULL);
  if (!pt_onnx_write(answer, out, &(PtOnnxWriteOptions){.producer = "proteus"}, error))
    return false;
  struct stat st;
  *bytes = stat(out, &st) == 0 ? (uint64_t)st.st_size : 0;
  return true;
}
