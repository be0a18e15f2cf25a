/* modify: the paper's minor modifications over popular models (4.1.2): a donor from the corpus, or
 * one of the model's own pieces, between the real piece's inputs and outputs, with nodes added,
 * removed and replaced. */
#include "sentinel/sentinel_private.h"

#include <math.h>
#include <string.h>

/* A sentinel, before the real piece itself is edited; in the first three quarters, few with
 * operators that the model lacks. */
#define ATTEMPTS 24
#define NEAREST 96 /* donors that are tried at all */

typedef struct Donor {
  PtGraph *graph; /* borrowed; NULL: of the corpus, not read yet */
  uint32_t index; /* in the corpus */
  double distance;
  uint32_t used, failed;
} Donor;

typedef struct Maker {
  PtGraph *real;
  PtFace face;
  bool has_face;
  PtStyle style;
  PtScalars *scalars; /* of the real pieces */
  PtCorpus *corpus;
  GArray *donors; /* Donor, nearest first; the model's own among them */
  PtRng *rng;
  PtDtype dtype;
  PtJudge judge;
  uint64_t most_elements;
} Maker;

/* ---- donors
 * ------------------------------------------------------------------------------------------------
 */
static int by_distance(const void *a, const void *b) {
  const Donor *x = a, *y = b;
  return x->distance < y->distance ? -1 : x->distance > y->distance ? 1 : 0;
}

static void find_donors(Maker *m, GPtrArray *siblings) {
  m->donors = g_array_new(FALSE, TRUE, sizeof(Donor));
  if (!m->has_face)
    return;
  for (uint32_t i = 0; m->corpus && i < pt_corpus_size(m->corpus); i++) {
    Donor d = {.index = i};
    d.distance = pt_face_distance(pt_corpus_face(m->corpus, i), &m->face, m->style.operators);
    if (isfinite(d.distance))
      g_array_append_val(m->donors, d);
  }
  for (uint32_t i = 0; siblings && i < siblings->len; i++) {
    PtFace face;
    Donor d = {.graph = siblings->pdata[i]};
    if (d.graph == m->real || !pt_face_of(d.graph, &face))
      continue;
    d.distance = pt_face_distance(&face, &m->face, m->style.operators);
    if (isfinite(d.distance))
      g_array_append_val(m->donors, d);
  }
  g_array_sort(m->donors, by_distance);
  if (m->donors->len > NEAREST)
    g_array_set_size(m->donors, NEAREST);
  Donor self = {.graph = m->real, .distance = 0.5};
  g_array_append_val(m->donors, self);
}

static Donor *pick_donor(Maker *m) {
  double weights[NEAREST + 1];
  if (m->donors->len == 0)
    return NULL;
  double least = g_array_index(m->donors, Donor, 0).distance;
  for (uint32_t i = 0; i < m->donors->len; i++) {
    const Donor *d = &g_array_index(m->donors, Donor, i);
    weights[i] =
        d->failed > d->used + 1 ? 0 : exp(-(d->distance - least) / 1.2) / (1.0 + 1.5 * d->used);
  }
  size_t i = pt_rng_weighted(m->rng, weights, m->donors->len);
  return i < m->donors->len ? &g_array_index(m->donors, Donor, i) : NULL;
}

/* ---- one sentinel
 * ------------------------------------------------------------------------------------------- */
static PtDtype float_dtype(const PtGraph *g) {
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtType *t = &pt_value(g, v)->type;
    if (t->kind == PT_TYPE_TENSOR && t->rank > 0 &&
        (t->dtype == PT_FLOAT || t->dtype == PT_FLOAT16 || t->dtype == PT_BFLOAT16 ||
         t->dtype == PT_DOUBLE))
      return t->dtype;
  }
  return PT_FLOAT;
}

static void draft_init(const Maker *m, PtDraft *d) {
  *d = (PtDraft){.real = m->real, .dtype = m->dtype, .style = &m->style, .rng = m->rng};
  d->opset = pt_graph_opset(m->real, "");
  d->batch_norm = m->style.batch_norm;
}

static PtGraph *empty_like(const PtGraph *real) {
  PtGraph *g = pt_graph_new();
  g->ir_version = real->ir_version;
  for (uint32_t i = 0; i < real->opsets->len; i++) {
    const PtOpset *o = &g_array_index(real->opsets, PtOpset, i);
    pt_graph_set_opset(g, o->domain, o->version);
  }
  for (uint32_t i = 0; i < real->inputs->len; i++)
    pt_graph_add_input(g, NULL, &pt_value(real, pt_graph_input(real, i))->type);
  return g;
}

static uint32_t target_nodes(Maker *m) {
  double n = pt_graph_n_nodes(m->real) * (0.6 + 0.9 * pt_rng_unit(m->rng));
  return (uint32_t)MAX(n, 2);
}

/* Elements of all weights: noise.bin has to be as large as the largest candidate, so no sentinel
 * may dwarf the real piece. */
static uint64_t weight_elements(const PtGraph *g) {
  uint64_t n = 0;
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++) {
    const PtTensor *t = pt_value(g, v)->constant;
    n += t && pt_dtype_is_float(t->dtype) ? t->count : 0;
  }
  return n;
}

