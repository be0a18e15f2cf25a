/* walk_train FOLDER OUT [-x NAME]... [-r ROUNDS] [-s STEPS]: the fit of pi, a line a round. */
#include "runtime/runtime.h"
#include "walk/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Shown {
  GArray *rounds;
  guint shown;
} Shown;

static void show(const char *what, uint64_t done, uint64_t total, void *data) {
  Shown *s = data;
  for (; s->shown < s->rounds->len; s->shown++) {
    const PtWalkRound *r = &g_array_index(s->rounds, PtWalkRound, s->shown);
    printf("round %2u  paired AUC held out %.3f  accepted %.3f  same %.3f  %.1f s\n", s->shown,
           r->auc, r->accepted, r->same, r->seconds);
    fflush(stdout);
  }
  if (!strcmp(what, "cutting models") && done == total)
    printf("%s: %u\n", what, (unsigned)total);
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) exclude = g_ptr_array_new();
  g_autoptr(GArray) rounds = g_array_new(FALSE, FALSE, sizeof(PtWalkRound));
  Shown shown = {rounds, 0};
  PtWalkTrainOptions options = {.progress = {show, &shown}};
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "-x") && i + 1 < argc)
      g_ptr_array_add(exclude, argv[++i]);
    else if (!strcmp(argv[i], "-r") && i + 1 < argc)
      options.rounds = (uint32_t)atoi(argv[++i]);
    else if (!strcmp(argv[i], "-s") && i + 1 < argc)
      options.steps = (uint32_t)atoi(argv[++i]);
    else if (!options.folder)
      options.folder = argv[i];
    else
      options.out = argv[i];
  }
  g_ptr_array_add(exclude, NULL);
  options.exclude = (const char *const *)exclude->pdata;
  if (!options.out || !pt_runtime_load(&error) || !pt_walk_train(&options, rounds, &error)) {
    fprintf(stderr, "%s\n",
            error ? error->message : "walk_train FOLDER OUT [-x NAME] [-r N] [-s N]");
    return 1;
  }
  return 0;
}
