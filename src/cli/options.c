/* options.c: what all commands share of the command line. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char exit_statuses[] =
    "Exit status: 0 done, 1 the answer is no, 2 bad use, 3 bad input "
    "(files missing, malformed,\nunfit or not writable), 4 the "
    "environment is missing something (ONNX Runtime).";

static GOptionContext *new_context(const PtCommand *command, const GOptionEntry *entries,
                                   const GOptionEntry *common) {
  GOptionContext *context = g_option_context_new(NULL);
  g_option_context_set_help_enabled(context, FALSE);
  if (entries)
    g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_add_main_entries(context, common, NULL);
  (void)command;
  return context;
}

/* GLib lists the options; the rest of the text is ours, so that its first line is as DESIGN.md
 * writes it. */
static char *help_text(const PtCommand *command, GOptionContext *context) {
  g_autofree char *all = g_option_context_get_help(context, TRUE, NULL);
  const char *options = strstr(all, "Options:");
  g_autofree char *list = g_strdup(options ? options : all);
  g_strchomp(list);
  g_autofree char *summary = g_strdup(command->summary);
  summary[0] = g_ascii_toupper(summary[0]);
  return g_strdup_printf("Usage: proteus %s %s\n%s.\n\n%s\n\n%s\n%s\n", command->name,
                         command->arguments, summary, list, command->help, exit_statuses);
}

/* ---- did you mean ---- */
/* Damerau-Levenshtein distance (neighbours swapped count once). */
static size_t distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  if (n > 40 || m > 40)
    return SIZE_MAX;
  size_t d[42][42];
  for (size_t i = 0; i <= n; i++)
    d[i][0] = i;
  for (size_t j = 0; j <= m; j++)
    d[0][j] = j;
  for (size_t i = 1; i <= n; i++)
    for (size_t j = 1; j <= m; j++) {
      size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      best = MIN(best, MIN(d[i - 1][j], d[i][j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        best = MIN(best, d[i - 2][j - 2] + 1);
      d[i][j] = best;
    }
  return d[n][m];
}

const char *pt_cli_nearest(const char *typed, const char *const *names) {
  const char *nearest = NULL;
  size_t least = strlen(typed) < 4 ? 2 : 3; /* up to two slips, one in a short word */
  for (size_t i = 0; names[i]; i++) {
    size_t d = distance(typed, names[i]);
    if (strlen(typed) >= 3 && strlen(names[i]) >= 3 &&
        (g_str_has_prefix(names[i], typed) || g_str_has_prefix(typed, names[i])))
      d = MIN(d, 1);
    if (d < least) {
      least = d;
      nearest = names[i];
    }
  }
  return nearest;
}

/* The first long option of argv that no entry has, and the nearest that one has. */
static const char *nearest_option(const GOptionEntry *entries, const GOptionEntry *common, int argc,
                                  char **argv) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (const GOptionEntry *e = entries; e && e->long_name; e++)
    g_ptr_array_add(names, (gpointer)e->long_name);
  for (const GOptionEntry *e = common; e->long_name && e->long_name[0]; e++)
    g_ptr_array_add(names, (gpointer)e->long_name);
  g_ptr_array_add(names, NULL);
  for (int i = 1; i < argc && argv[i] && strcmp(argv[i], "--") != 0; i++) {
    if (!g_str_has_prefix(argv[i], "--"))
      continue;
    g_autofree char *name = g_strndup(argv[i] + 2, strcspn(argv[i] + 2, "="));
    bool known = false;
    for (guint j = 0; j + 1 < names->len; j++)
      known |= g_str_equal(g_ptr_array_index(names, j), name);
    if (!known)
      return pt_cli_nearest(name, (const char *const *)names->pdata);
  }
  return NULL;
}

/* ---- parsing ---- */
static GError *usage_error(PtCli *cli, const GError *cause, const char *nearest) {
  g_autofree char *cause_text = g_strdup(cause->message);
  if (cause_text[0])
    cause_text[0] = g_ascii_tolower(cause_text[0]);
  if (nearest)
    return g_error_new(PT_CLI_ERROR, PT_ERR_USAGE, "%s: %s; did you mean --%s?", cli->command->name,
                       cause_text, nearest);
  return g_error_new(PT_CLI_ERROR, PT_ERR_USAGE, "%s: %s; see 'proteus help %s'",
                     cli->command->name, cause_text, cli->command->name);
}

static bool check_count(PtCli *cli, guint count, int least, int most, GError **error) {
  if (count >= (guint)least && count <= (guint)most)
    return true;
  g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE, "%s %s; use: proteus %s %s", cli->command->name,
              count < (guint)least ? "lacks a file name" : "takes fewer arguments",
              cli->command->name, cli->command->arguments);
  return false;
}

