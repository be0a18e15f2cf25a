/* growth: how large values become, by rules of thumb. What outgrows the real piece's outputs is
 * seen for a sentinel, and squared from piece to piece it overflows. */
#include "populate/populate_private.h"

#include <math.h>

#define SMALLEST (-60.0) /* log2; what is smaller counts as that */
#define LARGEST 120.0

/* Elements of the first operand that one of the result sums. */
static double fan_in(const PtOperator *op, const PtFiniteType *x) {
  double n = 1;
  if (op->rule == PT_RULE_CONV || op->rule == PT_RULE_POOL) {
    for (int32_t i = 0; i < op->n_space; i++)
      n *= op->kernel[i];
    if (op->rule == PT_RULE_CONV && op->groups > 0 && x->rank > 1)
      n *= MAX(x->dims[1] / op->groups, 1);
  } else if (op->rule == PT_RULE_REDUCE) {
    for (int32_t i = 0; i < x->rank; i++)
      n *= op->axes >> i & 1 ? MAX(x->dims[i], 1) : 1;
  } else if (x->rank > 0)
    n = MAX(x->dims[x->rank - 1], 1);
  return log2(n);
}

static double grown(const PtOperator *op, const PtFiniteType *const *in, const double *size,
                    uint32_t n) {
  double largest = size[0], sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    largest = MAX(largest, size[i]);
    sum += size[i];
  }
  switch (op->growth) {
  case PT_GROWTH_PRODUCT:
    return sum + op->gain;
  case PT_GROWTH_QUOTIENT:
    return size[0] - (n > 1 ? size[1] : 0) + op->gain;
  case PT_GROWTH_LINEAR: /* and a bias */
    return MAX(size[0] + op->gain + 0.5 * fan_in(op, in[0]), op->gain);
  case PT_GROWTH_SUMS:
    return size[0] + op->gain + fan_in(op, in[0]);
  case PT_GROWTH_MATMUL:
    return sum + op->gain + 0.5 * fan_in(op, in[0]);
  case PT_GROWTH_BOUNDED:
    return MIN(largest, op->gain);
  case PT_GROWTH_FLOOR:
    return MAX(largest, op->gain);
  case PT_GROWTH_SCALED: /* and something added */
    return MAX(size[0] + op->gain, op->gain);
  case PT_GROWTH_FIXED:
    return op->gain;
  case PT_GROWTH_SHARES:
    return -fan_in(op, in[0]);
  case PT_GROWTH_POWER:
    return size[0] * op->gain;
  case PT_GROWTH_EXP: /* the mean of exp |x|; exp overflows */
    return size[0] < 6 ? 1.44 * exp2(size[0]) : LARGEST;
  case PT_GROWTH_KEEPS:
    break;
  }
  return largest + op->gain;
}

PtSize pt_operator_size(const PtOperator *op, const PtFiniteType *const *in, const PtSize *size,
                        uint32_t n) {
  double once[64], times[64];
  n = MIN(n, 64);
  if (n == 0) /* nothing to go by */
    return (PtSize){0, 0};
  for (uint32_t i = 0; i < n; i++) {
    once[i] = size[i].once;
    times[i] = size[i].times;
  }
  return (PtSize){CLAMP(grown(op, in, once, n), SMALLEST, LARGEST),
                  CLAMP(grown(op, in, times, n), SMALLEST, LARGEST)};
}

bool pt_solution_keeps_size(const PtPopulateProblem *p, const PtSolution *s) {
  g_autofree PtSize *size = g_new0(PtSize, s->n + 1);
  for (uint32_t i = 0; i < s->n; i++) {
    const PtAssigned *a = &s->nodes[i];
    const PtFiniteType *in[64];
    PtSize of[64];
    uint32_t n = MIN(a->n_in, 64);
    for (uint32_t k = 0; k < n; k++) {
      int32_t r = s->refs[a->in + k];
      in[k] = r < 0 ? &p->inputs[-1 - r].type : &s->nodes[r].type;
      of[k] = r < 0 ? p->inputs[-1 - r].size : size[r];
    }
    size[i] = pt_operator_size(&p->operators[a->op], in, of, n);
  }
  for (uint32_t o = 0; o < p->n_outputs; o++) {
    const PtSize *x = &size[s->outputs[o]], *most = &p->outputs[o].most;
    if (x->once > most->once || x->times - x->once > most->times)
      return false;
  }
  return true;
}
