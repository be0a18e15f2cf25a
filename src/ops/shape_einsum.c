/* shape_einsum: Einsum, from its equation. */
#include "ops/shape.h"

/* ---- Einsum
 * ---------------------------------------------------------------------------------------- */
typedef struct Einsum {
  PtDim label[128];
  bool seen[128];
  PtType dots; /* what "..." stands for, broadcast over the operands */
} Einsum;

static const char *skip_dots(const char *at) {
  return at[0] == '.' && at[1] == '.' && at[2] == '.' ? at + 3 : NULL;
}

static bool einsum_operand(PtGraph *graph, Einsum *e, const char *term, size_t length,
                           const PtType *x) {
  int32_t letters = 0, dim = 0;
  for (size_t i = 0; i < length; i++)
    letters += g_ascii_isalpha(term[i]) != 0;
  for (size_t i = 0; i < length; i++) {
    if (term[i] == ' ')
      continue;
    if (skip_dots(term + i)) {
      PtType part = *x, joined;
      part.rank = x->rank - letters;
      part.dims = x->dims + dim;
      if (part.rank < 0 || !pt_dims_broadcast(graph, x->dtype, &e->dots, &part, &joined))
        return false;
      e->dots = joined;
      dim += part.rank;
      i += 2;
      continue;
    }
    const uint8_t c = (uint8_t)term[i];
    if (!g_ascii_isalpha(term[i]) || dim >= x->rank)
      return false;
    PtDim d = x->dims[dim++];
    if (!e->seen[c])
      e->label[c] = d;
    else if (!pt_dim_broadcast(e->label[c], d, &e->label[c]))
      return false;
    e->seen[c] = true;
  }
  return dim == x->rank;
}

static bool einsum_result(PtGraph *graph, const Einsum *e, const char *at, PtDtype dtype,
                          PtType *out) {
  PtDim dims[PT_MAX_RANK];
  int32_t rank = 0;
  for (; *at; at++) {
    if (*at == ' ')
      continue;
    if (skip_dots(at)) {
      for (int32_t i = 0; i < e->dots.rank && rank < PT_MAX_RANK; i++)
        dims[rank++] = e->dots.dims[i];
      at += 2;
      continue;
    }
    if (!g_ascii_isalpha(*at) || !e->seen[(int)*at] || rank == PT_MAX_RANK)
      return false;
    dims[rank++] = e->label[(int)*at];
  }
  *out = pt_type_tensor(graph, dtype, rank, dims);
  return true;
}

PT_RULE(pt_shape_einsum) {
  const PtAttr *attr = pt_node_attr(node, "equation");
  const PtType *first = pt_shape_in(node, inputs, 0);
  if (!attr || attr->kind != PT_ATTR_STRING || !first)
    return attr != NULL;
  gsize size;
  const char *bytes = g_bytes_get_data(attr->as.strings[0], &size);
  g_autofree char *equation = g_strndup(bytes, size);
  char *arrow = strstr(equation, "->");
  outputs[0] = pt_shape_new(graph, first->dtype, -1);
  if (!arrow)
    return true; /* implicit output: legal, rare, left to the runtime */
  *arrow = '\0';
  Einsum e = {.dots = {.kind = PT_TYPE_TENSOR, .dtype = first->dtype}};
  g_auto(GStrv) terms = g_strsplit(equation, ",", -1);
  if (g_strv_length(terms) != node->n_inputs)
    return false;
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    const PtType *x = pt_shape_in(node, inputs, i);
    if (!pt_shape_ranked(x))
      return true;
    if (!einsum_operand(graph, &e, terms[i], strlen(terms[i]), x))
      return false;
  }
  return einsum_result(graph, &e, arrow + 2, first->dtype, outputs);
}
