/* populate: operators for the nodes of a topology (paper 4.1.2, Alg. 2 AssignOperators) with Z3.
 * In: a DAG, the interface's types, a finite set of operators with their rule, widths, what follows
 * what in real models. Out: distinct assignments that the rules allow, the likeliest kept.
 * Every rule is there twice, side by side: as a function of types and as a constraint (rule.c,
 * rule_z3.c). The only room that sees Z3. Never touches: files, graphs' weights, ONNX Runtime. */
#ifndef PT_POPULATE_H
#define PT_POPULATE_H

#include "graph/graph.h"

#define PT_POPULATE_ERROR (pt_populate_error_quark())
GQuark pt_populate_error_quark(void);

/* ---- types ------------------------------------------------------------------------------------
 */
#define PT_FINITE_RANK 8
/* Compared by memcmp. A size < 0 is a code for a symbol: equal codes, equal sizes. */
typedef struct PtFiniteType {
  uint8_t dtype; /* PtDtype */
  int8_t rank;   /* -1: not known; serves no operator */
  uint16_t unused;
  int32_t dims[PT_FINITE_RANK]; /* zero beyond rank */
} PtFiniteType;
/* The code of a size that depends on the size `from` through a, b. */
int32_t pt_finite_derived(int32_t from, int64_t a, int64_t b);
/* Floats of rank 2 and more: what rules other than PT_RULE_TABLE work on. */
bool pt_finite_is_data(const PtFiniteType *type);

/* ---- operators --------------------------------------------------------------------------------
 */
typedef enum {
  PT_RULE_TABLE, /* only for the types it lists: operators without a rule of their own */
  PT_RULE_SAME,  /* one operand, its type out: activations, normalizations, x + constant */
  PT_RULE_BINARY /* broadcasting */,
  PT_RULE_CONV,
  PT_RULE_POOL,
  PT_RULE_GLOBAL_POOL,
  PT_RULE_LINEAR, /* Gemm or MatMul with a constant matrix */
  PT_RULE_MATMUL,
  PT_RULE_TRANSPOSE,
  PT_RULE_REDUCE,
  PT_RULE_CONCAT,
  PT_RULE_FLATTEN,
  PT_RULE_KINDS
} PtRuleKind;

/* Sizes that a weight's elements are the product of: at least one of those named has to be larger
 * than 1, as a single float is no weight. Bits 0 to 7: axes of the operand from the end. */
enum { PT_SIZE_CHANNEL = 1 << 8, PT_SIZE_PER_GROUP = 1 << 9, PT_SIZE_WIDTH = 1 << 10 };
#define PT_OPERATOR_WEIGHTS 6
#define PT_OPERATOR_INPUTS 4

/* Whether what comes out is positive: a square root or a divisor that is not gives no finite value.
 */
typedef enum { PT_SIGN_ANY, PT_SIGN_KEEPS /* if all operands are */, PT_SIGN_POSITIVE } PtSign;

/* How large a value is: log2 of the mean of |x|, as the piece's inputs are, and with inputs sixteen
 * times as large. What comes out of what goes in, roughly; `gain` is log2, too. */
typedef struct PtSize {
  double once, times;
} PtSize;
typedef enum {
  PT_GROWTH_KEEPS,    /* the largest operand's, times gain */
  PT_GROWTH_PRODUCT,  /* of the operands, times gain */
  PT_GROWTH_QUOTIENT, /* likewise */
  PT_GROWTH_LINEAR,   /* weights of size gain, as many as go in, of any sign */
  PT_GROWTH_SUMS,     /* over axes or a window */
  PT_GROWTH_MATMUL,
  PT_GROWTH_BOUNDED, /* at most gain */
  PT_GROWTH_FLOOR,   /* at least gain */
  PT_GROWTH_SCALED,  /* times gain, then about gain is added */
  PT_GROWTH_FIXED,   /* gain, whatever goes in */
  PT_GROWTH_SHARES,  /* of one, along the last axis */
  PT_GROWTH_POWER,   /* to the power of gain, which is no logarithm */
  PT_GROWTH_EXP
} PtGrowth;

