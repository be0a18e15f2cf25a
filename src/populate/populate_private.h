/* Inside the populate room, a file a stage:
 * rule.c, rule_z3*.c each rule as a function and as a constraint, one row of pt_rules a kind
 * formula.c          what the constraints are made of
 * domain.c           the finite domain of sizes
 * effect.c           operators of one effect as one class
 * reach.c            what values may be at all, so that less is variable
 * encode.c           a problem as Z3's variables and constraints
 * solution.c         solutions out of models, and how likely they are
 * inputs.c           inputs of the piece to nodes
 * propose.c          opcodes drawn along the order, by likelihood
 * guide.c, future.c, draw.c: whole assignments drawn so that they fit by themselves
 * growth.c           how large values become
 * assign.c           Alg. 2 */
#ifndef PT_POPULATE_PRIVATE_H
#define PT_POPULATE_PRIVATE_H

#include "populate/populate.h"

#include <string.h>
#include <z3.h>

/* ---- Z3's values ------------------------------------------------------------------------------
 */
/* The type of a value as Z3 sees it. Axes from the end; missing ones have size 1. */
typedef struct PtBundle {
  Z3_ast dtype, rank, dim[PT_FINITE_RANK]; /* dim: [encoder's rank] */
} PtBundle;

#define PT_DOMAIN_MAX 96
/* Sizes that values may have, and dtypes: variables are indices into these. Codes of unknown sizes
 * come first, then known ones ascending, 1 the first of them. */
typedef struct PtDomain {
  int32_t size[PT_DOMAIN_MAX];
  uint32_t n, one; /* one: index of 1 */
  uint8_t dtype[16];
  uint32_t n_dtypes;
  uint32_t space[PT_DOMAIN_MAX], n_space; /* indices that windows may meet */
  int32_t rank;                           /* the largest */
} PtDomain;
/* UINT32_MAX: not there. */
uint32_t pt_domain_find(const PtDomain *s, int32_t size);
uint32_t pt_domain_dtype(const PtDomain *s, uint8_t dtype);
/* False: there are too many. */
bool pt_domain_init(PtDomain *s, const PtPopulateProblem *p);
/* False if a type has a size, dtype or rank that is not there. */
bool pt_domain_hold(const PtDomain *s, const PtFiniteType *type);

/* Which sizes, dtypes and ranks values may have at all, axis by axis from the end: what only one is
 * possible of is no variable. */
typedef struct PtReach {
  bool size[PT_FINITE_RANK][PT_DOMAIN_MAX];
  uint32_t only[PT_FINITE_RANK]; /* the only one, UINT32_MAX: several */
  uint32_t only_dtype;           /* likewise */
  int32_t only_rank;             /* or -1 */
} PtReach;

/* Operators that do the same to types, next to each other in `order`. */
typedef struct PtEffect {
  uint32_t first, n;    /* order[first .. first + n) */
  const PtOperator *op; /* one of them */
} PtEffect;

typedef struct PtNodeVars {
  uint32_t n_preds, n_slots; /* slots: preds, then up to two inputs of the piece */
  const uint32_t *preds;
  bool sink, first, second; /* first, second: has input[0], input[1] */
  const bool *allowed;      /* [n_operators] by operator; NULL: all are */
  Z3_ast op, width, swap, input[2];
  Z3_ast positive;  /* then it is; it may be otherwise, too */
  PtBundle slot[2]; /* of input[0], input[1] */
  PtBundle type;
} PtNodeVars;

typedef struct PtEncoder {
  const PtPopulateProblem *p;
  PtDomain sizes;
  PtReach reach;
  uint32_t *order;     /* [n_operators] operator at each number of a node's `op` */
  uint32_t *place;     /* [n_operators] the inverse */
  uint32_t *effect_of; /* [n_operators] by operator */
  GArray *effects;     /* PtEffect */
  uint32_t *preds;     /* all nodes' */
  bool *allowed;       /* all nodes', or NULL */
  PtNodeVars *nodes;   /* [n] */
  Z3_ast *output;      /* [n_outputs] number of a node */
  Z3_context z3;
  Z3_solver solver;
  Z3_sort of_dtype, of_rank, of_size, of_op, of_node, of_input;
  Z3_ast size[PT_DOMAIN_MAX], rank[PT_FINITE_RANK + 1], dtype[16];
  Z3_ast yes, no;
  GHashTable *literals; /* Z3_ast -> its name */
  bool failed;          /* Z3 reported an error */
  uint32_t fresh;
} PtEncoder;

