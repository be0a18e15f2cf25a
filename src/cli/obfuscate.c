/* obfuscate.c: the owner's first step. */
#include "cli/cli.h"

static int run(PtCli *cli, int argc, char **argv) {
  g_autofree char *bundle = NULL, *secret = NULL, *corpus = NULL, *steps = NULL, *threads = NULL;
  g_auto(PtCliHiding) hiding = {0};
  gboolean plain = FALSE;
  const GOptionEntry entries[] = {
      {"bundle", 'b', 0, G_OPTION_ARG_FILENAME, &bundle, "Folder to make, to be sent", "DIR"},
      {"secret", 's', 0, G_OPTION_ARG_FILENAME, &secret, "File to write, to be kept", "FILE"},
      PT_CLI_HIDING(&hiding),
      {"steps", 'r', 0, G_OPTION_ARG_FILENAME, &steps, "Of a walk, mode walk (4000)", "R"},
      {"corpus", 0, 0, G_OPTION_ARG_FILENAME, &corpus, "Public pieces (the shipped ones)", "FILE"},
      {"plain", 0, 0, G_OPTION_ARG_NONE, &plain, "The paper's cuts, for comparison", NULL},
      PT_CLI_THREADS(&threads),
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 1, 1, &rest, &status))
    return status;
  PtObfuscateOptions options = {.model = rest[0],
                                .bundle = bundle,
                                .secret = secret,
                                .corpus = corpus,
                                .plain = plain,
                                .progress = pt_cli_progress(cli)};
  GError *error = NULL;
  if (!pt_cli_need(cli, "--bundle DIR", bundle, &error) ||
      !pt_cli_need(cli, "--secret FILE", secret, &error) ||
      !pt_cli_apart("--secret", secret, "--bundle, which is sent", bundle, true, &error) ||
      !pt_cli_hiding(&hiding, &options, &error) ||
      !pt_cli_number("--steps", steps, 1, 1000000, &options.steps, &error) ||
      !pt_cli_number("--threads", threads, 1, 4096, &options.threads, &error))
    return pt_cli_fail(cli, error);
  PtCliFolder folder = pt_cli_folder_begin(bundle);
  PtObfuscateReport report = {0};
  bool ok = pt_obfuscate(&options, &report, &error);
  pt_cli_folder_end(&folder, ok);
  if (!ok)
    return pt_cli_fail_with(cli, rest[0], error);
  return pt_cli_result(cli, pt_json_obfuscate(&options, &report),
                       pt_text_obfuscate(&options, &report), PT_EXIT_DONE);
}

const PtCommand pt_command_obfuscate = {
    .name = "obfuscate",
    .arguments = "MODEL.onnx --bundle DIR --secret FILE",
    .summary = "cut a model into pieces and hide each among look-alikes",
    .help = "The bundle has graphs only: no weights, no names. Send it. The secret tells the real "
            "pieces\n"
            "from the look-alikes: keep it, and the model.\n\n"
            "Example:\n"
            "  proteus obfuscate resnet50.onnx --bundle bundle --secret resnet50.secret\n"
            "To show a model to somebody without its weights, as one file:\n"
            "  proteus obfuscate model.onnx --bundle show -n 1 -k 0 --secret model.secret\n",
    .run = run,
};
