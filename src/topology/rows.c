/* rows: graphs as the sequences that GraphRNN learns, and back. */
#include "topology/graphrnn.h"

#include <math.h>
#include <string.h>

PtRows *pt_rows_new(uint32_t n, uint32_t look_back) {
  PtRows *r = g_new0(PtRows, 1);
  r->n = n;
  r->look_back = look_back;
  r->symbol = g_malloc0(pt_size_add(pt_size_mul(n, look_back), 1));
  r->degree = g_new0(uint16_t, 2 * (size_t)n + 1);
  return r;
}

void pt_rows_free(PtRows *rows) {
  if (!rows)
    return;
  g_free(rows->symbol);
  g_free(rows->degree);
  g_free(rows);
}

/* A source to begin a component with: a random one of all that are left. */
static uint32_t begin_at(const PtTopology *t, const bool *has_input, const bool *seen, PtRng *rng) {
  uint32_t found = 0, best = 0;
  for (uint32_t i = 0; i < t->n; i++)
    if (!seen[i] && !has_input[i] && pt_rng_below(rng, ++found) == 0)
      best = i;
  return best;
}

void pt_breadth_first(const PtTopology *t, const PtAdjacency *a, PtRng *rng, uint32_t *order) {
  g_autofree bool *seen = g_new0(bool, t->n + 1), *has_input = g_new0(bool, t->n + 1);
  for (uint32_t i = 0; i < t->edges->len; i++)
    has_input[pt_topology_edge(t, i).to] = true;
  uint32_t placed = 0, next = 0;
  while (placed < t->n) {
    if (next == placed) { /* of a component without a source there is none in a DAG */
      uint32_t i = begin_at(t, has_input, seen, rng);
      seen[i] = true;
      order[placed++] = i;
    }
    uint32_t i = order[next++], from = placed;
    for (uint32_t e = a->start[i]; e < a->start[i + 1]; e++)
      if (!seen[a->to[e]]) {
        seen[a->to[e]] = true;
        order[placed++] = a->to[e];
      }
    pt_rng_shuffle(rng, order + from, placed - from, sizeof *order);
  }
}

PtRows *pt_rows_of(const PtTopology *t, PtRng *rng, uint32_t look_back) {
  g_autoptr(PtAdjacency) a = pt_adjacency_new(t);
  g_autofree uint32_t *order = g_new(uint32_t, t->n + 1), *place = g_new(uint32_t, t->n + 1);
  pt_breadth_first(t, a, rng, order);
  for (uint32_t i = 0; i < t->n; i++)
    place[order[i]] = i;
  PtRows *rows = pt_rows_new(t->n, look_back);
  for (uint32_t i = 0; i < t->edges->len; i++) {
    uint32_t from = place[pt_topology_edge(t, i).from], to = place[pt_topology_edge(t, i).to];
    uint32_t early = MIN(from, to), late = MAX(from, to), back = late - early - 1;
    if (back < look_back)
      pt_rows_at(rows, late)[back] = from == early ? PT_EDGE_FORWARD : PT_EDGE_BACKWARD;
  }
  return rows;
}

static void count_reach(const PtTopology *t, PtRng *rng, GArray *count, uint64_t *edges) {
  g_autoptr(PtAdjacency) a = pt_adjacency_new(t);
  g_autofree uint32_t *order = g_new(uint32_t, t->n + 1), *place = g_new(uint32_t, t->n + 1);
  pt_breadth_first(t, a, rng, order);
  for (uint32_t i = 0; i < t->n; i++)
    place[order[i]] = i;
  for (uint32_t i = 0; i < t->edges->len; i++) {
    uint32_t x = place[pt_topology_edge(t, i).from], y = place[pt_topology_edge(t, i).to];
    uint32_t reach = MAX(x, y) - MIN(x, y);
    if (reach >= count->len)
      g_array_set_size(count, reach + 1);
    g_array_index(count, uint64_t, reach)++;
    ++*edges;
  }
}

uint32_t pt_look_back(const GPtrArray *topologies, PtRng *rng) {
  g_autoptr(GArray) count = g_array_new(FALSE, TRUE, sizeof(uint64_t));
  uint64_t edges = 0, held = 0;
  for (guint i = 0; i < topologies->len; i++)
    for (int times = 0; times < 4; times++)
      count_reach(topologies->pdata[i], rng, count, &edges);
  for (uint32_t reach = 0; reach < count->len; reach++) {
    held += g_array_index(count, uint64_t, reach);
    if (held >= edges - edges / 1000)
      return MAX(reach, 1);
  }
  return 1;
}

