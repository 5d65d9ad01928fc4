#include "data/import/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/import/table_builder.h"

#define COLUMNS_MAX 65536

orr_code data_table_take(data_table_builder *b, const char *name, size_t letters) {
  size_t n = (size_t)b->n + 1;
  ORR_CHECK(n <= COLUMNS_MAX, ORR_EFORMAT, "%s: more than %d columns", b->path, COLUMNS_MAX);
  char **names = orr_realloc(b->names, n * sizeof *names);
  if (names) b->names = names;
  int64_t *widths = orr_realloc(b->widths, n * sizeof *widths);
  if (widths) b->widths = widths;
  bool *lists = orr_realloc(b->lists, n * sizeof *lists);
  if (lists) b->lists = lists;
  char *copy = names && widths && lists ? orr_format("%.*s", (int)letters, name) : NULL;
  ORR_CHECK(copy, ORR_ENOMEM, "%s: no memory for its columns", b->path);
  b->names[b->n] = copy;
  b->widths[b->n] = 0;
  b->lists[b->n] = false;
  b->n++;
  return ORR_OK;
}

bool data_table_usual(const char *name, size_t letters) {
  static const char word[] = "action";
  const size_t length = sizeof word - 1;
  if (letters < length || memcmp(name, word, length) != 0) return false;
  if (letters == length || (letters == length + 1 && name[length] == 's')) return true;
  return name[length] == '_' || name[length] == '.' || name[length] == '[';
}

orr_code data_table_put(data_table_builder *b, double value) {
  if (b->used == b->room) {
    size_t room = b->room ? 2 * b->room : 1024;
    float *v = orr_realloc(b->v, room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: no memory for %zu numbers", b->path, room);
    b->v = v;
    b->room = room;
  }
  b->v[b->used++] = (float)value;
  return ORR_OK;
}

orr_code data_table_end_cell(data_table_builder *b, int64_t i, int64_t count, bool list) {
  if (b->rows == 0) {
    b->widths[i] = count;
    b->lists[i] = list;
  }
  ORR_CHECK(count == b->widths[i] && count >= 1, ORR_EFORMAT,
            "%s: line %" PRId64 ": %s holds %" PRId64 " numbers, wanted %" PRId64
            " as in the first row",
            b->path, b->line, b->names[i], count, b->widths[i] ? b->widths[i] : 1);
  return ORR_OK;
}

// Names of all columns in one block: lists get numbers after theirs.
static char **name_columns(const data_table_builder *b, int64_t columns) {
  size_t bytes = (size_t)columns * sizeof(char *);
  for (int64_t i = 0; i < b->n; i++) bytes += (size_t)b->widths[i] * (strlen(b->names[i]) + 24);
  char **names = orr_malloc(bytes);
  if (!names) return NULL;
  char *text = (char *)(names + columns), *end = (char *)names + bytes;
  for (int64_t i = 0, column = 0; i < b->n; i++) {
    for (int64_t k = 0; k < b->widths[i]; k++, column++) {
      names[column] = text;
      int n = b->lists[i] ? snprintf(text, (size_t)(end - text), "%s_%" PRId64, b->names[i], k)
                          : snprintf(text, (size_t)(end - text), "%s", b->names[i]);
      text += n + 1;
    }
  }
  return names;
}

orr_code data_table_finish(data_table_builder *b, data_table *out) {
  int64_t columns = 0;
  ORR_CHECK(b->rows >= 1, ORR_EFORMAT, "%s: no row of actions", b->path);
  for (int64_t i = 0; i < b->n; i++) columns += b->widths[i];
  char **names = name_columns(b, columns);
  ORR_CHECK(names, ORR_ENOMEM, "%s: no memory for its columns", b->path);
  *out = (data_table){.rows = b->rows, .columns = columns, .v = b->v, .names = names};
  b->v = NULL;
  return ORR_OK;
}

void data_table_builder_release(data_table_builder *b) {
  for (int64_t i = 0; i < b->n; i++) orr_free(b->names[i]);
  orr_free(b->names);
  orr_free(b->widths);
  orr_free(b->lists);
  orr_free(b->v);
}

void data_table_release(data_table *t) {
  orr_free(t->names);
  orr_free(t->v);
  *t = (data_table){0};
}
