/* The same on models that take longer: attention, an encoder, dynamic sizes. */
#define RECOMBINE_MODELS "mobilevit", "resnet18", "t5_encoder"
#include "test_recombine.c" /* NOLINT */
