/* features.c: what can be counted in a view, and what can be measured. */
#include "audit/audit_private.h"

#include <math.h>
#include <string.h>

typedef enum {
  OPCODE = 1,
  TOKEN,
  EXACT,
  PAIR,
  TRIPLE,
  QUAD,
  FAN,
  JOIN,
  TO_OUT,
  FROM_IN,
  SKIP,
  RATIO,
  RATIO_ALL,
  DIVISOR,
  WIDTH,
  LEVEL,
  NEAR_1,
  NEAR_2,
  NUMBER_OF,
  SAME_TWICE,
  EXACT_PAIR
} Family;

typedef struct List {
  uint64_t *id;
  uint32_t n, room;
} List;

static void put(List *l, Family family, uint64_t a, uint64_t b, uint64_t c) {
  if (l->n == l->room) {
    l->room = l->room * 2 + 256;
    l->id = g_renew(uint64_t, l->id, l->room);
  }
  uint64_t h = pt_hash_mix(pt_hash_mix(pt_hash_mix(family, a), b), c);
  l->id[l->n++] = (h & ~UINT64_C(63)) | family;
}

#define INPUT 0x1111
#define OUTPUT 0x2222

static uint64_t token(const PtSight *v, int32_t r) {
  return r < 0 ? INPUT : v->nodes[r].token;
}
static uint64_t opcode(const PtSight *v, int32_t r) {
  return r < 0 ? INPUT : v->nodes[r].op;
}

/* A class of a / b: small whole ratios by themselves, others by half octaves. */
static uint64_t ratio_class(double a, double b) {
  if (!(a > 0) || !(b > 0))
    return 1;
  for (int i = 1; i <= 8; i++) {
    if (a == b * i)
      return 2 + (uint64_t)i;
    if (b == a * i)
      return 12 + (uint64_t)i;
  }
  return (uint64_t)(1000 + lround(2 * log2(a / b)));
}

/* ---- paths ----------------------------------------------------------------------------------- */
static void paths(List *l, const PtSight *v, uint32_t i) {
  const PtSightNode *n = &v->nodes[i];
  for (uint32_t a = 0; a < n->n_in; a++) {
    int32_t x = v->refs[n->in + a];
    put(l, PAIR, token(v, x), n->token, 0);
    put(l, EXACT_PAIR, x < 0 ? INPUT : v->nodes[x].exact, n->exact, 0);
    if (x < 0) {
      put(l, FROM_IN, (uint64_t)(-x), n->token, 0);
      continue;
    }
    const PtSightNode *nx = &v->nodes[x];
    if (nx->token == n->token)
      put(l, SAME_TWICE, n->op, 0, 0);
    for (uint32_t b = 0; b < nx->n_in; b++) {
      int32_t y = v->refs[nx->in + b];
      put(l, TRIPLE, token(v, y), nx->token, n->token);
      if (y < 0)
        continue;
      const PtSightNode *ny = &v->nodes[y];
      for (uint32_t c = 0; c < ny->n_in; c++)
        put(l, QUAD, pt_hash_mix(opcode(v, v->refs[ny->in + c]), ny->op), nx->op, n->op);
    }
  }
}

static void node_features(List *l, const PtSight *v, uint32_t i, const uint32_t *depth) {
  const PtSightNode *n = &v->nodes[i];
  put(l, OPCODE, n->op, 0, 0);
  put(l, TOKEN, n->token, (uint64_t)n->rank, (uint64_t)n->dtype);
  put(l, EXACT, n->exact, 0, 0);
  put(l, FAN, n->op, MIN(n->n_uses, 4), n->outs > 0);
  if (n->outs)
    put(l, TO_OUT, n->token, n->n_uses > 0, n->outs);
  if (n->n_in > 1) {
    uint32_t least = UINT32_MAX, most = 0;
    uint64_t set = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
      int32_t x = v->refs[n->in + k];
      uint32_t d = x < 0 ? 0 : depth[x];
      least = MIN(least, d);
      most = MAX(most, d);
      set += pt_hash_mix(token(v, x), 5);
    }
    put(l, JOIN, set, n->token, 0);
    put(l, SKIP, n->op, MIN(most - least, 8), least == 0);
  }
  uint64_t ratio = ratio_class(n->width, n->width_in);
  if (n->weights > 0) {
    put(l, RATIO, n->token, ratio, 0);
    put(l, RATIO_ALL, ratio, 0, 0);
    if (n->width > 0) {
      put(l, DIVISOR, (uint64_t)__builtin_ctz((uint32_t)n->width), n->op, 0);
      put(l, WIDTH, (uint64_t)lround(2 * log2(n->width)), n->op, 0);
    }
  }
  if (n->area != n->area_in)
    put(l, LEVEL, n->token, ratio_class((double)n->area_in, (double)n->area), 0);
}

