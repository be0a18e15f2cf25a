/* What reading makes simple: Constant nodes lifted, nested constants hoisted, functions inlined,
 * order restored. */
#include "make.h"
#include "same.h"

#include <string.h>

static const float two[2] = {1.5f, -2.0f};

static const PtNode *node_at(const PtGraph *graph, PtNodeId i, const char *op) {
  g_assert_cmpuint(i, <, pt_graph_n_nodes(graph));
  g_assert_cmpstr(pt_node(graph, i)->op_type, ==, op);
  return pt_node(graph, i);
}

static const char *input_name(const PtGraph *graph, const PtNode *node, uint32_t i) {
  g_assert_cmpuint(i, <, node->n_inputs);
  return node->inputs[i] == PT_NONE ? "" : pt_value(graph, node->inputs[i])->name;
}

static const PtTensor *constant(const PtGraph *graph, const char *name) {
  const PtValueId id = pt_graph_find(graph, name);
  g_assert_cmpuint(id, !=, PT_NONE);
  g_assert_nonnull(pt_value(graph, id)->constant);
  return pt_value(graph, id)->constant;
}

/* ---- Constant nodes -----------------------------------------------------------------------------
 */

static ProtobufCBinaryData text(Make *make, const char *string) {
  return (ProtobufCBinaryData){strlen(string), pt_arena_copy(make->arena, string, strlen(string))};
}

static Onnx__AttributeProto *value(Make *make, const char *output, const char *name, int32_t type) {
  Onnx__NodeProto *node = make_node(make, make->graph, "Constant", "", output);
  make_output(make, make->graph, output, 0, NULL);
  return make_attr(make, node, name, type);
}

static void test_constants(void) {
  g_autoptr(Make) make = make_new(8, 17);
  float floats[3] = {1, 2, 3};
  int64_t ints[2] = {-4, 5};
  ProtobufCBinaryData strings[2] = {text(make, "one"), text(make, "")};
  value(make, "t", "value", PT_ATTR_TENSOR)->t = make_tensor(make, "", PT_FLOAT, 2, two, 8);
  Onnx__AttributeProto *a = value(make, "f", "value_float", PT_ATTR_FLOAT);
  a->has_f = true;
  a->f = 2.5f;
  a = value(make, "fs", "value_floats", PT_ATTR_FLOATS);
  a->n_floats = 3;
  a->floats = floats;
  a = value(make, "i", "value_int", PT_ATTR_INT);
  a->has_i = true;
  a->i = INT64_MIN;
  a = value(make, "is", "value_ints", PT_ATTR_INTS);
  a->n_ints = 2;
  a->ints = ints;
  a = value(make, "s", "value_string", PT_ATTR_STRING);
  a->has_s = true;
  a->s = text(make, "hello");
  a = value(make, "ss", "value_strings", PT_ATTR_STRINGS);
  a->n_strings = 2;
  a->strings = strings;
  value(make, "none", "value_ints", PT_ATTR_INTS);
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  g_assert_cmpuint(pt_graph_n_nodes(graph), ==, 0);
  g_assert_cmpuint(graph->outputs->len, ==, 8);
  g_assert_cmpuint(constant(graph, "t")->rank, ==, 1);
  g_assert_cmpuint(constant(graph, "f")->rank, ==, 0);
  g_assert_cmpfloat(pt_tensor_float_at(constant(graph, "f"), 0), ==, 2.5);
  g_assert_cmpfloat(pt_tensor_float_at(constant(graph, "fs"), 2), ==, 3);
  int64_t got[2] = {0};
  g_assert_cmpint(pt_tensor_ints(constant(graph, "i"), got, 2), ==, 1);
  g_assert_cmpint(got[0], ==, INT64_MIN);
  g_assert_cmpint(pt_tensor_ints(constant(graph, "is"), got, 2), ==, 2);
  g_assert_cmpint(got[1], ==, 5);
  g_assert_cmpuint(constant(graph, "s")->rank, ==, 0);
  g_assert_cmpmem(g_bytes_get_data(constant(graph, "s")->strings[0], NULL), 5, "hello", 5);
  g_assert_cmpuint(constant(graph, "ss")->count, ==, 2);
  g_assert_cmpuint(g_bytes_get_size(constant(graph, "ss")->strings[1]), ==, 0);
  g_assert_cmpuint(constant(graph, "none")->count, ==, 0);
}

