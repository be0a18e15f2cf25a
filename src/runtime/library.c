/* library.c: finds ONNX Runtime, loads it once, opens its one environment. */
#include "places.h"
#include "runtime/runtime_private.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

G_DEFINE_QUARK(pt - runtime - error - quark, pt_runtime_error)

PtOrt pt_ort;
OrtEnv *pt_ort_env;
OrtMemoryInfo *pt_ort_memory;
OrtAllocator *pt_ort_allocator;

static const char *ort_version;

const char *pt_runtime_version(void) {
  return ort_version;
}

static PtErrorCode code_of(int ort_code) {
  switch (ort_code) {
  case ORT_NO_SUCHFILE:
    return PT_ERR_IO;
  case ORT_NOT_IMPLEMENTED:
    return PT_ERR_UNSUPPORTED;
  default:
    return PT_ERR_INPUT;
  }
}

bool pt_ort_ok(OrtStatus *status, const char *what, GError **error) {
  if (!status)
    return true;
  /* One line: the library's messages carry stack traces and newlines. */
  char *text = g_strndup(pt_ort.GetErrorMessage(status), 600);
  char *valid = g_utf8_make_valid(text, -1);
  g_strdelimit(valid, "\r\n\t", ' ');
  g_set_error(error, PT_RUNTIME_ERROR, code_of(pt_ort.GetErrorCode(status)), "%s: %s", what,
              g_strchomp(valid));
  g_free(valid);
  g_free(text);
  pt_ort.ReleaseStatus(status);
  return false;
}

const void *pt_zero_page(size_t size) {
  static GMutex lock;
  static void *page;
  static size_t mapped;
  g_mutex_lock(&lock);
  if (size > mapped || !page) {
    /* Never unmapped: sessions may still read the smaller one. Reads of untouched pages cost no
     * memory. */
    size_t want = MAX(size, (size_t)1 << 20);
    void *fresh = mmap(NULL, want, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) {
      g_mutex_unlock(&lock);
      return NULL;
    }
    page = fresh;
    mapped = want;
  }
  const void *result = page;
  g_mutex_unlock(&lock);
  return result;
}

/* ---- where to look ------------------------------------------------------------------------------
 */

