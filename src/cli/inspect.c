/* inspect.c: what is in a file or folder; buckets as pictures. */
#include "cli/cli.h"

static int draw(PtCli *cli, const PtDrawOptions *options) {
  GError *error = NULL;
  PtDrawReport report;
  if (!pt_draw_sentinels(options, &report, &error))
    return pt_cli_fail(cli, error);
  json_t *json =
      json_pack("{s:s, s:o, s:i, s:i}", "kind", "picture", "path", pt_json_text(options->out),
                "buckets", (int)report.buckets, "candidates", (int)report.candidates);
  PtLines *lines = pt_lines_new();
  pt_lines_add(lines, "drawn", "%s: %u candidates in %u bucket%s", options->out, report.candidates,
               report.buckets, report.buckets == 1 ? "" : "s");
  if (!options->blind)
    pt_lines_add(lines, "keep", "it shows the real pieces: never send it");
  return pt_cli_result(cli, json, pt_lines_finish(lines), PT_EXIT_DONE);
}

/* Options that only make sense together. */
static bool check(PtCli *cli, bool sentinels, const char *secret, const char *out,
                  const char *extra, GError **error) {
  if (sentinels)
    return pt_cli_need(cli, "--secret FILE", secret, error) &&
           pt_cli_need(cli, "-o OUT.svg", out, error);
  if (!secret && !out && !extra)
    return true;
  g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE,
              "--secret, --bucket, --most, --blind and -o are for pictures: add --sentinels");
  return false;
}

static int run(PtCli *cli, int argc, char **argv) {
  gboolean sentinels = FALSE, blind = FALSE;
  g_autofree char *secret = NULL, *bucket = NULL, *most = NULL, *out = NULL;
  const GOptionEntry entries[] = {
      {"sentinels", 0, 0, G_OPTION_ARG_NONE, &sentinels,
       "Draw buckets of a bundle, real piece and sentinels side by side", NULL},
      {"secret", 0, 0, G_OPTION_ARG_FILENAME, &secret, "Which piece is real", "FILE"},
      {"bucket", 0, 0, G_OPTION_ARG_FILENAME, &bucket,
       "The one to draw, from 1 (all into .html, else the first)", "N"},
      {"most", 0, 0, G_OPTION_ARG_FILENAME, &most, "Candidates to draw (all)", "N"},
      {"blind", 0, 0, G_OPTION_ARG_NONE, &blind, "Do not mark the real one", NULL},
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &out, "The picture: .svg, .html or .dot", "FILE"},
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 1, 1, &rest, &status))
    return status;
  GError *error = NULL;
  const char *extra = bucket ? bucket : most ? most : blind ? "blind" : NULL;
  PtDrawOptions options = {.bundle = rest[0], .secret = secret, .out = out, .blind = blind};
  if (!check(cli, sentinels, secret, out, extra, &error) ||
      !pt_cli_number("--bucket", bucket, 1, UINT32_MAX, &options.bucket, &error) ||
      !pt_cli_number("--most", most, 1, UINT32_MAX, &options.most, &error))
    return pt_cli_fail(cli, error);
  if (sentinels)
    return draw(cli, &options);
  char *text = pt_inspect(rest[0], cli->json, &error);
  if (!text)
    return pt_cli_fail(cli, error);
  cli->quiet &= !cli->json; /* the text is JSON already */
  return pt_cli_result(cli, NULL, text, PT_EXIT_DONE);
}

const PtCommand pt_command_inspect = {
    .name = "inspect",
    .arguments = "FILE|DIR",
    .summary =
        "what is in a model, a bundle, a folder of answers, or a secret; pictures of buckets",
    .help = "Inputs, outputs, operators, sizes. Values of weights are not shown. With --sentinels, "
            "the\n"
            "buckets of a bundle as a picture for its owner; needs Graphviz (dot).\n\n"
            "Examples:\n"
            "  proteus inspect resnet50.onnx\n"
            "  proteus inspect bundle --json\n"
            "  proteus inspect --sentinels bundle --secret model.secret -o buckets.html\n",
    .run = run,
};
