/* The same on every opset from 11 to 20. */
#define OPSET_STEP 1
#include "test_opsets.c" /* NOLINT */
