/* buckets: from each real piece a hidden centre, from it the sentinels; under the style of
 * the model's other pieces. */
#include "walk/walk_private.h"

#define DEFAULT_STEPS 4000
#define DEFAULT_HEAT 1.0
#define FURTHER 8 /* times that a draw which equals another is walked on */

typedef struct Bucket {
  PtGraph *graph; /* borrowed */
  PtWalkFace *face;
  PtWalkState *read; /* as read: its nodes are those of the graph */
  GArray *origins;   /* PtNodeId of `read` */
  PtWalkState *real, *centre;
  PtWalkStyle *style;         /* of a leader */
  PtWalkState **made;         /* [k], then [n_made] */
  uint64_t *tried, *accepted; /* [k + 1] */
  uint32_t n_made, equal, found;
  uint32_t leader;  /* the bucket whose walk this one mirrors, or itself */
  PtWalkTwin twin;  /* how */
  GPtrArray *twins; /* of a leader: PtWalkTwin of those that mirror it, borrowed; or NULL */
} Bucket;

struct PtWalkBuckets {
  PtWalkModel *model;
  PtWalkOptions options;
  PtSeed seed;
  Bucket *buckets;
  uint32_t n, steps;
  GMutex lock;
  uint64_t done;
};
typedef struct PtWalkBuckets Making;

typedef struct Way {
  double heat;
  GHashTable *taken; /* looks that are not to be gone to; or NULL */
} Way;
static const Way plain = {.heat = 1};

static void walk_on(const Making *m, const Bucket *b, PtWalkState *from, PtWalkState *to,
                    const char *purpose, uint64_t index, const Way *way, uint64_t *tried,
                    uint64_t *accepted) {
  g_autoptr(PtRng) rng = pt_rng_new(&m->seed, purpose, index);
  PtWalker w;
  pt_walker_init(&w, from, b->style->habits, &b->style->energy, rng);
  w.heat = way->heat * m->options.heat;
  w.taken = way->taken;
  if (b->twins) {
    w.twins = (const PtWalkTwin *const *)b->twins->pdata;
    w.n_twins = b->twins->len;
  }
  pt_walker_run(&w, m->steps);
  pt_walk_state_set(to, w.now);
  *tried += m->steps;
  for (uint32_t i = 0; i < pt_walk_n_moves; i++)
    *accepted += w.accepted[i];
  pt_walker_clear(&w);
}

static void find_centre(size_t index, void *data) {
  Making *m = data;
  Bucket *b = &m->buckets[index];
  uint64_t ignored = 0;
  if (!b->real || b->leader != index)
    return;
  for (uint32_t done = 0, i = 0; done < m->options.control; done += m->steps, i++)
    walk_on(m, b, b->real, b->real, "control", (uint64_t)index << 32 | i, &plain, &ignored,
            &ignored);
  walk_on(m, b, b->real, b->centre, "centre", index, &plain, &b->tried[m->options.k],
          &b->accepted[m->options.k]);
}

static void find_sentinel(size_t index, void *data) {
  Making *m = data;
  uint32_t k = m->options.k;
  Bucket *b = &m->buckets[index / k];
  if (b->real && b->leader == index / k)
    walk_on(m, b, b->centre, b->made[index % k], "sentinel", index, &plain, &b->tried[index % k],
            &b->accepted[index % k]);
  g_mutex_lock(&m->lock);
  pt_progress(&m->options.progress, "walking", ++m->done, (uint64_t)m->n * k);
  g_mutex_unlock(&m->lock);
}

/* How a draw walks on that looks like the real piece or another: away from all that is taken, so
 * by pi restricted to what is left, and of nearly the same size, as small pieces run out first and
 * the real one would be small among large ones. Heated only where a piece leaves no other way. */
static const struct {
  double heat;
  uint32_t hold; /* nodes more or less than the draw has */
} further[FURTHER] = {{1, 1},
                      {1, 2},
                      {1, 4},
                      {1, UINT32_MAX},
                      {0.8, 4},
                      {0.6, 8},
                      {0.4, UINT32_MAX},
                      {0.25, UINT32_MAX}};

static bool walk_apart(Making *m, Bucket *b, uint64_t index, uint32_t j, GHashTable *taken) {
  PtWalkState *s = b->made[j];
  uint32_t n = s->n;
  bool apart = false;
  for (uint32_t tries = 0; !apart && tries < FURTHER; tries++) {
    uint32_t hold = MIN(further[tries].hold, n);
    PtWalkFace face = *b->face;
    face.least = MAX(face.least, n - hold);
    face.most = further[tries].hold == UINT32_MAX ? face.most : MIN(face.most, n + hold);
    face.least = MIN(face.least, s->n);
    face.most = MAX(face.most, s->n);
    s->face = &face;
    Way way = {further[tries].heat, taken};
    walk_on(m, b, s, s, "further", (index * m->options.k + j) * FURTHER + tries, &way, &b->tried[j],
            &b->accepted[j]);
    s->face = b->face;
    uint64_t h = pt_walk_looks(s);
    apart = !g_hash_table_contains(taken, &h);
  }
  return apart;
}

