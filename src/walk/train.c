/* train: pi by iterated paired logistic regression: a corpus piece against its own sample, the
 * logit added to log pi, until it is near chance: what an adversary learns becomes what the
 * generator knows. Everything is as where sentinels are made: a piece is among the other
 * pieces of its model, proposals lean to them, and its model and near-duplicates are not public. */
#include "walk/walk_private.h"

#include <math.h>

#define MIN_MODELS 4 /* that show a feature */
#define MIN_STATES 3
#define PENALTY 0.3  /* C */
#define STOP 0.53    /* paired AUC at which the fit ends */
#define PER_MODEL 64 /* pieces; the rest of a large model says little more */
#define HALVES 2

typedef struct Chain {
  const PtWalkPiece *piece;
  uint32_t group;
  PtWalkFace face; /* with its window */
  PtWalkState *real, *now;
  GArray *of_real, *of_now; /* PtCount, with those of familiarity */
  uint64_t tried, accepted;
  bool same;
} Chain;

/* Chains whose own other pieces are the same: near-twins in one cut of one model; their style is
 * from the rest of that cut, as it is where sentinels are made. */
typedef struct Group {
  uint32_t model, cut, leader, first, n; /* chains [first, first + n) */
  PtMap64 less;                          /* what the near-twins themselves show */
  PtWalkKnown known;
} Group;

typedef struct Fit {
  PtWalkModel *model;
  Chain *chains;
  uint32_t n, round, steps;
  GArray *groups;  /* Group */
  PtMap64 *shown;  /* [models] features of each */
  PtMap64 *of_cut; /* [models * PT_WALK_CUTS] the same of a cut: in how many pieces */
  uint32_t *kin;   /* [models] near-duplicates have the same */
  PtMap64 *of_kin; /* [models] how many near-duplicates, itself among them, show a feature */
  uint32_t *half;  /* [models] near-duplicates in one: what the adversary has not seen */
  PtMap64 weights;
  PtWalkEnergy *bases;   /* [2 * models] with no own pieces, with some */
  PtWalkHabits **habits; /* [models] as for its sentinels: its own, and the corpus' */
  PtSeed seed;
} Fit;

/* ---- sampling
 * ------------------------------------------------------------------------------------------ */
static void run_chain(Fit *fit, uint32_t index, const PtWalkEnergy *energy,
                      const PtWalkKnown *known) {
  Chain *c = &fit->chains[index];
  g_autoptr(PtRng) rng = pt_rng_new(&fit->seed, "chain", (uint64_t)fit->round << 32 | index);
  const PtWalkHabits *habits = fit->habits[c->piece->model];
  bool on = fit->round > 0 && pt_rng_below(rng, 2);
  PtWalker w;
  PtFeatures f = {0};
  pt_walker_init(&w, on ? c->now : c->real, habits, energy, rng);
  pt_walker_run(&w, fit->steps);
  pt_walk_state_set(c->now, w.now);
  c->tried += fit->steps;
  for (uint32_t m = 0; m < pt_walk_n_moves; m++)
    c->accepted += w.accepted[m];
  c->same = pt_walk_hash(c->now) == pt_walk_hash(c->real);
  if (c->of_now)
    g_array_unref(c->of_now);
  c->of_now = pt_features_counted(&f, c->now);
  pt_walk_known_add(known, c->of_now);
  pt_features_clear(&f);
  pt_walker_clear(&w);
}

static void make_base(size_t index, void *data) {
  Fit *fit = data;
  uint32_t model = (uint32_t)index / 2;
  PtWalkKnown k = {
      .models = &fit->model->shown, .own_model = &fit->of_kin[model], .n_own = (uint32_t)index % 2};
  pt_walk_energy_fold(&fit->bases[index], &fit->weights, &k);
}

static void run_group(size_t index, void *data) {
  Fit *fit = data;
  const Group *g = &g_array_index(fit->groups, Group, index);
  PtWalkEnergy energy = {0};
  pt_walk_energy_over(&energy, &fit->bases[2 * g->model + (g->known.n_own > 0)], &fit->weights,
                      &g->known);
  for (uint32_t i = 0; i < g->n; i++)
    run_chain(fit, g->first + i, &energy, &g->known);
  pt_energy_clear(&energy);
}

/* ---- chains and their groups
 * --------------------------------------------------------------------------------------- */
