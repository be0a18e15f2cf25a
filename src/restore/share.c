/* Nodes that compute the same are one: pieces carry copies of cheap chains (shapes, masks) so that
 * cutting them costs nothing; put together again, one copy does. */
#include "restore/restore_private.h"

#include "ops/ops.h"

#include <string.h>

typedef struct Sharer {
  PtGraph *graph;
  PtValueId *alias; /* [values] what stands for a value; itself where nothing does */
  bool *fixed;      /* [values] a graph output, or read by a nested graph: keeps its producer */
} Sharer;

static uint64_t hash_attr(const PtAttr *attr, uint64_t h) {
  h = pt_hash64(attr->name, strlen(attr->name), pt_hash_mix(h, attr->kind));
  switch (attr->kind) {
  case PT_ATTR_FLOAT:
  case PT_ATTR_FLOATS:
    return pt_hash64(attr->as.floats, attr->count * sizeof(float), h);
  case PT_ATTR_INT:
  case PT_ATTR_INTS:
    return pt_hash64(attr->as.ints, attr->count * sizeof(int64_t), h);
  default:
    return pt_hash_mix(h, attr->count);
  }
}

static guint hash_node(gconstpointer key) {
  const PtNode *node = key;
  uint64_t h = pt_hash64(node->op_type, strlen(node->op_type), node->n_outputs);
  h = pt_hash64(node->inputs, node->n_inputs * sizeof *node->inputs, h);
  uint64_t attrs = 0; /* their order does not matter */
  for (uint32_t a = 0; a < node->n_attrs; a++)
    attrs += hash_attr(&node->attrs[a], 0);
  return (guint)pt_hash_mix(h, attrs);
}

static gboolean nodes_equal(gconstpointer x, gconstpointer y) {
  const PtNode *a = x, *b = y;
  if (!g_str_equal(a->op_type, b->op_type) || !g_str_equal(a->domain, b->domain) ||
      a->n_inputs != b->n_inputs || a->n_outputs != b->n_outputs || a->n_attrs != b->n_attrs ||
      (a->n_inputs && memcmp(a->inputs, b->inputs, a->n_inputs * sizeof *a->inputs) != 0))
    return FALSE;
  for (uint32_t o = 0; o < a->n_outputs; o++)
    if ((a->outputs[o] == PT_NONE) != (b->outputs[o] == PT_NONE))
      return FALSE;
  for (uint32_t i = 0; i < a->n_attrs; i++) {
    const PtAttr *other = pt_node_attr(b, a->attrs[i].name);
    if (!other || !pt_attr_equal(&a->attrs[i], other))
      return FALSE;
  }
  return TRUE;
}

/* Only operators that are known to be functions of their inputs. */
static bool may_share(const Sharer *s, const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  if (!op || (op->flags & PT_OP_RANDOM) || op->op_class == PT_CLASS_CONTROL || node->n_captures)
    return false;
  for (uint32_t o = 0; o < node->n_outputs; o++)
    if (node->outputs[o] != PT_NONE && s->fixed[node->outputs[o]])
      return false;
  return true;
}

static void init(Sharer *s) {
  PtGraph *g = s->graph;
  s->alias = g_new(PtValueId, (gsize)pt_graph_n_values(g) + 1);
  s->fixed = g_new0(bool, (gsize)pt_graph_n_values(g) + 1);
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    s->alias[v] = v;
  for (guint i = 0; i < g->outputs->len; i++)
    s->fixed[pt_graph_output(g, i)] = true;
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
    for (uint32_t k = 0; k < pt_node(g, n)->n_captures; k++)
      s->fixed[pt_node(g, n)->captures[k]] = true;
}

uint32_t pt_share_nodes(PtGraph *graph) {
  Sharer s = {.graph = graph};
  uint32_t shared = 0;
  init(&s);
  g_autoptr(GHashTable) known = g_hash_table_new(hash_node, nodes_equal);
  for (PtNodeId n = 0; n < pt_graph_n_nodes(graph); n++) {
    PtNode *node = pt_node(graph, n);
    if (node->dead)
      continue;
    for (uint32_t k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] != PT_NONE)
        node->inputs[k] = s.alias[node->inputs[k]];
    const PtNode *first = g_hash_table_lookup(known, node);
    if (first && may_share(&s, node)) {
      for (uint32_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o] != PT_NONE)
          s.alias[node->outputs[o]] = first->outputs[o];
      node->dead = true;
      shared++;
    } else if (!first && !node->n_captures)
      g_hash_table_add(known, node);
  }
  g_free(s.alias);
  g_free(s.fixed);
  return shared;
}
