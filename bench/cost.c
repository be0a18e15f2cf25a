/* cost: time and memory of obfuscate against n and k. Each run is a process of its own, for its
 * peak of memory; a line is fitted through the times: seconds = a + b n k. */
#include "base/base.h"
#include "proteus/proteus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Run {
  uint32_t n, k;
  double buckets, made, seconds, cpu, memory; /* wall, both; MB at its peak */
} Run;

static char *mode;
static int threads;

/* In the child: obfuscates and says how many buckets and candidates there were. */
static void work(const char *model, const char *folder, const Run *run, int out) {
  g_autofree char *bundle = g_build_filename(folder, "bundle", NULL),
                  *secret = g_build_filename(folder, "secret", NULL);
  PtObfuscateOptions options = {.model = model,
                                .bundle = bundle,
                                .secret = secret,
                                .n = run->n,
                                .k = run->k,
                                .seed = "cost",
                                .mode = mode,
                                .threads = (unsigned)threads};
  PtObfuscateReport report;
  GError *error = NULL;
  double start = pt_clock(), said[3] = {0};
  if (!pt_obfuscate(&options, &report, &error)) {
    fprintf(stderr, "%s\n", error->message);
    _exit(1);
  }
  said[0] = report.buckets;
  said[1] = report.candidates;
  said[2] = pt_clock() - start;
  _exit(write(out, said, sizeof said) == (ssize_t)sizeof said ? 0 : 1);
}

static bool measure(const char *model, Run *run) {
  g_autofree char *folder = pt_dir_make_temp("cost", NULL);
  int ends[2], status;
  double said[3];
  struct rusage usage;
  if (!folder || pipe(ends) != 0)
    return false;
  pid_t child = fork();
  if (child == 0)
    work(model, folder, run, ends[1]);
  close(ends[1]);
  bool ok = child > 0 && wait4(child, &status, 0, &usage) == child && status == 0 &&
            read(ends[0], said, sizeof said) == (ssize_t)sizeof said;
  close(ends[0]);
  pt_dir_remove(folder);
  if (!ok)
    return false;
  run->buckets = said[0];
  run->made = said[1];
  run->seconds = said[2];
  run->cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  run->memory = (double)usage.ru_maxrss / 1e3;
  return true;
}

/* Least squares of CPU seconds over candidates made; the share of the variance that it explains. */
static void fit(const GArray *runs) {
  double n = runs->len, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
  for (guint i = 0; i < runs->len; i++) {
    const Run *r = &g_array_index(runs, Run, i);
    x += r->made;
    y += r->cpu;
    xx += r->made * r->made;
    xy += r->made * r->cpu;
    yy += r->cpu * r->cpu;
  }
  double vx = xx - x * x / n, vy = yy - y * y / n, c = xy - x * y / n;
  if (vx > 0 && vy > 0)
    printf("CPU seconds = %.2f + %.4f * candidates (r^2 = %.3f)\n", (y - c / vx * x) / n, c / vx,
           c * c / (vx * vy));
}

/* "5,10,20" */
static GArray *numbers(const char *text) {
  GArray *list = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);
  for (char **p = parts; *p; p++) {
    uint32_t value = (uint32_t)strtoul(*p, NULL, 10);
    g_array_append_val(list, value);
  }
  return list;
}

int main(int argc, char **argv) {
  char *ns = NULL, *ks = NULL;
  GOptionEntry entries[] = {
      {"pieces", 'n', 0, G_OPTION_ARG_STRING, &ns, "5,10,20", "N,..."},
      {"sentinels", 'k', 0, G_OPTION_ARG_STRING, &ks, "10,20,50,100", "K,..."},
      {"mode", 'm', 0, G_OPTION_ARG_STRING, &mode, "as of obfuscate", "MODE"},
      {"threads", 't', 0, G_OPTION_ARG_INT, &threads, "as of obfuscate", "T"},
      {0}};
  g_autoptr(GOptionContext) context = g_option_context_new("MODEL.onnx");
  GError *error = NULL;
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2) {
    fprintf(stderr, "%s\n", error ? error->message : "one model, please");
    return 2;
  }
  g_autofree char *folder = pt_dir_make_temp("cost", NULL);
  g_autofree char *model = g_build_filename(folder, "model.onnx", NULL);
  if (!pt_fill_file(argv[1], model, "1", 0, &error)) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
  }
  g_autoptr(GArray) n = numbers(ns ? ns : "5,10,20"), k = numbers(ks ? ks : "10,20,50,100"),
                    runs = g_array_new(FALSE, FALSE, sizeof(Run));
  printf("%4s %4s %8s %11s %8s %8s %10s\n", "n", "k", "buckets", "candidates", "seconds", "CPU s",
         "memory MB");
  for (guint i = 0; i < n->len; i++)
    for (guint j = 0; j < k->len; j++) {
      Run run = {.n = g_array_index(n, uint32_t, i), .k = g_array_index(k, uint32_t, j)};
      if (!measure(model, &run))
        continue;
      g_array_append_val(runs, run);
      printf("%4u %4u %8.0f %11.0f %8.1f %8.1f %10.0f\n", run.n, run.k, run.buckets, run.made,
             run.seconds, run.cpu, run.memory);
      fflush(stdout);
    }
  fit(runs);
  pt_dir_remove(folder);
  return runs->len == n->len * k->len ? 0 : 1;
}
