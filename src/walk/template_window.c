/* template_window: operators with a window: attributes complete, padding in numbers. */
#include "walk/template.h"

static bool resolve_pads(PtReader *r) {
  PtWalkTemplate *t = r->t;
  bool upper = pt_node_string_is(r->node, "auto_pad", "SAME_UPPER");
  bool lower = pt_node_string_is(r->node, "auto_pad", "SAME_LOWER");
  uint32_t n = 0;
  const int64_t *pads = pt_node_ints(r->node, "pads", &n);
  for (int32_t i = 0; i < t->n_space; i++) {
    if (upper || lower) {
      int32_t size = r->in.dims[2 + i], k = (t->kernel[i] - 1) * t->dilations[i] + 1;
      if (size < 0)
        return false;
      int32_t out = (size + t->strides[i] - 1) / t->strides[i];
      int32_t all = MAX((out - 1) * t->strides[i] + k - size, 0);
      t->pads[i] = upper ? all / 2 : all - all / 2;
      t->pads[i + t->n_space] = all - t->pads[i];
    } else if (n == 2 * (uint32_t)t->n_space && !pt_node_string_is(r->node, "auto_pad", "VALID")) {
      if (pads[i] < 0 || pads[i] > 4096 || pads[i + t->n_space] < 0 || pads[i + t->n_space] > 4096)
        return false;
      t->pads[i] = (int32_t)pads[i];
      t->pads[i + t->n_space] = (int32_t)pads[i + t->n_space];
    }
  }
  return true;
}

static bool read_list(PtReader *r, const char *name, int32_t *out) {
  uint32_t n = 0;
  const int64_t *v = pt_node_ints(r->node, name, &n);
  for (int32_t i = 0; i < r->t->n_space; i++) {
    out[i] = 1;
    if (n == 0)
      continue;
    if (n != (uint32_t)r->t->n_space || v[i] < 1 || v[i] > 4096)
      return false;
    out[i] = (int32_t)v[i];
  }
  return true;
}

static void write_list(PtReader *r, const char *name, const int32_t *v, int32_t n) {
  int64_t wide[6];
  for (int32_t i = 0; i < n; i++)
    wide[i] = v[i];
  pt_node_set_ints(r->library->store, r->t->node, name, wide, (uint32_t)n);
}

static bool read_window(PtReader *r) {
  PtWalkTemplate *t = r->t;
  if (!read_list(r, "strides", t->strides) || !read_list(r, "dilations", t->dilations) ||
      !resolve_pads(r))
    return false;
  pt_reader_drop(r, "auto_pad");
  write_list(r, "kernel_shape", t->kernel, t->n_space);
  write_list(r, "strides", t->strides, t->n_space);
  write_list(r, "dilations", t->dilations, t->n_space);
  write_list(r, "pads", t->pads, 2 * t->n_space);
  return true;
}

bool pt_read_conv(PtReader *r) {
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_CONV;
  PtWalkSlot *w = &t->slots[1];
  if (t->n_data != 1 || t->slots[0].kind != PT_SLOT_DATA || t->n_slots < 2 ||
      w->kind != PT_SLOT_WEIGHT || w->rank < 3 || w->rank > 5 || r->in.rank != (int32_t)w->rank ||
      w->dtype != r->in.dtype)
    return false;
  t->n_space = (int32_t)w->rank - 2;
  int64_t groups = pt_node_int(r->node, "group", 1);
  int32_t in = r->in.dims[1], out = w->dims[0];
  if (groups < 1 || in < 1 || in % groups || w->dims[1] != in / groups || out < 1)
    return false;
  bool depthwise = groups > 1 && groups == in && out == in;
  t->groups = depthwise ? 0 : (int32_t)groups;
  t->dense = !depthwise;
  r->width = depthwise ? 0 : out;
  for (int32_t i = 0; i < t->n_space; i++)
    if ((t->kernel[i] = w->dims[2 + i]) < 1 || w->dims[2 + i] > 4096)
      return false;
  w->dtype = 0;
  w->dims[0] = depthwise ? PT_DIM_CHANNEL : PT_DIM_WIDTH;
  w->dims[1] = depthwise ? 1 : PT_DIM_PER_GROUP;
  if (t->n_slots > 2 && t->slots[2].kind == PT_SLOT_WEIGHT) {
    PtWalkSlot *b = &t->slots[2];
    if (b->rank != 1 || b->dims[0] != out || b->dtype != r->in.dtype)
      return false;
    b->dtype = 0;
    b->dims[0] = w->dims[0];
  } else if (t->n_slots > 2)
    return false; /* one output channel: a single float stays real */
  pt_reader_set(r, "group", groups);
  if (depthwise)
    pt_reader_drop(r, "group");
  return read_window(r);
}

