/* pt_deobfuscate: check, rebind, splice, mend, verify; falling back piece by piece. */
#include "restore/restore_private.h"

#include "onnx/onnx.h"
#include "optimize/optimize.h"
#include "rebind/rebind.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

G_DEFINE_QUARK(pt - restore - error - quark, pt_restore_error)

#define DEFAULT_TOLERANCE 1e-4
/* What checking one piece may take. */
#define CHECK_SECONDS 120.0
#define CHECK_BYTES (UINT64_C(8) << 30)

/* What became of a place. */
typedef struct Outcome {
  PtGraph *graph;    /* the answer with the place's weights; NULL: fallen back */
  char *why;         /* why it fell back */
  double difference; /* as checked */
} Outcome;

typedef struct Restore {
  const PtDeobfuscateOptions *options;
  PtDeobfuscateReport *report;
  double tolerance;
  PtSeed seed;
  PtSecret *secret;
  PtNoise noise;
  PtGraph *model;
  GPtrArray *places; /* PtPlace, topological */
  PtAnswerPolicy policy;
  PtGraph **answers; /* [buckets] explained, with noise for weights; NULL: refused */
  char **refusals;   /* [buckets] */
  GPtrArray *captures;
  Outcome *outcomes; /* [places] */
  GMutex lock;
  uint32_t done;
} Restore;

static void fallback_free(void *data) {
  PtFallback *fallback = data;
  g_free(fallback->id);
  g_free(fallback->why);
  g_free(fallback);
}

void pt_deobfuscate_report_clear(PtDeobfuscateReport *report) {
  g_clear_pointer(&report->fallbacks, g_ptr_array_unref);
  memset(report, 0, sizeof *report);
}

static const PtSecretBucket *bucket_of(const Restore *r, uint32_t b) {
  return g_ptr_array_index(r->secret->buckets, b);
}

static PtPlace *place_at(const Restore *r, uint32_t p) {
  return g_ptr_array_index(r->places, p);
}

static void step(Restore *r, const char *what, uint64_t total) {
  g_mutex_lock(&r->lock);
  pt_progress(&r->options->progress, what, ++r->done, total);
  g_mutex_unlock(&r->lock);
}

/* The result must not take the place of what it is made from. */
static bool is_same_file(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* ---- reading what the owner has
 * ------------------------------------------------------------------- */
static bool read_own(Restore *r, GError **error) {
  const PtDeobfuscateOptions *o = r->options;
  if (!o->optimized || !o->secret || !o->model || !o->out) {
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_USAGE,
                "deobfuscate needs a folder of answers, a secret, the model and a file to write");
    return false;
  }
  if (is_same_file(o->out, o->model) || is_same_file(o->out, o->secret)) {
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_USAGE,
                "%s would be overwritten, and it is needed: give another name for the result",
                o->out);
    return false;
  }
  r->secret = pt_secret_read(o->secret, error);
  if (!r->secret)
    return false;
  g_autofree char *sha256 = pt_sha256_file(o->model, error);
  if (!sha256)
    return false;
  if (g_ascii_strcasecmp(sha256, r->secret->model_sha256) != 0) {
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_MISMATCH,
                "%s is not the model that the secret %s was made from (sha256 differs): give the "
                "file that was obfuscated",
                o->model, o->secret);
    return false;
  }
  if (!pt_noise_init(&r->noise, r->secret->noise_seed, r->secret->floats, r->secret->halves,
                     r->secret->brains, r->secret->doubles, error))
    return false;
  r->model = pt_onnx_read(o->model, NULL, error);
  if (!r->model || !pt_runtime_infer_types(r->model, error))
    return false;
  r->places = pt_places_new(r->model, r->secret, &r->noise, error);
  return r->places != NULL;
}

