/* What bind does with answers that no optimizer of ours wrote: slices that are none of the piece's,
 * derivations that are no derivations, and results that do not fit. Refused with one sentence;
 * never a crash, never much memory. */
#include "pieces.h"
#include "rebind/rebind.h"

#include <string.h>

#define MARK "pt_rebind_0"

static float first[12], second[8];
static PtGraph *owner;
static PtBinding bindings[2]; /* bytes 400 to 448 and 448 to 480 of the noise */

static void set_up(void) {
  owner = pt_piece_graph(17);
  for (int i = 0; i < 12; i++)
    first[i] = (float)i + 0.5f;
  for (int i = 0; i < 8; i++)
    second[i] = (float)-i;
  bindings[0] = (PtBinding){448, pt_graph_tensor(owner, PT_FLOAT, 1, (int64_t[]){8}, second)};
  bindings[1] = (PtBinding){400, pt_graph_tensor(owner, PT_FLOAT, 2, (int64_t[]){3, 4}, first)};
}

static PtValueId slice(PtGraph *g, PtDtype dtype, uint64_t offset, const int64_t *dims,
                       size_t rank) {
  PtTensor *t = pt_graph_tensor(g, dtype, (uint32_t)rank, dims, NULL);
  t->location = "noise.bin";
  t->offset = offset;
  return pt_graph_add_constant(g, NULL, t);
}

static PtValueId marked(PtGraph *g, PtValueId value) {
  pt_node(g, pt_piece_node(g, value))->name = MARK;
  return value;
}

/* `value` is used by a node that stays. */
static PtGraph *answer(PtGraph *g, PtValueId value) {
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(1));
  pt_graph_add_output(g, pt_piece_op(g, "Add", value, x, PT_NONE));
  return g;
}

static const PtTensor *bind(PtGraph *g, unsigned threads) {
  GError *error = NULL;
  pt_rebind_bind(g, bindings, 2, threads, &error);
  g_assert_no_error(error);
  g_assert_true(pt_graph_check(g, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 1);
  return pt_value(g, pt_node(g, 0)->inputs[0])->constant;
}

/* Takes the graph. */
static void refused(PtGraph *g) {
  GError *error = NULL;
  g_assert_false(pt_rebind_bind(g, bindings, 2, 1, &error));
  g_assert_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED);
  g_clear_error(&error);
  pt_graph_unref(g);
}

static void expect(PtGraph *graph, uint32_t count, const float *values) {
  g_autoptr(PtGraph) g = graph;
  const PtTensor *t = bind(g, 1);
  g_assert_cmpuint(t->count, ==, count);
  g_assert_cmpint(memcmp(t->data, values, count * sizeof *values), ==, 0);
}

static void test_slices(void) {
  PtGraph *g = pt_piece_graph(17);
  g = answer(g, slice(g, PT_FLOAT, 400, DIMS(3, 4)));
  const PtTensor *t = bind(g, 1);
  g_assert_true(t->data == (const uint8_t *)first); /* referenced, not copied */
  pt_graph_unref(g);
  g = pt_piece_graph(17);
  expect(answer(g, slice(g, PT_FLOAT, 408, DIMS(2, 2))), 4, first + 2);
  g = pt_piece_graph(17);
  expect(answer(g, slice(g, PT_FLOAT, 448, DIMS(8))), 8, second);
  static const struct {
    PtDtype dtype;
    uint64_t offset;
    int64_t count;
  } bad[] = {{PT_FLOAT, 396, 4},
             {PT_FLOAT, 0, 4},
             {PT_FLOAT, 440, 4} /* over the border of two */,
             {PT_FLOAT, 400, 13},
             {PT_FLOAT, 402, 4},
             {PT_INT32, 400, 4},
             {PT_FLOAT16, 400, 4},
             {PT_FLOAT, 480, 1},
             {PT_FLOAT, UINT64_MAX, 1},
             {PT_FLOAT, 400, INT64_C(1) << 60}};
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
    g = pt_piece_graph(17);
    PtTensor *huge = pt_graph_tensor(g, bad[i].dtype, 1, &bad[i].count, NULL);
    if (huge) /* a size that no tensor can have is not read in the first place */
      refused(answer(g, slice(g, bad[i].dtype, bad[i].offset, DIMS(bad[i].count))));
    else
      pt_graph_unref(g);
  }
  g = pt_piece_graph(17);
  PtValueId v = slice(g, PT_FLOAT, 400, DIMS(3, 4));
  pt_value(g, v)->constant->location = "../noise.bin";
  refused(answer(g, v));
}

