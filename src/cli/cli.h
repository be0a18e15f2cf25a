/* cli: the command line; a file a command, a table of them in main.c.
 * In: argv.  Out: results on standard output, progress and errors on standard error, an exit
 * status. Uses include/proteus/proteus.h and report; only `train` reaches further. Never touches:
 * models. */
#ifndef PT_CLI_H
#define PT_CLI_H

#include "base/base.h"
#include "proteus/proteus.h"
#include "report/report.h"

#define PT_CLI_ERROR (pt_cli_error_quark())
GQuark pt_cli_error_quark(void);

/* Exit statuses; scripts read them. */
enum {
  PT_EXIT_DONE = 0,
  PT_EXIT_NO = 1,
  PT_EXIT_USAGE = 2,
  PT_EXIT_INPUT = 3,
  PT_EXIT_ENVIRONMENT = 4
};

typedef struct PtCli PtCli;
typedef struct PtCommand {
  const char *name;
  const char *arguments; /* as written after the name: "MODEL.onnx --bundle DIR --secret FILE" */
  const char *summary;   /* half a line */
  const char *help;      /* what it does; examples; what exit status 1 means */
  int (*run)(PtCli *cli, int argc, char **argv);
} PtCommand;

struct PtCli {
  const PtCommand *command;
  gboolean json, quiet;
};

extern const PtCommand pt_command_obfuscate, pt_command_optimize, pt_command_deobfuscate,
    pt_command_run, pt_command_verify, pt_command_bench, pt_command_fill, pt_command_inspect,
    pt_command_train, pt_command_audit;

/* ---- options.c ---- */
/* Parses argv by `entries` and the common options; *rest receives the positional arguments
 * (g_strfreev), of which there must be least..most. False: return *status (help was asked for, or
 * the use was bad and has been said). */
bool pt_cli_parse(PtCli *cli, const GOptionEntry *entries, int argc, char **argv, int least,
                  int most, char ***rest, int *status);
/* Numbers as people type them; the error names the option and the range. NULL text leaves *out as
 * it is. */
bool pt_cli_number(const char *option, const char *text, uint64_t least, uint64_t most,
                   uint32_t *out, GError **error);
bool pt_cli_real(const char *option, const char *text, double *out,
                 GError **error); /* finite, > 0 */
/* True if text is NULL or one of `choices` (NULL at the end). */
bool pt_cli_choice(const char *option, const char *text, const char *const *choices,
                   GError **error);
extern const char *const pt_cli_modes[], *const pt_cli_levels[], *const pt_cli_targets[];
/* Refuses file `a` being `b`, or, with `within`, lying in folder `b`. */
bool pt_cli_apart(const char *a_option, const char *a, const char *b_option, const char *b,
                  bool within, GError **error);
/* -n: auto is 0. */
bool pt_cli_pieces(const char *text, uint32_t *n, GError **error);
/* --with: ort, or a command with {in} and {out}. */
bool pt_cli_with(const char *text, GError **error);
/* --generator: a folder that `proteus train` made takes the place of the shipped files for all
 * rooms. Before any thread is started. */
bool pt_cli_generator(const char *folder, GError **error);
/* True if the option was given; else an error that names it and its argument: "--bundle DIR". */
bool pt_cli_need(PtCli *cli, const char *option, const char *text, GError **error);
/* The nearest of `names` (NULL at the end) to a mistyped one, or NULL. */
const char *pt_cli_nearest(const char *typed, const char *const *names);

/* ---- shared.c: options that several commands have, as rows of their tables ---- */
#define PT_CLI_THREADS(to)                                                                         \
  { "threads", 'j', 0, G_OPTION_ARG_FILENAME, to, "Threads (all cores)", "N" }
#define PT_CLI_OPTIMIZED(to)                                                                       \
  { "output", 'o', 0, G_OPTION_ARG_FILENAME, to, "The optimized model to write", "OUT.onnx" }

