/* train_steps.c: pieces, topologies, pi: each a file made from the corpus, with a record that lets
 * an interrupted training go on. */
#include "cli/train.h"

#include "sentinel/sentinel.h"
#include "topology/topology.h"
#include "walk/walk.h"

#include <glib/gstdio.h>
#include <string.h>

#define RECORD "train.json"
#define CHECKPOINT "topology.state"
#define MAX_RECORD ((size_t)1 << 22)

static char *in_folder(const PtTrain *t, const char *name) {
  return g_build_filename(t->out, name, NULL);
}

void pt_train_clear(PtTrain *train) {
  g_clear_pointer(&train->learned, g_array_unref);
  g_clear_pointer(&train->rounds, g_array_unref);
  g_clear_pointer(&train->files, g_ptr_array_unref);
}

/* ---- steps ------------------------------------------------------------------------------------
 */
static bool make_pieces(PtTrain *t, const char *path, GError **error) {
  return pt_corpus_build(t->corpus, t->exclude, path, t->threads, &t->progress, error);
}

static GPtrArray *topologies_of(PtTrain *t, GError **error) {
  g_autofree char *path = in_folder(t, "pieces.bin");
  g_autoptr(PtCorpus) corpus = pt_corpus_open(path, error);
  return corpus ? pt_corpus_topologies(corpus, error) : NULL;
}

static bool make_topologies(PtTrain *t, const char *path, GError **error) {
  g_autoptr(GPtrArray) topologies = topologies_of(t, error);
  if (!topologies)
    return false;
  g_autofree char *checkpoint = in_folder(t, CHECKPOINT);
  PtTopologyTrainOptions options = {.seed = t->seed,
                                    .epochs = t->epochs,
                                    .threads = t->threads,
                                    .checkpoint = checkpoint,
                                    .resume = t->resume,
                                    .progress = t->progress};
  g_autoptr(PtTopologyModel) model = pt_topology_train(topologies, &options, t->learned, error);
  return model && pt_topology_model_write(model, path, error);
}

static bool make_walk(PtTrain *t, const char *path, GError **error) {
  PtWalkTrainOptions options = {.folder = t->corpus,
                                .out = path,
                                .exclude = t->exclude,
                                .seed = t->seed,
                                .steps = 2000, /* as the shipped file */
                                .threads = t->threads,
                                .progress = t->progress};
  g_array_set_size(t->rounds, 0);
  return pt_walk_train(&options, t->rounds, error);
}

static const struct {
  const char *file;
  bool (*make)(PtTrain *t, const char *path, GError **error);
} steps[] = {
    {"pieces.bin", make_pieces}, {"topology.bin", make_topologies}, {"walk.bin", make_walk}};
enum { N_STEPS = G_N_ELEMENTS(steps) };

/* ---- the record -------------------------------------------------------------------------------
 */
static bool check_excluded(const PtTrain *t, const GPtrArray *names, GError **error) {
  for (uint32_t i = 0; t->exclude && t->exclude[i]; i++) {
    g_autofree char *file = g_strconcat(t->exclude[i], ".onnx", NULL);
    bool found = false;
    for (guint k = 0; k < names->len; k++)
      found |= g_str_equal(names->pdata[k], file);
    if (!found) {
      g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE, "--exclude %s: %s has no %s.", t->exclude[i],
                  t->corpus, file);
      return false;
    }
  }
  return true;
}

/* What all files follow from: seed, epochs, and every model that is not left out. Also counts
 * these. */
static char *identity_of(PtTrain *t, GError **error) {
  g_autoptr(GPtrArray) names = pt_dir_list(t->corpus, ".onnx", error);
  if (!names || !check_excluded(t, names, error))
    return NULL;
  g_autoptr(GString) all = g_string_new("proteus train 1\n");
  g_string_append_printf(all, "%u %s\n", t->epochs, t->seed ? t->seed : "");
  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    g_autofree char *stem = g_strndup(name, strlen(name) - strlen(".onnx"));
    g_autofree char *path = g_build_filename(t->corpus, name, NULL);
    if (t->exclude && g_strv_contains(t->exclude, stem))
      continue;
    g_autofree char *sha256 = pt_sha256_file(path, error);
    if (!sha256)
      return NULL;
    g_string_append_printf(all, "%s %s\n", sha256, name);
    t->models++;
  }
  return pt_sha256_hex(all->str, all->len);
}

static json_t *record_new(const PtTrain *t, const char *identity) {
  json_t *record = json_object(), *exclude = json_array();
  for (uint32_t i = 0; t->exclude && t->exclude[i]; i++)
    json_array_append_new(exclude, pt_json_text(t->exclude[i]));
  json_object_set_new(record, "format", json_string("proteus-generator"));
  json_object_set_new(record, "version", json_integer(1));
  json_object_set_new(record, "identity", json_string(identity));
  json_object_set_new(record, "seed", pt_json_text(t->seed ? t->seed : "proteus"));
  json_object_set_new(record, "exclude", exclude);
  json_object_set_new(record, "files", json_object());
  return record;
}