/* ---- inputs, outputs, order ---------------------------------------------------------------------
 */

static void test_borders(void) {
  g_autoptr(Make) make = make_new(3, 8);
  make_input(make, make->graph, "x", PT_FLOAT, "batch,2,?,-1");
  make_input(make, make->graph, "w", PT_FLOAT, "2");
  make_init(make, make->graph, "w", PT_FLOAT, 2, two, 8);
  make_init(make, make->graph, "unused", PT_FLOAT, 2, two, 8);
  make_init(make, make->graph, "out", PT_FLOAT, 2, two, 8);
  make_node(make, make->graph, "Add", "x,w", "y");
  make_append(make, make->graph, value_info, make_info(make, "y", PT_FLOAT, "batch,2,?,seq"));
  make_output(make, make->graph, "out", PT_FLOAT, "2");
  make_output(make, make->graph, "x", PT_FLOAT, NULL);
  make_output(make, make->graph, "y", 0, NULL);
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  g_assert_cmpint(graph->ir_version, ==, 4); /* initializers are no longer inputs */
  g_assert_cmpuint(graph->inputs->len, ==, 1);
  g_assert_cmpuint(graph->outputs->len, ==, 3);
  g_assert_cmpuint(pt_graph_find(graph, "unused"), ==, PT_NONE);
  g_assert_nonnull(constant(graph, "out"));
  g_assert_cmpuint(pt_graph_output(graph, 1), ==, pt_graph_input(graph, 0));
  const PtType *x = &pt_value(graph, pt_graph_input(graph, 0))->type;
  g_assert_cmpint(x->rank, ==, 4);
  g_assert_cmpint(x->dims[0].size, ==, -1);
  g_assert_cmpstr(x->dims[0].symbol, ==, "batch");
  g_assert_cmpint(x->dims[1].size, ==, 2);
  g_assert_cmpint(x->dims[2].size, ==, -1);
  g_assert_null(x->dims[2].symbol);
  g_assert_cmpint(x->dims[3].size, ==, -1);
  const PtType *y = &pt_value(graph, pt_graph_output(graph, 2))->type;
  g_assert_cmpstr(y->dims[3].symbol, ==, "seq");
}

static void test_order(void) {
  g_autoptr(Make) make = make_new(8, 17);
  make_input(make, make->graph, "x", PT_FLOAT, "2");
  make_node(make, make->graph, "Sub", "c,b", "d"); /* before what it reads */
  make_node(make, make->graph, "Neg", "x", "b");
  make_node(make, make->graph, "Abs", "x", "c");
  make_node(make, make->graph, "Exp", "x", "e"); /* used by nobody, and stays */
  make_node(make, make->graph, "Clip", "d,,x", "f,");
  make_output(make, make->graph, "f", PT_FLOAT, "2");
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  const char *expected[] = {"Neg", "Abs", "Sub", "Exp", "Clip"};
  for (PtNodeId i = 0; i < 5; i++)
    node_at(graph, i, expected[i]);
  const PtNode *clip = node_at(graph, 4, "Clip");
  g_assert_cmpuint(clip->inputs[1], ==, PT_NONE);
  g_assert_cmpuint(clip->outputs[1], ==, PT_NONE);
}

static void test_opaque(void) {
  g_autoptr(Make) make = make_new(8, 17);
  Onnx__TypeProto__Sequence sequence = ONNX__TYPE_PROTO__SEQUENCE__INIT;
  Onnx__ValueInfoProto *info = make_info(make, "seq", PT_FLOAT, "2");
  sequence.elem_type = info->type;
  Onnx__TypeProto type = ONNX__TYPE_PROTO__INIT;
  type.value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
  type.sequence_type = &sequence;
  info->type = &type;
  make_append(make, make->graph, input, info);
  Onnx__NodeProto *node = make_node(make, make->graph, "Optional", "seq", "o");
  make_attr(make, node, "type", PT_ATTR_TYPE)->tp = &type;
  make_output(make, make->graph, "o", 0, NULL);
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  const PtType *got = &pt_value(graph, pt_graph_input(graph, 0))->type;
  g_assert_cmpint(got->kind, ==, PT_TYPE_OPAQUE);
  g_assert_cmpuint(got->opaque_size, ==, onnx__type_proto__get_packed_size(&type));
  g_assert_cmpint(pt_node_attr(pt_node(graph, 0), "type")->kind, ==, PT_ATTR_TYPE);
}

