/* tells: what a reader of the bundle can see without knowing any model: does anything mark the real
 * pieces, or the sentinels? For each candidate: does ONNX Runtime take it at every level, what does
 * it compute on noise, is what optimizers make of it explained, and what is in the file. Three
 * tables: flags (share of real pieces, share of sentinels, buckets in which the real piece stands
 * alone with it); numbers (the place of the real piece among its bucket, and how often it is the
 * least or the most); things of a kind (how often a candidate has one that no other of its bucket
 * has, or lacks one that all others have). */
#include "heap.h"

#include "onnx/onnx.h"
#include "ops/ops.h"
#include "rebind/rebind.h"
#include "runtime/runtime.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static PtObfuscateOptions asked = {.k = 20, .seed = "tells"};
static char *levels;
static gboolean verbose, per_model, no_run;

/* ---- what is looked at
 * -------------------------------------------------------------------------------- */
enum {
  F_REFUSED_NONE,
  F_REFUSED_BASIC,
  F_REFUSED_EXTENDED,
  F_REFUSED_ALL,
  F_REFUSED_NATIVE,
  F_NOT_RUN,
  F_NOT_FINITE,
  F_ZERO,
  F_CONSTANT,
  F_COPY,
  F_CHANGED,
  F_UNEXPLAINED_BASIC,
  F_UNEXPLAINED_EXTENDED,
  F_UNEXPLAINED_ALL,
  F_INTERFACE,
  F_OPSETS,
  F_FOLDABLE,
  F_TWICE,
  N_FLAGS
};
static const char *const flag_names[N_FLAGS] = {
    "refused, no optimization", "refused, basic",     "refused, extended", "refused, all",
    "refused, all native",      "does not run",       "output not finite", "output all zero",
    "output all one value",     "output is an input", "changed by all",    "unexplained, basic",
    "unexplained, extended",    "unexplained, all",   "another interface", "other imports",
    "a node of constants only", "the same node twice"};

enum {
  X_NODES,
  X_BYTES,
  X_CONSTANTS,
  X_WEIGHTS,
  X_ELEMENTS,
  X_LARGEST,
  X_SCALARS,
  X_TABLES,
  X_TABLE,
  X_OPERATORS,
  X_EDGES,
  X_ATTRS,
  X_AFTER_BASIC,
  X_AFTER_ALL,
  X_RATIO,
  X_MAGNITUDE,
  N_NUMBERS
};
static const char *const number_names[N_NUMBERS] = {
    "nodes",          "file bytes", "constants",         "weights",         "weight elements",
    "largest weight", "scalars",    "integer tables",    "largest table",   "kinds of operators",
    "edges",          "attributes", "nodes after basic", "nodes after all", "share left by all",
    "log |output|"};

enum { T_OPERATOR, T_NODE, T_TABLE, T_SCALAR, T_WEIGHT, T_DTYPE, T_PAIR, N_THINGS };
static const char *const thing_names[N_THINGS] = {
    "operator",       "operator with attributes", "integer table",    "float scalar",
    "weight's shape", "type of constant",         "pair of operators"};

typedef struct Look {
  uint32_t flags;
  double number[N_NUMBERS];     /* NAN: not known */
  GHashTable *things[N_THINGS]; /* char* */
} Look;

static void look_clear(Look *look) {
  for (int t = 0; t < N_THINGS; t++)
    g_clear_pointer(&look->things[t], g_hash_table_unref);
}

/* ---- the file
 * ---------------------------------------------------------------------------------------- */
static void add_thing(Look *look, int kind, char *text) {
  g_hash_table_add(look->things[kind], text);
}

static char *attr_text(const PtAttr *a) {
  GString *s = g_string_new(a->name);
  for (uint32_t i = 0; i < a->count; i++)
    if (a->kind == PT_ATTR_INT || a->kind == PT_ATTR_INTS)
      g_string_append_printf(s, ",%" G_GINT64_FORMAT, a->as.ints[i]);
    else if (a->kind == PT_ATTR_FLOAT || a->kind == PT_ATTR_FLOATS)
      g_string_append_printf(s, ",%g", (double)a->as.floats[i]);
    else if (a->kind == PT_ATTR_STRING || a->kind == PT_ATTR_STRINGS) {
      gsize size;
      const char *text = g_bytes_get_data(a->as.strings[i], &size);
      g_string_append_printf(s, ",%.*s", (int)size, text ? text : "");
    }
  return g_string_free(s, FALSE);
}

