#include "partition/partition_private.h"
void pt_fuse(const PtWork *work, PtQuotient *q, uint32_t cap) {
  (void)work;
  (void)q;
  (void)cap;
}
