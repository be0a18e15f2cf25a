/* heap.c: see heap.h. */
#include "heap.h"

#include "onnx/onnx.h"
#include "runtime/runtime.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void bucket_free(void *data) {
  PtHeapBucket *bucket = data;
  g_ptr_array_unref(bucket->graphs);
  g_ptr_array_unref(bucket->ids);
  g_free(bucket);
}

void pt_heap_free(PtHeap *heap) {
  if (!heap)
    return;
  g_ptr_array_unref(heap->buckets);
  pt_dir_remove(heap->folder);
  g_free(heap->folder);
  g_free(heap->bundle);
  g_free(heap->secret);
  g_free(heap->model);
  g_free(heap);
}

uint64_t pt_heap_file_size(const PtHeap *heap, const char *id) {
  struct stat info;
  g_autofree char *file = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(heap->bundle, file, NULL);
  return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static bool add_candidate(const PtHeap *heap, PtHeapBucket *bucket, const char *id,
                          GError **error) {
  g_autofree char *file = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(heap->bundle, file, NULL);
  PtGraph *graph = pt_onnx_read(path, NULL, error);
  if (!graph)
    return false;
  g_ptr_array_add(bucket->graphs, graph);
  g_ptr_array_add(bucket->ids, g_strdup(id));
  return true;
}

static bool add_bucket(PtHeap *heap, const PtSecretBucket *of, GError **error) {
  if (of->kept)
    return true;
  PtHeapBucket *bucket = g_new0(PtHeapBucket, 1);
  bucket->graphs = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  bucket->ids = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(heap->buckets, bucket);
  if (!add_candidate(heap, bucket, of->real, error))
    return false;
  for (guint i = 0; i < of->candidates->len; i++) {
    const char *id = g_ptr_array_index(of->candidates, i);
    if (!g_str_equal(id, of->real) && !add_candidate(heap, bucket, id, error))
      return false;
  }
  return true;
}

static bool make(PtHeap *heap, const char *model, const PtObfuscateOptions *options,
                 GError **error) {
  PtObfuscateOptions own = *options;
  own.model = heap->model;
  own.bundle = heap->bundle;
  own.secret = heap->secret;
  if (!pt_fill_file(model, heap->model, "1", options->threads, error) ||
      !pt_obfuscate(&own, &heap->report, error))
    return false;
  g_autoptr(PtManifest) manifest = pt_manifest_read(heap->bundle, error);
  g_autoptr(PtSecret) secret = manifest ? pt_secret_read(heap->secret, error) : NULL;
  if (!secret)
    return false;
  heap->noise = manifest->noise;
  for (guint b = 0; b < secret->buckets->len; b++)
    if (!add_bucket(heap, g_ptr_array_index(secret->buckets, b), error))
      return false;
  return true;
}

PtHeap *pt_heap_new(const char *model, const PtObfuscateOptions *options, GError **error) {
  char *folder = pt_dir_make_temp("proteus-bench", error);
  if (!folder)
    return NULL;
  PtHeap *heap = g_new0(PtHeap, 1);
  heap->folder = folder;
  heap->bundle = g_build_filename(folder, "bundle", NULL);
  heap->secret = g_build_filename(folder, "secret", NULL);
  heap->model = g_build_filename(folder, "model.onnx", NULL);
  heap->buckets = g_ptr_array_new_with_free_func(bucket_free);
  if (!make(heap, model, options, error))
    g_clear_pointer(&heap, pt_heap_free);
  return heap;
}

bool pt_heap_arguments(int *argc, char ***argv, const char *models, const GOptionEntry *own,
                       PtObfuscateOptions *options) {
  int n = (int)options->n, k = (int)options->k;
  char *mode = NULL, *seed = NULL;
  const GOptionEntry shared[] = {
      {"sentinels", 'k', 0, G_OPTION_ARG_INT, &k, "sentinels a bucket (20)", "K"},
      {"pieces", 'n', 0, G_OPTION_ARG_INT, &n, "pieces", "N"},
      {"mode", 'm', 0, G_OPTION_ARG_STRING, &mode, "as of obfuscate", "MODE"},
      {"seed", 's', 0, G_OPTION_ARG_STRING, &seed, "as of obfuscate", "SEED"},
      {0}};
  g_autoptr(GOptionContext) context = g_option_context_new(models);
  g_autoptr(GError) error = NULL;
  g_option_context_add_main_entries(context, shared, NULL);
  g_option_context_add_main_entries(context, own, NULL);
  if (!g_option_context_parse(context, argc, argv, &error) || !pt_runtime_load(&error)) {
    fprintf(stderr, "%s\n", error->message);
    return false;
  }
  options->n = (uint32_t)n;
  options->k = (uint32_t)k;
  options->mode = mode ? mode : options->mode;
  options->seed = seed ? seed : options->seed;
  return true;
}
