/* train.c: what the sentinels learn from. Reaches past the public API: this is for who builds
 * Proteus. */
#include "cli/cli.h"
#include "sentinel/sentinel.h"

static int run(PtCli *cli, int argc, char **argv) {
  g_autofree char *corpus = NULL, *out = NULL, *threads_text = NULL;
  const GOptionEntry entries[] = {
      {"corpus", 0, 0, G_OPTION_ARG_FILENAME, &corpus, "Folder of public ONNX models", "DIR"},
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &out, "File to write", "FILE"},
      {"threads", 'j', 0, G_OPTION_ARG_FILENAME, &threads_text, "Threads (all cores)", "N"},
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 0, 0, &rest, &status))
    return status;
  GError *error = NULL;
  uint32_t threads = 0;
  if (!pt_cli_need(cli, "--corpus DIR", corpus, &error) ||
      !pt_cli_need(cli, "-o FILE", out, &error) ||
      !pt_cli_number("--threads", threads_text, 1, 4096, &threads, &error))
    return pt_cli_fail(cli, error);
  PtProgress progress = pt_cli_progress(cli);
  double start = pt_clock();
  if (!pt_corpus_build(corpus, out, threads, &progress, &error))
    return pt_cli_fail(cli, error);
  double seconds = pt_clock() - start;
  g_autoptr(PtCorpus) made = pt_corpus_open(out, &error);
  if (!made)
    return pt_cli_fail(cli, error);
  json_t *json = json_object();
  json_object_set_new(json, "corpus", pt_json_text(corpus));
  json_object_set_new(json, "out", pt_json_text(out));
  json_object_set_new(json, "pieces", json_integer(pt_corpus_size(made)));
  json_object_set_new(json, "seconds", pt_json_real(seconds));
  PtLines *lines = pt_lines_new();
  g_autofree char *pieces = pt_human_plural(pt_corpus_size(made), "piece", "pieces");
  g_autofree char *took = pt_human_seconds(seconds);
  pt_lines_add(lines, "learned", "%s from %s", pieces, corpus);
  pt_lines_add(lines, "written", "%s", out);
  pt_lines_add(lines, "took", "%s", took);
  pt_lines_add(lines, "next", "proteus obfuscate MODEL.onnx --corpus %s --bundle DIR --secret FILE",
               out);
  return pt_cli_result(cli, json, pt_lines_finish(lines), PT_EXIT_DONE);
}

const PtCommand pt_command_train = {
    .name = "train",
    .arguments = "--corpus DIR -o FILE",
    .summary = "make the look-alikes' corpus from public models",
    .help = "Cuts every model of the folder like obfuscate does and keeps the pieces, without "
            "weights.\n\n"
            "Example:\n"
            "  proteus train --corpus corpus -o data/pieces.bin\n",
    .run = run,
};
