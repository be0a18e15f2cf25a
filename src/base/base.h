/* base: what every room stands on.
 * In: seeds, paths, work items.  Out: errors, random streams, hashes, mapped files, threads,
 * progress. Never touches: models, tensors, anything of ONNX. */
#ifndef PT_BASE_H
#define PT_BASE_H

#include "proteus/progress.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- errors ------------------------------------------------------------------------------------
 * One domain a room (PT_ONNX_ERROR, ...), one list of codes for all, because the exit status and
 * the remedy depend on the kind of failure, not on the room. Messages are one sentence: file, node,
 * remedy. */
typedef enum {
  PT_ERR_USAGE,       /* the call's arguments are off                       -> exit 2 */
  PT_ERR_INPUT,       /* a file or model that is malformed                  -> exit 3 */
  PT_ERR_UNSUPPORTED, /* well formed, but nothing we can carry              -> exit 3 */
  PT_ERR_LIMIT,       /* larger than a limit                                -> exit 3 */
  PT_ERR_MISMATCH,    /* files that do not belong together                  -> exit 3 */
  PT_ERR_IO,          /* cannot read or write: missing, a folder, disk full -> exit 3 */
  PT_ERR_ENVIRONMENT, /* a library or tool is missing                       -> exit 4 */
  PT_ERR_REFUSED,     /* the answer is no: outputs differ, piece refused    -> exit 1 */
  PT_ERR_CANCELLED,   /* interrupted by the user                            -> exit 1 */
  PT_ERR_INTERNAL     /* a bug of ours, said instead of crashing            -> exit 3 */
} PtErrorCode;

#define PT_BASE_ERROR (pt_base_error_quark())
GQuark pt_base_error_quark(void);

/* ---- random numbers ----------------------------------------------------------------------------
 * One seed a run, a ChaCha20 stream for each purpose and index: BLAKE2b(seed, purpose, index). The
 * streams are independent, so work may run on any number of threads and give the same bytes. */
typedef struct PtSeed {
  uint8_t key[32];
} PtSeed;

/* `text` NULL: from the system's random source. */
void pt_seed_init(PtSeed *seed, const char *text);
/* A seed below this one; nobody who sees it learns the parent. */
PtSeed pt_seed_derive(const PtSeed *seed, const char *purpose, uint64_t index);

typedef struct PtRng PtRng;
PtRng *pt_rng_new(const PtSeed *seed, const char *purpose, uint64_t index);
void pt_rng_free(PtRng *rng);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtRng, pt_rng_free)
uint64_t pt_rng_u64(PtRng *rng);
/* Uniform in [0, bound), without bias; bound > 0. */
uint64_t pt_rng_below(PtRng *rng, uint64_t bound);
/* Uniform in [0, 1). */
double pt_rng_unit(PtRng *rng);
/* Standard normal. */
double pt_rng_normal(PtRng *rng);
void pt_rng_bytes(PtRng *rng, void *out, size_t size);
void pt_rng_shuffle(PtRng *rng, void *items, size_t count, size_t item_size);
/* Index drawn with probability proportional to weights[i] >= 0; `count` if all are 0. */
size_t pt_rng_weighted(PtRng *rng, const double *weights, size_t count);

/* ---- hashes ------------------------------------------------------------------------------------
 */
/* 64 hex digits + NUL; caller frees. */
char *pt_sha256_hex(const void *data, size_t size);
/* Of a whole file, mapped and dropped again. */
char *pt_sha256_file(const char *path, GError **error);
/* Fast, for tables and canonical forms; not secret. */
uint64_t pt_hash64(const void *data, size_t size, uint64_t seed);
static inline uint64_t pt_hash_mix(uint64_t a, uint64_t b) {
  uint64_t x = a * UINT64_C(0x9E3779B97F4A7C15) ^ (b + UINT64_C(0x2545F4914F6CDD1D));
  x ^= x >> 32;
  x *= UINT64_C(0xD6E8FEB86659FD93);
  x ^= x >> 29;
  return x;
}

/* ---- text --------------------------------------------------------------------------------------
 * Digits alone, at most `most`; else false, and out stays. GLib's g_ascii_string_to_unsigned takes
 * the wait for its first call in another thread (errno EAGAIN) for a text that is no number. */
bool pt_parse_whole(const char *text, uint64_t most, uint64_t *out);

/* ---- memory ------------------------------------------------------------------------------------
 * An arena frees everything at once; memory is zeroed and 16-byte aligned. */
