/* scalars: single floats that an operator reads (the 1.414 of a GELU, the 0.125 of attention, an
 * epsilon), and epsilons that are attributes, are what the model has at such places. A sentinel
 * with 1e-12 where a GELU adds 1, or with the 1e-06 of another model, would be known at a glance.
 * What the real piece has is among what is known of its places, so mending would leave it as it is:
 * all candidates are mended alike. */
#include "sentinel/sentinel_private.h"

#include <math.h>
#include <string.h>

#define LARGEST_EPSILON 2e-3
#define USUAL_EPSILON 1e-5f /* ONNX's default, and what exporters write most */

struct PtScalars {
  GHashTable *places; /* char* -> GArray of Scalar, one a use */
};

/* Of any float type; as an attribute PT_FLOAT, and `silent` where the default is not written. */
typedef struct Scalar {
  PtDtype dtype;
  bool silent;
  uint8_t bytes[8];
} Scalar;

/* ---- kinds of values --------------------------------------------------------------------------
 */
typedef enum { KIND_OTHER, KIND_EPSILON, KIND_IDENTITY } Kind;

static Kind kind_of(const PtNode *node, uint32_t slot, double x) {
  bool factor = pt_op_is(node, "Mul") || (slot == 1 && pt_op_is(node, "Div")) ||
                (slot == 1 && pt_op_is(node, "Pow"));
  bool offset = pt_op_is(node, "Add") || (slot == 1 && pt_op_is(node, "Sub"));
  if ((factor && x == 1) || (offset && x == 0))
    return KIND_IDENTITY;
  bool power = pt_op_is(node, "Mul") || pt_op_is(node, "Div") || pt_op_is(node, "Pow");
  return !power && fabs(x) > 0 && fabs(x) <= LARGEST_EPSILON ? KIND_EPSILON : KIND_OTHER;
}

/* For a factor or an offset that does nothing where the model has no other with the operator: what
 * public models have most. */
static double usual(const PtNode *node) {
  if (pt_op_is(node, "Mul") || pt_op_is(node, "Sub"))
    return 0.5;
  return pt_op_is(node, "Add") ? 1 : 2;
}

static const PtTensor *scalar_at(const PtGraph *g, const PtNode *node, uint32_t slot) {
  const PtTensor *t =
      node->inputs[slot] == PT_NONE ? NULL : pt_value(g, node->inputs[slot])->constant;
  return t && pt_dtype_is_float(t->dtype) && t->count == 1 && t->data && t->size <= 8 ? t : NULL;
}

static Scalar scalar_of(const PtTensor *t) {
  Scalar s = {.dtype = t->dtype};
  memcpy(s.bytes, t->data, t->size);
  return s;
}

static Scalar scalar_from(float x) {
  Scalar s = {.dtype = PT_FLOAT};
  memcpy(s.bytes, &x, sizeof x);
  return s;
}

static bool same_scalar(const Scalar *a, const Scalar *b) {
  return a->dtype == b->dtype && a->silent == b->silent && !memcmp(a->bytes, b->bytes, 8);
}

/* ---- places
 * ------------------------------------------------------------------------------------- */
/* From all there is to a place to the least: what makes the other input and what reads the result;
 * what reads it; what makes it; the operator; anything. The last two with the kind of value. */
enum { AT_PLACE, AT_READERS, AT_MAKERS, AT_OPERATOR, ANYWHERE, LEVELS };

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Operators that read what the node makes, sorted: their order means nothing. */
static bool add_readers(GString *key, const PtGraph *g, const PtUses *uses, const PtNode *node) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (uint32_t k = 0; k < node->n_outputs; k++) {
    PtValueId v = node->outputs[k];
    for (uint32_t u = v == PT_NONE ? 0 : uses->start[v]; v != PT_NONE && u < uses->start[v + 1];
         u++)
      g_ptr_array_add(names, (void *)(uintptr_t)pt_node(g, uses->node[u])->op_type);
  }
  g_ptr_array_sort(names, by_name);
  for (guint i = 0; i < names->len; i++)
    g_string_append_printf(key, " > %s", (const char *)names->pdata[i]);
  return names->len > 0;
}

