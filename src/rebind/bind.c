/* Puts real weights in place of slices of noise.bin and evaluates the derivations, whoever wrote
 * them. */
#include "bundle/bundle.h"
#include "rebind/rebind_private.h"

#include <string.h>

#define MAX_NODES 1000000

typedef struct {
  PtGraph *graph;
  PtBinding *bindings; /* sorted by offset */
  size_t count;
  unsigned threads;
  PtDense *dense;  /* [values] evaluated, not yet a constant */
  uint32_t *uses;  /* [values] by marked nodes that are not evaluated yet */
  uint64_t budget; /* elements that may still be made */
} Bind;

static bool refuse(GError **error, const char *name, const char *why) {
  g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED, "constant '%s' %s", name, why);
  return false;
}

static gint by_offset(gconstpointer a, gconstpointer b, gpointer unused) {
  const PtBinding *x = a, *y = b;
  (void)unused;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The slice's bytes within the real tensor that they stand for. */
static bool bind_slice(Bind *b, PtValueId v, GError **error) {
  const PtTensor *t = pt_value(b->graph, v)->constant;
  const char *name = pt_value(b->graph, v)->name;
  if (g_strcmp0(t->location, PT_NOISE_FILE) != 0)
    return refuse(error, name, "is external data in a file that is not the bundle's noise");
  size_t low = 0, high = b->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (b->bindings[middle].offset <= t->offset)
      low = middle + 1;
    else
      high = middle;
  }
  const PtBinding *binding = low > 0 ? &b->bindings[low - 1] : NULL;
  const PtTensor *real = binding ? binding->tensor : NULL;
  uint64_t from = binding ? t->offset - binding->offset : 0;
  if (!real || from > real->size || t->size > real->size - from)
    return refuse(error, name, "is a slice of noise that is none of this piece's weights");
  if (real->dtype != t->dtype || from % MAX(pt_dtype_bits(t->dtype) / 8, 1))
    return refuse(error, name, "reads a weight as another type");
  if (!real->data && t->size > 0)
    return refuse(error, name, "stands for a weight that has no data");
  PtTensor *bound =
      pt_graph_tensor(b->graph, t->dtype, t->rank, t->dims, real->data ? real->data + from : NULL);
  if (!bound)
    return refuse(error, name, "has no valid shape");
  pt_value(b->graph, v)->constant = bound;
  return true;
}

/* ---- derivations
 * ---------------------------------------------------------------------------------- */
static bool is_marked(const PtNode *node) {
  return !node->dead && node->domain[0] == '\0' && g_str_has_prefix(node->name, PT_REBIND_NODE);
}

static bool node_error(GError **error, const PtNode *node, const char *why) {
  g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED, "a derivation's %s %s", node->op_type, why);
  return false;
}

/* The input's value: evaluated before, or an ordinary constant. */
static bool input_of(Bind *b, PtValueId v, PtDense *in) {
  memset(in, 0, sizeof *in);
  if (v == PT_NONE)
    return true;
  const PtTensor *t = pt_value(b->graph, v)->constant;
  if (b->dense[v].data) {
    *in = b->dense[v];
    in->owned = NULL;
    return true;
  }
  if (!t || !pt_dense_of_tensor(in, t))
    return false;
  if (in->count == 0)
    in->data = (const uint8_t *)"";
  return in->data != NULL;
}

static bool has_room(Bind *b, const PtNode *node, const PtDense *inputs, size_t count) {
  size_t limit = PT_REBIND_MARGIN;
  for (uint32_t i = 0; i < node->n_inputs; i++)
    limit = pt_size_add(limit, pt_size_mul(inputs[i].count, PT_REBIND_GROWTH));
  if (count > limit || count > b->budget)
    return false;
  b->budget -= count;
  return true;
}

static bool evaluate(Bind *b, const PtNode *node, PtDense *inputs, PtDense *results,
                     GError **error) {
  PtForm form;
  uint32_t n_data;
  if (pt_form_of_node(b->graph, node, inputs, &form, &n_data)) {
    PtDense shape;
    if (!pt_dense_shape(&shape, form.dtype, form.rank, form.dims) ||
        (form.op != PT_FORM_RESHAPE && !has_room(b, node, inputs, shape.count)))
      return node_error(error, node, "makes more than its weights allow");
    return pt_form_eval(&form, inputs, n_data, b->threads, &results[0]) ||
           node_error(error, node, "does not fit in memory");
  }
  size_t bound = pt_rebind_node_growth(node, inputs);
  if (bound == SIZE_MAX || node->n_outputs > 64)
    return node_error(error, node, "is no operator that derivations may use");
  if (!has_room(b, node, inputs, pt_size_mul(bound, node->n_outputs)))
    return node_error(error, node, "makes more than its weights allow");
  GError *inner = NULL;
  if (!pt_rebind_node_eval(b->graph, node, inputs, results, &inner)) {
    g_set_error(error, PT_REBIND_ERROR,
                inner && inner->code == PT_ERR_ENVIRONMENT ? PT_ERR_ENVIRONMENT : PT_ERR_REFUSED,
                "a derivation's %s does not run: %s", node->op_type, inner ? inner->message : "");
    g_clear_error(&inner);
    return false;
  }
  return true;
}

/* An input that only this node reads is taken over; one that a reshape looks into stays with the
 * graph. */
