// JSON lines: a text of objects, one a line.
#ifndef DATA_JSON_LINES_H
#define DATA_JSON_LINES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Local. Bytes of the mark of UTF-8 that some programs put before a text: 3 or 0.
size_t data_json_mark(const char *text, size_t bytes);
// Local. Calls `each` with the number (from 1) and the object of every line that is not blank, and
// stops at its first failure. `path` is for messages. Python's NaN and Infinity, which are not
// JSON, arrive as texts. ORR_EFORMAT names the line that is no object.
orr_code data_json_lines(const char *path, const char *text, size_t bytes,
                         orr_code (*each)(void *ctx, int64_t line, const json_t *object),
                         void *ctx);

#endif
