/* pieces.c: from pieces to the bundle and the secret. */
#include "obfuscate/obfuscate_private.h"

#include "sentinel/sentinel.h"

#include <math.h>

G_DEFINE_QUARK(pt - obfuscate - error - quark, pt_obfuscate_error)

/* ---- sentinels
 * ------------------------------------------------------------------------------------------- */
static bool mode_of(const char *text, PtSentinelMode *mode, GError **error) {
  static const struct {
    const char *text;
    PtSentinelMode mode;
  } modes[] = {{"modify", PT_MODE_MODIFY},
               {"walk", PT_MODE_WALK},
               {"generate", PT_MODE_GENERATE},
               {"random", PT_MODE_RANDOM}};
  *mode = PT_MODE_MODIFY;
  if (!text)
    return true;
  for (size_t i = 0; i < G_N_ELEMENTS(modes); i++)
    if (g_str_equal(text, modes[i].text)) {
      *mode = modes[i].mode;
      return true;
    }
  g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_USAGE,
              "there is no mode %s: it is walk, generate, modify or random", text);
  return false;
}

typedef struct Making {
  GPtrArray *buckets;
  PtCorpus *corpus;
  PtSentinelMode mode;
  const PtSeed *seed;
  const PtObfuscateOptions *options;
  GError **errors; /* [buckets] */
  GMutex lock;
  uint64_t done;
} Making;

static void make_task(size_t index, void *data) {
  Making *m = data;
  PtBucket *bucket = g_ptr_array_index(m->buckets, index);
  if (!bucket->kept) {
    g_autoptr(GPtrArray) siblings = g_ptr_array_new();
    for (guint b = 0; b < m->buckets->len; b++) {
      const PtBucket *other = g_ptr_array_index(m->buckets, b);
      if (b != index && !other->kept)
        g_ptr_array_add(siblings, other->real);
    }
    g_autoptr(PtRng) rng = pt_rng_new(m->seed, "sentinel", index);
    uint32_t made = 0;
    (void)pt_sentinel_make(m->mode, bucket->real, siblings, m->corpus, m->options->k, rng,
                           bucket->sentinels, &made, &m->errors[index]);
  }
  g_mutex_lock(&m->lock);
  pt_progress(&m->options->progress, "making sentinels", ++m->done, m->buckets->len);
  g_mutex_unlock(&m->lock);
}

static bool make_sentinels(GPtrArray *buckets, PtCorpus *corpus, const PtSeed *seed,
                           const PtObfuscateOptions *options, GError **error) {
  Making m = {.buckets = buckets, .corpus = corpus, .seed = seed, .options = options};
  if (!mode_of(options->mode, &m.mode, error))
    return false;
  if (options->k == 0)
    return true;
  g_autofree GError **errors = g_new0(GError *, (gsize)buckets->len + 1);
  m.errors = errors;
  g_mutex_init(&m.lock);
  pt_parallel_for(buckets->len, options->threads, make_task, &m);
  g_mutex_clear(&m.lock);
  bool ok = true;
  for (guint i = 0; i < buckets->len; i++) {
    if (!errors[i])
      continue;
    if (ok)
      g_propagate_error(error, errors[i]);
    else
      g_error_free(errors[i]);
    ok = false;
  }
  return ok;
}

/* What the largest candidate needs. */
static void find_need(GPtrArray *buckets, PtNoiseNeed *need) {
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    if (!bucket->kept)
      pt_noise_need(bucket->real, need);
    for (guint s = 0; s < bucket->sentinels->len; s++)
      pt_noise_need(g_ptr_array_index(bucket->sentinels, s), need);
  }
}

/* ---- writing
 * ---------------------------------------------------------------------------------------------- */
typedef struct Output {
  PtGraph *model;
  PtPartition *partition;
  const char *model_sha256;
  const PtObfuscateOptions *options;
  const PtSeed *seed;
  GPtrArray *buckets, *candidates;
  PtNoise noise;
} Output;

static bool write_manifest(const Output *o, GError **error) {
  g_autoptr(PtManifest) manifest = pt_manifest_new();
  manifest->noise = o->noise;
  for (guint i = 0; i < o->candidates->len; i++) {
    const PtCandidateJob *job = g_ptr_array_index(o->candidates, i);
    pt_manifest_add(manifest, job->id, job->sha256);
  }
  return pt_manifest_write(manifest, o->options->bundle, error);
}