typedef struct PtArena PtArena;
PtArena *pt_arena_new(void);
void pt_arena_free(PtArena *arena);
void *pt_arena_alloc(PtArena *arena, size_t size);
void *pt_arena_copy(PtArena *arena, const void *data, size_t size);
/* Interned: equal strings are equal pointers within one arena. NULL gives NULL. */
const char *pt_arena_string(PtArena *arena, const char *text);
#define pt_arena_new_array(arena, type, count)                                                     \
  ((type *)pt_arena_alloc((arena), pt_size_mul((count), sizeof(type))))

/* Saturating arithmetic on sizes: SIZE_MAX on overflow, which no allocation grants. */
static inline size_t pt_size_mul(size_t a, size_t b) {
  size_t r;
  return __builtin_mul_overflow(a, b, &r) ? SIZE_MAX : r;
}
static inline size_t pt_size_add(size_t a, size_t b) {
  size_t r;
  return __builtin_add_overflow(a, b, &r) ? SIZE_MAX : r;
}

/* ---- files -------------------------------------------------------------------------------------
 * Reading: mapped read-only; an error names the path and says missing, a folder, empty, too large.
 */
GBytes *pt_file_map(const char *path, size_t max_size, GError **error);
/* Drop the resident pages of a mapping that is not needed for now (they come back on use). */
void pt_file_forget(GBytes *mapped);

/* Writing: into a temporary name beside `path`, renamed by commit, removed by free without commit.
 */
typedef struct PtFileWriter PtFileWriter;
PtFileWriter *pt_file_writer_new(const char *path, int mode, GError **error);
bool pt_file_writer_write(PtFileWriter *writer, const void *data, size_t size, GError **error);
uint64_t pt_file_writer_offset(const PtFileWriter *writer);
bool pt_file_writer_commit(PtFileWriter *writer, GError **error);
void pt_file_writer_free(PtFileWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtFileWriter, pt_file_writer_free)
/* Removes the temporary files of all writers and the folders of pt_dir_make_temp, and lets none
 * begin or commit any more: for a process about to end by a signal. Any thread, but no signal
 * handler. */
void pt_temporaries_abandon(void);
/* The three in one. */
bool pt_file_write(const char *path, int mode, const void *data, size_t size, GError **error);

bool pt_dir_make(const char *path, GError **error);
/* A fresh private folder under the system's temporary folder; caller removes it with pt_dir_remove.
 */
char *pt_dir_make_temp(const char *stem, GError **error);
/* Removes the folder and what is in it; never follows links. */
void pt_dir_remove(const char *path);
/* The names in a folder that end in `suffix` (NULL: all), sorted; caller frees with
 * g_ptr_array_unref. */
GPtrArray *pt_dir_list(const char *path, const char *suffix, GError **error);

/* ---- data files ---------------------------------------------------------------------------------
 * Those that ship with the program: in PROTEUS_DATA, the source tree, beside the installed program,
 * the system's folders. The path, caller frees; NULL: none is found. */
char *pt_data_find(const char *name);
/* Maps the file at `path`, or, if that is NULL, the one that ships as `name`, which `maker` (a
 * command) makes. *found: its path, caller frees. Errors as pt_file_map's; in `domain`
 * PT_ERR_ENVIRONMENT: none is found. */
GBytes *pt_data_open(const char *path, const char *name, const char *maker, size_t max_size,
                     GQuark domain, char **found, GError **error);
/* A folder to look in before all others, NULL: none. For the audit, which trains generators of its
 * own. Not while another thread may look for a file. */
void pt_data_prefer(const char *folder);
/* zlib; NULL if it fails or gives more than max bytes. Unpacking takes hostile input. */
GBytes *pt_data_pack(const void *data, size_t size, size_t max);
GBytes *pt_data_unpack(const void *data, size_t size, size_t max);

/* ---- threads and progress -----------------------------------------------------------------------
 */
/* 0 means as many as the machine has cores. */
unsigned pt_threads(unsigned wanted);
typedef void (*PtTask)(size_t index, void *data);
/* Runs task(0..count-1) on up to `threads` threads and returns when all are done. */
void pt_parallel_for(size_t count, unsigned threads, PtTask task, void *data);

void pt_progress(const PtProgress *progress, const char *what, uint64_t done, uint64_t total);

/* Seconds on a monotonic clock. */
double pt_clock(void);

#endif