static void test_derivations(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId v = slice(g, PT_FLOAT, 400, DIMS(3, 4));
  v = marked(g, pt_piece_op(g, "Transpose", v, PT_NONE));
  const float columns[12] = {0.5f, 4.5f, 8.5f,  1.5f, 5.5f, 9.5f,
                             2.5f, 6.5f, 10.5f, 3.5f, 7.5f, 11.5f};
  expect(answer(g, v), 12, columns);
  /* shared, reshaped and used twice */
  g = pt_piece_graph(17);
  PtValueId w = slice(g, PT_FLOAT, 448, DIMS(8));
  v = marked(g, pt_piece_op(g, "Add", w, w, PT_NONE));
  PtValueId r =
      marked(g, pt_piece_op(g, "Reshape", v, pt_graph_add_ints(g, (int64_t[]){2, -1}, 2), PT_NONE));
  PtValueId q =
      marked(g, pt_piece_op(g, "Reshape", v, pt_graph_add_ints(g, (int64_t[]){-1, 4}, 2), PT_NONE));
  PtValueId m = marked(g, pt_piece_op(g, "Mul", r, q, PT_NONE));
  float squares[8];
  for (int i = 0; i < 8; i++)
    squares[i] = 4 * second[i] * second[i];
  expect(answer(g, m), 8, squares);
  /* through the runtime */
  g = pt_piece_graph(17);
  v = marked(g, pt_piece_op(g, "Abs", slice(g, PT_FLOAT, 448, DIMS(8)), PT_NONE));
  float positive[8];
  for (int i = 0; i < 8; i++)
    positive[i] = (float)i;
  expect(answer(g, v), 8, positive);
}

/* What is not marked is an ordinary node of the answer. */
static void test_unmarked(void) {
  g_autoptr(PtGraph) g = pt_piece_graph(17);
  GError *error = NULL;
  PtValueId v = pt_piece_op(g, "Transpose", slice(g, PT_FLOAT, 400, DIMS(3, 4)), PT_NONE);
  answer(g, v);
  pt_rebind_bind(g, bindings, 2, 1, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(pt_graph_n_nodes(g), ==, 2);
}

static PtValueId ints(PtGraph *g, int64_t a, int64_t b) {
  return pt_graph_add_ints(g, (int64_t[]){a, b}, 2);
}

static void test_bombs(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId one = slice(g, PT_FLOAT, 400, DIMS(1, 1));
  refused(answer(g, marked(g, pt_piece_op(g, "Expand", one, ints(g, 1 << 20, 1 << 20), PT_NONE))));
  g = pt_piece_graph(17);
  one = slice(g, PT_FLOAT, 400, DIMS(1, 1));
  refused(
      answer(g, marked(g, pt_piece_op(g, "Expand", one, ints(g, INT64_MAX, INT64_MAX), PT_NONE))));
  g = pt_piece_graph(17);
  refused(
      answer(g, marked(g, pt_piece_op(g, "ConstantOfShape", ints(g, 1 << 15, 1 << 15), PT_NONE))));
  g = pt_piece_graph(17);
  PtValueId column = slice(g, PT_FLOAT, 400, DIMS(12, 1));
  refused(answer(g, marked(g, pt_piece_op(g, "Tile", column, ints(g, 1 << 20, 1 << 20), PT_NONE))));
  g = pt_piece_graph(17);
  column = slice(g, PT_FLOAT, 400, DIMS(12, 1));
  PtValueId pads = pt_graph_add_ints(g, (int64_t[]){0, 0, 0, INT64_C(1) << 40}, 4);
  refused(answer(g, marked(g, pt_piece_op(g, "Pad", column, pads, PT_NONE))));
  g = pt_piece_graph(17);
  PtValueId w = slice(g, PT_FLOAT, 400, DIMS(12)), c = slice(g, PT_FLOAT, 448, DIMS(8));
  w = marked(g, pt_piece_op(g, "Tile", w, pt_graph_add_ints(g, (int64_t[]){1 << 16}, 1), PT_NONE));
  c = marked(g, pt_piece_op(g, "Tile", c, pt_graph_add_ints(g, (int64_t[]){1 << 16}, 1), PT_NONE));
  w = marked(g, pt_piece_op(g, "Reshape", w, ints(g, -1, 1), PT_NONE));
  refused(answer(g, marked(g, pt_piece_op(g, "Pow", w, c, PT_NONE)))); /* an outer product */
  g = pt_piece_graph(17);
  PtValueId zero = pt_piece_scalar(g, 0), end = pt_piece_scalar(g, 1e9f),
            step = pt_piece_scalar(g, 1);
  refused(answer(g, marked(g, pt_piece_op(g, "Range", zero, end, step, PT_NONE))));
  /* each step within bounds, all together not */
  g = pt_piece_graph(17);
  PtValueId v = slice(g, PT_FLOAT, 400, DIMS(1, 12));
  v = marked(g, pt_piece_op(g, "Expand", v, ints(g, 1 << 16, 12), PT_NONE));
  for (int i = 0; i < 100; i++) {
    v = marked(g, pt_piece_op(g, "Concat", v, v, PT_NONE));
    pt_node_set_int(g, pt_piece_node(g, v), "axis", 0);
  }
  refused(answer(g, v));
}

static void test_misfits(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(8));
  PtValueId w = slice(g, PT_FLOAT, 448, DIMS(8));
  refused(answer(g, marked(g, pt_piece_op(g, "Add", w, x, PT_NONE)))); /* no constant */
  g = pt_piece_graph(17);
  w = slice(g, PT_FLOAT, 448, DIMS(8));
  refused(answer(g, marked(g, pt_piece_op(g, "RandomNormalLike", w, PT_NONE))));
  g = pt_piece_graph(17);
  w = slice(g, PT_FLOAT, 448, DIMS(8));
  PtValueId v = slice(g, PT_FLOAT, 400, DIMS(3, 4));
  refused(
      answer(g, marked(g, pt_piece_op(g, "Add", v, w, PT_NONE)))); /* 4 and 8 do not broadcast */
  g = pt_piece_graph(17);
  v = slice(g, PT_FLOAT, 400, DIMS(3, 4));
  v = marked(g, pt_piece_op(g, "Transpose", v, PT_NONE));
  pt_node_set_ints(g, pt_piece_node(g, v), "perm", (int64_t[]){0, 7}, 2);
  refused(answer(g, v));
  g = pt_piece_graph(17);
  v = slice(g, PT_FLOAT, 400, DIMS(3, 4));
  refused(answer(g, marked(g, pt_piece_op(g, "Reshape", v, ints(g, -1, -1), PT_NONE))));
  g = pt_piece_graph(17);
  v = slice(g, PT_FLOAT, 400, DIMS(3, 4));
  v = marked(g, pt_piece_op(g, "Gather", v, pt_graph_add_ints(g, (int64_t[]){99}, 1), PT_NONE));
  refused(answer(g, v)); /* out of range */
}

