/* The blocked layouts of ONNX Runtime's NCHWc convolutions: OIHWBiBo and OIHWBo, for every block
 * size in use. */
#include "rebind/rebind_private.h"

#include <string.h>

/* By how common: AVX-512, AVX and NEON, others. */
static const int64_t blocks[] = {16, 8, 4, 32, 64};

typedef struct {
  uint32_t rank;
  int64_t plain[6]; /* OIHW with the blocked axes cut in two */
  int64_t perm[6];  /* from there to memory */
} Layout;

static bool layout_of(const PtDense *target, uint32_t index, Layout *layout) {
  int64_t block = blocks[index / 2];
  const int64_t *d = target->dims;
  if (target->rank != 4 || target->count == 0 || d[0] % block)
    return false;
  if (index % 2 == 0) {
    if (d[1] % block)
      return false;
    *layout =
        (Layout){6, {d[0] / block, block, d[1] / block, block, d[2], d[3]}, {0, 2, 4, 5, 3, 1}};
    return true;
  }
  *layout = (Layout){5, {d[0] / block, block, d[1], d[2], d[3]}, {0, 2, 3, 4, 1}};
  return true;
}

bool pt_rebind_unblock(const PtDense *target, uint32_t index, unsigned threads, PtDense *plain) {
  Layout layout;
  if (!layout_of(target, index, &layout) || pt_dtype_bits(target->dtype) < 8)
    return false;
  *plain = *target;
  plain->owned = NULL;
  if (!pt_dense_alloc(plain))
    return false;
  PtBox box = {.rank = layout.rank};
  int64_t strides[6], memory[6];
  for (uint32_t i = 0; i < layout.rank; i++)
    memory[i] = layout.plain[layout.perm[i]];
  pt_strides(layout.rank, memory, strides);
  memcpy(box.dims, layout.plain, sizeof layout.plain);
  pt_strides(layout.rank, layout.plain, box.out);
  for (uint32_t i = 0; i < layout.rank; i++)
    box.in[layout.perm[i]] = strides[i];
  pt_box_copy(&box, pt_dtype_bits(target->dtype) / 8, plain->owned, target->data, threads);
  return true;
}

PtExpr *pt_rebind_block(PtRebind *r, PtExpr *plain, uint32_t index) {
  Layout layout;
  if (!plain || !layout_of(&plain->type, index, &layout))
    return NULL;
  PtExpr *cut = pt_expr_reshape(r, plain, layout.rank, layout.plain);
  return pt_expr_reshape(r, pt_expr_transpose(r, cut, layout.perm), 4, plain->type.dims);
}
