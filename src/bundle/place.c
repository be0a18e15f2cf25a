/* place.c: where in noise.bin the slices of a candidate lie. What offsets there are depends on
 * sizes only. */
#include "bundle/scrub_private.h"

#include <string.h>

#define MIN_FLOATS (UINT64_C(1) << 21)
/* small pieces' sentinels may have more weights than they */
#define MIN_SECTION (UINT64_C(1) << 20)

PtSlice pt_slice_of(const PtTensor *tensor, PtRole role) {
  PtSlice slice = {.positive = role == PT_ROLE_POSITIVE, .units = (tensor->size + 3) / 4};
  if ((role != PT_ROLE_WEIGHT && role != PT_ROLE_POSITIVE) || tensor->count <= 1)
    return slice;
  switch (tensor->dtype) {
  case PT_FLOAT:
    slice.section = PT_SECTION_FLOATS;
    return slice;
  case PT_FLOAT16:
    slice.section = PT_SECTION_HALVES;
    return slice;
  case PT_BFLOAT16:
    slice.section = PT_SECTION_BRAINS;
    return slice;
  case PT_DOUBLE:
    slice.section = PT_SECTION_DOUBLES;
    slice.units = tensor->count;
    return slice;
  case PT_STRING:
  case PT_COMPLEX64:
  case PT_COMPLEX128:
    slice.section = PT_SECTION_REFUSED;
    return slice;
  case PT_BOOL: /* masks, not weights; only 0 and 1 are valid */
    return slice;
  default: /* quantized: the bytes of floats do */
    slice.section = PT_SECTION_FLOATS;
    slice.positive = false;
    return slice;
  }
}

void pt_noise_need(const PtGraph *graph, PtNoiseNeed *need) {
  g_autofree PtRole *roles = pt_roles(graph);
  uint64_t units[PT_SECTION_COUNT][2] = {{0}};
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
    const PtTensor *tensor = pt_value(graph, v)->constant;
    if (!tensor)
      continue;
    PtSlice slice = pt_slice_of(tensor, roles[v]);
    units[slice.section][slice.positive] += slice.units;
  }
  need->any = MAX(need->any, units[PT_SECTION_FLOATS][0]);
  need->positive = MAX(need->positive, units[PT_SECTION_FLOATS][1]);
#define BOTH(section) (2 * MAX(units[section][0], units[section][1]))
  need->halves = MAX(need->halves, 2 * BOTH(PT_SECTION_HALVES));
  need->brains = MAX(need->brains, 2 * BOTH(PT_SECTION_BRAINS));
  need->doubles = MAX(need->doubles, BOTH(PT_SECTION_DOUBLES));
#undef BOTH
}

bool *pt_scrub_keeps(const PtGraph *graph) {
  g_autofree PtRole *roles = pt_roles(graph);
  uint32_t n = pt_graph_n_values(graph);
  bool *keeps = g_new0(bool, (gsize)n + 1);
  for (PtValueId v = 0; v < n; v++) {
    const PtTensor *tensor = pt_value(graph, v)->constant;
    keeps[v] = tensor && pt_slice_of(tensor, roles[v]).section == PT_SECTION_NONE;
  }
  return keeps;
}

/* The next power of two, so that the size tells little. */
static uint64_t round_up(uint64_t count, uint64_t least) {
  uint64_t power = least;
  while (power < count && power < UINT64_C(1) << 62)
    power *= 2;
  return power;
}

bool pt_noise_init_for(PtNoise *noise, const char *seed, const PtNoiseNeed *need, GError **error) {
  uint64_t half = round_up(MAX(need->any, need->positive), MIN_FLOATS / 2);
  return pt_noise_init(noise, seed, 2 * half,
                       need->halves ? round_up(need->halves, MIN_SECTION) : 0,
                       need->brains ? round_up(need->brains, MIN_SECTION) : 0,
                       need->doubles ? round_up(need->doubles, MIN_SECTION) : 0, error);
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* The slices of one half of one section: a random order, and the space left over cut at random
 * places. */
static bool place_half(GArray *slices, PtSectionKind section, bool positive, uint64_t start,
                       uint64_t units, unsigned width, PtRng *rng, GError **error) {
  g_autofree uint32_t *order = g_new(uint32_t, slices->len + 1);
  g_autofree uint64_t *gap = g_new(uint64_t, slices->len + 1);
  uint32_t n = 0;
  uint64_t total = 0;
  for (guint i = 0; i < slices->len; i++) {
    const PtSlice *slice = &g_array_index(slices, PtSlice, i);
    if (slice->section != section || slice->positive != positive)
      continue;
    order[n++] = i;
    total += slice->units;
  }
  if (total > units) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_INTERNAL,
                "the noise file is too small: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                " needed",
                units, total);
    return false;
  }
  pt_rng_shuffle(rng, order, n, sizeof *order);
  for (uint32_t j = 0; j < n; j++)
    gap[j] = pt_rng_below(rng, units - total + 1);
  qsort(gap, n, sizeof *gap, compare);
  uint64_t used = 0;
  for (uint32_t j = 0; j < n; j++) {
    PtSlice *slice = &g_array_index(slices, PtSlice, order[j]);
    slice->tensor->location = PT_NOISE_FILE;
    slice->tensor->offset = start + (used + gap[j]) * width;
    used += slice->units;
  }
  return true;
}

bool pt_place_slices(const PtNoise *noise, GArray *slices, PtRng *rng, GError **error) {
  const struct {
    PtSectionKind kind;
    uint64_t start, units;
    unsigned width;
  } sections[] = {
      {PT_SECTION_FLOATS, 0, noise->floats / 2, 4},
      {PT_SECTION_HALVES, pt_noise_halves_offset(noise), noise->halves / 4, 4},
      {PT_SECTION_BRAINS, pt_noise_brains_offset(noise), noise->brains / 4, 4},
      {PT_SECTION_DOUBLES, pt_noise_doubles_offset(noise), noise->doubles / 2, 8},
  };
  for (size_t s = 0; s < G_N_ELEMENTS(sections); s++)
    for (unsigned positive = 0; positive < 2; positive++) {
      uint64_t start = sections[s].start + positive * sections[s].units * sections[s].width;
      if (!place_half(slices, sections[s].kind, positive, start, sections[s].units,
                      sections[s].width, rng, error))
        return false;
    }
  return true;
}
