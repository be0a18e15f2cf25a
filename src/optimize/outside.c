/* An outside program as the optimizer: no shell, its own process group, a time limit, its last
 * words. */
#include "optimize/optimize_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

char **pt_outside_parse(const char *command, GError **error) {
  g_auto(GStrv) argv = NULL;
  g_autoptr(GError) why = NULL;
  if (!g_shell_parse_argv(command, NULL, &argv, &why)) {
    g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_USAGE, "'%s' is not a command: %s", command,
                why->message);
    return NULL;
  }
  bool in = false, out = false;
  for (char **arg = argv + 1; *argv && *arg; arg++) {
    in |= strstr(*arg, "{in}") != NULL;
    out |= strstr(*arg, "{out}") != NULL;
  }
  if (!in || !out) {
    g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_USAGE,
                "'%s' lacks %s: write the command as 'tool {in} {out}'", command,
                in ? "{out}" : "{in}");
    return NULL;
  }
  g_autofree char *program = g_find_program_in_path(argv[0]);
  if (!program) {
    g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_ENVIRONMENT,
                "the program '%s' is not here: install it or give its path", argv[0]);
    return NULL;
  }
  return g_steal_pointer(&argv);
}

static char *substitute(const char *text, const char *in, const char *out) {
  GString *s = g_string_new(NULL);
  for (const char *p = text; *p;) {
    if (g_str_has_prefix(p, "{in}")) {
      g_string_append(s, in);
      p += 4;
    } else if (g_str_has_prefix(p, "{out}")) {
      g_string_append(s, out);
      p += 5;
    } else
      g_string_append_c(s, *p++);
  }
  return g_string_free(s, FALSE);
}

/* Runs in the child: only calls that are safe between fork and exec. */
static void child_setup(gpointer data) {
  (void)data;
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG,
        SIGKILL); /* its group is not the terminal's, so an interrupt would miss it */
}

/* The last non-empty line, printable, short; NULL if there is none. */
static char *last_line(GString *text) {
  g_autofree char *valid = g_utf8_make_valid(text->str, (gssize)text->len);
  g_strchomp(valid);
  const char *line = strrchr(valid, '\n');
  line = line ? line + 1 : valid;
  if (!*line)
    return NULL;
  char *result = g_strndup(line, 300);
  g_strdelimit(result, "\r\t\v\f", ' ');
  return result;
}

/* Reads what there is; false at the end of the stream. Keeps the last 4 kB. */
static bool drain(int fd, GString *text) {
  char buffer[2048];
  for (;;) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n > 0) {
      g_string_append_len(text, buffer, n);
      if (text->len > 8192)
        g_string_erase(text, 0, (gssize)(text->len - 4096));
    } else if (n == 0)
      return false;
    else if (errno != EINTR)
      return errno == EAGAIN || errno == EWOULDBLOCK;
  }
}

/* Waits for the program itself, not for children that it left behind; those are killed. True: in
 * time. */
static bool wait_for(GPid pid, int fd, double timeout, GString *text, int *status) {
  double end = pt_clock() + timeout, pause = 0.002;
  bool open = true, in_time = true;
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid)
      break;
    if (pt_clock() > end) {
      in_time = false;
      break;
    }
    struct pollfd p = {.fd = open ? fd : -1, .events = POLLIN};
    poll(&p, 1, (int)(pause * 1000) + 1);
    pause = MIN(pause * 1.5, 0.05);
    if (open && p.revents)
      open = drain(fd, text);
  }
  kill(-pid, SIGKILL);
  kill(pid, SIGKILL);
  while (waitpid(pid, status, 0) < 0 && errno == EINTR)
    ;
  if (open)
    drain(fd, text);
  return in_time;
}

bool pt_outside_run(char *const *command, const char *in, const char *out, double timeout,
                    GError **error) {
  g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
  for (char *const *arg = command; *arg; arg++)
    g_ptr_array_add(argv, arg == command ? g_strdup(*arg) : substitute(*arg, in, out));
  g_ptr_array_add(argv, NULL);
  g_auto(GStrv) env = g_environ_setenv(g_get_environ(), "ORT_DISABLE_TELEMETRY", "1", TRUE);
  GPid pid = 0;
  int fd = -1;
  g_autoptr(GError) why = NULL;
  if (!g_spawn_async_with_pipes(NULL, (char **)argv->pdata, env,
                                G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                                    G_SPAWN_STDOUT_TO_DEV_NULL,
                                child_setup, NULL, &pid, NULL, NULL, &fd, &why)) {
    g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_ENVIRONMENT, "cannot start '%s': %s", command[0],
                why->message);
    return false;
  }
  setpgid(pid, pid); /* whichever of the two is first */
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  g_autoptr(GString) text = g_string_new(NULL);
  int status = 0;
  bool in_time = wait_for(pid, fd, timeout, text, &status);
  close(fd);
  g_spawn_close_pid(pid);
  if (!in_time) {
    g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_LIMIT, "'%s' took more than %g s and was stopped",
                command[0], timeout);
    return false;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return true;
  g_autofree char *words = last_line(text);
  g_autofree char *how = WIFSIGNALED(status)
                             ? g_strdup_printf("was ended by signal %d", WTERMSIG(status))
                             : g_strdup_printf("failed with status %d", WEXITSTATUS(status));
  g_set_error(error, PT_OPTIMIZE_ERROR, PT_ERR_REFUSED, "'%s' %s%s%s", command[0], how,
              words ? ": " : "", words ? words : "");
  return false;
}