/* ---- Weisfeiler and Lehman ------------------------------------------------------------------- */
/* label[n] of one radius more; scratch: after[n]. */
static void refine(const PtSight *v, uint64_t *label, uint64_t *next, uint64_t *after) {
  for (uint32_t i = 0; i < v->n; i++)
    after[i] = v->nodes[i].outs ? pt_hash_mix(OUTPUT, v->nodes[i].outs) : 0;
  for (uint32_t i = 0; i < v->n; i++)
    for (uint32_t k = 0; k < v->nodes[i].n_in; k++) {
      int32_t x = v->refs[v->nodes[i].in + k];
      if (x >= 0)
        after[x] += pt_hash_mix(label[i], 0xaf);
    }
  for (uint32_t i = 0; i < v->n; i++) {
    uint64_t before = 0;
    for (uint32_t k = 0; k < v->nodes[i].n_in; k++) {
      int32_t x = v->refs[v->nodes[i].in + k];
      before += pt_hash_mix(x < 0 ? INPUT : label[x], 0xbe);
    }
    next[i] = pt_hash_mix(pt_hash_mix(label[i], before), after[i]);
  }
  memcpy(label, next, v->n * sizeof *label);
}

static void labels(PtSight *v, List *features, double *kinds) {
  List l = {0};
  g_autofree uint64_t *label = g_new0(uint64_t, (gsize)v->n + 1),
                      *next = g_new(uint64_t, (gsize)v->n + 1),
                      *after = g_new(uint64_t, (gsize)v->n + 1);
  for (uint32_t i = 0; i < v->n; i++)
    label[i] = v->nodes[i].token;
  for (uint32_t radius = 0; radius <= 3; radius++) {
    for (uint32_t i = 0; i < v->n; i++)
      put(&l, (Family)(radius + 1), label[i], 0, 0);
    if (radius == 1 || radius == 2)
      for (uint32_t i = 0; i < v->n; i++)
        put(features, radius == 1 ? NEAR_1 : NEAR_2, label[i], 0, 0);
    if (radius < 3)
      refine(v, label, next, after);
  }
  v->labels = pt_sparse_of(l.id, l.n);
  *kinds = 0;
  for (uint32_t i = 0; i < v->labels.n; i++)
    *kinds += (v->labels.id[i] & 63) == 2;
  g_free(l.id);
}

static bool is_one_of(uint64_t op, const char *const *names) {
  for (; *names; names++)
    if (op == pt_hash64(*names, strlen(*names), 1))
      return true;
  return false;
}

/* Some exporters fold these into what is before them, or leave them out. */
static bool is_transparent(const PtSightNode *n) {
  static const char *const names[] = {"BatchNormalization", "Identity", "Cast", "Dropout", NULL};
  return n->n_in > 0 && is_one_of(n->op, names);
}

/* These read no more than a shape or a dtype. */
static bool is_blind(const PtSightNode *n) {
  static const char *const names[] = {"Shape", "Size", "CastLike", NULL};
  return is_one_of(n->op, names);
}

/* A copy that reads through transparent nodes, without what is computed from shapes alone: aside
 * [n] receives which nodes are neither. */
