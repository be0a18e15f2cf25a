/* deobfuscate.c: the owner's last step. */
#include "cli/cli.h"

static int run(PtCli *cli, int argc, char **argv) {
  g_autofree char *secret = NULL, *model = NULL, *out = NULL, *allow = NULL, *tolerance = NULL,
                  *threads = NULL;
  gboolean no_seams = FALSE;
  const GOptionEntry entries[] = {
      {"secret", 's', 0, G_OPTION_ARG_FILENAME, &secret, "What obfuscate wrote", "FILE"},
      {"model", 'm', 0, G_OPTION_ARG_FILENAME, &model, "The model, unchanged since", "MODEL.onnx"},
      PT_CLI_OPTIMIZED(&out),
      {"allow-domain", 0, 0, G_OPTION_ARG_FILENAME, &allow,
       "Operator domains to take besides the known ones, by commas", "LIST"},
      {"tolerance", 0, 0, G_OPTION_ARG_FILENAME, &tolerance,
       "Largest relative difference to take (1e-4)", "T"},
      {"no-seams", 0, 0, G_OPTION_ARG_NONE, &no_seams, "Leave the seams between pieces as they are",
       NULL},
      PT_CLI_THREADS(&threads),
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 1, 1, &rest, &status))
    return status;
  PtDeobfuscateOptions options = {.optimized = rest[0],
                                  .secret = secret,
                                  .model = model,
                                  .out = out,
                                  .allow_domains = allow,
                                  .no_seams = no_seams,
                                  .progress = pt_cli_progress(cli)};
  GError *error = NULL;
  if (!pt_cli_need(cli, "--secret FILE", secret, &error) ||
      !pt_cli_need(cli, "--model MODEL.onnx", model, &error) ||
      !pt_cli_need(cli, "-o OUT.onnx", out, &error) ||
      !pt_cli_apart("-o", out, "--model", model, false, &error) ||
      !pt_cli_real("--tolerance", tolerance, &options.tolerance, &error) ||
      !pt_cli_number("--threads", threads, 1, 4096, &options.threads, &error))
    return pt_cli_fail(cli, error);
  PtDeobfuscateReport report = {0};
  if (!pt_deobfuscate(&options, &report, &error)) {
    pt_deobfuscate_report_clear(&report);
    return pt_cli_fail(cli, error);
  }
  status = pt_cli_result(cli, pt_json_deobfuscate(&options, &report),
                         pt_text_deobfuscate(&options, &report), PT_EXIT_DONE);
  pt_deobfuscate_report_clear(&report);
  return status;
}

const PtCommand pt_command_deobfuscate = {
    .name = "deobfuscate",
    .arguments = "DIR2 --secret FILE --model MODEL.onnx -o OUT.onnx",
    .summary = "put the optimized pieces together with the real weights",
    .help = "Nothing that came back is trusted: each piece is checked and must compute what it did "
            "before.\n"
            "One that does not stays as it was and is listed; that is status 0. Status 1: the "
            "result as a\n"
            "whole differs from the model, and nothing was written.\n\n"
            "Example:\n"
            "  proteus deobfuscate optimized --secret resnet50.secret --model resnet50.onnx -o "
            "fast.onnx\n",
    .run = run,
};
