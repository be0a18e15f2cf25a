/* Inside the walk room, a file a stage:
 * template*.c, library.c  nodes as operator templates, read, named, interned
 * infer.c                 output types, one rule a kind
 * state.c, convert.c      typed pieces: check, compare; from graphs and back
 * habits.c, chain.c       what the corpus does: proposals of chains and widths with their odds
 * moves*.c                edits with the odds both ways; step.c: Metropolis-Hastings
 * features*.c, measures.c, known.c  what log pi is made of
 * logistic.c, train.c, kin.c  the fit; model.c: the file; style.c, buckets.c: the model's habits */
#ifndef PT_WALK_PRIVATE_H
#define PT_WALK_PRIVATE_H

#include "ops/ops.h"
#include "walk/walk.h"

#include <string.h>

/* ---- maps: 64-bit keys, open addressing --------------------------------------------------------
 */
typedef struct PtMap64 {
  uint64_t *keys; /* [size], 0: free */
  double *values; /* [size] */
  uint32_t size, used;
} PtMap64;
void pt_map64_clear(PtMap64 *map);
/* Where the key's value is, added as 0 if it is new. */
double *pt_map64_at(PtMap64 *map, uint64_t key);
static inline const double *pt_map64_find(const PtMap64 *map, uint64_t key) {
  if (!map->size)
    return NULL;
  key += !key;
  for (uint32_t i = (uint32_t)(key >> 17) & (map->size - 1);; i = (i + 1) & (map->size - 1)) {
    if (map->keys[i] == key)
      return &map->values[i];
    if (!map->keys[i])
      return NULL;
  }
}
static inline double pt_map64_get(const PtMap64 *map, uint64_t key, double otherwise) {
  const double *at = pt_map64_find(map, key);
  return at ? *at : otherwise;
}

/* ---- types ------------------------------------------------------------------------------------
 */
#define PT_WALK_RANK 8
/* Compared by memcmp. rank -1: not a tensor of known and small rank; dims[0..1] hold a code that
 * only the same value has. A size < 0 is a code for a symbol: equal codes, equal sizes. */
typedef struct PtWalkType {
  uint8_t dtype;
  int8_t rank;
  uint16_t unused;
  int32_t dims[PT_WALK_RANK]; /* zero beyond rank */
} PtWalkType;
static inline bool pt_walk_same(const PtWalkType *a, const PtWalkType *b) {
  return memcmp(a, b, sizeof *a) == 0;
}
/* The size that people call channels or width; 0 if there is none. */
static inline int32_t pt_walk_width(const PtWalkType *t) {
  return t->rank == 4 || t->rank == 5 ? t->dims[1] : t->rank > 0 ? t->dims[t->rank - 1] : 0;
}
/* What moves may touch: floats that are no scalar and no vector, as those may steer shapes. */
static inline bool pt_walk_is_data(const PtWalkType *t) {
  return t->rank >= 2 && (t->dtype == PT_FLOAT || t->dtype == PT_FLOAT16 || t->dtype == PT_DOUBLE ||
                          t->dtype == PT_BFLOAT16);
}
/* A code for a size that depends on the size `from` through a, b. */
int32_t pt_walk_derived(int32_t from, int64_t a, int64_t b);

/* ---- templates ---------------------------------------------------------------------------------
 */
typedef enum {
  PT_WALK_OPAQUE, /* only for the input types it was seen with; any number of outputs */
  PT_WALK_SAME,   /* one input, the same type out: activations, normalizations, x + constant */
  PT_WALK_BINARY, /* two inputs, broadcasting */
  PT_WALK_CONV,
  PT_WALK_POOL,
  PT_WALK_GLOBAL_POOL,
  PT_WALK_LINEAR, /* Gemm or MatMul with a constant matrix */
  PT_WALK_MATMUL,
  PT_WALK_TRANSPOSE,
  PT_WALK_REDUCE,
  PT_WALK_CONCAT,
  PT_WALK_FLATTEN,
  PT_WALK_CONV_TRANSPOSE,
  /* room populate has no rule for what follows */
  PT_WALK_RESHAPE,
  PT_WALK_SLICE,
  PT_WALK_SPLIT, /* in equal parts: outputs of one type */
  PT_WALK_SQUEEZE,
  PT_WALK_UNSQUEEZE,
  PT_WALK_GATHER, /* by a constant */
  PT_WALK_EXPAND, /* to a constant shape */
  PT_WALK_PAD,
  PT_WALK_CAST,
  PT_WALK_KINDS
} PtWalkKind;

