/* pieces: small graphs with random weights, built by hand, for the tests of rebind. */
#ifndef PT_TEST_REBIND_PIECES_H
#define PT_TEST_REBIND_PIECES_H

#include "graph/graph.h"

#define DIMS(...)                                                                                  \
  (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

PtGraph *pt_piece_graph(int64_t opset);
PtValueId pt_piece_input(PtGraph *g, PtDtype dtype, const int64_t *dims, size_t rank);
/* Random in about [-1, 1]; positive: in [0.5, 1.5]. Any float format of 16 bits up, or integers. */
PtValueId pt_piece_weight(PtGraph *g, PtDtype dtype, bool positive, const int64_t *dims,
                          size_t rank);
PtValueId pt_piece_scalar(PtGraph *g, float value);
/* An operator of one output; PT_NONE ends the inputs. */
PtValueId pt_piece_op(PtGraph *g, const char *op, ...);
/* The node that makes a value, for attributes. */
PtNodeId pt_piece_node(PtGraph *g, PtValueId value);
PtValueId pt_piece_norm(PtGraph *g, PtValueId x, int64_t channels);
/* Conv with weights [out, in/groups, kernel, kernel], padded to keep the size. */
PtValueId pt_piece_conv(PtGraph *g, PtValueId x, int64_t out, int64_t in, int64_t groups,
                        int64_t kernel, bool bias);
void pt_piece_finish(PtGraph *g, PtValueId output);

#endif
