/* verify.c: do two models compute the same? */
#include "cli/cli.h"

static int run(PtCli *cli, int argc, char **argv) {
  g_autofree char *runs_text = NULL, *tolerance_text = NULL, *seed = NULL;
  const GOptionEntry entries[] = {
      {"runs", 'n', 0, G_OPTION_ARG_FILENAME, &runs_text, "Random inputs to try (3)", "N"},
      {"tolerance", 0, 0, G_OPTION_ARG_FILENAME, &tolerance_text,
       "Largest relative difference to call equal (1e-4; more for models in float16 and the like)",
       "T"},
      {"seed", 0, 0, G_OPTION_ARG_FILENAME, &seed, "Of the inputs (0)", "S"},
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 2, 2, &rest, &status))
    return status;
  GError *error = NULL;
  uint32_t runs = 0;
  double tolerance = 0;
  if (!pt_cli_number("--runs", runs_text, 1, 1000000, &runs, &error) ||
      !pt_cli_real("--tolerance", tolerance_text, &tolerance, &error))
    return pt_cli_fail(cli, error);
  PtVerifyReport report = {0};
  if (!pt_verify(rest[0], rest[1], runs, seed ? seed : "0", tolerance, &report, &error)) {
    pt_verify_report_clear(&report);
    return pt_cli_fail(cli, error);
  }
  status = pt_cli_result(cli, pt_json_verify(rest[0], rest[1], &report),
                         pt_text_verify(rest[0], rest[1], &report),
                         report.equal ? PT_EXIT_DONE : PT_EXIT_NO);
  pt_verify_report_clear(&report);
  return status;
}

const PtCommand pt_command_verify = {
    .name = "verify",
    .arguments = "A.onnx B.onnx",
    .summary = "do two models give the same outputs on the same inputs?",
    .help = "Same names, types and order of inputs and outputs, and the same values on seeded "
            "random inputs\n"
            "within the tolerance. Status 1: they differ.\n\n"
            "Example:\n"
            "  proteus verify resnet50.onnx fast.onnx --tolerance 1e-3\n",
    .run = run,
};
