/* progress.c: one line on a terminal, redrawn ten times a second. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 24

static struct {
  GMutex lock;
  char what[48];
  double started, drawn; /* seconds; drawn 0: nothing is on the screen */
  uint64_t shown;        /* `done` as drawn last */
} state;

static void draw(const char *what, uint64_t done, uint64_t total, double now) {
  char bar[BAR_WIDTH + 1];
  g_autofree char *left = NULL;
  if (total > 0) {
    double share = (double)MIN(done, total) / (double)total;
    unsigned full = (unsigned)(share * BAR_WIDTH);
    for (unsigned i = 0; i < BAR_WIDTH; i++)
      bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    if (share > 0.02 && share < 1) {
      g_autofree char *time = pt_human_seconds((now - state.started) * (1 - share) / share);
      left = g_strdup_printf(", %s left", time);
    }
    fprintf(stderr, "\r\033[K%-24.46s [%s] %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT "%s", what,
            bar, MIN(done, total), total, left ? left : "");
  } else {
    fprintf(stderr, "\r\033[K%.46s ...", what);
  }
  fflush(stderr);
}

static void report(const char *what, uint64_t done, uint64_t total, void *data) {
  (void)data;
  double now = pt_clock();
  g_mutex_lock(&state.lock);
  if (strncmp(state.what, what, sizeof state.what - 1) != 0) {
    g_strlcpy(state.what, what, sizeof state.what);
    state.started = now;
  }
  bool due = now - state.drawn >= 0.1 ||
             (state.drawn > 0 && total > 0 && done >= total && done != state.shown);
  if (now - state.started > 1.0 && due) {
    draw(state.what, done, total, now);
    state.drawn = now;
    state.shown = done;
  }
  g_mutex_unlock(&state.lock);
}

PtProgress pt_cli_progress(PtCli *cli) {
  if (cli->quiet || !isatty(STDERR_FILENO))
    return (PtProgress){NULL, NULL};
  return (PtProgress){report, NULL};
}

void pt_cli_progress_clear(void) {
  g_mutex_lock(&state.lock);
  if (state.drawn > 0) {
    fputs("\r\033[K", stderr);
    fflush(stderr);
  }
  state.drawn = 0;
  state.what[0] = '\0';
  g_mutex_unlock(&state.lock);
}
