/* Inside the sentinel room, the stages in order, a file each:
 * corpus*.c     the file of public pieces
 * interface.c   which donors resemble the real piece's interface, and which input stands for which
 * axes.c        which axes of a piece's values have to be of one size
 * transplant.c  the donor's nodes anew between the real piece's inputs, weights re-dimensioned
 * (constants.c, reshape.c) forms.c       operators in the form of the model's opset adapt.c inputs
 * that are left over join in; outputs get the wanted type edit*.c       nodes added, removed,
 * replaced judge.c       the last word: ONNX Runtime's inference, the interface, no copy of another
 * modify.c      the loop */
#ifndef PT_SENTINEL_PRIVATE_H
#define PT_SENTINEL_PRIVATE_H

#include "ops/ops.h"
#include "sentinel/sentinel.h"

#define PT_FACE_RANK 8   /* values of a higher rank are left to the real piece's own edits */
#define PT_FACE_SLOTS 12 /* inputs or outputs of a donor; more are not matched */

/* ---- interfaces
 * ---------------------------------------------------------------------------------- */
typedef struct PtSlot {
  uint8_t dtype;
  int8_t rank;                /* -1: unknown or too high */
  int32_t dims[PT_FACE_RANK]; /* -1: symbolic */
} PtSlot;
typedef struct PtFace {
  uint32_t n_nodes;
  int32_t opset; /* ai.onnx */
  uint8_t n_inputs, n_outputs;
  PtSlot slot[2 * PT_FACE_SLOTS]; /* inputs, then outputs */
  uint64_t hash;                  /* canonical */
  uint8_t style[32];              /* share of nodes, in 255ths, by hash of operator */
} PtFace;
/* False if it cannot be described: opaque values, too many. */
bool pt_face_of(const PtGraph *graph, PtFace *face);
const PtFace *pt_corpus_face(const PtCorpus *corpus, uint32_t i);
/* The smaller the less has to be adapted; INFINITY if the donor cannot serve. */
double pt_face_distance(const PtFace *donor, const PtFace *real, const uint8_t style[32]);
/* at[donor input] = real input that stands for it. used[real input]. False if one has none. */
bool pt_face_assign(const PtFace *donor, const PtFace *real, PtRng *rng, uint8_t *at, bool *used);

/* ---- axes
 * ------------------------------------------------------------------------------------------ */
/* Classes of (value, axis) that are of one size, by union-find. */
typedef struct PtAxes {
  uint32_t *start;  /* [n_values + 1] first variable of a value */
  uint32_t *parent; /* [variables] */
  bool *free;       /* [variables] at roots: a weight decides the size */
} PtAxes;
PtAxes *pt_axes_new(const PtGraph *graph);
void pt_axes_free(PtAxes *axes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtAxes, pt_axes_free)
uint32_t pt_axes_root(PtAxes *axes, PtValueId value, int32_t axis);
/* Which dims of a reshape's output are which of its input: groups of equal product. */
typedef struct PtDimGroup {
  int32_t in, in_end, out, out_end;
} PtDimGroup;
/* Number of groups, -1 where it cannot be told (several unknown sizes). groups[PT_FACE_RANK * 2].
 */
int pt_dim_groups(const PtType *in, const PtType *out, PtDimGroup *groups);

/* ---- building
 * ------------------------------------------------------------------------------------- */
/* The model's habits, as far as its pieces show them: inserted nodes keep to them. */
typedef struct PtStyle {
  uint8_t operators[32];     /* as PtFace.style */
  const char *activation[8]; /* in use, or the usual ones */
  uint32_t n_activations;
  bool batch_norm, layer_norm, erf, swish, clips; /* operators and decompositions in use */
  GHashTable
      *likes; /* operator -> const PtNode: one of the model's, for its attributes (borrowed) */
} PtStyle;
void pt_style_of(PtStyle *style, const PtGraph *real, GPtrArray *siblings);
void pt_style_clear(PtStyle *style);
/* Nodes from `first` on whose operator no piece of the model has. */
uint32_t pt_style_strange(const PtStyle *style, const PtGraph *graph, PtNodeId first);
/* habits.c: nodes get the attributes that the model's have where they say nothing, and no others of
 * that kind. */
