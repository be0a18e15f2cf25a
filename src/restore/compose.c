/* Pieces, put together: one version of each operator set, spliced, mended, held against the model.
 */
#include "restore/restore_private.h"

#include <math.h>
#include <string.h>

static void fall_back(PtOutcome *outcome, const char *why) {
  g_clear_pointer(&outcome->graph, pt_graph_unref);
  if (!outcome->why)
    outcome->why = g_strdup(why);
}

/* ---- opsets: one version of a domain's operators in one model
 * -------------------------------------- */
static const PtGraph *graph_at(const PtRestore *r, uint32_t p) {
  return r->outcomes[p].graph ? r->outcomes[p].graph : pt_place_at(r, p)->original;
}

/* The version that originals in use need; else the first answer's. */
static int64_t wanted_version(const PtRestore *r, const char *domain) {
  int64_t first = -1;
  for (guint p = 0; p < r->places->len; p++) {
    const PtGraph *graph = graph_at(r, p);
    if (pt_graph_opset(graph, domain) < 0 || !pt_graph_uses_domain(graph, domain))
      continue;
    if (!r->outcomes[p].graph)
      return pt_graph_opset(graph, domain);
    if (first < 0)
      first = pt_graph_opset(graph, domain);
  }
  return first;
}

static bool agree_on_domain(PtRestore *r, const char *domain) {
  int64_t wanted = wanted_version(r, domain);
  bool changed = false;
  for (guint p = 0; p < r->places->len; p++) {
    const PtGraph *graph = r->outcomes[p].graph;
    if (!graph || !pt_graph_uses_domain(graph, domain) || pt_graph_opset(graph, domain) == wanted)
      continue;
    g_autofree char *why =
        g_strdup_printf("it uses version %" G_GINT64_FORMAT
                        " of the operators of '%s', the others %" G_GINT64_FORMAT,
                        pt_graph_opset(graph, domain), domain[0] ? domain : "ai.onnx", wanted);
    fall_back(&r->outcomes[p], why);
    changed = true;
  }
  return changed;
}

static void agree_on_opsets(PtRestore *r) {
  g_autoptr(GPtrArray) domains = g_ptr_array_new_with_free_func(g_free);
  for (guint p = 0; p < r->places->len; p++) {
    const GArray *opsets = graph_at(r, p)->opsets;
    for (guint i = 0; i < opsets->len; i++) {
      const char *domain = g_array_index(opsets, PtOpset, i).domain;
      if (!g_ptr_array_find_with_equal_func(domains, domain, g_str_equal, NULL))
        g_ptr_array_add(domains, g_strdup(domain));
    }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (guint d = 0; d < domains->len; d++)
      changed |= agree_on_domain(r, g_ptr_array_index(domains, d));
  }
}

/* ---- putting together
 * ------------------------------------------------------------------------------ */
static PtGraph *splice_all(PtRestore *r, GError **error) {
  g_autofree PtSpliced *pieces = g_new0(PtSpliced, (gsize)r->places->len + 1);
  agree_on_opsets(r);
  for (guint p = 0; p < r->places->len; p++) {
    const PtPlace *place = pt_place_at(r, p);
    pieces[p].graph = r->outcomes[p].graph ? r->outcomes[p].graph : place->original;
    pieces[p].inputs = (const PtValueId *)(const void *)place->piece->inputs->data;
    pieces[p].outputs = (const PtValueId *)(const void *)place->piece->outputs->data;
  }
  return pt_splice(r->model, pieces, r->places->len, error);
}

/* A mended copy, or NULL where there is nothing to mend or it fails: mending only makes faster. */
static PtGraph *mend(PtRestore *r, const PtGraph *spliced, PtSeamReport *seams) {
  memset(seams, 0, sizeof *seams);
  if (r->options->no_seams || !pt_graph_uses_domain(spliced, "com.microsoft.nchwc"))
    return NULL;
  g_autoptr(PtGraph) mended = pt_graph_copy(spliced);
  if (!pt_runtime_infer_types(mended, NULL) || !pt_mend_seams(mended, seams, NULL) ||
      !pt_graph_check(mended, NULL))
    return NULL;
  return g_steal_pointer(&mended);
}

static bool check_whole(PtRestore *r, const PtGraph *graph, bool *fits, GError **error) {
  if (!pt_graph_is_random(r->model) && r->captures->len > 0)
    return pt_check_whole(r->model, graph, r->captures, r->tolerance, &r->report->difference, fits,
                          error);
  r->report->difference = NAN; /* two runs of the model itself differ, or there is none */
  g_autoptr(PtSession) session = pt_session_new(graph, NULL, error);
  *fits = session != NULL;
  return *fits;
}

/* Spliced, mended where that holds. *fits: it computes what the model does. */
static PtGraph *build(PtRestore *r, bool *fits, GError **error) {
  g_autoptr(PtGraph) spliced = splice_all(r, error);
  if (!spliced)
    return NULL;
  PtSeamReport seams;
  g_autoptr(PtGraph) mended = mend(r, spliced, &seams);
  *fits = false;
  if (mended && check_whole(r, mended, fits, NULL) && *fits) {
    r->report->seams_cancelled = seams.cancelled;
    r->report->seams_pushed = seams.pushed;
    r->report->seams_folded = seams.folded;
    return g_steal_pointer(&mended);
  }
  r->report->seams_cancelled = r->report->seams_pushed = r->report->seams_folded = 0;
  return check_whole(r, spliced, fits, error) ? g_steal_pointer(&spliced) : NULL;
}

/* The pieces agreed and the whole does not: give up those that were furthest off, twice as many
 * each time. */
static bool drop_suspicious(PtRestore *r, uint32_t count, const GError *error) {
  g_autofree char *why = g_strdup_printf(
      "the pieces agree but the whole %s%s, and this one is among those that differed most",
      error ? "does not work: " : "differs", error ? error->message : "");
  for (uint32_t dropped = 0; dropped < count; dropped++) {
    uint32_t worst = PT_NONE;
    for (guint p = 0; p < r->places->len; p++)
      if (r->outcomes[p].graph &&
          (worst == PT_NONE || r->outcomes[p].difference > r->outcomes[worst].difference))
        worst = p;
    if (worst == PT_NONE)
      return dropped > 0;
    fall_back(&r->outcomes[worst], why);
  }
  return true;
}

PtGraph *pt_compose(PtRestore *r, GError **error) {
  for (uint32_t attempt = 0, count = 1;; attempt++, count *= attempt > 3 ? 2 : 1) {
    bool fits;
    g_autoptr(GError) why = NULL;
    g_autoptr(PtGraph) graph = build(r, &fits, &why);
    if (graph && fits)
      return g_steal_pointer(&graph);
    if (drop_suspicious(r, count, why))
      continue;
    if (graph)
      g_set_error(error, PT_RESTORE_ERROR, PT_ERR_INTERNAL,
                  "the model put together from its own pieces differs by %.2g",
                  r->report->difference);
    else
      g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
  }
}
