/* rebind_coverage: what optimizers make of noise, and whether it is explained. For each model:
 * scrub, optimize by ONNX Runtime at every level, explain, bind the real weights, and compare with
 * what ONNX Runtime makes of the real weights themselves. rebind_coverage [--pieces] [--levels
 * bean] [--outputs] [--verbose] [--answer FILE] MODEL.onnx ... Levels: b basic, e extended, a all
 * portable, n all native. --answer: an optimizer's output for the whole model, scrubbed with
 * --scrub DIR before, instead of ONNX Runtime's. */
#include "bundle/bundle.h"
#include "fill/fill.h"
#include "onnx/onnx.h"
#include "partition/partition.h"
#include "rebind/rebind.h"
#include "runtime/runtime.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED "0123456789abcdef0123456789abcdef"

static gboolean by_pieces, outputs, verbose;
static char *levels = (char *)"bean", *scrub_to, *command;

typedef struct {
  uint32_t runs, refused, constants, derived, exact, inexact, absent;
  double worst, explain_seconds, bind_seconds, difference;
  uint64_t bytes;
} Tally;

typedef struct {
  PtGraph *piece, *candidate;
  GArray *source;
  PtNoise noise;
  char *folder, *path;
} Case;

static bool load(const char *path, PtGraph **graph, GError **error) {
  PtOnnxReadOptions options = {.allow_empty = true};
  PtSeed seed;
  pt_seed_init(&seed, "rebind");
  *graph = pt_onnx_read(path, &options, error);
  return *graph && pt_fill(*graph, &seed, 0, error) && pt_runtime_infer_types(*graph, error);
}

static bool case_open(Case *c, PtGraph *piece, GError **error) {
  PtNoiseNeed need = {0};
  PtSeed seed;
  pt_seed_init(&seed, "rebind");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "scrub", 0);
  c->piece = pt_graph_ref(piece);
  pt_noise_need(piece, &need);
  c->folder = scrub_to ? g_strdup(scrub_to) : pt_dir_make_temp("rebind", error);
  if (!c->folder || !pt_noise_init_for(&c->noise, SEED, &need, error))
    return false;
  c->candidate = pt_scrub(piece, &c->noise, rng, &c->source, error);
  c->path = g_build_filename(c->folder, "candidate.onnx", NULL);
  g_autofree char *noise = g_build_filename(c->folder, PT_NOISE_FILE, NULL);
  return c->candidate && pt_onnx_write(c->candidate, c->path, NULL, error) &&
         pt_noise_write(&c->noise, noise, 0, error);
}

static void case_close(Case *c) {
  if (c->folder && !scrub_to)
    pt_dir_remove(c->folder);
  g_clear_pointer(&c->candidate, pt_graph_unref);
  g_clear_pointer(&c->piece, pt_graph_unref);
  g_clear_pointer(&c->source, g_array_unref);
  g_free(c->folder);
  g_free(c->path);
}

static GArray *bindings_of(const Case *c) {
  GArray *bindings = g_array_new(FALSE, FALSE, sizeof(PtBinding));
  for (guint i = 0; i < c->source->len; i++) {
    PtScrubbed s = g_array_index(c->source, PtScrubbed, i);
    const PtTensor *t = pt_value(c->candidate, s.candidate)->constant;
    PtBinding b = {t->offset, pt_value(c->piece, s.original)->constant};
    if (t->location)
      g_array_append_val(bindings, b);
  }
  return bindings;
}

/* The candidate with the real weights in it. */
static PtGraph *real_candidate(const Case *c) {
  PtGraph *g = pt_graph_copy(c->candidate);
  for (guint i = 0; i < c->source->len; i++) {
    PtScrubbed s = g_array_index(c->source, PtScrubbed, i);
    const PtTensor *t = pt_value(c->candidate, s.candidate)->constant;
    const PtTensor *real = pt_value(c->piece, s.original)->constant;
    PtValueId v = pt_graph_find(g, pt_value(c->candidate, s.candidate)->name);
    if (t->location && v != PT_NONE)
      pt_value(g, v)->constant = pt_graph_tensor(g, t->dtype, t->rank, t->dims, real->data);
  }
  return g;
}

static PtGraph *optimized(PtSession *session, const char *path, GError **error) {
  if (!session)
    return NULL;
  pt_session_free(session);
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  return pt_onnx_read(path, &options, error);
}

