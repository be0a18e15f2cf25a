/* pt_optimize: every candidate of a bundle through one tool, in parallel. */
#include "optimize/optimize_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

G_DEFINE_QUARK(pt - optimize - error - quark, pt_optimize_error)

#define DEFAULT_TIMEOUT 600.0
#define NOISE_SAMPLES 64
#define NOISE_SAMPLE_BYTES 16

typedef struct Work {
  PtOptimizeRun run;
  const PtOptimizeOptions *options;
  PtOptimizeReport *report;
  GPtrArray *todo;        /* PtCandidate, borrowed */
  GAsyncQueue *scratches; /* char* folders, one a worker */
  GMutex lock;            /* report, progress */
} Work;

static void failure_free(void *data) {
  PtFailure *failure = data;
  g_free(failure->id);
  g_free(failure->why);
  g_free(failure);
}

void pt_optimize_report_clear(PtOptimizeReport *report) {
  g_clear_pointer(&report->failures, g_ptr_array_unref);
  memset(report, 0, sizeof *report);
}

static void one(size_t index, void *data) {
  Work *work = data;
  const PtCandidate *candidate = g_ptr_array_index(work->todo, index);
  bool skip = work->options->resume && pt_optimize_is_done(&work->run, candidate);
  uint64_t bytes = 0;
  g_autoptr(GError) why = NULL;
  bool ok = true;
  if (!skip) {
    char *scratch = g_async_queue_pop(work->scratches);
    ok = pt_optimize_candidate(&work->run, candidate, scratch, &bytes, &why);
    g_async_queue_push(work->scratches, scratch);
  }
  g_mutex_lock(&work->lock);
  PtOptimizeReport *report = work->report;
  if (skip)
    report->skipped++;
  else if (ok)
    report->done++;
  else {
    PtFailure *failure = g_new0(PtFailure, 1);
    failure->id = g_strdup(candidate->id);
    failure->why = g_strdup(why ? why->message : "no reason was given");
    g_ptr_array_add(report->failures, failure);
    report->failed++;
  }
  report->bytes += bytes;
  pt_progress(&work->options->progress, "optimizing",
              report->done + report->skipped + report->failed, work->todo->len);
  g_mutex_unlock(&work->lock);
}

static gint by_id(gconstpointer a, gconstpointer b) {
  const PtFailure *x = *(PtFailure *const *)a, *y = *(PtFailure *const *)b;
  return strcmp(x->id, y->id);
}

static bool usage(GError **error, const char *message, const char *value) {
  g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_USAGE, message, value);
  return false;
}

/* Level, target and command out of the options. */
static bool read_options(const PtOptimizeOptions *options, PtOptimizeRun *run, PtTarget *target,
                         GError **error) {
  run->bundle = options->bundle;
  run->out = options->out;
  run->timeout = options->timeout > 0 ? options->timeout : DEFAULT_TIMEOUT;
  if (!options->bundle || !options->out)
    return usage(error, "optimize needs a bundle and a folder for the answers%s", "");
  if (options->shards && (options->shard < 1 || options->shard > options->shards))
    return usage(error, "a shard is I/N with I from 1 to N%s", "");
  if (options->with && !g_str_equal(options->with, "ort")) {
    target->with = g_strdup(options->with);
    run->command = pt_outside_parse(options->with, error);
    return run->command != NULL;
  }
  const char *level = options->level ? options->level : "all";
  const char *aim = options->target ? options->target : "portable";
  if (g_str_equal(level, "basic"))
    run->level = PT_LEVEL_BASIC;
  else if (g_str_equal(level, "extended"))
    run->level = PT_LEVEL_EXTENDED;
  else if (g_str_equal(level, "all"))
    run->level = PT_LEVEL_ALL;
  else
    return usage(error, "the level '%s' is none of basic, extended, all", level);
  if (!g_str_equal(aim, "portable") && !g_str_equal(aim, "native"))
    return usage(error, "the target '%s' is none of portable, native", aim);
  run->native = g_str_equal(aim, "native");
  if (!pt_runtime_load(error))
    return false;
  if (run->native && run->level == PT_LEVEL_ALL && !pt_target_block(&target->block, error))
    return false;
  target->with = g_strdup("ort");
  target->level = g_strdup(level);
  target->target = g_strdup(aim);
  target->ort = g_strdup(pt_runtime_version());
  return true;
}

/* Answers go to a folder of their own: over the bundle's files they would destroy what was sent. */
static bool prepare_out(const PtOptimizeOptions *options, GError **error) {
  struct stat a, b;
  if (!pt_dir_make(options->out, error))
    return false;
  if (stat(options->bundle, &a) == 0 && stat(options->out, &b) == 0 && a.st_dev == b.st_dev &&
      a.st_ino == b.st_ino)
    return usage(error, "the answers need another folder than the bundle %s", options->bundle);
  return true;
}

/* Folders are continued only with what they were begun with: answers of two CPUs' layouts must not
 * mix. */
static bool record_target(const PtOptimizeOptions *options, const PtTarget *target,
                          GError **error) {
  PtTarget before;
  bool found;
  if (!pt_target_read(options->out, &before, &found, error))
    return false;
  bool keeps = options->resume || options->shards > 1;
  bool same = g_strcmp0(before.with, target->with) == 0 &&
              g_strcmp0(before.level, target->level) == 0 &&
              g_strcmp0(before.target, target->target) == 0 && before.block == target->block;
  pt_target_clear(&before);
  if (found && keeps && !same) {
    g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_MISMATCH,
                "%s holds answers made with other settings or for another CPU: give the same or "
                "another folder",
                options->out);
    return false;
  }
  return pt_target_write(target, options->out, error);
}

