/* pieces.c: from pieces to the bundle and the secret. */
#include "obfuscate/obfuscate_private.h"

#include "sentinel/sentinel.h"

#include <math.h>

#define FILL_PASSES 3

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
  *mode = PT_MODE_WALK;
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
  GPtrArray *reals;               /* [buckets] PtGraph: the real pieces as they were cut */
  PtSentinelWalk *walk;           /* mode walk, or NULL */
  PtSentinelGenerator *generator; /* modes generate and random, or NULL */
  uint32_t *place;                /* [buckets] of the bucket's piece in these */
  const PtSeed *seed;
  const PtObfuscateOptions *options;
  const PtGraph *imports;
  const PtNoise *noise;
  GBytes *noise_bytes; /* noise.bin, mapped */
  PtContext *context;  /* NULL: no sentinels */
  double growth;       /* of any piece */
  PtEffort largest;    /* of any piece */
  PtTrial **trials;    /* [buckets] of those that lack sentinels */
  GError **errors;     /* [buckets] */
  GMutex lock;
  uint64_t done;
} Making;

static GPtrArray *siblings_of(const Making *m, size_t index) {
  GPtrArray *siblings = g_ptr_array_new();
  for (guint b = 0; b < m->buckets->len; b++)
    if (b != index && !((const PtBucket *)m->buckets->pdata[b])->kept)
      g_ptr_array_add(siblings, m->reals->pdata[b]);
  return siblings;
}

/* More than k, in place of those that do not pass their trial. */
static uint32_t wanted(const Making *m) {
  return m->options->k + m->options->k / 4 + 2;
}

/* *walked: of the last so many the walk had to make up for what the generator did not find. */
static GPtrArray *make_sentinels(const Making *m, size_t index, uint32_t *walked, GError **error) {
  g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  *walked = 0;
  if (m->options->k == 0)
    return g_steal_pointer(&made);
  g_autoptr(PtRng) rng = pt_rng_new(m->seed, "sentinel", index);
  uint32_t count = 0;
  if (m->walk)
    return pt_sentinel_walk_make(m->walk, m->place[index], made, &count, error)
               ? g_steal_pointer(&made)
               : NULL;
  if (m->generator)
    return pt_sentinel_generator_make(m->generator, m->place[index], made, &count, walked, error)
               ? g_steal_pointer(&made)
               : NULL;
  g_autoptr(GPtrArray) siblings = siblings_of(m, index);
  bool ok = pt_sentinel_make(m->mode, m->reals->pdata[index], siblings, m->corpus, wanted(m), rng,
                             made, &count, error);
  return ok ? g_steal_pointer(&made) : NULL;
}

/* The real piece is written by the hands that write its sentinels: its graph is replaced, and what
 * its values stand for follows. Should it not fit that way, it goes out as it is. */
static PtCandidateFile *encode_normal(const Making *m, size_t index, PtBucket *bucket, PtRng *rng) {
  g_autofree PtValueId *origin = NULL;
  g_autoptr(PtGraph) normal =
      m->walk        ? pt_sentinel_walk_real(m->walk, m->place[index], &origin)
      : m->generator ? pt_sentinel_generator_real(m->generator, m->place[index], &origin)
                     : NULL;
  if (!normal)
    return NULL;
  g_autofree PtValueId *model_value = g_new(PtValueId, (gsize)pt_graph_n_values(normal) + 1);
  for (PtValueId v = 0; v < pt_graph_n_values(normal); v++)
    model_value[v] = origin[v] == PT_NONE ? PT_NONE : bucket->model_value[origin[v]];
  PtCandidateFile *file = pt_candidate_encode(normal, model_value, m->imports, m->noise, rng, NULL);
  if (!file)
    return NULL;
  g_free(bucket->model_value);
  bucket->model_value = g_steal_pointer(&model_value);
  pt_graph_unref(bucket->real);
  bucket->real = g_steal_pointer(&normal);
  return file;
}

static bool is_there(const PtBucket *bucket, uint64_t hash) {
  return g_hash_table_contains(bucket->hashes, &hash);
}

