// The configuration: a struct expanded from configs/rows.h, its parser (libyaml), its printers.
// Unknown keys, wrong types and values out of range are errors that name file, line, key, what
// was got and what is allowed.
#ifndef CONFIGS_CONFIG_H
#define CONFIGS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/faults.h"
#include "base/hash.h"
#include "base/status.h"
#include "configs/rows.h"

// Lists own their entries.
typedef struct {
  int64_t *v;
  int n;
} cfg_list_i64;
typedef struct {
  double *v;
  int n;
} cfg_list_f64;
typedef struct {
  char **v;
  int n;
} cfg_list_str;

// Values of ENUM rows, in the order of their choices: CFG_DEVICE_AUTO, CFG_DEVICE_CPU, ...
#define CFG_CHOICE_CONSTANT(knob, NAME, word) CFG_##knob##_##NAME,
enum { CFG_CHOICES_DEVICE(CFG_CHOICE_CONSTANT) };
enum { CFG_CHOICES_PRECISION(CFG_CHOICE_CONSTANT) };
enum { CFG_CHOICES_ISA(CFG_CHOICE_CONSTANT) };
enum { CFG_CHOICES_ATTENTION(CFG_CHOICE_CONSTANT) };
enum { CFG_CHOICES_STAGE(CFG_CHOICE_CONSTANT) };
enum { CFG_CHOICES_OPTIMIZER(CFG_CHOICE_CONSTANT) };
enum { CFG_CHOICES_MEMORY_BY(CFG_CHOICE_CONSTANT) };
enum { CFG_CHOICES_SCHEDULE(CFG_CHOICE_CONSTANT) };
enum { CFG_CHOICES_RECOMPUTE(CFG_CHOICE_CONSTANT) };

#define CFG_F_I64(name, ...)  int64_t name;
#define CFG_F_F64(name, ...)  double name;
#define CFG_F_BOOL(name, ...) bool name;
#define CFG_F_STR(name, ...)  char *name;
#define CFG_F_ENUM(name, ...) int name;
#define CFG_F_LI64(name, ...) cfg_list_i64 name;
#define CFG_F_LF64(name, ...) cfg_list_f64 name;
#define CFG_F_LSTR(name, ...) cfg_list_str name;
#define CFG_STRUCT(section, ROWS)                                                                  \
  struct {                                                                                         \
    ROWS(CFG_F_I64, CFG_F_F64, CFG_F_BOOL, CFG_F_STR, CFG_F_ENUM, CFG_F_LI64, CFG_F_LF64,          \
         CFG_F_LSTR)                                                                               \
  } section;
typedef struct cfg {
  CFG_SECTIONS(CFG_STRUCT)
} cfg;

// Local. All rows at their defaults. ORR_ENOMEM.
orr_code cfg_create(cfg **out);
void cfg_destroy(cfg *c);
// Local. Reads a YAML file over the present values. ORR_ECONFIG names file, line and key. Here and
// in cfg_set "~/" at the beginning of a path is the home folder.
orr_code cfg_read_file(cfg *c, const char *path);
// Local. The same from memory; `name` stands for the file in messages.
orr_code cfg_read_text(cfg *c, const char *name, const char *text, size_t bytes);
// Local. One override "section.key=value"; lists as "[a, b]". ORR_ECONFIG.
orr_code cfg_set(cfg *c, const char *assignment);
// Local. The file (NULL: none), then assignments (a list that ends with NULL), as cfg_read_file and
// cfg_set. Where warm-up and decay then do not fit into train.steps, and were said for more steps
// (in the file, or are defaults), they shrink in proportion; `words` says so, "" when nothing did.
orr_code cfg_read(cfg *c, const char *path, const char *const *assignments, char *words,
                  size_t size);
// Local. Rules between rows (heads divides width, product of levels = codes, ...), of those that
// the stage uses: ORR_ECONFIG, and a message that names all that are broken.
orr_code cfg_check(const cfg *c);
// Local. The same into a list that others add to; ORR_ENOMEM.
orr_code cfg_check_into(const cfg *c, orr_faults *f);
// The blocks of the model that is trained, and the section that says so.
typedef struct {
  const char *section;
  int64_t width, heads, kv_heads, hidden;
} cfg_blocks;
// Local.
cfg_blocks cfg_blocks_of(const cfg *c);
// Local. The whole configuration as YAML that cfg_read_text reads back to equal values; malloc'ed.
orr_code cfg_print(const cfg *c, char **yaml);
// Local. The value of one row, "section.key", as YAML on one line, to a stream; nothing for a row
// that there is not.
void cfg_print_row(const cfg *c, const char *key, FILE *out);
// Local. Reference of all rows as Markdown, to a stream.
orr_code cfg_doc(FILE *out);
// Local. XXH3-128 of the canonical text of the rows that decide the trained weights (their second
// column in configs/rows.h).
orr_code cfg_hash(const cfg *c, orr_hash128 *out);
// Local. The rows that cfg_hash covers and whose values differ, one a line "key: a -> b"; *out is
// malloc'ed, "" when there are none.
orr_code cfg_diff(const cfg *a, const cfg *b, char **out);

#endif
