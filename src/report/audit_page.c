/* audit_page.c: an audit as one page: bars of what each adversary leaves, buckets, advice. */
#include "audit/audit.h"
#include "bundle/bundle.h"
#include "onnx/onnx.h"
#include "report/draw_private.h"

#include <math.h>

#define DRAWN 3         /* buckets */
#define MOST_NODES 150u /* of a candidate that is drawn */

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Audit</title>\n<meta "
    "name=\"viewport\" content=\"width=device-width\"><style>\n"
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\n"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;"
    "border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right;white-space:nowrap}\n"
    "small{color:#666}\n"
    "div.wide{overflow-x:auto;width:calc(100vw - 3rem);margin-left:calc(50% - 50vw + "
    "1.5rem)}</style></head><body>\n";

static void decimal(GString *s, const char *format, double value) {
  char text[64];
  g_string_append(s, isfinite(value) ? g_ascii_formatd(text, sizeof text, format, value) : "n/a");
}

static void escaped(GString *s, const char *text) {
  g_autofree char *safe = g_markup_escape_text(text, -1);
  g_string_append(s, safe);
}

/* A bar of the share kept, with its error, and the line of nothing lost. */
static void bar(GString *s, double share, double error) {
  double width = 220 * CLAMP(share, 0, 1.05), from = 220 * CLAMP(share - error, 0, 1.1),
         to = 220 * CLAMP(share + error, 0, 1.1);
  g_string_append(s, "<svg width=\"250\" height=\"18\" role=\"img\"><rect y=\"3\" height=\"12\" "
                     "fill=\"");
  g_string_append(s, share >= 0.9 ? "#5a9e6f" : share >= 0.7 ? "#d9a441" : "#c4574a");
  g_string_append(s, "\" width=\"");
  decimal(s, "%.1f", width);
  g_string_append(s, "\"/><line y1=\"9\" y2=\"9\" stroke=\"#222\" x1=\"");
  decimal(s, "%.1f", from);
  g_string_append(s, "\" x2=\"");
  decimal(s, "%.1f", to);
  g_string_append(s, "\"/><line x1=\"220\" x2=\"220\" y1=\"0\" y2=\"18\" stroke=\"#888\" "
                     "stroke-dasharray=\"2\"/></svg>");
}

static int by_kept(const void *a, const void *b) {
  const PtAuditLine *x = *(const PtAuditLine *const *)a, *y = *(const PtAuditLine *const *)b;
  return x->kept < y->kept ? -1 : x->kept > y->kept ? 1 : x < y ? -1 : x > y;
}

/* The most dangerous first. */
static void adversaries(GString *s, const PtAuditModel *m) {
  g_autoptr(GPtrArray) order = g_ptr_array_new();
  for (guint i = 0; i < m->lines->len; i++)
    g_ptr_array_add(order, &g_array_index(m->lines, PtAuditLine, i));
  g_ptr_array_sort(order, by_kept);
  g_string_append(s, "<h2>What each adversary leaves</h2>\n<p>Bits kept a bucket, as a share of "
                     "what an even guess would need (dashed line). Found first: how often the "
                     "adversary's first guess is the real piece.</p>\n<table><tr><th>adversary</th>"
                     "<th>kept</th><th>bits</th><th>found first</th><th>by chance</th></tr>\n");
  for (guint i = 0; i < m->lines->len; i++) {
    const PtAuditLine *l = order->pdata[i];
    g_string_append(s, i == 0 ? "<tr style=\"background:#fff3e0\"><td>" : "<tr><td>");
    escaped(s, l->adversary);
    g_string_append(s, "<br><small>");
    escaped(s, l->looks);
    g_string_append(s, "</small></td><td>");
    bar(s, l->kept, l->kept_error);
    g_string_append(s, "</td><td class=\"n\">");
    decimal(s, "%.2f", l->bits);
    g_string_append(s, " of ");
    decimal(s, "%.2f", l->most_bits);
    g_string_append(s, "</td><td class=\"n\">");
    decimal(s, "%.0f", 100 * l->first);
    g_string_append(s, " %</td><td class=\"n\">");
    decimal(s, "%.0f", 100 * l->chance);
    g_string_append(s, " %</td></tr>\n");
  }
  g_string_append(s, "</table>\n");
}