static PtSight see_through(const PtSight *v, bool *shown) {
  PtSight plain = *v;
  uint32_t refs = v->n ? v->nodes[v->n - 1].in + v->nodes[v->n - 1].n_in : 0, used = 0;
  g_autofree bool *fixed = g_new0(bool, (gsize)v->n + 1);
  plain.nodes = g_memdup2(v->nodes, ((gsize)v->n + 1) * sizeof *v->nodes);
  plain.refs = g_new(int32_t, (gsize)refs + 1);
  for (uint32_t i = 0; i < v->n; i++) {
    const PtSightNode *n = &v->nodes[i];
    uint32_t first = used;
    fixed[i] = is_blind(n) || n->n_in > 0;
    for (uint32_t k = 0; k < n->n_in && !is_blind(n); k++) {
      int32_t r = v->refs[n->in + k];
      fixed[i] &= r >= 0 && fixed[r];
      if (r >= 0 && fixed[r])
        continue;
      if (r >= 0 && is_transparent(&v->nodes[r]))
        r = plain.nodes[r].n_in ? plain.refs[plain.nodes[r].in] : -1;
      plain.refs[used++] = r;
    }
    plain.nodes[i].in = first;
    plain.nodes[i].n_in = used - first;
    shown[i] = !fixed[i] && !is_transparent(n) && pt_dtype_is_float((PtDtype)n->dtype);
  }
  for (uint32_t i = 0; i < v->n; i++)
    if (is_transparent(&v->nodes[i]) && plain.nodes[i].n_in) {
      int32_t r = plain.refs[plain.nodes[i].in];
      if (r >= 0)
        plain.nodes[r].outs += v->nodes[i].outs;
      plain.nodes[i].n_in = 0;
    }
  return plain;
}

/* What is no float steers shapes, where exporters differ: all the same. */
static void plain_labels(PtSight *v) {
  List l = {0};
  g_autofree bool *shown = g_new0(bool, (gsize)v->n + 1);
  PtSight plain = see_through(v, shown);
  g_autofree uint64_t *label = g_new0(uint64_t, (gsize)v->n + 1),
                      *next = g_new(uint64_t, (gsize)v->n + 1),
                      *after = g_new(uint64_t, (gsize)v->n + 1);
  for (uint32_t i = 0; i < v->n; i++)
    label[i] = shown[i] ? v->nodes[i].plain : INPUT;
  refine(&plain, label, next, after);
  refine(&plain, label, next, after);
  for (uint32_t i = 0; i < v->n; i++)
    if (shown[i])
      put(&l, 1, label[i], 0, 0);
  v->plain = pt_sparse_of(l.id, l.n);
  g_free(l.id);
  g_free(plain.nodes);
  g_free(plain.refs);
}

/* ---- numbers --------------------------------------------------------------------------------- */
const char *const pt_number_names[PT_NUMBERS] = {"nodes",
                                                 "edges",
                                                 "depth",
                                                 "diameter",
                                                 "average degree",
                                                 "clustering",
                                                 "operators",
                                                 "tokens",
                                                 "neighbourhoods",
                                                 "log weights",
                                                 "log work",
                                                 "widest",
                                                 "narrowest",
                                                 "mean log width",
                                                 "deviation of widths",
                                                 "width changes",
                                                 "joins",
                                                 "forks",
                                                 "most readers",
                                                 "uses of inputs",
                                                 "repeated nodes",
                                                 "operators twice",
                                                 "log work a node",
                                                 "largest area",
                                                 "share with weights",
                                                 "odd widths",
                                                 "inner outputs",
                                                 "components",
                                                 "scalars",
                                                 "scalings",
                                                 "kinds of scalars",
                                                 "kinds of widths"};

