// metrics.jsonl by columns.
#ifndef TRAIN_METRICS_TABLE_H
#define TRAIN_METRICS_TABLE_H

#include <stdint.h>

#include "base/status.h"

#define TRAIN_COLUMNS_MAX 128

// Every number that any line holds, in order of appearance; NaN where a
// line lacks it.
typedef struct {
  int64_t rows, room;
  int columns;
  char *name[TRAIN_COLUMNS_MAX];
  double *value[TRAIN_COLUMNS_MAX]; // [rows]
  int64_t unreadable;               // lines that are not an object with a step
} train_columns;

// A torn last line (the run is being written, or was killed) is skipped silently. Where a resumed
// run repeats steps, the later lines win. ORR_ENOMEM, or what reading the file gave.
orr_code train_columns_read(const char *path, train_columns *out);
const double *train_columns_find(const train_columns *m, const char *name); // NULL when absent
double train_columns_total(const train_columns *m, const char *name);       // of the finite values
void train_columns_release(train_columns *m);

#endif
