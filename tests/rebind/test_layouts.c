/* Rebinding of constants that are made here by hand, element by element, from noise and from the
 * real weights alike: whatever order an optimizer puts them in, the derivation computes the same
 * from the real ones. */
#include "pieces.h"
#include "way.h"

#include <math.h>
#include <string.h>

/* The weights at hand: A [20,12,3,3] B [12,7] C [12,9] D [6,5,4,3,2] v [20] s [20] (positive), H
 * [7,10] as float16 */
enum { A, B, C, D, V, S, N_WEIGHTS };
static const int64_t counts[N_WEIGHTS] = {20 * 12 * 9, 12 * 7, 12 * 9, 720, 20, 20};

typedef struct {
  PtWay way;
  float *noise[N_WEIGHTS];
  const float *real[N_WEIGHTS];
  const PtTensor *slice[N_WEIGHTS]; /* the candidate's */
} Bench;

static PtGraph *make_piece(PtValueId *weights) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(1, 12, 5, 5));
  weights[A] = pt_piece_weight(g, PT_FLOAT, false, DIMS(20, 12, 3, 3));
  weights[B] = pt_piece_weight(g, PT_FLOAT, false, DIMS(12, 7));
  weights[C] = pt_piece_weight(g, PT_FLOAT, false, DIMS(12, 9));
  weights[D] = pt_piece_weight(g, PT_FLOAT, false, DIMS(6, 5, 4, 3, 2));
  weights[V] = pt_piece_weight(g, PT_FLOAT, false, DIMS(20));
  weights[S] = pt_piece_weight(g, PT_FLOAT, true, DIMS(20, 1, 1));
  PtValueId y = pt_piece_op(g, "Conv", x, weights[A], weights[V], PT_NONE);
  y = pt_piece_op(g, "Mul", y, weights[S], PT_NONE);
  pt_graph_add_output(g, y);
  PtValueId rest[3] = {weights[B], weights[C], weights[D]};
  for (int i = 0; i < 3; i++) /* used, so that they stay */
    pt_graph_add_output(
        g, pt_piece_op(g, "Add", rest[i], pt_piece_input(g, PT_FLOAT, DIMS(1)), PT_NONE));
  GError *error = NULL;
  pt_runtime_infer_types(g, &error);
  g_assert_no_error(error);
  return g;
}

static void bench_open(Bench *b) {
  PtValueId weights[N_WEIGHTS];
  g_autoptr(PtGraph) piece = make_piece(weights);
  GError *error = NULL;
  pt_way_open(&b->way, piece, NULL, &error);
  g_assert_no_error(error);
  for (int i = 0; i < N_WEIGHTS; i++) {
    const PtTensor *real = pt_value(piece, weights[i])->constant;
    b->real[i] = (const float *)(const void *)real->data;
    b->noise[i] = g_new(float, counts[i]);
    for (guint k = 0; k < b->way.source->len; k++) {
      PtScrubbed s = g_array_index(b->way.source, PtScrubbed, k);
      if (s.original == weights[i])
        b->slice[i] = pt_value(b->way.candidate, s.candidate)->constant;
    }
    g_assert_true(
        pt_noise_bytes(&b->way.noise, b->slice[i]->offset, (size_t)counts[i] * 4, b->noise[i]));
  }
}

static void bench_close(Bench *b) {
  for (int i = 0; i < N_WEIGHTS; i++)
    g_free(b->noise[i]);
  pt_way_close(&b->way);
}

/* An answer whose constants are these. */
static PtGraph *answer_of(PtTensor *(*make)(PtGraph *g, void *data), void *data) {
  PtGraph *g = pt_piece_graph(17);
  PtValueId x = pt_piece_input(g, PT_FLOAT, DIMS(1));
  PtTensor *t = make(g, data);
  PtValueId c = pt_graph_add_constant(g, "c", t);
  PtValueId y = pt_piece_op(g, t->dtype == PT_FLOAT ? "Add" : "Identity", c, x, PT_NONE);
  if (t->dtype != PT_FLOAT)
    pt_node(g, pt_piece_node(g, y))->n_inputs = 1;
  pt_graph_add_output(g, y);
  return g;
}

