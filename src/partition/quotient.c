/* quotient: the graph of clusters, acyclic always.  Two clusters may merge if no path leads from
 * one to the other through a third.  The topological order bounds the search (Pearce and Kelly),
 * which runs from both ends at once and stops when either side is exhausted; the exhausted side is
 * what has to move in the order.  With local edges, as networks have, a merge costs a handful of
 * steps whatever the graph's size. */
#include "partition/partition_private.h"

#include <string.h>

#define SPACING ((uint64_t)1 << 32)

/* ---- making ---------------------------------------------------------------------------------- */
static PtQuotient *quotient_alloc(uint32_t n, uint32_t m) {
  PtQuotient *q = g_new0(PtQuotient, 1);
  q->n = n;
  q->m = m;
  q->parent = g_new(uint32_t, n + 1);
  q->size = g_new(uint32_t, n + 1);
  q->sig = g_new(uint64_t, n + 1);
  q->label = g_new(uint64_t, n + 1);
  q->prev = g_new(uint32_t, n + 1);
  q->next = g_new(uint32_t, n + 1);
  q->edges = g_new(PtQuotientEdge, m + 1);
  q->out_head = g_new(uint32_t, n + 1);
  q->out_tail = g_new(uint32_t, n + 1);
  q->in_head = g_new(uint32_t, n + 1);
  q->in_tail = g_new(uint32_t, n + 1);
  q->out_count = g_new0(uint32_t, n + 1);
  q->in_count = g_new0(uint32_t, n + 1);
  q->tidied = g_new0(uint32_t, n + 1);
  q->mark_f = g_new0(uint32_t, n + 1);
  q->mark_b = g_new0(uint32_t, n + 1);
  q->list_f = g_new(uint32_t, n + 1);
  q->list_b = g_new(uint32_t, n + 1);
  return q;
}

static void append_out(PtQuotient *q, uint32_t x, uint32_t first, uint32_t last) {
  if (first == PT_NONE)
    return;
  if (q->out_head[x] == PT_NONE)
    q->out_head[x] = first;
  else
    q->edges[q->out_tail[x]].next_out = first;
  q->out_tail[x] = last;
}

static void append_in(PtQuotient *q, uint32_t x, uint32_t first, uint32_t last) {
  if (first == PT_NONE)
    return;
  if (q->in_head[x] == PT_NONE)
    q->in_head[x] = first;
  else
    q->edges[q->in_tail[x]].next_in = first;
  q->in_tail[x] = last;
}

PtQuotient *pt_quotient_new(uint32_t n, const uint32_t *size, const uint64_t *sig,
                            const PtWorkEdge *edges, uint32_t m) {
  PtQuotient *q = quotient_alloc(n, m);
  q->alive = n;
  for (uint32_t i = 0; i < n; i++) {
    q->parent[i] = i;
    q->size[i] = size[i];
    q->sig[i] = sig[i];
    q->label[i] = (i + 1) * SPACING;
    q->prev[i] = i ? i - 1 : n;
    q->next[i] = i + 1;
    q->out_head[i] = q->out_tail[i] = q->in_head[i] = q->in_tail[i] = PT_NONE;
  }
  q->prev[n] = n ? n - 1 : n;
  q->next[n] = n ? 0 : n;
  for (uint32_t e = 0; e < m; e++) {
    q->edges[e] =
        (PtQuotientEdge){edges[e].src, edges[e].dst, PT_NONE, PT_NONE, edges[e].ports, false};
    append_out(q, edges[e].src, e, e);
    append_in(q, edges[e].dst, e, e);
    q->out_count[edges[e].src]++;
    q->in_count[edges[e].dst]++;
  }
  return q;
}

