#include "same.h"

#include <string.h>

/* g_assert_cmpmem without its conversion to int */
static void same_bytes(const void *a, size_t n_a, const void *b, size_t n_b) {
  g_assert_cmpuint(n_a, ==, n_b);
  g_assert_true(n_a == 0 || memcmp(a, b, n_a) == 0);
}

void pt_assert_same_tensor(const PtTensor *a, const PtTensor *b) {
  g_assert_cmpint(a->dtype, ==, b->dtype);
  same_bytes(a->dims, a->rank * sizeof *a->dims, b->dims, b->rank * sizeof *b->dims);
  g_assert_cmpuint(a->count, ==, b->count);
  g_assert_cmpuint(a->size, ==, b->size);
  g_assert_cmpstr(a->location, ==, b->location);
  g_assert_cmpuint(a->offset, ==, b->offset);
  g_assert_true((a->data == NULL) == (b->data == NULL));
  if (a->data)
    same_bytes(a->data, a->size, b->data, b->size);
  g_assert_true((a->strings == NULL) == (b->strings == NULL));
  for (size_t i = 0; a->strings && i < a->count; i++)
    g_assert_true(g_bytes_equal(a->strings[i], b->strings[i]));
}

static void same_type(const PtType *a, const PtType *b) {
  g_assert_cmpint(a->kind, ==, b->kind);
  g_assert_true(pt_type_equal(a, b));
  same_bytes(a->opaque, a->opaque_size, b->opaque, b->opaque_size);
}

static void same_attr(const PtAttr *a, const PtAttr *b) {
  g_assert_cmpstr(a->name, ==, b->name);
  g_assert_cmpint(a->kind, ==, b->kind);
  g_assert_cmpuint(a->count, ==, b->count);
  for (uint32_t i = 0; i < a->count; i++)
    switch (a->kind) {
    case PT_ATTR_FLOAT:
    case PT_ATTR_FLOATS:
      same_bytes(&a->as.floats[i], 4, &b->as.floats[i], 4);
      break;
    case PT_ATTR_INT:
    case PT_ATTR_INTS:
      g_assert_cmpint(a->as.ints[i], ==, b->as.ints[i]);
      break;
    case PT_ATTR_TENSOR:
    case PT_ATTR_TENSORS:
      pt_assert_same_tensor(a->as.tensors[i], b->as.tensors[i]);
      break;
    case PT_ATTR_GRAPH:
    case PT_ATTR_GRAPHS:
      pt_assert_same(a->as.graphs[i], b->as.graphs[i]);
      break;
    default:
      g_assert_true(g_bytes_equal(a->as.strings[i], b->as.strings[i]));
    }
}

static void same_ids(const PtGraph *a, const PtValueId *in_a, uint32_t n_a, const PtGraph *b,
                     const PtValueId *in_b, uint32_t n_b) {
  g_assert_cmpuint(n_a, ==, n_b);
  for (uint32_t i = 0; i < n_a; i++)
    g_assert_cmpstr(in_a[i] == PT_NONE ? NULL : pt_value(a, in_a[i])->name, ==,
                    in_b[i] == PT_NONE ? NULL : pt_value(b, in_b[i])->name);
}

static void same_node(const PtGraph *ga, const PtNode *a, const PtGraph *gb, const PtNode *b) {
  g_assert_cmpstr(a->name, ==, b->name);
  g_assert_cmpstr(a->domain, ==, b->domain);
  g_assert_cmpstr(a->op_type, ==, b->op_type);
  same_ids(ga, a->inputs, a->n_inputs, gb, b->inputs, b->n_inputs);
  same_ids(ga, a->outputs, a->n_outputs, gb, b->outputs, b->n_outputs);
  g_assert_cmpuint(a->n_captures, ==, b->n_captures);
  g_assert_cmpuint(a->n_attrs, ==, b->n_attrs);
  for (uint32_t i = 0; i < a->n_attrs; i++)
    same_attr(&a->attrs[i], &b->attrs[i]);
}

void pt_assert_same(const PtGraph *a, const PtGraph *b) {
  g_assert_cmpstr(a->name, ==, b->name);
  g_assert_cmpint(a->ir_version, ==, b->ir_version);
  g_assert_cmpuint(a->opsets->len, ==, b->opsets->len);
  for (guint i = 0; i < a->opsets->len; i++) {
    const PtOpset *opset = &g_array_index(a->opsets, PtOpset, i);
    g_assert_cmpint(opset->version, ==, pt_graph_opset(b, opset->domain));
  }
  same_ids(a, (const PtValueId *)(const void *)a->inputs->data, a->inputs->len, b,
           (const PtValueId *)(const void *)b->inputs->data, b->inputs->len);
  same_ids(a, (const PtValueId *)(const void *)a->outputs->data, a->outputs->len, b,
           (const PtValueId *)(const void *)b->outputs->data, b->outputs->len);
  g_assert_cmpuint(pt_graph_n_values(a), ==, pt_graph_n_values(b));
  for (PtValueId i = 0; i < pt_graph_n_values(a); i++) {
    const PtValue *x = pt_value(a, i);
    const PtValueId other = pt_graph_find(b, x->name);
    g_assert_cmpuint(other, !=, PT_NONE);
    const PtValue *y = pt_value(b, other);
    same_type(&x->type, &y->type);
    g_assert_true((x->producer == PT_NONE) == (y->producer == PT_NONE));
    g_assert_true((x->outer == PT_NONE) == (y->outer == PT_NONE));
    g_assert_true(x->is_input == y->is_input);
    g_assert_true((x->constant == NULL) == (y->constant == NULL));
    if (x->constant)
      pt_assert_same_tensor(x->constant, y->constant);
  }
  g_assert_cmpuint(pt_graph_n_nodes(a), ==, pt_graph_n_nodes(b));
  for (PtNodeId i = 0; i < pt_graph_n_nodes(a); i++)
    same_node(a, pt_node(a, i), b, pt_node(b, i));
}

GPtrArray *pt_corpus_paths(void) {
  g_autofree char *folder = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", NULL);
  g_autoptr(GError) error = NULL;
  GPtrArray *names = pt_dir_list(folder, ".onnx", &error);
  g_assert_no_error(error);
  GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < names->len; i++)
    g_ptr_array_add(paths, g_build_filename(folder, names->pdata[i], NULL));
  g_ptr_array_unref(names);
  return paths;
}
