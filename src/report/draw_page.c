/* draw_page.c: runs Graphviz, takes its pictures apart, and puts them beside each other. */
#include "report/draw_private.h"

#include <gio/gio.h>
#include <math.h>
#include <string.h>

#define GAP 14.0 /* points between pictures */
#define FRAME 5.0
#define LEGEND 26.0 /* height of the line with the colours */
#define MARK "#1a8f3c"
#define ASPECT 1.6 /* of a screen */

static void picture_free(void *data) {
  PtPicture *picture = data;
  g_free(picture->body);
  g_free(picture);
}

void pt_drawing_free(void *data) {
  PtDrawing *drawing = data;
  g_free(drawing->title);
  g_clear_pointer(&drawing->pictures, g_ptr_array_unref);
  g_free(drawing);
}

/* ---- Graphviz
 * ---------------------------------------------------------------------------------------- */
/* Without what dot says for those who edit by hand: half of its text. */
static char *without_remarks(const char *body, gsize size) {
  static const struct {
    const char *from, *to;
  } remarks[] = {{"<!--", "-->"}, {"<title>", "</title>"}};
  g_autofree char *text = g_strndup(body, size);
  GString *kept = g_string_new(NULL);
  for (const char *p = text; *p;) {
    const char *end = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(remarks) && !end; i++)
      if (g_str_has_prefix(p, remarks[i].from) && (end = strstr(p, remarks[i].to)))
        end += strlen(remarks[i].to);
    if (end)
      p = *end == '\n' ? end + 1 : end;
    else
      g_string_append_c(kept, *p++);
  }
  return g_string_free(kept, FALSE);
}

/* The SVG elements in what dot wrote, one a digraph. */
static bool take_apart(const char *text, GPtrArray *pictures) {
  for (const char *at = text; (at = strstr(at, "<svg "));) {
    const char *box = strstr(at, "viewBox=\""), *body = strchr(at, '>'),
               *end = strstr(at, "</svg>");
    if (!box || !body || !end || box > body || body > end)
      return false;
    char *rest = NULL;
    double v[4];
    box += strlen("viewBox=\"");
    for (int i = 0; i < 4; i++) {
      v[i] = g_ascii_strtod(box, &rest);
      if (rest == box || !isfinite(v[i]))
        return false;
      box = rest;
    }
    PtPicture *picture = g_new0(PtPicture, 1);
    *picture = (PtPicture){.left = v[0],
                           .top = v[1],
                           .width = v[2],
                           .height = v[3],
                           .body = without_remarks(body + 1, (gsize)(end - body - 1))};
    g_ptr_array_add(pictures, picture);
    at = end;
  }
  return pictures->len > 0;
}

bool pt_draw_run(const char *digraphs, PtDrawing *drawing, GError **error) {
  g_autofree char *program = g_find_program_in_path("dot"), *text = NULL, *complaints = NULL;
  if (!program) {
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_ENVIRONMENT,
                "Graphviz's program dot is not there: install the package graphviz, or give a name "
                "that ends in .dot and draw it elsewhere");
    return false;
  }
  g_autoptr(GError) why = NULL;
  g_autoptr(GSubprocess) dot =
      g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                           G_SUBPROCESS_FLAGS_STDERR_PIPE,
                       &why, program, "-Tsvg", NULL);
  bool ok = dot && g_subprocess_communicate_utf8(dot, digraphs, NULL, &text, &complaints, &why);
  if (!ok || !g_subprocess_get_successful(dot) || !text) {
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_ENVIRONMENT, "%s failed: %s", program,
                why                           ? why->message
                : complaints && complaints[0] ? complaints
                                              : "no reason given");
    return false;
  }
  if (!drawing->pictures)
    drawing->pictures = g_ptr_array_new_with_free_func(picture_free);
  if (!take_apart(text, drawing->pictures)) {
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_ENVIRONMENT, "%s wrote no SVG: update Graphviz",
                program);
    return false;
  }
  return true;
}

/* ---- one bucket
 * -------------------------------------------------------------------------------------- */
static double cell(const PtPicture *p) {
  return p->width + 2 * FRAME + GAP;
}

/* Rows filled from the left, no wider than `width`. Places of the upper left corners. */
static double lay_out(const GPtrArray *pictures, double width, double *x, double *y,
                      double *widest) {
  double left = GAP, top = GAP + LEGEND, row = 0;
  *widest = 0;
  for (guint i = 0; i < pictures->len; i++) {
    const PtPicture *p = pictures->pdata[i];
    if (left > GAP && left + cell(p) > width) {
      top += row + 2 * FRAME + GAP;
      left = GAP;
      row = 0;
    }
    x[i] = left + FRAME;
    y[i] = top + FRAME;
    left += cell(p);
    row = MAX(row, p->height);
    *widest = MAX(*widest, left);
  }
  return top + row + 2 * FRAME + GAP;
}

/* As many in the first row as makes the whole largest on a screen. */
static double best_width(const GPtrArray *pictures, double least, double *x, double *y) {
  double width = GAP, best = 0, least_size = INFINITY;
  for (guint i = 0; i < pictures->len; i++) {
    double widest;
    width += cell(pictures->pdata[i]);
    double wide = MAX(width, least), height = lay_out(pictures, wide, x, y, &widest);
    double size = MAX(MAX(widest, least), ASPECT * height);
    if (size < least_size) {
      least_size = size;
      best = wide;
    }
  }
  return best;
}

