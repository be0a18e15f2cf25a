/* bench.c: how fast is the result, against the original and the best attainable? */
#include "cli/cli.h"

static int run(PtCli *cli, int argc, char **argv) {
  g_autofree char *iterations = NULL, *loads = NULL, *level = NULL, *target = NULL, *threads = NULL;
  gboolean twice = FALSE;
  const GOptionEntry entries[] = {
      {"iterations", 'n', 0, G_OPTION_ARG_FILENAME, &iterations, "Runs of each (500)", "N"},
      {"loads", 0, 0, G_OPTION_ARG_FILENAME, &loads, "Times each is loaded anew (1)", "N"},
      {"level", 0, 0, G_OPTION_ARG_FILENAME, &level,
       "Of best attainable: basic, extended or all (all)", "LEVEL"},
      {"target", 0, 0, G_OPTION_ARG_FILENAME, &target,
       "Of best attainable: portable (default) or native", "TARGET"},
      {"twice", 0, 0, G_OPTION_ARG_NONE, &twice, "Best attainable a second time, to show the noise",
       NULL},
      {"threads", 'j', 0, G_OPTION_ARG_FILENAME, &threads, "Threads a run (1)", "N"},
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 1, 2, &rest, &status))
    return status;
  PtBenchOptions options = {.model = rest[0],
                            .result = rest[1],
                            .level = level,
                            .target = target,
                            .twice = twice,
                            .progress = pt_cli_progress(cli)};
  GError *error = NULL;
  if (!pt_cli_number("--iterations", iterations, 1, 10000000, &options.iterations, &error) ||
      !pt_cli_number("--loads", loads, 1, 1000, &options.loads, &error) ||
      !pt_cli_choice("--level", level, pt_cli_levels, &error) ||
      !pt_cli_choice("--target", target, pt_cli_targets, &error) ||
      !pt_cli_number("--threads", threads, 1, 4096, &options.threads, &error))
    return pt_cli_fail(cli, error);
  PtBenchReport report = {0};
  if (!pt_bench(&options, &report, &error)) {
    pt_bench_report_clear(&report);
    return pt_cli_fail(cli, error);
  }
  status = pt_cli_result(cli, pt_json_bench(&options, &report), pt_text_bench(&options, &report),
                         PT_EXIT_DONE);
  pt_bench_report_clear(&report);
  return status;
}

const PtCommand pt_command_bench = {
    .name = "bench",
    .arguments = "MODEL.onnx [OUT.onnx]",
    .summary = "time the model, the best attainable, and the result",
    .help = "Best attainable is ONNX Runtime's optimization of the whole model, without any "
            "hiding. All are run\n"
            "in turn in one process, with optimizations off, so that only what their files have in "
            "them counts.\n\n"
            "Examples:\n"
            "  proteus bench resnet50.onnx fast.onnx\n"
            "  proteus bench resnet50.onnx fast.onnx --target native --twice --loads 3\n",
    .run = run,
};
