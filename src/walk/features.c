/* features: of the typed graph, as 64-bit ids: paths of one to four operators with key attributes,
 * neighbourhoods, counts, fan-out, lengths of skips, ratios of widths, size. */
#include "walk/features_private.h"

#include <math.h>

void pt_features_clear(PtFeatures *f) {
  g_free(f->id);
  g_free(f->depth);
  g_free(f->wide);
  pt_walk_uses_clear(&f->uses);
  *f = (PtFeatures){0};
}

void pt_features_add(PtFeatures *f, uint32_t family, uint64_t a, uint64_t b, uint64_t c) {
  if (f->n == f->room) {
    f->room = f->room * 2 + 64;
    f->id = g_renew(uint64_t, f->id, f->room);
  }
  uint64_t h = pt_hash_mix(pt_hash_mix(pt_hash_mix(family, a), b), c);
  f->id[f->n++] = (h & ~(uint64_t)(PT_FEATURE_FAMILIES - 1)) | family;
}
static uint64_t token(const PtWalkState *s, PtWalkRef r) {
  return r < 0 ? INPUT_TOKEN : pt_walk_at(s, (uint32_t)r >> 3)->token;
}
static uint64_t middle(const PtWalkState *s, PtWalkRef r) {
  return r < 0 ? INPUT_TOKEN : pt_walk_at(s, (uint32_t)r >> 3)->middle;
}
static uint64_t opcode(const PtWalkState *s, PtWalkRef r) {
  return r < 0 ? INPUT_TOKEN : pt_walk_at(s, (uint32_t)r >> 3)->opcode;
}
/* Of a set, whatever its order. */
static uint64_t in_set(uint64_t x) {
  return pt_hash_mix(x, 0x5e7);
}

/* A class of a / b: small whole ratios by themselves, others by half octaves. */
uint64_t pt_ratio_class(int32_t a, int32_t b) {
  static const int32_t whole[] = {1, 2, 3, 4, 6, 8};
  if (a <= 0 || b <= 0)
    return 1;
  for (size_t i = 0; i < G_N_ELEMENTS(whole); i++) {
    if (a == b * (int64_t)whole[i])
      return 2 + i;
    if (b == a * (int64_t)whole[i])
      return 10 + i;
  }
  return (uint64_t)(1000 + (int64_t)lround(2 * log2((double)a / b)));
}

