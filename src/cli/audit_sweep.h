/* audit_sweep.h: the whole way of some models again and again, n, k or r varied. */
#ifndef PT_CLI_AUDIT_SWEEP_H
#define PT_CLI_AUDIT_SWEEP_H

#include "audit/audit.h"

typedef struct PtSweepOptions {
  const PtAuditOptions *audit; /* corpus, work, folds; models: what adversaries learn from */
  unsigned threads;
  PtProgress progress;
} PtSweepOptions;
/* models: of the corpus, NULL at the end; rows: PtSweepRow, whose names are the models'. */
bool pt_sweep(const PtSweepOptions *options, const char *const *models, GArray *rows,
              GError **error);

#endif
