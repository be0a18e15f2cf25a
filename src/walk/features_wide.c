/* features_wide: what is wider than a few operators: neighbourhoods, what made a value, the row of
 * operators with weights whatever is between them. */
#include "walk/features_private.h"

/* Weisfeiler-Lehman colours of one radius more. */
static void refine(const PtWalkState *s, const uint64_t *now, uint64_t *next, uint32_t radius) {
  for (uint32_t i = 0; i < s->n; i++)
    next[i] = pt_hash_mix(now[i], radius);
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *node = &s->nodes[i];
    for (uint32_t k = 0; k < node->n_in; k++) {
      PtWalkRef r = s->refs[node->in + k];
      next[i] += pt_hash_mix(r < 0 ? INPUT_TOKEN : now[r >> 3], 0x31);
      if (r >= 0)
        next[r >> 3] += pt_hash_mix(now[i], 0x32);
    }
  }
  for (uint32_t o = 0; o < s->face->n_out; o++)
    if (s->outs[o] >= 0)
      next[s->outs[o] >> 3] += OUTPUT_TOKEN;
}

/* What made a value, to a depth of 3, 5 and 8 operators; what is around a node within two and three
 * edges (Weisfeiler-Lehman colours). Few of these occur in many models: they count by how familiar
 * they are. */
static void wider(PtFeatures *f, const PtWalkState *s) {
  uint32_t n = s->n;
  if (f->room_wide < n) {
    f->room_wide = n * 2 + 16;
    f->wide = g_renew(uint64_t, f->wide, 4 * (size_t)f->room_wide);
  }
  uint64_t *now = f->wide, *next = now + f->room_wide, *up = next + f->room_wide,
           *other = up + f->room_wide;
  for (uint32_t i = 0; i < n; i++)
    now[i] = pt_walk_at(s, i)->middle, up[i] = pt_walk_at(s, i)->opcode;
  for (uint32_t depth = 2; depth <= 8; depth++) {
    for (uint32_t i = 0; i < n; i++) {
      const PtWalkNode *node = &s->nodes[i];
      uint64_t h = pt_walk_at(s, i)->opcode;
      for (uint32_t k = 0; k < node->n_in; k++) {
        PtWalkRef r = s->refs[node->in + k];
        h += pt_hash_mix(r < 0 ? INPUT_TOKEN : up[r >> 3], 0x17);
      }
      other[i] = pt_hash_mix(h, depth);
    }
    uint64_t *swap = up;
    up = other;
    other = swap;
    if (depth == 3 || depth == 5 || depth == 8)
      for (uint32_t i = 0; i < n; i++)
        if (f->depth[i] + 2 >= depth) /* else it is the one before */
          add(f, depth == 3 ? TREE_3 : depth == 5 ? TREE_5 : TREE_8, up[i], 0, 0);
  }
  for (uint32_t radius = 1; radius <= 3; radius++) {
    refine(s, now, next, radius);
    uint64_t *swap = now;
    now = next;
    next = swap;
    for (uint32_t i = 0; i < n && radius > 1; i++)
      add(f, radius == 2 ? BALL_2 : BALL_3, now[i], 0, 0);
  }
}

/* The same with all of a token; the colours of radius one are returned. */
static const uint64_t *nearer(PtFeatures *f, const PtWalkState *s) {
  uint64_t *own = f->wide, *one = own + f->room_wide, *two = one + f->room_wide;
  for (uint32_t i = 0; i < s->n; i++)
    own[i] = pt_walk_at(s, i)->token;
  refine(s, own, one, 1);
  refine(s, one, two, 2);
  for (uint32_t i = 0; i < s->n; i++) {
    add(f, NEAR_1, one[i], 0, 0);
    add(f, NEAR_2, two[i], 0, 0);
  }
  return one;
}

/* ---- heavy operators --------------------------------------------------------------------------
 * Convolutions and matrices, one after the other along first inputs. */
