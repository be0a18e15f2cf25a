/* figure5_plot: cumulative distributions, real pieces and sentinels, as SVG. */
#include "figure5.h"

#include <math.h>

#define PANEL_W 220.0
#define PANEL_H 130.0
#define STEP_X 270.0
#define STEP_Y 190.0
#define COLUMNS 4

/* A cumulative distribution as a line of at most 120 points. */
static void add_line(GString *s, const double *x, const double *y, guint n, double least,
                     double most, const char *style) {
  g_string_append_printf(s, "<polyline fill=\"none\" %s points=\"", style);
  guint stride = MAX(n / 120, 1);
  double last = 0;
  for (guint i = 0; i < n; i += stride) {
    double at = most > least ? (x[i] - least) / (most - least) * PANEL_W : 0;
    at = CLAMP(at, 0, PANEL_W);
    g_string_append_printf(s, "%.1f,%.1f %.1f,%.1f ", at, PANEL_H * (1 - last), at,
                           PANEL_H * (1 - y[i]));
    last = y[i];
  }
  g_string_append_printf(s, "%.1f,%.1f\"/>\n", PANEL_W, PANEL_H * (1 - (n ? y[n - 1] : 1)));
}

static const char *const styles[2] = {
    "stroke=\"#d95f02\" stroke-width=\"1.6\"",
    "stroke=\"#1b4f9c\" stroke-width=\"1.6\" stroke-dasharray=\"5,2\""};

static void add_feature(GString *s, const Row *row, int f, double *least, double *most) {
  *least = INFINITY;
  *most = -INFINITY;
  for (int real = 0; real < 2; real++) {
    const GArray *x = row->sample[real].x[f]; /* sorted */
    if (x->len == 0)
      continue;
    *least = MIN(*least, g_array_index(x, double, 0));
    *most = MAX(*most, g_array_index(x, double, (x->len - 1) * 199 / 200));
  }
  for (int real = 0; real < 2; real++) {
    const GArray *x = row->sample[real].x[f];
    g_autofree double *y = g_new(double, x->len + 1);
    for (guint i = 0; i < x->len; i++)
      y[i] = (double)(i + 1) / x->len;
    add_line(s, (const double *)(const void *)x->data, y, x->len, *least, *most, styles[real]);
  }
}

static void add_path_panel(GString *s, const Row *row, int length, double *least, double *most) {
  guint n, used = 0;
  g_autofree Rank *ranks = ranks_of(row, length, &n);
  g_autofree double *x = g_new0(double, n + 1), *y = g_new0(double, n + 1);
  while (used < n && ranks[used].weight[0] + ranks[used].weight[1] > 0)
    used++;
  *least = 1;
  *most = MAX(used * 0.5, 2);
  for (int real = 0; real < 2; real++) {
    double sum = 0;
    for (guint i = 0; i < used; i++) {
      x[i] = i + 1;
      y[i] = sum += ranks[i].weight[real];
    }
    add_line(s, x, y, used, *least, *most, styles[real]);
  }
}

bool plot_write(const Row *all, const char *path, GError **error) {
  int rows = (N_MEASURES + COLUMNS - 1) / COLUMNS;
  g_autoptr(GString) s = g_string_new(NULL);
  g_string_append_printf(
      s,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "font-family=\"Helvetica,sans-serif\" font-size=\"11\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
      "<text x=\"30\" y=\"18\">cumulative distributions over all models: <tspan "
      "fill=\"#1b4f9c\">real pieces (dashed)</tspan>, <tspan fill=\"#d95f02\">sentinels</tspan>; "
      "D: Kolmogorov-Smirnov distance</text>\n",
      STEP_X * COLUMNS + 10, STEP_Y * rows + 30);
  for (int m = 0; m < N_MEASURES; m++) {
    double least, most;
    g_string_append_printf(s, "<g transform=\"translate(%.0f,%.0f)\">\n",
                           30 + STEP_X * (m % COLUMNS), 52 + STEP_Y * (m / COLUMNS));
    if (m < PT_N_FEATURES)
      add_feature(s, all, m, &least, &most);
    else
      add_path_panel(s, all, m - M_PATH1, &least, &most);
    g_string_append_printf(s,
                           "<rect width=\"%.0f\" height=\"%.0f\" fill=\"none\" stroke=\"#888\"/>\n"
                           "<text y=\"-6\">%s%s, D = %.3f</text><text y=\"%.0f\">%.3g</text>"
                           "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%.3g</text>"
                           "<text x=\"-4\" y=\"%.0f\" text-anchor=\"end\">0</text>"
                           "<text x=\"-4\" y=\"10\" text-anchor=\"end\">1</text></g>\n",
                           PANEL_W, PANEL_H, measure_name(m), m < PT_N_FEATURES ? "" : " by rank",
                           all->distance[m], PANEL_H + 14, least, PANEL_W, PANEL_H + 14, most,
                           PANEL_H);
  }
  g_string_append(s, "</svg>\n");
  return pt_file_write(path, 0644, s->str, s->len, error);
}
