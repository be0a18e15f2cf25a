/* table: the figures of the README, as Markdown on stdout.
 * table [works|fast|scale|loss ...] [--models a,b,c] [-k K] [--level LEVEL] [--target TARGET]
 * [--iterations N] [--loads N] Each step is the command line in a process of its own, so time and
 * peak memory are what a user has. */
#include "onnx/onnx.h"
#include "places.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
  char *models, *level, *target;
  int k, iterations, loads;
} option = {.k = -1, .iterations = 100, .loads = 5};

static char *program, *scale_program, *folder;

/* ---- steps
 * --------------------------------------------------------------------------------------- */

typedef struct {
  int status; /* exit status, -1 for a signal */
  double seconds;
  double megabytes; /* peak resident */
  json_t *json;     /* what it printed, or NULL */
} Step;

static void clear_step(Step *step) {
  json_decref(step->json);
  step->json = NULL;
}

static char *read_all(int fd) {
  GString *text = g_string_new(NULL);
  char buffer[65536];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) != 0;) {
    if (n > 0)
      g_string_append_len(text, buffer, n);
    else if (errno != EINTR)
      break;
  }
  return g_string_free(text, FALSE);
}

/* Runs a command, its stdout read as JSON. The list ends with NULL. */
static Step step_run(const char *first, ...) {
  GPtrArray *argv = g_ptr_array_new();
  va_list rest;
  va_start(rest, first);
  for (const char *arg = first; arg; arg = va_arg(rest, const char *))
    g_ptr_array_add(argv, (void *)(uintptr_t)arg);
  va_end(rest);
  g_ptr_array_add(argv, NULL);
  Step step = {.status = -1};
  int fds[2];
  if (pipe(fds) != 0)
    exit(4);
  double start = pt_clock();
  pid_t pid = fork();
  if (pid == 0) {
    dup2(fds[1], STDOUT_FILENO);
    close(fds[0]);
    close(fds[1]);
    execv(first, (char *const *)argv->pdata);
    _exit(127);
  }
  close(fds[1]);
  char *text = read_all(fds[0]);
  close(fds[0]);
  int status = 0;
  struct rusage usage = {0};
  if (pid > 0 && wait4(pid, &status, 0, &usage) == pid && WIFEXITED(status))
    step.status = WEXITSTATUS(status);
  step.seconds = pt_clock() - start;
  step.megabytes = (double)usage.ru_maxrss * 1024 / 1e6;
  step.json = json_loads(text, 0, NULL);
  g_free(text);
  g_ptr_array_unref(argv);
  return step;
}