/* Right size, and right at a few places: a file that was cut off or is another bundle's is made
 * again. */
static bool noise_is_there(const char *path, const PtNoise *noise) {
  struct stat st;
  uint64_t size = pt_noise_file_size(noise);
  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
    return false;
  g_autoptr(GBytes) bytes = pt_file_map(path, 0, NULL);
  const uint8_t *data = bytes ? g_bytes_get_data(bytes, NULL) : NULL;
  for (uint64_t i = 0; data && i < NOISE_SAMPLES; i++) {
    uint8_t expected[NOISE_SAMPLE_BYTES];
    uint64_t offset = size / NOISE_SAMPLES * i / 8 * 8;
    if (offset + sizeof expected > size)
      continue;
    if (!pt_noise_bytes(noise, offset, sizeof expected, expected) ||
        memcmp(data + offset, expected, sizeof expected) != 0)
      return false;
  }
  return data != NULL;
}

static bool make_noise(const PtOptimizeOptions *options, const PtNoise *noise, GError **error) {
  g_autofree char *path = g_build_filename(options->bundle, PT_NOISE_FILE, NULL);
  return noise_is_there(path, noise) ||
         pt_noise_write(noise, path, pt_threads(options->jobs), error);
}

static GPtrArray *choose(const PtManifest *manifest, const PtOptimizeOptions *options) {
  GPtrArray *todo = g_ptr_array_new();
  for (guint i = 0; i < manifest->candidates->len; i++)
    if (!options->shards || i % options->shards == options->shard - 1)
      g_ptr_array_add(todo, g_ptr_array_index(manifest->candidates, i));
  return todo;
}

/* A bundle that was copied in part, or mixed with another, is said before any work is done. A shard
 * needs only its own. */
static bool bundle_is_whole(const PtManifest *manifest, const GPtrArray *todo, const char *folder,
                            GError **error) {
  g_autoptr(GHashTable) listed = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < manifest->candidates->len; i++)
    g_hash_table_add(listed, ((PtCandidate *)g_ptr_array_index(manifest->candidates, i))->file);
  g_autoptr(GPtrArray) names = pt_dir_list(folder, ".onnx", error);
  if (!names)
    return false;
  for (guint i = 0; i < names->len; i++)
    if (!g_hash_table_contains(listed, g_ptr_array_index(names, i))) {
      g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_MISMATCH,
                  "%s/%s is not in the bundle's manifest: remove it, or get the bundle again",
                  folder, (const char *)g_ptr_array_index(names, i));
      return false;
    }
  for (guint i = 0; i < todo->len; i++) {
    const PtCandidate *candidate = g_ptr_array_index(todo, i);
    g_autofree char *path = g_build_filename(folder, candidate->file, NULL);
    g_autoptr(GError) why = NULL;
    g_autofree char *sha256 = pt_sha256_file(path, &why);
    if (!sha256)
      g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_MISMATCH,
                  "%s: the bundle's manifest lists it: get the bundle again", why->message);
    else if (!g_str_equal(sha256, candidate->sha256))
      g_set_error(
          error, PT_OPTIMIZE_ERROR, PT_ERR_MISMATCH,
          "%s is not the file that the manifest lists (sha256 differs): get the bundle again",
          path);
    if (!sha256 || !g_str_equal(sha256, candidate->sha256))
      return false;
  }
  return true;
}

static bool run_all(Work *work, GError **error) {
  unsigned workers = MIN(pt_threads(work->options->jobs), MAX(work->todo->len, 1));
  g_autofree char *temporary = pt_dir_make_temp("proteus-optimize", error);
  if (!temporary)
    return false;
  work->scratches = g_async_queue_new_full(g_free);
  bool ok = true;
  for (unsigned i = 0; i < workers && ok; i++) {
    char *scratch = g_strdup_printf("%s/%u", temporary, i);
    ok = pt_dir_make(scratch, error);
    g_async_queue_push(work->scratches, scratch);
  }
  g_mutex_init(&work->lock);
  if (ok)
    pt_parallel_for(work->todo->len, workers, one, work);
  g_mutex_clear(&work->lock);
  g_async_queue_unref(work->scratches);
  pt_dir_remove(temporary);
  g_ptr_array_sort(work->report->failures, by_id);
  return ok;
}

bool pt_optimize(const PtOptimizeOptions *options, PtOptimizeReport *report, GError **error) {
  double start = pt_clock();
  memset(report, 0, sizeof *report);
  report->failures = g_ptr_array_new_with_free_func(failure_free);
  Work work = {.options = options, .report = report};
  PtTarget target = {0};
  g_autoptr(PtManifest) manifest = NULL;
  bool ok = read_options(options, &work.run, &target, error) &&
            (manifest = pt_manifest_read(options->bundle, error)) &&
            (work.todo = choose(manifest, options)) &&
            bundle_is_whole(manifest, work.todo, options->bundle, error) &&
            prepare_out(options, error) && record_target(options, &target, error) &&
            make_noise(options, &manifest->noise, error);
  if (ok) {
    work.run.noise = &manifest->noise;
    report->candidates = work.todo->len;
    ok = run_all(&work, error);
  }
  g_clear_pointer(&work.todo, g_ptr_array_unref);
  pt_target_clear(&target);
  g_strfreev(work.run.command);
  report->seconds = pt_clock() - start;
  if (!ok)
    pt_optimize_report_clear(report);
  return ok;
}