PtQuotient *pt_quotient_copy(const PtQuotient *from) {
  uint32_t n = from->n;
  PtQuotient *q = quotient_alloc(n, from->m);
  q->alive = from->alive;
  memcpy(q->parent, from->parent, n * sizeof *q->parent);
  memcpy(q->size, from->size, n * sizeof *q->size);
  memcpy(q->sig, from->sig, n * sizeof *q->sig);
  memcpy(q->label, from->label, n * sizeof *q->label);
  memcpy(q->prev, from->prev, (n + 1) * sizeof *q->prev);
  memcpy(q->next, from->next, (n + 1) * sizeof *q->next);
  memcpy(q->edges, from->edges, from->m * sizeof *q->edges);
  memcpy(q->out_head, from->out_head, n * sizeof *q->out_head);
  memcpy(q->out_tail, from->out_tail, n * sizeof *q->out_tail);
  memcpy(q->in_head, from->in_head, n * sizeof *q->in_head);
  memcpy(q->in_tail, from->in_tail, n * sizeof *q->in_tail);
  memcpy(q->out_count, from->out_count, n * sizeof *q->out_count);
  memcpy(q->in_count, from->in_count, n * sizeof *q->in_count);
  memcpy(q->tidied, from->tidied, n * sizeof *q->tidied);
  return q;
}

void pt_quotient_free(PtQuotient *q) {
  if (!q)
    return;
  g_free(q->parent);
  g_free(q->size);
  g_free(q->sig);
  g_free(q->label);
  g_free(q->prev);
  g_free(q->next);
  g_free(q->edges);
  g_free(q->out_head);
  g_free(q->out_tail);
  g_free(q->in_head);
  g_free(q->in_tail);
  g_free(q->out_count);
  g_free(q->in_count);
  g_free(q->tidied);
  g_free(q->mark_f);
  g_free(q->mark_b);
  g_free(q->list_f);
  g_free(q->list_b);
  g_free(q);
}

/* ---- the order ------------------------------------------------------------------------------- */
static void list_remove(PtQuotient *q, uint32_t x) {
  q->next[q->prev[x]] = q->next[x];
  q->prev[q->next[x]] = q->prev[x];
}

static void relabel(PtQuotient *q) {
  uint64_t label = SPACING;
  for (uint32_t x = q->next[q->n]; x != q->n; x = q->next[x], label += SPACING)
    q->label[x] = label;
}

/* Moves items (in this order) to right after `at`; q->n: to the front. */
static void list_move(PtQuotient *q, uint32_t at, const uint32_t *items, uint32_t count) {
  if (count == 0)
    return;
  for (uint32_t i = 0; i < count; i++)
    list_remove(q, items[i]);
  uint32_t after = q->next[at];
  uint64_t low = at == q->n ? 0 : q->label[at];
  uint64_t high = after == q->n ? low + (count + 1) * SPACING : q->label[after];
  uint64_t step = high < low ? 0 : (high - low) / (count + 1);
  for (uint32_t i = 0; i < count; i++) {
    q->prev[items[i]] = at;
    q->next[at] = items[i];
    q->label[items[i]] = low += step;
    at = items[i];
  }
  q->next[at] = after;
  q->prev[after] = at;
  if (step == 0)
    relabel(q);
}

static int compare_labels(const void *a, const void *b, void *data) {
  const uint64_t *label = ((const PtQuotient *)data)->label;
  uint64_t x = label[*(const uint32_t *)a], y = label[*(const uint32_t *)b];
  return (x > y) - (x < y);
}

static void sort_by_label(PtQuotient *q, uint32_t *items, uint32_t count) {
  if (count > 1)
    qsort_r(items, count, sizeof *items, compare_labels, q);
}

/* ---- merging --------------------------------------------------------------------------------- */
static void next_epoch(PtQuotient *q) {
  if (++q->epoch == 0) {
    memset(q->mark_f, 0, q->n * sizeof *q->mark_f);
    memset(q->mark_b, 0, q->n * sizeof *q->mark_b);
    q->epoch = 1;
  }
}

typedef enum { MERGE_NO, MERGE_FORWARD, MERGE_BACKWARD } Verdict;

/* One cluster's successors on the way from a to b. True if that found a path around. */
static bool step_forward(PtQuotient *q, uint32_t x, uint32_t a, uint32_t b, uint64_t *steps) {
  ++*steps;
  for (uint32_t e = q->out_head[x]; e != PT_NONE; e = q->edges[e].next_out) {
    ++*steps;
    if (q->edges[e].dead)
      continue;
    uint32_t y = pt_find(q, q->edges[e].dst);
    if (y == x || (x == a && y == b) || q->label[y] > q->label[b] || q->mark_f[y] == q->epoch)
      continue;
    if (y == b || q->mark_b[y] == q->epoch)
      return true;
    q->mark_f[y] = q->epoch;
    q->list_f[q->n_f++] = y;
  }
  return false;
}