static void add_sentinels(const Making *m, PtBucket *bucket, const PtTrial *trial,
                          const GPtrArray *sentinels, uint32_t walked, PtRng *rng) {
  for (guint i = 0; i < sentinels->len && bucket->candidates->len <= m->options->k; i++) {
    uint64_t hash = pt_sentinel_hash(sentinels->pdata[i]);
    PtEffort effort = pt_effort_of(sentinels->pdata[i]);
    if (is_there(bucket, hash) || !pt_effort_fits(&m->largest, &effort))
      continue;
    PtCandidateFile *file =
        pt_candidate_encode(g_ptr_array_index(sentinels, i), NULL, m->imports, m->noise, rng, NULL);
    if (!file)
      continue;
    bool passes = pt_trial_passes(trial, file);
    pt_file_forget(m->noise_bytes);
    g_clear_pointer(&file->sent, pt_graph_unref);
    if (!passes) {
      pt_candidate_file_free(file);
      continue;
    }
    g_hash_table_add(bucket->hashes, g_memdup2(&hash, sizeof hash));
    g_ptr_array_add(bucket->candidates, file);
    bucket->walked += i + walked >= sentinels->len;
  }
}

/* Those that could not go out are made up for: by the generator again where there is one, else by
 * modified pieces: a real piece alone in its bucket would be known. A few more than are missing, as
 * some may not go out either. */
static void generate_more(const Making *m, size_t index, PtBucket *bucket, const PtTrial *trial,
                          PtRng *rng) {
  for (int pass = 0; pass < FILL_PASSES && bucket->candidates->len <= m->options->k; pass++) {
    uint32_t missing = m->options->k + 1 - bucket->candidates->len;
    g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
    pt_sentinel_generator_more(m->generator, m->place[index], missing + missing / 4 + 2, made);
    add_sentinels(m, bucket, trial, made, 0, rng);
  }
}

/* What `modify` made, by the hands that write the real piece: an axis counted from the other end
 * would tell it. */
static void write_normal(const Making *m, GPtrArray *made) {
  for (guint i = 0; i < made->len; i++) {
    PtGraph *normal = m->walk        ? pt_sentinel_walk_normal(m->walk, made->pdata[i])
                      : m->generator ? pt_sentinel_generator_normal(m->generator, made->pdata[i])
                                     : NULL;
    if (!normal)
      continue;
    pt_graph_unref(made->pdata[i]);
    made->pdata[i] = normal;
  }
}

/* One bucket at a time, as normal forms add to what the walk knows. */
static bool fill_bucket(const Making *m, size_t index, PtBucket *bucket, GError **error) {
  const PtTrial *trial = m->trials[index];
  g_autoptr(PtRng) rng = pt_rng_new(m->seed, "scrub more", index);
  if (m->generator)
    generate_more(m, index, bucket, trial, rng);
  guint before = bucket->candidates->len;
  g_autoptr(GPtrArray) siblings = siblings_of(m, index);
  g_autoptr(PtRng) own = pt_rng_new(m->seed, "fill", index);
  for (int pass = 0; pass < FILL_PASSES && bucket->candidates->len <= m->options->k; pass++) {
    uint32_t missing = m->options->k + 1 - bucket->candidates->len, count = 0;
    g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
    if (!pt_sentinel_make(PT_MODE_MODIFY, m->reals->pdata[index], siblings, m->corpus,
                          missing + missing / 4 + 2, own, made, &count, error))
      return false;
    write_normal(m, made);
    add_sentinels(m, bucket, trial, made, 0, rng);
    if (count == 0)
      break;
  }
  if (m->mode != PT_MODE_MODIFY)
    bucket->modified = bucket->candidates->len - before;
  return true;
}

/* Only what is encoded stays in memory: a bucket's graphs are ten times as large. A sentinel that
 * cannot go out is one less, never a reason to fail. */
