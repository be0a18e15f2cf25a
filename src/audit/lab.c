/* lab.c: targets are made by the program itself, over models whose family its generator has not
 * seen, and kept in a folder: what is there is not made again. */
#include "audit/audit_private.h"

#include "obfuscate/obfuscate.h"
#include "onnx/onnx.h"
#include "ops/ops.h"
#include "runtime/runtime.h"
#include "topology/topology.h"

#include <string.h>
#include <unistd.h>

G_DEFINE_QUARK(pt - audit - error - quark, pt_audit_error)

#define FAMILIES "families.txt"
#define KEY_DIGITS 12
#define EPOCHS 40 /* of a generator's topologies: docs/audit.md says what fewer cost */

/* ---- public models --------------------------------------------------------------------------- */
static PtGraph *read_model(const PtLab *w, uint32_t model, GError **error) {
  g_autofree char *name = g_strconcat(w->names->pdata[model], ".onnx", NULL);
  g_autofree char *path = g_build_filename(w->corpus, name, NULL);
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_MAP, .allow_empty = true};
  g_autoptr(PtGraph) g = pt_onnx_read(path, &options, error);
  /* as obfuscate has it before it is cut */
  return g && pt_runtime_infer_types(g, error) && pt_runtime_fold(g, error) ? g_steal_pointer(&g)
                                                                            : NULL;
}

typedef struct Viewing {
  const PtLab *work;
  GPtrArray *sights;
  GError **errors;
} Viewing;

static void view_task(size_t i, void *data) {
  Viewing *v = data;
  g_autoptr(PtGraph) g = read_model(v->work, (uint32_t)i, &v->errors[i]);
  v->sights->pdata[i] = g ? pt_sight_new(g) : NULL;
}

/* The file says which models, as another corpus has other families. */
static bool read_families(PtLab *w, const char *path) {
  g_autofree char *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, NULL))
    return false;
  g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
  if (g_strv_length(lines) != w->names->len)
    return false;
  for (guint i = 0; i < w->names->len; i++) {
    const char *space = strchr(lines[i], ' ');
    uint64_t family;
    if (!space || !g_str_equal(space + 1, w->names->pdata[i]) ||
        !pt_parse_whole((*strchr(lines[i], ' ') = '\0', lines[i]), w->names->len - 1, &family))
      return false;
    w->family[i] = (uint32_t)family;
    w->n_families = MAX(w->n_families, w->family[i] + 1);
  }
  return true;
}

static bool find_families(PtLab *w, const char *path, GError **error) {
  guint n = w->names->len;
  g_autoptr(GPtrArray) sights = g_ptr_array_new_with_free_func((GDestroyNotify)pt_sight_free);
  g_autofree GError **errors = g_new0(GError *, (gsize)n + 1);
  g_ptr_array_set_size(sights, (gint)n);
  Viewing v = {w, sights, errors};
  pt_progress(&w->progress, "comparing models", 0, 0);
  pt_parallel_for(n, w->threads, view_task, &v);
  bool ok = true;
  for (guint i = 0; i < n; i++) {
    if (errors[i] && ok)
      g_propagate_error(error, g_steal_pointer(&errors[i]));
    ok &= sights->pdata[i] != NULL;
    g_clear_error(&errors[i]);
  }
  if (!ok)
    return false;
  w->n_families = pt_families(sights, PT_FAMILY_SHARE, w->family);
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < n; i++)
    g_string_append_printf(text, "%u %s\n", w->family[i], (char *)w->names->pdata[i]);
  return pt_file_write(path, 0644, text->str, text->len, error);
}

static bool list_models(PtLab *w, GError **error) {
  g_autoptr(GPtrArray) files = pt_dir_list(w->corpus, ".onnx", error);
  if (!files)
    return false;
  for (guint i = 0; i < files->len; i++) {
    const char *file = files->pdata[i];
    g_ptr_array_add(w->names, g_strndup(file, strlen(file) - 5));
  }
  if (files->len < 2)
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_INPUT,
                "%s has %u ONNX models: an adversary needs others to learn from", w->corpus,
                files->len);
  return files->len >= 2;
}

/* ---- what is kept is of these files -----------------------------------------------------------
 */
static bool add_file(GString *key, const char *path, GError **error) {
  g_autofree char *sum = pt_sha256_file(path, error);
  if (sum)
    g_string_append_printf(key, "%s\n", sum);
  return sum != NULL;
}

/* Another program, generator or corpus makes other runs: a folder each. The shipped generator
 * stands for the code that trained it. */
