/* bench.c: pt_bench: unoptimized, best attainable, and the result, interleaved in one process. */
#include "bench/bench.h"

#include "onnx/onnx.h"

#include <math.h>
#include <string.h>

G_DEFINE_QUARK(pt - bench - error - quark, pt_bench_error)

#define MAX_ROWS 4
#define WARM_UP 3

typedef struct {
  const char *name;
  char *path;         /* owned */
  double *seconds;    /* [iterations] */
  PtSession *session; /* of the load at hand */
} Contender;

typedef struct {
  const PtBenchOptions *options;
  uint32_t iterations, loads, n;
  Contender rows[MAX_ROWS];
  char *folder;      /* temporary, owned */
  PtGraph *graph;    /* of the model: its inputs */
  GPtrArray *inputs; /* PtArray, owned */
  PtArray **ordered; /* in the sessions' order */
  PtRng *rng;
} Bench;

/* Sizes of dynamic dimensions: a sentence's length first; what a model needs to run otherwise. */
static const int64_t sizes[] = {32, 64, 128, 224};

/* ---- best attainable
 * ------------------------------------------------------------------------------ */

static bool read_level(const PtBenchOptions *options, PtSessionOptions *session, GError **error) {
  static const struct {
    const char *name;
    PtLevel level;
  } levels[] = {{"basic", PT_LEVEL_BASIC}, {"extended", PT_LEVEL_EXTENDED}, {"all", PT_LEVEL_ALL}};
  const char *level = options->level ? options->level : "all";
  const char *target = options->target ? options->target : "portable";
  bool known = false;
  for (size_t i = 0; i < G_N_ELEMENTS(levels); i++)
    if (g_str_equal(level, levels[i].name)) {
      session->level = levels[i].level;
      known = true;
    }
  session->native = g_str_equal(target, "native");
  if (!known)
    g_set_error(error, PT_BENCH_ERROR, PT_ERR_USAGE, "there is no level %s: basic, extended or all",
                level);
  else if (!session->native && !g_str_equal(target, "portable")) {
    g_set_error(error, PT_BENCH_ERROR, PT_ERR_USAGE, "there is no target %s: portable or native",
                target);
    known = false;
  }
  return known;
}

/* The same optimizer on the whole model, saved, so that it is loaded as the result is. */
static bool make_best(Bench *bench, const char *path, GError **error) {
  PtSessionOptions options = {.save_path = path};
  if (!read_level(bench->options, &options, error))
    return false;
  uint64_t bytes = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(bench->graph); v++) {
    const PtTensor *t = pt_value(bench->graph, v)->constant;
    bytes += t ? t->size : 0;
  }
  if (bytes > (uint64_t)1 << 30) /* protobuf ends at 2 GB */
    options.save_external = "best.data";
  PtSession *session = pt_session_new_file(bench->options->model, &options, error);
  pt_session_free(session);
  return session != NULL;
}

/* ---- runs
 * ------------------------------------------------------------------------------------------ */

static bool open_all(Bench *bench, GError **error) {
  PtSessionOptions options = {
      .level = PT_LEVEL_NONE, .threads = bench->options->threads, .prepack = true};
  uint32_t order[MAX_ROWS];
  for (uint32_t i = 0; i < bench->n; i++)
    order[i] = i;
  /* Where a session's memory lies makes a difference, so no row is always the first. */
  pt_rng_shuffle(bench->rng, order, bench->n, sizeof order[0]);
  for (uint32_t i = 0; i < bench->n; i++) {
    Contender *row = &bench->rows[order[i]];
    row->session = pt_session_new_file(row->path, &options, error);
    if (!row->session)
      return false;
  }
  return true;
}

static void close_all(Bench *bench) {
  for (uint32_t i = 0; i < bench->n; i++) {
    pt_session_free(bench->rows[i].session);
    bench->rows[i].session = NULL;
  }
}

static bool same_inputs(const Bench *bench, GError **error) {
  const PtSession *first = bench->rows[0].session;
  for (uint32_t r = 1; r < bench->n; r++) {
    const PtSession *other = bench->rows[r].session;
    bool same = pt_session_n_inputs(first) == pt_session_n_inputs(other);
    for (uint32_t i = 0; same && i < pt_session_n_inputs(first); i++)
      same = g_str_equal(pt_session_input_name(first, i), pt_session_input_name(other, i));
    if (!same) {
      g_set_error(error, PT_BENCH_ERROR, PT_ERR_MISMATCH,
                  "%s does not have the inputs of %s, so they cannot be compared",
                  bench->rows[r].path, bench->rows[0].path);
      return false;
    }
  }
  return true;
}