/* Breadth first over the undirected graph of nodes: the largest distance, and components. */
static void distances(const PtSight *v, double *diameter, double *components) {
  uint32_t n = v->n, m = 0;
  g_autofree uint32_t *start = g_new0(uint32_t, (gsize)n + 2);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < v->nodes[i].n_in; k++)
      if (v->refs[v->nodes[i].in + k] >= 0) {
        start[i + 1]++;
        start[v->refs[v->nodes[i].in + k] + 1]++;
        m++;
      }
  for (uint32_t i = 0; i < n; i++)
    start[i + 1] += start[i];
  g_autofree uint32_t *at = g_memdup2(start, (gsize)(n + 1) * sizeof *start),
                      *to = g_new0(uint32_t, 2 * (gsize)m + 1),
                      *queue = g_new(uint32_t, (gsize)n + 1), *far = g_new(uint32_t, (gsize)n + 1);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < v->nodes[i].n_in; k++) {
      int32_t x = v->refs[v->nodes[i].in + k];
      if (x >= 0) {
        to[at[i]++] = (uint32_t)x;
        to[at[x]++] = i;
      }
    }
  uint32_t most = 0;
  *components = 0;
  for (uint32_t s = 0; s < n; s++) {
    memset(far, 0xff, (gsize)n * sizeof *far);
    uint32_t head = 0, tail = 0, least = s;
    queue[tail++] = s;
    far[s] = 0;
    while (head < tail) {
      uint32_t x = queue[head++];
      most = MAX(most, far[x]);
      least = MIN(least, x);
      for (uint32_t e = start[x]; e < start[x + 1]; e++)
        if (far[to[e]] == UINT32_MAX) {
          far[to[e]] = far[x] + 1;
          queue[tail++] = to[e];
        }
    }
    *components += least == s;
  }
  *diameter = most;
}

static bool linked(const PtSight *v, uint32_t a, uint32_t b) {
  for (uint32_t k = 0; k < v->nodes[MAX(a, b)].n_in; k++)
    if (v->refs[v->nodes[MAX(a, b)].in + k] == (int32_t)MIN(a, b))
      return true;
  return false;
}

/* Mean over nodes of the share of pairs of neighbours that are linked. */
static double clustering(const PtSight *v) {
  double sum = 0;
  g_autofree uint32_t *near = g_new(uint32_t, (gsize)v->n + 1);
  for (uint32_t i = 0; i < v->n; i++) {
    uint32_t n = 0, closed = 0;
    for (uint32_t k = 0; k < v->n && n < 32; k++)
      if (k != i && linked(v, i, k))
        near[n++] = k;
    for (uint32_t a = 0; a < n; a++)
      for (uint32_t b = a + 1; b < n; b++)
        closed += linked(v, near[a], near[b]);
    if (n > 1)
      sum += 2.0 * closed / (n * (n - 1.0));
  }
  return v->n ? sum / v->n : 0;
}

static void widths(const PtSight *v, double *numbers) {
  double sum = 0, square = 0, most = 0, least = 1e9, changes = 0, odd = 0, area = 0;
  uint32_t n = 0, dense = 0;
  for (uint32_t i = 0; i < v->n; i++) {
    const PtSightNode *x = &v->nodes[i];
    changes += x->width != x->width_in;
    dense += x->weights > 1;
    area = MAX(area, (double)x->area);
    if (x->width <= 0)
      continue;
    double w = log2(x->width);
    sum += w;
    square += w * w;
    most = MAX(most, w);
    least = MIN(least, w);
    odd += x->weights > 1 && x->width % 8 != 0;
    n++;
  }
  double mean = n ? sum / n : 0, all = MAX(v->n, 1);
  numbers[11] = most;
  numbers[12] = n ? least : 0;
  numbers[13] = mean;
  numbers[14] = n ? sqrt(MAX(square / n - mean * mean, 0)) : 0;
  numbers[15] = changes / all;
  numbers[23] = log2(MAX(area, 1));
  numbers[24] = dense / all;
  numbers[25] = odd;
}

static uint32_t distinct(const PtSparse *s, Family family) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < s->n; i++)
    n += (s->id[i] & 63) == family;
  return n;
}

