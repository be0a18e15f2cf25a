/* contract: the paper's Karger-Stein contraction (4.1.1), many trials, the smallest spread of sizes
 * wins. An edge is drawn with probability that falls with the size of what it would make, by an
 * exponential race: each edge has a time, the earliest contracts, and new edges draw theirs from
 * then on.  The draw is a hash of what the two clusters are and how they are wired, so equal edges
 * contract at the same time: repeated blocks are cut alike.  A trial is O(edges log edges) while
 * degrees are bounded. */
#include "partition/partition_private.h"

#include <math.h>
#include <string.h>

#define SEARCH_BUDGET 500 /* edges looked at to see that a merge makes no cycle; else it waits */

typedef struct Entry {
  double time;
  uint32_t edge;
} Entry;

/* Which merges a phase of a trial allows. */
typedef struct Rule {
  uint32_t most; /* nodes of the merged cluster */
  bool mends;    /* only what brings sizes closer to the range of -n auto */
} Rule;

typedef struct Trial {
  PtQuotient *q;
  double *time; /* [m] an entry of the heap counts if it has its edge's time */
  Entry *heap;
  size_t len, room;
  uint64_t salt;
  double now, sharpness;
  Rule rule;
  bool mirror;
  uint32_t budget;
  uint32_t n; /* stop here */
} Trial;

/* ---- the race
 * ------------------------------------------------------------------------------------ */
static bool earlier(Entry a, Entry b) {
  return a.time != b.time ? a.time < b.time : a.edge < b.edge;
}