static double number(const Step *step, const char *key) {
  const json_t *value = json_object_get(step->json, key);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static char *in_folder(const char *name) {
  return g_build_filename(folder, name, NULL);
}

static void forget(const char *name) {
  char *path = in_folder(name);
  if (g_file_test(path, G_FILE_TEST_IS_DIR))
    pt_dir_remove(path);
  else
    unlink(path);
  g_free(path);
}

static double file_megabytes(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (double)info.st_size / 1e6 : NAN;
}

/* The corpus's model with made-up weights; NULL if it is not there. */
static char *filled(const char *name) {
  char *skeleton = g_strdup_printf("%s/corpus/%s.onnx", PT_SOURCE_DIR, name);
  char *path = in_folder("model.onnx");
  Step step = step_run(program, "fill", skeleton, "-o", path, "--seed", "1", "--quiet", NULL);
  if (step.status != 0)
    g_clear_pointer(&path, g_free);
  clear_step(&step);
  g_free(skeleton);
  return path;
}

/* ---- the whole way
 * ------------------------------------------------------------------------------- */

typedef struct {
  const char *n, *k; /* pieces ("auto") and sentinels */
  const char *level, *target;
  bool plain, no_seams;
} Way;

typedef struct {
  Step obfuscate, optimize, deobfuscate;
  double bundle_megabytes; /* without noise.bin */
} Trip;

static void clear_trip(Trip *trip) {
  clear_step(&trip->obfuscate);
  clear_step(&trip->optimize);
  clear_step(&trip->deobfuscate);
}

/* model.onnx to model.opt.onnx in the folder; the first step that fails ends it. */
static Trip go(const char *model, const Way *way) {
  Trip trip = {.optimize = {.status = -1}, .deobfuscate = {.status = -1}};
  char *bundle = in_folder("bundle"), *answers = in_folder("optimized"),
       *secret = in_folder("secret"), *out = in_folder("model.opt.onnx");
  static const char *const leftovers[] = {"bundle", "optimized", "secret", "model.opt.onnx"};
  for (size_t i = 0; i < G_N_ELEMENTS(leftovers); i++)
    forget(leftovers[i]);
  trip.obfuscate = step_run(program, "obfuscate", model, "--bundle", bundle, "--secret", secret,
                            "-n", way->n, "-k", way->k, "--seed", "1", "--json", "--quiet",
                            way->plain ? "--plain" : NULL, NULL);
  trip.bundle_megabytes = number(&trip.obfuscate, "bundle_bytes") / 1e6;
  if (trip.obfuscate.status == 0)
    trip.optimize = step_run(program, "optimize", bundle, "--out", answers, "--level", way->level,
                             "--target", way->target, "--json", "--quiet", NULL);
  if (trip.optimize.status == 0)
    trip.deobfuscate =
        step_run(program, "deobfuscate", answers, "--secret", secret, "--model", model, "-o", out,
                 "--json", "--quiet", way->no_seams ? "--no-seams" : NULL, NULL);
  g_free(bundle);
  g_free(answers);
  g_free(secret);
  g_free(out);
  return trip;
}

static char *trip_failure(const Trip *trip) {
  if (trip->obfuscate.status != 0)
    return g_strdup_printf("obfuscate: status %d", trip->obfuscate.status);
  if (trip->optimize.status != 0)
    return g_strdup_printf("optimize: status %d", trip->optimize.status);
  if (trip->deobfuscate.status != 0)
    return g_strdup_printf("deobfuscate: status %d", trip->deobfuscate.status);
  return NULL;
}

/* ---- works
 * --------------------------------------------------------------------------------------- */

static char **models_or(const char *fallback) {
  if (option.models)
    return g_strsplit(option.models, ",", -1);
  if (fallback)
    return g_strsplit(fallback, ",", -1);
  char *corpus = g_build_filename(PT_SOURCE_DIR, "corpus", NULL);
  GPtrArray *names = pt_dir_list(corpus, ".onnx", NULL);
  char **list = g_new0(char *, names ? names->len + 1 : 1);
  for (guint i = 0; names && i < names->len; i++)
    list[i] = g_strndup(names->pdata[i], strlen(names->pdata[i]) - strlen(".onnx"));
  if (names)
    g_ptr_array_unref(names);
  g_free(corpus);
  return list;
}

/* Why, of what the table only counts. */
static void complain(const char *name, const Step *step, const char *key) {
  const json_t *list = json_object_get(step->json, key);
  if (json_array_size(list) == 0)
    return;
  char *text = json_dumps(list, JSON_INDENT(2));
  fprintf(stderr, "works: %s: %s: %s\n", name, key, text);
  free(text);
}

static void works(void) {
  char *k = g_strdup_printf("%d", option.k < 0 ? 1 : option.k);
  Way way = {.n = "auto",
             .k = k,
             .level = option.level ? option.level : "all",
             .target = option.target ? option.target : "portable"};
  printf("### Works: the whole way, level %s, target %s, k = %s\n\n"
         "| model | MB | nodes | pieces | buckets | optimized | fell back | nodes after | verify's "
         "largest "
         "difference | s |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
         way.level, way.target, k);
  char **models = models_or(NULL);
  uint32_t good = 0, total = 0;
  for (char **name = models; *name; name++) {
    fprintf(stderr, "works: %s\n", *name);
    char *model = filled(*name), *out = in_folder("model.opt.onnx");
    total++;
    if (!model) {
      printf("| %s | fill fails |\n", *name);
      g_free(out);
      continue;
    }
    Trip trip = go(model, &way);
    char *failure = trip_failure(&trip);
    Step verify = {.status = -1};
    if (!failure)
      verify = step_run(program, "verify", model, out, "--json", "--quiet", NULL);
    if (failure)
      printf("| %s | %.0f | %s |\n", *name, file_megabytes(model), failure);
    else
      printf("| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %zu | %.0f | %s%.1e | %.1f |\n", *name,
             file_megabytes(model), number(&trip.obfuscate, "nodes"),
             number(&trip.obfuscate, "pieces"), number(&trip.obfuscate, "buckets"),
             number(&trip.deobfuscate, "optimized"),
             json_array_size(json_object_get(trip.deobfuscate.json, "fallbacks")),
             number(&trip.deobfuscate, "nodes_after"), verify.status == 0 ? "" : "**differs** ",
             number(&verify, "difference"),
             trip.obfuscate.seconds + trip.optimize.seconds + trip.deobfuscate.seconds);
    complain(*name, &trip.optimize, "failures");
    complain(*name, &trip.deobfuscate, "fallbacks");
    fflush(stdout);
    good += !failure && verify.status == 0;
    clear_step(&verify);
    clear_trip(&trip);
    g_free(failure);
    g_free(model);
    g_free(out);
  }
  printf("\n%u of %u go the whole way and compute the same.\n\n", good, total);
  g_strfreev(models);
  g_free(k);
}

/* ---- fast
 * ---------------------------------------------------------------------------------------- */

static void fast(void) {
  char *k = g_strdup_printf("%d", option.k < 0 ? 20 : option.k);
  Way way = {.n = "auto",
             .k = k,
             .level = option.level ? option.level : "all",
             .target = option.target ? option.target : "portable"};
  printf("### Fast: k = %s\n\n| model | MB | obfuscate | optimize | deobfuscate | bundle without "
         "noise | answers | memory allowed |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
         k);
  char **models = models_or("resnet50,bert_base");
  for (char **name = models; *name; name++) {
    fprintf(stderr, "fast: %s\n", *name);
    char *model = filled(*name);
    if (!model) {
      printf("| %s | fill fails |\n", *name);
      continue;
    }
    Trip trip = go(model, &way);
    char *failure = trip_failure(&trip);
    double size = file_megabytes(model);
    printf(
        "| %s | %.0f | %.1f s, %.0f MB | %.1f s, %.0f MB | %.1f s, %.0f MB | %.1f MB | %.1f MB | "
        "%.0f MB |%s\n",
        *name, size, trip.obfuscate.seconds, trip.obfuscate.megabytes, trip.optimize.seconds,
        trip.optimize.megabytes, trip.deobfuscate.seconds, trip.deobfuscate.megabytes,
        trip.bundle_megabytes, number(&trip.optimize, "bytes") / 1e6, 2 * size + 200,
        failure ? failure : "");
    fflush(stdout);
    g_free(failure);
    clear_trip(&trip);
    g_free(model);
  }
  puts("");
  g_strfreev(models);
  g_free(k);
}

static void scale(void) {
  printf("### Scale: partition of made-up graphs\n\n```\n");
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    execl(scale_program, scale_program, (char *)NULL);
    _exit(127);
  }
  int status;
  if (pid > 0)
    waitpid(pid, &status, 0);
  puts("```\n");
}