/* ---- nested graphs ------------------------------------------------------------------------------
 */

static Onnx__GraphProto *branch(Make *make, const char *op, const char *inputs, float weight) {
  const float w[2] = {weight, weight};
  Onnx__GraphProto *graph = make_graph(make, op);
  make_init(make, graph, "w", PT_FLOAT, 2, w, 8);
  make_node(make, graph, op, inputs, "r");
  make_output(make, graph, "r", PT_FLOAT, "2");
  return graph;
}

static void test_branches(void) {
  g_autoptr(Make) make = make_new(8, 17);
  make_input(make, make->graph, "c", PT_BOOL, "");
  make->graph->input[0]->type->tensor_type->shape->n_dim = 0;
  make_input(make, make->graph, "x", PT_FLOAT, "2");
  Onnx__GraphProto *then = branch(make, "Add", "x,w", 1),
                   *otherwise = branch(make, "Mul", "late,w", 2);
  /* outputs that come from outside: a constant of the branch, and a value of the main graph */
  make_output(make, then, "w", PT_FLOAT, "2");
  make_output(make, otherwise, "x", PT_FLOAT, "2");
  Onnx__NodeProto *node = make_node(make, make->graph, "If", "c", "y,z");
  make_attr_graph(make, node, "then_branch", then);
  make_attr_graph(make, node, "else_branch", otherwise);
  make_node(make, make->graph, "Neg", "x", "late"); /* after the node whose branch reads it */
  make_output(make, make->graph, "y", PT_FLOAT, "2");
  make_output(make, make->graph, "z", PT_FLOAT, "2");
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  node_at(graph, 0, "Neg");
  const PtNode *got = node_at(graph, 1, "If");
  /* both weights are the main graph's now, under different names, and captured with x and late */
  g_assert_cmpuint(got->n_captures, ==, 4);
  uint32_t constants = 0;
  for (uint32_t i = 0; i < 4; i++)
    constants += pt_value(graph, got->captures[i])->constant != NULL;
  g_assert_cmpuint(constants, ==, 2);
  const PtGraph *nested = pt_node_attr(got, "then_branch")->as.graphs[0];
  g_assert_true(nested->parent == graph);
  const PtNode *add = node_at(nested, 0, "Add");
  const PtValue *w = pt_value(nested, add->inputs[1]);
  g_assert_null(w->constant);
  g_assert_cmpfloat(pt_tensor_float_at(pt_value(graph, w->outer)->constant, 0), ==, 1);
  const PtNode *identity = node_at(nested, 1, "Identity");
  g_assert_cmpuint(identity->inputs[0], ==, add->inputs[1]);
  g_assert_cmpuint(pt_graph_output(nested, 1), ==, identity->outputs[0]);
  nested = pt_node_attr(got, "else_branch")->as.graphs[0];
  node_at(nested, 1, "Identity");
  g_assert_cmpstr(input_name(nested, node_at(nested, 0, "Mul"), 0), ==, "late");
}

static void test_deep_capture(void) {
  g_autoptr(Make) make = make_new(8, 17);
  make_input(make, make->graph, "c", PT_BOOL, "1");
  make_input(make, make->graph, "x", PT_FLOAT, "2");
  /* the branch within the branch reads x, and shadows y */
  Onnx__GraphProto *inner = make_graph(make, "inner"), *outer = make_graph(make, "outer");
  make_node(make, inner, "Neg", "x", "y");
  make_output(make, inner, "y", PT_FLOAT, "2");
  make_attr_graph(make, make_node(make, outer, "If", "c", "i"), "then_branch", inner);
  make_output(make, outer, "i", PT_FLOAT, "2");
  make_attr_graph(make, make_node(make, make->graph, "If", "c", "o"), "then_branch", outer);
  make_node(make, make->graph, "Add", "x,o", "y");
  make_output(make, make->graph, "y", PT_FLOAT, "2");
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  const PtNode *node = node_at(graph, 0, "If");
  g_assert_cmpuint(node->n_captures, ==, 2); /* c and x, through two graphs */
  const PtGraph *first = pt_node_attr(node, "then_branch")->as.graphs[0];
  const PtGraph *second = pt_node_attr(pt_node(first, 0), "then_branch")->as.graphs[0];
  const PtNode *neg = node_at(second, 0, "Neg");
  const PtValue *x = pt_value(second, neg->inputs[0]);
  g_assert_cmpuint(pt_value(first, x->outer)->outer, ==, pt_graph_find(graph, "x"));
  g_assert_cmpstr(pt_value(second, neg->outputs[0])->name, !=, "y");
}

