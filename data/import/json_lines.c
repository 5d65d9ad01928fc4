#include "data/import/json_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static orr_code one_line(const char *path, int64_t line, const char *text, size_t bytes,
                         orr_code (*each)(void *ctx, int64_t line, const json_t *object),
                         void *ctx) {
  char what[4200];
  json_t *object = NULL;
  snprintf(what, sizeof what, "%s: line %" PRId64, path, line);
  ORR_TRY(orr_json_parse(what, text, bytes, &object));
  orr_code rc = json_is_object(object)
                    ? each(ctx, line, object)
                    : ORR_FAIL(ORR_EFORMAT, "%s: wanted one object {...} a line", what);
  json_decref(object);
  return rc;
}

orr_code data_json_lines(const char *path, const char *text, size_t bytes,
                         orr_code (*each)(void *ctx, int64_t line, const json_t *object),
                         void *ctx) {
  const char *at = text, *end = text + bytes;
  for (int64_t line = 1; at < end; line++) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *stop = newline ? newline : end, *first = at;
    while (first < stop && strchr(" \t\r", *first) && *first) first++;
    if (first < stop) ORR_TRY(one_line(path, line, first, (size_t)(stop - first), each, ctx));
    at = newline ? newline + 1 : end;
  }
  return ORR_OK;
}
