/* run.c: all steps at once, in a private folder, for a first look. */
#include "cli/cli.h"

typedef struct Run {
  PtObfuscateOptions obfuscate;
  PtOptimizeOptions optimize;
  PtDeobfuscateOptions deobfuscate;
  PtObfuscateReport obfuscated;
  PtOptimizeReport optimized;
  PtDeobfuscateReport deobfuscated;
  PtVerifyReport verified;
  double seconds;
} Run;

static void run_clear(Run *run) {
  pt_optimize_report_clear(&run->optimized);
  pt_deobfuscate_report_clear(&run->deobfuscated);
  pt_verify_report_clear(&run->verified);
}

static bool run_steps(Run *run, GError **error) {
  double start = pt_clock();
  bool ok = pt_obfuscate(&run->obfuscate, &run->obfuscated, error) &&
            pt_optimize(&run->optimize, &run->optimized, error) &&
            pt_deobfuscate(&run->deobfuscate, &run->deobfuscated, error);
  if (ok) {
    pt_progress(&run->obfuscate.progress, "verifying", 0, 0);
    /* a seed of its own: deobfuscate has tried others before */
    ok = pt_verify(run->obfuscate.model, run->deobfuscate.out, 0, "run", run->deobfuscate.tolerance,
                   &run->verified, error);
  }
  run->seconds = pt_clock() - start;
  return ok;
}

static json_t *run_json(const Run *run) {
  json_t *json = json_object();
  json_object_set_new(json, "model", pt_json_text(run->obfuscate.model));
  json_object_set_new(json, "out", pt_json_text(run->deobfuscate.out));
  json_object_set_new(json, "obfuscate", pt_json_obfuscate(&run->obfuscate, &run->obfuscated));
  json_object_set_new(json, "optimize", pt_json_optimize(&run->optimize, &run->optimized));
  json_object_set_new(json, "deobfuscate",
                      pt_json_deobfuscate(&run->deobfuscate, &run->deobfuscated));
  json_object_set_new(json, "verify",
                      pt_json_verify(run->obfuscate.model, run->deobfuscate.out, &run->verified));
  json_object_set_new(json, "seconds", pt_json_real(run->seconds));
  return json;
}

static void add_fallbacks(PtLines *lines, const PtDeobfuscateReport *report) {
  for (guint i = 0; report->fallbacks && i < report->fallbacks->len; i++) {
    const PtFallback *fallback = g_ptr_array_index(report->fallbacks, i);
    pt_lines_add(lines, i == 0 ? "as it was" : "", "piece %u: %s", fallback->piece, fallback->why);
  }
}

static char *run_text(const Run *run, const char *kept) {
  const PtObfuscateReport *a = &run->obfuscated;
  const PtOptimizeReport *b = &run->optimized;
  const PtDeobfuscateReport *c = &run->deobfuscated;
  PtLines *lines = pt_lines_new();
  g_autofree char *bundle = pt_human_size(a->bundle_bytes);
  g_autofree char *answer = pt_human_size(b->bytes);
  g_autofree char *t1 = pt_human_seconds(a->seconds);
  g_autofree char *t2 = pt_human_seconds(b->seconds);
  g_autofree char *t3 = pt_human_seconds(c->seconds);
  g_autofree char *model = pt_shell_word(run->obfuscate.model);
  g_autofree char *out = pt_shell_word(run->deobfuscate.out);
  pt_lines_add(lines, "obfuscated", "%u nodes in %u pieces of %u to %u, %u candidates, %s sent: %s",
               a->nodes, a->pieces, a->smallest, a->largest, a->candidates, bundle, t1);
  if (a->search_space_log10 > 0)
    pt_lines_add(lines, "", "10^%.1f ways to choose one candidate a bucket", a->search_space_log10);
  pt_lines_add(lines, "optimized", "%u of %u, %s sent back: %s", b->done + b->skipped,
               b->candidates, answer, t2);
  pt_lines_add(lines, "restored", "%u of %u pieces optimized, %u nodes before, %u after: %s",
               c->optimized, c->pieces, c->nodes_before, c->nodes_after, t3);
  add_fallbacks(lines, c);
  pt_lines_add(lines, "verified", "%s, largest relative difference %.2g on %u random inputs",
               run->verified.equal ? "equal" : "DIFFERENT", run->verified.difference,
               run->verified.runs);
  pt_lines_add(lines, "written", "%s", run->deobfuscate.out);
  if (kept)
    pt_lines_add(lines, "kept", "%s: bundle, optimized, model.secret", kept);
  g_autofree char *target =
      run->optimize.target ? g_strdup_printf(" --target %s", run->optimize.target) : g_strdup("");
  pt_lines_add(lines, "next", "proteus bench %s %s%s", model, out, target);
  return pt_lines_finish(lines);
}