static double worst_of(const PtTensor *a, const PtTensor *b) {
  double worst = 0;
  if (a->dtype != b->dtype || a->count != b->count)
    return INFINITY;
  if (memcmp(a->data, b->data, a->size) == 0)
    return 0;
  for (size_t i = 0; i < a->count; i++) {
    double x = pt_tensor_float_at(a, i), y = pt_tensor_float_at(b, i);
    double d = ABS(x - y) / MAX(ABS(y), 1e-30);
    worst = d == d ? MAX(worst, d) : INFINITY;
  }
  return worst;
}

/* Every bound constant against the optimizer's own, by name, else by content. */
static void compare_constants(const PtGraph *bound, const PtGraph *reference, Tally *t) {
  g_autoptr(GHashTable) contents = g_hash_table_new(NULL, NULL);
  for (PtValueId v = 0; v < pt_graph_n_values(reference); v++) {
    const PtTensor *c = pt_value(reference, v)->constant;
    if (c && c->data)
      g_hash_table_add(contents, (gpointer)(uintptr_t)pt_hash64(c->data, c->size, c->count));
  }
  for (PtValueId v = 0; v < pt_graph_n_values(bound); v++) {
    const PtTensor *c = pt_value(bound, v)->constant;
    if (!c || !c->data || !pt_dtype_is_float(c->dtype))
      continue;
    if (g_hash_table_contains(contents,
                              (gpointer)(uintptr_t)pt_hash64(c->data, c->size, c->count))) {
      t->exact++;
      continue;
    }
    PtValueId twin = pt_graph_find(reference, pt_value(bound, v)->name);
    const PtTensor *r = twin == PT_NONE ? NULL : pt_value(reference, twin)->constant;
    double d = r && r->data ? worst_of(c, r) : INFINITY;
    if (isinf(d))
      t->absent++;
    else {
      t->inexact++;
      t->worst = MAX(t->worst, d);
    }
    if (verbose)
      printf("    %s '%s' x%zu: %g\n", isinf(d) ? "no twin of" : "inexact",
             pt_value(bound, v)->name, c->count, d);
  }
}

static bool compare_outputs(const Case *c, const PtGraph *bound, Tally *t, GError **error) {
  PtSessionOptions none = {.level = PT_LEVEL_NONE};
  g_autoptr(PtGraph) real = real_candidate(c);
  g_autoptr(PtSession) a = pt_session_new(real, &none, error);
  g_autoptr(PtSession) b = a ? pt_session_new(bound, &none, error) : NULL;
  PtSeed seed;
  pt_seed_init(&seed, "inputs");
  g_autoptr(GPtrArray) inputs = b ? pt_runtime_random_inputs(real, &seed, 8, error) : NULL;
  g_autofree PtArray **in_a = inputs ? pt_session_order_inputs(a, real, inputs, error) : NULL;
  g_autofree PtArray **in_b = in_a ? pt_session_order_inputs(b, real, inputs, error) : NULL;
  g_autoptr(GPtrArray) out_a = in_b ? pt_session_run(a, in_a, error) : NULL;
  g_autoptr(GPtrArray) out_b = out_a ? pt_session_run(b, in_b, error) : NULL;
  if (!out_b)
    return false;
  for (guint i = 0; i < out_a->len; i++)
    t->difference = MAX(t->difference, pt_array_difference(out_a->pdata[i], out_b->pdata[i]));
  return true;
}

static bool explained(const Case *c, PtGraph *answer, Tally *t, GError **error) {
  uint32_t before = pt_graph_n_nodes(answer);
  double start = pt_clock();
  bool ok = pt_rebind_explain(answer, c->candidate, &c->noise, error);
  t->explain_seconds += pt_clock() - start;
  g_autoptr(GBytes) bytes = ok ? pt_onnx_write_bytes(answer, NULL, NULL, error) : NULL;
  if (!bytes)
    return false;
  t->derived += pt_graph_n_nodes(answer) - before;
  t->bytes += g_bytes_get_size(bytes);
  g_autoptr(GArray) bindings = bindings_of(c);
  start = pt_clock();
  ok = pt_rebind_bind(answer, (const PtBinding *)(void *)bindings->data, bindings->len, 0, error);
  t->bind_seconds += pt_clock() - start;
  for (PtValueId v = 0; v < pt_graph_n_values(answer); v++)
    t->constants += pt_value(answer, v)->constant != NULL;
  return ok;
}

