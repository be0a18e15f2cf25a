/* draw_private.h: shared by the files that draw buckets. */
#ifndef PT_REPORT_DRAW_PRIVATE_H
#define PT_REPORT_DRAW_PRIVATE_H

#include "graph/graph.h"
#include "report/report.h"

/* ---- draw_graph.c: one candidate in Graphviz's language
 * ------------------------------------------------------ */
/* Appends a digraph of its own: operators coloured by class with what tells them apart, the types
 * of inputs and outputs. title: over it. */
void pt_draw_graph(GString *out, const PtGraph *graph, const char *title);
/* What the colours stand for: name and colour of entry i; false past the last. */
bool pt_draw_legend(uint32_t i, const char **name, const char **colour);

/* ---- draw_page.c: pictures of candidates put together
 * -------------------------------------------------------- */
typedef struct PtPicture {
  char *body; /* SVG without the outermost element */
  double left, top, width, height;
} PtPicture;
typedef struct PtDrawing { /* a bucket */
  char *title;
  GPtrArray *pictures; /* PtPicture */
  uint32_t real;       /* index of the real piece */
  bool blind;          /* do not mark it */
} PtDrawing;
void pt_drawing_free(void *drawing);
/* Runs `dot -Tsvg` over digraphs, one after the other; as many pictures are added to the drawing.
 * PT_ERR_ENVIRONMENT: there is no such program. */
bool pt_draw_run(const char *digraphs, PtDrawing *drawing, GError **error);
/* One bucket as an SVG file, in rows that make it about as high as wide. */
char *pt_draw_svg(const PtDrawing *drawing);
/* Buckets (PtDrawing) as a page; the real pieces show when a box is ticked. */
char *pt_draw_html(const GPtrArray *drawings, const char *title);

#endif