/* How a model is hidden. */
typedef struct PtCliHiding {
  char *n, *k, *seed, *mode, *generator;
} PtCliHiding;
#define PT_CLI_HIDING(h)                                                                             \
  {"pieces", 'n', 0, G_OPTION_ARG_FILENAME, &(h)->n, "Pieces (auto: of 8 to 16 nodes)", "N|auto"},   \
      {"sentinels", 'k', 0, G_OPTION_ARG_FILENAME, &(h)->k, "Look-alikes a piece (20)", "K"},        \
      {"seed", 0, 0, G_OPTION_ARG_FILENAME, &(h)->seed, "The same seed gives the same bytes", "S"},  \
      {"mode", 0, 0, G_OPTION_ARG_FILENAME, &(h)->mode, "walk, generate, modify or random", "MODE"}, \
  {                                                                                                  \
    "generator", 0, 0, G_OPTION_ARG_FILENAME, &(h)->generator,                                       \
        "What train made (the shipped one)", "DIR"                                                   \
  }
/* Into `options`, which borrows the texts. Before any thread is started. */
bool pt_cli_hiding(const PtCliHiding *hiding, PtObfuscateOptions *options, GError **error);
void pt_cli_hiding_clear(PtCliHiding *hiding);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PtCliHiding, pt_cli_hiding_clear)

/* Which optimizer. */
typedef struct PtCliOptimizer {
  char *with, *level, *target;
} PtCliOptimizer;
#define PT_CLI_OPTIMIZER(o)                                                                        \
  {"with", 0, 0, G_OPTION_ARG_FILENAME, &(o)->with, "ort, or 'command {in} {out}'", "TOOL"},       \
      {"level", 0, 0, G_OPTION_ARG_FILENAME, &(o)->level, "ort's: basic, extended or all (all)",   \
       "LEVEL"},                                                                                   \
  {                                                                                                \
    "target", 0, 0, G_OPTION_ARG_FILENAME, &(o)->target,                                           \
        "portable (default), or native: this CPU's class only", "TARGET"                           \
  }
/* Likewise. */
bool pt_cli_optimizer(const PtCliOptimizer *optimizer, PtOptimizeOptions *options, GError **error);
void pt_cli_optimizer_clear(PtCliOptimizer *optimizer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PtCliOptimizer, pt_cli_optimizer_clear)

/* ---- print.c ---- */
/* Prints the result: `json` (stolen) with --json, else `text` (stolen, may be NULL) unless --quiet.
 * Returns `status`, or that of a full disk. */
int pt_cli_result(PtCli *cli, json_t *json, char *text, int status);
/* Says the error on standard error in one line (with --json also on standard output); frees it; its
 * exit status. */
int pt_cli_fail(PtCli *cli, GError *error);
/* The same; names the input file if the message, from deep below, does not. */
int pt_cli_fail_with(PtCli *cli, const char *path, GError *error);
int pt_cli_exit_status(const GError *error);

/* ---- progress.c ---- */
/* A bar on standard error if that is a terminal, from the second second on; silent otherwise. */
PtProgress pt_cli_progress(PtCli *cli);
void pt_cli_progress_clear(void);

/* ---- interrupt.c ---- */
/* From now on SIGINT, SIGTERM and SIGHUP remove what is half-written, then end the process by that
 * signal. */
void pt_cli_interrupt_init(void);
/* A folder to remove when interrupted. NULL: none any more. `keep`: only what is in it. */
void pt_cli_interrupt_folder(const char *path, bool keep);

/* A folder that a command is to fill: removed again (or emptied) unless the command succeeds. */
typedef struct PtCliFolder {
  const char *path;
  bool ours;    /* it was missing or empty before */
  bool existed; /* it was there, empty */
} PtCliFolder;
PtCliFolder pt_cli_folder_begin(const char *path);
void pt_cli_folder_end(PtCliFolder *folder, bool success);

#endif