/* The first near-twin of each piece, or itself. */
static uint32_t *find_leaders(const Fit *fit) {
  const GPtrArray *pieces = fit->model->pieces;
  uint32_t *leader = g_new(uint32_t, pieces->len + 1);
  for (guint i = 0; i < pieces->len; i++) {
    const PtWalkPiece *p = pieces->pdata[i];
    leader[i] = i;
    for (guint k = i; k-- > 0;) {
      const PtWalkPiece *o = pieces->pdata[k];
      PtWalkTwin twin;
      if (o->model != p->model)
        break;
      if (pt_walk_find_twin(o->state, p->state, &twin)) {
        leader[i] = leader[k];
        break;
      }
    }
  }
  return leader;
}

static void see_own(Fit *fit, Group *g, const uint32_t *leader) {
  PtFeatures f = {0};
  for (guint i = 0; i < fit->model->pieces->len; i++) {
    const PtWalkPiece *p = fit->model->pieces->pdata[i];
    if (p->model != g->model || !(p->cuts >> g->cut & 1))
      continue;
    g->known.n_own += leader[i] != g->leader;
    if (leader[i] != g->leader)
      continue;
    g_autoptr(GArray) counts = pt_features_counted(&f, p->state);
    pt_walk_known_see(&g->less, counts);
  }
  pt_features_clear(&f);
}

static void add_chain(Fit *fit, const PtWalkPiece *p, guint piece) {
  Chain *c = &fit->chains[fit->n++];
  g_autoptr(PtRng) rng = pt_rng_new(&fit->seed, "window", piece);
  c->piece = p;
  c->face = *p->face;
  pt_walk_window(&c->face, p->state->n, rng);
  c->real = pt_walk_state_copy(p->state);
  c->real->face = &c->face;
  c->now = pt_walk_state_copy(c->real);
}

static void make_group(Fit *fit, const uint32_t *leader, const uint32_t *place, Group g) {
  g.first = fit->n;
  for (guint i = g.leader; i < fit->model->pieces->len; i++) {
    const PtWalkPiece *p = fit->model->pieces->pdata[i];
    if (p->model != g.model)
      break;
    if (leader[i] == g.leader && (uint32_t)__builtin_ctz(p->cuts | 256) == g.cut &&
        place[i] < PER_MODEL)
      add_chain(fit, p, i);
  }
  g.n = fit->n - g.first;
  if (g.n == 0)
    return;
  see_own(fit, &g, leader);
  g_array_append_val(fit->groups, g);
}

static void make_habits(size_t index, void *data) {
  Fit *fit = data;
  const PtWalkModel *m = fit->model;
  g_autoptr(GArray) own = g_array_new(FALSE, FALSE, sizeof(PtHabitCount));
  g_autoptr(GArray) corpus = g_array_copy(m->counts);
  int64_t opset = 0;
  for (guint i = 0; i < m->pieces->len; i++) {
    const PtWalkPiece *p = m->pieces->pdata[i];
    if (p->model != index)
      continue;
    pt_habits_count(own, m->library, p->state, 1);
    opset = p->face->opset;
  }
  fit->habits[index] = pt_habits_mix(m->library, own, corpus, PT_OWN_SHARE, opset);
}

/* Near-duplicates are in one half, and none of them counts as public to another. */
static void find_kin(Fit *fit, const uint32_t *pieces) {
  uint32_t n = fit->model->n_models;
  fit->kin = g_new0(uint32_t, n + 1);
  fit->half = g_new0(uint32_t, n + 1);
  fit->of_kin = g_new0(PtMap64, n + 1);
  pt_walk_find_kin(fit->shown, n, fit->kin);
  pt_walk_deal_kin(fit->kin, pieces, n, HALVES, fit->half);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < n; k++)
      for (uint32_t f = 0; fit->kin[i] == fit->kin[k] && f < fit->shown[k].size; f++)
        if (fit->shown[k].keys[f])
          ++*pt_map64_at(&fit->of_kin[i], fit->shown[k].keys[f]);
}