static uint64_t min64(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static bool level_differs(const PtWalkType *a, const PtWalkType *b) {
  int32_t from = a->rank >= 4 ? 2 : 1, end_a = a->rank >= 4 ? a->rank : a->rank - 1;
  if (a->rank != b->rank)
    return true;
  for (int32_t i = from; i < end_a; i++)
    if (a->dims[i] != b->dims[i])
      return true;
  return false;
}

/* ---- one node
 * -------------------------------------------------------------------------------------------- */
static void paths(PtFeatures *f, const PtWalkState *s, uint32_t i) {
  const PtWalkNode *n = &s->nodes[i];
  const PtWalkTemplate *t = pt_walk_at(s, i);
  for (uint32_t k = 0; k < n->n_in; k++) {
    PtWalkRef x = s->refs[n->in + k];
    add(f, PAIR, token(s, x), t->token, 0);
    if (x < 0) {
      add(f, FROM_IN, (uint64_t)(-x), t->token, 0);
      continue;
    }
    add(f, EXACT_PAIR, pt_walk_at(s, (uint32_t)x >> 3)->exact, t->exact, 0);
    if (token(s, x) == t->token)
      add(f, SAME_TWICE, t->opcode, 0, 0);
    const PtWalkNode *nx = &s->nodes[x >> 3];
    for (uint32_t a = 0; a < nx->n_in; a++) {
      PtWalkRef y = s->refs[nx->in + a];
      add(f, TRIPLE, middle(s, y), middle(s, x), t->middle);
      add(f, TRIPLE_FULL, token(s, y), token(s, x), t->token);
      if (y < 0)
        continue;
      const PtWalkNode *ny = &s->nodes[y >> 3];
      for (uint32_t b = 0; b < ny->n_in; b++) {
        PtWalkRef z = s->refs[ny->in + b];
        add(f, QUAD, pt_hash_mix(opcode(s, z), opcode(s, y)), opcode(s, x), t->opcode);
      }
    }
  }
}

static void around(PtFeatures *f, const PtWalkState *s, uint32_t i) {
  const PtWalkNode *n = &s->nodes[i];
  const PtWalkTemplate *t = pt_walk_at(s, i);
  uint64_t before = 0, full = 0, after = 0;
  uint32_t n_uses = 0;
  for (uint32_t k = 0; k < n->n_in; k++) {
    before += in_set(middle(s, s->refs[n->in + k]));
    full += in_set(token(s, s->refs[n->in + k]));
  }
  for (uint32_t k = 0; t->outputs >> k; k++) {
    if (!(t->outputs >> k & 1))
      continue;
    uint32_t v = f->uses.index[i * 8 + k];
    for (uint32_t a = f->uses.start[v]; a < f->uses.start[v + 1]; a++) {
      int32_t node = f->uses.use[a].node;
      after += in_set(node < 0 ? OUTPUT_TOKEN : pt_walk_at(s, (uint32_t)node)->middle);
      n_uses++;
    }
    for (uint32_t a = f->uses.start[v]; a < f->uses.start[v + 1]; a++)
      if (f->uses.use[a].node < 0)
        add(f, TO_OUT, t->token, pt_walk_n_uses(&f->uses, v) > 1, 0);
  }
  add(f, UNIT, t->token, (uint64_t)n->type.rank, 0);
  add(f, EXACT, t->exact, 0, 0);
  add(f, FAN, t->opcode, min64(n_uses, 4), 0);
  add(f, TYPED, t->token, (uint64_t)n->type.rank, n->type.dtype);
  if (n->n_in > 1) {
    add(f, JOIN, before, t->token, 0);
    add(f, JOIN_FULL, full, t->token, 0);
  }
  add(f, AROUND, before, t->middle, after);
  if (n_uses > 1)
    add(f, FORK, t->middle, after, 0);
}

static void joins(PtFeatures *f, const PtWalkState *s, uint32_t i) {
  const PtWalkNode *n = &s->nodes[i];
  const PtWalkTemplate *t = pt_walk_at(s, i);
  if (!t->binary)
    return;
  PtWalkRef a = s->refs[n->in], b = s->refs[n->in + 1];
  uint32_t da = a < 0 ? 0 : f->depth[a >> 3], db = b < 0 ? 0 : f->depth[b >> 3];
  add(f, ORDER, t->opcode, da > db ? 1 : da < db ? 2 : 3, MIN(da, db) == 0);
  add(f, SKIP, t->opcode, MIN(da > db ? da - db : db - da, 7), MIN(da, db) == 0);
  if (!pt_walk_same(pt_walk_ref_type(s, a), pt_walk_ref_type(s, b)))
    add(f, UNEVEN, t->opcode, 0, 0);
  if (a == b)
    add(f, TWIN, t->opcode, 0, 0);
}

/* The dense operator before, through up to five others with one input. */
static void ratio_pair(PtFeatures *f, const PtWalkState *s, uint32_t i, uint64_t ratio) {
  PtWalkRef y = s->refs[s->nodes[i].in];
  for (uint32_t g = 0; y >= 0 && g <= 5; g++) {
    const PtWalkNode *n = &s->nodes[y >> 3];
    const PtWalkTemplate *t = pt_walk_at(s, (uint32_t)y >> 3);
    if (n->n_in != 1)
      return;
    if (t->dense) {
      uint64_t before =
          pt_ratio_class(n->width, pt_walk_width(pt_walk_ref_type(s, s->refs[n->in])));
      add(f, RATIO_PAIR, pt_hash_mix(t->middle, before), pt_walk_at(s, i)->middle, ratio);
      return;
    }
    y = s->refs[n->in];
  }
}

static void widths(PtFeatures *f, const PtWalkState *s, uint32_t i) {
  const PtWalkNode *n = &s->nodes[i];
  const PtWalkTemplate *t = pt_walk_at(s, i);
  if (n->n_in && level_differs(&n->type, pt_walk_ref_type(s, s->refs[n->in])))
    add(f, LEVEL, t->token, 0, 0);
  if (n->type.rank > 0 && pt_walk_width(&n->type) > 0)
    add(f, WIDTH_ALL, t->opcode, (uint64_t)lround(2 * log2(pt_walk_width(&n->type))), 0);
  if (!t->dense)
    return;
  add(f, DIVISOR, (uint64_t)__builtin_ctz((uint32_t)n->width), t->opcode, 0);
  int32_t in = pt_walk_width(pt_walk_ref_type(s, s->refs[n->in]));
  uint64_t ratio = pt_ratio_class(pt_walk_width(&n->type), in);
  add(f, RATIO, t->token, ratio, 0);
  add(f, RATIO_ALL, ratio, 0, 0);
  add(f, WIDTH, n->width % 16 ? (uint64_t)__builtin_ctz((uint32_t)n->width) : 5, 0, 0);
  add(f, WIDE, (uint64_t)(n->width % 64 ? n->width % 8 ? 3 : 2 : 1),
      (uint64_t)lround(log2((double)n->width)), t->kind);
  ratio_pair(f, s, i, ratio);
}

/* ---- the whole
 * -------------------------------------------------------------------------------------------- */
/* How many of each; for small graphs a quadratic count is the fastest. */
static void counts(PtFeatures *f, const PtWalkState *s) {
  uint32_t kinds = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkTemplate *t = pt_walk_at(s, i);
    uint32_t middles = 1, opcodes = 1;
    bool first_middle = true, first_opcode = true;
    for (uint32_t k = 0; k < s->n; k++) {
      const PtWalkTemplate *o = pt_walk_at(s, k);
      if (k == i)
        continue;
      if (o->middle == t->middle) {
        middles++;
        first_middle &= k > i;
      }
      if (o->opcode == t->opcode) {
        opcodes++;
        first_opcode &= k > i;
      }
    }
    if (first_middle)
      add(f, COUNT, t->middle, MIN(middles, 6), 0);
    if (first_opcode) {
      add(f, COUNT_ALL, t->opcode, MIN(opcodes, 8), 0);
      kinds++;
    }
  }
  add(f, KINDS_IN, MIN(kinds, 20), 0, 0);
}

