/* audit.c: what could an adversary tell? Reaches past the public API: the audit is for who keeps
 * the secret, or builds Proteus. */
#include "audit/audit.h"
#include "cli/audit_sweep.h"
#include "cli/cli.h"
#include "runtime/runtime.h"

#include <string.h>

typedef struct Asked {
  char *bundle, *secret, *model, *table, *quiz, *html, *corpus, *work, *models, *only, *mode, *seed,
      *n, *k, *seeds, *folds, *threads, *learn, *adversaries, *svg;
} Asked;

static void asked_clear(Asked *a) {
  char **all[] = {&a->bundle, &a->secret,  &a->model, &a->table,       &a->quiz,
                  &a->html,   &a->corpus,  &a->work,  &a->models,      &a->only,
                  &a->mode,   &a->seed,    &a->n,     &a->k,           &a->seeds,
                  &a->folds,  &a->threads, &a->learn, &a->adversaries, &a->svg};
  for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
    g_clear_pointer(all[i], g_free);
}

static const char *const tables[] = {"paper", "all", "sweep", NULL};
/* What is swept over, unless --models says: a residual, a branching and a small one. */
static const char *const swept[] = {"resnet50", "googlenet", "mobilenet_v2", NULL};

/* The public models that came with the source: beside the data files. */
static char *shipped_corpus(void) {
  g_autofree char *file = pt_data_find("walk.bin");
  g_autofree char *folder = file ? g_path_get_dirname(file) : NULL;
  char *corpus = folder ? g_build_filename(folder, "..", "corpus", NULL) : NULL;
  if (corpus && g_file_test(corpus, G_FILE_TEST_IS_DIR))
    return corpus;
  g_free(corpus);
  return NULL;
}

static bool check(PtCli *cli, Asked *a, PtAuditOptions *o, GError **error) {
  int kinds = (a->bundle != NULL) + (a->table != NULL) + (a->quiz != NULL) + (a->learn != NULL);
  if (kinds != 1) {
    g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE,
                "audit takes one of --bundle DIR, --table paper|all|sweep, --quiz OUT.html and "
                "--learn FILE");
    return false;
  }
  if ((a->html && !a->bundle) || (a->svg && g_strcmp0(a->table, "sweep") != 0)) {
    g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE,
                "--html goes with --bundle, --svg with --table sweep");
    return false;
  }
  if (a->bundle && !pt_cli_need(cli, "--secret FILE", a->secret, error))
    return false;
  if (!pt_cli_choice("--table", a->table, tables, error) ||
      !pt_cli_choice("--mode", a->mode, pt_cli_modes, error) ||
      !pt_cli_pieces(a->n, &o->n, error) || !pt_cli_number("-k", a->k, 1, 1000, &o->k, error) ||
      !pt_cli_number("--seeds", a->seeds, 1, 1000, &o->seeds, error) ||
      !pt_cli_number("--folds", a->folds, 2, 1000, &o->folds, error) ||
      !pt_cli_number("--threads", a->threads, 1, 4096, &o->threads, error))
    return false;
  if (!a->bundle && !a->corpus && !(a->corpus = shipped_corpus())) {
    g_set_error(error, PT_CLI_ERROR, PT_ERR_USAGE,
                "the public models that come with the source are not there: give --corpus DIR");
    return false;
  }
  o->groups = o->folds;
  o->corpus = a->corpus;
  o->work = a->work;
  o->mode = a->mode;
  o->progress = pt_cli_progress(cli);
  return pt_runtime_load(error);
}

static int run_paper(PtCli *cli, const PtAuditOptions *o) {
  GError *error = NULL;
  g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(PtPaperRow));
  if (!pt_audit_paper(o, rows, &error))
    return pt_cli_fail(cli, error);
  return pt_cli_result(cli, pt_json_paper(rows), pt_text_paper(rows), PT_EXIT_DONE);
}

static int run_survey(PtCli *cli, const PtAuditOptions *o) {
  GError *error = NULL;
  g_autoptr(PtAuditSurvey) survey = pt_audit_survey(o, &error);
  if (!survey)
    return pt_cli_fail(cli, error);
  return pt_cli_result(cli, pt_json_survey(survey), pt_text_survey(survey), PT_EXIT_DONE);
}

