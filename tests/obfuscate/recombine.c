/* recombine.c: see recombine.h. */
#include "recombine.h"

#include "onnx/onnx.h"

#include <math.h>
#include <string.h>

/* The value of the model by this name, made on first use. */
static PtValueId named(PtGraph *to, const char *name) {
  PtValueId v = pt_graph_find(to, name);
  return v != PT_NONE ? v : pt_graph_add_value(to, name);
}

static PtValueId constant_like(PtGraph *to, const PtGraph *from, PtValueId v) {
  return pt_graph_add_constant(to, NULL, pt_value(from, v)->constant);
}

/* map[v]: what stands for value v of `from`; what is not there yet becomes fresh. */
static void add_nodes(PtGraph *to, const PtGraph *from, PtValueId *map) {
  for (PtNodeId i = 0; i < pt_graph_n_nodes(from); i++) {
    const PtNode *n = pt_node(from, i);
    g_autofree PtValueId *in = g_new(PtValueId, n->n_inputs + 1),
                         *out = g_new(PtValueId, n->n_outputs + 1);
    for (uint32_t k = 0; k < n->n_inputs + n->n_captures; k++) {
      PtValueId v = k < n->n_inputs ? n->inputs[k] : n->captures[k - n->n_inputs];
      if (v != PT_NONE && map[v] == PT_NONE)
        map[v] =
            pt_value(from, v)->constant ? constant_like(to, from, v) : pt_graph_add_value(to, NULL);
      if (k < n->n_inputs)
        in[k] = v == PT_NONE ? PT_NONE : map[v];
    }
    for (uint32_t k = 0; k < n->n_outputs; k++) {
      PtValueId v = n->outputs[k];
      if (v != PT_NONE && map[v] == PT_NONE)
        map[v] = pt_graph_add_value(to, NULL);
      out[k] = v == PT_NONE ? PT_NONE : map[v];
    }
    PtNodeId added =
        pt_graph_add_node(to, n->domain, n->op_type, in, n->n_inputs, out, n->n_outputs);
    for (uint32_t a = 0; a < n->n_attrs; a++)
      pt_node_add_attr_copy(to, added, &n->attrs[a], map);
  }
}

static PtValueId *new_map(const PtGraph *from) {
  PtValueId *map = g_new(PtValueId, (gsize)pt_graph_n_values(from) + 1);
  memset(map, 0xff, ((gsize)pt_graph_n_values(from) + 1) * sizeof *map);
  return map;
}

static void add_candidate(PtGraph *to, PtGraph *candidate, const PtMember *member) {
  g_autofree PtValueId *map = new_map(candidate);
  g_assert_cmpuint(candidate->inputs->len, ==, member->inputs->len);
  g_assert_cmpuint(candidate->outputs->len, ==, member->outputs->len);
  for (guint i = 0; i < candidate->inputs->len; i++)
    map[pt_graph_input(candidate, i)] = named(to, member->inputs->pdata[i]);
  g_autofree bool *copied = g_new0(bool, candidate->outputs->len + 1);
  for (guint i = 0; i < candidate->outputs->len; i++) { /* an input, or twice the same */
    PtValueId v = pt_graph_output(candidate, i);
    copied[i] = map[v] != PT_NONE;
    if (!copied[i])
      map[v] = named(to, member->outputs->pdata[i]);
  }
  add_nodes(to, candidate, map);
  for (guint i = 0; i < candidate->outputs->len; i++)
    if (copied[i]) {
      PtValueId out = named(to, member->outputs->pdata[i]);
      pt_graph_add_node(to, "", "Identity", &map[pt_graph_output(candidate, i)], 1, &out, 1);
    }
  pt_graph_hold(to, pt_graph_ref(candidate), (GDestroyNotify)pt_graph_unref);
}

/* A piece that was not sent: the model's own nodes. */
static void add_kept(PtGraph *to, PtGraph *model, const PtMember *member) {
  g_autoptr(PtPiece) piece = pt_piece_new();
  g_array_append_vals(piece->nodes, member->nodes->data, member->nodes->len);
  for (guint i = 0; i < member->inputs->len; i++) {
    PtValueId v = pt_graph_find(model, member->inputs->pdata[i]);
    g_array_append_val(piece->inputs, v);
  }
  for (guint i = 0; i < member->outputs->len; i++) {
    PtValueId v = pt_graph_find(model, member->outputs->pdata[i]);
    g_array_append_val(piece->outputs, v);
  }
  g_autoptr(PtGraph) own = pt_graph_extract(model, piece, NULL);
  add_candidate(to, own, member);
}

