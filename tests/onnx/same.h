/* Whether two graphs are the same in everything that the onnx room keeps; says where they differ.
 */
#ifndef PT_TEST_SAME_H
#define PT_TEST_SAME_H
#include "onnx/onnx.h"
void pt_assert_same(const PtGraph *a, const PtGraph *b);
void pt_assert_same_tensor(const PtTensor *a, const PtTensor *b);
/* The repository's corpus, sorted; free with g_ptr_array_unref. */
GPtrArray *pt_corpus_paths(void);
#endif
