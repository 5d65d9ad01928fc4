#define _GNU_SOURCE // memmem
#include "data/import/table/json_lines.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

// Python writes NaN and Infinity, which are not JSON: they become texts, for whoever reads numbers.
// Nothing else changes, within quotes nothing at all. NULL when out of memory.
static char *quote_numbers(const char *text, size_t bytes, size_t *out_bytes) {
  static const char *const words[] = {"NaN", "-Infinity", "Infinity"};
  char *out = orr_malloc(3 * bytes + 1);
  size_t n = 0;
  bool quoted = false;
  for (size_t i = 0; out && i < bytes; i++) {
    const char *word = NULL;
    for (int w = 0; w < 3 && !quoted && !word; w++)
      if (bytes - i >= strlen(words[w]) && memcmp(text + i, words[w], strlen(words[w])) == 0)
        word = words[w];
    if (word) {
      n += (size_t)snprintf(out + n, 3 * bytes + 1 - n, "\"%s\"", word);
      i += strlen(word) - 1;
      continue;
    }
    if (text[i] == '"') quoted = !quoted;
    out[n++] = text[i];
    if (quoted && text[i] == '\\' && i + 1 < bytes) out[n++] = text[++i];
  }
  *out_bytes = n;
  return out;
}

static orr_code parse_line(const char *what, const char *text, size_t bytes, json_t **out) {
  bool python = memmem(text, bytes, "NaN", 3) || memmem(text, bytes, "Infinity", 8);
  if (!python) return orr_json_parse(what, text, bytes, out);
  size_t n = 0;
  char *quoted = quote_numbers(text, bytes, &n);
  ORR_CHECK(quoted, ORR_ENOMEM, "%s: out of memory: cannot read it", what);
  orr_code rc = orr_json_parse(what, quoted, n, out);
  orr_free(quoted);
  return rc;
}

static orr_code one_line(const char *path, int64_t line, const char *text, size_t bytes,
                         orr_code (*each)(void *ctx, int64_t line, const json_t *object),
                         void *ctx) {
  char what[4200];
  json_t *object = NULL;
  snprintf(what, sizeof what, "%s: line %" PRId64, path, line);
  ORR_TRY(parse_line(what, text, bytes, &object));
  orr_code rc = json_is_object(object)
                    ? each(ctx, line, object)
                    : ORR_FAIL(ORR_EFORMAT, "%s: wanted one object {...} a line", what);
  json_decref(object);
  return rc;
}

size_t data_json_mark(const char *text, size_t bytes) {
  return bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

orr_code data_json_lines(const char *path, const char *text, size_t bytes,
                         orr_code (*each)(void *ctx, int64_t line, const json_t *object),
                         void *ctx) {
  const char *at = text, *end = text + bytes;
  bool wide = bytes >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
  ORR_CHECK(!wide, ORR_EFORMAT, "%s: JSON lines in UTF-16; save them in UTF-8", path);
  at += data_json_mark(text, bytes);
  for (int64_t line = 1; at < end; line++) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *stop = newline ? newline : end, *first = at;
    while (first < stop && strchr(" \t\r", *first) && *first) first++;
    if (first < stop) ORR_TRY(one_line(path, line, first, (size_t)(stop - first), each, ctx));
    at = newline ? newline + 1 : end;
  }
  return ORR_OK;
}