static void sizes(PtFeatures *f, const PtWalkState *s) {
  uint32_t deepest = 0, most = 0, forks = 0, joined = 0;
  for (uint32_t v = 0; v < f->uses.n_values; v++) {
    most = MAX(most, pt_walk_n_uses(&f->uses, v));
    forks += v >= f->uses.n_in && pt_walk_n_uses(&f->uses, v) > 1;
  }
  for (uint32_t i = 0; i < s->n; i++) {
    deepest = MAX(deepest, f->depth[i]);
    joined += s->nodes[i].n_in > 1;
  }
  add(f, SIZE, s->n <= 24 ? s->n : 24 + s->n / 8, 0, 0);
  add(f, DEPTH, deepest <= 24 ? deepest : 24 + deepest / 8, 0, 0);
  add(f, MOST_USES, MIN(most, 8), 0, 0);
  add(f, N_FORKS, MIN(forks, 12), 0, 0);
  add(f, N_JOINS, MIN(joined, 12), 0, 0);
}

void pt_features_make(PtFeatures *f, const PtWalkState *s) {
  f->n = 0;
  if (f->room_depth < s->n) {
    f->room_depth = s->n * 2 + 16;
    f->depth = g_renew(uint32_t, f->depth, f->room_depth);
  }
  pt_walk_uses_make(&f->uses, s);
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    f->depth[i] = 1;
    for (uint32_t k = 0; k < n->n_in; k++) {
      PtWalkRef r = s->refs[n->in + k];
      if (r >= 0)
        f->depth[i] = MAX(f->depth[i], f->depth[r >> 3] + 1);
    }
    around(f, s, i);
    paths(f, s, i);
    joins(f, s, i);
    widths(f, s, i);
  }
  counts(f, s);
  sizes(f, s);
  pt_features_wide(f, s);
}
