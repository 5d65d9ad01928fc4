// Actions that a user gives in a file: lines of numbers, or a table whose columns are called as the
// components of a data set.
#ifndef TRAIN_ACTION_FILE_H
#define TRAIN_ACTION_FILE_H

#include <stdint.h>

#include "base/status.h"
#include "data/set/index.h"

// Local. *out [*rows, components of x], from orr_malloc. Lines of numbers, with commas, blanks or
// brackets in between; where the first line holds names, CSV; .jsonl and .parquet by their endings.
// Numbers are in the data set's units: -1 to 1 where it was imported with --action-range.
// ORR_EFORMAT names the line; ORR_ENOTFOUND the component that the table lacks.
orr_code train_action_file_read(const char *path, const data_index *x, float **out, int64_t *rows);

#endif