static gint by_name(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_folder(GPtrArray *places, const char *folder) {
  GDir *dir = g_dir_open(folder, 0, NULL);
  if (!dir)
    return;
  GPtrArray *found = g_ptr_array_new();
  for (const char *name; (name = g_dir_read_name(dir));)
    if (g_str_has_prefix(name, "libonnxruntime.so") || g_str_equal(name, "libonnxruntime.dylib"))
      g_ptr_array_add(found, g_build_filename(folder, name, NULL));
  g_dir_close(dir);
  g_ptr_array_sort(found, by_name);
  for (guint i = 0; i < found->len; i++)
    g_ptr_array_add(places, found->pdata[i]);
  g_ptr_array_unref(found);
}

static GPtrArray *places_to_look(void) {
  GPtrArray *places = g_ptr_array_new_with_free_func(g_free);
  const char *chosen = getenv("PROTEUS_ORT_LIB");
  if (chosen && *chosen) {
    /* Whoever names a library means that one: falling back to another would hide a typing error. */
    g_ptr_array_add(places, g_strdup(chosen));
    return places;
  }
  char *self = g_file_read_link("/proc/self/exe", NULL);
  char *bin = self ? g_path_get_dirname(self) : NULL;
  /* beside the program: build/proteus, build/tests/test-x, prefix/bin/proteus */
  static const char *const beside[] = {"ort",          "../ort",         "../../ort",
                                       "../build/ort", "../lib/proteus", "../lib"};
  for (size_t i = 0; bin && i < G_N_ELEMENTS(beside); i++) {
    char *folder = g_build_filename(bin, beside[i], NULL);
    add_folder(places, folder);
    g_free(folder);
  }
  g_free(bin);
  g_free(self);
  add_folder(places, PT_BUILD_DIR "/ort");
  add_folder(places, PT_SOURCE_DIR "/build/ort");
  g_ptr_array_add(places, g_strdup("libonnxruntime.so.1"));
  g_ptr_array_add(places, g_strdup("libonnxruntime.so"));
  return places;
}

/* ---- loading ------------------------------------------------------------------------------------
 */

/* The API table, or NULL with *why set. */
static const void *table_of(void *handle, const char **version, char **why) {
  union {
    void *object;
    const PtOrtBase *(*function)(void);
  } symbol = {.object = dlsym(handle, "OrtGetApiBase")};
  const PtOrtBase *base = symbol.object ? symbol.function() : NULL;
  if (!base) {
    *why = g_strdup("it exports no OrtGetApiBase");
    return NULL;
  }
  *version = base->GetVersionString();
  unsigned major = 0, minor = 0;
  /* Asked for before GetApi, which prints when it does not have the version. */
  if (sscanf(*version, "%u.%u", &major, &minor) != 2 || major != 1 || minor < PT_ORT_API_VERSION) {
    *why = g_strdup_printf("it is version %s, and 1.%d or newer is needed", *version,
                           PT_ORT_API_VERSION);
    return NULL;
  }
  const void *table = base->GetApi(PT_ORT_API_VERSION);
  if (!table)
    *why = g_strdup("it does not give out its API table");
  return table;
}

static void fill_table(const void *table) {
  void *const *row = table;
#define PT_ORT_ROW(position, name, result, parameters)                                             \
  memcpy(&pt_ort.name, &row[position], sizeof(void *));
  PT_ORT_CALLS(PT_ORT_ROW)
#undef PT_ORT_ROW
}

static bool open_environment(GError **error) {
  /* Official builds send model names unless this is set before the environment exists. */
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  return pt_ort_ok(pt_ort.CreateEnv(ORT_LOG_FATAL, "proteus", &pt_ort_env),
                   "ONNX Runtime does not start", error) &&
         pt_ort_ok(
             pt_ort.CreateCpuMemoryInfo(ORT_ALLOCATOR_DEVICE, ORT_MEM_DEFAULT, &pt_ort_memory),
             "ONNX Runtime does not start", error) &&
         pt_ort_ok(pt_ort.GetAllocatorWithDefaultOptions(&pt_ort_allocator),
                   "ONNX Runtime does not start", error);
}

static bool load(GError **error) {
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  GPtrArray *places = places_to_look();
  GString *tried = g_string_new(NULL);
  const void *table = NULL;
  for (guint i = 0; i < places->len && !table; i++) {
    const char *place = places->pdata[i];
    char *why = NULL;
    void *handle = dlopen(place, RTLD_NOW | RTLD_LOCAL);
    if (handle) {
      const char *version = NULL;
      table = table_of(handle, &version, &why);
      ort_version = table ? version : NULL;
      if (!table)
        dlclose(handle);
    } else
      why = g_strdup(dlerror());
    if (why)
      g_string_append_printf(tried, "%s%s (%s)", tried->len ? "; " : "", place, why);
    g_free(why);
  }
  if (!table)
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_ENVIRONMENT,
                "ONNX Runtime was not found: run './run build' in the source folder, or set "
                "PROTEUS_ORT_LIB to libonnxruntime.so; tried %s",
                tried->str);
  g_string_free(tried, TRUE);
  g_ptr_array_unref(places);
  if (!table)
    return false;
  fill_table(table);
  GError *inner = NULL;
  if (!open_environment(&inner)) {
    g_set_error(error, PT_RUNTIME_ERROR, PT_ERR_ENVIRONMENT, "%s", inner->message);
    g_error_free(inner);
    ort_version = NULL;
    return false;
  }
  return true;
}

bool pt_runtime_load(GError **error) {
  static GMutex lock;
  static bool loaded;
  g_mutex_lock(&lock);
  /* A failure is not kept: the caller may have set PROTEUS_ORT_LIB since. */
  if (!loaded)
    loaded = load(error);
  bool result = loaded;
  g_mutex_unlock(&lock);
  return result;
}
