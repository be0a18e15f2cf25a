/* Hand-made protobufs for tests: the smallest sentences that say a model, right or wrong.
 * Everything lives in one arena; lists of names are "a,b,,c". */
#ifndef PT_TEST_MAKE_H
#define PT_TEST_MAKE_H
#include "onnx/onnx_private.h"

typedef struct Make {
  PtArena *arena;
  Onnx__ModelProto *model;
  Onnx__GraphProto *graph; /* the model's */
} Make;
Make *make_new(int64_t ir, int64_t opset);
void make_free(Make *make);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Make, make_free)
GBytes *make_pack(const Make *make);

/* A pointer more at the end of a repeated field. */
#define make_append(make, owner, field, item)                                                      \
  make_append_pointer((make), &(owner)->n_##field, (void ***)(void *)&(owner)->field, (item))
void make_append_pointer(Make *make, size_t *n, void ***array, void *item);

Onnx__GraphProto *make_graph(Make *make, const char *name);
Onnx__NodeProto *make_node(Make *make, Onnx__GraphProto *graph, const char *op, const char *inputs,
                           const char *outputs);
Onnx__NodeProto *make_loose_node(Make *make, const char *op, const char *inputs,
                                 const char *outputs);
Onnx__AttributeProto *make_attr(Make *make, Onnx__NodeProto *node, const char *name, int32_t type);
void make_attr_int(Make *make, Onnx__NodeProto *node, const char *name, int64_t value);
void make_attr_float(Make *make, Onnx__NodeProto *node, const char *name, float value);
void make_attr_ref(Make *make, Onnx__NodeProto *node, const char *name, int32_t type,
                   const char *ref);
void make_attr_graph(Make *make, Onnx__NodeProto *node, const char *name, Onnx__GraphProto *graph);
void make_attr_tensor(Make *make, Onnx__NodeProto *node, const char *name, Onnx__TensorProto *t);
/* A tensor of one dimension with `raw` bytes (NULL: none). */
Onnx__TensorProto *make_tensor(Make *make, const char *name, int32_t dtype, int64_t count,
                               const void *raw, size_t size);
Onnx__TensorProto *make_init(Make *make, Onnx__GraphProto *graph, const char *name, int32_t dtype,
                             int64_t count, const void *raw, size_t size);
void make_external(Make *make, Onnx__TensorProto *t, const char *location, const char *offset,
                   const char *length);
Onnx__ValueInfoProto *make_info(Make *make, const char *name, int32_t dtype, const char *dims);
/* dims: "2,N,?" or NULL for no shape; dtype 0: no type. */
void make_input(Make *make, Onnx__GraphProto *graph, const char *name, int32_t dtype,
                const char *dims);
void make_output(Make *make, Onnx__GraphProto *graph, const char *name, int32_t dtype,
                 const char *dims);
Onnx__FunctionProto *make_function(Make *make, const char *domain, const char *name,
                                   const char *inputs, const char *outputs, int64_t opset);
void make_import(Make *make, const char *domain, int64_t version);

/* Reads; asserts that it works, is consistent, and comes back the same after writing. */
PtGraph *make_read(const Make *make, const PtOnnxReadOptions *options);
/* Reads; asserts that it fails with this code and that the message has `part` and the label. */
void make_fails(const Make *make, const PtOnnxReadOptions *options, PtErrorCode code,
                const char *part);
void bytes_fail(GBytes *bytes, const PtOnnxReadOptions *options, PtErrorCode code,
                const char *part);
#endif