/* ---- loss
 * ---------------------------------------------------------------------------------------- */

typedef struct {
  const char *name;
  bool plain, no_seams;
} Column;
static const Column columns[] = {
    {"plain cuts", true, true}, {"fusion-aware", false, true}, {"seams mended", false, false}};
static const uint32_t piece_sizes[] = {8, 16};
enum { COLUMNS = G_N_ELEMENTS(columns), SIZES = G_N_ELEMENTS(piece_sizes) };

static const json_t *bench_row(const Step *bench, const char *name) {
  const json_t *rows = json_object_get(bench->json, "rows");
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *row = json_array_get(rows, i);
    if (g_str_equal(json_string_value(json_object_get(row, "name")), name))
      return row;
  }
  return NULL;
}

static double milliseconds(const Step *bench, const char *name) {
  return 1e3 * json_number_value(json_object_get(bench_row(bench, name), "mean"));
}

static int64_t operator_count(const json_t *row, const char *name) {
  const json_t *histogram = json_object_get(row, "histogram");
  for (size_t i = 0; i < json_array_size(histogram); i++) {
    const char *entry = json_string_value(json_array_get(histogram, i)),
               *space = strrchr(entry, ' ');
    if (strlen(name) == (size_t)(space - entry) &&
        strncmp(entry, name, (size_t)(space - entry)) == 0)
      return g_ascii_strtoll(space + 1, NULL, 10);
  }
  return 0;
}

static void add_gaps(GString *text, const json_t *of, const json_t *other, bool only_new) {
  const json_t *histogram = json_object_get(of, "histogram");
  for (size_t i = 0; i < json_array_size(histogram); i++) {
    const char *entry = json_string_value(json_array_get(histogram, i));
    char *name = g_strndup(entry, (gsize)(strrchr(entry, ' ') - entry));
    int64_t here = operator_count(of, name), there = operator_count(other, name);
    if (here != there && (!only_new || there == 0))
      g_string_append_printf(text, "%s%s %+d", text->len ? ", " : "", name,
                             (int)(only_new ? here : there - here));
    g_free(name);
  }
}