static bool step_backward(PtQuotient *q, uint32_t x, uint32_t a, uint32_t b, uint64_t *steps) {
  ++*steps;
  for (uint32_t e = q->in_head[x]; e != PT_NONE; e = q->edges[e].next_in) {
    ++*steps;
    if (q->edges[e].dead)
      continue;
    uint32_t y = pt_find(q, q->edges[e].src);
    if (y == x || (x == b && y == a) || q->label[y] < q->label[a] || q->mark_b[y] == q->epoch)
      continue;
    if (y == a || q->mark_f[y] == q->epoch)
      return true;
    q->mark_b[y] = q->epoch;
    q->list_b[q->n_b++] = y;
  }
  return false;
}

/* a lies before b. On MERGE_FORWARD list_f holds all that follows a and lies before b; on
 * MERGE_BACKWARD list_b all that precedes b and lies after a. The cheaper side goes first, so that
 * a hub's many edges are not looked at for each of its neighbours. */
static Verdict search(PtQuotient *q, uint32_t a, uint32_t b, uint32_t budget) {
  uint64_t cost_f = 0, cost_b = 0;
  uint32_t done_f = 0, done_b = 0;
  next_epoch(q);
  q->list_f[0] = a;
  q->list_b[0] = b;
  q->n_f = q->n_b = 1;
  q->mark_f[a] = q->mark_b[b] = q->epoch;
  while (done_f < q->n_f && done_b < q->n_b) {
    uint32_t x = q->list_f[done_f], y = q->list_b[done_b];
    uint64_t next_f = cost_f + q->out_count[x] + 1, next_b = cost_b + q->in_count[y] + 1;
    if (MIN(next_f, next_b) > budget && budget != PT_NO_BUDGET)
      return MERGE_NO;
    if (next_f <= next_b) {
      done_f++;
      if (step_forward(q, x, a, b, &cost_f))
        return MERGE_NO;
    } else {
      done_b++;
      if (step_backward(q, y, a, b, &cost_b))
        return MERGE_NO;
    }
  }
  bool forward = done_f == q->n_f;
  uint32_t *list = forward ? q->list_f : q->list_b, *n = forward ? &q->n_f : &q->n_b;
  memmove(list, list + 1, --*n * sizeof *list); /* without a or b itself */
  return forward ? MERGE_FORWARD : MERGE_BACKWARD;
}

/* Drops the cluster's inner edges and folds parallel ones into the first. */
static void tidy_edges(PtQuotient *q, uint32_t r) {
  next_epoch(q);
  uint32_t last = PT_NONE;
  q->out_count[r] = q->in_count[r] = 0;
  for (uint32_t e = q->out_head[r], next; e != PT_NONE; e = next) {
    PtQuotientEdge *edge = &q->edges[e];
    next = edge->next_out;
    uint32_t y = edge->dead ? r : pt_find(q, edge->dst);
    if (y != r && q->mark_f[y] != q->epoch) {
      q->mark_f[y] = q->epoch;
      q->list_f[y] = e;
      q->out_count[r]++;
      *(last == PT_NONE ? &q->out_head[r] : &q->edges[last].next_out) = e;
      last = e;
    } else {
      if (y != r)
        q->edges[q->list_f[y]].ports += edge->ports;
      edge->dead = true;
    }
  }
  *(last == PT_NONE ? &q->out_head[r] : &q->edges[last].next_out) = PT_NONE;
  q->out_tail[r] = last;
  last = PT_NONE;
  for (uint32_t e = q->in_head[r], next; e != PT_NONE; e = next) {
    PtQuotientEdge *edge = &q->edges[e];
    next = edge->next_in;
    uint32_t y = edge->dead ? r : pt_find(q, edge->src);
    if (y != r && q->mark_b[y] != q->epoch) {
      q->mark_b[y] = q->epoch;
      q->list_b[y] = e;
      q->in_count[r]++;
      *(last == PT_NONE ? &q->in_head[r] : &q->edges[last].next_in) = e;
      last = e;
    } else {
      if (y != r)
        q->edges[q->list_b[y]].ports += edge->ports;
      edge->dead = true;
    }
  }
  *(last == PT_NONE ? &q->in_head[r] : &q->edges[last].next_in) = PT_NONE;
  q->in_tail[r] = last;
  q->tidied[r] = q->out_count[r] + q->in_count[r];
}