static bool enter_folder(PtLab *w, GError **error) {
  static const char *const data[] = {"walk.bin", "pieces.bin", "topology.bin"};
  g_autoptr(GString) key = g_string_new(PROTEUS_VERSION "\n");
  for (size_t i = 0; i < G_N_ELEMENTS(data); i++) {
    g_autofree char *path = pt_data_find(data[i]);
    if (path && !add_file(key, path, error))
      return false;
  }
  for (guint i = 0; i < w->names->len; i++) {
    g_autofree char *name = g_strconcat(w->names->pdata[i], ".onnx", NULL);
    g_autofree char *path = g_build_filename(w->corpus, name, NULL);
    g_string_append_printf(key, "%s\n", name);
    if (!add_file(key, path, error))
      return false;
  }
  g_autofree char *sum = pt_sha256_hex(key->str, key->len), *outer = w->folder;
  sum[KEY_DIGITS] = '\0';
  w->folder = g_build_filename(outer, sum, NULL);
  return pt_dir_make(outer, error) && pt_dir_make(w->folder, error);
}

PtLab *pt_lab_open(const char *folder, const char *corpus, uint32_t groups, unsigned threads,
                   const PtProgress *progress, GError **error) {
  g_autoptr(PtLab) w = g_new0(PtLab, 1);
  *w = (PtLab){.folder = g_canonicalize_filename(folder, NULL),
               .corpus = g_canonicalize_filename(corpus, NULL),
               .names = g_ptr_array_new_with_free_func(g_free),
               .threads = threads};
  if (progress)
    w->progress = *progress;
  if (!list_models(w, error) || !enter_folder(w, error))
    return NULL;
  w->family = g_new0(uint32_t, (gsize)w->names->len + 1);
  w->group = g_new0(uint32_t, (gsize)w->names->len + 1);
  g_autofree char *path = g_build_filename(w->folder, FAMILIES, NULL);
  if (!read_families(w, path) && !find_families(w, path, error))
    return NULL;
  w->n_groups = pt_deal(w->family, w->names->len, groups, w->group);
  return g_steal_pointer(&w);
}

void pt_lab_close(PtLab *w) {
  if (!w)
    return;
  g_free(w->folder);
  g_free(w->corpus);
  g_free(w->family);
  g_free(w->group);
  g_ptr_array_unref(w->names);
  g_free(w);
}

uint32_t pt_lab_model(const PtLab *w, const char *name) {
  for (guint i = 0; i < w->names->len; i++)
    if (g_str_equal(w->names->pdata[i], name))
      return i;
  return PT_NONE;
}

/* ---- generators that have not seen a family ---------------------------------------------------
 */
/* Topologies of a generator's own pieces, learned as `proteus train` does. */
static bool learn_topologies(const PtLab *w, const char *pieces, const char *out, GError **error) {
  g_autoptr(PtCorpus) corpus = pt_corpus_open(pieces, error);
  g_autoptr(GPtrArray) all = corpus ? pt_corpus_topologies(corpus, error) : NULL;
  g_autofree char *checkpoint = g_strconcat(out, ".state", NULL);
  PtTopologyTrainOptions options = {.epochs = EPOCHS,
                                    .threads = w->threads,
                                    .checkpoint = checkpoint,
                                    .resume = true,
                                    .progress = w->progress};
  g_autoptr(PtTopologyModel) model = all ? pt_topology_train(all, &options, NULL, error) : NULL;
  bool ok = model && pt_topology_model_write(model, out, error);
  if (ok)
    (void)unlink(checkpoint);
  return ok;
}

char *pt_lab_generator(const PtLab *w, uint32_t group, bool shapes, GError **error) {
  g_autofree char *name = g_strdup_printf("without-%u-of-%u", group, w->n_groups);
  g_autofree char *folder = g_build_filename(w->folder, name, NULL);
  g_autofree char *walk = g_build_filename(folder, "walk.bin", NULL);
  g_autofree char *pieces = g_build_filename(folder, "pieces.bin", NULL);
  g_autofree char *topology = g_build_filename(folder, "topology.bin", NULL);
  g_autoptr(GPtrArray) exclude = g_ptr_array_new();
  for (guint i = 0; i < w->names->len; i++)
    if (w->group[i] == group)
      g_ptr_array_add(exclude, w->names->pdata[i]);
  g_ptr_array_add(exclude, NULL);
  const char *const *without = (const char *const *)exclude->pdata;
  if (!pt_dir_make(folder, error))
    return NULL;
  if (!g_file_test(pieces, G_FILE_TEST_EXISTS) &&
      !pt_corpus_build(w->corpus, without, pieces, w->threads, &w->progress, error))
    return NULL;
  PtWalkTrainOptions train = {.folder = w->corpus,
                              .out = walk,
                              .exclude = without,
                              .threads = w->threads,
                              .progress = w->progress};
  if (!g_file_test(walk, G_FILE_TEST_EXISTS) && !pt_walk_train(&train, NULL, error))
    return NULL;
  if (shapes && !g_file_test(topology, G_FILE_TEST_EXISTS) &&
      !learn_topologies(w, pieces, topology, error))
    return NULL;
  return g_steal_pointer(&folder);
}

