/* likelihood: log pi of a piece, for who audits. */
#include "walk/walk_private.h"

#include <math.h>

double pt_walk_likelihood(PtWalkModel *model, PtGraph *piece) {
  double sum = NAN;
  PtWalkFace *face = pt_walk_face_new(model->library, piece);
  g_autoptr(PtWalkState) s = pt_walk_read(model->library, face, piece, NULL, NULL);
  PtFeatures f = {0};
  if (s) {
    PtWalkKnown known = {.models = &model->shown};
    pt_features_make(&f, s);
    sum = 0;
    for (uint32_t i = 0; i < f.n; i++)
      sum += pt_map64_get(&model->weights, f.id[i], 0) +
             pt_map64_get(&model->weights, pt_walk_known_of(&known, f.id[i]), 0);
  }
  pt_features_clear(&f);
  g_clear_pointer(&s, pt_walk_state_free);
  pt_walk_face_free(face);
  return sum;
}