static void part_equals(size_t index, void *data) {
  Making *m = data;
  Bucket *b = &m->buckets[index];
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  if (!b->real || b->leader != index)
    return;
  uint64_t h = pt_walk_looks(b->real), real = h;
  g_hash_table_add(seen, g_memdup2(&h, sizeof h));
  for (uint32_t j = 0; j < m->options.k; j++) {
    PtWalkState *s = b->made[j];
    h = pt_walk_looks(s);
    bool new = !g_hash_table_contains(seen, &h);
    b->equal += !new;
    b->found += h == real;
    new = new || m->options.keep_equal || walk_apart(m, b, index, j, seen);
    b->made[j] = NULL;
    if (new) {
      h = pt_walk_looks(s);
      g_hash_table_add(seen, g_memdup2(&h, sizeof h));
      b->made[b->n_made++] = s;
    } else
      pt_walk_state_free(s);
  }
}

/* ---- twins
 * ------------------------------------------------------------------------------------------- */
static void find_twins(Making *m) {
  for (uint32_t i = 0; i < m->n; i++) {
    Bucket *b = &m->buckets[i];
    b->leader = i;
    for (uint32_t k = 0; b->real && k < i && b->leader == i; k++) {
      Bucket *l = &m->buckets[k];
      if (!l->real || l->leader != k || !pt_walk_find_twin(l->real, b->real, &b->twin))
        continue;
      b->leader = k;
      if (!l->twins)
        l->twins = g_ptr_array_new();
      g_ptr_array_add(l->twins, &b->twin);
    }
  }
  for (uint32_t i = 0; i < m->n; i++) /* one window for all */
    if (m->buckets[i].real) {
      const PtWalkFace *of = m->buckets[m->buckets[i].leader].face;
      m->buckets[i].face->least = of->least;
      m->buckets[i].face->most = of->most;
    }
}

/* What the leader's walk gave, mirrored: the j-th of one is the twin of the j-th of the other. */
static void mirror_made(Making *m, uint32_t index) {
  Bucket *b = &m->buckets[index];
  const Bucket *l = &m->buckets[b->leader];
  if (!b->real || b->leader == index)
    return;
  if (m->options.control)
    (void)pt_walk_mirror(&b->twin, l->real, b->real);
  for (uint32_t j = 0; j < l->n_made; j++)
    if (pt_walk_mirror(&b->twin, l->made[j], b->made[b->n_made]))
      b->n_made++;
  b->equal = l->equal;
  b->found = l->found;
}

/* ---- styles
 * ------------------------------------------------------------------------------------------ */
