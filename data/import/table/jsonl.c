// JSON lines: one object a line. Python's NaN and Infinity come as texts
// (data/import/table/json_lines.h).
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/import/table/json_lines.h"
#include "data/import/table/builder.h"
#include "data/import/table/cell.h"

typedef struct {
  data_table_builder b;
  bool chosen; // columns, by the first line
} reading;

// The member that a path such as "robot.arm" leads to; a member whose whole name that is comes
// first. NULL when there is none.
static const json_t *find(const json_t *object, const char *path) {
  char part[256];
  const json_t *found = json_object_get(object, path);
  const char *dot = strchr(path, '.');
  if (found || !dot || (size_t)(dot - path) >= sizeof part) return found;
  memcpy(part, path, (size_t)(dot - path));
  part[dot - path] = 0;
  const json_t *inner = json_object_get(object, part);
  return inner ? find(inner, dot + 1) : NULL;
}

static void list_keys(const json_t *object, char *out, size_t size) {
  const char *key;
  json_t *value;
  size_t at = 0;
  out[0] = 0;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    if (at < size) at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", key);
  }
}

static bool is_taken(const data_table_builder *b, const char *name) {
  for (int64_t i = 0; i < b->n; i++)
    if (strcmp(b->names[i], name) == 0) return true;
  return false;
}

static orr_code choose_time(data_table_builder *b, const json_t *object) {
  const char *key, *best = b->wish->time;
  json_t *value;
  int rank = 0;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    int own = data_table_time_rank(key);
    if (b->wish->time || own <= rank || is_taken(b, key)) continue;
    rank = own;
    best = key;
  }
  return best ? data_table_take_time(b, best) : ORR_OK;
}

static orr_code choose(data_table_builder *b, const json_t *object) {
  const data_words wanted = b->wish->columns;
  char all[600];
  const char *key;
  json_t *value;
  list_keys(object, all, sizeof all);
  for (int64_t i = 0; i < wanted.n; i++)
    ORR_TRY(data_table_take(b, wanted.v[i], strlen(wanted.v[i])));
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    if (!wanted.n && data_table_usual(key, strlen(key)))
      ORR_TRY(data_table_take(b, key, strlen(key)));
  }
  ORR_CHECK(b->n, ORR_ENOTFOUND,
            "%s: no member is called action; name members with --actions; there are: %s", b->path,
            all);
  return choose_time(b, object);
}

static orr_code fail_missing(const data_table_builder *b, const json_t *object, const char *name) {
  char all[600];
  list_keys(object, all, sizeof all);
  return ORR_FAIL(ORR_ENOTFOUND, "%s: line %" PRId64 ": no member %s; there are: %s", b->path,
                  b->line, name, all);
}

// -- values ---------------------------------------------------------------------------------

// Puts a number, or a list of them (in lists); *count goes up by as many.
static orr_code put(data_table_builder *b, int64_t i, const json_t *value, int64_t *count) {
  double number = NAN;
  if (json_is_string(value)) { // NaN of Python's; numbers in quotes
    const char *end = data_table_number(json_string_value(value), &number);
    ORR_CHECK(end && !*end, ORR_EFORMAT, "%s: line %" PRId64 ": %s holds '%.40s', wanted a number",
              b->path, b->line, b->names[i], json_string_value(value));
  } else {
    bool good = json_is_number(value) || json_is_boolean(value) || json_is_null(value);
    ORR_CHECK(good, ORR_EFORMAT, "%s: line %" PRId64 ": %s is no number and no list of numbers",
              b->path, b->line, b->names[i]);
    if (!json_is_null(value))
      number = json_is_number(value) ? json_number_value(value) : json_is_true(value);
  }
  ++*count;
  return data_table_put(b, number);
}

static orr_code put_list(data_table_builder *b, int64_t i, const json_t *list, int64_t *count,
                         int depth) {
  const size_t n = json_array_size(list);
  size_t inner = 0;
  for (size_t k = 0; k < n; k++) inner += json_is_array(json_array_get(list, k));
  ORR_CHECK((!inner || inner == n) && depth < 8, ORR_EFORMAT,
            "%s: line %" PRId64 ": %s is no number and no list of numbers", b->path, b->line,
            b->names[i]);
  for (size_t k = 0; k < n; k++) {
    const json_t *value = json_array_get(list, k);
    ORR_TRY(inner ? put_list(b, i, value, count, depth + 1) : put(b, i, value, count));
  }
  return ORR_OK;
}

static orr_code put_member(data_table_builder *b, int64_t i, const json_t *object) {
  const json_t *value = find(object, b->names[i]);
  int64_t count = 0;
  if (!value) return fail_missing(b, object, b->names[i]);
  if (json_is_string(value)) return data_table_put_text(b, i, json_string_value(value));
  ORR_TRY(json_is_array(value) ? put_list(b, i, value, &count, 0) : put(b, i, value, &count));
  return data_table_end_cell(b, i, count, json_is_array(value));
}

static orr_code put_time(data_table_builder *b, const json_t *object) {
  const json_t *value = find(object, b->time_name);
  if (!value) return fail_missing(b, object, b->time_name);
  if (json_is_string(value)) return data_table_put_time_text(b, json_string_value(value));
  return data_table_put_time(b, json_is_number(value) ? json_number_value(value) : NAN);
}

static orr_code read_line(void *ctx, int64_t line, const json_t *object) {
  reading *r = ctx;
  r->b.line = line;
  if (!r->chosen) ORR_TRY(choose(&r->b, object));
  r->chosen = true;
  for (int64_t i = 0; i < r->b.n; i++) ORR_TRY(put_member(&r->b, i, object));
  if (r->b.time_name) ORR_TRY(put_time(&r->b, object));
  r->b.rows++;
  return ORR_OK;
}

orr_code data_table_read_jsonl(const char *path, const char *text, size_t bytes,
                               const data_table_wish *wish, data_table *out) {
  reading r = {.b = {.path = path, .wish = wish}};
  orr_code rc = data_json_lines(path, text, bytes, read_line, &r);
  if (rc == ORR_OK) rc = data_table_finish(&r.b, out);
  data_table_builder_release(&r.b);
  return rc;
}