/* ---- runs ------------------------------------------------------------------------------------ */
/* Scalars of a skeleton get a value, as they go out as they are. */
static void fill_scalars(PtGraph *g) {
  static const double zeros[16];
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtTensor *c = pt_value(g, v)->constant;
    if (c && pt_tensor_is_empty(c) && c->size <= sizeof zeros)
      c->data = (const uint8_t *)zeros;
  }
}

#define NO_FILE "0000000000000000000000000000000000000000000000000000000000000000"

static bool run_program(const PtLab *w, const PtRunOptions *o, const char *bundle,
                        const char *secret, const char *data, GError **error) {
  g_autofree char *text = g_strdup_printf("audit %u", o->seed);
  g_autofree char *corpus_file = data ? g_build_filename(data, "pieces.bin", NULL) : NULL;
  PtObfuscateOptions options = {.model = w->names->pdata[o->model],
                                .bundle = bundle,
                                .secret = secret,
                                .n = o->n,
                                .k = o->k,
                                .mode = o->mode,
                                .threads = w->threads,
                                .progress = w->progress};
  PtSeed seed;
  pt_seed_init(&seed, text);
  seed = pt_seed_derive(&seed, w->names->pdata[o->model], 0);
  g_autoptr(PtGraph) g = read_model(w, o->model, error);
  if (!g)
    return false;
  fill_scalars(g);
  PtPartitionOptions how = {.n = o->n, .threads = w->threads};
  g_autoptr(PtPartition) parts = pt_partition(g, &how, &seed, error);
  g_autoptr(PtCorpus) corpus = parts ? pt_corpus_open(corpus_file, error) : NULL;
  PtObfuscateReport report;
  return corpus && pt_obfuscate_pieces(g, parts, NO_FILE, &options, &seed, corpus, &report, error);
}

/* Interrupted runs are made again: the secret is written last. */
static bool make_run(const PtLab *w, const PtRunOptions *o, const char *bundle, const char *secret,
                     const char *data, GError **error) {
  if (g_file_test(secret, G_FILE_TEST_EXISTS))
    return true;
  g_autofree char *answers = g_strconcat(bundle, ".answers", NULL);
  pt_dir_remove(bundle);
  (void)unlink(answers);
  pt_data_prefer(data);
  bool ok = run_program(w, o, bundle, secret, data, error);
  pt_data_prefer(NULL);
  g_autofree char *noise = g_build_filename(bundle, "noise.bin", NULL);
  if (ok)
    (void)unlink(noise); /* it can be made again, and is large */
  return ok;
}

PtCase *pt_lab_case(const PtLab *w, const PtRunOptions *o, GError **error) {
  g_autofree char *bundle = NULL;
  return pt_lab_case_ids(w, o, &bundle, NULL, error);
}

PtCase *pt_lab_case_ids(const PtLab *w, const PtRunOptions *o, char **bundle_out, GPtrArray *ids,
                        GError **error) {
  const char *name = w->names->pdata[o->model];
  bool shapes = g_str_equal(o->mode, "generate") || g_str_equal(o->mode, "random");
  g_autofree char *data =
      o->shipped ? NULL : pt_lab_generator(w, w->group[o->model], shapes, error);
  if (!data && !o->shipped)
    return NULL;
  g_autofree char *run = g_strdup_printf("%s-%s-n%u-k%u-%u-of-%u", name, o->mode, o->n, o->k,
                                         o->seed, o->shipped ? 0 : w->n_groups);
  char *bundle = *bundle_out = g_build_filename(w->folder, run, NULL);
  g_autofree char *secret = g_strconcat(bundle, ".secret", NULL);
  g_autofree char *walk_file = data ? g_build_filename(data, "walk.bin", NULL) : NULL;
  if (!make_run(w, o, bundle, secret, data, error))
    return NULL;
  g_autoptr(PtWalkModel) walk = pt_walk_model_open(walk_file, error);
  g_autoptr(GPtrArray) own = ids ? g_ptr_array_ref(ids) : g_ptr_array_new_with_free_func(g_free);
  g_autoptr(PtCase) t =
      walk ? pt_case_read(bundle, secret, name, walk, w->threads, own, error) : NULL;
  g_autofree char *answers = g_strconcat(bundle, ".answers", NULL);
  if (!t || (o->answers && !pt_case_answers(t, bundle, own, w->threads, answers, error)))
    return NULL;
  t->model = o->model;
  t->family = w->family[o->model];
  t->seed = o->seed;
  return g_steal_pointer(&t);
}
