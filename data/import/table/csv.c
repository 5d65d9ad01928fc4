// CSV after RFC 4180: quotes that double inside quotes, lines ended by LF or CRLF, lines within
// quotes. What stands between cells (a comma, semicolon, tabulator or bar) is seen from the line of
// names.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/import/table/builder.h"
#include "data/import/table/cell.h"

#define LINE_MAX_BYTES ((size_t)1 << 24)
#define CELLS_MAX      65536 // of a line

typedef struct {
  data_table_builder b;
  const char *at, *end;
  char comma;        // between cells
  int64_t lines;     // read so far
  char *text;        // cells of the line at hand, without quotes, each ended by 0
  size_t used, room; // bytes of text
  size_t *starts;    // [cells]: where each cell begins
  int64_t cells, cells_room;
  int64_t columns;     // of the file
  int64_t *sources;    // [b.n]: which column of the file
  int64_t time_source; // -1: none
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

static char *cell(const csv *c, int64_t k) {
  return c->text + c->starts[k];
}

// Reads up to what ends a cell.
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
    } else if (!quoted && (letter == '\n' || letter == '\r' || letter == c->comma)) {
      break;
    }
    c->lines += letter == '\n';
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
  c->b.line = ++c->lines;
  for (;;) {
    ORR_TRY(read_cell(c));
    if (c->at == c->end || *c->at != c->comma) break;
    c->at++;
  }
  if (c->at < c->end && *c->at == '\r') c->at++;
  if (c->at < c->end && *c->at == '\n') c->at++;
  return ORR_OK;
}

// -- the line of names ----------------------------------------------------------------------

static orr_code take(csv *c, int64_t k) {
  ORR_TRY(data_table_take(&c->b, cell(c, k), strlen(cell(c, k))));
  int64_t *sources = orr_realloc(c->sources, (size_t)c->b.n * sizeof *sources);
  ORR_CHECK(sources, ORR_ENOMEM, "%s: out of memory for its columns", c->b.path);
  c->sources = sources;
  sources[c->b.n - 1] = k;
  return ORR_OK;
}

static void join_names(const csv *c, char *out, size_t size) {
  size_t at = 0;
  out[0] = 0;
  for (int64_t k = 0; k < c->cells && at < size; k++)
    at += (size_t)snprintf(out + at, size - at, "%s%s", k ? ", " : "", cell(c, k));
}

static int64_t find_column(const csv *c, const char *name) {
  for (int64_t k = 0; k < c->cells; k++)
    if (strcmp(cell(c, k), name) == 0) return k;
  return -1;
}

static bool is_taken(const csv *c, int64_t k) {
  for (int64_t i = 0; i < c->b.n; i++)
    if (c->sources[i] == k) return true;
  return false;
}

static orr_code choose_time(csv *c, const char *all) {
  const char *wanted = c->b.wish->time;
  int rank = 0;
  c->time_source = -1;
  if (wanted) {
    c->time_source = find_column(c, wanted);
    ORR_CHECK(c->time_source >= 0, ORR_ENOTFOUND, "%s: no column %s; there are: %s", c->b.path,
              wanted, all);
  }
  for (int64_t k = 0; !wanted && k < c->cells; k++) {
    int own = data_table_time_rank(cell(c, k));
    if (own <= rank || is_taken(c, k)) continue;
    rank = own;
    c->time_source = k;
  }
  return c->time_source < 0 ? ORR_OK : data_table_take_time(&c->b, cell(c, c->time_source));
}

// Chooses columns by the line of names; named ones in the order in which they were named.
static orr_code choose(csv *c) {
  const data_words wanted = c->b.wish->columns;
  char all[600];
  join_names(c, all, sizeof all);
  c->columns = c->cells;
  for (int64_t i = 0; i < wanted.n; i++) {
    int64_t k = find_column(c, wanted.v[i]);
    ORR_CHECK(k >= 0, ORR_ENOTFOUND, "%s: no column %s; there are: %s", c->b.path, wanted.v[i],
              all);
    ORR_TRY(take(c, k));
  }
  for (int64_t k = 0; !wanted.n && k < c->cells; k++)
    if (data_table_usual(cell(c, k), strlen(cell(c, k)))) ORR_TRY(take(c, k));
  ORR_CHECK(c->b.n, ORR_ENOTFOUND,
            "%s: no column is called action; name the columns with --actions; there are: %s",
            c->b.path, all);
  return choose_time(c, all);
}

// Whether the cells are numbers, which no names are; 0, 1, 2, ... may be names.
static bool are_numbers(const csv *c) {
  bool counted = true;
  for (int64_t k = 0; k < c->cells; k++) {
    char number[24];
    double value;
    const char *text = cell(c, k), *end = data_table_number(text, &value);
    if (!*text || !end || *end || isalpha((unsigned char)*text)) return false;
    snprintf(number, sizeof number, "%" PRId64, k);
    counted &= strcmp(text, number) == 0;
  }
  return !counted;
}