static bool run_level(const Case *c, char letter, Tally *t, GError **error) {
  PtSessionOptions options = {.level = letter == 'b'   ? PT_LEVEL_BASIC
                                       : letter == 'e' ? PT_LEVEL_EXTENDED
                                                       : PT_LEVEL_ALL,
                              .native = letter == 'n'};
  g_autofree char *path = g_build_filename(c->folder, "answer.onnx", NULL);
  g_autofree char *real_path = g_build_filename(c->folder, "real.onnx", NULL);
  options.save_path = path;
  options.folder = c->folder;
  g_autoptr(PtGraph) answer = NULL, reference = NULL;
  if (command) {
    g_autofree char *line = g_strdup_printf("%s %s %s >/dev/null 2>&1", command, c->path, path);
    if (system(line) != 0) {
      printf("    '%s' fails\n", line);
      return true;
    }
    PtOnnxReadOptions read = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
    answer = pt_onnx_read(path, &read, error);
  } else
    answer = optimized(pt_session_new_file(c->path, &options, error), path, error);
  if (!answer || !explained(c, answer, t, error))
    return false;
  if (!command) {
    g_autoptr(PtGraph) real = real_candidate(c);
    options.save_path = real_path;
    reference = optimized(pt_session_new(real, &options, error), real_path, error);
    if (!reference)
      return false;
    compare_constants(answer, reference, t);
  }
  return !outputs || compare_outputs(c, answer, t, error);
}

static void run_graph(const char *name, PtGraph *piece, Tally *tallies) {
  Case c = {0};
  GError *error = NULL;
  if (!case_open(&c, piece, &error)) {
    printf("  %s: not scrubbed: %s\n", name, error->message);
    g_clear_error(&error);
  } else if (!scrub_to)
    for (size_t i = 0; levels[i]; i++) {
      Tally *t = &tallies[i];
      t->runs++;
      if (!run_level(&c, levels[i], t, &error)) {
        t->refused++;
        printf("  %s %c: %s\n", name, levels[i], error->message);
        g_clear_error(&error);
      }
    }
  case_close(&c);
}

static void run_pieces(const char *name, PtGraph *graph, Tally *tallies) {
  PtSeed seed;
  PtPartitionOptions options = {0};
  GError *error = NULL;
  pt_seed_init(&seed, "rebind");
  g_autoptr(PtPartition) partition = pt_partition(graph, &options, &seed, &error);
  if (!partition) {
    printf("  %s: %s\n", name, error->message);
    g_clear_error(&error);
    return;
  }
  g_autofree bool *seen = g_new0(bool, partition->n_groups);
  for (guint i = 0; i < partition->pieces->len; i++) {
    if (seen[partition->group[i]])
      continue;
    seen[partition->group[i]] = true;
    g_autofree char *label = g_strdup_printf("%s/%u", name, i);
    g_autoptr(PtGraph) piece = pt_graph_extract(graph, partition->pieces->pdata[i], NULL);
    run_graph(label, piece, tallies);
  }
}

int main(int argc, char **argv) {
  GOptionEntry entries[] = {
      {"pieces", 0, 0, G_OPTION_ARG_NONE, &by_pieces, "cut the model first", NULL},
      {"levels", 0, 0, G_OPTION_ARG_STRING, &levels, "of b, e, a, n", "bean"},
      {"outputs", 0, 0, G_OPTION_ARG_NONE, &outputs, "run both and compare", NULL},
      {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "name inexact constants", NULL},
      {"scrub", 0, 0, G_OPTION_ARG_FILENAME, &scrub_to, "only write candidate and noise here",
       "DIR"},
      {"command", 0, 0, G_OPTION_ARG_STRING, &command, "another optimizer: run as COMMAND in out",
       "COMMAND"},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  g_autoptr(GOptionContext) context = g_option_context_new("MODEL...");
  GError *error = NULL;
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error)) {
    fprintf(stderr, "%s\n", error->message);
    return 2;
  }
  bool all = true;
  for (int i = 1; i < argc; i++) {
    g_autofree char *name = g_path_get_basename(argv[i]);
    g_autoptr(PtGraph) graph = NULL;
    Tally tallies[8] = {{0}};
    if (!load(argv[i], &graph, &error)) {
      printf("%s: %s\n", name, error->message);
      g_clear_error(&error);
      all = false;
      continue;
    }
    (by_pieces ? run_pieces : run_graph)(name, graph, tallies);
    for (size_t k = 0; levels[k] && k < 8; k++) {
      Tally *t = &tallies[k];
      all &= t->refused == 0;
      printf("%-24s %c: %u runs, %u refused, %u constants, %u derivation nodes, bit-equal %u, near "
             "%u (%.1e), no twin %u, "
             "%.0f kB, explain %.2f s, bind %.2f s",
             name, levels[k], t->runs, t->refused, t->constants, t->derived, t->exact, t->inexact,
             t->worst, t->absent, (double)t->bytes / 1e3, t->explain_seconds, t->bind_seconds);
      printf(outputs ? ", outputs %.1e\n" : "\n", t->difference);
    }
    fflush(stdout);
  }
  return all ? 0 : 1;
}
