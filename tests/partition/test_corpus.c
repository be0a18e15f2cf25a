/* Real models: every invariant, sizes, and repeated blocks cut alike. */
#include "onnx/onnx.h"
#include "partition/partition_private.h"
#include "runtime/runtime.h"

typedef struct Expected {
  const char *model;
  uint32_t groups; /* at most */
  double in_range; /* at least this part of the pieces has 8 to 16 nodes */
  bool clones;     /* some nodes are in several pieces */
} Expected;

/* Figures with some air around what is reached; a lower one is a loss. */
static const Expected expected[] = {
    {"resnet50", 14, 0.95, false},
    {"bert_base", 12, 0.9, false},
    {"gpt2", 12, 0.9, false},
    {"distilbert_dynamic", 14, 0.5, true},
    {"mobilenet_v2", 16, 0.95, false},
    {"densenet121", 40, 0.9, false},
    {"efficientnet_b0", 29, 0.9, false},
    {"resnet50_dynamo", 20, 0.9, false},
    {"googlenet", 16, 0.6, false},
    {"t5_encoder", 10, 0.9, true},
    {"shufflenet_v2_x1_0", 20, 0.9, false},
    {"bilstm", 4, 0.5, false},
};

static PtGraph *load(const char *model) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_strdup_printf(
      "%s/corpus/%s.onnx", g_getenv("PT_TEST_SOURCE") ? g_getenv("PT_TEST_SOURCE") : ".", model);
  PtOnnxReadOptions options = {.allow_empty = true};
  PtGraph *g = pt_onnx_read(path, &options, &error);
  g_assert_no_error(error);
  pt_runtime_infer_types(g, &error);
  g_assert_no_error(error);
  return g;
}

static void test_model(gconstpointer data) {
  const Expected *e = data;
  g_autoptr(GError) error = NULL;
  if (!pt_runtime_load(&error)) {
    g_test_skip(error->message);
    return;
  }
  g_autoptr(PtGraph) g = load(e->model);
  PtSeed seed;
  pt_seed_init(&seed, "corpus");
  g_autoptr(PtPartition) p = pt_partition(g, NULL, &seed, &error);
  g_assert_no_error(error);
  pt_partition_check(g, p, &error);
  g_assert_no_error(error);
  g_autofree uint32_t *times = g_new0(uint32_t, pt_graph_n_nodes(g) + 1);
  uint32_t in_range = 0, clones = 0;
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    GArray *nodes = ((PtPiece *)g_ptr_array_index(p->pieces, i))->nodes;
    for (uint32_t k = 0; k < nodes->len; k++)
      times[g_array_index(nodes, PtNodeId, k)]++;
  }
  for (uint32_t i = 0; i < p->pieces->len; i++) {
    const PtPiece *piece = g_ptr_array_index(p->pieces, i);
    uint32_t size = 0;
    for (uint32_t k = 0; k < piece->nodes->len; k++) {
      bool clone = times[g_array_index(piece->nodes, PtNodeId, k)] > 1;
      size += !clone;
      clones += clone;
    }
    in_range += size >= PT_AUTO_LEAST && size <= PT_AUTO_MOST;
    /* no computed shape or index crosses a border: no piece needs a particular integer to run */
    for (uint32_t k = 0; k < piece->inputs->len; k++) {
      const PtValue *v = pt_value(g, g_array_index(piece->inputs, PtValueId, k));
      g_assert_true(v->producer == PT_NONE || !pt_dtype_is_integer(v->type.dtype));
      g_assert_cmpint(v->type.kind, ==, PT_TYPE_TENSOR);
    }
  }
  g_test_message("%s: %u pieces, %u groups, %u in range, sd %.2f", e->model, p->pieces->len,
                 p->n_groups, in_range, p->deviation);
  g_assert_cmpuint(p->n_groups, <=, e->groups);
  g_assert_cmpfloat(in_range, >=, e->in_range * p->pieces->len);
  g_assert_cmpint(clones > 0, ==, e->clones);
}

/* Members of a group are equal as graphs of their own, and their inputs correspond in type. */
static void test_members(void) {
  g_autoptr(GError) error = NULL;
  if (!pt_runtime_load(&error)) {
    g_test_skip(error->message);
    return;
  }
  g_autoptr(PtGraph) g = load("bert_base");
  PtSeed seed;
  pt_seed_init(&seed, "members");
  PtPartitionOptions options = {.trials = 20};
  g_autoptr(PtPartition) p = pt_partition(g, &options, &seed, &error);
  g_assert_no_error(error);
  uint32_t pairs = 0;
  for (uint32_t i = 0; i < p->pieces->len; i++)
    for (uint32_t k = 0; k < i && pairs < 40; k++) {
      if (p->group[i] != p->group[k])
        continue;
      const PtPiece *a = g_ptr_array_index(p->pieces, i), *b = g_ptr_array_index(p->pieces, k);
      g_autoptr(PtGraph) ga = pt_graph_extract(g, a, NULL);
      g_autoptr(PtGraph) gb = pt_graph_extract(g, b, NULL);
      g_autofree PtNodeId *order_a = g_new(PtNodeId, a->nodes->len);
      g_autofree PtNodeId *order_b = g_new(PtNodeId, a->nodes->len);
      g_assert_cmpuint(pt_graph_canonical(ga, NULL, NULL, order_a), ==,
                       pt_graph_canonical(gb, NULL, NULL, order_b));
      g_assert_true(pt_graph_equal(ga, order_a, gb, order_b, NULL, NULL));
      g_assert_cmpuint(a->inputs->len, ==, b->inputs->len);
      g_assert_cmpuint(a->outputs->len, ==, b->outputs->len);
      for (uint32_t t = 0; t < a->inputs->len; t++)
        g_assert_true(pt_type_equal(&pt_value(ga, pt_graph_input(ga, t))->type,
                                    &pt_value(gb, pt_graph_input(gb, t))->type));
      pairs++;
    }
  g_assert_cmpuint(pairs, ==, 40);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
    g_autofree char *path = g_strdup_printf("/corpus/%s", expected[i].model);
    g_test_add_data_func(path, &expected[i], test_model);
  }
  g_test_add_func("/corpus/members", test_members);
  return g_test_run();
}
