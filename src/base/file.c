/* Files: mapped for reading; written beside their name and renamed. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(pt - base - error - quark, pt_base_error)

static bool io_error(GError **error, const char *doing, const char *path, int code) {
  g_set_error(error, PT_BASE_ERROR, PT_ERR_IO, "cannot %s %s: %s", doing, path, g_strerror(code));
  return false;
}

typedef struct {
  void *base;
  size_t size;
} Mapping;

static void unmap(void *data) {
  Mapping *m = data;
  munmap(m->base, m->size);
  g_free(m);
}

static GBytes *map_fd(int fd, const char *path, size_t max_size, GError **error) {
  struct stat st;
  if (fstat(fd, &st) != 0) {
    io_error(error, "read", path, errno);
    return NULL;
  }
  if (!S_ISREG(st.st_mode)) {
    g_set_error(error, PT_BASE_ERROR, PT_ERR_IO, "cannot read %s: it is %s, not a file", path,
                S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    return NULL;
  }
  if (st.st_size == 0) {
    g_set_error(error, PT_BASE_ERROR, PT_ERR_INPUT, "%s is empty", path);
    return NULL;
  }
  if (max_size && (uint64_t)st.st_size > max_size) {
    g_set_error(error, PT_BASE_ERROR, PT_ERR_LIMIT,
                "%s has %" G_GINT64_FORMAT " bytes, the limit is %" G_GSIZE_FORMAT, path,
                (gint64)st.st_size, max_size);
    return NULL;
  }
  void *base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (base == MAP_FAILED) {
    io_error(error, "map", path, errno);
    return NULL;
  }
  Mapping *m = g_new(Mapping, 1);
  *m = (Mapping){base, (size_t)st.st_size};
  return g_bytes_new_with_free_func(base, m->size, unmap, m);
}

GBytes *pt_file_map(const char *path, size_t max_size, GError **error) {
  /* O_NONBLOCK: opening a pipe by mistake must not hang */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    io_error(error, "read", path, errno);
    return NULL;
  }
  GBytes *bytes = map_fd(fd, path, max_size, error);
  close(fd);
  return bytes;
}

void pt_file_forget(GBytes *mapped) {
  size_t size;
  const void *base = g_bytes_get_data(mapped, &size);
  /* only ever called on pt_file_map's page-aligned private read-only mappings */
  if (base && ((uintptr_t)base & (uintptr_t)(sysconf(_SC_PAGESIZE) - 1)) == 0)
    madvise((void *)(uintptr_t)base, size, MADV_DONTNEED);
}

struct PtFileWriter {
  char *path, *temp;
  int fd;
  uint8_t *buffer;
  size_t used;
  uint64_t offset;
};

enum { WRITE_BUFFER = 1 << 16 };

/* Temporary names of all writers, so that an interrupt can remove them; made, renamed and removed
 * under the lock. */
static GMutex temps_lock;
static GHashTable *temps; /* char*, borrowed from the writers */

static int make_temp(char *name) {
  g_mutex_lock(&temps_lock);
  int fd = g_mkstemp_full(name, O_WRONLY | O_CLOEXEC, 0600);
  int code = errno;
  if (fd >= 0) {
    if (!temps)
      temps = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_add(temps, name);
  }
  g_mutex_unlock(&temps_lock);
  errno = code;
  return fd;
}

/* path NULL: removed; else renamed to it. */
static int finish_temp(char *name, const char *path) {
  g_mutex_lock(&temps_lock);
  int result = path ? g_rename(name, path) : g_unlink(name);
  int code = errno;
  if (result == 0 || !path)
    g_hash_table_remove(temps, name);
  g_mutex_unlock(&temps_lock);
  errno = code;
  return result;
}

static GHashTable *temp_dirs; /* char*, owned: what pt_dir_make_temp made and nobody has removed */
static void remove_tree(const char *path);

void pt_temporaries_abandon(void) {
  g_mutex_lock(&temps_lock); /* for good: whoever would make or rename one waits for the end */
  GHashTableIter iter;
  gpointer name;
  if (temps) {
    g_hash_table_iter_init(&iter, temps);
    while (g_hash_table_iter_next(&iter, &name, NULL))
      g_unlink(name);
  }
  if (!temp_dirs)
    return;
  g_hash_table_iter_init(&iter, temp_dirs);
  while (g_hash_table_iter_next(&iter, &name, NULL))
    /* others may still be adding to it; once it is gone, nothing can be */
    for (int i = 0; i < 50 && g_file_test(name, G_FILE_TEST_EXISTS); i++)
      remove_tree(name);
}

