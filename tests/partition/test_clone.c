/* Shape chains are cloned into the pieces that use them; what is no tensor is never cut; shapes and
 * indices stay inside. */
#include "partition/partition_private.h"

typedef struct Net {
  PtGraph *g;
  PtType type, shape;
} Net;

static Net net_new(void) {
  Net n = {.g = pt_graph_new()};
  n.type = pt_type_tensor(n.g, PT_FLOAT, 2, (PtDim[]){{-1, "batch"}, {4, NULL}});
  n.shape = pt_type_tensor(n.g, PT_INT64, 1, (PtDim[]){{1, NULL}});
  return n;
}

static PtValueId add(Net *n, const char *name, PtValueId x, PtValueId y, const PtType *type) {
  PtValueId in[2] = {x, y};
  PtValueId out = pt_graph_add_op(n->g, name, in, y == PT_NONE ? 1 : 2);
  pt_value(n->g, out)->type = *type;
  return out;
}

static PtPartition *cut(Net *n, uint32_t pieces, uint32_t seed_number) {
  g_autoptr(GError) error = NULL;
  g_autofree char *text = g_strdup_printf("clone %u", seed_number);
  PtSeed seed;
  pt_seed_init(&seed, text);
  PtPartitionOptions options = {.n = pieces, .trials = 3, .threads = 1};
  PtPartition *p = pt_partition(n->g, &options, &seed, &error);
  g_assert_no_error(error);
  pt_partition_check(n->g, p, &error);
  g_assert_no_error(error);
  return p;
}

static uint32_t times(const PtPartition *p, PtNodeId node) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    GArray *nodes = ((PtPiece *)g_ptr_array_index(p->pieces, i))->nodes;
    for (uint32_t k = 0; k < nodes->len; k++)
      count += g_array_index(nodes, PtNodeId, k) == node;
  }
  return count;
}

static bool is_border(const PtPartition *p, PtValueId value) {
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    const PtPiece *piece = g_ptr_array_index(p->pieces, i);
    for (uint32_t k = 0; k < piece->inputs->len; k++)
      if (g_array_index(piece->inputs, PtValueId, k) == value)
        return true;
  }
  return false;
}

/* Shape -> Gather -> Add used by Reshapes all along a chain. */
static void test_shape_chain(void) {
  Net n = net_new();
  PtValueId x = pt_graph_add_input(n.g, NULL, &n.type), first = x;
  PtValueId zero = pt_graph_add_ints(n.g, (int64_t[]){0}, 1);
  PtValueId size = add(&n, "Gather", add(&n, "Shape", first, PT_NONE, &n.shape), zero, &n.shape);
  size = add(&n, "Add", size, zero, &n.shape);
  for (int i = 0; i < 40; i++)
    x = i % 4 == 3 ? add(&n, "Reshape", x, size, &n.type) : add(&n, "Softmax", x, PT_NONE, &n.type);
  pt_graph_add_output(n.g, x);
  for (uint32_t s = 0; s < 5; s++) {
    g_autoptr(PtPartition) p = cut(&n, 8, s);
    g_assert_cmpuint(p->pieces->len, ==, 8);
    g_assert_false(is_border(p, size));
    for (PtNodeId node = 0; node < 3; node++)
      g_assert_cmpuint(times(p, node), >, 1);
    for (PtNodeId node = 3; node < 43; node++)
      g_assert_cmpuint(times(p, node), ==, 1);
  }
  pt_graph_unref(n.g);
}

/* The same chain cannot be cloned where it is random, or where the model returns its end. */
static void test_not_cloned(void) {
  for (int output = 0; output < 2; output++) {
    Net n = net_new();
    PtValueId x = pt_graph_add_input(n.g, NULL, &n.type);
    PtValueId zero = pt_graph_add_ints(n.g, (int64_t[]){0}, 1);
    PtValueId noise = output ? add(&n, "Shape", x, PT_NONE, &n.shape)
                             : add(&n, "RandomNormalLike", x, PT_NONE, &n.type);
    PtNodeId source = 0;
    for (int i = 0; i < 40; i++)
      x = i % 4 == 3 ? add(&n, output ? "Reshape" : "Add", x, noise, &n.type)
                     : add(&n, "Softmax", x, PT_NONE, &n.type);
    pt_graph_add_output(n.g, x);
    if (output)
      pt_graph_add_output(n.g, noise);
    (void)zero;
    g_autoptr(PtPartition) p = cut(&n, 4, 1);
    g_assert_cmpuint(times(p, source), ==, 1);
    pt_graph_unref(n.g);
  }
}

