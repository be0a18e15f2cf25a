/* verify.c: whether two model files compute the same (pt_verify of the public API). */
#include "onnx/onnx.h"
#include "proteus/proteus.h"
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

typedef struct {
  PtGraph *graph; /* of a: the types of its inputs, and what they are for */
  PtSession *a, *b;
  PtSeed seed;
  double tolerance;
} Verify;

/* Dynamic dimensions take two sizes; larger ones are tried where a model cannot run on small ones.
 */
static const int64_t sizes[][2] = {{5, 8}, {16, 24}, {32, 48}, {64, 96}, {128, 160}, {224, 256}};

static bool types_agree(const PtType *x, const PtType *y) {
  if (x->kind != y->kind)
    return false;
  if (x->kind != PT_TYPE_TENSOR)
    return true;
  if (x->dtype != y->dtype)
    return false;
  if (x->rank < 0 || y->rank < 0)
    return true;
  if (x->rank != y->rank)
    return false;
  for (int32_t i = 0; i < x->rank; i++)
    if (x->dims[i].size >= 0 && y->dims[i].size >= 0 && x->dims[i].size != y->dims[i].size)
      return false;
  return true;
}

/* NULL if the interfaces are the same, else how they differ; caller frees. */
static char *interface_gap(const Verify *v, GError **error) {
  uint32_t in = pt_session_n_inputs(v->a), out = pt_session_n_outputs(v->a);
  if (in != pt_session_n_inputs(v->b))
    return g_strdup_printf("%u inputs against %u", in, pt_session_n_inputs(v->b));
  if (out != pt_session_n_outputs(v->b))
    return g_strdup_printf("%u outputs against %u", out, pt_session_n_outputs(v->b));
  g_autoptr(PtGraph) scratch = pt_graph_new();
  for (uint32_t i = 0; i < in + out; i++) {
    bool is_input = i < in;
    uint32_t j = is_input ? i : i - in;
    const char *what = is_input ? "input" : "output";
    const char *name = is_input ? pt_session_input_name(v->a, j) : pt_session_output_name(v->a, j);
    const char *other = is_input ? pt_session_input_name(v->b, j) : pt_session_output_name(v->b, j);
    if (!g_str_equal(name, other))
      return g_strdup_printf("%s %u is %s against %s", what, j, name, other);
    PtType x, y;
    bool ok = is_input ? pt_session_input_type(v->a, j, scratch, &x, error) &&
                             pt_session_input_type(v->b, j, scratch, &y, error)
                       : pt_session_output_type(v->a, j, scratch, &x, error) &&
                             pt_session_output_type(v->b, j, scratch, &y, error);
    if (!ok)
      return NULL;
    if (!types_agree(&x, &y)) {
      g_autofree char *left = pt_type_text(&x), *right = pt_type_text(&y);
      return g_strdup_printf("%s %s is %s against %s", what, name, left, right);
    }
  }
  return NULL;
}

static void compare(const Verify *v, const GPtrArray *x, const GPtrArray *y,
                    PtVerifyReport *report) {
  for (guint i = 0; i < x->len; i++) {
    double difference = pt_array_difference(x->pdata[i], y->pdata[i]);
    if (difference > report->difference || !report->worst) {
      report->difference = MAX(difference, report->difference);
      g_free(report->worst);
      report->worst = g_strdup(pt_session_output_name(v->a, i));
    }
  }
}

/* One pair of runs. False with *error: a does not run on this size. What b fails at is an answer:
 * not equal. */
static bool one_run(const Verify *v, uint32_t index, int64_t size, PtVerifyReport *report,
                    GError **error) {
  PtSeed seed = pt_seed_derive(&v->seed, "verify", index);
  g_autoptr(GPtrArray) inputs = pt_runtime_random_inputs(v->graph, &seed, size, error);
  g_autofree PtArray **ordered =
      inputs ? pt_session_order_inputs(v->a, v->graph, inputs, error) : NULL;
  if (!ordered)
    return false;
  g_autoptr(GPtrArray) x = pt_session_run(v->a, ordered, error);
  if (!x)
    return false;
  g_autoptr(GError) why = NULL;
  g_autoptr(GPtrArray) y = pt_session_run(v->b, ordered, &why);
  report->runs++;
  if (!y) {
    report->difference = INFINITY;
    g_free(report->worst);
    report->worst = g_strdup_printf("the second model does not run: %s", why->message);
    return true;
  }
  compare(v, x, y, report);
  return true;
}

static bool run_all(const Verify *v, uint32_t runs, PtVerifyReport *report, GError **error) {
  g_autoptr(GError) first = NULL;
  for (size_t s = 0; s < G_N_ELEMENTS(sizes); s++) {
    GError *why = NULL;
    uint32_t done = 0;
    while (done < runs && one_run(v, done, sizes[s][done % 2], report, &why))
      done++;
    if (done == runs) {
      g_clear_error(&why);
      return true;
    }
    pt_verify_report_clear(report);
    if (!first)
      first = why;
    else
      g_error_free(why);
  }
  g_propagate_error(error, g_steal_pointer(&first));
  return false;
}

bool pt_verify(const char *a, const char *b, uint32_t runs, const char *seed, double tolerance,
               PtVerifyReport *report, GError **error) {
  memset(report, 0, sizeof *report);
  /* The files go to ONNX Runtime as they are, so that a fault of our own reader and writer shows;
   * our reader only says what the inputs are for. */
  Verify v = {.tolerance = tolerance > 0 ? tolerance : 1e-4};
  PtSessionOptions options = {.level = PT_LEVEL_NONE};
  pt_seed_init(&v.seed, seed ? seed : "verify");
  bool ok = (v.graph = pt_onnx_read(a, NULL, error)) != NULL &&
            (v.a = pt_session_new_file(a, &options, error)) != NULL &&
            (v.b = pt_session_new_file(b, &options, error)) != NULL;
  GError *inner = NULL;
  char *gap = ok ? interface_gap(&v, &inner) : NULL;
  if (inner) {
    g_propagate_error(error, inner);
    ok = false;
  }
  if (ok && gap) {
    report->difference = INFINITY;
    report->worst = g_steal_pointer(&gap);
  } else if (ok) {
    ok = run_all(&v, runs ? runs : 3, report, error);
    report->outputs = pt_session_n_outputs(v.a);
    report->equal = ok && report->difference <= v.tolerance;
  }
  if (ok && !report->worst)
    report->worst = g_strdup("");
  g_free(gap);
  pt_session_free(v.b);
  pt_session_free(v.a);
  if (v.graph)
    pt_graph_unref(v.graph);
  return ok;
}

void pt_verify_report_clear(PtVerifyReport *report) {
  g_free(report->worst);
  memset(report, 0, sizeof *report);
}
