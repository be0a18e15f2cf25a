/* state: a typed piece under edit. States of a bucket share their face; one state is a few small
 * arrays, so that a proposal costs a copy of them. */
#include "walk/walk_private.h"

PtWalkState *pt_walk_state_new(const PtWalkFace *face, const PtWalkLibrary *library) {
  PtWalkState *s = g_new0(PtWalkState, 1);
  s->face = face;
  s->library = library;
  s->outs = g_new0(PtWalkRef, face->n_out + 1);
  return s;
}

void pt_walk_state_free(PtWalkState *s) {
  if (!s)
    return;
  g_free(s->nodes);
  g_free(s->refs);
  g_free(s->outs);
  g_free(s);
}

static void make_room(PtWalkState *s, uint32_t nodes, uint32_t refs) {
  if (s->room < nodes) {
    s->room = nodes + nodes / 2 + 8;
    s->nodes = g_renew(PtWalkNode, s->nodes, s->room);
  }
  if (s->room_refs < refs) {
    s->room_refs = refs + refs / 2 + 16;
    s->refs = g_renew(PtWalkRef, s->refs, s->room_refs);
  }
}

void pt_walk_state_set(PtWalkState *to, const PtWalkState *from) {
  make_room(to, from->n, from->n_refs);
  to->face = from->face;
  to->library = from->library;
  to->n = from->n;
  to->n_refs = from->n_refs;
  to->has_energy = from->has_energy;
  to->energy = from->energy;
  if (from->n)
    memcpy(to->nodes, from->nodes, from->n * sizeof *from->nodes);
  if (from->n_refs)
    memcpy(to->refs, from->refs, from->n_refs * sizeof *from->refs);
  memcpy(to->outs, from->outs, from->face->n_out * sizeof *from->outs);
}

PtWalkState *pt_walk_state_copy(const PtWalkState *from) {
  PtWalkState *s = pt_walk_state_new(from->face, from->library);
  pt_walk_state_set(s, from);
  return s;
}

PtWalkRef pt_walk_add(PtWalkState *s, uint32_t template, int32_t width, const PtWalkRef *in,
                      uint32_t n_in) {
  make_room(s, s->n + 1, s->n_refs + n_in);
  s->nodes[s->n] =
      (PtWalkNode){.template = template, .width = width, .in = s->n_refs, .n_in = n_in};
  if (n_in)
    memcpy(s->refs + s->n_refs, in, n_in * sizeof *in);
  s->n_refs += n_in;
  s->has_energy = false;
  return (PtWalkRef)(s->n++ << 3);
}

/* ---- settling
 * ------------------------------------------------------------------------------------------ */
typedef struct Order {
  const PtWalkState *s;
  int32_t *place; /* [n] new number, -1 not seen, -2 under way */
  uint32_t *order;
  uint32_t n;
} Order;

static bool visit(Order *o, uint32_t i) {
  const PtWalkNode *n = &o->s->nodes[i];
  if (o->place[i] != -1)
    return o->place[i] >= 0;
  if (n->template == PT_WALK_DEAD)
    return false;
  o->place[i] = -2;
  for (uint32_t k = 0; k < n->n_in; k++) {
    PtWalkRef r = o->s->refs[n->in + k];
    if (r >= 0 && !visit(o, (uint32_t)r >> 3))
      return false;
  }
  o->place[i] = (int32_t)o->n;
  o->order[o->n++] = i;
  return true;
}

static bool type_all(PtWalkState *s) {
  const PtWalkType *in[64], **many = in;
  for (uint32_t i = 0; i < s->n; i++) {
    PtWalkNode *n = &s->nodes[i];
    if (n->n_in > 64)
      many = g_new(const PtWalkType *, n->n_in);
    for (uint32_t k = 0; k < n->n_in; k++)
      many[k] = pt_walk_ref_type(s, s->refs[n->in + k]);
    bool ok = pt_walk_infer(pt_walk_at(s, i), n->width, many, &n->type);
    if (many != in)
      g_free(many);
    many = in;
    if (!ok)
      return false;
  }
  return true;
}

static bool all_used(const PtWalkState *s, uint8_t *used) {
  const PtWalkFace *f = s->face;
  uint8_t *of_in = used + s->n;
  memset(used, 0, s->n + f->n_in);
  for (uint32_t i = 0; i < s->n_refs; i++) {
    PtWalkRef r = s->refs[i];
    if (r < 0)
      of_in[-1 - r] = 1;
    else
      used[r >> 3] |= (uint8_t)(1u << (r & 7));
  }
  for (uint32_t i = 0; i < f->n_out; i++) {
    PtWalkRef r = s->outs[i];
    if (r < 0)
      return false; /* an input is no output */
    for (uint32_t k = 0; k < i; k++)
      if (s->outs[k] == r)
        return false;
    used[r >> 3] |= (uint8_t)(1u << (r & 7));
  }
  for (uint32_t i = 0; i < f->n_in; i++)
    if (!of_in[i])
      return false;
  for (uint32_t i = 0; i < s->n; i++)
    if (used[i] != pt_walk_at(s, i)->outputs)
      return false;
  return true;
}

