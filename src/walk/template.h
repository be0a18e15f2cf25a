/* template.h: a node read as a template; between template*.c. */
#ifndef PT_WALK_TEMPLATE_H
#define PT_WALK_TEMPLATE_H

#include "walk/walk_private.h"

typedef struct PtReader {
  PtWalkLibrary *library;
  const PtNodeView *view;
  const PtNode *node;
  PtWalkTemplate *t;
  PtWalkType in; /* first data input */
  int32_t width;
} PtReader;

/* The constant at input i, or NULL. */
static inline const PtTensor *pt_reader_constant(const PtReader *r, uint32_t i) {
  const PtNode *n = r->node;
  return i < n->n_inputs && n->inputs[i] != PT_NONE
             ? pt_value(r->view->graph, n->inputs[i])->constant
             : NULL;
}
/* Attributes of the template's node. */
static inline void pt_reader_set(PtReader *r, const char *name, int64_t value) {
  pt_node_set_int(r->library->store, r->t->node, name, value);
}
static inline void pt_reader_drop(PtReader *r, const char *name) {
  pt_walk_drop_attr(pt_node(r->library->store, r->t->node), name);
}
/* An axis of the first data input, counted from the front. */
static inline int64_t pt_reader_axis(const PtReader *r, const char *name, int64_t fallback) {
  int64_t axis = pt_node_int(r->node, name, fallback);
  return axis < 0 ? axis + r->in.rank : axis;
}
static inline int64_t pt_reader_opset(const PtReader *r) {
  return pt_graph_opset(r->view->graph, "");
}

/* template_rule.c: the rule that this operator's nodes may have, with its attributes and constants;
 * false: none. Then a family of operators each: */
bool pt_read_rule(PtReader *r);
/* template_window.c */
bool pt_read_conv(PtReader *r);
bool pt_read_conv_transpose(PtReader *r);
bool pt_read_pool(PtReader *r);
/* template_move.c */
bool pt_read_reduce(PtReader *r);
bool pt_read_move(PtReader *r);

#endif