/* A chain that serves one node alone is owned and counts. */
static void test_private_chain(void) {
  Net n = net_new();
  PtValueId x = pt_graph_add_input(n.g, NULL, &n.type);
  PtValueId zero = pt_graph_add_ints(n.g, (int64_t[]){0}, 1);
  for (int i = 0; i < 24; i++) {
    PtValueId size = add(&n, "Gather", add(&n, "Shape", x, PT_NONE, &n.shape), zero, &n.shape);
    x = add(&n, "Reshape", add(&n, "Softmax", x, PT_NONE, &n.type), size, &n.type);
  }
  pt_graph_add_output(n.g, x);
  g_autoptr(PtPartition) p = cut(&n, 0, 1);
  for (PtNodeId node = 0; node < pt_graph_n_nodes(n.g); node++)
    g_assert_cmpuint(times(p, node), ==, 1);
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    uint32_t size = ((PtPiece *)g_ptr_array_index(p->pieces, i))->nodes->len;
    g_assert_cmpuint(size, >=, 8);
    g_assert_cmpuint(size, <=, 16);
  }
  g_assert_cmpuint(p->n_groups, <=, 4);
  pt_graph_unref(n.g);
}

/* A sequence from the first node to the last: all that lies between is one piece, whatever n. */
static void test_opaque(void) {
  Net n = net_new();
  static const uint8_t type_bytes[] = {0x22, 0x00};
  PtType sequence = {.kind = PT_TYPE_OPAQUE, .opaque = type_bytes, .opaque_size = 2};
  PtValueId x = pt_graph_add_input(n.g, NULL, &n.type);
  for (int i = 0; i < 10; i++)
    x = add(&n, "Softmax", x, PT_NONE, &n.type);
  PtNodeId first = pt_graph_n_nodes(n.g);
  PtValueId list = add(&n, "SequenceConstruct", x, PT_NONE, &sequence);
  x = add(&n, "SequenceAt", list, pt_graph_add_ints(n.g, (int64_t[]){0}, 1), &n.type);
  for (int i = 0; i < 10; i++)
    x = add(&n, "Softmax", x, PT_NONE, &n.type);
  list = add(&n, "SequenceInsert", list, x, &sequence);
  PtValueId sum = add(&n, "ConcatFromSequence", list, PT_NONE, &n.type);
  PtNodeId last = pt_graph_n_nodes(n.g) - 1;
  for (int i = 0; i < 10; i++)
    sum = add(&n, "Softmax", sum, PT_NONE, &n.type);
  pt_graph_add_output(n.g, sum);
  for (uint32_t pieces = 1; pieces <= 33; pieces += 4) {
    g_autoptr(PtPartition) p = cut(&n, pieces, pieces);
    g_assert_cmpuint(p->pieces->len, ==, MIN(pieces, 21));
    for (uint32_t i = 0; i < p->pieces->len; i++) {
      GArray *nodes = ((PtPiece *)g_ptr_array_index(p->pieces, i))->nodes;
      uint32_t in = 0;
      for (uint32_t k = 0; k < nodes->len; k++)
        in +=
            g_array_index(nodes, PtNodeId, k) >= first && g_array_index(nodes, PtNodeId, k) <= last;
      g_assert_true(in == 0 || in == last - first + 1);
    }
  }
  pt_graph_unref(n.g);
}