/* Edits, then the judge. Takes the draft's graph; NULL if it did not come to anything. */
static PtGraph *finish(Maker *m, PtDraft *d, uint32_t edits, bool strict) {
  PtGraph *ready = NULL;
  if (pt_edit(d, edits, target_nodes(m)) > 0 || edits == 0)
    if (pt_join_inputs(d) && pt_draft_finish(d))
      ready = pt_rebuild(d->graph, true);
  pt_graph_unref(d->graph);
  d->graph = NULL;
  if (ready && weight_elements(ready) > m->most_elements)
    g_clear_pointer(&ready, pt_graph_unref);
  if (ready && strict && pt_style_strange(&m->style, ready, 0) > 0 && pt_rng_below(m->rng, 12) > 0)
    g_clear_pointer(&ready, pt_graph_unref);
  if (ready) {
    pt_keep_habits(ready, &m->style);
    pt_scalars_mend(m->scalars, ready, m->rng);
  }
  if (ready && !pt_judge(&m->judge, ready))
    g_clear_pointer(&ready, pt_graph_unref);
  return ready;
}

static PtGraph *from_donor(Maker *m, Donor *donor, bool strict) {
  PtGraph *graph = donor->graph ? donor->graph : pt_corpus_piece(m->corpus, donor->index, NULL);
  PtFace face;
  uint8_t at[PT_FACE_SLOTS];
  bool used[PT_FACE_SLOTS], self = graph == m->real;
  if (!graph || !pt_face_of(graph, &face) ||
      !pt_face_assign(&face, &m->face, self ? NULL : m->rng, at, used))
    return NULL;
  for (uint32_t i = 0; self && i < m->real->inputs->len; i++)
    at[i] = (uint8_t)i;
  PtDraft d;
  draft_init(m, &d);
  if (!self && !pt_ints_fit(graph, m->real, at, &d.rows))
    return NULL;
  d.graph = empty_like(m->real);
  g_autofree PtRole *roles = pt_roles(graph);
  PtValueId outputs[PT_FACE_SLOTS];
  double jitter = pt_rng_below(m->rng, 2) ? 0.3 : 0;
  if (!pt_transplant(&d, graph, roles, at, jitter, outputs) ||
      !pt_make_outputs(&d, outputs, face.n_outputs) || !pt_join_inputs(&d)) {
    pt_graph_unref(d.graph);
    return NULL;
  }
  if (!self)
    pt_keep_style(&d);
  uint32_t n = pt_graph_n_nodes(m->real), few = self ? 2 : donor->graph ? 1 : 0;
  return finish(m, &d, few + 1 + (uint32_t)pt_rng_below(m->rng, 4) + n / 30, strict);
}

/* For interfaces that no donor fits and operators that the rules do not know: the real piece with
 * edits around them. */
static PtGraph *from_real(Maker *m) {
  PtDraft d;
  draft_init(m, &d);
  d.graph = pt_rebuild(m->real, true);
  if (!d.graph)
    return NULL;
  return finish(m, &d, 2 + (uint32_t)pt_rng_below(m->rng, 5) + pt_graph_n_nodes(m->real) / 30,
                false);
}

static PtGraph *make_one(Maker *m) {
  for (int i = 0; i < ATTEMPTS; i++) {
    Donor *donor = pick_donor(m);
    PtGraph *g = donor ? from_donor(m, donor, i < ATTEMPTS * 3 / 4) : NULL;
    if (g) {
      donor->used++;
      return g;
    }
    if (!donor)
      break;
    donor->failed++;
  }
  for (int i = 0; i < ATTEMPTS; i++) {
    PtGraph *g = from_real(m);
    if (g)
      return g;
  }
  return NULL;
}

static PtScalars *scalars_of(PtGraph *real, const GPtrArray *siblings) {
  g_autoptr(GPtrArray) pieces = g_ptr_array_new();
  g_ptr_array_add(pieces, real);
  for (guint i = 0; siblings && i < siblings->len; i++)
    g_ptr_array_add(pieces, siblings->pdata[i]);
  return pt_scalars_new(pieces);
}

bool pt_sentinel_make(PtSentinelMode mode, PtGraph *real, GPtrArray *siblings, PtCorpus *corpus,
                      uint32_t k, PtRng *rng, GPtrArray *out, uint32_t *made, GError **error) {
  *made = 0;
  if (mode != PT_MODE_MODIFY) {
    g_set_error(error, PT_SENTINEL_ERROR, PT_ERR_UNSUPPORTED,
                "Sentinels of this mode are made for all pieces at once, not for one.");
    return false;
  }
  Maker m = {.real = real, .corpus = corpus, .rng = rng, .dtype = float_dtype(real)};
  m.most_elements = 2 * weight_elements(real) + ((uint64_t)1 << 21);
  m.has_face = pt_face_of(real, &m.face);
  m.judge = (PtJudge){real, g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
                      pt_weight_limit(real, siblings)};
  uint64_t own = pt_sentinel_hash(real);
  g_hash_table_add(m.judge.seen, g_memdup2(&own, sizeof own));
  pt_style_of(&m.style, real, siblings);
  m.scalars = scalars_of(real, siblings);
  find_donors(&m, siblings);
  for (; *made < k; ++*made) {
    PtGraph *g = make_one(&m);
    if (!g)
      break;
    g_ptr_array_add(out, g);
  }
  g_array_unref(m.donors);
  pt_style_clear(&m.style);
  pt_scalars_free(m.scalars);
  g_hash_table_unref(m.judge.seen);
  return true;
}
