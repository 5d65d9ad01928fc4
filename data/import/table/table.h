// Tables of numbers beside videos: CSV with a line of names, JSON lines, or Parquet.
//
// A cell is a number, true or false, or a list of numbers ("[0.1, 2]"), which becomes as many
// columns ("action_0", "action_1", ...); an empty or null cell is NaN, for the caller to judge. In
// JSON lines "a.b" names a member of a member. With nothing wanted every column is taken whose name
// is "action" or "actions" or begins with "action_", "action." or "action[", unless what follows
// says that it is none: a time stamp, a number of rows, a mask, a name.
#ifndef DATA_TABLE_H
#define DATA_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/import/import.h"

// What is wanted of a table.
typedef struct {
  data_words columns;          // none: the usual ones
  const char *time;            // the column of time stamps; NULL: one with a usual name
  const data_one_hot *one_hot; // columns whose cells may be words (data/import/import.h)
  int64_t one_hot_count;
  int64_t first, rows; // of a Parquet file: so many rows from this one on; 0 rows: all
} data_table_wish;

typedef struct {
  int64_t rows, columns;
  double *v;        // [rows,columns]
  char **names;     // [columns] in one block
  double *times;    // [rows]; NULL: no column of time stamps
  char *time_name;  // of that column
  double time_unit; // seconds; 0: the table does not say
} data_table;

// Local, all three. The wanted columns of a file; `path` is for messages, text[bytes] is 0.
// ORR_EFORMAT names file, line (or row) and column, and for a missing column those that are there.
// The caller releases the table.
orr_code data_table_read_csv(const char *path, const char *text, size_t bytes,
                             const data_table_wish *wish, data_table *out);
orr_code data_table_read_jsonl(const char *path, const char *text, size_t bytes,
                               const data_table_wish *wish, data_table *out);
orr_code data_table_read_parquet(const char *path, const data_table_wish *wish, data_table *out);
// Local. Frees what the table holds, and zeroes it.
void data_table_release(data_table *t);

#endif
