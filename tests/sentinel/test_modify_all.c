/* The same for every piece of every corpus model. */
#define PT_SENTINEL_ALL 1
#include "test_modify.c"
