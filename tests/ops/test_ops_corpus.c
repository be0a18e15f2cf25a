/* Every shape rule against ONNX Runtime's inference, on every node of every corpus model. */
#include "onnx/onnx.h"
#include "ops/ops.h"
#include "runtime/runtime.h"

#include <stdlib.h>

static bool dims_agree(const PtType *rule, const PtType *runtime) {
  if (rule->dtype != runtime->dtype)
    return false;
  if (rule->rank < 0 || runtime->rank < 0)
    return true;
  if (rule->rank != runtime->rank)
    return false;
  for (int32_t i = 0; i < rule->rank; i++)
    if (rule->dims[i].size >= 0 && runtime->dims[i].size >= 0 &&
        rule->dims[i].size != runtime->dims[i].size)
      return false;
  return true;
}

/* As much is known as the runtime knows. */
static bool knows_all(const PtType *rule, const PtType *runtime) {
  if (rule->kind != PT_TYPE_TENSOR)
    return false;
  if (runtime->rank >= 0 && rule->rank < 0)
    return false;
  for (int32_t i = 0; i < runtime->rank; i++)
    if (runtime->dims[i].size >= 0 && rule->dims[i].size < 0)
      return false;
  return true;
}

typedef struct Tally {
  uint32_t outputs, less;
} Tally;

static void check_node(PtGraph *g, PtNodeId id, const char *model, Tally *tally) {
  const PtNode *node = pt_node(g, id);
  g_autofree PtType *types = g_new0(PtType, node->n_outputs + 1);
  const PtOp *op = pt_op_of(node);
  if (!op || !op->shape)
    g_error("%s: no shape rule for %s", model, node->op_type);
  if (!pt_op_infer(g, node, types))
    g_error("%s: %s (%s): the rule says invalid", model, node->op_type, node->name);
  for (uint32_t i = 0; i < node->n_outputs; i++) {
    const PtType *known = node->outputs[i] == PT_NONE ? NULL : &pt_value(g, node->outputs[i])->type;
    if (!known || known->kind != PT_TYPE_TENSOR)
      continue;
    tally->outputs++;
    if (types[i].kind == PT_TYPE_TENSOR && !dims_agree(&types[i], known)) {
      g_autofree char *a = pt_type_text(&types[i]), *b = pt_type_text(known);
      g_error("%s: %s (%s): the rule says %s, the runtime %s", model, node->op_type, node->name, a,
              b);
    }
    if (!knows_all(&types[i], known)) {
      tally->less++;
      if (g_test_verbose()) {
        g_autofree char *a = pt_type_text(&types[i]), *b = pt_type_text(known);
        g_test_message("%s: %s: rule %s, runtime %s", model, node->op_type, a, b);
      }
    }
  }
}

static void test_corpus(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *folder = g_build_filename(g_getenv("PT_TEST_SOURCE"), "corpus", NULL);
  g_autoptr(GPtrArray) names = pt_dir_list(folder, ".onnx", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(names->len, ==, 44);
  Tally tally = {0};
  for (uint32_t i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename(folder, names->pdata[i], NULL);
    PtOnnxReadOptions options = {.allow_empty = true};
    g_autoptr(PtGraph) g = pt_onnx_read(path, &options, &error);
    g_assert_no_error(error);
    pt_runtime_infer_types(g, &error);
    g_assert_no_error(error);
    for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
      check_node(g, n, names->pdata[i], &tally);
  }
  g_test_message("%u outputs, %u of them known less well than by the runtime", tally.outputs,
                 tally.less);
  g_assert_cmpuint(tally.outputs, >, 20000);
  g_assert_cmpuint(tally.less * 50, <, tally.outputs);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/ops/corpus", test_corpus);
  return g_test_run();
}
