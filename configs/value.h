// One knob's value: from text, to text, comparison and release, by the kind of its row. Private to
// configs/.
#ifndef CONFIGS_VALUE_H
#define CONFIGS_VALUE_H

#include "configs/schema.h"

// A scalar as it stands in a file; quoted ones are texts, never numbers.
typedef struct {
  const char *text;
  bool quoted;
} cfg_scalar;

// Where a value was read, for messages: "FILE:LINE", or "--set" with line 0.
typedef struct {
  const char *file;
  int64_t line;
} cfg_place;

#define CFG_PLACE_TEXT_MAX 1200
// Local. "FILE:LINE: section.key" (key may be NULL), at most CFG_PLACE_TEXT_MAX bytes.
void cfg_place_text(const cfg_place *p, const char *section, const char *key, char *out);

// Local. Puts the row's default into an empty (zeroed) field. ORR_ENOMEM.
orr_code cfg_value_default(const cfg_knob *k, void *field);
// Local. Replaces the field by one scalar, or by a list of n. ORR_ECONFIG names place, got,
// allowed.
orr_code cfg_value_set(const cfg_knob *k, void *field, const cfg_place *p, const cfg_scalar *s);
orr_code cfg_value_set_list(const cfg_knob *k, void *field, const cfg_place *p, const cfg_scalar *s,
                            int n);
// Local. The value as YAML on one line.
void cfg_value_print(const cfg_knob *k, const void *field, FILE *out);
bool cfg_value_equal(const cfg_knob *k, const void *a, const void *b);
void cfg_value_release(const cfg_knob *k, void *field);
bool cfg_kind_is_list(cfg_kind kind);

#endif
