/* recombine: for each model, random choices of one candidate a bucket, put together as the real
 * pieces are: how many load with full optimization, run, and give finite outputs; and whether the
 * real pieces with their noise do. Also: how many sentinels there are, how many were wanted. */
#include "recombine.h"
#include "heap.h"

#include "onnx/onnx.h"

#include <stdio.h>
#include <string.h>

static PtObfuscateOptions asked = {.k = 20, .seed = "recombine"};
static int draws = 10;
static char *write_to;
static int written;
static gboolean load_only, verbose;

typedef struct Counts {
  uint32_t loads, runs, finite, of;
} Counts;

static void try_choice(const PtRecombination *of, const uint32_t *choice, PtLevel level,
                       GPtrArray *inputs, Counts *counts) {
  GError *error = NULL;
  g_autoptr(PtGraph) graph = pt_recombine(of, choice, &error);
  PtRecombined found = {0};
  if (graph && write_to) {
    g_autofree char *name = g_strdup_printf("%d.onnx", written++);
    g_autofree char *path = g_build_filename(write_to, name, NULL);
    pt_onnx_write(graph, path, NULL, &error);
  }
  if (graph && !error)
    found = pt_recombine_try(of, graph, level, load_only ? NULL : inputs, &error);
  if (error && verbose)
    printf("  %s\n", error->message);
  g_clear_error(&error);
  counts->of++;
  counts->loads += found.loads;
  counts->runs += found.runs;
  counts->finite += found.finite;
}

static void choose_real(const PtSecret *secret, uint32_t *choice) {
  for (guint b = 0; b < secret->buckets->len; b++) {
    const PtSecretBucket *bucket = secret->buckets->pdata[b];
    for (guint i = 0; !bucket->kept && i < bucket->candidates->len; i++)
      if (g_str_equal(bucket->candidates->pdata[i], bucket->real))
        choice[b] = i;
  }
}

/* Which candidate of the choice makes it so: real pieces everywhere else. */
static void blame(const PtRecombination *of, const uint32_t *choice, GPtrArray *inputs) {
  uint32_t n = of->secret->buckets->len;
  g_autofree uint32_t *one = g_new0(uint32_t, n + 1);
  for (uint32_t b = 0; b < n; b++) {
    const PtSecretBucket *bucket = of->secret->buckets->pdata[b];
    choose_real(of->secret, one);
    if (bucket->kept || one[b] == choice[b])
      continue;
    one[b] = choice[b];
    Counts counts = {0};
    try_choice(of, one, PT_LEVEL_ALL, inputs, &counts);
    if (!counts.finite)
      printf("  bucket %u, %s: %s by itself\n", b + 1,
             (const char *)bucket->candidates->pdata[choice[b]],
             counts.runs ? "not finite" : "does not run");
  }
}

static bool run_model(const char *path, GError **error) {
  g_autoptr(PtHeap) heap = pt_heap_new(path, &asked, error);
  g_autoptr(PtSecret) secret = heap ? pt_secret_read(heap->secret, error) : NULL;
  g_autoptr(PtGraph) model = secret ? pt_onnx_read(heap->model, NULL, error) : NULL;
  if (!model || !pt_runtime_infer_types(model, error) || !pt_runtime_fold(model, error))
    return false;
  PtSeed seed;
  pt_seed_init(&seed, asked.seed);
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(model, &seed, 2, error);
  if (!inputs)
    return false;
  const PtRecombination of = {model, heap->bundle, secret};
  g_autofree uint32_t *choice = g_new0(uint32_t, secret->buckets->len + 1);
  Counts random = {0}, real = {0};
  for (int i = 0; i < draws; i++) {
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "choice", (uint64_t)i);
    pt_recombine_draw(secret, rng, choice);
    uint32_t before = random.finite;
    try_choice(&of, choice, PT_LEVEL_ALL, inputs, &random);
    if (verbose && !load_only && random.finite == before)
      blame(&of, choice, inputs);
  }
  choose_real(secret, choice);
  try_choice(&of, choice, PT_LEVEL_ALL, inputs, &real);
  g_autofree char *name = g_path_get_basename(path);
  printf("%-24s buckets %3u  candidates %4u  missing %3u  of %u: load %u, run %u, finite %u   "
         "real: %s   %.1f s\n",
         name, heap->report.buckets, heap->report.candidates, heap->report.missing, random.of,
         random.loads, random.runs, random.finite,
         real.finite  ? "finite"
         : real.runs  ? "not finite"
         : real.loads ? "does not run"
                      : "does not load",
         heap->report.seconds);
  fflush(stdout);
  return true;
}

int main(int argc, char **argv) {
  GOptionEntry entries[] = {
      {"draws", 'd', 0, G_OPTION_ARG_INT, &draws, "choices to try (10)", "D"},
      {"load-only", 0, 0, G_OPTION_ARG_NONE, &load_only, "do not run them", NULL},
      {"write", 'w', 0, G_OPTION_ARG_FILENAME, &write_to, "write them there, numbered", "DIR"},
      {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "say why", NULL},
      {0}};
  GError *error = NULL;
  if (!pt_heap_arguments(&argc, &argv, "MODEL.onnx...", entries, &asked))
    return 2;
  bool ok = true;
  for (int i = 1; i < argc; i++)
    if (!run_model(argv[i], &error)) {
      printf("%s: %s\n", argv[i], error->message);
      g_clear_error(&error);
      ok = false;
    }
  return ok ? 0 : 1;
}