static void look_at_node(const PtGraph *g, const PtNode *node, Look *look) {
  add_thing(look, T_OPERATOR, g_strdup(node->op_type));
  GString *s = g_string_new(node->op_type);
  for (uint32_t i = 0; i < node->n_attrs; i++) {
    g_autofree char *text = attr_text(&node->attrs[i]);
    g_string_append_printf(s, " %s", text);
  }
  look->number[X_ATTRS] += node->n_attrs;
  add_thing(look, T_NODE, g_string_free(s, FALSE));
  for (uint32_t i = 0; i < node->n_inputs; i++) {
    PtNodeId from = node->inputs[i] == PT_NONE ? PT_NONE : pt_value(g, node->inputs[i])->producer;
    look->number[X_EDGES] += from != PT_NONE;
    if (from != PT_NONE)
      add_thing(look, T_PAIR, g_strconcat(pt_node(g, from)->op_type, " ", node->op_type, NULL));
  }
}

static void look_at_constant(const PtTensor *t, Look *look) {
  GString *s = g_string_new(pt_dtype_name(t->dtype));
  for (uint32_t i = 0; i < t->rank; i++)
    g_string_append_printf(s, " %" G_GINT64_FORMAT, t->dims[i]);
  add_thing(look, T_DTYPE, g_strdup(pt_dtype_name(t->dtype)));
  look->number[X_CONSTANTS]++;
  bool bytes = t->dtype == PT_INT8 || t->dtype == PT_UINT8; /* quantized weights */
  if ((pt_dtype_is_float(t->dtype) || bytes) && t->count > 1) {
    look->number[X_WEIGHTS]++;
    look->number[X_ELEMENTS] += (double)t->count;
    look->number[X_LARGEST] = MAX(look->number[X_LARGEST], (double)t->count);
    add_thing(look, T_WEIGHT, g_string_free(s, FALSE));
    return;
  }
  if (pt_dtype_is_float(t->dtype)) {
    look->number[X_SCALARS]++;
    g_string_append_printf(s, " = %g", pt_tensor_float_at(t, 0));
    add_thing(look, T_SCALAR, g_string_free(s, FALSE));
    return;
  }
  look->number[X_TABLES]++;
  look->number[X_TABLE] = MAX(look->number[X_TABLE], (double)t->count);
  if (t->data && t->size > 0) {
    g_autofree char *hash = pt_sha256_hex(t->data, t->size);
    g_string_append_printf(s, " %.12s", hash);
    int64_t v[8];
    int64_t n = pt_tensor_ints(t, v, 8);
    for (int64_t i = 0; i < n; i++)
      g_string_append_printf(s, ",%" G_GINT64_FORMAT, v[i]);
  }
  add_thing(look, T_TABLE, g_string_free(s, FALSE));
}

static bool same_attrs(const PtNode *a, const PtNode *b) {
  if (a->n_attrs != b->n_attrs)
    return false;
  for (uint32_t i = 0; i < a->n_attrs; i++) {
    g_autofree char *x = attr_text(&a->attrs[i]), *y = attr_text(&b->attrs[i]);
    if (!g_str_equal(x, y))
      return false;
  }
  return true;
}

static bool same_node(const PtNode *a, const PtNode *b) {
  return g_str_equal(a->op_type, b->op_type) && a->n_inputs == b->n_inputs &&
         memcmp(a->inputs, b->inputs, a->n_inputs * sizeof *a->inputs) == 0 && same_attrs(a, b);
}

