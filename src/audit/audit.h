/* audit: plays the adversary, so that an owner knows what a bundle gives away before it is sent.
 * In: a bundle and its secret; or a folder of public models, over which it runs the program with
 * generators that have not seen the model.  Out: for each adversary what it could tell. Never
 * touches: weights; what the other rooms make. */
#ifndef PT_AUDIT_H
#define PT_AUDIT_H

#include "base/base.h"

#define PT_AUDIT_ERROR (pt_audit_error_quark())
GQuark pt_audit_error_quark(void);

#endif
