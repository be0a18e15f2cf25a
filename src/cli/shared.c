/* shared.c: options that several commands have. */
#include "cli/cli.h"

bool pt_cli_hiding(const PtCliHiding *h, PtObfuscateOptions *options, GError **error) {
  options->k = 20;
  options->seed = h->seed;
  options->mode = h->mode;
  return pt_cli_generator(h->generator, error) && pt_cli_pieces(h->n, &options->n, error) &&
         pt_cli_number("-k", h->k, 0, 10000, &options->k, error) &&
         pt_cli_choice("--mode", h->mode, pt_cli_modes, error);
}

void pt_cli_hiding_clear(PtCliHiding *h) {
  g_free(h->n);
  g_free(h->k);
  g_free(h->seed);
  g_free(h->mode);
  g_free(h->generator);
}

bool pt_cli_optimizer(const PtCliOptimizer *o, PtOptimizeOptions *options, GError **error) {
  options->with = o->with;
  options->level = o->level;
  options->target = o->target;
  return pt_cli_with(o->with, error) && pt_cli_choice("--level", o->level, pt_cli_levels, error) &&
         pt_cli_choice("--target", o->target, pt_cli_targets, error);
}

void pt_cli_optimizer_clear(PtCliOptimizer *o) {
  g_free(o->with);
  g_free(o->level);
  g_free(o->target);
}