static void append_number(GString *s, const char *name, double value) {
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_string_append_printf(s, " %s=\"%s\"", name, g_ascii_formatd(text, sizeof text, "%.1f", value));
}

static void add_rectangle(GString *s, double x, double y, double w, double h, const char *style) {
  g_string_append(s, "<rect");
  append_number(s, "x", x);
  append_number(s, "y", y);
  append_number(s, "width", w);
  append_number(s, "height", h);
  g_string_append_printf(s, " rx=\"6\" %s/>\n", style);
}

static double legend_width(const char *name) {
  return 30 + 6.2 * (double)strlen(name);
}

static bool has_colour(const PtDrawing *drawing, const char *colour) {
  g_autofree char *fill = g_strdup_printf("fill=\"%s\"", colour);
  for (guint i = 0; i < drawing->pictures->len; i++)
    if (strstr(((const PtPicture *)drawing->pictures->pdata[i])->body, fill))
      return true;
  return false;
}

static void add_legend(GString *s, const PtDrawing *drawing) {
  const char *name, *colour;
  double x = GAP;
  for (uint32_t i = 0; pt_draw_legend(i, &name, &colour); i++) {
    if (!has_colour(drawing, colour))
      continue;
    g_autofree char *style =
        g_strdup_printf("fill=\"%s\" stroke=\"#888888\" stroke-width=\"0.5\"", colour);
    add_rectangle(s, x, 8, 12, 12, style);
    g_string_append(s, "<text font-family=\"Helvetica,sans-serif\" font-size=\"11\" y=\"18\"");
    append_number(s, "x", x + 16);
    g_string_append_printf(s, ">%s</text>\n", name);
    x += legend_width(name);
  }
}

char *pt_draw_svg(const PtDrawing *drawing) {
  guint n = drawing->pictures->len;
  g_autofree double *x = g_new0(double, n + 1), *y = g_new0(double, n + 1);
  double widest = 0, height = 0, width = 0, legend = 2 * GAP;
  const char *name, *colour;
  for (uint32_t i = 0; pt_draw_legend(i, &name, &colour); i++)
    legend += has_colour(drawing, colour) ? legend_width(name) : 0;
  width = best_width(drawing->pictures, legend, x, y);
  height = lay_out(drawing->pictures, width, x, y, &widest);
  width = MAX(widest, legend);
  GString *s = g_string_new("<svg xmlns=\"http://www.w3.org/2000/svg\" "
                            "xmlns:xlink=\"http://www.w3.org/1999/xlink\"");
  append_number(s, "width", width);
  append_number(s, "height", height);
  g_string_append_printf(s, ">\n<title>%s</title>\n", drawing->title);
  add_rectangle(s, 0, 0, width, height, "fill=\"white\"");
  add_legend(s, drawing);
  for (guint i = 0; i < n; i++) {
    const PtPicture *p = drawing->pictures->pdata[i];
    const char *plain = "fill=\"none\" stroke=\"#cccccc\"";
    add_rectangle(s, x[i] - FRAME, y[i] - FRAME, p->width + 2 * FRAME, p->height + 2 * FRAME,
                  plain);
    if (i == drawing->real && !drawing->blind)
      add_rectangle(s, x[i] - FRAME, y[i] - FRAME, p->width + 2 * FRAME, p->height + 2 * FRAME,
                    "class=\"real\" fill=\"none\" stroke=\"" MARK "\" stroke-width=\"4\"");
    g_string_append(s, "<svg");
    append_number(s, "x", x[i]);
    append_number(s, "y", y[i]);
    append_number(s, "width", p->width);
    append_number(s, "height", p->height);
    g_string_append_printf(s, " viewBox=\"");
    char a[G_ASCII_DTOSTR_BUF_SIZE];
    const double box[] = {p->left, p->top, p->width, p->height};
    for (int k = 0; k < 4; k++)
      g_string_append_printf(s, "%s%s", k ? " " : "", g_ascii_formatd(a, sizeof a, "%.1f", box[k]));
    g_string_append_printf(s, "\">%s</svg>\n", p->body);
  }
  g_string_append(s, "</svg>\n");
  return g_string_free(s, FALSE);
}

/* ---- a page
 * ----------------------------------------------------------------------------------------- */
char *pt_draw_html(const GPtrArray *drawings, const char *title) {
  g_autofree char *head = g_markup_escape_text(title, -1);
  bool blind = drawings->len > 0 && ((const PtDrawing *)drawings->pdata[0])->blind;
  GString *s = g_string_new(NULL);
  g_string_append_printf(
      s,
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
      "charset=\"utf-8\"><title>%s</title>\n<style>\n"
      "body { font-family: Helvetica, Arial, sans-serif; margin: 1.5em; }\n"
      "section { overflow-x: auto; margin-bottom: 2em; }\n"
      ".real { display: none; }\n#show:checked ~ section .real { display: inline; }\n"
      "</style></head><body>\n<h1>%s</h1>\n"
      "<input type=\"checkbox\" id=\"show\"%s><label for=\"show\"> show the real pieces</label>\n",
      head, head, blind ? "" : " checked");
  for (guint i = 0; i < drawings->len; i++) {
    PtDrawing shown = *(const PtDrawing *)drawings->pdata[i];
    shown.blind = false; /* the box hides it */
    g_autofree char *svg = pt_draw_svg(&shown), *line = g_markup_escape_text(shown.title, -1);
    g_string_append_printf(s, "<section><h2>%s</h2>\n%s</section>\n", line, svg);
  }
  g_string_append(s, "</body></html>\n");
  return g_string_free(s, FALSE);
}