/* A number that steers an operator (a size of Reshape's target, a start of Slice), as it follows
 * from the first input. */
typedef enum {
  PT_STEER_FIXED, /* value */
  PT_STEER_COPY,  /* Reshape's 0 */
  PT_STEER_REST,  /* Reshape's -1 */
  PT_STEER_SIZE   /* the product of n axes from `axis` on, times `times`, over `value` */
} PtSteerKind;
typedef struct PtSteer {
  uint8_t kind, axis, n, times;
  uint32_t unused;
  int64_t value;
} PtSteer;

typedef enum { PT_SLOT_NONE, PT_SLOT_DATA, PT_SLOT_REAL, PT_SLOT_WEIGHT, PT_SLOT_STEER } PtSlotKind;
/* Sizes of a weight: >= 0 as they are, else one of these. */
enum {
  PT_DIM_WIDTH = -1,     /* the node's width */
  PT_DIM_CHANNEL = -2,   /* the input's axis 1 */
  PT_DIM_PER_GROUP = -3, /* that divided by groups */
  PT_DIM_WIDTH_PER_GROUP = -4,
  PT_DIM_AXIS = -16 /* PT_DIM_AXIS - i: the input's axis i from the end, 1 the last */
};
typedef struct PtWalkSlot {
  PtSlotKind kind;
  uint8_t dtype;              /* weights: 0 as the first input */
  uint32_t rank;              /* weights; of what steers 0 or 1 */
  int32_t dims[PT_WALK_RANK]; /* weights: codes; of what steers [0]: how many */
  const PtTensor *real;       /* data that stays, in the library's arena */
  PtSteer steer[PT_WALK_RANK];
} PtWalkSlot;

#define PT_WALK_OUTPUTS 8
typedef struct PtWalkTemplate {
  const char *op, *domain;
  PtWalkKind kind;
  uint32_t n_slots, n_data; /* inputs as written; those that are data, in their order */
  PtWalkSlot *slots;
  uint32_t n_captures;   /* data inputs behind those of the slots, read by nested graphs */
  uint32_t n_outputs;    /* as written */
  uint8_t outputs;       /* bit i: output i is used */
  int64_t since, until;  /* opsets in which the written form means this */
  PtNodeId node;         /* in the library, holds the attributes */
  const PtGraph *source; /* nested graphs: where they are; held by the library */
  PtNodeId source_node;
  PtWalkType *in, *out; /* opaque: [n_data + n_captures], [n_outputs] */
  /* attributes that rules read */
  int32_t n_space, kernel[3], strides[3], dilations[3], pads[6], ceil_mode;
  int32_t groups; /* 0: one a channel (depthwise, as many out) */
  int32_t perm[PT_WALK_RANK], n_perm;
  uint32_t axes; /* Reduce, Squeeze, Unsqueeze: bits */
  int32_t axis, keep;
  bool axes_input; /* axes are an input since `axes_since` */
  int64_t axes_since;
  bool limits;             /* Clip: slots 1 and 2 are attributes before opset 11 */
  int32_t out_pads[3];     /* ConvTranspose */
  int64_t lowest, highest; /* Gather: indices */
  uint8_t to;              /* Cast */
  bool parts;              /* Split: slot 1 is an attribute before opset 13 */
  /* what features and proposals see */
  uint64_t exact;  /* everything, the same in every run */
  uint64_t token;  /* operator with its key attributes */
  uint64_t look;   /* the same for who does not see the order of operands that commute */
  uint64_t middle; /* operator; convolutions as token */
  uint64_t opcode; /* operator */
  bool dense;      /* has a width */
  bool single;     /* one data input, one output, a rule: chains are made of these */
  bool binary;
  bool moves_floats; /* no input or output is a shape, an index or a condition */
  char *text;        /* token in words */
} PtWalkTemplate;

