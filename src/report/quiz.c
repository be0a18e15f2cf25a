/* quiz.c: the questionnaire as one page that needs nothing else: pictures, buttons, and the count
 * at the end. */
#include "report/draw_private.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Real or made "
    "up?</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\n"
    "section{border-top:1px solid #ccc;padding:1rem 0}\n"
    "svg{max-width:100%;max-height:40rem;height:auto}\n"
    "label{margin-right:1.5rem;cursor:pointer}\n"
    ".right{background:#e3f4e6}.wrong{background:#fbe6e4}\n"
    "button{font-size:1rem;padding:.5rem 1.5rem}\n"
    "</style></head><body>\n<h1>Real or made up?</h1>\n"
    "<p>Each picture is a piece of a computational graph. Half of them were cut out of real, "
    "popular models; the others were made up by Proteus to hide such pieces. Say which is which, "
    "then count your answers at the end. Guessing gives one in two.</p>\n<form>\n";

static const char tail[] =
    "<p><button type=\"button\" id=\"count\">Count my answers</button> <strong id=\"result\" "
    "role=\"status\"></strong></p>\n</form>\n<script>\n"
    "document.getElementById('count').onclick=function(){\n"
    " var n=key.length,right=0,given=0;\n"
    " for(var i=0;i<n;i++){\n"
    "  var "
    "s=document.getElementById('q'+i),a=document.querySelector('input[name=a'+i+']:checked');\n"
    "  s.className='';if(!a)continue;given++;\n"
    "  var ok=a.value===key[i];right+=ok;s.className=ok?'right':'wrong';\n"
    "  s.querySelector('.truth').textContent=key[i]==='r'?'real':'made up';}\n"
    " document.getElementById('result').textContent=given<n?'Answered '+given+' of '+n+'; '+right+"
    "' right so far.':right+' of '+n+' right ('+Math.round(100*right/n)+' %).';};\n"
    "</script>\n</body></html>\n";

char *pt_quiz_html(GPtrArray *graphs, const bool *real, const char *seed, GError **error) {
  g_autoptr(GString) dots = g_string_new(NULL);
  for (guint i = 0; i < graphs->len; i++)
    pt_draw_graph(dots, graphs->pdata[i], "");
  PtDrawing *drawing = g_new0(PtDrawing, 1);
  if (!pt_draw_run(dots->str, drawing, error) || drawing->pictures->len != graphs->len) {
    if (error && !*error)
      g_set_error(error, PT_REPORT_ERROR, PT_ERR_ENVIRONMENT, "Graphviz left pictures out");
    pt_drawing_free(drawing);
    return NULL;
  }
  GString *page = g_string_new(head);
  for (guint i = 0; i < graphs->len; i++) {
    const PtPicture *p = drawing->pictures->pdata[i];
    char box[4][G_ASCII_DTOSTR_BUF_SIZE];
    const double v[4] = {p->left, p->top, p->width, p->height};
    for (int k = 0; k < 4; k++)
      g_ascii_formatd(box[k], sizeof box[k], "%.1f", v[k]);
    g_string_append_printf(
        page,
        "<section id=\"q%u\"><h2>%u</h2>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%s\" "
        "height=\"%s\" viewBox=\"%s %s %s %s\" role=\"img\" aria-label=\"graph %u\">%s</svg>\n"
        "<p><label><input type=\"radio\" name=\"a%u\" value=\"r\"> real</label><label><input "
        "type=\"radio\" name=\"a%u\" value=\"m\"> made up</label> <em "
        "class=\"truth\"></em></p></section>\n",
        i, i + 1, box[2], box[3], box[0], box[1], box[2], box[3], i + 1, p->body, i, i);
  }
  g_autoptr(GString) key = g_string_new(NULL);
  for (guint i = 0; i < graphs->len; i++)
    g_string_append_c(key, real[i] ? 'r' : 'm');
  g_autofree char *shown = g_markup_escape_text(seed, -1);
  g_string_append_printf(page,
                         "<p><small>Seed of this page: %s</small></p>\n"
                         "<script>var key='%s';</script>\n",
                         shown, key->str);
  g_string_append(page, tail);
  pt_drawing_free(drawing);
  return g_string_free(page, FALSE);
}
