/* What is told apart, and what a template may stand for. */
#include "walk/walk_private.h"

typedef struct Read {
  PtWalkLibrary *library;
  PtGraph *graph;
  PtWalkFace *face;
  PtWalkState *state;
} Read;

static PtGraph *new_graph(PtValueId *x, uint32_t n, int64_t channels) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtDim d[4] = {{1, NULL}, {channels, NULL}, {6, NULL}, {6, NULL}};
  PtType t = pt_type_tensor(g, PT_FLOAT, 4, d);
  for (uint32_t i = 0; i < n; i++)
    x[i] = pt_graph_add_input(g, NULL, &t);
  return g;
}

static PtValueId op(PtGraph *g, const char *name, const PtValueId *in, uint32_t n) {
  PtValueId v = pt_graph_add_op(g, name, in, n);
  pt_value(g, v)->type = pt_type_copy(g, &pt_value(g, pt_graph_input(g, 0))->type);
  return v;
}

static PtValueId two(PtGraph *g, const char *name, PtValueId a, PtValueId b) {
  return op(g, name, (PtValueId[]){a, b}, 2);
}

static PtValueId weight(PtGraph *g, int64_t size, const float *data) {
  PtTensor *t = data ? pt_graph_tensor_copy(g, PT_FLOAT, 1, &size, data)
                     : pt_graph_tensor(g, PT_FLOAT, 1, &size, NULL);
  PtValueId v = pt_graph_add_constant(g, NULL, t);
  pt_value(g, v)->type = pt_type_of_constant(g, t);
  return v;
}

static Read read_graph(PtWalkLibrary *library, PtGraph *graph) {
  Read r = {.library = library, .graph = graph, .face = pt_walk_face_new(library, graph)};
  r.state = pt_walk_read(library, r.face, graph, NULL, NULL);
  g_assert_nonnull(r.state);
  return r;
}

static void read_clear(Read *r) {
  pt_walk_state_free(r->state);
  pt_walk_face_free(r->face);
  pt_graph_unref(r->graph);
}

/* ---- looks --------------------------------------------------------------------------------- */
/* (x - y) * w, relu of y; `turned`: inputs and outputs are the other way about, `factors`: the
 * product's operands. */
static PtGraph *branches(bool turned, bool factors, bool swapped, const char *last) {
  PtValueId x[2];
  PtGraph *g = new_graph(x, 2, 8);
  PtValueId a = x[turned], b = x[!turned], w = weight(g, 6, NULL);
  PtValueId difference = swapped ? two(g, "Sub", b, a) : two(g, "Sub", a, b);
  PtValueId out[2] = {factors ? two(g, "Mul", difference, w) : two(g, "Mul", w, difference),
                      op(g, last, &b, 1)};
  pt_graph_add_output(g, out[turned]);
  pt_graph_add_output(g, out[!turned]);
  return g;
}

static void test_looks(void) {
  PtWalkLibrary *library = pt_walk_library_new();
  Read r[5] = {read_graph(library, branches(false, false, false, "Relu")),
               read_graph(library, branches(true, false, false, "Relu")),
               read_graph(library, branches(true, true, false, "Relu")),
               read_graph(library, branches(false, false, true, "Relu")),
               read_graph(library, branches(false, false, false, "Sigmoid"))};
  /* the order of inputs and outputs is nobody's business: as files they are one */
  g_assert_cmpuint(pt_graph_canonical(r[0].graph, NULL, NULL, NULL), ==,
                   pt_graph_canonical(r[1].graph, NULL, NULL, NULL));
  for (uint32_t i = 1; i < G_N_ELEMENTS(r); i++) {
    g_assert_cmpuint(pt_walk_hash(r[0].state), !=, pt_walk_hash(r[i].state));
    g_assert_true((pt_walk_looks(r[0].state) == pt_walk_looks(r[i].state)) == (i < 3));
  }
  for (uint32_t i = 0; i < G_N_ELEMENTS(r); i++)
    read_clear(&r[i]);
  pt_walk_library_free(library);
}

/* ---- templates ----------------------------------------------------------------------------- */
static PtWalkKind kind_of_norm(int64_t channels, const float *data) {
  PtValueId x;
  PtGraph *g = new_graph(&x, 1, channels);
  PtWalkLibrary *library = pt_walk_library_new();
  pt_graph_add_output(g, op(g, "InstanceNormalization",
                            (PtValueId[]){x, weight(g, channels, data), weight(g, channels, data)},
                            3));
  Read r = read_graph(library, g);
  PtWalkKind kind = pt_walk_at(r.state, 0)->kind;
  read_clear(&r);
  pt_walk_library_free(library);
  return kind;
}

/* A scale of one number is for one channel: as a rule it would be put where there are many. */
static void test_norm_of_one(void) {
  const float one = 1;
  g_assert_cmpint(kind_of_norm(8, NULL), ==, PT_WALK_SAME);
  g_assert_cmpint(kind_of_norm(1, &one), ==, PT_WALK_OPAQUE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/walk/looks", test_looks);
  g_test_add_func("/walk/template/norm-of-one", test_norm_of_one);
  return g_test_run();
}