static void heap_push(Trial *t, Entry entry) {
  if (t->len == t->room) {
    t->room = t->room ? 2 * t->room : 1024;
    t->heap = g_renew(Entry, t->heap, t->room);
  }
  size_t i = t->len++;
  for (; i > 0 && earlier(entry, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
    t->heap[i] = t->heap[(i - 1) / 2];
  t->heap[i] = entry;
}

static Entry heap_pop(Trial *t) {
  Entry top = t->heap[0], last = t->heap[--t->len];
  size_t i = 0;
  for (size_t child; (child = 2 * i + 1) < t->len; i = child) {
    if (child + 1 < t->len && earlier(t->heap[child + 1], t->heap[child]))
      child++;
    if (!earlier(t->heap[child], last))
      break;
    t->heap[i] = t->heap[child];
  }
  t->heap[i] = last;
  return top;
}

/* Nodes by which a size misses the range that -n auto aims at. */
static uint32_t misses(uint32_t size) {
  return size < PT_AUTO_LEAST  ? PT_AUTO_LEAST - size
         : size > PT_AUTO_MOST ? size - PT_AUTO_MOST
                               : 0;
}

static bool allowed(const Trial *t, uint32_t a, uint32_t b) {
  uint32_t x = t->q->size[a], y = t->q->size[b];
  return x + y <= t->rule.most && (!t->rule.mends || misses(x + y) < misses(x) + misses(y));
}

/* Edges around a large cluster are entered again and again: their old entries go before they pile
 * up. */
static void drop_stale(Trial *t) {
  size_t kept = 0, len = t->len;
  for (size_t i = 0; i < len; i++)
    if (t->time[t->heap[i].edge] == t->heap[i].time && !t->q->edges[t->heap[i].edge].dead)
      t->heap[kept++] = t->heap[i];
  t->len = 0;
  for (size_t i = 0; i < kept; i++)
    heap_push(t, t->heap[i]);
}

static void enter(Trial *t, uint32_t e) {
  PtQuotient *q = t->q;
  uint32_t a = pt_find(q, q->edges[e].src), b = pt_find(q, q->edges[e].dst);
  if (!allowed(t, a, b)) {
    t->time[e] = -1;
    return;
  }
  uint64_t kind = t->mirror ? pt_hash_mix(pt_hash_mix(q->sig[a], q->sig[b]), q->edges[e].ports)
                            : pt_hash_mix(e, q->alive);
  uint64_t draw = pt_hash_mix(pt_hash_mix(t->salt, kind), t->salt);
  double unit = ((double)(draw >> 11) + 0.5) * 0x1p-53;
  double size = q->size[a] + q->size[b];
  t->time[e] = t->now - log(unit) * pow(size, t->sharpness);
  heap_push(t, (Entry){t->time[e], e});
}

static void enter_around(Trial *t, uint32_t cluster) {
  PtQuotient *q = t->q;
  for (uint32_t e = q->out_head[cluster]; e != PT_NONE; e = q->edges[e].next_out)
    if (!q->edges[e].dead)
      enter(t, e);
  for (uint32_t e = q->in_head[cluster]; e != PT_NONE; e = q->edges[e].next_in)
    if (!q->edges[e].dead)
      enter(t, e);
}

/* Contracts under the rule until n clusters are left or no edge allows it. True if any did. */
static bool run_phase(Trial *t, Rule rule) {
  PtQuotient *q = t->q;
  uint32_t before = q->alive;
  t->rule = rule;
  t->len = 0;
  for (uint32_t e = 0; e < q->m; e++)
    if (!q->edges[e].dead)
      enter(t, e);
  while (t->len > 0 && q->alive > t->n) {
    Entry entry = heap_pop(t);
    PtQuotientEdge *edge = &q->edges[entry.edge];
    if (edge->dead || t->time[entry.edge] != entry.time)
      continue;
    t->now = entry.time;
    uint32_t merged = pt_quotient_merge(q, edge->src, edge->dst, t->budget);
    if (merged != PT_NONE)
      enter_around(t, merged);
    if (t->len > 4 * (size_t)q->m + 1024)
      drop_stale(t);
  }
  return q->alive < before;
}

/* ---- a trial
 * ------------------------------------------------------------------------------------- */
typedef struct Small {
  uint32_t size, item;
} Small;

static int compare_small(const void *a, const void *b) {
  const Small *x = a, *y = b;
  if (x->size != y->size)
    return x->size < y->size ? -1 : 1;
  return x->item < y->item ? -1 : x->item > y->item;
}

/* No edges are left but too many clusters: any may merge. The largest first, each to the smallest
 * heap. */
static void join_apart(Trial *t) {
  PtQuotient *q = t->q;
  g_autofree Small *list = g_new(Small, q->alive);
  uint32_t count = 0;
  for (uint32_t x = q->next[q->n]; x != q->n; x = q->next[x])
    list[count++] = (Small){q->size[x], x};
  qsort(list, count, sizeof *list, compare_small);
  t->len = 0;
  for (uint32_t i = 0; i < t->n; i++)
    heap_push(t, (Entry){list[count - 1 - i].size, list[count - 1 - i].item});
  for (uint32_t i = count - t->n; i-- > 0;) {
    Entry least = heap_pop(t);
    uint32_t merged = pt_quotient_merge(q, least.edge, list[i].item, PT_NO_BUDGET);
    if (merged == PT_NONE)
      return; /* cannot be: nothing connects them */
    heap_push(t, (Entry){q->size[merged], merged});
  }
}

/* Exactly n: sizes may grow step by step. Mirrored to the end, sizes double at every step, which
 * suits few trials; so most mirror only while clusters are small beside the pieces. */
static void contract_to(Trial *t, double mean, double start, double mirrored) {
  static const double factors[] = {1, 1.15, 1.3, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10};
  if (mirrored < 1)
    run_phase(t, (Rule){(uint32_t)lround(MAX(mean * mirrored, 2)), false});
  t->mirror &= mirrored >= 1;
  for (size_t i = 0; i < G_N_ELEMENTS(factors) && t->q->alive > t->n; i++)
    run_phase(t, (Rule){(uint32_t)lround(MAX(mean * start * factors[i], 2)), false});
  do {
    while (t->q->alive > t->n && run_phase(t, (Rule){UINT32_MAX, false}))
      ;
    t->budget = t->budget == PT_NO_BUDGET ? 0 : PT_NO_BUDGET;
  } while (t->budget && t->q->alive > t->n);
  if (t->q->alive > t->n)
    join_apart(t);
}

static void contract_auto(Trial *t, uint32_t first) {
  t->n = 1;
  run_phase(t, (Rule){first, false});
  run_phase(t, (Rule){PT_AUTO_MOST, false});
  run_phase(t, (Rule){UINT32_MAX, true});
}

/* ---- choosing
 * ------------------------------------------------------------------------------------ */
typedef struct Trials {
  const PtQuotient *q;
  const PtPartitionOptions *options;
  const PtSeed *seed;
  uint32_t n;
  uint64_t total; /* owned nodes */
  GMutex lock;
  double best; /* score */
  size_t best_index;
  uint32_t *of;   /* [q->n] of the best */
  uint32_t count; /* its pieces */
} Trials;

static int compare_u64(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static uint32_t distinct(const PtQuotient *q, const uint32_t *of, uint32_t count) {
  g_autofree uint64_t *hash = g_new(uint64_t, count + 1);
  uint32_t kinds = 0;
  pt_quotient_structure(q, of, count, hash);
  qsort(hash, count, sizeof *hash, compare_u64);
  for (uint32_t i = 0; i < count; i++)
    kinds += i == 0 || hash[i] != hash[i - 1];
  return kinds;
}

/* The paper's standard deviation, over the mean; to which -n auto adds how far sizes are from its
 * range and aim, and mirroring the part of pieces that are equal to no other. Smaller is better. */
static double score(const Trials *s, const uint32_t *of, uint32_t count) {
  g_autofree uint32_t *size = g_new0(uint32_t, count + 1);
  double mean = (double)s->total / count, squares = 0, outside = 0, missed = 0;
  for (uint32_t i = 0; i < s->q->n; i++)
    size[of[i]] += s->q->size[i];
  for (uint32_t i = 0; i < count; i++) {
    squares += (size[i] - mean) * (size[i] - mean);
    outside += misses(size[i]) > 0;
    missed += misses(size[i]);
  }
  double result = sqrt(squares / count) / mean;
  if (!s->n)
    result +=
        4 * missed / (double)s->total + 0.3 * outside / count + 0.02 * fabs(mean - PT_AUTO_SIZE);
  if (!s->options->plain)
    result += 0.5 * distinct(s->q, of, count) / count;
  return result;
}

static void run_trial(size_t index, void *data) {
  Trials *s = data;
  g_autoptr(PtQuotient) q = pt_quotient_copy(s->q);
  g_autoptr(PtRng) rng = pt_rng_new(s->seed, "partition trial", index);
  g_autofree double *time = g_new(double, q->m + 1);
  g_autofree uint32_t *of = g_new(uint32_t, q->n + 1);
  Trial t = {.q = q,
             .time = time,
             .salt = pt_rng_u64(rng),
             .sharpness = 1.0 + (double)(index % 3),
             .mirror = !s->options->plain,
             .budget = SEARCH_BUDGET,
             .n = s->n};
  if (s->n)
    contract_to(&t, (double)s->total / s->n, 1.1 + 0.1 * (double)(index / 3 % 4),
                index % 2   ? 0.5
                : index % 4 ? 0.25
                            : 1);
  else
    contract_auto(&t, PT_AUTO_SIZE + (uint32_t)(index / 3 % 5));
  g_free(t.heap);
  pt_quotient_number(q, of);
  double result = score(s, of, q->alive);
  g_mutex_lock(&s->lock);
  if (!s->of || result < s->best || (result == s->best && index < s->best_index)) {
    g_free(s->of);
    s->of = g_steal_pointer(&of);
    s->count = q->alive;
    s->best = result;
    s->best_index = index;
  }
  g_mutex_unlock(&s->lock);
}

static size_t default_trials(const PtQuotient *q) {
  return CLAMP((size_t)2500000 / (q->n + q->m + 1), 12, 300);
}

uint32_t pt_contract(const PtQuotient *q, uint32_t n, const PtPartitionOptions *options,
                     const PtSeed *seed, uint32_t *of) {
  if (q->n == 0)
    return 0;
  if (n == 1) {
    memset(of, 0, q->n * sizeof *of);
    return 1;
  }
  Trials s = {.q = q, .options = options, .seed = seed, .n = n};
  for (uint32_t i = 0; i < q->n; i++)
    s.total += q->size[i];
  g_mutex_init(&s.lock);
  pt_parallel_for(options->trials ? options->trials : default_trials(q), options->threads,
                  run_trial, &s);
  g_mutex_clear(&s.lock);
  memcpy(of, s.of, q->n * sizeof *of);
  g_free(s.of);
  return s.count;
}
