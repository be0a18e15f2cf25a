/* candidates.c: every candidate, scrubbed, encoded and written by the same hands, real or not. */
#include "obfuscate/obfuscate_private.h"

#include "onnx/onnx.h"

#include <string.h>

static void job_free(void *data) {
  PtCandidateJob *job = data;
  g_free(job->sha256);
  g_clear_pointer(&job->weights, g_array_unref);
  g_clear_error(&job->error);
  g_free(job);
}

static int by_id(const void *a, const void *b) {
  const PtCandidateJob *x = *(const PtCandidateJob *const *)a;
  const PtCandidateJob *y = *(const PtCandidateJob *const *)b;
  return strcmp(x->id, y->id);
}

void pt_random_hex(PtRng *rng, char out[33]) {
  static const char digits[] = "0123456789abcdef";
  uint8_t bytes[16];
  pt_rng_bytes(rng, bytes, sizeof bytes);
  for (unsigned i = 0; i < 16; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[32] = '\0';
}

static void add_job(GPtrArray *jobs, PtBucket *bucket, PtGraph *graph, bool real, PtRng *rng) {
  PtCandidateJob *job = g_new0(PtCandidateJob, 1);
  job->bucket = bucket;
  job->graph = graph;
  if (real)
    job->weights = g_array_new(FALSE, TRUE, sizeof(PtCandidateWeight));
  pt_random_hex(rng, job->id);
  g_ptr_array_add(jobs, job);
}

GPtrArray *pt_candidates_new(GPtrArray *buckets, const PtSeed *seed) {
  GPtrArray *jobs = g_ptr_array_new_with_free_func(job_free);
  g_autoptr(PtRng) rng = pt_rng_new(seed, "ids", 0);
  for (guint b = 0; b < buckets->len; b++) {
    PtBucket *bucket = g_ptr_array_index(buckets, b);
    if (bucket->kept)
      continue;
    add_job(jobs, bucket, bucket->real, true, rng);
    for (guint s = 0; s < bucket->sentinels->len; s++)
      add_job(jobs, bucket, g_ptr_array_index(bucket->sentinels, s), false, rng);
  }
  g_ptr_array_sort(jobs, by_id);
  return jobs;
}

/* ---- imports: the same in every file
 * ------------------------------------------------------------------- */
static bool agree(const PtGraph *a, const PtGraph *b) {
  for (guint i = 0; i < a->opsets->len; i++) {
    const PtOpset *opset = &g_array_index(a->opsets, PtOpset, i);
    int64_t other = pt_graph_opset(b, opset->domain);
    if (other >= 0 && other != opset->version)
      return false;
  }
  return true;
}

static void add_imports(PtGraph *common, const PtGraph *graph) {
  for (guint i = 0; i < graph->opsets->len; i++) {
    const PtOpset *opset = &g_array_index(graph->opsets, PtOpset, i);
    pt_graph_set_opset(common, opset->domain, opset->version);
  }
}

static int by_domain(const void *a, const void *b) {
  return strcmp(((const PtOpset *)a)->domain, ((const PtOpset *)b)->domain);
}

PtGraph *pt_common_imports(GPtrArray *buckets) {
  PtGraph *common = pt_graph_new();
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    if (bucket->kept)
      continue;
    pt_scrub_opsets(bucket->real, common);
    common->ir_version = MAX(common->ir_version, bucket->real->ir_version);
  }
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    for (guint s = bucket->sentinels->len; s-- > 0;) {
      g_autoptr(PtGraph) wanted = pt_graph_new();
      pt_scrub_opsets(g_ptr_array_index(bucket->sentinels, s), wanted);
      if (agree(wanted, common))
        add_imports(common, wanted);
      else
        g_ptr_array_remove_index(bucket->sentinels, s);
    }
  }
  g_array_sort(common->opsets, by_domain);
  return common;
}

/* ---- writing
 * -------------------------------------------------------------------------------------------- */
typedef struct Writing {
  GPtrArray *jobs;
  const PtGraph *imports;
  const PtNoise *noise;
  const char *folder;
  const PtSeed *seed;
  const PtObfuscateOptions *options;
  GMutex lock;
  uint64_t done;
  bool failed;
} Writing;

static void note_weights(PtCandidateJob *job, const PtGraph *scrubbed, const GArray *source) {
  for (guint i = 0; i < source->len; i++) {
    PtScrubbed pair = g_array_index(source, PtScrubbed, i);
    const PtValue *value = pt_value(scrubbed, pair.candidate);
    if (!value->constant->location)
      continue;
    PtCandidateWeight weight = {.value = job->bucket->model_value[pair.original],
                                .offset = value->constant->offset,
                                .size = value->constant->size};
    g_strlcpy(weight.name, value->name, sizeof weight.name);
    g_array_append_val(job->weights, weight);
  }
}

static bool write_job(const Writing *w, PtCandidateJob *job, uint64_t index, GError **error) {
  g_autoptr(PtRng) rng = pt_rng_new(w->seed, "scrub", index);
  g_autoptr(GArray) source = NULL;
  g_autoptr(PtGraph) scrubbed = pt_scrub(job->graph, w->noise, rng, &source, error);
  if (!scrubbed)
    return false;
  g_array_set_size(scrubbed->opsets, 0);
  add_imports(scrubbed, w->imports);
  scrubbed->ir_version = w->imports->ir_version;
  g_autoptr(GBytes) bytes = pt_onnx_write_bytes(scrubbed, NULL, NULL, error);
  if (!bytes)
    return false;
  size_t size;
  const void *data = g_bytes_get_data(bytes, &size);
  g_autofree char *name = g_strconcat(job->id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(w->folder, name, NULL);
  if (!pt_file_write(path, 0644, data, size, error))
    return false;
  job->bytes = size;
  job->sha256 = pt_sha256_hex(data, size);
  if (job->weights)
    note_weights(job, scrubbed, source);
  return true;
}

static void write_task(size_t index, void *data) {
  Writing *w = data;
  PtCandidateJob *job = g_ptr_array_index(w->jobs, index);
  if (!w->failed && !write_job(w, job, index, &job->error))
    w->failed = job->weights || job->error->domain != PT_BUNDLE_ERROR;
  g_mutex_lock(&w->lock);
  pt_progress(&w->options->progress, "writing candidates", ++w->done, w->jobs->len);
  g_mutex_unlock(&w->lock);
}

/* A sentinel that cannot go out is one less, never a reason to fail. */
static void drop_sentinel(GPtrArray *candidates, guint i) {
  PtCandidateJob *job = g_ptr_array_index(candidates, i);
  g_ptr_array_remove(job->bucket->sentinels, job->graph);
  g_ptr_array_remove_index(candidates, i);
}

bool pt_candidates_write(GPtrArray *candidates, const PtGraph *imports, const PtNoise *noise,
                         const char *folder, const PtSeed *seed, const PtObfuscateOptions *options,
                         GError **error) {
  Writing w = {candidates, imports, noise, folder, seed, options, {0}, 0, false};
  g_mutex_init(&w.lock);
  pt_parallel_for(candidates->len, options->threads, write_task, &w);
  g_mutex_clear(&w.lock);
  for (guint i = candidates->len; i-- > 0;) {
    PtCandidateJob *job = g_ptr_array_index(candidates, i);
    if (job->error && !job->weights && job->error->domain == PT_BUNDLE_ERROR) {
      drop_sentinel(candidates, i);
    } else if (job->error) {
      g_propagate_error(error, g_steal_pointer(&job->error));
      return false;
    }
  }
  return true;
}