PtTopology *pt_rows_undirected(const PtRows *rows) {
  PtTopology *t = pt_topology_new(rows->n);
  for (uint32_t i = 0; i < rows->n; i++)
    for (uint32_t k = 0; k < rows->look_back && k < i; k++)
      if (pt_rows_at(rows, i)[k] != PT_EDGE_NONE)
        pt_topology_add(t, i - 1 - k, i);
  pt_topology_sort(t);
  return t;
}

/* Numbers for a topological order, the earliest row that is free first. */
static void number_rows(const PtRows *rows, uint32_t *number) {
  g_autofree uint32_t *left = g_new0(uint32_t, rows->n + 1);
  g_autoptr(PtTopology) all = pt_rows_undirected(rows);
  g_autoptr(PtAdjacency) a = pt_adjacency_new(all);
  memset(number, 0xFF, rows->n * sizeof *number);
  for (uint32_t i = 0; i < all->edges->len; i++) {
    PtEdge e = pt_topology_edge(all, i);
    bool forward = pt_rows_at(rows, e.to)[e.to - e.from - 1] == PT_EDGE_FORWARD;
    left[forward ? e.to : e.from]++;
  }
  for (uint32_t placed = 0; placed < rows->n; placed++) {
    uint32_t i = 0;
    while (i < rows->n && (number[i] != UINT32_MAX || left[i] > 0))
      i++;
    g_return_if_fail(i < rows->n); /* a cycle */
    number[i] = placed;
    for (uint32_t e = a->start[i]; e < a->start[i + 1]; e++) {
      uint32_t j = a->to[e], early = MIN(i, j), late = MAX(i, j);
      bool forward = pt_rows_at(rows, late)[late - early - 1] == PT_EDGE_FORWARD;
      if (forward == (i == early))
        left[j]--;
    }
  }
}

PtTopology *pt_rows_directed(const PtRows *rows) {
  g_autofree uint32_t *number = g_new(uint32_t, rows->n + 1);
  number_rows(rows, number);
  PtTopology *t = pt_topology_new(rows->n);
  for (uint32_t i = 0; i < rows->n; i++)
    for (uint32_t k = 0; k < rows->look_back && k < i; k++)
      if (pt_rows_at(rows, i)[k] != PT_EDGE_NONE)
        pt_topology_add(t, number[i], number[i - 1 - k]);
  pt_topology_sort(t);
  return t;
}

void pt_row_input(const PtRows *rows, uint32_t i, float *out) {
  const uint8_t *row = pt_rows_at(rows, i);
  for (uint32_t k = 0; k < rows->look_back; k++) {
    out[2 * (size_t)k] = row[k] == PT_EDGE_FORWARD;
    out[2 * (size_t)k + 1] = row[k] == PT_EDGE_BACKWARD;
  }
  float *place = out + 2 * (size_t)rows->look_back, n = (float)rows->n;
  place[0] = log2f(n) / 4;
  place[1] = (float)i / n;
  place[2] = 4 / (4 + (float)(rows->n - i)); /* how near the end is */
}

void pt_rows_count(PtRows *rows, uint32_t i, int by) {
  for (uint32_t k = 0; k < rows->look_back && k < i; k++) {
    uint8_t symbol = pt_rows_at(rows, i)[k];
    if (symbol == PT_EDGE_NONE)
      continue;
    uint32_t from = symbol == PT_EDGE_FORWARD ? i - 1 - k : i;
    uint32_t to = symbol == PT_EDGE_FORWARD ? i : i - 1 - k;
    rows->degree[2 * (size_t)to] = (uint16_t)(rows->degree[2 * (size_t)to] + by);
    rows->degree[2 * (size_t)from + 1] = (uint16_t)(rows->degree[2 * (size_t)from + 1] + by);
  }
}

void pt_edge_input(const PtRows *rows, uint32_t i, uint32_t k, float *out) {
  const uint8_t *row = pt_rows_at(rows, i);
  const uint16_t *degree = rows->degree + 2 * (size_t)(i - 1 - k);
  out[0] = k == 0;
  out[1] = k > 0 && row[k - 1] == PT_EDGE_FORWARD;
  out[2] = k > 0 && row[k - 1] == PT_EDGE_BACKWARD;
  out[3] = (float)MIN(degree[0], 4) / 2;
  out[4] = (float)MIN(degree[1], 4) / 2;
  out[5] = degree[0] + degree[1] == 0;
}
