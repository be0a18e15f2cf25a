/* report: what people and scripts read.
 * In: the reports of the public API; paths to inspect.  Out: JSON objects, short aligned lines,
 * human numbers. Never touches: standard output (cli prints), anything that changes a file. */
#ifndef PT_REPORT_H
#define PT_REPORT_H

#include "base/base.h"
#include "proteus/proteus.h"
#include <jansson.h>

#define PT_REPORT_ERROR (pt_report_error_quark())
GQuark pt_report_error_quark(void);

/* ---- numbers for people; callers free ---- */
char *pt_human_size(uint64_t bytes);    /* "61 kB", "97.5 MB"; powers of ten */
char *pt_human_seconds(double seconds); /* "340 us", "12.5 ms", "1.90 s", "2 min 05 s" */
char *pt_human_count(uint64_t count);   /* "25,557,032" */
char *pt_human_percent(double ratio);   /* 0.0123 -> "+1.2 %"; "n/a" for NAN */
/* `count` and its noun: "1 piece", "12 pieces". */
char *pt_human_plural(uint64_t count, const char *one, const char *many);

/* A path as one may paste it into a shell. */
char *pt_shell_word(const char *path);

/* ---- aligned lines: a label column, then text; an empty label continues the one above ---- */
typedef struct PtLines PtLines;
PtLines *pt_lines_new(void);
void pt_lines_add(PtLines *lines, const char *label, const char *format, ...) G_GNUC_PRINTF(3, 4);
char *pt_lines_finish(PtLines *lines); /* frees; caller frees the text */

/* ---- tables: the first column left-aligned, the others right-aligned ---- */
typedef struct PtTable PtTable;
PtTable *pt_table_new(unsigned columns);
/* `columns` cells, each char*, copied; NULL is empty. */
void pt_table_row(PtTable *table, const char *const *cells);
char *pt_table_finish(PtTable *table);

/* ---- JSON; callers json_decref ---- */
json_t *pt_json_text(const char *text); /* NULL gives null; what is not UTF-8 is replaced */
json_t *pt_json_real(double value); /* NAN and infinities give null, which JSON has no word for */
char *pt_json_dump(json_t *json);   /* steals; one line and a newline */
json_t *pt_json_obfuscate(const PtObfuscateOptions *options, const PtObfuscateReport *report);
json_t *pt_json_optimize(const PtOptimizeOptions *options, const PtOptimizeReport *report);
json_t *pt_json_deobfuscate(const PtDeobfuscateOptions *options, const PtDeobfuscateReport *report);
json_t *pt_json_verify(const char *a, const char *b, const PtVerifyReport *report);
json_t *pt_json_bench(const PtBenchOptions *options, const PtBenchReport *report);

/* ---- text for people; callers free ---- */
char *pt_text_obfuscate(const PtObfuscateOptions *options, const PtObfuscateReport *report);
char *pt_text_optimize(const PtOptimizeOptions *options, const PtOptimizeReport *report);
char *pt_text_deobfuscate(const PtDeobfuscateOptions *options, const PtDeobfuscateReport *report);
char *pt_text_verify(const char *a, const char *b, const PtVerifyReport *report);
char *pt_text_bench(const PtBenchOptions *options, const PtBenchReport *report);

/* ---- audits ---------------------------------------------------------------------------------- */
/* The questionnaire as one HTML page; graphs: PtGraph with types. real[i]: the key. Caller frees.
 */
char *pt_quiz_html(GPtrArray *graphs, const bool *real, const char *seed, GError **error);
struct PtAuditSurvey;
struct PtAuditModel;
json_t *pt_json_survey(const struct PtAuditSurvey *survey);
char *pt_text_survey(const struct PtAuditSurvey *survey);
/* Of one bundle. */
json_t *pt_json_audit(const struct PtAuditModel *model);
char *pt_text_audit(const struct PtAuditModel *model);
/* bundle: the folder, for pictures of the weakest buckets (with Graphviz), or NULL. */
char *pt_html_audit(const struct PtAuditModel *model, const char *bundle);
/* rows: PtSweepRow. */
json_t *pt_json_sweep(const GArray *rows);
char *pt_text_sweep(const GArray *rows);
char *pt_svg_sweep(const GArray *rows); /* as one picture */
/* rows: PtPaperRow. */
json_t *pt_json_paper(const GArray *rows);
char *pt_text_paper(const GArray *rows);

#endif
