/* fill.c: weights for a skeleton. */
#include "cli/cli.h"

#include <sys/stat.h>

static int run(PtCli *cli, int argc, char **argv) {
  g_autofree char *out = NULL, *seed = NULL, *threads_text = NULL;
  const GOptionEntry entries[] = {
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &out, "The model to write", "MODEL.onnx"},
      {"seed", 0, 0, G_OPTION_ARG_FILENAME, &seed, "The same seed gives the same bytes (0)", "S"},
      PT_CLI_THREADS(&threads_text),
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 1, 1, &rest, &status))
    return status;
  GError *error = NULL;
  uint32_t threads = 0;
  if (!pt_cli_need(cli, "-o MODEL.onnx", out, &error) ||
      !pt_cli_number("--threads", threads_text, 1, 4096, &threads, &error))
    return pt_cli_fail(cli, error);
  double start = pt_clock();
  if (!pt_fill_file(rest[0], out, seed ? seed : "0", threads, &error))
    return pt_cli_fail(cli, error);
  double seconds = pt_clock() - start;
  struct stat info = {0};
  uint64_t bytes = stat(out, &info) == 0 ? (uint64_t)info.st_size : 0;
  json_t *json = json_object();
  json_object_set_new(json, "skeleton", pt_json_text(rest[0]));
  json_object_set_new(json, "model", pt_json_text(out));
  json_object_set_new(json, "bytes", json_integer((json_int_t)bytes));
  json_object_set_new(json, "seconds", pt_json_real(seconds));
  PtLines *lines = pt_lines_new();
  g_autofree char *size = pt_human_size(bytes);
  g_autofree char *took = pt_human_seconds(seconds);
  pt_lines_add(lines, "filled", "%s with random weights", rest[0]);
  pt_lines_add(lines, "written", "%s (%s)", out, size);
  pt_lines_add(lines, "took", "%s", took);
  return pt_cli_result(cli, json, pt_lines_finish(lines), PT_EXIT_DONE);
}

const PtCommand pt_command_fill = {
    .name = "fill",
    .arguments = "SKELETON.onnx -o MODEL.onnx [--seed S]",
    .summary = "give a model without weights random ones",
    .help = "For models whose float initializers carry no data, such as those in corpus/. The "
            "weights are scaled\n"
            "so that outputs stay finite.\n\n"
            "Example:\n"
            "  proteus fill corpus/resnet50.onnx -o resnet50.onnx --seed 1\n",
    .run = run,
};