/* Answers, and not one of them to a question of this secret's: another bundle's folder. */
static bool is_of_another(const Restore *r, const char *folder) {
  g_autoptr(GPtrArray) names = pt_dir_list(folder, ".onnx", NULL);
  if (!names || names->len == 0)
    return false;
  g_autoptr(GHashTable) there = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < names->len; i++)
    g_hash_table_add(there, g_ptr_array_index(names, i));
  for (guint b = 0; b < r->secret->buckets->len; b++) {
    const PtSecretBucket *bucket = g_ptr_array_index(r->secret->buckets, b);
    for (guint i = 0; i < bucket->candidates->len; i++) {
      g_autofree char *file =
          g_strconcat((const char *)g_ptr_array_index(bucket->candidates, i), ".onnx", NULL);
      if (g_hash_table_contains(there, file))
        return false;
    }
  }
  return true;
}

static bool read_policy(Restore *r, GError **error) {
  struct stat st;
  r->policy = (PtAnswerPolicy){.noise = &r->noise, .answers_block = -1};
  if (r->options->allow_domains)
    r->policy.domains = g_strsplit(r->options->allow_domains, ",", -1);
  if (stat(r->options->optimized, &st) != 0) {
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_IO, "there is no folder of answers %s",
                r->options->optimized);
    return false;
  }
  if (!S_ISDIR(st.st_mode))
    return true;
  if (is_of_another(r, r->options->optimized)) {
    g_set_error(
        error, PT_RESTORE_ERROR, PT_ERR_MISMATCH,
        "%s holds answers to another bundle than that of the secret %s: give the folder that "
        "optimize made of it",
        r->options->optimized, r->options->secret);
    return false;
  }
  PtTarget target;
  bool found;
  /* a broken note of the optimizer's is no reason to stop: the checks on values decide */
  if (pt_target_read(r->options->optimized, &target, &found, NULL) && found) {
    r->policy.answers_block = target.block > 0 ? target.block : -1;
    pt_target_clear(&target);
  }
  return r->policy.answers_block < 0 || pt_target_block(&r->policy.block, error);
}

/* ---- answers
 * ----------------------------------------------------------------------------------------- */
static char *answer_path(const Restore *r, const PtSecretBucket *bucket) {
  if (r->secret->buckets->len == 1 && g_file_test(r->options->optimized, G_FILE_TEST_IS_REGULAR))
    return g_strdup(r->options->optimized); /* one piece: its file will do */
  g_autofree char *file = g_strconcat(bucket->real, ".onnx", NULL);
  return g_build_filename(r->options->optimized, file, NULL);
}

static const PtPlace *first_place(const Restore *r, uint32_t bucket) {
  for (guint p = 0; p < r->places->len; p++)
    if (place_at(r, p)->bucket == bucket)
      return place_at(r, p);
  return NULL;
}

static void read_answer(size_t b, void *data) {
  Restore *r = data;
  const PtPlace *place = first_place(r, (uint32_t)b);
  if (bucket_of(r, (uint32_t)b)->kept) {
    r->refusals[b] = g_strdup_printf("it was not sent: %s", bucket_of(r, (uint32_t)b)->kept);
    step(r, "reading answers", r->secret->buckets->len);
    return;
  }
  g_autofree char *path = answer_path(r, bucket_of(r, (uint32_t)b));
  g_autoptr(GError) why = NULL;
  g_autoptr(PtGraph) answer = pt_answer_read(path, place->original, &r->policy, &why);
  if (answer) {
    g_autoptr(PtGraph) candidate = pt_place_candidate(place);
    if (!pt_rebind_explain(answer, candidate, &r->noise, &why))
      g_clear_pointer(&answer, pt_graph_unref);
  }
  if (answer)
    r->answers[b] = g_steal_pointer(&answer);
  else
    r->refusals[b] = g_strdup(why ? why->message : "no reason was given");
  step(r, "reading answers", r->secret->buckets->len);
}

static void read_answers(Restore *r) {
  r->answers = g_new0(PtGraph *, r->secret->buckets->len + 1);
  r->refusals = g_new0(char *, r->secret->buckets->len + 1);
  r->done = 0;
  pt_parallel_for(r->secret->buckets->len, r->options->threads, read_answer, r);
}

/* ---- binding and checking
 * ------------------------------------------------------------------------------ */
