/* sizes.c: numbers for symbolic dimensions: the same symbol, the same size; formulas in names are
 * kept. */
#include "runtime/runtime_private.h"

#include <string.h>

void pt_sizes_init(PtSizes *sizes, int64_t size, int64_t batch, int64_t step) {
  *sizes = (PtSizes){.table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                     .size = size,
                     .batch = batch,
                     .step = step};
}

void pt_sizes_clear(PtSizes *sizes) {
  g_hash_table_unref(sizes->table);
  sizes->table = NULL;
}

/* "past + 1", "2*sequence": exporters write such names, and the sizes have to agree. -1: no such
 * formula. */
static int64_t formula_size(PtSizes *sizes, const char *symbol, bool first) {
  static const char operators[] = "+*";
  for (const char *op = operators; *op; op++) {
    const char *at = strrchr(symbol, *op);
    if (!at || at == symbol || at[1] == '\0')
      continue;
    g_autofree char *left = g_strstrip(g_strndup(symbol, (gsize)(at - symbol)));
    g_autofree char *right = g_strstrip(g_strdup(at + 1));
    if (!*left || !*right)
      continue;
    int64_t a = pt_symbol_size(sizes, left, first), b = pt_symbol_size(sizes, right, first);
    int64_t result;
    bool over =
        *op == '+' ? __builtin_add_overflow(a, b, &result) : __builtin_mul_overflow(a, b, &result);
    return over ? -1 : result;
  }
  char *end = NULL;
  int64_t number = g_ascii_strtoll(symbol, &end, 10);
  return end != symbol && *end == '\0' && number >= 0 ? number : -1;
}

int64_t pt_symbol_size(PtSizes *sizes, const char *symbol, bool first) {
  const int64_t *known = g_hash_table_lookup(sizes->table, symbol);
  if (known)
    return *known;
  int64_t size = formula_size(sizes, symbol, first);
  if (size < 0)
    size = pt_fresh_size(sizes, first);
  int64_t *kept = g_new(int64_t, 1);
  *kept = size;
  g_hash_table_insert(sizes->table, g_strdup(symbol), kept);
  return size;
}

int64_t pt_fresh_size(PtSizes *sizes, bool first) {
  int64_t size = first ? sizes->batch : sizes->size;
  if (sizes->step > 0) {
    sizes->batch += first;
    sizes->size += first ? 0 : sizes->step;
  }
  return size;
}

int64_t pt_dim_size(PtSizes *sizes, const PtType *type, int32_t axis) {
  const PtDim *dim = &type->dims[axis];
  bool first = axis == 0 && type->rank > 1;
  if (dim->size >= 0)
    return dim->size;
  return dim->symbol ? pt_symbol_size(sizes, dim->symbol, first) : pt_fresh_size(sizes, first);
}
