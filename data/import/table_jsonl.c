// JSON lines: one object a line. Python's NaN and Infinity are not JSON; the parser names their
// line.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/import/json_lines.h"
#include "data/import/table_builder.h"

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

static orr_code choose(data_table_builder *b, const json_t *object, data_words wanted) {
  char all[600];
  const char *key;
  json_t *value;
  list_keys(object, all, sizeof all);
  for (int64_t i = 0; i < wanted.n; i++)
    ORR_TRY(data_table_take(b, wanted.v[i], strlen(wanted.v[i])));
  if (wanted.n) return ORR_OK;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    if (data_table_usual(key, strlen(key))) ORR_TRY(data_table_take(b, key, strlen(key)));
  }
  ORR_CHECK(b->n, ORR_ENOTFOUND,
            "%s: no member is called action; name members with --actions; there are: %s", b->path,
            all);
  return ORR_OK;
}

static orr_code put(data_table_builder *b, int64_t i, const json_t *value) {
  bool good = json_is_number(value) || json_is_boolean(value) || json_is_null(value);
  ORR_CHECK(good, ORR_EFORMAT, "%s: line %" PRId64 ": %s is no number and no list of numbers",
            b->path, b->line, b->names[i]);
  return data_table_put(b, json_is_number(value) ? json_number_value(value)
                           : json_is_null(value) ? NAN
                                                 : json_is_true(value));
}

static orr_code put_member(data_table_builder *b, int64_t i, const json_t *object) {
  const json_t *value = find(object, b->names[i]);
  if (!value) {
    char all[600];
    list_keys(object, all, sizeof all);
    return ORR_FAIL(ORR_ENOTFOUND, "%s: line %" PRId64 ": no member %s; there are: %s", b->path,
                    b->line, b->names[i], all);
  }
  if (!json_is_array(value)) {
    ORR_TRY(put(b, i, value));
    return data_table_end_cell(b, i, 1, false);
  }
  const size_t n = json_array_size(value);
  for (size_t k = 0; k < n; k++) ORR_TRY(put(b, i, json_array_get(value, k)));
  return data_table_end_cell(b, i, (int64_t)n, true);
}

typedef struct {
  data_table_builder b;
  data_words wanted;
} reading;

static orr_code read_line(void *ctx, int64_t line, const json_t *object) {
  reading *r = ctx;
  r->b.line = line;
  if (!r->b.n) ORR_TRY(choose(&r->b, object, r->wanted));
  for (int64_t i = 0; i < r->b.n; i++) ORR_TRY(put_member(&r->b, i, object));
  r->b.rows++;
  return ORR_OK;
}

orr_code data_table_read_jsonl(const char *path, const char *text, size_t bytes, data_words wanted,
                               data_table *out) {
  reading r = {.b.path = path, .wanted = wanted};
  orr_code rc = data_json_lines(path, text, bytes, read_line, &r);
  if (rc == ORR_OK) rc = data_table_finish(&r.b, out);
  data_table_builder_release(&r.b);
  return rc;
}