static void buckets(GString *s, const PtAuditModel *m) {
  g_string_append(s, "<h2>Buckets, the weakest first</h2>\n<table><tr><th>real piece</th><th>kept"
                     "</th><th>bits</th><th>rank</th><th>what stands out</th></tr>\n");
  for (guint i = 0; i < m->buckets->len; i++) {
    const PtAuditBucket *b = m->buckets->pdata[i];
    g_string_append_printf(s, "<tr><td>%.8s<br><small>%u nodes</small></td><td>", b->real,
                           b->nodes);
    bar(s, b->bits / b->most_bits, 0);
    g_string_append(s, "</td><td class=\"n\">");
    decimal(s, "%.2f", b->bits);
    g_string_append_printf(s, "</td><td class=\"n\">%u of %u</td><td>", b->rank, b->n);
    for (guint k = 0; k < b->why->len; k++) {
      g_string_append(s, k ? "<br>" : "");
      escaped(s, b->why->pdata[k]);
    }
    g_string_append(s, "</td></tr>\n");
  }
  g_string_append(s, "</table>\n");
}

/* ---- pictures -------------------------------------------------------------------------------- */
static bool add_candidate(GString *dot, const char *bundle, const char *id, const char *what) {
  const PtOnnxReadOptions named = {
      .external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE, .max_nodes = MOST_NODES};
  g_autofree char *file = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(bundle, file, NULL);
  g_autoptr(PtGraph) g = pt_onnx_read(path, &named, NULL);
  g_autofree char *title = g_strdup_printf("%.8s, %s", id, what);
  if (g)
    pt_draw_graph(dot, g, title);
  return g != NULL;
}

/* The real piece beside the sentinels that the adversary likes best. NULL: no program to draw with,
 * or too many nodes. */
static char *picture(const PtAuditBucket *b, const char *bundle) {
  g_autoptr(GString) dot = g_string_new(NULL);
  PtDrawing *drawing = g_new0(PtDrawing, 1);
  drawing->title = g_strdup_printf("%.8s and its likeliest sentinels", b->real);
  bool ok = add_candidate(dot, bundle, b->real, "real");
  for (guint i = 0; ok && b->rivals && i < b->rivals->len; i++)
    (void)add_candidate(dot, bundle, b->rivals->pdata[i], "sentinel");
  char *svg = ok && pt_draw_run(dot->str, drawing, NULL) ? pt_draw_svg(drawing) : NULL;
  pt_drawing_free(drawing);
  return svg;
}

static void pictures(GString *s, const PtAuditModel *m, const char *bundle) {
  g_autoptr(GString) all = g_string_new(NULL);
  for (guint i = 0; i < MIN(m->buckets->len, DRAWN); i++) {
    const PtAuditBucket *b = m->buckets->pdata[i];
    g_autofree char *svg = picture(b, bundle);
    if (svg)
      g_string_append_printf(all, "<h3>%.8s</h3>\n<div class=\"wide\">%s</div>\n", b->real, svg);
  }
  g_string_append(s, "<h2>The weakest buckets</h2>\n");
  g_string_append(s, all->len ? "<p>The real piece (framed in green) beside the sentinels that the "
                                "adversary takes for real most readily.</p>\n"
                              : "<p>No pictures: they need Graphviz (dot), and pieces of moderate "
                                "size.</p>\n");
  g_string_append(s, all->str);
}

char *pt_html_audit(const PtAuditModel *m, const char *bundle) {
  GString *s = g_string_new(head);
  const PtAuditLine *worst = &g_array_index(m->lines, PtAuditLine, m->worst),
                    *reason = &g_array_index(m->lines, PtAuditLine, m->reason);
  g_string_append(s, "<h1>Audit of ");
  escaped(s, m->name);
  g_string_append_printf(s, "</h1>\n<p>%u distinct buckets. The most dangerous adversary, <b>",
                         m->buckets->len);
  escaped(s, worst->adversary);
  g_string_append(s, "</b>, leaves <b>");
  decimal(s, "%.1f", worst->bits * m->buckets->len);
  g_string_append(s, "</b> of ");
  decimal(s, "%.1f", worst->most_bits * m->buckets->len);
  g_string_append(s, " bits of the model's arrangement. What to change, for ");
  escaped(s, reason->adversary);
  g_string_append(s, ": ");
  escaped(s, reason->remedy);
  g_string_append(s, ".</p>\n");
  adversaries(s, m);
  buckets(s, m);
  if (bundle)
    pictures(s, m, bundle);
  g_string_append(s, "</body></html>\n");
  return g_string_free(s, FALSE);
}
