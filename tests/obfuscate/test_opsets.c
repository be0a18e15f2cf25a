/* Opsets 11 to 20, with sizes that only running tells: every sentinel is valid in the model's own
 * opset, and none is missing. */
#include "check.h"

#include "base/base.h"
#include "onnx/onnx.h"

#include <glib/gstdio.h>
#include <math.h>

#ifndef OPSET_STEP
#define OPSET_STEP 3 /* 11, 14, 17, 20 */
#endif

static char *folder;

/* Weights that keep values where they are. */
static PtValueId weight(PtGraph *g, uint32_t rank, const int64_t *dims, float scale) {
  size_t count = 1;
  for (uint32_t i = 0; i < rank; i++)
    count *= (size_t)dims[i];
  g_autofree float *data = g_new(float, count);
  for (size_t i = 0; i < count; i++)
    data[i] = scale * sinf((float)(7 * i + rank + 1));
  return pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, rank, dims, data));
}

static PtValueId op(PtGraph *g, const char *name, PtValueId a, PtValueId b) {
  PtValueId in[] = {a, b};
  return pt_graph_add_op(g, name, in, b == PT_NONE ? 1 : 2);
}

static PtNodeId last(const PtGraph *g) {
  return pt_graph_n_nodes(g) - 1;
}

static PtValueId conv(PtGraph *g, PtValueId x, int64_t in, int64_t out) {
  const int64_t shape[] = {out, in, 3, 3}, kernel[] = {3, 3}, pads[] = {1, 1, 1, 1};
  PtValueId y = op(g, "Conv", x, weight(g, 4, shape, 0.2f));
  pt_node_set_ints(g, last(g), "kernel_shape", kernel, 2);
  pt_node_set_ints(g, last(g), "pads", pads, 4);
  return y;
}

/* Axes are an attribute before the opset `since`, an input from it on. */
static PtValueId with_axes(PtGraph *g, const char *name, PtValueId x, const int64_t *axes,
                           uint32_t n, int64_t since) {
  if (pt_graph_opset(g, "") >= since)
    return op(g, name, x, pt_graph_add_ints(g, axes, n));
  PtValueId y = op(g, name, x, PT_NONE);
  pt_node_set_ints(g, last(g), "axes", axes, n);
  return y;
}

static PtValueId clip(PtGraph *g, PtValueId x) {
  const float least = 0, most = 6;
  PtValueId in[] = {
      x, pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &least)),
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &most))};
  return pt_graph_add_op(g, "Clip", in, 3);
}

static PtGraph *begin(int64_t opset, int32_t rank, const PtDim *dims, PtValueId *x) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", opset);
  g->ir_version = 8;
  PtType type = pt_type_tensor(g, PT_FLOAT, rank, dims);
  *x = pt_graph_add_input(g, "secret_project_input", &type);
  return g;
}

/* Two residual blocks, a pooled head. */
static PtGraph *image_model(int64_t opset) {
  const PtDim dims[] = {{-1, "batch"}, {3, NULL}, {16, NULL}, {16, NULL}};
  const int64_t axes[] = {2, 3}, matrix[] = {8, 5};
  PtValueId x;
  PtGraph *g = begin(opset, 4, dims, &x);
  PtValueId y = clip(g, conv(g, x, 3, 8));
  for (int i = 0; i < 2; i++) {
    PtValueId z = op(g, "Relu", conv(g, y, 8, 8), PT_NONE);
    y = clip(g, op(g, "Add", y, conv(g, z, 8, 8)));
  }
  PtValueId mean = with_axes(g, "ReduceMean", y, axes, 2, 18);
  PtValueId flat = with_axes(g, "Squeeze", mean, axes, 2, 13);
  pt_graph_add_output(g, op(g, "MatMul", flat, weight(g, 2, matrix, 0.3f)));
  return g;
}

/* Two feed-forward blocks over a sequence, each with a softmax between. */
static PtGraph *sequence_model(int64_t opset) {
  const PtDim dims[] = {{-1, "batch"}, {-1, "steps"}, {12, NULL}};
  const int64_t up[] = {12, 24}, down[] = {24, 12}, bias[] = {24};
  PtValueId x, y;
  PtGraph *g = begin(opset, 3, dims, &x);
  y = x;
  for (int i = 0; i < 2; i++) {
    PtValueId z = op(g, "MatMul", y, weight(g, 2, up, 0.2f));
    z = op(g, "Softmax", op(g, "Add", z, weight(g, 1, bias, 0.1f)), PT_NONE);
    pt_node_set_int(g, last(g), "axis", 2);
    z = op(g, "Sigmoid", op(g, "MatMul", z, weight(g, 2, down, 0.5f)), PT_NONE);
    y = op(g, "Tanh", op(g, "Add", y, z), PT_NONE);
  }
  pt_graph_add_output(g, y);
  return g;
}

static void test_opset(const void *data) {
  int64_t opset = GPOINTER_TO_INT(data);
  for (int kind = 0; kind < 2; kind++) {
    g_autoptr(PtGraph) g = kind ? sequence_model(opset) : image_model(opset);
    g_autofree char *path = g_build_filename(folder, "model.onnx", NULL);
    GError *error = NULL;
    pt_onnx_write(g, path, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(check_model(folder, path, 2, 3, true), ==, 0);
    g_unlink(path);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = pt_dir_make_temp("opsets", NULL);
  for (int opset = 11; opset <= 20; opset += OPSET_STEP) {
    g_autofree char *path = g_strdup_printf("/obfuscate/opset/%d", opset);
    g_test_add_data_func(path, GINT_TO_POINTER(opset), test_opset);
  }
  int status = g_test_run();
  pt_dir_remove(folder);
  g_free(folder);
  return status;
}
