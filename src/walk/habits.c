/* habits: what states show of which operator follows which, in which widths, with which motifs;
 * counted, mixed, and made into lists to draw from with known odds. */
#include "walk/walk_private.h"

#include <math.h>

#define LITERAL_WIDTHS 512
#define RANK_POWER 0.7 /* rare templates are proposed more often than they occur */

uint64_t pt_habit_type_key(const PtWalkType *type) {
  return pt_habit_key(PT_HABIT_TYPE, pt_hash64(type, sizeof *type, 5), 0);
}

/* Binary operators stand for each other; others for the same operator with as many inputs. */
uint64_t pt_habit_group(const PtWalkTemplate *t) {
  uint64_t shape = pt_hash_mix(t->n_data + 64 * t->n_captures, t->outputs);
  uint64_t what = t->binary ? 1 : pt_hash64(t->op, strlen(t->op), 6);
  return pt_habit_key(PT_HABIT_GROUP, what, shape);
}

static void add(GArray *counts, uint64_t key, uint64_t item, double count) {
  PtHabitCount c = {key, item, count};
  g_array_append_val(counts, c);
}

/* ---- counting
 * ------------------------------------------------------------------------------------------- */
static void count_width(GArray *counts, const PtWalkFace *f, int32_t width, double weight) {
  add(counts, pt_habit_key(PT_HABIT_WIDTH, 0, 0), (uint64_t)width, weight);
  for (uint32_t i = 0; i < f->n_widths; i++) {
    uint64_t ratio = pt_width_ratio(width, f->widths[i]);
    add(counts, pt_habit_key(PT_HABIT_RATIO, 0, 0), ratio, weight / f->n_widths);
  }
}

/* Chains that end at node `last`: of its n templates before, all but the first read by one. */
static void count_chains(GArray *counts, PtWalkLibrary *l, const PtWalkState *s,
                         const PtWalkUses *u, uint32_t last, double weight) {
  uint32_t templates[PT_CHAIN_MAX], n = 0;
  PtWalkRef at = (PtWalkRef)(last << 3);
  while (at >= 0 && n < 6) {
    uint32_t node = (uint32_t)at >> 3;
    const PtWalkTemplate *t = pt_walk_at(s, node);
    if (!t->single || (n > 0 && pt_walk_n_uses(u, pt_walk_index(u, at)) != 1))
      return;
    memmove(templates + 1, templates, n * sizeof *templates);
    templates[0] = s->nodes[node].template;
    n++;
    at = s->refs[s->nodes[node].in];
    if (n >= 2)
      add(counts, pt_habit_key(PT_HABIT_CHAIN, (uint64_t)pt_walk_ref_type(s, at)->rank, 0),
          pt_walk_motif(l, templates, n), weight);
  }
}

/* From the binary node's input `from` backward to its other input. */
static void count_branch(GArray *counts, PtWalkLibrary *l, const PtWalkState *s,
                         const PtWalkUses *u, uint32_t binary, uint32_t from, double weight) {
  const PtWalkNode *b = &s->nodes[binary];
  PtWalkRef at = s->refs[b->in + from], other = s->refs[b->in + 1 - from];
  uint32_t templates[PT_CHAIN_MAX], n = 0;
  if (!pt_walk_same(&b->type, pt_walk_ref_type(s, other)))
    return;
  while (at != other && at >= 0 && n < PT_CHAIN_MAX) {
    uint32_t node = (uint32_t)at >> 3;
    if (!pt_walk_at(s, node)->single || pt_walk_n_uses(u, pt_walk_index(u, at)) != 1)
      return;
    memmove(templates + 1, templates, n * sizeof *templates);
    templates[0] = s->nodes[node].template;
    n++;
    at = s->refs[s->nodes[node].in];
  }
  if (at == other && n > 0)
    add(counts, pt_habit_key(PT_HABIT_BRANCH, (uint64_t)pt_walk_ref_type(s, at)->rank, 0),
        pt_walk_motif(l, templates, n), weight);
}

static void count_regions(GArray *counts, PtWalkLibrary *l, const PtWalkState *s,
                          const PtWalkUses *u, uint32_t exit, double weight) {
  PtWalkRegionAt list[PT_REGION_MAX];
  uint32_t n = pt_walk_regions(s, u, exit, list);
  for (uint32_t i = 0; i < n; i++)
    add(counts,
        pt_habit_key(PT_HABIT_REGION, (uint64_t)pt_walk_ref_type(s, list[i].entry)->rank, 0),
        pt_walk_region(l, s, &list[i]), weight);
}

