#include "train/cli/action_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/import/table/table.h"

// -- lines of numbers -----------------------------------------------------------------------

// The A_set numbers of a line; `number` is its place in the file, from 1.
static orr_code parse_line(const char *path, int64_t number, char *line, int64_t A_set,
                           float *action) {
  static const char between[] = " \t\r,;[]";
  char *at = line + strspn(line, between);
  int64_t n = 0;
  for (; *at; n++) {
    char *end = at;
    const float v = strtof(at, &end);
    ORR_CHECK(end != at && isfinite(v), ORR_EFORMAT,
              "%s: line %" PRId64 ": '%.*s' is no finite number: one action a line, %" PRId64
              " numbers",
              path, number, (int)strcspn(at, between), at, A_set);
    if (n < A_set) action[n] = v;
    at = end + strspn(end, between);
  }
  ORR_CHECK(n == A_set, ORR_EFORMAT,
            "%s: line %" PRId64 " has %" PRId64 " numbers, wanted %" PRId64 ": one action a line",
            path, number, n, A_set);
  return ORR_OK;
}

// Numbers of `text`, A_set a line; *rows lines, empty ones left out. *out is the caller's to free,
// on failure too.
static orr_code parse_actions(const char *path, char *text, int64_t A_set, float **out,
                              int64_t *rows) {
  int64_t lines = 1, n = 0, number = 0;
  for (const char *p = text; *p; p++) lines += *p == '\n';
  float *v = *out = orr_calloc((size_t)(lines * A_set), sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory", path);
  for (char *line = text, *next; line; line = next) {
    next = strchr(line, '\n');
    if (next) *next++ = '\0';
    number++;
    if (line[strspn(line, " \t\r,")] == '\0') continue;
    ORR_TRY(parse_line(path, number, line, A_set, v + n * A_set));
    n++;
  }
  *rows = n;
  ORR_CHECK(n > 0, ORR_EFORMAT, "%s: no action in it: one line of %" PRId64 " numbers a frame",
            path, A_set);
  return ORR_OK;
}

// -- tables ---------------------------------------------------------------------------------

static bool ends_in(const char *path, const char *ending) {
  const char *dot = strrchr(path, '.');
  return dot && strcasecmp(dot, ending) == 0;
}

// Whether the first line that is not empty begins with a name.
static bool has_names(const char *text) {
  char *end;
  const char *at = text + strspn(text, "\xef\xbb\xbf \t\r\n,\"#");
  if (!*at || *at == '[' || *at == '(') return false;
  strtof(at, &end);
  return end == at;
}

static orr_code take(const char *path, const data_table *t, int64_t A, float **out, int64_t *rows) {
  ORR_CHECK(t->columns == A, ORR_EFORMAT,
            "%s: %" PRId64 " numbers a row, wanted %" PRId64 ", one a component", path, t->columns,
            A);
  float *v = *out = orr_malloc((size_t)(t->rows * A) * sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory", path);
  for (int64_t i = 0; i < t->rows * A; i++) {
    v[i] = (float)t->v[i];
    ORR_CHECK(isfinite(v[i]), ORR_EFORMAT, "%s: row %" PRId64 " (the first is 0): %s is %g", path,
              i / A, t->names[i % A], (double)v[i]);
  }
  *rows = t->rows;
  return ORR_OK;
}

static orr_code read_table(const char *path, const char *text, size_t bytes,
                           const data_shard_format *f, float **out, int64_t *rows) {
  const data_table_wish wish = {.columns = {f->action_names, f->A}};
  data_table t = {0};
  const bool jsonl = ends_in(path, ".jsonl") || ends_in(path, ".ndjson");
  orr_code rc = !text   ? data_table_read_parquet(path, &wish, &t)
                : jsonl ? data_table_read_jsonl(path, text, bytes, &wish, &t)
                        : data_table_read_csv(path, text, bytes, &wish, &t);
  if (rc == ORR_OK) rc = take(path, &t, f->A, out, rows);
  data_table_release(&t);
  return rc;
}

// -- both -----------------------------------------------------------------------------------

// Whoever recorded the data set thinks in its old units.
static void warn_of_units(const char *path, const data_index *x, const float *v, int64_t n) {
  float most = 0;
  if (!json_object_get(json_object_get(x->json, "import"), "ranges")) return;
  for (int64_t i = 0; i < n; i++) most = fmaxf(most, fabsf(v[i]));
  if (most > 1.001f)
    ORR_WARN("%s: actions up to %g, but those of %s were mapped to -1..1 when they were imported "
             "(index.json has the ranges): give them in that scale",
             path, (double)most, x->dir);
}

orr_code train_action_file_read(const char *path, const data_index *x, float **out, int64_t *rows) {
  const data_shard_format *f = &x->format;
  char *text = NULL;
  size_t bytes = 0;
  *out = NULL;
  ORR_CHECK(f->A, ORR_EINVAL, "%s: %s has no actions", path, x->dir);
  if (!ends_in(path, ".parquet")) ORR_TRY(orr_fs_read_all(path, &text, &bytes));
  const bool table =
      !text || ends_in(path, ".jsonl") || ends_in(path, ".ndjson") || has_names(text);
  orr_code rc = table ? read_table(path, text, bytes, f, out, rows)
                      : parse_actions(path, text, f->A, out, rows);
  orr_free(text);
  if (rc == ORR_OK) {
    warn_of_units(path, x, *out, *rows * f->A);
  } else {
    orr_free(*out);
    *out = NULL;
  }
  return rc;
}