typedef void (*Fill)(float *const *w, float *out);
typedef struct {
  const char *name;
  Fill fill;
  uint32_t rank;
  int64_t dims[6];
} Layout;

#define AT_A(o, i, h, w) (((o)*12 + (i)) * 9 + (h)*3 + (w))
#define AT_D(a, b, c, d, e) (((((a)*5 + (b)) * 4 + (c)) * 3 + (d)) * 2 + (e))

static float a_or_zero(const float *a, int64_t o, int64_t i, int64_t h, int64_t w) {
  return o < 20 && i < 12 ? a[AT_A(o, i, h, w)] : 0;
}

static void blocked(const float *a, float *out, int64_t o_all, int64_t i_all, int64_t block,
                    bool both) {
  int64_t in_block = both ? block : 1;
  for (int64_t o = 0; o < o_all; o++)
    for (int64_t i = 0; i < i_all; i++)
      for (int64_t h = 0; h < 3; h++)
        for (int64_t w = 0; w < 3; w++) {
          int64_t at = o / block * (i_all / in_block) + i / in_block;
          at = ((at * 3 + h) * 3 + w) * in_block + i % in_block;
          out[at * block + o % block] = a_or_zero(a, o, i, h, w);
        }
}

static void both_8(float *const *w, float *out) {
  blocked(w[A], out, 24, 16, 8, true);
}
static void both_16(float *const *w, float *out) {
  blocked(w[A], out, 32, 16, 16, true);
}
static void both_4(float *const *w, float *out) {
  blocked(w[A], out, 20, 12, 4, true);
}
static void outer_8(float *const *w, float *out) {
  blocked(w[A], out, 24, 12, 8, false);
}
static void outer_16(float *const *w, float *out) {
  blocked(w[A], out, 32, 12, 16, false);
}

/* A * s, blocked and padded: a formula under a layout */
static void scaled_16(float *const *w, float *out) {
  float product[20 * 108];
  for (int i = 0; i < 20 * 108; i++)
    product[i] = w[A][i] * w[S][i / 108];
  blocked(product, out, 32, 16, 16, true);
}

static void transposed(float *const *w, float *out) {
  for (int i = 0; i < 84; i++)
    out[i] = w[B][i % 12 * 7 + i / 12];
}

static void permuted(float *const *w, float *out) { /* D by (3,1,4,0,2) */
  for (int d = 0; d < 3; d++)
    for (int b = 0; b < 5; b++)
      for (int e = 0; e < 2; e++)
        for (int a = 0; a < 6; a++)
          for (int c = 0; c < 4; c++)
            *out++ = w[D][AT_D(a, b, c, d, e)];
}

static void sliced(float *const *w, float *out) { /* D[1:4, :, 1:3, 2, :] */
  for (int a = 1; a < 4; a++)
    for (int b = 0; b < 5; b++)
      for (int c = 1; c < 3; c++)
        for (int e = 0; e < 2; e++)
          *out++ = w[D][AT_D(a, b, c, 2, e)];
}

static void merged(float *const *w, float *out) { /* [B | C | B] */
  for (int r = 0; r < 12; r++)
    for (int c = 0; c < 23; c++)
      *out++ = c < 7 ? w[B][r * 7 + c] : c < 16 ? w[C][r * 9 + c - 7] : w[B][r * 7 + c - 16];
}

static void merged_transposed(float *const *w, float *out) {
  for (int c = 0; c < 16; c++)
    for (int r = 0; r < 12; r++)
      *out++ = c < 7 ? w[B][r * 7 + c] : w[C][r * 9 + c - 7];
}

static void rolled(float *const *w, float *out) {
  for (int r = 0; r < 12; r++)
    memcpy(out + r * 7, w[B] + (r + 5) % 12 * 7, 7 * sizeof *out);
}

static void repeated_rows(float *const *w, float *out) {
  for (int i = 0; i < 80; i++)
    out[i] = w[V][i % 20];
}

static void repeated_columns(float *const *w, float *out) {
  for (int i = 0; i < 60; i++)
    out[i] = w[V][i / 3];
}

static void one_repeated(float *const *w, float *out) {
  for (int i = 0; i < 50; i++)
    out[i] = w[V][7];
}

