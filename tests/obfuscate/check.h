/* check.h: what every bundle must be, for the fast tests and the slow ones. */
#ifndef PT_TEST_OBFUSCATE_CHECK_H
#define PT_TEST_OBFUSCATE_CHECK_H

#include "proteus/proteus.h"

/* A skeleton of the corpus with weights, in a folder of its own; caller frees. */
char *check_fill(const char *folder, const char *name);
/* Obfuscates, then asserts that every candidate loads, that nothing of the model shows, that each
 * place's own weights make its candidate compute what the model's piece does (numbers: run it), and
 * that the files are as alike as they can be. Returns how many sentinels could not be made. */
uint32_t check_model(const char *folder, const char *model, uint32_t n, uint32_t k, bool numbers);

#endif
