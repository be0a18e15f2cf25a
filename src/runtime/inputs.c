/* inputs.c: random inputs that a model can run on.
 * Floats are normal. What an integer has to be is read from the graph, never from names: traced
 * through operators that pass values on, it is an index (of a Gather: uniform below the axis it
 * picks from), it steers a shape (it gets the sizes that the result is declared to have), or it is
 * neither and is one, as masks are. */
#include "runtime/runtime_private.h"

#include "ops/ops.h"

#include <math.h>
#include <string.h>

/* The first axis of a matrix or more is a batch: small, as it only repeats the work. */
static int64_t batch_size(int64_t dim_default) {
  return dim_default <= 2 ? MAX(dim_default, 1) : 1 + dim_default % 3;
}

/* ---- what an integer input is for
 * ---------------------------------------------------------------- */

typedef struct {
  int64_t bound;       /* > 0: indices below this */
  const PtType *shape; /* steers a result of this type, or NULL */
  int64_t steer;       /* steers otherwise: the value to use, -1 if not */
  bool axes;           /* steers, and the values have to differ: counted up from 0 */
  bool logic;          /* compared, cast to bool, or a condition */
} Purpose;

/* The size of the axis that an index picks from, 0 if it is no index, or not known. */
static int64_t index_bound(const PtGraph *graph, const PtNode *node, uint32_t input,
                           PtSizes *sizes) {
  bool gather = g_str_has_prefix(node->op_type, "Gather"),
       scatter = g_str_has_prefix(node->op_type, "Scatter"),
       embedding = g_str_has_suffix(node->op_type, "Embedding");
  bool embed_norm = g_str_has_suffix(node->op_type, "EmbedLayerNormalization");
  uint32_t table = 0;
  if (embed_norm && input < 2)
    table = input + 2;
  else if (pt_op_is(node, "OneHot") && input == 0) {
    const PtTensor *depth =
        node->inputs[1] != PT_NONE ? pt_value(graph, node->inputs[1])->constant : NULL;
    int64_t n;
    return depth && pt_tensor_ints(depth, &n, 1) == 1 && n > 0 ? n : 2;
  } else if (!(gather || scatter || embedding) || input != 1)
    return 0;
  if (table >= node->n_inputs || node->inputs[table] == PT_NONE)
    return 2;
  const PtType *type = &pt_value(graph, node->inputs[table])->type;
  const PtTensor *constant = pt_value(graph, node->inputs[table])->constant;
  int64_t rank = type->kind == PT_TYPE_TENSOR ? type->rank : -1;
  if (constant)
    rank = constant->rank;
  if (rank <= 0)
    return 2;
  bool nd = g_str_has_suffix(node->op_type, "ND");
  int64_t axis = pt_node_int(node, "axis", 0), least = INT64_MAX;
  if (axis < 0)
    axis += rank;
  for (int64_t i = 0; i < rank; i++)
    if (nd || i == axis)
      least = MIN(least, constant ? constant->dims[i] : pt_dim_size(sizes, type, (int32_t)i));
  return least == INT64_MAX ? 2 : MAX(least, 1);
}

static void note_steering(const PtGraph *graph, const PtNode *node, uint32_t input,
                          Purpose *purpose) {
  static const char *const by_result[] = {"Reshape", "Expand", "ConstantOfShape"};
  for (size_t i = 0; i < G_N_ELEMENTS(by_result); i++)
    if (pt_op_is(node, by_result[i]) && node->outputs[0] != PT_NONE) {
      const PtType *type = &pt_value(graph, node->outputs[0])->type;
      if (type->kind == PT_TYPE_TENSOR && type->rank >= 0)
        purpose->shape = type;
    }
  bool slice = pt_op_is(node, "Slice");
  if (slice && input == 2)
    purpose->steer = INT32_MAX; /* the end */
  else if ((slice && input == 1) || pt_op_is(node, "CumSum") || pt_op_is(node, "CumProd") ||
           pt_op_is(node, "Pad"))
    purpose->steer = 0;
  else
    purpose->steer = 1;
  purpose->axes = (slice && input == 3) || pt_op_is(node, "Unsqueeze") ||
                  pt_op_is(node, "Squeeze") || g_str_has_prefix(node->op_type, "Reduce");
}