static void zeros_around(float *const *w,
                         float *out) { /* B with 2 rows in front, 1 behind, 3 columns behind */
  for (int r = 0; r < 15; r++)
    for (int c = 0; c < 10; c++)
      *out++ = r >= 2 && r < 14 && c < 7 ? w[B][(r - 2) * 7 + c] : 0;
}

static void padded_bias(float *const *w, float *out) { /* v * s with zeros up to the block */
  for (int i = 0; i < 32; i++)
    out[i] = i < 20 ? w[V][i] * w[S][i] : 0;
}

static void difference(float *const *w, float *out) { /* a pair that no walk meets */
  for (int i = 0; i < 20; i++)
    out[i] = w[S][i] - w[V][i];
}

static void part_of_product(float *const *w, float *out) { /* rows 3 to 12 of A * s */
  for (int i = 0; i < 10 * 108; i++)
    out[i] = w[A][i + 3 * 108] * w[S][3 + i / 108];
}

static const Layout layouts[] = {
    {"OIHW8i8o", both_8, 4, {24, 16, 3, 3}},
    {"OIHW16i16o", both_16, 4, {32, 16, 3, 3}},
    {"OIHW4i4o", both_4, 4, {20, 12, 3, 3}},
    {"OIHW8o", outer_8, 4, {24, 12, 3, 3}},
    {"OIHW16o", outer_16, 4, {32, 12, 3, 3}},
    {"OIHW16i16o of a product", scaled_16, 4, {32, 16, 3, 3}},
    {"transposed", transposed, 2, {7, 12}},
    {"permuted", permuted, 5, {3, 5, 2, 6, 4}},
    {"sliced", sliced, 4, {3, 5, 2, 2}},
    {"merged", merged, 2, {12, 23}},
    {"merged, transposed", merged_transposed, 2, {16, 12}},
    {"rolled", rolled, 2, {12, 7}},
    {"repeated rows", repeated_rows, 2, {4, 20}},
    {"repeated columns", repeated_columns, 2, {20, 3}},
    {"one element repeated", one_repeated, 2, {5, 10}},
    {"zeros around", zeros_around, 2, {15, 10}},
    {"padded bias", padded_bias, 1, {32}},
    {"difference", difference, 1, {20}},
    {"part of a product", part_of_product, 4, {10, 12, 3, 3}},
};

typedef struct {
  const Layout *layout;
  const Bench *bench;
} Made;

static PtTensor *make_layout(PtGraph *g, void *data) {
  const Made *made = data;
  PtTensor *t = pt_graph_tensor(g, PT_FLOAT, made->layout->rank, made->layout->dims, NULL);
  float *out = pt_arena_alloc(g->arena, t->size);
  made->layout->fill((float *const *)made->bench->noise, out);
  t->data = (uint8_t *)out;
  return t;
}

static void test_layouts(void) {
  Bench b;
  bench_open(&b);
  for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
    GError *error = NULL;
    Made made = {&layouts[i], &b};
    PtWayReport report = {0};
    g_autoptr(PtGraph) answer = answer_of(make_layout, &made);
    g_autoptr(PtGraph) bound = pt_way_rebind(&b.way, answer, NULL, &report, &error);
    g_assert_no_error(error);
    const PtTensor *t = pt_value(bound, pt_node(bound, 0)->inputs[0])->constant;
    g_test_message("%s", layouts[i].name);
    g_autofree float *wanted = g_new(float, t->count);
    layouts[i].fill((float *const *)b.real, wanted);
    g_assert_cmpuint(t->rank, ==, layouts[i].rank);
    g_assert_cmpint(memcmp(t->dims, layouts[i].dims, t->rank * sizeof *t->dims), ==, 0);
    g_assert_cmpint(memcmp(t->data, wanted, t->size), ==, 0);
    g_assert_cmpuint(report.bytes, <, 4096);
    g_test_message("%s: %u derivation nodes", layouts[i].name, report.derivations);
  }
  bench_close(&b);
}

/* ---- refused
 * --------------------------------------------------------------------------------------- */
static Bench *now;
static int64_t number; /* what the makers below read */

