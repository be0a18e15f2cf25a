/* domain: the finite domain that Z3's variables range over. */
#include "populate/populate_private.h"

#define SPACE_MAX 24 /* sizes that windows may meet */

uint32_t pt_domain_find(const PtDomain *s, int32_t size) {
  for (uint32_t i = 0; i < s->n; i++)
    if (s->size[i] == size)
      return i;
  return UINT32_MAX;
}

uint32_t pt_domain_dtype(const PtDomain *s, uint8_t dtype) {
  for (uint32_t i = 0; i < s->n_dtypes; i++)
    if (s->dtype[i] == dtype)
      return i;
  return UINT32_MAX;
}

bool pt_domain_hold(const PtDomain *s, const PtFiniteType *type) {
  bool all =
      type->rank >= 0 && type->rank <= s->rank && pt_domain_dtype(s, type->dtype) != UINT32_MAX;
  for (int32_t i = 0; all && i < type->rank; i++)
    all = pt_domain_find(s, type->dims[i]) != UINT32_MAX;
  return all;
}

static bool add_size(PtDomain *s, int32_t size) {
  if (size == 0)
    return true; /* an empty tensor: the type serves no operator */
  if (pt_domain_find(s, size) != UINT32_MAX)
    return true;
  if (s->n == PT_DOMAIN_MAX)
    return false;
  s->size[s->n++] = size;
  return true;
}

typedef struct Space {
  int32_t size[SPACE_MAX];
  uint32_t n;
} Space;

static void add_space(Space *space, int32_t size) {
  for (uint32_t i = 0; i < space->n; i++)
    if (space->size[i] == size)
      return;
  if (size != 0 && space->n < SPACE_MAX)
    space->size[space->n++] = size;
}

static bool add_type(PtDomain *s, Space *space, const PtFiniteType *t) {
  if (t->rank < 0)
    return true;
  if (pt_domain_dtype(s, t->dtype) == UINT32_MAX) {
    if (s->n_dtypes == G_N_ELEMENTS(s->dtype))
      return false;
    s->dtype[s->n_dtypes++] = t->dtype;
  }
  s->rank = MAX(s->rank, t->rank);
  bool ok = true;
  for (int32_t i = 0; ok && i < t->rank; i++) {
    ok = add_size(s, t->dims[i]);
    if (i >= 2)
      add_space(space, t->dims[i]);
  }
  return ok;
}

static int by_size(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return x < y ? -1 : x > y;
}

bool pt_domain_init(PtDomain *s, const PtPopulateProblem *p) {
  Space space = {.n = 0};
  *s = (PtDomain){.rank = 2};
  bool ok = add_size(s, 1);
  add_space(&space, 1);
  for (uint32_t i = 0; ok && i < p->n_inputs; i++)
    ok = add_type(s, &space, &p->inputs[i].type);
  for (uint32_t i = 0; ok && i < p->n_outputs; i++)
    ok = add_type(s, &space, &p->outputs[i].type);
  for (uint32_t i = 0; ok && i < p->n_operators; i++) {
    const PtOperator *op = &p->operators[i];
    if (op->rule != PT_RULE_TABLE)
      continue;
    for (uint32_t k = 0; ok && k < op->n_in; k++)
      ok = add_type(s, &space, &op->in[k]);
    ok = ok && add_type(s, &space, &op->out);
  }
  for (uint32_t i = 0; ok && i < p->n_widths; i++)
    ok = p->widths[i] > 0 && add_size(s, p->widths[i]);
  /* what windows make of the interface's sizes, of that again, and so on */
  for (uint32_t at = 0; at < space.n; at++)
    for (uint32_t i = 0; i < p->n_operators; i++)
      for (int32_t k = 0; k < p->operators[i].n_space; k++)
        add_space(&space, pt_operator_window(&p->operators[i], k, space.size[at]));
  for (uint32_t i = 0; ok && i < space.n; i++)
    ok = add_size(s, space.size[i]);
  for (uint32_t i = 0; i < p->n_sizes && s->n < PT_DOMAIN_MAX; i++)
    (void)add_size(s, p->sizes[i]);
  if (!ok)
    return false;
  qsort(s->size, s->n, sizeof *s->size, by_size);
  s->one = pt_domain_find(s, 1);
  for (uint32_t i = 0; i < space.n; i++)
    s->space[s->n_space++] = pt_domain_find(s, space.size[i]);
  return true;
}