static void note_use(const PtGraph *graph, const PtNode *node, uint32_t input, PtSizes *sizes,
                     Purpose *purpose) {
  int64_t bound = index_bound(graph, node, input, sizes);
  const PtOp *op = pt_op_of(node);
  if (bound > 0)
    purpose->bound = purpose->bound > 0 ? MIN(purpose->bound, bound) : bound;
  else if (op && input < 32 && (op->steering >> input & 1))
    note_steering(graph, node, input, purpose);
  else if ((op && op->op_class == PT_CLASS_COMPARE) || (pt_op_is(node, "Where") && input == 0) ||
           (pt_op_is(node, "Cast") && pt_node_int(node, "to", 0) == PT_BOOL))
    purpose->logic = true;
}

/* Whether output 0 carries the values of this input: an index stays an index through it. */
static bool passes(const PtNode *node, uint32_t input) {
  const PtOp *op = pt_op_of(node);
  if (!op || node->n_outputs == 0 || node->outputs[0] == PT_NONE || !(op->flags & PT_OP_PASSES))
    return false;
  if (pt_op_is(node, "Cast")) {
    PtDtype to = (PtDtype)pt_node_int(node, "to", 0);
    return pt_dtype_is_integer(to);
  }
  return input == 0 || pt_op_is(node, "Concat");
}

static Purpose purpose_of(const PtGraph *graph, const PtUses *uses, PtValueId start,
                          PtSizes *sizes) {
  Purpose purpose = {.steer = -1};
  GArray *todo = g_array_new(FALSE, FALSE, sizeof(PtValueId));
  bool *seen = g_new0(bool, pt_graph_n_values(graph));
  g_array_append_val(todo, start);
  seen[start] = true;
  while (todo->len > 0) {
    PtValueId v = g_array_index(todo, PtValueId, todo->len - 1);
    g_array_set_size(todo, todo->len - 1);
    for (uint32_t u = uses->start[v]; u < uses->start[v + 1]; u++) {
      const PtNode *node = pt_node(graph, uses->node[u]);
      for (uint32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] != v)
          continue;
        note_use(graph, node, i, sizes, &purpose);
        if (!passes(node, i))
          continue;
        for (uint32_t o = 0; o < node->n_outputs; o++) {
          PtValueId next = node->outputs[o];
          if (next == PT_NONE || seen[next])
            continue;
          seen[next] = true;
          g_array_append_val(todo, next);
        }
      }
    }
  }
  g_free(seen);
  g_array_free(todo, TRUE);
  return purpose;
}

/* ---- filling
 * ------------------------------------------------------------------------------------- */

static uint16_t to_half(float x) {
  /* Normal draws are small: no overflow to care for; what is too small becomes zero. */
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  int32_t exponent = (int32_t)(bits >> 23 & 255) - 112;
  if (exponent <= 0)
    return (uint16_t)(bits >> 16 & 0x8000);
  return (uint16_t)((bits >> 16 & 0x8000) | (uint32_t)MIN(exponent, 30) << 10 |
                    (bits >> 13 & 0x3FF));
}

/* Normal; ones without rng. */
static void fill_floats(PtArray *array, PtRng *rng) {
  for (size_t i = 0; i < array->count; i++) {
    double x = rng ? pt_rng_normal(rng) : 1;
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    switch (array->dtype) {
    case PT_FLOAT:
      ((float *)array->data)[i] = f;
      break;
    case PT_DOUBLE:
      ((double *)array->data)[i] = x;
      break;
    case PT_FLOAT16:
      ((uint16_t *)array->data)[i] = to_half(f);
      break;
    case PT_BFLOAT16:
      ((uint16_t *)array->data)[i] = (uint16_t)(bits >> 16);
      break;
    default:
      return; /* the 8 and 4-bit formats: zeros */
    }
  }
}

static void put_integer(PtArray *array, size_t i, int64_t x) {
  switch (pt_dtype_bits(array->dtype)) {
  case 64:
    ((int64_t *)array->data)[i] = x;
    break;
  case 32:
    ((int32_t *)array->data)[i] = (int32_t)MIN(x, INT32_MAX);
    break;
  case 16:
    ((int16_t *)array->data)[i] = (int16_t)MIN(x, INT16_MAX);
    break;
  case 8:
    ((uint8_t *)array->data)[i] = (uint8_t)MIN(x, INT8_MAX);
    break;
  default:
    break; /* packed: zeros */
  }
}