void pt_habits_count(GArray *counts, PtWalkLibrary *l, const PtWalkState *s, double weight) {
  PtWalkUses u = {0};
  pt_walk_uses_make(&u, s);
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    const PtWalkTemplate *t = pt_walk_at(s, i);
    uint64_t rank = n->n_in ? (uint64_t)pt_walk_ref_type(s, s->refs[n->in])->rank : 0;
    add(counts, pt_habit_group(t), n->template, weight);
    count_regions(counts, l, s, &u, i, weight);
    if (t->binary) {
      add(counts, pt_habit_key(PT_HABIT_BINARY, (uint64_t)n->type.rank, 0), n->template, weight);
      count_branch(counts, l, s, &u, i, 0, weight);
      count_branch(counts, l, s, &u, i, 1, weight);
    }
    if (!t->single)
      continue;
    PtWalkRef before = s->refs[n->in];
    if (t->kind == PT_WALK_OPAQUE)
      add(counts, pt_habit_type_key(&t->in[0]), n->template, weight);
    else
      add(counts, pt_habit_key(PT_HABIT_RANK, rank, 0), n->template, weight);
    add(counts, pt_habit_key(PT_HABIT_BEFORE, rank, pt_walk_token(s, before)), n->template, weight);
    if (t->dense)
      count_width(counts, s->face, n->width, weight);
    count_chains(counts, l, s, &u, i, weight);
  }
  pt_walk_uses_clear(&u);
}

/* ---- lists
 * ------------------------------------------------------------------------------------------ */
static int by_key(const void *a, const void *b) {
  const PtHabitCount *x = a, *y = b;
  if (x->key != y->key)
    return x->key < y->key ? -1 : 1;
  return x->item < y->item ? -1 : x->item > y->item;
}

static bool template_allowed(const PtWalkLibrary *l, uint32_t id, int64_t opset) {
  const PtWalkTemplate *t = pt_walk_template(l, id);
  return opset == 0 || t->domain[0] || (t->since <= opset && opset <= t->until);
}

typedef struct Kinds { /* which lists hold what, as keys do not say */
  uint64_t rank[PT_WALK_RANK + 1], chain[PT_WALK_RANK + 1], branch[PT_WALK_RANK + 1],
      region[PT_WALK_RANK + 1], width, ratio;
} Kinds;

static Kinds kinds_of(void) {
  Kinds k = {.width = pt_habit_key(PT_HABIT_WIDTH, 0, 0),
             .ratio = pt_habit_key(PT_HABIT_RATIO, 0, 0)};
  for (uint64_t r = 0; r <= PT_WALK_RANK; r++) {
    k.rank[r] = pt_habit_key(PT_HABIT_RANK, r, 0);
    k.chain[r] = pt_habit_key(PT_HABIT_CHAIN, r, 0);
    k.branch[r] = pt_habit_key(PT_HABIT_BRANCH, r, 0);
    k.region[r] = pt_habit_key(PT_HABIT_REGION, r, 0);
  }
  return k;
}

static bool among(const uint64_t *keys, uint64_t key) {
  for (uint32_t r = 0; r <= PT_WALK_RANK; r++)
    if (keys[r] == key)
      return true;
  return false;
}

static bool allowed(const PtWalkLibrary *l, const Kinds *k, const PtHabitCount *c, int64_t opset) {
  if (c->key == k->width || c->key == k->ratio)
    return true;
  if (among(k->region, c->key)) {
    const PtWalkRegion *region = l->regions->pdata[c->item];
    for (uint32_t i = 0; i < region->n; i++)
      if (!template_allowed(l, region->nodes[i].template, opset))
        return false;
    return true;
  }
  if (!among(k->chain, c->key) && !among(k->branch, c->key))
    return template_allowed(l, (uint32_t)c->item, opset);
  const PtWalkMotif *m = l->motifs->pdata[c->item];
  for (uint32_t i = 0; i < m->n; i++)
    if (!template_allowed(l, m->templates[i], opset))
      return false;
  return true;
}

/* Merged, allowed, each list's counts adding up to `share`, in the order of keys. */
static GArray *normalized(const PtWalkLibrary *l, GArray *counts, int64_t opset) {
  GArray *out = g_array_new(FALSE, FALSE, sizeof(PtHabitCount));
  Kinds kinds = kinds_of();
  g_array_sort(counts, by_key);
  for (guint i = 0; i < counts->len;) {
    PtHabitCount c = g_array_index(counts, PtHabitCount, i);
    for (i++; i < counts->len; i++) {
      const PtHabitCount *same = &g_array_index(counts, PtHabitCount, i);
      if (same->key != c.key || same->item != c.item)
        break;
      c.count += same->count;
    }
    if (!allowed(l, &kinds, &c, opset))
      continue;
    if (among(kinds.rank, c.key) || among(kinds.region, c.key))
      c.count = pow(c.count, RANK_POWER);
    g_array_append_val(out, c);
  }
  for (guint i = 0; i < out->len;) {
    guint end = i;
    double sum = 0;
    uint64_t key = g_array_index(out, PtHabitCount, i).key;
    for (; end < out->len && g_array_index(out, PtHabitCount, end).key == key; end++)
      sum += g_array_index(out, PtHabitCount, end).count;
    for (; i < end; i++)
      g_array_index(out, PtHabitCount, i).count /= sum;
  }
  return out;
}

