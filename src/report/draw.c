/* draw.c: buckets as pictures, for the owner's eyes: real piece and sentinels side by side. */
#include "report/draw_private.h"

#include "bundle/bundle.h"
#include "onnx/onnx.h"

#include <string.h>

#define MAX_NODES 2000 /* of a candidate; dot needs minutes for more */

typedef struct Drawer {
  const PtDrawOptions *options;
  PtSecret *secret;
  GString *dot; /* .dot wanted: everything, else NULL */
  PtDrawReport *report;
} Drawer;

static PtGraph *read_candidate(const Drawer *d, const char *id, GError **error) {
  const PtOnnxReadOptions named = {.external = PT_EXTERNAL_NAMED, .external_name = PT_NOISE_FILE};
  if (strspn(id, "0123456789abcdefABCDEF") != strlen(id) || !id[0]) {
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_INPUT, "%s: '%.64s' is no id of a candidate",
                d->options->secret, id);
    return NULL;
  }
  g_autofree char *file = g_strconcat(id, ".onnx", NULL);
  g_autofree char *path = g_build_filename(d->options->bundle, file, NULL);
  g_autoptr(PtGraph) graph = pt_onnx_read(path, &named, error);
  if (graph && pt_graph_n_nodes(graph) > MAX_NODES) {
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_LIMIT,
                "%s: %u nodes are too many for a picture: cut the model into more pieces (-n)",
                path, pt_graph_n_nodes(graph));
    return NULL;
  }
  return g_steal_pointer(&graph);
}

/* The real piece first; blind: by id, which is random. */
static GPtrArray *order_of(const Drawer *d, const PtSecretBucket *bucket) {
  GPtrArray *ids = g_ptr_array_new();
  if (!d->options->blind)
    g_ptr_array_add(ids, bucket->real);
  for (guint i = 0; i < bucket->candidates->len; i++)
    if (d->options->blind || !g_str_equal(bucket->candidates->pdata[i], bucket->real))
      g_ptr_array_add(ids, bucket->candidates->pdata[i]);
  if (d->options->most > 0 && !d->options->blind && ids->len > d->options->most)
    g_ptr_array_set_size(ids, (gint)d->options->most);
  return ids;
}

static PtDrawing *draw_bucket(Drawer *d, uint32_t index, GError **error) {
  const PtSecretBucket *bucket = d->secret->buckets->pdata[index];
  g_autoptr(GPtrArray) ids = order_of(d, bucket);
  g_autoptr(GString) text = g_string_new(NULL);
  PtDrawing *drawing = g_new0(PtDrawing, 1);
  drawing->blind = d->options->blind;
  drawing->title =
      g_strdup_printf("bucket %u of %u: %u candidates for %u %s", index + 1,
                      d->secret->buckets->len, bucket->candidates->len, bucket->members->len,
                      bucket->members->len == 1 ? "piece" : "equal pieces");
  bool ok = true;
  for (guint i = 0; ok && i < ids->len; i++) {
    bool real = g_str_equal(ids->pdata[i], bucket->real);
    g_autoptr(PtGraph) graph = read_candidate(d, ids->pdata[i], error);
    g_autofree char *title = g_strdup_printf("%.8s%s, %u nodes", (char *)ids->pdata[i],
                                             real && !d->options->blind ? " (real)" : "",
                                             graph ? pt_graph_n_nodes(graph) : 0);
    ok = graph != NULL;
    if (ok)
      pt_draw_graph(text, graph, title);
    if (real)
      drawing->real = i;
  }
  if (ok && d->dot)
    g_string_append(d->dot, text->str);
  else
    ok = ok && pt_draw_run(text->str, drawing, error);
  d->report->buckets++;
  d->report->candidates += ids->len;
  if (!ok)
    g_clear_pointer(&drawing, pt_drawing_free);
  return drawing;
}

/* Buckets that were sent; bucket 0: all that the format has room for. */
static bool draw_buckets(Drawer *d, bool many, GPtrArray *drawings, GError **error) {
  uint32_t wanted = d->options->bucket, n = d->secret->buckets->len;
  if (wanted > n) {
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_USAGE, "%s has %u buckets: there is no bucket %u",
                d->options->secret, n, wanted);
    return false;
  }
  for (uint32_t i = wanted ? wanted - 1 : 0; i < (wanted ? wanted : n); i++) {
    const PtSecretBucket *bucket = d->secret->buckets->pdata[i];
    if (bucket->kept && !wanted)
      continue;
    if (bucket->kept) {
      g_set_error(error, PT_REPORT_ERROR, PT_ERR_USAGE, "bucket %u was not sent: %s", wanted,
                  bucket->kept);
      return false;
    }
    PtDrawing *drawing = draw_bucket(d, i, error);
    if (!drawing)
      return false;
    g_ptr_array_add(drawings, drawing);
    if (!many)
      break;
  }
  if (drawings->len == 0)
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_INPUT, "%s: no bucket was sent", d->options->secret);
  return drawings->len > 0;
}

bool pt_draw_sentinels(const PtDrawOptions *options, PtDrawReport *report, GError **error) {
  bool dot = g_str_has_suffix(options->out, ".dot"), html = g_str_has_suffix(options->out, ".html");
  *report = (PtDrawReport){0};
  if (!dot && !html && !g_str_has_suffix(options->out, ".svg")) {
    g_set_error(error, PT_REPORT_ERROR, PT_ERR_USAGE,
                "%s: a picture's name ends in .svg, .html or .dot", options->out);
    return false;
  }
  g_autoptr(PtSecret) secret = pt_secret_read(options->secret, error);
  if (!secret)
    return false;
  g_autoptr(GPtrArray) drawings = g_ptr_array_new_with_free_func(pt_drawing_free);
  g_autoptr(GString) digraphs = dot ? g_string_new(NULL) : NULL;
  Drawer drawer = {options, secret, digraphs, report};
  if (!draw_buckets(&drawer, html, drawings, error))
    return false;
  g_autofree char *text = dot    ? g_strdup(digraphs->str)
                          : html ? pt_draw_html(drawings, "Buckets: real pieces and sentinels")
                                 : pt_draw_svg(drawings->pdata[0]);
  /* it tells which piece is real: for the owner only */
  return pt_file_write(options->out, options->blind ? 0644 : 0600, text, strlen(text), error);
}