void pt_keep_habits(PtGraph *graph, const PtStyle *style);
void pt_drop_attr_at(PtNode *node, uint32_t at);
/* False if the attribute is of a later opset and says something; *drop: of a later opset. */
bool pt_attr_fits(const PtNode *node, const PtAttr *attr, int64_t opset, bool *drop);

/* A sentinel under construction: a graph whose every value has a type. */
typedef struct PtDraft {
  PtGraph *graph;
  const PtGraph *real;
  PtDtype dtype; /* of its float tensors */
  int64_t opset;
  bool batch_norm; /* new convolutions are normalized */
  const PtStyle *style;
  int64_t rows; /* of tables that the real piece's integers index, 0: as the donor has them */
  PtRng *rng;
} PtDraft;
/* Adds a node, infers its outputs' types; PT_NONE if it is invalid. One output. attrs are set by
 * `set` before inference. */
typedef struct PtAttrSpec {
  const char *name;
  PtAttrKind kind; /* INT, FLOAT, INTS */
  int64_t i;
  double f;
  const int64_t *ints;
  uint32_t n;
} PtAttrSpec;
#define PT_INT_ATTR(name_, value_)                                                                 \
  { .name = name_, .kind = PT_ATTR_INT, .i = value_ }
#define PT_FLOAT_ATTR(name_, value_)                                                               \
  { .name = name_, .kind = PT_ATTR_FLOAT, .f = value_ }
#define PT_INTS_ATTR(name_, v_, n_)                                                                \
  { .name = name_, .kind = PT_ATTR_INTS, .ints = v_, .n = n_ }
PtValueId pt_draft_op(PtDraft *draft, const char *op_type, const PtValueId *inputs,
                      uint32_t n_inputs, const PtAttrSpec *attrs, uint32_t n_attrs);
/* Infers and stores the types of a node that was added; false if it is invalid. */
bool pt_draft_settle(PtDraft *draft, PtNodeId node);
PtValueId pt_draft_weight(PtDraft *draft, uint32_t rank, const int64_t *dims);
PtValueId pt_draft_scalar(PtDraft *draft, double value);
PtValueId pt_draft_ints(PtDraft *draft, const int64_t *values, uint32_t count);
/* A tensor like `from` in the draft's float dtype: one element keeps its value. */
PtTensor *pt_draft_tensor_like(PtDraft *draft, const PtTensor *from);
const PtType *pt_draft_type(const PtDraft *draft, PtValueId value);

/* forms.c: operators whose form changed between opsets. */
PtValueId pt_form_reduce(PtDraft *draft, const char *op_type, PtValueId x, const int64_t *axes,
                         uint32_t n, bool keep);
PtValueId pt_form_clip(PtDraft *draft, PtValueId x, double least, double most);
PtValueId pt_form_axes(PtDraft *draft, const char *op_type, PtValueId x, const int64_t *axes,
                       uint32_t n);
/* True if the donor's node, in opset `from`, means the same in `to` as it stands. */
bool pt_form_same(const PtNode *node, int64_t from, int64_t to);
/* Emits the donor's node in the draft's form; inputs mapped. PT_NONE if there is no way. */
bool pt_form_convert(PtDraft *draft, const PtGraph *donor, const PtNode *node,
                     const PtValueId *inputs, PtValueId *outputs);

/* ints.c: whether the donor does with the real piece's integers what is safe to do with them:
 * look-ups of what is looked up there. *rows: of the real piece's table, 0 without one. */
bool pt_ints_fit(const PtGraph *donor, const PtGraph *real, const uint8_t *at, int64_t *rows);
/* [n_values] of an index or a size depends on the value: no edit may change it. Caller frees with
 * g_free. */
bool *pt_find_fixed(const PtGraph *graph);