/* ---- rules ------------------------------------------------------------------------------------
 */
typedef struct PtSite {
  PtEncoder *e;
  const PtOperator *op;
  const PtBundle *in[64]; /* operands in order */
  uint32_t n_in;
  const PtBundle *out;
  Z3_ast width;
} PtSite;
typedef Z3_ast PtConstrain(const PtSite *site);
PtConstrain pt_constrain_table, pt_constrain_same, pt_constrain_binary, pt_constrain_conv,
    pt_constrain_pool, pt_constrain_global_pool, pt_constrain_linear, pt_constrain_matmul,
    pt_constrain_transpose, pt_constrain_reduce, pt_constrain_concat, pt_constrain_flatten;
typedef struct PtRule {
  const char *name;
  bool (*apply)(const PtOperator *op, int32_t width, const PtFiniteType *const *in, uint32_t n_in,
                PtFiniteType *out);
  PtConstrain *constrain;
} PtRule;
extern const PtRule pt_rules[PT_RULE_KINDS];
/* The whole of what the operator asks of its operands and makes of them. */
Z3_ast pt_constrain(const PtSite *site);

/* Size that a window makes of a size on its i-th axis; 0: none. */
int32_t pt_operator_window(const PtOperator *op, int32_t i, int32_t size);
/* The product of known sizes, or the only one that is not 1; 0: it cannot be told. */
int32_t pt_finite_product(const int32_t *dims, int32_t n);

/* ---- formulas ---------------------------------------------------------------------------------
 */
void pt_claim(PtEncoder *e, Z3_ast formula);
Z3_ast pt_z3_eq(PtEncoder *e, Z3_ast a, Z3_ast b);
/* and: a conjunction under construction. */
typedef struct PtTerms {
  PtEncoder *e;
  GPtrArray *all; /* Z3_ast */
} PtTerms;
void pt_terms_add(PtTerms *t, Z3_ast term);
Z3_ast pt_terms_and(PtTerms *t); /* frees */
Z3_ast pt_terms_or(PtTerms *t);
Z3_ast pt_z3_and(PtEncoder *e, Z3_ast a, Z3_ast b);
Z3_ast pt_z3_or(PtEncoder *e, Z3_ast a, Z3_ast b);
static inline PtTerms pt_terms(PtEncoder *e) {
  return (PtTerms){e, g_ptr_array_new()};
}
Z3_ast pt_z3_var(PtEncoder *e, Z3_sort sort);
Z3_ast pt_z3_literal(PtEncoder *e, Z3_ast formula);
Z3_ast pt_z3_number(PtEncoder *e, Z3_sort sort, uint32_t value);
Z3_ast pt_bundle_is(PtEncoder *e, const PtBundle *b, const PtFiniteType *type);
Z3_ast pt_bundle_equal(PtEncoder *e, const PtBundle *a, const PtBundle *b);
PtBundle pt_bundle_new(PtEncoder *e);
Z3_ast pt_has_rank(PtEncoder *e, const PtBundle *b, int32_t rank);
Z3_ast pt_least_rank(PtEncoder *e, const PtBundle *b, int32_t rank);
Z3_ast pt_is_known(PtEncoder *e, Z3_ast dim);
Z3_ast pt_is_large(PtEncoder *e, Z3_ast dim); /* known and more than 1 */
/* For each rank from `least` on: the first operand has it and what `of` says then holds. */
typedef Z3_ast (*PtOfRank)(const PtSite *site, int32_t rank);
Z3_ast pt_by_rank(const PtSite *s, int32_t least, PtOfRank of);
void pt_same_axes(PtTerms *all, const PtBundle *a, const PtBundle *b, uint32_t but); /* bits */
void pt_same_dtype(PtTerms *all, const PtBundle *a, const PtBundle *b);

/* growth.c: whether outputs stay as small as they have to. */
bool pt_solution_keeps_size(const PtPopulateProblem *p, const PtSolution *s);

