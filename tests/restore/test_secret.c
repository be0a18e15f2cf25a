/* What the owner gives: a wrong model, a tampered secret, places that cannot be; and how pieces are
 * found again. */
#include "fixture.h"

#include <glib/gstdio.h>
#include <string.h>

static void expect_error(const Fixture *f, GQuark domain, PtErrorCode code) {
  g_autoptr(GError) error = NULL;
  PtDeobfuscateReport report;
  g_assert_false(fixture_restore(f, &report, &error));
  g_assert_error(error, domain, (int)code);
  g_assert_null(report.fallbacks);
  g_assert_false(g_file_test(f->out, G_FILE_TEST_EXISTS));
}

static void test_usage(void) {
  g_autoptr(GError) error = NULL;
  PtDeobfuscateReport report;
  g_assert_false(pt_deobfuscate(&(PtDeobfuscateOptions){.secret = "s"}, &report, &error));
  g_assert_error(error, PT_RESTORE_ERROR, PT_ERR_USAGE);
}

static void test_out_is_needed(void) {
  Fixture f;
  fixture_init(&f);
  char *out = f.out, *needed[] = {f.model, f.secret};
  for (size_t i = 0; i < G_N_ELEMENTS(needed); i++) {
    g_autoptr(GError) error = NULL;
    PtDeobfuscateReport report;
    f.out = needed[i];
    g_assert_false(fixture_restore(&f, &report, &error));
    g_assert_error(error, PT_RESTORE_ERROR, PT_ERR_USAGE);
  }
  f.out = out;
  fixture_clear(&f);
}

static void test_other_model(void) {
  Fixture f;
  fixture_init(&f);
  FILE *file = g_fopen(f.model, "ab");
  g_assert_cmpint(fputc('\n', file), ==, '\n');
  fclose(file);
  expect_error(&f, PT_RESTORE_ERROR, PT_ERR_MISMATCH);
  g_unlink(f.model);
  expect_error(&f, PT_BASE_ERROR, PT_ERR_IO);
  fixture_clear(&f);
}

static void test_no_answers(void) {
  Fixture f;
  fixture_init(&f);
  pt_dir_remove(f.answers);
  expect_error(&f, PT_RESTORE_ERROR, PT_ERR_IO);
  fixture_clear(&f);
}