static void test_deep(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId v = slice(g, PT_FLOAT, 448, DIMS(8));
  for (int i = 0; i < 50000; i++)
    v = marked(g, pt_piece_op(g, "Neg", v, PT_NONE));
  expect(answer(g, v), 8, second);
}

/* Strides that go backwards, and slices of nothing. */
static void test_slice_node(void) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId v = slice(g, PT_FLOAT, 400, DIMS(12));
  PtValueId from = pt_graph_add_ints(g, (int64_t[]){-2}, 1),
            to = pt_graph_add_ints(g, (int64_t[]){INT64_MIN + 1}, 1);
  PtValueId axis = pt_graph_add_ints(g, (int64_t[]){0}, 1),
            step = pt_graph_add_ints(g, (int64_t[]){-4}, 1);
  const float wanted[3] = {10.5f, 6.5f, 2.5f};
  expect(answer(g, marked(g, pt_piece_op(g, "Slice", v, from, to, axis, step, PT_NONE))), 3,
         wanted);
  g = pt_piece_graph(17);
  v = slice(g, PT_FLOAT, 400, DIMS(12));
  from = pt_graph_add_ints(g, (int64_t[]){5}, 1);
  to = pt_graph_add_ints(g, (int64_t[]){5}, 1);
  axis = pt_graph_add_ints(g, (int64_t[]){0}, 1);
  expect(answer(g, marked(g, pt_piece_op(g, "Slice", v, from, to, axis, PT_NONE))), 0, wanted);
}

/* Large ones, on several threads, against the plain loop. */
static void test_threads(void) {
  const int64_t rows = 700, columns = 900;
  g_autofree float *big = g_new(float, rows *columns);
  for (int64_t i = 0; i < rows * columns; i++)
    big[i] = (float)(i % 1013) * 0.25f - 3;
  PtBinding one = {0, pt_graph_tensor(owner, PT_FLOAT, 2, (int64_t[]){rows, columns}, big)};
  g_autoptr(PtGraph) g = pt_piece_graph(17);
  PtValueId w = slice(g, PT_FLOAT, 0, DIMS(rows, columns)),
            row = slice(g, PT_FLOAT, 0, DIMS(columns));
  PtValueId v = marked(
      g, pt_piece_op(g, "Transpose", marked(g, pt_piece_op(g, "Mul", w, row, PT_NONE)), PT_NONE));
  answer(g, v);
  GError *error = NULL;
  pt_rebind_bind(g, &one, 1, 4, &error);
  g_assert_no_error(error);
  const float *out =
      (const float *)(const void *)pt_value(g, pt_node(g, 0)->inputs[0])->constant->data;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++)
      g_assert_cmpfloat(out[c * rows + r], ==, big[r * columns + c] * big[c]);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  set_up();
  g_test_add_func("/bind/slices", test_slices);
  g_test_add_func("/bind/derivations", test_derivations);
  g_test_add_func("/bind/unmarked", test_unmarked);
  g_test_add_func("/bind/bombs", test_bombs);
  g_test_add_func("/bind/misfits", test_misfits);
  g_test_add_func("/bind/deep", test_deep);
  g_test_add_func("/bind/slice-node", test_slice_node);
  g_test_add_func("/bind/threads", test_threads);
  int status = g_test_run();
  pt_graph_unref(owner);
  return status;
}