static PtTensor *copy_of(PtGraph *g, int weight, uint32_t rank, const int64_t *dims) {
  return pt_graph_tensor_copy(g, PT_FLOAT, rank, dims, now->noise[weight]);
}

static PtTensor *one_wrong(PtGraph *g, void *data) {
  (void)data;
  PtTensor *t = copy_of(g, B, 2, (int64_t[]){12, 7});
  ((float *)(void *)t->data)[number] *= 1.001f;
  return t;
}

static PtTensor *not_a_number(PtGraph *g, void *data) {
  (void)data;
  PtTensor *t = copy_of(g, B, 2, (int64_t[]){12, 7});
  ((float *)(void *)t->data)[number] = NAN;
  return t;
}

static PtTensor *swapped(PtGraph *g,
                         void *data) { /* two elements: in the noise, but in no pattern */
  (void)data;
  PtTensor *t = copy_of(g, B, 2, (int64_t[]){12, 7});
  float *f = (float *)(void *)t->data, x = f[10];
  f[10] = f[30];
  f[30] = x;
  return t;
}

static PtTensor *anothers(PtGraph *g, void *data) { /* noise that is none of this candidate's */
  (void)data;
  float values[50];
  uint64_t first = 0;
  for (uint64_t at = 0; at + 50 < now->way.noise.floats / 2; at += 50) {
    bool taken = false;
    for (int i = 0; i < N_WEIGHTS; i++)
      taken |= at * 4 < now->slice[i]->offset + now->slice[i]->size &&
               (at + 50) * 4 > now->slice[i]->offset;
    first = at;
    if (!taken)
      break;
  }
  pt_noise_fill(&now->way.noise, first, 50, values);
  return pt_graph_tensor_copy(g, PT_FLOAT, 1, (int64_t[]){50}, values);
}

static PtTensor *random_numbers(PtGraph *g, void *data) {
  (void)data;
  float values[20];
  for (int i = 0; i < 20; i++)
    values[i] = 0.1f + 0.013f * (float)i;
  return pt_graph_tensor_copy(g, PT_FLOAT, 1, (int64_t[]){20}, values);
}

static PtTensor *one_odd_number(PtGraph *g, void *data) { /* one element, of no origin */
  (void)data;
  float value = 0.7391847f;
  return pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &value);
}

static PtTensor *many_axes(PtGraph *g, void *data) {
  (void)data;
  return copy_of(g, B, 10, (int64_t[]){1, 1, 1, 2, 2, 1, 3, 1, 7, 1});
}

static PtTensor *bytes(PtGraph *g, void *data) {
  (void)data;
  return pt_graph_tensor_copy(g, PT_INT8, 1, (int64_t[]){40}, now->noise[B]);
}

static PtTensor *external(PtGraph *g, const char *location, uint64_t offset, PtDtype dtype,
                          int64_t count) {
  PtTensor *t = pt_graph_tensor(g, dtype, 1, &count, NULL);
  t->location = location;
  t->offset = offset;
  return t;
}

static PtTensor *elsewhere(PtGraph *g, void *data) {
  (void)data;
  return external(g, "../secret.bin", now->slice[B]->offset, PT_FLOAT, 84);
}

static PtTensor *too_long(PtGraph *g, void *data) {
  (void)data;
  return external(g, PT_NOISE_FILE, now->slice[B]->offset, PT_FLOAT, 85);
}

static PtTensor *past_the_end(PtGraph *g, void *data) {
  (void)data;
  return external(g, PT_NOISE_FILE, UINT64_MAX - 100, PT_FLOAT, 84);
}

static PtTensor *other_type(PtGraph *g, void *data) {
  (void)data;
  return external(g, PT_NOISE_FILE, now->slice[B]->offset, PT_INT32, 84);
}

static PtTensor *off_by_a_byte(PtGraph *g, void *data) {
  (void)data;
  return external(g, PT_NOISE_FILE, now->slice[B]->offset + 1, PT_FLOAT, 80);
}

static PtTensor *without_data(PtGraph *g, void *data) {
  (void)data;
  return pt_graph_tensor(g, PT_FLOAT, 1, (int64_t[]){INT64_C(1) << 40}, NULL);
}