// A table without a line of names: its columns are called by their numbers.
static orr_code number_columns(csv *c) {
  const data_words wanted = c->b.wish->columns;
  ORR_CHECK(wanted.n, ORR_EFORMAT,
            "%s: the first line holds numbers, wanted the columns' names; write them, or say which "
            "columns are actions by their numbers, e.g. --actions 0,1 (the first is 0; there are "
            "%" PRId64 ")",
            c->b.path, c->cells);
  c->used = 0;
  for (int64_t k = 0; k < c->cells; k++) {
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, k);
    c->starts[k] = c->used;
    for (size_t i = 0; i <= strlen(number); i++) ORR_TRY(put_letter(c, number[i]));
  }
  return ORR_OK;
}

// Blanks around names do not count, nor the mark of a comment that numpy writes before them.
static void trim_names(csv *c) {
  for (int64_t k = 0; k < c->cells; k++) {
    char *name = cell(c, k);
    size_t first = strspn(name, k ? " \t" : " \t#"), n = strlen(name);
    while (n > first && strchr(" \t", name[n - 1])) n--;
    memmove(name, name + first, n - first);
    name[n - first] = 0;
  }
}

// What stands between the cells of the first line outside of quotes: whatever does so most often.
static char find_comma(const char *at, const char *end) {
  static const char candidates[] = ",;\t|";
  int64_t count[sizeof candidates] = {0};
  int best = 0;
  bool quoted = false;
  for (; at < end && (quoted || (*at != '\n' && *at != '\r')); at++) {
    const char *found = *at ? strchr(candidates, *at) : NULL;
    if (*at == '"') quoted = !quoted;
    if (found && !quoted) count[found - candidates]++;
  }
  for (int i = 1; candidates[i]; i++)
    if (count[i] > count[best]) best = i;
  return candidates[best];
}

static orr_code begin(csv *c) {
  static const char mark[] = "\xef\xbb\xbf"; // of UTF-8, which spreadsheets write
  if (c->end - c->at >= 3 && memcmp(c->at, mark, 3) == 0) c->at += 3;
  const bool wide = c->end - c->at >= 2 &&
                    (memcmp(c->at, "\xff\xfe", 2) == 0 || memcmp(c->at, "\xfe\xff", 2) == 0);
  ORR_CHECK(!wide, ORR_EFORMAT,
            "%s: a table in UTF-16 (a spreadsheet's \"Unicode text\"); save it as CSV in UTF-8",
            c->b.path);
  if (c->end - c->at >= 6 && memcmp(c->at, "sep=", 4) == 0 &&
      (c->at[5] == '\n' || c->at[5] == '\r')) {
    c->comma = c->at[4]; // a spreadsheet's own line before the names
    c->at += 6 + (c->at[5] == '\r' && c->at + 6 < c->end && c->at[6] == '\n');
    c->lines++;
  } else {
    c->comma = find_comma(c->at, c->end);
  }
  const char *first = c->at;
  ORR_TRY(read_line(c));
  trim_names(c);
  if (!are_numbers(c)) return choose(c);
  ORR_TRY(number_columns(c));
  ORR_TRY(choose(c));
  c->at = first; // a row like the others
  c->lines--;
  return ORR_OK;
}

// -- all of it ------------------------------------------------------------------------------

static orr_code read_all(csv *c) {
  ORR_TRY(begin(c));
  while (c->at < c->end) {
    ORR_TRY(read_line(c));
    if (c->cells == 1 && !*cell(c, 0) && c->columns > 1) continue; // an empty line
    ORR_CHECK(c->cells == c->columns, ORR_EFORMAT,
              "%s: line %" PRId64 " has %" PRId64 " cells, wanted %" PRId64
              " as in the first line (cells end at '%s')",
              c->b.path, c->b.line, c->cells, c->columns,
              c->comma == '\t' ? "tabulator" : (char[2]){c->comma, 0});
    for (int64_t i = 0; i < c->b.n; i++)
      ORR_TRY(data_table_put_text(&c->b, i, cell(c, c->sources[i])));
    if (c->time_source >= 0) ORR_TRY(data_table_put_time_text(&c->b, cell(c, c->time_source)));
    c->b.rows++;
  }
  return ORR_OK;
}

orr_code data_table_read_csv(const char *path, const char *text, size_t bytes,
                             const data_table_wish *wish, data_table *out) {
  csv c = {.b = {.path = path, .wish = wish}, .at = text, .end = text + bytes};
  orr_code rc = read_all(&c);
  if (rc == ORR_OK) rc = data_table_finish(&c.b, out);
  data_table_builder_release(&c.b);
  orr_free(c.sources);
  orr_free(c.starts);
  orr_free(c.text);
  return rc;
}
