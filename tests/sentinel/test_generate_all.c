/* All models of the corpus; the fast ones are in test_generate.c. */
#define PT_SENTINEL_ALL
#include "test_generate.c"
