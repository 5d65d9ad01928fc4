// What values the components of actions take, and the range that --action-range auto maps to -1..1.
// Private to data/.
//
// The range follows what is usual, not what is extreme: from the value that half a percent lie
// below to the one that half a percent lie above (two values at least are left out on either side),
// and then on to the extremes, but at most by half of that. What lies beyond is clipped. A
// component that takes both signs, or comes next to zero, keeps its zero: its range is made even,
// -m to m. A component that is nearly always the same, such as a button, is judged by its other
// values.
#ifndef DATA_IMPORT_RANGES_H
#define DATA_IMPORT_RANGES_H

#include <stdint.h>

#include "base/status.h"
#include "data/import/notes.h"

// Rows as they come in; of many, every second, fourth, ... is kept, and the extremes of all.
typedef struct {
  int64_t A;
  int64_t seen, every;  // rows; of which every so many-th is kept
  int64_t n, room;      // rows kept
  float *v;             // [room,A]
  double (*extreme)[2]; // [A]: lowest and highest of all
} data_import_values;

// Local. Takes n rows of A components. ORR_ENOMEM.
orr_code data_import_values_add(data_import_values *v, int64_t A, const float *rows, int64_t n);
void data_import_values_release(data_import_values *v);
// Local. out [A]: the ranges that follow from the values. ORR_ENOMEM.
orr_code data_import_ranges_find(const data_import_values *v, double (*out)[2]);
// Local. Tells of values that are clipped by these ranges (each between -1 and 1 afterwards), or,
// without ranges, of components far outside of -1..1. names: [A].
void data_import_ranges_note(const data_import_values *v, double (*ranges)[2],
                             const char *const *names, data_import_notes *notes);

#endif
