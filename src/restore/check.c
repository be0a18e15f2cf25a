/* Whether a piece computes what the original does: on activations of the whole model, and near
 * them. */
#include "restore/restore_private.h"

#include "ops/ops.h"

#include <math.h>
#include <string.h>

/* Dynamic dimensions: two sizes, so that a piece with one of them baked in is found out. The first
 * pair that the model runs on is taken. */
static const int64_t sizes[][2] = {{6, 4}, {16, 24}, {32, 48}, {64, 96}, {128, 160}, {224, 256}};
#define RUNS 2
/* A second capture is not worth more memory than this. */
#define CAPTURE_BYTES (UINT64_C(96) << 20)

bool pt_graph_is_random(const PtGraph *graph) {
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++) {
    const PtNode *node = pt_node(graph, n);
    const PtOp *op = pt_op_of(node);
    if (op && (op->flags & PT_OP_RANDOM))
      return true;
    for (uint32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == PT_ATTR_GRAPH || node->attrs[a].kind == PT_ATTR_GRAPHS)
        for (uint32_t k = 0; k < node->attrs[a].count; k++)
          if (pt_graph_is_random(node->attrs[a].as.graphs[k]))
            return true;
  }
  return false;
}

/* ---- captures
 * ------------------------------------------------------------------------------------- */
static void capture_free(void *data) {
  PtCapture *capture = data;
  for (uint32_t v = 0; v < capture->n_values; v++)
    pt_array_free(capture->values[v]);
  g_free(capture->values);
  g_free(capture);
}

/* The model with every border as an output more; a copy keeps ids. */
static PtGraph *with_borders(PtGraph *model, GPtrArray *places) {
  PtGraph *graph = pt_graph_copy(model);
  g_autofree bool *is_output = g_new0(bool, (gsize)pt_graph_n_values(model) + 1);
  for (guint i = 0; i < model->outputs->len; i++)
    is_output[pt_graph_output(model, i)] = true;
  for (guint p = 0; p < places->len; p++) {
    const PtPiece *piece = ((PtPlace *)g_ptr_array_index(places, p))->piece;
    for (guint i = 0; i < piece->outputs->len; i++) {
      PtValueId v = g_array_index(piece->outputs, PtValueId, i);
      if (is_output[v])
        continue;
      is_output[v] = true;
      pt_graph_add_output(graph, v);
    }
  }
  return graph;
}

static void take(PtCapture *capture, PtValueId v, GPtrArray *arrays, guint i) {
  if (v == PT_NONE || v >= capture->n_values || capture->values[v])
    return;
  capture->values[v] = g_ptr_array_index(arrays, i);
  g_ptr_array_index(arrays, i) = NULL;
}

/* inputs (of the model, without constants) in the session's order; borrowed. */
static PtArray **order_inputs(const PtSession *session, const PtGraph *graph,
                              const PtCapture *capture, GError **error) {
  uint32_t n = pt_session_n_inputs(session);
  g_autofree PtArray **ordered = g_new0(PtArray *, (gsize)n + 1);
  for (uint32_t i = 0; i < n; i++) {
    PtValueId v = pt_graph_find(graph, pt_session_input_name(session, i));
    ordered[i] = v != PT_NONE && v < capture->n_values ? capture->values[v] : NULL;
    if (!ordered[i]) {
      g_set_error(error, PT_RESTORE_ERROR, PT_ERR_UNSUPPORTED, "there is no value for its input %s",
                  pt_session_input_name(session, i));
      return NULL;
    }
  }
  return g_steal_pointer(&ordered);
}

static PtCapture *capture_run(PtSession *session, const PtGraph *graph, const PtSeed *seed,
                              int64_t size, GError **error) {
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(graph, seed, size, error);
  if (!inputs)
    return NULL;
  PtCapture *capture = g_new0(PtCapture, 1);
  capture->n_values = pt_graph_n_values(graph);
  capture->values = g_new0(PtArray *, (gsize)capture->n_values + 1);
  guint at = 0;
  for (guint i = 0; i < graph->inputs->len; i++)
    if (!pt_value(graph, pt_graph_input(graph, i))->constant)
      take(capture, pt_graph_input(graph, i), inputs, at++);
  g_autofree PtArray **ordered = order_inputs(session, graph, capture, error);
  g_autoptr(GPtrArray) outputs = ordered ? pt_session_run(session, ordered, error) : NULL;
  for (guint i = 0; outputs && i < outputs->len; i++)
    take(capture, pt_graph_find(graph, pt_session_output_name(session, i)), outputs, i);
  if (!outputs)
    g_clear_pointer(&capture, capture_free);
  return capture;
}

