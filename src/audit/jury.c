/* jury.c: adversaries trained beforehand, with their calibrations: how they come to be, and what
 * they say about one case. */
#include "audit/audit_private.h"

void pt_jury_free(PtJury *j) {
  if (!j)
    return;
  for (guint i = 0; i < j->seats->len; i++) {
    PtSeat *s = &g_array_index(j->seats, PtSeat, i);
    if (s->state && s->adversary->free)
      s->adversary->free(s->state);
  }
  g_array_unref(j->seats);
  g_free(j);
}

PtJury *pt_jury_new(void) {
  PtJury *j = g_new0(PtJury, 1);
  j->seats = g_array_new(FALSE, TRUE, sizeof(PtSeat));
  return j;
}

PtJury *pt_jury_train(PtContest *c) {
  PtJury *j = pt_jury_new();
  g_autofree double *w = g_new0(double, (gsize)c->n_rows + 1),
                    *base = g_new0(double, (gsize)c->n_rows + 1);
  uint32_t n = c->n_rows, seats = 0;
  while (seats < n && pt_adversary_find(c->rows[seats].name))
    seats++;
  pt_contest_stack(c, seats, w);
  j->has_whole = c->states != NULL && seats < n;
  if (j->has_whole) {
    j->whole = c->whole;
    pt_contest_stack(c, seats - 1, base);
  }
  if (seats < n)
    j->stack = pt_contest_calibrate(c, c->rows[seats].scores, PT_NONE);
  for (uint32_t a = 0; a < seats; a++) {
    const PtAdversary *adversary = pt_adversary_find(c->rows[a].name);
    PtSeat seat = {.adversary = adversary,
                   .how = pt_contest_calibrate(c, c->rows[a].scores, PT_NONE),
                   .weight = w[a],
                   .base = base[a]};
    PtTraining training = {.targets = c->targets,
                           .seed = pt_seed_derive(&c->seed, adversary->name, UINT32_MAX),
                           .threads = c->threads};
    pt_progress(&c->progress, "training adversaries", a, seats);
    if (adversary->train)
      seat.state = adversary->train(&training);
    g_array_append_val(j->seats, seat);
  }
  return j;
}

/* A contest with one case and the jury's calibrations. */
PtContest *pt_jury_hear(const PtJury *j, PtCase *one) {
  g_autoptr(GPtrArray) cases = g_ptr_array_new();
  g_ptr_array_add(cases, one);
  PtContest *c = pt_contest_bare(cases, j->seats->len + 2);
  PtCase blind = *one;
  blind.real = NULL;
  g_autofree double *w = g_new0(double, (gsize)j->seats->len + 1),
                    *base = g_new0(double, (gsize)j->seats->len + 1),
                    *start = g_new0(double, (gsize)one->sights->len + 1);
  const PtSeat *pairs = NULL;
  for (guint i = 0; i < j->seats->len; i++) {
    const PtSeat *s = &g_array_index(j->seats, PtSeat, i);
    PtContestRow *row =
        pt_contest_add_row(c, s->adversary->name, s->adversary->looks, s->adversary->remedy);
    s->adversary->score(s->state, &blind, row->scores[0]);
    pt_results(one, row->scores[0], &s->how, row->results[0]);
    w[i] = s->weight;
    base[i] = s->base;
    if (s->adversary->tuples)
      pairs = s;
  }
  uint32_t rows = c->n_rows;
  PtContestRow *stack = pt_contest_add_row(c, PT_STACK_NAME, PT_STACK_LOOKS, PT_STACK_REMEDY);
  pt_contest_weigh(c, 0, w, rows, stack->scores[0]);
  pt_results(one, stack->scores[0], &j->stack, stack->results[0]);
  if (j->has_whole && pairs) {
    pt_contest_weigh(c, 0, base, rows, start);
    pt_whole_hear(c, pairs->adversary, pairs->state, &j->whole, start);
  }
  return c;
}