/* A hub's many edges are gone through when they are twice as many as the last time, not at each
 * merge. */
static bool untidy(const PtQuotient *q, uint32_t r) {
  uint64_t edges = pt_quotient_degree(q, r);
  return edges <= PT_HUB_EDGES || edges > 2 * (uint64_t)q->tidied[r];
}

/* By way of the one with fewer edges. */
static uint64_t ports_between(PtQuotient *q, uint32_t a, uint32_t b) {
  uint64_t ports = 0;
  if (q->in_count[b] < q->out_count[a]) {
    for (uint32_t e = q->in_head[b]; e != PT_NONE; e = q->edges[e].next_in)
      if (!q->edges[e].dead && pt_find(q, q->edges[e].src) == a)
        ports += q->edges[e].ports;
    return ports;
  }
  for (uint32_t e = q->out_head[a]; e != PT_NONE; e = q->edges[e].next_out)
    if (!q->edges[e].dead && pt_find(q, q->edges[e].dst) == b)
      ports += q->edges[e].ports;
  return ports;
}

uint32_t pt_quotient_merge(PtQuotient *q, uint32_t a, uint32_t b, uint32_t budget) {
  a = pt_find(q, a);
  b = pt_find(q, b);
  if (a == b)
    return a;
  if (q->label[a] > q->label[b]) {
    uint32_t other = a;
    a = b;
    b = other;
  }
  Verdict verdict = search(q, a, b, budget);
  if (verdict == MERGE_NO)
    return PT_NONE;
  uint64_t sig = pt_hash_mix(pt_hash_mix(q->sig[a], q->sig[b]), ports_between(q, a, b));
  uint32_t kept = verdict == MERGE_FORWARD ? b : a, gone = kept == a ? b : a;
  if (verdict == MERGE_FORWARD) {
    sort_by_label(q, q->list_f, q->n_f);
    list_move(q, b, q->list_f, q->n_f);
  } else {
    sort_by_label(q, q->list_b, q->n_b);
    list_move(q, q->prev[a], q->list_b, q->n_b);
  }
  list_remove(q, gone);
  q->parent[gone] = kept;
  q->size[kept] += q->size[gone];
  q->sig[kept] = sig;
  append_out(q, kept, q->out_head[gone], q->out_tail[gone]);
  append_in(q, kept, q->in_head[gone], q->in_tail[gone]);
  q->out_count[kept] += q->out_count[gone];
  q->in_count[kept] += q->in_count[gone];
  q->tidied[kept] = MAX(q->tidied[kept], q->tidied[gone]);
  q->alive--;
  if (untidy(q, kept))
    tidy_edges(q, kept);
  return kept;
}

/* ---- sets ------------------------------------------------------------------------------------ */
/* list_b[0..n_b): the clusters of the set and those on paths between them. False over the budget.
 */
static bool close_set(PtQuotient *q, const uint32_t *items, uint32_t count, uint32_t budget) {
  uint64_t low = UINT64_MAX, high = 0, steps = 0;
  next_epoch(q);
  q->n_f = q->n_b = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t x = pt_find(q, items[i]);
    if (q->mark_f[x] == q->epoch)
      continue;
    q->mark_f[x] = q->mark_b[x] = q->epoch;
    q->list_f[q->n_f++] = q->list_b[q->n_b++] = x;
    low = MIN(low, q->label[x]);
    high = MAX(high, q->label[x]);
  }
  for (uint32_t i = 0; i < q->n_f; i++)
    for (uint32_t e = q->out_head[q->list_f[i]]; e != PT_NONE; e = q->edges[e].next_out) {
      uint32_t y = pt_find(q, q->edges[e].dst);
      if (++steps > budget && budget != PT_NO_BUDGET)
        return false;
      if (q->edges[e].dead || q->mark_f[y] == q->epoch || q->label[y] > high)
        continue;
      q->mark_f[y] = q->epoch;
      q->list_f[q->n_f++] = y;
    }
  for (uint32_t i = 0; i < q->n_b; i++)
    for (uint32_t e = q->in_head[q->list_b[i]]; e != PT_NONE; e = q->edges[e].next_in) {
      uint32_t y = pt_find(q, q->edges[e].src);
      if (q->edges[e].dead || q->mark_f[y] != q->epoch || q->mark_b[y] == q->epoch ||
          q->label[y] < low)
        continue;
      q->mark_b[y] = q->epoch;
      q->list_b[q->n_b++] = y;
    }
  return true;
}