static uint64_t capture_bytes(const PtCapture *capture) {
  uint64_t bytes = 0;
  for (uint32_t v = 0; v < capture->n_values; v++)
    bytes += capture->values[v] ? capture->values[v]->size : 0;
  return bytes;
}

static GPtrArray *capture_all(PtSession *session, const PtGraph *graph, const PtSeed *seed,
                              const int64_t *two, GError **error) {
  g_autoptr(GPtrArray) captures = g_ptr_array_new_with_free_func(capture_free);
  for (uint32_t r = 0; r < RUNS; r++) {
    PtSeed mine = pt_seed_derive(seed, "capture", r);
    PtCapture *capture = capture_run(session, graph, &mine, two[r], error);
    if (!capture)
      return NULL;
    g_ptr_array_add(captures, capture);
    if (capture_bytes(capture) > CAPTURE_BYTES)
      break;
  }
  return g_steal_pointer(&captures);
}

GPtrArray *pt_captures_new(PtGraph *model, GPtrArray *places, const PtSeed *seed, GError **error) {
  g_autoptr(PtGraph) graph = with_borders(model, places);
  g_autoptr(PtSession) session = pt_session_new(graph, NULL, error);
  if (!session)
    return NULL;
  for (size_t s = 0; s < G_N_ELEMENTS(sizes); s++) {
    GPtrArray *captures = capture_all(session, graph, seed, sizes[s], NULL);
    if (captures)
      return captures;
  }
  /* wants inputs that no generator knows: pieces are checked on random inputs of their own */
  return g_ptr_array_new_with_free_func(capture_free);
}

/* ---- perturbation
 * --------------------------------------------------------------------------------- */
/* Floats that are whole numbers throughout are masks, indices or sizes; those that are never
 * negative stay so. */
typedef struct Habit {
  bool whole, positive;
  double scale; /* mean magnitude of moderate elements */
} Habit;

static Habit habit_of(const float *x, size_t count) {
  Habit habit = {true, true, 0};
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    habit.whole &= x[i] == floorf(x[i]);
    habit.positive &= x[i] >= 0;
    if (fabsf(x[i]) < 1e6f) {
      habit.scale += fabs((double)x[i]);
      n++;
    }
  }
  habit.scale /= n ? (double)n : 1;
  return habit;
}

static PtArray *perturbed(const PtArray *array, PtRng *rng, bool *changed) {
  PtArray *copy = pt_array_new(array->dtype, array->rank, array->dims);
  if (!copy)
    return NULL;
  if (array->size)
    memcpy(copy->data, array->data, array->size);
  if (array->dtype != PT_FLOAT)
    return copy;
  float *x = copy->data;
  Habit habit = habit_of(x, copy->count);
  if (habit.whole)
    return copy;
  *changed = true;
  for (size_t i = 0; i < copy->count; i++) {
    if (!(fabsf(x[i]) < 1e6f))
      continue;
    double y = x[i] * (1 + 0.2 * pt_rng_normal(rng)) + 0.2 * habit.scale * pt_rng_normal(rng);
    x[i] = (float)(habit.positive ? fabs(y) : y);
  }
  return copy;
}

/* ---- one piece
 * ------------------------------------------------------------------------------------ */
static bool refused(GError **error, const char *what, const GError *why) {
  g_set_error(error, PT_RESTORE_ERROR, PT_ERR_REFUSED, "%s%s%s", what, why ? ": " : "",
              why ? why->message : "");
  return false;
}

