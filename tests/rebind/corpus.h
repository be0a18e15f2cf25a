/* corpus: pieces of real models through rebinding, for the fast and the slow test. */
#ifndef PT_TEST_REBIND_CORPUS_H
#define PT_TEST_REBIND_CORPUS_H

#include "way.h"

/* Whole, or each distinct piece of it, at each of the levels "bean" (basic, extended, all portable,
 * all native): no constant unexplained, every bound constant bit-identical to the optimizer's own.
 * Returns the derivations there were. */
uint32_t pt_check_model(const char *file, bool by_pieces, const char *levels);

#endif
