/* interface: how far a donor's inputs and outputs are from the real piece's. */
#include "sentinel/sentinel_private.h"

#include <math.h>
#include <string.h>

static bool slot_of(const PtType *t, PtSlot *s) {
  if (t->kind != PT_TYPE_TENSOR)
    return false;
  s->dtype = (uint8_t)t->dtype;
  s->rank = (int8_t)(t->rank > PT_FACE_RANK ? -1 : t->rank);
  for (int32_t i = 0; i < s->rank; i++)
    s->dims[i] = t->dims[i].size > INT32_MAX ? INT32_MAX : (int32_t)t->dims[i].size;
  return true;
}

static void add_style(const PtGraph *graph, uint8_t style[32]) {
  uint32_t count[32] = {0}, n = pt_graph_n_nodes(graph);
  for (PtNodeId i = 0; i < n; i++)
    count[g_str_hash(pt_node(graph, i)->op_type) % 32]++;
  for (int i = 0; i < 32; i++)
    style[i] = (uint8_t)(count[i] * 255 / MAX(n, 1));
}

bool pt_face_of(const PtGraph *graph, PtFace *face) {
  memset(face, 0, sizeof *face);
  if (graph->inputs->len > PT_FACE_SLOTS || graph->outputs->len > PT_FACE_SLOTS)
    return false;
  face->n_inputs = (uint8_t)graph->inputs->len;
  face->n_outputs = (uint8_t)graph->outputs->len;
  face->n_nodes = pt_graph_n_nodes(graph);
  face->opset = (int32_t)pt_graph_opset(graph, "");
  for (uint32_t i = 0; i < graph->inputs->len; i++)
    if (!slot_of(&pt_value(graph, pt_graph_input(graph, i))->type, &face->slot[i]))
      return false;
  for (uint32_t i = 0; i < graph->outputs->len; i++)
    if (!slot_of(&pt_value(graph, pt_graph_output(graph, i))->type, &face->slot[PT_FACE_SLOTS + i]))
      return false;
  add_style(graph, face->style);
  return true;
}

static bool is_float(const PtSlot *s) {
  return pt_dtype_is_float((PtDtype)s->dtype);
}

/* May one stand for the other: same rank, same kind of data. */
static bool alike(const PtSlot *a, const PtSlot *b) {
  return a->rank >= 0 && a->rank == b->rank && (is_float(a) ? is_float(b) : a->dtype == b->dtype);
}

/* Sizes in octaves apart; images are not like matrices. */
static double apart(const PtSlot *a, const PtSlot *b) {
  double sum = 0;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] > 0 && b->dims[i] > 0)
      sum += fabs(log2((double)a->dims[i] / (double)b->dims[i]));
  if (a->rank == 4 && (a->dims[2] == a->dims[3]) != (b->dims[2] == b->dims[3]))
    sum += 4;
  return sum;
}

bool pt_face_assign(const PtFace *donor, const PtFace *real, PtRng *rng, uint8_t *at, bool *used) {
  memset(used, 0, PT_FACE_SLOTS);
  for (int i = 0; i < donor->n_inputs; i++) {
    double best = INFINITY;
    int chosen = -1;
    for (int j = 0; j < real->n_inputs; j++) {
      if (!alike(&donor->slot[i], &real->slot[j]))
        continue;
      double d = apart(&donor->slot[i], &real->slot[j]) + (used[j] ? 6 : 0) + 0.5 * abs(i - j) +
                 (rng ? pt_rng_unit(rng) : 0);
      if (d < best) {
        best = d;
        chosen = j;
      }
    }
    if (chosen < 0)
      return false;
    at[i] = (uint8_t)chosen;
    used[chosen] = true;
  }
  return donor->n_inputs > 0;
}

/* How much smaller the rows, columns or steps get between input and output, in octaves. */
static double shrinks(const PtFace *f, int in, int out) {
  const PtSlot *a = &f->slot[in], *b = &f->slot[PT_FACE_SLOTS + out];
  int axis = a->rank == 4 ? 2 : 1;
  if (a->rank != b->rank || a->rank < 3 || a->dims[axis] <= 0 || b->dims[axis] <= 0)
    return 0;
  return log2((double)a->dims[axis] / (double)b->dims[axis]);
}

static double outputs_apart(const PtFace *donor, const PtFace *real) {
  bool taken[PT_FACE_SLOTS] = {false};
  double sum = 0;
  for (int j = 0; j < real->n_outputs; j++) {
    const PtSlot *want = &real->slot[PT_FACE_SLOTS + j];
    double best = is_float(want) ? 2.0 : INFINITY;
    int pick = -1;
    for (int i = 0; i < donor->n_outputs; i++) {
      if (taken[i] || !alike(&donor->slot[PT_FACE_SLOTS + i], want))
        continue;
      double d = 1.2 * fabs(shrinks(donor, 0, i) - shrinks(real, 0, j));
      if (d < best) {
        best = d;
        pick = i;
      }
    }
    if (pick >= 0)
      taken[pick] = true;
    sum += best;
  }
  return sum;
}

double pt_face_distance(const PtFace *donor, const PtFace *real, const uint8_t style[32]) {
  uint8_t at[PT_FACE_SLOTS];
  bool used[PT_FACE_SLOTS];
  if (!pt_face_assign(donor, real, NULL, at, used))
    return INFINITY;
  double sum = outputs_apart(donor, real);
  for (int i = 0; i < donor->n_inputs; i++)
    sum += 0.08 * apart(&donor->slot[i], &real->slot[at[i]]);
  for (int j = 0; j < real->n_inputs; j++)
    if (!used[j])
      sum += is_float(&real->slot[j]) ? 1.5 : INFINITY;
  sum += 0.7 * MAX(donor->n_inputs - real->n_inputs, 0);
  sum += 0.7 * MAX(donor->n_outputs - real->n_outputs, 0);
  double ratio = (double)donor->n_nodes / (double)MAX(real->n_nodes, 1);
  sum += 3 * MAX(fabs(log2(ratio)) - 0.6, 0);
  double differs = 0;
  for (int i = 0; i < 32; i++)
    differs += abs(donor->style[i] - style[i]) / 510.0;
  return sum + 3 * differs;
}