/* Inputs that the model runs on. */
static bool find_inputs(Bench *bench, GError **error) {
  PtSeed seed;
  pt_seed_init(&seed, "bench");
  GError *first = NULL;
  for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
    GError *why = NULL;
    bench->inputs = pt_runtime_random_inputs(bench->graph, &seed, sizes[i], &why);
    if (bench->inputs)
      bench->ordered =
          pt_session_order_inputs(bench->rows[0].session, bench->graph, bench->inputs, &why);
    if (bench->ordered && !isnan(pt_session_time(bench->rows[0].session, bench->ordered, &why))) {
      g_clear_error(&first);
      return true;
    }
    g_clear_pointer(&bench->ordered, g_free);
    g_clear_pointer(&bench->inputs, g_ptr_array_unref);
    if (!first)
      first = why;
    else
      g_error_free(why);
  }
  g_propagate_error(error, first);
  return false;
}

/* Every session once, in random order; the times go to place `at`, or nowhere. */
static bool iterate(Bench *bench, uint32_t at, bool keep, GError **error) {
  uint32_t order[MAX_ROWS];
  for (uint32_t i = 0; i < bench->n; i++)
    order[i] = i;
  pt_rng_shuffle(bench->rng, order, bench->n, sizeof order[0]);
  for (uint32_t i = 0; i < bench->n; i++) {
    Contender *row = &bench->rows[order[i]];
    double seconds = pt_session_time(row->session, bench->ordered, error);
    if (isnan(seconds)) {
      g_prefix_error(error, "%s: ", row->path);
      return false;
    }
    if (keep)
      row->seconds[at] = MAX(seconds, 1e-9);
  }
  return true;
}

static bool measure(Bench *bench, GError **error) {
  uint32_t done = 0;
  for (uint32_t load = 0; load < bench->loads; load++) {
    uint32_t until = (uint32_t)((uint64_t)bench->iterations * (load + 1) / bench->loads);
    bool ok = open_all(bench, error) &&
              (load > 0 || (same_inputs(bench, error) && find_inputs(bench, error)));
    for (uint32_t i = 0; ok && i < WARM_UP; i++)
      ok = iterate(bench, 0, false, error);
    for (; ok && done < until; done++) {
      ok = iterate(bench, done, true, error);
      pt_progress(&bench->options->progress, "timing", done + 1, bench->iterations);
    }
    close_all(bench);
    if (!ok)
      return false;
  }
  return true;
}

/* ---- the report
 * ------------------------------------------------------------------------------------ */

typedef struct {
  const char *name;
  uint32_t count;
} Count;