/* An operator with all its attributes. */
typedef struct PtOperator {
  PtRuleKind rule;
  uint32_t id;    /* the caller's */
  uint64_t token; /* what the likelihood knows it by */
  double weight;  /* how often it is seen, among those of one token; > 0 */
  uint32_t n_in;  /* operands; 0: any number from two (Concat) */
  bool dense;     /* has a width of its own: channels or features out */
  bool commutes;  /* operands may change places */
  uint8_t needs;  /* bit i: operand i has to be positive; inputs of the piece are not */
  PtSign gives;
  PtGrowth growth;
  double gain;
  uint8_t dtype;      /* of its operands; 0: any float */
  uint8_t least_rank; /* of its first operand */
  bool two_d;         /* Gemm */
  uint8_t known;      /* bit i: axis i from the end has to be of a known size */
  bool known_channel; /* so has axis 1 */
  uint32_t n_weights;
  uint16_t weights[PT_OPERATOR_WEIGHTS]; /* PT_SIZE_* and axes */
  /* windows */
  int32_t n_space, kernel[3], strides[3], dilations[3], pads[6], ceil_mode;
  int32_t groups; /* 0: one a channel, as many channels out */
  /* moves and reductions */
  int32_t perm[PT_FINITE_RANK], n_perm;
  uint32_t axes; /* bits, from the front */
  int32_t axis, keep;
  /* PT_RULE_TABLE: operands' types, and for those that have to be an input of the piece which one,
   * else -1 */
  PtFiniteType in[PT_OPERATOR_INPUTS], out;
  int32_t anchor[PT_OPERATOR_INPUTS];
} PtOperator;

/* The type that comes out; false: the operator does not take these operands. */
bool pt_operator_apply(const PtOperator *op, int32_t width, const PtFiniteType *const *in,
                       uint32_t n_in, PtFiniteType *out);

PtSize pt_operator_size(const PtOperator *op, const PtFiniteType *const *in, const PtSize *size,
                        uint32_t n_in);

/* ---- likelihood -------------------------------------------------------------------------------
 */
/* Opcode sequences of real models: P(token | the two before), by trigrams that back off to bigrams,
 * unigrams and a floor. Immutable once made; shared by threads. */
typedef struct PtLikelihood PtLikelihood;
#define PT_TOKEN_INPUT                                                                             \
  UINT64_C(0x494e505554)                /* before the first, and in place of what is not there */
#define PT_TOKEN_END UINT64_C(0x454e44) /* after an output */
PtLikelihood *pt_likelihood_new(void);
void pt_likelihood_free(PtLikelihood *likelihood);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtLikelihood, pt_likelihood_free)
void pt_likelihood_add(PtLikelihood *likelihood, uint64_t before2, uint64_t before, uint64_t token,
                       double count);
double pt_likelihood_log(const PtLikelihood *likelihood, uint64_t before2, uint64_t before,
                         uint64_t token);
/* Widths: what comes out of a dense operator for what goes in. */
void pt_likelihood_add_width(PtLikelihood *likelihood, int32_t in, int32_t out, double count);
double pt_likelihood_log_width(const PtLikelihood *likelihood, int32_t in, int32_t out);

/* ---- Alg. 2 -----------------------------------------------------------------------------------
 */
typedef struct PtArc {
  uint32_t from, to; /* from < to */
} PtArc;

/* What crosses the border. A part of the piece that is left as it is (integers, say) reads and
 * makes values, too: it stands between nodes that come before and nodes that come after it. */
typedef struct PtPopulateInput {
  PtFiniteType type;
  uint32_t from; /* the first node that may read it */
  bool optional; /* others read it; else one node at least does */
  PtSize size;
} PtPopulateInput;
typedef struct PtPopulateOutput {
  PtFiniteType type;
  uint32_t before; /* made by a node before this one; n: by any */
  bool shared;     /* may be the same node's as another output */
  PtSize most;     /* once: its size at most; times: how much larger, at most, with larger inputs */
} PtPopulateOutput;

typedef struct PtPopulateProblem {
  uint32_t n; /* nodes, numbered in topological order */
  const PtArc *arcs;
  uint32_t n_arcs;
  const PtPopulateInput *inputs;
  const PtPopulateOutput *outputs; /* nodes that nobody reads are among them */
  uint32_t n_inputs, n_outputs;
  const PtOperator *operators;
  uint32_t n_operators;
  const int32_t *widths; /* that dense operators may have, > 0 */
  uint32_t n_widths;
  const int32_t *sizes; /* that values may have beside the interface's and widths, as many as fit */
  uint32_t n_sizes;
  const PtFiniteType *types; /* that values joined from several may have */
  uint32_t n_types;
  const uint32_t *many; /* operands of nodes that read more than two inputs */
  uint32_t n_many;
  uint32_t extra; /* nodes that get an input of the piece beside what the topology has, about */
} PtPopulateProblem;