PtFileWriter *pt_file_writer_new(const char *path, int mode, GError **error) {
  if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
    g_set_error(error, PT_BASE_ERROR, PT_ERR_IO, "cannot write %s: it is a folder", path);
    return NULL;
  }
  g_autofree char *temp = g_strdup_printf("%s.XXXXXX", path);
  int fd = make_temp(temp);
  if (fd < 0) {
    io_error(error, "write", path, errno);
    return NULL;
  }
  if (mode != 0600 && fchmod(fd, (mode_t)(mode ? mode : 0644)) != 0) {
    io_error(error, "write", path, errno);
    close(fd);
    finish_temp(temp, NULL);
    return NULL;
  }
  PtFileWriter *w = g_new0(PtFileWriter, 1);
  w->path = g_strdup(path);
  w->temp = g_steal_pointer(&temp);
  w->fd = fd;
  w->buffer = g_malloc(WRITE_BUFFER);
  return w;
}

static bool write_all(PtFileWriter *w, const uint8_t *data, size_t size, GError **error) {
  while (size > 0) {
    ssize_t n = write(w->fd, data, MIN(size, (size_t)1 << 30));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return io_error(error, "write", w->path, errno);
    data += n;
    size -= (size_t)n;
  }
  return true;
}

static bool flush(PtFileWriter *w, GError **error) {
  size_t used = w->used;
  w->used = 0;
  return write_all(w, w->buffer, used, error);
}

bool pt_file_writer_write(PtFileWriter *w, const void *data, size_t size, GError **error) {
  w->offset += size;
  if (size <= WRITE_BUFFER - w->used) {
    if (size)
      memcpy(w->buffer + w->used, data, size);
    w->used += size;
    return true;
  }
  return flush(w, error) &&
         (size < WRITE_BUFFER ? (memcpy(w->buffer, data, size), w->used = size, true)
                              : write_all(w, data, size, error));
}

uint64_t pt_file_writer_offset(const PtFileWriter *w) {
  return w->offset;
}

bool pt_file_writer_commit(PtFileWriter *w, GError **error) {
  if (!flush(w, error))
    return false;
  int fd = w->fd;
  w->fd = -1;
  if (close(fd) != 0)
    return io_error(error, "write", w->path, errno);
  if (finish_temp(w->temp, w->path) != 0)
    return io_error(error, "write", w->path, errno);
  g_clear_pointer(&w->temp, g_free);
  return true;
}

void pt_file_writer_free(PtFileWriter *w) {
  if (!w)
    return;
  if (w->fd >= 0)
    close(w->fd);
  if (w->temp)
    finish_temp(w->temp, NULL);
  g_free(w->temp);
  g_free(w->path);
  g_free(w->buffer);
  g_free(w);
}

bool pt_file_write(const char *path, int mode, const void *data, size_t size, GError **error) {
  g_autoptr(PtFileWriter) w = pt_file_writer_new(path, mode, error);
  return w && pt_file_writer_write(w, data, size, error) && pt_file_writer_commit(w, error);
}

bool pt_dir_make(const char *path, GError **error) {
  if (g_mkdir_with_parents(path, 0755) == 0)
    return true;
  return io_error(error, "make the folder", path, errno);
}

char *pt_dir_make_temp(const char *stem, GError **error) {
  g_autofree char *name = g_strdup_printf("%s-XXXXXX", stem);
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, NULL);
  g_mutex_lock(&temps_lock);
  bool made = g_mkdtemp(path) != NULL;
  int code = errno;
  if (!temp_dirs)
    temp_dirs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  if (made)
    g_hash_table_add(temp_dirs, g_strdup(path));
  g_mutex_unlock(&temps_lock);
  if (!made) {
    io_error(error, "make a temporary folder", path, code);
    return NULL;
  }
  return g_steal_pointer(&path);
}

void pt_dir_remove(const char *path) {
  remove_tree(path);
  g_mutex_lock(&temps_lock);
  if (temp_dirs)
    g_hash_table_remove(temp_dirs, path);
  g_mutex_unlock(&temps_lock);
}

static void remove_tree(const char *path) {
  struct stat st;
  if (lstat(path, &st) != 0)
    return;
  if (!S_ISDIR(st.st_mode)) {
    g_unlink(path);
    return;
  }
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    remove_tree(child);
  }
  g_rmdir(path);
}

static gint compare_names(gconstpointer a, gconstpointer b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *pt_dir_list(const char *path, const char *suffix, GError **error) {
  errno = 0;
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  if (!dir) {
    g_set_error(error, PT_BASE_ERROR, PT_ERR_IO, "cannot read the folder %s: %s", path,
                g_file_test(path, G_FILE_TEST_EXISTS) ? "it is not a folder or not readable"
                                                      : "there is none");
    return NULL;
  }
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  const char *name;
  while ((name = g_dir_read_name(dir)))
    if (!suffix || g_str_has_suffix(name, suffix))
      g_ptr_array_add(names, g_strdup(name));
  g_ptr_array_sort(names, compare_names);
  return names;
}
