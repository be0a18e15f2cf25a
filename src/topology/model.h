/* model: what the trained generator holds. Private to the room. */
#ifndef PT_TOPOLOGY_MODEL_H
#define PT_TOPOLOGY_MODEL_H

#include "topology/graphrnn.h"

enum { PT_MAX_SIZES = 4096 }; /* nodes of a topology that can be learned, at most */

struct PtTopologyModel {
  PtGraphRnn *net;
  uint32_t n_sizes;
  uint32_t *sizes; /* [n_sizes] pieces of each size among those learned; sizes[0] is 0 */
};
PtTopologyModel *pt_topology_model_new(const PtRnnShape *shape, uint32_t n_sizes, PtRng *rng);

#endif
