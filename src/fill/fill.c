/* fill: gives every empty tensor its bytes: one mapping for all, filled in blocks by all threads.
 */
#include "fill/fill.h"

#include "fill/fill_private.h"

#include <string.h>
#include <sys/mman.h>

/* clang-format off */
G_DEFINE_QUARK(pt-fill-error-quark, pt_fill_error)
/* clang-format on */

#define BLOCK ((size_t)1 << 16) /* elements; even, as stream.c draws two at a time */
#define MAX_TOTAL ((size_t)1 << 38)

typedef struct Block {
  PtTensor *tensor;
  uint8_t *out; /* the tensor's first byte */
  size_t first;
  uint64_t key;
  PtFillPlan plan;
} Block;

typedef struct Mapping {
  void *data;
  size_t size;
} Mapping;

static void unmap(gpointer data) {
  Mapping *m = data;
  munmap(m->data, m->size);
  g_free(m);
}

static void fill_block(size_t index, void *data) {
  const Block *b = &g_array_index((GArray *)data, Block, index);
  size_t count = MIN(BLOCK, b->tensor->count - b->first);
  pt_fill_block(b->tensor->dtype, b->key, b->plan, b->first, count,
                b->out + pt_dtype_size(b->tensor->dtype, b->first));
}

static bool is_wanted(const PtTensor *t) {
  return t && pt_tensor_is_empty(t) && pt_dtype_is_float(t->dtype);
}

static size_t total_size(const PtGraph *graph, GError **error) {
  size_t total = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
    const PtValue *value = pt_value(graph, v);
    if (!is_wanted(value->constant)) {
      if (value->constant && pt_tensor_is_empty(value->constant)) {
        g_set_error(error, PT_FILL_ERROR, PT_ERR_INPUT,
                    "Constant %s has no data and is not of a float type: it cannot be made up.",
                    value->name);
        return SIZE_MAX;
      }
      continue;
    }
    total = pt_size_add(
        total, pt_size_add(pt_dtype_size(value->constant->dtype, value->constant->count), 64));
  }
  if (total > MAX_TOTAL) {
    g_set_error(error, PT_FILL_ERROR, PT_ERR_LIMIT,
                "The model's empty tensors need more than %zu GiB; it is too large to fill.",
                MAX_TOTAL >> 30);
    return SIZE_MAX;
  }
  return total;
}

bool pt_fill(PtGraph *graph, const PtSeed *seed, unsigned threads, GError **error) {
  size_t size = total_size(graph, error), used = 0;
  if (size == SIZE_MAX)
    return false;
  if (size == 0)
    return true;
  uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    g_set_error(error, PT_FILL_ERROR, PT_ERR_LIMIT,
                "The model's weights need %zu MiB of memory, which is not there.", size >> 20);
    return false;
  }
  Mapping *mapping = g_new(Mapping, 1);
  *mapping = (Mapping){memory, size};
  pt_graph_hold(graph, mapping, unmap);
  g_autofree PtFillPlan *plan = pt_fill_plan(graph);
  g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(Block));
  for (PtValueId v = 0; v < pt_graph_n_values(graph); v++) {
    PtTensor *t = pt_value(graph, v)->constant;
    if (!is_wanted(t))
      continue;
    PtSeed own = pt_seed_derive(seed, "fill", v);
    Block b = {.tensor = t, .out = memory + used, .plan = plan[v]};
    memcpy(&b.key, own.key, sizeof b.key);
    for (; b.first < t->count; b.first += BLOCK)
      g_array_append_val(blocks, b);
    t->size = pt_dtype_size(t->dtype, t->count);
    t->data = memory + used;
    used += (t->size + 63) & ~(size_t)63;
  }
  pt_parallel_for(blocks->len, threads, fill_block, blocks);
  return true;
}
