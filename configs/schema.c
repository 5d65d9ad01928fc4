// The expansion of configs/rows.h into tables: one function a section, so that the rows can name
// their section's struct as `here`.
#include "configs/schema.h"

#include <inttypes.h>
#include <string.h>

#define ROW_I64(name_, what_, default_, low, high, unit_, words)                                   \
  {.kind = CFG_KIND_I64,                                                                           \
   .name = #name_,                                                                                 \
   .what = CFG_DECIDES_##what_,                                                                    \
   .offset = offsetof(here, name_),                                                                \
   .i_default = (default_),                                                                        \
   .i_lowest = (low),                                                                              \
   .i_highest = (high),                                                                            \
   .unit = (unit_),                                                                                \
   .sentence = (words)},
#define ROW_F64(name_, what_, default_, low, high, unit_, words)                                   \
  {.kind = CFG_KIND_F64,                                                                           \
   .name = #name_,                                                                                 \
   .what = CFG_DECIDES_##what_,                                                                    \
   .offset = offsetof(here, name_),                                                                \
   .f_default = (default_),                                                                        \
   .f_lowest = (low),                                                                              \
   .f_highest = (high),                                                                            \
   .unit = (unit_),                                                                                \
   .sentence = (words)},
#define ROW_BOOL(name_, what_, default_, words)                                                    \
  {.kind = CFG_KIND_BOOL,                                                                          \
   .name = #name_,                                                                                 \
   .what = CFG_DECIDES_##what_,                                                                    \
   .offset = offsetof(here, name_),                                                                \
   .i_default = (default_),                                                                        \
   .unit = "",                                                                                     \
   .sentence = (words)},
#define ROW_STR(name_, what_, default_, words)                                                     \
  {.kind = CFG_KIND_STR,                                                                           \
   .name = #name_,                                                                                 \
   .what = CFG_DECIDES_##what_,                                                                    \
   .offset = offsetof(here, name_),                                                                \
   .default_text = (default_),                                                                     \
   .unit = "",                                                                                     \
   .sentence = (words)},
// "|a|b"; the row skips the first sign.
#define CHOICE_WORD(knob, NAME, word) "|" #word
#define ROW_ENUM(name_, what_, choices_, default_, words)                                          \
  {.kind = CFG_KIND_ENUM,                                                                          \
   .name = #name_,                                                                                 \
   .what = CFG_DECIDES_##what_,                                                                    \
   .offset = offsetof(here, name_),                                                                \
   .default_text = (default_),                                                                     \
   .choices = (choices_(CHOICE_WORD)) + 1,                                                         \
   .unit = "",                                                                                     \
   .sentence = (words)},
#define ROW_LI64(name_, what_, default_, low, high, most_, unit_, words)                           \
  {.kind = CFG_KIND_LI64,                                                                          \
   .name = #name_,                                                                                 \
   .what = CFG_DECIDES_##what_,                                                                    \
   .offset = offsetof(here, name_),                                                                \
   .default_text = (default_),                                                                     \
   .i_lowest = (low),                                                                              \
   .i_highest = (high),                                                                            \
   .most = (most_),                                                                                \
   .unit = (unit_),                                                                                \
   .sentence = (words)},
#define ROW_LF64(name_, what_, default_, low, high, most_, unit_, words)                           \
  {.kind = CFG_KIND_LF64,                                                                          \
   .name = #name_,                                                                                 \
   .what = CFG_DECIDES_##what_,                                                                    \
   .offset = offsetof(here, name_),                                                                \
   .default_text = (default_),                                                                     \
   .f_lowest = (low),                                                                              \
   .f_highest = (high),                                                                            \
   .most = (most_),                                                                                \
   .unit = (unit_),                                                                                \
   .sentence = (words)},
#define ROW_LSTR(name_, what_, default_, most_, words)                                             \
  {.kind = CFG_KIND_LSTR,                                                                          \
   .name = #name_,                                                                                 \
   .what = CFG_DECIDES_##what_,                                                                    \
   .offset = offsetof(here, name_),                                                                \
   .default_text = (default_),                                                                     \
   .most = (most_),                                                                                \
   .unit = "",                                                                                     \
   .sentence = (words)},

