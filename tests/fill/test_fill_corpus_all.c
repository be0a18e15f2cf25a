/* The same for all 44 models. */
#define PT_FILL_ALL 1
#include "test_fill_corpus.c"
