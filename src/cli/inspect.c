/* inspect.c: what is in a file or folder? */
#include "cli/cli.h"

static int run(PtCli *cli, int argc, char **argv) {
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, NULL, argc, argv, 1, 1, &rest, &status))
    return status;
  GError *error = NULL;
  char *text = pt_inspect(rest[0], cli->json, &error);
  if (!text)
    return pt_cli_fail(cli, error);
  cli->quiet &= !cli->json; /* the text is JSON already */
  return pt_cli_result(cli, NULL, text, PT_EXIT_DONE);
}

const PtCommand pt_command_inspect = {
    .name = "inspect",
    .arguments = "FILE|DIR",
    .summary = "what is in a model, a bundle, a folder of answers, or a secret",
    .help = "Inputs, outputs, operators, sizes. Values of weights are not shown.\n\n"
            "Examples:\n"
            "  proteus inspect resnet50.onnx\n"
            "  proteus inspect bundle --json\n",
    .run = run,
};
