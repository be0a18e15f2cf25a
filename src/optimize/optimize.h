/* optimize: the optimizer's side: runs a tool over every candidate of a bundle.
 * In: a bundle.  Out: a folder of optimized candidates, kilobytes each: derivations, not weights.
 * One failing candidate never stops the rest, and is listed.
 * Never touches: the secret. */
#ifndef PT_OPTIMIZE_H
#define PT_OPTIMIZE_H
#include "base/base.h"
#include "proteus/proteus.h"
#define PT_OPTIMIZE_ERROR (pt_optimize_error_quark())
GQuark pt_optimize_error_quark(void);
#endif
