/* trial.c: every candidate is run as whoever gets the bundle can run it, with its noise. */
#include "obfuscate/obfuscate_private.h"

#include "ops/ops.h"
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

#define UNKNOWN_SIZE 3     /* of sizes that only running tells */
#define CHANGED 1e-3       /* more than rounding does */
#define MAX_WORK (1 << 28) /* elements of the inputs together; larger ones are not run */

/* What may be seen of an output. */
enum {
  NOT_FINITE = 1,
  ALL_ZERO = 2,
  ONE_VALUE = 4,
  IS_INPUT = 8,
  ALTERED = 16,
  NOT_LOADED = 32,
  NOT_RUN = 64
};

struct PtTrial {
  GBytes *noise;
  PtGraph *real; /* its inputs are everyone's: what indexes its tables has to serve theirs */
  GPtrArray *inputs, *more; /* PtArray, of two draws; NULL: it cannot be run */
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

static uint32_t see(const PtTrial *trial, PtGraph *g) {
  g_autoptr(PtSession) session = load(g, PT_LEVEL_ALL);
  if (!session)
    return NOT_LOADED;
  if (!trial->inputs)
    return 0;
  g_autoptr(GPtrArray) fast = run(trial, session, trial->inputs);
  uint32_t seen = see_outputs(fast, trial->inputs);
  if (seen & (NOT_RUN | NOT_FINITE) || !may_alter(g))
    return seen;
  g_autoptr(GPtrArray) again = run(trial, session, trial->more);
  g_autoptr(PtSession) unoptimized = load(g, PT_LEVEL_NONE);
  g_autoptr(GPtrArray) plain = unoptimized ? run(trial, unoptimized, trial->inputs) : NULL;
  seen |= see_outputs(again, trial->more) | see_outputs(plain, trial->inputs);
  for (guint i = 0; plain && i < plain->len; i++)
    if (plain->pdata[i] && fast->pdata[i] &&
        pt_array_difference(plain->pdata[i], fast->pdata[i]) > CHANGED)
      seen |= ALTERED;
  return seen;
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

PtTrial *pt_trial_new(const PtCandidateFile *real, GBytes *noise, const PtSeed *seed) {
  PtTrial *trial = g_new0(PtTrial, 1);
  trial->noise = g_bytes_ref(noise);
  trial->real = pt_graph_ref(real->sent);
  give_noise(trial, trial->real);
  PtSeed other = pt_seed_derive(seed, "more", 0);
  trial->inputs = inputs_of(trial->real, seed);
  trial->more = trial->inputs ? inputs_of(trial->real, &other) : NULL;
  trial->seen = see(trial, trial->real);
  if (trial->seen & NOT_RUN)
    g_clear_pointer(&trial->inputs, g_ptr_array_unref);
  return trial;
}

void pt_trial_free(PtTrial *trial) {
  if (!trial)
    return;
  g_clear_pointer(&trial->inputs, g_ptr_array_unref);
  g_clear_pointer(&trial->more, g_ptr_array_unref);
  pt_graph_unref(trial->real);
  g_bytes_unref(trial->noise);
  g_free(trial);
}

bool pt_trial_passes(const PtTrial *trial, const PtCandidateFile *file) {
  give_noise(trial, file->sent);
  return (see(trial, file->sent) & ~trial->seen) == 0;
}
