/* A piece's way through rebinding; see way.h. */
#include "way.h"

#include "onnx/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED "0123456789abcdef0123456789abcdef"

bool pt_way_open(PtWay *way, PtGraph *piece, const char *folder, GError **error) {
  PtNoiseNeed need = {0};
  PtSeed seed;
  pt_seed_init(&seed, "rebind");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "scrub", 0);
  *way = (PtWay){.piece = pt_graph_ref(piece)};
  pt_noise_need(piece, &need);
  way->folder = folder ? g_strdup(folder) : pt_dir_make_temp("rebind", error);
  if (!way->folder || !pt_noise_init_for(&way->noise, SEED, &need, error))
    return false;
  way->candidate = pt_scrub(piece, &way->noise, rng, &way->source, error);
  way->path = g_build_filename(way->folder, "candidate.onnx", NULL);
  g_autofree char *noise = g_build_filename(way->folder, PT_NOISE_FILE, NULL);
  return way->candidate && pt_onnx_write(way->candidate, way->path, NULL, error) &&
         pt_noise_write(&way->noise, noise, 0, error);
}

void pt_way_close(PtWay *way) {
  if (way->folder && g_str_has_prefix(way->folder, g_get_tmp_dir()))
    pt_dir_remove(way->folder);
  g_clear_pointer(&way->candidate, pt_graph_unref);
  g_clear_pointer(&way->piece, pt_graph_unref);
  g_clear_pointer(&way->source, g_array_unref);
  g_clear_pointer(&way->folder, g_free);
  g_clear_pointer(&way->path, g_free);
}

GArray *pt_way_bindings(const PtWay *way) {
  GArray *bindings = g_array_new(FALSE, FALSE, sizeof(PtBinding));
  for (guint i = 0; i < way->source->len; i++) {
    PtScrubbed s = g_array_index(way->source, PtScrubbed, i);
    const PtTensor *t = pt_value(way->candidate, s.candidate)->constant;
    PtBinding b = {t->offset, pt_value(way->piece, s.original)->constant};
    if (t->location)
      g_array_append_val(bindings, b);
  }
  return bindings;
}

PtGraph *pt_way_real(const PtWay *way) {
  PtGraph *g = pt_graph_copy(way->candidate);
  for (guint i = 0; i < way->source->len; i++) {
    PtScrubbed s = g_array_index(way->source, PtScrubbed, i);
    const PtTensor *t = pt_value(way->candidate, s.candidate)->constant;
    const PtTensor *real = pt_value(way->piece, s.original)->constant;
    PtValueId v = pt_graph_find(g, pt_value(way->candidate, s.candidate)->name);
    if (t->location && v != PT_NONE)
      pt_value(g, v)->constant = pt_graph_tensor(g, t->dtype, t->rank, t->dims, real->data);
  }
  return g;
}

static PtGraph *read_answer(const char *path, PtExternalPolicy policy, GError **error) {
  PtOnnxReadOptions options = {.external = policy, .external_name = PT_NOISE_FILE};
  return pt_onnx_read(path, &options, error);
}

PtGraph *pt_way_optimize(const PtWay *way, bool real, PtLevel level, bool native, GError **error) {
  g_autofree char *path = g_build_filename(way->folder, real ? "real.onnx" : "answer.onnx", NULL);
  PtSessionOptions options = {
      .level = level, .native = native, .save_path = path, .folder = way->folder};
  g_autoptr(PtGraph) graph = real ? pt_way_real(way) : NULL;
  g_autoptr(PtSession) session = real ? pt_session_new(graph, &options, error)
                                      : pt_session_new_file(way->path, &options, error);
  return session ? read_answer(path, PT_EXTERNAL_NAMED, error) : NULL;
}

PtGraph *pt_way_command(const PtWay *way, const char *command, GError **error) {
  g_autofree char *path = g_build_filename(way->folder, "answer.onnx", NULL);
  g_autofree char *line = g_strdup_printf("%s %s %s >/dev/null 2>&1", command, way->path, path);
  if (system(line) != 0) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_ENVIRONMENT, "'%s' fails", line);
    return NULL;
  }
  return read_answer(path, PT_EXTERNAL_MAP, error);
}

