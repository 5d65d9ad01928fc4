// CSV after RFC 4180: commas, quotes that double inside quotes, lines ended by LF or CRLF. Lines
// within quotes are not supported: no table of numbers has them.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "data/import/table_builder.h"

#define LINE_MAX_BYTES ((size_t)1 << 24)
#define CELLS_MAX      65536 // of a line

typedef struct {
  data_table_builder b;
  const char *at, *end;
  char *text;        // cells of the line at hand, without quotes, each ended by 0
  size_t used, room; // bytes of text
  size_t *starts;    // [cells]: where each cell begins
  int64_t cells, cells_room;
  int64_t columns;  // of the file
  int64_t *sources; // [b.n]: which column of the file
} csv;

static orr_code put_letter(csv *c, char letter) {
  if (c->used == c->room) {
    size_t room = c->room ? 2 * c->room : 4096;
    char *text = room <= LINE_MAX_BYTES ? orr_realloc(c->text, room) : NULL;
    ORR_CHECK(text, ORR_EFORMAT, "%s: line %" PRId64 " has more than %zu bytes", c->b.path,
              c->b.line, c->room);
    c->text = text;
    c->room = room;
  }
  c->text[c->used++] = letter;
  return ORR_OK;
}

static orr_code begin_cell(csv *c) {
  if (c->cells == c->cells_room) {
    int64_t room = c->cells_room ? 2 * c->cells_room : 64;
    size_t *starts =
        room <= CELLS_MAX ? orr_realloc(c->starts, (size_t)room * sizeof *starts) : NULL;
    ORR_CHECK(starts, ORR_EFORMAT, "%s: line %" PRId64 " has more than %" PRId64 " cells",
              c->b.path, c->b.line, c->cells_room);
    c->starts = starts;
    c->cells_room = room;
  }
  c->starts[c->cells++] = c->used;
  return ORR_OK;
}

static const char *cell(const csv *c, int64_t k) {
  return c->text + c->starts[k];
}

// Reads up to the comma or the line's end after a cell.
static orr_code read_cell(csv *c) {
  bool quoted = c->at < c->end && *c->at == '"';
  ORR_TRY(begin_cell(c));
  if (quoted) c->at++;
  for (; c->at < c->end; c->at++) {
    char letter = *c->at;
    if (quoted && letter == '"') {
      quoted = c->at + 1 < c->end && c->at[1] == '"';
      if (!quoted) continue;
      c->at++;
    } else if (letter == '\n' || letter == '\r' || (letter == ',' && !quoted)) {
      break;
    }
    ORR_TRY(put_letter(c, letter));
  }
  ORR_CHECK(!quoted, ORR_EFORMAT, "%s: line %" PRId64 ": a quote is not closed", c->b.path,
            c->b.line);
  return put_letter(c, 0);
}

// Reads the next line's cells; the last line may end without a newline.
static orr_code read_line(csv *c) {
  c->used = 0;
  c->cells = 0;
  for (;;) {
    ORR_TRY(read_cell(c));
    if (c->at == c->end || *c->at != ',') break;
    c->at++;
  }
  if (c->at < c->end && *c->at == '\r') c->at++;
  if (c->at < c->end && *c->at == '\n') c->at++;
  return ORR_OK;
}

static orr_code take(csv *c, int64_t k) {
  ORR_TRY(data_table_take(&c->b, cell(c, k), strlen(cell(c, k))));
  int64_t *sources = orr_realloc(c->sources, (size_t)c->b.n * sizeof *sources);
  ORR_CHECK(sources, ORR_ENOMEM, "%s: no memory for its columns", c->b.path);
  c->sources = sources;
  sources[c->b.n - 1] = k;
  return ORR_OK;
}

static void join_names(const csv *c, char *out, size_t size) {
  size_t at = 0;
  for (int64_t k = 0; k < c->cells && at < size; k++)
    at += (size_t)snprintf(out + at, size - at, "%s%s", k ? ", " : "", cell(c, k));
}