/* The record of the folder, or NULL where there is none. */
static json_t *record_read(const PtTrain *t, const char *identity, bool *ok, GError **error) {
  g_autofree char *path = in_folder(t, RECORD);
  *ok = true;
  if (!t->resume || !g_file_test(path, G_FILE_TEST_EXISTS))
    return NULL;
  g_autoptr(GBytes) bytes = pt_file_map(path, MAX_RECORD, error);
  gsize size = 0;
  const char *text = bytes ? g_bytes_get_data(bytes, &size) : NULL;
  json_t *record = text ? json_loadb(text, size, 0, NULL) : NULL;
  const char *of = json_string_value(json_object_get(record, "identity"));
  if (of && g_str_equal(of, identity) && json_is_object(json_object_get(record, "files")))
    return record;
  *ok = false;
  if (bytes)
    g_set_error(error, PT_CLI_ERROR, of ? PT_ERR_MISMATCH : PT_ERR_INPUT,
                of ? "%s is of another corpus, seed or exclusion; train without --resume, or into "
                     "another folder."
                   : "%s is no record of a training; train without --resume.",
                path);
  json_decref(record);
  return NULL;
}

static bool record_write(const PtTrain *t, json_t *record, GError **error) {
  g_autofree char *path = in_folder(t, RECORD);
  char *text = json_dumps(record, JSON_INDENT(1) | JSON_SORT_KEYS);
  bool ok = text && pt_file_write(path, 0644, text, strlen(text), error);
  free(text);
  return ok;
}

/* A file is done if it is the one that the record has. */
static bool is_done(const PtTrain *t, const json_t *record, const char *name) {
  g_autofree char *path = in_folder(t, name);
  const char *recorded = json_string_value(json_object_get(json_object_get(record, "files"), name));
  g_autofree char *sha256 = recorded ? pt_sha256_file(path, NULL) : NULL;
  return sha256 && g_str_equal(sha256, recorded);
}

static void numbers_to(json_t *record, const char *key, const GArray *numbers) {
  json_t *list = json_array();
  for (guint i = 0; i < numbers->len; i++)
    json_array_append_new(list, pt_json_real(g_array_index(numbers, double, i)));
  json_object_set_new(record, key, list);
}

static void numbers_from(const json_t *record, const char *key, GArray *numbers) {
  const json_t *list = json_object_get(record, key);
  for (size_t i = 0; i < json_array_size(list); i++) {
    double x = json_number_value(json_array_get(list, i));
    g_array_append_val(numbers, x);
  }
}

/* The curves, as plain numbers. An element begins with `count` doubles that are kept. */
static void curve_to(json_t *record, const char *key, const GArray *curve, size_t element,
                     size_t count) {
  g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint i = 0; i < curve->len; i++)
    g_array_append_vals(numbers, curve->data + i * element, (guint)count);
  numbers_to(record, key, numbers);
}

static void curve_from(const json_t *record, const char *key, GArray *curve, size_t element,
                       size_t count) {
  g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(double));
  numbers_from(record, key, numbers);
  g_array_set_size(curve, (guint)(numbers->len / count));
  if (curve->len) /* nothing learned yet: there is no data */
    memset(curve->data, 0, curve->len * element);
  for (guint i = 0; i < curve->len; i++)
    memcpy(curve->data + i * element, &g_array_index(numbers, double, i *count),
           count * sizeof(double));
}

static void curves(PtTrain *t, json_t *record, bool write) {
  static const char *const keys[] = {"topology_loss", "walk_auc"};
  const size_t kept = sizeof(PtTopologyEpoch) / sizeof(double);
  if (write) {
    curve_to(record, keys[0], t->learned, sizeof(PtTopologyEpoch), kept);
    curve_to(record, keys[1], t->rounds, sizeof(PtWalkRound), 3);
  } else {
    curve_from(record, keys[0], t->learned, sizeof(PtTopologyEpoch), kept);
    curve_from(record, keys[1], t->rounds, sizeof(PtWalkRound), 3);
  }
}

/* ---- the whole --------------------------------------------------------------------------------
 */
static bool run_steps(PtTrain *t, json_t *record, GError **error) {
  json_t *files = json_object_get(record, "files");
  bool fresh = false; /* what follows from a file that was made anew is made anew */
  for (int i = 0; i < N_STEPS; i++) {
    g_autofree char *path = in_folder(t, steps[i].file);
    g_ptr_array_add(t->files, g_strdup(steps[i].file));
    if (!fresh && is_done(t, record, steps[i].file)) {
      t->resumed++;
      continue;
    }
    fresh = true;
    if (!steps[i].make(t, path, error))
      return false;
    g_autofree char *sha256 = pt_sha256_file(path, error);
    if (!sha256)
      return false;
    json_object_set_new(files, steps[i].file, json_string(sha256));
    curves(t, record, true);
    if (!record_write(t, record, error))
      return false;
  }
  g_autofree char *checkpoint = in_folder(t, CHECKPOINT);
  g_unlink(checkpoint);
  return true;
}

bool pt_train_run(PtTrain *train, GError **error) {
  train->learned = g_array_new(FALSE, TRUE, sizeof(PtTopologyEpoch));
  train->rounds = g_array_new(FALSE, TRUE, sizeof(PtWalkRound));
  train->files = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *identity = identity_of(train, error);
  if (!identity || !pt_dir_make(train->out, error))
    return false;
  bool ok;
  json_t *record = record_read(train, identity, &ok, error);
  if (record)
    curves(train, record, false);
  else if (ok) {
    /* Before anything else, or what an older training left would be taken for this one's. */
    g_autofree char *checkpoint = in_folder(train, CHECKPOINT);
    g_unlink(checkpoint);
    record = record_new(train, identity);
    ok = record_write(train, record, error);
  }
  ok = ok && run_steps(train, record, error);
  json_decref(record);
  if (!ok)
    return false;
  g_autofree char *pieces = in_folder(train, "pieces.bin");
  g_autoptr(PtCorpus) corpus = pt_corpus_open(pieces, error);
  if (!corpus)
    return false;
  train->pieces = pt_corpus_size(corpus);
  return pt_train_draw(train, error);
}