static void test_refused(void) {
  static PtTensor *(*const makers[])(PtGraph *, void *) = {
      one_wrong,      not_a_number, swapped,       anothers,    random_numbers,
      one_odd_number, many_axes,    bytes,         elsewhere,   too_long,
      past_the_end,   other_type,   off_by_a_byte, without_data};
  Bench b;
  bench_open(&b);
  now = &b;
  for (size_t i = 0; i < G_N_ELEMENTS(makers); i++)
    for (number = 0; number < 84; number += 83) {
      GError *error = NULL;
      g_autoptr(PtGraph) answer = answer_of(makers[i], NULL);
      g_assert_false(pt_rebind_explain(answer, b.way.candidate, &b.way.noise, &error));
      g_assert_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED);
      g_assert_nonnull(strstr(error->message, "'c'"));
      g_clear_error(&error);
    }
  bench_close(&b);
}

static PtTensor *last_place(PtGraph *g,
                            void *data) { /* A * s, each element off by up to `number` ulps */
  (void)data;
  PtTensor *t = copy_of(g, A, 4, (int64_t[]){20, 12, 3, 3});
  for (int i = 0; i < counts[A]; i++) {
    float x = now->noise[A][i] * now->noise[S][i / 108];
    int32_t bits;
    memcpy(&bits, &x, 4);
    bits += i % 2 ? (int32_t)number : 0;
    memcpy((uint8_t *)t->data + i * 4, &bits, 4);
  }
  return t;
}

/* Another order of rounding is accepted, another value is not. */
static void test_rounding(void) {
  Bench b;
  bench_open(&b);
  now = &b;
  for (number = 0; number <= 64; number += number < 5 ? 1 : 59) {
    GError *error = NULL;
    g_autoptr(PtGraph) answer = answer_of(last_place, NULL);
    bool ok = pt_rebind_explain(answer, b.way.candidate, &b.way.noise, &error);
    g_assert_true(ok == (number <= 4));
    if (!ok)
      g_assert_error(error, PT_REBIND_ERROR, PT_ERR_REFUSED);
    g_clear_error(&error);
  }
  bench_close(&b);
}

static PtTensor *mask(PtGraph *g, void *data) {
  (void)data;
  float values[6] = {0, -3.4028234663852886e+38f, 0, 0, -INFINITY, 1};
  return pt_graph_tensor_copy(g, PT_FLOAT, 2, (int64_t[]){2, 3}, values);
}

static PtTensor *eighth(PtGraph *g, void *data) {
  (void)data;
  float value = 0.35355338f; /* 1 / sqrt(8) */
  return pt_graph_tensor_copy(g, PT_FLOAT, 0, NULL, &value);
}

static PtTensor *indices(PtGraph *g, void *data) {
  (void)data;
  return pt_graph_tensor_copy(g, PT_INT64, 1, (int64_t[]){4}, (int64_t[]){4, 99, -1, 7});
}

/* What is no weight stays as it is. */
static void test_kept(void) {
  static PtTensor *(*const makers[])(PtGraph *, void *) = {mask, eighth, indices};
  Bench b;
  bench_open(&b);
  for (size_t i = 0; i < G_N_ELEMENTS(makers); i++) {
    GError *error = NULL;
    PtWayReport report = {0};
    g_autoptr(PtGraph) answer = answer_of(makers[i], NULL);
    g_autoptr(PtGraph) original = answer_of(makers[i], NULL);
    g_autoptr(PtGraph) bound = pt_way_rebind(&b.way, answer, NULL, &report, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(report.derivations, ==, 0);
    const PtTensor *t = pt_value(bound, pt_graph_find(bound, "c"))->constant;
    const PtTensor *was = pt_value(original, pt_graph_find(original, "c"))->constant;
    g_assert_cmpuint(t->size, ==, was->size);
    g_assert_cmpint(memcmp(t->data, was->data, t->size), ==, 0);
  }
  bench_close(&b);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/rebind/layouts", test_layouts);
  g_test_add_func("/rebind/refused", test_refused);
  g_test_add_func("/rebind/rounding", test_rounding);
  g_test_add_func("/rebind/kept", test_kept);
  return g_test_run();
}
