/* sweep.c: what n, k and r cost and buy: as JSON, as text, as one picture. */
#include "audit/audit.h"
#include "report/report.h"

#include <math.h>

json_t *pt_json_sweep(const GArray *rows) {
  json_t *o = json_object(), *list = json_array();
  for (guint i = 0; i < rows->len; i++) {
    const PtSweepRow *r = &g_array_index(rows, PtSweepRow, i);
    const char varied[2] = {r->varied, 0};
    json_t *row = json_object();
    json_object_set_new(row, "model", pt_json_text(r->model));
    json_object_set_new(row, "varied", json_string(varied));
    json_object_set_new(row, "n", json_integer(r->n));
    json_object_set_new(row, "k", json_integer(r->k));
    json_object_set_new(row, "r", json_integer(r->r));
    json_object_set_new(row, "buckets", json_integer(r->buckets));
    json_object_set_new(row, "candidates", json_integer(r->candidates));
    json_object_set_new(row, "bits", pt_json_real(r->bits));
    json_object_set_new(row, "bits_at_best", pt_json_real(r->most_bits));
    json_object_set_new(row, "kept", pt_json_real(r->kept));
    json_object_set_new(row, "most_dangerous", pt_json_text(r->worst));
    json_object_set_new(row, "log10_candidates", pt_json_real(r->log10_candidates));
    json_object_set_new(row, "obfuscate_seconds", pt_json_real(r->obfuscate_seconds));
    json_object_set_new(row, "optimize_seconds", pt_json_real(r->optimize_seconds));
    json_object_set_new(row, "slowdown", pt_json_real(r->slowdown));
    json_array_append_new(list, row);
  }
  json_object_set_new(o, "rows", list);
  return o;
}

static char *number(const char *format, double value) {
  char text[64];
  return g_strdup(isfinite(value) ? g_ascii_formatd(text, sizeof text, format, value) : "n/a");
}

char *pt_text_sweep(const GArray *rows) {
  enum { COLUMNS = 12 };
  static const char *const head[COLUMNS] = {"model", "varied",    "n",        "k",
                                            "r",     "buckets",   "bits",     "of",
                                            "kept",  "obfuscate", "optimize", "slowdown"};
  PtTable *table = pt_table_new(COLUMNS);
  pt_table_row(table, head);
  for (guint i = 0; i < rows->len; i++) {
    const PtSweepRow *r = &g_array_index(rows, PtSweepRow, i);
    char *cells[COLUMNS] = {g_strdup(r->model),
                            g_strndup(&r->varied, 1),
                            g_strdup_printf("%u", r->n),
                            g_strdup_printf("%u", r->k),
                            g_strdup_printf("%u", r->r),
                            g_strdup_printf("%u", r->buckets),
                            number("%.1f", r->bits),
                            number("%.1f", r->most_bits),
                            number("%.3f", r->kept),
                            pt_human_seconds(r->obfuscate_seconds),
                            pt_human_seconds(r->optimize_seconds),
                            pt_human_percent(r->slowdown)};
    pt_table_row(table, (const char *const *)cells);
    for (guint c = 0; c < COLUMNS; c++)
      g_free(cells[c]);
  }
  return pt_table_finish(table);
}

/* ---- the picture ----------------------------------------------------------------------------- */
enum { WIDTH = 250, HEIGHT = 150, LEFT = 60, TOP = 50, GAP_X = 60, GAP_Y = 60 };
static const char axes[] = {'n', 'k', 'r'};
static const char *const titles[] = {"pieces n", "sentinels k", "steps r"};

typedef struct Measure {
  const char *title;
  size_t at;          /* of the row */
  double times, most; /* most: the axis goes so far at least */
} Measure;
static const Measure measures[] = {
    {"bits kept, the whole model", offsetof(PtSweepRow, bits), 1, 0},
    {"share of the bits kept, %", offsetof(PtSweepRow, kept), 100, 92.6}, /* of the frame: 100 */
    {"candidates left by the paper's, log10", offsetof(PtSweepRow, log10_candidates), 1, 0},
    {"optimizer's time, s", offsetof(PtSweepRow, optimize_seconds), 1, 0},
    {"slowdown, %", offsetof(PtSweepRow, slowdown), 100, 0}};
static const char *const colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e"};

static double value_of(const PtSweepRow *r, const Measure *m) {
  return m->times * *(const double *)(const void *)((const char *)r + m->at);
}
static double place_of(const PtSweepRow *r) {
  return log2(r->varied == 'n' ? r->n : r->varied == 'k' ? r->k : r->r);
}

static void put(GString *s, double x) {
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_string_append(s, g_ascii_formatd(text, sizeof text, "%.1f", x));
}

typedef struct Frame {
  char varied;
  const Measure *measure;
  double left, top, low_x, high_x, low, high;
} Frame;

static void fit_frame(Frame *f, const GArray *rows) {
  f->low_x = INFINITY;
  f->high_x = -INFINITY;
  f->high = f->measure->most > 0 ? f->measure->most : -INFINITY;
  f->low = 0;
  for (guint i = 0; i < rows->len; i++) {
    const PtSweepRow *r = &g_array_index(rows, PtSweepRow, i);
    double y = value_of(r, f->measure);
    if (isfinite(y)) { /* all frames of a measure alike */
      f->low = MIN(f->low, y);
      f->high = MAX(f->high, y);
    }
    if (r->varied == f->varied) {
      f->low_x = MIN(f->low_x, place_of(r));
      f->high_x = MAX(f->high_x, place_of(r));
    }
  }
  f->high = f->high > f->low ? f->low + 1.08 * (f->high - f->low) : f->low + 1;
  f->high_x = f->high_x > f->low_x ? f->high_x : f->low_x + 1;
}