static void test_loop_body(void) {
  g_autoptr(Make) make = make_new(8, 17);
  make_input(make, make->graph, "x", PT_FLOAT, "2");
  Onnx__GraphProto *body = make_graph(make, "body");
  make_input(make, body, "i", PT_INT64, "1");
  make_input(make, body, "go", PT_BOOL, "1");
  make_input(make, body, "acc", 0, NULL);            /* nested inputs need no type */
  make_init(make, body, "acc", PT_FLOAT, 2, two, 8); /* a default that is never read */
  make_attr_int(make, make_node(make, body, "Constant", "", "one"), "value_int", 1);
  make_node(make, body, "Add", "acc,x", "sum");
  make_node(make, body, "Gather", "sum,one", "scan");
  make_output(make, body, "go", PT_BOOL, "1"); /* an input of its own stays as it is */
  make_output(make, body, "sum", PT_FLOAT, "2");
  make_output(make, body, "scan", PT_FLOAT, "1");
  make_attr_graph(make, make_node(make, make->graph, "Loop", ",,x", "y,s"), "body", body);
  make_output(make, make->graph, "y", PT_FLOAT, "2");
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  const PtNode *loop = node_at(graph, 0, "Loop");
  g_assert_cmpuint(loop->inputs[0], ==, PT_NONE);
  const PtGraph *nested = pt_node_attr(loop, "body")->as.graphs[0];
  g_assert_cmpuint(nested->inputs->len, ==, 3);
  g_assert_cmpuint(pt_graph_n_nodes(nested), ==, 2);
  g_assert_cmpuint(pt_graph_output(nested, 0), ==, pt_graph_input(nested, 1));
  g_assert_nonnull(constant(graph, "one"));
  g_assert_cmpuint(loop->n_captures, ==, 2);
}

static void test_nested_errors(void) {
  g_autoptr(Make) make = make_new(8, 17);
  make_input(make, make->graph, "c", PT_BOOL, "1");
  Onnx__GraphProto *then = branch(make, "Add", "ghost,w", 1);
  make_attr_graph(make, make_node(make, make->graph, "If", "c", "y"), "then_branch", then);
  make_fails(make, NULL, PT_ERR_INPUT, "reads 'ghost'");
  then->node[0]->input[0] = (char *)(uintptr_t) "r";
  make_fails(make, NULL, PT_ERR_INPUT, "cycle");
  then->node[0]->input[0] = (char *)(uintptr_t) "y"; /* what the If itself makes */
  make_fails(make, NULL, PT_ERR_INPUT, "cycle");
  then->node[0]->input[0] = (char *)(uintptr_t) "w";
  make_output(make, then, "ghost", PT_FLOAT, "2");
  make_fails(make, NULL, PT_ERR_INPUT, "graph output 'ghost'");
}

/* ---- functions ----------------------------------------------------------------------------------
 */

/* scale(x, b) -> y: x * alpha + b; alpha 2 unless given */
static Onnx__FunctionProto *scale(Make *make, int64_t opset) {
  Onnx__FunctionProto *f = make_function(make, "my", "Scale", "x,b", "y", opset);
  Onnx__AttributeProto *alpha = make_attr(make, NULL, "alpha", PT_ATTR_FLOAT);
  alpha->has_f = true;
  alpha->f = 2;
  make_append(make, f, attribute_proto, alpha);
  Onnx__NodeProto *c = make_loose_node(make, "Constant", "", "a");
  make_attr_ref(make, c, "value_float", PT_ATTR_FLOAT, "alpha");
  make_append(make, f, node, c);
  make_append(make, f, node, make_loose_node(make, "Mul", "x,a", "m"));
  make_append(make, f, node, make_loose_node(make, "Add", "m,b", "y"));
  return f;
}

static Make *with_function(void) {
  Make *make = make_new(10, 17);
  make_import(make, "my", 1);
  make_input(make, make->graph, "x", PT_FLOAT, "2");
  make_output(make, make->graph, "z", PT_FLOAT, "2");
  return make;
}

