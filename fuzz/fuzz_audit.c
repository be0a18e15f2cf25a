/* libFuzzer: whatever the bytes, what is read of trained adversaries can be asked about a bucket,
 * and what is read of a tally can be summed and written. */
#include "audit/audit_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Three pieces of one to three operators. */
static PtCase *small_case(void) {
  g_autoptr(GPtrArray) graphs = g_ptr_array_new_with_free_func((GDestroyNotify)pt_graph_unref);
  PtCase *t = pt_case_new("fuzz");
  for (uint32_t b = 0; b < 2; b++) {
    for (uint32_t i = 0; i < 3; i++) {
      PtGraph *g = pt_graph_new();
      PtDim dims[] = {{1, NULL}, {4, NULL}};
      PtType type = pt_type_tensor(g, PT_FLOAT, 2, dims);
      PtValueId at = pt_graph_add_input(g, "x", &type);
      pt_graph_set_opset(g, "", 17);
      for (uint32_t k = 0; k <= i; k++)
        at = pt_graph_add_op(g, k + b > 1 ? "Relu" : "Tanh", &at, 1);
      pt_graph_add_output(g, at);
      if (!pt_sight_types(g, NULL))
        g_error("no types");
      g_ptr_array_add(graphs, g);
    }
    pt_case_add_bucket(t, graphs, 1);
    g_ptr_array_set_size(graphs, 0);
  }
  return t;
}

static void tally(const uint8_t *data, size_t size) {
  g_autoptr(PtTally) tally = pt_tally_parse(data, size);
  if (!tally)
    return;
  g_autoptr(GPtrArray) both = g_ptr_array_new();
  g_ptr_array_add(both, tally);
  g_ptr_array_add(both, tally);
  g_autoptr(PtTally) sum = pt_tally_sum(both);
  g_autoptr(GByteArray) bytes = sum ? pt_tally_bytes(sum) : NULL;
  if (!bytes)
    g_error("no sum of a tally and itself");
  pt_audit_model_free(pt_contest_model(sum->contest, "fuzz", PT_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static PtCase *t;
  if (!t)
    t = small_case();
  tally(data, size);
  g_autoptr(PtJury) jury = pt_jury_parse(data, size);
  if (jury) {
    g_autoptr(PtContest) said = pt_jury_hear(jury, t);
    if (said->n_rows < jury->seats->len)
      g_error("somebody said nothing");
  }
  return 0;
}