/* Like Conv, but for the weight's layout: [in, out / groups, ..]. */
bool pt_read_conv_transpose(PtReader *r) {
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_CONV_TRANSPOSE;
  PtWalkSlot *w = &t->slots[1];
  uint32_t n = 0;
  const int64_t *more = pt_node_ints(r->node, "output_padding", &n);
  if (t->n_data != 1 || t->slots[0].kind != PT_SLOT_DATA || t->n_slots < 2 ||
      w->kind != PT_SLOT_WEIGHT || w->rank < 3 || w->rank > 5 || r->in.rank != (int32_t)w->rank ||
      w->dtype != r->in.dtype || pt_node_attr(r->node, "output_shape") ||
      (pt_node_attr(r->node, "auto_pad") && !pt_node_string_is(r->node, "auto_pad", "NOTSET") &&
       !pt_node_string_is(r->node, "auto_pad", "VALID")))
    return false;
  t->n_space = (int32_t)w->rank - 2;
  int64_t groups = pt_node_int(r->node, "group", 1), out = groups * w->dims[1];
  int32_t in = r->in.dims[1];
  if (groups < 1 || in < 1 || in % groups || w->dims[0] != in || out < 1 || out > INT32_MAX ||
      (n && n != (uint32_t)t->n_space))
    return false;
  bool depthwise = groups > 1 && groups == in && out == in;
  t->groups = depthwise ? 0 : (int32_t)groups;
  t->dense = !depthwise;
  r->width = depthwise ? 0 : (int32_t)out;
  for (int32_t i = 0; i < t->n_space; i++) {
    t->kernel[i] = w->dims[2 + i];
    if (t->kernel[i] < 1 || t->kernel[i] > 4096 || (n && (more[i] < 0 || more[i] > 4096)))
      return false;
    t->out_pads[i] = n ? (int32_t)more[i] : 0;
  }
  w->dtype = 0;
  w->dims[0] = PT_DIM_CHANNEL;
  w->dims[1] = depthwise ? 1 : PT_DIM_WIDTH_PER_GROUP;
  if (t->n_slots > 2) {
    PtWalkSlot *b = &t->slots[2];
    if (b->kind != PT_SLOT_WEIGHT || b->rank != 1 || b->dims[0] != out || b->dtype != r->in.dtype)
      return false;
    b->dtype = 0;
    b->dims[0] = depthwise ? PT_DIM_CHANNEL : PT_DIM_WIDTH;
  }
  pt_reader_set(r, "group", groups);
  if (depthwise)
    pt_reader_drop(r, "group");
  if (!read_window(r))
    return false;
  write_list(r, "output_padding", t->out_pads, t->n_space);
  return true;
}

bool pt_read_pool(PtReader *r) {
  PtWalkTemplate *t = r->t;
  t->kind = PT_WALK_POOL;
  uint32_t n = 0;
  const int64_t *kernel = pt_node_ints(r->node, "kernel_shape", &n);
  if (n < 1 || n > 3 || r->in.rank != (int32_t)n + 2 || t->n_slots != 1 || t->outputs != 1 ||
      !(g_str_equal(t->op, "MaxPool") || g_str_equal(t->op, "AveragePool")))
    return false;
  t->n_outputs = 1;
  t->n_space = (int32_t)n;
  for (uint32_t i = 0; i < n; i++) {
    if (kernel[i] < 1 || kernel[i] > 4096)
      return false;
    t->kernel[i] = (int32_t)kernel[i];
  }
  t->ceil_mode = pt_node_int(r->node, "ceil_mode", 0) != 0;
  pt_reader_drop(r, "storage_order");
  if (!read_window(r))
    return false;
  bool dilated = false;
  for (uint32_t i = 0; i < n; i++)
    dilated |= t->dilations[i] != 1;
  if (!dilated)
    pt_reader_drop(r, "dilations"); /* AveragePool has none before opset 19 */
  t->since = t->ceil_mode || dilated ? 10 : 7;
  if (dilated && g_str_equal(t->op, "AveragePool"))
    t->since = 19;
  if (!t->ceil_mode)
    pt_reader_drop(r, "ceil_mode");
  return true;
}
