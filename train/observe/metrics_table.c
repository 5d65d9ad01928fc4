#include "train/observe/metrics_table.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "train/observe/lines.h"

static int find_column(const train_columns *m, const char *name) {
  for (int c = 0; c < m->columns; c++)
    if (strcmp(m->name[c], name) == 0) return c;
  return -1;
}

const double *train_columns_find(const train_columns *m, const char *name) {
  int c = find_column(m, name);
  return c < 0 ? NULL : m->value[c];
}

double train_columns_total(const train_columns *m, const char *name) {
  const double *v = train_columns_find(m, name);
  double sum = 0;
  for (int64_t i = 0; v && i < m->rows; i++) sum += isfinite(v[i]) ? v[i] : 0;
  return sum;
}

// A new column, NaN in the rows so far. *column = -1 when the table is full.
static orr_code add_column(train_columns *m, const char *name, int *column) {
  *column = -1;
  if (m->columns == TRAIN_COLUMNS_MAX) return ORR_OK;
  char *copy = orr_strdup(name);
  double *value = orr_malloc((size_t)m->room * sizeof *value);
  if (!copy || !value) {
    orr_free(copy);
    orr_free(value);
    return ORR_FAIL(ORR_ENOMEM, "out of memory for %" PRId64 " rows of '%s'", m->room, name);
  }
  for (int64_t r = 0; r < m->room; r++) value[r] = NAN;
  *column = m->columns++;
  m->name[*column] = copy;
  m->value[*column] = value;
  return ORR_OK;
}

static orr_code grow(train_columns *m) {
  int64_t room = m->room * 2;
  for (int c = 0; c < m->columns; c++) {
    double *value = orr_realloc(m->value[c], (size_t)room * sizeof *value);
    ORR_CHECK(value, ORR_ENOMEM, "out of memory for %" PRId64 " rows of metrics", room);
    m->value[c] = value;
    for (int64_t r = m->room; r < room; r++) value[r] = NAN;
  }
  m->room = room;
  return ORR_OK;
}

// Forgets rows from `step` on: a resumed run writes them again.
static void rewind_to(train_columns *m, double step) {
  int c = find_column(m, "step");
  while (c >= 0 && m->rows > 0 && m->value[c][m->rows - 1] >= step) {
    m->rows--;
    for (int k = 0; k < m->columns; k++) m->value[k][m->rows] = NAN;
  }
}

static orr_code add_row(train_columns *m, json_t *line) {
  rewind_to(m, json_number_value(json_object_get(line, "step")));
  if (m->rows == m->room) ORR_TRY(grow(m));
  const char *name;
  json_t *value;
  json_object_foreach(line, name, value) {
    if (!json_is_number(value)) continue; // null stands for NaN
    int c = find_column(m, name);
    if (c < 0) ORR_TRY(add_column(m, name, &c));
    if (c >= 0) m->value[c][m->rows] = json_number_value(value);
  }
  m->rows++;
  return ORR_OK;
}

static orr_code take_line(void *table, const train_line *line) {
  train_columns *m = table;
  if (line->object) return add_row(m, line->object);
  m->unreadable += !line->torn;
  return ORR_OK;
}

orr_code train_columns_read(const char *path, train_columns *out) {
  char *text = NULL;
  size_t bytes = 0;
  *out = (train_columns){.room = 1024};
  ORR_TRY(orr_fs_read_all(path, &text, &bytes));
  const orr_code rc = train_lines_each(text, bytes, true, take_line, out);
  orr_free(text);
  if (rc != ORR_OK) train_columns_release(out);
  return rc;
}

void train_columns_release(train_columns *m) {
  for (int c = 0; c < m->columns; c++) {
    orr_free(m->name[c]);
    orr_free(m->value[c]);
  }
  *m = (train_columns){0};
}