static void take_inputs(Bind *b, const PtNode *node, PtDense *inputs) {
  bool view = g_str_equal(node->op_type, "Reshape") || g_str_equal(node->op_type, "Squeeze") ||
              g_str_equal(node->op_type, "Unsqueeze") || g_str_equal(node->op_type, "Flatten") ||
              g_str_equal(node->op_type, "Identity");
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtValueId v = node->inputs[i];
    PtDense *dense = v == PT_NONE ? NULL : &b->dense[v];
    if (!dense || !dense->owned)
      continue;
    if (b->uses[v] == 1)
      inputs[i].owned = dense->owned;
    else if (view)
      pt_graph_hold(b->graph, dense->owned, g_free);
    else
      continue;
    dense->owned = NULL;
  }
}

static bool bind_node(Bind *b, PtNodeId id, GError **error) {
  PtNode *node = pt_node(b->graph, id);
  g_autofree PtDense *inputs = g_new0(PtDense, node->n_inputs + 1);
  g_autofree PtDense *results = g_new0(PtDense, node->n_outputs + 1);
  bool ok = true;
  for (uint32_t i = 0; i < node->n_inputs && ok; i++)
    ok = input_of(b, node->inputs[i], &inputs[i]) ||
         node_error(error, node, "reads what is no constant");
  if (ok) {
    take_inputs(b, node, inputs);
    ok = evaluate(b, node, inputs, results, error);
  }
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtValueId v = node->inputs[i];
    g_free(inputs[i].owned);
    if (v != PT_NONE && b->uses[v] > 0 && --b->uses[v] == 0)
      pt_dense_clear(&b->dense[v]);
  }
  for (uint32_t i = 0; i < node->n_outputs && ok; i++) {
    if (node->outputs[i] == PT_NONE || b->uses[node->outputs[i]] == 0)
      pt_dense_clear(&results[i]);
    else
      b->dense[node->outputs[i]] = results[i];
  }
  return ok;
}

/* What ordinary nodes read becomes an ordinary constant. */
static bool keep_results(Bind *b, GError **error) {
  PtGraph *g = b->graph;
  for (PtNodeId id = 0; id < pt_graph_n_nodes(g); id++)
    if (is_marked(pt_node(g, id)))
      pt_node(g, id)->dead = true;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    PtDense *d = &b->dense[v];
    if (!d->data)
      continue;
    PtTensor *tensor = pt_graph_tensor(g, d->dtype, d->rank, d->dims, d->data);
    if (!tensor)
      return refuse(error, pt_value(g, v)->name, "has no valid shape");
    if (d->owned)
      pt_graph_hold(g, d->owned, g_free);
    d->owned = NULL;
    pt_value(g, v)->constant = tensor;
    pt_value(g, v)->producer = PT_NONE;
  }
  pt_graph_compact(g);
  return true;
}

static void count_uses(Bind *b) {
  PtGraph *g = b->graph;
  for (PtNodeId id = 0; id < pt_graph_n_nodes(g); id++) {
    const PtNode *node = pt_node(g, id);
    for (uint32_t i = 0; i < node->n_inputs && !node->dead; i++)
      if (node->inputs[i] != PT_NONE)
        b->uses[node->inputs[i]]++;
    for (uint32_t i = 0; i < node->n_captures && !node->dead; i++)
      b->uses[node->captures[i]]++;
  }
  for (uint32_t i = 0; i < g->outputs->len; i++)
    b->uses[pt_graph_output(g, i)]++;
}

static bool bind_all(Bind *b, GError **error) {
  PtGraph *g = b->graph;
  g_autofree PtNodeId *order = g_new(PtNodeId, MAX(pt_graph_n_nodes(g), 1));
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtTensor *t = pt_value(g, v)->constant;
    if (t && t->location && !bind_slice(b, v, error))
      return false;
  }
  if (!pt_graph_toposort(g, order, error))
    return false;
  count_uses(b);
  for (uint32_t i = 0; i < pt_graph_n_nodes(g); i++)
    if (is_marked(pt_node(g, order[i])) && !bind_node(b, order[i], error))
      return false;
  return keep_results(b, error);
}

bool pt_rebind_bind(PtGraph *optimized, const PtBinding *bindings, size_t count, unsigned threads,
                    GError **error) {
  if (pt_graph_n_nodes(optimized) > MAX_NODES) {
    g_set_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED, "the answer has over %d nodes", MAX_NODES);
    return false;
  }
  Bind b = {.graph = optimized, .count = count, .threads = pt_threads(threads)};
  b.bindings = g_memdup2(bindings, count * sizeof *bindings);
  if (count > 0)
    g_qsort_with_data(b.bindings, (gint)count, sizeof *bindings, by_offset, NULL);
  b.budget = 16 * (uint64_t)PT_REBIND_MARGIN;
  for (size_t i = 0; i < count; i++)
    b.budget += 8 * (uint64_t)bindings[i].tensor->count;
  uint32_t n = pt_graph_n_values(optimized);
  b.dense = g_new0(PtDense, MAX(n, 1));
  b.uses = g_new0(uint32_t, MAX(n, 1));
  bool ok = bind_all(&b, error);
  for (uint32_t v = 0; v < n; v++)
    g_free(b.dense[v].owned);
  g_free(b.dense);
  g_free(b.uses);
  g_free(b.bindings);
  return ok;
}