typedef struct PtWalkLibrary {
  PtGraph *store;       /* nodes with attributes, tensors */
  GPtrArray *templates; /* PtWalkTemplate */
  GHashTable *by_key;   /* GBytes -> id + 1 */
  GHashTable *symbols;  /* code -> const char* */
  GPtrArray *held;
  GPtrArray *motifs;    /* PtWalkMotif */
  PtMap64 motif_index;  /* hash -> index + 1 */
  GPtrArray *regions;   /* PtWalkRegion */
  PtMap64 region_index; /* hash -> index + 1 */
  uint32_t fresh;       /* codes given to sizes that nobody knows */
} PtWalkLibrary;
PtWalkLibrary *pt_walk_library_new(void);
void pt_walk_library_free(PtWalkLibrary *library);
static inline const PtWalkTemplate *pt_walk_template(const PtWalkLibrary *l, uint32_t id) {
  return l->templates->pdata[id];
}
PtWalkType pt_walk_type_of(PtWalkLibrary *library, const PtType *type);
/* The template of a node; in[] are the types of its data inputs in order (captures last). *width:
 * its width. The output types by the template's rule in out[n_outputs]. */
typedef struct PtNodeView {
  PtGraph *graph;
  PtNodeId node;
  const PtRole *roles;
  const PtWalkType *in;
  uint32_t n_in;
  uint8_t outputs; /* used ones */
} PtNodeView;
uint32_t pt_walk_template_of(PtWalkLibrary *library, const PtNodeView *view, int32_t *width,
                             PtWalkType *out);
/* template_form.c: opsets [since, until] in which the node's form means the same. */
void pt_walk_form_range(const char *op, int64_t opset, int64_t *since, int64_t *until);
void pt_walk_drop_attr(PtNode *node, const char *name);
void pt_walk_drop_later(PtNode *node, int64_t *since);
void pt_walk_name(PtWalkTemplate *t, const PtGraph *store);
bool pt_walk_commutes(const PtWalkTemplate *t);

/* False if the template does not fit these inputs. Single-output kinds write *out only. */
bool pt_walk_infer(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                   PtWalkType *out);

/* infer_move.c: rules of operators that move data. */
typedef bool (*PtWalkRule)(const PtWalkTemplate *t, int32_t width, const PtWalkType *const *in,
                           PtWalkType *out);
extern const PtWalkRule pt_walk_move_rules[PT_WALK_KINDS];
/* steer.c: numbers that steer, read from a node so that what they are is the same for the same
 * input: templates for which that does not hold any more are not valid there. */
/* Reshape's target, n numbers, and the sizes that come out; steer[n]. False: invalid. */
bool pt_steer_reshape(const PtWalkType *x, const int64_t *target, uint32_t n, PtWalkType *out,
                      PtSteer *steer);
/* A place on an axis: a fraction of its size, or fixed. */
PtSteer pt_steer_place(const PtWalkType *x, int32_t axis, int64_t place);
/* The slot's numbers for this input; false: there are none. */
bool pt_steer_numbers(const PtWalkSlot *slot, const PtWalkType *x, int64_t *numbers);
static inline bool pt_steer_same(const PtSteer *a, const PtSteer *b, uint32_t n) {
  return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}
/* Sizes that come out of the operator show in what the node looks like. */
static inline bool pt_walk_is_steered(const PtWalkTemplate *t) {
  return t->kind >= PT_WALK_RESHAPE;
}

/* The size that a weight's code stands for; x: the type of the first input. */
int64_t pt_walk_slot_size(int32_t code, const PtWalkTemplate *t, int32_t width,
                          const PtWalkType *x);

/* ---- states ------------------------------------------------------------------------------------
 */
