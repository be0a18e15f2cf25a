/* apart.c: some models are set apart: generators and adversaries that have seen nothing of them. */
#include "audit/audit_private.h"

/* Names of what may be learned from, borrowed: of no family of those apart. */
static GPtrArray *others(const PtLab *lab, const PtAuditOptions *o, const char *const *apart,
                         GError **error) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  g_autofree bool *taken = g_new0(bool, (gsize)lab->n_families + 1);
  for (guint i = 0; apart[i]; i++) {
    uint32_t m = pt_lab_model(lab, apart[i]);
    if (m == PT_NONE) {
      g_set_error(error, PT_AUDIT_ERROR, PT_ERR_USAGE, "%s has no model %s", lab->corpus, apart[i]);
      return NULL;
    }
    taken[lab->family[m]] = true;
  }
  for (uint32_t m = 0; m < lab->names->len; m++)
    if (!taken[lab->family[m]] && (!o->models || g_strv_contains(o->models, lab->names->pdata[m])))
      g_ptr_array_add(names, lab->names->pdata[m]);
  if (names->len < 2) {
    g_set_error(error, PT_AUDIT_ERROR, PT_ERR_USAGE,
                "only %u other models are left to learn from: name more", names->len);
    return NULL;
  }
  g_ptr_array_add(names, NULL);
  return g_steal_pointer(&names);
}

bool pt_audit_apart(const PtAuditOptions *o, const char *const *apart, const char *path,
                    char **generators, GError **error) {
  g_autofree char *temporary = NULL;
  g_autoptr(PtLab) lab = pt_audit_lab(o, &temporary, error);
  g_autoptr(GPtrArray) names = lab ? others(lab, o, apart, error) : NULL;
  if (!names)
    return false;
  for (guint i = 0; apart[i]; i++)
    if (!(generators[i] = pt_lab_generator(lab, lab->group[pt_lab_model(lab, apart[i])], error)))
      return false;
  PtAuditOptions rest = *o;
  rest.models = (const char *const *)names->pdata;
  return pt_audit_learn_in(lab, &rest, path, error);
}