static int64_t integer_value(const PtArray *array, size_t i, const Purpose *purpose, PtSizes *sizes,
                             PtRng *rng) {
  if (purpose->bound > 0)
    return (int64_t)pt_rng_below(rng, (uint64_t)purpose->bound);
  if (purpose->shape && array->count == (size_t)purpose->shape->rank)
    return pt_dim_size(sizes, purpose->shape, (int32_t)i);
  if (purpose->axes)
    return (int64_t)i;
  if (purpose->steer >= 0)
    return purpose->steer;
  /* Bytes that nothing compares are data, such as a quantized image. */
  if (pt_dtype_bits(array->dtype) == 8 && array->dtype != PT_BOOL && !purpose->logic)
    return (int64_t)pt_rng_below(rng, 128);
  return 1;
}

static PtArray *make_input(const PtGraph *graph, PtValueId v, PtSizes *sizes, const PtUses *uses,
                           PtRng *rng, GError **error) {
  const PtValue *value = pt_value(graph, v);
  const PtType *type = &value->type;
  if (type->kind != PT_TYPE_TENSOR || pt_dtype_bits(type->dtype) == 0) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_UNSUPPORTED,
                "input %s is no tensor of numbers, so no random value can be made for it",
                value->name);
    return NULL;
  }
  /* A rank that nothing says is taken for a vector. */
  int64_t dims[8] = {sizes->size};
  uint32_t rank = type->rank < 0 ? 1 : (uint32_t)type->rank;
  PtArray *array = NULL;
  if (rank <= G_N_ELEMENTS(dims)) {
    for (int32_t i = 0; i < type->rank; i++)
      dims[i] = pt_dim_size(sizes, type, i);
    array = pt_array_new(type->dtype, rank, dims);
  }
  if (!array) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_LIMIT, "input %s is too large to make a value for",
                value->name);
    return NULL;
  }
  if (array->count == 0)
    return array;
  Purpose purpose = purpose_of(graph, uses, v, sizes);
  if (pt_dtype_is_float(type->dtype)) {
    /* A scale of Resize, a depth: ones keep sizes as they are. */
    fill_floats(array, purpose.steer >= 0 && array->count <= 16 ? NULL : rng);
  } else {
    for (size_t i = 0; i < array->count; i++)
      put_integer(array, i, integer_value(array, i, &purpose, sizes, rng));
  }
  return array;
}

static void free_array(void *array) {
  pt_array_free(array);
}

GPtrArray *pt_runtime_random_inputs(const PtGraph *graph, const PtSeed *seed, int64_t dim_default,
                                    GError **error) {
  PtSizes sizes;
  pt_sizes_init(&sizes, MAX(dim_default, 1), batch_size(dim_default), 0);
  PtUses *uses = pt_uses_new(graph);
  GPtrArray *arrays = g_ptr_array_new_with_free_func(free_array);
  for (uint32_t i = 0; i < graph->inputs->len && arrays; i++) {
    PtValueId v = pt_graph_input(graph, i);
    if (pt_value(graph, v)->constant)
      continue; /* an initializer that may be overridden is no input of the session */
    PtRng *rng = pt_rng_new(seed, "random input", i);
    PtArray *array = make_input(graph, v, &sizes, uses, rng, error);
    pt_rng_free(rng);
    if (array) {
      g_ptr_array_add(arrays, array);
    } else {
      g_ptr_array_unref(arrays);
      arrays = NULL;
    }
  }
  pt_uses_free(uses);
  pt_sizes_clear(&sizes);
  return arrays;
}

PtArray **pt_session_order_inputs(const PtSession *session, const PtGraph *graph,
                                  const GPtrArray *inputs, GError **error) {
  uint32_t n = pt_session_n_inputs(session);
  GHashTable *by_name = g_hash_table_new(g_str_hash, g_str_equal);
  guint at = 0;
  for (uint32_t i = 0; i < graph->inputs->len; i++) {
    const PtValue *value = pt_value(graph, pt_graph_input(graph, i));
    if (!value->constant && at < inputs->len)
      g_hash_table_insert(by_name, (void *)(uintptr_t)value->name, inputs->pdata[at++]);
  }
  PtArray **ordered = g_new0(PtArray *, n + 1);
  for (uint32_t i = 0; ordered && i < n; i++) {
    ordered[i] = g_hash_table_lookup(by_name, pt_session_input_name(session, i));
    if (ordered[i])
      continue;
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_MISMATCH, "the model has no input %s",
                pt_session_input_name(session, i));
    g_clear_pointer(&ordered, g_free);
  }
  g_hash_table_unref(by_name);
  return ordered;
}
