/* pt_deobfuscate: check, rebind, splice, mend, verify; falling back piece by piece. */
#include "restore/restore_private.h"

#include "onnx/onnx.h"
#include "optimize/optimize.h"

#include <string.h>
#include <sys/stat.h>

G_DEFINE_QUARK(pt - restore - error - quark, pt_restore_error)

#define DEFAULT_TOLERANCE 1e-4

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

/* The result must not take the place of what it is made from. */
static bool is_same_file(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* ---- reading what the owner has
 * ------------------------------------------------------------------- */
static bool read_own(PtRestore *r, GError **error) {
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
  if (!r->model || !pt_runtime_infer_types(r->model, error) ||
      (r->secret->folded && !pt_runtime_fold(r->model, error)))
    return false;
  r->places = pt_places_new(r->model, r->secret, &r->noise, error);
  return r->places != NULL;
}

/* Answers, and not one of them to a question of this secret's: another bundle's folder. */
static bool is_of_another(const PtRestore *r, const char *folder) {
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

static bool read_policy(PtRestore *r, GError **error) {
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

/* ---- report
 * ------------------------------------------------------------------------------------------- */
static void add_fallback(PtRestore *r, uint32_t p) {
  const PtSecretBucket *bucket = pt_bucket_of(r, pt_place_at(r, p)->bucket);
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

static void fill_report(PtRestore *r, const PtGraph *result) {
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

static void clear(PtRestore *r) {
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

static bool restore(PtRestore *r, GError **error) {
  if (!read_own(r, error) || !read_policy(r, error))
    return false;
  pt_attempt_answers(r);
  r->captures = pt_captures_new(r->model, r->places, &r->seed, error);
  if (!r->captures)
    return false;
  pt_attempt_places(r);
  g_autoptr(PtGraph) result = pt_compose(r, error);
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
  PtRestore r = {.options = options,
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
