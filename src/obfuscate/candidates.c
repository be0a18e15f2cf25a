/* candidates.c: every candidate, scrubbed, encoded and written by the same hands, real or not. */
#include "obfuscate/obfuscate_private.h"

#include "onnx/onnx.h"

#include <string.h>

void pt_candidate_file_free(void *data) {
  PtCandidateFile *file = data;
  if (!file)
    return;
  g_clear_pointer(&file->bytes, g_bytes_unref);
  g_clear_pointer(&file->weights, g_array_unref);
  g_clear_pointer(&file->sent, pt_graph_unref);
  g_free(file->sha256);
  g_free(file);
}

void pt_random_hex(PtRng *rng, char out[33]) {
  static const char digits[] = "0123456789abcdef";
  uint8_t bytes[16];
  pt_rng_bytes(rng, bytes, sizeof bytes);
  for (size_t i = 0; i < 16; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[32] = '\0';
}

/* ---- what all have in common -------------------------------------------------------------------
 */
static int by_domain(const void *a, const void *b) {
  return strcmp(((const PtOpset *)a)->domain, ((const PtOpset *)b)->domain);
}

PtGraph *pt_common_imports(GPtrArray *buckets) {
  PtGraph *common = pt_graph_new();
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    if (bucket->kept)
      continue;
    pt_scrub_opsets(bucket->real, common);
    common->ir_version = MAX(common->ir_version, bucket->real->ir_version);
  }
  common->ir_version = MIN(common->ir_version, 13);
  g_array_sort(common->opsets, by_domain);
  return common;
}

static bool covers(const PtGraph *imports, const PtGraph *graph) {
  for (guint i = 0; i < graph->opsets->len; i++) {
    const PtOpset *opset = &g_array_index(graph->opsets, PtOpset, i);
    if (pt_graph_opset(imports, opset->domain) != opset->version)
      return false;
  }
  return true;
}

/* A sentinel may have its weights in the other half, so each half holds all of the largest piece.
 */
void pt_common_need(GPtrArray *buckets, PtNoiseNeed *need) {
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    PtNoiseNeed own = {0};
    if (bucket->kept)
      continue;
    pt_noise_need(bucket->real, &own);
    need->any = MAX(need->any, own.any + own.positive);
    need->halves = MAX(need->halves, own.halves);
    need->brains = MAX(need->brains, own.brains);
    need->doubles = MAX(need->doubles, own.doubles);
  }
}

/* ---- one candidate
 * ------------------------------------------------------------------------------- */
/* reader[v]: a value of the model that is made by a node that reads constant v, or PT_NONE. */
static PtValueId *find_readers(const PtGraph *graph, const PtValueId *model_value) {
  PtValueId *reader = g_new(PtValueId, (gsize)pt_graph_n_values(graph) + 1);
  memset(reader, 0xff, ((gsize)pt_graph_n_values(graph) + 1) * sizeof *reader);
  for (PtNodeId i = 0; i < pt_graph_n_nodes(graph); i++) {
    const PtNode *node = pt_node(graph, i);
    PtValueId made = PT_NONE;
    for (uint32_t k = 0; k < node->n_outputs && made == PT_NONE; k++)
      if (node->outputs[k] != PT_NONE)
        made = model_value[node->outputs[k]];
    for (uint32_t k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] != PT_NONE && pt_value(graph, node->inputs[k])->constant)
        reader[node->inputs[k]] = made;
  }
  return reader;
}

static GArray *weights_of(const PtGraph *graph, const PtGraph *scrubbed, const GArray *source,
                          const PtValueId *model_value) {
  g_autofree PtValueId *reader = find_readers(graph, model_value);
  GArray *weights = g_array_new(FALSE, TRUE, sizeof(PtCandidateWeight));
  for (guint i = 0; i < source->len; i++) {
    PtScrubbed pair = g_array_index(source, PtScrubbed, i);
    const PtValue *value = pt_value(scrubbed, pair.candidate);
    if (!value->constant->location)
      continue;
    PtCandidateWeight weight = {.value = model_value[pair.original],
                                .reader = reader[pair.original],
                                .offset = value->constant->offset,
                                .size = value->constant->size};
    g_strlcpy(weight.name, value->name, sizeof weight.name);
    g_array_append_val(weights, weight);
  }
  return weights;
}

PtCandidateFile *pt_candidate_encode(const PtGraph *graph, const PtValueId *model_value,
                                     const PtGraph *imports, const PtNoise *noise, PtRng *rng,
                                     GError **error) {
  g_autoptr(GArray) source = NULL;
  g_autoptr(PtGraph) scrubbed = pt_scrub(graph, noise, rng, &source, error);
  if (!scrubbed)
    return NULL;
  if (!covers(imports, scrubbed)) {
    g_set_error(error, PT_BUNDLE_ERROR, PT_ERR_UNSUPPORTED,
                "a sentinel needs operators that the model does not import");
    return NULL;
  }
  g_array_set_size(scrubbed->opsets, 0);
  for (guint i = 0; i < imports->opsets->len; i++) {
    const PtOpset *opset = &g_array_index(imports->opsets, PtOpset, i);
    pt_graph_set_opset(scrubbed, opset->domain, opset->version);
  }
  scrubbed->ir_version = imports->ir_version;
  GBytes *bytes = pt_onnx_write_bytes(scrubbed, NULL, NULL, error);
  if (!bytes)
    return NULL;
  PtCandidateFile *file = g_new0(PtCandidateFile, 1);
  pt_random_hex(rng, file->id);
  file->bytes = bytes;
  file->sent = g_steal_pointer(&scrubbed);
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  file->sha256 = pt_sha256_hex(data, size);
  if (model_value)
    file->weights = weights_of(graph, file->sent, source, model_value);
  return file;
}

/* ---- writing
 * ------------------------------------------------------------------------------------- */
static int by_id(const void *a, const void *b) {
  const PtCandidateFile *x = *(const PtCandidateFile *const *)a;
  const PtCandidateFile *y = *(const PtCandidateFile *const *)b;
  return strcmp(x->id, y->id);
}

GPtrArray *pt_candidates_sorted(GPtrArray *buckets) {
  GPtrArray *all = g_ptr_array_new();
  for (guint b = 0; b < buckets->len; b++) {
    const PtBucket *bucket = g_ptr_array_index(buckets, b);
    for (guint i = 0; i < bucket->candidates->len; i++)
      g_ptr_array_add(all, g_ptr_array_index(bucket->candidates, i));
  }
  g_ptr_array_sort(all, by_id);
  return all;
}

bool pt_candidates_write(GPtrArray *candidates, const char *folder,
                         const PtObfuscateOptions *options, GError **error) {
  for (guint i = 0; i < candidates->len; i++) {
    const PtCandidateFile *file = g_ptr_array_index(candidates, i);
    g_autofree char *name = g_strconcat(file->id, ".onnx", NULL);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    gsize size;
    const void *data = g_bytes_get_data(file->bytes, &size);
    if (!pt_file_write(path, 0644, data, size, error))
      return false;
    pt_progress(&options->progress, "writing candidates", i + 1, candidates->len);
  }
  return true;
}