/* Values are numbered: node * 8 + output, or -1 - i for the i-th input of the piece. */
typedef int32_t PtWalkRef;
#define PT_WALK_OUT (-1) /* "node" of a use by the piece's outputs */
typedef struct PtWalkNode {
  uint32_t template;
  int32_t width;
  uint32_t in, n_in; /* refs[in .. in + n_in) */
  uint32_t tag;      /* 0; a move finds its node again by it */
  PtWalkType type;   /* of output 0; others in the template */
} PtWalkNode;
/* What all states of a bucket share. */
typedef struct PtWalkFace {
  uint32_t n_in, n_out;
  PtWalkType *in, *out;
  int64_t opset;
  uint32_t n_widths;
  int32_t *widths;      /* of the interface, distinct; {1} if there are none */
  uint32_t least, most; /* nodes */
  int64_t weights;      /* elements of all weights, at most */
} PtWalkFace;
typedef struct PtWalkState {
  const PtWalkFace *face;
  const PtWalkLibrary *library;
  PtWalkNode *nodes; /* topological order */
  PtWalkRef *refs;
  PtWalkRef *outs; /* [face->n_out] */
  uint32_t n, n_refs, room, room_refs;
  double energy;
  bool has_energy;
} PtWalkState;
PtWalkState *pt_walk_state_new(const PtWalkFace *face, const PtWalkLibrary *library);
void pt_walk_state_free(PtWalkState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtWalkState, pt_walk_state_free)
void pt_walk_state_set(PtWalkState *to, const PtWalkState *from);
PtWalkState *pt_walk_state_copy(const PtWalkState *from);
static inline const PtWalkType *pt_walk_ref_type(const PtWalkState *s, PtWalkRef ref) {
  if (ref < 0)
    return &s->face->in[-1 - ref];
  const PtWalkNode *n = &s->nodes[ref >> 3];
  const PtWalkTemplate *t = pt_walk_template(s->library, n->template);
  return ref & 7 && t->kind != PT_WALK_SPLIT ? &t->out[ref & 7] : &n->type;
}
static inline const PtWalkTemplate *pt_walk_at(const PtWalkState *s, uint32_t node) {
  return pt_walk_template(s->library, s->nodes[node].template);
}
/* Editing: then pt_walk_settle. */
#define PT_WALK_DEAD UINT32_MAX
PtWalkRef pt_walk_add(PtWalkState *s, uint32_t template, int32_t width, const PtWalkRef *in,
                      uint32_t n_in);
/* Drops dead nodes, orders, types; false if the state is invalid: a cycle, an unused value, a type
 * that does not fit, another interface, too many nodes. */
bool pt_walk_settle(PtWalkState *s);
/* Equal as far as one sees, up to the order of nodes: attributes that no token shows, the order of
 * commutative operands and that of inputs and outputs apart. States that are equal have one; two
 * that are not nearly always differ. */
uint64_t pt_walk_looks(const PtWalkState *s);
/* Equal up to the order of nodes with near certainty. */
uint64_t pt_walk_hash(const PtWalkState *s);

/* Uses of values, made anew for a state. */
typedef struct PtWalkUse {
  int32_t node; /* or PT_WALK_OUT */
  uint32_t slot;
} PtWalkUse;
typedef struct PtWalkUses {
  uint32_t *start; /* [n_values + 1], by index */
  PtWalkUse *use;
  PtWalkRef *value; /* [n_values] inputs, then outputs of nodes that the template uses */
  uint32_t *index;  /* [n * 8 + 8] index of a node's value */
  uint32_t n_values, n_in, room, room_use, room_index;
} PtWalkUses;
void pt_walk_uses_make(PtWalkUses *u, const PtWalkState *s);
void pt_walk_uses_clear(PtWalkUses *u);
static inline uint32_t pt_walk_index(const PtWalkUses *u, PtWalkRef ref) {
  return ref < 0 ? (uint32_t)(-1 - ref) : u->index[ref];
}
static inline uint32_t pt_walk_n_uses(const PtWalkUses *u, uint32_t i) {
  return u->start[i + 1] - u->start[i];
}

/* convert.c. origins (or NULL) [n] receives the graph's node of each node of the state. */
PtWalkFace *pt_walk_face_new(PtWalkLibrary *library, const PtGraph *graph);
void pt_walk_face_free(PtWalkFace *face);
/* Sets the face's output types, too. NULL: *why. */
PtWalkState *pt_walk_read(PtWalkLibrary *library, PtWalkFace *face, PtGraph *graph, GArray *origins,
                          const char **why);
/* The state as a graph with the interface, opsets of `like`. origins: constants are those of `like`
 * (the real piece); origin then receives the values'. */
PtGraph *pt_walk_write(const PtWalkState *s, PtGraph *like, const GArray *origins,
                       PtValueId **origin);

/* ---- dice ------------------------------------------------------------------------------------
 * All that is random in a move comes from here, so that tests can go through every outcome with its
 * odds by the very code that draws. */