static bool make_bucket(const Making *m, size_t index, GError **error) {
  PtBucket *bucket = g_ptr_array_index(m->buckets, index);
  uint32_t walked;
  g_autoptr(GPtrArray) sentinels = make_sentinels(m, index, &walked, error);
  if (!sentinels)
    return false;
  g_autoptr(PtRng) rng = pt_rng_new(m->seed, "scrub", index);
  g_autoptr(GPtrArray) inputs =
      m->context ? pt_context_inputs(m->context, bucket->real, bucket->model_value) : NULL;
  PtCandidateFile *real = encode_normal(m, index, bucket, rng);
  if (!real)
    real = pt_candidate_encode(bucket->real, bucket->model_value, m->imports, m->noise, rng, error);
  if (!real)
    return false;
  g_ptr_array_add(bucket->candidates, real);
  uint64_t hash = pt_sentinel_hash(bucket->real);
  g_hash_table_add(bucket->hashes, g_memdup2(&hash, sizeof hash));
  if (m->options->k == 0)
    return true;
  PtSeed seed = pt_seed_derive(m->seed, "trial", index);
  g_autoptr(PtTrial) trial = pt_trial_new(real, m->noise_bytes, inputs, m->growth, &seed);
  g_clear_pointer(&real->sent, pt_graph_unref);
  add_sentinels(m, bucket, trial, sentinels, walked, rng);
  if (bucket->candidates->len <= m->options->k)
    m->trials[index] = g_steal_pointer(&trial);
  return true;
}

static void make_task(size_t index, void *data) {
  Making *m = data;
  if (!((const PtBucket *)g_ptr_array_index(m->buckets, index))->kept)
    (void)make_bucket(m, index, &m->errors[index]);
  g_mutex_lock(&m->lock);
  pt_progress(&m->options->progress, "making candidates", ++m->done, m->buckets->len);
  g_mutex_unlock(&m->lock);
}

/* Modes that make all buckets at once. */
static bool begin_mode(Making *m, GError **error) {
  g_autoptr(GPtrArray) walked = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  if (m->mode == PT_MODE_MODIFY || m->options->k == 0)
    return true;
  for (guint b = 0; b < m->buckets->len; b++) {
    m->place[b] = walked->len;
    if (!((const PtBucket *)m->buckets->pdata[b])->kept)
      g_ptr_array_add(walked, pt_graph_ref(m->reals->pdata[b]));
  }
  if (m->mode != PT_MODE_WALK) {
    m->generator =
        pt_sentinel_generator_new(m->mode, walked, m->options->k, wanted(m) - m->options->k,
                                  m->seed, m->options->threads, &m->options->progress, error);
    return m->generator != NULL;
  }
  m->walk = pt_sentinel_walk_new(walked, NULL, wanted(m), m->options->steps, m->seed,
                                 m->options->threads, &m->options->progress, error);
  return m->walk != NULL;
}

static bool make_all(Making *m, GError **error) {
  guint n = m->buckets->len;
  g_autofree uint32_t *place = g_new0(uint32_t, (gsize)n + 1);
  g_autoptr(GPtrArray) reals = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  for (guint b = 0; b < n; b++)
    g_ptr_array_add(reals, pt_graph_ref(((const PtBucket *)m->buckets->pdata[b])->real));
  m->reals = reals;
  m->largest = pt_effort_of_largest(reals);
  m->growth = m->context ? pt_context_growth(m->context, m->buckets) : 1;
  m->place = place;
  if (!begin_mode(m, error))
    return false;
  g_autofree GError **errors = g_new0(GError *, (gsize)n + 1);
  m->errors = errors;
  g_autofree PtTrial **trials = g_new0(PtTrial *, (gsize)n + 1);
  m->trials = trials;
  g_mutex_init(&m->lock);
  pt_parallel_for(n, m->options->threads, make_task, m);
  g_mutex_clear(&m->lock);
  for (guint b = 0; b < n; b++) {
    if (trials[b] && !errors[b])
      (void)fill_bucket(m, b, m->buckets->pdata[b], &errors[b]);
    pt_trial_free(trials[b]);
  }
  g_clear_pointer(&m->walk, pt_sentinel_walk_free);
  g_clear_pointer(&m->generator, pt_sentinel_generator_free);
  return pt_first_error(errors, n, error);
}

/* ---- writing --------------------------------------------------------------------------------- */
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
    const PtCandidateFile *file = g_ptr_array_index(o->candidates, i);
    pt_manifest_add(manifest, file->id, file->sha256);
  }
  return pt_manifest_write(manifest, o->options->bundle, error);
}

/* Before all else: candidates are tried with it. */
static bool write_noise(const Output *o, const PtSite *site, GBytes **mapped, GError **error) {
  g_autofree char *path = g_build_filename(site->folder, PT_NOISE_FILE, NULL);
  pt_progress(&o->options->progress, "writing noise", 0, 0);
  return pt_noise_write(&o->noise, path, o->options->threads, error) &&
         (*mapped = pt_file_map(path, 0, error));
}

