/* race: contraction of one trial.  An edge is drawn with probability that falls with the size of
 * what it would make, by an exponential race: each edge has a time, the earliest contracts, and new
 * edges draw theirs from then on.  The draw is a hash of what the two clusters are and how they are
 * wired, so equal edges contract at the same time: repeated blocks are cut alike. */
#include "partition/race_private.h"

#include <math.h>

static bool earlier(PtEntry a, PtEntry b) {
  return a.time != b.time ? a.time < b.time : a.edge < b.edge;
}

static void heap_push(PtTrial *t, PtEntry entry) {
  if (t->len == t->room) {
    t->room = t->room ? 2 * t->room : 1024;
    t->heap = g_renew(PtEntry, t->heap, t->room);
  }
  size_t i = t->len++;
  for (; i > 0 && earlier(entry, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
    t->heap[i] = t->heap[(i - 1) / 2];
  t->heap[i] = entry;
}

static PtEntry heap_pop(PtTrial *t) {
  PtEntry top = t->heap[0], last = t->heap[--t->len];
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

uint32_t pt_size_misses(uint32_t size) {
  return size < PT_AUTO_LEAST  ? PT_AUTO_LEAST - size
         : size > PT_AUTO_MOST ? size - PT_AUTO_MOST
                               : 0;
}

static bool allowed(const PtTrial *t, uint32_t a, uint32_t b) {
  uint32_t x = t->q->size[a], y = t->q->size[b];
  return x + y <= t->rule.most &&
         (!t->rule.mends || pt_size_misses(x + y) < pt_size_misses(x) + pt_size_misses(y));
}

/* Edges around a large cluster are entered again and again: their old entries go before they pile
 * up. */
static void drop_stale(PtTrial *t) {
  size_t kept = 0, len = t->len;
  for (size_t i = 0; i < len; i++)
    if (t->time[t->heap[i].edge] == t->heap[i].time && !t->q->edges[t->heap[i].edge].dead)
      t->heap[kept++] = t->heap[i];
  t->len = 0;
  for (size_t i = 0; i < kept; i++)
    heap_push(t, t->heap[i]);
}

static void enter(PtTrial *t, uint32_t e) {
  PtQuotient *q = t->q;
  uint32_t a = pt_find(q, q->edges[e].src), b = pt_find(q, q->edges[e].dst);
  t->work++;
  if (q->edges[e].dead || a == b || !allowed(t, a, b)) {
    t->time[e] = -1;
    return;
  }
  uint64_t kind = t->mirror ? pt_hash_mix(pt_hash_mix(q->sig[a], q->sig[b]), q->edges[e].ports)
                            : pt_hash_mix(e, q->alive);
  uint64_t draw = pt_hash_mix(pt_hash_mix(t->salt, kind), t->salt);
  double unit = ((double)(draw >> 11) + 0.5) * 0x1p-53;
  double size = q->size[a] + q->size[b];
  t->time[e] = t->now - log(unit) * pow(size, t->sharpness);
  heap_push(t, (PtEntry){t->time[e], e});
}

/* t->around: the edges of the one that has fewer. */
static void edges_of_lesser(PtTrial *t, uint32_t a, uint32_t b) {
  const PtQuotient *q = t->q;
  uint32_t lesser = pt_quotient_degree(q, a) < pt_quotient_degree(q, b) ? a : b;
  g_array_set_size(t->around, 0);
  for (uint32_t e = q->out_head[lesser]; e != PT_NONE; e = q->edges[e].next_out)
    g_array_append_val(t->around, e);
  for (uint32_t e = q->in_head[lesser]; e != PT_NONE; e = q->edges[e].next_in)
    g_array_append_val(t->around, e);
}

/* What the merged cluster is has changed, so its edges draw anew; where a hub takes in another,
 * only the other's, as the hub's many wait already. */
static void merge(PtTrial *t, uint32_t a, uint32_t b) {
  PtQuotient *q = t->q;
  bool hub = pt_quotient_degree(q, a) + pt_quotient_degree(q, b) > PT_HUB_EDGES;
  if (hub)
    edges_of_lesser(t, a, b);
  uint32_t merged = pt_quotient_merge(q, a, b, t->budget);
  if (merged == PT_NONE)
    return;
  if (hub) {
    for (guint i = 0; i < t->around->len; i++)
      enter(t, g_array_index(t->around, uint32_t, i));
    return;
  }
  for (uint32_t e = q->out_head[merged]; e != PT_NONE; e = q->edges[e].next_out)
    enter(t, e);
  for (uint32_t e = q->in_head[merged]; e != PT_NONE; e = q->edges[e].next_in)
    enter(t, e);
}

bool pt_race(PtTrial *t, PtRule rule) {
  PtQuotient *q = t->q;
  uint32_t before = q->alive;
  t->rule = rule;
  t->len = 0;
  for (uint32_t e = 0; e < q->m; e++)
    if (!q->edges[e].dead)
      enter(t, e);
  while (t->len > 0 && q->alive > t->n) {
    PtEntry entry = heap_pop(t);
    PtQuotientEdge *edge = &q->edges[entry.edge];
    if (edge->dead || t->time[entry.edge] != entry.time)
      continue;
    t->now = entry.time;
    uint32_t a = pt_find(q, edge->src), b = pt_find(q, edge->dst);
    if (a != b && allowed(t, a, b))
      merge(t, a, b);
    if (t->len > 4 * (size_t)q->m + 1024)
      drop_stale(t);
  }
  return q->alive < before;
}

/* ---- without edges --------------------------------------------------------------------------- */
static int compare_order(const void *a, const void *b, void *data) {
  const uint64_t *label = data;
  uint64_t x = label[*(const uint32_t *)a], y = label[*(const uint32_t *)b];
  return (x > y) - (x < y);
}

/* In the order they have: the many branches of a wide model would stay crumbs otherwise. */
static void pack(PtTrial *t, GArray *list) {
  PtQuotient *q = t->q;
  uint32_t *item = (uint32_t *)(void *)list->data;
  qsort_r(item, list->len, sizeof *item, compare_order, q->label);
  for (uint32_t i = 1, open = 0; i < list->len && q->alive > t->n; i++) {
    uint32_t a = pt_find(q, item[open]), b = pt_find(q, item[i]);
    if (a == b || (allowed(t, a, b) && pt_quotient_merge(q, a, b, t->budget) != PT_NONE))
      continue;
    open = i;
  }
}

void pt_pack_siblings(PtTrial *t, PtRule rule) {
  PtQuotient *q = t->q;
  g_autofree uint32_t *root = g_new(uint32_t, q->alive + 1);
  g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  uint32_t count = 0;
  t->rule = rule;
  for (uint32_t x = q->next[q->n]; x != q->n; x = q->next[x])
    root[count++] = x;
  for (uint64_t i = 0; i < 2 * (uint64_t)count && q->alive > t->n; i++) {
    uint32_t x = pt_find(q, root[i / 2]);
    bool in = i % 2;
    g_array_set_size(list, 0);
    for (uint32_t e = in ? q->in_head[x] : q->out_head[x]; e != PT_NONE;
         e = in ? q->edges[e].next_in : q->edges[e].next_out) {
      uint32_t y = pt_find(q, in ? q->edges[e].src : q->edges[e].dst);
      if (!q->edges[e].dead && y != x && q->size[y] < rule.most)
        g_array_append_val(list, y);
    }
    if (list->len > 1)
      pack(t, list);
  }
  g_array_set_size(list,
                   0); /* and those that have no neighbour at all, unless pt_join_apart comes */
  for (uint32_t x = q->next[q->n]; x != q->n && rule.mends; x = q->next[x])
    if (q->out_head[x] == PT_NONE && q->in_head[x] == PT_NONE)
      g_array_append_val(list, x);
  if (list->len > 1)
    pack(t, list);
}

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
void pt_join_apart(PtTrial *t) {
  PtQuotient *q = t->q;
  g_autofree Small *list = g_new(Small, q->alive);
  uint32_t count = 0;
  for (uint32_t x = q->next[q->n]; x != q->n; x = q->next[x])
    list[count++] = (Small){q->size[x], x};
  qsort(list, count, sizeof *list, compare_small);
  t->len = 0;
  for (uint32_t i = 0; i < t->n; i++)
    heap_push(t, (PtEntry){list[count - 1 - i].size, list[count - 1 - i].item});
  for (uint32_t i = count - t->n; i-- > 0;) {
    PtEntry least = heap_pop(t);
    uint32_t merged = pt_quotient_merge(q, least.edge, list[i].item, PT_NO_BUDGET);
    if (merged == PT_NONE)
      return; /* cannot be: nothing connects them */
    heap_push(t, (PtEntry){q->size[merged], merged});
  }
}