static void look_at_file(const PtGraph *g, Look *look) {
  for (int t = 0; t < N_THINGS; t++)
    look->things[t] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  look->number[X_NODES] = pt_graph_n_nodes(g);
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *node = pt_node(g, i);
    look_at_node(g, node, look);
    bool constant = node->n_inputs > 0;
    for (uint32_t j = 0; j < node->n_inputs; j++)
      constant &= node->inputs[j] == PT_NONE || pt_value(g, node->inputs[j])->constant != NULL;
    look->flags |= (uint32_t)constant << F_FOLDABLE;
    for (PtNodeId j = 0; j < i; j++)
      if (same_node(node, pt_node(g, j)))
        look->flags |= 1u << F_TWICE;
  }
  for (PtValueId v = 0; v < pt_graph_n_values(g); v++)
    if (pt_value(g, v)->constant)
      look_at_constant(pt_value(g, v)->constant, look);
  look->number[X_OPERATORS] = g_hash_table_size(look->things[T_OPERATOR]);
}

static bool same_interface(const PtGraph *a, const PtGraph *b) {
  if (a->inputs->len != b->inputs->len || a->outputs->len != b->outputs->len)
    return false;
  for (uint32_t i = 0; i < a->inputs->len; i++) {
    const PtValue *x = pt_value(a, pt_graph_input(a, i)), *y = pt_value(b, pt_graph_input(b, i));
    if (!pt_type_equal(&x->type, &y->type) || !g_str_equal(x->name, y->name))
      return false;
  }
  for (uint32_t i = 0; i < a->outputs->len; i++) {
    const PtValue *x = pt_value(a, pt_graph_output(a, i)), *y = pt_value(b, pt_graph_output(b, i));
    if (!pt_type_equal(&x->type, &y->type) || !g_str_equal(x->name, y->name))
      return false;
  }
  return true;
}

static bool same_imports(const PtGraph *a, const PtGraph *b) {
  if (a->opsets->len != b->opsets->len || a->ir_version != b->ir_version)
    return false;
  for (guint i = 0; i < a->opsets->len; i++) {
    const PtOpset *x = &g_array_index(a->opsets, PtOpset, i),
                  *y = &g_array_index(b->opsets, PtOpset, i);
    if (x->version != y->version || !g_str_equal(x->domain, y->domain))
      return false;
  }
  return true;
}

/* ---- what it computes
 * --------------------------------------------------------------------------------- */
static double element(const PtArray *a, size_t i) {
  if (a->dtype == PT_FLOAT)
    return (double)((const float *)a->data)[i];
  if (a->dtype == PT_DOUBLE)
    return ((const double *)a->data)[i];
  return NAN;
}

static void look_at_output(const PtArray *a, GPtrArray *inputs, Look *look) {
  if (!a || a->count == 0 || (a->dtype != PT_FLOAT && a->dtype != PT_DOUBLE))
    return;
  bool finite = true, zero = true, same = true;
  double sum = 0, first = element(a, 0);
  for (size_t i = 0; i < a->count; i++) {
    double x = element(a, i);
    finite &= isfinite(x) != 0;
    zero &= x == 0;
    same &= x == first;
    sum += fabs(x);
  }
  if (!finite)
    look->flags |= 1u << F_NOT_FINITE;
  else if (zero)
    look->flags |= 1u << F_ZERO;
  else if (same && a->count > 1)
    look->flags |= 1u << F_CONSTANT;
  for (guint i = 0; i < inputs->len; i++) {
    const PtArray *in = inputs->pdata[i];
    if (in->size == a->size && in->dtype == a->dtype && memcmp(in->data, a->data, a->size) == 0)
      look->flags |= 1u << F_COPY;
  }
  if (finite && !zero)
    look->number[X_MAGNITUDE] = log(sum / (double)a->count);
}

static GPtrArray *run_once(PtGraph *g, const PtGraph *real, GPtrArray *inputs, PtLevel level,
                           GError **error) {
  PtSessionOptions options = {.level = level, .threads = 1};
  g_autoptr(PtSession) session = pt_session_new(g, &options, error);
  if (!session)
    return NULL;
  g_autofree PtArray **ordered = pt_session_order_inputs(session, real, inputs, error);
  return ordered ? pt_session_run(session, ordered, error) : NULL;
}