static void wiring(const PtSight *v, const uint32_t *depth, double *numbers) {
  double edges = 0, joins = 0, forks = 0, most = 0, from_inputs = 0, inner = 0, deepest = 0;
  for (uint32_t i = 0; i < v->n; i++) {
    const PtSightNode *x = &v->nodes[i];
    joins += x->n_in > 1;
    forks += x->n_uses + x->outs > 1;
    most = MAX(most, x->n_uses + x->outs);
    inner += x->outs && x->n_uses;
    deepest = MAX(deepest, depth[i]);
    edges += x->n_in;
    for (uint32_t k = 0; k < x->n_in; k++)
      from_inputs += v->refs[x->in + k] < 0;
  }
  numbers[0] = v->n;
  numbers[1] = edges;
  numbers[2] = deepest;
  distances(v, &numbers[3], &numbers[27]);
  numbers[4] = v->n ? 2 * (edges - from_inputs) / v->n : 0;
  numbers[5] = clustering(v);
  numbers[16] = joins;
  numbers[17] = forks;
  numbers[18] = most;
  numbers[19] = from_inputs;
  numbers[26] = inner;
}

/* Different ones among values[n], which is destroyed; zeros do not count. */
static double kinds_of(uint64_t *values, uint32_t n) {
  PtSparse s = pt_sparse_of(values, n);
  double kinds = s.n - (s.n && s.id[0] == 0);
  pt_sparse_clear(&s);
  return kinds;
}

/* Factors and offsets: made-up pieces have them where nobody would put one. */
static void scalars(const PtSight *v, double *numbers) {
  static const char *const scalings[] = {"Mul", "Div", "Add", "Sub", NULL};
  g_autofree uint64_t *value = g_new0(uint64_t, (gsize)v->n + 1),
                      *width = g_new0(uint64_t, (gsize)v->n + 1);
  for (uint32_t i = 0; i < v->n; i++) {
    const PtSightNode *x = &v->nodes[i];
    numbers[28] += x->scalars;
    numbers[29] += x->scalars && is_one_of(x->op, scalings);
    value[i] = x->scalar;
    width[i] = x->weights > 1 ? (uint64_t)MAX(x->width, 0) : 0;
  }
  numbers[30] = kinds_of(value, v->n);
  numbers[31] = kinds_of(width, v->n);
}

static void all_numbers(PtSight *v, const uint32_t *depth, double kinds) {
  double *numbers = v->numbers, weights = 0, work = 0, twice = 0;
  wiring(v, depth, numbers);
  widths(v, numbers);
  scalars(v, numbers);
  for (uint32_t i = 0; i < v->n; i++) {
    weights += v->nodes[i].weights;
    work += v->nodes[i].work;
  }
  for (uint32_t i = 0; i < v->features.n; i++)
    if ((v->features.id[i] & 63) == SAME_TWICE)
      twice += (double)v->features.count[i];
  numbers[6] = distinct(&v->features, OPCODE);
  numbers[7] = distinct(&v->features, TOKEN);
  numbers[8] = kinds;
  numbers[9] = log2(weights + 1);
  numbers[10] = log2(work + 1);
  numbers[20] = v->n - kinds;
  numbers[21] = twice;
  numbers[22] = log2((work + 1) / MAX(v->n, 1));
}

void pt_features_of_sight(PtSight *v) {
  List l = {0};
  g_autofree uint32_t *depth = g_new0(uint32_t, (gsize)v->n + 1);
  double kinds;
  for (uint32_t i = 0; i < v->n; i++) {
    depth[i] = 1;
    for (uint32_t k = 0; k < v->nodes[i].n_in; k++) {
      int32_t x = v->refs[v->nodes[i].in + k];
      if (x >= 0)
        depth[i] = MAX(depth[i], depth[x] + 1);
    }
    node_features(&l, v, i, depth);
    paths(&l, v, i);
  }
  labels(v, &l, &kinds);
  plain_labels(v);
  g_autofree uint64_t *ops = g_new(uint64_t, (gsize)v->n + 1);
  for (uint32_t i = 0; i < v->n; i++)
    ops[i] = v->nodes[i].op;
  PtSparse counted = pt_sparse_of(ops, v->n);
  for (uint32_t i = 0; i < counted.n; i++)
    put(&l, NUMBER_OF, counted.id[i], (uint64_t)MIN(counted.count[i], 8), 0);
  pt_sparse_clear(&counted);
  v->features = pt_sparse_of(l.id, l.n);
  g_free(l.id);
  all_numbers(v, depth, kinds);
}