typedef struct PtWalkChoice {
  uint32_t taken, of;
} PtWalkChoice;
typedef struct PtWalkDice {
  PtRng *rng;
  GArray *script; /* PtWalkChoice: the outcomes to take, 0 beyond; NULL: draw */
  uint32_t at;
  double odds; /* of the outcomes taken so far (script) */
} PtWalkDice;
uint32_t pt_dice_below(PtWalkDice *dice, uint32_t n);
/* Index by cumulative weights that end in 1. */
uint32_t pt_dice_weighted(PtWalkDice *dice, const double *cum, uint32_t n);
bool pt_dice_coin(PtWalkDice *dice, double p);
/* The next script; false after the last. */
bool pt_dice_next(PtWalkDice *dice);

/* ---- habits: proposals -------------------------------------------------------------------------
 */
typedef struct PtWalkDraw {
  uint32_t n;
  uint64_t *item;
  double *cum; /* [n] cumulative, the last 1 */
} PtWalkDraw;
/* What is counted: lists of items, a key each. */
typedef enum {
  PT_HABIT_RANK,   /* templates of chains, by rank of their input */
  PT_HABIT_BEFORE, /* by rank and the token before */
  PT_HABIT_TYPE,   /* opaque ones, by the type of their input */
  PT_HABIT_CHAIN,  /* motifs: chains of two to six, by rank */
  PT_HABIT_BRANCH, /* motifs from a value to a binary operator that reads the value too, by rank */
  PT_HABIT_REGION, /* regions of two to twelve nodes with one value in and one out, by its rank */
  PT_HABIT_BINARY, /* binary templates, by rank */
  PT_HABIT_GROUP,  /* templates that may stand for each other */
  PT_HABIT_WIDTH,  /* widths */
  PT_HABIT_RATIO   /* widths over those of the interface: numerator << 32 | denominator */
} PtHabitKind;
typedef struct PtHabitCount {
  uint64_t key; /* of the list */
  uint64_t item;
  double count;
} PtHabitCount;
typedef struct PtWalkHabits {
  PtMap64 draws;    /* key -> index in lists + 1 */
  GArray *lists;    /* PtWalkDraw */
  PtMap64 odds;     /* (key, item) -> p */
  uint32_t literal; /* widths 4, 8, .., 4 * literal have a floor */
} PtWalkHabits;
static inline uint64_t pt_habit_key(PtHabitKind kind, uint64_t a, uint64_t b) {
  return pt_hash_mix(pt_hash_mix(kind + 1, a), b);
}
uint64_t pt_habit_type_key(const PtWalkType *type);
uint64_t pt_habit_group(const PtWalkTemplate *t);
/* Adds what a state shows. counts: PtHabitCount, not merged; `weight` a time. */
void pt_habits_count(GArray *counts, PtWalkLibrary *library, const PtWalkState *s, double weight);
/* Merges, normalizes. Templates are dropped that are not of `opset` (0: all). */
PtWalkHabits *pt_habits_new(const PtWalkLibrary *library, GArray *counts, int64_t opset);
/* Of a model (may be NULL) and the corpus: `share` of the odds are the model's, where both have a
 * list. */
PtWalkHabits *pt_habits_mix(const PtWalkLibrary *library, GArray *own, GArray *corpus, double share,
                            int64_t opset);
void pt_habits_free(PtWalkHabits *habits);
const PtWalkDraw *pt_habits_draw(const PtWalkHabits *h, uint64_t key);
static inline double pt_habits_odds(const PtWalkHabits *h, uint64_t key, uint64_t item) {
  return pt_map64_get(&h->odds, pt_hash_mix(key, item), 0);
}

/* Regions are the library's, too: nodes in topological order, the exit last. */
#define PT_REGION_MAX 12
#define PT_REGION_INPUTS 4
typedef struct PtRegionNode {
  uint32_t template, n_in;
  int32_t in[PT_REGION_INPUTS]; /* place in the region, -1: the entry */
} PtRegionNode;
typedef struct PtWalkRegion {
  uint32_t n;
  PtRegionNode nodes[];
} PtWalkRegion;
/* A region in a state: the exit first, makers behind their users. */
typedef struct PtWalkRegionAt {
  uint32_t n, nodes[PT_REGION_MAX];
  PtWalkRef entry;
} PtWalkRegionAt;
/* All regions with this exit into out[PT_REGION_MAX]; how many. */
uint32_t pt_walk_regions(const PtWalkState *s, const PtWalkUses *u, uint32_t exit,
                         PtWalkRegionAt *out);