static void look_at_runs(PtGraph *g, const PtGraph *real, GPtrArray *inputs, const char *id,
                         Look *look) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) plain = run_once(g, real, inputs, PT_LEVEL_NONE, &error);
  look->number[X_MAGNITUDE] = NAN;
  if (!plain) {
    look->flags |= 1u << F_NOT_RUN;
    if (verbose)
      printf("  %s: %s\n", id, error->message);
    return;
  }
  for (guint i = 0; i < plain->len; i++)
    look_at_output(plain->pdata[i], inputs, look);
  g_autoptr(GPtrArray) fast = run_once(g, real, inputs, PT_LEVEL_ALL, NULL);
  for (guint i = 0; fast && i < plain->len; i++)
    if (plain->pdata[i] && fast->pdata[i] && !(look->flags & 1u << F_NOT_FINITE) &&
        pt_array_difference(plain->pdata[i], fast->pdata[i]) > 1e-3)
      look->flags |= 1u << F_CHANGED;
}

/* ---- what optimizers make of it
 * ----------------------------------------------------------------------- */
/* As explain wants it: weights by their place in noise.bin. */
static PtGraph *read_sent(const PtHeap *heap, const char *id) {
  const PtOnnxReadOptions named = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  g_autofree char *file = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(heap->bundle, file, NULL);
  return pt_onnx_read(path, &named, NULL);
}

static void look_at_level(const PtHeap *heap, PtGraph *g, const char *id, const char *label,
                          char letter, Look *look) {
  static const char letters[] = "obean";
  static const PtLevel of[] = {PT_LEVEL_NONE, PT_LEVEL_BASIC, PT_LEVEL_EXTENDED, PT_LEVEL_ALL,
                               PT_LEVEL_ALL};
  static const int unexplained[] = {-1, F_UNEXPLAINED_BASIC, F_UNEXPLAINED_EXTENDED,
                                    F_UNEXPLAINED_ALL, -1};
  int l = (int)(strchr(letters, letter) - letters);
  g_autofree char *out = g_build_filename(heap->folder, "out.onnx", NULL);
  g_autoptr(GError) error = NULL;
  PtSessionOptions options = {.level = of[l], .native = letter == 'n', .threads = 1};
  if (unexplained[l] >= 0)
    options.save_path = out;
  g_autoptr(PtSession) session = pt_session_new(g, &options, &error);
  if (!session) {
    look->flags |= 1u << (F_REFUSED_NONE + l);
    if (verbose)
      printf("  %s %c: %s\n", label, letter, error->message);
    return;
  }
  g_autoptr(PtGraph) answer = options.save_path ? pt_onnx_read(out, NULL, &error) : NULL;
  if (answer) {
    double left = pt_graph_n_nodes(answer);
    if (letter == 'b')
      look->number[X_AFTER_BASIC] = left;
    if (letter == 'a') {
      look->number[X_AFTER_ALL] = left;
      look->number[X_RATIO] = left / pt_graph_n_nodes(g);
    }
  }
  g_autoptr(PtGraph) sent = options.save_path ? read_sent(heap, id) : NULL;
  if (options.save_path && (!answer || !pt_rebind_explain(answer, sent, &heap->noise, &error))) {
    look->flags |= 1u << unexplained[l];
    if (verbose)
      printf("  %s %c: %s\n", label, letter, error->message);
  }
}

static GPtrArray *inputs_for(const PtGraph *real) {
  PtSeed seed;
  pt_seed_init(&seed, "tells");
  return pt_runtime_random_inputs(real, &seed, 3, NULL);
}

typedef struct Looking {
  const PtHeap *heap;
  const PtHeapBucket *bucket;
  GPtrArray *inputs;
  Look *looks;
} Looking;

static void look_at(const Looking *l, guint i) {
  Look *look = &l->looks[i];
  PtGraph *g = l->bucket->graphs->pdata[i], *real = l->bucket->graphs->pdata[0];
  const char *id = l->bucket->ids->pdata[i];
  g_autofree char *label = g_strdup_printf("%s %.8s", i ? "sentinel" : "REAL", id);
  look_at_file(g, look);
  look->number[X_BYTES] = (double)pt_heap_file_size(l->heap, id);
  if (!same_interface(g, real))
    look->flags |= 1u << F_INTERFACE;
  if (!same_imports(g, real))
    look->flags |= 1u << F_OPSETS;
  for (const char *c = levels; *c && !no_run; c++)
    look_at_level(l->heap, g, id, label, *c, look);
  if (l->inputs && !no_run)
    look_at_runs(g, real, l->inputs, label, look);
  if (verbose)
    for (int f = F_NOT_FINITE; f <= F_CHANGED; f++)
      if (look->flags >> f & 1)
        printf("  %s: %s\n", label, flag_names[f]);
}

