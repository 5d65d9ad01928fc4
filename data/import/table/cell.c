// What may stand in a cell of a table of text.
#define _GNU_SOURCE // strptime, timegm
#include "data/import/table/cell.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const char *skip_blanks(const char *at) {
  return at + strspn(at, " \t\r\n");
}

// How many digits, a sign before them included.
static size_t digits(const char *at) {
  size_t sign = *at == '-' || *at == '+';
  size_t n = strspn(at + sign, "0123456789");
  return n ? n + sign : 0;
}

// "0,75": a comma between digits, and nothing after them but an exponent.
static const char *decimal_comma(const char *at, double *value) {
  char copy[64];
  size_t whole = digits(at), part = at[whole] == ',' ? strspn(at + whole + 1, "0123456789") : 0;
  const char *end = at + whole + 1 + part;
  if (!whole || !part) return NULL;
  if (*end == 'e' || *end == 'E') {
    size_t exponent = digits(end + 1);
    if (!exponent) return NULL;
    end += 1 + exponent;
  }
  if (*skip_blanks(end) || (size_t)(end - at) >= sizeof copy) return NULL;
  memcpy(copy, at, (size_t)(end - at));
  copy[end - at] = 0;
  copy[whole] = '.';
  *value = strtod(copy, NULL);
  return end;
}

// Words for a number that is not there.
static const char *nothing(const char *at) {
  static const char *const words[] = {"none", "null", "nan", "n/a", "na", "nil", "-"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t n = strlen(words[i]);
    if (strncasecmp(at, words[i], n) == 0 && !isalnum((unsigned char)at[n]) && at[n] != '.')
      return at + n;
  }
  return NULL;
}

const char *data_table_number(const char *at, double *value) {
  char *end;
  const char *comma, *none = nothing(at);
  if (strncasecmp(at, "true", 4) == 0) return *value = 1, at + 4;
  if (strncasecmp(at, "false", 5) == 0) return *value = 0, at + 5;
  if (none && !isdigit((unsigned char)*none)) return *value = NAN, none;
  comma = decimal_comma(at, value);
  if (comma) return comma;
  *value = strtod(at, &end);
  return end == at ? NULL : end;
}

static orr_code fail_cell(const data_table_builder *b, const char *name, const char *text,
                          const char *wanted) {
  char shown[41];
  size_t n = 0;
  for (; text[n] && n + 1 < sizeof shown; n++)
    shown[n] = (unsigned char)text[n] < 0x20 ? ' ' : text[n];
  shown[n] = 0;
  return ORR_FAIL(ORR_EFORMAT, "%s: line %" PRId64 ": %s is '%s', wanted %s", b->path, b->line,
                  name, shown, wanted);
}

// -- lists ----------------------------------------------------------------------------------

// Where a list begins: a bracket, maybe after the name of what holds it; NULL for anything else.
static const char *list_at(const char *at) {
  static const char *const holders[] = {"array", "np.array", "numpy.array", "tensor", "list"};
  if (*at == '[' || *at == '(') return at;
  for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
    size_t n = strlen(holders[i]);
    if (strncmp(at, holders[i], n) == 0 && at[n] == '(') return at + n;
  }
  return NULL;
}

// Puts the numbers of a list, in brackets of any depth.
static orr_code put_list(data_table_builder *b, int64_t i, const char *text, const char *at) {
  int64_t count = 0;
  int depth = 0;
  do {
    double value;
    at = skip_blanks(at);
    if (*at == '[' || *at == '(') {
      depth++;
      at++;
    } else if (*at == ']' || *at == ')') {
      depth--;
      at++;
    } else if (*at == ',') {
      at++;
    } else if (strncmp(at, "dtype", 5) == 0 || strncmp(at, "device", 6) == 0) {
      at += strcspn(at, ")]");
    } else if (strncmp(at, "...", 3) == 0) {
      return fail_cell(b, b->names[i], text,
                       "all numbers: whoever wrote it left some out (\"...\"); in numpy: "
                       "set_printoptions(threshold=sys.maxsize)");
    } else {
      char *end;
      const char *next = nothing(at) || isalpha((unsigned char)*at)
                             ? data_table_number(at, &value)
                             : (value = strtod(at, &end), end == at ? NULL : end);
      if (!next) return fail_cell(b, b->names[i], text, "a list of numbers");
      ORR_TRY(data_table_put(b, value));
      count++;
      at = next;
    }
  } while (depth > 0);
  if (*skip_blanks(at)) return fail_cell(b, b->names[i], text, "a list of numbers");
  return data_table_end_cell(b, i, count, true);
}

// -- cells ----------------------------------------------------------------------------------

// The number of a word in --one-hot's list for this column, -1 without one.
static int64_t word_number(const data_table_builder *b, int64_t i, const char *text) {
  size_t n = strlen(text);
  while (n > 0 && strchr(" \t\r\n", text[n - 1])) n--;
  for (int64_t k = 0; b->wish && k < b->wish->one_hot_count; k++) {
    const data_one_hot *h = &b->wish->one_hot[k];
    if (!h->words || strcmp(h->name, b->names[i]) != 0) continue;
    for (int64_t w = 0; w < h->n; w++)
      if (strlen(h->words[w]) == n && memcmp(h->words[w], text, n) == 0) return w;
  }
  return -1;
}

orr_code data_table_put_text(data_table_builder *b, int64_t i, const char *text) {
  const char *at = skip_blanks(text), *list = list_at(at);
  double value = NAN;
  int64_t word = word_number(b, i, at);
  if (word >= 0) {
    value = (double)word;
  } else if (list) {
    return put_list(b, i, text, list);
  } else if (*at) {
    const char *next = data_table_number(at, &value);
    if (!next || *skip_blanks(next))
      return fail_cell(b, b->names[i], text,
                       isalpha((unsigned char)*at)
                           ? "a number (words are taken by --one-hot NAME:WORD|WORD|...)"
                           : "a number");
  }
  ORR_TRY(data_table_put(b, value));
  return data_table_end_cell(b, i, 1, false);
}

// "2024-05-17T10:20:30.25+02:00", with a blank for the T and no zone as well: seconds since 1970.
static bool read_date(const char *at, double *value) {
  struct tm when = {0};
  char *end;
  const char *rest = strptime(at, "%Y-%m-%dT%H:%M:%S", &when);
  if (!rest) rest = strptime(at, "%Y-%m-%d %H:%M:%S", &when);
  if (!rest) rest = strptime(at, "%Y/%m/%d %H:%M:%S", &when);
  if (!rest) return false;
  *value = (double)timegm(&when);
  if (*rest == '.' || *rest == ',') {
    double scale = 0.1;
    for (rest++; isdigit((unsigned char)*rest); rest++, scale /= 10)
      *value += scale * (*rest - '0');
  }
  if (*rest == 'Z') rest++;
  if (*rest == '+' || *rest == '-') {
    double zone = (double)strtol(rest + 1, &end, 10);
    double minutes = *end == ':' ? (double)strtol(end + 1, &end, 10) : 0;
    *value -= (*rest == '+' ? 1 : -1) * (zone * 3600 + minutes * 60);
    rest = end;
  }
  return !*skip_blanks(rest);
}

orr_code data_table_put_time_text(data_table_builder *b, const char *text) {
  const char *at = skip_blanks(text);
  double value = NAN;
  if (read_date(at, &value)) {
    b->time_unit = 1;
    return data_table_put_time(b, value);
  }
  const char *next = *at ? data_table_number(at, &value) : at;
  // not judged here: the times may never be needed
  if (!next || *skip_blanks(next)) value = NAN;
  return data_table_put_time(b, value);
}