uint64_t pt_walk_region_hash(const PtWalkState *s, const PtWalkRegionAt *r);
/* UINT32_MAX: it has a node with too many inputs. */
uint32_t pt_walk_region(PtWalkLibrary *library, const PtWalkState *s, const PtWalkRegionAt *r);

/* Motifs are the library's, so that those of several habits are the same. */
typedef struct PtWalkMotif {
  uint32_t n;
  uint32_t templates[];
} PtWalkMotif;
uint32_t pt_walk_motif(PtWalkLibrary *library, const uint32_t *templates, uint32_t n);
/* UINT32_MAX: none such. */
uint32_t pt_walk_motif_find(const PtWalkLibrary *library, const uint32_t *templates, uint32_t n);

/* ---- chains ------------------------------------------------------------------------------------
 */
#define PT_CHAIN_MAX 8
typedef struct PtWalkChain {
  uint32_t n, template[PT_CHAIN_MAX];
  int32_t width[PT_CHAIN_MAX]; /* 0 where the template has none */
  PtWalkType end;
} PtWalkChain;
/* Where a chain goes: what it depends on is the same before and after the move. */
typedef struct PtChainPlace {
  const PtWalkHabits *habits;
  const PtWalkFace *face;
  const PtWalkLibrary *library;
  uint64_t before; /* token of what makes the first input */
  PtWalkType start;
  int32_t target; /* width that is wanted */
  bool branch;    /* from and to one value: motifs of branches, length 0 to 2 else */
  bool motifs;    /* a branch elsewhere has none */
} PtChainPlace;
bool pt_chain_draw(const PtChainPlace *place, PtWalkDice *dice, PtWalkChain *chain);
/* The logarithm of the odds that pt_chain_draw gives it; -INFINITY if it never does. Sets end. */
double pt_chain_odds(const PtChainPlace *place, PtWalkChain *chain);
/* a to b in lowest terms: a's share in the upper half, b's in the lower. Both > 0. */
uint64_t pt_width_ratio(int32_t a, int32_t b);
double pt_width_odds(const PtWalkHabits *h, const PtWalkFace *face, int32_t width);
/* 0: none. */
int32_t pt_width_draw(const PtWalkHabits *h, const PtWalkFace *face, PtWalkDice *dice);

/* ---- features and energy -----------------------------------------------------------------------
 */
#define PT_FEATURE_FAMILIES 64
/* The low six bits of a feature's id are its family. Appends the ids to out[]; returns how many. */
typedef struct PtFeatures {
  uint64_t *id;
  uint32_t n, room;
  PtWalkUses uses;
  uint32_t *depth;
  uint32_t room_depth;
  uint64_t *wide; /* [4 * room_wide] colours */
  uint32_t room_wide;
} PtFeatures;
void pt_features_make(PtFeatures *f, const PtWalkState *s);
#define PT_FEATURE_NEAR 41 /* the family of neighbourhoods of radius 2 */
void pt_features_clear(PtFeatures *f);

/* log pi_s up to a constant: a weight a feature; those that are not listed have their family's. */
typedef struct PtWalkEnergy {
  PtMap64 weights;
  double family[PT_FEATURE_FAMILIES];
  const struct PtWalkEnergy *base; /* or NULL: has those that are not listed, and the families */
} PtWalkEnergy;
void pt_energy_clear(PtWalkEnergy *energy);

/* ---- known features ----------------------------------------------------------------------------
 * How familiar features are. */
typedef struct PtCount { /* features of a state are counted by id, ascending */
  uint64_t id;
  double count;
} PtCount;
typedef struct PtWalkKnown {
  const PtMap64 *models;    /* feature -> public models that show it */
  const PtMap64 *own_model; /* or NULL: how many of these, showing it, are not to count */
  const PtMap64 *own;       /* or NULL: feature -> other pieces of the model that show it */
  const PtMap64 *own_less;  /* or NULL: how many of these are not to count */
  uint32_t n_own;           /* pieces that `own` is of, those apart */
} PtWalkKnown;
/* The feature that says how familiar a feature is. */
uint64_t pt_walk_known_of(const PtWalkKnown *k, uint64_t id);
/* Adds these features to those of a state (PtCount by id). */
void pt_walk_known_add(const PtWalkKnown *k, GArray *counts);
/* One more that shows these features. */
void pt_walk_known_see(PtMap64 *map, const GArray *counts);
/* log pi of features that weigh by themselves and by how familiar they are; all of it, or only what
 * own pieces change in `base`. */
