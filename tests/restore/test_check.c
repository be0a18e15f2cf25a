/* Checks that go on where the plain way ends: models that cannot be run, random ones, equal pieces,
 * errors that add up. */
#include "fixture.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static PtSecretBucket *bucket_at(const Fixture *f, uint32_t i) {
  return g_ptr_array_index(f->kept->buckets, i);
}

static void write_secret(const Fixture *f) {
  g_assert_true(pt_secret_write(f->kept, f->secret, NULL));
}

static void restore(const Fixture *f, PtDeobfuscateReport *report) {
  g_autoptr(GError) error = NULL;
  fixture_restore(f, report, &error);
  g_assert_no_error(error);
  for (guint i = 0; i < report->fallbacks->len; i++)
    g_test_message("%s", ((PtFallback *)g_ptr_array_index(report->fallbacks, i))->why);
}

static const PtFallback *only_fallback(const PtDeobfuscateReport *report) {
  g_assert_cmpuint(report->fallbacks->len, ==, 1);
  return g_ptr_array_index(report->fallbacks, 0);
}

/* ---- equal pieces
 * -------------------------------------------------------------------------------- */
/* Pieces 0 and 2 share a bucket: one answer, each its own weights. */
static void share_bucket(Fixture *f) {
  PtMember *twin = g_ptr_array_steal_index(bucket_at(f, 2)->members, 0);
  g_ptr_array_remove_index(f->kept->buckets, 2);
  PtSecretWeight *first =
      g_ptr_array_index(((PtMember *)g_ptr_array_index(bucket_at(f, 0)->members, 0))->weights, 0);
  ((PtSecretWeight *)g_ptr_array_index(twin->weights, 0))->offset = first->offset;
  g_ptr_array_add(bucket_at(f, 0)->members, twin);
  write_secret(f);
}

static void test_members(void) {
  Fixture f;
  fixture_init(&f);
  share_bucket(&f);
  PtDeobfuscateReport report;
  restore(&f, &report);
  g_assert_cmpuint(report.pieces, ==, 3);
  g_assert_cmpuint(report.optimized, ==, 3);
  g_assert_cmpfloat(report.difference, <=, 1e-6);
  pt_deobfuscate_report_clear(&report);
  g_autofree char *path = fixture_answer(&f, 0);
  g_unlink(path);
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, 1);
  g_assert_cmpuint(only_fallback(&report)->members, ==, 2);
  g_assert_cmpuint(only_fallback(&report)->piece, ==, 0);
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

/* ---- tools with habits of their own
 * ----------------------------------------------------------------- */
/* Another operator set version is fine if all agree on it; one that differs from the rest falls
 * back. */
static void test_all_of_another_opset(void) {
  Fixture f;
  fixture_init(&f);
  for (uint32_t i = 0; i < PIECES; i++) {
    g_autoptr(PtGraph) g = fixture_candidate(&f, i);
    fixture_make_old(g);
    fixture_write_answer(&f, i, g);
  }
  PtDeobfuscateReport report;
  g_autoptr(GError) error = NULL;
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, PIECES);
  pt_deobfuscate_report_clear(&report);
  g_autoptr(PtGraph) out = pt_onnx_read(f.out, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpint(pt_graph_opset(out, ""), ==, 12);
  /* an original in use decides */
  g_autofree char *path = fixture_answer(&f, 1);
  g_unlink(path);
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, 0);
  g_assert_cmpuint(report.fallbacks->len, ==, PIECES);
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

/* A version that was raised, or lowered, without need costs nothing. */
static void test_needless_opset(void) {
  Fixture f;
  fixture_init(&f);
  g_autoptr(PtGraph) g = fixture_candidate(&f, 1);
  pt_graph_set_opset(g, "", 14);
  fixture_write_answer(&f, 1, g);
  PtDeobfuscateReport report;
  g_autoptr(GError) error = NULL;
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, PIECES);
  pt_deobfuscate_report_clear(&report);
  g_autoptr(PtGraph) out = pt_onnx_read(f.out, NULL, &error);
  g_assert_cmpint(pt_graph_opset(out, ""), ==, 17);
  fixture_clear(&f);
}

/* Names of values, the interface's among them, may be any: also those of the model's borders,
 * swapped. */