/* "Conv -2, ReorderOutput +1": what the result has more and less of than best attainable; and
 * how many pieces fell back, which explains a gap. */
static char *histogram_gap(const Step *bench) {
  const json_t *best = bench_row(bench, "best attainable"), *ours = bench_row(bench, "proteus");
  GString *text = g_string_new(NULL);
  add_gaps(text, best, ours, false);
  add_gaps(text, ours, best, true);
  if (text->len == 0)
    g_string_append(text, "none");
  size_t fallbacks = json_array_size(json_object_get(bench->json, "fallbacks"));
  if (fallbacks > 0)
    g_string_append_printf(text, " (%zu fell back)", fallbacks);
  return g_string_free(text, FALSE);
}

/* One cell: the slowdown, NAN where a step failed. *bench is the caller's to clear. */
static double measure(const char *model, uint32_t nodes, uint32_t size, const Column *column,
                      Step *bench) {
  char *n = g_strdup_printf("%u", MAX(1, (nodes + size / 2) / size));
  char *iterations = g_strdup_printf("%d", option.iterations),
       *loads = g_strdup_printf("%d", option.loads), *out = in_folder("model.opt.onnx");
  Way way = {.n = n,
             .k = "0",
             .level = option.level ? option.level : "all",
             .target = option.target ? option.target : "native",
             .plain = column->plain,
             .no_seams = column->no_seams};
  Trip trip = go(model, &way);
  *bench = (Step){.status = -1};
  if (trip.deobfuscate.status == 0)
    *bench = step_run(program, "bench", model, out, "--level", way.level, "--target", way.target,
                      "--iterations", iterations, "--loads", loads, "--twice", "--json", "--quiet",
                      NULL);
  if (bench->json)
    json_object_set(bench->json, "fallbacks", json_object_get(trip.deobfuscate.json, "fallbacks"));
  clear_trip(&trip);
  g_free(n);
  g_free(iterations);
  g_free(loads);
  g_free(out);
  return bench->status == 0 ? number(bench, "slowdown") : NAN;
}

static void loss(void) {
  printf(
      "### Loss: slowdown against best attainable\n\nLevel %s, target %s, %d runs over %d loads of "
      "each, interleaved; (again): a second copy of best attainable.\n\n| model | unoptimized | "
      "best "
      "| again |",
      option.level ? option.level : "all", option.target ? option.target : "native",
      option.iterations, option.loads);
  for (size_t s = 0; s < SIZES; s++)
    for (size_t c = 0; c < COLUMNS; c++)
      printf(" %s, %u |", columns[c].name, piece_sizes[s]);
  printf(" operators against best (mended, %u; %u) |\n|---|---:|---:|---:|", piece_sizes[0],
         piece_sizes[SIZES - 1]);
  for (size_t i = 0; i < SIZES * COLUMNS; i++)
    printf("---:|");
  printf("---|\n");
  char **models = models_or("resnet50,googlenet,inception_v3,mobilenet_v2,mnasnet1_0,densenet121,"
                            "seresnet50,efficientnet_b0,bert_base,roberta_base,xlm");
  double logs[SIZES][COLUMNS] = {{0}}, worst[SIZES][COLUMNS];
  uint32_t counted[SIZES][COLUMNS] = {{0}};
  for (size_t i = 0; i < SIZES * COLUMNS; i++)
    worst[i / COLUMNS][i % COLUMNS] = -INFINITY;
  for (char **name = models; *name; name++) {
    char *model = filled(*name);
    g_autoptr(PtGraph) graph = model ? pt_onnx_read(model, NULL, NULL) : NULL;
    if (!graph) {
      printf("| %s | fill fails |\n", *name);
      g_free(model);
      continue;
    }
    GString *cells = g_string_new(NULL), *gaps = g_string_new(NULL);
    double plain = 0, best = 0, noise = 0;
    uint32_t measured = 0;
    for (size_t s = 0; s < SIZES; s++)
      for (size_t c = 0; c < COLUMNS; c++) {
        fprintf(stderr, "loss: %s, %u nodes a piece, %s\n", *name, piece_sizes[s], columns[c].name);
        Step bench;
        double slowdown =
            measure(model, pt_graph_n_nodes(graph), piece_sizes[s], &columns[c], &bench);
        if (isnan(slowdown)) {
          g_string_append(cells, " fails |");
        } else {
          g_string_append_printf(cells, " %+.1f %% |", 100 * slowdown);
          logs[s][c] += log1p(slowdown);
          worst[s][c] = MAX(worst[s][c], slowdown);
          counted[s][c]++;
          plain += milliseconds(&bench, "unoptimized");
          best += milliseconds(&bench, "best attainable");
          noise += number(&bench, "noise");
          measured++;
          if (c == COLUMNS - 1) {
            char *gap = histogram_gap(&bench);
            g_string_append_printf(gaps, "%s%s", gaps->len ? "; " : "", gap);
            g_free(gap);
          }
        }
        clear_step(&bench);
      }
    measured = MAX(measured, 1);
    printf("| %s | %.1f ms | %.1f ms | %+.1f %% |%s %s |\n", *name, plain / measured,
           best / measured, 100 * noise / measured, cells->str, gaps->str);
    fflush(stdout);
    g_string_free(cells, TRUE);
    g_string_free(gaps, TRUE);
    g_free(model);
  }
  printf("| **mean** | | | |");
  for (size_t i = 0; i < SIZES * COLUMNS; i++)
    printf(" %+.1f %% |", 100 * expm1(logs[i / COLUMNS][i % COLUMNS] /
                                      MAX(counted[i / COLUMNS][i % COLUMNS], 1u)));
  printf(" |\n| **worst** | | | |");
  for (size_t i = 0; i < SIZES * COLUMNS; i++)
    printf(" %+.1f %% |", 100 * worst[i / COLUMNS][i % COLUMNS]);
  printf(" |\n\n");
  g_strfreev(models);
}

