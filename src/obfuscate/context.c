/* context.c: what the real pieces get to read when the model runs with noise for weights, as it
 * does for whoever puts candidates together. */
#include "obfuscate/obfuscate_private.h"

#include "ops/ops.h"
#include "runtime/runtime.h"

#include <math.h>
#include <string.h>

#define MOST_GROWTH 64 /* more, and chains of pieces overflow */
#define STRIDE 4096    /* bytes between the noise of one weight and of the next */

struct PtContext {
  GPtrArray *inputs, *outputs; /* PtArray, owned */
  GHashTable *found;           /* value of the model + 1 -> PtArray */
};

/* Where in noise.bin a weight of this kind may begin, and where that part ends. */
static void part_of(const PtNoise *noise, PtDtype dtype, bool positive, uint64_t *from,
                    uint64_t *to) {
  const uint64_t starts[] = {0, pt_noise_halves_offset(noise), pt_noise_brains_offset(noise),
                             pt_noise_doubles_offset(noise), pt_noise_file_size(noise)};
  int i = dtype == PT_FLOAT16 ? 1 : dtype == PT_BFLOAT16 ? 2 : dtype == PT_DOUBLE ? 3 : 0;
  uint64_t middle = starts[i] + (starts[i + 1] - starts[i]) / 2;
  *from = positive ? middle : starts[i];
  *to = positive ? starts[i + 1] : middle;
}

/* The model with noise for what would be noise in its pieces; NULL where one does not fit. */
static PtGraph *with_noise(PtGraph *model, const PtNoise *noise, GBytes *bytes) {
  g_autoptr(PtGraph) g = pt_graph_copy(model);
  g_autofree PtRole *roles = pt_roles(g);
  g_autofree bool *keeps = pt_scrub_keeps(g);
  const uint8_t *data = g_bytes_get_data(bytes, NULL);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtTensor *t = pt_value(g, v)->constant;
    if (!t || keeps[v] || t->size == 0)
      continue;
    uint64_t from, to;
    part_of(noise, t->dtype, roles[v] == PT_ROLE_POSITIVE, &from, &to);
    if (t->size > to - from)
      return NULL;
    from += (uint64_t)v * STRIDE % ((to - from - t->size) / STRIDE * STRIDE + STRIDE);
    from = MIN(from, to - t->size) / 16 * 16;
    pt_value(g, v)->constant = pt_graph_tensor(g, t->dtype, t->rank, t->dims, data + from);
  }
  pt_graph_hold_bytes(g, bytes);
  return g_steal_pointer(&g);
}

/* Values that pieces read and the model computes become its outputs. */
static void ask_for(PtGraph *g, const PtGraph *model, const GPtrArray *buckets, GArray *asked) {
  g_autoptr(GHashTable) listed = g_hash_table_new(NULL, NULL);
  g_array_set_size(g->outputs, 0);
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = buckets->pdata[b];
    for (guint i = 0; i < bucket->real->inputs->len; i++) {
      PtValueId v = bucket->model_value[pt_graph_input(bucket->real, i)];
      if (pt_value(model, v)->is_input || !g_hash_table_add(listed, GUINT_TO_POINTER(v + 1)))
        continue;
      PtValueId own = pt_graph_find(g, pt_value(model, v)->name);
      if (own == PT_NONE)
        continue;
      pt_graph_add_output(g, own);
      g_array_append_val(asked, v);
    }
  }
}

/* False if the model does not run on inputs whose free sizes are this: one that halves and doubles
 * an image wants even ones. */
