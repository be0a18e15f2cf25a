/* human.c: numbers, lines and tables for people. */
#include "report/report.h"

#include <math.h>
#include <string.h>

G_DEFINE_QUARK(pt - report - error - quark, pt_report_error)

char *pt_human_size(uint64_t bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000)
    return g_strdup_printf("%u B", (unsigned)bytes);
  double value = (double)bytes;
  unsigned unit = 0;
  /* 999.5 and not 1000, or 999,999 bytes would read as 1000 kB */
  while (value >= 999.5 && unit + 1 < G_N_ELEMENTS(units)) {
    value /= 1000;
    unit++;
  }
  return g_strdup_printf("%.*f %s", value < 9.95 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
}

char *pt_human_seconds(double seconds) {
  if (!isfinite(seconds))
    return g_strdup("n/a");
  if (seconds < 0)
    seconds = 0;
  if (seconds < 0.9995e-3)
    return g_strdup_printf("%.0f us", seconds * 1e6);
  if (seconds < 0.9995)
    return g_strdup_printf("%.*f ms", seconds < 0.0995 ? 2 : 0, seconds * 1e3);
  if (seconds < 59.995)
    return g_strdup_printf("%.2f s", seconds);
  double total = MIN(floor(seconds + 0.5), 1e15);
  uint64_t whole = (uint64_t)total;
  if (whole < 3600)
    return g_strdup_printf("%u min %02u s", (unsigned)(whole / 60), (unsigned)(whole % 60));
  return g_strdup_printf("%" G_GUINT64_FORMAT " h %02u min", whole / 3600,
                         (unsigned)(whole % 3600 / 60));
}

char *pt_human_count(uint64_t count) {
  char digits[24];
  int length = g_snprintf(digits, sizeof digits, "%" G_GUINT64_FORMAT, count);
  GString *text = g_string_sized_new(32);
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0)
      g_string_append_c(text, ',');
    g_string_append_c(text, digits[i]);
  }
  return g_string_free(text, FALSE);
}

char *pt_human_percent(double ratio) {
  if (!isfinite(ratio))
    return g_strdup("n/a");
  return g_strdup_printf("%+.1f %%", ratio * 100);
}

char *pt_human_plural(uint64_t count, const char *one, const char *many) {
  g_autofree char *number = pt_human_count(count);
  return g_strdup_printf("%s %s", number, count == 1 ? one : many);
}

/* ---- lines ---- */
#define LABEL_WIDTH 12

struct PtLines {
  GString *text;
};

PtLines *pt_lines_new(void) {
  PtLines *lines = g_new0(PtLines, 1);
  lines->text = g_string_new(NULL);
  return lines;
}

void pt_lines_add(PtLines *lines, const char *label, const char *format, ...) {
  g_string_append_printf(lines->text, "%-*s ", LABEL_WIDTH, label);
  va_list arguments;
  va_start(arguments, format);
  g_string_append_vprintf(lines->text, format, arguments);
  va_end(arguments);
  g_string_append_c(lines->text, '\n');
}

char *pt_lines_finish(PtLines *lines) {
  char *text = g_string_free(lines->text, FALSE);
  g_free(lines);
  return text;
}

/* ---- tables ---- */
struct PtTable {
  unsigned columns;
  GPtrArray *cells; /* char*, row after row */
};

PtTable *pt_table_new(unsigned columns) {
  PtTable *table = g_new0(PtTable, 1);
  table->columns = MAX(columns, 1);
  table->cells = g_ptr_array_new_with_free_func(g_free);
  return table;
}

void pt_table_row(PtTable *table, const char *const *cells) {
  for (unsigned i = 0; i < table->columns; i++)
    g_ptr_array_add(table->cells, g_utf8_make_valid(cells[i] ? cells[i] : "", -1));
}

static void append_spaces(GString *text, glong count) {
  for (glong i = 0; i < count; i++)
    g_string_append_c(text, ' ');
}

char *pt_table_finish(PtTable *table) {
  g_autofree glong *width = g_new0(glong, table->columns);
  for (unsigned i = 0; i < table->cells->len; i++) {
    glong length = g_utf8_strlen(g_ptr_array_index(table->cells, i), -1);
    width[i % table->columns] = MAX(width[i % table->columns], length);
  }
  GString *text = g_string_new(NULL);
  for (unsigned i = 0; i < table->cells->len; i++) {
    unsigned column = i % table->columns;
    const char *cell = g_ptr_array_index(table->cells, i);
    glong pad = width[column] - g_utf8_strlen(cell, -1);
    if (column > 0)
      append_spaces(text, 2 + pad);
    g_string_append(text, cell);
    if (column == 0)
      append_spaces(text, pad);
    if (column + 1 == table->columns) {
      while (text->len > 0 && text->str[text->len - 1] == ' ')
        g_string_truncate(text, text->len - 1);
      g_string_append_c(text, '\n');
    }
  }
  g_ptr_array_unref(table->cells);
  g_free(table);
  return g_string_free(text, FALSE);
}
