// The rows of configs/rows.h as a table, for everything that treats all knobs alike. Private to
// configs/.
#ifndef CONFIGS_SCHEMA_H
#define CONFIGS_SCHEMA_H

#include "configs/config.h"

typedef enum {
  CFG_KIND_I64,
  CFG_KIND_F64,
  CFG_KIND_BOOL,
  CFG_KIND_STR,
  CFG_KIND_ENUM,
  CFG_KIND_LI64,
  CFG_KIND_LF64,
  CFG_KIND_LSTR,
} cfg_kind;

// What a row decides: its second column.
typedef enum { CFG_DECIDES_WEIGHTS, CFG_DECIDES_OPERATION } cfg_decides;

typedef struct {
  cfg_kind kind;
  const char *name;
  cfg_decides what;
  size_t offset;                          // in the section's struct
  int64_t i_default, i_lowest, i_highest; // I64; BOOL has its default here; LI64 its range
  double f_default, f_lowest, f_highest;  // F64; LF64 has its range here
  const char *default_text;               // STR, ENUM and lists (entries separated by blanks)
  const char *choices;                    // ENUM: "a|b|c"
  int most;                               // lists: entries at most
  const char *unit, *sentence;
} cfg_row;

typedef struct {
  const char *name;
  size_t offset; // in cfg
  const cfg_row *(*rows)(int *count);
} cfg_section;

// A knob: where it is declared and where its value lies.
typedef struct {
  const cfg_section *section;
  const cfg_row *row;
} cfg_knob;

// Local. All sections, in order of declaration.
const cfg_section *cfg_sections(int *count);
// Local. Knob number i over all sections, in order; false past the last one.
bool cfg_knob_at(int i, cfg_knob *out);
const cfg_section *cfg_section_find(const char *name);
const cfg_row *cfg_row_find(const cfg_section *s, const char *name);
void *cfg_field(cfg *c, const cfg_knob *k);
const void *cfg_field_const(const cfg *c, const cfg_knob *k);
// Local. What the knob accepts, for messages: "a whole number from 0 to 9", "one of bf16, fp32".
void cfg_knob_allowed(const cfg_knob *k, char *out, size_t size);

#endif
