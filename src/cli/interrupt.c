/* interrupt.c: SIGINT, SIGTERM and SIGHUP leave nothing half-written.
 * The handler only wakes a thread, which may lock and remove files; then the process ends by the
 * same signal, so that a shell's loop ends, too. Handlers, unlike blocked signals, are not handed
 * down to outside programs. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
static int wake[2] = {-1, -1};
static GMutex lock;
static char *folder;
static bool folder_keep;

static void on_signal(int number) {
  int saved = errno;
  unsigned char byte = (unsigned char)number;
  if (write(wake[1], &byte, 1) != 1)
    _exit(PT_EXIT_NO);
  errno = saved;
}

/* Another thread may still be writing into it: once it is gone, nothing can be added. */
static void remove_folder(const char *path, bool keep) {
  for (int i = 0; i < 50 && g_file_test(path, G_FILE_TEST_EXISTS); i++)
    pt_dir_remove(path);
  if (keep)
    mkdir(path, 0777);
}

static gpointer clean_up(gpointer data) {
  (void)data;
  unsigned char byte = 0;
  while (read(wake[0], &byte, 1) < 0 && errno == EINTR)
    ;
  pt_cli_progress_clear();
  fputs("proteus: interrupted\n", stderr);
  g_mutex_lock(&lock);
  if (folder)
    remove_folder(folder, folder_keep);
  pt_temporaries_abandon();
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigaction(byte, &action, NULL);
  kill(getpid(), byte);
  pause();
  return NULL;
}

void pt_cli_interrupt_init(void) {
  /* Past a file size limit, writing is to fail like on a full disk. */
  signal(SIGXFSZ, SIG_IGN);
  if (pipe2(wake, O_CLOEXEC) != 0)
    return;
  g_thread_unref(g_thread_new("interrupt", clean_up, NULL));
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
  for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
    struct sigaction before;
    /* nohup and shells that run jobs in the background ignore some: that stays */
    if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
      sigaction(signals[i], &action, NULL);
  }
}

void pt_cli_interrupt_folder(const char *path, bool keep) {
  g_mutex_lock(&lock);
  g_free(folder);
  folder = g_strdup(path);
  folder_keep = keep;
  g_mutex_unlock(&lock);
}

PtCliFolder pt_cli_folder_begin(const char *path) {
  PtCliFolder result = {.path = path};
  struct stat info;
  if (lstat(path, &info) != 0) {
    result.ours = errno == ENOENT;
  } else if (S_ISDIR(info.st_mode)) {
    GDir *dir = g_dir_open(path, 0, NULL);
    result.existed = true;
    result.ours = dir && !g_dir_read_name(dir);
    if (dir)
      g_dir_close(dir);
  }
  if (result.ours)
    pt_cli_interrupt_folder(path, result.existed);
  return result;
}

void pt_cli_folder_end(PtCliFolder *folder_, bool success) {
  if (folder_->ours && !success)
    remove_folder(folder_->path, folder_->existed);
  pt_cli_interrupt_folder(NULL, false);
}
