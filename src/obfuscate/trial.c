/* trial.c: every candidate is run as whoever gets the bundle can run it, with its noise. */
#include "obfuscate/obfuscate_private.h"

#include "ops/ops.h"
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

#define UNKNOWN_SIZE 3     /* of sizes that only running tells */
#define CHANGED 1e-3       /* more than rounding does */
#define MAX_WORK (1 << 28) /* elements of the inputs together; larger ones are not run */
#define SCALE 16           /* for what a piece makes of larger inputs */
/* Times the real piece's outputs, or its inputs as any piece of the model makes them grow: what is
 * not normalized within a piece is larger, and no less usual for it. */
#define LARGER 8

/* Optimizing makes copies of weights, twice in a row: of a candidate with more bytes of them than
 * HEAVY, those over LARGE are inputs when it is optimized, and it runs as it is. */
#define HEAVY ((size_t)12 << 20)
#define LARGE ((size_t)1 << 20)

/* What may be seen of an output. */
enum {
  NOT_FINITE = 1,
  ALL_ZERO = 2,
  ONE_VALUE = 4,
  IS_INPUT = 8,
  ALTERED = 16,
  NOT_LOADED = 32,
  NOT_RUN = 64,
  HUGE_OUTPUT = 128,
  STEEP = 256 /* grows faster than its inputs: squared from piece to piece, it overflows */
};

struct PtTrial {
  GBytes *noise;
  PtGraph *real;     /* its inputs are everyone's: what indexes its tables has to serve theirs */
  GPtrArray *inputs; /* PtArray, as in the model; NULL: it cannot be run */
  GPtrArray *more, *scaled; /* random ones; `inputs` times SCALE; or NULL */
  double *size;             /* [outputs of the real piece] mean of |x|, INFINITY until known */
  double input_size;        /* the largest mean of |x| of an input */
  double growth;
  uint32_t seen;
};

/* ---- outputs
 * ------------------------------------------------------------------------------------------ */
static bool is_input(const PtArray *a, const GPtrArray *inputs) {
  for (guint i = 0; i < inputs->len; i++) {
    const PtArray *in = inputs->pdata[i];
    if (in->dtype == a->dtype && in->size == a->size && a->size > 8 &&
        memcmp(in->data, a->data, a->size) == 0)
      return true;
  }
  return false;
}

static uint32_t see_floats(const PtArray *a) {
  const float *x = a->data;
  bool finite = true, same = true;
  for (size_t i = 0; i < a->count; i++) {
    finite &= isfinite(x[i]) != 0;
    same &= x[i] == x[0];
  }
  if (!finite)
    return NOT_FINITE;
  return a->count > 1 && same ? (x[0] == 0 ? ALL_ZERO : ONE_VALUE) : 0;
}

static uint32_t see_output(const PtArray *a, const GPtrArray *inputs) {
  if (!a || a->count == 0)
    return 0;
  uint32_t seen = a->dtype == PT_FLOAT ? see_floats(a) : 0;
  return seen | (is_input(a, inputs) ? IS_INPUT : 0);
}

/* ---- runs
 * --------------------------------------------------------------------------------------------- */
/* Puts the noise in its place. */
static void give_noise(const PtTrial *trial, PtGraph *g) {
  gsize size;
  const uint8_t *noise = g_bytes_get_data(trial->noise, &size);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtTensor *t = pt_value(g, v)->constant;
    if (!t || !t->location || t->offset > size || t->size > size - t->offset)
      continue;
    t->location = NULL;
    t->data = noise + t->offset;
  }
}

static PtSession *load(PtGraph *g, PtLevel level) {
  PtSessionOptions options = {.level = level, .native = true, .threads = 1};
  return pt_session_new(g, &options, NULL);
}

static bool is_heavy(const PtGraph *g) {
  size_t size = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    if (pt_value(g, v)->constant)
      size = pt_size_add(size, pt_value(g, v)->constant->size);
  return size > HEAVY;
}