static double x_of(const Frame *f, double place) {
  return f->left + 10 + (WIDTH - 20) * (place - f->low_x) / (f->high_x - f->low_x);
}
static double y_of(const Frame *f, double value) {
  return f->top + HEIGHT * (f->high - value) / (f->high - f->low);
}

static void word(GString *s, double x, double y, const char *more, const char *text) {
  g_autofree char *safe = g_markup_escape_text(text, -1);
  g_string_append(s, "<text x='");
  put(s, x);
  g_string_append(s, "' y='");
  put(s, y);
  g_string_append_printf(s, "'%s>%s</text>", more, safe);
}

static void draw_axes(GString *s, const Frame *f, const GArray *rows, const char *model) {
  g_autofree char *high = number("%.3g", f->high), *low = number("%.3g", f->low);
  g_string_append(s, "<rect fill='none' stroke='#999' x='");
  put(s, f->left);
  g_string_append(s, "' y='");
  put(s, f->top);
  g_string_append_printf(s, "' width='%d' height='%d'/>", WIDTH, HEIGHT);
  word(s, f->left - 5, f->top + 10, " text-anchor='end'", high);
  word(s, f->left - 5, f->top + HEIGHT, " text-anchor='end'", low);
  if (f->low < 0)
    word(s, f->left - 5, y_of(f, 0), " text-anchor='end'", "0");
  for (guint i = 0; i < rows->len; i++) {
    const PtSweepRow *r = &g_array_index(rows, PtSweepRow, i);
    g_autofree char *tick = number("%.0f", exp2(place_of(r)));
    if (r->varied == f->varied && r->model == model)
      word(s, x_of(f, place_of(r)), f->top + HEIGHT + 16, " text-anchor='middle'", tick);
  }
}

static void draw_line(GString *s, const Frame *f, const GArray *rows, const char *model,
                      const char *colour) {
  g_autoptr(GString) points = g_string_new(NULL);
  for (guint i = 0; i < rows->len; i++) {
    const PtSweepRow *r = &g_array_index(rows, PtSweepRow, i);
    double y = value_of(r, f->measure);
    if (r->varied != f->varied || r->model != model || !isfinite(y))
      continue;
    put(points, x_of(f, place_of(r)));
    g_string_append_c(points, ',');
    put(points, y_of(f, y));
    g_string_append_c(points, ' ');
    g_string_append_printf(s, "<circle r='3' fill='%s' cx='", colour);
    put(s, x_of(f, place_of(r)));
    g_string_append(s, "' cy='");
    put(s, y_of(f, y));
    g_string_append(s, "'/>");
  }
  g_string_append_printf(s, "<polyline fill='none' stroke='%s' stroke-width='2' points='%s'/>",
                         colour, points->str);
}

/* Names in order of appearance, borrowed. */
static GPtrArray *models_of(const GArray *rows) {
  GPtrArray *models = g_ptr_array_new();
  for (guint i = 0; i < rows->len; i++) {
    const char *model = g_array_index(rows, PtSweepRow, i).model;
    if (!g_ptr_array_find(models, model, NULL))
      g_ptr_array_add(models, (void *)model);
  }
  return models;
}

char *pt_svg_sweep(const GArray *rows) {
  enum { ACROSS = G_N_ELEMENTS(axes), DOWN = G_N_ELEMENTS(measures) };
  const int width = LEFT + ACROSS * (WIDTH + GAP_X), height = TOP + DOWN * (HEIGHT + GAP_Y) + 20;
  g_autoptr(GPtrArray) models = models_of(rows);
  GString *s = g_string_new(NULL);
  g_string_append_printf(s,
                         "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
                         "font-family='sans-serif' font-size='12'>"
                         "<rect width='%d' height='%d' fill='white'/>",
                         width, height, width, height);
  for (guint m = 0; m < models->len; m++) {
    g_autofree char *more =
        g_strdup_printf(" font-weight='bold' fill='%s'", colours[m % G_N_ELEMENTS(colours)]);
    word(s, LEFT + 140.0 * m, 20, more, models->pdata[m]);
  }
  for (int y = 0; y < DOWN; y++)
    for (int x = 0; x < ACROSS; x++) {
      Frame f = {.varied = axes[x],
                 .measure = &measures[y],
                 .left = LEFT + x * (WIDTH + GAP_X),
                 .top = TOP + y * (HEIGHT + GAP_Y)};
      fit_frame(&f, rows);
      if (!isfinite(f.low_x))
        continue;
      g_autofree char *title = g_strdup_printf("%s, by %s", measures[y].title, titles[x]);
      word(s, f.left, f.top - 8, "", title);
      for (guint m = 0; m < models->len; m++) {
        if (m == 0)
          draw_axes(s, &f, rows, models->pdata[m]);
        draw_line(s, &f, rows, models->pdata[m], colours[m % G_N_ELEMENTS(colours)]);
      }
    }
  g_string_append(s, "</svg>\n");
  return g_string_free(s, FALSE);
}
