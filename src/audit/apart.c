/* apart.c: some models are set apart: generators and adversaries that have seen nothing of them. */
#include "audit/audit_private.h"

#include <glib/gstdio.h>
#include <math.h>

typedef struct Other {
  const char *name; /* borrowed */
  double far;       /* in size from those apart */
} Other;

static double log_size(const PtLab *lab, const char *name) {
  g_autofree char *file = g_strconcat(name, ".onnx", NULL);
  g_autofree char *path = g_build_filename(lab->corpus, file, NULL);
  GStatBuf info;
  return g_stat(path, &info) == 0 ? log((double)info.st_size + 1) : 0;
}

static int by_distance(const void *a, const void *b) {
  double x = ((const Other *)a)->far, y = ((const Other *)b)->far;
  return x < y ? -1 : x > y;
}

/* Names of what is learned from, borrowed: of no family of those apart; the nearest in size. */
static GPtrArray *others(const PtLab *lab, const PtAuditOptions *o, const char *const *apart,
                         uint32_t most, GError **error) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Other));
  g_autofree bool *taken = g_new0(bool, (gsize)lab->n_families + 1);
  double size = 0, n = g_strv_length((char **)apart);
  for (guint i = 0; apart[i]; i++) {
    uint32_t m = pt_lab_model(lab, apart[i]);
    if (m == PT_NONE) {
      g_set_error(error, PT_AUDIT_ERROR, PT_ERR_USAGE, "%s has no model %s", lab->corpus, apart[i]);
      return NULL;
    }
    taken[lab->family[m]] = true;
    size += log_size(lab, apart[i]) / n;
  }
  for (uint32_t m = 0; m < lab->names->len; m++) {
    Other one = {lab->names->pdata[m], fabs(log_size(lab, lab->names->pdata[m]) - size)};
    if (!taken[lab->family[m]] && (!o->models || g_strv_contains(o->models, one.name)))
      g_array_append_val(found, one);
  }
  if (found->len < 2) {
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_USAGE,
                "%u other models are left to learn from: name fewer, or give a larger corpus",
                found->len);
    return NULL;
  }
  g_array_sort(found, by_distance);
  for (guint i = 0; i < MIN(found->len, most); i++)
    g_ptr_array_add(names, (void *)g_array_index(found, Other, i).name);
  g_ptr_array_add(names, NULL);
  return g_steal_pointer(&names);
}

bool pt_audit_apart(const PtAuditOptions *o, const char *const *apart, uint32_t most,
                    const char *path, char **generators, GError **error) {
  g_autofree char *temporary = NULL;
  g_autoptr(PtLab) lab = pt_audit_lab(o, &temporary, error);
  g_autoptr(GPtrArray) names = lab ? others(lab, o, apart, most, error) : NULL;
  if (!names)
    return false;
  for (guint i = 0; apart[i]; i++)
    if (!(generators[i] =
              pt_lab_generator(lab, lab->group[pt_lab_model(lab, apart[i])], false, error)))
      return false;
  PtAuditOptions rest = *o;
  rest.models = (const char *const *)names->pdata;
  return pt_audit_learn_in(lab, &rest, path, NULL, error);
}