static bool loads_without_weights(const PtGraph *graph) {
  g_autoptr(PtGraph) g = pt_graph_copy(graph);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtValue *value = pt_value(g, v);
    if (!value->constant || value->constant->size <= LARGE)
      continue;
    value->type = pt_type_of_constant(g, value->constant);
    value->constant = NULL;
    value->is_input = true;
    g_array_append_val(g->inputs, v);
  }
  g_autoptr(PtSession) session = load(g, PT_LEVEL_ALL);
  return session != NULL;
}

/* As fast as it can be run, NULL where the optimizer breaks on it. */
static PtSession *load_fast(PtGraph *g) {
  if (!is_heavy(g))
    return load(g, PT_LEVEL_ALL);
  return loads_without_weights(g) ? load(g, PT_LEVEL_NONE) : NULL;
}

static GPtrArray *run(const PtTrial *trial, PtSession *session, GPtrArray *with) {
  g_autofree PtArray **inputs = pt_session_order_inputs(session, trial->real, with, NULL);
  return inputs ? pt_session_run(session, inputs, NULL) : NULL;
}

static uint32_t see_outputs(const GPtrArray *outputs, const GPtrArray *inputs) {
  uint32_t seen = outputs ? 0 : NOT_RUN;
  for (guint i = 0; outputs && i < outputs->len; i++)
    seen |= see_output(outputs->pdata[i], inputs);
  return seen;
}

/* What ONNX Runtime's optimizer gets wrong are normalizations and attention half made; convolutions
 * it does not, and they are what a second run would take its time for. */
static bool may_alter(const PtGraph *g) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtOp *op = pt_op_of(pt_node(g, i));
    if (op && op->op_class == PT_CLASS_CONV)
      return false;
  }
  return true;
}

/* Against the real piece's outputs, and against its own on smaller inputs. */
static uint32_t see_sizes(const PtTrial *trial, const GPtrArray *outputs, const GPtrArray *scaled) {
  uint32_t seen = 0;
  for (guint i = 0; i < outputs->len; i++) {
    double size = pt_mean_size(outputs->pdata[i]),
           larger = scaled ? pt_mean_size(scaled->pdata[i]) : 0;
    if (size > LARGER * MAX(trial->size[i], trial->growth * trial->input_size))
      seen |= HUGE_OUTPUT;
    if (larger > 4 * SCALE * size)
      seen |= STEEP;
  }
  return seen;
}

static uint32_t see_altered(const GPtrArray *plain, const GPtrArray *fast) {
  for (guint i = 0; i < plain->len; i++)
    if (plain->pdata[i] && fast->pdata[i] &&
        pt_array_difference(plain->pdata[i], fast->pdata[i]) > CHANGED)
      return ALTERED;
  return 0;
}

/* What else there is to see where a run costs little. */
static uint32_t see_more(const PtTrial *trial, PtGraph *g, PtSession *session,
                         const GPtrArray *fast) {
  g_autoptr(PtSession) unoptimized = load(g, PT_LEVEL_NONE);
  g_autoptr(GPtrArray) plain = unoptimized ? run(trial, unoptimized, trial->inputs) : NULL;
  uint32_t seen = see_outputs(plain, trial->inputs);
  if (plain)
    seen |= see_altered(plain, fast);
  if (trial->more) {
    g_autoptr(GPtrArray) again = run(trial, session, trial->more);
    seen |= see_outputs(again, trial->more);
  }
  g_autoptr(GPtrArray) scaled = run(trial, session, trial->scaled);
  return scaled ? seen | see_sizes(trial, fast, scaled) : seen;
}

