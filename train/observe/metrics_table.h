// metrics.jsonl by columns.
#ifndef TRAIN_METRICS_TABLE_H
#define TRAIN_METRICS_TABLE_H

#include <stdint.h>

#include "base/status.h"

#define TRAIN_TABLE_COLUMNS 128

// Every number that any line holds, in order of appearance; NaN where a
// line lacks it.
typedef struct {
  int64_t rows, room;
  int columns;
  char *name[TRAIN_TABLE_COLUMNS];
  double *value[TRAIN_TABLE_COLUMNS]; // [rows]
  int64_t unreadable;                 // lines that are not an object with a step
} train_table;

// A torn last line (the run is being written, or was killed) is skipped silently. Where a resumed
// run repeats steps, the later lines win. ORR_ENOMEM, or what reading the file gave.
orr_code train_table_read(const char *path, train_table *out);
const double *train_table_column(const train_table *m, const char *name); // NULL when absent
double train_table_total(const train_table *m, const char *name);         // of the finite values
void train_table_release(train_table *m);

#endif
