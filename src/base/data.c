/* Files that ship with the program: where they are, and how they are packed. */
#include "base/base.h"
#include "places.h"

#include <gio/gio.h>

static char *preferred;

void pt_data_prefer(const char *folder) {
  g_free(preferred);
  preferred = g_strdup(folder);
}

char *pt_data_find(const char *name) {
  g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
  g_autofree char *bin = program ? g_path_get_dirname(program) : NULL;
  g_autofree char *beside = bin ? g_build_filename(bin, "..", "share", "proteus", NULL) : NULL;
  const char *const folders[] = {preferred, g_getenv("PROTEUS_DATA"),   PT_SOURCE_DIR "/data",
                                 beside,    "/usr/local/share/proteus", "/usr/share/proteus"};
  for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
    char *path = folders[i] && *folders[i] ? g_build_filename(folders[i], name, NULL) : NULL;
    if (path && g_file_test(path, G_FILE_TEST_IS_REGULAR))
      return path;
    g_free(path);
  }
  return NULL;
}

GBytes *pt_data_open(const char *path, const char *name, const char *maker, size_t max_size,
                     GQuark domain, char **found, GError **error) {
  *found = path ? g_strdup(path) : pt_data_find(name);
  if (*found)
    return pt_file_map(*found, max_size, error);
  g_set_error(error, domain, PT_ERR_ENVIRONMENT,
              "%s is not there; set PROTEUS_DATA to the folder that has it, or make it with %s.",
              name, maker);
  return NULL;
}

static GBytes *convert(GConverter *converter, const void *data, size_t size, size_t max) {
  g_autoptr(GByteArray) out = g_byte_array_new();
  size_t at = 0;
  for (;;) {
    uint8_t buffer[16384];
    gsize took, gave;
    GConverterResult r =
        g_converter_convert(converter, (const uint8_t *)data + at, size - at, buffer, sizeof buffer,
                            G_CONVERTER_INPUT_AT_END, &took, &gave, NULL);
    if (r == G_CONVERTER_ERROR || out->len + gave > max)
      return NULL;
    at += took;
    g_byte_array_append(out, buffer, (guint)gave);
    if (r == G_CONVERTER_FINISHED)
      return g_byte_array_free_to_bytes(g_steal_pointer(&out));
  }
}

GBytes *pt_data_pack(const void *data, size_t size, size_t max) {
  g_autoptr(GZlibCompressor) z = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB, 9);
  return convert(G_CONVERTER(z), data, size, max);
}

GBytes *pt_data_unpack(const void *data, size_t size, size_t max) {
  g_autoptr(GZlibDecompressor) z = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB);
  return convert(G_CONVERTER(z), data, size, max);
}
