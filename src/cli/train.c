/* train.c: what the sentinels learn from. Reaches past the public API: this is for who builds
 * Proteus, and for an audit that must leave the protected model out. */
#include "cli/train.h"

#include "topology/topology.h"
#include "walk/walk.h"

enum { SPARKS = 40 };

typedef double Value(const GArray *array, guint i);
static double of_learned(const GArray *a, guint i) {
  return g_array_index(a, PtTopologyEpoch, i).train;
}
static double of_unseen(const GArray *a, guint i) {
  return g_array_index(a, PtTopologyEpoch, i).unseen;
}
static double of_round(const GArray *a, guint i) {
  return g_array_index(a, PtWalkRound, i).auc;
}

static json_t *list_of(const GArray *array, Value *value) {
  json_t *list = json_array();
  for (guint i = 0; i < array->len; i++)
    json_array_append_new(list, pt_json_real(value(array, i)));
  return list;
}

static json_t *json_of(const PtTrain *t, double seconds) {
  json_t *json = json_object(), *files = json_array();
  for (guint i = 0; i < t->files->len; i++)
    json_array_append_new(files, pt_json_text(t->files->pdata[i]));
  json_object_set_new(json, "corpus", pt_json_text(t->corpus));
  json_object_set_new(json, "out", pt_json_text(t->out));
  json_object_set_new(json, "files", files);
  json_object_set_new(json, "resumed", json_integer(t->resumed));
  json_object_set_new(json, "models", json_integer(t->models));
  json_object_set_new(json, "pieces", json_integer(t->pieces));
  json_object_set_new(json, "topologies",
                      json_pack("{s:o, s:o}", "learned", list_of(t->learned, of_learned), "unseen",
                                list_of(t->learned, of_unseen)));
  json_object_set_new(json, "walk", json_pack("{s:o}", "auc", list_of(t->rounds, of_round)));
  json_object_set_new(json, "seconds", pt_json_real(seconds));
  return json;
}

static void add_curve(PtLines *lines, const char *label, const GArray *array, Value *value,
                      const char *what) {
  if (array->len == 0)
    return;
  g_autofree double *values = g_new(double, array->len);
  for (guint i = 0; i < array->len; i++)
    values[i] = value(array, i);
  g_autofree char *sparks = pt_train_sparkline(values, array->len, SPARKS);
  pt_lines_add(lines, label, "%.3f to %.3f %s  %s", values[0], values[array->len - 1], what,
               sparks);
}

static char *text_of(const PtTrain *t, double seconds) {
  PtLines *lines = pt_lines_new();
  g_autofree char *pieces = pt_human_plural(t->pieces, "piece", "pieces");
  g_autofree char *models = pt_human_plural(t->models, "model", "models");
  g_autofree char *took = pt_human_seconds(seconds), *folder = pt_shell_word(t->out);
  pt_lines_add(lines, "learned", "%s of %s from %s", pieces, models, t->corpus);
  add_curve(lines, "topologies", t->learned, of_learned, "nats a node");
  add_curve(lines, "", t->learned, of_unseen, "on pieces not seen");
  add_curve(lines, "pi", t->rounds, of_round, "adversary's area (0.5: chance)");
  pt_lines_add(lines, "written", "pieces.bin, topology.bin, walk.bin, train.json, loss.svg in %s",
               folder);
  if (t->resumed > 0)
    pt_lines_add(lines, "", "of these %u were there already", t->resumed);
  pt_lines_add(lines, "took", "%s", took);
  pt_lines_add(lines, "next",
               "proteus obfuscate MODEL.onnx --generator %s --bundle DIR --secret FILE", folder);
  return pt_lines_finish(lines);
}

static int run(PtCli *cli, int argc, char **argv) {
  g_autofree char *corpus = NULL, *out = NULL, *threads = NULL, *seed = NULL, *epochs = NULL;
  g_auto(GStrv) exclude = NULL, rest = NULL;
  gboolean resume = FALSE;
  const GOptionEntry entries[] = {
      {"corpus", 0, 0, G_OPTION_ARG_FILENAME, &corpus, "Folder of public ONNX models", "DIR"},
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &out, "Folder to write", "DIR"},
      {"exclude", 'x', 0, G_OPTION_ARG_FILENAME_ARRAY, &exclude,
       "A model to leave out, without .onnx; may be repeated", "NAME"},
      {"seed", 0, 0, G_OPTION_ARG_FILENAME, &seed, "The same seed gives the same files", "S"},
      {"epochs", 0, 0, G_OPTION_ARG_FILENAME, &epochs, "Passes over the topologies", "N"},
      {"resume", 0, 0, G_OPTION_ARG_NONE, &resume, "Go on where it was stopped", NULL},
      PT_CLI_THREADS(&threads),
      G_OPTION_ENTRY_NULL};
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 0, 0, &rest, &status))
    return status;
  GError *error = NULL;
  PtTrain train = {.corpus = corpus,
                   .out = out,
                   .seed = seed,
                   .exclude = (const char *const *)exclude,
                   .resume = resume,
                   .progress = pt_cli_progress(cli)};
  if (!pt_cli_need(cli, "--corpus DIR", corpus, &error) ||
      !pt_cli_need(cli, "-o DIR", out, &error) ||
      !pt_cli_number("--epochs", epochs, 1, 10000, &train.epochs, &error) ||
      !pt_cli_number("--threads", threads, 1, 4096, &train.threads, &error))
    return pt_cli_fail(cli, error);
  double start = pt_clock();
  bool ok = pt_train_run(&train, &error);
  double seconds = pt_clock() - start;
  status = ok ? pt_cli_result(cli, json_of(&train, seconds), text_of(&train, seconds), PT_EXIT_DONE)
              : pt_cli_fail(cli, error);
  pt_train_clear(&train);
  return status;
}

const PtCommand pt_command_train = {
    .name = "train",
    .arguments = "--corpus DIR -o DIR",
    .summary = "make the look-alikes' generator from public models",
    .help = "Cuts every model of the folder like obfuscate does, keeps the pieces without weights, "
            "learns\n"
            "their topologies (GraphRNN) and the walk's pi. Interrupted, it goes on with --resume "
            "and gives\n"
            "the same files. obfuscate and run take the folder as --generator.\n\n"
            "Example:\n"
            "  proteus train --corpus corpus -o generator\n"
            "Without the model that is to be protected, for an audit:\n"
            "  proteus train --corpus corpus -o generator --exclude resnet50\n",
    .run = run,
};
