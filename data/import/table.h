// Tables of numbers beside videos: CSV with a line of names, or JSON lines.
//
// A cell is a number, true or false, or a list of numbers ("[0.1, 2]"), which becomes as many
// columns ("action_0", "action_1", ...); an empty or null cell is NaN, for the caller to judge. In
// JSON lines "a.b" names a member of a member. With nothing wanted every column is taken whose name
// is "action" or "actions" or begins with "action_", "action." or "action[".
#ifndef DATA_TABLE_H
#define DATA_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/import/import.h"

typedef struct {
  int64_t rows, columns;
  float *v;     // [rows,columns]
  char **names; // [columns] in one block
} data_table;

// Local, both. The wanted columns of a file's text, of which text[bytes] is 0; `path` is for
// messages. ORR_EFORMAT names file, line and column, and for a missing column those that are there.
// The caller releases the table.
orr_code data_table_read_csv(const char *path, const char *text, size_t bytes, data_words wanted,
                             data_table *out);
orr_code data_table_read_jsonl(const char *path, const char *text, size_t bytes, data_words wanted,
                               data_table *out);
// Local. Frees what the table holds, and zeroes it.
void data_table_release(data_table *t);

#endif