void pt_walk_energy_fold(PtWalkEnergy *e, const PtMap64 *weights, const PtWalkKnown *k);
void pt_walk_energy_over(PtWalkEnergy *e, const PtWalkEnergy *base, const PtMap64 *weights,
                         const PtWalkKnown *k);

/* ---- twins -------------------------------------------------------------------------------------
 * How a state of one bucket is mirrored in another whose real piece is its near-twin. */
typedef struct PtWalkTwin {
  const PtWalkFace *face;
  uint32_t in[5], out[5]; /* which border value stands for which */
  int32_t times, by;      /* widths */
} PtWalkTwin;
/* False if `b`, settled, is no near-twin of `a`: then mirroring `a` does not give it. */
bool pt_walk_find_twin(const PtWalkState *a, const PtWalkState *b, PtWalkTwin *twin);
/* False if the mirrored state is not valid. */
bool pt_walk_mirror(const PtWalkTwin *twin, const PtWalkState *from, PtWalkState *to);

/* ---- moves -------------------------------------------------------------------------------------
 */
typedef struct PtWalker {
  const PtWalkHabits *habits;
  const PtWalkEnergy *energy; /* NULL: flat */
  PtWalkDice dice;
  PtWalkState *now, *next;
  PtWalkUses uses; /* of now, made when first asked for */
  bool has_uses;
  const PtWalkTwin *const *twins; /* in which every state has to be valid, too */
  uint32_t n_twins;
  PtWalkState *mirrored;
  GHashTable *taken; /* or NULL: looks (uint64_t) of states that, once left, are not gone to */
  double heat;       /* energies are multiplied by it; 1 */
  double log_ratio;  /* of the odds of the way back to those of the way there */
  PtFeatures features;
  uint8_t *mark; /* [room_mark] scratch of moves */
  uint32_t room_mark;
  uint64_t tried[16], valid[16], accepted[16]; /* by move */
} PtWalker;
typedef struct PtWalkMoveRow {
  const char *name;
  double weight; /* share of steps; those of a pair are equal */
  bool (*propose)(PtWalker *w);
} PtWalkMoveRow;
extern const PtWalkMoveRow pt_walk_moves[];
extern const uint32_t pt_walk_n_moves;
/* One proposal from now into next, settled; false: none. */
bool pt_walk_propose(PtWalker *w, uint32_t move);
double pt_walk_log_pi(PtWalker *w, PtWalkState *s);
void pt_walker_init(PtWalker *w, const PtWalkState *start, const PtWalkHabits *habits,
                    const PtWalkEnergy *energy, PtRng *rng);
void pt_walker_clear(PtWalker *w);
/* Metropolis-Hastings steps. */
void pt_walker_run(PtWalker *w, uint64_t steps);

/* moves_*.c */
bool pt_move_regrow(PtWalker *w);
bool pt_move_width(PtWalker *w);
bool pt_move_insert(PtWalker *w);
bool pt_move_delete(PtWalker *w);
bool pt_move_join(PtWalker *w);
bool pt_move_unjoin(PtWalker *w);
bool pt_move_rewire(PtWalker *w);
bool pt_move_swap(PtWalker *w);
bool pt_move_region_in(PtWalker *w);
bool pt_move_region_out(PtWalker *w);
bool pt_move_region_swap(PtWalker *w);
const PtWalkUses *pt_walker_uses(PtWalker *w);
/* mark[node] of now: reached from the uses, themselves included. Returns how many values they
 * make. */
uint32_t pt_walker_reached(PtWalker *w, const PtWalkUse *from, uint32_t n);
/* One use or all of a value: *from is where they start in the list. */
const PtWalkUse *pt_walker_some_uses(PtWalker *w, uint32_t index, uint32_t *n);
double pt_some_uses_odds(uint32_t taken, uint32_t all);
uint64_t pt_walk_token(const PtWalkState *s, PtWalkRef ref);
void pt_walk_connect(PtWalkState *s, const PtWalkUse *uses, uint32_t n, PtWalkRef to);
/* Appends the chain behind `from`; its end. */
PtWalkRef pt_walk_append(PtWalkState *s, const PtWalkChain *chain, PtWalkRef from);
PtChainPlace pt_walk_place(const PtWalker *w, PtWalkRef from, int32_t target);