static void test_other_names(void) {
  static const char *const names[] = {"b", "a", "y", "x", "c1", "w0"};
  Fixture f;
  fixture_init(&f);
  for (uint32_t i = 0; i < PIECES; i++) {
    g_autoptr(PtGraph) g = fixture_candidate(&f, i);
    g_hash_table_remove_all(g->names);
    g_assert_cmpuint(pt_graph_n_values(g), <=, G_N_ELEMENTS(names));
    for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
      pt_value(g, v)->name = names[(v + i) % G_N_ELEMENTS(names)];
      g_hash_table_insert(g->names, (void *)(uintptr_t)pt_value(g, v)->name,
                          GUINT_TO_POINTER(v + 1));
    }
    fixture_write_answer(&f, i, g);
  }
  PtDeobfuscateReport report;
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, PIECES);
  g_assert_cmpfloat(report.difference, <=, 1e-6);
  pt_deobfuscate_report_clear(&report);
  PtVerifyReport verify;
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_verify(f.model, f.out, 2, "1", 0, &verify, &error));
  g_assert_true(verify.equal);
  pt_verify_report_clear(&verify);
  fixture_clear(&f);
}

/* ---- errors that add up
 * -------------------------------------------------------------------------- */
static void test_sum_of_errors(void) {
  Fixture f;
  fixture_init(&f);
  for (uint32_t i = 0; i < PIECES; i++) {
    g_autoptr(PtGraph) g = fixture_candidate(&f, i);
    const float k = 8e-5f;
    PtValueId before = pt_graph_output(g, 0), mul[2] = {before}, add[2] = {before};
    mul[1] = pt_graph_add_constant(g, "k", pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &k));
    add[1] = pt_graph_add_op(g, "Mul", mul, 2);
    PtValueId out = pt_graph_add_op(g, "Add", add, 2);
    pt_value(g, out)->type = pt_type_copy(g, &pt_value(g, before)->type);
    g_array_index(g->outputs, PtValueId, 0) = out;
    fixture_write_answer(&f, i, g);
  }
  PtDeobfuscateReport report;
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, 1);
  g_assert_cmpfloat(report.difference, <=, 1e-4);
  g_assert_cmpuint(report.fallbacks->len, ==, 2);
  for (guint i = 0; i < 2; i++) {
    const PtFallback *fallback = g_ptr_array_index(report.fallbacks, i);
    g_assert_true(g_str_has_prefix(fallback->why, "the pieces agree but the whole differs"));
  }
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

/* ---- models of another kind
 * ---------------------------------------------------------------------- */
/* Replaces the fixture's model by one of two nodes, each a piece without weights, answered as it
 * was sent. */
static void two_nodes(Fixture *f, PtGraph *model, const char *const inputs[2],
                      const char *const outputs[2]) {
  g_autoptr(GError) error = NULL;
  g_assert_true(pt_onnx_write(model, f->model, NULL, &error));
  g_free(f->kept->model_sha256);
  f->kept->model_sha256 = pt_sha256_file(f->model, NULL);
  g_ptr_array_set_size(f->kept->buckets, 2);
  for (uint32_t i = 0; i < 2; i++) {
    PtMember *m = g_ptr_array_index(bucket_at(f, i)->members, 0);
    g_array_set_size(m->nodes, 0);
    g_array_append_val(m->nodes, i);
    g_ptr_array_set_size(m->weights, 0);
    g_ptr_array_set_size(m->inputs, 0);
    g_ptr_array_set_size(m->outputs, 0);
    g_auto(GStrv) names = g_strsplit(inputs[i], " ", -1);
    for (char **name = names; *name; name++)
      g_ptr_array_add(m->inputs, g_strdup(*name));
    g_ptr_array_add(m->outputs, g_strdup(outputs[i]));
  }
  write_secret(f);
  g_assert_true(pt_runtime_infer_types(model, &error));
  g_autoptr(GPtrArray) places = pt_places_new(model, f->kept, &f->noise, &error);
  g_assert_no_error(error);
  for (guint p = 0; p < places->len; p++) {
    const PtPlace *place = g_ptr_array_index(places, p);
    fixture_write_answer(f, place->bucket, place->original);
  }
}

/* No generator knows what the string should be. */
static PtGraph *string_model(void) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType text = pt_type_tensor(g, PT_STRING, 1, (const PtDim[]){{4, NULL}});
  PtType number = pt_type_tensor(g, PT_FLOAT, 1, (const PtDim[]){{4, NULL}});
  PtValueId s = pt_graph_add_input(g, "s", &text), x = pt_graph_add_input(g, "x", &number);
  PtValueId lower = pt_graph_add_value(g, "lower"), y = pt_graph_add_value(g, "y");
  pt_value(g, lower)->type = pt_type_tensor(g, PT_STRING, 1, (const PtDim[]){{4, NULL}});
  pt_graph_add_node(g, "", "Identity", &s, 1, &lower, 1);
  pt_graph_add_node(g, "", "Exp", &x, 1, &y, 1);
  pt_value(g, y)->type = pt_type_copy(g, &number);
  pt_graph_add_output(g, lower);
  pt_graph_add_output(g, y);
  return g;
}