PtGraph *pt_way_rebind(const PtWay *way, PtGraph *answer, PtGraph **explained, PtWayReport *report,
                       GError **error) {
  double start = pt_clock();
  bool ok = pt_rebind_explain(answer, way->candidate, &way->noise, error);
  report->explain_seconds += pt_clock() - start;
  g_autofree char *path = g_build_filename(way->folder, "explained.onnx", NULL);
  if (!ok || !pt_onnx_write(answer, path, NULL, error))
    return NULL;
  g_autoptr(PtGraph) read = read_answer(path, PT_EXTERNAL_NAMED, error);
  g_autoptr(GBytes) bytes = pt_file_map(path, SIZE_MAX, NULL);
  if (!read)
    return NULL;
  report->bytes += g_bytes_get_size(bytes);
  for (PtNodeId n = 0; n < pt_graph_n_nodes(read); n++)
    report->derivations += g_str_has_prefix(pt_node(read, n)->name, "pt_rebind_");
  if (explained)
    *explained = pt_graph_copy(read);
  g_autoptr(GArray) bindings = pt_way_bindings(way);
  start = pt_clock();
  ok = pt_rebind_bind(read, (const PtBinding *)(void *)bindings->data, bindings->len, 0, error);
  report->bind_seconds += pt_clock() - start;
  for (PtValueId v = 0; v < pt_graph_n_values(read) && ok; v++)
    report->constants += pt_value(read, v)->constant != NULL;
  return ok ? g_steal_pointer(&read) : NULL;
}

static double worst_of(const PtTensor *a, const PtTensor *b) {
  double worst = 0;
  if (a->dtype != b->dtype || a->count != b->count)
    return INFINITY;
  for (size_t i = 0; i < a->count; i++) {
    double x = pt_tensor_float_at(a, i), y = pt_tensor_float_at(b, i);
    double d = fabs(x - y) / fmax(fabs(y), 1e-30);
    worst = d == d ? fmax(worst, d) : INFINITY;
  }
  return worst;
}

static gpointer content(const PtTensor *t) {
  return (gpointer)(uintptr_t)pt_hash64(t->data, t->size, t->count);
}

void pt_way_compare_constants(const PtGraph *bound, const PtGraph *reference, PtWayReport *report,
                              bool verbose) {
  g_autoptr(GHashTable) contents = g_hash_table_new(NULL, NULL);
  for (PtValueId v = 0; v < pt_graph_n_values(reference); v++) {
    const PtTensor *c = pt_value(reference, v)->constant;
    if (c && c->data)
      g_hash_table_add(contents, content(c));
  }
  for (PtValueId v = 0; v < pt_graph_n_values(bound); v++) {
    const PtTensor *c = pt_value(bound, v)->constant;
    if (!c || !c->data || !pt_dtype_is_float(c->dtype))
      continue;
    if (g_hash_table_contains(contents, content(c))) {
      report->exact++;
      continue;
    }
    PtValueId twin = pt_graph_find(reference, pt_value(bound, v)->name);
    const PtTensor *r = twin == PT_NONE ? NULL : pt_value(reference, twin)->constant;
    double d = r && r->data ? worst_of(c, r) : INFINITY;
    report->absent += isinf(d) != 0;
    report->near += isinf(d) == 0;
    if (!isinf(d))
      report->worst = fmax(report->worst, d);
    if (verbose)
      printf("#   %s '%s', %zu elements: %g\n", isinf(d) ? "no twin of" : "near",
             pt_value(bound, v)->name, c->count, d);
  }
}

bool pt_way_compare_outputs(const PtWay *way, const PtGraph *bound, PtWayReport *report,
                            GError **error) {
  PtSessionOptions none = {.level = PT_LEVEL_NONE};
  g_autoptr(PtGraph) real = pt_way_real(way);
  g_autoptr(PtSession) a = pt_session_new(real, &none, error);
  g_autoptr(PtSession) b = a ? pt_session_new(bound, &none, error) : NULL;
  PtSeed seed;
  pt_seed_init(&seed, "inputs");
  g_autoptr(GPtrArray) inputs = b ? pt_runtime_random_inputs(real, &seed, 8, error) : NULL;
  g_autofree PtArray **in_a = inputs ? pt_session_order_inputs(a, real, inputs, error) : NULL;
  g_autofree PtArray **in_b = in_a ? pt_session_order_inputs(b, real, inputs, error) : NULL;
  g_autoptr(GPtrArray) out_a = in_b ? pt_session_run(a, in_a, error) : NULL;
  g_autoptr(GPtrArray) out_b = out_a ? pt_session_run(b, in_b, error) : NULL;
  if (!out_b)
    return false;
  for (guint i = 0; i < out_a->len; i++)
    report->difference =
        fmax(report->difference, pt_array_difference(out_a->pdata[i], out_b->pdata[i]));
  return true;
}