static PtGraph *bind_place(Restore *r, const PtPlace *place, GError **error) {
  g_autoptr(PtGraph) graph = pt_graph_copy(r->answers[place->bucket]);
  g_autofree PtBinding *bindings = g_new0(PtBinding, (gsize)place->weights->len + 1);
  for (guint i = 0; i < place->weights->len; i++) {
    const PtPlaceWeight *w = &g_array_index(place->weights, PtPlaceWeight, i);
    bindings[i] = (PtBinding){w->offset, pt_value(r->model, w->model)->constant};
  }
  if (!pt_rebind_bind(graph, bindings, place->weights->len, 1, error))
    return NULL;
  return g_steal_pointer(&graph);
}

/* Runs in a child: binds and checks, and leaves nothing behind. */
static bool check_place(size_t p, double *difference, void *data, GError **error) {
  Restore *r = data;
  const PtPlace *place = place_at(r, (uint32_t)p);
  if (!r->answers[place->bucket]) {
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_REFUSED, "%s", r->refusals[place->bucket]);
    return false;
  }
  g_autoptr(PtGraph) graph = bind_place(r, place, error);
  return graph &&
         pt_check_piece(place, graph, r->captures, &r->seed, r->tolerance, difference, error);
}

/* What passed in a child is bound here as well. */
static void bind_checked(size_t p, void *data) {
  Restore *r = data;
  Outcome *outcome = &r->outcomes[p];
  if (outcome->why)
    return;
  g_autoptr(GError) why = NULL;
  outcome->graph = bind_place(r, place_at(r, (uint32_t)p), &why);
  if (!outcome->graph)
    outcome->why = g_strdup(why->message);
}

static void check_places(Restore *r) {
  uint32_t count = r->places->len;
  unsigned threads = pt_threads(r->options->threads);
  g_autofree PtVerdict *verdicts = g_new0(PtVerdict, (gsize)count + 1);
  PtWorkerLimits limits = {"checking pieces", CHECK_SECONDS, CHECK_BYTES};
  pt_worker_run(count, threads, &limits, check_place, r, &r->options->progress, verdicts);
  r->outcomes = g_new0(Outcome, (gsize)count + 1);
  for (uint32_t p = 0; p < count; p++) {
    r->outcomes[p].difference = verdicts[p].difference;
    r->outcomes[p].why = verdicts[p].ok ? NULL : g_strdup(verdicts[p].why);
  }
  pt_parallel_for(count, threads, bind_checked, r);
}

static void fall_back(Outcome *outcome, const char *why) {
  g_clear_pointer(&outcome->graph, pt_graph_unref);
  if (!outcome->why)
    outcome->why = g_strdup(why);
}

/* ---- opsets: one version of a domain's operators in one model
 * -------------------------------------- */
static const PtGraph *graph_at(const Restore *r, uint32_t p) {
  return r->outcomes[p].graph ? r->outcomes[p].graph : place_at(r, p)->original;
}

/* The version that originals in use need; else the first answer's. */
static int64_t wanted_version(const Restore *r, const char *domain) {
  int64_t first = -1;
  for (guint p = 0; p < r->places->len; p++) {
    const PtGraph *graph = graph_at(r, p);
    if (pt_graph_opset(graph, domain) < 0 || !pt_graph_uses_domain(graph, domain))
      continue;
    if (!r->outcomes[p].graph)
      return pt_graph_opset(graph, domain);
    if (first < 0)
      first = pt_graph_opset(graph, domain);
  }
  return first;
}

static bool agree_on_domain(Restore *r, const char *domain) {
  int64_t wanted = wanted_version(r, domain);
  bool changed = false;
  for (guint p = 0; p < r->places->len; p++) {
    const PtGraph *graph = r->outcomes[p].graph;
    if (!graph || !pt_graph_uses_domain(graph, domain) || pt_graph_opset(graph, domain) == wanted)
      continue;
    g_autofree char *why =
        g_strdup_printf("it uses version %" G_GINT64_FORMAT
                        " of the operators of '%s', the others %" G_GINT64_FORMAT,
                        pt_graph_opset(graph, domain), domain[0] ? domain : "ai.onnx", wanted);
    fall_back(&r->outcomes[p], why);
    changed = true;
  }
  return changed;
}