static gint more_first(gconstpointer a, gconstpointer b) {
  const Count *x = a, *y = b;
  return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

/* "Conv", and "Conv (nchwc)" where another domain has one of the same name. */
static const char *operator_name(const PtNode *node, GStringChunk *names) {
  const char *dot = strrchr(node->domain, '.');
  if (*node->domain == '\0' || g_str_equal(node->domain, "com.microsoft"))
    return node->op_type;
  g_autofree char *text = g_strdup_printf("%s (%s)", node->op_type, dot ? dot + 1 : node->domain);
  return g_string_chunk_insert_const(names, text);
}

static bool histogram(PtBenchRow *row, const char *path, GError **error) {
  g_autoptr(PtGraph) graph = pt_onnx_read(path, NULL, error);
  if (!graph)
    return false;
  g_autoptr(GHashTable) at = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GStringChunk) names = g_string_chunk_new(1024);
  g_autoptr(GArray) counts = g_array_new(FALSE, TRUE, sizeof(Count));
  row->nodes = pt_graph_n_nodes(graph);
  for (PtNodeId n = 0; n < row->nodes; n++) {
    const char *op = operator_name(pt_node(graph, n), names);
    guint i = GPOINTER_TO_UINT(g_hash_table_lookup(at, op));
    if (i == 0) {
      Count fresh = {.name = op};
      g_array_append_val(counts, fresh);
      i = counts->len;
      g_hash_table_insert(at, (void *)(uintptr_t)op, GUINT_TO_POINTER(i));
    }
    g_array_index(counts, Count, i - 1).count++;
  }
  g_array_sort(counts, more_first);
  for (guint i = 0; i < counts->len; i++) {
    const Count *c = &g_array_index(counts, Count, i);
    g_ptr_array_add(row->histogram, g_strdup_printf("%s %u", c->name, c->count));
  }
  return true;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void free_row(void *data) {
  PtBenchRow *row = data;
  g_free(row->name);
  g_ptr_array_unref(row->histogram);
  g_free(row);
}

static bool summarize(Bench *bench, PtBenchReport *report, GError **error) {
  report->rows = g_ptr_array_new_with_free_func(free_row);
  report->slowdown = report->noise = NAN;
  uint32_t n = bench->iterations;
  for (uint32_t r = 0; r < bench->n; r++) {
    Contender *contender = &bench->rows[r];
    PtBenchRow *row = g_new0(PtBenchRow, 1);
    row->name = g_strdup(contender->name);
    row->histogram = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(report->rows, row);
    double logs = 0;
    for (uint32_t i = 0; i < n; i++)
      logs += log(contender->seconds[i]);
    qsort(contender->seconds, n, sizeof(double), by_size);
    row->mean = exp(logs / n);
    row->low = contender->seconds[n / 10];
    row->high = contender->seconds[n - 1 - n / 10];
    if (!histogram(row, contender->path, error))
      return false;
    double best = ((const PtBenchRow *)report->rows->pdata[MIN(r, 1)])->mean;
    if (g_str_equal(row->name, "proteus"))
      report->slowdown = row->mean / best - 1;
    else if (g_str_equal(row->name, "best attainable (again)"))
      report->noise = row->mean / best - 1;
  }
  return true;
}

/* ---- all of it
 * ------------------------------------------------------------------------------------- */

static void add_row(Bench *bench, const char *name, const char *path) {
  bench->rows[bench->n++] = (Contender){
      .name = name, .path = g_strdup(path), .seconds = g_new0(double, bench->iterations)};
}

static bool prepare(Bench *bench, GError **error) {
  const PtBenchOptions *options = bench->options;
  PtSessionOptions checked;
  if (!read_level(options, &checked, error))
    return false;
  bench->iterations = options->iterations ? options->iterations : 500;
  bench->loads = MIN(options->loads ? options->loads : 1, bench->iterations);
  if (bench->iterations > 10 * 1000 * 1000) {
    g_set_error(error, PT_BENCH_ERROR, PT_ERR_USAGE, "%u iterations are too many",
                bench->iterations);
    return false;
  }
  PtSeed seed;
  pt_seed_init(&seed, "bench");
  bench->rng = pt_rng_new(&seed, "order", 0);
  bench->graph = pt_onnx_read(options->model, NULL, error);
  bench->folder = bench->graph ? pt_dir_make_temp("bench", error) : NULL;
  if (!bench->folder)
    return false;
  g_autofree char *best = g_build_filename(bench->folder, "best.onnx", NULL);
  pt_progress(&options->progress, "optimizing the whole model", 0, 1);
  if (!make_best(bench, best, error))
    return false;
  pt_progress(&options->progress, "optimizing the whole model", 1, 1);
  add_row(bench, "unoptimized", options->model);
  add_row(bench, "best attainable", best);
  if (options->twice)
    add_row(bench, "best attainable (again)", best);
  if (options->result)
    add_row(bench, "proteus", options->result);
  return true;
}

static void clear(Bench *bench) {
  for (uint32_t i = 0; i < bench->n; i++) {
    g_free(bench->rows[i].path);
    g_free(bench->rows[i].seconds);
  }
  if (bench->inputs)
    g_ptr_array_unref(bench->inputs);
  g_free(bench->ordered);
  pt_rng_free(bench->rng);
  if (bench->graph)
    pt_graph_unref(bench->graph);
  if (bench->folder)
    pt_dir_remove(bench->folder);
  g_free(bench->folder);
}

bool pt_bench(const PtBenchOptions *options, PtBenchReport *report, GError **error) {
  memset(report, 0, sizeof *report);
  Bench bench = {.options = options};
  bool ok = prepare(&bench, error) && measure(&bench, error) && summarize(&bench, report, error);
  clear(&bench);
  if (!ok)
    pt_bench_report_clear(report);
  return ok;
}

void pt_bench_report_clear(PtBenchReport *report) {
  if (report->rows)
    g_ptr_array_unref(report->rows);
  memset(report, 0, sizeof *report);
}