/* The arrays of the graph's inputs, in the session's order; borrowed. */
static PtArray **piece_inputs(const PtSession *session, const PtGraph *graph,
                              PtArray *const *arrays) {
  uint32_t n = pt_session_n_inputs(session);
  PtArray **ordered = g_new0(PtArray *, (gsize)n + 1);
  for (uint32_t i = 0; i < n; i++)
    for (guint k = 0; k < graph->inputs->len && !ordered[i]; k++)
      if (g_str_equal(pt_value(graph, pt_graph_input(graph, k))->name,
                      pt_session_input_name(session, i)))
        ordered[i] = arrays[k];
  return ordered;
}

/* out[graph outputs], borrowed from `all`, which the caller frees. */
static PtArray **run_piece(PtSession *session, const PtGraph *graph, PtArray *const *arrays,
                           GPtrArray **all, GError **error) {
  g_autofree PtArray **ordered = piece_inputs(session, graph, arrays);
  *all = pt_session_run(session, ordered, error);
  if (!*all)
    return NULL;
  PtArray **out = g_new0(PtArray *, (gsize)graph->outputs->len + 1);
  for (guint k = 0; k < graph->outputs->len; k++)
    for (uint32_t i = 0; i < (*all)->len && !out[k]; i++)
      if (g_str_equal(pt_value(graph, pt_graph_output(graph, k))->name,
                      pt_session_output_name(session, i)))
        out[k] = g_ptr_array_index(*all, i);
  return out;
}

static bool compare_piece(PtArray *const *want, PtArray *const *have, guint count, double tolerance,
                          double *difference, GError **error) {
  for (guint k = 0; k < count; k++) {
    if (!have[k])
      return refused(error, "an output is missing or no tensor", NULL);
    double d = pt_array_difference(want[k], have[k]);
    *difference = MAX(*difference, d);
    if (d <= tolerance)
      continue;
    g_set_error(error, PT_RESTORE_ERROR, PT_ERR_REFUSED,
                "it computes something else: output %u differs by %.2g of the largest magnitude, "
                "%.2g is allowed",
                k, d, tolerance);
    return false;
  }
  return true;
}

static bool check_captured(PtSession *session, const PtPlace *place, const PtGraph *optimized,
                           const PtCapture *capture, double tolerance, double *difference,
                           GError **error) {
  const PtPiece *piece = place->piece;
  g_autofree PtArray **in = g_new0(PtArray *, (gsize)piece->inputs->len + 1);
  g_autofree PtArray **want = g_new0(PtArray *, (gsize)piece->outputs->len + 1);
  for (guint i = 0; i < piece->inputs->len; i++)
    in[i] = capture->values[g_array_index(piece->inputs, PtValueId, i)];
  for (guint i = 0; i < piece->outputs->len; i++) {
    want[i] = capture->values[g_array_index(piece->outputs, PtValueId, i)];
    if (!want[i])
      return refused(error, "the piece's output is no tensor of numbers, so it cannot be checked",
                     NULL);
  }
  g_autoptr(GPtrArray) all = NULL;
  g_autoptr(GError) why = NULL;
  g_autofree PtArray **have = run_piece(session, optimized, in, &all, &why);
  if (!have)
    return refused(error, "it does not run", why);
  return compare_piece(want, have, piece->outputs->len, tolerance, difference, error);
}

static void array_free(void *array) {
  pt_array_free(array);
}

/* Both on the same inputs (GPtrArray of PtArray, in the order of the piece's). *ran: the original
 * did. */
static bool check_against_original(PtSession *session, const PtPlace *place,
                                   const PtGraph *optimized, GPtrArray *in, double tolerance,
                                   bool *ran, double *difference, GError **error) {
  g_autoptr(PtSession) reference = pt_session_new(place->original, NULL, NULL);
  g_autoptr(GPtrArray) all_want = NULL, all_have = NULL;
  g_autofree PtArray **want =
      reference ? run_piece(reference, place->original, (PtArray **)in->pdata, &all_want, NULL)
                : NULL;
  *ran = want != NULL;
  if (!want) /* nothing to hold against */
    return true;
  for (guint k = 0; k < place->piece->outputs->len; k++)
    if (!want[k])
      return refused(error, "the piece's output is no tensor of numbers, so it cannot be checked",
                     NULL);
  g_autoptr(GError) why = NULL;
  g_autofree PtArray **have = run_piece(session, optimized, (PtArray **)in->pdata, &all_have, &why);
  if (!have)
    return refused(error, "it does not run on what the original runs on", why);
  return compare_piece(want, have, place->piece->outputs->len, tolerance, difference, error);
}