static void add_list(PtWalkHabits *h, const PtHabitCount *c, guint n) {
  PtWalkDraw d = {.n = n, .item = g_new(uint64_t, n), .cum = g_new(double, n)};
  double sum = 0;
  for (guint i = 0; i < n; i++)
    sum += c[i].count;
  double so_far = 0;
  for (guint i = 0; i < n; i++) {
    so_far += c[i].count / sum;
    d.item[i] = c[i].item;
    d.cum[i] = i + 1 == n ? 1 : so_far;
    *pt_map64_at(&h->odds, pt_hash_mix(c[i].key, c[i].item)) = d.cum[i] - (i ? d.cum[i - 1] : 0);
  }
  g_array_append_val(h->lists, d);
  *pt_map64_at(&h->draws, c[0].key) = h->lists->len;
}

static void draw_clear(void *data) {
  PtWalkDraw *d = data;
  g_free(d->item);
  g_free(d->cum);
}

/* The two normalized arrays, sorted by key and item, merged with the shares where a list is in
 * both. */
static GArray *blended(const GArray *own, const GArray *corpus, double share) {
  GArray *all = g_array_new(FALSE, FALSE, sizeof(PtHabitCount));
  g_autoptr(GHashTable) in_own = g_hash_table_new(g_int64_hash, g_int64_equal);
  g_autoptr(GHashTable) in_corpus = g_hash_table_new(g_int64_hash, g_int64_equal);
  for (guint i = 0; own && i < own->len; i++)
    g_hash_table_add(in_own, &g_array_index(own, PtHabitCount, i).key);
  for (guint i = 0; i < corpus->len; i++)
    g_hash_table_add(in_corpus, &g_array_index(corpus, PtHabitCount, i).key);
  for (guint i = 0; own && i < own->len; i++) {
    PtHabitCount c = g_array_index(own, PtHabitCount, i);
    c.count *= g_hash_table_contains(in_corpus, &c.key) ? share : 1;
    g_array_append_val(all, c);
  }
  for (guint i = 0; i < corpus->len; i++) {
    PtHabitCount c = g_array_index(corpus, PtHabitCount, i);
    c.count *= g_hash_table_contains(in_own, &c.key) ? 1 - share : 1;
    g_array_append_val(all, c);
  }
  g_array_sort(all, by_key);
  guint n = 0;
  PtHabitCount *c = (PtHabitCount *)(void *)all->data;
  for (guint i = 0; i < all->len; i++)
    if (n > 0 && c[n - 1].key == c[i].key && c[n - 1].item == c[i].item)
      c[n - 1].count += c[i].count;
    else
      c[n++] = c[i];
  g_array_set_size(all, n);
  return all;
}

PtWalkHabits *pt_habits_mix(const PtWalkLibrary *l, GArray *own, GArray *corpus, double share,
                            int64_t opset) {
  PtWalkHabits *h = g_new0(PtWalkHabits, 1);
  h->lists = g_array_new(FALSE, FALSE, sizeof(PtWalkDraw));
  g_array_set_clear_func(h->lists, draw_clear);
  h->literal = LITERAL_WIDTHS;
  g_autoptr(GArray) of_own = own ? normalized(l, own, opset) : NULL;
  g_autoptr(GArray) of_corpus = normalized(l, corpus, opset);
  g_autoptr(GArray) all = blended(of_own, of_corpus, share);
  const PtHabitCount *c = (const PtHabitCount *)(const void *)all->data;
  for (guint i = 0; i < all->len;) {
    guint end = i;
    while (end < all->len && c[end].key == c[i].key)
      end++;
    add_list(h, c + i, end - i);
    i = end;
  }
  return h;
}

PtWalkHabits *pt_habits_new(const PtWalkLibrary *l, GArray *counts, int64_t opset) {
  return pt_habits_mix(l, NULL, counts, 0, opset);
}

void pt_habits_free(PtWalkHabits *h) {
  if (!h)
    return;
  g_array_unref(h->lists);
  pt_map64_clear(&h->draws);
  pt_map64_clear(&h->odds);
  g_free(h);
}

const PtWalkDraw *pt_habits_draw(const PtWalkHabits *h, uint64_t key) {
  double at = pt_map64_get(&h->draws, key, 0);
  return at > 0 ? &g_array_index(h->lists, PtWalkDraw, (uint32_t)at - 1) : NULL;
}