/* ---- sums
 * ------------------------------------------------------------------------------------------------
 */
typedef struct Sums {
  uint32_t buckets, sentinels, missing;
  uint32_t flag[N_FLAGS][2], alone[N_FLAGS]; /* real, sentinels; buckets where only the real has it,
                                                or only it has it not */
  double place[N_NUMBERS];
  double least[N_NUMBERS], most[N_NUMBERS]; /* the real one is; ties shared */
  uint32_t placed[N_NUMBERS];
  uint32_t has[N_THINGS][2], lacks[N_THINGS][2];
} Sums;

static void sum_flags(Sums *s, const Look *looks, guint n) {
  for (int f = 0; f < N_FLAGS; f++) {
    uint32_t real = looks[0].flags >> f & 1, others = 0;
    for (guint i = 1; i < n; i++)
      others += looks[i].flags >> f & 1;
    s->flag[f][0] += real;
    s->flag[f][1] += others;
    s->alone[f] += n > 1 && (real ? others == 0 : others == n - 1);
  }
}

static void sum_numbers(Sums *s, const Look *looks, guint n) {
  for (int x = 0; x < N_NUMBERS; x++) {
    double real = looks[0].number[x], below = 0, same = 0, above = 0;
    if (isnan(real))
      continue;
    for (guint i = 1; i < n; i++) {
      below += looks[i].number[x] < real;
      same += looks[i].number[x] == real;
      above += looks[i].number[x] > real;
    }
    if (below + same + above == 0)
      continue;
    s->placed[x]++;
    s->place[x] += (below + same / 2) / (below + same + above);
    s->least[x] += below == 0 ? 1 / (same + 1) : 0;
    s->most[x] += above == 0 ? 1 / (same + 1) : 0;
  }
}

static void sum_things(Sums *s, const Look *looks, guint n, const char *model) {
  for (int t = 0; t < N_THINGS && n > 2; t++) {
    g_autoptr(GHashTable) count = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iter;
    gpointer text, number;
    for (guint i = 0; i < n; i++) {
      g_hash_table_iter_init(&iter, looks[i].things[t]);
      while (g_hash_table_iter_next(&iter, &text, NULL)) {
        guint c = GPOINTER_TO_UINT(g_hash_table_lookup(count, text));
        g_hash_table_insert(count, text, GUINT_TO_POINTER(c + 1));
      }
    }
    for (guint i = 0; i < n; i++) {
      bool has = false, lacks = false;
      g_hash_table_iter_init(&iter, count);
      while (g_hash_table_iter_next(&iter, &text, &number)) {
        bool own = g_hash_table_contains(looks[i].things[t], text);
        has |= own && GPOINTER_TO_UINT(number) == 1;
        lacks |= !own && GPOINTER_TO_UINT(number) == n - 1;
        if (verbose && i == 0 && own && GPOINTER_TO_UINT(number) == 1)
          printf("  %s: only the real piece has the %s %s\n", model, thing_names[t], (char *)text);
      }
      s->has[t][i > 0] += has;
      s->lacks[t][i > 0] += lacks;
    }
  }
}

static void add_sums(Sums *to, const Sums *s) {
  to->buckets += s->buckets;
  to->sentinels += s->sentinels;
  to->missing += s->missing;
  for (int f = 0; f < N_FLAGS; f++) {
    to->flag[f][0] += s->flag[f][0];
    to->flag[f][1] += s->flag[f][1];
    to->alone[f] += s->alone[f];
  }
  for (int x = 0; x < N_NUMBERS; x++) {
    to->place[x] += s->place[x];
    to->least[x] += s->least[x];
    to->most[x] += s->most[x];
    to->placed[x] += s->placed[x];
  }
  for (int t = 0; t < N_THINGS; t++)
    for (int i = 0; i < 2; i++) {
      to->has[t][i] += s->has[t][i];
      to->lacks[t][i] += s->lacks[t][i];
    }
}

static double share(uint32_t count, uint32_t of) {
  return of ? (double)count / of : 0;
}