static bool check_perturbed(PtSession *session, const PtPlace *place, const PtGraph *optimized,
                            const PtCapture *capture, const PtSeed *seed, double tolerance,
                            double *difference, GError **error) {
  const PtPiece *piece = place->piece;
  g_autoptr(GPtrArray) in = g_ptr_array_new_with_free_func(array_free);
  g_autoptr(PtRng) rng = pt_rng_new(seed, "perturb", place->bucket);
  bool changed = false;
  for (guint i = 0; i < piece->inputs->len; i++) {
    const PtArray *array = capture->values[g_array_index(piece->inputs, PtValueId, i)];
    PtArray *copy = array ? perturbed(array, rng, &changed) : NULL;
    if (!copy)
      return true;
    g_ptr_array_add(in, copy);
  }
  if (!changed)
    return true;
  bool ran;
  return check_against_original(session, place, optimized, in, tolerance, &ran, difference, error);
}

/* Where the model itself does not run on random inputs, its pieces may. */
static bool check_random(PtSession *session, const PtPlace *place, const PtGraph *optimized,
                         const PtSeed *seed, double tolerance, double *difference, GError **error) {
  for (size_t s = 0; s < G_N_ELEMENTS(sizes); s++) {
    bool ran = true;
    for (uint32_t r = 0; r < RUNS && ran; r++) {
      PtSeed mine = pt_seed_derive(seed, "piece", r);
      g_autoptr(GPtrArray) in = pt_runtime_random_inputs(place->original, &mine, sizes[s][r], NULL);
      ran = in != NULL;
      if (ran && !check_against_original(session, place, optimized, in, tolerance, &ran, difference,
                                         error))
        return false;
    }
    if (ran)
      return true;
  }
  return refused(error,
                 "neither the model nor the piece runs on random inputs, so it cannot be checked",
                 NULL);
}

bool pt_check_piece(const PtPlace *place, const PtGraph *optimized, GPtrArray *captures,
                    const PtSeed *seed, double tolerance, double *difference, GError **error) {
  *difference = 0;
  tolerance = pt_tolerance(tolerance, place->original);
  if (pt_graph_is_random(place->original))
    return refused(error, "the piece draws random numbers, so it cannot be checked", NULL);
  g_autoptr(GError) why = NULL;
  g_autoptr(PtSession) session = pt_session_new(optimized, NULL, &why);
  if (!session)
    return refused(error, "it does not load", why);
  if (captures->len == 0)
    return check_random(session, place, optimized, seed, tolerance, difference, error);
  for (guint r = 0; r < captures->len; r++)
    if (!check_captured(session, place, optimized, g_ptr_array_index(captures, r), tolerance,
                        difference, error))
      return false;
  return check_perturbed(session, place, optimized, g_ptr_array_index(captures, 0), seed, tolerance,
                         difference, error);
}

/* ---- the whole
 * ------------------------------------------------------------------------------------ */
bool pt_check_whole(const PtGraph *model, const PtGraph *graph, GPtrArray *captures,
                    double tolerance, double *difference, bool *fits, GError **error) {
  *difference = 0;
  *fits = true;
  tolerance = pt_tolerance(tolerance, model);
  g_autoptr(PtSession) session = pt_session_new(graph, NULL, error);
  if (!session)
    return false;
  for (guint r = 0; r < captures->len; r++) {
    const PtCapture *capture = g_ptr_array_index(captures, r);
    g_autofree PtArray **in = order_inputs(session, model, capture, error);
    g_autoptr(GPtrArray) out = in ? pt_session_run(session, in, error) : NULL;
    if (!out)
      return false;
    for (guint i = 0; i < out->len; i++) {
      PtValueId v = pt_graph_find(model, pt_session_output_name(session, i));
      const PtArray *want = v == PT_NONE ? NULL : capture->values[v];
      const PtArray *have = g_ptr_array_index(out, i);
      double d = pt_array_difference(want, have);
      *difference = MAX(*difference, d);
      *fits &= d <= tolerance;
    }
  }
  return true;
}
