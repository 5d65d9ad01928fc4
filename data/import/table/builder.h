// A table while it is read, cell by cell. Private to data/import/table/ and the formats of JSON
// lines.
#ifndef DATA_TABLE_BUILDER_H
#define DATA_TABLE_BUILDER_H

#include <stdbool.h>

#include "data/import/table/table.h"

typedef struct {
  const char *path;
  const data_table_wish *wish;
  int64_t line;    // of the file, from 1
  int64_t n;       // columns of the file that are taken
  char **names;    // [n], each from orr_malloc
  int64_t *widths; // [n]: numbers in a cell, as in the first row
  bool *lists;     // [n]: cells are lists
  int64_t rows;    // whole ones
  double *v;
  size_t used, room; // numbers
  char *time_name;   // of the column of time stamps; NULL: none
  double time_unit;  // 0: unknown
  double *times;
  size_t times_used, times_room;
} data_table_builder;

// Local. Takes a column; ORR_ENOMEM.
orr_code data_table_take(data_table_builder *b, const char *name, size_t letters);
// Local. Whether a column of this name is taken when the user names none.
bool data_table_usual(const char *name, size_t letters);
// Local. How likely a column of this name holds time stamps: 0 is not, the higher the likelier.
int data_table_time_rank(const char *name);
// Local. Takes a column as that of the time stamps; its unit may be in the name ("time_ms").
// ORR_ENOMEM.
orr_code data_table_take_time(data_table_builder *b, const char *name);
// Local. Adds one number to the row at hand; ORR_ENOMEM.
orr_code data_table_put(data_table_builder *b, double value);
// Local. Adds the time of the row at hand; ORR_ENOMEM.
orr_code data_table_put_time(data_table_builder *b, double value);
// Local. Ends cell `i` of the row, of which `count` numbers were put. ORR_EFORMAT when the first
// row's cell had another number of them.
orr_code data_table_end_cell(data_table_builder *b, int64_t i, int64_t count, bool list);
// Local. Makes the table; ORR_EFORMAT without rows. The builder is to be released either way.
orr_code data_table_finish(data_table_builder *b, data_table *out);
// Local. Frees what the builder holds.
void data_table_builder_release(data_table_builder *b);

#endif
