/* Random streams, arena, files, threads. */
#include "base/base.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_streams(void) {
  PtSeed seed, same, other;
  pt_seed_init(&seed, "a seed");
  pt_seed_init(&same, "a seed");
  pt_seed_init(&other, "another");
  g_autoptr(PtRng) a = pt_rng_new(&seed, "noise", 1), b = pt_rng_new(&same, "noise", 1);
  g_autoptr(PtRng) c = pt_rng_new(&seed, "noise", 2), d = pt_rng_new(&seed, "ids", 1);
  g_autoptr(PtRng) e = pt_rng_new(&other, "noise", 1);
  uint8_t first[5000], again[5000];
  pt_rng_bytes(a, first, sizeof first);
  for (size_t i = 0; i < sizeof again; i += 125) /* the same stream in other portions */
    pt_rng_bytes(b, again + i, 125);
  g_assert_cmpmem(first, sizeof first, again, sizeof again);
  uint64_t x = pt_rng_u64(a);
  g_assert_cmpuint(pt_rng_u64(c), !=, x);
  g_assert_cmpuint(pt_rng_u64(d), !=, pt_rng_u64(c));
  g_assert_cmpuint(pt_rng_u64(e), !=, x);
  PtSeed fresh, fresh2;
  pt_seed_init(&fresh, NULL);
  pt_seed_init(&fresh2, NULL);
  g_assert_cmpint(memcmp(&fresh, &fresh2, sizeof fresh), !=, 0);
}

static void test_draws(void) {
  PtSeed seed;
  pt_seed_init(&seed, "draws");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "test", 0);
  unsigned counts[6] = {0};
  double weights[6] = {0, 1, 0, 3, 0, 0}, sum = 0, squares = 0;
  for (int i = 0; i < 60000; i++)
    counts[pt_rng_below(rng, 6)]++;
  for (int i = 0; i < 6; i++) /* 10000 expected, standard deviation 91 */
    g_assert_true(counts[i] > 9400 && counts[i] < 10600);
  memset(counts, 0, sizeof counts);
  for (int i = 0; i < 40000; i++)
    counts[pt_rng_weighted(rng, weights, 6)]++;
  g_assert_cmpuint(counts[1] + counts[3], ==, 40000);
  g_assert_true(counts[3] > 29300 && counts[3] < 30700);
  g_assert_cmpuint(pt_rng_weighted(rng, weights, 1), ==, 1);
  for (int i = 0; i < 40000; i++) {
    double x = pt_rng_normal(rng);
    sum += x;
    squares += x * x;
  }
  g_assert_true(sum / 40000 > -0.03 && sum / 40000 < 0.03);
  g_assert_true(squares / 40000 > 0.96 && squares / 40000 < 1.04);
  int items[100], seen[100] = {0};
  for (int i = 0; i < 100; i++)
    items[i] = i;
  pt_rng_shuffle(rng, items, 100, sizeof *items);
  int moved = 0;
  for (int i = 0; i < 100; i++) {
    seen[items[i]]++;
    moved += items[i] != i;
  }
  for (int i = 0; i < 100; i++)
    g_assert_cmpint(seen[i], ==, 1);
  g_assert_cmpint(moved, >, 80);
}

static void test_arena(void) {
  PtArena *arena = pt_arena_new();
  for (size_t size = 1; size < 300000; size = size * 3 + 1) {
    uint8_t *p = pt_arena_alloc(arena, size);
    g_assert_cmpuint((uintptr_t)p % 16, ==, 0);
    for (size_t i = 0; i < size; i++)
      g_assert_cmpuint(p[i], ==, 0);
    memset(p, 0xff, size);
  }
  g_assert_true(pt_arena_string(arena, "name") == pt_arena_string(arena, "name"));
  g_assert_null(pt_arena_string(arena, NULL));
  pt_arena_free(arena);
}