/* ---- the corpus --------------------------------------------------------------------------------
 */
typedef struct PtWalkPiece {
  PtGraph *graph; /* without weights, in the normal form once it is in the file */
  uint32_t model; /* index of its model, by name */
  uint32_t count; /* how often it was cut */
  uint32_t cuts;  /* bits: in which of the cuts it is; not kept in the file */
  PtWalkFace *face;
  PtWalkState *state;
} PtWalkPiece;
#define PT_WALK_CUTS 4
void pt_walk_piece_free(void *piece);
/* Cuts every model of the folder that is not excluded, as obfuscation does, at several sizes; each
 * distinct piece of a model once (PtWalkPiece, without state). names: of the models, in order. */
GPtrArray *pt_walk_cut(const PtWalkTrainOptions *options, GPtrArray *names, GError **error);
/* Sets face and state; false if the piece cannot be walked. */
bool pt_walk_piece_read(PtWalkLibrary *library, PtWalkPiece *piece, const char **why);

/* ---- the trained model -------------------------------------------------------------------------
 */
struct PtWalkModel {
  PtWalkLibrary *library;
  GPtrArray *pieces; /* PtWalkPiece with states */
  uint32_t n_models;
  PtMap64 weights; /* of pi */
  GArray *counts;  /* PtHabitCount of all pieces */
  PtMap64 shown;   /* how many models show a feature */
};
/* Takes the pieces: reads their states (those that cannot be walked are dropped), counts. */
PtWalkModel *pt_walk_model_new(GPtrArray *pieces, uint32_t n_models);
bool pt_walk_model_write(const PtWalkModel *model, const char *path, GError **error);
int64_t pt_walk_weights(const PtWalkState *s);
int64_t pt_walk_node_weights(const PtWalkState *s, uint32_t node);
/* Nodes that states of this bucket may have: a window in which the real piece is anywhere. */
void pt_walk_window(PtWalkFace *face, uint32_t n, PtRng *rng);

/* ---- kin ---------------------------------------------------------------------------------------
 * kin[n]: the same for models that are near-duplicates by the features they show. */
void pt_walk_find_kin(const PtMap64 *shown, uint32_t n, uint32_t *kin);
/* Evenly by pieces[n], kin together. */
void pt_walk_deal_kin(const uint32_t *kin, const uint32_t *pieces, uint32_t n, uint32_t folds,
                      uint32_t *fold);

/* ---- logistic regression -----------------------------------------------------------------------
 * Pairs: rows are differences of features, real minus made; no intercept. */
typedef struct PtPairs {
  GArray *start;  /* uint32_t, [rows + 1] into the others */
  GArray *column; /* uint32_t */
  GArray *value;  /* float */
  uint32_t columns;
} PtPairs;
PtPairs *pt_pairs_new(void);
void pt_pairs_free(PtPairs *pairs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtPairs, pt_pairs_free)
void pt_pairs_add(PtPairs *pairs, uint32_t column, float value);
void pt_pairs_end_row(PtPairs *pairs);
double pt_pairs_dot(const PtPairs *pairs, uint32_t row, const double *w);
/* Minimizes |w|^2 / 2 + 2 c sum log(1 + exp(-w x)) over rows with use[row] (NULL: all); L-BFGS. */
void pt_pairs_fit(const PtPairs *pairs, const bool *use, double c, double *w);

/* Counts of features of a state, by id ascending. */
GArray *pt_features_counted(PtFeatures *f, const PtWalkState *s);
/* real - made, for the features that have a column (columns: id -> column + 1). */
void pt_pairs_add_row(PtPairs *pairs, const PtMap64 *columns, const GArray *real,
                      const GArray *made);

/* ---- style -------------------------------------------------------------------------------------
 */
#define PT_OWN_SHARE 0.6 /* of proposals that are the model's */
/* pi and proposals under a model's habits, from some of its pieces (PtWalkState). */
typedef struct PtWalkStyle {
  PtWalkHabits *habits;
  PtWalkEnergy energy;
} PtWalkStyle;
PtWalkStyle *pt_walk_style_new(const PtWalkModel *model, GPtrArray *pieces, int64_t opset);
void pt_walk_style_free(PtWalkStyle *style);

#endif