static int run_in(PtCli *cli, Run *run, const char *work, const char *kept) {
  g_autofree char *bundle = g_build_filename(work, "bundle", NULL);
  g_autofree char *optimized = g_build_filename(work, "optimized", NULL);
  g_autofree char *secret = g_build_filename(work, "model.secret", NULL);
  run->obfuscate.bundle = run->optimize.bundle = bundle;
  run->optimize.out = run->deobfuscate.optimized = optimized;
  run->obfuscate.secret = run->deobfuscate.secret = secret;
  GError *error = NULL;
  int status;
  if (run_steps(run, &error))
    status = pt_cli_result(cli, run_json(run), run_text(run, kept),
                           run->verified.equal ? PT_EXIT_DONE : PT_EXIT_NO);
  else
    status = pt_cli_fail_with(cli, run->obfuscate.model, error);
  run_clear(run);
  return status;
}

/* Makes the folder to work in, and takes it away again unless it is to be kept. */
static int run_folder(PtCli *cli, Run *run, const char *keep) {
  GError *error = NULL;
  if (!keep) {
    g_autofree char *work = pt_dir_make_temp("proteus-run", &error);
    if (!work)
      return pt_cli_fail(cli, error);
    int status = run_in(cli, run, work, NULL);
    pt_dir_remove(work);
    return status;
  }
  PtCliFolder folder = pt_cli_folder_begin(keep);
  if (!folder.ours) {
    pt_cli_folder_end(&folder, true);
    return pt_cli_fail(cli, g_error_new(PT_CLI_ERROR, PT_ERR_IO,
                                        "%s is not an empty folder; give --keep a new one", keep));
  }
  int status = pt_dir_make(keep, &error) ? run_in(cli, run, keep, keep) : pt_cli_fail(cli, error);
  pt_cli_folder_end(&folder, status == PT_EXIT_DONE || status == PT_EXIT_NO);
  return status;
}

static int run_command(PtCli *cli, int argc, char **argv) {
  g_autofree char *out = NULL, *keep = NULL, *threads = NULL;
  g_auto(PtCliHiding) hiding = {0};
  g_auto(PtCliOptimizer) optimizer = {0};
  const GOptionEntry entries[] = {
      PT_CLI_OPTIMIZED(&out),
      PT_CLI_HIDING(&hiding),
      PT_CLI_OPTIMIZER(&optimizer),
      {"keep", 0, 0, G_OPTION_ARG_FILENAME, &keep, "Keep bundle, answers and secret here", "DIR"},
      PT_CLI_THREADS(&threads),
      G_OPTION_ENTRY_NULL};
  g_auto(GStrv) rest = NULL;
  int status;
  if (!pt_cli_parse(cli, entries, argc, argv, 1, 1, &rest, &status))
    return status;
  PtProgress progress = pt_cli_progress(cli);
  Run run = {.obfuscate = {.model = rest[0], .progress = progress},
             .optimize = {.progress = progress},
             .deobfuscate = {.model = rest[0], .out = out, .progress = progress}};
  GError *error = NULL;
  if (!pt_cli_need(cli, "-o OUT.onnx", out, &error) ||
      !pt_cli_apart("-o", out, "the model", rest[0], false, &error) ||
      !pt_cli_hiding(&hiding, &run.obfuscate, &error) ||
      !pt_cli_optimizer(&optimizer, &run.optimize, &error) ||
      !pt_cli_number("--threads", threads, 1, 4096, &run.obfuscate.threads, &error))
    return pt_cli_fail(cli, error);
  run.optimize.jobs = run.deobfuscate.threads = run.obfuscate.threads;
  return run_folder(cli, &run, keep);
}

const PtCommand pt_command_run = {
    .name = "run",
    .arguments = "MODEL.onnx -o OUT.onnx",
    .summary = "the three steps at once, for a first look",
    .help = "Obfuscates, optimizes with ONNX Runtime, restores and verifies, in a private "
            "temporary folder.\n"
            "Status 1: the result differs from the model.\n\n"
            "Examples:\n"
            "  proteus run resnet50.onnx -o fast.onnx\n"
            "  proteus run resnet50.onnx -o fast.onnx -n 12 -k 5 --target native --keep steps\n",
    .run = run_command,
};
