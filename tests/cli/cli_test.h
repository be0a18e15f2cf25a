/* cli_test.h: runs the built executable and looks at what it says. */
#ifndef PT_CLI_TEST_H
#define PT_CLI_TEST_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef struct Ran {
  char *out, *err;
  int status; /* exit status; 128 + number if it was ended by a signal */
} Ran;

/* A fresh folder, removed by test_folder_remove; borrowed. Commands run in it. */
const char *test_folder(void);
void test_folder_remove(void);
char *test_path(const char *name); /* in the folder */
/* Copies one of the corpus into its folder "models". */
void test_add_model(const char *name);
/* Names in the folder or one below it. */
guint test_count_files(const char *folder);

/* Arguments end with NULL. */
Ran *ran(const char *first, ...) G_GNUC_NULL_TERMINATED;
Ran *ran_argv(const char *const *arguments, GSpawnChildSetupFunc setup, gpointer data);
void ran_free(Ran *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Ran, ran_free)

/* Exit status, and exactly one line on standard error: "proteus: ...", with every one of `words`
 * (NULL at the end). */
void assert_refused(const Ran *r, int status, ...) G_GNUC_NULL_TERMINATED;
/* Standard output is one JSON object; caller json_decref. */
json_t *assert_json(const Ran *r);

#endif