static void agree_on_opsets(Restore *r) {
  g_autoptr(GPtrArray) domains = g_ptr_array_new_with_free_func(g_free);
  for (guint p = 0; p < r->places->len; p++) {
    const GArray *opsets = graph_at(r, p)->opsets;
    for (guint i = 0; i < opsets->len; i++) {
      const char *domain = g_array_index(opsets, PtOpset, i).domain;
      if (!g_ptr_array_find_with_equal_func(domains, domain, g_str_equal, NULL))
        g_ptr_array_add(domains, g_strdup(domain));
    }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (guint d = 0; d < domains->len; d++)
      changed |= agree_on_domain(r, g_ptr_array_index(domains, d));
  }
}

/* ---- putting together
 * ------------------------------------------------------------------------------ */
static PtGraph *splice_all(Restore *r, GError **error) {
  g_autofree PtSpliced *pieces = g_new0(PtSpliced, (gsize)r->places->len + 1);
  agree_on_opsets(r);
  for (guint p = 0; p < r->places->len; p++) {
    const PtPlace *place = place_at(r, p);
    pieces[p].graph = r->outcomes[p].graph ? r->outcomes[p].graph : place->original;
    pieces[p].inputs = (const PtValueId *)(const void *)place->piece->inputs->data;
    pieces[p].outputs = (const PtValueId *)(const void *)place->piece->outputs->data;
  }
  return pt_splice(r->model, pieces, r->places->len, error);
}

/* A mended copy, or NULL where there is nothing to mend or it fails: mending only makes faster. */
static PtGraph *mend(Restore *r, const PtGraph *spliced, PtSeamReport *seams) {
  memset(seams, 0, sizeof *seams);
  if (r->options->no_seams || !pt_graph_uses_domain(spliced, "com.microsoft.nchwc"))
    return NULL;
  g_autoptr(PtGraph) mended = pt_graph_copy(spliced);
  if (!pt_runtime_infer_types(mended, NULL) || !pt_mend_seams(mended, seams, NULL) ||
      !pt_graph_check(mended, NULL))
    return NULL;
  return g_steal_pointer(&mended);
}

static bool check_whole(Restore *r, const PtGraph *graph, bool *fits, GError **error) {
  if (!pt_graph_is_random(r->model) && r->captures->len > 0)
    return pt_check_whole(r->model, graph, r->captures, r->tolerance, &r->report->difference, fits,
                          error);
  r->report->difference = NAN; /* two runs of the model itself differ, or there is none */
  g_autoptr(PtSession) session = pt_session_new(graph, NULL, error);
  *fits = session != NULL;
  return *fits;
}

/* Spliced, mended where that holds. *fits: it computes what the model does. */
static PtGraph *build(Restore *r, bool *fits, GError **error) {
  g_autoptr(PtGraph) spliced = splice_all(r, error);
  if (!spliced)
    return NULL;
  PtSeamReport seams;
  g_autoptr(PtGraph) mended = mend(r, spliced, &seams);
  *fits = false;
  if (mended && check_whole(r, mended, fits, NULL) && *fits) {
    r->report->seams_cancelled = seams.cancelled;
    r->report->seams_pushed = seams.pushed;
    r->report->seams_folded = seams.folded;
    return g_steal_pointer(&mended);
  }
  r->report->seams_cancelled = r->report->seams_pushed = r->report->seams_folded = 0;
  return check_whole(r, spliced, fits, error) ? g_steal_pointer(&spliced) : NULL;
}

/* The pieces agreed and the whole does not: give up those that were furthest off, twice as many
 * each time. */
static bool drop_suspicious(Restore *r, uint32_t count, const GError *error) {
  g_autofree char *why = g_strdup_printf(
      "the pieces agree but the whole %s%s, and this one is among those that differed most",
      error ? "does not work: " : "differs", error ? error->message : "");
  for (uint32_t dropped = 0; dropped < count; dropped++) {
    uint32_t worst = PT_NONE;
    for (guint p = 0; p < r->places->len; p++)
      if (r->outcomes[p].graph &&
          (worst == PT_NONE || r->outcomes[p].difference > r->outcomes[worst].difference))
        worst = p;
    if (worst == PT_NONE)
      return dropped > 0;
    fall_back(&r->outcomes[worst], why);
  }
  return true;
}