static uint32_t see(const PtTrial *trial, PtGraph *g) {
  g_autoptr(PtSession) session = load_fast(g);
  if (!session)
    return NOT_LOADED;
  if (!trial->inputs)
    return 0;
  g_autoptr(GPtrArray) fast = run(trial, session, trial->inputs);
  uint32_t seen = see_outputs(fast, trial->inputs);
  if (seen & (NOT_RUN | NOT_FINITE))
    return seen;
  seen |= see_sizes(trial, fast, NULL);
  return may_alter(g) ? seen | see_more(trial, g, session, fast) : seen;
}

/* Of the real piece, which sentinels are measured by. */
static void measure(PtTrial *trial) {
  for (guint i = 0; trial->inputs && i < trial->inputs->len; i++)
    trial->input_size = MAX(trial->input_size, pt_mean_size(trial->inputs->pdata[i]));
  g_autoptr(PtSession) session = trial->inputs ? load_fast(trial->real) : NULL;
  g_autoptr(GPtrArray) outputs = session ? run(trial, session, trial->inputs) : NULL;
  for (guint i = 0; outputs && i < outputs->len; i++)
    trial->size[i] = pt_mean_size(outputs->pdata[i]);
}

static GPtrArray *scaled_up(const GPtrArray *inputs) {
  GPtrArray *scaled = g_ptr_array_new_with_free_func((GDestroyNotify)pt_array_free);
  for (guint i = 0; i < inputs->len; i++) {
    const PtArray *from = inputs->pdata[i];
    PtArray *to = pt_array_new(from->dtype, from->rank, from->dims);
    memcpy(to->data, from->data, from->size);
    for (size_t k = 0; from->dtype == PT_FLOAT && k < from->count; k++)
      ((float *)to->data)[k] *= SCALE;
    g_ptr_array_add(scaled, to);
  }
  return scaled;
}

static GPtrArray *inputs_of(const PtGraph *real, const PtSeed *seed) {
  GPtrArray *inputs = pt_runtime_random_inputs(real, seed, UNKNOWN_SIZE, NULL);
  size_t work = 0;
  for (guint i = 0; inputs && i < inputs->len; i++)
    work = pt_size_add(work, ((const PtArray *)inputs->pdata[i])->count);
  if (work > MAX_WORK)
    g_clear_pointer(&inputs, g_ptr_array_unref);
  return inputs;
}

PtTrial *pt_trial_new(const PtCandidateFile *real, GBytes *noise, GPtrArray *inputs, double growth,
                      const PtSeed *seed) {
  PtTrial *trial = g_new0(PtTrial, 1);
  trial->noise = g_bytes_ref(noise);
  trial->growth = growth;
  trial->real = pt_graph_ref(real->sent);
  give_noise(trial, trial->real);
  trial->more = inputs_of(trial->real, seed);
  trial->inputs = inputs        ? g_ptr_array_ref(inputs)
                  : trial->more ? g_ptr_array_ref(trial->more)
                                : NULL;
  trial->scaled = trial->inputs ? scaled_up(trial->inputs) : NULL;
  trial->size = g_new0(double, (gsize)trial->real->outputs->len + 1);
  for (guint i = 0; i < trial->real->outputs->len; i++)
    trial->size[i] = INFINITY;
  trial->seen = see(trial, trial->real);
  measure(trial);
  if (trial->seen & NOT_RUN)
    g_clear_pointer(&trial->inputs, g_ptr_array_unref);
  return trial;
}

void pt_trial_free(PtTrial *trial) {
  if (!trial)
    return;
  g_clear_pointer(&trial->inputs, g_ptr_array_unref);
  g_clear_pointer(&trial->more, g_ptr_array_unref);
  g_clear_pointer(&trial->scaled, g_ptr_array_unref);
  g_free(trial->size);
  pt_graph_unref(trial->real);
  g_bytes_unref(trial->noise);
  g_free(trial);
}

bool pt_trial_passes(const PtTrial *trial, const PtCandidateFile *file) {
  give_noise(trial, file->sent);
  return (see(trial, file->sent) & ~trial->seen) == 0;
}
