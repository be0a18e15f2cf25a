/* Threads and progress. */
#include "base/base.h"

#include <time.h>

unsigned pt_threads(unsigned wanted) {
  return wanted ? wanted : g_get_num_processors();
}

typedef struct {
  PtTask task;
  void *data;
  size_t count;
  size_t next; /* atomic */
} Loop;

static void *work(void *data) {
  Loop *loop = data;
  for (;;) {
    size_t i = __atomic_fetch_add(&loop->next, 1, __ATOMIC_RELAXED);
    if (i >= loop->count)
      return NULL;
    loop->task(i, loop->data);
  }
}

void pt_parallel_for(size_t count, unsigned threads, PtTask task, void *data) {
  threads = pt_threads(threads);
  Loop loop = {task, data, count, 0};
  if (threads > count)
    threads = (unsigned)count;
  /* Plain threads rather than a shared pool: loops nest, and a pool that waits on itself stalls. */
  g_autofree GThread **helpers = g_new0(GThread *, threads + 1);
  for (unsigned i = 1; i < threads; i++)
    helpers[i] = g_thread_try_new("proteus", work, &loop, NULL);
  work(&loop);
  for (unsigned i = 1; i < threads; i++)
    if (helpers[i])
      g_thread_join(helpers[i]);
}

void pt_progress(const PtProgress *progress, const char *what, uint64_t done, uint64_t total) {
  if (progress && progress->func)
    progress->func(what, done, total, progress->data);
}

double pt_clock(void) {
  return (double)g_get_monotonic_time() * 1e-6;
}