static PtGraph *build_until_it_holds(Restore *r, GError **error) {
  for (uint32_t attempt = 0, count = 1;; attempt++, count *= attempt > 3 ? 2 : 1) {
    bool fits;
    g_autoptr(GError) why = NULL;
    g_autoptr(PtGraph) graph = build(r, &fits, &why);
    if (graph && fits)
      return g_steal_pointer(&graph);
    if (drop_suspicious(r, count, why))
      continue;
    if (graph)
      g_set_error(error, PT_RESTORE_ERROR, PT_ERR_INTERNAL,
                  "the model put together from its own pieces differs by %.2g",
                  r->report->difference);
    else
      g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
  }
}

/* ---- report
 * ------------------------------------------------------------------------------------------- */
static void add_fallback(Restore *r, uint32_t p) {
  const PtSecretBucket *bucket = bucket_of(r, place_at(r, p)->bucket);
  for (guint i = 0; i < r->report->fallbacks->len; i++) {
    PtFallback *known = g_ptr_array_index(r->report->fallbacks, i);
    if (g_str_equal(known->id, bucket->real) && g_str_equal(known->why, r->outcomes[p].why)) {
      known->members++;
      return;
    }
  }
  PtFallback *fallback = g_new0(PtFallback, 1);
  fallback->piece = p;
  fallback->members = 1;
  fallback->id = g_strdup(bucket->real);
  fallback->why = g_strdup(r->outcomes[p].why);
  g_ptr_array_add(r->report->fallbacks, fallback);
}

static void fill_report(Restore *r, const PtGraph *result) {
  PtDeobfuscateReport *report = r->report;
  report->pieces = r->places->len;
  report->nodes_before = pt_graph_n_nodes(r->model);
  report->nodes_after = pt_graph_n_nodes(result);
  for (guint p = 0; p < r->places->len; p++)
    if (r->outcomes[p].graph)
      report->optimized++;
    else
      add_fallback(r, p);
}

static void clear(Restore *r) {
  for (guint p = 0; r->outcomes && p < r->places->len; p++) {
    pt_graph_unref(r->outcomes[p].graph);
    g_free(r->outcomes[p].why);
  }
  for (guint b = 0; r->answers && b < r->secret->buckets->len; b++) {
    pt_graph_unref(r->answers[b]);
    g_free(r->refusals[b]);
  }
  g_free(r->outcomes);
  g_free(r->answers);
  g_free(r->refusals);
  g_strfreev(r->policy.domains);
  g_clear_pointer(&r->captures, g_ptr_array_unref);
  g_clear_pointer(&r->places, g_ptr_array_unref);
  pt_graph_unref(r->model);
  pt_secret_free(r->secret);
  g_mutex_clear(&r->lock);
}

static bool restore(Restore *r, GError **error) {
  if (!read_own(r, error) || !read_policy(r, error))
    return false;
  read_answers(r);
  r->captures = pt_captures_new(r->model, r->places, &r->seed, error);
  if (!r->captures)
    return false;
  check_places(r);
  g_autoptr(PtGraph) result = build_until_it_holds(r, error);
  if (!result)
    return false;
  fill_report(r, result);
  return pt_onnx_write(result, r->options->out, &(PtOnnxWriteOptions){.producer = "proteus"},
                       error);
}

bool pt_deobfuscate(const PtDeobfuscateOptions *options, PtDeobfuscateReport *report,
                    GError **error) {
  double start = pt_clock();
  memset(report, 0, sizeof *report);
  report->fallbacks = g_ptr_array_new_with_free_func(fallback_free);
  Restore r = {.options = options,
               .report = report,
               .tolerance = options->tolerance > 0 ? options->tolerance : DEFAULT_TOLERANCE};
  g_mutex_init(&r.lock);
  pt_seed_init(&r.seed, NULL); /* an optimizer must not know what its answers are tried on */
  bool ok = restore(&r, error);
  clear(&r);
  report->seconds = pt_clock() - start;
  if (!ok)
    pt_deobfuscate_report_clear(report);
  return ok;
}
