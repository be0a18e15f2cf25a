/* Stands in until seams are mended: nothing is. To be deleted with the landing of seams.c. */
#include "restore/restore.h"

#include <string.h>

__attribute__((weak)) bool pt_mend_seams(PtGraph *graph, PtSeamReport *report, GError **error) {
  (void)graph;
  (void)error;
  memset(report, 0, sizeof *report);
  return true;
}