static void test_hash(void) {
  g_autofree char *hex = pt_sha256_hex("abc", 3);
  g_assert_cmpstr(hex, ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  g_assert_cmpuint(pt_hash64("abc", 3, 0), !=, pt_hash64("abd", 3, 0));
  g_assert_cmpuint(pt_hash64("abc", 3, 0), !=, pt_hash64("abc", 3, 1));
}

static void test_files(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *dir = pt_dir_make_temp("pt-test", &error);
  g_assert_no_error(error);
  g_autofree char *path = g_build_filename(dir, "file", NULL);
  g_assert_null(pt_file_map(path, 0, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  g_clear_error(&error);
  g_assert_null(pt_file_map(dir, 0, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  g_clear_error(&error);
  g_assert_true(pt_file_write(path, 0600, "", 0, NULL));
  g_assert_null(pt_file_map(path, 0, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_INPUT);
  g_clear_error(&error);

  g_autofree uint8_t *data = g_malloc0(300000);
  for (int i = 0; i < 300000; i++)
    data[i] = (uint8_t)(i * 7 >> 3);
  g_autoptr(PtFileWriter) writer = pt_file_writer_new(path, 0600, NULL);
  size_t at = 0, part = 1;
  while (at < 300000) {
    size_t n = MIN(part, 300000 - at);
    g_assert_true(pt_file_writer_write(writer, data + at, n, NULL));
    at += n;
    part = part * 5 % 70001 + 1;
  }
  g_assert_cmpuint(pt_file_writer_offset(writer), ==, 300000);
  g_assert_true(pt_file_writer_commit(writer, NULL));
  struct stat st;
  g_assert_cmpint(g_stat(path, &st), ==, 0);
  g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
  g_autoptr(GBytes) bytes = pt_file_map(path, 0, NULL);
  gsize size;
  const void *back = g_bytes_get_data(bytes, &size);
  g_assert_cmpmem(back, (gint)size, data, 300000);
  pt_file_forget(bytes);
  g_assert_cmpmem(back, (gint)size, data, 300000);
  g_assert_null(pt_file_map(path, 299999, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_LIMIT);
  g_clear_error(&error);

  g_autofree char *abandoned = g_build_filename(dir, "abandoned", NULL);
  PtFileWriter *half = pt_file_writer_new(abandoned, 0644, NULL);
  g_assert_true(pt_file_writer_write(half, data, 300000, NULL));
  pt_file_writer_free(half);
  g_autoptr(GPtrArray) names = pt_dir_list(dir, NULL, NULL);
  g_assert_cmpuint(names->len, ==, 1);
  g_assert_null(pt_file_writer_new(dir, 0, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  pt_dir_remove(dir);
  g_assert_false(g_file_test(dir, G_FILE_TEST_EXISTS));
}

static void test_no_folder(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *dir = pt_dir_make_temp("pt-test", NULL);
  g_autofree char *none = g_build_filename(dir, "missing", "file", NULL);
  g_assert_false(pt_file_write(none, 0, "x", 1, &error));
  g_assert_error(error, PT_BASE_ERROR, PT_ERR_IO);
  pt_dir_remove(dir);
}

/* What a process that ends by a signal leaves behind: nothing. */
static void test_abandon(void) {
  int ends[2];
  char path[256] = "";
  g_assert_cmpint(pipe(ends), ==, 0);
  pid_t child = fork();
  if (child == 0) {
    g_autofree char *dir = pt_dir_make_temp("pt-test", NULL);
    g_autofree char *inner = g_build_filename(dir, "inner", NULL);
    g_autofree char *file = g_build_filename(inner, "file", NULL);
    bool ok = pt_dir_make(inner, NULL) && pt_file_write(file, 0, "x", 1, NULL);
    ok = ok && write(ends[1], dir, strlen(dir)) > 0;
    pt_temporaries_abandon();
    _exit(ok ? 0 : 1);
  }
  int status = 1;
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
  g_assert_cmpint((int)read(ends[0], path, sizeof path - 1), >, 0);
  g_assert_true(g_path_is_absolute(path));
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  close(ends[0]);
  close(ends[1]);
}

static void mark(size_t i, void *data) {
  ((uint8_t *)data)[i]++;
}

static void test_parallel(void) {
  uint8_t seen[1000] = {0};
  pt_parallel_for(1000, 7, mark, seen);
  for (int i = 0; i < 1000; i++)
    g_assert_cmpuint(seen[i], ==, 1);
  pt_parallel_for(0, 4, mark, NULL);
  g_assert_cmpuint(pt_threads(3), ==, 3);
  g_assert_cmpuint(pt_threads(0), >, 0);
}

static void test_whole_numbers(void) {
  static const struct {
    const char *text;
    uint64_t most;
    bool good;
    uint64_t value;
  } cases[] = {
      {"0", 0, true, 0},
      {"4096", 4096, true, 4096},
      {"4097", 4096, false, 0},
      {"007", 10, true, 7},
      {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
      {"18446744073709551616", UINT64_MAX, false, 0},
      {"184467440737095516150", UINT64_MAX, false, 0},
      {"", 10, false, 0},
      {NULL, 10, false, 0},
      {" 1", 10, false, 0},
      {"1 ", 10, false, 0},
      {"+1", 10, false, 0},
      {"-1", 10, false, 0},
      {"1.0", 10, false, 0},
      {"0x1", 10, false, 0},
      {"1e1", 100, false, 0},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    uint64_t value = 77;
    g_assert_cmpint(pt_parse_whole(cases[i].text, cases[i].most, &value), ==, cases[i].good);
    g_assert_cmpuint(value, ==, cases[i].good ? cases[i].value : 77);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/base/streams", test_streams);
  g_test_add_func("/base/draws", test_draws);
  g_test_add_func("/base/arena", test_arena);
  g_test_add_func("/base/hash", test_hash);
  g_test_add_func("/base/whole-numbers", test_whole_numbers);
  g_test_add_func("/base/files", test_files);
  g_test_add_func("/base/no-folder", test_no_folder);
  g_test_add_func("/base/abandon", test_abandon);
  g_test_add_func("/base/parallel", test_parallel);
  return g_test_run();
}
