#include "data/import/table/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "data/import/table/builder.h"

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
  ORR_CHECK(copy, ORR_ENOMEM, "%s: out of memory for its columns", b->path);
  b->names[b->n] = copy;
  b->widths[b->n] = 0;
  b->lists[b->n] = false;
  b->n++;
  return ORR_OK;
}

// -- columns by their names -----------------------------------------------------------------

// Whether one of the words stands in the name between its beginning, its end, '_', '.' and the
// like.
static bool holds_word(const char *name, size_t letters, const char *const *words) {
  for (size_t from = 0, to; from <= letters; from = to + 1) {
    to = from;
    while (to < letters && !strchr("_. []-/", name[to])) to++;
    for (int i = 0; words[i]; i++)
      if (strlen(words[i]) == to - from && strncasecmp(name + from, words[i], to - from) == 0)
        return true;
  }
  return false;
}

bool data_table_usual(const char *name, size_t letters) {
  static const char word[] = "action";
  // what logs say about actions beside them
  static const char *const others[] = {"timestamp", "timestamps", "time",  "stamp", "ts",  "index",
                                       "idx",       "id",         "mask",  "valid", "pad", "name",
                                       "names",     "type",       "label", NULL};
  const size_t length = sizeof word - 1;
  if (letters < length || memcmp(name, word, length) != 0) return false;
  if (letters == length || (letters == length + 1 && name[length] == 's')) return true;
  if (name[length] != '_' && name[length] != '.' && name[length] != '[') return false;
  return !holds_word(name + length, letters - length, others);
}

int data_table_time_rank(const char *name) {
  static const char *const whole[] = {"timestamp", "time",    "t",        "ts",   "stamp",
                                      "seconds",   "elapsed", "datetime", "date", NULL};
  static const char *const parts[] = {"timestamp", "timestamps", "time", "stamp", NULL};
  for (int i = 0; whole[i]; i++)
    if (strcasecmp(name, whole[i]) == 0) return 100 - i;
  return holds_word(name, strlen(name), parts) ? 1 : 0;
}

orr_code data_table_take_time(data_table_builder *b, const char *name) {
  static const struct {
    const char *words[5];
    double unit;
  } units[] = {{{"s", "sec", "secs", "seconds", NULL}, 1},
               {{"ms", "msec", "millis", "milliseconds", NULL}, 1e-3},
               {{"us", "usec", "micros", "microseconds", NULL}, 1e-6},
               {{"ns", "nsec", "nanos", "nanoseconds", NULL}, 1e-9}};
  orr_free(b->time_name);
  b->time_name = orr_strdup(name);
  ORR_CHECK(b->time_name, ORR_ENOMEM, "%s: out of memory for its columns", b->path);
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (holds_word(name, strlen(name), units[i].words)) b->time_unit = units[i].unit;
  return ORR_OK;
}

// -- cells ----------------------------------------------------------------------------------

static orr_code append(data_table_builder *b, double **v, size_t *used, size_t *room,
                       double value) {
  if (*used == *room) {
    size_t more = *room ? 2 * *room : 1024;
    double *grown = orr_realloc(*v, more * sizeof *grown);
    ORR_CHECK(grown, ORR_ENOMEM, "%s: out of memory for %zu numbers", b->path, more);
    *v = grown;
    *room = more;
  }
  (*v)[(*used)++] = value;
  return ORR_OK;
}

orr_code data_table_put(data_table_builder *b, double value) {
  return append(b, &b->v, &b->used, &b->room, value);
}

orr_code data_table_put_time(data_table_builder *b, double value) {
  return append(b, &b->times, &b->times_used, &b->times_room, value);
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

// -- the table ------------------------------------------------------------------------------

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
  ORR_CHECK(names, ORR_ENOMEM, "%s: out of memory for its columns", b->path);
  *out = (data_table){.rows = b->rows, .columns = columns, .v = b->v, .names = names};
  b->v = NULL;
  if (!b->time_name) return ORR_OK;
  out->times = b->times;
  out->time_name = b->time_name;
  out->time_unit = b->time_unit;
  b->times = NULL;
  b->time_name = NULL;
  return ORR_OK;
}

void data_table_builder_release(data_table_builder *b) {
  for (int64_t i = 0; i < b->n; i++) orr_free(b->names[i]);
  orr_free(b->names);
  orr_free(b->widths);
  orr_free(b->lists);
  orr_free(b->time_name);
  orr_free(b->times);
  orr_free(b->v);
}

void data_table_release(data_table *t) {
  orr_free(t->time_name);
  orr_free(t->times);
  orr_free(t->names);
  orr_free(t->v);
  *t = (data_table){0};
}
