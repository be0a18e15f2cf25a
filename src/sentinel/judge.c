/* judge: a sentinel goes out only if ONNX Runtime loads it, infers the real piece's interface for
 * it, and there is none like it. */
#include "sentinel/sentinel_private.h"

#include "runtime/runtime.h"

#include <string.h>

#define LARGER 5                          /* halves of the real piece's weights */
#define LEAST_WEIGHTS (UINT64_C(1) << 18) /* elements that any piece may have */

static bool is_real(const PtGraph *graph, PtValueId value, void *roles) {
  (void)graph;
  return ((const PtRole *)roles)[value] == PT_ROLE_REAL;
}

uint64_t pt_sentinel_hash(const PtGraph *graph) {
  g_autofree PtRole *roles = pt_roles(graph);
  return pt_graph_canonical(graph, is_real, roles, NULL);
}

/* Every constant that stays real has its data, every other has none. */
static bool data_in_place(const PtGraph *g) {
  g_autofree PtRole *roles = pt_roles(g);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtTensor *t = pt_value(g, v)->constant;
    if (t && roles[v] == PT_ROLE_REAL && pt_tensor_is_empty(t))
      return false;
  }
  return true;
}

/* A scale and an offset of one number fit one channel only: the runtime says so only when it runs,
 * and then with sizes that may not be known now. */
static bool scales_fit(const PtGraph *g) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *node = pt_node(g, i);
    if (!pt_op_is(node, "InstanceNormalization"))
      continue;
    const PtType *x = &pt_value(g, node->inputs[0])->type;
    int64_t channels = x->kind == PT_TYPE_TENSOR && x->rank > 1 ? x->dims[1].size : -1;
    for (uint32_t k = 1; k < node->n_inputs; k++) {
      const PtTensor *t = pt_value(g, node->inputs[k])->constant;
      if (t && channels >= 0 && t->count != (uint64_t)channels)
        return false;
    }
  }
  return true;
}

/* The same graph with weights as inputs and no types but the inputs': what the runtime says of it
 * owes nothing to us, and no weight has to be made up. */
static PtGraph *probe(const PtGraph *g) {
  PtGraph *p = pt_rebuild(g, false);
  if (!p)
    return NULL;
  for (PtValueId v = 0; v < pt_graph_n_values(p); v++) {
    PtValue *value = pt_value(p, v);
    if (value->constant && pt_tensor_is_empty(value->constant)) {
      value->type = pt_type_of_constant(p, value->constant);
      value->constant = NULL;
      value->is_input = true;
      g_array_append_val(p->inputs, v);
    } else if (!value->constant && !value->is_input)
      value->type = (PtType){.kind = PT_TYPE_UNKNOWN};
  }
  return p;
}

static bool agrees(const PtType *inferred, const PtType *ours, const PtType *want) {
  if (want->kind != PT_TYPE_TENSOR)
    return true;
  if (inferred->kind != PT_TYPE_TENSOR || inferred->dtype != want->dtype)
    return false;
  if (inferred->rank < 0 || want->rank < 0)
    return true;
  if (inferred->rank != want->rank)
    return false;
  for (int32_t i = 0; i < want->rank; i++) {
    const PtDim *a = &inferred->dims[i], *b = &want->dims[i];
    if (a->size >= 0 && b->size >= 0 && a->size != b->size)
      return false;
    if (a->size >= 0 &&
        b->size < 0) /* narrower than the real piece's: another batch would not run */
      return false;
    bool known =
        ours->kind == PT_TYPE_TENSOR && ours->rank == want->rank && ours->dims[i].size == b->size;
    if (a->size < 0 && b->size >= 0 && !known)
      return false;
    if (a->size < 0 && b->size < 0 && a->symbol && b->symbol &&
        !g_str_equal(a->symbol, b->symbol) && !g_str_has_prefix(a->symbol, "unk__"))
      return false;
  }
  return true;
}

static bool runtime_agrees(const PtGraph *graph, const PtGraph *real) {
  g_autoptr(PtGraph) p = probe(graph);
  PtSessionOptions options = {.level = PT_LEVEL_NONE, .threads = 1};
  g_autoptr(PtSession) session = p ? pt_session_new(p, &options, NULL) : NULL;
  if (!session || pt_session_n_outputs(session) != real->outputs->len)
    return false;
  for (uint32_t i = 0; i < real->outputs->len; i++) {
    PtType inferred;
    if (!pt_session_output_type(session, i, p, &inferred, NULL) ||
        !agrees(&inferred, &pt_value(graph, pt_graph_output(graph, i))->type,
                &pt_value(real, pt_graph_output(real, i))->type))
      return false;
  }
  return true;
}

static uint64_t learned(const PtGraph *g) {
  uint64_t elements = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    if (pt_value(g, v)->constant)
      elements += pt_value(g, v)->constant->count;
  return elements;
}

/* Nobody has a convolution of 5824 to 1472 channels beside ones of 512: that would tell it from the
 * real piece. And noise.bin is as large as the largest candidate needs, a power of two: a sentinel
 * must not double it. */
uint64_t pt_weight_limit(const PtGraph *real, GPtrArray *siblings) {
  uint64_t own = learned(real), largest = MAX(own, LEAST_WEIGHTS), power = 1;
  for (guint i = 0; siblings && i < siblings->len; i++)
    largest = MAX(largest, learned(g_ptr_array_index(siblings, i)));
  while (power < largest && power < UINT64_C(1) << 62)
    power *= 2;
  return MIN(MAX(LARGER * own / 2, LEAST_WEIGHTS), power);
}

bool pt_judge(PtJudge *judge, PtGraph *graph) {
  const PtGraph *real = judge->real;
  if (graph->inputs->len != real->inputs->len || graph->outputs->len != real->outputs->len)
    return false;
  if (learned(graph) > judge->weights)
    return false;
  uint64_t hash = pt_sentinel_hash(graph);
  if (g_hash_table_contains(judge->seen, &hash) || !data_in_place(graph) || !scales_fit(graph) ||
      !runtime_agrees(graph, real))
    return false;
  for (uint32_t i = 0; i < real->outputs->len; i++)
    pt_value(graph, pt_graph_output(graph, i))->type =
        pt_type_copy(graph, &pt_value(real, pt_graph_output(real, i))->type);
  g_hash_table_add(judge->seen, g_memdup2(&hash, sizeof hash));
  return true;
}