static bool right_outputs(const PtWalkState *s) {
  for (uint32_t i = 0; i < s->face->n_out; i++)
    if (!pt_walk_same(pt_walk_ref_type(s, s->outs[i]), &s->face->out[i]))
      return false;
  return true;
}

/* Nodes in their new order, references renumbered, refs without gaps. */
static void renumber(PtWalkState *s, const Order *o, PtWalkNode *nodes, PtWalkRef *refs) {
  uint32_t n_refs = 0;
  for (uint32_t i = 0; i < o->n; i++) {
    nodes[i] = s->nodes[o->order[i]];
    for (uint32_t k = 0; k < nodes[i].n_in; k++) {
      PtWalkRef r = s->refs[nodes[i].in + k];
      refs[n_refs + k] = r < 0 ? r : (PtWalkRef)(o->place[r >> 3] << 3 | (r & 7));
    }
    nodes[i].in = n_refs;
    n_refs += nodes[i].n_in;
  }
  memcpy(s->nodes, nodes, o->n * sizeof *nodes);
  memcpy(s->refs, refs, n_refs * sizeof *refs);
  s->n = o->n;
  s->n_refs = n_refs;
  for (uint32_t i = 0; i < s->face->n_out; i++)
    if (s->outs[i] >= 0)
      s->outs[i] = (PtWalkRef)(o->place[s->outs[i] >> 3] << 3 | (s->outs[i] & 7));
}

bool pt_walk_settle(PtWalkState *s) {
  uint8_t stack[16384], *block = stack;
  size_t n = s->n, need = n * (sizeof(int32_t) + sizeof(uint32_t) + sizeof(PtWalkNode)) +
                          s->n_refs * sizeof(PtWalkRef) + n + s->face->n_in + 64;
  if (need > sizeof stack)
    block = g_malloc(need);
  PtWalkNode *nodes = (PtWalkNode *)(void *)block;
  PtWalkRef *refs = (PtWalkRef *)(nodes + n);
  Order o = {.s = s, .place = (int32_t *)(refs + s->n_refs)};
  o.order = (uint32_t *)(o.place + n);
  uint8_t *used = (uint8_t *)(o.order + n);
  memset(o.place, 0xff, n * sizeof *o.place);
  bool ok = true;
  uint32_t alive = 0;
  s->has_energy = false;
  for (uint32_t i = 0; ok && i < n; i++)
    if (s->nodes[i].template != PT_WALK_DEAD) {
      alive++;
      ok = visit(&o, i);
    }
  for (uint32_t i = 0; ok && i < s->face->n_out; i++)
    ok = s->outs[i] >= 0 && o.place[s->outs[i] >> 3] >= 0;
  ok = ok && alive >= s->face->least && alive <= s->face->most;
  if (ok) {
    renumber(s, &o, nodes, refs);
    ok = all_used(s, used) && type_all(s) && right_outputs(s) &&
         (s->face->weights == 0 || pt_walk_weights(s) <= s->face->weights);
  }
  if (block != stack)
    g_free(block);
  return ok;
}

/* ---- uses
 * ---------------------------------------------------------------------------------------------- */
void pt_walk_uses_clear(PtWalkUses *u) {
  g_free(u->start);
  g_free(u->use);
  g_free(u->value);
  g_free(u->index);
  *u = (PtWalkUses){0};
}

static void uses_room(PtWalkUses *u, uint32_t values, uint32_t uses, uint32_t index) {
  if (u->room < values + 2) {
    u->room = values * 2 + 16;
    u->start = g_renew(uint32_t, u->start, u->room);
    u->value = g_renew(PtWalkRef, u->value, u->room);
  }
  if (u->room_use < uses) {
    u->room_use = uses * 2 + 16;
    u->use = g_renew(PtWalkUse, u->use, u->room_use);
  }
  if (u->room_index < index) {
    u->room_index = index * 2;
    u->index = g_renew(uint32_t, u->index, u->room_index);
  }
}

void pt_walk_uses_make(PtWalkUses *u, const PtWalkState *s) {
  const PtWalkFace *f = s->face;
  uses_room(u, f->n_in + s->n * PT_WALK_OUTPUTS, s->n_refs + f->n_out, s->n * 8 + 8);
  u->n_in = f->n_in;
  u->n_values = f->n_in;
  for (uint32_t i = 0; i < f->n_in; i++)
    u->value[i] = -1 - (PtWalkRef)i;
  for (uint32_t i = 0; i < s->n; i++) {
    uint8_t outputs = pt_walk_at(s, i)->outputs;
    for (uint32_t k = 0; outputs >> k; k++)
      if (outputs >> k & 1) {
        u->index[i * 8 + k] = u->n_values;
        u->value[u->n_values++] = (PtWalkRef)(i << 3 | k);
      }
  }
  memset(u->start, 0, (u->n_values + 2) * sizeof *u->start);
  for (uint32_t i = 0; i < s->n_refs; i++)
    u->start[pt_walk_index(u, s->refs[i]) + 2]++;
  for (uint32_t i = 0; i < f->n_out; i++)
    u->start[pt_walk_index(u, s->outs[i]) + 2]++;
  for (uint32_t i = 0; i < u->n_values; i++)
    u->start[i + 2] += u->start[i + 1];
  for (uint32_t i = 0; i < s->n; i++)
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++)
      u->use[u->start[pt_walk_index(u, s->refs[s->nodes[i].in + k]) + 1]++] =
          (PtWalkUse){(int32_t)i, k};
  for (uint32_t i = 0; i < f->n_out; i++)
    u->use[u->start[pt_walk_index(u, s->outs[i]) + 1]++] = (PtWalkUse){PT_WALK_OUT, i};
}