static void print_sums(const char *what, const Sums *s) {
  printf("%s: %u buckets, %u sentinels, %u missing\n", what, s->buckets, s->sentinels, s->missing);
  printf("  %-26s %8s %9s %12s\n", "", "real", "sentinel", "real alone");
  for (int f = 0; f < N_FLAGS; f++)
    if (s->flag[f][0] || s->flag[f][1])
      printf("  %-26s %8.3f %9.3f %8u\n", flag_names[f], share(s->flag[f][0], s->buckets),
             share(s->flag[f][1], s->sentinels), s->alone[f]);
  printf("  %-26s %8s %9s %9s   (chance .5, %.3f, %.3f)\n", "", "place", "least", "most",
         1.0 / (asked.k + 1), 1.0 / (asked.k + 1));
  for (int x = 0; x < N_NUMBERS; x++)
    if (s->placed[x])
      printf("  %-26s %8.3f %9.3f %9.3f\n", number_names[x], s->place[x] / s->placed[x],
             s->least[x] / s->placed[x], s->most[x] / s->placed[x]);
  printf("  %-26s %17s %19s\n", "", "only it has", "only it lacks");
  printf("  %-26s %8s %9s %9s %9s\n", "", "real", "sentinel", "real", "sentinel");
  for (int t = 0; t < N_THINGS; t++)
    printf("  %-26s %8.3f %9.3f %9.3f %9.3f\n", thing_names[t], share(s->has[t][0], s->buckets),
           share(s->has[t][1], s->sentinels), share(s->lacks[t][0], s->buckets),
           share(s->lacks[t][1], s->sentinels));
  fflush(stdout);
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------- */
static void look_at_bucket(const PtHeap *heap, const PtHeapBucket *bucket, const char *model,
                           Sums *sums) {
  guint n = bucket->graphs->len;
  g_autofree Look *looks = g_new0(Look, n);
  g_autoptr(GPtrArray) inputs = inputs_for(bucket->graphs->pdata[0]);
  Looking l = {heap, bucket, inputs, looks};
  for (guint i = 0; i < n; i++)
    look_at(&l, i);
  sums->buckets++;
  sums->sentinels += n - 1;
  sum_flags(sums, looks, n);
  sum_numbers(sums, looks, n);
  sum_things(sums, looks, n, model);
  for (guint i = 0; i < n; i++)
    look_clear(&looks[i]);
}

static bool look_at_model(const char *path, Sums *all, GError **error) {
  g_autoptr(PtHeap) heap = pt_heap_new(path, &asked, error);
  if (!heap)
    return false;
  g_autofree char *name = g_path_get_basename(path);
  if (verbose)
    printf("%s\n", name);
  Sums sums = {.missing = heap->report.missing};
  for (guint b = 0; b < heap->buckets->len; b++)
    look_at_bucket(heap, heap->buckets->pdata[b], name, &sums);
  if (per_model)
    print_sums(name, &sums);
  else
    fprintf(stderr, "%s: %u buckets, %u sentinels, %u missing, %.1f s\n", name, sums.buckets,
            sums.sentinels, sums.missing, heap->report.seconds);
  add_sums(all, &sums);
  return true;
}

int main(int argc, char **argv) {
  GOptionEntry entries[] = {
      {"levels", 'l', 0, G_OPTION_ARG_STRING, &levels, "of o, b, e, a, n", "obean"},
      {"no-run", 0, 0, G_OPTION_ARG_NONE, &no_run, "look at files only", NULL},
      {"per-model", 'p', 0, G_OPTION_ARG_NONE, &per_model, "tables for each model", NULL},
      {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "name the candidates", NULL},
      {0}};
  GError *error = NULL;
  if (!pt_heap_arguments(&argc, &argv, "MODEL.onnx...", entries, &asked))
    return 2;
  levels = levels ? levels : g_strdup("obean");
  Sums all = {0};
  bool ok = true;
  for (int i = 1; i < argc; i++)
    if (!look_at_model(argv[i], &all, &error)) {
      printf("%s: %s\n", argv[i], error->message);
      g_clear_error(&error);
      ok = false;
    }
  print_sums("all", &all);
  return ok ? 0 : 1;
}