static bool run_with(PtContext *context, PtGraph *g, PtGraph *model, const GArray *asked,
                     int64_t size, const PtSeed *seed) {
  g_autoptr(GPtrArray) arrays = pt_runtime_random_inputs(g, seed, size, NULL);
  if (!arrays)
    return false;
  /* one thread: what comes out may not depend on how many there are */
  PtSessionOptions options = {.level = PT_LEVEL_NONE, .threads = 1};
  g_autoptr(PtSession) session = asked->len ? pt_session_new(g, &options, NULL) : NULL;
  g_autofree PtArray **inputs =
      session ? pt_session_order_inputs(session, model, arrays, NULL) : NULL;
  g_autoptr(GPtrArray) outputs = inputs ? pt_session_run(session, inputs, NULL) : NULL;
  if (!outputs && asked->len && context->inputs)
    return false; /* those of the first size stay */
  for (guint i = 0; i < arrays->len; i++)
    g_hash_table_insert(context->found, GUINT_TO_POINTER(pt_graph_input(model, i) + 1),
                        arrays->pdata[i]);
  for (guint i = 0; outputs && i < outputs->len; i++)
    g_hash_table_insert(context->found, GUINT_TO_POINTER(g_array_index(asked, PtValueId, i) + 1),
                        outputs->pdata[i]);
  g_clear_pointer(&context->inputs, g_ptr_array_unref);
  context->inputs = g_steal_pointer(&arrays);
  context->outputs = g_steal_pointer(&outputs);
  return context->outputs || asked->len == 0;
}

PtContext *pt_context_new(PtGraph *model, const GPtrArray *buckets, const PtNoise *noise,
                          GBytes *noise_bytes, const PtSeed *seed) {
  static const int64_t sizes[] = {3, 16, 64}; /* of what only running tells */
  g_autoptr(PtGraph) g = with_noise(model, noise, noise_bytes);
  g_autoptr(GArray) asked = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  PtContext *context = g_new0(PtContext, 1);
  context->found = g_hash_table_new(NULL, NULL);
  if (!g)
    return context;
  ask_for(g, model, buckets, asked);
  for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
    if (run_with(context, g, model, asked, sizes[i], seed))
      break;
  return context;
}

void pt_context_free(PtContext *context) {
  if (!context)
    return;
  g_hash_table_unref(context->found);
  g_clear_pointer(&context->inputs, g_ptr_array_unref);
  g_clear_pointer(&context->outputs, g_ptr_array_unref);
  g_free(context);
}

static bool is_finite(const PtArray *a) {
  for (size_t i = 0; a->dtype == PT_FLOAT && i < a->count; i++)
    if (!isfinite(((const float *)a->data)[i]))
      return false;
  return true;
}

double pt_mean_size(const PtArray *a) {
  double sum = 0;
  for (size_t i = 0; a && a->dtype == PT_FLOAT && i < a->count; i++)
    sum += fabs((double)((const float *)a->data)[i]);
  return a && a->count ? sum / (double)a->count : 0;
}

/* The largest mean of |x| of those values of the piece that are known and floats; 0: none. */
static double size_at(const PtContext *context, const GArray *values,
                      const PtValueId *model_value) {
  double most = 0;
  for (guint i = 0; i < values->len; i++) {
    PtValueId v = model_value[g_array_index(values, PtValueId, i)];
    const PtArray *a =
        v == PT_NONE ? NULL : g_hash_table_lookup(context->found, GUINT_TO_POINTER(v + 1));
    if (a && is_finite(a))
      most = MAX(most, pt_mean_size(a));
  }
  return most;
}

double pt_context_growth(const PtContext *context, const GPtrArray *buckets) {
  double growth = 1;
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = buckets->pdata[b];
    double in = size_at(context, bucket->real->inputs, bucket->model_value);
    double out = size_at(context, bucket->real->outputs, bucket->model_value);
    if (in > 0)
      growth = MAX(growth, out / in);
  }
  return MIN(growth, MOST_GROWTH);
}

GPtrArray *pt_context_inputs(const PtContext *context, const PtGraph *real,
                             const PtValueId *model_value) {
  g_autoptr(GPtrArray) inputs = g_ptr_array_new();
  for (guint i = 0; i < real->inputs->len; i++) {
    PtValueId v = model_value[pt_graph_input(real, i)];
    PtArray *a = v == PT_NONE ? NULL : g_hash_table_lookup(context->found, GUINT_TO_POINTER(v + 1));
    if (!a || !is_finite(a))
      return NULL;
    g_ptr_array_add(inputs, a);
  }
  return g_steal_pointer(&inputs);
}
