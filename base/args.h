// Command lines: what a command accepts is a table; parsing, help and "did you mean" follow from
// it.
//
//   static const orr_option options[] = {
//       {"data", "DIR", "data set to evaluate on", 0},
//       {"json", "FILE", "write the figures there", 0},
//       {0}};
//   static const orr_command command = {"eval", "CHECKPOINT", 1, 1, "measures a model", options};
//
//   orr_args args;
//   ORR_TRY(orr_args_parse(&command, argc, argv, &args));
//   if (args.help) return ORR_OK;
//   const char *dir = orr_args_text(&args, "data", NULL);
//
// Options are written --name VALUE or --name=VALUE, in any place; "--" ends them. "~/" at the
// beginning of a path is the home folder (base/home.h). Nothing is allocated; texts point into
// argv, or into the orr_args themselves, which stay where they were parsed.
#ifndef ORR_ARGS_H
#define ORR_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define ORR_ARGS_MAX 256

typedef enum {
  ORR_OPTION_ONCE,     // given at most once
  ORR_OPTION_REPEATED, // every use counts, in order
} orr_option_use;

typedef struct {
  const char *name;     // without the dashes; NULL ends a table; "": a heading in the help
  const char *value;    // what the value is, for the help: "FILE"; NULL = a flag without value
  const char *sentence; // for the help
  orr_option_use use;
} orr_option;

typedef struct {
  const char *name;          // "eval", or "data generate"
  const char *operands;      // "CHECKPOINT", for the help; "" = none
  int fewest, most;          // operands wanted
  const char *sentence;      // for the help
  const orr_option *options; // ended by {0}; NULL = none
} orr_command;

typedef struct {
  const orr_command *command;
  bool help;                         // --help or -h was given and has been printed to stdout
  int operands;                      // number of
  const char *operand[ORR_ARGS_MAX]; // in order
  int given;                         // number of options given
  const orr_option *option[ORR_ARGS_MAX];
  const char *value[ORR_ARGS_MAX]; // of option[i]; "" for flags
  size_t written;                  // bytes of room
  char room[8192];                 // paths that were written out
} orr_args;

// Local. argv[0] is the command's own word and is skipped. ORR_ECONFIG names the command, what it
// got and what it takes.
orr_code orr_args_parse(const orr_command *command, int argc, char **argv, orr_args *out);

// Local. `name` must be in the command's table.
bool orr_args_flag(const orr_args *a, const char *name);
const char *orr_args_text(const orr_args *a, const char *name, const char *absent);
// Use number i (0-based) of a repeated option; NULL past the last one.
const char *orr_args_nth(const orr_args *a, const char *name, int i);
// *out keeps its value when the option is absent. ORR_ECONFIG unless a number in [lowest, highest].
orr_code orr_args_i64(const orr_args *a, const char *name, int64_t lowest, int64_t highest,
                      int64_t *out);
orr_code orr_args_f64(const orr_args *a, const char *name, double lowest, double highest,
                      double *out);
// "64" or "48x64", height first, each in [lowest, highest]; ORR_ECONFIG for anything else.
orr_code orr_args_size(const orr_args *a, const char *name, int64_t lowest, int64_t highest,
                       int64_t *height, int64_t *width);
// ORR_ECONFIG when the option is absent.
orr_code orr_args_require(const orr_args *a, const char *name, const char **out);

#endif
