#include "planted.h"

#include "onnx/onnx.h"

#include <string.h>

static Gene gene(uint32_t op, PtRng *rng) {
  return (Gene){(uint8_t)op, 3, 32, (uint8_t)(2 + pt_rng_below(rng, 3))};
}

Piece planted_piece(PtRng *rng, uint32_t style) {
  static const uint8_t acts[] = {RELU, SWISH, SIGMOID, TANH};
  Piece p = {0};
  uint32_t n = 9 + (uint32_t)pt_rng_below(rng, 5);
  while (p.n + 3 <= n) {
    p.genes[p.n++] = gene(CONV, rng);
    if (pt_rng_unit(rng) < 0.3)
      p.genes[p.n - 1].kernel = 1;
    if (pt_rng_unit(rng) < 0.8)
      p.genes[p.n++] = gene(NORM, rng);
    if (pt_rng_unit(rng) < 0.3)
      p.genes[p.n++] = gene(ADD, rng);
    else
      p.genes[p.n++] = gene(acts[style], rng);
  }
  return p;
}

Piece planted_noise(PtRng *rng, uint32_t n) {
  Piece p = {.n = n};
  for (uint32_t i = 0; i < n; i++)
    p.genes[i] = gene((uint32_t)pt_rng_below(rng, OPS), rng);
  return p;
}

Piece planted_edit(const Piece *piece, PtRng *rng, uint32_t edits) {
  Piece p = *piece;
  for (uint32_t i = 0; i < edits; i++)
    p.genes[pt_rng_below(rng, p.n)] = gene((uint32_t)pt_rng_below(rng, OPS), rng);
  return p;
}

static PtValueId weight(PtGraph *g, const char *name, uint32_t rank, const int64_t *dims) {
  PtTensor *t = pt_graph_tensor(g, PT_FLOAT, rank, dims, NULL);
  return pt_graph_add_constant(g, name, t);
}

static char *named(const char *prefix, const char *stem, uint32_t i) {
  return g_strdup_printf("%s%s%u", prefix ? prefix : "", stem, i);
}

static PtValueId add_conv(PtGraph *g, const Gene *x, PtValueId in, int32_t from, const char *prefix,
                          uint32_t i) {
  int64_t dims[] = {x->width, from, x->kernel, x->kernel}, k[] = {x->kernel, x->kernel},
          p = x->kernel / 2, pads[] = {p, p, p, p};
  g_autofree char *name = named(prefix, "c", i);
  PtValueId ins[] = {in, weight(g, name, 4, dims)};
  PtValueId out = pt_graph_add_op(g, "Conv", ins, 2);
  PtNodeId node = pt_value(g, out)->producer;
  pt_node_set_ints(g, node, "kernel_shape", k, 2);
  pt_node_set_ints(g, node, "pads", pads, 4);
  return out;
}

PtGraph *planted_graph(const Piece *piece, const char *prefix) {
  static const char *const names[] = {"Conv", "BatchNormalization", "Relu", "Sigmoid",
                                      "Tanh", "HardSwish",          "Add",  "Mul"};
  PtGraph *g = pt_graph_new();
  pt_graph_set_opset(g, "", 17);
  g->ir_version = 8;
  PtDim dims[] = {{1, NULL}, {32, NULL}, {16, NULL}, {16, NULL}};
  PtType type = pt_type_tensor(g, PT_FLOAT, 4, dims);
  PtValueId made[GENES + 1] = {pt_graph_add_input(g, "x", &type)};
  int32_t width[GENES + 1] = {32};
  for (uint32_t i = 0; i < piece->n; i++) {
    const Gene *x = &piece->genes[i];
    PtValueId in = made[i];
    width[i + 1] = width[i];
    if (x->op == CONV) {
      made[i + 1] = add_conv(g, x, in, width[i], prefix, i);
      width[i + 1] = x->width;
    } else if (x->op == NORM) {
      int64_t one = width[i];
      PtValueId ins[5] = {in};
      for (uint32_t k = 1; k < 5; k++) {
        g_autofree char *name = named(prefix, "n", i * 8 + k);
        ins[k] = weight(g, name, 1, &one);
      }
      made[i + 1] = pt_graph_add_op(g, names[x->op], ins, 5);
    } else if (x->op >= ADD) {
      uint32_t back = MIN(x->back, i);
      PtValueId ins[] = {in, width[i - back] == width[i] ? made[i - back] : in};
      made[i + 1] = pt_graph_add_op(g, names[x->op], ins, 2);
    } else
      made[i + 1] = pt_graph_add_op(g, names[x->op], &in, 1);
  }
  pt_graph_add_output(g, made[piece->n]);
  g_assert_true(pt_sight_types(g, NULL));
  return g;
}

/* Weights lie in the noise, as the program has them. */
static void show_file(PtSight *sight, const PtGraph *g, double id, bool longer) {
  g_autoptr(PtGraph) copy = pt_graph_copy(g);
  PtNoise noise;
  PtNoiseNeed need = {0};
  PtSeed seed;
  pt_seed_init(&seed, "places");
  g_autoptr(PtRng) rng = pt_rng_new(&seed, "places", (uint64_t)(id * 1e9));
  pt_noise_need(copy, &need);
  g_assert_true(pt_noise_init_for(&noise, "00000000000000000000000000000000", &need, NULL));
  for (PtValueId v = 0; v < pt_graph_n_values(copy); v++)
    if (pt_value(copy, v)->constant) {
      PtTensor *t = pt_value(copy, v)->constant;
      t->location = PT_NOISE_FILE;
      t->offset = 4 * pt_rng_below(rng, noise.floats - t->count + 1);
    }
  GError *error = NULL;
  PtOnnxWriteOptions options = {.producer = longer ? "a note of eighty bytes that somebody forgot "
                                                     "to take out of it before it was sent"
                                                   : NULL};
  g_autoptr(GBytes) bytes = pt_onnx_write_bytes(copy, &options, NULL, &error);
  g_assert_no_error(error);
  pt_sight_file(sight, copy, bytes, id, &noise);
}

void planted_bucket(PtCase *t, const Piece *pieces, uint32_t n, PtRng *rng, const char *files) {
  g_autofree uint32_t *order = g_new(uint32_t, n);
  g_autoptr(GPtrArray) graphs = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  uint32_t real = 0;
  bool longer = files && g_str_equal(files, PLANTED_LONGER);
  for (uint32_t i = 0; i < n; i++)
    order[i] = i;
  pt_rng_shuffle(rng, order, n, sizeof *order);
  for (uint32_t i = 0; i < n; i++) {
    real = order[i] == 0 ? i : real;
    g_ptr_array_add(graphs,
                    planted_graph(&pieces[order[i]], order[i] == 0 && !longer ? files : NULL));
  }
  pt_case_add_bucket(t, graphs, real);
  for (uint32_t i = 0; files && i < n; i++)
    show_file(t->sights->pdata[t->sights->len - n + i], graphs->pdata[i], pt_rng_unit(rng),
              longer && i == real);
}
