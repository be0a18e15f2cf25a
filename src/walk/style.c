/* style: pi for the pieces of one model, given other pieces of it: features count by how familiar
 * they are there, as pi has learned it from many models; proposals lean to the model's habits. Who
 * uses it for a bucket makes it from other pieces than that bucket's. */
#include "walk/walk_private.h"

PtWalkStyle *pt_walk_style_new(const PtWalkModel *model, GPtrArray *pieces, int64_t opset) {
  PtWalkStyle *style = g_new0(PtWalkStyle, 1);
  PtFeatures f = {0};
  PtMap64 shown = {0};
  g_autoptr(GArray) own = g_array_new(FALSE, FALSE, sizeof(PtHabitCount));
  g_autoptr(GArray) corpus = g_array_copy(model->counts);
  for (guint i = 0; i < pieces->len; i++) {
    g_autoptr(GArray) counts = pt_features_counted(&f, pieces->pdata[i]);
    pt_walk_known_see(&shown, counts);
    pt_habits_count(own, model->library, pieces->pdata[i], 1);
  }
  PtWalkKnown known = {.models = &model->shown, .own = &shown, .n_own = pieces->len};
  style->habits = pt_habits_mix(model->library, own, corpus, PT_OWN_SHARE, opset);
  pt_walk_energy_fold(&style->energy, &model->weights, &known);
  pt_map64_clear(&shown);
  pt_features_clear(&f);
  return style;
}

void pt_walk_style_free(PtWalkStyle *style) {
  if (!style)
    return;
  pt_habits_free(style->habits);
  pt_energy_clear(&style->energy);
  g_free(style);
}
