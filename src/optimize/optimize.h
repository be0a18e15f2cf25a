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

/* What the answers were made with: OUT/optimize.json beside them. Restore reads it to refuse
 * layouts of another CPU. */
#define PT_TARGET_FILE "optimize.json"
typedef struct PtTarget {
  char *with;    /* "ort", or the outside command */
  char *level;   /* "basic", "extended", "all"; NULL for outside commands */
  char *target;  /* "portable", "native"; NULL for outside commands */
  char *ort;     /* ONNX Runtime's version, or NULL */
  int64_t block; /* channels a block of the NCHWc layout that native answers use; 0: none */
} PtTarget;
void pt_target_clear(PtTarget *target);
bool pt_target_write(const PtTarget *target, const char *folder, GError **error);
/* A folder without the file is not an error: *found is false. The file is hostile: limits, types.
 */
bool pt_target_read(const char *folder, PtTarget *target, bool *found, GError **error);
/* The block of this CPU's NCHWc layout as ONNX Runtime chooses it (8, 16); 0: it uses none. Found
 * once. */
bool pt_target_block(int64_t *block, GError **error);
#endif
