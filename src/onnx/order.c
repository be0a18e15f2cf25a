/* Nodes into a topological order that keeps the file's where it is free. */
#include "onnx/onnx_private.h"

static bool order_nested(PtReader *reader, const PtNode *node, GError **error) {
  for (uint32_t a = 0; a < node->n_attrs; a++) {
    const PtAttr *attr = &node->attrs[a];
    for (uint32_t k = 0; k < attr->count; k++)
      if ((attr->kind == PT_ATTR_GRAPH || attr->kind == PT_ATTR_GRAPHS) &&
          !pt_onnx_order(reader, attr->as.graphs[k], error))
        return false;
  }
  return true;
}

bool pt_onnx_order(PtReader *reader, PtGraph *graph, GError **error) {
  const uint32_t n = pt_graph_n_nodes(graph);
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)n + 1);
  GError *cycle = NULL;
  if (!pt_graph_toposort(graph, order, &cycle)) {
    pt_onnx_fail(reader, error, PT_ERR_INPUT, "%s", cycle->message);
    g_error_free(cycle);
    return false;
  }
  GArray *sorted = g_array_sized_new(FALSE, TRUE, sizeof(PtNode), n);
  for (PtNodeId i = 0; i < n; i++) {
    const PtNode *node = pt_node(graph, order[i]);
    g_array_append_val(sorted, *node);
    for (uint32_t k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] != PT_NONE)
        pt_value(graph, node->outputs[k])->producer = i;
  }
  g_array_unref(graph->nodes);
  graph->nodes = sorted;
  for (PtNodeId i = 0; i < n; i++)
    if (!order_nested(reader, pt_node(graph, i), error))
      return false;
  return true;
}
