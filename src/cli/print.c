/* print.c: results and errors, for people and for scripts. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  int status;
} kinds[] = {
    [PT_ERR_USAGE] = {"usage", PT_EXIT_USAGE},
    [PT_ERR_INPUT] = {"input", PT_EXIT_INPUT},
    [PT_ERR_UNSUPPORTED] = {"unsupported", PT_EXIT_INPUT},
    [PT_ERR_LIMIT] = {"limit", PT_EXIT_INPUT},
    [PT_ERR_MISMATCH] = {"mismatch", PT_EXIT_INPUT},
    [PT_ERR_IO] = {"io", PT_EXIT_INPUT},
    [PT_ERR_ENVIRONMENT] = {"environment", PT_EXIT_ENVIRONMENT},
    [PT_ERR_REFUSED] = {"refused", PT_EXIT_NO},
    [PT_ERR_CANCELLED] = {"cancelled", PT_EXIT_NO},
    [PT_ERR_INTERNAL] = {"internal", PT_EXIT_INPUT},
};

/* The code of one of our domains; GLib's own (files, options) are told apart. */
static PtErrorCode code_of(const GError *error) {
  if (error->domain == G_OPTION_ERROR)
    return PT_ERR_USAGE;
  const char *domain = g_quark_to_string(error->domain);
  /* clang-format spaces out the names that G_DEFINE_QUARK turns into text */
  if ((g_str_has_prefix(domain, "pt-") || g_str_has_prefix(domain, "pt -")) && error->code >= 0 &&
      (size_t)error->code < G_N_ELEMENTS(kinds))
    return (PtErrorCode)error->code;
  return PT_ERR_IO;
}

int pt_cli_exit_status(const GError *error) {
  return kinds[code_of(error)].status;
}

/* One line that a terminal can take: names in a hostile file must not move its cursor. */
static char *one_line(const char *message) {
  char *line = g_utf8_make_valid(message, -1);
  for (char *p = line; *p; p = g_utf8_next_char(p))
    if (g_ascii_iscntrl(*p))
      *p = ' ';
  g_strchomp(line);
  /* C1 controls are two bytes in UTF-8 */
  for (char *p = line; (p = strstr(p, "\xc2")) != NULL; p += 2)
    if ((unsigned char)p[1] < 0xa0)
      p[0] = p[1] = ' ';
  return line;
}

static bool print_out(const char *text) {
  return fputs(text, stdout) != EOF && fflush(stdout) == 0;
}

int pt_cli_result(PtCli *cli, json_t *json, char *text, int status) {
  pt_cli_progress_clear();
  bool ok = true;
  int number = 0;
  if (cli->json && json) {
    g_autofree char *line = pt_json_dump(json);
    ok = print_out(line);
    number = errno;
  } else {
    if (json)
      json_decref(json);
    if (text && !cli->quiet) {
      ok = print_out(text);
      number = errno;
    }
  }
  g_free(text);
  if (ok && fflush(stdout) == 0)
    return status;
  if (number == 0)
    number = errno;
  cli->json = FALSE; /* nobody would read it */
  return pt_cli_fail(cli, g_error_new(PT_CLI_ERROR, PT_ERR_IO,
                                      "cannot write to standard output: %s", g_strerror(number)));
}

int pt_cli_fail_with(PtCli *cli, const char *path, GError *error) {
  /* trouble with writing names what it wrote */
  bool input =
      error && kinds[code_of(error)].status == PT_EXIT_INPUT && code_of(error) != PT_ERR_IO;
  if (input && !strstr(error->message, path))
    g_prefix_error(&error, "%s: ", path);
  return pt_cli_fail(cli, error);
}

int pt_cli_fail(PtCli *cli, GError *error) {
  pt_cli_progress_clear();
  if (!error)
    error = g_error_new(PT_CLI_ERROR, PT_ERR_INTERNAL,
                        "something failed without saying why; please report this");
  PtErrorCode code = code_of(error);
  int status = kinds[code].status;
  g_autofree char *line = one_line(error->message);
  fprintf(stderr, "proteus: %s\n", line);
  if (cli->json) {
    json_t *inner = json_object();
    json_object_set_new(inner, "code", json_string(kinds[code].name));
    json_object_set_new(inner, "exit", json_integer(status));
    json_object_set_new(inner, "message", pt_json_text(line));
    json_t *outer = json_object();
    json_object_set_new(outer, "error", inner);
    g_autofree char *text = pt_json_dump(outer);
    print_out(text);
  }
  g_error_free(error);
  return status;
}