/* ---- main
 * ---------------------------------------------------------------------------------------- */

static void machine(void) {
  char *info = NULL, *model = NULL;
  if (g_file_get_contents("/proc/cpuinfo", &info, NULL, NULL)) {
    const char *at = strstr(info, "model name");
    at = at ? strchr(at, ':') : NULL;
    if (at)
      model = g_strstrip(g_strndup(at + 1, strcspn(at + 1, "\n")));
  }
  printf("Machine: %s, %u cores. ONNX Runtime %s.\n\n", model ? model : "unknown processor",
         pt_threads(0), pt_runtime_load(NULL) ? pt_runtime_version() : "missing");
  g_free(model);
  g_free(info);
}

int main(int argc, char **argv) {
  GOptionEntry entries[] = {
      {"models", 0, 0, G_OPTION_ARG_STRING, &option.models, "Of the corpus, by commas", "LIST"},
      {"sentinels", 'k', 0, G_OPTION_ARG_INT, &option.k, "Sentinels (works: 1, fast: 20)", "K"},
      {"level", 0, 0, G_OPTION_ARG_STRING, &option.level, "basic, extended or all (all)", "LEVEL"},
      {"target", 0, 0, G_OPTION_ARG_STRING, &option.target, "portable or native", "TARGET"},
      {"iterations", 0, 0, G_OPTION_ARG_INT, &option.iterations, "Of loss (100)", "N"},
      {"loads", 0, 0, G_OPTION_ARG_INT, &option.loads, "Of loss (5)", "N"},
      {0}};
  const struct {
    const char *name;
    void (*run)(void);
  } tables[] = {{"works", works}, {"fast", fast}, {"scale", scale}, {"loss", loss}};
  GError *error = NULL;
  GOptionContext *context = g_option_context_new("[works] [fast] [scale] [loss]");
  g_option_context_add_main_entries(context, entries, NULL);
  bool ok = g_option_context_parse(context, &argc, &argv, &error);
  g_option_context_free(context);
  for (int i = 1; ok && i < argc; i++) {
    bool known = false;
    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++)
      known = known || g_str_equal(argv[i], tables[t].name);
    if (!known)
      g_set_error(&error, PT_BASE_ERROR, PT_ERR_USAGE, "there is no table %s", argv[i]);
    ok = known;
  }
  if (!ok) {
    fprintf(stderr, "table: %s\n", error->message);
    return 2;
  }
  program = g_build_filename(PT_BUILD_DIR, "proteus", NULL);
  scale_program = g_build_filename(PT_BUILD_DIR, "bench", "partition_scale", NULL);
  folder = pt_dir_make_temp("table", &error);
  if (!folder) {
    fprintf(stderr, "table: %s\n", error->message);
    return 3;
  }
  machine();
  for (size_t t = 0; t < G_N_ELEMENTS(tables); t++) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; i++)
      wanted = wanted || g_str_equal(argv[i], tables[t].name);
    if (wanted)
      tables[t].run();
  }
  pt_dir_remove(folder);
  return 0;
}