/* What leads where among the types of an interface, for drawing: of a problem's operators, widths,
 * inputs and outputs; its nodes and arcs do not matter. Immutable once made. NULL: too many sizes.
 */
typedef struct PtPopulateGuide PtPopulateGuide;
PtPopulateGuide *pt_populate_guide_new(const PtPopulateProblem *problem,
                                       const PtLikelihood *likelihood);
void pt_populate_guide_free(PtPopulateGuide *guide);

typedef struct PtPopulateOptions {
  uint32_t max_solns; /* > 0 */
  double pct;         /* share of them that is kept, the likeliest; 1: all */
  uint32_t rlimit; /* of each query, in Z3's units, which do not depend on the machine; 0: none */
  uint32_t timeout_ms;            /* of each query; results then depend on the machine; 0: none */
  uint32_t patience;              /* queries in all; 0: no limit */
  const PtLikelihood *likelihood; /* NULL: all the same, opcodes at random */
  uint32_t breadth; /* > 0: a node may have only operators that so many proposals have there, which
                       makes queries many times smaller; 0: any */
  bool plain;       /* no proposals: solutions in the order in which Z3 finds them */
  const PtPopulateGuide *guide; /* or NULL */
  uint32_t draws;               /* with a guide: draws before Z3 is asked for what is missing */
  bool only_draws;              /* Z3 is not asked at all */
  uint32_t least;               /* Z3 is not asked where so many were drawn; 0: max_solns */
} PtPopulateOptions;

typedef struct PtAssigned {
  uint32_t op;       /* index in operators */
  int32_t width;     /* 0 where it has none */
  uint32_t in, n_in; /* operands: refs[in .. in + n_in): a node, or -1 - i for input i */
  PtFiniteType type;
} PtAssigned;
typedef struct PtSolution {
  uint32_t n;
  PtAssigned *nodes; /* [n] */
  int32_t *refs;
  uint32_t *outputs; /* [n_outputs] node of each */
  double logprob;    /* mean over nodes */
} PtSolution;
void pt_solution_free(PtSolution *solution);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtSolution, pt_solution_free)

typedef enum {
  PT_POPULATE_FULL,     /* max_solns were found */
  PT_POPULATE_COMPLETE, /* there are no others */
  PT_POPULATE_LIMIT     /* a query's rlimit or time, or the patience, was over */
} PtPopulateEnd;
typedef struct PtPopulateStats {
  PtPopulateEnd end;
  uint32_t solutions, queries, dropped; /* dropped: assumptions that Z3's cores gave up */
  double best;                          /* logprob of the likeliest of those appended */
  uint32_t drawn, large; /* of these solutions, without Z3; thrown away as outputs are too large */
} PtPopulateStats;

/* For pt_populate_interrupt from another thread; one may serve many calls, one after the other. */
typedef struct PtPopulateSwitch PtPopulateSwitch;
PtPopulateSwitch *pt_populate_switch_new(void);
void pt_populate_switch_free(PtPopulateSwitch *sw);
/* The call under way, and all later ones, end with PT_ERR_CANCELLED. Any thread. */
void pt_populate_interrupt(PtPopulateSwitch *sw);

/* Appends solutions (PtSolution, owned), the likeliest first, no two the same. The same problem and
 * rng give the same ones, unless timeout_ms is set. PT_ERR_USAGE: the problem contradicts itself;
 * PT_ERR_LIMIT: too many sizes, nodes or operators; PT_ERR_CANCELLED; PT_ERR_INTERNAL: Z3 failed.
 * Each call has its own Z3 context: thread-safe. stats, sw: or NULL. */
bool pt_populate_assign_operators(const PtPopulateProblem *problem,
                                  const PtPopulateOptions *options, PtRng *rng,
                                  PtPopulateSwitch *sw, GPtrArray *out, PtPopulateStats *stats,
                                  GError **error);

#endif