/* The secret comes last: without it the folder is of no use, with it everything is there. */
static bool write_all(const Output *o, const PtSite *site, GError **error) {
  const PtObfuscateOptions *options = o->options;
  if (!pt_candidates_write(o->candidates, site->folder, options, error) ||
      !write_manifest(o, error) || !pt_site_stamp(site, error))
    return false;
  g_autoptr(PtSecret) secret = pt_make_secret(o->model, o->partition, o->buckets, &o->noise,
                                              o->model_sha256, o->seed, error);
  if (!secret)
    return false;
  secret->folded = pt_obfuscate_folds(options);
  return pt_secret_write(secret, site->secret, error);
}

/* In the folder, which is there. */
static bool make_bundle(Output *o, Making *making, const PtSite *site, GError **error) {
  g_autoptr(GBytes) noise = NULL;
  if (!write_noise(o, site, &noise, error))
    return false;
  making->noise_bytes = noise;
  PtSeed seed = pt_seed_derive(o->seed, "context", 0);
  if (o->options->k > 0)
    making->context = pt_context_new(o->model, o->buckets, &o->noise, noise, &seed);
  pt_file_forget(noise);
  bool made = make_all(making, error);
  g_clear_pointer(&making->context, pt_context_free);
  if (!made)
    return false;
  g_autoptr(GPtrArray) candidates = pt_candidates_sorted(o->buckets);
  o->candidates = candidates;
  if (!write_all(o, site, error))
    return false;
  return true;
}

static void fill_report(const Output *o, PtObfuscateReport *report) {
  const GPtrArray *pieces = o->partition->pieces;
  *report = (PtObfuscateReport){.pieces = pieces->len,
                                .buckets = o->buckets->len,
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
    uint32_t count = MAX(bucket->candidates->len, 1);
    report->missing += o->options->k + 1 - MIN(o->options->k + 1, count);
    report->search_space_log10 += log10(count);
    report->candidates += bucket->candidates->len;
    report->walked += bucket->walked;
    report->modified += bucket->modified;
    for (guint i = 0; i < bucket->candidates->len; i++)
      report->bundle_bytes +=
          g_bytes_get_size(((const PtCandidateFile *)bucket->candidates->pdata[i])->bytes);
  }
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

/* The noise's seed is drawn apart from all else: it is public. */
static bool size_noise(PtNoise *noise, GPtrArray *buckets, const PtSeed *seed, GError **error) {
  PtNoiseNeed need = {0};
  char text[33];
  g_autoptr(PtRng) rng = pt_rng_new(seed, "noise seed", 0);
  pt_random_hex(rng, text);
  pt_common_need(buckets, &need);
  return pt_noise_init_for(noise, text, &need, error);
}

bool pt_obfuscate_pieces(PtGraph *model, PtPartition *partition, const char *model_sha256,
                         const PtObfuscateOptions *options, const PtSeed *seed, PtCorpus *corpus,
                         PtObfuscateReport *report, GError **error) {
  PtSite site;
  Making making = {.corpus = corpus, .seed = seed, .options = options};
  if (!pt_site_check(&site, options, error) || !mode_of(options->mode, &making.mode, error))
    return false;
  bool alone = partition->pieces->len == 1 && options->k == 0;
  pt_progress(&options->progress, "extracting pieces", 0, 0);
  g_autoptr(GPtrArray) buckets =
      pt_buckets_new(model, partition, alone, seed, options->threads, error);
  Output output = {.model = model,
                   .partition = partition,
                   .model_sha256 = model_sha256,
                   .options = options,
                   .seed = seed,
                   .buckets = buckets};
  if (!buckets || !check_any(buckets, options, error) ||
      !size_noise(&output.noise, buckets, seed, error))
    return false;
  g_autoptr(PtGraph) imports = pt_common_imports(buckets);
  making.buckets = buckets;
  making.imports = imports;
  making.noise = &output.noise;
  if (!pt_site_make(&site, error))
    return false;
  if (!make_bundle(&output, &making, &site, error)) {
    pt_site_undo(&site);
    return false;
  }
  fill_report(&output, report);
  return true;
}
