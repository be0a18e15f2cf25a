/* ints: integers carry meaning: an identifier looks up a table and must stay within it, a size is a
 * size. */
#include "sentinel/sentinel_private.h"

enum {
  LOOKS_UP = 1 << 0, /* is an index as it comes */
  COUNTS = 1 << 1    /* an index or size is computed from it */
};

typedef struct Walk {
  const PtGraph *graph;
  uint8_t *from; /* [n_values] 1: the input as it is, 2: computed from it */
  unsigned flags;
  int64_t rows;
} Walk;

/* Whether input i of the node picks elements or steers a shape. */
static bool steers(const PtNode *node, const PtOp *op, uint32_t i) {
  (void)node;
  return i < 32 && (op->steering & 1u << i);
}

static void visit(Walk *w, const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  uint8_t from = 0;
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtValueId v = node->inputs[i];
    if (v == PT_NONE || !w->from[v] || (op && (op->flags & PT_OP_SHAPE_ONLY)))
      continue;
    if (op && steers(node, op, i)) {
      w->flags |= w->from[v] == 1 ? LOOKS_UP : COUNTS;
      const PtTensor *table =
          node->inputs[0] == PT_NONE ? NULL : pt_value(w->graph, node->inputs[0])->constant;
      if (w->from[v] == 1 && table && table->rank > 0)
        w->rows = MAX(w->rows, table->dims[0]);
      continue;
    }
    bool compares = op && op->op_class == PT_CLASS_COMPARE;
    bool passes = op && (op->flags & PT_OP_PASSES) && i == 0;
    uint8_t this = compares ? 0 : passes ? w->from[v] : 2;
    from = from > this ? from : this;
  }
  for (uint32_t i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PT_NONE)
      w->from[node->outputs[i]] = MAX(w->from[node->outputs[i]], from);
}

static Walk walk(const PtGraph *g, PtValueId input) {
  Walk w = {.graph = g, .from = g_new0(uint8_t, pt_graph_n_values(g) + 1)};
  w.from[input] = 1;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
    visit(&w, pt_node(g, n));
  g_free(w.from);
  return w;
}

bool pt_ints_fit(const PtGraph *donor, const PtGraph *real, const uint8_t *at, int64_t *rows) {
  *rows = 0;
  for (uint32_t i = 0; i < donor->inputs->len; i++) {
    PtValueId v = pt_graph_input(donor, i), r = pt_graph_input(real, at[i]);
    if (!pt_dtype_is_integer(pt_value(donor, v)->type.dtype))
      continue;
    Walk d = walk(donor, v);
    if (d.flags == 0)
      continue;
    if (d.flags & COUNTS)
      return false;
    Walk w = walk(real, r);
    if (!(w.flags & LOOKS_UP) || w.rows == 0)
      return false;
    *rows = MAX(*rows, w.rows);
  }
  return true;
}

bool *pt_find_fixed(const PtGraph *g) {
  bool *fixed = g_new0(bool, pt_graph_n_values(g) + 1);
  bool changed = true;
  for (int pass = 0; changed && pass < 64; pass++) {
    changed = false;
    for (PtNodeId n = pt_graph_n_nodes(g); n-- > 0;) {
      const PtNode *node = pt_node(g, n);
      const PtOp *op = pt_op_of(node);
      if (node->dead || (op && (op->flags & PT_OP_SHAPE_ONLY)))
        continue;
      bool whole = !op || op->op_class == PT_CLASS_CONTROL, any = whole;
      for (uint32_t i = 0; i < node->n_outputs; i++)
        any |= node->outputs[i] != PT_NONE &&
               (fixed[node->outputs[i]] ||
                pt_dtype_is_integer(pt_value(g, node->outputs[i])->type.dtype));
      for (uint32_t i = 0; i < node->n_inputs; i++) {
        PtValueId v = node->inputs[i];
        if (v == PT_NONE || fixed[v] || (!any && !(op && steers(node, op, i))))
          continue;
        fixed[v] = changed = true;
      }
    }
  }
  return fixed;
}
