/* runtime_private.h: what the files of src/runtime share. */
#ifndef PT_RUNTIME_PRIVATE_H
#define PT_RUNTIME_PRIVATE_H

#include "runtime/ort_api.h"
#include "runtime/runtime.h"

/* Filled by pt_runtime_load, constant afterwards. */
extern PtOrt pt_ort;
extern OrtEnv *pt_ort_env;
extern OrtMemoryInfo *pt_ort_memory;
extern OrtAllocator *pt_ort_allocator;

/* Releases `status`; true if it was success. `what` opens the message. */
bool pt_ort_ok(OrtStatus *status, const char *what, GError **error);

/* Reads a type; the arena of `into` owns dims and symbols. Releases nothing. */
bool pt_ort_type(const OrtTypeInfo *info, PtGraph *into, PtType *type, GError **error);

/* Read-only zeros of at least `size` bytes that stay mapped for the life of the process; NULL where
 * the address space is used up. Stands for the weights of a skeleton. */
const void *pt_zero_page(size_t size);

/* Tensor attribute of a value's element type to ours: PT_DTYPE_UNDEFINED for what we do not carry.
 */
PtDtype pt_ort_dtype(int element_type);
int pt_ort_element_type(PtDtype dtype);

/* Numbers for symbolic dimensions (sizes.c). */
typedef struct PtSizes {
  GHashTable *table;   /* symbol -> int64_t, both owned */
  int64_t size, batch; /* what a new symbol gets; batch: on the first axis of a matrix or more */
  int64_t step;        /* > 0: every new symbol gets a size of its own */
} PtSizes;
void pt_sizes_init(PtSizes *sizes, int64_t size, int64_t batch, int64_t step);
void pt_sizes_clear(PtSizes *sizes);
int64_t pt_symbol_size(PtSizes *sizes, const char *symbol, bool first);
int64_t pt_fresh_size(PtSizes *sizes, bool first);
int64_t pt_dim_size(PtSizes *sizes, const PtType *type, int32_t axis);

#endif