/* ---- a key
 * --------------------------------------------------------------------------------------------- */
bool pt_walk_commutes(const PtWalkTemplate *t) {
  return t->n_slots == 2 && (g_str_equal(t->op, "Add") || g_str_equal(t->op, "Mul") ||
                             g_str_equal(t->op, "Max") || g_str_equal(t->op, "Min"));
}

/* What tells an input or an output apart: its place, or what one sees of it. */
static uint64_t border(const PtWalkType *type, uint32_t place, bool looks) {
  return looks ? pt_hash64(type, sizeof *type, 11) : 1000 + place;
}

static uint64_t hash_state(const PtWalkState *s, bool looks) {
  const PtWalkFace *f = s->face;
  g_autofree uint64_t *a = g_new0(uint64_t, 2 * (size_t)s->n + f->n_in + 2);
  uint64_t *up = a, *down = a + s->n + 1, *in = down + s->n + 1, all = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    const PtWalkNode *n = &s->nodes[i];
    const PtWalkTemplate *t = pt_walk_at(s, i);
    bool set = looks && pt_walk_commutes(t);
    uint64_t h = pt_hash_mix(looks ? t->look : n->template + 1, (uint64_t)(uint32_t)n->width);
    if (looks && pt_walk_is_steered(t))
      h = pt_hash_mix(h, pt_hash64(&n->type, sizeof n->type, 7));
    for (uint32_t k = 0; k < n->n_in; k++) {
      PtWalkRef r = s->refs[n->in + k];
      uint64_t x = r < 0 ? border(&f->in[-1 - r], (uint32_t)(-1 - r), looks)
                         : pt_hash_mix(up[r >> 3], (uint64_t)r & 7);
      h = set ? h + pt_hash_mix(x, 9) : pt_hash_mix(h, x);
    }
    up[i] = h;
  }
  for (uint32_t i = 0; i < f->n_out; i++)
    down[s->outs[i] >> 3] +=
        pt_hash_mix(border(&f->out[i], i, looks) ^ 0x7a, (uint64_t)s->outs[i] & 7);
  for (uint32_t i = s->n; i-- > 0;) {
    uint64_t own = down[i] = pt_hash_mix(up[i], down[i]);
    for (uint32_t k = 0; k < s->nodes[i].n_in; k++) {
      PtWalkRef r = s->refs[s->nodes[i].in + k];
      uint64_t slot = looks && pt_walk_commutes(pt_walk_at(s, i)) ? 0 : k;
      uint64_t use = pt_hash_mix(own, slot * 8 + (r < 0 ? 0 : (uint64_t)r & 7));
      if (r >= 0)
        down[r >> 3] += use;
      else
        in[-1 - r] += pt_hash_mix(use, 5);
    }
  }
  for (uint32_t i = 0; i < f->n_in; i++)
    all += pt_hash_mix(in[i], border(&f->in[i], i, looks));
  for (uint32_t i = 0; i < s->n; i++)
    all += pt_hash_mix(down[i], 3);
  return pt_hash_mix(all, s->n);
}

uint64_t pt_walk_hash(const PtWalkState *s) {
  return hash_state(s, false);
}

uint64_t pt_walk_looks(const PtWalkState *s) {
  return hash_state(s, true);
}

/* ---- weights
 * ------------------------------------------------------------------------------------------- */
int64_t pt_walk_node_weights(const PtWalkState *s, uint32_t node) {
  const PtWalkNode *n = &s->nodes[node];
  const PtWalkTemplate *t = pt_walk_at(s, node);
  const PtWalkType *x = n->n_in ? pt_walk_ref_type(s, s->refs[n->in]) : NULL;
  int64_t all = 0;
  for (uint32_t k = 0; k < t->n_slots; k++) {
    const PtWalkSlot *slot = &t->slots[k];
    int64_t count = slot->kind == PT_SLOT_WEIGHT;
    for (uint32_t d = 0; count && d < slot->rank; d++)
      if (__builtin_mul_overflow(count, pt_walk_slot_size(slot->dims[d], t, n->width, x), &count))
        return INT64_MAX / 4;
    all += MIN(count, INT64_MAX / 1024);
  }
  return all;
}

int64_t pt_walk_weights(const PtWalkState *s) {
  int64_t all = 0;
  for (uint32_t i = 0; i < s->n; i++)
    all = MIN(all + pt_walk_node_weights(s, i), INT64_MAX / 4);
  return all;
}