/* guide.c */
typedef struct PtGuideMove {
  uint32_t op, to; /* a type */
  int32_t width;
  double odds; /* of the width, of those that the operator may have there; sum 1 */
} PtGuideMove;
typedef struct PtGuideFlow {
  uint32_t to;
  double odds;
} PtGuideFlow;
/* A value of one type, joined with another. */
typedef struct PtGuideJoin {
  uint32_t from, to;
  double odds;
} PtGuideJoin;
struct PtPopulateGuide {
  const PtOperator *operators; /* borrowed */
  uint32_t n_operators;
  PtDomain sizes;
  PtFiniteType *type; /* [n_types] */
  uint32_t n_types, room;
  uint32_t *slot;               /* [2 room] hashed: number + 1 */
  uint32_t *first, *flow_first; /* [n_types + 1] */
  GArray *moves, *flows;        /* PtGuideMove, PtGuideFlow by source */
  GArray *wholes;               /* PtGuideJoin: what a type may be a part of */
  GArray *alike;                /* and with one of its own type, or in a product with any */
  GArray **joins; /* [n_types] PtGuideJoin with a value of this type; NULL: not asked yet */
  GMutex lock;    /* of joins */
  double *prior;  /* [n_operators] whatever came before */
};
/* UINT32_MAX: not among them. */
uint32_t pt_guide_find(const PtPopulateGuide *g, const PtFiniteType *t);
/* Thread-safe. */
const GArray *pt_guide_joins(const PtPopulateGuide *g, uint32_t with);
/* draw.c: for one problem. */
typedef struct PtDrawer PtDrawer;
PtDrawer *pt_drawer_new(const PtEncoder *e, const PtPopulateGuide *guide,
                        const PtLikelihood *likelihood, PtRng *rng);
void pt_drawer_free(PtDrawer *drawer);
/* NULL: this time it ended nowhere. */
PtSolution *pt_drawer_draw(PtDrawer *drawer);

void pt_group_effects(PtEncoder *e);
/* encode.c: in this order; false: e->failed, or the domain is too large (then *large). */
bool pt_encoder_init(PtEncoder *e, const PtPopulateProblem *p, bool *large);
bool pt_encoder_make(PtEncoder *e, uint32_t seed, bool random_phase);
void pt_encoder_clear(PtEncoder *e);
PtSolution *pt_solution_new(const PtPopulateProblem *p); /* room for the largest */
uint32_t pt_solution_refs(const PtPopulateProblem *p);   /* of the largest */
PtSolution *pt_encoder_read(PtEncoder *e, Z3_model model);
/* That no later model is this solution; nothing where none can be. */
void pt_encoder_block(PtEncoder *e, const PtSolution *s);
/* Which of a node's variables say what the solution says; into terms as equations. */
void pt_encoder_says(PtEncoder *e, const PtSolution *s, PtTerms *terms);
bool pt_operator_turns(const PtOperator *op); /* operands' order is a variable */

/* propose.c: what each node might be; not all of it fits together. */
typedef struct PtProposal {
  uint32_t *op;    /* [n] operator; UINT32_MAX: none */
  int32_t *width;  /* [n] 0: none */
  uint32_t *input; /* [2 n] number of the input at each slot, 0: none */
  GArray **more;   /* [n] uint32_t: numbers of inputs in place of these, ascending; NULL: none */
  uint32_t n;
} PtProposal;
PtProposal pt_proposal_new(const PtPopulateProblem *p);
void pt_proposal_clear(PtProposal *proposal);
/* inputs.c: inputs of the piece to nodes: to every node without predecessors one; those that are
 * left, and `extra` more, beside others. many: some read more than two, which Z3 has no variables
 * for. */
void pt_place_inputs(const PtEncoder *e, PtRng *rng, bool many, PtProposal *proposal);
/* Whether two a node are enough. */
bool pt_inputs_have_room(const PtEncoder *e);
/* likelihood NULL: at random. */
void pt_propose(const PtEncoder *e, const PtLikelihood *likelihood, PtRng *rng,
                PtProposal *proposal);
/* Nodes may have the operators and second inputs of `breadth` proposals and no others. */
void pt_propose_allowed(PtEncoder *e, const PtLikelihood *likelihood, PtRng *rng, uint32_t breadth);
/* A wish a variable, worth more or less. */
typedef struct PtWish {
  Z3_ast what;  /* the name of an equation */
  double worth; /* the cheapest is dropped first */
} PtWish;
void pt_wish(PtEncoder *e, const PtProposal *proposal, PtRng *rng, GArray *wishes);
/* reach.c: given the operators that nodes are allowed. */
void pt_reach_init(PtEncoder *e);

/* Operators drawn anew among those of one effect, by likelihood; widths and wiring stay. */
void pt_refine(const PtEncoder *e, const PtLikelihood *likelihood, PtRng *rng, PtSolution *s);
double pt_solution_logprob(const PtPopulateProblem *p, const PtLikelihood *likelihood,
                           const PtSolution *s);
uint64_t pt_solution_hash(const PtPopulateProblem *p, const PtSolution *s);

#endif