// Chooses columns by the line of names; named ones in the order in which they were named.
static orr_code choose(csv *c, data_words wanted) {
  char all[600];
  join_names(c, all, sizeof all);
  c->columns = c->cells;
  for (int64_t i = 0; i < wanted.n; i++) {
    int64_t k = 0;
    while (k < c->cells && strcmp(cell(c, k), wanted.v[i]) != 0) k++;
    ORR_CHECK(k < c->cells, ORR_ENOTFOUND, "%s: no column %s; there are: %s", c->b.path,
              wanted.v[i], all);
    ORR_TRY(take(c, k));
  }
  for (int64_t k = 0; !wanted.n && k < c->cells; k++)
    if (data_table_usual(cell(c, k), strlen(cell(c, k)))) ORR_TRY(take(c, k));
  ORR_CHECK(c->b.n, ORR_ENOTFOUND,
            "%s: no column is called action; name the columns with --actions; there are: %s",
            c->b.path, all);
  return ORR_OK;
}

static orr_code fail_cell(const csv *c, int64_t column, const char *at) {
  return ORR_FAIL(ORR_EFORMAT, "%s: line %" PRId64 ": %s is '%.40s', wanted a number", c->b.path,
                  c->b.line, c->b.names[column], at);
}

// A number, true or false at `at`; NULL for anything else.
static const char *read_number(const char *at, double *value) {
  char *end;
  if (strncasecmp(at, "true", 4) == 0) return *value = 1, at + 4;
  if (strncasecmp(at, "false", 5) == 0) return *value = 0, at + 5;
  *value = strtod(at, &end);
  return end == at ? NULL : end;
}

static const char *skip_blanks(const char *at) {
  return at + strspn(at, " \t");
}

// Puts a cell of the line as one number or as a list of them into the builder's column.
static orr_code put_cell(csv *c, int64_t column) {
  const char *whole = cell(c, c->sources[column]), *at = skip_blanks(whole);
  double value = NAN;
  int64_t count = 0;
  bool list = *at == '[' || *at == '(';
  if (list) at = skip_blanks(at + 1);
  if (!*at && !list) { // an empty cell
    ORR_TRY(data_table_put(&c->b, value));
    return data_table_end_cell(&c->b, column, 1, false);
  }
  while (*at && *at != ']' && *at != ')') {
    const char *next = read_number(at, &value);
    if (!next || (count && !list)) return fail_cell(c, column, whole);
    ORR_TRY(data_table_put(&c->b, value));
    count++;
    at = skip_blanks(next);
    if (list && *at == ',') at = skip_blanks(at + 1);
  }
  if (list && *at) at = skip_blanks(at + 1);
  if (*at) return fail_cell(c, column, whole);
  return data_table_end_cell(&c->b, column, count, list);
}

static orr_code read_all(csv *c, data_words wanted) {
  static const char mark[] = "\xef\xbb\xbf"; // of UTF-8, which spreadsheets write
  if (c->end - c->at >= 3 && memcmp(c->at, mark, 3) == 0) c->at += 3;
  c->b.line = 1;
  ORR_TRY(read_line(c));
  ORR_TRY(choose(c, wanted));
  for (c->b.line = 2; c->at < c->end; c->b.line++) {
    ORR_TRY(read_line(c));
    if (c->cells == 1 && !*cell(c, 0) && c->columns > 1) continue; // an empty line
    ORR_CHECK(c->cells == c->columns, ORR_EFORMAT,
              "%s: line %" PRId64 " has %" PRId64 " cells, wanted %" PRId64 " as in the first line",
              c->b.path, c->b.line, c->cells, c->columns);
    for (int64_t i = 0; i < c->b.n; i++) ORR_TRY(put_cell(c, i));
    c->b.rows++;
  }
  return ORR_OK;
}

orr_code data_table_read_csv(const char *path, const char *text, size_t bytes, data_words wanted,
                             data_table *out) {
  csv c = {.b.path = path, .at = text, .end = text + bytes};
  orr_code rc = read_all(&c, wanted);
  if (rc == ORR_OK) rc = data_table_finish(&c.b, out);
  data_table_builder_release(&c.b);
  orr_free(c.sources);
  orr_free(c.starts);
  orr_free(c.text);
  return rc;
}
