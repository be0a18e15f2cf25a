/* main.c: the table of commands. */
#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

G_DEFINE_QUARK(pt - cli - error - quark, pt_cli_error)

static int run_help(PtCli *cli, int argc, char **argv);

static const PtCommand command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "what a command does, its options, an example",
    .help = "Example:\n  proteus help obfuscate\n",
    .run = run_help,
};

static const PtCommand *const commands[] = {
    &pt_command_obfuscate, &pt_command_optimize, &pt_command_deobfuscate, &pt_command_run,
    &pt_command_verify,    &pt_command_bench,    &pt_command_fill,        &pt_command_inspect,
    &pt_command_train,     &pt_command_audit,    &command_help,
};

static const PtCommand *find_command(const char *name) {
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    if (g_str_equal(commands[i]->name, name))
      return commands[i];
  return NULL;
}

static void print_overview(FILE *file) {
  fputs("proteus " PROTEUS_VERSION ": have a model optimized by somebody who must not see it.\n"
        "It is cut into pieces, each hidden among look-alikes, without its weights.\n\n"
        "Commands:\n",
        file);
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    fprintf(file, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
  fputs("\nThe whole way, by hand:\n"
        "  proteus obfuscate model.onnx --bundle bundle --secret model.secret   you\n"
        "  proteus optimize bundle --out optimized                              the optimizer\n"
        "  proteus deobfuscate optimized --secret model.secret --model model.onnx -o fast.onnx\n"
        "Or at once, for a first look:\n"
        "  proteus run model.onnx -o fast.onnx\n\n"
        "Every command takes --json (the result as one JSON object), --quiet and --help.\n"
        "Exit status: 0 done, 1 the answer is no, 2 bad use, 3 bad input,\n"
        "4 the environment is missing something.\n"
        "More: proteus help COMMAND\n",
        file);
}

/* An unknown name, with the nearest known one if there is any. */
static int unknown_command(PtCli *cli, const char *name) {
  const char *names[G_N_ELEMENTS(commands) + 1] = {NULL};
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    names[i] = commands[i]->name;
  const char *nearest = pt_cli_nearest(name, names);
  GError *error = nearest ? g_error_new(PT_CLI_ERROR, PT_ERR_USAGE,
                                        "no command '%s'; did you mean '%s'?", name, nearest)
                          : g_error_new(PT_CLI_ERROR, PT_ERR_USAGE,
                                        "no command '%s'; 'proteus --help' lists them", name);
  return pt_cli_fail(cli, error);
}

static int run_help(PtCli *cli, int argc, char **argv) {
  int status;
  g_auto(GStrv) rest = NULL;
  if (!pt_cli_parse(cli, NULL, argc, argv, 0, 1, &rest, &status))
    return status;
  if (!rest || !rest[0]) {
    print_overview(stdout);
    return PT_EXIT_DONE;
  }
  const PtCommand *command = find_command(rest[0]);
  if (!command)
    return unknown_command(cli, rest[0]);
  PtCli other = {.command = command};
  char *arguments[] = {(char *)command->name, (char *)"--help", NULL};
  return command->run(&other, 2, arguments);
}

int main(int argc, char **argv) {
  setlocale(LC_CTYPE, ""); /* for file names in messages; numbers stay as C prints them */
  pt_cli_interrupt_init();
  PtCli cli = {0};
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    cli.json |=
        g_str_equal(argv[i], "--json"); /* errors in the options are to be said in JSON, too */
  if (argc < 2) {
    print_overview(stderr);
    return PT_EXIT_USAGE;
  }
  const char *name = argv[1];
  if (g_str_equal(name, "--help") || g_str_equal(name, "-h")) {
    print_overview(stdout);
    return pt_cli_result(&cli, NULL, NULL, PT_EXIT_DONE);
  }
  if (g_str_equal(name, "--version") || g_str_equal(name, "-V")) {
    json_t *json = json_object();
    json_object_set_new(json, "version", json_string(PROTEUS_VERSION));
    return pt_cli_result(&cli, json, g_strdup("proteus " PROTEUS_VERSION "\n"), PT_EXIT_DONE);
  }
  if (name[0] == '-')
    return pt_cli_fail(&cli, g_error_new(PT_CLI_ERROR, PT_ERR_USAGE,
                                         "the command comes first, then its options; "
                                         "'proteus --help' lists the commands"));
  const PtCommand *command = find_command(name);
  if (!command)
    return unknown_command(&cli, name);
  cli.command = command;
  return command->run(&cli, argc - 1, argv + 1);
}
