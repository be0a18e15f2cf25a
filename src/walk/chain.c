/* chain: proposals of a row of operators, from bigrams or whole as a motif, and of widths; with the
 * odds of any such proposal. */
#include "walk/walk_private.h"

#include <math.h>

#define MOTIF_SHARE 0.35
#define TARGET_SHARE 0.6 /* of widths: what the chain's end wants */

static const double chain_lengths[] = {0, 0.5, 0.75, 1};    /* cumulative, 1 to 3 */
static const double branch_lengths[] = {1 / 3., 2 / 3., 1}; /* 0 to 2 */

/* ---- widths
 * -------------------------------------------------------------------------------------------- */
#define RATIO_SHARE 0.6
#define WIDTH_SHARE 0.3 /* the rest: a multiple of 4 */

uint64_t pt_width_ratio(int32_t a, int32_t b) {
  uint32_t x = (uint32_t)a, y = (uint32_t)b;
  while (y) {
    uint32_t r = x % y;
    x = y;
    y = r;
  }
  return (uint64_t)((uint32_t)a / x) << 32 | (uint32_t)b / x;
}

double pt_width_odds(const PtWalkHabits *h, const PtWalkFace *f, int32_t width) {
  double p = 0;
  if (width < 1)
    return 0;
  for (uint32_t i = 0; i < f->n_widths; i++) {
    uint64_t ratio = pt_width_ratio(width, f->widths[i]);
    p += pt_habits_odds(h, pt_habit_key(PT_HABIT_RATIO, 0, 0), ratio);
  }
  p = RATIO_SHARE * p / f->n_widths;
  p += WIDTH_SHARE * pt_habits_odds(h, pt_habit_key(PT_HABIT_WIDTH, 0, 0), (uint64_t)width);
  if (width % 4 == 0 && (uint32_t)width / 4 <= h->literal)
    p += (1 - RATIO_SHARE - WIDTH_SHARE) / h->literal;
  return p;
}

int32_t pt_width_draw(const PtWalkHabits *h, const PtWalkFace *f, PtWalkDice *dice) {
  static const double shares[] = {RATIO_SHARE, RATIO_SHARE + WIDTH_SHARE, 1};
  uint32_t way = pt_dice_weighted(dice, shares, 3);
  if (way == 2)
    return 4 * (int32_t)(1 + pt_dice_below(dice, h->literal));
  const PtWalkDraw *d =
      pt_habits_draw(h, pt_habit_key(way ? PT_HABIT_WIDTH : PT_HABIT_RATIO, 0, 0));
  if (!d)
    return 0;
  uint64_t item = d->item[pt_dice_weighted(dice, d->cum, d->n)];
  if (way == 1)
    return (int32_t)item;
  uint64_t base = (uint64_t)f->widths[pt_dice_below(dice, f->n_widths)] * (item >> 32);
  uint64_t by = item & UINT32_MAX;
  return base % by == 0 && base / by <= (1 << 20) ? (int32_t)(base / by) : 0;
}

static double target_odds(const PtChainPlace *p, int32_t width) {
  return TARGET_SHARE * (width == p->target) +
         (1 - TARGET_SHARE) * pt_width_odds(p->habits, p->face, width);
}

/* ---- one operator
 * --------------------------------------------------------------------------------------- */
typedef struct Lists {
  const PtWalkDraw *draw[3];
  uint64_t key[3];
  double cum[3];
} Lists;

/* The lists that hold here: by what comes before, by rank, by exact type. */
static bool find_lists(const PtChainPlace *p, const PtWalkType *type, uint64_t before, Lists *l) {
  static const double shares[] = {0.5, 0.3, 0.2};
  double sum = 0;
  if (type->rank < 0)
    return false;
  l->key[0] = pt_habit_key(PT_HABIT_BEFORE, (uint64_t)type->rank, before);
  l->key[1] = pt_habit_key(PT_HABIT_RANK, (uint64_t)type->rank, 0);
  l->key[2] = pt_habit_type_key(type);
  for (int i = 0; i < 3; i++) {
    l->draw[i] = pt_habits_draw(p->habits, l->key[i]);
    sum += l->draw[i] ? shares[i] : 0;
    l->cum[i] = sum;
  }
  for (int i = 0; i < 3; i++)
    l->cum[i] = sum > 0 ? l->cum[i] / sum : 0;
  return sum > 0;
}

