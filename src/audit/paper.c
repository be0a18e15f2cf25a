/* paper.c: Figure 6 of the paper: its adversary against its nine models with its n and k, trained
 * on the others; sentinels of this program, and random operators. */
#include "audit/audit_private.h"

#include <math.h>

#define K 20

/* As printed there; candidates as log10. */
static const PtPaperRow figure_6[] = {
    {.model = "densenet",
     .file = "densenet121",
     .n = 19,
     .paper = {0.338, 0.757, 21.9206},
     .paper_random = {0.000, 1.000, 25.1206}},
    {.model = "googlenet",
     .file = "googlenet",
     .n = 11,
     .paper = {0.346, 0.899, 12.6335},
     .paper_random = {0.990, 0.356, 0.8451}},
    {.model = "inception",
     .file = "inception_v3",
     .n = 19,
     .paper = {0.229, 0.910, 23.0899},
     .paper_random = {0.970, 0.784, 3.8859}},
    {.model = "mnasnet",
     .file = "mnasnet1_0",
     .n = 11,
     .paper = {0.117, 0.944, 13.9818},
     .paper_random = {1.000, 0.019, 0}},
    {.model = "resnet",
     .file = "resnet50",
     .n = 10,
     .paper = {0.451, 0.908, 10.7868},
     .paper_random = {1.000, 0.100, 0}},
    {.model = "mobilenet",
     .file = "mobilenet_v2",
     .n = 11,
     .paper = {0.135, 0.977, 13.8876},
     .paper_random = {0.607, 1.000, 10.4249}},
    {.model = "bert",
     .file = "bert_base",
     .n = 16,
     .paper = {0.910, 0.653, 7.1367},
     .paper_random = {0.996, 0.474, 0.4771}},
    {.model = "roberta",
     .file = "roberta_base",
     .n = 16,
     .paper = {0.862, 0.799, 9.1875},
     .paper_random = {0.990, 0.634, 1.3010}},
    {.model = "xlm",
     .file = "xlm",
     .n = 25,
     .paper = {0.906, 0.816, 11.4757},
     .paper_random = {1.000, 0.300, 0}},
};
enum { ROWS = G_N_ELEMENTS(figure_6) };

/* The network's logit that a graph is a sentinel is minus the score. */
static double confidence(double score) {
  return 1 / (1 + exp(score));
}

static bool collect(const PtLab *lab, const PtAuditOptions *o, const char *mode, uint32_t seeds,
                    GPtrArray *cases, GError **error) {
  for (uint32_t i = 0; i < ROWS; i++) {
    PtRunOptions run = {.n = figure_6[i].n, .k = K, .mode = mode};
    run.model = pt_lab_model(lab, figure_6[i].file);
    if (run.model == PT_NONE) {
      g_set_error(error, PT_AUDIT_ERROR, PT_ERR_INPUT, "%s has no %s.onnx, which the table needs",
                  lab->corpus, figure_6[i].file);
      return false;
    }
    for (run.seed = 0; run.seed < seeds; run.seed++) {
      pt_progress(&o->progress, "protecting models", i * seeds + run.seed, (uint64_t)ROWS * seeds);
      PtCase *one = pt_lab_case(lab, &run, error);
      if (!one)
        return false;
      g_ptr_array_add(cases, one);
    }
  }
  return true;
}

/* Mean over seeds; candidates by the mean specificity, with the paper's n and k. */
static void summarize(const PtContest *c, const PtLab *lab, PtPaperRow *row, PtPaperCell *cell,
                      bool ours) {
  uint32_t model = pt_lab_model(lab, row->file), runs = 0;
  double square = 0, buckets = 0;
  *cell = (PtPaperCell){0};
  for (guint i = 0; i < c->targets->len; i++) {
    const PtCase *t = c->targets->pdata[i];
    if (t->model != model)
      continue;
    PtReduction r = pt_reduction(t, c->rows[0].scores[i], row->n, row->k);
    cell->specificity += r.beta;
    square += r.beta * r.beta;
    cell->gamma += confidence(1 - r.gamma);
    buckets += t->n_buckets;
    runs++;
  }
  runs = MAX(runs, 1);
  cell->specificity /= runs;
  cell->gamma /= runs;
  cell->log10_candidates = row->n * log10(1 + (1 - cell->specificity) * row->k);
  if (!ours)
    return;
  row->buckets = (uint32_t)lround(buckets / runs);
  row->specificity_error =
      runs > 1 ? sqrt(MAX(square / runs - cell->specificity * cell->specificity, 0) / (runs - 1))
               : 0;
  row->area = pt_contest_summary(c, 0, model).area;
}

static bool attack(const PtLab *lab, const PtAuditOptions *o, const char *mode, GArray *rows,
                   bool ours, GError **error) {
  static const char *const only[] = {"paper", NULL};
  g_autoptr(GPtrArray) cases = g_ptr_array_new_with_free_func((GDestroyNotify)pt_case_free);
  if (!collect(lab, o, mode, o->seeds ? o->seeds : 1, cases, error))
    return false;
  PtSeed seed;
  pt_seed_init(&seed, "paper");
  PtContestOptions how = {.only = only, .threads = o->threads, .progress = o->progress};
  g_autoptr(PtContest) c = pt_contest_new(cases, &how, &seed);
  for (uint32_t i = 0; i < ROWS; i++) {
    PtPaperRow *row = &g_array_index(rows, PtPaperRow, i);
    summarize(c, lab, row, ours ? &row->ours : &row->random, ours);
  }
  return true;
}

bool pt_audit_paper(const PtAuditOptions *o, GArray *rows, GError **error) {
  g_autofree char *temporary = NULL;
  g_autoptr(PtLab) lab = pt_audit_lab(o, &temporary, error);
  for (uint32_t i = 0; i < ROWS; i++) {
    PtPaperRow row = figure_6[i];
    row.k = K;
    g_array_append_val(rows, row);
  }
  bool ok = lab && attack(lab, o, o->mode ? o->mode : "walk", rows, true, error) &&
            attack(lab, o, "random", rows, false, error);
  if (temporary)
    pt_dir_remove(temporary);
  return ok;
}