/* A bucket's style is from all pieces but its own and its near-twins. */
static PtWalkStyle *style_for(Making *m, uint32_t leader, int64_t opset) {
  g_autoptr(GPtrArray) pieces = g_ptr_array_new();
  for (uint32_t i = 0; !m->options.no_style && i < m->n; i++)
    if (m->buckets[i].real && m->buckets[i].leader != leader)
      g_ptr_array_add(pieces, m->buckets[i].real);
  return pt_walk_style_new(m->model, pieces, opset);
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------ */
#define LEAST_WEIGHTS (INT64_C(1) << 18) /* elements that any piece may have */

static void read_piece(Making *m, uint32_t index, PtGraph *graph) {
  Bucket *b = &m->buckets[index];
  uint32_t k = m->options.k;
  b->graph = graph;
  b->face = pt_walk_face_new(m->model->library, graph);
  b->origins = g_array_new(FALSE, FALSE, sizeof(PtNodeId));
  b->read = pt_walk_read(m->model->library, b->face, graph, b->origins, NULL);
  b->real = b->read ? pt_walk_state_copy(b->read) : NULL;
  if (b->real && !pt_walk_settle(b->real))
    g_clear_pointer(&b->real, pt_walk_state_free);
  if (!b->real)
    return;
  g_autoptr(PtRng) rng = pt_rng_new(&m->seed, "window", index);
  pt_walk_window(b->face, b->real->n, rng);
  b->centre = pt_walk_state_copy(b->real);
  b->made = g_new0(PtWalkState *, k + 1);
  b->tried = g_new0(uint64_t, k + 1);
  b->accepted = g_new0(uint64_t, k + 1);
  for (uint32_t j = 0; j < k; j++)
    b->made[j] = pt_walk_state_new(b->face, m->model->library);
}

/* noise.bin is as large as the largest real piece needs, a power of two: a sentinel has to fit. */
static void limit_weights(Making *m) {
  int64_t largest = LEAST_WEIGHTS, limit = 1;
  for (uint32_t i = 0; i < m->n; i++)
    if (m->buckets[i].real)
      largest = MAX(largest, pt_walk_weights(m->buckets[i].real));
  while (limit < largest && limit < INT64_C(1) << 62)
    limit *= 2;
  for (uint32_t i = 0; i < m->n; i++)
    m->buckets[i].face->weights = limit;
}

static void bucket_clear(Bucket *b, uint32_t k) {
  pt_walk_style_free(b->style);
  pt_walk_state_free(b->read);
  pt_walk_state_free(b->real);
  pt_walk_state_free(b->centre);
  g_array_unref(b->origins);
  if (b->twins)
    g_ptr_array_unref(b->twins);
  for (uint32_t j = 0; b->made && j < k; j++)
    pt_walk_state_free(b->made[j]);
  g_free(b->made);
  g_free(b->tried);
  g_free(b->accepted);
  pt_walk_face_free(b->face);
}

PtWalkBuckets *pt_walk_buckets_new(PtWalkModel *model, GPtrArray *pieces,
                                   const PtWalkOptions *options, const PtSeed *seed) {
  PtWalkBuckets *m = g_new0(PtWalkBuckets, 1);
  *m = (PtWalkBuckets){.model = model, .options = *options, .n = pieces->len};
  m->steps = options->steps ? options->steps : DEFAULT_STEPS;
  if (!(m->options.heat > 0))
    m->options.heat = DEFAULT_HEAT;
  m->seed = pt_seed_derive(seed, "walk", 0);
  m->buckets = g_new0(Bucket, m->n + 1);
  g_mutex_init(&m->lock);
  for (uint32_t i = 0; i < m->n; i++)
    read_piece(m, i, pieces->pdata[i]);
  limit_weights(m);
  find_twins(m);
  int64_t opset = m->n ? pt_graph_opset(pieces->pdata[0], "") : 0;
  for (uint32_t i = 0; i < m->n; i++)
    if (m->buckets[i].real && m->buckets[i].leader == i)
      m->buckets[i].style = style_for(m, i, opset);
  pt_parallel_for(m->n, options->threads, find_centre, m);
  pt_parallel_for((size_t)m->n * options->k, options->threads, find_sentinel, m);
  pt_parallel_for(m->n, options->threads, part_equals, m);
  for (uint32_t i = 0; i < m->n; i++)
    mirror_made(m, i);
  return m;
}

void pt_walk_buckets_free(PtWalkBuckets *m) {
  if (!m)
    return;
  for (uint32_t i = 0; i < m->n; i++)
    bucket_clear(&m->buckets[i], m->options.k);
  g_free(m->buckets);
  g_mutex_clear(&m->lock);
  g_free(m);
}

PtWalkStats pt_walk_buckets_stats(const PtWalkBuckets *m, uint32_t i) {
  const Bucket *b = &m->buckets[i];
  PtWalkStats stats = {.walked = b->real != NULL,
                       .made = b->n_made,
                       .leader = b->leader,
                       .equal = b->equal,
                       .found = b->found};
  uint64_t tried = 0, accepted = 0;
  for (uint32_t j = 0; b->real && j <= m->options.k; j++) {
    tried += b->tried[j];
    accepted += b->accepted[j];
  }
  stats.accepted = tried ? (double)accepted / (double)tried : 0;
  return stats;
}

PtGraph *pt_walk_buckets_sentinel(const PtWalkBuckets *m, uint32_t i, uint32_t j) {
  const Bucket *b = &m->buckets[i];
  return j < b->n_made ? pt_walk_write(b->made[j], b->graph, NULL, NULL) : NULL;
}

PtGraph *pt_walk_buckets_real(const PtWalkBuckets *m, uint32_t i, PtValueId **origin) {
  const Bucket *b = &m->buckets[i];
  if (!b->real)
    return NULL;
  if (m->options.control)
    return pt_walk_write(b->real, b->graph, NULL, origin);
  return pt_walk_write(b->read, b->graph, b->origins, origin);
}

PtGraph *pt_walk_normal_form(PtWalkModel *model, PtGraph *piece, PtValueId **origin,
                             const char **why) {
  const char *reason = NULL;
  g_autoptr(GArray) origins = g_array_new(FALSE, FALSE, sizeof(PtNodeId));
  PtWalkFace *face = pt_walk_face_new(model->library, piece);
  PtWalkState *s = pt_walk_read(model->library, face, piece, origins, &reason);
  PtGraph *normal = s ? pt_walk_write(s, piece, origins, origin) : NULL;
  if (why)
    *why = reason;
  pt_walk_state_free(s);
  pt_walk_face_free(face);
  return normal;
}