bool pt_cli_parse(PtCli *cli, const GOptionEntry *entries, int argc, char **argv, int least,
                  int most, char ***rest, int *status) {
  gboolean help = FALSE;
  GOptionEntry common[] = {
      {"json", 0, 0, G_OPTION_ARG_NONE, &cli->json, "The result as one JSON object on stdout",
       NULL},
      {"quiet", 'q', 0, G_OPTION_ARG_NONE, &cli->quiet, "Say nothing but errors (and --json)",
       NULL},
      {"help", 'h', 0, G_OPTION_ARG_NONE, &help, "This text", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, rest, NULL, NULL},
      G_OPTION_ENTRY_NULL};
  GOptionContext *context = new_context(cli->command, entries, common);
  g_autofree char **copy = g_memdup2(argv, sizeof(char *) * (gsize)(argc + 1));
  char **left = copy; /* GLib drops what it has taken, the strings stay argv's */
  int count = argc;
  gboolean json = cli->json;
  GError *error = NULL;
  bool ok = g_option_context_parse(context, &count, &left, &error);
  cli->json |= json; /* GLib takes back what it has set when it fails */
  if (ok && help) {
    char *text = help_text(cli->command, context);
    cli->json = cli->quiet = FALSE;
    *status = pt_cli_result(cli, NULL, text, PT_EXIT_DONE);
    ok = false;
  } else if (ok && !check_count(cli, *rest ? g_strv_length(*rest) : 0, least, most, &error)) {
    *status = pt_cli_fail(cli, error);
    ok = false;
  } else if (!ok) {
    const char *nearest = error->code == G_OPTION_ERROR_UNKNOWN_OPTION
                              ? nearest_option(entries, common, argc, argv)
                              : NULL;
    GError *usage = usage_error(cli, error, nearest);
    g_error_free(error);
    *status = pt_cli_fail(cli, usage);
  }
  g_option_context_free(context);
  return ok;
}

const char *const pt_cli_modes[] = {"walk", "generate", "modify", "random", NULL};
const char *const pt_cli_levels[] = {"basic", "extended", "all", NULL};
const char *const pt_cli_targets[] = {"portable", "native", NULL};

/* ---- values ---- */
bool pt_cli_number(const char *option, const char *text, uint64_t least, uint64_t most,
                   uint32_t *out, GError **error) {
  if (!text)
    return true;
  uint64_t value;
  if (!pt_parse_whole(text, MIN(most, UINT32_MAX), &value) || value < least) {
    g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE,
                "%s takes a whole number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                ", not '%s'",
                option, least, MIN(most, (uint64_t)UINT32_MAX), text);
    return false;
  }
  *out = (uint32_t)value;
  return true;
}

bool pt_cli_real(const char *option, const char *text, double *out, GError **error) {
  if (!text)
    return true;
  char *end = NULL;
  double value = g_ascii_strtod(text, &end);
  if (end == text || *end || !isfinite(value) || value <= 0) {
    g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE, "%s takes a number above 0, not '%s'", option,
                text);
    return false;
  }
  *out = value;
  return true;
}

bool pt_cli_choice(const char *option, const char *text, const char *const *choices,
                   GError **error) {
  if (!text || g_strv_contains(choices, text))
    return true;
  g_autofree char *list = g_strjoinv(", ", (char **)choices);
  g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE, "%s is one of %s, not '%s'", option, list, text);
  return false;
}

bool pt_cli_generator(const char *folder, GError **error) {
  static const char *const files[] = {"pieces.bin", "topology.bin", "walk.bin"};
  for (size_t i = 0; folder && i < G_N_ELEMENTS(files); i++) {
    g_autofree char *path = g_build_filename(folder, files[i], NULL);
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
      g_set_error(error, PT_CLI_ERROR, PT_ERR_IO,
                  "--generator %s has no %s; make the folder with proteus train.", folder,
                  files[i]);
      return false;
    }
  }
  if (folder)
    pt_data_prefer(folder);
  return true;
}

bool pt_cli_need(PtCli *cli, const char *option, const char *text, GError **error) {
  if (text && text[0])
    return true;
  g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE, "%s needs %s; use: proteus %s %s",
              cli->command->name, option, cli->command->name, cli->command->arguments);
  return false;
}

bool pt_cli_with(const char *with, GError **error) {
  if (!with || g_str_equal(with, "ort") || (strstr(with, "{in}") && strstr(with, "{out}")))
    return true;
  g_set_error(
      error, PT_CLI_ERROR, PT_ERR_USAGE,
      "--with takes ort, or a command with {in} and {out}, as in 'onnxslim {in} {out}', not '%s'",
      with);
  return false;
}

bool pt_cli_pieces(const char *text, uint32_t *n, GError **error) {
  if (!text || g_str_equal(text, "auto")) {
    *n = 0;
    return true;
  }
  if (pt_cli_number("-n", text, 1, UINT32_MAX - 1, n, NULL))
    return true;
  g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE, "-n takes auto or a number of pieces, not '%s'",
              text);
  return false;
}

bool pt_cli_apart(const char *a_option, const char *a, const char *b_option, const char *b,
                  bool within, GError **error) {
  g_autofree char *x = g_canonicalize_filename(a, NULL);
  g_autofree char *y = g_canonicalize_filename(b, NULL);
  g_autofree char *inside = g_strconcat(y, "/", NULL);
  if (!g_str_equal(x, y) && !(within && g_str_has_prefix(x, inside)))
    return true;
  g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE, "%s must not be %s %s", a_option,
              within ? "inside" : "the same file as", b_option);
  return false;
}