static double operator_odds(const PtChainPlace *p, const Lists *l, uint32_t template) {
  double odds = 0;
  for (int i = 0; i < 3; i++)
    if (l->draw[i])
      odds +=
          (l->cum[i] - (i ? l->cum[i - 1] : 0)) * pt_habits_odds(p->habits, l->key[i], template);
  return odds;
}

/* ---- chains
 * --------------------------------------------------------------------------------------------- */
static uint64_t motif_key(const PtChainPlace *p) {
  return pt_habit_key(p->branch ? PT_HABIT_BRANCH : PT_HABIT_CHAIN, (uint64_t)p->start.rank, 0);
}

static const PtWalkDraw *motifs_of(const PtChainPlace *p) {
  return p->motifs && p->start.rank >= 0 ? pt_habits_draw(p->habits, motif_key(p)) : NULL;
}

static bool draw_width(const PtChainPlace *p, const PtWalkTemplate *t, PtWalkDice *dice,
                       int32_t *width) {
  *width = 0;
  if (!t->dense)
    return true;
  *width = pt_dice_coin(dice, TARGET_SHARE) ? p->target : pt_width_draw(p->habits, p->face, dice);
  return *width >= 1;
}

static bool append(const PtChainPlace *p, PtWalkChain *c, uint32_t template, PtWalkDice *dice) {
  const PtWalkTemplate *t = pt_walk_template(p->library, template);
  const PtWalkType *in[1] = {&c->end};
  PtWalkType out;
  int32_t width;
  if (!draw_width(p, t, dice, &width) || !pt_walk_infer(t, width, in, &out))
    return false;
  c->template[c->n] = template;
  c->width[c->n++] = width;
  c->end = out;
  return true;
}

bool pt_chain_draw(const PtChainPlace *p, PtWalkDice *dice, PtWalkChain *c) {
  const PtWalkDraw *motifs = motifs_of(p);
  c->n = 0;
  c->end = p->start;
  if (motifs && pt_dice_coin(dice, MOTIF_SHARE)) {
    uint64_t item = motifs->item[pt_dice_weighted(dice, motifs->cum, motifs->n)];
    const PtWalkMotif *m = p->library->motifs->pdata[item];
    for (uint32_t i = 0; i < m->n; i++)
      if (!append(p, c, m->templates[i], dice))
        return false;
    return true;
  }
  uint32_t n = p->branch ? pt_dice_weighted(dice, branch_lengths, 3)
                         : 1 + pt_dice_weighted(dice, chain_lengths + 1, 3);
  uint64_t before = p->before;
  for (uint32_t i = 0; i < n; i++) {
    Lists l;
    if (!find_lists(p, &c->end, before, &l))
      return false;
    const PtWalkDraw *d = l.draw[pt_dice_weighted(dice, l.cum, 3)];
    if (!d)
      return false;
    uint32_t template = (uint32_t)d->item[pt_dice_weighted(dice, d->cum, d->n)];
    if (!append(p, c, template, dice))
      return false;
    before = pt_walk_template(p->library, template)->token;
  }
  return true;
}

static double length_odds(const PtChainPlace *p, uint32_t n) {
  const double *cum = p->branch ? branch_lengths : chain_lengths + 1;
  uint32_t i = p->branch ? n : n - 1;
  if (i >= 3)
    return 0;
  return cum[i] - (i ? cum[i - 1] : 0);
}

double pt_chain_odds(const PtChainPlace *p, PtWalkChain *c) {
  const PtWalkDraw *motifs = motifs_of(p);
  double widths = 0, row = length_odds(p, c->n), whole = 0;
  uint64_t before = p->before;
  c->end = p->start;
  for (uint32_t i = 0; i < c->n; i++) {
    const PtWalkTemplate *t = pt_walk_template(p->library, c->template[i]);
    const PtWalkType *in[1] = {&c->end};
    PtWalkType out;
    Lists l;
    row *= find_lists(p, &c->end, before, &l) ? operator_odds(p, &l, c->template[i]) : 0;
    if (t->dense)
      widths += log(target_odds(p, c->width[i]));
    if (!pt_walk_infer(t, c->width[i], in, &out))
      return -INFINITY;
    c->end = out;
    before = t->token;
  }
  if (motifs) {
    uint32_t m = pt_walk_motif_find(p->library, c->template, c->n);
    whole = m == UINT32_MAX ? 0 : pt_habits_odds(p->habits, motif_key(p), m);
    row = (1 - MOTIF_SHARE) * row + MOTIF_SHARE * whole;
  }
  return row > 0 ? log(row) + widths : -INFINITY;
}