/* Indices computed from data (not from shapes) stay with the Gather that uses them. */
static void test_indices(void) {
  Net n = net_new();
  PtType ids = pt_type_tensor(n.g, PT_INT64, 2, (PtDim[]){{-1, "batch"}, {8, NULL}});
  PtValueId x = pt_graph_add_input(n.g, NULL, &n.type);
  for (int i = 0; i < 12; i++)
    x = add(&n, "Softmax", x, PT_NONE, &n.type);
  PtValueId top = add(&n, "ArgMax", x, PT_NONE, &ids);
  PtValueId index = add(&n, "Add", top, pt_graph_add_ints(n.g, (int64_t[]){1}, 1), &ids);
  PtValueId y = add(&n, "GatherElements", x, index, &n.type);
  for (int i = 0; i < 12; i++)
    y = add(&n, "Softmax", y, PT_NONE, &n.type);
  pt_graph_add_output(n.g, y);
  for (uint32_t s = 0; s < 10; s++) {
    g_autoptr(PtPartition) p = cut(&n, 4, s);
    g_assert_false(is_border(p, top));
    g_assert_false(is_border(p, index));
  }
  pt_graph_unref(n.g);
}

/* A type that is not known where others are is not cut. */
static void test_unknown(void) {
  Net n = net_new();
  PtType unknown = {.kind = PT_TYPE_UNKNOWN};
  PtType rankless = {.kind = PT_TYPE_TENSOR, .dtype = PT_FLOAT, .rank = -1};
  PtValueId x = pt_graph_add_input(n.g, NULL, &n.type), vague[2];
  for (int i = 0; i < 12; i++)
    x = add(&n, "Softmax", x, PT_NONE, &n.type);
  vague[0] = add(&n, "Foreign", x, PT_NONE, &unknown);
  x = add(&n, "Softmax", vague[0], PT_NONE, &n.type);
  for (int i = 0; i < 12; i++)
    x = add(&n, "Softmax", x, PT_NONE, &n.type);
  vague[1] = add(&n, "Foreign", x, PT_NONE, &rankless);
  x = add(&n, "Softmax", vague[1], PT_NONE, &n.type);
  pt_graph_add_output(n.g, x);
  for (uint32_t s = 0; s < 10; s++) {
    g_autoptr(PtPartition) p = cut(&n, 7, s);
    g_assert_cmpuint(p->pieces->len, ==, 7);
    g_assert_false(is_border(p, vague[0]));
    g_assert_false(is_border(p, vague[1]));
  }
  pt_graph_unref(n.g);
}

/* The checker sees what is wrong: it is what the other tests lean on. */
static void test_check(void) {
  Net n = net_new();
  PtValueId x = pt_graph_add_input(n.g, NULL, &n.type);
  for (int i = 0; i < 12; i++)
    x = add(&n, "Softmax", x, PT_NONE, &n.type);
  pt_graph_add_output(n.g, x);
  for (int wrong = 0; wrong < 7; wrong++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(PtPartition) p = cut(&n, 3, 1);
    PtPiece *a = g_ptr_array_index(p->pieces, 0), *b = g_ptr_array_index(p->pieces, 1);
    PtNodeId first = g_array_index(a->nodes, PtNodeId, 0);
    switch (wrong) {
    case 0: /* a node in no piece */
      g_array_set_size(a->nodes, a->nodes->len - 1);
      break;
    case 1: /* a node in two */
      g_array_prepend_val(b->nodes, first);
      break;
    case 2: /* an output missing */
      g_array_set_size(a->outputs, 0);
      break;
    case 3: /* an input missing */
      g_array_set_size(b->inputs, 0);
      break;
    case 4: /* pieces out of order */
      p->pieces->pdata[0] = b;
      p->pieces->pdata[1] = a;
      break;
    case 5: /* an output nobody needs */
      g_array_append_val(a->outputs,
                         pt_node(n.g, g_array_index(a->nodes, PtNodeId, 0))->outputs[0]);
      break;
    default: /* nodes out of order */
      g_array_append_val(a->nodes, first);
      g_array_remove_index(a->nodes, 0);
    }
    g_assert_false(pt_partition_check(n.g, p, &error));
    g_assert_error(error, PT_PARTITION_ERROR, PT_ERR_INTERNAL);
  }
  pt_graph_unref(n.g);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/clone/shape-chain", test_shape_chain);
  g_test_add_func("/clone/not-cloned", test_not_cloned);
  g_test_add_func("/clone/private-chain", test_private_chain);
  g_test_add_func("/clone/opaque", test_opaque);
  g_test_add_func("/clone/indices", test_indices);
  g_test_add_func("/clone/unknown", test_unknown);
  g_test_add_func("/clone/check", test_check);
  return g_test_run();
}
