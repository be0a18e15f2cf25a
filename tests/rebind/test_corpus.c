/* Pieces of a few real models: no constant unexplained. */
#include "corpus.h"

static void test_convolutions(void) {
  g_assert_cmpuint(pt_check_model("shufflenet_v2_x1_0.onnx", true, "en"), >, 0);
}

static void test_whole(void) {
  g_assert_cmpuint(pt_check_model("mobilenet_v2.onnx", false, "bean"), >, 0);
}

static void test_attention(void) {
  pt_check_model("levit.onnx", false, "bean");
}

static void test_recurrent(void) {
  pt_check_model("bilstm.onnx", false, "ba");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/rebind/corpus/convolutions", test_convolutions);
  g_test_add_func("/rebind/corpus/whole", test_whole);
  g_test_add_func("/rebind/corpus/attention", test_attention);
  g_test_add_func("/rebind/corpus/recurrent", test_recurrent);
  return g_test_run();
}