#define ROWS_OF_SECTION(section, ROWS)                                                             \
  static const cfg_row *rows_of_##section(int *count) {                                            \
    typedef __typeof__(((cfg *)0)->section) here;                                                  \
    static const cfg_row rows[] = {                                                                \
        ROWS(ROW_I64, ROW_F64, ROW_BOOL, ROW_STR, ROW_ENUM, ROW_LI64, ROW_LF64, ROW_LSTR)};        \
    *count = (int)(sizeof rows / sizeof *rows);                                                    \
    return rows;                                                                                   \
  }
CFG_SECTIONS(ROWS_OF_SECTION)

const cfg_section *cfg_sections(int *count) {
#define SECTION(section, ROWS) {#section, offsetof(cfg, section), rows_of_##section},
  static const cfg_section sections[] = {CFG_SECTIONS(SECTION)};
  *count = (int)(sizeof sections / sizeof *sections);
  return sections;
}

bool cfg_knob_at(int i, cfg_knob *out) {
  int n = 0;
  const cfg_section *s = cfg_sections(&n);
  for (const cfg_section *end = s + n; s < end; s++) {
    int count = 0;
    const cfg_row *rows = s->rows(&count);
    if (i < count) {
      *out = (cfg_knob){s, rows + i};
      return true;
    }
    i -= count;
  }
  return false;
}

const cfg_section *cfg_section_find(const char *name) {
  int n = 0;
  const cfg_section *s = cfg_sections(&n);
  for (int i = 0; i < n; i++) {
    if (strcmp(s[i].name, name) == 0) return s + i;
  }
  return NULL;
}

const cfg_row *cfg_row_find(const cfg_section *s, const char *name) {
  int n = 0;
  const cfg_row *rows = s->rows(&n);
  for (int i = 0; i < n; i++) {
    if (strcmp(rows[i].name, name) == 0) return rows + i;
  }
  return NULL;
}

void *cfg_field(cfg *c, const cfg_knob *k) {
  return (char *)c + k->section->offset + k->row->offset;
}

const void *cfg_field_const(const cfg *c, const cfg_knob *k) {
  return (const char *)c + k->section->offset + k->row->offset;
}

// Appends "a|b" to out as "a, b".
static void append_choices(const char *choices, char *out, size_t size) {
  for (size_t at = strlen(out); *choices && at + 2 < size; choices++) {
    if (*choices == '|') {
      out[at++] = ',';
      out[at++] = ' ';
    } else {
      out[at++] = *choices;
    }
    out[at] = 0;
  }
}

void cfg_knob_allowed(const cfg_knob *k, char *out, size_t size) {
  const cfg_row *r = k->row;
  switch (r->kind) {
  case CFG_KIND_I64:
    snprintf(out, size, "a whole number from %" PRId64 " to %" PRId64, r->i_lowest, r->i_highest);
    break;
  case CFG_KIND_F64:
    snprintf(out, size, "a number from %g to %g", r->f_lowest, r->f_highest);
    break;
  case CFG_KIND_BOOL:
    snprintf(out, size, "true or false");
    break;
  case CFG_KIND_STR:
    snprintf(out, size, "a text");
    break;
  case CFG_KIND_ENUM:
    snprintf(out, size, "one of ");
    append_choices(r->choices, out, size);
    break;
  case CFG_KIND_LI64:
    snprintf(out, size,
             "a list [a, b, ...] of at most %d whole numbers from %" PRId64 " to %" PRId64, r->most,
             r->i_lowest, r->i_highest);
    break;
  case CFG_KIND_LF64:
    snprintf(out, size, "a list [a, b, ...] of at most %d numbers from %g to %g", r->most,
             r->f_lowest, r->f_highest);
    break;
  case CFG_KIND_LSTR:
    snprintf(out, size, "a list [a, b, ...] of at most %d texts", r->most);
    break;
  }
}