static void test_inline(void) {
  g_autoptr(Make) make = with_function();
  scale(make, 17);
  make_attr_float(make, make_node(make, make->graph, "my:Scale", "x,x", "m"), "alpha", 7);
  make_node(make, make->graph, "my:Scale", "m,", "z");
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  g_assert_cmpuint(pt_graph_n_nodes(graph), ==, 4);
  g_assert_cmpint(pt_graph_opset(graph, "my"), ==, -1); /* nothing of it is left */
  const PtNode *mul = node_at(graph, 0, "Mul"), *add = node_at(graph, 1, "Add");
  g_assert_cmpstr(input_name(graph, mul, 0), ==, "x");
  g_assert_cmpfloat(pt_tensor_float_at(pt_value(graph, mul->inputs[1])->constant, 0), ==, 7);
  g_assert_cmpuint(add->inputs[0], ==, mul->outputs[0]);
  g_assert_cmpuint(add->outputs[0], ==, pt_graph_find(graph, "m"));
  mul = node_at(graph, 2, "Mul");
  g_assert_cmpfloat(pt_tensor_float_at(pt_value(graph, mul->inputs[1])->constant, 0), ==, 2);
  g_assert_cmpuint(node_at(graph, 3, "Add")->inputs[1], ==, PT_NONE); /* left out by the call */
  g_assert_cmpuint(pt_node(graph, 3)->outputs[0], ==, pt_graph_output(graph, 0));
}

static void test_inline_nested(void) {
  g_autoptr(Make) make = with_function();
  scale(make, 17);
  /* Outer(x) -> y, k, x: calls Scale with its own beta as alpha inside an If of its own */
  Onnx__FunctionProto *f = make_function(make, "my", "Outer", "x", "y,k,x", 17);
  Onnx__OperatorSetIdProto import = ONNX__OPERATOR_SET_ID_PROTO__INIT;
  import.domain = (char *)(uintptr_t) "my";
  import.has_version = true;
  import.version = 3;
  make_append(make, f, opset_import, &import);
  Onnx__NodeProto *k = make_loose_node(make, "Constant", "", "k");
  make_attr_int(make, k, "value_int", 5);
  make_append(make, f, node, k);
  Onnx__GraphProto *then = make_graph(make, "then");
  Onnx__NodeProto *call = make_node(make, then, "my:Scale", "x,k", "r");
  make_attr_ref(make, call, "alpha", PT_ATTR_FLOAT, "beta");
  make_output(make, then, "r", 0, NULL);
  Onnx__NodeProto *branching = make_loose_node(make, "If", "k", "y");
  make_attr_graph(make, branching, "then_branch", then);
  make_append(make, f, node, branching);
  make_append(make, f, attribute, (void *)(uintptr_t) "beta");
  make_attr_float(make, make_node(make, make->graph, "my:Outer", "x", "z,zk,zx"), "beta", 9);
  make_node(make, make->graph, "my:Outer", "z", "z2");
  make_output(make, make->graph, "zk", 0, NULL);
  make_output(make, make->graph, "zx", 0, NULL);
  make_output(make, make->graph, "z2", 0, NULL);
  g_autoptr(PtGraph) graph = make_read(make, NULL);
  /* If, two Identity for a constant and for an input that is passed on, If */
  g_assert_cmpuint(pt_graph_n_nodes(graph), ==, 4);
  const PtNode *first = node_at(graph, 0, "If"), *second = node_at(graph, 3, "If");
  node_at(graph, 1, "Identity");
  g_assert_cmpstr(input_name(graph, node_at(graph, 2, "Identity"), 0), ==, "x");
  const float expected[2] = {9, 2};
  for (int i = 0; i < 2; i++) {
    const PtGraph *nested = pt_node_attr(i ? second : first, "then_branch")->as.graphs[0];
    g_assert_cmpuint(pt_graph_n_nodes(nested), ==, 2);
    const PtValue *alpha = pt_value(nested, node_at(nested, 0, "Mul")->inputs[1]);
    const PtTensor *t = pt_value(graph, alpha->outer)->constant;
    g_assert_cmpfloat(pt_tensor_float_at(t, 0), ==, (double)expected[i]);
  }
}

