/* reshape: the integers that steer a donor's shapes, for inputs of other sizes. */
#include "sentinel/sentinel_private.h"

static int64_t span(const PtType *t, int32_t from, int32_t to) {
  int64_t n = 1;
  for (int32_t i = from; i < to; i++)
    if (t->dims[i].size < 0 || __builtin_mul_overflow(n, t->dims[i].size, &n))
      return -1;
  return n;
}

static bool unchanged(const PtType *a, const PtType *b, int32_t from, int32_t to) {
  for (int32_t i = from; i < to; i++)
    if (a->dims[i].size != b->dims[i].size)
      return false;
  return true;
}

/* One input axis split in several: all but one keep their size; the first that can takes up the
 * change. */
static bool split_axis(int64_t size, const PtType *old_out, int32_t from, int32_t to,
                       int64_t *want) {
  for (int32_t pick = from; pick < to; pick++) {
    int64_t others = 1;
    for (int32_t i = from; i < to; i++)
      if (i != pick) {
        if (old_out->dims[i].size < 0)
          return false;
        others *= old_out->dims[i].size;
      }
    if (others <= 0 || size % others != 0)
      continue;
    for (int32_t i = from; i < to; i++)
      want[i] = i == pick ? size / others : old_out->dims[i].size;
    return true;
  }
  return false;
}

bool pt_reshape_target(const PtType *old_in, const PtType *old_out, const PtType *in,
                       int64_t *want) {
  PtDimGroup groups[PT_FACE_RANK * 2];
  if (old_in->rank != in->rank || old_out->rank > PT_FACE_RANK)
    return false;
  int n = pt_dim_groups(old_in, old_out, groups), unknown = 0;
  if (n < 0)
    return false;
  for (int k = 0; k < n; k++) {
    PtDimGroup g = groups[k];
    int32_t ins = g.in_end - g.in, outs = g.out_end - g.out;
    int64_t size = span(in, g.in, g.in_end);
    if (outs == 0) {
      if (size != 1)
        return false;
    } else if (outs == 1)
      want[g.out] = size >= 0 ? size : ins == 1 && g.in == g.out ? 0 : -1;
    else if (size >= 0 && unchanged(old_in, in, g.in, g.in_end))
      for (int32_t i = g.out; i < g.out_end; i++)
        want[i] = old_out->dims[i].size;
    else if (ins != 1 || size < 0 || !split_axis(size, old_out, g.out, g.out_end, want))
      return false;
  }
  for (int32_t i = 0; i < old_out->rank; i++)
    unknown += want[i] == -1;
  return unknown <= 1;
}
