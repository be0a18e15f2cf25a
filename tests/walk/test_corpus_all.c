#define WALK_MODELS ""
#include "test_corpus.c"
