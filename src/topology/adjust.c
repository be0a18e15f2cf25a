/* adjust: a shape and the number of inputs and outputs of an interface. */
#include "topology/topology.h"

#include <string.h>

typedef struct Degrees {
  uint32_t *in, *out; /* [n] */
} Degrees;

static Degrees degrees_new(const PtTopology *t) {
  Degrees d = {g_new0(uint32_t, t->n + 1), g_new0(uint32_t, t->n + 1)};
  for (uint32_t i = 0; i < t->edges->len; i++) {
    d.out[pt_topology_edge(t, i).from]++;
    d.in[pt_topology_edge(t, i).to]++;
  }
  return d;
}

static void connect(PtTopology *t, Degrees *d, uint32_t from, uint32_t to) {
  pt_topology_add(t, from, to);
  d->out[from]++;
  d->in[to]++;
}

/* Any of the marked; t->n: none is. */
static uint32_t pick(const PtTopology *t, const double *odds, PtRng *rng) {
  return (uint32_t)pt_rng_weighted(rng, odds, t->n);
}

/* A node that nobody reads, but not the last: a later one reads it, one that reads at most one
 * other if there is such, and rather a near one. Then there is one sink less. */
static void end_sink(PtTopology *t, Degrees *d, double *odds, PtRng *rng) {
  memset(odds, 0, t->n * sizeof *odds);
  uint32_t last = t->n;
  for (uint32_t i = 0; i < t->n; i++)
    if (d->out[i] == 0) {
      odds[i] = 1;
      last = i;
    }
  odds[last] = 0;
  uint32_t sink = pick(t, odds, rng);
  memset(odds, 0, t->n * sizeof *odds);
  for (uint32_t i = sink + 1; i < t->n; i++)
    odds[i] = (d->in[i] < 2 ? 1 : 1e-4) / (i - sink);
  connect(t, d, sink, pick(t, odds, rng));
}

/* A node that reads nothing, but not the first: it reads an earlier one. */
static void end_source(PtTopology *t, Degrees *d, double *odds, PtRng *rng) {
  memset(odds, 0, t->n * sizeof *odds);
  for (uint32_t i = 1; i < t->n; i++)
    odds[i] = d->in[i] == 0;
  uint32_t source = pick(t, odds, rng);
  memset(odds, 0, t->n * sizeof *odds);
  for (uint32_t i = 0; i < source; i++) /* rather one that nobody reads: one sink less as well */
    odds[i] = (d->out[i] == 0 ? 4 : 1.0 / d->out[i]) / (source - i);
  connect(t, d, pick(t, odds, rng), source);
}

void pt_topology_adjust(PtTopology *topology, uint32_t n_outputs, uint32_t max_sources,
                        PtRng *rng) {
  Degrees d = degrees_new(topology);
  g_autofree double *odds = g_new0(double, topology->n + 1);
  uint32_t sources = pt_topology_sources(topology);
  for (; sources > MAX(max_sources, 1); sources--)
    end_source(topology, &d, odds, rng);
  uint32_t sinks = 0;
  for (uint32_t i = 0; i < topology->n; i++)
    sinks += d.out[i] == 0;
  for (; sinks > MAX(n_outputs, 1); sinks--)
    end_sink(topology, &d, odds, rng);
  pt_topology_sort(topology);
  g_free(d.in);
  g_free(d.out);
}
