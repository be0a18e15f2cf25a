/* verify.c: whether two model files compute the same (pt_verify of the public API). */
#include "onnx/onnx.h"
#include "proteus/proteus.h"
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

/* One of the two models. Only one is open at a time: two copies of the weights would be the larger
 * part of the memory. */
typedef struct {
  PtSession *session;
  GPtrArray *names; /* inputs, then outputs; owned strings */
  GArray *types;    /* PtType of each, in the arena of Verify.scratch */
  uint32_t n_inputs;
} Side;

/* One set of inputs and what the first model makes of it. */
typedef struct {
  GPtrArray *inputs, *outputs; /* PtArray, owned */
  PtArray **ordered;           /* inputs in the session's order */
} Run;

typedef struct {
  PtGraph *graph;   /* of a: the types of its inputs, and what they are for */
  PtGraph *scratch; /* owns the types of both sides */
  Side a, b;
  Run *runs; /* [n_runs] */
  uint32_t n_runs;
  PtSeed seed;
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

static bool open_side(Verify *v, Side *side, const char *path, GError **error) {
  PtSessionOptions options = {.level = PT_LEVEL_NONE};
  /* The files go to ONNX Runtime as they are, so that a fault of our own reader and writer shows.
   */
  side->session = pt_session_new_file(path, &options, error);
  if (!side->session)
    return false;
  side->n_inputs = pt_session_n_inputs(side->session);
  side->names = g_ptr_array_new_with_free_func(g_free);
  side->types = g_array_new(FALSE, TRUE, sizeof(PtType));
  uint32_t total = side->n_inputs + pt_session_n_outputs(side->session);
  for (uint32_t i = 0; i < total; i++) {
    bool is_input = i < side->n_inputs;
    uint32_t j = is_input ? i : i - side->n_inputs;
    PtType type;
    if (!(is_input ? pt_session_input_type : pt_session_output_type)(side->session, j, v->scratch,
                                                                     &type, error))
      return false;
    g_ptr_array_add(side->names, g_strdup((is_input ? pt_session_input_name
                                                    : pt_session_output_name)(side->session, j)));
    g_array_append_val(side->types, type);
  }
  return true;
}

static void close_side(Side *side) {
  pt_session_free(side->session);
  side->session = NULL;
}

static void clear_side(Side *side) {
  close_side(side);
  if (side->names)
    g_ptr_array_unref(side->names);
  if (side->types)
    g_array_unref(side->types);
}

/* NULL if the interfaces are the same, else how they differ; caller frees. */
static char *interface_gap(const Side *a, const Side *b) {
  uint32_t out_a = a->names->len - a->n_inputs, out_b = b->names->len - b->n_inputs;
  if (a->n_inputs != b->n_inputs)
    return g_strdup_printf("%u inputs against %u", a->n_inputs, b->n_inputs);
  if (out_a != out_b)
    return g_strdup_printf("%u outputs against %u", out_a, out_b);
  for (uint32_t i = 0; i < a->names->len; i++) {
    const char *what = i < a->n_inputs ? "input" : "output";
    const char *name = a->names->pdata[i], *other = b->names->pdata[i];
    const PtType *x = &g_array_index(a->types, PtType, i), *y = &g_array_index(b->types, PtType, i);
    if (!g_str_equal(name, other))
      return g_strdup_printf("%s %u is %s against %s", what, i < a->n_inputs ? i : i - a->n_inputs,
                             name, other);
    if (!types_agree(x, y)) {
      g_autofree char *left = pt_type_text(x), *right = pt_type_text(y);
      return g_strdup_printf("%s %s is %s against %s", what, name, left, right);
    }
  }
  return NULL;
}

static void clear_run(Run *run) {
  if (run->inputs)
    g_ptr_array_unref(run->inputs);
  if (run->outputs)
    g_ptr_array_unref(run->outputs);
  g_free(run->ordered);
  memset(run, 0, sizeof *run);
}

static bool run_first(Verify *v, uint32_t index, int64_t size, GError **error) {
  Run *run = &v->runs[index];
  PtSeed seed = pt_seed_derive(&v->seed, "verify", index);
  run->inputs = pt_runtime_random_inputs(v->graph, &seed, size, error);
  if (run->inputs)
    run->ordered = pt_session_order_inputs(v->a.session, v->graph, run->inputs, error);
  if (run->ordered)
    run->outputs = pt_session_run(v->a.session, run->ordered, error);
  return run->outputs != NULL;
}

/* The first model on every set of inputs, with the first sizes that it runs on. */
static bool run_all_first(Verify *v, GError **error) {
  g_autoptr(GError) first = NULL;
  for (size_t s = 0; s < G_N_ELEMENTS(sizes); s++) {
    GError *why = NULL;
    uint32_t done = 0;
    while (done < v->n_runs && run_first(v, done, sizes[s][done % 2], &why))
      done++;
    if (done == v->n_runs)
      return true;
    for (uint32_t i = 0; i <= done; i++)
      clear_run(&v->runs[i]);
    if (!first)
      first = why;
    else
      g_error_free(why);
  }
  g_propagate_error(error, g_steal_pointer(&first));
  return false;
}

static void compare(const Verify *v, const GPtrArray *x, const GPtrArray *y,
                    PtVerifyReport *report) {
  for (guint i = 0; i < x->len; i++) {
    double difference = pt_array_difference(x->pdata[i], y->pdata[i]);
    if (difference > report->difference || !report->worst) {
      report->difference = MAX(difference, report->difference);
      g_free(report->worst);
      report->worst = g_strdup(v->a.names->pdata[v->a.n_inputs + i]);
    }
  }
}

/* The second model on the same inputs. What it fails at is an answer: not equal. */
static void run_all_second(const Verify *v, PtVerifyReport *report) {
  for (uint32_t i = 0; i < v->n_runs; i++) {
    g_autoptr(GError) why = NULL;
    g_autoptr(GPtrArray) outputs = pt_session_run(v->b.session, v->runs[i].ordered, &why);
    report->runs++;
    if (outputs) {
      compare(v, v->runs[i].outputs, outputs, report);
      continue;
    }
    report->difference = INFINITY;
    g_free(report->worst);
    report->worst = g_strdup_printf("the second model does not run: %s", why->message);
    return;
  }
}

static bool can_be_read(const char *path, GError **error) {
  g_autoptr(PtGraph) graph = pt_onnx_read(path, NULL, error);
  return graph != NULL;
}

static bool verify(Verify *v, const char *a, const char *b, PtVerifyReport *report,
                   GError **error) {
  g_autofree char *gap = NULL;
  /* Ours says what the inputs are for. The second is read, too, and given up again, before the
   * first is run: what is wrong with it is said as for any model. */
  if (!(v->graph = pt_onnx_read(a, NULL, error)) || !can_be_read(b, error) ||
      !open_side(v, &v->a, a, error) || !run_all_first(v, error))
    return false;
  close_side(&v->a);
  if (!open_side(v, &v->b, b, error))
    return false;
  gap = interface_gap(&v->a, &v->b);
  report->outputs = v->a.names->len - v->a.n_inputs;
  if (gap) {
    report->difference = INFINITY;
    report->worst = g_steal_pointer(&gap);
  } else {
    run_all_second(v, report);
  }
  if (!report->worst)
    report->worst = g_strdup("");
  return true;
}

bool pt_verify(const char *a, const char *b, uint32_t runs, const char *seed, double tolerance,
               PtVerifyReport *report, GError **error) {
  memset(report, 0, sizeof *report);
  Verify v = {.n_runs = runs ? runs : 3, .scratch = pt_graph_new()};
  if (v.n_runs > 10000) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_USAGE, "%u runs are too many", v.n_runs);
    pt_graph_unref(v.scratch);
    return false;
  }
  v.runs = g_new0(Run, v.n_runs);
  pt_seed_init(&v.seed, seed ? seed : "verify");
  bool ok = verify(&v, a, b, report, error);
  if (ok) {
    report->tolerance = tolerance > 0 ? tolerance : pt_tolerance(1e-4, v.graph);
    report->equal = report->difference <= report->tolerance;
  }
  for (uint32_t i = 0; i < v.n_runs; i++)
    clear_run(&v.runs[i]);
  g_free(v.runs);
  clear_side(&v.a);
  clear_side(&v.b);
  if (v.graph)
    pt_graph_unref(v.graph);
  pt_graph_unref(v.scratch);
  return ok;
}

void pt_verify_report_clear(PtVerifyReport *report) {
  g_free(report->worst);
  memset(report, 0, sizeof *report);
}