static bool add_makers(GString *key, const PtGraph *g, const PtNode *node, uint32_t slot) {
  bool any = false;
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtNodeId from = node->inputs[i] == PT_NONE ? PT_NONE : pt_value(g, node->inputs[i])->producer;
    if (i != slot)
      g_string_append_printf(key, " < %s", from == PT_NONE ? "" : pt_node(g, from)->op_type);
    any |= from != PT_NONE;
  }
  return any;
}

/* NULL: what makes or reads it is not in the piece. */
static char *place_of(const PtGraph *g, const PtUses *uses, const PtNode *node, uint32_t slot,
                      PtDtype dtype, Kind kind, int level) {
  GString *key = g_string_new(NULL);
  g_string_append_printf(key, "%d %d", level, (int)dtype);
  if (level < ANYWHERE)
    g_string_append_printf(key, " %s %u", node->op_type, slot);
  if (level >= AT_OPERATOR)
    g_string_append_printf(key, " %d", (int)kind);
  bool makers = level == AT_PLACE || level == AT_MAKERS;
  bool readers = level == AT_PLACE || level == AT_READERS;
  bool any = !makers && !readers;
  if (makers)
    any |= add_makers(key, g, node, slot);
  if (readers)
    any |= add_readers(key, g, uses, node);
  return g_string_free(key, !any);
}

static void add(PtScalars *scalars, char *place, const Scalar *s) {
  if (!place)
    return;
  GArray *seen = g_hash_table_lookup(scalars->places, place);
  if (!seen) {
    seen = g_array_new(FALSE, FALSE, sizeof(Scalar));
    g_hash_table_insert(scalars->places, place, seen);
  } else
    g_free(place);
  g_array_append_val(seen, *s);
}

/* ---- epsilons that are attributes -------------------------------------------------------------
 */
static bool has_epsilon(const PtNode *node) {
  const PtOp *op = pt_op_of(node);
  return op && op->op_class == PT_CLASS_NORM && node->n_inputs > 1; /* LRN and others have none */
}

static Scalar epsilon_of(const PtNode *node) {
  Scalar s = scalar_from((float)pt_node_float(node, "epsilon", (double)USUAL_EPSILON));
  s.silent = !pt_node_attr(node, "epsilon");
  return s;
}

static char *epsilon_place(const PtNode *node) {
  return g_strconcat("epsilon ", node->op_type, NULL);
}

/* ---- what the model has -----------------------------------------------------------------------
 */
static void learn_node(PtScalars *scalars, const PtGraph *g, const PtUses *uses,
                       const PtNode *node) {
  for (uint32_t slot = 0; slot < node->n_inputs; slot++) {
    const PtTensor *t = scalar_at(g, node, slot);
    Scalar s = t ? scalar_of(t) : (Scalar){0};
    Kind kind = t ? kind_of(node, slot, pt_tensor_float_at(t, 0)) : KIND_OTHER;
    for (int level = 0; t && level < LEVELS; level++)
      add(scalars, place_of(g, uses, node, slot, s.dtype, kind, level), &s);
  }
  if (!has_epsilon(node))
    return;
  Scalar s = epsilon_of(node);
  add(scalars, epsilon_place(node), &s);
  s.silent = false;
  add(scalars, place_of(g, uses, node, 0, PT_FLOAT, KIND_EPSILON, ANYWHERE), &s);
}

PtScalars *pt_scalars_new(const GPtrArray *pieces) {
  PtScalars *scalars = g_new0(PtScalars, 1);
  scalars->places =
      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
  for (guint i = 0; i < pieces->len; i++) {
    const PtGraph *g = pieces->pdata[i];
    g_autoptr(PtUses) uses = pt_uses_new(g);
    for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++)
      learn_node(scalars, g, uses, pt_node(g, n));
  }
  return scalars;
}

void pt_scalars_free(PtScalars *scalars) {
  if (!scalars)
    return;
  g_hash_table_unref(scalars->places);
  g_free(scalars);
}

/* ---- mending ----------------------------------------------------------------------------------
 */
static const GArray *known(const PtScalars *scalars, char *place) {
  const GArray *seen = place ? g_hash_table_lookup(scalars->places, place) : NULL;
  g_free(place);
  return seen;
}

static bool is_among(const GArray *seen, const Scalar *s) {
  for (guint i = 0; i < seen->len; i++)
    if (same_scalar(&g_array_index(seen, Scalar, i), s))
      return true;
  return false;
}