bool pt_quotient_merge_set(PtQuotient *q, const uint32_t *items, uint32_t count, uint32_t cap,
                           uint32_t budget) {
  if (count == 0 || !close_set(q, items, count, budget))
    return false;
  uint32_t n = q->n_b;
  uint64_t size = 0;
  for (uint32_t i = 0; i < n; i++)
    size += q->size[q->list_b[i]];
  if (size > cap && n > 1)
    return false;
  g_autofree uint32_t *set = g_memdup2(q->list_b, n * sizeof *set);
  /* Of a closed set, the two that come first in the order can merge, and nothing of the set lies
   * between them to be moved: one sort does. */
  sort_by_label(q, set, n);
  uint32_t merged = set[0];
  for (uint32_t i = 1; i < n && merged != PT_NONE; i++)
    merged = pt_quotient_merge(q, merged, set[i], PT_NO_BUDGET);
  return merged != PT_NONE;
}

/* ---- reading off ----------------------------------------------------------------------------- */
void pt_quotient_number(PtQuotient *q, uint32_t *of) {
  g_autofree uint32_t *number = g_new0(uint32_t, q->n + 1);
  uint32_t count = 0;
  for (uint32_t x = q->next[q->n]; x != q->n; x = q->next[x])
    number[x] = count++;
  for (uint32_t i = 0; i < q->n; i++)
    of[i] = number[pt_find(q, i)];
}

void pt_quotient_structure(const PtQuotient *q, const uint32_t *of, uint32_t clusters,
                           uint64_t *hash) {
  g_autofree uint64_t *color = g_new(uint64_t, q->n + 1);
  g_autofree uint64_t *sum = g_new(uint64_t, q->n + 1);
  memcpy(color, q->sig, q->n * sizeof *color);
  for (int round = 0; round < 3; round++) {
    memset(sum, 0, q->n * sizeof *sum);
    for (uint32_t e = 0; e < q->m; e++) {
      uint32_t a = q->edges[e].src, b = q->edges[e].dst;
      if (of[a] != of[b])
        continue;
      sum[b] += pt_hash_mix(color[a], q->edges[e].ports);
      sum[a] += pt_hash_mix(q->edges[e].ports, color[b]);
    }
    for (uint32_t i = 0; i < q->n; i++)
      color[i] = pt_hash_mix(color[i], sum[i]);
  }
  memset(hash, 0, clusters * sizeof *hash);
  for (uint32_t i = 0; i < q->n; i++)
    hash[of[i]] += pt_hash_mix(color[i], 23);
}

static int compare_work_edges(gconstpointer a, gconstpointer b) {
  const PtWorkEdge *x = a, *y = b;
  if (x->src != y->src)
    return x->src < y->src ? -1 : 1;
  return x->dst < y->dst ? -1 : x->dst > y->dst;
}

PtQuotient *pt_quotient_compact(PtQuotient *q, uint32_t *of) {
  pt_quotient_number(q, of);
  g_autofree uint32_t *size = g_new0(uint32_t, q->alive + 1);
  g_autofree uint64_t *sig = g_new(uint64_t, q->alive + 1);
  g_autoptr(GArray) edges = g_array_new(FALSE, FALSE, sizeof(PtWorkEdge));
  pt_quotient_structure(q, of, q->alive, sig);
  for (uint32_t i = 0; i < q->n; i++)
    if (q->parent[i] == i)
      size[of[i]] = q->size[i];
  for (uint32_t e = 0; e < q->m; e++) {
    PtWorkEdge edge = {of[q->edges[e].src], of[q->edges[e].dst], q->edges[e].ports};
    if (edge.src != edge.dst && !q->edges[e].dead)
      g_array_append_val(edges, edge);
  }
  g_array_sort(edges, compare_work_edges);
  return pt_quotient_new(q->alive, size, sig, (PtWorkEdge *)(void *)edges->data, edges->len);
}
