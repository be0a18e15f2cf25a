/* edit: the paper's minor modifications: nodes added, removed, replaced, with the number of nodes
 * as a mark to go for. */
#include "sentinel/sentinel_private.h"

#include <string.h>

PtValueId pt_splice_begin(PtDraft *draft, PtValueId value) {
  PtValueId place = pt_graph_add_value(draft->graph, NULL);
  pt_value(draft->graph, place)->type = pt_value(draft->graph, value)->type;
  pt_graph_replace_value(draft->graph, value, place);
  return place;
}

void pt_splice_end(PtDraft *draft, PtValueId place, PtValueId result) {
  pt_graph_replace_value(draft->graph, place, result);
}

bool pt_is_cast(const PtDraft *draft, PtValueId value) {
  PtNodeId p = pt_value(draft->graph, value)->producer;
  return p != PT_NONE && g_str_has_prefix(pt_node(draft->graph, p)->op_type, "Cast");
}

static bool is_image_op(const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  return op && (op->op_class == PT_CLASS_CONV || op->op_class == PT_CLASS_POOL ||
                pt_op_is(node, "BatchNormalization"));
}
static bool is_matrix_op(const PtNode *node) {
  return pt_op_is(node, "MatMul") || pt_op_is(node, "Softmax") || pt_op_is(node, "Transpose") ||
         pt_op_is(node, "Reshape") || pt_op_is(node, "Einsum");
}

bool pt_is_image(const PtDraft *draft, PtValueId value) {
  const PtGraph *g = draft->graph;
  const PtValue *v = pt_value(g, value);
  bool image = false;
  if (v->type.rank != 4 || v->type.dims[1].size <= 0)
    return false;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
    const PtNode *node = pt_node(g, n);
    bool touches = v->producer == n;
    for (uint32_t i = 0; i < node->n_inputs; i++)
      touches |= node->inputs[i] == value;
    if (touches && is_matrix_op(node))
      return false;
    image |= is_image_op(node);
  }
  return image;
}

static uint32_t live_nodes(PtGraph *g) {
  uint32_t n = 0;
  pt_graph_remove_unused(g);
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++)
    n += !pt_node(g, i)->dead;
  return n;
}

/* Cleans up after an edit: what nobody reads goes, nodes are in order again. */
static bool settle(PtDraft *draft) {
  pt_graph_remove_unused(draft->graph);
  PtGraph *ordered = pt_rebuild(draft->graph, false);
  if (!ordered)
    return false;
  pt_graph_unref(draft->graph);
  draft->graph = ordered;
  return true;
}

uint32_t pt_edit(PtDraft *draft, uint32_t count, uint32_t target_nodes) {
  uint32_t done = 0;
  for (uint32_t tries = 0; done < count && tries < 6 * count + 6; tries++) {
    uint32_t n = live_nodes(draft->graph);
    double grow = n + 2 < target_nodes ? 0.75 : n > target_nodes + 2 ? 0.1 : 0.3;
    double shrink = n > target_nodes + 2 ? 0.7 : n + 2 < target_nodes ? 0.05 : 0.25;
    double u = pt_rng_unit(draft->rng);
    bool ok = u < grow            ? pt_edit_insert(draft)
              : u < grow + shrink ? pt_edit_remove(draft)
                                  : pt_edit_replace(draft);
    if (!ok && tries > 4 * count)
      ok = pt_edit_neutral(draft);
    if (!ok)
      continue;
    if (!settle(draft))
      return 0;
    done++;
  }
  return done;
}

/* ---- the model's habits
 * --------------------------------------------------------------------------------- */
static void count_graph(PtStyle *s, const PtGraph *g, uint32_t operators[32]) {
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
    const PtNode *node = pt_node(g, n);
    const PtOp *op = pt_op_of(node);
    operators[g_str_hash(node->op_type) % 32]++;
    if (node->domain[0] == '\0' && !g_hash_table_contains(s->likes, node->op_type))
      g_hash_table_insert(s->likes, (void *)(uintptr_t)node->op_type, (void *)(uintptr_t)node);
    s->batch_norm |= pt_op_is(node, "BatchNormalization");
    s->layer_norm |= pt_op_is(node, "LayerNormalization");
    s->clips |= pt_op_is(node, "Clip");
    s->erf |= pt_op_is(node, "Erf");
    if (!op || op->domain[0] != '\0' || op->op_class != PT_CLASS_ACTIVATION ||
        node->n_inputs != 1 || pt_op_is(node, "Clip"))
      continue;
    bool known = false;
    for (uint32_t i = 0; i < s->n_activations; i++)
      known |= g_str_equal(s->activation[i], op->name);
    if (!known && s->n_activations < G_N_ELEMENTS(s->activation))
      s->activation[s->n_activations++] = op->name;
  }
}

void pt_style_of(PtStyle *style, const PtGraph *real, GPtrArray *siblings) {
  uint32_t operators[32] = {0}, total = 0;
  memset(style, 0, sizeof *style);
  style->likes = g_hash_table_new(g_str_hash, g_str_equal);
  count_graph(style, real, operators);
  for (uint32_t i = 0; siblings && i < siblings->len; i++)
    count_graph(style, siblings->pdata[i], operators);
  for (int i = 0; i < 32; i++)
    total += operators[i];
  for (int i = 0; i < 32; i++)
    style->operators[i] = (uint8_t)((uint64_t)operators[i] * 255 / MAX(total, 1));
  bool sigmoid_only = style->n_activations == 1 && g_str_equal(style->activation[0], "Sigmoid");
  style->swish = sigmoid_only && !style->erf;
  if (style->n_activations == 0 && !style->clips)
    style->activation[style->n_activations++] = style->erf ? "Tanh" : "Relu";
}

void pt_style_clear(PtStyle *style) {
  g_clear_pointer(&style->likes, g_hash_table_unref);
}

uint32_t pt_style_strange(const PtStyle *style, const PtGraph *graph, PtNodeId first) {
  uint32_t n = 0;
  for (PtNodeId i = first; i < pt_graph_n_nodes(graph); i++) {
    const PtNode *node = pt_node(graph, i);
    n += !node->dead && node->domain[0] == '\0' &&
         !g_hash_table_contains(style->likes, node->op_type);
  }
  return n;
}