/* The secret comes last: without it the folder is of no use, with it everything is there. */
static bool write_all(const Output *o, const PtSite *site, const PtGraph *imports, GError **error) {
  const PtObfuscateOptions *options = o->options;
  g_autofree char *noise_path = g_build_filename(site->folder, PT_NOISE_FILE, NULL);
  if (!pt_candidates_write(o->candidates, imports, &o->noise, site->folder, o->seed, options,
                           error))
    return false;
  pt_progress(&options->progress, "writing noise", 0, 0);
  if (!pt_noise_write(&o->noise, noise_path, options->threads, error) ||
      !write_manifest(o, error) || !pt_site_stamp(site, error))
    return false;
  g_autoptr(PtSecret) secret = pt_make_secret(o->model, o->partition, o->buckets, o->candidates,
                                              &o->noise, o->model_sha256, o->seed, error);
  return secret && pt_secret_write(secret, site->secret, error);
}

static void fill_report(const Output *o, PtObfuscateReport *report) {
  const GPtrArray *pieces = o->partition->pieces;
  *report = (PtObfuscateReport){.pieces = pieces->len,
                                .buckets = o->buckets->len,
                                .candidates = o->candidates->len,
                                .smallest = pieces->len ? UINT32_MAX : 0,
                                .noise_bytes = pt_noise_file_size(&o->noise)};
  report->nodes = pt_graph_n_nodes(o->model);
  for (guint i = 0; i < pieces->len; i++) {
    uint32_t size = ((const PtPiece *)g_ptr_array_index(pieces, i))->nodes->len;
    report->smallest = MIN(report->smallest, size);
    report->largest = MAX(report->largest, size);
  }
  for (guint b = 0; b < o->buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(o->buckets, b);
    report->missing += o->options->k - MIN(o->options->k, bucket->sentinels->len);
    report->search_space_log10 += log10(1.0 + bucket->sentinels->len);
  }
  for (guint i = 0; i < o->candidates->len; i++)
    report->bundle_bytes += ((const PtCandidateJob *)g_ptr_array_index(o->candidates, i))->bytes;
}

/* If not one piece can go out, there is nothing to send. */
static bool check_any(GPtrArray *buckets, const PtObfuscateOptions *options, GError **error) {
  const char *why = "it has no operators";
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    if (!bucket->kept)
      return true;
    why = bucket->kept;
  }
  g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_UNSUPPORTED, "no piece of %s can be sent: %s",
              options->model, why);
  return false;
}

bool pt_obfuscate_pieces(PtGraph *model, PtPartition *partition, const char *model_sha256,
                         const PtObfuscateOptions *options, const PtSeed *seed, PtCorpus *corpus,
                         PtObfuscateReport *report, GError **error) {
  PtSite site;
  if (!pt_site_check(&site, options, error))
    return false;
  bool alone = partition->pieces->len == 1 && options->k == 0;
  pt_progress(&options->progress, "extracting pieces", 0, 0);
  g_autoptr(GPtrArray) buckets =
      pt_buckets_new(model, partition, alone, seed, options->threads, error);
  if (!buckets || !check_any(buckets, options, error) ||
      !make_sentinels(buckets, corpus, seed, options, error))
    return false;
  g_autoptr(PtGraph) imports = pt_common_imports(buckets);
  g_autoptr(GPtrArray) candidates = pt_candidates_new(buckets, seed);
  Output output = {.model = model,
                   .partition = partition,
                   .model_sha256 = model_sha256,
                   .options = options,
                   .seed = seed,
                   .buckets = buckets,
                   .candidates = candidates};
  PtNoiseNeed need = {0};
  char noise_seed[33];
  g_autoptr(PtRng) rng = pt_rng_new(seed, "noise seed", 0);
  pt_random_hex(rng, noise_seed);
  find_need(buckets, &need);
  if (!pt_noise_init_for(&output.noise, noise_seed, &need, error) || !pt_site_make(&site, error))
    return false;
  if (!write_all(&output, &site, imports, error)) {
    pt_site_undo(&site);
    return false;
  }
  fill_report(&output, report);
  return true;
}
