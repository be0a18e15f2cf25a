/* twins: near-equal pieces, as a network's stages have them: the same but for the sizes at their
 * borders and widths in one proportion. A walk for one of them is mirrored in all. */
#include "walk/walk_private.h"

#define MAX_BORDER 5 /* inputs or outputs whose order is tried */

static bool next_order(uint32_t *order, uint32_t n) {
  uint32_t i = n, k = n;
  while (i > 1 && order[i - 2] > order[i - 1])
    i--;
  if (i <= 1)
    return false;
  while (order[k - 1] < order[i - 2])
    k--;
  uint32_t swap = order[i - 2];
  order[i - 2] = order[k - 1];
  order[k - 1] = swap;
  for (uint32_t a = i - 1, b = n - 1; a < b; a++, b--) {
    swap = order[a];
    order[a] = order[b];
    order[b] = swap;
  }
  return true;
}

bool pt_walk_mirror(const PtWalkTwin *twin, const PtWalkState *from, PtWalkState *to) {
  pt_walk_state_set(to, from);
  to->face = twin->face;
  to->has_energy = false;
  for (uint32_t i = 0; i < to->n_refs; i++)
    if (to->refs[i] < 0)
      to->refs[i] = -1 - (PtWalkRef)twin->in[-1 - to->refs[i]];
  for (uint32_t i = 0; i < twin->face->n_out; i++)
    to->outs[twin->out[i]] = from->outs[i];
  for (uint32_t i = 0; i < to->n; i++) {
    int64_t width = (int64_t)to->nodes[i].width * twin->times;
    if (width % twin->by || width / twin->by > INT32_MAX)
      return false;
    to->nodes[i].width = (int32_t)(width / twin->by);
  }
  return pt_walk_settle(to);
}

/* Largest widths at the borders give the proportion; whether it holds shows when it is tried. */
static void proportion(const PtWalkFace *a, const PtWalkFace *b, PtWalkTwin *twin) {
  uint64_t ratio = pt_width_ratio(b->widths[b->n_widths - 1], a->widths[a->n_widths - 1]);
  twin->times = (int32_t)(ratio >> 32);
  twin->by = (int32_t)(uint32_t)ratio;
}

bool pt_walk_find_twin(const PtWalkState *a, const PtWalkState *b, PtWalkTwin *twin) {
  const PtWalkFace *fa = a->face, *fb = b->face;
  if (a->n != b->n || a->n_refs != b->n_refs || fa->n_in != fb->n_in || fa->n_out != fb->n_out ||
      fa->n_in > MAX_BORDER || fa->n_out > MAX_BORDER || fa->opset != fb->opset)
    return false;
  uint64_t want = pt_walk_hash(b);
  PtWalkState *trial = pt_walk_state_new(fb, b->library);
  bool found = false;
  twin->face = fb;
  proportion(fa, fb, twin);
  for (uint32_t i = 0; i < fa->n_in; i++)
    twin->in[i] = i;
  do {
    for (uint32_t i = 0; i < fa->n_out; i++)
      twin->out[i] = i;
    do
      found = pt_walk_mirror(twin, a, trial) && pt_walk_hash(trial) == want;
    while (!found && next_order(twin->out, fa->n_out));
  } while (!found && next_order(twin->in, fa->n_in));
  pt_walk_state_free(trial);
  return found;
}