static void make_chains(Fit *fit) {
  PtWalkModel *m = fit->model;
  PtFeatures f = {0};
  g_autofree uint32_t *leader = find_leaders(fit), *place = g_new0(uint32_t, m->pieces->len + 1),
                      *of_model = g_new0(uint32_t, m->n_models + 1);
  fit->chains = g_new0(Chain, m->pieces->len + 1);
  fit->shown = g_new0(PtMap64, m->n_models + 1);
  fit->of_cut = g_new0(PtMap64, m->n_models * PT_WALK_CUTS + 1);
  fit->bases = g_new0(PtWalkEnergy, 2 * m->n_models + 1);
  for (guint i = 0; i < m->pieces->len; i++) {
    const PtWalkPiece *p = m->pieces->pdata[i];
    place[i] = of_model[p->model]++;
    g_autoptr(GArray) counts = pt_features_counted(&f, p->state);
    pt_walk_known_see(&fit->shown[p->model], counts);
    for (uint32_t cut = 0; cut < PT_WALK_CUTS; cut++)
      if (p->cuts >> cut & 1)
        pt_walk_known_see(&fit->of_cut[p->model * PT_WALK_CUTS + cut], counts);
  }
  find_kin(fit, of_model);
  for (guint i = 0; i < m->pieces->len; i++)
    for (uint32_t cut = 0; leader[i] == i && cut < PT_WALK_CUTS; cut++) {
      const PtWalkPiece *p = m->pieces->pdata[i];
      make_group(fit, leader, place, (Group){.model = p->model, .cut = cut, .leader = i});
    }
  for (guint i = 0; i < fit->groups->len; i++) {
    Group *g = &g_array_index(fit->groups, Group, i);
    g->known.models = &m->shown;
    g->known.own_model = &fit->of_kin[g->model];
    g->known.own = &fit->of_cut[g->model * PT_WALK_CUTS + g->cut];
    g->known.own_less = &g->less; /* the array no longer moves */
    for (uint32_t k = 0; k < g->n; k++) {
      Chain *c = &fit->chains[g->first + k];
      c->of_real = pt_features_counted(&f, c->real);
      pt_walk_known_add(&g->known, c->of_real);
    }
  }
  pt_features_clear(&f);
}

/* ---- the adversary
 * ----------------------------------------------------------------------------------------- */
typedef struct Seen {
  uint32_t states, models, last_model; /* last_model: index + 1 */
} Seen;

static void see(GHashTable *seen, const GArray *counts, uint32_t model) {
  for (guint i = 0; i < counts->len; i++) {
    const PtCount *c = &g_array_index(counts, PtCount, i);
    Seen *s = g_hash_table_lookup(seen, &c->id);
    if (!s) {
      s = g_new0(Seen, 1);
      g_hash_table_insert(seen, g_memdup2(&c->id, sizeof c->id), s);
    }
    s->states++;
    if (s->last_model != model + 1) { /* chains of a model follow each other */
      s->models++;
      s->last_model = model + 1;
    }
  }
}

static PtPairs *make_pairs(const Fit *fit, GArray *ids) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
  PtMap64 columns = {0};
  for (uint32_t i = 0; i < fit->n; i++) {
    const Chain *c = &fit->chains[i];
    see(seen, c->of_real, c->piece->model);
    see(seen, c->of_now, c->piece->model);
  }
  PtPairs *pairs = pt_pairs_new();
  for (uint32_t i = 0; i < fit->n; i++) /* columns in the order of first sight */
    for (int side = 0; side < 2; side++) {
      const GArray *counts = side ? fit->chains[i].of_now : fit->chains[i].of_real;
      for (guint k = 0; k < counts->len; k++) {
        uint64_t id = g_array_index(counts, PtCount, k).id;
        const Seen *s = g_hash_table_lookup(seen, &id);
        if (s->models < MIN_MODELS || s->states < MIN_STATES || pt_map64_get(&columns, id, 0) > 0)
          continue;
        g_array_append_val(ids, id);
        *pt_map64_at(&columns, id) = ids->len;
      }
    }
  for (uint32_t i = 0; i < fit->n; i++) {
    pt_pairs_add_row(pairs, &columns, fit->chains[i].of_real, fit->chains[i].of_now);
    pt_pairs_end_row(pairs);
  }
  pairs->columns = ids->len;
  pt_map64_clear(&columns);
  return pairs;
}

/* Of pairs, on models that the fit has not seen: two halves. */
static double held_out(const Fit *fit, const PtPairs *pairs) {
  g_autofree bool *use = g_new(bool, fit->n + 1);
  g_autofree double *w = g_new(double, pairs->columns + 1);
  double right = 0;
  for (uint32_t half = 0; half < HALVES; half++) {
    for (uint32_t i = 0; i < fit->n; i++)
      use[i] = fit->half[fit->chains[i].piece->model] != half;
    pt_pairs_fit(pairs, use, PENALTY, w);
    for (uint32_t i = 0; i < fit->n; i++) {
      double z = use[i] ? NAN : pt_pairs_dot(pairs, i, w);
      right += z > 0 ? 1 : z == 0 ? 0.5 : 0;
    }
  }
  return fit->n ? right / fit->n : 0.5;
}