static bool is_heavy(const PtWalkTemplate *t) {
  return t->kind == PT_WALK_CONV || t->kind == PT_WALK_LINEAR || t->kind == PT_WALK_MATMUL;
}

static uint64_t heavy_ratio(const PtWalkState *s, uint32_t i) {
  const PtWalkNode *n = &s->nodes[i];
  return pt_ratio_class(pt_walk_width(&n->type),
                        pt_walk_width(pt_walk_ref_type(s, s->refs[n->in])));
}

/* The heavy one before node i, or -1; *between: what is on the way. */
static int32_t heavy_before(const PtWalkState *s, uint32_t i, uint64_t *between) {
  *between = 0;
  while (s->nodes[i].n_in) {
    PtWalkRef r = s->refs[s->nodes[i].in];
    if (r < 0)
      return -1;
    i = (uint32_t)r >> 3;
    if (is_heavy(pt_walk_at(s, i)))
      return (int32_t)i;
    *between = pt_hash_mix(*between, pt_walk_at(s, i)->token);
  }
  return -1;
}

static void heavy(PtFeatures *f, const PtWalkState *s) {
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkTemplate *t = pt_walk_at(s, i);
    uint64_t between, ignored, row = t->token, rough = t->token;
    if (!is_heavy(t) || !s->nodes[i].n_in)
      continue;
    int32_t at = heavy_before(s, i, &between);
    add(f, LINK, at < 0 ? INPUT_TOKEN : pt_walk_at(s, (uint32_t)at)->token, between, t->token);
    uint64_t ratio = heavy_ratio(s, i);
    row = pt_hash_mix(row, ratio);
    rough = pt_hash_mix(rough, ratio == 2);
    for (uint32_t length = 2; length <= 4; length++) {
      uint64_t before = at < 0 ? 1 : heavy_ratio(s, (uint32_t)at);
      uint64_t token = at < 0 ? INPUT_TOKEN : pt_walk_at(s, (uint32_t)at)->token;
      row = pt_hash_mix(pt_hash_mix(row, token), before);
      rough = pt_hash_mix(pt_hash_mix(rough, token), before == 2);
      add(f, length == 2 ? HEAVY_2 : length == 3 ? HEAVY_3 : HEAVY_4, row, 0, 0);
      add(f, length == 2 ? HEAVY_2 : length == 3 ? HEAVY_3 : HEAVY_4, rough, 1, 0);
      if (at < 0)
        break;
      at = heavy_before(s, (uint32_t)at, &ignored);
    }
  }
}

/* What made a value, to a depth of 4 and 6 operators with all of their tokens. */
static void full(PtFeatures *f, const PtWalkState *s) {
  uint64_t *now = f->wide, *next = now + f->room_wide;
  for (uint32_t i = 0; i < s->n; i++)
    now[i] = pt_walk_at(s, i)->token;
  for (uint32_t depth = 2; depth <= 6; depth++) {
    for (uint32_t i = 0; i < s->n; i++) {
      const PtWalkNode *node = &s->nodes[i];
      uint64_t h = pt_walk_at(s, i)->token;
      for (uint32_t k = 0; k < node->n_in; k++) {
        PtWalkRef r = s->refs[node->in + k];
        h += pt_hash_mix(r < 0 ? INPUT_TOKEN : now[r >> 3], 0x17);
      }
      next[i] = pt_hash_mix(h, depth);
      if (depth % 2 == 0 && depth > 2 && f->depth[i] + 2 >= depth)
        add(f, depth == 4 ? FULL_4 : FULL_6, next[i], 0, 0);
    }
    uint64_t *swap = now;
    now = next;
    next = swap;
  }
}

void pt_features_wide(PtFeatures *f, const PtWalkState *s) {
  wider(f, s);
  heavy(f, s);
  full(f, s);
  pt_features_measure(f, s, nearer(f, s));
}