static bool add_bucket(const PtRecombination *of, PtGraph *to, const PtSecretBucket *bucket,
                       uint32_t choice, GError **error) {
  g_autoptr(PtGraph) candidate = NULL;
  if (!bucket->kept) {
    g_autofree char *file = g_strconcat(bucket->candidates->pdata[choice], ".onnx", NULL);
    g_autofree char *path = g_build_filename(of->bundle, file, NULL);
    candidate = pt_onnx_read(path, NULL, error);
    if (!candidate)
      return false;
    to->ir_version = candidate->ir_version;
  }
  for (guint m = 0; m < bucket->members->len; m++)
    if (bucket->kept)
      add_kept(to, of->model, bucket->members->pdata[m]);
    else
      add_candidate(to, candidate, bucket->members->pdata[m]);
  return true;
}

/* The pieces are in the order of buckets; a file wants that of computing. */
static bool sort_nodes(PtGraph *g, GError **error) {
  g_autofree PtNodeId *order = g_new(PtNodeId, (gsize)pt_graph_n_nodes(g) + 1);
  if (!pt_graph_toposort(g, order, error))
    return false;
  GArray *sorted = g_array_sized_new(FALSE, TRUE, sizeof(PtNode), pt_graph_n_nodes(g));
  for (PtNodeId i = 0; i < pt_graph_n_nodes(g); i++) {
    const PtNode *node = pt_node(g, order[i]);
    g_array_append_val(sorted, *node);
    for (uint32_t k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] != PT_NONE)
        pt_value(g, node->outputs[k])->producer = i;
  }
  g_array_unref(g->nodes);
  g->nodes = sorted;
  return true;
}

PtGraph *pt_recombine(const PtRecombination *of, const uint32_t *choice, GError **error) {
  g_autoptr(PtGraph) to = pt_graph_new();
  PtGraph *model = of->model;
  to->ir_version = model->ir_version;
  for (guint i = 0; i < model->opsets->len; i++) {
    const PtOpset *o = &g_array_index(model->opsets, PtOpset, i);
    pt_graph_set_opset(to, o->domain, o->version);
  }
  for (guint i = 0; i < model->inputs->len; i++) {
    const PtValue *in = pt_value(model, pt_graph_input(model, i));
    pt_graph_add_input(to, in->name, &in->type);
  }
  for (guint b = 0; b < of->secret->buckets->len; b++)
    if (!add_bucket(of, to, of->secret->buckets->pdata[b], choice[b], error))
      return NULL;
  for (guint i = 0; i < model->outputs->len; i++) {
    const PtValue *out = pt_value(model, pt_graph_output(model, i));
    PtValueId v = named(to, out->name);
    pt_value(to, v)->type = pt_type_copy(to, &out->type);
    pt_graph_add_output(to, v);
  }
  pt_graph_refresh_captures(to);
  return sort_nodes(to, error) ? g_steal_pointer(&to) : NULL;
}

void pt_recombine_draw(const PtSecret *secret, PtRng *rng, uint32_t *choice) {
  for (guint b = 0; b < secret->buckets->len; b++) {
    const PtSecretBucket *bucket = secret->buckets->pdata[b];
    choice[b] = bucket->kept ? 0 : (uint32_t)pt_rng_below(rng, bucket->candidates->len);
  }
}

static bool all_finite(const GPtrArray *outputs) {
  bool finite = true;
  for (guint i = 0; i < outputs->len; i++) {
    const PtArray *a = outputs->pdata[i];
    for (size_t k = 0; a && a->dtype == PT_FLOAT && k < a->count; k++)
      finite &= isfinite(((const float *)a->data)[k]) != 0;
  }
  return finite;
}

PtRecombined pt_recombine_try(const PtRecombination *of, PtGraph *graph, PtLevel level,
                              const GPtrArray *inputs, GError **error) {
  PtRecombined found = {0};
  PtSessionOptions options = {.level = level};
  g_autoptr(PtSession) session = pt_session_new(graph, &options, error);
  found.loads = session != NULL;
  if (!session || !inputs)
    return found;
  g_autofree PtArray **ordered = pt_session_order_inputs(session, of->model, inputs, error);
  g_autoptr(GPtrArray) outputs = ordered ? pt_session_run(session, ordered, error) : NULL;
  found.runs = outputs != NULL;
  found.finite = outputs && all_finite(outputs);
  return found;
}