/* Bold while the adversary wins, careful near chance; past it, pi would only peak further. */
static double gain_of(double auc) {
  return auc > 0.9 ? 1.4 : auc > 0.7 ? 1 : auc > 0.6 ? 0.5 : auc > STOP ? 0.3 : 0;
}

static void one_round(Fit *fit, unsigned threads, PtWalkRound *result) {
  double start = pt_clock();
  uint64_t tried = 0, accepted = 0, same = 0;
  pt_parallel_for(2 * (size_t)fit->model->n_models, threads, make_base, fit);
  pt_parallel_for(fit->groups->len, threads, run_group, fit);
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(PtPairs) pairs = make_pairs(fit, ids);
  g_autofree double *w = g_new(double, pairs->columns + 1);
  result->auc = held_out(fit, pairs);
  pt_pairs_fit(pairs, NULL, PENALTY, w);
  for (guint i = 0; i < ids->len; i++)
    *pt_map64_at(&fit->weights, g_array_index(ids, uint64_t, i)) += gain_of(result->auc) * w[i];
  for (uint32_t i = 0; i < fit->n; i++) {
    Chain *c = &fit->chains[i];
    tried += c->tried;
    accepted += c->accepted;
    same += c->same;
    c->tried = c->accepted = 0;
  }
  result->accepted = tried ? (double)accepted / (double)tried : 0;
  result->same = fit->n ? (double)same / fit->n : 0;
  result->seconds = pt_clock() - start;
}

static void fit_clear(Fit *fit) {
  for (uint32_t i = 0; i < fit->n; i++) {
    pt_walk_state_free(fit->chains[i].real);
    pt_walk_state_free(fit->chains[i].now);
    g_array_unref(fit->chains[i].of_real);
    if (fit->chains[i].of_now)
      g_array_unref(fit->chains[i].of_now);
  }
  g_free(fit->chains);
  for (guint i = 0; i < fit->groups->len; i++)
    pt_map64_clear(&g_array_index(fit->groups, Group, i).less);
  g_array_unref(fit->groups);
  for (uint32_t i = 0; i < fit->model->n_models; i++) {
    pt_map64_clear(&fit->shown[i]);
    pt_map64_clear(&fit->of_kin[i]);
    pt_habits_free(fit->habits[i]);
    pt_energy_clear(&fit->bases[2 * (size_t)i]);
    pt_energy_clear(&fit->bases[2 * i + 1]);
  }
  for (uint32_t i = 0; i < fit->model->n_models * PT_WALK_CUTS; i++)
    pt_map64_clear(&fit->of_cut[i]);
  g_free(fit->shown);
  g_free(fit->of_cut);
  g_free(fit->of_kin);
  g_free(fit->kin);
  g_free(fit->half);
  g_free(fit->bases);
  g_free(fit->habits);
}

static void fit_pi(PtWalkModel *model, const PtWalkTrainOptions *options, GArray *rounds) {
  uint32_t n = options->rounds ? options->rounds : 14;
  Fit fit = {.model = model,
             .steps = options->steps ? options->steps : 2000,
             .groups = g_array_new(FALSE, FALSE, sizeof(Group))};
  pt_seed_init(&fit.seed, options->seed ? options->seed : "proteus");
  make_chains(&fit);
  fit.habits = g_new0(PtWalkHabits *, model->n_models + 1);
  for (uint32_t i = 0; i < model->n_models; i++) /* motifs are added to the library */
    make_habits(i, &fit);
  for (; fit.round < n; fit.round++) {
    PtWalkRound result;
    one_round(&fit, options->threads, &result);
    if (rounds)
      g_array_append_val(rounds, result);
    pt_progress(&options->progress, "fitting", fit.round + 1, n);
    if (fit.round > 0 && gain_of(result.auc) == 0)
      break;
  }
  pt_map64_clear(&model->weights);
  model->weights = fit.weights;
  fit_clear(&fit);
}

bool pt_walk_train(const PtWalkTrainOptions *options, GArray *rounds, GError **error) {
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) pieces = pt_walk_cut(options, names, error);
  if (!pieces)
    return false;
  g_autoptr(PtWalkModel) model = pt_walk_model_new(pieces, names->len);
  fit_pi(model, options, rounds);
  return pt_walk_model_write(model, options->out, error);
}