static void test_function_errors(void) {
  g_autoptr(Make) version = with_function();
  scale(version, 16);
  make_node(version, version->graph, "my:Scale", "x,x", "z");
  make_fails(version, NULL, PT_ERR_UNSUPPORTED, "function 'Scale' imports version 16");
  g_autoptr(Make) import = with_function();
  scale(import, 17)->n_opset_import = 0;
  make_node(import, import->graph, "my:Scale", "x,x", "z");
  make_fails(import, NULL, PT_ERR_INPUT, "which function 'Scale' does not import");
  g_autoptr(Make) self = with_function();
  Onnx__FunctionProto *f = scale(self, 17);
  make_append(self, f, node, make_loose_node(self, "my:Scale", "x,b", "again"));
  make_node(self, self->graph, "my:Scale", "x,x", "z");
  make_fails(self, NULL, PT_ERR_INPUT, "function 'Scale' calls itself");
  g_autoptr(Make) twice = with_function();
  scale(twice, 17);
  scale(twice, 17);
  make_fails(twice, NULL, PT_ERR_INPUT, "two functions named 'Scale'");
  g_autoptr(Make) overloads = with_function();
  scale(overloads, 17);
  scale(overloads, 17)->overload = (char *)(uintptr_t) "other";
  make_node(overloads, overloads->graph, "my:Scale", "x,x", "z")->overload =
      (char *)(uintptr_t) "other";
  pt_graph_unref(make_read(overloads, NULL));
  g_autoptr(Make) many = with_function();
  scale(many, 17);
  make_node(many, many->graph, "my:Scale", "x,x,x", "z");
  make_fails(many, NULL, PT_ERR_INPUT, "more inputs or outputs than the function");
  g_autoptr(Make) nothing = with_function();
  scale(nothing, 17)->output[0] = (char *)(uintptr_t) "ghost";
  make_node(nothing, nothing->graph, "my:Scale", "x,x", "z");
  make_fails(nothing, NULL, PT_ERR_INPUT, "nothing makes the output 'ghost'");
  g_autoptr(Make) type = with_function();
  scale(type, 17);
  make_attr_int(type, make_node(type, type->graph, "my:Scale", "x,x", "z"), "alpha", 1);
  make_fails(type, NULL, PT_ERR_INPUT, "another type");
  g_autoptr(Make) given = with_function();
  scale(given, 17)->n_attribute_proto = 0;
  make_node(given, given->graph, "my:Scale", "x,x", "z");
  make_fails(given, NULL, PT_ERR_INPUT, "does not give");
}

/* Each function calls the one before ten times: 10^8 nodes out of a kilobyte. */
static void test_bomb(void) {
  g_autoptr(Make) make = with_function();
  for (int level = 0; level < 8; level++) {
    char name[2] = {(char)('a' + level), 0}, below[8];
    Onnx__FunctionProto *f = make_function(make, "my", name, "x", "y", 17);
    g_snprintf(below, sizeof below, level ? "my:%c" : "Neg", 'a' + level - 1);
    for (int i = 0; i < 10; i++) {
      g_autofree char *out = i < 9 ? g_strdup_printf("y%d", i) : g_strdup("y");
      make_append(make, f, node, make_loose_node(make, below, "x", out));
    }
  }
  make_node(make, make->graph, "my:h", "x", "z");
  const PtOnnxReadOptions options = {.max_nodes = 20000};
  make_fails(make, &options, PT_ERR_LIMIT, "more than 20000 nodes");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/onnx/nested/constants", test_constants);
  g_test_add_func("/onnx/nested/borders", test_borders);
  g_test_add_func("/onnx/nested/order", test_order);
  g_test_add_func("/onnx/nested/opaque", test_opaque);
  g_test_add_func("/onnx/nested/branches", test_branches);
  g_test_add_func("/onnx/nested/deep-capture", test_deep_capture);
  g_test_add_func("/onnx/nested/loop-body", test_loop_body);
  g_test_add_func("/onnx/nested/errors", test_nested_errors);
  g_test_add_func("/onnx/functions/inline", test_inline);
  g_test_add_func("/onnx/functions/inline-nested", test_inline_nested);
  g_test_add_func("/onnx/functions/errors", test_function_errors);
  g_test_add_func("/onnx/functions/bomb", test_bomb);
  return g_test_run();
}