static Scalar draw(const GArray *seen, PtRng *rng) {
  return g_array_index(seen, Scalar, (guint)pt_rng_below(rng, seen->len));
}

/* What the model has at the most particular place of its kind that it has at all: an epsilon is an
 * epsilon of the model's anywhere, any other value one of its operator. A factor or an offset that
 * does nothing is another one of the operator unless the model has such. */
static const GArray *known_at(const PtScalars *scalars, const PtGraph *g, const PtUses *uses,
                              const PtNode *node, uint32_t slot, PtDtype dtype, Kind kind) {
  const GArray *seen = NULL;
  int levels = kind == KIND_EPSILON ? LEVELS : ANYWHERE;
  for (int level = 0; !seen && level < levels; level++)
    seen = known(scalars, place_of(g, uses, node, slot, dtype, kind, level));
  if (!seen && kind == KIND_IDENTITY)
    seen = known(scalars, place_of(g, uses, node, slot, dtype, KIND_OTHER, AT_OPERATOR));
  return seen;
}

/* A constant like `t` with this value: one that is there, as equal ones are one, or a new one. */
static PtValueId constant_with(PtGraph *g, const PtTensor *t, const uint8_t *bytes) {
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtTensor *c = pt_value(g, v)->constant;
    if (c && c->dtype == t->dtype && c->count == 1 && c->rank == t->rank && c->data &&
        memcmp(c->data, bytes, t->size) == 0)
      return v;
  }
  PtValueId v =
      pt_graph_add_constant(g, NULL, pt_graph_tensor_copy(g, t->dtype, t->rank, t->dims, bytes));
  pt_value(g, v)->type = pt_type_of_constant(g, pt_value(g, v)->constant);
  return v;
}

static void mend_slot(const PtScalars *scalars, PtGraph *g, const PtUses *uses, PtNodeId n,
                      uint32_t slot, PtRng *rng) {
  const PtNode *node = pt_node(g, n);
  const PtTensor *t = scalar_at(g, node, slot);
  if (!t)
    return;
  Scalar own = scalar_of(t), wanted = own;
  Kind kind = kind_of(node, slot, pt_tensor_float_at(t, 0));
  const GArray *seen = known_at(scalars, g, uses, node, slot, t->dtype, kind);
  if (seen)
    wanted = is_among(seen, &own) ? own : draw(seen, rng);
  else if (t->dtype == PT_FLOAT && kind == KIND_EPSILON)
    wanted = scalar_from(USUAL_EPSILON);
  else if (t->dtype == PT_FLOAT && kind == KIND_IDENTITY)
    wanted = scalar_from((float)usual(node));
  if (!same_scalar(&own, &wanted))
    pt_node(g, n)->inputs[slot] = constant_with(g, t, wanted.bytes);
}

static void mend_epsilon(const PtScalars *scalars, PtGraph *g, const PtUses *uses, PtNodeId n,
                         PtRng *rng) {
  PtNode *node = pt_node(g, n);
  if (!has_epsilon(node))
    return;
  Scalar own = epsilon_of(node), wanted = own;
  const GArray *seen = known(scalars, epsilon_place(node));
  if (!seen) { /* of another operator, written as this one has it */
    own.silent = false;
    seen = known(scalars, place_of(g, uses, node, 0, PT_FLOAT, KIND_EPSILON, ANYWHERE));
    wanted = scalar_from(USUAL_EPSILON);
  }
  if (seen)
    wanted = is_among(seen, &own) ? own : draw(seen, rng);
  if (same_scalar(&own, &wanted))
    return;
  float x;
  memcpy(&x, wanted.bytes, sizeof x);
  for (uint32_t a = node->n_attrs; a-- > 0;)
    if (wanted.silent && g_str_equal(node->attrs[a].name, "epsilon"))
      pt_drop_attr_at(node, a);
  if (!wanted.silent)
    pt_node_set_float(g, n, "epsilon", x);
}

void pt_scalars_mend(const PtScalars *scalars, PtGraph *g, PtRng *rng) {
  g_autoptr(PtUses) uses = pt_uses_new(g);
  for (PtNodeId n = 0; n < pt_graph_n_nodes(g); n++) {
    for (uint32_t slot = 0; slot < pt_node(g, n)->n_inputs; slot++)
      mend_slot(scalars, g, uses, n, slot, rng);
    mend_epsilon(scalars, g, uses, n, rng);
  }
}