/* Adversaries learn from what is left of the corpus: one run a model, no more than it takes. */
static int run_sweep(PtCli *cli, const Asked *a, const PtAuditOptions *o) {
  GError *error = NULL;
  PtAuditOptions audit = *o;
  const char *const *models = o->models ? o->models : swept;
  audit.models = NULL;
  audit.seeds = o->seeds ? o->seeds : 1;
  audit.folds = o->folds ? o->folds : 4;
  audit.groups = o->folds ? o->folds : 2;
  PtSweepOptions options = {.audit = &audit, .threads = o->threads, .progress = o->progress};
  g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(PtSweepRow));
  if (!pt_sweep(&options, models, rows, &error))
    return pt_cli_fail(cli, error);
  g_autofree char *svg = a->svg ? pt_svg_sweep(rows) : NULL;
  if (svg && !pt_file_write(a->svg, 0644, svg, strlen(svg), &error))
    return pt_cli_fail(cli, error);
  return pt_cli_result(cli, pt_json_sweep(rows), pt_text_sweep(rows), PT_EXIT_DONE);
}

static int run_bundle(PtCli *cli, const Asked *a, const PtAuditOptions *o) {
  GError *error = NULL;
  g_autofree char *base = g_path_get_basename(a->model ? a->model : a->bundle);
  PtAuditBundleOptions options = {.bundle = a->bundle,
                                  .secret = a->secret,
                                  .name = base,
                                  .adversaries = a->adversaries,
                                  .threads = o->threads,
                                  .progress = o->progress};
  PtAuditModel *model = pt_audit_bundle(&options, &error);
  if (!model)
    return pt_cli_fail(cli, error);
  g_autofree char *page = a->html ? pt_html_audit(model, a->bundle) : NULL;
  if (page && !pt_file_write(a->html, 0600, page, strlen(page), &error)) {
    pt_audit_model_free(model);
    return pt_cli_fail(cli, error);
  }
  json_t *json = pt_json_audit(model);
  char *text = pt_text_audit(model);
  pt_audit_model_free(model);
  return pt_cli_result(cli, json, text, PT_EXIT_DONE);
}

static int run_learn(PtCli *cli, const Asked *a, const PtAuditOptions *o) {
  GError *error = NULL;
  g_autoptr(PtAuditSurvey) survey = NULL;
  if (!pt_audit_learn(o, a->learn, &survey, &error))
    return pt_cli_fail(cli, error);
  json_t *json = pt_json_survey(survey);
  json_object_set_new(json, "out", pt_json_text(a->learn));
  g_autofree char *told = pt_text_survey(survey);
  return pt_cli_result(cli, json, g_strdup_printf("%s\nwritten %s\n", told, a->learn),
                       PT_EXIT_DONE);
}

static int run_quiz(PtCli *cli, const Asked *a, const PtAuditOptions *o) {
  GError *error = NULL;
  char drawn[17];
  if (!a->seed) {
    PtSeed seed;
    pt_seed_init(&seed, NULL);
    g_autoptr(PtRng) rng = pt_rng_new(&seed, "seed", 0);
    g_snprintf(drawn, sizeof drawn, "%016" G_GINT64_MODIFIER "x", pt_rng_u64(rng));
  }
  const char *seed = a->seed ? a->seed : drawn;
  g_autoptr(GPtrArray) items = pt_audit_quiz(o, seed, &error);
  if (!items)
    return pt_cli_fail(cli, error);
  g_autoptr(GPtrArray) graphs = g_ptr_array_new();
  g_autofree bool *real = g_new(bool, (gsize)items->len + 1);
  g_autoptr(GString) key = g_string_new(NULL);
  for (guint i = 0; i < items->len; i++) {
    const PtQuizItem *item = items->pdata[i];
    g_ptr_array_add(graphs, item->graph);
    real[i] = item->real;
    g_string_append_c(key, item->real ? 'r' : 'm');
  }
  g_autofree char *page = pt_quiz_html(graphs, real, seed, &error);
  if (!page || !pt_file_write(a->quiz, 0644, page, strlen(page), &error))
    return pt_cli_fail(cli, error);
  json_t *json = json_object();
  json_object_set_new(json, "out", pt_json_text(a->quiz));
  json_object_set_new(json, "seed", pt_json_text(seed));
  json_object_set_new(json, "key", json_string(key->str));
  PtLines *lines = pt_lines_new();
  pt_lines_add(lines, "written", "%s: %u graphs, half of them real", a->quiz, items->len);
  pt_lines_add(lines, "seed", "%s (the same seed gives the same page, and its key with --json)",
               seed);
  return pt_cli_result(cli, json, pt_lines_finish(lines), PT_EXIT_DONE);
}

