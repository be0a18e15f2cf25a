/* quiz.c: the paper's questionnaire (5.3.3): graphs of which half are real. */
#include "audit/audit_private.h"

#include "onnx/onnx.h"

#define ITEMS 20
#define MOST_NODES 24
#define LEAST_NODES 6
#define MODELS 10 /* that the graphs are of */

void pt_quiz_item_free(void *data) {
  PtQuizItem *item = data;
  if (!item)
    return;
  pt_graph_unref(item->graph);
  g_free(item);
}

static PtGraph *read_candidate(const char *bundle, const char *id) {
  g_autofree char *name = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(bundle, name, NULL);
  PtOnnxReadOptions options = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  g_autoptr(PtGraph) g = pt_onnx_read(path, &options, NULL);
  return g && pt_sight_types(g, NULL) ? g_steal_pointer(&g) : NULL;
}

/* A real piece and, of another bucket, a sentinel: of one bucket they would be compared. */
static bool add_pair(GPtrArray *items, const PtCase *c, const char *bundle, GPtrArray *ids,
                     PtRng *rng) {
  g_autofree uint32_t *order = g_new(uint32_t, (gsize)c->n_buckets + 1);
  for (uint32_t b = 0; b < c->n_buckets; b++)
    order[b] = b;
  pt_rng_shuffle(rng, order, c->n_buckets, sizeof *order);
  uint32_t found = 0;
  for (uint32_t i = 0; i < c->n_buckets && found < 2; i++) {
    uint32_t b = order[i], n = c->buckets[b].n, at = c->real[b];
    if (found)
      at = (at + 1 + (uint32_t)pt_rng_below(rng, n - 1)) % n;
    const PtSight *s = pt_case_sight(c, b, at);
    if (s->n < LEAST_NODES || s->n > MOST_NODES)
      continue;
    PtGraph *g = read_candidate(bundle, ids->pdata[c->buckets[b].first + at]);
    if (!g)
      continue;
    PtQuizItem *item = g_new(PtQuizItem, 1);
    *item = (PtQuizItem){g, found == 0};
    g_ptr_array_add(items, item);
    found++;
  }
  if (found == 1)
    g_ptr_array_set_size(items, (gint)items->len - 1);
  return found == 2;
}

GPtrArray *pt_audit_quiz(const PtAuditOptions *o, const char *text, GError **error) {
  g_autofree char *temporary = NULL;
  g_autoptr(PtLab) lab = pt_audit_lab(o, &temporary, error);
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(pt_quiz_item_free);
  PtSeed seed;
  pt_seed_init(&seed, text);
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "quiz", 0);
  uint32_t n = lab ? lab->names->len : 0, tried = 0;
  g_autofree uint32_t *order = g_new(uint32_t, (gsize)n + 1);
  for (uint32_t m = 0; m < n; m++)
    order[m] = m;
  pt_rng_shuffle(rng, order, n, sizeof *order);
  bool ok = lab != NULL;
  for (; ok && items->len < ITEMS && tried < 3 * n; tried++) {
    uint32_t m = order[tried % MIN(n, MODELS + tried / MODELS)];
    PtRunOptions run = {.model = m, .k = 5, .mode = o->mode ? o->mode : "walk", .shipped = true};
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    pt_progress(&o->progress, "drawing lots", items->len, ITEMS);
    g_autofree char *bundle = NULL;
    g_autoptr(PtCase) c = pt_lab_case_ids(lab, &run, &bundle, ids, error);
    ok = c != NULL;
    if (ok)
      (void)add_pair(items, c, bundle, ids, rng);
  }
  pt_rng_shuffle(rng, items->pdata, items->len, sizeof *items->pdata);
  if (temporary)
    pt_dir_remove(temporary);
  if (ok && items->len < ITEMS) {
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_INPUT,
                "%s has too few models with pieces of %d to %d nodes for a quiz", o->corpus,
                LEAST_NODES, MOST_NODES);
    ok = false;
  }
  return ok ? g_steal_pointer(&items) : NULL;
}
