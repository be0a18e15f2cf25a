/* audit_contest -w FOLDER [-c CORPUS] [-s SEEDS] [-n PIECES] [-k K] [-m MODE] [-f FOLDS] [-a
 * ADVERSARY]...
 *               [-t TEST]... [-l] [-e] [MODEL...]: every adversary against runs over the models
 * (none: all of the corpus); -l: a table a model; -e: no contest, but what tells by itself; -F:
 * prints families and stops. -t: models whose figures are shown (default: all). */
#include "audit/audit_private.h"
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(const char *what, uint64_t done, uint64_t total, void *data) {
  double *last = data;
  if (pt_clock() - *last < 5)
    return;
  *last = pt_clock();
  fprintf(stderr, "%s %u/%u\n", what, (unsigned)done, (unsigned)total);
}

static void print_row(const char *name, const PtSummary *s) {
  printf("%-19s area %.3f +- %.3f  first %.3f (%.3f)  kept %.3f +- %.3f  bits %.2f/%.2f  p %.4f  "
         "%u buckets, %u runs\n",
         name, s->area, s->area_error, s->first, s->chance, s->kept, s->bits_error, s->bits,
         s->most_bits, s->even, s->buckets, s->runs);
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  const char *folder = NULL, *corpus = "corpus";
  uint32_t seeds = 1, groups = 0;
  PtRunOptions run = {.k = 20, .mode = "walk"};
  double last = 0;
  PtContestOptions options = {.progress = {show, &last}};
  g_autoptr(GPtrArray) only = g_ptr_array_new(), tests = g_ptr_array_new();
  bool list = false, families = false, why = false;
  int first = 1;
  for (; first < argc && argv[first][0] == '-'; first++) {
    char letter = argv[first][1];
    if (letter == 'e') {
      why = true;
      continue;
    }
    if (letter == 'l' || letter == 'F') {
      *(letter == 'l' ? &list : &families) = true;
      continue;
    }
    const char *value = ++first < argc ? argv[first] : "";
    switch (letter) {
    case 'w':
      folder = value;
      break;
    case 'c':
      corpus = value;
      break;
    case 's':
      seeds = (uint32_t)atoi(value);
      break;
    case 'n':
      run.n = (uint32_t)atoi(value);
      break;
    case 'k':
      run.k = (uint32_t)atoi(value);
      break;
    case 'm':
      run.mode = value;
      break;
    case 'G':
      groups = (uint32_t)atoi(value);
      break;
    case 'f':
      options.folds = (uint32_t)atoi(value);
      break;
    case 'a':
      g_ptr_array_add(only, (void *)value);
      break;
    case 't':
      g_ptr_array_add(tests, (void *)value);
      break;
    }
  }
  if (only->len) {
    g_ptr_array_add(only, NULL);
    options.only = (const char *const *)only->pdata;
  }
  run.answers = !options.only || g_strv_contains(options.only, "answers");
  g_autoptr(PtLab) work = folder && pt_runtime_load(&error)
                              ? pt_lab_open(folder, corpus, groups, 0, &options.progress, &error)
                              : NULL;
  g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  if (families && work)
    for (guint i = 0; i < work->names->len; i++)
      printf("%u %s\n", work->family[i], (char *)work->names->pdata[i]);
  uint32_t n = work ? first < argc ? (uint32_t)(argc - first) : work->names->len : 0;
  for (uint32_t i = 0; i < n && !error && !families; i++) {
    run.model = first < argc ? pt_lab_model(work, argv[first + (int)i]) : i;
    for (run.seed = 0; run.seed < seeds && run.model != PT_NONE; run.seed++) {
      double start = pt_clock();
      PtCase *t = pt_lab_case(work, &run, &error);
      if (!t) {
        fprintf(stderr, "%s: %s\n", (char *)work->names->pdata[run.model], error->message);
        g_clear_error(&error);
        break;
      }
      fprintf(stderr, "%s %u: %u buckets, %.1f s\n", t->name, run.seed, t->n_buckets,
              pt_clock() - start);
      g_ptr_array_add(targets, t);
    }
  }
  for (uint32_t m = 0; why && !error && work && m <= work->names->len; m++) {
    g_autoptr(GPtrArray) some = g_ptr_array_new();
    for (guint i = 0; i < targets->len; i++)
      if (m == work->names->len || ((const PtCase *)targets->pdata[i])->model == m)
        g_ptr_array_add(some, targets->pdata[i]);
    if (!some->len)
      continue;
    printf("== %s\n", m < work->names->len ? (char *)work->names->pdata[m] : "all");
    g_autoptr(GPtrArray) tells = pt_tells(some);
    for (guint i = 0; i < MIN(tells->len, 25); i++) {
      const PtTell *t = tells->pdata[i];
      printf("%-44s area %.3f +- %.3f\n", t->what, t->area, t->error);
    }
  }
  if (!error && work && !families && !why) {
    PtSeed seed;
    pt_seed_init(&seed, "contest");
    g_autoptr(PtContest) c = pt_contest_new(targets, &options, &seed);
    for (guint i = 0; list && i < targets->len; i++) {
      const PtCase *t = targets->pdata[i];
      if (t->seed ||
          (tests->len && !g_ptr_array_find_with_equal_func(tests, t->name, g_str_equal, NULL)))
        continue;
      printf("== %s\n", t->name);
      for (uint32_t a = 0; a < c->n_rows; a++) {
        PtSummary s = pt_contest_summary(c, a, t->model);
        print_row(c->rows[a].name, &s);
      }
    }
    printf("== all, %u folds\n", c->n_folds);
    for (uint32_t a = 0; a < c->n_rows; a++) {
      PtSummary s = pt_contest_summary(c, a, PT_NONE);
      print_row(c->rows[a].name, &s);
      fprintf(stderr, "%s %.1f s\n", c->rows[a].name, c->rows[a].seconds);
    }
  }
  if (error)
    fprintf(stderr, "%s\n", error->message);
  return error || !work;
}
