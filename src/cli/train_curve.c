/* train_curve.c: the curves of a training, on a terminal and as a picture. */
#include "cli/train.h"

#include "topology/topology.h"
#include "walk/walk.h"

#include <math.h>

enum { WIDTH = 640, HEIGHT = 220, LEFT = 60, TOP = 40, SPACE = 100 };

static void range_of(const double *values, uint32_t count, double *low, double *high) {
  *low = INFINITY;
  *high = -INFINITY;
  for (uint32_t i = 0; i < count; i++) {
    *low = MIN(*low, values[i]);
    *high = MAX(*high, values[i]);
  }
}

char *pt_train_sparkline(const double *values, uint32_t count, uint32_t width) {
  static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  GString *line = g_string_new(NULL);
  double low, high;
  uint32_t shown = MIN(count, width);
  range_of(values, count, &low, &high);
  for (uint32_t i = 0; i < shown; i++) {
    double v = values[(uint64_t)i * count / shown];
    double share = high > low ? (v - low) / (high - low) : 0;
    g_string_append(line, blocks[(int)(share * 7.999)]);
  }
  return g_string_free(line, FALSE);
}

/* One line of a picture; `stride` doubles from value to value. */
static void draw_line(GString *svg, const double *first, uint32_t count, size_t stride, double low,
                      double high, double top, const char *colour, const char *name,
                      double name_y) {
  g_string_append_printf(svg, "<polyline fill='none' stroke='%s' stroke-width='2' points='",
                         colour);
  for (uint32_t i = 0; i < count; i++) {
    double v = first[i * stride];
    char x[G_ASCII_DTOSTR_BUF_SIZE], y[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(x, sizeof x, "%.1f", LEFT + WIDTH * (double)i / MAX(count - 1, 1));
    g_ascii_formatd(y, sizeof y, "%.1f",
                    top + HEIGHT * (high > low ? (high - v) / (high - low) : 0.5));
    g_string_append_printf(svg, "%s,%s ", x, y);
  }
  g_string_append_printf(svg, "'/><text x='%d' y='%d' fill='%s' text-anchor='end'>%s</text>",
                         LEFT + WIDTH - 8, (int)name_y, colour, name);
}

static void draw_axes(GString *svg, double top, const char *title, uint32_t count, double low,
                      double high) {
  char text[2][G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(text[0], sizeof text[0], "%.3f", high);
  g_ascii_formatd(text[1], sizeof text[1], "%.3f", low);
  int y = (int)top;
  g_string_append_printf(
      svg,
      "<text x='%d' y='%d' font-weight='bold'>%s</text>"
      "<rect x='%d' y='%d' width='%d' height='%d' fill='none' stroke='#999'/>"
      "<text x='%d' y='%d' text-anchor='end'>%s</text>"
      "<text x='%d' y='%d' text-anchor='end'>%s</text>"
      "<text x='%d' y='%d'>1</text><text x='%d' y='%d' text-anchor='end'>%u</text>",
      LEFT, y - 12, title, LEFT, y, WIDTH, HEIGHT, LEFT - 6, y + 10, text[0], LEFT - 6, y + HEIGHT,
      text[1], LEFT, y + HEIGHT + 18, LEFT + WIDTH, y + HEIGHT + 18, count);
}

bool pt_train_draw(const PtTrain *train, GError **error) {
  GString *svg = g_string_new("<svg xmlns='http://www.w3.org/2000/svg' width='740' height='660' "
                              "font-family='sans-serif' font-size='13'>"
                              "<rect width='740' height='660' fill='white'/>");
  const GArray *a = train->learned, *b = train->rounds;
  double low, high, top = TOP;
  if (a->len > 0) {
    const PtTopologyEpoch *e = (const PtTopologyEpoch *)(const void *)a->data;
    range_of(&e->train, 2 * a->len, &low, &high);
    draw_axes(svg, top, "GraphRNN: cross-entropy in nats a node, by epoch", a->len, low, high);
    draw_line(svg, &e->train, a->len, 2, low, high, top, "#1f77b4", "learned", top + 20);
    draw_line(svg, &e->unseen, a->len, 2, low, high, top, "#d62728", "not seen", top + 38);
  }
  if (b->len > 0) {
    const PtWalkRound *r = (const PtWalkRound *)(const void *)b->data;
    low = 0.5;
    for (guint i = 0; i < b->len; i++)
      low = MIN(low, r[i].auc);
    top += HEIGHT + SPACE;
    draw_axes(svg, top, "pi: the adversary's area under the curve, by round (0.5: chance)", b->len,
              low, 1);
    draw_line(svg, &r->auc, b->len, sizeof *r / sizeof(double), low, 1, top, "#1f77b4",
              "models not seen", top + 20);
  }
  g_string_append(svg, "</svg>\n");
  g_autofree char *path = g_build_filename(train->out, "loss.svg", NULL);
  bool ok = pt_file_write(path, 0644, svg->str, svg->len, error);
  g_string_free(svg, TRUE);
  return ok;
}
