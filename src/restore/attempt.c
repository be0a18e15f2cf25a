/* Answers, tried: read, explained, bound to a place's weights, checked in workers. */
#include "restore/restore_private.h"

#include "rebind/rebind.h"

/* What checking one piece may take. */
#define CHECK_SECONDS 120.0
#define CHECK_BYTES (UINT64_C(8) << 30)

static void step(PtRestore *r, const char *what, uint64_t total) {
  g_mutex_lock(&r->lock);
  pt_progress(&r->options->progress, what, ++r->done, total);
  g_mutex_unlock(&r->lock);
}

/* ---- answers
 * ----------------------------------------------------------------------------------------- */
static char *answer_path(const PtRestore *r, const PtSecretBucket *bucket) {
  if (r->secret->buckets->len == 1 && g_file_test(r->options->optimized, G_FILE_TEST_IS_REGULAR))
    return g_strdup(r->options->optimized); /* one piece: its file will do */
  g_autofree char *file = g_strconcat(bucket->real, ".onnx", NULL);
  return g_build_filename(r->options->optimized, file, NULL);
}

static const PtPlace *first_place(const PtRestore *r, uint32_t bucket) {
  for (guint p = 0; p < r->places->len; p++)
    if (pt_place_at(r, p)->bucket == bucket)
      return pt_place_at(r, p);
  return NULL;
}

static void read_answer(size_t b, void *data) {
  PtRestore *r = data;
  const PtPlace *place = first_place(r, (uint32_t)b);
  if (pt_bucket_of(r, (uint32_t)b)->kept) {
    r->refusals[b] = g_strdup_printf("it was not sent: %s", pt_bucket_of(r, (uint32_t)b)->kept);
    step(r, "reading answers", r->secret->buckets->len);
    return;
  }
  g_autofree char *path = answer_path(r, pt_bucket_of(r, (uint32_t)b));
  g_autoptr(GError) why = NULL;
  g_autoptr(PtGraph) answer = pt_answer_read(path, place->original, &r->policy, &why);
  if (answer) {
    g_autoptr(PtGraph) candidate = pt_place_candidate(place);
    if (!pt_rebind_explain(answer, candidate, &r->noise, &why))
      g_clear_pointer(&answer, pt_graph_unref);
  }
  if (answer)
    r->answers[b] = g_steal_pointer(&answer);
  else
    r->refusals[b] = g_strdup(why ? why->message : "no reason was given");
  step(r, "reading answers", r->secret->buckets->len);
}

void pt_attempt_answers(PtRestore *r) {
  r->answers = g_new0(PtGraph *, r->secret->buckets->len + 1);
  r->refusals = g_new0(char *, r->secret->buckets->len + 1);
  r->done = 0;
  pt_parallel_for(r->secret->buckets->len, r->options->threads, read_answer, r);
}

/* ---- binding and checking
 * ------------------------------------------------------------------------------ */
static PtGraph *bind_place(PtRestore *r, uint32_t p, GError **error) {
  const PtPlace *place = pt_place_at(r, p);
  g_autoptr(PtGraph) graph = pt_graph_copy(r->answers[place->bucket]);
  g_autofree PtBinding *bindings = g_new0(PtBinding, (gsize)place->weights->len + 1);
  for (guint i = 0; i < place->weights->len; i++) {
    const PtPlaceWeight *w = &g_array_index(place->weights, PtPlaceWeight, i);
    bindings[i] = (PtBinding){w->offset, pt_value(r->model, w->model)->constant};
  }
  if (!pt_rebind_bind(graph, bindings, place->weights->len, 1, error))
    return NULL;
  /* derivations are evaluated by now, so nothing depends on the answer's own version but its
   * operators */
  if (!r->outcomes[p].keeps_opset && pt_graph_opset(graph, "") >= 0)
    pt_graph_set_opset(graph, "", pt_graph_opset(r->model, ""));
  return g_steal_pointer(&graph);
}

typedef struct Attempt {
  PtRestore *r;
  const uint32_t *places; /* [count] */
  uint32_t count;
} Attempt;

/* Runs in a child: binds and checks, and leaves nothing behind. */
static bool check_place(size_t i, double *difference, void *data, GError **error) {
  const Attempt *attempt = data;
  PtRestore *r = attempt->r;
  const PtPlace *place = pt_place_at(r, attempt->places[i]);
  if (!r->answers[place->bucket]) {
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_REFUSED, "%s", r->refusals[place->bucket]);
    return false;
  }
  g_autoptr(PtGraph) graph = bind_place(r, attempt->places[i], error);
  return graph &&
         pt_check_piece(place, graph, r->captures, &r->seed, r->tolerance, difference, error);
}

static void check_places(Attempt *attempt) {
  PtRestore *r = attempt->r;
  g_autofree PtVerdict *verdicts = g_new0(PtVerdict, (gsize)attempt->count + 1);
  PtWorkerLimits limits = {"checking pieces", CHECK_SECONDS, CHECK_BYTES};
  pt_worker_run(attempt->count, pt_threads(r->options->threads), &limits, check_place, attempt,
                &r->options->progress, verdicts);
  for (uint32_t i = 0; i < attempt->count; i++) {
    PtOutcome *outcome = &r->outcomes[attempt->places[i]];
    g_free(outcome->why);
    outcome->difference = verdicts[i].difference;
    outcome->why = verdicts[i].ok ? NULL : g_strdup(verdicts[i].why);
  }
}

/* What passed in a child is bound here as well. */
static void bind_checked(size_t p, void *data) {
  PtRestore *r = data;
  PtOutcome *outcome = &r->outcomes[p];
  if (outcome->why)
    return;
  g_autoptr(GError) why = NULL;
  outcome->graph = bind_place(r, (uint32_t)p, &why);
  if (!outcome->graph)
    outcome->why = g_strdup(why->message);
}

/* Some tools raise the operator set's version although they use nothing new. One model has one
 * version, so an answer is first tried with the model's, and with its own only where that fails. */
void pt_attempt_places(PtRestore *r) {
  uint32_t count = r->places->len, again = 0;
  g_autofree uint32_t *places = g_new(uint32_t, (gsize)count + 1);
  r->outcomes = g_new0(PtOutcome, (gsize)count + 1);
  for (uint32_t p = 0; p < count; p++)
    places[p] = p;
  check_places(&(Attempt){r, places, count});
  for (uint32_t p = 0; p < count; p++) {
    const PtGraph *answer = r->answers[pt_place_at(r, p)->bucket];
    if (!r->outcomes[p].why || !answer || pt_graph_opset(answer, "") < 0 ||
        pt_graph_opset(answer, "") == pt_graph_opset(r->model, ""))
      continue;
    r->outcomes[p].keeps_opset = true;
    places[again++] = p;
  }
  if (again > 0)
    check_places(&(Attempt){r, places, again});
  pt_parallel_for(count, r->options->threads, bind_checked, r);
}