static int run(PtCli *cli, int argc, char **argv) {
  Asked a = {0};
  const GOptionEntry entries[] = {
      {"bundle", 0, 0, G_OPTION_ARG_FILENAME, &a.bundle, "Audit this bundle", "DIR"},
      {"secret", 0, 0, G_OPTION_ARG_FILENAME, &a.secret, "Its secret", "FILE"},
      {"model", 0, 0, G_OPTION_ARG_FILENAME, &a.model, "The model it hides, for its name", "FILE"},
      {"html", 0, 0, G_OPTION_ARG_FILENAME, &a.html, "With --bundle: write a page, too", "FILE"},
      {"table", 0, 0, G_OPTION_ARG_FILENAME, &a.table,
       "paper: Figure 6; all: every adversary against public models; sweep: n, k and r", "WHICH"},
      {"svg", 0, 0, G_OPTION_ARG_FILENAME, &a.svg, "With --table sweep: draw it, too", "FILE"},
      {"quiz", 0, 0, G_OPTION_ARG_FILENAME, &a.quiz, "Write a questionnaire of 20 graphs",
       "OUT.html"},
      {"corpus", 0, 0, G_OPTION_ARG_FILENAME, &a.corpus, "Public models (those of the source)",
       "DIR"},
      {"work", 0, 0, G_OPTION_ARG_FILENAME, &a.work,
       "Keep what is made here, and go on from it (a temporary folder)", "DIR"},
      {"models", 0, 0, G_OPTION_ARG_FILENAME, &a.models, "Of the corpus, with commas (all)",
       "NAMES"},
      {"only", 0, 0, G_OPTION_ARG_FILENAME, &a.only, "Adversaries, with commas (all)", "NAMES"},
      {"learn", 0, 0, G_OPTION_ARG_FILENAME, &a.learn,
       "Train the adversaries that --bundle uses, and write them", "FILE"},
      {"adversaries", 0, 0, G_OPTION_ARG_FILENAME, &a.adversaries,
       "What --learn wrote (those shipped)", "FILE"},
      {"mode", 0, 0, G_OPTION_ARG_FILENAME, &a.mode, "Of the sentinels (walk)", "MODE"},
      {"seeds", 0, 0, G_OPTION_ARG_FILENAME, &a.seeds, "Runs a model (5; table paper: 1)", "N"},
      {"seed", 0, 0, G_OPTION_ARG_FILENAME, &a.seed, "Of the questionnaire (drawn)", "TEXT"},
      {"folds", 0, 0, G_OPTION_ARG_FILENAME, &a.folds,
       "Deal families into N folds: fewer generators to train, each leaving a fold out (each "
       "family "
       "by itself)",
       "N"},
      {"pieces", 'n', 0, G_OPTION_ARG_FILENAME, &a.n, "Pieces a model in table all (auto)", "N"},
      {"sentinels", 'k', 0, G_OPTION_ARG_FILENAME, &a.k, "Sentinels a bucket in table all (20)",
       "K"},
      PT_CLI_THREADS(&a.threads),
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL, models = NULL, only = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 0, 0, &rest, &status)) {
    asked_clear(&a);
    return status;
  }
  GError *error = NULL;
  PtAuditOptions options = {0};
  if (!check(cli, &a, &options, &error))
    status = pt_cli_fail(cli, error);
  else {
    models = a.models ? g_strsplit(a.models, ",", -1) : NULL;
    only = a.only ? g_strsplit(a.only, ",", -1) : NULL;
    options.models = (const char *const *)models;
    options.only = (const char *const *)only;
    status = a.bundle                        ? run_bundle(cli, &a, &options)
             : a.quiz                        ? run_quiz(cli, &a, &options)
             : a.learn                       ? run_learn(cli, &a, &options)
             : g_str_equal(a.table, "paper") ? run_paper(cli, &options)
             : g_str_equal(a.table, "sweep") ? run_sweep(cli, &a, &options)
                                             : run_survey(cli, &options);
  }
  asked_clear(&a);
  return status;
}

const PtCommand pt_command_audit = {
    .name = "audit",
    .arguments = "--bundle DIR --secret FILE | --table paper|all|sweep | --quiz OUT.html",
    .summary = "what an adversary could tell from a bundle, before it is sent",
    .help = "Plays the adversary. With --table, over public models, each protected by a generator\n"
            "and attacked by adversaries that have not seen it or its near-duplicates.\n\n"
            "Examples:\n"
            "  proteus audit --bundle bundle --secret model.secret --html audit.html\n"
            "  proteus audit --table paper\n"
            "  proteus audit --table all --models resnet50,bert_base,gpt2,swin --work audit-work\n"
            "  proteus audit --table all --folds 3 --seeds 5 --work audit-work   (hours; if it is\n"
            "    interrupted, the same command goes on; fewer seeds first are not made again)\n"
            "  proteus audit --table sweep --svg sweep.svg\n"
            "  proteus audit --quiz quiz.html --seed 7\n",
    .run = run,
};