/* transplant.c: false if the donor does not fit. output[donor output]: the draft's value. */
bool pt_transplant(PtDraft *draft, const PtGraph *donor, const PtRole *roles, const uint8_t *at,
                   double jitter, PtValueId *outputs);
/* constants.c: the constant `value` of the donor as input `slot` of a node whose other inputs are
 * mapped. */
PtValueId pt_constant_for(PtDraft *draft, const PtGraph *donor, const PtRole *roles,
                          const PtNode *node, uint32_t slot, const PtValueId *inputs, int64_t width,
                          PtValueId known);
/* reshape.c: the target of a reshape for the new input; false if it cannot be told. */
bool pt_reshape_target(const PtType *old_in, const PtType *old_out, const PtType *in,
                       int64_t *want);

/* adapt.c: a value of type `want` made of `value`; PT_NONE if there is no natural way. */
PtValueId pt_adapt(PtDraft *draft, PtValueId value, const PtType *want);
bool pt_same_dim(const PtType *a, int32_t i, const PtType *b, int32_t j);
bool pt_same_type(const PtType *a, const PtType *b);
/* join.c: real inputs that nobody reads join in. */
bool pt_join_inputs(PtDraft *draft);
/* The draft's outputs: candidates[n] first, then whatever suits. */
bool pt_make_outputs(PtDraft *draft, const PtValueId *candidates, uint32_t n);

/* edit.c: `count` edits towards a number of nodes; returns how many were done. Outputs keep their
 * types. */
uint32_t pt_edit(PtDraft *draft, uint32_t count, uint32_t target_nodes);
/* edit_insert.c, edit_change.c: one edit of a kind at a random place; false if none was found. */
bool pt_edit_insert(PtDraft *draft);
bool pt_edit_remove(PtDraft *draft);
bool pt_edit_replace(PtDraft *draft);
/* A donor's activations become the model's, mostly. */
void pt_keep_style(PtDraft *draft);
/* Keeps every value as it is: for pieces that compute shapes, masks, or what the rules do not know.
 */
bool pt_edit_neutral(PtDraft *draft);
/* The place where something is put: later readers read what comes back from pt_splice_end. */
PtValueId pt_splice_begin(PtDraft *draft, PtValueId value);
void pt_splice_end(PtDraft *draft, PtValueId place, PtValueId result);
/* Made by a cast: ONNX Runtime (1.32) fuses an RMS normalization and drops its cast though others
 * value before it, so who reads them stays as it is. */
bool pt_is_cast(const PtDraft *draft, PtValueId value);
bool pt_is_image(const PtDraft *draft, PtValueId value);

/* draft.c: drops what is unused, orders topologically; false if an input went unused or an output
 * vanished. */
bool pt_draft_finish(PtDraft *draft);
/* A copy in topological order with short names and without weights' data. */
PtGraph *pt_rebuild(const PtGraph *graph, bool strip);

/* scalars.c: single floats, and epsilons that are attributes, where the model has such. */
typedef struct PtScalars PtScalars;
PtScalars *pt_scalars_new(const GPtrArray *pieces); /* PtGraph: the model's real pieces */
void pt_scalars_free(PtScalars *scalars);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtScalars, pt_scalars_free)
/* Those that the model has nowhere at such a place are drawn from what it has there; where it has
 * none: epsilons are one, and no factor or offset does nothing. */
void pt_scalars_mend(const PtScalars *scalars, PtGraph *graph, PtRng *rng);

/* judge.c */
typedef struct PtJudge {
  const PtGraph *real;
  GHashTable *seen; /* canonical hashes (guint64*) */
  uint64_t weights; /* elements that its constants may have in all */
} PtJudge;
/* The limit for stand-ins of `real`: a few times its own, and not past what the model's pieces need
 * of noise.bin. */
uint64_t pt_weight_limit(const PtGraph *real, GPtrArray *siblings);
/* Valid, the real piece's interface, not seen before (then it is now). The graph's types are
 * completed. */
bool pt_judge(PtJudge *judge, PtGraph *graph);

#endif
