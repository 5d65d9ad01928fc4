// Reading a file of JSON lines that may be damaged: a line that cannot be read costs that line
// alone. Local.
#ifndef TRAIN_LINES_H
#define TRAIN_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  const char *text; // without its newline
  size_t bytes;
  int64_t number; // from 1
  json_t *object; // borrowed; NULL: it cannot be read
  bool torn;      // the last one, without a newline: its writer was killed, or is at it
} train_line;

typedef orr_code (*train_line_fn)(void *ctx, const train_line *line);

// Calls `each` with the lines of text[bytes] that are not empty. With `by_steps` a line is readable
// only if it has a "step" that fits between its neighbours': a damaged number of a step is found
// that way. (Lines that go back and on from there, as of a run that repeats steps, do fit.) Lines
// that can be read come in their order. ORR_OK, or what `each` returns.
orr_code train_lines_each(const char *text, size_t bytes, bool by_steps, train_line_fn each,
                          void *ctx);

#endif
