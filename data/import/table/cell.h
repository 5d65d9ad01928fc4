// Texts as cells of a table. Private to data/import/table/ and the formats of JSON lines.
#ifndef DATA_TABLE_CELL_H
#define DATA_TABLE_CELL_H

#include "data/import/table/builder.h"

// Local. Puts a cell's text into column i: a number, a list of them as Python and numpy print them
// ("[1. 2.]", "array([1, 2], dtype=float32)"), nothing, or a word that --one-hot lists for the
// column. ORR_EFORMAT says what is wrong with it.
orr_code data_table_put_text(data_table_builder *b, int64_t i, const char *text);
// Local. Puts a time: a number, or a date and time (ISO 8601), which becomes seconds since 1970.
orr_code data_table_put_time_text(data_table_builder *b, const char *text);
// Local. A number, true or false at `at`, with a decimal point or, where nothing but digits follows
// it, a comma; what follows it, or NULL.
const char *data_table_number(const char *at, double *value);

#endif
