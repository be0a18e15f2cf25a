/* stage: a numbering for a shape whose interface comes and goes within it: what a piece leaves as
 * it is stands between nodes that come before and nodes that come after. */
#include "topology/topology.h"

#include <string.h>

#define PLANS 8

typedef struct Staging {
  const PtTopology *t;
  const uint32_t *from, *before;
  uint32_t n_from, n_before;
  uint32_t *n_in, *n_out;       /* [n] edges of each node */
  uint32_t *release, *deadline; /* [n] first place it may have; one after the last */
} Staging;

/* Shuffled, repeated if there are too few of them; `always` is among them. */
static void deal(const uint32_t *what, uint32_t n, uint32_t always, const uint32_t *edges,
                 uint32_t n_nodes, uint32_t *to, PtRng *rng) {
  g_autofree uint32_t *hand = g_new0(uint32_t, n + 1);
  uint32_t at = 0, count = 0, last = n_nodes;
  bool is_there = false;
  if (n)
    memcpy(hand, what, n * sizeof *hand);
  pt_rng_shuffle(rng, hand, n, sizeof *hand);
  for (uint32_t i = 0; i < n_nodes; i++) {
    if (edges[i] > 0)
      continue;
    to[i] = n ? hand[at++ % n] : always;
    is_there |= to[i] == always;
    if (pt_rng_below(rng, ++count) == 0)
      last = i;
  }
  if (!is_there && last < n_nodes)
    to[last] = always;
}

/* Whoever has to be first, of those that may come now. Returns how many come too late or too early.
 */
static uint32_t plan(Staging *s, uint32_t *place, PtRng *rng) {
  uint32_t n = s->t->n, misses = 0;
  g_autofree uint32_t *wait = g_memdup2(s->n_in, (n + 1) * sizeof *wait);
  g_autofree bool *done = g_new0(bool, n + 1);
  for (uint32_t i = 0; i < n; i++) {
    s->release[i] = 0;
    s->deadline[i] = n;
  }
  deal(s->from, s->n_from, 0, s->n_in, n, s->release, rng);
  deal(s->before, s->n_before, n, s->n_out, n, s->deadline, rng);
  for (uint32_t e = s->t->edges->len; e-- > 0;) { /* by source, so all of a node's readers first */
    PtEdge edge = pt_topology_edge(s->t, e);
    uint32_t limit = s->deadline[edge.to] - (s->deadline[edge.to] > 0);
    s->deadline[edge.from] = MIN(s->deadline[edge.from], limit);
  }
  for (uint32_t at = 0; at < n; at++) {
    uint32_t best = n, ties = 0;
    for (uint32_t i = 0; i < n; i++) {
      if (done[i] || wait[i] > 0)
        continue;
      uint32_t late = MAX(s->release[i], at),
               best_late = best == n ? UINT32_MAX : MAX(s->release[best], at);
      bool better = late < best_late || (late == best_late && s->deadline[i] < s->deadline[best]);
      bool same = best < n && late == best_late && s->deadline[i] == s->deadline[best];
      ties = better ? 1 : ties + same;
      if (better || (same && pt_rng_below(rng, ties) == 0))
        best = i;
    }
    done[best] = true;
    place[best] = at;
    misses += s->release[best] > at || (s->n_out[best] == 0 && s->deadline[best] <= at);
    for (guint e = 0; e < s->t->edges->len; e++)
      if (pt_topology_edge(s->t, e).from == best)
        wait[pt_topology_edge(s->t, e).to]--;
  }
  return misses;
}

static int downwards(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x > y ? -1 : x < y;
}

/* Nodes that nobody reads and that no output is late enough for get a reader. */
static void end_late_sinks(PtTopology *t, const uint32_t *before, uint32_t n_before, PtRng *rng) {
  g_autofree uint32_t *ends = g_new0(uint32_t, n_before + 1), *in = g_new0(uint32_t, t->n + 1);
  g_autofree bool *read = g_new0(bool, t->n + 1);
  g_autofree double *odds = g_new0(double, t->n + 1);
  uint32_t used = 0;
  if (n_before)
    memcpy(ends, before, n_before * sizeof *ends);
  qsort(ends, n_before, sizeof *ends, downwards);
  for (guint e = 0; e < t->edges->len; e++) {
    read[pt_topology_edge(t, e).from] = true;
    in[pt_topology_edge(t, e).to]++;
  }
  for (uint32_t i = t->n; i-- > 0;) {
    if (read[i])
      continue;
    if (used < n_before && ends[used] > i) {
      used++;
      continue;
    }
    for (uint32_t j = 0; j < t->n; j++)
      odds[j] = j <= i ? 0 : (in[j] < 2 ? 1 : 1e-4) / (j - i);
    size_t j = pt_rng_weighted(rng, odds, t->n);
    if (j == t->n)
      continue;
    pt_topology_add(t, i, (uint32_t)j);
    in[j]++;
  }
}

void pt_topology_stage(PtTopology *t, const uint32_t *from, uint32_t n_from, const uint32_t *before,
                       uint32_t n_before, PtRng *rng) {
  uint32_t n = t->n, least = UINT32_MAX;
  g_autofree uint32_t *n_in = g_new0(uint32_t, n + 1), *n_out = g_new0(uint32_t, n + 1);
  g_autofree uint32_t *release = g_new0(uint32_t, n + 1), *deadline = g_new0(uint32_t, n + 1);
  g_autofree uint32_t *place = g_new0(uint32_t, n + 1), *best = g_new0(uint32_t, n + 1);
  Staging s = {t, from, before, n_from, n_before, n_in, n_out, release, deadline};
  for (guint e = 0; e < t->edges->len; e++) {
    n_out[pt_topology_edge(t, e).from]++;
    n_in[pt_topology_edge(t, e).to]++;
  }
  for (uint32_t k = 0; k < PLANS && least > 0; k++) {
    uint32_t misses = plan(&s, place, rng);
    if (misses >= least)
      continue;
    least = misses;
    memcpy(best, place, n * sizeof *best);
  }
  for (guint e = 0; e < t->edges->len; e++) {
    PtEdge *edge = &g_array_index(t->edges, PtEdge, e);
    *edge = (PtEdge){best[edge->from], best[edge->to]};
  }
  end_late_sinks(t, before, n_before, rng);
  pt_topology_sort(t);
}
