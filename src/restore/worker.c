/* Hostile pieces are loaded and run in forked children with a limit on time and memory: one that
 * crashes, hangs or eats memory costs its own optimization only. A child inherits everything and
 * answers through shared memory. */
#include "restore/restore_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SHADOW_MEMORY 1
#endif
#endif

enum { WAITING, RUNNING, DONE };

typedef struct Slot {
  int state;
  double started;
  PtVerdict verdict;
} Slot;

typedef struct Shared {
  size_t next; /* atomic */
  Slot slots[];
} Shared;

typedef struct Pool {
  Shared *shared;
  size_t count;
  const PtWorkerLimits *limits;
  PtWorkerTask task;
  void *data;
  pid_t *children; /* [workers]; 0: none */
  size_t *current; /* [workers] in shared memory: the item a child is at, `count` for none */
  unsigned workers;
} Pool;

static void set_limits(const PtWorkerLimits *limits) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
#ifndef HAS_SHADOW_MEMORY
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file) {
    if (fscanf(file, "%lu", &pages) != 1)
      pages = 0;
    fclose(file);
  }
  if (pages && limits->bytes) {
    rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (rlim_t)limits->bytes;
    struct rlimit memory = {most, most};
    setrlimit(RLIMIT_AS, &memory);
  }
#else
  (void)limits;
#endif
}

static void judge(Pool *pool, size_t item) {
  PtVerdict *verdict = &pool->shared->slots[item].verdict;
  GError *error = NULL;
  verdict->ok = pool->task(item, &verdict->difference, pool->data, &error);
  if (!verdict->ok)
    g_strlcpy(verdict->why, error ? error->message : "no reason was given", sizeof verdict->why);
  g_clear_error(&error);
}

static void child_loop(Pool *pool, unsigned worker) {
  Shared *shared = pool->shared;
  for (;;) {
    size_t item = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
    if (item >= pool->count)
      return;
    shared->slots[item].started = pt_clock();
    __atomic_store_n(&shared->slots[item].state, RUNNING, __ATOMIC_RELEASE);
    __atomic_store_n(&pool->current[worker], item, __ATOMIC_RELEASE);
    judge(pool, item);
    __atomic_store_n(&pool->current[worker], pool->count, __ATOMIC_RELEASE);
    __atomic_store_n(&shared->slots[item].state, DONE, __ATOMIC_RELEASE);
  }
}

static bool start_child(Pool *pool, unsigned worker) {
  pool->current[worker] = pool->count;
  pid_t parent = getpid(), pid = fork();
  if (pid != 0) {
    pool->children[worker] = pid > 0 ? pid : 0;
    return pid > 0;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(0);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  set_limits(pool->limits);
  child_loop(pool, worker);
  _exit(0);
}

/* A child ended: what it was at, if anything, takes the blame. */
static void bury(Pool *pool, unsigned worker, int status, bool too_long) {
  size_t item = __atomic_load_n(&pool->current[worker], __ATOMIC_ACQUIRE);
  pool->children[worker] = 0;
  if (item >= pool->count || pool->shared->slots[item].state == DONE)
    return;
  PtVerdict *verdict = &pool->shared->slots[item].verdict;
  verdict->ok = false;
  if (too_long)
    g_snprintf(verdict->why, sizeof verdict->why, "it took more than %g s to check",
               pool->limits->seconds);
  else if (WIFSIGNALED(status))
    g_snprintf(verdict->why, sizeof verdict->why,
               "it ended the program that checked it (signal %d)", WTERMSIG(status));
  else
    g_snprintf(verdict->why, sizeof verdict->why,
               "it ended the program that checked it (status %d)", WEXITSTATUS(status));
  pool->shared->slots[item].state = DONE;
}

/* True while the child lives. */
static bool look_after(Pool *pool, unsigned worker) {
  pid_t pid = pool->children[worker];
  int status = 0;
  pid_t ended = waitpid(pid, &status, WNOHANG);
  if (ended == pid || (ended < 0 && errno == ECHILD)) {
    bury(pool, worker, status, false);
    return false;
  }
  size_t item = __atomic_load_n(&pool->current[worker], __ATOMIC_ACQUIRE);
  if (item >= pool->count || pt_clock() - pool->shared->slots[item].started < pool->limits->seconds)
    return true;
  kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  bury(pool, worker, status, true);
  return false;
}

static size_t count_done(const Pool *pool) {
  size_t done = 0;
  for (size_t i = 0; i < pool->count; i++)
    done += __atomic_load_n(&pool->shared->slots[i].state, __ATOMIC_ACQUIRE) == DONE;
  return done;
}

static bool left_to_take(const Pool *pool) {
  return __atomic_load_n(&pool->shared->next, __ATOMIC_RELAXED) < pool->count;
}

static void watch(Pool *pool, const PtProgress *progress) {
  for (bool alive = true; alive;) {
    alive = false;
    for (unsigned w = 0; w < pool->workers; w++) {
      if (pool->children[w] && look_after(pool, w))
        alive = true;
      else if (!pool->children[w] && left_to_take(pool))
        alive |= start_child(pool, w);
    }
    pt_progress(progress, pool->limits->what, count_done(pool), pool->count);
    if (alive)
      g_usleep(2000);
  }
}

void pt_worker_run(size_t count, unsigned workers, const PtWorkerLimits *limits, PtWorkerTask task,
                   void *data, const PtProgress *progress, PtVerdict *verdicts) {
  workers = (unsigned)MIN(MAX(workers, 1), MAX(count, 1));
  size_t size = sizeof(Shared) + count * sizeof(Slot) + workers * sizeof(size_t);
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    for (size_t i = 0; i < count; i++)
      g_strlcpy(verdicts[i].why, "there is no memory to check it in", sizeof verdicts[i].why);
    return;
  }
  Pool pool = {.shared = memory,
               .count = count,
               .limits = limits,
               .task = task,
               .data = data,
               .children = g_new0(pid_t, workers),
               .current =
                   (size_t *)(void *)((char *)memory + sizeof(Shared) + count * sizeof(Slot)),
               .workers = workers};
  watch(&pool, progress);
  for (size_t i = 0; i < count; i++) {
    verdicts[i] = pool.shared->slots[i].verdict;
    if (pool.shared->slots[i].state != DONE)
      g_strlcpy(verdicts[i].why, "the program that checks it could not be started",
                sizeof verdicts[i].why);
  }
  g_free(pool.children);
  munmap(memory, size);
}
