/* site.c: the folder and the secret to make. Nothing is overwritten, and nothing half-written
 * stays. */
#include "obfuscate/obfuscate_private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

/* 2000-01-01: any will do, as long as it is the same for all. */
#define STAMP 946684800

static bool usage(GError **error, const char *what, const char *path) {
  g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_USAGE, what, path);
  return false;
}

/* The folder that `path` lies in has to be there: a typing error must not make a tree. */
static bool check_above(const char *path, GError **error) {
  g_autofree char *full = g_canonicalize_filename(path, NULL);
  g_autofree char *above = g_path_get_dirname(full);
  if (g_file_test(above, G_FILE_TEST_IS_DIR))
    return true;
  g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_IO, "cannot write %s: there is no folder %s", path,
              above);
  return false;
}

static bool check_folder(PtSite *site, GError **error) {
  struct stat info;
  if (lstat(site->folder, &info) != 0)
    return check_above(site->folder, error);
  if (stat(site->folder, &info) != 0 || !S_ISDIR(info.st_mode))
    return usage(error, "the bundle %s is there and is no folder: give another name", site->folder);
  g_autoptr(GPtrArray) names = pt_dir_list(site->folder, NULL, error);
  if (!names)
    return false;
  site->existed = true;
  return names->len == 0 ||
         usage(error, "the folder %s is not empty: remove it or give another name", site->folder);
}

/* The folder is sent: a secret inside it would go with it. */
static bool check_apart(const PtSite *site, GError **error) {
  g_autofree char *folder = g_canonicalize_filename(site->folder, NULL);
  g_autofree char *secret = g_canonicalize_filename(site->secret, NULL);
  g_autofree char *inside = g_strconcat(folder, "/", NULL);
  if (!g_str_equal(folder, secret) && !g_str_has_prefix(secret, inside))
    return true;
  return usage(error, "the secret %s would lie in the bundle, which is sent: give another place",
               site->secret);
}

bool pt_site_check(PtSite *site, const PtObfuscateOptions *options, GError **error) {
  *site = (PtSite){.folder = options->bundle, .secret = options->secret};
  struct stat info;
  if (lstat(site->secret, &info) == 0)
    return usage(error, "the secret %s is there already: remove it or give another name",
                 site->secret);
  return check_apart(site, error) && check_folder(site, error) && check_above(site->secret, error);
}

bool pt_site_make(const PtSite *site, GError **error) {
  if (site->existed || g_mkdir(site->folder, 0755) == 0)
    return true;
  g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_IO, "cannot make the folder %s: %s", site->folder,
              g_strerror(errno));
  return false;
}

void pt_site_undo(const PtSite *site) {
  g_autoptr(GPtrArray) names = pt_dir_list(site->folder, NULL, NULL);
  for (guint i = 0; names && i < names->len; i++) {
    g_autofree char *path = g_build_filename(site->folder, g_ptr_array_index(names, i), NULL);
    g_unlink(path);
  }
  if (!site->existed)
    g_rmdir(site->folder);
}

static bool stamp(const char *path, GError **error) {
  const struct timespec times[2] = {{.tv_sec = STAMP}, {.tv_sec = STAMP}};
  if (utimensat(AT_FDCWD, path, times, 0) == 0)
    return true;
  g_set_error(error, PT_OBFUSCATE_ERROR, PT_ERR_IO, "cannot set the time of %s: %s", path,
              g_strerror(errno));
  return false;
}

bool pt_site_stamp(const PtSite *site, GError **error) {
  g_autoptr(GPtrArray) names = pt_dir_list(site->folder, NULL, error);
  if (!names)
    return false;
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename(site->folder, g_ptr_array_index(names, i), NULL);
    if (!stamp(path, error))
      return false;
  }
  return stamp(site->folder, error);
}