static void test_not_runnable(void) {
  Fixture f;
  fixture_init(&f);
  g_autoptr(PtGraph) model = string_model();
  two_nodes(&f, model, (const char *const[]){"s", "x"}, (const char *const[]){"lower", "y"});
  PtDeobfuscateReport report;
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, 1);
  g_assert_cmpstr(only_fallback(&report)->id, ==, f.ids[0]);
  g_assert_cmpstr(only_fallback(&report)->why, ==,
                  "neither the model nor the piece runs on random inputs, so it cannot be checked");
  g_assert_true(isnan(report.difference));
  pt_deobfuscate_report_clear(&report);
  /* what can be checked still is */
  g_autoptr(PtGraph) wrong = pt_graph_new();
  pt_graph_set_opset(wrong, "", 17);
  PtType number = pt_type_tensor(wrong, PT_FLOAT, 1, (const PtDim[]){{4, NULL}});
  PtValueId x = pt_graph_add_input(wrong, "x", &number);
  PtValueId y = pt_graph_add_op(wrong, "Softplus", &x, 1);
  pt_value(wrong, y)->type = pt_type_copy(wrong, &number);
  pt_graph_add_output(wrong, y);
  fixture_write_answer(&f, 1, wrong);
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, 0);
  g_assert_cmpuint(report.fallbacks->len, ==, 2);
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

static PtGraph *random_model(void) {
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  PtType number = pt_type_tensor(g, PT_FLOAT, 1, (const PtDim[]){{4, NULL}});
  PtValueId x = pt_graph_add_input(g, "x", &number);
  PtValueId r = pt_graph_add_value(g, "r"), y = pt_graph_add_value(g, "y");
  pt_graph_add_node(g, "", "RandomNormalLike", &x, 1, &r, 1);
  pt_graph_add_node(g, "", "Tanh", &r, 1, &y, 1);
  pt_value(g, y)->type = pt_type_copy(g, &number);
  pt_graph_add_output(g, y);
  return g;
}

static void test_random(void) {
  Fixture f;
  fixture_init(&f);
  g_autoptr(PtGraph) model = random_model();
  two_nodes(&f, model, (const char *const[]){"x", "r"}, (const char *const[]){"r", "y"});
  PtDeobfuscateReport report;
  restore(&f, &report);
  g_assert_cmpuint(report.optimized, ==, 1);
  g_assert_cmpstr(only_fallback(&report)->id, ==, f.ids[0]);
  g_assert_cmpstr(only_fallback(&report)->why, ==,
                  "the piece draws random numbers, so it cannot be checked");
  g_assert_true(isnan(report.difference));
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

/* Coarse formats inside of the original count, at its border or not. */
static void test_tolerance(void) {
  g_autoptr(PtGraph) g = pt_graph_new();
  PtType type = pt_type_tensor(g, PT_FLOAT, 1, (const PtDim[]){{4, NULL}});
  PtValueId v = pt_graph_add_input(g, "x", &type);
  v = pt_graph_add_op(g, "Relu", &v, 1);
  pt_graph_add_output(g, v);
  g_assert_cmpfloat(pt_tolerance(1e-4, g), ==, 1e-4);
  PtValueId half = pt_graph_add_value(g, "half");
  pt_value(g, half)->type = pt_type_tensor(g, PT_FLOAT16, 1, (const PtDim[]){{4, NULL}});
  g_assert_cmpfloat(pt_tolerance(1e-4, g), ==, 1e-2);
  g_assert_cmpfloat(pt_tolerance(0.5, g), ==, 0.5);
  pt_graph_add_op(g, "DynamicQuantizeLinear", &v, 1);
  g_assert_cmpfloat(pt_tolerance(1e-4, g), ==, 5e-2);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/restore/check/members", test_members);
  g_test_add_func("/restore/check/all-of-another-opset", test_all_of_another_opset);
  g_test_add_func("/restore/check/needless-opset", test_needless_opset);
  g_test_add_func("/restore/check/other-names", test_other_names);
  g_test_add_func("/restore/check/sum-of-errors", test_sum_of_errors);
  g_test_add_func("/restore/check/not-runnable", test_not_runnable);
  g_test_add_func("/restore/check/random", test_random);
  g_test_add_func("/restore/check/tolerance", test_tolerance);
  return g_test_run();
}
