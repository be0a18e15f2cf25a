/* optimize.c: the other party's step. */
#include "cli/cli.h"

#include <unistd.h>

/* "2/8": the second of eight parts. */
static bool parse_shard(const char *text, PtOptimizeOptions *options, GError **error) {
  if (!text)
    return true;
  g_auto(GStrv) parts = g_strsplit(text, "/", 0);
  if (g_strv_length(parts) == 2 &&
      pt_cli_number("--shard", parts[1], 1, 1000000, &options->shards, NULL) &&
      pt_cli_number("--shard", parts[0], 1, options->shards, &options->shard, NULL))
    return true;
  g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE,
              "--shard takes I/N with I from 1 to N, as in 2/8, not '%s'", text);
  return false;
}

static int run(PtCli *cli, int argc, char **argv) {
  g_autofree char *out = NULL, *jobs = NULL, *shard = NULL, *timeout = NULL;
  g_auto(PtCliOptimizer) optimizer = {0};
  gboolean resume = FALSE;
  const GOptionEntry entries[] = {
      {"out", 'o', 0, G_OPTION_ARG_FILENAME, &out, "Folder for the answers", "DIR"},
      PT_CLI_OPTIMIZER(&optimizer),
      {"jobs", 'j', 0, G_OPTION_ARG_FILENAME, &jobs, "Candidates at a time (all cores)", "N"},
      {"shard", 0, 0, G_OPTION_ARG_FILENAME, &shard, "Only part I of N, for many machines", "I/N"},
      {"resume", 0, 0, G_OPTION_ARG_NONE, &resume, "Keep the answers that are there already", NULL},
      {"timeout", 0, 0, G_OPTION_ARG_FILENAME, &timeout, "For a command, a candidate (600)",
       "SECONDS"},
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 1, 1, &rest, &status))
    return status;
  PtOptimizeOptions options = {
      .bundle = rest[0], .out = out, .resume = resume, .progress = pt_cli_progress(cli)};
  GError *error = NULL;
  if (!pt_cli_need(cli, "--out DIR", out, &error) ||
      !pt_cli_optimizer(&optimizer, &options, &error) ||
      !pt_cli_number("--jobs", jobs, 1, 4096, &options.jobs, &error) ||
      !parse_shard(shard, &options, &error) ||
      !pt_cli_real("--timeout", timeout, &options.timeout, &error))
    return pt_cli_fail(cli, error);
  PtOptimizeReport report = {0};
  bool existed = g_file_test(out, G_FILE_TEST_EXISTS);
  if (!pt_optimize(&options, &report, &error)) {
    pt_optimize_report_clear(&report);
    if (!existed)
      rmdir(out); /* answers stay, for --resume; an empty folder is nobody's */
    return pt_cli_fail(cli, error);
  }
  bool none = report.failed > 0 && report.done + report.skipped == 0;
  status = pt_cli_result(cli, pt_json_optimize(&options, &report),
                         pt_text_optimize(&options, &report), none ? PT_EXIT_NO : PT_EXIT_DONE);
  pt_optimize_report_clear(&report);
  return status;
}

const PtCommand pt_command_optimize = {
    .name = "optimize",
    .arguments = "DIR --out DIR2",
    .summary = "optimize every candidate of a bundle",
    .help = "Needs nothing but the bundle. What comes back is kilobytes a piece. A candidate that "
            "fails is\n"
            "listed and costs only that piece's optimization; status 1 means that all failed.\n\n"
            "Examples:\n"
            "  proteus optimize bundle --out optimized\n"
            "  proteus optimize bundle --out optimized --level all --target native\n"
            "  proteus optimize bundle --out optimized --with 'onnxslim {in} {out}'\n"
            "  proteus optimize bundle --out optimized --shard 2/8 --resume\n",
    .run = run,
};
