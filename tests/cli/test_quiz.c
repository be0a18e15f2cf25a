/* test_quiz.c: the questionnaire from a few small models: 20 graphs, half of them real, one page
 * that needs nothing else; the same seed gives the same page and key. */
#include "base/base.h"
#include "cli_test.h"

#include <string.h>

/* The key, caller frees. */
static char *quiz(const char *out, const char *seed, const char *work) {
  g_autoptr(Ran) r = ran("audit", "--quiz", out, "--corpus", "models", "--work", work, "--seed",
                         seed, "--json", NULL);
  g_assert_cmpint(r->status, ==, 0);
  json_t *json = assert_json(r);
  g_assert_cmpstr(json_string_value(json_object_get(json, "seed")), ==, seed);
  char *key = g_strdup(json_string_value(json_object_get(json, "key")));
  json_decref(json);
  return key;
}

static guint times(const char *text, const char *word) {
  guint n = 0;
  for (; (text = strstr(text, word)); text += strlen(word))
    n++;
  return n;
}

static char *page_of(const char *name) {
  g_autofree char *path = test_path(name);
  char *page = NULL;
  g_assert_true(g_file_get_contents(path, &page, NULL, NULL));
  return page;
}

static void test_quiz(void) {
  g_autofree char *program = g_find_program_in_path("dot");
  if (!program) {
    g_test_skip("there is no dot");
    return;
  }
  test_add_model("squeezenet1_1.onnx");
  test_add_model("resnet18.onnx");
  test_add_model("vgg16_bn.onnx");
  test_add_model("mnasnet1_0.onnx");
  g_autofree char *key = quiz("a.html", "seven", "work"), *again = quiz("b.html", "seven", "work"),
                  *other = quiz("c.html", "eight", "work");
  g_assert_cmpuint(strlen(key), ==, 20);
  g_assert_cmpuint(times(key, "r"), ==, 10);
  g_assert_cmpstr(key, ==, again);
  g_assert_cmpuint(times(other, "r"), ==, 10);
  g_autofree char *a = page_of("a.html"), *b = page_of("b.html"), *c = page_of("c.html");
  g_assert_cmpstr(a, ==, b);
  g_assert_cmpstr(a, !=, c);
  g_assert_cmpuint(times(a, "<svg"), ==, 20);
  g_assert_nonnull(strstr(a, key));
  g_assert_nonnull(strstr(a, "seven"));
  static const char *const names[] = {"squeezenet", "resnet", "vgg", "mnasnet", "href=", "src="};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_null(strstr(a, names[i]));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cli/quiz", test_quiz);
  int status = g_test_run();
  test_folder_remove();
  return status;
}