static void test_out_is_folder(void) {
  Fixture f;
  fixture_init(&f);
  g_mkdir(f.out, 0755);
  g_autoptr(GError) error = NULL;
  PtDeobfuscateReport report;
  g_assert_false(fixture_restore(&f, &report, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  fixture_clear(&f);
}

/* ---- tampering
 * ------------------------------------------------------------------------------------ */
static PtMember *member(PtSecret *s, uint32_t bucket) {
  return g_ptr_array_index(((PtSecretBucket *)g_ptr_array_index(s->buckets, bucket))->members, 0);
}
static void rename_at(GPtrArray *names, const char *name) {
  g_free(g_ptr_array_index(names, 0));
  g_ptr_array_index(names, 0) = g_strdup(name);
}
static void node_out_of_range(PtSecret *s) {
  g_array_index(member(s, 1)->nodes, uint32_t, 0) = 77;
}
static void node_twice(PtSecret *s) {
  g_array_index(member(s, 1)->nodes, uint32_t, 0) = g_array_index(member(s, 1)->nodes, uint32_t, 1);
}
static void no_nodes(PtSecret *s) {
  g_array_set_size(member(s, 1)->nodes, 0);
}
static void unknown_input(PtSecret *s) {
  rename_at(member(s, 1)->inputs, "nobody");
}
static void unknown_output(PtSecret *s) {
  rename_at(member(s, 1)->outputs, "nobody");
}
static void constant_input(PtSecret *s) {
  rename_at(member(s, 1)->inputs, "w1");
}
static void inner_input(PtSecret *s) {
  rename_at(member(s, 1)->inputs, "c1");
}
static void outer_output(PtSecret *s) {
  rename_at(member(s, 1)->outputs, "y");
}
static void missing_input(PtSecret *s) {
  g_ptr_array_remove_index(member(s, 1)->inputs, 0);
}
static void input_twice(PtSecret *s) {
  g_ptr_array_add(member(s, 1)->inputs, g_strdup("a"));
}
static void missing_output(PtSecret *s) {
  g_ptr_array_remove_index(member(s, 1)->outputs, 0);
}
static void other_weight(PtSecret *s) {
  PtSecretWeight *w = g_ptr_array_index(member(s, 1)->weights, 0);
  g_free(w->original);
  w->original = g_strdup("w2");
}
static void weight_is_no_constant(PtSecret *s) {
  PtSecretWeight *w = g_ptr_array_index(member(s, 1)->weights, 0);
  g_free(w->original);
  w->original = g_strdup("c1");
}
static void other_size(PtSecret *s) {
  ((PtSecretWeight *)g_ptr_array_index(member(s, 1)->weights, 0))->size -= 4;
}
static void missing_bucket(PtSecret *s) {
  g_ptr_array_remove_index(s->buckets, 1);
}
/* pieces 0 and 2 in one, around piece 1 */
static void not_convex(PtSecret *s) {
  PtMember *first = member(s, 0), *last = member(s, 2);
  g_array_append_vals(first->nodes, last->nodes->data, last->nodes->len);
  g_ptr_array_add(first->inputs, g_strdup("b"));
  g_ptr_array_add(first->outputs, g_strdup("y"));
  g_ptr_array_remove_index(s->buckets, 2);
}

typedef struct Tampering {
  const char *name;
  void (*edit)(PtSecret *);
} Tampering;
static const Tampering tamperings[] = {{"node-out-of-range", node_out_of_range},
                                       {"node-twice", node_twice},
                                       {"no-nodes", no_nodes},
                                       {"unknown-input", unknown_input},
                                       {"unknown-output", unknown_output},
                                       {"constant-input", constant_input},
                                       {"inner-input", inner_input},
                                       {"outer-output", outer_output},
                                       {"missing-input", missing_input},
                                       {"input-twice", input_twice},
                                       {"missing-output", missing_output},
                                       {"other-weight", other_weight},
                                       {"weight-is-no-constant", weight_is_no_constant},
                                       {"other-size", other_size},
                                       {"missing-bucket", missing_bucket},
                                       {"not-convex", not_convex}};

static void test_tampered(gconstpointer data) {
  Fixture f;
  fixture_init(&f);
  ((const Tampering *)data)->edit(f.kept);
  g_assert_true(pt_secret_write(f.kept, f.secret, NULL));
  expect_error(&f, PT_RESTORE_ERROR, PT_ERR_INPUT);
  fixture_clear(&f);
}

/* ---- finding
 * ----------------------------------------------------------------------------------------- */
static void test_places_in_order(void) {
  Fixture f;
  fixture_init(&f);
  g_autoptr(GError) error = NULL;
  /* listed backward, found forward */
  PtSecret *s = f.kept;
  gpointer first = g_ptr_array_index(s->buckets, 0);
  g_ptr_array_index(s->buckets, 0) = g_ptr_array_index(s->buckets, 2);
  g_ptr_array_index(s->buckets, 2) = first;
  g_autoptr(PtGraph) model = pt_onnx_read(f.model, NULL, &error);
  g_autoptr(GPtrArray) places = pt_places_new(model, s, &f.noise, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(places->len, ==, PIECES);
  for (guint p = 0; p < PIECES; p++) {
    const PtPlace *place = g_ptr_array_index(places, p);
    g_assert_cmpuint(place->bucket, ==, PIECES - 1 - p);
    g_assert_cmpuint(place->weights->len, ==, 1);
    g_assert_cmpuint(pt_graph_n_nodes(place->original), ==, 2);
    g_autoptr(PtGraph) candidate = pt_place_candidate(place);
    const PtPlaceWeight *w = &g_array_index(place->weights, PtPlaceWeight, 0);
    const PtTensor *t = pt_value(candidate, w->original)->constant;
    g_assert_cmpstr(t->location, ==, "noise.bin");
    g_assert_cmpuint(t->offset, ==, 4 + 1000 * p);
    g_assert_null(t->data); /* nothing of the owner's is left in it */
    g_assert_nonnull(pt_value(place->original, w->original)->constant->data);
  }
  fixture_clear(&f);
}

/* A candidate may have a constant of its own for each use of a weight: the reader tells them apart.
 */
static void test_two_constants_of_one_weight(void) {
  Fixture f;
  fixture_init(&f);
  PtMember *first = member(f.kept, 0);
  const PtSecretWeight *w = g_ptr_array_index(first->weights, 0);
  pt_member_add_weight(first, "v21", w->original, w->offset + w->size, w->size, "c0");
  g_assert_true(pt_secret_write(f.kept, f.secret, NULL));
  g_autoptr(GError) error = NULL;
  g_autoptr(PtSecret) read = pt_secret_read(f.secret, &error);
  g_assert_no_error(error);
  g_autoptr(PtGraph) model = pt_onnx_read(f.model, NULL, &error);
  g_autoptr(GPtrArray) places = pt_places_new(model, read, &f.noise, &error);
  g_assert_no_error(error);
  for (guint i = 0; i < places->len; i++) {
    const PtPlace *place = g_ptr_array_index(places, i);
    if (place->bucket != 0)
      continue;
    g_autoptr(PtGraph) candidate = pt_place_candidate(place);
    PtValueId made = pt_graph_find(candidate, "c0"), one = pt_graph_find(candidate, w->original);
    const PtNode *conv = pt_node(candidate, pt_value(candidate, made)->producer);
    g_assert_cmpuint(conv->inputs[1], !=, one);
    g_assert_cmpuint(pt_value(candidate, conv->inputs[1])->constant->offset, ==,
                     w->offset + w->size);
    g_assert_cmpuint(pt_value(candidate, one)->constant->offset, ==, w->offset);
  }
  g_autofree char *wrong = g_strdup("nobody");
  PtSecretWeight *second = g_ptr_array_index(((PtMember *)member(read, 0))->weights, 1);
  g_free(second->reader);
  second->reader = g_steal_pointer(&wrong);
  g_autoptr(GPtrArray) refused = pt_places_new(model, read, &f.noise, &error);
  g_assert_null(refused);
  g_assert_error(error, PT_RESTORE_ERROR, PT_ERR_INPUT);
  fixture_clear(&f);
}

/* One piece: its file alone will do in place of a folder. */
static void test_single_file(void) {
  Fixture f;
  fixture_init(&f);
  PtSecret *s = f.kept;
  PtMember *all = member(s, 0);
  for (uint32_t i = 1; i < PIECES; i++) {
    g_array_append_vals(all->nodes, member(s, i)->nodes->data, 2);
    const PtSecretWeight *w = g_ptr_array_index(member(s, i)->weights, 0);
    g_autofree char *name = g_strdup_printf("v%u", 20 + i);
    pt_member_add_weight(all, name, w->original, w->offset, w->size, w->reader);
  }
  rename_at(all->outputs, "y");
  g_ptr_array_set_size(s->buckets, 1);
  g_assert_true(pt_secret_write(s, f.secret, NULL));
  g_autoptr(GError) error = NULL;
  g_autoptr(PtGraph) model = pt_onnx_read(f.model, NULL, &error);
  g_assert_true(pt_runtime_infer_types(model, &error));
  g_autoptr(GPtrArray) places = pt_places_new(model, s, &f.noise, &error);
  g_assert_no_error(error);
  g_autoptr(PtGraph) candidate = pt_place_candidate(g_ptr_array_index(places, 0));
  g_autofree char *edited = g_build_filename(f.folder, "edited.onnx", NULL);
  g_assert_true(pt_onnx_write(candidate, edited, NULL, &error));
  g_free(f.answers);
  f.answers = g_steal_pointer(&edited);
  PtDeobfuscateReport report;
  g_assert_true(fixture_restore(&f, &report, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(report.pieces, ==, 1);
  g_assert_cmpuint(report.optimized, ==, 1);
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

/* A piece that was not sent is told from one that did not come back. */
static void test_kept(void) {
  Fixture f;
  fixture_init(&f);
  ((PtSecretBucket *)g_ptr_array_index(f.kept->buckets, 1))->kept = g_strdup("it has a secret");
  g_assert_true(pt_secret_write(f.kept, f.secret, NULL));
  g_autoptr(GError) error = NULL;
  PtDeobfuscateReport report;
  g_assert_true(fixture_restore(&f, &report, &error));
  g_assert_cmpuint(report.fallbacks->len, ==, 1);
  const PtFallback *fallback = g_ptr_array_index(report.fallbacks, 0);
  g_assert_cmpstr(fallback->why, ==, "it was not sent: it has a secret");
  pt_deobfuscate_report_clear(&report);
  fixture_clear(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/restore/usage", test_usage);
  g_test_add_func("/restore/out-is-needed", test_out_is_needed);
  g_test_add_func("/restore/other-model", test_other_model);
  g_test_add_func("/restore/no-answers", test_no_answers);
  g_test_add_func("/restore/out-is-folder", test_out_is_folder);
  for (size_t i = 0; i < G_N_ELEMENTS(tamperings); i++) {
    g_autofree char *name = g_strdup_printf("/restore/secret/%s", tamperings[i].name);
    g_test_add_data_func(name, &tamperings[i], test_tampered);
  }
  g_test_add_func("/restore/places/order", test_places_in_order);
  g_test_add_func("/restore/split-weight", test_two_constants_of_one_weight);
  g_test_add_func("/restore/single-file", test_single_file);
  g_test_add_func("/restore/kept", test_kept);
  return g_test_run();
}
